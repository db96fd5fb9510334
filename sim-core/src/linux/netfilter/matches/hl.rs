//! `-m hl`: the hop limit of an IPv6 packet.
//!
//! Models: net/netfilter/xt_hl.c hl_mt6, iptables extensions/libip6t_hl.c.

use super::Field;
use super::ttl::HopLimit;
use crate::linux::netfilter::eval::MatchCx;
use crate::linux::netfilter::option::{Opt, OptError};
use crate::linux::netfilter::spec::RuleSpec;
use crate::packet::Family;
use std::fmt::Write as _;

/// What is asked of the hop limit.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub struct Hl {
    /// The comparison; none before an option was read.
    pub is: Option<HopLimit>,
}

const NAMES: [&str; 3] = ["hl-eq", "hl-lt", "hl-gt"];

impl Hl {
    pub(super) const OPTS: &'static [Opt] =
        &[Opt::one(&["hl-eq"]).inv().excl(0b110), Opt::one(&["hl-lt"]).excl(0b101), Opt::one(&["hl-gt"]).excl(0b011)];

    pub(super) fn set(&mut self, opt: usize, invert: bool, args: &[&str], _: Family) -> Result<(), OptError> {
        self.is = Some(HopLimit::read("hl", NAMES, opt, invert, args[0])?);
        Ok(())
    }

    pub(super) fn check(&self, _: u32, _: &RuleSpec) -> Result<(), OptError> {
        match self.is {
            Some(_) => Ok(()),
            None => Err(OptError::parameter("HL match: You must specify one of `--hl-eq', `--hl-lt', `--hl-gt'")),
        }
    }

    #[inline]
    pub(super) fn eval(&self, cx: &MatchCx<'_>) -> Result<(), Field> {
        if self.is.is_none_or(|is| is.holds(cx.ttl)) { Ok(()) } else { Err("hl") }
    }

    pub(super) fn save(&self, out: &mut String) {
        if let Some(is) = self.is {
            is.save(NAMES, out);
        }
    }

    pub(super) fn list(&self, _: bool, out: &mut String) {
        if let Some(is) = self.is {
            let _ = write!(out, " HL match HL {} {}", is.sign(), is.value);
        }
    }

    pub(super) fn explain(&self, _: Field, cx: &MatchCx<'_>) -> (String, String) {
        (self.is.map(|is| format!("{} {}", is.sign(), is.value)).unwrap_or_default(), cx.ttl.to_string())
    }
}
