//! `-m length`: the length of the packet.
//!
//! Models: net/netfilter/xt_length.c length_mt, length_mt6, iptables extensions/libxt_length.c.

use super::Field;
use crate::linux::netfilter::eval::MatchCx;
use crate::linux::netfilter::option::{Opt, OptError, range};
use crate::linux::netfilter::spec::RuleSpec;
use crate::packet::Family;
use std::fmt::Write as _;

/// Lengths in bytes, the packet's own header included.
#[derive(Clone, Debug, PartialEq, Eq, Default)]
pub struct Length {
    /// Least and greatest.
    pub range: (u16, u16),
    /// `!`.
    pub invert: bool,
}

impl Length {
    pub(super) const OPTS: &'static [Opt] = &[Opt::one(&["length"]).inv().must()];

    pub(super) fn set(&mut self, _: usize, invert: bool, args: &[&str], _: Family) -> Result<(), OptError> {
        let (a, b) = range("length", "length", args[0], 65_535)?;
        self.range = (a as u16, b as u16);
        self.invert = invert;
        Ok(())
    }

    pub(super) fn check(&self, _: u32, _: &RuleSpec) -> Result<(), OptError> {
        Ok(())
    }

    #[inline]
    pub(super) fn eval(&self, cx: &MatchCx<'_>) -> Result<(), Field> {
        let fits = cx.len >= self.range.0.into() && cx.len <= self.range.1.into();
        if fits != self.invert { Ok(()) } else { Err("length") }
    }

    fn text(&self) -> String {
        if self.range.0 == self.range.1 { self.range.0.to_string() } else { format!("{}:{}", self.range.0, self.range.1) }
    }

    pub(super) fn save(&self, out: &mut String) {
        let _ = write!(out, "{} --length {}", if self.invert { " !" } else { "" }, self.text());
    }

    pub(super) fn list(&self, _: bool, out: &mut String) {
        let _ = write!(out, " length {}{}", if self.invert { "!" } else { "" }, self.text());
    }

    pub(super) fn explain(&self, _: Field, cx: &MatchCx<'_>) -> (String, String) {
        (format!("{}{}", if self.invert { "not " } else { "" }, self.text()), cx.len.to_string())
    }
}

#[cfg(test)]
mod tests {
    use crate::linux::netfilter::testing::{check, cx, try_read, udp};

    #[test]
    fn of_the_whole_packet() {
        let p = udp();
        check("length --length 28", "length --length 28", &[(cx(&p), "")]);
        check("length --length :27", "length --length 0:27", &[(cx(&p), "length")]);
        check("length ! --length 20:30", "length ! --length 20:30", &[(cx(&p), "length")]);
        let said = "length: bad value for option \"--length\" near \"70000\", or out of range (0-65535).\n";
        assert_eq!(try_read("length --length 70000"), Err(said.to_owned()));
    }
}
