//! Verification: one plan, both kernels, and the first difference.

use crate::account::compare::{self, Difference, Terms};
use crate::account::{Observed, Observer};
use crate::kernel::{self, LabError};
use crate::plan::{Plan, Unfit};
use scenarios::assemble::run::{self, Options, Settled};
use scenarios::diag::Report;
use scenarios::load::Loaded;
use serde_json::{Map, Value};
use sim_core::engine::{Engine, FlowKind};
use sim_core::shell::exec::Shell;
use sim_core::trace::Recording;

/// What came of it.
#[derive(Clone, Debug)]
pub enum Verdict {
    /// Both kernels did the same.
    Equal(Box<Sides>),
    /// They did not.
    Different(Box<Difference>, Box<Sides>),
    /// A command has another end in the real kernel.
    Command(LabError),
    /// It was not compared, and why.
    Skipped(String),
    /// The real kernel could not be asked.
    Failed(LabError),
}

/// Both accounts.
#[derive(Clone, Debug, Default)]
pub struct Sides {
    /// What the simulated kernel did.
    pub simulated: Observed,
    /// What the real kernel did.
    pub real: Observed,
    /// What the comparison must know.
    pub terms: Terms,
}

/// How often a difference must show: a busy machine may delay a program, and a delay is no difference.
const TRIES: usize = 3;

/// Verifies a scenario.
///
/// # Errors
/// When the scenario cannot be used.
pub fn scenario(l: &Loaded, options: &Options) -> Result<Verdict, Box<Report>> {
    scenario_in(l, options, TRIES)
}

/// Verifies a scenario; a difference must show as often as `tries` says.
///
/// # Errors
/// When the scenario cannot be used.
pub fn scenario_in(l: &Loaded, options: &Options, tries: usize) -> Result<Verdict, Box<Report>> {
    let settled = run::settle(l, options)?;
    let agenda = run::agenda(l, &settled, &l.scenario.flows)?;
    Ok(match plan(&settled, &agenda) {
        Ok(plan) => verify(plan, settled, tries),
        Err(why) => Verdict::Skipped(why.to_string()),
    })
}

/// The plan of a settled world.
///
/// # Errors
/// When the two kernels could not do the same.
pub fn plan(settled: &Settled, agenda: &sim_core::engine::Agenda) -> Result<Plan, Unfit> {
    Plan::of(&settled.world, &settled.assembly.blueprint, agenda)
}

/// The plan of a settled world for a person to read: chance and slow links are no obstacle.
///
/// # Errors
/// When the world cannot be built.
pub fn plan_to_read(settled: &Settled, agenda: &sim_core::engine::Agenda) -> Result<Plan, Unfit> {
    Plan::to_read(&settled.world, &settled.assembly.blueprint, agenda)
}

/// How much longer the pauses between flows are with each further try.
const LONGER: std::time::Duration = std::time::Duration::from_millis(45);

/// Runs the plan in both kernels, more than once if they differ: each time with longer pauses, so that a timer which goes off just
/// when a flow begins does so once at most.
pub fn verify(plan: Plan, settled: Settled, tries: usize) -> Verdict {
    let terms = terms(&plan);
    let mut found = None;
    for n in 0..tries {
        let mut plan = plan.clone();
        plan.stretch(LONGER * n as u32);
        let simulated = simulate(&mut plan, settled.world.clone());
        let real = match kernel::observe(&plan) {
            Ok(real) => real,
            Err(LabError::Lost) => continue,
            Err(LabError::Lacks(why)) => return Verdict::Skipped(why),
            Err(e @ LabError::Command { .. }) => return Verdict::Command(e),
            Err(e) => return Verdict::Failed(e),
        };
        let sides = Sides { simulated: without_pieces(simulated), real: without_pieces(real), terms: terms.clone() };
        match compare::compare(&terms, &sides.real, &sides.simulated) {
            None => return Verdict::Equal(Box::new(sides)),
            Some(d) => found = Some((d, sides)),
        }
    }
    match found {
        Some((d, sides)) => Verdict::Different(Box::new(d), Box::new(sides)),
        None => Verdict::Failed(LabError::Lost),
    }
}

/// Pieces of a packet at the hooks are left out: the trace calls a piece that was put together and cut again by the number of the
/// one that came in, as chance and memory have it. Their frames are compared.
fn without_pieces(mut o: Observed) -> Observed {
    let piece = |h: &Value| h.get("before").and_then(Value::as_str).is_some_and(|b| b.contains(" frag@"));
    o.hooks.retain(|p| !p.get("hooks").and_then(Value::as_array).is_some_and(|h| h.iter().any(piece)));
    o
}

/// What the simulated kernel does with the plan's traffic; the plan then knows when.
pub fn simulate(plan: &mut Plan, world: sim_core::engine::World) -> Observed {
    let origin = world.now;
    let run = Engine::new(world, Recording::default()).record(&plan.agenda, &mut Shell);
    // flows are recorded in the order in which they began
    plan.schedule = run.flows.iter().map(|f| f.began.since(origin)).collect();
    let observer = Observer { run: &run, ports: &plan.ports, timing: false, began: None, devices: None };
    let outcomes = run.flows.iter().map(|f| bare(observer.outcome(f), &f.spec.kind)).collect();
    observer.observe(outcomes)
}

/// Of a command only its exit status is compared.
pub(crate) fn bare(mut outcome: Map<String, Value>, kind: &FlowKind) -> Map<String, Value> {
    if matches!(kind, FlowKind::Run { .. }) {
        outcome.shift_remove("stdout");
        outcome.shift_remove("stderr");
        if let Some(rc) = outcome.get_mut("rc") {
            *rc = Value::from(u8::from(rc != &Value::from(0)));
        }
    }
    outcome
}

/// The terms of a plan.
pub fn terms(plan: &Plan) -> Terms {
    Terms {
        netns: plan.places.iter().filter(|p| !p.hidden).map(|p| p.label.clone()).collect(),
        actions: plan.agenda.flows.iter().map(|f| f.name.to_string()).collect(),
        old_trace: false,
    }
}
