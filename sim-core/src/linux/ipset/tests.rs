//! Tests of sets: elements both ways, refusals in the words of ipset 7.17, lookups.
#![allow(clippy::unwrap_used, reason = "tests")]

use super::apply::apply;
use super::kadt::{Dirs, Found};
use super::*;
use crate::linux::config::Config;
use crate::linux::netfilter::MatchCx;
use crate::linux::netfilter::testing::{cx, echo, tcp, udp};
use crate::linux::op::ipset::{IpsetOp, IpsetOptions};
use crate::packet::TcpFlags;

fn words(s: &str) -> IpsetOptions {
    let mut out = IpsetOptions::new();
    let mut words = s.split_whitespace();
    while let Some(w) = words.next() {
        let flag = matches!(w, "counters" | "comment" | "forceadd" | "nomatch");
        out.push((w.into(), if flag { None } else { words.next().map(Into::into) }));
    }
    out
}

fn create(c: &mut Config, name: &str, kind: &str, options: &str) -> Result<(), String> {
    let op = IpsetOp::Create { name: name.into(), kind: kind.into(), options: words(options), exist: false };
    apply(c, &op, Time(0)).map_err(|e| e.0)
}

fn add(c: &mut Config, name: &str, elem: &str, options: &str) -> Result<(), String> {
    let op = IpsetOp::Add { name: name.into(), elem: elem.into(), options: words(options), exist: false };
    apply(c, &op, Time(0)).map_err(|e| e.0)
}

fn members(c: &Config, name: &str) -> Vec<String> {
    let set = c.ipsets.get(name).unwrap();
    set.members(Time(0)).iter().map(|(k, _)| elem::text(set, k)).collect()
}

#[test]
fn elements_both_ways() {
    for (kind, options, given, listed) in [
        ("hash:ip", "", "1.2.3.0/30", "1.2.3.0 1.2.3.1 1.2.3.2 1.2.3.3"),
        ("hash:ip", "", "1.2.3.9-1.2.3.10", "1.2.3.9 1.2.3.10"),
        ("hash:ip", "netmask 24", "10.0.1.5", "10.0.1.0"),
        ("hash:ip", "family inet6", "2001::1", "2001::1"),
        ("hash:net", "", "1.1.1.0-1.1.3.255", "1.1.1.0/24 1.1.2.0/23"),
        ("hash:net", "", "10.2.3.4", "10.2.3.4"),
        ("hash:net", "", "10.0.0.1/8", "10.0.0.0/8"),
        ("hash:ip,port", "", "1.1.1.1,80", "1.1.1.1,tcp:80"),
        ("hash:ip,port", "", "1.1.1.1,udp:53-54", "1.1.1.1,udp:53 1.1.1.1,udp:54"),
        ("hash:ip,port", "", "1.1.1.1,icmp:echo-request", "1.1.1.1,icmp:echo-request"),
        ("hash:ip,port", "", "1.1.1.1,icmp:5/6", "1.1.1.1,icmp:5/6"),
        ("hash:ip,port", "", "1.1.1.1,gre:0", "1.1.1.1,gre:0"),
        ("hash:ip,port,ip", "", "1.1.1.1,http,2.2.2.2", "1.1.1.1,tcp:80,2.2.2.2"),
        ("hash:ip,port,net", "family inet6", "2001::1,tcp:80,2001:db8::/32", "2001::1,tcp:80,2001:db8::/32"),
        ("hash:net,iface", "", "10.0.0.0/8,physdev:eth0", "10.0.0.0/8,physdev:eth0"),
        ("hash:net,net", "", "10.0.0.0/8,11.0.0.0/8", "10.0.0.0/8,11.0.0.0/8"),
        ("hash:mac", "", "01:02:03:04:05:0a", "01:02:03:04:05:0A"),
        ("hash:ip,mark", "markmask 0xff", "1.2.3.4,0x123", "1.2.3.4,0x00000023"),
        ("bitmap:port", "range 0-65535", "443-445", "443 444 445"),
        ("bitmap:ip", "range 10.0.0.0/24", "10.0.0.5", "10.0.0.5"),
    ] {
        let mut c = Config::default();
        create(&mut c, "s", kind, options).unwrap();
        add(&mut c, "s", given, "").unwrap();
        assert_eq!(members(&c, "s").join(" "), listed, "{kind} {given}");
        // what is listed is the same element
        let first = members(&c, "s")[0].clone();
        assert!(c.ipsets.contains("s", &first, false, Time(0)).unwrap(), "{kind} {given}");
    }
}

#[test]
fn refusals_in_the_real_words() {
    let mut c = Config::default();
    let s = |r: Result<(), String>| r.unwrap_err();
    create(&mut c, "a", "hash:ip", "maxelem 2").unwrap();
    assert_eq!(s(create(&mut c, "a", "hash:ip", "")), "Set cannot be created: set with the same name already exists");
    assert_eq!(s(create(&mut c, "x", "foo", "")), "Syntax error: typename 'foo' is unknown");
    assert_eq!(s(create(&mut c, "x", "bitmap:ip", "range 10.0.0.0/8")), "The range you specified exceeds the size limit of the set type");
    assert_eq!(s(add(&mut c, "n", "1.1.1.1", "")), "The set with the given name does not exist");
    assert_eq!(s(add(&mut c, "a", "foo", "")), "Syntax error: cannot parse foo: resolving to IPv4 address failed");
    assert_eq!(s(add(&mut c, "a", "0.0.0.0", "")), "Null-valued element, cannot be stored in a hash type of set");
    assert_eq!(s(add(&mut c, "a", "1.1.1.1/33", "")), "Syntax error: '33' is out of range 0-32");
    assert_eq!(s(add(&mut c, "a", "1.1.1.1,2", "")), "Syntax error: Elem separator in 1.1.1.1,2, but settype hash:ip supports none.");
    assert_eq!(s(add(&mut c, "a", "1.1.1.1", "timeout 5")), "Timeout cannot be used: set was created without timeout support");
    add(&mut c, "a", "1.1.1.1", "").unwrap();
    assert_eq!(s(add(&mut c, "a", "1.1.1.1", "")), "Element cannot be added to the set: it's already added");
    add(&mut c, "a", "1.1.1.2", "").unwrap();
    assert_eq!(s(add(&mut c, "a", "1.1.1.3", "")), "Hash is full, cannot add more elements");
    create(&mut c, "l", "list:set", "").unwrap();
    add(&mut c, "l", "a", "").unwrap();
    assert_eq!(
        s(apply(&mut c, &IpsetOp::Destroy(Some("a".into())), Time(0)).map_err(|e| e.0)),
        "Set cannot be destroyed: it is in use by a kernel component"
    );
    apply(&mut c, &IpsetOp::Destroy(None), Time(0)).unwrap();
    assert!(c.ipsets.is_empty());
}

#[test]
fn packets_ask() {
    let mut c = Config::default();
    let (t, u, e) = (tcp(TcpFlags::SYN), udp(), echo());
    for (name, kind, options, elems) in [
        ("ip", "hash:ip", "", &["10.0.0.1"][..]),
        ("port", "hash:ip,port", "", &["10.0.0.2,tcp:80", "10.0.0.2,icmp:8/0"]),
        ("three", "hash:ip,port,ip", "", &["10.0.0.2,tcp:80,10.0.0.1"]),
        ("net", "hash:net", "", &["10.0.0.0/8", "10.0.0.0/30 nomatch"]),
        ("pn", "hash:ip,port,net", "", &["10.0.0.2,udp:53,10.0.0.0/24"]),
        ("bit", "bitmap:port", "range 0-1000", &["80"]),
        ("dev", "hash:net,iface", "", &["10.0.0.0/24,eth0"]),
        ("list", "list:set", "", &["port", "ip"]),
    ] {
        create(&mut c, name, kind, options).unwrap();
        for elem in elems {
            let (elem, rest) = elem.split_once(' ').unwrap_or((elem, ""));
            add(&mut c, name, elem, rest).unwrap();
        }
    }
    let dirs =
        |s: &str| Dirs { len: s.split(',').count() as u8, src: s.split(',').enumerate().map(|(i, d)| u8::from(d == "src") << i).sum() };
    let asked: &[(&str, &str, MatchCx<'_>, bool)] = &[
        ("ip", "src", cx(&t), true),
        ("ip", "dst", cx(&t), false),
        ("port", "dst,dst", cx(&t), true),
        ("port", "dst", cx(&t), false),
        ("port", "dst,dst", cx(&e), true),
        ("port", "dst,dst", cx(&u), false),
        ("three", "dst,dst,src", cx(&t), true),
        ("three", "dst,dst,dst", cx(&t), false),
        ("net", "src", cx(&t), false),
        ("pn", "dst,dst,src", cx(&u), true),
        ("bit", "dst", cx(&t), true),
        ("bit", "dst", cx(&u), false),
        ("dev", "src,src", cx(&t), true),
        ("dev", "src,dst", cx(&t), false),
        ("list", "src", cx(&t), true),
        ("list", "dst,dst", cx(&e), true),
        ("none", "src", cx(&t), false),
    ];
    for (name, d, packet, want) in asked {
        let found = c.ipsets.test(name, dirs(d), packet);
        assert_eq!(matches!(found, Found::Member(..)), *want, "{name} {d}");
    }
    assert_eq!(c.ipsets.test("net", dirs("src"), &cx(&t)), Found::Exception);
}

#[test]
fn what_has_ended_is_not_there() {
    let mut c = Config::default();
    create(&mut c, "s", "hash:ip", "timeout 5").unwrap();
    add(&mut c, "s", "10.0.0.1", "").unwrap();
    add(&mut c, "s", "10.0.0.9", "timeout 0").unwrap();
    let t = tcp(TcpFlags::SYN);
    let at = |s: u64| MatchCx { now: Time(s * 1_000_000_000), ..cx(&t) };
    let one = Dirs { len: 1, src: 1 };
    assert!(matches!(c.ipsets.test("s", one, &at(4)), Found::Member(..)));
    assert_eq!(c.ipsets.test("s", one, &at(5)), Found::Nothing);
    assert_eq!(c.ipsets.get("s").unwrap().members(Time(6_000_000_000)).len(), 1);
    // a packet puts it in again
    let mut sets = (*c.ipsets).clone();
    assert!(sets.add_packet("s", one, &at(6), false, Some(2)));
    assert!(!sets.add_packet("s", one, &at(7), false, None) && sets.add_packet("s", one, &at(7), true, None));
    assert!(matches!(sets.test("s", one, &at(11)), Found::Member(..)));
    assert!(sets.del_packet("s", one, &at(11)) && !sets.del_packet("s", one, &at(11)));
}
