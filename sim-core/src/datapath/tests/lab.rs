//! A namespace to try hooks in.

use crate::datapath::walk::{Effects, Ids, Walk};
use crate::linux::device::{Attach, Device, DeviceKind, IfAddr, Scope};
use crate::linux::rng::Rng;
use crate::linux::{FlowId, IfIndex, Netns, NetnsId, PacketId, RowId, Source, Time};
use crate::packet::{Ipv4Addr, Mac, Prefix};
use crate::trace::Tracer;
use std::sync::Arc;
use std::time::Duration;

pub(in crate::datapath) struct Lab<T> {
    pub(in crate::datapath) ns: Netns,
    pub(in crate::datapath) now: Time,
    pub(in crate::datapath) rng: Rng,
    pub(in crate::datapath) trace: T,
    effects: Effects,
    ids: Ids,
}

impl<T: Tracer> Lab<T> {
    pub(in crate::datapath) fn new(trace: T) -> Self {
        let (rng, effects, ids) = (Rng::new(7), Effects::default(), Ids::default());
        Lab { ns: Netns::empty(NetnsId(0)), now: Time(1_000_000_000), rng, trace, effects, ids }
    }

    /// A router with 10.0.1.1 on its first device and 10.0.2.1 on its second.
    pub(in crate::datapath) fn router(trace: T) -> Self {
        let mut lab = Lab::new(trace);
        for (index, octet) in [(1, 1), (2, 2)] {
            lab.device(index, &[(Ipv4Addr::new(10, 0, octet, 1), 24, Scope::Universe, false)]);
        }
        lab
    }

    pub(in crate::datapath) fn device(&mut self, index: u32, addrs: &[(Ipv4Addr, u8, Scope, bool)]) {
        let addrs = addrs.iter().map(|&(local, len, scope, secondary)| IfAddr {
            row: RowId::NONE,
            local,
            prefix: Prefix::new(local, len),
            peer: None,
            broadcast: None,
            scope,
            secondary,
            noprefixroute: false,
            dad: Default::default(),
            source: Source::Kernel,
        });
        self.ns.config_mut().devices.insert(Device {
            index: IfIndex(index),
            name: Arc::from(format!("eth{index}")),
            kind: DeviceKind::Physical,
            attach: Attach::None,
            mac: Mac::default(),
            mac_set: false,
            mtu: 1500,
            up: true,
            carrier: true,
            master: IfIndex::NONE,
            port: Default::default(),
            addrs: addrs.collect(),
            addrs6: Vec::new(),
            inet6: Default::default(),
            conf: Default::default(),
            neigh: Default::default(),
            stack: Default::default(),
            flags: Default::default(),
            source: Source::Kernel,
        });
    }

    pub(in crate::datapath) fn with<R>(&mut self, f: impl FnOnce(&mut Walk<'_, T>) -> R) -> R {
        f(&mut Walk {
            ns: &mut self.ns,
            now: self.now,
            rng: &mut self.rng,
            trace: &mut self.trace,
            effects: &mut self.effects,
            ids: &mut self.ids,
            cause: PacketId::NONE,
            flow: FlowId::NONE,
        })
    }

    pub(in crate::datapath) fn pass(&mut self, seconds: u64) {
        self.now = self.now + Duration::from_secs(seconds);
    }

    /// An empty table, some time later.
    pub(in crate::datapath) fn next_run(&mut self) {
        self.ns.conntrack.flush(self.now);
        self.pass(100);
    }

    pub(in crate::datapath) fn rows(&self) -> Vec<String> {
        self.ns.conntrack.list(self.now)
    }
}

pub(in crate::datapath) fn unhex(s: &str) -> Vec<u8> {
    (0..s.len() / 2).map(|i| u8::from_str_radix(&s[2 * i..2 * i + 2], 16).unwrap()).collect()
}
