//! `cut`: parts of each line.

use super::{Filter, lines, text};
use crate::shell::answer::Answer;
use crate::shell::args::Args;
use crate::shell::{Command, ShellError, Spec};

/// The command.
pub static SPEC: Spec = Spec { name: "cut", about: "writes parts of each line", usage: "cut -f LIST [-d C] [-s] | cut -c LIST", parse };

/// What is kept of each line.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Cut {
    /// Ranges, both ends included, counted from 1.
    list: Vec<(usize, usize)>,
    /// The delimiter of fields; characters are counted without one.
    delimiter: Option<char>,
    /// Between the fields of the output.
    output: Option<String>,
    /// Lines without a delimiter are left out.
    only_delimited: bool,
    /// What the list does not name is kept.
    complement: bool,
}

const TRY: &str = "Try 'cut --help' for more information.";

fn ranges(args: &Args<'_>, v: &str, fields: bool) -> Result<Vec<(usize, usize)>, ShellError> {
    let what = if fields { "field" } else { "byte/character position" };
    let bad = |r: &str| {
        let name = if fields { "field value" } else { "byte or character position" };
        args.error(format!("cut: invalid {name} ‘{r}’\n{TRY}"))
    };
    let number = |s: &str| s.parse::<usize>().map_err(|_| bad(s));
    let mut out = Vec::new();
    for r in v.split([',', ' ']) {
        let (a, b) = match r.split_once('-') {
            None => (number(r)?, number(r)?),
            Some(("", "")) => return Err(args.error(format!("cut: invalid range with no endpoint: -\n{TRY}"))),
            Some((a, "")) => (number(a)?, usize::MAX),
            Some(("", b)) => (1, number(b)?),
            Some((a, b)) => (number(a)?, number(b)?),
        };
        if a == 0 {
            return Err(args.error(format!("cut: {what}s are numbered from 1\n{TRY}")));
        }
        if b < a {
            return Err(args.error(format!("cut: invalid decreasing range\n{TRY}")));
        }
        out.push((a, b));
    }
    Ok(out)
}

fn parse(args: &mut Args<'_>) -> Result<Command, ShellError> {
    args.status = 1;
    let mut list = None;
    let mut fields = false;
    let mut cut = Cut { list: Vec::new(), delimiter: None, output: None, only_delimited: false, complement: false };
    let mut delimiter = None;
    while let Some(w) = args.next() {
        match w {
            "-" => {}
            "-s" | "--only-delimited" => cut.only_delimited = true,
            "--complement" => cut.complement = true,
            w if w.starts_with("--output-delimiter=") => cut.output = w.split_once('=').map(|(_, v)| v.to_owned()),
            w if w.starts_with("-f") || w.starts_with("-c") || w.starts_with("-b") || w.starts_with("-d") => {
                let letter = w.chars().nth(1).unwrap_or('f');
                let missing = format!("cut: option requires an argument -- '{letter}'\n{TRY}");
                let v = if w.len() > 2 { &w[2..] } else { args.next().ok_or_else(|| args.end(missing))? };
                if letter == 'd' {
                    let mut chars = v.chars();
                    delimiter = match (chars.next(), chars.next()) {
                        (Some(c), None) => Some(c),
                        _ => return Err(args.error(format!("cut: the delimiter must be a single character\n{TRY}"))),
                    };
                    continue;
                }
                if list.is_some() {
                    return Err(args.error(format!("cut: only one list may be specified\n{TRY}")));
                }
                fields = letter == 'f';
                list = Some(ranges(args, v, fields)?);
            }
            w if w.starts_with('-') => return Err(args.unsupported()),
            w => return Err(args.not_simulated(format_args!("files (`{w}`); a filter reads what comes through the pipe"))),
        }
    }
    let Some(list) = list else {
        return Err(args.end(format!("cut: you must specify a list of bytes, characters, or fields\n{TRY}")));
    };
    if !fields && delimiter.is_some() {
        return Err(args.end(format!("cut: an input delimiter may be specified only when operating on fields\n{TRY}")));
    }
    cut.list = list;
    cut.delimiter = fields.then(|| delimiter.unwrap_or('\t'));
    Ok(Command::Filter(Filter::Cut(cut)))
}

impl Cut {
    fn keeps(&self, n: usize) -> bool {
        self.list.iter().any(|(a, b)| (*a..=*b).contains(&n)) != self.complement
    }

    fn line(&self, line: &str) -> Option<String> {
        let Some(d) = self.delimiter else {
            return Some(line.chars().enumerate().filter(|(i, _)| self.keeps(i + 1)).map(|(_, c)| c).collect());
        };
        if !line.contains(d) {
            return (!self.only_delimited).then(|| line.to_owned());
        }
        let kept: Vec<&str> = line.split(d).enumerate().filter(|(i, _)| self.keeps(i + 1)).map(|(_, f)| f).collect();
        Some(kept.join(self.output.as_deref().unwrap_or(d.encode_utf8(&mut [0; 4]))))
    }

    pub(super) fn run(&self, input: &str) -> Answer {
        Answer::printed(text(lines(input).into_iter().filter_map(|l| self.line(l))))
    }
}

#[cfg(test)]
mod tests {
    use super::super::testing::{refused, run};

    #[test]
    fn parts_are_kept() {
        let text = "a b c\nlong\n";
        for (line, out) in [
            ("cut -d' ' -f2", "b\nlong\n"),
            ("cut -d ' ' -f 1,3", "a c\nlong\n"),
            ("cut -d ' ' -f2- -s", "b c\n"),
            ("cut -d ' ' -f -2 --output-delimiter=:", "a:b\nlong\n"),
            ("cut -c1-3", "a b\nlon\n"),
            ("cut -c2- --complement", "a\nl\n"),
        ] {
            assert_eq!(run(line, text).0, out, "{line}");
        }
        assert_eq!(refused("cut").0.lines().next(), Some("cut: you must specify a list of bytes, characters, or fields"));
        assert_eq!(refused("cut -f 3-1").0.lines().next(), Some("cut: invalid decreasing range"));
        assert_eq!(refused("cut -f 0").0.lines().next(), Some("cut: fields are numbered from 1"));
    }
}
