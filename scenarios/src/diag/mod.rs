//! What is wrong with a scenario, said so that its author can repair it.
//!
//! A [`Diagnostic`] is data: places, words, a repair. [`draw`] makes the picture, at the edge.

pub mod draw;
pub mod near;

use crate::text::Span;
use std::sync::Arc;

/// How bad it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Severity {
    /// The scenario cannot be used.
    Error,
    /// It is right, and needs something that packetwalk does not simulate yet: it loads and cannot be run.
    NotYet,
    /// It can be used, and says something that its author hardly meant.
    Warning,
}

/// A place and what is to be said about it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Label {
    /// Where.
    pub span: Span,
    /// What, in a few words; may be empty.
    pub text: String,
}

/// One complaint.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Diagnostic {
    /// How bad.
    pub severity: Severity,
    /// What is wrong, in one line.
    pub message: String,
    /// The places; the first is where it is wrong.
    pub labels: Vec<Label>,
    /// How to repair it.
    pub help: Option<String>,
    /// Which file, by its number in the [`Report`].
    pub file: usize,
}

impl Diagnostic {
    fn of(severity: Severity, span: Span, message: impl Into<String>) -> Self {
        Diagnostic { severity, message: message.into(), labels: vec![Label { span, text: String::new() }], help: None, file: 0 }
    }

    /// An error at `span`.
    pub fn error(span: Span, message: impl Into<String>) -> Self {
        Self::of(Severity::Error, span, message)
    }

    /// A warning at `span`.
    pub fn warning(span: Span, message: impl Into<String>) -> Self {
        Self::of(Severity::Warning, span, message)
    }

    /// Something at `span` that is right and not simulated yet.
    pub fn not_yet(span: Span, what: impl Into<String>) -> Self {
        Self::of(Severity::NotYet, span, format!("not simulated yet: {}", what.into()))
    }

    /// The words at the first place.
    #[must_use]
    pub fn label(mut self, text: impl Into<String>) -> Self {
        if let Some(first) = self.labels.first_mut() {
            first.text = text.into();
        }
        self
    }

    /// A further place.
    #[must_use]
    pub fn and(mut self, span: Span, text: impl Into<String>) -> Self {
        self.labels.push(Label { span, text: text.into() });
        self
    }

    /// How to repair it.
    #[must_use]
    pub fn help(mut self, text: impl Into<String>) -> Self {
        self.help = Some(text.into());
        self
    }

    /// The words `did you mean …?` at the first place if one of `names` is near to `found`; else `otherwise`.
    #[must_use]
    pub fn near<'a>(self, found: &str, names: impl IntoIterator<Item = &'a str>, otherwise: &str) -> Self {
        match near::nearest(found, names) {
            Some(name) => self.label(format!("did you mean `{name}`?")),
            None => self.label(otherwise),
        }
    }

    /// Where it is wrong.
    pub fn span(&self) -> Span {
        self.labels.first().map_or(Span::default(), |l| l.span)
    }
}

/// A file that was read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Source {
    /// Its name as the reader knows it.
    pub name: String,
    /// What stands in it.
    pub text: String,
}

/// Everything that is to be said about a scenario, in order of place.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Report {
    /// The files; the first is the scenario itself.
    pub files: Vec<Arc<Source>>,
    /// The complaints.
    pub list: Vec<Diagnostic>,
}

impl Report {
    /// Whether it can be used.
    pub fn is_usable(&self) -> bool {
        self.count(Severity::Error) == 0
    }

    /// How many of a severity.
    pub fn count(&self, severity: Severity) -> usize {
        self.list.iter().filter(|d| d.severity == severity).count()
    }

    /// Puts the complaints into order of file and place, and takes out what is said twice.
    pub fn sort(&mut self) {
        self.list.sort_by_key(|d| (d.file, d.span().start, d.span().end, d.severity));
        let mut seen: Vec<Diagnostic> = Vec::with_capacity(self.list.len());
        for d in std::mem::take(&mut self.list) {
            if !seen.contains(&d) {
                seen.push(d);
            }
        }
        self.list = seen;
    }

    /// Line and column of a complaint, both from 1; columns count characters.
    pub fn position(&self, d: &Diagnostic) -> (usize, usize) {
        self.files.get(d.file).map_or((1, 1), |f| line_column(&f.text, d.span().start))
    }
}

/// Line and column of byte `at`, both from 1; columns count characters.
pub fn line_column(text: &str, at: usize) -> (usize, usize) {
    let mut at = at.min(text.len());
    while !text.is_char_boundary(at) {
        at -= 1;
    }
    let before = &text[..at];
    let line = before.matches('\n').count() + 1;
    let column = before.rsplit('\n').next().unwrap_or("").trim_start_matches('\u{feff}').chars().count() + 1;
    (line, column)
}
