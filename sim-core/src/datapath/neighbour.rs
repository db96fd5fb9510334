//! From the next hop's address to its hardware address.
//!
//! Models: net/core/neighbour.c neigh_alloc, __neigh_event_send, neigh_timer_handler, __neigh_update, neigh_invalidate,
//! neigh_forced_gc, neigh_periodic_work; net/ipv4/ip_output.c ip_finish_output2; net/ipv6/ip6_output.c ip6_finish_output2.
//! Spec: RFC 826, RFC 1122 section 2.3.2, RFC 4861 section 7.3.
//! Simplifies: the limits `gc_thresh1` to `gc_thresh3` hold for each namespace, on a real host for all together; a datagram that finds the
//! table full is dropped, and the sender is told nothing; `app_solicit` asks nobody. The reachable time is drawn when it is first needed.
//! Seen in: 01-same-node-bridge, 20-arp-failure, 31-calico-proxy-arp.

use super::route::LOOPBACK;
use super::walk::{Timer, Walk};
use crate::linux::device::Device;
use crate::linux::id::Source;
use crate::linux::neighbour::{Neighbour, Neighbours, NudState, Reach};
use crate::linux::rng::Draw;
use crate::linux::skb::Skb;
use crate::linux::sysctl::{NeighParams, Sysctls};
use crate::linux::{FlowId, IfIndex, Netns, Time};
use crate::packet::{Address, Ethernet, Ipv4Addr, Mac};
use crate::trace::delta::StateDelta;
use crate::trace::evidence::{NeighAction, TimerKind};
use crate::trace::{Change, DropReason, Evidence, Step, Tracer};
use std::sync::Arc;
use std::time::Duration;

/// What a queued packet is taken to weigh beyond its own bytes (SKB_TRUESIZE of a small packet).
const TRUESIZE_OVERHEAD: u32 = 768;

/// How long a reachable time that was drawn is in force.
const REDRAW: Duration = Duration::from_secs(300);

fn millis(ms: u32) -> Duration {
    Duration::from_millis(u64::from(ms))
}

/// What one family adds to the neighbour cache (struct neigh_table).
pub trait Nd: Address {
    /// The cache.
    fn table(ns: &Netns) -> &Neighbours<Self>;
    /// The cache, to be changed.
    fn table_mut(ns: &mut Netns) -> &mut Neighbours<Self>;
    /// The timers and limits of a device.
    fn params(device: &Device) -> &Arc<NeighParams>;
    /// The timers and limits that new devices begin with.
    fn default_params(sysctl: &Sysctls) -> &Arc<NeighParams>;
    /// The hardware address of a group, or of everyone; none for the address of one host (`constructor`).
    fn group(device: &Device, addr: Self) -> Option<Mac>;
    /// Asks for a hardware address (`solicit`).
    fn solicit<T: Tracer>(w: &mut Walk<'_, T>, dev: IfIndex, addr: Self, flow: FlowId, params: &NeighParams);
    /// Tells the sender of a packet that nobody answered (`error_report`).
    fn error_report<T: Tracer>(w: &mut Walk<'_, T>, skb: &Skb);
}

impl<T: Tracer> Walk<'_, T> {
    /// Sends a packet to `next_hop` on `dev`, resolving it first if need be (ip_finish_output2, neigh_output).
    pub(super) fn neigh_output<A: Nd>(&mut self, mut skb: Box<Skb>, dev: IfIndex, next_hop: A) {
        let Some(device) = self.ns.config.devices.get(dev) else {
            return self.drop_skb(skb, dev, DropReason::DevReady);
        };
        skb.next_hop = (A::BITS == 32).then(|| Ipv4Addr::from(next_hop.to_bits() as u32));
        if !device.uses_arp() {
            let mac = if dev == LOOPBACK { Mac::ZERO } else { device.mac };
            return self.send_to(skb, dev, mac, mac);
        }
        let own = device.mac;
        if let Some(mac) = A::group(device, next_hop) {
            return self.send_to(skb, dev, mac, own);
        }
        let params = A::params(device).clone();
        let now = self.now;
        let confirms = std::mem::take(&mut skb.confirms);
        // the fast path: a connected entry
        if let Some(n) = A::table_mut(self.ns).get_mut(dev, next_hop)
            && n.state.is_connected()
        {
            if confirms {
                n.confirmed = now;
            }
            // the header is kept ready after the first packet; those that use it leave no trace in the entry (neigh_hh_output)
            if !n.cached {
                n.used = now;
                n.cached = true;
            }
            let (mac, state) = (n.mac, n.state);
            if T::ON {
                self.neigh_step(&skb, dev, next_hop, state, state, NeighAction::Sent, mac);
            }
            return self.send_to(skb, dev, mac, own);
        }
        if A::table(self.ns).get(dev, next_hop).is_none() && !self.neigh_create(dev, next_hop, Source::Kernel) {
            return self.drop_skb(skb, dev, DropReason::NeighCreateFail);
        }
        if confirms && let Some(n) = A::table_mut(self.ns).get_mut(dev, next_hop) {
            n.confirmed = now;
        }
        let Some((before, probe)) = self.neigh_event_send(dev, next_hop, &params) else { return };
        if matches!((before, A::table(self.ns).get(dev, next_hop).map(|n| n.state)), (_, Some(NudState::Failed))) {
            self.neigh_step(&skb, dev, next_hop, before, NudState::Failed, NeighAction::Dropped, Mac::ZERO);
            return self.drop_skb(skb, dev, DropReason::NeighFailed);
        }
        let Some(n) = A::table_mut(self.ns).get_mut(dev, next_hop) else { return };
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
        if let Some(n) = A::table_mut(self.ns).get_mut(dev, next_hop) {
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
            A::solicit(self, dev, next_hop, asker.1, &params);
            self.cause = cause;
        }
    }

    /// An entry is used that is not connected (__neigh_event_send): asked for, or to be confirmed soon. Returns the state before, and
    /// whether a request is to be sent at once.
    fn neigh_event_send<A: Nd>(&mut self, dev: IfIndex, addr: A, params: &NeighParams) -> Option<(NudState, bool)> {
        let now = self.now;
        let n = A::table_mut(self.ns).get_mut(dev, addr)?;
        n.used = now;
        let before = n.state;
        let mut probe = false;
        match n.state {
            NudState::None | NudState::Failed if params.mcast_solicit.saturating_add(params.app_solicit) > 0 => {
                n.state = NudState::Incomplete;
                n.probes = params.ucast_solicit;
                n.updated = now;
                n.timer = now + millis(params.retrans_time_ms).max(Duration::from_millis(10));
                probe = true;
            }
            NudState::None | NudState::Failed => {
                n.state = NudState::Failed;
                n.updated = now;
            }
            NudState::Stale => {
                n.state = NudState::Delay;
                n.updated = now;
                n.timer = now + Duration::from_secs(u64::from(params.delay_first_probe_time));
            }
            _ => return Some((before, false)),
        }
        let at = n.timer;
        if at != Time::NEVER {
            self.arm(at, Timer::Neighbour(dev, addr.into()));
        }
        Some((before, probe))
    }

    /// An entry is used without a packet (`ip neigh … use`): made if need be, then as above.
    pub fn neigh_use<A: Nd>(&mut self, dev: IfIndex, addr: A) {
        let Some(params) = self.ns.config.devices.get(dev).filter(|d| d.uses_arp()).map(|d| A::params(d).clone()) else { return };
        if A::table(self.ns).get(dev, addr).is_none() && !self.neigh_create(dev, addr, Source::Kernel) {
            return;
        }
        let Some((before, probe)) = self.neigh_event_send(dev, addr, &params) else { return };
        if let Some(n) = A::table(self.ns).get(dev, addr).filter(|n| n.state != before) {
            let (state, mac) = (n.state, n.mac);
            self.neigh_change_step(dev, addr, before, state, mac);
            self.neigh_delta(dev, addr);
        }
        if probe {
            A::solicit(self, dev, addr, self.flow, &params);
        }
    }

    #[allow(clippy::too_many_arguments, reason = "one argument per field of the step")]
    fn neigh_step<A: Nd>(&mut self, skb: &Skb, dev: IfIndex, addr: A, state: NudState, after: NudState, action: NeighAction, mac: Mac) {
        if T::ON {
            let addr = self.addr32(addr);
            self.step(skb, dev, Evidence::NeighbourLookup { addr, state, after, action, mac });
        }
    }

    /// Writes the link header and hands the frame to the device.
    pub(super) fn send_to(&mut self, mut skb: Box<Skb>, dev: IfIndex, dst: Mac, src: Mac) {
        skb.frame.eth.dst = dst;
        skb.frame.eth.src = src;
        self.changed(&mut skb, |_| Change::Ethernet { dst, src });
        self.dev_queue_xmit(skb, dev);
    }

    fn neigh_delta<A: Nd>(&mut self, dev: IfIndex, addr: A) {
        if T::ON
            && let Some(n) = A::table(self.ns).get(dev, addr)
        {
            self.trace.delta(self.ns.id, StateDelta::Neighbour { dev, addr: addr.into(), mac: n.mac, state: n.state });
        }
    }

    /// The timer of an entry fired (neigh_timer_handler).
    pub fn neigh_timer<A: Nd>(&mut self, dev: IfIndex, addr: A) {
        let now = self.now;
        let Some(n) = A::table(self.ns).get(dev, addr) else { return };
        if n.timer > now {
            return;
        }
        let Some(params) = self.ns.config.devices.get(dev).map(|d| A::params(d).clone()) else { return };
        let reachable = match n.state {
            NudState::Reachable | NudState::Delay => self.reachable_time::<A>(dev, &params),
            _ => Duration::ZERO,
        };
        let retrans = millis(params.retrans_time_ms).max(Duration::from_millis(10));
        let delay = Duration::from_secs(u64::from(params.delay_first_probe_time));
        let Some(n) = A::table_mut(self.ns).get_mut(dev, addr) else { return };
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
        let max = params.ucast_solicit.saturating_add(params.app_solicit).saturating_add(match n.state {
            NudState::Probe => params.mcast_resolicit,
            _ => params.mcast_solicit,
        });
        let given_up = matches!(n.state, NudState::Incomplete | NudState::Probe) && n.probes >= max;
        if given_up {
            n.state = NudState::Failed;
            n.timer = Time::NEVER;
            n.updated = now;
        }
        let (state, timer, mac) = (n.state, n.timer, n.mac);
        let asker = n.queue.back().map(|s| (s.id, s.flow));
        if timer != Time::NEVER {
            self.arm(timer, Timer::Neighbour(dev, addr.into()));
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
            A::solicit(self, dev, addr, self.flow, &params);
        }
    }

    fn neigh_change_step<A: Nd>(&mut self, dev: IfIndex, addr: A, from: NudState, to: NudState, mac: Mac) {
        if T::ON {
            let addr = self.addr32(addr);
            self.trace.step(Step {
                at: self.now,
                netns: self.ns.id,
                dev,
                packet: self.cause,
                version: crate::linux::VersionId::NONE,
                evidence: Evidence::NeighbourUpdate { addr, from, to, mac },
            });
        }
    }

    /// Nobody answered: the packets that waited end, each with an error to its sender (neigh_invalidate).
    fn neigh_invalidate<A: Nd>(&mut self, dev: IfIndex, addr: A) {
        let Some(n) = A::table_mut(self.ns).get_mut(dev, addr) else { return };
        n.queue_bytes = 0;
        let waiting = std::mem::take(&mut n.queue);
        for skb in waiting {
            self.cause = skb.id;
            self.flow = skb.flow;
            self.step(&skb, dev, Evidence::Timer { timer: TimerKind::Neighbour });
            A::error_report(self, &skb);
            self.drop_skb(skb, dev, DropReason::NeighFailed);
        }
    }

    /// The reachable time in force on a link: drawn between half and one and a half of the base, and drawn anew after
    /// 300 seconds or when the base changes (neigh_rand_reach_time, neigh_periodic_work).
    fn reachable_time<A: Nd>(&mut self, dev: IfIndex, params: &NeighParams) -> Duration {
        let (base, now) = (params.base_reachable_time_ms, self.now);
        if let Some(r) = A::table(self.ns).reach.get(&dev).filter(|r| r.base_ms == base && now.since(r.drawn) <= REDRAW) {
            return r.value;
        }
        let value = millis(base / 2 + self.rng.below(Draw::ReachableTime, base.max(1)));
        A::table_mut(self.ns).reach.insert(dev, Reach { base_ms: base, value, drawn: now });
        value
    }

    /// Makes an entry, unless there are too many; then those that can go are collected first (neigh_alloc).
    pub(super) fn neigh_create<A: Nd>(&mut self, dev: IfIndex, addr: A, source: Source) -> bool {
        let (now, sysctl) = (self.now, self.ns.config.sysctl.clone());
        // the permanent ones do not count; who they are is looked up only when it gets tight
        let all = A::table(self.ns).len() as u32;
        let entries = if all >= sysctl.gc_thresh2 { A::table(self.ns).collectable().len() as u32 } else { all };
        let overdue = now.since(A::table(self.ns).last_flush) > Duration::from_secs(5);
        if entries >= sysctl.gc_thresh3 || (entries >= sysctl.gc_thresh2 && overdue) {
            let shrunk = self.neigh_forced_gc::<A>(sysctl.gc_thresh2);
            if shrunk == 0 && entries >= sysctl.gc_thresh3 {
                return false;
            }
        }
        A::table_mut(self.ns).insert(Neighbour::new(dev, addr, now, source));
        if !A::table(self.ns).collecting && A::table(self.ns).len() as u32 >= sysctl.gc_thresh1 {
            A::table_mut(self.ns).collecting = true;
            self.arm(now + millis(A::default_params(&sysctl).base_reachable_time_ms / 2), Timer::NeighbourGc(A::FAMILY));
        }
        true
    }

    /// Too many entries: those that failed, and those that nothing was heard of for five seconds, go (neigh_forced_gc).
    fn neigh_forced_gc<A: Nd>(&mut self, thresh2: u32) -> u32 {
        let now = self.now;
        let all = A::table(self.ns).collectable();
        let most = (all.len() as u32).saturating_sub(thresh2);
        let mut shrunk = 0;
        for (dev, addr) in all {
            let Some(n) = A::table(self.ns).get(dev, addr).filter(|n| !n.state.has_timer()) else { continue };
            let old = now.since(n.updated) > Duration::from_secs(5);
            if old || matches!(n.state, NudState::Failed | NudState::Noarp) {
                self.neigh_forget(dev, addr);
                shrunk += 1;
                if shrunk >= most {
                    break;
                }
            }
        }
        A::table_mut(self.ns).last_flush = now;
        shrunk
    }

    /// From time to time entries that failed, and those that were not used for `gc_stale_time`, go, if there are
    /// `gc_thresh1` or more (neigh_periodic_work).
    pub fn neigh_periodic_work<A: Nd>(&mut self) {
        let (now, sysctl) = (self.now, self.ns.config.sysctl.clone());
        if (A::table(self.ns).len() as u32) < sysctl.gc_thresh1 {
            A::table_mut(self.ns).collecting = false;
            return;
        }
        for (dev, addr) in A::table(self.ns).collectable() {
            let stale_time = self.ns.config.devices.get(dev).map_or(60, |d| A::params(d).gc_stale_time);
            let Some(n) = A::table_mut(self.ns).get_mut(dev, addr).filter(|n| !n.state.has_timer()) else { continue };
            n.used = n.used.max(n.confirmed.min(now));
            if n.state == NudState::Failed || now.since(n.used) >= Duration::from_secs(u64::from(stale_time)) {
                self.neigh_forget(dev, addr);
            }
        }
        self.arm(now + millis(A::default_params(&sysctl).base_reachable_time_ms / 2), Timer::NeighbourGc(A::FAMILY));
    }

    /// An entry without a timer is collected; nothing waits for it.
    fn neigh_forget<A: Nd>(&mut self, dev: IfIndex, addr: A) {
        if let Some(n) = A::table_mut(self.ns).remove(dev, addr)
            && T::ON
        {
            self.neigh_change_step(dev, addr, n.state, NudState::None, n.mac);
            self.trace.delta(self.ns.id, StateDelta::Neighbour { dev, addr: addr.into(), mac: n.mac, state: NudState::None });
        }
    }

    /// Learns or confirms an entry from an ARP or neighbour discovery packet (neigh_update). Creates it if `create` says so.
    pub(super) fn neigh_update<A: Nd>(
        &mut self,
        dev: IfIndex,
        addr: A,
        mac: Mac,
        state: NudState,
        overrides: bool,
        create: bool,
        by: &Skb,
    ) {
        let now = self.now;
        let Some(params) = self.ns.config.devices.get(dev).map(|d| A::params(d).clone()) else { return };
        let existing = A::table(self.ns).get(dev, addr).map(|n| (n.state, n.mac));
        if existing.is_none() && !create {
            return;
        }
        let (old_state, old_mac) = existing.unwrap_or((NudState::None, Mac::ZERO));
        if matches!(old_state, NudState::Permanent | NudState::Noarp) {
            return;
        }
        let same = old_state.is_valid() && mac == old_mac;
        if state.is_connected()
            && let Some(n) = A::table_mut(self.ns).get_mut(dev, addr)
        {
            // heard of, even if what it says is not taken over
            n.confirmed = now;
        }
        if old_state.is_valid() && !same && !overrides {
            // not trusted to replace what is known
            return;
        }
        // a request from a neighbour that is known tells nothing new
        let new_state = if same && state == NudState::Stale { old_state } else { state };
        let new_mac = mac;
        let reachable = if new_state == NudState::Reachable { self.reachable_time::<A>(dev, &params) } else { Duration::ZERO };
        if existing.is_none() && !self.neigh_create(dev, addr, Source::Kernel) {
            return;
        }
        let source = if T::ON {
            let evidence = Evidence::NeighbourUpdate { addr: self.addr32(addr), from: old_state, to: new_state, mac: new_mac };
            Source::Step(self.step(by, dev, evidence).0)
        } else {
            Source::Kernel
        };
        let Some(entry) = A::table_mut(self.ns).get_mut(dev, addr) else { return };
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
            if new_state == NudState::Probe {
                entry.probes = 0;
            }
            entry.timer = if new_state == NudState::Reachable { now + reachable } else { Time::NEVER };
            let at = entry.timer;
            if at != Time::NEVER {
                self.arm(at, Timer::Neighbour(dev, addr.into()));
            }
        }
        self.neigh_delta(dev, addr);
        if was_waiting {
            self.neigh_ready(dev, addr);
        }
    }

    /// The hardware address is known: the packets that waited for it go.
    pub fn neigh_ready<A: Nd>(&mut self, dev: IfIndex, addr: A) {
        let Some(n) = A::table_mut(self.ns).get_mut(dev, addr) else { return };
        n.queue_bytes = 0;
        let waiting = std::mem::take(&mut n.queue);
        for skb in waiting {
            self.neigh_output(skb, dev, addr);
        }
    }
}
