//! The last stage: a frame is handed to its device.
//!
//! Models: net/core/dev.c __dev_queue_xmit (devices without a queue), drivers/net/loopback.c, net/bridge/br_device.c br_dev_xmit.
//! Simplifies: no traffic control, no egress hook.
//! Seen in: 01-same-node-bridge, 03-vxlan-flannel.

use super::walk::{Beyond, Effect, Walk};
use crate::linux::IfIndex;
use crate::linux::device::{Attach, DeviceKind};
use crate::linux::skb::Skb;
use crate::packet::Net;
use crate::trace::{DropReason, Evidence, Tracer};

/// Length of the network packet in a frame, in bytes: what an MTU limits.
#[inline]
pub fn net_len(skb: &Skb) -> u32 {
    match &skb.frame.net {
        Net::Ipv4(p) => p.len() as u32,
        Net::Arp(_) => 28,
        Net::Ipv6(p) => p.len() as u32,
        Net::Other { payload, .. } => payload.len() as u32,
    }
}

impl<T: Tracer> Walk<'_, T> {
    /// Hands a frame with a complete link header to `dev` (dev_queue_xmit).
    pub fn dev_queue_xmit(&mut self, mut skb: Box<Skb>, dev: IfIndex) {
        let Some(device) = self.ns.config.devices.get(dev) else {
            return self.drop_skb(skb, dev, DropReason::DevReady);
        };
        let bridge = matches!(device.kind, DeviceKind::Bridge(_));
        let tunnel = matches!(device.kind, DeviceKind::Vxlan(_) | DeviceKind::IpTunnel(_) | DeviceKind::Tun(_));
        let swallows = matches!(device.kind, DeviceKind::Dummy);
        if !device.up || !(device.carrier || bridge || swallows) {
            return self.drop_skb(skb, dev, DropReason::DevReady);
        }
        let attach = device.attach;
        let upper = match &device.kind {
            DeviceKind::Vlan(_) => Some(UpperXmit::Vlan),
            DeviceKind::Macvlan(_) => Some(UpperXmit::Macvlan),
            DeviceKind::Ipvlan(_) => Some(UpperXmit::Ipvlan),
            _ => None,
        };
        if upper.is_some()
            && let Some(tag) = self.shows_tag(dev)
            && !self.push_tag(&mut skb, tag)
        {
            return self.drop_skb(skb, dev, DropReason::NotSpecified);
        }
        if T::ON {
            let len = net_len(&skb);
            self.step(&skb, dev, Evidence::Transmit { len });
        }
        if bridge {
            self.br_dev_xmit(skb, dev);
        } else if let Some(upper) = upper {
            self.upper_xmit(skb, dev, upper, attach);
        } else if tunnel {
            self.tunnel_xmit(skb, dev);
        } else if attach != Attach::None {
            self.effects.0.push(Effect::Transmit(dev, skb));
        } else {
            // a dummy swallows the frame: it has been sent as far as anybody can tell
            self.release_ct(&skb);
        }
    }

    /// A frame leaves by a device that stands on another.
    fn upper_xmit(&mut self, skb: Box<Skb>, dev: IfIndex, upper: UpperXmit, attach: Attach) {
        let Attach::Lower { netns, index: lower } = attach else { return self.drop_skb(skb, dev, DropReason::DevReady) };
        let here = self.ns.id;
        match upper {
            UpperXmit::Vlan => self.vlan_dev_hard_start_xmit(skb, dev),
            UpperXmit::Macvlan if netns == here => self.macvlan_queue_xmit(skb, lower, (here, dev)),
            UpperXmit::Macvlan => self.effects.0.push(Effect::Beyond(netns, lower, skb, Beyond::Macvlan(here, dev))),
            UpperXmit::Ipvlan if netns == here => self.ipvlan_queue_xmit(skb, lower, (here, dev)),
            UpperXmit::Ipvlan => self.effects.0.push(Effect::Beyond(netns, lower, skb, Beyond::Ipvlan(here, dev))),
        }
    }
}

/// Which kind of upper device sends.
#[derive(Clone, Copy)]
enum UpperXmit {
    Vlan,
    Macvlan,
    Ipvlan,
}
