//! Sets of addresses, ports and names, as rules ask them.
//!
//! Models: net/netfilter/ipset/ip_set_core.c, ip_set_hash_gen.h, ip_set_bitmap_gen.h, ip_set_list_set.c; ipset 7.17.
//! Simplifies: no skbinfo; no `wildcard` of interfaces; the size in memory is an estimate; members are listed by value and not in
//! hash order; forceadd is kept and not acted on.
//! Seen in: 51-ipvs-clusterip-same-node.
//!
//! ```text
//!   IpSets ── Set ── Key ── Entry        one lookup per length of prefix that occurs, whatever the number of members
//!                     ▲
//!        element text ┴ packet           elem: both ways    kadt: what a packet asks
//! ```

pub mod apply;
pub mod elem;
pub mod kadt;
#[cfg(test)]
mod tests;

use super::hot::HotMap;
use super::time::Time;
use crate::packet::Family;
use indexmap::IndexMap;
use std::collections::BTreeMap;
use std::sync::Arc;

/// One part of an element.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Dim {
    /// An address.
    Ip,
    /// A prefix.
    Net,
    /// A protocol and port; of bitmap:port the number alone.
    Port,
    /// A hardware address.
    Mac,
    /// A mark.
    Mark,
    /// The name of a device.
    Iface,
    /// The name of a set.
    Set,
}

/// A type of set.
#[derive(Debug, PartialEq, Eq)]
pub struct SetType {
    /// Its name: `hash:ip,port`.
    pub name: &'static str,
    /// Its parts.
    pub dims: &'static [Dim],
    /// The revision that is listed.
    pub revision: u8,
    /// Whether members have a family.
    pub family: bool,
}

const fn set_type(name: &'static str, dims: &'static [Dim], revision: u8, family: bool) -> SetType {
    SetType { name, dims, revision, family }
}

/// The types that are simulated.
pub const TYPES: &[SetType] = &[
    set_type("bitmap:ip", &[Dim::Ip], 3, false),
    set_type("bitmap:port", &[Dim::Port], 3, false),
    set_type("hash:ip", &[Dim::Ip], 6, true),
    set_type("hash:ip,mark", &[Dim::Ip, Dim::Mark], 3, true),
    set_type("hash:ip,port", &[Dim::Ip, Dim::Port], 6, true),
    set_type("hash:ip,port,ip", &[Dim::Ip, Dim::Port, Dim::Ip], 6, true),
    set_type("hash:ip,port,net", &[Dim::Ip, Dim::Port, Dim::Net], 8, true),
    set_type("hash:mac", &[Dim::Mac], 1, false),
    set_type("hash:net", &[Dim::Net], 7, true),
    set_type("hash:net,iface", &[Dim::Net, Dim::Iface], 8, true),
    set_type("hash:net,net", &[Dim::Net, Dim::Net], 4, true),
    set_type("hash:net,port", &[Dim::Net, Dim::Port], 8, true),
    set_type("list:set", &[Dim::Set], 3, false),
];

/// Types that real hosts have and the simulation has not.
pub const NOT_SIMULATED: &[&str] = &["bitmap:ip,mac", "hash:ip,mac", "hash:net,port,net"];

/// An element, as a table key: parts that a type does not have are zero.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Key {
    /// First address.
    pub ip: u128,
    /// Length of its prefix; that of the whole address where it is no prefix.
    pub len: u8,
    /// Protocol.
    pub proto: u8,
    /// Port, or type and code of ICMP.
    pub port: u16,
    /// Second address.
    pub ip2: u128,
    /// Length of its prefix.
    pub len2: u8,
    /// Mark or hardware address.
    pub number: u64,
    /// Device.
    pub iface: Arc<str>,
    /// Whether the device is a bridge port (`physdev:`).
    pub physdev: bool,
}

/// What is kept for an element.
#[derive(Clone, Debug, PartialEq, Eq, Default)]
pub struct Entry {
    /// When it ends; none for never.
    pub expires: Option<Time>,
    /// `comment`.
    pub comment: Option<Arc<str>>,
    /// `nomatch`: an exception.
    pub nomatch: bool,
    /// `packets`, `bytes`, as they were given.
    pub counters: (u64, u64),
}

/// What a set was created with.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SetOptions {
    /// Family of its addresses.
    pub family: Family,
    /// `hashsize`.
    pub hashsize: u32,
    /// `maxelem`.
    pub maxelem: u32,
    /// `timeout`: seconds that an element lives if it does not say; 0 for ever.
    pub timeout: Option<u32>,
    /// `counters`.
    pub counters: bool,
    /// `comment`.
    pub comment: bool,
    /// `forceadd`.
    pub forceadd: bool,
    /// `netmask`.
    pub netmask: Option<u8>,
    /// `markmask`.
    pub markmask: u32,
    /// `bucketsize`.
    pub bucketsize: u8,
    /// `range` of a bitmap: first and last.
    pub range: (u32, u32),
    /// `size` of a list.
    pub size: u32,
}

/// A set.
#[derive(Clone, Debug)]
pub struct Set {
    /// Its type.
    pub kind: &'static SetType,
    /// What it was created with.
    pub options: SetOptions,
    members: HotMap<Key, Entry>,
    /// Members of a list, in order.
    pub list: Vec<(Arc<str>, Entry)>,
    /// How many members have a first, or second, prefix of that length.
    lens: BTreeMap<u8, u32>,
    lens2: BTreeMap<u8, u32>,
}

impl Set {
    /// An empty set.
    pub fn new(kind: &'static SetType, options: SetOptions) -> Set {
        Set { kind, options, members: HotMap::default(), list: Vec::new(), lens: BTreeMap::new(), lens2: BTreeMap::new() }
    }

    /// Whether its members are numbers in a range.
    pub fn is_bitmap(&self) -> bool {
        self.kind.name.starts_with("bitmap:")
    }

    /// Whether it is a list of sets.
    pub fn is_list(&self) -> bool {
        self.kind.dims == [Dim::Set]
    }

    /// Bits of an address.
    pub fn bits(&self) -> u8 {
        if self.options.family == Family::Inet6 { 128 } else { 32 }
    }

    /// The element itself, if it lives.
    #[inline]
    pub fn get(&self, key: &Key, now: Time) -> Option<&Entry> {
        self.members.get(key).filter(|e| e.expires.is_none_or(|t| t > now))
    }

    /// How many members there are, those whose time is over included.
    pub fn len(&self) -> usize {
        if self.is_list() { self.list.len() } else { self.members.len() }
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The members that live, by value.
    pub fn members(&self, now: Time) -> Vec<(&Key, &Entry)> {
        let alive = |e: &Entry| e.expires.is_none_or(|t| t > now);
        self.members.sorted().into_iter().filter(|(_, e)| alive(e)).collect()
    }

    /// Takes out what has ended.
    fn expire(&mut self, now: Time) {
        if self.options.timeout.is_none() {
            return;
        }
        let gone: Vec<Key> =
            self.members.sorted().into_iter().filter(|(_, e)| e.expires.is_some_and(|t| t <= now)).map(|(k, _)| k.clone()).collect();
        gone.iter().for_each(|k| {
            self.remove(k);
        });
    }

    /// Puts an element in, in place of the same one.
    pub fn insert(&mut self, key: Key, entry: Entry) {
        let (len, len2) = (key.len, key.len2);
        if self.members.insert(key, entry).is_none() {
            *self.lens.entry(len).or_default() += 1;
            *self.lens2.entry(len2).or_default() += 1;
        }
    }

    /// Takes an element out.
    pub fn remove(&mut self, key: &Key) -> Option<Entry> {
        let gone = self.members.remove(key)?;
        for (lens, len) in [(&mut self.lens, key.len), (&mut self.lens2, key.len2)] {
            if let Some(n) = lens.get_mut(&len) {
                *n -= 1;
                if *n == 0 {
                    lens.remove(&len);
                }
            }
        }
        Some(gone)
    }

    /// Takes all elements out.
    pub fn flush(&mut self) {
        *self = Set::new(self.kind, self.options.clone());
    }

    /// The member that a packet's element falls into, the longest prefixes first.
    pub fn find(&self, key: &Key, now: Time) -> Option<(Key, &Entry)> {
        let net = |at: usize| self.kind.dims.get(at) == Some(&Dim::Net);
        let second = net(2) || (net(1));
        match (net(0), second) {
            (false, false) => self.get(key, now).map(|e| (key.clone(), e)),
            (true, false) => self.lens.keys().rev().find_map(|len| {
                let k = Key { ip: cut(key.ip, *len, self.bits()), len: *len, ..key.clone() };
                self.get(&k, now).map(|e| (k, e))
            }),
            (false, true) => self.lens2.keys().rev().find_map(|len2| {
                let k = Key { ip2: cut(key.ip2, *len2, self.bits()), len2: *len2, ..key.clone() };
                self.get(&k, now).map(|e| (k, e))
            }),
            (true, true) => self.lens.keys().rev().find_map(|len| {
                self.lens2.keys().rev().find_map(|len2| {
                    let bits = self.bits();
                    let k = Key { ip: cut(key.ip, *len, bits), len: *len, ip2: cut(key.ip2, *len2, bits), len2: *len2, ..key.clone() };
                    self.get(&k, now).map(|e| (k, e))
                })
            }),
        }
    }
}

/// The leading bits of an address.
pub(crate) fn cut(addr: u128, len: u8, bits: u8) -> u128 {
    if len == 0 { 0 } else { addr & (u128::MAX << (bits - len.min(bits))) }
}

/// The sets of a namespace, in the order of their creation.
#[derive(Clone, Debug, Default)]
pub struct IpSets {
    sets: IndexMap<Arc<str>, Arc<Set>>,
}

impl IpSets {
    /// The set of that name.
    #[inline]
    pub fn get(&self, name: &str) -> Option<&Set> {
        self.sets.get(name).map(|s| &**s)
    }

    fn get_mut(&mut self, name: &str) -> Option<&mut Set> {
        self.sets.get_mut(name).map(Arc::make_mut)
    }

    /// Names and sets as they are listed: lists of sets come last.
    pub fn listed(&self) -> Vec<(&Arc<str>, &Set)> {
        let (lists, others): (Vec<_>, Vec<_>) = self.sets.iter().map(|(n, s)| (n, &**s)).partition(|(_, s)| s.is_list());
        others.into_iter().chain(lists).collect()
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.sets.is_empty()
    }

    /// How many lists have the set as a member.
    fn list_references(&self, name: &str) -> usize {
        self.sets.values().flat_map(|s| &s.list).filter(|(n, _)| **n == *name).count()
    }
}
