//! Running the traffic: the flows of the agenda, one after the other, by the programs of the simulated world on real sockets.

use super::build::{self, Built};
use super::capture::{Capture, Count};
use super::clock::{self, Clock};
use super::sockets::{Running, Start};
use super::{LabError, tell};
use crate::account::Observed;
use crate::plan::checked::ops_of;
use crate::plan::{Plan, SETTLE};
use sim_core::apps::{
    Command, Echo, Ending, HttpClient, Listen, Options, Outcome, Ping, Program, Raw, Request, ServerSaw, TcpClient, UdpClient,
};
use sim_core::engine::{FlowKind, FlowRecord, FlowSpec, Start as When};
use sim_core::linux::socket::PmtuDisc;
use sim_core::linux::{FlowId, NetnsId, Time};
use sim_core::packet::{Bytes, Endpoint};
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, AtomicU64, Ordering};
use std::time::Duration;

/// How long nothing must have been captured for the network to be quiet.
const QUIET: Duration = Duration::from_millis(45);
/// The longest that quiet is waited for.
const LOUD: Duration = Duration::from_millis(1_500);
/// How often a program is looked at.
const LOOK: Duration = Duration::from_millis(2);

/// A run that goes on.
struct Run<'a> {
    plan: &'a Plan,
    built: Built,
    captures: Vec<Option<Capture>>,
    count: Count,
    clock: Clock,
    current: Arc<AtomicU32>,
    servers: Vec<(NetnsId, Running)>,
    clients: Vec<(Arc<str>, Running)>,
    records: Vec<FlowRecord>,
}

/// A client whose end is waited for.
struct Active {
    record: usize,
    client: usize,
    nth: usize,
}

/// Runs the traffic of a plan that was built, and tells what happened.
///
/// # Errors
/// When the real kernel cannot be asked any more.
pub fn run(built: Built, plan: &Plan) -> Result<Observed, LabError> {
    let count: Count = Arc::new(AtomicU64::new(0));
    let mut captures = Vec::new();
    for (i, ns) in built.places.iter().enumerate() {
        captures.push(if plan.places[i].hidden { None } else { Some(Capture::begin(ns, &count, true)?) });
    }
    let mut r = Run {
        plan,
        built,
        captures,
        count,
        clock: Clock::begin(),
        current: Arc::new(AtomicU32::new(0)),
        servers: Vec::new(),
        clients: Vec::new(),
        records: Vec::new(),
    };
    for (netns, listen) in &plan.servers {
        r.serve(*netns, listen.clone())?;
    }
    // the simulated run went on as long behind its last flow
    let end = r.flows()? + u64::try_from(plan.agenda.linger.as_nanos()).unwrap_or(0);
    for record in &mut r.records {
        record.outcome.server = server_of(&r.servers, record.id);
    }
    r.clients.clear();
    for i in 0..r.built.places.len() {
        r.built.look(i)?;
    }
    let mut frames = Vec::new();
    let mut traces = Vec::new();
    for c in r.captures {
        let (mut f, mut t, lost) = c.map(Capture::end).unwrap_or_default();
        f.retain(|f| f.at <= end);
        t.retain(|t| t.at <= end);
        if lost {
            return Err(LabError::Lost);
        }
        frames.push(f);
        traces.push(t);
    }
    tell::account(plan, &r.built, &frames, &traces, &r.records)
}

fn options_of(f: &FlowSpec, flow: FlowId) -> Options {
    let o = &f.options;
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

/// What the server that took a flow saw of it.
fn server_of(servers: &[(NetnsId, Running)], flow: FlowId) -> Option<ServerSaw> {
    servers.iter().find_map(|(netns, r)| {
        r.look(|p| {
            let echo = p.as_any().downcast_ref::<Echo>()?;
            let s = echo.seen().iter().find(|s| s.flow == flow)?;
            Some(ServerSaw { netns: *netns, client: s.client, local: s.local, bytes: s.bytes })
        })
    })
}

/// The outcome of a program: its first, or that of its `nth` command.
fn outcome_of(p: &dyn Program, nth: usize) -> Option<Outcome> {
    let any = p.as_any();
    if let Some(t) = any.downcast_ref::<TcpClient>() {
        return t.outcomes().get(nth).cloned();
    }
    if let Some(u) = any.downcast_ref::<UdpClient>() {
        return u.outcomes().get(nth).cloned();
    }
    p.outcome().cloned()
}

impl Run<'_> {
    fn start(&self, netns: NetnsId, program: Box<dyn Program>, own: FlowId) -> Result<Running, LabError> {
        let Some(ns) = self.built.places.get(netns.0 as usize) else { return Err(LabError::NotAllowed("no such namespace".to_owned())) };
        let start = Start { clock: self.clock, current: self.current.clone(), own };
        Running::start(ns, program, start).map_err(|e| LabError::NotAllowed(e.to_string()))
    }

    fn serve(&mut self, netns: NetnsId, listen: Listen) -> Result<Option<Outcome>, LabError> {
        let server = self.start(netns, Box::new(Echo::new(listen)), FlowId::NONE)?;
        let failed = server.look(|p| p.outcome().cloned());
        self.servers.push((netns, server));
        Ok(failed)
    }

    /// Waits until nothing more is captured.
    fn quiet(&self) {
        let limit = self.clock.now() + LOUD;
        let mut seen = self.count.load(Ordering::SeqCst);
        let mut since = self.clock.now();
        while self.clock.now() < limit {
            clock::pause(LOOK);
            let now = self.count.load(Ordering::SeqCst);
            if now != seen {
                seen = now;
                since = self.clock.now();
            } else if self.clock.now().since(since) >= QUIET {
                return;
            }
        }
    }

    /// Runs all flows; when the last had ended, in nanoseconds since 1970.
    fn flows(&mut self) -> Result<u64, LabError> {
        let origin = self.clock.now();
        let flows = self.plan.agenda.flows.clone();
        let changes = self.plan.agenda.changes.clone();
        let mut waiting: Vec<usize> = (0..flows.len()).collect();
        let mut by_spec: Vec<Option<usize>> = vec![None; flows.len()];
        let mut changes = changes.iter().peekable();
        let mut active: Vec<Active> = Vec::new();
        loop {
            let due = |i: usize, records: &[FlowRecord]| match (flows[i].start, i.checked_sub(1)) {
                (When::At(d), _) => Some(origin + d),
                (When::After(d), None) => Some(origin + d),
                (When::After(d), Some(before)) => {
                    let ended = by_spec[before].map(|r| records[r].ended).filter(|t| *t != Time::NEVER);
                    // the pause that the plan put in is waited for by listening
                    ended.map(|t| t + d.saturating_sub(SETTLE))
                }
            };
            let next = waiting.iter().filter_map(|i| due(*i, &self.records).map(|t| (t, *i))).min();
            let change = changes.peek().map(|c| origin + c.at);
            let until = [next.map(|(t, _)| t), change].into_iter().flatten().min();
            if until.is_none() && active.is_empty() {
                break;
            }
            if self.wait(until.unwrap_or(Time::NEVER), &mut active) {
                continue;
            }
            match (change, next) {
                (Some(c), n) if n.is_none_or(|(t, _)| c <= t) => {
                    if let Some(c) = changes.next() {
                        self.typed(c.netns, &c.line)?;
                    }
                }
                (_, Some((_, i))) => {
                    waiting.retain(|w| *w != i);
                    by_spec[i] = Some(self.records.len());
                    if matches!(flows[i].start, When::After(_)) {
                        self.quiet();
                        if let Some(began) = self.plan.schedule.get(self.records.len()) {
                            self.clock.until(origin + *began);
                        }
                    }
                    self.begin(&flows[i], &mut active)?;
                }
                _ => active.clear(),
            }
        }
        let ended = clock::wall();
        clock::pause(self.plan.agenda.linger.min(Duration::from_millis(300)));
        self.quiet();
        Ok(ended)
    }

    /// Waits until then, or until a flow has ended (true).
    fn wait(&mut self, until: Time, active: &mut Vec<Active>) -> bool {
        loop {
            let before = active.len();
            let now = self.clock.now();
            active.retain(|a| {
                let Some((_, running)) = self.clients.get(a.client) else { return false };
                match running.look(|p| outcome_of(p, a.nth)) {
                    None => true,
                    Some(o) => {
                        let r = &mut self.records[a.record];
                        r.outcome = o;
                        r.outcome.flow = r.id;
                        r.ended = now;
                        false
                    }
                }
            });
            if active.len() < before {
                return true;
            }
            if now >= until {
                return false;
            }
            if active.is_empty() {
                self.clock.until(until);
                return false;
            }
            clock::pause(LOOK.min(until.since(now)));
        }
    }

    fn begin(&mut self, spec: &FlowSpec, active: &mut Vec<Active>) -> Result<(), LabError> {
        let flow = FlowId(self.current.load(Ordering::SeqCst) + 1);
        self.current.store(flow.0, Ordering::SeqCst);
        let began = self.clock.now();
        let index = self.records.len();
        self.records.push(FlowRecord { id: flow, spec: spec.clone(), began, ended: Time::NEVER, outcome: Outcome::of(Ending::NoReply) });
        let options = options_of(spec, flow);
        let sized = || spec.options.size.map_or_else(|| Bytes::from("hello"), |n| Bytes::filled(b'x', n));
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
                self.command(on, Command::Send { data, flow, timeout: spec.options.timeout }, index, active);
                None
            }
            FlowKind::Send { on, data } => {
                self.command(on, Command::Send { data: data.clone(), flow, timeout: spec.options.timeout }, index, active);
                None
            }
            FlowKind::Close { on } => {
                self.command(on, Command::Close { flow }, index, active);
                None
            }
            FlowKind::Run { line } => {
                let status = self.typed(spec.from, line)?;
                self.end_now(index, Outcome::of(Ending::Exited(status)));
                None
            }
            FlowKind::Serve { proto, at } => {
                let mut listen =
                    if *proto == 17 { Listen::udp(spec.name.clone(), at.port) } else { Listen::tcp(spec.name.clone(), at.port) };
                listen.at = *at;
                let failed = self.serve(spec.from, listen)?;
                self.end_now(index, failed.unwrap_or_else(|| Outcome::of(Ending::Sent)));
                None
            }
            FlowKind::Sleep(d) => {
                clock::pause(*d);
                self.end_now(index, Outcome::of(Ending::Sent));
                None
            }
        };
        if let Some(p) = program {
            let running = self.start(spec.from, p, flow)?;
            self.clients.push((spec.name.clone(), running));
            active.push(Active { record: index, client: self.clients.len() - 1, nth: 0 });
        }
        Ok(())
    }

    fn end_now(&mut self, record: usize, outcome: Outcome) {
        let now = self.clock.now();
        if let Some(r) = self.records.get_mut(record) {
            r.outcome = Outcome { flow: r.id, ..outcome };
            r.ended = now;
        }
    }

    /// Tells the program of an earlier flow what to do next.
    fn command(&mut self, on: &str, command: Command, index: usize, active: &mut Vec<Active>) {
        let found = self.clients.iter().rposition(|(n, _)| &**n == on);
        let known = found.and_then(|i| {
            self.clients[i].1.look(|p| {
                let any = p.as_any();
                any.downcast_ref::<TcpClient>()
                    .map(|t| t.outcomes().len())
                    .or_else(|| any.downcast_ref::<UdpClient>().map(|u| u.outcomes().len()))
            })
        });
        let (Some(client), Some(nth)) = (found, known) else {
            return self.end_now(index, Outcome::error(sim_core::linux::Errno::EBADF));
        };
        self.clients[client].1.tell(Box::new(move |p| {
            let any = p.as_any_mut();
            if let Some(t) = any.downcast_mut::<TcpClient>() {
                t.push(command);
            } else if let Some(u) = any.downcast_mut::<UdpClient>() {
                u.push(command);
            }
        }));
        active.push(Active { record: index, client, nth });
    }

    /// A command line, typed in a namespace: its changes are carried out. Its exit status.
    fn typed(&mut self, at: NetnsId, line: &str) -> Result<i32, LabError> {
        let Ok(ops) = ops_of(line) else { return Ok(2) };
        let mut status = 0;
        for o in ops {
            let place = match &o.netns {
                None => Some(at),
                Some(n) => {
                    let host = self.plan.hosts.get(at.0 as usize).copied();
                    host.and_then(|h| self.plan.names.get(&(h, n.clone())).copied())
                }
            };
            let Some(place) = place else { return Ok(255) };
            self.quiet();
            if !build::change(self.plan, &self.built, place, &o.op)? {
                status = 1;
            }
            for i in 0..self.built.places.len() {
                if i == place.0 as usize {
                    self.built.look(i)?;
                    self.built.number(i)?;
                    if let Some(Some(c)) = self.captures.get(i) {
                        c.next_epoch();
                    }
                }
            }
            self.quiet();
        }
        Ok(status)
    }
}
