//! The picture of a complaint: the source line, a caret under the place, what to do.

use super::{Diagnostic, Report, Severity, Source};
use crate::text::Span;
use miette::{GraphicalReportHandler, GraphicalTheme, LabeledSpan, MietteError, MietteSpanContents, SourceCode, SourceSpan, SpanContents};
use std::fmt;
use std::sync::Arc;

/// How to draw.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Style {
    /// With colours.
    pub color: bool,
    /// With line-drawing characters; else ASCII alone.
    pub unicode: bool,
    /// Columns of the screen.
    pub width: usize,
}

impl Default for Style {
    fn default() -> Self {
        Style { color: false, unicode: true, width: 100 }
    }
}

/// A file whose excerpts are whole lines.
#[derive(Debug)]
struct Lines(Arc<Source>);

impl SourceCode for Lines {
    fn read_span<'a>(&'a self, span: &SourceSpan, before: usize, after: usize) -> Result<Box<dyn SpanContents<'a> + 'a>, MietteError> {
        let text = &self.0.text;
        let start = span.offset().min(text.len());
        let end = (span.offset() + span.len()).min(text.len());
        let line_start = text.as_bytes()[..start].iter().rposition(|b| *b == b'\n').map_or(0, |i| i + 1);
        let line_end = text.as_bytes()[end..].iter().position(|b| *b == b'\n').map_or(text.len(), |i| end + i);
        let whole = SourceSpan::new(line_start.into(), line_end - line_start);
        let inner = text.read_span(&whole, before, after)?;
        // The column that the head of the picture shows: of the place itself. A mark at the file's start is no column.
        let column = text.get(line_start..start).map_or(0, |t| t.trim_start_matches('\u{feff}').chars().count());
        Ok(Box::new(MietteSpanContents::new_named(
            self.0.name.clone(),
            inner.data(),
            *inner.span(),
            inner.line(),
            inner.column().max(column),
            inner.line_count(),
        )))
    }
}

/// A complaint with its file, as miette wants it.
#[derive(Debug)]
struct Drawn<'a> {
    d: &'a Diagnostic,
    source: Option<Lines>,
}

impl fmt::Display for Drawn<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.d.message)
    }
}

impl std::error::Error for Drawn<'_> {}

impl miette::Diagnostic for Drawn<'_> {
    fn severity(&self) -> Option<miette::Severity> {
        Some(match self.d.severity {
            Severity::Error => miette::Severity::Error,
            Severity::Warning => miette::Severity::Warning,
            Severity::NotYet => miette::Severity::Advice,
        })
    }

    fn help<'a>(&'a self) -> Option<Box<dyn fmt::Display + 'a>> {
        self.d.help.as_ref().map(|h| Box::new(h) as Box<dyn fmt::Display>)
    }

    fn source_code(&self) -> Option<&dyn SourceCode> {
        self.source.as_ref().map(|s| s as &dyn SourceCode)
    }

    fn labels(&self) -> Option<Box<dyn Iterator<Item = LabeledSpan> + '_>> {
        let text = self.source.as_ref().map_or("", |s| s.0.text.as_str());
        Some(Box::new(self.d.labels.iter().enumerate().map(move |(i, l)| {
            let span = tidy(text, l.span);
            let words = (!l.text.is_empty()).then(|| l.text.clone());
            if i == 0 { LabeledSpan::new_primary_with_span(words, span) } else { LabeledSpan::new_with_span(words, span) }
        })))
    }
}

/// A span that miette can draw: inside the text, on character boundaries, of one line, and not empty where there is something to show.
fn tidy(text: &str, span: Span) -> SourceSpan {
    let mut start = span.start.min(text.len());
    while !text.is_char_boundary(start) {
        start -= 1;
    }
    let line_end = text[start..].find('\n').map_or(text.len(), |n| start + n);
    let line_end = if text[..line_end].ends_with('\r') && line_end > start { line_end - 1 } else { line_end };
    let mut end = span.end.clamp(start, text.len());
    if end > line_end {
        end = start + text[start..line_end].trim_end().len();
    }
    while !text.is_char_boundary(end) {
        end += 1;
    }
    SourceSpan::new(start.into(), end - start)
}

/// Draws one complaint.
pub fn one(report: &Report, d: &Diagnostic, style: Style) -> String {
    let theme = match (style.unicode, style.color) {
        (true, true) => GraphicalTheme::unicode(),
        (true, false) => GraphicalTheme::unicode_nocolor(),
        (false, _) => GraphicalTheme::none(),
    };
    let handler = GraphicalReportHandler::new_themed(theme).with_context_lines(0).with_width(style.width).with_links(false);
    let drawn = Drawn { d, source: report.files.get(d.file).map(|f| Lines(f.clone())) };
    let mut out = String::new();
    if handler.render_report(&mut out, &drawn).is_err() {
        let (line, column) = report.position(d);
        let name = report.files.get(d.file).map_or("", |f| f.name.as_str());
        out = format!("  {}\n  at {name}:{line}:{column}\n", d.message);
    }
    out.lines().map(|l| format!("{}\n", l.trim_end())).collect()
}

/// Draws all complaints and the line that counts them.
pub fn all(report: &Report, style: Style) -> String {
    let mut out = String::new();
    for d in &report.list {
        out.push_str(&one(report, d, style));
    }
    out.push_str(&summary(report));
    out.push('\n');
    out
}

/// `lesson.ron: 5 errors, 1 warning`.
pub fn summary(report: &Report) -> String {
    let name = report.files.first().map_or("", |f| f.name.as_str());
    let plural = |n: usize, one: &str, many: &str| format!("{n} {}", if n == 1 { one } else { many });
    let mut parts = Vec::new();
    for (severity, one, many) in [
        (Severity::Error, "error", "errors"),
        (Severity::Warning, "warning", "warnings"),
        (Severity::NotYet, "part not simulated yet", "parts not simulated yet"),
    ] {
        let n = report.count(severity);
        if n > 0 {
            parts.push(plural(n, one, many));
        }
    }
    if parts.is_empty() {
        parts.push("no errors".to_owned());
    }
    format!("{name}: {}", parts.join(", "))
}
