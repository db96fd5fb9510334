//! Counters of a service or a real server, and the rates that are estimated from them.
//!
//! Models: net/netfilter/ipvs/ip_vs_est.c ip_vs_chain_estimation, ip_vs_read_estimator; ip_vs_ctl.c ip_vs_zero_stats.
//! Simplifies: an estimator's two seconds are counted from when it began, not from the tick of a thread that serves all of them.

use crate::linux::time::Time;

/// Nanoseconds between two looks of an estimator.
const PERIOD: u64 = 2_000_000_000;
/// After so many looks at a counter that stood still a rate is zero.
const SETTLED: u64 = 200;

/// Estimated rates, as `ipvsadm -L --rate` shows them.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Rates {
    /// Connections per second.
    pub cps: u64,
    /// Packets per second towards the real servers.
    pub inpps: u64,
    /// Packets per second towards the clients.
    pub outpps: u64,
    /// Bytes per second towards the real servers.
    pub inbps: u64,
    /// Bytes per second towards the clients.
    pub outbps: u64,
}

/// Counters since the last zeroing.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counters {
    /// Connections scheduled.
    pub conns: u64,
    /// Packets towards the real servers.
    pub inpkts: u64,
    /// Packets towards the clients.
    pub outpkts: u64,
    /// Bytes towards the real servers.
    pub inbytes: u64,
    /// Bytes towards the clients.
    pub outbytes: u64,
}

/// Counters with their estimator (struct ip_vs_stats).
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Stats {
    now: Counters,
    zero: Counters,
    seen: Counters,
    /// Rates as the estimator keeps them: scaled by 2^10, of bytes by 2^5.
    scaled: [i64; 5],
    /// When the estimator began.
    start: Time,
    /// How many of its looks are done.
    looks: u64,
}

fn fields(c: &Counters) -> [u64; 5] {
    [c.conns, c.inpkts, c.outpkts, c.inbytes, c.outbytes]
}

impl Stats {
    /// Counters of something that begins to exist at `now`.
    pub fn new(now: Time) -> Self {
        Stats { start: now, ..Stats::default() }
    }

    /// Lets the estimator look as often as it has until `now`.
    fn estimate(&mut self, now: Time) {
        let due = now.0.saturating_sub(self.start.0) / PERIOD;
        let mut left = due.saturating_sub(self.looks).min(SETTLED);
        self.looks = due.max(self.looks);
        while left > 0 {
            left -= 1;
            let (current, seen) = (fields(&self.now), fields(&self.seen));
            for (i, rate) in self.scaled.iter_mut().enumerate() {
                let shift = if i < 3 { 9 } else { 4 };
                let fresh = (current[i].saturating_sub(seen[i]) << shift) as i64;
                *rate += (fresh - *rate) >> 2;
            }
            self.seen = self.now;
        }
    }

    /// A connection was scheduled.
    pub fn conn(&mut self, now: Time) {
        self.estimate(now);
        self.now.conns += 1;
    }

    /// A packet of that length went to a real server.
    pub fn packet_in(&mut self, len: u64, now: Time) {
        self.estimate(now);
        self.now.inpkts += 1;
        self.now.inbytes += len;
    }

    /// A packet of that length went to a client.
    pub fn packet_out(&mut self, len: u64, now: Time) {
        self.estimate(now);
        self.now.outpkts += 1;
        self.now.outbytes += len;
    }

    /// The counters begin anew, and so do the rates.
    pub fn zero(&mut self, now: Time) {
        self.estimate(now);
        self.zero = self.now;
        self.seen = self.now;
        self.scaled = [0; 5];
    }

    /// The counters since they were zeroed.
    pub fn counters(&self) -> Counters {
        let (n, z) = (&self.now, &self.zero);
        Counters {
            conns: n.conns - z.conns,
            inpkts: n.inpkts - z.inpkts,
            outpkts: n.outpkts - z.outpkts,
            inbytes: n.inbytes - z.inbytes,
            outbytes: n.outbytes - z.outbytes,
        }
    }

    /// The rates at `now`.
    pub fn rates(&self, now: Time) -> Rates {
        let mut at = self.clone();
        at.estimate(now);
        let read = |i: usize, round: i64, shift: u32| ((at.scaled[i] + round) >> shift).max(0) as u64;
        Rates {
            cps: read(0, 0x1ff, 10),
            inpps: read(1, 0x1ff, 10),
            outpps: read(2, 0x1ff, 10),
            inbps: read(3, 0xf, 5),
            outbps: read(4, 0xf, 5),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn second(n: u64) -> Time {
        Time(n * 1_000_000_000)
    }

    #[test]
    fn a_steady_stream_approaches_its_rate_and_dies_away() {
        let mut s = Stats::new(Time::ZERO);
        for n in 0..120 {
            for _ in 0..10 {
                s.packet_in(100, second(n));
            }
        }
        let r = s.rates(second(120));
        assert_eq!((r.inpps, r.inbps, r.cps, r.outpps), (10, 1_000, 0, 0));
        assert_eq!(s.rates(second(1_000)), Rates::default());
        assert_eq!(s.counters().inpkts, 1_200);
    }

    #[test]
    fn the_first_look_takes_a_quarter() {
        let mut s = Stats::new(Time::ZERO);
        for _ in 0..40 {
            s.conn(Time::ZERO);
        }
        // 40 in two seconds are 20 a second, of which the estimator believes a quarter
        assert_eq!(s.rates(second(2)).cps, 5);
        assert_eq!(s.rates(Time(1_999_999_999)).cps, 0);
    }

    #[test]
    fn zeroing_forgets_counters_and_rates() {
        let mut s = Stats::new(Time::ZERO);
        s.packet_out(60, second(1));
        s.zero(second(5));
        assert_eq!((s.counters(), s.rates(second(5))), (Counters::default(), Rates::default()));
        s.packet_out(60, second(6));
        assert_eq!((s.counters().outpkts, s.counters().outbytes), (1, 60));
    }
}
