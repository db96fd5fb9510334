//! The routes of a table by prefix, and those that hold an address, longest prefix first.
//!
//! Models: net/ipv4/fib_trie.c fib_table_lookup, what it finds and in which order.
//! Simplifies: the kernel's trie of variable strides is a sorted list of the address ranges in which the longest prefix is the same one.
//!
//! ```text
//!  address ──► directory (a part of the range) ──► the few ranges that begin there ──► longest prefix ──► next shorter one ──► ...
//! ```
//!
//! The time of a lookup follows neither the number of routes nor the number of prefix lengths. The list is made when lookups have become
//! worth it, so that a table that changes between any two lookups does not make it anew each time; until then every length is asked for.
//! Both find the same.

use super::fib::Route;
use super::hot::HotMap;
use super::id::RowId;
use crate::packet::{Address, Prefix};
use smallvec::SmallVec;
use std::cmp::Reverse;
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, OnceLock};

type Bucket<A> = SmallVec<[Route<A>; 1]>;

/// Above this number of routes a table is indexed; below, a scan is faster and smaller.
const SCAN_LIMIT: usize = 12;

/// No prefix.
const NONE: u32 = u32::MAX;

/// Routes by prefix.
#[derive(Clone, Debug)]
pub(super) enum Store<A> {
    /// In order of lookup.
    Few(Vec<Route<A>>),
    /// Indexed.
    Many(Box<Many<A>>),
}

impl<A: Address> Default for Store<A> {
    fn default() -> Self {
        Store::Few(Vec::new())
    }
}

impl<A: Address> Store<A> {
    /// How many routes there are.
    pub(super) fn len(&self) -> usize {
        match self {
            Store::Few(v) => v.len(),
            Store::Many(m) => m.slots.iter().map(|b| b.len()).sum(),
        }
    }

    fn order(r: &Route<A>) -> (Reverse<u8>, Prefix<A>, (Reverse<u8>, u32)) {
        (Reverse(r.prefix.len()), r.prefix, r.rank())
    }

    /// Adds behind the routes of the same rank, or before them.
    pub(super) fn insert(&mut self, route: Route<A>, before_equals: bool) {
        match self {
            Store::Few(v) => {
                let key = Self::order(&route);
                let at = v.partition_point(|r| if before_equals { Self::order(r) < key } else { Self::order(r) <= key });
                // there are thousands of such tables, each of a few routes: no room in advance
                v.reserve_exact(1);
                v.insert(at, route);
                if v.len() > SCAN_LIMIT {
                    let mut many = Many::default();
                    for r in std::mem::take(v) {
                        many.insert(r, false);
                    }
                    *self = Store::Many(Box::new(many));
                }
            }
            Store::Many(m) => m.insert(route, before_equals),
        }
    }

    /// The routes of exactly this prefix, in order of lookup.
    pub(super) fn at(&self, prefix: Prefix<A>) -> &[Route<A>] {
        match self {
            Store::Few(v) => {
                let from = v.partition_point(|r| (Reverse(r.prefix.len()), r.prefix) < (Reverse(prefix.len()), prefix));
                let n = v[from..].iter().take_while(|r| r.prefix == prefix).count();
                &v[from..from + n]
            }
            Store::Many(m) => m.at(prefix),
        }
    }

    /// Takes the row `row` of `prefix` out.
    pub(super) fn remove(&mut self, row: RowId, prefix: Prefix<A>) -> Option<Route<A>> {
        match self {
            Store::Few(v) => {
                let at = v.iter().position(|r| r.row == row)?;
                Some(v.remove(at))
            }
            Store::Many(m) => m.remove(row, prefix),
        }
    }

    /// All routes; those of one prefix in order of lookup.
    pub(super) fn iter(&self) -> impl Iterator<Item = &Route<A>> {
        let (few, many): (&[Route<A>], &[Bucket<A>]) = match self {
            Store::Few(v) => (v, &[]),
            Store::Many(m) => (&[], &m.slots),
        };
        few.iter().chain(many.iter().flatten())
    }

    /// The routes in order of lookup, if they are few.
    #[inline]
    pub(super) fn few(&self) -> Option<&[Route<A>]> {
        match self {
            Store::Few(v) => Some(v),
            Store::Many(_) => None,
        }
    }

    /// The routes that hold `dst`, the routes of one prefix together, longest prefix first.
    #[inline]
    pub(super) fn covering(&self, dst: A) -> Covering<'_, A> {
        match self {
            Store::Few(v) => Covering::Scan(v, dst),
            Store::Many(m) => m.covering(dst),
        }
    }
}

/// Many routes.
#[derive(Debug)]
pub(super) struct Many<A> {
    /// The routes of one prefix each; an empty one is free.
    slots: Vec<Bucket<A>>,
    free: Vec<u32>,
    by_prefix: HotMap<Prefix<A>, u32>,
    /// How many prefixes there are of each length.
    lens: Vec<u32>,
    /// The ranges, once they are made; made anew after a change.
    ranges: OnceLock<Arc<Ranges<A>>>,
    /// Lookups without them. What is found does not hang on it.
    unindexed: AtomicU32,
}

impl<A: Address> Default for Many<A> {
    fn default() -> Self {
        Many {
            slots: Vec::new(),
            free: Vec::new(),
            by_prefix: HotMap::default(),
            lens: vec![0; usize::from(A::BITS) + 1],
            ranges: OnceLock::new(),
            unindexed: AtomicU32::new(0),
        }
    }
}

impl<A: Clone> Clone for Many<A> {
    fn clone(&self) -> Self {
        Many {
            slots: self.slots.clone(),
            free: self.free.clone(),
            by_prefix: self.by_prefix.clone(),
            lens: self.lens.clone(),
            ranges: self.ranges.clone(),
            unindexed: AtomicU32::new(self.unindexed.load(Ordering::Relaxed)),
        }
    }
}

impl<A: Address> Many<A> {
    fn insert(&mut self, route: Route<A>, before_equals: bool) {
        if let Some(slot) = self.by_prefix.get(&route.prefix) {
            let bucket = &mut self.slots[*slot as usize];
            let key = route.rank();
            let at = bucket.iter().position(|r| if before_equals { r.rank() >= key } else { r.rank() > key }).unwrap_or(bucket.len());
            bucket.insert(at, route);
            return;
        }
        self.ranges.take();
        let prefix = route.prefix;
        let bucket = SmallVec::from_iter([route]);
        let slot = match self.free.pop() {
            Some(slot) => {
                self.slots[slot as usize] = bucket;
                slot
            }
            None => {
                self.slots.push(bucket);
                self.slots.len() as u32 - 1
            }
        };
        self.by_prefix.insert(prefix, slot);
        self.lens[usize::from(prefix.len())] += 1;
    }

    fn at(&self, prefix: Prefix<A>) -> &[Route<A>] {
        self.by_prefix.get(&prefix).map_or(&[], |slot| self.slots[*slot as usize].as_slice())
    }

    fn remove(&mut self, row: RowId, prefix: Prefix<A>) -> Option<Route<A>> {
        let slot = *self.by_prefix.get(&prefix)?;
        let bucket = &mut self.slots[slot as usize];
        let at = bucket.iter().position(|r| r.row == row)?;
        let gone = bucket.remove(at);
        if bucket.is_empty() {
            self.ranges.take();
            self.by_prefix.remove(&prefix);
            self.free.push(slot);
            self.lens[usize::from(prefix.len())] -= 1;
        }
        Some(gone)
    }

    #[inline]
    fn covering(&self, dst: A) -> Covering<'_, A> {
        if let Some(ranges) = self.ranges.get() {
            return Covering::Ranges { slots: &self.slots, parents: &ranges.parents, at: ranges.longest(dst) };
        }
        let asked = self.unindexed.fetch_add(1, Ordering::Relaxed);
        // a quarter of the prefixes: making the ranges then costs each lookup a constant, however often the table changes
        if asked as usize * 4 >= self.by_prefix.len() {
            self.unindexed.store(0, Ordering::Relaxed);
            self.ranges.get_or_init(|| Arc::new(Ranges::of(&self.by_prefix, self.slots.len())));
        }
        Covering::Lengths { many: self, dst, left: A::BITS + 1 }
    }
}

/// The addresses in the order of their numbers, cut where the longest prefix changes.
#[derive(Debug)]
struct Ranges<A> {
    /// First address of each range; the first range begins with the first address there is.
    starts: Vec<A>,
    /// Slot of the longest prefix that holds the range.
    slots: Vec<u32>,
    /// By slot: the slot of the next shorter prefix that holds this one.
    parents: Vec<u32>,
    /// By a part of the numbers between `low` and the last start: the range of its first address.
    directory: Vec<u32>,
    /// Start of the second range.
    low: u128,
    /// A part of the directory has 2 to the power of this many addresses.
    shift: u32,
}

impl<A: Address> Ranges<A> {
    fn of(by_prefix: &HotMap<Prefix<A>, u32>, slots: usize) -> Self {
        let mut ranges =
            Ranges { starts: vec![A::UNSPECIFIED], slots: vec![NONE], parents: vec![NONE; slots], directory: Vec::new(), low: 0, shift: 0 };
        // the prefixes around the one at hand, each with its last address
        let mut around: Vec<(u128, u32)> = Vec::new();
        for (prefix, slot) in by_prefix.sorted() {
            let start = prefix.addr().to_bits();
            while let Some((last, _)) = around.pop_if(|(last, _)| *last < start) {
                ranges.begin(last + 1, around.last().map_or(NONE, |(_, s)| *s));
            }
            ranges.parents[*slot as usize] = around.last().map_or(NONE, |(_, s)| *s);
            ranges.begin(start, *slot);
            around.push((prefix.last().to_bits(), *slot));
        }
        let highest = Prefix::<A>::mask_bits(A::BITS);
        while let Some((last, _)) = around.pop_if(|(last, _)| *last < highest) {
            ranges.begin(last + 1, around.last().map_or(NONE, |(_, s)| *s));
        }
        ranges.index();
        ranges
    }

    fn begin(&mut self, start: u128, slot: u32) {
        let start = A::from_bits(start);
        if self.starts.last() == Some(&start) {
            self.starts.pop();
            self.slots.pop();
        }
        if self.slots.last() != Some(&slot) {
            self.starts.push(start);
            self.slots.push(slot);
        }
    }

    fn index(&mut self) {
        let (Some(low), Some(high)) = (self.starts.get(1), self.starts.last()) else { return };
        let (low, span) = (low.to_bits(), high.to_bits() - low.to_bits());
        let parts = self.starts.len().next_power_of_two();
        let bits = u128::BITS - span.leading_zeros();
        self.low = low;
        self.shift = bits.saturating_sub(parts.trailing_zeros());
        let mut range = 1;
        for part in 0..=(span >> self.shift) {
            let first = low + (part << self.shift);
            while self.starts.get(range + 1).is_some_and(|s| s.to_bits() <= first) {
                range += 1;
            }
            self.directory.push(range as u32);
        }
        self.directory.push(self.starts.len() as u32 - 1);
    }

    /// Slot of the longest prefix that holds `dst`.
    #[inline]
    fn longest(&self, dst: A) -> u32 {
        let Some(above) = dst.to_bits().checked_sub(self.low) else { return self.slots[0] };
        // IPv4 addresses need no wide shift
        let part =
            if A::BITS == 32 { (above as u64 >> self.shift) as usize } else { usize::try_from(above >> self.shift).unwrap_or(usize::MAX) };
        let last = self.starts.len() - 1;
        let Some(from) = self.directory.get(part).map(|r| *r as usize) else { return self.slots[last] };
        let to = self.directory.get(part + 1).map_or(last, |r| *r as usize);
        let later = &self.starts[from + 1..=to.max(from)];
        let n = match later {
            [] => 0,
            [a] => usize::from(*a <= dst),
            [a, b] => usize::from(*a <= dst) + usize::from(*b <= dst),
            _ => later.partition_point(|s| *s <= dst),
        };
        self.slots[from + n]
    }
}

/// The routes that hold an address, the routes of one prefix together, longest prefix first.
#[derive(Debug)]
pub(super) enum Covering<'t, A> {
    /// The routes that are left, and the address.
    Scan(&'t [Route<A>], A),
    /// Along the prefixes that hold each other.
    Ranges { slots: &'t [Bucket<A>], parents: &'t [u32], at: u32 },
    /// Every length below `left`.
    Lengths { many: &'t Many<A>, dst: A, left: u8 },
}

impl<'t, A: Address> Iterator for Covering<'t, A> {
    type Item = &'t [Route<A>];

    #[inline]
    fn next(&mut self) -> Option<&'t [Route<A>]> {
        match self {
            Covering::Ranges { slots, parents, at } => {
                let bucket = slots.get(*at as usize)?;
                *at = parents[*at as usize];
                Some(bucket)
            }
            Covering::Scan(rest, dst) => {
                let from = rest.iter().position(|r| r.prefix.contains(*dst))?;
                let prefix = rest[from].prefix;
                let n = rest[from..].iter().take_while(|r| r.prefix == prefix).count();
                let (found, left) = rest[from..].split_at(n);
                *rest = left;
                Some(found)
            }
            Covering::Lengths { many, dst, left } => loop {
                *left = left.checked_sub(1)?;
                if many.lens[usize::from(*left)] > 0 {
                    let found = many.at(Prefix::new(*dst, *left));
                    if !found.is_empty() {
                        return Some(found);
                    }
                }
            },
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::device::Scope;
    use super::super::fib::{FibBase, FibTable, RouteProto, RouteType};
    use super::super::id::Source;
    use super::*;
    use proptest::prelude::*;
    use std::net::{Ipv4Addr, Ipv6Addr};
    use std::ops::ControlFlow;

    fn route<A: Address>(row: u32, prefix: Prefix<A>, tos: u8, metric: u32) -> Route<A> {
        Route {
            row: RowId(row),
            prefix,
            tos,
            metric,
            kind: RouteType::Unicast,
            scope: Scope::Link,
            proto: RouteProto::BOOT,
            nexthops: SmallVec::new(),
            src: None,
            mtu: None,
            source: Source::Kernel,
        }
    }

    /// A change of a table: the prefix, its TOS and metric, and whether it is added, or how many before it is the one to be removed.
    type Change = (u32, u8, u8, u32, Option<usize>);

    fn changes() -> impl Strategy<Value = Vec<Change>> {
        // few distinct bits, so that prefixes hold each other and addresses are hit
        let addr = prop_oneof![any::<u32>(), (0u32..16).prop_map(|n| n << 28), (0u32..64).prop_map(|n| 0x0a00_0000 | n << 6)];
        let len = prop_oneof![0u8..=32, Just(32), Just(0), Just(24)];
        let change = (addr, len, prop_oneof![3 => Just(0u8), 1 => Just(16)], 0u32..3, proptest::option::weighted(0.2, 0usize..40));
        proptest::collection::vec(change, 0..80)
    }

    /// Holds a table of `changes` against a plain list, with the first `shared` routes in a base.
    fn check<A: Address>(changes: &[Change], shared: usize, widen: impl Fn(u32) -> A) {
        let mut table: FibTable<A> = FibTable::default();
        let mut plain: Vec<Route<A>> = Vec::new();
        let made: Vec<Route<A>> = (0u32..)
            .zip(changes)
            .map(|(n, (addr, len, tos, metric, _))| {
                let len = if A::BITS == 32 || *len == 0 { *len } else { *len * 4 };
                route(n + 1, Prefix::new(widen(*addr), len), *tos, *metric)
            })
            .collect();
        let shared = shared.min(made.len());
        if shared > 0 {
            table.set_base(Arc::new(FibBase::new(made[..shared].iter().cloned())), Vec::new());
            plain.extend(made[..shared].iter().cloned());
        }
        // own routes stand before those of the base among equals: the list is told so by their place
        let mut own: Vec<Route<A>> = Vec::new();
        for (n, r) in made.iter().enumerate().skip(shared) {
            match changes[n].4 {
                Some(back) => {
                    let at = (own.len() + plain.len()).checked_sub(back + 1);
                    let Some(at) = at else { continue };
                    let gone = if at < own.len() { own.remove(at) } else { plain.remove(at - own.len()) };
                    assert!(table.remove(gone.row, gone.prefix));
                    assert!(!table.remove(gone.row, gone.prefix));
                }
                None => {
                    table.append(r.clone());
                    own.push(r.clone());
                }
            }
            let dst = r.prefix.last();
            hold(&table, &own, &plain, dst);
        }
        for r in &made {
            let bits = r.prefix.addr().to_bits();
            let last = r.prefix.last().to_bits();
            for dst in [bits, last, bits.wrapping_sub(1), last.wrapping_add(1), bits ^ ((last - bits) / 3)] {
                hold(&table, &own, &plain, A::from_bits(dst));
            }
        }
        let mut rows: Vec<RowId> = table.all().iter().map(|r| r.row).collect();
        let mut want: Vec<RowId> = own.iter().chain(&plain).map(|r| r.row).collect();
        rows.sort_unstable();
        want.sort_unstable();
        assert_eq!(rows, want);
    }

    fn hold<A: Address>(table: &FibTable<A>, own: &[Route<A>], shared: &[Route<A>], dst: A) {
        let mut want: Vec<&Route<A>> = own.iter().chain(shared).filter(|r| r.prefix.contains(dst)).collect();
        want.sort_by_key(|r| (Reverse(r.prefix.len()), r.rank()));
        let mut seen = Vec::new();
        let _ = table.covering(dst, |r| {
            seen.push(r.row);
            ControlFlow::<()>::Continue(())
        });
        assert_eq!(seen, want.iter().map(|r| r.row).collect::<Vec<_>>(), "{dst}");
        assert_eq!(table.lookup(dst, |r| r.tos == 0).map(|r| r.row), want.iter().find(|r| r.tos == 0).map(|r| r.row), "{dst}");
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(96))]

        #[test]
        fn finds_what_a_plain_list_finds(changes in changes(), shared in prop_oneof![Just(0usize), 0usize..60]) {
            check::<Ipv4Addr>(&changes, shared, Ipv4Addr::from);
            // the bits that differ lie at both ends of the address
            check::<Ipv6Addr>(&changes, shared, |n| Ipv6Addr::from(u128::from(n) << 96 | u128::from(n.reverse_bits())));
        }
    }

    /// As many routes as a table may have before it is indexed, and many more, with every length.
    #[test]
    fn finds_the_longest_of_all_lengths() {
        for many in [0u32, 5_000] {
            let mut store: Store<Ipv4Addr> = Store::default();
            for len in 0..=32u8 {
                store.insert(route(u32::from(len) + 1, Prefix::new(Ipv4Addr::new(10, 170, 85, 170), len), 0, 0), false);
            }
            for n in 0..many {
                store.insert(route(100 + n, Prefix::new(Ipv4Addr::from(0xc000_0000 | n << 8), 24), 0, 0), false);
            }
            assert_eq!(store.len(), 33 + many as usize);
            for _ in 0..2 * (many + 100) {
                let lens: Vec<u8> = store.covering(Ipv4Addr::new(10, 170, 85, 170)).map(|b| b[0].prefix.len()).collect();
                assert_eq!(lens, (0..=32u8).rev().collect::<Vec<_>>());
            }
            assert!(matches!(&store, Store::Many(m) if m.ranges.get().is_some()), "lookups made the ranges");
            let first = |a: [u8; 4]| store.covering(a.into()).next().map(|b| b[0].prefix.len());
            assert_eq!(first([10, 170, 85, 171]), Some(31));
            assert_eq!(first([255, 255, 255, 255]), Some(0));
            assert_eq!(first([0, 0, 0, 0]), Some(4));
            assert_eq!(first([192, 0, 7, 9]), Some(if many > 0 { 24 } else { 0 }));
        }
    }
}
