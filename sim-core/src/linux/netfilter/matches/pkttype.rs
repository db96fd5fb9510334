//! `-m pkttype`: whom the frame was for.
//!
//! Models: net/netfilter/xt_pkttype.c pkttype_mt, iptables extensions/libxt_pkttype.c.
//! Simplifies: a packet that came over `lo` is for this host, never for a group.

use super::Field;
use crate::linux::PktType;
use crate::linux::netfilter::eval::MatchCx;
use crate::linux::netfilter::option::{Opt, OptError};
use crate::linux::netfilter::spec::RuleSpec;
use crate::packet::Family;
use std::fmt::Write as _;

/// A type to compare with.
#[derive(Clone, Debug, PartialEq, Eq, Default)]
pub struct Pkttype {
    /// The type.
    pub kind: PktType,
    /// `!`.
    pub invert: bool,
}

/// Names: the first of a type is printed.
const NAMES: [(&str, PktType); 9] = [
    ("unicast", PktType::Host),
    ("broadcast", PktType::Broadcast),
    ("multicast", PktType::Multicast),
    ("otherhost", PktType::OtherHost),
    ("outgoing", PktType::Outgoing),
    ("bcast", PktType::Broadcast),
    ("mcast", PktType::Multicast),
    ("host", PktType::Host),
    ("any", PktType::Host),
];

fn name(t: PktType) -> &'static str {
    NAMES.iter().find(|(_, k)| *k == t).map_or("unicast", |(n, _)| n)
}

impl Pkttype {
    pub(super) const OPTS: &'static [Opt] = &[Opt::one(&["pkt-type"]).inv().must()];

    pub(super) fn set(&mut self, _: usize, invert: bool, args: &[&str], _: Family) -> Result<(), OptError> {
        let found = NAMES[..8].iter().find(|(n, k)| n.eq_ignore_ascii_case(args[0]) && !matches!(k, PktType::OtherHost | PktType::Outgoing));
        self.kind = found.ok_or_else(|| OptError::parameter(format!("Bad packet type '{}'", args[0])))?.1;
        self.invert = invert;
        Ok(())
    }

    pub(super) fn check(&self, _: u32, _: &RuleSpec) -> Result<(), OptError> {
        Ok(())
    }

    #[inline]
    pub(super) fn eval(&self, cx: &MatchCx<'_>) -> Result<(), Field> {
        if (cx.pkt_type == self.kind) != self.invert { Ok(()) } else { Err("pkt-type") }
    }

    pub(super) fn save(&self, out: &mut String) {
        let _ = write!(out, "{} --pkt-type {}", if self.invert { " !" } else { "" }, name(self.kind));
    }

    pub(super) fn list(&self, _: bool, out: &mut String) {
        let _ = write!(out, " PKTTYPE {} {}", if self.invert { "!=" } else { "=" }, name(self.kind));
    }

    pub(super) fn explain(&self, _: Field, cx: &MatchCx<'_>) -> (String, String) {
        (format!("{}{}", if self.invert { "not " } else { "" }, name(self.kind)), name(cx.pkt_type).to_owned())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::linux::netfilter::testing::{check, cx, try_read, udp};

    #[test]
    fn types() {
        let p = udp();
        let to_all = MatchCx { pkt_type: PktType::Broadcast, ..cx(&p) };
        check("pkttype --pkt-type bcast", "pkttype --pkt-type broadcast", &[(to_all, ""), (cx(&p), "pkt-type")]);
        check("pkttype ! --pkt-type unicast", "pkttype ! --pkt-type unicast", &[(to_all, ""), (cx(&p), "pkt-type")]);
        assert_eq!(try_read("pkttype --pkt-type foo"), Err("Bad packet type 'foo'".to_owned()));
    }
}
