//! Floor 6: the emulated shell: text into changes, questions and traffic, and back.
//!
//! ```text
//!  text ──► lex ──► words ──► command's parse ─┬─► Ops      a change, for the engine to apply
//!                                              ├─► Query    a question, answered from a namespace
//!                                              ├─► Flow     traffic, for the engine to run
//!                                              ├─► Filter   text to text: grep, sed, …
//!                                              └─► List     several of these: pipes, `;`, `&&`, `||`
//!  Op ──► print ──► text (the fixed point of parsing)
//! ```
//!
//! One command is one file: its doc, its parser, its printer, its answers; and one line in [`COMMANDS`]. Options that the real
//! tool knows and the simulation does not are refused by name; nothing is passed over in silence.

pub mod answer;
pub mod args;
pub mod bridge;
pub mod cat;
pub mod conntrack;
pub mod curl;
pub mod error;
pub mod exec;
pub mod filter;
pub mod flow;
pub mod hostname;
pub mod ip;
pub mod ipset;
pub mod iptables;
pub mod ipvsadm;
pub mod lex;
pub mod list;
#[cfg(test)]
mod mutation_tests;
pub mod nc;
pub mod nft;
pub mod ping;
pub mod print;
pub mod sleep;
pub mod ss;
pub mod sysctl;
pub mod systemctl;
pub mod tcpdump;
#[cfg(test)]
mod tests;
#[cfg(test)]
mod tests_probes;
pub mod tracepath;
pub mod traceroute;
pub mod xtables;

pub use answer::{Answer, Surroundings, answer};
pub use error::ShellError;
pub use flow::{FlowCommand, FlowIn};
pub use print::print;

use crate::linux::Op;
use args::Args;
use std::sync::Arc;
use std::time::Duration;

/// A change, and the namespace of the host that it is for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OpIn {
    /// Name of the namespace (`ip -n NS`, `ip netns exec NS`); none for the one that the shell is in.
    pub netns: Option<Arc<str>>,
    /// The change.
    pub op: Op,
}

/// A question, and the namespace that it is about.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct QueryIn {
    /// Name of the namespace; none for the one that the shell is in.
    pub netns: Option<Arc<str>>,
    /// The question.
    pub query: Query,
}

/// A capture, and the namespace that it listens in.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CaptureIn {
    /// Name of the namespace; none for the one that the shell is in.
    pub netns: Option<Arc<str>>,
    /// The capture.
    pub capture: tcpdump::Tcpdump,
}

/// What a command line asks for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Command {
    /// Changes, in order; none for an empty line.
    Ops(Vec<OpIn>),
    /// A question.
    Query(QueryIn),
    /// Traffic.
    Flow(FlowIn),
    /// A capture while traffic runs.
    Capture(CaptureIn),
    /// Text to text.
    Filter(filter::Filter),
    /// Time passes.
    Sleep(Duration),
    /// Several commands.
    List(list::List),
}

impl Command {
    /// One change here.
    pub fn op(op: Op) -> Self {
        Command::Ops(vec![OpIn { netns: None, op }])
    }

    /// A question about this place.
    pub fn query(query: Query) -> Self {
        Command::Query(QueryIn { netns: None, query })
    }

    /// Traffic from here.
    pub fn flow(flow: FlowCommand) -> Self {
        Command::Flow(FlowIn { netns: None, flow })
    }

    /// The same in the namespace `netns`, as far as no other is named.
    #[must_use]
    fn inside(mut self, netns: Option<&Arc<str>>) -> Self {
        match &mut self {
            Command::Ops(ops) => {
                for o in ops {
                    o.netns = o.netns.take().or_else(|| netns.cloned());
                }
            }
            Command::Query(q) => q.netns = q.netns.take().or_else(|| netns.cloned()),
            Command::Flow(f) => f.netns = f.netns.take().or_else(|| netns.cloned()),
            Command::Capture(c) => c.netns = c.netns.take().or_else(|| netns.cloned()),
            Command::List(l) => l.inside(netns),
            Command::Filter(_) | Command::Sleep(_) => {}
        }
        self
    }
}

/// A question that a command asks.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Query {
    /// `ip link show`.
    Link(ip::link::Show),
    /// `ip address show`.
    Addr(ip::addr::Show),
    /// `ip -6 …`.
    Inet6(ip::inet6::Query6),
    /// `ip route show`.
    Route(ip::route_show::Show),
    /// `ip route get`.
    RouteGet(ip::route_get::Get),
    /// `ip tunnel show`.
    Tunnel(Option<Arc<str>>),
    /// `ip tuntap show`.
    Tuntap,
    /// `ip rule`.
    Rule(ip::rule::Show),
    /// `ip neigh show`.
    Neigh(ip::neigh::Show),
    /// `ip netns list`.
    NetnsList,
    /// `bridge fdb show`.
    Fdb(bridge::fdb::Show),
    /// `bridge link show`.
    BridgeLink(bridge::link::Show),
    /// `bridge vlan show`.
    BridgeVlan(bridge::vlan::Show),
    /// `sysctl KEY…`, `sysctl -a`.
    Sysctl(sysctl::Show),
    /// `conntrack -L`, `-C`.
    Conntrack(conntrack::Show),
    /// `iptables -L`, `iptables -S`, `iptables-save`.
    Xtables(xtables::XtQuery),
    /// `nft list …`.
    Nft(nft::Show),
    /// `ipset list`, `save`, `test`.
    Ipset(ipset::Show),
    /// `ss`.
    Sockets(ss::Show),
    /// `ipvsadm -L`, `-S`.
    Ipvs(ipvsadm::Show),
    /// `hostname`.
    Hostname,
    /// `cat FILE…`.
    Cat(Vec<Arc<str>>),
}

/// An emulated command.
#[derive(Debug)]
pub struct Spec {
    /// The word that calls it.
    pub name: &'static str,
    /// What it is for, in a line.
    pub about: &'static str,
    /// How it is written, as far as it is simulated.
    pub usage: &'static str,
    /// Reads the words behind the name.
    pub parse: fn(&mut Args<'_>) -> Result<Command, ShellError>,
}

/// The emulated commands.
pub static COMMANDS: &[&Spec] = &[
    &ip::SPEC,
    &bridge::SPEC,
    &ipset::SPEC,
    &xtables::IPTABLES,
    &xtables::SAVE,
    &xtables::RESTORE,
    &xtables::IP6TABLES,
    &xtables::SAVE6,
    &xtables::RESTORE6,
    &nft::SPEC,
    &sysctl::SPEC,
    &ipvsadm::SPEC,
    &conntrack::SPEC,
    &systemctl::SPEC,
    &ping::SPEC,
    &curl::SPEC,
    &nc::SPEC,
    &hostname::SPEC,
    &cat::SPEC,
    &sleep::SPEC,
    &tcpdump::SPEC,
    &ss::SPEC,
    &traceroute::SPEC,
    &tracepath::SPEC,
];

/// The emulated commands, filters included.
pub fn all_commands() -> impl Iterator<Item = &'static Spec> {
    COMMANDS.iter().chain(filter::FILTERS).copied()
}

/// Commands that a real host has and this one has not.
const NOT_SIMULATED: &[&str] = &[
    "arp",
    "arping",
    "brctl",
    "dig",
    "docker",
    "ethtool",
    "host",
    "ifconfig",
    "iptables-legacy",
    "iptables-nft",
    "jq",
    "kubectl",
    "modprobe",
    "mtr",
    "netstat",
    "nslookup",
    "nsenter",
    "ps",
    "route",
    "socat",
    "tc",
    "tee",
    "telnet",
    "unshare",
    "wget",
    "wg",
];

/// A command of a script.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Scripted {
    /// Line that it begins in, from 1.
    pub line: u32,
    /// The line as written, without blanks around it.
    pub text: String,
    /// What it asks for.
    pub command: Result<Command, ShellError>,
}

/// Reads one command line (which a here-document may follow). An empty line or a comment is no change.
///
/// # Errors
/// What the shell or the tool says of it.
pub fn parse(text: &str) -> Result<Command, ShellError> {
    let mut all = parse_script(text);
    match (all.pop(), all.pop()) {
        (None, _) => Ok(Command::Ops(Vec::new())),
        (Some(one), None) => one.command,
        (Some(second), Some(_)) => {
            let word = lex::Word { text: String::new(), line: second.line, col: 1, len: 1 };
            Err(ShellError::at("one command line stands here; this is another", 2, &word))
        }
    }
}

/// Reads a script: one command line after the other.
pub fn parse_script(text: &str) -> Vec<Scripted> {
    lex::lines(text)
        .into_iter()
        .map(|line| match line {
            Ok(line) => Scripted { line: line.number, text: line.text.trim().to_owned(), command: list::parse(&line) },
            Err(e) => {
                let text = text.split('\n').nth(e.line.saturating_sub(1) as usize).unwrap_or("").trim().to_owned();
                Scripted { line: e.line, text, command: Err(e) }
            }
        })
        .collect()
}

/// Reads the command that the next word calls.
fn parse_command(args: &mut Args<'_>) -> Result<Command, ShellError> {
    args.status = 255;
    while args.take("sudo") {}
    let name = args.need()?;
    let base = name.rsplit('/').next().unwrap_or(name);
    if let Some(spec) = all_commands().find(|s| s.name == base) {
        return (spec.parse)(args);
    }
    if NOT_SIMULATED.contains(&base) {
        return Err(args.not_simulated(format_args!("the command `{base}`")));
    }
    let e = args.error_status(format!("bash: {name}: command not found"), 127);
    Err(match error::nearest(base, all_commands().map(|s| s.name)) {
        Some(near) => e.help(format!("did you mean `{near}`?")),
        None => e,
    })
}
