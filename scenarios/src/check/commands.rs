//! `run:` texts: one command a line, as in a shell.

use super::Subject;
use super::names::{NoPlace, no_place};
use crate::diag::Diagnostic;
use crate::schema::{At, Flow};
use crate::text::Span;

/// A command of a `run:` text.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Line {
    /// Byte of the text where it begins.
    pub offset: usize,
    /// Its line in the text, from 1.
    pub number: usize,
    /// The command, without comment and white space around it.
    pub text: String,
    /// What stands between `<<EOF` and `EOF`.
    pub input: Option<String>,
}

/// Cuts a text into commands: empty lines and comments are passed over, `CMD <<EOF` takes the lines up to `EOF`.
///
/// # Errors
/// The offset of a `<<WORD` whose end does not come, and the word.
pub fn lines(text: &str) -> Result<Vec<Line>, (usize, String)> {
    let mut out = Vec::new();
    let mut offset = 0;
    let mut rest = text.split_inclusive('\n').enumerate();
    while let Some((number, raw)) = rest.next() {
        let start = offset;
        offset += raw.len();
        let bare = raw.trim_end_matches(['\n', '\r']);
        let lead = bare.len() - bare.trim_start().len();
        let command = without_comment(bare.trim_start()).trim_end();
        if command.is_empty() {
            continue;
        }
        let mut line = Line { offset: start + lead, number: number + 1, text: command.to_owned(), input: None };
        if let Some((command, word)) = heredoc(command) {
            line.text = command.to_owned();
            let mut input = String::new();
            loop {
                let Some((_, raw)) = rest.next() else { return Err((line.offset, word.to_owned())) };
                offset += raw.len();
                if raw.trim() == word {
                    break;
                }
                input.push_str(raw.trim_end_matches(['\n', '\r']).trim_start());
                input.push('\n');
            }
            line.input = Some(input);
        }
        out.push(line);
    }
    Ok(out)
}

/// `CMD <<EOF`: the command and the word.
fn heredoc(command: &str) -> Option<(&str, &str)> {
    let (before, after) = command.split_once("<<")?;
    let word = after.trim_start_matches('-').trim().trim_matches(['\'', '"']);
    (!word.is_empty() && word.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_') && before.matches(['\'', '"']).count() % 2 == 0)
        .then_some((before.trim_end(), word))
}

/// The line up to a `#` that begins a word outside quotes.
fn without_comment(line: &str) -> &str {
    let mut quote = None;
    let mut before = ' ';
    for (i, c) in line.char_indices() {
        match (quote, c) {
            (None, '#') if before.is_whitespace() => return &line[..i],
            (None, '\'' | '"') => quote = Some(c),
            (Some(q), c) if q == c => quote = None,
            _ => {}
        }
        before = c;
    }
    line
}

/// All `run:` texts of changes: what stands in the file at hand.
fn texts<'a>(s: &Subject<'a>) -> Vec<(Option<&'a At<String>>, &'a At<String>, &'static str)> {
    let sc = s.scenario;
    let mut out = Vec::new();
    for h in &sc.hosts {
        out.extend(h.run.as_ref().map(|r| (None, r, "host")));
    }
    for n in sc.cluster.iter().flat_map(|c| &c.nodes) {
        out.extend(n.run.as_ref().map(|r| (None, r, "host")));
    }
    for t in &sc.timeline {
        out.extend(t.run.as_ref().map(|r| (t.on.as_ref(), r, "timeline")));
    }
    for c in sc.challenge.iter().flat_map(|c| c.fault.iter().chain(&c.solution)) {
        out.push((c.on.as_ref(), &c.run, "challenge"));
    }
    out
}

pub(super) fn check(s: &mut Subject<'_>) {
    for (on, run, what) in texts(s) {
        let needs_place = what != "host";
        if let Some(on) = on
            && let Err(why) = s.names.place(&on.value)
        {
            let d = no_place(s.names, &on.value, on.span, &why);
            s.say(d);
        }
        match lines(&run.value) {
            Err((offset, word)) => {
                let at = Inside::new(run).span(offset, offset + 2);
                s.say(
                    Diagnostic::error(at, format!("the text has no line `{word}` that ends the input"))
                        .help(format!("write {word} on a line of its own")),
                );
            }
            Ok(list) => {
                if list.is_empty() {
                    s.say(Diagnostic::warning(run.span, "there is no command in it").label("nothing is done"));
                }
                for line in &list {
                    command(s, run, line);
                    let kubectl = line.text.split_whitespace().next() == Some("kubectl");
                    if needs_place && on.is_none() && !kubectl {
                        let at = Inside::new(run).line(line);
                        s.say(Diagnostic::error(at, "a command needs a place").label("no `on`").help("write `on: \"node-a\"` beside it"));
                    }
                }
            }
        }
    }
    let sc = s.scenario;
    let checks = sc.challenge.iter().flat_map(|c| &c.checks).filter_map(|c| c.flow.as_ref());
    for f in sc.flows.iter().chain(checks) {
        if let Flow::Run(f) = &f.value {
            match lines(&f.run.value) {
                Ok(list) if list.len() == 1 => command(s, &f.run, &list[0]),
                Ok(list) => s.say(Diagnostic::error(f.run.span, "a flow runs one command").label(format!("there are {}", list.len()))),
                Err(_) => s.say(Diagnostic::error(f.run.span, "the input has no end")),
            }
        }
    }
}

/// Places inside a string literal. The source is not at hand here: positions are given as marks that
/// [`crate::load`] turns into bytes of the source.
struct Inside(Span);

/// Offsets inside literals are carried above this bit until the source is at hand.
pub(crate) const INSIDE: usize = 1 << 40;

impl Inside {
    fn new(text: &At<String>) -> Self {
        Inside(text.span)
    }
    fn span(&self, from: usize, to: usize) -> Span {
        Span::new(self.0.start + INSIDE * (from + 1), self.0.start + INSIDE * (to + 1))
    }
    fn line(&self, l: &Line) -> Span {
        self.span(l.offset, l.offset + l.text.len())
    }
}

/// Turns marks inside literals into bytes of `src`.
pub(crate) fn settle(src: &str, d: &mut Diagnostic) {
    for l in &mut d.labels {
        if l.span.start >= INSIDE {
            let literal = l.span.start % INSIDE;
            let whole = Span::new(literal, src.len());
            let from = crate::text::lex::source_offset(src, whole, l.span.start / INSIDE - 1);
            let to = crate::text::lex::source_offset(src, whole, (l.span.end / INSIDE).saturating_sub(1));
            l.span = Span::new(from, to.max(from));
        }
    }
}

/// Complaints about one command.
fn command(s: &mut Subject<'_>, text: &At<String>, line: &Line) {
    let inside = Inside::new(text);
    for p in crate::commands::problems(&line.text, line.input.as_deref()) {
        let span = inside.span(line.offset + p.start, line.offset + p.end);
        let mut d = Diagnostic::error(span, p.what);
        if p.not_yet {
            d = Diagnostic::not_yet(span, d.message);
        }
        d = d.label(p.label);
        s.say(match p.help {
            Some(h) => d.help(h),
            None => d,
        });
    }
}

/// Whether `place` may stand in `on` of a step or a command; the complaint otherwise.
pub(super) fn place(s: &mut Subject<'_>, on: &At<String>) {
    if on.value.contains('*') {
        return;
    }
    if let Err(why @ (NoPlace::Unknown | NoPlace::Ambiguous(_))) = s.names.place(&on.value) {
        let d = no_place(s.names, &on.value, on.span, &why);
        s.say(d);
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]
    use super::*;

    #[test]
    fn cuts_lines() {
        let text =
            "\n   # a comment\n  ip link add a type bridge # b\n\n iptables-restore <<EOF\n *nat\n COMMIT\n EOF\r\n sysctl -w x=\"a # b\"";
        let l = lines(text).unwrap();
        assert_eq!(
            l.iter().map(|l| (l.number, l.text.as_str())).collect::<Vec<_>>(),
            [(3, "ip link add a type bridge"), (5, "iptables-restore"), (9, "sysctl -w x=\"a # b\"")]
        );
        assert_eq!(l[1].input.as_deref(), Some("*nat\nCOMMIT\n"));
        assert!(text[l[0].offset..].starts_with("ip link"));
        assert_eq!(lines("x <<EOF\n a"), Err((0, "EOF".to_owned())));
    }
}
