//! How IPVS sends a request on: rewritten, as it is, or inside another packet.
//!
//! Models: net/netfilter/ipvs/ip_vs_xmit.c ip_vs_nat_xmit, ip_vs_dr_xmit, ip_vs_tunnel_xmit, ip_vs_bypass_xmit, ip_vs_icmp_xmit,
//! __ip_vs_get_out_rt, crosses_local_route_boundary, decrement_ttl, ensure_mtu_is_adequate; ip_vs_core.c ip_vs_nat_icmp;
//! ip_vs_nfct.c ip_vs_update_conntrack, ip_vs_conn_drop_conntrack; include/net/ip_vs.h ip_vs_notrack.
//! Simplifies: IPv4 only; tunnels are IP in IP; the route to a real server is not cached.
//! Seen in: 51-ipvs-clusterip-same-node.

use super::conntrack::quoted_of;
use super::hook::{HookState, NfVerdict};
use super::icmp::Error;
use super::ip_vs_core::dev_of;
use super::manip::{manip_packet, manip_quoted};
use super::nat::set_quoted;
use super::route::Dst;
use super::walk::Walk;
use crate::linux::IfIndex;
use crate::linux::conntrack::{Dir, Manip};
use crate::linux::fib::RouteType;
use crate::linux::ipvs::{Conn, Direction, Forward};
use crate::linux::netfilter::Hook;
use crate::linux::skb::Skb;
use crate::packet::{Address, Body, Ipv4Addr, Ipv4Header, Ipv4Packet, L4, Net, Protocol, Tuple};
use crate::trace::evidence::{Addr32, Tunnel};
use crate::trace::{Change, DropReason, Evidence, Tracer};

/// Where a request may be sent to (IP_VS_RT_MODE_*).
#[derive(Clone, Copy)]
struct Mode {
    local: bool,
    non_local: bool,
    /// From an address that is not of this host to one that is.
    redirect: bool,
    tunnel: bool,
    /// The packet is an ICMP error: its size is not held against the MTU.
    icmp: bool,
}

/// A packet that cannot be sent on ends here, and its sender is not at fault.
fn kfree<T: Tracer>(w: &mut Walk<'_, T>, skb: &mut Box<Skb>, state: &HookState) -> NfVerdict {
    let gone = skb.steal();
    w.drop_skb(gone, dev_of(state), DropReason::NotSpecified);
    NfVerdict::Stolen
}

fn v4(addr: std::net::IpAddr) -> Option<Ipv4Addr> {
    Ipv4Addr::from_ip(addr)
}

impl<T: Tracer> Walk<'_, T> {
    /// Sends a packet of the connection on (packet_xmit). Accept means that it goes on to a socket of this host.
    pub(super) fn ip_vs_xmit(&mut self, skb: &mut Box<Skb>, state: &HookState, dst: Option<&Dst>, c: &Conn, icmp: bool) -> NfVerdict {
        let any = Mode { local: true, non_local: true, redirect: false, tunnel: false, icmp };
        let Some(to) = v4(c.daddr) else { return kfree(self, skb, state) };
        // of what comes in, INPUT sees packets to this host, FORWARD others; of what goes out the route tells
        let old_local = state.hook == Hook::Input || dst.is_some_and(|d| d.kind == RouteType::Local);
        if c.bypass {
            let Some(own) = skb.frame.ipv4().map(|p| p.header.dst) else { return NfVerdict::Accept };
            return match self.ip_vs_get_out_rt(skb, own, Mode { local: false, ..any }, old_local) {
                Ok(Some(route)) => self.ip_vs_send(skb, state, c, route),
                _ => kfree(self, skb, state),
            };
        }
        match c.forward {
            Forward::Masq => {
                // an error in FORWARD is not for this host
                let mode = if icmp && state.hook == Hook::Forward { Mode { local: false, ..any } } else { Mode { redirect: true, ..any } };
                let Ok(route) = self.ip_vs_get_out_rt(skb, to, mode, old_local) else { return kfree(self, skb, state) };
                if route.is_none() && to.is_loopback() && state.hook == Hook::Input {
                    return kfree(self, skb, state);
                }
                self.ip_vs_forward_step(skb, state, c, route.is_none());
                if icmp {
                    self.ip_vs_nat_icmp(skb, state, c, Direction::In)
                } else {
                    self.ip_vs_rewrite_destination(skb, state, c, to)
                }
                skb.ipvs = true;
                if c.nfct {
                    self.ip_vs_update_conntrack(skb, c, true)
                } else {
                    self.ip_vs_notrack(skb)
                }
                match route {
                    Some(route) => self.ip_vs_local_out(skb, route),
                    None => NfVerdict::Accept,
                }
            }
            Forward::Route => match self.ip_vs_get_out_rt(skb, to, any, old_local) {
                Err(()) => kfree(self, skb, state),
                Ok(None) => self.ip_vs_keep(skb, state, c),
                Ok(Some(route)) => {
                    // to the real server by the link, whatever the packet says
                    let gateway = Some(route.gateway.unwrap_or(to));
                    self.ip_vs_send(skb, state, c, Dst { gateway, ..route })
                }
            },
            Forward::Tunnel => match self.ip_vs_get_out_rt(skb, to, Mode { tunnel: true, ..any }, old_local) {
                Err(()) => kfree(self, skb, state),
                Ok(None) => self.ip_vs_keep(skb, state, c),
                Ok(Some(route)) => self.ip_vs_tunnel_xmit(skb, state, c, to, route),
            },
        }
    }

    fn ip_vs_forward_step(&mut self, skb: &Skb, state: &HookState, c: &Conn, local: bool) {
        let addr = Addr32::from(v4(c.daddr).unwrap_or(Ipv4Addr::UNSPECIFIED));
        self.step(skb, dev_of(state), Evidence::IpvsForward { id: c.id, forward: c.forward, local, addr, port: c.dport });
    }

    /// The real server is this host, and the packet as it is (ip_vs_send_or_cont with local set).
    fn ip_vs_keep(&mut self, skb: &mut Skb, state: &HookState, c: &Conn) -> NfVerdict {
        self.ip_vs_forward_step(skb, state, c, true);
        skb.ipvs = true;
        if !c.nfct {
            self.ip_vs_notrack(skb);
        }
        NfVerdict::Accept
    }

    fn ip_vs_send(&mut self, skb: &mut Box<Skb>, state: &HookState, c: &Conn, route: Dst) -> NfVerdict {
        self.ip_vs_keep_step(skb, state, c);
        self.ip_vs_local_out(skb, route)
    }

    fn ip_vs_keep_step(&mut self, skb: &mut Skb, state: &HookState, c: &Conn) {
        self.ip_vs_forward_step(skb, state, c, false);
        skb.ipvs = true;
        if !c.nfct {
            self.ip_vs_notrack(skb);
        }
    }

    /// Through OUTPUT and POSTROUTING, with the device that it came in by (NF_HOOK of LOCAL_OUT).
    fn ip_vs_local_out(&mut self, skb: &mut Box<Skb>, mut route: Dst) -> NfVerdict {
        let mut skb = skb.steal();
        let state = HookState { hook: Hook::Output, iif: IfIndex::NONE, oif: route.oif };
        match self.nf_hook(&mut skb, &state, Some(&mut route)) {
            NfVerdict::Accept => {
                let iif = skb.iif;
                self.ip_output(skb, iif, &route);
            }
            verdict => self.hook_ended(skb, route.oif, verdict),
        }
        NfVerdict::Stolen
    }

    /// The route to a real server, none if that is this host; what the packet may not do ends in Err, its sender told
    /// (__ip_vs_get_out_rt).
    fn ip_vs_get_out_rt(&mut self, skb: &mut Box<Skb>, to: Ipv4Addr, mode: Mode, old_local: bool) -> Result<Option<Dst>, ()> {
        // the route is the real server's, whatever mark the packet has
        let mark = std::mem::take(&mut skb.mark);
        let found = self.route_output(Some(skb), Ipv4Addr::UNSPECIFIED, to, IfIndex::NONE);
        skb.mark = mark;
        let (source, ttl, len, df) = match skb.frame.ipv4() {
            Some(p) => (p.header.src, p.header.ttl, p.len() as u32, p.header.dont_fragment),
            None => return Err(()),
        };
        let Ok((route, _)) = found else {
            self.ip_vs_tell(skb, Error::Unreachable { code: 1, mtu: 0 });
            return Err(());
        };
        let local = route.kind == RouteType::Local;
        let crosses = if local { !mode.local || (!mode.redirect && !old_local) } else { !mode.non_local || source.is_loopback() };
        if crosses {
            return Err(());
        }
        if local {
            return Ok(None);
        }
        if ttl <= 1 {
            self.ip_vs_tell(skb, Error::TimeExceeded { code: 0 });
            return Err(());
        }
        self.step(skb, route.oif, Evidence::TtlDecrement { from: ttl, to: ttl - 1 });
        if let Some(p) = skb.frame.ipv4_mut() {
            p.header.ttl = ttl - 1;
        }
        self.changed(skb, |_| Change::Ttl(ttl - 1));
        let mut mtu = self.path_mtu(to, route.mtu);
        if mode.tunnel {
            mtu = mtu.saturating_sub(Ipv4Packet::HEADER_LEN as u32);
            if mtu < 68 {
                return Err(());
            }
        }
        let held = !mode.tunnel || self.ns.config.sysctl.ipvs.pmtu_disc;
        if held && df && len > mtu && !mode.icmp {
            self.ip_vs_tell(skb, Error::Unreachable { code: 4, mtu: u16::try_from(mtu).unwrap_or(u16::MAX) });
            return Err(());
        }
        Ok(Some(route))
    }

    fn ip_vs_tell(&mut self, skb: &Skb, error: Error) {
        self.cause = skb.id;
        self.flow = skb.flow;
        self.icmp_send(skb, error);
    }

    /// Puts the packet into another one (ip_vs_tunnel_xmit).
    fn ip_vs_tunnel_xmit(&mut self, skb: &mut Box<Skb>, state: &HookState, c: &Conn, to: Ipv4Addr, route: Dst) -> NfVerdict {
        let Ok((_, src)) = self.route_output(Some(skb), Ipv4Addr::UNSPECIFIED, to, IfIndex::NONE) else {
            return kfree(self, skb, state);
        };
        self.ip_vs_forward_step(skb, state, c, false);
        skb.ipvs = true;
        if c.nfct && super::conntrack::nf_conntrack_confirm(self, skb, state) != NfVerdict::Accept {
            return NfVerdict::Drop;
        }
        let mut skb = skb.steal();
        // the outer packet is of no flow
        self.release_ct(&skb);
        skb.ct = None;
        let Some(inner) = skb.frame.ipv4() else { return NfVerdict::Stolen };
        let df = inner.header.dont_fragment && self.ns.config.sysctl.ipvs.pmtu_disc;
        let (tos, ttl, bytes) = (inner.header.tos, inner.header.ttl, inner.encode());
        let header = Ipv4Header {
            tos,
            id: if df { 0 } else { self.next_ip_id() },
            dont_fragment: df,
            more_fragments: false,
            fragment_offset: 0,
            ttl,
            src,
            dst: to,
            checksum_error: 0,
        };
        let evidence = Evidence::Encap { tunnel: Tunnel::Ipip, id: 0, src: src.into(), dst: to.into(), sport: 0, dport: 0 };
        self.step(&skb, route.oif, evidence);
        skb.frame.net = Net::Ipv4(Ipv4Packet { header, body: Body::Other { protocol: Protocol::IPIP, bytes: bytes.into() } });
        self.rewritten(&mut skb);
        // ip_local_out of a packet that came in by a device
        self.ip_vs_local_out(&mut skb, route)
    }

    /// The destination becomes the real server (tcp_dnat_handler and its relatives).
    fn ip_vs_rewrite_destination(&mut self, skb: &mut Skb, _: &HookState, c: &Conn, to: Ipv4Addr) {
        let Some(ip) = skb.frame.ipv4_mut() else { return };
        let target = Tuple { src: ip.header.src, dst: to, protocol: c.key.protocol, l4: L4::Ports { src: c.key.cport, dst: c.dport } };
        if manip_packet(ip, &target, Manip::Dst) {
            self.ip_vs_changed(skb, Change::Destination(to, c.dport));
        }
    }

    /// The source becomes the virtual address (tcp_snat_handler and its relatives).
    pub(super) fn ip_vs_rewrite_source(&mut self, skb: &mut Skb, _: &HookState, c: &Conn) {
        let (Some(vip), Some(ip)) = (v4(c.key.server), skb.frame.ipv4_mut()) else { return };
        let target = Tuple { src: vip, dst: ip.header.dst, protocol: c.key.protocol, l4: L4::Ports { src: c.key.port, dst: c.key.cport } };
        if manip_packet(ip, &target, Manip::Src) {
            self.ip_vs_changed(skb, Change::Source(vip, c.key.port));
        }
    }

    /// Small changes of ports are told as such where the transport header has a type of its own.
    fn ip_vs_changed(&mut self, skb: &mut Skb, change: Change) {
        self.changed(skb, |s| match s.frame.ipv4().map(|p| &p.body) {
            Some(Body::Tcp(_) | Body::Udp(_)) => change,
            _ => Change::Whole(Box::new(s.frame.clone())),
        });
    }

    /// Rewrites an ICMP error and the packet that it quotes (ip_vs_nat_icmp).
    pub(super) fn ip_vs_nat_icmp(&mut self, skb: &mut Skb, _: &HookState, c: &Conn, dir: Direction) {
        let (Some(vip), Some(real)) = (v4(c.key.server), v4(c.daddr)) else { return };
        let Some(ip) = skb.frame.ipv4_mut() else { return };
        let Body::Icmp(m) = &mut ip.body else { return };
        let Some(quoted) = quoted_of(m) else { return };
        let (addr, port, manip) = match dir {
            Direction::Out => (vip, c.key.port, Manip::Dst),
            Direction::In => (real, c.dport, Manip::Src),
        };
        let target = Tuple { src: addr, dst: addr, protocol: c.key.protocol, l4: L4::Ports { src: port, dst: port } };
        if let Some(new) = manip_quoted(&quoted, &target, manip) {
            set_quoted(m, new);
        }
        match dir {
            Direction::Out => ip.header.src = vip,
            Direction::In => ip.header.dst = real,
        }
        self.rewritten(skb);
    }

    /// Netfilter is not to track the packet (ip_vs_notrack).
    pub(super) fn ip_vs_notrack(&mut self, skb: &mut Skb) {
        if skb.ct.is_some() {
            self.release_ct(skb);
            skb.ct = None;
            skb.untracked = true;
        }
    }

    /// Tells conntrack of a new flow where its answers will come from, or go to (ip_vs_update_conntrack).
    pub(super) fn ip_vs_update_conntrack(&mut self, skb: &Skb, c: &Conn, to_real: bool) {
        let Some(ct) = skb.ct else { return };
        let Some(e) = self.ns.conntrack.get(ct.id) else { return };
        if e.is_confirmed() || c.forward != Forward::Masq || c.one_packet || ct.info.dir() != Dir::Original {
            return;
        }
        let mut reply = e.tuples[1];
        let ports = |l4: L4, source: Option<u16>, destination: Option<u16>| match l4 {
            L4::Ports { src, dst } => L4::Ports { src: source.unwrap_or(src), dst: destination.unwrap_or(dst) },
            other => other,
        };
        if to_real {
            let Some(real) = v4(c.daddr) else { return };
            reply.src = real;
            reply.l4 = ports(reply.l4, Some(c.dport), None);
        } else {
            let Some(vip) = v4(c.key.server) else { return };
            reply.dst = vip;
            reply.l4 = ports(reply.l4, None, Some(c.key.port));
        }
        self.ns.conntrack.alter_reply(ct.id, reply);
    }

    /// The connection is over, and so is conntrack's entry (ip_vs_conn_drop_conntrack).
    pub(super) fn ip_vs_conn_drop_conntrack(&mut self, c: &Conn) {
        let (Some(src), Some(dst)) = (v4(c.key.client), v4(c.key.server)) else { return };
        if c.key.cport == 0 {
            return;
        }
        let tuple = Tuple { src, dst, protocol: c.key.protocol, l4: L4::Ports { src: c.key.cport, dst: c.key.port } };
        if let Some((id, _)) = self.ns.conntrack.find(&tuple, self.now) {
            self.ct_kill(id);
        }
    }
}
