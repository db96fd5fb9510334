//! A network namespace.
//!
//! Models: include/net/net_namespace.h struct net.

use super::config::Config;
use super::conntrack::Conntrack;
use super::fdb::Fdb;
use super::fragment::Fragments;
use super::hot::HotMap;
use super::id::{IfIndex, NetnsId};
use super::ipvs::Ipvs;
use super::neighbour::Neighbours;
use super::netfilter::XtState;
use super::netfilter::nft::NftState;
use super::socket::Sockets;
use super::time::Time;
use super::tunnel_seq::TunnelSeq;
use super::vxlan_fdb::VxlanFdb;
use crate::packet::{Ipv4Addr, Ipv6Addr};
use std::sync::Arc;

/// A network namespace: its configuration, and what packets have written.
#[derive(Clone, Debug)]
pub struct Netns {
    /// Its place in the world.
    pub id: NetnsId,
    /// What commands set. Changed only through [`Netns::config_mut`].
    pub config: Arc<Config>,
    /// Counts the versions of `config`.
    pub generation: u32,
    /// ARP cache.
    pub neigh: Neighbours<Ipv4Addr>,
    /// Neighbour discovery cache.
    pub neigh6: Neighbours<Ipv6Addr>,
    /// Forwarding databases, by bridge.
    pub fdb: HotMap<IfIndex, Fdb>,
    /// Sequence numbers of tunnels.
    pub tunnel_seq: TunnelSeq,
    /// Forwarding databases of VXLAN devices.
    pub vxlan: HotMap<IfIndex, VxlanFdb>,
    /// Flows that are tracked.
    pub conntrack: Box<Conntrack<Ipv4Addr>>,
    /// IPVS: connections, and what schedulers keep.
    pub ipvs: Box<Ipvs>,
    /// Sockets.
    pub sockets: Box<Sockets>,
    /// What packets have written in iptables: counters, lists, token buckets.
    pub xt_state: Box<XtState>,
    /// What packets wrote to the sets of nftables, and what its rules count.
    pub nft: Box<NftState>,
    /// Token buckets of ICMP errors.
    pub icmp_limits: IcmpLimits,
    /// Next value of the IP identification of packets without DF.
    pub ip_id: u16,
    /// Packets that are being put together from fragments.
    pub fragments: Box<Fragments<Ipv4Addr>>,
    /// Path MTUs learned, by destination: (MTU, when it expires).
    pub pmtu: HotMap<Ipv4Addr, (u32, Time)>,
    /// What IPv6 keeps beside its neighbours.
    pub ip6: Box<Ip6State>,
}

/// What limits the rate of ICMP errors and redirects.
///
/// Models: net/ipv4/icmp.c icmp_global_allow; net/ipv4/inetpeer.c inet_peer_xrlim_allow, and net/ipv4/route.c
/// ip_error and ip_rt_send_redirect, which all three draw from one bucket per peer.
#[derive(Clone, Debug, Default)]
pub struct IcmpLimits {
    /// The bucket of all destinations: (tokens, when last filled).
    pub global: Option<(u32, Time)>,
    /// Per peer.
    pub peers: HotMap<Ipv4Addr, PeerLimit>,
}

/// The bucket of one peer (struct inet_peer).
#[derive(Clone, Copy, Debug, Default)]
pub struct PeerLimit {
    /// `rate_tokens`, in nanoseconds.
    pub tokens: u64,
    /// `rate_last`.
    pub last: Time,
    /// `n_redirects`.
    pub redirects: u32,
}

/// What packets write of IPv6 beside the neighbour cache.
#[derive(Clone, Debug, Default)]
pub struct Ip6State {
    /// Addresses that are being tried: solicitations still to be sent, and the nonce of the last.
    pub dad: HotMap<(IfIndex, Ipv6Addr), (u32, [u8; 6])>,
    /// Membership reports that are still to be sent, by device.
    pub mld: HotMap<IfIndex, Mld>,
    /// Path MTUs learned, by destination: (MTU, when it expires).
    pub pmtu: HotMap<Ipv6Addr, (u32, Time)>,
    /// Token buckets of ICMP errors, per peer.
    pub peers: HotMap<Ipv6Addr, PeerLimit>,
    /// Packets that are being put together from fragments.
    pub fragments: Fragments<Ipv6Addr>,
    /// The last identification of a packet that was cut here.
    pub frag_id: u32,
}

/// Membership reports of one device (struct inet6_dev, mc_*).
#[derive(Clone, Debug, Default)]
pub struct Mld {
    /// Groups joined or left, and how often that is still to be told.
    pub changes: Vec<(Ipv6Addr, bool, u8)>,
    /// `mc_ifc_count`: reports of changes still to be sent.
    pub count: u8,
    /// `mc_dad_count`: whole reports still to be sent once the link-local address may be used.
    pub dad_count: u8,
    /// Groups that were told of.
    pub joined: Vec<Ipv6Addr>,
}

impl Netns {
    /// A namespace with nothing in it, not even `lo`.
    pub fn empty(id: NetnsId) -> Self {
        Netns {
            id,
            config: Arc::new(Config::default()),
            generation: 0,
            neigh: Neighbours::default(),
            neigh6: Neighbours::default(),
            fdb: HotMap::default(),
            vxlan: HotMap::default(),
            tunnel_seq: TunnelSeq::default(),
            conntrack: Box::default(),
            ipvs: Box::default(),
            sockets: Box::default(),
            xt_state: Box::default(),
            nft: Box::default(),
            icmp_limits: IcmpLimits::default(),
            ip_id: 0,
            fragments: Box::default(),
            pmtu: HotMap::default(),
            ip6: Box::default(),
        }
    }

    /// Changes iptables or ip6tables, counters included; new rules say that they come from `source`.
    ///
    /// # Errors
    /// In the words of iptables.
    pub fn apply_xtables(
        &mut self,
        family: crate::packet::Family,
        op: &super::op::XtOp,
        source: super::Source,
    ) -> Result<(), super::netfilter::XtFailed> {
        let mut touched = super::netfilter::apply::Touched::default();
        let done = self.config_mut().apply_xtables(family, op, source, &mut touched);
        self.xt_state.follow(family, &touched);
        done
    }

    /// The configuration, to be changed: a new version begins.
    pub fn config_mut(&mut self) -> &mut Config {
        self.generation += 1;
        Arc::make_mut(&mut self.config)
    }
}
