//! A document as lines of text of a given width.

use super::doc::{Block, Doc, Line, Role, Span};
use unicode_width::UnicodeWidthStr;

/// How a printer shows meanings; the plain one shows the text alone.
pub trait Style {
    /// Writes `text` of the meaning `role`.
    fn paint(&self, role: Role, text: &str, out: &mut String);
}

/// Text alone.
#[derive(Clone, Copy, Debug, Default)]
pub struct PlainStyle;

impl Style for PlainStyle {
    fn paint(&self, _: Role, text: &str, out: &mut String) {
        out.push_str(text);
    }
}

const STEP: usize = 2;
const NUMBER: usize = 5;
const LABEL: usize = 11;

/// Prints `doc` at most `width` columns wide; a word longer than a line stands alone on one.
pub fn print(doc: &Doc, width: usize, style: &impl Style) -> String {
    let width = width.max(20);
    let mut out = String::new();
    let mut at = 0;
    while let Some(block) = doc.0.get(at) {
        at += 1;
        match block {
            Block::Gap => out.push('\n'),
            Block::Heading { level, indent, line, right } => {
                heading(*level, usize::from(*indent) * STEP, line, right, width, style, &mut out)
            }
            Block::Para { indent, line } => folded(&Line::new(), usize::from(*indent) * STEP, 2, line, width, style, &mut out),
            Block::Item { indent, number, label, line } => {
                let indent = usize::from(*indent) * STEP;
                let mut head = Line::new();
                head.push(Role::Number, format!("{number:>NUMBER$} "));
                head.append(label.clone());
                let pad = (NUMBER + 1 + LABEL).saturating_sub(wide(&head)).max(1);
                head.push(Role::Plain, " ".repeat(pad));
                let hang = wide(&head).min(NUMBER + 1 + LABEL);
                folded(&head, indent, hang, line, width, style, &mut out);
            }
            Block::Columns { .. } => {
                // paragraphs between them do not disturb the columns
                let from = at - 1;
                while matches!(doc.0.get(at), Some(Block::Columns { .. } | Block::Para { .. })) {
                    at += 1;
                }
                columns(&doc.0[from..at], width, style, &mut out);
            }
            Block::Row { indent, mark, row, why, from } => {
                let head = Line::of(
                    match mark {
                        super::doc::Mark::Won | super::doc::Mark::Learned => Role::Won,
                        super::doc::Mark::Lost | super::doc::Mark::NotReached | super::doc::Mark::Shown => Role::Lost,
                    },
                    format!("{} ", mark.sign()),
                );
                let indent = usize::from(*indent) * STEP;
                folded(&head, indent, 2, row, width, style, &mut out);
                let mut grounds = why.clone();
                if !why.is_empty() && !from.is_empty() {
                    grounds.push(Role::Plain, "; ");
                }
                grounds.append(from.clone());
                if !grounds.is_empty() {
                    folded(&Line::plain("    "), indent, 4, &grounds, width, style, &mut out);
                }
            }
        }
    }
    out
}

fn wide(line: &Line) -> usize {
    line.0.iter().map(|s| s.text.width()).sum()
}

fn paint(line: &[Span], style: &impl Style, out: &mut String) {
    for s in line {
        style.paint(s.role, &s.text, out);
    }
}

fn end_line(out: &mut String) {
    while out.ends_with(' ') {
        out.pop();
    }
    out.push('\n');
}

fn heading(level: u8, indent: usize, line: &Line, right: &Line, width: usize, style: &impl Style, out: &mut String) {
    let (l, r) = (wide(line), wide(right));
    if r == 0 || indent + l + 2 + r <= width {
        out.push_str(&" ".repeat(indent));
        paint(&line.0, style, out);
        if r > 0 {
            out.push_str(&" ".repeat(width - indent - l - r));
            paint(&right.0, style, out);
        }
        end_line(out);
    } else {
        folded(&Line::new(), indent, 2, line, width, style, out);
        out.push_str(&" ".repeat(width.saturating_sub(r)));
        paint(&right.0, style, out);
        end_line(out);
    }
    if level == 1 {
        out.push_str(&"=".repeat(width));
        out.push('\n');
    }
}

/// Words with their roles; a blank between two belongs to the first.
fn words(line: &Line) -> Vec<Vec<Span>> {
    let mut out: Vec<Vec<Span>> = Vec::new();
    let mut open = false;
    for span in &line.0 {
        for (i, part) in span.text.split(' ').enumerate() {
            if i > 0 {
                open = false;
            }
            if part.is_empty() {
                continue;
            }
            let piece = Span { role: span.role, text: part.to_owned() };
            match out.last_mut().filter(|_| open) {
                Some(word) => word.push(piece),
                None => out.push(vec![piece]),
            }
            open = true;
        }
    }
    out
}

fn folded(head: &Line, indent: usize, hang: usize, line: &Line, width: usize, style: &impl Style, out: &mut String) {
    out.push_str(&" ".repeat(indent));
    paint(&head.0, style, out);
    let mut used = indent + wide(head);
    let mut first = true;
    for word in words(line) {
        let w: usize = word.iter().map(|s| s.text.width()).sum();
        if !first && used + 1 + w > width {
            end_line(out);
            out.push_str(&" ".repeat(indent + hang));
            used = indent + hang;
            first = true;
        }
        if !first {
            out.push(' ');
            used += 1;
        }
        paint(&word, style, out);
        used += w;
        first = false;
    }
    end_line(out);
}

fn columns(rows: &[Block], width: usize, style: &impl Style, out: &mut String) {
    let cells = |b: &Block| match b {
        Block::Columns { indent, cells } => Some((usize::from(*indent) * STEP, cells.clone())),
        Block::Heading { .. } | Block::Para { .. } | Block::Item { .. } | Block::Row { .. } | Block::Gap => None,
    };
    let mut widths: Vec<usize> = Vec::new();
    for (_, cells) in rows.iter().filter_map(cells) {
        for (i, c) in cells.iter().enumerate().take(cells.len().saturating_sub(1)) {
            if widths.len() <= i {
                widths.push(0);
            }
            widths[i] = widths[i].max(wide(c));
        }
    }
    for row in rows {
        if let Block::Para { indent, line } = row {
            folded(&Line::new(), usize::from(*indent) * STEP, 2, line, width, style, out);
            continue;
        }
        let Some((indent, cells)) = cells(row) else { continue };
        let mut head = Line::new();
        let Some((last, rest)) = cells.split_last() else { continue };
        for (c, w) in rest.iter().zip(&widths) {
            head.append(c.clone());
            head.push(Role::Plain, " ".repeat(w + 2 - wide(c)));
        }
        let hang = wide(&head).min(width / 2);
        folded(&head, indent, hang, last, width, style, out);
    }
}
