//! One frame, one line, or two with `-v`.
//!
//! Models: tcpdump 4.99.3 print.c, print-ether.c, print-sll.c, print-ip.c, print-ip6.c, print-tcp.c (relative sequence numbers), print-udp.c.

use super::Tcpdump;
use crate::linux::Time;
use crate::packet::{Body, Frame, Ipv4Header, Net, Protocol, Tcp, TcpFlags};
use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::net::IpAddr;

/// The two ends of a connection, the smaller one first.
type Ends = ((IpAddr, u16), (IpAddr, u16));

/// Writes frames as tcpdump does, and remembers where connections began to count.
#[derive(Debug)]
pub(super) struct Printer<'t> {
    options: &'t Tcpdump,
    any: bool,
    /// The numbers from which both directions of a connection count.
    bases: BTreeMap<Ends, (u32, u32)>,
    last: Option<Time>,
    /// What was written.
    pub(super) text: String,
}

fn clock(at: Time) -> String {
    let us = at.0 / 1_000;
    let s = us / 1_000_000;
    format!("{:02}:{:02}:{:02}.{:06}", s / 3_600 % 24, s / 60 % 60, s % 60, us % 1_000_000)
}

/// A protocol's name and number, as `-v` tells it.
fn protocol_words(p: Protocol) -> String {
    let name = match p.0 {
        1 => "ICMP",
        2 => "IGMP",
        4 => "IPIP",
        6 => "TCP",
        17 => "UDP",
        41 => "IPv6",
        47 => "GRE",
        58 => "ICMPv6",
        132 => "SCTP",
        _ => "unknown",
    };
    format!("{name} ({})", p.0)
}

fn ethertype_words(t: u16) -> String {
    let name = match t {
        0x0800 => "IPv4",
        0x0806 => "ARP",
        0x86dd => "IPv6",
        0x8100 => "802.1Q",
        _ => "Unknown",
    };
    format!("{name} (0x{t:04x})")
}

impl<'t> Printer<'t> {
    pub(super) fn new(options: &'t Tcpdump, any: bool) -> Self {
        Printer { options, any, bases: BTreeMap::new(), last: None, text: String::new() }
    }

    /// Writes a frame seen at `at` on a device (its name and index), going that `way`.
    pub(super) fn frame(&mut self, at: Time, (dev, index): (&str, u32), way: &str, mut frame: Frame) {
        let before = self.last.replace(at);
        match self.options.times {
            0 => self.text += &format!("{} ", clock(at)),
            1 => {}
            2 => self.text += &format!("{}.{:06} ", at.0 / 1_000_000_000, at.0 / 1_000 % 1_000_000),
            3 => self.text += &format!(" {} ", clock(Time(at.0.saturating_sub(before.unwrap_or(at).0)))),
            4 => self.text += &format!("1970-01-01 {} ", clock(at)),
            _ => self.text += &format!(" {} ", clock(at)),
        }
        let len = frame.len();
        let ethertype = frame.net.ethertype();
        if self.any {
            let _ = write!(self.text, "{dev:<5} {way} ");
        }
        if let Some(ends) = ends(&frame.net) {
            self.count_from(ends, &mut frame);
        }
        let mut words = frame.summary();
        if self.options.link {
            if self.any {
                let _ = write!(self.text, "ifindex {index} {} ", frame.eth.src);
            } else {
                let _ = write!(self.text, "{} > {}, ", frame.eth.src, frame.eth.dst);
            }
            let _ = write!(self.text, "ethertype {}, length {}: ", ethertype_words(ethertype), if self.any { len + 6 } else { len });
            // the family has been said
            for family in ["IP6 ", "IP ", "ARP, "] {
                if let Some(rest) = words.strip_prefix(family) {
                    words = rest.to_owned();
                    break;
                }
            }
        }
        if self.options.quick {
            words = quick(&frame.net, words);
        }
        if self.options.verbose > 0 {
            words = self.verbosely(&frame.net, words);
        }
        self.text += &words;
        self.text.push('\n');
    }

    /// Counts sequence numbers of a connection from its beginning; its first packets tell them as they are.
    fn count_from(&mut self, (src, dst): ((IpAddr, u16), (IpAddr, u16)), frame: &mut Frame) {
        if self.options.absolute {
            return;
        }
        let Some(tcp) = tcp_mut(&mut frame.net) else { return };
        let reversed = src > dst;
        let key = if reversed { (dst, src) } else { (src, dst) };
        let syn = tcp.flags.0 & TcpFlags::SYN.0 != 0;
        match self.bases.get(&key) {
            Some((seq, ack)) if !syn => {
                let (own, other) = if reversed { (*ack, *seq) } else { (*seq, *ack) };
                tcp.seq = tcp.seq.wrapping_sub(own);
                tcp.ack = tcp.ack.wrapping_sub(other);
            }
            _ => {
                let other = tcp.ack.wrapping_sub(1);
                let bases = if reversed { (other, tcp.seq) } else { (tcp.seq, other) };
                self.bases.insert(key, bases);
            }
        }
    }

    /// The line with `-v`: the IP header first, in brackets, then the rest on a line of its own.
    fn verbosely(&self, net: &Net, words: String) -> String {
        let (header, body, pseudo, len) = match net {
            Net::Ipv4(p) => (ipv4_words(&p.header, p.body.protocol(), p.len()), &p.body, p.header.pseudo(), p.body.len()),
            Net::Ipv6(p) => {
                let h = &p.header;
                let text =
                    format!("(hlim {}, next-header {} payload length: {})", h.hop_limit, protocol_words(p.body.protocol()), p.body.len());
                (text, &p.body, h.pseudo(), p.body.len())
            }
            Net::Arp(_) | Net::Other { .. } => {
                return words.replacen("ARP, Request", "ARP, Ethernet (len 6), IPv4 (len 4), Request", 1).replacen(
                    "ARP, Reply",
                    "ARP, Ethernet (len 6), IPv4 (len 4), Reply",
                    1,
                );
            }
        };
        let (family, rest) = match net {
            Net::Ipv6(_) => ("IP6 ", words.strip_prefix("IP6 ").unwrap_or(&words)),
            _ => ("IP ", words.strip_prefix("IP ").unwrap_or(&words)),
        };
        let said = rest.len() == words.len();
        let rest = match body {
            Body::Tcp(t) if len >= Tcp::HEADER_LEN => {
                // with -v the sum is told, and the sequence number of every segment
                let sum = t.checksum(pseudo);
                let right = Tcp { checksum_error: 0, ..t.clone() }.checksum(pseudo);
                let sum = if t.checksum_error == 0 {
                    format!("cksum 0x{sum:04x} (correct)")
                } else {
                    format!("cksum 0x{sum:04x} (incorrect -> 0x{right:04x})")
                };
                let rest = rest.replacen("], ", &format!("], {sum}, "), 1);
                let silent = t.payload.is_empty() && t.flags.0 & (TcpFlags::SYN.0 | TcpFlags::FIN.0 | TcpFlags::RST.0) == 0;
                if silent && self.options.verbose > 1 { rest.replacen("), ", &format!("), seq {}, ", t.seq), 1) } else { rest }
            }
            Body::Udp(u) => {
                let sum = match (u.no_checksum, u.checksum_error) {
                    (true, _) => "[no cksum] ",
                    (false, 0) => "[udp sum ok] ",
                    _ => "[bad udp cksum] ",
                };
                rest.replacen(": ", &format!(": {sum}"), 1)
            }
            _ => rest.to_owned(),
        };
        let first = if said { "" } else { family };
        match net {
            Net::Ipv6(_) => format!("{first}{header} {rest}"),
            _ => format!("{first}{header}\n    {rest}"),
        }
    }
}

fn ipv4_words(h: &Ipv4Header, protocol: Protocol, len: usize) -> String {
    let flags = match (h.dont_fragment, h.more_fragments) {
        (true, true) => "+, DF",
        (true, false) => "DF",
        (false, true) => "+",
        (false, false) => "none",
    };
    let mut out = format!("(tos 0x{:x}", h.tos);
    match h.tos & 3 {
        1 => out += ",ECT(1)",
        2 => out += ",ECT(0)",
        3 => out += ",CE",
        _ => {}
    }
    let _ = write!(
        out,
        ", ttl {}, id {}, offset {}, flags [{flags}], proto {}, length {len})",
        h.ttl,
        h.id,
        h.fragment_offset,
        protocol_words(protocol)
    );
    out
}

/// `-q`: the transport in a word.
fn quick(net: &Net, words: String) -> String {
    let (body, tail) = match net {
        Net::Ipv4(p) => (&p.body, p.header.fragment_offset == 0),
        Net::Ipv6(p) => (&p.body, true),
        Net::Arp(_) | Net::Other { .. } => return words,
    };
    let Some((ends, _)) = words.split_once(": ").filter(|_| tail) else { return words };
    match body {
        Body::Tcp(t) => format!("{ends}: tcp {}", t.payload.len()),
        Body::Udp(u) => format!("{ends}: UDP, length {}", u.payload.len()),
        _ => words,
    }
}

fn tcp_mut(net: &mut Net) -> Option<&mut Tcp> {
    let body = match net {
        Net::Ipv4(p) => &mut p.body,
        Net::Ipv6(p) => &mut p.body,
        Net::Arp(_) | Net::Other { .. } => return None,
    };
    match body {
        Body::Tcp(t) => Some(t),
        _ => None,
    }
}

fn ends(net: &Net) -> Option<((IpAddr, u16), (IpAddr, u16))> {
    let (src, dst, body): (IpAddr, IpAddr, &Body) = match net {
        Net::Ipv4(p) => (p.header.src.into(), p.header.dst.into(), &p.body),
        Net::Ipv6(p) => (p.header.src.into(), p.header.dst.into(), &p.body),
        Net::Arp(_) | Net::Other { .. } => return None,
    };
    match body {
        Body::Tcp(t) => Some(((src, t.src_port), (dst, t.dst_port))),
        _ => None,
    }
}
