//! What a NAT rule asks for.
//!
//! Models: include/uapi/linux/netfilter/nf_nat.h struct nf_nat_range2.

use crate::packet::Address;

/// Which end of a packet is rewritten.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Manip {
    /// NF_NAT_MANIP_SRC: POSTROUTING and INPUT.
    Src,
    /// NF_NAT_MANIP_DST: PREROUTING and OUTPUT.
    Dst,
}

/// The addresses and ports that a flow may be mapped to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct NatRange<A> {
    /// First and last address (NF_NAT_RANGE_MAP_IPS); none leaves the address as it is.
    pub addrs: Option<(A, A)>,
    /// First and last port (NF_NAT_RANGE_PROTO_SPECIFIED); none leaves the port as it is where that can be.
    pub ports: Option<(u16, u16)>,
    /// `--random`: the search for a port begins at a random place.
    pub random: bool,
    /// `--random-fully`: the port is never kept.
    pub random_fully: bool,
    /// `--persistent`: the address depends on the source alone.
    pub persistent: bool,
}

impl<A: Address> NatRange<A> {
    /// A range that maps to one address and keeps the port where that can be.
    pub fn to_addr(addr: A) -> Self {
        NatRange { addrs: Some((addr, addr)), ports: None, random: false, random_fully: false, persistent: false }
    }
}
