//! Whether a rule fits a packet, and if not, where it does not.
//!
//! Models: net/ipv4/netfilter/ip_tables.c ip_packet_match; the rules of iptables-nft ask in the same order.
//!
//! The walk and the report use the same functions: the walk with a [`Memory`] that draws and counts, the report
//! with one that repeats what was recorded.

use super::matches::{Field, Match};
use super::spec::{RuleSpec, ip_of};
use super::xtables::Rule;
use crate::linux::conntrack::CtView;
use crate::linux::fib::{Fib, RouteType};
use crate::linux::ipset::{IpSets, Key};
use crate::linux::netfilter::Hook;
use crate::linux::{IfIndex, PktType, RowId, Time};
use crate::packet::{Address, Body, Family, IpAddr, Ipv4Addr, Ipv4Packet, Ipv6Addr, Ipv6Packet, Mac, Protocol, TcpFlags, Tuple};

use std::sync::Arc;

/// Original and reply tuple of a packet's flow.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CtTuples {
    /// Of an IPv4 flow.
    V4(Tuple<Ipv4Addr>, Tuple<Ipv4Addr>),
    /// Of an IPv6 flow.
    V6(Tuple<Ipv6Addr>, Tuple<Ipv6Addr>),
}

/// A packet of either family.
#[derive(Clone, Copy, Debug)]
pub enum Packet<'a> {
    /// IPv4.
    V4(&'a Ipv4Packet),
    /// IPv6.
    V6(&'a Ipv6Packet),
}

/// What rules may see of a packet.
#[derive(Clone, Copy, Debug)]
pub struct MatchCx<'a> {
    /// The packet.
    pub packet: Packet<'a>,
    /// What it carries.
    pub body: &'a Body,
    /// Source address as a number.
    pub src: u128,
    /// Destination address as a number.
    pub dst: u128,
    /// Whose packet it is.
    pub family: Family,
    /// Protocol; of an IPv6 packet that behind its extension headers.
    pub protocol: Protocol,
    /// Where the protocol's header begins in the body, in bytes: behind the extension headers of an IPv6 packet.
    pub thoff: u16,
    /// Offset of a fragment in bytes.
    pub frag_offset: u16,
    /// TOS field, or traffic class.
    pub tos: u8,
    /// Time to live, or hop limit.
    pub ttl: u8,
    /// Length of the packet in bytes, its own header included.
    pub len: u32,
    /// The hook.
    pub hook: Hook,
    /// Name of the input device; empty for none.
    pub iif: &'a str,
    /// Name of the output device; empty for none.
    pub oif: &'a str,
    /// Index of the input device.
    pub iif_index: IfIndex,
    /// Index of the output device.
    pub oif_index: IfIndex,
    /// What the packet is to its flow.
    pub ct: CtView,
    /// Original and reply tuple of its flow, where they are known.
    pub ct_tuples: Option<CtTuples>,
    /// The mark.
    pub mark: u32,
    /// The mark of its flow; none without one.
    pub ct_mark: Option<u32>,
    /// Whom its frame was for.
    pub pkt_type: PktType,
    /// Now, for what ends by itself.
    pub now: Time,
    /// The bridge ports it came in by and will leave by, if it is bridged; empty for none.
    pub phys: Option<(&'a str, &'a str)>,
    /// Source hardware address, if it came in with a link header.
    pub mac_source: Option<Mac>,
    /// The IPv4 routes of the namespace, for address types.
    pub fib: Option<&'a Fib<Ipv4Addr>>,
    /// The IPv6 routes.
    pub fib6: Option<&'a Fib<Ipv6Addr>>,
    /// Whether the packet is not to be tracked (NOTRACK).
    pub untracked: bool,
    /// The sets of the namespace.
    pub sets: Option<&'a IpSets>,
    /// What a match with a memory drew or counted, for explanations.
    pub memory_seen: Option<u32>,
}

impl<'a> MatchCx<'a> {
    /// An IPv4 packet at a hook with nothing else known.
    #[inline]
    pub fn new(ip: &'a Ipv4Packet, hook: Hook) -> Self {
        let h = &ip.header;
        MatchCx {
            src: h.src.to_bits().into(),
            dst: h.dst.to_bits().into(),
            frag_offset: h.fragment_offset,
            tos: h.tos,
            ttl: h.ttl,
            len: ip.len() as u32,
            ..MatchCx::of(Packet::V4(ip), &ip.body, Family::Inet, hook)
        }
    }

    /// An IPv6 packet at a hook with nothing else known.
    #[inline]
    pub fn new6(ip: &'a Ipv6Packet, hook: Hook) -> Self {
        let h = &ip.header;
        let (protocol, thoff, frag_offset) = super::ipv6::transport(&ip.body);
        MatchCx {
            src: Address::to_bits(h.src),
            dst: Address::to_bits(h.dst),
            protocol,
            thoff,
            frag_offset,
            tos: h.traffic_class,
            ttl: h.hop_limit,
            len: ip.len() as u32,
            ..MatchCx::of(Packet::V6(ip), &ip.body, Family::Inet6, hook)
        }
    }

    #[inline]
    fn of(packet: Packet<'a>, body: &'a Body, family: Family, hook: Hook) -> Self {
        MatchCx {
            packet,
            body,
            src: 0,
            dst: 0,
            family,
            protocol: body.protocol(),
            thoff: 0,
            frag_offset: 0,
            tos: 0,
            ttl: 0,
            len: 0,
            hook,
            iif: "",
            oif: "",
            iif_index: IfIndex::NONE,
            oif_index: IfIndex::NONE,
            ct: CtView::default(),
            ct_tuples: None,
            mark: 0,
            ct_mark: None,
            pkt_type: PktType::Host,
            now: Time::ZERO,
            phys: None,
            mac_source: None,
            fib: None,
            fib6: None,
            untracked: false,
            sets: None,
            memory_seen: None,
        }
    }

    /// The source address.
    pub fn src_ip(&self) -> IpAddr {
        ip_of(self.src, self.family)
    }

    /// The destination address.
    pub fn dst_ip(&self) -> IpAddr {
        ip_of(self.dst, self.family)
    }

    /// The bytes of the transport header of a packet that was not taken apart, from its first byte on.
    fn raw(&self, protocol: Protocol) -> Option<&'a [u8]> {
        match self.body {
            Body::Fragment { bytes, .. } | Body::Other { bytes, .. } if self.protocol == protocol && self.frag_offset == 0 => {
                bytes.get(usize::from(self.thoff)..)
            }
            _ => None,
        }
    }

    /// Source and destination port, if the packet is of that protocol and its header is at hand.
    #[inline]
    pub fn ports(&self, protocol: Protocol) -> Option<(u16, u16)> {
        match self.body {
            Body::Tcp(t) if protocol == Protocol::TCP => Some((t.src_port, t.dst_port)),
            Body::Udp(u) if protocol == Protocol::UDP => Some((u.src_port, u.dst_port)),
            _ => ports_of(self.raw(protocol)?),
        }
    }

    /// Source and destination port of any protocol that has them (tcp, udp, udplite, sctp, dccp).
    #[inline]
    pub fn any_ports(&self) -> Option<(u16, u16)> {
        if matches!(self.protocol.0, 6 | 17 | 33 | 132 | 136) { self.ports(self.protocol) } else { None }
    }

    /// The bytes from the transport header on, of a packet whose transport is not taken apart.
    pub fn transport(&self) -> Option<&'a [u8]> {
        self.raw(self.protocol)
    }

    /// The extension headers of an IPv6 packet: protocol, where it begins, bytes.
    pub(crate) fn extensions(&self) -> Vec<super::ipv6::Extension<'a>> {
        if self.family == Family::Inet6 { super::ipv6::extensions(self.body) } else { Vec::new() }
    }

    /// The whole packet as bytes.
    pub fn bytes(&self) -> Vec<u8> {
        match self.packet {
            Packet::V4(p) => p.encode(),
            Packet::V6(p) => p.encode(),
        }
    }

    /// The control bits of a TCP segment.
    #[inline]
    pub fn tcp_flags(&self) -> Option<TcpFlags> {
        match self.body {
            Body::Tcp(t) => Some(t.flags),
            _ => self.raw(Protocol::TCP)?.get(13).map(|b| TcpFlags(*b)),
        }
    }

    /// Type and code of an ICMP message.
    #[inline]
    pub fn icmp(&self) -> Option<(u8, u8)> {
        match self.body {
            Body::Icmp(m) => Some(m.type_code()),
            _ => {
                let b = self.raw(Protocol::ICMP)?;
                Some((*b.first()?, *b.get(1)?))
            }
        }
    }

    /// Type and code of an ICMPv6 message.
    #[inline]
    pub fn icmp6(&self) -> Option<(u8, u8)> {
        match self.body {
            Body::Icmpv6(m) => Some(m.type_code()),
            _ => {
                let b = self.raw(Protocol::ICMPV6)?;
                Some((*b.first()?, *b.get(1)?))
            }
        }
    }

    /// What the packet carries, in a word.
    pub fn body_seen(&self) -> String {
        match self.frag_offset {
            0 => self.protocol.to_string(),
            n => format!("fragment at {n}"),
        }
    }

    /// What the source or destination is to this host (inet_addr_type, ipv6_addr_type); with `dev`, only what the device has counts.
    pub fn addr_type(&self, addr: u128, dev: Option<IfIndex>) -> RouteType {
        match self.family {
            Family::Inet => self.addr_type4(Ipv4Addr::from_bits(addr as u32), dev),
            Family::Inet6 => self.addr_type6(Ipv6Addr::from_bits(addr), dev),
        }
    }

    fn addr_type6(&self, addr: Ipv6Addr, dev: Option<IfIndex>) -> RouteType {
        if addr.is_multicast() {
            return RouteType::Multicast;
        }
        let Some(fib) = self.fib6 else { return RouteType::Unicast };
        match fib.lookup(addr, |r| dev.is_none_or(|d| r.nexthops.iter().any(|n| n.dev == d))) {
            Some((_, r)) => match r.kind {
                RouteType::Local | RouteType::Unreachable | RouteType::Blackhole | RouteType::Prohibit => r.kind,
                _ => RouteType::Unicast,
            },
            None => RouteType::Unreachable,
        }
    }

    fn addr_type4(&self, addr: Ipv4Addr, dev: Option<IfIndex>) -> RouteType {
        if addr.octets()[0] == 0 || addr.is_broadcast() {
            return RouteType::Broadcast;
        }
        if addr.is_multicast() {
            return RouteType::Multicast;
        }
        let Some(fib) = self.fib else { return RouteType::Unicast };
        match fib.local.lookup(addr, |_| true) {
            Some(r)
                if matches!(r.kind, RouteType::Local | RouteType::Broadcast | RouteType::Multicast)
                    && dev.is_none_or(|d| r.nexthops.iter().any(|n| n.dev == d)) =>
            {
                r.kind
            }
            _ => RouteType::Unicast,
        }
    }
}

fn ports_of(bytes: &[u8]) -> Option<(u16, u16)> {
    let b = bytes.get(..4)?;
    Some((u16::from_be_bytes([b[0], b[1]]), u16::from_be_bytes([b[2], b[3]])))
}

/// One match of one rule: the rule's row and the match's place in it.
pub type MatchAt = (RowId, u16);

/// Where matches get their answer that have a memory or a die, or ask what only the running kernel knows.
pub trait Memory {
    /// Whether the match fits this time.
    fn ask(&mut self, at: MatchAt, m: &Match, cx: &MatchCx<'_>) -> bool;

    /// Counts a packet of so many bytes for an element of a set.
    fn counted(&mut self, set: &Arc<str>, key: Key, bytes: u32) {
        let _ = (set, key, bytes);
    }
}

/// Such answers as they were recorded: which match, whether it fitted, draw or counter.
#[derive(Clone, Copy, Debug)]
pub struct Recorded<'a>(pub &'a [(MatchAt, bool, u32)]);

impl Memory for Recorded<'_> {
    fn ask(&mut self, at: MatchAt, _: &Match, _: &MatchCx<'_>) -> bool {
        self.0.iter().any(|(r, matched, _)| *r == at && *matched)
    }
}

/// Where a packet did not fit a rule.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Miss {
    /// Which match, by its place in the rule; none for the rule's own addresses, devices and protocol.
    pub at: Option<u16>,
    /// Which part or option: `source`, `destination`, `in-interface`, `out-interface`, `protocol`, `fragment`, or an option's name.
    pub field: Field,
}

impl RuleSpec {
    /// Whether the packet fits the addresses, devices and protocol (ip_packet_match).
    ///
    /// # Errors
    /// The part that it does not fit.
    #[inline]
    pub fn eval_ip(&self, cx: &MatchCx<'_>) -> Result<(), Field> {
        if !self.src.holds(cx.src) {
            return Err("source");
        }
        if !self.dst.holds(cx.dst) {
            return Err("destination");
        }
        if let Some(m) = &self.iif
            && !m.holds(cx.iif)
        {
            return Err("in-interface");
        }
        if let Some(m) = &self.oif
            && !m.holds(cx.oif)
        {
            return Err("out-interface");
        }
        if let Some(p) = self.protocol
            && (p.protocol == cx.protocol) == p.invert
        {
            return Err("protocol");
        }
        if let Some(wanted) = self.fragment
            && (cx.frag_offset != 0) != wanted
        {
            return Err("fragment");
        }
        Ok(())
    }

    /// Whether the packet fits the whole rule. `row` names the rule to matches with a memory.
    ///
    /// # Errors
    /// The first part that it does not fit.
    #[inline]
    pub fn eval<M: Memory>(&self, cx: &MatchCx<'_>, row: RowId, memory: &mut M) -> Result<(), Miss> {
        self.eval_ip(cx).map_err(|field| Miss { at: None, field })?;
        for (i, m) in self.matches.iter().enumerate() {
            m.eval(cx, (row, i as u16), memory).map_err(|field| Miss { at: Some(i as u16), field })?;
        }
        Ok(())
    }

    /// What the rule wanted where it missed, and what it saw.
    pub fn explain(&self, miss: Miss, cx: &MatchCx<'_>) -> (String, String) {
        let not = |invert: bool| if invert { "not " } else { "" };
        let dev = |d: &str| if d.is_empty() { "none".to_owned() } else { d.to_owned() };
        if let Some(at) = miss.at {
            return self.matches.get(usize::from(at)).map(|m| m.explain(miss.field, cx)).unwrap_or_default();
        }
        match miss.field {
            "source" => (format!("{}{}", not(self.src.invert), self.src), cx.src_ip().to_string()),
            "destination" => (format!("{}{}", not(self.dst.invert), self.dst), cx.dst_ip().to_string()),
            "in-interface" => (self.iif.as_ref().map(|m| format!("{}{}", not(m.invert), m.name)).unwrap_or_default(), dev(cx.iif)),
            "out-interface" => (self.oif.as_ref().map(|m| format!("{}{}", not(m.invert), m.name)).unwrap_or_default(), dev(cx.oif)),
            "protocol" => (self.protocol.map(|p| format!("{}{}", not(p.invert), p.protocol)).unwrap_or_default(), cx.protocol.to_string()),
            _ => {
                let words = |further: bool| if further { "a further fragment" } else { "no further fragment" }.to_owned();
                (words(self.fragment == Some(true)), words(cx.frag_offset != 0))
            }
        }
    }
}

impl Rule {
    /// Whether the packet fits.
    ///
    /// # Errors
    /// The first part that it does not fit.
    #[inline]
    pub fn eval<M: Memory>(&self, cx: &MatchCx<'_>, memory: &mut M) -> Result<(), Miss> {
        self.spec.eval(cx, self.row, memory)
    }
}
