//! What a rule may ask of a packet beside its addresses, devices and protocol: one file per match, listed once here.
//!
//! ```text
//!   -m NAME --option …   ──parse──►  Match  ──save──►  -m NAME --option …
//!                                      │
//!                       packet ──► eval() ──► Ok, or the option that missed
//!                                      │
//!                               explain(option) ──► wanted, seen
//! ```

use super::eval::{MatchAt, MatchCx, Memory};
use super::option::{Opt, OptError};
use super::spec::RuleSpec;
use crate::linux::netfilter::Hook;
use crate::packet::Family;

/// The name of the option in which a packet did not fit.
pub type Field = &'static str;

macro_rules! registry {
    ($($file:ident :: $ty:ident $name:literal),* $(,)?) => {
        $(pub mod $file; pub use $file::$ty;)*

        /// One match of a rule.
        #[derive(Clone, Debug, PartialEq, Eq)]
        pub enum Match { $(#[doc = concat!("`-m ", $name, "`.")] $ty($ty)),* }

        $(impl From<$ty> for Match { fn from(m: $ty) -> Match { Match::$ty(m) } })*

        /// The names behind `-m` that are known, in alphabetical order; `state` is another name of `conntrack`.
        pub const NAMES: &[&str] = &[$($name),*];

        impl Match {
            /// The match called `name` before any option was read.
            pub fn new(name: &str, family: Family) -> Option<Match> {
                let mut m = Match::by_name(name, family)?;
                match &mut m {
                    Match::Recent(m) if family == Family::Inet => m.mask = 0xffff_ffff,
                    Match::Recent(m) => m.family = family,
                    Match::Connlimit(m) => m.family = family,
                    _ => {}
                }
                Some(m)
            }

            fn by_name(name: &str, family: Family) -> Option<Match> {
                let only = match name {
                    "icmp" | "ttl" | "realm" => Some(Family::Inet),
                    "frag" | "hbh" | "hl" | "icmp6" | "rt" => Some(Family::Inet6),
                    _ => None,
                };
                if only.is_some_and(|f| f != family) {
                    return None;
                }
                match name {
                    $($name => Some(Match::$ty($ty::default())),)*
                    "icmpv6" | "ipv6-icmp" => Match::by_name("icmp6", family),
                    "state" => Some(Match::Conntrack(Conntrack { alias: true, ..Conntrack::default() })),
                    _ => None,
                }
            }

            /// The extension's name.
            pub fn name(&self) -> &'static str {
                match self { $(Match::$ty(_) => $name),* }
            }

            /// Its options.
            pub fn opts(&self) -> &'static [Opt] {
                match self { Match::Conntrack(m) if m.alias => conntrack::STATE_OPTS, $(Match::$ty(_) => $ty::OPTS),* }
            }

            /// Takes the option of that place in the list.
            ///
            /// # Errors
            /// In the words of iptables, when the value cannot be.
            pub fn set(&mut self, opt: usize, invert: bool, args: &[&str], family: Family) -> Result<(), OptError> {
                match self { $(Match::$ty(m) => m.set(opt, invert, args, family)),* }
            }

            /// Checks the match against the whole rule; `seen` has a bit for each option given.
            ///
            /// # Errors
            /// In the words of iptables.
            pub fn check(&self, seen: u32, rule: &RuleSpec) -> Result<(), OptError> {
                match self { $(Match::$ty(m) => m.check(seen, rule)),* }
            }

            /// Writes the options as iptables-save does, each with a space before it.
            pub fn save(&self, out: &mut String) {
                match self { $(Match::$ty(m) => m.save(out)),* }
            }

            /// Writes what `iptables -L` prints, each part with a space before it; names instead of numbers unless `numeric`.
            pub fn list(&self, numeric: bool, out: &mut String) {
                match self { $(Match::$ty(m) => m.list(numeric, out)),* }
            }

            /// What the option `field` wanted, and what it saw.
            pub fn explain(&self, field: Field, cx: &MatchCx<'_>) -> (String, String) {
                match self { $(Match::$ty(m) => m.explain(field, cx)),* }
            }
        }
    };
}

registry! {
    addrtype::Addrtype "addrtype",
    comment::Comment "comment",
    connlimit::Connlimit "connlimit",
    connmark::Connmark "connmark",
    conntrack::Conntrack "conntrack",
    dccp::Dccp "dccp",
    dscp::Dscp "dscp",
    ecn::Ecn "ecn",
    frag::Frag "frag",
    hashlimit::Hashlimit "hashlimit",
    hbh::Hbh "hbh",
    hl::Hl "hl",
    icmp::Icmp "icmp",
    icmp6::Icmp6 "icmp6",
    iprange::Iprange "iprange",
    length::Length "length",
    limit::Limit "limit",
    mac::Mac "mac",
    mark::Mark "mark",
    multiport::Multiport "multiport",
    nfacct::Nfacct "nfacct",
    owner::Owner "owner",
    physdev::Physdev "physdev",
    pkttype::Pkttype "pkttype",
    quota::Quota "quota",
    recent::Recent "recent",
    rpfilter::Rpfilter "rpfilter",
    rt::Rt "rt",
    sctp::Sctp "sctp",
    set::Set "set",
    socket::Socket "socket",
    statistic::Statistic "statistic",
    string::StringMatch "string",
    tcp::Tcp "tcp",
    tcpmss::Tcpmss "tcpmss",
    tos::Tos "tos",
    ttl::Ttl "ttl",
    u32::U32 "u32",
    udp::Udp "udp",
}

#[inline]
fn asked(fits: bool, field: Field) -> Result<(), Field> {
    if fits { Ok(()) } else { Err(field) }
}

/// Matches that real hosts have and the simulation has not.
pub const NOT_SIMULATED: &[&str] = &[
    "ah",
    "bpf",
    "cgroup",
    "cluster",
    "connbytes",
    "connlabel",
    "cpu",
    "devgroup",
    "dst",
    "esp",
    "eui64",
    "helper",
    "ipcomp",
    "ipv6header",
    "ipvs",
    "mh",
    "osf",
    "policy",
    "rateest",
    "realm",
    "srh",
    "time",
];

impl Match {
    /// The name that iptables-save prints: `state` where the rule was written so.
    pub fn shown_name(&self) -> &'static str {
        match self {
            Match::Conntrack(m) if m.alias => "state",
            m => m.name(),
        }
    }

    /// Asks the match about a packet. `at` says which match of which rule it is, for those with a memory.
    ///
    /// # Errors
    /// The option in which the packet did not fit.
    #[inline]
    pub fn eval<M: Memory>(&self, cx: &MatchCx<'_>, at: MatchAt, memory: &mut M) -> Result<(), Field> {
        match self {
            Match::Comment(_) | Match::Nfacct(_) => Ok(()),
            Match::Tcp(m) => m.eval(cx),
            Match::Udp(m) => m.eval(cx),
            Match::Conntrack(m) => m.eval(cx),
            Match::Mark(m) => m.eval(cx),
            Match::Statistic(m) => asked(memory.ask(at, self, cx), m.field()),
            Match::Recent(m) => asked(memory.ask(at, self, cx), m.field()),
            Match::Limit(_) => asked(memory.ask(at, self, cx), "limit"),
            Match::Hashlimit(m) => asked(memory.ask(at, self, cx), m.field()),
            Match::Quota(_) => asked(memory.ask(at, self, cx), "quota"),
            Match::Connlimit(m) => asked(memory.ask(at, self, cx), m.field()),
            Match::Socket(_) => asked(memory.ask(at, self, cx), "socket"),
            Match::Owner(m) => asked(memory.ask(at, self, cx), m.field()),
            Match::Rpfilter(_) => asked(memory.ask(at, self, cx), "rpfilter"),
            Match::Connmark(m) => m.eval(cx),
            Match::Set(m) => m.eval(cx, memory),
            Match::Dccp(m) => m.eval(cx),
            Match::Dscp(m) => m.eval(cx),
            Match::Ecn(m) => m.eval(cx),
            Match::Iprange(m) => m.eval(cx),
            Match::Length(m) => m.eval(cx),
            Match::Pkttype(m) => m.eval(cx),
            Match::Sctp(m) => m.eval(cx),
            Match::StringMatch(m) => m.eval(cx),
            Match::Tcpmss(m) => m.eval(cx),
            Match::Tos(m) => m.eval(cx),
            Match::U32(m) => m.eval(cx),
            Match::Frag(m) => m.eval(cx),
            Match::Hbh(m) => m.eval(cx),
            Match::Rt(m) => m.eval(cx),
            Match::Addrtype(m) => m.eval(cx),
            Match::Multiport(m) => m.eval(cx),
            Match::Icmp(m) => m.eval(cx),
            Match::Icmp6(m) => m.eval(cx),
            Match::Ttl(m) => m.eval(cx),
            Match::Hl(m) => m.eval(cx),
            Match::Physdev(m) => m.eval(cx),
            Match::Mac(m) => m.eval(cx),
        }
    }

    /// Whether the kernel takes it in a chain that this hook reaches.
    pub(crate) fn fits_hook(&self, hook: Hook) -> bool {
        match self {
            Match::Addrtype(m) => m.fits_hook(hook),
            Match::Mac(_) => matches!(hook, Hook::Prerouting | Hook::Input | Hook::Forward),
            Match::Rpfilter(_) => hook == Hook::Prerouting,
            Match::Socket(_) => matches!(hook, Hook::Prerouting | Hook::Input),
            Match::Owner(_) => matches!(hook, Hook::Output | Hook::Postrouting),
            Match::Physdev(m) => m.output.is_none() && m.is_out.is_none() || hook != Hook::Output,
            _ => true,
        }
    }

    /// Whether its answer is one of a memory or a die, so that asking it leaves a trace.
    pub fn is_stateful(&self) -> bool {
        matches!(
            self,
            Match::Statistic(_)
                | Match::Recent(_)
                | Match::Limit(_)
                | Match::Hashlimit(_)
                | Match::Quota(_)
                | Match::Connlimit(_)
                | Match::Socket(_)
                | Match::Owner(_)
                | Match::Rpfilter(_)
                | Match::Set(_)
        )
    }

    /// Whether it needs connection tracking in its namespace.
    pub fn needs_conntrack(&self) -> bool {
        matches!(self, Match::Conntrack(_) | Match::Connmark(_) | Match::Connlimit(_))
    }
}
