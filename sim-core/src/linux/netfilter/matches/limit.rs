//! `-m limit`: so many packets in a time, with a burst.
//!
//! Models: net/netfilter/nft_limit.c as iptables-nft uses it (nft.c add_nft_limit), iptables extensions/libxt_limit.c. The bucket is in
//! [`crate::linux::netfilter::state::limit`].

use super::Field;
use crate::linux::netfilter::eval::MatchCx;
use crate::linux::netfilter::option::{Opt, OptError, ranged};
use crate::linux::netfilter::spec::RuleSpec;
use crate::packet::Family;
use std::fmt::Write as _;

/// Packets in a time: one in `avg` ten-thousandths of a second.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Rate {
    /// XT_LIMIT_SCALE times seconds for one packet.
    pub avg: u64,
    /// The scale: 10,000, or 1,000,000 for hashlimit.
    pub scale: u64,
}

const UNITS: [(&str, u64); 4] = [("day", 86_400), ("hour", 3600), ("min", 60), ("sec", 1)];

impl Rate {
    /// Reads `5/sec`, `3/minute`, `7`.
    pub(super) fn parse(s: &str, scale: u64, max: u64) -> Result<Rate, OptError> {
        let bad = || OptError::parameter(format!("bad rate \"{s}\"'"));
        let (number, unit) = match s.split_once('/') {
            Some((n, u)) => (n, Some(u)),
            None => (s, None),
        };
        let seconds = match unit {
            None => 1,
            Some("") => return Err(bad()),
            Some(u) => {
                let lower = u.to_ascii_lowercase();
                let found = [("second", 1), ("minute", 60), ("hour", 3600), ("day", 86_400)].into_iter().find(|(n, _)| n.starts_with(&lower));
                found.ok_or_else(bad)?.1
            }
        };
        let digits: String = number.chars().take_while(char::is_ascii_digit).collect();
        let n: u64 = digits.parse().ok().filter(|n| *n != 0).ok_or_else(bad)?;
        let avg = scale * seconds / n;
        if avg == 0 || n > max.saturating_mul(seconds) {
            return Err(OptError::parameter(format!("Rate too fast \"{s}\"")));
        }
        Ok(Rate { avg, scale })
    }

    /// How many in which unit of seconds, as it is printed and as the kernel is told.
    pub fn normal(self) -> (u64, u64, &'static str) {
        let mut at = 0;
        for (i, (_, seconds)) in UNITS.iter().enumerate().skip(1) {
            let period = self.scale * seconds;
            if self.avg > period || period / self.avg < period % self.avg {
                break;
            }
            at = i;
        }
        let (name, seconds) = UNITS[at];
        (self.scale * seconds / self.avg.max(1), seconds, name)
    }

    pub(super) fn text(self) -> String {
        let (n, _, unit) = self.normal();
        format!("{n}/{unit}")
    }
}

/// What is let through.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Limit {
    /// `--limit`.
    pub rate: Rate,
    /// `--limit-burst`.
    pub burst: u32,
}

impl Default for Limit {
    fn default() -> Self {
        Limit { rate: Rate { avg: 10_000 * 1200, scale: 10_000 }, burst: 5 }
    }
}

impl Limit {
    pub(super) const OPTS: &'static [Opt] = &[Opt::one(&["limit"]), Opt::one(&["limit-burst"])];

    pub(super) fn set(&mut self, opt: usize, _: bool, args: &[&str], _: Family) -> Result<(), OptError> {
        match opt {
            0 => {
                let (n, seconds, _) = Rate::parse(args[0], 10_000, 10_000)?.normal();
                // what the kernel is told is what is read back
                self.rate = Rate { avg: 10_000 * seconds / n.max(1), scale: 10_000 };
            }
            _ => {
                self.burst = ranged("limit", "limit-burst", args[0], 0, 10_000)? as u32;
                if self.burst == 0 {
                    self.burst = 5;
                }
            }
        }
        Ok(())
    }

    pub(super) fn check(&self, _: u32, _: &RuleSpec) -> Result<(), OptError> {
        Ok(())
    }

    /// Nanoseconds that one packet costs, and the most that can be saved up.
    pub fn cost(&self) -> (u64, u64) {
        let (n, seconds, _) = self.rate.normal();
        crate::linux::netfilter::state::limit::cost(seconds, n, self.burst.into())
    }

    pub(super) fn save(&self, out: &mut String) {
        let _ = write!(out, " --limit {}", self.rate.text());
        if self.burst != 5 {
            let _ = write!(out, " --limit-burst {}", self.burst);
        }
    }

    pub(super) fn list(&self, _: bool, out: &mut String) {
        let _ = write!(out, " limit: avg {} burst {}", self.rate.text(), self.burst);
    }

    pub(super) fn explain(&self, _: Field, _: &MatchCx<'_>) -> (String, String) {
        (format!("at most {}, burst {}", self.rate.text(), self.burst), "more".to_owned())
    }
}

#[cfg(test)]
mod tests {
    use crate::linux::netfilter::testing::{check, try_read};

    #[test]
    fn rates() {
        for (given, saved) in [
            ("limit", "limit --limit 3/hour"),
            ("limit --limit 5", "limit --limit 5/sec"),
            ("limit --limit 3/minute", "limit --limit 3/min"),
            ("limit --limit 100/m --limit-burst 7", "limit --limit 100/min --limit-burst 7"),
            ("limit --limit 33/s", "limit --limit 33/sec"),
            ("limit --limit 10000/s", "limit --limit 10000/sec"),
        ] {
            check(given, saved, &[]);
        }
        assert_eq!(try_read("limit --limit 10001/s"), Err("Rate too fast \"10001/s\"".to_owned()));
        assert_eq!(try_read("limit --limit foo"), Err("bad rate \"foo\"'".to_owned()));
        let said = "limit: bad value for option \"--limit-burst\", or out of range (0-10000).\n";
        assert_eq!(try_read("limit --limit-burst 10001"), Err(said.to_owned()));
    }
}
