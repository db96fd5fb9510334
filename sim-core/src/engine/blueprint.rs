//! A world as a plain description: what there is, and the commands that set it up, in order.
//!
//! Whoever has a world in another form (a scenario, a golden of a real kernel) writes a blueprint; [`Blueprint::build`] makes
//! the world of it. Nothing here is more than a real machine could be told: cards, cables, namespaces, commands, servers.
//!
//! ```text
//!  segments ─┐
//!  hosts ────┼─► cards and cables ─► commands in order ─► servers ─► an Engine whose clock stands at 0
//!  netns ────┘
//! ```

use super::build::NewNic;
use super::drive::Engine;
use super::wire::{LinkProps, SegmentId};
use super::world::World;
use crate::apps::{Echo, Listen};
use crate::linux::apply::OpError;
use crate::linux::{FlowId, NetnsId, Op};

use crate::trace::Tracer;
use std::fmt;
use std::sync::Arc;

/// A namespace of a host; the host's own if `netns` is empty.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Place {
    /// Host, by name.
    pub host: Arc<str>,
    /// Namespace, by the name it has there.
    pub netns: Arc<str>,
}

impl Place {
    /// The own namespace of a host.
    pub fn host(name: impl Into<Arc<str>>) -> Self {
        Place { host: name.into(), netns: "".into() }
    }

    /// A further namespace of a host.
    pub fn netns(host: impl Into<Arc<str>>, netns: impl Into<Arc<str>>) -> Self {
        Place { host: host.into(), netns: netns.into() }
    }
}

impl fmt::Display for Place {
    /// `docker`, `docker/web`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.netns.is_empty() { f.write_str(&self.host) } else { write!(f, "{}/{}", self.host, self.netns) }
    }
}

/// A switch that joins cards.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SegmentPlan {
    /// Name.
    pub name: Arc<str>,
    /// What its wires are like.
    pub props: LinkProps,
}

/// A machine.
#[derive(Clone, Debug, PartialEq, Eq, Default)]
pub struct HostPlan {
    /// Name.
    pub name: Arc<str>,
    /// Whether it is a node of the cluster.
    pub is_node: bool,
    /// Whether it is a switch of the scenery whose steps nobody asked for.
    pub hidden: bool,
    /// Its further namespaces.
    pub namespaces: Vec<Arc<str>>,
    /// Its /etc/hosts: names and what they stand for.
    pub etc_hosts: Vec<(Arc<str>, crate::packet::IpAddr)>,
}

/// A card on a segment.
#[derive(Clone, Debug)]
pub struct NicPlan {
    /// Where.
    pub place: Place,
    /// The card.
    pub nic: NewNic,
    /// The segment, by name.
    pub segment: Arc<str>,
}

/// A cable with a card at each end.
#[derive(Clone, Debug)]
pub struct CablePlan {
    /// One end.
    pub a: (Place, NewNic),
    /// The other end.
    pub b: (Place, NewNic),
    /// What it is like.
    pub props: LinkProps,
}

/// A command.
#[derive(Clone, Debug, PartialEq)]
pub struct OpPlan {
    /// Where.
    pub place: Place,
    /// The command.
    pub op: Arc<Op>,
    /// Who asks for it: `boot`, `run line 12`.
    pub origin: Arc<str>,
}

/// A server.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ServerPlan {
    /// Where.
    pub place: Place,
    /// On what, and how it answers.
    pub listen: Listen,
}

/// A world as a plain description.
#[derive(Clone, Debug, Default)]
pub struct Blueprint {
    /// Seed of all that is random.
    pub seed: u64,
    /// Segments.
    pub segments: Vec<SegmentPlan>,
    /// Machines.
    pub hosts: Vec<HostPlan>,
    /// Cards on segments.
    pub nics: Vec<NicPlan>,
    /// Cables.
    pub cables: Vec<CablePlan>,
    /// Commands, in order.
    pub ops: Vec<OpPlan>,
    /// Servers.
    pub servers: Vec<ServerPlan>,
}

/// Why a blueprint cannot be built.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum BuildError {
    /// A name is used twice.
    #[error("there are two of {what} {name}")]
    Twice {
        /// `host`, `segment`, `namespace`.
        what: &'static str,
        /// The name.
        name: Arc<str>,
    },
    /// A name leads nowhere.
    #[error("there is no {what} {name}")]
    Unknown {
        /// `host`, `segment`, `namespace`.
        what: &'static str,
        /// The name.
        name: Arc<str>,
    },
    /// A card was refused.
    #[error("{place}: {error}")]
    Nic {
        /// Where.
        place: String,
        /// What the kernel says.
        error: String,
    },
    /// A command failed.
    #[error("{origin}: {error}")]
    Op {
        /// Its place among the commands of the blueprint, from 0.
        index: usize,
        /// Who asked for it.
        origin: Arc<str>,
        /// What the tool says.
        error: OpError,
    },
}

impl World {
    /// The namespace at a place.
    pub fn at_place(&self, place: &Place) -> Option<NetnsId> {
        self.netns_by_name(self.host_by_name(&place.host)?, &place.netns)
    }
}

impl Blueprint {
    /// Makes the world. Virtual time does not go on.
    ///
    /// # Errors
    /// The first thing that cannot be: a name twice or unknown, a card that the kernel refuses, a command that fails.
    pub fn build<T: Tracer>(&self, trace: T) -> Result<Engine<T>, BuildError> {
        let mut world = World::new(self.seed);
        for h in &self.hosts {
            if world.host_by_name(&h.name).is_some() {
                return Err(BuildError::Twice { what: "host", name: h.name.clone() });
            }
            let id = world.add_host(&h.name);
            if let Some(host) = world.hosts.get_mut(id.0 as usize) {
                host.is_node = h.is_node;
                let root = host.root;
                if let Some(info) = world.info.get_mut(root.0 as usize) {
                    info.hidden = h.hidden;
                }
            }
            let first = world.info.len() - 1;
            for n in &h.namespaces {
                world.add_netns(id, n).ok_or_else(|| BuildError::Twice { what: "namespace", name: n.clone() })?;
            }
            for info in world.info.iter_mut().skip(first) {
                info.etc_hosts = h.etc_hosts.clone();
            }
        }
        for s in &self.segments {
            if world.wires.segment_by_name(&s.name).is_some() {
                return Err(BuildError::Twice { what: "segment", name: s.name.clone() });
            }
            world.add_segment(&s.name, s.props);
        }
        let at = |world: &World, place: &Place| {
            world.at_place(place).ok_or_else(|| BuildError::Unknown { what: "namespace", name: place.to_string().into() })
        };
        for n in &self.nics {
            let netns = at(&world, &n.place)?;
            let segment: SegmentId =
                world.wires.segment_by_name(&n.segment).ok_or_else(|| BuildError::Unknown { what: "segment", name: n.segment.clone() })?;
            world.add_nic(netns, &n.nic, segment).map_err(|e| BuildError::Nic { place: n.place.to_string(), error: e.to_string() })?;
        }
        for c in &self.cables {
            let (a, b) = (at(&world, &c.a.0)?, at(&world, &c.b.0)?);
            world
                .add_cable((a, &c.a.1), (b, &c.b.1), c.props)
                .map_err(|e| BuildError::Nic { place: format!("{} and {}", c.a.0, c.b.0), error: e.to_string() })?;
        }
        let mut engine = Engine::new(world, trace);
        for (index, o) in self.ops.iter().enumerate() {
            let netns = at(&engine.world, &o.place)?;
            engine.apply(netns, &o.op, &o.origin).map_err(|error| BuildError::Op { index, origin: o.origin.clone(), error })?;
        }
        for s in &self.servers {
            let netns = at(&engine.world, &s.place)?;
            let mut listen = s.listen.clone();
            // a server without an address of its own hears both families where there are two
            let ipv6 = engine.world.ns(netns).is_some_and(|n| n.config.sysctl.conf6_all.disable_ipv6 == 0);
            if ipv6 && listen.at.addr.is_ipv4() && listen.at.addr.is_unspecified() {
                listen.at.addr = crate::packet::Ipv6Addr::UNSPECIFIED.into();
            }
            engine.world.spawn(netns, &s.listen.name, FlowId::NONE, Box::new(Echo::new(listen)));
        }
        Ok(engine)
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]
    use super::*;
    use crate::linux::op::{LinkOp, LinkSet};
    use crate::trace::NoTrace;

    fn up(place: Place, dev: &str) -> OpPlan {
        let set = LinkSet { up: Some(true), ..LinkSet::default() };
        OpPlan { place, op: Arc::new(Op::Link(LinkOp::Set { dev: dev.into(), set })), origin: "boot".into() }
    }

    fn nic(name: &str) -> NewNic {
        NewNic { name: name.into(), mac: None, mtu: None }
    }

    fn plan() -> Blueprint {
        let mut b = Blueprint::default();
        for name in ["a", "b"] {
            b.hosts.push(HostPlan { name: name.into(), namespaces: vec!["web".into()], ..HostPlan::default() });
        }
        b.segments.push(SegmentPlan { name: "lan".into(), props: LinkProps::default() });
        b.nics.push(NicPlan { place: Place::host("a"), nic: nic("eth0"), segment: "lan".into() });
        b.cables.push(CablePlan {
            a: (Place::netns("a", "web"), nic("eth0")),
            b: (Place::host("b"), nic("eth1")),
            props: LinkProps::default(),
        });
        b.ops.push(up(Place::host("a"), "eth0"));
        b
    }

    #[test]
    fn builds_what_is_described() {
        let e = plan().build(NoTrace).unwrap();
        let w = &e.world;
        assert_eq!(w.hosts.len(), 2);
        let web = w.at_place(&Place::netns("a", "web")).unwrap();
        assert_eq!(w.info(web).map(|i| &*i.label), Some("a/web"));
        assert!(w.ns(web).unwrap().config.devices.by_name("eth0").is_some());
        let a = w.at_place(&Place::host("a")).unwrap();
        assert!(w.ns(a).unwrap().config.devices.by_name("eth0").unwrap().up);
        assert_eq!(w.ops.len(), 1);
    }

    #[test]
    fn names_what_cannot_be() {
        let mut b = plan();
        b.ops.push(up(Place::host("a"), "eth7"));
        assert!(matches!(b.build(NoTrace).err(), Some(BuildError::Op { index: 1, .. })));
        let mut b = plan();
        b.nics[0].segment = "wan".into();
        assert_eq!(b.build(NoTrace).err().map(|e| e.to_string()), Some("there is no segment wan".to_owned()));
        let mut b = plan();
        b.hosts[1].name = "a".into();
        assert_eq!(b.build(NoTrace).err().map(|e| e.to_string()), Some("there are two of host a".to_owned()));
        let mut b = plan();
        b.nics[0].place = Place::netns("a", "db");
        assert_eq!(b.build(NoTrace).err().map(|e| e.to_string()), Some("there is no namespace a/db".to_owned()));
    }
}
