//! Addresses of a device.
//!
//! Models: include/linux/inetdevice.h struct in_ifaddr.

use crate::linux::id::{RowId, Source};
use crate::packet::{Address, Prefix};

/// How far an address or a route is valid.
///
/// Models: include/uapi/linux/rtnetlink.h enum rt_scope_t; a larger number is narrower.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub enum Scope {
    /// 0, everywhere.
    #[default]
    Universe = 0,
    /// 200, inside this site (IPv6).
    Site = 200,
    /// 253, on this link.
    Link = 253,
    /// 254, on this host.
    Host = 254,
    /// 255, nowhere: the destination does not exist.
    Nowhere = 255,
}

impl Scope {
    /// The name that `ip` prints.
    pub fn name(self) -> &'static str {
        match self {
            Scope::Universe => "global",
            Scope::Site => "site",
            Scope::Link => "link",
            Scope::Host => "host",
            Scope::Nowhere => "nowhere",
        }
    }
}

/// One address of a device.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct IfAddr<A> {
    /// Row number.
    pub row: RowId,
    /// `ifa_local`: the address itself.
    pub local: A,
    /// `ifa_address` and `ifa_prefixlen`: the range that is on the link.
    pub prefix: Prefix<A>,
    /// The address of the other end, where it differs from `local` (`peer`).
    pub peer: Option<A>,
    /// Broadcast address, if one is set.
    pub broadcast: Option<A>,
    /// How far it is valid.
    pub scope: Scope,
    /// Whether another address of the same range came first (IFA_F_SECONDARY).
    pub secondary: bool,
    /// Whether no connected route is made (`noprefixroute`).
    pub noprefixroute: bool,
    /// How far duplicate address detection is (IPv6).
    pub dad: Dad,
    /// What made it.
    pub source: Source,
}

/// How far duplicate address detection of an address is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub enum Dad {
    /// The address may be used.
    #[default]
    Done,
    /// IFA_F_TENTATIVE: nobody has objected so far.
    Tentative,
    /// IFA_F_DADFAILED: another host has it.
    Failed,
}

impl<A: Address> IfAddr<A> {
    /// Whether `addr` is on this link according to the range.
    #[inline]
    pub fn holds(&self, addr: A) -> bool {
        self.prefix.contains(addr)
    }
}
