//! From the next hop's address to its hardware address.
//!
//! Models: net/core/neighbour.c __neigh_event_send, neigh_timer_handler, neigh_update, neigh_invalidate;
//! net/ipv4/arp.c arp_solicit, arp_error_report; net/ipv4/ip_output.c ip_finish_output2.
//! Spec: RFC 826, RFC 1122 section 2.3.2.
//! Simplifies: no garbage collection of stale entries, no table-wide limits; only a reply confirms, transport progress does not.

use super::route::{LOOPBACK, select_addr};
use super::walk::{Timer, Walk};
use crate::linux::device::Scope;
use crate::linux::fib::RouteType;
use crate::linux::id::Source;
use crate::linux::neighbour::{Neighbour, NudState};
use crate::linux::rng::Draw;
use crate::linux::skb::Skb;
use crate::linux::sysctl::NeighParams;
use crate::linux::{FlowId, IfIndex, Time};
use crate::packet::{Arp, ArpOp, Ethernet, Ipv4Addr, Mac, Net};
use crate::trace::delta::StateDelta;
use crate::trace::evidence::{Addr32, NeighAction, TimerKind};
use crate::trace::{Change, DropReason, Evidence, Step, Tracer};
use std::sync::Arc;
use std::time::Duration;

/// What a queued packet is taken to weigh beyond its own bytes (SKB_TRUESIZE of a small packet).
const TRUESIZE_OVERHEAD: u32 = 768;

fn millis(ms: u32) -> Duration {
    Duration::from_millis(u64::from(ms))
}

impl<T: Tracer> Walk<'_, T> {
    /// Sends a packet to `next_hop` on `dev`, resolving it first if need be (ip_finish_output2, neigh_output).
    pub(super) fn neigh_output(&mut self, mut skb: Box<Skb>, dev: IfIndex, next_hop: Ipv4Addr) {
        let Some(device) = self.ns.config.devices.get(dev) else {
            return self.drop_skb(skb, dev, DropReason::DevReady);
        };
        if !device.uses_arp() {
            let mac = if dev == LOOPBACK { Mac::ZERO } else { device.mac };
            return self.send_to(skb, dev, mac, mac);
        }
        let own = device.mac;
        let group = if next_hop == Ipv4Addr::BROADCAST || (next_hop.is_multicast()) {
            Some(next_hop)
        } else if device.addrs.iter().any(|a| a.prefix.len() < 31 && a.prefix.last() == next_hop) {
            Some(Ipv4Addr::BROADCAST)
        } else {
            None
        };
        if let Some(group) = group {
            let mac = multicast_mac(group);
            return self.send_to(skb, dev, mac, own);
        }
        let now = self.now;
        // the fast path: a connected entry
        if let Some(n) = self.ns.neigh.get_mut(dev, next_hop)
            && n.state.is_connected()
        {
            n.used = now;
            n.cached = true;
            let (mac, state) = (n.mac, n.state);
            if T::ON {
                let evidence =
                    Evidence::NeighbourLookup { addr: Addr32::from(next_hop), state, after: state, action: NeighAction::Sent, mac };
                self.step(&skb, dev, evidence);
            }
            return self.send_to(skb, dev, mac, own);
        }
        let params = device.neigh.clone();
        if self.ns.neigh.get(dev, next_hop).is_none() {
            self.ns.neigh.insert(Neighbour::new(dev, next_hop, now, Source::Kernel));
        }
        let Some(n) = self.ns.neigh.get_mut(dev, next_hop) else { return };
        n.used = now;
        let before = n.state;
        let mut probe = false;
        match n.state {
            NudState::None | NudState::Failed if params.mcast_solicit + params.app_solicit > 0 => {
                n.state = NudState::Incomplete;
                n.probes = params.ucast_solicit;
                n.updated = now;
                n.timer = now + millis(params.retrans_time_ms).max(Duration::from_millis(10));
                let at = n.timer;
                probe = true;
                self.arm(at, Timer::Neighbour(dev, next_hop));
            }
            NudState::None | NudState::Failed => {
                n.state = NudState::Failed;
                self.neigh_step(&skb, dev, next_hop, before, NudState::Failed, NeighAction::Dropped, Mac::ZERO);
                return self.drop_skb(skb, dev, DropReason::NeighFailed);
            }
            NudState::Stale => {
                n.state = NudState::Delay;
                n.updated = now;
                n.timer = now + Duration::from_secs(u64::from(params.delay_first_probe_time));
                let at = n.timer;
                self.arm(at, Timer::Neighbour(dev, next_hop));
            }
            _ => {}
        }
        let Some(n) = self.ns.neigh.get_mut(dev, next_hop) else { return };
        let (state, mac) = (n.state, n.mac);
        n.cached |= state.is_valid();
        if state != before {
            self.neigh_delta(dev, next_hop);
        }
        if state.is_valid() {
            self.neigh_step(&skb, dev, next_hop, before, state, NeighAction::Sent, mac);
            return self.send_to(skb, dev, mac, own);
        }
        // INCOMPLETE: the packet waits; the oldest makes room
        self.neigh_step(&skb, dev, next_hop, before, state, NeighAction::Queued, Mac::ZERO);
        let size = super::transmit::net_len(&skb) + TRUESIZE_OVERHEAD;
        let mut pushed_out = Vec::new();
        let asker = (skb.id, skb.flow);
        skb.frame.eth = Ethernet::default();
        if let Some(n) = self.ns.neigh.get_mut(dev, next_hop) {
            while n.queue_bytes + size > params.unres_qlen_bytes {
                let Some(old) = n.queue.pop_front() else { break };
                n.queue_bytes = n.queue_bytes.saturating_sub(super::transmit::net_len(&old) + TRUESIZE_OVERHEAD);
                pushed_out.push(old);
            }
            n.queue_bytes += size;
            n.queue.push_back(skb);
        }
        for old in pushed_out {
            self.drop_skb(old, dev, DropReason::NeighQueueFull);
        }
        if probe {
            let cause = std::mem::replace(&mut self.cause, asker.0);
            self.neigh_probe(dev, next_hop, asker.1, &params);
            self.cause = cause;
        }
    }

    #[allow(clippy::too_many_arguments, reason = "one argument per field of the step")]
    fn neigh_step(&mut self, skb: &Skb, dev: IfIndex, addr: Ipv4Addr, state: NudState, after: NudState, action: NeighAction, mac: Mac) {
        self.step(skb, dev, Evidence::NeighbourLookup { addr: Addr32::from(addr), state, after, action, mac });
    }

    /// Writes the link header and hands the frame to the device.
    pub(super) fn send_to(&mut self, mut skb: Box<Skb>, dev: IfIndex, dst: Mac, src: Mac) {
        skb.frame.eth.dst = dst;
        skb.frame.eth.src = src;
        self.changed(&mut skb, |_| Change::Ethernet { dst, src });
        self.dev_queue_xmit(skb, dev);
    }

    fn neigh_delta(&mut self, dev: IfIndex, addr: Ipv4Addr) {
        if T::ON
            && let Some(n) = self.ns.neigh.get(dev, addr)
        {
            self.trace.delta(self.ns.id, StateDelta::Neighbour { dev, addr, mac: n.mac, state: n.state });
        }
    }

    /// Asks for the address (neigh_probe, arp_solicit).
    fn neigh_probe(&mut self, dev: IfIndex, target: Ipv4Addr, flow: FlowId, params: &NeighParams) {
        let Some(n) = self.ns.neigh.get_mut(dev, target) else { return };
        let unicast = n.state.is_valid() && n.probes < params.ucast_solicit;
        n.probes += 1;
        let to = if unicast { n.mac } else { Mac::BROADCAST };
        // the source of the newest packet that waits, if it is an address of this host
        let wanted = n.queue.back().and_then(|s| s.frame.ipv4()).map(|p| p.header.src);
        let Some(device) = self.ns.config.devices.get(dev) else { return };
        let announce = device.conf.arp_announce.max(self.ns.config.sysctl.conf_all.arp_announce);
        let own = device.mac;
        let local = wanted.filter(|a| self.ns.config.fib.addr_type(*a) == RouteType::Local);
        let source = match announce {
            0 => local,
            1 => local.filter(|a| device.addrs.iter().any(|i| i.holds(target) && i.holds(*a))),
            _ => None,
        };
        let Some(sender) = source.or_else(|| select_addr(&self.ns.config, dev, target, Scope::Link)) else { return };
        let arp = Arp { op: ArpOp::Request, sender_mac: own, sender, target_mac: if unicast { to } else { Mac::ZERO }, target };
        let skb = self.new_skb(Net::Arp(arp), flow);
        self.send_to(skb, dev, to, own);
    }

    /// The timer of an entry fired (neigh_timer_handler).
    pub fn neigh_timer(&mut self, dev: IfIndex, addr: Ipv4Addr) {
        let now = self.now;
        let Some(n) = self.ns.neigh.get(dev, addr) else { return };
        if n.timer > now {
            return;
        }
        let Some(params) = self.ns.config.devices.get(dev).map(|d| d.neigh.clone()) else { return };
        let reachable = match n.state {
            NudState::Reachable | NudState::Delay => self.reachable_time(&params),
            _ => Duration::ZERO,
        };
        let retrans = millis(params.retrans_time_ms).max(Duration::from_millis(10));
        let delay = Duration::from_secs(u64::from(params.delay_first_probe_time));
        let Some(n) = self.ns.neigh.get_mut(dev, addr) else { return };
        n.timer = Time::NEVER;
        let before = n.state;
        match n.state {
            NudState::Reachable if now <= n.confirmed + reachable => n.timer = n.confirmed + reachable,
            NudState::Reachable if now <= n.used + delay => {
                n.state = NudState::Delay;
                n.updated = now;
                n.timer = now + delay;
            }
            NudState::Reachable => {
                n.state = NudState::Stale;
                n.updated = now;
            }
            NudState::Delay if now <= n.confirmed + delay => {
                n.state = NudState::Reachable;
                n.updated = now;
                n.timer = n.confirmed + reachable;
            }
            NudState::Delay => {
                n.state = NudState::Probe;
                n.updated = now;
                n.probes = 0;
                n.timer = now + retrans;
            }
            NudState::Incomplete | NudState::Probe => n.timer = now + retrans,
            _ => return,
        }
        let max = match n.state {
            NudState::Incomplete => params.ucast_solicit + params.app_solicit + params.mcast_solicit,
            _ => params.ucast_solicit + params.app_solicit,
        };
        let given_up = matches!(n.state, NudState::Incomplete | NudState::Probe) && n.probes >= max;
        if given_up {
            n.state = NudState::Failed;
            n.timer = Time::NEVER;
            n.updated = now;
        }
        let (state, timer, mac) = (n.state, n.timer, n.mac);
        let asker = n.queue.back().map(|s| (s.id, s.flow));
        if timer != Time::NEVER {
            self.arm(timer, Timer::Neighbour(dev, addr));
        }
        if let Some((cause, flow)) = asker {
            self.cause = cause;
            self.flow = flow;
        }
        if state != before {
            self.neigh_change_step(dev, addr, before, state, mac);
            self.neigh_delta(dev, addr);
        }
        if given_up {
            return self.neigh_invalidate(dev, addr);
        }
        if matches!(state, NudState::Incomplete | NudState::Probe) {
            self.neigh_probe(dev, addr, self.flow, &params);
        }
    }

    fn neigh_change_step(&mut self, dev: IfIndex, addr: Ipv4Addr, from: NudState, to: NudState, mac: Mac) {
        if T::ON {
            self.trace.step(Step {
                at: self.now,
                netns: self.ns.id,
                dev,
                packet: self.cause,
                version: crate::linux::VersionId::NONE,
                evidence: Evidence::NeighbourUpdate { addr: Addr32::from(addr), from, to, mac },
            });
        }
    }

    /// Nobody answered: the packets that waited end, each with an error to its sender (neigh_invalidate).
    fn neigh_invalidate(&mut self, dev: IfIndex, addr: Ipv4Addr) {
        let Some(n) = self.ns.neigh.get_mut(dev, addr) else { return };
        n.queue_bytes = 0;
        let waiting = std::mem::take(&mut n.queue);
        for skb in waiting {
            // arp_error_report, dst_link_failure, ipv4_link_failure
            self.cause = skb.id;
            self.flow = skb.flow;
            self.step(&skb, dev, Evidence::Timer { timer: TimerKind::Neighbour });
            self.icmp_send(&skb, super::icmp::Error::Unreachable { code: 1, mtu: 0 });
            self.drop_skb(skb, dev, DropReason::NeighFailed);
        }
    }

    /// Draws the reachable time in force: between half and one and a half of the base.
    fn reachable_time(&mut self, params: &Arc<NeighParams>) -> Duration {
        let base = params.base_reachable_time_ms;
        millis(base / 2 + self.rng.below(Draw::ReachableTime, base.max(1)))
    }

    /// Learns or confirms an entry from an ARP packet (neigh_update). Creates it if `create` says so.
    pub(super) fn neigh_update(
        &mut self,
        dev: IfIndex,
        addr: Ipv4Addr,
        mac: Mac,
        state: NudState,
        overrides: bool,
        create: bool,
        by: &Skb,
    ) {
        let now = self.now;
        let Some(params) = self.ns.config.devices.get(dev).map(|d| d.neigh.clone()) else { return };
        let existing = self.ns.neigh.get(dev, addr).map(|n| (n.state, n.mac));
        if existing.is_none() && !create {
            return;
        }
        let (old_state, old_mac) = existing.unwrap_or((NudState::None, Mac::ZERO));
        if matches!(old_state, NudState::Permanent | NudState::Noarp) {
            return;
        }
        let mut new_state = state;
        if old_state.is_valid() {
            if mac != old_mac && !overrides {
                // not trusted to replace what is known
                return;
            }
            if mac == old_mac && state == NudState::Stale {
                // a request from a neighbour that is known tells nothing new
                new_state = old_state;
            }
        }
        let new_mac = mac;
        let reachable = if new_state == NudState::Reachable { self.reachable_time(&params) } else { Duration::ZERO };
        let source = if T::ON {
            let evidence = Evidence::NeighbourUpdate { addr: Addr32::from(addr), from: old_state, to: new_state, mac: new_mac };
            Source::Step(self.step(by, dev, evidence).0)
        } else {
            Source::Kernel
        };
        let entry = match self.ns.neigh.get_mut(dev, addr) {
            Some(n) => n,
            None => {
                self.ns.neigh.insert(Neighbour::new(dev, addr, now, source));
                match self.ns.neigh.get_mut(dev, addr) {
                    Some(n) => n,
                    None => return,
                }
            }
        };
        if new_state.is_connected() {
            entry.confirmed = now;
        }
        if new_mac != entry.mac || new_state != entry.state {
            entry.updated = now;
            entry.source = source;
            if !new_state.is_connected() && new_mac != entry.mac {
                entry.confirmed = Time::ZERO;
            }
        }
        let was_waiting = !entry.state.is_valid() && new_state.is_valid();
        entry.mac = new_mac;
        if new_state != entry.state {
            entry.state = new_state;
            entry.probes = 0;
            entry.timer = if new_state == NudState::Reachable { now + reachable } else { Time::NEVER };
            let at = entry.timer;
            if at != Time::NEVER {
                self.arm(at, Timer::Neighbour(dev, addr));
            }
        }
        self.neigh_delta(dev, addr);
        if was_waiting {
            self.neigh_ready(dev, addr);
        }
    }

    /// The hardware address is known: the packets that waited for it go.
    pub fn neigh_ready(&mut self, dev: IfIndex, addr: Ipv4Addr) {
        let Some(n) = self.ns.neigh.get_mut(dev, addr) else { return };
        n.queue_bytes = 0;
        let waiting = std::mem::take(&mut n.queue);
        for skb in waiting {
            self.neigh_output(skb, dev, addr);
        }
    }
}

/// The hardware address of a group or of everyone (ip_eth_mc_map).
fn multicast_mac(addr: Ipv4Addr) -> Mac {
    if addr.is_multicast() {
        let [_, b, c, d] = addr.octets();
        Mac([0x01, 0x00, 0x5e, b & 0x7f, c, d])
    } else {
        Mac::BROADCAST
    }
}
