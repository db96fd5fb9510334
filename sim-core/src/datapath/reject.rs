//! The answers of REJECT.

use super::hook::HookState;
use super::walk::Walk;
use crate::linux::skb::Skb;
use crate::trace::Tracer;

/// Answers with ICMP destination unreachable of `code` (nf_send_unreach).
pub fn nf_send_unreach<T: Tracer>(_w: &mut Walk<'_, T>, _skb: &Skb, _state: &HookState, _code: u8) {}

/// Answers a TCP segment with a reset (nf_send_reset).
pub fn nf_send_reset<T: Tracer>(_w: &mut Walk<'_, T>, _skb: &Skb, _state: &HookState) {}
