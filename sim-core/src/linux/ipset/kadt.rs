//! What a packet asks of a set, and what a rule adds for it.
//!
//! Models: net/netfilter/ipset/ip_set_core.c ip_set_test, ip_set_add, ip_set_del; the kadt functions of each type;
//! ip_set_getport.c ip_set_get_ip4_port.

use super::{Dim, Entry, IpSets, Key, Set, cut};
use crate::linux::netfilter::MatchCx;
use crate::linux::time::Time;
use std::sync::Arc;
use std::time::Duration;

/// Source or destination, for each part of an element: `src,dst,dst`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub struct Dirs {
    /// How many there are.
    pub len: u8,
    /// A bit for each: set for the source.
    pub src: u8,
}

impl Dirs {
    /// Whether part `i` is the source's.
    #[inline]
    pub fn is_src(self, i: usize) -> bool {
        self.src >> i & 1 == 1
    }

    /// `src,dst`.
    pub fn text(self) -> String {
        (0..self.len as usize).map(|i| if self.is_src(i) { "src" } else { "dst" }).collect::<Vec<_>>().join(",")
    }
}

/// What a lookup came to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Found {
    /// A member, of that set.
    Member(Arc<str>, Key),
    /// An exception (`nomatch`).
    Exception,
    /// None.
    Nothing,
}

/// The element that a packet is, to this type of set; none if it cannot be one.
pub fn key_of(set: &Set, dirs: Dirs, cx: &MatchCx<'_>) -> Option<Key> {
    let dims = set.kind.dims;
    if usize::from(dirs.len) < dims.len() || (set.kind.family && set.options.family != cx.family) {
        return None;
    }
    let bits = set.bits();
    let mut key = Key::default();
    let mut first = true;
    for (i, dim) in dims.iter().enumerate() {
        let src = dirs.is_src(i);
        match dim {
            Dim::Ip | Dim::Net => {
                let addr = if src { cx.src } else { cx.dst };
                let addr = set.options.netmask.filter(|_| first).map_or(addr, |m| cut(addr, m, bits));
                if first {
                    (key.ip, key.len) = (addr, bits);
                    first = false;
                } else {
                    (key.ip2, key.len2) = (addr, bits);
                }
            }
            Dim::Port => {
                let ported = matches!(cx.protocol.0, 6 | 17 | 33 | 132 | 136);
                if set.is_bitmap() {
                    let (s, d) = cx.any_ports().filter(|_| matches!(cx.protocol.0, 6 | 17))?;
                    key.port = if src { s } else { d };
                    continue;
                }
                key.proto = cx.protocol.0;
                if ported && cx.protocol.0 != 33 {
                    let (s, d) = cx.any_ports()?;
                    key.port = if src { s } else { d };
                } else if matches!(cx.protocol.0, 1 | 58) {
                    let (kind, code) = cx.icmp().or_else(|| cx.icmp6())?;
                    key.port = u16::from(kind) << 8 | u16::from(code);
                }
            }
            Dim::Mac => {
                let mac = cx.mac_source.filter(|_| src)?;
                key.number = mac.0.iter().fold(0, |n, b| n << 8 | u64::from(*b));
            }
            Dim::Mark => key.number = u64::from(cx.mark & set.options.markmask),
            Dim::Iface => {
                let dev = if src { cx.iif } else { cx.oif };
                if dev.is_empty() {
                    return None;
                }
                key.iface = dev.into();
            }
            Dim::Set => {}
        }
    }
    if set.is_bitmap() {
        let n = if dims == [Dim::Port] { u32::from(key.port) } else { key.ip as u32 };
        if n < set.options.range.0 || n > set.options.range.1 {
            return None;
        }
    } else if dims.first() == Some(&Dim::Ip) && key.ip == 0 {
        return None;
    }
    Some(key)
}

impl IpSets {
    /// Asks a set about a packet.
    pub fn test(&self, name: &str, dirs: Dirs, cx: &MatchCx<'_>) -> Found {
        let Some((name, set)) = self.sets.get_key_value(name) else { return Found::Nothing };
        if set.is_list() {
            let alive = set.list.iter().filter(|(_, e)| e.expires.is_none_or(|t| t > cx.now));
            for (member, _) in alive {
                // a list does not hold lists
                match self.sets.get_key_value(member).filter(|(_, s)| !s.is_list()).map(|(n, s)| test_one(n, s, dirs, cx)) {
                    None | Some(Found::Nothing) => {}
                    Some(found) => return found,
                }
            }
            return Found::Nothing;
        }
        test_one(name, set, dirs, cx)
    }

    /// Adds the packet's element to a set; whether anything changed. `timeout` in seconds, if the rule says.
    pub fn add_packet(&mut self, name: &str, dirs: Dirs, cx: &MatchCx<'_>, exist: bool, timeout: Option<u32>) -> bool {
        let Some(set) = self.get(name).filter(|s| !s.is_list()) else { return false };
        let Some(mut key) = key_of(set, dirs, cx) else { return false };
        if set.kind.dims.first() == Some(&Dim::Net) {
            // the longest prefix that the set has, as the kernel takes it
            let len = set.lens.keys().next_back().copied().unwrap_or(set.bits());
            (key.ip, key.len) = (cut(key.ip, len, set.bits()), len);
        }
        let there = set.get(&key, cx.now).is_some();
        if (there && !exist) || (!there && !set.is_bitmap() && set.len() >= set.options.maxelem as usize) {
            return false;
        }
        let expires = set.options.timeout.and_then(|default| until(timeout.unwrap_or(default), cx.now));
        let entry = Entry { expires, ..Entry::default() };
        match self.get_mut(name) {
            Some(set) => {
                set.expire(cx.now);
                set.insert(key, entry);
                true
            }
            None => false,
        }
    }

    /// Takes the packet's element out of a set; whether it was there.
    pub fn del_packet(&mut self, name: &str, dirs: Dirs, cx: &MatchCx<'_>) -> bool {
        let Some(key) = self.get(name).filter(|s| !s.is_list()).and_then(|s| Some(s.find(&key_of(s, dirs, cx)?, cx.now)?.0)) else {
            return false;
        };
        self.get_mut(name).is_some_and(|s| s.remove(&key).is_some())
    }
}

/// When an element ends that lives for so many seconds; 0 is for ever.
pub(super) fn until(seconds: u32, now: Time) -> Option<Time> {
    (seconds != 0).then(|| now + Duration::from_secs(seconds.into()))
}

fn test_one(name: &Arc<str>, set: &Set, dirs: Dirs, cx: &MatchCx<'_>) -> Found {
    match key_of(set, dirs, cx).and_then(|key| set.find(&key, cx.now)) {
        Some((_, e)) if e.nomatch => Found::Exception,
        Some((key, _)) => Found::Member(name.clone(), key),
        None => Found::Nothing,
    }
}
