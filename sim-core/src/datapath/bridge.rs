//! A bridge: learning, forwarding, flooding, and the way up to the host.
//!
//! Models: net/bridge/br_input.c br_handle_frame, br_handle_frame_finish; br_forward.c br_forward, br_flood;
//! br_fdb.c br_fdb_update; br_device.c br_dev_xmit.
//! Simplifies: no spanning tree (every port that is up forwards), no multicast snooping.
//! Seen in: 01-same-node-bridge, 05-docker-publish-dnat, 09-hairpin-on.
//!
//! ```text
//!  port ─► PRE_ROUTING ─► learn ─► look up ─┬─► FORWARD ─► POST_ROUTING ─► port(s)
//!                                           └─► LOCAL_IN ─► bridge device, up
//!  bridge device, down ──► look up ─► LOCAL_OUT ─► POST_ROUTING ─► port(s)
//! ```

use super::walk::Walk;
use crate::linux::IfIndex;
use crate::linux::Time;
use crate::linux::device::{BridgeConfig, Device, DeviceKind};
use crate::linux::fdb::{Fdb, FdbEntry};
use crate::linux::id::Source;
use crate::linux::netfilter::Hook;
use crate::linux::skb::{PktType, Skb};
use crate::packet::{Mac, VlanTag};
use crate::trace::delta::StateDelta;
use crate::trace::evidence::{FdbVerdict, VlanVerdict};
use crate::trace::{DropReason, Evidence, Tracer};

/// Whether the address is one of those that a bridge keeps to itself (01:80:c2:00:00:00 to 0f).
fn is_link_local(mac: Mac) -> bool {
    mac.0[..5] == [0x01, 0x80, 0xc2, 0x00, 0x00] && mac.0[5] & 0xf0 == 0
}

fn bridge_config(device: Option<&Device>) -> Option<&BridgeConfig> {
    match &device?.kind {
        DeviceKind::Bridge(b) => Some(b),
        _ => None,
    }
}

impl<T: Tracer> Walk<'_, T> {
    /// A frame came in by a port (br_handle_frame).
    pub(super) fn br_handle_frame(&mut self, mut skb: Box<Skb>, port: IfIndex) {
        let config = &*self.ns.config;
        let Some(p) = config.devices.get(port) else { return };
        let master = p.master;
        let Some(bridge) = config.devices.get(master) else {
            return self.drop_skb(skb, port, DropReason::DevReady);
        };
        let (bridge_mac, bridge_up) = (bridge.mac, bridge.up);
        let group_fwd_mask = bridge_config(Some(bridge)).map_or(0, |b| b.group_fwd_mask);
        if !skb.frame.eth.src.is_valid() {
            return self.drop_skb(skb, port, DropReason::NotSpecified);
        }
        if !bridge_up {
            return self.drop_skb(skb, port, DropReason::BridgeIngressStpState);
        }
        if is_link_local(skb.frame.eth.dst) {
            match skb.frame.eth.dst.0[5] {
                // with the spanning tree off its frames are forwarded like others
                0x00 => {}
                // pause frames never pass
                0x01 => return self.drop_skb(skb, port, DropReason::NotSpecified),
                last if group_fwd_mask & (1 << last) != 0 => {}
                _ => {
                    // for this host alone (br_handle_local_finish)
                    let Some((skb, vid)) = self.br_allowed_ingress(skb, master, port) else { return };
                    self.br_fdb_update(&skb, master, port, vid);
                    return self.br_pass_frame_up(skb, master, port, vid);
                }
            }
        }
        if skb.frame.eth.dst == bridge_mac {
            skb.pkt_type = PktType::Host;
        }
        let Some(skb) = self.br_hook(skb, Hook::Prerouting, port, IfIndex::NONE) else { return };
        self.br_handle_frame_finish(skb, port);
    }

    /// Whether a port forwards now: it runs, and the bridge has noticed.
    fn br_forwards(&self, port: &Device) -> bool {
        port.is_running() && (port.port.since == Time::ZERO || port.port.since < self.now)
    }

    /// Behind the bridge's PRE_ROUTING (br_handle_frame_finish).
    pub(super) fn br_handle_frame_finish(&mut self, skb: Box<Skb>, port: IfIndex) {
        let Some(p) = self.ns.config.devices.get(port) else { return };
        let (bridge, learning, forwards) = (p.master, p.port.learning, self.br_forwards(p));
        if !forwards {
            return self.drop_skb(skb, port, DropReason::BridgeIngressStpState);
        }
        let Some((skb, vid)) = self.br_allowed_ingress(skb, bridge, port) else { return };
        if learning {
            self.br_fdb_update(&skb, bridge, port, vid);
        }
        let dst = skb.frame.eth.dst;
        // a promiscuous bridge hears all that passes
        let promiscuous = self.ns.config.devices.get(bridge).is_some_and(|b| b.flags.promisc);
        let entry = if dst.is_multicast() { None } else { self.br_fdb_find(bridge, dst, vid) };
        match entry {
            Some(e) if e.local => {
                self.fdb_step(&skb, bridge, dst, FdbVerdict::Local);
                self.br_pass_frame_up(skb, bridge, port, vid);
            }
            Some(e) => {
                let to = e.port;
                let copy = promiscuous.then(|| self.clone_skb(&skb));
                if self.should_deliver(to, port, vid) {
                    self.fdb_step(&skb, bridge, dst, FdbVerdict::Port(to));
                    self.br_forward(skb, port, to, vid);
                } else {
                    self.fdb_step(&skb, bridge, dst, FdbVerdict::Nowhere);
                    self.drop_skb(skb, port, DropReason::NoTxTarget);
                }
                if let Some(copy) = copy {
                    self.br_pass_frame_up(copy, bridge, port, vid);
                }
            }
            None => {
                self.fdb_step(&skb, bridge, dst, FdbVerdict::Flood);
                // the ports first, then the host: br_flood, then br_pass_frame_up
                self.br_flood(&skb, bridge, port, vid);
                if dst.is_multicast() || promiscuous {
                    return self.br_pass_frame_up(skb, bridge, port, vid);
                }
                // skb_consume: the copies live on
                self.release_ct(&skb);
            }
        }
    }

    #[inline]
    fn fdb_step(&mut self, skb: &Skb, bridge: IfIndex, mac: Mac, verdict: FdbVerdict) {
        self.step(skb, bridge, Evidence::FdbLookup { mac, verdict });
    }

    /// Learns the source address, or sees it again (br_fdb_update).
    fn br_fdb_update(&mut self, skb: &Skb, bridge: IfIndex, port: IfIndex, vlan: u16) {
        let mac = skb.frame.eth.src;
        let now = self.now;
        let fdb = match self.ns.fdb.get_mut(&bridge) {
            Some(f) => f,
            None => {
                self.ns.fdb.insert(bridge, Fdb::default());
                match self.ns.fdb.get_mut(&bridge) {
                    Some(f) => f,
                    None => return,
                }
            }
        };
        // "received packet with own address as source address": somebody plays our own frames back
        if fdb.get(mac).is_some_and(|e| e.local) {
            return;
        }
        let new = match fdb.get_mut(mac, vlan) {
            Some(e) if e.local => return,
            Some(e) if e.port == port => {
                e.updated = now;
                false
            }
            Some(e) => {
                e.port = port;
                e.updated = now;
                true
            }
            None => {
                fdb.insert(mac, FdbEntry { port, vlan, updated: now, local: false, fixed: false, born: 0, source: Source::Kernel });
                true
            }
        };
        if T::ON {
            let step = self.step(skb, bridge, Evidence::FdbLearn { mac, port: port.0 as u16, new });
            if new {
                if let Some(e) = self.ns.fdb.get_mut(&bridge).and_then(|f| f.get_mut(mac, vlan)) {
                    e.source = Source::Step(step.0);
                }
                self.trace.delta(self.ns.id, StateDelta::Fdb { bridge, mac, port });
            }
        }
    }

    /// The entry of `mac`, unless it has aged (br_fdb_find_rcu). Own addresses are known in every VLAN of who has them.
    fn br_fdb_find(&self, bridge: IfIndex, mac: Mac, vlan: u16) -> Option<FdbEntry> {
        let device = self.ns.config.devices.get(bridge)?;
        let config = bridge_config(Some(device))?;
        let own = |port: IfIndex| self.br_allowed_egress(bridge, port, vlan);
        if device.mac == mac && own(bridge) {
            return Some(FdbEntry { port: bridge, vlan, updated: self.now, local: true, fixed: true, born: 0, source: device.source });
        }
        let fdb = self.ns.fdb.get(&bridge)?;
        let entry = match fdb.get_in(mac, vlan) {
            Some(e) => *e,
            None => *fdb.get(mac).filter(|e| e.local && own(e.port))?,
        };
        let aged = !entry.local && !entry.fixed && self.now.since(entry.updated) > config.ageing_time;
        (!aged).then_some(entry)
    }

    /// Whether a frame that came in by `from` (none: from the host itself) may leave by `to` (should_deliver).
    fn should_deliver(&self, to: IfIndex, from: IfIndex, vlan: u16) -> bool {
        let devices = &self.ns.config.devices;
        let Some(t) = devices.get(to) else { return false };
        let isolated = t.port.isolated && devices.get(from).is_some_and(|f| f.master.is_some() && f.port.isolated);
        (t.port.hairpin || to != from) && self.br_forwards(t) && !isolated && self.br_allowed_egress(t.master, to, vlan)
    }

    /// Sends one frame out of one port (__br_forward).
    pub(super) fn br_forward(&mut self, mut skb: Box<Skb>, from: IfIndex, to: IfIndex, vlan: u16) {
        let bridge = self.ns.config.devices.get(to).map_or(IfIndex::NONE, |d| d.master);
        self.br_handle_vlan(&mut skb, bridge, to, vlan);
        let hook = if from.is_some() { Hook::Forward } else { Hook::Output };
        let Some(skb) = self.br_hook(skb, hook, from, to) else { return };
        let Some(mut skb) = self.br_hook(skb, Hook::Postrouting, IfIndex::NONE, to) else { return };
        let mtu = self.ns.config.devices.get(to).map_or(0, |d| d.mtu);
        // is_skb_forwardable leaves room for a tag, whether there is one or not; the outermost is kept beside the packet
        let len = super::transmit::net_len(&skb) + VlanTag::LEN as u32 * skb.frame.eth.tags.len().saturating_sub(1) as u32;
        if len > mtu.saturating_add(VlanTag::LEN as u32) {
            return self.drop_skb(skb, to, DropReason::PktTooBig);
        }
        skb.bridge = None;
        self.dev_queue_xmit(skb, to);
    }

    /// Sends copies out of all ports that may have them (br_flood). `from` is none for frames of the host itself.
    fn br_flood(&mut self, skb: &Skb, bridge: IfIndex, from: IfIndex, vlan: u16) {
        let config = self.ns.config.clone();
        let Some(b) = bridge_config(config.devices.get(bridge)) else { return };
        let dst = skb.frame.eth.dst;
        for &to in &b.ports {
            let Some(p) = config.devices.get(to) else { continue };
            // the switches for groups are not for what the host itself sends
            let wanted = if dst.is_broadcast() {
                p.port.bcast_flood || !from.is_some()
            } else if dst.is_multicast() {
                p.port.mcast_flood || !from.is_some()
            } else {
                p.port.flood
            };
            if wanted && self.should_deliver(to, from, vlan) {
                let copy = self.clone_skb(skb);
                self.br_forward(copy, from, to, vlan);
            }
        }
    }

    /// Hands a frame up to the bridge device (br_pass_frame_up).
    fn br_pass_frame_up(&mut self, mut skb: Box<Skb>, bridge: IfIndex, port: IfIndex, vlan: u16) {
        let promiscuous = self.ns.config.devices.get(bridge).is_some_and(|b| b.flags.promisc);
        if !self.br_allowed_egress(bridge, bridge, vlan) {
            if !promiscuous {
                self.step(&skb, bridge, Evidence::VlanFilter { ingress: false, vid: vlan, verdict: VlanVerdict::Dropped });
                return self.drop_skb(skb, bridge, DropReason::VlanFilter);
            }
        } else {
            self.br_handle_vlan(&mut skb, bridge, bridge, vlan);
        }
        let Some(skb) = self.br_hook(skb, Hook::Input, port, IfIndex::NONE) else { return };
        if !self.ns.config.devices.get(bridge).is_some_and(|d| d.up) {
            return self.drop_skb(skb, bridge, DropReason::DevReady);
        }
        self.deliver_frame(skb, bridge);
    }

    /// The host sends through the bridge device (br_dev_xmit).
    pub(super) fn br_dev_xmit(&mut self, mut skb: Box<Skb>, bridge: IfIndex) {
        if skb.bridge.as_ref().is_some_and(|b| b.bridged_dnat) {
            return self.br_nf_dev_xmit(skb, bridge);
        }
        skb.bridge = None;
        let Some((skb, vid)) = self.br_allowed_ingress(skb, bridge, bridge) else { return };
        let dst = skb.frame.eth.dst;
        let entry = if dst.is_multicast() { None } else { self.br_fdb_find(bridge, dst, vid) };
        match entry {
            Some(e) if !e.local && self.should_deliver(e.port, IfIndex::NONE, vid) => {
                self.fdb_step(&skb, bridge, dst, FdbVerdict::Port(e.port));
                self.br_forward(skb, IfIndex::NONE, e.port, vid);
            }
            Some(_) => {
                self.fdb_step(&skb, bridge, dst, FdbVerdict::Nowhere);
                self.drop_skb(skb, bridge, DropReason::NoTxTarget);
            }
            None => {
                self.fdb_step(&skb, bridge, dst, FdbVerdict::Flood);
                self.br_flood(&skb, bridge, IfIndex::NONE, vid);
                self.release_ct(&skb);
            }
        }
    }
}
