//! What a step decided and why, the story's text, and at a flow's last step what became of the flow.

use crate::lesson::Lesson;
use sim_core::report::doc::{Doc, Line, Role};
use sim_core::report::words::{self, outcome};

/// What happened in the whole hop of a stop: a phrase for each decision that counts.
pub fn hop(lesson: &Lesson<'_>, stop: usize) -> Doc {
    let mut doc = Doc::new();
    let Some(s) = lesson.stops.get(stop) else { return doc };
    let Some(hop) = lesson.report.hops(s.packet).into_iter().find(|h| h.steps.contains(&s.id.0)) else { return doc };
    let mut line = Line::of(Role::Place, lesson.report.label(hop.netns)).and(Role::Plain, format!(" {}: ", hop.devices()));
    let facts = lesson.report.facts(&hop);
    if facts.is_empty() {
        return doc;
    }
    for (i, f) in facts.into_iter().enumerate() {
        line.push(Role::Plain, if i > 0 { "; " } else { "" });
        line.append(f);
    }
    doc.para(0, line);
    doc
}

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
