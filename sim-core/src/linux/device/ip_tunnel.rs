//! What is configured of a device that puts packets into IP packets: IPIP, GRE, and Ethernet in GRE.
//!
//! Models: include/net/ip_tunnels.h struct ip_tunnel, struct ip_tunnel_parm_kern; net/ipv4/ip_tunnel.c ip_tunnel_bind_dev.
//! Spec: RFC 2003, RFC 2784, RFC 2890.
//! Simplifies: IPv4 underlays alone; no metadata mode (`external`), no further encapsulation in UDP (`encap`).

use super::vxlan::OuterTtl;
use crate::linux::id::IfIndex;
use crate::packet::Ipv4Addr;

/// What stands inside the outer packets.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum IpTunnelMode {
    /// IP packets, nothing between.
    Ipip,
    /// IP packets behind a GRE header.
    Gre,
    /// Ethernet frames behind a GRE header.
    Gretap,
}

impl IpTunnelMode {
    /// The type as `ip link` names it.
    pub fn name(self) -> &'static str {
        match self {
            IpTunnelMode::Ipip => "ipip",
            IpTunnelMode::Gre => "gre",
            IpTunnelMode::Gretap => "gretap",
        }
    }

    /// The device that each namespace has as soon as there is one of the kind.
    pub fn fallback(self) -> &'static str {
        match self {
            IpTunnelMode::Ipip => "tunl0",
            IpTunnelMode::Gre => "gre0",
            IpTunnelMode::Gretap => "gretap0",
        }
    }
}

/// What a GRE header has besides the protocol, in one direction.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub struct GreFlags {
    /// The key, if there is one.
    pub key: Option<u32>,
    /// Whether there is a checksum.
    pub csum: bool,
    /// Whether there are sequence numbers.
    pub seq: bool,
}

/// Settings of an IP tunnel.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct IpTunnelConfig {
    /// What it carries.
    pub mode: IpTunnelMode,
    /// Source of outer packets; none if the route decides.
    pub local: Option<Ipv4Addr>,
    /// Destination of outer packets; none if the gateway of the inner route is it.
    pub remote: Option<Ipv4Addr>,
    /// The device that outer packets must leave by; none if the route decides.
    pub link: IfIndex,
    /// TTL of outer packets.
    pub ttl: OuterTtl,
    /// TOS of outer packets; 1 is `inherit`.
    pub tos: u8,
    /// `pmtudisc`: outer packets have DF.
    pub pmtudisc: bool,
    /// `ignore-df`: DF of the packet inside is not taken over.
    pub ignore_df: bool,
    /// GRE: what is wanted of packets that come in.
    pub input: GreFlags,
    /// GRE: what packets that go out have.
    pub output: GreFlags,
}

impl IpTunnelConfig {
    /// A tunnel of which nothing else is said.
    pub fn new(mode: IpTunnelMode) -> Self {
        IpTunnelConfig {
            mode,
            local: None,
            remote: None,
            link: IfIndex::NONE,
            ttl: OuterTtl::Inherit,
            tos: 0,
            pmtudisc: true,
            ignore_df: false,
            input: GreFlags::default(),
            output: GreFlags::default(),
        }
    }

    /// Bytes between the outer IP header and what is inside.
    pub fn header_len(&self) -> u32 {
        let o = &self.output;
        match self.mode {
            IpTunnelMode::Ipip => 0,
            IpTunnelMode::Gre | IpTunnelMode::Gretap => 4 + 4 * (u32::from(o.key.is_some()) + u32::from(o.csum) + u32::from(o.seq)),
        }
    }

    /// Bytes that the outer headers add to a packet of the network layer.
    pub fn overhead(&self) -> u32 {
        20 + self.header_len() + if self.mode == IpTunnelMode::Gretap { 14 } else { 0 }
    }

    /// Whether it was made with the namespace, for packets that no other tunnel takes.
    pub fn is_fallback(&self, name: &str) -> bool {
        name == self.mode.fallback() && self.remote.is_none() && self.local.is_none()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn headers_take_what_they_take() {
        let with = |mode, key, csum, seq| {
            let output = GreFlags { key, csum, seq };
            IpTunnelConfig { output, ..IpTunnelConfig::new(mode) }.overhead()
        };
        for (got, want) in [
            (with(IpTunnelMode::Ipip, None, false, false), 20),
            (with(IpTunnelMode::Gre, None, false, false), 24),
            (with(IpTunnelMode::Gre, Some(7), true, true), 36),
            (with(IpTunnelMode::Gretap, None, false, false), 38),
            (with(IpTunnelMode::Gretap, Some(7), false, false), 42),
        ] {
            assert_eq!(got, want);
        }
    }
}
