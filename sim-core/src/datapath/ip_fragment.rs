//! Fragments are put together: at the host that they are for, and in front of conntrack.
//!
//! Models: net/ipv4/ip_fragment.c ip_defrag, ip_frag_queue, ip_expire; net/ipv4/netfilter/nf_defrag_ipv4.c.
//! Spec: RFC 791 section 3.2, RFC 5722 (no overlaps), RFC 1122 section 3.3.2.
//! Simplifies: no limit on the memory that fragments take.

use super::walk::{Timer, Walk};
use crate::linux::fragment::{FragmentKey, FragmentQueue};
use crate::linux::skb::Skb;
use crate::linux::{IfIndex, PacketId, VersionId};
use crate::packet::{Body, Ipv4Addr, Ipv4Packet, Net};
use crate::trace::{DropReason, Evidence, Tracer};
use std::time::Duration;

/// How long the missing fragments are waited for (ipfrag_time).
const IPFRAG_TIME: Duration = Duration::from_secs(30);

fn part_of(skb: &Skb) -> Option<(usize, usize, bool)> {
    let p = skb.frame.ipv4()?;
    let offset = usize::from(p.header.fragment_offset);
    Some((offset, offset + p.body.len(), p.header.more_fragments))
}

impl<T: Tracer> Walk<'_, T> {
    /// Takes a fragment in; returns the whole packet when this was the last one that was missing (ip_defrag).
    pub(super) fn ip_defrag(&mut self, skb: Box<Skb>, dev: IfIndex, for_conntrack: bool) -> Option<Box<Skb>> {
        let Some(p) = skb.frame.ipv4() else { return Some(skb) };
        if !p.is_fragment() {
            return Some(skb);
        }
        let key = FragmentKey { src: p.header.src, dst: p.header.dst, id: p.header.id.into(), protocol: p.body.protocol(), for_conntrack };
        let size = p.len() as u32;
        let (from, to, more) = part_of(&skb)?;
        if self.ns.fragments.queues.get(&key).is_none() {
            self.ns.fragments.last += 1;
            let number = self.ns.fragments.last;
            let expires = self.now + IPFRAG_TIME;
            self.ns.fragments.queues.insert(key, FragmentQueue { expires, number, ..FragmentQueue::default() });
            self.arm(expires, Timer::Reassembly(number));
        }
        let queue = self.ns.fragments.queues.get_mut(&key)?;
        let overlaps = queue.parts.iter().filter_map(|q| part_of(q)).any(|(a, b, _)| from < b && a < to);
        // the last fragment says how long the whole is; a middle one ends at a multiple of 8
        let fits = queue.total.is_none_or(|t| to <= t && (more || to == t)) && (!more || (to - from) % 8 == 0) && to <= 65_515;
        if overlaps || !fits || to == from {
            let duplicate = queue.parts.iter().filter_map(|q| part_of(q)).any(|(a, b, _)| (a, b) == (from, to));
            if !duplicate {
                // whoever sends overlapping fragments means no good: all of them go
                let gone = self.ns.fragments.queues.remove(&key);
                for part in gone.into_iter().flat_map(|q| q.parts) {
                    self.drop_skb(part, dev, DropReason::NotSpecified);
                }
            }
            self.drop_skb(skb, dev, DropReason::NotSpecified);
            return None;
        }
        if !more {
            queue.total = Some(to);
        }
        queue.largest = queue.largest.max(size);
        let at = queue.parts.iter().position(|q| part_of(q).is_some_and(|(a, _, _)| a > from)).unwrap_or(queue.parts.len());
        self.step(&skb, dev, Evidence::Defrag { offset: u16::try_from(from).unwrap_or(u16::MAX), parts: 0 });
        let queue = self.ns.fragments.queues.get_mut(&key)?;
        let arrived = (skb.id, skb.origin, skb.version);
        queue.parts.insert(at, skb);
        let complete =
            queue.total.is_some_and(|t| queue.parts.iter().filter_map(|q| part_of(q)).map(|(a, b, _)| b - a).sum::<usize>() == t);
        if !complete {
            return None;
        }
        let queue = self.ns.fragments.queues.remove(&key)?;
        self.reassemble(queue, dev, arrived)
    }

    /// Puts a complete set together: the fragment that came last goes on with the first one's header and all their data
    /// (ip_frag_reasm, skb_morph).
    fn reassemble(&mut self, queue: FragmentQueue, dev: IfIndex, arrived: (PacketId, PacketId, VersionId)) -> Option<Box<Skb>> {
        let mut bytes = Vec::with_capacity(queue.total.unwrap_or(0));
        let mut parts = queue.parts.into_iter();
        let mut whole = parts.next()?;
        let mut protocol = None;
        for skb in std::iter::once(&whole).chain(parts.as_slice()) {
            if let Some(Body::Fragment { protocol: p, bytes: b }) = skb.frame.ipv4().map(|p| &p.body) {
                protocol = Some(*p);
                bytes.extend_from_slice(b);
            }
        }
        let mut header = whole.frame.ipv4()?.header;
        header.more_fragments = false;
        header.fragment_offset = 0;
        let loose = Ipv4Packet { header, body: Body::Other { protocol: protocol?, bytes: bytes.into() } };
        // read again, now that the transport header is whole
        let packet = Ipv4Packet::decode(&loose.encode()).unwrap_or(loose);
        whole.frame.net = Net::Ipv4(packet);
        whole.frag_max = queue.largest;
        (whole.id, whole.origin, whole.version) = arrived;
        self.rewritten(&mut whole);
        let last = parts.len() as u16 + 1;
        self.step(&whole, dev, Evidence::Defrag { offset: 0, parts: last });
        for part in parts {
            self.release_ct(&part);
        }
        Some(whole)
    }

    /// The missing fragments did not come (ip_expire).
    pub fn fragments_expired(&mut self, number: u32) {
        let found = self.ns.fragments.queues.sorted().into_iter().find(|(_, q)| q.number == number).map(|(k, _)| *k);
        let Some(key): Option<FragmentKey<Ipv4Addr>> = found else { return };
        let Some(queue) = self.ns.fragments.queues.remove(&key) else { return };
        let first = queue.parts.first().filter(|s| part_of(s).is_some_and(|(a, _, _)| a == 0));
        if let Some(skb) = first.filter(|_| !key.for_conntrack) {
            let skb = skb.clone();
            self.cause = skb.id;
            self.flow = skb.flow;
            self.icmp_send(&skb, super::icmp::Error::TimeExceeded { code: 1 });
        }
        for part in queue.parts {
            let dev = part.iif;
            self.drop_skb(part, dev, DropReason::FragReasmTimeout);
        }
    }
}
