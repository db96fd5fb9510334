//! What an author sees: the pictures, and that nothing an author can write makes the reader fall.
#![allow(clippy::unwrap_used, reason = "tests")]

use proptest::prelude::*;
use scenarios::diag::{Severity, draw};
use scenarios::load;
use std::path::{Path, PathBuf};

fn examples() -> Vec<PathBuf> {
    let dir = Path::new(env!("CARGO_MANIFEST_DIR")).join("examples");
    let mut files: Vec<PathBuf> =
        std::fs::read_dir(dir).unwrap().map(|e| e.unwrap().path()).filter(|p| p.extension().is_some_and(|x| x == "ron")).collect();
    files.sort();
    files
}

fn drawn(text: &str) -> String {
    draw::all(&load::from_text("lesson.ron", text).report, draw::Style::default())
}

fn check(text: &str, expect: &[&str]) {
    let picture = drawn(text);
    for part in expect {
        assert!(picture.contains(part), "{part:?} is not in\n{picture}");
    }
}

#[test]
fn every_example_loads_and_what_comes_later_is_named() {
    let mut later = Vec::new();
    for path in examples() {
        let l = load::by_path(&path).unwrap();
        let name = path.file_name().unwrap().to_string_lossy().into_owned();
        let errors: Vec<_> = l.report.list.iter().filter(|d| d.severity != Severity::NotYet).collect();
        assert!(errors.is_empty(), "{name}:\n{}", draw::all(&l.report, draw::Style::default()));
        for d in &l.report.list {
            later.push(format!("{name}:{} {}", l.report.position(d).0, d.message));
        }
    }
    insta::assert_snapshot!(later.join("\n"));
}

#[test]
fn the_picture_of_many_errors() {
    let text = r##"Scenario(
    format: 1,
    title: "Errors",
    hosts: [
        (name: "box",
         run: r#"
            iptabels -t nat -A POSTROUTING -o eth0 -j MASQUERADE
        "#),
    ],
    cluster: (
        cni: Bridge(),
        nodes: [(name: "node-a", pod_cidr: "10.244.0.0/24"), (name: "node-b", pod_cidr: "10.244.1.0/24")],
        pods: [
            (name: "web", node_name: "node-b", pod_ip: "10.244.0.3"),
            (name: "client", node: "node-a"),
            (name: "db", labels: {"app": "db", "tier": "data", "app": "sql"}),
            (name: "shop", labels: {"app": "Shop"}),
        ],
        services: [(name: "shop", ports: [(port: 80)])],
    ),
    story: [
        (when: (on: "node-a", kind: route_lookup, chain: "KUBE-*"), text: "…"),
    ],
)
"##;
    insta::assert_snapshot!(drawn(text));
}

#[test]
fn networks() {
    let world = |networks: &str, hosts: &str| format!("Scenario(format: 1, title: \"x\", networks: [{networks}], hosts: [{hosts}])");
    check(
        &world("(name: \"a\", subnet: \"10.0.0.0/16\"), (name: \"b\", subnet: \"10.0.5.0/24\")", "(name: \"h\")"),
        &["the networks a and b overlap", "10.0.5.0/24 shares addresses with 10.0.0.0/16", "1 error"],
    );
    check(
        &world("(name: \"a\", subnet: \"10.0.0.0/24\", gateway: \"10.0.1.1\")", "(name: \"h\")"),
        &["the gateway 10.0.1.1 is off the link", "not in 10.0.0.0/24", "a gateway is a neighbour"],
    );
    check(
        &world("(name: \"a\", subnet: \"10.0.0.0/24\")", "(name: \"h\", gateway: \"10.0.1.1\")"),
        &["the gateway 10.0.1.1 is off the link"],
    );
    check(
        &world("(name: \"a\", subnet: \"10.0.0.0/24\")", "(name: \"h\", ip: \"10.0.1.1\")"),
        &["host h: 10.0.1.1 is outside network a's range 10.0.0.0/24"],
    );
    check(
        &world("(name: \"a\")", "(name: \"h\", ip: \"10.168.0.4\"), (name: \"i\", ip: \"10.168.0.4\")"),
        &["10.168.0.4 is taken", "host h has it"],
    );
    check(&world("(name: \"a\")", "(name: \"h\", network: \"b\")"), &["there is no network `b`", "the networks: a, internet"]);
    check(&world("(name: \"a\")", "(name: \"h\", network: \"internet\")"), &["host h needs `ip`"]);
    check(&world("(name: \"a\")", "(name: \"h\", network: \"internet\", ip: \"10.0.0.1\")"), &["10.0.0.1 is no public address"]);
    check(&world("(name: \"a\", mtu: 20)", "(name: \"h\")"), &["an MTU of 20 cannot be"]);
    check(&world("(name: \"a\")", "(name: \"h\"), (name: \"h\")"), &["the name `h` is given to two hosts", "second time", "first time"]);
    check(
        "Scenario(format: 1, title: \"x\", hosts: [(name: \"h\")], links: [(a: \"h/eth1\", b: \"g/eth0\"), (a: \"h\", b: \"h/x\")])",
        &["there is no host `g`", "`h` is no end of a link"],
    );
}

#[test]
fn references() {
    let flows = |f: &str| {
        format!(
            "Scenario(format: 1, title: \"x\", cluster: (cni: Bridge(), nodes: [(name: \"node-a\")], pods: [(name: \"web\"), (name: \"client\")]), flows: [{f}])"
        )
    };
    check(&flows("Ping(from: \"clinet\", to: \"pod/web\")"), &["there is no place `clinet`", "did you mean `client`?"]);
    check(&flows("Ping(from: \"client\", to: \"pod/wbe\")"), &["there is no pod `wbe`", "did you mean `web`?"]);
    check(&flows("Ping(from: \"client\", to: \"web\")"), &["`web` is a host name that nobody resolves", "did you mean \"pod/web\"?"]);
    check(&flows("Send(on: \"tcp\")"), &["no flow `tcp` stands before this one"]);
    check(
        &flows("Tcp(from: \"client\", to: \"pod/web\", port: 80), Send(on: \"tcp\")"),
        &["the flow `tcp` is over when this one starts", "hold: true"],
    );
    check(
        &flows("Ping(from: \"client\", to: \"pod/web\"), Ping(from: \"web\", to: \"pod/client\")"),
        &["the name `ping` is given to two flows"],
    );
    check(&flows("Http(from: \"client\", url: \"https://x/\")"), &["TLS is not simulated"]);
    check(&flows("Run(on: \"client\", run: \"pign 10.0.0.1\")"), &["packetwalk has no command `pign`", "did you mean `ping`?"]);
    check(&flows("Ping(from: \"client\", to: \"pod/web\", at: \"1s\", wait: \"1s\")"), &["`at` a time or after a `wait`"]);
}

#[test]
fn patterns() {
    let story = |p: &str, t: &str| {
        format!(
            "Scenario(format: 1, title: \"x\", cluster: (cni: Bridge(), nodes: [(name: \"node-a\")], pods: [(name: \"web\"), (name: \"client\")]), \
             flows: [Ping(from: \"web\", to: \"pod/client\")], story: [(when: ({p}), text: \"{t}\")])"
        )
    };
    check(&story("kind: route_lokup", "x"), &["there is no kind of step `route_lokup`", "did you mean `route_lookup`?"]);
    check(&story("kind: hook, hook: PREROUTNG", "x"), &["there is no hook `PREROUTNG`", "did you mean `PREROUTING`?"]);
    check(&story("kind: drop, reason: NETFILTER_DROPP", "x"), &["did you mean `NETFILTER_DROP`?"]);
    check(&story("flow: \"pong\"", "x"), &["there is no flow `pong`", "did you mean `ping`?"]);
    check(&story("", "x"), &["every step fits this"]);
    check(&story("kind: rule, changed: \"ipv4.dest\"", "x"), &["there is no header field `ipv4.dest`"]);
    check(&story("kind: rule, src: \"pod/wb\"", "x"), &["there is no pod `wb`"]);
    check(&story("kind: rule", "The {rwo} is {ipv4.ttl}"), &["a step has no field `{rwo}`", "did you mean `row`?"]);
    check(&story("kind: route_lookup, reason: NO_SOCKET", "x"), &["no step can fit: a route lookup step has no reason"]);
}

#[test]
fn circles() {
    let dir = std::env::temp_dir().join(format!("packetwalk-circles-{}", std::process::id()));
    std::fs::create_dir_all(&dir).unwrap();
    std::fs::write(dir.join("a.ron"), "Scenario(format: 1, title: \"a\", based_on: \"b.ron\")").unwrap();
    std::fs::write(dir.join("b.ron"), "Scenario(format: 1, title: \"b\", based_on: \"a.ron\")").unwrap();
    std::fs::write(dir.join("c.ron"), "Scenario(format: 1, title: \"c\", based_on: \"nowhere.ron\")").unwrap();
    std::fs::write(dir.join("d.ron"), "Scenario(format: 1, title: \"d\", based_on: \"pod-to-pod-host-gw\", hosts: [(name: \"h\")])")
        .unwrap();
    std::fs::write(dir.join("e.ron"), b"Scenario(\xff)").unwrap();
    let of = |name: &str| draw::all(&load::by_path(&dir.join(name)).unwrap().report, draw::Style::default());
    assert!(of("a.ron").contains("a.ron → b.ron → a.ron"), "{}", of("a.ron"));
    assert!(of("c.ron").contains("there is no file or lesson `nowhere.ron`"), "{}", of("c.ron"));
    assert!(of("d.ron").contains("`hosts` cannot stand beside `based_on`"), "{}", of("d.ron"));
    assert!(load::by_path(&dir.join("e.ron")).unwrap_err().to_string().contains("byte 9 is not UTF-8"));
    assert!(load::by_name("pod-to-pod-host-qw").unwrap_err().to_string().contains("neither a lesson nor a file"));
    std::fs::remove_dir_all(&dir).unwrap();
}

/// Files of the reader's own kind with something cut out, doubled, put in or cut off.
fn mutated() -> impl Strategy<Value = String> {
    let texts: Vec<String> = examples().iter().map(|p| std::fs::read_to_string(p).unwrap()).collect();
    let bits = [
        "(",
        ")",
        "[",
        "]",
        "{",
        "}",
        ",",
        ":",
        "\"",
        "r#\"",
        "\"#",
        "//",
        "/*",
        "Some(",
        "7",
        "-1",
        "1e9",
        "\u{0}",
        "é",
        "\\",
        "'",
        "None",
        "()",
        "pod/",
        "<<EOF",
        "*",
        "\n",
        "99999999999999999999",
    ];
    (0..texts.len(), prop::collection::vec((any::<prop::sample::Index>(), 0..6u8, 0..40usize, 0..bits.len()), 1..5)).prop_map(
        move |(which, cuts)| {
            let mut text = texts[which].clone();
            for (at, how, len, bit) in cuts {
                let edge = |text: &str, i: usize| {
                    let mut i = i.min(text.len());
                    while !text.is_char_boundary(i) {
                        i -= 1;
                    }
                    i
                };
                let from = edge(&text, at.index(text.len() + 1));
                let to = edge(&text, from + len).max(from);
                match how {
                    0 => text.truncate(from),
                    1 => text.replace_range(from..to, ""),
                    2 => text.insert_str(from, bits[bit]),
                    3 => text.replace_range(from..to, bits[bit]),
                    4 => {
                        let twice = text[from..to].to_owned();
                        text.insert_str(from, &twice);
                    }
                    _ => {
                        let word = text.split_whitespace().nth(len).unwrap_or("x").to_owned();
                        text.replace_range(from..to, &word);
                    }
                }
            }
            text
        },
    )
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 512, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn no_text_makes_the_reader_fall(text in mutated()) {
        let l = load::from_text("x.ron", &text);
        let picture = draw::all(&l.report, draw::Style::default());
        // Whoever cannot be read by ron must not be called usable.
        let by_ron = scenarios::read::language().from_str::<scenarios::schema::Scenario>(text.strip_prefix('\u{feff}').unwrap_or(&text));
        if by_ron.is_err() {
            prop_assert!(!l.report.is_usable(), "{by_ron:?}\n{text}");
        } else if l.report.is_usable() {
            prop_assert_eq!(by_ron.unwrap(), l.scenario);
        }
        for d in &l.report.list {
            prop_assert!(d.span().end <= text.len() && d.span().start <= d.span().end, "{d:?}");
            prop_assert!(!d.message.is_empty());
        }
        prop_assert!(picture.ends_with('\n'));
    }

    #[test]
    fn every_beginning_of_a_file_is_told_what_it_lacks(which in 0..6usize, at in any::<prop::sample::Index>()) {
        let text = std::fs::read_to_string(&examples()[which]).unwrap();
        let end = text.rfind(')').unwrap();
        let mut cut = at.index(end);
        while !text.is_char_boundary(cut) {
            cut -= 1;
        }
        let l = load::from_text("x.ron", &text[..cut]);
        prop_assert!(!l.report.is_usable());
    }

    #[test]
    fn any_bytes(text in ".{0,200}") {
        let l = load::from_text("x.ron", &text);
        prop_assert!(!l.report.is_usable());
        draw::all(&l.report, draw::Style { color: true, unicode: false, width: 40 });
    }
}
