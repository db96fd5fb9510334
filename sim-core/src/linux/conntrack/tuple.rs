//! The parts of a tuple that address translation may change beside the addresses.
//!
//! Models: include/net/netfilter/nf_conntrack_tuple.h union nf_conntrack_man_proto.

use crate::packet::L4;

/// What source NAT may change: source port or ICMP identifier; 0 where there is none.
#[inline]
pub fn source_part(l4: L4) -> u16 {
    match l4 {
        L4::Ports { src, .. } => src,
        L4::Icmp { id, .. } => id,
        L4::None => 0,
    }
}

/// What destination NAT may change: destination port or ICMP identifier; 0 where there is none.
#[inline]
pub fn destination_part(l4: L4) -> u16 {
    match l4 {
        L4::Ports { dst, .. } => dst,
        L4::Icmp { id, .. } => id,
        L4::None => 0,
    }
}
