//! The clock of a real run: time since it began. The only place that looks at the wall.

#![allow(clippy::disallowed_methods, reason = "a real kernel runs in real time")]

use sim_core::linux::Time;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

/// Time since the run began.
#[derive(Clone, Copy, Debug)]
pub struct Clock(Instant);

impl Clock {
    /// A clock that begins now.
    pub fn begin() -> Self {
        Clock(Instant::now())
    }

    /// The time.
    pub fn now(&self) -> Time {
        Time(u64::try_from(self.0.elapsed().as_nanos()).unwrap_or(u64::MAX))
    }

    /// Waits until then.
    pub fn until(&self, t: Time) {
        let left = t.since(self.now());
        if !left.is_zero() {
            std::thread::sleep(left);
        }
    }
}

/// Nanoseconds since 1970: the clock that stamps captured frames.
pub fn wall() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |d| u64::try_from(d.as_nanos()).unwrap_or(u64::MAX))
}

/// Waits.
pub fn pause(d: Duration) {
    std::thread::sleep(d);
}
