//! The keys and the signs, over the panes.

use super::paint::{Drawn, Pen, pad};
use crate::caps::Caps;
use crate::keys::{TABLE, in_ascii};
use crate::model::Model;
use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use sim_core::report::Kind;
use sim_core::report::doc::{Line, Role};

/// Its text.
fn lines(caps: Caps) -> Vec<Drawn> {
    let signs = caps.signs();
    let mut out: Vec<Drawn> = Vec::new();
    for b in TABLE {
        let keys = if caps.unicode { b.shown.to_owned() } else { in_ascii(b.shown) };
        out.push(Line::of(Role::Title, pad(&keys, 17, signs.cut)).and(Role::Plain, b.help).into());
    }
    out.push(Line::new().into());
    out.push(Line::of(Role::Title, "Signs").into());
    let mut sign = |s: &str, text: &str| out.push(Line::of(Role::Title, pad(s, 17, signs.cut)).and(Role::Plain, text).into());
    sign("[ ]", "where the packet is, and the step in the timeline");
    sign(signs.travelled, "where this packet has been");
    sign(signs.ahead, "where it has not been");
    sign(signs.beyond, "what no packet reached");
    sign(&format!("~  {}", signs.becomes), "a header field that this step changes");
    sign(signs.row, "the row that won; rows that lost say why");
    out.push(Line::new().into());
    out.push(Line::of(Role::Title, "Letters of the timeline; a capital changed the packet").into());
    let mut seen: Vec<(char, Vec<&str>)> = vec![('w', vec!["a card, on or off the wire"])];
    for k in Kind::ALL {
        match seen.iter_mut().find(|(c, _)| *c == k.letter()) {
            Some((_, names)) => names.push(k.name()),
            None => seen.push((k.letter(), vec![k.name()])),
        }
    }
    for (letter, names) in seen {
        out.push(Line::of(Role::Title, pad(&letter.to_string(), 17, signs.cut)).and(Role::Plain, names.join(", ")).into());
    }
    out
}

fn area(model: &Model<'_>) -> Rect {
    let (w, h) = model.state.size;
    let width = w.saturating_sub(4).min(76);
    let height = h.saturating_sub(3);
    Rect::new((w - width) / 2, 1, width, height)
}

/// How far it can be moved.
pub fn max_scroll(model: &Model<'_>) -> usize {
    lines(model.state.caps).len().saturating_sub(usize::from(area(model).height.saturating_sub(2)))
}

/// Draws it.
pub fn draw(model: &Model<'_>, pen: &mut Pen<'_>) {
    let area = area(model).intersection(pen.buf.area);
    clear(pen.buf, area);
    let lines = lines(model.state.caps);
    let at = model.state.help.unwrap_or(0);
    let hidden = lines.len().saturating_sub(at + usize::from(area.height.saturating_sub(2)));
    let right = if hidden > 0 { format!("{hidden} more below: j") } else { "? closes".to_owned() };
    let inside = pen.frame(area, "keys", &right, true);
    let inside = Rect::new(inside.x + 1, inside.y, inside.width.saturating_sub(2), inside.height);
    pen.lines(inside, &lines, at);
}

/// Empties a part of the buffer.
pub fn clear(buf: &mut Buffer, area: Rect) {
    for y in area.top()..area.bottom() {
        for x in area.left()..area.right() {
            if let Some(c) = buf.cell_mut((x, y)) {
                c.reset();
            }
        }
    }
}
