//! `uniq`: equal lines that follow each other.

use super::{Filter, lines};
use crate::shell::answer::Answer;
use crate::shell::args::Args;
use crate::shell::{Command, ShellError, Spec};
use std::fmt::Write as _;

/// The command.
pub static SPEC: Spec = Spec { name: "uniq", about: "writes equal neighbouring lines once", usage: "uniq [-c] [-d | -u] [-i]", parse };

/// What is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub struct Uniq {
    count: bool,
    repeated: bool,
    unique: bool,
    ignore_case: bool,
}

fn parse(args: &mut Args<'_>) -> Result<Command, ShellError> {
    args.status = 1;
    let mut u = Uniq::default();
    while let Some(w) = args.next() {
        match w {
            "-" => {}
            w if w.len() > 1 && w.starts_with('-') && !w.starts_with("--") => {
                for c in w[1..].chars() {
                    match c {
                        'c' => u.count = true,
                        'd' => u.repeated = true,
                        'u' => u.unique = true,
                        'i' => u.ignore_case = true,
                        'D' | 'f' | 's' | 'w' | 'z' => return Err(args.not_simulated(format_args!("`-{c}`"))),
                        c => return Err(args.error(format!("uniq: invalid option -- '{c}'\nTry 'uniq --help' for more information."))),
                    }
                }
            }
            w if w.starts_with('-') => return Err(args.unsupported()),
            w => return Err(args.not_simulated(format_args!("files (`{w}`); a filter reads what comes through the pipe"))),
        }
    }
    Ok(Command::Filter(Filter::Uniq(u)))
}

impl Uniq {
    pub(super) fn run(&self, input: &str) -> Answer {
        let same = |a: &str, b: &str| if self.ignore_case { a.eq_ignore_ascii_case(b) } else { a == b };
        let mut out = String::new();
        let all = lines(input);
        let mut at = 0;
        while let Some(first) = all.get(at) {
            let n = all[at..].iter().take_while(|l| same(first, l)).count();
            at += n;
            if (self.repeated && n < 2) || (self.unique && n > 1) {
                continue;
            }
            let _ = if self.count { writeln!(out, "{n:7} {first}") } else { writeln!(out, "{first}") };
        }
        Answer::printed(out)
    }
}

#[cfg(test)]
mod tests {
    use super::super::testing::{refused, run};

    #[test]
    fn equal_neighbours_are_one() {
        let text = "a\na\nb\na\nA\n";
        for (line, out) in [
            ("uniq", "a\nb\na\nA\n"),
            ("uniq -c", "      2 a\n      1 b\n      1 a\n      1 A\n"),
            ("uniq -d", "a\n"),
            ("uniq -u", "b\na\nA\n"),
            ("uniq -ci", "      2 a\n      1 b\n      2 a\n"),
        ] {
            assert_eq!(run(line, text).0, out, "{line}");
        }
        assert_eq!(refused("uniq -q").0, "uniq: invalid option -- 'q'\nTry 'uniq --help' for more information.");
    }
}
