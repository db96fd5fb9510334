//! What a statement comes to: bit operations folded as the kernel keeps them, and what a match says of the packet's protocols.
//!
//! Models: nft 1.0.6 src/evaluate.c expr_evaluate_relational, relational_expr_pctx_update; src/netlink_delinearize.c relational_binop_postprocess.

use super::super::datatype::DataType;
use super::super::expr::{Expr, MetaKey};
use super::super::stmt::{NftVerdict, RelOp, Rhs, Stmt};
use super::super::{Field, NftFamily, Proto};
use super::error::{Refused, Span};
use super::exprs::Known;
use super::{Parsed, print};

pub(super) fn is_terminal(s: &Stmt) -> bool {
    match s {
        Stmt::Verdict(v) => !matches!(v, NftVerdict::Continue),
        Stmt::Reject(_) | Stmt::Nat(_) | Stmt::Queue(..) => true,
        _ => false,
    }
}

pub(super) fn asks_icmp_type(stmts: &[Stmt]) -> bool {
    stmts.iter().any(|s| matches!(s, Stmt::Match { left: Expr::Field(Field::IcmpType), .. }))
}

/// What bit operations and their value come to in the kernel's own terms.
pub(super) fn folded(left: Expr, op: RelOp, right: Rhs) -> (Expr, RelOp, Rhs) {
    let Expr::Bitwise(of, mask, xor) = &left else {
        let plain = op == RelOp::Eq && (!left.data_type().is_bitmask() || matches!(right, Rhs::Set(_)));
        return (left, if plain { RelOp::Implicit } else { op }, right);
    };
    let Rhs::Value(v) = &right else { return (left, op, right) };
    let t = of.data_type();
    let plain = xor.iter().all(|b| *b == 0);
    if plain && t.has_prefix() && matches!(op, RelOp::Implicit | RelOp::Eq | RelOp::Ne) {
        let ones: u32 = mask.iter().map(|b| b.leading_ones()).take_while(|n| *n == 8).sum::<u32>()
            + mask.iter().find(|b| **b != 0xff).map_or(0, |b| b.leading_ones());
        if mask.iter().map(|b| b.count_ones()).sum::<u32>() == ones {
            return (
                (**of).clone(),
                if op == RelOp::Ne { RelOp::Ne } else { RelOp::Implicit },
                if ones == t.bits() { Rhs::Value(v.clone()) } else { Rhs::Prefix(v.clone(), ones) },
            );
        }
    }
    if plain && t.is_bitmask() {
        let zero = v.iter().all(|b| *b == 0);
        let one_bit = mask.iter().map(|b| b.count_ones()).sum::<u32>() == 1;
        return match op {
            RelOp::Ne if zero => ((**of).clone(), RelOp::Implicit, Rhs::Value(mask.clone())),
            RelOp::Eq | RelOp::Implicit if zero => ((**of).clone(), RelOp::Neg, Rhs::Value(mask.clone())),
            RelOp::Eq | RelOp::Implicit | RelOp::Ne if !one_bit && t == DataType::TcpFlag => {
                let op = if op == RelOp::Ne { RelOp::Ne } else { RelOp::Implicit };
                ((**of).clone(), op, Rhs::Flags(v.clone(), mask.clone()))
            }
            op => (left, if op == RelOp::Implicit { RelOp::Eq } else { op }, right),
        };
    }
    (left, if op == RelOp::Implicit { RelOp::Eq } else { op }, right)
}

/// What a match says of the packet's protocols.
pub(super) fn learn(left: &Expr, op: RelOp, right: &Rhs, family: NftFamily, known: &mut Known, at: Span) -> Parsed<()> {
    let (Expr::Meta(_) | Expr::Field(_)) = left else { return Ok(()) };
    let equal = matches!(op, RelOp::Implicit | RelOp::Eq);
    match (left, right) {
        (Expr::Meta(MetaKey::L4proto) | Expr::Field(Field::IpProtocol | Field::Ip6Nexthdr), Rhs::Value(v)) if equal => {
            let n = print::small(v) as u8;
            if let (Some(p), Some(new)) = (known.l4, Proto::by_l4(n))
                && p != new
            {
                return Err(Refused::new(at, format!("conflicting protocols specified: {} vs. {}", p.name(), new.name())));
            }
            known.l4_number = Some(n);
            known.l4 = known.l4.or(Proto::by_l4(n));
        }
        (Expr::Meta(MetaKey::L4proto) | Expr::Field(Field::IpProtocol), Rhs::Set(_)) => known.l4_some = true,
        (Expr::Meta(MetaKey::Nfproto), Rhs::Value(v)) if equal => {
            known.l3 = Some(if print::small(v) == 2 { Proto::Ip } else { Proto::Ip6 });
        }
        (Expr::Meta(MetaKey::Protocol) | Expr::Field(Field::EtherType), Rhs::Value(v)) if equal && family != NftFamily::Ip => {
            match print::small(v) {
                0x0800 => known.l3 = Some(Proto::Ip),
                0x86dd => known.l3 = Some(Proto::Ip6),
                0x0806 => known.l3 = Some(Proto::Arp),
                _ => {}
            }
        }
        _ => {}
    }
    Ok(())
}
