//! The why pane: the decision, the story's text, the reasons.

use super::paint::{Drawn, fold};
use crate::content::why;
use crate::model::{Density, Model};
use sim_core::report::doc::Block;

/// Title, and the kernel's function that the step mirrors.
pub fn titles(model: &Model<'_>) -> (String, String) {
    let right = model.lesson.view(model.state.cursor).map(|v| format!("{}()", v.kernel)).unwrap_or_default();
    ("why".to_owned(), right)
}

/// The text.
pub fn lines(model: &Model<'_>, width: u16) -> Vec<Drawn> {
    let mut out = Vec::new();
    let room = width.saturating_sub(3);
    let mut doc = why::why(model.lesson, model.state.cursor);
    if model.state.density == Density::Hops {
        doc.append(why::hop(model.lesson, model.state.cursor));
    }
    for block in doc.0 {
        if let Block::Para { line, .. } = block {
            for l in fold(&line, room, 0) {
                let mut indented = sim_core::report::doc::Line::plain("  ");
                indented.append(l);
                out.push(indented.into());
            }
        }
    }
    out
}
