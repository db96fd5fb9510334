//! Texts held against what nft 1.0.6 made of them on Linux 6.18.

#![allow(clippy::unwrap_used, reason = "tests")]

use super::{Env, NftError, Style, run};
use crate::linux::id::{RowId, Source};
use crate::linux::netfilter::nft::Nftables;
use crate::linux::time::Time;

fn device(name: &str) -> Option<u32> {
    (name == "lo").then_some(1)
}

fn apply(nft: &mut Nftables, text: &str) -> Result<(), String> {
    let env = Env { device: &device, now: Time::ZERO, source: Source::Kernel, lenient: false };
    let mut last = 0;
    let mut row = || {
        last += 1;
        RowId(last)
    };
    let text = format!("{text}\n");
    run(nft, &text, &env, &mut row).map(|_| ()).map_err(|e| NftError::new(None, &text, e).to_string())
}

fn listed(nft: &Nftables, handles: bool) -> String {
    let style = Style { stateless: true, handles, device: &|i| (i == 1).then(|| "lo".to_owned()) };
    let mut out = String::new();
    nft.tables.iter().for_each(|t| style.table(t, &|_| Vec::new(), &mut out));
    out
}

/// A rule of the ip family as nft lists it, or the first line of what it says against it.
fn rule(text: &str) -> String {
    let mut nft = Nftables::default();
    let tables = "table ip t {\n set s1 { type ipv4_addr; }\n map m1 { type inet_service : ipv4_addr; }\n counter cn { }\n chain c1 {\n }\n chain c {\n }\n}";
    apply(&mut nft, tables).unwrap();
    match apply(&mut nft, &format!("add rule ip t c {text}")) {
        Ok(()) => {
            let out = listed(&nft, false);
            out.split("\tchain c {\n").nth(1).unwrap().lines().next().unwrap().trim().to_owned()
        }
        Err(e) => e.lines().next().unwrap().to_owned(),
    }
}

#[test]
fn rules_as_nft_lists_them() {
    for same in [
        "tcp dport 80-90 accept",
        "ip saddr != 10.0.0.0/8 drop",
        "ip daddr . tcp dport vmap { 10.0.0.1 . 80 : accept, 10.0.0.2 . 443 : jump c1 }",
        "ct state established,related accept",
        "ct original ip saddr 10.0.0.1",
        "meta l4proto { tcp, udp } th dport { 53, 80-90 }",
        "tcp flags syn / fin,syn,rst,ack",
        "ip saddr & 0.0.0.255 == 0.0.0.1",
        "fib saddr . iif oif missing drop",
        "numgen inc mod 2 vmap { 0 : accept, 1 : drop }",
        "meta mark set jhash ip saddr . ip daddr mod 2 seed 0x5 offset 3",
        "iifname \"eth*\" oif \"lo\"",
        "limit rate over 5/minute",
        "reject with icmp host-unreachable",
        "log prefix \"a b: \" group 2 snaplen 5 queue-threshold 10",
        "meta l4proto tcp counter tcp dport 80",
        "dnat to tcp dport map @m1",
        "tcp dport 80 redirect to :8080-8090 random,persistent",
        "meta priority set 1:10",
    ] {
        assert_eq!(rule(same), same);
    }
}

#[test]
fn rules_that_nft_lists_otherwise() {
    let check = |text: &str, expect: &str| assert_eq!(rule(text), expect, "{text}");
    check("meta l4proto tcp tcp dport 80", "tcp dport 80");
    check("ip protocol tcp ip saddr 1.1.1.1 tcp dport 80", "ip saddr 1.1.1.1 tcp dport 80");
    check("meta l4proto tcp th dport vmap { 80 : accept }", "tcp dport vmap { 80 : accept }");
    check("tcp dport { 443, 80, 22 }", "tcp dport { 22, 80, 443 }");
    check("tcp dport { 80 }", "tcp dport 80");
    check("ip saddr { 10.0.0.0/24, 10.0.1.0/24 }", "ip saddr { 10.0.0.0/23 }");
    check("ip saddr & 255.255.255.0 == 10.0.0.0", "ip saddr 10.0.0.0/24");
    check("mark and 0x4000 == 0x4000", "meta mark & 0x00004000 == 0x00004000");
    check("meta mark set meta mark and 0xffff xor 0x10001", "meta mark set meta mark & 0x0001ffff ^ 0x00000001 | 0x00010000");
    check("tcp flags & (syn|ack) == syn", "tcp flags syn / syn,ack");
    check("tcp flags & syn == 0", "tcp flags ! syn");
    check("ct state & (new|established) != 0", "ct state established,new");
    check("icmp type 8", "icmp type echo-request");
    check("icmp id 5", "icmp type { echo-reply, echo-request } icmp id 5");
    check("reject with icmp port-unreachable", "reject");
    check("meta l4proto tcp reject with tcp reset", "reject with tcp reset");
    check("ip protocol . th dport { tcp . 80, udp . 53 }", "ip protocol . th dport { udp . 53, tcp . 80 }");
    check("limit rate 1024 bytes/second burst 512 bytes", "limit rate 1 kbytes/second burst 512 bytes");
    check("set update ip saddr @s1", "update @s1 { ip saddr }");
}

#[test]
fn what_nft_refuses() {
    let check = |text: &str, expect: &str| assert_eq!(rule(text), format!("Error: {expect}"), "{text}");
    check("tcp dport 99999", "Service out of range");
    check("ip saddr 10.0.0.0/33", "Prefix length 33 is invalid for type of 32 bits width");
    check("ip ttl 300", "Value 300 exceeds valid range 0-255");
    check("ct state foo", "Could not parse conntrack state");
    check("iif nope", "Interface does not exist");
    check("accept drop", "Statement after terminal statement has no effect");
    check("ip saddr 1.1.1.1 ip6 saddr ::1", "conflicting protocols specified: ip vs. ip6");
    check("tcp dport 1 udp dport 2", "conflicting protocols specified: tcp vs. udp");
    check("dnat to 10.0.0.1:8080", "transport protocol mapping is only valid after transport protocol match");
    check("tcp dport @s1", "datatype mismatch, expected internet network service, expression has type IPv4 address");
    check("ip saddr", "syntax error, unexpected newline");
    check("jump nope", "Could not process rule: No such file or directory");
}

#[test]
fn the_place_of_an_error() {
    let mut nft = Nftables::default();
    let expect = "Error: Could not process rule: No such file or directory\nadd rule ip x y accept\n            ^";
    assert_eq!(apply(&mut nft, "add rule ip x y accept").unwrap_err(), expect);
    assert!(apply(&mut nft, "add chain ip t fwd").unwrap_err().starts_with("Error:"));
    assert!(nft.tables.is_empty());
}

#[test]
fn a_ruleset_of_kube_proxy_comes_out_as_it_went_in() {
    let text = include_str!("kube_proxy.nft");
    let mut nft = Nftables::default();
    apply(&mut nft, text).unwrap();
    assert_eq!(listed(&nft, false), text);
    let again = listed(&nft, false);
    let mut second = Nftables::default();
    apply(&mut second, &again).unwrap();
    assert_eq!(listed(&second, true), listed(&nft, true), "handles too");
}

#[test]
fn handles_and_places() {
    let mut nft = Nftables::default();
    apply(&mut nft, "table ip t {\n chain a {\n  tcp dport { 1, 2 } accept\n  drop\n }\n set s { type mark; }\n}").unwrap();
    apply(&mut nft, "insert rule ip t a position 5 counter").unwrap();
    apply(&mut nft, "add rule ip t a index 0 return").unwrap();
    apply(&mut nft, "delete rule ip t a handle 5").unwrap();
    let expect = "table ip t { # handle 1\n\tset s { # handle 2\n\t\ttype mark\n\t}\n\n\tchain a { # handle 1\n\t\ttcp dport { 1, 2 } accept # handle 4\n\t\treturn # handle 7\n\t\tcounter # handle 6\n\t}\n}\n";
    assert_eq!(listed(&nft, true), expect);
}
