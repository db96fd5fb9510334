//! `-m hbh`: the hop-by-hop options of an IPv6 packet.
//!
//! Models: net/ipv6/netfilter/ip6t_hbh.c hbh_mt6, iptables extensions/libip6t_hbh.c.
//! Simplifies: `--hbh-opts` is refused.

use super::Field;
use crate::linux::netfilter::eval::MatchCx;
use crate::linux::netfilter::ipv6::HOPOPTS;
use crate::linux::netfilter::option::{Opt, OptError, ranged};
use crate::linux::netfilter::spec::RuleSpec;
use crate::packet::Family;
use std::fmt::Write as _;

/// What is asked of the header.
#[derive(Clone, Debug, PartialEq, Eq, Default)]
pub struct Hbh {
    /// `--hbh-len`: its length in bytes, and `!`.
    pub len: Option<(u32, bool)>,
}

impl Hbh {
    pub(super) const OPTS: &'static [Opt] = &[Opt::one(&["hbh-len"]).inv(), Opt::one(&["hbh-opts"])];

    pub(super) fn set(&mut self, opt: usize, invert: bool, args: &[&str], _: Family) -> Result<(), OptError> {
        if opt == 1 {
            return Err(OptError::not_simulated("`--hbh-opts`"));
        }
        self.len = Some((ranged("hbh", "hbh-len", args[0], 0, u32::MAX.into())? as u32, invert));
        Ok(())
    }

    pub(super) fn check(&self, _: u32, _: &RuleSpec) -> Result<(), OptError> {
        Ok(())
    }

    pub(super) fn eval(&self, cx: &MatchCx<'_>) -> Result<(), Field> {
        let found = cx.extensions();
        let Some((_, _, h)) = found.iter().find(|e| e.0 == HOPOPTS) else { return Err("hbh") };
        let len = (u32::from(h[1]) + 1) * 8;
        match self.len {
            Some((n, invert)) if (n == len) == invert => Err("hbh-len"),
            _ => Ok(()),
        }
    }

    pub(super) fn save(&self, out: &mut String) {
        if let Some((n, invert)) = self.len {
            let _ = write!(out, "{} --hbh-len {n}", if invert { " !" } else { "" });
        }
    }

    pub(super) fn list(&self, _: bool, out: &mut String) {
        out.push_str(" hbh");
        if let Some((n, invert)) = self.len {
            let _ = write!(out, " length:{}{n}", if invert { "!" } else { "" });
        }
    }

    pub(super) fn explain(&self, field: Field, _: &MatchCx<'_>) -> (String, String) {
        let wanted = self.len.map_or("hop-by-hop options".to_owned(), |(n, not)| format!("{}{n} bytes", if not { "not " } else { "" }));
        (wanted, if field == "hbh" { "none" } else { "another length" }.to_owned())
    }
}
