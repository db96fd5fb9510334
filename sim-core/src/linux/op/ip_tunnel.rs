//! `ip link … type ipip|gre|gretap` and `ip tunnel`.
//!
//! Models: iproute2 ip/link_iptnl.c iptunnel_parse_opt, ip/link_gre.c gre_parse_opt, ip/iptunnel.c.

use crate::linux::device::ip_tunnel::{GreFlags, IpTunnelMode};
use crate::linux::device::vxlan::OuterTtl;
use crate::packet::Ipv4Addr;
use std::sync::Arc;

/// Settings of an IP tunnel that are given.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct IpTunnelSet {
    /// What it carries.
    pub mode: IpTunnelMode,
    /// `remote`; unspecified for `any`.
    pub remote: Option<Ipv4Addr>,
    /// `local`; unspecified for `any`.
    pub local: Option<Ipv4Addr>,
    /// `dev`.
    pub dev: Option<Arc<str>>,
    /// `ttl`.
    pub ttl: Option<OuterTtl>,
    /// `tos`; 1 for `inherit`.
    pub tos: Option<u8>,
    /// `pmtudisc`, `nopmtudisc`.
    pub pmtudisc: Option<bool>,
    /// `ignore-df`, `noignore-df`.
    pub ignore_df: Option<bool>,
    /// `ikey`, `icsum`, `iseq`; of IPIP nothing.
    pub input: GreFlags,
    /// `okey`, `ocsum`, `oseq`.
    pub output: GreFlags,
}

impl IpTunnelSet {
    /// Nothing said but the mode.
    pub fn new(mode: IpTunnelMode) -> Self {
        IpTunnelSet {
            mode,
            remote: None,
            local: None,
            dev: None,
            ttl: None,
            tos: None,
            pmtudisc: None,
            ignore_df: None,
            input: GreFlags::default(),
            output: GreFlags::default(),
        }
    }
}
