//! `-m statistic`: fits by chance, or every n-th time.
//!
//! Models: net/netfilter/xt_statistic.c statistic_mt, iptables extensions/libxt_statistic.c.
//! Seen in: 06-clusterip-remote-pod, 107-statistic-nth.

use super::Field;
use crate::linux::netfilter::eval::MatchCx;
use crate::linux::netfilter::option::{Opt, OptError, number};
use crate::linux::netfilter::spec::RuleSpec;
use crate::packet::Family;
use std::fmt::Write as _;

/// How it decides.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mode {
    /// `--mode random`: fits if 31 random bits are below the number.
    Random {
        /// The probability times 2^31.
        probability: u32,
    },
    /// `--mode nth`: counts, and fits when it comes round.
    Nth {
        /// Fits once in this many packets, less one.
        every: u32,
        /// Where the count begins.
        packet: u32,
    },
}

/// What is asked of chance.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Statistic {
    /// How it decides.
    pub mode: Mode,
    /// `!`.
    pub invert: bool,
}

impl Default for Statistic {
    fn default() -> Self {
        Statistic { mode: Mode::Random { probability: 0 }, invert: false }
    }
}

/// 2^31: certainty.
pub const CERTAIN: u32 = 1 << 31;

impl Statistic {
    pub(super) const OPTS: &'static [Opt] = &[
        Opt::one(&["mode"]),
        Opt::one(&["probability"]).inv().excl(0b1100),
        Opt::one(&["every"]).inv().excl(0b10),
        Opt::one(&["packet"]).excl(0b10),
    ];

    /// `--mode random --probability p`, p given as a number of 2^31.
    pub fn random(probability: u32) -> Statistic {
        Statistic { mode: Mode::Random { probability }, invert: false }
    }

    /// The probability that `--probability` with that text means, times 2^31.
    pub fn probability_of(text: &str) -> Option<u32> {
        parse_probability(text)
    }

    /// `--mode nth --every n --packet p`.
    pub fn nth(every: u32, packet: u32) -> Statistic {
        Statistic { mode: Mode::Nth { every: every.saturating_sub(1), packet }, invert: false }
    }

    pub(super) fn set(&mut self, opt: usize, invert: bool, args: &[&str], _: Family) -> Result<(), OptError> {
        let arg = args[0];
        let nth = |mode: Mode| match mode {
            Mode::Nth { every, packet } => (every, packet),
            Mode::Random { .. } => (0, 0),
        };
        match opt {
            0 => match (arg, self.mode) {
                ("random", Mode::Random { .. }) | ("nth", Mode::Nth { .. }) => {}
                ("random", _) => self.mode = Mode::Random { probability: 0 },
                ("nth", _) => self.mode = Mode::Nth { every: 0, packet: 0 },
                _ => return Err(OptError::parameter(format!("Bad mode \"{arg}\""))),
            },
            1 => {
                let bad = || OptError::parameter("statistic: bad value for option \"--probability\", or out of range (0-1).\n");
                self.mode = Mode::Random { probability: parse_probability(arg).ok_or_else(bad)? };
                self.invert = invert;
            }
            2 => {
                let bad = || OptError::parameter("statistic: bad value for option \"--every\", or out of range (1-4294967295).\n");
                let n = number(arg, u64::from(u32::MAX)).filter(|n| *n > 0).ok_or_else(bad)?;
                self.mode = Mode::Nth { every: (n - 1) as u32, packet: nth(self.mode).1 };
                self.invert = invert;
            }
            _ => {
                let bad = || OptError::parameter("statistic: bad value for option \"--packet\", or out of range (0-4294967295).\n");
                let n = number(arg, u64::from(u32::MAX)).ok_or_else(bad)?;
                self.mode = Mode::Nth { every: nth(self.mode).0, packet: n as u32 };
            }
        }
        Ok(())
    }

    pub(super) fn check(&self, seen: u32, _: &RuleSpec) -> Result<(), OptError> {
        match self.mode {
            Mode::Random { .. } if seen & 2 == 0 => {
                Err(OptError::parameter("--probability must be specified when using random mode"))
            }
            Mode::Nth { .. } if seen & 4 == 0 => Err(OptError::parameter("--every must be specified when using nth mode")),
            Mode::Nth { .. } if seen & 8 == 0 => {
                Err(OptError::parameter("statistic: option \"--every\" also requires \"--packet\".\n"))
            }
            Mode::Nth { every, packet } if packet > every => {
                Err(OptError::parameter("the --packet p must be 0 <= p <= n-1"))
            }
            _ => Ok(()),
        }
    }

    pub(super) fn field(&self) -> Field {
        match self.mode {
            Mode::Random { .. } => "probability",
            Mode::Nth { .. } => "every",
        }
    }

    /// Decides from 31 random bits.
    #[inline]
    pub fn fits_draw(&self, draw: u32) -> bool {
        match self.mode {
            Mode::Random { probability } => ((draw & 0x7fff_ffff) < probability) != self.invert,
            Mode::Nth { .. } => false,
        }
    }

    /// Decides from the counter, which it moves on.
    #[inline]
    pub fn fits_count(&self, count: &mut u32) -> bool {
        match self.mode {
            Mode::Nth { every, .. } => {
                *count = if *count == every { 0 } else { *count + 1 };
                (*count == 0) != self.invert
            }
            Mode::Random { .. } => false,
        }
    }

    pub(super) fn save(&self, out: &mut String) {
        let not = if self.invert { " !" } else { "" };
        match self.mode {
            Mode::Random { probability } => {
                let _ = write!(out, " --mode random{not} --probability {}", print_probability(probability));
            }
            Mode::Nth { every, packet } => {
                let _ = write!(out, " --mode nth{not} --every {} --packet {packet}", u64::from(every) + 1);
            }
        }
    }

    pub(super) fn list(&self, _: bool, out: &mut String) {
        let not = if self.invert { " !" } else { "" };
        match self.mode {
            Mode::Random { probability } => {
                let _ = write!(out, " statistic mode random{not} probability {}", print_probability(probability));
            }
            Mode::Nth { every, packet } => {
                let _ = write!(out, " statistic mode nth{not} every {}", u64::from(every) + 1);
                if packet != 0 {
                    let _ = write!(out, " packet {packet}");
                }
            }
        }
    }

    pub(super) fn explain(&self, _: Field, cx: &MatchCx<'_>) -> (String, String) {
        let not = if self.invert { "not " } else { "" };
        let seen = |of: &str| cx.memory_seen.map_or_else(|| "not recorded".to_owned(), |v| format!("{of} {v}"));
        match self.mode {
            Mode::Random { probability } => (format!("{not}a draw below {probability}"), seen("drew")),
            Mode::Nth { every, .. } => (format!("{not}every {}", u64::from(every) + 1), seen("counted")),
        }
    }
}

/// Eleven decimals of n / 2^31, rounded as printf does.
fn print_probability(n: u32) -> String {
    let scaled = u128::from(n) * 100_000_000_000;
    let (mut q, r) = (scaled >> 31, scaled & (u128::from(CERTAIN) - 1));
    let half = u128::from(CERTAIN) / 2;
    if r > half || (r == half && q & 1 == 1) {
        q += 1;
    }
    format!("{}.{:011}", q / 100_000_000_000, q % 100_000_000_000)
}

/// Reads a decimal number from 0 to 1 (`0.5`, `.5`, `5e-1`) as a number of 2^31, rounded to the nearest.
fn parse_probability(s: &str) -> Option<u32> {
    let (mantissa, exp) = match s.split_once(['e', 'E']) {
        Some((m, e)) => (m, e.parse::<i32>().ok().filter(|e| (-18..=18).contains(e))?),
        None => (s, 0),
    };
    let (int, frac) = mantissa.split_once('.').unwrap_or((mantissa, ""));
    if (int.is_empty() && frac.is_empty()) || !int.bytes().chain(frac.bytes()).all(|b| b.is_ascii_digit()) {
        return None;
    }
    // Digits behind the 16th cannot change the result.
    let frac = &frac[..frac.len().min(16)];
    let digits = [int.trim_start_matches('0'), frac].concat();
    let digits: u128 = if digits.is_empty() { 0 } else { digits.parse().ok()? };
    let shift = exp - frac.len() as i32;
    let (value, scale) = if shift >= 0 {
        (digits.checked_mul(10u128.pow(shift as u32))?, 1)
    } else {
        (digits, 10u128.checked_pow(shift.unsigned_abs())?)
    };
    if value > scale {
        return None;
    }
    u32::try_from((value.checked_mul(u128::from(CERTAIN) * 2)? + scale) / (scale * 2)).ok()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]

    use super::*;
    use crate::linux::RowId;
    use crate::linux::netfilter::testing::{cx, read, udp};

    #[test]
    fn probability_is_kept_as_31_bits() {
        for (given, saved) in [
            ("0.5", "0.50000000000"),
            ("0.3333333333", "0.33333333349"),
            ("0.33333333349", "0.33333333349"),
            (".25", "0.25000000000"),
            ("1", "1.00000000000"),
            ("0", "0.00000000000"),
            ("1e-1", "0.10000000009"),
        ] {
            let m = read(&format!("statistic --mode random --probability {given}"));
            let mut out = String::new();
            m.save(&mut out);
            assert_eq!(out, format!(" --mode random --probability {saved}"));
        }
        for bad in ["2", "-1", "x", "", "1.0001", "0.5.5"] {
            assert_eq!(parse_probability(bad), None, "{bad}");
        }
    }

    #[test]
    fn draws_and_counts() {
        let half = Statistic::random(CERTAIN / 2);
        assert!(half.fits_draw(CERTAIN / 2 - 1) && !half.fits_draw(CERTAIN / 2));
        assert!(Statistic::random(CERTAIN).fits_draw(u32::MAX) && !Statistic::random(0).fits_draw(0));
        let not = Statistic { invert: true, ..half };
        assert!(!not.fits_draw(0) && not.fits_draw(CERTAIN / 2));
        // One in three; the count begins at `--packet`.
        let run = |packet| {
            let (m, mut count) = (Statistic::nth(3, packet), packet);
            (0..6).map(|_| u8::from(m.fits_count(&mut count))).collect::<Vec<_>>()
        };
        assert_eq!(run(0), [0, 0, 1, 0, 0, 1]);
        assert_eq!(run(2), [1, 0, 0, 1, 0, 0]);
    }

    #[test]
    fn a_recorded_answer_is_repeated() {
        let p = udp();
        let m = read("statistic --mode nth --every 2 --packet 0");
        let seen = [((RowId(1), 0), true, 0), ((RowId(2), 0), false, 1)];
        let ask = |row| m.clone().eval(&cx(&p), (RowId(row), 0), &mut crate::linux::netfilter::eval::Recorded(&seen));
        assert_eq!((ask(1), ask(2), ask(3)), (Ok(()), Err("every"), Err("every")));
    }
}
