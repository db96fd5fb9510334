//! IPv6 packets on their way out: those made on this host, and those that are passed on.
//!
//! Models: net/ipv6/ip6_output.c ip6_xmit, ip6_local_out, ip6_output, ip6_finish_output, ip6_fragment, ip6_finish_output2;
//! net/ipv6/netfilter.c ip6_route_me_harder; net/ipv6/output_core.c ipv6_select_ident.
//! Spec: RFC 8200 section 4.5 (fragmentation by the source alone).
//! Simplifies: flow labels are 0 (a real host labels each flow, `auto_flowlabels`); identifications of fragments count up; a group's
//! own members on this host get a copy only of what programs send.

use super::hook::{HookState, NfVerdict};
use super::output::SendSpec;
use super::route6::{Dst6, find_output6};
use super::walk::Walk;
use crate::linux::fib::RouteType;
use crate::linux::inet6::{is_member, needs_device};
use crate::linux::netfilter::Hook;
use crate::linux::skb::{PktType, Skb};
use crate::linux::socket::PmtuDisc;
use crate::linux::{Errno, FlowId, IfIndex, PacketId};
use crate::packet::{Body, Ipv6Addr, Ipv6Header, Ipv6Packet, Net, Protocol};
use crate::trace::{Change, DropReason, Evidence, Tracer};

/// The smallest MTU that a link may have.
pub(super) const MIN_MTU: u32 = 1280;

/// Which source address and MTU a packet to `spec.dst` would have.
///
/// # Errors
/// ENETUNREACH, EADDRNOTAVAIL, or what a refusing route says; EINVAL for a destination of a link without a device.
pub fn route_for6<T: Tracer>(w: &mut Walk<'_, T>, spec: &SendSpec<Ipv6Addr>) -> Result<(Ipv6Addr, u32), Errno> {
    if needs_device(spec.dst) && !spec.oif.is_some() && !spec.dst.is_multicast() {
        return Err(Errno::EINVAL);
    }
    let (found, result) = find_output6(&w.ns.config, spec.src, spec.dst, spec.oif);
    match result {
        Ok((dst, src)) => Ok((src, w.path_mtu6(spec.dst, dst.mtu))),
        Err(e) => {
            if T::ON {
                // no packet is made; the lookup that failed is told as that of the packet that would have been
                w.ids.last_packet += 1;
                let id = PacketId(w.ids.last_packet);
                w.trace.packet(id, w.cause, PacketId::NONE, spec.flow);
                let cause = std::mem::replace(&mut w.cause, id);
                w.route_output6_step(None, spec.dst, &found, &Err(e));
                w.cause = cause;
            }
            Err(e)
        }
    }
}

/// Sends a packet of this host (ip6_xmit, ip6_send_skb).
///
/// # Errors
/// Those of the route; EMSGSIZE; EPERM when OUTPUT dropped it.
pub fn ip6_send<T: Tracer>(w: &mut Walk<'_, T>, spec: &SendSpec<Ipv6Addr>, body: Body) -> Result<(), Errno> {
    let (found, result) = find_output6(&w.ns.config, spec.src, spec.dst, spec.oif);
    let mtu = match &result {
        Ok((dst, _)) if spec.pmtudisc == PmtuDisc::Probe => dst.mtu,
        Ok((dst, _)) => w.path_mtu6(spec.dst, dst.mtu),
        Err(_) => u32::MAX,
    };
    let oif = result.as_ref().map_or(IfIndex::NONE, |(d, _)| d.oif);
    let data = match &body {
        Body::Tcp(t) => t.payload.len(),
        Body::Udp(u) => u.payload.len(),
        _ => body.len(),
    };
    let hop_limit = spec.ttl.unwrap_or(if spec.dst.is_multicast() { 1 } else { w.hop_limit(oif) });
    let header = Ipv6Header {
        traffic_class: spec.tos,
        flow_label: 0,
        hop_limit,
        src: result.as_ref().map_or(spec.src, |(_, s)| *s),
        dst: if spec.dst.is_unspecified() { Ipv6Addr::LOCALHOST } else { spec.dst },
    };
    let too_long = (Ipv6Packet::HEADER_LEN + body.len()) as u32 > mtu;
    let mut skb = w.new_skb(Net::Ipv6(Ipv6Packet { header, body }), spec.flow);
    skb.mark = spec.mark;
    skb.socket = spec.socket;
    skb.confirms = spec.confirms;
    if T::ON && spec.socket.is_some() {
        w.step(&skb, IfIndex::NONE, Evidence::SocketSend { socket: spec.socket, len: data as u32 });
    }
    w.route_output6_step(Some(&skb), spec.dst, &found, &result);
    match result {
        Err(e) => {
            w.drop_skb(skb, IfIndex::NONE, DropReason::IpOutNoRoutes);
            Err(e)
        }
        Ok((dst, _)) if too_long && matches!(spec.pmtudisc, PmtuDisc::Do | PmtuDisc::Probe) => {
            w.drop_skb(skb, dst.oif, DropReason::PktTooBig);
            Err(Errno::EMSGSIZE)
        }
        Ok((dst, _)) => w.ip6_local_out(skb, dst),
    }
}

/// What an outgoing packet's route depends on.
fn route_key(skb: &Skb) -> Option<(Ipv6Addr, Ipv6Addr, u32)> {
    skb.frame.ipv6().map(|p| (p.header.src, p.header.dst, skb.mark))
}

impl<T: Tracer> Walk<'_, T> {
    /// The hop limit of packets that leave by `dev` (ip6_dst_hoplimit).
    pub(super) fn hop_limit(&self, dev: IfIndex) -> u8 {
        let limit = self.ns.config.devices.get(dev).map_or(64, |d| d.inet6.conf.hop_limit);
        u8::try_from(limit).unwrap_or(64)
    }

    /// The MTU towards `dst`: what was learned of the path, at most the route's.
    pub fn path_mtu6(&self, dst: Ipv6Addr, route: u32) -> u32 {
        match self.ns.ip6.pmtu.get(&dst) {
            Some((mtu, until)) if *until > self.now => route.min(*mtu),
            _ => route,
        }
    }

    /// A packet that the kernel itself makes, of a header and a body; not sent yet.
    pub(super) fn new_skb6(&mut self, header: Ipv6Header, body: Body, flow: FlowId) -> Box<Skb> {
        self.new_skb(Net::Ipv6(Ipv6Packet { header, body }), flow)
    }

    /// Through OUTPUT and on (ip6_local_out).
    ///
    /// # Errors
    /// EPERM when OUTPUT dropped it.
    pub(super) fn ip6_local_out(&mut self, mut skb: Box<Skb>, mut dst: Dst6) -> Result<(), Errno> {
        let before = route_key(&skb);
        let state = HookState { hook: Hook::Output, iif: IfIndex::NONE, oif: dst.oif };
        match self.nf_hook(&mut skb, &state, None) {
            NfVerdict::Accept => {}
            NfVerdict::Stolen => return Ok(()),
            _ => {
                self.drop_skb(skb, dst.oif, DropReason::NetfilterDrop);
                return Err(Errno::EPERM);
            }
        }
        if let (Some(key), true) = (route_key(&skb), route_key(&skb) != before) {
            // ip6_route_me_harder: the source address is kept
            match self.route_output6(Some(&skb), key.0, key.1, IfIndex::NONE) {
                Ok((found, _)) => dst = found,
                Err(_) => {
                    self.drop_skb(skb, dst.oif, DropReason::NetfilterDrop);
                    return Err(Errno::EPERM);
                }
            }
        }
        self.ip6_output(skb, IfIndex::NONE, &dst);
        Ok(())
    }

    /// Through POSTROUTING, cut to size, and to the neighbour (ip6_output). `iif` is set for packets that are passed on.
    pub(super) fn ip6_output(&mut self, mut skb: Box<Skb>, iif: IfIndex, dst: &Dst6) {
        let state = HookState { hook: Hook::Postrouting, iif, oif: dst.oif };
        let verdict = self.nf_hook(&mut skb, &state, None);
        if verdict != NfVerdict::Accept {
            return self.hook_ended(skb, dst.oif, verdict);
        }
        let Some(p) = skb.frame.ipv6() else { return };
        let (to, len) = (p.header.dst, p.len() as u32);
        skb.local_route = matches!(dst.kind, RouteType::Local | RouteType::Anycast);
        let mtu = if skb.forwarded { dst.mtu } else { self.path_mtu6(to, dst.mtu) };
        // what came in pieces goes out in pieces no larger
        let mtu = if skb.frag_max > 0 { mtu.min(skb.frag_max) } else { mtu };
        if to.is_multicast() && skb.socket.is_some() {
            self.loop_back_group(&skb, dst.oif, to);
        }
        let next_hop = dst.gateway.unwrap_or(to);
        if len > mtu && (!skb.forwarded || skb.frag_max > 0) {
            return self.ip6_do_fragment(skb, dst.oif, next_hop, mtu);
        }
        self.neigh_output(skb, dst.oif, next_hop);
    }

    /// What a program sends to a group that this host is in comes in here too (ip6_dev_loopback_xmit).
    fn loop_back_group(&mut self, skb: &Skb, oif: IfIndex, group: Ipv6Addr) {
        let config = self.ns.config.clone();
        if !config.devices.get(oif).is_some_and(|d| is_member(&config, d, group)) {
            return;
        }
        let mut copy = self.clone_skb(skb);
        copy.pkt_type = PktType::Host;
        copy.iif = oif;
        copy.socket = crate::linux::SocketId::NONE;
        copy.ct = None;
        self.ip6_input(copy, oif, RouteType::Multicast);
    }

    /// Cuts a packet into parts of at most `mtu` bytes (ip6_fragment).
    fn ip6_do_fragment(&mut self, skb: Box<Skb>, oif: IfIndex, next_hop: Ipv6Addr, mtu: u32) {
        const FRAGMENT_HEADER: usize = 8;
        let Some(whole) = skb.frame.ipv6() else { return };
        let room = (mtu as usize).saturating_sub(Ipv6Packet::HEADER_LEN + FRAGMENT_HEADER) & !7;
        if room == 0 {
            return self.drop_skb(skb, oif, DropReason::PktTooBig);
        }
        let bytes = whole.encode();
        let data = &bytes[Ipv6Packet::HEADER_LEN.min(bytes.len())..];
        let (header, protocol) = (whole.header, whole.body.protocol());
        let count = data.len().div_ceil(room);
        self.ns.ip6.frag_id = self.ns.ip6.frag_id.wrapping_add(1);
        let id = self.ns.ip6.frag_id;
        self.step(&skb, oif, Evidence::Fragment { mtu, parts: u16::try_from(count).unwrap_or(u16::MAX) });
        for (i, part) in data.chunks(room).enumerate() {
            let offset = u16::try_from(i * room).unwrap_or(u16::MAX) & !7 | u16::from(i + 1 < count);
            let mut out = vec![protocol.0, 0];
            out.extend(offset.to_be_bytes());
            out.extend(id.to_be_bytes());
            out.extend_from_slice(part);
            let mut copy = self.clone_skb(&skb);
            copy.frame.net = Net::Ipv6(Ipv6Packet { header, body: Body::Other { protocol: Protocol(44), bytes: out.into() } });
            self.changed(&mut copy, |s| Change::Whole(Box::new(s.frame.clone())));
            self.neigh_output(copy, oif, next_hop);
        }
        self.release_ct(&skb);
    }
}
