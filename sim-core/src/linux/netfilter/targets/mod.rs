//! What a rule does with a packet that fits: one file per target, listed once here.
//!
//! ```text
//!   verdicts        ACCEPT DROP RETURN, -j CHAIN, -g CHAIN, nothing at all
//!   answers         REJECT
//!   changes         MARK CONNMARK TOS DSCP TTL HL ECN TCPMSS CHECKSUM CLASSIFY SET CT NOTRACK TPROXY
//!   tells           LOG NFLOG TRACE NFQUEUE
//!   translations    DNAT SNAT MASQUERADE REDIRECT NETMAP      nat table only
//! ```

use super::option::{Opt, OptError, plain_word};
use super::spec::RuleSpec;
use super::xtables::TableKind;
use crate::linux::netfilter::Hook;
use crate::packet::Family;
use std::sync::Arc;

macro_rules! registry {
    ($($file:ident :: $ty:ident $name:literal),* $(,)?) => {
        $(pub mod $file; pub use $file::$ty;)*

        /// What a rule does with a packet that fits.
        #[derive(Clone, Debug, PartialEq, Eq, Default)]
        pub enum Target {
            /// No `-j`: the packet is counted and goes on.
            #[default]
            None,
            /// `-j ACCEPT`.
            Accept,
            /// `-j DROP`.
            Drop,
            /// `-j RETURN`.
            Return,
            /// `-j CHAIN`.
            Jump(Arc<str>),
            /// `-g CHAIN`.
            Goto(Arc<str>),
            $(#[doc = concat!("`-j ", $name, "`.")] $ty($ty)),*
        }

        $(impl From<$ty> for Target { fn from(t: $ty) -> Target { Target::$ty(t) } })*

        /// The names behind `-j` that are known beside the verdicts, in alphabetical order.
        pub const NAMES: &[&str] = &[$($name),*];

        impl Target {
            /// The target called `name` before any option was read; none for a chain's name.
            pub fn new(name: &str, family: Family) -> Option<Target> {
                match name {
                    "TTL" | "ECN" if family == Family::Inet6 => None,
                    "HL" if family == Family::Inet => None,
                    "REJECT" if family == Family::Inet6 => Some(Target::Reject(Reject::of_family(family))),
                    "ACCEPT" => Some(Target::Accept),
                    "DROP" => Some(Target::Drop),
                    "RETURN" => Some(Target::Return),
                    $($name => Some(Target::$ty($ty::default())),)*
                    _ => None,
                }
            }

            /// The name behind `-j` or `-g`; empty if there is neither.
            pub fn name(&self) -> &str {
                match self {
                    Target::None => "",
                    Target::Accept => "ACCEPT",
                    Target::Drop => "DROP",
                    Target::Return => "RETURN",
                    Target::Jump(c) | Target::Goto(c) => c,
                    $(Target::$ty(_) => $name),*
                }
            }

            /// Its options.
            pub fn opts(&self) -> &'static [Opt] {
                match self { $(Target::$ty(_) => $ty::OPTS,)* _ => &[] }
            }

            /// Takes the option of that place in the list.
            ///
            /// # Errors
            /// In the words of iptables, when the value cannot be.
            pub fn set(&mut self, opt: usize, args: &[&str], family: Family) -> Result<(), OptError> {
                match self { $(Target::$ty(t) => t.set(opt, args, family),)* _ => Ok(()) }
            }

            /// Checks the target against the whole rule; `seen` has a bit for each option given.
            ///
            /// # Errors
            /// In the words of iptables.
            pub fn check(&self, seen: u32, rule: &RuleSpec) -> Result<(), OptError> {
                match self { $(Target::$ty(t) => t.check(seen, rule),)* _ => Ok(()) }
            }

            /// Writes the options as iptables-save does, each with a space before it.
            pub fn save(&self, out: &mut String) {
                match self { $(Target::$ty(t) => t.save(out),)* _ => {} }
            }

            /// Writes what `iptables -L` prints, each part with a space before it; names instead of numbers unless `numeric`.
            pub fn list(&self, numeric: bool, out: &mut String) {
                match self { $(Target::$ty(t) => t.list(numeric, out),)* _ => {} }
            }
        }
    };
}

registry! {
    checksum::Checksum "CHECKSUM",
    classify::Classify "CLASSIFY",
    connmark::Connmark "CONNMARK",
    ct::Ct "CT",
    dnat::Dnat "DNAT",
    dscp::Dscp "DSCP",
    ecn::Ecn "ECN",
    hl::Hl "HL",
    log::Log "LOG",
    mark::Mark "MARK",
    masquerade::Masquerade "MASQUERADE",
    netmap::Netmap "NETMAP",
    nflog::Nflog "NFLOG",
    nfqueue::Nfqueue "NFQUEUE",
    notrack::Notrack "NOTRACK",
    redirect::Redirect "REDIRECT",
    reject::Reject "REJECT",
    set::Set "SET",
    snat::Snat "SNAT",
    tcpmss::Tcpmss "TCPMSS",
    tos::Tos "TOS",
    tproxy::Tproxy "TPROXY",
    trace::Trace "TRACE",
    ttl::Ttl "TTL",
}

/// Targets that real hosts have and the simulation has not.
pub const NOT_SIMULATED: &[&str] = &[
    "AUDIT",
    "CLUSTERIP",
    "CONNSECMARK",
    "DNPT",
    "HMARK",
    "IDLETIMER",
    "LED",
    "RATEEST",
    "SECMARK",
    "SNPT",
    "SYNPROXY",
    "TCPOPTSTRIP",
    "TEE",
    "ULOG",
];

impl Target {
    /// Writes ` -j NAME` or ` -g NAME` with the options.
    pub fn save_with_jump(&self, out: &mut String) {
        if matches!(self, Target::None) {
            return;
        }
        out.push_str(if matches!(self, Target::Goto(_)) { " -g " } else { " -j " });
        out.push_str(&plain_word(self.name()));
        self.save(out);
    }

    /// The chain that a jump or goto leads to.
    #[inline]
    pub fn chain(&self) -> Option<&Arc<str>> {
        match self {
            Target::Jump(c) | Target::Goto(c) => Some(c),
            _ => None,
        }
    }

    /// Whether the kernel takes it in that table.
    pub fn fits_table(&self, table: TableKind) -> bool {
        match self {
            Target::Dnat(_) | Target::Snat(_) | Target::Masquerade(_) | Target::Redirect(_) | Target::Netmap(_) => table == TableKind::Nat,
            Target::Ct(_) | Target::Notrack(_) => table == TableKind::Raw,
            Target::Checksum(_)
            | Target::Dscp(_)
            | Target::Ecn(_)
            | Target::Hl(_)
            | Target::Tos(_)
            | Target::Tproxy(_)
            | Target::Ttl(_) => table == TableKind::Mangle,
            Target::Reject(_) => table == TableKind::Filter,
            _ => true,
        }
    }

    /// Whether the kernel takes it in a chain that this hook reaches.
    pub fn fits_hook(&self, hook: Hook) -> bool {
        match self {
            Target::Dnat(_) | Target::Redirect(_) => matches!(hook, Hook::Prerouting | Hook::Output),
            Target::Snat(_) => matches!(hook, Hook::Postrouting | Hook::Input),
            Target::Masquerade(_) => hook == Hook::Postrouting,
            Target::Tproxy(_) => hook == Hook::Prerouting,
            Target::Classify(_) => matches!(hook, Hook::Output | Hook::Forward | Hook::Postrouting),
            Target::Tcpmss(t) => !t.clamp || matches!(hook, Hook::Output | Hook::Forward | Hook::Postrouting),
            Target::Netmap(_) => hook != Hook::Forward,
            Target::Reject(_) => matches!(hook, Hook::Input | Hook::Forward | Hook::Output),
            _ => true,
        }
    }

    /// Whether it needs connection tracking in its namespace.
    pub fn needs_conntrack(&self) -> bool {
        match self {
            Target::Dnat(_) | Target::Snat(_) | Target::Masquerade(_) | Target::Redirect(_) | Target::Netmap(_) | Target::Connmark(_) => {
                true
            }
            // who wants no tracking needs none (xt_ct_tg_check)
            Target::Ct(c) => !c.notrack,
            _ => false,
        }
    }
}
