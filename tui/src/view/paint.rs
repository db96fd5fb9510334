//! Painting into a buffer: text that is cut, rules, boxes. Nothing is ever painted outside the buffer.

use crate::caps::{Caps, Signs};
use crate::theme::{Tone, style};
use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use ratatui::style::Style;
use sim_core::report::doc::{Line, Role, Span};
use unicode_width::{UnicodeWidthChar, UnicodeWidthStr};

/// Columns that a text takes.
pub fn width(text: &str) -> u16 {
    u16::try_from(text.width()).unwrap_or(u16::MAX)
}

/// The beginning of a text that fits into `room` columns, with `cut` at its end if something is missing.
pub fn cut(text: &str, room: u16, cut: &str) -> String {
    if width(text) <= room {
        return text.to_owned();
    }
    let keep = room.saturating_sub(width(cut));
    let mut out = String::new();
    let mut used = 0;
    for c in text.chars() {
        let w = u16::try_from(c.width().unwrap_or(0)).unwrap_or(2);
        if used + w > keep {
            break;
        }
        out.push(c);
        used += w;
    }
    let out = out.trim_end().to_owned();
    if room >= width(cut) { out + cut } else { out }
}

/// A buffer and what the terminal can show.
#[derive(Debug)]
pub struct Pen<'b> {
    /// The buffer.
    pub buf: &'b mut Buffer,
    /// What the terminal can show.
    pub caps: Caps,
}

impl Pen<'_> {
    /// The signs.
    pub fn signs(&self) -> &'static Signs {
        self.caps.signs()
    }

    /// The style of a meaning.
    pub fn style(&self, tone: Tone) -> Style {
        style(tone, self.caps)
    }

    /// Writes a text, cut to `room` columns. Returns the columns used.
    pub fn text(&mut self, x: u16, y: u16, room: u16, text: &str, tone: Tone) -> u16 {
        let style = self.style(tone);
        self.styled(x, y, room, text, style)
    }

    /// Writes a text in a style.
    pub fn styled(&mut self, x: u16, y: u16, room: u16, text: &str, style: Style) -> u16 {
        let area = self.buf.area;
        if y < area.top() || y >= area.bottom() || x < area.left() || x >= area.right() {
            return 0;
        }
        let room = room.min(area.right() - x);
        let shown = cut(&self.caps.clean(text), room, self.signs().cut);
        self.buf.set_stringn(x, y, &shown, usize::from(room), style);
        width(&shown)
    }

    /// Writes a text so that it ends before column `end`. Returns where it begins.
    pub fn right(&mut self, end: u16, y: u16, room: u16, text: &str, tone: Tone) -> u16 {
        let shown = cut(&self.caps.clean(text), room, self.signs().cut);
        let x = end.saturating_sub(width(&shown));
        self.text(x, y, room, &shown, tone);
        x
    }

    /// Writes a line of several meanings, cut to `room`. Returns the columns used.
    pub fn line(&mut self, x: u16, y: u16, room: u16, line: &Line) -> u16 {
        let mut used = 0;
        let total = width(&line.text());
        for (i, s) in line.0.iter().enumerate() {
            let left = room.saturating_sub(used);
            if left == 0 {
                break;
            }
            // the last piece that fits must show that more would follow
            let rest: u16 = line.0[i + 1..].iter().map(|s| width(&s.text)).fold(0, u16::saturating_add);
            let clean = self.caps.clean(&s.text).into_owned();
            if total > room && width(&clean) <= left && rest > 0 && width(&clean) + 1 > left {
                let sign = self.signs().cut;
                let shown = cut(&format!("{clean} {sign}"), left, sign);
                used += self.text(x.saturating_add(used), y, left, &shown, s.role.into());
            } else {
                used += self.text(x.saturating_add(used), y, left, &clean, s.role.into());
            }
        }
        used
    }

    /// Repeats a sign.
    pub fn fill(&mut self, x: u16, y: u16, count: u16, sign: &str, tone: Tone) {
        let style = self.style(tone);
        for i in 0..count {
            self.styled(x.saturating_add(i), y, 1, sign, style);
        }
    }

    /// Gives a row of cells a style.
    pub fn restyle(&mut self, area: Rect, style: Style) {
        let area = area.intersection(self.buf.area);
        self.buf.set_style(area, style);
    }

    /// A horizontal rule with a title on the left and a text on the right.
    pub fn rule(&mut self, area: Rect, title: &str, right: &str, focused: bool) {
        if area.height == 0 || area.width == 0 {
            return;
        }
        let set = if focused { self.signs().heavy } else { self.signs().thin };
        self.fill(area.x, area.y, area.width, set[0], Tone::Body);
        self.titles(area, title, right, focused, 2);
    }

    fn titles(&mut self, area: Rect, title: &str, right: &str, focused: bool, margin: u16) {
        let room = area.width.saturating_sub(margin * 2);
        let title = format!(" {title} ");
        let tone = if focused { Tone::Strong } else { Tone::Body };
        let used = self.text(area.x + margin - 1, area.y, room, &title, tone);
        let left = room.saturating_sub(used + 1);
        if !right.is_empty() && left > 6 {
            self.right(area.right().saturating_sub(margin - 1), area.y, left, &format!(" {right} "), Tone::Body);
        }
    }

    /// A box with titles in its upper border; returns what is inside.
    pub fn frame(&mut self, area: Rect, title: &str, right: &str, focused: bool) -> Rect {
        if area.width < 2 || area.height < 2 {
            return Rect::new(area.x, area.y, 0, 0);
        }
        let set = if focused { self.signs().heavy } else { self.signs().thin };
        let (x1, y1) = (area.right() - 1, area.bottom() - 1);
        self.fill(area.x, area.y, area.width, set[0], Tone::Body);
        self.fill(area.x, y1, area.width, set[0], Tone::Body);
        for y in area.y..=y1 {
            self.fill(area.x, y, 1, set[1], Tone::Body);
            self.fill(x1, y, 1, set[1], Tone::Body);
        }
        for (x, y, corner) in [(area.x, area.y, set[2]), (x1, area.y, set[3]), (area.x, y1, set[4]), (x1, y1, set[5])] {
            self.fill(x, y, 1, corner, Tone::Body);
        }
        self.titles(area, title, right, focused, 2);
        Rect::new(area.x + 1, area.y + 1, area.width - 2, area.height - 2)
    }

    /// Writes lines into an area from the `scroll`th on.
    pub fn lines(&mut self, area: Rect, lines: &[Drawn], scroll: usize) {
        for (i, l) in lines.iter().skip(scroll).take(usize::from(area.height)).enumerate() {
            let y = area.y + i as u16;
            self.line(area.x, y, area.width, &l.line);
            if l.won {
                let style = self.style(Tone::Won);
                self.restyle(Rect::new(area.x, y, area.width, 1), style);
            }
        }
    }
}

/// A line that is ready to be painted.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Drawn {
    /// The text.
    pub line: Line,
    /// Whether it is the row that won: shown in reverse.
    pub won: bool,
}

impl From<Line> for Drawn {
    fn from(line: Line) -> Self {
        Drawn { line, won: false }
    }
}

/// Folds a line at blanks into lines of `room` columns, those after the first indented.
pub fn fold(line: &Line, room: u16, indent: u16) -> Vec<Line> {
    let mut out = vec![Line::new()];
    let mut used = 0;
    for span in &line.0 {
        for word in span.text.split_inclusive(' ') {
            let w = width(word.trim_end());
            if used > 0 && used + w > room {
                let blank = " ".repeat(usize::from(indent));
                out.push(Line::plain(blank));
                used = indent.min(room);
            }
            let word = if used == 0 || used == indent && out.len() > 1 { word.trim_start() } else { word };
            used += width(word);
            if let Some(last) = out.last_mut() {
                match last.0.last_mut().filter(|s: &&mut Span| s.role == span.role) {
                    Some(s) => s.text.push_str(word),
                    None => last.push(span.role, word),
                }
            }
        }
    }
    out
}

/// A text filled up with blanks to `to` columns, or cut.
pub fn pad(text: &str, to: u16, cut_sign: &str) -> String {
    let shown = cut(text, to, cut_sign);
    let missing = to.saturating_sub(width(&shown));
    shown + &" ".repeat(usize::from(missing))
}

/// A role for a line of one meaning.
pub fn muted(text: impl Into<String>) -> Line {
    Line::of(Role::Muted, text)
}
