//! Sets and maps: elements, and how one is found.
//!
//! Models: net/netfilter/nft_set_hash.c, nft_set_rbtree.c, nft_set_pipapo.c, nft_set_bitmap.c; nf_tables_api.c nft_set_elem.
//! Simplifies: which of these a set is kept in is not told; elements carry no counters.
//!
//! A set of single values is found by hash, a set of ranges by halving, a concatenation with ranges by going through it.

use super::datatype::{Data, DataType};
use super::expr::Expr;
use super::stmt::{NftVerdict, Stmt};
use crate::linux::hot::HotMap;
use crate::linux::time::Time;
use std::sync::Arc;
use std::time::Duration;

/// A named set of the table that a rule stands in.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SetRef {
    /// Its name.
    pub name: Arc<str>,
    /// Its slot in the table, once the rule stands there.
    pub slot: u32,
}

/// A named counter, quota or limit.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ObjRef {
    /// Which kind.
    pub kind: ObjKind,
    /// Its name.
    pub name: Arc<str>,
}

/// Kinds of named objects.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum ObjKind {
    /// `counter`.
    Counter,
    /// `quota`.
    Quota,
    /// `limit`.
    Limit,
}

impl ObjKind {
    /// Its word.
    pub fn name(self) -> &'static str {
        match self {
            ObjKind::Counter => "counter",
            ObjKind::Quota => "quota",
            ObjKind::Limit => "limit",
        }
    }
}

/// Where a rule looks a value up.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum SetLink {
    /// `@name`.
    Named(SetRef, Arc<SetType>),
    /// `{ … }`.
    Anonymous(Arc<Set>),
}

impl SetLink {
    /// The types that a map leads to.
    pub fn data_types(&self) -> Vec<DataType> {
        let of = |d: &SetData| match d {
            SetData::Values(types) => types.clone(),
            _ => Vec::new(),
        };
        match self {
            SetLink::Named(_, t) => of(&t.data),
            SetLink::Anonymous(s) => of(&s.of.data),
        }
    }
}

/// What a set's elements lead to.
#[derive(Clone, Debug, PartialEq, Eq, Default)]
pub enum SetData {
    /// To nothing: it is a set.
    #[default]
    None,
    /// To a verdict.
    Verdict,
    /// To a value of these types.
    Values(Vec<DataType>),
}

/// The types of a set.
#[derive(Clone, Debug, PartialEq, Eq, Default)]
pub struct SetType {
    /// Of the key; several for a concatenation.
    pub key: Vec<DataType>,
    /// Of what it leads to.
    pub data: SetData,
}

/// `flags` of a set.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub struct SetFlags {
    /// `constant`.
    pub constant: bool,
    /// `dynamic`.
    pub dynamic: bool,
    /// `interval`.
    pub interval: bool,
    /// `timeout`.
    pub timeout: bool,
}

/// What an element leads to.
#[derive(Clone, Debug, PartialEq, Eq, Default)]
pub enum ElemData {
    /// Nothing.
    #[default]
    None,
    /// A verdict.
    Verdict(NftVerdict),
    /// A value.
    Value(Data),
}

/// An element: one value, or a range.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Element {
    /// First value; of a concatenation, the firsts of its parts.
    pub lo: Data,
    /// Last value.
    pub hi: Data,
    /// What it leads to.
    pub data: ElemData,
    /// Its own time to live.
    pub timeout: Option<Duration>,
    /// `expires`: what is left of it, as it was given.
    pub left: Option<Duration>,
    /// When it expires.
    pub expires: Option<Time>,
    /// `comment`.
    pub comment: Option<Arc<str>>,
}

impl Element {
    /// One value that leads to nothing.
    pub fn of(value: Data) -> Element {
        Element { lo: value.clone(), hi: value, data: ElemData::None, timeout: None, left: None, expires: None, comment: None }
    }

    /// Whether it is a range.
    #[inline]
    pub fn is_range(&self) -> bool {
        self.lo != self.hi
    }

    /// Whether its time is over.
    #[inline]
    pub fn is_expired(&self, now: Time) -> bool {
        self.expires.is_some_and(|t| t <= now)
    }

    /// Whether each part of `key` is in the range of that part.
    fn holds(&self, key: &[u8], types: &[DataType]) -> bool {
        let mut at = 0;
        types.iter().all(|t| {
            let part = at..at + t.len();
            at += t.len();
            match (key.get(part.clone()), self.lo.get(part.clone()), self.hi.get(part)) {
                (Some(k), Some(lo), Some(hi)) => lo <= k && k <= hi,
                _ => false,
            }
        })
    }
}

/// How elements are found.
#[derive(Clone, Debug, Default)]
enum Index {
    /// One by one.
    #[default]
    Scan,
    /// By value.
    Hash(HotMap<Data, u32>),
    /// By halving: places of the elements in order of their first value.
    Sorted(Box<[u32]>),
}

/// A set or a map.
#[derive(Clone, Debug)]
pub struct Set {
    /// Its name; of an anonymous one nobody sees it.
    pub name: Arc<str>,
    /// Its handle in its table.
    pub handle: u32,
    /// Its types.
    pub of: SetType,
    /// `typeof`: the expressions that gave the types.
    pub type_of: Option<Arc<(Expr, Option<Expr>)>>,
    /// Flags.
    pub flags: SetFlags,
    /// `timeout`: of elements that have none of their own.
    pub timeout: Option<Duration>,
    /// `gc-interval`.
    pub gc_interval: Option<Duration>,
    /// `size`.
    pub size: Option<u32>,
    /// `policy memory`.
    pub memory: bool,
    /// `auto-merge`.
    pub auto_merge: bool,
    /// `comment`.
    pub comment: Option<Arc<str>>,
    /// Statements that new elements carry.
    pub stmts: Vec<Stmt>,
    /// The elements, in the order in which they came.
    pub elems: Vec<Element>,
    /// What `*` leads to.
    pub catchall: Option<Element>,
    index: Index,
}

impl PartialEq for Set {
    fn eq(&self, o: &Set) -> bool {
        self.name == o.name
            && self.handle == o.handle
            && self.of == o.of
            && self.type_of == o.type_of
            && self.flags == o.flags
            && (self.timeout, self.gc_interval, self.size) == (o.timeout, o.gc_interval, o.size)
            && (self.memory, self.auto_merge) == (o.memory, o.auto_merge)
            && self.comment == o.comment
            && self.stmts == o.stmts
            && self.elems == o.elems
            && self.catchall == o.catchall
    }
}

impl Eq for Set {}

impl Set {
    /// An empty set.
    pub fn new(name: Arc<str>, of: SetType) -> Set {
        Set {
            name,
            handle: 0,
            of,
            type_of: None,
            flags: SetFlags::default(),
            timeout: None,
            gc_interval: None,
            size: None,
            memory: false,
            auto_merge: false,
            comment: None,
            stmts: Vec::new(),
            elems: Vec::new(),
            catchall: None,
            index: Index::Hash(HotMap::default()),
        }
    }

    /// Puts an element behind the others; a range is found only after [`Set::reindex`].
    pub fn push(&mut self, e: Element) {
        match &mut self.index {
            Index::Hash(map) if !e.is_range() => {
                map.insert(e.lo.clone(), self.elems.len() as u32);
            }
            index => *index = Index::Scan,
        }
        self.elems.push(e);
    }

    /// Whether it is a map.
    pub fn is_map(&self) -> bool {
        self.of.data != SetData::None
    }

    /// How many bytes a key takes.
    pub fn key_len(&self) -> usize {
        self.of.key.iter().map(|t| t.len()).sum()
    }

    /// Makes the index anew after elements were changed.
    pub fn reindex(&mut self) {
        let ranges = self.elems.iter().any(Element::is_range);
        self.index = if !ranges {
            let mut map = HotMap::default();
            for (i, e) in (0u32..).zip(&self.elems) {
                map.insert(e.lo.clone(), i);
            }
            Index::Hash(map)
        } else if self.of.key.len() == 1 {
            let mut order: Vec<u32> = (0..self.elems.len() as u32).collect();
            order.sort_by(|a, b| self.elems[*a as usize].lo.cmp(&self.elems[*b as usize].lo));
            Index::Sorted(order.into())
        } else {
            Index::Scan
        };
    }

    /// The element that holds `key`, by going through all of them.
    pub fn lookup_linear(&self, key: &[u8], now: Time) -> Option<&Element> {
        self.elems.iter().find(|e| !e.is_expired(now) && e.holds(key, &self.of.key)).or(self.catchall.as_ref())
    }

    /// The element that holds `key`.
    #[inline]
    pub fn lookup(&self, key: &[u8], now: Time) -> Option<&Element> {
        let found = match &self.index {
            Index::Hash(map) => map.get(key).and_then(|i| self.elems.get(*i as usize)),
            Index::Sorted(order) => {
                let after = order.partition_point(|i| self.elems[*i as usize].lo[..] <= *key);
                after.checked_sub(1).and_then(|i| self.elems.get(order[i] as usize)).filter(|e| *key <= e.hi[..])
            }
            Index::Scan => self.elems.iter().find(|e| !e.is_expired(now) && e.holds(key, &self.of.key)),
        };
        found.filter(|e| !e.is_expired(now)).or(self.catchall.as_ref())
    }

    /// The place of the element with exactly that key.
    pub fn position(&self, lo: &[u8], hi: &[u8]) -> Option<usize> {
        match &self.index {
            Index::Hash(map) if lo == hi => {
                map.get(lo).map(|i| *i as usize).filter(|i| self.elems.get(*i).is_some_and(|e| e.lo[..] == *lo))
            }
            _ => self.elems.iter().position(|e| e.lo[..] == *lo && e.hi[..] == *hi),
        }
    }

    /// The elements in the order in which nft lists them.
    pub fn listed(&self) -> Vec<&Element> {
        let mut all: Vec<&Element> = self.elems.iter().collect();
        let concat = self.of.key.len() > 1;
        if self.flags.interval {
            if !concat {
                all.sort_by(|a, b| a.lo.cmp(&b.lo));
            }
            return all;
        }
        // nft sorts by the bytes of the value taken as one number, the last one first in a concatenation
        let key = |e: &Element| -> Data {
            if !concat {
                return if self.of.key.first() == Some(&DataType::IfName) { e.lo.iter().rev().copied().collect() } else { e.lo.clone() };
            }
            let mut out = Data::new();
            let mut at = 0;
            for t in &self.of.key {
                let part = e.lo.get(at..at + t.len()).unwrap_or_default();
                at += t.len();
                if t.is_host_endian() && *t != DataType::IfName {
                    out.extend(part.iter().rev().copied());
                } else {
                    out.extend_from_slice(part);
                }
            }
            out.reverse();
            out
        };
        all.sort_by_cached_key(|e| key(e));
        all
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn set(types: Vec<DataType>, elems: Vec<Element>) -> Set {
        let mut s = Set::new("s".into(), SetType { key: types, data: SetData::None });
        s.elems = elems;
        s.reindex();
        s
    }

    proptest! {
        #[test]
        fn indexed_is_linear(
            bounds in prop::collection::btree_set(0u16..400, 0..40),
            single in any::<bool>(),
            asked in prop::collection::vec(0u16..420, 20),
        ) {
            let all: Vec<u16> = bounds.into_iter().collect();
            let elem = |lo: u16, hi: u16| Element { hi: Data::from_slice(&hi.to_be_bytes()), ..Element::of(Data::from_slice(&lo.to_be_bytes())) };
            let elems: Vec<Element> = if single {
                all.iter().rev().map(|x| elem(*x, *x)).collect()
            } else {
                all.chunks(2).rev().map(|c| elem(c[0], *c.last().unwrap_or(&c[0]))).collect()
            };
            let s = set(vec![DataType::InetService], elems);
            for k in asked {
                let key = k.to_be_bytes();
                prop_assert_eq!(s.lookup(&key, Time::ZERO), s.lookup_linear(&key, Time::ZERO));
            }
        }
    }

    #[test]
    fn time_ends_an_element() {
        let mut e = Element::of(Data::from_slice(&[0, 80]));
        e.expires = Some(Time::ZERO + Duration::from_secs(5));
        let s = set(vec![DataType::InetService], vec![e]);
        assert!(s.lookup(&[0, 80], Time::ZERO).is_some());
        assert!(s.lookup(&[0, 80], Time::ZERO + Duration::from_secs(5)).is_none());
    }

    #[test]
    fn concatenations_are_listed_by_their_last_bytes() {
        let e = |b: &[u8]| Element::of(Data::from_slice(b));
        let s = set(
            vec![DataType::Ipv4Addr, DataType::InetProto, DataType::InetService],
            vec![
                e(&[10, 96, 0, 100, 6, 0, 80]),
                e(&[10, 96, 0, 10, 17, 0, 53]),
                e(&[203, 0, 113, 10, 6, 0, 80]),
                e(&[10, 96, 0, 10, 6, 0, 53]),
            ],
        );
        let seen: Vec<(u8, u8)> = s.listed().iter().map(|e| (e.lo[3], e.lo[4])).collect();
        assert_eq!(seen, [(10, 6), (10, 17), (10, 6), (100, 6)]);
    }
}
