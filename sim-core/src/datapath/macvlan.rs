//! macvlan: several hardware addresses on one device.
//!
//! Models: drivers/net/macvlan.c macvlan_queue_xmit, macvlan_handle_frame, macvlan_broadcast, macvlan_process_broadcast,
//! macvlan_forward_source, macvlan_eth_hash.
//! Simplifies: a child hears 224.0.0.1 and all groups of IPv6, and other groups only when it is promiscuous or `allmulticast`;
//! fragments to groups are not put together first.
//!
//! ```text
//!  child ─┬─ bridge mode, to a sibling ──► received by the device below ──► the sibling
//!         ├─ bridge mode, to everyone ───► each sibling, and out
//!         └─ else ───────────────────────► out by the device below
//! ```

use super::walk::{Beyond, Effect, Walk};
use crate::linux::device::{MacvlanConfig, MacvlanMode, Upper, UpperKind};
use crate::linux::skb::{PktType, Skb};
use crate::linux::{IfIndex, NetnsId};
use crate::packet::Mac;
use crate::trace::{DropReason, Tracer};

/// The slot of an address in the port's hash table (macvlan_eth_hash): broadcasts visit the slots in order.
fn slot(mac: Mac) -> u64 {
    let [a, b, c, d, e, f] = mac.0;
    u64::from_le_bytes([0, 0, a, b, c, d, e, f]).wrapping_mul(0x61C8_8646_80B5_83EB) >> 56
}

fn config(u: &Upper) -> Option<&MacvlanConfig> {
    match &u.kind {
        UpperKind::Macvlan(c) => Some(c),
        _ => None,
    }
}

/// Which children hear a broadcast.
const EVERYONE: &[MacvlanMode] = &[MacvlanMode::Private, MacvlanMode::Vepa, MacvlanMode::Bridge, MacvlanMode::Passthru];

impl<T: Tracer> Walk<'_, T> {
    /// The children of `lower` that are switched on, in the order of the hash table.
    fn macvlan_children(&self, lower: IfIndex) -> Vec<(NetnsId, IfIndex, Mac, MacvlanMode)> {
        let Some(d) = self.ns.config.devices.get(lower) else { return Vec::new() };
        let mut all: Vec<_> =
            d.stack.uppers.iter().filter(|u| u.up).filter_map(|u| Some((u.netns, u.index, u.mac, config(u)?.mode))).collect();
        all.sort_by_key(|c| slot(c.2));
        all
    }

    fn macvlan_by_address(&self, lower: IfIndex, mac: Mac) -> Option<(NetnsId, IfIndex, MacvlanMode)> {
        let d = self.ns.config.devices.get(lower)?;
        d.stack.uppers.iter().find(|u| u.up && u.mac == mac).and_then(|u| Some((u.netns, u.index, config(u)?.mode)))
    }

    /// A child sends: its frame is on the device below, in whose namespace this is (macvlan_queue_xmit).
    pub fn macvlan_queue_xmit(&mut self, skb: Box<Skb>, lower: IfIndex, child: (NetnsId, IfIndex)) {
        let Some(d) = self.ns.config.devices.get(lower) else { return self.drop_skb(skb, lower, DropReason::DevReady) };
        let mode = d.stack.uppers.iter().find(|u| (u.netns, u.index) == child).and_then(|u| Some(config(u)?.mode));
        if mode == Some(MacvlanMode::Bridge) {
            let dst = skb.frame.eth.dst;
            if dst.is_multicast() {
                self.macvlan_broadcast(&skb, lower, Some(child), &[MacvlanMode::Bridge], Beyond::Forward);
            } else if self.macvlan_by_address(lower, dst).is_some_and(|(.., m)| m == MacvlanMode::Bridge) {
                // received by the device below first, for its captures
                let here = self.ns.id;
                self.effects.0.push(Effect::Beyond(here, lower, skb, Beyond::Forward));
                return;
            }
        }
        self.dev_queue_xmit(skb, lower);
    }

    /// Copies for the children in one of `modes` but for the sender.
    fn macvlan_broadcast(&mut self, skb: &Skb, lower: IfIndex, from: Option<(NetnsId, IfIndex)>, modes: &[MacvlanMode], how: Beyond) {
        let dst = skb.frame.eth.dst;
        for (netns, index, _, mode) in self.macvlan_children(lower) {
            if from == Some((netns, index)) || !modes.contains(&mode) || !hears_group(dst) {
                continue;
            }
            let mut copy = self.clone_skb(skb);
            copy.pkt_type = if dst.is_broadcast() { PktType::Broadcast } else { PktType::Multicast };
            self.effects.0.push(Effect::Beyond(netns, index, copy, how));
        }
    }

    /// A frame came in by a device with macvlan children. Returns it if the device's own stack is to have it (macvlan_handle_frame).
    pub(super) fn macvlan_handle_frame(&mut self, mut skb: Box<Skb>, lower: IfIndex) -> Option<Box<Skb>> {
        let (src, dst) = (skb.frame.eth.src, skb.frame.eth.dst);
        self.macvlan_forward_source(&skb, lower);
        if dst.is_multicast() {
            let from = self.macvlan_by_address(lower, src);
            match from {
                Some((netns, index, MacvlanMode::Private | MacvlanMode::Passthru | MacvlanMode::Source)) => {
                    // its own broadcast came back: only itself hears it
                    skb.pkt_type = if dst.is_broadcast() { PktType::Broadcast } else { PktType::Multicast };
                    self.effects.0.push(Effect::Beyond(netns, index, skb, Beyond::Queue));
                    return None;
                }
                Some((netns, index, MacvlanMode::Vepa)) => {
                    let modes = [MacvlanMode::Vepa, MacvlanMode::Bridge];
                    self.macvlan_broadcast(&skb, lower, Some((netns, index)), &modes, Beyond::Work);
                }
                // the others in bridge mode saw it on its way out
                Some((netns, index, MacvlanMode::Bridge)) => {
                    self.macvlan_broadcast(&skb, lower, Some((netns, index)), &[MacvlanMode::Vepa], Beyond::Work);
                }
                None => self.macvlan_broadcast(&skb, lower, None, EVERYONE, Beyond::Work),
            }
            return Some(skb);
        }
        let uppers = &self.ns.config.devices.get(lower)?.stack.uppers;
        let passthru = uppers.iter().find(|u| config(u).is_some_and(|c| c.mode == MacvlanMode::Passthru));
        let child = match passthru {
            Some(u) => Some((u.netns, u.index, u.up)),
            None => uppers
                .iter()
                .find(|u| u.up && u.mac == dst && config(u).is_some_and(|c| c.mode != MacvlanMode::Source))
                .map(|u| (u.netns, u.index, true)),
        };
        match child {
            None => return Some(skb),
            Some((_, _, false)) => self.drop_skb(skb, lower, DropReason::DevReady),
            Some((netns, index, true)) => {
                skb.pkt_type = PktType::Host;
                self.deliver_upper(skb, netns, index);
            }
        }
        None
    }

    /// Children in mode source hear what comes from the addresses on their lists.
    fn macvlan_forward_source(&mut self, skb: &Skb, lower: IfIndex) {
        let Some(d) = self.ns.config.devices.get(lower) else { return };
        let src = skb.frame.eth.src;
        let hears = |u: &&Upper| u.up && config(u).is_some_and(|c| c.mode == MacvlanMode::Source && c.sources.contains(&src));
        let targets: smallvec::SmallVec<[(NetnsId, IfIndex, Mac); 2]> =
            d.stack.uppers.iter().filter(hears).map(|u| (u.netns, u.index, u.mac)).collect();
        for (netns, index, mac) in targets {
            let mut copy = self.clone_skb(skb);
            if skb.frame.eth.dst == mac {
                copy.pkt_type = PktType::Host;
            }
            self.effects.0.push(Effect::Beyond(netns, index, copy, Beyond::Queue));
        }
    }
}

/// Whether a child listens to a group: to everyone, 224.0.0.1 and the groups of IPv6.
fn hears_group(dst: Mac) -> bool {
    dst.is_broadcast() || dst.0[..2] == [0x33, 0x33] || dst.0 == [0x01, 0x00, 0x5e, 0, 0, 1]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_slot_is_that_of_hash_64() {
        // hash_64(value, 8) of include/linux/hash.h, worked out apart
        for (mac, expect) in
            [([2, 0, 0, 0, 0, 1], 247), ([2, 0, 0, 0, 0, 2], 226), ([2, 0, 0, 0, 0, 3], 205), ([170, 187, 204, 221, 238, 255], 167)]
        {
            assert_eq!(slot(Mac(mac)), expect);
        }
    }
}
