//! Making a world: hosts, namespaces, network cards, cables and segments.

use super::drive::Engine;
use super::wire::{Leads, LinkProps, Segment, SegmentId, WireEnd};
use super::world::{Host, HostId, NetnsInfo, World};
use crate::linux::apply::{self, NewDevice, OpError};
use crate::linux::device::{Attach, DeviceKind};
use crate::linux::hot::HotMap;
use crate::linux::id::Source;
use crate::linux::{IfIndex, Netns, NetnsId};
use crate::packet::Mac;
use crate::trace::Tracer;
use indexmap::IndexMap;
use std::sync::Arc;

/// A network card to be put into a namespace.
#[derive(Clone, Debug, Default)]
pub struct NewNic {
    /// Name: `eth0`.
    pub name: Arc<str>,
    /// Hardware address; one is made up if none is given.
    pub mac: Option<Mac>,
    /// MTU in bytes; 1500 if none is given.
    pub mtu: Option<u32>,
}

impl World {
    fn new_netns(&mut self, host: HostId, name: &str, label: Arc<str>) -> NetnsId {
        let id = NetnsId(self.netns.len() as u32);
        let mut ns = Netns::empty(id);
        apply::loopback(&mut ns);
        self.netns.push(Arc::new(ns));
        self.info.push(NetnsInfo { host, name: name.into(), label, pod: None, hidden: false, etc_hosts: Vec::new() });
        id
    }

    /// A host with a namespace of its own, `lo` in it and down.
    pub fn add_host(&mut self, name: &str) -> HostId {
        let host = HostId(self.hosts.len() as u32);
        let root = self.new_netns(host, "", name.into());
        self.hosts.push(Host { name: name.into(), root, is_node: false, netns: IndexMap::new() });
        host
    }

    /// A further namespace of a host (`ip netns add`); none if the name is taken there or there is no such host.
    pub fn add_netns(&mut self, host: HostId, name: &str) -> Option<NetnsId> {
        let h = self.hosts.get(host.0 as usize)?;
        if name.is_empty() || self.netns_by_name(host, name).is_some() {
            return None;
        }
        let label = format!("{}/{name}", h.name).into();
        let id = self.new_netns(host, name, label);
        if let Some(h) = self.hosts.get_mut(host.0 as usize) {
            h.netns.insert(name.into(), id);
        }
        Some(id)
    }

    /// The namespace of that name on a host; the host's own for the empty name.
    pub fn netns_by_name(&self, host: HostId, name: &str) -> Option<NetnsId> {
        if name.is_empty() {
            return self.hosts.get(host.0 as usize).map(|h| h.root);
        }
        self.hosts.get(host.0 as usize)?.netns.get(name).copied()
    }

    /// A segment.
    pub fn add_segment(&mut self, name: &str, props: LinkProps) -> SegmentId {
        let id = SegmentId(self.wires.segments.len() as u32);
        self.wires.segments.push(Segment { name: name.into(), props, ports: Vec::new(), fdb: HotMap::default() });
        id
    }

    fn add_wired(&mut self, netns: NetnsId, nic: &NewNic, leads: Leads, props: LinkProps) -> Result<(IfIndex, u32), OpError> {
        let end = self.wires.ends.len() as u32;
        let Some(ns) = self.netns.get_mut(netns.0 as usize) else { return Err(OpError::no_device(&nic.name)) };
        let mut new = NewDevice::new(nic.name.clone(), DeviceKind::Physical);
        new.mac = nic.mac;
        new.mtu = nic.mtu;
        new.attach = Attach::Wire(end);
        let index = apply::add_device(Arc::make_mut(ns), new, Source::Kernel)?;
        self.wires.ends.push(WireEnd::new(netns, index, leads, props));
        Ok((index, end))
    }

    /// A network card on a segment, down.
    ///
    /// # Errors
    /// When the name is taken, or the kernel would refuse the name, the MTU or the hardware address.
    pub fn add_nic(&mut self, netns: NetnsId, nic: &NewNic, segment: SegmentId) -> Result<IfIndex, OpError> {
        let (index, end) = self.add_wired(netns, nic, Leads::Segment(segment), LinkProps::default())?;
        if let Some(s) = self.wires.segments.get_mut(segment.0 as usize) {
            s.ports.insert(0, end);
        }
        Ok(index)
    }

    /// A cable between two new network cards, both down.
    ///
    /// # Errors
    /// As [`World::add_nic`].
    pub fn add_cable(&mut self, a: (NetnsId, &NewNic), b: (NetnsId, &NewNic), props: LinkProps) -> Result<(IfIndex, IfIndex), OpError> {
        let (ia, end_a) = self.add_wired(a.0, a.1, Leads::End(u32::MAX), props)?;
        let (ib, end_b) = self.add_wired(b.0, b.1, Leads::End(end_a), props)?;
        if let Some(e) = self.wires.ends.get_mut(end_a as usize) {
            e.leads = Leads::End(end_b);
        }
        for (ns, index) in [(a.0, ia), (b.0, ib)] {
            if let Some(n) = self.netns.get_mut(ns.0 as usize) {
                apply::set_carrier(Arc::make_mut(n), index, false, self.now);
            }
        }
        Ok((ia, ib))
    }
}

impl<T: Tracer> Engine<T> {
    /// Tells the tracer of every namespace's configuration as it is now.
    pub fn announce(&mut self) {
        if T::ON {
            for ns in &self.world.netns {
                self.trace.config(ns.id, &ns.config);
            }
        }
    }
}
