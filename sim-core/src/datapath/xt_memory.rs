//! What matches ask of the running kernel: their memories, chance, sockets, routes, and the number of flows.
//!
//! Models: net/netfilter/xt_statistic.c, xt_recent.c, nft_limit.c, xt_hashlimit.c, xt_quota.c, xt_connlimit.c, xt_socket.c, xt_owner.c,
//! net/ipv4/netfilter/ipt_rpfilter.c rpfilter_lookup_reverse.
//! Simplifies: rpfilter, socket and connlimit know IPv4 alone; for IPv6 packets the way back is always there, and no socket and no flow.
//!
//! Each answer is recorded, so that a report can ask the same rule again.

use super::walk::Walk;
use crate::linux::fib::RouteType;
use crate::linux::ipset::Key;
use crate::linux::netfilter::eval::MatchAt;
use crate::linux::netfilter::matches::recent::Check;
use crate::linux::netfilter::matches::statistic::Mode;
use crate::linux::netfilter::matches::{Connlimit, Match, Recent, Rpfilter, Socket, Statistic};
use crate::linux::netfilter::state::Counter;
use crate::linux::netfilter::state::limit::Bucket;
use crate::linux::netfilter::{Hook, MatchCx, Memory};
use crate::linux::rng::Draw;
use crate::linux::skb::Skb;
use crate::linux::socket::SocketKind;
use crate::linux::{IfIndex, PktType};
use crate::packet::{Address, Endpoint, Family, Ipv4Addr, Protocol};
use crate::trace::{Evidence, StateDelta, Tracer};
use std::sync::Arc;

/// Draws, counts and looks, and says so to the tracer.
pub(super) struct Live<'a, 'w, T: Tracer> {
    pub(super) w: &'a mut Walk<'w, T>,
    pub(super) skb: &'a Skb,
    pub(super) dev: IfIndex,
}

impl<T: Tracer> Memory for Live<'_, '_, T> {
    fn ask(&mut self, at: MatchAt, m: &Match, cx: &MatchCx<'_>) -> bool {
        let (matched, value) = match m {
            Match::Statistic(m) => self.statistic(at, m),
            Match::Recent(m) => self.recent(m, cx),
            Match::Limit(m) => {
                let ((cost, max), now) = (m.cost(), self.w.now);
                let state = &mut self.w.ns.xt_state.limits;
                let mut bucket = state.get(&at).copied().unwrap_or(Bucket::full(max, now));
                let passed = bucket.take(cost, max, now);
                state.insert(at, bucket);
                (passed, (bucket.tokens / 1_000_000) as u32)
            }
            Match::Hashlimit(m) => {
                let (cost, max, expire) = m.cost();
                let table = self.w.ns.xt_state.hashlimits.entry((cx.family, m.name.clone())).or_default();
                (table.take(m.key(cx), cost, max, expire, self.w.now) != m.above, 0)
            }
            Match::Quota(m) => {
                let state = &mut self.w.ns.xt_state.quotas;
                let mut left = state.get(&at).copied().unwrap_or(m.quota);
                let passed = m.take(&mut left, cx.len);
                state.insert(at, left);
                (passed, left as u32)
            }
            Match::Connlimit(m) => self.connlimit(m, cx),
            Match::Socket(m) => (self.socket(*m, cx), 0),
            Match::Owner(m) => (m.fits(self.skb.socket.is_some()), self.skb.socket.0),
            Match::Rpfilter(m) => (self.rpfilter(*m, cx) != m.invert, 0),
            _ => return true,
        };
        self.w.step(self.skb, self.dev, Evidence::StatefulMatch { row: at.0, at: at.1, matched, value });
        matched
    }

    fn counted(&mut self, set: &Arc<str>, key: Key, bytes: u32) {
        let at = (set.clone(), key);
        let old = self.w.ns.xt_state.sets.get(&at).copied().unwrap_or_default();
        self.w.ns.xt_state.sets.insert(at, Counter { packets: old.packets + 1, bytes: old.bytes + u64::from(bytes) });
    }
}

impl<T: Tracer> Live<'_, '_, T> {
    fn statistic(&mut self, at: MatchAt, m: &Statistic) -> (bool, u32) {
        match m.mode {
            Mode::Random { .. } => {
                let draw = self.w.rng.next_u32(Draw::Statistic) & 0x7fff_ffff;
                (m.fits_draw(draw), draw)
            }
            Mode::Nth { every, packet } => {
                // the counter begins so that it comes round at the packet of that number, from 0
                let state = &mut self.w.ns.xt_state.nth;
                let mut count = state.get(&at).copied().unwrap_or(every.saturating_sub(packet));
                let matched = m.fits_count(&mut count);
                state.insert(at, count);
                (matched, count)
            }
        }
    }

    fn recent(&mut self, m: &Recent, cx: &MatchCx<'_>) -> (bool, u32) {
        // the time to live as it was before the packet was forwarded
        let forwarded = !cx.oif.is_empty() && !self.skb.socket.is_some();
        let ttl = cx.ttl.wrapping_add(u8::from(forwarded));
        let (addr, now) = (m.addr(cx), self.w.now);
        let lists = &mut self.w.ns.xt_state.recent;
        if m.check != Check::Set && !lists.contains_key(&m.name) {
            return (m.invert, 0);
        }
        let list = lists.entry(m.name.clone()).or_default();
        let answer = list.ask(m, cx.family, addr, ttl, now);
        let seen = list.entries().iter().find(|e| e.family == cx.family && e.addr == addr);
        let count = seen.map_or(0, |e| e.stamps.len() as u32);
        if T::ON && answer.wrote {
            let entry = seen.cloned().map(Box::new);
            let delta = StateDelta::Recent { list: m.name.clone(), addr: crate::linux::netfilter::spec::ip_of(addr, cx.family), entry };
            self.w.trace.delta(self.w.ns.id, delta);
        }
        (answer.fits, count)
    }

    fn connlimit(&self, m: &Connlimit, cx: &MatchCx<'_>) -> (bool, u32) {
        let Some(own) = self.skb.ct else { return (false, 0) };
        let side = |src: Ipv4Addr, dst: Ipv4Addr| m.cut(if m.dest { dst } else { src }.to_bits().into(), Family::Inet);
        let wanted = m.cut(if m.dest { cx.dst } else { cx.src }, cx.family);
        let counted = self.w.ns.conntrack.live().filter(|e| {
            let o = &e.tuples[0];
            e.id != own.id
                && e.is_confirmed()
                && !e.is_expired(self.w.now)
                && side(o.src, o.dst) == wanted
                && !matches!(e.state_name(), Some("TIME_WAIT" | "CLOSE"))
        });
        let count = if cx.family == Family::Inet { counted.count() + 1 } else { 0 };
        (m.fits(count), count as u32)
    }

    fn socket(&self, m: Socket, cx: &MatchCx<'_>) -> bool {
        let kind = match cx.protocol {
            Protocol::TCP => SocketKind::Tcp,
            Protocol::UDP => SocketKind::Udp,
            _ => return false,
        };
        let Some((sport, dport)) = cx.any_ports().filter(|_| cx.family == Family::Inet) else { return false };
        let end = |addr: u128, port: u16| Endpoint::new(Ipv4Addr::from_bits(addr as u32), port);
        let found = self.w.ns.sockets.lookup(kind, end(cx.dst, dport), end(cx.src, sport), cx.iif_index);
        let Some(socket) = found.and_then(|id| self.w.ns.sockets.get(id)) else { return false };
        (m.nowildcard || !socket.local.addr.is_unspecified()) && !m.transparent
    }

    fn rpfilter(&self, m: Rpfilter, cx: &MatchCx<'_>) -> bool {
        let config = &self.w.ns.config;
        if cx.iif_index == super::route::LOOPBACK || cx.family != Family::Inet || cx.hook != Hook::Prerouting {
            return true;
        }
        let (src, dst) = (Ipv4Addr::from_bits(cx.src as u32), Ipv4Addr::from_bits(cx.dst as u32));
        if src.octets()[0] == 0 && (dst.is_broadcast() || dst.is_multicast() || self.skb.pkt_type != PktType::Host) {
            return true;
        }
        let Some((_, route)) = config.fib.lookup(src, |_| true) else { return false };
        match route.kind {
            RouteType::Unicast => {}
            RouteType::Local if m.accept_local => {}
            _ => return false,
        }
        m.loose || route.nexthops.iter().any(|h| h.dev == cx.iif_index)
    }
}
