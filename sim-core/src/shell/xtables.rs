//! `iptables`, `iptables-save`, `iptables-restore` and the same of `ip6tables` as commands of the shell; what they say is in [`super::iptables`].

use super::answer::Answer;
use super::args::Args;
use super::iptables::{self, CmdError, Parsed, Show, parse_command, parse_restore, parse_restore_args};
use super::{Command, Query, ShellError, Spec};
use crate::linux::netfilter::TableKind;
use crate::linux::{Netns, Op};
use crate::packet::Family;

/// `iptables`.
pub static IPTABLES: Spec = Spec {
    name: "iptables",
    about: "rules for packets",
    usage: "iptables [-t TABLE] { -A | -I | -D | -R | -N | -X | -P | -F | -L | -S | … } CHAIN …",
    parse: |args| parse_iptables(args, Family::Inet),
};

/// `ip6tables`.
pub static IP6TABLES: Spec = Spec {
    name: "ip6tables",
    about: "rules for IPv6 packets",
    usage: "ip6tables [-t TABLE] { -A | -I | -D | -R | -N | -X | -P | -F | -L | -S | … } CHAIN …",
    parse: |args| parse_iptables(args, Family::Inet6),
};

/// `iptables-save`.
pub static SAVE: Spec = Spec {
    name: "iptables-save",
    about: "all rules as a restore file",
    usage: "iptables-save [-t TABLE] [-c]",
    parse: |args| parse_save(args, Family::Inet),
};

/// `ip6tables-save`.
pub static SAVE6: Spec = Spec {
    name: "ip6tables-save",
    about: "all IPv6 rules as a restore file",
    usage: "ip6tables-save [-t TABLE] [-c]",
    parse: |args| parse_save(args, Family::Inet6),
};

/// `iptables-restore`.
pub static RESTORE: Spec = Spec {
    name: "iptables-restore",
    about: "many rules at once",
    usage: "iptables-restore [-n] [-c] <<EOF … EOF",
    parse: |args| parse_restore_line(args, Family::Inet),
};

/// `ip6tables-restore`.
pub static RESTORE6: Spec = Spec {
    name: "ip6tables-restore",
    about: "many IPv6 rules at once",
    usage: "ip6tables-restore [-n] [-c] <<EOF … EOF",
    parse: |args| parse_restore_line(args, Family::Inet6),
};

/// A question about rules.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum XtQuery {
    /// `iptables -L`, `-S`.
    Show(Show),
    /// `iptables-save`.
    Save {
        /// Of iptables or of ip6tables.
        family: Family,
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

fn parse_iptables(args: &mut Args<'_>, family: Family) -> Result<Command, ShellError> {
    let words = rest(args);
    match parse_command(family, &words).map_err(|e| refused(args, e))? {
        Parsed::Change(op) => Ok(Command::op(Op::Xtables(family, op))),
        Parsed::Show(show) => Ok(Command::query(Query::Xtables(XtQuery::Show(show)))),
        Parsed::Version | Parsed::Help => Err(args.unsupported()),
    }
}

fn parse_save(args: &mut Args<'_>, family: Family) -> Result<Command, ShellError> {
    args.status = 1;
    let program = format!("{}-save", iptables::program(family));
    let (mut table, mut counters) = (None, false);
    while let Some(word) = args.next() {
        match word {
            "-c" | "--counters" => counters = true,
            "-4" | "--ipv4" if family == Family::Inet => {}
            "-6" | "--ipv6" if family == Family::Inet6 => {}
            "-t" | "--table" => {
                let w = args.need()?;
                table = Some(TableKind::by_name(w).ok_or_else(|| args.error(format!("{program}: table '{w}' invalid")))?);
            }
            w if w.starts_with("--table=") => {
                let w = w.trim_start_matches("--table=");
                table = Some(TableKind::by_name(w).ok_or_else(|| args.error(format!("{program}: table '{w}' invalid")))?);
            }
            "-M" | "-f" | "-4" | "-6" | "-V" | "--file" | "--modprobe" => return Err(args.unsupported()),
            w => return Err(args.error(format!("{program}: unrecognized option '{w}'"))),
        }
    }
    Ok(Command::query(Query::Xtables(XtQuery::Save { family, table, counters })))
}

fn parse_restore_line(args: &mut Args<'_>, family: Family) -> Result<Command, ShellError> {
    let words = rest(args);
    let program = iptables::restore_program(family);
    let parsed = parse_restore_args(family, &words).map_err(|e| refused(args, e))?;
    if parsed.file.as_deref().is_some_and(|f| f != "-") {
        return Err(args.not_simulated(format_args!("files: write `{program} <<EOF`")));
    }
    let Some(text) = &args.line().heredoc else {
        return Err(args.end(format!("{program} reads its rules from a here-document: `{program} <<EOF`")));
    };
    let op = parse_restore(family, &parsed, text).map_err(|e| refused(args, e))?;
    if parsed.test {
        return Ok(Command::Ops(Vec::new()));
    }
    Ok(Command::op(Op::Xtables(family, op)))
}

/// Answers a question about rules.
pub(super) fn answer(ns: &Netns, query: &XtQuery) -> Answer {
    match query {
        XtQuery::Show(show) => match iptables::show(ns.config.xtables(show.family), &ns.xt_state, show) {
            Ok(text) => Answer::printed(text),
            Err(e) => Answer::failed(e.text, e.status),
        },
        XtQuery::Save { family, table, counters } => {
            Answer::printed(iptables::save(*family, ns.config.xtables(*family), &ns.xt_state, *table, *counters))
        }
    }
}
