//! The rules of a long chain by what they ask for exactly, so that a packet need not be held against all of them.
//!
//! Models: nothing of the kernel, which asks one rule after the other; the first rule that fits, and what was asked of memories on the
//! way, are the same.
//!
//! ```text
//!   rule ──► which of source, destination, input device, protocol, destination port it names exactly   its shape
//!            and their values                                                                          its key
//!   packet ──► one probe for each shape that occurs in the chain ──► candidates, in the order of the chain
//! ```
//!
//! What makes a key is asked before any match with a memory, so that a rule that is passed over would have asked none.

use super::eval::MatchCx;
use super::matches::Match;
use super::xtables::Rule;
use crate::packet::Protocol;
use smallvec::SmallVec;

/// Below this many rules a scan is as fast.
pub(super) const FROM: usize = 16;

const SRC: u8 = 1;
const DST: u8 = 2;
const IIF: u8 = 4;
const PROTO: u8 = 8;
const DPORT: u8 = 16;

/// Rules by shape and key.
#[derive(Clone, Debug, Default)]
pub(super) struct Index {
    /// The shapes that occur, that of rules which name nothing exactly among them.
    shapes: SmallVec<[u8; 8]>,
    /// Where the rules of a bucket begin in `entries`.
    starts: Box<[u32]>,
    /// Hash and place of each rule; in a bucket by place.
    entries: Box<[(u32, u32)]>,
}

/// What is looked up.
#[derive(Clone, Copy)]
struct Values<'a> {
    src: u128,
    dst: u128,
    iif: &'a str,
    proto: u8,
    dport: u16,
}

#[inline]
fn mix(h: u64, v: u64) -> u64 {
    (h.rotate_left(5) ^ v).wrapping_mul(0x517c_c1b7_2722_0a95)
}

#[inline]
fn hash(shape: u8, v: &Values<'_>) -> u32 {
    let mut h = mix(0, shape.into());
    if shape & SRC != 0 {
        h = mix(mix(h, v.src as u64), (v.src >> 64) as u64);
    }
    if shape & DST != 0 {
        h = mix(mix(h, v.dst as u64), (v.dst >> 64) as u64);
    }
    if shape & IIF != 0 {
        h = v.iif.bytes().fold(h, |h, b| mix(h, b.into()));
    }
    if shape & PROTO != 0 {
        h = mix(h, v.proto.into());
    }
    if shape & DPORT != 0 {
        h = mix(h, v.dport.into());
    }
    (h >> 32) as u32
}

/// The shape of a rule and its values.
fn shape_of(rule: &Rule) -> (u8, Values<'_>) {
    let spec = &rule.spec;
    let mut shape = 0;
    let mut v = Values { src: 0, dst: 0, iif: "", proto: 0, dport: 0 };
    if let Some(a) = spec.src.single() {
        (shape, v.src) = (shape | SRC, a);
    }
    if let Some(a) = spec.dst.single() {
        (shape, v.dst) = (shape | DST, a);
    }
    if let Some(m) = spec.iif.as_ref().filter(|m| !m.invert && !m.name.ends_with('+')) {
        (shape, v.iif) = (shape | IIF, &m.name);
    }
    if let Some(p) = spec.protocol.filter(|p| !p.invert) {
        (shape, v.proto) = (shape | PROTO, p.protocol.0);
        // the ports are asked before any memory is
        let before = spec.matches.iter().take_while(|m| !m.is_stateful());
        let port = before.filter_map(|m| match m {
            Match::Tcp(t) => Some(t.dport),
            Match::Udp(u) => Some(u.dport),
            _ => None,
        });
        if let Some(p) = port.into_iter().find(|p| p.min == p.max && !p.invert) {
            (shape, v.dport) = (shape | DPORT, p.min);
        }
    }
    (shape, v)
}

impl Index {
    /// The index of a chain.
    pub(super) fn of(rules: &[Rule]) -> Index {
        let keyed: Vec<(u8, u32)> = rules
            .iter()
            .map(|r| {
                let (shape, v) = shape_of(r);
                (shape, hash(shape, &v))
            })
            .collect();
        let mut shapes: SmallVec<[u8; 8]> = SmallVec::new();
        for (shape, _) in &keyed {
            if !shapes.contains(shape) {
                shapes.push(*shape);
            }
        }
        let buckets = keyed.len().next_power_of_two();
        let mask = buckets as u32 - 1;
        let mut starts = vec![0u32; buckets + 1];
        for (_, h) in &keyed {
            starts[(h & mask) as usize + 1] += 1;
        }
        for i in 1..starts.len() {
            starts[i] += starts[i - 1];
        }
        let mut next = starts.clone();
        let mut entries = vec![(0u32, 0u32); keyed.len()];
        for (at, (_, h)) in (0u32..).zip(&keyed) {
            let slot = &mut next[(h & mask) as usize];
            entries[*slot as usize] = (*h, at);
            *slot += 1;
        }
        Index { shapes, starts: starts.into(), entries: entries.into() }
    }

    /// The rules of one bucket.
    #[inline]
    fn bucket(&self, h: u32) -> &[(u32, u32)] {
        let at = (h as usize) & (self.starts.len() - 2);
        let (a, b) = (self.starts[at] as usize, self.starts[at + 1] as usize);
        &self.entries[a..b]
    }

    /// The first place at `from` or behind it whose rule may fit the packet and for which `fits` holds.
    #[inline]
    pub(super) fn find(&self, from: u32, cx: &MatchCx<'_>, mut fits: impl FnMut(u32) -> bool) -> Option<u32> {
        let ports = if matches!(cx.protocol, Protocol::TCP | Protocol::UDP) { cx.ports(cx.protocol) } else { None };
        let v = Values { src: cx.src, dst: cx.dst, iif: cx.iif, proto: cx.protocol.0, dport: ports.map_or(0, |p| p.1) };
        // for each shape its hash and the rules that are left
        let mut probes: SmallVec<[(u32, &[(u32, u32)]); 8]> = SmallVec::new();
        for shape in &self.shapes {
            if shape & DPORT != 0 && ports.is_none() {
                continue;
            }
            let h = hash(*shape, &v);
            let bucket = self.bucket(h);
            let rest = &bucket[bucket.partition_point(|e| e.1 < from)..];
            if let Some(first) = rest.iter().position(|e| e.0 == h) {
                probes.push((h, &rest[first..]));
            }
        }
        loop {
            let (i, at) = probes.iter().enumerate().filter_map(|(i, (_, rest))| Some((i, rest.first()?.1))).min_by_key(|(_, at)| *at)?;
            if fits(at) {
                return Some(at);
            }
            let (h, rest) = probes[i];
            let rest = &rest[1..];
            probes[i].1 = rest.iter().position(|e| e.0 == h).map_or(&[], |first| &rest[first..]);
            // two shapes may share a hash: what was asked is not asked again
            for p in &mut probes {
                while p.1.first().is_some_and(|e| e.1 <= at) {
                    let rest = &p.1[1..];
                    p.1 = rest.iter().position(|e| e.0 == p.0).map_or(&[], |first| &rest[first..]);
                }
            }
        }
    }
}
