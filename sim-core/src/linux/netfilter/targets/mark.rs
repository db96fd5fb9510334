//! `-j MARK`: sets bits of the packet's mark.
//!
//! Models: net/netfilter/xt_mark.c mark_tg, iptables extensions/libxt_MARK.c.

use crate::linux::netfilter::option::{Masked, Opt, OptError, number};
use crate::linux::netfilter::spec::RuleSpec;
use crate::packet::Family;
use std::fmt::Write as _;

/// How the mark is changed: the bits of the mask are cleared, then the value is XORed in.
#[derive(Clone, Debug, PartialEq, Eq, Default)]
pub struct Mark {
    /// Value and mask; none before an option was read.
    pub xmark: Option<Masked>,
}

const ALL: u32 = 0b11111;

impl Mark {
    pub(super) const OPTS: &'static [Opt] = &[
        Opt::one(&["set-xmark"]).excl(ALL & !1),
        Opt::one(&["set-mark"]).excl(ALL & !2),
        Opt::one(&["and-mark"]).excl(ALL & !4),
        Opt::one(&["or-mark"]).excl(ALL & !8),
        Opt::one(&["xor-mark"]).excl(ALL & !16),
    ];

    /// `--set-xmark value/mask`.
    pub fn set_xmark(value: u32, mask: u32) -> Mark {
        Mark { xmark: Some(Masked { value, mask }) }
    }

    /// `--or-mark value`.
    pub fn or_mark(value: u32) -> Mark {
        Mark::set_xmark(value, value)
    }

    pub(super) fn set(&mut self, opt: usize, args: &[&str], _: Family) -> Result<(), OptError> {
        let name = Self::OPTS[opt].names[0];
        let value = || match number(args[0], u64::from(u32::MAX)) {
            Some(n) => Ok(n as u32),
            None => Err(OptError::parameter(format!("MARK: bad value for option \"--{name}\", or out of range (0-4294967295).\n"))),
        };
        self.xmark = Some(match opt {
            0 => Masked::parse("MARK", name, args[0])?,
            1 => {
                let m = Masked::parse("MARK", name, args[0])?;
                Masked { value: m.value, mask: m.value | m.mask }
            }
            2 => Masked { value: 0, mask: !value()? },
            3 => Masked { value: value()?, mask: value()? },
            _ => Masked { value: value()?, mask: 0 },
        });
        Ok(())
    }

    pub(super) fn check(&self, _: u32, _: &RuleSpec) -> Result<(), OptError> {
        match self.xmark {
            Some(_) => Ok(()),
            None => Err(OptError::parameter("MARK: One of the --set-xmark, --{and,or,xor,set}-mark options is required")),
        }
    }

    /// The mark after the target.
    #[inline]
    pub fn apply(&self, mark: u32) -> u32 {
        match self.xmark {
            Some(m) => (mark & !m.mask) ^ m.value,
            None => mark,
        }
    }

    pub(super) fn save(&self, out: &mut String) {
        if let Some(m) = self.xmark {
            let _ = write!(out, " --set-xmark {:#x}/{:#x}", m.value, m.mask);
        }
    }

    pub(super) fn list(&self, _: bool, out: &mut String) {
        let Some(Masked { value, mask }) = self.xmark else { return };
        let _ = match (value, mask) {
            (0, m) => write!(out, " MARK and {:#x}", !m),
            (v, m) if v == m => write!(out, " MARK or {v:#x}"),
            (v, 0) => write!(out, " MARK xor {v:#x}"),
            (v, u32::MAX) => write!(out, " MARK set {v:#x}"),
            (v, m) => write!(out, " MARK xset {v:#x}/{m:#x}"),
        };
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]

    use super::*;

    #[test]
    fn bits_are_cleared_then_flipped() {
        // Option by its place, value, text, and what becomes of 0xff0.
        for (opt, value, saved, mark) in [
            (0, "0x4000/0x4000", "0x4000/0x4000", 0x4ff0),
            (0, "0x10/0x0", "0x10/0x0", 0xfe0),
            (1, "5", "0x5/0xffffffff", 5),
            (1, "5/3", "0x5/0x7", 0xff5),
            (2, "0x10", "0x0/0xffffffef", 0x10),
            (3, "0xf", "0xf/0xf", 0xfff),
            (4, "0xff", "0xff/0x0", 0xf0f),
        ] {
            let mut t = Mark::default();
            t.set(opt, &[value], Family::Inet).unwrap();
            let mut out = String::new();
            t.save(&mut out);
            assert_eq!((out, t.apply(0xff0)), (format!(" --set-xmark {saved}"), mark));
        }
    }
}
