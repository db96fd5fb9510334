//! The first stage: a frame comes in by a device.
//!
//! Models: net/core/dev.c __netif_receive_skb_core, net/ethernet/eth.c eth_type_trans.
//! Spec: IEEE 802.1Q-2018 clause 9 (tags).
//! Simplifies: no XDP, no traffic control, no ingress hook.
//! Seen in: 01-same-node-bridge, 03-vxlan-flannel.

use super::transmit::net_len;
use super::walk::Walk;
use crate::linux::device::{DeviceKind, UpperKind};
use crate::linux::skb::{PktType, Skb};
use crate::linux::{IfIndex, PacketId};
use crate::packet::Net;
use crate::trace::{DropReason, Evidence, Tracer};

impl<T: Tracer> Walk<'_, T> {
    /// A frame arrives at `dev` from its wire or its other end (netif_receive_skb).
    pub fn receive(&mut self, mut skb: Box<Skb>, dev: IfIndex) {
        let Some(device) = self.ns.config.devices.get(dev) else {
            return self.drop_skb(skb, dev, DropReason::DevReady);
        };
        if !device.up {
            return self.drop_skb(skb, dev, DropReason::DevReady);
        }
        let dst = skb.frame.eth.dst;
        skb.pkt_type = if matches!(device.kind, DeviceKind::Loopback) || !device.kind.has_link_header() || dst == device.mac {
            PktType::Host
        } else if dst.is_broadcast() {
            PktType::Broadcast
        } else if dst.is_multicast() {
            PktType::Multicast
        } else {
            PktType::OtherHost
        };
        self.deliver_frame(skb, dev);
    }

    /// A frame comes up to `dev` from the device that it stands on, which has said whom it is for.
    pub fn receive_upper(&mut self, skb: Box<Skb>, dev: IfIndex) {
        if !self.ns.config.devices.get(dev).is_some_and(|d| d.up) {
            return self.drop_skb(skb, dev, DropReason::DevReady);
        }
        self.deliver_frame(skb, dev);
    }

    /// A frame enters the stack by `dev` (__netif_receive_skb_core): captures, VLAN devices, the device's handler of frames, protocols.
    pub(super) fn deliver_frame(&mut self, mut skb: Box<Skb>, dev: IfIndex) {
        skb.iif = dev;
        if T::ON {
            let (pkttype, len) = (skb.pkt_type, net_len(&skb));
            self.step(&skb, dev, Evidence::Receive { pkttype, copy_of: PacketId::NONE, len });
        }
        if !skb.frame.eth.tags.is_empty() {
            if self.shows_tag(dev).is_some() {
                self.pop_tag(&mut skb);
            }
            if let Some(tag) = skb.frame.eth.tags.outer() {
                match self.vlan_do_receive(skb, dev, tag) {
                    Some(back) => skb = back,
                    None => return,
                }
            }
        }
        let Some(device) = self.ns.config.devices.get(dev) else { return };
        if device.master.is_some() {
            return self.br_handle_frame(skb, dev);
        }
        if let Some(upper) = device.stack.uppers.iter().find(|u| u.handles_frames()) {
            let passed = match upper.kind {
                UpperKind::Macvlan(_) => self.macvlan_handle_frame(skb, dev),
                _ => self.ipvlan_handle_frame(skb, dev),
            };
            match passed {
                Some(back) => skb = back,
                None => return,
            }
        }
        if !skb.frame.eth.tags.is_empty() {
            match self.leftover_tag(skb, dev) {
                Some(back) => skb = back,
                None => return,
            }
        }
        match &skb.frame.net {
            Net::Ipv4(_) => self.ip_rcv(skb, dev),
            Net::Arp(arp) => {
                let arp = *arp;
                self.arp_rcv(skb, dev, arp);
            }
            Net::Ipv6(_) => self.ip6_rcv(skb, dev),
            Net::Other { .. } => self.drop_skb(skb, dev, DropReason::UnhandledProto),
        }
    }
}
