//! The binary as a person or a script meets it: output, exit codes, pipes.
#![allow(clippy::unwrap_used, reason = "tests")]

use assert_cmd::Command;
use serde_json::Value;
use std::io::Read;
use std::path::PathBuf;
use std::process::Stdio;

fn packetwalk() -> Command {
    let mut c = Command::cargo_bin("packetwalk").unwrap();
    c.env_remove("NO_COLOR").env_remove("COLUMNS").env("TERM", "xterm-256color");
    c
}

/// Exit code, standard output, standard error.
fn run(args: &[&str]) -> (i32, String, String) {
    let out = packetwalk().args(args).output().unwrap();
    (out.status.code().unwrap(), String::from_utf8(out.stdout).unwrap(), String::from_utf8(out.stderr).unwrap())
}

fn example(name: &str) -> String {
    let path = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../scenarios/examples").join(name);
    path.display().to_string()
}

/// A file of its own with that text; its path.
fn file(name: &str, text: &str) -> String {
    let dir = PathBuf::from(env!("CARGO_TARGET_TMPDIR"));
    let path = dir.join(name);
    std::fs::write(&path, text).unwrap();
    path.display().to_string()
}

#[test]
fn alone_it_shows_the_first_lesson() {
    let (code, out, err) = run(&[]);
    assert_eq!((code, err.as_str()), (0, ""));
    assert!(out.starts_with("Pod to pod across nodes: Flannel host-gw"), "{out}");
    assert!(out.contains("10.244.1.0/24 via 10.168.0.3 dev eth0"), "{out}");
    assert!(!out.contains('\u{1b}'), "colours in a pipe");
}

#[test]
fn the_list_is_read_by_people_and_programs() {
    let (code, out, _) = run(&["list"]);
    assert_eq!(code, 0);
    assert!(out.lines().next().unwrap().starts_with("pod-to-pod-host-gw"), "{out}");
    let (code, out, _) = run(&["list", "--format", "json"]);
    assert_eq!(code, 0);
    let list: Value = serde_json::from_str(&out).unwrap();
    let ids: Vec<&str> = list.as_array().unwrap().iter().map(|l| l["id"].as_str().unwrap()).collect();
    assert!(ids.contains(&"pod-to-pod-same-node") && ids.contains(&"pod-to-pod-host-gw"), "{ids:?}");
    assert!(list[0]["title"].as_str().unwrap().contains("host-gw"));
}

#[test]
fn a_trace_is_one_document() {
    let (code, out, _) = run(&["run", "pod-to-pod-host-gw", "--format", "json"]);
    assert_eq!(code, 0);
    let doc: Value = serde_json::from_str(&out).unwrap();
    assert_eq!(doc["schema"], "packetwalk.trace/1");
    assert_eq!(doc["scenario"]["id"], "pod-to-pod-host-gw");
    assert_eq!(doc["flows"].as_array().unwrap().len(), 2);
    assert_eq!(doc["flows"][0]["outcome"]["result"], "replied");
    let (_, one, _) = run(&["run", "pod-to-pod-host-gw", "--format", "json", "--flow", "tcp"]);
    let one: Value = serde_json::from_str(&one).unwrap();
    assert_eq!(one["flows"].as_array().unwrap().len(), 1);
    assert_eq!(one["flows"][0]["name"], "tcp");
}

#[test]
fn a_seed_is_a_world_and_threads_are_not() {
    let of = |seed: &str, threads: &str| {
        let args = ["run", "random-backends", "--format", "json", "--detail", "all", "--seed", seed];
        packetwalk().args(args).env("RAYON_NUM_THREADS", threads).output().unwrap().stdout
    };
    let first = of("1", "1");
    assert!(first == of("1", "8") && first == of("1", "1"), "the same seed must give the same bytes");
    assert!(first != of("2", "1"), "another seed must draw another");
    let all = |threads: &str| packetwalk().args(["check", "--all"]).env("RAYON_NUM_THREADS", threads).output().unwrap().stdout;
    assert_eq!(all("1"), all("8"));
}

#[test]
fn what_cannot_be_used_ends_with_2_and_a_repair() {
    let (code, out, err) = run(&["run", "pod-to-pod-host-qw"]);
    assert_eq!((code, out.as_str()), (2, ""));
    assert!(err.contains("did you mean `pod-to-pod-host-gw`?"), "{err}");
    let (code, _, err) = run(&["run", "pod-to-pod-host-gw", "--flow", "pong"]);
    assert!(code == 2 && err.contains("its flows: ping, tcp"), "{err}");
    let bad = file("bad.ron", "Scenario(format: 1, title: \"x\", hosts: [(nmae: \"h\")])");
    for command in ["run", "check"] {
        let (code, out, err) = run(&[command, &bad]);
        assert_eq!(code, 2);
        let all = out + &err;
        assert!(all.contains("a host has no field `nmae`") && all.contains("did you mean `name`?") && all.contains("bad.ron:1:"), "{all}");
    }
    let (code, _, err) = run(&["run", &example("clusterip-rollout.ron")]);
    assert!(code == 2 && err.contains("not simulated yet: kube-proxy") && err.contains(":17:"), "{err}");
    let (code, _, err) = run(&["frobnicate"]);
    assert!(code == 2 && err.contains("frobnicate"), "{err}");
    let (code, _, err) = run(&["run", "/no/such/file.ron"]);
    assert!(code == 2 && err.contains("/no/such/file.ron"), "{err}");
}

#[test]
fn a_command_that_fails_in_a_world_is_shown_at_its_line() {
    let text = "Scenario(format: 1, title: \"x\", hosts: [(name: \"h\", run: r#\"\n    ip link set eth0 mtu 1400\n    ip route add 10.9.0.0/24 via 10.99.0.1\n\"#)])";
    let (code, _, err) = run(&["run", &file("fails.ron", text)]);
    assert!(code == 2 && err.contains("fails.ron:3:5") && err.contains("Nexthop has invalid gateway"), "{err}");
}

#[test]
fn expectations_that_fail_end_with_1() {
    let text = std::fs::read_to_string(example("minimal.ron")).unwrap().replace("replied", "refused");
    let path = file("wrong.ron", &text);
    let (code, out, _) = run(&["run", &path]);
    assert!(code == 1 && out.contains("expected ping: refused"), "{out}");
    let (code, out, _) = run(&["check", &path]);
    assert!(code == 1 && out.contains("1 of 1 expectations failed"), "{out}");
    let (code, out, _) = run(&["check", &path, "--no-run"]);
    assert!(code == 0 && out.contains("no errors"), "{out}");
}

#[test]
fn warnings_count_under_strict() {
    let text = std::fs::read_to_string(example("minimal.ron"))
        .unwrap()
        .replace("to: \"pod/web\"", "to: \"web.example.com\"")
        .replace("replied", "name_not_found");
    let path = file("warned.ron", &text);
    let (code, out, _) = run(&["check", &path]);
    assert!(code == 0 && out.contains("nobody resolves `web.example.com`") && out.contains("1 warning"), "{out}");
    assert_eq!(run(&["check", &path, "--strict"]).0, 3);
    assert_eq!(run(&["check", "pod-to-pod-host-gw", "--strict"]).0, 0);
}

#[test]
fn every_lesson_and_example_is_checked() {
    let (code, out, _) = run(&["check", "--all", &example("broken-no-route.ron")]);
    assert_eq!(code, 0, "{out}");
    assert!(out.lines().all(|l| l.contains("expectations hold")), "{out}");
}

#[test]
fn commands_run_in_the_world_and_keep_their_status() {
    let (code, out, _) = run(&["exec", "pod-to-pod-host-gw", "node-a", "--", "ip", "route", "show", "10.244.1.0/24"]);
    assert_eq!(code, 0);
    assert!(out.starts_with("10.244.1.0/24 via 10.168.0.3 dev eth0"), "{out}");
    let (code, out, _) = run(&["exec", "pod-to-pod-host-gw", "client", "--", "ping -c 1 10.244.1.3"]);
    assert!(code == 0 && out.contains("64 bytes from 10.244.1.3: icmp_seq=1 ttl=62"), "{out}");
    let (code, _, err) = run(&["exec", "pod-to-pod-host-gw", "node-a", "--", "ip", "link", "show", "eth7"]);
    assert!(code == 1 && err.contains("eth7"), "{err}");
    let (code, _, err) = run(&["exec", "pod-to-pod-host-gw", "nod-a", "--", "ip", "a"]);
    assert!(code == 2 && err.contains("did you mean `node-a`?"), "{err}");
    assert_eq!(run(&["exec", "pod-to-pod-host-gw", "node-a", "--", "frobnicate"]).0, 127);
}

#[test]
fn the_network_model_is_tried_on_every_pair() {
    let (code, out, _) = run(&["matrix", "pod-to-pod-host-gw"]);
    assert!(code == 0 && out.contains("2 of   2  pods reach all pods"), "{out}");
    let (code, out, _) = run(&["matrix", "host-gw-two-segments"]);
    assert!(code == 1 && out.contains("pod/client does not reach pod/web"), "{out}");
    let (code, _, err) = run(&["matrix", "docker-egress"]);
    assert!(code == 2 && err.contains("pods and nodes"), "{err}");
}

#[test]
fn a_loop_of_bridges_is_named() {
    let text = r##"Scenario(format: 1, title: "loop", hosts: [(name: "sw", run: r#"
        ip link add br0 type bridge
        ip link add br1 type bridge
        ip link set br0 up
        ip link set br1 up
        ip link add a type veth peer name b
        ip link add c type veth peer name d
        ip link set a master br0 up
        ip link set b master br1 up
        ip link set c master br0 up
        ip link set d master br1 up
        ip addr add 10.1.0.1/24 dev br0
    "#)], flows: [Ping(from: "sw", to: "10.1.0.9")])"##;
    let (_, out, _) = run(&["run", &file("loop.ron", text)]);
    let last = out.lines().last().unwrap();
    assert!(last.contains("frames go round and round between"), "{out}");
    assert!(["sw a", "sw b", "sw c", "sw d"].iter().all(|d| last.contains(d)), "{last}");
}

#[test]
fn colours_are_asked_for_or_left_out() {
    assert!(run(&["run", "pod-to-pod-same-node", "--color", "always"]).1.contains("\u{1b}["));
    assert!(!run(&["run", "pod-to-pod-same-node", "--color", "never"]).1.contains('\u{1b}'));
}

#[test]
fn a_reader_that_goes_away_is_no_error() {
    let bin = assert_cmd::cargo::cargo_bin("packetwalk");
    let mut child = std::process::Command::new(bin)
        .args(["run", "pod-to-pod-host-gw", "--detail", "all", "--format", "json"])
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let mut first = [0u8; 10];
    child.stdout.take().unwrap().read_exact(&mut first).unwrap();
    let out = child.wait_with_output().unwrap();
    assert_eq!(String::from_utf8_lossy(&out.stderr), "");
    assert!(out.status.success(), "{:?}", out.status);
}

#[test]
fn steps_in_plain_lines() {
    let out = packetwalk().args(["step", "pod-to-pod-same-node", "--plain"]).write_stdin("next\nquit\n").output().unwrap();
    let text = String::from_utf8(out.stdout).unwrap();
    assert!(out.status.success() && text.contains("Step 2 of"), "{text}");
}

#[test]
fn pages_and_completions() {
    let (code, out, _) = run(&["completions", "bash"]);
    assert!(code == 0 && out.contains("packetwalk"), "{out}");
    let (code, out, _) = run(&["man"]);
    assert!(code == 0 && out.contains(".TH"), "{out}");
    let (code, out, _) = run(&["man", "exec"]);
    assert!(code == 0 && out.contains("COMMAND"), "{out}");
    let (code, out, _) = run(&["--help"]);
    assert!(code == 0 && ["list", "run", "step", "exec", "check", "matrix", "completions", "man"].iter().all(|c| out.contains(c)), "{out}");
    let (code, out, _) = run(&["show", &example("minimal.ron"), "--resolved"]);
    assert!(code == 0 && out.contains("pod_cidr: \"10.244.0.0/24\""), "{out}");
}
