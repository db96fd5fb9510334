//! A run that is over: all that the readers (text, JSON, terminal) need.

use super::flow::FlowRecord;
use super::guard::Storm;
use super::world::World;
use crate::trace::Recording;

/// A run that is over.
#[derive(Clone, Debug)]
pub struct Run {
    /// The world when the first flow began (settled).
    pub start: World,
    /// The world at the end.
    pub end: World,
    /// Everything that was told, from the first flow on.
    pub recording: Recording,
    /// The flows, in order of their start; [`crate::linux::FlowId`] n stands at n - 1.
    pub flows: Vec<FlowRecord>,
    /// Why the run was stopped, if it was: frames that went round in a loop.
    pub storm: Option<Storm>,
}
