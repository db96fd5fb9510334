//! What nft says when it refuses.
//!
//! Models: nft 1.0.6 src/erec.c erec_print.
//! Simplifies: the first error of a file is told and no others; of a syntax error what was not expected, and what was only where it is short.

use std::fmt;
use std::sync::Arc;

/// A place in the text: bytes from the beginning, the end not included.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub struct Span {
    /// First byte.
    pub from: usize,
    /// Behind the last byte.
    pub to: usize,
}

impl Span {
    /// From the beginning of this to the end of `other`.
    #[must_use]
    pub fn to(self, other: Span) -> Span {
        Span { from: self.from, to: other.to.max(self.to) }
    }
}

/// Why a text was refused.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refused {
    /// Where.
    pub at: Span,
    /// What else is meant, marked with `~`.
    pub also: Option<Span>,
    /// What nft says behind `Error: `.
    pub message: String,
    /// Whether it was the kernel's word, or that of what is there already: the text may be right elsewhere.
    pub by_kernel: bool,
    /// Whether real hosts can do this and the simulation cannot.
    pub not_simulated: bool,
}

impl Refused {
    /// By nft itself.
    pub fn new(at: Span, message: impl Into<String>) -> Refused {
        Refused { at, also: None, message: message.into(), by_kernel: false, not_simulated: false }
    }

    /// By the kernel, in the words of an errno.
    pub fn kernel(at: Span, errno: &str) -> Refused {
        Refused { by_kernel: true, ..Refused::new(at, format!("Could not process rule: {errno}")) }
    }

    /// Something is not there that nft looked for.
    pub fn missing(at: Span, message: impl Into<String>) -> Refused {
        Refused { by_kernel: true, ..Refused::new(at, message) }
    }

    /// The same, with something else that is meant.
    #[must_use]
    pub fn with(self, also: Span) -> Refused {
        Refused { also: Some(also), ..self }
    }

    /// Real hosts can do this, the simulation cannot.
    pub fn not_simulated(at: Span, what: impl Into<String>) -> Refused {
        Refused { not_simulated: true, ..Refused::new(at, what) }
    }
}

/// A refused text, with the line that it is about. Displays as nft prints it.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub struct NftError {
    /// Name of the file; none for a command line.
    pub file: Option<Arc<str>>,
    /// The line's number, from 1.
    pub line: usize,
    /// First and last column, from 1.
    pub columns: (usize, usize),
    /// First and last column of what else is meant.
    pub also: Option<(usize, usize)>,
    /// The line.
    pub text: String,
    /// Why.
    pub refused: Refused,
}

impl NftError {
    /// The error at its place in `text`.
    pub fn new(file: Option<Arc<str>>, text: &str, refused: Refused) -> NftError {
        let at = refused.at.from.min(text.len());
        let before = text.get(..at).unwrap_or("");
        let line = before.matches('\n').count() + 1;
        let start = before.rfind('\n').map_or(0, |i| i + 1);
        let shown = text.get(start..).unwrap_or("").lines().next().unwrap_or("").to_owned();
        let first = at - start + 1;
        // the end of the line may be meant too
        let last = |to: usize, from: usize| (to.max(from + 1) - start).min(shown.len() + 1).max(from - start + 1);
        let also =
            refused.also.filter(|s| s.from >= start && s.from - start <= shown.len()).map(|s| (s.from - start + 1, last(s.to, s.from)));
        NftError { file, line, columns: (first, last(refused.at.to, at)), also, text: shown, refused }
    }
}

impl fmt::Display for NftError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.refused.not_simulated {
            return write!(f, "not simulated: {}", self.refused.message);
        }
        if let Some(file) = &self.file {
            write!(f, "{file}:{}:{}-{}: ", self.line, self.columns.0, self.columns.1)?;
        }
        writeln!(f, "Error: {}", self.refused.message)?;
        writeln!(f, "{}", self.text.replace('\t', " "))?;
        let end = self.columns.1.max(self.also.map_or(0, |a| a.1));
        let within = |i: usize, (a, b): (usize, usize)| a <= i && i <= b;
        (1..=end).try_for_each(|i| {
            f.write_str(if within(i, self.columns) {
                "^"
            } else if self.also.is_some_and(|a| within(i, a)) {
                "~"
            } else {
                " "
            })
        })
    }
}
