//! `sysctl`.
//!
//! Models: procps 4.0 sysctl, its wording included.

use super::answer::Answer;
use super::args::Args;
use super::lex::quote;
use super::{Command, OpIn, Query, ShellError, Spec};
use crate::linux::apply::sysctl::{get, key_of, list, path_of};
use crate::linux::{Netns, Op};
use std::fmt::Write as _;
use std::sync::Arc;

/// The command.
pub static SPEC: Spec =
    Spec {
        name: "sysctl", about: "switches of the kernel", usage: "sysctl [-n] [-e] [-q] KEY… | sysctl -w KEY=VALUE… | sysctl -a", parse
    };

/// What is read.
#[derive(Clone, Debug, PartialEq, Eq, Default)]
pub struct Show {
    /// The keys, or the beginnings of keys.
    pub keys: Vec<Arc<str>>,
    /// `-a`.
    pub all: bool,
    /// `-n`: values alone.
    pub values: bool,
    /// `-N`: names alone.
    pub names: bool,
    /// `-e`: no word about unknown keys.
    pub ignore: bool,
}

fn parse(args: &mut Args<'_>) -> Result<Command, ShellError> {
    args.status = 1;
    let mut show = Show::default();
    let mut write = false;
    let mut ops = Vec::new();
    while let Some(word) = args.next() {
        match word {
            "--write" => write = true,
            "--all" => show.all = true,
            "--values" => show.values = true,
            "--names" => show.names = true,
            "--ignore" => show.ignore = true,
            "--quiet" => {}
            w if w.starts_with("--") && w.len() > 2 => return Err(args.unsupported()),
            w if w.starts_with('-') && w.len() > 1 => {
                for c in w.chars().skip(1) {
                    match c {
                        'w' => write = true,
                        'a' | 'A' | 'X' => show.all = true,
                        'n' => show.values = true,
                        'N' => show.names = true,
                        'e' => show.ignore = true,
                        'q' | 'o' | 'x' => {}
                        'p' | 'f' | 'b' | 'r' | 'V' | 'h' | 'd' => return Err(args.not_simulated(format_args!("`-{c}`"))),
                        c => return Err(args.error(format!("sysctl: invalid option -- '{c}'")).help(SPEC.usage)),
                    }
                }
            }
            w => match w.split_once('=') {
                Some((key, value)) if !key.trim().is_empty() => {
                    let key = key_of(&path_of(key.trim()));
                    let value = value.trim();
                    ops.push(OpIn { netns: None, op: Op::Sysctl { key: key.into(), value: value.into() } });
                }
                Some(_) => return Err(invalid(args)),
                None if write => return Err(invalid(args)),
                None => show.keys.push(key_of(&path_of(w)).into()),
            },
        }
    }
    match (ops.is_empty(), show.all || !show.keys.is_empty()) {
        (false, false) => Ok(Command::Ops(ops)),
        (false, true) => Err(args.not_simulated("reading and writing in one command")),
        (true, true) => Ok(Command::query(Query::Sysctl(show))),
        (true, false) => Err(args.end("Usage:\n sysctl [options] [variable[=value] ...]").help(SPEC.usage)),
    }
}

fn invalid(args: &Args<'_>) -> ShellError {
    args.error("sysctl: command line(0): invalid syntax, continuing...").help("write KEY=VALUE without blanks around the `=`")
}

/// The command of a change.
pub(super) fn print(key: &str, value: &str) -> String {
    format!("sysctl -w {}", quote(&format!("{key}={value}")))
}

/// Answers a read.
pub(super) fn answer(ns: &Netns, show: &Show) -> Answer {
    let mut a = Answer::default();
    let mut row = |key: &str, value: &str| {
        let _ = match (show.values, show.names) {
            (_, true) => writeln!(a.stdout, "{key}"),
            (true, false) => writeln!(a.stdout, "{value}"),
            (false, false) => writeln!(a.stdout, "{key} = {value}"),
        };
    };
    if show.all {
        for (key, value) in list(ns) {
            row(&key, &value);
        }
        return a;
    }
    let mut unknown = Vec::new();
    for key in &show.keys {
        if let Some(value) = get(ns, key) {
            row(key, &value);
            continue;
        }
        // A directory shows all that is in it.
        let inside = format!("{key}.");
        let below: Vec<_> = list(ns).into_iter().filter(|(k, _)| k.starts_with(&inside)).collect();
        for (key, value) in &below {
            row(key, value);
        }
        if below.is_empty() {
            unknown.push(key);
        }
    }
    if !show.ignore {
        for key in unknown {
            let _ = writeln!(a.stderr, "sysctl: cannot stat /proc/sys/{}: No such file or directory", path_of(key));
            a.status = 1;
        }
    }
    a
}
