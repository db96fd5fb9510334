//! `iptables`, `iptables-save`, `iptables-restore` as commands of the shell; what they say is in [`super::iptables`].

use super::answer::Answer;
use super::args::Args;
use super::iptables::{self, CmdError, Parsed, Show, parse_command, parse_restore, parse_restore_args};
use super::{Command, Query, ShellError, Spec};
use crate::linux::netfilter::TableKind;
use crate::linux::{Netns, Op};

/// `iptables`.
pub static IPTABLES: Spec = Spec {
    name: "iptables",
    about: "rules for packets",
    usage: "iptables [-t TABLE] { -A | -I | -D | -R | -N | -X | -P | -F | -L | -S | … } CHAIN …",
    parse: parse_iptables,
};

/// `iptables-save`.
pub static SAVE: Spec =
    Spec { name: "iptables-save", about: "all rules as a restore file", usage: "iptables-save [-t TABLE] [-c]", parse: parse_save };

/// `iptables-restore`.
pub static RESTORE: Spec = Spec {
    name: "iptables-restore",
    about: "many rules at once",
    usage: "iptables-restore [-n] [-c] <<EOF … EOF",
    parse: parse_restore_line,
};

/// A question about rules.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum XtQuery {
    /// `iptables -L`, `-S`.
    Show(Show),
    /// `iptables-save`.
    Save {
        /// Only that table.
        table: Option<TableKind>,
        /// `-c`.
        counters: bool,
    },
}

fn refused(args: &Args<'_>, e: CmdError) -> ShellError {
    args.error_status(e.text, e.status)
}

fn rest<'l>(args: &mut Args<'l>) -> Vec<&'l str> {
    let words = args.rest().iter().map(|w| w.text.as_str()).collect();
    while args.next().is_some() {}
    words
}

fn parse_iptables(args: &mut Args<'_>) -> Result<Command, ShellError> {
    let words = rest(args);
    match parse_command(&words).map_err(|e| refused(args, e))? {
        Parsed::Change(op) => Ok(Command::op(Op::Xtables(op))),
        Parsed::Show(show) => Ok(Command::query(Query::Xtables(XtQuery::Show(show)))),
        Parsed::Version | Parsed::Help => Err(args.unsupported()),
    }
}

fn parse_save(args: &mut Args<'_>) -> Result<Command, ShellError> {
    args.status = 1;
    let (mut table, mut counters) = (None, false);
    while let Some(word) = args.next() {
        match word {
            "-c" | "--counters" => counters = true,
            "-4" | "--ipv4" => {}
            "-t" | "--table" => {
                let w = args.need()?;
                table = Some(TableKind::by_name(w).ok_or_else(|| args.error(format!("iptables-save: table '{w}' invalid")))?);
            }
            w if w.starts_with("--table=") => {
                let w = w.trim_start_matches("--table=");
                table = Some(TableKind::by_name(w).ok_or_else(|| args.error(format!("iptables-save: table '{w}' invalid")))?);
            }
            "-M" | "-f" | "-6" | "-V" | "--file" | "--modprobe" => return Err(args.unsupported()),
            w => return Err(args.error(format!("iptables-save: unrecognized option '{w}'"))),
        }
    }
    Ok(Command::query(Query::Xtables(XtQuery::Save { table, counters })))
}

fn parse_restore_line(args: &mut Args<'_>) -> Result<Command, ShellError> {
    let words = rest(args);
    let parsed = parse_restore_args(&words).map_err(|e| refused(args, e))?;
    if parsed.file.as_deref().is_some_and(|f| f != "-") {
        return Err(args.not_simulated("files: write `iptables-restore <<EOF`"));
    }
    let Some(text) = &args.line().heredoc else {
        return Err(args.end("iptables-restore reads its rules from a here-document: `iptables-restore <<EOF`"));
    };
    let op = parse_restore(&parsed, text).map_err(|e| refused(args, e))?;
    if parsed.test {
        return Ok(Command::Ops(Vec::new()));
    }
    Ok(Command::op(Op::Xtables(op)))
}

/// Answers a question about rules.
pub(super) fn answer(ns: &Netns, query: &XtQuery) -> Answer {
    match query {
        XtQuery::Show(show) => match iptables::show(&ns.config.xt, show) {
            Ok(text) => Answer::printed(text),
            Err(e) => Answer::failed(e.text, e.status),
        },
        XtQuery::Save { table, counters } => Answer::printed(iptables::save(&ns.config.xt, *table, *counters)),
    }
}
