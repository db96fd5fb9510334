//! What the packets of a flow are to it: request or reply, an error, an ARP packet, a copy, a segment sent again.

use super::view::Report;
use crate::engine::Run;
use crate::linux::hot::HotMap;
use crate::linux::{FlowId, NetnsId, PacketId, Time};
use crate::packet::{Body, Frame, Net};
use crate::trace::{DropReason, Evidence, PacketRecord, StepId};

/// Which way a packet of a flow goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Direction {
    /// From the flow's client.
    Request,
    /// To it.
    Reply,
}

impl Direction {
    /// `request` or `reply`.
    pub fn name(self) -> &'static str {
        match self {
            Direction::Request => "request",
            Direction::Reply => "reply",
        }
    }
}

/// What a packet is to its flow.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PacketRole {
    /// Traffic of the flow.
    Traffic,
    /// Traffic that was sent before: the packet that it repeats.
    Again(PacketId),
    /// An ICMP error about a packet of the flow.
    Error,
    /// Address resolution that a packet needed.
    Arp,
    /// A copy that flooding made.
    Copy,
}

/// A packet of a flow and what it is to it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Member {
    /// The packet.
    pub packet: PacketRecord,
    /// Which way it goes.
    pub direction: Direction,
    /// What it is.
    pub role: PacketRole,
    /// Where it was born.
    pub origin: NetnsId,
    /// When it was first seen.
    pub at: Time,
}

impl Report<'_> {
    /// The packets of a flow, in order of birth, each with its role. Packets without a step are left out.
    pub fn members(&self, flow: FlowId) -> Vec<Member> {
        let client = self.flow(flow).map(|f| f.spec.from);
        let mut out: Vec<Member> = Vec::new();
        let mut seen: HotMap<(NetnsId, Signature), PacketId> = HotMap::default();
        let mut directions: HotMap<PacketId, Direction> = HotMap::default();
        let mut asked: Option<Ends> = None;
        for packet in self.packets_of(flow) {
            let Some(first) = self.steps_of(packet.id).first().and_then(|n| self.raw(StepId(*n))) else { continue };
            let birth = self.birth(packet.id);
            let ends = birth.as_ref().and_then(Ends::of);
            let role = match &birth {
                _ if packet.copy_of.is_some() => PacketRole::Copy,
                Some(f) if matches!(f.net, Net::Arp(_)) => PacketRole::Arp,
                Some(f) if is_icmp_error(f) => PacketRole::Error,
                Some(f) => match Signature::of(f) {
                    Some(s) => match seen.get(&(first.netns, s)) {
                        Some(earlier) => PacketRole::Again(*earlier),
                        None => {
                            seen.insert((first.netns, s), packet.id);
                            PacketRole::Traffic
                        }
                    },
                    None => PacketRole::Traffic,
                },
                None => PacketRole::Traffic,
            };
            if asked.is_none() && role == PacketRole::Traffic {
                asked = ends;
            }
            let parent = |id: PacketId| directions.get(&id).copied();
            let direction = if packet.copy_of.is_some() {
                parent(packet.copy_of).unwrap_or(Direction::Request)
            } else if Some(first.netns) != client {
                if role == PacketRole::Arp { parent(packet.caused_by).unwrap_or(Direction::Reply) } else { Direction::Reply }
            } else if let (Some(a), Some(e)) = (asked, ends) {
                // client and server share a namespace: the first packet says who is who
                if a.reversed(e) { Direction::Reply } else { Direction::Request }
            } else {
                Direction::Request
            };
            directions.insert(packet.id, direction);
            out.push(Member { packet, direction, role, origin: first.netns, at: first.at });
        }
        out
    }

    /// Which way a packet goes in its flow; none for the background.
    pub fn direction_of(&self, packet: PacketId) -> Option<Direction> {
        let all = self.directions.get_or_init(|| {
            let mut all = vec![None; self.index.packets.len()];
            for flow in 1..=self.run.flows.len() {
                for m in self.members(FlowId(flow as u32)) {
                    if let Some(slot) = self.index.place(m.packet.id).and_then(|p| all.get_mut(p)) {
                        *slot = Some(m.direction);
                    }
                }
            }
            all
        });
        all.get(self.index.place(packet)?).copied().flatten()
    }

    /// Where and why a packet of the flow's own traffic was last dropped.
    pub fn last_drop(&self, flow: FlowId) -> Option<(NetnsId, DropReason)> {
        self.members(flow)
            .iter()
            .filter(|m| matches!(m.role, PacketRole::Traffic | PacketRole::Again(_) | PacketRole::Error))
            .flat_map(|m| self.steps_of(m.packet.id))
            .filter_map(|n| self.raw(StepId(*n)).map(|s| (*n, s)))
            .filter_map(|(n, s)| match s.evidence {
                Evidence::Drop { reason } => Some((n, s.netns, reason)),
                _ => None,
            })
            .max_by_key(|(n, _, _)| *n)
            .map(|(_, netns, reason)| (netns, reason))
    }

    /// The steps about no packet that belong to a flow: what its client decided before there was a packet, and the
    /// timers that fired while it alone was under way.
    pub fn loose_of(&self, flow: FlowId) -> impl Iterator<Item = u32> + '_ {
        let from = self.loose.partition_point(|(f, _)| *f < flow);
        self.loose[from..].iter().take_while(move |(f, _)| *f == flow).map(|(_, n)| *n)
    }
}

/// Files the steps about no packet under the flow that was under way: one that starts in that namespace, else the latest.
pub(super) fn file_loose(run: &Run, loose: &[u32]) -> Vec<(FlowId, u32)> {
    const LOOK_BACK: usize = 16;
    let mut out: Vec<(FlowId, u32)> = Vec::with_capacity(loose.len());
    for n in loose {
        let Some(step) = run.recording.step_at(StepId(*n)) else { continue };
        let begun = run.flows.partition_point(|f| f.began <= step.at);
        let running = || run.flows[begun.saturating_sub(LOOK_BACK)..begun].iter().rev().filter(|f| f.ended >= step.at);
        let flow = running().find(|f| f.spec.from == step.netns).or_else(|| running().next()).map_or(FlowId::NONE, |f| f.id);
        out.push((flow, *n));
    }
    out.sort_unstable();
    out
}

fn is_icmp_error(f: &Frame) -> bool {
    f.ipv4().is_some_and(|p| matches!(&p.body, Body::Icmp(m) if m.is_error()))
}

/// Source and destination of a packet with ports.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
struct Ends {
    src: (std::net::Ipv4Addr, u16),
    dst: (std::net::Ipv4Addr, u16),
    echo_reply: bool,
}

impl Ends {
    fn of(f: &Frame) -> Option<Ends> {
        let p = f.ipv4()?;
        let (sport, dport) = match &p.body {
            Body::Tcp(t) => (t.src_port, t.dst_port),
            Body::Udp(u) => (u.src_port, u.dst_port),
            Body::Icmp(_) | Body::Icmpv6(_) | Body::Fragment { .. } | Body::Other { .. } => (0, 0),
        };
        let echo_reply = matches!(&p.body, Body::Icmp(m) if m.type_code().0 == 0);
        Some(Ends { src: (p.header.src, sport), dst: (p.header.dst, dport), echo_reply })
    }

    fn reversed(self, other: Ends) -> bool {
        other.echo_reply || (self.src == other.dst && self.dst == other.src && self.src != self.dst)
    }
}

/// What is the same in a TCP segment that is sent again.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
struct Signature {
    ends: Ends,
    seq: u32,
    flags: u8,
    len: usize,
}

impl Signature {
    fn of(f: &Frame) -> Option<Signature> {
        let Body::Tcp(t) = &f.ipv4()?.body else { return None };
        // a pure acknowledgment takes no sequence space and may rightly look like the one before
        (t.seq_len() > 0).then_some(Signature { ends: Ends::of(f)?, seq: t.seq, flags: t.flags.0, len: t.payload.len() })
    }
}
