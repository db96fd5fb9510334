//! Whether a rule fits a packet, and if not, where it does not.
//!
//! Models: net/ipv4/netfilter/ip_tables.c ip_packet_match; the rules of iptables-nft ask in the same order.
//!
//! The walk and the report use the same functions: the walk with a [`Memory`] that draws and counts, the report
//! with one that repeats what was recorded.

use super::matches::{Field, Statistic};
use super::spec::RuleSpec;
use super::xtables::Rule;
use crate::linux::conntrack::CtView;
use crate::linux::fib::{Fib, RouteType};
use crate::linux::netfilter::Hook;
use crate::linux::{IfIndex, RowId};
use crate::packet::{Body, Ipv4Addr, Ipv4Packet, Mac, Protocol, TcpFlags, Tuple};

/// What rules may see of a packet.
#[derive(Clone, Copy, Debug)]
pub struct MatchCx<'a> {
    /// The packet.
    pub ip: &'a Ipv4Packet,
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
    pub ct_tuples: Option<(Tuple<Ipv4Addr>, Tuple<Ipv4Addr>)>,
    /// The mark.
    pub mark: u32,
    /// The bridge ports it came in by and will leave by, if it is bridged; empty for none.
    pub phys: Option<(&'a str, &'a str)>,
    /// Source hardware address, if it came in with a link header.
    pub mac_source: Option<Mac>,
    /// The routes of the namespace, for address types.
    pub fib: Option<&'a Fib<Ipv4Addr>>,
    /// What a match with a memory drew or counted, for explanations.
    pub memory_seen: Option<u32>,
}

impl<'a> MatchCx<'a> {
    /// A packet at a hook with nothing else known.
    pub fn new(ip: &'a Ipv4Packet, hook: Hook) -> Self {
        MatchCx {
            ip,
            hook,
            iif: "",
            oif: "",
            iif_index: IfIndex::NONE,
            oif_index: IfIndex::NONE,
            ct: CtView::default(),
            ct_tuples: None,
            mark: 0,
            phys: None,
            mac_source: None,
            fib: None,
            memory_seen: None,
        }
    }

    /// Source and destination port, if the packet is of that protocol and its header is at hand.
    #[inline]
    pub fn ports(&self, protocol: Protocol) -> Option<(u16, u16)> {
        match &self.ip.body {
            Body::Tcp(t) if protocol == Protocol::TCP => Some((t.src_port, t.dst_port)),
            Body::Udp(u) if protocol == Protocol::UDP => Some((u.src_port, u.dst_port)),
            Body::Fragment { protocol: p, bytes } | Body::Other { protocol: p, bytes }
                if *p == protocol && self.ip.header.fragment_offset == 0 =>
            {
                ports_of(bytes)
            }
            _ => None,
        }
    }

    /// Source and destination port of any protocol that has them (tcp, udp, udplite, sctp, dccp).
    #[inline]
    pub fn any_ports(&self) -> Option<(u16, u16)> {
        let protocol = self.ip.body.protocol();
        if matches!(protocol.0, 6 | 17 | 33 | 132 | 136) { self.ports(protocol) } else { None }
    }

    /// The control bits of a TCP segment.
    #[inline]
    pub fn tcp_flags(&self) -> Option<TcpFlags> {
        match &self.ip.body {
            Body::Tcp(t) => Some(t.flags),
            Body::Fragment { protocol: Protocol::TCP, bytes } if self.ip.header.fragment_offset == 0 => bytes.get(13).map(|b| TcpFlags(*b)),
            _ => None,
        }
    }

    /// Type and code of an ICMP message.
    #[inline]
    pub fn icmp(&self) -> Option<(u8, u8)> {
        match &self.ip.body {
            Body::Icmp(m) => Some(m.type_code()),
            Body::Fragment { protocol: Protocol::ICMP, bytes } if self.ip.header.fragment_offset == 0 => {
                Some((*bytes.first()?, *bytes.get(1)?))
            }
            _ => None,
        }
    }

    /// What the packet carries, in a word.
    pub fn body_seen(&self) -> String {
        match self.ip.header.fragment_offset {
            0 => self.ip.body.protocol().to_string(),
            n => format!("fragment at {n}"),
        }
    }

    /// What `addr` is to this host (inet_addr_type); with `dev`, only what the device has counts.
    pub fn addr_type(&self, addr: Ipv4Addr, dev: Option<IfIndex>) -> RouteType {
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

/// Where matches with a memory or a die get their answer.
pub trait Memory {
    /// Whether the match of the rule `row` fits this time.
    fn statistic(&mut self, row: RowId, m: &Statistic) -> bool;
}

/// Answers of matches with a memory as they were recorded: rule, whether it matched, draw or counter.
#[derive(Clone, Copy, Debug)]
pub struct Recorded<'a>(pub &'a [(RowId, bool, u32)]);

impl Memory for Recorded<'_> {
    fn statistic(&mut self, row: RowId, _: &Statistic) -> bool {
        self.0.iter().any(|(r, matched, _)| *r == row && *matched)
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
        let h = &cx.ip.header;
        if !self.src.holds(h.src) {
            return Err("source");
        }
        if !self.dst.holds(h.dst) {
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
            && (p.protocol == cx.ip.body.protocol()) == p.invert
        {
            return Err("protocol");
        }
        if let Some(wanted) = self.fragment
            && (h.fragment_offset != 0) != wanted
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
            m.eval(cx, row, memory).map_err(|field| Miss { at: Some(i as u16), field })?;
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
            "source" => (format!("{}{}", not(self.src.invert), self.src), cx.ip.header.src.to_string()),
            "destination" => (format!("{}{}", not(self.dst.invert), self.dst), cx.ip.header.dst.to_string()),
            "in-interface" => (self.iif.as_ref().map(|m| format!("{}{}", not(m.invert), m.name)).unwrap_or_default(), dev(cx.iif)),
            "out-interface" => (self.oif.as_ref().map(|m| format!("{}{}", not(m.invert), m.name)).unwrap_or_default(), dev(cx.oif)),
            "protocol" => {
                (self.protocol.map(|p| format!("{}{}", not(p.invert), p.protocol)).unwrap_or_default(), cx.ip.body.protocol().to_string())
            }
            _ => {
                let words = |further: bool| if further { "a further fragment" } else { "no further fragment" }.to_owned();
                (words(self.fragment == Some(true)), words(cx.ip.header.fragment_offset != 0))
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
