//! The lists of `recent`.
//!
//! Models: net/netfilter/xt_recent.c recent_mt, recent_entry_init, recent_entry_update, recent_entry_reap, recent_seq_show.
//! Simplifies: the files below /proc/net/xt_recent are read only and list entries by address; stamps are milliseconds since the world began
//! (1000 jiffies a second).

use super::super::matches::recent::{Check, Recent};
use crate::linux::Time;
use crate::packet::{Family, IpAddr};
use std::fmt::Write as _;

/// ip_list_tot: how many addresses a list remembers.
pub const LIST_TOTAL: usize = 100;

/// An address and when it was seen.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RecentEntry {
    /// Whose address it is.
    pub family: Family,
    /// The address as a number.
    pub addr: u128,
    /// Time to live of the packet that was seen last.
    pub ttl: u8,
    /// Where the next stamp goes.
    pub index: usize,
    /// When it was seen: the newest stamp stands before `index`.
    pub stamps: Vec<Time>,
}

/// A list: the address that was seen longest ago first.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct RecentList {
    entries: Vec<RecentEntry>,
    /// nstamps_max_mask: how many stamps an entry has, less one.
    mask: usize,
}

/// What asking a list came to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RecentAnswer {
    /// Whether the match fits.
    pub fits: bool,
    /// Whether the list changed.
    pub wrote: bool,
}

impl RecentList {
    /// Asks the list about an address, and does to it what the match says.
    pub fn ask(&mut self, m: &Recent, family: Family, addr: u128, ttl: u8, now: Time) -> RecentAnswer {
        let mask = match m.hitcount {
            0 => 31,
            n => (n as usize).next_power_of_two() - 1,
        };
        if mask > self.mask {
            self.entries.clear();
            self.mask = mask;
        }
        let same_ttl = |e: &RecentEntry| !m.rttl || ttl == e.ttl || ttl == 0 || e.ttl == 0;
        let found = self.entries.iter().position(|e| e.family == family && e.addr == addr && same_ttl(e));
        let mut fits = m.invert;
        let Some(mut at) = found else {
            if m.check != Check::Set {
                return RecentAnswer { fits, wrote: false };
            }
            if self.entries.len() >= LIST_TOTAL {
                self.entries.remove(0);
            }
            self.entries.push(RecentEntry { family, addr, ttl, index: 1, stamps: vec![now] });
            return RecentAnswer { fits: !fits, wrote: true };
        };
        let mut wrote = false;
        match m.check {
            Check::Set => fits = !fits,
            Check::Remove => {
                self.entries.remove(at);
                return RecentAnswer { fits: !fits, wrote: true };
            }
            Check::Check | Check::Update => {
                // seen at most so many seconds ago
                let recent = |stamp: Time| m.seconds == 0 || now.since(stamp).as_millis() <= u128::from(m.seconds) * 1000;
                let hits = self.entries[at].stamps.iter().filter(|s| recent(**s)).count();
                if hits >= (m.hitcount as usize).max(1) {
                    fits = !fits;
                }
                let spared = at == 0 && m.check == Check::Update && fits;
                if m.reap && !spared && self.entries.first().is_some_and(|e| !recent(e.last())) {
                    self.entries.remove(0);
                    wrote = true;
                    match at.checked_sub(1) {
                        Some(i) => at = i,
                        None => return RecentAnswer { fits, wrote },
                    }
                }
            }
            Check::None => {}
        }
        if m.check == Check::Set || (m.check == Check::Update && fits) {
            let mut e = self.entries.remove(at);
            e.index &= self.mask;
            match e.stamps.get_mut(e.index) {
                Some(s) => *s = now,
                None => e.stamps.push(now),
            }
            e.index += 1;
            e.ttl = ttl;
            self.entries.push(e);
            wrote = true;
        }
        RecentAnswer { fits, wrote }
    }

    /// The entries, the one seen longest ago first.
    pub fn entries(&self) -> &[RecentEntry] {
        &self.entries
    }

    /// The list as its file shows it.
    pub fn text(&self) -> String {
        let mut out = String::new();
        let mut all: Vec<_> = self.entries.iter().collect();
        all.sort_by_key(|e| (e.family, e.addr));
        for e in all {
            let addr = match super::super::spec::ip_of(e.addr, e.family) {
                IpAddr::V4(a) => a.to_string(),
                IpAddr::V6(a) => a.segments().map(|s| format!("{s:04x}")).join(":"),
            };
            let ms = |t: Time| t.0 / 1_000_000;
            let _ = write!(out, "src={addr} ttl: {} last_seen: {} oldest_pkt: {}", e.ttl, ms(e.last()), e.index);
            for (i, s) in e.stamps.iter().enumerate() {
                let _ = write!(out, "{} {}", if i == 0 { "" } else { "," }, ms(*s));
            }
            out.push('\n');
        }
        out
    }
}

impl RecentEntry {
    fn last(&self) -> Time {
        self.stamps.get(self.index.saturating_sub(1)).or(self.stamps.last()).copied().unwrap_or_default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn recent(check: Check) -> Recent {
        Recent { check, ..Recent::default() }
    }

    fn at(s: u64) -> Time {
        Time(s * 1_000_000_000)
    }

    #[test]
    fn set_check_update_remove() {
        let mut l = RecentList::default();
        let mut ask = |m: &Recent, addr: u128, s: u64| l.ask(m, Family::Inet, addr, 64, at(s)).fits;
        let check = Recent { seconds: 10, ..recent(Check::Check) };
        assert!(!ask(&check, 1, 0));
        assert!(ask(&recent(Check::Set), 1, 0));
        assert!(ask(&check, 1, 10) && !ask(&check, 1, 11) && !ask(&check, 2, 1));
        // an update prolongs, a check does not
        let update = Recent { seconds: 10, ..recent(Check::Update) };
        assert!(ask(&update, 1, 10) && ask(&update, 1, 20) && !ask(&update, 1, 31));
        assert!(ask(&recent(Check::Remove), 1, 31) && !ask(&recent(Check::Check), 1, 31));
        let not = Recent { invert: true, ..recent(Check::Check) };
        assert!(ask(&not, 1, 31));
    }

    #[test]
    fn hits_are_counted() {
        let mut l = RecentList::default();
        let update = Recent { seconds: 60, hitcount: 3, ..recent(Check::Update) };
        let passed: Vec<bool> = (0..4)
            .map(|s| {
                l.ask(&recent(Check::Set), Family::Inet, 1, 64, at(s));
                l.ask(&update, Family::Inet, 1, 64, at(s)).fits
            })
            .collect();
        assert_eq!(passed, [false, false, true, true]);
    }

    #[test]
    fn the_hundred_and_first_pushes_out_the_oldest() {
        let mut l = RecentList::default();
        for i in 0..101 {
            l.ask(&recent(Check::Set), Family::Inet, i, 64, at(0));
        }
        assert_eq!((l.entries().len(), l.entries()[0].addr), (100, 1));
        // seen again, it is the newest
        l.ask(&recent(Check::Set), Family::Inet, 1, 64, at(1));
        l.ask(&recent(Check::Set), Family::Inet, 200, 64, at(1));
        assert!(l.entries().iter().any(|e| e.addr == 1) && l.entries().iter().all(|e| e.addr != 2));
    }

    #[test]
    fn reaping_takes_the_oldest_if_it_is_too_old() {
        let mut l = RecentList::default();
        l.ask(&recent(Check::Set), Family::Inet, 1, 64, at(0));
        l.ask(&recent(Check::Set), Family::Inet, 2, 64, at(50));
        let reap = Recent { seconds: 10, reap: true, ..recent(Check::Check) };
        assert!(l.ask(&reap, Family::Inet, 2, 64, at(51)).fits);
        assert_eq!(l.entries().len(), 1);
        assert_eq!(l.text(), "src=0.0.0.2 ttl: 64 last_seen: 50000 oldest_pkt: 1 50000\n");
    }
}
