//! What an IP packet carries.

use super::checksum::PseudoHeader;
use super::{Bytes, Icmp, Icmpv6, Tcp, Udp};
use std::fmt;

/// An IP protocol number.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Protocol(pub u8);

impl Protocol {
    /// 1.
    pub const ICMP: Protocol = Protocol(1);
    /// 4: IP in IP.
    pub const IPIP: Protocol = Protocol(4);
    /// 6.
    pub const TCP: Protocol = Protocol(6);
    /// 17.
    pub const UDP: Protocol = Protocol(17);
    /// 47.
    pub const GRE: Protocol = Protocol(47);
    /// 58.
    pub const ICMPV6: Protocol = Protocol(58);

    /// The name of `/etc/protocols`, for those used here.
    pub fn name(self) -> Option<&'static str> {
        Some(match self.0 {
            1 => "icmp",
            2 => "igmp",
            4 => "ipencap",
            6 => "tcp",
            17 => "udp",
            41 => "ipv6",
            47 => "gre",
            50 => "esp",
            51 => "ah",
            58 => "ipv6-icmp",
            132 => "sctp",
            136 => "udplite",
            _ => return None,
        })
    }
}

impl fmt::Display for Protocol {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.name() {
            Some(n) => f.write_str(n),
            None => write!(f, "{}", self.0),
        }
    }
}

impl fmt::Debug for Protocol {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// The transport packet inside an IP packet.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Body {
    /// Protocol 1.
    Icmp(Icmp),
    /// Protocol 58.
    Icmpv6(Icmpv6),
    /// Protocol 6.
    Tcp(Tcp),
    /// Protocol 17.
    Udp(Udp),
    /// A part of a packet that was cut (MF set or offset not 0): never decoded further.
    Fragment {
        /// Protocol of the whole packet.
        protocol: Protocol,
        /// The bytes of this part.
        bytes: Bytes,
    },
    /// Any other protocol, undecoded.
    Other {
        /// The protocol number.
        protocol: Protocol,
        /// All that follows the IP header.
        bytes: Bytes,
    },
}

impl Body {
    /// The protocol number that the IP header carries.
    #[inline]
    pub fn protocol(&self) -> Protocol {
        match self {
            Body::Icmp(_) => Protocol::ICMP,
            Body::Icmpv6(_) => Protocol::ICMPV6,
            Body::Tcp(_) => Protocol::TCP,
            Body::Udp(_) => Protocol::UDP,
            Body::Fragment { protocol, .. } | Body::Other { protocol, .. } => *protocol,
        }
    }

    /// Length in bytes.
    #[inline]
    pub fn len(&self) -> usize {
        match self {
            Body::Icmp(m) => m.len(),
            Body::Icmpv6(m) => m.len(),
            Body::Tcp(t) => t.len(),
            Body::Udp(u) => u.len(),
            Body::Fragment { bytes, .. } | Body::Other { bytes, .. } => bytes.len(),
        }
    }

    /// Whether nothing follows the IP header.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }
}

impl Body {
    /// Appends the exact bytes.
    pub(super) fn encode_into(&self, pseudo: PseudoHeader, out: &mut Vec<u8>) {
        match self {
            Body::Icmp(m) => m.encode_into(out),
            Body::Icmpv6(m) => m.encode_into(pseudo, out),
            Body::Tcp(t) => t.encode_into(pseudo, out),
            Body::Udp(u) => u.encode_into(pseudo, out),
            Body::Fragment { bytes, .. } | Body::Other { bytes, .. } => out.extend_from_slice(bytes),
        }
    }

    /// Reads all that follows the IP header of a packet that is no fragment; what is no transport packet of
    /// that protocol, or has no type, is [`Body::Other`].
    pub(super) fn decode(protocol: Protocol, bytes: &[u8], pseudo: PseudoHeader) -> Self {
        let v4 = matches!(pseudo, PseudoHeader::V4 { .. });
        let body = match protocol {
            Protocol::ICMP if v4 => Icmp::decode(bytes).ok().map(Body::Icmp),
            Protocol::ICMPV6 if !v4 => Icmpv6::decode(bytes, pseudo).ok().map(Body::Icmpv6),
            Protocol::TCP => Tcp::decode(bytes, pseudo).ok().map(Body::Tcp),
            Protocol::UDP => Udp::decode(bytes, pseudo).ok().map(Body::Udp),
            _ => None,
        };
        body.unwrap_or_else(|| Body::Other { protocol, bytes: bytes.into() })
    }
}
