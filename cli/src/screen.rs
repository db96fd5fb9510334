//! The terminal interface, opened on a run.

use crate::error::CliError;
use crate::output::{Out, caps};
use scenarios::assemble::run::{Ran, story};
use scenarios::{Loaded, library};
use std::io::{IsTerminal, Write, stdin};
use tui::{LessonInput, Options, PlainOptions};

fn input(l: &Loaded, ran: Ran) -> LessonInput {
    let all = library::lessons();
    let number = all.iter().position(|x| x.id == l.id).map(|i| (i + 1, all.len()));
    let story = story(l, &ran);
    LessonInput { id: l.id.clone(), title: l.title().to_owned(), number, run: ran.run, story }
}

/// Opens the terminal interface.
pub(crate) fn open(l: &Loaded, ran: Ran, out: &mut Out) -> Result<(), CliError> {
    out.flush()?;
    tui::run(&input(l, ran), Options { caps: caps(out.color), start: 0 })?;
    Ok(())
}

/// The same as lines of text: commands come from standard input.
pub(crate) fn plain(l: &Loaded, ran: Ran, out: &mut Out) -> Result<(), CliError> {
    let keyboard = stdin().is_terminal() && out.is_terminal;
    let options = PlainOptions { ascii: !caps(false).unicode, prompt: keyboard, start: 0 };
    tui::run_plain(&input(l, ran), options, stdin().lock(), out)?;
    Ok(())
}
