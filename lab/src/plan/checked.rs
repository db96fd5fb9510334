//! From an `Op` to the words that a real tool is started with; what might reach beyond its namespace is refused.
//!
//! No shell is ever asked. An `Op` is printed, the text is read back and must be the same `Op`, and its words become the
//! arguments of one of a few tools. Names of namespaces are not passed on: they are replaced by handles that this process holds.

use sim_core::linux::op::{LinkKind, LinkOp};
use sim_core::linux::{NetnsId, Op};
use sim_core::packet::Mac;
use sim_core::shell::{Command, OpIn, lex, parse, print};
use std::sync::Arc;

/// What is to be done in a namespace.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Deed {
    /// A tool is started with these words; the first is its name.
    Tool {
        /// Name and arguments.
        words: Vec<String>,
        /// Standard input.
        input: Option<String>,
    },
    /// A file below /proc/sys/net is written.
    Sysctl {
        /// Path below /proc/sys.
        path: String,
        /// What is written.
        value: String,
    },
}

/// Why an `Op` is not carried out.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    /// It might reach beyond its namespace, or is not what it looks like.
    #[error("refused: `{what}`: {why}")]
    Unsafe {
        /// The command.
        what: String,
        /// Why.
        why: &'static str,
    },
    /// There is nothing to be done in a real kernel.
    #[error("nothing to do")]
    Nothing,
}

/// Who knows namespaces by the names that commands use, and devices by theirs.
pub trait Places {
    /// The handle of the namespace `name`, as seen from `from`: a path that this process holds open.
    fn handle(&self, from: NetnsId, name: &str) -> Option<String>;
    /// The hardware address that a device is to have.
    fn mac(&self, netns: NetnsId, dev: &str) -> Option<Mac>;
    /// The namespace `name`, as seen from `from`.
    fn netns(&self, from: NetnsId, name: &str) -> Option<NetnsId>;
}

/// The tools that may be started.
const TOOLS: &[&str] =
    &["bridge", "conntrack", "ip", "ip6tables", "ip6tables-restore", "ipset", "iptables", "iptables-restore", "ipvsadm", "nft", "tc"];

/// Words that make a tool read or run something else.
const FORBIDDEN: &[&str] = &[
    "--modprobe",
    "-M",
    "--object-pinned",
    "--path",
    "-batch",
    "-b",
    "-force",
    "-netns",
    "--netns",
    "exec",
    "-file",
    "--file",
    "include",
    "identify",
    "monitor",
];

/// Longest word of a command.
const LONGEST: usize = 4096;
/// Longest standard input.
const LARGEST: usize = 32 << 20;

/// The words that carry out `op` in `netns`.
///
/// # Errors
/// When it might reach beyond its namespace, or when there is nothing to do.
pub fn deeds(op: &Op, netns: NetnsId, places: &dyn Places) -> Result<Vec<Deed>, Refusal> {
    let shown = || print(&OpIn { netns: None, op: op.clone() }).into_iter().next().unwrap_or_default();
    let unsafe_ = |why: &'static str| Refusal::Unsafe { what: shown(), why };
    match op {
        Op::Sysctl { key, value } => return sysctl(key, value).map(|d| vec![d]).map_err(unsafe_),
        Op::NetnsAdd(_) | Op::Agent { .. } => return Err(Refusal::Nothing),
        Op::NetnsDel(_) => return Err(unsafe_("namespaces of the real host are not deleted by name")),
        _ => {}
    }
    let with_macs = with_addresses(op, netns, places);
    let lines = print(&OpIn { netns: None, op: with_macs.clone() });
    let text = lines.join("\n");
    same_when_read(&text).map_err(unsafe_)?;
    let passed = with_handles(&with_macs, netns, places).map_err(unsafe_)?;
    let text = print(&OpIn { netns: None, op: passed.clone() }).join("\n");
    let mut out = Vec::new();
    for line in lex::lines(&text) {
        let line = line.map_err(|_| unsafe_("it cannot be read back"))?;
        let line = line.simple().ok_or_else(|| unsafe_("it is more than one command"))?;
        let words: Vec<String> = line.words.iter().map(|w| w.text.clone()).collect();
        check(&words, line.heredoc.as_deref()).map_err(unsafe_)?;
        out.push(Deed::Tool { words, input: line.heredoc.clone() });
    }
    Ok(out)
}

/// Held against the tools, the forbidden words, and what no argument may hold.
fn check(words: &[String], input: Option<&str>) -> Result<(), &'static str> {
    let Some(tool) = words.first() else { return Err("it is empty") };
    if !TOOLS.contains(&tool.as_str()) {
        return Err("no tool that is started here");
    }
    for w in words {
        if w.len() > LONGEST || w.chars().any(|c| c.is_control()) {
            return Err("a word that no command has");
        }
        let bare = w.split_once('=').map_or(w.as_str(), |(k, _)| k);
        if FORBIDDEN.contains(&bare) {
            return Err("a word that makes the tool read or run something else");
        }
    }
    // of `ip` and `bridge` no word that is an option: what begins with a dash is a name that looks like one
    if matches!(tool.as_str(), "ip" | "bridge" | "tc")
        && words.iter().skip(1).any(|w| w.starts_with('-') && !matches!(w.as_str(), "-6" | "-4"))
    {
        return Err("a name that looks like an option");
    }
    if let Some(text) = input {
        if text.len() > LARGEST || text.contains('\0') {
            return Err("an input that no tool takes");
        }
        let forbidden = |l: &str| l.trim_start().starts_with("include") || l.contains("--modprobe") || l.contains("--object-pinned");
        if text.lines().any(forbidden) {
            return Err("a word that makes the tool read or run something else");
        }
    }
    Ok(())
}

/// Whether a text says what the `Op` says, no more and no less: read back and printed again, it is the same text.
fn same_when_read(text: &str) -> Result<(), &'static str> {
    let mut again = Vec::new();
    for s in sim_core::shell::parse_script(text) {
        match s.command {
            Ok(Command::Ops(ops)) => {
                for o in ops {
                    if o.netns.is_some() {
                        return Err("its text is about another namespace");
                    }
                    again.extend(print(&o));
                }
            }
            _ => return Err("its text is no change"),
        }
    }
    if again.join("\n") == text { Ok(()) } else { Err("its text says something else") }
}

/// A sysctl of one namespace.
fn sysctl(key: &str, value: &str) -> Result<Deed, &'static str> {
    let path = sim_core::linux::apply::sysctl::path_of(key);
    let families = ["net/ipv4/", "net/ipv6/", "net/bridge/", "net/netfilter/", "net/core/somaxconn", "net/mpls/"];
    if !families.iter().any(|f| path.starts_with(f)) {
        return Err("not a switch of one network namespace");
    }
    let shared = [
        "net/netfilter/nf_conntrack_max",
        "net/netfilter/nf_conntrack_buckets",
        "net/netfilter/nf_conntrack_expect_max",
        "net/netfilter/nf_log",
        "net/netfilter/nf_hooks",
    ];
    if shared.iter().any(|f| path.starts_with(f)) {
        return Err("a switch that all namespaces share");
    }
    let plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '_' | '-' | '.' | '@' | ':');
    if path.split('/').any(|part| part.is_empty() || part == "." || part == ".." || !part.chars().all(plain)) {
        return Err("a path that leads elsewhere");
    }
    if value.len() > 64 || !value.chars().all(|c| c.is_ascii_alphanumeric() || matches!(c, ' ' | '\t' | '-' | '.' | ',')) {
        return Err("a value that no switch has");
    }
    Ok(Deed::Sysctl { path, value: value.to_owned() })
}

/// Devices get the hardware addresses that they have in the simulated world, but for bridges, which take those of their ports; a
/// bridge does not snoop on multicast unless it is
/// told to, for the simulated one does not either.
fn with_addresses(op: &Op, netns: NetnsId, places: &dyn Places) -> Op {
    let mut op = op.clone();
    if let Op::Link(LinkOp::Add(new)) = &mut op {
        let settable =
            !matches!(kind_word(&new.kind).as_str(), "Bridge" | "Ipip" | "Gre" | "Sit" | "Tun" | "Wireguard" | "Ipvlan" | "Xfrm");
        if new.mac.is_none() && settable {
            new.mac = places.mac(netns, &new.name).filter(|m| m.is_valid());
        }
        if let LinkKind::Bridge(set) = &mut new.kind {
            set.mcast_snooping.get_or_insert(false);
        }
        if let LinkKind::Veth { peer, peer_mac, peer_netns, .. } = &mut new.kind
            && peer_mac.is_none()
        {
            let at = match peer_netns {
                Some(name) => places.netns(netns, name),
                None => Some(netns),
            };
            *peer_mac = at.and_then(|at| places.mac(at, peer)).filter(|m| m.is_valid());
        }
    }
    op
}

/// The name of a kind of device as the code spells it, whatever it holds.
fn kind_word(kind: &LinkKind) -> String {
    format!("{kind:?}").split(|c: char| !c.is_ascii_alphanumeric()).next().unwrap_or("").to_owned()
}

/// Names of namespaces become handles.
fn with_handles(op: &Op, netns: NetnsId, places: &dyn Places) -> Result<Op, &'static str> {
    let mut op = op.clone();
    let handle = |name: &mut Option<Arc<str>>| -> Result<(), &'static str> {
        if let Some(n) = name {
            *n = places.handle(netns, n).ok_or("there is no namespace of that name in the scenario")?.into();
        }
        Ok(())
    };
    match &mut op {
        Op::Link(LinkOp::Add(new)) => {
            if let LinkKind::Veth { peer_netns, .. } = &mut new.kind {
                handle(peer_netns)?;
            }
        }
        Op::Link(LinkOp::Set { set, .. }) => handle(&mut set.netns)?,
        _ => {}
    }
    Ok(op)
}

/// The words of a command as a person reads them.
pub fn shown(words: &[String]) -> String {
    words.iter().map(|w| lex::quote(w)).collect::<Vec<_>>().join(" ")
}

/// The `Op`s of a command line; none if it is a question or traffic.
///
/// # Errors
/// What the shell says of it.
pub fn ops_of(line: &str) -> Result<Vec<OpIn>, String> {
    match parse(line) {
        Ok(Command::Ops(ops)) => Ok(ops),
        Ok(_) => Ok(Vec::new()),
        Err(e) => Err(e.message),
    }
}
