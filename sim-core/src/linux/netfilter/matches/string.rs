//! `-m string`: a string in the packet.
//!
//! Models: net/netfilter/xt_string.c string_mt, lib/textsearch.c, iptables extensions/libxt_string.c.

use super::Field;
use crate::linux::netfilter::eval::MatchCx;
use crate::linux::netfilter::option::{Opt, OptError, ranged};
use crate::linux::netfilter::spec::RuleSpec;
use crate::packet::Family;
use std::fmt::Write as _;
use std::sync::Arc;

/// What is looked for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StringMatch {
    /// The bytes.
    pub pattern: Arc<[u8]>,
    /// `--algo`: `bm` or `kmp`; they find the same.
    pub algo: Option<&'static str>,
    /// `--from`, `--to`: between which bytes of the packet it begins.
    pub range: (u16, u16),
    /// `--icase`.
    pub icase: bool,
    /// `!`.
    pub invert: bool,
}

impl Default for StringMatch {
    fn default() -> Self {
        StringMatch { pattern: Arc::default(), algo: None, range: (0, u16::MAX), icase: false, invert: false }
    }
}

/// XT_STRING_MAX_PATTERN_SIZE.
const MAX: usize = 128;

fn parse_hex(s: &str) -> Result<Vec<u8>, OptError> {
    let mut out = Vec::new();
    let mut hex = false;
    let mut chars = s.chars().peekable();
    while let Some(c) = chars.next() {
        match c {
            '\\' if !hex => out.extend(chars.next().into_iter().flat_map(|c| c.to_string().into_bytes())),
            '|' => hex = !hex,
            ' ' if hex => {}
            c if hex => {
                let low = chars.next().and_then(|l| l.to_digit(16));
                match (c.to_digit(16), low) {
                    (Some(h), Some(l)) => out.push((h << 4 | l) as u8),
                    _ => return Err(OptError::parameter(format!("Invalid hex char '{c}'"))),
                }
            }
            c => out.extend(c.to_string().into_bytes()),
        }
    }
    Ok(out)
}

impl StringMatch {
    pub(super) const OPTS: &'static [Opt] = &[
        Opt::one(&["from"]),
        Opt::one(&["to"]),
        Opt::one(&["algo"]).must(),
        Opt::one(&["string"]).inv().excl(1 << 4),
        Opt::one(&["hex-string"]).inv().excl(1 << 3),
        Opt::flag(&["icase"]),
    ];

    pub(super) fn set(&mut self, opt: usize, invert: bool, args: &[&str], _: Family) -> Result<(), OptError> {
        match opt {
            0 => self.range.0 = ranged("string", "from", args[0], 0, 65_535)? as u16,
            1 => self.range.1 = ranged("string", "to", args[0], 0, 65_535)? as u16,
            2 => {
                self.algo = Some(match args[0] {
                    "bm" => "bm",
                    "kmp" => "kmp",
                    other => return Err(OptError::not_simulated(format_args!("the algorithm `{other}`"))),
                });
            }
            3 | 4 => {
                let bytes = if opt == 3 { args[0].as_bytes().to_vec() } else { parse_hex(args[0])? };
                if bytes.len() > MAX {
                    return Err(OptError::parameter(format!("STRING too long \"{}\"", args[0])));
                }
                self.pattern = bytes.into();
                self.invert = invert;
            }
            _ => self.icase = true,
        }
        Ok(())
    }

    pub(super) fn check(&self, seen: u32, _: &RuleSpec) -> Result<(), OptError> {
        if seen & 0b11000 == 0 {
            return Err(OptError::parameter("STRING match: You must specify `--string' or `--hex-string'"));
        }
        if self.range.1 < self.range.0 {
            return Err(OptError::parameter("STRING match: option \"--to\" must be greater than \"--from\""));
        }
        Ok(())
    }

    pub(super) fn eval(&self, cx: &MatchCx<'_>) -> Result<(), Field> {
        let bytes = cx.bytes();
        let (from, to) = (usize::from(self.range.0), usize::from(self.range.1));
        let same = |a: &u8, b: &u8| a == b || self.icase && a.eq_ignore_ascii_case(b);
        let part = bytes.get(from..).unwrap_or_default();
        let found = !self.pattern.is_empty()
            && part.windows(self.pattern.len()).take(to - from + 1).any(|w| w.iter().zip(&*self.pattern).all(|(a, b)| same(a, b)));
        if found != self.invert { Ok(()) } else { Err("string") }
    }

    /// Whether it is printed as numbers: a sign that cannot be shown is in it.
    fn is_hex(&self) -> bool {
        self.pattern.iter().any(|b| !b.is_ascii_graphic() && *b != b' ') || self.pattern.last() == Some(&b'\\') || self.pattern.first() == Some(&b'|')
    }

    fn text(&self) -> String {
        if self.is_hex() {
            let hex: Vec<_> = self.pattern.iter().map(|b| format!("{b:02x}")).collect();
            return format!("\"|{}|\"", hex.concat());
        }
        let mut out = String::from("\"");
        for b in self.pattern.iter().map(|b| char::from(*b)) {
            if matches!(b, '"' | '\\' | '\'') {
                out.push('\\');
            }
            out.push(b);
        }
        out.push('"');
        out
    }

    pub(super) fn save(&self, out: &mut String) {
        let not = if self.invert { " !" } else { "" };
        let _ = write!(out, "{not} --{} {}", if self.is_hex() { "hex-string" } else { "string" }, self.text());
        let _ = write!(out, " --algo {}", self.algo.unwrap_or("bm"));
        if self.range.0 != 0 {
            let _ = write!(out, " --from {}", self.range.0);
        }
        if self.range.1 != u16::MAX {
            let _ = write!(out, " --to {}", self.range.1);
        }
        if self.icase {
            out.push_str(" --icase");
        }
    }

    pub(super) fn list(&self, _: bool, out: &mut String) {
        let _ = write!(out, " STRING match {} {}", if self.invert { "!" } else { "" }, self.text());
        let _ = write!(out, " ALGO name {}", self.algo.unwrap_or("bm"));
        if self.range.0 != 0 {
            let _ = write!(out, " FROM {}", self.range.0);
        }
        if self.range.1 != u16::MAX {
            let _ = write!(out, " TO {}", self.range.1);
        }
        if self.icase {
            out.push_str(" ICASE");
        }
    }

    pub(super) fn explain(&self, _: Field, _: &MatchCx<'_>) -> (String, String) {
        let (wanted, seen) = if self.invert { ("without", "it is there") } else { ("with", "it is not there") };
        (format!("{wanted} {}", self.text()), seen.to_owned())
    }
}

#[cfg(test)]
mod tests {
    use crate::linux::netfilter::testing::{check, cx, tcp};
    use crate::packet::{Body, Bytes, TcpFlags};

    #[test]
    fn found_or_not() {
        let mut p = tcp(TcpFlags::ACK);
        if let Body::Tcp(t) = &mut p.body {
            t.payload = Bytes::from(&b"GET /Foo HTTP"[..]);
        }
        check("string --string /Foo --algo bm", "string --string \"/Foo\" --algo bm", &[(cx(&p), "")]);
        check("string --string /foo --algo kmp", "string --string \"/foo\" --algo kmp", &[(cx(&p), "string")]);
        check("string --string /foo --algo bm --icase", "string --string \"/foo\" --algo bm --icase", &[(cx(&p), "")]);
        check("string ! --string GET --algo bm --from 49", "string ! --string \"GET\" --algo bm --from 49", &[(cx(&p), "")]);
        check("string --hex-string |0a|f --algo bm", "string --hex-string \"|0a66|\" --algo bm", &[(cx(&p), "string")]);
    }
}
