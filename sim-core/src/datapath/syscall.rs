//! The system calls of programs, on the namespace they run in.
//!
//! Models: net/socket.c, net/ipv4/af_inet.c inet_bind, net/ipv4/inet_connection_sock.c inet_csk_find_open_port,
//! net/ipv4/inet_hashtables.c __inet_hash_connect, net/ipv4/udp.c udp_sendmsg, net/ipv4/datagram.c
//! __ip4_datagram_connect, net/ipv4/raw.c raw_sendmsg, raw_send_hdrinc.
//! Simplifies: programs run as root; TCP sockets have SO_REUSEADDR, none has SO_BROADCAST; bind(2) to port 0 searches the
//! whole range at once, not its lower half first.

use super::inet::{self, addr_type, any, path_for};
use super::output::{SendSpec, ip_send_raw};
use super::tcp;
use super::walk::Walk;
use crate::linux::fib::RouteType;
use crate::linux::rng::Draw;
use crate::linux::socket::{Datagram, PmtuDisc, SockError, Socket, SocketKind};
use crate::linux::{Errno, FlowId, IfIndex, Netns, SocketId};
use crate::packet::{Body, Bytes, Endpoint, Icmp, Icmpv6, IpAddr, Ipv4Addr, Ipv4Packet, Ipv6Addr, PseudoHeader, Udp};
use crate::trace::Tracer;

/// SOMAXCONN: the backlog of listeners (`net.core.somaxconn`).
const BACKLOG: u32 = 4096;
/// Largest UDP payload over IPv4.
const UDP_MAX: usize = 65_507;

type Result<T> = std::result::Result<T, Errno>;

/// A socket of program `app`.
pub fn socket<T: Tracer>(w: &mut Walk<'_, T>, kind: SocketKind, app: u32, flow: FlowId) -> SocketId {
    let id = w.ns.sockets.open(kind, app, flow);
    if w.ns.config.sysctl.ip_no_pmtu_disc != 0 {
        // inet_create
        set(w, id, |s| s.pmtudisc = PmtuDisc::Dont);
    }
    id
}

/// Sets an option of a socket.
pub fn set<T: Tracer>(w: &mut Walk<'_, T>, id: SocketId, option: impl FnOnce(&mut Socket)) {
    if let Some(s) = w.ns.sockets.get_mut(id) {
        option(s);
    }
}

fn get<'w, T: Tracer>(w: &'w mut Walk<'_, T>, id: SocketId) -> Result<&'w mut Socket> {
    w.ns.sockets.get_mut(id).ok_or(Errno::EBADF)
}

/// Binds to an address (unspecified: any) and a port (0: one is chosen).
///
/// # Errors
/// EINVAL if it is bound, EADDRNOTAVAIL for an address that is not this host's, EADDRINUSE.
pub fn bind<T: Tracer>(w: &mut Walk<'_, T>, id: SocketId, local: Endpoint<IpAddr>) -> Result<()> {
    let s = get(w, id)?;
    let (kind, device, v6only) = (s.kind, s.device, s.v6only);
    if s.local.port != 0 || s.remote.is_some() {
        return Err(Errno::EINVAL);
    }
    let config = &w.ns.config;
    let own = local.addr.is_unspecified()
        || config.sysctl.ip_nonlocal_bind
        || matches!(addr_type(config, local.addr), RouteType::Local | RouteType::Broadcast | RouteType::Multicast);
    if !own {
        return Err(Errno::EADDRNOTAVAIL);
    }
    let port = match (kind, local.port) {
        (SocketKind::Icmp, _) => 0,
        (_, 0) => open_port(w, kind, local.addr, id).ok_or(Errno::EADDRINUSE)?,
        (_, port) if w.ns.sockets.conflict(kind, Endpoint::new(local.addr, port), v6only, device) => return Err(Errno::EADDRINUSE),
        (_, port) => port,
    };
    w.ns.sockets.bind(id, Endpoint::new(local.addr, port));
    Ok(())
}

/// `low` and how many ports there are, an even number (inet_sk_get_local_port_range).
fn port_range<T: Tracer>(w: &Walk<'_, T>) -> (u32, u32) {
    let (low, high) = w.ns.config.sysctl.ip_local_port_range;
    let n = (u32::from(high) + 1).saturating_sub(u32::from(low));
    (u32::from(low), if n > 1 { n & !1 } else { n })
}

/// All offsets below `n`: first those of the parity of `start`, then the others.
fn by_parity(start: u32, n: u32) -> impl Iterator<Item = u32> {
    let half = n.div_ceil(2);
    let pass = move |from: u32| (0..half).map(move |i| (from + 2 * i) % n.max(1));
    pass(start).chain(pass(start ^ 1))
}

/// A free port for bind(2) to port 0 (inet_csk_find_open_port, udp_lib_get_port). TCP begins with odd offsets, and leaves
/// the even ones to connect(2).
fn open_port<T: Tracer>(w: &mut Walk<'_, T>, kind: SocketKind, addr: IpAddr, id: SocketId) -> Option<u16> {
    let (device, v6only) = w.ns.sockets.get(id).map(|s| (s.device, s.v6only))?;
    let (low, n) = port_range(w);
    let start = w.rng.below(Draw::EphemeralPort, n);
    let mut ports = by_parity(start | u32::from(kind == SocketKind::Tcp), n).map(|o| (low + o) as u16);
    ports.find(|port| !w.ns.sockets.conflict(kind, Endpoint::new(addr, *port), v6only, device))
}

/// A port for connect(2) without bind(2): one whose connection to `remote` does not exist (__inet_hash_connect).
/// Ports of even offset come first.
fn connect_port<T: Tracer>(w: &mut Walk<'_, T>, addr: IpAddr, remote: Endpoint<IpAddr>) -> Option<u16> {
    let (low, n) = port_range(w);
    let start = w.rng.below(Draw::EphemeralPort, n) & !1;
    let mut ports = by_parity(start, n).map(|o| (low + o) as u16);
    ports.find(|port| {
        let local = Endpoint::new(addr, *port);
        let wildcard = Endpoint::new(any(addr), *port);
        let sockets = &w.ns.sockets;
        !sockets.conflict(SocketKind::Tcp, wildcard, false, IfIndex::NONE) && !sockets.is_connected(SocketKind::Tcp, local, remote)
    })
}

/// Waits for TCP connections; a socket without a port gets one.
///
/// # Errors
/// EOPNOTSUPP for other sockets, EINVAL for a connected one, EADDRINUSE.
pub fn listen<T: Tracer>(w: &mut Walk<'_, T>, id: SocketId) -> Result<()> {
    let s = get(w, id)?;
    if s.kind != SocketKind::Tcp {
        return Err(Errno::EOPNOTSUPP);
    }
    if s.tcp.as_deref().is_some_and(|t| t.is_listening()) {
        return Ok(());
    }
    if s.tcp.is_some() {
        return Err(Errno::EINVAL);
    }
    if s.local.port == 0 {
        bind(w, id, Endpoint::new(Ipv4Addr::UNSPECIFIED.into(), 0))?;
    }
    tcp::start_listening(w, id, BACKLOG);
    Ok(())
}

/// The next connection that came in at a listening socket.
pub fn accept<T: Tracer>(w: &mut Walk<'_, T>, id: SocketId) -> Option<SocketId> {
    tcp::accept(w, id)
}

/// Connects. For TCP the handshake begins: EINPROGRESS is the normal answer.
///
/// # Errors
/// Those of the route; EACCES for a broadcast address, EISCONN, EALREADY, EADDRNOTAVAIL.
pub fn connect<T: Tracer>(w: &mut Walk<'_, T>, id: SocketId, remote: Endpoint<IpAddr>) -> Result<()> {
    let s = get(w, id)?;
    let kind = s.kind;
    if let Some(t) = s.tcp.as_deref() {
        match t.state {
            crate::linux::socket::tcp::TcpState::Close => {}
            crate::linux::socket::tcp::TcpState::SynSent => return Err(Errno::EALREADY),
            _ => return Err(Errno::EISCONN),
        }
    }
    let to = or_loopback(remote.addr);
    let remote = Endpoint::new(to, if kind == SocketKind::Icmp { 0 } else { remote.port });
    let spec = tcp::spec_of(s, to);
    let (src, mtu) = path_for(w, &spec)?;
    match (addr_type(&w.ns.config, to), kind) {
        (RouteType::Broadcast, SocketKind::Tcp) | (RouteType::Multicast, SocketKind::Tcp) => return Err(Errno::ENETUNREACH),
        (RouteType::Broadcast, _) => return Err(Errno::EACCES),
        _ => {}
    }
    let old = get(w, id)?.local;
    let addr = if old.addr.is_unspecified() { src } else { old.addr };
    let port = match (kind, old.port) {
        (SocketKind::Icmp, _) => 0,
        (SocketKind::Tcp, 0) => connect_port(w, addr, remote).ok_or(Errno::EADDRNOTAVAIL)?,
        (SocketKind::Udp, 0) => open_port(w, kind, addr, id).ok_or(Errno::EAGAIN)?,
        (_, port) => port,
    };
    let local = Endpoint::new(addr, port);
    if kind == SocketKind::Tcp && w.ns.sockets.is_connected(kind, local, remote) {
        return Err(Errno::EADDRNOTAVAIL);
    }
    w.ns.sockets.bind(id, local);
    w.ns.sockets.connect(id, remote);
    if kind != SocketKind::Tcp {
        return Ok(());
    }
    tcp::connect(w, id, mtu);
    Err(Errno::EINPROGRESS)
}

/// An unspecified destination is this host.
fn or_loopback(addr: IpAddr) -> IpAddr {
    match addr {
        IpAddr::V4(a) if a.is_unspecified() => Ipv4Addr::LOCALHOST.into(),
        IpAddr::V6(a) if a.is_unspecified() => Ipv6Addr::LOCALHOST.into(),
        addr => addr,
    }
}

/// Sends on a connected socket.
///
/// # Errors
/// A pending error, ENOTCONN, EPIPE, EAGAIN; for datagrams those of [`send_to`].
pub fn send<T: Tracer>(w: &mut Walk<'_, T>, id: SocketId, data: &[u8]) -> Result<usize> {
    let s = get(w, id)?;
    if let Some(errno) = s.error.take() {
        return Err(errno);
    }
    match s.kind {
        SocketKind::Tcp => return tcp::call(w, id, |c| c.send(data)).unwrap_or(Err(Errno::EPIPE)),
        SocketKind::Tun => return super::tun::tun_write(w, id, data),
        SocketKind::Udp | SocketKind::Icmp => {}
    }
    let Some(to) = s.remote else { return Err(Errno::ENOTCONN) };
    datagram(w, id, to, data)
}

/// Sends a datagram, or an ICMP message, to an address; a UDP socket without a port gets one.
///
/// # Errors
/// A pending error; those of the route; EMSGSIZE, also put into the error queue; EPERM when OUTPUT dropped it.
pub fn send_to<T: Tracer>(w: &mut Walk<'_, T>, id: SocketId, to: Endpoint<IpAddr>, data: &[u8]) -> Result<usize> {
    let s = get(w, id)?;
    if let Some(errno) = s.error.take() {
        return Err(errno);
    }
    match s.kind {
        SocketKind::Tcp | SocketKind::Tun => return send(w, id, data),
        SocketKind::Udp if s.local.port == 0 => {
            let addr = if s.local.addr.is_unspecified() { any(to.addr) } else { s.local.addr };
            let port = open_port(w, SocketKind::Udp, addr, id).ok_or(Errno::EAGAIN)?;
            w.ns.sockets.bind(id, Endpoint::new(addr, port));
        }
        _ => {}
    }
    datagram(w, id, to, data)
}

fn datagram<T: Tracer>(w: &mut Walk<'_, T>, id: SocketId, to: Endpoint<IpAddr>, data: &[u8]) -> Result<usize> {
    let s = get(w, id)?;
    let spec = tcp::spec_of(s, to.addr);
    if addr_type(&w.ns.config, to.addr) == RouteType::Broadcast {
        return Err(Errno::EACCES);
    }
    let s = get(w, id)?;
    let body = match s.kind {
        _ if data.len() > UDP_MAX + if s.kind == SocketKind::Icmp { Udp::HEADER_LEN } else { 0 } => return Err(Errno::EMSGSIZE),
        SocketKind::Icmp => match (to.addr, path_for(w, &spec)) {
            (IpAddr::V4(_), _) => Body::Icmp(icmp_message(data)?),
            // the kernel fills the checksum in, which covers the addresses (rawv6_push_pending_frames)
            (IpAddr::V6(dst), Ok((IpAddr::V6(src), _))) => {
                let mut message = Icmpv6::decode(data, PseudoHeader::V6 { src, dst }).map_err(|_| Errno::EINVAL)?;
                message.checksum_error = 0;
                Body::Icmpv6(message)
            }
            (IpAddr::V6(_), r) => return Err(r.err().unwrap_or(Errno::EINVAL)),
        },
        _ => Body::Udp(Udp { src_port: s.local.port, dst_port: to.port, no_checksum: false, checksum_error: 0, payload: data.into() }),
    };
    match inet::send(w, &spec, body) {
        Ok(()) => Ok(data.len()),
        Err(errno) => {
            if errno == Errno::EMSGSIZE {
                too_long(w, id, &spec);
            }
            Err(errno)
        }
    }
}

/// An ICMP message as a raw socket is given it. A checksum of zero stands for the right one.
fn icmp_message(data: &[u8]) -> Result<Icmp> {
    let mut message = Icmp::decode(data).map_err(|_| Errno::EINVAL)?;
    if data.get(2..4) == Some(&[0, 0]) {
        message.checksum_error = 0;
    }
    Ok(message)
}

/// Tells the error queue that a packet was too long, and for which MTU (ip_local_error).
fn too_long<T: Tracer>(w: &mut Walk<'_, T>, id: SocketId, spec: &SendSpec<IpAddr>) {
    let Ok((_, mtu)) = path_for(w, spec) else { return };
    if let Some(s) = w.ns.sockets.get_mut(id).filter(|s| s.recverr) {
        s.error_queue.push_back(SockError { errno: Errno::EMSGSIZE, icmp: None, info: mtu, offender: None });
    }
}

/// Sends a whole IPv4 packet. The kernel fills in what is 0 of source address, and always the header checksum
/// (raw_send_hdrinc).
///
/// # Errors
/// EINVAL for what is no IPv4 packet; those of the route; EMSGSIZE; EPERM when OUTPUT dropped it.
pub fn send_raw<T: Tracer>(w: &mut Walk<'_, T>, bytes: &[u8]) -> Result<usize> {
    let mut packet = Ipv4Packet::decode(bytes).map_err(|_| Errno::EINVAL)?;
    packet.header.checksum_error = 0;
    let flow = w.flow;
    if packet.header.src.is_unspecified() {
        let spec = SendSpec {
            confirms: false,
            src: Ipv4Addr::UNSPECIFIED,
            dst: packet.header.dst,
            ttl: None,
            tos: 0,
            mark: 0,
            oif: IfIndex::NONE,
            pmtudisc: PmtuDisc::Dont,
            l4: (packet.body.protocol(), (0, 0)),
            socket: SocketId::NONE,
            flow,
        };
        packet.header.src = super::output::route_for(w, &spec)?.0;
    }
    ip_send_raw(w, packet, SocketId::NONE, flow)?;
    Ok(bytes.len())
}

/// Reads what a TCP connection has received: empty at the end of the stream.
///
/// # Errors
/// EAGAIN when there is nothing yet; the pending error; ENOTCONN.
pub fn recv<T: Tracer>(w: &mut Walk<'_, T>, id: SocketId) -> Result<Bytes> {
    let s = get(w, id)?;
    let unread = s.tcp.as_deref().is_some_and(|t| t.rcv.ready_len > 0);
    if let Some(errno) = s.error.take_if(|_| !unread) {
        return Err(errno);
    }
    tcp::call(w, id, |c| c.recv()).unwrap_or(Err(Errno::ENOTCONN))
}

/// Reads a datagram.
///
/// # Errors
/// The pending error, or EAGAIN when there is nothing.
pub fn recv_from<T: Tracer>(w: &mut Walk<'_, T>, id: SocketId) -> Result<Datagram> {
    let s = get(w, id)?;
    match s.error.take() {
        Some(errno) => Err(errno),
        None => s.queue.pop_front().ok_or(Errno::EAGAIN),
    }
}

/// MSG_ERRQUEUE: the next error reported to the socket. The pending error becomes that of the next one, if any.
pub fn recv_error<T: Tracer>(w: &mut Walk<'_, T>, id: SocketId) -> Option<SockError> {
    let s = w.ns.sockets.get_mut(id)?;
    let first = s.error_queue.pop_front()?;
    // sock_dequeue_err_skb
    match s.error_queue.front().filter(|e| e.icmp.is_some()) {
        Some(next) => s.error = Some(next.errno),
        None if first.icmp.is_some() => s.error = None,
        None => {}
    }
    Some(first)
}

/// SO_ERROR: takes the pending error.
pub fn take_error<T: Tracer>(w: &mut Walk<'_, T>, id: SocketId) -> Option<Errno> {
    w.ns.sockets.get_mut(id)?.error.take()
}

/// Whether the handshake of a TCP socket is over and the connection is not; whether a datagram socket has another end.
pub fn is_connected(ns: &Netns, id: SocketId) -> bool {
    ns.sockets.get(id).is_some_and(|s| match s.tcp.as_deref() {
        Some(t) => t.state.is_synchronized(),
        None => s.kind != SocketKind::Tcp && s.remote.is_some(),
    })
}

/// shutdown(SHUT_WR) for TCP: no more data from here.
pub fn shutdown<T: Tracer>(w: &mut Walk<'_, T>, id: SocketId) {
    tcp::call(w, id, |c| c.shutdown());
}

/// close(2).
pub fn close<T: Tracer>(w: &mut Walk<'_, T>, id: SocketId) {
    tcp::close(w, id);
}

/// Sets IP_TTL.
pub fn set_ttl<T: Tracer>(w: &mut Walk<'_, T>, id: SocketId, ttl: u8) {
    set(w, id, |s| s.ttl = Some(ttl));
}

/// Sets IP_MTU_DISCOVER.
pub fn set_pmtudisc<T: Tracer>(w: &mut Walk<'_, T>, id: SocketId, mode: PmtuDisc) {
    set(w, id, |s| s.pmtudisc = mode);
}
