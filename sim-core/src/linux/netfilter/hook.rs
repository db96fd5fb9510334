//! The places where netfilter looks at a packet.
//!
//! Models: include/uapi/linux/netfilter.h enum nf_inet_hooks, include/uapi/linux/netfilter_ipv4.h (priorities).
//!
//! ```text
//!   device ─► PREROUTING ─► route ─► FORWARD ─► POSTROUTING ─► device
//!                             │                      ▲
//!                             ▼                      │
//!                           INPUT ─► process ─► OUTPUT
//! ```

use std::fmt;

/// A hook of the ip or the bridge family.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Hook {
    /// NF_INET_PRE_ROUTING.
    Prerouting = 0,
    /// NF_INET_LOCAL_IN.
    Input = 1,
    /// NF_INET_FORWARD.
    Forward = 2,
    /// NF_INET_LOCAL_OUT.
    Output = 3,
    /// NF_INET_POST_ROUTING.
    Postrouting = 4,
}

impl Hook {
    /// All hooks, by number.
    pub const ALL: [Hook; 5] = [Hook::Prerouting, Hook::Input, Hook::Forward, Hook::Output, Hook::Postrouting];

    /// The built-in chain's name: `PREROUTING`.
    pub fn chain(self) -> &'static str {
        match self {
            Hook::Prerouting => "PREROUTING",
            Hook::Input => "INPUT",
            Hook::Forward => "FORWARD",
            Hook::Output => "OUTPUT",
            Hook::Postrouting => "POSTROUTING",
        }
    }

    /// The name in lower case, as nft writes it: `prerouting`.
    pub fn name(self) -> &'static str {
        match self {
            Hook::Prerouting => "prerouting",
            Hook::Input => "input",
            Hook::Forward => "forward",
            Hook::Output => "output",
            Hook::Postrouting => "postrouting",
        }
    }

    /// The hook of that number.
    pub fn from_index(i: usize) -> Option<Hook> {
        Self::ALL.get(i).copied()
    }
}

impl fmt::Display for Hook {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.chain())
    }
}

/// Whose hooks.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum NfFamily {
    /// NFPROTO_IPV4.
    Ip,
    /// NFPROTO_IPV6.
    Ip6,
    /// NFPROTO_BRIDGE.
    Bridge,
}

impl NfFamily {
    /// `ip`, `ip6`, `bridge`.
    pub fn name(self) -> &'static str {
        match self {
            NfFamily::Ip => "ip",
            NfFamily::Ip6 => "ip6",
            NfFamily::Bridge => "bridge",
        }
    }
}
