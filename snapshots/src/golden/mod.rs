//! What a real kernel did, held against the simulator.
//!
//! A golden names a network, actions in it, and what Linux did: every frame, every hook and rule, every conntrack entry.
//! The network is built from the file alone, the actions are run, and the two accounts are compared.

pub mod build;
pub mod format;

pub use format::Golden;
pub use lab::account::compare::Difference;

use lab::account::compare::{Terms, compare as hold};
use lab::account::{Observed, Observer};
use serde_json::{Map, Value};
use sim_core::shell::exec::Shell;
use std::path::Path;

/// What came of one case.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// The simulator did what the kernel did.
    Equal,
    /// It did something else.
    Different(Box<Difference>),
    /// It could not be run.
    CannotRun(String),
}

/// Runs a golden's actions in a world built from it.
///
/// # Errors
/// When the golden cannot be read or built.
pub fn observe(golden: &Golden) -> Result<Observed, build::BuildError> {
    let built = build::build(golden)?;
    let run = built.engine.record(&built.agenda, &mut Shell);
    let began = built.first.iter().filter_map(|i| run.flows.get(*i)).map(|f| f.began).collect();
    let observer = Observer { run: &run, ports: &golden.ports, timing: golden.timing, began: Some(began), devices: Some(built.devices) };
    let outcomes = golden
        .outcome
        .iter()
        .zip(&built.first)
        .map(|(o, first)| {
            let action = o.get("action");
            let says = |key: &str, value: &Value| action.and_then(|a| a.get(key)).is_some_and(|v| v == value);
            let Some(flow) = run.flows.get(*first) else { return Map::new() };
            let mut out = if says("quiet", &Value::Bool(true)) { Map::new() } else { observer.outcome(flow) };
            // what a whole `tcp` action sent and got back is told by its second flow
            if says("do", &Value::from("tcp"))
                && out.get("result") == Some(&Value::from("connected"))
                && let Some(sent) = run.flows.get(first + 1)
            {
                out.extend(observer.outcome(sent));
            }
            out
        })
        .collect();
    Ok(observer.observe(outcomes))
}

/// The first difference between a golden and what was observed; none if they are equal.
pub fn compare(golden: &Golden, ours: &Observed) -> Option<Difference> {
    let action = |o: &Map<String, Value>| o.get("action").unwrap_or(&Value::Null).to_string();
    let terms = Terms {
        netns: golden.topology.netns.keys().cloned().collect(),
        actions: golden.outcome.iter().map(action).collect(),
        old_trace: golden.kernel == "6.1",
    };
    let outcome = golden.outcome.iter().map(|o| o.iter().filter(|(k, _)| *k != "action").map(|(k, v)| (k.clone(), v.clone())).collect());
    let theirs = Observed {
        steps: golden.steps.clone(),
        hooks: golden.hooks.clone(),
        outcome: outcome.collect(),
        conntrack: golden.conntrack.clone(),
    };
    hold(&terms, &theirs, ours)
}

/// Holds one golden against the simulator.
pub fn check(golden: &Golden) -> Verdict {
    match observe(golden) {
        Err(e) => Verdict::CannotRun(e.to_string()),
        Ok(ours) => compare(golden, &ours).map_or(Verdict::Equal, |d| Verdict::Different(Box::new(d))),
    }
}

/// Reads a golden.
///
/// # Errors
/// When the file cannot be read or is no golden.
pub fn read(path: &Path) -> Result<Golden, String> {
    let text = std::fs::read_to_string(path).map_err(|e| format!("{}: {e}", path.display()))?;
    serde_json::from_str(&text).map_err(|e| format!("{}: {e}", path.display()))
}
