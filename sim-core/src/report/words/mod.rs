//! Sentences: what a step did and why, in the words of the kernel and of Kubernetes.
//!
//! One file per layer; each kind of step has one entry, and each code one phrase. `what` is the decision, `why` its
//! reasons, `short` the phrase that stands in the line of a hop (empty if the step does not deserve one).

mod bridge;
mod ipvs;
mod link;
mod neighbour;
mod netfilter;
pub mod outcome;
pub mod packet;
mod route;
mod route6;
mod socket;
mod tunnel;

use super::doc::{Line, Role};
use super::view::{Report, StepView};
use crate::trace::{DropReason, Evidence};

/// The words for a step.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Words {
    /// A phrase for the line of a hop; may be empty.
    pub short: Line,
    /// The decision.
    pub what: Line,
    /// The reasons, one line each.
    pub why: Vec<Line>,
}

impl Words {
    fn new(what: Line) -> Self {
        Words { short: Line::new(), what, why: Vec::new() }
    }

    fn short(mut self, short: Line) -> Self {
        self.short = short;
        self
    }

    fn why(mut self, why: impl Into<String>) -> Self {
        let why = why.into();
        if !why.is_empty() {
            self.why.push(Line::of(Role::Why, why));
        }
        self
    }
}

/// The words for `v`.
pub fn of(report: &Report<'_>, v: &StepView<'_>) -> Words {
    match v.step.evidence {
        Evidence::Receive { pkttype, copy_of, .. } => link::receive(report, v, pkttype, copy_of),
        Evidence::Transmit { .. } => link::transmit(report, v),
        Evidence::SocketSend { len, .. } => socket::send(v, len),
        Evidence::Deliver { socket, len } => socket::deliver(v, socket, len),
        Evidence::SocketError { errno, .. } => socket::error(v, errno),
        Evidence::TcpState { from, to, .. } => socket::tcp_state(from, to),
        Evidence::PolicyRule { .. } => route::policy_rule(report, v),
        Evidence::RouteLookup { .. } => route::lookup(report, v),
        Evidence::NeighbourLookup { addr, state, after, action, mac } => neighbour::lookup(v, report.addr(addr), state, after, action, mac),
        Evidence::NeighbourUpdate { addr, from, to, mac } => neighbour::update(v, report.addr(addr), from, to, mac),
        Evidence::Hook { family, hook, .. } => netfilter::hook(report, v, family, hook),
        Evidence::Rule { table, at, verdict, .. } => netfilter::rule(v, table.name(), at, verdict),
        Evidence::NftRule { at, verdict, .. } => netfilter::nft_rule(v, at, verdict),
        Evidence::StatefulMatch { matched, value, .. } => netfilter::stateful(v, matched, value),
        Evidence::ConntrackLookup { id, created, ct } => netfilter::conntrack_lookup(v, id, created, ct),
        Evidence::ConntrackConfirm { .. } => netfilter::conntrack_confirm(v),
        Evidence::NatBind { row, source, addr, port, .. } => netfilter::nat_bind(v, row.is_some(), source, report.addr(addr), port),
        Evidence::NatRewrite { source, .. } => netfilter::nat_rewrite(v, source),
        Evidence::IpvsSchedule { dest, usable, .. } => ipvs::schedule(v, dest.is_some(), usable),
        Evidence::IpvsConn { created, reply, .. } => ipvs::conn(v, created, reply),
        Evidence::IpvsForward { forward, local, addr, port, .. } => ipvs::forward(forward, local, addr.ipv4(), port),
        Evidence::FdbLearn { mac, new, .. } => bridge::learn(v, mac, new),
        Evidence::VlanFilter { ingress, vid, verdict } => bridge::vlan(v, ingress, vid, verdict),
        Evidence::FdbLookup { mac, verdict } => bridge::lookup(report, v, mac, verdict),
        Evidence::RemoteLookup { mac, hit, count, .. } => tunnel::lookup(v, mac, hit, count),
        Evidence::RemoteLearn { mac, remote, new } => tunnel::learn(v, mac, remote.ipv4(), new),
        Evidence::Encap { tunnel: t, id, src, dst, sport, dport } => tunnel::encap(t, id, (src.ipv4(), sport), (dst.ipv4(), dport)),
        Evidence::Decap { tunnel: t, id, src, .. } => tunnel::decap(v, t, id, src.ipv4()),
        Evidence::TtlDecrement { from, to } => route::ttl(from, to),
        Evidence::Fragment { mtu, parts } => route::fragment(mtu, parts),
        Evidence::Defrag { offset, parts } => route::defrag(offset, parts),
        Evidence::IcmpError { kind, code, packet } => socket::icmp_error(v, kind, code, packet),
        Evidence::ArpInput { verdict, target } => neighbour::arp_input(v, verdict, target.ipv4()),
        Evidence::Timer { timer } => neighbour::timer(timer),
        Evidence::Drop { reason } => drop(v, reason),
    }
}

fn drop(v: &StepView<'_>, reason: DropReason) -> Words {
    let line = Line::of(Role::Bad, "DROP").and(Role::Plain, format!(" {}: {}", reason.name(), reason.meaning()));
    use DropReason as R;
    let dst = v.field("dst").unwrap_or_default();
    let more = match reason {
        R::Consumed => return Words::new(Line::plain("the packet has reached its end")),
        // an ARP packet that floods past those whom it does not concern is the normal case, not a fault
        R::ArpNotForUs => return Words::new(Line::plain("no answer is due: the packet ends here")),
        R::OtherHost => format!("Its destination hardware address is not that of {}; only the owner takes the frame.", v.dev),
        R::NetfilterDrop => "A silent end: the sender learns nothing and waits.".to_owned(),
        R::IpInAddrErrors => "The host is no router: net.ipv4.ip_forward is 0, packets for others are not passed on.".to_owned(),
        R::IpRpFilter => format!("rp_filter looks up the way back to the source, and it does not lead by {}.", v.dev),
        R::NeighFailed => "ARP asked three times, a second apart, and nobody answered.".to_owned(),
        R::IpLocalSource => "Nobody else can rightly send from an address of this host.".to_owned(),
        R::NoSocket => format!("No socket of this namespace takes packets for {dst}:{}.", v.field("dport").unwrap_or_default()),
        R::IpInNoRoutes | R::IpOutNoRoutes => format!("The route tables have nothing that holds {dst}."),
        R::PktTooBig => "DF is set, so it may not be cut; the sender is told the MTU.".to_owned(),
        R::TtlExceeded => "Each router takes one off; this one took the last.".to_owned(),
        R::BlackholeRoute => "Nobody is told.".to_owned(),
        R::RecursionLimit => "The devices hand the frame to each other without end.".to_owned(),
        R::QdiscDrop => "The wire takes one bit after the other (rate); the queue before it is full.".to_owned(),
        R::VlanFilter => {
            "A bridge with vlan_filtering lets a frame in and out only where its VLAN is configured (bridge vlan add).".to_owned()
        }
        R::NeighQueueFull => "The oldest of those that wait makes room.".to_owned(),
        R::Ipv6Disabled => format!("net.ipv6.conf.{}.disable_ipv6 is set.", v.dev),
        R::Ipv6NdiscHopLimit => "Its hop limit is not 255: it was not sent on this link.".to_owned(),
        R::TcpReset => "The connection is over.".to_owned(),
        R::LocalMac => "Its own frame has come back to it.".to_owned(),
        R::VxlanVniNotFound => {
            "The packet reached the right port, but no device of that port has its network identifier (VNI), or it is down.".to_owned()
        }
        R::VxlanEntryExists => "A permanent entry is not moved by what is heard.".to_owned(),
        R::DupFrag => "It was sent twice; the others of its packet stay.".to_owned(),
        R::FragTooFar => "Its identification may have come round again, so what waits under it may be of another packet.".to_owned(),
        R::MacInvalidSource
        | R::VxlanInvalidHdr
        | R::IpTunnelEcn
        | R::NotSpecified
        | R::PktTooSmall
        | R::TcpCsum
        | R::UdpCsum
        | R::IcmpCsum
        | R::IpCsum
        | R::IpInHdr
        | R::IpInvalidSource
        | R::IpInvalidDest
        | R::IpLocalnet
        | R::IpNoProto
        | R::UnicastInL2Multicast
        | R::UnhandledProto
        | R::NeighCreateFail
        | R::NeighDead
        | R::BridgeIngressStpState
        | R::NoTxTarget
        | R::DevReady
        | R::DevHdr
        | R::TcpInvalidSequence
        | R::TcpOldData
        | R::TcpFlags
        | R::TcpListenOverflow
        | R::SocketRcvbuff
        | R::FragReasmTimeout
        | R::LinkLoss
        | R::Oversize
        | R::CtClash
        | R::CtTableFull => String::new(),
    };
    Words::new(line.clone()).short(line).why(more)
}
