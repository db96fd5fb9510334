//! The screen, drawn: a pure function of the model. One file per pane; `layout` says where they stand.

pub mod footer;
pub mod headers;
pub mod help;
pub mod layout;
pub mod notice;
pub mod paint;
pub mod table;
pub mod timeline;
pub mod topology;
pub mod why;

use crate::caps::SizeClass;
use crate::model::{Model, Pane};
use crate::theme::Tone;
use layout::{Areas, areas};
use paint::{Drawn, Pen, width};
use ratatui::buffer::Buffer;
use ratatui::layout::Rect;

/// Draws the screen into an empty buffer.
pub fn view(model: &Model<'_>, buf: &mut Buffer) {
    let mut pen = Pen { buf, caps: model.state.caps };
    if model.state.class == SizeClass::Notice {
        return notice::draw(model, &mut pen);
    }
    let areas = areas(model);
    if areas.title.width == 0 {
        return;
    }
    title(model, &mut pen, areas.title);
    if let Some(r) = areas.tabs {
        tabs(model, &mut pen, r);
    }
    for pane in Pane::ALL {
        if let Some(r) = areas.panes[pane.index()] {
            draw(model, &mut pen, pane, r, &areas);
        }
    }
    footer::draw(model, &mut pen, areas.footer);
    if model.state.help.is_some() {
        help::draw(model, &mut pen);
    }
}

/// The title of a pane and what stands at the right of it.
fn titles(model: &Model<'_>, pane: Pane) -> (String, String) {
    match pane {
        Pane::Cluster => topology::titles(model),
        Pane::Packet => headers::titles(model),
        Pane::Table => table::titles(model),
        Pane::Why => why::titles(model),
        Pane::Time => timeline::titles(model),
    }
}

/// The text of a pane; none for those that are pictures.
fn text(model: &Model<'_>, pane: Pane, room: Rect) -> Option<Vec<Drawn>> {
    let roomy = model.state.class == SizeClass::Wide || model.state.zoom;
    match pane {
        Pane::Packet => Some(headers::lines(model, room.width, roomy)),
        Pane::Table => Some(table::lines(model, room.width)),
        Pane::Why => Some(why::lines(model, room.width)),
        Pane::Cluster | Pane::Time => None,
    }
}

fn draw(model: &Model<'_>, pen: &mut Pen<'_>, pane: Pane, area: Rect, areas: &Areas) {
    let focused = model.state.focus == pane;
    let Some(inside) = areas.inside(pane) else { return };
    let lines = text(model, pane, inside);
    let (mut title, mut right) = titles(model, pane);
    let scroll = model.state.scroll[pane.index()];
    if let Some(lines) = &lines {
        let hidden = lines.len().saturating_sub(scroll + usize::from(inside.height));
        if hidden > 0 || scroll > 0 {
            let more = if hidden > 0 { format!("{hidden} more below") } else { "end".to_owned() };
            right = if right.is_empty() { more } else { format!("{right}, {more}") };
        }
    }
    let tabbed = areas.tabs.is_some();
    if areas.boxed || pane != Pane::Cluster || tabbed {
        title = format!("{} {title}", pane.index() + 1);
    }
    if areas.boxed {
        pen.frame(area, &title, &right, focused);
    } else if pane != Pane::Cluster {
        pen.rule(area, &title, &right, focused);
    }
    match (pane, lines) {
        (_, Some(lines)) => pen.lines(inside, &lines, scroll),
        (Pane::Cluster, None) => topology::draw(model, pen, inside),
        (_, None) => timeline::draw(model, pen, inside),
    }
}

/// How many lines of a pane do not fit.
pub fn max_scroll(model: &Model<'_>, pane: Pane) -> usize {
    let Some(inside) = areas(model).inside(pane) else { return 0 };
    text(model, pane, inside).map_or(0, |l| l.len().saturating_sub(usize::from(inside.height)))
}

/// Rows that a pane has for its text.
pub fn pane_height(model: &Model<'_>, pane: Pane) -> u16 {
    areas(model).inside(pane).map_or(1, |r| r.height)
}

fn title(model: &Model<'_>, pen: &mut Pen<'_>, area: Rect) {
    let wide = model.state.class == SizeClass::Wide;
    let lesson = model.lesson;
    let mut right = String::new();
    if let Some(view) = lesson.view(model.state.cursor) {
        right = lesson.packet_title(&view);
        if wide {
            right = format!("{right}   {} {}", view.netns, view.dev).trim_end().to_owned();
        }
    }
    let (at, all) = (if model.is_empty() { 0 } else { model.state.cursor + 1 }, model.len());
    let step = if wide { format!("   step {at} of {all} ") } else { format!("   step {at}/{all} ") };
    let x = pen.right(area.right(), area.y, area.width, &format!("{right}{step}"), Tone::Body);
    let used = pen.text(area.x, area.y, area.width, " packetwalk  ", Tone::Strong);
    let number = match lesson.number {
        Some((n, of)) if wide => format!("lesson {n} of {of}: "),
        Some((n, _)) => format!("lesson {n}: "),
        None => String::new(),
    };
    let from = area.x + used;
    let room = x.saturating_sub(from + 2);
    if room > 8 {
        pen.text(from, area.y, room, &format!("{number}{}", lesson.title), Tone::Body);
    }
}

fn tabs(model: &Model<'_>, pen: &mut Pen<'_>, area: Rect) {
    let mut x = area.x + 1;
    for pane in Pane::ALL {
        let label = format!("{} {}", pane.index() + 1, pane.name());
        let label = if pane == model.state.focus { format!("[{label}]") } else { format!(" {label} ") };
        if x + width(&label) > area.right() {
            break;
        }
        let tone = if pane == model.state.focus { Tone::Won } else { Tone::Body };
        x += pen.text(x, area.y, area.right() - x, &label, tone);
    }
    if model.state.zoom && model.state.class > SizeClass::Tabs {
        let room = area.right().saturating_sub(x + 2);
        pen.right(area.right().saturating_sub(1), area.y, room, "z takes it back", Tone::Muted);
    }
}
