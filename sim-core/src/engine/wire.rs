//! Wires and switches between hosts.

use std::time::Duration;

/// A segment: one switch that joins all devices on it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct SegmentId(pub u32);

/// What a wire is like.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LinkProps {
    /// Time that a frame takes.
    pub latency: Duration,
    /// Largest packet in bytes, link header not counted; larger ones are lost.
    pub mtu: u32,
    /// Frames lost, in millionths.
    pub loss_ppm: u32,
}

impl Default for LinkProps {
    fn default() -> Self {
        LinkProps { latency: Duration::ZERO, mtu: 65_535, loss_ppm: 0 }
    }
}
