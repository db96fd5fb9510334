//! Statements: what a rule does with a packet that came so far in it.
//!
//! Models: net/netfilter/nft_cmp.c, nft_range.c, nft_immediate.c, nft_counter.c, nft_limit.c, nft_reject.c, nft_nat.c, nft_masq.c,
//! nft_redir.c, nft_dynset.c, nft_payload.c (setting), nft_queue.c, nft_tproxy.c, nft_log.c.
//! Simplifies: what is logged goes nowhere; counters are not kept; a queue has no listener.

use super::datatype::Data;
use super::expr::{CtKey, Expr, MetaKey};
use super::field::Field;
use super::set::{ObjRef, SetLink, SetRef};
use std::sync::Arc;
use std::time::Duration;

/// How a value is held against another.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum RelOp {
    /// None written: equal, or for a bit mask that one of the bits is set.
    Implicit,
    /// `==`.
    Eq,
    /// `!=`.
    Ne,
    /// `<`.
    Lt,
    /// `>`.
    Gt,
    /// `<=`.
    Le,
    /// `>=`.
    Ge,
    /// `!`: none of the bits is set.
    Neg,
}

impl RelOp {
    /// As it is printed, with a space behind it.
    pub fn text(self) -> &'static str {
        match self {
            RelOp::Implicit => "",
            RelOp::Eq => "== ",
            RelOp::Ne => "!= ",
            RelOp::Lt => "< ",
            RelOp::Gt => "> ",
            RelOp::Le => "<= ",
            RelOp::Ge => ">= ",
            RelOp::Neg => "! ",
        }
    }
}

/// What a value is held against.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Rhs {
    /// A value.
    Value(Data),
    /// First and last of a range.
    Range(Data, Data),
    /// The first so many bits.
    Prefix(Data, u32),
    /// `value / mask` of a bit mask: under the mask it is that value.
    Flags(Data, Data),
    /// A set.
    Set(SetLink),
}

/// A chain that is gone to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ChainTo {
    /// Its name.
    pub name: Arc<str>,
    /// Its slot in the table, once the rule stands there.
    pub slot: u32,
}

/// A verdict.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum NftVerdict {
    /// `accept`: the base chain is done.
    Accept,
    /// `drop`.
    Drop,
    /// `continue`.
    Continue,
    /// `return`.
    Return,
    /// `jump CHAIN`.
    Jump(ChainTo),
    /// `goto CHAIN`.
    Goto(ChainTo),
}

impl NftVerdict {
    /// The chain that it leads to.
    pub fn chain(&self) -> Option<&ChainTo> {
        match self {
            NftVerdict::Jump(c) | NftVerdict::Goto(c) => Some(c),
            _ => None,
        }
    }

    /// The chain that it leads to, to be changed.
    pub fn chain_mut(&mut self) -> Option<&mut ChainTo> {
        match self {
            NftVerdict::Jump(c) | NftVerdict::Goto(c) => Some(c),
            _ => None,
        }
    }
}

/// `limit`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Limit {
    /// How many in the unit.
    pub rate: u64,
    /// Seconds of the unit.
    pub unit: u64,
    /// How many at once.
    pub burst: u32,
    /// `over`: what is beyond the rate fits.
    pub over: bool,
    /// Whether bytes are counted instead of packets.
    pub bytes: bool,
}

/// How a packet is rejected.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum RejectKind {
    /// `icmp CODE`.
    Icmp(u8),
    /// `icmpv6 CODE`.
    Icmpv6(u8),
    /// `icmpx CODE`: whichever fits the packet.
    Icmpx(u8),
    /// `tcp reset`.
    TcpReset,
}

/// Which translation.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum NatKind {
    /// `snat`.
    Snat,
    /// `dnat`.
    Dnat,
    /// `masquerade`.
    Masquerade,
    /// `redirect`.
    Redirect,
}

/// The new address or port.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum NatTo {
    /// What an expression gives.
    Expr(Expr),
    /// One of these.
    Range(Data, Data),
    /// An address of that prefix; printed as one.
    Prefix(Data, u32),
}

/// A translation.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Nat {
    /// Which.
    pub kind: NatKind,
    /// Whether the address is one of IPv6.
    pub ip6: bool,
    /// Whether `ip` or `ip6` is printed.
    pub shows_family: bool,
    /// The new address; with `addr_port` the new port stands behind it.
    pub addr: Option<NatTo>,
    /// The new port.
    pub port: Option<NatTo>,
    /// Whether `addr` is an address and a port in one.
    pub addr_port: bool,
    /// `prefix`: the host part is kept.
    pub netmap: bool,
    /// `random`.
    pub random: bool,
    /// `fully-random`.
    pub fully_random: bool,
    /// `persistent`.
    pub persistent: bool,
}

/// What a packet does to a set.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum DynOp {
    /// `add`.
    Add,
    /// `update`: the time to live begins anew.
    Update,
    /// `delete`.
    Delete,
}

/// `log`.
#[derive(Clone, Debug, PartialEq, Eq, Default)]
pub struct Log {
    /// `prefix`.
    pub prefix: Option<Arc<str>>,
    /// `level`.
    pub level: Option<Arc<str>>,
    /// `group`.
    pub group: Option<u16>,
    /// `snaplen`.
    pub snaplen: Option<u32>,
    /// `queue-threshold`.
    pub qthreshold: Option<u16>,
    /// `flags …`.
    pub flags: Option<Arc<str>>,
}

/// A statement.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Stmt {
    /// `EXPR [OP] VALUE`.
    Match {
        /// What is asked.
        left: Expr,
        /// How.
        op: RelOp,
        /// The value.
        right: Rhs,
    },
    /// `EXPR vmap …`.
    Vmap(Expr, SetLink),
    /// A verdict.
    Verdict(NftVerdict),
    /// `counter`, with what it began with.
    Counter(u64, u64),
    /// `counter name …`, `quota name …`, `limit name …`.
    Object(ObjRef),
    /// `limit`.
    Limit(Limit),
    /// `quota [over] BYTES`.
    Quota(bool, u64),
    /// `log`.
    Log(Log),
    /// `reject`.
    Reject(RejectKind),
    /// `snat`, `dnat`, `masquerade`, `redirect`.
    Nat(Box<Nat>),
    /// `notrack`.
    Notrack,
    /// `meta KEY set EXPR`.
    MetaSet(MetaKey, Expr),
    /// `ct KEY set EXPR`.
    CtSet(CtKey, Expr),
    /// `FIELD set EXPR`.
    FieldSet(Field, Expr),
    /// `update @set { … }`.
    Dyn {
        /// What is done.
        op: DynOp,
        /// The set or map.
        set: SetRef,
        /// The element.
        key: Expr,
        /// Its time to live.
        timeout: Option<Duration>,
        /// What a map's element leads to.
        data: Option<Expr>,
        /// Statements that the element carries.
        stmts: Vec<Stmt>,
    },
    /// `tproxy [ip|ip6] to [ADDR]:PORT`.
    Tproxy(Option<bool>, Option<Data>, Option<u16>),
    /// `queue …`: first and last number, `bypass`, `fanout`.
    Queue(u16, u16, bool, bool),
}

impl Stmt {
    /// Visits the expressions of the statement.
    pub fn exprs<'a>(&'a self, f: &mut impl FnMut(&'a Expr)) {
        match self {
            Stmt::Match { left: e, .. } | Stmt::Vmap(e, _) | Stmt::MetaSet(_, e) | Stmt::CtSet(_, e) | Stmt::FieldSet(_, e) => e.visit(f),
            Stmt::Dyn { key, data, stmts, .. } => {
                key.visit(f);
                data.iter().for_each(|e| e.visit(f));
                stmts.iter().for_each(|s| s.exprs(f));
            }
            Stmt::Nat(n) => {
                for to in n.addr.iter().chain(&n.port) {
                    if let NatTo::Expr(e) = to {
                        e.visit(f);
                    }
                }
            }
            _ => {}
        }
    }

    /// The sets and maps that it looks into.
    pub fn links(&self) -> Vec<&SetLink> {
        let mut out = Vec::new();
        match self {
            Stmt::Match { right: Rhs::Set(l), .. } | Stmt::Vmap(_, l) => out.push(l),
            _ => {}
        }
        self.exprs(&mut |e| {
            if let Expr::Map(_, l) = e {
                out.push(l);
            }
        });
        out
    }

    /// Whether it needs connection tracking.
    pub fn needs_conntrack(&self) -> bool {
        let mut needs = matches!(self, Stmt::Nat(_) | Stmt::Notrack | Stmt::CtSet(..)) && !matches!(self, Stmt::Notrack);
        self.exprs(&mut |e| needs |= matches!(e, Expr::Ct(..)));
        needs
    }
}
