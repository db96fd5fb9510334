//! A bridge: learning, forwarding, flooding, and the way up to the host.
//!
//! Models: net/bridge/br_input.c br_handle_frame, br_handle_frame_finish; br_forward.c br_forward, br_flood;
//! br_fdb.c br_fdb_update; br_device.c br_dev_xmit.
//! Simplifies: no spanning tree (every port that is up forwards), no VLAN filtering, no multicast snooping.
//!
//! ```text
//!  port ─► PRE_ROUTING ─► learn ─► look up ─┬─► FORWARD ─► POST_ROUTING ─► port(s)
//!                                           └─► LOCAL_IN ─► bridge device, up
//!  bridge device, down ──► look up ─► LOCAL_OUT ─► POST_ROUTING ─► port(s)
//! ```

use super::walk::Walk;
use crate::linux::IfIndex;
use crate::linux::device::{BridgeConfig, Device, DeviceKind};
use crate::linux::fdb::{Fdb, FdbEntry};
use crate::linux::id::Source;
use crate::linux::netfilter::Hook;
use crate::linux::skb::{PktType, Skb};
use crate::packet::Mac;
use crate::trace::delta::StateDelta;
use crate::trace::evidence::FdbVerdict;
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
                _ => {
                    self.br_fdb_update(&skb, master, port);
                    return self.br_pass_frame_up(skb, master, port);
                }
            }
        }
        if skb.frame.eth.dst == bridge_mac {
            skb.pkt_type = PktType::Host;
        }
        let Some(skb) = self.br_hook(skb, Hook::Prerouting, port, IfIndex::NONE) else { return };
        self.br_handle_frame_finish(skb, port);
    }

    /// Behind the bridge's PRE_ROUTING (br_handle_frame_finish).
    pub(super) fn br_handle_frame_finish(&mut self, skb: Box<Skb>, port: IfIndex) {
        let Some(p) = self.ns.config.devices.get(port) else { return };
        let (bridge, learning, running) = (p.master, p.port.learning, p.is_running());
        if !running {
            return self.drop_skb(skb, port, DropReason::BridgeIngressStpState);
        }
        if learning {
            self.br_fdb_update(&skb, bridge, port);
        }
        let dst = skb.frame.eth.dst;
        if dst.is_multicast() {
            self.fdb_step(&skb, bridge, dst, FdbVerdict::Flood);
            // the ports first, then the host: br_flood, then br_pass_frame_up
            self.br_flood(&skb, bridge, port, false);
            return self.br_pass_frame_up(skb, bridge, port);
        }
        match self.br_fdb_find(bridge, dst) {
            Some(e) if e.local => {
                self.fdb_step(&skb, bridge, dst, FdbVerdict::Local);
                self.br_pass_frame_up(skb, bridge, port);
            }
            Some(e) => {
                let to = e.port;
                if self.should_deliver(to, port) {
                    self.fdb_step(&skb, bridge, dst, FdbVerdict::Port(to));
                    self.br_forward(skb, port, to);
                } else {
                    self.fdb_step(&skb, bridge, dst, FdbVerdict::Nowhere);
                    self.drop_skb(skb, port, DropReason::NoTxTarget);
                }
            }
            None => {
                self.fdb_step(&skb, bridge, dst, FdbVerdict::Flood);
                self.br_flood(&skb, bridge, port, false);
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
    fn br_fdb_update(&mut self, skb: &Skb, bridge: IfIndex, port: IfIndex) {
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
        let new = match fdb.get_mut(mac) {
            // "received packet with own address as source address": somebody plays our own frames back
            Some(e) if e.local => return,
            Some(e) if e.port == port || e.fixed => {
                e.updated = now;
                false
            }
            Some(e) => {
                e.port = port;
                e.updated = now;
                true
            }
            None => {
                fdb.insert(mac, FdbEntry { port, updated: now, local: false, fixed: false, source: Source::Kernel });
                true
            }
        };
        if T::ON {
            let step = self.step(skb, bridge, Evidence::FdbLearn { mac, port: port.0 as u16, new });
            if new {
                if let Some(e) = self.ns.fdb.get_mut(&bridge).and_then(|f| f.get_mut(mac)) {
                    e.source = Source::Step(step.0);
                }
                self.trace.delta(self.ns.id, StateDelta::Fdb { bridge, mac, port });
            }
        }
    }

    /// The entry of `mac`, unless it has aged (br_fdb_find_rcu).
    fn br_fdb_find(&self, bridge: IfIndex, mac: Mac) -> Option<FdbEntry> {
        let device = self.ns.config.devices.get(bridge)?;
        if device.mac == mac {
            return Some(FdbEntry { port: bridge, updated: self.now, local: true, fixed: true, source: device.source });
        }
        let entry = *self.ns.fdb.get(&bridge)?.get(mac)?;
        let ageing = bridge_config(Some(device))?.ageing_time;
        let aged = !entry.local && !entry.fixed && self.now.since(entry.updated) > ageing;
        (!aged).then_some(entry)
    }

    /// Whether a frame that came in by `from` (none: from the host itself) may leave by `to` (should_deliver).
    fn should_deliver(&self, to: IfIndex, from: IfIndex) -> bool {
        let devices = &self.ns.config.devices;
        let Some(t) = devices.get(to) else { return false };
        let isolated = t.port.isolated && devices.get(from).is_some_and(|f| f.master.is_some() && f.port.isolated);
        (t.port.hairpin || to != from) && t.is_running() && !isolated
    }

    /// Sends one frame out of one port (__br_forward).
    pub(super) fn br_forward(&mut self, skb: Box<Skb>, from: IfIndex, to: IfIndex) {
        let hook = if from.is_some() { Hook::Forward } else { Hook::Output };
        let Some(skb) = self.br_hook(skb, hook, from, to) else { return };
        let Some(mut skb) = self.br_hook(skb, Hook::Postrouting, IfIndex::NONE, to) else { return };
        let mtu = self.ns.config.devices.get(to).map_or(0, |d| d.mtu);
        if super::transmit::net_len(&skb) > mtu {
            return self.drop_skb(skb, to, DropReason::PktTooBig);
        }
        skb.bridge = None;
        self.dev_queue_xmit(skb, to);
    }

    /// Sends copies out of all ports that may have them (br_flood). `from` is none for frames of the host itself.
    fn br_flood(&mut self, skb: &Skb, bridge: IfIndex, from: IfIndex, _local: bool) {
        let config = self.ns.config.clone();
        let Some(b) = bridge_config(config.devices.get(bridge)) else { return };
        let dst = skb.frame.eth.dst;
        for &to in &b.ports {
            let Some(p) = config.devices.get(to) else { continue };
            let wanted = if dst.is_broadcast() {
                p.port.bcast_flood
            } else if dst.is_multicast() {
                p.port.mcast_flood
            } else {
                p.port.flood
            };
            if wanted && self.should_deliver(to, from) {
                let copy = self.clone_skb(skb);
                self.br_forward(copy, from, to);
            }
        }
    }

    /// Hands a frame up to the bridge device (br_pass_frame_up).
    fn br_pass_frame_up(&mut self, skb: Box<Skb>, bridge: IfIndex, port: IfIndex) {
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
        let dst = skb.frame.eth.dst;
        if dst.is_multicast() {
            self.fdb_step(&skb, bridge, dst, FdbVerdict::Flood);
            self.br_flood(&skb, bridge, IfIndex::NONE, true);
            return self.release_ct(&skb);
        }
        match self.br_fdb_find(bridge, dst) {
            Some(e) if e.local => {
                self.fdb_step(&skb, bridge, dst, FdbVerdict::Nowhere);
                self.drop_skb(skb, bridge, DropReason::NoTxTarget);
            }
            Some(e) if self.should_deliver(e.port, IfIndex::NONE) => {
                self.fdb_step(&skb, bridge, dst, FdbVerdict::Port(e.port));
                self.br_forward(skb, IfIndex::NONE, e.port);
            }
            Some(_) => {
                self.fdb_step(&skb, bridge, dst, FdbVerdict::Nowhere);
                self.drop_skb(skb, bridge, DropReason::NoTxTarget);
            }
            None => {
                self.fdb_step(&skb, bridge, dst, FdbVerdict::Flood);
                self.br_flood(&skb, bridge, IfIndex::NONE, true);
                self.release_ct(&skb);
            }
        }
    }
}
