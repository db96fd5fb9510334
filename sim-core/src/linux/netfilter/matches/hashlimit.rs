//! `-m hashlimit`: so many packets in a time, for each source, destination or port.
//!
//! Models: net/netfilter/xt_hashlimit.c hashlimit_mt (revision 3), iptables extensions/libxt_hashlimit.c. The buckets are in
//! [`crate::linux::netfilter::state::hashlimit`].
//! Simplifies: rates in bytes and `--hashlimit-rate-match` are refused.

use super::Field;
use super::limit::Rate;
use crate::linux::netfilter::eval::MatchCx;
use crate::linux::netfilter::option::{Opt, OptError, ranged};
use crate::linux::netfilter::spec::RuleSpec;
use crate::linux::netfilter::state::hashlimit::HashKey;
use crate::packet::Family;
use std::fmt::Write as _;
use std::sync::Arc;
use std::time::Duration;

/// What is let through.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Hashlimit {
    /// `--hashlimit-name`.
    pub name: Arc<str>,
    /// `--hashlimit-upto`, `--hashlimit-above`.
    pub rate: Option<Rate>,
    /// `--hashlimit-above`: what exceeds the rate fits.
    pub above: bool,
    /// `--hashlimit-burst`.
    pub burst: u32,
    /// `--hashlimit-mode`: bits of [`MODES`].
    pub mode: u8,
    /// `--hashlimit-srcmask`, `--hashlimit-dstmask`: lengths of prefixes; none for the whole address.
    pub masks: [Option<u8>; 2],
    /// `--hashlimit-htable-size`, `-max`, `-gcinterval`, `-expire`, as far as they were given.
    pub htable: [Option<u32>; 4],
}

impl Default for Hashlimit {
    fn default() -> Self {
        Hashlimit { name: "".into(), rate: None, above: false, burst: 5, mode: 0, masks: [None; 2], htable: [None; 4] }
    }
}

/// What a bucket is for, in the order in which it is printed.
pub const MODES: [&str; 4] = ["srcip", "srcport", "dstip", "dstport"];
const HTABLE: [&str; 4] = ["hashlimit-htable-size", "hashlimit-htable-max", "hashlimit-htable-gcinterval", "hashlimit-htable-expire"];

impl Hashlimit {
    pub(super) const OPTS: &'static [Opt] = &[
        Opt::one(&["hashlimit-upto", "hashlimit"]).inv().excl(0b10),
        Opt::one(&["hashlimit-above"]).inv().excl(0b01),
        Opt::one(&["hashlimit-name"]).must(),
        Opt::one(&["hashlimit-mode"]),
        Opt::one(&["hashlimit-burst"]),
        Opt::one(&["hashlimit-srcmask"]),
        Opt::one(&["hashlimit-dstmask"]),
        Opt::one(&["hashlimit-htable-size"]),
        Opt::one(&["hashlimit-htable-max"]),
        Opt::one(&["hashlimit-htable-gcinterval"]),
        Opt::one(&["hashlimit-htable-expire"]),
        Opt::flag(&["hashlimit-rate-match"]),
        Opt::one(&["hashlimit-rate-interval"]),
    ];

    pub(super) fn set(&mut self, opt: usize, invert: bool, args: &[&str], family: Family) -> Result<(), OptError> {
        let arg = args.first().copied().unwrap_or_default();
        let u32_max = u64::from(u32::MAX);
        match opt {
            0 | 1 => {
                if arg.split('/').next().is_some_and(|n| n.ends_with('b')) {
                    return Err(OptError::not_simulated("rates in bytes of `-m hashlimit`"));
                }
                self.rate = Some(Rate::parse(arg, 1_000_000, 1_000_000)?);
                self.above = (opt == 1) != invert;
            }
            2 => self.name = arg.into(),
            3 => {
                self.mode = 0;
                for m in arg.split(',') {
                    let at = MODES.iter().position(|n| *n == m);
                    self.mode |= 1 << at.ok_or_else(|| OptError::bad_value("hashlimit", "hashlimit-mode", arg))?;
                }
            }
            4 => {
                if arg.ends_with('b') {
                    return Err(OptError::not_simulated("rates in bytes of `-m hashlimit`"));
                }
                let n = arg.parse::<u32>().ok().filter(|n| (1..=1_000_000).contains(n));
                self.burst = n.ok_or_else(|| OptError::parameter("bad value for option \"--hashlimit-burst\", or out of range (1-1000000)."))?;
            }
            5 | 6 => {
                let bits = if family == Family::Inet { 32 } else { 128 };
                let name = Self::OPTS[opt].names[0];
                self.masks[opt - 5] = Some(ranged("hashlimit", name, arg, 0, bits)? as u8).filter(|n| u64::from(*n) != bits);
            }
            7..=10 => self.htable[opt - 7] = Some(ranged("hashlimit", HTABLE[opt - 7], arg, 0, u32_max)? as u32),
            _ => return Err(OptError::not_simulated("`--hashlimit-rate-match`")),
        }
        Ok(())
    }

    pub(super) fn check(&self, _: u32, _: &RuleSpec) -> Result<(), OptError> {
        match self.rate {
            Some(_) => Ok(()),
            None => Err(OptError::parameter("You have to specify --hashlimit")),
        }
    }

    pub(super) fn field(&self) -> Field {
        if self.above { "hashlimit-above" } else { "hashlimit-upto" }
    }

    /// Nanoseconds that one packet costs, the most that can be saved up, and how long a bucket lives.
    pub fn cost(&self) -> (u64, u64, Duration) {
        let one = self.rate.map_or(1, |r| r.avg.saturating_mul(1_000_000_000) / r.scale);
        let expire = self.htable[3].unwrap_or(10_000);
        (one, one.saturating_mul(self.burst.into()), Duration::from_millis(expire.into()))
    }

    /// The bucket of a packet.
    pub fn key(&self, cx: &MatchCx<'_>) -> HashKey {
        let has = |n: u8| self.mode >> n & 1 == 1;
        let cut = |addr: u128, mask: Option<u8>| {
            let bits = if cx.family == Family::Inet { 32u32 } else { 128 };
            match mask {
                None => addr,
                Some(0) => 0,
                Some(n) => addr & (u128::MAX << (bits - u32::from(n).min(bits))),
            }
        };
        let (sport, dport) = if has(1) || has(3) { cx.any_ports().unwrap_or_default() } else { (0, 0) };
        (
            if has(0) { cut(cx.src, self.masks[0]) } else { 0 },
            if has(2) { cut(cx.dst, self.masks[1]) } else { 0 },
            if has(1) { sport } else { 0 },
            if has(3) { dport } else { 0 },
        )
    }

    fn modes(&self, between: &str) -> String {
        let named: Vec<_> = MODES.iter().enumerate().filter(|(i, _)| self.mode >> i & 1 == 1).map(|(_, n)| *n).collect();
        named.join(between)
    }

    fn rate_text(&self) -> String {
        self.rate.map(Rate::text).unwrap_or_default()
    }

    pub(super) fn save(&self, out: &mut String) {
        let _ = write!(out, " --{} {} --hashlimit-burst {}", self.field(), self.rate_text(), self.burst);
        if self.mode != 0 {
            let _ = write!(out, " --hashlimit-mode {}", self.modes(","));
        }
        let _ = write!(out, " --hashlimit-name {}", self.name);
        for (n, name) in self.htable.iter().zip(HTABLE) {
            if let Some(n) = n {
                let _ = write!(out, " --{name} {n}");
            }
        }
        for (mask, name) in self.masks.iter().zip(["src", "dst"]) {
            if let Some(n) = mask {
                let _ = write!(out, " --hashlimit-{name}mask {n}");
            }
        }
    }

    pub(super) fn list(&self, _: bool, out: &mut String) {
        let what = if self.above { "above" } else { "up to" };
        let _ = write!(out, " limit: {what} {} burst {}", self.rate_text(), self.burst);
        if self.mode != 0 {
            let _ = write!(out, " mode {}", self.modes("-"));
        }
        for (n, name) in self.htable.iter().zip(HTABLE) {
            if let Some(n) = n {
                let _ = write!(out, " {} {n}", name.trim_start_matches("hashlimit-"));
            }
        }
        for (mask, name) in self.masks.iter().zip(["src", "dst"]) {
            if let Some(n) = mask {
                let _ = write!(out, " {name}mask {n}");
            }
        }
    }

    pub(super) fn explain(&self, _: Field, _: &MatchCx<'_>) -> (String, String) {
        let (wanted, seen) = if self.above { ("more than", "no more") } else { ("at most", "more") };
        (format!("{wanted} {}, burst {}", self.rate_text(), self.burst), seen.to_owned())
    }
}

#[cfg(test)]
mod tests {
    use crate::linux::netfilter::testing::check;

    #[test]
    fn both_ways() {
        for (given, saved) in [
            ("hashlimit --hashlimit-name h --hashlimit 5/s", "hashlimit --hashlimit-upto 5/sec --hashlimit-burst 5 --hashlimit-name h"),
            (
                "hashlimit --hashlimit-name h --hashlimit-upto 5/min --hashlimit-burst 10 --hashlimit-mode srcip,dstport --hashlimit-srcmask 24",
                "hashlimit --hashlimit-upto 5/min --hashlimit-burst 10 --hashlimit-mode srcip,dstport --hashlimit-name h --hashlimit-srcmask 24",
            ),
            ("hashlimit --hashlimit-name h ! --hashlimit-upto 5/sec", "hashlimit --hashlimit-above 5/sec --hashlimit-burst 5 --hashlimit-name h"),
        ] {
            check(given, saved, &[]);
        }
    }
}
