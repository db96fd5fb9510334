//! Filter expressions of tcpdump.
//!
//! Models: pcap-filter(7), libpcap 1.10 grammar.y and gencode.c: qualifiers that carry over to the next identifier, `and` and `or` of
//! equal rank, byte access with arithmetic. Simplifies: names of hosts are not looked up; `vlan` anywhere in an expression lets every
//! other term look behind the tag; IPv6 extension headers are not skipped, as in libpcap.

mod parse;

use super::bytes::View;
use crate::packet::{Address, Ipv4Addr, Ipv6Addr, Mac, Prefix};

/// Which end of a packet is looked at.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub enum Dir {
    /// `src`.
    Src,
    /// `dst`.
    Dst,
    /// `src or dst`, and nothing at all.
    #[default]
    Either,
    /// `src and dst`.
    Both,
}

impl Dir {
    fn test(self, src: bool, dst: bool) -> bool {
        match self {
            Dir::Src => src,
            Dir::Dst => dst,
            Dir::Either => src || dst,
            Dir::Both => src && dst,
        }
    }
}

/// Protocols that a primitive can be limited to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Proto {
    /// `ether`.
    Ether,
    /// `ip`.
    Ip,
    /// `ip6`.
    Ip6,
    /// `arp`.
    Arp,
    /// A protocol above IP, by its number.
    Above(u8),
}

/// A number from a packet.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Arith {
    /// A constant.
    Number(u32),
    /// `len`.
    Len,
    /// `PROTO[OFFSET:SIZE]`.
    Byte(Proto, Box<Arith>, u8),
    /// Two of them with an operator.
    Pair(Box<Arith>, Operator, Box<Arith>),
}

/// An operator between numbers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Operator {
    /// `|`
    Or,
    /// `^`
    Xor,
    /// `&`
    And,
    /// `<<`
    Left,
    /// `>>`
    Right,
    /// `+`
    Add,
    /// `-`
    Sub,
    /// `*`
    Mul,
    /// `/`
    Div,
    /// `%`
    Mod,
}

/// A comparison.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Compare {
    /// `=`, `==`
    Equal,
    /// `!=`
    Unequal,
    /// `<`
    Less,
    /// `<=`
    AtMost,
    /// `>`
    More,
    /// `>=`
    AtLeast,
}

/// A filter expression.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Filter {
    /// No expression: everything.
    All,
    /// Both.
    And(Box<Filter>, Box<Filter>),
    /// One of them.
    Or(Box<Filter>, Box<Filter>),
    /// The opposite.
    Not(Box<Filter>),
    /// A protocol by its keyword.
    Proto(Proto),
    /// `ether proto N`.
    EtherType(u16),
    /// `ip proto N`, `ip6 proto N`.
    IpProto(Option<Proto>, u8),
    /// `vlan`, `vlan N`.
    Vlan(Option<u16>),
    /// `host`, `net` with IPv4: a host is a range of one.
    V4(Dir, Option<Proto>, Prefix<Ipv4Addr>),
    /// `host`, `net` with IPv6.
    V6(Dir, Prefix<Ipv6Addr>),
    /// `ether host`.
    Mac(Dir, Mac),
    /// `port`, `portrange`.
    Port(Dir, Option<u8>, u16, u16),
    /// `broadcast`, `ether broadcast`.
    Broadcast,
    /// `multicast`; of `ip` or `ip6` if so qualified.
    Multicast(Option<Proto>),
    /// `less N`.
    Shorter(u32),
    /// `greater N`.
    Longer(u32),
    /// A comparison of numbers.
    Relation(Arith, Compare, Arith),
}

impl Filter {
    /// Whether a frame passes.
    pub fn passes(&self, frame: &[u8]) -> bool {
        let view = View::new(frame, self.tagged());
        self.eval(&view)
    }

    fn tagged(&self) -> bool {
        match self {
            Filter::Vlan(_) => true,
            Filter::And(a, b) | Filter::Or(a, b) => a.tagged() || b.tagged(),
            Filter::Not(a) => a.tagged(),
            _ => false,
        }
    }

    fn eval(&self, v: &View<'_>) -> bool {
        match self {
            Filter::All => true,
            Filter::And(a, b) => a.eval(v) && b.eval(v),
            Filter::Or(a, b) => a.eval(v) || b.eval(v),
            Filter::Not(a) => !a.eval(v),
            Filter::Proto(p) => is_proto(v, *p),
            Filter::EtherType(t) => v.ethertype == *t,
            Filter::IpProto(family, n) => family.is_none_or(|f| is_proto(v, f)) && v.protocol() == Some(*n),
            Filter::Vlan(id) => v.vlan.is_some_and(|have| id.is_none_or(|want| want == have)),
            Filter::V4(dir, proto, range) => {
                if proto.is_some_and(|p| !is_proto(v, p)) {
                    return false;
                }
                v.ipv4_ends().is_some_and(|(s, d)| dir.test(range.contains(s), range.contains(d)))
            }
            Filter::V6(dir, range) => v.ipv6_ends().is_some_and(|(s, d)| dir.test(range.contains(s), range.contains(d))),
            Filter::Mac(dir, mac) => dir.test(v.source() == *mac, v.destination() == *mac),
            Filter::Port(dir, proto, low, high) => {
                let known = |p: u8| proto.map_or(matches!(p, 6 | 17 | 132), |want| want == p);
                let ports = v.protocol().filter(|p| known(*p)).and_then(|_| v.ports());
                ports.is_some_and(|(s, d)| dir.test((*low..=*high).contains(&s), (*low..=*high).contains(&d)))
            }
            Filter::Broadcast => v.destination().is_broadcast(),
            Filter::Multicast(None | Some(Proto::Ether)) => v.destination().is_multicast(),
            Filter::Multicast(Some(Proto::Ip6)) => v.ipv6_ends().is_some_and(|(_, d)| d.is_multicast()),
            Filter::Multicast(Some(_)) => is_proto(v, Proto::Ip) && v.ipv4_ends().is_some_and(|(_, d)| d.octets()[0] >= 224),
            Filter::Shorter(n) => v.len() <= *n,
            Filter::Longer(n) => v.len() >= *n,
            Filter::Relation(a, c, b) => {
                // a packet that ends before the byte that is asked for does not pass
                let (Some(a), Some(b)) = (number_of(a, v), number_of(b, v)) else { return false };
                match c {
                    Compare::Equal => a == b,
                    Compare::Unequal => a != b,
                    Compare::Less => a < b,
                    Compare::AtMost => a <= b,
                    Compare::More => a > b,
                    Compare::AtLeast => a >= b,
                }
            }
        }
    }
}

fn is_proto(v: &View<'_>, p: Proto) -> bool {
    match p {
        Proto::Ether => true,
        Proto::Ip => v.ethertype == 0x0800,
        Proto::Ip6 => v.ethertype == 0x86dd,
        Proto::Arp => v.ethertype == 0x0806,
        // icmp is of IPv4, icmp6 of IPv6 alone
        Proto::Above(1) => v.ethertype == 0x0800 && v.protocol() == Some(1),
        Proto::Above(58) => v.ethertype == 0x86dd && v.protocol() == Some(58),
        Proto::Above(n) => v.protocol() == Some(n),
    }
}

fn number_of(a: &Arith, v: &View<'_>) -> Option<u32> {
    Some(match a {
        Arith::Number(n) => *n,
        Arith::Len => v.len(),
        Arith::Byte(proto, offset, size) => {
            let base = match proto {
                Proto::Ether => 0,
                // the transport header is found in first fragments of IPv4 only
                Proto::Above(_) if !is_proto(v, *proto) || v.ethertype != 0x0800 => return None,
                Proto::Above(_) => v.transport()?,
                other if is_proto(v, *other) => v.network,
                _ => return None,
            };
            v.read(base.checked_add(number_of(offset, v)? as usize)?, *size)?
        }
        Arith::Pair(a, op, b) => {
            let (a, b) = (number_of(a, v)?, number_of(b, v)?);
            match op {
                Operator::Or => a | b,
                Operator::Xor => a ^ b,
                Operator::And => a & b,
                Operator::Left => a.checked_shl(b).unwrap_or(0),
                Operator::Right => a.checked_shr(b).unwrap_or(0),
                Operator::Add => a.wrapping_add(b),
                Operator::Sub => a.wrapping_sub(b),
                Operator::Mul => a.wrapping_mul(b),
                Operator::Div => a.checked_div(b)?,
                Operator::Mod => a.checked_rem(b)?,
            }
        }
    })
}
