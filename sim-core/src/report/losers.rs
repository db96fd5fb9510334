//! Rows that lost, derived on demand: from the tables, the headers and the views that a step names, with the first
//! field in which each lost, what it wanted there and what it saw.
//!
//! The order is that of the lookup: tables as they are asked; in a route table the rows that hold the destination,
//! longest prefix first, then the others by address; in a chain the rules from the top.

use super::evidence::{RouteAsked, bridge_of};
use super::rows;
use super::view::Report;
use crate::linux::config::Config;
use crate::linux::device::Scope;
use crate::linux::fib::{FibTable, Route, RouteType, TableId};
use crate::linux::neighbour::NudState;
use crate::linux::{IfIndex, RowId, Source};
use crate::packet::{IpAddr, Ipv4Addr, Mac};
use crate::trace::evidence::FdbVerdict;
use crate::trace::{Evidence, StateDelta, StepId};
use std::ops::ControlFlow;

/// A row that did not win.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Loser {
    /// Where it stands: a route table, a chain, a device's cache, a bridge.
    pub table: String,
    /// The rule's number in its chain, from 1; 0 for other rows.
    pub number: u32,
    /// The row as the real command prints it.
    pub row: String,
    /// The first field in which it lost.
    pub field: &'static str,
    /// What would have fitted there.
    pub wanted: String,
    /// What was there.
    pub seen: String,
    /// Where the row came from.
    pub made_by: String,
    /// Whether the lookup looked at it at all.
    pub reached: bool,
}

fn tables(config: &Config) -> impl Iterator<Item = (TableId, &FibTable<Ipv4Addr>)> {
    let fib = &config.fib;
    let known = [(TableId::LOCAL, &fib.local), (TableId::MAIN, &fib.main)];
    known.into_iter().chain(fib.others.iter().map(|(t, f)| (*t, f)))
}

/// The route of that row number, and its table.
pub fn find_route(config: &Config, row: RowId) -> Option<(TableId, &Route<Ipv4Addr>)> {
    tables(config).filter(|_| row.is_some()).find_map(|(t, f)| f.row(row).map(|r| (t, r)))
}

/// The route of that row number, which holds `dst`, and its table; without a walk through all routes.
pub(super) fn find_covering(config: &Config, row: RowId, dst: Ipv4Addr) -> Option<(TableId, &Route<Ipv4Addr>)> {
    tables(config).filter(|_| row.is_some()).find_map(|(t, f)| f.lookup(dst, |r| r.row == row).map(|r| (t, r)))
}

/// The routes of a table that hold `dst`, in the order of lookup.
pub(super) fn covering(table: &FibTable<Ipv4Addr>, dst: Ipv4Addr) -> Vec<&Route<Ipv4Addr>> {
    let mut all = Vec::new();
    let _ = table.covering(dst, |r| {
        all.push(r);
        ControlFlow::<()>::Continue(())
    });
    all
}

/// Why a packet made here has the source address that it has.
pub(super) fn source_reason(config: &Config, asked: &RouteAsked) -> Option<String> {
    let (IpAddr::V4(src), IpAddr::V4(dst), IpAddr::V4(next_hop)) = (asked.src?, asked.dst, asked.next_hop) else { return None };
    let (_, route) = find_covering(config, asked.row, dst)?;
    let dev = config.devices.get(asked.oif);
    if route.src == Some(src) {
        return Some(format!("the route says src {src}"));
    }
    if asked.kind == RouteType::Local {
        return Some("the destination is an address of this host, and the packet comes from there".to_owned());
    }
    let dev = dev?;
    let own = dev.addrs.iter().find(|a| a.local == src);
    match own {
        Some(a) if a.holds(next_hop) => {
            Some(format!("the address of {} in {}, the range of the next hop {}", dev.name, a.prefix, next_hop))
        }
        Some(_) => Some(format!("the first address of {}", dev.name)),
        None => match config.devices.iter().find(|d| d.addrs.iter().any(|a| a.local == src)) {
            Some(d) if dev.addrs.iter().all(|a| a.scope > Scope::Link) => {
                Some(format!("{} has no address of its own; this is the first of {}", dev.name, d.name))
            }
            Some(d) => Some(format!("the sender asked for it; it is an address of {}", d.name)),
            None => Some("the sender asked for it".to_owned()),
        },
    }
}

impl Report<'_> {
    /// The rows that lost at the step at place `id`.
    pub fn losers(&self, id: StepId) -> Vec<Loser> {
        let Some(step) = self.raw(id) else { return Vec::new() };
        let Some(config) = self.config(step.netns, id.0) else { return Vec::new() };
        match step.evidence {
            Evidence::PolicyRule { pref, row, mark } => self.lost_rules(config, step, pref, row, mark),
            Evidence::RouteLookup { dst, row, .. } => match self.addr(dst) {
                IpAddr::V4(dst) => self.lost_routes(config, id, dst, row),
                IpAddr::V6(_) => Vec::new(),
            },
            Evidence::NeighbourLookup { addr, .. } => self.lost_neighbours(config, id.0, step.netns, step.dev, self.addr(addr)),
            Evidence::FdbLookup { mac, verdict } => self.lost_fdb(config, id.0, step.netns, bridge_of(config, step.dev), mac, verdict),
            Evidence::Rule { .. } => self.missed_rules(id),
            Evidence::NftRule { .. } => self.missed_nft(id),
            Evidence::Receive { .. }
            | Evidence::Transmit { .. }
            | Evidence::SocketSend { .. }
            | Evidence::Deliver { .. }
            | Evidence::SocketError { .. }
            | Evidence::TcpState { .. }
            | Evidence::NeighbourUpdate { .. }
            | Evidence::Hook { .. }
            | Evidence::StatefulMatch { .. }
            | Evidence::ConntrackLookup { .. }
            | Evidence::ConntrackConfirm { .. }
            | Evidence::NatBind { .. }
            | Evidence::NatRewrite { .. }
            | Evidence::IpvsSchedule { .. }
            | Evidence::IpvsConn { .. }
            | Evidence::IpvsForward { .. }
            | Evidence::FdbLearn { .. }
            | Evidence::VlanFilter { .. }
            | Evidence::RemoteLookup { .. }
            | Evidence::RemoteLearn { .. }
            | Evidence::Encap { .. }
            | Evidence::Decap { .. }
            | Evidence::TtlDecrement { .. }
            | Evidence::Fragment { .. }
            | Evidence::Defrag { .. }
            | Evidence::IcmpError { .. }
            | Evidence::ArpInput { .. }
            | Evidence::Timer { .. }
            | Evidence::Drop { .. } => Vec::new(),
        }
    }

    fn lost_routes(&self, config: &Config, n: StepId, dst: Ipv4Addr, won: RowId) -> Vec<Loser> {
        let mut out = Vec::new();
        let winner = find_covering(config, won, dst);
        let mut decided = false;
        for id in self.tables_asked(config, n) {
            let Some(table) = config.fib.table(id) else { continue };
            let here = winner.filter(|(t, _)| *t == id).map(|(_, r)| r);
            for r in in_order(table, dst) {
                if r.row == won {
                    continue;
                }
                let (field, wanted, seen) = if decided {
                    ("table", "not asked".to_owned(), format!("table {id} comes later"))
                } else {
                    why_lost(config, r, dst, here)
                };
                out.push(Loser {
                    table: id.to_string(),
                    number: 0,
                    row: rows::route(config, r),
                    field,
                    wanted,
                    seen,
                    made_by: self.provenance(config, r.source).text,
                    reached: !decided,
                });
            }
            decided |= here.is_some();
        }
        out
    }

    /// The neighbour cache of a namespace as it was before step `n`.
    pub fn neighbours_at(&self, netns: crate::linux::NetnsId, n: u32) -> Vec<(IfIndex, IpAddr, Mac, NudState, Source)> {
        let start = self.run.start.ns(netns);
        let mut keys: Vec<(IfIndex, IpAddr)> = Vec::new();
        if let Some(ns) = start {
            keys.extend(ns.neigh.sorted().into_iter().map(|e| (e.dev, IpAddr::V4(e.addr))));
            keys.extend(ns.neigh6.sorted().into_iter().map(|e| (e.dev, IpAddr::V6(e.addr))));
        }
        keys.extend(self.index.neighbours_written(netns));
        keys.sort_unstable();
        keys.dedup();
        let mut out = Vec::new();
        for (dev, addr) in keys {
            match self.index.neigh_at(&self.run.recording, (netns, dev, addr), n) {
                Some((step, StateDelta::Neighbour { mac, state, .. })) => {
                    if *state != NudState::None {
                        out.push((dev, addr, *mac, *state, Source::Step(step.saturating_sub(1))));
                    }
                }
                Some(_) | None => {
                    let known = start.and_then(|ns| match addr {
                        IpAddr::V4(a) => ns.neigh.get(dev, a).map(|e| (e.mac, e.state, e.source)),
                        IpAddr::V6(a) => ns.neigh6.get(dev, a).map(|e| (e.mac, e.state, e.source)),
                    });
                    out.extend(known.map(|(mac, state, source)| (dev, addr, mac, state, source)));
                }
            }
        }
        out
    }

    /// The forwarding database of a bridge as it was before step `n`: address, port, whether it is the host's own, source.
    pub fn fdb_at(&self, netns: crate::linux::NetnsId, bridge: IfIndex, n: u32) -> Vec<(Mac, IfIndex, bool, Source)> {
        let start = self.run.start.ns(netns).and_then(|ns| ns.fdb.get(&bridge));
        let mut keys: Vec<Mac> = start.map(|f| f.sorted().into_iter().map(|(m, _)| m).collect()).unwrap_or_default();
        keys.extend(self.index.fdb_written(netns, bridge));
        keys.sort_unstable();
        keys.dedup();
        let mut out = Vec::new();
        for mac in keys {
            match self.index.fdb_at(&self.run.recording, (netns, bridge, mac), n) {
                Some((step, StateDelta::Fdb { port, .. })) => {
                    if port.is_some() {
                        out.push((mac, *port, false, Source::Step(step.saturating_sub(1))));
                    }
                }
                Some(_) | None => {
                    if let Some(e) = start.and_then(|f| f.get(mac)) {
                        out.push((mac, e.port, e.local, e.source));
                    }
                }
            }
        }
        out
    }

    fn lost_neighbours(&self, config: &Config, n: u32, netns: crate::linux::NetnsId, dev: IfIndex, addr: IpAddr) -> Vec<Loser> {
        let mut out = Vec::new();
        for (d, a, mac, state, source) in self.neighbours_at(netns, n) {
            if (d, a) == (dev, addr) {
                continue;
            }
            let (field, wanted, seen) = if a == addr {
                ("dev", config.devices.name(dev).to_owned(), config.devices.name(d).to_owned())
            } else {
                ("address", addr.to_string(), a.to_string())
            };
            out.push(Loser {
                table: "neighbours".to_owned(),
                number: 0,
                row: rows::neighbour(config, d, a, mac, state),
                field,
                wanted,
                seen,
                made_by: self.provenance(config, source).text,
                reached: true,
            });
        }
        out
    }

    fn lost_fdb(
        &self,
        config: &Config,
        n: u32,
        netns: crate::linux::NetnsId,
        bridge: IfIndex,
        mac: Mac,
        verdict: FdbVerdict,
    ) -> Vec<Loser> {
        let mut out = Vec::new();
        for (m, port, local, source) in self.fdb_at(netns, bridge, n) {
            let won = m == mac && matches!(verdict, FdbVerdict::Port(_) | FdbVerdict::Local);
            if won {
                continue;
            }
            let (field, wanted, seen) = if m == mac {
                ("port", "another port than the one it came in by".to_owned(), config.devices.name(port).to_owned())
            } else {
                ("mac", mac.to_string(), m.to_string())
            };
            out.push(Loser {
                table: format!("fdb of {}", config.devices.name(bridge)),
                number: 0,
                row: rows::fdb(config, bridge, port, m, local),
                field,
                wanted,
                seen,
                made_by: self.provenance(config, source).text,
                reached: true,
            });
        }
        out
    }
}

/// The rows of a table: those that hold `dst` in the order of lookup, then the others by address.
fn in_order(table: &FibTable<Ipv4Addr>, dst: Ipv4Addr) -> Vec<&Route<Ipv4Addr>> {
    let mut all = table.all();
    all.sort_by_key(|r| {
        let holds = r.prefix.contains(dst);
        (!holds, if holds { 32 - r.prefix.len() } else { 0 })
    });
    all
}

/// The first field in which a route of an asked table lost to `winner` (of the same table) or served nobody.
fn why_lost(config: &Config, r: &Route<Ipv4Addr>, dst: Ipv4Addr, winner: Option<&Route<Ipv4Addr>>) -> (&'static str, String, String) {
    if !r.prefix.contains(dst) {
        return ("destination", r.prefix.to_string(), dst.to_string());
    }
    if let Some(w) = winner {
        if r.prefix.len() < w.prefix.len() {
            return ("prefix length", format!("/{} or longer", w.prefix.len()), format!("/{}", r.prefix.len()));
        }
        if r.prefix.len() == w.prefix.len() && r.tos == w.tos && r.metric > w.metric {
            return ("metric", format!("{} or less", w.metric), r.metric.to_string());
        }
    }
    if r.kind == RouteType::Throw {
        return ("type", "a route that decides".to_owned(), "throw".to_owned());
    }
    if r.tos != 0 && winner.is_none_or(|w| w.tos != r.tos) {
        return ("tos", format!("{:#04x}", r.tos), "0x00".to_owned());
    }
    let down = r.nexthops.iter().find(|h| config.devices.get(h.dev).is_none_or(|d| !d.up));
    match down {
        Some(h) => ("device", "up".to_owned(), format!("{} is down", config.devices.name(h.dev))),
        None => match winner {
            Some(_) => ("order", "the first of equals".to_owned(), "a later one".to_owned()),
            None => ("device", "the device that was asked for".to_owned(), "another".to_owned()),
        },
    }
}
