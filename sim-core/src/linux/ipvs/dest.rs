//! What packets have written: connections, and what they count for at the real servers.
//!
//! Models: net/netfilter/ipvs/ip_vs_conn.c ip_vs_conn_new, ip_vs_bind_dest, ip_vs_unbind_dest; ip_vs_proto_tcp.c set_tcp_state;
//! ip_vs_core.c ip_vs_in_stats, ip_vs_out_stats, ip_vs_conn_stats.

use super::conn::{Conn, ConnId, ConnKey, Conns, NewConn};
use super::proto::{self, Direction, Segment, Timeouts};
use super::sched::Data;
use super::service::{DestSpec, Forward, VsKey};
use super::stats::Stats;
use crate::linux::hot::HotMap;
use crate::linux::id::RowId;
use crate::linux::time::Time;
use std::collections::BTreeMap;
use std::net::IpAddr;

/// A real server in use (struct ip_vs_dest).
#[derive(Clone, Debug)]
pub struct DestState {
    /// The service that it is, or was, of.
    pub service: RowId,
    /// What was set.
    pub spec: DestSpec,
    /// `activeconns`.
    pub active: u32,
    /// `inactconns`.
    pub inactive: u32,
    /// `persistconns`: templates.
    pub persistent: u32,
    /// IP_VS_DEST_F_OVERLOAD.
    pub overload: bool,
    /// IP_VS_DEST_F_AVAILABLE: it is in its service's list.
    pub available: bool,
    /// Counters.
    pub stats: Stats,
}

impl DestState {
    fn total(&self) -> u32 {
        self.active + self.inactive
    }

    /// `ip_vs_dest_conn_overhead`: an active connection weighs as much as 256 inactive ones.
    pub fn overhead(&self) -> i64 {
        (i64::from(self.active) << 8) + i64::from(self.inactive)
    }

    fn bind(&mut self, template: bool, inactive: bool) {
        match (template, inactive) {
            (true, _) => self.persistent += 1,
            (false, true) => self.inactive += 1,
            (false, false) => self.active += 1,
        }
        if self.spec.upper != 0 && self.total() >= self.spec.upper {
            self.overload = true;
        }
    }

    fn unbind(&mut self, template: bool, inactive: bool) {
        let count = match (template, inactive) {
            (true, _) => &mut self.persistent,
            (false, true) => &mut self.inactive,
            (false, false) => &mut self.active,
        };
        *count = count.saturating_sub(1);
        let relieved = if self.spec.lower != 0 {
            self.total() < self.spec.lower
        } else {
            self.spec.upper == 0 || u64::from(self.total()) * 4 < u64::from(self.spec.upper) * 3
        };
        if relieved {
            self.overload = false;
        }
    }

    /// Whether a connection holds it.
    pub fn is_held(&self) -> bool {
        self.total() + self.persistent > 0
    }
}

/// What a service's scheduler keeps, and its counters.
#[derive(Clone, Debug)]
pub struct SvcState {
    /// `sched_data`.
    pub data: Data,
    /// Counters.
    pub stats: Stats,
}

/// A real server that was deleted: it comes back as it was while it is remembered (dest_trash).
#[derive(Clone, Copy, Debug)]
pub struct Trashed {
    /// Its number.
    pub row: RowId,
    /// The service that it was of.
    pub service: RowId,
    /// Since when.
    pub since: Time,
}

/// IPVS of a namespace, as packets have left it (struct netns_ipvs).
#[derive(Clone, Debug, Default)]
pub struct Ipvs {
    /// The connections.
    pub conns: Conns,
    /// The real servers, deleted ones included while a connection holds them.
    pub dests: HotMap<RowId, DestState>,
    /// The services.
    pub services: HotMap<RowId, SvcState>,
    /// Deleted real servers, by service, address and port.
    pub trash: BTreeMap<(VsKey, IpAddr, u16), Trashed>,
    /// Counters of all services.
    pub total: Stats,
    /// Until when a timer is armed for the next end of a connection.
    pub armed: Option<Time>,
}

/// Seconds that a deleted real server is remembered without connections.
const TRASH_PERIOD: u64 = 120_000_000_000;

impl Ipvs {
    /// Makes a connection, bound to its real server (ip_vs_conn_new).
    pub fn conn_new(&mut self, new: &NewConn, now: Time) -> ConnId {
        let dest = self.dests.get_mut(&new.dest);
        // a real server's connections begin as inactive, and without NAT nobody expects to see replies
        let inactive = dest.is_some();
        let no_output = dest.is_some() && new.forward != Forward::Masq;
        if let Some(d) = dest {
            d.bind(new.template, inactive);
        }
        self.conns.add(new, inactive, no_output, now)
    }

    /// Ties a connection to its template (ip_vs_control_add).
    pub fn control(&mut self, id: ConnId, template: ConnId) {
        self.conns.set_control(id, template);
    }

    /// The template for `key`, if its real server may still be used; one that may not is forgotten (ip_vs_check_template).
    pub fn template(&mut self, key: &ConnKey, expire_quiescent: bool) -> Option<ConnId> {
        let id = self.conns.find_template(key)?;
        let dest = self.conns.get(id).and_then(|c| self.dests.get(&c.dest));
        if dest.is_some_and(|d| d.available && !(expire_quiescent && d.spec.weight == 0)) {
            return Some(id);
        }
        self.conns.invalidate(id);
        None
    }

    /// A packet of the connection passed: its state and timeout follow (ip_vs_set_state). Returns the states before and after.
    pub fn set_state(&mut self, id: ConnId, dir: Direction, segment: Segment, set: &Timeouts) -> Option<(u8, u8)> {
        let c = self.conns.get_mut(id)?;
        let protocol = c.key.protocol;
        if dir == Direction::Out && !matches!(segment, Segment::Udp) {
            c.no_output = false;
        }
        let before = c.state;
        let after = proto::next(before, dir, c.no_output, segment)?;
        c.state = after;
        c.timeout = proto::timeout(protocol, after, set);
        let (control, dest) = (c.control, c.dest);
        if before != after {
            let inactive = !proto::is_active(protocol, after);
            let changed = std::mem::replace(&mut c.inactive, inactive) != inactive;
            if changed && let Some(d) = self.dests.get_mut(&dest) {
                if inactive {
                    (d.active, d.inactive) = (d.active.saturating_sub(1), d.inactive + 1);
                } else {
                    (d.active, d.inactive) = (d.active + 1, d.inactive.saturating_sub(1));
                }
            }
        }
        if proto::assures(protocol, after, dir)
            && let Some(t) = control.and_then(|t| self.conns.get_mut(t)).filter(|t| t.template)
        {
            t.state |= 1;
        }
        Some((before, after))
    }

    /// Counts a packet of the connection (ip_vs_in_stats, ip_vs_out_stats).
    pub fn count(&mut self, id: ConnId, dir: Direction, len: u64, now: Time) {
        let Some(dest) = self.conns.get(id).map(|c| c.dest) else { return };
        let Some(d) = self.dests.get_mut(&dest).filter(|d| d.available) else { return };
        let service = self.services.get_mut(&d.service).map(|s| &mut s.stats);
        for stats in [Some(&mut d.stats), service, Some(&mut self.total)].into_iter().flatten() {
            match dir {
                Direction::In => stats.packet_in(len, now),
                Direction::Out => stats.packet_out(len, now),
            }
        }
    }

    /// Counts a connection that was scheduled (ip_vs_conn_stats).
    pub fn count_conn(&mut self, dest: RowId, now: Time) {
        let Some(d) = self.dests.get_mut(&dest) else { return };
        d.stats.conn(now);
        if let Some(s) = self.services.get_mut(&d.service) {
            s.stats.conn(now);
        }
        self.total.conn(now);
    }

    /// Ends the connections whose time is over by `now`, in the order of their ends (ip_vs_conn_expire).
    pub fn expire(&mut self, now: Time) -> Vec<Conn> {
        let mut gone = Vec::new();
        while let Some((_, conn)) = self.conns.pop_expired(now) {
            if let Some(d) = self.dests.get_mut(&conn.dest) {
                d.unbind(conn.template, conn.inactive);
            }
            gone.push(conn);
        }
        if !gone.is_empty() || !self.trash.is_empty() {
            self.empty_trash(now);
        }
        gone
    }

    /// Forgets deleted real servers that no connection holds and that nobody added again in time (ip_vs_dest_trash_expire).
    fn empty_trash(&mut self, now: Time) {
        let dests = &mut self.dests;
        self.trash.retain(|_, t| {
            let held = dests.get(&t.row).is_some_and(DestState::is_held);
            let keep = held || now.0.saturating_sub(t.since.0) < TRASH_PERIOD;
            if !keep {
                dests.remove(&t.row);
            }
            keep
        });
    }

    /// The same at a later instant: connections whose time is over by then are gone.
    #[must_use]
    pub fn at(&self, now: Time) -> Ipvs {
        let mut later = self.clone();
        later.expire(now);
        later
    }
}
