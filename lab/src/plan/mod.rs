//! Plans: what is to be built and done, the same for both kernels.
//!
//! ```text
//!  a settled world ──► namespaces, cards and wires, the log of Ops, servers, traffic ──► Plan
//! ```
//!
//! A plan names no namespace of the real host and no file: namespaces are numbers, devices exist inside of them.

pub mod checked;

use indexmap::IndexMap;
use sim_core::apps::{Echo, Listen};
use sim_core::engine::blueprint::Blueprint;
use sim_core::engine::wire::Leads;
use sim_core::engine::{Agenda, FlowKind, Start, World};
use sim_core::linux::{NetnsId, Op};
use sim_core::packet::{Body, Ipv4Packet, Mac};
use sim_core::shell::{Command, FlowCommand, parse};
use sim_core::trace::NoTrace;
use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

/// Time between the end of a flow and the next, in both worlds: what is still on its way arrives before anything else begins.
pub const SETTLE: Duration = Duration::from_millis(60);
/// Further time behind a command: a real tool takes a while.
pub const TYPING: Duration = Duration::from_millis(150);
/// The longest that a ping or a datagram waits for its answer.
pub const NO_ANSWER: Duration = Duration::from_millis(800);
/// The longest that a connection is tried: longer than a neighbour takes to fail.
pub const NO_CONNECTION: Duration = Duration::from_millis(3_500);

/// A namespace.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PlaceDef {
    /// What a reader calls it.
    pub label: String,
    /// Nobody looks at it.
    pub hidden: bool,
}

/// A card at the end of a wire.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Card {
    /// Its namespace.
    pub netns: NetnsId,
    /// Name.
    pub name: Arc<str>,
    /// Hardware address.
    pub mac: Mac,
    /// MTU in bytes.
    pub mtu: u32,
}

/// What joins cards: a cable of two, or a segment of many.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Wire {
    /// The cards on it.
    pub cards: Vec<Card>,
    /// Whether it is a switch, even for two cards.
    pub switch: bool,
}

/// A command of the log.
#[derive(Clone, Debug, PartialEq)]
pub struct Step {
    /// Where.
    pub netns: NetnsId,
    /// What.
    pub op: Arc<Op>,
    /// Whether the simulated kernel refused it, and in which words.
    pub refused: Option<Arc<str>>,
}

/// What is to be built and done.
#[derive(Clone, Debug, Default)]
pub struct Plan {
    /// Namespaces; a [`NetnsId`] is a place in this list.
    pub places: Vec<PlaceDef>,
    /// Names of namespaces on their hosts, as commands use them: by host, by name.
    pub names: IndexMap<(u32, Arc<str>), NetnsId>,
    /// The host of each namespace.
    pub hosts: Vec<u32>,
    /// Cables and segments.
    pub wires: Vec<Wire>,
    /// Commands, in order.
    pub steps: Vec<Step>,
    /// Servers.
    pub servers: Vec<(NetnsId, Listen)>,
    /// Sysctls of an untouched namespace, where a real one may have others.
    pub defaults: Vec<(String, String)>,
    /// Traffic and changes.
    pub agenda: Agenda,
    /// Ports that keep their numbers.
    pub ports: Vec<u16>,
    /// Hardware addresses that devices have in the simulated world, by namespace and name.
    pub macs: IndexMap<(NetnsId, Arc<str>), Mac>,
    /// When the flows began in the simulated run, since it began, and when it ended: the real ones begin at the same times, so that
    /// timers of both kernels go off between the same flows.
    pub schedule: Vec<Duration>,
    /// Why the two kernels could not do the same, if they could not.
    pub unlike: Option<Unfit>,
}

/// Why a scenario cannot be compared with a real kernel at all.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Unfit {
    /// Chance decides, and a real kernel draws other numbers.
    #[error("{0}")]
    Chance(String),
    /// It is something that no real kernel is asked for.
    #[error("{0}")]
    Other(String),
}

impl Plan {
    /// The plan of a settled world.
    ///
    /// # Errors
    /// When the two kernels could not do the same.
    pub fn of(world: &World, blueprint: &Blueprint, agenda: &Agenda) -> Result<Plan, Unfit> {
        let mut plan = Plan::to_read(world, blueprint, agenda)?;
        plan.chance()?;
        plan.agenda(agenda)?;
        plan.ports = ports(&plan);
        match plan.unlike.take() {
            Some(why) => Err(why),
            None => Ok(plan),
        }
    }

    /// The plan of a settled world as it is written, also where the two kernels could not do the same.
    ///
    /// # Errors
    /// When the world cannot be built.
    pub fn to_read(world: &World, blueprint: &Blueprint, agenda: &Agenda) -> Result<Plan, Unfit> {
        let mut plan = Plan::default();
        for info in &world.info {
            plan.places.push(PlaceDef { label: info.label.to_string(), hidden: info.hidden });
            plan.hosts.push(info.host.0);
        }
        for (i, host) in world.hosts.iter().enumerate() {
            for (name, id) in &host.netns {
                plan.names.insert((i as u32, name.clone()), *id);
            }
        }
        plan.wires(blueprint)?;
        for o in &world.ops {
            plan.steps.push(Step { netns: o.netns, op: o.op.clone(), refused: o.error.clone() });
        }
        for slot in world.programs() {
            if let Some(echo) = slot.program.as_ref().and_then(|p| p.as_any().downcast_ref::<Echo>()) {
                plan.servers.push((slot.netns, echo.listen().clone()));
            }
        }
        for (i, ns) in world.netns.iter().enumerate() {
            for d in ns.config.devices.iter() {
                plan.macs.insert((NetnsId(i as u32), d.name.clone()), d.mac);
            }
        }
        let fresh = sim_core::linux::Netns::empty(NetnsId(0));
        let kept = |k: &str| k.starts_with("net.bridge.") || k.starts_with("net.ipv4.conf.") || k == "net.ipv4.ip_forward";
        let mut defaults: Vec<_> = sim_core::linux::apply::sysctl::list(&fresh).into_iter().filter(|(k, _)| kept(k)).collect();
        // ip_forward writes the others, so it goes first
        defaults.sort_by_key(|(k, _)| k != "net.ipv4.ip_forward");
        plan.defaults = defaults;
        plan.agenda = agenda.clone();
        Ok(plan)
    }

    /// Whether a rule decides by chance, which the two kernels draw differently, or a command is of a family that is left out.
    fn chance(&self) -> Result<(), Unfit> {
        let typed = self.agenda.flows.iter().filter_map(|f| match &f.kind {
            FlowKind::Run { line } => Some(line.to_string()),
            _ => None,
        });
        let changes = self.agenda.changes.iter().map(|c| c.line.to_string());
        let steps = self.steps.iter().flat_map(|s| sim_core::shell::print(&sim_core::shell::OpIn { netns: None, op: (*s.op).clone() }));
        for line in steps.chain(typed).chain(changes) {
            if let Some(word) = ["--mode random", "numgen random", "fully-random"].into_iter().find(|w| line.contains(w)) {
                return Err(Unfit::Chance(format!("a rule decides by chance (`{word}`), and a real kernel draws other numbers")));
            }
            if line.starts_with("ip -6 ") {
                return Err(Unfit::Other("it uses IPv6, which is off in the real namespaces".to_owned()));
            }
        }
        Ok(())
    }

    /// Cards and what joins them, as they are before any command.
    fn wires(&mut self, blueprint: &Blueprint) -> Result<(), Unfit> {
        let bare = Blueprint { ops: Vec::new(), servers: Vec::new(), ..blueprint.clone() };
        let engine = bare.build(NoTrace).map_err(|e| Unfit::Other(e.to_string()))?;
        let world = &engine.world;
        let card = |end: u32| -> Option<Card> {
            let e = world.wires.ends.get(end as usize)?;
            let d = world.ns(e.netns)?.config.devices.get(e.dev)?;
            Some(Card { netns: e.netns, name: d.name.clone(), mac: d.mac, mtu: d.mtu })
        };
        let mut lossy = false;
        let mut slow = Duration::ZERO;
        for s in &world.wires.segments {
            let mut ports = s.ports.clone();
            ports.sort_unstable();
            let cards: Vec<Card> = ports.iter().filter_map(|p| card(*p)).collect();
            if !cards.is_empty() {
                lossy |= s.props.loss_ppm != 0;
                slow = slow.max(s.props.latency);
                self.wires.push(Wire { cards, switch: true });
            }
        }
        for (i, e) in world.wires.ends.iter().enumerate() {
            let Leads::End(other) = e.leads else { continue };
            if (i as u32) < other {
                lossy |= e.props.loss_ppm != 0;
                slow = slow.max(e.props.latency);
                let cards = [card(i as u32), card(other)].into_iter().flatten().collect();
                self.wires.push(Wire { cards, switch: false });
            }
        }
        if lossy {
            self.unlike = Some(Unfit::Chance("a link loses frames by chance".to_owned()));
        } else if slow > SETTLE / 3 {
            self.unlike = Some(Unfit::Other(format!("a link takes {} ms: the real one would take none", slow.as_millis())));
        }
        Ok(())
    }

    /// Longer pauses between the flows.
    pub fn stretch(&mut self, by: Duration) {
        for f in self.agenda.flows.iter_mut().skip(1) {
            if let Start::After(d) = &mut f.start {
                *d += by;
            }
        }
    }

    /// The traffic: commands that make traffic become that traffic, waits are cut, and there is a pause between two flows.
    fn agenda(&mut self, agenda: &Agenda) -> Result<(), Unfit> {
        let mut agenda = agenda.clone();
        agenda.linger = agenda.linger.min(Duration::from_millis(300));
        let mut typed = false;
        for (i, f) in agenda.flows.iter_mut().enumerate() {
            if let FlowKind::Run { line } = &f.kind
                && let Ok(Command::Flow(inner)) = parse(line)
            {
                let own = inner.netns.as_ref().and_then(|n| {
                    let host = *self.hosts.get(f.from.0 as usize)?;
                    self.names.get(&(host, n.clone())).copied()
                });
                match as_flow(&inner.flow) {
                    Some((kind, options)) => {
                        f.kind = kind;
                        f.options = options;
                        f.from = own.unwrap_or(f.from);
                    }
                    None => return Err(Unfit::Other(format!("the command `{}` is not sent by the same program", first_word(line)))),
                }
            }
            if let Start::After(d) = f.start {
                let pause = if i == 0 { Duration::ZERO } else { SETTLE + if typed { TYPING } else { Duration::ZERO } };
                f.start = Start::After(d + pause);
            }
            typed = matches!(f.kind, FlowKind::Run { .. });
            let longest = match f.kind {
                FlowKind::Ping { .. } | FlowKind::Udp { .. } => NO_ANSWER,
                _ => NO_CONNECTION,
            };
            f.options.timeout = Some(f.options.timeout.map_or(longest, |t| t.min(longest)));
            if let FlowKind::Ping { ident, interval, count, .. } = &mut f.kind {
                // a real ping draws its identifier
                ident.get_or_insert(0x101 + i as u16);
                *count = (*count).min(5);
                *interval = (*interval).min(Duration::from_millis(200));
            }
        }
        self.agenda = agenda;
        Ok(())
    }
}

fn first_word(line: &str) -> &str {
    line.split_whitespace().next().unwrap_or("")
}

/// A command that makes traffic, as a flow; none if no program of ours sends the same, or it names a host by name.
fn as_flow(c: &FlowCommand) -> Option<(FlowKind, sim_core::engine::SendOptions)> {
    let to = c.host().parse().ok()?;
    let mut options = sim_core::engine::SendOptions::default();
    #[allow(unreachable_patterns, reason = "further commands that make traffic have no program here")]
    let kind = match c {
        FlowCommand::Ping(p) => {
            options.bind = p.source;
            options.ttl = p.ttl;
            options.pmtudisc = p.pmtudisc.map(|d| d as u8);
            options.timeout = p.timeout;
            options.size = Some(p.size as usize);
            let interval = p.interval.unwrap_or(Duration::from_secs(1));
            FlowKind::Ping { to, count: p.count(), interval, ident: None, seq: 1 }
        }
        FlowCommand::Curl(h) => {
            options.bind = h.source;
            options.sport = h.local_port;
            options.timeout = h.max_time.or(h.connect_timeout);
            FlowKind::Http {
                to,
                port: h.port,
                host: h.host_header.clone(),
                path: h.path.clone(),
                method: h.method.clone(),
                headers: h.headers.clone(),
            }
        }
        FlowCommand::Nc(n) => {
            options.bind = n.source;
            options.sport = n.source_port;
            options.timeout = n.timeout;
            if n.udp {
                options.size = Some(1);
                FlowKind::Udp { to, port: n.port, hold: false, reuse: None }
            } else {
                FlowKind::Tcp { to, port: n.port, data: sim_core::packet::Bytes::EMPTY, hold: false }
            }
        }
        _ => return None,
    };
    Some((kind, options))
}

/// The ports that somebody has named: they are the same in both kernels. Others are drawn.
fn ports(plan: &Plan) -> Vec<u16> {
    let mut all: BTreeSet<u16> = plan.servers.iter().map(|(_, l)| l.at.port).collect();
    for f in &plan.agenda.flows {
        all.extend(f.options.sport);
        match &f.kind {
            FlowKind::Tcp { port, .. } | FlowKind::Udp { port, .. } | FlowKind::Http { port, .. } => {
                all.insert(*port);
            }
            FlowKind::Serve { at, .. } => {
                all.insert(at.port);
            }
            FlowKind::Raw { packet } => {
                if let Ok(p) = Ipv4Packet::decode(packet) {
                    match &p.body {
                        Body::Tcp(t) => all.extend([t.src_port, t.dst_port]),
                        Body::Udp(u) => all.extend([u.src_port, u.dst_port]),
                        _ => {}
                    }
                }
            }
            FlowKind::Run { line } => all.extend(numbers(line)),
            _ => {}
        }
    }
    for s in &plan.steps {
        if !matches!(*s.op, Op::Sysctl { .. } | Op::Link(_) | Op::Addr(_)) {
            for line in sim_core::shell::print(&sim_core::shell::OpIn { netns: None, op: (*s.op).clone() }) {
                all.extend(numbers(&line));
            }
        }
    }
    for c in &plan.agenda.changes {
        all.extend(numbers(&c.line));
    }
    // what both kernels draw ephemeral ports from stays symbolic, unless it was named
    all.into_iter().filter(|p| *p != 0).collect()
}

/// Numbers of a text that may be ports.
fn numbers(text: &str) -> Vec<u16> {
    text.split(|c: char| !c.is_ascii_digit()).filter(|w| w.len() <= 5).filter_map(|w| w.parse().ok()).filter(|p| *p < 32_768).collect()
}
