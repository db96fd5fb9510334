//! What this floor says of real runs.
#![allow(clippy::unwrap_used, reason = "tests")]

use super::tests_world::{Lab, info, ip};
use super::*;
use crate::engine::Run;
use crate::linux::netfilter::spec::{AddrMatch, IfMatch, ProtoMatch};
use crate::linux::netfilter::targets::Dnat;
use crate::linux::netfilter::{Policy, RuleSpec, TableKind, Target};
use crate::packet::Protocol;

fn text(run: &Run, detail: Detail, only: Option<&str>) -> String {
    print(&text::document(&Report::new(run), &info(), detail, only), 80, &PlainStyle)
}

fn pings() -> Run {
    let mut lab = Lab::host_gw();
    let c = lab.client;
    lab.ping("ping", c, "10.244.1.3");
    lab.tcp("tcp", c, "10.244.1.3", 80);
    lab.ping("nowhere", c, "10.168.0.77");
    lab.run()
}

/// A Service's address, a rule that is passed over and a rule that drops.
fn filtered() -> Run {
    let mut lab = Lab::host_gw();
    let (a, c) = (lab.node_a, lab.client);
    let tcp = Some(ProtoMatch { protocol: Protocol::TCP, invert: false });
    let mut dnat = Dnat::default();
    dnat.range.addrs = Some((ip("10.244.1.3").into(), ip("10.244.1.3").into()));
    dnat.range.ports = Some((80, 80));
    let service = RuleSpec { dst: AddrMatch::host(ip("10.96.0.10")), protocol: tcp, target: Target::Dnat(dnat), ..RuleSpec::default() };
    lab.rule(a, TableKind::Nat, "PREROUTING", service);
    let other = RuleSpec {
        dst: AddrMatch::prefix::<crate::packet::Ipv4Addr>("10.244.9.0/24".parse().unwrap()),
        target: Target::Drop,
        ..RuleSpec::default()
    };
    lab.rule(a, TableKind::Filter, "FORWARD", other);
    let icmp = Some(ProtoMatch { protocol: Protocol::ICMP, invert: false });
    let drop = RuleSpec { iif: Some(IfMatch::named("cni0")), protocol: icmp, target: Target::Drop, ..RuleSpec::default() };
    lab.rule(a, TableKind::Filter, "FORWARD", drop);
    lab.policy(a, "FORWARD", Policy::Accept);
    lab.ping("dropped", c, "10.244.1.3");
    lab.tcp("service", c, "10.96.0.10", 8080);
    lab.run()
}

#[test]
fn a_ping_across_nodes_hop_by_hop() {
    insta::assert_snapshot!(text(&pings(), Detail::Hops, Some("ping")), @r#"
    A small lab
    lab: cni flannel, seed 7

    ping: client pings 10.244.1.3                                            replied
    ================================================================================

    request: ICMP echo request 10.244.0.2 > 10.244.1.3, seq 1         packet 1  +0 s
       1  client  > eth0        ping sends an echo request to 10.244.1.3; route
                                default via 10.244.0.1 dev eth0 (the only route that
                                holds it); waits for ARP: who has 10.244.0.1?
          +0 s ARP who has 10.244.0.1? tell 10.244.0.2 (client eth0 > node-a vethc,
            cni0)
          +0 s ARP 10.244.0.1 is at 0a:58:0a:f4:00:01 (node-a cni0, vethc > client
            eth0)
       2  node-a  vethc         bridge cni0: the frame is for the bridge itself
       3  node-a  cni0 > eth0   route 10.244.1.0/24 via 10.168.0.3 dev eth0 (/24
                                beats /0); ttl 64 -> 63; waits for ARP: who has
                                10.168.0.3?
          +0 s ARP who has 10.168.0.3? tell 10.168.0.2 (node-a eth0 > node-b eth0)
          +200 us ARP 10.168.0.3 is at 52:54:00:00:00:03 (node-b eth0 > node-a eth0)
       4  node-b  eth0 > cni0   route 10.244.1.0/24 dev cni0 (the only route that
                                holds it); ttl 63 -> 62; waits for ARP: who has
                                10.244.1.3?
          +600 us ARP who has 10.244.1.3? tell 10.244.1.1 (node-b cni0)
            +600 us a copy: node-b vethw > web eth0
            +600 us ARP 10.244.1.3 is at 0a:58:0a:f4:01:03 (web eth0 > node-b vethw,
              cni0)
       5  node-b  cni0 > vethw  bridge cni0: 0a:58:0a:f4:01:03 is behind vethw
       6  web     eth0          10.244.1.3 is an address of this host; delivered: an
                                echo request for the kernel, which answers by itself

    reply: ICMP echo reply 10.244.1.3 > 10.244.0.2, seq 1          packet 9  +600 us
       1  web     > eth0        route default via 10.244.1.1 dev eth0 (the only
                                route that holds it)
       2  node-b  vethw         bridge cni0: the frame is for the bridge itself
       3  node-b  cni0 > eth0   route 10.244.0.0/24 via 10.168.0.2 dev eth0 (the
                                only route that holds it); ttl 64 -> 63
       4  node-a  eth0 > cni0   route 10.244.0.0/24 dev cni0 (/24 beats /0); ttl 63
                                -> 62
       5  node-a  cni0 > vethc  bridge cni0: 0a:58:0a:f4:00:02 is behind vethc
       6  client  eth0          10.244.0.2 is an address of this host; delivered: an
                                echo reply for ping

    outcome: replied: an echo reply came from 10.244.1.3 with ttl 62 (after 800 us)
    "#);
}

#[test]
fn a_host_that_does_not_answer() {
    insta::assert_snapshot!(text(&pings(), Detail::Hops, Some("nowhere")), @r#"
    A small lab
    lab: cni flannel, seed 7

    nowhere: client pings 10.168.0.77                               host unreachable
    ================================================================================

    request: ICMP echo request 10.244.0.2 > 10.168.0.77, seq 1       packet 21  +0 s
       1  client  > eth0  ping sends an echo request to 10.168.0.77; route default
                          via 10.244.0.1 dev eth0 (the only route that holds it)
       2  node-a  vethc   bridge cni0: the frame is for the bridge itself
       3  node-a  cni0    route 10.168.0.0/24 dev eth0 (/24 beats /0); ttl 64 -> 63;
                          waits for ARP: who has 10.168.0.77?; answers ICMP host
                          unreachable to 10.244.0.2 (packet 25); DROP NEIGH_FAILED:
                          the next hop did not answer
          +0 s ARP who has 10.168.0.77? tell 10.168.0.2 (node-a eth0 > node-b eth0)
          +1 s ARP who has 10.168.0.77? tell 10.168.0.2 (node-a eth0 > node-b eth0)
          +2 s ARP who has 10.168.0.77? tell 10.168.0.2 (node-a eth0 > node-b eth0)

    error: ICMP host unreachable 10.244.0.1 > 10.244.0.2, about ICMP to 10.168.0.77
                                                                     packet 25  +3 s
       1  node-a  > cni0        route 10.244.0.0/24 dev cni0 (/24 beats /0)
       2  node-a  cni0 > vethc  bridge cni0: 0a:58:0a:f4:00:02 is behind vethc
       3  client  eth0          10.244.0.2 is an address of this host; the program
                                is told EHOSTUNREACH: No route to host

    outcome: host unreachable: EHOSTUNREACH: the packet could not reach its
      destination host; 10.244.0.1 (node-a) sent ICMP host unreachable (after 3 s)
    "#);
}

#[test]
fn a_rule_that_drops() {
    insta::assert_snapshot!(text(&filtered(), Detail::Hops, Some("dropped")), @r#"
    A small lab
    lab: cni flannel, seed 7

    dropped: client pings 10.244.1.3                                        no reply
    ================================================================================

    request: ICMP echo request 10.244.0.2 > 10.244.1.3, seq 1         packet 1  +0 s
       1  client  > eth0  ping sends an echo request to 10.244.1.3; route default
                          via 10.244.0.1 dev eth0 (the only route that holds it);
                          waits for ARP: who has 10.244.0.1?
          +0 s ARP who has 10.244.0.1? tell 10.244.0.2 (client eth0 > node-a vethc,
            cni0)
          +0 s ARP 10.244.0.1 is at 0a:58:0a:f4:00:01 (node-a cni0, vethc > client
            eth0)
       2  node-a  vethc   bridge cni0: the frame is for the bridge itself
       3  node-a  cni0    route 10.244.1.0/24 via 10.168.0.3 dev eth0 (/24 beats
                          /0); ttl 64 -> 63; filter: -A FORWARD -i cni0 -p icmp -j
                          DROP matches; DROP NETFILTER_DROP: a netfilter rule or
                          policy dropped it

    outcome: no reply: no answer came, and no error either; node-a dropped a packet:
      NETFILTER_DROP (a netfilter rule or policy dropped it) (after 10 s)
    "#);
}

/// The part of a trace from the line that holds `from`, so many lines.
fn excerpt(text: &str, from: &str, lines: usize) -> String {
    text.lines().skip_while(|l| !l.contains(from)).take(lines).collect::<Vec<_>>().join("\n")
}

const FORMAT: &str = include_str!("../../../docs/trace-format.md");

fn keys(j: &serde_json::Value, under_tables: bool, out: &mut std::collections::BTreeSet<String>) {
    match j {
        serde_json::Value::Object(m) => {
            for (k, v) in m {
                // the keys below a table are namespaces
                if !under_tables {
                    out.insert(k.clone());
                }
                keys(v, matches!(k.as_str(), "conntrack" | "neighbours" | "fdb"), out);
            }
        }
        serde_json::Value::Array(a) => a.iter().for_each(|v| keys(v, under_tables, out)),
        _ => {}
    }
}

#[test]
fn every_key_of_the_document_is_described() {
    let mut found = std::collections::BTreeSet::new();
    for run in [pings(), filtered()] {
        let text = json::text(&Report::new(&run), &info(), Detail::All, None);
        keys(&serde_json::from_str(&text).unwrap(), false, &mut found);
    }
    for k in Kind::ALL {
        found.insert(k.name().to_owned());
        found.extend(k.fields().iter().map(|f| (*f).to_owned()));
    }
    assert!(found.len() > 100, "{}", found.len());
    let missing: Vec<&String> = found.iter().filter(|k| !FORMAT.contains(&format!("`{k}`"))).collect();
    assert!(missing.is_empty(), "docs/trace-format.md says nothing of {missing:?}");
}

#[test]
fn evidence_has_no_field_that_its_kind_does_not_list() {
    for run in [pings(), filtered()] {
        let report = Report::new(&run);
        for v in report.steps() {
            for (name, _) in &v.evidence {
                assert!(v.kind.fields().contains(name), "{} has `{name}`", v.kind.name());
            }
        }
    }
}

#[test]
fn the_document_follows_the_contract() {
    let run = filtered();
    let text = json::text(&Report::new(&run), &info(), Detail::All, None);
    let d: serde_json::Value = serde_json::from_str(&text).unwrap();
    assert_eq!(d["schema"], "packetwalk.trace/1");
    let top: Vec<&String> = d.as_object().unwrap().keys().collect();
    assert_eq!(top, ["schema", "scenario", "flows", "background", "events", "tables"]);
    let steps: Vec<&serde_json::Value> = d["flows"]
        .as_array()
        .unwrap()
        .iter()
        .flat_map(|f| f["packets"].as_array().unwrap())
        .flat_map(|p| p["steps"].as_array().unwrap())
        .collect();
    let dropped = steps.iter().find(|s| s["verdict"] == "DROP" && s["kind"] == "rule").unwrap();
    assert_eq!(dropped["evidence"]["table"], "filter");
    assert_eq!(dropped["evidence"]["chain"], "FORWARD");
    assert_eq!(dropped["evidence"]["rule"], 2);
    let missed = &dropped["evidence"]["missed"][0];
    assert_eq!(
        [&missed["rule"], &missed["match"], &missed["wanted"], &missed["seen"]],
        [&serde_json::json!(1), &serde_json::json!("destination"), &serde_json::json!("10.244.9.0/24"), &serde_json::json!("10.244.1.3"),]
    );
    let dnat = steps.iter().find(|s| s["kind"] == "nat-rewrite").unwrap();
    let changed: Vec<&str> = dnat["changed"].as_array().unwrap().iter().map(|c| c["field"].as_str().unwrap()).collect();
    assert_eq!(changed, ["ipv4.dst", "ipv4.checksum", "tcp.dport", "tcp.checksum"]);
    let hook = steps
        .iter()
        .find(|s| {
            s["kind"] == "hook"
                && s["evidence"]["before"]["dst"] == "10.96.0.10"
                && s["netns"] == "node-a"
                && s["evidence"]["family"] == "ip"
        })
        .unwrap();
    assert_eq!(hook["evidence"]["after"]["dst"], "10.244.1.3");
    assert_eq!(hook["evidence"]["ct"], serde_json::json!({"state": "new", "dir": "orig", "status": ["dnat", "dnat-done"]}));
    let numbers: Vec<u64> = steps.iter().map(|s| s["n"].as_u64().unwrap()).collect();
    let mut sorted = numbers.clone();
    sorted.sort_unstable();
    sorted.dedup();
    assert_eq!(sorted.len(), numbers.len(), "a step stands once");
    // no rows that lost without being asked for
    let plain = json::text(&Report::new(&run), &info(), Detail::Steps, None);
    assert!(!plain.contains("\"missed\"") && !plain.contains("\"lost\""));
}

#[test]
fn a_change_stands_in_one_step_and_the_headers_join_up() {
    for run in [pings(), filtered()] {
        let report = Report::new(&run);
        for place in 0..report.index.packets.len() {
            for pair in report.index.steps_at(place).windows(2) {
                assert_eq!(report.index.versions(pair[0]).1, report.index.versions(pair[1]).0, "steps {pair:?}");
            }
        }
        for v in report.steps() {
            match v.kind {
                Kind::TtlDecrement => assert!(v.changes("ipv4.ttl"), "step {}", v.n),
                Kind::NatRewrite => assert!(v.changes("ipv4.dst") || v.changes("ipv4.src"), "step {}", v.n),
                Kind::NeighbourLookup | Kind::Transmit => assert!(v.changed.iter().all(|c| c.field.starts_with("eth.")), "step {}", v.n),
                _ => assert!(v.changed.is_empty(), "step {} ({}) changes {:?}", v.n, v.kind.name(), v.changed),
            }
        }
    }
}

#[test]
fn the_same_run_gives_the_same_bytes() {
    let (a, b) = (filtered(), filtered());
    assert_eq!(json::text(&Report::new(&a), &info(), Detail::All, None), json::text(&Report::new(&b), &info(), Detail::All, None));
}

#[test]
fn at_steps_a_route_says_why_it_won() {
    let steps = text(&pings(), Detail::Steps, Some("ping"));
    insta::assert_snapshot!(excerpt(&steps, "takes 10.244.1.0/24 via", 9), @r#"
    32 route      10.244.1.3 takes 10.244.1.0/24 via 10.168.0.3 dev eth0
                  Longest prefix: /24 holds 10.244.1.3 more closely than
                  default (/0).
                  The next hop is the gateway 10.168.0.3, a neighbour on eth0.
    33 ip         ttl 64 -> 63
                  Each router takes one off, so that a packet cannot go round
                  for ever.
    34 netfilter  FORWARD from cni0 to eth0: no rules here
    35 netfilter  POSTROUTING from cni0 to eth0: no rules here
    "#);
}

#[test]
fn at_all_rows_that_lost_stand_with_field_wanted_and_seen() {
    let all = text(&filtered(), Detail::All, Some("dropped"));
    insta::assert_snapshot!(excerpt(&all, "filter FORWARD rule 2", 8), @r#"
    38 netfilter  filter FORWARD rule 2: -A FORWARD -i cni0 -p icmp -j DROP
                  Matched, and it decides: the packet ends here.
                 > -A FORWARD -i cni0 -p icmp -j DROP
                     from kube-proxy: iptables -A FORWARD -i cni0 -p icmp -j
                     DROP
                 x filter FORWARD 1: -A FORWARD -d 10.244.9.0/24 -j DROP
                     destination: wanted 10.244.9.0/24, saw 10.244.1.3; from
                     kube-proxy: iptables -A FORWARD -d 10.244.9.0/24 -j DROP
    "#);
    let all = text(&pings(), Detail::All, Some("ping"));
    insta::assert_snapshot!(excerpt(&all, "takes 10.244.1.0/24 via", 26), @r#"
    32 route      10.244.1.3 takes 10.244.1.0/24 via 10.168.0.3 dev eth0
                  Longest prefix: /24 holds 10.244.1.3 more closely than
                  default (/0).
                  The next hop is the gateway 10.168.0.3, a neighbour on eth0.
                 > 10.244.1.0/24 via 10.168.0.3 dev eth0
                     from flanneld: ip route add 10.244.1.0/24 via 10.168.0.3
                 x local 10.168.0.2 dev eth0 proto kernel scope host src
                   10.168.0.2
                     destination: wanted 10.168.0.2/32, saw 10.244.1.3; from
                     address 10.168.0.2/24 on eth0 (ip addr add 10.168.0.2/24
                     dev eth0)
                 x broadcast 10.168.0.255 dev eth0 proto kernel scope link src
                   10.168.0.2
                     destination: wanted 10.168.0.255/32, saw 10.244.1.3; from
                     address 10.168.0.2/24 on eth0 (ip addr add 10.168.0.2/24
                     dev eth0)
                 x local 10.244.0.1 dev cni0 proto kernel scope host src
                   10.244.0.1
                     destination: wanted 10.244.0.1/32, saw 10.244.1.3; from
                     address 10.244.0.1/24 on cni0 (ip addr add 10.244.0.1/24
                     dev cni0)
                 x broadcast 10.244.0.255 dev cni0 proto kernel scope link src
                   10.244.0.1
                     destination: wanted 10.244.0.255/32, saw 10.244.1.3; from
                     address 10.244.0.1/24 on cni0 (ip addr add 10.244.0.1/24
                     dev cni0)
    "#);
}

/// The rows that steps name are those that `ip route show` lists.
#[test]
fn routes_are_printed_as_the_shell_prints_them() {
    use crate::linux::fib::TableId;
    let run = pings();
    for ns in &run.end.netns {
        for (id, table) in [(TableId::LOCAL, &ns.config.fib.local), (TableId::MAIN, &ns.config.fib.main)] {
            for r in table.all() {
                let listed = crate::shell::ip::route_show::line(ns, id, r, &Default::default());
                let own = rows::route(&ns.config, r);
                assert!(
                    listed.starts_with(&own) || own.starts_with(listed.split(" table ").next().unwrap().trim_end()),
                    "{own} | {listed}"
                );
            }
        }
    }
}

#[test]
fn the_table_of_a_step_has_its_rows_in_order() {
    let run = filtered();
    let report = Report::new(&run);
    let v = report.steps().find(|v| v.kind == Kind::Rule && v.verdict.as_deref() == Some("DROP")).unwrap();
    assert_eq!(panes::table_title(&v), "iptables -t filter on node-a, chain FORWARD");
    insta::assert_snapshot!(print(&panes::table(&report, &v), 80, &PlainStyle), @r#"
    x 1 -A FORWARD -d 10.244.9.0/24 -j DROP
        destination: wanted 10.244.9.0/24, saw 10.244.1.3; from kube-proxy: iptables
        -A FORWARD -d 10.244.9.0/24 -j DROP
    > 2 -A FORWARD -i cni0 -p icmp -j DROP
        DROP; from kube-proxy: iptables -A FORWARD -i cni0 -p icmp -j DROP
    "#);
    let v = report.steps().find(|v| v.kind == Kind::NatRewrite).unwrap();
    let packet = print(&panes::packet(&v), 80, &PlainStyle);
    insta::assert_snapshot!(excerpt(&packet, "ipv4", 14), @r#"
    ipv4
      src       10.244.0.2
      dst       10.96.0.10 -> 10.244.1.3
      ttl       64
      id        0
      df        true
      mf        false
      offset    0
      tos       0x0000
      len       60
      protocol  tcp
      checksum  0x255d -> 0x23d0
    tcp
      sport     41000
    "#);
    assert!(packet.contains("dport     8080 -> 80"), "{packet}");
}
