//! VXLAN: frames into UDP and out again.
//!
//! Models: drivers/net/vxlan/vxlan_core.c vxlan_xmit, vxlan_xmit_one, encap_bypass_if_local, vxlan_encap_bypass, vxlan_rcv,
//! vxlan_set_mac, vxlan_snoop.
//! Spec: RFC 7348.
//! Simplifies: no ARP suppression (`proxy`), no route short circuit (`rsc`), no notices of misses; outer packets are IPv4.
//! Seen in: 03-vxlan-flannel, 18-df-too-big-vxlan.
//!
//! ```text
//!  frame ─► FDB by destination ─► for each endpoint: route ─► outer headers ─► OUTPUT ─► POSTROUTING
//!  INPUT ─► VNI ─► own address? ─► learn the source ─► frame comes in by the device
//! ```

use super::tunnel::{Outer, Said, ecn_decapsulate, ecn_encapsulate, inner_tos};
use super::walk::{Effect, Walk};
use crate::linux::IfIndex;
use crate::linux::device::DeviceKind;
use crate::linux::device::vxlan::{OuterDf, OuterTtl, VxlanConfig};
use crate::linux::fib::RouteType;
use crate::linux::id::Source;
use crate::linux::skb::Skb;
use crate::linux::vxlan_fdb::{EntryState, Remote, VxlanEntry};
use crate::packet::{Body, Frame, Ipv4Addr, Mac, Udp, Vxlan};
use crate::trace::delta::StateDelta;
use crate::trace::evidence::{Addr32, RemoteHit, Tunnel};
use crate::trace::{DropReason, Evidence, Tracer};
use smallvec::{SmallVec, smallvec};

impl<T: Tracer> Walk<'_, T> {
    /// Sends a frame to each endpoint of its address (vxlan_xmit).
    pub(super) fn vxlan_xmit(&mut self, skb: Box<Skb>, dev: IfIndex, vxlan: &VxlanConfig) {
        let mac = skb.frame.eth.dst;
        let (hit, remotes) = match self.vxlan_find_mac(dev, mac, vxlan) {
            Some(r) => (RemoteHit::Entry, r),
            None => match self.vxlan_find_mac(dev, Mac::ZERO, vxlan) {
                Some(r) => (RemoteHit::Default, r),
                None => (RemoteHit::Miss, SmallVec::new()),
            },
        };
        let first = remotes.first().map_or(Addr32::default(), |r| Addr32::from(r.addr));
        self.step(&skb, dev, Evidence::RemoteLookup { mac, hit, remote: first, count: remotes.len() as u16 });
        let Some((first, others)) = remotes.split_first() else {
            return self.drop_skb(skb, dev, DropReason::NoTxTarget);
        };
        // the copies go first; the frame itself goes to the first endpoint
        for remote in others {
            let copy = self.clone_skb(&skb);
            self.vxlan_xmit_one(copy, dev, vxlan, remote);
        }
        self.vxlan_xmit_one(skb, dev, vxlan, first);
    }

    /// The endpoints of an address; looking them up keeps the entry alive (vxlan_find_mac_tx).
    fn vxlan_find_mac(&mut self, dev: IfIndex, mac: Mac, vxlan: &VxlanConfig) -> Option<SmallVec<[Remote; 1]>> {
        let now = self.now;
        self.vxlan_forget_aged(dev, mac, vxlan);
        let e = self.ns.vxlan.get_mut(&dev)?.get_mut(mac)?;
        e.used = now;
        Some(e.remotes.clone())
    }

    /// Takes an entry out that is due (vxlan_cleanup).
    fn vxlan_forget_aged(&mut self, dev: IfIndex, mac: Mac, vxlan: &VxlanConfig) {
        let now = self.now;
        let Some(fdb) = self.ns.vxlan.get_mut(&dev) else { return };
        if fdb.get(mac).is_some_and(|e| e.has_aged(now, vxlan.ageing)) {
            fdb.remove(mac);
            if T::ON {
                self.trace.delta(self.ns.id, StateDelta::Remote { dev, mac, remote: None });
            }
        }
    }

    /// Sends a frame to one endpoint (vxlan_xmit_one).
    fn vxlan_xmit_one(&mut self, mut skb: Box<Skb>, dev: IfIndex, vxlan: &VxlanConfig, remote: &Remote) {
        if remote.addr.is_unspecified() {
            return self.drop_skb(skb, dev, DropReason::NoTxTarget);
        }
        let port = if remote.port == 0 { vxlan.dst_port } else { remote.port };
        let src_port = self.udp_flow_src_port(&mut skb, vxlan.src_ports);
        let inner = inner_tos(&skb.frame);
        let tos = if vxlan.tos == 1 { inner } else { vxlan.tos };
        let wanted = vxlan.local.unwrap_or(Ipv4Addr::UNSPECIFIED);
        let Ok((dst, src)) = self.route_output(Some(&skb), wanted, remote.addr, remote.via) else {
            return self.drop_skb(skb, dev, DropReason::IpOutNoRoutes);
        };
        if dst.oif == dev {
            // its own packets would be put into themselves
            return self.drop_skb(skb, dev, DropReason::IpOutNoRoutes);
        }
        if dst.kind == RouteType::Local {
            return self.encap_bypass_if_local(skb, dev, remote.vni, port);
        }
        let mtu = self.path_mtu(remote.addr, dst.mtu);
        let Some(skb) = self.tunnel_check_pmtu(skb, dev, mtu, VxlanConfig::OVERHEAD) else { return };
        let header = skb.frame.ipv4().map(|p| p.header);
        let df = match vxlan.df {
            OuterDf::Unset => false,
            OuterDf::Set => true,
            OuterDf::Inherit => header.map_or(skb.frame.net.ethertype() == 0x86dd, |h| h.dont_fragment),
        };
        let ttl = match vxlan.ttl {
            OuterTtl::Fixed(n) => n,
            OuterTtl::Inherit => header.map_or(0, |h| h.ttl),
            OuterTtl::Auto if remote.addr.is_multicast() => 1,
            OuterTtl::Auto => 0,
        };
        let ttl = if ttl == 0 { self.ns.config.sysctl.ip_default_ttl } else { ttl };
        let outer = Outer { src, dst: remote.addr, tos: ecn_encapsulate(tos, inner), ttl, df };
        let data = Vxlan::new(remote.vni).encapsulate(&skb.frame);
        let udp = Udp { no_checksum: !vxlan.udp_csum, ..Udp::new(src_port, port, data) };
        let said = Said { tunnel: Tunnel::Vxlan, id: remote.vni, ports: (src_port, port) };
        self.iptunnel_xmit(skb, dev, dst, &outer, Body::Udp(udp), &said);
    }

    /// The endpoint is this host: the frame goes straight to the device of that network (encap_bypass_if_local).
    fn encap_bypass_if_local(&mut self, mut skb: Box<Skb>, dev: IfIndex, vni: u32, port: u16) {
        let Some((to, config)) = self.vxlan_find_vni(vni, port) else {
            return self.drop_skb(skb, dev, DropReason::VxlanVniNotFound);
        };
        if config.learning {
            self.vxlan_snoop(&skb, to, &config, Ipv4Addr::LOCALHOST);
        }
        self.scrub_for_tunnel(&mut skb);
        self.effects.0.push(Effect::Receive(to, skb));
    }

    /// The device that is up, and has the network identifier at that port (vxlan_vs_find_vni).
    fn vxlan_find_vni(&self, vni: u32, port: u16) -> Option<(IfIndex, Box<VxlanConfig>)> {
        self.ns.config.devices.iter().find_map(|d| match &d.kind {
            DeviceKind::Vxlan(v) if v.vni == vni && v.dst_port == port && d.up => Some((d.index, v.clone())),
            _ => None,
        })
    }

    /// A datagram for the UDP port of a VXLAN device (vxlan_rcv).
    pub(super) fn vxlan_rcv(&mut self, mut skb: Box<Skb>, from: IfIndex) {
        let Some(p) = skb.frame.ipv4() else { return };
        let Body::Udp(udp) = &p.body else { return };
        let (outer_src, outer_tos, port) = (p.header.src, p.header.tos, udp.dst_port);
        let Ok(header) = Vxlan::decode(&udp.payload) else {
            return self.drop_skb(skb, from, DropReason::PktTooSmall);
        };
        if !header.has_vni() {
            return self.drop_skb(skb, from, DropReason::VxlanInvalidHdr);
        }
        let Some((dev, config)) = self.vxlan_find_vni(header.vni, port) else {
            return self.drop_skb(skb, from, DropReason::VxlanVniNotFound);
        };
        if header.has_unknown_bits() {
            return self.drop_skb(skb, from, DropReason::VxlanInvalidHdr);
        }
        let inside = udp.payload.get(Vxlan::HEADER_LEN..).unwrap_or(&[]);
        let Ok(mut frame) = Frame::decode(inside) else {
            return self.drop_skb(skb, from, DropReason::PktTooSmall);
        };
        let told = ecn_decapsulate(outer_tos, &mut frame);
        let said = Evidence::Decap { tunnel: Tunnel::Vxlan, id: header.vni, src: Addr32::from(outer_src), device: dev.0 as u16 };
        let source = frame.eth.src;
        self.decapsulated(&mut skb, from, said, frame);
        let own = self.ns.config.devices.get(dev).map_or(Mac::ZERO, |d| d.mac);
        if source == own {
            return self.drop_skb(skb, dev, DropReason::LocalMac);
        }
        if config.learning
            && let Some(reason) = self.vxlan_learn(&skb, dev, &config, source, outer_src)
        {
            return self.drop_skb(skb, dev, reason);
        }
        if !told {
            return self.drop_skb(skb, dev, DropReason::IpTunnelEcn);
        }
        self.tunnel_rcv(skb, dev);
    }

    /// The frame of a device of this very host is learned from too.
    fn vxlan_snoop(&mut self, skb: &Skb, dev: IfIndex, vxlan: &VxlanConfig, remote: Ipv4Addr) {
        let source = skb.frame.eth.src;
        // a contradiction is of no consequence here
        let _ = self.vxlan_learn(skb, dev, vxlan, source, remote);
    }

    /// Learns behind which endpoint the source of a frame is; a reason if the frame must go (vxlan_snoop).
    fn vxlan_learn(&mut self, skb: &Skb, dev: IfIndex, vxlan: &VxlanConfig, mac: Mac, addr: Ipv4Addr) -> Option<DropReason> {
        if !mac.is_valid() {
            return Some(DropReason::MacInvalidSource);
        }
        self.vxlan_forget_aged(dev, mac, vxlan);
        let now = self.now;
        let fdb = self.ns.vxlan.get_mut(&dev)?;
        let room = vxlan.max_addresses == 0 || fdb.len() < vxlan.max_addresses as usize;
        let new = match fdb.get_mut(mac) {
            Some(e) => {
                e.used = now;
                let first = e.remotes.first_mut()?;
                if first.addr == addr && !first.via.is_some() {
                    false
                } else if e.state != EntryState::Dynamic {
                    return Some(DropReason::VxlanEntryExists);
                } else {
                    first.addr = addr;
                    true
                }
            }
            None if !room => return None,
            None => {
                let remote = Remote { addr, port: vxlan.dst_port, vni: vxlan.vni, via: IfIndex::NONE };
                fdb.insert(mac, VxlanEntry { remotes: smallvec![remote], state: EntryState::Dynamic, used: now, source: Source::Kernel });
                true
            }
        };
        if T::ON {
            let step = self.step(skb, dev, Evidence::RemoteLearn { mac, remote: Addr32::from(addr), new });
            if new {
                if let Some(e) = self.ns.vxlan.get_mut(&dev).and_then(|f| f.get_mut(mac)) {
                    e.source = Source::Step(step.0);
                }
                self.trace.delta(self.ns.id, StateDelta::Remote { dev, mac, remote: Some(addr) });
            }
        }
        None
    }
}
