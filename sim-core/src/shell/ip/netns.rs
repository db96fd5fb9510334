//! `ip netns`: the named namespaces of a host.
//!
//! Models: iproute2 6.1 ip/ipnetns.c. Simplifies: the list is sorted and shows no nsids.

use super::super::args::{Args, begins};
use super::super::lex::quote;
use super::super::{Command, Query, ShellError, parse_command};
use super::Format;
use crate::linux::Op;
use std::sync::Arc;

/// The name of a namespace.
pub(in crate::shell) fn name(args: &mut Args<'_>) -> Result<Arc<str>, ShellError> {
    let w = args.need()?;
    if w.is_empty() || w == "." || w == ".." || w.contains('/') || w.len() > 255 {
        return Err(args.error(format!("Invalid netns name \"{w}\"")));
    }
    Ok(w.into())
}

pub(super) fn parse(args: &mut Args<'_>, _: Format) -> Result<Command, ShellError> {
    let Some(command) = args.next() else { return Ok(Command::query(Query::NetnsList)) };
    match command {
        c if begins(c, "list") || begins(c, "show") || c == "lst" => {
            args.done("list")?;
            Ok(Command::query(Query::NetnsList))
        }
        c if begins(c, "add") => {
            if args.is_done() {
                return Err(args.error_status("No netns name specified", 1));
            }
            let op = Op::NetnsAdd(name(args)?);
            args.done("name")?;
            Ok(Command::op(op))
        }
        c if begins(c, "delete") => {
            if args.is_done() {
                return Err(args.error_status("No netns name specified", 1));
            }
            let op = Op::NetnsDel(name(args)?);
            args.done("name")?;
            Ok(Command::op(op))
        }
        c if begins(c, "exec") => {
            if args.is_done() {
                return Err(args.error("No netns name specified"));
            }
            let netns = name(args)?;
            if args.is_done() {
                return Err(args.error_status("No command specified", 1));
            }
            Ok(parse_command(args)?.inside(Some(&netns)))
        }
        c if ["set", "attach", "identify", "pids", "monitor", "list-id"].iter().any(|k| begins(c, k)) => Err(args.unsupported()),
        _ => Err(super::unknown(args, "netns")),
    }
}

/// The command of a change.
pub(in crate::shell) fn print(verb: &str, name: &str) -> String {
    format!("ip netns {verb} {}", quote(name))
}
