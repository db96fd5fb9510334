//! `grep`: lines that an expression fits.

use super::{Filter, lines, posix};
use crate::shell::answer::Answer;
use crate::shell::args::Args;
use crate::shell::{Command, ShellError, Spec};
use regex::Regex;
use std::fmt::Write as _;

/// `grep`.
pub static SPEC: Spec = Spec {
    name: "grep",
    about: "writes the lines that an expression fits",
    usage: "grep [-cEFilnoqvwx] [-A N] [-B N] [-C N] [-m N] PATTERN",
    parse,
};
/// `egrep`.
pub static EGREP: Spec = Spec { name: "egrep", about: "grep -E", usage: "egrep PATTERN", parse: parse_extended };

/// What is searched, and how it is told.
#[derive(Clone, Debug, PartialEq, Eq, Default)]
pub struct Grep {
    /// Patterns; a line must fit one.
    patterns: Vec<String>,
    extended: bool,
    fixed: bool,
    ignore_case: bool,
    invert: bool,
    count: bool,
    only: bool,
    quiet: bool,
    number: bool,
    word: bool,
    whole: bool,
    before: usize,
    after: usize,
    max: Option<usize>,
}

const USAGE: &str = "Usage: grep [OPTION]... PATTERNS [FILE]...\nTry 'grep --help' for more information.";

fn parse_extended(args: &mut Args<'_>) -> Result<Command, ShellError> {
    read(args, Grep { extended: true, ..Grep::default() })
}

fn parse(args: &mut Args<'_>) -> Result<Command, ShellError> {
    read(args, Grep::default())
}

fn read(args: &mut Args<'_>, mut g: Grep) -> Result<Command, ShellError> {
    args.status = 2;
    let mut pattern: Option<String> = None;
    let mut options = true;
    while let Some(w) = args.next() {
        match w {
            "--" if options => options = false,
            "-" => {}
            "--color" | "--color=auto" | "--color=never" | "--line-buffered" => {}
            w if options && w.starts_with("--") => return Err(args.unsupported()),
            w if options && w.starts_with('-') => {
                for (i, c) in w[1..].char_indices() {
                    // the value of an option is the rest of the word, or the next word
                    let mut value = || -> Result<String, ShellError> {
                        let rest = &w[1 + i + c.len_utf8()..];
                        if !rest.is_empty() {
                            return Ok(rest.to_owned());
                        }
                        let missing = format!("grep: option requires an argument -- '{c}'\n{USAGE}");
                        args.next().map(str::to_owned).ok_or_else(|| args.end(missing))
                    };
                    match c {
                        'v' => g.invert = true,
                        'c' => g.count = true,
                        'i' | 'y' => g.ignore_case = true,
                        'E' => g.extended = true,
                        'G' => g.extended = false,
                        'F' => g.fixed = true,
                        'o' => g.only = true,
                        'q' => g.quiet = true,
                        'n' => g.number = true,
                        'w' => g.word = true,
                        'x' => g.whole = true,
                        'h' | 's' | 'a' => {}
                        'e' => {
                            let v = value()?;
                            g.patterns.extend(v.split('\n').map(str::to_owned));
                            break;
                        }
                        'A' | 'B' | 'C' | 'm' => {
                            let v = value()?;
                            let n: usize = v.parse().map_err(|_| {
                                let what =
                                    if c == 'm' { "invalid max count".to_owned() } else { format!("{v}: invalid context length argument") };
                                args.error(format!("grep: {what}"))
                            })?;
                            match c {
                                'A' => g.after = n,
                                'B' => g.before = n,
                                'm' => g.max = Some(n),
                                _ => (g.before, g.after) = (n, n),
                            }
                            break;
                        }
                        'P' | 'l' | 'L' | 'r' | 'R' | 'f' | 'z' | 'b' | 'H' | 'Z' | 'U' | 'T' | 'd' | 'D' | 'I' => {
                            return Err(args.not_simulated(format_args!("`-{c}`")));
                        }
                        c => return Err(args.error(format!("grep: invalid option -- '{c}'\n{USAGE}"))),
                    }
                }
            }
            w if pattern.is_none() && g.patterns.is_empty() => pattern = Some(w.to_owned()),
            w => return Err(args.not_simulated(format_args!("files (`{w}`); a filter reads what comes through the pipe"))),
        }
    }
    if let Some(p) = pattern {
        g.patterns.extend(p.split('\n').map(str::to_owned));
    }
    if g.patterns.is_empty() {
        return Err(args.end(USAGE));
    }
    if let Err(e) = g.compile() {
        return Err(args.end(if e.starts_with("not simulated") { e } else { format!("grep: {e}") }));
    }
    Ok(Command::Filter(Filter::Grep(g)))
}

impl Grep {
    fn compile(&self) -> Result<Vec<Regex>, String> {
        let one = |p: &String| {
            let p = if self.fixed {
                p.chars()
                    .map(|c| {
                        if c.is_alphanumeric() || c.is_whitespace() {
                            c.to_string()
                        } else {
                            format!("[{c}]").replace("[^]", "\\^").replace("[\\]", "\\\\")
                        }
                    })
                    .collect()
            } else {
                p.clone()
            };
            posix::compile(&p, self.extended && !self.fixed, self.ignore_case)
        };
        self.patterns.iter().map(one).collect()
    }

    /// Where a line fits, from left to right, not overlapping.
    fn places(&self, all: &[Regex], line: &str) -> Vec<(usize, usize)> {
        let letter = |c: Option<char>| c.is_some_and(|c| c.is_alphanumeric() || c == '_');
        let fits = |a: usize, b: usize| {
            let word = !letter(line[..a].chars().next_back()) && !letter(line[b..].chars().next());
            (!self.word || word) && (!self.whole || (a == 0 && b == line.len()))
        };
        let mut found: Vec<(usize, usize)> =
            all.iter().flat_map(|r| r.find_iter(line)).map(|m| (m.start(), m.end())).filter(|(a, b)| fits(*a, *b)).collect();
        found.sort_by_key(|(a, b)| (*a, usize::MAX - *b));
        let mut end = 0;
        found.retain(|(a, b)| {
            let free = *a >= end;
            if free {
                end = *b;
            }
            free
        });
        found
    }

    pub(super) fn run(&self, input: &str) -> Answer {
        // it was compiled when it was read
        let Ok(all) = self.compile() else { return Answer { status: 2, ..Answer::default() } };
        let lines = lines(input);
        let mut hits: Vec<usize> = (0..lines.len()).filter(|i| self.places(&all, lines[*i]).is_empty() == self.invert).collect();
        hits.truncate(self.max.unwrap_or(usize::MAX));
        let status = u8::from(hits.is_empty());
        if self.quiet {
            return Answer { status, ..Answer::default() };
        }
        let mut out = String::new();
        if self.count {
            let _ = writeln!(out, "{}", hits.len());
            return Answer { stdout: out, stderr: String::new(), status };
        }
        let mut next = 0;
        for (n, &hit) in hits.iter().enumerate() {
            let number = |i: usize, mark: char| if self.number { format!("{}{mark}", i + 1) } else { String::new() };
            if self.only {
                for (a, b) in self.places(&all, lines[hit]).into_iter().filter(|(a, b)| a != b && !self.invert) {
                    let _ = writeln!(out, "{}{}", number(hit, ':'), &lines[hit][a..b]);
                }
                continue;
            }
            let from = hit.saturating_sub(self.before).max(next);
            if self.before + self.after > 0 && n > 0 && from > next {
                out.push_str("--\n");
            }
            let to = (hit + self.after + 1).min(lines.len()).min(hits.get(n + 1).copied().unwrap_or(usize::MAX).max(hit + 1));
            for (i, line) in lines.iter().enumerate().take(to).skip(from) {
                let _ = writeln!(out, "{}{line}", number(i, if i == hit { ':' } else { '-' }));
            }
            next = to;
        }
        Answer { stdout: out, stderr: String::new(), status }
    }
}

#[cfg(test)]
mod tests {
    use super::super::testing::{refused, run};

    #[test]
    fn lines_are_found() {
        let text = "one\ntwo\nthree\nfour\nfive\n";
        for (line, out, status) in [
            ("grep o", "one\ntwo\nfour\n", 0),
            ("grep -v o", "three\nfive\n", 0),
            ("grep -c o", "3\n", 0),
            ("grep -n t", "2:two\n3:three\n", 0),
            ("grep -i ONE", "one\n", 0),
            ("grep -E '(t|f)o'", "four\n", 0),
            ("grep -E 't|fo'", "two\nthree\nfour\n", 0),
            ("grep -o '[ou]'", "o\no\no\nu\n", 0),
            ("grep -q two", "", 0),
            ("grep nine", "", 1),
            ("grep -c nine", "0\n", 1),
            ("grep -w on", "", 1),
            ("grep -x two", "two\n", 0),
            ("grep -A1 one", "one\ntwo\n", 0),
            ("grep -B 1 five", "four\nfive\n", 0),
            ("grep -C1 'one\\|five'", "one\ntwo\n--\nfour\nfive\n", 0),
            ("grep -m 1 o", "one\n", 0),
            ("grep -e one -e five", "one\nfive\n", 0),
            ("egrep 'on+e'", "one\n", 0),
            ("grep -nA1 one", "1:one\n2-two\n", 0),
        ] {
            assert_eq!(run(line, text), (out.to_owned(), status), "{line}");
        }
        assert_eq!(run("grep -F 'a.*^[x]\\'", "a.*^[x]\\\nab\n").0, "a.*^[x]\\\n");
    }

    #[test]
    fn what_is_wrong_is_said_as_grep_says_it() {
        assert_eq!(refused("grep '\\(a'"), ("grep: Unmatched ( or \\(".to_owned(), 2));
        assert_eq!(refused("grep -A x y"), ("grep: x: invalid context length argument".to_owned(), 2));
        assert!(refused("grep").0.starts_with("Usage: grep [OPTION]... PATTERNS"));
        assert_eq!(refused("grep -P x").0, "not simulated: `-P`");
    }
}
