//! IPv6 fragments are put together: at the host that they are for, and in front of conntrack.
//!
//! Models: net/ipv6/reassembly.c ipv6_frag_rcv, ip6_frag_queue, ip6_frag_reasm, ip6_frag_expire; net/ipv6/netfilter/nf_conntrack_reasm.c.
//! Spec: RFC 8200 section 4.5, RFC 5722 (no overlaps), RFC 6946 (atomic fragments).
//! Simplifies: no limit on the memory that fragments take; extension headers in front of the fragment header are not kept.

use super::icmpv6::Error6;
use super::walk::{Timer, Walk};
use crate::linux::IfIndex;
use crate::linux::fragment::{FragmentKey, FragmentQueue};
use crate::linux::netfilter::ipv6::extensions;
use crate::linux::skb::Skb;
use crate::packet::{Body, Ipv6Packet, Net, Protocol};
use crate::trace::{DropReason, Evidence, Tracer};
use std::time::Duration;

/// How long the missing fragments are waited for (ip6frag_time).
const IP6FRAG_TIME: Duration = Duration::from_secs(60);

/// What a fragment header says, and what stands behind it.
struct Part<'a> {
    protocol: Protocol,
    offset: usize,
    more: bool,
    id: u32,
    data: &'a [u8],
}

fn part_of(p: &Ipv6Packet) -> Option<Part<'_>> {
    let Body::Other { protocol: Protocol(0 | 43 | 44 | 60), .. } = &p.body else { return None };
    let (_, _, header) = extensions(&p.body).into_iter().find(|(kind, _, _)| *kind == 44)?;
    let [next, _, a, b, id @ ..] = *header.first_chunk::<8>()?;
    let word = u16::from_be_bytes([a, b]);
    Some(Part {
        protocol: Protocol(next),
        offset: usize::from(word & 0xfff8),
        more: word & 1 == 1,
        id: u32::from_be_bytes(id),
        data: header.get(8..)?,
    })
}

/// Whether a packet has a fragment header.
pub(super) fn is_fragment(p: &Ipv6Packet) -> bool {
    part_of(p).is_some()
}

fn span(skb: &Skb) -> Option<(usize, usize)> {
    let part = part_of(skb.frame.ipv6()?)?;
    Some((part.offset, part.offset + part.data.len()))
}

impl<T: Tracer> Walk<'_, T> {
    /// Takes a fragment in; returns the whole packet when this was the last one that was missing (ip6_frag_queue).
    pub(super) fn ip6_defrag(&mut self, skb: Box<Skb>, dev: IfIndex, for_conntrack: bool) -> Option<Box<Skb>> {
        let Some(p) = skb.frame.ipv6() else { return Some(skb) };
        let Some(part) = part_of(p) else { return Some(skb) };
        let key = FragmentKey { src: p.header.src, dst: p.header.dst, id: part.id, protocol: part.protocol, for_conntrack };
        let (from, to, more, size) = (part.offset, part.offset + part.data.len(), part.more, p.len() as u32);
        let fragments = &mut self.ns.ip6.fragments;
        if fragments.queues.get(&key).is_none() {
            fragments.last += 1;
            let number = fragments.last;
            let expires = self.now + IP6FRAG_TIME;
            fragments.queues.insert(key, FragmentQueue { expires, number, ..FragmentQueue::default() });
            self.arm(expires, Timer::Reassembly6(number));
        }
        let queue = self.ns.ip6.fragments.queues.get_mut(&key)?;
        let overlaps = queue.parts.iter().filter_map(|q| span(q)).any(|(a, b)| from < b && a < to);
        let fits = queue.total.is_none_or(|t| to <= t && (more || to == t)) && (!more || (to - from) % 8 == 0) && to <= 65_535;
        if overlaps || !fits || to == from {
            let duplicate = queue.parts.iter().filter_map(|q| span(q)).any(|s| s == (from, to));
            if !duplicate {
                let gone = self.ns.ip6.fragments.queues.remove(&key);
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
        let at = queue.parts.iter().position(|q| span(q).is_some_and(|(a, _)| a > from)).unwrap_or(queue.parts.len());
        self.step(&skb, dev, Evidence::Defrag { offset: u16::try_from(from).unwrap_or(u16::MAX), parts: 0 });
        let queue = self.ns.ip6.fragments.queues.get_mut(&key)?;
        queue.parts.insert(at, skb);
        let have: usize = queue.parts.iter().filter_map(|q| span(q)).map(|(a, b)| b - a).sum();
        if queue.total != Some(have) {
            return None;
        }
        let queue = self.ns.ip6.fragments.queues.remove(&key)?;
        self.reassemble6(queue, dev)
    }

    /// Puts a complete set together: the first fragment becomes the whole (ip6_frag_reasm).
    fn reassemble6(&mut self, queue: FragmentQueue, dev: IfIndex) -> Option<Box<Skb>> {
        let mut bytes = Vec::with_capacity(queue.total.unwrap_or(0));
        let mut parts = queue.parts.into_iter();
        let mut whole = parts.next()?;
        let mut protocol = None;
        for skb in std::iter::once(&whole).chain(parts.as_slice()) {
            if let Some(p) = skb.frame.ipv6().and_then(part_of) {
                protocol.get_or_insert(p.protocol);
                bytes.extend_from_slice(p.data);
            }
        }
        let header = whole.frame.ipv6()?.header;
        let loose = Ipv6Packet { header, body: Body::Other { protocol: protocol?, bytes: bytes.into() } };
        // read again, now that the transport header is whole
        let packet = Ipv6Packet::decode(&loose.encode()).unwrap_or(loose);
        whole.frame.net = Net::Ipv6(packet);
        whole.frag_max = queue.largest;
        self.rewritten(&mut whole);
        let last = parts.len() as u16 + 1;
        self.step(&whole, dev, Evidence::Defrag { offset: 0, parts: last });
        for part in parts {
            self.release_ct(&part);
        }
        Some(whole)
    }

    /// The missing fragments did not come (ip6frag_expire_frag_queue).
    pub fn fragments6_expired(&mut self, number: u32) {
        let fragments = &mut self.ns.ip6.fragments;
        let found = fragments.queues.sorted().into_iter().find(|(_, q)| q.number == number).map(|(k, _)| *k);
        let Some(key) = found else { return };
        let Some(queue) = fragments.queues.remove(&key) else { return };
        let first = queue.parts.first().filter(|s| span(s).is_some_and(|(a, _)| a == 0));
        if let Some(skb) = first.filter(|_| !key.for_conntrack) {
            let skb = skb.clone();
            self.cause = skb.id;
            self.flow = skb.flow;
            self.icmpv6_send(&skb, Error6::TimeExceeded { code: 1 });
        }
        for part in queue.parts {
            let dev = part.iif;
            self.drop_skb(part, dev, DropReason::FragReasmTimeout);
        }
    }
}
