//! `systemctl`: starts and stops the agents of a node.

use super::args::Args;
use super::lex::quote;
use super::{Command, OpIn, ShellError, Spec};
use crate::linux::Op;
use crate::linux::op::AgentVerb;

/// The command.
pub static SPEC: Spec =
    Spec {
        name: "systemctl", about: "starts and stops the agents of a node", usage: "systemctl { start | stop | restart } UNIT…", parse
    };

fn parse(args: &mut Args<'_>) -> Result<Command, ShellError> {
    args.status = 1;
    while args.take("--now") || args.take("-q") || args.take("--quiet") {}
    let verb = match args.next() {
        Some("start") => AgentVerb::Start,
        Some("stop") => AgentVerb::Stop,
        Some("restart") => AgentVerb::Restart,
        Some(
            "status" | "enable" | "disable" | "reload" | "is-active" | "kill" | "list-units" | "daemon-reload" | "mask" | "unmask" | "cat"
            | "show",
        ) => {
            return Err(args.unsupported());
        }
        Some(w) => return Err(args.error(format!("Unknown command verb {w}.")).help(SPEC.usage)),
        None => return Err(args.not_simulated("the list of all units")),
    };
    if args.is_done() {
        return Err(args.end("Too few arguments."));
    }
    let mut ops = Vec::new();
    while let Some(unit) = args.next() {
        if unit.starts_with('-') {
            return Err(args.unsupported());
        }
        let unit = unit.strip_suffix(".service").unwrap_or(unit);
        if unit.is_empty() || unit.contains('/') || unit.chars().any(char::is_whitespace) {
            return Err(args.error(format!("Invalid unit name \"{unit}\".")));
        }
        ops.push(OpIn { netns: None, op: Op::Agent { verb, unit: unit.into() } });
    }
    Ok(Command::Ops(ops))
}

/// The command of a change.
pub(super) fn print(verb: AgentVerb, unit: &str) -> String {
    let verb = match verb {
        AgentVerb::Start => "start",
        AgentVerb::Stop => "stop",
        AgentVerb::Restart => "restart",
    };
    format!("systemctl {verb} {}", quote(unit))
}
