//! VLAN devices: tags are put on on the way out, and decide on the way in.
//!
//! Models: net/8021q/vlan_dev.c vlan_dev_hard_start_xmit, vlan_dev_hard_header; net/8021q/vlan_core.c vlan_do_receive.
//! Spec: IEEE 802.1Q-2018 clause 9.
//! Simplifies: priorities are not mapped: a frame of a VLAN device has priority 0.

use super::walk::{Beyond, Effect, Walk};
use crate::linux::IfIndex;
use crate::linux::device::{DeviceKind, UpperKind};
use crate::linux::skb::{PktType, Skb};
use crate::packet::{VlanTag, VlanTags};
use crate::trace::{DropReason, Tracer};

impl<T: Tracer> Walk<'_, T> {
    /// Puts a tag before those that a frame has; false if the frame had to be dropped.
    pub(super) fn push_tag(&mut self, skb: &mut Skb, tag: VlanTag) -> bool {
        let fits = skb.frame.eth.tags.push(tag);
        self.rewritten(skb);
        fits
    }

    /// Takes the outermost tag away (__vlan_hwaccel_clear_tag).
    pub(super) fn pop_tag(&mut self, skb: &mut Skb) {
        if skb.frame.eth.tags.pop().is_some() {
            self.rewritten(skb);
        }
    }

    /// Whether a capture on `dev` shows the frame with its tag: the device does not hide it.
    pub(super) fn shows_tag(&self, dev: IfIndex) -> Option<VlanTag> {
        match &self.ns.config.devices.get(dev)?.kind {
            DeviceKind::Vlan(c) if !c.reorder_hdr => Some(c.tag()),
            _ => None,
        }
    }

    /// A frame leaves by a VLAN device: tagged, and on to the device below (vlan_dev_hard_start_xmit).
    pub(super) fn vlan_dev_hard_start_xmit(&mut self, mut skb: Box<Skb>, dev: IfIndex) {
        let Some(device) = self.ns.config.devices.get(dev) else { return };
        let (DeviceKind::Vlan(c), Some((netns, lower))) = (&device.kind, device.lower()) else { return };
        // without reorder_hdr the tag is there already
        let tag = c.reorder_hdr.then(|| c.tag());
        if tag.is_some_and(|tag| !self.push_tag(&mut skb, tag)) {
            return self.drop_skb(skb, dev, DropReason::NotSpecified);
        }
        if netns == self.ns.id {
            return self.dev_queue_xmit(skb, lower);
        }
        self.effects.0.push(Effect::Beyond(netns, lower, skb, Beyond::Transmit));
    }

    /// A tagged frame came in by `dev`: is there a VLAN device for it? Returns the frame if there is none (vlan_do_receive).
    pub(super) fn vlan_do_receive(&mut self, mut skb: Box<Skb>, dev: IfIndex, tag: VlanTag) -> Option<Box<Skb>> {
        let wanted = VlanTag::new(tag.protocol, tag.id());
        let uppers = &self.ns.config.devices.get(dev)?.stack.uppers;
        let upper = uppers.iter().find(|u| matches!(u.kind, UpperKind::Vlan { tag, .. } if tag == wanted));
        let Some((netns, index, mac, up, reorder)) =
            upper.map(|u| (u.netns, u.index, u.mac, u.up, !matches!(u.kind, UpperKind::Vlan { reorder_hdr: false, .. })))
        else {
            return Some(skb);
        };
        if !up {
            self.drop_skb(skb, dev, DropReason::DevReady);
            return None;
        }
        if skb.pkt_type == PktType::OtherHost && skb.frame.eth.dst == mac {
            // the VLAN device may have an address of its own
            skb.pkt_type = PktType::Host;
        }
        if reorder {
            self.pop_tag(&mut skb);
        }
        self.deliver_upper(skb, netns, index);
        None
    }

    /// Hands a frame to a device that stands on one of this namespace (RX_HANDLER_ANOTHER): in the same breath.
    pub(super) fn deliver_upper(&mut self, skb: Box<Skb>, netns: crate::linux::NetnsId, index: IfIndex) {
        if netns == self.ns.id {
            return self.receive_upper(skb, index);
        }
        self.effects.0.push(Effect::Beyond(netns, index, skb, Beyond::Receive));
    }

    /// Before the network layer sees a frame: a tag that no VLAN device took makes it somebody else's; a priority tag is taken
    /// away. Without it, none if the frame goes round again.
    pub(super) fn leftover_tag(&mut self, mut skb: Box<Skb>, dev: IfIndex) -> Option<Box<Skb>> {
        while let Some(tag) = skb.frame.eth.tags.outer() {
            if tag.id() != 0 {
                skb.pkt_type = PktType::OtherHost;
                break;
            }
            self.pop_tag(&mut skb);
            let Some(inner) = skb.frame.eth.tags.outer() else { break };
            skb = self.vlan_do_receive(skb, dev, inner)?;
        }
        skb.frame.eth.tags = VlanTags::default();
        Some(skb)
    }
}
