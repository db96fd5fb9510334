//! Whole sessions against what a real kernel (6.18) and the real tools (iproute2 6.1, procps 4.0) printed.
//!
//! A transcript holds `$ command` lines, what came out of each (standard output, then standard error, without empty lines at the
//! end) and `[n]` for an exit status other than 0. Listings that the kernel keeps in a hash are sorted.

#![allow(clippy::unwrap_used, reason = "tests")]

use super::{Answer, Command, OpIn, Surroundings, answer, parse};
use crate::engine::drive::Engine;
use crate::engine::world::{HostId, World};
use crate::linux::{NetnsId, Time};
use crate::trace::NoTrace;
use std::sync::Arc;

/// A host with its namespaces, and someone who types.
struct Session {
    engine: Engine<NoTrace>,
    host: HostId,
    root: NetnsId,
}

struct Around<'w>(&'w World, HostId);

impl Surroundings for Around<'_> {
    fn netns_name(&self, id: NetnsId) -> Option<Arc<str>> {
        self.0.info(id).map(|i| i.name.clone()).filter(|n| !n.is_empty())
    }
    fn netns_names(&self) -> Vec<Arc<str>> {
        self.0.info.iter().filter(|i| i.host == self.1 && !i.name.is_empty()).map(|i| i.name.clone()).collect()
    }
    fn hostname(&self) -> Arc<str> {
        self.0.hosts[self.1.0 as usize].name.clone()
    }
    fn now(&self) -> Time {
        self.0.now
    }
}

impl Session {
    fn new() -> Self {
        let mut world = World::new(1);
        let host = world.add_host("host");
        let root = world.hosts[host.0 as usize].root;
        Session { engine: Engine::new(world, NoTrace), host, root }
    }

    fn netns(&self, name: Option<&Arc<str>>) -> Option<NetnsId> {
        name.map_or(Some(self.root), |n| self.engine.world.netns_by_name(self.host, n))
    }

    fn run(&mut self, line: &str) -> Answer {
        let command = match parse(line) {
            Ok(c) => c,
            Err(e) => return Answer::failed(e.message, e.status),
        };
        match command {
            Command::Ops(ops) => self.ops(line, ops),
            Command::Query(q) => match self.netns(q.netns.as_ref()) {
                Some(ns) => answer(self.engine.world.ns(ns).unwrap(), &q.query, &Around(&self.engine.world, self.host)),
                None => Answer::failed("Cannot open network namespace", 255),
            },
            Command::Flow(_) => Answer::default(),
        }
    }

    fn ops(&mut self, line: &str, ops: Vec<OpIn>) -> Answer {
        let mut a = Answer::default();
        for OpIn { netns, op } in ops {
            let Some(ns) = self.netns(netns.as_ref()) else { return Answer::failed("Cannot open network namespace", 255) };
            if let Err(e) = self.engine.apply(ns, &Arc::new(op.clone()), &"typed".into()) {
                let status = if line.starts_with("bridge") { 255 } else { e.status() };
                return Answer::failed(e.to_string(), status);
            }
            if let crate::linux::Op::Sysctl { key, value } = &op {
                a.stdout.push_str(&format!("{key} = {value}\n"));
            }
        }
        a
    }
}

/// Types the commands of a transcript and compares.
fn replay(transcript: &str) {
    let mut session = Session::new();
    let mut wrong = Vec::new();
    let mut lines = transcript.lines().peekable();
    while let Some(line) = lines.next() {
        let Some(command) = line.strip_prefix("$ ") else { continue };
        let mut expected = Vec::new();
        while let Some(l) = lines.next_if(|l| !l.starts_with("$ ")) {
            expected.push(l.to_owned());
        }
        let a = session.run(command);
        let text = a.stdout + &a.stderr;
        let mut got: Vec<String> = text.lines().map(str::to_owned).collect();
        let changes = ["add", "del", "replace", "change", "append", "flush"].iter().any(|w| command.contains(w));
        if (command.contains("fdb") || command.contains("neigh")) && !changes {
            got.sort();
        }
        while got.last().is_some_and(String::is_empty) {
            got.pop();
        }
        if a.status != 0 {
            got.push(format!("[{}]", a.status));
        }
        if got != expected {
            wrong.push(format!("$ {command}\n--- real\n{}\n--- here\n{}\n", expected.join("\n"), got.join("\n")));
        }
    }
    assert!(wrong.is_empty(), "{} differ:\n{}", wrong.len(), wrong.join("\n"));
}

#[test]
fn addresses_and_their_routes() {
    replay(include_str!("transcripts/addresses.txt"));
}

#[test]
fn routes() {
    replay(include_str!("transcripts/routes.txt"));
}

#[test]
fn links_and_bridges() {
    replay(include_str!("transcripts/links.txt"));
}

#[test]
fn neighbours() {
    replay(include_str!("transcripts/neighbours.txt"));
}

#[test]
fn sysctls() {
    replay(include_str!("transcripts/sysctls.txt"));
}
