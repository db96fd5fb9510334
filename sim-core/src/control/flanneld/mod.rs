//! flanneld: takes the node's range as its lease, tells the CNI plugin, and keeps routes to the ranges of all other nodes.
//!
//! Models: flannel main.go, pkg/subnet/kube/kube.go AcquireLease, pkg/backend/route_network.go, pkg/lease/lease.go,
//! pkg/trafficmngr/iptables/iptables.go (0.28.9), with `--kube-subnet-mgr --ip-masq`.
//! Simplifies: IPv4 and iptables alone. The card is that of the default route, as there; on a node without one it is the card
//! of the node's InternalIP, as if `--iface` had been given. On a large cluster the first routes go in as one batch.
//!
//! ```text
//!  start ─► lease (annotations on the Node) ─► iptables ─► subnet.env ─► routes to all other leases
//!                                                 ▲ every 5 s               ▲ when a lease comes or goes
//!                                                 └ all there?              └ every 10 s: all there?
//! ```

pub mod backends;
pub mod subnet_env;

use super::action::{Failure, Origin, TaskId};
use super::iptables::{self, ChainRule, FLANNEL_FWD, FLANNEL_POSTRTG};
use super::node_files::Files;
use super::outbox::Outbox;
use super::providers::FlannelCni;
use super::view;
use crate::kube::{Node, Store};
use crate::linux::netfilter::TableKind;
use crate::linux::op::route::HopSpec;
use crate::linux::op::{RouteBatch, RouteOp, RouteSpec, RouteVerb};
use crate::linux::{IfIndex, Netns, Op, Time};
use crate::packet::{Ipv4Addr, Prefix};
use std::sync::Arc;
use std::time::Duration;
use subnet_env::SubnetEnv;

/// Where flanneld writes its subnet.
pub const SUBNET_FILE: &str = "/run/flannel/subnet.env";

/// How often routes are checked (routeCheckRetries).
pub const ROUTE_CHECK: Duration = Duration::from_secs(10);
/// How often rules are checked (`--iptables-resync`).
pub const IPTABLES_RESYNC: Duration = Duration::from_secs(5);
/// From this number of other nodes on the first routes are one batch, shared by all nodes.
pub const BATCH_FROM: usize = 16;

const ANNOTATION: &str = "flannel.alpha.coreos.com";

/// The range of a node, and where the node is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Lease {
    /// The node.
    pub node: Arc<str>,
    /// Its pod range.
    pub subnet: Prefix<Ipv4Addr>,
    /// Its address.
    pub public_ip: Ipv4Addr,
    /// The backend that it uses.
    pub backend: Arc<str>,
}

impl Lease {
    /// Reads the annotations that the node's flanneld made; none if it has made none yet.
    pub fn of(node: &Node) -> Option<Lease> {
        let read = |key: &str| node.meta.annotations.get(format!("{ANNOTATION}/{key}").as_str());
        if read("kube-subnet-manager").map(|v| &**v) != Some("true") {
            return None;
        }
        let public_ip = read("public-ip")?.parse().ok()?;
        Some(Lease { node: node.name().clone(), subnet: node.pod_cidr?, public_ip, backend: read("backend-type")?.clone() })
    }
}

/// The leases of all nodes, and the batch of routes to them; shared by all nodes until one changes.
#[derive(Clone, Debug, Default)]
pub struct Leases {
    /// In the order of the nodes.
    pub all: Arc<Vec<Lease>>,
    /// The routes to all of them, by card.
    batch: Option<(Arc<str>, Arc<RouteBatch>)>,
}

impl Leases {
    /// Reads the leases of all nodes; the old value stays if nothing has changed.
    pub fn refresh(&mut self, store: &Store) {
        let all: Vec<Lease> = store.list::<Node>().filter_map(|n| Lease::of(n)).collect();
        if *self.all != all {
            *self = Leases { all: Arc::new(all), batch: None };
        }
    }

    fn batch(&mut self, ext: &ExtIface, config: &FlannelCni) -> Arc<RouteBatch> {
        if let Some((dev, batch)) = &self.batch
            && *dev == ext.dev
        {
            return batch.clone();
        }
        let backend = config.backend.backend();
        let peers = self.all.iter().filter(|l| *l.backend == *backend.name());
        let batch = Arc::new(RouteBatch::new(peers.map(|l| backend.route(ext, l)).collect()));
        self.batch = Some((ext.dev.clone(), batch.clone()));
        batch
    }
}

/// The card by which the node reaches others.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ExtIface {
    /// Its name.
    pub dev: Arc<str>,
    /// Its index.
    pub index: IfIndex,
    /// Its address.
    pub ip: Ipv4Addr,
    /// Its MTU, bytes.
    pub mtu: u32,
}

/// Routes that are to be there.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
struct Routes {
    /// Those of the batch, and the range that is left out of it.
    batch: Option<(Arc<RouteBatch>, Prefix<Ipv4Addr>)>,
    /// Ranges of the batch that are no longer wanted.
    gone: Vec<Prefix<Ipv4Addr>>,
    /// Others.
    own: Vec<RouteSpec>,
}

impl Routes {
    fn iter(&self) -> impl Iterator<Item = &RouteSpec> {
        let batch = self.batch.iter().flat_map(|(b, skip)| b.routes.iter().filter(|r| r.prefix != *skip));
        batch.filter(|r| !self.gone.contains(&r.prefix)).chain(&self.own)
    }

    fn add(&mut self, route: &RouteSpec) {
        if !self.iter().any(|r| r == route) {
            self.own.push(route.clone());
        }
    }

    fn remove(&mut self, prefix: Prefix<Ipv4Addr>) {
        self.own.retain(|r| r.prefix != prefix);
        if self.batch.is_some() && !self.gone.contains(&prefix) {
            self.gone.push(prefix);
        }
    }
}

/// flanneld of one node, as long as it runs.
#[derive(Clone, Debug)]
pub struct Flanneld {
    /// The node.
    pub host: Arc<str>,
    origin: Origin,
    joined: Option<Joined>,
    /// Why it cannot start, told once.
    trouble: Option<Arc<str>>,
    /// The task of the batch, in case it fails.
    batch_task: Option<TaskId>,
    /// Tasks that put routes back; the real one says nothing when the kernel refuses, and tries again ten seconds later.
    recovering: Vec<TaskId>,
    /// What went wrong with actions, to be told at the next run.
    errors: Vec<String>,
}

#[derive(Clone, Debug)]
struct Joined {
    ext: ExtIface,
    subnet: Prefix<Ipv4Addr>,
    /// The leases that its routes are made of.
    leases: Arc<Vec<Lease>>,
    routes: Routes,
    next_route_check: Time,
    next_rule_check: Time,
    /// The namespace's generation when all routes were last found there.
    checked: u32,
}

/// What flanneld works with.
#[derive(Debug)]
pub struct FlanneldCx<'a> {
    /// Its parameters.
    pub config: &'a FlannelCni,
    /// The range of all pods.
    pub network: Prefix<Ipv4Addr>,
    /// The node's kernel.
    pub ns: &'a Netns,
    /// The time.
    pub now: Time,
}

impl Flanneld {
    /// A flanneld that is about to start.
    pub fn new(host: Arc<str>) -> Self {
        let origin = Origin::new("flanneld", format!("node {host}"));
        Flanneld { host, origin, joined: None, trouble: None, batch_task: None, recovering: Vec::new(), errors: Vec::new() }
    }

    /// Whether it has not started yet, or has something to tell.
    pub fn wants_start(&self) -> bool {
        self.joined.is_none() || !self.errors.is_empty()
    }

    /// Whether leases have changed, or the time for a check has come.
    pub fn wants_run(&self, leases: &Arc<Vec<Lease>>, now: Time) -> bool {
        self.joined.as_ref().is_some_and(|j| !Arc::ptr_eq(&j.leases, leases) || now >= j.next_route_check || now >= j.next_rule_check)
    }

    /// When it wants to look after its routes and rules.
    pub fn next_timer(&self) -> Option<Time> {
        self.joined.as_ref().map(|j| j.next_route_check.min(j.next_rule_check))
    }

    /// An action of its failed.
    pub fn on_failure(&mut self, task: TaskId, kind: &super::ActionKind, failure: &Failure) {
        let error = failure.go_error();
        if self.batch_task == Some(task) {
            // One of many routes was refused: put them in one by one, so that the others get in.
            self.batch_task = None;
            if let Some(j) = &mut self.joined {
                j.routes = Routes::default();
                j.leases = Arc::default();
            }
            return;
        }
        if self.recovering.contains(&task) {
            return;
        }
        let route = match kind {
            super::ActionKind::Op { op, .. } => match &**op {
                Op::Route(RouteOp::One { verb, route }) => Some((*verb, route)),
                _ => None,
            },
            _ => None,
        };
        let Some((verb, route)) = route else {
            self.errors.push(format!("Failed to bootstrap IPTables: failed to apply partial iptables-restore {error}"));
            return;
        };
        let ext = self.joined.as_ref().map_or(IfIndex::NONE, |j| j.ext.index);
        let shown = go_route(route, ext);
        match verb {
            RouteVerb::Del => self.errors.push(format!("Effor deleteing route to {}: {error}", route.prefix)),
            _ => self.errors.push(format!("Error adding route to {shown}: {error}")),
        }
    }

    /// Takes the lease, writes rules and subnet.env. Does nothing once that is done.
    pub fn start(&mut self, cx: &FlanneldCx<'_>, store: &mut Store, files: &mut Files, out: &mut Outbox) {
        for e in std::mem::take(&mut self.errors) {
            out.event(&self.origin, Some(&self.host), e);
        }
        if self.joined.is_some() {
            return;
        }
        match self.join(cx, store) {
            Ok(joined) => {
                self.trouble = None;
                self.write_rules(cx, joined.subnet, out);
                let gateway = joined.subnet.nth(1).unwrap_or(joined.subnet.addr());
                let mtu = cx.config.backend.backend().mtu(joined.ext.mtu);
                let env = SubnetEnv { networks: vec![cx.network], subnet: (gateway, joined.subnet), mtu, ip_masq: cx.config.ip_masq };
                files.write(SUBNET_FILE, env.to_string());
                out.event(&self.origin, Some(&self.host), format!("Wrote subnet file to {SUBNET_FILE}"));
                self.joined = Some(joined);
            }
            Err(why) if self.trouble.as_deref() == Some(&*why) => {}
            Err(why) => {
                out.event(&self.origin, Some(&self.host), why.as_str());
                self.trouble = Some(why.into());
            }
        }
    }

    fn join(&self, cx: &FlanneldCx<'_>, store: &mut Store) -> Result<Joined, String> {
        let node = store.node(&self.host).cloned();
        let node = node.ok_or_else(|| format!("timeout contacting kube-api, failed to patch node {:?}", &*self.host))?;
        let by_address = || node.status.internal_ip.and_then(|ip| view::device_of_address(cx.ns, ip));
        let dev = view::default_device(cx.ns).or_else(by_address);
        let dev = dev.and_then(|d| cx.ns.config.devices.by_name(d));
        let dev = dev.ok_or("Failed to find any valid interface to use: failed to get default interface: unable to find default route")?;
        let ip = dev.addrs.first().map(|a| a.local);
        let ip =
            ip.ok_or_else(|| format!("Failed to find any valid interface to use: failed to find IPv4 address for interface {}", dev.name))?;
        let subnet = node.pod_cidr;
        let subnet = subnet
            .ok_or_else(|| format!("Error registering network: failed to acquire lease: node {:?} pod cidr not assigned", &*self.host))?;
        let ext = ExtIface { dev: dev.name.clone(), index: dev.index, ip, mtu: dev.mtu };
        let backend = cx.config.backend.backend().name();
        let _ = store.modify::<Node>(&node.meta.key, |n| {
            for (key, value) in
                [("backend-data", "null"), ("backend-type", backend), ("kube-subnet-manager", "true"), ("public-ip", &ip.to_string())]
            {
                n.meta.annotations.insert(format!("{ANNOTATION}/{key}").into(), value.into());
            }
        });
        Ok(Joined {
            ext,
            subnet,
            leases: Arc::default(),
            routes: Routes::default(),
            next_route_check: cx.now + ROUTE_CHECK,
            next_rule_check: cx.now + IPTABLES_RESYNC,
            checked: 0,
        })
    }

    fn rules(cx: &FlanneldCx<'_>, subnet: Prefix<Ipv4Addr>) -> Vec<(TableKind, &'static str, Vec<ChainRule>)> {
        let mut all = Vec::new();
        if cx.config.ip_masq {
            all.push((TableKind::Nat, FLANNEL_POSTRTG, iptables::flannel_masq(cx.network, subnet)));
        }
        if cx.config.forward_rules {
            all.push((TableKind::Filter, FLANNEL_FWD, iptables::flannel_forward(cx.network)));
        }
        all
    }

    fn write_rules(&self, cx: &FlanneldCx<'_>, subnet: Prefix<Ipv4Addr>, out: &mut Outbox) {
        for (table, chain, rules) in Self::rules(cx, subnet) {
            let task = out.task();
            out.op(task, &self.origin, &self.host, None, iptables::clear_chain(cx.ns, table, chain));
            out.op(task, &self.origin, &self.host, None, iptables::rebuild(cx.ns, table, &rules, Some(chain)));
        }
    }

    /// Follows the leases: adds routes to those that came, takes out those that went.
    pub fn watch(&mut self, cx: &FlanneldCx<'_>, leases: &mut Leases, out: &mut Outbox) {
        let Some(mut j) = self.joined.take() else { return };
        if !Arc::ptr_eq(&j.leases, &leases.all) {
            let before = std::mem::replace(&mut j.leases, leases.all.clone());
            let backend = cx.config.backend.backend();
            let (went, came) = differing(&before, &leases.all);
            for old in went.iter().filter(|l| l.node != self.host && !came.contains(l)) {
                let route = backend.route(&j.ext, old);
                self.lease_gone(&mut j, route, old, out);
            }
            let others = leases.all.len().saturating_sub(1);
            if before.is_empty() && others >= BATCH_FROM && self.batch_task.is_none() && on_one_link(cx.ns, &j, &leases.all) {
                let batch = leases.batch(&j.ext, cx.config);
                let task = out.task();
                let op = Op::Route(RouteOp::Batch { batch: batch.clone(), skip: Some(j.subnet) });
                out.op(task, &self.origin, &self.host, None, op);
                out.tell(task, &self.origin, &self.host, format!("{others} subnets added"));
                j.routes.batch = Some((batch, j.subnet));
                self.batch_task = Some(task);
            } else {
                for new in came.iter().filter(|l| l.node != self.host && !went.contains(l)) {
                    self.lease_came(cx, &mut j, new, out);
                }
            }
        }
        self.joined = Some(j);
    }

    fn lease_came(&self, cx: &FlanneldCx<'_>, j: &mut Joined, lease: &Lease, out: &mut Outbox) {
        let backend = cx.config.backend.backend();
        if *lease.backend != *backend.name() {
            let text = format!("Ignoring non-{} subnet: type={}", backend.name(), lease.backend);
            out.event(&self.origin, Some(&self.host), text);
            return;
        }
        out.event(&self.origin, Some(&self.host), format!("Subnet added: {} via {}", lease.subnet, lease.public_ip));
        let route = backend.route(&j.ext, lease);
        j.routes.add(&route);
        let task = out.task();
        let there = cx.ns.config.fib.main.at(route.prefix);
        if let Some(first) = there.first() {
            if is_there(first, &route, j.ext.index) {
                let text = format!("Route to {} already exists, skipping.", go_route(&route, j.ext.index));
                out.event(&self.origin, Some(&self.host), text);
                return;
            }
            // Another way to the same range: it has to go.
            let mut old = RouteSpec::to(route.prefix);
            let dev = first.nexthops.first().map(|h| cx.ns.config.devices.name(h.dev).into());
            old.hops = vec![HopSpec { via: first.nexthops.first().and_then(|h| h.via), dev, ..HopSpec::default() }];
            let text = format!("Replacing existing route to {} with {}", go_route(&old, j.ext.index), go_route(&route, j.ext.index));
            out.event(&self.origin, Some(&self.host), text);
            out.op(task, &self.origin, &self.host, None, one(RouteVerb::Del, old));
        }
        out.op(task, &self.origin, &self.host, None, one(RouteVerb::Add, route));
    }

    fn lease_gone(&self, j: &mut Joined, route: RouteSpec, lease: &Lease, out: &mut Outbox) {
        out.event(&self.origin, Some(&self.host), format!("Subnet removed: {}", lease.subnet));
        j.routes.remove(route.prefix);
        let task = out.task();
        out.op(task, &self.origin, &self.host, None, one(RouteVerb::Del, route));
    }

    /// Looks after routes and rules when their time has come.
    pub fn check(&mut self, cx: &FlanneldCx<'_>, out: &mut Outbox) {
        let Some(mut j) = self.joined.take() else { return };
        if cx.now >= j.next_rule_check {
            j.next_rule_check = cx.now + IPTABLES_RESYNC;
            for (table, chain, rules) in Self::rules(cx, j.subnet) {
                if rules.iter().all(|r| iptables::rule_exists(cx.ns, table, r)) {
                    continue;
                }
                out.event(&self.origin, Some(&self.host), "Some iptables rules are missing; deleting and recreating rules");
                let task = out.task();
                if !iptables::chain_exists(cx.ns, table, chain) {
                    out.op(task, &self.origin, &self.host, None, iptables::clear_chain(cx.ns, table, chain));
                }
                out.op(task, &self.origin, &self.host, None, iptables::rebuild(cx.ns, table, &rules, None));
            }
        }
        if cx.now >= j.next_route_check {
            j.next_route_check = cx.now + ROUTE_CHECK;
            self.recovering.clear();
            if j.checked != cx.ns.generation {
                let missing: Vec<&RouteSpec> = j.routes.iter().filter(|r| !exists(cx.ns, r, j.ext.index)).collect();
                for route in &missing {
                    let task = out.task();
                    self.recovering.push(task);
                    out.op(task, &self.origin, &self.host, None, one(RouteVerb::Add, (*route).clone()));
                    let via = route.hops.first().and_then(|h| h.via).map_or_else(String::new, |v| v.to_string());
                    out.tell(task, &self.origin, &self.host, format!("Route recovered {} : {via}", route.prefix));
                }
                if missing.is_empty() {
                    j.checked = cx.ns.generation;
                }
            }
        }
        self.joined = Some(j);
    }
}

/// Two lists without what is alike at both ends.
fn differing<'a>(a: &'a [Lease], b: &'a [Lease]) -> (&'a [Lease], &'a [Lease]) {
    let start = a.iter().zip(b).take_while(|(x, y)| x == y).count();
    let (a, b) = (&a[start..], &b[start..]);
    let end = a.iter().rev().zip(b.iter().rev()).take_while(|(x, y)| x == y).count();
    (&a[..a.len() - end], &b[..b.len() - end])
}

fn one(verb: RouteVerb, route: RouteSpec) -> Op {
    Op::Route(RouteOp::One { verb, route: Box::new(route) })
}

fn is_there(found: &crate::linux::fib::Route<Ipv4Addr>, wanted: &RouteSpec, ext: IfIndex) -> bool {
    let via = wanted.hops.first().and_then(|h| h.via);
    found.nexthops.first().is_some_and(|h| h.via == via && h.dev == ext)
}

fn exists(ns: &Netns, wanted: &RouteSpec, ext: IfIndex) -> bool {
    ns.config.fib.main.at(wanted.prefix).into_iter().any(|r| is_there(r, wanted, ext))
}

/// Whether all other nodes are on the card's own link, and none of their ranges has a route yet.
fn on_one_link(ns: &Netns, j: &Joined, leases: &[Lease]) -> bool {
    let Some(dev) = ns.config.devices.get(j.ext.index) else { return false };
    let near = |ip| dev.addrs.iter().any(|a| a.holds(ip));
    leases.iter().all(|l| near(l.public_ip) && (l.subnet == j.subnet || ns.config.fib.main.at(l.subnet).is_empty()))
}

/// A route as the netlink library prints it.
fn go_route(r: &RouteSpec, ext: IfIndex) -> String {
    let via = r.hops.first().and_then(|h| h.via).map_or_else(|| "<nil>".to_owned(), |g| g.to_string());
    format!("{{Ifindex: {} Dst: {} Src: <nil> Gw: {via} Flags: [] Table: 0 Realm: 0}}", ext.0, r.prefix)
}
