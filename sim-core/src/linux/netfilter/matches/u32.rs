//! `-m u32`: any four bytes of the packet.
//!
//! Models: net/netfilter/xt_u32.c u32_match_it, iptables extensions/libxt_u32.c.

use super::Field;
use crate::linux::netfilter::eval::MatchCx;
use crate::linux::netfilter::option::{Opt, OptError, number};
use crate::linux::netfilter::spec::RuleSpec;
use crate::packet::Family;
use std::fmt::Write as _;

/// What is done with the four bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Step {
    /// `&`.
    And(u32),
    /// `<<`.
    Left(u32),
    /// `>>`.
    Right(u32),
    /// `@`: the value is added to where the packet begins, and the four bytes at this place from there are read.
    At(u32),
}

/// `LOCATION=VALUES`.
#[derive(Clone, Debug, PartialEq, Eq, Default)]
pub struct Test {
    /// Where the first four bytes are.
    pub start: u32,
    /// What is done with them.
    pub steps: Vec<Step>,
    /// Least and greatest of each range that fits.
    pub values: Vec<(u32, u32)>,
}

/// Tests that must all fit.
#[derive(Clone, Debug, PartialEq, Eq, Default)]
pub struct U32 {
    /// The tests.
    pub tests: Vec<Test>,
    /// `!`.
    pub invert: bool,
}

/// XT_U32_MAXSIZE.
const MAX: usize = 10;

struct Text<'a> {
    all: &'a str,
    at: usize,
}

impl Text<'_> {
    fn rest(&self) -> &str {
        self.all.get(self.at..).unwrap_or_default().trim_start()
    }

    fn take(&mut self, s: &str) -> bool {
        let rest = self.rest();
        if !rest.starts_with(s) {
            return false;
        }
        self.at = self.all.len() - rest.len() + s.len();
        true
    }

    fn number(&mut self) -> Result<u32, OptError> {
        let rest = self.rest();
        let digits = rest.find(|c: char| !c.is_ascii_alphanumeric()).unwrap_or(rest.len());
        let n = number(&rest[..digits], u64::from(u32::MAX)).filter(|_| digits > 0);
        let at = self.all.len() - rest.len();
        let n = n.ok_or_else(|| OptError::parameter(format!("u32: at char {at}: expected a number")))?;
        self.at = at + digits;
        Ok(n as u32)
    }
}

fn parse(s: &str) -> Result<Vec<Test>, OptError> {
    let mut text = Text { all: s, at: 0 };
    let mut tests = Vec::new();
    loop {
        let mut test = Test { start: text.number()?, ..Test::default() };
        while !text.take("=") {
            let step: fn(u32) -> Step = if text.take("<<") {
                Step::Left
            } else if text.take(">>") {
                Step::Right
            } else if text.take("&") {
                Step::And
            } else if text.take("@") {
                Step::At
            } else {
                return Err(OptError::parameter(format!("u32: at char {}: operator expected", text.at)));
            };
            test.steps.push(step(text.number()?));
        }
        loop {
            let min = text.number()?;
            let max = if text.take(":") { text.number()? } else { min };
            test.values.push((min, max));
            if !text.take(",") {
                break;
            }
        }
        if test.steps.len() >= MAX || test.values.len() > MAX {
            return Err(OptError::parameter(format!("u32: at char {}: too many operators", text.at)));
        }
        tests.push(test);
        if tests.len() > MAX {
            return Err(OptError::parameter(format!("u32: at char {}: too many \"&&\"s", text.at)));
        }
        if !text.take("&&") {
            break;
        }
    }
    match text.rest() {
        "" => Ok(tests),
        _ => Err(OptError::parameter(format!("u32: at char {}: bad location spec", text.at))),
    }
}

impl Test {
    fn fits(&self, bytes: &[u8]) -> Option<bool> {
        let word = |at: usize| -> Option<u32> {
            let b = bytes.get(at..at.checked_add(4)?)?;
            Some(u32::from_be_bytes([b[0], b[1], b[2], b[3]]))
        };
        let mut base = 0usize;
        let mut value = word(self.start as usize)?;
        for step in &self.steps {
            match step {
                Step::And(n) => value &= n,
                Step::Left(n) => value = value.checked_shl(*n).unwrap_or(0),
                Step::Right(n) => value = value.checked_shr(*n).unwrap_or(0),
                Step::At(n) => {
                    base = base.checked_add(value as usize)?;
                    value = word(base.checked_add(*n as usize)?)?;
                }
            }
        }
        Some(self.values.iter().any(|(a, b)| (*a..=*b).contains(&value)))
    }
}

impl U32 {
    pub(super) const OPTS: &'static [Opt] = &[Opt::one(&["u32"]).inv().must()];

    pub(super) fn set(&mut self, _: usize, invert: bool, args: &[&str], _: Family) -> Result<(), OptError> {
        self.tests = parse(args[0])?;
        self.invert = invert;
        Ok(())
    }

    pub(super) fn check(&self, _: u32, _: &RuleSpec) -> Result<(), OptError> {
        Ok(())
    }

    pub(super) fn eval(&self, cx: &MatchCx<'_>) -> Result<(), Field> {
        let bytes = cx.bytes();
        let fits = self.tests.iter().all(|t| t.fits(&bytes) == Some(true));
        if fits != self.invert { Ok(()) } else { Err("u32") }
    }

    fn text(&self) -> String {
        let mut out = String::new();
        for (i, t) in self.tests.iter().enumerate() {
            let _ = write!(out, "{}{:#x}", if i == 0 { "" } else { "&&" }, t.start);
            for s in &t.steps {
                let _ = match s {
                    Step::And(n) => write!(out, "&{n:#x}"),
                    Step::Left(n) => write!(out, "<<{n:#x}"),
                    Step::Right(n) => write!(out, ">>{n:#x}"),
                    Step::At(n) => write!(out, "@{n:#x}"),
                };
            }
            for (j, (a, b)) in t.values.iter().enumerate() {
                let sign = if j == 0 { '=' } else { ',' };
                let _ = if a == b { write!(out, "{sign}{a:#x}") } else { write!(out, "{sign}{a:#x}:{b:#x}") };
            }
        }
        out
    }

    pub(super) fn save(&self, out: &mut String) {
        let _ = write!(out, "{} --u32 \"{}\"", if self.invert { " !" } else { "" }, self.text());
    }

    pub(super) fn list(&self, _: bool, out: &mut String) {
        let _ = write!(out, " u32{} \"{}\"", if self.invert { " !" } else { "" }, self.text());
    }

    pub(super) fn explain(&self, _: Field, _: &MatchCx<'_>) -> (String, String) {
        (format!("{}{}", if self.invert { "not " } else { "" }, self.text()), "other bytes".to_owned())
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]

    use super::*;
    use crate::linux::netfilter::testing::{cx, udp};

    #[test]
    fn bytes_of_the_packet() {
        let p = udp();
        for (text, saved, fits) in [
            ("6&0xFF=17", "0x6&0xff=0x11", true),
            ("6&0xFF=6", "0x6&0xff=0x6", false),
            ("0>>22&0x3C@0>>16=40000", "0x0>>0x16&0x3c@0x0>>0x10=0x9c40", true),
            ("0>>22&0x3C@0&0xffff=50:60,80&&8=1:0xffffffff", "0x0>>0x16&0x3c@0x0&0xffff=0x32:0x3c,0x50&&0x8=0x1:0xffffffff", true),
            ("100=0", "0x64=0x0", false),
        ] {
            let m = U32 { tests: parse(text).unwrap(), invert: false };
            assert_eq!((m.text().as_str(), m.eval(&cx(&p)).is_ok()), (saved, fits), "{text}");
            assert_eq!(parse(&m.text()).unwrap(), m.tests);
        }
        assert!(parse("5").is_err() && parse("a=").is_err() && parse("1=2x").is_err());
    }
}
