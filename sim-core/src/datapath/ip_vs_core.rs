//! IPVS at the hooks: requests to virtual services, replies of real servers, ICMP errors about either.
//!
//! Models: net/netfilter/ipvs/ip_vs_core.c ip_vs_in_hook, ip_vs_out_hook, ip_vs_forward_icmp, ip_vs_in_icmp, ip_vs_out_icmp,
//! ip_vs_schedule, ip_vs_sched_persist, ip_vs_leave, handle_response, handle_response_icmp, is_new_conn_expected;
//! ip_vs_proto_tcp.c tcp_conn_schedule, ip_vs_proto_udp.c udp_conn_schedule, ip_vs_proto_sctp.c sctp_conn_schedule.
//! Simplifies: IPv4 only; ICMP errors make no connections (schedule_icmp); nothing is dropped for lack of memory.
//! Seen in: 51-ipvs-clusterip-same-node.
//!
//! ```text
//!   INPUT   ── reply? 98 ── request? 99 ──┐                     FORWARD ── ICMP about a request? 99 ── reply? 100
//!   OUTPUT  ── reply? -99 ── request? -98 ┴─► ip_vs_xmit ─► OUTPUT ─► POSTROUTING
//! ```

use super::hook::{HookState, NfVerdict};
use super::icmp::Error;
use super::route::{Dst, LOOPBACK};
use super::walk::{Timer, Walk};
use crate::linux::fib::RouteType;
use crate::linux::ipvs::proto::tcp;
use crate::linux::ipvs::sched::{Call, Packet, Pool};
use crate::linux::ipvs::service::SCTP;
use crate::linux::ipvs::{Conn, ConnId, ConnKey, Direction, Forward, NewConn, Segment, Service, VsKey};
use crate::linux::netfilter::Hook;
use crate::linux::rng::Draw;
use crate::linux::skb::{PktType, Skb};
use crate::linux::{IfIndex, RowId};
use crate::packet::{Body, Icmp, Ipv4Addr, Ipv4Packet, L4, Protocol, TcpFlags, Tuple};
use crate::trace::{Evidence, StateDelta, Tracer};
use std::net::IpAddr;
use std::sync::Arc;

/// FTP's port: templates of its service are for every port.
const FTP: u16 = 21;
/// Connections from FTP's data port are made by the server.
const FTP_DATA: u16 = 20;

/// What is looked at in a packet.
#[derive(Clone, Copy)]
pub(super) struct Seen {
    pub(super) protocol: Protocol,
    pub(super) src: Ipv4Addr,
    pub(super) dst: Ipv4Addr,
    pub(super) sport: u16,
    pub(super) dport: u16,
    pub(super) segment: Segment,
    pub(super) len: u64,
}

impl Seen {
    fn of(p: &Ipv4Packet) -> Option<Seen> {
        let t = Tuple::<Ipv4Addr>::of(p)?;
        let L4::Ports { src: sport, dst: dport } = t.l4 else { return None };
        let segment = match (&p.body, t.protocol) {
            (Body::Tcp(t), _) => Segment::Tcp {
                syn: t.flags.has(TcpFlags::SYN),
                fin: t.flags.has(TcpFlags::FIN),
                rst: t.flags.has(TcpFlags::RST),
                ack: t.flags.has(TcpFlags::ACK),
            },
            (Body::Other { bytes, .. }, Protocol::TCP) => {
                let flags = TcpFlags(*bytes.get(13)?);
                Segment::Tcp {
                    syn: flags.has(TcpFlags::SYN),
                    fin: flags.has(TcpFlags::FIN),
                    rst: flags.has(TcpFlags::RST),
                    ack: flags.has(TcpFlags::ACK),
                }
            }
            (_, Protocol::UDP) => Segment::Udp,
            (Body::Other { bytes, .. }, SCTP) => Segment::Sctp(sctp_chunk(bytes)),
            _ => return None,
        };
        Some(Seen { protocol: t.protocol, src: t.src, dst: t.dst, sport, dport, segment, len: p.len() as u64 })
    }

    /// Client and virtual address, if this is a request.
    fn request(&self) -> ConnKey {
        ConnKey { protocol: self.protocol, client: self.src.into(), cport: self.sport, server: self.dst.into(), port: self.dport }
    }

    /// Client and server, if this is a reply.
    fn reply(&self) -> ConnKey {
        ConnKey { protocol: self.protocol, client: self.dst.into(), cport: self.dport, server: self.src.into(), port: self.sport }
    }
}

/// The type of the chunk that counts: the first, or an ABORT behind a cookie.
fn sctp_chunk(bytes: &[u8]) -> Option<u8> {
    let first = *bytes.get(12)?;
    if matches!(first, 10 | 11) {
        let len = usize::from(u16::from_be_bytes([*bytes.get(14)?, *bytes.get(15)?]));
        if len >= 4 && bytes.get(12 + len.next_multiple_of(4)) == Some(&6) {
            return Some(6);
        }
    }
    Some(first)
}

/// What became of a packet that has no connection yet.
enum Scheduled {
    /// A connection was made.
    Conn(ConnId),
    /// It is not for IPVS.
    Passes,
    /// It is for IPVS, and ends here with that verdict.
    Ends(NfVerdict),
}

impl<T: Tracer> Walk<'_, T> {
    /// Tells what a connection is now.
    pub(super) fn ip_vs_delta(&mut self, id: ConnId) {
        if T::ON {
            let conn = self.ns.ipvs.conns.get(id).cloned().map(Box::new);
            self.trace.delta(self.ns.id, StateDelta::Ipvs { id, conn });
        }
    }

    /// Ends the connections whose time is over (ip_vs_conn_expire), and asks for a timer for the next one.
    pub fn ip_vs_expire(&mut self) {
        let now = self.now;
        for conn in self.ns.ipvs.expire(now) {
            if conn.nfct {
                self.ip_vs_conn_drop_conntrack(&conn);
            }
            if T::ON && !conn.one_packet {
                self.trace.delta(self.ns.id, StateDelta::Ipvs { id: conn.id, conn: None });
            }
        }
        if self.ns.ipvs.armed.is_some_and(|at| at <= now) {
            self.ns.ipvs.armed = None;
        }
        self.ip_vs_arm();
    }

    /// Asks for a timer if no earlier one will fire.
    fn ip_vs_arm(&mut self) {
        let ipvs = &mut self.ns.ipvs;
        if let Some(next) = ipvs.conns.next_end()
            && ipvs.armed.is_none_or(|at| next < at)
        {
            ipvs.armed = Some(next);
            self.arm(next, Timer::Ipvs);
        }
    }

    /// The connection's timer starts anew; an entry for a single packet ends at once (ip_vs_conn_put).
    fn ip_vs_conn_put(&mut self, id: ConnId) {
        self.ns.ipvs.conns.put(id, self.now);
        if self.ns.ipvs.conns.get(id).is_some_and(|c| c.one_packet) {
            self.ip_vs_expire();
        } else {
            self.ip_vs_delta(id);
            self.ip_vs_arm();
        }
    }

    /// A packet that may be for a virtual service (ip_vs_in_hook). `dst` is its route in OUTPUT.
    pub(super) fn ip_vs_in(&mut self, skb: &mut Box<Skb>, state: &HookState, dst: Option<&Dst>) -> NfVerdict {
        if skb.ipvs || (state.hook != Hook::Output && skb.pkt_type != PktType::Host) {
            return NfVerdict::Accept;
        }
        self.ip_vs_expire();
        let Some(ip) = skb.frame.ipv4() else { return NfVerdict::Accept };
        if let Body::Icmp(m) = &ip.body {
            return if m.is_error() { self.ip_vs_in_icmp(skb, state, dst) } else { NfVerdict::Accept };
        }
        let Some(seen) = Seen::of(ip) else {
            let carried = !matches!(ip.body.protocol(), Protocol::TCP | Protocol::UDP | SCTP);
            skb.ipvs |= carried && self.ns.config.sysctl.ipvs.ignore_tunneled;
            return NfVerdict::Accept;
        };
        let mut conn = self.ns.ipvs.conns.find_in(&seen.request());
        if let Some(id) = conn
            && seen.segment.opens()
        {
            match self.ip_vs_reschedule(skb, id) {
                Some(verdict) => return verdict,
                None if self.ns.ipvs.conns.find_in(&seen.request()) != Some(id) => conn = None,
                None => {}
            }
        }
        if let Some(c) = conn.and_then(|id| self.ns.ipvs.conns.get(id))
            && self.ns.ipvs.dests.get(&c.dest).is_some_and(|d| !d.available)
        {
            // the real server is gone
            if !self.ns.config.sysctl.ipvs.expire_nodest_conn {
                return NfVerdict::Drop;
            }
            let (id, old) = (c.id, self.uses_old_conntrack(skb));
            self.ip_vs_give_up(id, old);
            if old {
                return NfVerdict::Drop;
            }
            conn = None;
        }
        let created = conn.is_none();
        let id = match conn {
            Some(id) => id,
            None => match self.ip_vs_try_to_schedule(skb, state, &seen) {
                Scheduled::Conn(id) => id,
                Scheduled::Passes => return NfVerdict::Accept,
                Scheduled::Ends(verdict) => return verdict,
            },
        };
        let now = self.now;
        self.ns.ipvs.count(id, Direction::In, seen.len, now);
        let timeouts = self.ns.config.ipvs.timeouts;
        let states = self.ns.ipvs.set_state(id, Direction::In, seen.segment, &timeouts);
        if let Some(c) = self.ns.ipvs.conns.get_mut(id).filter(|c| !c.one_packet) {
            c.in_pkts = c.in_pkts.saturating_add(1);
        }
        let Some(c) = self.ns.ipvs.conns.get(id).cloned() else { return NfVerdict::Accept };
        self.ip_vs_conn_step(skb, state, &c, created, Direction::In, states);
        self.ip_vs_conn_put(id);
        self.ip_vs_xmit(skb, state, dst, &c, false)
    }

    fn ip_vs_conn_step(&mut self, skb: &Skb, state: &HookState, c: &Conn, created: bool, dir: Direction, states: Option<(u8, u8)>) {
        let (from, to) = states.unwrap_or((c.state, c.state));
        let evidence = Evidence::IpvsConn { id: c.id, dest: c.dest, created, reply: dir == Direction::Out, from, to };
        self.step(skb, super::conntrack::hook_dev(state), evidence);
    }

    /// Whether conntrack holds the packet to an entry that leads to the old real server (ip_vs_conn_uses_old_conntrack).
    fn uses_old_conntrack(&self, skb: &Skb) -> bool {
        skb.ct.and_then(|ct| self.ns.conntrack.get(ct.id)).is_some_and(|e| e.is_confirmed())
    }

    /// The connection ends now; conntrack's entry stays if it was made for the packet at hand.
    fn ip_vs_give_up(&mut self, id: ConnId, old_conntrack: bool) {
        if let Some(c) = self.ns.ipvs.conns.get_mut(id) {
            c.nfct &= old_conntrack;
        }
        self.ns.ipvs.conns.expire_now(id, self.now);
        self.ip_vs_expire();
    }

    /// A packet opens a connection that there is already: it may have to make way. Returns a verdict if the packet ends here.
    fn ip_vs_reschedule(&mut self, skb: &Skb, id: ConnId) -> Option<NfVerdict> {
        let vs = &self.ns.config.sysctl.ipvs;
        let c = self.ns.ipvs.conns.get(id)?;
        let quiescent = self.ns.ipvs.dests.get(&c.dest).is_some_and(|d| d.spec.weight == 0);
        let expected = c.control.is_none()
            && match c.key.protocol {
                Protocol::TCP => {
                    matches!(c.state, tcp::TIME_WAIT | tcp::CLOSE)
                        || (vs.conn_reuse_mode & 2 != 0 && c.state == tcp::FIN_WAIT && c.no_output)
                }
                SCTP => c.state == 13,
                _ => false,
            };
        if !(vs.expire_nodest_conn && quiescent || vs.conn_reuse_mode != 0 && expected) {
            return None;
        }
        let old = self.uses_old_conntrack(skb);
        self.ip_vs_give_up(id, old);
        old.then_some(NfVerdict::Drop)
    }

    fn ip_vs_try_to_schedule(&mut self, skb: &Skb, state: &HookState, seen: &Seen) -> Scheduled {
        let vs = &self.ns.config.sysctl.ipvs;
        if !seen.segment.schedules(vs.sloppy_tcp, vs.sloppy_sctp) {
            return Scheduled::Passes;
        }
        let service = self.ns.config.ipvs.find(skb.mark, seen.protocol, seen.dst.into(), seen.dport).cloned();
        let Some(service) = service else { return Scheduled::Passes };
        // active FTP is opened by the server, and a local real server's replies are none of a new connection
        let local = !skb.iif.is_some() || skb.iif == LOOPBACK;
        if seen.sport == FTP_DATA || (local && self.ns.ipvs.conns.find_in(&seen.reply()).is_some()) {
            return Scheduled::Passes;
        }
        if service.spec.flags.persistent {
            return self.ip_vs_sched_persist(skb, state, &service, seen);
        }
        let port = service.key.port();
        if matches!(service.key, VsKey::Addr(..)) && seen.dport != port {
            return self.ip_vs_leave(skb, state, &service, seen);
        }
        let Some(dest) = self.ip_vs_choose(skb, state, &service, seen) else {
            return self.ip_vs_leave(skb, state, &service, seen);
        };
        let Some((addr, dest_port)) = end_of(&service, dest) else { return Scheduled::Ends(NfVerdict::Drop) };
        let to = if dest_port != 0 { dest_port } else { seen.dport };
        Scheduled::Conn(self.ip_vs_conn_new(&service, seen, (addr, to), dest))
    }

    /// Asks the service's scheduler, and tells what it said.
    fn ip_vs_choose(&mut self, skb: &Skb, state: &HookState, service: &Service, seen: &Seen) -> Option<RowId> {
        let vs = self.ns.config.sysctl.ipvs.clone();
        let scheduler = service.spec.scheduler;
        let expiration = if scheduler.name() == "lblc" { vs.lblc_expiration } else { vs.lblcr_expiration };
        let ipvs = &mut *self.ns.ipvs;
        let rng = &mut *self.rng;
        let data = &mut ipvs.services.get_mut(&service.row)?.data;
        let mut call = Call {
            pool: Pool { list: &service.dests, dests: &ipvs.dests },
            data,
            flags: service.spec.flags,
            packet: Packet { src: seen.src.into(), sport: seen.sport, dst: seen.dst.into(), dport: seen.dport },
            now: self.now,
            expiration,
            draw: &mut |n| rng.below(Draw::Ipvs, n),
        };
        let chosen = scheduler.schedule(&mut call);
        if T::ON {
            let usable = Pool { list: &service.dests, dests: &ipvs.dests }.usable().count();
            let of = chosen.and_then(|d| ipvs.dests.get(&d));
            let evidence = Evidence::IpvsSchedule {
                service: service.row,
                dest: chosen.unwrap_or(RowId::NONE),
                weight: of.map_or(0, |d| d.spec.weight),
                active: of.map_or(0, |d| d.active),
                inactive: of.map_or(0, |d| d.inactive),
                usable: usable.min(usize::from(u16::MAX)) as u16,
            };
            self.step(skb, super::conntrack::hook_dev(state), evidence);
        }
        chosen
    }

    fn ip_vs_conn_new(&mut self, service: &Service, seen: &Seen, to: (IpAddr, u16), dest: RowId) -> ConnId {
        let forward = self.ns.ipvs.dests.get(&dest).map_or(Forward::Masq, |d| d.spec.forward);
        let new = NewConn {
            key: seen.request(),
            daddr: to.0,
            dport: to.1,
            forward,
            dest,
            template: false,
            one_packet: service.spec.flags.one_packet && seen.protocol == Protocol::UDP,
            nfct: self.ns.config.sysctl.ipvs.conntrack,
        };
        let now = self.now;
        let id = self.ns.ipvs.conn_new(&new, now);
        self.ns.ipvs.count_conn(dest, now);
        id
    }

    /// A client keeps its real server: by its template, or a new one (ip_vs_sched_persist).
    fn ip_vs_sched_persist(&mut self, skb: &Skb, state: &HookState, service: &Arc<Service>, seen: &Seen) -> Scheduled {
        let own_port = seen.dport == service.key.port();
        let (protocol, server, port) = match service.key {
            _ if own_port => (seen.protocol, IpAddr::from(seen.dst), if seen.dport == FTP { 0 } else { seen.dport }),
            VsKey::Fwmark(_, mark) => (Protocol(0), IpAddr::V4(mark.into()), 0),
            VsKey::Addr(..) => (seen.protocol, seen.dst.into(), 0),
        };
        let key = ConnKey { protocol, client: service.spec.masked(seen.src.into()), cport: 0, server, port };
        let quiescent = self.ns.config.sysctl.ipvs.expire_quiescent_template;
        let found = self.ns.ipvs.template(&key, quiescent);
        let (template, dest) = match found.and_then(|id| self.ns.ipvs.conns.get(id)).map(|t| (t.id, t.dest)) {
            Some(known) => known,
            None => {
                let Some(dest) = self.ip_vs_choose(skb, state, service, seen) else {
                    return self.ip_vs_leave(skb, state, service, seen);
                };
                let Some((daddr, dest_port)) = end_of(service, dest) else { return Scheduled::Ends(NfVerdict::Drop) };
                let new = NewConn {
                    key,
                    daddr,
                    dport: if own_port && seen.dport != FTP { dest_port } else { 0 },
                    forward: self.ns.ipvs.dests.get(&dest).map_or(Forward::Masq, |d| d.spec.forward),
                    dest,
                    template: true,
                    one_packet: false,
                    nfct: self.ns.config.sysctl.ipvs.conntrack,
                };
                let now = self.now;
                let id = self.ns.ipvs.conn_new(&new, now);
                if let Some(t) = self.ns.ipvs.conns.get_mut(id) {
                    t.timeout = service.spec.timeout;
                }
                (id, dest)
            }
        };
        // a real server that was deleted and is back under another service keeps its address
        let Some((addr, dest_port)) = end_of(service, dest).or_else(|| self.ns.ipvs.conns.get(template).map(|t| (t.daddr, t.dport))) else {
            return Scheduled::Ends(NfVerdict::Drop);
        };
        let to = if own_port && dest_port != 0 { dest_port } else { seen.dport };
        let id = self.ip_vs_conn_new(service, seen, (addr, to), dest);
        self.ns.ipvs.control(id, template);
        self.ip_vs_conn_put(template);
        Scheduled::Conn(id)
    }

    /// Nobody takes the connection: the client is told, or the packet goes on to where it was sent to (ip_vs_leave).
    fn ip_vs_leave(&mut self, skb: &Skb, state: &HookState, service: &Service, seen: &Seen) -> Scheduled {
        let config = &self.ns.config;
        let marked = matches!(service.key, VsKey::Fwmark(..));
        if config.sysctl.ipvs.cache_bypass && marked && config.fib.addr_type(seen.dst) == RouteType::Unicast {
            return Scheduled::Conn(self.ip_vs_bypass(service, seen));
        }
        if service.key.port() == FTP && seen.dport != FTP {
            return Scheduled::Passes;
        }
        if state.hook != Hook::Output {
            self.cause = skb.id;
            self.flow = skb.flow;
        }
        self.icmp_send(skb, Error::Unreachable { code: 3, mtu: 0 });
        Scheduled::Ends(NfVerdict::Drop)
    }

    fn ip_vs_bypass(&mut self, service: &Service, seen: &Seen) -> ConnId {
        let new = NewConn {
            key: seen.request(),
            daddr: IpAddr::V4(Ipv4Addr::UNSPECIFIED),
            dport: 0,
            forward: Forward::Route,
            dest: RowId::NONE,
            template: false,
            one_packet: service.spec.flags.one_packet && seen.protocol == Protocol::UDP,
            nfct: self.ns.config.sysctl.ipvs.conntrack,
        };
        self.ns.ipvs.conn_new(&new, self.now)
    }

    /// A packet that may be a reply of a real server (ip_vs_out_hook). In FORWARD `dst` is its route.
    pub(super) fn ip_vs_out(&mut self, skb: &mut Box<Skb>, state: &HookState, dst: Option<&mut Dst>) -> NfVerdict {
        if skb.ipvs {
            return NfVerdict::Accept;
        }
        self.ip_vs_expire();
        if skb.frame.ipv4().is_some_and(Ipv4Packet::is_fragment) {
            let verdict = self.nf_defrag(skb, state);
            if verdict != NfVerdict::Accept {
                return verdict;
            }
        }
        let Some(ip) = skb.frame.ipv4() else { return NfVerdict::Accept };
        if let Body::Icmp(m) = &ip.body {
            return if m.is_error() { self.ip_vs_out_icmp(skb, state, dst) } else { NfVerdict::Accept };
        }
        let Some(seen) = Seen::of(ip) else { return NfVerdict::Accept };
        let Some(id) = self.ns.ipvs.conns.find_out(&seen.reply()) else {
            let reset = match seen.segment {
                Segment::Tcp { rst, .. } => rst,
                Segment::Udp => false,
                Segment::Sctp(chunk) => chunk == Some(6),
            };
            let config = &self.ns.config;
            let tells = config.sysctl.ipvs.nat_icmp_send && !reset;
            if tells && config.ipvs.has_real_service(seen.protocol, seen.src.into(), seen.sport) {
                self.cause = skb.id;
                self.flow = skb.flow;
                self.icmp_send(skb, Error::Unreachable { code: 3, mtu: 0 });
                return NfVerdict::Drop;
            }
            return NfVerdict::Accept;
        };
        let now = self.now;
        let timeouts = self.ns.config.ipvs.timeouts;
        let states = self.ns.ipvs.set_state(id, Direction::Out, seen.segment, &timeouts);
        self.ns.ipvs.count(id, Direction::Out, seen.len, now);
        let Some(c) = self.ns.ipvs.conns.get(id).cloned() else { return NfVerdict::Accept };
        self.ip_vs_conn_step(skb, state, &c, false, Direction::Out, states);
        if c.forward == Forward::Masq {
            self.ip_vs_rewrite_source(skb, state, &c);
            if self.ip_vs_route_me_harder(skb, state, dst) != NfVerdict::Accept {
                return NfVerdict::Drop;
            }
        }
        skb.ipvs = true;
        if c.nfct {
            self.ip_vs_update_conntrack(skb, &c, false)
        } else {
            self.ip_vs_notrack(skb)
        }
        self.ip_vs_conn_put(id);
        NfVerdict::Accept
    }

    /// Replies are routed as if they came from the virtual address (ip_vs_route_me_harder).
    fn ip_vs_route_me_harder(&mut self, skb: &mut Skb, state: &HookState, dst: Option<&mut Dst>) -> NfVerdict {
        let wanted = self.ns.config.sysctl.ipvs.snat_reroute && state.hook != Hook::Input;
        match dst {
            Some(dst) if wanted && dst.kind != RouteType::Local => self.ip_route_me_harder(skb, Some(dst)),
            _ => NfVerdict::Accept,
        }
    }

    /// An ICMP error on its way to a client (ip_vs_out_icmp).
    fn ip_vs_out_icmp(&mut self, skb: &mut Box<Skb>, state: &HookState, dst: Option<&mut Dst>) -> NfVerdict {
        let Some((quoted, len)) = quoted_ports(skb) else { return NfVerdict::Accept };
        // the request that it quotes went to the real server
        let key = quoted.request();
        let Some(c) = self.ns.ipvs.conns.find_out(&key).and_then(|id| self.ns.ipvs.conns.get(id)).cloned() else {
            return NfVerdict::Accept;
        };
        if c.forward != Forward::Masq {
            return NfVerdict::Accept;
        }
        if bad_checksum(skb) {
            return NfVerdict::Drop;
        }
        self.ip_vs_conn_step(skb, state, &c, false, Direction::Out, None);
        self.ip_vs_nat_icmp(skb, state, &c, Direction::Out);
        if self.ip_vs_route_me_harder(skb, state, dst) != NfVerdict::Accept {
            return NfVerdict::Drop;
        }
        let now = self.now;
        self.ns.ipvs.count(c.id, Direction::Out, len, now);
        skb.ipvs = true;
        if c.nfct {
            self.ip_vs_update_conntrack(skb, &c, false)
        } else {
            self.ip_vs_notrack(skb)
        }
        NfVerdict::Accept
    }

    /// An ICMP error about a reply, on its way to the real server (ip_vs_in_icmp, ip_vs_forward_icmp).
    pub(super) fn ip_vs_in_icmp(&mut self, skb: &mut Box<Skb>, state: &HookState, dst: Option<&Dst>) -> NfVerdict {
        if skb.ipvs || !is_icmp_error(skb) {
            return NfVerdict::Accept;
        }
        let Some((quoted, len)) = quoted_ports(skb) else { return NfVerdict::Accept };
        // the reply that it quotes came from the virtual address
        let key = quoted.reply();
        let Some(c) = self.ns.ipvs.conns.find_in(&key).and_then(|id| self.ns.ipvs.conns.get(id)).cloned() else {
            return NfVerdict::Accept;
        };
        if bad_checksum(skb) {
            return NfVerdict::Drop;
        }
        let now = self.now;
        self.ns.ipvs.count(c.id, Direction::In, len, now);
        self.ip_vs_conn_step(skb, state, &c, false, Direction::In, None);
        self.ip_vs_xmit(skb, state, dst, &c, true)
    }
}

/// A real server's address and port.
fn end_of(service: &Service, dest: RowId) -> Option<(IpAddr, u16)> {
    service.dests.iter().find(|d| d.row == dest).map(|d| (d.addr, d.port))
}

fn icmp_of(skb: &Skb) -> Option<&Icmp> {
    match &skb.frame.ipv4()?.body {
        Body::Icmp(m) => Some(m),
        _ => None,
    }
}

fn is_icmp_error(skb: &Skb) -> bool {
    icmp_of(skb).is_some_and(Icmp::is_error)
}

fn bad_checksum(skb: &Skb) -> bool {
    icmp_of(skb).is_some_and(|m| m.checksum_error != 0)
}

/// The packet that an error about reachability or time quotes, if its ports are there; and the error's own length.
fn quoted_ports(skb: &Skb) -> Option<(Seen, u64)> {
    let m = icmp_of(skb)?;
    if !matches!(m.type_code().0, 3 | 4 | 11) {
        return None;
    }
    let t = super::conntrack::quoted_of(m)?.tuple()?;
    let L4::Ports { src: sport, dst: dport } = t.l4 else { return None };
    if !matches!(t.protocol, Protocol::TCP | Protocol::UDP | SCTP) {
        return None;
    }
    let len = skb.frame.ipv4()?.len() as u64;
    Some((Seen { protocol: t.protocol, src: t.src, dst: t.dst, sport, dport, segment: Segment::Udp, len }, len))
}

/// The device that a step of IPVS is about.
pub(super) fn dev_of(state: &HookState) -> IfIndex {
    super::conntrack::hook_dev(state)
}
