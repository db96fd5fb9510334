//! Rules that agents and plugins write into iptables, and how they look whether they are still there.
//!
//! Models: github.com/coreos/go-iptables as its users use it: ClearChain, AppendUnique, Exists, and restore without flush.

use super::cni::CniIp;
use super::hash;
use crate::linux::conntrack::NatRange;
use crate::linux::netfilter::matches::Mark;
use crate::linux::netfilter::option::Masked;
use crate::linux::netfilter::targets::Masquerade;
use crate::linux::netfilter::{AddrMatch, RuleSpec, TableKind, Target};
use crate::linux::op::XtOp;
use crate::linux::op::xtables::{Restore, RestoreLine, RestoreTable, XtCommand};
use crate::linux::{Netns, Op};
use crate::packet::{Family, Ipv4Addr, Prefix};
use std::sync::Arc;

/// A rule in its chain.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ChainRule {
    /// The chain.
    pub chain: Arc<str>,
    /// The rule.
    pub spec: Arc<RuleSpec>,
}

fn command(table: TableKind, command: XtCommand) -> Op {
    Op::Xtables(Family::Inet, XtOp::Command { table, command })
}

fn masquerade(random_fully: bool) -> Target {
    Masquerade { range: NatRange { addrs: None, ports: None, random: false, random_fully, persistent: false } }.into()
}

fn multicast() -> AddrMatch {
    AddrMatch::prefix(Prefix::new(Ipv4Addr::new(224, 0, 0, 0), 4))
}

/// Whether the chain is there.
pub fn chain_exists(ns: &Netns, table: TableKind, chain: &str) -> bool {
    ns.config.xt.table(table).is_some_and(|t| t.by_name(chain).is_some())
}

/// Whether the rule is there.
pub fn rule_exists(ns: &Netns, table: TableKind, rule: &ChainRule) -> bool {
    let chain = ns.config.xt.table(table).and_then(|t| t.by_name(&rule.chain));
    chain.is_some_and(|c| c.rules.iter().any(|r| r.spec == rule.spec))
}

/// Makes a chain, or empties it if it is there (ClearChain).
pub fn clear_chain(ns: &Netns, table: TableKind, chain: &str) -> Op {
    let name: Arc<str> = chain.into();
    command(table, if chain_exists(ns, table, chain) { XtCommand::Flush(Some(name)) } else { XtCommand::NewChain(name) })
}

/// Puts rules in, in order, in one restore without flush; those that are there are taken out first, because their order
/// matters.
pub fn rebuild(ns: &Netns, table: TableKind, rules: &[ChainRule], cleared: Option<&str>) -> Op {
    let mut lines = Vec::new();
    for r in rules {
        if Some(&*r.chain) != cleared && rule_exists(ns, table, r) {
            lines.push((0, RestoreLine::Command(XtCommand::Delete(r.chain.clone(), r.spec.clone()))));
        }
        lines.push((0, RestoreLine::Command(XtCommand::Append(r.chain.clone(), r.spec.clone()))));
    }
    let tables = vec![RestoreTable { table, lines, commit: 0 }];
    Op::Xtables(Family::Inet, XtOp::Restore(Arc::new(Restore { noflush: true, counters: false, tables })))
}

/// The name of the chain and the comment for a container's masquerading: `CNI-` and 24 digits.
fn cni_names(network: &str, container: &str) -> (Arc<str>, String) {
    let chain = format!("CNI-{}", hash::hex(&format!("{network}{container}"), 24));
    (chain.into(), format!("name: {network:?} id: {container:?}"))
}

fn cni_entry(chain: &Arc<str>, comment: &str, ip: &CniIp) -> Arc<RuleSpec> {
    Arc::new(RuleSpec::to(Target::Jump(chain.clone())).src(AddrMatch::host(ip.address)).comment(comment))
}

/// Masquerades what a container sends out of its range.
///
/// Models: containernetworking/plugins pkg/ip/ipmasq_iptables_linux.go SetupIPMasq, pkg/utils/utils.go FormatChainName (1.9.1).
pub fn cni_masq(network: &str, container: &str, ip: &CniIp) -> Vec<Op> {
    let (chain, comment) = cni_names(network, container);
    let append = |chain: &Arc<str>, spec: RuleSpec| command(TableKind::Nat, XtCommand::Append(chain.clone(), Arc::new(spec)));
    vec![
        command(TableKind::Nat, XtCommand::NewChain(chain.clone())),
        append(&chain, RuleSpec::to(Target::Accept).dst(AddrMatch::prefix(ip.range)).comment(&comment)),
        append(&chain, RuleSpec::to(masquerade(false)).dst(multicast().not()).comment(&comment)),
        command(TableKind::Nat, XtCommand::Append("POSTROUTING".into(), cni_entry(&chain, &comment, ip))),
    ]
}

/// Takes that back.
///
/// Models: TeardownIPMasq in the same file.
pub fn cni_masq_del(network: &str, container: &str, ip: &CniIp) -> Vec<Op> {
    let (chain, comment) = cni_names(network, container);
    vec![
        command(TableKind::Nat, XtCommand::Delete("POSTROUTING".into(), cni_entry(&chain, &comment, ip))),
        command(TableKind::Nat, XtCommand::Flush(Some(chain.clone()))),
        command(TableKind::Nat, XtCommand::DeleteChain(Some(chain))),
    ]
}

/// flanneld's chain in nat.
pub const FLANNEL_POSTRTG: &str = "FLANNEL-POSTRTG";
/// flanneld's chain in filter.
pub const FLANNEL_FWD: &str = "FLANNEL-FWD";

/// What flanneld translates and what it does not, in order.
///
/// Models: flannel pkg/trafficmngr/iptables/iptables.go masqRules (0.28.9).
pub fn flannel_masq(cluster: Prefix<Ipv4Addr>, own: Prefix<Ipv4Addr>) -> Vec<ChainRule> {
    let (cluster, own) = (AddrMatch::prefix(cluster), AddrMatch::prefix(own));
    let to = |target: Target| RuleSpec::to(target);
    // kube-proxy's mark: it will masquerade by itself.
    let marked = to(Target::Return).matching(Mark { mark: Masked { value: 0x4000, mask: 0x4000 }, invert: false });
    let mut rules = vec![rule("POSTROUTING", to(Target::Jump(FLANNEL_POSTRTG.into())), "flanneld masq")];
    rules.extend(
        [
            marked,
            to(Target::Return).src(own).dst(cluster),
            to(Target::Return).src(cluster).dst(own),
            to(Target::Return).src(cluster.not()).dst(own),
            to(masquerade(true)).src(cluster).dst(multicast().not()),
            to(masquerade(true)).src(cluster.not()).dst(cluster),
        ]
        .map(|spec| rule(FLANNEL_POSTRTG, spec, "flanneld masq")),
    );
    rules
}

/// What flanneld lets pass.
///
/// Models: forwardRules in the same file.
pub fn flannel_forward(cluster: Prefix<Ipv4Addr>) -> Vec<ChainRule> {
    let cluster = AddrMatch::prefix(cluster);
    vec![
        rule("FORWARD", RuleSpec::to(Target::Jump(FLANNEL_FWD.into())), "flanneld forward"),
        rule(FLANNEL_FWD, RuleSpec::to(Target::Accept).src(cluster), "flanneld forward"),
        rule(FLANNEL_FWD, RuleSpec::to(Target::Accept).dst(cluster), "flanneld forward"),
    ]
}

fn rule(chain: &str, spec: RuleSpec, comment: &str) -> ChainRule {
    ChainRule { chain: chain.into(), spec: Arc::new(spec.comment(comment)) }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]
    use super::*;

    fn shown(rules: &[ChainRule]) -> Vec<String> {
        rules.iter().map(|r| format!("-A {} {}", r.chain, r.spec.text())).collect()
    }

    /// As `iptables-save` shows them on a node with flannel 0.28.
    #[test]
    fn flanneld_rules() {
        let cluster = "10.244.0.0/16".parse().unwrap();
        assert_eq!(
            shown(&flannel_masq(cluster, "10.244.1.0/24".parse().unwrap())),
            [
                "-A POSTROUTING -m comment --comment \"flanneld masq\" -j FLANNEL-POSTRTG",
                "-A FLANNEL-POSTRTG -m mark --mark 0x4000/0x4000 -m comment --comment \"flanneld masq\" -j RETURN",
                "-A FLANNEL-POSTRTG -s 10.244.1.0/24 -d 10.244.0.0/16 -m comment --comment \"flanneld masq\" -j RETURN",
                "-A FLANNEL-POSTRTG -s 10.244.0.0/16 -d 10.244.1.0/24 -m comment --comment \"flanneld masq\" -j RETURN",
                "-A FLANNEL-POSTRTG ! -s 10.244.0.0/16 -d 10.244.1.0/24 -m comment --comment \"flanneld masq\" -j RETURN",
                "-A FLANNEL-POSTRTG -s 10.244.0.0/16 ! -d 224.0.0.0/4 -m comment --comment \"flanneld masq\" -j MASQUERADE --random-fully",
                "-A FLANNEL-POSTRTG ! -s 10.244.0.0/16 -d 10.244.0.0/16 -m comment --comment \"flanneld masq\" -j MASQUERADE --random-fully",
            ]
        );
        assert_eq!(
            shown(&flannel_forward(cluster)),
            [
                "-A FORWARD -m comment --comment \"flanneld forward\" -j FLANNEL-FWD",
                "-A FLANNEL-FWD -s 10.244.0.0/16 -m comment --comment \"flanneld forward\" -j ACCEPT",
                "-A FLANNEL-FWD -d 10.244.0.0/16 -m comment --comment \"flanneld forward\" -j ACCEPT",
            ]
        );
    }

    /// The chain's name is what `printf %s bridgeabc | sha512sum` begins with.
    #[test]
    fn a_container_rule() {
        let range: Prefix<Ipv4Addr> = "10.244.0.0/24".parse().unwrap();
        let ip = CniIp { address: "10.244.0.2".parse().unwrap(), range, gateway: None, interface: None };
        let text: Vec<String> = cni_masq("bridge", "abc", &ip)
            .iter()
            .map(|op| match op {
                Op::Xtables(_, XtOp::Command { table: TableKind::Nat, command: XtCommand::NewChain(c) }) => format!("-N {c}"),
                Op::Xtables(_, XtOp::Command { table: TableKind::Nat, command: XtCommand::Append(c, r) }) => format!("-A {c} {}", r.text()),
                other => format!("{other:?}"),
            })
            .collect();
        assert_eq!(
            text,
            [
                "-N CNI-78a78b6a42224636a87a06ea",
                "-A CNI-78a78b6a42224636a87a06ea -d 10.244.0.0/24 -m comment --comment \"name: \\\"bridge\\\" id: \\\"abc\\\"\" -j ACCEPT",
                "-A CNI-78a78b6a42224636a87a06ea ! -d 224.0.0.0/4 -m comment --comment \"name: \\\"bridge\\\" id: \\\"abc\\\"\" -j MASQUERADE",
                "-A POSTROUTING -s 10.244.0.2/32 -m comment --comment \"name: \\\"bridge\\\" id: \\\"abc\\\"\" -j CNI-78a78b6a42224636a87a06ea",
            ]
        );
    }
}
