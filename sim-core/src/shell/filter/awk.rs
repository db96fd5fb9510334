//! `awk`: fields of lines.
//!
//! Simplifies: patterns and `print` alone: no variables of its own, no functions, no arithmetic but NF-N, no loops.

use super::{Filter, lines};
use crate::shell::answer::Answer;
use crate::shell::args::Args;
use crate::shell::{Command, ShellError, Spec};
use regex::Regex;
use std::cmp::Ordering;

/// The command.
pub static SPEC: Spec = Spec { name: "awk", about: "writes fields of lines", usage: "awk [-F SEP] '[PATTERN] {print $N, …}'", parse };

/// A program.
#[derive(Clone, Debug, PartialEq, Eq, Default)]
pub struct Awk {
    /// Field separator: blanks, one character, or an expression.
    separator: String,
    rules: Vec<Rule>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
struct Rule {
    when: When,
    /// What is printed, one list a statement; none for the line.
    prints: Option<Vec<Vec<Expr>>>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum When {
    Always,
    Begin,
    End,
    If(Expr),
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Expr {
    Text(String),
    Number(i64),
    /// `$N`.
    Field(Box<Expr>),
    Nf,
    Nr,
    Minus(Box<Expr>, Box<Expr>),
    Join(Box<Expr>, Box<Expr>),
    /// An expression that a text fits.
    Fits(Box<Expr>, String, bool),
    Compare(Box<Expr>, Op, Box<Expr>),
    Not(Box<Expr>),
    And(Box<Expr>, Box<Expr>),
    Or(Box<Expr>, Box<Expr>),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Op {
    Eq,
    Ne,
    Lt,
    Le,
    Gt,
    Ge,
}

fn parse(args: &mut Args<'_>) -> Result<Command, ShellError> {
    args.status = 2;
    let mut awk = Awk { separator: " ".to_owned(), ..Awk::default() };
    let mut program: Option<&str> = None;
    while let Some(w) = args.next() {
        match w {
            "--" | "-" => {}
            w if program.is_none() && w.starts_with("-F") => {
                let v = if w.len() > 2 { &w[2..] } else { args.next().ok_or_else(|| args.end("awk: option requires an argument -- F"))? };
                awk.separator = if v == "t" || v == "\\t" { "\t".to_owned() } else { v.to_owned() };
            }
            w if program.is_none() && w.starts_with('-') => return Err(args.unsupported()),
            w if program.is_none() => program = Some(w),
            w => return Err(args.not_simulated(format_args!("files (`{w}`); a filter reads what comes through the pipe"))),
        }
    }
    let Some(program) = program else { return Err(args.end("usage: awk [-F fs] 'prog'")) };
    let mut reader = Reader { tokens: tokens(program).map_err(|e| args.end(e))?, at: 0, depth: 0 };
    awk.rules = reader
        .rules()
        .map_err(|e| args.end(if e.starts_with("not simulated") { e } else { format!("awk: line 1: syntax error at or near {e}") }))?;
    Ok(Command::Filter(Filter::Awk(awk)))
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Token {
    Text(String),
    Number(i64),
    Regex(String),
    Name(String),
    Sign(&'static str),
}

const SIGNS: &[&str] = &["==", "!=", "<=", ">=", "&&", "||", "!~", "{", "}", "(", ")", "$", ",", ";", "<", ">", "~", "!", "-"];

fn tokens(program: &str) -> Result<Vec<Token>, String> {
    let chars: Vec<char> = program.chars().collect();
    let mut out: Vec<Token> = Vec::new();
    let mut i = 0;
    let quoted = |i: &mut usize, end: char, keep: bool| -> Result<String, String> {
        let mut text = String::new();
        loop {
            match chars.get(*i) {
                None => return Err(format!("awk: line 1: runaway {} …", if keep { "regular expression" } else { "string constant" })),
                Some(c) if *c == end => {
                    *i += 1;
                    return Ok(text);
                }
                Some('\\') if chars.get(*i + 1).is_some() => {
                    let c = chars[*i + 1];
                    *i += 2;
                    match c {
                        c if keep && c != end => text.extend(['\\', c]),
                        'n' => text.push('\n'),
                        't' => text.push('\t'),
                        c => text.push(c),
                    }
                }
                Some(c) => {
                    text.push(*c);
                    *i += 1;
                }
            }
        }
    };
    while let Some(&c) = chars.get(i) {
        if c.is_whitespace() {
            i += 1;
        } else if c == '"' {
            i += 1;
            out.push(Token::Text(quoted(&mut i, '"', false)?));
        } else if c == '/' {
            i += 1;
            let pattern = quoted(&mut i, '/', true)?;
            super::posix::compile(&pattern, true, false).map_err(|e| format!("awk: {e}: /{pattern}/"))?;
            out.push(Token::Regex(pattern));
        } else if c.is_ascii_digit() {
            let digits: String = chars[i..].iter().take_while(|c| c.is_ascii_digit()).collect();
            i += digits.len();
            out.push(Token::Number(digits.parse().unwrap_or(i64::MAX)));
        } else if c.is_alphabetic() || c == '_' {
            let name: String = chars[i..].iter().take_while(|c| c.is_alphanumeric() || **c == '_').collect();
            i += name.chars().count();
            out.push(Token::Name(name));
        } else {
            let sign = SIGNS.iter().find(|s| chars[i..].starts_with(&s.chars().collect::<Vec<_>>()));
            let Some(sign) = sign else { return Err(format!("not simulated: `{c}` in an awk program")) };
            i += sign.len();
            out.push(Token::Sign(sign));
        }
    }
    Ok(out)
}

/// Values in values that are read at most.
const DEEPEST: usize = 64;

struct Reader {
    tokens: Vec<Token>,
    at: usize,
    depth: usize,
}

impl Reader {
    fn peek(&self) -> Option<&Token> {
        self.tokens.get(self.at)
    }

    fn sign(&mut self, s: &str) -> bool {
        let yes = matches!(self.peek(), Some(Token::Sign(x)) if *x == s);
        self.at += usize::from(yes);
        yes
    }

    fn near(&self) -> String {
        match self.peek() {
            None => "end of program".to_owned(),
            Some(Token::Text(t)) => format!("\"{t}\""),
            Some(Token::Number(n)) => n.to_string(),
            Some(Token::Regex(r)) => format!("/{r}/"),
            Some(Token::Name(n)) => n.clone(),
            Some(Token::Sign(s)) => (*s).to_owned(),
        }
    }

    fn rules(&mut self) -> Result<Vec<Rule>, String> {
        let mut out = Vec::new();
        while self.peek().is_some() {
            if self.sign(";") {
                continue;
            }
            let when = match self.peek() {
                Some(Token::Sign("{")) => When::Always,
                Some(Token::Name(n)) if n == "BEGIN" => {
                    self.at += 1;
                    When::Begin
                }
                Some(Token::Name(n)) if n == "END" => {
                    self.at += 1;
                    When::End
                }
                _ => When::If(self.or()?),
            };
            let prints = if self.sign("{") { Some(self.statements()?) } else { None };
            if prints.is_none() && matches!(when, When::Begin | When::End) {
                return Err(self.near());
            }
            out.push(Rule { when, prints });
        }
        Ok(out)
    }

    fn statements(&mut self) -> Result<Vec<Vec<Expr>>, String> {
        let mut out = Vec::new();
        loop {
            if self.sign("}") {
                return Ok(out);
            }
            if self.sign(";") {
                continue;
            }
            match self.peek() {
                Some(Token::Name(n)) if n == "print" => self.at += 1,
                Some(Token::Name(n)) => return Err(format!("not simulated: `{n}` in an awk program")),
                _ => return Err(self.near()),
            }
            let mut list = Vec::new();
            while !matches!(self.peek(), None | Some(Token::Sign(";" | "}"))) {
                list.push(self.joined()?);
                if !self.sign(",") {
                    break;
                }
            }
            out.push(list);
        }
    }

    fn or(&mut self) -> Result<Expr, String> {
        let mut e = self.and()?;
        while self.sign("||") {
            e = Expr::Or(Box::new(e), Box::new(self.and()?));
        }
        Ok(e)
    }

    fn and(&mut self) -> Result<Expr, String> {
        let mut e = self.compared()?;
        while self.sign("&&") {
            e = Expr::And(Box::new(e), Box::new(self.compared()?));
        }
        Ok(e)
    }

    fn compared(&mut self) -> Result<Expr, String> {
        let e = self.joined()?;
        for (s, positive) in [("~", true), ("!~", false)] {
            if self.sign(s) {
                let Some(Token::Regex(r) | Token::Text(r)) = self.peek().cloned() else { return Err(self.near()) };
                self.at += 1;
                return Ok(Expr::Fits(Box::new(e), r, positive));
            }
        }
        for (s, op) in [("==", Op::Eq), ("!=", Op::Ne), ("<=", Op::Le), (">=", Op::Ge), ("<", Op::Lt), (">", Op::Gt)] {
            if self.sign(s) {
                return Ok(Expr::Compare(Box::new(e), op, Box::new(self.joined()?)));
            }
        }
        Ok(e)
    }

    /// Texts one behind the other are one text.
    fn joined(&mut self) -> Result<Expr, String> {
        let mut e = self.difference()?;
        while matches!(self.peek(), Some(Token::Text(_) | Token::Number(_) | Token::Name(_) | Token::Sign("$" | "("))) {
            e = Expr::Join(Box::new(e), Box::new(self.difference()?));
        }
        Ok(e)
    }

    fn difference(&mut self) -> Result<Expr, String> {
        let mut e = self.value()?;
        while self.sign("-") {
            e = Expr::Minus(Box::new(e), Box::new(self.value()?));
        }
        Ok(e)
    }

    fn value(&mut self) -> Result<Expr, String> {
        self.depth += 1;
        let value = if self.depth > DEEPEST { Err(self.near()) } else { self.plain_value() };
        self.depth -= 1;
        value
    }

    fn plain_value(&mut self) -> Result<Expr, String> {
        if self.sign("!") {
            return Ok(Expr::Not(Box::new(self.value()?)));
        }
        if self.sign("$") {
            return Ok(Expr::Field(Box::new(self.value()?)));
        }
        if self.sign("(") {
            let e = self.or()?;
            return if self.sign(")") { Ok(e) } else { Err(self.near()) };
        }
        let e = match self.peek().cloned() {
            Some(Token::Text(t)) => Expr::Text(t),
            Some(Token::Number(n)) => Expr::Number(n),
            Some(Token::Regex(r)) => Expr::Fits(Box::new(Expr::Field(Box::new(Expr::Number(0)))), r, true),
            Some(Token::Name(n)) => match n.as_str() {
                "NF" => Expr::Nf,
                "NR" | "FNR" => Expr::Nr,
                n => return Err(format!("not simulated: `{n}` in an awk program")),
            },
            _ => return Err(self.near()),
        };
        self.at += 1;
        Ok(e)
    }
}

/// A line with its fields.
struct Record<'l> {
    line: &'l str,
    fields: Vec<&'l str>,
    number: usize,
}

/// A value: a text, and whether it may be taken for a number.
#[derive(Clone, Debug)]
struct Val(String, bool);

impl Val {
    fn number(&self) -> Option<i64> {
        self.0.trim().parse().ok().filter(|_| self.1)
    }

    fn truth(&self) -> bool {
        self.number().map_or(!self.0.is_empty(), |n| n != 0)
    }
}

impl Record<'_> {
    fn val(&self, e: &Expr) -> Val {
        let flag = |yes: bool| Val(u8::from(yes).to_string(), true);
        match e {
            Expr::Text(t) => Val(t.clone(), false),
            Expr::Number(n) => Val(n.to_string(), true),
            Expr::Nf => Val(self.fields.len().to_string(), true),
            Expr::Nr => Val(self.number.to_string(), true),
            Expr::Field(n) => match self.val(n).number().unwrap_or(0) {
                0 => Val(self.line.to_owned(), true),
                n => Val(usize::try_from(n).ok().and_then(|n| self.fields.get(n - 1)).map_or(String::new(), |f| (*f).to_owned()), true),
            },
            Expr::Minus(a, b) => {
                let n = |e| self.val(e).number().unwrap_or(0);
                Val(n(a).saturating_sub(n(b)).to_string(), true)
            }
            Expr::Join(a, b) => Val(self.val(a).0 + &self.val(b).0, false),
            Expr::Fits(e, r, positive) => {
                let text = self.val(e).0;
                flag(super::posix::compile(r, true, false).is_ok_and(|r| r.is_match(&text)) == *positive)
            }
            Expr::Compare(a, op, b) => {
                let (a, b) = (self.val(a), self.val(b));
                let order = match (a.number(), b.number()) {
                    (Some(x), Some(y)) => x.cmp(&y),
                    _ => a.0.cmp(&b.0),
                };
                flag(match op {
                    Op::Eq => order == Ordering::Equal,
                    Op::Ne => order != Ordering::Equal,
                    Op::Lt => order == Ordering::Less,
                    Op::Le => order != Ordering::Greater,
                    Op::Gt => order == Ordering::Greater,
                    Op::Ge => order != Ordering::Less,
                })
            }
            Expr::Not(e) => flag(!self.val(e).truth()),
            Expr::And(a, b) => flag(self.val(a).truth() && self.val(b).truth()),
            Expr::Or(a, b) => flag(self.val(a).truth() || self.val(b).truth()),
        }
    }

    fn print(&self, prints: Option<&Vec<Vec<Expr>>>, out: &mut String) {
        let Some(prints) = prints else {
            out.push_str(self.line);
            out.push('\n');
            return;
        };
        for list in prints {
            let words: Vec<String> =
                if list.is_empty() { vec![self.line.to_owned()] } else { list.iter().map(|e| self.val(e).0).collect() };
            out.push_str(&words.join(" "));
            out.push('\n');
        }
    }
}

impl Awk {
    fn fields<'l>(&self, line: &'l str, regex: Option<&Regex>) -> Vec<&'l str> {
        match regex {
            None if self.separator == " " => line.split_whitespace().collect(),
            None if line.is_empty() => Vec::new(),
            None => line.split(self.separator.as_str()).collect(),
            Some(r) => r.split(line).collect(),
        }
    }

    pub(super) fn run(&self, input: &str) -> Answer {
        let regex = (self.separator.chars().count() > 1).then(|| super::posix::compile(&self.separator, true, false).ok()).flatten();
        let mut out = String::new();
        let empty = Record { line: "", fields: Vec::new(), number: 0 };
        let of = |when: When| self.rules.iter().filter(move |r| r.when == when);
        of(When::Begin).for_each(|r| empty.print(r.prints.as_ref(), &mut out));
        let all = lines(input);
        for (i, line) in all.iter().enumerate() {
            let record = Record { line, fields: self.fields(line, regex.as_ref()), number: i + 1 };
            for r in &self.rules {
                let wanted = match &r.when {
                    When::Always => true,
                    When::If(e) => record.val(e).truth(),
                    When::Begin | When::End => false,
                };
                if wanted {
                    record.print(r.prints.as_ref(), &mut out);
                }
            }
        }
        let last = all.last().copied().unwrap_or("");
        let end = Record { line: last, fields: self.fields(last, regex.as_ref()), number: all.len() };
        of(When::End).for_each(|r| end.print(r.prints.as_ref(), &mut out));
        Answer::printed(out)
    }
}

#[cfg(test)]
mod tests {
    use super::super::testing::{refused, run};

    #[test]
    fn fields_are_written() {
        let text = "eth0 UP 10\nlo DOWN 9\nveth1 UP 100\n";
        for (line, out) in [
            ("awk '{print $1}'", "eth0\nlo\nveth1\n"),
            ("awk '{print $NF, $1}'", "10 eth0\n9 lo\n100 veth1\n"),
            ("awk '{print $1 \"=\" $2}'", "eth0=UP\nlo=DOWN\nveth1=UP\n"),
            ("awk '/UP/ {print $1}'", "eth0\nveth1\n"),
            ("awk '/^lo/'", "lo DOWN 9\n"),
            ("awk 'NR==2'", "lo DOWN 9\n"),
            ("awk 'NR>1 {print $1}'", "lo\nveth1\n"),
            ("awk '$2 == \"UP\" && $3 > 9 {print $1}'", "eth0\nveth1\n"),
            ("awk '$1 ~ /eth/ {print $3}'", "10\n100\n"),
            ("awk '$1 !~ /eth/ {print}'", "lo DOWN 9\n"),
            ("awk '!/UP/'", "lo DOWN 9\n"),
            ("awk '{print $(NF-1)}'", "UP\nDOWN\nUP\n"),
            ("awk 'END{print NR}'", "3\n"),
            ("awk 'BEGIN{print \"a\", \"b\"}'", "a b\neth0 UP 10\nlo DOWN 9\nveth1 UP 100\n".split_at(4).0),
        ] {
            assert_eq!(run(line, text).0, out, "{line}");
        }
        assert_eq!(run("awk -F: '{print $2}'", "a:b:c\n").0, "b\n");
        assert_eq!(run("awk -F '[=/]' '{print $3}'", "a=b/c\n").0, "c\n");
    }

    #[test]
    fn what_is_not_simulated_is_named() {
        assert_eq!(refused("awk '{printf \"%s\", $1}'").0, "not simulated: `printf` in an awk program");
        assert_eq!(refused("awk '{x = 1}'").0, "not simulated: `=` in an awk program");
        assert!(refused("awk '{print $1'").0.starts_with("awk: line 1: syntax error"));
    }
}
