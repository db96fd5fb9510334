//! `-m mark`: the packet's mark under a mask.
//!
//! Models: net/netfilter/xt_mark.c mark_mt, iptables extensions/libxt_mark.c.

use super::Field;
use crate::linux::netfilter::eval::MatchCx;
use crate::linux::netfilter::option::{Masked, Opt, OptError};
use crate::linux::netfilter::spec::RuleSpec;
use crate::packet::Family;
use std::fmt::Write as _;

/// A mark to compare with.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Mark {
    /// Value and mask.
    pub mark: Masked,
    /// `!`.
    pub invert: bool,
}

impl Default for Mark {
    fn default() -> Self {
        Mark { mark: Masked { value: 0, mask: u32::MAX }, invert: false }
    }
}

impl Mark {
    pub(super) const OPTS: &'static [Opt] = &[Opt::one(&["mark"]).inv().must()];

    pub(super) fn set(&mut self, _: usize, invert: bool, args: &[&str], _: Family) -> Result<(), OptError> {
        self.mark = Masked::parse("mark", "mark", args[0])?;
        self.invert = invert;
        Ok(())
    }

    pub(super) fn check(&self, _: u32, _: &RuleSpec) -> Result<(), OptError> {
        Ok(())
    }

    #[inline]
    pub(super) fn eval(&self, cx: &MatchCx<'_>) -> Result<(), Field> {
        if (cx.mark & self.mark.mask == self.mark.value) != self.invert { Ok(()) } else { Err("mark") }
    }

    pub(super) fn save(&self, out: &mut String) {
        let _ = write!(out, "{} --mark {}", if self.invert { " !" } else { "" }, self.mark);
    }

    pub(super) fn list(&self, _: bool, out: &mut String) {
        let _ = write!(out, " mark match{} {}", if self.invert { " !" } else { "" }, self.mark);
    }

    pub(super) fn explain(&self, _: Field, cx: &MatchCx<'_>) -> (String, String) {
        let not = if self.invert { "not " } else { "" };
        (format!("{not}{}", self.mark), format!("{:#x}", cx.mark))
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]

    use super::*;
    use crate::linux::netfilter::testing::{check, cx, try_read, udp};

    #[test]
    fn value_under_a_mask() {
        let p = udp();
        let marked = MatchCx { mark: 0x4001, ..cx(&p) };
        check("mark --mark 0x4000/0x4000", "mark --mark 0x4000/0x4000", &[(marked, ""), (cx(&p), "mark")]);
        check("mark ! --mark 0x4000/0x4000", "mark ! --mark 0x4000/0x4000", &[(marked, "mark"), (cx(&p), "")]);
        check("mark --mark 16385", "mark --mark 0x4001", &[(marked, "")]);
        let said = "mark: bad integer value for option \"--mark\", or out of range.\n";
        assert_eq!(try_read("mark --mark 4294967296"), Err(said.to_owned()));
    }
}
