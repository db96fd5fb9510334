//! What the real kernel did, in the words of an account.

use super::build::{Built, Devices};
use super::capture::{Captured, TraceMessage};
use super::hooks::{self, Group, Key};
use super::{LabError, tools};
use crate::account::words::{DeviceOf, Words, line_of};
use crate::account::{Observed, outcome};
use crate::plan::Plan;
use crate::verify::bare;
use indexmap::IndexMap;
use serde_json::{Map, Value, json};
use sim_core::engine::FlowRecord;
use sim_core::packet::{Ethernet, Frame, Ipv4Packet, Mac, Net};

/// Hardware types whose frames have an Ethernet header: Ethernet and loopback.
const WITH_HEADER: [u16; 2] = [1, 772];

struct Names<'a> {
    plan: &'a Plan,
    devices: &'a [Devices],
}

impl DeviceOf for Names<'_> {
    fn device_of(&self, mac: Mac) -> Option<String> {
        self.plan.places.iter().zip(self.devices).find_map(|(p, d)| d.macs.get(&mac).map(|name| format!("{}/{name}", p.label)))
    }
}

/// A frame with what is not told but needed to know it again.
struct Told {
    row: Map<String, Value>,
    key: Option<Key>,
    line: String,
    used: bool,
}

/// The account of a run.
///
/// # Errors
/// When the connection tracking table cannot be read.
pub fn account(
    plan: &Plan,
    built: &Built,
    frames: &[Vec<Captured>],
    traces: &[Vec<TraceMessage>],
    records: &[FlowRecord],
) -> Result<Observed, LabError> {
    let names = Names { plan, devices: &built.devices };
    let words = Words { ports: &plan.ports, symbol: "EPH", device: &names };
    let mut all: Vec<(u64, usize, usize, Told)> = Vec::new();
    for (i, list) in frames.iter().enumerate() {
        let mut last = 0;
        for (k, c) in list.iter().enumerate() {
            last = last.max(c.at);
            if let Some(t) = told(plan, built, &words, i, c) {
                all.push((last, i, k, t));
            }
        }
    }
    all.sort_by_key(|(at, i, k, _)| (*at, *i, *k));
    let mut steps: Vec<(usize, Told)> = all.into_iter().map(|(_, i, _, t)| (i, t)).collect();
    let hooks = packets(plan, built, &words, traces, &mut steps);
    let label = |id: sim_core::linux::NetnsId| plan.places.get(id.0 as usize).map_or_else(String::new, |p| p.label.clone());
    let outcome = records.iter().map(|f| bare(outcome::of(&words, &label, f), &f.spec.kind)).collect();
    let mut conntrack = IndexMap::new();
    if tools::is_there("conntrack") {
        for (p, ns) in plan.places.iter().zip(&built.places).filter(|(p, _)| !p.hidden) {
            let said = tools::run(ns, &tools::words("conntrack -L -o extended"), None)?;
            let mut lines: Vec<String> = said.out.lines().filter(|l| l.contains(" src=")).map(|l| entry(&words, l)).collect();
            lines.sort();
            if !lines.is_empty() {
                conntrack.insert(p.label.clone(), lines);
            }
        }
    }
    let steps = steps.into_iter().map(|(_, t)| t.row).collect();
    Ok(Observed { steps, hooks, outcome, conntrack })
}

fn told(plan: &Plan, built: &Built, words: &Words<'_>, netns: usize, c: &Captured) -> Option<Told> {
    let place = plan.places.get(netns)?;
    let dev = built.devices[netns].names.get(&c.dev).cloned().unwrap_or_else(|| c.dev.to_string());
    let mut row = Map::new();
    row.insert("netns".into(), json!(place.label));
    row.insert("dev".into(), json!(dev));
    row.insert("dir".into(), json!(if c.pkttype == 4 { "out" } else { "in" }));
    match c.pkttype {
        1 => drop(row.insert("pkttype".into(), json!("broadcast"))),
        2 => drop(row.insert("pkttype".into(), json!("multicast"))),
        3 => drop(row.insert("pkttype".into(), json!("otherhost"))),
        _ => {}
    }
    let frame = if WITH_HEADER.contains(&c.hatype) {
        Frame::decode(&c.bytes).ok()?
    } else {
        Frame { eth: Ethernet::default(), net: Net::Ipv4(Ipv4Packet::decode(&c.bytes).ok()?) }
    };
    words.frame(&frame, &mut row);
    if !WITH_HEADER.contains(&c.hatype) {
        row.shift_remove("eth");
    }
    let ip = if WITH_HEADER.contains(&c.hatype) { c.bytes.get(14..).unwrap_or(&[]) } else { &c.bytes };
    let is_ip = frame.ipv4().is_some();
    let key = if is_ip { hooks::key(ip) } else { None };
    let line = if is_ip { line_of(&row) } else { String::new() };
    Some(Told { row, key, line, used: false })
}

fn word<'a>(row: &'a Map<String, Value>, key: &str) -> &'a str {
    row.get(key).and_then(Value::as_str).unwrap_or("")
}

/// Packets at the hooks, in the order of their frames. A packet that came in is known by its first hook, one that goes out by its
/// last; the identification alone is ambiguous, so exact equality goes first.
fn packets(
    plan: &Plan,
    built: &Built,
    words: &Words<'_>,
    traces: &[Vec<TraceMessage>],
    steps: &mut [(usize, Told)],
) -> Vec<Map<String, Value>> {
    let mut keyed: Vec<(usize, usize, String, Group)> = Vec::new();
    let mut number = 0;
    for (i, messages) in traces.iter().enumerate() {
        let devices = &built.devices[i];
        let device = |index: u32| devices.names.get(&index).cloned();
        let groups = hooks::group(messages, words, &device, &built.handles[i]);
        let mut hits: Vec<Option<usize>> = vec![None; groups.len()];
        for exact in [true, false] {
            for (g, hit) in groups.iter().zip(&mut hits) {
                if hit.is_some() {
                    continue;
                }
                let iif = g.iif.and_then(device).unwrap_or_default();
                let found = steps.iter().position(|(place, t)| {
                    let dev = word(&t.row, "dev");
                    let master = devices.masters.get(dev).map_or("", String::as_str);
                    *place == i
                        && !t.used
                        && t.key.is_some()
                        && t.key == g.key
                        && (word(&t.row, "dir") == "out") == g.outgoing
                        && !(word(&t.row, "pkttype") == "otherhost" && master.is_empty())
                        && (g.outgoing || dev == iif || master == iif)
                        && (!exact || t.line == g.seen())
                        && (exact || g.outgoing || word(&t.row, "src") == g.source)
                        && (exact || !g.outgoing || g.key.is_some_and(|k| k.0 != 0))
                });
                if let Some(n) = found {
                    *hit = Some(n);
                    steps[n].1.used = true;
                }
            }
        }
        let mut reached = 0;
        for (g, hit) in groups.into_iter().zip(hits) {
            reached = hit.unwrap_or(reached);
            keyed.push((reached, number, plan.places[i].label.clone(), g));
            number += 1;
        }
    }
    keyed.sort_by_key(|(step, n, ..)| (*step, *n));
    keyed
        .into_iter()
        .map(|(_, _, label, g)| {
            let mut m = Map::new();
            m.insert("netns".into(), json!(label));
            m.insert("hooks".into(), Value::Array(g.hooks.into_iter().map(Value::Object).collect()));
            m
        })
        .collect()
}

/// A line of `conntrack -L -o extended` without family, timeout, use count and a mark of zero.
fn entry(words: &Words<'_>, line: &str) -> String {
    let all: Vec<&str> = line.split_whitespace().filter(|w| !matches!(*w, "ipv4" | "ipv6")).skip(1).collect();
    let mut out: Vec<String> = all.first().map(|w| (*w).to_owned()).into_iter().collect();
    let timeout = all.get(2).is_some_and(|w| w.bytes().all(|b| b.is_ascii_digit()));
    for w in all.iter().skip(if timeout { 3 } else { 2 }) {
        if w.starts_with("use=") || w.starts_with("secctx=") || w.starts_with("mark=0") {
            continue;
        }
        out.push(match w.split_once('=') {
            Some((k @ ("sport" | "dport"), v)) => format!("{k}={}", v.parse().map_or_else(|_| v.to_owned(), |p| words.port_text(p))),
            _ => (*w).to_owned(),
        });
    }
    out.join(" ")
}
