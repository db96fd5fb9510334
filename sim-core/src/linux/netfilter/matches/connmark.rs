//! `-m connmark`: the mark of the packet's flow.
//!
//! Models: net/netfilter/xt_connmark.c connmark_mt, iptables extensions/libxt_connmark.c.

use super::Field;
use crate::linux::netfilter::eval::MatchCx;
use crate::linux::netfilter::option::{Masked, Opt, OptError};
use crate::linux::netfilter::spec::RuleSpec;
use crate::packet::Family;
use std::fmt::Write as _;

/// A mark to compare with.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Connmark {
    /// Value and mask.
    pub mark: Masked,
    /// `!`.
    pub invert: bool,
}

impl Default for Connmark {
    fn default() -> Self {
        Connmark { mark: Masked { value: 0, mask: u32::MAX }, invert: false }
    }
}

impl Connmark {
    pub(super) const OPTS: &'static [Opt] = &[Opt::one(&["mark"]).inv().must()];

    pub(super) fn set(&mut self, _: usize, invert: bool, args: &[&str], _: Family) -> Result<(), OptError> {
        self.mark = Masked::parse("connmark", "mark", args[0])?;
        self.invert = invert;
        Ok(())
    }

    pub(super) fn check(&self, _: u32, _: &RuleSpec) -> Result<(), OptError> {
        Ok(())
    }

    #[inline]
    pub(super) fn eval(&self, cx: &MatchCx<'_>) -> Result<(), Field> {
        // without a flow nothing fits, inverted or not
        match cx.ct_mark {
            Some(m) if (m & self.mark.mask == self.mark.value) != self.invert => Ok(()),
            _ => Err("mark"),
        }
    }

    pub(super) fn save(&self, out: &mut String) {
        let _ = write!(out, "{} --mark {}", if self.invert { " !" } else { "" }, self.mark);
    }

    pub(super) fn list(&self, _: bool, out: &mut String) {
        let _ = write!(out, " connmark match {} {}", if self.invert { "!" } else { "" }, self.mark);
    }

    pub(super) fn explain(&self, _: Field, cx: &MatchCx<'_>) -> (String, String) {
        let not = if self.invert { "not " } else { "" };
        (format!("{not}{}", self.mark), cx.ct_mark.map_or("no flow".to_owned(), |m| format!("{m:#x}")))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::linux::netfilter::testing::{check, cx, udp};

    #[test]
    fn of_the_flow() {
        let p = udp();
        let marked = MatchCx { ct_mark: Some(3), ..cx(&p) };
        check("connmark --mark 1/0x1", "connmark --mark 0x1/0x1", &[(marked, ""), (cx(&p), "mark")]);
        check("connmark ! --mark 3", "connmark ! --mark 0x3", &[(marked, "mark"), (cx(&p), "mark")]);
    }
}
