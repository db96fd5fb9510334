//! What a step decided and why, the story's text, and at a flow's last step what became of the flow.

use crate::lesson::Lesson;
use sim_core::report::doc::{Doc, Line, Role};
use sim_core::report::words::{self, outcome};

/// The words for a stop.
pub fn why(lesson: &Lesson<'_>, stop: usize) -> Doc {
    let mut doc = Doc::new();
    let Some(view) = lesson.view(stop) else {
        doc.para(0, Line::plain("This run has no steps."));
        return doc;
    };
    let w = words::of(&lesson.report, &view);
    doc.para(0, Line::of(Role::Place, view.netns).and(Role::Plain, ": ").join(w.what));
    for text in lesson.story(stop) {
        doc.para(0, Line::of(Role::Title, *text));
    }
    // short reasons stand in one paragraph
    let mut reasons = Line::new();
    for why in w.why {
        if !reasons.is_empty() {
            reasons.push(Role::Plain, " ");
        }
        reasons.append(why);
    }
    doc.para(0, reasons);
    if let Some(flow) = lesson.flow(stop).filter(|f| f.end == stop + 1)
        && let Some(record) = lesson.report.flow(flow.id)
    {
        doc.para(0, outcome::line(&lesson.report, record));
    }
    doc
}
