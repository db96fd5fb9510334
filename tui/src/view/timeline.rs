//! The timeline: one letter per step of the flow, a capital where the packet changed, brackets around the step at hand.

use super::paint::{Pen, width};
use crate::model::Model;
use crate::theme::Tone;
use ratatui::layout::Rect;

/// Title, and the flow that is shown.
pub fn titles(model: &Model<'_>) -> (String, String) {
    let Some(flow) = model.lesson.flow(model.state.cursor) else { return ("time".to_owned(), String::new()) };
    let n = model.lesson.flows.iter().position(|f| f == flow).unwrap_or(0) + 1;
    let all = model.lesson.flows.len();
    let end = if flow.ending.is_empty() { String::new() } else { format!(", {}", flow.ending) };
    (format!("time, flow {n} of {all} ({}): {}{end}", flow.name, flow.title), String::new())
}

/// A piece of the timeline.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Piece {
    text: String,
    tone: Tone,
    current: bool,
}

fn pieces(model: &Model<'_>) -> Vec<Piece> {
    let lesson = model.lesson;
    let at = model.state.cursor;
    let Some(flow) = lesson.flow(at) else { return Vec::new() };
    let piece = |text: String, tone, current| Piece { text, tone, current };
    let mut out = Vec::new();
    let mut last = None;
    let here = lesson.stops.get(at).map(|s| s.packet);
    for (i, s) in lesson.stops.iter().enumerate().take(flow.end).skip(flow.first) {
        if last.map(|(part, _)| part) != Some(s.part) {
            let bar = if last.is_some() { format!("{} ", model.state.caps.signs().bar) } else { String::new() };
            out.push(piece(bar, Tone::Muted, false));
            out.push(piece(format!("{} ", lesson.word(s.packet)), Tone::Strong, false));
        } else if last.map(|(_, hop)| hop) != Some(s.hop) {
            out.push(piece(" ".to_owned(), Tone::Body, false));
        }
        last = Some((s.part, s.hop));
        let tone = match s.letter {
            'x' | '!' => Tone::Bad,
            _ if i == at => Tone::Packet,
            _ if s.changed => Tone::Changed,
            _ if i < at && Some(s.packet) == here => Tone::Travelled,
            _ => Tone::Body,
        };
        if i == at {
            // the brackets stand where the blanks around the letter stood
            if let Some(p) = out.last_mut()
                && p.text.ends_with(' ')
            {
                p.text.pop();
            }
            out.push(piece(format!("[{}]", s.letter), tone, true));
        } else {
            out.push(piece(format!("{} ", s.letter), tone, false));
        }
    }
    out
}

/// Draws it: lines are filled from the left; the one with the step at hand is always in sight.
pub fn draw(model: &Model<'_>, pen: &mut Pen<'_>, area: Rect) {
    if area.width < 6 || area.height == 0 {
        return;
    }
    let room = area.width - 2;
    let mut lines: Vec<Vec<Piece>> = vec![Vec::new()];
    let mut used = 0;
    let mut current = 0;
    for p in pieces(model) {
        let w = width(&p.text);
        if used + w > room {
            lines.push(Vec::new());
            used = 0;
        }
        used += w;
        if p.current {
            current = lines.len() - 1;
        }
        if let Some(l) = lines.last_mut() {
            l.push(p);
        }
    }
    let height = usize::from(area.height);
    let first = current.saturating_sub(height / 2).min(lines.len().saturating_sub(height));
    for (i, line) in lines.iter().skip(first).take(height).enumerate() {
        let y = area.y + i as u16;
        let mut x = area.x + 1;
        for p in line {
            x += pen.text(x, y, area.right().saturating_sub(x), &p.text, p.tone);
        }
        let sign = pen.signs().cut;
        if i == 0 && first > 0 {
            pen.text(area.x, y, 1, sign, Tone::Muted);
        }
        if i + 1 == height && first + height < lines.len() {
            pen.text(area.right() - 1, y, 1, sign, Tone::Muted);
        }
    }
}
