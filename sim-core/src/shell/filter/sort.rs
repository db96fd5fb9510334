//! `sort`: lines in order.
//!
//! Simplifies: the order is that of bytes (LC_ALL=C).

use super::{Filter, lines, text};
use crate::shell::answer::Answer;
use crate::shell::args::Args;
use crate::shell::{Command, ShellError, Spec};
use std::cmp::Ordering;

/// The command.
pub static SPEC: Spec =
    Spec { name: "sort", about: "writes lines in order", usage: "sort [-nrufsbV] [-t C] [-k F[.C][OPTS][,F[.C]]]", parse };

/// How two keys are held against each other.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
struct Order {
    numeric: bool,
    reverse: bool,
    fold: bool,
    blanks: bool,
    version: bool,
}

/// A part of a line.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Key {
    /// First field and character, from 1.
    from: (usize, usize),
    /// Last field, and its last character (0: all of it); none for the end of the line.
    to: Option<(usize, usize)>,
    order: Option<Order>,
}

/// How lines are put in order.
#[derive(Clone, Debug, PartialEq, Eq, Default)]
pub struct Sort {
    order: Order,
    unique: bool,
    stable: bool,
    separator: Option<char>,
    keys: Vec<Key>,
}

const TRY: &str = "Try 'sort --help' for more information.";

fn letter(o: &mut Order, c: char) -> bool {
    match c {
        'n' => o.numeric = true,
        'r' => o.reverse = true,
        'f' => o.fold = true,
        'b' => o.blanks = true,
        'V' => o.version = true,
        _ => return false,
    }
    true
}

/// `F[.C][OPTS]`.
fn position(args: &Args<'_>, v: &str, order: &mut Order, own: &mut bool) -> Result<(usize, usize), ShellError> {
    let digits = |s: &str| s.bytes().take_while(u8::is_ascii_digit).count();
    let n = digits(v);
    let bad = |what: &str, at: &str| args.error(format!("sort: {what}: invalid count at start of ‘{at}’"));
    let field = v[..n].parse().map_err(|_| bad("invalid number at field start", v))?;
    let mut rest = &v[n..];
    let mut character = 0;
    if let Some(r) = rest.strip_prefix('.') {
        let n = digits(r);
        character = r[..n].parse().map_err(|_| bad("invalid number after ‘.’", r))?;
        rest = &r[n..];
    }
    for c in rest.chars() {
        if !letter(order, c) {
            return Err(args.error(format!("sort: stray character in field spec: invalid field specification ‘{v}’")));
        }
        *own = true;
    }
    if field == 0 {
        return Err(args.error(format!("sort: field number is zero: invalid field specification ‘{v}’")));
    }
    Ok((field, character))
}

fn key(args: &Args<'_>, v: &str) -> Result<Key, ShellError> {
    let (mut order, mut own) = (Order::default(), false);
    let (a, b) = v.split_once(',').map_or((v, None), |(a, b)| (a, Some(b)));
    let (field, character) = position(args, a, &mut order, &mut own)?;
    let to = b.map(|b| position(args, b, &mut order, &mut own)).transpose()?;
    Ok(Key { from: (field, character.max(1)), to, order: own.then_some(order) })
}

fn parse(args: &mut Args<'_>) -> Result<Command, ShellError> {
    args.status = 2;
    let mut s = Sort::default();
    while let Some(w) = args.next() {
        match w {
            "-" => {}
            w if w.starts_with("--") => return Err(args.unsupported()),
            w if w.starts_with('-') => {
                for (i, c) in w[1..].char_indices() {
                    if letter(&mut s.order, c) {
                        continue;
                    }
                    match c {
                        'u' => s.unique = true,
                        's' => s.stable = true,
                        'k' | 't' => {
                            let rest = &w[2 + i..];
                            let missing = format!("sort: option requires an argument -- '{c}'\n{TRY}");
                            let v = if rest.is_empty() { args.next().ok_or_else(|| args.end(missing))? } else { rest };
                            if c == 'k' {
                                let k = key(args, v)?;
                                s.keys.push(k);
                            } else {
                                let mut chars = v.chars();
                                s.separator = match (chars.next(), chars.next(), v) {
                                    (Some(c), None, _) => Some(c),
                                    (_, _, "\\t") => Some('\t'),
                                    (None, ..) => return Err(args.error("sort: empty tab")),
                                    _ => return Err(args.error(format!("sort: multi-character tab ‘{v}’"))),
                                };
                            }
                            break;
                        }
                        'c' | 'C' | 'd' | 'g' | 'h' | 'i' | 'm' | 'M' | 'o' | 'R' | 'S' | 'T' | 'z' => {
                            return Err(args.not_simulated(format_args!("`-{c}`")));
                        }
                        c => return Err(args.error(format!("sort: invalid option -- '{c}'\n{TRY}"))),
                    }
                }
            }
            w => return Err(args.not_simulated(format_args!("files (`{w}`); a filter reads what comes through the pipe"))),
        }
    }
    Ok(Command::Filter(Filter::Sort(s)))
}

/// Where the fields of a line begin and end: between blanks the blanks before a field are a part of it.
fn fields(line: &str, separator: Option<char>) -> Vec<(usize, usize)> {
    let mut out = Vec::new();
    let mut from = 0;
    match separator {
        Some(c) => {
            for (i, _) in line.match_indices(c) {
                out.push((from, i));
                from = i + c.len_utf8();
            }
            out.push((from, line.len()));
        }
        None => {
            let blank = |c: char| c == ' ' || c == '\t';
            while from < line.len() {
                let rest = &line[from..];
                let lead = rest.len() - rest.trim_start_matches(blank).len();
                let word = rest[lead..].find(blank).unwrap_or(rest.len() - lead);
                out.push((from, from + lead + word));
                from += lead + word;
            }
        }
    }
    out
}

impl Key {
    fn of<'l>(&self, line: &'l str, separator: Option<char>, order: &Order) -> &'l str {
        let all = fields(line, separator);
        let blank = |c: char| c == ' ' || c == '\t';
        let behind = |field: (usize, usize), n: usize| {
            let text = &line[field.0..field.1];
            let lead = if order.blanks { text.len() - text.trim_start_matches(blank).len() } else { 0 };
            text[lead..].char_indices().nth(n).map_or(field.1, |(i, _)| field.0 + lead + i)
        };
        let Some(first) = all.get(self.from.0 - 1) else { return "" };
        let start = behind(*first, self.from.1 - 1);
        let end = match self.to {
            None => line.len(),
            Some((field, n)) => match (all.get(field - 1), n) {
                (None, _) => line.len(),
                (Some(f), 0) => f.1,
                (Some(f), n) => behind(*f, n),
            },
        };
        line.get(start..end.max(start)).unwrap_or("")
    }
}

/// The number that a text begins with: its sign, digits before and behind the point.
fn number(text: &str) -> (bool, &str, &str) {
    let t = text.trim_start_matches([' ', '\t']);
    let (minus, t) = t.strip_prefix('-').map_or((false, t), |r| (true, r));
    let whole = t.bytes().take_while(u8::is_ascii_digit).count();
    let part = t[whole..].strip_prefix('.').map_or("", |p| &p[..p.bytes().take_while(u8::is_ascii_digit).count()]);
    (minus, t[..whole].trim_start_matches('0'), part.trim_end_matches('0'))
}

fn numbers(a: &str, b: &str) -> Ordering {
    let ((am, aw, ap), (bm, bw, bp)) = (number(a), number(b));
    let zero = |w: &str, p: &str| w.is_empty() && p.is_empty();
    let size = aw.len().cmp(&bw.len()).then(aw.cmp(bw)).then(ap.cmp(bp));
    match (am && !zero(aw, ap), bm && !zero(bw, bp)) {
        (false, false) => size,
        (true, true) => size.reverse(),
        (true, false) => Ordering::Less,
        (false, true) => Ordering::Greater,
    }
}

/// Digits by value, all else by byte.
fn versions(a: &str, b: &str) -> Ordering {
    let (mut a, mut b) = (a, b);
    loop {
        let text = |s: &str| s.find(|c: char| c.is_ascii_digit()).unwrap_or(s.len());
        let (i, j) = (text(a), text(b));
        let order = a[..i].cmp(&b[..j]);
        if order != Ordering::Equal || (i == a.len() && j == b.len()) {
            return order.then(a.len().cmp(&b.len()));
        }
        let order = numbers(&a[i..], &b[j..]);
        if order != Ordering::Equal {
            return order;
        }
        let skip = |s: &str| s.find(|c: char| !c.is_ascii_digit()).unwrap_or(s.len());
        (a, b) = (&a[i + skip(&a[i..])..], &b[j + skip(&b[j..])..]);
    }
}

fn compare(a: &str, b: &str, o: &Order) -> Ordering {
    let blanks = |s: &str| if o.blanks { s.trim_start_matches([' ', '\t']).to_owned() } else { s.to_owned() };
    let order = if o.numeric {
        numbers(a, b)
    } else if o.version {
        versions(a, b)
    } else if o.fold {
        blanks(a).to_ascii_uppercase().cmp(&blanks(b).to_ascii_uppercase())
    } else {
        blanks(a).cmp(&blanks(b))
    };
    if o.reverse { order.reverse() } else { order }
}

impl Sort {
    fn by_keys(&self, a: &str, b: &str) -> Ordering {
        if self.keys.is_empty() {
            return compare(a, b, &self.order);
        }
        let one = |k: &Key| {
            let o = k.order.unwrap_or(self.order);
            compare(k.of(a, self.separator, &o), k.of(b, self.separator, &o), &o)
        };
        self.keys.iter().map(one).find(|o| *o != Ordering::Equal).unwrap_or(Ordering::Equal)
    }

    pub(super) fn run(&self, input: &str) -> Answer {
        let mut all = lines(input);
        all.sort_by(|a, b| {
            let last = || {
                if self.stable || self.unique {
                    Ordering::Equal
                } else if self.order.reverse {
                    b.cmp(a)
                } else {
                    a.cmp(b)
                }
            };
            self.by_keys(a, b).then_with(last)
        });
        if self.unique {
            all.dedup_by(|a, b| self.by_keys(a, b) == Ordering::Equal);
        }
        Answer::printed(text(all))
    }
}

#[cfg(test)]
mod tests {
    use super::super::testing::{refused, run};

    #[test]
    fn lines_come_in_order() {
        for (line, input, out) in [
            ("sort", "b\na\nB\n", "B\na\nb\n"),
            ("sort -f", "b\na\nB\n", "a\nB\nb\n"),
            ("sort -r", "a\nb\n", "b\na\n"),
            ("sort -n", "10\n9\n-1\n1.5\n1.25\nx\n", "-1\nx\n1.25\n1.5\n9\n10\n"),
            ("sort -rn", "1\n10\n2\n", "10\n2\n1\n"),
            ("sort -u", "b\na\nb\n", "a\nb\n"),
            ("sort -k2", "a 2\nb 1\n", "b 1\na 2\n"),
            ("sort -k 2,2n -k1,1r", "a 10\nb 9\nc 10\n", "b 9\nc 10\na 10\n"),
            ("sort -t: -k2n", "a:10\nb:9\n", "b:9\na:10\n"),
            ("sort -V", "eth10\neth9\neth1\n", "eth1\neth9\neth10\n"),
            ("sort -t . -k 4,4n", "10.0.0.10\n10.0.0.9\n", "10.0.0.9\n10.0.0.10\n"),
        ] {
            assert_eq!(run(line, input).0, out, "{line}");
        }
        assert_eq!(refused("sort -k x").0, "sort: invalid number at field start: invalid count at start of ‘x’");
        assert_eq!(refused("sort -k").0, "sort: option requires an argument -- 'k'\nTry 'sort --help' for more information.");
    }
}
