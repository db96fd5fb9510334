//! `-m quota`: a number of bytes, and no more.
//!
//! Models: net/netfilter/xt_quota.c quota_mt, iptables extensions/libxt_quota.c.

use super::Field;
use crate::linux::netfilter::eval::MatchCx;
use crate::linux::netfilter::option::{Opt, OptError, ranged};
use crate::linux::netfilter::spec::RuleSpec;
use crate::packet::Family;
use std::fmt::Write as _;

/// How many bytes.
#[derive(Clone, Debug, PartialEq, Eq, Default)]
pub struct Quota {
    /// Bytes.
    pub quota: u64,
    /// `!`.
    pub invert: bool,
}

impl Quota {
    pub(super) const OPTS: &'static [Opt] = &[Opt::one(&["quota"]).inv().must()];

    pub(super) fn set(&mut self, _: usize, invert: bool, args: &[&str], _: Family) -> Result<(), OptError> {
        self.quota = ranged("quota", "quota", args[0], 0, u64::MAX)?;
        self.invert = invert;
        Ok(())
    }

    pub(super) fn check(&self, _: u32, _: &RuleSpec) -> Result<(), OptError> {
        Ok(())
    }

    /// Takes the packet's bytes from what is left; what does not suffice is gone too.
    pub fn take(&self, left: &mut u64, len: u32) -> bool {
        match left.checked_sub(len.into()) {
            Some(rest) => {
                *left = rest;
                !self.invert
            }
            None => {
                *left = 0;
                self.invert
            }
        }
    }

    pub(super) fn save(&self, out: &mut String) {
        let _ = write!(out, "{} --quota {}", if self.invert { " !" } else { "" }, self.quota);
    }

    pub(super) fn list(&self, _: bool, out: &mut String) {
        let _ = write!(out, " quota: {} bytes", self.quota);
    }

    pub(super) fn explain(&self, _: Field, cx: &MatchCx<'_>) -> (String, String) {
        let wanted = if self.invert { "no bytes left" } else { "bytes left" };
        (format!("{wanted} of {}", self.quota), format!("a packet of {}", cx.len))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::linux::netfilter::testing::check;

    #[test]
    fn bytes_run_out() {
        check("quota --quota 100", "quota --quota 100", &[]);
        let q = Quota { quota: 100, invert: false };
        let mut left = 100;
        let said: Vec<bool> = [60, 40, 1].iter().map(|n| q.take(&mut left, *n)).collect();
        assert_eq!(said, [true, true, false]);
        let mut left = 50;
        assert!(!q.take(&mut left, 60) && !q.take(&mut left, 10));
    }
}
