//! The trace document `packetwalk.trace/1`, written as it is read: flow by flow, packet by packet, a step on each line.
//!
//! Every field is described in `docs/trace-format.md`.

use super::doc::Line;
use super::headers::Layer;
use super::names::icmp_name;
use super::paths::PacketRole;
use super::text::event_words;
use super::value::fields_json;
use super::view::{Report, StepView};
use super::words::outcome;
use super::{Detail, Kind, ScenarioInfo, rows};
use crate::apps::outcome::{Ending, Origin};
use crate::engine::FlowRecord;
use crate::linux::device::DeviceKind;
use crate::linux::neighbour::NudState;
use crate::linux::{FlowId, NetnsId};
use crate::trace::{EventKind, StateDelta, StepId};
use serde_json::{Map, Value as Json, json};
use std::io::{self, Write};

/// The name and version of the document.
pub const SCHEMA: &str = "packetwalk.trace/1";

/// Writes the document of a run; with `only`, of its flows the one of that name.
/// At [`Detail::All`] steps tell the rows that lost; the other two densities are the same here.
///
/// # Errors
/// When `out` cannot be written to.
pub fn write(report: &Report<'_>, info: &ScenarioInfo, detail: Detail, only: Option<&str>, out: &mut impl Write) -> io::Result<()> {
    let scenario = json!({"id": info.id, "title": info.title, "cni": info.cni, "proxy": info.proxy, "seed": info.seed});
    write!(out, "{{\"schema\":{},\n\"scenario\":{scenario},\n\"flows\":[", json!(SCHEMA))?;
    let mut first = true;
    for f in report.run.flows.iter().filter(|f| only.is_none_or(|o| o == &*f.spec.name)) {
        writeln!(out, "{}", if first { "" } else { "," })?;
        first = false;
        flow(report, f, detail, out)?;
    }
    write!(out, "],\n\"background\":")?;
    packets(report, FlowId::NONE, detail, out)?;
    write!(out, ",\n\"events\":[")?;
    let mut first = true;
    for e in events(report, detail) {
        write!(out, "{}\n{e}", if first { "" } else { "," })?;
        first = false;
    }
    writeln!(out, "],\n\"tables\":{}}}", tables(report))
}

/// The document as text.
pub fn text(report: &Report<'_>, info: &ScenarioInfo, detail: Detail, only: Option<&str>) -> String {
    let mut out = Vec::new();
    // writing to memory does not fail
    let _ = write(report, info, detail, only, &mut out);
    String::from_utf8_lossy(&out).into_owned()
}

fn flow(report: &Report<'_>, f: &FlowRecord, detail: Detail, out: &mut impl Write) -> io::Result<()> {
    write!(
        out,
        "{{\"name\":{},\"from\":{},\"title\":{},\"began_ns\":{},\"ended_ns\":{},\"outcome\":{},\n\"packets\":",
        json!(f.spec.name),
        json!(report.label(f.spec.from)),
        json!(outcome::title(f)),
        report.clock(f.began),
        report.clock(f.ended),
        outcome_json(report, f)
    )?;
    packets(report, f.id, detail, out)?;
    write!(out, ",\n\"steps\":[")?;
    steps(report, report.loose_of(f.id).filter(|n| !is_timer(report, *n)), detail, out)?;
    write!(out, "]}}")
}

fn is_timer(report: &Report<'_>, n: u32) -> bool {
    report.raw(StepId(n)).is_some_and(|s| Kind::of(&s.evidence) == Kind::Timer)
}

fn outcome_json(report: &Report<'_>, f: &FlowRecord) -> Json {
    let o = &f.outcome;
    let mut m = Map::new();
    let mut put = |k: &str, v: Json| {
        m.insert(k.to_owned(), v);
    };
    put("result", json!(outcome::name(o.ending)));
    match o.ending {
        Ending::Status(s) => put("status", json!(s)),
        Ending::Exited(code) => put("exit", json!(code)),
        _ => {}
    }
    if let Some(e) = o.errno {
        put("errno", json!(e.name()));
    }
    if o.immediate {
        put("immediate", json!(true));
    }
    if let Some(origin) = o.origin {
        put(
            "origin",
            json!(match origin {
                Origin::Local => "local",
                Origin::Icmp => "icmp",
            }),
        );
    }
    if let Some((kind, code)) = o.icmp {
        put("icmp", json!([kind, code]));
        put("icmp_name", json!(icmp_name(kind, code)));
    }
    if let Some(who) = o.offender {
        put("offender", json!(who.to_string()));
    }
    if o.origin.is_some() {
        put("info", json!(o.info));
    }
    put("at_ns", json!(report.clock(f.ended)));
    if let Some((own, peer)) = o.client_saw {
        put("client_saw", json!([own.to_string(), peer.to_string()]));
    }
    if let Some(s) = o.server {
        put("server", json!(report.label(s.netns)));
        put("server_saw", json!([s.client.to_string(), s.local.to_string()]));
        put("server_bytes", json!(s.bytes));
    }
    put("bytes", json!({"sent": o.sent, "received": o.received}));
    if let Some((from, ttl)) = o.answer {
        put("answer", json!({"from": from.to_string(), "ttl": ttl}));
    }
    if let Some((stdout, stderr)) = &o.output {
        put("stdout", json!(stdout));
        put("stderr", json!(stderr));
    }
    if let Some((_, reason)) = report.last_drop(f.id).filter(|_| !outcome::is_good(o.ending)) {
        put("reason", json!(reason.name()));
    }
    put("detail", json!(outcome::detail(report, f)));
    Json::Object(m)
}

fn packets(report: &Report<'_>, flow: FlowId, detail: Detail, out: &mut impl Write) -> io::Result<()> {
    write!(out, "[")?;
    let mut first = true;
    for m in report.members(flow) {
        let steps_of: Vec<u32> = report.steps_of(m.packet.id).iter().copied().filter(|n| visible(report, *n)).collect();
        if steps_of.is_empty() {
            continue;
        }
        let birth = report.birth(m.packet.id);
        let mut head = Map::new();
        head.insert("id".into(), json!(m.packet.id.0));
        if m.packet.caused_by.is_some() {
            head.insert("caused_by".into(), json!(m.packet.caused_by.0));
        }
        if m.packet.copy_of.is_some() {
            head.insert("copy_of".into(), json!(m.packet.copy_of.0));
        }
        if let PacketRole::Again(earlier) = m.role {
            head.insert("retransmission_of".into(), json!(earlier.0));
        }
        if flow.is_some() {
            head.insert("direction".into(), json!(m.direction.name()));
        }
        head.insert("summary".into(), json!(birth.map(|f| f.summary()).unwrap_or_default()));
        let head = Json::Object(head).to_string();
        write!(out, "{}\n{},\"steps\":[", if first { "" } else { "," }, head.trim_end_matches('}'))?;
        first = false;
        steps(report, steps_of.into_iter(), detail, out)?;
        write!(out, "]}}")?;
    }
    write!(out, "]")
}

fn visible(report: &Report<'_>, n: u32) -> bool {
    report.raw(StepId(n)).is_some_and(|s| !report.hidden(s.netns))
}

fn steps(report: &Report<'_>, numbers: impl Iterator<Item = u32>, detail: Detail, out: &mut impl Write) -> io::Result<()> {
    let mut first = true;
    for v in numbers.filter(|n| visible(report, *n)).filter_map(|n| report.step(StepId(n))) {
        write!(out, "{}\n{}", if first { "" } else { "," }, step(report, &v, detail))?;
        first = false;
    }
    Ok(())
}

/// One step of the document.
pub fn step(report: &Report<'_>, v: &StepView<'_>, detail: Detail) -> Json {
    let mut m = Map::new();
    m.insert("n".into(), json!(v.n));
    m.insert("t_ns".into(), json!(report.clock(v.at)));
    m.insert("node".into(), json!(v.node));
    m.insert("netns".into(), json!(v.netns));
    if !v.dev.is_empty() {
        m.insert("dev".into(), json!(v.dev));
    }
    m.insert("layer".into(), json!(v.layer));
    m.insert("kind".into(), json!(v.kind.name()));
    m.insert("kernel".into(), json!(v.kernel));
    if let Some(verdict) = &v.verdict {
        m.insert("verdict".into(), json!(verdict));
    }
    let mut evidence = fields_json(&v.evidence);
    if let Json::Object(e) = &mut evidence {
        if matches!(v.kind, Kind::Receive | Kind::Transmit) {
            e.insert("headers".into(), headers(&v.headers));
        }
        if detail == Detail::All {
            losers(report, v, e);
        }
    }
    m.insert("evidence".into(), evidence);
    let changed: Vec<Json> = v.changed.iter().map(|c| json!({"field": c.field, "from": c.from.json(), "to": c.to.json()})).collect();
    m.insert("changed".into(), Json::Array(changed));
    Json::Object(m)
}

fn headers(layers: &[Layer]) -> Json {
    let one = |l: &Layer| {
        let mut fields = fields_json(&l.fields);
        if let (Json::Object(f), Some(q)) = (&mut fields, &l.quoted) {
            f.insert("quoted".into(), headers(q));
        }
        let mut m = Map::new();
        m.insert(l.name.to_owned(), fields);
        Json::Object(m)
    };
    Json::Array(layers.iter().map(one).collect())
}

fn losers(report: &Report<'_>, v: &StepView<'_>, e: &mut Map<String, Json>) {
    let lost = report.losers(StepId(v.n - 1));
    if v.kind == Kind::Rule {
        let missed: Vec<Json> = lost
            .iter()
            .filter(|l| l.reached)
            .map(|l| json!({"rule": l.number, "text": l.row, "match": l.field, "wanted": l.wanted, "seen": l.seen, "made_by": l.made_by}))
            .collect();
        e.insert("missed".into(), Json::Array(missed));
    } else if !lost.is_empty() {
        let rows: Vec<Json> = lost
            .iter()
            .map(|l| {
                json!({"table": l.table, "row": l.row, "field": l.field, "wanted": l.wanted, "seen": l.seen,
                       "reached": l.reached, "made_by": l.made_by})
            })
            .collect();
        e.insert("lost".into(), Json::Array(rows));
    }
}

/// What happened beside the packets, in order.
fn events(report: &Report<'_>, detail: Detail) -> Vec<Json> {
    let recording = &report.run.recording;
    let mut all: Vec<(u32, Json)> = Vec::new();
    for e in &recording.events {
        let base = |kind: &str| json!({"t_ns": report.clock(e.at), "before_n": e.step + 1, "kind": kind});
        let mut j = match &e.kind {
            EventKind::Op(id) => {
                let mut j = base("op");
                if let Some(op) = report.run.end.op(*id) {
                    j["node"] = json!(report.node(op.netns));
                    j["netns"] = json!(report.label(op.netns));
                    j["command"] = json!(rows::op(&op.op));
                    if !op.origin.is_empty() {
                        j["by"] = json!(op.origin);
                    }
                    if let Some(error) = &op.error {
                        j["error"] = json!(error);
                    }
                }
                j
            }
            EventKind::Controller { name, .. } => {
                let mut j = base("controller");
                j["by"] = json!(name);
                j
            }
            EventKind::FlowBegan(id) | EventKind::FlowEnded(id) => {
                let mut j = base(if matches!(e.kind, EventKind::FlowBegan(_)) { "flow-began" } else { "flow-ended" });
                j["flow"] = json!(report.flow(*id).map(|f| f.spec.name.to_string()));
                j
            }
            EventKind::Note(_) => base("note"),
        };
        if let Some((_, text)) = event_words(report, &e.kind) {
            j["text"] = json!(text);
        }
        all.push((e.step, j));
    }
    for (flow, n) in &report.loose {
        let Some(v) = report.step(StepId(*n)).filter(|_| visible(report, *n)) else { continue };
        if v.kind == Kind::Timer || !flow.is_some() {
            let kind = if v.kind == Kind::Timer { "timer" } else { "step" };
            let text = super::words::of(report, &v).what;
            all.push((
                *n,
                json!({"t_ns": report.clock(v.at), "before_n": v.n, "kind": kind, "node": v.node, "netns": v.netns,
                                 "text": Line::text(&text), "step": step(report, &v, detail)}),
            ));
        }
    }
    for d in recording.deltas.iter().filter(|d| !report.hidden(d.netns)) {
        let config = report.config(d.netns, d.step);
        let (table, row) = match &d.delta {
            StateDelta::Conntrack { id, entry: None } => {
                ("conntrack", report.ct_entry(d.netns, *id, d.step.saturating_sub(1)).map(rows::conntrack))
            }
            StateDelta::Neighbour { dev, addr, mac, state: NudState::None } => {
                ("neighbours", config.map(|c| rows::neighbour(c, *dev, *addr, *mac, NudState::None)))
            }
            StateDelta::Fdb { mac, port, .. } if !port.is_some() => ("fdb", Some(mac.to_string())),
            StateDelta::Remote { mac, remote: None, .. } => ("fdb", Some(mac.to_string())),
            StateDelta::Ipvs { conn: None, id } => ("ipvs", Some(id.0.to_string())),
            StateDelta::Conntrack { .. }
            | StateDelta::Neighbour { .. }
            | StateDelta::Fdb { .. }
            | StateDelta::Remote { .. }
            | StateDelta::Ipvs { .. }
            | StateDelta::Recent { .. }
            | StateDelta::NftElement { .. } => continue,
        };
        let at = recording.steps.get((d.step as usize).min(recording.steps.len().saturating_sub(1))).map_or(report.run.end.now, |s| s.at);
        all.push((
            d.step,
            json!({"t_ns": report.clock(at), "before_n": d.step + 1, "kind": "expiry", "node": report.node(d.netns),
                                 "netns": report.label(d.netns), "table": table, "row": row}),
        ));
    }
    if let Some(storm) = &report.run.storm {
        all.push((u32::MAX, json!({"t_ns": report.clock(storm.at), "before_n": recording.steps.len() + 1, "kind": "storm", "text": super::text::storm_words(report, storm)})));
    }
    all.sort_by_key(|(n, _)| *n);
    all.into_iter().map(|(_, j)| j).collect()
}

/// The tables that packets write, per namespace, at the end of the run.
fn tables(report: &Report<'_>) -> Json {
    let (mut ct, mut neigh, mut fdb) = (Map::new(), Map::new(), Map::new());
    let world = &report.run.end;
    for (i, ns) in world.netns.iter().enumerate() {
        let id = NetnsId(i as u32);
        if report.hidden(id) {
            continue;
        }
        let label = report.label(id).to_owned();
        let put = |table: &mut Map<String, Json>, rows: Vec<String>| {
            if !rows.is_empty() {
                table.insert(label.clone(), json!(rows));
            }
        };
        put(&mut ct, ns.conntrack.list(world.now));
        let entries = ns.neigh.sorted();
        put(
            &mut neigh,
            entries
                .iter()
                .map(|n| rows::neighbour(&ns.config, n.dev, n.addr.into(), n.mac, n.state))
                .chain(ns.neigh6.sorted().into_iter().map(|n| rows::neighbour(&ns.config, n.dev, n.addr.into(), n.mac, n.state)))
                .collect(),
        );
        let bridges = ns.config.devices.iter().filter(|d| matches!(d.kind, DeviceKind::Bridge(_)));
        let learned = bridges.filter_map(|b| ns.fdb.get(&b.index).map(|f| (b.index, f)));
        let remotes = ns.config.devices.iter().filter_map(|d| ns.vxlan.get(&d.index).map(|f| (d, f)));
        let rows: Vec<String> = remotes.flat_map(|(d, f)| rows::remotes(&ns.config, d, f)).collect();
        put(
            &mut fdb,
            rows.into_iter()
                .chain(
                    learned
                        .flat_map(|(b, f)| f.sorted().into_iter().map(move |(m, e)| (b, m, e)))
                        .map(|(b, m, e)| rows::fdb(&ns.config, b, e.port, m, e.local)),
                )
                .collect(),
        );
    }
    json!({"conntrack": ct, "neighbours": neigh, "fdb": fdb})
}
