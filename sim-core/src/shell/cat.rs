//! `cat`: files below /proc/sys, or what comes through a pipe.

use super::answer::Answer;
use super::args::Args;
use super::{Command, Query, ShellError, Spec};
use crate::linux::Netns;
use crate::linux::apply::sysctl::{get, key_of};
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
        if !w.starts_with("/proc/sys/") {
            return Err(args.not_simulated(format_args!("files other than those below /proc/sys (`{w}`)")));
        }
        files.push(w.into());
    }
    if files.is_empty() {
        return Ok(Command::Filter(super::filter::Filter::Cat));
    }
    Ok(Command::query(Query::Cat(files)))
}

/// Answers it.
pub(super) fn answer(ns: &Netns, files: &[Arc<str>]) -> Answer {
    let mut a = Answer::default();
    for file in files {
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
