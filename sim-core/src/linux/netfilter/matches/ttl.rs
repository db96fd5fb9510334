//! `-m ttl`: the time to live of an IPv4 packet.
//!
//! Models: net/netfilter/xt_hl.c ttl_mt, iptables extensions/libipt_ttl.c.

use super::Field;
use crate::linux::netfilter::eval::MatchCx;
use crate::linux::netfilter::option::{Opt, OptError, number};
use crate::linux::netfilter::spec::RuleSpec;
use crate::packet::Family;
use std::cmp::Ordering;
use std::fmt::Write as _;

/// What is asked of the number.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct HopLimit {
    /// How the packet's number must stand to the other.
    pub order: Ordering,
    /// The number to compare with.
    pub value: u8,
    /// `!`, of equality only.
    pub invert: bool,
}

impl HopLimit {
    pub(super) fn read(ext: &str, names: [&str; 3], opt: usize, invert: bool, word: &str) -> Result<HopLimit, OptError> {
        let order = [Ordering::Equal, Ordering::Less, Ordering::Greater][opt];
        let value = number(word, 255).ok_or_else(|| {
            OptError::parameter(format!("{ext}: bad value for option \"--{}\", or out of range (0-255).\n", names[opt]))
        })?;
        Ok(HopLimit { order, value: value as u8, invert })
    }

    #[inline]
    pub(super) fn holds(self, seen: u8) -> bool {
        (seen.cmp(&self.value) == self.order) != self.invert
    }

    fn place(self) -> usize {
        match self.order {
            Ordering::Equal => 0,
            Ordering::Less => 1,
            Ordering::Greater => 2,
        }
    }

    pub(super) fn save(self, names: [&str; 3], out: &mut String) {
        let _ = write!(out, "{} --{} {}", if self.invert { " !" } else { "" }, names[self.place()], self.value);
    }

    pub(super) fn sign(self) -> &'static str {
        match self.order {
            Ordering::Equal if self.invert => "!=",
            Ordering::Equal => "==",
            Ordering::Less => "<",
            Ordering::Greater => ">",
        }
    }
}

/// What is asked of the time to live.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub struct Ttl {
    /// The comparison; none before an option was read.
    pub is: Option<HopLimit>,
}

const NAMES: [&str; 3] = ["ttl-eq", "ttl-lt", "ttl-gt"];

impl Ttl {
    pub(super) const OPTS: &'static [Opt] = &[
        Opt::one(&["ttl-eq", "ttl"]).inv().excl(0b110),
        Opt::one(&["ttl-lt"]).excl(0b101),
        Opt::one(&["ttl-gt"]).excl(0b011),
    ];

    pub(super) fn set(&mut self, opt: usize, invert: bool, args: &[&str], _: Family) -> Result<(), OptError> {
        self.is = Some(HopLimit::read("ttl", NAMES, opt, invert, args[0])?);
        Ok(())
    }

    pub(super) fn check(&self, _: u32, _: &RuleSpec) -> Result<(), OptError> {
        match self.is {
            Some(_) => Ok(()),
            None => Err(OptError::parameter("TTL match: You must specify one of `--ttl-eq', `--ttl-lt', `--ttl-gt")),
        }
    }

    #[inline]
    pub(super) fn eval(&self, cx: &MatchCx<'_>) -> Result<(), Field> {
        if self.is.is_none_or(|is| is.holds(cx.ttl)) { Ok(()) } else { Err("ttl") }
    }

    pub(super) fn save(&self, out: &mut String) {
        if let Some(is) = self.is {
            is.save(NAMES, out);
        }
    }

    pub(super) fn list(&self, _: bool, out: &mut String) {
        if let Some(is) = self.is {
            let _ = write!(out, " TTL match TTL {} {}", is.sign(), is.value);
        }
    }

    pub(super) fn explain(&self, _: Field, cx: &MatchCx<'_>) -> (String, String) {
        (self.is.map(|is| format!("{} {}", is.sign(), is.value)).unwrap_or_default(), cx.ttl.to_string())
    }
}

#[cfg(test)]
mod tests {
    use crate::linux::netfilter::testing::{check, cx, udp};

    #[test]
    fn numbers() {
        let p = udp();
        check("ttl --ttl 64", "ttl --ttl-eq 64", &[(cx(&p), "")]);
        check("ttl ! --ttl-eq 64", "ttl ! --ttl-eq 64", &[(cx(&p), "ttl")]);
        check("ttl --ttl-lt 64", "ttl --ttl-lt 64", &[(cx(&p), "ttl")]);
        check("ttl --ttl-gt 63", "ttl --ttl-gt 63", &[(cx(&p), "")]);
    }
}
