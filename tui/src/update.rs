//! What a message does: a pure function of the model. Nothing is read or written here.

use crate::caps::SizeClass;
use crate::message::{Effect, Message};
use crate::model::{Density, Model, Pane};
use crate::view;

/// Changes the model as the message says, and says what the shell is to do.
pub fn update(model: &mut Model<'_>, message: Message) -> Vec<Effect> {
    model.state.puzzled = false;
    if let Message::Resize(w, h) = message {
        model.state.size = (w, h);
        model.state.class = SizeClass::of(w, h, Some(model.state.class));
        clamp_scroll(model);
        return vec![Effect::Redraw];
    }
    match message {
        Message::Quit => return vec![Effect::Quit],
        Message::Suspend => return vec![Effect::Suspend],
        Message::Redraw => return vec![Effect::Redraw],
        Message::Plain => return vec![Effect::Plain],
        Message::Leave => return leave(model),
        _ => {}
    }
    // under the notice nothing is to be seen, so nothing may happen
    if model.state.class == SizeClass::Notice {
        return Vec::new();
    }
    if message == Message::Help {
        model.state.help = if model.state.help.is_some() { None } else { Some(0) };
        return Vec::new();
    }
    if model.state.help.is_some() {
        help(model, message);
        return Vec::new();
    }
    if let Some(target) = target(model, message) {
        go(model, target);
        return Vec::new();
    }
    let page = page(model);
    match message {
        Message::FocusNext => focus(model, (model.state.focus.index() + 1) % Pane::ALL.len()),
        Message::FocusPrevious => focus(model, (model.state.focus.index() + Pane::ALL.len() - 1) % Pane::ALL.len()),
        Message::Focus(n) => focus(model, usize::from(n).saturating_sub(1)),
        Message::Down => scroll(model, |at| at.saturating_add(1)),
        Message::Up => scroll(model, |at| at.saturating_sub(1)),
        Message::PageDown => scroll(model, |at| at.saturating_add(page)),
        Message::PageUp => scroll(model, |at| at.saturating_sub(page)),
        Message::Zoom => {
            model.state.zoom = !model.state.zoom;
            clamp_scroll(model);
        }
        Message::MoreDetail => model.state.density = Density::Steps,
        Message::LessDetail => {
            model.state.density = Density::Hops;
            let to = main_of(model, model.state.cursor);
            go(model, to);
        }
        Message::Unknown => model.state.puzzled = true,
        _ => {}
    }
    Vec::new()
}

/// Closes the innermost thing.
fn leave(model: &mut Model<'_>) -> Vec<Effect> {
    if model.state.help.take().is_some() {
        return Vec::new();
    }
    if model.state.zoom && model.state.class != SizeClass::Notice {
        model.state.zoom = false;
        clamp_scroll(model);
        return Vec::new();
    }
    vec![Effect::Quit]
}

fn help(model: &mut Model<'_>, message: Message) {
    let max = view::help::max_scroll(model);
    let page = usize::from(model.state.size.1 / 2);
    let at = model.state.help.unwrap_or(0);
    let to = match message {
        Message::Down => at.saturating_add(1),
        Message::Up => at.saturating_sub(1),
        Message::PageDown | Message::Forward => at.saturating_add(page),
        Message::PageUp | Message::Back => at.saturating_sub(page),
        Message::First => 0,
        Message::Last => max,
        _ => at,
    };
    model.state.help = Some(to.min(max));
}

/// Where a message moves the reader; none if it is not a move.
pub fn target(model: &Model<'_>, message: Message) -> Option<usize> {
    let stops = &model.lesson.stops;
    let at = model.state.cursor;
    let last = stops.len().saturating_sub(1);
    let hops = model.state.density == Density::Hops;
    let after = |fits: &dyn Fn(usize) -> bool| (at + 1..stops.len()).find(|i| fits(*i));
    let before = |fits: &dyn Fn(usize) -> bool| (0..at.min(stops.len())).rev().find(|i| fits(*i));
    let hop = |i: usize| stops.get(i).map_or(0, |s| s.hop);
    let counts = |i: usize| !hops || stops[i].main;
    Some(match message {
        Message::Forward => after(&counts).unwrap_or(at),
        Message::Back => before(&counts).unwrap_or(at),
        Message::First => (0..stops.len()).find(|i| counts(*i)).unwrap_or(0),
        Message::Last => (0..stops.len()).rev().find(|i| counts(*i)).unwrap_or(last),
        Message::NextDevice => after(&|i| hop(i) != hop(at) && counts(i)).unwrap_or(at),
        Message::PreviousDevice => {
            // to the first step of the hop before
            match before(&|i| hop(i) != hop(at)) {
                Some(i) => (0..=i).rev().take_while(|j| hop(*j) == hop(i)).filter(|j| counts(*j)).last().unwrap_or(i),
                None => at,
            }
        }
        Message::NextChange => after(&|i| stops[i].changed).unwrap_or(at),
        Message::PreviousChange => before(&|i| stops[i].changed).unwrap_or(at),
        Message::NextFlow | Message::PreviousFlow => {
            let flows = &model.lesson.flows;
            let now = stops.get(at).map_or(0, |s| s.flow);
            let step = if message == Message::NextFlow { 1 } else { flows.len().saturating_sub(1) };
            match flows.get((now + step) % flows.len().max(1)) {
                Some(f) if hops => main_of(model, f.first),
                Some(f) => f.first,
                None => at,
            }
        }
        _ => return None,
    })
}

/// The step that tells most of the hop of stop `at`.
fn main_of(model: &Model<'_>, at: usize) -> usize {
    let stops = &model.lesson.stops;
    let Some(here) = stops.get(at) else { return at };
    stops.iter().position(|s| s.hop == here.hop && s.main).unwrap_or(at)
}

fn go(model: &mut Model<'_>, to: usize) {
    let to = to.min(model.len().saturating_sub(1));
    if to != model.state.cursor {
        model.state.cursor = to;
        model.state.scroll = [0; 5];
    }
}

fn focus(model: &mut Model<'_>, to: usize) {
    if let Some(pane) = Pane::ALL.get(to) {
        model.state.focus = *pane;
        clamp_scroll(model);
    }
}

fn page(model: &Model<'_>) -> usize {
    usize::from(view::pane_height(model, model.state.focus) / 2).max(1)
}

fn scroll(model: &mut Model<'_>, to: impl Fn(usize) -> usize) {
    let pane = model.state.focus;
    let max = view::max_scroll(model, pane);
    let at = &mut model.state.scroll[pane.index()];
    *at = to(*at).min(max);
}

fn clamp_scroll(model: &mut Model<'_>) {
    for pane in Pane::ALL {
        let max = view::max_scroll(model, pane);
        let at = &mut model.state.scroll[pane.index()];
        *at = (*at).min(max);
    }
}
