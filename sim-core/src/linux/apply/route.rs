//! `ip route`: what the kernel checks, finds out and stores.
//!
//! Models: net/ipv4/fib_frontend.c inet_rtm_newroute, inet_rtm_delroute; net/ipv4/fib_semantics.c fib_create_info,
//! fib_check_nh, fib_nh_match, fib_sync_down_dev, fib_sync_down_addr; net/ipv4/fib_trie.c fib_table_insert, fib_table_delete;
//! iproute2 ip/iproute.c iproute_modify (scope and table that were not given).
//! Simplifies: whether a next hop is dead or without carrier is not stored; it follows from its device. A route whose gateway is an
//! own address keeps it as `via`; packets go straight to the link, as the gateway is local.

use super::{OpError, addr, find};
use crate::linux::config::Config;
use crate::linux::device::Scope;
use crate::linux::errno::Errno;
use crate::linux::fib::{Fib, FibBase, FibTable, NextHop, Route, RouteProto, RouteType, TableId};
use crate::linux::id::{IfIndex, RowId, Source};
use crate::linux::netns::Netns;
use crate::linux::op::route::HopSpec;
use crate::linux::op::{RouteBatch, RouteOp, RouteSpec, RouteVerb};
use crate::packet::{Ipv4Addr, Prefix};
use smallvec::SmallVec;
use std::collections::BTreeMap;
use std::sync::Arc;

/// Rows of a batch are numbered from here, by their place in the batch; the same in all namespaces. Rows of a namespace's own
/// are numbered from 1 and never get here.
pub const BATCH_ROWS: u32 = 0x8000_0000;

pub(super) fn apply(ns: &mut Netns, op: &RouteOp, source: Source) -> Result<(), OpError> {
    match op {
        RouteOp::One { verb: RouteVerb::Del, route } => delete(ns, route),
        RouteOp::One { verb, route } => {
            let (table, new) = build(&ns.config, route, source)?;
            insert(ns, table, new, *verb)
        }
        RouteOp::Batch { batch, skip } => lay(ns, batch, *skip, source),
        RouteOp::Flush { table, dev, prefix } => flush(ns, *table, dev.as_deref(), *prefix),
    }
}

fn default_table(spec: &RouteSpec) -> TableId {
    spec.table.unwrap_or(match spec.kind {
        Some(RouteType::Local | RouteType::Broadcast) => TableId::LOCAL,
        _ => TableId::MAIN,
    })
}

fn default_scope(spec: &RouteSpec, kind: RouteType) -> Scope {
    spec.scope.unwrap_or(match kind {
        RouteType::Local => Scope::Host,
        RouteType::Broadcast | RouteType::Multicast => Scope::Link,
        RouteType::Unicast if spec.hops.len() < 2 && spec.hops.first().is_none_or(|h| h.via.is_none()) => Scope::Link,
        _ => Scope::Universe,
    })
}

fn is_refusing(kind: RouteType) -> bool {
    matches!(kind, RouteType::Blackhole | RouteType::Unreachable | RouteType::Prohibit | RouteType::Throw)
}

/// Whether a lookup may use this next hop: its device is up (or the destination is on this host), and is the one asked for.
fn usable(config: &Config, r: &Route<Ipv4Addr>, hop: &NextHop<Ipv4Addr>, oif: IfIndex) -> bool {
    (oif == IfIndex::NONE || oif == hop.dev) && (r.scope == Scope::Host || config.devices.get(hop.dev).is_some_and(|d| d.up))
}

/// fib_lookup as the check of a gateway uses it: the first route of at least that scope with a usable next hop.
fn lookup<'c>(
    config: &'c Config,
    table: TableId,
    to: Ipv4Addr,
    scope: Scope,
    oif: IfIndex,
) -> Option<(&'c Route<Ipv4Addr>, Option<&'c NextHop<Ipv4Addr>>)> {
    let fits = |r: &Route<Ipv4Addr>| {
        r.tos == 0 && r.scope >= scope && (is_refusing(r.kind) || r.nexthops.iter().any(|h| usable(config, r, h, oif)))
    };
    let own: Option<&'c FibTable<Ipv4Addr>> = if table == TableId::MAIN { None } else { config.fib.table(table) };
    let found = own.and_then(|t| t.lookup(to, fits)).filter(|r| !is_refusing(r.kind));
    let found = found.or_else(|| config.fib.lookup(to, fits).map(|(_, r)| r))?;
    Some((found, found.nexthops.iter().find(|h| usable(config, found, h, oif))))
}

const INVALID_GATEWAY: &str = "Nexthop has invalid gateway";

/// fib_check_nh.
fn check_hop(config: &Config, table: TableId, scope: Scope, spec: &HopSpec) -> Result<NextHop<Ipv4Addr>, OpError> {
    let oif = match &spec.dev {
        Some(name) => config.devices.by_name(name).map(|d| d.index).ok_or_else(|| OpError::no_device(name))?,
        None => IfIndex::NONE,
    };
    let dev = config.devices.get(oif);
    let weight = spec.weight.unwrap_or(1);
    let Some(via) = spec.via else {
        if spec.onlink {
            return Err(OpError::ext(Errno::EINVAL, "Invalid flags for nexthop - PERVASIVE and ONLINK can not be set"));
        }
        let dev = dev.ok_or(OpError::errno(Errno::ENODEV))?;
        if !dev.up {
            return Err(OpError::ext(Errno::ENETDOWN, "Device for nexthop is not up"));
        }
        return Ok(NextHop { via: None, dev: oif, weight, onlink: false });
    };
    if spec.onlink {
        if scope >= Scope::Link {
            return Err(OpError::ext(Errno::EINVAL, "Nexthop has invalid scope"));
        }
        let dev = dev.ok_or(OpError::ext(Errno::ENODEV, "Nexthop device required for onlink"))?;
        if !dev.up {
            return Err(OpError::ext(Errno::ENETDOWN, "Nexthop device is not up"));
        }
        if config.fib.addr_type(via) != RouteType::Unicast {
            return Err(OpError::ext(Errno::EINVAL, INVALID_GATEWAY));
        }
        return Ok(NextHop { via: Some(via), dev: oif, weight, onlink: true });
    }
    // The gateway must be nearer than the destination: on the link at least.
    let wanted = match scope {
        Scope::Universe | Scope::Site => Scope::Link,
        Scope::Link => Scope::Host,
        Scope::Host | Scope::Nowhere => Scope::Nowhere,
    };
    match lookup(config, table, via, wanted, oif) {
        Some((r, Some(hop))) if matches!(r.kind, RouteType::Unicast | RouteType::Local) => {
            if config.devices.get(hop.dev).is_none_or(|d| !d.up) {
                return Err(OpError::errno(Errno::ENETDOWN));
            }
            Ok(NextHop { via: Some(via), dev: hop.dev, weight, onlink: false })
        }
        Some((r, _)) if !is_refusing(r.kind) => Err(OpError::ext(Errno::EINVAL, INVALID_GATEWAY)),
        _ => Err(OpError::ext(Errno::ENETUNREACH, INVALID_GATEWAY)),
    }
}

/// fib_create_info: the route as it would be stored; its row is not numbered yet.
fn build(config: &Config, spec: &RouteSpec, source: Source) -> Result<(TableId, Route<Ipv4Addr>), OpError> {
    let kind = spec.kind.unwrap_or_default();
    let table = default_table(spec);
    let scope = default_scope(spec, kind);
    for hop in &spec.hops {
        if let Some(dev) = hop.dev.as_deref().filter(|d| config.devices.by_name(d).is_none()) {
            return Err(OpError::no_device(dev));
        }
    }
    let narrowest = match kind {
        RouteType::Local => Scope::Host,
        RouteType::Broadcast => Scope::Link,
        _ => Scope::Universe,
    };
    if narrowest > scope {
        return Err(OpError::ext(Errno::EINVAL, "Invalid scope"));
    }
    let mut nexthops: SmallVec<[NextHop<Ipv4Addr>; 1]> = SmallVec::new();
    if is_refusing(kind) {
        if !spec.hops.is_empty() {
            return Err(OpError::ext(Errno::EINVAL, "Gateway, device and multipath can not be specified for this route type"));
        }
    } else if scope > Scope::Host {
        return Err(OpError::ext(Errno::EINVAL, "Invalid scope"));
    } else if scope == Scope::Host {
        if spec.hops.len() > 1 {
            return Err(OpError::ext(Errno::EINVAL, "Route with host scope can not have multiple nexthops"));
        }
        if spec.hops.iter().any(|h| h.via.is_some()) {
            return Err(OpError::ext(Errno::EINVAL, "Route with host scope can not have a gateway"));
        }
        let name = spec.hops.first().and_then(|h| h.dev.as_deref());
        let dev = name.and_then(|n| config.devices.by_name(n)).ok_or(OpError::errno(Errno::ENODEV))?;
        nexthops.push(NextHop { via: None, dev: dev.index, weight: 1, onlink: false });
    } else {
        let nothing = [HopSpec::default()];
        for hop in if spec.hops.is_empty() { &nothing[..] } else { &spec.hops } {
            nexthops.push(check_hop(config, table, scope, hop)?);
        }
    }
    if let Some(src) = spec.src {
        let own_local = kind == RouteType::Local && Prefix::host(src) == spec.prefix;
        if !own_local && config.fib.addr_type(src) != RouteType::Local {
            return Err(OpError::ext(Errno::EINVAL, "Invalid prefsrc address"));
        }
    }
    let route = Route {
        row: RowId::NONE,
        prefix: spec.prefix,
        tos: spec.tos,
        metric: spec.metric.unwrap_or(0),
        kind,
        scope,
        proto: spec.proto.unwrap_or(RouteProto::BOOT),
        nexthops,
        src: spec.src,
        mtu: spec.mtu,
        source,
    };
    Ok((table, route))
}

/// Whether two routes of one prefix, TOS and metric say the same (fib_find_info).
fn same(a: &Route<Ipv4Addr>, b: &Route<Ipv4Addr>) -> bool {
    a.kind == b.kind && a.scope == b.scope && a.proto == b.proto && a.src == b.src && a.mtu == b.mtu && a.nexthops == b.nexthops
}

/// fib_table_insert.
fn insert(ns: &mut Netns, table: TableId, mut new: Route<Ipv4Addr>, verb: RouteVerb) -> Result<(), OpError> {
    let rows = ns.config.fib.table(table).map(|t| t.at(new.prefix)).unwrap_or_default();
    let equal: Vec<&Route<Ipv4Addr>> = rows.into_iter().filter(|r| r.tos == new.tos && r.metric == new.metric).collect();
    let exists = Err(OpError::errno(Errno::EEXIST));
    let twin = equal.iter().position(|r| same(r, &new));
    let mut displaced = None;
    match verb {
        RouteVerb::Add if !equal.is_empty() => return exists,
        RouteVerb::Replace | RouteVerb::Change => match (equal.first(), twin) {
            (Some(_), Some(0)) => return Ok(()),
            (Some(_), Some(_)) => return exists,
            (Some(first), None) => displaced = Some(first.row),
            (None, _) if verb == RouteVerb::Change => return Err(OpError::errno(Errno::ENOENT)),
            (None, _) => {}
        },
        RouteVerb::Append | RouteVerb::Prepend if twin.is_some() => return exists,
        _ => {}
    }
    let config = ns.config_mut();
    new.row = config.new_row();
    let t = Arc::make_mut(&mut config.fib).table_mut(table);
    match displaced {
        Some(row) => {
            t.remove(row, new.prefix);
            t.prepend(new);
        }
        None if verb == RouteVerb::Prepend => t.prepend(new),
        None => t.append(new),
    }
    Ok(())
}

/// fib_table_delete: the first that fits all that is given.
fn delete(ns: &mut Netns, spec: &RouteSpec) -> Result<(), OpError> {
    let table = default_table(spec);
    let scope = spec.scope.or(match spec.kind {
        Some(RouteType::Local) => Some(Scope::Host),
        Some(RouteType::Broadcast | RouteType::Multicast) => Some(Scope::Link),
        _ => None,
    });
    let mut hops: Vec<(Option<IfIndex>, &HopSpec)> = Vec::new();
    for h in &spec.hops {
        hops.push((h.dev.as_deref().map(|d| find(ns, d)).transpose()?, h));
    }
    let hop_fits = |(dev, h): &(Option<IfIndex>, &HopSpec), n: &NextHop<Ipv4Addr>| {
        dev.is_none_or(|d| d == n.dev) && (h.via.is_none() || h.via == n.via) && h.weight.is_none_or(|w| w == n.weight)
    };
    let Some(t) = ns.config.fib.table(table) else {
        return Err(OpError::ext(Errno::ESRCH, "FIB table does not exist"));
    };
    let found = t.at(spec.prefix).into_iter().find(|r| {
        r.tos == spec.tos
            && spec.kind.is_none_or(|k| k == r.kind)
            && scope.is_none_or(|s| s == r.scope)
            && spec.src.is_none_or(|s| Some(s) == r.src)
            && spec.proto.is_none_or(|p| p == r.proto)
            && spec.metric.is_none_or(|m| m == 0 || m == r.metric)
            && spec.mtu.is_none_or(|m| Some(m) == r.mtu)
            && match hops.as_slice() {
                [] => true,
                [one] => r.nexthops.first().is_some_and(|n| hop_fits(one, n)),
                all => all.len() == r.nexthops.len() && all.iter().zip(&r.nexthops).all(|(h, n)| hop_fits(h, n)),
            }
    });
    let row = found.map(|r| r.row).ok_or(OpError::errno(Errno::ESRCH))?;
    Arc::make_mut(&mut ns.config_mut().fib).table_mut(table).remove(row, spec.prefix);
    Ok(())
}

/// `ip route flush` in one table (0: in all). By device it finds routes with one next hop only, as `ip` does.
fn flush(ns: &mut Netns, table: Option<TableId>, dev: Option<&str>, prefix: Option<Prefix<Ipv4Addr>>) -> Result<(), OpError> {
    let dev = dev.map(|d| find(ns, d)).transpose()?;
    let all = table == Some(TableId(0));
    let table = table.unwrap_or(TableId::MAIN);
    remove_where(ns, |id, r| {
        (all || id == table)
            && dev.is_none_or(|d| matches!(r.nexthops.as_slice(), [one] if one.dev == d))
            && prefix.is_none_or(|p| p == r.prefix)
    });
    Ok(())
}

fn tables(fib: &Fib<Ipv4Addr>) -> impl Iterator<Item = (TableId, &FibTable<Ipv4Addr>)> {
    [(TableId::LOCAL, &fib.local), (TableId::MAIN, &fib.main)].into_iter().chain(fib.others.iter().map(|(id, t)| (*id, t)))
}

fn remove_where(ns: &mut Netns, gone: impl Fn(TableId, &Route<Ipv4Addr>) -> bool) {
    let rows: Vec<(TableId, RowId, Prefix<Ipv4Addr>)> = tables(&ns.config.fib)
        .flat_map(|(id, t)| t.all().into_iter().filter(|r| gone(id, r)).map(|r| (id, r.row, r.prefix)).collect::<Vec<_>>())
        .collect();
    if rows.is_empty() {
        return;
    }
    let fib = Arc::make_mut(&mut ns.config_mut().fib);
    for (id, row, prefix) in rows {
        fib.table_mut(id).remove(row, prefix);
    }
}

/// How a device stops being a way out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Down {
    /// Switched off: routes of scope host stay.
    Switched,
    /// Its last address went: all routes through it go.
    Force,
    /// It is no more: routes that have any next hop through it go.
    Unregister,
}

/// fib_sync_down_dev: routes that lead through the device alone go.
pub(super) fn device_gone(ns: &mut Netns, index: IfIndex, how: Down) {
    let config = ns.config.clone();
    let up = |dev: IfIndex| config.devices.get(dev).is_some_and(|d| d.up);
    remove_where(ns, |_, r| {
        let through = |n: &NextHop<Ipv4Addr>| n.dev == index && (how != Down::Switched || r.scope != Scope::Host);
        match how {
            Down::Unregister => r.nexthops.iter().any(|n| n.dev == index),
            _ => r.nexthops.iter().any(through) && r.nexthops.iter().all(|n| through(n) || (r.scope != Scope::Host && !up(n.dev))),
        }
    });
}

/// fib_sync_down_addr: an own address is no more; routes of the main table that prefer it as source go.
pub(super) fn source_gone(ns: &mut Netns, local: Ipv4Addr) {
    remove_where(ns, |id, r| id == TableId::MAIN && r.src == Some(local));
}

/// A device came up: its addresses bring their routes. Next hops of several through it count again by themselves.
pub(super) fn device_up(ns: &mut Netns, index: IfIndex) {
    addr::add_routes(ns, index);
}

/// Lays the main table over the routes of a batch, which all namespaces share.
fn lay(ns: &mut Netns, batch: &Arc<RouteBatch>, skip: Option<Prefix<Ipv4Addr>>, source: Source) -> Result<(), OpError> {
    let mut devs: BTreeMap<&str, IfIndex> = BTreeMap::new();
    for hop in batch.routes.iter().flat_map(|r| &r.hops) {
        if let Some(name) = hop.dev.as_deref().filter(|n| !devs.contains_key(n)) {
            devs.insert(name, find(ns, name)?);
        }
    }
    let plain = |r: &RouteSpec| {
        r.kind.unwrap_or_default() == RouteType::Unicast
            && r.table.unwrap_or(TableId::MAIN) == TableId::MAIN
            && r.src.is_none()
            && matches!(&r.hops[..], [HopSpec { via: Some(_), dev: Some(_), .. }])
    };
    if ns.config.fib.main.has_base() || !batch.routes.iter().all(plain) {
        // One by one, as `ip -batch` does it.
        for r in batch.routes.iter().filter(|r| Some(r.prefix) != skip) {
            let (table, new) = build(&ns.config, r, source)?;
            insert(ns, table, new, RouteVerb::Add)?;
        }
        return Ok(());
    }
    check_gateways(&ns.config, batch, skip, &devs)?;
    let devs: Vec<IfIndex> = devs.into_values().collect();
    let base = batch.shared.get_or_make(&devs, || base_of(&ns.config, batch, source));
    let clash = |r: &&Route<Ipv4Addr>| Some(r.prefix) != skip && base.at(r.prefix).iter().any(|b| b.tos == r.tos && b.metric == r.metric);
    if ns.config.fib.main.all().iter().any(clash) {
        return Err(OpError::errno(Errno::EEXIST));
    }
    let hidden = skip.map(|p| base.at(p).iter().map(|r| r.row).collect()).unwrap_or_default();
    Arc::make_mut(&mut ns.config_mut().fib).main.set_base(base, hidden);
    Ok(())
}

/// Checks the gateways of a batch: all at once where one connected range holds them, else one by one.
fn check_gateways(
    config: &Config,
    batch: &RouteBatch,
    skip: Option<Prefix<Ipv4Addr>>,
    devs: &BTreeMap<&str, IfIndex>,
) -> Result<(), OpError> {
    let hops = || batch.routes.iter().filter(|r| Some(r.prefix) != skip).flat_map(|r| &r.hops);
    let vias = || hops().filter(|h| !h.onlink).filter_map(|h| h.via);
    if let (Some(low), Some(high), 1) = (vias().min(), vias().max(), devs.len()) {
        let common = (u32::from(low) ^ u32::from(high)).leading_zeros().min(32) as u8;
        let range = Prefix::new(low, common);
        let dev = devs.values().next().copied().unwrap_or_default();
        let up = config.devices.get(dev).is_some_and(|d| d.up);
        let connected = config.devices.get(dev).is_some_and(|d| d.addrs.iter().any(|a| !a.noprefixroute && a.prefix.covers(range)));
        let nothing_nearer = !config.fib.main.all().iter().any(|r| {
            range.overlaps(r.prefix) && !r.prefix.covers(range) || r.prefix.covers(range) && r.scope < Scope::Link && r.prefix.len() > 0
        });
        if up && connected && nothing_nearer && hops().all(|h| !h.onlink) {
            return Ok(());
        }
    }
    for hop in hops() {
        check_hop(config, TableId::MAIN, Scope::Universe, hop)?;
    }
    Ok(())
}

fn base_of(config: &Config, batch: &RouteBatch, source: Source) -> FibBase<Ipv4Addr> {
    let hop = |h: &HopSpec| NextHop {
        via: h.via,
        dev: h.dev.as_deref().and_then(|d| config.devices.by_name(d)).map_or(IfIndex::NONE, |d| d.index),
        weight: 1,
        onlink: h.onlink,
    };
    FibBase::new(batch.routes.iter().enumerate().map(|(n, r)| Route {
        row: RowId(BATCH_ROWS.saturating_add(u32::try_from(n).unwrap_or(u32::MAX))),
        prefix: r.prefix,
        tos: r.tos,
        metric: r.metric.unwrap_or(0),
        kind: RouteType::Unicast,
        scope: r.scope.unwrap_or(Scope::Universe),
        proto: r.proto.unwrap_or(RouteProto::BOOT),
        nexthops: r.hops.iter().map(hop).collect(),
        src: None,
        mtu: r.mtu,
        source,
    }))
}
