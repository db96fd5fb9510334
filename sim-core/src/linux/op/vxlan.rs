//! `ip link … type vxlan` and `bridge fdb … dst`.
//!
//! Models: iproute2 ip/iplink_vxlan.c vxlan_parse_opt, bridge/fdb.c fdb_modify.

use super::neigh::FdbKind;
use crate::linux::device::vxlan::{OuterDf, OuterTtl};
use crate::packet::{Ipv4Addr, Mac};
use std::sync::Arc;

/// Settings of a VXLAN device that are given.
#[derive(Clone, Debug, PartialEq, Eq, Default)]
pub struct VxlanSet {
    /// `id`, which a new device must have.
    pub vni: Option<u32>,
    /// `dev`.
    pub dev: Option<Arc<str>>,
    /// `local`.
    pub local: Option<Ipv4Addr>,
    /// `remote`, or `group` if it is a multicast address.
    pub remote: Option<Ipv4Addr>,
    /// `dstport`; 0 for the kernel's default.
    pub dst_port: Option<u16>,
    /// `srcport MIN MAX`.
    pub src_ports: Option<(u16, u16)>,
    /// `ttl`.
    pub ttl: Option<OuterTtl>,
    /// `tos`; 1 for `inherit`.
    pub tos: Option<u8>,
    /// `df`.
    pub df: Option<OuterDf>,
    /// `learning`, `nolearning`.
    pub learning: Option<bool>,
    /// `ageing`, seconds.
    pub ageing: Option<u32>,
    /// `maxaddress`.
    pub max_addresses: Option<u32>,
    /// `udpcsum`, `noudpcsum`.
    pub udp_csum: Option<bool>,
}

/// How an entry is put in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RemoteVerb {
    /// `add`: an error if the address is there.
    Add,
    /// `append`: one more endpoint of a group's or the default entry.
    Append,
    /// `replace`: in place of the endpoint that is there.
    Replace,
    /// `del`.
    Del,
}

/// A change of the forwarding database of a VXLAN device: `bridge fdb VERB MAC dev DEV dst A [port P] [vni N] [via D] self KIND`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RemoteOp {
    /// What is done.
    pub verb: RemoteVerb,
    /// The device.
    pub dev: Arc<str>,
    /// The hardware address; zeros for the default.
    pub mac: Mac,
    /// The tunnel endpoint; may be left out for `del`.
    pub dst: Option<Ipv4Addr>,
    /// UDP port.
    pub port: Option<u16>,
    /// VNI.
    pub vni: Option<u32>,
    /// Device that packets to it leave by.
    pub via: Option<Arc<str>>,
    /// How long it lives.
    pub kind: FdbKind,
}
