//! The one language of change.
//!
//! An [`Op`] is one configuration command. It prints as the command that does the same on a real host, and every such
//! command parses into an `Op`; both live with the shell. Here an `Op` is data, and is applied to a namespace.

pub mod addr;
pub mod inet6;
pub mod ip_tunnel;
pub mod ipset;
pub mod ipvs;
pub mod link;
pub mod neigh;
pub mod nft;
pub mod route;
pub mod rule;
pub mod vxlan;
pub mod xtables;

pub use addr::AddrOp;
pub use inet6::{Addr6Op, Route6Op};
pub use ip_tunnel::IpTunnelSet;
pub use ipset::IpsetOp;
pub use ipvs::IpvsOp;
pub use link::{BridgeSet, BridgeVlanOp, LinkKind, LinkOp, LinkSet, NewLink};
pub use neigh::{FdbOp, NeighOp};
pub use nft::NftOp;
pub use route::{RouteBatch, RouteOp, RouteSpec, RouteVerb};
pub use rule::RuleOp;
pub use vxlan::{RemoteOp, RemoteVerb, VxlanSet};
pub use xtables::{Restore, RestoreLine, RestoreTable, XtCommand, XtOp};

use std::sync::Arc;

/// One change of a host's configuration, in one of its namespaces.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Op {
    /// `ip link …`, `bridge link …`.
    Link(LinkOp),
    /// `ip address …`.
    Addr(AddrOp),
    /// `ip route …`.
    Route(RouteOp),
    /// `ip rule …`.
    Rule(RuleOp),
    /// `ip -6 address …`.
    Addr6(Addr6Op),
    /// `ip -6 route …`.
    Route6(Box<Route6Op>),
    /// `ip neigh …`.
    Neigh(NeighOp),
    /// `bridge fdb …`.
    Fdb(FdbOp),
    /// `sysctl -w KEY=VALUE`; the key with dots.
    Sysctl {
        /// Key, such as `net.ipv4.ip_forward`.
        key: Arc<str>,
        /// Value as text.
        value: Arc<str>,
    },
    /// `iptables …`, `iptables-restore`, or the same of `ip6tables`.
    Xtables(crate::packet::Family, XtOp),
    /// `ipvsadm …`.
    Ipvs(IpvsOp),
    /// `nft …`.
    Nft(NftOp),
    /// `ipset …`.
    Ipset(IpsetOp),
    /// `conntrack -F`.
    ConntrackFlush,
    /// `conntrack -D` with what must fit.
    ConntrackDelete(ConntrackFilter),
    /// `ip netns add NAME`.
    NetnsAdd(Arc<str>),
    /// `ip netns del NAME`.
    NetnsDel(Arc<str>),
    /// `systemctl start|stop|restart UNIT`.
    Agent {
        /// What to do.
        verb: AgentVerb,
        /// `kubelet`, `flanneld`, …
        unit: Arc<str>,
    },
}

/// What `systemctl` does to a unit.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AgentVerb {
    /// Starts it.
    Start,
    /// Stops it: its objects are no longer compiled.
    Stop,
    /// Stops and starts it.
    Restart,
}

/// Which conntrack entries `conntrack -D` deletes: those that fit all that is given.
#[derive(Clone, Debug, PartialEq, Eq, Default)]
pub struct ConntrackFilter {
    /// `-p`.
    pub protocol: Option<crate::packet::Protocol>,
    /// `-s`, `--orig-src`.
    pub orig_src: Option<crate::packet::Ipv4Addr>,
    /// `-d`, `--orig-dst`.
    pub orig_dst: Option<crate::packet::Ipv4Addr>,
    /// `-r`, `--reply-src`.
    pub reply_src: Option<crate::packet::Ipv4Addr>,
    /// `-q`, `--reply-dst`.
    pub reply_dst: Option<crate::packet::Ipv4Addr>,
    /// `--sport`, `--orig-port-src`.
    pub sport: Option<u16>,
    /// `--dport`, `--orig-port-dst`.
    pub dport: Option<u16>,
}
