//! Answers to questions, from a namespace.

use super::{Query, bridge, cat, conntrack, ip, ipset, ipvsadm, nft, ss, sysctl, xtables};
use crate::linux::{Netns, NetnsId, Time};
use std::sync::Arc;

/// What a command printed.
#[derive(Clone, Debug, PartialEq, Eq, Default)]
pub struct Answer {
    /// Standard output.
    pub stdout: String,
    /// Standard error.
    pub stderr: String,
    /// Exit status.
    pub status: u8,
}

impl Answer {
    /// A command that printed this and ended well.
    pub fn printed(stdout: String) -> Self {
        Answer { stdout, ..Answer::default() }
    }

    /// A command that complained.
    pub fn failed(message: impl Into<String>, status: u8) -> Self {
        let mut stderr: String = message.into();
        stderr.push('\n');
        Answer { stdout: String::new(), stderr, status }
    }
}

/// What a namespace does not know of itself: the host around it.
pub trait Surroundings {
    /// The name of another namespace on the same host, as `ip netns` knows it.
    fn netns_name(&self, id: NetnsId) -> Option<Arc<str>>;
    /// The names of the host's namespaces.
    fn netns_names(&self) -> Vec<Arc<str>>;
    /// The host's name.
    fn hostname(&self) -> Arc<str>;
    /// The time.
    fn now(&self) -> Time;
}

/// A namespace alone in the world at time zero.
impl Surroundings for () {
    fn netns_name(&self, _: NetnsId) -> Option<Arc<str>> {
        None
    }
    fn netns_names(&self) -> Vec<Arc<str>> {
        Vec::new()
    }
    fn hostname(&self) -> Arc<str> {
        "localhost".into()
    }
    fn now(&self) -> Time {
        Time::ZERO
    }
}

/// Answers a question from `ns`.
pub fn answer(ns: &Netns, query: &Query, around: &dyn Surroundings) -> Answer {
    match query {
        Query::Link(q) => ip::link::answer(ns, q, around),
        Query::Inet6(q) => ip::inet6::answer(ns, q, around),
        Query::Addr(q) => ip::addr::answer(ns, q, around),
        Query::Route(q) => ip::route_show::answer(ns, q),
        Query::RouteGet(q) => ip::route_get::answer(ns, q, around.now()),
        Query::Rule(q) => ip::rule::answer(ns, q),
        Query::Tuntap => ip::tuntap::answer(ns),
        Query::Tunnel(dev) => ip::ip_tunnel::answer(ns, dev.as_deref()),
        Query::Neigh(q) => ip::neigh::answer(ns, q, around.now()),
        Query::NetnsList => {
            let mut names = around.netns_names();
            names.sort();
            Answer::printed(names.iter().map(|n| format!("{n}\n")).collect())
        }
        Query::Fdb(q) => bridge::fdb::answer(ns, q, around.now()),
        Query::BridgeVlan(q) => bridge::vlan::answer(ns, q),
        Query::BridgeLink(q) => bridge::link::answer(ns, q),
        Query::Sysctl(q) => sysctl::answer(ns, q),
        Query::Conntrack(q) => conntrack::answer(ns, q, around),
        Query::Ipset(show) => ipset::answer(ns, show, around),
        Query::Xtables(q) => xtables::answer(ns, q),
        Query::Nft(q) => nft::show(ns, q, around),
        Query::Sockets(q) => ss::answer(ns, q),
        Query::Ipvs(q) => ipvsadm::answer(ns, q, around.now()),
        Query::Hostname => Answer::printed(format!("{}\n", around.hostname())),
        Query::Cat(files) => cat::answer(ns, files),
    }
}
