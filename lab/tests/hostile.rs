//! A hostile scenario does not reach the host: what it may ask of real tools is held against what they would be told.
#![allow(clippy::unwrap_used, reason = "tests")]

use lab::plan::checked::{Deed, Places, Refusal, deeds};
use sim_core::linux::op::{LinkOp, LinkSet};
use sim_core::linux::{NetnsId, Op};
use sim_core::packet::Mac;
use sim_core::shell::{Command, parse_script};
use std::sync::Arc;

/// One further namespace, `web`.
struct Web;

impl Places for Web {
    fn handle(&self, _: NetnsId, name: &str) -> Option<String> {
        (name == "web").then(|| "/proc/4711/fd/9".to_owned())
    }
    fn mac(&self, _: NetnsId, _: &str) -> Option<Mac> {
        None
    }
    fn netns(&self, _: NetnsId, name: &str) -> Option<NetnsId> {
        (name == "web").then_some(NetnsId(1))
    }
}

/// What would be done for a command line; none if it is no change at all.
fn asked(line: &str) -> Option<Result<Vec<Deed>, Refusal>> {
    let mut all = Vec::new();
    for s in parse_script(line) {
        let Ok(Command::Ops(ops)) = s.command else { return None };
        for o in ops {
            match deeds(&o.op, NetnsId(0), &Web) {
                Ok(list) => all.extend(list),
                Err(Refusal::Nothing) => {}
                Err(e) => return Some(Err(e)),
            }
        }
    }
    Some(Ok(all))
}

fn op(op: Op) -> Result<Vec<Deed>, Refusal> {
    deeds(&op, NetnsId(0), &Web)
}

#[test]
fn switches_of_the_whole_machine_are_refused() {
    for key in [
        "kernel.core_pattern",
        "kernel.modprobe",
        "kernel.hostname",
        "vm.drop_caches",
        "fs.suid_dumpable",
        "net.core.rmem_max",
        "net.core.bpf_jit_enable",
        "net.netfilter.nf_conntrack_max",
        "net.netfilter.nf_conntrack_buckets",
        "net.netfilter.nf_log.2",
        "net.ipv4./../../kernel/core_pattern",
        "net/ipv4/../../kernel/core_pattern",
        "net/ipv4/conf/../../../kernel/hostname",
        "net/ipv4//etc/passwd",
        "net.ipv4.conf.a b.forwarding",
        "../etc/passwd",
        "/etc/passwd",
        "net.unix.max_dgram_qlen",
    ] {
        let said = op(Op::Sysctl { key: key.into(), value: "1".into() });
        assert!(matches!(said, Err(Refusal::Unsafe { .. })), "{key}: {said:?}");
    }
    for value in ["1\n2", "|/bin/sh", "$(reboot)", "a;b", &"1".repeat(100)] {
        let said = op(Op::Sysctl { key: "net.ipv4.ip_forward".into(), value: value.into() });
        assert!(matches!(said, Err(Refusal::Unsafe { .. })), "{value}: {said:?}");
    }
    let fine = op(Op::Sysctl { key: "net.ipv4.conf.eth0/10.rp_filter".into(), value: "2".into() });
    assert_eq!(fine, Ok(vec![Deed::Sysctl { path: "net/ipv4/conf/eth0.10/rp_filter".to_owned(), value: "2".to_owned() }]));
}

#[test]
fn namespaces_are_only_those_of_the_scenario() {
    for name in ["1", "/proc/1/ns/net", "../1", "host", "", "-all", "web;reboot", "web\nreboot"] {
        let set = LinkSet { netns: Some(name.into()), ..LinkSet::default() };
        let said = op(Op::Link(LinkOp::Set { dev: "eth0".into(), set }));
        assert!(said.is_err(), "{name}: {said:?}");
    }
    let set = LinkSet { netns: Some("web".into()), ..LinkSet::default() };
    let Ok(list) = op(Op::Link(LinkOp::Set { dev: "eth0".into(), set })) else { panic!("refused") };
    let [Deed::Tool { words, input: None }] = &list[..] else { panic!("{list:?}") };
    assert!(words.contains(&"/proc/4711/fd/9".to_owned()) && !words.contains(&"web".to_owned()), "{words:?}");
    // names that no tool is to see at all
    for line in ["ip netns add evil", "systemctl stop sshd"] {
        assert_eq!(asked(line), Some(Ok(Vec::new())), "{line}");
    }
    assert!(matches!(asked("ip netns del web"), Some(Err(Refusal::Unsafe { .. }))));
}

#[test]
fn names_are_no_options_and_no_second_command() {
    for dev in ["-batch", "-force", "--help", "-n", "eth0;reboot", "$(reboot)", "`reboot`", "a b", "a\nlink del eth0", "../eth0", "e\0h"] {
        let set = LinkSet { up: Some(true), ..LinkSet::default() };
        let said = op(Op::Link(LinkOp::Set { dev: dev.into(), set }));
        match said {
            Err(Refusal::Unsafe { .. }) => {}
            // a name that is one word to the tool, quoted or not, is harmless: no shell reads it
            Ok(list) => {
                for d in list {
                    let Deed::Tool { words, .. } = d else { panic!("{dev}") };
                    assert!(words.contains(&dev.to_owned()), "{dev}: {words:?}");
                    assert!(!dev.starts_with('-') && !dev.contains(['\n', '\0']), "{dev}: {words:?}");
                }
            }
            Err(Refusal::Nothing) => panic!("{dev}"),
        }
    }
}

#[test]
fn every_tool_that_is_started_is_one_of_a_few() {
    let lines = [
        "ip link add br0 type bridge",
        "ip addr add 10.0.0.1/24 dev eth0",
        "ip route add default via 10.0.0.2",
        "iptables -A INPUT -m comment --comment '; reboot' -j DROP",
        "iptables-restore <<EOF\n*filter\n-A INPUT -m comment --comment \"a $(reboot) b\" -j DROP\nCOMMIT\nEOF",
        "conntrack -F",
    ];
    for line in lines {
        let Some(Ok(list)) = asked(line) else { panic!("{line}: {:?}", asked(line)) };
        assert!(!list.is_empty(), "{line}");
        for d in list {
            let Deed::Tool { words, .. } = d else { panic!("{line}") };
            assert!(["ip", "iptables", "iptables-restore", "conntrack"].contains(&words[0].as_str()), "{line}: {words:?}");
        }
    }
    // what is no command of the simulated shell never gets so far
    for line in [
        "rm -rf /",
        "bash -c reboot",
        "nsenter -t 1 reboot",
        "mount --bind / /mnt",
        "ip netns exec web reboot",
        "iptables --modprobe=/bin/sh -L",
    ] {
        match asked(line) {
            None | Some(Err(_)) => {}
            Some(Ok(list)) => assert!(list.is_empty(), "{line}: {list:?}"),
        }
    }
}

#[test]
fn an_input_that_reads_files_is_refused() {
    let include: Arc<str> = "include".into();
    let said = op(Op::Link(LinkOp::Del { dev: include }));
    assert!(matches!(said, Err(Refusal::Unsafe { .. })), "{said:?}");
}
