//! `bridge`: ports and forwarding databases.
//!
//! Models: iproute2 6.1 bridge/bridge.c, its wording included.

pub mod fdb;
pub mod link;
pub mod remote;
pub mod vlan;

use super::args::{Args, begins};
use super::{Command, ShellError, Spec};
use std::sync::Arc;

/// The command.
pub static SPEC: Spec = Spec {
    name: "bridge",
    about: "bridge ports and forwarding databases",
    usage: "bridge [-n NETNS] [-d] { fdb | link | vlan } { show | add | replace | del | set | … }",
    parse,
};

fn parse(args: &mut Args<'_>) -> Result<Command, ShellError> {
    let mut netns: Option<Arc<str>> = None;
    let mut details = false;
    while let Some(option) = args.peek().filter(|w| w.starts_with('-')) {
        args.next();
        let o = option.strip_prefix("--").or_else(|| option.strip_prefix('-')).unwrap_or(option);
        match o {
            "color" => {}
            _ if begins(o, "details") => details = true,
            _ if begins(o, "netns") => netns = Some(super::ip::netns::name(args)?),
            _ if [
                "help",
                "Version",
                "stats",
                "statistics",
                "oneline",
                "timestamp",
                "family",
                "json",
                "pretty",
                "compressvlans",
                "batch",
                "force",
            ]
            .iter()
            .any(|k| begins(o, k))
                || matches!(o, "4" | "6" | "ts" | "tshort") =>
            {
                return Err(args.unsupported());
            }
            _ => return Err(args.error(format!("Option \"{option}\" is unknown, try \"bridge help\"."))),
        }
    }
    let Some(object) = args.next() else {
        return Err(args.end("Usage: bridge [ OPTIONS ] OBJECT { COMMAND | help }").help(SPEC.usage));
    };
    let command = match object {
        o if begins(o, "link") => link::parse(args, details),
        o if begins(o, "fdb") => fdb::parse(args),
        o if begins(o, "vlan") => vlan::parse(args),
        o if ["mdb", "vni", "monitor"].iter().any(|k| begins(o, k)) => Err(args.unsupported()),
        o => Err(args.error(format!("Object \"{o}\" is unknown, try \"bridge help\"."))),
    }?;
    Ok(command.inside(netns.as_ref()))
}
