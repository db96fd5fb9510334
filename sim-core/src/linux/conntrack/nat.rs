//! The mapping of a flow: which address and port its packets get.
//!
//! Models: include/uapi/linux/netfilter/nf_nat.h struct nf_nat_range2; net/netfilter/nf_nat_core.c nf_nat_setup_info,
//! get_unique_tuple, find_appropriate_src, find_best_ips_proto, nf_nat_l4proto_unique_tuple, nf_nat_used_tuple_new,
//! nf_nat_used_tuple_harder (Linux 6.12 and later).
//! Simplifies: no `--to-ports` with an offset (PROTO_OFFSET), no GRE keys.
//! Seen in: 05-docker-publish-dnat, 06-clusterip-remote-pod, 103-egress-masquerade.

use super::entry::ProtoTrack;
use super::table::Conntrack;
use super::tcp::State;
use super::tuple::{destination_part, source_part};
use super::{CtId, CtStatus, Dir};
use crate::linux::id::RowId;
use crate::linux::time::Time;
use crate::packet::{Address, L4, Protocol, Tuple};

/// Which end of a packet is rewritten.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Manip {
    /// NF_NAT_MANIP_SRC: POSTROUTING and INPUT.
    Src,
    /// NF_NAT_MANIP_DST: PREROUTING and OUTPUT.
    Dst,
}

impl Manip {
    /// The bit that says that a flow is mapped at this end.
    #[inline]
    pub fn status(self) -> CtStatus {
        match self {
            Manip::Src => CtStatus::SRC_NAT,
            Manip::Dst => CtStatus::DST_NAT,
        }
    }

    /// The bit that says that this end has been decided.
    #[inline]
    pub fn done(self) -> CtStatus {
        match self {
            Manip::Src => CtStatus::SRC_NAT_DONE,
            Manip::Dst => CtStatus::DST_NAT_DONE,
        }
    }

    /// The other end.
    #[inline]
    #[must_use]
    pub fn other(self) -> Manip {
        match self {
            Manip::Src => Manip::Dst,
            Manip::Dst => Manip::Src,
        }
    }

    /// The bit that says that packets of `dir` are to be rewritten at this end: what maps the source of one direction
    /// maps the destination of the other.
    #[inline]
    pub fn status_for(self, dir: Dir) -> CtStatus {
        match dir {
            Dir::Original => self.status(),
            Dir::Reply => self.other().status(),
        }
    }
}

/// The addresses and ports that a flow may be mapped to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct NatRange<A> {
    /// First and last address (NF_NAT_RANGE_MAP_IPS); none leaves the address as it is.
    pub addrs: Option<(A, A)>,
    /// First and last port (NF_NAT_RANGE_PROTO_SPECIFIED); none leaves the port as it is where that can be.
    pub ports: Option<(u16, u16)>,
    /// `--random`: the search for a port begins at a random place, and the port is never kept.
    pub random: bool,
    /// `--random-fully`: the port is never kept.
    pub random_fully: bool,
    /// `--persistent`: the address depends on the source alone.
    pub persistent: bool,
}

impl<A: Address> NatRange<A> {
    /// A range that maps to one address and keeps the port where that can be.
    pub fn to_addr(addr: A) -> Self {
        NatRange { addrs: Some((addr, addr)), ports: None, random: false, random_fully: false, persistent: false }
    }

    /// NF_NAT_RANGE_PROTO_RANDOM_ALL.
    #[inline]
    fn randomizes(&self) -> bool {
        self.random || self.random_fully
    }
}

/// What became of the wish to map a flow.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Bind {
    /// The flow has its mapping: address and port (or identifier) of the mapped end. `evicted` is a finished
    /// connection that had to go for it.
    Bound {
        /// Address, port.
        addr_part: (u128, u16),
        /// Whether it differs from what the packet has.
        changed: bool,
        /// A connection in TIME_WAIT or CLOSE whose port was taken over.
        evicted: Option<CtId>,
    },
    /// The flow is in the table already; nothing is changed any more.
    TooLate,
    /// This end had been decided before, or there is no such flow.
    Refused,
}

/// NF_NAT_MAX_ATTEMPTS.
const MAX_ATTEMPTS: u32 = 128;
/// NF_NAT_HARDER_THRESH: the last so many attempts of a round may evict.
const HARDER_THRESH: u32 = MAX_ATTEMPTS / 4;

/// The part of a tuple that `manip` may change beside the address; ICMP has one identifier for both ends.
fn part(t: L4, manip: Manip) -> u16 {
    match manip {
        Manip::Src => source_part(t),
        Manip::Dst => destination_part(t),
    }
}

/// `l4` with another port at the end of `manip`, or another identifier.
pub fn with_part(l4: L4, manip: Manip, value: u16) -> L4 {
    match (l4, manip) {
        (L4::Ports { dst, .. }, Manip::Src) => L4::Ports { src: value, dst },
        (L4::Ports { src, .. }, Manip::Dst) => L4::Ports { src, dst: value },
        (L4::Icmp { kind, code, .. }, _) => L4::Icmp { kind, code, id: value },
        (L4::None, _) => L4::None,
    }
}

/// Whether the port of `t` is in the range; protocols without ports always are (l4proto_in_range).
fn part_in(t: L4, manip: Manip, (min, max): (u16, u16)) -> bool {
    t == L4::None || (min..=max).contains(&part(t, manip))
}

/// Bob Jenkins' hash of words (include/linux/jhash.h jhash2).
fn jhash2(words: &[u32], initval: u32) -> u32 {
    let start = 0xdead_beef_u32.wrapping_add((words.len() as u32) << 2).wrapping_add(initval);
    let (mut a, mut b, mut c) = (start, start, start);
    let mut rest = words;
    while rest.len() > 3 {
        a = a.wrapping_add(rest[0]);
        b = b.wrapping_add(rest[1]);
        c = c.wrapping_add(rest[2]);
        a = a.wrapping_sub(c) ^ c.rotate_left(4);
        c = c.wrapping_add(b);
        b = b.wrapping_sub(a) ^ a.rotate_left(6);
        a = a.wrapping_add(c);
        c = c.wrapping_sub(b) ^ b.rotate_left(8);
        b = b.wrapping_add(a);
        a = a.wrapping_sub(c) ^ c.rotate_left(16);
        c = c.wrapping_add(b);
        b = b.wrapping_sub(a) ^ a.rotate_left(19);
        a = a.wrapping_add(c);
        c = c.wrapping_sub(b) ^ b.rotate_left(4);
        b = b.wrapping_add(a);
        rest = &rest[3..];
    }
    if rest.is_empty() {
        return c;
    }
    a = a.wrapping_add(rest[0]);
    b = b.wrapping_add(rest.get(1).copied().unwrap_or(0));
    c = c.wrapping_add(rest.get(2).copied().unwrap_or(0));
    c = (c ^ b).wrapping_sub(b.rotate_left(14));
    a = (a ^ c).wrapping_sub(c.rotate_left(11));
    b = (b ^ a).wrapping_sub(a.rotate_left(25));
    c = (c ^ b).wrapping_sub(b.rotate_left(16));
    a = (a ^ c).wrapping_sub(c.rotate_left(4));
    b = (b ^ a).wrapping_sub(a.rotate_left(14));
    (c ^ b).wrapping_sub(b.rotate_left(24))
}

/// The words of an address, the first one first, in host order.
fn words<A: Address>(addr: A) -> impl Iterator<Item = u32> {
    let n = u32::from(A::BITS / 32);
    let bits = addr.to_bits();
    (0..n).map(move |i| (bits >> (32 * (n - 1 - i))) as u32)
}

/// One address of the range, by a hash of source and destination (find_best_ips_proto).
fn best_addr<A: Address>(t: &Tuple<A>, (min, max): (A, A), persistent: bool) -> A {
    if min == max {
        return min;
    }
    // The kernel hashes the words as they lie in memory of a little-endian machine.
    let source: Vec<u32> = words(t.src).map(u32::swap_bytes).collect();
    let dest: Vec<u32> = words(t.dst).map(u32::swap_bytes).collect();
    let mut j = jhash2(&source, if persistent { 0 } else { dest.last().copied().unwrap_or(0) });
    let mut full_range = false;
    let mut out: u128 = 0;
    for (i, (lo, hi)) in words(min).zip(words(max)).enumerate() {
        let (lo, dist) = if full_range { (0, u32::MAX) } else { (lo, hi.wrapping_sub(lo).wrapping_add(1)) };
        let word = lo.wrapping_add(((u64::from(j) * u64::from(dist)) >> 32) as u32);
        out = out << 32 | u128::from(word);
        full_range |= word != hi;
        if !persistent {
            j ^= dest.get(i).copied().unwrap_or(0);
        }
    }
    A::from_bits(out)
}

/// A search for a mapping, with the flow it is for.
struct Search<'a, A, R> {
    table: &'a mut Conntrack<A>,
    id: CtId,
    now: Time,
    manip: Manip,
    range: &'a NatRange<A>,
    random: R,
    evicted: Option<CtId>,
}

impl<A: Address, R: FnMut() -> u16> Search<'_, A, R> {
    /// Whether another flow is answered with what would answer `t` (nf_nat_used_tuple).
    fn used(&mut self, t: &Tuple<A>) -> bool {
        t.inverted().is_none_or(|reply| self.table.tuple_taken(&reply, self.id, self.now))
    }

    /// The same for a flow that is not mapped at all: two directions of one flow do not clash (nf_nat_used_tuple_new).
    fn used_unmapped(&mut self, t: &Tuple<A>) -> bool {
        if !self.used(t) {
            return false;
        }
        let mapped = |s: CtStatus| s.has(CtStatus::SRC_NAT) || s.has(CtStatus::DST_NAT) || s.has(CtStatus::SEQ_ADJUST);
        let Some(me) = self.table.get(self.id) else { return true };
        if t.protocol != Protocol::UDP || mapped(me.status) {
            return true;
        }
        let my_reply = me.tuples[1];
        let found = match self.table.find(t, self.now) {
            Some(f) => Some(f),
            None => t.inverted().and_then(|r| self.table.find(&r, self.now)),
        };
        match found.and_then(|(id, _)| self.table.get(id)) {
            None => false,
            Some(other) => mapped(other.status) || other.tuples[0] != my_reply,
        }
    }

    /// The same for the last attempts: a finished connection may be evicted if the new one's numbers are higher
    /// (nf_nat_used_tuple_harder).
    fn used_even_so(&mut self, t: &Tuple<A>, attempts_left: u32) -> bool {
        let mine = match self.table.get(self.id).map(|e| &e.proto) {
            Some(ProtoTrack::Tcp(track)) if track.state == State::SynSent => *track,
            _ => return self.used(t),
        };
        if attempts_left > HARDER_THRESH {
            return self.used(t);
        }
        let Some(reply) = t.inverted() else { return true };
        let Some((found, dir)) = self.table.find(&reply, self.now) else { return false };
        let Some(other) = self.table.get(found) else { return false };
        let ProtoTrack::Tcp(track) = &other.proto else { return true };
        let may_go = dir == Dir::Reply
            && track.state >= State::TimeWait
            && !other.status.has(CtStatus::FIXED_TIMEOUT)
            && other.status.has(CtStatus::SRC_NAT)
            && track.has_advanced(&mine);
        if may_go {
            self.table.kill(found, self.now);
            self.evicted = Some(found);
        }
        !may_go
    }

    /// Whether a mapping satisfies the range (nf_in_range).
    fn in_range(&self, t: &Tuple<A>) -> bool {
        self.range.addrs.is_none_or(|(min, max)| min <= t.src && t.src <= max)
            && self.range.ports.is_none_or(|ports| part_in(t.l4, Manip::Src, ports))
    }

    /// The mapping that another flow of the same source has, if it is in the range (find_appropriate_src).
    fn same_source(&self, t: &Tuple<A>) -> Option<Tuple<A>> {
        self.table.same_source(t).find_map(|e| {
            let mut mapped = e.tuples[1].inverted()?;
            mapped.dst = t.dst;
            mapped.l4 = with_part(t.l4, Manip::Src, source_part(mapped.l4));
            self.in_range(&mapped).then_some(mapped)
        })
    }

    /// get_unique_tuple. If all attempts fail, the tuple clashes, and its packet is dropped when it is confirmed.
    fn run(&mut self, wish: &Tuple<A>) -> Tuple<A> {
        if self.manip == Manip::Src && !self.range.randomizes() {
            if self.in_range(wish) {
                if !self.used_unmapped(wish) {
                    return *wish;
                }
            } else if let Some(t) = self.same_source(wish)
                && !self.used(&t)
            {
                return t;
            }
        }
        let mut t = *wish;
        if let Some(addrs) = self.range.addrs {
            let addr = best_addr(wish, addrs, self.range.persistent);
            match self.manip {
                Manip::Src => t.src = addr,
                Manip::Dst => t.dst = addr,
            }
        }
        if !self.range.randomizes() {
            let fine = match self.range.ports {
                Some(ports) => part_in(t.l4, self.manip, ports) && (ports.0 == ports.1 || !self.used(&t)),
                None => !self.used(&t),
            };
            if fine {
                return t;
            }
        }
        self.search_part(t)
    }

    /// Tries ports (or identifiers) of the range, or of the class that the port is in (nf_nat_l4proto_unique_tuple).
    fn search_part(&mut self, mut t: Tuple<A>) -> Tuple<A> {
        let (min, size) = match (t.l4, self.range.ports) {
            (L4::None, _) => return t,
            (L4::Icmp { .. }, None) => (0, 65_536),
            (L4::Icmp { .. }, Some((a, b))) => (a, u32::from(b.wrapping_sub(a)) + 1),
            (L4::Ports { .. }, Some((a, b))) => (a.min(b), u32::from(a.abs_diff(b)) + 1),
            (L4::Ports { .. }, None) if self.manip == Manip::Dst => return t,
            (L4::Ports { src, .. }, None) => match src {
                0..512 => (1, 511),
                512..1024 => (600, 424),
                _ => (1024, 64_512),
            },
        };
        let from_anywhere = self.range.randomizes() || self.manip == Manip::Src;
        let mut offset = if from_anywhere { (self.random)() } else { 0 };
        let mut attempts = size.min(MAX_ATTEMPTS);
        loop {
            for i in 0..attempts {
                let value = min.wrapping_add((u32::from(offset) % size) as u16);
                t.l4 = with_part(t.l4, self.manip, value);
                if !self.used_even_so(&t, attempts - i) {
                    return t;
                }
                offset = offset.wrapping_add(1);
            }
            if attempts >= size || attempts < 16 {
                return t;
            }
            attempts /= 2;
            offset = (self.random)();
        }
    }
}

impl<A: Address> Conntrack<A> {
    /// Gives an unconfirmed flow its mapping for one end (nf_nat_setup_info). `random` draws 16 random bits.
    pub fn setup_nat(&mut self, id: CtId, range: &NatRange<A>, manip: Manip, row: RowId, now: Time, random: impl FnMut() -> u16) -> Bind {
        let Some(e) = self.get(id) else { return Bind::Refused };
        if e.is_confirmed() {
            return Bind::TooLate;
        }
        if e.status.has(manip.done()) {
            return Bind::Refused;
        }
        let Some(current) = e.tuples[1].inverted() else { return Bind::Refused };
        let mut search = Search { table: self, id, now, manip, range, random, evicted: None };
        let new = search.run(&current);
        let evicted = search.evicted;
        let changed = new != current;
        if changed && let Some(reply) = new.inverted() {
            self.alter_reply(id, reply);
        }
        if let Some(e) = self.get_mut(id) {
            if changed {
                e.status.set(manip.status());
            }
            e.status.set(manip.done());
            e.nat_rows[manip as usize] = row;
        }
        if manip == Manip::Src {
            self.link_source(id);
        }
        let addr = if manip == Manip::Src { new.src } else { new.dst };
        Bind::Bound { addr_part: (addr.to_bits(), part(new.l4, manip)), changed, evicted }
    }

    /// The range that leaves a flow as it is (nf_nat_alloc_null_binding): its port may have to change all the same.
    pub fn null_range(&self, id: CtId, manip: Manip) -> Option<NatRange<A>> {
        let reply = &self.get(id)?.tuples[1];
        Some(NatRange::to_addr(if manip == Manip::Src { reply.dst } else { reply.src }))
    }

    /// What packets of `dir` look like once they are rewritten: the inverse of the other direction.
    #[inline]
    pub fn nat_target(&self, id: CtId, dir: Dir) -> Option<Tuple<A>> {
        self.get(id)?.tuple(dir.other()).inverted()
    }
}

impl<A> Default for NatRange<A> {
    /// No address and no port asked for.
    fn default() -> Self {
        NatRange { addrs: None, ports: None, random: false, random_fully: false, persistent: false }
    }
}
