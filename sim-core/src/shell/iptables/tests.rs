//! Tests of the text, both ways, and of what the rules then do.
#![allow(clippy::unwrap_used, reason = "tests")]

use super::*;
use crate::datapath::ipt_do_table::ipt_do_table;
use crate::datapath::{Effects, HookState, Ids, NfVerdict, Walk};
use crate::linux::config::Config;
use crate::linux::netfilter::apply::Touched;
use crate::linux::netfilter::testing::{echo, tcp, udp};
use crate::linux::netfilter::{Hook, Policy, TableKind, XtState};
use crate::linux::op::XtOp;
use crate::linux::rng::Rng;
use crate::linux::{FlowId, IfIndex, Netns, NetnsId, PacketId, Source, Time};
use crate::packet::{Family, Ipv4Addr, Ipv4Packet, Net, TcpFlags};
use crate::trace::evidence::{RuleAt, Verdict};
use crate::trace::{Evidence, Recording, Tracer};
use proptest::prelude::*;

fn words(line: &str) -> Vec<String> {
    split_words(line)
}

fn parse(line: &str) -> Result<Parsed, CmdError> {
    let words = words(line);
    parse_command(Family::Inet, &words.iter().map(String::as_str).collect::<Vec<_>>())
}

/// Runs command lines (without `iptables`) one after the other; returns what the last one wrote.
fn run(config: &mut Config, lines: &str) -> Result<String, CmdError> {
    let mut out = String::new();
    for line in lines.lines().map(str::trim).filter(|l| !l.is_empty()) {
        out = match parse(line)? {
            Parsed::Change(op) => {
                config.apply_xtables(Family::Inet, &op, Source::Kernel, &mut Touched::default())?;
                String::new()
            }
            Parsed::Show(s) => show(&config.xt, &XtState::default(), &s)?,
            Parsed::Version | Parsed::Help => String::new(),
        };
    }
    Ok(out)
}

fn restore(config: &mut Config, text: &str, noflush: bool) -> Result<(), CmdError> {
    let op = parse_restore(Family::Inet, &RestoreArgs { noflush, ..RestoreArgs::default() }, text)?;
    Ok(config.apply_xtables(Family::Inet, &op, Source::Kernel, &mut Touched::default())?)
}

/// What a command writes and its exit status, after `before` has been done.
#[track_caller]
fn refused(before: &str, line: &str, text: &str, status: u8) {
    let mut c = Config::default();
    run(&mut c, before).unwrap();
    let e = run(&mut c, line).unwrap_err();
    assert_eq!((e.text.as_str(), e.status), (text, status), "{line}");
}

const TRY: &str = "\nTry `iptables -h' or 'iptables --help' for more information.";

/// A rule as iptables-save prints it.
#[track_caller]
fn normal(line: &str, saved: &str) {
    let Ok(Parsed::Change(op)) = parse(line) else { panic!("{line}: {:?}", parse(line)) };
    assert_eq!(print(Family::Inet, &op), format!("iptables {saved}"), "{line}");
}

#[test]
fn the_normal_form_of_rules() {
    for (line, saved) in [
        ("-A FORWARD -s 10.1.2.3 -j ACCEPT", "-A FORWARD -s 10.1.2.3/32 -j ACCEPT"),
        ("-A FORWARD -s 10.1.2.3/8 ! -d 10.1/16", "-A FORWARD -s 10.0.0.0/8 ! -d 10.1.0.0/16"),
        ("-A FORWARD -s 10.1.2.3/255.0.255.0", "-A FORWARD -s 10.0.2.0/255.0.255.0"),
        ("-A FORWARD -s 0/0 -p all -i +", "-A FORWARD"),
        ("-A FORWARD ! -i + -o eth+ ! -f", "-A FORWARD ! -i + -o eth+ ! -f"),
        ("-A FORWARD -p 4 -j DROP", "-A FORWARD -p ipencap -j DROP"),
        ("-A FORWARD -p tcp --dport 80 -j ACCEPT", "-A FORWARD -p tcp -m tcp --dport 80 -j ACCEPT"),
        ("--append FORWARD --protocol tcp --dpor 80 --jump ACCEPT", "-A FORWARD -p tcp -m tcp --dport 80 -j ACCEPT"),
        ("-A FORWARD -p udp -m comment --comment \"a b\" --dport 53", "-A FORWARD -p udp -m comment --comment \"a b\" -m udp --dport 53"),
        ("-t filter -I FORWARD 1 -g X", "-I FORWARD -g X"),
        ("-t nat -D PREROUTING 3", "-t nat -D PREROUTING 3"),
        ("-j MARK --set-mark 5 -A FORWARD", "-A FORWARD -j MARK --set-xmark 0x5/0xffffffff"),
        ("-A FORWARD -j MARK --or-mark 0x10", "-A FORWARD -j MARK --set-xmark 0x10/0x10"),
        ("-A FORWARD -j MARK --and-mark 0x10", "-A FORWARD -j MARK --set-xmark 0x0/0xffffffef"),
        ("-A FORWARD -j MARK --xor-mark 0x10", "-A FORWARD -j MARK --set-xmark 0x10/0x0"),
        ("-A FORWARD -j REJECT", "-A FORWARD -j REJECT --reject-with icmp-port-unreachable"),
        ("-A FORWARD -p tcp -j REJECT --reject-with tcp-rst", "-A FORWARD -p tcp -j REJECT --reject-with tcp-reset"),
        (
            "-A X -p tcp -j DNAT --to 1.1.1.1-1.1.1.9:80-90 --persistent --random",
            "-A X -p tcp -j DNAT --to-destination 1.1.1.1-1.1.1.9:80-90 --random --persistent",
        ),
        ("-A X -p tcp -j DNAT --to-destination :80", "-A X -p tcp -j DNAT --to-destination :80"),
        ("-A X -j SNAT --random-fully --to-source 1.1.1.1", "-A X -j SNAT --to-source 1.1.1.1 --random-fully"),
        ("-A X -p tcp -j MASQUERADE --random-fully --to-ports 100-200", "-A X -p tcp -j MASQUERADE --to-ports 100-200 --random-fully"),
        ("-A X -p tcp -j REDIRECT --to-ports http", "-A X -p tcp -j REDIRECT --to-ports 80"),
        ("-A X -j CONNMARK --restore-mark --mask 0xff", "-A X -j CONNMARK --restore-mark --nfmask 0xff --ctmask 0xff"),
        ("-X", "-X"),
        ("-P FORWARD DROP -w 5", "-P FORWARD DROP"),
    ] {
        normal(line, saved);
    }
}

#[test]
fn refusals_in_the_real_words() {
    let p = |text: &str| format!("iptables v1.8.9 (nf_tables): {text}{TRY}");
    for (line, text) in [
        ("-A FORWARD -m foo -j ACCEPT", "Couldn't load match `foo':No such file or directory\n"),
        ("-A FORWARD -j FOO", "Chain 'FOO' does not exist"),
        ("-A FORWARD --dport 80", "unknown option \"--dport\""),
        ("-A FORWARD -p tcp --dport 80 --dport 81", "Only one `--destination-port' allowed"),
        ("-A FORWARD -m mark", "mark: option \"--mark\" must be specified\n"),
        ("-A FORWARD -m tcp --dport 80", "TCP match requires '-p tcp'"),
        ("-A FORWARD -s 300.1.1.1", "host/network `300.1.1.1' not found"),
        ("-A FORWARD -s 10.0.0.0/33", "invalid mask `33' specified"),
        ("-A FORWARD -p foo", "unknown protocol \"foo\" specified"),
        ("-A OUTPUT -i eth0", "Can't use -i with OUTPUT\n"),
        ("-t nat -A PREROUTING -j DNAT", "DNAT: option \"--to-destination\" must be specified\n"),
        ("-t nat -A PREROUTING -j DNAT --to-destination 1.1.1.1:80", "Need TCP, UDP, SCTP or DCCP with port specification"),
        ("-A FORWARD -j ACCEPT -j DROP", "multiple -j flags not allowed"),
        ("-A FORWARD ! -j ACCEPT", "cannot have ! before -j"),
        ("-A FORWARD -L", "Cannot use -L with -A"),
        ("-N foo -j ACCEPT", "Illegal option `-j' with this command"),
        ("-A FORWARD -j MARK --set-mark 1 --set-xmark 2", "MARK: option \"--set-xmark\" cannot be used together with \"--set-mark\".\n"),
        ("-N ACCEPT", "chain name may not clash with target name"),
        ("-D FORWARD 0", "Invalid rule number `0'"),
        ("-A", "option \"-A\" requires an argument"),
    ] {
        refused("", line, &p(text), 2);
    }
    refused("", "-A FORWARD extra", &format!("Bad argument `extra'{TRY}"), 2);
    refused("", "-A NOPE -j ACCEPT", "iptables: No chain/target/match by that name.", 1);
    refused("-N A", "-N A", "iptables: Chain already exists.", 1);
    refused("", "-N FORWARD", "iptables: Chain already exists.", 1);
    refused("-N A\n-N B", "-E A B", "iptables: File exists.", 1);
    refused("", "-C FORWARD -j ACCEPT", "iptables: Bad rule (does a matching rule exist in that chain?).", 1);
    refused("-A FORWARD", "-D FORWARD 2", "iptables: Index of deletion too big.", 1);
    refused("-A FORWARD", "-I FORWARD 3", "iptables: Index of insertion too big.", 1);
    refused("-P FORWARD DROP", "-X FORWARD", "iptables: Directory not empty.", 1);
    refused("-N A", "-P A DROP", "iptables: Bad built-in chain name.", 1);
    let kernel = |what: &str, errno: &str, place: &str| format!("iptables v1.8.9 (nf_tables):  {what} failed ({errno}): {place}");
    refused("-N A\n-A FORWARD -j A", "-X A", &kernel("CHAIN_DEL", "Device or resource busy", "chain A"), 4);
    refused("-N A\n-N B\n-A A -j B\n-A B -j A", "-A FORWARD -j A", &kernel("RULE_APPEND", "Too many links", "rule in chain FORWARD"), 4);
    refused("", "-A FORWARD -j DNAT --to-destination 1.1.1.1", &kernel("RULE_APPEND", "Invalid argument", "rule in chain FORWARD"), 4);
    refused(
        "-N A\n-A FORWARD -j A",
        "-A A -m mac --mac-source 02:00:00:00:00:01 -j ACCEPT\n-A OUTPUT -j A",
        &kernel("RULE_APPEND", "Invalid argument", "rule in chain OUTPUT"),
        4,
    );
    refused("", "-L NOPE", "iptables v1.8.9 (nf_tables): chain `NOPE' in table `filter' is incompatible, use 'nft' tool.", 1);
}

#[test]
fn built_in_chains_come_when_they_are_needed() {
    let mut c = Config::default();
    run(&mut c, "-L\n-S\n-F\n-X\n-Z").unwrap();
    assert!(c.xt.is_empty());
    run(&mut c, "-A FORWARD -j ACCEPT").unwrap();
    let filter = c.xt.table(TableKind::Filter).unwrap();
    assert!(filter.base(Hook::Forward).is_some() && filter.base(Hook::Input).is_none());
    assert!(
        save(Family::Inet, &c.xt, &XtState::default(), None, false)
            .starts_with("*filter\n:INPUT ACCEPT [0:0]\n:FORWARD ACCEPT [0:0]\n:OUTPUT ACCEPT [0:0]\n-A FORWARD")
    );
    restore(&mut c, "*filter\n:INPUT DROP [0:0]\nCOMMIT\n", true).unwrap();
    let filter = c.xt.table(TableKind::Filter).unwrap();
    assert_eq!(filter.base(Hook::Input).unwrap().base, Some((Hook::Input, Policy::Drop)));
    assert_eq!(filter.base(Hook::Forward).unwrap().rules.len(), 1);
    restore(&mut c, "*filter\nCOMMIT\n", false).unwrap();
    assert!(c.xt.is_empty());
}

#[test]
fn conntrack_is_on_while_a_rule_needs_it() {
    let mut c = Config::default();
    let mut on = |lines: &str| {
        run(&mut c, lines).unwrap();
        c.xt.needs_conntrack()
    };
    assert!(!on("-t nat -A PREROUTING -j ACCEPT\n-A INPUT -m mark --mark 1"));
    assert!(on("-N U\n-A U -m conntrack --ctstate NEW"));
    assert!(!on("-F U"));
    assert!(on("-t nat -A POSTROUTING -j MASQUERADE"));
    assert!(!on("-t nat -F"));
}

#[test]
fn restore_says_which_line() {
    let said = |text: &str| {
        let e = restore(&mut Config::default(), text, false).unwrap_err();
        (e.text, e.status)
    };
    let program = "iptables-restore v1.8.9 (nf_tables): ";
    let help = "\nTry `iptables-restore -h' or 'iptables-restore --help' for more information.";
    assert_eq!(
        said("*filter\n# comment\n\n-A INPUT -m foo -j ACCEPT\nCOMMIT\n"),
        (format!("{program}Couldn't load match `foo':No such file or directory\n\nError occurred at line: 4{help}"), 2)
    );
    assert_eq!(
        said("*filter\n-A FORWARD -j NOPE\nCOMMIT\n"),
        (format!("{program}Chain 'NOPE' does not exist\nError occurred at line: 3{help}"), 2)
    );
    assert_eq!(
        said("*filter\n-A NOPE -j ACCEPT\nCOMMIT\n"),
        ("iptables-restore: line 2 failed: No chain/target/match by that name.".to_owned(), 1)
    );
    assert_eq!(said("*filter\n-A INPUT -j ACCEPT"), ("iptables-restore: COMMIT expected at line 3".to_owned(), 1));
    assert_eq!(said("foo\n"), ("iptables-restore: line 1 failed".to_owned(), 1));
    assert_eq!(
        said("*filter\n:A - [0:0]\n:B - [0:0]\n-A FORWARD -j A\n-A A -j B\n-A B -j A\n-A B -j ACCEPT\nCOMMIT\n"),
        (
            format!(
                "{program}\nline 6: RULE_APPEND failed (Too many links): rule in chain B\nline 7: RULE_APPEND failed (Too many links): rule in chain B"
            ),
            4
        )
    );
    let mut c = Config::default();
    restore(&mut c, "*filter\n-A INPUT -j ACCEPT\nCOMMIT\n*nat\n-A FOO -j ACCEPT\nCOMMIT\n", false).unwrap_err();
    assert!(c.xt.table(TableKind::Filter).is_some() && c.xt.table(TableKind::Nat).is_none());
}

#[test]
fn rules_of_kube_proxy_come_back_byte_for_byte() {
    let text = include_str!("data/kube-proxy-demo.txt");
    let op = parse_restore(Family::Inet, &RestoreArgs::default(), text).unwrap();
    let XtOp::Restore(r) = &op else { panic!() };
    assert_eq!(restore_text(r), text);
    let mut c = Config::default();
    c.apply_xtables(Family::Inet, &op, Source::Kernel, &mut Touched::default()).unwrap();
    let table = |name: &str, text: &str| {
        let from = text.find(&format!("*{name}\n")).unwrap();
        text[from..from + text[from..].find("COMMIT").unwrap()].to_owned()
    };
    let saved = save(Family::Inet, &c.xt, &XtState::default(), None, false);
    for name in ["nat", "filter", "mangle"] {
        assert_eq!(table(name, &saved), table(name, text));
    }
    let again = save(Family::Inet, &c.xt, &XtState::default(), None, false);
    restore(&mut c, &again, false).unwrap();
    assert_eq!(save(Family::Inet, &c.xt, &XtState::default(), None, false), saved);
}

#[test]
fn listings() {
    let mut c = Config::default();
    run(
        &mut c,
        "-N U
         -A FORWARD ! -s 10.0.0.0/8 ! -p icmp -i eth0 -j U
         -A FORWARD -p tcp --dport 80 -m conntrack ! --ctstate NEW -m comment --comment \"a b\" -j REJECT
         -A FORWARD -m mark ! --mark 1 -g U
         -P FORWARD DROP",
    )
    .unwrap();
    let expect = "Chain FORWARD (policy DROP)
num  target     prot opt source               destination         
1    U         !1    -- !10.0.0.0/8           0.0.0.0/0           
2    REJECT     6    --  0.0.0.0/0            0.0.0.0/0            tcp dpt:80 ! ctstate NEW /* a b */ reject-with icmp-port-unreachable
3    U          0    --  0.0.0.0/0            0.0.0.0/0           [goto]  mark match ! 0x1
";
    assert_eq!(run(&mut c, "-L FORWARD -n --line-numbers").unwrap(), expect);
    let expect = "Chain FORWARD (policy DROP 0 packets, 0 bytes)
 pkts bytes target     prot opt in     out     source               destination         
    0     0 U         !icmp --  eth0   any    !10.0.0.0/8           anywhere            
";
    assert!(run(&mut c, "-v -L FORWARD").unwrap().starts_with(expect));
    assert_eq!(run(&mut c, "-L U").unwrap().lines().next(), Some("Chain U (2 references)"));
    assert_eq!(run(&mut c, "-S FORWARD 1").unwrap(), "-A FORWARD ! -s 10.0.0.0/8 -i eth0 ! -p icmp -j U\n");
    assert!(run(&mut c, "-S").unwrap().starts_with("-P INPUT ACCEPT\n-P FORWARD DROP\n-P OUTPUT ACCEPT\n-N U\n-A FORWARD"));
    run(&mut c, "-E U V").unwrap();
    assert!(run(&mut c, "-S FORWARD 3").unwrap().ends_with("-g V\n"));
}

/// Asks the filter table in FORWARD about packets; the verdicts, and each rule step as the kernel's trace tells it.
fn ask<T: Tracer>(rules: &str, packets: &[Ipv4Packet], trace: &mut T) -> Vec<NfVerdict> {
    let mut ns = Netns::empty(NetnsId(0));
    restore(ns.config_mut(), rules, false).unwrap();
    let state = HookState { hook: Hook::Forward, iif: IfIndex::NONE, oif: IfIndex::NONE };
    let mut w = Walk {
        ns: &mut ns,
        now: Time(0),
        rng: &mut Rng::new(1),
        trace,
        effects: &mut Effects::default(),
        ids: &mut Ids::default(),
        cause: PacketId::NONE,
        flow: FlowId::NONE,
    };
    let mut out = Vec::new();
    for p in packets {
        let mut skb = w.new_skb(Net::Ipv4(p.clone()), FlowId::NONE);
        out.push(ipt_do_table(&mut w, &mut skb, TableKind::Filter, &state));
    }
    out
}

fn told(rules: &str, packet: Ipv4Packet) -> (NfVerdict, Vec<String>) {
    let mut ns = Netns::empty(NetnsId(0));
    restore(ns.config_mut(), rules, false).unwrap();
    let table = ns.config.xt.table(TableKind::Filter).unwrap().clone();
    let mut recording = Recording::default();
    let verdict = ask(rules, &[packet], &mut recording)[0];
    let steps = recording.steps.iter().filter_map(|s| {
        let Evidence::Rule { chain, at, verdict, mark, .. } = s.evidence else { return None };
        let name = &table.chain(chain)?.name;
        let to = |i: u32| table.rule(chain, i as usize).and_then(|r| r.spec.target.chain().cloned()).unwrap_or_default();
        let (number, said) = match (at, verdict) {
            (RuleAt::Rule(i), Verdict::Jump) => ((i + 1).to_string(), format!("jump {}", to(i))),
            (RuleAt::Rule(i), Verdict::Goto) => ((i + 1).to_string(), format!("goto {}", to(i))),
            (RuleAt::Rule(i), v) => ((i + 1).to_string(), format!("{v:?}").to_lowercase()),
            (RuleAt::Policy, v) => ("policy".to_owned(), format!("{v:?}").to_lowercase()),
            (RuleAt::End, v) => ("end".to_owned(), format!("{v:?}").to_lowercase()),
        };
        Some(format!("{name} {number} {said}{}", if mark == 0 { String::new() } else { format!(" {mark:#x}") }))
    });
    (verdict, steps.collect())
}

/// What Linux 6.18 reported for these rules and an echo request.
#[test]
fn steps_stand_where_the_kernel_traces() {
    let rules = "*filter
:INPUT ACCEPT [0:0]
:FORWARD ACCEPT [0:0]
:A - [0:0]
:B - [0:0]
:C - [0:0]
:D - [0:0]
:E - [0:0]
-A FORWARD -j A
-A FORWARD -j B
-A FORWARD -p icmp -j MARK --set-mark 0x5
-A FORWARD -m mark --mark 0x5
-A FORWARD -g E
-A FORWARD -j DROP
-A B -g C
-A B -j DROP
-A C -j D
-A D -p icmp -j RETURN
-A D -j DROP
-A E -j D
COMMIT
";
    let expect = [
        "FORWARD 1 jump A",
        "A end return",
        "FORWARD 2 jump B",
        "B 1 goto C",
        "C 1 jump D",
        "D 1 return",
        "C end return",
        "FORWARD 3 continue 0x5",
        "FORWARD 4 continue 0x5",
        "FORWARD 5 goto E 0x5",
        "E 1 jump D 0x5",
        "D 1 return 0x5",
        "E end return 0x5",
        "FORWARD policy accept 0x5",
    ];
    let (verdict, steps) = told(rules, echo());
    assert_eq!(steps, expect);
    assert_eq!(verdict, NfVerdict::Accept);
    let (verdict, steps) = told(rules, udp());
    assert_eq!(steps.last().unwrap(), "D 2 drop");
    assert_eq!(verdict, NfVerdict::Drop);
}

#[test]
fn policies_and_a_return_in_a_built_in_chain() {
    let drops = "*filter\n:FORWARD DROP [0:0]\n-A FORWARD -p tcp -j RETURN\n-A FORWARD -p tcp -j ACCEPT\nCOMMIT\n";
    assert_eq!(told(drops, tcp(TcpFlags::SYN)), (NfVerdict::Drop, vec!["FORWARD 1 return".into(), "FORWARD policy drop".into()]));
    assert_eq!(told(drops, udp()), (NfVerdict::Drop, vec!["FORWARD policy drop".into()]));
    // A table whose chain of the hook nobody made is not asked.
    assert_eq!(told("*filter\n:INPUT DROP [0:0]\nCOMMIT\n", udp()), (NfVerdict::Accept, vec![]));
}

#[test]
fn nth_counts_per_rule_and_random_draws() {
    let rules = "*filter\n:FORWARD ACCEPT [0:0]\n-A FORWARD -p udp -m statistic --mode nth --every 3 --packet 0 -j DROP\nCOMMIT\n";
    let mut recording = Recording::default();
    let dropped: Vec<_> = ask(rules, &vec![udp(); 6], &mut recording).iter().map(|v| *v == NfVerdict::Drop).collect();
    // the packet of that number comes round first, as a real kernel shows
    assert_eq!(dropped, [true, false, false, true, false, false]);
    let asked = recording.steps.iter().filter(|s| matches!(s.evidence, Evidence::StatefulMatch { .. })).count();
    assert_eq!(asked, 6);
    let rules = "*filter\n:FORWARD ACCEPT [0:0]\n-A FORWARD -m statistic --mode random --probability 0.25 -j DROP\nCOMMIT\n";
    let n = ask(rules, &vec![udp(); 2000], &mut crate::trace::NoTrace).iter().filter(|v| **v == NfVerdict::Drop).count();
    assert!((400..600).contains(&n), "{n}");
}

/// A long chain is indexed; the verdicts and steps are those of a scan.
#[test]
fn an_index_changes_nothing() {
    let mut rules = String::from("*filter\n:FORWARD ACCEPT [0:0]\n");
    for i in 0..200u32 {
        let target = ["MARK --set-xmark 0x1/0x0", "ACCEPT", "DROP"][(i % 3) as usize];
        rules += &match i % 7 {
            0 => format!("-A FORWARD -p tcp --dport {i} -j {target}\n"),
            1 => format!("-A FORWARD ! -d 10.0.0.{}/32 -p tcp --dport {i} -j DROP\n", i % 50),
            _ => format!("-A FORWARD -d 10.0.0.{}/32 -p udp -m mark ! --mark {} -j {target}\n", i % 50, i % 5),
        };
    }
    rules += "COMMIT\n";
    for last in 0..60u8 {
        let mut p = udp();
        p.header.dst = Ipv4Addr::new(10, 0, 0, last);
        let (verdict, steps) = told(&rules, p);
        let mut mark = 0u32;
        let mut expect = Vec::new();
        for i in (0..200u32).filter(|i| i % 7 > 1 && i % 50 == u32::from(last)) {
            if mark == i % 5 {
                continue;
            }
            match i % 3 {
                0 => {
                    mark ^= 1;
                    expect.push((i, "continue"));
                }
                n => {
                    expect.push((i, if n == 1 { "accept" } else { "drop" }));
                    break;
                }
            }
        }
        let rules: Vec<_> =
            steps.iter().filter(|s| !s.contains("policy")).map(|s| s.split(' ').take(3).collect::<Vec<_>>().join(" ")).collect();
        let expect: Vec<_> = expect.into_iter().map(|(i, v)| format!("FORWARD {} {v}", i + 1)).collect();
        assert_eq!(rules, expect, "{last}");
        let drop = expect.last().is_some_and(|s| s.ends_with("drop"));
        assert_eq!(verdict == NfVerdict::Drop, drop);
    }
}

/// Lines that all parse, to be mutated.
const SEEDS: &[&str] = &[
    "-A FORWARD -s 10.0.0.0/8 ! -d 10.1.2.3 -i eth0 ! -o cni+ -p tcp --dport 80:90 -j ACCEPT",
    "-t nat -A KUBE-SERVICES -d 10.96.0.10/32 -p udp -m comment --comment \"kube-dns cluster IP\" -m udp --dport 53 -j KUBE-SVC-X",
    "-t nat -I POSTROUTING 2 -m mark ! --mark 0x4000/0x4000 -j MASQUERADE --random-fully",
    "-A INPUT -m conntrack ! --ctstate RELATED,ESTABLISHED,DNAT -m addrtype --dst-type LOCAL -j DROP",
    "-t nat -A SVC -m statistic --mode random --probability 0.33333333349 -j SEP",
    "-t nat -R SVC 3 -p tcp -j DNAT --to-destination 10.244.1.3:8080 --persistent",
    "-A X -p tcp -m multiport ! --dports 22,80,1000:2000 --syn -j REJECT --reject-with tcp-reset",
    "-D FORWARD -p icmp --icmp-type 3/1 -m physdev --physdev-in veth+ ! --physdev-is-bridged -g X",
    "-t mangle -A PREROUTING -j MARK --set-mark 5/7",
    "-E OLD NEW",
    "-L FORWARD 2 -nv --line-numbers",
];

fn mutated() -> impl Strategy<Value = Vec<String>> {
    let pool: Vec<String> = SEEDS.iter().flat_map(|s| words(s)).chain(["!", "", "0", "é", "-", "--", "\u{0}"].map(String::from)).collect();
    let edits = prop::collection::vec((any::<prop::sample::Index>(), any::<prop::sample::Index>(), 0u8..5), 0..3);
    (prop::sample::select(SEEDS), edits).prop_map(move |(seed, edits)| {
        let mut line = words(seed);
        for (at, from, kind) in edits {
            if line.is_empty() {
                break;
            }
            let i = at.index(line.len());
            match kind {
                0 => line[i] = from.get(&pool).clone(),
                1 => line.insert(i, from.get(&pool).clone()),
                2 => {
                    line.remove(i);
                }
                3 => {
                    let j = from.index(line.len());
                    line.swap(i, j);
                }
                _ => {
                    let mut chars: Vec<char> = line[i].chars().collect();
                    if !chars.is_empty() {
                        let j = from.index(chars.len());
                        chars[j] = ['0', '9', '/', ':', 'A', '!'][i % 6];
                    }
                    line[i] = chars.into_iter().collect();
                }
            }
        }
        line
    })
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 4000, failure_persistence: None, ..ProptestConfig::default() })]

    /// Text to op to text is a fixed point, whatever still parses; nothing panics, also when applied.
    #[test]
    fn printing_is_a_fixed_point(line in mutated()) {
        let argv: Vec<&str> = line.iter().map(String::as_str).collect();
        if let Ok(Parsed::Change(op)) = parse_command(Family::Inet, &argv) {
            let _ = Config::default().apply_xtables(Family::Inet, &op, Source::Kernel, &mut Touched::default());
            match &op {
                XtOp::Command { .. } => {
                    let words = print_words(Family::Inet, &op);
                    let again = parse_command(Family::Inet, &words[1..].iter().map(String::as_str).collect::<Vec<_>>());
                    prop_assert_eq!(again, Ok(Parsed::Change(op)), "{:?}", words);
                }
                XtOp::Restore(r) => {
                    let text = restore_text(r);
                    let again = parse_restore(Family::Inet, &RestoreArgs { noflush: true, ..RestoreArgs::default() }, &text).unwrap();
                    let XtOp::Restore(again) = &again else { panic!() };
                    prop_assert_eq!(restore_text(again), text);
                }
            }
        }
    }

    /// Garbage is refused, not fatal.
    #[test]
    fn garbage_does_no_harm(text in "(\\*filter\n)?([:*#A-Z !\\-\"\\\\\\[\\]a-z0-9/\n]{0,80})(\nCOMMIT\n)?") {
        if let Ok(op) = parse_restore(Family::Inet, &RestoreArgs::default(), &text) {
            let _ = Config::default().apply_xtables(Family::Inet, &op, Source::Kernel, &mut Touched::default());
        }
    }
}

/// The mutations are worth something: at least 30 % of them still parse.
#[test]
fn many_mutations_still_parse() {
    use proptest::strategy::ValueTree;
    let mut runner = proptest::test_runner::TestRunner::deterministic();
    let parsed = (0..1000).filter(|_| {
        let line = mutated().new_tree(&mut runner).unwrap().current();
        parse_command(Family::Inet, &line.iter().map(String::as_str).collect::<Vec<_>>()).is_ok()
    });
    let n = parsed.count();
    assert!(n >= 300, "{n} of 1000");
}
