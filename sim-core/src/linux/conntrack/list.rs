//! Listing and deleting entries, as the tool `conntrack` does.
//!
//! Models: conntrack-tools 1.4.7 `conntrack -L`, `-D`, `-F` (libnetfilter_conntrack's default output);
//! net/netfilter/nf_nat_masquerade.c masq_device_event, masq_inet_event.
//! Simplifies: rows are listed by age, where the kernel's order is that of its hash; `use=` is always 1.

use super::entry::{Entry, ProtoTrack};
use super::table::Conntrack;
use super::tuple::{destination_part, source_part};
use super::{CtId, CtSnapshot, CtStatus};
use crate::linux::id::IfIndex;
use crate::linux::op::ConntrackFilter;
use crate::linux::time::Time;
use crate::packet::{Address, Ipv4Addr, L4, Protocol, Tuple};
use std::fmt::Write as _;

/// The protocol's name as the tool prints it.
fn protocol_name(p: Protocol) -> &'static str {
    match p.0 {
        1 => "icmp",
        6 => "tcp",
        17 => "udp",
        33 => "dccp",
        47 => "gre",
        58 => "icmpv6",
        132 => "sctp",
        136 => "udplite",
        _ => "unknown",
    }
}

fn write_tuple<A: Address>(out: &mut String, t: &Tuple<A>) {
    // Writing to a String cannot fail.
    let _ = write!(out, "src={} dst={} ", t.src, t.dst);
    let _ = match t.l4 {
        L4::Ports { src, dst } => write!(out, "sport={src} dport={dst} "),
        L4::Icmp { kind, code, id } => write!(out, "type={kind} code={code} id={id} "),
        L4::None if t.protocol.0 == 47 => write!(out, "srckey=0x0 dstkey=0x0 "),
        L4::None => Ok(()),
    };
}

impl<A: Address> Entry<A> {
    /// Name of the TCP state, for TCP.
    pub fn state_name(&self) -> Option<&'static str> {
        match &self.proto {
            ProtoTrack::Tcp(t) => Some(t.state.name()),
            _ => None,
        }
    }

    /// The row that `conntrack -L` prints at `now`, without the newline.
    pub fn row(&self, now: Time) -> String {
        let [original, reply] = &self.tuples;
        let left = self.expires.since(now).as_secs();
        let mut out = format!("{:<8} {} {} ", protocol_name(original.protocol), original.protocol.0, left);
        if let Some(state) = self.state_name() {
            let _ = write!(out, "{state} ");
        }
        write_tuple(&mut out, original);
        if !self.status.has(CtStatus::SEEN_REPLY) {
            out.push_str("[UNREPLIED] ");
        }
        write_tuple(&mut out, reply);
        if self.status.has(CtStatus::ASSURED) {
            out.push_str("[ASSURED] ");
        }
        let _ = write!(out, "mark={} use=1", self.mark);
        out
    }
}

impl<A: Address> Conntrack<A> {
    /// The entries that `conntrack -L` would show at `now`, oldest first.
    pub fn entries(&self, now: Time) -> Vec<&Entry<A>> {
        let mut all: Vec<_> = self.live().filter(|e| !e.is_expired(now) && !e.status.has(CtStatus::NAT_CLASH)).collect();
        all.sort_by_key(|e| (e.created, e.id));
        all
    }

    /// The rows of `conntrack -L`, oldest entry first.
    pub fn list(&self, now: Time) -> Vec<String> {
        self.entries(now).into_iter().map(|e| e.row(now)).collect()
    }

    /// Removes all entries (`conntrack -F`); returns their numbers.
    pub fn flush(&mut self, now: Time) -> Vec<CtId> {
        self.kill_where(now, |_| true)
    }

    /// Removes the flows that were masqueraded to an address of `dev` when the device goes down, or, with `addr`, when
    /// the device loses that address; returns their numbers.
    pub fn delete_masqueraded(&mut self, dev: IfIndex, addr: Option<A>, now: Time) -> Vec<CtId> {
        self.kill_where(now, |e| dev.is_some() && e.masq_dev == dev && addr.is_none_or(|a| e.tuples[1].dst == a))
    }
}

impl Conntrack<Ipv4Addr> {
    /// Removes the entries that fit all that is given (`conntrack -D`); returns their numbers. Expired ones do not count.
    pub fn delete(&mut self, filter: &ConntrackFilter, now: Time) -> Vec<CtId> {
        self.kill_where(now, |e| !e.is_expired(now) && !e.status.has(CtStatus::NAT_CLASH) && e.fits(filter))
    }

    /// The entry as it is shown now; none if it is not in the table.
    pub fn snapshot(&self, id: CtId) -> Option<CtSnapshot> {
        self.get(id).filter(|e| e.is_confirmed() && !e.status.has(CtStatus::DYING)).map(Entry::snapshot)
    }
}

impl Entry<Ipv4Addr> {
    /// The entry as it is now.
    pub fn snapshot(&self) -> CtSnapshot {
        CtSnapshot {
            original: self.tuples[0],
            reply: self.tuples[1],
            state: self.state_name(),
            status: self.status,
            mark: self.mark,
            expires: self.expires,
        }
    }

    /// Whether it fits all that is given.
    pub fn fits(&self, filter: &ConntrackFilter) -> bool {
        let [original, reply] = &self.tuples;
        let same = |want: Option<Ipv4Addr>, have: Ipv4Addr| want.is_none_or(|w| w == have);
        let has_ports = matches!(original.l4, L4::Ports { .. });
        let port = |want: Option<u16>, have: u16| want.is_none_or(|w| has_ports && w == have);
        filter.protocol.is_none_or(|p| p == original.protocol)
            && same(filter.orig_src, original.src)
            && same(filter.orig_dst, original.dst)
            && same(filter.reply_src, reply.src)
            && same(filter.reply_dst, reply.dst)
            && port(filter.sport, source_part(original.l4))
            && port(filter.dport, destination_part(original.l4))
    }
}
