//! The functions that stand at each hook, in the order in which they look at a packet.
//!
//! Models: net/netfilter/core.c nf_hook_entries_grow, include/uapi/linux/netfilter_ipv4.h and netfilter_bridge.h (priorities),
//! net/netfilter/nf_nat_core.c nf_nat_register_fn, net/bridge/br_netfilter_hooks.c br_nf_ops.
//! Simplifies: no egress and no ingress; iptables' tables register when their chain comes into being, and keep their place while it lives.
//!
//! ```text
//!   PREROUTING   defrag -400 · raw -300 · conntrack -200 · mangle -150 · nat -100
//!   INPUT                                                  mangle -150 · filter 0 · security 50 · nat 100 · confirm
//!   FORWARD                                                mangle -150 · filter 0 · security 50
//!   OUTPUT       defrag -400 · raw -300 · conntrack -200 · mangle -150 · nat -100 · filter 0 · security 50
//!   POSTROUTING                                            mangle -150 · nat 100 · confirm
//! ```
//!
//! Base chains of nftables stand among them at any priority. Of two functions with one priority the newer one comes first.
//! Chains of type nat do not stand at the hook themselves: the family's NAT function does, at a priority of its own, and asks
//! them in the order of theirs.

use super::hook::{Hook, NfFamily};
use super::nft::ChainRef;
use super::xtables::{TableKind, Xtables};

/// A function at a hook.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum HookFn {
    /// ipv4_conntrack_defrag: fragments wait for each other.
    Defrag,
    /// nf_conntrack_in.
    Conntrack,
    /// nf_nat_ipv4_fn and its relatives: asks the chains of type nat, and rewrites.
    Nat,
    /// nf_confirm.
    Confirm,
    /// br_netfilter: the hooks of ip inside those of the bridge family.
    BrNetfilter,
    /// A built-in chain of iptables.
    Xt(TableKind),
    /// A base chain of nftables.
    Nft(ChainRef),
    /// ip_vs_out_hook, or ip_vs_forward_icmp where the second is set.
    IpvsOut(bool),
    /// ip_vs_in_hook.
    IpvsIn,
}

/// A function and where it stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct HookEntry {
    /// Lower goes first.
    pub priority: i32,
    /// What looks at the packet.
    pub func: HookFn,
}

/// Priorities of the ip and ip6 families (enum nf_ip_hook_priorities).
pub mod priority {
    /// NF_IP_PRI_CONNTRACK_DEFRAG.
    pub const CONNTRACK_DEFRAG: i32 = -400;
    /// NF_IP_PRI_RAW.
    pub const RAW: i32 = -300;
    /// NF_IP_PRI_CONNTRACK.
    pub const CONNTRACK: i32 = -200;
    /// NF_IP_PRI_MANGLE.
    pub const MANGLE: i32 = -150;
    /// NF_IP_PRI_NAT_DST.
    pub const NAT_DST: i32 = -100;
    /// NF_IP_PRI_FILTER.
    pub const FILTER: i32 = 0;
    /// NF_IP_PRI_SECURITY.
    pub const SECURITY: i32 = 50;
    /// NF_IP_PRI_NAT_SRC.
    pub const NAT_SRC: i32 = 100;
    /// NF_IP_PRI_CONNTRACK_CONFIRM.
    pub const CONFIRM: i32 = i32::MAX;
    /// NF_BR_PRI_BRNF.
    pub const BRIDGE_BRNF: i32 = 0;
    /// NF_BR_PRI_LAST.
    pub const BRIDGE_LAST: i32 = i32::MAX;
}

/// Which list: the hook's own, or that of the NAT function at it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Place {
    Hook,
    Nat,
}

type Wanted = (NfFamily, Hook, Place, HookEntry);

/// What is at the hooks of one family.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
struct Family {
    hooks: [Vec<HookEntry>; 5],
    nat: [Vec<HookEntry>; 5],
    tracks: bool,
}

/// What is at the hooks of a namespace: derived from its tables, with the order in which they came.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NfHooks {
    families: [Family; 3],
}

impl Default for NfHooks {
    /// No tables: what the kernel puts at its hooks by itself.
    fn default() -> Self {
        let mut hooks = NfHooks { families: Default::default() };
        hooks.sync(&[], [false; 3], false);
        hooks
    }
}

/// The chains of one source that want a place: family, hook, priority, whether of type nat, function.
pub type BaseChains = Vec<(NfFamily, Hook, i32, bool, HookFn)>;

impl NfHooks {
    /// The functions at a hook, in order.
    #[inline]
    pub fn at(&self, family: NfFamily, hook: Hook) -> &[HookEntry] {
        &self.families[family as usize].hooks[hook as usize]
    }

    /// The chains of type nat that the NAT function at a hook asks, in order.
    #[inline]
    pub fn nat(&self, family: NfFamily, hook: Hook) -> &[HookEntry] {
        &self.families[family as usize].nat[hook as usize]
    }

    /// Whether the family tracks connections.
    #[inline]
    pub fn tracks(&self, family: NfFamily) -> bool {
        self.families[family as usize].tracks
    }

    fn list(&mut self, family: NfFamily, hook: Hook, place: Place) -> &mut Vec<HookEntry> {
        let f = &mut self.families[family as usize];
        match place {
            Place::Hook => &mut f.hooks[hook as usize],
            Place::Nat => &mut f.nat[hook as usize],
        }
    }

    /// Puts a function at a hook, before those of the same priority (nf_hook_entries_grow).
    fn register(&mut self, family: NfFamily, hook: Hook, place: Place, entry: HookEntry) {
        let list = self.list(family, hook, place);
        let at = list.iter().position(|e| e.priority >= entry.priority).unwrap_or(list.len());
        list.insert(at, entry);
    }

    /// Brings the hooks to what is there now: what went is taken out, what is new comes in by the order given; what stayed
    /// keeps its place.
    ///
    /// `tracks` says for each family whether a rule needs connection tracking; `ipvs` whether IPVS is at work.
    pub fn sync(&mut self, chains: &[(NfFamily, Hook, i32, bool, HookFn)], tracks: [bool; 3], ipvs: bool) {
        let wanted = wanted(chains, tracks, ipvs);
        for family in [NfFamily::Ip, NfFamily::Ip6, NfFamily::Bridge] {
            self.families[family as usize].tracks = tracks[family as usize];
            for hook in Hook::ALL {
                for place in [Place::Hook, Place::Nat] {
                    self.list(family, hook, place).retain(|e| wanted.contains(&(family, hook, place, *e)));
                }
            }
        }
        for (family, hook, place, entry) in wanted {
            if !self.list(family, hook, place).contains(&entry) {
                self.register(family, hook, place, entry);
            }
        }
    }
}

/// Everything that belongs at a hook, in the order in which one transaction would register it.
fn wanted(chains: &[(NfFamily, Hook, i32, bool, HookFn)], tracks: [bool; 3], ipvs: bool) -> Vec<Wanted> {
    use priority as p;
    let mut out: Vec<Wanted> = Vec::new();
    let mut add = |family, hook, priority, func| out.push((family, hook, Place::Hook, HookEntry { priority, func }));
    add(NfFamily::Bridge, Hook::Prerouting, p::BRIDGE_BRNF, HookFn::BrNetfilter);
    add(NfFamily::Bridge, Hook::Forward, p::BRIDGE_BRNF, HookFn::BrNetfilter);
    add(NfFamily::Bridge, Hook::Postrouting, p::BRIDGE_LAST, HookFn::BrNetfilter);
    for (family, hook, priority, nat, func) in chains {
        if !nat {
            add(*family, *hook, *priority, *func);
        } else if *family != NfFamily::Bridge {
            // the first chain of type nat brings the NAT function to all four hooks
            for (at, priority) in
                [(Hook::Prerouting, p::NAT_DST), (Hook::Postrouting, p::NAT_SRC), (Hook::Output, p::NAT_DST), (Hook::Input, p::NAT_SRC)]
            {
                add(*family, at, priority, HookFn::Nat);
            }
        }
    }
    for family in [NfFamily::Ip, NfFamily::Ip6] {
        if tracks[family as usize] {
            for hook in [Hook::Prerouting, Hook::Output] {
                add(family, hook, p::CONNTRACK_DEFRAG, HookFn::Defrag);
                add(family, hook, p::CONNTRACK, HookFn::Conntrack);
            }
            add(family, Hook::Input, p::CONFIRM, HookFn::Confirm);
            add(family, Hook::Postrouting, p::CONFIRM, HookFn::Confirm);
        }
    }
    if ipvs {
        for family in [NfFamily::Ip, NfFamily::Ip6] {
            add(family, Hook::Input, p::NAT_SRC - 2, HookFn::IpvsOut(false));
            add(family, Hook::Input, p::NAT_SRC - 1, HookFn::IpvsIn);
            add(family, Hook::Output, p::NAT_DST + 1, HookFn::IpvsOut(false));
            add(family, Hook::Output, p::NAT_DST + 2, HookFn::IpvsIn);
            add(family, Hook::Forward, p::NAT_SRC - 1, HookFn::IpvsOut(true));
            add(family, Hook::Forward, p::NAT_SRC, HookFn::IpvsOut(false));
        }
    }
    for (family, hook, priority, nat, func) in chains {
        if *nat && *family != NfFamily::Bridge {
            out.push((*family, *hook, Place::Nat, HookEntry { priority: *priority, func: *func }));
        }
    }
    out
}

/// The built-in chains of iptables that are there, each where its table stands (iptables/nft.c xtables_ipv4).
pub fn xt_base_chains(family: NfFamily, xt: &Xtables, out: &mut BaseChains) {
    for kind in TableKind::ALL {
        let Some(table) = xt.table(kind) else { continue };
        for hook in kind.hooks() {
            if table.base(*hook).is_some() {
                out.push((family, *hook, xt_priority(kind, *hook), kind == TableKind::Nat, HookFn::Xt(kind)));
            }
        }
    }
}

fn xt_priority(kind: TableKind, hook: Hook) -> i32 {
    match kind {
        TableKind::Raw => priority::RAW,
        TableKind::Mangle => priority::MANGLE,
        TableKind::Nat if matches!(hook, Hook::Prerouting | Hook::Output) => priority::NAT_DST,
        TableKind::Nat => priority::NAT_SRC,
        TableKind::Filter => priority::FILTER,
        TableKind::Security => priority::SECURITY,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(list: &[HookEntry]) -> Vec<String> {
        list.iter().map(|e| format!("{:?} {}", e.func, e.priority)).collect()
    }

    #[test]
    fn order_by_priority_and_the_newer_first() {
        let a = |n| HookFn::Nft(ChainRef { table: n, chain: 1 });
        let mut hooks = NfHooks::default();
        let mut chains: BaseChains = vec![
            (NfFamily::Ip, Hook::Output, 0, false, HookFn::Xt(TableKind::Filter)),
            (NfFamily::Ip, Hook::Output, 0, false, a(1)),
            (NfFamily::Ip, Hook::Output, -10, false, a(2)),
        ];
        hooks.sync(&chains, [false; 3], false);
        let list = |h: &NfHooks| h.at(NfFamily::Ip, Hook::Output).iter().map(|e| e.func).collect::<Vec<_>>();
        assert_eq!(list(&hooks), [a(2), a(1), HookFn::Xt(TableKind::Filter)]);
        // a chain that comes later goes before the others of its priority, which keep their order
        chains.insert(0, (NfFamily::Ip, Hook::Output, 0, false, a(3)));
        hooks.sync(&chains, [false; 3], false);
        assert_eq!(list(&hooks), [a(2), a(3), a(1), HookFn::Xt(TableKind::Filter)]);
        chains.remove(2);
        hooks.sync(&chains, [false; 3], false);
        assert_eq!(list(&hooks), [a(2), a(3), HookFn::Xt(TableKind::Filter)]);
    }

    #[test]
    fn nat_chains_stand_behind_one_function() {
        let mut hooks = NfHooks::default();
        let early = HookFn::Nft(ChainRef { table: 1, chain: 1 });
        let chains = [
            (NfFamily::Ip, Hook::Output, -100, true, HookFn::Xt(TableKind::Nat)),
            (NfFamily::Ip, Hook::Output, -120, true, early),
            (NfFamily::Ip, Hook::Prerouting, -150, false, HookFn::Xt(TableKind::Mangle)),
        ];
        hooks.sync(&chains, [true, false, false], true);
        assert_eq!(names(hooks.at(NfFamily::Ip, Hook::Prerouting)), ["Defrag -400", "Conntrack -200", "Xt(Mangle) -150", "Nat -100"]);
        assert_eq!(names(hooks.at(NfFamily::Ip, Hook::Input)), ["IpvsOut(false) 98", "IpvsIn 99", "Nat 100", "Confirm 2147483647"]);
        assert_eq!(names(hooks.at(NfFamily::Ip, Hook::Forward)), ["IpvsOut(true) 99", "IpvsOut(false) 100"]);
        assert_eq!(hooks.nat(NfFamily::Ip, Hook::Output).iter().map(|e| e.func).collect::<Vec<_>>(), [early, HookFn::Xt(TableKind::Nat)]);
        assert!(hooks.tracks(NfFamily::Ip) && !hooks.tracks(NfFamily::Ip6));
        hooks.sync(&[], [false; 3], false);
        assert!(hooks.at(NfFamily::Ip, Hook::Input).is_empty());
    }
}
