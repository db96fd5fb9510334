//! Namespaces end with the process that made them, however it ends. Needs Linux and root; says so where it has neither.
#![cfg(target_os = "linux")]
#![allow(clippy::unwrap_used, clippy::print_stderr, clippy::disallowed_methods, reason = "tests")]

use std::collections::BTreeSet;
use std::fs;
use std::process::{Command, Stdio};
use std::time::Duration;

/// The network namespaces that any process or thread is in or holds.
fn namespaces() -> BTreeSet<String> {
    let mut out = BTreeSet::new();
    for p in fs::read_dir("/proc").into_iter().flatten().flatten() {
        if !p.file_name().to_string_lossy().bytes().all(|b| b.is_ascii_digit()) {
            continue;
        }
        for t in fs::read_dir(p.path().join("task")).into_iter().flatten().flatten() {
            out.extend(fs::read_link(t.path().join("ns/net")).ok().map(|l| l.to_string_lossy().into_owned()));
        }
        for fd in fs::read_dir(p.path().join("fd")).into_iter().flatten().flatten() {
            out.extend(fs::read_link(fd.path()).ok().map(|l| l.to_string_lossy().into_owned()).filter(|l| l.starts_with("net:")));
        }
    }
    out
}

/// Holds two namespaces until it is killed; the test below starts it.
#[test]
#[ignore = "the other test starts it and kills it"]
fn holds_namespaces() {
    let a = lab::kernel::netns::Namespace::new().unwrap();
    let b = lab::kernel::netns::Namespace::new().unwrap();
    let words = |t: &str| lab::kernel::tools::words(t);
    let line = format!("ip link add v0 type veth peer name v1 netns {}", b.path());
    assert_eq!(lab::kernel::tools::run(&a, &words(&line), None).unwrap().status, 0);
    eprintln!("holding");
    std::thread::sleep(Duration::from_secs(60));
}

#[test]
fn a_killed_process_leaves_no_namespace() {
    if lab::kernel::netns::Namespace::new().is_err() {
        eprintln!("skipped: this process may not make network namespaces");
        return;
    }
    let mut child = Command::new(std::env::current_exe().unwrap())
        .args(["--ignored", "--exact", "holds_namespaces", "--nocapture"])
        .stdout(Stdio::null())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let mut said = String::new();
    let mut stderr = std::io::BufReader::new(child.stderr.take().unwrap());
    while !said.contains("holding") {
        if std::io::BufRead::read_line(&mut stderr, &mut said).unwrap() == 0 {
            panic!("{said}");
        }
    }
    let mine: BTreeSet<String> = fs::read_dir(format!("/proc/{}/fd", child.id()))
        .unwrap()
        .flatten()
        .filter_map(|f| fs::read_link(f.path()).ok().map(|l| l.to_string_lossy().into_owned()))
        .filter(|l| l.starts_with("net:"))
        .collect();
    assert!(mine.len() >= 2, "{mine:?}");
    child.kill().unwrap();
    child.wait().unwrap();
    let left: Vec<String> = namespaces().intersection(&mine).cloned().collect();
    assert!(left.is_empty(), "{left:?}");
}
