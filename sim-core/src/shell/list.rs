//! Command lines of several commands: pipes, `;`, `&&`, `||`, redirections.
//!
//! ```text
//!  list ── pipeline ── stage ─┬─ command      what it asks for
//!     ;  &&  ||    |          ├─ late         a command that reads the pipe: read when it is known what comes through
//!                             └─ sinks        where its output and its errors go
//! ```
//!
//! Simplifies: files are /dev/null, and below /proc/sys for `echo VALUE >`.

use super::args::Args;
use super::filter::Filter;
use super::lex::{self, CommandLine, Join, Line, Redirect, Stage};
use super::{Command, OpIn, ShellError, parse_command};
use crate::linux::Op;
use crate::linux::apply::sysctl::key_of;
use std::sync::Arc;

/// Where something that a command prints goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Sink {
    /// To the next command, or the terminal.
    Out,
    /// To the terminal, as errors.
    Err,
    /// Nowhere.
    Null,
}

/// A command of a pipeline.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Part {
    /// What it asks for; none for a command that reads the pipe as its input.
    pub command: Option<Box<Command>>,
    /// Its words, for such a command.
    pub line: Line,
    /// Where its output goes.
    pub out: Sink,
    /// Where its errors go.
    pub err: Sink,
}

/// Commands joined by pipes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Pipeline {
    /// How it is joined to those before it.
    pub join: Join,
    /// `!`: its status is turned round.
    pub negated: bool,
    /// The commands, in order.
    pub parts: Vec<Part>,
}

/// Pipelines, in order.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct List(pub Vec<Pipeline>);

impl List {
    /// Its changes, if it does nothing else: no questions, no traffic, no pipes.
    pub fn changes(&self) -> Option<Vec<OpIn>> {
        let mut all = Vec::new();
        for p in &self.0 {
            match p.parts.as_slice() {
                [Part { command: Some(c), .. }] if !p.negated && p.join != Join::Or => match &**c {
                    Command::Ops(ops) => all.extend(ops.iter().cloned()),
                    _ => return None,
                },
                _ => return None,
            }
        }
        Some(all)
    }

    /// Its commands.
    pub fn commands(&self) -> impl Iterator<Item = &Command> {
        self.0.iter().flat_map(|p| &p.parts).filter_map(|p| p.command.as_deref())
    }

    /// The same in the namespace `netns`, as far as no other is named.
    pub(super) fn inside(&mut self, netns: Option<&Arc<str>>) {
        for part in self.0.iter_mut().flat_map(|p| &mut p.parts) {
            if let Some(c) = part.command.take() {
                part.command = Some(Box::new(c.inside(netns)));
            }
        }
    }
}

/// Whether a command reads its standard input.
pub(super) fn reads_stdin(line: &Line) -> bool {
    line.words.iter().any(|w| w.text.ends_with("-restore") || w.text == "-")
        || super::ipvsadm::reads_stdin(&line.words)
        // `ipset restore`
        || line.words.get(1).is_some_and(|w| w.text == "restore")
}

/// Reads a command line.
pub(super) fn parse(line: &CommandLine) -> Result<Command, ShellError> {
    if let Some(one) = line.simple() {
        let command = command(one)?;
        if one.heredoc.is_none() || !matches!(command, Command::Filter(_)) {
            return Ok(command);
        }
    }
    let mut list = Vec::new();
    for p in &line.list {
        let parts: Result<Vec<Part>, ShellError> = p.stages.iter().enumerate().map(|(i, s)| part(s, i > 0)).collect();
        list.push(Pipeline { join: p.join, negated: p.negated, parts: parts? });
    }
    Ok(Command::List(List(list)))
}

/// Reads a command of its own.
pub(super) fn command(line: &Line) -> Result<Command, ShellError> {
    let mut args = Args::new(line);
    let command = parse_command(&mut args)?;
    if line.heredoc.is_some() && !reads_stdin(line) && !matches!(command, Command::Filter(_)) {
        return Err(Args::new(line).end("this command does not read a here-document").help("take away `<<…` and the lines that follow"));
    }
    Ok(command)
}

fn part(stage: &Stage, piped: bool) -> Result<Part, ShellError> {
    let (mut out, mut err) = (Sink::Out, Sink::Err);
    let mut file = None;
    for r in &stage.redirects {
        let to = match target(r)? {
            Target::Sink(s) => s,
            Target::Same(1) => out,
            Target::Same(_) => err,
            Target::Nothing => continue,
            Target::File => {
                file = Some(&r.file);
                Sink::Null
            }
        };
        match r.fd {
            1 => out = to,
            2 => err = to,
            _ => (out, err) = (to, to),
        }
    }
    let late = piped && stage.line.heredoc.is_none() && reads_stdin(&stage.line);
    let mut command = if late { None } else { Some(self::command(&stage.line)?) };
    if let Some(file) = file {
        command = match (command, file.text.strip_prefix("/proc/sys/")) {
            (Some(Command::Filter(Filter::Echo(value))), Some(path)) => {
                Some(Command::op(Op::Sysctl { key: key_of(path).into(), value: value.trim().into() }))
            }
            _ => return Err(refused(file)),
        };
    }
    Ok(Part { command: command.map(Box::new), line: stage.line.clone(), out, err })
}

enum Target {
    Sink(Sink),
    Same(u8),
    Nothing,
    File,
}

fn target(r: &Redirect) -> Result<Target, ShellError> {
    if let Some(fd) = r.same_as {
        return Ok(Target::Same(fd));
    }
    match (r.fd, r.file.text.as_str()) {
        (0, "/dev/null") => Ok(Target::Nothing),
        (1..=3, "/dev/null") => Ok(Target::Sink(Sink::Null)),
        (1, f) if f.starts_with("/proc/sys/") => Ok(Target::File),
        _ => Err(refused(&r.file)),
    }
}

fn refused(file: &lex::Word) -> ShellError {
    let mut e =
        ShellError::at(format!("not simulated: the file `{}`; there are /dev/null, and /proc/sys for `echo VALUE >`", file.text), 1, file);
    e.not_simulated = true;
    e
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]
    use super::*;
    use crate::shell;

    fn list(text: &str) -> List {
        match shell::parse(text).unwrap() {
            Command::List(l) => l,
            other => panic!("{text}: {other:?}"),
        }
    }

    #[test]
    fn redirections_count_in_their_order() {
        for (text, out, err) in [
            ("ip link >/dev/null", Sink::Null, Sink::Err),
            ("ip link 2>/dev/null", Sink::Out, Sink::Null),
            ("ip link 2>&1", Sink::Out, Sink::Out),
            ("ip link >/dev/null 2>&1", Sink::Null, Sink::Null),
            ("ip link 2>&1 >/dev/null", Sink::Null, Sink::Out),
            ("ip link &>/dev/null", Sink::Null, Sink::Null),
            ("ip link >&2", Sink::Err, Sink::Err),
        ] {
            let l = list(text);
            assert_eq!((l.0[0].parts[0].out, l.0[0].parts[0].err), (out, err), "{text}");
        }
    }

    #[test]
    fn a_list_of_changes_is_known_as_one() {
        assert_eq!(list("ip link set lo up && sysctl -w net.ipv4.ip_forward=1; ip link add d0 type dummy").changes().unwrap().len(), 3);
        let op = Op::Sysctl { key: "net.ipv4.ip_forward".into(), value: "1".into() };
        assert_eq!(list("echo 1 > /proc/sys/net/ipv4/ip_forward").changes().unwrap()[0].op, op);
        for text in ["ip link | grep x", "ip link set lo up; ip link", "ip link set lo up || true", "! ip link set lo up"] {
            assert!(list(text).changes().is_none(), "{text}");
        }
    }

    #[test]
    fn what_is_wrong_is_found_before_anything_runs() {
        let e = shell::parse("ip link | grpe x").unwrap_err();
        assert_eq!((e.message.as_str(), e.col, e.status), ("bash: grpe: command not found", 11, 127));
        assert_eq!(e.help.as_deref(), Some("did you mean `grep`?"));
        assert!(shell::parse("ip link > /tmp/x").unwrap_err().not_simulated);
        assert!(shell::parse("ip link > /proc/sys/net/ipv4/ip_forward").unwrap_err().not_simulated);
        assert!(shell::parse("iptables-save | iptables-restore").is_ok());
    }
}
