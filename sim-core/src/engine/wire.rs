//! Wires and switches between hosts.
//!
//! A cable joins two devices. A segment is a switch that joins many: it learns per VLAN who is where, like any switch, forgets
//! after five minutes, and has no addresses of its own.
//!
//! ```text
//!  card ─► queue ─► bit by bit (rate) ─► lost? ─► latency + jitter ─► card(s) at the other end
//!            └─ full: dropped
//! ```
//!
//! Frames larger than the wire or the card at its end takes are lost. Jitter does not change the order of frames, unless asked for.

use crate::linux::hot::HotMap;
use crate::linux::{IfIndex, NetnsId, Time};
use crate::packet::Mac;
use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;

/// How long a switch knows a hardware address that it does not see.
const AGEING: Duration = Duration::from_secs(300);

/// A segment: one switch that joins all devices on it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct SegmentId(pub u32);

/// What a wire is like.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LinkProps {
    /// Time that a frame takes.
    pub latency: Duration,
    /// What a frame may take longer, evenly from nothing to this.
    pub jitter: Duration,
    /// Whether jitter lets a frame overtake another.
    pub reorder: bool,
    /// Bits that a card puts on the wire in a second; 0 for no limit.
    pub rate_bps: u64,
    /// Frames that may wait for the wire, the one on it not counted; further ones are dropped.
    pub queue: u32,
    /// Largest packet in bytes, link header not counted; larger ones are lost.
    pub mtu: u32,
    /// Frames lost, in millionths.
    pub loss_ppm: u32,
}

impl Default for LinkProps {
    fn default() -> Self {
        LinkProps { latency: Duration::ZERO, jitter: Duration::ZERO, reorder: false, rate_bps: 0, queue: 1_000, mtu: 65_535, loss_ppm: 0 }
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
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct WireEnd {
    /// Namespace of the device.
    pub netns: NetnsId,
    /// The device.
    pub dev: IfIndex,
    /// Where it leads.
    pub leads: Leads,
    /// What the wire is like.
    pub props: LinkProps,
    /// Whether the plug is pulled: no carrier.
    pub unplugged: bool,
    /// When each frame that waits, and the one that is being sent, will have left the card.
    pub departures: VecDeque<Time>,
    /// When the last frame sent from here arrives.
    pub arrival: Time,
}

impl WireEnd {
    /// An end with nothing on its wire yet.
    pub fn new(netns: NetnsId, dev: IfIndex, leads: Leads, props: LinkProps) -> Self {
        WireEnd { netns, dev, leads, props, unplugged: false, departures: VecDeque::new(), arrival: Time::ZERO }
    }

    /// When a frame of `len` bytes will have left the card; none if the queue is full.
    pub fn depart(&mut self, props: &LinkProps, now: Time, len: usize) -> Option<Time> {
        if props.rate_bps == 0 {
            return Some(now);
        }
        while self.departures.front().is_some_and(|t| *t <= now) {
            self.departures.pop_front();
        }
        if self.departures.len() > props.queue as usize {
            return None;
        }
        let nanos = (len as u128 * 8 * 1_000_000_000).div_ceil(u128::from(props.rate_bps));
        let begin = self.departures.back().copied().unwrap_or(now);
        let left = begin + Duration::from_nanos(u64::try_from(nanos).unwrap_or(u64::MAX));
        self.departures.push_back(left);
        Some(left)
    }

    /// When a frame arrives that left at `left` and takes `extra` longer than the latency.
    pub fn arrive(&mut self, props: &LinkProps, left: Time, extra: Duration) -> Time {
        let at = left + props.latency + extra;
        let at = if props.reorder { at } else { at.max(self.arrival) };
        self.arrival = self.arrival.max(at);
        at
    }
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
    /// Who is behind which port in which VLAN, and when it was last seen.
    pub fdb: HotMap<(Mac, u16), (u32, Time)>,
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

    /// Takes a frame from `src` to `dst` of a VLAN in at `end` and calls `deliver` for each end where it comes out.
    #[inline]
    pub fn carry(&mut self, end: u32, src: Mac, dst: Mac, vlan: u16, now: Time, mut deliver: impl FnMut(&WireEnd)) {
        let Some(e) = self.ends.get(end as usize) else { return };
        let mut to = |port: u32| {
            if let Some(o) = self.ends.get(port as usize).filter(|o| !o.unplugged) {
                deliver(o);
            }
        };
        match e.leads {
            Leads::End(other) => to(other),
            Leads::Segment(SegmentId(s)) => {
                let Some(segment) = self.segments.get_mut(s as usize) else { return };
                if src.is_valid() {
                    segment.fdb.insert((src, vlan), (end, now));
                }
                let known = if dst.is_multicast() { None } else { segment.fdb.get(&(dst, vlan)) };
                match known.filter(|(_, seen)| now.since(*seen) <= AGEING).map(|(port, _)| *port) {
                    Some(port) if port == end => {}
                    Some(port) => to(port),
                    None => segment.ports.iter().filter(|p| **p != end).for_each(|p| to(*p)),
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn end(n: u32, leads: Leads) -> WireEnd {
        WireEnd::new(NetnsId(n), IfIndex(2), leads, LinkProps::default())
    }

    fn mac(n: u8) -> Mac {
        Mac([2, 0, 0, 0, 0, n])
    }

    fn segment(n: u32) -> Wires {
        let s = Leads::Segment(SegmentId(0));
        let ports = (0..n).rev().collect();
        let segment = Segment { name: "lan".into(), props: LinkProps::default(), ports, fdb: HotMap::default() };
        Wires { ends: (0..n).map(|i| end(i, s)).collect(), segments: vec![segment] }
    }

    fn reached(w: &mut Wires, from: u32, dst: Mac, vlan: u16, now: Time) -> Vec<u32> {
        let mut out = Vec::new();
        w.carry(from, mac(from as u8), dst, vlan, now, |e| out.push(e.netns.0));
        out
    }

    #[test]
    fn a_segment_floods_until_it_knows_and_again_when_it_has_forgotten() {
        let mut w = segment(3);
        let t = Time::ZERO;
        assert_eq!(reached(&mut w, 0, mac(1), 0, t), [2, 1]);
        assert_eq!(reached(&mut w, 1, mac(0), 0, t), [0]);
        assert_eq!(reached(&mut w, 0, mac(1), 0, t), [1]);
        assert_eq!(reached(&mut w, 0, Mac::BROADCAST, 0, t), [2, 1]);
        assert_eq!(reached(&mut w, 0, mac(1), 10, t), [2, 1], "another VLAN is another table");
        assert_eq!(reached(&mut w, 0, mac(1), 0, t + Duration::from_secs(301)), [2, 1]);
    }

    #[test]
    fn a_cable_has_two_ends_and_a_pulled_plug_ends_it() {
        let mut w = Wires { ends: vec![end(0, Leads::End(1)), end(1, Leads::End(0))], segments: vec![] };
        assert_eq!(reached(&mut w, 0, Mac::BROADCAST, 0, Time::ZERO), [1]);
        w.ends[1].unplugged = true;
        assert_eq!(reached(&mut w, 0, Mac::BROADCAST, 0, Time::ZERO), [] as [u32; 0]);
    }

    #[test]
    fn a_rate_makes_frames_wait_and_a_full_queue_drops_them() {
        // 1 Mbit/s: 125 bytes take a millisecond; two may wait
        let props = LinkProps { rate_bps: 1_000_000, queue: 2, ..LinkProps::default() };
        let mut e = end(0, Leads::End(1));
        let ms = |n: u64| Time(n * 1_000_000);
        let sent: Vec<Option<Time>> = (0..4).map(|_| e.depart(&props, Time::ZERO, 125)).collect();
        assert_eq!(sent, [Some(ms(1)), Some(ms(2)), Some(ms(3)), None]);
        assert_eq!(e.depart(&props, ms(1), 125), Some(ms(4)));
        assert_eq!(e.depart(&props, ms(10), 250), Some(ms(12)));
    }

    #[test]
    fn jitter_keeps_the_order_unless_asked_not_to() {
        let mut props = LinkProps { latency: Duration::from_nanos(100), ..LinkProps::default() };
        let mut e = end(0, Leads::End(1));
        assert_eq!(e.arrive(&props, Time(0), Duration::from_nanos(50)), Time(150));
        assert_eq!(e.arrive(&props, Time(10), Duration::ZERO), Time(150));
        props.reorder = true;
        assert_eq!(e.arrive(&props, Time(20), Duration::ZERO), Time(120));
    }
}
