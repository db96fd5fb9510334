//! How a flow enters the table, and what happens if another one was faster.
//!
//! Models: net/netfilter/nf_conntrack_core.c __nf_conntrack_confirm, nf_ct_resolve_clash, nf_ct_resolve_clash_harder,
//! nf_conntrack_tuple_taken.
//! Simplifies: hash chains have no length limit.
//! Seen in: 06-clusterip-remote-pod, 13-no-endpoints-reject.

use super::key::Key;
use super::table::Conntrack;
use super::{CtId, CtStatus};
use crate::linux::time::Time;
use crate::packet::{Address, Protocol, Tuple};
use std::time::Duration;

/// What came of a confirmation.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Confirm {
    /// The entry is in the table.
    Done,
    /// There was nothing to do: it was there already, or is gone.
    Nothing,
    /// Another packet of the same flow was faster: the packet belongs to its entry now.
    Merged(CtId),
    /// Another flow has the tuple: the packet is to be dropped.
    Clash,
}

fn allow_clash(protocol: Protocol) -> bool {
    !matches!(protocol.0, 1 | 6 | 33 | 58 | 132)
}

impl<A: Address> Conntrack<A> {
    /// Puts a flow into the table, for a packet of its original direction.
    pub fn confirm(&mut self, id: CtId, now: Time) -> Confirm {
        let Some(e) = self.get(id) else { return Confirm::Nothing };
        if e.is_confirmed() || e.status.has(CtStatus::DYING) {
            return Confirm::Nothing;
        }
        let (original, reply) = (e.tuples[0], e.tuples[1]);
        let released = e.limbo.is_some();
        let place = Self::slot_of(id).0 as u32;
        let clash = self.find(&original, now).or_else(|| self.find(&reply, now));
        let mut only_reply = false;
        if let Some((winner, _)) = clash {
            if !allow_clash(original.protocol) {
                return Confirm::Clash;
            }
            if self.can_merge(winner, id) {
                self.release_unconfirmed(id);
                return Confirm::Merged(winner);
            }
            match self.find(&reply, now) {
                Some((other, _)) if self.can_merge(other, id) => {
                    self.release_unconfirmed(id);
                    return Confirm::Merged(other);
                }
                Some(_) => return Confirm::Clash,
                None => only_reply = true,
            }
        }
        if !only_reply {
            self.index.insert(Key(original), place << 1);
        }
        self.index.insert(Key(reply), place << 1 | 1);
        let source_done = {
            let Some(e) = self.get_mut(id) else { return Confirm::Nothing };
            if only_reply {
                e.timeout = 1;
                e.status.set(CtStatus::FIXED_TIMEOUT);
                e.status.set(CtStatus::NAT_CLASH);
            }
            e.expires = now + Duration::from_secs(u64::from(e.timeout));
            e.status.set(CtStatus::CONFIRMED);
            e.limbo = None;
            e.status.has(CtStatus::SRC_NAT_DONE)
        };
        if released {
            // A copy of the packet was dropped before this one came through.
            self.count += 1;
            if source_done {
                self.link_source(id);
            }
        }
        Confirm::Done
    }

    /// Whether a packet of `late` may as well belong to `winner` (nf_ct_match, nf_ct_match_reverse).
    fn can_merge(&self, winner: CtId, late: CtId) -> bool {
        let (Some(w), Some(l)) = (self.get(winner), self.get(late)) else { return false };
        w.tuples == l.tuples || (w.tuples[0] == l.tuples[1] && w.tuples[1] == l.tuples[0])
    }

    /// Whether a reply tuple belongs to another flow already (nf_conntrack_tuple_taken). The same flow seen twice
    /// does not count.
    pub fn tuple_taken(&mut self, reply: &Tuple<A>, by_other_than: CtId, now: Time) -> bool {
        let Some((found, _)) = self.find(reply, now) else { return false };
        if found == by_other_than {
            return false;
        }
        match (self.get(found), self.get(by_other_than)) {
            (Some(f), Some(me)) => f.tuples[0] != me.tuples[0],
            _ => true,
        }
    }
}
