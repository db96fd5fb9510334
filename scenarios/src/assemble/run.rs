//! From a checked scenario to a run: the world is built, settles, is broken if that is the lesson, and its traffic runs.

use super::flows::{Resolver, Unresolved};
use super::{Assembly, assemble};
use crate::check::commands::{inside, settle as settle_marks};
use crate::commands;
use crate::diag::{Diagnostic, Report as Complaints};
use crate::expect::matcher::Matcher;
use crate::expect::{self, Finding};
use crate::load::Loaded;
use crate::schema::cluster::ProxyMode;
use crate::schema::{At, Command, Flow, Target};
use sim_core::apps::Ending;
use sim_core::engine::blueprint::BuildError;
use sim_core::engine::{Agenda, Engine, FlowSpec, Run, World};
use sim_core::linux::NetnsId;
use sim_core::report::{Report, ScenarioInfo};
use sim_core::shell::exec::{Shell, configure};
use sim_core::shell::{self, Answer, CaptureIn};
use sim_core::trace::{NoTrace, Recording, StepId};

/// How long the world goes on after the last flow has ended: what is still on the wire arrives.
const LINGER: std::time::Duration = std::time::Duration::from_secs(1);

/// Events at one instant that end a run, beside those that each namespace may have.
const STORM: u64 = 10_000;

/// What may be said beside the file.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Options {
    /// Seed of all that is random, instead of the file's.
    pub seed: Option<u64>,
}

/// A world that has settled: nothing is left to be set up, and no traffic has run.
#[derive(Clone, Debug)]
pub struct Settled {
    /// The world.
    pub world: World,
    /// Its description.
    pub assembly: Assembly,
    /// Its seed.
    pub seed: u64,
}

/// A scenario that was run.
#[derive(Clone, Debug)]
pub struct Ran {
    /// The run.
    pub run: Run,
    /// What the trace says of the scenario.
    pub info: ScenarioInfo,
    /// The world's description.
    pub assembly: Assembly,
}

/// What the trace says of a scenario.
pub fn info(l: &Loaded, seed: u64) -> ScenarioInfo {
    let world = l.world();
    ScenarioInfo {
        id: l.id.clone(),
        title: l.title().to_owned(),
        cni: crate::check::names::cni_word(world).map(str::to_owned),
        proxy: world.cluster.as_ref().and_then(|c| c.kube_proxy.as_ref()).map(|p| {
            match p.mode.value {
                ProxyMode::iptables => "iptables",
                ProxyMode::nftables => "nftables",
                ProxyMode::ipvs => "ipvs",
            }
            .to_owned()
        }),
        seed,
    }
}

/// The complaints of a loaded scenario with one more.
fn complain(l: &Loaded, mut d: Diagnostic) -> Box<Complaints> {
    let mut report = l.report.clone();
    if let Some(f) = report.files.first() {
        settle_marks(&f.text, &mut d);
    }
    report.list.push(d);
    report.sort();
    Box::new(report)
}

fn unresolved(l: &Loaded, span: crate::text::Span, e: &Unresolved) -> Box<Complaints> {
    complain(l, Diagnostic::error(span, e.to_string()))
}

/// How far a challenge has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Stage {
    /// After the fault.
    Broken,
    /// After the reference solution.
    Solved,
}

/// Builds the world and lets it settle; of a challenge, the broken world.
///
/// # Errors
/// When a command of the scenario fails, with its place.
pub fn settle(l: &Loaded, options: &Options) -> Result<Settled, Box<Complaints>> {
    settle_to(l, options, Stage::Broken)
}

fn settle_to(l: &Loaded, options: &Options, stage: Stage) -> Result<Settled, Box<Complaints>> {
    let seed = options.seed.or_else(|| l.scenario.seed.as_ref().map(|s| s.value)).unwrap_or(0);
    let assembly = assemble(l.world(), seed);
    let mut engine = assembly.blueprint.build(NoTrace).map_err(|e| build_error(l, &assembly, &e))?;
    if let Some(plan) = &assembly.cluster {
        super::cluster::settle(&mut engine, plan, &assembly.addresses).map_err(|e| {
            let at = l.world().cluster.as_ref().map_or_else(Default::default, |c| c.span);
            complain(l, Diagnostic::error(at, e))
        })?;
    }
    for (host, line, text) in &assembly.after {
        let Some(at) = engine.world.by_label(host) else { continue };
        let answer = configure(&mut engine, at, text, &format!("run line {line}").into());
        if answer.status != 0 {
            let run = l.world().cluster.iter().flat_map(|c| &c.nodes).find(|n| *n.name.value == **host).and_then(|n| n.run.as_ref());
            return Err(complain(l, failed(run, *line, &answer.stderr)));
        }
    }
    for c in l.scenario.challenge.iter().flat_map(|c| &c.fault) {
        command(l, &mut engine, &assembly, c, "fault")?;
    }
    if stage == Stage::Solved {
        for c in l.scenario.challenge.iter().flat_map(|c| &c.solution) {
            command(l, &mut engine, &assembly, c, "solution")?;
        }
    }
    // What is recorded is read by people: a storm is told by its first rounds.
    engine.world.guard.per_instant = STORM + 100 * engine.world.netns.len() as u64;
    Ok(Settled { world: engine.world, assembly, seed })
}

/// Runs the commands of a challenge.
fn command(l: &Loaded, engine: &mut Engine<NoTrace>, assembly: &Assembly, c: &At<Command>, what: &str) -> Result<(), Box<Complaints>> {
    let Some(on) = &c.on else { return Ok(()) };
    let resolver = Resolver { scenario: l.world(), names: &l.names, assembly };
    let at = resolver.netns(&engine.world, &on.value).ok_or_else(|| unresolved(l, on.span, &Unresolved::Place(on.value.clone())))?;
    for line in commands::script(&c.run.value) {
        let answer = configure(engine, at, &line.text, &format!("{what} line {}", line.line).into());
        if answer.status != 0 {
            return Err(complain(l, failed(Some(&c.run), line.line, &answer.stderr)));
        }
    }
    Ok(())
}

/// A command that was well formed and failed when it ran.
fn failed(run: Option<&At<String>>, line: usize, said: &str) -> Diagnostic {
    let span = run.map_or_else(Default::default, |r| {
        let found = commands::script(&r.value).into_iter().find(|s| s.line == line);
        found.map_or(r.span, |s| inside(r, s.start, s.end))
    });
    let mut lines = said.trim().lines();
    let first = lines.next().unwrap_or("it says nothing").to_owned();
    let d = Diagnostic::error(span, format!("this command fails: {first}")).label("as on a real host");
    let rest: Vec<&str> = lines.collect();
    if rest.is_empty() { d } else { d.help(rest.join("\n")) }
}

fn build_error(l: &Loaded, assembly: &Assembly, e: &BuildError) -> Box<Complaints> {
    let d = match e {
        BuildError::Op { index, origin, error } => {
            let host = assembly.blueprint.ops.get(*index).map(|o| o.place.host.clone()).unwrap_or_default();
            let line = origin.strip_prefix("run line ").and_then(|n| n.parse().ok());
            let def = l.world().hosts.iter().find(|h| *h.name.value == *host);
            match (def, line) {
                (Some(h), Some(line)) => failed(h.run.as_ref(), line, &error.to_string()),
                (Some(h), None) => Diagnostic::error(h.name.span, format!("host {host} cannot be set up: {error}")),
                (None, _) => Diagnostic::error(Default::default(), format!("{host} ({origin}): {error}")),
            }
        }
        other => {
            let at = l.world().links.first().map(|x| x.span).or_else(|| l.world().hosts.first().map(|h| h.name.span)).unwrap_or_default();
            Diagnostic::error(at, format!("the world cannot be built: {other}"))
        }
    };
    complain(l, d)
}

/// Flows and timeline of a scenario, in a settled world.
///
/// # Errors
/// When a name means nothing in the settled world, with its place.
pub fn agenda(l: &Loaded, settled: &Settled, flows: &[At<Flow>]) -> Result<Agenda, Box<Complaints>> {
    let resolver = Resolver { scenario: l.world(), names: &l.names, assembly: &settled.assembly };
    let mut specs = Vec::new();
    for f in flows {
        specs.push(resolver.flow(&settled.world, f).map_err(|e| unresolved(l, f.span, &e))?);
    }
    let changes = resolver
        .changes(&settled.world, &l.scenario)
        .map_err(|e| unresolved(l, l.scenario.timeline.first().map_or_else(Default::default, |t| t.span), &e))?;
    Ok(Agenda { flows: specs, changes, linger: LINGER })
}

/// Runs a scenario and keeps everything.
///
/// # Errors
/// When a command of the scenario fails, or a name means nothing in the settled world; with its place.
pub fn run(l: &Loaded, options: &Options) -> Result<Ran, Box<Complaints>> {
    let settled = settle(l, options)?;
    let agenda = agenda(l, &settled, &l.scenario.flows)?;
    let info = info(l, settled.seed);
    let engine = Engine::new(settled.world, Recording::default());
    let run = engine.record(&agenda, &mut Shell);
    Ok(Ran { run, info, assembly: settled.assembly })
}

/// A world at the end of a run, to be asked and tried.
struct AtEnd<'a> {
    l: &'a Loaded,
    assembly: &'a Assembly,
    world: &'a World,
}

impl AtEnd<'_> {
    fn resolver(&self) -> Resolver<'_> {
        Resolver { scenario: self.l.world(), names: &self.l.names, assembly: self.assembly }
    }
}

impl expect::World for AtEnd<'_> {
    fn output(&mut self, on: &str, line: &str) -> Result<String, String> {
        let at = self.resolver().netns(self.world, on).ok_or_else(|| format!("there is no place {on}"))?;
        let mut engine = Engine::new(self.world.clone(), NoTrace);
        let answer = configure(&mut engine, at, line, &"expect".into());
        Ok(answer.stdout + &answer.stderr)
    }

    fn reach(&mut self, from: &str, to: &Target, port: Option<u16>) -> Result<Ending, String> {
        let to = At::nowhere(to.clone());
        let from = At::nowhere(from.to_owned());
        let flow = probe_flow(from, to, port);
        let spec = self.resolver().flow(self.world, &flow).map_err(|e| e.to_string())?;
        Ok(try_flow(self.world, spec).0)
    }

    fn network_model(&mut self) -> Result<Vec<String>, String> {
        let report = super::cluster::network_model(self.world)?;
        Ok(report.violations.iter().map(ToString::to_string).collect())
    }
}

fn probe_flow(from: At<String>, to: At<Target>, port: Option<u16>) -> Flow {
    use crate::schema::flow::{PingFlow, TcpFlow};
    match port {
        Some(port) => Flow::Tcp(TcpFlow {
            name: None,
            at: None,
            wait: None,
            from,
            to,
            port: At::nowhere(port),
            size: None,
            data: None,
            hold: None,
            ttl: None,
            pmtu: None,
            bind: None,
            sport: None,
            timeout: None,
            expect: None,
            backend: None,
        }),
        None => Flow::Ping(PingFlow {
            name: None,
            at: None,
            wait: None,
            from,
            to,
            count: None,
            interval: None,
            size: None,
            ttl: None,
            pmtu: None,
            bind: None,
            timeout: None,
            expect: None,
            backend: None,
        }),
    }
}

/// Tries a flow in a copy of a world: how it ends, and the source address that the server saw.
pub(super) fn try_flow(world: &World, spec: FlowSpec) -> (Ending, Option<sim_core::packet::IpAddr>) {
    let mut engine = Engine::new(world.clone(), NoTrace);
    let agenda = Agenda { flows: vec![spec], ..Agenda::default() };
    let (records, _) = engine.run_agenda(&agenda, &mut Shell);
    records.first().map_or((Ending::NoReply, None), |r| (r.outcome.ending, r.outcome.server.map(|s| s.client.addr)))
}

/// What became of the flows' ends and of the expectations.
pub fn findings(l: &Loaded, ran: &Ran) -> Vec<Finding> {
    let report = Report::new(&ran.run);
    let resolver = Resolver { scenario: l.world(), names: &l.names, assembly: &ran.assembly };
    let mut out = expect::flows(&report, &l.scenario.flows);
    let mut end = AtEnd { l, assembly: &ran.assembly, world: &ran.run.end };
    out.extend(expect::all(&report, &resolver, &l.scenario.expect, &mut end));
    out
}

/// What became of a challenge's checks, tried in the broken world and in the one that the reference solution leaves behind:
/// each must hold in the latter, and the fault must break one at least.
///
/// # Errors
/// As [`run`].
pub fn challenge(l: &Loaded) -> Result<Vec<Finding>, Box<Complaints>> {
    let Some(c) = &l.scenario.challenge else { return Ok(Vec::new()) };
    let tried = |stage: Stage| -> Result<Vec<Finding>, Box<Complaints>> {
        let settled = settle_to(l, &Options::default(), stage)?;
        let flows: Vec<At<Flow>> = c.checks.iter().filter_map(|k| k.flow.clone()).collect();
        let agenda = agenda(l, &settled, &flows)?;
        let run = Engine::new(settled.world, Recording::default()).record(&agenda, &mut Shell);
        let report = Report::new(&run);
        let resolver = Resolver { scenario: l.world(), names: &l.names, assembly: &settled.assembly };
        let mut end = AtEnd { l, assembly: &settled.assembly, world: &run.end };
        let mut out = Vec::new();
        for k in &c.checks {
            let found = match (&k.flow, &k.expect) {
                (Some(f), _) => expect::flows(&report, std::slice::from_ref(f)),
                (None, Some(e)) => expect::all(&report, &resolver, std::slice::from_ref(e), &mut end),
                (None, None) => Vec::new(),
            };
            out.extend(found.into_iter().map(|f| Finding { wanted: k.text.text(), ..f }));
        }
        Ok(out)
    };
    let mut out = tried(Stage::Solved)?;
    for f in out.iter_mut().filter(|f| !f.ok) {
        f.found = format!("after the solution: {}", f.found);
    }
    let breaks = tried(Stage::Broken)?.iter().any(|f| !f.ok);
    out.push(Finding {
        span: c.span,
        ok: breaks,
        wanted: "the fault breaks at least one check".to_owned(),
        found: if breaks { String::new() } else { "all of them hold before anything is repaired".to_owned() },
    });
    Ok(out)
}

/// The story: each text with the step that it is bound to, its fields filled in; in order of the steps.
pub fn story(l: &Loaded, ran: &Ran) -> Vec<(StepId, String)> {
    let report = Report::new(&ran.run);
    let resolver = Resolver { scenario: l.world(), names: &l.names, assembly: &ran.assembly };
    let matcher = Matcher::new(&report, &resolver);
    let mut out: Vec<(StepId, String)> = l
        .scenario
        .story
        .iter()
        .filter_map(|e| {
            let id = expect::first(&matcher, &e.when.value)?;
            let view = report.step(id)?;
            let text = match (&e.text, &e.section) {
                (Some(t), _) => t.value.text(),
                (None, Some(s)) => crate::library::find(&l.id).and_then(|x| x.story.as_deref()).and_then(|md| section(md, &s.value))?,
                (None, None) => return None,
            };
            Some((id, fill(&text, &view)))
        })
        .collect();
    out.sort_by_key(|(id, _)| *id);
    out
}

/// Warnings about patterns of the story that no step fits.
pub fn silent(l: &Loaded, ran: &Ran) -> Vec<Diagnostic> {
    let report = Report::new(&ran.run);
    let resolver = Resolver { scenario: l.world(), names: &l.names, assembly: &ran.assembly };
    let matcher = Matcher::new(&report, &resolver);
    let patterns = l.scenario.story.iter().map(|e| &e.when).chain(l.scenario.questions.iter().filter_map(|q| match &q.value {
        crate::schema::Question::Row(r) => Some(&r.when),
        crate::schema::Question::Value(v) => Some(&v.when),
        _ => None,
    }));
    patterns
        .filter(|p| expect::first(&matcher, &p.value).is_none())
        .map(|p| Diagnostic::warning(p.span, "no step of the run fits this").label(matcher.nearest(&p.value)))
        .collect()
}

/// Fields in braces, filled in from a step; one that the step does not have stays a question mark.
pub fn fill(text: &str, view: &sim_core::report::StepView<'_>) -> String {
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(open) = rest.find('{') {
        let Some(close) = rest[open..].find('}').map(|i| open + i) else { break };
        out.push_str(&rest[..open]);
        let name = &rest[open + 1..close];
        out.push_str(&field(view, name).unwrap_or_else(|| "?".to_owned()));
        rest = &rest[close + 1..];
    }
    out.push_str(rest);
    out
}

fn field(view: &sim_core::report::StepView<'_>, name: &str) -> Option<String> {
    let address = || view.changed.iter().find(|c| c.field.ends_with(".src") || c.field.ends_with(".dst"));
    match name {
        // what the step changed, addresses first
        "from" => address().or_else(|| view.changed.first()).map(|c| c.from.to_string()).or_else(|| view.field(name)),
        "to" => address().or_else(|| view.changed.first()).map(|c| c.to.to_string()).or_else(|| view.field(name)),
        _ => view.field(name),
    }
}

/// The text under a heading of a Markdown page.
fn section(page: &str, heading: &str) -> Option<String> {
    let mut lines = page.lines().skip_while(|l| l.trim_start_matches('#').trim() != heading || !l.starts_with('#'));
    lines.next()?;
    let text: Vec<&str> = lines.take_while(|l| !l.starts_with('#')).collect();
    Some(text.join("\n").trim().to_owned())
}

/// Runs one command at a place of a settled world: `packetwalk exec`.
///
/// # Errors
/// When there is no such place.
pub fn exec(l: &Loaded, settled: Settled, on: &str, line: &str) -> Result<Answer, String> {
    let resolver = Resolver { scenario: l.world(), names: &l.names, assembly: &settled.assembly };
    let at = resolver.netns(&settled.world, on).ok_or_else(|| {
        let places = l.names.places();
        let near = crate::diag::near::nearest(on, places.iter().map(String::as_str));
        match near {
            Some(n) => format!("there is no place `{on}`\n  did you mean `{n}`?"),
            None => format!("there is no place `{on}`\n  the places: {}", crate::check::names::listed(&places)),
        }
    })?;
    if let Ok(shell::Command::Capture(c)) = shell::parse(line) {
        return capture(l, settled, at, &c);
    }
    let mut engine = Engine::new(settled.world, NoTrace);
    Ok(shell_line(&mut engine, at, line))
}

/// A capture listens while the flows of the scenario run.
fn capture(l: &Loaded, settled: Settled, at: NetnsId, c: &CaptureIn) -> Result<Answer, String> {
    let host = settled.world.info(at).map(|i| i.host).unwrap_or_default();
    let inside = |name: &str| settled.world.netns_by_name(host, name);
    let at = match c.netns.as_deref() {
        None => at,
        Some(name) => inside(name).ok_or_else(|| format!("Cannot open network namespace \"{name}\": No such file or directory"))?,
    };
    let config = settled.world.ns(at).map(|n| n.config.clone()).unwrap_or_default();
    let agenda = agenda(l, &settled, &l.scenario.flows).map_err(|_| "the scenario's flows cannot be run".to_owned())?;
    let run = Engine::new(settled.world, Recording::default()).record(&agenda, &mut Shell);
    Ok(shell::tcpdump::render(&c.capture, &run.recording, at, &config))
}

fn shell_line(engine: &mut Engine<NoTrace>, at: NetnsId, line: &str) -> Answer {
    let spec = FlowSpec {
        name: "exec".into(),
        from: at,
        start: sim_core::engine::Start::After(std::time::Duration::ZERO),
        kind: sim_core::engine::FlowKind::Run { line: line.into() },
        options: sim_core::engine::SendOptions::default(),
    };
    let agenda = Agenda { flows: vec![spec], ..Agenda::default() };
    let (records, _) = engine.run_agenda(&agenda, &mut Shell);
    let Some(outcome) = records.into_iter().next().map(|r| r.outcome) else { return Answer::failed("it did not run", 70) };
    let (stdout, stderr) = outcome.output.unwrap_or_default();
    let status = match outcome.ending {
        Ending::Exited(n) => u8::try_from(n).unwrap_or(1),
        Ending::Replied | Ending::Connected | Ending::Sent | Ending::Status(_) => 0,
        _ => 1,
    };
    Answer { stdout: stdout.to_string(), stderr: stderr.to_string(), status }
}
