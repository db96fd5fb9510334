//! Sockets of a namespace.
//!
//! Models: include/net/sock.h struct sock, net/ipv4/inet_hashtables.c and net/ipv6/inet6_hashtables.c (lookup in one table for both
//! families), net/ipv4/udp.c, net/ipv4/raw.c, net/ipv4/inet_connection_sock.c inet_rcv_saddr_equal.
//! Simplifies: the family of a socket follows from the first address that its program names; an IPv4 address is never told in its
//! mapped form (::ffff:0:0/96).

pub mod tcp;

use super::errno::Errno;
use super::hot::HotMap;
use super::id::{FlowId, IfIndex, PacketId, SocketId};
use crate::packet::{Bytes, Endpoint, Family, IpAddr, Ipv4Addr};
use std::collections::VecDeque;
use tcp::Tcb;

/// What a socket speaks.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum SocketKind {
    /// SOCK_STREAM.
    Tcp,
    /// SOCK_DGRAM.
    Udp,
    /// SOCK_RAW of IPPROTO_ICMP: it hears every ICMP message for this host.
    Icmp,
    /// No socket: the file of a tun device that a program has open.
    Tun,
}

impl SocketKind {
    /// The protocol that it speaks.
    pub fn protocol(self) -> crate::packet::Protocol {
        match self {
            SocketKind::Tcp => crate::packet::Protocol::TCP,
            SocketKind::Udp => crate::packet::Protocol::UDP,
            SocketKind::Icmp => crate::packet::Protocol::ICMP,
            // no protocol: whole packets
            SocketKind::Tun => crate::packet::Protocol(0),
        }
    }
}

/// IP_MTU_DISCOVER: whether packets may be cut.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub enum PmtuDisc {
    /// IP_PMTUDISC_DONT: no DF; the sender cuts what is too large.
    Dont,
    /// IP_PMTUDISC_WANT: DF as long as the packet fits; the sender cuts at the path's MTU.
    #[default]
    Want,
    /// IP_PMTUDISC_DO: DF always; too large is EMSGSIZE.
    Do,
    /// IP_PMTUDISC_PROBE: DF always; the path's MTU is not heeded.
    Probe,
}

/// An entry of a socket's error queue (IP_RECVERR).
///
/// Models: include/uapi/linux/errqueue.h struct sock_extended_err.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SockError {
    /// `ee_errno`.
    pub errno: Errno,
    /// `ee_origin` is ICMP: type and code; none for a local error.
    pub icmp: Option<(u8, u8)>,
    /// `ee_info`: the MTU with EMSGSIZE.
    pub info: u32,
    /// Who said so (SO_EE_OFFENDER).
    pub offender: Option<IpAddr>,
}

/// A datagram or an ICMP message waiting to be read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Datagram {
    /// Who sent it.
    pub from: Endpoint<IpAddr>,
    /// To which address of this host.
    pub to: Endpoint<IpAddr>,
    /// TTL on arrival.
    pub ttl: u8,
    /// The data; for ICMP the whole ICMP message as bytes.
    pub data: Bytes,
    /// The packet that brought it.
    pub packet: PacketId,
    /// The flow of that packet.
    pub flow: FlowId,
}

/// A socket.
#[derive(Clone, Debug)]
pub struct Socket {
    /// Its number.
    pub id: SocketId,
    /// What it speaks.
    pub kind: SocketKind,
    /// AF_INET or AF_INET6.
    pub family: Family,
    /// IPV6_V6ONLY: bound to `::`, it does not hear IPv4.
    pub v6only: bool,
    /// Local end; address unspecified for any, port 0 while unbound.
    pub local: Endpoint<IpAddr>,
    /// Other end, once connected.
    pub remote: Option<Endpoint<IpAddr>>,
    /// SO_BINDTODEVICE.
    pub device: IfIndex,
    /// IP_TTL; none for the namespace's default.
    pub ttl: Option<u8>,
    /// IP_TOS.
    pub tos: u8,
    /// SO_MARK.
    pub mark: u32,
    /// IP_MTU_DISCOVER.
    pub pmtudisc: PmtuDisc,
    /// IP_RECVERR.
    pub recverr: bool,
    /// The flow that its packets belong to.
    pub flow: FlowId,
    /// The program that it belongs to, by the engine's number; woken when something happens.
    pub app: u32,
    /// SO_ERROR: the pending error.
    pub error: Option<Errno>,
    /// MSG_ERRQUEUE.
    pub error_queue: VecDeque<SockError>,
    /// Datagrams to be read.
    pub queue: VecDeque<Datagram>,
    /// The connection, or the listener, of a TCP socket.
    pub tcp: Option<Box<Tcb>>,
}

/// What listens where, and what is connected to whom.
#[derive(Clone, Debug, Default)]
pub struct Sockets {
    all: HotMap<SocketId, Socket>,
    last: u32,
    /// Bound ports: every socket that has a local port, in order of binding.
    bound: HotMap<(SocketKind, u16), Vec<SocketId>>,
    /// Connected sockets (`ehash`).
    connected: HotMap<(SocketKind, Endpoint<IpAddr>, Endpoint<IpAddr>), SocketId>,
    /// ICMP sockets.
    icmp: Vec<SocketId>,
    /// Tun devices that a program has open.
    tuns: Vec<(IfIndex, SocketId)>,
    /// UDP ports whose sockets tunnel devices own (encap_rcv), once for each device that is up.
    encap: Vec<u16>,
}

impl Sockets {
    /// A new socket, unbound.
    pub fn open(&mut self, kind: SocketKind, app: u32, flow: FlowId) -> SocketId {
        self.last += 1;
        let id = SocketId(self.last);
        let any = Endpoint::new(IpAddr::V4(Ipv4Addr::UNSPECIFIED), 0);
        self.all.insert(
            id,
            Socket {
                id,
                kind,
                family: Family::Inet,
                v6only: false,
                local: any,
                remote: None,
                device: IfIndex::NONE,
                ttl: None,
                tos: 0,
                mark: 0,
                pmtudisc: PmtuDisc::default(),
                recverr: false,
                flow,
                app,
                error: None,
                error_queue: VecDeque::new(),
                queue: VecDeque::new(),
                tcp: None,
            },
        );
        if kind == SocketKind::Icmp {
            self.icmp.push(id);
        }
        id
    }

    /// The socket `id`.
    #[inline]
    pub fn get(&self, id: SocketId) -> Option<&Socket> {
        self.all.get(&id)
    }

    /// The socket `id`, to be changed. Local and remote ends change through [`Sockets::bind`] and [`Sockets::connect`] alone.
    #[inline]
    pub fn get_mut(&mut self, id: SocketId) -> Option<&mut Socket> {
        self.all.get_mut(&id)
    }

    /// All sockets, by number.
    pub fn sorted(&self) -> Vec<&Socket> {
        self.all.sorted().into_iter().map(|(_, s)| s).collect()
    }

    /// Whether another socket stands in the way of `local`.
    ///
    /// Models: inet_csk_get_port, udp_lib_get_port: two sockets conflict on one port when their addresses are equal
    /// or one of them is the wildcard; a TCP connection that is not listening does not stand in the way (SO_REUSEADDR).
    pub fn conflict(&self, kind: SocketKind, local: Endpoint<IpAddr>, v6only: bool, device: IfIndex) -> bool {
        if kind == SocketKind::Udp && self.is_encap(local.port) {
            return true;
        }
        let Some(ids) = self.bound.get(&(kind, local.port)) else { return false };
        ids.iter().filter_map(|id| self.all.get(id)).any(|s| {
            let same_addr = hears(s.local.addr, s.v6only, local.addr) || hears(local.addr, v6only, s.local.addr);
            let same_dev = !s.device.is_some() || !device.is_some() || s.device == device;
            let in_the_way = kind != SocketKind::Tcp || s.tcp.as_ref().is_none_or(|t| t.is_listening());
            same_addr && same_dev && in_the_way
        })
    }

    /// The file by which a program has a tun device open.
    #[inline]
    pub fn tun_of(&self, dev: IfIndex) -> Option<SocketId> {
        self.tuns.iter().find(|(d, _)| *d == dev).map(|(_, id)| *id)
    }

    /// A program has opened a tun device.
    pub fn attach_tun(&mut self, dev: IfIndex, id: SocketId) {
        self.tuns.push((dev, id));
        if let Some(s) = self.get_mut(id) {
            s.device = dev;
        }
    }

    /// A tun device is gone.
    pub fn detach_tun(&mut self, dev: IfIndex) {
        self.tuns.retain(|(d, _)| *d != dev);
    }

    /// Whether a socket is bound to the port.
    pub fn is_bound(&self, kind: SocketKind, port: u16) -> bool {
        self.bound.get(&(kind, port)).is_some_and(|ids| !ids.is_empty())
    }

    /// Whether the socket of a UDP port is a tunnel device's.
    #[inline]
    pub fn is_encap(&self, port: u16) -> bool {
        self.encap.contains(&port)
    }

    /// The UDP ports whose sockets are tunnel devices', each once, in order.
    pub fn encap_ports(&self) -> Vec<u16> {
        let mut ports = self.encap.clone();
        ports.sort_unstable();
        ports.dedup();
        ports
    }

    /// A tunnel device opens its UDP port, or leaves it; several may share one.
    pub fn set_encap(&mut self, port: u16, open: bool) {
        if open {
            self.encap.push(port);
        } else if let Some(at) = self.encap.iter().position(|p| *p == port) {
            self.encap.remove(at);
        }
    }

    /// Whether a connection of these two ends exists.
    pub fn is_connected(&self, kind: SocketKind, local: Endpoint<IpAddr>, remote: Endpoint<IpAddr>) -> bool {
        self.connected.contains(&(kind, local, remote))
    }

    /// Gives the socket its local end. The caller has looked for conflicts.
    pub fn bind(&mut self, id: SocketId, local: Endpoint<IpAddr>) {
        let Some(s) = self.all.get_mut(&id) else { return };
        let (kind, old) = (s.kind, s.local);
        s.local = local;
        s.family = family_of(local.addr);
        if old.port != 0 && old.port != local.port {
            self.unlink(kind, old.port, id);
        }
        if local.port != 0 && old.port != local.port {
            match self.bound.get_mut(&(kind, local.port)) {
                Some(v) => v.push(id),
                None => {
                    self.bound.insert((kind, local.port), vec![id]);
                }
            }
        }
    }

    /// Gives the socket its other end. It must be bound.
    pub fn connect(&mut self, id: SocketId, remote: Endpoint<IpAddr>) {
        let Some(s) = self.all.get_mut(&id) else { return };
        let (kind, local, old) = (s.kind, s.local, s.remote);
        s.remote = Some(remote);
        s.family = family_of(remote.addr);
        if let Some(old) = old {
            self.connected.remove(&(kind, local, old));
        }
        if kind != SocketKind::Icmp {
            self.connected.insert((kind, local, remote), id);
        }
    }

    /// Gives a connection that came in both of its ends. It shares the listener's port and does not stand in its way.
    pub fn establish(&mut self, id: SocketId, local: Endpoint<IpAddr>, remote: Endpoint<IpAddr>) {
        if let Some(s) = self.all.get_mut(&id) {
            s.local = local;
            self.connect(id, remote);
        }
    }

    /// Frees the ends of a connection that is over, while its program still holds the socket (inet_unhash).
    pub fn unhash(&mut self, id: SocketId) {
        let Some(s) = self.all.get(&id) else { return };
        let (kind, local, remote) = (s.kind, s.local, s.remote);
        self.unlink(kind, local.port, id);
        if let Some(key) = remote.map(|r| (kind, local, r)).filter(|k| self.connected.get(k) == Some(&id)) {
            self.connected.remove(&key);
        }
    }

    fn unlink(&mut self, kind: SocketKind, port: u16, id: SocketId) {
        if let Some(v) = self.bound.get_mut(&(kind, port)) {
            v.retain(|x| *x != id);
            if v.is_empty() {
                self.bound.remove(&(kind, port));
            }
        }
    }

    /// Takes the socket away.
    pub fn close(&mut self, id: SocketId) -> Option<Socket> {
        self.unhash(id);
        self.icmp.retain(|x| *x != id);
        self.all.remove(&id)
    }

    /// The socket that a packet from `remote` to `local` is for: a connected one, else the best bound one
    /// (its own address before the wildcard).
    #[inline]
    pub fn lookup(
        &self,
        kind: SocketKind,
        local: impl Into<Endpoint<IpAddr>>,
        remote: impl Into<Endpoint<IpAddr>>,
        dev: IfIndex,
    ) -> Option<SocketId> {
        let (local, remote) = (local.into(), remote.into());
        if let Some(id) = self.connected.get(&(kind, local, remote)) {
            return Some(*id);
        }
        let ids = self.bound.get(&(kind, local.port))?;
        let mut best: Option<(u8, SocketId)> = None;
        for s in ids.iter().filter_map(|id| self.all.get(id)) {
            if s.device.is_some() && s.device != dev {
                continue;
            }
            if s.remote.is_some_and(|r| r != remote) || (kind == SocketKind::Tcp && !s.tcp.as_ref().is_some_and(|t| t.is_listening())) {
                continue;
            }
            if !hears(s.local.addr, s.v6only, local.addr) {
                continue;
            }
            let score = 1 + u8::from(s.local.addr == local.addr) + u8::from(s.device.is_some()) * 2;
            if best.is_none_or(|(b, _)| score > b) {
                best = Some((score, s.id));
            }
        }
        best.map(|(_, id)| id)
    }

    /// The ICMP sockets, in order of opening.
    pub fn icmp(&self) -> &[SocketId] {
        &self.icmp
    }
}

/// The address that stands for any one of a family.
pub fn wildcard(family: Family) -> IpAddr {
    match family {
        Family::Inet => Ipv4Addr::UNSPECIFIED.into(),
        Family::Inet6 => crate::packet::Ipv6Addr::UNSPECIFIED.into(),
    }
}

/// The family of an address.
pub fn family_of(addr: IpAddr) -> Family {
    if addr.is_ipv6() { Family::Inet6 } else { Family::Inet }
}

/// Whether a socket bound to `bound` hears packets to `addr`: `::` hears IPv4 too, unless it is IPV6_V6ONLY.
#[inline]
fn hears(bound: IpAddr, v6only: bool, addr: IpAddr) -> bool {
    bound == addr
        || match bound {
            IpAddr::V4(b) => b.is_unspecified() && addr.is_ipv4(),
            IpAddr::V6(b) => b.is_unspecified() && (addr.is_ipv6() || !v6only),
        }
}
