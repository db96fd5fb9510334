//! Wires and switches between hosts.
//!
//! A cable joins two devices. A segment is a switch that joins many: it learns who is where, like any switch, and has no
//! addresses of its own. Frames take the wire's latency; larger ones than it carries, and those that chance picks, are lost.

use crate::linux::hot::HotMap;
use crate::linux::{IfIndex, NetnsId};
use crate::packet::Mac;
use std::sync::Arc;
use std::time::Duration;

/// A segment: one switch that joins all devices on it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct SegmentId(pub u32);

/// What a wire is like.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LinkProps {
    /// Time that a frame takes.
    pub latency: Duration,
    /// Largest packet in bytes, link header not counted; larger ones are lost.
    pub mtu: u32,
    /// Frames lost, in millionths.
    pub loss_ppm: u32,
}

impl Default for LinkProps {
    fn default() -> Self {
        LinkProps { latency: Duration::ZERO, mtu: 65_535, loss_ppm: 0 }
    }
}

/// Where a wire leads from one of its ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Leads {
    /// To the other end of a cable.
    End(u32),
    /// Into a segment.
    Segment(SegmentId),
}

/// One end of a wire: a device.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct WireEnd {
    /// Namespace of the device.
    pub netns: NetnsId,
    /// The device.
    pub dev: IfIndex,
    /// Where it leads.
    pub leads: Leads,
    /// What the wire is like.
    pub props: LinkProps,
}

/// A segment.
#[derive(Clone, Debug)]
pub struct Segment {
    /// Name: `lan`.
    pub name: Arc<str>,
    /// What its wires are like.
    pub props: LinkProps,
    /// Ends on it; the one added last first.
    pub ports: Vec<u32>,
    /// Who is behind which port.
    pub fdb: HotMap<Mac, u32>,
}

/// All wires.
#[derive(Clone, Debug, Default)]
pub struct Wires {
    /// Ends, by the number that a device's `Attach::Wire` holds.
    pub ends: Vec<WireEnd>,
    /// Segments.
    pub segments: Vec<Segment>,
}

impl Wires {
    /// The segment of that name.
    pub fn segment_by_name(&self, name: &str) -> Option<SegmentId> {
        self.segments.iter().position(|s| &*s.name == name).map(|i| SegmentId(i as u32))
    }

    /// Takes a frame from `src` to `dst` in at `end` and calls `deliver` for each end where it comes out.
    #[inline]
    pub fn carry(&mut self, end: u32, src: Mac, dst: Mac, mut deliver: impl FnMut(&WireEnd)) {
        let Some(e) = self.ends.get(end as usize) else { return };
        match e.leads {
            Leads::End(other) => {
                if let Some(o) = self.ends.get(other as usize) {
                    deliver(o);
                }
            }
            Leads::Segment(SegmentId(s)) => {
                let Some(segment) = self.segments.get_mut(s as usize) else { return };
                if src.is_valid() && segment.fdb.get(&src) != Some(&end) {
                    segment.fdb.insert(src, end);
                }
                let known = if dst.is_multicast() { None } else { segment.fdb.get(&dst).copied() };
                match known {
                    Some(port) if port == end => {}
                    Some(port) => {
                        if let Some(o) = self.ends.get(port as usize) {
                            deliver(o);
                        }
                    }
                    None => {
                        for port in segment.ports.iter().filter(|p| **p != end) {
                            if let Some(o) = self.ends.get(*port as usize) {
                                deliver(o);
                            }
                        }
                    }
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn end(n: u32, leads: Leads) -> WireEnd {
        WireEnd { netns: NetnsId(n), dev: IfIndex(2), leads, props: LinkProps::default() }
    }

    fn reached(w: &mut Wires, from: u32, src: u8, dst: Mac) -> Vec<u32> {
        let mut out = Vec::new();
        w.carry(from, Mac([2, 0, 0, 0, 0, src]), dst, |e| out.push(e.netns.0));
        out
    }

    #[test]
    fn a_segment_floods_until_it_knows() {
        let s = Leads::Segment(SegmentId(0));
        let segment = Segment { name: "lan".into(), props: LinkProps::default(), ports: vec![2, 1, 0], fdb: HotMap::default() };
        let mut w = Wires { ends: vec![end(0, s), end(1, s), end(2, s)], segments: vec![segment] };
        let b = Mac([2, 0, 0, 0, 0, 1]);
        assert_eq!(reached(&mut w, 0, 0, b), [2, 1]);
        assert_eq!(reached(&mut w, 1, 1, Mac([2, 0, 0, 0, 0, 0])), [0]);
        assert_eq!(reached(&mut w, 0, 0, b), [1]);
        assert_eq!(reached(&mut w, 0, 0, Mac::BROADCAST), [2, 1]);
    }

    #[test]
    fn a_cable_has_two_ends() {
        let mut w = Wires { ends: vec![end(0, Leads::End(1)), end(1, Leads::End(0))], segments: vec![] };
        assert_eq!(reached(&mut w, 0, 0, Mac::BROADCAST), [1]);
        assert_eq!(reached(&mut w, 1, 1, Mac::BROADCAST), [0]);
    }
}
