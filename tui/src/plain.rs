//! Plain mode: the same lesson as lines of text, one fact per line, and the same commands as words. Nothing that was
//! written is ever changed.

use crate::caps::Caps;
use crate::content::{headers, table, why};
use crate::keys::{TABLE, by_word};
use crate::lesson::{Lesson, LessonInput};
use crate::message::Message;
use crate::model::{Density, Model};
use crate::update;
use sim_core::report::doc::{Block, Doc, Line, Mark};
use std::io::{self, BufRead, Write};

/// How plain mode behaves.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct PlainOptions {
    /// Whether only ASCII may be written.
    pub ascii: bool,
    /// Whether a prompt stands before each command: for a reader, not for a pipe.
    pub prompt: bool,
    /// The stop to begin at, from 0.
    pub start: usize,
}

/// Commands that only the plain mode needs: word and what it does.
const OWN: &[(&str, &str)] = &[
    ("show", "tells the step again"),
    ("table", "the table that was asked, row by row"),
    ("why", "the decision and its reasons"),
    ("headers", "every field of the packet's headers"),
    ("go N", "to step N"),
];

/// Reads commands and writes what they ask for, until `quit` or the end of the input.
///
/// # Errors
/// When reading or writing fails; a reader that went away (a closed pipe) is the end, not an error.
pub fn run(input: &LessonInput, options: PlainOptions, reader: impl BufRead, writer: impl Write) -> io::Result<()> {
    let lesson = Lesson::new(input);
    match (Talk { model: start(&lesson, options), options, out: writer }).run(reader) {
        Err(e) if e.kind() == io::ErrorKind::BrokenPipe => Ok(()),
        other => other,
    }
}

fn start<'l>(lesson: &'l Lesson<'l>, options: PlainOptions) -> Model<'l> {
    let caps = Caps { unicode: !options.ascii, ..Caps::default() };
    let mut model = Model::new(lesson, caps, (80, 24));
    model.state.cursor = options.start.min(model.len().saturating_sub(1));
    model
}

struct Talk<'l, W> {
    model: Model<'l>,
    options: PlainOptions,
    out: W,
}

impl<W: Write> Talk<'_, W> {
    fn say(&mut self, text: &str) -> io::Result<()> {
        writeln!(self.out, "{}", self.model.state.caps.clean(text))
    }

    fn run(mut self, reader: impl BufRead) -> io::Result<()> {
        let lesson = self.model.lesson;
        self.say(&format!("packetwalk, lesson: {}", lesson.title))?;
        self.say(&format!(
            "{} flows, {} steps. Commands: next, back, table, why, headers, help, quit.",
            lesson.flows.len(),
            self.model.len()
        ))?;
        self.step(None)?;
        let mut lines = reader.lines();
        loop {
            if self.options.prompt {
                write!(self.out, "> ")?;
            }
            self.out.flush()?;
            let Some(line) = lines.next() else { return Ok(()) };
            let line = line?;
            let words: Vec<&str> = line.split_whitespace().collect();
            if !self.command(&words.join(" "))? {
                return Ok(());
            }
        }
    }

    /// Does what a line says; false at the end.
    fn command(&mut self, line: &str) -> io::Result<bool> {
        match line {
            "" => self.act(Message::Forward)?,
            "show" => self.step(None)?,
            "table" => self.table()?,
            "why" => self.why()?,
            "headers" => self.headers()?,
            _ => match (line.split_once(' '), by_word(line)) {
                (_, Some(Message::Leave)) => return Ok(false),
                (_, Some(Message::Help)) => self.help()?,
                (_, Some(message)) => self.act(message)?,
                (Some(("go", n)), None) => match n.parse::<usize>() {
                    Ok(n) if (1..=self.model.len()).contains(&n) => {
                        let from = self.model.state.cursor;
                        self.model.state.cursor = n - 1;
                        self.step(Some(from))?;
                    }
                    Ok(_) | Err(_) => self.say(&format!("There are steps 1 to {}.", self.model.len()))?,
                },
                (_, None) => self.say(&format!("No command `{line}`. `help` lists them."))?,
            },
        }
        Ok(true)
    }

    fn act(&mut self, message: Message) -> io::Result<()> {
        let from = self.model.state.cursor;
        let density = self.model.state.density;
        let _ = update::update(&mut self.model, message);
        if self.model.state.density != density {
            let text = if self.model.state.density == Density::Hops { "Stops once at every device." } else { "Stops at every decision." };
            self.say(text)?;
        } else if self.model.state.cursor == from {
            let text = match message {
                Message::Forward | Message::NextDevice | Message::NextChange | Message::Last => "There is nothing further on.",
                Message::Back | Message::PreviousDevice | Message::PreviousChange | Message::First => "There is nothing before.",
                _ => "Nothing changes.",
            };
            return self.say(text);
        }
        self.step(Some(from))
    }

    /// Tells the step at hand; the flow and the packet only where they are others than at `from`.
    fn step(&mut self, from: Option<usize>) -> io::Result<()> {
        let lesson = self.model.lesson;
        let at = self.model.state.cursor;
        let (Some(stop), Some(view)) = (lesson.stops.get(at), lesson.view(at)) else {
            return self.say("This run has no steps.");
        };
        let before = from.and_then(|f| lesson.stops.get(f));
        if let Some(flow) = lesson.flow(at).filter(|_| before.is_none_or(|b| b.flow != stop.flow)) {
            self.say(&format!("Flow {}: {}.", flow.name, flow.title))?;
        }
        if before.is_none_or(|b| b.packet != stop.packet) && stop.packet.is_some() {
            self.say(&format!("Packet {}: {}.", stop.packet.0, lesson.packet_title(&view)))?;
        }
        let device = if view.dev.is_empty() { String::new() } else { format!(", {}", view.dev) };
        let mut doc = why::why(lesson, at);
        if self.model.state.density == Density::Hops {
            doc.append(why::hop(lesson, at));
        }
        self.say(&format!("Step {} of {}. {}{device}, {}.", at + 1, self.model.len(), view.netns, view.kind.name()))?;
        for line in paragraphs(&doc) {
            self.say(&line)?;
        }
        for c in &view.changed {
            self.say(&format!("Changed: {} {} became {}.", c.field, c.from, c.to))?;
        }
        Ok(())
    }

    fn why(&mut self) -> io::Result<()> {
        let at = self.model.state.cursor;
        for line in paragraphs(&why::why(self.model.lesson, at)) {
            self.say(&line)?;
        }
        if let Some(v) = self.model.lesson.view(at) {
            self.say(&format!("Kernel function: {}.", v.kernel))?;
            if let Some(m) = &v.made_by {
                self.say(&format!("The row comes from: {}.", m.text))?;
            }
        }
        Ok(())
    }

    fn table(&mut self) -> io::Result<()> {
        let Some(v) = self.model.lesson.view(self.model.state.cursor) else { return self.say("No table.") };
        let t = table::table(self.model.lesson, &v, true);
        let asked = if t.asked.is_empty() { String::new() } else { format!(", {}", t.asked) };
        self.say(&format!("Table: {}{asked}.", t.title))?;
        for b in &t.doc.0 {
            let line = match b {
                Block::Row { mark, row, why, .. } => {
                    let sign = match mark {
                        Mark::Won => "Won",
                        Mark::Lost => "Lost",
                        Mark::NotReached => "Not reached",
                        Mark::Learned => "Learned",
                        Mark::Shown => "Row",
                    };
                    let why = if why.is_empty() || *mark == Mark::NotReached { String::new() } else { format!(": {}", why.text()) };
                    format!("{sign}: {}{why}", row.text().trim_end())
                }
                Block::Columns { cells, .. } => cells.iter().map(Line::text).collect::<Vec<_>>().join(": "),
                Block::Heading { line, .. } | Block::Para { line, .. } | Block::Item { line, .. } => line.text(),
                Block::Gap => continue,
            };
            self.say(&line)?;
        }
        Ok(())
    }

    fn headers(&mut self) -> io::Result<()> {
        let Some(v) = self.model.lesson.view(self.model.state.cursor) else { return self.say("No packet.") };
        let all = headers::headers(self.model.lesson, &v);
        if all.is_empty() {
            return self.say("No packet yet: the program asks before there is one.");
        }
        for h in &all {
            let quoted = if h.quoted { ", quoted" } else { "" };
            for f in &h.fields {
                let becomes = f.becomes.as_ref().map(|b| format!(" became {b}")).unwrap_or_default();
                let note = f.note.as_ref().map(|n| format!(" ({n})")).unwrap_or_default();
                self.say(&format!("{}{quoted}, {}: {}{becomes}{note}", h.title, f.name.replace('_', " "), f.value))?;
            }
        }
        Ok(())
    }

    fn help(&mut self) -> io::Result<()> {
        for b in TABLE.iter().filter(|b| !b.words.is_empty()) {
            self.say(&format!("{}: {}", b.words.join(", "), b.help))?;
        }
        for (word, text) in OWN {
            self.say(&format!("{word}: {text}"))?;
        }
        self.say("An empty line is `next`.")
    }
}

fn paragraphs(doc: &Doc) -> Vec<String> {
    let text = |b: &Block| match b {
        Block::Para { line, .. } => Some(line.text()),
        _ => None,
    };
    doc.0.iter().filter_map(text).collect()
}
