//! Tests of counters, as iptables 1.8.9 (nf_tables) shows them.
#![allow(clippy::unwrap_used, reason = "tests")]

use super::*;
use crate::datapath::ipt_do_table::ipt_do_table;
use crate::datapath::{Effects, HookState, Ids, Walk};
use crate::linux::netfilter::testing::{tcp, udp};
use crate::linux::netfilter::{Hook, TableKind};
use crate::linux::rng::Rng;
use crate::linux::{FlowId, IfIndex, Netns, NetnsId, PacketId, Source, Time};
use crate::packet::{Family, Ipv4Packet, Net, TcpFlags};
use crate::trace::NoTrace;

const FILE: &str = "*filter
:INPUT DROP [10:200]
:FORWARD ACCEPT [5:6]
:U - [7:8]
[3:400] -A FORWARD -p icmp -j ACCEPT
[1234567:98765432100] -A FORWARD -j U
-A FORWARD -p udp -c 100000 99999
-A U -p tcp -j RETURN
COMMIT
";

fn run(ns: &mut Netns, line: &str) -> String {
    let words = split_words(line);
    match parse_command(Family::Inet, &words.iter().map(String::as_str).collect::<Vec<_>>()).unwrap() {
        Parsed::Change(op) => {
            ns.apply_xtables(Family::Inet, &op, Source::Kernel).unwrap();
            String::new()
        }
        Parsed::Show(s) => show(&ns.config.xt, &ns.xt_state, &s).unwrap(),
        Parsed::Version | Parsed::Help => String::new(),
    }
}

fn restore(ns: &mut Netns, text: &str, args: RestoreArgs) {
    let op = parse_restore(Family::Inet, &args, text).unwrap();
    ns.apply_xtables(Family::Inet, &op, Source::Kernel).unwrap();
}

fn saved(ns: &Netns) -> String {
    save(Family::Inet, &ns.config.xt, &ns.xt_state, None, true)
}

fn send(ns: &mut Netns, packet: &Ipv4Packet) {
    let mut w = Walk {
        ns,
        now: Time(0),
        rng: &mut Rng::new(1),
        trace: &mut NoTrace,
        effects: &mut Effects::default(),
        ids: &mut Ids::default(),
        cause: PacketId::NONE,
        flow: FlowId::NONE,
    };
    let mut skb = w.new_skb(Net::Ipv4(packet.clone()), FlowId::NONE);
    let state = HookState { hook: Hook::Forward, iif: IfIndex::NONE, oif: IfIndex::NONE };
    ipt_do_table(&mut w, &mut skb, TableKind::Filter, &state);
}

#[test]
fn packets_and_bytes_per_rule_and_policy() {
    let mut ns = Netns::empty(NetnsId(0));
    restore(&mut ns, FILE, RestoreArgs { counters: true, ..RestoreArgs::default() });
    send(&mut ns, &udp());
    send(&mut ns, &tcp(TcpFlags::SYN));
    let expect = "*filter
:INPUT DROP [10:200]
:FORWARD ACCEPT [7:82]
:OUTPUT ACCEPT [0:0]
:U - [0:0]
[3:400] -A FORWARD -p icmp -j ACCEPT
[1234569:98765432176] -A FORWARD -j U
[100001:100027] -A FORWARD -p udp
[1:48] -A U -p tcp -j RETURN
COMMIT
";
    assert_eq!(saved(&ns), expect);
    let listed = run(&mut ns, "-L FORWARD -n -v");
    let expect = "Chain FORWARD (policy ACCEPT 7 packets, 82 bytes)
 pkts bytes target     prot opt in     out     source               destination         
    3   400 ACCEPT     1    --  *      *       0.0.0.0/0            0.0.0.0/0           
1235K   99G U          0    --  *      *       0.0.0.0/0            0.0.0.0/0           
 100K  100K            17   --  *      *       0.0.0.0/0            0.0.0.0/0           
";
    assert_eq!(listed, expect);
    assert_eq!(
        run(&mut ns, "-L FORWARD 2 -nvx --line-numbers"),
        "2     1234569 98765432176 U          0    --  *      *       0.0.0.0/0            0.0.0.0/0           \n"
    );
    assert_eq!(run(&mut ns, "-S U -v"), "-N U\n-A U -p tcp -c 1 48 -j RETURN\n");
}

#[test]
fn zero_one_rule_a_chain_or_all() {
    let mut ns = Netns::empty(NetnsId(0));
    restore(&mut ns, FILE, RestoreArgs { counters: true, ..RestoreArgs::default() });
    run(&mut ns, "-Z FORWARD 1");
    assert!(run(&mut ns, "-S FORWARD 1 -v").contains("-c 0 0"));
    assert!(run(&mut ns, "-S FORWARD 2 -v").contains("-c 1234567 98765432100"));
    run(&mut ns, "-Z FORWARD");
    assert!(saved(&ns).contains(":FORWARD ACCEPT [0:0]") && saved(&ns).contains(":INPUT DROP [10:200]"));
    run(&mut ns, "-A FORWARD -p 7 -c 9 9");
    run(&mut ns, "-Z");
    assert!(!saved(&ns).contains("[9:9]") && saved(&ns).contains(":INPUT DROP [0:0]"));
}

#[test]
fn a_file_brings_its_counters_only_if_asked() {
    let mut ns = Netns::empty(NetnsId(0));
    restore(&mut ns, FILE, RestoreArgs::default());
    assert!(saved(&ns).contains("[0:0] -A FORWARD -j U") && saved(&ns).contains("[100000:99999] -A FORWARD -p udp"));
    restore(&mut ns, FILE, RestoreArgs { counters: true, ..RestoreArgs::default() });
    let text = saved(&ns);
    restore(&mut ns, &text, RestoreArgs { counters: true, ..RestoreArgs::default() });
    assert_eq!(saved(&ns), text);
    // what is gone has no counter when it comes back
    restore(&mut ns, &text, RestoreArgs::default());
    assert!(!saved(&ns).contains("400"));
}
