//! The arguments of `iptables`.
//!
//! Models: iptables 1.8.9 iptables/xshared.c do_parse, command_default, generic_opt_check.
//! Simplifies: address lists become one batch of single rules.

mod lookup;

use super::{CmdError, program, try_help};
use crate::linux::netfilter::apply::VERSION;
use crate::linux::netfilter::matches::NOT_SIMULATED;
use crate::linux::netfilter::option::{Opt, OptError, number};
use crate::linux::netfilter::spec::{ProtoMatch, parse_addresses, parse_interface, parse_protocol};
use crate::linux::netfilter::state::Counter;
use crate::linux::netfilter::targets;
use crate::linux::netfilter::{AddrMatch, Match, Policy, RuleSpec, TableKind, Target};
use crate::linux::op::{Restore, RestoreLine, RestoreTable, XtCommand, XtOp};
use crate::packet::Family;
use lookup::{COMMANDS, Found, GLOBALS, allowed};
use std::sync::Arc;

/// What a command line of `iptables` asks for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Parsed {
    /// A change.
    Change(XtOp),
    /// A listing.
    Show(Show),
    /// `-V`.
    Version,
    /// `-h`.
    Help,
}

/// A listing.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Show {
    /// Of iptables or of ip6tables.
    pub family: Family,
    /// The table.
    pub table: TableKind,
    /// `-L` or `-S`.
    pub what: ShowWhat,
    /// The chain; all if none is given.
    pub chain: Option<Arc<str>>,
    /// The rule, from 1; all if none is given.
    pub rule: Option<u32>,
    /// `-n`.
    pub numeric: bool,
    /// `-v`.
    pub verbose: bool,
    /// `-x`.
    pub exact: bool,
    /// `--line-numbers`.
    pub line_numbers: bool,
}

/// How rules are listed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ShowWhat {
    /// `-L`: in columns.
    List,
    /// `-S`: as commands.
    Rules,
}

#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Mode {
    /// The program.
    Command,
    /// A line of a restore file, of that table.
    Restore(TableKind),
}

pub(super) type Failed = ParseFailed;

/// Why a line could not be read, before it is known who reads it.
#[derive(Debug)]
pub(super) enum ParseFailed {
    /// A problem with a sentence that names the program.
    Said(OptError),
    /// A problem whose sentence stands alone (`Bad argument`).
    Bare(String),
    /// The words of an errno: `Bad policy name`.
    Errno(&'static str),
    /// A text of its own, with the exit status.
    Own(String, u8),
}

impl From<OptError> for ParseFailed {
    fn from(e: OptError) -> Self {
        ParseFailed::Said(e)
    }
}

fn said<T>(text: impl Into<String>) -> Result<T, Failed> {
    Err(Failed::Said(OptError::parameter(text)))
}

/// Reads the words behind `iptables`.
///
/// # Errors
/// As iptables writes them.
pub fn parse_command(family: Family, argv: &[&str]) -> Result<Parsed, CmdError> {
    let program = program(family);
    parse(family, argv, Mode::Command).map_err(|e| match e {
        Failed::Said(e) => CmdError::of(program, &e),
        Failed::Bare(text) if text.is_empty() => CmdError { text: try_help(program), status: 2 },
        Failed::Bare(text) => CmdError { text: format!("{text}\n{}", try_help(program)), status: 2 },
        Failed::Errno("Bad policy name") => {
            CmdError { text: format!("{program}: Bad policy name. Run `dmesg' for more information."), status: 1 }
        }
        Failed::Errno(text) => CmdError { text: format!("{program}: {text}."), status: 1 },
        Failed::Own(text, status) => CmdError { text: format!("{program} {VERSION}: {text}"), status },
    })
}

/// What was loaded by `-m`, `-j` or `-p`, with the options it was given.
#[allow(clippy::large_enum_variant, reason = "there is one for each option group of a line, for the time of its reading")]
enum Ext {
    Match(Match, u32),
    Target(u32),
}

#[derive(Default)]
struct Line {
    command: Option<char>,
    chain: Option<String>,
    rule: Option<u32>,
    new_name: Option<String>,
    policy: Option<String>,
    counter: Option<Counter>,
    table: Option<String>,
    given: String,
    src: Option<(String, bool)>,
    dst: Option<(String, bool)>,
    spec: RuleSpec,
    exts: Vec<Ext>,
}

pub(super) fn parse(family: Family, argv: &[&str], mode: Mode) -> Result<Parsed, Failed> {
    let mut l = Line::default();
    l.spec.family = family;
    let mut words = Words { argv, at: 0 };
    let mut invert = false;
    while let Some(word) = words.next() {
        if word == "!" {
            if invert {
                return said("multiple consecutive ! not allowed");
            }
            invert = true;
            continue;
        }
        if word == "--" {
            return said("unknown arguments found on commandline");
        }
        if let Some(long) = word.strip_prefix("--") {
            let (name, value) = match long.split_once('=') {
                Some((n, v)) => (n, Some(v)),
                None => (long, None),
            };
            match l.find(name) {
                Some(Found::Global(c)) => {
                    if let Some(done) = l.global(c, value, &mut words, invert, mode)? {
                        return Ok(done);
                    }
                }
                Some(Found::Ext(ext, opt)) => l.extension(ext, opt, name, value, &mut words, invert)?,
                None => {
                    let own = l.spec.protocol.and_then(|p| match p.protocol.0 {
                        50 => Some("esp"),
                        51 => Some("ah"),
                        135 => Some("mh"),
                        _ => None,
                    });
                    return match own.filter(|m| name.starts_with(m)) {
                        Some(m) => Err(OptError::not_simulated(format_args!("the match `{m}`")).into()),
                        None => said(format!("unknown option \"--{name}\"")),
                    };
                }
            }
        } else if word.len() > 1 && word.starts_with('-') {
            for (i, c) in word.char_indices().skip(1) {
                let Some((_, _, args)) = GLOBALS.iter().find(|(g, ..)| *g == c && c != '0') else {
                    return said(format!("unknown option \"-{c}\""));
                };
                let rest = &word[i + c.len_utf8()..];
                let attached = (*args > 0 && !rest.is_empty()).then_some(match c {
                    // These look at the whole word, whatever stands before their value.
                    'i' | 'o' | 'j' => word,
                    _ => rest,
                });
                let optional = c == 'w' && !rest.is_empty() && rest.bytes().all(|b| b.is_ascii_digit());
                if let Some(done) = l.global(c, attached.or(optional.then_some(rest)), &mut words, invert, mode)? {
                    return Ok(done);
                }
                if attached.is_some() || optional {
                    break;
                }
            }
        } else {
            return Err(Failed::Bare(format!("Bad argument `{word}'")));
        }
        invert = false;
    }
    if invert {
        return said("nothing appropriate following !");
    }
    l.finish(mode)
}

struct Words<'a> {
    argv: &'a [&'a str],
    at: usize,
}

impl<'a> Words<'a> {
    fn next(&mut self) -> Option<&'a str> {
        let word = self.argv.get(self.at).copied();
        self.at += usize::from(word.is_some());
        word
    }

    /// The next word, if it can be a value beside an option.
    fn value(&mut self) -> Option<&'a str> {
        let word = self.argv.get(self.at).copied().filter(|w| !w.starts_with('-') && *w != "!")?;
        self.at += 1;
        Some(word)
    }
}

impl Line {
    fn global(&mut self, c: char, value: Option<&str>, words: &mut Words<'_>, invert: bool, mode: Mode) -> Result<Option<Parsed>, Failed> {
        let args = GLOBALS.iter().find(|(g, ..)| *g == c).map_or(0, |(_, _, args)| *args);
        let arg = match (args, value) {
            (0, v) => v.unwrap_or_default(),
            (_, Some(v)) => v,
            (_, None) => match words.next() {
                Some(v) => v,
                None => return said(format!("option \"-{c}\" requires an argument")),
            },
        };
        if COMMANDS.contains(c) {
            if invert {
                return said("unexpected '!' flag");
            }
            if let Some(old) = self.command.filter(|old| !(matches!((*old, c), ('Z', 'L') | ('L', 'Z')))) {
                return said(format!("Cannot use -{c} with -{old}"));
            }
            if self.command.is_some() {
                self.given.push('Z');
            }
            self.command = Some(c);
            return self.take_command(c, arg, words).map(|()| None);
        }
        if "sdpiojgfnvx0c".contains(c) {
            if self.given.contains(c) && c != 'v' {
                return said(format!("multiple -{c} flags not allowed"));
            }
            // -j and -g are one option to iptables.
            if c == 'g' && self.given.contains('j') || c == 'j' && self.given.contains('g') {
                return said("multiple -j flags not allowed");
            }
            if invert && !"sdpiof".contains(c) {
                return said(format!("cannot have ! before -{c}"));
            }
        }
        match c {
            's' => self.src = Some((arg.to_owned(), invert)),
            'd' => self.dst = Some((arg.to_owned(), invert)),
            'p' => {
                let protocol = parse_protocol(arg)?;
                if protocol.0 == 0 && invert {
                    return said("rule would never match protocol");
                }
                self.spec.protocol = (protocol.0 != 0).then_some(ProtoMatch { protocol, invert });
            }
            'i' => self.spec.iif = parse_interface(arg, invert)?,
            'o' => self.spec.oif = parse_interface(arg, invert)?,
            'f' if self.spec.family == Family::Inet6 => {
                return said("`-f' is not supported in IPv6, use -m frag instead");
            }
            'f' => self.spec.fragment = Some(!invert),
            'j' => self.jump(arg)?,
            'g' => self.spec.target = Target::Goto(target_name(arg)?.into()),
            'm' => {
                if invert {
                    return said("unexpected ! flag before --match");
                }
                if NOT_SIMULATED.contains(&arg) {
                    return Err(OptError::not_simulated(format_args!("the match `{arg}`")).into());
                }
                let m = Match::new(arg, self.spec.family);
                let m = m.ok_or_else(|| OptError::parameter(format!("Couldn't load match `{arg}':No such file or directory\n")))?;
                self.exts.push(Ext::Match(m, 0));
            }
            't' => {
                if mode != Mode::Command {
                    return said("The -t option cannot be used in iptables-restore.\n");
                }
                if invert {
                    return said("unexpected ! flag before --table");
                }
                self.table = Some(arg.to_owned());
            }
            'c' => {
                let (packets, bytes) = match arg.split_once(',') {
                    Some((p, b)) => (p, Some(b)),
                    None => (arg, words.value()),
                };
                let Some(bytes) = bytes else { return said("-c requires packet and byte counter") };
                let read =
                    |v: &str, what: &str| number(v, u64::MAX).ok_or_else(|| OptError::parameter(format!("-c {what} counter not numeric")));
                self.counter = Some(Counter { packets: read(packets, "packet")?, bytes: read(bytes, "byte")? });
            }
            'w' if value.is_none() && words.argv.get(words.at).is_some_and(|w| !w.is_empty() && w.bytes().all(|b| b.is_ascii_digit())) => {
                words.at += 1;
            }
            'W' => {}
            'V' => return Ok(Some(Parsed::Version)),
            'h' => return Ok(Some(Parsed::Help)),
            '6' if self.spec.family == Family::Inet => return Err(Failed::Bare(String::new())),
            '4' if self.spec.family == Family::Inet6 => return Err(Failed::Bare(String::new())),
            _ => {}
        }
        if "sdpiojgfnvx0c".contains(c) {
            self.given.push(c);
        }
        Ok(None)
    }

    fn jump(&mut self, arg: &str) -> Result<(), Failed> {
        if targets::NOT_SIMULATED.contains(&arg) {
            return Err(OptError::not_simulated(format_args!("the target `{arg}`")).into());
        }
        if let Some(t) = Target::new(arg, self.spec.family) {
            let options = !t.opts().is_empty();
            self.spec.target = t;
            if options {
                self.exts.push(Ext::Target(0));
            }
            return Ok(());
        }
        self.spec.target = Target::Jump(target_name(arg)?.into());
        Ok(())
    }

    fn take_command(&mut self, c: char, arg: &str, words: &mut Words<'_>) -> Result<(), Failed> {
        let rule_number = |s: &str| match number(s, u64::from(u32::MAX)) {
            Some(n) if n > 0 => Ok(n as u32),
            _ => Err(Failed::Said(OptError::parameter(format!("Invalid rule number `{s}'")))),
        };
        match c {
            'N' => {
                chain_name(arg)?;
                if Target::new(arg, self.spec.family).is_some() {
                    return said("chain name may not clash with target name");
                }
            }
            'L' | 'S' | 'F' | 'Z' | 'X' => {
                let chain = words.value();
                self.chain = chain.map(str::to_owned);
                if matches!(c, 'L' | 'S' | 'Z') && chain.is_some() {
                    self.rule = words.value().map(rule_number).transpose()?;
                }
                return Ok(());
            }
            'E' => match words.value() {
                Some(new) => self.new_name = Some(new.to_owned()),
                None => return said("-E requires old-chain-name and new-chain-name"),
            },
            'P' => match words.value() {
                Some(p) => self.policy = Some(p.to_owned()),
                None => return said("-P requires a chain and a policy"),
            },
            'D' | 'I' => self.rule = words.value().map(rule_number).transpose()?,
            'R' => match words.value() {
                Some(n) => self.rule = Some(rule_number(n)?),
                None => return said("-R requires a rule number"),
            },
            _ => {}
        }
        self.chain = Some(arg.to_owned());
        Ok(())
    }

    fn finish(mut self, mode: Mode) -> Result<Parsed, Failed> {
        let Some(command) = self.command else {
            return said("no command specified");
        };
        if self.given.contains('Z') {
            return Err(OptError::not_simulated("`-Z` together with `-L`").into());
        }
        let table = match mode {
            Mode::Restore(t) => t,
            Mode::Command => self.table.as_deref().map_or(Some(TableKind::Filter), TableKind::by_name).unwrap_or(TableKind::Filter),
        };
        self.check_extensions()?;
        let specs = self.specs()?;
        if let Some(bad) = self.given.chars().find(|c| !allowed(command).contains(*c)) {
            let bad = if bad == 'g' { 'j' } else { bad };
            return said(format!("Illegal option `-{bad}' with this command"));
        }
        if let Some(chain) = &self.chain {
            if chain.len() > 28 {
                return said(format!("chain name `{chain}' too long (must be under 29 chars)"));
            }
            let no_in = matches!(chain.as_str(), "POSTROUTING" | "OUTPUT") && self.given.contains('i');
            let no_out = matches!(chain.as_str(), "PREROUTING" | "INPUT") && self.given.contains('o');
            if matches!(command, 'A' | 'D' | 'C' | 'I' | 'R') && (no_in || no_out) {
                return said(format!("Can't use -{} with {chain}\n", if no_in { 'i' } else { 'o' }));
            }
        }
        if let Some(name) = self.table.as_deref().filter(|n| TableKind::by_name(n).is_none()) {
            let text = format!("table '{name}' does not exist\nPerhaps iptables or your kernel needs to be upgraded.");
            return Err(Failed::Own(text, 3));
        }
        let chain = || -> Arc<str> { self.chain.clone().unwrap_or_default().into() };
        let change = |c: XtCommand| Ok(Parsed::Change(XtOp::Command { table, command: c }));
        let maybe_chain = self.chain.as_deref().map(Arc::from);
        match command {
            'N' => change(XtCommand::NewChain(chain())),
            'X' => change(XtCommand::DeleteChain(maybe_chain)),
            'E' => change(XtCommand::RenameChain(chain(), self.new_name.unwrap_or_default().into())),
            'F' => change(XtCommand::Flush(maybe_chain)),
            'Z' => change(XtCommand::Zero(maybe_chain, self.rule)),
            'P' => match self.policy.as_deref() {
                Some("ACCEPT") => change(XtCommand::Policy(chain(), Policy::Accept)),
                Some("DROP") => change(XtCommand::Policy(chain(), Policy::Drop)),
                _ => Err(Failed::Errno("Bad policy name")),
            },
            'L' | 'S' => Ok(Parsed::Show(Show {
                family: self.spec.family,
                table,
                what: if command == 'L' { ShowWhat::List } else { ShowWhat::Rules },
                chain: maybe_chain,
                rule: self.rule,
                numeric: self.given.contains('n'),
                verbose: self.given.contains('v'),
                exact: self.given.contains('x'),
                line_numbers: self.given.contains('0'),
            })),
            'D' if self.rule.is_some() => change(XtCommand::DeleteNumber(chain(), self.rule.unwrap_or(1))),
            _ => {
                let name = chain();
                let counter = self.counter;
                let number = self.rule.unwrap_or(1);
                let of = |spec: RuleSpec| {
                    let (name, spec) = (name.clone(), Arc::new(spec));
                    let made = match command {
                        'A' => XtCommand::Append(name, spec),
                        'I' => XtCommand::Insert(name, number, spec),
                        'R' => XtCommand::Replace(name, number, spec),
                        'D' => XtCommand::Delete(name, spec),
                        _ => XtCommand::Check(name, spec),
                    };
                    match counter {
                        Some(c) if matches!(command, 'A' | 'I' | 'R') => XtCommand::Counted(c, Box::new(made)),
                        _ => made,
                    }
                };
                let mut specs = specs;
                if specs.len() > 1 && command == 'R' {
                    return said("Replacement rule does not specify a unique address");
                }
                match specs.len() {
                    1 => change(of(specs.remove(0))),
                    _ => {
                        let mut t = RestoreTable::new(table);
                        t.lines = specs.into_iter().map(|s| (0, RestoreLine::Command(of(s)))).collect();
                        Ok(Parsed::Change(XtOp::Restore(Arc::new(Restore { noflush: true, counters: false, tables: vec![t] }))))
                    }
                }
            }
        }
    }

    /// The rules that the lists of addresses stand for.
    fn specs(&self) -> Result<Vec<RuleSpec>, Failed> {
        let list = |l: &Option<(String, bool)>| match l {
            None => Ok(vec![AddrMatch::default().of_family(self.spec.family)]),
            Some((text, invert)) => with_invert(parse_addresses(text, self.spec.family)?, *invert),
        };
        let (src, dst) = (list(&self.src)?, list(&self.dst)?);
        if src.len().saturating_mul(dst.len()) > 4096 {
            return said("too many addresses");
        }
        let each = src.iter().flat_map(|src| dst.iter().map(|dst| RuleSpec { src: *src, dst: *dst, ..self.spec.clone() }));
        Ok(each.collect())
    }

    fn check_extensions(&mut self) -> Result<(), Failed> {
        let required = |who: &str, opts: &[Opt], seen: u32| {
            let missing = opts.iter().enumerate().find(|(i, o)| o.must && seen >> i & 1 == 0);
            missing.map_or(Ok(()), |(_, o)| said(format!("{who}: option \"--{}\" must be specified\n", o.names[0])))
        };
        for ext in &self.exts {
            if let Ext::Match(m, seen) = ext {
                required(m.shown_name(), m.opts(), *seen)?;
                m.check(*seen, &self.spec)?;
            }
        }
        for ext in std::mem::take(&mut self.exts) {
            match ext {
                Ext::Match(m, _) => self.spec.matches.push(m),
                Ext::Target(seen) => {
                    required(self.spec.target.name(), self.spec.target.opts(), seen)?;
                    self.spec.target.check(seen, &self.spec)?;
                }
            }
        }
        Ok(())
    }
}

fn with_invert(mut list: Vec<AddrMatch>, invert: bool) -> Result<Vec<AddrMatch>, Failed> {
    if invert && list.len() > 1 {
        return said("! not allowed with multiple source or destination IP addresses");
    }
    list.iter_mut().for_each(|a| a.invert = invert);
    Ok(list)
}

/// Checks the name of a chain to jump to.
fn target_name(name: &str) -> Result<&str, Failed> {
    if name.is_empty() {
        return said("Invalid target name (too short)");
    }
    if name.len() > 28 {
        return said(format!("Invalid target name `{name}' (28 chars max)"));
    }
    if name.chars().any(|c| c.is_ascii_whitespace()) {
        return said(format!("Invalid target name `{name}'"));
    }
    Ok(name)
}

/// Checks a new chain's name.
fn chain_name(name: &str) -> Result<&str, Failed> {
    if let Some(first @ ('-' | '!')) = name.chars().next() {
        return said(format!("chain name not allowed to start with `{first}'"));
    }
    if name.len() > 28 {
        return said(format!("chain name `{name}' too long (must be under 29 chars)"));
    }
    if name.chars().any(|c| c.is_ascii_whitespace()) {
        return said(format!("Invalid chain name `{name}'"));
    }
    Ok(name)
}
