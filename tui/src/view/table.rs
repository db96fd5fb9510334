//! The table pane: the row that won in reverse, the rows that lost with the reason beside them.

use super::paint::{Drawn, cut, muted, pad, width};
use crate::content::table;
use crate::model::Model;
use sim_core::report::doc::{Block, Line, Mark, Role};

/// Which table, and what was asked.
pub fn titles(model: &Model<'_>) -> (String, String) {
    match model.lesson.view(model.state.cursor) {
        Some(v) => {
            let t = table::table(model.lesson, &v, false);
            (t.title, t.asked)
        }
        None => ("table".to_owned(), String::new()),
    }
}

/// The rows.
pub fn lines(model: &Model<'_>, room: u16) -> Vec<Drawn> {
    let Some(v) = model.lesson.view(model.state.cursor) else { return Vec::new() };
    let signs = model.state.caps.signs();
    let doc = table::table(model.lesson, &v, model.state.zoom).doc;
    let (mut row_width, mut why_width, mut won_width, mut name_width) = (0, 0, 0, 0);
    for b in &doc.0 {
        match b {
            Block::Row { mark, row, why, .. } => {
                if *mark == Mark::Won {
                    won_width = won_width.max(width(&row.text()));
                }
                row_width = row_width.max(width(&row.text()));
                why_width = why_width.max(width(&why.text()));
            }
            Block::Columns { cells, .. } => name_width = name_width.max(cells.first().map_or(0, |c| width(&c.text()))),
            _ => {}
        }
    }
    let text_room = room.saturating_sub(3);
    // reasons get what they need, as long as the row that won can be read and a third of the line is left for rows
    let floor = won_width.min(text_room * 2 / 3).max(text_room / 3);
    let row_room = row_width.min(text_room.saturating_sub(why_width + 2).max(floor));
    let why_room = text_room.saturating_sub(row_room + 2);
    let mut out: Vec<Drawn> = Vec::new();
    for b in doc.0 {
        match b {
            Block::Row { mark, row, why, from, .. } => {
                let won = mark == Mark::Won;
                let sign = match mark {
                    Mark::Won => signs.row,
                    Mark::Learned => "+",
                    Mark::Lost | Mark::NotReached | Mark::Shown => " ",
                };
                let role = row.0.first().map_or(Role::Plain, |s| s.role);
                // a long row may go on where its reason is short
                let own = row_room.max(text_room.saturating_sub(width(&why.text()) + 2).min(width(&row.text())));
                let mut line = Line::plain(format!("{sign} ")).and(role, pad(&row.text(), own, signs.cut));
                if !why.is_empty() {
                    let role = why.0.first().map_or(Role::Plain, |s| s.role);
                    line = line.and(Role::Plain, "  ").and(role, cut(&why.text(), why_room, signs.cut));
                }
                out.push(Drawn { line, won });
                if won && !from.is_empty() {
                    out.push(Line::plain("    ").join(from).into());
                }
            }
            Block::Columns { cells, .. } => {
                let name = cells.first().map(Line::text).unwrap_or_default();
                let mut line = Line::plain("  ").and(Role::Muted, pad(&name, name_width, signs.cut)).and(Role::Plain, "  ");
                for c in cells.into_iter().skip(1) {
                    line.append(c);
                }
                out.push(line.into());
            }
            Block::Heading { line, .. } | Block::Para { line, .. } | Block::Item { line, .. } => {
                out.push(Line::plain("  ").join(line).into());
            }
            Block::Gap => out.push(muted("").into()),
        }
    }
    out
}
