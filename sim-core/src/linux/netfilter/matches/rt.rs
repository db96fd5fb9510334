//! `-m rt`: the routing header of an IPv6 packet.
//!
//! Models: net/ipv6/netfilter/ip6t_rt.c rt_mt6, iptables extensions/libip6t_rt.c.
//! Simplifies: `--rt-0-addrs` and `--rt-0-not-strict` are refused.

use super::Field;
use crate::linux::netfilter::eval::MatchCx;
use crate::linux::netfilter::ipv6::ROUTING;
use crate::linux::netfilter::option::{Opt, OptError, range, ranged};
use crate::linux::netfilter::spec::RuleSpec;
use crate::packet::Family;
use std::fmt::Write as _;

/// What is asked of the header; the last of each is `!`.
#[derive(Clone, Debug, PartialEq, Eq, Default)]
pub struct Rt {
    /// `--rt-type`.
    pub kind: Option<(u32, bool)>,
    /// `--rt-segsleft`: least, greatest.
    pub segs: Option<(u32, u32, bool)>,
    /// `--rt-len`: length in bytes.
    pub len: Option<(u32, bool)>,
    /// `--rt-0-res`: the reserved field is not looked at.
    pub res: bool,
}

impl Rt {
    pub(super) const OPTS: &'static [Opt] = &[
        Opt::one(&["rt-type"]).inv(),
        Opt::one(&["rt-segsleft"]).inv(),
        Opt::one(&["rt-len"]).inv(),
        Opt::flag(&["rt-0-res"]),
        Opt::one(&["rt-0-addrs"]),
        Opt::flag(&["rt-0-not-strict"]),
    ];

    pub(super) fn set(&mut self, opt: usize, invert: bool, args: &[&str], _: Family) -> Result<(), OptError> {
        let max = u64::from(u32::MAX);
        match opt {
            0 => self.kind = Some((ranged("rt", "rt-type", args[0], 0, max)? as u32, invert)),
            1 => {
                let (a, b) = range("rt", "rt-segsleft", args[0], max)?;
                self.segs = Some((a as u32, b as u32, invert));
            }
            2 => self.len = Some((ranged("rt", "rt-len", args[0], 0, max)? as u32, invert)),
            3 => self.res = true,
            _ => return Err(OptError::not_simulated(format_args!("`--{}`", Self::OPTS[opt].names[0]))),
        }
        Ok(())
    }

    pub(super) fn check(&self, _: u32, _: &RuleSpec) -> Result<(), OptError> {
        if self.res && self.kind != Some((0, false)) {
            return Err(OptError::parameter("`--rt-type 0' required before `--rt-0-res'"));
        }
        Ok(())
    }

    pub(super) fn eval(&self, cx: &MatchCx<'_>) -> Result<(), Field> {
        let found = cx.extensions();
        let Some((_, _, h)) = found.iter().find(|e| e.0 == ROUTING) else { return Err("rt") };
        if self.segs.is_some_and(|(a, b, invert)| (a..=b).contains(&u32::from(h[3])) == invert) {
            return Err("rt-segsleft");
        }
        if self.len.is_some_and(|(n, invert)| (n == (u32::from(h[1]) + 1) * 8) == invert) {
            return Err("rt-len");
        }
        if self.kind.is_some_and(|(n, invert)| (n == u32::from(h[2])) == invert) {
            return Err("rt-type");
        }
        Ok(())
    }

    fn write(&self, out: &mut String, save: bool) {
        let not = |invert: bool| match (invert, save) {
            (false, _) => "",
            (true, true) => " !",
            (true, false) => "!",
        };
        if let Some((n, invert)) = self.kind {
            let _ = if save { write!(out, "{} --rt-type {n}", not(invert)) } else { write!(out, " type:{}{n}", not(invert)) };
        }
        if let Some((a, b, invert)) = self.segs {
            let text = if a == b { a.to_string() } else { format!("{a}:{b}") };
            let s = if a == b { "" } else { "s" };
            let _ = if save { write!(out, "{} --rt-segsleft {text}", not(invert)) } else { write!(out, " segsleft{s}:{}{text}", not(invert)) };
        }
        if let Some((n, invert)) = self.len {
            let _ = if save { write!(out, "{} --rt-len {n}", not(invert)) } else { write!(out, " length:{}{n}", not(invert)) };
        }
        if self.res {
            out.push_str(if save { " --rt-0-res" } else { " reserved" });
        }
    }

    pub(super) fn save(&self, out: &mut String) {
        self.write(out, true);
    }

    pub(super) fn list(&self, _: bool, out: &mut String) {
        out.push_str(" rt");
        self.write(out, false);
    }

    pub(super) fn explain(&self, field: Field, _: &MatchCx<'_>) -> (String, String) {
        let mut wanted = String::new();
        self.write(&mut wanted, false);
        let wanted = if wanted.is_empty() { "a routing header".to_owned() } else { wanted.trim().to_owned() };
        (wanted, if field == "rt" { "no routing header" } else { "another" }.to_owned())
    }
}
