//! `flows` with addresses: what the engine runs, once the world has settled and pods have theirs.

use super::Assembly;
use super::url;
use crate::check::names::{Names, Place};
use crate::schema::flow::Pmtu;
use crate::schema::value::print_duration;
use crate::schema::{At, Flow, Ref, Scenario, Target};
use sim_core::engine::{Change, FlowKind, FlowSpec, SendOptions, Start, World};
use sim_core::linux::NetnsId;
use sim_core::linux::device::{Device, Scope};
use sim_core::packet::{Bytes, IpAddr};
use std::sync::Arc;
use std::time::Duration;

/// What names mean in a settled world.
#[derive(Debug)]
pub struct Resolver<'a> {
    /// The scenario whose world it is.
    pub scenario: &'a Scenario,
    /// Its names.
    pub names: &'a Names,
    /// Its description.
    pub assembly: &'a Assembly,
}

/// Why a name means nothing in the settled world.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Unresolved {
    /// No namespace.
    #[error("there is no place `{0}` in the settled world")]
    Place(String),
    /// No address.
    #[error("`{0}` has no address")]
    Address(String),
}

impl Resolver<'_> {
    /// The namespace of a place as a scenario writes it.
    pub fn netns(&self, world: &World, text: &str) -> Option<NetnsId> {
        match self.names.place(text).ok()? {
            Place::Pod(ns, name) => pod_netns(world, &ns, &name),
            place => world.by_label(&place.label()),
        }
    }

    /// The address that a reference means: the one it has, or the one it was to have.
    pub fn address(&self, world: &World, r: &Ref) -> Option<IpAddr> {
        match r {
            Ref::Pod(ns, name) => {
                let host_network = |p: &sim_core::kube::Pod| p.spec.host_network.then(|| p.spec.node_name.clone()).flatten();
                let pods = self.assembly.cluster.as_ref().map_or(&[][..], |c| &c.pods);
                let spec = pods.iter().find(|p| **p.meta.namespace() == **ns && **p.meta.name() == **name);
                if let Some(node) = spec.and_then(host_network) {
                    return self.assembly.addresses.of(&node).map(IpAddr::V4);
                }
                let has = pod_netns(world, ns, name).and_then(|id| first_address(world, id));
                has.or_else(|| spec.and_then(|p| p.spec.requested_ip.map(IpAddr::V4)))
            }
            Ref::Service(..) => None,
            Ref::Node(name) => {
                self.assembly.addresses.of(name).map(IpAddr::V4).or_else(|| world.by_label(name).and_then(|id| first_address(world, id)))
            }
            Ref::Host(name) => {
                self.assembly.addresses.of(name).map(IpAddr::V4).or_else(|| world.by_label(name).and_then(|id| first_address(world, id)))
            }
        }
    }

    /// The address that a host name means on a client: an address, or a line of its `/etc/hosts`.
    pub fn host_name(&self, client: &str, name: &str) -> Option<IpAddr> {
        if let Ok(a) = name.parse() {
            return Some(a);
        }
        let host = match self.names.place(client).ok()? {
            Place::Host(h) | Place::Netns(h, _) => h,
            _ => return None,
        };
        let host = self.scenario.hosts.iter().find(|h| h.name.value == host)?;
        host.etc_hosts.get(name).map(|a| a.value.0)
    }

    fn target(&self, world: &World, client: &str, t: &Target) -> Result<Option<IpAddr>, Unresolved> {
        match t {
            Target::Addr(a) => Ok(Some(*a)),
            Target::Ref(r) => self.address(world, r).map(Some).ok_or_else(|| Unresolved::Address(print_ref(r))),
            Target::Name(n) => Ok(self.host_name(client, n)),
        }
    }

    /// A flow with its addresses; `kind` is how it starts when nothing is written.
    ///
    /// # Errors
    /// When a name means nothing in the settled world.
    pub fn flow(&self, world: &World, f: &Flow) -> Result<FlowSpec, Unresolved> {
        let c = f.common();
        let start = match (c.at, c.wait) {
            (Some(at), _) => Start::At(at.value.0),
            (None, Some(wait)) => Start::After(wait.value.0),
            (None, None) => Start::After(Duration::ZERO),
        };
        let place = c.from.map_or("", |p| p.value.as_str());
        let from = match c.from {
            Some(p) => self.netns(world, &p.value).ok_or_else(|| Unresolved::Place(p.value.clone()))?,
            None => NetnsId::default(),
        };
        let mut options = SendOptions::default();
        let line = |l: String| FlowKind::Run { line: l.into() };
        let kind = match f {
            Flow::Ping(x) => {
                options.size = x.size.as_ref().map(|n| n.value as usize);
                options.ttl = x.ttl.as_ref().map(|n| n.value);
                options.bind = x.bind.as_ref().map(|a| a.value.0);
                options.timeout = x.timeout.as_ref().map(|d| d.value.0);
                options.pmtudisc = x.pmtu.as_ref().map(|p| pmtu(p.value));
                let count = x.count.as_ref().map_or(1, |n| n.value);
                match self.target(world, place, &x.to.value)? {
                    Some(to) => FlowKind::Ping {
                        to,
                        count,
                        interval: x.interval.as_ref().map_or(Duration::from_secs(1), |d| d.value.0),
                        ident: None,
                        seq: 1,
                    },
                    None => line(format!("ping -c {count} {}", print_target(&x.to.value))),
                }
            }
            Flow::Tcp(x) => {
                options.ttl = x.ttl.as_ref().map(|n| n.value);
                options.bind = x.bind.as_ref().map(|a| a.value.0);
                options.sport = x.sport.as_ref().map(|n| n.value);
                options.timeout = x.timeout.as_ref().map(|d| d.value.0);
                options.pmtudisc = x.pmtu.as_ref().map(|p| pmtu(p.value));
                match self.target(world, place, &x.to.value)? {
                    Some(to) => FlowKind::Tcp {
                        to,
                        port: x.port.value,
                        data: data(x.data.as_ref(), x.size.as_ref()),
                        hold: x.hold.as_ref().is_some_and(|h| h.value),
                    },
                    None => line(format!("nc {} {}", print_target(&x.to.value), x.port.value)),
                }
            }
            Flow::Udp(x) => {
                options.size = x.size.as_ref().map(|n| n.value as usize);
                options.ttl = x.ttl.as_ref().map(|n| n.value);
                options.bind = x.bind.as_ref().map(|a| a.value.0);
                options.sport = x.sport.as_ref().map(|n| n.value);
                options.timeout = x.timeout.as_ref().map(|d| d.value.0);
                options.pmtudisc = x.pmtu.as_ref().map(|p| pmtu(p.value));
                match self.target(world, place, &x.to.value)? {
                    Some(to) => FlowKind::Udp {
                        to,
                        port: x.port.value,
                        hold: x.hold.as_ref().is_some_and(|h| h.value),
                        reuse: x.reuse.as_ref().map(|r| r.value.as_str().into()),
                    },
                    None => line(format!("nc -u {} {}", print_target(&x.to.value), x.port.value)),
                }
            }
            Flow::Http(x) => {
                options.bind = x.bind.as_ref().map(|a| a.value.0);
                options.sport = x.sport.as_ref().map(|n| n.value);
                options.timeout = x.timeout.as_ref().map(|d| d.value.0);
                let url = url::parse(&x.url.value).map_err(|_| Unresolved::Address(x.url.value.clone()))?;
                match self.host_name(place, &url.host) {
                    Some(to) => FlowKind::Http {
                        to,
                        port: url.port,
                        host: url.authority().into(),
                        path: url.path.into(),
                        method: x.method.as_ref().map_or("GET", |m| m.value.as_str()).into(),
                        headers: x.headers.iter().map(|(k, v)| (k.as_str().into(), v.as_str().into())).collect(),
                    },
                    None => line(format!("curl {}", x.url.value)),
                }
            }
            Flow::Dns(x) => line(format!("dig {}", x.query.value)),
            Flow::Run(x) => line(x.run.value.trim().to_owned()),
            Flow::Send(x) => FlowKind::Send { on: x.on.value.as_str().into(), data: data(x.data.as_ref(), x.size.as_ref()) },
            Flow::Close(x) => FlowKind::Close { on: x.on.value.as_str().into() },
            Flow::Raw(x) => FlowKind::Raw { packet: Bytes::from(&hex(&x.bytes.value)[..]) },
        };
        Ok(FlowSpec { name: f.name().into(), from, start, kind, options })
    }

    /// The commands of the timeline.
    ///
    /// # Errors
    /// When a place is none in the settled world.
    pub fn changes(&self, world: &World, scenario: &Scenario) -> Result<Vec<Change>, Unresolved> {
        let mut out = Vec::new();
        for t in &scenario.timeline {
            let (Some(on), Some(run)) = (&t.on, &t.run) else { continue };
            let netns = self.netns(world, &on.value).ok_or_else(|| Unresolved::Place(on.value.clone()))?;
            for l in crate::commands::script(&run.value) {
                out.push(Change { at: t.at.value.0, netns, line: l.text.as_str().into() });
            }
        }
        out.sort_by_key(|c| c.at);
        Ok(out)
    }
}

/// The namespace of a pod.
pub fn pod_netns(world: &World, namespace: &str, name: &str) -> Option<NetnsId> {
    let key = format!("{namespace}/{name}");
    let at = world.info.iter().position(|i| i.pod.as_deref() == Some(&key))?;
    Some(NetnsId(at as u32))
}

/// The first address of a namespace that is not the loopback's: of `eth0` if there is one; of IPv6 if it has none of IPv4.
pub fn first_address(world: &World, id: NetnsId) -> Option<IpAddr> {
    let devices = &world.ns(id)?.config.devices;
    let others = || devices.iter().filter(|d| &*d.name != "lo");
    let eth0 = devices.by_name("eth0").and_then(|d| d.addrs.first());
    let v4 = eth0.or_else(|| others().find_map(|d| d.addrs.first())).map(|a| IpAddr::V4(a.local));
    let global = |d: &Device| d.addrs6.iter().find(|a| a.scope == Scope::Universe).map(|a| IpAddr::V6(a.local));
    v4.or_else(|| devices.by_name("eth0").and_then(global)).or_else(|| others().find_map(global))
}

/// A reference as it is written.
pub fn print_ref(r: &Ref) -> String {
    match r {
        Ref::Pod(ns, n) if ns == "default" => format!("pod/{n}"),
        Ref::Pod(ns, n) => format!("pod/{ns}/{n}"),
        Ref::Service(ns, n) if ns == "default" => format!("svc/{n}"),
        Ref::Service(ns, n) => format!("svc/{ns}/{n}"),
        Ref::Node(n) => format!("node/{n}"),
        Ref::Host(n) => format!("host/{n}"),
    }
}

/// A destination as it is written.
pub fn print_target(t: &Target) -> String {
    match t {
        Target::Addr(a) => a.to_string(),
        Target::Ref(r) => print_ref(r),
        Target::Name(n) => n.clone(),
    }
}

fn data(text: Option<&At<String>>, size: Option<&At<u32>>) -> Bytes {
    match (text, size) {
        (Some(t), _) => Bytes::from(t.value.as_bytes()),
        (None, Some(n)) => Bytes::filled(b'x', n.value as usize),
        (None, None) => Bytes::from(&b"hello"[..]),
    }
}

fn pmtu(p: Pmtu) -> u8 {
    match p {
        Pmtu::dont => 0,
        Pmtu::want => 1,
        Pmtu::r#do => 2,
        Pmtu::probe => 3,
    }
}

fn hex(text: &str) -> Vec<u8> {
    let digits: Vec<u8> = text.chars().filter_map(|c| c.to_digit(16)).map(|d| d as u8).collect();
    digits.chunks_exact(2).map(|p| p[0] << 4 | p[1]).collect()
}

/// A short line for a flow that is to be run: `Ping client → 10.244.1.3`.
pub fn summary(f: &Flow) -> String {
    let c = f.common();
    let from = c.from.map_or("", |p| p.value.as_str());
    let to = c.to.map(|t| print_target(&t.value)).unwrap_or_default();
    let when = c.at.map(|d| format!(" at {}", print_duration(d.value.0))).unwrap_or_default();
    let arrow: Arc<str> = if to.is_empty() { "".into() } else { format!(" → {to}").into() };
    format!("{} {from}{arrow}{when}", c.kind)
}
