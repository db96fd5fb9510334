//! Why a command ended badly, and the exit code that says so.
//!
//! | code | meaning |
//! |---|---|
//! | 0 | fine |
//! | 1 | an expectation or a check failed |
//! | 2 | the input cannot be used |
//! | 3 | warnings alone, where `--strict` is given |
//! | 70 | a bug in packetwalk |

use crate::output::Color;
use scenarios::LoadError;
use scenarios::diag::{Report, draw};
use std::io::{self, IsTerminal, Write};
use std::process::ExitCode;

/// Fine.
pub(crate) const FINE: u8 = 0;
/// An expectation or a check failed.
pub(crate) const FAILED: u8 = 1;
/// The input cannot be used.
pub(crate) const UNUSABLE: u8 = 2;
/// Warnings alone, where `--strict` is given.
pub(crate) const WARNINGS: u8 = 3;
/// A bug in packetwalk.
pub(crate) const BUG: u8 = 70;

/// Why a command ended badly.
#[derive(Debug, thiserror::Error)]
pub(crate) enum CliError {
    /// A scenario could not be read.
    #[error(transparent)]
    Load(#[from] LoadError),
    /// A scenario has errors, or cannot be run yet.
    #[error("the scenario cannot be used")]
    Unusable(Box<Report>),
    /// What was asked for cannot be.
    #[error("{what}")]
    Usage {
        /// What cannot be.
        what: String,
        /// What can.
        hint: Option<String>,
    },
    /// Standard output failed.
    #[error(transparent)]
    Io(#[from] io::Error),
    /// A world that was checked could not be built, or the like.
    #[error("{0}")]
    Bug(String),
}

impl CliError {
    /// What cannot be, and what can.
    pub(crate) fn usage(what: impl Into<String>, hint: impl Into<String>) -> Self {
        CliError::Usage { what: what.into(), hint: Some(hint.into()) }
    }

    /// Says it on standard error; the exit code.
    pub(crate) fn report(self, color: Color) -> ExitCode {
        let stderr = io::stderr();
        let style = draw::Style { color: color.on(stderr.is_terminal()), unicode: true, width: 100 };
        let (text, code) = match &self {
            // a reader that has gone away has seen what it wanted to see
            CliError::Io(e) if e.kind() == io::ErrorKind::BrokenPipe => return ExitCode::SUCCESS,
            CliError::Load(e) => {
                let hint = match e {
                    LoadError::NotFound { near: Some(n), .. } => format!("\n  did you mean `{n}`?"),
                    LoadError::NotFound { .. } => "\n  `packetwalk list` shows the lessons; a file needs its path".to_owned(),
                    _ => String::new(),
                };
                (format!("packetwalk: {e}{hint}\n"), UNUSABLE)
            }
            CliError::Unusable(r) => (draw::all(r, style), UNUSABLE),
            CliError::Usage { what, hint } => {
                let hint = hint.as_ref().map(|h| format!("\n  {h}")).unwrap_or_default();
                (format!("packetwalk: {what}{hint}\n"), UNUSABLE)
            }
            CliError::Io(e) => (format!("packetwalk: {e}\n"), FAILED),
            CliError::Bug(e) => (format!("packetwalk: {e}\n  this is a bug of packetwalk; please report it with the scenario\n"), BUG),
        };
        // nothing can be done if standard error is gone
        let _ = stderr.lock().write_all(text.as_bytes());
        ExitCode::from(code)
    }
}
