//! The keys: one table, from which dispatch, footer, help and the words of the plain mode are made.

use crate::message::Message;
use ratatui::crossterm::event::{KeyCode, KeyEvent, KeyModifiers};

/// A key of the table.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Key {
    /// A character as typed.
    Char(char),
    /// A character with Ctrl.
    Ctrl(char),
    /// A key without a character.
    Code(KeyCode),
    /// The same with Shift.
    Shift(KeyCode),
}

/// What the footer says of an action, or of it and its counterpart.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Hint {
    /// The keys.
    pub keys: &'static str,
    /// What they do, in a word.
    pub word: &'static str,
    /// Those of low rank stay when there is little room.
    pub rank: u8,
}

/// An action and the keys and the word for it.
#[derive(Clone, Copy, Debug)]
pub struct Binding {
    /// What it does.
    pub message: Message,
    /// Its keys.
    pub keys: &'static [Key],
    /// The keys as they are written.
    pub shown: &'static str,
    /// What the footer says.
    pub hint: Option<Hint>,
    /// What it does, in a few words.
    pub help: &'static str,
    /// Words of the plain mode.
    pub words: &'static [&'static str],
}

use Key::{Char, Code, Ctrl, Shift};
use KeyCode as K;

const fn bind(message: Message, keys: &'static [Key], shown: &'static str, help: &'static str) -> Binding {
    Binding { message, keys, shown, hint: None, help, words: &[] }
}

impl Binding {
    const fn hint(self, keys: &'static str, word: &'static str, rank: u8) -> Binding {
        Binding { hint: Some(Hint { keys, word, rank }), ..self }
    }

    const fn words(self, words: &'static [&'static str]) -> Binding {
        Binding { words, ..self }
    }
}

/// All of them, the most useful first.
pub const TABLE: &[Binding] = &[
    bind(Message::Forward, &[Code(K::Right), Char('l'), Char(' '), Char('.')], "→ l Space", "one step forward")
        .hint("←→", "step", 1)
        .words(&["next", "n", "forward"]),
    bind(Message::Back, &[Code(K::Left), Char('h'), Code(K::Backspace), Char(',')], "← h Backspace", "one step back")
        .words(&["back", "b", "previous"]),
    bind(Message::NextDevice, &[Char(']'), Shift(K::Right)], "] Shift-→", "to the next device").hint("[ ]", "device", 3).words(&["device"]),
    bind(Message::PreviousDevice, &[Char('['), Shift(K::Left)], "[ Shift-←", "to the device before").words(&["device back"]),
    bind(Message::NextChange, &[Char('}')], "}", "to the next step that changed the packet").hint("{ }", "change", 5).words(&["change"]),
    bind(Message::PreviousChange, &[Char('{')], "{", "to the change before").words(&["change back"]),
    bind(Message::NextFlow, &[Char('f')], "f", "to the next flow").hint("f", "flow", 6).words(&["flow"]),
    bind(Message::PreviousFlow, &[Char('F')], "F", "to the flow before").words(&["flow back"]),
    bind(Message::First, &[Code(K::Home), Char('0')], "Home 0", "to the first step").words(&["first"]),
    bind(Message::Last, &[Code(K::End), Char('$')], "End $", "to the last step").words(&["last"]),
    bind(Message::FocusNext, &[Code(K::Tab)], "Tab", "gives the keys to the next pane").hint("Tab", "pane", 4),
    bind(Message::FocusPrevious, &[Code(K::BackTab)], "Shift-Tab", "gives them to the pane before"),
    bind(Message::Focus(1), &[Char('1')], "1", "the cluster, and the packet in it"),
    bind(Message::Focus(2), &[Char('2')], "2", "the headers, before and after"),
    bind(Message::Focus(3), &[Char('3')], "3", "the table that was asked"),
    bind(Message::Focus(4), &[Char('4')], "4", "why"),
    bind(Message::Focus(5), &[Char('5')], "5", "the timeline"),
    bind(Message::Down, &[Char('j'), Code(K::Down)], "j ↓", "moves the pane's text on").hint("jk", "scroll", 7),
    bind(Message::Up, &[Char('k'), Code(K::Up)], "k ↑", "moves it back"),
    bind(Message::PageDown, &[Code(K::PageDown), Ctrl('d')], "PgDn Ctrl-D", "moves it on by half a page"),
    bind(Message::PageUp, &[Code(K::PageUp), Ctrl('u')], "PgUp Ctrl-U", "moves it back by half a page"),
    bind(Message::Zoom, &[Char('z')], "z", "gives one pane the screen, and back").hint("z", "zoom", 8),
    bind(Message::LessDetail, &[Char('-')], "-", "stops once at every device").hint("+-", "detail", 9).words(&["hops"]),
    bind(Message::MoreDetail, &[Char('+'), Char('=')], "+", "stops at every decision").words(&["steps"]),
    bind(Message::Plain, &[Char('A')], "A", "goes on as plain text").hint("A", "plain text", 10),
    bind(Message::Help, &[Char('?'), Code(K::F(1))], "? F1", "shows the keys").hint("?", "help", 2).words(&["help", "?"]),
    bind(Message::Redraw, &[Ctrl('l')], "Ctrl-L", "draws everything anew"),
    bind(Message::Suspend, &[Ctrl('z')], "Ctrl-Z", "back to your shell; fg returns"),
    bind(Message::Leave, &[Char('q'), Code(K::Esc)], "q Esc", "closes what is open, else quits")
        .hint("q", "quit", 0)
        .words(&["quit", "q", "exit"]),
    bind(Message::Quit, &[Ctrl('c')], "Ctrl-C", "quits"),
];

/// Keys as they are written where there are no arrows.
pub fn in_ascii(shown: &str) -> String {
    shown.replace("←→", "Left/Right").replace('→', "Right").replace('←', "Left").replace('↓', "Down").replace('↑', "Up")
}

/// What a key event means.
pub fn message(event: &KeyEvent) -> Message {
    let ctrl = event.modifiers.contains(KeyModifiers::CONTROL);
    if event.modifiers.intersects(KeyModifiers::ALT | KeyModifiers::SUPER | KeyModifiers::META | KeyModifiers::HYPER) {
        return Message::Unknown;
    }
    let key = match event.code {
        K::Char(c) if ctrl => Ctrl(c.to_ascii_lowercase()),
        K::Char(c) => Char(c),
        K::BackTab => Code(K::BackTab),
        code if event.modifiers.contains(KeyModifiers::SHIFT) => Shift(code),
        code => Code(code),
    };
    TABLE.iter().find(|b| b.keys.contains(&key)).map_or(Message::Unknown, |b| b.message)
}

/// What a word of the plain mode means.
pub fn by_word(word: &str) -> Option<Message> {
    TABLE.iter().find(|b| b.words.contains(&word)).map(|b| b.message)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_key_and_no_word_has_two_meanings() {
        let mut keys: Vec<Key> = Vec::new();
        let mut words: Vec<&str> = Vec::new();
        for b in TABLE {
            for k in b.keys {
                assert!(!keys.contains(k), "{k:?} means two things, one of them: {}", b.help);
                keys.push(*k);
            }
            for w in b.words {
                assert!(!words.contains(w), "`{w}` means two things, one of them: {}", b.help);
                words.push(w);
            }
        }
    }

    #[test]
    fn every_action_can_be_typed_and_is_explained() {
        for b in TABLE {
            assert!(!b.keys.is_empty() && !b.help.is_empty(), "{b:?}");
            for k in b.keys {
                let (code, modifiers) = match *k {
                    Char(c) => (K::Char(c), KeyModifiers::NONE),
                    Ctrl(c) => (K::Char(c), KeyModifiers::CONTROL),
                    Code(c) => (c, KeyModifiers::NONE),
                    Shift(c) => (c, KeyModifiers::SHIFT),
                };
                assert_eq!(message(&KeyEvent::new(code, modifiers)), b.message, "{k:?}");
            }
            if let Some(Char(c)) = b.keys.iter().find(|k| matches!(k, Char(_))) {
                assert!(*c == ' ' || b.shown.contains(*c), "`{}` does not show {c}", b.shown);
            }
        }
    }

    #[test]
    fn hints_have_ranks_of_their_own() {
        let mut ranks: Vec<u8> = TABLE.iter().filter_map(|b| b.hint).map(|h| h.rank).collect();
        ranks.sort_unstable();
        let n = ranks.len();
        ranks.dedup();
        assert_eq!(ranks.len(), n);
    }

    #[test]
    fn with_alt_nothing_happens() {
        assert_eq!(message(&KeyEvent::new(K::Char('q'), KeyModifiers::ALT)), Message::Unknown);
    }
}
