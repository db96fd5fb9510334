//! Fragments are put together: at the host that they are for, and in front of conntrack.
//!
//! Models: net/ipv4/ip_fragment.c ip_defrag, ip_frag_queue, ip_frag_reinit, ip_frag_reasm, ip_expire;
//! net/ipv4/netfilter/nf_defrag_ipv4.c.
//! Spec: RFC 791 section 3.2, RFC 5722 (no overlaps), RFC 3168 section 5.3 (ECN), RFC 1122 section 3.3.2.
//! Simplifies: the fragments of PREROUTING and of OUTPUT are kept together; counters of senders are not forgotten.
//! Seen in: 104-mtu-and-fragments.

use super::route::InputError;
use super::walk::{Timer, Walk};
use crate::linux::fib::RouteType;
use crate::linux::fragment::{FragmentKey, FragmentQueue, Misfit, truesize};
use crate::linux::skb::Skb;
use crate::linux::{IfIndex, PacketId, VersionId};
use crate::packet::{Body, Ipv4Addr, Ipv4Packet, Net};
use crate::trace::{DropReason, Evidence, Tracer};
use std::time::Duration;

/// First byte, the byte behind the last, and whether more follow.
fn part_of(skb: &Skb) -> Option<(usize, usize, bool)> {
    let p = skb.frame.ipv4()?;
    let offset = usize::from(p.header.fragment_offset);
    Some((offset, offset + p.body.len(), p.header.more_fragments))
}

/// Cuts the data of a fragment to `len` bytes.
fn trim(skb: &mut Skb, len: usize) {
    if let Some(Ipv4Packet { body: Body::Fragment { bytes, .. }, .. }) = skb.frame.ipv4_mut()
        && let Some(kept) = bytes.get(..len)
    {
        *bytes = kept.into();
    }
}

impl<T: Tracer> Walk<'_, T> {
    /// Takes a fragment in; returns the whole packet when this was the last one that was missing (ip_defrag).
    pub(super) fn ip_defrag(&mut self, mut skb: Box<Skb>, dev: IfIndex, for_conntrack: bool) -> Option<Box<Skb>> {
        let Some(p) = skb.frame.ipv4() else { return Some(skb) };
        if !p.is_fragment() {
            return Some(skb);
        }
        let key = FragmentKey { src: p.header.src, dst: p.header.dst, id: p.header.id.into(), protocol: p.body.protocol(), for_conntrack };
        let (ecn, df, size) = (p.header.tos & 3, p.header.dont_fragment, p.len() as u32);
        let (from, mut to, more) = part_of(&skb)?;
        let sysctl = &self.ns.config.sysctl;
        let (time, max_dist, high) = (Duration::from_secs(sysctl.ipfrag_time.into()), sysctl.ipfrag_max_dist, sysctl.ipfrag_high_thresh);
        if self.ns.fragments.queues.get(&key).is_none() {
            if high == 0 || self.ns.fragments.mem > high {
                self.drop_skb(skb, dev, DropReason::FragReasmTimeout);
                return None;
            }
            self.begin_queue(key, time);
        }
        if max_dist > 0 && self.is_too_far(&key, max_dist) {
            // so many fragments of other packets came between that the identification may be a new round's (ip_frag_reinit)
            for part in self.ns.fragments.remove(&key).into_iter().flat_map(|q| q.parts) {
                let dev = part.iif;
                self.drop_skb(part, dev, DropReason::FragTooFar);
            }
            self.begin_queue(key, time);
        }
        let queue = self.ns.fragments.queues.get_mut(&key)?;
        if more {
            // a middle fragment ends at a multiple of 8: what is over is cut off
            to &= !7;
        }
        let fits = match more {
            false => to >= queue.len && (!queue.last_in || to == queue.len),
            true => to <= queue.len || !queue.last_in,
        };
        if !fits || to <= from {
            return self.give_up_fragments(&key, skb, dev);
        }
        queue.len = queue.len.max(to);
        queue.last_in |= !more;
        match queue.insert(from, to) {
            Ok(()) => {}
            Err(Misfit::Duplicate) => {
                self.drop_skb(skb, dev, DropReason::DupFrag);
                return None;
            }
            Err(Misfit::Overlap) => return self.give_up_fragments(&key, skb, dev),
        }
        trim(&mut skb, to - from);
        queue.ecn |= 1 << ecn;
        queue.meat += to - from;
        queue.largest = queue.largest.max(size);
        if df {
            queue.largest_df = queue.largest_df.max(size);
        }
        let mem = truesize(size);
        queue.mem += mem;
        let at = queue.parts.iter().position(|q| part_of(q).is_some_and(|(a, _, _)| a > from)).unwrap_or(queue.parts.len());
        let complete = queue.last_in && queue.meat == queue.len;
        let arrived = (skb.id, skb.origin, skb.version);
        self.ns.fragments.mem += mem;
        self.step(&skb, dev, Evidence::Defrag { offset: u16::try_from(from).unwrap_or(u16::MAX), parts: 0 });
        self.ns.fragments.queues.get_mut(&key)?.parts.insert(at, skb);
        if !complete {
            return None;
        }
        let queue = self.ns.fragments.remove(&key)?;
        self.reassemble(queue, dev, arrived)
    }

    /// A packet of which the first fragment came (ip_find).
    fn begin_queue(&mut self, key: FragmentKey<Ipv4Addr>, time: Duration) {
        let fragments = &mut self.ns.fragments;
        fragments.last += 1;
        let number = fragments.last;
        let expires = self.now + time;
        let rid = fragments.senders.get(&key.src).copied().unwrap_or(0);
        fragments.queues.insert(key, FragmentQueue { expires, number, rid, ..FragmentQueue::default() });
        self.arm(expires, Timer::Reassembly(number));
    }

    /// Counts a fragment of its sender; whether more than `max` others came since the last one of this packet (ip_frag_too_far).
    fn is_too_far(&mut self, key: &FragmentKey<Ipv4Addr>, max: u32) -> bool {
        let fragments = &mut self.ns.fragments;
        let count = fragments.senders.get(&key.src).copied().unwrap_or(0).wrapping_add(1);
        fragments.senders.insert(key.src, count);
        let Some(queue) = fragments.queues.get_mut(key) else { return false };
        let before = std::mem::replace(&mut queue.rid, count);
        !queue.parts.is_empty() && count.wrapping_sub(before) > max
    }

    /// A fragment that cannot be: all of its packet go with it.
    fn give_up_fragments(&mut self, key: &FragmentKey<Ipv4Addr>, skb: Box<Skb>, dev: IfIndex) -> Option<Box<Skb>> {
        for part in self.ns.fragments.remove(key).into_iter().flat_map(|q| q.parts) {
            self.drop_skb(part, dev, DropReason::NotSpecified);
        }
        self.drop_skb(skb, dev, DropReason::NotSpecified);
        None
    }

    /// Puts a complete set together: the fragment that came last goes on with the first one's header and all their data
    /// (ip_frag_reasm, skb_morph).
    fn reassemble(&mut self, queue: FragmentQueue, dev: IfIndex, arrived: (PacketId, PacketId, VersionId)) -> Option<Box<Skb>> {
        let ecn = queue.whole_ecn().filter(|_| queue.len + Ipv4Packet::HEADER_LEN <= 65_535);
        let Some(ecn) = ecn else {
            for part in queue.parts {
                self.drop_skb(part, dev, DropReason::NotSpecified);
            }
            return None;
        };
        let mut bytes = Vec::with_capacity(queue.len);
        let mut sizes = Vec::with_capacity(queue.parts.len());
        let mut parts = queue.parts.into_iter();
        let mut whole = parts.next()?;
        let mut protocol = None;
        for skb in std::iter::once(&whole).chain(parts.as_slice()) {
            if let Some(Body::Fragment { protocol: p, bytes: b }) = skb.frame.ipv4().map(|p| &p.body) {
                protocol = Some(*p);
                bytes.extend_from_slice(b);
                sizes.push(b.len() as u16);
            }
        }
        let mut header = whole.frame.ipv4()?.header;
        header.more_fragments = false;
        header.fragment_offset = 0;
        header.tos |= ecn;
        // DF is kept only if the largest one had it (IPSKB_FRAG_PMTU)
        header.dont_fragment = queue.largest_df == queue.largest;
        let loose = Ipv4Packet { header, body: Body::Other { protocol: protocol?, bytes: bytes.into() } };
        // read again, now that the transport header is whole
        let packet = Ipv4Packet::decode(&loose.encode()).unwrap_or(loose);
        whole.frame.net = Net::Ipv4(packet);
        whole.frag_max = queue.largest;
        whole.frag_sizes = Some(sizes.into());
        (whole.id, whole.origin, whole.version) = arrived;
        self.rewritten(&mut whole);
        let last = parts.len() as u16 + 1;
        self.step(&whole, dev, Evidence::Defrag { offset: 0, parts: last });
        for part in parts {
            self.release_ct(&part);
        }
        Some(whole)
    }

    /// The missing fragments did not come (ip_expire). The sender is told if the first one is here; by conntrack on its way through
    /// only if the packet was for this host.
    pub fn fragments_expired(&mut self, number: u32) {
        let found = self.ns.fragments.queues.sorted().into_iter().find(|(_, q)| q.number == number).map(|(k, _)| *k);
        let Some(key): Option<FragmentKey<Ipv4Addr>> = found else { return };
        let Some(queue) = self.ns.fragments.remove(&key) else { return };
        let first = queue.parts.first().filter(|s| part_of(s).is_some_and(|(a, _, _)| a == 0));
        if let Some(skb) = first.filter(|s| s.iif.is_some()) {
            let skb = skb.clone();
            self.cause = skb.id;
            self.flow = skb.flow;
            let told = match self.route_input(&skb, skb.iif, key.src, key.dst) {
                Ok(dst) => !key.for_conntrack || dst.kind == RouteType::Local,
                Err(InputError::Unreachable(_)) => !key.for_conntrack,
                Err(InputError::Martian(_)) => false,
            };
            if told {
                self.icmp_send(&skb, super::icmp::Error::TimeExceeded { code: 1 });
            }
        }
        for part in queue.parts {
            let dev = part.iif;
            self.drop_skb(part, dev, DropReason::FragReasmTimeout);
        }
    }
}
