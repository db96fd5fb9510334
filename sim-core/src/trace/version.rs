//! What the headers of a packet were, and how they changed.

use crate::linux::VersionId;
use crate::packet::{Frame, Ipv4Addr, Mac};

/// One change of a packet's headers.
#[derive(Clone, Debug, PartialEq)]
pub enum Change {
    /// The packet as it stands, in full: at birth, and after changes that no small delta tells.
    Whole(Box<Frame>),
    /// The link header was written.
    Ethernet {
        /// New destination.
        dst: Mac,
        /// New source.
        src: Mac,
    },
    /// `ipv4.ttl`.
    Ttl(u8),
    /// `ipv4.src`, and the source port or ICMP identifier (0 where there is none).
    Source(Ipv4Addr, u16),
    /// `ipv4.dst`, and the destination port (0 where there is none).
    Destination(Ipv4Addr, u16),
}

/// An entry of the list of versions: a change of an earlier version.
#[derive(Clone, Debug)]
pub struct VersionRecord {
    /// The version that was changed; none for a birth.
    pub before: VersionId,
    /// What changed.
    pub change: Change,
}
