//! What the screen shows, and that nothing which is typed can break it.
#![allow(missing_docs, clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "tests")]

#[path = "../examples/demo/library.rs"]
mod library;
#[path = "../examples/demo/world.rs"]
mod world;

use proptest::prelude::*;
use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use ratatui::style::{Color, Modifier};
use std::fmt::Write as _;
use std::sync::LazyLock;
use tui::keys::TABLE;
use tui::message::{Effect, Message};
use tui::model::{Density, Model, Pane};
use tui::update::update;
use tui::view::view;
use tui::{Caps, Colors, Lesson, LessonInput};

static INPUT: LazyLock<LessonInput> = LazyLock::new(world::lesson);

fn draw(model: &Model<'_>) -> Buffer {
    let (w, h) = model.state.size;
    let mut buf = Buffer::empty(Rect::new(0, 0, w, h));
    view(model, &mut buf);
    buf
}

/// The glyphs, then each run of cells that are not plain.
fn picture(buf: &Buffer, styles: bool) -> String {
    let mut out = String::new();
    let area = buf.area;
    for y in 0..area.height {
        let row: String = (0..area.width).map(|x| buf[(x, y)].symbol()).collect();
        writeln!(out, "{}", row.trim_end()).unwrap();
    }
    if !styles {
        return out;
    }
    writeln!(out, "-- styles").unwrap();
    for y in 0..area.height {
        let mut x = 0;
        while x < area.width {
            let c = &buf[(x, y)];
            let key = (c.fg, c.bg, c.modifier);
            let end = (x..area.width).find(|i| (buf[(*i, y)].fg, buf[(*i, y)].bg, buf[(*i, y)].modifier) != key).unwrap_or(area.width);
            if key != (Color::Reset, Color::Reset, Modifier::empty()) {
                let text: String = (x..end).map(|i| buf[(i, y)].symbol()).collect();
                writeln!(out, "{y}:{x}-{} {:?} {:?} {:?}", end - 1, key.0, key.2, text.trim_end()).unwrap();
            }
            x = end;
        }
    }
    out
}

/// The first stop where a place does something.
fn stop(lesson: &Lesson<'_>, place: &str, kind: &str) -> usize {
    (0..lesson.stops.len())
        .find(|i| lesson.view(*i).is_some_and(|v| v.netns == place && v.kind.name() == kind && v.headers.iter().any(|l| l.name == "ipv4")))
        .unwrap_or_else(|| panic!("no {kind} on {place}"))
}

fn at(lesson: &'static Lesson<'static>, place: &str, kind: &str, caps: Caps, size: (u16, u16)) -> Model<'static> {
    let mut m = Model::new(lesson, caps, size);
    m.state.cursor = stop(lesson, place, kind);
    m
}

static LESSON: LazyLock<Lesson<'static>> = LazyLock::new(|| Lesson::new(&INPUT));

#[test]
fn a_route_lookup_in_80x24() {
    let m = at(&LESSON, "node-a", "route-lookup", Caps::default(), (80, 24));
    insta::assert_snapshot!(picture(&draw(&m), true));
}

#[test]
fn a_route_lookup_in_120x40() {
    let caps = Caps { colors: Colors::True, ..Caps::default() };
    let m = at(&LESSON, "node-a", "route-lookup", caps, (120, 40));
    insta::assert_snapshot!(picture(&draw(&m), true));
}

#[test]
fn a_changed_field_in_ascii() {
    let caps = Caps { colors: Colors::None, unicode: false, light: false };
    let mut m = at(&LESSON, "node-a", "route-lookup", caps, (80, 24));
    update(&mut m, Message::NextChange);
    let shown = picture(&draw(&m), true);
    assert!(shown.is_ascii(), "{shown}");
    insta::assert_snapshot!(shown);
}

#[test]
fn one_pane_at_a_time_in_60x16() {
    let m = at(&LESSON, "node-a", "route-lookup", Caps::default(), (60, 16));
    insta::assert_snapshot!(picture(&draw(&m), false));
}

#[test]
fn what_nobody_reached() {
    let mut m = Model::new(&LESSON, Caps::default(), (80, 24));
    update(&mut m, Message::Last);
    insta::assert_snapshot!(picture(&draw(&m), false));
}

#[test]
fn the_keys() {
    let mut m = Model::new(&LESSON, Caps::default(), (120, 60));
    update(&mut m, Message::Help);
    insta::assert_snapshot!(picture(&draw(&m), false));
}

#[test]
fn no_size_and_no_step_breaks_it() {
    let sizes: Vec<u16> = vec![1, 2, 3, 5, 9, 10, 11, 23, 24, 39, 40, 41, 60, 79, 80, 81, 109, 110, 120, 180, 300];
    let n = LESSON.stops.len();
    let mut k = 0;
    for w in &sizes {
        for h in sizes.iter().filter(|h| **h <= 100) {
            for unicode in [true, false] {
                for colors in [Colors::None, Colors::Sixteen, Colors::Indexed, Colors::True] {
                    k += 1;
                    let mut m = Model::new(&LESSON, Caps { colors, unicode, light: k % 2 == 0 }, (*w, *h));
                    m.state.cursor = (k * 37) % n;
                    m.state.focus = Pane::ALL[k % 5];
                    m.state.zoom = k % 3 == 0;
                    m.state.help = (k % 7 == 0).then_some(0);
                    draw(&m);
                }
            }
        }
    }
}

#[test]
fn every_step_can_be_drawn() {
    for i in 0..LESSON.stops.len() {
        for size in [(80, 24), (120, 40)] {
            let mut m = Model::new(&LESSON, Caps::default(), size);
            m.state.cursor = i;
            let shown = picture(&draw(&m), false);
            assert!(shown.lines().skip(1).take(6).any(|l| l.contains('[')), "the packet is nowhere at step {i}:\n{shown}");
        }
    }
}

#[test]
fn a_run_without_steps_is_said_to_be_empty() {
    let mut input = world::lesson();
    input.run.recording = sim_core::trace::Recording::default();
    input.run.flows.clear();
    let lesson = Lesson::new(&input);
    for size in [(80, 24), (120, 40), (50, 12), (10, 3)] {
        let mut m = Model::new(&lesson, Caps::default(), size);
        for b in TABLE {
            update(&mut m, b.message);
            draw(&m);
        }
    }
}

#[test]
fn every_step_is_read_once() {
    let mut ids: Vec<u32> = LESSON.stops.iter().map(|s| s.id.0).collect();
    ids.sort_unstable();
    ids.dedup();
    assert_eq!(ids.len(), LESSON.stops.len());
    assert_eq!(ids.len(), LESSON.report.len(), "the world has no hidden places");
}

#[test]
fn under_the_notice_only_leaving_works() {
    let mut m = Model::new(&LESSON, Caps::default(), (30, 8));
    let before = m.state.clone();
    for b in TABLE.iter().filter(|b| !matches!(b.message, Message::Quit | Message::Leave)) {
        update(&mut m, b.message);
    }
    assert_eq!(m.state, before);
    assert_eq!(update(&mut m, Message::Leave), [Effect::Quit]);
}

#[test]
fn leaving_closes_the_innermost() {
    let mut m = Model::new(&LESSON, Caps::default(), (80, 24));
    update(&mut m, Message::Zoom);
    update(&mut m, Message::Help);
    assert_eq!(update(&mut m, Message::Leave), []);
    assert!(m.state.help.is_none() && m.state.zoom);
    assert_eq!(update(&mut m, Message::Leave), []);
    assert!(!m.state.zoom);
    assert_eq!(update(&mut m, Message::Leave), [Effect::Quit]);
}

#[test]
fn the_host_gw_lesson_at_the_route_to_the_other_node() {
    let input = library::lesson("pod-to-pod-host-gw");
    let lesson = Lesson::new(&input);
    let told = (0..lesson.stops.len())
        .find(|i| {
            lesson.view(*i).is_some_and(|v| {
                v.netns == "node-a" && v.kind.name() == "route-lookup" && v.headers.last().is_some_and(|l| l.name == "icmp")
            })
        })
        .expect("node-a looks up a route for the ping");
    for (name, size) in [("80x24", (80, 24)), ("120x40", (120, 40))] {
        let mut m = Model::new(&lesson, Caps::default(), size);
        m.state.cursor = told;
        insta::assert_snapshot!(format!("host_gw_route_{name}"), picture(&draw(&m), false));
    }
}

#[test]
fn every_lesson_can_be_drawn_and_read() {
    for l in scenarios::library::lessons() {
        let input = library::lesson(&l.id);
        let lesson = Lesson::new(&input);
        assert!(!lesson.stops.is_empty(), "{} has no steps", l.id);
        let step = (lesson.stops.len() / 150).max(1);
        for i in (0..lesson.stops.len()).step_by(step) {
            for size in [(80, 24), (120, 40)] {
                let mut m = Model::new(&lesson, Caps::default(), size);
                m.state.cursor = i;
                let shown = picture(&draw(&m), false);
                assert!(shown.lines().skip(1).take(6).any(|l| l.contains('[')), "{}: the packet is nowhere at step {i}:\n{shown}", l.id);
            }
        }
        let mut out = Vec::new();
        tui::run_plain(&input, tui::PlainOptions::default(), &b"next\ntable\nwhy\nlast\nquit\n"[..], &mut out).unwrap();
        assert!(String::from_utf8(out).unwrap().lines().count() > 8, "{} says little", l.id);
        for flow in lesson.flows.iter().filter(|f| f.id.is_some()) {
            let told: String = tui::content::why::why(&lesson, flow.end - 1).0.iter().map(|b| format!("{b:?}")).collect();
            assert!(told.contains("outcome: "), "{}: flow {} does not tell its end", l.id, flow.name);
        }
    }
}

fn messages() -> impl Strategy<Value = Message> {
    let resize = (1_u16..200, 1_u16..80).prop_map(|(w, h)| Message::Resize(w, h));
    let typed = proptest::sample::select(TABLE.iter().map(|b| b.message).chain([Message::Unknown]).collect::<Vec<_>>());
    prop_oneof![12 => typed, 1 => resize]
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 64, ..ProptestConfig::default() })]
    #[test]
    fn any_keys_keep_the_reader_in_the_lesson(list in proptest::collection::vec(messages(), 0..60)) {
        let mut m = Model::new(&LESSON, Caps::default(), (80, 24));
        for message in list {
            update(&mut m, message);
            prop_assert!(m.state.cursor < m.len());
            for pane in Pane::ALL {
                prop_assert!(m.state.scroll[pane.index()] <= tui::view::max_scroll(&m, pane));
            }
            if m.state.density == Density::Steps && m.state.help.is_none() && m.state.cursor + 1 < m.len() {
                let mut there = m.clone();
                update(&mut there, Message::Forward);
                update(&mut there, Message::Back);
                prop_assert_eq!(there.state.cursor, m.state.cursor);
            }
        }
        draw(&m);
    }
}

#[test]
fn plain_mode_tells_the_same_in_lines() {
    let commands =
        "next\ndevice\nheaders\ngo 31\ntable\nwhy\nhops\nnext\nnext\nback\nfirst\nback\nlast\nnonsense\ngo 0\nquit\nnever read\n";
    let mut out = Vec::new();
    tui::run_plain(&INPUT, tui::PlainOptions::default(), commands.as_bytes(), &mut out).unwrap();
    insta::assert_snapshot!(String::from_utf8(out).unwrap());
}

#[test]
fn plain_mode_ends_with_its_input_and_bears_anything() {
    let mut out = Vec::new();
    let options = tui::PlainOptions { ascii: true, ..tui::PlainOptions::default() };
    let noise = "\u{1b}[31m\ngo 99999999999999999999\ngo\n  \n\u{0}\nhelp\nchange back";
    tui::run_plain(&INPUT, options, noise.as_bytes(), &mut out).unwrap();
    let text = String::from_utf8(out).unwrap();
    assert!(text.is_ascii() && !text.contains('\u{1b}'), "{text}");
}
