//! The emulated commands, as far as a scenario's form is concerned: what the shell makes of a text, and says of it.

use crate::check::commands::lines;
use crate::diag::near;
use sim_core::linux::Op;
use std::sync::Arc;

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

/// A change, and the namespace of the host that it is for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OpIn {
    /// Namespace; the host's own if none is given.
    pub netns: Option<Arc<str>>,
    /// The change.
    pub op: Op,
}

/// A command of a text.
#[derive(Clone, Debug)]
pub struct Scripted {
    /// Its line, from 1.
    pub line: usize,
    /// As it is written.
    pub text: String,
    /// The changes it makes; none for a question or traffic.
    pub ops: Vec<OpIn>,
}

/// The commands of a text.
pub fn script(text: &str) -> Vec<Scripted> {
    let list = lines(text).unwrap_or_default();
    list.into_iter().map(|l| Scripted { line: l.number, text: l.text, ops: Vec::new() }).collect()
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
