//! Fields of headers, by the names that nft has for them.
//!
//! Models: nft 1.0.6 src/proto.c; net/netfilter/nft_payload.c nft_payload_eval.
//! Simplifies: no options, no extension headers, no VLAN tags; `th` of ICMPv6 sees type and code, and zero for its checksum.

use super::datatype::{Data, DataType};
use crate::packet::{ArpOp, Body, Ethernet, Frame, Icmp, IcmpKind, Net, Tcp};

/// Which header a field is in.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Proto {
    /// `ether`.
    Ether,
    /// `arp`.
    Arp,
    /// `ip`.
    Ip,
    /// `ip6`.
    Ip6,
    /// `icmp`.
    Icmp,
    /// `icmpv6`.
    Icmpv6,
    /// `tcp`.
    Tcp,
    /// `udp`.
    Udp,
    /// `udplite`.
    Udplite,
    /// `sctp`.
    Sctp,
    /// `dccp`.
    Dccp,
    /// `th`: whatever the transport is.
    Th,
}

impl Proto {
    /// All, in the order of their layers.
    pub const ALL: [Proto; 12] = [
        Proto::Ether,
        Proto::Arp,
        Proto::Ip,
        Proto::Ip6,
        Proto::Icmp,
        Proto::Icmpv6,
        Proto::Tcp,
        Proto::Udp,
        Proto::Udplite,
        Proto::Sctp,
        Proto::Dccp,
        Proto::Th,
    ];

    /// Its word.
    pub fn name(self) -> &'static str {
        match self {
            Proto::Ether => "ether",
            Proto::Arp => "arp",
            Proto::Ip => "ip",
            Proto::Ip6 => "ip6",
            Proto::Icmp => "icmp",
            Proto::Icmpv6 => "icmpv6",
            Proto::Tcp => "tcp",
            Proto::Udp => "udp",
            Proto::Udplite => "udplite",
            Proto::Sctp => "sctp",
            Proto::Dccp => "dccp",
            Proto::Th => "th",
        }
    }

    /// The protocol number of a transport.
    pub fn l4(self) -> Option<u8> {
        Some(match self {
            Proto::Icmp => 1,
            Proto::Icmpv6 => 58,
            Proto::Tcp => 6,
            Proto::Udp => 17,
            Proto::Udplite => 136,
            Proto::Sctp => 132,
            Proto::Dccp => 33,
            _ => return None,
        })
    }

    /// The transport with that protocol number.
    pub fn by_l4(n: u8) -> Option<Proto> {
        Proto::ALL.into_iter().find(|p| p.l4() == Some(n))
    }

    /// Whether it is a transport.
    pub fn is_transport(self) -> bool {
        self.l4().is_some() || self == Proto::Th
    }
}

macro_rules! fields {
    ($($variant:ident $proto:ident $name:literal $ty:expr;)*) => {
        /// A field of a header.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
        pub enum Field { $(#[doc = concat!("`", stringify!($proto), " ", $name, "`.")] $variant),* }

        impl Field {
            /// All.
            pub const ALL: &'static [Field] = &[$(Field::$variant),*];

            /// Its header.
            pub fn proto(self) -> Proto {
                match self { $(Field::$variant => Proto::$proto),* }
            }

            /// Its name in its header.
            pub fn name(self) -> &'static str {
                match self { $(Field::$variant => $name),* }
            }

            /// The type of its value.
            #[inline]
            pub fn data_type(self) -> DataType {
                use DataType as T;
                match self { $(Field::$variant => $ty),* }
            }
        }
    };
}

fields! {
    EtherDaddr Ether "daddr" T::EtherAddr;
    EtherSaddr Ether "saddr" T::EtherAddr;
    EtherType Ether "type" T::EtherType;
    ArpHtype Arp "htype" T::Integer(16);
    ArpPtype Arp "ptype" T::EtherType;
    ArpHlen Arp "hlen" T::Integer(8);
    ArpPlen Arp "plen" T::Integer(8);
    ArpOperation Arp "operation" T::ArpOp;
    ArpSaddrEther Arp "saddr ether" T::EtherAddr;
    ArpDaddrEther Arp "daddr ether" T::EtherAddr;
    ArpSaddrIp Arp "saddr ip" T::Ipv4Addr;
    ArpDaddrIp Arp "daddr ip" T::Ipv4Addr;
    IpVersion Ip "version" T::Integer(4);
    IpHdrlength Ip "hdrlength" T::Integer(4);
    IpDscp Ip "dscp" T::Dscp;
    IpEcn Ip "ecn" T::Ecn;
    IpLength Ip "length" T::Integer(16);
    IpId Ip "id" T::Integer(16);
    IpFragOff Ip "frag-off" T::Integer(16);
    IpTtl Ip "ttl" T::Integer(8);
    IpProtocol Ip "protocol" T::InetProto;
    IpSaddr Ip "saddr" T::Ipv4Addr;
    IpDaddr Ip "daddr" T::Ipv4Addr;
    Ip6Version Ip6 "version" T::Integer(4);
    Ip6Dscp Ip6 "dscp" T::Dscp;
    Ip6Ecn Ip6 "ecn" T::Ecn;
    Ip6Flowlabel Ip6 "flowlabel" T::Integer(20);
    Ip6Length Ip6 "length" T::Integer(16);
    Ip6Nexthdr Ip6 "nexthdr" T::InetProto;
    Ip6Hoplimit Ip6 "hoplimit" T::Integer(8);
    Ip6Saddr Ip6 "saddr" T::Ipv6Addr;
    Ip6Daddr Ip6 "daddr" T::Ipv6Addr;
    IcmpType Icmp "type" T::IcmpType;
    IcmpCode Icmp "code" T::IcmpCode;
    IcmpId Icmp "id" T::Integer(16);
    IcmpSequence Icmp "sequence" T::Integer(16);
    IcmpMtu Icmp "mtu" T::Integer(16);
    Icmpv6Type Icmpv6 "type" T::Icmpv6Type;
    Icmpv6Code Icmpv6 "code" T::Icmpv6Code;
    Icmpv6Id Icmpv6 "id" T::Integer(16);
    Icmpv6Sequence Icmpv6 "sequence" T::Integer(16);
    TcpSport Tcp "sport" T::InetService;
    TcpDport Tcp "dport" T::InetService;
    TcpSequence Tcp "sequence" T::Integer(32);
    TcpAckseq Tcp "ackseq" T::Integer(32);
    TcpDoff Tcp "doff" T::Integer(4);
    TcpFlags Tcp "flags" T::TcpFlag;
    TcpWindow Tcp "window" T::Integer(16);
    TcpUrgptr Tcp "urgptr" T::Integer(16);
    UdpSport Udp "sport" T::InetService;
    UdpDport Udp "dport" T::InetService;
    UdpLength Udp "length" T::Integer(16);
    UdpliteSport Udplite "sport" T::InetService;
    UdpliteDport Udplite "dport" T::InetService;
    SctpSport Sctp "sport" T::InetService;
    SctpDport Sctp "dport" T::InetService;
    DccpSport Dccp "sport" T::InetService;
    DccpDport Dccp "dport" T::InetService;
    ThSport Th "sport" T::InetService;
    ThDport Th "dport" T::InetService;
}

impl Field {
    /// The field of that header and name.
    pub fn find(proto: Proto, name: &str) -> Option<Field> {
        Field::ALL.iter().copied().find(|f| f.proto() == proto && f.name() == name)
    }

    /// Whether a rule may set the field.
    pub fn is_settable(self) -> bool {
        matches!(
            self,
            Field::IpTtl
                | Field::IpDscp
                | Field::IpEcn
                | Field::IpSaddr
                | Field::IpDaddr
                | Field::IpId
                | Field::TcpSport
                | Field::TcpDport
                | Field::UdpSport
                | Field::UdpDport
                | Field::ThSport
                | Field::ThDport
                | Field::TcpWindow
                | Field::EtherSaddr
                | Field::EtherDaddr
                | Field::Ip6Hoplimit
        )
    }
    /// The field of the same name in another transport's header.
    pub fn in_proto(self, proto: Proto) -> Option<Field> {
        Field::find(proto, self.name())
    }

    /// Reads the field; false if the packet has no such header.
    #[inline]
    pub fn read(self, frame: &Frame, out: &mut Data) -> bool {
        match self.proto() {
            Proto::Ether => self.ether(&frame.eth, frame, out),
            Proto::Arp => self.arp(frame, out),
            Proto::Ip => self.ip(frame, out),
            Proto::Ip6 => self.ip6(frame, out),
            _ => self.transport(frame, out),
        }
    }

    fn ether(self, eth: &Ethernet, frame: &Frame, out: &mut Data) -> bool {
        match self {
            Field::EtherDaddr => out.extend_from_slice(&eth.dst.0),
            Field::EtherSaddr => out.extend_from_slice(&eth.src.0),
            _ => out.extend_from_slice(&frame.net.ethertype().to_be_bytes()),
        }
        true
    }

    fn arp(self, frame: &Frame, out: &mut Data) -> bool {
        let Net::Arp(a) = &frame.net else { return false };
        match self {
            Field::ArpHtype => out.extend_from_slice(&[0, 1]),
            Field::ArpPtype => out.extend_from_slice(&[8, 0]),
            Field::ArpHlen => out.push(6),
            Field::ArpPlen => out.push(4),
            Field::ArpOperation => out.extend_from_slice(&ArpOp::code(a.op).to_be_bytes()),
            Field::ArpSaddrEther => out.extend_from_slice(&a.sender_mac.0),
            Field::ArpDaddrEther => out.extend_from_slice(&a.target_mac.0),
            Field::ArpSaddrIp => out.extend_from_slice(&a.sender.octets()),
            _ => out.extend_from_slice(&a.target.octets()),
        }
        true
    }

    #[inline]
    fn ip(self, frame: &Frame, out: &mut Data) -> bool {
        let Net::Ipv4(p) = &frame.net else { return false };
        let h = &p.header;
        match self {
            Field::IpSaddr => out.extend_from_slice(&h.src.octets()),
            Field::IpDaddr => out.extend_from_slice(&h.dst.octets()),
            Field::IpProtocol => out.push(p.body.protocol().0),
            Field::IpVersion => out.push(4),
            Field::IpHdrlength => out.push(5),
            Field::IpDscp => out.push(h.tos >> 2),
            Field::IpEcn => out.push(h.tos & 3),
            Field::IpLength => out.extend_from_slice(&(p.len() as u16).to_be_bytes()),
            Field::IpId => out.extend_from_slice(&h.id.to_be_bytes()),
            Field::IpFragOff => {
                let flags = u16::from(h.dont_fragment) << 14 | u16::from(h.more_fragments) << 13 | h.fragment_offset >> 3;
                out.extend_from_slice(&flags.to_be_bytes());
            }
            _ => out.push(h.ttl),
        }
        true
    }

    #[inline]
    fn ip6(self, frame: &Frame, out: &mut Data) -> bool {
        let Net::Ipv6(p) = &frame.net else { return false };
        let h = &p.header;
        match self {
            Field::Ip6Saddr => out.extend_from_slice(&h.src.octets()),
            Field::Ip6Daddr => out.extend_from_slice(&h.dst.octets()),
            Field::Ip6Nexthdr => out.push(p.body.protocol().0),
            Field::Ip6Version => out.push(6),
            Field::Ip6Dscp => out.push(h.traffic_class >> 2),
            Field::Ip6Ecn => out.push(h.traffic_class & 3),
            Field::Ip6Flowlabel => out.extend_from_slice(&h.flow_label.to_be_bytes()[1..]),
            Field::Ip6Length => out.extend_from_slice(&(p.body.len() as u16).to_be_bytes()),
            _ => out.push(h.hop_limit),
        }
        true
    }

    #[inline]
    fn transport(self, frame: &Frame, out: &mut Data) -> bool {
        let (body, offset) = match &frame.net {
            Net::Ipv4(p) => (&p.body, p.header.fragment_offset),
            Net::Ipv6(p) => (&p.body, 0),
            _ => return false,
        };
        let proto = self.proto();
        if offset != 0 || proto.l4().is_some_and(|n| n != body.protocol().0) {
            return false;
        }
        match body {
            Body::Tcp(t) => self.tcp(t, out),
            Body::Udp(u) => match self.name() {
                "sport" => out.extend_from_slice(&u.src_port.to_be_bytes()),
                "dport" => out.extend_from_slice(&u.dst_port.to_be_bytes()),
                _ => out.extend_from_slice(&(u.len() as u16).to_be_bytes()),
            },
            Body::Icmp(m) => return self.icmp(m, out),
            Body::Icmpv6(m) => {
                let (kind, code) = m.type_code();
                match self {
                    Field::Icmpv6Type => out.push(kind),
                    Field::Icmpv6Code => out.push(code),
                    Field::ThSport => out.extend_from_slice(&[kind, code]),
                    Field::ThDport => out.extend_from_slice(&[0, 0]),
                    _ => return false,
                }
            }
            Body::Fragment { bytes, .. } | Body::Other { bytes, .. } => return self.raw(bytes, out),
        }
        true
    }

    fn tcp(self, t: &Tcp, out: &mut Data) {
        match self {
            Field::TcpSport | Field::ThSport => out.extend_from_slice(&t.src_port.to_be_bytes()),
            Field::TcpDport | Field::ThDport => out.extend_from_slice(&t.dst_port.to_be_bytes()),
            Field::TcpSequence => out.extend_from_slice(&t.seq.to_be_bytes()),
            Field::TcpAckseq => out.extend_from_slice(&t.ack.to_be_bytes()),
            Field::TcpDoff => out.push(((Tcp::HEADER_LEN + t.options.len()) / 4) as u8),
            Field::TcpFlags => out.push(t.flags.0),
            Field::TcpWindow => out.extend_from_slice(&t.window.to_be_bytes()),
            _ => out.extend_from_slice(&t.urgent.to_be_bytes()),
        }
    }

    fn icmp(self, m: &Icmp, out: &mut Data) -> bool {
        let (kind, code) = m.type_code();
        match (self, &m.kind) {
            (Field::IcmpType, _) => out.push(kind),
            (Field::IcmpCode, _) => out.push(code),
            (Field::ThSport, _) => out.extend_from_slice(&[kind, code]),
            // where a port would be is the checksum
            (Field::ThDport, _) => out.extend_from_slice(m.encode().get(2..4).unwrap_or(&[0, 0])),
            (Field::IcmpId, IcmpKind::EchoRequest { id, .. } | IcmpKind::EchoReply { id, .. }) => out.extend_from_slice(&id.to_be_bytes()),
            (Field::IcmpSequence, IcmpKind::EchoRequest { seq, .. } | IcmpKind::EchoReply { seq, .. }) => {
                out.extend_from_slice(&seq.to_be_bytes())
            }
            (Field::IcmpMtu, IcmpKind::Unreachable { mtu, .. }) => out.extend_from_slice(&mtu.to_be_bytes()),
            _ => return false,
        }
        true
    }

    /// From the bytes of a transport header that is not decoded.
    fn raw(self, bytes: &[u8], out: &mut Data) -> bool {
        let at = match self.name() {
            "sport" => 0..2,
            "dport" => 2..4,
            "type" => 0..1,
            "code" => 1..2,
            "sequence" if self.proto() == Proto::Tcp => 4..8,
            "ackseq" => 8..12,
            "flags" => 13..14,
            "window" => 14..16,
            "length" => 4..6,
            _ => return false,
        };
        bytes.get(at).map(|b| out.extend_from_slice(b)).is_some()
    }
}
