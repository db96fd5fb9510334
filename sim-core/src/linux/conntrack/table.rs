//! The table of flows: entries in a slab, found by either tuple.
//!
//! Models: net/netfilter/nf_conntrack_core.c __nf_conntrack_alloc, __nf_conntrack_find_get, resolve_normal_ct;
//! net/netfilter/nf_nat_core.c nf_nat_bysource.
//!
//! ```text
//!          create                  confirm                      expired, reset, deleted
//!   ─────────────► unconfirmed ───────────────► in the index ───────────────────────────► limbo ──► free
//!                       │ its packet was dropped                                            ▲
//!                       └───────────────────────────────────────────────────────────────────┘
//! ```
//!
//! A packet names its entry by number, so an entry that is gone stays readable for a while (limbo): the reset that
//! ends a flow is still translated, and the ICMP error about a rejected packet still knows its flow.

use super::entry::{Entry, ProtoTrack};
use super::key::{Key, SourceKey};
use super::reclaim::SWEEP_INTERVAL;
use super::tcp::TcpTrack;
use super::{CtId, CtInfo, CtRef, CtStatus, CtView, Dir};
use crate::linux::id::{IfIndex, RowId, Source};
use crate::linux::time::Time;
use crate::packet::{Address, Protocol, Tuple};
use rustc_hash::FxBuildHasher;
use std::collections::{HashMap, VecDeque};

/// Free places that are kept before one is used again, so that numbers of a small run simply count.
const SPARE: usize = 1024;
/// Bits of a number that tell the place; the rest counts how often the place was used.
const PLACE_BITS: u32 = 24;

#[derive(Clone, Debug)]
pub(super) struct Slot<A> {
    pub(super) generation: u8,
    pub(super) entry: Option<Entry<A>>,
}

/// The flows of a namespace.
#[derive(Clone, Debug)]
pub struct Conntrack<A> {
    pub(super) slots: Vec<Slot<A>>,
    pub(super) free: VecDeque<u32>,
    /// Place and direction (in the lowest bit) by tuple; never iterated.
    pub(super) index: HashMap<Key<A>, u32, FxBuildHasher>,
    /// The newest flow of a source; never iterated.
    pub(super) by_source: HashMap<SourceKey<A>, u32, FxBuildHasher>,
    /// Entries that are gone, oldest first.
    pub(super) limbo: VecDeque<(Time, CtId)>,
    /// Entries that count against the limit.
    pub(super) count: u32,
    /// The latest instant that was told.
    pub(super) clock: Time,
    /// Where the search for expired entries goes on.
    pub(super) cursor: u32,
    /// When a full table may be searched for expired entries again.
    pub(super) next_sweep: Time,
}

impl<A: Address> Default for Conntrack<A> {
    fn default() -> Self {
        Conntrack {
            slots: Vec::new(),
            free: VecDeque::new(),
            index: HashMap::default(),
            by_source: HashMap::default(),
            limbo: VecDeque::new(),
            count: 0,
            clock: Time::ZERO,
            cursor: 0,
            next_sweep: Time::ZERO,
        }
    }
}

impl<A: Address> Conntrack<A> {
    pub(super) fn slot_of(id: CtId) -> (usize, u8) {
        (((id.0 & ((1 << PLACE_BITS) - 1)) as usize).wrapping_sub(1), (id.0 >> PLACE_BITS) as u8)
    }

    /// The entry; none if it was never there or has been forgotten.
    #[inline]
    pub fn get(&self, id: CtId) -> Option<&Entry<A>> {
        let (at, generation) = Self::slot_of(id);
        let slot = self.slots.get(at)?;
        if slot.generation == generation { slot.entry.as_ref() } else { None }
    }

    /// The entry, to be changed. Its tuples change through [`Conntrack::alter_reply`] alone.
    #[inline]
    pub fn get_mut(&mut self, id: CtId) -> Option<&mut Entry<A>> {
        let (at, generation) = Self::slot_of(id);
        let slot = self.slots.get_mut(at)?;
        if slot.generation == generation { slot.entry.as_mut() } else { None }
    }

    #[inline]
    pub(super) fn at(&self, place: u32) -> Option<&Entry<A>> {
        self.slots.get(place as usize)?.entry.as_ref()
    }

    #[inline]
    pub(super) fn at_mut(&mut self, place: u32) -> Option<&mut Entry<A>> {
        self.slots.get_mut(place as usize)?.entry.as_mut()
    }

    /// How many entries there are, unconfirmed ones included and expired ones that nobody met yet.
    pub fn len(&self) -> usize {
        self.count as usize
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.count == 0
    }

    /// What rules may see of a packet's flow. `tracked` is set: a namespace that does not track shows nothing else.
    #[inline]
    pub fn view(&self, ct: Option<CtRef>) -> CtView {
        match ct.and_then(|r| Some((r.info, self.get(r.id)?.status))) {
            Some((info, status)) => CtView { info: Some(info), status, tracked: true },
            None => CtView { info: None, status: CtStatus::default(), tracked: true },
        }
    }

    /// The flow of a tuple and the direction in which the tuple is it; an expired one is removed.
    #[inline]
    pub fn find(&mut self, tuple: &Tuple<A>, now: Time) -> Option<(CtId, Dir)> {
        let found = *self.index.get(&Key(*tuple))?;
        let entry = self.at(found >> 1)?;
        let id = entry.id;
        if entry.is_expired(now) {
            self.kill(id, now);
            return None;
        }
        Some((id, if found & 1 == 0 { Dir::Original } else { Dir::Reply }))
    }

    /// A new, unconfirmed flow; none if the table is full.
    pub fn create(&mut self, original: Tuple<A>, reply: Tuple<A>, now: Time, max: u32) -> Option<CtId> {
        self.collect(now);
        if max != 0 && self.count >= max {
            if now >= self.next_sweep {
                self.next_sweep = now + SWEEP_INTERVAL;
                self.sweep(now);
            }
            if self.count >= max && !self.early_drop(&original, now) {
                return None;
            }
        }
        let place = if self.free.len() > SPARE { self.free.pop_front() } else { None };
        let place = match place {
            Some(p) => p,
            None if self.slots.len() < (1 << PLACE_BITS) - 1 => {
                self.slots.push(Slot { generation: 0, entry: None });
                self.slots.len() as u32 - 1
            }
            None => self.free.pop_front()?,
        };
        let slot = self.slots.get_mut(place as usize)?;
        let id = CtId((u32::from(slot.generation) << PLACE_BITS) | (place + 1));
        let proto = match original.protocol {
            Protocol::TCP => ProtoTrack::Tcp(TcpTrack::default()),
            Protocol::UDP => ProtoTrack::Udp { stream_at: now + super::timeout::UDP_STREAM_AFTER },
            _ => ProtoTrack::Other,
        };
        slot.entry = Some(Entry {
            id,
            tuples: [original, reply],
            status: CtStatus::default(),
            mark: 0,
            expires: Time::NEVER,
            timeout: 0,
            created: now,
            source: Source::Kernel,
            nat_rows: [RowId::NONE; 2],
            masq_dev: IfIndex::NONE,
            proto,
            limbo: None,
            newer: None,
            older: None,
        });
        self.count += 1;
        Some(id)
    }

    /// Sets what the answer of an unconfirmed flow looks like (nf_conntrack_alter_reply).
    pub fn alter_reply(&mut self, id: CtId, reply: Tuple<A>) {
        if let Some(e) = self.get_mut(id).filter(|e| !e.is_confirmed()) {
            e.tuples[1] = reply;
        }
    }

    /// All confirmed entries, by place; expired ones too.
    pub fn live(&self) -> impl Iterator<Item = &Entry<A>> {
        self.slots.iter().filter_map(|s| s.entry.as_ref()).filter(|e| e.is_confirmed() && e.limbo.is_none())
    }

    /// Puts a flow in front of those of the same source.
    pub(super) fn link_source(&mut self, id: CtId) {
        let Some(e) = self.get(id) else { return };
        let key = SourceKey::of(&e.tuples[0]);
        let place = Self::slot_of(id).0 as u32;
        let older = self.by_source.insert(key, place);
        if let Some(o) = older.and_then(|p| self.at_mut(p)) {
            o.newer = Some(place);
        }
        if let Some(e) = self.get_mut(id) {
            e.older = older;
            e.newer = None;
        }
    }

    pub(super) fn unlink_source(&mut self, id: CtId) {
        let Some(e) = self.get_mut(id) else { return };
        let key = SourceKey::of(&e.tuples[0]);
        let (newer, older) = (e.newer.take(), e.older.take());
        if let Some(o) = older.and_then(|p| self.at_mut(p)) {
            o.newer = newer;
        }
        match newer {
            Some(p) => {
                if let Some(n) = self.at_mut(p) {
                    n.older = older;
                }
            }
            None => match older {
                Some(p) => {
                    self.by_source.insert(key, p);
                }
                None => {
                    self.by_source.remove(&key);
                }
            },
        }
    }

    /// The flows of the same source as `tuple`, the newest first.
    pub(super) fn same_source(&self, tuple: &Tuple<A>) -> impl Iterator<Item = &Entry<A>> {
        let mut next = self.by_source.get(&SourceKey::of(tuple)).copied();
        std::iter::from_fn(move || {
            let e = self.at(next?)?;
            next = e.older;
            Some(e)
        })
    }

    /// What a packet that found `id` by the tuple of `dir` is to it (resolve_normal_ct).
    pub fn info_of(&self, id: CtId, dir: Dir) -> CtInfo {
        match dir {
            Dir::Reply => CtInfo::EstablishedReply,
            Dir::Original => match self.get(id) {
                Some(e) if e.status.has(CtStatus::SEEN_REPLY) => CtInfo::Established,
                Some(e) if e.status.has(CtStatus::EXPECTED) => CtInfo::Related,
                _ => CtInfo::New,
            },
        }
    }
}
