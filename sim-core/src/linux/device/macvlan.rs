//! What is configured of a macvlan device.
//!
//! Models: include/linux/if_macvlan.h struct macvlan_dev.

use crate::packet::Mac;
use std::sync::Arc;

/// How the children of one device treat each other.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub enum MacvlanMode {
    /// No frames between children.
    Private,
    /// Frames between children only by way of a switch outside that sends them back.
    #[default]
    Vepa,
    /// Children reach each other directly.
    Bridge,
    /// The only child has the whole device.
    Passthru,
    /// A child hears frames from listed sources.
    Source,
}

impl MacvlanMode {
    /// All modes.
    pub const ALL: [MacvlanMode; 5] =
        [MacvlanMode::Private, MacvlanMode::Vepa, MacvlanMode::Bridge, MacvlanMode::Passthru, MacvlanMode::Source];

    /// The word of `ip link`.
    pub fn name(self) -> &'static str {
        match self {
            MacvlanMode::Private => "private",
            MacvlanMode::Vepa => "vepa",
            MacvlanMode::Bridge => "bridge",
            MacvlanMode::Passthru => "passthru",
            MacvlanMode::Source => "source",
        }
    }
}

/// Settings of a macvlan device.
#[derive(Clone, Debug, PartialEq, Eq, Default)]
pub struct MacvlanConfig {
    /// `mode`.
    pub mode: MacvlanMode,
    /// `nopromisc`: a passthru child does not make the device below promiscuous.
    pub nopromisc: bool,
    /// `macaddr`: sources that a child in mode source hears, in order of addition.
    pub sources: Arc<Vec<Mac>>,
}
