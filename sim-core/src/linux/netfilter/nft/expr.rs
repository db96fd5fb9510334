//! Expressions: what a rule asks of a packet.
//!
//! Models: net/netfilter/nft_meta.c, nft_ct.c, nft_fib.c, nft_numgen.c, nft_hash.c, nft_bitwise.c, nft_lookup.c; nft 1.0.6
//! src/meta.c, src/ct.c, src/fib.c for the names.

use super::datatype::{Data, DataType};
use super::field::Field;
use super::set::SetLink;
use crate::linux::conntrack::Dir;

/// Keys of `meta`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum MetaKey {
    /// `length`.
    Length,
    /// `protocol`.
    Protocol,
    /// `nfproto`.
    Nfproto,
    /// `l4proto`.
    L4proto,
    /// `priority`.
    Priority,
    /// `mark`.
    Mark,
    /// `iif`.
    Iif,
    /// `iifname`.
    Iifname,
    /// `iiftype`.
    Iiftype,
    /// `oif`.
    Oif,
    /// `oifname`.
    Oifname,
    /// `oiftype`.
    Oiftype,
    /// `skuid`.
    Skuid,
    /// `skgid`.
    Skgid,
    /// `nftrace`.
    Nftrace,
    /// `pkttype`.
    Pkttype,
    /// `cpu`.
    Cpu,
    /// `cgroup`.
    Cgroup,
    /// `random`.
    Random,
}

use DataType as T;
use MetaKey as M;

impl MetaKey {
    /// All.
    pub const ALL: [MetaKey; 19] = [
        M::Length,
        M::Protocol,
        M::Nfproto,
        M::L4proto,
        M::Priority,
        M::Mark,
        M::Iif,
        M::Iifname,
        M::Iiftype,
        M::Oif,
        M::Oifname,
        M::Oiftype,
        M::Skuid,
        M::Skgid,
        M::Nftrace,
        M::Pkttype,
        M::Cpu,
        M::Cgroup,
        M::Random,
    ];

    /// Its word.
    pub fn name(self) -> &'static str {
        match self {
            M::Length => "length",
            M::Protocol => "protocol",
            M::Nfproto => "nfproto",
            M::L4proto => "l4proto",
            M::Priority => "priority",
            M::Mark => "mark",
            M::Iif => "iif",
            M::Iifname => "iifname",
            M::Iiftype => "iiftype",
            M::Oif => "oif",
            M::Oifname => "oifname",
            M::Oiftype => "oiftype",
            M::Skuid => "skuid",
            M::Skgid => "skgid",
            M::Nftrace => "nftrace",
            M::Pkttype => "pkttype",
            M::Cpu => "cpu",
            M::Cgroup => "cgroup",
            M::Random => "random",
        }
    }

    /// Whether nft prints it without `meta` (those that once were words of their own).
    pub fn is_bare(self) -> bool {
        matches!(self, M::Iif | M::Iifname | M::Iiftype | M::Oif | M::Oifname | M::Oiftype) && !matches!(self, M::Iiftype | M::Oiftype)
    }

    /// Whether nft takes it without `meta`.
    pub fn may_be_bare(self) -> bool {
        matches!(
            self,
            M::Mark
                | M::Iif
                | M::Iifname
                | M::Iiftype
                | M::Oif
                | M::Oifname
                | M::Oiftype
                | M::Skuid
                | M::Skgid
                | M::Nftrace
                | M::Pkttype
                | M::Cpu
                | M::Cgroup
        )
    }

    /// The type of its value.
    #[inline]
    pub fn data_type(self) -> DataType {
        match self {
            M::Length | M::Cpu | M::Random => T::Integer(32),
            M::Protocol => T::EtherType,
            M::Nfproto => T::NfProto,
            M::L4proto => T::InetProto,
            M::Priority => T::ClassId,
            M::Mark => T::Mark,
            M::Iif | M::Oif => T::IfIndex,
            M::Iifname | M::Oifname => T::IfName,
            M::Iiftype | M::Oiftype => T::IfType,
            M::Skuid => T::Uid,
            M::Skgid => T::Gid,
            M::Nftrace => T::Integer(1),
            M::Pkttype => T::PktType,
            M::Cgroup => T::Cgroup,
        }
    }
}

/// Keys of `ct`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum CtKey {
    /// `state`.
    State,
    /// `direction`.
    Direction,
    /// `status`.
    Status,
    /// `mark`.
    Mark,
    /// `expiration`, in milliseconds.
    Expiration,
    /// `l3proto`.
    L3proto,
    /// `protocol`.
    Protocol,
    /// `zone`.
    Zone,
    /// `ip saddr`.
    SaddrIp,
    /// `ip daddr`.
    DaddrIp,
    /// `ip6 saddr`.
    SaddrIp6,
    /// `ip6 daddr`.
    DaddrIp6,
    /// `proto-src`.
    ProtoSrc,
    /// `proto-dst`.
    ProtoDst,
}

use CtKey as C;

impl CtKey {
    /// All.
    pub const ALL: [CtKey; 14] = [
        C::State,
        C::Direction,
        C::Status,
        C::Mark,
        C::Expiration,
        C::L3proto,
        C::Protocol,
        C::Zone,
        C::SaddrIp,
        C::DaddrIp,
        C::SaddrIp6,
        C::DaddrIp6,
        C::ProtoSrc,
        C::ProtoDst,
    ];

    /// Its words.
    pub fn name(self) -> &'static str {
        match self {
            C::State => "state",
            C::Direction => "direction",
            C::Status => "status",
            C::Mark => "mark",
            C::Expiration => "expiration",
            C::L3proto => "l3proto",
            C::Protocol => "protocol",
            C::Zone => "zone",
            C::SaddrIp => "ip saddr",
            C::DaddrIp => "ip daddr",
            C::SaddrIp6 => "ip6 saddr",
            C::DaddrIp6 => "ip6 daddr",
            C::ProtoSrc => "proto-src",
            C::ProtoDst => "proto-dst",
        }
    }

    /// Whether it needs a direction.
    pub fn wants_dir(self) -> bool {
        matches!(self, C::SaddrIp | C::DaddrIp | C::SaddrIp6 | C::DaddrIp6 | C::ProtoSrc | C::ProtoDst)
    }

    /// The type of its value.
    #[inline]
    pub fn data_type(self) -> DataType {
        match self {
            C::State => T::CtState,
            C::Direction => T::CtDir,
            C::Status => T::CtStatus,
            C::Mark => T::Mark,
            C::Expiration => T::Integer(32),
            C::L3proto => T::NfProto,
            C::Protocol => T::InetProto,
            C::Zone => T::Integer(16),
            C::SaddrIp | C::DaddrIp => T::Ipv4Addr,
            C::SaddrIp6 | C::DaddrIp6 => T::Ipv6Addr,
            C::ProtoSrc | C::ProtoDst => T::InetService,
        }
    }
}

/// What a lookup in the routes shall answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum FibResult {
    /// `type`.
    Type,
    /// `oif`.
    Oif,
    /// `oifname`.
    Oifname,
}

/// `fib`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct FibExpr {
    /// Whether the source address is looked up, else the destination.
    pub saddr: bool,
    /// `. mark`.
    pub mark: bool,
    /// `. iif`.
    pub iif: bool,
    /// `. oif`.
    pub oif: bool,
    /// What is asked.
    pub result: FibResult,
    /// `exists` and `missing`: only whether there is an answer.
    pub present: bool,
}

/// `numgen`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Numgen {
    /// `random`, else `inc`.
    pub random: bool,
    /// `mod`.
    pub modulus: u32,
    /// `offset`.
    pub offset: u32,
}

/// `jhash` and `symhash`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HashExpr {
    /// What is hashed; none for `symhash`, the hash of the flow.
    pub of: Option<Expr>,
    /// `mod`.
    pub modulus: u32,
    /// `seed`; none for a seed that the kernel draws.
    pub seed: Option<u32>,
    /// `offset`.
    pub offset: u32,
}

/// An expression.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Expr {
    /// A field of a header.
    Field(Field),
    /// `meta KEY`.
    Meta(MetaKey),
    /// `ct [original|reply] KEY`.
    Ct(CtKey, Option<Dir>),
    /// `fib …`.
    Fib(FibExpr),
    /// `numgen …`.
    Numgen(Numgen),
    /// `jhash …`, `symhash …`.
    Hash(Box<HashExpr>),
    /// Several, joined by ` . `.
    Concat(Vec<Expr>),
    /// `(EXPR & mask) ^ xor`, as the kernel keeps it.
    Bitwise(Box<Expr>, Data, Data),
    /// `EXPR map …`.
    Map(Box<Expr>, SetLink),
    /// A value.
    Value(DataType, Data),
}

impl Expr {
    /// The types of its parts; one, but for a concatenation.
    pub fn types(&self) -> Vec<DataType> {
        match self {
            Expr::Concat(parts) => parts.iter().flat_map(Expr::types).collect(),
            Expr::Map(_, link) => link.data_types(),
            other => vec![other.data_type()],
        }
    }

    /// The type of an expression that is not joined of several.
    pub fn data_type(&self) -> DataType {
        match self {
            Expr::Field(f) => f.data_type(),
            Expr::Meta(k) => k.data_type(),
            Expr::Ct(k, _) => k.data_type(),
            Expr::Fib(f) if f.present => T::Exists,
            Expr::Fib(f) => match f.result {
                FibResult::Type => T::FibAddrType,
                FibResult::Oif => T::IfIndex,
                FibResult::Oifname => T::IfName,
            },
            Expr::Numgen(_) | Expr::Hash(_) => T::Integer(32),
            Expr::Concat(parts) => parts.first().map_or(T::Integer(32), Expr::data_type),
            Expr::Bitwise(e, ..) => e.data_type(),
            Expr::Map(_, link) => link.data_types().first().copied().unwrap_or(T::Integer(32)),
            Expr::Value(t, _) => *t,
        }
    }

    /// Visits this and all that it is made of.
    pub fn visit<'a>(&'a self, f: &mut impl FnMut(&'a Expr)) {
        f(self);
        match self {
            Expr::Concat(parts) => parts.iter().for_each(|p| p.visit(f)),
            Expr::Bitwise(e, ..) | Expr::Map(e, _) => e.visit(f),
            Expr::Hash(h) => h.of.iter().for_each(|e| e.visit(f)),
            _ => {}
        }
    }

    /// Whether it needs connection tracking.
    pub fn needs_conntrack(&self) -> bool {
        let mut needs = false;
        self.visit(&mut |e| needs |= matches!(e, Expr::Ct(..)));
        needs
    }
}
