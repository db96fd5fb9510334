//! Conntrack at the hooks: which flow a packet belongs to, and when a new flow enters the table.
//!
//! Models: net/netfilter/nf_conntrack_core.c nf_conntrack_in, resolve_normal_ct, nf_conntrack_confirm, nf_conntrack_attach;
//! net/netfilter/nf_conntrack_proto.c (hooks: PREROUTING and OUTPUT at -200, INPUT and POSTROUTING last);
//! net/netfilter/nf_conntrack_proto_icmp.c nf_conntrack_icmpv4_error, nf_conntrack_inet_error.
//! Simplifies: IPv4 only; no UNTRACKED packets; nf_conntrack_checksum is 1; fragments must have been put together before.
//! Seen in: 05-docker-publish-dnat, 06-clusterip-remote-pod, 105-stray-packets.
//!
//! ```text
//!   PREROUTING ── nf_conntrack_in ──┬─► routed ─► FORWARD ─► POSTROUTING ── confirm
//!   OUTPUT ────── nf_conntrack_in ──┘      └────► INPUT ── confirm
//! ```
//!
//! A packet keeps its tie to the flow when it crosses `lo`, and is not looked up again there. Any other device, a tunnel and
//! delivery to a socket cut the tie (`skb.ct = None`, done by who hands the packet on).

use super::hook::{HookState, NfVerdict};
use super::walk::Walk;
use crate::linux::conntrack::tcp::{Seen, TcpAction};
use crate::linux::conntrack::{Confirm, CtId, CtInfo, CtRef, CtStatus, Dir, ProtoTrack, timeout};
use crate::linux::netfilter::Hook;
use crate::linux::skb::Skb;
use crate::linux::{IfIndex, Source};
use crate::packet::{Body, Icmp, IcmpKind, Ipv4Addr, Ipv4Packet, Quoted, Tuple};
use crate::trace::{Evidence, StateDelta, Tracer};

/// The highest ICMP type that is known (NR_ICMP_TYPES).
const NR_ICMP_TYPES: u8 = 18;

/// The device that a step at this hook is about.
pub(super) fn hook_dev(state: &HookState) -> IfIndex {
    match state.hook {
        Hook::Prerouting | Hook::Input => state.iif,
        Hook::Forward | Hook::Output | Hook::Postrouting => state.oif,
    }
}

/// The packet that an ICMP error quotes, for all error types.
pub(super) fn quoted_of(icmp: &Icmp) -> Option<Quoted> {
    match &icmp.kind {
        IcmpKind::Other { kind: 4 | 12, payload, .. } => Some(Quoted(payload.clone())),
        _ => icmp.quoted().cloned(),
    }
}

/// Whether the transport checksum of an arriving packet is wrong.
fn bad_checksum(ip: &Ipv4Packet) -> bool {
    match &ip.body {
        Body::Tcp(t) => t.checksum_error != 0,
        Body::Udp(u) => !u.no_checksum && u.checksum_error != 0,
        Body::Icmp(m) => m.checksum_error != 0,
        _ => false,
    }
}

impl<T: Tracer> Walk<'_, T> {
    /// Tells what an entry is now.
    pub(super) fn ct_delta(&mut self, id: CtId) {
        if T::ON {
            let entry = self.ns.conntrack.snapshot(id).map(Box::new);
            self.trace.delta(self.ns.id, StateDelta::Conntrack { id, entry });
        }
    }

    /// Takes a flow out of the table because of a packet.
    pub(super) fn ct_kill(&mut self, id: CtId) {
        let now = self.now;
        self.ns.conntrack.kill(id, now);
        self.ct_delta(id);
    }
}

/// Ties a packet to its flow, making one if there is none (nf_conntrack_in). The hook is PREROUTING or OUTPUT.
///
/// Afterwards `skb.ct` says what the packet is to its flow; none means INVALID. The verdict is DROP only if the table is
/// full ([`DropReason::CtTableFull`](crate::trace::DropReason)).
pub fn nf_conntrack_in<T: Tracer>(w: &mut Walk<'_, T>, skb: &mut Skb, state: &HookState) -> NfVerdict {
    if skb.ct.is_some() || skb.untracked {
        return NfVerdict::Accept; // came by lo, or was made as an answer to a packet of the flow
    }
    let Some(ip) = skb.frame.ipv4() else { return NfVerdict::Accept };
    let found = track(w, ip, state);
    let (ct, created) = match found {
        Tracked::Flow(ct, created) => (Some(ct), created),
        Tracked::Invalid => (None, false),
        Tracked::Full => return NfVerdict::Drop,
    };
    skb.ct = ct;
    if T::ON {
        let view = w.ns.conntrack.view(ct);
        let step = w.step(skb, hook_dev(state), Evidence::ConntrackLookup { id: ct.map(|c| c.id), created, ct: view.into() });
        if created && let Some(e) = ct.and_then(|c| w.ns.conntrack.get_mut(c.id)) {
            e.source = Source::Step(step.0);
        }
    }
    NfVerdict::Accept
}

enum Tracked {
    /// The flow, and whether it was made for the packet.
    Flow(CtRef, bool),
    Invalid,
    Full,
}

fn track<T: Tracer>(w: &mut Walk<'_, T>, ip: &Ipv4Packet, state: &HookState) -> Tracked {
    if ip.header.fragment_offset != 0 || (state.hook == Hook::Prerouting && bad_checksum(ip)) {
        return Tracked::Invalid;
    }
    if let Body::Icmp(icmp) = &ip.body {
        if icmp.type_code().0 > NR_ICMP_TYPES {
            return Tracked::Invalid;
        }
        if icmp.is_error() {
            return inet_error(w, ip, icmp).map_or(Tracked::Invalid, |ct| Tracked::Flow(ct, false));
        }
    }
    let Some(tuple) = Tuple::<Ipv4Addr>::of(ip) else { return Tracked::Invalid };
    loop {
        let now = w.now;
        let table = &mut w.ns.conntrack;
        let (id, dir, created) = match table.find(&tuple, now) {
            Some((id, dir)) => (id, dir, false),
            None => {
                let Some(reply) = tuple.inverted() else { return Tracked::Invalid };
                let max = w.ns.config.sysctl.conntrack.max;
                let Some(id) = table.create(tuple, reply, now, max) else { return Tracked::Full };
                (id, Dir::Original, true)
            }
        };
        let info = table.info_of(id, dir);
        match handle_packet(w, id, info, ip) {
            Handled::Accept => return Tracked::Flow(CtRef { id, info }, created),
            Handled::Invalid => {
                w.ns.conntrack.release_unconfirmed(id);
                return Tracked::Invalid;
            }
            Handled::Repeat => w.ct_kill(id),
        }
    }
}

enum Handled {
    Accept,
    Invalid,
    Repeat,
}

/// Moves the state of the flow (nf_conntrack_handle_packet).
fn handle_packet<T: Tracer>(w: &mut Walk<'_, T>, id: CtId, info: CtInfo, ip: &Ipv4Packet) -> Handled {
    let now = w.now;
    let sysctl = &w.ns.config.sysctl.conntrack;
    let Some(e) = w.ns.conntrack.get_mut(id) else { return Handled::Invalid };
    let shown = |e: &crate::linux::conntrack::Entry<_>| (e.status, e.expires, e.state_name());
    let before = shown(e);
    let mut kill = false;
    let verdict = match (&mut e.proto, &ip.body) {
        (ProtoTrack::Tcp(track), Body::Tcp(seg)) => {
            let remaining = u32::try_from(e.expires.since(now).as_secs()).unwrap_or(u32::MAX);
            match track.packet(seg, &Seen { dir: info.dir(), status: e.status, remaining, sysctl }) {
                TcpAction::Accept { timeout, assured } => {
                    if assured {
                        e.status.set(CtStatus::ASSURED);
                    }
                    if let Some(t) = timeout {
                        e.refresh(t, now);
                    }
                    Handled::Accept
                }
                TcpAction::AcceptAndKill => {
                    kill = true;
                    Handled::Accept
                }
                TcpAction::Invalid { timeout } => {
                    if let Some(t) = timeout {
                        e.refresh(t, now);
                    }
                    Handled::Invalid
                }
                TcpAction::Repeat => return Handled::Repeat,
            }
        }
        (ProtoTrack::Udp { stream_at }, _) => {
            let (seconds, assured) = timeout::udp(e.status, *stream_at, now, sysctl);
            e.refresh(seconds, now);
            if assured {
                e.status.set(CtStatus::ASSURED);
            }
            Handled::Accept
        }
        (_, Body::Icmp(_)) => {
            let original = &e.tuples[0];
            if !timeout::icmp_may_begin(original.protocol, original.l4) {
                return Handled::Invalid;
            }
            e.refresh(sysctl.icmp_timeout, now);
            Handled::Accept
        }
        _ => {
            e.refresh(sysctl.generic_timeout, now);
            Handled::Accept
        }
    };
    if matches!(verdict, Handled::Accept) && info == CtInfo::EstablishedReply {
        e.status.set(CtStatus::SEEN_REPLY);
    }
    let (changed, confirmed) = (shown(e) != before, e.is_confirmed());
    if kill {
        w.ct_kill(id);
    } else if T::ON && changed && confirmed {
        w.ct_delta(id);
    }
    verdict
}

/// The flow that an ICMP error is about: the one whose packets look like the answer of the quoted packet, if the error goes
/// where that one's packets go (nf_conntrack_inet_error).
fn inet_error<T: Tracer>(w: &mut Walk<'_, T>, ip: &Ipv4Packet, icmp: &Icmp) -> Option<CtRef> {
    let inner = quoted_of(icmp)?.tuple()?.inverted()?;
    let now = w.now;
    let (id, dir) = w.ns.conntrack.find(&inner, now)?;
    if w.ns.conntrack.get(id)?.tuple(dir).dst != ip.header.dst {
        return None;
    }
    let info = if dir == Dir::Reply { CtInfo::RelatedReply } else { CtInfo::Related };
    Some(CtRef { id, info })
}

/// Puts the packet's flow into the table when the packet has passed all hooks (nf_conntrack_confirm). The hook is INPUT or
/// POSTROUTING, and nothing comes after this.
///
/// The verdict is DROP only if another flow has taken the tuple ([`DropReason::CtClash`](crate::trace::DropReason)).
pub fn nf_conntrack_confirm<T: Tracer>(w: &mut Walk<'_, T>, skb: &mut Skb, state: &HookState) -> NfVerdict {
    let Some(ct) = skb.ct else { return NfVerdict::Accept };
    // REJECT's answers belong to a flow that may never enter the table; they go in the reply direction.
    if ct.info.is_reply() || w.ns.conntrack.get(ct.id).is_none_or(|e| e.is_confirmed()) {
        return NfVerdict::Accept;
    }
    match w.ns.conntrack.confirm(ct.id, w.now) {
        Confirm::Done => {
            w.step(skb, hook_dev(state), Evidence::ConntrackConfirm { id: ct.id });
            w.ct_delta(ct.id);
            NfVerdict::Accept
        }
        Confirm::Merged(id) => {
            skb.ct = Some(CtRef { id, info: ct.info });
            NfVerdict::Accept
        }
        Confirm::Nothing => NfVerdict::Accept,
        Confirm::Clash => NfVerdict::Drop,
    }
}

/// Ties an answer made by the kernel (an ICMP error, REJECT's reset) to the flow of the packet that it is about, in the
/// other direction (nf_ct_attach). The flow may never enter the table.
pub fn nf_ct_attach(answer: &mut Skb, about: &Skb) {
    answer.ct = about.ct.map(|ct| CtRef { id: ct.id, info: if ct.info.is_reply() { CtInfo::Related } else { CtInfo::RelatedReply } });
}
