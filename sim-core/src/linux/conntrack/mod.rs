//! Connection tracking: flows, their state, and the address translation tied to them.
//!
//! Models: include/net/netfilter/nf_conntrack.h struct nf_conn, net/netfilter/nf_conntrack_core.c.
//! Simplifies: one zone; no helpers, expectations, accounting or labels.
//!
//! ```text
//!   mod      what a packet is to its flow, status bits
//!   tuple    the parts of a tuple that translation may change
//!   entry    a flow
//!   table    the flows, found by either tuple    confirm   how they enter it    reclaim   how they leave it
//!   tcp      a TCP connection as seen from the middle    tcp_state   its states    window   whether a segment fits
//!   timeout  UDP, ICMP and the rest
//!   nat      which address and port a flow is mapped to
//!   key      how they are hashed
//!   list     `conntrack -L`, `-D`, `-F`
//! ```

pub mod confirm;
pub mod entry;
mod key;
pub mod list;
pub mod nat;
mod reclaim;
pub mod table;
pub mod tcp;
pub mod tcp_state;
#[cfg(test)]
mod tests;
pub mod timeout;
pub mod tuple;
mod window;

pub use confirm::Confirm;
pub use entry::{Entry, ProtoTrack};
pub use nat::{Bind, Manip, NatRange};
pub use table::Conntrack;
pub use window::Window;

/// An entry, confirmed or not, by its place in the table of the namespace.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct CtId(pub u32);

/// Direction of a packet within its flow.
///
/// Models: enum ip_conntrack_dir.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Dir {
    /// As the first packet.
    #[default]
    Original = 0,
    /// As the answer.
    Reply = 1,
}

impl Dir {
    /// 0 for the original direction, 1 for the reply.
    #[inline]
    pub fn index(self) -> usize {
        self as usize
    }

    /// The other direction.
    #[inline]
    #[must_use]
    pub fn other(self) -> Dir {
        match self {
            Dir::Original => Dir::Reply,
            Dir::Reply => Dir::Original,
        }
    }
}

/// What a packet is to its flow.
///
/// Models: include/uapi/linux/netfilter/nf_conntrack_common.h enum ip_conntrack_info.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum CtInfo {
    /// Original direction; the flow has been answered.
    Established,
    /// An ICMP error about the flow, in the original direction.
    Related,
    /// Original direction; not answered yet.
    New,
    /// Reply direction.
    EstablishedReply,
    /// An ICMP error about the flow, in the reply direction.
    RelatedReply,
}

impl CtInfo {
    /// Whether the packet goes in the reply direction.
    #[inline]
    pub fn is_reply(self) -> bool {
        matches!(self, CtInfo::EstablishedReply | CtInfo::RelatedReply)
    }

    /// The direction.
    #[inline]
    pub fn dir(self) -> Dir {
        if self.is_reply() { Dir::Reply } else { Dir::Original }
    }

    /// Whether the packet is an ICMP error about the flow.
    #[inline]
    pub fn is_related(self) -> bool {
        matches!(self, CtInfo::Related | CtInfo::RelatedReply)
    }
}

/// A packet's tie to its flow.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CtRef {
    /// The entry.
    pub id: CtId,
    /// What the packet is to it.
    pub info: CtInfo,
}

/// Status bits of an entry.
///
/// Models: enum ip_conntrack_status.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default, Hash)]
pub struct CtStatus(pub u16);

impl CtStatus {
    /// IPS_EXPECTED.
    pub const EXPECTED: CtStatus = CtStatus(1 << 0);
    /// IPS_SEEN_REPLY.
    pub const SEEN_REPLY: CtStatus = CtStatus(1 << 1);
    /// IPS_ASSURED.
    pub const ASSURED: CtStatus = CtStatus(1 << 2);
    /// IPS_CONFIRMED.
    pub const CONFIRMED: CtStatus = CtStatus(1 << 3);
    /// IPS_SRC_NAT.
    pub const SRC_NAT: CtStatus = CtStatus(1 << 4);
    /// IPS_DST_NAT.
    pub const DST_NAT: CtStatus = CtStatus(1 << 5);
    /// IPS_SEQ_ADJUST.
    pub const SEQ_ADJUST: CtStatus = CtStatus(1 << 6);
    /// IPS_SRC_NAT_DONE.
    pub const SRC_NAT_DONE: CtStatus = CtStatus(1 << 7);
    /// IPS_DST_NAT_DONE.
    pub const DST_NAT_DONE: CtStatus = CtStatus(1 << 8);
    /// IPS_DYING: out of the table, or about to be.
    pub const DYING: CtStatus = CtStatus(1 << 9);
    /// IPS_FIXED_TIMEOUT: packets do not prolong its life.
    pub const FIXED_TIMEOUT: CtStatus = CtStatus(1 << 10);
    /// IPS_NAT_CLASH: known by its reply tuple alone, since another flow has its original one.
    pub const NAT_CLASH: CtStatus = CtStatus(1 << 12);

    /// Whether all bits of `other` are set.
    #[inline]
    pub const fn has(self, other: CtStatus) -> bool {
        self.0 & other.0 == other.0
    }

    /// Sets the bits of `other`.
    #[inline]
    pub fn set(&mut self, other: CtStatus) {
        self.0 |= other.0;
    }
}

/// What a rule may see of a packet's flow: the state, the direction and the status bits.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub struct CtView {
    /// What the packet is to its flow; none if it is INVALID (no entry) or the namespace does not track.
    pub info: Option<CtInfo>,
    /// Status of the entry; zero without one.
    pub status: CtStatus,
    /// Whether the namespace tracks flows at all.
    pub tracked: bool,
}

/// An entry at one moment, for listings and the trace.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CtSnapshot {
    /// Original direction.
    pub original: crate::packet::Tuple<crate::packet::Ipv4Addr>,
    /// Reply direction, translation included.
    pub reply: crate::packet::Tuple<crate::packet::Ipv4Addr>,
    /// TCP state's name (`ESTABLISHED`), for TCP.
    pub state: Option<&'static str>,
    /// Status bits.
    pub status: CtStatus,
    /// Mark.
    pub mark: u32,
    /// When it expires, unless a packet comes before: from then on it is not listed any more, and no other write says so.
    pub expires: crate::linux::Time,
}
