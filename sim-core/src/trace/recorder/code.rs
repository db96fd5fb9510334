//! Codes in small numbers, and their way back.

use crate::linux::fib::RouteType;
use crate::linux::neighbour::NudState;
use crate::linux::netfilter::{Hook, NfFamily, TableKind};
use crate::linux::{IfIndex, PktType};
use crate::packet::Mac;
use crate::trace::DropReason;
use crate::trace::evidence::{CtCode, FdbVerdict, NeighAction, RuleAt, Verdict};

/// A value out of a few.
pub(super) trait Code: Copy + 'static {
    /// All of them; the code is the place here.
    const ALL: &'static [Self];

    /// The code.
    fn code(self) -> u64;

    /// The value of a code; the first one if there is no such code.
    #[inline]
    fn of(code: u64) -> Self {
        Self::ALL[usize::try_from(code).ok().filter(|c| *c < Self::ALL.len()).unwrap_or(0)]
    }
}

macro_rules! codes {
    ($($ty:ident { $($name:ident),* $(,)? })*) => { $(
        impl Code for $ty {
            const ALL: &'static [Self] = &[$($ty::$name),*];

            #[inline(always)]
            fn code(self) -> u64 {
                // a match, so that a new value is missed here at once
                match self { $($ty::$name => $ty::$name as u64),* }
            }
        }

        const _: () = {
            let mut i = 0;
            while i < <$ty as Code>::ALL.len() {
                assert!(<$ty as Code>::ALL[i] as usize == i);
                i += 1;
            }
        };
    )* };
}

codes! {
    NudState { None, Incomplete, Reachable, Stale, Delay, Probe, Failed, Noarp, Permanent }
    RouteType { Unicast, Local, Broadcast, Multicast, Anycast, Blackhole, Unreachable, Prohibit, Throw }
    PktType { Host, Broadcast, Multicast, OtherHost, Outgoing }
    Verdict { Accept, Drop, Jump, Goto, Return, Continue, Stolen }
    NeighAction { Sent, Queued, Dropped }
    NfFamily { Ip, Ip6, Bridge }
    Hook { Prerouting, Input, Forward, Output, Postrouting }
    TableKind { Raw, Mangle, Nat, Filter, Security }
}

impl Code for DropReason {
    const ALL: &'static [Self] = DropReason::ALL;

    #[inline(always)]
    fn code(self) -> u64 {
        self as u64
    }
}

#[inline(always)]
pub(super) fn of_ct(ct: CtCode) -> u32 {
    u32::from(ct.info) | u32::from(ct.tracked) << 8 | u32::from(ct.status.0) << 16
}

pub(super) fn ct_of(n: u32) -> CtCode {
    CtCode { info: n as u8, tracked: n & 0x100 != 0, status: crate::linux::conntrack::CtStatus((n >> 16) as u16) }
}

#[inline(always)]
pub(super) fn of_mac(mac: Mac) -> u64 {
    let [a, b, c, d, e, f] = mac.0;
    u64::from_le_bytes([a, b, c, d, e, f, 0, 0])
}

pub(super) fn mac_of(n: u64) -> Mac {
    let [a, b, c, d, e, f, ..] = n.to_le_bytes();
    Mac([a, b, c, d, e, f])
}

/// Kind and place.
#[inline(always)]
pub(super) fn of_rule_at(at: RuleAt) -> (u64, u32) {
    match at {
        RuleAt::Rule(n) => (0, n),
        RuleAt::Policy => (1, 0),
        RuleAt::End => (2, 0),
    }
}

pub(super) fn rule_at_of(kind: u64, n: u32) -> RuleAt {
    match kind {
        0 => RuleAt::Rule(n),
        1 => RuleAt::Policy,
        _ => RuleAt::End,
    }
}

/// Kind and port.
#[inline(always)]
pub(super) fn of_fdb(verdict: FdbVerdict) -> (u64, u32) {
    match verdict {
        FdbVerdict::Local => (0, 0),
        FdbVerdict::Port(p) => (1, p.0),
        FdbVerdict::Flood => (2, 0),
        FdbVerdict::Nowhere => (3, 0),
    }
}

pub(super) fn fdb_of(kind: u64, port: u32) -> FdbVerdict {
    match kind {
        0 => FdbVerdict::Local,
        1 => FdbVerdict::Port(IfIndex(port)),
        2 => FdbVerdict::Flood,
        _ => FdbVerdict::Nowhere,
    }
}
