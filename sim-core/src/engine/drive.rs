//! The loop: one event to one namespace, its effects back into the queue.
//!
//! veth and lo hand over in the order of sending, at the same virtual time; wires take their latency.

use super::guard::{Crossing, Storm};
use super::queue::Happening;
use super::wire::Leads;
use super::world::World;
use crate::apps::Event;
use crate::datapath::transmit::net_len;
use crate::datapath::walk::{Effect, Timer, Walk};
use crate::linux::device::Attach;
use crate::linux::rng::Draw;
use crate::linux::skb::Skb;
use crate::linux::{FlowId, IfIndex, NetnsId, PacketId, SocketId, Time};
use crate::packet::{Family, IpAddr, Ipv4Addr, Ipv6Addr, VlanTag};
use crate::trace::{DropReason, Evidence, Step, Tracer};
use std::sync::Arc;
use std::time::Duration;

/// A world that runs, and who listens to it.
#[derive(Clone, Debug)]
pub struct Engine<T: Tracer> {
    /// The world.
    pub world: World,
    /// Who listens.
    pub trace: T,
}

impl<T: Tracer> Engine<T> {
    /// Runs a world before that listener.
    pub fn new(world: World, trace: T) -> Self {
        Engine { world, trace }
    }

    /// Runs until nothing is left to do before `limit`; the clock then stands at `limit`.
    ///
    /// # Errors
    /// When the budget of events is spent: the loop that frames go round in.
    pub fn run_until(&mut self, limit: Time) -> Result<(), Storm> {
        while self.step_event(limit)? {}
        self.world.now = self.world.now.max(limit);
        Ok(())
    }

    /// Handles the next event that comes no later than `limit`; false if there is none.
    ///
    /// # Errors
    /// When the budget of events is spent.
    #[inline]
    pub fn step_event(&mut self, limit: Time) -> Result<bool, Storm> {
        let w = &mut self.world;
        let Some((at, what)) = w.queue.pop(w.now, limit) else { return Ok(false) };
        w.now = at;
        if !w.guard.count(at) {
            return Err(w.guard.storm(at));
        }
        self.handle(what)?;
        Ok(true)
    }

    #[inline]
    fn handle(&mut self, what: Happening) -> Result<(), Storm> {
        match what {
            Happening::Frame { netns, dev, skb } => {
                let (cause, flow) = (skb.id, skb.flow);
                self.walk(netns, cause, flow, |walk| walk.receive(skb, dev));
                self.effects(netns, cause, flow);
            }
            Happening::Upper { netns, dev, skb, .. } => {
                let (cause, flow) = (skb.id, skb.flow);
                self.walk(netns, cause, flow, |walk| walk.receive_upper(skb, dev));
                self.effects(netns, cause, flow);
            }
            Happening::Timer { netns, timer } => {
                self.walk(netns, PacketId::NONE, FlowId::NONE, |walk| match timer {
                    Timer::Neighbour(dev, IpAddr::V4(addr)) => walk.neigh_timer(dev, addr),
                    Timer::Neighbour(dev, IpAddr::V6(addr)) => walk.neigh_timer(dev, addr),
                    Timer::ProxyArp => walk.neigh_proxy_process(),
                    Timer::NeighbourGc(Family::Inet) => walk.neigh_periodic_work::<Ipv4Addr>(),
                    Timer::NeighbourGc(Family::Inet6) => walk.neigh_periodic_work::<Ipv6Addr>(),
                    Timer::Dad(dev, addr) => walk.addrconf_dad_work(dev, addr),
                    Timer::Mld(dev) => walk.mld_ifc_work(dev),
                    Timer::Reassembly6(number) => walk.fragments6_expired(number),
                    Timer::Tcp(socket, kind) => crate::datapath::tcp::tcp_timer(walk, socket, kind),
                    Timer::Ipvs => walk.ip_vs_expire(),
                    Timer::Reassembly(number) => walk.fragments_expired(number),
                });
                self.effects(netns, PacketId::NONE, FlowId::NONE);
            }
            Happening::Wake { program, event, cause, flow } => {
                if let Some(netns) = self.world.wake(&mut self.trace, program, event, cause, flow) {
                    self.effects_of_process(netns, cause, flow)?;
                }
            }
            Happening::Agent { .. } => self.run_controllers(),
        }
        Ok(())
    }

    /// Lets the datapath work on a namespace.
    #[inline]
    pub(super) fn walk<R>(&mut self, netns: NetnsId, cause: PacketId, flow: FlowId, f: impl FnOnce(&mut Walk<'_, T>) -> R) -> Option<R> {
        let w = &mut self.world;
        let ns = Arc::make_mut(w.netns.get_mut(netns.0 as usize)?);
        let mut walk =
            Walk { ns, now: w.now, rng: &mut w.rng, trace: &mut self.trace, effects: &mut w.effects, ids: &mut w.ids, cause, flow };
        Some(f(&mut walk))
    }

    /// Turns what a program did into events. Each frame that it sent is handed on, as far as the present instant goes,
    /// before the next: when a process leaves the device's queue the softirqs run (local_bh_enable).
    fn effects_of_process(&mut self, netns: NetnsId, cause: PacketId, flow: FlowId) -> Result<(), Storm> {
        if self.world.effects.0.iter().filter(|e| matches!(e, Effect::Transmit(..) | Effect::Beyond(..))).count() < 2 {
            // no frame has one behind it
            self.effects(netns, cause, flow);
            return Ok(());
        }
        for effect in std::mem::take(&mut self.world.effects.0) {
            let sent = matches!(effect, Effect::Transmit(..) | Effect::Beyond(..));
            self.world.effects.0.push(effect);
            self.effects(netns, cause, flow);
            if sent {
                while let Some(what) = self.world.queue.pop_softirq() {
                    if !self.world.guard.count(self.world.now) {
                        return Err(self.world.guard.storm(self.world.now));
                    }
                    self.handle(what)?;
                }
            }
        }
        Ok(())
    }

    /// Turns the effects of an event into events.
    pub(super) fn effects(&mut self, netns: NetnsId, cause: PacketId, flow: FlowId) {
        let mut effects = std::mem::take(&mut self.world.effects.0);
        for effect in effects.drain(..) {
            match effect {
                Effect::Transmit(dev, skb) => self.transmit(netns, dev, skb),
                Effect::Beyond(to, dev, skb, how) => self.beyond(netns, to, dev, skb, how),
                Effect::Receive(dev, skb) => {
                    let w = &mut self.world;
                    w.queue.push(w.now, w.now, Happening::Frame { netns, dev, skb });
                }
                Effect::Arm(at, timer) => {
                    let w = &mut self.world;
                    // a timer is never for the present: it would come before what is in flight
                    let at = at.max(Time(w.now.0 + 1));
                    w.queue.push(w.now, at, Happening::Timer { netns, timer });
                }
                Effect::Wake(socket) => self.wake_socket(netns, socket, cause, flow),
            }
        }
        self.world.effects.0 = effects;
    }

    fn wake_socket(&mut self, netns: NetnsId, socket: SocketId, cause: PacketId, flow: FlowId) {
        let w = &mut self.world;
        let Some(app) = w.netns.get(netns.0 as usize).and_then(|n| n.sockets.get(socket)).map(|s| s.app) else { return };
        w.queue.push(w.now, w.now, Happening::Wake { program: app, event: Event::Socket(socket), cause, flow });
    }

    /// Carries a frame to where the device leads.
    #[inline]
    fn transmit(&mut self, netns: NetnsId, dev: IfIndex, mut skb: Box<Skb>) {
        let w = &mut self.world;
        let Some(attach) = w.netns.get(netns.0 as usize).and_then(|n| n.config.devices.get(dev)).map(|d| d.attach) else { return };
        match attach {
            // what stands on another device hands its frames on within the walk
            Attach::None | Attach::Lower { .. } => {}
            Attach::Loopback => {
                skb.bridge = None;
                w.queue.push(w.now, w.now, Happening::Frame { netns, dev, skb });
            }
            Attach::Veth { netns: to, index } => {
                let mtu = w.netns.get(to.0 as usize).and_then(|n| n.config.devices.get(index)).map_or(0, |d| d.mtu);
                // is_skb_forwardable leaves room for a tag; the outermost is kept beside the packet
                let inner_tags = VlanTag::LEN * skb.frame.eth.tags.len().saturating_sub(1);
                if net_len(&skb) + inner_tags as u32 > mtu.saturating_add(VlanTag::LEN as u32) {
                    return self.lost(to, index, &skb, DropReason::Oversize);
                }
                self.scrub(netns, to, &mut skb);
                self.crossed(&skb, (netns, dev), (to, index));
                let w = &mut self.world;
                w.queue.push(w.now, w.now, Happening::Frame { netns: to, dev: index, skb });
            }
            Attach::Wire(end) => self.send_by_wire(netns, dev, end, skb),
        }
    }

    fn send_by_wire(&mut self, netns: NetnsId, dev: IfIndex, end: u32, mut skb: Box<Skb>) {
        let Some(props) = self.world.wires.ends.get(end as usize).map(|e| match e.leads {
            Leads::End(_) => e.props,
            Leads::Segment(s) => self.world.wires.segments.get(s.0 as usize).map_or(e.props, |s| s.props),
        }) else {
            return;
        };
        if net_len(&skb) > props.mtu {
            return self.lost(netns, dev, &skb, DropReason::Oversize);
        }
        let now = self.world.now;
        let left = match self.world.wires.ends.get_mut(end as usize) {
            Some(e) if e.unplugged => return self.lost(netns, dev, &skb, DropReason::DevReady),
            Some(e) => e.depart(&props, now, skb.frame.len()),
            None => return,
        };
        let Some(left) = left else { return self.lost(netns, dev, &skb, DropReason::QdiscDrop) };
        if props.loss_ppm > 0 && self.world.rng.below(Draw::Wire, 1_000_000) < props.loss_ppm {
            return self.lost(netns, dev, &skb, DropReason::LinkLoss);
        }
        let jitter = u32::try_from(props.jitter.as_nanos()).unwrap_or(u32::MAX);
        let extra = if jitter == 0 { 0 } else { self.world.rng.below(Draw::Wire, jitter.saturating_add(1)) };
        self.scrub(netns, NetnsId(u32::MAX), &mut skb);
        let w = &mut self.world;
        let at = match w.wires.ends.get_mut(end as usize) {
            Some(e) => e.arrive(&props, left, Duration::from_nanos(u64::from(extra))),
            None => return,
        };
        let mut targets: smallvec::SmallVec<[(NetnsId, IfIndex); 2]> = smallvec::SmallVec::new();
        let (src, dst) = (skb.frame.eth.src, skb.frame.eth.dst);
        let vlan = skb.frame.eth.tags.outer().map_or(0, VlanTag::id);
        w.wires.carry(end, src, dst, vlan, now, |e| targets.push((e.netns, e.dev)));
        let Some((last, others)) = targets.split_last() else { return };
        for (to, index) in others {
            let w = &mut self.world;
            let mut copy = skb.clone();
            w.ids.last_packet += 1;
            copy.id = PacketId(w.ids.last_packet);
            if T::ON {
                self.trace.packet(copy.id, skb.id, skb.id, skb.flow);
            }
            self.crossed(&copy, (netns, dev), (*to, *index));
            let w = &mut self.world;
            w.queue.push(w.now, at, Happening::Frame { netns: *to, dev: *index, skb: copy });
        }
        self.crossed(&skb, (netns, dev), *last);
        let w = &mut self.world;
        w.queue.push(w.now, at, Happening::Frame { netns: last.0, dev: last.1, skb });
    }

    /// What a packet loses when it leaves a namespace (skb_scrub_packet).
    #[inline]
    pub(super) fn scrub(&mut self, from: NetnsId, to: NetnsId, skb: &mut Skb) {
        if let Some(ct) = skb.ct.take()
            && let Some(ns) = self.world.netns.get_mut(from.0 as usize)
        {
            Arc::make_mut(ns).conntrack.release_unconfirmed(ct.id);
        }
        skb.bridge = None;
        skb.local_route = false;
        skb.forwarded = false;
        skb.untracked = false;
        skb.recursion = 0;
        skb.next_hop = None;
        skb.socket = SocketId::NONE;
        if from != to {
            skb.mark = 0;
        }
    }

    #[inline]
    pub(super) fn crossed(&mut self, skb: &Skb, from: (NetnsId, IfIndex), to: (NetnsId, IfIndex)) {
        if self.world.guard.watching() {
            self.world.guard.cross(Crossing { origin: skb.origin, from, to });
        }
    }

    pub(super) fn lost(&mut self, netns: NetnsId, dev: IfIndex, skb: &Skb, reason: DropReason) {
        if T::ON {
            self.trace.step(Step {
                at: self.world.now,
                netns,
                dev,
                packet: skb.id,
                version: skb.version,
                evidence: Evidence::Drop { reason },
            });
        }
    }
}
