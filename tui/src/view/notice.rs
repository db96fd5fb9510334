//! The notice where there is too little room.

use super::paint::Pen;
use crate::model::Model;
use crate::theme::Tone;

/// Draws it.
pub fn draw(model: &Model<'_>, pen: &mut Pen<'_>) {
    let (w, h) = model.state.size;
    let text = [format!("too small: {w}x{h}"), "40x10 is enough".to_owned(), "A plain text".to_owned(), "q quit".to_owned()];
    for (i, t) in text.iter().enumerate() {
        pen.text(0, i as u16, w, t, Tone::Body);
    }
}
