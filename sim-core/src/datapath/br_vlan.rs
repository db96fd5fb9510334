//! VLANs of a bridge: who may come in, who may go out, and with which tag.
//!
//! Models: net/bridge/br_vlan.c br_allowed_ingress, __allowed_ingress, br_allowed_egress, br_handle_vlan.
//! Spec: IEEE 802.1Q-2018 clause 8.6 (ingress and egress filtering).
//! Simplifies: no states per VLAN, no statistics, no tunnels.

use super::walk::Walk;
use crate::linux::IfIndex;
use crate::linux::device::{BridgeConfig, BridgeVlans, DeviceKind};
use crate::linux::skb::Skb;
use crate::packet::VlanTag;
use crate::trace::evidence::VlanVerdict;
use crate::trace::{DropReason, Evidence, Tracer};

impl<T: Tracer> Walk<'_, T> {
    fn bridge_of(&self, bridge: IfIndex) -> Option<&BridgeConfig> {
        match &self.ns.config.devices.get(bridge)?.kind {
            DeviceKind::Bridge(b) => Some(b),
            _ => None,
        }
    }

    /// The VLANs of a port, or of the bridge's own device.
    fn vlans_of(&self, bridge: IfIndex, port: IfIndex) -> Option<&BridgeVlans> {
        if port == bridge {
            return self.bridge_of(bridge).map(|b| &b.vlans);
        }
        self.ns.config.devices.get(port).map(|d| &d.port.vlans)
    }

    /// Whether a frame may come in by `port` (the bridge itself for frames of the host). Returns it with its VLAN, 0 on a bridge
    /// that does not filter; none if it was dropped (br_allowed_ingress).
    pub(super) fn br_allowed_ingress(&mut self, mut skb: Box<Skb>, bridge: IfIndex, port: IfIndex) -> Option<(Box<Skb>, u16)> {
        let Some(b) = self.bridge_of(bridge) else { return Some((skb, 0)) };
        if !b.vlan_filtering {
            return Some((skb, 0));
        }
        let protocol = b.vlan_protocol;
        let Some(vlans) = self.vlans_of(bridge, port) else { return Some((skb, 0)) };
        let tag = skb.frame.eth.tags.outer().filter(|t| t.protocol == protocol);
        let pvid = vlans.pvid;
        let told = tag.map_or(0, VlanTag::id);
        let vid = if told != 0 { told } else { pvid };
        if vid == 0 || !vlans.contains(vid) {
            self.step(&skb, port, Evidence::VlanFilter { ingress: true, vid: told, verdict: VlanVerdict::Dropped });
            self.drop_skb(skb, port, DropReason::VlanFilter);
            return None;
        }
        let verdict = if told == 0 { VlanVerdict::Pvid } else { VlanVerdict::Tagged };
        self.step(&skb, port, Evidence::VlanFilter { ingress: true, vid, verdict });
        match tag {
            Some(tag) if tag.id() == 0 => {
                // a priority and no VLAN: the priority stays
                skb.frame.eth.tags.set_outer(VlanTag { tci: tag.tci | pvid, ..tag });
                self.rewritten(&mut skb);
            }
            Some(_) => {}
            None => {
                if !self.push_tag(&mut skb, VlanTag::new(protocol, pvid)) {
                    self.drop_skb(skb, port, DropReason::VlanFilter);
                    return None;
                }
            }
        }
        Some((skb, vid))
    }

    /// Whether a frame of the VLAN may leave by `port` (br_allowed_egress).
    pub(super) fn br_allowed_egress(&self, bridge: IfIndex, port: IfIndex, vid: u16) -> bool {
        vid == 0 || self.vlans_of(bridge, port).is_some_and(|v| v.contains(vid))
    }

    /// Before a frame leaves by `port`: its tag is taken away where the VLAN is untagged (br_handle_vlan).
    pub(super) fn br_handle_vlan(&mut self, skb: &mut Skb, bridge: IfIndex, port: IfIndex, vid: u16) {
        if vid == 0 {
            return;
        }
        let untag = self.vlans_of(bridge, port).is_some_and(|v| v.untagged(vid));
        let verdict = if untag { VlanVerdict::Untagged } else { VlanVerdict::Tagged };
        self.step(skb, port, Evidence::VlanFilter { ingress: false, vid, verdict });
        if untag {
            self.pop_tag(skb);
        }
    }
}
