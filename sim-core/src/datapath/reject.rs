//! The answers of REJECT.
//!
//! Models: net/ipv4/netfilter/nf_reject_ipv4.c nf_send_unreach, nf_send_reset.
//! Seen in: 102-reject-variants, 13-no-endpoints-reject.

use super::hook::HookState;
use super::icmp::Error;
use super::output::SendSpec;
use super::walk::Walk;
use crate::linux::netfilter::Hook;
use crate::linux::skb::Skb;
use crate::linux::socket::PmtuDisc;
use crate::linux::{IfIndex, SocketId};
use crate::packet::{Body, Bytes, IcmpKind, Protocol, Tcp, TcpFlags, TcpOptions};
use crate::trace::Tracer;

/// Answers with ICMP destination unreachable of `code` (nf_send_unreach).
pub fn nf_send_unreach<T: Tracer>(w: &mut Walk<'_, T>, skb: &Skb, state: &HookState, code: u8) {
    // a packet with a wrong checksum is dropped without an answer
    let bad = skb.frame.ipv4().is_none_or(|p| match &p.body {
        Body::Tcp(t) => t.checksum_error != 0,
        Body::Udp(u) => u.checksum_error != 0 && !u.no_checksum,
        Body::Icmp(m) => m.checksum_error != 0,
        _ => false,
    });
    if bad && state.hook != Hook::Output {
        return;
    }
    // while the kernel itself sends an ICMP message it cannot send another (icmp_xmit_lock)
    if state.hook == Hook::Output
        && skb.socket == SocketId::NONE
        && matches!(skb.frame.ipv4().map(|p| &p.body), Some(Body::Icmp(m)) if matches!(m.kind, IcmpKind::EchoReply { .. }))
    {
        return;
    }
    w.cause = skb.id;
    w.icmp_send(skb, Error::Unreachable { code, mtu: 0 });
}

/// Answers a TCP segment with a reset (nf_send_reset).
pub fn nf_send_reset<T: Tracer>(w: &mut Walk<'_, T>, skb: &Skb, _state: &HookState) {
    let Some(p) = skb.frame.ipv4() else { return };
    let Body::Tcp(t) = &p.body else { return };
    if t.flags.has(TcpFlags::RST) || t.checksum_error != 0 || p.header.fragment_offset != 0 {
        return;
    }
    let (seq, ack, flags) = if t.flags.has(TcpFlags::ACK) {
        (t.ack, 0, TcpFlags::RST)
    } else {
        (0, t.seq.wrapping_add(t.seq_len()), TcpFlags::RST.with(TcpFlags::ACK))
    };
    let reset = Tcp {
        src_port: t.dst_port,
        dst_port: t.src_port,
        seq,
        ack,
        flags,
        window: 0,
        urgent: 0,
        checksum_error: 0,
        options: TcpOptions::default(),
        payload: Bytes::EMPTY,
    };
    // sent from the address as the segment has it at this hook, whether it is of this host or not
    let (from, to) = (p.header.dst, p.header.src);
    let Ok((dst, _)) = w.route_output(None, from, to, IfIndex::NONE) else { return };
    let spec = SendSpec {
        confirms: false,
        src: from,
        dst: to,
        ttl: None,
        tos: 0,
        mark: 0,
        oif: IfIndex::NONE,
        pmtudisc: PmtuDisc::Want,
        l4: (Protocol::TCP, (0, 0)),
        socket: SocketId::NONE,
        flow: skb.flow,
    };
    w.send_attached(skb, &spec, Body::Tcp(reset), dst);
}
