//! Commands on the world: applied to one namespace, and carried on to others where they span several.

use super::drive::Engine;
use super::queue::Happening;
use super::wire::Leads;
use super::world::{OpRecord, World};
use crate::datapath::walk::Timer;
use crate::linux::apply::{self, Applied, OpError, Request};
use crate::linux::device::Attach;
use crate::linux::errno::Errno;
use crate::linux::id::{OpId, Source};
use crate::linux::op::{AgentVerb, LinkOp, Op};
use crate::linux::{FlowId, IfIndex, NetnsId, PacketId};
use crate::packet::{Family, IpAddr};
use crate::trace::{DropReason, EventKind, Tracer};
use std::sync::Arc;

/// `systemctl` on a host: what the world hands to whoever runs the agents.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AgentRequest {
    /// The namespace that the command was given in.
    pub netns: NetnsId,
    /// What to do.
    pub verb: AgentVerb,
    /// To which unit.
    pub unit: Arc<str>,
}

impl World {
    pub(super) fn ns_mut(&mut self, id: NetnsId) -> Option<&mut crate::linux::Netns> {
        self.netns.get_mut(id.0 as usize).map(Arc::make_mut)
    }
}

impl<T: Tracer> Engine<T> {
    /// Applies a command in a namespace, on behalf of `origin`. It is logged whether it succeeds or not.
    ///
    /// # Errors
    /// As the real tool would say it.
    pub fn apply(&mut self, netns: NetnsId, op: &Arc<Op>, origin: &Arc<str>) -> Result<(), OpError> {
        let id = OpId(self.world.ops.len() as u32 + 1);
        let result = self.apply_as(netns, op, id);
        let error = result.as_ref().err().map(|e| e.to_string().into());
        let record = OpRecord { id, at: self.world.now, netns, op: op.clone(), origin: origin.clone(), error };
        self.world.ops.push(Arc::new(record));
        if T::ON {
            self.trace.event(self.world.now, EventKind::Op(id));
        }
        result
    }

    fn apply_as(&mut self, netns: NetnsId, op: &Op, id: OpId) -> Result<(), OpError> {
        let now = self.world.now;
        let before = self.config_before(netns);
        let Some(ns) = self.world.ns_mut(netns) else { return Err(OpError::text(Errno::ENOENT, "no such namespace")) };
        let result = apply::apply(ns, op, now, Source::Op(id));
        let result = match result {
            Ok(Applied { requests }) => self.carry_out(netns, requests, id),
            Err(e) => Err(e),
        };
        self.forget_masqueraded(netns, before.as_ref());
        self.tell_config(netns, before.as_ref());
        self.restack();
        result
    }

    /// Flows that borrowed an address which is gone, or a device that is down, are forgotten (masq_device_event, masq_inet_event).
    fn forget_masqueraded(&mut self, netns: NetnsId, before: Option<&Arc<crate::linux::Config>>) {
        let now = self.world.now;
        let (Some(before), Some(ns)) = (before, self.world.ns(netns)) else { return };
        if ns.conntrack.is_empty() || Arc::ptr_eq(before, &ns.config) {
            return;
        }
        let mut gone: Vec<(IfIndex, Option<crate::packet::Ipv4Addr>)> = Vec::new();
        for old in before.devices.iter().filter(|d| d.up) {
            match ns.config.devices.get(old.index).filter(|d| d.up) {
                None => gone.push((old.index, None)),
                Some(new) => {
                    let lost = old.addrs.iter().filter(|a| !new.addrs.iter().any(|b| b.local == a.local));
                    gone.extend(lost.map(|a| (old.index, Some(a.local))));
                }
            }
        }
        if let Some(ns) = self.world.ns_mut(netns) {
            for (dev, addr) in gone {
                ns.conntrack.delete_masqueraded(dev, addr, now);
            }
        }
    }

    /// The configuration as it is before a change, if anybody will compare. Who holds it makes the change copy it first.
    pub(super) fn config_before(&self, netns: NetnsId) -> Option<Arc<crate::linux::Config>> {
        let ns = self.world.ns(netns)?;
        (T::ON || !ns.conntrack.is_empty()).then(|| ns.config.clone())
    }

    /// Tells the tracer of a configuration that is not what it was.
    pub(super) fn tell_config(&mut self, netns: NetnsId, before: Option<&Arc<crate::linux::Config>>) {
        if T::ON
            && let Some(ns) = self.world.netns.get(netns.0 as usize)
            && !before.is_some_and(|b| Arc::ptr_eq(b, &ns.config))
        {
            self.trace.config(netns, &ns.config);
        }
    }

    /// What one namespace could not do alone.
    pub(super) fn carry_out(&mut self, netns: NetnsId, requests: Vec<Request>, id: OpId) -> Result<(), OpError> {
        for request in requests {
            match request {
                Request::MakePeer { dev, netns: name, peer } => self.make_peer(netns, dev, &name, peer, id)?,
                Request::MoveDevice { dev, netns: name, rest } => self.move_device(netns, dev, &name, rest, id)?,
                Request::Carrier { dev } => self.find_carrier(netns, dev),
                Request::Gone { attach } => self.gone(attach),
                Request::Stacked { dev } => self.stack(netns, dev),
                Request::Free(packets) => {
                    self.walk(netns, PacketId::NONE, FlowId::NONE, |w| {
                        for skb in packets {
                            w.drop_skb(skb, IfIndex::NONE, DropReason::NeighDead);
                        }
                    });
                }
                Request::ArmNeighbour { dev, addr, at } => {
                    let w = &mut self.world;
                    let timer = Timer::Neighbour(dev, addr);
                    w.queue.push(w.now, at.max(crate::linux::Time(w.now.0 + 1)), Happening::Timer { netns, timer });
                }
                Request::NeighbourReady { dev, addr } => {
                    self.walk(netns, PacketId::NONE, FlowId::NONE, |w| match addr {
                        IpAddr::V4(a) => w.neigh_ready(dev, a),
                        IpAddr::V6(a) => w.neigh_ready(dev, a),
                    });
                    self.effects(netns, PacketId::NONE, FlowId::NONE);
                }
                Request::ResolveNeighbour { dev, addr } => {
                    self.walk(netns, PacketId::NONE, FlowId::NONE, |w| match addr {
                        IpAddr::V4(a) => w.neigh_use(dev, a),
                        IpAddr::V6(a) => w.neigh_use(dev, a),
                    });
                    self.effects(netns, PacketId::NONE, FlowId::NONE);
                }
                Request::Addrconf { dev } => {
                    self.walk(netns, PacketId::NONE, FlowId::NONE, |w| w.addrconf_start(dev));
                    self.effects(netns, PacketId::NONE, FlowId::NONE);
                }
                Request::Garp { dev } => {
                    self.walk(netns, PacketId::NONE, FlowId::NONE, |w| {
                        let addrs: Vec<_> =
                            w.ns.config.devices.get(dev).map(|d| d.addrs.iter().map(|a| a.local).collect()).unwrap_or_default();
                        for addr in addrs {
                            w.gratuitous_arp(dev, addr);
                        }
                    });
                    self.effects(netns, PacketId::NONE, FlowId::NONE);
                }
                Request::Xtables(family, op) => self.xtables(netns, family, &op, id)?,
                Request::ConntrackFlush => {
                    let now = self.world.now;
                    if let Some(ns) = self.world.ns_mut(netns) {
                        ns.conntrack.flush(now);
                    }
                }
                Request::ConntrackDelete(filter) => {
                    let now = self.world.now;
                    let gone = self.world.ns_mut(netns).map_or(0, |ns| ns.conntrack.delete(&filter, now).len());
                    if gone == 0 {
                        return Err(OpError::text(Errno::ENOENT, "conntrack v1.4.7 (conntrack-tools): 0 flow entries have been deleted."));
                    }
                }
                Request::NetnsAdd(name) => {
                    let host = self.world.info(netns).map(|i| i.host).unwrap_or_default();
                    if self.world.add_netns(host, &name).is_none() {
                        return Err(OpError::text(
                            Errno::EEXIST,
                            format!("Cannot create namespace file \"/run/netns/{name}\": File exists"),
                        ));
                    }
                }
                Request::NetnsDel(name) => self.remove_netns(netns, &name)?,
                Request::Agent { verb, unit } => self.systemctl(&AgentRequest { netns, verb, unit })?,
            }
        }
        Ok(())
    }

    fn xtables(&mut self, netns: NetnsId, family: Family, op: &crate::linux::op::XtOp, id: OpId) -> Result<(), OpError> {
        let Some(ns) = self.world.ns_mut(netns) else { return Ok(()) };
        let result = ns.apply_xtables(family, op, Source::Op(id));
        result.map_err(|e| OpError::text(Errno::EINVAL, e.to_string()).with_status(e.status()))
    }

    fn named(&self, from: NetnsId, name: &str) -> Result<NetnsId, OpError> {
        let host = self.world.info(from).map(|i| i.host).unwrap_or_default();
        self.world
            .netns_by_name(host, name)
            .ok_or_else(|| OpError::text(Errno::ENOENT, format!("Error: argument \"{name}\" is wrong: Invalid \"netns\" value")))
    }

    fn make_peer(&mut self, netns: NetnsId, dev: IfIndex, name: &str, peer: apply::NewDevice, id: OpId) -> Result<(), OpError> {
        let made = self.named(netns, name).and_then(|to| {
            let before = self.config_before(to);
            let Some(ns) = self.world.ns_mut(to) else { return Err(OpError::errno(Errno::EINVAL)) };
            let index = apply::add_device(ns, peer, Source::Op(id))?;
            self.attach(netns, dev, Attach::Veth { netns: to, index });
            self.attach(to, index, Attach::Veth { netns, index: dev });
            self.tell_config(to, before.as_ref());
            Ok(())
        });
        if made.is_err() {
            // the command makes both ends or none
            let now = self.world.now;
            if let Some(ns) = self.world.ns_mut(netns) {
                apply::take_device(ns, dev, now);
            }
        }
        made
    }

    pub(super) fn attach(&mut self, netns: NetnsId, dev: IfIndex, attach: Attach) {
        if let Some(d) = self.world.ns_mut(netns).and_then(|n| n.config_mut().devices.get_mut(dev)) {
            d.attach = attach;
        }
    }

    fn move_device(&mut self, netns: NetnsId, dev: IfIndex, name: &str, rest: crate::linux::op::LinkSet, id: OpId) -> Result<(), OpError> {
        let to = self.named(netns, name)?;
        let before = self.config_before(to);
        let now = self.world.now;
        let Some(ns) = self.world.ns_mut(netns) else { return Ok(()) };
        let (device, requests) = apply::take_device(ns, dev, now);
        self.carry_out(netns, requests, id)?;
        let Some(device) = device else { return Ok(()) };
        let (attach, old_name, uppers) = (device.attach, device.name.clone(), device.stack.uppers.clone());
        let Some(ns) = self.world.ns_mut(to) else { return Ok(()) };
        let index = match apply::put_device(ns, device.clone(), rest.name.clone()) {
            Ok(i) => i,
            Err(e) => {
                // back where it was, down
                if let Some(ns) = self.world.ns_mut(netns)
                    && let Ok(i) = apply::put_device(ns, device, None)
                {
                    self.moved(attach, netns, i);
                    self.restacked((netns, dev), (netns, i), &uppers);
                }
                return Err(e);
            }
        };
        self.moved(attach, to, index);
        self.restacked((netns, dev), (to, index), &uppers);
        self.tell_config(to, before.as_ref());
        let dev: Arc<str> = rest.name.clone().unwrap_or(old_name);
        let rest = crate::linux::op::LinkSet { name: None, netns: None, ..rest };
        if rest != crate::linux::op::LinkSet::default() {
            self.apply_as(to, &Op::Link(LinkOp::Set { dev, set: rest }), id)?;
        }
        Ok(())
    }

    /// A device is somewhere else now: its other end learns of it.
    fn moved(&mut self, attach: Attach, netns: NetnsId, index: IfIndex) {
        match attach {
            Attach::Veth { netns: other, index: other_dev } => self.attach(other, other_dev, Attach::Veth { netns, index }),
            Attach::Wire(end) => {
                if let Some(e) = self.world.wires.ends.get_mut(end as usize) {
                    e.netns = netns;
                    e.dev = index;
                }
            }
            Attach::None | Attach::Loopback | Attach::Lower { .. } => {}
        }
    }

    /// Where the other end of a device is; none on a segment.
    fn other_end(&self, netns: NetnsId, dev: IfIndex) -> Option<(NetnsId, IfIndex)> {
        match self.world.ns(netns)?.config.devices.get(dev)?.attach {
            Attach::Veth { netns, index } => Some((netns, index)),
            Attach::Wire(end) => match self.world.wires.ends.get(end as usize)?.leads {
                Leads::End(other) => self.world.wires.ends.get(other as usize).map(|e| (e.netns, e.dev)),
                Leads::Segment(_) => None,
            },
            Attach::None | Attach::Loopback | Attach::Lower { .. } => None,
        }
    }

    /// Pulls the plug of a card, or puts it back: the carrier goes or comes, at the other end of a cable too. False if the device is
    /// on no wire.
    pub fn plug(&mut self, netns: NetnsId, dev: IfIndex, plugged: bool) -> bool {
        let Some(Attach::Wire(end)) = self.world.ns(netns).and_then(|n| n.config.devices.get(dev)).map(|d| d.attach) else { return false };
        let Some(e) = self.world.wires.ends.get_mut(end as usize) else { return false };
        e.unplugged = !plugged;
        self.find_carrier(netns, dev);
        self.restack();
        true
    }

    fn plugged(&self, netns: NetnsId, dev: IfIndex) -> bool {
        match self.world.ns(netns).and_then(|n| n.config.devices.get(dev)).map(|d| d.attach) {
            Some(Attach::Wire(end)) => self.world.wires.ends.get(end as usize).is_none_or(|e| !e.unplugged),
            _ => true,
        }
    }

    /// Finds out anew whether the ends of a pair or a cable have carrier: both must be up, and no plug pulled. A card on a segment
    /// has carrier while its plug is in.
    fn find_carrier(&mut self, netns: NetnsId, dev: IfIndex) {
        let up = |w: &World, ns: NetnsId, d: IfIndex| w.ns(ns).and_then(|n| n.config.devices.get(d)).is_some_and(|d| d.up);
        let other = self.other_end(netns, dev);
        let carrier = match other {
            Some((ns, d)) => up(&self.world, netns, dev) && up(&self.world, ns, d) && self.plugged(netns, dev) && self.plugged(ns, d),
            None => self.plugged(netns, dev),
        };
        for (ns, d) in std::iter::once((netns, dev)).chain(other) {
            if self.world.ns(ns).and_then(|n| n.config.devices.get(d)).is_none_or(|x| x.carrier == carrier) {
                continue;
            }
            let before = self.config_before(ns);
            let now = self.world.now;
            let Some(n) = self.world.ns_mut(ns) else { continue };
            let requests = apply::set_carrier(n, d, carrier, now);
            // what a change of carrier asks for are packets to be freed; it cannot fail
            let _ = self.carry_out(ns, requests, OpId::NONE);
            self.tell_config(ns, before.as_ref());
        }
    }

    /// The device at the other end was deleted.
    fn gone(&mut self, attach: Attach) {
        match attach {
            Attach::Veth { netns, index } => {
                let before = self.config_before(netns);
                let now = self.world.now;
                let Some(ns) = self.world.ns_mut(netns) else { return };
                let (_, requests) = apply::take_device(ns, index, now);
                let requests = requests.into_iter().filter(|r| !matches!(r, Request::Gone { .. })).collect();
                let _ = self.carry_out(netns, requests, OpId::NONE);
                self.tell_config(netns, before.as_ref());
            }
            Attach::Wire(end) => {
                for s in &mut self.world.wires.segments {
                    s.ports.retain(|p| *p != end);
                    s.fdb.remove_where(|_, (port, _)| *port == end);
                }
            }
            Attach::None | Attach::Loopback | Attach::Lower { .. } => {}
        }
    }

    fn remove_netns(&mut self, from: NetnsId, name: &str) -> Result<(), OpError> {
        let host = self.world.info(from).map(|i| i.host).unwrap_or_default();
        let Some(id) = self.world.netns_by_name(host, name).filter(|_| !name.is_empty()) else {
            let text = format!("Cannot remove namespace file \"/run/netns/{name}\": No such file or directory");
            return Err(OpError::text(Errno::ENOENT, text));
        };
        let now = self.world.now;
        let devices: Vec<IfIndex> = self.world.ns(id).map(|n| n.config.devices.iter().map(|d| d.index).collect()).unwrap_or_default();
        for d in devices {
            let attach = self.world.ns(id).and_then(|n| n.config.devices.get(d)).map(|d| d.attach).unwrap_or_default();
            if let Some(ns) = self.world.ns_mut(id) {
                apply::take_device(ns, d, now);
            }
            self.gone(attach);
        }
        self.restack();
        if let Some(h) = self.world.hosts.get_mut(host.0 as usize) {
            h.netns.shift_remove(name);
        }
        // its place stays, so that numbers keep their meaning; its name is free again
        if let Some(info) = self.world.info.get_mut(id.0 as usize) {
            info.name = format!("{name} (deleted)").into();
            info.label = format!("{} (deleted)", info.label).into();
        }
        for slot in &mut self.world.programs {
            if slot.netns == id {
                Arc::make_mut(slot).program = None;
            }
        }
        Ok(())
    }
}
