//! `ip address`: addresses and the routes that come with them.
//!
//! Models: net/ipv4/devinet.c __inet_insert_ifa, __inet_del_ifa, inet_rtm_newaddr, inet_rtm_deladdr;
//! net/ipv4/fib_frontend.c fib_add_ifaddr, fib_del_ifaddr; net/netfilter/nf_nat_masquerade.c masq_inet_event.
//! Simplifies: fib_del_ifaddr counts which rows other addresses still need; here the rows that the addresses before and after
//! want are compared, which comes to the same.

use super::device::forget_neighbours;
use super::{OpError, Requests, find, route};
use crate::linux::device::{Device, DeviceKind, IfAddr, Scope};
use crate::linux::errno::Errno;
use crate::linux::fib::{NextHop, Route, RouteProto, RouteType, TableId};
use crate::linux::id::{IfIndex, RowId, Source};
use crate::linux::netns::Netns;
use crate::linux::op::AddrOp;
use crate::linux::op::addr::Broadcast;
use crate::linux::time::Time;
use crate::packet::{Ipv4Addr, Prefix};
use smallvec::smallvec;
use std::sync::Arc;

pub(super) fn apply(ns: &mut Netns, op: &AddrOp, now: Time, source: Source, requests: &mut Requests) -> Result<(), OpError> {
    match op {
        AddrOp::Add { dev, local, prefix, peer, broadcast, scope, noprefixroute, replace } => {
            let index = find(ns, dev)?;
            let broadcast = match broadcast {
                Some(Broadcast::Computed) => (prefix.len() <= 30).then(|| prefix.last()),
                Some(Broadcast::Addr(a)) => Some(*a),
                None => None,
            };
            let scope = scope.unwrap_or(if local.is_loopback() { Scope::Host } else { Scope::Universe });
            let addr = IfAddr {
                row: RowId::NONE,
                local: *local,
                prefix: *prefix,
                peer: peer.filter(|p| p != local),
                broadcast,
                scope,
                secondary: false,
                noprefixroute: *noprefixroute,
                dad: Default::default(),
                source,
            };
            insert(ns, index, addr, *replace)
        }
        AddrOp::Del { dev, local, prefix } => {
            let index = find(ns, dev)?;
            let found = ns
                .config
                .devices
                .get(index)
                .and_then(|d| d.addrs.iter().position(|a| a.local == *local && prefix.is_none_or(|p| p == a.prefix)));
            match found {
                Some(at) => delete(ns, index, at, now, requests),
                None => return Err(OpError::ext(Errno::EADDRNOTAVAIL, "ipv4: Address not found")),
            }
            Ok(())
        }
        AddrOp::Flush { dev } => {
            let Some(index) = ns.config.devices.by_name(dev).map(|d| d.index) else {
                return Err(OpError::text(Errno::ENODEV, format!("Device \"{dev}\" does not exist.")));
            };
            while ns.config.devices.get(index).is_some_and(|d| !d.addrs.is_empty()) {
                delete(ns, index, 0, now, requests);
            }
            Ok(())
        }
    }
}

fn insert(ns: &mut Netns, index: IfIndex, mut addr: IfAddr<Ipv4Addr>, replace: bool) -> Result<(), OpError> {
    let Some(d) = ns.config.devices.get(index) else { return Err(OpError::errno(Errno::ENODEV)) };
    let same_net = |a: &IfAddr<Ipv4Addr>| a.prefix == addr.prefix;
    if d.addrs.iter().any(|a| same_net(a) && a.local == addr.local) {
        return if replace { Ok(()) } else { Err(OpError::ext(Errno::EEXIST, "ipv4: Address already assigned")) };
    }
    if addr.local.is_unspecified() {
        return Ok(()); // The kernel takes it without a word and without an effect.
    }
    if d.addrs.iter().any(|a| same_net(a) && a.scope != addr.scope) {
        return Err(OpError::ext(Errno::EINVAL, "ipv4: Invalid scope value"));
    }
    addr.secondary = d.addrs.iter().any(same_net);
    // A primary goes behind the last primary of its scope or a narrower one; a secondary goes last.
    let at = if addr.secondary {
        d.addrs.len()
    } else {
        d.addrs.iter().rposition(|a| !a.secondary && addr.scope <= a.scope).map_or(0, |i| i + 1)
    };
    let config = ns.config_mut();
    addr.row = config.new_row();
    if let Some(d) = config.devices.get_mut(index) {
        d.addrs.reserve_exact(1);
        d.addrs.insert(at, addr);
    }
    let wanted = ns.config.devices.get(index).map(|d| wanted_by(d, &d.addrs[at])).unwrap_or_default();
    add_rows(ns, index, wanted);
    Ok(())
}

/// Deletes the address at place `at` of a device. With a primary its secondaries go, unless they are to be promoted.
fn delete(ns: &mut Netns, index: IfIndex, at: usize, now: Time, requests: &mut Requests) {
    let Some(d) = ns.config.devices.get(index) else { return };
    let promote = ns.config.sysctl.conf_all.promote_secondaries || d.conf.promote_secondaries;
    let before = wanted(d);
    let mut addrs = d.addrs.clone();
    let gone = addrs.remove(at);
    let mut locals = vec![gone.local];
    if !gone.secondary {
        let heirs = |a: &IfAddr<Ipv4Addr>| a.secondary && a.prefix == gone.prefix;
        if promote {
            if let Some(i) = addrs.iter().position(heirs) {
                let mut heir = addrs.remove(i);
                heir.secondary = false;
                let place = addrs.iter().rposition(|a| !a.secondary && gone.scope <= a.scope).map_or(0, |i| i + 1);
                addrs.insert(place, heir);
            }
        } else {
            locals.extend(addrs.iter().filter(|a| heirs(a)).map(|a| a.local));
            addrs.retain(|a| !heirs(a));
        }
    }
    if let Some(d) = ns.config_mut().devices.get_mut(index) {
        d.addrs = addrs;
    }
    let after = ns.config.devices.get(index).map(wanted).unwrap_or_default();
    for w in before.iter().filter(|w| !after.iter().any(|a| a.same_row(w))) {
        remove_row(ns, index, w);
    }
    add_rows(ns, index, after.into_iter().filter(|w| !before.iter().any(|b| b.same_row(w))).collect());
    for local in locals {
        // Flows that were masqueraded to it cannot go on (masq_inet_event).
        ns.conntrack.delete_masqueraded(index, Some(local), now);
        if ns.config.fib.local.lookup(local, |_| true).is_none_or(|r| r.kind != RouteType::Local) {
            route::source_gone(ns, local);
        }
    }
    if ns.config.devices.get(index).is_some_and(|d| d.addrs.is_empty()) {
        route::device_gone(ns, index, route::Down::Force);
        forget_neighbours(ns, index, true, requests);
    }
}

/// Takes all addresses of a device away (inetdev_destroy).
pub(super) fn forget_all(ns: &mut Netns, index: IfIndex, now: Time) {
    if ns.config.devices.get(index).is_some_and(|d| !d.addrs.is_empty()) {
        let mut ignored = Requests::new();
        while ns.config.devices.get(index).is_some_and(|d| !d.addrs.is_empty()) {
            delete(ns, index, 0, now, &mut ignored);
        }
    }
}

/// `lo` came up: it gets 127.0.0.1/8 if it has no address at all (inetdev_event).
pub(super) fn loopback_up(ns: &mut Netns, index: IfIndex) {
    if ns.config.devices.get(index).is_none_or(|d| !d.addrs.is_empty()) {
        return;
    }
    let local = Ipv4Addr::LOCALHOST;
    let addr = IfAddr {
        row: RowId::NONE,
        local,
        prefix: Prefix::new(local, 8),
        peer: None,
        broadcast: None,
        scope: Scope::Host,
        secondary: false,
        noprefixroute: false,
        dad: Default::default(),
        source: Source::Kernel,
    };
    // There is no address that it could clash with.
    let _ = insert(ns, index, addr, true);
}

/// A route that an address brings.
#[derive(Clone, Debug)]
pub(super) struct Wanted {
    table: TableId,
    kind: RouteType,
    prefix: Prefix<Ipv4Addr>,
    src: Ipv4Addr,
    from: RowId,
}

impl Wanted {
    fn same_row(&self, o: &Wanted) -> bool {
        (self.table, self.kind, self.prefix, self.src) == (o.table, o.kind, o.prefix, o.src)
    }

    fn scope(&self) -> Scope {
        if self.kind == RouteType::Local { Scope::Host } else { Scope::Link }
    }

    fn is(&self, r: &Route<Ipv4Addr>, index: IfIndex) -> bool {
        r.kind == self.kind
            && r.src == Some(self.src)
            && r.proto == RouteProto::KERNEL
            && r.tos == 0
            && r.metric == 0
            && r.nexthops.iter().any(|n| n.dev == index && n.via.is_none())
    }
}

/// The routes that one address of a device brings now (fib_add_ifaddr).
fn wanted_by(d: &Device, a: &IfAddr<Ipv4Addr>) -> Vec<Wanted> {
    // The routes of a secondary prefer the primary's address as source.
    let src = d.addrs.iter().find(|p| p.prefix == a.prefix).map_or(a.local, |p| p.local);
    let row = |kind, prefix| {
        let table = if kind == RouteType::Unicast { TableId::MAIN } else { TableId::LOCAL };
        Wanted { table, kind, prefix, src, from: a.row }
    };
    let mut rows = vec![row(RouteType::Local, Prefix::host(a.local))];
    if !d.up {
        return rows;
    }
    if let Some(brd) = a.broadcast.filter(|b| !b.is_unspecified() && *b != Ipv4Addr::BROADCAST) {
        rows.push(row(RouteType::Broadcast, Prefix::host(brd)));
    }
    let net = a.prefix;
    if net.addr().octets()[0] != 0 && !a.secondary && (net.addr() != a.local || net.len() < 32) {
        if !a.noprefixroute {
            rows.push(row(if d.kind == DeviceKind::Loopback { RouteType::Local } else { RouteType::Unicast }, net));
        }
        if net.len() < 31 {
            rows.push(row(RouteType::Broadcast, Prefix::host(net.last())));
        }
    }
    rows
}

/// The routes that all addresses of a device bring now.
fn wanted(d: &Device) -> Vec<Wanted> {
    let mut all: Vec<Wanted> = Vec::new();
    for w in d.addrs.iter().flat_map(|a| wanted_by(d, a)) {
        if !all.iter().any(|o| o.same_row(&w)) {
            all.push(w);
        }
    }
    all
}

/// Adds the routes that the addresses of a device bring, as far as they are not there.
pub(super) fn add_routes(ns: &mut Netns, index: IfIndex) {
    if let Some(d) = ns.config.devices.get(index) {
        let rows = wanted(d);
        add_rows(ns, index, rows);
    }
}

fn add_rows(ns: &mut Netns, index: IfIndex, rows: Vec<Wanted>) {
    if rows.is_empty() {
        return;
    }
    let config = ns.config_mut();
    for w in rows {
        if config.fib.table(w.table).is_some_and(|t| t.at(w.prefix).iter().any(|r| w.is(r, index))) {
            continue;
        }
        let route = Route {
            row: config.new_row(),
            prefix: w.prefix,
            tos: 0,
            metric: 0,
            kind: w.kind,
            scope: w.scope(),
            proto: RouteProto::KERNEL,
            nexthops: smallvec![NextHop { via: None, dev: index, weight: 1, onlink: false }],
            src: Some(w.src),
            mtu: None,
            source: Source::Row(w.from),
        };
        Arc::make_mut(&mut config.fib).table_mut(w.table).append(route);
    }
}

fn remove_row(ns: &mut Netns, index: IfIndex, w: &Wanted) {
    let found = ns.config.fib.table(w.table).and_then(|t| t.at(w.prefix).into_iter().find(|r| w.is(r, index)).map(|r| r.row));
    if let Some(row) = found {
        Arc::make_mut(&mut ns.config_mut().fib).table_mut(w.table).remove(row, w.prefix);
    }
}
