//! The emulated commands, as far as the form of a scenario is concerned: what the shell says about a line.

use crate::diag::near;

/// What is wrong with a command line.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Problem {
    /// First byte of the line.
    pub start: usize,
    /// First byte after it.
    pub end: usize,
    /// What is wrong.
    pub what: String,
    /// Words at the place.
    pub label: String,
    /// How to repair it.
    pub help: Option<String>,
    /// It is right, and not simulated yet.
    pub not_yet: bool,
}

/// Commands that are emulated.
pub const KNOWN: &[&str] =
    &["ip", "bridge", "iptables", "iptables-save", "iptables-restore", "sysctl", "conntrack", "systemctl", "ping", "curl", "nc"];
/// Commands that will be.
const LATER: &[&str] =
    &["kubectl", "nft", "ipset", "ipvsadm", "ss", "dig", "traceroute", "tcpdump", "ip6tables", "nslookup", "arping", "ethtool", "tc"];

/// What the shell says about a line.
pub fn problems(line: &str, _input: Option<&str>) -> Vec<Problem> {
    let word = line.split_whitespace().next().unwrap_or_default();
    if KNOWN.contains(&word) || word.is_empty() {
        return Vec::new();
    }
    let mut p = Problem {
        start: 0,
        end: word.len(),
        what: format!("packetwalk has no command `{word}`"),
        label: String::new(),
        help: None,
        not_yet: false,
    };
    if LATER.contains(&word) {
        p.what = format!("the command `{word}`");
        p.not_yet = true;
        return vec![p];
    }
    match near::nearest(word, KNOWN.iter().copied()) {
        Some(n) => p.label = format!("did you mean `{n}`?"),
        None => p.help = Some(format!("the commands: {}", KNOWN.join(", "))),
    }
    vec![p]
}
