//! A run as a document to be read: flows one after the other, each with the way of its packets.
//!
//! ```text
//! flow ─┬─ packet (request, reply, error) ─── hop ─── step ─── row that lost
//!       │                                      └─ packets that it caused: ARP, copies
//!       └─ outcome
//! ```

use super::doc::{Doc, Line, Mark, Role};
use super::hops::Hop;
use super::paths::{Direction, Member, PacketRole};
use super::view::{Report, StepView};
use super::words::{self, outcome};
use super::{Detail, Kind, ScenarioInfo, time};
use crate::engine::guard::Storm;
use crate::linux::hot::HotMap;
use crate::linux::{FlowId, PacketId, Time};
use crate::trace::{EventKind, StepId};

/// More losing rows than this at one step are counted, not shown.
const ROWS_SHOWN: usize = 100;

/// The whole run, or one flow of it by name.
pub fn document(report: &Report<'_>, info: &ScenarioInfo, detail: Detail, only: Option<&str>) -> Doc {
    let mut doc = Doc::new();
    let mut about = Vec::new();
    about.extend(info.cni.as_ref().map(|c| format!("cni {c}")));
    about.extend(info.proxy.as_ref().map(|p| format!("kube-proxy {p}")));
    about.push(format!("seed {}", info.seed));
    doc.heading(3, 0, Line::of(Role::Title, &info.title), Line::new());
    doc.para(0, Line::of(Role::Muted, format!("{}: {}", info.id, about.join(", "))));
    let mut told = 0;
    for f in &report.run.flows {
        if only.is_some_and(|o| o != &*f.spec.name) {
            continue;
        }
        let first = report.packets_of(f.id).filter_map(|p| report.steps_of(p.id).first().copied()).min();
        doc.append(events(report, &mut told, first, f.began));
        doc.gap();
        doc.append(flow(report, f.id, detail));
    }
    if only.is_none() {
        doc.append(events(report, &mut told, None, Time::NEVER));
        doc.append(background(report, detail));
    }
    if let Some(storm) = &report.run.storm {
        doc.gap();
        doc.para(0, Line::of(Role::Bad, storm_words(report, storm)));
    }
    doc
}

/// Why a run was stopped: the loop that frames went round in.
pub(super) fn storm_words(report: &Report<'_>, storm: &Storm) -> String {
    let at = time::span(storm.at.since(report.run.start.now));
    if storm.ring.is_empty() {
        return format!("Stopped at {at}: too much happened, and no loop was found.");
    }
    let places: Vec<String> =
        storm.ring.iter().map(|(ns, dev)| format!("{} {}", report.label(*ns), report.dev(*ns, *dev, u32::MAX))).collect();
    format!("Stopped at {at}: frames go round and round between {}.", places.join(", "))
}

/// Commands and controllers that worked before the step `until`, from the `told`th event on.
fn events(report: &Report<'_>, told: &mut usize, until: Option<u32>, began: Time) -> Doc {
    let mut doc = Doc::new();
    while let Some(e) = report.run.recording.events.get(*told) {
        if until.is_some_and(|u| e.step > u) || (until.is_none() && e.at > began) {
            break;
        }
        *told += 1;
        if let Some((place, text)) = event_words(report, &e.kind) {
            if doc.0.is_empty() {
                doc.gap();
            }
            let at = time::span(e.at.since(report.run.start.now));
            doc.columns(0, vec![Line::of(Role::Time, format!("at {at}")), Line::of(Role::Place, place), Line::plain(text)]);
        }
    }
    doc
}

/// Place and words of an event; flows tell of themselves.
pub(super) fn event_words(report: &Report<'_>, kind: &EventKind) -> Option<(String, String)> {
    match kind {
        EventKind::Op(id) => {
            let op = report.run.end.op(*id)?;
            let mut text = super::rows::op(&op.op);
            if let Some(e) = &op.error {
                text = format!("{text}: {e}");
            }
            if !op.origin.is_empty() {
                text = format!("{text} ({})", op.origin);
            }
            Some((report.label(op.netns).to_owned(), text))
        }
        EventKind::Controller { name, text } => Some((name.to_string(), text.to_string())),
        EventKind::Note(text) => Some((String::new(), text.to_string())),
        EventKind::FlowBegan(_) | EventKind::FlowEnded(_) => None,
    }
}

/// One flow.
pub fn flow(report: &Report<'_>, id: FlowId, detail: Detail) -> Doc {
    let mut doc = Doc::new();
    let Some(record) = report.flow(id) else { return doc };
    let good = if outcome::is_good(record.outcome.ending) { Role::Good } else { Role::Bad };
    let title = Line::of(Role::Title, &*record.spec.name)
        .and(Role::Plain, ": ")
        .and(Role::Place, report.label(record.spec.from))
        .and(Role::Plain, format!(" {}", outcome::title(record)));
    doc.heading(1, 0, title, Line::of(good, outcome::ending(record.outcome.ending)));
    let teller = Teller::new(report, detail, id, record.began);
    let mut parts: Vec<(u32, Part<'_>)> = Vec::new();
    for m in &teller.members {
        if matches!(m.role, PacketRole::Traffic | PacketRole::Again(_) | PacketRole::Error) || teller.parent(m).is_none() {
            let first = report.steps_of(m.packet.id).first().copied().unwrap_or(0);
            parts.push((first, Part::Packet(m)));
        }
    }
    parts.extend(report.loose_of(id).map(|n| (n, Part::Loose)));
    parts.sort_by_key(|(n, _)| *n);
    let mut ways: Vec<(Direction, Vec<String>, PacketId)> = Vec::new();
    for (n, part) in parts {
        match part {
            Part::Packet(m) => teller.packet(m, &mut ways, &mut doc),
            Part::Loose => teller.loose(n, &mut doc),
        }
    }
    if let Some((out, err)) = &record.outcome.output {
        doc.gap();
        for l in out.lines().chain(err.lines()) {
            doc.para(1, Line::plain(l));
        }
    }
    doc.gap();
    doc.para(0, outcome::line(report, record));
    doc
}

/// The packets that no flow caused.
fn background(report: &Report<'_>, detail: Detail) -> Doc {
    let mut doc = Doc::new();
    let teller = Teller::new(report, detail, FlowId::NONE, report.run.start.now);
    let shown: Vec<&Member> = teller.members.iter().filter(|m| !report.hidden(m.origin)).collect();
    if shown.is_empty() {
        return doc;
    }
    doc.gap();
    if detail == Detail::Hops {
        let n = shown.len();
        let packets = if n == 1 { "packet".to_owned() } else { format!("{n} packets") };
        doc.para(0, Line::of(Role::Muted, format!("Besides, {packets} that no flow caused; more detail shows them.")));
        return doc;
    }
    doc.heading(1, 0, Line::of(Role::Title, "background"), Line::new());
    let mut ways = Vec::new();
    for m in &teller.members {
        if !report.hidden(m.origin) && (teller.parent(m).is_none() || !matches!(m.role, PacketRole::Arp | PacketRole::Copy)) {
            teller.packet(m, &mut ways, &mut doc);
        }
    }
    doc
}

enum Part<'m> {
    Packet(&'m Member),
    Loose,
}

struct Teller<'a, 'r> {
    report: &'a Report<'r>,
    detail: Detail,
    members: Vec<Member>,
    by_id: HotMap<PacketId, u32>,
    began: Time,
}

/// Packets nested deeper than this are not followed: frames that circle would nest without end.
const DEPTH: u8 = 8;
/// More packets than this under one packet are counted, not shown.
const ASIDES: usize = 40;

impl<'a, 'r> Teller<'a, 'r> {
    fn new(report: &'a Report<'r>, detail: Detail, flow: FlowId, began: Time) -> Self {
        let members = report.members(flow);
        let mut by_id = HotMap::default();
        for (i, m) in members.iter().enumerate() {
            by_id.insert(m.packet.id, i as u32);
        }
        Teller { report, detail, members, by_id, began }
    }

    /// The packet of this flow under which `m` is told.
    fn parent(&self, m: &Member) -> Option<PacketId> {
        let id = if m.packet.copy_of.is_some() { m.packet.copy_of } else { m.packet.caused_by };
        self.by_id.contains(&id).then_some(id)
    }

    fn since(&self, at: Time) -> Line {
        Line::of(Role::Time, format!("+{}", time::span(at.since(self.began))))
    }

    /// ARP packets and copies that `packet` caused, with the step before which each began.
    fn children(&self, packet: PacketId) -> Vec<(u32, &Member)> {
        let places = self.report.index.place(packet).map_or(&[][..], |p| self.report.index.caused_by(p));
        places
            .iter()
            .filter_map(|p| self.by_id.get(&self.report.index.packets.get(*p as usize)?.id))
            .filter_map(|i| self.members.get(*i as usize))
            .filter(|m| matches!(m.role, PacketRole::Arp | PacketRole::Copy))
            .filter_map(|m| Some((*self.report.steps_of(m.packet.id).first()?, m)))
            .collect()
    }

    fn packet(&self, m: &Member, ways: &mut Vec<(Direction, Vec<String>, PacketId)>, doc: &mut Doc) {
        doc.gap();
        let what = match m.role {
            PacketRole::Traffic => m.direction.name().to_owned(),
            PacketRole::Again(earlier) => format!("{} again (as packet {})", m.direction.name(), earlier.0),
            PacketRole::Error => "error".to_owned(),
            PacketRole::Arp => "arp".to_owned(),
            PacketRole::Copy => format!("copy of packet {}", m.packet.copy_of.0),
        };
        let birth = self.report.birth(m.packet.id);
        let title = Line::of(Role::Layer, what)
            .and(Role::Plain, ": ")
            .and(Role::Packet, birth.as_ref().map(words::packet::title).unwrap_or_default());
        doc.heading(2, 0, title, Line::of(Role::Number, format!("packet {}  ", m.packet.id.0)).join(self.since(m.at)));
        if self.detail != Detail::Hops {
            doc.para(1, Line::of(Role::Muted, birth.as_ref().map(|f| f.summary()).unwrap_or_default()));
        }
        let hops = self.report.hops(m.packet.id);
        match self.detail {
            Detail::Hops => {
                let facts: Vec<Vec<Line>> = hops.iter().map(|h| self.report.facts(h)).collect();
                let way: Vec<String> = hops
                    .iter()
                    .zip(&facts)
                    .map(|(h, f)| {
                        format!(
                            "{} {}: {}",
                            self.report.label(h.netns),
                            h.devices(),
                            f.iter().map(Line::text).collect::<Vec<_>>().join("; ")
                        )
                    })
                    .collect();
                // the ends of the way tell what the packet says; between them equal is equal
                let between = |w: &[String]| w.get(1..w.len().saturating_sub(1)).map(<[String]>::to_vec).unwrap_or_default();
                let children = self.children(m.packet.id);
                let same =
                    ways.iter().find(|(d, w, _)| *d == m.direction && w.len() == way.len() && w.len() > 2 && between(w) == between(&way));
                match same.filter(|_| children.is_empty()) {
                    Some((_, _, earlier)) => {
                        let places: Vec<&str> = hops.iter().map(|h| self.report.label(h.netns)).fold(Vec::new(), |mut all, p| {
                            if all.last() != Some(&p) {
                                all.push(p);
                            }
                            all
                        });
                        let mut line = Line::of(Role::Muted, format!("the way of packet {}: ", earlier.0));
                        line.push(Role::Place, places.join(" > "));
                        if let Some(end) = facts.last().and_then(|f| f.last()) {
                            line.push(Role::Plain, "; ");
                            line.append(end.clone());
                        }
                        doc.para(2, line);
                    }
                    None => {
                        self.hop_lines(&hops, &facts, &children, doc);
                        ways.push((m.direction, way, m.packet.id));
                    }
                }
            }
            Detail::Steps | Detail::All => self.steps(m.packet.id, &hops, 1, doc),
        }
    }

    fn hop_line(&self, number: usize, hop: &Hop, facts: &[Line], doc: &mut Doc) {
        let mut text = Line::new();
        for (i, f) in facts.iter().enumerate() {
            if i > 0 {
                text.push(Role::Plain, "; ");
            }
            text.append(f.clone());
        }
        if text.is_empty() {
            text.push(Role::Muted, "passes through");
        }
        doc.columns(
            1,
            vec![
                Line::of(Role::Number, format!("{number:>2}")),
                Line::of(Role::Place, self.report.label(hop.netns)),
                Line::of(Role::Device, hop.devices()),
                text,
            ],
        );
    }

    fn hop_lines(&self, hops: &[Hop], facts: &[Vec<Line>], children: &[(u32, &Member)], doc: &mut Doc) {
        let mut next = 0;
        if children.len() > ASIDES {
            doc.para(3, Line::of(Role::Muted, format!("{} packets came of it; {ASIDES} are shown", children.len())));
        }
        for (i, (hop, f)) in hops.iter().zip(facts).enumerate() {
            self.hop_line(i + 1, hop, f, doc);
            let until = hops.get(i + 1).and_then(|h| h.steps.first()).copied().unwrap_or(u32::MAX);
            while let Some((_, child)) = children.get(next).filter(|(n, _)| *n < until) {
                if next < ASIDES {
                    self.aside(child, 3, 0, doc);
                }
                next += 1;
            }
        }
    }

    /// A caused packet in a line or two, and what it caused.
    fn aside(&self, m: &Member, indent: u8, depth: u8, doc: &mut Doc) {
        let way = self.report.way(m.packet.id);
        let last = self.report.steps_of(m.packet.id).last().and_then(|n| self.report.step(StepId(*n)));
        let mut line = self.since(m.at);
        line.push(Role::Plain, " ");
        match m.role {
            PacketRole::Copy => {
                line.push(Role::Muted, format!("a copy: {way}"));
                let end = last.map(|v| words::of(self.report, &v).short).unwrap_or_default();
                if !end.is_empty() {
                    line.push(Role::Plain, "; ");
                    line.append(end);
                }
            }
            PacketRole::Arp | PacketRole::Traffic | PacketRole::Again(_) | PacketRole::Error => {
                let birth = self.report.birth(m.packet.id);
                line.push(Role::Packet, birth.as_ref().map(words::packet::title).unwrap_or_default());
                line.push(Role::Muted, format!(" ({way})"));
            }
        }
        doc.para(indent, line);
        let children = self.children(m.packet.id);
        let shown = if depth < DEPTH { ASIDES >> depth } else { 0 };
        for (_, child) in children.iter().take(shown) {
            self.aside(child, indent + u8::from(child.role == PacketRole::Copy), depth + 1, doc);
        }
        if children.len() > shown {
            doc.para(indent + 1, Line::of(Role::Muted, format!("... and {} more packets of that kind", children.len() - shown)));
        }
    }

    fn steps(&self, packet: PacketId, hops: &[Hop], indent: u8, doc: &mut Doc) {
        let children = self.children(packet);
        let mut next = 0;
        for (i, hop) in hops.iter().enumerate() {
            let began = |h: &Hop| h.steps.first().and_then(|n| self.report.raw(StepId(*n))).map(|s| s.at);
            // the time of the first hop stands in the title
            let same = i == 0 || began(&hops[i - 1]) == began(hop);
            let at = began(hop).filter(|_| !same).map(|t| self.since(t)).unwrap_or_default();
            let place = Line::of(Role::Place, self.report.label(hop.netns)).and(Role::Plain, " ").and(Role::Device, hop.devices());
            doc.heading(3, indent, place, at);
            for (k, n) in hop.steps.iter().enumerate() {
                if let Some(v) = self.report.step(StepId(*n)) {
                    self.step(&v, indent, doc);
                }
                let until = hop.steps.get(k + 1).or_else(|| hops.get(i + 1).and_then(|h| h.steps.first())).copied().unwrap_or(u32::MAX);
                while let Some((_, child)) = children.get(next).filter(|(c, _)| *c < until) {
                    if next < ASIDES && indent < 2 * DEPTH {
                        self.nested(child, indent + 2, doc);
                    } else {
                        doc.para(indent + 2, Line::of(Role::Muted, format!("packet {} is not followed further", child.packet.id.0)));
                    }
                    next += 1;
                }
            }
        }
    }

    fn nested(&self, m: &Member, indent: u8, doc: &mut Doc) {
        let birth = self.report.birth(m.packet.id);
        let what = if m.role == PacketRole::Copy { format!(" copy of packet {}", m.packet.copy_of.0) } else { String::new() };
        let title = Line::of(Role::Number, format!("packet {}{what}: ", m.packet.id.0))
            .and(Role::Packet, birth.as_ref().map(words::packet::title).unwrap_or_default());
        doc.heading(2, indent, title, self.since(m.at));
        let hops = self.report.hops(m.packet.id);
        self.steps(m.packet.id, &hops, indent, doc);
    }

    fn loose(&self, n: u32, doc: &mut Doc) {
        let Some(v) = self.report.step(StepId(n)) else { return };
        let telling = !matches!(v.kind, Kind::Timer) || self.detail != Detail::Hops;
        if !telling {
            return;
        }
        doc.gap();
        let w = words::of(self.report, &v);
        if self.detail == Detail::Hops {
            let line = if w.short.is_empty() { w.what } else { w.short };
            doc.columns(1, vec![Line::of(Role::Place, v.netns), line]);
        } else {
            doc.heading(3, 1, Line::of(Role::Place, v.netns).and(Role::Plain, " ").and(Role::Device, v.dev), self.since(v.at));
            self.step(&v, 1, doc);
        }
    }

    /// One step: the decision, its reasons, what it changed; at `all` the rows too.
    fn step(&self, v: &StepView<'_>, indent: u8, doc: &mut Doc) {
        let w = words::of(self.report, v);
        doc.item(indent, v.n.to_string(), Line::of(Role::Layer, v.layer), w.what);
        for why in w.why {
            doc.item(indent, "", Line::new(), why);
        }
        let list: Vec<String> = v.changed.iter().filter(|c| !c.follows()).map(|c| format!("{} {} -> {}", c.field, c.from, c.to)).collect();
        if !matches!(v.kind, Kind::TtlDecrement | Kind::NatRewrite) && !list.is_empty() {
            doc.item(indent, "", Line::new(), Line::of(Role::Changed, format!("changes {}", list.join(", "))));
        }
        if self.detail == Detail::All {
            rows(self.report, v, indent + 8, doc);
        }
    }
}

/// The rows of the table that a step consulted: the one that won, then those that lost.
pub fn rows(report: &Report<'_>, v: &StepView<'_>, indent: u8, doc: &mut Doc) {
    let losers = report.losers(StepId(v.n - 1));
    if let Some(row) = &v.row
        && (v.made_by.is_some() || !losers.is_empty())
    {
        let from = v.made_by.as_ref().map(|m| Line::of(Role::Muted, format!("from {}", m.text))).unwrap_or_default();
        doc.row(indent, Mark::Won, Line::of(Role::Won, row), Line::new(), from);
    }
    for l in losers.iter().take(ROWS_SHOWN) {
        let number = if l.number > 0 { format!("{} {}: ", l.table, l.number) } else { String::new() };
        let why = if l.reached {
            Line::of(Role::Why, format!("{}: wanted {}, saw {}", l.field, l.wanted, l.seen))
        } else {
            Line::of(Role::Muted, format!("not reached: {}", l.seen))
        };
        let mark = if l.reached { Mark::Lost } else { Mark::NotReached };
        doc.row(
            indent,
            mark,
            Line::of(Role::Lost, format!("{number}{}", l.row)),
            why,
            Line::of(Role::Muted, format!("from {}", l.made_by)),
        );
    }
    if losers.len() > ROWS_SHOWN {
        doc.para(indent, Line::of(Role::Muted, format!("... and {} more that lost", losers.len() - ROWS_SHOWN)));
    }
}
