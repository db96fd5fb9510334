//! The way of a packet as a strip: hosts, and in them pods, devices and the IP stack, in the order in which the packet
//! meets them. All of it is read off the run.
//!
//! ```text
//!  node-a ┌ client ━ vetha1f0 ━ cni0 ━ RT ━ eth0 ┐ ━ lan ━ ┌ eth0 ━ RT ━ cni0 ━ vethb7d3 ━ web ┐ node-b
//! ```

use crate::lesson::Lesson;
use sim_core::engine::FlowKind;
use sim_core::engine::wire::Leads;
use sim_core::linux::config::Config;
use sim_core::linux::device::Attach;
use sim_core::linux::netfilter::{Hook, NfFamily};
use sim_core::linux::{FlowId, IfIndex, NetnsId, PacketId};
use sim_core::report::paths::{Direction, PacketRole};
use sim_core::trace::{Evidence, StepId};

/// What stands at a spot of the strip.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum What {
    /// A whole namespace: a pod at the end of the path.
    Pod,
    /// A device.
    Device(IfIndex),
    /// The IP stack of a namespace.
    Stack,
}

/// A spot of the strip.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Spot {
    /// Its namespace.
    pub netns: NetnsId,
    /// What stands there.
    pub what: What,
    /// Its name.
    pub label: String,
    /// Its first IPv4 address; empty if it has none.
    pub addr: String,
    /// Whether any packet came there.
    pub reached: bool,
}

/// A host on the path.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HostBox {
    /// Its name.
    pub name: String,
    /// Address of its card, if it is not shown at a spot.
    pub addr: String,
    /// Its first spot.
    pub first: usize,
    /// The spot after its last.
    pub end: usize,
    /// What leads to the next host: the segment's name.
    pub wire: String,
}

/// A path.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Strip {
    /// Its spots in order.
    pub spots: Vec<Spot>,
    /// Its hosts in order.
    pub hosts: Vec<HostBox>,
}

/// Where in the IP stack a step happens.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Stage {
    /// PREROUTING.
    Pre,
    /// The route is looked up.
    Route,
    /// INPUT.
    In,
    /// FORWARD.
    Forward,
    /// OUTPUT.
    Out,
    /// POSTROUTING.
    Post,
    /// A socket.
    Socket,
}

impl Stage {
    /// Its name in the strip.
    pub fn label(self) -> &'static str {
        match self {
            Stage::Pre => "PRE",
            Stage::Route => "RT",
            Stage::In => "IN",
            Stage::Forward => "FWD",
            Stage::Out => "OUT",
            Stage::Post => "POST",
            Stage::Socket => "SOCK",
        }
    }
}

/// Name of the segment that a wire's end leads into; none for a cable.
pub fn segment(lesson: &Lesson<'_>, end: u32) -> Option<String> {
    let wires = &lesson.report.run.end.wires;
    match wires.ends.get(end as usize)?.leads {
        Leads::Segment(s) => wires.segments.get(s.0 as usize).map(|s| s.name.to_string()),
        Leads::End(_) => None,
    }
}

fn config<'r>(lesson: &Lesson<'r>, netns: NetnsId) -> Option<&'r Config> {
    lesson.report.run.end.ns(netns).map(|n| &*n.config)
}

/// Places that a packet visits, in order, each once.
fn visits(lesson: &Lesson<'_>, packet: PacketId) -> Vec<(NetnsId, What)> {
    let mut out: Vec<(NetnsId, What)> = Vec::new();
    for n in lesson.report.steps_of(packet) {
        let Some(step) = lesson.report.raw(StepId(*n)) else { continue };
        if lesson.report.hidden(step.netns) {
            continue;
        }
        let what = match step.evidence {
            Evidence::Receive { .. } | Evidence::Transmit { .. } if step.dev.is_some() => What::Device(step.dev),
            Evidence::RouteLookup { .. } | Evidence::PolicyRule { .. } | Evidence::SocketSend { .. } | Evidence::Deliver { .. } => {
                What::Stack
            }
            _ => continue,
        };
        // between a port and whatever comes next stands its bridge
        if let Some((ns, What::Device(before))) = out.last().copied()
            && ns == step.netns
            && let Some(c) = config(lesson, ns)
        {
            let master = |dev| c.devices.get(dev).map_or(IfIndex::NONE, |d| d.master);
            let bridge = master(before);
            let beside = matches!(what, What::Device(d) if d != bridge && d != before);
            if bridge.is_some() && beside && !out.contains(&(ns, What::Device(bridge))) {
                out.push((ns, What::Device(bridge)));
            }
        }
        if !out.contains(&(step.netns, what)) {
            out.push((step.netns, what));
        }
    }
    out
}

/// The strip of a flow: the way of its request that came farthest, and its destination even if nothing came there.
pub fn of_flow(lesson: &Lesson<'_>, flow: FlowId) -> Strip {
    let mut best: Vec<(NetnsId, What)> = Vec::new();
    let mut rank = 0;
    for p in lesson.report.packets_of(flow) {
        let request = match lesson.role(p.id) {
            Some((PacketRole::Traffic | PacketRole::Again(_), Direction::Request)) => 1000,
            Some(_) => 1,
            None => continue,
        };
        let v = visits(lesson, p.id);
        if v.len() * request > rank {
            rank = v.len() * request;
            best = v;
        }
    }
    let beyond = destination(lesson, flow).filter(|d| !best.iter().any(|(n, _)| n == d));
    build(lesson, &best, beyond)
}

/// The strip of one packet, in the direction of its flow.
pub fn of_packet(lesson: &Lesson<'_>, packet: PacketId) -> Strip {
    let mut v = visits(lesson, packet);
    if matches!(lesson.role(packet), Some((_, Direction::Reply))) {
        v.reverse();
    }
    build(lesson, &v, None)
}

/// The strip of one step whose place no path has.
pub fn of_step(lesson: &Lesson<'_>, id: StepId) -> Strip {
    let Some(step) = lesson.report.raw(id) else { return Strip::default() };
    let what = if step.dev.is_some() { What::Device(step.dev) } else { What::Stack };
    build(lesson, &[(step.netns, what)], None)
}

/// Whether the strip has all places that a packet visits.
pub fn covers(lesson: &Lesson<'_>, strip: &Strip, packet: PacketId) -> bool {
    visits(lesson, packet).iter().all(|(ns, what)| strip.find(*ns, *what).is_some())
}

/// Whose address a flow goes to.
fn destination(lesson: &Lesson<'_>, flow: FlowId) -> Option<NetnsId> {
    let to: std::net::IpAddr = match &lesson.report.flow(flow)?.spec.kind {
        FlowKind::Ping { to, .. } | FlowKind::Tcp { to, .. } | FlowKind::Udp { to, .. } | FlowKind::Http { to, .. } => *to,
        _ => return None,
    };
    let world = &lesson.report.run.end;
    let owns = |ns: &sim_core::linux::Netns| ns.config.devices.iter().any(|d| d.addrs.iter().any(|a| a.local == to));
    world.netns.iter().position(|ns| owns(ns)).map(|i| NetnsId(i as u32))
}

fn build(lesson: &Lesson<'_>, visits: &[(NetnsId, What)], beyond: Option<NetnsId>) -> Strip {
    let world = &lesson.report.run.end;
    let is_root = |ns: NetnsId| world.info(ns).is_none_or(|i| i.name.is_empty() && i.pod.is_none());
    let ends = [visits.first().map(|v| v.0), visits.last().map(|v| v.0)];
    let mut spots: Vec<Spot> = Vec::new();
    for (ns, what) in visits {
        let whole = !is_root(*ns) && ends.contains(&Some(*ns));
        let what = if whole { What::Pod } else { *what };
        if spots.iter().any(|s| s.netns == *ns && s.what == what) {
            continue;
        }
        spots.push(spot(lesson, *ns, what, true));
    }
    if let Some(ns) = beyond {
        spots.push(spot(lesson, ns, What::Pod, false));
    }
    let mut hosts: Vec<HostBox> = Vec::new();
    let mut last = None;
    for (i, s) in spots.iter().enumerate() {
        let host = world.info(s.netns).map(|i| i.host);
        match hosts.last_mut().filter(|_| last == Some(host)) {
            Some(h) => h.end = i + 1,
            None => {
                let name = lesson.report.node(s.netns).to_owned();
                hosts.push(HostBox { name, addr: String::new(), first: i, end: i + 1, wire: String::new() });
            }
        }
        last = Some(host);
    }
    for h in &mut hosts {
        let wired = spots[h.first..h.end].iter().rev().find_map(|s| match s.what {
            What::Device(d) => match config(lesson, s.netns)?.devices.get(d)?.attach {
                Attach::Wire(end) => Some((s.addr.clone(), segment(lesson, end).unwrap_or_default())),
                Attach::None | Attach::Loopback | Attach::Veth { .. } | Attach::Lower { .. } => None,
            },
            What::Pod | What::Stack => None,
        });
        if let Some((addr, wire)) = wired {
            h.addr = addr;
            h.wire = wire;
        }
    }
    Strip { spots, hosts }
}

fn spot(lesson: &Lesson<'_>, netns: NetnsId, what: What, reached: bool) -> Spot {
    let c = config(lesson, netns);
    let first_addr = |d: &sim_core::linux::device::Device| d.addrs.first().map(|a| a.local.to_string()).unwrap_or_default();
    let (label, addr) = match what {
        What::Pod => {
            let label = lesson.report.label(netns);
            let own = label.split_once('/').map_or(label, |(_, own)| own);
            let addr = c.and_then(|c| c.devices.iter().filter(|d| d.addrs.iter().any(|a| !a.local.is_loopback())).map(first_addr).next());
            (own.to_owned(), addr.unwrap_or_default())
        }
        What::Device(d) => {
            let device = c.and_then(|c| c.devices.get(d));
            (lesson.report.dev(netns, d, u32::MAX - 1).to_owned(), device.map(first_addr).unwrap_or_default())
        }
        What::Stack => (Stage::Route.label().to_owned(), String::new()),
    };
    Spot { netns, what, label, addr, reached }
}

impl Strip {
    /// The spot of a place.
    pub fn find(&self, netns: NetnsId, what: What) -> Option<usize> {
        let here = |w: What| self.spots.iter().position(|s| s.netns == netns && s.what == w);
        here(what).or_else(|| here(What::Pod))
    }

    /// The spot at which a step happens, and where in the IP stack.
    pub fn place(&self, lesson: &Lesson<'_>, id: StepId) -> Option<(usize, Option<Stage>)> {
        let step = lesson.report.raw(id)?;
        let stage = stage(lesson, id);
        let any = || self.spots.iter().position(|s| s.netns == step.netns);
        let device = || step.dev.is_some().then(|| self.find(step.netns, What::Device(step.dev))).flatten();
        let stack = || self.find(step.netns, What::Stack);
        let spot = if stage.is_some() { stack().or_else(device) } else { device().or_else(stack) };
        Some((spot.or_else(any)?, stage))
    }
}

/// Where in the IP stack a step happens; none for what happens at a device.
fn stage(lesson: &Lesson<'_>, id: StepId) -> Option<Stage> {
    let step = lesson.report.raw(id)?;
    match step.evidence {
        Evidence::Hook { family: NfFamily::Bridge, .. } => None,
        Evidence::Hook { hook, .. } => Some(match hook {
            Hook::Prerouting => Stage::Pre,
            Hook::Input => Stage::In,
            Hook::Forward => Stage::Forward,
            Hook::Output => Stage::Out,
            Hook::Postrouting => Stage::Post,
        }),
        Evidence::RouteLookup { .. } | Evidence::PolicyRule { .. } => Some(Stage::Route),
        Evidence::TtlDecrement { .. } => Some(Stage::Forward),
        Evidence::SocketSend { .. } | Evidence::Deliver { .. } | Evidence::SocketError { .. } | Evidence::TcpState { .. } => {
            Some(Stage::Socket)
        }
        Evidence::Rule { .. }
        | Evidence::NftRule { .. }
        | Evidence::StatefulMatch { .. }
        | Evidence::ConntrackLookup { .. }
        | Evidence::ConntrackConfirm { .. }
        | Evidence::NatBind { .. }
        | Evidence::NatRewrite { .. }
        | Evidence::IpvsSchedule { .. }
        | Evidence::IpvsConn { .. }
        | Evidence::IpvsForward { .. } => {
            lesson.report.index.hook_of(id.0).filter(|h| *h != id.0).and_then(|h| stage(lesson, StepId(h))).or(Some(Stage::Route))
        }
        Evidence::Fragment { .. } | Evidence::IcmpError { .. } => Some(Stage::Route),
        Evidence::Drop { .. } => (!step.dev.is_some()).then_some(Stage::Route),
        // frames, neighbours, bridges and timers: at a device
        _ => None,
    }
}
