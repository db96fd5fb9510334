//! What a run must show: the flows' ends, and the expectations of a scenario.
//!
//! ```text
//!  Run ─► report::StepView ─► matcher ─┬─► Passes, Avoids, Counts, InOrder, story, diagnosis
//!       ├─ end of each flow ───────────┼─► expect: replied
//!       └─ world at the end ───────────┴─► Conntrack, Rules, Output, Reach, NetworkModel
//! ```

pub mod matcher;
pub mod state;

use crate::assemble::flows::Resolver;
use crate::schema::{At, Expect, Expected, Flow, StepPattern};
use crate::text::Span;
use matcher::Matcher;
use sim_core::apps::Ending;
use sim_core::report::Report;
use sim_core::report::words::outcome;
use sim_core::trace::StepId;

/// What became of one expectation.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Finding {
    /// Where it stands.
    pub span: Span,
    /// Whether it holds.
    pub ok: bool,
    /// What was expected, in a line.
    pub wanted: String,
    /// What was found instead; empty if it holds.
    pub found: String,
}

impl Finding {
    fn new(span: Span, wanted: impl Into<String>, result: Result<(), String>) -> Self {
        Finding { span, ok: result.is_ok(), wanted: wanted.into(), found: result.err().unwrap_or_default() }
    }
}

/// Whether an ending is the expected one.
pub fn ends_as(ending: Ending, expected: Expected) -> bool {
    match (ending, expected) {
        (Ending::Connected, Expected::connected)
        | (Ending::Replied, Expected::replied)
        | (Ending::Sent, Expected::sent)
        | (Ending::NoReply, Expected::no_reply)
        | (Ending::Refused, Expected::refused)
        | (Ending::Reset, Expected::reset)
        | (Ending::TimedOut, Expected::timed_out)
        | (Ending::HostUnreachable, Expected::host_unreachable)
        | (Ending::NetworkUnreachable, Expected::network_unreachable)
        | (Ending::PermissionDenied, Expected::permission_denied)
        | (Ending::MessageTooLong, Expected::message_too_long)
        | (Ending::InvalidArgument, Expected::invalid_argument)
        | (Ending::AddressInUse, Expected::address_in_use)
        | (Ending::NameNotFound, Expected::name_not_found) => true,
        // an HTTP answer is an answer, and came over a connection
        (Ending::Status(_), Expected::replied | Expected::connected) => true,
        (Ending::Status(a), Expected::status(b)) => a == b,
        (Ending::Exited(a), Expected::exited(b)) => a == b,
        _ => false,
    }
}

/// An expected end as the file writes it.
pub fn expected_word(e: Expected) -> String {
    match e {
        Expected::status(n) => format!("status({n})"),
        Expected::exited(n) => format!("exited({n})"),
        other => format!("{other:?}"),
    }
}

/// What is asked of the world at the end, that only whoever can run things can answer.
pub trait World {
    /// Runs a command at a place in the world at the end; its output.
    ///
    /// # Errors
    /// If there is no such place or command.
    fn output(&mut self, on: &str, line: &str) -> Result<String, String>;
    /// How traffic from one to another ends in the world at the end.
    ///
    /// # Errors
    /// If it cannot be tried.
    fn reach(&mut self, from: &str, to: &crate::schema::Target, port: Option<u16>) -> Result<Ending, String>;
    /// Pairs for which the network model does not hold in the world at the end, in words.
    ///
    /// # Errors
    /// If it cannot be tried.
    fn network_model(&mut self) -> Result<Vec<String>, String>;
}

/// What became of the flows that say how they must end.
pub fn flows(report: &Report<'_>, flows: &[At<Flow>]) -> Vec<Finding> {
    let mut out = Vec::new();
    for f in flows {
        let Some(wanted) = f.common().expect else { continue };
        let name = f.name();
        let record = report.run.flows.iter().find(|r| *r.spec.name == *name);
        let result = match record {
            None => Err("it did not run".to_owned()),
            Some(r) if ends_as(r.outcome.ending, wanted.value) => Ok(()),
            Some(r) => Err(outcome::detail(report, r)),
        };
        out.push(Finding::new(wanted.span, format!("{name}: {}", expected_word(wanted.value)), result));
    }
    out
}

/// What became of the expectations.
pub fn all(report: &Report<'_>, names: &Resolver<'_>, list: &[At<Expect>], world: &mut dyn World) -> Vec<Finding> {
    let matcher = Matcher::new(report, names);
    list.iter().map(|e| one(&matcher, e, world)).collect()
}

/// The first step that fits a pattern.
pub fn first(matcher: &Matcher<'_>, p: &StepPattern) -> Option<StepId> {
    matcher.steps(p, None).into_iter().nth(p.nth.as_ref().map_or(0, |n| n.value.saturating_sub(1) as usize))
}

fn one(m: &Matcher<'_>, e: &At<Expect>, world: &mut dyn World) -> Finding {
    let span = e.span;
    match &e.value {
        Expect::Passes(p) => {
            let result = if first(m, p).is_some() { Ok(()) } else { Err(m.nearest(p)) };
            Finding::new(span, format!("a step fits: {}", matcher::print(p)), result)
        }
        Expect::Avoids(p) => {
            let result = match first(m, p) {
                None => Ok(()),
                Some(id) => Err(format!("step {} does: {}", id.0 + 1, m.tell(id))),
            };
            Finding::new(span, format!("no step fits: {}", matcher::print(p)), result)
        }
        Expect::Counts(c) => {
            let n = m.steps(&c.step.value, None).len();
            let wanted = c.is.value as usize;
            let result = if n == wanted { Ok(()) } else { Err(format!("{n} do")) };
            Finding::new(span, format!("{wanted} steps fit: {}", matcher::print(&c.step.value)), result)
        }
        Expect::InOrder(o) => {
            let flow = o.flow.as_ref().map(|f| f.value.as_str());
            let mut after = None;
            let mut result = Ok(());
            for (i, p) in o.steps.iter().enumerate() {
                let found = m.steps(&p.value, flow).into_iter().find(|id| after.is_none_or(|a| *id > a));
                match found {
                    Some(id) => after = Some(id),
                    None => {
                        let behind = after.map_or_else(String::new, |a: StepId| format!(" after step {}", a.0 + 1));
                        result = Err(format!("nothing fits number {}{behind}: {}", i + 1, matcher::print(&p.value)));
                        break;
                    }
                }
            }
            Finding::new(span, format!("{} steps in this order", o.steps.len()), result)
        }
        Expect::ServedBy(s) => Finding::new(
            span,
            format!("{} served by {}", s.flow.value, s.pods.iter().map(|p| p.value.as_str()).collect::<Vec<_>>().join(" or ")),
            m.served_by(s),
        ),
        Expect::Conntrack(c) => Finding::new(span, format!("conntrack of {}", c.on.value), state::conntrack(m, c)),
        Expect::Rules(r) => Finding::new(span, format!("rules of {}", r.on.value), state::rules(m, r)),
        Expect::Output(o) => {
            let result = world.output(&o.on.value, o.run.value.trim()).and_then(|text| state::output(o, &text));
            Finding::new(span, format!("{}: {}", o.on.value, o.run.value.trim()), result)
        }
        Expect::Reach(r) => {
            let result = world
                .reach(&r.from.value, &r.to.value, r.port.as_ref().map(|p| p.value))
                .and_then(|ending| if ends_as(ending, r.expect.value) { Ok(()) } else { Err(outcome::name(ending).to_owned()) });
            Finding::new(
                span,
                format!("{} to {}: {}", r.from.value, crate::assemble::flows::print_target(&r.to.value), expected_word(r.expect.value)),
                result,
            )
        }
        Expect::NetworkModel => {
            let result = world.network_model().and_then(|bad| if bad.is_empty() { Ok(()) } else { Err(bad.join("; ")) });
            Finding::new(span, "the Kubernetes network model", result)
        }
    }
}
