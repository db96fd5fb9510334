//! What a base chain leads to: no circle, not too deep, and no statement where it may not stand.
//!
//! Models: net/netfilter/nf_tables_api.c nft_chain_validate, nft_nat.c nft_nat_validate, nft_masq.c, nft_redir.c, nft_reject.c.

use super::set::{SetData, SetLink};
use super::stmt::{NatKind, Stmt};
use super::{Base, ChainType, ElemData, NftTable};
use crate::linux::netfilter::hook::Hook;

const EOPNOTSUPP: &str = "Operation not supported";
const EMLINK: &str = "Too many links";
/// NFT_JUMP_STACK_SIZE.
const MAX_DEPTH: usize = 16;

/// Follows a base chain to all that it reaches (nft_chain_validate).
pub(super) fn validate(t: &NftTable, slot: u32, base: &Base, level: usize, seen: &mut Vec<(u32, usize)>) -> Result<(), &'static str> {
    if level == MAX_DEPTH {
        return Err(EMLINK);
    }
    if seen.iter().any(|(s, l)| *s == slot && *l >= level) {
        return Ok(());
    }
    seen.push((slot, level));
    let Some(c) = t.chains.get(slot) else { return Ok(()) };
    for r in &c.rules {
        for s in r.stmts.iter() {
            if !fits(s, base) {
                return Err(EOPNOTSUPP);
            }
            if let Stmt::Verdict(v) = s
                && let Some(to) = v.chain()
            {
                enter(t, to.slot, base, level, seen)?;
            }
            for l in s.links() {
                let set = match l {
                    SetLink::Anonymous(set) => Some(&**set),
                    SetLink::Named(r, of) if of.data == SetData::Verdict => t.sets.get(r.slot),
                    SetLink::Named(..) => None,
                };
                for e in set.iter().flat_map(|s| s.elems.iter().chain(&s.catchall)) {
                    if let ElemData::Verdict(v) = &e.data
                        && let Some(to) = v.chain()
                    {
                        enter(t, to.slot, base, level, seen)?;
                    }
                }
            }
        }
    }
    Ok(())
}

fn enter(t: &NftTable, slot: u32, base: &Base, level: usize, seen: &mut Vec<(u32, usize)>) -> Result<(), &'static str> {
    // a base chain cannot be gone to
    if t.chains.get(slot).is_some_and(|c| c.base.is_some()) {
        return Err(EOPNOTSUPP);
    }
    validate(t, slot, base, level + 1, seen)
}

/// Whether a statement may stand where that base chain leads.
fn fits(s: &Stmt, base: &Base) -> bool {
    match s {
        Stmt::Nat(n) => {
            base.kind == ChainType::Nat
                && match n.kind {
                    NatKind::Snat => matches!(base.hook, Hook::Postrouting | Hook::Input),
                    NatKind::Dnat | NatKind::Redirect => matches!(base.hook, Hook::Prerouting | Hook::Output),
                    NatKind::Masquerade => base.hook == Hook::Postrouting,
                }
        }
        Stmt::Reject(_) => base.hook != Hook::Postrouting,
        Stmt::Tproxy(..) => base.hook == Hook::Prerouting,
        Stmt::Notrack => true,
        _ => true,
    }
}
