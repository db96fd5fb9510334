//! The inputs that the fuzzer's corpora keep, held against the same laws.

#[path = "../fuzz/laws.rs"]
mod laws;

use std::fs;
use std::path::Path;

/// Holds every input of a corpus against a law.
fn replay(target: &str, law: fn(&[u8])) {
    let dir = Path::new(env!("CARGO_MANIFEST_DIR")).join("fuzz/corpus").join(target);
    let mut paths: Vec<_> = fs::read_dir(&dir).unwrap_or_else(|e| panic!("{}: {e}", dir.display())).flatten().map(|e| e.path()).collect();
    paths.sort();
    assert!(paths.len() >= 5, "{}: {} inputs", dir.display(), paths.len());
    for path in paths {
        let data = fs::read(&path).unwrap_or_else(|e| panic!("{}: {e}", path.display()));
        // a law that is broken panics; this line says of which input
        println!("{}", path.display());
        law(&data);
    }
}

#[test]
fn packet_decode() {
    replay("packet_decode", laws::packet_decode);
}

#[test]
fn iptables_restore() {
    replay("iptables_restore", laws::iptables_restore);
}

#[test]
fn nft() {
    replay("nft", laws::nft);
}

#[test]
fn command_line() {
    replay("command_line", laws::command_line);
}
