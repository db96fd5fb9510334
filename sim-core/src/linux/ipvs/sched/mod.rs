//! Schedulers: which real server of a service a new connection goes to.
//!
//! Models: net/netfilter/ipvs/ip_vs_sched.c; each scheduler names its own file.
//!
//! ```text
//!   in turn           rr wrr            by locality       lblc lblcr
//!   by load           lc wlc sed nq     by weight alone   fo ovf
//!   by hash           sh dh mh          by lot            twos
//! ```
//!
//! The list is walked from the newest real server to the oldest.

pub mod dh;
pub mod fo;
pub mod lblc;
pub mod lblcr;
pub mod lc;
pub mod mh;
pub mod nq;
pub mod ovf;
pub mod rr;
pub mod sed;
pub mod sh;
pub mod twos;
pub mod wlc;
pub mod wrr;

use super::dest::DestState;
use super::service::{Dest, SvcFlags};
use crate::linux::hot::HotMap;
use crate::linux::id::RowId;
use crate::linux::time::Time;
use std::collections::BTreeMap;
use std::fmt;
use std::net::IpAddr;
use std::sync::Arc;

/// The real servers of a service, the newest first, and what packets have written of them.
#[derive(Clone, Copy, Debug)]
pub struct Pool<'a> {
    /// The list.
    pub list: &'a [Dest],
    /// What packets have written.
    pub dests: &'a HotMap<RowId, DestState>,
}

impl<'a> Pool<'a> {
    /// The real servers with their state, in the list's order.
    pub fn iter(self) -> impl Iterator<Item = (&'a Dest, &'a DestState)> {
        self.list.iter().filter_map(move |d| Some((d, self.dests.get(&d.row)?)))
    }

    /// Those that take new connections: of some weight, and not overloaded.
    pub fn usable(self) -> impl Iterator<Item = (&'a Dest, &'a DestState)> {
        self.iter().filter(|(_, s)| s.spec.weight > 0 && !s.overload)
    }

    /// The first of those that are not overloaded with the least `load` for its weight; the first with any weight begins.
    /// (The comparison h1/w1 > h2/w2 that most schedulers share.)
    pub fn least(self, load: impl Fn(&DestState) -> i64) -> Option<RowId> {
        let mut rest = self.iter().filter(|(_, s)| !s.overload).skip_while(|(_, s)| s.spec.weight <= 0);
        let (mut least, mut state) = rest.next()?;
        let mut lowest = load(state);
        for (d, s) in rest {
            let l = load(s);
            if lowest * i64::from(s.spec.weight) > l * i64::from(state.spec.weight) {
                (least, state, lowest) = (d, s, l);
            }
        }
        Some(least.row)
    }
}

/// The packet that asks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Packet {
    /// Its source.
    pub src: IpAddr,
    /// Its source port.
    pub sport: u16,
    /// Its destination.
    pub dst: IpAddr,
    /// Its destination port.
    pub dport: u16,
}

/// A question to a scheduler.
pub struct Call<'a> {
    /// Whom it may choose from.
    pub pool: Pool<'a>,
    /// What it keeps.
    pub data: &'a mut Data,
    /// Flags of the service.
    pub flags: SvcFlags,
    /// The packet.
    pub packet: Packet,
    /// Now.
    pub now: Time,
    /// `lblc_expiration` or `lblcr_expiration`, in seconds.
    pub expiration: u32,
    /// Draws a number below the one given.
    pub draw: &'a mut dyn FnMut(u32) -> u32,
}

/// What a scheduler keeps of a service (`sched_data`).
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Data {
    /// Nothing.
    #[default]
    None,
    /// rr: the real server chosen last; none at the head of the list.
    Last(Option<RowId>),
    /// wrr.
    Weights(wrr::Mark),
    /// sh, dh, mh: a real server for every value of the hash.
    Table(Arc<[RowId]>),
    /// lblc: a real server for a destination, and when it was last used.
    Places(BTreeMap<IpAddr, (RowId, Time)>),
    /// lblcr: real servers for a destination.
    Sets(BTreeMap<IpAddr, lblcr::Set>),
}

/// How a service's list changed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Change {
    /// A real server was added.
    Added,
    /// A real server was changed.
    Updated,
    /// A real server was deleted.
    Removed {
        /// Which.
        row: RowId,
        /// The one before it in the list; none if it was the first.
        before: Option<RowId>,
    },
}

impl fmt::Debug for Call<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Call").field("packet", &self.packet).field("data", &self.data).finish_non_exhaustive()
    }
}

/// What a scheduler's file offers.
#[derive(Debug)]
pub struct Spec {
    /// Its name.
    pub name: &'static str,
    /// What it begins with (init_service).
    pub init: fn(&Pool<'_>) -> Data,
    /// What a change of the list does to it (add_dest, del_dest, upd_dest).
    pub changed: fn(&Pool<'_>, &mut Data, Change),
    /// The choice; none if nobody can take the connection (schedule).
    pub schedule: fn(&mut Call<'_>) -> Option<RowId>,
}

/// A scheduler that keeps nothing begins with this.
fn nothing(_: &Pool<'_>) -> Data {
    Data::None
}

/// A scheduler that keeps nothing does this about a change.
fn unmoved(_: &Pool<'_>, _: &mut Data, _: Change) {}

/// All schedulers, in the order in which `ipvsadm -h` lists them.
pub static SCHEDULERS: &[&Spec] = &[
    &rr::SPEC,
    &wrr::SPEC,
    &lc::SPEC,
    &wlc::SPEC,
    &lblc::SPEC,
    &lblcr::SPEC,
    &dh::SPEC,
    &sh::SPEC,
    &sed::SPEC,
    &nq::SPEC,
    &fo::SPEC,
    &ovf::SPEC,
    &mh::SPEC,
    &twos::SPEC,
];

/// A scheduler, by its place in [`SCHEDULERS`].
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Scheduler(u8);

impl Scheduler {
    /// The scheduler of that name.
    pub fn by_name(name: &str) -> Option<Self> {
        SCHEDULERS.iter().position(|s| s.name == name).map(|i| Scheduler(i as u8))
    }

    fn spec(self) -> &'static Spec {
        SCHEDULERS.get(usize::from(self.0)).copied().unwrap_or(&rr::SPEC)
    }

    /// Its name.
    pub fn name(self) -> &'static str {
        self.spec().name
    }

    /// What it begins with.
    pub fn init(self, pool: &Pool<'_>) -> Data {
        (self.spec().init)(pool)
    }

    /// A change of the list.
    pub fn changed(self, pool: &Pool<'_>, data: &mut Data, change: Change) {
        (self.spec().changed)(pool, data, change);
    }

    /// The choice.
    pub fn schedule(self, call: &mut Call<'_>) -> Option<RowId> {
        (self.spec().schedule)(call)
    }
}

impl fmt::Debug for Scheduler {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// `hash_32`: the top bits of a product.
fn hash_32(value: u32, bits: u32) -> u32 {
    value.wrapping_mul(0x61c8_8647) >> (32 - bits)
}

/// An address in 32 bits: IPv6 addresses folded.
fn fold(addr: IpAddr) -> u32 {
    match addr {
        IpAddr::V4(a) => u32::from(a),
        IpAddr::V6(a) => a.octets().chunks_exact(4).fold(0, |x, c| x ^ u32::from_be_bytes([c[0], c[1], c[2], c[3]])),
    }
}
