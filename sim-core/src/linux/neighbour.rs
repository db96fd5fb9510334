//! The neighbour cache: hardware addresses of hosts on the link.
//!
//! Models: include/net/neighbour.h struct neighbour, include/uapi/linux/neighbour.h NUD_*.
//! Spec: RFC 826, RFC 4861 section 7.3.2 (states).
//! Seen in: 20-arp-failure, 31-calico-proxy-arp.
//!
//! ```text
//!            send                 reply                    time passes
//!   NONE ───────────► INCOMPLETE ───────► REACHABLE ──────────────────► STALE
//!                        │ 3 requests         ▲                           │ send
//!                        ▼ unanswered         │ reply or confirmation     ▼
//!                      FAILED ◄───────────  PROBE ◄──────────────────── DELAY
//!                              3 unanswered         5 s
//! ```

use super::hot::HotMap;
use super::id::{IfIndex, Source};
use super::skb::Skb;
use super::time::Time;
use crate::packet::{Address, Mac};
use std::collections::VecDeque;
use std::time::Duration;

/// State of an entry.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub enum NudState {
    /// Just made.
    #[default]
    None,
    /// Asked for; packets wait.
    Incomplete,
    /// Known and confirmed lately.
    Reachable,
    /// Known; not confirmed lately.
    Stale,
    /// Known and used after being stale; a probe comes unless it is confirmed.
    Delay,
    /// Being probed.
    Probe,
    /// Nobody answered.
    Failed,
    /// Needs no resolution.
    Noarp,
    /// Set by the administrator.
    Permanent,
}

impl NudState {
    /// The word that `ip neigh` prints.
    pub fn name(self) -> &'static str {
        match self {
            NudState::None => "NONE",
            NudState::Incomplete => "INCOMPLETE",
            NudState::Reachable => "REACHABLE",
            NudState::Stale => "STALE",
            NudState::Delay => "DELAY",
            NudState::Probe => "PROBE",
            NudState::Failed => "FAILED",
            NudState::Noarp => "NOARP",
            NudState::Permanent => "PERMANENT",
        }
    }

    /// NUD_VALID: the hardware address is known.
    #[inline]
    pub fn is_valid(self) -> bool {
        matches!(self, NudState::Permanent | NudState::Noarp | NudState::Reachable | NudState::Probe | NudState::Stale | NudState::Delay)
    }

    /// NUD_IN_TIMER: a timer runs, which holds on to the entry.
    #[inline]
    pub fn has_timer(self) -> bool {
        matches!(self, NudState::Incomplete | NudState::Reachable | NudState::Delay | NudState::Probe)
    }

    /// NUD_CONNECTED: usable without a second thought.
    #[inline]
    pub fn is_connected(self) -> bool {
        matches!(self, NudState::Permanent | NudState::Noarp | NudState::Reachable)
    }
}

/// One entry.
#[derive(Clone, Debug)]
pub struct Neighbour<A> {
    /// The link.
    pub dev: IfIndex,
    /// Address on the link.
    pub addr: A,
    /// Hardware address; means nothing unless the state is valid.
    pub mac: Mac,
    /// State.
    pub state: NudState,
    /// When the hardware address or the state was last set.
    pub updated: Time,
    /// When the neighbour was last known to be there.
    pub confirmed: Time,
    /// When it was last used to send.
    pub used: Time,
    /// Requests sent without answer.
    pub probes: u32,
    /// Packets that wait for the hardware address.
    pub queue: VecDeque<Box<Skb>>,
    /// Sum of the true sizes of those, in bytes.
    pub queue_bytes: u32,
    /// When the next timer fires; [`Time::NEVER`] if none is armed.
    pub timer: Time,
    /// The link header is kept ready (`hh`): something was sent to it before.
    pub cached: bool,
    /// Its turn among all that were made: the older is collected first.
    pub born: u64,
    /// What made it.
    pub source: Source,
}

impl<A> Neighbour<A> {
    /// A new entry in state NONE: no hardware address, nothing queued, no timer, never confirmed.
    pub fn new(dev: IfIndex, addr: A, now: Time, source: Source) -> Self {
        Neighbour {
            dev,
            addr,
            mac: Mac::ZERO,
            state: NudState::None,
            updated: now,
            confirmed: Time::ZERO,
            used: now,
            probes: 0,
            queue: VecDeque::new(),
            queue_bytes: 0,
            timer: Time::NEVER,
            cached: false,
            born: 0,
            source,
        }
    }
}

/// The reachable time in force on a link (`neigh_parms.reachable_time`).
#[derive(Clone, Copy, Debug)]
pub struct Reach {
    /// The base that it was drawn from, in milliseconds.
    pub base_ms: u32,
    /// What was drawn: between half and one and a half of the base.
    pub value: Duration,
    /// When.
    pub drawn: Time,
}

/// A request that waits for a proxy's answer.
#[derive(Clone, Debug)]
pub struct Proxied {
    /// When it is answered.
    pub due: Time,
    /// The link that it came in by.
    pub dev: IfIndex,
    /// The request.
    pub skb: Box<Skb>,
}

/// The neighbour cache of a namespace for one family.
#[derive(Clone, Debug)]
pub struct Neighbours<A> {
    entries: HotMap<(IfIndex, A), Neighbour<A>>,
    born: u64,
    /// Reachable times drawn, by link.
    pub reach: HotMap<IfIndex, Reach>,
    /// Addresses that this host answers for by command (`ip neigh add proxy`), the newest first.
    pub proxies: Vec<(IfIndex, A)>,
    /// Requests that a proxy answers later, in order of arrival (`proxy_queue`).
    pub proxied: Vec<Proxied>,
    /// When entries were last collected because there were too many (`last_flush`).
    pub last_flush: Time,
    /// Whether the periodic collection is under way (`gc_work`).
    pub collecting: bool,
}

impl<A: Address> Default for Neighbours<A> {
    fn default() -> Self {
        Neighbours {
            entries: HotMap::default(),
            born: 0,
            reach: HotMap::default(),
            proxies: Vec::new(),
            proxied: Vec::new(),
            last_flush: Time::ZERO,
            collecting: false,
        }
    }
}

impl<A: Address> Neighbours<A> {
    /// The entry of `addr` on `dev`.
    #[inline]
    pub fn get(&self, dev: IfIndex, addr: A) -> Option<&Neighbour<A>> {
        self.entries.get(&(dev, addr))
    }

    /// The entry of `addr` on `dev`, to be changed.
    #[inline]
    pub fn get_mut(&mut self, dev: IfIndex, addr: A) -> Option<&mut Neighbour<A>> {
        self.entries.get_mut(&(dev, addr))
    }

    /// Puts an entry in, in place of an earlier one of the same address.
    pub fn insert(&mut self, mut entry: Neighbour<A>) -> Option<Neighbour<A>> {
        if entry.born == 0 {
            self.born += 1;
            entry.born = self.born;
        }
        self.entries.insert((entry.dev, entry.addr), entry)
    }

    /// Takes an entry out.
    pub fn remove(&mut self, dev: IfIndex, addr: A) -> Option<Neighbour<A>> {
        self.entries.remove(&(dev, addr))
    }

    /// All entries by device and address.
    pub fn sorted(&self) -> Vec<&Neighbour<A>> {
        self.entries.sorted().into_iter().map(|(_, n)| n).collect()
    }

    /// Entries that may be collected, those made first in front: all but the permanent ones (`gc_list`).
    pub fn collectable(&self) -> Vec<(IfIndex, A)> {
        let mut all: Vec<_> =
            self.entries.sorted().into_iter().filter(|(_, n)| n.state != NudState::Permanent).map(|(k, n)| (n.born, *k)).collect();
        all.sort_unstable_by_key(|(born, _)| *born);
        all.into_iter().map(|(_, k)| k).collect()
    }

    /// How many entries there are.
    pub fn len(&self) -> usize {
        self.entries.len()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }

    /// Forgets the entries of `dev` that are not permanent; returns the packets that waited.
    pub fn flush_device(&mut self, dev: IfIndex, permanent_too: bool) -> Vec<Box<Skb>> {
        let keys: Vec<(IfIndex, A)> = self
            .entries
            .sorted()
            .into_iter()
            .filter(|(k, n)| k.0 == dev && (permanent_too || n.state != NudState::Permanent))
            .map(|(k, _)| *k)
            .collect();
        keys.iter().filter_map(|k| self.entries.remove(k)).flat_map(|n| n.queue).collect()
    }
}
