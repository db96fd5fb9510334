//! Packets in IP packets: IPIP and GRE.
//!
//! Models: net/ipv4/ip_tunnel.c ip_tunnel_xmit, tnl_update_pmtu, ip_tunnel_lookup, ip_tunnel_rcv; net/ipv4/ipip.c ipip_tunnel_xmit,
//! ipip_tunnel_rcv; net/ipv4/ip_gre.c ipgre_xmit, gre_tap_xmit, gre_rcv; net/ipv4/tunnel4.c tunnel4_rcv.
//! Spec: RFC 2003, RFC 2784, RFC 2890.
//! Simplifies: ICMP errors about outer packets change path MTUs alone; they are not passed on to the inner sender.

use super::icmp::Error;
use super::tunnel::{Outer, Said, ecn_decapsulate, ecn_encapsulate, inner_tos};
use super::walk::Walk;
use crate::linux::IfIndex;
use crate::linux::device::ip_tunnel::{IpTunnelConfig, IpTunnelMode};
use crate::linux::device::vxlan::OuterTtl;
use crate::linux::device::{Device, DeviceKind};
use crate::linux::skb::Skb;
use crate::packet::gre::{Gre, GreInside};
use crate::packet::{Body, Ethernet, Frame, Ipv4Addr, Ipv4Packet, Net, Protocol};
use crate::trace::evidence::{Addr32, Tunnel};
use crate::trace::{DropReason, Evidence, Tracer};
use std::time::Duration;

/// How long a learned path MTU is kept (mtu_expires), and the smallest that is believed (min_pmtu).
const PMTU_EXPIRES: Duration = Duration::from_secs(600);
const MIN_PMTU: u32 = 552;

fn told(mode: IpTunnelMode) -> Tunnel {
    match mode {
        IpTunnelMode::Ipip => Tunnel::Ipip,
        IpTunnelMode::Gre => Tunnel::Gre,
        IpTunnelMode::Gretap => Tunnel::Gretap,
    }
}

impl<T: Tracer> Walk<'_, T> {
    /// Sends a packet into a tunnel (ip_tunnel_xmit). `next_hop` is the inner route's, for a tunnel without a remote end of its own.
    pub(super) fn ip_tunnel_xmit(&mut self, mut skb: Box<Skb>, dev: IfIndex, config: &IpTunnelConfig) {
        let inner = skb.frame.ipv4().map(|p| p.header);
        let frames = config.mode == IpTunnelMode::Gretap;
        if inner.is_none() && !frames {
            return self.drop_skb(skb, dev, DropReason::UnhandledProto);
        }
        let to = match config.remote {
            Some(r) => r,
            None => match skb.next_hop.filter(|_| inner.is_some()) {
                Some(hop) => hop,
                None => return self.drop_skb(skb, dev, DropReason::NoTxTarget),
            },
        };
        let tos = if config.tos & 1 == 1 { inner_tos(&skb.frame) } else { config.tos };
        let wanted = config.local.unwrap_or(Ipv4Addr::UNSPECIFIED);
        let Ok((dst, src)) = self.route_output(Some(&skb), wanted, to, config.link) else {
            return self.drop_skb(skb, dev, DropReason::IpOutNoRoutes);
        };
        if dst.oif == dev {
            return self.drop_skb(skb, dev, DropReason::IpOutNoRoutes);
        }
        let df = config.pmtudisc || (!config.ignore_df && inner.is_some_and(|h| h.dont_fragment));
        let below = self.path_mtu(to, dst.mtu);
        if !self.tnl_update_pmtu(&mut skb, dev, config, below, df) {
            return self.drop_skb(skb, dev, DropReason::PktTooBig);
        }
        let ttl = match config.ttl {
            OuterTtl::Fixed(n) => n,
            OuterTtl::Auto | OuterTtl::Inherit => inner.map_or(self.ns.config.sysctl.ip_default_ttl, |h| h.ttl),
        };
        let outer = Outer { src, dst: to, tos: ecn_encapsulate(tos, inner_tos(&skb.frame)), ttl, df };
        let body = self.ip_tunnel_body(&skb, dev, config);
        let said = Said { tunnel: told(config.mode), id: config.output.key.unwrap_or(0), ports: (0, 0) };
        self.iptunnel_xmit(skb, dev, dst, &outer, body, &said);
    }

    /// What the outer packet carries (gre_build_header).
    fn ip_tunnel_body(&mut self, skb: &Skb, dev: IfIndex, config: &IpTunnelConfig) -> Body {
        let packet = |frame: &Frame| frame.ipv4().map(Ipv4Packet::encode).unwrap_or_default();
        if config.mode == IpTunnelMode::Ipip {
            return Body::Other { protocol: Protocol::IPIP, bytes: packet(&skb.frame).into() };
        }
        let frames = config.mode == IpTunnelMode::Gretap;
        let seq = config.output.seq.then(|| self.ns.tunnel_seq.next_out(dev));
        let gre = Gre { protocol: if frames { Gre::TEB } else { 0x0800 }, checksum: config.output.csum, key: config.output.key, seq };
        let data = if frames { skb.frame.encode() } else { packet(&skb.frame) };
        Body::Other { protocol: Protocol::GRE, bytes: gre.encode(&data).into() }
    }

    /// Tells the route, and the sender of a packet with DF, what fits through the tunnel; false if the packet does not
    /// (tnl_update_pmtu).
    fn tnl_update_pmtu(&mut self, skb: &mut Skb, dev: IfIndex, config: &IpTunnelConfig, below: u32, df: bool) -> bool {
        let Some(p) = skb.frame.ipv4() else { return true };
        let (to, len, wanted) = (p.header.dst, p.len() as u32, p.header.dont_fragment);
        let own = self.ns.config.devices.get(dev).map_or(1_480, |d| d.mtu);
        let mtu = if df { below.saturating_sub(config.overhead()) } else { own };
        // the route of a packet that is bridged is not at hand
        if skb.next_hop.is_some() && df && mtu <= self.path_mtu(to, own) {
            let until = self.now + PMTU_EXPIRES;
            let kept = self.ns.pmtu.get(&to).is_some_and(|(m, t)| *m == mtu && t.since(self.now) >= PMTU_EXPIRES / 2);
            if !kept {
                self.ns.pmtu.insert(to, (mtu.max(MIN_PMTU), until));
            }
        }
        if wanted && mtu < len {
            self.cause = skb.id;
            self.flow = skb.flow;
            self.icmp_send(skb, Error::Unreachable { code: 4, mtu: u16::try_from(mtu).unwrap_or(u16::MAX) });
            return false;
        }
        true
    }

    /// A packet of protocol 4 or 47 for this host (tunnel4_rcv, gre_rcv).
    pub(super) fn ip_tunnel_rcv(&mut self, mut skb: Box<Skb>, from: IfIndex) {
        let Some(p) = skb.frame.ipv4() else { return };
        let Body::Other { protocol, bytes } = &p.body else { return };
        let (src, dst, tos) = (p.header.src, p.header.dst, p.header.tos);
        let opened = if *protocol == Protocol::IPIP {
            Ipv4Packet::decode(bytes).ok().map(|p| (Gre::default(), IpTunnelMode::Ipip, GreInside::Ipv4(p)))
        } else {
            Gre::open(bytes)
                .ok()
                .map(|(g, inside)| (g, if g.protocol == Gre::TEB { IpTunnelMode::Gretap } else { IpTunnelMode::Gre }, inside))
        };
        let Some((gre, mode, inside)) = opened else {
            return self.drop_skb(skb, from, DropReason::PktTooSmall);
        };
        let Some((dev, config)) = self.ip_tunnel_lookup(mode, src, dst, gre.key, from) else {
            // nobody takes it: the sender is told as of a port
            self.icmp_send(&skb, Error::Unreachable { code: 3, mtu: 0 });
            return self.drop_skb(skb, from, DropReason::IpNoProto);
        };
        let mut frame = match inside {
            GreInside::Ipv4(p) => Frame { eth: Ethernet::default(), net: Net::Ipv4(p) },
            GreInside::Frame(f) => f,
            GreInside::Other(_) => return self.drop_skb(skb, from, DropReason::UnhandledProto),
        };
        let known = ecn_decapsulate(tos, &mut frame);
        let said = Evidence::Decap { tunnel: told(mode), id: gre.key.unwrap_or(0), src: Addr32::from(src), device: dev.0 as u16 };
        self.decapsulated(&mut skb, from, said, frame);
        if gre.checksum != config.input.csum && mode != IpTunnelMode::Ipip {
            return self.drop_skb(skb, dev, DropReason::NotSpecified);
        }
        if config.input.seq && !gre.seq.is_some_and(|n| self.ns.tunnel_seq.take_in(dev, n)) {
            return self.drop_skb(skb, dev, DropReason::NotSpecified);
        }
        if !known {
            return self.drop_skb(skb, dev, DropReason::IpTunnelEcn);
        }
        self.tunnel_rcv(skb, dev);
    }

    /// The tunnel that takes a packet: the more of its ends it names, the better (ip_tunnel_lookup).
    fn ip_tunnel_lookup(
        &self,
        mode: IpTunnelMode,
        src: Ipv4Addr,
        dst: Ipv4Addr,
        key: Option<u32>,
        from: IfIndex,
    ) -> Option<(IfIndex, Box<IpTunnelConfig>)> {
        let rank = |d: &Device, c: &IpTunnelConfig| -> Option<u32> {
            let fits = d.up
                && c.mode == mode
                && c.input.key == key
                && c.remote.is_none_or(|r| r == src)
                && c.local.is_none_or(|l| l == dst)
                && (!c.link.is_some() || c.link == from);
            let ends = u32::from(c.remote.is_some()) * 2 + u32::from(c.local.is_some());
            fits.then_some(ends * 2 + u32::from(c.link.is_some()))
        };
        let all = self.ns.config.devices.iter().filter_map(|d| match &d.kind {
            DeviceKind::IpTunnel(c) => rank(d, c).map(|r| (r, d.index, c)),
            _ => None,
        });
        all.max_by_key(|(r, index, _)| (*r, u32::MAX - index.0)).map(|(_, index, c)| (index, c.clone()))
    }

    /// Whether the namespace has tunnels of the protocol at all.
    pub(super) fn speaks_tunnels(&self, protocol: Protocol) -> bool {
        self.ns.config.devices.iter().any(|d| match &d.kind {
            DeviceKind::IpTunnel(c) => (c.mode == IpTunnelMode::Ipip) == (protocol == Protocol::IPIP),
            _ => false,
        })
    }
}
