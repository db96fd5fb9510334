//! Floor 9: the terminal interface, a reader of recordings.
//!
//! ```text
//!                 ┌──────────────── pure ────────────────┐
//!  terminal ─► shell ─► keys ─► Message ─► update ─► Model ─► view ─► buffer ─► shell ─► terminal
//!                                            │        ▲
//!                                         Effect    Lesson ◄─ report ◄─ Run
//! ```
//!
//! Nothing here computes a packet: what is shown is read off a run. `content` says what each pane tells; the panes and
//! the plain mode both print that. Only `shell` touches the terminal.

pub mod caps;
pub mod content;
pub mod keys;
pub mod lesson;
pub mod message;
pub mod model;
pub mod path;
pub mod plain;
pub mod shell;
pub mod theme;
pub mod update;
pub mod view;

pub use caps::{Caps, Colors};
pub use lesson::{Lesson, LessonInput};
pub use plain::PlainOptions;

use shell::End;
use std::io::{self, BufRead, Write, stdin, stdout};

/// How the terminal is used.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Options {
    /// What the terminal can show.
    pub caps: Caps,
    /// The stop to begin at, from 0.
    pub start: usize,
}

/// Shows a lesson in the terminal until the reader leaves it; `A` goes on as plain text on the same terminal.
///
/// # Errors
/// When the terminal cannot be used. It is restored in any case.
pub fn run(input: &LessonInput, options: Options) -> io::Result<()> {
    let end = {
        let lesson = Lesson::new(input);
        shell::run(&lesson, options.caps, options.start)?
    };
    match end {
        End::Quit => Ok(()),
        End::Plain(start) => {
            let plain = PlainOptions { ascii: !options.caps.unicode, prompt: true, start };
            run_plain(input, plain, stdin().lock(), stdout().lock())
        }
    }
}

/// Shows a lesson as lines of text: commands are read from `reader`, answers appended to `writer`.
///
/// # Errors
/// When reading or writing fails.
pub fn run_plain(input: &LessonInput, options: PlainOptions, reader: impl BufRead, writer: impl Write) -> io::Result<()> {
    plain::run(input, options, reader, writer)
}
