//! `cat`: files below /proc/sys, or what comes through a pipe.

use super::answer::Answer;
use super::args::Args;
use super::{Command, Query, ShellError, Spec};
use crate::linux::Netns;
use crate::linux::apply::sysctl::{get, key_of};
use crate::linux::netfilter::{Match, TableKind};
use std::fmt::Write as _;
use std::sync::Arc;

/// The command.
pub static SPEC: Spec = Spec { name: "cat", about: "shows a switch of the kernel", usage: "cat /proc/sys/net/…", parse };

fn parse(args: &mut Args<'_>) -> Result<Command, ShellError> {
    args.status = 1;
    let mut files: Vec<Arc<str>> = Vec::new();
    while let Some(w) = args.next() {
        if w == "-" {
            continue;
        }
        if w.starts_with('-') {
            return Err(args.unsupported());
        }
        if !w.starts_with("/proc/sys/") && !w.starts_with(RECENT) {
            return Err(args.not_simulated(format_args!("files other than those below /proc/sys and {RECENT} (`{w}`)")));
        }
        files.push(w.into());
    }
    if files.is_empty() {
        return Ok(Command::Filter(super::filter::Filter::Cat));
    }
    Ok(Command::query(Query::Cat(files)))
}

/// Where the lists of `-m recent` are.
const RECENT: &str = "/proc/net/xt_recent/";

/// A list of `-m recent`, as long as a rule names it.
fn recent(ns: &Netns, name: &str) -> Option<String> {
    let tables = [&ns.config.xt, &ns.config.xt6];
    let mut rules = tables
        .iter()
        .flat_map(|xt| TableKind::ALL.into_iter().filter_map(|k| xt.table(k)))
        .flat_map(|t| t.chains())
        .flat_map(|(_, c)| &c.rules);
    let named = rules.any(|r| r.spec.matches.iter().any(|m| matches!(m, Match::Recent(m) if *m.name == *name)));
    named.then(|| ns.xt_state.recent.get(name).map(|l| l.text()).unwrap_or_default())
}

/// Answers it.
pub(super) fn answer(ns: &Netns, files: &[Arc<str>]) -> Answer {
    let mut a = Answer::default();
    for file in files {
        if let Some(list) = file.strip_prefix(RECENT) {
            match recent(ns, list) {
                Some(text) => a.stdout.push_str(&text),
                None => {
                    let _ = writeln!(a.stderr, "cat: {file}: No such file or directory");
                    a.status = 1;
                }
            }
            continue;
        }
        match file.strip_prefix("/proc/sys/").and_then(|path| get(ns, &key_of(path))) {
            Some(value) => {
                let _ = writeln!(a.stdout, "{value}");
            }
            None => {
                let _ = writeln!(a.stderr, "cat: {file}: No such file or directory");
                a.status = 1;
            }
        }
    }
    a
}
