//! One step resolved: codes and row numbers become names, rows, headers and the change that the step made.

use super::headers::{FieldChange, Layer, diff, innermost, layers, lookup};
use super::index::Index;
use super::kind::{self, Kind};
use super::paths::Direction;
use super::provenance::Provenance;
use super::value::{Fields, Value, find};
use crate::engine::{FlowRecord, Run};
use crate::linux::config::Config;
use crate::linux::conntrack::{CtId, CtSnapshot};
use crate::linux::{FlowId, IfIndex, NetnsId, PacketId, Time, VersionId};
use crate::packet::Frame;
use crate::trace::{Evidence, PacketRecord, StateDelta, Step, StepId};
use std::sync::OnceLock;

/// A run and its index: what all readers ask.
#[derive(Clone, Debug)]
pub struct Report<'r> {
    /// The run.
    pub run: &'r Run,
    /// Its index.
    pub index: Index,
    /// Steps about no packet, by the flow that was under way.
    pub(super) loose: Vec<(FlowId, u32)>,
    /// Which way each packet goes, found out when first asked.
    pub(super) directions: OnceLock<Vec<Option<Direction>>>,
}

/// One step resolved.
#[derive(Clone, Debug)]
pub struct StepView<'r> {
    /// The step as it was recorded.
    pub step: &'r Step,
    /// Its number in the run, from 1.
    pub n: u32,
    /// When.
    pub at: Time,
    /// The packet that it belongs to; none for a step about no packet.
    pub packet: PacketId,
    /// The host.
    pub node: &'r str,
    /// What a reader calls the namespace.
    pub netns: &'r str,
    /// The device; empty if none is concerned.
    pub dev: &'r str,
    /// The layer: `route`.
    pub layer: &'static str,
    /// The kind.
    pub kind: Kind,
    /// The kernel function it mirrors.
    pub kernel: &'static str,
    /// What was decided, in a word or two.
    pub verdict: Option<String>,
    /// The grounds, by name.
    pub evidence: Fields,
    /// The winning row as the real command prints it.
    pub row: Option<String>,
    /// Where that row came from.
    pub made_by: Option<Provenance>,
    /// The headers: of a frame received or transmitted as they are on the wire, else as they were before the step.
    pub headers: Vec<Layer>,
    /// What the step changed in the headers.
    pub changed: Vec<FieldChange>,
}

impl StepView<'_> {
    /// The value of a named evidence.
    pub fn evidence(&self, name: &str) -> Option<&Value> {
        find(&self.evidence, name)
    }

    /// The value of a field by the name that patterns and texts use: a part of the step (`on`, `dev`, `kind`, `kernel`,
    /// `layer`, `verdict`, `row`, `object`), a named evidence (`next_hop`, `chain`, `reason`), a header field
    /// (`ipv4.ttl`) or a field of the innermost header that has one (`protocol`, `src`, `dst`, `sport`, `dport`, `ttl`).
    pub fn field(&self, name: &str) -> Option<String> {
        let text = |s: &str| (!s.is_empty()).then(|| s.to_owned());
        match name {
            "n" => Some(self.n.to_string()),
            "node" => text(self.node),
            "on" | "netns" => text(self.netns),
            "dev" => text(self.dev),
            "layer" => Some(self.layer.to_owned()),
            "kind" => Some(self.kind.name().to_owned()),
            "kernel" => Some(self.kernel.to_owned()),
            "verdict" => self.verdict.clone(),
            "row" => self.row.clone(),
            "object" | "made_by" => self.made_by.as_ref().and_then(|m| m.by.clone()),
            _ => {
                let value = if name.contains('.') {
                    lookup(&self.headers, name)
                } else {
                    self.evidence(name).or_else(|| innermost(&self.headers, name))
                };
                value.filter(|v| **v != Value::Null).map(Value::to_string)
            }
        }
    }

    /// Whether the step changed the header field `field`, such as `ipv4.dst`.
    pub fn changes(&self, field: &str) -> bool {
        self.changed.iter().any(|c| c.field == field)
    }
}

impl<'r> Report<'r> {
    /// A report of `run`.
    pub fn new(run: &'r Run) -> Self {
        let index = Index::new(&run.recording, run.flows.len(), run.end.netns.len());
        let loose = super::paths::file_loose(run, &index.loose);
        Report { run, index, loose, directions: OnceLock::new() }
    }

    /// How many steps there are.
    pub fn len(&self) -> usize {
        self.run.recording.steps.len()
    }

    /// Whether nothing was recorded.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Nanoseconds on the scenario's clock, which starts when the world has settled.
    pub fn clock(&self, at: Time) -> u64 {
        at.0.saturating_sub(self.run.start.now.0)
    }

    /// The steps of a packet, in order.
    pub fn steps_of(&self, packet: PacketId) -> &[u32] {
        self.index.place(packet).map_or(&[], |p| self.index.steps_at(p))
    }

    /// The packets of a flow, in order of birth; flow 0 is the background.
    pub fn packets_of(&self, flow: FlowId) -> impl Iterator<Item = PacketRecord> + '_ {
        self.index.packets_of(flow).iter().filter_map(|p| self.index.packets.get(*p as usize).copied())
    }

    /// The record of a packet.
    pub fn packet(&self, id: PacketId) -> Option<PacketRecord> {
        self.index.packets.get(self.index.place(id)?).copied()
    }

    /// The flow `id`.
    pub fn flow(&self, id: FlowId) -> Option<&'r FlowRecord> {
        self.run.flows.get((id.0 as usize).checked_sub(1)?)
    }

    /// The step at place `id`, as it was recorded.
    pub fn raw(&self, id: StepId) -> Option<&'r Step> {
        self.run.recording.step_at(id)
    }

    /// What a reader calls a namespace.
    pub fn label(&self, netns: NetnsId) -> &'r str {
        self.run.end.info(netns).or_else(|| self.run.start.info(netns)).map_or("", |i| &i.label)
    }

    /// Name of the host of a namespace.
    pub fn node(&self, netns: NetnsId) -> &'r str {
        let world = &self.run.end;
        world.info(netns).and_then(|i| world.hosts.get(i.host.0 as usize)).map_or("", |h| &h.name)
    }

    /// Whether a namespace is scenery whose steps nobody asked for.
    pub fn hidden(&self, netns: NetnsId) -> bool {
        self.run.end.info(netns).is_some_and(|i| i.hidden)
    }

    /// The address that a step names.
    pub fn addr(&self, addr: crate::trace::evidence::Addr32) -> std::net::IpAddr {
        self.run.recording.addr(addr)
    }

    /// The configuration of `netns` in force at the step at place `n`.
    pub fn config(&self, netns: NetnsId, n: u32) -> Option<&'r Config> {
        let recording = &self.run.recording;
        match self.index.config_at(recording, netns, n) {
            Some(i) => recording.configs.get(i).map(|c| &*c.2),
            None => self.run.start.ns(netns).or_else(|| self.run.end.ns(netns)).map(|ns| &*ns.config),
        }
    }

    /// The headers as a capture on the step's device shows them: on a tunnel of IP packets there is no link header.
    fn seen_by(&self, step: &Step, n: u32, mut headers: Vec<Layer>) -> Vec<Layer> {
        let device = self.config(step.netns, n).and_then(|c| c.devices.get(step.dev));
        let bare = matches!(step.evidence, Evidence::Receive { .. } | Evidence::Transmit { .. })
            && device.is_some_and(|d| !d.kind.has_link_header());
        if bare && headers.first().is_some_and(|h| h.name == "eth") {
            headers.remove(0);
        }
        headers
    }

    /// Name of a device at the step at place `n`.
    pub fn dev(&self, netns: NetnsId, dev: IfIndex, n: u32) -> &'r str {
        let now = self.config(netns, n).map_or("", |c| c.devices.name(dev));
        if now.is_empty() { self.run.end.ns(netns).map_or("", |ns| ns.config.devices.name(dev)) } else { now }
    }

    /// A conntrack entry as it was after the step at place `n`.
    pub fn ct_entry(&self, netns: NetnsId, id: CtId, n: u32) -> Option<&'r CtSnapshot> {
        match self.index.ct_at(&self.run.recording, netns, id, n + 1)? {
            StateDelta::Conntrack { entry, .. } => entry.as_deref(),
            StateDelta::Neighbour { .. }
            | StateDelta::Fdb { .. }
            | StateDelta::Remote { .. }
            | StateDelta::Recent { .. }
            | StateDelta::Ipvs { .. }
            | StateDelta::NftElement { .. } => None,
        }
    }

    /// The headers at a version.
    pub fn frame(&self, version: VersionId) -> Option<Frame> {
        self.run.recording.frame(version)
    }

    /// The packet as it was when it was born (or first seen).
    pub fn birth(&self, packet: PacketId) -> Option<Frame> {
        let first = self.steps_of(packet).iter().map(|n| self.index.versions(*n).0).find(|v| v.is_some())?;
        self.frame(first)
    }

    /// The step at place `id`, resolved.
    pub fn step(&self, id: StepId) -> Option<StepView<'r>> {
        let step = self.raw(id)?;
        let n = id.0;
        let kind = Kind::of(&step.evidence);
        let (before, after) = self.index.versions(n);
        let old = self.frame(before);
        let recorded = self.index.recorded(n);
        let shown = match kind {
            Kind::Receive | Kind::Transmit if recorded != before => self.frame(recorded),
            _ => old.clone(),
        };
        let changed = match (&old, after != before) {
            (Some(old), true) => self.frame(after).map(|new| diff(old, &new)).unwrap_or_default(),
            _ => Vec::new(),
        };
        let protocol = shown.as_ref().and_then(|f| f.ipv4()).map(|p| p.body.protocol());
        let told = self.evidence(step, n, shown.as_ref());
        Some(StepView {
            step,
            n: n + 1,
            at: step.at,
            packet: self.index.packet_of(n).and_then(|p| self.index.packets.get(p)).map_or(PacketId::NONE, |p| p.id),
            node: self.node(step.netns),
            netns: self.label(step.netns),
            dev: self.dev(step.netns, step.dev, n),
            layer: kind::layer(&step.evidence),
            kind,
            kernel: kind::kernel(&step.evidence, protocol),
            verdict: told.verdict,
            evidence: told.fields,
            row: told.row,
            made_by: told.made_by,
            headers: self.seen_by(step, n, shown.as_ref().map(layers).unwrap_or_default()),
            changed,
        })
    }

    /// All steps, resolved one by one.
    pub fn steps(&self) -> impl Iterator<Item = StepView<'r>> + '_ {
        (0..self.len() as u32).filter_map(|n| self.step(StepId(n)))
    }
}
