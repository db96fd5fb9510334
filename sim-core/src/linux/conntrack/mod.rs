//! Connection tracking: flows, their state, and the address translation tied to them.
//!
//! Models: include/net/netfilter/nf_conntrack.h struct nf_conn, net/netfilter/nf_conntrack_core.c.

pub mod nat;

pub use nat::{Manip, NatRange};

use crate::packet::Address;

/// An entry, confirmed or not, by its place in the table of the namespace.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct CtId(pub u32);

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
    /// IPS_DYING.
    pub const DYING: CtStatus = CtStatus(1 << 9);

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

/// The flows of a namespace.
#[derive(Clone, Debug)]
pub struct Conntrack<A> {
    family: std::marker::PhantomData<A>,
}

impl<A: Address> Default for Conntrack<A> {
    fn default() -> Self {
        Conntrack { family: std::marker::PhantomData }
    }
}

impl<A: Address> Conntrack<A> {
    /// Forgets an entry that was made for a packet and never confirmed.
    pub fn release_unconfirmed(&mut self, _id: CtId) {}
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
}
