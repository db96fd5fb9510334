//! What nft leaves out of a rule because the rest of the rule says it too.
//!
//! Models: nft 1.0.6 src/payload.c payload_dependency_kill, src/netlink_delinearize.c rule_parse_postprocess, ct_meta_common_postprocess.
//!
//! ```text
//!   meta l4proto tcp tcp dport 80     ─► tcp dport 80
//!   meta l4proto tcp th dport 80      ─► tcp dport 80
//!   meta l4proto tcp counter accept   ─► stays: no header of tcp is asked for
//! ```

use super::super::expr::{Expr, MetaKey};
use super::super::stmt::{NatTo, RelOp, Rhs, Stmt};
use super::super::{Field, NftFamily, Proto};

/// The protocol that a statement asks for, and nothing else.
fn dependency(s: &Stmt) -> Option<(&Expr, u32)> {
    let Stmt::Match { left, op: RelOp::Implicit | RelOp::Eq, right: Rhs::Value(v) } = s else { return None };
    Some((left, super::print::small(v)))
}

/// Calls `f` for each expression of a statement.
fn each(s: &mut Stmt, f: &mut impl FnMut(&mut Expr)) {
    fn walk(e: &mut Expr, f: &mut impl FnMut(&mut Expr)) {
        f(e);
        match e {
            Expr::Concat(parts) => parts.iter_mut().for_each(|p| walk(p, f)),
            Expr::Bitwise(of, ..) | Expr::Map(of, _) => walk(of, f),
            Expr::Hash(h) => h.of.iter_mut().for_each(|e| walk(e, f)),
            _ => {}
        }
    }
    match s {
        Stmt::Match { left: e, .. } | Stmt::Vmap(e, _) | Stmt::MetaSet(_, e) | Stmt::CtSet(_, e) | Stmt::FieldSet(_, e) => walk(e, f),
        Stmt::Dyn { key, data, .. } => {
            walk(key, f);
            data.iter_mut().for_each(|e| walk(e, f));
        }
        Stmt::Nat(n) => {
            for to in n.addr.iter_mut().chain(&mut n.port) {
                if let NatTo::Expr(e) = to {
                    walk(e, f);
                }
            }
        }
        _ => {}
    }
}

/// Takes out what follows from the rest.
pub(super) fn normalise(stmts: Vec<Stmt>, family: NftFamily) -> Vec<Stmt> {
    let mut out: Vec<Stmt> = Vec::with_capacity(stmts.len());
    // where the last statement stands that asked for nothing but a protocol, of each layer
    let (mut l4_at, mut l3_at): (Option<usize>, Option<usize>) = (None, None);
    let mut l4: Option<Proto> = None;
    for mut s in stmts {
        let mut uses_l4 = None;
        let mut uses_l3 = None;
        each(&mut s, &mut |e| {
            if let Expr::Field(f) = e {
                if f.proto() == Proto::Th
                    && let Some(named) = l4.and_then(|p| f.in_proto(p))
                {
                    *f = named;
                }
                match f.proto() {
                    Proto::Ip | Proto::Ip6 => uses_l3 = Some(f.proto()),
                    p if p.l4().is_some() => uses_l4 = Some(p),
                    _ => {}
                }
            }
        });
        let matching = matches!(s, Stmt::Match { .. } | Stmt::Vmap(..));
        if let Some(p) = uses_l4 {
            l4.get_or_insert(p);
            // what a translation asks for leaves the question before it standing
            if let Some(at) = l4_at.filter(|_| !matches!(s, Stmt::Nat(_)))
                && dependency(&out[at]).is_some_and(|(_, v)| p.l4().map(u32::from) == Some(v))
            {
                out.remove(at);
                l3_at = l3_at.filter(|x| *x != at).map(|x| if x > at { x - 1 } else { x });
            }
            l4_at = None;
        }
        if let Some(p) = uses_l3 {
            if let Some(at) = l3_at
                && dependency(&out[at]).is_some_and(|(e, v)| l3_of(e, v) == Some(p))
            {
                out.remove(at);
                l4_at = l4_at.filter(|x| *x != at).map(|x| if x > at { x - 1 } else { x });
            }
            l3_at = None;
        }
        if !matching {
            (l4_at, l3_at) = (None, None);
        }
        match dependency(&s) {
            Some((Expr::Meta(MetaKey::L4proto), v)) => {
                l4 = u8::try_from(v).ok().and_then(Proto::by_l4);
                l4_at = Some(out.len());
            }
            Some((Expr::Field(Field::IpProtocol | Field::Ip6Nexthdr), v)) => {
                l4 = u8::try_from(v).ok().and_then(Proto::by_l4);
                // where the family does not say which IP it is, this says it too
                l4_at = Some(out.len()).filter(|_| matches!(family, NftFamily::Ip | NftFamily::Ip6));
            }
            Some((e @ (Expr::Meta(MetaKey::Nfproto) | Expr::Field(Field::EtherType)), v)) if l3_of(e, v).is_some() => {
                l3_at = Some(out.len());
            }
            _ => {}
        }
        out.push(s);
    }
    out
}

/// The network layer that such a statement asks for.
fn l3_of(e: &Expr, v: u32) -> Option<Proto> {
    match (e, v) {
        (Expr::Meta(MetaKey::Nfproto), 2) | (Expr::Field(Field::EtherType), 0x0800) => Some(Proto::Ip),
        (Expr::Meta(MetaKey::Nfproto), 10) | (Expr::Field(Field::EtherType), 0x86dd) => Some(Proto::Ip6),
        _ => None,
    }
}
