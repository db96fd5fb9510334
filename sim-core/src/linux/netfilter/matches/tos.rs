//! `-m tos`: the type of service field, or the traffic class.
//!
//! Models: net/netfilter/xt_dscp.c tos_mt, iptables extensions/libxt_tos.c, extensions/tos_values.c.

use super::Field;
use crate::linux::netfilter::eval::MatchCx;
use crate::linux::netfilter::option::{Opt, OptError, number};
use crate::linux::netfilter::spec::RuleSpec;
use crate::packet::Family;
use std::fmt::Write as _;

/// A value under a mask.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub struct TosValue {
    /// Value.
    pub value: u8,
    /// Mask.
    pub mask: u8,
}

const NAMES: [(&str, u8); 5] =
    [("Minimize-Delay", 0x10), ("Maximize-Throughput", 0x08), ("Maximize-Reliability", 0x04), ("Minimize-Cost", 0x02), ("Normal-Service", 0)];

impl TosValue {
    /// Reads `0x10`, `0x10/0x3f`, `Minimize-Delay`.
    pub(crate) fn parse(ext: &str, opt: &str, s: &str) -> Result<TosValue, OptError> {
        if s.starts_with(|c: char| c.is_ascii_digit()) {
            let bad = || OptError::bad_value(ext, opt, s);
            let (v, m) = s.split_once('/').map_or((s, None), |(v, m)| (v, Some(m)));
            let value = number(v, 255).ok_or_else(bad)? as u8;
            let mask = m.map_or(Some(0xff), |m| number(m, 255)).ok_or_else(bad)? as u8;
            return Ok(TosValue { value, mask });
        }
        let lower = s.to_ascii_lowercase();
        let mut found = NAMES.iter().filter(|(n, _)| n.to_ascii_lowercase().starts_with(&lower));
        match (found.next(), found.next()) {
            (Some((_, value)), None) => Ok(TosValue { value: *value, mask: 0x3f }),
            (Some(_), Some(_)) => Err(OptError::parameter(format!("Symbolic name \"{s}\" is ambiguous"))),
            (None, _) => Err(OptError::parameter(format!("Symbolic name \"{s}\" is unknown"))),
        }
    }

    /// The name, under the mask that names have.
    pub(crate) fn name(self) -> Option<&'static str> {
        NAMES.iter().find(|(_, v)| *v == self.value && self.mask == 0x3f).map(|(n, _)| *n)
    }
}

/// What is asked of the field.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub struct Tos {
    /// Value and mask.
    pub tos: TosValue,
    /// `!`.
    pub invert: bool,
}

impl Tos {
    pub(super) const OPTS: &'static [Opt] = &[Opt::one(&["tos"]).inv().must()];

    pub(super) fn set(&mut self, _: usize, invert: bool, args: &[&str], _: Family) -> Result<(), OptError> {
        self.tos = TosValue::parse("tos", "tos", args[0])?;
        self.invert = invert;
        Ok(())
    }

    pub(super) fn check(&self, _: u32, _: &RuleSpec) -> Result<(), OptError> {
        Ok(())
    }

    #[inline]
    pub(super) fn eval(&self, cx: &MatchCx<'_>) -> Result<(), Field> {
        if (cx.tos & self.tos.mask == self.tos.value) != self.invert { Ok(()) } else { Err("tos") }
    }

    pub(super) fn save(&self, out: &mut String) {
        let _ = write!(out, "{} --tos {:#04x}/{:#04x}", if self.invert { " !" } else { "" }, self.tos.value, self.tos.mask);
    }

    pub(super) fn list(&self, numeric: bool, out: &mut String) {
        let not = if self.invert { "!" } else { "" };
        let _ = match self.tos.name() {
            Some(name) if !numeric => write!(out, " tos match{not} {name}"),
            _ => write!(out, " tos match{not}{:#04x}/{:#04x}", self.tos.value, self.tos.mask),
        };
    }

    pub(super) fn explain(&self, _: Field, cx: &MatchCx<'_>) -> (String, String) {
        let not = if self.invert { "not " } else { "" };
        (format!("{not}{:#04x}/{:#04x}", self.tos.value, self.tos.mask), format!("{:#04x}", cx.tos))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::linux::netfilter::testing::{check, cx, try_read, udp};

    #[test]
    fn values_and_names() {
        let p = udp();
        let low = MatchCx { tos: 0x12, ..cx(&p) };
        check("tos --tos 0x12", "tos --tos 0x12/0xff", &[(low, ""), (cx(&p), "tos")]);
        check("tos --tos minimize-d", "tos --tos 0x10/0x3f", &[(low, "tos")]);
        check("tos ! --tos 0x10/0xfc", "tos ! --tos 0x10/0xfc", &[(low, "tos")]);
        assert_eq!(try_read("tos --tos foo"), Err("Symbolic name \"foo\" is unknown".to_owned()));
    }
}
