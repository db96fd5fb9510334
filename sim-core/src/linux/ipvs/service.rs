//! Virtual services and their real servers, as commands set them.
//!
//! Models: include/net/ip_vs.h struct ip_vs_service, struct ip_vs_dest; net/netfilter/ipvs/ip_vs_ctl.c ip_vs_service_find.
//! Simplifies: services of the FTP port do not also take data connections.

use super::proto::Timeouts;
use super::sched::Scheduler;
use crate::linux::id::{RowId, Source};
use crate::packet::{Family, Protocol};
use std::collections::BTreeMap;
use std::net::IpAddr;
use std::sync::Arc;

/// SCTP's number.
pub const SCTP: Protocol = Protocol(132);

/// What a virtual service is found by.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum VsKey {
    /// Packets to an address and port; port 0 is every port that has no service of its own.
    Addr(Protocol, IpAddr, u16),
    /// Packets with a mark.
    Fwmark(Family, u32),
}

impl VsKey {
    /// Its address family.
    pub fn family(&self) -> Family {
        match self {
            VsKey::Addr(_, addr, _) => family_of(addr),
            VsKey::Fwmark(family, _) => *family,
        }
    }

    /// Its port; 0 for a mark.
    pub fn port(&self) -> u16 {
        match self {
            VsKey::Addr(_, _, port) => *port,
            VsKey::Fwmark(..) => 0,
        }
    }

    /// Its mark; 0 for an address.
    pub fn fwmark(&self) -> u32 {
        match self {
            VsKey::Addr(..) => 0,
            VsKey::Fwmark(_, mark) => *mark,
        }
    }
}

/// The family of an address.
pub fn family_of(addr: &IpAddr) -> Family {
    match addr {
        IpAddr::V4(_) => Family::Inet,
        IpAddr::V6(_) => Family::Inet6,
    }
}

/// How packets get to a real server.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Forward {
    /// `-m`: the destination is rewritten.
    Masq,
    /// `-i`: inside an IP packet.
    Tunnel,
    /// `-g`: as they are, by the link.
    Route,
}

/// Flags of a service.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub struct SvcFlags {
    /// `-p`: IP_VS_SVC_F_PERSISTENT.
    pub persistent: bool,
    /// `-o`: IP_VS_SVC_F_ONEPACKET.
    pub one_packet: bool,
    /// `-b`: IP_VS_SVC_F_SCHED1 to 3, in bits 0 to 2.
    pub sched: u8,
}

impl SvcFlags {
    /// Flag 1 of the scheduler: `sh-fallback`, `mh-fallback`.
    pub const FALLBACK: u8 = 1;
    /// Flag 2 of the scheduler: `sh-port`, `mh-port`.
    pub const PORT: u8 = 2;

    /// Whether the scheduler goes on to another real server where its own cannot be used.
    pub fn fallback(self) -> bool {
        self.sched & Self::FALLBACK != 0
    }

    /// Whether the scheduler looks at the client's port too.
    pub fn port(self) -> bool {
        self.sched & Self::PORT != 0
    }
}

/// What `-A` and `-E` set of a service.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ServiceSpec {
    /// `-s`.
    pub scheduler: Scheduler,
    /// `-p`, `-o`, `-b`.
    pub flags: SvcFlags,
    /// `-p SECONDS`; 0 without persistence.
    pub timeout: u32,
    /// `-M`: bits of an IPv4 mask, or the length of an IPv6 prefix.
    pub netmask: u32,
}

impl ServiceSpec {
    /// The granularity where none is given: every address for itself.
    pub fn whole_mask(family: Family) -> u32 {
        match family {
            Family::Inet => u32::MAX,
            Family::Inet6 => 128,
        }
    }

    /// A client's address as far as persistence tells clients apart.
    pub fn masked(&self, client: IpAddr) -> IpAddr {
        match client {
            IpAddr::V4(a) => IpAddr::V4((u32::from(a) & self.netmask).into()),
            IpAddr::V6(a) => {
                let len = self.netmask.min(128);
                let mask = if len == 0 { 0 } else { u128::MAX << (128 - len) };
                IpAddr::V6((u128::from(a) & mask).into())
            }
        }
    }
}

/// What `-a` and `-e` set of a real server.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct DestSpec {
    /// `-m`, `-g`, `-i`.
    pub forward: Forward,
    /// `-w`.
    pub weight: i32,
    /// `-x`: from so many connections on it is overloaded; 0 for never.
    pub upper: u32,
    /// `-y`: with less than so many it is so no longer; 0 for three quarters of `upper`.
    pub lower: u32,
}

/// A real server of a service.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Dest {
    /// Its number.
    pub row: RowId,
    /// Where it came from.
    pub source: Source,
    /// Its address.
    pub addr: IpAddr,
    /// Its port; 0 for the one that the client asked for.
    pub port: u16,
    /// What was set.
    pub spec: DestSpec,
    /// `last_weight`: the last one that was not 0, or the first.
    pub last_weight: i32,
}

/// A virtual service.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Service {
    /// Its number.
    pub row: RowId,
    /// Where it came from.
    pub source: Source,
    /// What it is found by.
    pub key: VsKey,
    /// What was set.
    pub spec: ServiceSpec,
    /// `destinations`: the newest first.
    pub dests: Vec<Dest>,
}

/// What commands set of IPVS in a namespace.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct IpvsConfig {
    /// The services, by key.
    pub services: BTreeMap<VsKey, Arc<Service>>,
    /// Timeouts of connections.
    pub timeouts: Timeouts,
    /// `nullsvc_counter`: services of port 0.
    pub null_services: u32,
    /// Whether a service was ever there: from then on the hooks look at packets (`enable`).
    pub enabled: bool,
}

impl IpvsConfig {
    /// The service for a packet: by its mark, else by where it goes, else one of every port (ip_vs_service_find).
    pub fn find(&self, mark: u32, protocol: Protocol, addr: IpAddr, port: u16) -> Option<&Arc<Service>> {
        if mark != 0
            && let Some(s) = self.services.get(&VsKey::Fwmark(family_of(&addr), mark))
        {
            return Some(s);
        }
        if let Some(s) = self.services.get(&VsKey::Addr(protocol, addr, port)) {
            return Some(s);
        }
        if self.null_services == 0 { None } else { self.services.get(&VsKey::Addr(protocol, addr, 0)) }
    }

    /// The service of that number.
    pub fn by_row(&self, row: RowId) -> Option<&Arc<Service>> {
        self.services.values().find(|s| s.row == row)
    }

    /// The real server of that number, with its service.
    pub fn dest_by_row(&self, row: RowId) -> Option<(&Arc<Service>, &Dest)> {
        self.services.values().find_map(|s| s.dests.iter().find(|d| d.row == row).map(|d| (s, d)))
    }

    /// Whether some service has a real server of that address and port (ip_vs_has_real_service).
    pub fn has_real_service(&self, protocol: Protocol, addr: IpAddr, port: u16) -> bool {
        self.services.values().any(|s| {
            let speaks = match s.key {
                VsKey::Addr(p, ..) => p == protocol,
                VsKey::Fwmark(..) => true,
            };
            speaks && s.dests.iter().any(|d| d.spec.forward == Forward::Masq && d.addr == addr && d.port == port)
        })
    }
}
