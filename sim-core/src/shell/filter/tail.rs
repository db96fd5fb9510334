//! `tail`: the last lines.

use super::head::value;
use super::{Filter, lines, text};
use crate::shell::answer::Answer;
use crate::shell::args::Args;
use crate::shell::{Command, ShellError, Spec};

/// The command.
pub static SPEC: Spec = Spec { name: "tail", about: "writes the last lines", usage: "tail [-n N | -n +N | -N | -c BYTES]", parse };

/// How much is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Tail {
    /// The last lines.
    Lines(usize),
    /// From that line on, counted from 1.
    From(usize),
    /// The last bytes.
    Bytes(usize),
}

fn parse(args: &mut Args<'_>) -> Result<Command, ShellError> {
    args.status = 1;
    let mut tail = Tail::Lines(10);
    while let Some(w) = args.next() {
        tail = match w {
            w if w.starts_with("-n") || w.starts_with("-c") => {
                let bytes = w.starts_with("-c");
                let v = value(args, w, "tail", if bytes { 'c' } else { 'n' })?;
                let what = if bytes { "bytes" } else { "lines" };
                let number = |v: &str| v.parse().map_err(|_| args.error(format!("tail: invalid number of {what}: ‘{v}’")));
                match (bytes, v.strip_prefix('+')) {
                    (false, Some(rest)) => Tail::From(number(rest)?),
                    (false, None) => Tail::Lines(number(v.strip_prefix('-').unwrap_or(v))?),
                    (true, _) => Tail::Bytes(number(v)?),
                }
            }
            w if w.len() > 1 && w.starts_with('-') && w[1..].bytes().all(|b| b.is_ascii_digit()) => {
                Tail::Lines(w[1..].parse().map_err(|_| args.error(format!("tail: invalid number of lines: ‘{}’", &w[1..])))?)
            }
            "-" => continue,
            w if w.starts_with('-') => return Err(args.unsupported()),
            w => return Err(args.not_simulated(format_args!("files (`{w}`); a filter reads what comes through the pipe"))),
        };
    }
    Ok(Command::Filter(Filter::Tail(tail)))
}

impl Tail {
    pub(super) fn run(&self, input: &str) -> Answer {
        let all = lines(input);
        Answer::printed(match *self {
            Tail::Lines(n) => text(&all[all.len().saturating_sub(n)..]),
            Tail::From(n) => text(all.into_iter().skip(n.saturating_sub(1))),
            Tail::Bytes(n) => String::from_utf8_lossy(&input.as_bytes()[input.len().saturating_sub(n)..]).into_owned(),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::super::testing::{refused, run};

    #[test]
    fn the_last_lines_are_written() {
        for (line, out) in
            [("tail -n 2", "b\nc\n"), ("tail -1", "c\n"), ("tail -n +2", "b\nc\n"), ("tail -n+3", "c\n"), ("tail", "a\nb\nc\n")]
        {
            assert_eq!(run(line, "a\nb\nc\n").0, out, "{line}");
        }
        assert_eq!(refused("tail -n x"), ("tail: invalid number of lines: ‘x’".to_owned(), 1));
    }
}
