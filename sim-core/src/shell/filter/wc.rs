//! `wc`: how many lines, words and bytes.

use super::Filter;
use crate::shell::answer::Answer;
use crate::shell::args::Args;
use crate::shell::{Command, ShellError, Spec};

/// The command.
pub static SPEC: Spec = Spec { name: "wc", about: "counts lines, words and bytes", usage: "wc [-l] [-w] [-c] [-m]", parse };

/// What is counted.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub struct Wc {
    lines: bool,
    words: bool,
    chars: bool,
    bytes: bool,
}

fn parse(args: &mut Args<'_>) -> Result<Command, ShellError> {
    args.status = 1;
    let mut wc = Wc::default();
    while let Some(w) = args.next() {
        match w {
            "-" => {}
            "--lines" => wc.lines = true,
            "--words" => wc.words = true,
            w if w.len() > 1 && w.starts_with('-') && !w.starts_with("--") => {
                for c in w[1..].chars() {
                    match c {
                        'l' => wc.lines = true,
                        'w' => wc.words = true,
                        'c' => wc.bytes = true,
                        'm' => wc.chars = true,
                        'L' => return Err(args.not_simulated("`-L`")),
                        c => return Err(args.error(format!("wc: invalid option -- '{c}'\nTry 'wc --help' for more information."))),
                    }
                }
            }
            w if w.starts_with('-') => return Err(args.unsupported()),
            w => return Err(args.not_simulated(format_args!("files (`{w}`); a filter reads what comes through the pipe"))),
        }
    }
    if wc == Wc::default() {
        wc = Wc { lines: true, words: true, bytes: true, chars: false };
    }
    Ok(Command::Filter(Filter::Wc(wc)))
}

impl Wc {
    pub(super) fn run(&self, input: &str) -> Answer {
        let counts = [
            (self.lines, input.matches('\n').count()),
            (self.words, input.split_whitespace().count()),
            (self.chars, input.chars().count()),
            (self.bytes, input.len()),
        ];
        let wanted: Vec<usize> = counts.iter().filter(|(w, _)| *w).map(|(_, n)| *n).collect();
        let out = match wanted.as_slice() {
            [one] => one.to_string(),
            // of a pipe the sizes are not known beforehand: seven columns each
            all => all.iter().map(|n| format!("{n:7}")).collect::<Vec<_>>().join(" "),
        };
        Answer::printed(out + "\n")
    }
}

#[cfg(test)]
mod tests {
    use super::super::testing::run;

    #[test]
    fn what_is_asked_for_is_counted() {
        for (line, out) in [("wc -l", "2\n"), ("wc", "      2       3       8\n"), ("wc -lw", "      2       3\n"), ("wc -m", "8\n")] {
            assert_eq!(run(line, "a b\ncde\n").0, out, "{line}");
        }
        assert_eq!(run("wc -l", "no newline").0, "0\n");
    }
}
