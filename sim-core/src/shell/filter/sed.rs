//! `sed`: lines changed by a script.
//!
//! Simplifies: the commands s, d, p, q, = and addresses by number, `$` and expression; no hold space, no branches.

use super::{Filter, lines, posix};
use crate::shell::answer::Answer;
use crate::shell::args::Args;
use crate::shell::{Command, ShellError, Spec};
use regex::Regex;

/// The command.
pub static SPEC: Spec =
    Spec { name: "sed", about: "changes lines by a script", usage: "sed [-n] [-E] [-e] '[ADDRESS]s/RE/TEXT/[gpIN] | d | p | q'", parse };

/// A script, and how it is run.
#[derive(Clone, Debug, PartialEq, Eq, Default)]
pub struct Sed {
    script: Vec<Edit>,
    quiet: bool,
    extended: bool,
}

/// Which lines.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Address {
    Line(usize),
    Last,
    Fits(String, bool),
}

/// One command.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Edit {
    from: Option<Address>,
    to: Option<Address>,
    negated: bool,
    what: What,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum What {
    Substitute { pattern: String, text: Vec<Piece>, every: bool, print: bool, ignore_case: bool, nth: usize },
    Delete,
    Print,
    Quit,
    Number,
}

/// A part of the text that is put in.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Piece {
    Text(String),
    Group(usize),
}

fn parse(args: &mut Args<'_>) -> Result<Command, ShellError> {
    args.status = 1;
    let mut sed = Sed::default();
    let mut scripts: Vec<String> = Vec::new();
    let mut bare: Option<String> = None;
    while let Some(w) = args.next() {
        match w {
            "-" | "--" | "-u" | "--unbuffered" | "-s" => {}
            "-n" | "--quiet" | "--silent" => sed.quiet = true,
            "-E" | "-r" | "--regexp-extended" => sed.extended = true,
            "-ne" | "-e" | "-nE" | "-En" | "-nr" | "-rn" | "-Ee" => {
                sed.quiet |= w.contains('n');
                sed.extended |= w.contains(['E', 'r']);
                if w.contains('e') {
                    let missing = "sed: option requires an argument -- 'e'";
                    scripts.push(args.next().ok_or_else(|| args.end(missing))?.to_owned());
                }
            }
            w if w.starts_with('-') => return Err(args.unsupported()),
            w if scripts.is_empty() && bare.is_none() => bare = Some(w.to_owned()),
            w => return Err(args.not_simulated(format_args!("files (`{w}`); a filter reads what comes through the pipe"))),
        }
    }
    scripts.extend(bare);
    if scripts.is_empty() {
        return Err(args.end("Usage: sed [OPTION]... {script-only-if-no-other-script} [input-file]..."));
    }
    for (n, script) in scripts.iter().enumerate() {
        let mut reader = Reader { chars: script.chars().collect(), at: 0, extended: sed.extended };
        let edits = reader.all().map_err(|e| {
            let text = if e.starts_with("not simulated") { e } else { format!("sed: -e expression #{}, char {}: {e}", n + 1, reader.at) };
            args.end(text)
        })?;
        sed.script.extend(edits);
    }
    Ok(Command::Filter(Filter::Sed(sed)))
}

struct Reader {
    chars: Vec<char>,
    at: usize,
    extended: bool,
}

impl Reader {
    fn peek(&self) -> Option<char> {
        self.chars.get(self.at).copied()
    }

    fn take(&mut self) -> Option<char> {
        let c = self.peek();
        self.at += usize::from(c.is_some());
        c
    }

    fn blanks(&mut self) {
        while self.peek().is_some_and(char::is_whitespace) {
            self.at += 1;
        }
    }

    fn all(&mut self) -> Result<Vec<Edit>, String> {
        let mut out = Vec::new();
        loop {
            while self.peek().is_some_and(|c| c.is_whitespace() || c == ';') {
                self.at += 1;
            }
            match self.peek() {
                None => return Ok(out),
                Some('#') => return Ok(out),
                Some(_) => out.push(self.edit()?),
            }
        }
    }

    fn edit(&mut self) -> Result<Edit, String> {
        let from = self.address()?;
        self.blanks();
        let mut to = None;
        if from.is_some() && self.peek() == Some(',') {
            self.at += 1;
            self.blanks();
            to = self.address()?;
            if to.is_none() {
                return Err("unexpected `,'".to_owned());
            }
        }
        self.blanks();
        let mut negated = false;
        while self.peek() == Some('!') {
            self.at += 1;
            negated = true;
            self.blanks();
        }
        let Some(c) = self.take() else { return Err("missing command".to_owned()) };
        let what = match c {
            's' => self.substitute()?,
            'd' => What::Delete,
            'p' => What::Print,
            'q' => What::Quit,
            '=' => What::Number,
            '{' | '}' | 'a' | 'i' | 'c' | 'y' | 'b' | 't' | 'T' | ':' | 'g' | 'G' | 'h' | 'H' | 'x' | 'n' | 'N' | 'D' | 'P' | 'l' | 'r'
            | 'w' | 'e' | 'F' | 'Q' | 'R' | 'W' | 'z' => return Err(format!("not simulated: sed's command `{c}`")),
            c => return Err(format!("unknown command: `{c}'")),
        };
        self.blanks();
        match self.peek() {
            None | Some(';' | '#') => {}
            _ if matches!(what, What::Substitute { .. }) => {
                self.at += 1;
                return Err("unknown option to `s'".to_owned());
            }
            // a newline ends a command too; blanks have been passed over
            Some(_) if self.chars[..self.at].iter().rev().take_while(|c| c.is_whitespace()).any(|c| *c == '\n') => {}
            Some(_) => {
                self.at += 1;
                return Err("extra characters after command".to_owned());
            }
        }
        Ok(Edit { from, to, negated, what })
    }

    fn address(&mut self) -> Result<Option<Address>, String> {
        Ok(match self.peek() {
            Some('$') => {
                self.at += 1;
                Some(Address::Last)
            }
            Some(c) if c.is_ascii_digit() => {
                let mut n = String::new();
                while let Some(d) = self.peek().filter(char::is_ascii_digit) {
                    n.push(d);
                    self.at += 1;
                }
                Some(Address::Line(n.parse().map_err(|_| "invalid usage of line address".to_owned())?))
            }
            Some('/') => {
                self.at += 1;
                let pattern = self.until('/').ok_or("unterminated address regex")?;
                let ignore_case = self.peek() == Some('I');
                self.at += usize::from(ignore_case);
                posix::compile(&pattern, self.extended, ignore_case)?;
                Some(Address::Fits(pattern, ignore_case))
            }
            _ => None,
        })
    }

    /// The text up to `end`, which may stand in it behind a backslash.
    fn until(&mut self, end: char) -> Option<String> {
        let mut out = String::new();
        let mut bracket = false;
        loop {
            match self.take()? {
                '\\' => {
                    let c = self.take()?;
                    if c != end {
                        out.push('\\');
                    }
                    out.push(c);
                }
                '[' if !bracket => {
                    bracket = true;
                    out.push('[');
                    for c in ['^', ']'] {
                        if self.peek() == Some(c) {
                            self.at += 1;
                            out.push(c);
                        }
                    }
                }
                c if c == end && !bracket => return Some(out),
                // a bracket that is never closed hides no end
                c if c == end && !self.chars[self.at..].contains(&']') => return Some(out),
                c => {
                    bracket &= c != ']';
                    out.push(c);
                }
            }
        }
    }

    /// The text that is put in, up to `end`.
    fn replacement(&mut self, end: char) -> Option<Vec<Piece>> {
        let mut out: Vec<Piece> = Vec::new();
        let mut text = String::new();
        loop {
            let piece = match self.take()? {
                '\\' => match self.take()? {
                    d if d.is_ascii_digit() => Piece::Group(d.to_digit(10)? as usize),
                    'n' => {
                        text.push('\n');
                        continue;
                    }
                    't' => {
                        text.push('\t');
                        continue;
                    }
                    c => {
                        text.push(c);
                        continue;
                    }
                },
                '&' => Piece::Group(0),
                c if c == end => {
                    out.push(Piece::Text(text));
                    return Some(out);
                }
                c => {
                    text.push(c);
                    continue;
                }
            };
            out.push(Piece::Text(std::mem::take(&mut text)));
            out.push(piece);
        }
    }

    fn substitute(&mut self) -> Result<What, String> {
        let open = "unterminated `s' command";
        let end = self.take().filter(|c| !matches!(c, '\n' | '\\')).ok_or(open)?;
        let pattern = self.until(end).ok_or(open)?;
        let text = self.replacement(end).ok_or(open)?;
        let (mut every, mut print, mut ignore_case, mut nth) = (false, false, false, 0);
        while let Some(c) = self.peek() {
            match c {
                'g' => every = true,
                'p' => print = true,
                'i' | 'I' => ignore_case = true,
                '0'..='9' => {
                    let d = c.to_digit(10).unwrap_or(0) as usize;
                    nth = (nth * 10 + d).min(1 << 20);
                    if nth == 0 {
                        self.at += 1;
                        return Err("number option to `s' command may not be zero".to_owned());
                    }
                }
                'm' | 'M' | 'e' | 'w' => return Err(format!("not simulated: the flag `{c}` of sed's command s")),
                _ => break,
            }
            self.at += 1;
        }
        let compiled = posix::compile(&pattern, self.extended, ignore_case)?;
        let groups = compiled.captures_len();
        if let Some(Piece::Group(n)) = text.iter().find(|p| matches!(p, Piece::Group(n) if *n >= groups)) {
            return Err(format!("invalid reference \\{n} on `s' command's RHS"));
        }
        Ok(What::Substitute { pattern, text, every, print, ignore_case, nth: nth.max(1) })
    }
}

/// A command at work: its expressions compiled, and whether its range is open.
struct Ready<'s> {
    edit: &'s Edit,
    from: Option<Regex>,
    to: Option<Regex>,
    pattern: Option<Regex>,
    open: bool,
}

impl Ready<'_> {
    fn fits(address: &Address, regex: Option<&Regex>, n: usize, last: bool, line: &str) -> bool {
        match address {
            Address::Line(l) => *l == n,
            Address::Last => last,
            Address::Fits(..) => regex.is_some_and(|r| r.is_match(line)),
        }
    }

    fn selects(&mut self, n: usize, last: bool, line: &str) -> bool {
        let chosen = match (&self.edit.from, &self.edit.to) {
            (None, _) => true,
            (Some(a), None) => Self::fits(a, self.from.as_ref(), n, last, line),
            (Some(_), Some(b)) if self.open => {
                let past = matches!(b, Address::Line(l) if n > *l);
                let ends = past || Self::fits(b, self.to.as_ref(), n, last, line) || matches!(b, Address::Line(l) if n >= *l);
                self.open = !ends;
                !past
            }
            (Some(a), Some(b)) => {
                let begins = Self::fits(a, self.from.as_ref(), n, last, line);
                self.open = begins && !matches!(b, Address::Line(l) if *l <= n) && !(matches!(b, Address::Last) && last);
                begins
            }
        };
        chosen != self.edit.negated
    }
}

impl Sed {
    fn ready(&self) -> Option<Vec<Ready<'_>>> {
        let of = |a: &Option<Address>| match a {
            Some(Address::Fits(p, i)) => posix::compile(p, self.extended, *i).ok().map(Some),
            _ => Some(None),
        };
        let one = |edit| {
            let Edit { from, to, what, .. }: &Edit = edit;
            let pattern = match what {
                What::Substitute { pattern, ignore_case, .. } => Some(posix::compile(pattern, self.extended, *ignore_case).ok()?),
                _ => None,
            };
            Some(Ready { edit, from: of(from)?, to: of(to)?, pattern, open: false })
        };
        self.script.iter().map(one).collect()
    }

    pub(super) fn run(&self, input: &str) -> Answer {
        // it was compiled when it was read
        let Some(mut script) = self.ready() else { return Answer { status: 1, ..Answer::default() } };
        let all = lines(input);
        let mut out = String::new();
        let mut print = |line: &str| {
            out.push_str(line);
            out.push('\n');
        };
        'lines: for (i, line) in all.iter().enumerate() {
            let (n, last) = (i + 1, i + 1 == all.len());
            let mut line = (*line).to_owned();
            let mut quit = false;
            for r in &mut script {
                if !r.selects(n, last, &line) {
                    continue;
                }
                match &r.edit.what {
                    What::Substitute { text, every, print: wanted, nth, .. } => {
                        let Some(pattern) = &r.pattern else { continue };
                        if let Some(changed) = substituted(pattern, &line, text, *every, *nth) {
                            line = changed;
                            if *wanted {
                                print(&line);
                            }
                        }
                    }
                    What::Delete => continue 'lines,
                    What::Print => print(&line),
                    What::Number => print(&n.to_string()),
                    What::Quit => {
                        quit = true;
                        break;
                    }
                }
            }
            if !self.quiet {
                print(&line);
            }
            if quit {
                break;
            }
        }
        Answer::printed(out)
    }
}

fn substituted(pattern: &Regex, line: &str, text: &[Piece], every: bool, nth: usize) -> Option<String> {
    let mut out = String::new();
    let mut end = 0;
    let mut done = false;
    for (i, found) in pattern.captures_iter(line).enumerate() {
        if i + 1 < nth {
            continue;
        }
        let whole = found.get(0)?;
        out.push_str(&line[end..whole.start()]);
        for piece in text {
            match piece {
                Piece::Text(t) => out.push_str(t),
                Piece::Group(n) => out.push_str(found.get(*n).map_or("", |m| m.as_str())),
            }
        }
        end = whole.end();
        done = true;
        if !every {
            break;
        }
    }
    out.push_str(&line[end..]);
    done.then_some(out)
}

#[cfg(test)]
mod tests {
    use super::super::testing::{refused, run};

    #[test]
    fn lines_are_changed() {
        let text = "one\ntwo\nthree\nfour\n";
        for (line, out) in [
            ("sed 's/o/0/'", "0ne\ntw0\nthree\nf0ur\n"),
            ("sed 's/e/E/g'", "onE\ntwo\nthrEE\nfour\n"),
            ("sed 's/e/E/2'", "one\ntwo\nthreE\nfour\n"),
            ("sed -n 2p", "two\n"),
            ("sed -n '2,3p'", "two\nthree\n"),
            ("sed '/^t/d'", "one\nfour\n"),
            ("sed -n '/two/,/four/p'", "two\nthree\nfour\n"),
            ("sed '2,$d'", "one\n"),
            ("sed '$!d'", "four\n"),
            ("sed 2q", "one\ntwo\n"),
            ("sed -n '$='", "4\n"),
            ("sed -E 's/(t)(.)/\\2\\1/'", "one\nwto\nhtree\nfour\n"),
            ("sed 's/\\(f\\)our/[&|\\1]/'", "one\ntwo\nthree\n[four|f]\n"),
            ("sed -e 's/one/1/' -e 's/two/2/;3d'", "1\n2\nfour\n"),
            ("sed 's|/|x|; s,o,/,'", "/ne\ntw/\nthree\nf/ur\n"),
            ("sed -n 's/t/T/p'", "Two\nThree\n"),
            ("sed 's/[/o]/-/'", "-ne\ntw-\nthree\nf-ur\n"),
            ("sed 's/O/-/I'", "-ne\ntw-\nthree\nf-ur\n"),
            ("sed '1!s/./#/'", "one\n#wo\n#hree\n#our\n"),
        ] {
            assert_eq!(run(line, text).0, out, "{line}");
        }
        assert_eq!(run("sed 's/expires [0-9]*sec/expires Nsec/'", "cache expires 597sec mtu 1450\n").0, "cache expires Nsec mtu 1450\n");
    }

    #[test]
    fn what_is_wrong_is_said_as_sed_says_it() {
        for (line, words) in [
            ("sed 's/a'", "sed: -e expression #1, char 3: unterminated `s' command"),
            ("sed k", "sed: -e expression #1, char 1: unknown command: `k'"),
            ("sed 's/a/b/k'", "sed: -e expression #1, char 7: unknown option to `s'"),
            ("sed 's/a/\\1/'", "sed: -e expression #1, char 7: invalid reference \\1 on `s' command's RHS"),
            ("sed 3", "sed: -e expression #1, char 1: missing command"),
            ("sed 'y/a/b/'", "not simulated: sed's command `y`"),
            ("sed -i s/a/b/", "not simulated: `-i`"),
        ] {
            assert_eq!(refused(line), (words.to_owned(), 1), "{line}");
        }
    }
}
