//! The three requirements of the Kubernetes network model, tried on every pair.
//!
//! Each probe runs in a copy of the world of its own, so that none sees what another left behind.

use super::drive::Engine;
use super::flow::{FlowKind, FlowSpec, SendOptions, Start};
use super::flows::{Agenda, NoCommands};
use super::world::World;
use crate::apps::Ending;
use crate::control::network_model::{Place, Probe, Report, Seen, judge, probes};
use crate::linux::NetnsId;
use crate::packet::{Body, IcmpKind};
use crate::trace::{Evidence, Recording};
use rayon::prelude::*;
use std::time::Duration;

impl World {
    fn probe_place(&self, place: &Place) -> Option<NetnsId> {
        match place {
            Place::Pod(key, _) => self.pod(key),
            Place::Node(name) => self.netns_by_name(self.host_by_name(name)?, ""),
        }
    }

    /// Tries every probe of the network model; none without a cluster.
    pub fn network_model(&self) -> Option<Report> {
        let store = &self.cluster.as_ref()?.store;
        let all = probes(store);
        // whole probes side by side, judged in their order
        let seen: Vec<Seen> = all.par_iter().map(|p| self.try_probe(p)).collect();
        Some(judge(store, all.into_iter().zip(seen)))
    }

    /// Pings once, and looks with which source address the request arrived.
    fn try_probe(&self, probe: &Probe) -> Seen {
        let (Some(from), Some(to)) = (self.probe_place(&probe.from), self.probe_place(&probe.to)) else {
            return Seen::Lost("the pod is not running".into());
        };
        let kind = FlowKind::Ping { to: probe.dst.into(), count: 1, interval: Duration::from_secs(1), ident: None, seq: 1 };
        let options = SendOptions { timeout: Some(Duration::from_secs(5)), ..SendOptions::default() };
        let flow = FlowSpec { name: "probe".into(), from, start: Start::After(Duration::ZERO), kind, options };
        let agenda = Agenda { flows: vec![flow], ..Agenda::default() };
        let run = Engine::new(self.clone(), Recording::default()).record(&agenda, &mut NoCommands);
        let arrived = run
            .recording
            .steps
            .iter()
            .filter(|s| s.netns == to && matches!(s.evidence, Evidence::Deliver { .. } | Evidence::Hook { .. }))
            .find_map(|s| {
                let frame = run.recording.frame(s.version)?;
                let p = frame.ipv4()?;
                let echo = matches!(&p.body, Body::Icmp(m) if matches!(m.kind, IcmpKind::EchoRequest { .. }));
                let here = p.header.dst == probe.dst && from != to;
                (echo && here).then_some(p.header.src)
            });
        let outcome = run.flows.first().map(|f| &f.outcome);
        match (arrived, outcome.map(|o| o.ending)) {
            (Some(src), Some(Ending::Replied)) => Seen::Replied(src),
            (Some(src), _) => Seen::NoReply(src),
            (None, Some(ending)) => {
                let dropped = run.recording.steps.iter().rev().find_map(|s| match s.evidence {
                    Evidence::Drop { reason } => {
                        Some(format!("; {} on {}", reason.meaning(), run.end.info(s.netns).map_or("?", |i| &i.label)))
                    }
                    _ => None,
                });
                Seen::Lost(format!("{ending:?}{}", dropped.unwrap_or_default()).into())
            }
            (None, None) => Seen::Lost("the probe was stopped".into()),
        }
    }
}

/// The address that was seen, where one was.
pub fn source_seen(seen: &Seen) -> Option<crate::packet::Ipv4Addr> {
    match seen {
        Seen::Replied(a) | Seen::NoReply(a) => Some(*a),
        Seen::Lost(_) => None,
    }
}
