//! `ip -6 route`: what the kernel checks and stores.
//!
//! Models: net/ipv6/route.c ip6_route_info_create, ip6_route_check_nh, ip6_route_add, ip6_route_del; net/ipv6/ip6_fib.c fib6_add_rt2node.
//! Simplifies: one next hop; `append` of a further next hop to the same prefix and metric makes a second route instead of a multipath
//! one; no `pref`, no expiry, no encapsulation; `test`, `flush` and several `nexthop` are refused by name.

use super::{OpError, find};
use crate::linux::device::Scope;
use crate::linux::errno::Errno;
use crate::linux::fib::{NextHop, Route, RouteProto, RouteType, TableId};
use crate::linux::id::{IfIndex, RowId, Source};
use crate::linux::inet6::is_link_local;
use crate::linux::netns::Netns;
use crate::linux::op::RouteVerb;
use crate::linux::op::inet6::{Route6Op, Route6Spec};
use crate::packet::Ipv6Addr;
use smallvec::SmallVec;
use std::sync::Arc;

/// The metric of a route that is given none (IP6_RT_PRIO_USER).
const PRIO_USER: u32 = 1024;

pub(super) fn apply(ns: &mut Netns, op: &Route6Op, source: Source) -> Result<(), OpError> {
    if op.verb == RouteVerb::Del {
        return delete(ns, &op.route);
    }
    let (table, route) = build(ns, &op.route, source)?;
    let twins: Vec<(RowId, bool)> = ns
        .config
        .fib6
        .table(table)
        .map(|t| {
            t.at(route.prefix).into_iter().filter(|r| r.metric == route.metric).map(|r| (r.row, r.nexthops == route.nexthops)).collect()
        })
        .unwrap_or_default();
    match op.verb {
        RouteVerb::Add if !twins.is_empty() => return Err(OpError::errno(Errno::EEXIST)),
        RouteVerb::Append | RouteVerb::Prepend if twins.iter().any(|(_, same)| *same) => return Err(OpError::errno(Errno::EEXIST)),
        RouteVerb::Change if twins.is_empty() => return Err(OpError::errno(Errno::ENOENT)),
        _ => {}
    }
    let config = ns.config_mut();
    let row = config.new_row();
    let t = Arc::make_mut(&mut config.fib6).table_mut(table);
    if matches!(op.verb, RouteVerb::Replace | RouteVerb::Change)
        && let Some((old, _)) = twins.first()
    {
        t.remove(*old, route.prefix);
    }
    t.append(Route { row, ..route });
    Ok(())
}

fn is_refusing(kind: RouteType) -> bool {
    matches!(kind, RouteType::Blackhole | RouteType::Unreachable | RouteType::Prohibit | RouteType::Throw)
}

fn table_of(spec: &Route6Spec) -> TableId {
    spec.table.unwrap_or(match spec.kind {
        Some(RouteType::Local | RouteType::Anycast | RouteType::Multicast) => TableId::LOCAL,
        _ => TableId::MAIN,
    })
}

fn build(ns: &Netns, spec: &Route6Spec, source: Source) -> Result<(TableId, Route<Ipv6Addr>), OpError> {
    let kind = spec.kind.unwrap_or_default();
    let oif = spec.hop.dev.as_deref().map(|d| find(ns, d)).transpose()?.unwrap_or_default();
    let mut nexthops: SmallVec<[NextHop<Ipv6Addr>; 1]> = SmallVec::new();
    if !is_refusing(kind) {
        nexthops.push(check_hop(ns, spec, oif)?);
    }
    if let Some(src) = spec.src
        && ns.config.fib6.addr_type(src) != RouteType::Local
    {
        return Err(OpError::ext(Errno::EINVAL, "Invalid source address"));
    }
    let route = Route {
        row: RowId::NONE,
        prefix: spec.prefix,
        tos: 0,
        metric: spec.metric.filter(|m| *m != 0).unwrap_or(PRIO_USER),
        kind,
        scope: Scope::Universe,
        proto: spec.proto.unwrap_or(RouteProto::BOOT),
        nexthops,
        src: spec.src,
        mtu: spec.mtu,
        source,
    };
    Ok((table_of(spec), route))
}

/// fib6_nh_init, ip6_validate_gw.
fn check_hop(ns: &Netns, spec: &Route6Spec, oif: IfIndex) -> Result<NextHop<Ipv6Addr>, OpError> {
    let up = |dev: IfIndex| ns.config.devices.get(dev).filter(|d| d.up);
    let no_device = || OpError::errno(Errno::ENODEV);
    let Some(via) = spec.hop.via else {
        if !oif.is_some() {
            return Err(no_device());
        }
        let d = up(oif).ok_or(OpError::ext(Errno::ENETDOWN, "Nexthop device is not up"))?;
        if d.inet6.conf.disable_ipv6 != 0 {
            return Err(OpError::ext(Errno::EACCES, "IPv6 is disabled on nexthop device"));
        }
        return Ok(NextHop { via: None, dev: oif, weight: 1, onlink: false });
    };
    if via.is_multicast() || ns.config.fib6.addr_type(via) == RouteType::Local {
        return Err(OpError::ext(
            Errno::EINVAL,
            if via.is_multicast() { "Invalid gateway address" } else { "Gateway can not be a local address" },
        ));
    }
    if is_link_local(via) || spec.hop.onlink {
        if !oif.is_some() {
            return Err(OpError::ext(
                Errno::ENODEV,
                if spec.hop.onlink { "Nexthop device required for onlink" } else { "Egress device not specified" },
            ));
        }
        up(oif).ok_or(OpError::ext(Errno::ENETDOWN, "Nexthop device is not up"))?;
        return Ok(NextHop { via: Some(via), dev: oif, weight: 1, onlink: spec.hop.onlink });
    }
    let fits =
        |r: &Route<Ipv6Addr>| !is_refusing(r.kind) && r.nexthops.iter().any(|h| (!oif.is_some() || h.dev == oif) && up(h.dev).is_some());
    let found = ns.config.fib6.lookup(via, fits).map(|(_, r)| r);
    let hop = found.and_then(|r| r.nexthops.iter().find(|h| !oif.is_some() || h.dev == oif));
    match hop {
        Some(h) if h.via.is_none() => Ok(NextHop { via: Some(via), dev: h.dev, weight: 1, onlink: false }),
        _ => Err(OpError::errno(Errno::EHOSTUNREACH)),
    }
}

fn delete(ns: &mut Netns, spec: &Route6Spec) -> Result<(), OpError> {
    let table = table_of(spec);
    let dev = spec.hop.dev.as_deref().map(|d| find(ns, d)).transpose()?;
    let Some(t) = ns.config.fib6.table(table) else { return Err(OpError::ext(Errno::ESRCH, "FIB table does not exist")) };
    let found = t.at(spec.prefix).into_iter().find(|r| {
        spec.kind.is_none_or(|k| k == r.kind)
            && spec.metric.is_none_or(|m| m == 0 || m == r.metric)
            && spec.proto.is_none_or(|p| p == r.proto)
            && dev.is_none_or(|d| r.nexthops.iter().any(|h| h.dev == d))
            && spec.hop.via.is_none_or(|v| r.nexthops.iter().any(|h| h.via == Some(v)))
    });
    let row = found.map(|r| r.row).ok_or(OpError::errno(Errno::ESRCH))?;
    Arc::make_mut(&mut ns.config_mut().fib6).table_mut(table).remove(row, spec.prefix);
    Ok(())
}
