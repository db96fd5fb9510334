//! How packets get to the pods of other nodes: one file per backend, listed once here.
//!
//! Models: flannel pkg/backend/manager.go, common.go.

pub mod host_gw;

use super::{ExtIface, Lease};
use crate::linux::op::RouteSpec;

/// A backend.
pub trait Backend: Sync {
    /// The name in net-conf.json and in annotations: `host-gw`.
    fn name(&self) -> &'static str;
    /// The MTU that pods get on a card with `ext` bytes.
    fn mtu(&self, ext: u32) -> u32;
    /// The route to another node's pods.
    fn route(&self, ext: &ExtIface, peer: &Lease) -> RouteSpec;
}

macro_rules! backends {
    ($($(#[$attr:meta])* $kind:ident $word:literal $file:ident :: $ty:ident),* $(,)?) => {
        /// A backend, as a scenario names it.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
        pub enum BackendKind { $(#[doc = $word] $(#[$attr])* $kind),* }

        impl BackendKind {
            /// All, in order.
            pub const ALL: &'static [BackendKind] = &[$(BackendKind::$kind),*];
            /// Their words in a scenario.
            pub const WORDS: &'static [&'static str] = &[$($word),*];

            /// The one that a scenario calls `word`.
            pub fn from_word(word: &str) -> Option<BackendKind> {
                Self::WORDS.iter().position(|w| *w == word).map(|i| Self::ALL[i])
            }
            /// Its word in a scenario.
            pub fn word(self) -> &'static str {
                match self { $(BackendKind::$kind => $word),* }
            }
            /// What it does.
            pub fn backend(self) -> &'static dyn Backend {
                match self { $(BackendKind::$kind => &$file::$ty),* }
            }
        }
    };
}

// One line per backend.
backends! {
    #[default]
    HostGw "host_gw" host_gw::HostGw,
}
