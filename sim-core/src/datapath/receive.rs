//! The first stage: a frame comes in by a device.
//!
//! Models: net/core/dev.c __netif_receive_skb_core, net/ethernet/eth.c eth_type_trans.
//! Simplifies: no XDP, no traffic control, no ingress hook.

use super::transmit::net_len;
use super::walk::Walk;
use crate::linux::device::DeviceKind;
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
        skb.pkt_type = if matches!(device.kind, DeviceKind::Loopback) || dst == device.mac {
            PktType::Host
        } else if dst.is_broadcast() {
            PktType::Broadcast
        } else if dst.is_multicast() {
            PktType::Multicast
        } else {
            PktType::OtherHost
        };
        let port = device.master.is_some();
        self.deliver_frame(skb, dev, port);
    }

    /// A frame enters the stack by `dev`: by its own wire, or up from a bridge.
    pub(super) fn deliver_frame(&mut self, mut skb: Box<Skb>, dev: IfIndex, port: bool) {
        skb.iif = dev;
        if T::ON {
            let (pkttype, len) = (skb.pkt_type, net_len(&skb));
            self.step(&skb, dev, Evidence::Receive { pkttype, copy_of: PacketId::NONE, len });
        }
        if port {
            return self.br_handle_frame(skb, dev);
        }
        match &skb.frame.net {
            Net::Ipv4(_) => self.ip_rcv(skb, dev),
            Net::Arp(arp) => {
                let arp = *arp;
                self.arp_rcv(skb, dev, arp);
            }
            Net::Ipv6(_) | Net::Other { .. } => self.drop_skb(skb, dev, DropReason::UnhandledProto),
        }
    }
}
