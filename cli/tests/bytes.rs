//! The binary's bytes: the same for any number of threads, and none at all for what cannot be used.
#![allow(clippy::unwrap_used, reason = "tests")]

use std::process::{Command, Output};

fn packetwalk(args: &[&str], threads: &str) -> Output {
    Command::new(env!("CARGO_BIN_EXE_packetwalk"))
        .args(args)
        .env("RAYON_NUM_THREADS", threads)
        .env("NO_COLOR", "1")
        .env("COLUMNS", "100")
        .output()
        .expect("the binary runs")
}

#[test]
fn threads_do_not_show() {
    for args in [
        &["run", "random-backends", "--format", "json", "--detail", "all"][..],
        &["run", "random-backends", "--seed", "7"],
        &["check", "--all"],
    ] {
        let (one, again, eight) = (packetwalk(args, "1"), packetwalk(args, "1"), packetwalk(args, "8"));
        assert!(one.status.success(), "{args:?}: {}", String::from_utf8_lossy(&one.stderr));
        assert!(one.stdout.len() > 200, "{args:?} prints next to nothing");
        assert!(one.stdout == again.stdout, "{args:?}: the second run gave other bytes");
        assert!(one.stdout == eight.stdout, "{args:?}: eight threads gave other bytes than one");
    }
}

#[test]
fn another_seed_shows() {
    let seed = |s: &str| packetwalk(&["run", "random-backends", "--format", "json", "--seed", s], "1").stdout;
    let (a, b, c) = (seed("1"), seed("2"), seed("3"));
    assert!(a != b && b != c && a != c);
}

#[test]
fn nothing_is_half_written() {
    let dir = std::env::temp_dir().join(format!("packetwalk-bytes-{}", std::process::id()));
    std::fs::create_dir_all(&dir).expect("a folder for spoiled files");
    let whole = include_str!("../../scenarios/library/010-pod-to-pod-host-gw/lesson.ron");
    let spoiled: [(&str, Vec<u8>); 5] = [
        ("cut.ron", whole.as_bytes()[..whole.len() / 2].to_vec()),
        ("empty.ron", Vec::new()),
        ("random.ron", (0..4096u32).map(|n| (n.wrapping_mul(2_654_435_761) >> 13) as u8).collect()),
        ("name.ron", whole.replace("host_gw", "host_gateway").into_bytes()),
        ("other.ron", b"{\"format\": 1}".to_vec()),
    ];
    for (name, bytes) in spoiled {
        let path = dir.join(name);
        std::fs::write(&path, bytes).expect("the folder is writable");
        let path = path.to_str().expect("a path in UTF-8").to_owned();
        for args in [&["run", &path, "--format", "json"][..], &["run", &path], &["exec", &path, "client", "--", "ip", "addr"]] {
            let out = packetwalk(args, "1");
            let said = String::from_utf8_lossy(&out.stderr);
            assert_eq!(out.status.code(), Some(2), "{args:?}: {said}");
            assert!(out.stdout.is_empty(), "{args:?} wrote {} bytes before it failed", out.stdout.len());
            assert!(said.contains(name) && !said.contains("panicked"), "{args:?}: {said}");
        }
    }
    std::fs::remove_dir_all(&dir).expect("the folder is ours");
}
