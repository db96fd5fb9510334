//! Command lines, run: changes applied, questions answered, traffic sent.

mod list;
mod route_probe;
pub mod traffic;

use super::answer::{Answer, Surroundings, answer};
use super::{Command, OpIn, parse};
use crate::apps::{Ending, Outcome};
use crate::engine::{Commands, Engine, HostId, Storm, World};
use crate::linux::apply::ErrorKind;
use crate::linux::op::LinkOp;
use crate::linux::{FlowId, NetnsId, Op, Time};
use crate::trace::Tracer;
use std::sync::Arc;

/// The host around a namespace.
struct Host<'w> {
    world: &'w World,
    host: HostId,
}

impl Surroundings for Host<'_> {
    fn netns_name(&self, id: NetnsId) -> Option<Arc<str>> {
        self.world.info(id).filter(|i| i.host == self.host && !i.name.is_empty()).map(|i| i.name.clone())
    }
    fn netns_names(&self) -> Vec<Arc<str>> {
        self.world.hosts.get(self.host.0 as usize).map(|h| h.netns.keys().cloned().collect()).unwrap_or_default()
    }
    fn hostname(&self) -> Arc<str> {
        self.world.hosts.get(self.host.0 as usize).map(|h| h.name.clone()).unwrap_or_default()
    }
    fn now(&self) -> Time {
        self.world.now
    }
}

/// The namespace that a command is about: the one of that name on the host of `at`, or `at` itself.
fn target(world: &World, at: NetnsId, name: Option<&str>) -> Result<NetnsId, Answer> {
    let Some(name) = name else { return Ok(at) };
    let host = world.info(at).map(|i| i.host).unwrap_or_default();
    world
        .netns_by_name(host, name)
        .ok_or_else(|| Answer::failed(format!("Cannot open network namespace \"{name}\": No such file or directory"), 255))
}

/// What a tool prints when a change has succeeded; most say nothing.
fn said(op: &Op) -> String {
    match op {
        Op::Sysctl { key, value } => format!("{key} = {value}\n"),
        _ => String::new(),
    }
}

fn apply<T: Tracer>(engine: &mut Engine<T>, at: NetnsId, ops: Vec<OpIn>, origin: &Arc<str>) -> Answer {
    let mut out = Answer::default();
    for OpIn { netns, op } in ops {
        let place = match target(&engine.world, at, netns.as_deref()) {
            Ok(p) => p,
            Err(e) => return e,
        };
        let printed = said(&op);
        // `bridge` ends with 255 where `ip` ends with 2
        let by_bridge = matches!(op, Op::Fdb(_) | Op::Link(LinkOp::BridgeVlan(_)));
        match engine.apply(place, &Arc::new(op), origin) {
            Ok(()) => out.stdout.push_str(&printed),
            Err(e) => {
                out.stderr.push_str(&format!("{e}\n"));
                out.status = if by_bridge && e.kind == ErrorKind::Netlink { 255 } else { e.status() };
                return out;
            }
        }
    }
    out
}

/// Runs a command line in a namespace, on behalf of `origin`; traffic that it makes belongs to `flow`.
///
/// # Errors
/// When frames go round in a loop.
pub fn run<T: Tracer>(
    engine: &mut Engine<T>,
    at: NetnsId,
    line: &str,
    origin: &Arc<str>,
    flow: FlowId,
) -> Result<(Answer, Outcome), Storm> {
    match parse(line) {
        Err(e) => Ok(ended(Answer::failed(e.message, e.status))),
        Ok(command) => one(engine, at, command, origin, flow),
    }
}

fn ended(answer: Answer) -> (Answer, Outcome) {
    let outcome = Outcome::of(Ending::Exited(i32::from(answer.status)));
    (answer, outcome)
}

/// Runs a command that has been read.
fn one<T: Tracer>(
    engine: &mut Engine<T>,
    at: NetnsId,
    command: Command,
    origin: &Arc<str>,
    flow: FlowId,
) -> Result<(Answer, Outcome), Storm> {
    let plain = match command {
        Command::Ops(ops) => apply(engine, at, ops, origin),
        Command::List(l) => list::run(engine, at, &l, origin, flow)?,
        // nobody types anything
        Command::Filter(f) => f.run(""),
        Command::Sleep(time) => {
            let until = engine.world.now + time;
            engine.run_until(until)?;
            Answer::default()
        }
        Command::Query(q) => match target(&engine.world, at, q.netns.as_deref()) {
            Err(e) => e,
            Ok(place) => {
                let host = engine.world.info(place).map(|i| i.host).unwrap_or_default();
                match engine.world.ns(place) {
                    Some(ns) => answer(ns, &q.query, &Host { world: &engine.world, host }),
                    None => Answer::failed("no such namespace", 1),
                }
            }
        },
        Command::Capture(_) => Answer::failed(
            "not simulated: a capture beside other commands; `packetwalk exec SCENARIO PLACE -- tcpdump` listens while the scenario's traffic runs",
            1,
        ),
        Command::Flow(f) => match target(&engine.world, at, f.netns.as_deref()) {
            Err(e) => e,
            Ok(place) => return traffic::run(engine, place, &f.flow, flow),
        },
    };
    Ok(ended(plain))
}

/// What of a command takes time.
fn takes_time(command: &Command) -> Option<String> {
    match command {
        Command::Flow(f) => Some(format!("traffic to {}", f.flow.host())),
        Command::Sleep(_) => Some("a pause".to_owned()),
        Command::List(l) => l.commands().find_map(takes_time),
        Command::Ops(_) | Command::Query(_) | Command::Capture(_) | Command::Filter(_) => None,
    }
}

/// Runs a command line that changes or asks. Traffic is refused: it takes time, and this does not.
pub fn configure<T: Tracer>(engine: &mut Engine<T>, at: NetnsId, line: &str, origin: &Arc<str>) -> Answer {
    if let Ok(command) = parse(line)
        && let Some(what) = takes_time(&command)
    {
        return Answer::failed(format!("{what} has no place in a configuration"), 2);
    }
    match run(engine, at, line, origin, FlowId::NONE) {
        Ok((answer, _)) => answer,
        Err(_) => Answer::failed("frames go round in a loop", 1),
    }
}

/// The shell, as the engine's flows and changes see it.
#[derive(Clone, Copy, Debug, Default)]
pub struct Shell;

impl<T: Tracer> Commands<T> for Shell {
    fn run(&mut self, engine: &mut Engine<T>, at: NetnsId, line: &str, flow: FlowId) -> Result<Outcome, Storm> {
        let origin: Arc<str> = line.lines().next().unwrap_or("").into();
        let (out, outcome) = run(engine, at, line, &origin, flow)?;
        // an HTTP status says more than an exit status; so does an error of the traffic itself
        Ok(Outcome { output: Some((out.stdout.into(), out.stderr.into())), ..outcome })
    }
}
