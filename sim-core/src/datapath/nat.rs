//! Address translation of packets from their flow's mapping.

use super::hook::{HookState, NfVerdict};
use super::walk::Walk;
use crate::linux::RowId;
use crate::linux::conntrack::{Manip, NatRange};
use crate::linux::skb::Skb;
use crate::packet::Ipv4Addr;
use crate::trace::Tracer;

/// Gives the packet's flow its mapping for one end (nf_nat_setup_info). `row` is the rule that asked.
pub fn nf_nat_setup_info<T: Tracer>(
    _w: &mut Walk<'_, T>,
    _skb: &mut Skb,
    _range: &NatRange<Ipv4Addr>,
    _manip: Manip,
    _row: RowId,
) -> NfVerdict {
    NfVerdict::Accept
}

/// Maps the source to the address of the output device (nf_nat_masquerade_ipv4).
pub fn nf_nat_masquerade<T: Tracer>(
    _w: &mut Walk<'_, T>,
    _skb: &mut Skb,
    _state: &HookState,
    _range: &NatRange<Ipv4Addr>,
    _row: RowId,
) -> NfVerdict {
    NfVerdict::Accept
}
