//! Devices that stand on others, across namespaces: frames between them, and what each learns of the other.
//!
//! After every command each pair is compared with what the one last saw of the other; what changed is passed on, until
//! nothing changes any more.

use super::drive::Engine;
use super::queue::Happening;
use crate::datapath::transmit::net_len;
use crate::datapath::walk::Beyond;
use crate::linux::apply;
use crate::linux::device::{Attach, Upper};
use crate::linux::id::OpId;
use crate::linux::skb::Skb;
use crate::linux::{IfIndex, NetnsId, SocketId};
use crate::trace::{DropReason, Tracer};
use std::sync::Arc;

/// Where a device is: namespace and index.
type At = (NetnsId, IfIndex);

/// A device that stands on another.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Stacked {
    /// The upper device.
    pub upper: At,
    /// The one that it stands on.
    pub lower: At,
}

/// Devices stand on each other this deep at most (MAX_NEST_DEV); a change needs no more rounds to reach the last.
const MAX_NEST: usize = 8;

impl<T: Tracer> Engine<T> {
    /// A frame goes on at another device.
    pub(super) fn beyond(&mut self, from: NetnsId, to: NetnsId, dev: IfIndex, mut skb: Box<Skb>, how: Beyond) {
        let (cause, flow) = (skb.id, skb.flow);
        if from != to {
            self.leave(from, &mut skb);
        }
        match how {
            Beyond::Transmit => _ = self.walk(to, cause, flow, |w| w.dev_queue_xmit(skb, dev)),
            Beyond::Macvlan(ns, child) => _ = self.walk(to, cause, flow, |w| w.macvlan_queue_xmit(skb, dev, (ns, child))),
            Beyond::Ipvlan(ns, child) => _ = self.walk(to, cause, flow, |w| w.ipvlan_queue_xmit(skb, dev, (ns, child))),
            Beyond::Receive => _ = self.walk(to, cause, flow, |w| w.receive_upper(skb, dev)),
            Beyond::Queue | Beyond::Work => {
                let w = &mut self.world;
                return w.queue.push(w.now, w.now, Happening::Upper { netns: to, dev, skb, work: how == Beyond::Work });
            }
            Beyond::Forward => return self.dev_forward_skb(from, to, dev, skb),
        }
        self.effects(to, cause, flow);
    }

    /// What a frame cannot take along into another namespace: flows and sockets are named by numbers of the old one.
    fn leave(&mut self, from: NetnsId, skb: &mut Skb) {
        if let Some(ct) = skb.ct.take()
            && let Some(ns) = self.world.ns_mut(from)
        {
            ns.conntrack.release_unconfirmed(ct.id);
        }
        skb.socket = SocketId::NONE;
        skb.bridge = None;
    }

    /// Received like a frame from a wire (dev_forward_skb).
    fn dev_forward_skb(&mut self, from: NetnsId, to: NetnsId, dev: IfIndex, mut skb: Box<Skb>) {
        let Some((up, mtu)) = self.world.ns(to).and_then(|n| n.config.devices.get(dev)).map(|d| (d.up, d.mtu)) else { return };
        if !up || net_len(&skb) > mtu.saturating_add(4) {
            return self.lost(to, dev, &skb, if up { DropReason::Oversize } else { DropReason::DevReady });
        }
        self.scrub(from, to, &mut skb);
        let w = &mut self.world;
        w.queue.push(w.now, w.now, Happening::Frame { netns: to, dev, skb });
    }

    /// A device was made that stands on another.
    pub(super) fn stack(&mut self, netns: NetnsId, dev: IfIndex) {
        if let Some(lower) = self.world.ns(netns).and_then(|n| n.config.devices.get(dev)).and_then(|d| d.lower()) {
            self.world.stacked.push(Stacked { upper: (netns, dev), lower });
        }
    }

    /// A device is somewhere else now: those above and below it learn of it.
    pub(super) fn restacked(&mut self, old: At, new: At, uppers: &[Upper]) {
        for s in &mut self.world.stacked {
            if s.upper == old {
                s.upper = new;
            }
            if s.lower == old {
                s.lower = new;
            }
        }
        for u in uppers {
            self.attach(u.netns, u.index, Attach::Lower { netns: new.0, index: new.1 });
        }
        let below = self.world.stacked.iter().find(|s| s.upper == new).map(|s| s.lower);
        if let Some(u) = below.and_then(|l| self.upper_slot(l, old)) {
            (u.netns, u.index) = new;
        }
    }

    fn upper_slot(&mut self, lower: At, upper: At) -> Option<&mut Upper> {
        let d = self.world.ns_mut(lower.0)?.config_mut().devices.get_mut(lower.1)?;
        d.stack.uppers.iter_mut().find(|u| (u.netns, u.index) == upper)
    }

    /// Compares all pairs, and passes on what changed.
    pub(super) fn restack(&mut self) {
        for _ in 0..MAX_NEST {
            let mut changed = false;
            for s in self.world.stacked.clone() {
                changed |= self.restack_pair(s);
            }
            if !changed {
                return;
            }
        }
    }

    fn restack_pair(&mut self, s: Stacked) -> bool {
        let world = &self.world;
        let device = |at: At| world.ns(at.0).and_then(|n| n.config.devices.get(at.1));
        let seen = device(s.lower).map(apply::stacked::seen_of);
        let (upper, last) = match device(s.upper) {
            Some(d) => (apply::stacked::upper_of(s.upper.0, d), d.stack.seen),
            None => (None, Default::default()),
        };
        let known = device(s.lower).and_then(|d| d.stack.uppers.iter().find(|u| (u.netns, u.index) == s.upper)).cloned();
        match (upper, seen) {
            (Some(_), Some(seen)) if last != seen => {
                let now = self.world.now;
                self.changing(s.upper.0, |e| {
                    let Some(ns) = e.world.ns_mut(s.upper.0) else { return };
                    let requests = apply::stacked::lower_changed(ns, s.upper.1, seen, now);
                    // what a change below asks for are packets to be freed and timers; it cannot fail
                    let _ = e.carry_out(s.upper.0, requests, OpId::NONE);
                });
                true
            }
            (Some(upper), Some(_)) if known.as_ref() != Some(&upper) => {
                self.changing(s.lower.0, |e| match e.upper_slot(s.lower, s.upper) {
                    Some(slot) => *slot = upper,
                    None => {
                        if let Some(d) = e.world.ns_mut(s.lower.0).and_then(|n| n.config_mut().devices.get_mut(s.lower.1)) {
                            d.stack.uppers.insert(0, upper);
                        }
                    }
                });
                true
            }
            (Some(_), Some(_)) => false,
            // one of the two is gone: what stands on nothing goes too
            (upper, below) => {
                self.world.stacked.retain(|o| *o != s);
                let now = self.world.now;
                if upper.is_some() {
                    self.changing(s.upper.0, |e| {
                        let Some(ns) = e.world.ns_mut(s.upper.0) else { return };
                        let (_, requests) = apply::take_device(ns, s.upper.1, now);
                        let _ = e.carry_out(s.upper.0, requests, OpId::NONE);
                    });
                }
                if below.is_some() && known.is_some() {
                    self.changing(s.lower.0, |e| {
                        if let Some(d) = e.world.ns_mut(s.lower.0).and_then(|n| n.config_mut().devices.get_mut(s.lower.1)) {
                            d.stack.uppers.retain(|u| (u.netns, u.index) != s.upper);
                        }
                    });
                }
                true
            }
        }
    }

    /// Changes a namespace and tells its new configuration.
    fn changing(&mut self, netns: NetnsId, f: impl FnOnce(&mut Self)) {
        let before: Option<Arc<_>> = self.config_before(netns);
        f(self);
        self.tell_config(netns, before.as_ref());
    }
}
