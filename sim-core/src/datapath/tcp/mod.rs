//! TCP: segments in, segments out.
//!
//! Models: net/ipv4/tcp_ipv4.c tcp_v4_rcv, tcp_v4_err, tcp_v4_send_reset; net/ipv4/tcp_input.c tcp_conn_request.
//! Spec: RFC 9293.
//! Simplifies: no SYN cookies (the number of unfinished handshakes is not bounded), no keepalive, no MD5 or AO.
//! Seen in: 01-same-node-bridge, 105-stray-packets, 21-closed-ports.
//!
//! The state machine is in [`Conn`]: it sees one connection and lists [`Action`]s. This file finds the connection,
//! and carries them out in the namespace.
//!
//! ```text
//!  tcp_v4_rcv ─ lookup ─┬─ none ──────────────► reset
//!                       ├─ LISTEN ── SYN ─────► a new connection in SYN_RECV
//!                       └─ Conn::input ─► Taken | Dropped | Reset, and Actions
//! ```

mod ack;
mod conn;
mod connect;
mod input;
pub mod options;
mod output;
#[cfg(test)]
mod tests;
mod timer;

pub use conn::{Action, Conn, Limits};
pub use input::Input;

use super::inet::{addr_type, any, path_for, send};
use super::output::SendSpec;
use super::walk::{Timer, Walk};
use crate::linux::fib::RouteType;
use crate::linux::rng::Draw;
use crate::linux::skb::{PktType, Skb};
use crate::linux::socket::tcp::{Tcb, TcpState};
use crate::linux::socket::{PmtuDisc, SockError, Socket, SocketKind};
use crate::linux::{Errno, FlowId, IfIndex, PacketId, SocketId, VersionId};
use crate::packet::{Body, Endpoint, IpAddr, Ipv4Addr, Protocol, Tcp, TcpFlags};
use crate::trace::evidence::TimerKind;
use crate::trace::{DropReason, Evidence, Step, Tracer};

/// `net.ipv4.route.min_pmtu`.
const MIN_PMTU: u32 = 552;

/// What steps about a socket are tied to: the packet that is the reason, if there is one.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct About {
    packet: PacketId,
    version: VersionId,
    dev: IfIndex,
}

impl From<&Skb> for About {
    fn from(skb: &Skb) -> Self {
        About { packet: skb.id, version: skb.version, dev: skb.iif }
    }
}

fn note<T: Tracer>(w: &mut Walk<'_, T>, about: About, evidence: Evidence) {
    if T::ON {
        w.trace.step(Step { at: w.now, netns: w.ns.id, dev: about.dev, packet: about.packet, version: about.version, evidence });
    }
}

/// What a socket's packets are sent with.
pub(super) fn spec_of(s: &Socket, dst: IpAddr) -> SendSpec<IpAddr> {
    SendSpec {
        src: s.local.addr,
        dst,
        ttl: s.ttl,
        tos: s.tos,
        mark: s.mark,
        oif: s.device,
        pmtudisc: s.pmtudisc,
        l4: (s.kind.protocol(), (s.local.port, s.remote.map_or(0, |r| r.port))),
        socket: s.id,
        confirms: false,
        flow: s.flow,
    }
}

/// Works on the connection of a socket; the actions are still to be carried out.
fn with_conn<T: Tracer, R>(w: &mut Walk<'_, T>, id: SocketId, work: impl FnOnce(&mut Conn<'_>) -> R) -> Option<(R, Vec<Action>)> {
    let limits = Limits::from(&*w.ns.config.sysctl);
    let s = w.ns.sockets.get_mut(id)?;
    let ports = (s.local.port, s.remote.map_or(0, |r| r.port));
    let mut conn = Conn::new(s.tcp.as_deref_mut()?, w.now, limits, ports);
    let result = work(&mut conn);
    let out = conn.out;
    Some((result, out))
}

/// Does what the connection of a socket wants done at the wish of its program.
pub(super) fn call<T: Tracer, R>(w: &mut Walk<'_, T>, id: SocketId, work: impl FnOnce(&mut Conn<'_>) -> R) -> Option<R> {
    let (result, out) = with_conn(w, id, work)?;
    carry_out(w, id, About::default(), out);
    Some(result)
}

/// Carries out what a connection wants done, in its order.
fn carry_out<T: Tracer>(w: &mut Walk<'_, T>, id: SocketId, about: About, out: Vec<Action>) {
    for action in out {
        let Some(s) = w.ns.sockets.get_mut(id) else { return };
        let Some(t) = s.tcp.as_deref_mut() else { return };
        let (parent, orphan) = (t.parent, t.orphan);
        let held = parent == SocketId::NONE && !orphan;
        match action {
            Action::Send(seg) => {
                let Some(remote) = s.remote else { continue };
                let confirms = std::mem::take(&mut t.dst_confirm);
                let mut spec = SendSpec { confirms, ..spec_of(s, remote.addr) };
                if seg.flags.has(TcpFlags::SYN) && seg.flags.has(TcpFlags::ACK) {
                    // so short a packet has no use for an identification (ip_build_and_send_pkt)
                    spec.pmtudisc = PmtuDisc::Do;
                }
                // What OUTPUT or the route says to a segment is no concern of the connection: it sends again.
                let _ = send(w, &spec, Body::Tcp(seg));
            }
            Action::State(from, to) => {
                if to == TcpState::Established {
                    acceptable(w, parent, id);
                }
                note(w, about, Evidence::TcpState { socket: id, from, to });
            }
            Action::Arm(at, kind) => w.arm(at, Timer::Tcp(id, kind)),
            Action::Wake if held => w.wake(id),
            Action::Wake => {}
            Action::Fail(errno) => {
                s.error = Some(errno);
                if held {
                    note(w, about, Evidence::SocketError { socket: id, errno });
                }
            }
            Action::Done => {
                w.ns.sockets.unhash(id);
                if orphan || leave_embryos(w, parent, id) {
                    w.ns.sockets.close(id);
                }
            }
        }
    }
}

/// The listener's half of a handshake is over: the connection waits for accept(2) (inet_csk_complete_hashdance).
fn acceptable<T: Tracer>(w: &mut Walk<'_, T>, listener: SocketId, id: SocketId) {
    if leave_embryos(w, listener, id)
        && let Some(l) = w.ns.sockets.get_mut(listener).and_then(|s| s.tcp.as_deref_mut())
    {
        l.listener.accept.push_back(id);
        w.wake(listener);
    }
}

/// Takes a connection out of the list of its listener's unfinished handshakes; whether it was in it.
fn leave_embryos<T: Tracer>(w: &mut Walk<'_, T>, listener: SocketId, id: SocketId) -> bool {
    let Some(l) = w.ns.sockets.get_mut(listener).and_then(|s| s.tcp.as_deref_mut()) else { return false };
    let before = l.listener.embryos.len();
    l.listener.embryos.retain(|e| *e != id);
    l.listener.embryos.len() < before
}

/// A segment for this host (tcp_v4_rcv, tcp_v6_rcv).
pub fn tcp_rcv<T: Tracer>(w: &mut Walk<'_, T>, skb: Box<Skb>) {
    let dev = skb.iif;
    let Some(ip) = skb.frame.net.ip() else { return w.drop_skb(skb, dev, DropReason::NotSpecified) };
    let Body::Tcp(seg) = ip.body else { return w.drop_skb(skb, dev, DropReason::PktTooSmall) };
    if skb.pkt_type != PktType::Host {
        return w.drop_skb(skb, dev, DropReason::NotSpecified);
    }
    if seg.checksum_error != 0 {
        return w.drop_skb(skb, dev, DropReason::TcpCsum);
    }
    w.cause = skb.id;
    let local = Endpoint::new(ip.dst, seg.dst_port);
    let remote = Endpoint::new(ip.src, seg.src_port);
    let found = w.ns.sockets.lookup(SocketKind::Tcp, local, remote, dev);
    let found = found.and_then(|id| w.ns.sockets.get(id)?.tcp.as_deref().map(|t| (id, t.state, t.parent)));
    let Some((id, state, parent)) = found else {
        send_reset(w, &skb);
        return w.drop_skb(skb, dev, DropReason::NoSocket);
    };
    if state == TcpState::Listen {
        return listen(w, skb, id);
    }
    if state == TcpState::TimeWait && with_conn(w, id, |c| c.reopens(seg)).is_some_and(|(yes, _)| yes) {
        let nobody = Endpoint::new(any(local.addr), 0);
        if let Some(listener) = w.ns.sockets.lookup(SocketKind::Tcp, local, nobody, dev) {
            if let Some((_, out)) = with_conn(w, id, |c| c.expire()) {
                carry_out(w, id, About::from(&*skb), out);
            }
            return listen(w, skb, listener);
        }
    }
    let last_of_handshake = state == TcpState::SynRecv && seg.flags.has(TcpFlags::ACK) && !seg.flags.has(TcpFlags::RST);
    if last_of_handshake && is_full(w, parent) {
        return w.drop_skb(skb, dev, DropReason::TcpListenOverflow);
    }
    let Some((input, out)) = with_conn(w, id, |c| c.input(seg)) else { return };
    finish(w, skb, id, input, out);
}

/// Tells what became of a segment, and carries out what follows.
fn finish<T: Tracer>(w: &mut Walk<'_, T>, skb: Box<Skb>, id: SocketId, input: Input, out: Vec<Action>) {
    let about = About::from(&*skb);
    let dev = skb.iif;
    match input {
        Input::Taken => {
            let len = segment_of(&skb).map_or(0, |seg| seg.payload.len() as u32);
            w.step(&skb, dev, Evidence::Deliver { socket: id, len });
            w.release_ct(&skb);
            follow_flow(w, id, skb.flow);
            carry_out(w, id, about, out);
        }
        Input::Dropped(reason) => {
            w.drop_skb(skb, dev, reason);
            carry_out(w, id, about, out);
        }
        Input::Reset(reason) => {
            carry_out(w, id, about, out);
            send_reset(w, &skb);
            w.drop_skb(skb, dev, reason);
        }
    }
}

/// A server's connection belongs to what its client does with it now.
fn follow_flow<T: Tracer>(w: &mut Walk<'_, T>, id: SocketId, flow: FlowId) {
    if let Some(s) = w.ns.sockets.get_mut(id).filter(|s| s.tcp.as_deref().is_some_and(|t| t.passive)) {
        s.flow = flow;
    }
}

fn segment_of(skb: &Skb) -> Option<&Tcp> {
    match skb.frame.net.ip()?.body {
        Body::Tcp(seg) => Some(seg),
        _ => None,
    }
}

/// Whether the connections that wait for accept(2) are too many (sk_acceptq_is_full).
fn is_full<T: Tracer>(w: &Walk<'_, T>, listener: SocketId) -> bool {
    let l = w.ns.sockets.get(listener).and_then(|s| s.tcp.as_deref());
    l.is_some_and(|t| t.listener.accept.len() as u32 > t.listener.backlog)
}

/// A segment for a listening socket (tcp_conn_request).
fn listen<T: Tracer>(w: &mut Walk<'_, T>, skb: Box<Skb>, listener: SocketId) {
    let dev = skb.iif;
    let about = About::from(&*skb);
    let (Some(ip), Some(seg)) = (skb.frame.net.ip(), segment_of(&skb)) else { return };
    let (syn, ack, rst) = (seg.flags.has(TcpFlags::SYN), seg.flags.has(TcpFlags::ACK), seg.flags.has(TcpFlags::RST));
    if ack && !rst {
        return finish(w, skb, listener, Input::Reset(DropReason::TcpFlags), Vec::new());
    }
    if rst || !syn || seg.flags.has(TcpFlags::FIN) {
        return w.drop_skb(skb, dev, DropReason::TcpFlags);
    }
    if is_full(w, listener) {
        return w.drop_skb(skb, dev, DropReason::TcpListenOverflow);
    }
    let Some(l) = w.ns.sockets.get(listener) else { return };
    let local = Endpoint::new(ip.dst, seg.dst_port);
    let remote = Endpoint::new(ip.src, seg.src_port);
    let spec = SendSpec {
        src: local.addr,
        l4: (Protocol::TCP, (local.port, remote.port)),
        flow: skb.flow,
        socket: SocketId::NONE,
        ..spec_of(l, remote.addr)
    };
    let (app, ttl, tos, mark, pmtudisc, device) = (l.app, l.ttl, l.tos, l.mark, l.pmtudisc, l.device);
    let Ok((_, mtu)) = path_for(w, &spec) else {
        return w.drop_skb(skb, dev, DropReason::IpOutNoRoutes);
    };
    let id = w.ns.sockets.open(SocketKind::Tcp, app, skb.flow);
    w.ns.sockets.establish(id, local, remote);
    let (iss, ts_offset) = (w.rng.next_u32(Draw::SequenceNumber), w.rng.next_u32(Draw::SequenceNumber));
    if let Some(s) = w.ns.sockets.get_mut(id) {
        (s.ttl, s.tos, s.mark, s.pmtudisc, s.device) = (ttl, tos, mark, pmtudisc, device);
        let mut tcb = Tcb::new(TcpState::Listen);
        tcb.parent = listener;
        tcb.passive = true;
        tcb.agreed.ipv6 = remote.addr.is_ipv6();
        s.tcp = Some(Box::new(tcb));
    }
    if let Some(l) = w.ns.sockets.get_mut(listener).and_then(|s| s.tcp.as_deref_mut()) {
        l.listener.embryos.push(id);
    }
    let out = with_conn(w, id, |c| c.answer_syn(seg, iss, ts_offset, mtu)).map(|(_, out)| out).unwrap_or_default();
    w.step(&skb, dev, Evidence::Deliver { socket: listener, len: 0 });
    w.release_ct(&skb);
    carry_out(w, id, about, out);
}

/// Answers a segment that fits no connection with a reset (tcp_v4_send_reset).
fn send_reset<T: Tracer>(w: &mut Walk<'_, T>, skb: &Skb) {
    let (Some(ip), Some(seg)) = (skb.frame.net.ip(), segment_of(skb)) else { return };
    if addr_type(&w.ns.config, ip.dst) != RouteType::Local {
        return;
    }
    let Some(reset) = Conn::reset_for(seg) else { return };
    let spec = SendSpec {
        confirms: false,
        src: ip.dst,
        dst: ip.src,
        ttl: None,
        tos: ip.tos,
        mark: 0,
        oif: IfIndex::NONE,
        pmtudisc: PmtuDisc::Want,
        l4: (Protocol::TCP, (0, 0)),
        socket: SocketId::NONE,
        flow: skb.flow,
    };
    let _ = send(w, &spec, Body::Tcp(reset));
}

/// What an ICMP error says of the path of a segment.
#[derive(Clone, Copy, Debug)]
pub struct PathError {
    /// Type and code.
    pub icmp: (u8, u8),
    /// The MTU in bytes, if it says that the segment was too big.
    pub mtu: Option<u32>,
    /// What a program is told.
    pub errno: Errno,
    /// Whether it ends a handshake that a listener has not finished.
    pub ends_embryo: bool,
    /// Who sent it.
    pub offender: IpAddr,
}

/// An ICMP error about a segment sent from here: type, code, MTU of code 4, and the ends as the segment had them (tcp_v4_err).
pub fn tcp_v4_err<T: Tracer>(
    w: &mut Walk<'_, T>,
    local: Endpoint<Ipv4Addr>,
    remote: Endpoint<Ipv4Addr>,
    seq: u32,
    icmp: (u8, u8, u16),
    errno: Errno,
    offender: Ipv4Addr,
) {
    let (kind, code, mtu) = icmp;
    if matches!(kind, 4 | 5) {
        return;
    }
    let mtu = ((kind, code) == (3, 4)).then(|| u32::from(mtu).max(MIN_PMTU));
    let ends_embryo = matches!((kind, code), (3, 0 | 1) | (11 | 12, _));
    let error = PathError { icmp: (kind, code), mtu, errno, ends_embryo, offender: offender.into() };
    tcp_err(w, local.into(), remote.into(), seq, &error);
}

/// What tcp_v4_err and tcp_v6_err have in common.
pub fn tcp_err<T: Tracer>(w: &mut Walk<'_, T>, local: Endpoint<IpAddr>, remote: Endpoint<IpAddr>, seq: u32, error: &PathError) {
    use crate::linux::socket::tcp::{after, before};
    let Some(id) = w.ns.sockets.lookup(SocketKind::Tcp, local, remote, IfIndex::NONE) else { return };
    let Some(s) = w.ns.sockets.get_mut(id) else { return };
    let Some(t) = s.tcp.as_deref() else { return };
    if t.is_listening() || t.state == TcpState::TimeWait || before(seq, t.snd.una) || after(seq, t.snd.nxt) {
        return;
    }
    let about = About { packet: w.cause, ..About::default() };
    if let Some(mtu) = error.mtu {
        if s.pmtudisc == PmtuDisc::Dont {
            return;
        }
        if let Some((_, out)) = with_conn(w, id, |c| c.mtu_reduced(mtu)) {
            carry_out(w, id, about, out);
        }
        return;
    }
    if t.state == TcpState::SynRecv && t.parent != SocketId::NONE && !error.ends_embryo {
        return;
    }
    if s.recverr && matches!(t.state, TcpState::SynSent | TcpState::SynRecv) {
        s.error_queue.push_back(SockError { errno: error.errno, icmp: Some(error.icmp), info: 0, offender: Some(error.offender) });
    }
    if let Some((_, out)) = with_conn(w, id, |c| c.path_error(error.errno)) {
        carry_out(w, id, about, out);
    }
}

/// A timer of a socket fired.
pub fn tcp_timer<T: Tracer>(w: &mut Walk<'_, T>, socket: SocketId, kind: TimerKind) {
    let Some(flow) = w.ns.sockets.get(socket).map(|s| s.flow) else { return };
    w.flow = flow;
    if let Some((true, _)) = with_conn(w, socket, |c| c.timer_counts(kind)) {
        note(w, About::default(), Evidence::Timer { timer: kind });
    }
    if let Some((_, out)) = with_conn(w, socket, |c| c.timer(kind)) {
        carry_out(w, socket, About::default(), out);
    }
}

/// Opens a connection: the ends are set, the SYN goes out (tcp_connect).
pub(super) fn connect<T: Tracer>(w: &mut Walk<'_, T>, id: SocketId, mtu: u32) {
    let (iss, ts_offset) = (w.rng.next_u32(Draw::SequenceNumber), w.rng.next_u32(Draw::SequenceNumber));
    if let Some(s) = w.ns.sockets.get_mut(id) {
        let mut tcb = Tcb::default();
        tcb.agreed.ipv6 = s.remote.is_some_and(|r| r.addr.is_ipv6());
        s.tcp = Some(Box::new(tcb));
    }
    call(w, id, |c| c.open(iss, ts_offset, mtu));
}

/// Makes a bound socket wait for connections (inet_csk_listen_start).
pub(super) fn start_listening<T: Tracer>(w: &mut Walk<'_, T>, id: SocketId, backlog: u32) {
    if let Some(s) = w.ns.sockets.get_mut(id) {
        let mut tcb = Tcb::new(TcpState::Listen);
        tcb.listener.backlog = backlog;
        s.tcp = Some(Box::new(tcb));
        note(w, About::default(), Evidence::TcpState { socket: id, from: TcpState::Close, to: TcpState::Listen });
    }
}

/// Hands out the next connection of a listener (inet_csk_accept).
pub(super) fn accept<T: Tracer>(w: &mut Walk<'_, T>, listener: SocketId) -> Option<SocketId> {
    let l = w.ns.sockets.get_mut(listener)?.tcp.as_deref_mut()?;
    let id = l.listener.accept.pop_front()?;
    let t = w.ns.sockets.get_mut(id)?.tcp.as_deref_mut()?;
    t.parent = SocketId::NONE;
    Some(id)
}

/// The program closes a TCP socket (tcp_close, inet_csk_listen_stop).
pub(super) fn close<T: Tracer>(w: &mut Walk<'_, T>, id: SocketId) {
    let Some(t) = w.ns.sockets.get_mut(id).and_then(|s| s.tcp.as_deref_mut()) else {
        w.ns.sockets.close(id);
        return;
    };
    if !t.is_listening() {
        call(w, id, |c| c.close());
        return;
    }
    let queue = std::mem::take(&mut t.listener);
    w.ns.sockets.close(id);
    for embryo in queue.embryos {
        w.ns.sockets.close(embryo);
    }
    for child in queue.accept {
        call(w, child, |c| {
            c.t.orphan = true;
            if c.t.state != TcpState::Close { c.abort() } else { c.forget() }
        });
    }
}
