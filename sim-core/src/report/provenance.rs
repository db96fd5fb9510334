//! Where a row came from: the command that made it and who gave it, the row that it follows from, or the step that learned it.

use super::rows;
use super::view::Report;
use crate::linux::config::Config;
use crate::linux::{RowId, Source, Time};

/// Where a row came from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Provenance {
    /// The command as one would type it.
    pub command: Option<String>,
    /// Who gave it: a controller and its object, or a line of the scenario.
    pub by: Option<String>,
    /// When it was applied.
    pub at: Option<Time>,
    /// The number of the step that learned the row.
    pub step: Option<u32>,
    /// All of it in a few words.
    pub text: String,
}

impl Provenance {
    fn words(text: impl Into<String>) -> Self {
        Provenance { command: None, by: None, at: None, step: None, text: text.into() }
    }
}

impl Report<'_> {
    /// Where a row with that source came from; `config` is the configuration that it stands in.
    pub fn provenance(&self, config: &Config, source: Source) -> Provenance {
        self.trace_source(config, source, 4)
    }

    fn trace_source(&self, config: &Config, source: Source, depth: u8) -> Provenance {
        match source {
            Source::Kernel => Provenance::words("the kernel"),
            Source::Step(n) => Provenance { step: Some(n + 1), ..Provenance::words(format!("step {}", n + 1)) },
            Source::Op(id) => match self.run.end.op(id).or_else(|| self.run.start.op(id)) {
                None => Provenance::words("a command"),
                Some(op) => {
                    let command = rows::op(&op.op);
                    let by = (!op.origin.is_empty()).then(|| op.origin.to_string());
                    let text = match &by {
                        Some(by) => format!("{by}: {command}"),
                        None => command.clone(),
                    };
                    Provenance { command: Some(command), by, at: Some(op.at), step: None, text }
                }
            },
            Source::Row(row) => match row_source(config, row).filter(|_| depth > 0) {
                Some((what, up)) => {
                    let above = self.trace_source(config, up, depth - 1);
                    Provenance { text: format!("{what} ({})", above.text), ..above }
                }
                None => Provenance::words("another row"),
            },
        }
    }
}

/// The row `row`, which others follow from: an address, or a route.
fn row_source(config: &Config, row: RowId) -> Option<(String, Source)> {
    for d in config.devices.iter() {
        if let Some(a) = d.addrs.iter().find(|a| a.row == row) {
            return Some((format!("address {}/{} on {}", a.local, a.prefix.len(), d.name), a.source));
        }
    }
    let (_, r) = super::losers::find_route(config, row)?;
    Some((format!("route {}", rows::route(config, r)), r.source))
}
