//! `head`: the first lines.

use super::{Filter, lines, text};
use crate::shell::answer::Answer;
use crate::shell::args::Args;
use crate::shell::{Command, ShellError, Spec};

/// The command.
pub static SPEC: Spec = Spec { name: "head", about: "writes the first lines", usage: "head [-n N | -N | -c BYTES]", parse };

/// How much is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Head {
    /// The first lines.
    Lines(usize),
    /// All but the last lines.
    AllBut(usize),
    /// The first bytes.
    Bytes(usize),
}

/// The value of an option: what follows the letter, or the next word.
pub(super) fn value<'l>(args: &mut Args<'l>, word: &'l str, name: &str, letter: char) -> Result<&'l str, ShellError> {
    let rest = &word[2..];
    if !rest.is_empty() {
        return Ok(rest);
    }
    args.next().ok_or_else(|| args.end(format!("{name}: option requires an argument -- '{letter}'")))
}

fn parse(args: &mut Args<'_>) -> Result<Command, ShellError> {
    args.status = 1;
    let mut head = Head::Lines(10);
    while let Some(w) = args.next() {
        head = match w {
            w if w.starts_with("-n") || w.starts_with("-c") => {
                let bytes = w.starts_with("-c");
                let v = value(args, w, "head", if bytes { 'c' } else { 'n' })?;
                let what = if bytes { "bytes" } else { "lines" };
                let number = |v: &str| v.parse().map_err(|_| args.error(format!("head: invalid number of {what}: ‘{v}’")));
                match (bytes, v.strip_prefix('-')) {
                    (false, Some(rest)) => Head::AllBut(number(rest)?),
                    (false, None) => Head::Lines(number(v.strip_prefix('+').unwrap_or(v))?),
                    (true, _) => Head::Bytes(number(v)?),
                }
            }
            w if w.len() > 1 && w.starts_with('-') && w[1..].bytes().all(|b| b.is_ascii_digit()) => {
                Head::Lines(w[1..].parse().map_err(|_| args.error(format!("head: invalid number of lines: ‘{}’", &w[1..])))?)
            }
            "-" => continue,
            w if w.starts_with('-') => return Err(args.unsupported()),
            w => return Err(args.not_simulated(format_args!("files (`{w}`); a filter reads what comes through the pipe"))),
        };
    }
    Ok(Command::Filter(Filter::Head(head)))
}

impl Head {
    pub(super) fn run(&self, input: &str) -> Answer {
        let all = lines(input);
        Answer::printed(match *self {
            Head::Lines(n) => text(all.into_iter().take(n)),
            Head::AllBut(n) => text(&all[..all.len().saturating_sub(n)]),
            Head::Bytes(n) => String::from_utf8_lossy(&input.as_bytes()[..n.min(input.len())]).into_owned(),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::super::testing::{refused, run};

    #[test]
    fn the_first_lines_are_written() {
        for (line, out) in [
            ("head -n 2", "a\nb\n"),
            ("head -1", "a\n"),
            ("head -n1", "a\n"),
            ("head -n -2", "a\n"),
            ("head", "a\nb\nc\n"),
            ("head -c 3", "a\nb"),
        ] {
            assert_eq!(run(line, "a\nb\nc\n").0, out, "{line}");
        }
        assert_eq!(refused("head -n x"), ("head: invalid number of lines: ‘x’".to_owned(), 1));
        assert_eq!(refused("head -n"), ("head: option requires an argument -- 'n'".to_owned(), 1));
    }
}
