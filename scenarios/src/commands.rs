//! The emulated commands, as far as a scenario's form is concerned: what the shell makes of a text, and says of it.

use sim_core::shell::{self, Command, OpIn};

/// What is wrong with a command.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Problem {
    /// First byte of the text.
    pub start: usize,
    /// First byte after it.
    pub end: usize,
    /// What is wrong, in the words of the tool.
    pub what: String,
    /// Words at the place.
    pub label: String,
    /// How to repair it.
    pub help: Option<String>,
    /// A real host could do it, and the simulation cannot yet.
    pub not_yet: bool,
}

/// What a command is, once it is read.
#[derive(Clone, Debug)]
pub enum Kind {
    /// Changes, in order.
    Changes(Vec<OpIn>),
    /// A question or traffic.
    Other,
    /// It is wrong.
    Wrong(Problem),
}

/// A command of a text.
#[derive(Clone, Debug)]
pub struct Scripted {
    /// Its line, from 1.
    pub line: usize,
    /// First byte of the text.
    pub start: usize,
    /// First byte after its line.
    pub end: usize,
    /// As it is written, its here-document included.
    pub text: String,
    /// What it is.
    pub kind: Kind,
}

impl Scripted {
    /// The changes it makes.
    pub fn ops(&self) -> &[OpIn] {
        match &self.kind {
            Kind::Changes(ops) => ops,
            _ => &[],
        }
    }
}

/// The commands of a text: one a line, `#` comments, `CMD <<EOF` … `EOF`.
pub fn script(text: &str) -> Vec<Scripted> {
    let starts: Vec<usize> = std::iter::once(0).chain(text.match_indices('\n').map(|(i, _)| i + 1)).collect();
    let indent = indentation(text);
    let plain = dedent(text, indent);
    let read = shell::parse_script(&plain);
    let begins: Vec<usize> = read.iter().map(|s| s.line as usize).collect();
    read.into_iter()
        .enumerate()
        .map(|(i, s)| {
            let line = s.line as usize;
            let from = starts.get(line - 1).copied().unwrap_or(0);
            let to = line_end(text, from);
            let lead = text[from..to].len() - text[from..to].trim_start().len();
            // a here-document reaches to the line before the next command
            let last = begins.get(i + 1).and_then(|l| starts.get(l - 1)).copied().unwrap_or(text.len());
            let whole = match text[from..to].contains("<<") {
                true => dedent(&text[from..last], indent).trim().to_owned(),
                false => s.text.clone(),
            };
            let kind = match s.command {
                Ok(Command::Ops(ops)) => Kind::Changes(ops),
                Ok(Command::List(list)) => list.changes().map_or(Kind::Other, Kind::Changes),
                Ok(_) => Kind::Other,
                Err(e) => {
                    let row = starts.get(e.line.saturating_sub(1) as usize).copied().unwrap_or(from);
                    let row_end = line_end(text, row);
                    let shift = if e.line <= 1 { 0 } else { indent };
                    let byte = |col: usize| text[row..row_end].char_indices().nth(col + shift).map_or(row_end, |(b, _)| row + b);
                    let start = byte(e.col.saturating_sub(1) as usize);
                    let end = byte((e.col.saturating_sub(1) + e.len.max(1)) as usize).max(start);
                    let (start, end) = quoted(text, row, row_end, &e.message).unwrap_or((start, end));
                    Kind::Wrong(said(&e, start, end))
                }
            };
            Scripted { line, start: from + lead, end: to, text: whole, kind }
        })
        .collect()
}

/// How many blanks all lines but the first begin with: the indentation of the file, which is no part of the text.
fn indentation(text: &str) -> usize {
    let blanks = |l: &str| l.bytes().take_while(|b| matches!(b, b' ' | b'\t')).count();
    text.lines().skip(1).filter(|l| !l.trim().is_empty()).map(blanks).min().unwrap_or(0)
}

/// The text without that indentation.
fn dedent(text: &str, indent: usize) -> String {
    let mut out = String::with_capacity(text.len());
    for (i, line) in text.split_inclusive('\n').enumerate() {
        let blank = line.trim().is_empty();
        out.push_str(if i == 0 || blank { line } else { line.get(indent..).unwrap_or(line) });
    }
    out
}

fn line_end(text: &str, from: usize) -> usize {
    let end = text[from..].find('\n').map_or(text.len(), |n| from + n);
    if text[from..end].ends_with('\r') { end - 1 } else { end }
}

/// The word of a line that a message quotes, if it stands there once: a tool names it more exactly than it points at it.
fn quoted(text: &str, row: usize, end: usize, message: &str) -> Option<(usize, usize)> {
    let from = message.find('`').or_else(|| message.find('"')).or_else(|| message.find(" '").map(|i| i + 1))? + 1;
    let word = &message[from..];
    let word = &word[..word.find(['`', '"', '\''])?];
    let line = &text[row..end];
    let mut places = line.match_indices(word).filter(|(i, w)| {
        let is_end = |c: Option<char>| c.is_none_or(char::is_whitespace);
        is_end(line[..*i].chars().next_back()) && is_end(line[i + w.len()..].chars().next())
    });
    let (at, _) = places.next()?;
    (!word.is_empty() && places.next().is_none()).then_some((row + at, row + at + word.len()))
}

fn said(e: &shell::ShellError, start: usize, end: usize) -> Problem {
    let mut p =
        Problem { start, end, what: e.message.trim_end().to_owned(), label: String::new(), help: e.help.clone(), not_yet: e.not_simulated };
    // The tool says it in one or more lines; the first is what is wrong.
    if let Some((first, rest)) = p.what.clone().split_once('\n') {
        p.what = first.to_owned();
        p.help = p.help.or_else(|| Some(rest.trim().to_owned()));
    }
    if let Some(unknown) = p.what.strip_prefix("bash: ").and_then(|w| w.strip_suffix(": command not found")) {
        p.what = format!("packetwalk has no command `{unknown}`");
        if let Some(h) = p.help.take() {
            if h.starts_with("did you mean") { p.label = h } else { p.help = Some(h) }
        }
        if p.label.is_empty() && p.help.is_none() {
            p.help = Some(format!("the commands: {}", shell::COMMANDS.iter().map(|c| c.name).collect::<Vec<_>>().join(", ")));
        }
    } else if p.help.as_deref().is_some_and(|h| h.starts_with("did you mean") && !h.contains('\n') && h.len() < 60) {
        p.label = p.help.take().unwrap_or_default();
    }
    if p.not_yet {
        p.label = String::new();
        p.what = p.what.replace("not simulated: ", "").replace("packetwalk: ", "");
    }
    p
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]
    use super::*;

    #[test]
    fn commands_have_lines_and_places() {
        let text = "\n    # a comment\n  ip link add a type bridge # b\n\n  iptables-restore <<EOF\n  *nat\n  COMMIT\n  EOF\r\n  sysctl -w net.ipv4.ip_forward=1";
        let l = script(text);
        assert_eq!(l.iter().map(|l| l.line).collect::<Vec<_>>(), [3, 5, 9]);
        assert!(l.iter().all(|l| matches!(l.kind, Kind::Changes(_))), "{l:?}");
        assert!(text[l[0].start..].starts_with("ip link"));
        assert!(l[1].text.contains("COMMIT") && l[1].text.ends_with("EOF"), "{:?}", l[1].text);
        assert!(matches!(shell::parse(&l[1].text), Ok(Command::Ops(_))));
    }

    #[test]
    fn a_slip_has_its_place() {
        let text = "ip link set eth0 up\n  iptabels -L";
        let l = script(text);
        let Kind::Wrong(p) = &l[1].kind else { panic!("{:?}", l[1]) };
        assert_eq!(
            (&text[p.start..p.end], p.what.as_str(), p.label.as_str()),
            ("iptabels", "packetwalk has no command `iptabels`", "did you mean `iptables`?")
        );
    }
}
