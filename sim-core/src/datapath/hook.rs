//! What a netfilter hook is told, and what it answers.
//!
//! Models: include/linux/netfilter.h struct nf_hook_state, NF_DROP/NF_ACCEPT/NF_STOLEN/NF_REPEAT.

use crate::linux::IfIndex;
use crate::linux::netfilter::Hook;

/// Where a packet is when a hook looks at it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct HookState {
    /// The hook.
    pub hook: Hook,
    /// Input device; none in OUTPUT.
    pub iif: IfIndex,
    /// Output device; none in PREROUTING and INPUT.
    pub oif: IfIndex,
}

/// What a hook function says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NfVerdict {
    /// On to the next one.
    Accept,
    /// The packet ends here.
    Drop,
    /// The hook has taken the packet.
    Stolen,
    /// Ask this function again (conntrack: the old entry is gone).
    Repeat,
}
