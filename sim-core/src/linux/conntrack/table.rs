//! The table of flows: entries in a slab, found by either tuple.
//!
//! Models: net/netfilter/nf_conntrack_core.c __nf_conntrack_alloc, __nf_conntrack_find_get, __nf_conntrack_confirm,
//! nf_ct_resolve_clash, nf_conntrack_tuple_taken, nf_ct_delete, early_drop, gc_worker.
//! Simplifies: expired entries go when they are met or when a new flow passes by, not on a timer of their own; early
//! drop looks at as many entries as eight buckets of 262,144 would hold on average, picked by the new flow's tuple.
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

use super::tcp::TcpTrack;
use super::tuple::source_part;
use super::{CtId, CtInfo, CtRef, CtStatus, CtView, Dir};
use crate::linux::id::{IfIndex, RowId, Source};
use crate::linux::time::Time;
use crate::packet::{Address, L4, Protocol, Tuple};
use rustc_hash::FxBuildHasher;
use std::collections::{HashMap, VecDeque};
use std::hash::{Hash, Hasher};
use std::time::Duration;

/// How long an entry that is gone can still be read.
const LIMBO: Duration = Duration::from_secs(10);
/// After this time a packet whose flow was never confirmed is taken to have been consumed without a word.
const ABANDONED: Duration = Duration::from_secs(60);
/// How often a full table is searched for expired entries.
const SWEEP_INTERVAL: Duration = Duration::from_secs(1);
/// Free places that are kept before one is used again, so that numbers of a small run simply count.
const SPARE: usize = 1024;
/// Bits of a number that tell the place; the rest counts how often the place was used.
const PLACE_BITS: u32 = 24;
/// Buckets of the kernel's table (nf_conntrack_buckets).
const BUCKETS: u64 = 262_144;

/// What is tracked beside the tuples.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ProtoTrack {
    /// TCP.
    Tcp(TcpTrack),
    /// UDP: from when on an exchange makes a stream.
    Udp {
        /// The instant.
        stream_at: Time,
    },
    /// Others.
    Other,
}

/// A flow (struct nf_conn).
#[derive(Clone, Debug)]
pub struct Entry<A> {
    /// Its number.
    pub id: CtId,
    /// The tuples of the original and of the reply direction.
    pub tuples: [Tuple<A>; 2],
    /// IPS_* bits.
    pub status: CtStatus,
    /// `mark`.
    pub mark: u32,
    /// When it expires, once confirmed.
    pub expires: Time,
    /// Seconds that it will live from its confirmation on.
    pub timeout: u32,
    /// When its first packet was seen.
    pub created: Time,
    /// The step that made it.
    pub source: Source,
    /// The rules that mapped its source and its destination; none if no rule did.
    pub nat_rows: [RowId; 2],
    /// `masq_index`: the device whose address it was masqueraded to.
    pub masq_dev: IfIndex,
    /// What is tracked of its protocol.
    pub proto: ProtoTrack,
    /// Since when it is gone, if it is.
    limbo: Option<Time>,
    /// Neighbours in the list of flows of the same source (`nat_bysource`), the newest first.
    newer: Option<u32>,
    older: Option<u32>,
}

impl<A: Address> Entry<A> {
    /// The tuple of one direction.
    #[inline]
    pub fn tuple(&self, dir: Dir) -> &Tuple<A> {
        &self.tuples[dir.index()]
    }

    /// Whether it is in the table.
    #[inline]
    pub fn is_confirmed(&self) -> bool {
        self.status.has(CtStatus::CONFIRMED)
    }

    /// Whether its time is over.
    #[inline]
    pub fn is_expired(&self, now: Time) -> bool {
        self.is_confirmed() && self.expires <= now
    }

    /// Lets it live for so many seconds more (nf_ct_refresh), unless its end is fixed.
    pub fn refresh(&mut self, seconds: u32, now: Time) {
        if self.status.has(CtStatus::FIXED_TIMEOUT) {
            return;
        }
        self.timeout = seconds;
        if self.is_confirmed() {
            self.expires = now + Duration::from_secs(u64::from(seconds));
        }
    }
}

/// A tuple with a hash that does not walk through enum tags.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Key<A>(Tuple<A>);

fn write_addr<A: Address, H: Hasher>(addr: A, state: &mut H) {
    let bits = addr.to_bits();
    state.write_u64(bits as u64);
    if A::BITS > 64 {
        state.write_u64((bits >> 64) as u64);
    }
}

impl<A: Address> Hash for Key<A> {
    #[inline]
    fn hash<H: Hasher>(&self, state: &mut H) {
        let t = &self.0;
        let l4 = match t.l4 {
            L4::Ports { src, dst } => u64::from(src) << 16 | u64::from(dst),
            L4::Icmp { kind, code, id } => 1 << 48 | u64::from(kind) << 24 | u64::from(code) << 16 | u64::from(id),
            L4::None => 2 << 48,
        };
        if A::BITS <= 32 {
            state.write_u64((t.src.to_bits() as u64) << 32 | t.dst.to_bits() as u64);
        } else {
            write_addr(t.src, state);
            write_addr(t.dst, state);
        }
        state.write_u64(u64::from(t.protocol.0) << 56 | l4);
    }
}

/// Where a flow comes from: the key of `nat_bysource`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct SourceKey<A> {
    addr: A,
    protocol: Protocol,
    part: u16,
}

impl<A: Address> SourceKey<A> {
    fn of(t: &Tuple<A>) -> Self {
        SourceKey { addr: t.src, protocol: t.protocol, part: source_part(t.l4) }
    }
}

impl<A: Address> Hash for SourceKey<A> {
    #[inline]
    fn hash<H: Hasher>(&self, state: &mut H) {
        write_addr(self.addr, state);
        state.write_u32(u32::from(self.protocol.0) << 16 | u32::from(self.part));
    }
}

#[derive(Clone, Debug)]
struct Slot<A> {
    generation: u8,
    entry: Option<Entry<A>>,
}

/// The flows of a namespace.
#[derive(Clone, Debug)]
pub struct Conntrack<A> {
    slots: Vec<Slot<A>>,
    free: VecDeque<u32>,
    /// Place and direction (in the lowest bit) by tuple; never iterated.
    index: HashMap<Key<A>, u32, FxBuildHasher>,
    /// The newest flow of a source; never iterated.
    by_source: HashMap<SourceKey<A>, u32, FxBuildHasher>,
    /// Entries that are gone, oldest first.
    limbo: VecDeque<(Time, CtId)>,
    /// Entries that count against the limit.
    count: u32,
    /// The latest instant that was told.
    clock: Time,
    /// Where the search for expired entries goes on.
    cursor: u32,
    /// When a full table may be searched for expired entries again.
    next_sweep: Time,
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

/// What came of a confirmation.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Confirm {
    /// The entry is in the table.
    Done,
    /// There was nothing to do: it was there already, or is gone.
    Nothing,
    /// Another packet of the same flow was faster: the packet belongs to its entry now.
    Merged(CtId),
    /// Another flow has the tuple: the packet is to be dropped.
    Clash,
}

fn allow_clash(protocol: Protocol) -> bool {
    !matches!(protocol.0, 1 | 6 | 33 | 58 | 132)
}

impl<A: Address> Conntrack<A> {
    fn slot_of(id: CtId) -> (usize, u8) {
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
    fn at(&self, place: u32) -> Option<&Entry<A>> {
        self.slots.get(place as usize)?.entry.as_ref()
    }

    #[inline]
    fn at_mut(&mut self, place: u32) -> Option<&mut Entry<A>> {
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

    /// Puts a flow into the table, for a packet of its original direction.
    pub fn confirm(&mut self, id: CtId, now: Time) -> Confirm {
        let Some(e) = self.get(id) else { return Confirm::Nothing };
        if e.is_confirmed() || e.status.has(CtStatus::DYING) {
            return Confirm::Nothing;
        }
        let (original, reply) = (e.tuples[0], e.tuples[1]);
        let released = e.limbo.is_some();
        let place = Self::slot_of(id).0 as u32;
        let clash = self.find(&original, now).or_else(|| self.find(&reply, now));
        let mut only_reply = false;
        if let Some((winner, _)) = clash {
            if !allow_clash(original.protocol) {
                return Confirm::Clash;
            }
            if self.can_merge(winner, id) {
                self.release_unconfirmed(id);
                return Confirm::Merged(winner);
            }
            match self.find(&reply, now) {
                Some((other, _)) if self.can_merge(other, id) => {
                    self.release_unconfirmed(id);
                    return Confirm::Merged(other);
                }
                Some(_) => return Confirm::Clash,
                None => only_reply = true,
            }
        }
        if !only_reply {
            self.index.insert(Key(original), place << 1);
        }
        self.index.insert(Key(reply), place << 1 | 1);
        let source_done = {
            let Some(e) = self.get_mut(id) else { return Confirm::Nothing };
            if only_reply {
                e.timeout = 1;
                e.status.set(CtStatus::FIXED_TIMEOUT);
                e.status.set(CtStatus::NAT_CLASH);
            }
            e.expires = now + Duration::from_secs(u64::from(e.timeout));
            e.status.set(CtStatus::CONFIRMED);
            e.limbo = None;
            e.status.has(CtStatus::SRC_NAT_DONE)
        };
        if released {
            // A copy of the packet was dropped before this one came through.
            self.count += 1;
            if source_done {
                self.link_source(id);
            }
        }
        Confirm::Done
    }

    /// Whether a packet of `late` may as well belong to `winner` (nf_ct_match, nf_ct_match_reverse).
    fn can_merge(&self, winner: CtId, late: CtId) -> bool {
        let (Some(w), Some(l)) = (self.get(winner), self.get(late)) else { return false };
        w.tuples == l.tuples || (w.tuples[0] == l.tuples[1] && w.tuples[1] == l.tuples[0])
    }

    /// Whether a reply tuple belongs to another flow already (nf_conntrack_tuple_taken). The same flow seen twice
    /// does not count.
    pub fn tuple_taken(&mut self, reply: &Tuple<A>, by_other_than: CtId, now: Time) -> bool {
        let Some((found, _)) = self.find(reply, now) else { return false };
        if found == by_other_than {
            return false;
        }
        match (self.get(found), self.get(by_other_than)) {
            (Some(f), Some(me)) => f.tuples[0] != me.tuples[0],
            _ => true,
        }
    }

    /// Takes a flow out of the table (nf_ct_delete). Packets that name it can still read it for a while.
    pub fn kill(&mut self, id: CtId, now: Time) {
        let Some(e) = self.get_mut(id) else { return };
        if e.limbo.is_some() {
            return;
        }
        e.status.set(CtStatus::DYING);
        e.limbo = Some(now);
        let tuples = e.tuples;
        let confirmed = e.is_confirmed();
        let source_done = e.status.has(CtStatus::SRC_NAT_DONE);
        let place = Self::slot_of(id).0 as u32;
        if confirmed {
            for t in tuples {
                if self.index.get(&Key(t)).is_some_and(|v| v >> 1 == place) {
                    self.index.remove(&Key(t));
                }
            }
        }
        if source_done {
            self.unlink_source(id);
        }
        self.limbo.push_back((now, id));
        self.count -= 1;
    }

    /// Forgets an entry that was made for a packet and never confirmed.
    pub fn release_unconfirmed(&mut self, id: CtId) {
        let clock = self.clock;
        let Some(e) = self.get_mut(id) else { return };
        if e.is_confirmed() || e.limbo.is_some() {
            return;
        }
        e.limbo = Some(clock);
        let source_done = e.status.has(CtStatus::SRC_NAT_DONE);
        if source_done {
            self.unlink_source(id);
        }
        self.limbo.push_back((clock, id));
        self.count -= 1;
    }

    /// Frees what has been in limbo long enough, and looks at two places for expired entries.
    fn collect(&mut self, now: Time) {
        self.clock = self.clock.max(now);
        while let Some(&(since, id)) = self.limbo.front() {
            if since + LIMBO > self.clock {
                break;
            }
            self.limbo.pop_front();
            if self.get(id).is_some_and(|e| e.limbo == Some(since)) {
                let (at, _) = Self::slot_of(id);
                if let Some(slot) = self.slots.get_mut(at) {
                    slot.entry = None;
                    // A place whose numbers are used up is not used again.
                    if let Some(next) = slot.generation.checked_add(1) {
                        slot.generation = next;
                        self.free.push_back(at as u32);
                    }
                }
            }
        }
        for _ in 0..2 {
            self.cursor = if (self.cursor as usize) < self.slots.len() { self.cursor } else { 0 };
            if let Some(e) = self.at(self.cursor).filter(|e| e.limbo.is_none()) {
                let (id, confirmed) = (e.id, e.is_confirmed());
                if confirmed && e.expires <= now {
                    self.kill(id, now);
                } else if !confirmed && e.created + ABANDONED <= now {
                    self.release_unconfirmed(id);
                }
            }
            self.cursor += 1;
        }
    }

    /// Removes all expired entries.
    pub fn sweep(&mut self, now: Time) {
        self.kill_where(now, |e| e.is_expired(now));
    }

    /// Removes the confirmed entries that `gone` names; returns their numbers.
    pub fn kill_where(&mut self, now: Time, mut gone: impl FnMut(&Entry<A>) -> bool) -> Vec<CtId> {
        let ids: Vec<CtId> = self.live().filter(|e| gone(e)).map(|e| e.id).collect();
        for id in &ids {
            self.kill(*id, now);
        }
        ids
    }

    /// All confirmed entries, by place; expired ones too.
    pub fn live(&self) -> impl Iterator<Item = &Entry<A>> {
        self.slots.iter().filter_map(|s| s.entry.as_ref()).filter(|e| e.is_confirmed() && e.limbo.is_none())
    }

    /// Makes room for a new flow by removing one that is not ASSURED. True if one was found.
    fn early_drop(&mut self, tuple: &Tuple<A>, now: Time) -> bool {
        let mut hasher = rustc_hash::FxHasher::default();
        Key(*tuple).hash(&mut hasher);
        let n = self.slots.len() as u64;
        let looks = (16 * u64::from(self.count) / BUCKETS).min(n);
        let start = hasher.finish();
        for i in 0..looks {
            let place = (start.wrapping_add(i) % n) as u32;
            let victim = self.at(place).filter(|e| e.is_confirmed() && e.limbo.is_none() && !e.status.has(CtStatus::ASSURED));
            if let Some(id) = victim.map(|e| e.id) {
                self.kill(id, now);
                return true;
            }
        }
        false
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

    fn unlink_source(&mut self, id: CtId) {
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
