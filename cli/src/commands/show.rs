//! `packetwalk show`

use crate::args::Args as All;
use crate::error::{CliError, FINE};
use crate::output::Out;
use clap::Parser;
use scenarios::assemble::resolved;
use scenarios::load;

/// Arguments of `show`.
#[derive(Debug, Parser)]
pub(crate) struct Args {
    /// A lesson's name, or a path
    scenario: String,
    /// The world with all defaults filled in, as a scenario
    #[arg(long)]
    resolved: bool,
}

/// Shows a scenario as it is written, or its world with all defaults filled in.
pub(crate) fn run(args: &Args, _: &All, out: &mut Out) -> Result<u8, CliError> {
    let l = load::by_name(&args.scenario)?;
    if !args.resolved {
        out.text(l.report.files.first().map_or("", |f| f.text.as_str()))?;
        return Ok(FINE);
    }
    if !l.report.is_usable() {
        return Err(CliError::Unusable(Box::new(l.report)));
    }
    out.text(resolved::print(l.world()))?;
    Ok(FINE)
}
