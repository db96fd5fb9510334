//! `packetwalk check`

use crate::args::Args as All;
use crate::error::{CliError, FAILED, FINE, UNUSABLE, WARNINGS};
use crate::output::Out;
use clap::Parser;
use rayon::prelude::*;
use scenarios::assemble::run;
use scenarios::diag::{Severity, draw};
use scenarios::{Loaded, library, load};

/// Arguments of `check`.
#[derive(Debug, Parser)]
pub(crate) struct Args {
    /// Lessons, files or folders with a lesson.ron
    #[arg(value_name = "SCENARIO", required_unless_present = "all")]
    scenarios: Vec<String>,
    /// All lessons of the library
    #[arg(long)]
    all: bool,
    /// Exit with 3 if there are warnings
    #[arg(long)]
    strict: bool,
    /// Look at the form alone; do not run anything
    #[arg(long)]
    no_run: bool,
}

/// What is said of one scenario, and the exit code that it deserves.
struct Checked {
    text: String,
    code: u8,
    warned: bool,
}

/// Checks scenarios: their form, and what they expect of their own run.
pub(crate) fn run(args: &Args, _: &All, out: &mut Out) -> Result<u8, CliError> {
    let mut names: Vec<String> = args.scenarios.clone();
    if args.all {
        names.extend(library::lessons().iter().map(|l| l.id.clone()));
    }
    let style = draw::Style { color: out.color, unicode: true, width: out.width };
    // whole scenarios side by side, told in their order
    let checked: Vec<Result<Checked, CliError>> = names.par_iter().map(|n| Ok(one(&load::by_name(n)?, style, args.no_run))).collect();
    let mut code = FINE;
    let mut warned = false;
    for c in checked {
        let c = c?;
        out.text(&c.text)?;
        warned |= c.warned;
        // an unusable input says more than a failed expectation
        if code != UNUSABLE && c.code != FINE {
            code = c.code;
        }
    }
    Ok(if code == FINE && warned && args.strict { WARNINGS } else { code })
}

fn one(l: &Loaded, style: draw::Style, no_run: bool) -> Checked {
    let mut report = l.report.clone();
    let mut failed = Vec::new();
    let mut held = 0;
    if l.can_run() && !no_run {
        match run::run(l, &run::Options::default()) {
            Err(r) => report = *r,
            Ok(ran) => {
                let all = run::findings(l, &ran);
                held = all.iter().filter(|f| f.ok).count();
                failed.extend(all.into_iter().filter(|f| !f.ok).map(|f| (l.line(f.span), f)));
                report.list.extend(run::silent(l, &ran));
                match run::challenge(l) {
                    Err(r) => report = *r,
                    Ok(checks) => {
                        held += checks.iter().filter(|f| f.ok).count();
                        failed.extend(checks.into_iter().filter(|f| !f.ok).map(|f| (l.line(f.span), f)));
                    }
                }
                report.sort();
            }
        }
    }
    let mut text = String::new();
    for d in &report.list {
        text.push_str(&draw::one(&report, d, style));
    }
    let name = report.files.first().map_or("", |f| f.name.as_str());
    for (line, f) in &failed {
        text.push_str(&format!("  ✗ {name}:{line}: expected {}\n    but {}\n", f.wanted, f.found));
    }
    let mut summary = draw::summary(&report);
    if !report.is_usable() {
    } else if report.count(Severity::NotYet) > 0 {
        summary.push_str("; it loads, and cannot be run yet");
    } else if !no_run {
        let n = failed.len();
        if n > 0 {
            summary.push_str(&format!(", {n} of {} expectations failed", n + held));
        } else {
            summary.push_str(&format!(", {held} expectations hold"));
        }
    }
    text.push_str(&summary);
    text.push('\n');
    let code = if !report.is_usable() {
        UNUSABLE
    } else if failed.is_empty() {
        FINE
    } else {
        FAILED
    };
    let warned = report.count(Severity::Warning) + report.count(Severity::NotYet) > 0;
    Checked { text, code, warned }
}
