//! Everything that a run told, kept.

use super::delta::{DeltaRecord, StateDelta};
use super::evidence::{Addr32, CtCode, Evidence, Verdict};
use super::step::{Step, StepId};
use super::tracer::Tracer;
use super::version::{Change, VersionRecord};
use crate::linux::config::Config;
use crate::linux::hot::HotMap;
use crate::linux::{FlowId, NetnsId, OpId, PacketId, Time, VersionId};
use crate::packet::{Body, Frame, IcmpKind, IpAddr, Ipv6Addr, Net};
use std::sync::Arc;

/// A packet of the run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PacketRecord {
    /// Its number.
    pub id: PacketId,
    /// The packet that made the kernel or a program send it; none for the first of a flow.
    pub caused_by: PacketId,
    /// The packet that it is a copy of.
    pub copy_of: PacketId,
    /// The flow it belongs to.
    pub flow: FlowId,
}

/// Something that happened beside the packets.
#[derive(Clone, Debug, PartialEq)]
pub enum EventKind {
    /// A command was applied.
    Op(OpId),
    /// A controller ran; what it did, in its own words.
    Controller {
        /// Which: `kubelet`, `flanneld`.
        name: Arc<str>,
        /// What it did.
        text: Arc<str>,
    },
    /// A flow began.
    FlowBegan(FlowId),
    /// A flow ended.
    FlowEnded(FlowId),
    /// An entry expired, or the run was stopped; in words of codes.
    Note(Arc<str>),
}

/// An event, when and before which step.
#[derive(Clone, Debug, PartialEq)]
pub struct EventRecord {
    /// When.
    pub at: Time,
    /// How many steps had been recorded.
    pub step: u32,
    /// What.
    pub kind: EventKind,
}

/// Everything that a run told.
#[derive(Clone, Debug, Default)]
pub struct Recording {
    /// The steps, in order.
    pub steps: Vec<Step>,
    /// Versions of headers; number n stands at n - 1.
    pub versions: Vec<VersionRecord>,
    /// Packets in order of birth.
    pub packets: Vec<PacketRecord>,
    /// Writes to tables that are not versioned.
    pub deltas: Vec<DeltaRecord>,
    /// Versions of configurations: from which step on, whose, what.
    pub configs: Vec<(u32, NetnsId, Arc<Config>)>,
    /// What happened beside the packets.
    pub events: Vec<EventRecord>,
    /// IPv6 addresses that steps name by number, in the order in which they were met.
    pub addrs6: Vec<Ipv6Addr>,
    /// The numbers of those, from 1.
    numbers6: HotMap<Ipv6Addr, u32>,
}

impl Recording {
    /// Bytes kept per step: steps and versions of headers together, divided by the number of steps.
    pub fn bytes_per_step(&self) -> usize {
        let steps = self.steps.len() * size_of::<Step>();
        let wholes = self.versions.iter().filter(|v| matches!(v.change, Change::Whole(_))).count() * size_of::<Frame>();
        let versions = self.versions.len() * size_of::<VersionRecord>();
        (steps + wholes + versions) / self.steps.len().max(1)
    }

    /// The address that a step names.
    pub fn addr(&self, addr: Addr32) -> IpAddr {
        let at = (addr.0 as usize).wrapping_sub(1);
        self.addrs6.get(at).map_or(IpAddr::V4(addr.ipv4()), |a| IpAddr::V6(*a))
    }

    /// The step `id`.
    pub fn step_at(&self, id: StepId) -> Option<&Step> {
        self.steps.get(id.0 as usize)
    }

    /// The packet `id`.
    pub fn packet_at(&self, id: PacketId) -> Option<&PacketRecord> {
        let at = self.packets.partition_point(|p| p.id < id);
        self.packets.get(at).filter(|p| p.id == id)
    }

    /// The packet as it was at `version`; none if there is no such version.
    pub fn frame(&self, version: VersionId) -> Option<Frame> {
        let mut todo = Vec::new();
        let mut at = version;
        let mut frame = loop {
            let record = self.versions.get((at.0 as usize).checked_sub(1)?)?;
            match &record.change {
                Change::Whole(f) => break (**f).clone(),
                small => todo.push(small),
            }
            at = record.before;
        };
        while let Some(change) = todo.pop() {
            apply(&mut frame, change);
        }
        Some(frame)
    }

    /// The configuration of `netns` that was in force at `step`.
    pub fn config(&self, netns: NetnsId, step: StepId) -> Option<&Arc<Config>> {
        let end = self.configs.partition_point(|(from, _, _)| *from <= step.0);
        self.configs[..end].iter().rev().find(|(_, n, _)| *n == netns).map(|(_, _, c)| c)
    }
}

fn apply(frame: &mut Frame, change: &Change) {
    if let Change::Ethernet { dst, src } = change {
        frame.eth.dst = *dst;
        frame.eth.src = *src;
        return;
    }
    if let (Net::Ipv6(ip), Change::Ttl(ttl)) = (&mut frame.net, change) {
        ip.header.hop_limit = *ttl;
        return;
    }
    let Net::Ipv4(ip) = &mut frame.net else { return };
    match change {
        Change::Ttl(ttl) => ip.header.ttl = *ttl,
        Change::Source(addr, port) => {
            ip.header.src = *addr;
            match &mut ip.body {
                Body::Tcp(t) => t.src_port = *port,
                Body::Udp(u) => u.src_port = *port,
                Body::Icmp(m) => match &mut m.kind {
                    IcmpKind::EchoRequest { id, .. } | IcmpKind::EchoReply { id, .. } => *id = *port,
                    _ => {}
                },
                _ => {}
            }
        }
        Change::Destination(addr, port) => {
            ip.header.dst = *addr;
            match &mut ip.body {
                Body::Tcp(t) => t.dst_port = *port,
                Body::Udp(u) => u.dst_port = *port,
                Body::Icmp(m) => match &mut m.kind {
                    IcmpKind::EchoRequest { id, .. } | IcmpKind::EchoReply { id, .. } => *id = *port,
                    _ => {}
                },
                _ => {}
            }
        }
        Change::Whole(_) | Change::Ethernet { .. } => {}
    }
}

/// A tracer that keeps everything and tells it when the run is over.
pub trait Keep: Tracer {
    /// Everything that the run told.
    fn finish(self) -> Recording;
}

impl Keep for Recording {
    fn finish(self) -> Recording {
        self
    }
}

impl Tracer for Recording {
    const ON: bool = true;

    #[inline]
    fn step(&mut self, step: Step) -> StepId {
        let id = StepId(self.steps.len() as u32);
        self.steps.push(step);
        id
    }

    fn packet(&mut self, id: PacketId, caused_by: PacketId, copy_of: PacketId, flow: FlowId) {
        self.packets.push(PacketRecord { id, caused_by, copy_of, flow });
    }

    #[inline]
    fn change(&mut self, before: VersionId, change: Change) -> VersionId {
        self.versions.push(VersionRecord { before, change });
        VersionId(self.versions.len() as u32)
    }

    fn rule_verdict(&mut self, rule: StepId, said: Verdict) {
        if let Some(Step { evidence: Evidence::Rule { verdict, .. }, .. }) = self.steps.get_mut(rule.0 as usize) {
            *verdict = said;
        }
    }

    fn hook_left(&mut self, hook: StepId, version: VersionId, view: CtCode) {
        if let Some(Step { evidence: Evidence::Hook { after, ct, .. }, .. }) = self.steps.get_mut(hook.0 as usize) {
            *after = version;
            *ct = view;
        }
    }

    fn hook_ended(&mut self, hook: StepId, view: CtCode) {
        if let Some(Step { evidence: Evidence::Hook { ct, .. }, .. }) = self.steps.get_mut(hook.0 as usize) {
            *ct = view;
        }
    }

    fn delta(&mut self, netns: NetnsId, delta: StateDelta) {
        self.deltas.push(DeltaRecord { step: self.steps.len() as u32, netns, delta });
    }

    fn config(&mut self, netns: NetnsId, config: &Arc<Config>) {
        self.configs.push((self.steps.len() as u32, netns, config.clone()));
    }

    fn addr6(&mut self, addr: Ipv6Addr) -> Addr32 {
        if let Some(n) = self.numbers6.get(&addr) {
            return Addr32(*n);
        }
        self.addrs6.push(addr);
        let n = self.addrs6.len() as u32;
        self.numbers6.insert(addr, n);
        Addr32(n)
    }

    fn event(&mut self, at: Time, kind: EventKind) {
        self.events.push(EventRecord { at, step: self.steps.len() as u32, kind });
    }
}
