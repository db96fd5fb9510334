//! A flow.
//!
//! Models: include/net/netfilter/nf_conntrack.h struct nf_conn.

use super::tcp::TcpTrack;
use super::{CtId, CtStatus, Dir};
use crate::linux::id::{IfIndex, RowId, Source};
use crate::linux::time::Time;
use crate::packet::{Address, Tuple};
use std::time::Duration;

/// What is tracked beside the tuples.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ProtoTrack {
    /// TCP.
    Tcp(TcpTrack),
    /// UDP: from when on an exchange makes a stream.
    Udp {
        /// The instant.
        stream_at: Time,
    },
    /// Others.
    Other,
}

/// A flow (struct nf_conn).
#[derive(Clone, Debug)]
pub struct Entry<A> {
    /// Its number.
    pub id: CtId,
    /// The tuples of the original and of the reply direction.
    pub tuples: [Tuple<A>; 2],
    /// IPS_* bits.
    pub status: CtStatus,
    /// `mark`.
    pub mark: u32,
    /// When it expires, once confirmed.
    pub expires: Time,
    /// Seconds that it will live from its confirmation on.
    pub timeout: u32,
    /// When its first packet was seen.
    pub created: Time,
    /// The step that made it.
    pub source: Source,
    /// The rules that mapped its source and its destination; none if no rule did.
    pub nat_rows: [RowId; 2],
    /// `masq_index`: the device whose address it was masqueraded to.
    pub masq_dev: IfIndex,
    /// What is tracked of its protocol.
    pub proto: ProtoTrack,
    /// Since when it is gone, if it is.
    pub(super) limbo: Option<Time>,
    /// Neighbours in the list of flows of the same source (`nat_bysource`), the newest first.
    pub(super) newer: Option<u32>,
    pub(super) older: Option<u32>,
}

impl<A: Address> Entry<A> {
    /// The tuple of one direction.
    #[inline]
    pub fn tuple(&self, dir: Dir) -> &Tuple<A> {
        &self.tuples[dir.index()]
    }

    /// Whether it is in the table.
    #[inline]
    pub fn is_confirmed(&self) -> bool {
        self.status.has(CtStatus::CONFIRMED)
    }

    /// Whether its time is over.
    #[inline]
    pub fn is_expired(&self, now: Time) -> bool {
        self.is_confirmed() && self.expires <= now
    }

    /// Lets it live for so many seconds more (nf_ct_refresh), unless its end is fixed.
    pub fn refresh(&mut self, seconds: u32, now: Time) {
        if self.status.has(CtStatus::FIXED_TIMEOUT) {
            return;
        }
        self.timeout = seconds;
        if self.is_confirmed() {
            self.expires = now + Duration::from_secs(u64::from(seconds));
        }
    }
}
