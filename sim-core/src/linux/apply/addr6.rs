//! IPv6 addresses, the routes that come with them, and what happens to them when a link comes and goes.
//!
//! Models: net/ipv6/addrconf.c inet6_addr_add, inet6_addr_del, ipv6_link_dev_addr, addrconf_notify, addrconf_dev_config,
//! addrconf_addr_gen, addrconf_add_mroute, addrconf_prefix_route, addrconf_ifdown, addrconf_dad_completed, addrconf_dad_stop,
//! addrconf_join_anycast, dev_disable_change.
//! Spec: RFC 4862 section 5.
//! Simplifies: no privacy or stable addresses, no life times, no peer addresses, no optimistic addresses; `keep_addr_on_down` is kept
//! and has no effect. An address goes to the device's list at once, its route of table local when it may be used.

use super::{OpError, Request, Requests, find};
use crate::linux::device::{Dad, Device, DeviceKind, IfAddr, Scope};
use crate::linux::errno::Errno;
use crate::linux::fib::{NextHop, Route, RouteProto, RouteType, TableId};
use crate::linux::id::{IfIndex, RowId, Source};
use crate::linux::inet6::{is_link_local, is_ready, link_local};
use crate::linux::netns::Netns;
use crate::linux::op::Addr6Op;
use crate::packet::{Ipv6Addr, Prefix};
use smallvec::smallvec;
use std::sync::Arc;

/// The metric of routes that addresses bring (IP6_RT_PRIO_ADDRCONF).
const PRIO_ADDRCONF: u32 = 256;

pub(super) fn apply(ns: &mut Netns, op: &Addr6Op, source: Source, requests: &mut Requests) -> Result<(), OpError> {
    match op {
        Addr6Op::Add { dev, local, len, nodad, noprefixroute, replace } => {
            let index = find(ns, dev)?;
            if local.is_multicast() || local.is_unspecified() {
                return Err(OpError::errno(Errno::EADDRNOTAVAIL));
            }
            let Some(d) = ns.config.devices.get(index) else { return Err(OpError::errno(Errno::ENODEV)) };
            if d.inet6.conf.disable_ipv6 != 0 {
                return Err(OpError::ext(Errno::EACCES, "IPv6 is disabled on this device"));
            }
            if d.addrs6.iter().any(|a| a.local == *local) {
                return if *replace { Ok(()) } else { Err(OpError::ext(Errno::EEXIST, "ipv6: address already assigned")) };
            }
            let tried = !nodad && is_tried(d);
            insert(ns, index, *local, *len, *noprefixroute, tried, source);
            if tried {
                requests.push(Request::Addrconf { dev: index })
            } else {
                dad_completed(ns, index, *local)
            }
            Ok(())
        }
        Addr6Op::Del { dev, local, len } => {
            let index = find(ns, dev)?;
            let there = |d: &Device| d.addrs6.iter().any(|a| a.local == *local && a.prefix.len() == *len);
            if !ns.config.devices.get(index).is_some_and(there) {
                return Err(OpError::ext(Errno::EADDRNOTAVAIL, "address not found"));
            }
            delete(ns, index, *local);
            Ok(())
        }
        Addr6Op::Flush { dev } => {
            let Some(index) = ns.config.devices.by_name(dev).map(|d| d.index) else {
                return Err(OpError::text(Errno::ENODEV, format!("Device \"{dev}\" does not exist.")));
            };
            for a in addresses(ns, index) {
                delete(ns, index, a);
            }
            Ok(())
        }
    }
}

fn addresses(ns: &Netns, index: IfIndex) -> Vec<Ipv6Addr> {
    ns.config.devices.get(index).map(|d| d.addrs6.iter().map(|a| a.local).collect()).unwrap_or_default()
}

/// Whether new addresses of the device are tried before they are used.
fn is_tried(d: &Device) -> bool {
    d.inet6.conf.accept_dad != 0 && d.inet6.conf.dad_transmits != 0 && d.uses_arp()
}

fn scope_of(a: Ipv6Addr) -> Scope {
    if a.is_loopback() {
        Scope::Host
    } else if is_link_local(a) {
        Scope::Link
    } else if a.segments()[0] & 0xffc0 == 0xfec0 {
        Scope::Site
    } else {
        Scope::Universe
    }
}

fn insert(ns: &mut Netns, index: IfIndex, local: Ipv6Addr, len: u8, noprefixroute: bool, tried: bool, source: Source) {
    let config = ns.config_mut();
    let row = config.new_row();
    let prefix = Prefix::new(local, len);
    let scope = scope_of(local);
    let dad = if tried { Dad::Tentative } else { Dad::Done };
    let addr = IfAddr { row, local, prefix, peer: None, broadcast: None, scope, secondary: false, noprefixroute, dad, source };
    if let Some(d) = config.devices.get_mut(index) {
        // wider scopes stand first, and the newest of a scope before the others
        let rank = crate::linux::inet6::scope_number;
        let at = d.addrs6.iter().position(|a| rank(local) >= rank(a.local)).unwrap_or(d.addrs6.len());
        d.addrs6.insert(at, addr);
    }
    if !noprefixroute {
        add_row(ns, index, TableId::MAIN, RouteType::Unicast, prefix, PRIO_ADDRCONF, Source::Row(row));
    }
}

fn add_row(ns: &mut Netns, index: IfIndex, table: TableId, kind: RouteType, prefix: Prefix<Ipv6Addr>, metric: u32, source: Source) {
    let there = |r: &&Route<Ipv6Addr>| r.kind == kind && r.metric == metric && r.nexthops.iter().any(|n| n.dev == index && n.via.is_none());
    if ns.config.fib6.table(table).is_some_and(|t| t.at(prefix).iter().any(there)) {
        return;
    }
    let config = ns.config_mut();
    let route = Route {
        row: config.new_row(),
        prefix,
        tos: 0,
        metric,
        kind,
        scope: Scope::Universe,
        proto: RouteProto::KERNEL,
        nexthops: smallvec![NextHop { via: None, dev: index, weight: 1, onlink: false }],
        src: None,
        mtu: None,
        source,
    };
    Arc::make_mut(&mut config.fib6).table_mut(table).append(route);
}

fn remove_rows(ns: &mut Netns, gone: impl Fn(TableId, &Route<Ipv6Addr>) -> bool) {
    let fib = &ns.config.fib6;
    let tables = [(TableId::LOCAL, &fib.local), (TableId::MAIN, &fib.main)].into_iter().chain(fib.others.iter().map(|(id, t)| (*id, t)));
    let rows: Vec<(TableId, RowId, Prefix<Ipv6Addr>)> =
        tables.flat_map(|(id, t)| t.all().into_iter().filter(|r| gone(id, r)).map(|r| (id, r.row, r.prefix)).collect::<Vec<_>>()).collect();
    if rows.is_empty() {
        return;
    }
    let fib = Arc::make_mut(&mut ns.config_mut().fib6);
    for (id, row, prefix) in rows {
        fib.table_mut(id).remove(row, prefix);
    }
}

fn delete(ns: &mut Netns, index: IfIndex, local: Ipv6Addr) {
    let config = ns.config_mut();
    let Some(d) = config.devices.get_mut(index) else { return };
    let Some(at) = d.addrs6.iter().position(|a| a.local == local) else { return };
    let gone = d.addrs6.remove(at);
    let still = d.addrs6.iter().any(|a| a.prefix == gone.prefix && !a.noprefixroute);
    let anycast = d.addrs6.iter().any(|a| a.prefix == gone.prefix);
    ns.ip6.dad.remove(&(index, local));
    let on = |r: &Route<Ipv6Addr>| r.proto == RouteProto::KERNEL && r.nexthops.iter().any(|n| n.dev == index && n.via.is_none());
    remove_rows(ns, |table, r| {
        let host = table == TableId::LOCAL && r.kind == RouteType::Local && r.prefix == Prefix::host(local);
        let net = table == TableId::MAIN && !still && !gone.noprefixroute && r.prefix == gone.prefix && r.metric == PRIO_ADDRCONF;
        let router = table == TableId::LOCAL && !anycast && r.kind == RouteType::Anycast && r.prefix == Prefix::host(gone.prefix.addr());
        (on(r) && (host || net || router)) || (table == TableId::MAIN && r.src == Some(local))
    });
}

/// The address may be used: its route of table local is made (addrconf_dad_completed).
pub fn dad_completed(ns: &mut Netns, index: IfIndex, local: Ipv6Addr) {
    let Some(d) = ns.config_mut().devices.get_mut(index) else { return };
    let router = d.inet6.conf.forwarding != 0;
    let loopback = d.kind == DeviceKind::Loopback;
    let Some(a) = d.addrs6.iter_mut().find(|a| a.local == local) else { return };
    a.dad = Dad::Done;
    let (row, prefix) = (a.row, a.prefix);
    add_row(ns, index, TableId::LOCAL, RouteType::Local, Prefix::host(local), 0, Source::Row(row));
    if router && prefix.len() < 127 && !loopback {
        add_row(ns, index, TableId::LOCAL, RouteType::Anycast, Prefix::host(prefix.addr()), 0, Source::Row(row));
    }
}

/// Another host has the address (addrconf_dad_failure).
pub fn dad_failed(ns: &mut Netns, index: IfIndex, local: Ipv6Addr) {
    if let Some(d) = ns.config_mut().devices.get_mut(index)
        && let Some(a) = d.addrs6.iter_mut().find(|a| a.local == local)
    {
        a.dad = Dad::Failed;
    }
}

/// A device became a router, or a host: it has the anycast addresses of its subnets, or not (addrconf_forward_change, dev_forward_change).
pub(super) fn forwarding_changed(ns: &mut Netns, index: IfIndex) {
    let Some(d) = ns.config.devices.get(index) else { return };
    if d.inet6.conf.forwarding == 0 {
        remove_rows(ns, |_, r| r.kind == RouteType::Anycast && r.nexthops.iter().any(|n| n.dev == index));
        return;
    }
    let usable: Vec<Ipv6Addr> = d.addrs6.iter().filter(|a| a.dad == Dad::Done).map(|a| a.local).collect();
    for a in usable {
        dad_completed(ns, index, a);
    }
}

/// A link came up or went down, or IPv6 was switched on or off on it (addrconf_notify).
pub(super) fn changed(ns: &mut Netns, index: IfIndex, requests: &mut Requests) {
    let Some(d) = ns.config.devices.get(index) else { return };
    let ready = is_ready(&ns.config, d);
    let (was, loopback) = (d.inet6.ready, d.kind == DeviceKind::Loopback);
    if was && (!d.up || d.inet6.conf.disable_ipv6 != 0 || d.mtu < 1280) {
        return went_down(ns, index);
    }
    if !ready || was {
        return;
    }
    let (mac, none, tried) = (d.mac, d.addrs6.is_empty(), is_tried(d));
    let generated = d.inet6.conf.addr_gen_mode == 0 && !d.addrs6.iter().any(|a| is_link_local(a.local));
    if let Some(d) = ns.config_mut().devices.get_mut(index) {
        d.inet6.ready = true;
    }
    if loopback {
        if none {
            insert(ns, index, Ipv6Addr::LOCALHOST, 128, false, false, Source::Kernel);
            dad_completed(ns, index, Ipv6Addr::LOCALHOST);
        }
        return;
    }
    let groups = Prefix::new(Ipv6Addr::new(0xff00, 0, 0, 0, 0, 0, 0, 0), 8);
    add_row(ns, index, TableId::LOCAL, RouteType::Multicast, groups, PRIO_ADDRCONF, Source::Kernel);
    if generated {
        let local = link_local(mac);
        insert(ns, index, local, 64, false, tried, Source::Kernel);
        if !tried {
            dad_completed(ns, index, local);
        }
    }
    requests.push(Request::Addrconf { dev: index });
}

/// All addresses and routes go (addrconf_ifdown).
fn went_down(ns: &mut Netns, index: IfIndex) {
    for a in addresses(ns, index) {
        delete(ns, index, a);
    }
    if let Some(d) = ns.config_mut().devices.get_mut(index) {
        d.inet6.ready = false;
    }
    ns.ip6.mld.remove(&index);
    remove_rows(ns, |_, r| r.nexthops.iter().any(|n| n.dev == index));
}

/// The device leaves its namespace.
pub(super) fn forget(ns: &mut Netns, index: IfIndex) {
    if ns.config.devices.get(index).is_some_and(|d| d.inet6.ready || !d.addrs6.is_empty()) {
        went_down(ns, index);
    }
}

/// What a router advertisement says: the router is a way out, prefixes are on the link and make addresses
/// (ndisc_router_discovery, addrconf_prefix_rcv). Each prefix comes with its length, flags (0x80 on link, 0x40 autonomous) and valid lifetime.
pub fn router_advertised(
    ns: &mut Netns,
    index: IfIndex,
    router: Ipv6Addr,
    lifetime: u16,
    prefixes: &[(Ipv6Addr, u8, u8, u32)],
    autoconf: bool,
) {
    const PROTO_RA: RouteProto = RouteProto(9);
    const METRIC: u32 = 1024;
    remove_rows(ns, |_, r| {
        r.proto == PROTO_RA && r.prefix.len() == 0 && r.nexthops.iter().any(|n| n.dev == index && n.via == Some(router))
    });
    if lifetime > 0 {
        let config = ns.config_mut();
        let route = Route {
            row: config.new_row(),
            prefix: Prefix::new(Ipv6Addr::UNSPECIFIED, 0),
            tos: 0,
            metric: METRIC,
            kind: RouteType::Unicast,
            scope: Scope::Universe,
            proto: PROTO_RA,
            nexthops: smallvec![NextHop { via: Some(router), dev: index, weight: 1, onlink: false }],
            src: None,
            mtu: None,
            source: Source::Kernel,
        };
        Arc::make_mut(&mut config.fib6).table_mut(TableId::MAIN).append(route);
    }
    for (prefix, len, flags, valid) in prefixes.iter().filter(|p| p.1 <= 128 && p.3 > 0 && !is_link_local(p.0)) {
        let range = Prefix::new(*prefix, *len);
        if flags & 0x80 != 0 {
            add_row(ns, index, TableId::MAIN, RouteType::Unicast, range, PRIO_ADDRCONF, Source::Kernel);
        }
        let Some(d) = ns.config.devices.get(index) else { return };
        let id = u128::from(link_local(d.mac)) & u128::from(u64::MAX);
        let local = Ipv6Addr::from(u128::from(range.addr()) | id);
        if flags & 0x40 != 0 && autoconf && *len == 64 && *valid > 0 && !d.addrs6.iter().any(|a| a.local == local) {
            let tried = is_tried(d);
            insert(ns, index, local, 64, true, tried, Source::Kernel);
            if !tried {
                dad_completed(ns, index, local);
            }
        }
    }
}
