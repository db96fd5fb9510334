//! `-m tcpmss`: the maximum segment size that a TCP segment announces.
//!
//! Models: net/netfilter/xt_tcpmss.c tcpmss_mt, iptables extensions/libxt_tcpmss.c.

use super::Field;
use crate::linux::netfilter::eval::MatchCx;
use crate::linux::netfilter::option::{Opt, OptError, range};
use crate::linux::netfilter::spec::RuleSpec;
use crate::packet::{Body, Family};
use std::fmt::Write as _;

/// Sizes in bytes.
#[derive(Clone, Debug, PartialEq, Eq, Default)]
pub struct Tcpmss {
    /// Least and greatest.
    pub range: (u16, u16),
    /// `!`.
    pub invert: bool,
}

/// The size that the segment announces, as its options stand.
pub fn mss_of(body: &Body) -> Option<u16> {
    let Body::Tcp(t) = body else { return None };
    let bytes = t.options.0.as_deref()?;
    let mut at = 0;
    while let Some(&kind) = bytes.get(at) {
        match (kind, bytes.get(at + 1), bytes.get(at + 2..at + 4)) {
            (2, Some(4), Some(v)) => return Some(u16::from_be_bytes([v[0], v[1]])),
            (0 | 1, _, _) => at += 1,
            (_, Some(len), _) => at += usize::from(*len).max(1),
            _ => return None,
        }
    }
    None
}

impl Tcpmss {
    pub(super) const OPTS: &'static [Opt] = &[Opt::one(&["mss"]).inv().must()];

    pub(super) fn set(&mut self, _: usize, invert: bool, args: &[&str], _: Family) -> Result<(), OptError> {
        let (a, b) = range("tcpmss", "mss", args[0], 65_535)?;
        self.range = (a as u16, b as u16);
        self.invert = invert;
        Ok(())
    }

    pub(super) fn check(&self, _: u32, _: &RuleSpec) -> Result<(), OptError> {
        Ok(())
    }

    #[inline]
    pub(super) fn eval(&self, cx: &MatchCx<'_>) -> Result<(), Field> {
        if !matches!(cx.body, Body::Tcp(_)) {
            return Err("mss");
        }
        // a segment that announces none fits only what is inverted
        let fits = mss_of(cx.body).is_some_and(|m| self.range.0 <= m && m <= self.range.1);
        if fits != self.invert { Ok(()) } else { Err("mss") }
    }

    fn text(&self) -> String {
        if self.range.0 == self.range.1 { self.range.0.to_string() } else { format!("{}:{}", self.range.0, self.range.1) }
    }

    pub(super) fn save(&self, out: &mut String) {
        let _ = write!(out, "{} --mss {}", if self.invert { " !" } else { "" }, self.text());
    }

    pub(super) fn list(&self, _: bool, out: &mut String) {
        let _ = write!(out, " tcpmss match {}{}", if self.invert { "!" } else { "" }, self.text());
    }

    pub(super) fn explain(&self, _: Field, cx: &MatchCx<'_>) -> (String, String) {
        let not = if self.invert { "not " } else { "" };
        (format!("{not}{}", self.text()), mss_of(cx.body).map_or("none".to_owned(), |m| m.to_string()))
    }
}

#[cfg(test)]
mod tests {
    use crate::linux::netfilter::testing::{check, cx, tcp};
    use crate::packet::TcpFlags;

    #[test]
    fn announced() {
        let p = tcp(TcpFlags::SYN);
        check("tcpmss --mss 1400:1500", "tcpmss --mss 1400:1500", &[(cx(&p), "")]);
        check("tcpmss ! --mss 1460", "tcpmss ! --mss 1460", &[(cx(&p), "mss")]);
    }
}
