//! `timeline`: what happens when.

use super::value::{At, Dur};
use serde::Deserialize;

/// Something that happens.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TimelineEntry {
    /// When, on the clock that starts when the world has settled.
    pub at: At<Dur>,
    /// Where a command runs. kubectl needs no place.
    #[serde(default)]
    pub on: Option<At<String>>,
    /// Commands, one a line.
    #[serde(default)]
    pub run: Option<At<String>>,
    /// The pod whose readiness changes.
    #[serde(default)]
    pub pod: Option<At<String>>,
    /// Its readiness.
    #[serde(default)]
    pub ready: Option<At<bool>>,
}
