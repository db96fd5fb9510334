//! `run:` texts: one command a line, as in a shell.

use super::Subject;
use super::names::no_place;
use crate::commands::{self, Kind, Scripted};
use crate::diag::Diagnostic;
use crate::schema::{At, Expect, Flow};
use crate::text::Span;

/// All `run:` texts of changes: what stands in the file at hand.
fn texts<'a>(s: &Subject<'a>) -> Vec<(Option<&'a At<String>>, &'a At<String>, &'static str)> {
    let sc = s.scenario;
    let mut out = Vec::new();
    for h in &sc.hosts {
        out.extend(h.run.as_ref().map(|r| (None, r, "host")));
    }
    for n in sc.cluster.iter().flat_map(|c| &c.nodes) {
        out.extend(n.run.as_ref().map(|r| (None, r, "host")));
    }
    for t in &sc.timeline {
        out.extend(t.run.as_ref().map(|r| (t.on.as_ref(), r, "timeline")));
    }
    for c in sc.challenge.iter().flat_map(|c| c.fault.iter().chain(&c.solution)) {
        out.push((c.on.as_ref(), &c.run, "challenge"));
    }
    out
}

pub(super) fn check(s: &mut Subject<'_>) {
    for (on, run, what) in texts(s) {
        if let Some(on) = on {
            place(s, on);
        }
        let list = commands::script(&run.value);
        if list.is_empty() {
            s.say(Diagnostic::warning(run.span, "there is no command in it").label("nothing is done"));
        }
        for line in &list {
            wrong(s, run, line);
            let at = Inside::new(run).span(line.start, line.end);
            let kubectl = line.text.split_whitespace().next() == Some("kubectl");
            if what != "host" && on.is_none() && !kubectl {
                s.say(Diagnostic::error(at, "a command needs a place").label("no `on`").help("write `on: \"node-a\"` beside it"));
            }
            if what == "host" && matches!(line.kind, Kind::Other) {
                s.say(
                    Diagnostic::error(at, "`run` of a host sets it up; this command changes nothing")
                        .label("a question, or traffic")
                        .help("ask and send in `flows`: `Run(on: \"…\", run: \"…\")`"),
                );
            }
        }
    }
    let sc = s.scenario;
    let checks = sc.challenge.iter().flat_map(|c| &c.checks).filter_map(|c| c.flow.as_ref());
    let flows = sc.flows.iter().chain(checks).filter_map(|f| match &f.value {
        Flow::Run(f) => Some(&f.run),
        _ => None,
    });
    let outputs = sc.expect.iter().filter_map(|e| match &e.value {
        Expect::Output(o) => Some(&o.run),
        _ => None,
    });
    let texts: Vec<&At<String>> = flows.chain(outputs).collect();
    for run in texts {
        let list = commands::script(&run.value);
        if list.len() != 1 {
            s.say(Diagnostic::error(run.span, "one command stands here").label(format!("there are {}", list.len())));
        }
        for line in &list {
            wrong(s, run, line);
        }
    }
}

/// Places inside a string literal. The source is not at hand here: positions are given as marks that
/// [`crate::load`] turns into bytes of the source.
struct Inside(Span);

/// Offsets inside literals are carried above this bit until the source is at hand.
pub(crate) const INSIDE: usize = 1 << 40;

impl Inside {
    fn new(text: &At<String>) -> Self {
        Inside(text.span)
    }
    fn span(&self, from: usize, to: usize) -> Span {
        Span::new(self.0.start + INSIDE * (from + 1), self.0.start + INSIDE * (to + 1))
    }
}

/// A place inside the text of a literal.
pub(crate) fn inside(text: &At<String>, from: usize, to: usize) -> Span {
    Inside::new(text).span(from, to)
}

/// Turns marks inside literals into bytes of `src`.
pub(crate) fn settle(src: &str, d: &mut Diagnostic) {
    for l in &mut d.labels {
        if l.span.start >= INSIDE {
            let literal = l.span.start % INSIDE;
            let whole = Span::new(literal, src.len());
            let from = crate::text::lex::source_offset(src, whole, l.span.start / INSIDE - 1);
            let to = crate::text::lex::source_offset(src, whole, (l.span.end / INSIDE).saturating_sub(1));
            l.span = Span::new(from, to.max(from));
        }
    }
}

/// What the shell says of a command.
fn wrong(s: &mut Subject<'_>, text: &At<String>, line: &Scripted) {
    let Kind::Wrong(p) = &line.kind else { return };
    let span = Inside::new(text).span(p.start, p.end);
    let d = if p.not_yet { Diagnostic::not_yet(span, &p.what) } else { Diagnostic::error(span, &p.what) };
    let d = d.label(&p.label);
    s.say(match &p.help {
        Some(h) => d.help(h),
        None => d,
    });
}

/// Whether `place` may stand in `on` of a step or a command; the complaint otherwise.
pub(super) fn place(s: &mut Subject<'_>, on: &At<String>) {
    if on.value.contains('*') {
        return;
    }
    if let Err(why) = s.names.place(&on.value) {
        let d = no_place(s.names, &on.value, on.span, &why);
        s.say(d);
    }
}
