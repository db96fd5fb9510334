//! `-j HL`: sets, raises or lowers the hop limit.
//!
//! Models: net/netfilter/xt_HL.c hl_tg6, iptables extensions/libip6t_HL.c.

use crate::linux::netfilter::option::{Opt, OptError, ranged};
use crate::linux::netfilter::spec::RuleSpec;
use crate::packet::Family;
use std::fmt::Write as _;

/// What is done with the number.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub struct Hl {
    /// Which of the options: set, lower, raise.
    pub verb: Option<usize>,
    /// The number.
    pub value: u8,
}

const NAMES: [&str; 3] = ["hl-set", "hl-dec", "hl-inc"];

impl Hl {
    pub(super) const OPTS: &'static [Opt] =
        &[Opt::one(&["hl-set"]).excl(0b110), Opt::one(&["hl-dec"]).excl(0b101), Opt::one(&["hl-inc"]).excl(0b011)];

    pub(super) fn set(&mut self, opt: usize, args: &[&str], _: Family) -> Result<(), OptError> {
        self.value = ranged("HL", NAMES[opt], args[0], u64::from(opt > 0), 255)? as u8;
        self.verb = Some(opt);
        Ok(())
    }

    pub(super) fn check(&self, _: u32, _: &RuleSpec) -> Result<(), OptError> {
        match self.verb {
            Some(_) => Ok(()),
            None => Err(OptError::parameter("HL: You must specify an action")),
        }
    }

    /// The number after the target.
    pub fn apply(&self, old: u8) -> u8 {
        match self.verb {
            Some(0) => self.value,
            Some(1) => old.saturating_sub(self.value),
            Some(_) => old.saturating_add(self.value),
            None => old,
        }
    }

    pub(super) fn save(&self, out: &mut String) {
        if let Some(v) = self.verb {
            let _ = write!(out, " --{} {}", NAMES[v], self.value);
        }
    }

    pub(super) fn list(&self, _: bool, out: &mut String) {
        if let Some(v) = self.verb {
            let _ = write!(out, " HL {} {}", ["set to", "decrement by", "increment by"][v], self.value);
        }
    }
}
