//! `-j TOS`: sets bits of the type of service field, or the traffic class.
//!
//! Models: net/netfilter/xt_DSCP.c tos_tg, tos_tg6, iptables extensions/libxt_TOS.c.

use super::super::matches::tos::TosValue;
use crate::linux::netfilter::option::{Opt, OptError, ranged};
use crate::linux::netfilter::spec::RuleSpec;
use crate::packet::Family;
use std::fmt::Write as _;

/// How the field is changed: the bits of the mask are cleared, then the value is XORed in.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub struct Tos {
    /// Value and mask; none before an option was read.
    pub tos: Option<TosValue>,
}

impl Tos {
    pub(super) const OPTS: &'static [Opt] = &[
        Opt::one(&["set-tos"]).excl(0b1110),
        Opt::one(&["and-tos"]).excl(0b1101),
        Opt::one(&["or-tos"]).excl(0b1011),
        Opt::one(&["xor-tos"]).excl(0b0111),
    ];

    pub(super) fn set(&mut self, opt: usize, args: &[&str], _: Family) -> Result<(), OptError> {
        let name = Self::OPTS[opt].names[0];
        let n = || ranged("TOS", name, args[0], 0, 255).map(|n| n as u8);
        self.tos = Some(match opt {
            0 => TosValue::parse("TOS", "set-tos", args[0])?,
            1 => TosValue { value: 0, mask: !n()? },
            2 => TosValue { value: n()?, mask: n()? },
            _ => TosValue { value: n()?, mask: 0 },
        });
        Ok(())
    }

    pub(super) fn check(&self, _: u32, _: &RuleSpec) -> Result<(), OptError> {
        match self.tos {
            Some(_) => Ok(()),
            None => Err(OptError::parameter("TOS: An action is required")),
        }
    }

    /// The field after the target.
    pub fn apply(&self, old: u8) -> u8 {
        self.tos.map_or(old, |t| (old & !t.mask) ^ t.value)
    }

    pub(super) fn save(&self, out: &mut String) {
        if let Some(t) = self.tos {
            let _ = write!(out, " --set-tos {:#04x}/{:#04x}", t.value, t.mask);
        }
    }

    pub(super) fn list(&self, numeric: bool, out: &mut String) {
        let Some(t) = self.tos else { return };
        let _ = match t.name() {
            _ if numeric => write!(out, " TOS set {:#04x}/{:#04x}", t.value, t.mask),
            Some(name) => write!(out, "  TOS set{name}"),
            None if t.value == 0 => write!(out, " TOS and {:#04x}", !t.mask),
            None if t.value == t.mask => write!(out, " TOS or {:#04x}", t.value),
            None if t.mask == 0 => write!(out, " TOS xor {:#04x}", t.value),
            None => write!(out, " TOS set {:#04x}/{:#04x}", t.value, t.mask),
        };
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]

    use super::*;

    #[test]
    fn bits_are_cleared_then_flipped() {
        for (opt, value, saved, tos) in
            [(0, "0x10", "0x10/0xff", 0x10), (0, "Minimize-Delay", "0x10/0x3f", 0x90), (1, "1", "0x00/0xfe", 0x01), (2, "2", "0x02/0x02", 0x83), (3, "1", "0x01/0x00", 0x80)]
        {
            let mut t = Tos::default();
            t.set(opt, &[value], Family::Inet).unwrap();
            let mut out = String::new();
            t.save(&mut out);
            assert_eq!((out, t.apply(0x81)), (format!(" --set-tos {saved}"), tos));
        }
    }
}
