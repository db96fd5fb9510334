//! A rule held against a packet.
//!
//! Models: net/netfilter/nf_tables_core.c nft_do_chain (the expressions of a rule), nft_meta.c nft_meta_get_eval, nft_ct.c
//! nft_ct_get_eval, nft_payload.c, nft_bitwise.c, nft_cmp.c, nft_range.c, nft_lookup.c; net/ipv4/netfilter/nft_fib_ipv4.c.
//! Simplifies: `fib` looks neither at policy rules nor at the socket that a packet is for, which in INPUT answers for it; the sockets of all programs belong to root; a priority is zero unless a rule
//! set it; `jhash` without a seed and `symhash` spread as they like.
//!
//! The walk and the report use the same functions: the walk with a [`NftMemory`] that draws and writes, the report with
//! one that repeats what was recorded.

use super::datatype::{Data, DataType};
use super::expr::{CtKey, Expr, FibExpr, FibResult, MetaKey, Numgen};
use super::set::{ElemData, Set, SetLink};
use super::stmt::{Limit, NftVerdict, RelOp, Rhs, Stmt};
use super::{NftTable, datatype};
use crate::linux::conntrack::{CtStatus, CtView, Dir};
use crate::linux::fib::RouteType;
use crate::linux::netfilter::Hook;
use crate::linux::skb::PktType;
use crate::linux::time::Time;
use crate::linux::{Config, IfIndex, RowId};
use crate::packet::{Address, Frame, Ipv4Addr, L4, Net, Tuple};

/// What a rule may see of a packet's flow.
#[derive(Clone, Copy, Debug, Default)]
pub struct CtSeen {
    /// What the packet is to it.
    pub view: CtView,
    /// `mark` of the entry.
    pub mark: u32,
    /// Original and reply tuple.
    pub tuples: Option<(Tuple<Ipv4Addr>, Tuple<Ipv4Addr>)>,
    /// When it expires.
    pub expires: Option<Time>,
    /// Whether conntrack was told to leave the packet alone.
    pub untracked: bool,
}

/// What a rule may see of a packet.
#[derive(Clone, Copy, Debug)]
pub struct NftCx<'a> {
    /// The configuration.
    pub config: &'a Config,
    /// The table that the rule stands in.
    pub table: &'a NftTable,
    /// The packet.
    pub frame: &'a Frame,
    /// The hook.
    pub hook: Hook,
    /// Input device.
    pub iif: IfIndex,
    /// Output device.
    pub oif: IfIndex,
    /// Its flow.
    pub ct: CtSeen,
    /// Its mark.
    pub mark: u32,
    /// Whom it is for.
    pub pkt_type: PktType,
    /// Whether a socket of this host sent it.
    pub socket: bool,
    /// Now.
    pub now: Time,
}

/// Where rules get numbers, and where they find what packets wrote.
pub trait NftMemory {
    /// A number of `numgen`, without its offset; `at` tells those of one rule apart.
    fn number(&mut self, row: RowId, at: u32, n: &Numgen) -> u32;
    /// 32 random bits for `meta random` and for hashes with a seed of their own.
    fn random(&mut self, row: RowId, at: u32) -> u32;
    /// Whether a packet of `len` bytes is within the rate.
    fn within(&mut self, row: RowId, at: u32, l: &Limit, len: u32) -> bool;
    /// Whether a packet wrote that element and it lives; with what it leads to.
    fn written(&mut self, table: u32, set: u32, key: &[u8]) -> Option<Option<Data>>;
}

/// A rule being evaluated: its row, and how many numbers it has drawn.
#[derive(Debug)]
pub struct Asking<'m, M> {
    /// The rule.
    pub row: RowId,
    /// How many draws were made.
    pub draws: u32,
    /// Where numbers come from.
    pub memory: &'m mut M,
}

impl<'m, M: NftMemory> Asking<'m, M> {
    /// Begins a rule.
    pub fn new(row: RowId, memory: &'m mut M) -> Self {
        Asking { row, draws: 0, memory }
    }

    fn draw(&mut self) -> u32 {
        self.draws += 1;
        self.draws - 1
    }

    /// The value of an expression; false where the packet has none (NFT_BREAK).
    #[inline]
    pub fn value(&mut self, e: &Expr, cx: &NftCx<'_>, out: &mut Data) -> bool {
        match e {
            Expr::Field(f) => f.read(cx.frame, out),
            Expr::Meta(k) => self.meta(*k, cx, out),
            Expr::Ct(k, dir) => ct(*k, *dir, cx, out),
            Expr::Fib(f) => fib(f, cx, out),
            Expr::Numgen(n) => {
                let at = self.draw();
                let v = self.memory.number(self.row, at, n).wrapping_add(n.offset);
                out.extend_from_slice(&v.to_be_bytes());
                true
            }
            Expr::Hash(h) => {
                let at = self.draw();
                let mut key = Data::new();
                let hash = match (&h.of, h.seed) {
                    (Some(of), Some(seed)) => {
                        if !self.value(of, cx, &mut key) {
                            return false;
                        }
                        jhash(&registers(&of.types(), &key), seed)
                    }
                    (Some(of), None) => {
                        if !self.value(of, cx, &mut key) {
                            return false;
                        }
                        // a seed drawn at random, and the same for all packets
                        jhash(&registers(&of.types(), &key), self.row.0)
                    }
                    (None, _) => {
                        let _ = at;
                        flow_hash(cx.frame)
                    }
                };
                let v = ((u64::from(hash) * u64::from(h.modulus)) >> 32) as u32;
                out.extend_from_slice(&v.wrapping_add(h.offset).to_be_bytes());
                true
            }
            Expr::Concat(parts) => parts.iter().all(|p| self.value(p, cx, out)),
            Expr::Bitwise(of, mask, xor) => {
                let from = out.len();
                if !self.value(of, cx, out) {
                    return false;
                }
                for (b, (m, x)) in out[from..].iter_mut().zip(mask.iter().zip(xor)) {
                    *b = *b & m ^ x;
                }
                true
            }
            Expr::Map(key, link) => {
                let mut k = Data::new();
                if !self.value(key, cx, &mut k) {
                    return false;
                }
                match self.lookup(link, cx, &k) {
                    Some(Found::Value(v)) => {
                        out.extend_from_slice(&v);
                        true
                    }
                    _ => false,
                }
            }
            Expr::Value(_, v) => {
                out.extend_from_slice(v);
                true
            }
        }
    }

    fn meta(&mut self, k: MetaKey, cx: &NftCx<'_>, out: &mut Data) -> bool {
        let name = |i: IfIndex| datatype::ifname(cx.config.devices.name(i));
        let device_type = |i: IfIndex| {
            cx.config.devices.get(i).map(|d| if matches!(d.kind, crate::linux::device::DeviceKind::Loopback) { 772u16 } else { 1 })
        };
        match k {
            MetaKey::Mark => out.extend_from_slice(&cx.mark.to_be_bytes()),
            MetaKey::L4proto => match &cx.frame.net {
                Net::Ipv4(p) => out.push(p.body.protocol().0),
                Net::Ipv6(p) => out.push(p.body.protocol().0),
                _ => return false,
            },
            MetaKey::Nfproto => out.push(match &cx.frame.net {
                Net::Ipv6(_) => 10,
                Net::Ipv4(_) => 2,
                _ => 7,
            }),
            MetaKey::Protocol => out.extend_from_slice(&cx.frame.net.ethertype().to_be_bytes()),
            MetaKey::Length => out.extend_from_slice(&(cx.frame.net.len() as u32).to_be_bytes()),
            MetaKey::Iif => out.extend_from_slice(&cx.iif.0.to_be_bytes()),
            MetaKey::Oif => out.extend_from_slice(&cx.oif.0.to_be_bytes()),
            MetaKey::Iifname => out.extend_from_slice(&name(cx.iif)),
            MetaKey::Oifname => out.extend_from_slice(&name(cx.oif)),
            MetaKey::Iiftype | MetaKey::Oiftype => {
                // what is asked for is skb->dev, which behind the route is the device that the packet leaves by
                let dev = if k == MetaKey::Iiftype && cx.hook != Hook::Postrouting { cx.iif } else { cx.oif };
                let Some(t) = device_type(dev) else { return false };
                out.extend_from_slice(&t.to_be_bytes());
            }
            MetaKey::Skuid | MetaKey::Skgid | MetaKey::Cgroup => {
                if !cx.socket {
                    return false;
                }
                out.extend_from_slice(&[0; 4]);
            }
            MetaKey::Priority | MetaKey::Cpu => out.extend_from_slice(&[0; 4]),
            MetaKey::Nftrace => out.push(0),
            MetaKey::Pkttype => out.push(match cx.pkt_type {
                PktType::Host => 0,
                PktType::Broadcast => 1,
                PktType::Multicast => 2,
                PktType::OtherHost => 3,
                PktType::Outgoing => 4,
            }),
            MetaKey::Random => {
                let at = self.draw();
                let v = self.memory.random(self.row, at);
                out.extend_from_slice(&v.to_be_bytes());
            }
        }
        true
    }

    /// What a set or a map says of a key.
    fn lookup<'t>(&mut self, link: &'t SetLink, cx: &NftCx<'t>, key: &[u8]) -> Option<Found<'t>> {
        let (set, slot): (&'t Set, Option<u32>) = match link {
            SetLink::Anonymous(set) => (set, None),
            SetLink::Named(r, _) => (cx.table.sets.get(r.slot)?, Some(r.slot)),
        };
        if let Some(slot) = slot.filter(|_| set.flags.dynamic || set.flags.timeout)
            && let Some(data) = self.memory.written(cx.table.handle, slot, key)
        {
            return Some(data.map_or(Found::Member, Found::Value));
        }
        set.lookup(key, cx.now).map(|e| match &e.data {
            ElemData::None => Found::Member,
            ElemData::Verdict(v) => Found::Verdict(v),
            ElemData::Value(v) => Found::Value(v.clone()),
        })
    }

    /// Whether the packet fits a match.
    #[inline]
    pub fn holds(&mut self, left: &Expr, op: RelOp, right: &Rhs, cx: &NftCx<'_>) -> bool {
        let mut v = Data::new();
        if !self.value(left, cx, &mut v) {
            return false;
        }
        compare(left, op, right, &v).unwrap_or_else(|| match right {
            Rhs::Set(link) => self.lookup(link, cx, &v).is_some() != (op == RelOp::Ne),
            _ => false,
        })
    }

    /// The verdict of a verdict map; none if the key is not there.
    pub fn verdict<'t>(&mut self, key: &Expr, link: &'t SetLink, cx: &NftCx<'t>) -> Option<&'t NftVerdict> {
        let mut v = Data::new();
        if !self.value(key, cx, &mut v) {
            return None;
        }
        match self.lookup(link, cx, &v) {
            Some(Found::Verdict(v)) => Some(v),
            _ => None,
        }
    }

    /// Whether a `limit` lets the packet through.
    pub fn limited(&mut self, l: &Limit, cx: &NftCx<'_>) -> bool {
        let at = self.draw();
        self.memory.within(self.row, at, l, cx.frame.net.len() as u32) != l.over
    }

    /// Whether a statement that only asks lets the rule go on; statements that do something always do.
    pub fn passes(&mut self, s: &Stmt, cx: &NftCx<'_>) -> bool {
        match s {
            Stmt::Match { left, op, right } => self.holds(left, *op, right, cx),
            Stmt::Vmap(key, link) => self.verdict(key, link, cx).is_some(),
            Stmt::Limit(l) => self.limited(l, cx),
            _ => true,
        }
    }
}

/// What a lookup found.
#[derive(Debug)]
enum Found<'t> {
    Member,
    Verdict(&'t NftVerdict),
    Value(Data),
}

/// Holds a value against another; none if that is a set.
fn compare(left: &Expr, op: RelOp, right: &Rhs, v: &[u8]) -> Option<bool> {
    let any = |mask: &[u8]| v.iter().zip(mask).any(|(a, b)| a & b != 0);
    let bitmask = || left.data_type().is_bitmask() && !matches!(left, Expr::Concat(_));
    Some(match right {
        Rhs::Value(w) => match op {
            RelOp::Implicit if bitmask() => any(w),
            RelOp::Implicit | RelOp::Eq => *v == w[..],
            RelOp::Neg => !any(w),
            RelOp::Ne => *v != w[..],
            RelOp::Lt => *v < w[..],
            RelOp::Gt => *v > w[..],
            RelOp::Le => *v <= w[..],
            RelOp::Ge => *v >= w[..],
        },
        Rhs::Range(lo, hi) => {
            let inside = match left {
                Expr::Concat(_) => {
                    let mut at = 0;
                    left.types().iter().all(|t| {
                        let part = at..at + t.len();
                        at += t.len();
                        v.get(part.clone()) >= lo.get(part.clone()) && v.get(part.clone()) <= hi.get(part)
                    })
                }
                _ => lo[..] <= *v && *v <= hi[..],
            };
            inside != (op == RelOp::Ne)
        }
        Rhs::Prefix(w, bits) => {
            let whole = (*bits / 8) as usize;
            let rest = bits % 8;
            let mask = !(0xffu32 >> rest) as u8;
            let same = v.get(..whole) == w.get(..whole) && (rest == 0 || v.get(whole).map(|b| b & mask) == w.get(whole).map(|b| b & mask));
            same != (op == RelOp::Ne)
        }
        Rhs::Flags(w, mask) => {
            let same = v.iter().zip(mask).zip(w).all(|((a, m), w)| a & m == *w);
            same != (op == RelOp::Ne)
        }
        Rhs::Set(_) => return None,
    })
}

fn ct(k: CtKey, dir: Option<Dir>, cx: &NftCx<'_>, out: &mut Data) -> bool {
    let view = cx.ct.view;
    if k == CtKey::State {
        let bit: u32 = match view.info {
            Some(i) if i.is_related() => 4,
            Some(crate::linux::conntrack::CtInfo::New) => 8,
            Some(_) => 2,
            None if cx.ct.untracked => 64,
            None => 1,
        };
        out.extend_from_slice(&bit.to_be_bytes());
        return true;
    }
    let Some(info) = view.info else { return false };
    match k {
        CtKey::State => {}
        CtKey::Status => out.extend_from_slice(
            &u32::from(
                view.status.0 & !(CtStatus::SRC_NAT_DONE.0 | CtStatus::DST_NAT_DONE.0)
                    | view.status.0 & (CtStatus::SRC_NAT_DONE.0 | CtStatus::DST_NAT_DONE.0),
            )
            .to_be_bytes(),
        ),
        CtKey::Mark => out.extend_from_slice(&cx.ct.mark.to_be_bytes()),
        CtKey::Direction => out.push(u8::from(info.is_reply())),
        CtKey::Zone => out.extend_from_slice(&[0, 0]),
        CtKey::Expiration => {
            let left = cx.ct.expires.map_or(0, |t| t.since(cx.now).as_millis());
            out.extend_from_slice(&u32::try_from(left).unwrap_or(u32::MAX).to_be_bytes());
        }
        _ => {
            let Some((original, reply)) = &cx.ct.tuples else { return false };
            let t = if dir == Some(Dir::Reply) { reply } else { original };
            match k {
                CtKey::L3proto => out.push(2),
                CtKey::Protocol => out.push(t.protocol.0),
                CtKey::SaddrIp => out.extend_from_slice(&t.src.octets()),
                CtKey::DaddrIp => out.extend_from_slice(&t.dst.octets()),
                CtKey::SaddrIp6 | CtKey::DaddrIp6 => return false,
                _ => {
                    let (src, dst) = match t.l4 {
                        L4::None => (0, 0),
                        _ => (t.source().port, t.destination().port),
                    };
                    out.extend_from_slice(&(if k == CtKey::ProtoSrc { src } else { dst }).to_be_bytes());
                }
            }
        }
    }
    true
}

/// The number of a route type (enum rtm_type).
fn route_type(t: RouteType) -> u32 {
    match t {
        RouteType::Unicast => 1,
        RouteType::Local => 2,
        RouteType::Broadcast => 3,
        RouteType::Multicast => 5,
        RouteType::Blackhole => 6,
        RouteType::Unreachable => 7,
        RouteType::Prohibit => 8,
        _ => 0,
    }
}

/// Asks the routes (nft_fib4_eval, nft_fib4_eval_type).
fn fib(f: &FibExpr, cx: &NftCx<'_>, out: &mut Data) -> bool {
    let (kind, oif) = match &cx.frame.net {
        Net::Ipv4(p) => {
            let addr = if f.saddr { p.header.src } else { p.header.dst };
            fib_of(f, cx, &cx.config.fib, addr)
        }
        Net::Ipv6(p) => {
            let addr = if f.saddr { p.header.src } else { p.header.dst };
            fib_of(f, cx, &cx.config.fib6, addr)
        }
        _ => return false,
    };
    match f.result {
        FibResult::Type if f.present => out.push(1),
        FibResult::Type => out.extend_from_slice(&route_type(kind).to_be_bytes()),
        _ if f.present => out.push(u8::from(oif.is_some())),
        FibResult::Oif => out.extend_from_slice(&oif.0.to_be_bytes()),
        FibResult::Oifname => out.extend_from_slice(&datatype::ifname(cx.config.devices.name(oif))),
    }
    true
}

/// What an address is, and the device that leads to it.
fn fib_of<A: Address>(f: &FibExpr, cx: &NftCx<'_>, fib: &crate::linux::fib::Fib<A>, addr: A) -> (RouteType, IfIndex) {
    let asked = if f.iif {
        Some(cx.iif)
    } else if f.oif {
        Some(cx.oif)
    } else {
        None
    };
    if f.result == FibResult::Type {
        if addr.is_unspecified() || A::BITS == 32 && addr.to_bits() == u128::from(u32::MAX) {
            return (RouteType::Broadcast, IfIndex::NONE);
        }
        if addr.is_multicast() {
            return (RouteType::Multicast, IfIndex::NONE);
        }
        let kind = match fib.local.lookup(addr, |_| true) {
            Some(r) if asked.is_none_or(|d| !d.is_some() || r.nexthops.iter().any(|n| n.dev == d)) => r.kind,
            _ => RouteType::Unicast,
        };
        return (kind, IfIndex::NONE);
    }
    // nft_fib_can_skip
    if matches!(cx.hook, Hook::Prerouting | Hook::Input) && cx.iif == IfIndex(1) {
        return (RouteType::Unicast, cx.iif);
    }
    let Some((_, route)) = fib.lookup(addr, |_| true) else { return (RouteType::Unreachable, IfIndex::NONE) };
    if route.kind != RouteType::Unicast {
        return (route.kind, IfIndex::NONE);
    }
    let oif = match asked {
        Some(dev) if route.nexthops.iter().any(|n| n.dev == dev) => dev,
        Some(_) => IfIndex::NONE,
        None => route.nexthops.first().map_or(IfIndex::NONE, |n| n.dev),
    };
    (route.kind, oif)
}

/// A value as it lies in the kernel's registers: each part filled up to four bytes.
fn registers(types: &[DataType], v: &[u8]) -> Vec<u8> {
    let mut out = Vec::with_capacity(v.len() + 8);
    let mut at = 0;
    for t in types {
        let part = v.get(at..at + t.len()).unwrap_or_default();
        at += t.len();
        if t.is_host_endian() && *t != DataType::IfName {
            out.extend(part.iter().rev());
        } else {
            out.extend_from_slice(part);
        }
        while out.len() % 4 != 0 {
            out.push(0);
        }
    }
    out
}

/// A hash of the flow, the same in both directions.
fn flow_hash(frame: &Frame) -> u32 {
    let Net::Ipv4(p) = &frame.net else { return 0 };
    let Some(t) = Tuple::<Ipv4Addr>::of(p) else { return 0 };
    let (a, b) = ((u32::from(t.src), t.source().port), (u32::from(t.dst), t.destination().port));
    let (a, b) = if a < b { (a, b) } else { (b, a) };
    let mut key = [0u8; 16];
    key[..4].copy_from_slice(&a.0.to_be_bytes());
    key[4..8].copy_from_slice(&b.0.to_be_bytes());
    key[8..10].copy_from_slice(&a.1.to_be_bytes());
    key[10..12].copy_from_slice(&b.1.to_be_bytes());
    key[12] = t.protocol.0;
    jhash(&key, 0)
}

/// Bob Jenkins' hash, as the kernel has it (include/linux/jhash.h).
pub fn jhash(key: &[u8], seed: u32) -> u32 {
    let start = 0xdead_beef_u32.wrapping_add(key.len() as u32).wrapping_add(seed);
    let (mut a, mut b, mut c) = (start, start, start);
    let word = |k: &[u8], i: usize| -> u32 { (0..4).fold(0, |w, n| w | u32::from(k.get(i + n).copied().unwrap_or(0)) << (8 * n)) };
    let mut k = key;
    while k.len() > 12 {
        a = a.wrapping_add(word(k, 0));
        b = b.wrapping_add(word(k, 4));
        c = c.wrapping_add(word(k, 8));
        for (x, y, z, r) in [(0, 2, 1, 4), (1, 0, 2, 6), (2, 1, 0, 8), (0, 2, 1, 16), (1, 0, 2, 19), (2, 1, 0, 4)] {
            let mut s = [a, b, c];
            s[x] = s[x].wrapping_sub(s[y]) ^ s[y].rotate_left(r);
            s[y] = s[y].wrapping_add(s[z]);
            [a, b, c] = s;
        }
        k = &k[12..];
    }
    if k.is_empty() {
        return c;
    }
    a = a.wrapping_add(word(k, 0));
    b = b.wrapping_add(word(k, 4));
    c = c.wrapping_add(word(k, 8));
    for (x, y, r) in [(2, 1, 14), (0, 2, 11), (1, 0, 25), (2, 1, 16), (0, 2, 4), (1, 0, 14), (2, 1, 24)] {
        let mut s = [a, b, c];
        s[x] = (s[x] ^ s[y]).wrapping_sub(s[y].rotate_left(r));
        [a, b, c] = s;
    }
    c
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn comparisons() {
        let port = Expr::Field(super::super::Field::TcpDport);
        let d = |b: &[u8]| Data::from_slice(b);
        let check = |op, right: Rhs, v: &[u8], expect| assert_eq!(compare(&port, op, &right, v), Some(expect), "{op:?} {right:?}");
        check(RelOp::Implicit, Rhs::Value(d(&[0, 80])), &[0, 80], true);
        check(RelOp::Ne, Rhs::Value(d(&[0, 80])), &[0, 80], false);
        check(RelOp::Ge, Rhs::Value(d(&[4, 0])), &[4, 0], true);
        check(RelOp::Lt, Rhs::Value(d(&[4, 0])), &[3, 255], true);
        check(RelOp::Implicit, Rhs::Range(d(&[0, 80]), d(&[0, 90])), &[0, 85], true);
        check(RelOp::Ne, Rhs::Range(d(&[0, 80]), d(&[0, 90])), &[0, 91], true);
        let addr = Expr::Field(super::super::Field::IpSaddr);
        let prefix = Rhs::Prefix(d(&[10, 0, 0, 0]), 9);
        assert_eq!(compare(&addr, RelOp::Implicit, &prefix, &[10, 127, 1, 1]), Some(true));
        assert_eq!(compare(&addr, RelOp::Implicit, &prefix, &[10, 128, 1, 1]), Some(false));
        let flags = Expr::Field(super::super::Field::TcpFlags);
        assert_eq!(compare(&flags, RelOp::Implicit, &Rhs::Value(d(&[0x12])), &[0x02]), Some(true));
        assert_eq!(compare(&flags, RelOp::Eq, &Rhs::Value(d(&[0x12])), &[0x02]), Some(false));
        assert_eq!(compare(&flags, RelOp::Neg, &Rhs::Value(d(&[0x12])), &[0x04]), Some(true));
        assert_eq!(compare(&flags, RelOp::Implicit, &Rhs::Flags(d(&[0x02]), d(&[0x12])), &[0x0a]), Some(true));
    }

    #[test]
    fn hash_of_the_kernel() {
        // jhash of nothing is the seed's own start; of one word it is jhash_1word
        assert_eq!(jhash(&[], 0), 0xdead_beef);
        assert_ne!(jhash(&[1, 2, 3, 4], 0), jhash(&[1, 2, 3, 4], 1));
        assert_eq!(jhash(b"", 5), 0xdead_bef4);
    }
}
