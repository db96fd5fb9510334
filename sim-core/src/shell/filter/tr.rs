//! `tr`: characters for others.

use super::Filter;
use crate::shell::answer::Answer;
use crate::shell::args::Args;
use crate::shell::{Command, ShellError, Spec};

/// The command.
pub static SPEC: Spec =
    Spec { name: "tr", about: "replaces, squeezes or deletes characters", usage: "tr [-c] [-s] SET1 SET2 | tr -d SET1", parse };

/// What becomes of each character.
#[derive(Clone, Debug, PartialEq, Eq, Default)]
pub struct Tr {
    from: Vec<char>,
    to: Vec<char>,
    complement: bool,
    delete: bool,
    squeeze: bool,
}

const TRY: &str = "Try 'tr --help' for more information.";

/// The characters of a set: ranges, classes and escapes written out.
fn set(args: &Args<'_>, text: &str) -> Result<Vec<char>, ShellError> {
    let chars: Vec<char> = text.chars().collect();
    let mut out: Vec<char> = Vec::new();
    let mut i = 0;
    while let Some(&c) = chars.get(i) {
        i += 1;
        if c == '[' && chars.get(i) == Some(&':') {
            let rest: String = chars[i + 1..].iter().collect();
            if let Some((name, _)) = rest.split_once(":]") {
                let ascii = |keep: fn(&char) -> bool| (0..=127u8).map(char::from).filter(keep).collect::<Vec<char>>();
                out.extend(match name {
                    "alnum" => ascii(char::is_ascii_alphanumeric),
                    "alpha" => ascii(char::is_ascii_alphabetic),
                    "blank" => vec!['\t', ' '],
                    "digit" => ascii(char::is_ascii_digit),
                    "lower" => ascii(char::is_ascii_lowercase),
                    "upper" => ascii(char::is_ascii_uppercase),
                    "punct" => ascii(char::is_ascii_punctuation),
                    "space" => vec!['\t', '\n', '\u{b}', '\u{c}', '\r', ' '],
                    "xdigit" => ascii(char::is_ascii_hexdigit),
                    _ => return Err(args.error(format!("tr: invalid character class ‘{name}’"))),
                });
                i += name.chars().count() + 3;
                continue;
            }
        }
        let one = if c == '\\' {
            let n = chars.get(i).copied().unwrap_or('\\');
            i += 1;
            match n {
                'n' => '\n',
                't' => '\t',
                'r' => '\r',
                n => n,
            }
        } else {
            c
        };
        if chars.get(i) == Some(&'-') && chars.get(i + 1).is_some() {
            let last = chars[i + 1];
            if last < one {
                return Err(args.error(format!("tr: range-endpoints of ‘{one}-{last}’ are in reverse collating sequence order")));
            }
            out.extend(one..=last);
            i += 2;
        } else {
            out.push(one);
        }
    }
    Ok(out)
}

fn parse(args: &mut Args<'_>) -> Result<Command, ShellError> {
    args.status = 1;
    let mut tr = Tr::default();
    let mut sets = Vec::new();
    while let Some(w) = args.next() {
        match w {
            w if sets.is_empty() && w.len() > 1 && w.starts_with('-') && !w.starts_with("--") => {
                for c in w[1..].chars() {
                    match c {
                        'c' | 'C' => tr.complement = true,
                        'd' => tr.delete = true,
                        's' => tr.squeeze = true,
                        't' => return Err(args.not_simulated("`-t`")),
                        c => return Err(args.error(format!("tr: invalid option -- '{c}'\n{TRY}"))),
                    }
                }
            }
            w => sets.push(set(args, w)?),
        }
    }
    let words: Vec<&str> = args.line().words.iter().map(|w| w.text.as_str()).collect();
    let last = words.last().copied().unwrap_or_default();
    let wanted = if tr.delete != tr.squeeze { 1..=if tr.delete { 1 } else { 2 } } else { 2..=2 };
    match sets.len() {
        0 => return Err(args.end(format!("tr: missing operand\n{TRY}"))),
        n if n < *wanted.start() => {
            return Err(args.end(format!("tr: missing operand after ‘{last}’\nTwo strings must be given when translating.\n{TRY}")));
        }
        n if n > *wanted.end() => return Err(args.end(format!("tr: extra operand ‘{last}’\n{TRY}"))),
        _ => {}
    }
    let mut sets = sets.into_iter();
    tr.from = sets.next().unwrap_or_default();
    tr.to = sets.next().unwrap_or_default();
    Ok(Command::Filter(Filter::Tr(tr)))
}

impl Tr {
    pub(super) fn run(&self, input: &str) -> Answer {
        let place = |c: char| {
            if self.complement { (!self.from.contains(&c)).then_some(usize::MAX) } else { self.from.iter().rposition(|f| *f == c) }
        };
        let translates = !self.delete && !self.to.is_empty();
        let squeezed = |c: char| {
            let set = if self.to.is_empty() { &self.from } else { &self.to };
            self.squeeze && set.contains(&c) != (self.complement && self.to.is_empty())
        };
        let mut out = String::with_capacity(input.len());
        let mut before = None;
        for c in input.chars() {
            let c = match place(c) {
                Some(_) if self.delete => continue,
                Some(i) if translates => self.to.get(i).or(self.to.last()).copied().unwrap_or(c),
                _ => c,
            };
            if squeezed(c) && before == Some(c) {
                continue;
            }
            before = Some(c);
            out.push(c);
        }
        Answer::printed(out)
    }
}

#[cfg(test)]
mod tests {
    use super::super::testing::{refused, run};

    #[test]
    fn characters_are_replaced_deleted_and_squeezed() {
        for (line, input, out) in [
            ("tr a-z A-Z", "abc1", "ABC1"),
            ("tr '[:lower:]' '[:upper:]'", "abc", "ABC"),
            ("tr -d ' \\n'", "a b\nc", "abc"),
            ("tr -s ' '", "a   b  c", "a b c"),
            ("tr ' ' '\\n'", "a b", "a\nb"),
            ("tr abc x", "aabbcd", "xxxxxd"),
            ("tr -cd 0-9", "a1b2", "12"),
            ("tr -s ab x", "aabbc", "xc"),
        ] {
            assert_eq!(run(line, input).0, out, "{line}");
        }
        assert_eq!(refused("tr").0.lines().next(), Some("tr: missing operand"));
        assert_eq!(refused("tr a").0.lines().next(), Some("tr: missing operand after ‘a’"));
        assert_eq!(refused("tr z-a x").0, "tr: range-endpoints of ‘z-a’ are in reverse collating sequence order");
    }
}
