//! `ipvsadm`'s changes, with the kernel's checks.
//!
//! Models: net/netfilter/ipvs/ip_vs_ctl.c ip_vs_add_service, ip_vs_edit_service, ip_vs_del_service, ip_vs_flush, ip_vs_add_dest,
//! ip_vs_edit_dest, ip_vs_del_dest, __ip_vs_update_dest, ip_vs_trash_get_dest, ip_vs_zero_all, ip_vs_set_timeout.
//! Simplifies: a deleted real server without connections is remembered for 120 s (the kernel looks twice a minute).

use super::dest::{DestState, SvcState, Trashed};
use super::sched::{Change, Pool};
use super::service::{Dest, DestSpec, Forward, Service, ServiceSpec, VsKey};
use super::stats::Stats;
use crate::linux::apply::OpError;
use crate::linux::errno::Errno;
use crate::linux::fib::RouteType;
use crate::linux::id::{RowId, Source};
use crate::linux::netns::Netns;
use crate::linux::op::IpvsOp;
use crate::linux::time::Time;
use crate::packet::Family;
use std::net::IpAddr;
use std::sync::Arc;

/// Which system call failed: it decides what `ipvsadm` makes of the error number (ipvs_strerror).
#[derive(Clone, Copy, PartialEq, Eq)]
enum Call {
    AddService,
    /// Changes, deletes, zeroes.
    OldService,
    AddDest,
    OldDest,
    Other,
}

fn said(call: Call, errno: Errno) -> &'static str {
    match (call, errno) {
        (Call::AddService, Errno::EEXIST) => "Service already exists",
        (Call::AddService | Call::OldService, Errno::ENOENT) => "Scheduler or persistence engine not found",
        (Call::OldService, Errno::ESRCH) => "No such service",
        (Call::AddDest | Call::OldDest, Errno::ESRCH) => "Service not defined",
        (Call::AddDest, Errno::EEXIST) => "Destination already exists",
        (Call::OldDest, Errno::ENOENT) => "No such destination",
        (_, Errno::EPERM) => "Permission denied (you must be root)",
        (_, Errno::EINVAL) => "Invalid operation.  Possibly wrong module version, address not unicast, ...",
        (_, Errno::ENOMEM) => "Memory allocation problem",
        (_, Errno::EOPNOTSUPP) => "Operation not supported with IPv6",
        (_, e) => e.message(),
    }
}

/// Applies a change of IPVS.
///
/// # Errors
/// In the words of `ipvsadm`, with its exit status.
pub fn apply(ns: &mut Netns, op: &IpvsOp, at: Time, source: Source) -> Result<(), OpError> {
    // what is over has to be over before anything is counted or held against it
    ns.ipvs.expire(at);
    let call = match op {
        IpvsOp::AddService { .. } => Call::AddService,
        IpvsOp::EditService { .. } | IpvsOp::DeleteService(_) | IpvsOp::Zero(_) => Call::OldService,
        IpvsOp::AddDest { .. } => Call::AddDest,
        IpvsOp::EditDest { .. } | IpvsOp::DeleteDest { .. } => Call::OldDest,
        IpvsOp::Flush | IpvsOp::Timeouts { .. } => Call::Other,
        IpvsOp::Restore(lines) => {
            // every line is tried; the status is that of the last
            let mut last = Ok(());
            for line in lines.iter() {
                last = apply(ns, line, at, source);
            }
            return last;
        }
    };
    let done = match op {
        IpvsOp::AddService { key, spec } => add_service(ns, key, spec, at, source),
        IpvsOp::EditService { key, spec } => edit_service(ns, key, spec),
        IpvsOp::DeleteService(key) => delete_service(ns, key, at),
        IpvsOp::Flush => {
            let keys: Vec<VsKey> = ns.config.ipvs.services.keys().copied().collect();
            keys.iter().try_for_each(|key| delete_service(ns, key, at))
        }
        IpvsOp::AddDest { key, addr, port, spec } => add_dest(ns, key, (*addr, *port), spec, at, source),
        IpvsOp::EditDest { key, addr, port, spec } => edit_dest(ns, key, (*addr, *port), spec),
        IpvsOp::DeleteDest { key, addr, port } => delete_dest(ns, key, (*addr, *port), at),
        IpvsOp::Zero(key) => zero(ns, key.as_ref(), at),
        IpvsOp::Timeouts(t) => {
            let set = &mut Arc::make_mut(&mut ns.config_mut().ipvs).timeouts;
            for (new, old) in [(t.tcp, &mut set.tcp), (t.tcp_fin, &mut set.tcp_fin), (t.udp, &mut set.udp)] {
                if new != 0 {
                    *old = new;
                }
            }
            Ok(())
        }
        IpvsOp::Restore(_) => Ok(()),
    };
    done.map_err(|errno| OpError::text(errno, said(call, errno)).with_status(255))
}

/// The scheduler of a service learns of a change of its list.
fn tell_scheduler(ns: &mut Netns, key: &VsKey, change: Change) {
    let config = ns.config.clone();
    let Some(service) = config.ipvs.services.get(key) else { return };
    let ipvs = &mut *ns.ipvs;
    if let Some(state) = ipvs.services.get_mut(&service.row) {
        let pool = Pool { list: &service.dests, dests: &ipvs.dests };
        service.spec.scheduler.changed(&pool, &mut state.data, change);
    }
}

fn fits_mask(key: &VsKey, spec: &ServiceSpec) -> bool {
    key.family() == Family::Inet || (1..=128).contains(&spec.netmask)
}

fn add_service(ns: &mut Netns, key: &VsKey, spec: &ServiceSpec, at: Time, source: Source) -> Result<(), Errno> {
    if ns.config.ipvs.services.contains_key(key) {
        return Err(Errno::EEXIST);
    }
    if !fits_mask(key, spec) {
        return Err(Errno::EINVAL);
    }
    let config = ns.config_mut();
    let row = config.new_row();
    let ipvs = Arc::make_mut(&mut config.ipvs);
    ipvs.null_services += u32::from(matches!(key, VsKey::Addr(_, _, 0)));
    ipvs.services.insert(*key, Arc::new(Service { row, source, key: *key, spec: *spec, dests: Vec::new() }));
    if !std::mem::replace(&mut ipvs.enabled, true) {
        config.rehook();
    }
    let pool = Pool { list: &[], dests: &ns.ipvs.dests };
    let data = spec.scheduler.init(&pool);
    ns.ipvs.services.insert(row, SvcState { data, stats: Stats::new(at) });
    Ok(())
}

fn edit_service(ns: &mut Netns, key: &VsKey, spec: &ServiceSpec) -> Result<(), Errno> {
    let old = ns.config.ipvs.services.get(key).ok_or(Errno::ESRCH)?.clone();
    if !fits_mask(key, spec) {
        return Err(Errno::EINVAL);
    }
    let services = &mut Arc::make_mut(&mut ns.config_mut().ipvs).services;
    services.insert(*key, Arc::new(Service { spec: *spec, ..(*old).clone() }));
    if old.spec.scheduler != spec.scheduler {
        let pool = Pool { list: &old.dests, dests: &ns.ipvs.dests };
        let data = spec.scheduler.init(&pool);
        if let Some(s) = ns.ipvs.services.get_mut(&old.row) {
            s.data = data;
        }
    }
    Ok(())
}

fn delete_service(ns: &mut Netns, key: &VsKey, at: Time) -> Result<(), Errno> {
    let service = ns.config.ipvs.services.get(key).ok_or(Errno::ESRCH)?.clone();
    let ipvs = Arc::make_mut(&mut ns.config_mut().ipvs);
    ipvs.services.remove(key);
    ipvs.null_services -= u32::from(matches!(key, VsKey::Addr(_, _, 0)));
    ns.ipvs.services.remove(&service.row);
    for dest in &service.dests {
        trash(ns, &service, dest, at);
    }
    Ok(())
}

/// A real server leaves its service: those of its connections that are left will miss it.
fn trash(ns: &mut Netns, service: &Service, dest: &Dest, at: Time) {
    if let Some(d) = ns.ipvs.dests.get_mut(&dest.row) {
        d.available = false;
    }
    ns.ipvs.trash.insert((service.key, dest.addr, dest.port), Trashed { row: dest.row, service: service.row, since: at });
}

/// What the kernel asks of a real server in any case.
fn check_dest(ns: &Netns, key: &VsKey, addr: IpAddr, spec: &DestSpec) -> Result<(), Errno> {
    let family = super::service::family_of(&addr);
    // only a tunnel leads from one family to the other
    if family != key.family() && spec.forward != Forward::Tunnel {
        return Err(Errno::EINVAL);
    }
    if spec.weight < 0 || spec.lower > spec.upper {
        return Err(Errno::ERANGE);
    }
    let unicast = match addr {
        IpAddr::V4(a) => matches!(ns.config.fib.addr_type(a), RouteType::Local | RouteType::Unicast),
        IpAddr::V6(a) => !a.is_multicast() && !a.is_unspecified(),
    };
    if unicast { Ok(()) } else { Err(Errno::EINVAL) }
}

fn add_dest(ns: &mut Netns, key: &VsKey, end: (IpAddr, u16), spec: &DestSpec, at: Time, source: Source) -> Result<(), Errno> {
    let service = ns.config.ipvs.services.get(key).ok_or(Errno::ESRCH)?.clone();
    if spec.weight < 0 || spec.lower > spec.upper {
        return Err(Errno::ERANGE);
    }
    if service.dests.iter().any(|d| (d.addr, d.port) == end) {
        return Err(Errno::EEXIST);
    }
    check_dest(ns, key, end.0, spec)?;
    let back = ns.ipvs.trash.remove(&(*key, end.0, end.1));
    let row = match back {
        Some(t) => t.row,
        None => ns.config_mut().new_row(),
    };
    put_dest(ns, &service, Dest { row, source, addr: end.0, port: end.1, spec: *spec, last_weight: spec.weight }, None);
    match ns.ipvs.dests.get_mut(&row) {
        // back from the trash: its connections find it again
        Some(d) => {
            if d.service != service.row {
                d.stats.zero(at);
            }
            d.service = service.row;
        }
        None => {
            let fresh = DestState {
                service: service.row,
                spec: *spec,
                active: 0,
                inactive: 0,
                persistent: 0,
                overload: false,
                available: true,
                stats: Stats::new(at),
            };
            ns.ipvs.dests.insert(row, fresh);
        }
    }
    update_state(ns, row, spec);
    tell_scheduler(ns, key, Change::Added);
    Ok(())
}

/// Puts a real server into the service's list: in its old place, or as the newest.
fn put_dest(ns: &mut Netns, service: &Service, dest: Dest, place: Option<usize>) {
    let mut changed = service.clone();
    match place {
        Some(i) => changed.dests[i] = dest,
        None => changed.dests.insert(0, dest),
    }
    Arc::make_mut(&mut ns.config_mut().ipvs).services.insert(service.key, Arc::new(changed));
}

/// What of a real server's settings packets look at (__ip_vs_update_dest).
fn update_state(ns: &mut Netns, row: RowId, spec: &DestSpec) {
    if let Some(d) = ns.ipvs.dests.get_mut(&row) {
        d.available = true;
        if spec.upper == 0 || spec.upper > d.spec.upper {
            d.overload = false;
        }
        d.spec = *spec;
    }
}

fn edit_dest(ns: &mut Netns, key: &VsKey, end: (IpAddr, u16), spec: &DestSpec) -> Result<(), Errno> {
    let service = ns.config.ipvs.services.get(key).ok_or(Errno::ESRCH)?.clone();
    if spec.weight < 0 || spec.lower > spec.upper {
        return Err(Errno::ERANGE);
    }
    let place = service.dests.iter().position(|d| (d.addr, d.port) == end).ok_or(Errno::ENOENT)?;
    let old = &service.dests[place];
    let last_weight = if spec.weight != 0 { spec.weight } else { old.last_weight };
    let row = old.row;
    put_dest(ns, &service, Dest { spec: *spec, last_weight, ..old.clone() }, Some(place));
    update_state(ns, row, spec);
    tell_scheduler(ns, key, Change::Updated);
    Ok(())
}

fn delete_dest(ns: &mut Netns, key: &VsKey, end: (IpAddr, u16), at: Time) -> Result<(), Errno> {
    let service = ns.config.ipvs.services.get(key).ok_or(Errno::ESRCH)?.clone();
    let place = service.dests.iter().position(|d| (d.addr, d.port) == end).ok_or(Errno::ENOENT)?;
    let mut changed = (*service).clone();
    let dest = changed.dests.remove(place);
    Arc::make_mut(&mut ns.config_mut().ipvs).services.insert(*key, Arc::new(changed));
    trash(ns, &service, &dest, at);
    let before = place.checked_sub(1).and_then(|i| service.dests.get(i)).map(|d| d.row);
    tell_scheduler(ns, key, Change::Removed { row: dest.row, before });
    Ok(())
}

fn zero(ns: &mut Netns, key: Option<&VsKey>, at: Time) -> Result<(), Errno> {
    let config = ns.config.clone();
    let services: Vec<&Arc<Service>> = match key {
        Some(key) => vec![config.ipvs.services.get(key).ok_or(Errno::ESRCH)?],
        None => config.ipvs.services.values().collect(),
    };
    for service in services {
        for dest in &service.dests {
            if let Some(d) = ns.ipvs.dests.get_mut(&dest.row) {
                d.stats.zero(at);
            }
        }
        if let Some(s) = ns.ipvs.services.get_mut(&service.row) {
            s.stats.zero(at);
        }
    }
    if key.is_none() {
        ns.ipvs.total.zero(at);
    }
    Ok(())
}
