//! Translations that nftables' rules ask for.
//!
//! Models: net/netfilter/nft_nat.c nft_nat_eval, nft_masq.c nft_masq_ipv4_eval, nft_redir.c nft_redir_ipv4_eval.
//! Simplifies: IPv4 only.

use super::hook::NfVerdict;
use super::nat::{nf_nat_masquerade, nf_nat_setup_info};
use super::nft_do_chain::ChainWalk;
use super::walk::Walk;
use crate::linux::RowId;
use crate::linux::conntrack::{Manip, NatRange};
use crate::linux::device::Scope;
use crate::linux::netfilter::Hook;
use crate::linux::netfilter::nft::datatype::number;
use crate::linux::netfilter::nft::text::value::prefix_range;
use crate::linux::netfilter::nft::{Data, DataType, Expr, Nat, NatKind, NatTo};
use crate::linux::skb::Skb;
use crate::packet::Ipv4Addr;
use crate::trace::evidence::Verdict;
use crate::trace::{StepId, Tracer};

/// First and last of an address or port; none where the packet gives none.
fn range<T: Tracer>(walk: &ChainWalk<'_>, w: &mut Walk<'_, T>, skb: &Skb, row: RowId, draws: &mut u32, to: &NatTo) -> Option<(Data, Data)> {
    Some(match to {
        NatTo::Expr(Expr::Value(_, v)) => (v.clone(), v.clone()),
        NatTo::Expr(e) => {
            let (v, n) = walk.value(w, skb, row, *draws, e);
            *draws = n;
            let v = v?;
            (v.clone(), v)
        }
        NatTo::Range(a, b) => (a.clone(), b.clone()),
        NatTo::Prefix(v, len) => prefix_range(DataType::Ipv4Addr, v, *len)?,
    })
}

fn addr(v: &[u8]) -> Ipv4Addr {
    Ipv4Addr::from(number(v.get(..4).unwrap_or_default()) as u32)
}

/// Does a translation; none if the rule does not fit after all. `record` tells of the rule before it takes effect.
pub(super) fn nft_nat<T: Tracer>(
    walk: &ChainWalk<'_>,
    w: &mut Walk<'_, T>,
    skb: &mut Skb,
    n: &Nat,
    row: RowId,
    draws: &mut u32,
    record: impl FnOnce(&ChainWalk<'_>, &mut Walk<'_, T>, &Skb) -> StepId,
) -> Option<NfVerdict> {
    skb.frame.ipv4()?;
    let mut r = NatRange { addrs: None, ports: None, random: n.random, random_fully: n.fully_random, persistent: n.persistent };
    if let Some(to) = &n.addr {
        let (lo, hi) = range(walk, w, skb, row, draws, to)?;
        r.addrs = Some((addr(&lo), addr(&hi)));
        if n.addr_port {
            let port = number(lo.get(4..6)?) as u16;
            r.ports = Some((port, port));
        }
        if n.netmap {
            // the host part stays as it is (nft_nat_setup_netmap)
            let (first, last) = (u32::from(addr(&lo)), u32::from(addr(&hi)));
            let mask = !(first ^ last);
            let own = skb.frame.ipv4().map(|p| if n.kind == NatKind::Snat { p.header.src } else { p.header.dst })?;
            let mapped = Ipv4Addr::from(first & mask | u32::from(own) & !mask);
            r.addrs = Some((mapped, mapped));
        }
    }
    if let Some(to) = &n.port {
        let (lo, hi) = range(walk, w, skb, row, draws, to)?;
        r.ports = Some((number(&lo) as u16, number(&hi) as u16));
    }
    if n.kind == NatKind::Redirect {
        let Some(to) = redirect_to(walk) else {
            let step = record(walk, w, skb);
            return Some(told(w, step, NfVerdict::Drop));
        };
        r.addrs = Some((to, to));
    }
    let step = record(walk, w, skb);
    let said = match n.kind {
        NatKind::Snat => nf_nat_setup_info(w, skb, &r, Manip::Src, row),
        NatKind::Dnat | NatKind::Redirect => nf_nat_setup_info(w, skb, &r, Manip::Dst, row),
        NatKind::Masquerade => nf_nat_masquerade(w, skb, walk.state, &r, row),
    };
    Some(told(w, step, said))
}

fn told<T: Tracer>(w: &mut Walk<'_, T>, step: StepId, said: NfVerdict) -> NfVerdict {
    if T::ON && said == NfVerdict::Drop {
        w.trace.rule_verdict(step, Verdict::Drop);
    }
    said
}

/// Where a redirected packet goes (nf_nat_redirect_ipv4).
fn redirect_to(walk: &ChainWalk<'_>) -> Option<Ipv4Addr> {
    if walk.state.hook == Hook::Output {
        return Some(Ipv4Addr::LOCALHOST);
    }
    let dev = walk.config.devices.get(walk.state.iif)?;
    dev.addrs.iter().find(|a| !a.secondary && a.scope != Scope::Nowhere).map(|a| a.local).filter(|a| !a.is_unspecified())
}
