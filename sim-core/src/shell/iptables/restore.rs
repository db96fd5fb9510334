//! The text that `iptables-restore` reads.
//!
//! Models: iptables 1.8.9 iptables/xtables-restore.c xtables_restore_parse_line, iptables/xshared.c add_param_to_argv.
//! Simplifies: the whole text is read before anything is done; the real program has by then done the tables before the
//! first bad line. Listings inside a file are refused.

use super::args::{Failed, Mode, Parsed, parse};
use super::{CmdError, restore_program, try_help};
use crate::linux::netfilter::apply::VERSION;
use crate::linux::netfilter::option::OptError;
use crate::linux::netfilter::state::Counter;
use crate::linux::netfilter::{Policy, TableKind};
use crate::linux::op::{Restore, RestoreLine, RestoreTable, XtCommand, XtOp};
use crate::packet::Family;
use std::sync::Arc;

/// The arguments of `iptables-restore`.
#[derive(Clone, Debug, PartialEq, Eq, Default)]
pub struct RestoreArgs {
    /// `-n`, `--noflush`.
    pub noflush: bool,
    /// `-c`, `--counters`.
    pub counters: bool,
    /// `-t`, `--test`: read only.
    pub test: bool,
    /// `-T`, `--table`: only this table.
    pub table: Option<TableKind>,
    /// The file to read; standard input if none is given.
    pub file: Option<String>,
}

/// Reads the words behind `iptables-restore`.
///
/// # Errors
/// As the program writes them.
pub fn parse_restore_args(family: Family, argv: &[&str]) -> Result<RestoreArgs, CmdError> {
    let program = restore_program(family);
    let mut out = RestoreArgs::default();
    let mut words = argv.iter().copied().peekable();
    let fail = |text: String| CmdError { text: format!("{program}: {text}\n{}", try_help(program)), status: 1 };
    while let Some(word) = words.next() {
        match word {
            "-n" | "--noflush" => out.noflush = true,
            "-c" | "--counters" => out.counters = true,
            "-t" | "--test" => out.test = true,
            "-v" | "--verbose" | "-4" | "--ipv4" | "-6" | "--ipv6" => {}
            "-w" | "--wait" => {
                words.next_if(|w| !w.is_empty() && w.bytes().all(|b| b.is_ascii_digit()));
            }
            "-W" | "--wait-interval" | "-M" | "--modprobe" => {
                words.next();
            }
            "-T" | "--table" => {
                let name = words.next().unwrap_or_default();
                out.table = Some(TableKind::by_name(name).ok_or_else(|| fail(format!("table '{name}' invalid")))?);
            }
            w if w.starts_with("-w") && w[2..].bytes().all(|b| b.is_ascii_digit()) => {}
            w if w.starts_with("--wait=") || w.starts_with("--wait-interval=") => {}
            w if w.len() > 1 && w.starts_with('-') => {
                return Err(CmdError { text: format!("{program}: unrecognized option '{w}'\n{}", try_help(program)), status: 1 });
            }
            w if out.file.is_none() => out.file = Some(w.to_owned()),
            w => return Err(CmdError { text: format!("Unknown arguments found on commandline: {w}"), status: 1 }),
        }
    }
    Ok(out)
}

/// Splits a line of a restore file into words: blanks separate, double quotes hold together, and inside of them a backslash
/// takes the next sign as it is.
pub fn split_words(line: &str) -> Vec<String> {
    let mut out = Vec::new();
    let mut word = String::new();
    let (mut open, mut escaped, mut any) = (false, false, false);
    for c in line.chars() {
        if open {
            match c {
                _ if escaped => {
                    word.push(c);
                    escaped = false;
                }
                '\\' => escaped = true,
                '"' => {
                    open = false;
                    out.push(std::mem::take(&mut word));
                    any = false;
                }
                c => word.push(c),
            }
        } else {
            match c {
                '"' => {
                    open = true;
                    any = true;
                }
                ' ' | '\t' | '\n' => {
                    if any {
                        out.push(std::mem::take(&mut word));
                    }
                    any = false;
                }
                c => {
                    word.push(c);
                    any = true;
                }
            }
        }
    }
    if any {
        out.push(word);
    }
    out
}

fn at_line(family: Family, e: &OptError, line: u32) -> CmdError {
    if e.is_not_simulated() {
        return CmdError { text: format!("{} (line {line})", e.text), status: e.status };
    }
    let program = restore_program(family);
    CmdError { text: format!("{program} {VERSION}: {}\nError occurred at line: {line}\n{}", e.text, try_help(program)), status: e.status }
}

fn parameter(family: Family, text: String, line: u32) -> CmdError {
    at_line(family, &OptError::parameter(text), line)
}

/// Reads a restore file.
///
/// # Errors
/// As the program writes them, with the number of the line.
pub fn parse_restore(family: Family, args: &RestoreArgs, text: &str) -> Result<XtOp, CmdError> {
    let program = restore_program(family);
    let mut out = Restore { noflush: args.noflush, counters: args.counters, tables: Vec::new() };
    let mut table: Option<RestoreTable> = None;
    let mut number = 0u32;
    for line in text.lines() {
        number = number.saturating_add(1);
        if line.is_empty() || line.starts_with('#') {
            continue;
        }
        let failed = |text: &str| CmdError { text: format!("{program}: line {number} failed{text}"), status: 1 };
        let Some(current) = &mut table else {
            let Some(name) = line.strip_prefix('*') else { return Err(failed("")) };
            let Some(name) = name.split([' ', '\t']).find(|s| !s.is_empty()) else {
                return Err(parameter(family, format!("{program}: line {number} table name invalid"), number));
            };
            let Some(kind) = TableKind::by_name(name) else {
                return Err(parameter(family, format!("{program}: line {number} table name '{name}' invalid"), number));
            };
            table = Some(RestoreTable::new(kind));
            continue;
        };
        if line == "COMMIT" {
            if let Some(mut done) = table.take().filter(|t| args.table.is_none_or(|only| only == t.table)) {
                done.commit = number;
                out.tables.push(done);
            }
            continue;
        }
        if args.table.is_some_and(|only| only != current.table) {
            continue;
        }
        let parsed = match line.strip_prefix(':') {
            Some(rest) => chain_line(family, rest, current.table, number, args.counters)?,
            None => rule_line(family, line, current.table, number, args.counters)?,
        };
        current.lines.push((number, parsed));
    }
    match table {
        Some(_) => Err(CmdError { text: format!("{program}: COMMIT expected at line {}", number.saturating_add(1)), status: 1 }),
        None => Ok(XtOp::Restore(Arc::new(out))),
    }
}

/// What stands behind the colon: `CHAIN POLICY [packets:bytes]`.
fn chain_line(family: Family, rest: &str, table: TableKind, number: u32, counters: bool) -> Result<RestoreLine, CmdError> {
    let program = restore_program(family);
    let mut words = rest.split([' ', '\t']).filter(|w| !w.is_empty());
    let Some(name) = words.next() else {
        return Err(parameter(family, format!("{program}: line {number} chain name invalid"), number));
    };
    if name.len() > 28 {
        return Err(parameter(family, format!("Invalid chain name `{name}' (28 chars max)"), number));
    }
    let Some(policy) = words.next() else {
        return Err(parameter(family, format!("{program}: line {number} policy invalid"), number));
    };
    let builtin = table.hooks().iter().any(|h| h.chain() == name);
    let policy = match policy {
        _ if !builtin => None,
        "-" => None,
        "ACCEPT" => Some(Policy::Accept),
        "DROP" => Some(Policy::Drop),
        _ => return Err(CmdError { text: format!("{program}: line {number} failed: Bad policy name."), status: 1 }),
    };
    let counter = match words.next() {
        Some(c) if counters && builtin => {
            let parsed = c.strip_prefix('[').and_then(|c| c.strip_suffix(']')).and_then(counter_of);
            let failed = || parameter(family, format!("invalid policy counters for chain '{name}'"), number);
            Some(parsed.ok_or_else(failed)?)
        }
        _ => None,
    };
    Ok(RestoreLine::Chain(name.into(), policy, counter))
}

/// `PACKETS:BYTES`.
fn counter_of(s: &str) -> Option<Counter> {
    let (p, b) = s.split_once(':')?;
    Some(Counter { packets: p.parse().ok()?, bytes: b.parse().ok()? })
}

/// A command, perhaps behind `[packets:bytes]`.
fn rule_line(family: Family, line: &str, table: TableKind, number: u32, counters: bool) -> Result<RestoreLine, CmdError> {
    let program = restore_program(family);
    let mut line = line;
    let mut counter = None;
    if let Some(rest) = line.strip_prefix('[') {
        match rest.split_once(']') {
            Some((given, behind)) if given.split_once(':').is_some() => {
                line = behind;
                counter = Some(counter_of(given).unwrap_or_default()).filter(|_| counters);
            }
            _ => return Err(parameter(family, "Bad line: need ]\n".to_owned(), number)),
        }
    }
    let words = split_words(line);
    let argv: Vec<&str> = words.iter().map(String::as_str).collect();
    match parse(family, &argv, Mode::Restore(table)) {
        Ok(Parsed::Change(XtOp::Command { command: XtCommand::Counted(..), .. })) if counter.is_some() => {
            Err(parameter(family, "multiple -c flags not allowed".to_owned(), number))
        }
        Ok(Parsed::Change(XtOp::Command { command, .. })) => Ok(RestoreLine::Command(match (counter, &command) {
            (Some(c), XtCommand::Append(..) | XtCommand::Insert(..) | XtCommand::Replace(..)) => XtCommand::Counted(c, Box::new(command)),
            _ => command,
        })),
        Ok(_) => Err(parameter(family, "only one rule or chain can be changed by a line here".to_owned(), number)),
        Err(Failed::Said(e)) => Err(at_line(family, &e, number)),
        Err(Failed::Bare(text)) => {
            Err(CmdError { text: format!("{text}\nError occurred at line: {number}\n{}", try_help(program)), status: 2 })
        }
        Err(Failed::Errno(text)) => Err(CmdError { text: format!("{program}: line {number} failed: {text}."), status: 1 }),
        Err(Failed::Own(text, status)) => Err(CmdError { text: format!("{program} {VERSION}: {text}"), status }),
    }
}
