//! What the terminal can show: size classes, colours, signs. All of it is handed in; nothing here asks the environment.

use std::borrow::Cow;

/// How many colours there are.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Colors {
    /// None: bold, underline and reverse only.
    None,
    /// The sixteen of the terminal's own palette.
    Sixteen,
    /// 256.
    Indexed,
    /// All.
    True,
}

/// What the terminal can show.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Caps {
    /// Colours.
    pub colors: Colors,
    /// Whether box characters and arrows may be used.
    pub unicode: bool,
    /// Whether the background is light.
    pub light: bool,
}

impl Default for Caps {
    fn default() -> Self {
        Caps { colors: Colors::Sixteen, unicode: true, light: false }
    }
}

/// The signs; each has a form in ASCII.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Signs {
    /// The packet.
    pub packet: &'static str,
    /// A link that was travelled.
    pub travelled: &'static str,
    /// A link ahead.
    pub ahead: &'static str,
    /// A place that was not reached.
    pub beyond: &'static str,
    /// From, to.
    pub becomes: &'static str,
    /// The row that won.
    pub row: &'static str,
    /// An error.
    pub bad: &'static str,
    /// Something that worked.
    pub good: &'static str,
    /// A pointer up.
    pub here: &'static str,
    /// Rows left out.
    pub folded: &'static str,
    /// A header that is open.
    pub open: &'static str,
    /// A border between parts of a line.
    pub bar: &'static str,
    /// Text that was cut.
    pub cut: &'static str,
    /// Left, right.
    pub arrows: (&'static str, &'static str),
    /// Border of a box: horizontal, vertical, corners from top left in reading order, tees left and right.
    pub thin: [&'static str; 8],
    /// The same for the pane that has the keys.
    pub heavy: [&'static str; 8],
}

const UNICODE: Signs = Signs {
    packet: "●",
    travelled: "━",
    ahead: "─",
    beyond: "╌",
    becomes: "⇒",
    row: "►",
    bad: "✗",
    good: "✓",
    here: "▲",
    folded: "⋯",
    open: "▾",
    bar: "│",
    cut: "…",
    arrows: ("←", "→"),
    thin: ["─", "│", "┌", "┐", "└", "┘", "├", "┤"],
    heavy: ["━", "┃", "┏", "┓", "┗", "┛", "┣", "┫"],
};

const ASCII: Signs = Signs {
    packet: "@",
    travelled: "=",
    ahead: "-",
    beyond: ".",
    becomes: "=>",
    row: ">",
    bad: "X",
    good: "ok",
    here: "^",
    folded: "...",
    open: "v",
    bar: "|",
    cut: "~",
    arrows: ("<-", "->"),
    thin: ["-", "|", "+", "+", "+", "+", "+", "+"],
    heavy: ["=", "|", "+", "+", "+", "+", "+", "+"],
};

impl Caps {
    /// The signs that it can show.
    pub fn signs(&self) -> &'static Signs {
        if self.unicode { &UNICODE } else { &ASCII }
    }

    /// A text as the terminal can show it: control characters become blanks, and in ASCII what has no form there `?`.
    pub fn clean<'t>(&self, text: &'t str) -> Cow<'t, str> {
        let fits = |c: char| !c.is_control() && (self.unicode || c.is_ascii());
        if text.chars().all(fits) {
            return Cow::Borrowed(text);
        }
        let mut out = String::with_capacity(text.len());
        for c in text.chars() {
            match c {
                c if c.is_control() => out.push(' '),
                c if fits(c) => out.push(c),
                '…' => out.push('~'),
                '⇒' | '→' | '▸' => out.push('>'),
                '–' | '—' | '─' => out.push('-'),
                '‘' | '’' => out.push('\''),
                '“' | '”' => out.push('"'),
                'µ' => out.push('u'),
                '·' => out.push('.'),
                _ => out.push('?'),
            }
        }
        Cow::Owned(out)
    }
}

/// How much room there is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum SizeClass {
    /// Less than 40x10: a notice.
    Notice,
    /// Less than 80x24: one pane at a time.
    Tabs,
    /// Rules instead of boxes.
    Compact,
    /// From 110x34 on: two columns with boxes.
    Wide,
}

impl SizeClass {
    /// The class of a size. A class that was reached is kept until two cells are missing, so that a window that is being
    /// dragged does not flicker between two.
    pub fn of(width: u16, height: u16, before: Option<SizeClass>) -> SizeClass {
        let fits = |w: u16, h: u16, class| {
            let slack = if before == Some(class) { 2 } else { 0 };
            width + slack >= w && height + slack >= h
        };
        if fits(110, 34, SizeClass::Wide) {
            SizeClass::Wide
        } else if fits(80, 24, SizeClass::Compact) {
            SizeClass::Compact
        } else if fits(40, 10, SizeClass::Tabs) {
            SizeClass::Tabs
        } else {
            SizeClass::Notice
        }
    }
}
