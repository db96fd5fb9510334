//! `-m dscp`: the differentiated services field.
//!
//! Models: net/netfilter/xt_dscp.c dscp_mt, dscp_mt6, iptables extensions/libxt_dscp.c, extensions/dscp_helper.c.

use super::Field;
use crate::linux::netfilter::eval::MatchCx;
use crate::linux::netfilter::option::{Opt, OptError, ranged};
use crate::linux::netfilter::spec::RuleSpec;
use crate::packet::Family;
use std::fmt::Write as _;

/// A value to compare with.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub struct Dscp {
    /// The upper six bits of the field, as a number.
    pub dscp: Option<u8>,
    /// `!`.
    pub invert: bool,
}

const CLASSES: [(&str, u8); 22] = [
    ("CS0", 0x00),
    ("CS1", 0x08),
    ("CS2", 0x10),
    ("CS3", 0x18),
    ("CS4", 0x20),
    ("CS5", 0x28),
    ("CS6", 0x30),
    ("CS7", 0x38),
    ("BE", 0x00),
    ("AF11", 0x0a),
    ("AF12", 0x0c),
    ("AF13", 0x0e),
    ("AF21", 0x12),
    ("AF22", 0x14),
    ("AF23", 0x16),
    ("AF31", 0x1a),
    ("AF32", 0x1c),
    ("AF33", 0x1e),
    ("AF41", 0x22),
    ("AF42", 0x24),
    ("AF43", 0x26),
    ("EF", 0x2e),
];

/// The value of a class's name.
pub(crate) fn class(name: &str) -> Result<u8, OptError> {
    let found = CLASSES.iter().find(|(n, _)| n.eq_ignore_ascii_case(name));
    found.map(|(_, v)| *v).ok_or_else(|| OptError::parameter(format!("Invalid DSCP value `{name}'")))
}

impl Dscp {
    pub(super) const OPTS: &'static [Opt] = &[Opt::one(&["dscp"]).inv().excl(0b10), Opt::one(&["dscp-class"]).inv().excl(0b01)];

    pub(super) fn set(&mut self, opt: usize, invert: bool, args: &[&str], _: Family) -> Result<(), OptError> {
        self.dscp = Some(if opt == 0 { ranged("dscp", "dscp", args[0], 0, 63)? as u8 } else { class(args[0])? });
        self.invert = invert;
        Ok(())
    }

    pub(super) fn check(&self, _: u32, _: &RuleSpec) -> Result<(), OptError> {
        match self.dscp {
            Some(_) => Ok(()),
            None => Err(OptError::parameter("DSCP match: Parameter --dscp is required")),
        }
    }

    #[inline]
    pub(super) fn eval(&self, cx: &MatchCx<'_>) -> Result<(), Field> {
        if self.dscp.is_none_or(|d| (cx.tos >> 2 == d) != self.invert) { Ok(()) } else { Err("dscp") }
    }

    pub(super) fn save(&self, out: &mut String) {
        let _ = write!(out, "{} --dscp {:#04x}", if self.invert { " !" } else { "" }, self.dscp.unwrap_or(0));
    }

    pub(super) fn list(&self, _: bool, out: &mut String) {
        let _ = write!(out, " DSCP match {}{:#04x}", if self.invert { "!" } else { "" }, self.dscp.unwrap_or(0));
    }

    pub(super) fn explain(&self, _: Field, cx: &MatchCx<'_>) -> (String, String) {
        (format!("{}{:#04x}", if self.invert { "not " } else { "" }, self.dscp.unwrap_or(0)), format!("{:#04x}", cx.tos >> 2))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::linux::netfilter::testing::{check, cx, try_read, udp};

    #[test]
    fn values_and_classes() {
        let p = udp();
        let ef = MatchCx { tos: 0xb9, ..cx(&p) };
        check("dscp --dscp-class ef", "dscp --dscp 0x2e", &[(ef, ""), (cx(&p), "dscp")]);
        check("dscp ! --dscp 46", "dscp ! --dscp 0x2e", &[(ef, "dscp"), (cx(&p), "")]);
        assert_eq!(try_read("dscp --dscp-class foo"), Err("Invalid DSCP value `foo'".to_owned()));
    }
}
