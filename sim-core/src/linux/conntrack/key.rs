//! What flows are found by.
//!
//! Models: net/netfilter/nf_conntrack_core.c hash_conntrack_raw; net/netfilter/nf_nat_core.c hash_by_src.
//! Simplifies: the seed is fixed.

use super::tuple::source_part;
use crate::packet::{Address, L4, Protocol, Tuple};
use std::hash::{Hash, Hasher};

/// A tuple with a hash that does not walk through enum tags.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Key<A>(pub(super) Tuple<A>);

fn write_addr<A: Address, H: Hasher>(addr: A, state: &mut H) {
    let bits = addr.to_bits();
    state.write_u64(bits as u64);
    if A::BITS > 64 {
        state.write_u64((bits >> 64) as u64);
    }
}

impl<A: Address> Hash for Key<A> {
    #[inline]
    fn hash<H: Hasher>(&self, state: &mut H) {
        let t = &self.0;
        let l4 = match t.l4 {
            L4::Ports { src, dst } => u64::from(src) << 16 | u64::from(dst),
            L4::Icmp { kind, code, id } => 1 << 48 | u64::from(kind) << 24 | u64::from(code) << 16 | u64::from(id),
            L4::None => 2 << 48,
        };
        if A::BITS <= 32 {
            state.write_u64((t.src.to_bits() as u64) << 32 | t.dst.to_bits() as u64);
        } else {
            write_addr(t.src, state);
            write_addr(t.dst, state);
        }
        state.write_u64(u64::from(t.protocol.0) << 56 | l4);
    }
}

/// Where a flow comes from: the key of `nat_bysource`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct SourceKey<A> {
    addr: A,
    protocol: Protocol,
    part: u16,
}

impl<A: Address> SourceKey<A> {
    pub(super) fn of(t: &Tuple<A>) -> Self {
        SourceKey { addr: t.src, protocol: t.protocol, part: source_part(t.l4) }
    }
}

impl<A: Address> Hash for SourceKey<A> {
    #[inline]
    fn hash<H: Hasher>(&self, state: &mut H) {
        write_addr(self.addr, state);
        state.write_u32(u32::from(self.protocol.0) << 16 | u32::from(self.part));
    }
}
