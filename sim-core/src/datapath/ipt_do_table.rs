//! The evaluation of one iptables table at one hook.

use super::hook::{HookState, NfVerdict};
use super::walk::Walk;
use crate::linux::netfilter::TableKind;
use crate::linux::skb::Skb;
use crate::trace::Tracer;

/// Asks the built-in chain of `table` at the hook (ipt_do_table).
pub fn ipt_do_table<T: Tracer>(_w: &mut Walk<'_, T>, _skb: &mut Skb, _table: TableKind, _state: &HookState) -> NfVerdict {
    NfVerdict::Accept
}
