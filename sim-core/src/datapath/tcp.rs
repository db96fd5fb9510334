//! TCP: segments in, segments out.

use super::walk::Walk;
use crate::linux::skb::Skb;
use crate::linux::{Errno, SocketId};
use crate::packet::{Endpoint, Ipv4Addr};
use crate::trace::Tracer;
use crate::trace::evidence::TimerKind;

/// A segment for this host (tcp_v4_rcv).
pub fn tcp_v4_rcv<T: Tracer>(_w: &mut Walk<'_, T>, _skb: Box<Skb>) {}

/// An ICMP error about a segment sent from here: type, code, MTU of code 4, and the ends as the segment had them (tcp_v4_err).
pub fn tcp_v4_err<T: Tracer>(
    _w: &mut Walk<'_, T>,
    _local: Endpoint<Ipv4Addr>,
    _remote: Endpoint<Ipv4Addr>,
    _seq: u32,
    _icmp: (u8, u8, u16),
    _errno: Errno,
    _offender: Ipv4Addr,
) {
}

/// A timer of a socket fired.
pub fn tcp_timer<T: Tracer>(_w: &mut Walk<'_, T>, _socket: SocketId, _kind: TimerKind) {}
