//! The types of values: how wide they are, and the names of their values.
//!
//! Models: nft 1.0.6 src/datatype.c, src/ct.c, src/meta.c, src/proto.c, src/fib.c (symbol tables).
//! Simplifies: conntrack labels, times of day and security marks are no types here.

use std::fmt::Write as _;

/// The value of an expression, in network byte order; a concatenation is its parts one behind the other.
pub type Data = smallvec::SmallVec<[u8; 24]>;

/// A type of values.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum DataType {
    /// `ipv4_addr`.
    Ipv4Addr,
    /// `ipv6_addr`.
    Ipv6Addr,
    /// `ether_addr`.
    EtherAddr,
    /// `inet_proto`.
    InetProto,
    /// `inet_service`.
    InetService,
    /// `mark`.
    Mark,
    /// `ct_state`, a bit mask.
    CtState,
    /// `ct_dir`.
    CtDir,
    /// `ct_status`, a bit mask.
    CtStatus,
    /// `iface_index`, written as the name of the device.
    IfIndex,
    /// `ifname`.
    IfName,
    /// `iface_type`.
    IfType,
    /// `nf_proto`.
    NfProto,
    /// `ether_type`.
    EtherType,
    /// `arp_op`.
    ArpOp,
    /// `icmp_type`.
    IcmpType,
    /// `icmp_code`.
    IcmpCode,
    /// `icmpv6_type`.
    Icmpv6Type,
    /// `icmpv6_code`.
    Icmpv6Code,
    /// `tcp_flag`, a bit mask.
    TcpFlag,
    /// `dscp`.
    Dscp,
    /// `ecn`.
    Ecn,
    /// `fib_addrtype`.
    FibAddrType,
    /// `pkt_type`.
    PktType,
    /// `uid`.
    Uid,
    /// `gid`.
    Gid,
    /// `classid`: a priority.
    ClassId,
    /// `cgroupsv1`.
    Cgroup,
    /// `boolean`, as `exists` and `missing`.
    Exists,
    /// `integer` of that many bits.
    Integer(u8),
}

use DataType as T;

/// Symbols of one type: name and value. Where a value has two names the first is printed.
pub type Symbols = &'static [(&'static str, u32)];

/// `/etc/protocols`, in its order.
const PROTOCOLS: Symbols = &[
    ("ip", 0),
    ("hopopt", 0),
    ("icmp", 1),
    ("igmp", 2),
    ("ggp", 3),
    ("ipencap", 4),
    ("st", 5),
    ("tcp", 6),
    ("egp", 8),
    ("igp", 9),
    ("pup", 12),
    ("udp", 17),
    ("hmp", 20),
    ("xns-idp", 22),
    ("rdp", 27),
    ("iso-tp4", 29),
    ("dccp", 33),
    ("xtp", 36),
    ("ddp", 37),
    ("idpr-cmtp", 38),
    ("ipv6", 41),
    ("ipv6-route", 43),
    ("ipv6-frag", 44),
    ("idrp", 45),
    ("rsvp", 46),
    ("gre", 47),
    ("esp", 50),
    ("ah", 51),
    ("skip", 57),
    ("ipv6-icmp", 58),
    ("icmpv6", 58),
    ("ipv6-nonxt", 59),
    ("ipv6-opts", 60),
    ("rspf", 73),
    ("vmtp", 81),
    ("eigrp", 88),
    ("ospf", 89),
    ("ax.25", 93),
    ("ipip", 94),
    ("etherip", 97),
    ("encap", 98),
    ("pim", 103),
    ("comp", 108),
    ("ipcomp", 108),
    ("vrrp", 112),
    ("l2tp", 115),
    ("isis", 124),
    ("sctp", 132),
    ("fc", 133),
    ("mobility-header", 135),
    ("udplite", 136),
    ("mpls-in-ip", 137),
    ("manet", 138),
    ("hip", 139),
    ("shim6", 140),
    ("wesp", 141),
    ("rohc", 142),
    ("ethernet", 143),
];

impl DataType {
    /// The type of that name, as it stands behind `type`.
    pub fn by_name(name: &str) -> Option<DataType> {
        const NAMED: &[DataType] = &[
            T::Ipv4Addr,
            T::Ipv6Addr,
            T::EtherAddr,
            T::InetProto,
            T::InetService,
            T::Mark,
            T::CtState,
            T::CtDir,
            T::CtStatus,
            T::IfIndex,
            T::IfName,
            T::IfType,
            T::NfProto,
            T::EtherType,
            T::ArpOp,
            T::IcmpType,
            T::IcmpCode,
            T::Icmpv6Type,
            T::Icmpv6Code,
            T::TcpFlag,
            T::Dscp,
            T::Ecn,
            T::FibAddrType,
            T::PktType,
            T::Uid,
            T::Gid,
            T::ClassId,
            T::Cgroup,
        ];
        NAMED.iter().copied().find(|t| t.name() == name)
    }

    /// Its name.
    pub fn name(self) -> &'static str {
        match self {
            T::Ipv4Addr => "ipv4_addr",
            T::Ipv6Addr => "ipv6_addr",
            T::EtherAddr => "ether_addr",
            T::InetProto => "inet_proto",
            T::InetService => "inet_service",
            T::Mark => "mark",
            T::CtState => "ct_state",
            T::CtDir => "ct_dir",
            T::CtStatus => "ct_status",
            T::IfIndex => "iface_index",
            T::IfName => "ifname",
            T::IfType => "iface_type",
            T::NfProto => "nf_proto",
            T::EtherType => "ether_type",
            T::ArpOp => "arp_op",
            T::IcmpType => "icmp_type",
            T::IcmpCode => "icmp_code",
            T::Icmpv6Type => "icmpv6_type",
            T::Icmpv6Code => "icmpv6_code",
            T::TcpFlag => "tcp_flag",
            T::Dscp => "dscp",
            T::Ecn => "ecn",
            T::FibAddrType => "fib_addrtype",
            T::PktType => "pkt_type",
            T::Uid => "uid",
            T::Gid => "gid",
            T::ClassId => "classid",
            T::Cgroup => "cgroupsv1",
            T::Exists => "boolean",
            T::Integer(_) => "integer",
        }
    }

    /// What it is called in messages.
    pub fn description(self) -> &'static str {
        match self {
            T::Ipv4Addr => "IPv4 address",
            T::Ipv6Addr => "IPv6 address",
            T::EtherAddr => "Ethernet address",
            T::InetProto => "Internet protocol",
            T::InetService => "internet network service",
            T::Mark => "packet mark",
            T::CtState => "conntrack state",
            T::CtDir => "conntrack direction",
            T::CtStatus => "conntrack status",
            T::IfIndex => "network interface index",
            T::IfName => "network interface name",
            T::IfType => "network interface type",
            T::NfProto => "netfilter protocol",
            T::EtherType => "Ethernet protocol",
            T::ArpOp => "ARP operation",
            T::IcmpType => "ICMP type",
            T::IcmpCode => "icmp code",
            T::Icmpv6Type => "ICMPv6 type",
            T::Icmpv6Code => "icmpv6 code",
            T::TcpFlag => "TCP flag",
            T::Dscp => "Differentiated Services Code Point",
            T::Ecn => "Explicit Congestion Notification",
            T::FibAddrType => "fib address type",
            T::PktType => "packet type",
            T::Uid => "user ID",
            T::Gid => "group ID",
            T::ClassId => "TC classid",
            T::Cgroup => "cgroup ID",
            T::Exists => "boolean type",
            T::Integer(_) => "integer",
        }
    }

    /// How many bytes a value takes.
    #[inline]
    pub fn len(self) -> usize {
        match self {
            T::Ipv6Addr | T::IfName => 16,
            T::EtherAddr => 6,
            T::InetService | T::EtherType | T::ArpOp | T::IfType => 2,
            T::InetProto
            | T::CtDir
            | T::NfProto
            | T::IcmpType
            | T::IcmpCode
            | T::Icmpv6Type
            | T::Icmpv6Code
            | T::TcpFlag
            | T::Dscp
            | T::Ecn
            | T::PktType
            | T::Exists => 1,
            T::Ipv4Addr | T::Mark | T::CtState | T::CtStatus | T::IfIndex | T::FibAddrType | T::Uid | T::Gid | T::ClassId | T::Cgroup => 4,
            T::Integer(bits) => usize::from(bits).div_ceil(8),
        }
    }

    /// Never: every type has values.
    pub fn is_empty(self) -> bool {
        false
    }

    /// How many bits of the value count.
    pub fn bits(self) -> u32 {
        match self {
            T::Dscp => 6,
            T::Ecn => 2,
            T::Integer(bits) => u32::from(bits),
            t => t.len() as u32 * 8,
        }
    }

    /// Whether a value is a set of bits, and no operator means that one of them is set.
    #[inline]
    pub fn is_bitmask(self) -> bool {
        matches!(self, T::CtState | T::CtStatus | T::TcpFlag)
    }

    /// Whether a prefix of it prints as one.
    pub fn has_prefix(self) -> bool {
        matches!(self, T::Ipv4Addr | T::Ipv6Addr)
    }

    /// Whether the kernel keeps it in the machine's own byte order, which is the other one.
    pub fn is_host_endian(self) -> bool {
        matches!(
            self,
            T::Mark
                | T::CtState
                | T::CtStatus
                | T::IfIndex
                | T::FibAddrType
                | T::Uid
                | T::Gid
                | T::ClassId
                | T::Cgroup
                | T::IfType
                | T::IfName
        )
    }

    /// The names of its values.
    pub fn symbols(self) -> Symbols {
        match self {
            T::InetProto => PROTOCOLS,
            T::CtState => &[("invalid", 1), ("new", 8), ("established", 2), ("related", 4), ("untracked", 64)],
            T::CtDir => &[("original", 0), ("reply", 1)],
            T::CtStatus => {
                &[("expected", 1), ("seen-reply", 2), ("assured", 4), ("confirmed", 8), ("snat", 16), ("dnat", 32), ("dying", 512)]
            }
            T::NfProto => &[("ipv4", 2), ("ipv6", 10)],
            T::EtherType => &[("ip", 0x0800), ("arp", 0x0806), ("ip6", 0x86dd), ("8021q", 0x8100), ("8021ad", 0x88a8), ("vlan", 0x8100)],
            T::ArpOp => &[("request", 1), ("reply", 2), ("rrequest", 3), ("rreply", 4), ("inrequest", 8), ("inreply", 9), ("nak", 10)],
            T::IcmpType => &[
                ("echo-reply", 0),
                ("destination-unreachable", 3),
                ("source-quench", 4),
                ("redirect", 5),
                ("echo-request", 8),
                ("router-advertisement", 9),
                ("router-solicitation", 10),
                ("time-exceeded", 11),
                ("parameter-problem", 12),
                ("timestamp-request", 13),
                ("timestamp-reply", 14),
                ("info-request", 15),
                ("info-reply", 16),
                ("address-mask-request", 17),
                ("address-mask-reply", 18),
            ],
            T::IcmpCode => &[
                ("net-unreachable", 0),
                ("host-unreachable", 1),
                ("prot-unreachable", 2),
                ("port-unreachable", 3),
                ("net-prohibited", 9),
                ("host-prohibited", 10),
                ("admin-prohibited", 13),
                ("frag-needed", 4),
            ],
            T::Icmpv6Type => &[
                ("destination-unreachable", 1),
                ("packet-too-big", 2),
                ("time-exceeded", 3),
                ("parameter-problem", 4),
                ("echo-request", 128),
                ("echo-reply", 129),
                ("mld-listener-query", 130),
                ("mld-listener-report", 131),
                ("mld-listener-done", 132),
                ("mld-listener-reduction", 132),
                ("nd-router-solicit", 133),
                ("nd-router-advert", 134),
                ("nd-neighbor-solicit", 135),
                ("nd-neighbor-advert", 136),
                ("nd-redirect", 137),
                ("router-renumbering", 138),
                ("ind-neighbor-solicit", 141),
                ("ind-neighbor-advert", 142),
                ("mld2-listener-report", 143),
            ],
            T::Icmpv6Code => &[
                ("no-route", 0),
                ("admin-prohibited", 1),
                ("addr-unreachable", 3),
                ("port-unreachable", 4),
                ("policy-fail", 5),
                ("reject-route", 6),
            ],
            T::TcpFlag => &[("fin", 1), ("syn", 2), ("rst", 4), ("psh", 8), ("ack", 16), ("urg", 32), ("ecn", 64), ("cwr", 128)],
            T::Dscp => &[
                ("cs0", 0x00),
                ("cs1", 0x08),
                ("cs2", 0x10),
                ("cs3", 0x18),
                ("cs4", 0x20),
                ("cs5", 0x28),
                ("cs6", 0x30),
                ("cs7", 0x38),
                ("df", 0x00),
                ("be", 0x00),
                ("lephb", 0x01),
                ("af11", 0x0a),
                ("af12", 0x0c),
                ("af13", 0x0e),
                ("af21", 0x12),
                ("af22", 0x14),
                ("af23", 0x16),
                ("af31", 0x1a),
                ("af32", 0x1c),
                ("af33", 0x1e),
                ("af41", 0x22),
                ("af42", 0x24),
                ("af43", 0x26),
                ("va", 0x2c),
                ("ef", 0x2e),
            ],
            T::Ecn => &[("not-ect", 0), ("ect1", 1), ("ect0", 2), ("ce", 3)],
            T::FibAddrType => &[
                ("unspec", 0),
                ("unicast", 1),
                ("local", 2),
                ("broadcast", 3),
                ("anycast", 4),
                ("multicast", 5),
                ("blackhole", 6),
                ("unreachable", 7),
                ("prohibit", 8),
            ],
            T::PktType => &[("host", 0), ("unicast", 0), ("broadcast", 1), ("multicast", 2), ("other", 3)],
            T::IfType => &[("ether", 1), ("ppp", 512), ("ipip", 768), ("ipip6", 769), ("loopback", 772), ("sit", 776), ("ipgre", 778)],
            T::Uid | T::Gid => &[("root", 0)],
            T::ClassId => &[("none", 0), ("root", 0xffff_ffff)],
            T::Exists => &[("exists", 1), ("missing", 0)],
            _ => &[],
        }
    }

    /// The value of a name.
    pub fn symbol(self, name: &str) -> Option<u32> {
        self.symbols().iter().find(|(n, _)| *n == name).map(|(_, v)| *v)
    }

    /// A number as a value of this type; none if it does not fit.
    pub fn data(self, value: u64) -> Option<Data> {
        let bits = self.bits();
        if bits < 64 && value >> bits != 0 {
            return None;
        }
        let len = self.len();
        let bytes = value.to_be_bytes();
        let mut out = Data::new();
        if len > 8 {
            out.resize(len - 8, 0);
            out.extend_from_slice(&bytes);
        } else {
            out.extend_from_slice(&bytes[8 - len..]);
        }
        Some(out)
    }

    /// Writes an end of a range as nft prints it: protocols by number.
    pub fn print_end(self, v: &[u8], device: &dyn Fn(u32) -> Option<String>, out: &mut String) {
        if self == T::InetProto {
            let _ = write!(out, "{}", number(v));
        } else {
            self.print(v, device, out);
        }
    }

    /// Writes a value as nft prints it. `device` finds the name of a device by its index.
    pub fn print(self, v: &[u8], device: &dyn Fn(u32) -> Option<String>, out: &mut String) {
        let n = number(v);
        let name = |v: u64| self.symbols().iter().find(|(_, x)| u64::from(*x) == v).map(|(n, _)| *n);
        let _ = match self {
            T::Ipv4Addr => <[u8; 4]>::try_from(v).map_or(Ok(()), |b| write!(out, "{}", std::net::Ipv4Addr::from(b))),
            T::Ipv6Addr => <[u8; 16]>::try_from(v).map_or(Ok(()), |b| write!(out, "{}", std::net::Ipv6Addr::from(b))),
            T::EtherAddr => {
                for (i, b) in v.iter().enumerate() {
                    let _ = write!(out, "{}{b:02x}", if i > 0 { ":" } else { "" });
                }
                Ok(())
            }
            T::Mark => write!(out, "{n:#010x}"),
            T::IfName => {
                let text = ifname_text(v);
                write!(out, "\"{text}\"")
            }
            T::IfIndex => match device(n as u32) {
                Some(name) => write!(out, "\"{name}\""),
                None => write!(out, "{n}"),
            },
            T::ClassId => match name(n) {
                Some(s) => write!(out, "{s}"),
                None => write!(out, "{:x}:{:x}", n >> 16, n & 0xffff),
            },
            T::Uid | T::Gid | T::Cgroup | T::InetService => write!(out, "{n}"),
            _ if self.is_bitmask() => {
                let mut left = n;
                let mut first = true;
                let mut symbols: Vec<&(&str, u32)> = self.symbols().iter().collect();
                symbols.sort_by_key(|(_, bit)| *bit);
                for (s, bit) in symbols {
                    if n & u64::from(*bit) != 0 {
                        let _ = write!(out, "{}{s}", if first { "" } else { "," });
                        first = false;
                        left &= !u64::from(*bit);
                    }
                }
                match (left, first) {
                    (0, false) => Ok(()),
                    (0, true) => write!(out, "0x0"),
                    (_, true) => write!(out, "{left:#x}"),
                    (_, false) => write!(out, ",{left:#x}"),
                }
            }
            T::Dscp | T::FibAddrType | T::NfProto if name(n).is_none() => write!(out, "{n:#04x}"),
            T::EtherType | T::ArpOp | T::IfType if name(n).is_none() => write!(out, "{n}"),
            _ => match name(n) {
                Some(s) => write!(out, "{s}"),
                None => write!(out, "{n}"),
            },
        };
    }
}

/// A value as a number, if it is at most eight bytes long.
pub fn number(v: &[u8]) -> u64 {
    v.iter().fold(0, |n, b| n << 8 | u64::from(*b))
}

/// A device's name as a value: filled up with zeros.
pub fn ifname(name: &str) -> Data {
    let mut out: Data = name.bytes().take(15).collect();
    out.resize(16, 0);
    out
}

/// The name in such a value.
pub fn ifname_text(v: &[u8]) -> String {
    let end = v.iter().position(|b| *b == 0).unwrap_or(v.len());
    String::from_utf8_lossy(&v[..end]).into_owned()
}
