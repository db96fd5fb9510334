//! `-m connlimit`: how many flows a host has.
//!
//! Models: net/netfilter/xt_connlimit.c connlimit_mt, net/netfilter/nf_conncount.c, iptables extensions/libxt_connlimit.c.
//! Simplifies: flows are counted in the conntrack table, and not in a list of those that the rule has seen; connections in TIME_WAIT or CLOSE do not count.

use super::Field;
use crate::linux::netfilter::eval::MatchCx;
use crate::linux::netfilter::option::{Opt, OptError, ranged};
use crate::linux::netfilter::spec::RuleSpec;
use crate::packet::Family;
use std::fmt::Write as _;

/// How many are let through.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub struct Connlimit {
    /// `--connlimit-upto`, `--connlimit-above`.
    pub limit: Option<u32>,
    /// `--connlimit-above`: what exceeds it fits.
    pub above: bool,
    /// `--connlimit-mask`: length of the prefix; none for the whole address.
    pub mask: Option<u8>,
    /// `--connlimit-daddr`: by destination.
    pub dest: bool,
    /// Whose rule it is of.
    pub family: Family,
}

impl Connlimit {
    pub(super) const OPTS: &'static [Opt] = &[
        Opt::one(&["connlimit-upto"]).inv().excl(0b10),
        Opt::one(&["connlimit-above"]).inv().excl(0b01),
        Opt::one(&["connlimit-mask"]),
        Opt::flag(&["connlimit-saddr"]),
        Opt::flag(&["connlimit-daddr"]),
    ];

    pub(super) fn set(&mut self, opt: usize, invert: bool, args: &[&str], family: Family) -> Result<(), OptError> {
        let bits = if family == Family::Inet { 32 } else { 128 };
        match opt {
            0 | 1 => {
                self.limit = Some(ranged("connlimit", Self::OPTS[opt].names[0], args[0], 0, u32::MAX.into())? as u32);
                self.above = (opt == 1) != invert;
            }
            2 => self.mask = Some(ranged("connlimit", "connlimit-mask", args[0], 0, bits)? as u8).filter(|n| u64::from(*n) != bits),
            3 => self.dest = false,
            _ => self.dest = true,
        }
        Ok(())
    }

    pub(super) fn check(&self, _: u32, _: &RuleSpec) -> Result<(), OptError> {
        match self.limit {
            Some(_) => Ok(()),
            None => Err(OptError::parameter("You must specify \"--connlimit-above\" or \"--connlimit-upto\".")),
        }
    }

    pub(super) fn field(&self) -> Field {
        if self.above { "connlimit-above" } else { "connlimit-upto" }
    }

    /// The network of an address.
    pub fn cut(&self, addr: u128, family: Family) -> u128 {
        let bits = if family == Family::Inet { 32u32 } else { 128 };
        match self.mask {
            None => addr,
            Some(0) => 0,
            Some(n) => addr & (u128::MAX << (bits - u32::from(n).min(bits))),
        }
    }

    /// Whether it fits when there are so many flows, the packet's own included.
    pub fn fits(&self, count: usize) -> bool {
        (count > self.limit.unwrap_or(0) as usize) == self.above
    }

    fn len(&self) -> u8 {
        self.mask.unwrap_or(if self.family == Family::Inet { 32 } else { 128 })
    }

    pub(super) fn save(&self, out: &mut String) {
        let side = if self.dest { "daddr" } else { "saddr" };
        let _ = write!(out, " --{} {} --connlimit-mask {} --connlimit-{side}", self.field(), self.limit.unwrap_or(0), self.len());
    }

    pub(super) fn list(&self, _: bool, out: &mut String) {
        let side = if self.dest { "dst" } else { "src" };
        let sign = if self.above { ">" } else { "<=" };
        let _ = write!(out, " #conn {side}/{} {sign} {}", self.len(), self.limit.unwrap_or(0));
    }

    pub(super) fn explain(&self, _: Field, cx: &MatchCx<'_>) -> (String, String) {
        let wanted = if self.above { "more than" } else { "at most" };
        let seen = cx.memory_seen.map_or_else(|| "not recorded".to_owned(), |v| format!("{v} flows"));
        (format!("{wanted} {} flows", self.limit.unwrap_or(0)), seen)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn above_and_up_to() {
        let c = |above| Connlimit { limit: Some(2), above, ..Connlimit::default() };
        assert_eq!([1, 2, 3].map(|n| c(true).fits(n)), [false, false, true]);
        assert_eq!([1, 2, 3].map(|n| c(false).fits(n)), [true, true, false]);
    }
}
