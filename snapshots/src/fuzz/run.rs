//! Running one case in both kernels.

use super::case::Case;
use lab::verify::{self, Verdict};
use scenarios::assemble::run::Options;
use scenarios::diag::Severity;
use scenarios::load;

/// What came of a case.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum End {
    /// Both kernels did the same: frames, packets at hooks.
    Equal(usize, usize),
    /// They did not; in words.
    Different(String),
    /// It cannot be run: the generator wrote what the simulator refuses, or the kernel here lacks something.
    Unfit(String),
}

/// Whether both kernels can run a case; why not, otherwise. The real one is asked only what it has.
///
/// # Errors
/// Why not.
pub fn fits(c: &Case) -> Result<(), String> {
    let l = load::from_text("case", &c.text());
    if !l.can_run() {
        let first = l.report.list.iter().find(|d| matches!(d.severity, Severity::Error | Severity::NotYet));
        return Err(first.map_or_else(String::new, |d| d.message.clone()));
    }
    let said = |r: Box<scenarios::diag::Report>| r.list.iter().map(|d| d.message.clone()).next().unwrap_or_default();
    let settled = scenarios::assemble::run::settle(&l, &Options::default()).map_err(said)?;
    let agenda = scenarios::assemble::run::agenda(&l, &settled, &l.scenario.flows).map_err(said)?;
    let plan = verify::plan(&settled, &agenda).map_err(|e| e.to_string())?;
    lab::kernel::build::can(&plan).map_err(|e| e.to_string())
}

/// Runs a scenario text in both kernels; a disagreement must show as often as `tries` says.
pub fn text(name: &str, text: &str, tries: usize) -> End {
    let l = load::from_text(name, text);
    if !l.can_run() {
        let first = l.report.list.iter().find(|d| matches!(d.severity, Severity::Error | Severity::NotYet));
        return End::Unfit(first.map_or_else(String::new, |d| d.message.clone()));
    }
    match verify::scenario_in(&l, &Options::default(), tries) {
        Err(report) => End::Unfit(report.list.iter().map(|d| d.message.clone()).next().unwrap_or_default()),
        Ok(Verdict::Equal(s)) => End::Equal(s.real.steps.len(), s.real.hooks.len()),
        Ok(v @ (Verdict::Different(..) | Verdict::Command(_))) => End::Different(lab::show::text(name, &v, 160)),
        Ok(Verdict::Skipped(why)) => End::Unfit(why),
        Ok(Verdict::Failed(e)) => End::Unfit(e.to_string()),
    }
}

/// Runs a case in both kernels; a disagreement must show as often as `tries` says.
pub fn case(c: &Case, tries: usize) -> End {
    text(&format!("seed-{}", c.seed), &c.text(), tries)
}
