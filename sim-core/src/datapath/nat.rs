//! Address translation of packets from their flow's mapping.
//!
//! Models: net/netfilter/nf_nat_core.c nf_nat_inet_fn, nf_nat_packet, nf_nat_manip_pkt;
//! net/netfilter/nf_nat_proto.c nf_nat_ipv4_fn, nf_nat_icmp_reply_translation; net/netfilter/nf_nat_masquerade.c.
//! Simplifies: IPv4 only; no helpers. The route of a masqueraded packet is looked up again for its next hop.
//! Seen in: 05-docker-publish-dnat, 06-clusterip-remote-pod, 103-egress-masquerade, 106-services-mixed.
//!
//! ```text
//!              PREROUTING, OUTPUT            POSTROUTING, INPUT
//!   original   destination (DNAT)            source (SNAT)
//!   reply      destination back (un-SNAT)    source back (un-DNAT)
//! ```
//!
//! Rules are asked for the first packet of a flow only, once for each end; who is not mapped by a rule is bound to
//! itself. Whether the packet must be routed again is the caller's to see: it compares the addresses before and after.

use super::conntrack::{hook_dev, quoted_of};
use super::hook::{HookState, NfVerdict};
use super::manip::{manip_packet, manip_quoted};
use super::route::select_addr;
use super::walk::Walk;
use crate::linux::conntrack::tuple::{destination_part, source_part};
use crate::linux::conntrack::{Bind, CtId, CtInfo, CtRef, CtStatus, Manip, NatRange};
use crate::linux::device::Scope;
use crate::linux::netfilter::Hook;
use crate::linux::rng::Draw;
use crate::linux::skb::Skb;
use crate::linux::{IfIndex, RowId};
use crate::packet::{Body, IcmpKind, Ipv4Addr, L4, Protocol, Quoted, Tuple};
use crate::trace::evidence::Addr32;
use crate::trace::{Change, Evidence, Tracer};

/// Which end is rewritten at a hook (HOOK2MANIP).
#[inline]
pub fn manip_of(hook: Hook) -> Manip {
    match hook {
        Hook::Postrouting | Hook::Input => Manip::Src,
        Hook::Prerouting | Hook::Output | Hook::Forward => Manip::Dst,
    }
}

/// Gives the packet's flow its mapping for one end (nf_nat_setup_info). `row` is the rule that asked; none for the binding
/// of a flow to itself.
pub fn nf_nat_setup_info<T: Tracer>(w: &mut Walk<'_, T>, skb: &mut Skb, range: &NatRange<Ipv4Addr>, manip: Manip, row: RowId) -> NfVerdict {
    let Some(ct) = skb.ct else { return NfVerdict::Accept };
    let rng = &mut *w.rng;
    let random = || rng.below(Draw::NatPort, 65_536) as u16;
    match w.ns.conntrack.setup_nat(ct.id, range, manip, row, w.now, random) {
        Bind::TooLate => NfVerdict::Accept,
        Bind::Refused => NfVerdict::Drop,
        Bind::Bound { addr_part: (addr, port), evicted, .. } => {
            if let Some(gone) = evicted {
                w.ct_delta(gone);
            }
            let source = manip == Manip::Src;
            w.step(skb, IfIndex::NONE, Evidence::NatBind { id: ct.id, row, source, addr: Addr32(addr as u32), port });
            NfVerdict::Accept
        }
    }
}

/// Maps the source to the address of the output device (nf_nat_masquerade_ipv4). The verdict is DROP if there is none.
pub fn nf_nat_masquerade<T: Tracer>(
    w: &mut Walk<'_, T>,
    skb: &mut Skb,
    state: &HookState,
    range: &NatRange<Ipv4Addr>,
    row: RowId,
) -> NfVerdict {
    let (Some(ct), Some(ip)) = (skb.ct, skb.frame.ipv4()) else { return NfVerdict::Accept };
    let dst = ip.header.dst;
    match w.ns.conntrack.get(ct.id) {
        Some(e) if e.tuples[0].src.is_unspecified() => return NfVerdict::Accept,
        Some(_) => {}
        None => return NfVerdict::Accept,
    }
    let config = &w.ns.config;
    let route = config.fib.lookup(dst, |r| r.nexthops.iter().any(|h| h.dev == state.oif));
    let next_hop = route.and_then(|(_, r)| r.nexthops.iter().find(|h| h.dev == state.oif)?.via).unwrap_or(dst);
    let Some(source) = select_addr(config, state.oif, next_hop, Scope::Universe) else {
        return NfVerdict::Drop;
    };
    if let Some(e) = w.ns.conntrack.get_mut(ct.id).filter(|e| !e.is_confirmed()) {
        e.masq_dev = state.oif;
    }
    nf_nat_setup_info(w, skb, &NatRange { addrs: Some((source, source)), ..*range }, Manip::Src, row)
}

/// Address translation at a hook (nf_nat_ipv4_fn): gives a new flow its mapping, asking `rules` first, and rewrites the
/// packet from it. A DROP is one of the rules', or the flow left by another device than it was masqueraded for, or a
/// redirect about a flow that is mapped.
pub fn nf_nat_inet_fn<T: Tracer>(
    w: &mut Walk<'_, T>,
    skb: &mut Skb,
    state: &HookState,
    rules: impl FnOnce(&mut Walk<'_, T>, &mut Skb) -> NfVerdict,
) -> NfVerdict {
    let Some(ct) = skb.ct else { return NfVerdict::Accept };
    let Some(entry) = w.ns.conntrack.get(ct.id) else { return NfVerdict::Accept };
    let manip = manip_of(state.hook);
    let decided = entry.status.has(manip.done());
    let left_elsewhere = state.hook == Hook::Postrouting && !ct.info.is_reply() && entry.masq_dev.is_some() && entry.masq_dev != state.oif;
    if ct.info.is_related() && matches!(skb.frame.ipv4().map(|p| &p.body), Some(Body::Icmp(_))) {
        return nf_nat_icmp_reply_translation(w, skb, state, ct);
    }
    let asks = matches!(ct.info, CtInfo::New | CtInfo::Related | CtInfo::RelatedReply);
    if asks && !decided {
        let verdict = rules(w, skb);
        if verdict != NfVerdict::Accept {
            return verdict;
        }
        let undecided = w.ns.conntrack.get(ct.id).is_some_and(|e| !e.status.has(manip.done()));
        if undecided && let Some(range) = w.ns.conntrack.null_range(ct.id, manip) {
            let verdict = nf_nat_setup_info(w, skb, &range, manip, RowId::NONE);
            if verdict != NfVerdict::Accept {
                return verdict;
            }
        }
    } else if left_elsewhere {
        w.ct_kill(ct.id);
        return NfVerdict::Drop;
    }
    nf_nat_packet(w, skb, state, ct)
}

/// Whether packets of the flow's direction are rewritten at this end.
fn is_mapped<T: Tracer>(w: &Walk<'_, T>, ct: CtRef, manip: Manip) -> bool {
    w.ns.conntrack.get(ct.id).is_some_and(|e| e.status.has(manip.status_for(ct.info.dir())))
}

/// Rewrites one end of the packet from its flow's mapping (nf_nat_packet).
fn nf_nat_packet<T: Tracer>(w: &mut Walk<'_, T>, skb: &mut Skb, state: &HookState, ct: CtRef) -> NfVerdict {
    let manip = manip_of(state.hook);
    if is_mapped(w, ct, manip)
        && let Some(target) = w.ns.conntrack.nat_target(ct.id, ct.info.dir())
    {
        rewrite(w, skb, state, ct.id, &target, manip);
    }
    NfVerdict::Accept
}

fn rewrite<T: Tracer>(w: &mut Walk<'_, T>, skb: &mut Skb, state: &HookState, id: CtId, target: &Tuple<Ipv4Addr>, manip: Manip) {
    let Some(ip) = skb.frame.ipv4_mut() else { return };
    if !manip_packet(ip, target, manip) {
        return;
    }
    told(w, skb, state, id, manip);
}

/// Records a rewriting: the step names the headers before it.
fn told<T: Tracer>(w: &mut Walk<'_, T>, skb: &mut Skb, state: &HookState, id: CtId, manip: Manip) {
    w.step(skb, hook_dev(state), Evidence::NatRewrite { id, source: manip == Manip::Src });
    w.changed(skb, |s| {
        let small = s.frame.ipv4().and_then(|ip| {
            let l4 = match &ip.body {
                Body::Tcp(_) | Body::Udp(_) => Tuple::<Ipv4Addr>::of(ip)?.l4,
                Body::Icmp(m) if matches!(m.kind, IcmpKind::EchoRequest { .. } | IcmpKind::EchoReply { .. }) => {
                    Tuple::<Ipv4Addr>::of(ip)?.l4
                }
                Body::Other { .. } if Tuple::<Ipv4Addr>::of(ip)?.l4 == L4::None => L4::None,
                _ => return None,
            };
            Some(match manip {
                Manip::Src => Change::Source(ip.header.src, source_part(l4)),
                Manip::Dst => Change::Destination(ip.header.dst, destination_part(l4)),
            })
        });
        small.unwrap_or_else(|| Change::Whole(Box::new(s.frame.clone())))
    });
}

/// Rewrites an ICMP error about a mapped flow: the packet that it quotes, and its own address, so that it looks as if
/// there were no translation (nf_nat_icmp_reply_translation).
fn nf_nat_icmp_reply_translation<T: Tracer>(w: &mut Walk<'_, T>, skb: &mut Skb, state: &HookState, ct: CtRef) -> NfVerdict {
    let Some(entry) = w.ns.conntrack.get(ct.id) else { return NfVerdict::Accept };
    let (status, other) = (entry.status, *entry.tuple(ct.info.dir().other()));
    let Some(ip) = skb.frame.ipv4_mut() else { return NfVerdict::Accept };
    let Body::Icmp(icmp) = &mut ip.body else { return NfVerdict::Accept };
    if icmp.checksum_error != 0 {
        return NfVerdict::Drop;
    }
    if matches!(icmp.kind, IcmpKind::Redirect { .. }) {
        let both_decided = status.has(CtStatus::SRC_NAT_DONE) && status.has(CtStatus::DST_NAT_DONE);
        if !both_decided || status.has(CtStatus::SRC_NAT) || status.has(CtStatus::DST_NAT) {
            return NfVerdict::Drop;
        }
    }
    let manip = manip_of(state.hook);
    if !status.has(manip.status_for(ct.info.dir())) {
        return NfVerdict::Accept;
    }
    let Some(quoted) = quoted_of(icmp) else { return NfVerdict::Drop };
    let Some(translated) = manip_quoted(&quoted, &other, manip.other()) else { return NfVerdict::Drop };
    set_quoted(icmp, translated);
    if let Some(mut target) = w.ns.conntrack.nat_target(ct.id, ct.info.dir()) {
        (target.protocol, target.l4) = (Protocol::ICMP, L4::None);
        manip_packet(ip, &target, manip);
    }
    w.step(skb, hook_dev(state), Evidence::NatRewrite { id: ct.id, source: manip == Manip::Src });
    w.rewritten(skb);
    NfVerdict::Accept
}

pub(super) fn set_quoted(icmp: &mut crate::packet::Icmp, quoted: Quoted) {
    match &mut icmp.kind {
        IcmpKind::Other { payload, .. } => *payload = quoted.0,
        _ => {
            if let Some(q) = icmp.quoted_mut() {
                *q = quoted;
            }
        }
    }
}
