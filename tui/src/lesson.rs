//! A lesson to be stepped through: one run, its steps in the order in which they read, and the texts bound to them.
//!
//! Steps are read packet by packet, as the text trace tells them: what a packet needed (an ARP exchange) or became
//! (copies that flooding made) stands at the place where it happened, before the packet goes on.

use crate::path::{self, Strip};
use sim_core::engine::Run;
use sim_core::linux::device::{Attach, DeviceKind};
use sim_core::linux::{FlowId, NetnsId, PacketId};
use sim_core::report::paths::{Direction, Member, PacketRole};
use sim_core::report::words::outcome;
use sim_core::report::{Kind, Report, StepView, Value};
use sim_core::trace::StepId;
use std::borrow::Cow;
use std::collections::BTreeMap;

/// What is to be shown.
#[derive(Clone, Debug)]
pub struct LessonInput {
    /// Identifier: `pod-to-pod-host-gw`.
    pub id: String,
    /// Title.
    pub title: String,
    /// Its place in the library and how many there are, if it is from there.
    pub number: Option<(usize, usize)>,
    /// The run.
    pub run: Run,
    /// Texts of the story, each with the step that it is bound to.
    pub story: Vec<(StepId, String)>,
}

/// A step at which a reader stops.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Stop {
    /// Its place in the recording.
    pub id: StepId,
    /// Its packet; none for a step about no packet.
    pub packet: PacketId,
    /// Place of its flow in [`Lesson::flows`].
    pub flow: usize,
    /// Number of the hop within the whole lesson: it changes where the packet or its device does.
    pub hop: u32,
    /// Number of the run of steps of one packet within the whole lesson.
    pub part: u32,
    /// The letter that stands for it in the timeline.
    pub letter: char,
    /// Whether it changed the headers.
    pub changed: bool,
    /// Whether it is the step that tells most of its hop.
    pub main: bool,
}

/// A flow and its steps.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FlowSpan {
    /// The flow; none for packets that no flow caused.
    pub id: FlowId,
    /// Its name.
    pub name: String,
    /// What it does: `ping 10.244.1.3`.
    pub title: String,
    /// What became of it: `replied`.
    pub ending: String,
    /// Whether the program got what it wanted.
    pub good: bool,
    /// Its first stop.
    pub first: usize,
    /// The stop after its last.
    pub end: usize,
}

/// A lesson, ready to be read.
#[derive(Debug)]
pub struct Lesson<'r> {
    /// Identifier.
    pub id: &'r str,
    /// Title.
    pub title: &'r str,
    /// Place in the library and how many there are.
    pub number: Option<(usize, usize)>,
    /// The run, and who answers questions about it.
    pub report: Report<'r>,
    /// The steps in reading order.
    pub stops: Vec<Stop>,
    /// The flows that have steps, in order.
    pub flows: Vec<FlowSpan>,
    /// Namespaces that packets came to, in order of their numbers.
    pub visited: Vec<NetnsId>,
    /// The path of each flow.
    pub strips: Vec<Strip>,
    roles: BTreeMap<PacketId, (PacketRole, Direction)>,
    story: BTreeMap<StepId, Vec<&'r str>>,
}

impl<'r> Lesson<'r> {
    /// The lesson of an input.
    pub fn new(input: &'r LessonInput) -> Self {
        let mut story: BTreeMap<StepId, Vec<&str>> = BTreeMap::new();
        for (step, text) in &input.story {
            story.entry(*step).or_default().push(text);
        }
        let mut lesson = Lesson {
            id: &input.id,
            title: &input.title,
            number: input.number,
            report: Report::new(&input.run),
            stops: Vec::new(),
            flows: Vec::new(),
            visited: Vec::new(),
            strips: Vec::new(),
            roles: BTreeMap::new(),
            story,
        };
        for f in &input.run.flows {
            let span = FlowSpan {
                id: f.id,
                name: f.spec.name.to_string(),
                title: outcome::title(f),
                ending: outcome::ending(f.outcome.ending),
                good: outcome::is_good(f.outcome.ending),
                first: 0,
                end: 0,
            };
            lesson.add_flow(span);
        }
        lesson.add_flow(FlowSpan {
            id: FlowId::NONE,
            name: "background".to_owned(),
            title: "packets that no flow caused".to_owned(),
            ending: String::new(),
            good: true,
            first: 0,
            end: 0,
        });
        lesson.number_hops();
        lesson.mark_main();
        lesson.visited = lesson.stops.iter().filter_map(|s| lesson.report.raw(s.id)).map(|s| s.netns).collect();
        lesson.visited.sort_unstable();
        lesson.visited.dedup();
        lesson.strips = lesson.flows.iter().map(|f| path::of_flow(&lesson, f.id)).collect();
        lesson
    }

    /// The path to draw at a stop: that of its flow, or of its packet where that went elsewhere, or the place alone.
    pub fn strip(&self, stop: usize) -> Cow<'_, Strip> {
        let Some(s) = self.stops.get(stop) else { return Cow::Owned(Strip::default()) };
        let strip = match self.strips.get(s.flow) {
            Some(strip) if path::covers(self, strip, s.packet) => Cow::Borrowed(strip),
            Some(_) | None => Cow::Owned(path::of_packet(self, s.packet)),
        };
        if strip.place(self, s.id).is_some() { strip } else { Cow::Owned(path::of_step(self, s.id)) }
    }

    fn add_flow(&mut self, mut span: FlowSpan) {
        let members = self.report.members(span.id);
        for m in &members {
            self.roles.insert(m.packet.id, (m.role, m.direction));
        }
        let order = Order { report: &self.report, members: &members };
        let mut steps = Vec::new();
        order.flow(span.id, &mut steps);
        let flow = self.flows.len();
        span.first = self.stops.len();
        for (packet, n) in steps {
            let Some(step) = self.report.raw(StepId(n)) else { continue };
            if self.report.hidden(step.netns) {
                continue;
            }
            let (before, after) = self.report.index.versions(n);
            let kind = Kind::of(&step.evidence);
            let changed = before != after && kind != Kind::Hook && before.is_some();
            let letter = self.letter(StepId(n), kind, changed);
            self.stops.push(Stop { id: StepId(n), packet, flow, hop: 0, part: 0, letter, changed, main: false });
        }
        span.end = self.stops.len();
        if span.end > span.first {
            self.flows.push(span);
        }
    }

    /// The letter of a step: that of its kind, but `w` where it came off a wire and `n` for the rules of table nat.
    fn letter(&self, id: StepId, kind: Kind, changed: bool) -> char {
        let Some(step) = self.report.raw(id) else { return ' ' };
        let device = self.report.config(step.netns, id.0).and_then(|c| c.devices.get(step.dev));
        let wired = device.is_some_and(|d| matches!(d.kind, DeviceKind::Physical) && matches!(d.attach, Attach::Wire(_)));
        let letter = match (&kind, step.evidence) {
            (Kind::Receive | Kind::Transmit, _) if wired => 'w',
            (Kind::Receive | Kind::Transmit, _) if device.is_some_and(|d| matches!(d.kind, DeviceKind::Bridge(_))) => 'b',
            (_, sim_core::trace::Evidence::Rule { table: sim_core::linux::netfilter::TableKind::Nat, .. }) => 'n',
            _ => kind.letter(),
        };
        if changed { letter.to_ascii_uppercase() } else { letter }
    }

    /// Gives hops and parts their numbers.
    fn number_hops(&mut self) {
        let mut hops: BTreeMap<u32, (PacketId, usize)> = BTreeMap::new();
        let mut seen = Vec::new();
        for s in &self.stops {
            if s.packet.is_some() && !seen.contains(&s.packet) {
                seen.push(s.packet);
                for (i, hop) in self.report.hops(s.packet).iter().enumerate() {
                    hops.extend(hop.steps.iter().map(|n| (*n, (s.packet, i))));
                }
            }
        }
        let (mut hop, mut part, mut last) = (0, 0, None);
        for s in &mut self.stops {
            let key = hops.get(&s.id.0).copied().unwrap_or((s.packet, usize::MAX));
            if let Some((packet, _)) = last
                && last != Some(key)
            {
                hop += 1;
                part += u32::from(packet != key.0);
            }
            last = Some(key);
            s.hop = hop;
            s.part = part;
        }
    }

    /// Finds the step of each hop that tells most.
    fn mark_main(&mut self) {
        let rank = |s: &Stop| match self.report.raw(s.id).map(|r| Kind::of(&r.evidence)) {
            Some(Kind::Drop) => 6,
            Some(Kind::Deliver | Kind::SocketError | Kind::IcmpError) => 5,
            Some(Kind::RouteLookup) => 4,
            Some(Kind::FdbLookup | Kind::ArpInput) => 3,
            Some(Kind::SocketSend) => 2,
            Some(_) | None => 0,
        };
        let mut first = 0;
        while first < self.stops.len() {
            let hop = self.stops[first].hop;
            let end = first + self.stops[first..].iter().take_while(|s| s.hop == hop).count();
            let main = (first..end).rev().max_by_key(|i| rank(&self.stops[*i])).unwrap_or(first);
            self.stops[main].main = true;
            first = end;
        }
    }

    /// The step of a stop, resolved.
    pub fn view(&self, stop: usize) -> Option<StepView<'r>> {
        self.report.step(self.stops.get(stop)?.id)
    }

    /// The flow of a stop.
    pub fn flow(&self, stop: usize) -> Option<&FlowSpan> {
        self.flows.get(self.stops.get(stop)?.flow)
    }

    /// The texts of the story at a stop.
    pub fn story(&self, stop: usize) -> &[&'r str] {
        self.stops.get(stop).and_then(|s| self.story.get(&s.id)).map_or(&[], Vec::as_slice)
    }

    /// What a packet is to its flow.
    pub fn role(&self, packet: PacketId) -> Option<(PacketRole, Direction)> {
        self.roles.get(&packet).copied()
    }

    /// What a packet is, in one word of up to five letters: `req`, `reply`, `arp`, `copy`, `error`.
    pub fn word(&self, packet: PacketId) -> &'static str {
        match self.role(packet) {
            Some((PacketRole::Arp, _)) => "arp",
            Some((PacketRole::Copy, _)) => "copy",
            Some((PacketRole::Error, _)) => "error",
            Some((PacketRole::Traffic | PacketRole::Again(_), Direction::Request)) => "req",
            Some((PacketRole::Traffic | PacketRole::Again(_), Direction::Reply)) => "reply",
            None => "-",
        }
    }

    /// What a packet is, in a few words: `SYN request`, `ARP request`, `ICMP echo reply`.
    pub fn packet_title(&self, view: &StepView<'_>) -> String {
        let get = |layer: &str, field: &str| {
            view.headers.iter().rfind(|l| l.name == layer).and_then(|l| sim_core::report::value::find(&l.fields, field))
        };
        let copy = if matches!(self.role(view.packet), Some((PacketRole::Copy, _))) { " (copy)" } else { "" };
        let again = if matches!(self.role(view.packet), Some((PacketRole::Again(_), _))) { " again" } else { "" };
        let word = match view.headers.last().map(|l| l.name) {
            Some("arp") => format!("ARP {}", get("arp", "op").map(Value::to_string).unwrap_or_default()),
            Some("tcp") => tcp_words(&get("tcp", "flags").map(Value::to_string).unwrap_or_default(), get("tcp", "payload")),
            Some("udp") => "UDP datagram".to_owned(),
            Some("icmp") => match (get("icmp", "type"), get("icmp", "code")) {
                (Some(Value::Num(t)), Some(Value::Num(c))) => {
                    let name = sim_core::report::names::icmp_name(u8::try_from(*t).unwrap_or(255), u8::try_from(*c).unwrap_or(255));
                    format!("ICMP {name}")
                }
                _ => "ICMP".to_owned(),
            },
            Some(other) => other.to_owned(),
            None => "no packet yet".to_owned(),
        };
        format!("{word}{again}{copy}")
    }
}

/// TCP flags as a reader says them.
fn tcp_words(flags: &str, data: Option<&Value>) -> String {
    let name = |c| match c {
        'S' => Some("SYN"),
        'F' => Some("FIN"),
        'R' => Some("RST"),
        '.' => Some("ACK"),
        _ => None,
    };
    let words: Vec<&str> = flags.chars().filter_map(name).collect();
    let bytes = match data {
        Some(Value::Num(n)) if *n > 0 => format!(" {n} B"),
        _ => String::new(),
    };
    format!("TCP {}{bytes}", words.join("-"))
}

/// Puts the steps of a flow in reading order.
struct Order<'a, 'r> {
    report: &'a Report<'r>,
    members: &'a [Member],
}

impl Order<'_, '_> {
    fn parent(&self, m: &Member) -> Option<PacketId> {
        let id = if m.packet.copy_of.is_some() { m.packet.copy_of } else { m.packet.caused_by };
        self.members.iter().any(|p| p.packet.id == id).then_some(id)
    }

    fn flow(&self, id: FlowId, out: &mut Vec<(PacketId, u32)>) {
        let mut children: BTreeMap<PacketId, Vec<(u32, &Member)>> = BTreeMap::new();
        let mut parts: Vec<(u32, Option<&Member>)> = Vec::new();
        for m in self.members {
            let Some(first) = self.report.steps_of(m.packet.id).first().copied() else { continue };
            match self.parent(m).filter(|p| *p != m.packet.id && matches!(m.role, PacketRole::Arp | PacketRole::Copy)) {
                Some(parent) => children.entry(parent).or_default().push((first, m)),
                None => parts.push((first, Some(m))),
            }
        }
        parts.extend(self.report.loose_of(id).map(|n| (n, None)));
        parts.sort_by_key(|(n, _)| *n);
        for (n, part) in parts {
            match part {
                None => out.push((PacketId::NONE, n)),
                Some(m) => self.packet(m.packet.id, &children, 0, out),
            }
        }
    }

    fn packet(&self, id: PacketId, children: &BTreeMap<PacketId, Vec<(u32, &Member)>>, depth: u8, out: &mut Vec<(PacketId, u32)>) {
        let mut waiting = children.get(&id).map_or(&[][..], Vec::as_slice).iter().peekable();
        for n in self.report.steps_of(id) {
            while let Some((_, child)) = waiting.next_if(|(first, _)| first < n && depth < 32) {
                self.packet(child.packet.id, children, depth + 1, out);
            }
            out.push((id, *n));
        }
        for (_, child) in waiting.filter(|_| depth < 32) {
            self.packet(child.packet.id, children, depth + 1, out);
        }
    }
}
