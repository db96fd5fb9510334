//! The token bucket of `limit`.
//!
//! Models: net/netfilter/nft_limit.c nft_limit_init, nft_limit_eval: iptables-nft makes `-m limit` an nft expression.

use crate::linux::Time;

/// A bucket.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Bucket {
    /// Nanoseconds that have been saved up.
    pub tokens: u64,
    /// When it was last looked at.
    pub last: Time,
}

/// Nanoseconds that one packet costs, and the most that can be saved up.
pub fn cost(unit: u64, rate: u64, burst: u64) -> (u64, u64) {
    let one = unit.saturating_mul(1_000_000_000) / rate.max(1);
    (one, one.saturating_mul(burst))
}

impl Bucket {
    /// A full one.
    pub fn full(max: u64, now: Time) -> Bucket {
        Bucket { tokens: max, last: now }
    }

    /// Takes what one packet costs, if it is there.
    pub fn take(&mut self, cost: u64, max: u64, now: Time) -> bool {
        let grown = u64::try_from(now.since(self.last).as_nanos()).unwrap_or(u64::MAX);
        self.tokens = self.tokens.saturating_add(grown).min(max);
        self.last = now;
        match self.tokens.checked_sub(cost) {
            Some(rest) => {
                self.tokens = rest;
                true
            }
            None => false,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_burst_then_the_rate() {
        let (one, max) = cost(1, 5, 3);
        assert_eq!(one, 200_000_000);
        let mut b = Bucket::full(max, Time(0));
        let at = |ms: u64| Time(ms * 1_000_000);
        let passed: Vec<bool> =
            [0, 0, 0, 0, 199, 200, 201, 10_000, 10_000, 10_000, 10_000].iter().map(|t| b.take(one, max, at(*t))).collect();
        assert_eq!(passed, [true, true, true, false, false, true, false, true, true, true, false]);
    }
}
