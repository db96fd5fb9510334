//! What is wrong is said: where, what and how to repair it. Nothing panics, and nothing runs for ever.

use super::complaints;
use proptest::prelude::*;
use scenarios::Loaded;
use scenarios::assemble::run::{self, Options};
use scenarios::load::from_text;
use sim_core::packet::Frame;
use sim_core::report::{Detail, PlainStyle, Report, print, text};
use std::time::Duration;

const HOST_GW: &str = include_str!("../../../scenarios/library/010-pod-to-pod-host-gw/lesson.ron");

/// Loads a text, and runs it if nothing is wrong with it; the complaints.
fn all_of(l: &Loaded) -> String {
    if !l.can_run() {
        return complaints(&l.report);
    }
    match run::run(l, &Options::default()) {
        Ok(ran) => ran.run.storm.map_or_else(String::new, |s| format!("{s:?}")),
        Err(report) => complaints(&report),
    }
}

/// A text that cannot be used, and what must stand in the complaint: words, and its line.
fn check(text: &str, words: &[&str], line: usize) {
    let l = from_text("lesson.ron", text);
    let said = all_of(&l);
    for w in words {
        assert!(said.contains(w), "`{w}` is missing in\n{said}");
    }
    let place = format!("lesson.ron:{line}:");
    assert!(said.contains(&place), "{place} is missing in\n{said}");
}

#[test]
fn a_file_that_ends_too_early_says_so_wherever_it_ends() {
    let ends = HOST_GW.char_indices().map(|(i, _)| i).filter(|i| i % 37 == 0 || *i < 60);
    for end in ends {
        let l = from_text("lesson.ron", &HOST_GW[..end]);
        assert!(!l.report.is_usable(), "the first {end} bytes are no scenario, and are taken for one");
        let said = complaints(&l.report);
        assert!(said.contains("lesson.ron"), "no place:\n{said}");
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(200))]

    #[test]
    fn random_text_is_no_panic(text in ".{0,200}") {
        let l = from_text("lesson.ron", &text);
        prop_assert!(!l.report.is_usable());
        let _ = complaints(&l.report);
    }

    /// Nearly right files: a piece is cut out, and another put in.
    #[test]
    fn a_spoiled_lesson_is_no_panic(at in 0usize..HOST_GW.len(), cut in 0usize..40, put in "[-(){}\\[\\]:,\"a-z0-9_./ ]{0,12}") {
        let boundary = |mut i: usize| { while !HOST_GW.is_char_boundary(i) { i -= 1; } i };
        let (from, to) = (boundary(at), boundary((at + cut).min(HOST_GW.len())));
        let text = format!("{}{put}{}", &HOST_GW[..from], &HOST_GW[to..]);
        let _ = all_of(&from_text("lesson.ron", &text));
    }

    /// Any bytes are a frame or an error; what is a frame has bytes again.
    #[test]
    fn random_bytes_are_a_frame_or_an_error(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
        if let Ok(frame) = Frame::decode(&bytes) {
            let _ = frame.encode();
        }
    }
}

fn cluster(rest: &str) -> String {
    format!("Scenario(\n  format: 1,\n  title: \"t\",\n  {rest}\n)\n")
}

#[test]
fn unknown_names_are_named_with_the_nearest() {
    let text = cluster(
        "cluster: (cni: Bridge(), nodes: [(name: \"node-a\")], pods: [(name: \"client\"), (name: \"web\")]),\n  flows: [Ping(from: \"clinet\", to: \"pod/web\", expect: replied)],",
    );
    check(&text, &["clinet", "client"], 5);
    let text = cluster("cluster: (cni: Bridge(), nodez: [(name: \"node-a\")], pods: []),");
    check(&text, &["nodez", "nodes"], 4);
    let text = cluster("hosts: [\n    (name: \"a\", run: \"iptabels -L\"),\n  ],");
    check(&text, &["iptabels", "iptables"], 5);
}

#[test]
fn overlapping_ranges_are_refused() {
    let text = cluster(
        "cluster: (cni: Bridge(), nodes: [\n    (name: \"node-a\", pod_cidr: \"10.244.0.0/24\"),\n    (name: \"node-b\", pod_cidr: \"10.244.0.128/25\"),\n  ]),",
    );
    check(&text, &["10.244.0.128/25", "node-a"], 6);
}

#[test]
fn a_gateway_off_link_is_refused_as_the_kernel_does() {
    let text = cluster("hosts: [\n    (name: \"a\", run: \"ip route add 10.9.0.0/16 via 192.168.77.1\"),\n  ],");
    check(&text, &["Nexthop has invalid gateway"], 5);
}

/// Two bridges joined by two cables: without a spanning tree a broadcast goes round for ever.
#[test]
fn a_bridge_loop_ends_within_a_second_and_is_named() {
    let text = cluster(
        r##"hosts: [
    (name: "a", ip: "10.168.0.2", namespaces: [(name: "sw1"), (name: "sw2")], run: r#"
        ip -n sw1 link add br1 type bridge
        ip -n sw2 link add br2 type bridge
        ip link add v1 type veth peer name p1 netns sw1
        ip -n sw1 link add x1 type veth peer name y1 netns sw2
        ip -n sw1 link add x2 type veth peer name y2 netns sw2
        ip -n sw1 link set p1 master br1 up
        ip -n sw1 link set x1 master br1 up
        ip -n sw1 link set x2 master br1 up
        ip -n sw2 link set y1 master br2 up
        ip -n sw2 link set y2 master br2 up
        ip -n sw1 link set br1 up
        ip -n sw2 link set br2 up
        ip addr add 10.5.0.1/24 dev v1
        ip link set v1 up
    "#),
  ],
  flows: [Ping(from: "a", to: "10.5.0.9", expect: host_unreachable)],"##,
    );
    let l = from_text("lesson.ron", &text);
    assert!(l.can_run(), "{}", complaints(&l.report));
    let ran = run::run(&l, &Options::default()).unwrap_or_else(|r| panic!("{}", complaints(&r)));
    let storm = ran.run.storm.as_ref().expect("the loop is found");
    let after = storm.at.since(ran.run.start.now);
    assert!(after < Duration::from_secs(1), "stopped only after {after:?}");
    let named: Vec<&str> = storm.ring.iter().map(|(netns, dev)| ran.run.end.ns(*netns).unwrap().config.devices.name(*dev)).collect();
    for dev in ["x1", "x2", "y1", "y2"] {
        assert!(named.contains(&dev), "{dev} is in the loop, and not in {named:?}");
    }
    let page = text::document(&Report::new(&ran.run), &ran.info, Detail::Hops, None);
    let page = print(&page, 120, &PlainStyle);
    assert!(page.contains("go round and round between") && page.contains("x1"), "the trace does not name the loop:\n{page}");
}
