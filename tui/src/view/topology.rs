//! The cluster pane: the hosts on the path, the devices in them, and the packet.
//!
//! ```text
//!  ┌ node-a 10.168.0.2 ──────────────────┐     ┌ node-b 10.168.0.3 ──────────────────┐
//!  │ client━━vetha1f0━━cni0━━[RT]──eth0 ├─lan─┤ eth0──RT──cni0──vethb7d3──web │
//!  │ 10.244.0.2        ▲ echo request   │     │           10.244.1.1      10.244.1.3 │
//!  └─────────────────────────────────────┘     └─────────────────────────────────────┘
//! ```

use super::paint::{Pen, cut, width};
use crate::caps::SizeClass;
use crate::lesson::Lesson;
use crate::model::Model;
use crate::path::{Stage, Strip, What};
use crate::theme::Tone;
use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use sim_core::linux::NetnsId;
use sim_core::report::paths::{Direction, PacketRole};

/// Title and legend.
pub fn titles(model: &Model<'_>) -> (String, String) {
    let s = model.state.caps.signs();
    let right = format!("[ ] packet   {} travelled   {} ahead   {} not reached", s.travelled, s.ahead, s.beyond);
    ("cluster".to_owned(), right)
}

/// Something of the strip that is drawn by itself: a spot, or one stage of an IP stack.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Cell {
    label: String,
    addr: String,
    spot: usize,
    stage: Option<Stage>,
    host: usize,
    reached: bool,
    x: u16,
}

/// The strip laid out in a row.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
struct Row {
    cells: Vec<Cell>,
    /// Left border and border after the right one of each host.
    boxes: Vec<(u16, u16)>,
    width: u16,
}

/// The stages of an IP stack in the order in which they stand from left to right.
fn stages(place: usize, last: usize, reply: bool) -> Vec<Stage> {
    let arrives = if reply { place == 0 } else { place == last };
    let leaves = if reply { place == last } else { place == 0 };
    let mut s = if leaves {
        vec![Stage::Route, Stage::Out, Stage::Post]
    } else if arrives {
        vec![Stage::Pre, Stage::Route, Stage::In]
    } else {
        vec![Stage::Pre, Stage::Route, Stage::Forward, Stage::Post]
    };
    if reply {
        s.reverse();
    }
    s
}

fn cells(strip: &Strip, expand: bool, reply: bool, limit: u16, sign: &str) -> Vec<Cell> {
    let mut out = Vec::new();
    let last = strip.spots.len().saturating_sub(1);
    for (host, h) in strip.hosts.iter().enumerate() {
        for i in h.first..h.end {
            let s = &strip.spots[i];
            let cell = |label: String, stage| {
                let addr = if s.addr == h.addr { String::new() } else { s.addr.clone() };
                Cell { label, addr, spot: i, stage, host, reached: s.reached, x: 0 }
            };
            if s.what == What::Stack && expand {
                out.extend(stages(i, last, reply).into_iter().map(|st| cell(st.label().to_owned(), Some(st))));
            } else {
                // room for the longest stage, so that nothing moves when the packet does
                let label = if s.what == What::Stack { " RT ".to_owned() } else { cut(&s.label, limit, sign) };
                out.push(cell(label, None));
            }
        }
    }
    out
}

/// Joints of that length say that there is room.
const ROOMY: u16 = 3;

/// Lays the cells out with joints of `joint` columns; wires carry their names if `named`.
fn arrange(strip: &Strip, mut cells: Vec<Cell>, joint: u16, named: bool) -> Row {
    let mut boxes: Vec<(u16, u16)> = Vec::new();
    let mut x: u16 = 0;
    for (host, h) in strip.hosts.iter().enumerate() {
        let left = x;
        x = x.saturating_add(2);
        let mut first = true;
        // the last address may need more room than the name above it
        let mut under = 0;
        for c in cells.iter_mut().filter(|c| c.host == host) {
            if !first {
                x = x.saturating_add(joint);
            }
            first = false;
            c.x = x;
            x = x.saturating_add(width(&c.label));
            under = if joint >= ROOMY { c.x.saturating_add(width(&c.addr)) } else { 0 };
        }
        x = x.max(under);
        let title = width(&h.name) + if h.addr.is_empty() { 0 } else { width(&h.addr) + 1 } + 5;
        x = (x + 2).max(left.saturating_add(title));
        boxes.push((left, x));
        let wire = width(&h.wire);
        x = x.saturating_add(if named && wire > 0 { wire + 2 } else { 4 });
    }
    let width = boxes.last().map_or(0, |b| b.1);
    Row { cells, boxes, width }
}

/// The roomiest form that fits: stages of the IP stack, length of the joints, names of wires, longest name.
fn fit(strip: &Strip, room: u16, reply: bool, sign: &str) -> Row {
    const FORMS: &[(bool, u16, bool, u16)] = &[
        (true, 4, true, 20),
        (true, 3, true, 20),
        (true, 2, true, 20),
        (false, 4, true, 20),
        (false, 3, true, 20),
        (false, 2, true, 20),
        (false, 2, false, 12),
        (false, 2, false, 9),
        (false, 2, false, 6),
    ];
    let mut row = Row::default();
    for (expand, joint, named, limit) in FORMS {
        row = arrange(strip, cells(strip, *expand, reply, *limit, sign), *joint, *named);
        if row.width <= room {
            break;
        }
    }
    row
}

fn cell_of(row: &Row, spot: usize, stage: Option<Stage>, strip: &Strip) -> Option<usize> {
    let of_spot = |i: &usize| row.cells[*i].spot == spot;
    let all: Vec<usize> = (0..row.cells.len()).filter(of_spot).collect();
    if let Some(st) = stage
        && let Some(i) = all.iter().find(|i| row.cells[**i].stage == Some(st))
    {
        return Some(*i);
    }
    if stage == Some(Stage::Socket) {
        // the program is at the outer end of the stack
        return if spot * 2 < strip.spots.len() { all.first() } else { all.last() }.copied();
    }
    all.iter().find(|i| row.cells[**i].stage == Some(Stage::Route)).or(all.first()).copied()
}

/// The cell with the packet, and the cells between which it has been.
fn progress(model: &Model<'_>, strip: &Strip, row: &Row) -> (Option<usize>, Option<(usize, usize)>, Option<Stage>) {
    let lesson: &Lesson<'_> = model.lesson;
    let Some(stop) = lesson.stops.get(model.state.cursor) else { return (None, None, None) };
    let find = |id| strip.place(lesson, id).and_then(|(spot, stage)| Some((cell_of(row, spot, stage, strip)?, stage)));
    let here = find(stop.id);
    let mut range = here.map(|(i, _)| (i, i));
    if stop.packet.is_some() {
        for n in lesson.report.steps_of(stop.packet).iter().take_while(|n| **n <= stop.id.0) {
            if let Some((i, _)) = find(sim_core::trace::StepId(*n)) {
                range = range.map_or(Some((i, i)), |(a, b)| Some((a.min(i), b.max(i))));
            }
        }
    }
    (here.map(|h| h.0), range, here.and_then(|h| h.1))
}

/// Draws it.
pub fn draw(model: &Model<'_>, pen: &mut Pen<'_>, area: Rect) {
    let lesson = model.lesson;
    let Some(stop) = lesson.stops.get(model.state.cursor) else {
        pen.text(area.x + 1, area.y, area.width.saturating_sub(1), "No packet yet.", Tone::Muted);
        return;
    };
    if area.height == 0 || area.width < 4 {
        return;
    }
    let strip = lesson.strip(model.state.cursor);
    let reply = matches!(lesson.role(stop.packet), Some((role, Direction::Reply)) if role != PacketRole::Arp);
    let row = fit(&strip, area.width, reply, pen.signs().cut);
    if row.cells.is_empty() {
        return;
    }
    let (here, range, stage) = progress(model, &strip, &row);
    let roomy = area.height >= 5;
    // what does not fit is cut off on both sides of the packet
    let centre = here.map_or(0, |i| row.cells[i].x + width(&row.cells[i].label) / 2);
    let offset = if row.width <= area.width { 0 } else { centre.saturating_sub(area.width / 2).min(row.width - area.width) };
    let margin = if roomy { area.width.saturating_sub(row.width) / 2 } else { 0 };
    let height = if roomy { 5 } else { 4 };
    let mut canvas = Buffer::empty(Rect::new(0, 0, row.width.max(1), height));
    let mut own = Pen { buf: &mut canvas, caps: pen.caps };
    boxes(&mut own, &strip, &row, range, height);
    joints(&mut own, &row, range);
    labels(&mut own, &row, here, range, stage);
    let what = lesson.view(model.state.cursor).map(|v| lesson.packet_title(&v)).unwrap_or_default();
    notes(&mut own, &row, here, &what, roomy);
    blit(&canvas, pen.buf, area, offset, margin);
    let sign = pen.signs().cut;
    if offset > 0 {
        pen.text(area.x, area.y + 1, 1, sign, Tone::Muted);
    }
    if offset + area.width < row.width {
        pen.text(area.right() - 1, area.y + 1, 1, sign, Tone::Muted);
    }
    if model.state.class == SizeClass::Wide || roomy && area.height > height {
        others(lesson, &strip, pen, Rect::new(area.x + 1, area.y + height, area.width.saturating_sub(2), 1));
    }
}

fn boxes(pen: &mut Pen<'_>, strip: &Strip, row: &Row, range: Option<(usize, usize)>, height: u16) {
    for (host, h) in strip.hosts.iter().enumerate() {
        let Some((left, end)) = row.boxes.get(host).copied() else { continue };
        let inside = pen.frame(Rect::new(left, 0, end - left, height), &h.name, "", false);
        if !h.addr.is_empty() {
            let x = left + width(&h.name) + 3;
            pen.text(x, 0, inside.right().saturating_sub(x), &format!("{} ", h.addr), Tone::Muted);
        }
    }
    // the wires, each to the next host
    for (host, h) in strip.hosts.iter().enumerate() {
        let Some((_, end)) = row.boxes.get(host).copied() else { continue };
        let Some((next, _)) = row.boxes.get(host + 1).copied() else { continue };
        let (a, b) = (row.cells.iter().rposition(|c| c.host == host), row.cells.iter().position(|c| c.host == host + 1));
        let (tone, sign) = link(pen, row, a, b, range);
        let gap = next - end;
        pen.fill(end, 1, gap, sign, tone);
        pen.fill(end - 1, 1, 1, pen.signs().thin[6], Tone::Body);
        pen.fill(next, 1, 1, pen.signs().thin[7], Tone::Body);
        if width(&h.wire) + 2 <= gap {
            pen.text(end + (gap - width(&h.wire)) / 2, 1, gap, &h.wire, Tone::Body);
        }
        // from the last device to the border, and from the border to the first
        let out = a.map_or(end, |i| row.cells[i].x + width(&row.cells[i].label));
        let into = b.map_or(next + 1, |i| row.cells[i].x);
        for (from, to) in [(out, end - 1), (next + 1, into)] {
            pen.fill(from, 1, to.saturating_sub(from), sign, tone);
        }
    }
}

/// How the link between two cells is drawn.
fn link(pen: &Pen<'_>, row: &Row, a: Option<usize>, b: Option<usize>, range: Option<(usize, usize)>) -> (Tone, &'static str) {
    let (Some(a), Some(b)) = (a, b) else { return (Tone::Body, pen.signs().ahead) };
    if !row.cells[a].reached || !row.cells[b].reached {
        return (Tone::Muted, pen.signs().beyond);
    }
    match range {
        Some((min, max)) if min <= a && b <= max => (Tone::Travelled, pen.signs().travelled),
        _ => (Tone::Body, pen.signs().ahead),
    }
}

fn joints(pen: &mut Pen<'_>, row: &Row, range: Option<(usize, usize)>) {
    for i in 1..row.cells.len() {
        let (a, b) = (&row.cells[i - 1], &row.cells[i]);
        if a.host != b.host {
            continue;
        }
        let (tone, sign) = link(pen, row, Some(i - 1), Some(i), range);
        let from = a.x + width(&a.label);
        let gap = b.x.saturating_sub(from);
        let blank = u16::from(gap >= 4);
        pen.fill(from + blank, 1, gap.saturating_sub(blank * 2), sign, tone);
    }
}

fn labels(pen: &mut Pen<'_>, row: &Row, here: Option<usize>, range: Option<(usize, usize)>, stage: Option<Stage>) {
    for (i, c) in row.cells.iter().enumerate() {
        let visited = range.is_some_and(|(a, b)| a <= i && i <= b);
        let tone = if !c.reached {
            Tone::Muted
        } else if visited {
            Tone::Travelled
        } else {
            Tone::Body
        };
        if here == Some(i) {
            let label = match (c.stage, stage) {
                (None, Some(st)) if c.label == " RT " => format!("{:^4}", st.label()),
                _ => c.label.clone(),
            };
            let w = width(&label);
            pen.text(c.x, 1, w, &label, Tone::Packet);
            pen.text(c.x.saturating_sub(1), 1, 1, "[", Tone::Packet);
            pen.text(c.x + w, 1, 1, "]", Tone::Packet);
        } else {
            pen.text(c.x, 1, width(&c.label), &c.label, tone);
        }
    }
}

/// Addresses under the places, and what the packet is under it.
fn notes(pen: &mut Pen<'_>, row: &Row, here: Option<usize>, what: &str, roomy: bool) {
    let mut taken: Vec<(u16, u16)> = Vec::new();
    let inside = |host: usize| row.boxes.get(host).map_or((0, 0), |b| (b.0 + 2, b.1.saturating_sub(1)));
    if let Some(c) = here.and_then(|i| row.cells.get(i)) {
        let y = if roomy { 3 } else { 2 };
        let text = format!("{} {what}", pen.signs().here);
        let (from, to) = inside(c.host);
        let middle = c.x + width(&c.label) / 2;
        // near the right border the text stands left of its sign
        let (x, text) = if middle + width(&text) > to && middle > from + width(&text) {
            (middle + 1 - width(&text), format!("{what} {}", pen.signs().here))
        } else {
            (middle, text)
        };
        let used = pen.text(x, y, to.saturating_sub(x), &text, Tone::Packet);
        if !roomy {
            taken.push((x, x + used));
        }
    }
    // the ends of the path first: their addresses are those of the packet
    let last = row.cells.len().saturating_sub(1);
    let order = [0, last].into_iter().chain(1..last);
    for c in order.filter_map(|i| row.cells.get(i)) {
        let w = width(&c.addr);
        let (from, to) = inside(c.host);
        let x = c.x.min(to.saturating_sub(w)).max(from);
        let free = taken.iter().all(|(a, b)| x + w < *a || *b < x);
        if w > 0 && free && x + w <= to {
            pen.text(x, 2, w, &c.addr, Tone::Muted);
            taken.push((x, x + w));
        }
    }
}

/// Copies the part of the canvas that fits.
fn blit(from: &Buffer, to: &mut Buffer, area: Rect, offset: u16, margin: u16) {
    for y in 0..from.area.height.min(area.height) {
        for x in 0..area.width {
            let source = from.cell((x + offset, y)).cloned();
            let target = to.cell_mut((area.x + margin + x, area.y + y)).filter(|_| margin + x < area.width);
            if let (Some(s), Some(t)) = (source, target) {
                *t = s;
            }
        }
    }
}

/// Who else is there.
fn others(lesson: &Lesson<'_>, strip: &Strip, pen: &mut Pen<'_>, area: Rect) {
    const NAMED: usize = 8;
    let world = &lesson.report.run.end;
    let mut names = Vec::new();
    let mut more = 0_usize;
    for (i, info) in world.info.iter().enumerate() {
        let id = NetnsId(i as u32);
        if info.hidden || strip.spots.iter().any(|s| s.netns == id) {
            continue;
        }
        if names.len() < NAMED { names.push(info.label.to_string()) } else { more += 1 }
    }
    if names.is_empty() {
        return;
    }
    let tail = if more > 0 { format!(", and {more} more") } else { String::new() };
    pen.text(area.x, area.y, area.width, &format!("not on this path: {}{tail}", names.join(", ")), Tone::Muted);
}
