//! One step of the walk.

use super::evidence::Evidence;
use crate::linux::{IfIndex, NetnsId, PacketId, Time, VersionId};

/// A step, by its place in the recording.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct StepId(pub u32);

/// One decision of the walk: where, when, about which packet, and what.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Step {
    /// When.
    pub at: Time,
    /// Where: the namespace.
    pub netns: NetnsId,
    /// Where: the device, if one is concerned.
    pub dev: IfIndex,
    /// About which packet.
    pub packet: PacketId,
    /// What its headers were.
    pub version: VersionId,
    /// What was decided.
    pub evidence: Evidence,
}

/// A step may take 64 bytes at most, headers' changes included; this is its own share.
const _: () = assert!(size_of::<Step>() <= 56);
