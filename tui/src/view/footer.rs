//! The last line: the keys that work now, the most useful first, and only whole hints.

use super::paint::{Pen, width};
use crate::keys::{TABLE, in_ascii};
use crate::message::Message;
use crate::model::{Density, Model};
use crate::theme::Tone;
use crate::view;
use ratatui::layout::Rect;

/// Whether a key does anything now.
fn works(model: &Model<'_>, message: Message) -> bool {
    if model.state.help.is_some() {
        return matches!(message, Message::Down | Message::Help | Message::Leave);
    }
    match message {
        Message::NextFlow => model.lesson.flows.len() > 1,
        Message::Down => view::max_scroll(model, model.state.focus) > 0,
        Message::Forward => model.len() > 1,
        _ => true,
    }
}

/// The hints that fit into `room` columns: keys and word of each.
pub fn hints(model: &Model<'_>, room: u16) -> Vec<(String, &'static str)> {
    let keys = |k: &str| if model.state.caps.unicode { k.to_owned() } else { in_ascii(k) };
    let mut all: Vec<_> =
        TABLE.iter().filter(|b| works(model, b.message)).filter_map(|b| b.hint).map(|h| (h.rank, keys(h.keys), h.word)).collect();
    // drop the least useful until the rest fits, then show them in the order of the table
    loop {
        let used: u16 = all.iter().map(|(_, k, w)| width(k) + 1 + width(w) + 2).sum();
        if used <= room || all.is_empty() {
            break;
        }
        if let Some(worst) = all.iter().enumerate().max_by_key(|(_, h)| h.0).map(|(i, _)| i) {
            all.remove(worst);
        }
    }
    all.into_iter().map(|(_, k, w)| (k, w)).collect()
}

/// Draws it.
pub fn draw(model: &Model<'_>, pen: &mut Pen<'_>, area: Rect) {
    let mut x = area.x + 1;
    let mut room = area.width.saturating_sub(1);
    if model.state.puzzled {
        let used = pen.text(x, area.y, room, "no such key:  ", Tone::Bad);
        x += used;
        room = room.saturating_sub(used);
    }
    if model.state.density == Density::Hops {
        let note = "hops";
        pen.right(area.right().saturating_sub(1), area.y, room, note, Tone::Muted);
        room = room.saturating_sub(width(note) + 2);
    }
    for (keys, word) in hints(model, room) {
        x += pen.text(x, area.y, area.right().saturating_sub(x), &keys, Tone::Strong) + 1;
        x += pen.text(x, area.y, area.right().saturating_sub(x), word, Tone::Body) + 2;
    }
}
