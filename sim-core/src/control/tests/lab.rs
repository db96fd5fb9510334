//! A cluster whose kernels are real and whose wires are not: commands are applied, nothing is sent.

#![allow(clippy::unwrap_used, reason = "tests")]

use crate::control::{Action, ActionKind, ClusterConfig, Controllers, Failure, Hosts, Machine, Provider};
use crate::kube::{Node, ObjectKey, Pod, Store};
use crate::linux::apply::{self, NewDevice, Request};
use crate::linux::device::{Attach, DeviceKind};
use crate::linux::netfilter::TableKind;
use crate::linux::op::addr::Broadcast;
use crate::linux::op::xtables::{RestoreLine, XtCommand};
use crate::linux::op::{AddrOp, AgentVerb, LinkKind, LinkOp, RouteOp, RouteVerb, XtOp};
use crate::linux::{IfIndex, Netns, NetnsId, Op, Source, Time};
use crate::packet::Prefix;
use indexmap::IndexMap;
use std::time::Duration;

/// The namespaces of all hosts, by host and name; the empty name is the host's own.
#[derive(Default)]
pub(super) struct Kernels {
    all: IndexMap<(String, String), Netns>,
    last: u32,
    /// Ports on which something listens, by namespace.
    listening: Vec<(String, String, u16)>,
}

impl Hosts for Kernels {
    fn netns(&self, host: &str, netns: Option<&str>) -> Option<&Netns> {
        self.all.get(&(host.to_owned(), netns.unwrap_or("").to_owned()))
    }
}

impl Kernels {
    pub(super) fn add(&mut self, host: &str, name: &str) {
        let mut ns = Netns::empty(NetnsId(self.last));
        self.last += 1;
        apply::loopback(&mut ns);
        if name.is_empty() {
            apply::add_device(&mut ns, NewDevice::new("eth0", DeviceKind::Physical), Source::Kernel).unwrap();
        }
        self.all.insert((host.to_owned(), name.to_owned()), ns);
    }

    fn by_id(&mut self, id: NetnsId) -> &mut Netns {
        self.all.values_mut().find(|n| n.id == id).unwrap()
    }

    pub(super) fn apply(&mut self, host: &str, netns: &str, op: &Op) -> Result<(), Failure> {
        let key = (host.to_owned(), netns.to_owned());
        let ns = self.all.get_mut(&key).unwrap_or_else(|| panic!("{host} has no namespace {netns:?} for {}", shown(op)));
        let applied = apply::apply(ns, op, Time::ZERO, Source::Kernel).map_err(|e| Failure::from(&e))?;
        let own = ns.id;
        for request in applied.requests {
            self.carry_out(host, own, request)?;
        }
        Ok(())
    }

    fn carry_out(&mut self, host: &str, own: NetnsId, request: Request) -> Result<(), Failure> {
        let own_name = self.all.iter().find(|(_, n)| n.id == own).unwrap().0.1.clone();
        match request {
            Request::NetnsAdd(name) => {
                if self.netns(host, Some(&name)).is_some() {
                    return Err(Failure { errno: None, text: "Cannot create namespace file".into() });
                }
                self.add_pod(host, &name);
            }
            Request::NetnsDel(name) => {
                let gone = self.all.shift_remove(&(host.to_owned(), name.to_string())).unwrap();
                for d in gone.config.devices.iter() {
                    self.gone(d.attach);
                }
                self.listening.retain(|(h, n, _)| (h.as_str(), n.as_str()) != (host, &*name));
            }
            Request::MakePeer { dev, netns, peer } => {
                let to = self.all.get_mut(&(host.to_owned(), netns.to_string())).unwrap();
                let to_id = to.id;
                let index = apply::add_device(to, peer, Source::Kernel).map_err(|e| Failure::from(&e))?;
                to.config_mut().devices.get_mut(index).unwrap().attach = Attach::Veth { netns: own, index: dev };
                let here = self.by_id(own).config_mut();
                here.devices.get_mut(dev).unwrap().attach = Attach::Veth { netns: to_id, index };
            }
            Request::Carrier { dev } => self.carrier(own, dev),
            Request::Gone { attach } => self.gone(attach),
            Request::Xtables(family, op) => {
                let ns = self.all.get_mut(&(host.to_owned(), own_name)).unwrap();
                let done = ns.apply_xtables(family, &op, Source::Kernel);
                done.map_err(|e| Failure { errno: None, text: e.to_string().into() })?;
            }
            Request::Garp { .. } => {}
            other => panic!("nobody asked for {other:?}"),
        }
        Ok(())
    }

    fn add_pod(&mut self, host: &str, name: &str) {
        let mut ns = Netns::empty(NetnsId(self.last));
        self.last += 1;
        apply::loopback(&mut ns);
        self.all.insert((host.to_owned(), name.to_owned()), ns);
    }

    fn carrier(&mut self, ns: NetnsId, dev: IfIndex) {
        let d = self.by_id(ns).config.devices.get(dev).unwrap();
        let (up, Attach::Veth { netns, index }) = (d.up, d.attach) else { return };
        let carrier = up && self.by_id(netns).config.devices.get(index).unwrap().up;
        for (n, i) in [(ns, dev), (netns, index)] {
            apply::set_carrier(self.by_id(n), i, carrier, Time::ZERO);
        }
    }

    fn gone(&mut self, attach: Attach) {
        if let Attach::Veth { netns, index } = attach
            && let Some(ns) = self.all.values_mut().find(|n| n.id == netns)
        {
            apply::take_device(ns, index, Time::ZERO);
        }
    }
}

/// A cluster.
pub(super) struct Lab {
    pub(super) kernels: Kernels,
    pub(super) store: Store,
    pub(super) control: Controllers,
    pub(super) now: Time,
    /// All commands that were applied, as one would type them: `node-a: …` or `node-a/default_web: …`.
    pub(super) log: Vec<String>,
    /// All events.
    pub(super) events: Vec<String>,
    /// How often the controllers were asked.
    pub(super) rounds: usize,
}

/// A machine of that name on a /24, its gateway the first address of the range.
pub(super) fn machine(host: &str, ip: &str) -> Machine {
    let ip = ip.parse().unwrap();
    let range = Prefix::new(ip, 24);
    Machine { host: host.into(), dev: "eth0".into(), ip, range, gateway: range.nth(1) }
}

impl Lab {
    pub(super) fn new(cni: Provider, machines: Vec<Machine>) -> Lab {
        let mut kernels = Kernels::default();
        let mut store = Store::default();
        for m in &machines {
            kernels.add(&m.host, "");
            store.create(Node::new(m.host.clone())).unwrap();
        }
        let control = Controllers::new(ClusterConfig::new(cni), machines);
        Lab { kernels, store, control, now: Time::ZERO, log: Vec::new(), events: Vec::new(), rounds: 0 }
    }

    /// The two nodes of the article, with the choice's defaults.
    pub(super) fn two_nodes(cni: &str) -> Lab {
        Lab::new(Provider::named(cni).unwrap(), vec![machine("node-a", "10.168.0.2"), machine("node-b", "10.168.0.3")])
    }

    pub(super) fn pod(&mut self, name: &str, change: impl FnOnce(&mut Pod)) {
        let mut pod = Pod::new(ObjectKey::new("default", name));
        change(&mut pod);
        self.store.create(pod).unwrap();
    }

    pub(super) fn pod_on(&mut self, name: &str, node: &str) {
        self.pod(name, |p| p.spec_mut().node_name = Some(node.into()));
    }

    pub(super) fn get(&self, name: &str) -> &Pod {
        self.store.pod("default", name).unwrap()
    }

    pub(super) fn delete(&mut self, name: &str) {
        let at = self.now.since(Time::ZERO);
        self.store.request_deletion::<Pod>(&ObjectKey::new("default", name), at).unwrap();
    }

    pub(super) fn settle(&mut self) {
        loop {
            let actions = self.control.settle(&mut self.store, &self.kernels);
            if !self.carry_out(actions) {
                return;
            }
        }
    }

    pub(super) fn run(&mut self) {
        while self.step() {}
    }

    /// One round of the controllers; says whether there was anything to do.
    pub(super) fn step(&mut self) -> bool {
        let actions = self.control.run(&mut self.store, &self.kernels, self.now);
        self.carry_out(actions)
    }

    /// Lets time go on, timer by timer.
    pub(super) fn wait(&mut self, d: Duration) {
        let end = self.now + d;
        while let Some(next) = self.control.next_timer().filter(|t| *t <= end) {
            assert!(next >= self.now, "a timer in the past");
            self.now = next;
            self.run();
        }
        self.now = end;
    }

    pub(super) fn type_in(&mut self, host: &str, op: Op) {
        self.kernels.apply(host, "", &op).unwrap();
    }

    pub(super) fn systemctl(&mut self, host: &str, verb: AgentVerb, unit: &str) {
        self.control.systemctl(host, verb, unit).unwrap();
        self.run();
    }

    fn carry_out(&mut self, actions: Vec<Action>) -> bool {
        let any = !actions.is_empty();
        self.rounds += 1;
        assert!(self.rounds < 2_000, "it never ends: {:?}", self.events.last());
        let mut failed = Vec::new();
        for a in &actions {
            if failed.contains(&a.task) {
                continue;
            }
            let done = match &a.kind {
                ActionKind::Op { host, netns, op } => {
                    let place = netns.as_ref().map_or_else(|| host.to_string(), |n| format!("{host}/{n}"));
                    self.log.extend(shown(op).lines().map(|line| format!("{place}: {line}")));
                    self.kernels.apply(host, netns.as_deref().unwrap_or(""), op)
                }
                ActionKind::Spawn { host, netns, container, listen, .. } => {
                    let netns = netns.as_deref().unwrap_or("");
                    self.log.push(format!("{host}/{netns}: start {container}"));
                    let taken =
                        listen.iter().find(|l| self.kernels.listening.iter().any(|(h, n, p)| (&**h, &**n, *p) == (&**host, netns, l.port)));
                    match taken {
                        Some(l) => {
                            let text = format!("listen tcp :{}: bind: address already in use", l.port).into();
                            Err(Failure { errno: Some(crate::linux::Errno::EADDRINUSE), text })
                        }
                        None => {
                            self.kernels.listening.extend(listen.iter().map(|l| (host.to_string(), netns.to_owned(), l.port)));
                            Ok(())
                        }
                    }
                }
                ActionKind::Kill { host, container, .. } => {
                    self.log.push(format!("{host}: kill {container}"));
                    Ok(())
                }
                ActionKind::Event { host, text } => {
                    self.events.push(format!("{}: {}: {text}", host.as_deref().unwrap_or("-"), a.origin.controller()));
                    Ok(())
                }
            };
            if let Err(f) = done {
                failed.push(a.task);
                self.control.on_result(a, &f);
            }
        }
        any
    }

    /// The main table of a node, as `ip route` lists it, links and sources left out.
    pub(super) fn routes(&self, host: &str) -> Vec<String> {
        self.routes_in(host, None)
    }

    pub(super) fn routes_in(&self, host: &str, netns: Option<&str>) -> Vec<String> {
        let config = &self.kernels.netns(host, netns).unwrap().config;
        let all = config.fib.main.all();
        all.iter()
            .map(|r| {
                let dst = if r.prefix == Prefix::ALL { "default".to_owned() } else { r.prefix.to_string() };
                let hop = r.nexthops.first().unwrap();
                let via = hop.via.map(|v| format!(" via {v}")).unwrap_or_default();
                format!("{dst}{via} dev {}", config.devices.name(hop.dev))
            })
            .collect()
    }

    /// The rules of a chain.
    pub(super) fn rules(&self, host: &str, table: TableKind, chain: &str) -> Vec<String> {
        let config = &self.kernels.netns(host, None).unwrap().config;
        let chain = config.xt.table(table).and_then(|t| t.by_name(chain));
        chain.map(|c| c.rules.iter().map(|r| r.spec.text()).collect()).unwrap_or_default()
    }
}

/// A command as one would type it; only those that controllers use.
pub(super) fn shown(op: &Op) -> String {
    match op {
        Op::Link(LinkOp::Add(l)) => {
            let mtu = l.mtu.map(|m| format!(" mtu {m}")).unwrap_or_default();
            let kind = match &l.kind {
                LinkKind::Bridge(_) => "bridge".to_owned(),
                LinkKind::Veth { peer, peer_mtu, peer_netns, .. } => {
                    let mtu = peer_mtu.map(|m| format!(" mtu {m}")).unwrap_or_default();
                    let ns = peer_netns.as_ref().map(|n| format!(" netns {n}")).unwrap_or_default();
                    format!("veth peer name {peer}{mtu}{ns}")
                }
                other => format!("{other:?}"),
            };
            format!("ip link add {}{mtu} type {kind}", l.name)
        }
        Op::Link(LinkOp::Set { dev, set }) => {
            let mut out = format!("ip link set {dev}");
            if let Some(up) = set.up {
                out += if up { " up" } else { " down" };
            }
            if let Some(Some(m)) = &set.master {
                out += &format!(" master {m}");
            }
            if set.mac.is_some() {
                out += " address MAC";
            }
            if set.hairpin == Some(true) {
                out += " type bridge_slave hairpin on";
            }
            out
        }
        Op::Link(LinkOp::Del { dev }) => format!("ip link del {dev}"),
        Op::Addr(AddrOp::Add { dev, local, prefix, broadcast, .. }) => {
            let brd = if matches!(broadcast, Some(Broadcast::Computed)) { " brd +" } else { "" };
            format!("ip addr add {local}/{}{brd} dev {dev}", prefix.len())
        }
        Op::Addr(AddrOp::Del { dev, local, prefix }) => format!("ip addr del {local}/{} dev {dev}", prefix.unwrap().len()),
        Op::Route(RouteOp::One { verb, route }) => {
            let verb = match verb {
                RouteVerb::Add => "add",
                RouteVerb::Del => "del",
                other => panic!("{other:?}"),
            };
            let dst = if route.prefix == Prefix::ALL { "default".to_owned() } else { route.prefix.to_string() };
            let hop = route.hops.first().unwrap();
            let via = hop.via.map(|v| format!(" via {v}")).unwrap_or_default();
            format!("ip route {verb} {dst}{via} dev {}", hop.dev.as_deref().unwrap())
        }
        Op::Route(RouteOp::Batch { batch, skip }) => format!("ip -batch: {} routes without {}", batch.routes.len(), skip.unwrap()),
        Op::Sysctl { key, value } => format!("sysctl -w {key}={value}"),
        Op::NetnsAdd(name) => format!("ip netns add {name}"),
        Op::NetnsDel(name) => format!("ip netns del {name}"),
        Op::Xtables(_, XtOp::Command { table, command }) => format!("iptables -t {} {}", table.name(), command_text(command)),
        Op::Xtables(_, XtOp::Restore(r)) => {
            let lines = r.tables.iter().flat_map(|t| t.lines.iter().map(move |(_, l)| (t.table, l)));
            let text = lines.map(|(table, l)| match l {
                RestoreLine::Command(c) => format!("iptables-restore {}: {}", table.name(), command_text(c)),
                RestoreLine::Chain(c, ..) => format!("iptables-restore {}: :{c}", table.name()),
            });
            text.collect::<Vec<_>>().join("\n")
        }
        other => panic!("no controller uses {other:?}"),
    }
}

fn command_text(c: &XtCommand) -> String {
    match c {
        XtCommand::NewChain(c) => format!("-N {c}"),
        XtCommand::Flush(c) => format!("-F {}", c.as_ref().unwrap()),
        XtCommand::DeleteChain(c) => format!("-X {}", c.as_ref().unwrap()),
        XtCommand::Append(c, r) => format!("-A {c} {}", r.text()),
        XtCommand::Delete(c, r) => format!("-D {c} {}", r.text()),
        other => panic!("no controller uses {other:?}"),
    }
}
