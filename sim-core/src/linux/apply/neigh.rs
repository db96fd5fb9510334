//! `ip neigh`.
//!
//! Models: net/core/neighbour.c neigh_add, neigh_delete, __neigh_update.
//! Simplifies: a state that needs a hardware address and gets none is refused without leaving an entry in state NONE behind.
//! The reachable time that a command starts is not drawn by lot.

use super::{OpError, Request, Requests, find};
use crate::linux::errno::Errno;
use crate::linux::id::{IfIndex, Source};
use crate::linux::neighbour::{Neighbour, NudState};
use crate::linux::netns::Netns;
use crate::linux::op::NeighOp;
use crate::linux::op::neigh::NeighVerb;
use crate::linux::time::Time;
use crate::packet::{Ipv4Addr, Mac};
use std::time::Duration;

pub(super) fn apply(ns: &mut Netns, op: &NeighOp, at: Time, source: Source, requests: &mut Requests) -> Result<(), OpError> {
    match op {
        NeighOp::Set { verb, dev, addr, mac, state } => {
            let index = find(ns, dev)?;
            let there = ns.neigh.get(index, *addr).is_some();
            match verb {
                NeighVerb::Add if there => return Err(OpError::errno(Errno::EEXIST)),
                NeighVerb::Change if !there => return Err(OpError::errno(Errno::ENOENT)),
                _ => {}
            }
            set(ns, index, *addr, *mac, state.unwrap_or(NudState::Permanent), at, source, requests)
        }
        NeighOp::Del { dev, addr } => {
            let index = find(ns, dev)?;
            let gone = ns.neigh.remove(index, *addr).ok_or(OpError::errno(Errno::ENOENT))?;
            if !gone.queue.is_empty() {
                requests.push(Request::Free(gone.queue.into()));
            }
            Ok(())
        }
        NeighOp::Proxy { dev, addr, add } => {
            let index = find(ns, dev)?;
            let key = (index, *addr);
            let there = ns.neigh.proxies.contains(&key);
            if *add && !there {
                ns.neigh.proxies.insert(0, key);
            } else if !*add && !there {
                return Err(OpError::errno(Errno::ENOENT));
            } else if !*add {
                ns.neigh.proxies.retain(|k| *k != key);
            }
            Ok(())
        }
        NeighOp::Use { dev, addr } => {
            let index = find(ns, dev)?;
            requests.push(Request::ResolveNeighbour { dev: index, addr: (*addr).into() });
            Ok(())
        }
        NeighOp::Flush { dev } => {
            let index = dev
                .as_deref()
                .map(|d| match ns.config.devices.by_name(d) {
                    Some(d) => Ok(d.index),
                    None => Err(OpError::no_device(d)),
                })
                .transpose()?;
            let stays = |s: NudState| matches!(s, NudState::Permanent | NudState::Noarp);
            let gone: Vec<(IfIndex, Ipv4Addr)> = ns
                .neigh
                .sorted()
                .into_iter()
                .filter(|n| !stays(n.state) && index.is_none_or(|i| i == n.dev))
                .map(|n| (n.dev, n.addr))
                .collect();
            for (dev, addr) in gone {
                if let Some(n) = ns.neigh.remove(dev, addr).filter(|n| !n.queue.is_empty()) {
                    requests.push(Request::Free(n.queue.into()));
                }
            }
            Ok(())
        }
    }
}

#[allow(clippy::too_many_arguments, reason = "the fields of one command")]
fn set(
    ns: &mut Netns,
    index: IfIndex,
    addr: Ipv4Addr,
    mac: Option<Mac>,
    state: NudState,
    at: Time,
    source: Source,
    requests: &mut Requests,
) -> Result<(), OpError> {
    let reachable = ns.config.devices.get(index).map_or(30_000, |d| d.neigh.base_reachable_time_ms);
    let old = ns.neigh.remove(index, addr);
    let known = old.as_ref().is_some_and(|o| o.state.is_valid());
    if state.is_valid() && mac.is_none() && !known {
        if let Some(old) = old {
            ns.neigh.insert(old);
        }
        return Err(OpError::ext(Errno::EINVAL, "No link layer address given"));
    }
    let mut n = old.unwrap_or_else(|| Neighbour { confirmed: at, ..Neighbour::new(index, addr, at, source) });
    n.mac = mac.unwrap_or(n.mac);
    n.state = state;
    n.updated = at;
    n.probes = 0;
    n.source = source;
    if state.is_connected() {
        n.confirmed = at;
    }
    n.timer = match state {
        NudState::Reachable => at + Duration::from_millis(u64::from(reachable)),
        NudState::Incomplete | NudState::Delay | NudState::Probe => at,
        _ => Time::NEVER,
    };
    let ready = state.is_valid() && !n.queue.is_empty();
    let timer = n.timer;
    ns.neigh.insert(n);
    if timer != Time::NEVER {
        requests.push(Request::ArmNeighbour { dev: index, addr: addr.into(), at: timer });
    }
    if ready {
        requests.push(Request::NeighbourReady { dev: index, addr: addr.into() });
    }
    Ok(())
}
