//! Packets that are being put together from fragments.
//!
//! Models: net/ipv4/ip_fragment.c struct ipq, net/ipv4/inet_fragment.c.

use super::hot::HotMap;
use super::skb::Skb;
use super::time::Time;
use crate::packet::{Address, Protocol};

/// What the fragments of one packet share.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct FragmentKey<A> {
    /// Source address.
    pub src: A,
    /// Destination address.
    pub dst: A,
    /// Identification.
    pub id: u32,
    /// Protocol of the whole.
    pub protocol: Protocol,
    /// Who puts it together: conntrack on its way through, or the host that it is for (`user`).
    pub for_conntrack: bool,
}

/// The fragments of one packet so far.
#[derive(Clone, Debug, Default)]
pub struct FragmentQueue {
    /// The fragments, by offset; they do not overlap.
    pub parts: Vec<Box<Skb>>,
    /// Length of the whole, once the last fragment is here.
    pub total: Option<usize>,
    /// Largest fragment, in bytes with its header: the whole is cut no larger again.
    pub largest: u32,
    /// When the attempt is given up.
    pub expires: Time,
    /// Its number, for the timer.
    pub number: u32,
}

/// All packets that are being put together in a namespace.
#[derive(Clone, Debug)]
pub struct Fragments<A> {
    /// By what their fragments share.
    pub queues: HotMap<FragmentKey<A>, FragmentQueue>,
    /// The last number given.
    pub last: u32,
}

impl<A: Address> Default for Fragments<A> {
    fn default() -> Self {
        Fragments { queues: HotMap::default(), last: 0 }
    }
}
