//! `loopback`: brings `lo` up in a new namespace.
//!
//! Models: containernetworking/plugins plugins/main/loopback/loopback.go (1.9.1).
//! Simplifies: IPv4 alone.

use super::{Call, CniError, CniInterface, CniIp, CniResult, Exec, NodeEnv, Plugin, Progress};
use crate::linux::Op;
use crate::linux::op::{LinkOp, LinkSet};
use crate::packet::Mac;
use std::sync::Arc;

/// The plugin.
#[derive(Debug)]
pub struct Loopback;

fn set(up: bool) -> Op {
    Op::Link(LinkOp::Set { dev: "lo".into(), set: LinkSet { up: Some(up), ..LinkSet::default() } })
}

impl Plugin for Loopback {
    fn kind(&self) -> &'static str {
        "loopback"
    }

    fn add(&self, call: Call<'_>, env: &mut NodeEnv<'_>, phase: u8, _: CniResult) -> Result<Progress, CniError> {
        let pod = call.args.netns.clone();
        let lo = env.netns(pod.as_deref()).and_then(|ns| ns.config.devices.by_name("lo"));
        let lo = lo.ok_or_else(|| CniError::internal("Link not found"))?;
        if phase == 0 && !lo.up {
            return Ok(Progress::Run { exec: vec![Exec { netns: pod, op: set(true) }], next: 1, partial: CniResult::default() });
        }
        if let Some(a) = lo.addrs.iter().find(|a| !a.local.is_loopback()) {
            return Err(CniError::internal(format!(
                "loopback interface found with non-loopback address \"{}/{}\"",
                a.local,
                a.prefix.len()
            )));
        }
        if let Some(prev) = call.prev_result {
            return Ok(Progress::Done(prev.clone()));
        }
        let ips = lo.addrs.first().map(|a| CniIp { address: a.local, range: a.prefix, gateway: None, interface: Some(0) });
        let interface = CniInterface { name: "lo".into(), mac: Some(Mac::ZERO), sandbox: pod };
        Ok(Progress::Done(CniResult { interfaces: vec![interface], ips: ips.into_iter().collect(), ..CniResult::default() }))
    }

    fn del(&self, call: Call<'_>, env: &mut NodeEnv<'_>) -> Result<Vec<Exec>, CniError> {
        let Some(pod) = call.args.netns.clone() else { return Ok(Vec::new()) };
        let is_up = env.netns(Some(&pod)).and_then(|ns| ns.config.devices.by_name("lo")).is_some_and(|d| d.up);
        Ok(if is_up { vec![Exec { netns: Some(pod), op: set(false) }] } else { Vec::new() })
    }

    fn check(&self, call: Call<'_>, env: &mut NodeEnv<'_>) -> Result<(), CniError> {
        let pod: Option<&Arc<str>> = call.args.netns.as_ref();
        let lo = env.netns(pod.map(|p| &**p)).and_then(|ns| ns.config.devices.by_name("lo"));
        match lo {
            None => Err(CniError::internal("Link not found")),
            Some(d) if !d.up => Err(CniError::internal("loopback interface is down")),
            Some(_) => Ok(()),
        }
    }
}
