//! `-m recent`: addresses that were seen lately, in named lists.
//!
//! Models: net/netfilter/xt_recent.c recent_mt_check, iptables extensions/libxt_recent.c. The lists are in
//! [`crate::linux::netfilter::state::recent`].
//! Seen in: 33-session-affinity.

use super::Field;
use crate::linux::netfilter::eval::MatchCx;
use crate::linux::netfilter::option::{Opt, OptError, ranged};
use crate::linux::netfilter::spec::{RuleSpec, bits_of, ip_of};
use crate::packet::Family;
use std::fmt::Write as _;
use std::net::{Ipv4Addr, Ipv6Addr};
use std::sync::Arc;

/// What is done with the list.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub enum Check {
    /// Nothing was said.
    #[default]
    None,
    /// `--set`: the address is put in, or seen again.
    Set,
    /// `--rcheck`: whether it is in.
    Check,
    /// `--update`: the same, and then it is seen again.
    Update,
    /// `--remove`: the same, and then it is taken out.
    Remove,
}

/// What is asked of a list.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Recent {
    /// The list.
    pub name: Arc<str>,
    /// What is done.
    pub check: Check,
    /// `!`.
    pub invert: bool,
    /// `--seconds`; 0 for any time.
    pub seconds: u32,
    /// `--hitcount`; 0 for once.
    pub hitcount: u32,
    /// `--reap`.
    pub reap: bool,
    /// `--rttl`: the time to live must be the same too.
    pub rttl: bool,
    /// `--rdest`: the destination's address, not the source's.
    pub dest: bool,
    /// `--mask`, as a number; all ones by default.
    pub mask: u128,
    /// Whose rule it is of.
    pub family: Family,
}

impl Default for Recent {
    fn default() -> Self {
        Recent {
            name: "DEFAULT".into(),
            check: Check::None,
            invert: false,
            seconds: 0,
            hitcount: 0,
            reap: false,
            rttl: false,
            dest: false,
            mask: u128::MAX,
            family: Family::Inet,
        }
    }
}

const VERBS: u32 = 0b1111;

impl Recent {
    pub(super) const OPTS: &'static [Opt] = &[
        Opt::flag(&["set"]).inv().excl(VERBS & !1),
        Opt::flag(&["rcheck"]).inv().excl(VERBS & !2),
        Opt::flag(&["update"]).inv().excl(VERBS & !4),
        Opt::flag(&["remove"]).inv().excl(VERBS & !8 | 1 << 7),
        Opt::one(&["seconds"]),
        Opt::flag(&["reap"]),
        Opt::one(&["hitcount"]),
        Opt::flag(&["rttl"]).excl(0b1001),
        Opt::one(&["name"]),
        Opt::flag(&["rsource"]),
        Opt::flag(&["rdest"]),
        Opt::one(&["mask"]),
    ];

    pub(super) fn set(&mut self, opt: usize, invert: bool, args: &[&str], family: Family) -> Result<(), OptError> {
        match opt {
            0..=3 => {
                self.check = [Check::Set, Check::Check, Check::Update, Check::Remove][opt];
                self.invert = invert;
            }
            4 => self.seconds = ranged("recent", "seconds", args[0], 1, u32::MAX.into())? as u32,
            5 => self.reap = true,
            6 => self.hitcount = ranged("recent", "hitcount", args[0], 0, u32::MAX.into())? as u32,
            7 => self.rttl = true,
            8 => self.name = args[0].chars().take(199).collect::<String>().into(),
            9 => self.dest = false,
            10 => self.dest = true,
            _ => {
                let mask = match family {
                    Family::Inet => args[0].parse::<Ipv4Addr>().map(|a| bits_of(a.into())),
                    Family::Inet6 => args[0].parse::<Ipv6Addr>().map(|a| bits_of(a.into())),
                };
                self.mask = mask.map_err(|_| OptError::bad_value("recent", "mask", args[0]))?;
            }
        }
        Ok(())
    }

    pub(super) fn check(&self, _: u32, _: &RuleSpec) -> Result<(), OptError> {
        if self.check == Check::None {
            return Err(OptError::parameter("recent: you must specify one of `--set', `--rcheck' `--update' or `--remove'"));
        }
        if self.reap && self.seconds == 0 {
            return Err(OptError::parameter("recent: option \"--reap\" also requires \"--seconds\".\n"));
        }
        Ok(())
    }

    /// Whether the kernel takes it.
    pub(crate) fn fits_kernel(&self) -> bool {
        let plain = self.seconds == 0 && self.hitcount == 0 && !self.reap && !self.rttl;
        (plain || !matches!(self.check, Check::Set | Check::Remove)) && self.hitcount < 65_536 && !self.name.is_empty() && !self.name.contains('/')
    }

    pub(super) fn field(&self) -> Field {
        match self.check {
            Check::Set => "set",
            Check::Update => "update",
            Check::Remove => "remove",
            Check::Check | Check::None => "rcheck",
        }
    }

    /// The address that the list is asked about.
    pub fn addr(&self, cx: &MatchCx<'_>) -> u128 {
        (if self.dest { cx.dst } else { cx.src }) & self.mask
    }

    fn mask_text(&self) -> String {
        ip_of(self.mask, self.family).to_string()
    }

    pub(super) fn save(&self, out: &mut String) {
        if self.invert {
            out.push_str(" !");
        }
        let _ = write!(out, " --{}", self.field());
        if self.seconds != 0 {
            let _ = write!(out, " --seconds {}", self.seconds);
        }
        if self.reap {
            out.push_str(" --reap");
        }
        if self.hitcount != 0 {
            let _ = write!(out, " --hitcount {}", self.hitcount);
        }
        if self.rttl {
            out.push_str(" --rttl");
        }
        let _ = write!(out, " --name {} --mask {}", self.name, self.mask_text());
        out.push_str(if self.dest { " --rdest" } else { " --rsource" });
    }

    pub(super) fn list(&self, _: bool, out: &mut String) {
        if self.invert {
            out.push_str(" !");
        }
        out.push_str(" recent:");
        out.push_str(match self.check {
            Check::Set => " SET",
            Check::Check | Check::None => " CHECK",
            Check::Update => " UPDATE",
            Check::Remove => " REMOVE",
        });
        if self.seconds != 0 {
            let _ = write!(out, " seconds: {}", self.seconds);
        }
        if self.reap {
            out.push_str(" reap");
        }
        if self.hitcount != 0 {
            let _ = write!(out, " hit_count: {}", self.hitcount);
        }
        if self.rttl {
            out.push_str(" TTL-Match");
        }
        let side = if self.dest { "dest" } else { "source" };
        let _ = write!(out, " name: {} side: {side} mask: {}", self.name, self.mask_text());
    }

    pub(super) fn explain(&self, _: Field, cx: &MatchCx<'_>) -> (String, String) {
        let not = if self.invert { "not " } else { "" };
        let times = if self.hitcount > 1 { format!(" {} times", self.hitcount) } else { String::new() };
        let lately = if self.seconds == 0 { String::new() } else { format!(" in the last {} s", self.seconds) };
        (format!("{not}seen{times}{lately} ({})", self.name), ip_of(self.addr(cx), cx.family).to_string())
    }
}
