//! `-m frag`: the fragment header of an IPv6 packet.
//!
//! Models: net/ipv6/netfilter/ip6t_frag.c frag_mt6, iptables extensions/libip6t_frag.c.

use super::Field;
use crate::linux::netfilter::eval::MatchCx;
use crate::linux::netfilter::ipv6::FRAGMENT;
use crate::linux::netfilter::option::{Opt, OptError, range, ranged};
use crate::linux::netfilter::spec::RuleSpec;
use crate::packet::Family;
use std::fmt::Write as _;

/// What is asked of the header.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Frag {
    /// `--fragid`: least, greatest.
    pub id: (u32, u32),
    /// `!` before it.
    pub invert: bool,
    /// `--fraglen`: the header's length, which is always 8.
    pub len: Option<u32>,
    /// `--fragres`: the reserved bits are zero.
    pub res: bool,
    /// `--fragfirst`.
    pub first: bool,
    /// `--fragmore` (`Some(true)`), `--fraglast` (`Some(false)`).
    pub more: Option<bool>,
}

impl Default for Frag {
    fn default() -> Self {
        Frag { id: (0, u32::MAX), invert: false, len: None, res: false, first: false, more: None }
    }
}

impl Frag {
    pub(super) const OPTS: &'static [Opt] = &[
        Opt::one(&["fragid"]).inv(),
        Opt::one(&["fraglen"]),
        Opt::flag(&["fragres"]),
        Opt::flag(&["fragfirst"]),
        Opt::flag(&["fragmore"]).excl(1 << 5),
        Opt::flag(&["fraglast"]).excl(1 << 4),
    ];

    pub(super) fn set(&mut self, opt: usize, invert: bool, args: &[&str], _: Family) -> Result<(), OptError> {
        match opt {
            0 => {
                let (a, b) = range("frag", "fragid", args[0], u32::MAX.into())?;
                self.id = (a as u32, b as u32);
                self.invert = invert;
            }
            1 => self.len = Some(ranged("frag", "fraglen", args[0], 0, u32::MAX.into())? as u32),
            2 => self.res = true,
            3 => self.first = true,
            4 => self.more = Some(true),
            _ => self.more = Some(false),
        }
        Ok(())
    }

    pub(super) fn check(&self, _: u32, _: &RuleSpec) -> Result<(), OptError> {
        Ok(())
    }

    pub(super) fn eval(&self, cx: &MatchCx<'_>) -> Result<(), Field> {
        let found = cx.extensions();
        let Some((_, _, h)) = found.iter().find(|e| e.0 == FRAGMENT) else { return Err("frag") };
        let id = u32::from_be_bytes([h[4], h[5], h[6], h[7]]);
        if ((self.id.0..=self.id.1).contains(&id)) == self.invert {
            return Err("fragid");
        }
        let offset = u16::from_be_bytes([h[2], h[3]]);
        if self.res && (h[1] != 0 || offset & 6 != 0) {
            return Err("fragres");
        }
        if self.first && offset & 0xfff8 != 0 {
            return Err("fragfirst");
        }
        match self.more {
            Some(true) if offset & 1 == 0 => Err("fragmore"),
            Some(false) if offset & 1 != 0 => Err("fraglast"),
            _ => Ok(()),
        }
    }

    fn id_given(&self) -> bool {
        self.id != (0, u32::MAX)
    }

    pub(super) fn save(&self, out: &mut String) {
        if self.id_given() {
            let not = if self.invert { " !" } else { "" };
            let (a, b) = self.id;
            let _ = if a == b { write!(out, "{not} --fragid {a}") } else { write!(out, "{not} --fragid {a}:{b}") };
        }
        if let Some(n) = self.len {
            let _ = write!(out, " --fraglen {n}");
        }
        let more = [(self.res, "fragres"), (self.first, "fragfirst"), (self.more == Some(true), "fragmore"), (self.more == Some(false), "fraglast")];
        for (_, name) in more.iter().filter(|(set, _)| *set) {
            let _ = write!(out, " --{name}");
        }
    }

    pub(super) fn list(&self, _: bool, out: &mut String) {
        out.push_str(" frag ");
        if self.id_given() {
            let not = if self.invert { "!" } else { "" };
            let (a, b) = self.id;
            let _ = if a == b { write!(out, "id:{not}{a}") } else { write!(out, "ids:{not}{a}:{b}") };
        }
        if let Some(n) = self.len {
            let _ = write!(out, " length:{n}");
        }
        let more = [(self.res, "reserved"), (self.first, "first"), (self.more == Some(true), "more"), (self.more == Some(false), "last")];
        for (_, name) in more.iter().filter(|(set, _)| *set) {
            let _ = write!(out, " {name}");
        }
    }

    pub(super) fn explain(&self, field: Field, _: &MatchCx<'_>) -> (String, String) {
        let mut wanted = String::new();
        self.save(&mut wanted);
        let seen = if field == "frag" { "no fragment header" } else { "another" };
        (if wanted.is_empty() { "a fragment header".to_owned() } else { wanted.trim().to_owned() }, seen.to_owned())
    }
}
