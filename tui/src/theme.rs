//! Meanings as styles. A colour never carries a meaning alone: there is always a sign or a word beside it, and the body
//! keeps the terminal's own colours.

use crate::caps::{Caps, Colors};
use ratatui::style::{Color, Modifier, Style};
use sim_core::report::doc::Role;

/// What a piece of the screen means.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Tone {
    /// Ordinary text.
    Body,
    /// A title.
    Strong,
    /// The packet, and where it is.
    Packet,
    /// Where it was.
    Travelled,
    /// What changed.
    Changed,
    /// The row that won.
    Won,
    /// An error, a drop.
    Bad,
    /// Something that worked.
    Good,
    /// What may be skipped.
    Muted,
}

impl From<Role> for Tone {
    fn from(role: Role) -> Self {
        match role {
            Role::Plain | Role::Layer | Role::Device | Role::Packet | Role::Won | Role::Lost | Role::Why => Tone::Body,
            Role::Title | Role::Place => Tone::Strong,
            Role::Changed => Tone::Changed,
            Role::Bad => Tone::Bad,
            Role::Good => Tone::Good,
            Role::Time | Role::Number | Role::Muted => Tone::Muted,
        }
    }
}

/// An accent: of the sixteen, of 256 (dark, light), of all (dark, light).
struct Accent(Color, u8, u8, u32, u32);

const PACKET: Accent = Accent(Color::Yellow, 214, 94, 0xe6_9f_00, 0x8f_5a_00);
const TRAVELLED: Accent = Accent(Color::Cyan, 74, 24, 0x56_b4_e9, 0x00_60_9c);
const CHANGED: Accent = Accent(Color::Yellow, 227, 58, 0xf0_e4_42, 0x6b_5f_00);
const BAD: Accent = Accent(Color::Red, 209, 124, 0xff_8a_4c, 0xb0_3a_00);
const GOOD: Accent = Accent(Color::Green, 79, 22, 0x3e_c9_a0, 0x00_68_4f);
const MUTED: Accent = Accent(Color::Reset, 247, 241, 0x9a_a0_aa, 0x5f_63_6b);

fn color(a: &Accent, caps: Caps) -> Option<Color> {
    let rgb = |n: u32| {
        let [_, r, g, b] = n.to_be_bytes();
        Color::Rgb(r, g, b)
    };
    match caps.colors {
        Colors::None => None,
        Colors::Sixteen => Some(a.0),
        Colors::Indexed => Some(Color::Indexed(if caps.light { a.2 } else { a.1 })),
        Colors::True => Some(rgb(if caps.light { a.4 } else { a.3 })),
    }
}

/// The style of a meaning.
pub fn style(tone: Tone, caps: Caps) -> Style {
    let plain = Style::new();
    let accent = |a: &Accent| match color(a, caps) {
        Some(c) => plain.fg(c),
        None => plain,
    };
    match tone {
        Tone::Body => plain,
        Tone::Strong => plain.add_modifier(Modifier::BOLD),
        Tone::Packet => accent(&PACKET).add_modifier(Modifier::BOLD),
        Tone::Travelled => accent(&TRAVELLED),
        Tone::Changed => accent(&CHANGED).add_modifier(Modifier::BOLD),
        Tone::Won => plain.add_modifier(Modifier::REVERSED),
        Tone::Bad => accent(&BAD).add_modifier(Modifier::BOLD),
        Tone::Good => accent(&GOOD),
        Tone::Muted => match caps.colors {
            Colors::None => plain,
            Colors::Sixteen => plain.add_modifier(Modifier::DIM),
            Colors::Indexed | Colors::True => accent(&MUTED),
        },
    }
}
