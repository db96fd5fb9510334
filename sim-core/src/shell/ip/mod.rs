//! `ip`: devices, addresses, routes, neighbours, namespaces.
//!
//! Models: iproute2 6.1 ip/ip.c, its wording included. Objects and commands may be shortened as there: the first that begins so.

pub mod addr;
pub mod inet6;
pub mod ip_tunnel;
pub mod link;
pub mod link_add;
mod link_stacked;
pub mod neigh;
pub mod netns;
pub mod route;
pub mod route_get;
pub mod route_show;
pub mod rule;
#[cfg(test)]
mod tests_rule;
pub mod tuntap;
mod vxlan;

use super::args::{Args, begins};
use super::lex;
use super::{Command, ShellError, Spec};
use std::sync::Arc;

/// The command.
pub static SPEC: Spec = Spec {
    name: "ip",
    about: "devices, addresses, routes, neighbours, namespaces",
    usage: "ip [-n NETNS] [-br] [-d] [-o] [-4] [-6] { link | address | route | neigh | rule | netns } { add | del | set | show | … }",
    parse,
};

/// How answers are to be printed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub struct Format {
    /// `-br`.
    pub brief: bool,
    /// `-d`.
    pub details: bool,
    /// `-o`.
    pub oneline: bool,
    /// `-4`.
    pub inet_only: bool,
    /// `-6`.
    pub inet6: bool,
    /// `-s`.
    pub stats: bool,
}

/// Reads the words of one object.
type ParseObject = fn(&mut Args<'_>, Format) -> Result<Command, ShellError>;

/// The objects in the order in which shortened names are tried. Those without a parser are known and not simulated.
const OBJECTS: &[(&str, Option<ParseObject>)] = &[
    ("address", Some(addr::parse)),
    ("addrlabel", None),
    ("maddress", None),
    ("route", Some(route::parse)),
    ("rule", Some(rule::parse)),
    ("neighbor", Some(neigh::parse)),
    ("neighbour", Some(neigh::parse)),
    ("ntable", None),
    ("ntbl", None),
    ("link", Some(link::parse)),
    ("l2tp", None),
    ("fou", None),
    ("ila", None),
    ("macsec", None),
    ("tunnel", Some(ip_tunnel::tunnel)),
    ("tunl", Some(ip_tunnel::tunnel)),
    ("tuntap", Some(tuntap::parse)),
    ("tap", Some(tuntap::parse)),
    ("token", None),
    ("tcpmetrics", None),
    ("tcp_metrics", None),
    ("monitor", None),
    ("xfrm", None),
    ("mroute", None),
    ("mrule", None),
    ("netns", Some(netns::parse)),
    ("netconf", None),
    ("vrf", None),
    ("sr", None),
    ("nexthop", None),
    ("mptcp", None),
    ("ioam", None),
    ("stats", None),
];

fn parse(args: &mut Args<'_>) -> Result<Command, ShellError> {
    let mut format = Format::default();
    let mut netns: Option<Arc<str>> = None;
    while let Some(option) = args.peek().filter(|w| w.starts_with('-')) {
        args.next();
        let o = option.strip_prefix("--").or_else(|| option.strip_prefix('-')).unwrap_or(option);
        match o {
            "4" => format.inet_only = true,
            "c" | "color" | "N" | "Numeric" => {}
            "6" => format.inet6 = true,
            "0" | "M" | "B" => return Err(args.unsupported()),
            _ if begins(o, "family") => match args.need()? {
                "inet" => format.inet_only = true,
                "inet6" => format.inet6 = true,
                _ => return Err(args.unsupported()),
            },
            _ if begins(o, "brief") && o.len() > 1 => format.brief = true,
            _ if begins(o, "batch") => {
                let file = args.need()?;
                if file != "-" {
                    return Err(args.not_simulated("batch files; write `ip -batch - <<EOF`"));
                }
                args.done("-batch")?;
                return batch(args, netns.as_ref());
            }
            "s" | "stats" | "statistics" => format.stats = true,
            _ if begins(o, "details") => format.details = true,
            _ if begins(o, "oneline") => format.oneline = true,
            _ if begins(o, "netns") => netns = Some(netns::name(args)?),
            "force" | "a" | "all" | "l" | "loops" | "j" | "json" | "p" | "pretty" | "r" | "resolve" | "h" | "human" | "human-readable"
            | "t" | "timestamp" | "ts" | "tshort" | "iec" | "rc" | "rcvbuf" | "V" | "Version" | "help" => {
                return Err(args.unsupported());
            }
            _ => return Err(args.error(format!("Option \"{option}\" is unknown, try \"ip -help\"."))),
        }
    }
    Ok(object(args, format)?.inside(netns.as_ref()))
}

fn object(args: &mut Args<'_>, format: Format) -> Result<Command, ShellError> {
    let Some(name) = args.next() else {
        let mut e = args.end("Usage: ip [ OPTIONS ] OBJECT { COMMAND | help }").help(SPEC.usage);
        e.status = 255;
        return Err(e);
    };
    match OBJECTS.iter().find(|(o, _)| begins(name, o)) {
        Some((object, Some(_))) if format.stats && !object.starts_with("neigh") => {
            Err(args.not_simulated(format_args!("`ip -s {object}`")))
        }
        Some(("address", _)) if format.inet6 || inet6::named(args) => inet6::addr(args, format),
        Some(("route", _)) if format.inet6 || inet6::named(args) => inet6::route(args),
        Some(("neighbor" | "neighbour", _)) if format.inet6 || inet6::named(args) => inet6::neigh(args),
        Some((_, Some(parse))) => parse(args, format),
        Some((object, None)) => Err(args.not_simulated(format_args!("`ip {object}`"))),
        None if begins(name, "help") => Err(args.error(format!("Usage: {}", SPEC.usage))),
        None => Err(args.error_status(format!("Object \"{name}\" is unknown, try \"ip help\"."), 1)),
    }
}

/// An unknown command of an object.
fn unknown(args: &Args<'_>, object: &str) -> ShellError {
    let word = args.line().words.iter().rev().nth(args.rest().len()).map_or("", |w| w.text.as_str());
    args.error(format!("Command \"{word}\" is unknown, try \"ip {object} help\"."))
}

/// `ip -batch -`: each line of the here-document is a command without its `ip`. The first error ends it.
fn batch(args: &mut Args<'_>, netns: Option<&Arc<str>>) -> Result<Command, ShellError> {
    let Some(text) = &args.line().heredoc else {
        return Err(args.end("`ip -batch -` reads its commands from a here-document: `ip -batch - <<EOF`"));
    };
    let first = args.line().number + 1 + args.line().text.matches('\n').count() as u32;
    let place = |mut e: ShellError| {
        e.line = e.line.saturating_sub(1).saturating_add(first);
        e
    };
    let mut ops = Vec::new();
    for line in lex::lines(text) {
        let line = line.map_err(place)?;
        let Some(line) = line.simple() else {
            let word = lex::Word { text: String::new(), line: line.number, col: 1, len: 1 };
            return Err(place(ShellError::at("a batch holds the words of `ip` alone", 255, &word)));
        };
        match object(&mut Args::new(line), Format::default()).map_err(place)? {
            Command::Ops(more) => ops.extend(more),
            _ => return Err(place(Args::new(line).not_simulated("questions in a batch"))),
        }
    }
    Ok(Command::Ops(ops).inside(netns))
}
