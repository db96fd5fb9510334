//! `-m ecn`: congestion bits of the IP and the TCP header.
//!
//! Models: net/netfilter/xt_ecn.c ecn_mt4, ecn_mt6, iptables extensions/libxt_ecn.c.

use super::Field;
use crate::linux::netfilter::eval::MatchCx;
use crate::linux::netfilter::option::{Opt, OptError, ranged};
use crate::linux::netfilter::spec::RuleSpec;
use crate::packet::{Family, Protocol};
use std::fmt::Write as _;

/// What is asked of the bits; the second of each pair is `!`.
#[derive(Clone, Debug, PartialEq, Eq, Default)]
pub struct Ecn {
    /// `--ecn-tcp-ece`: the ECE flag is set, or not.
    pub ece: Option<bool>,
    /// `--ecn-tcp-cwr`.
    pub cwr: Option<bool>,
    /// `--ecn-ip-ect`: the two bits of the IP header, and `!`.
    pub ect: Option<(u8, bool)>,
}

impl Ecn {
    pub(super) const OPTS: &'static [Opt] =
        &[Opt::flag(&["ecn-tcp-cwr"]).inv(), Opt::flag(&["ecn-tcp-ece"]).inv(), Opt::one(&["ecn-ip-ect"]).inv()];

    pub(super) fn set(&mut self, opt: usize, invert: bool, args: &[&str], _: Family) -> Result<(), OptError> {
        match opt {
            0 => self.cwr = Some(!invert),
            1 => self.ece = Some(!invert),
            _ => self.ect = Some((ranged("ecn", "ecn-ip-ect", args[0], 0, 3)? as u8, invert)),
        }
        Ok(())
    }

    pub(super) fn check(&self, _: u32, _: &RuleSpec) -> Result<(), OptError> {
        if *self == Ecn::default() {
            return Err(OptError::parameter("ECN match: some option required"));
        }
        Ok(())
    }

    /// Whether the kernel takes it in that rule: flags need `-p tcp`.
    pub(crate) fn fits_rule(&self, rule: &RuleSpec) -> bool {
        (self.ece.is_none() && self.cwr.is_none()) || rule.protocol.is_some_and(|p| p.protocol == Protocol::TCP && !p.invert)
    }

    #[inline]
    pub(super) fn eval(&self, cx: &MatchCx<'_>) -> Result<(), Field> {
        if let Some((bits, invert)) = self.ect
            && (cx.tos & 3 == bits) == invert
        {
            return Err("ecn-ip-ect");
        }
        if self.ece.is_some() || self.cwr.is_some() {
            let Some(flags) = cx.tcp_flags() else { return Err("tcp") };
            if self.ece.is_some_and(|want| (flags.0 & 0x40 != 0) != want) {
                return Err("ecn-tcp-ece");
            }
            if self.cwr.is_some_and(|want| (flags.0 & 0x80 != 0) != want) {
                return Err("ecn-tcp-cwr");
            }
        }
        Ok(())
    }

    pub(super) fn save(&self, out: &mut String) {
        for (want, name) in [(self.ece, "ecn-tcp-ece"), (self.cwr, "ecn-tcp-cwr")] {
            if let Some(want) = want {
                let _ = write!(out, "{} --{name}", if want { "" } else { " !" });
            }
        }
        if let Some((bits, invert)) = self.ect {
            let _ = write!(out, "{} --ecn-ip-ect {bits}", if invert { " !" } else { "" });
        }
    }

    pub(super) fn list(&self, _: bool, out: &mut String) {
        out.push_str(" ECN match");
        for (want, name) in [(self.ece, "ECE"), (self.cwr, "CWR")] {
            if let Some(want) = want {
                let _ = write!(out, " {}{name}", if want { "" } else { "!" });
            }
        }
        if let Some((bits, invert)) = self.ect {
            let _ = write!(out, " {}ECT={bits}", if invert { "!" } else { "" });
        }
    }

    pub(super) fn explain(&self, field: Field, cx: &MatchCx<'_>) -> (String, String) {
        let flag = |b: bool| if b { "set" } else { "not set" }.to_owned();
        match field {
            "ecn-ip-ect" => {
                let (bits, invert) = self.ect.unwrap_or_default();
                (format!("{}{bits}", if invert { "not " } else { "" }), (cx.tos & 3).to_string())
            }
            "ecn-tcp-ece" => (flag(self.ece == Some(true)), flag(self.ece == Some(false))),
            "ecn-tcp-cwr" => (flag(self.cwr == Some(true)), flag(self.cwr == Some(false))),
            _ => ("a TCP header".to_owned(), cx.body_seen()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::linux::netfilter::testing::{check, cx, tcp, udp};
    use crate::packet::TcpFlags;

    #[test]
    fn bits() {
        let (p, u) = (tcp(TcpFlags(0x42)), udp());
        let marked = MatchCx { tos: 2, ..cx(&p) };
        check("ecn --ecn-ip-ect 2", "ecn --ecn-ip-ect 2", &[(marked, ""), (cx(&p), "ecn-ip-ect")]);
        check("ecn --ecn-tcp-ece ! --ecn-tcp-cwr", "ecn --ecn-tcp-ece ! --ecn-tcp-cwr", &[(marked, ""), (cx(&u), "tcp")]);
        check("ecn --ecn-tcp-cwr", "ecn --ecn-tcp-cwr", &[(marked, "ecn-tcp-cwr")]);
    }
}
