//! Running the traffic of a scenario, and the changes between.

use super::drive::Engine;
use super::flow::{Change, FlowKind, FlowRecord, FlowSpec, SendOptions, Start};
use super::guard::Storm;
use super::queue::Happening;
use super::run::Run;
use crate::apps::{
    Command, Echo, Ending, Event, HttpClient, Listen, Options, Outcome, Ping, Program, Raw, Request, ServerSaw, TcpClient, UdpClient,
};
use crate::linux::socket::PmtuDisc;
use crate::linux::{FlowId, NetnsId, PacketId, Time};
use crate::packet::{Bytes, Endpoint};
use crate::trace::{EventKind, Keep, Tracer};
use std::sync::Arc;
use std::time::Duration;

/// Who understands command lines. The engine does not; the shell above it does.
pub trait Commands<T: Tracer> {
    /// Runs a command line in a namespace, as part of a flow, and says what came of it.
    ///
    /// # Errors
    /// When the traffic that it made did not end.
    fn run(&mut self, engine: &mut Engine<T>, at: NetnsId, line: &str, flow: FlowId) -> Result<Outcome, Storm>;
}

/// No shell: a command line is not found.
#[derive(Clone, Copy, Debug, Default)]
pub struct NoCommands;

impl<T: Tracer> Commands<T> for NoCommands {
    fn run(&mut self, _: &mut Engine<T>, _: NetnsId, line: &str, _: FlowId) -> Result<Outcome, Storm> {
        let message = format!("{line}: command not found\n");
        Ok(Outcome { output: Some(("".into(), message.into())), ..Outcome::of(Ending::Exited(127)) })
    }
}

/// What is to be run.
#[derive(Clone, Debug, Default)]
pub struct Agenda {
    /// Traffic.
    pub flows: Vec<FlowSpec>,
    /// Changes, by time.
    pub changes: Vec<Change>,
    /// How long the world goes on after the last flow has ended.
    pub linger: Duration,
}

/// A flow on its way.
struct Active {
    record: usize,
    program: u32,
    /// Which of the program's outcomes is this flow's.
    nth: usize,
}

fn options_of(o: &SendOptions, flow: FlowId) -> Options {
    Options {
        sport: o.sport,
        bind: o.bind,
        ttl: o.ttl,
        mark: None,
        pmtudisc: o.pmtudisc.and_then(|n| [PmtuDisc::Dont, PmtuDisc::Want, PmtuDisc::Do, PmtuDisc::Probe].get(usize::from(n)).copied()),
        timeout: o.timeout,
        flow,
    }
}

/// Bytes that a flow sends when it is not said which.
const HELLO: &[u8] = b"hello";

impl<T: Tracer> Engine<T> {
    /// Runs an agenda; the clock of the scenario starts now.
    ///
    /// # Errors
    /// When frames go round in a loop: the flows so far, and the loop.
    pub fn run_agenda(&mut self, agenda: &Agenda, commands: &mut dyn Commands<T>) -> (Vec<FlowRecord>, Option<Storm>) {
        let mut records = Vec::new();
        let storm = self.run_into(agenda, commands, &mut records).err();
        let now = self.world.now;
        for r in records.iter_mut().filter(|r| r.ended == Time::NEVER) {
            r.ended = now;
        }
        for r in &mut records {
            r.outcome.server = self.server_of(r.id);
        }
        (records, storm)
    }

    fn run_into(&mut self, agenda: &Agenda, commands: &mut dyn Commands<T>, records: &mut Vec<FlowRecord>) -> Result<(), Storm> {
        let origin = self.world.now;
        let mut waiting: Vec<usize> = (0..agenda.flows.len()).collect();
        let mut by_spec: Vec<Option<usize>> = vec![None; agenda.flows.len()];
        let mut changes = agenda.changes.iter().peekable();
        let mut active: Vec<Active> = Vec::new();
        loop {
            let due = |i: usize, records: &[FlowRecord]| match (agenda.flows[i].start, i.checked_sub(1)) {
                (Start::At(d), _) => Some(origin + d),
                (Start::After(d), None) => Some(origin + d),
                (Start::After(d), Some(before)) => by_spec[before].map(|r| records[r].ended).filter(|t| *t != Time::NEVER).map(|t| t + d),
            };
            let next = waiting.iter().filter_map(|i| due(*i, records).map(|t| (t, *i))).min();
            let change = changes.peek().map(|c| origin + c.at);
            let until = [next.map(|(t, _)| t), change].into_iter().flatten().min();
            if until.is_none() && active.is_empty() {
                break;
            }
            if self.run_active(until.unwrap_or(Time::NEVER), &mut active, records)? {
                continue;
            }
            match (change, next) {
                (Some(c), n) if n.is_none_or(|(t, _)| c <= t) => {
                    if let Some(c) = changes.next() {
                        commands.run(self, c.netns, &c.line, FlowId::NONE)?;
                    }
                }
                (_, Some((_, i))) => {
                    waiting.retain(|w| *w != i);
                    by_spec[i] = Some(records.len());
                    self.begin(&agenda.flows[i], records, &mut active, commands)?;
                }
                // nothing is left to happen and a program still waits: it waits for ever
                _ => {
                    active.clear();
                }
            }
        }
        let end = self.world.now + agenda.linger;
        self.run_until(end)
    }

    /// Runs until `until`, or until a flow has ended (true).
    fn run_active(&mut self, until: Time, active: &mut Vec<Active>, records: &mut [FlowRecord]) -> Result<bool, Storm> {
        loop {
            let before = active.len();
            active.retain(|a| match self.outcome_of(a.program, a.nth) {
                None => true,
                Some(o) => {
                    let r = &mut records[a.record];
                    r.outcome = o;
                    r.outcome.flow = r.id;
                    r.ended = self.world.now;
                    let id = r.id;
                    self.trace.event(self.world.now, EventKind::FlowEnded(id));
                    false
                }
            });
            if active.len() < before {
                return Ok(true);
            }
            if !self.step_event(until)? {
                if until != Time::NEVER {
                    self.world.now = self.world.now.max(until);
                }
                return Ok(false);
            }
        }
    }

    /// The outcome of a program: its first, or that of its `nth` command.
    pub fn outcome_of(&self, program: u32, nth: usize) -> Option<Outcome> {
        let p = self.world.program(program)?.program.as_ref()?;
        let any = p.as_any();
        if let Some(t) = any.downcast_ref::<TcpClient>() {
            return t.outcomes().get(nth).cloned();
        }
        if let Some(u) = any.downcast_ref::<UdpClient>() {
            return u.outcomes().get(nth).cloned();
        }
        p.outcome().cloned()
    }

    fn begin(
        &mut self,
        spec: &FlowSpec,
        records: &mut Vec<FlowRecord>,
        active: &mut Vec<Active>,
        commands: &mut dyn Commands<T>,
    ) -> Result<(), Storm> {
        self.world.last_flow.0 += 1;
        let flow = self.world.last_flow;
        let began = self.world.now;
        self.trace.event(began, EventKind::FlowBegan(flow));
        let index = records.len();
        records.push(FlowRecord { id: flow, spec: spec.clone(), began, ended: Time::NEVER, outcome: Outcome::of(Ending::NoReply) });
        let options = options_of(&spec.options, flow);
        let sized = || spec.options.size.map_or_else(|| Bytes::from(HELLO), |n| Bytes::filled(b'x', n));
        let program: Option<Box<dyn Program>> = match &spec.kind {
            FlowKind::Ping { to, count, interval, ident, seq } => {
                Some(Box::new(Ping::new(*to, *count, *interval, *ident, *seq, spec.options.size.unwrap_or(56), options)))
            }
            FlowKind::Tcp { to, port, data, hold } => {
                Some(Box::new(TcpClient::new(Endpoint::new(*to, *port), data.clone(), *hold, options)))
            }
            FlowKind::Udp { to, port, hold, reuse: None } => {
                Some(Box::new(UdpClient::new(Endpoint::new(*to, *port), sized(), *hold, options)))
            }
            FlowKind::Http { to, port, host, path, method, headers } => {
                let request = Request {
                    to: Endpoint::new(*to, *port),
                    method: method.clone(),
                    path: path.clone(),
                    host: host.clone(),
                    headers: headers.clone(),
                    agent: "curl/8.5.0".into(),
                };
                Some(Box::new(HttpClient::new(request, options)))
            }
            FlowKind::Raw { packet } => Some(Box::new(Raw::new(packet.clone(), flow))),
            FlowKind::Udp { reuse: Some(on), .. } => {
                let data = sized();
                self.command(on, Command::Send { data, flow, timeout: spec.options.timeout }, index, records, active);
                None
            }
            FlowKind::Send { on, data } => {
                self.command(on, Command::Send { data: data.clone(), flow, timeout: spec.options.timeout }, index, records, active);
                None
            }
            FlowKind::Close { on } => {
                self.command(on, Command::Close { flow }, index, records, active);
                None
            }
            FlowKind::Run { line } => {
                let outcome = commands.run(self, spec.from, line, flow)?;
                self.end_now(&mut records[index], outcome);
                None
            }
            FlowKind::Serve { proto, at } => {
                let mut listen =
                    if *proto == 17 { Listen::udp(spec.name.clone(), at.port) } else { Listen::tcp(spec.name.clone(), at.port) };
                listen.at = *at;
                let program = self.world.spawn(spec.from, &spec.name, FlowId::NONE, Box::new(Echo::new(listen)));
                let now = self.world.now;
                self.run_until(now)?;
                let failed = self.world.program(program).and_then(|s| s.program.as_ref()?.outcome().cloned());
                self.end_now(&mut records[index], failed.unwrap_or_else(|| Outcome::of(Ending::Sent)));
                None
            }
            FlowKind::Sleep(d) => {
                let until = self.world.now + *d;
                self.run_until(until)?;
                self.end_now(&mut records[index], Outcome::of(Ending::Sent));
                None
            }
        };
        if let Some(p) = program {
            let program = self.world.spawn(spec.from, &spec.name, flow, p);
            active.push(Active { record: index, program, nth: 0 });
        }
        Ok(())
    }

    fn end_now(&mut self, record: &mut FlowRecord, outcome: Outcome) {
        record.outcome = outcome;
        record.outcome.flow = record.id;
        record.ended = self.world.now;
        self.trace.event(self.world.now, EventKind::FlowEnded(record.id));
    }

    /// Tells the program of an earlier flow what to do next.
    fn command(&mut self, on: &str, command: Command, index: usize, records: &mut [FlowRecord], active: &mut Vec<Active>) {
        let found = self.world.programs.iter().rposition(|s| &*s.name == on && s.flow.is_some());
        let Some(id) = found else {
            return self.end_now(&mut records[index], Outcome::error(crate::linux::Errno::EBADF));
        };
        let flow = command.flow();
        let Some(p) = Arc::make_mut(&mut self.world.programs[id]).program.as_mut() else { return };
        let any = p.as_any_mut();
        let nth = if let Some(t) = any.downcast_mut::<TcpClient>() {
            t.push(command);
            t.outcomes().len()
        } else if let Some(u) = any.downcast_mut::<UdpClient>() {
            u.push(command);
            u.outcomes().len()
        } else {
            return self.end_now(&mut records[index], Outcome::error(crate::linux::Errno::EBADF));
        };
        let w = &mut self.world;
        w.queue.push(w.now, w.now, Happening::Wake { program: id as u32, event: Event::Command, cause: PacketId::NONE, flow });
        active.push(Active { record: index, program: id as u32, nth });
    }

    /// What the server that took a flow saw of it.
    fn server_of(&self, flow: FlowId) -> Option<ServerSaw> {
        self.world.programs().find_map(|slot| {
            let echo = slot.program.as_ref()?.as_any().downcast_ref::<Echo>()?;
            let s = echo.seen().iter().find(|s| s.flow == flow)?;
            Some(ServerSaw { netns: slot.netns, client: s.client, local: s.local, bytes: s.bytes })
        })
    }
}

impl<T: Keep> Engine<T> {
    /// Runs an agenda and keeps everything. A [`Recorder`](crate::trace::Recorder) is the cheapest way to.
    pub fn record(mut self, agenda: &Agenda, commands: &mut dyn Commands<T>) -> Run {
        self.announce();
        let start = self.world.clone();
        let (flows, storm) = self.run_agenda(agenda, commands);
        Run { start, end: self.world, recording: self.trace.finish(), flows, storm }
    }
}
