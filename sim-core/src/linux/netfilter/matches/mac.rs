//! `-m mac`: the hardware address that a frame came from.
//!
//! Models: net/netfilter/xt_mac.c mac_mt, iptables extensions/libxt_mac.c.

use super::Field;
use crate::linux::netfilter::eval::MatchCx;
use crate::linux::netfilter::option::{Opt, OptError};
use crate::linux::netfilter::spec::RuleSpec;
use crate::packet::Family;
use crate::packet;
use std::fmt::Write as _;

/// A hardware address to compare with.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Mac {
    /// The address.
    pub source: packet::Mac,
    /// `!`.
    pub invert: bool,
}

impl Default for Mac {
    fn default() -> Self {
        Mac { source: packet::Mac([0; 6]), invert: false }
    }
}

impl Mac {
    pub(super) const OPTS: &'static [Opt] = &[Opt::one(&["mac-source"]).inv().must()];

    pub(super) fn set(&mut self, _: usize, invert: bool, args: &[&str], _: Family) -> Result<(), OptError> {
        let mut bytes = [0u8; 6];
        let parts: Vec<_> = args[0].split(':').collect();
        if parts.len() != 6 || parts.iter().any(|p| p.is_empty() || p.len() > 2 || !p.bytes().all(|b| b.is_ascii_hexdigit())) {
            return Err(OptError::parameter("Invalid MAC address specified."));
        }
        for (byte, part) in bytes.iter_mut().zip(parts) {
            *byte = u8::from_str_radix(part, 16).unwrap_or_default();
        }
        self.source = packet::Mac(bytes);
        self.invert = invert;
        Ok(())
    }

    pub(super) fn check(&self, _: u32, _: &RuleSpec) -> Result<(), OptError> {
        Ok(())
    }

    #[inline]
    pub(super) fn eval(&self, cx: &MatchCx<'_>) -> Result<(), Field> {
        match cx.mac_source {
            Some(mac) if (mac == self.source) != self.invert => Ok(()),
            _ => Err("mac-source"),
        }
    }

    pub(super) fn save(&self, out: &mut String) {
        let _ = write!(out, "{} --mac-source {}", if self.invert { " !" } else { "" }, self.source);
    }

    pub(super) fn list(&self, _: bool, out: &mut String) {
        let _ = write!(out, " MAC {}{}", if self.invert { "! " } else { "" }, self.source);
    }

    pub(super) fn explain(&self, _: Field, cx: &MatchCx<'_>) -> (String, String) {
        let not = if self.invert { "not " } else { "" };
        (format!("{not}{}", self.source), cx.mac_source.map_or_else(|| "no link header".to_owned(), |m| m.to_string()))
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]

    use super::*;
    use crate::linux::netfilter::testing::{check, cx, udp};

    #[test]
    fn source() {
        let p = udp();
        let from = |last| MatchCx { mac_source: Some(packet::Mac([2, 0xab, 0, 0, 0, last])), ..cx(&p) };
        check("mac --mac-source 2:AB:0:0:0:1", "mac --mac-source 02:ab:00:00:00:01", &[(from(1), ""), (from(2), "mac-source")]);
        check("mac ! --mac-source 02:ab:00:00:00:01", "mac ! --mac-source 02:ab:00:00:00:01", &[(from(1), "mac-source"), (cx(&p), "mac-source")]);
    }
}
