//! `ipset`: sets that rules ask.
//!
//! Models: ipset 7.17, its wording included.
//! Simplifies: `-o xml`, files (`-f`) and interactive mode are refused; the seed of the hash is derived from the set's name.

use super::answer::{Answer, Surroundings};
use super::args::Args;
use super::iptables::shell_word;
use super::{Command, Query, ShellError, Spec};
use crate::linux::ipset::apply::{NAME, references};
use crate::linux::ipset::{Dim, Entry, Set, elem};
use crate::linux::op::ipset::{IpsetOp, IpsetOptions};
use crate::linux::{Netns, Op, Time};
use crate::packet::Family;
use std::fmt::Write as _;
use std::sync::Arc;

/// The command.
pub static SPEC: Spec = Spec {
    name: "ipset",
    about: "sets of addresses and ports",
    usage: "ipset { create | add | del | test | destroy | flush | rename | swap | list | save | restore } …",
    parse,
};

/// A question about sets.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Show {
    /// `ipset list`: which set, and how much.
    List(Option<Arc<str>>, Depth),
    /// `ipset save`.
    Save(Option<Arc<str>>),
    /// `ipset test SET ELEMENT [nomatch]`.
    Test(Arc<str>, Arc<str>, bool),
    /// `ipset version`.
    Version,
}

/// How much is listed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Depth {
    /// Everything.
    Members,
    /// `-t`: no members.
    Terse,
    /// `-n`: names.
    Names,
}

const HELP: &str = "\nTry `ipset help' for more information.";
/// Options that have no value.
const FLAGS: [&str; 6] = ["counters", "comment", "forceadd", "nomatch", "skbinfo", "wildcard"];

fn refuse(args: &Args<'_>, words: impl std::fmt::Display) -> ShellError {
    args.error_status(format!("{NAME} {words}"), 1)
}

#[derive(Default)]
struct Given {
    exist: bool,
    sorted: bool,
    terse: bool,
    names: bool,
    save: bool,
}

/// The words of a command without the options that may stand anywhere.
fn words<'l>(args: &mut Args<'l>) -> Result<(Vec<&'l str>, Given), ShellError> {
    let (mut out, mut given) = (Vec::new(), Given::default());
    while let Some(w) = args.next() {
        match w {
            "-exist" | "-!" | "--exist" => given.exist = true,
            "-s" | "-sorted" | "--sorted" => given.sorted = true,
            "-t" | "-terse" | "--terse" => given.terse = true,
            "-n" | "-name" | "--name" => given.names = true,
            "-r" | "-resolve" | "--resolve" | "-q" | "-quiet" | "--quiet" => return Err(args.unsupported()),
            "-f" | "-file" | "--file" => return Err(args.unsupported()),
            "-o" | "-output" | "--output" => match args.next() {
                Some("plain") => {}
                Some("save") => given.save = true,
                Some("xml") => return Err(args.unsupported()),
                Some(m) => return Err(refuse(args, format_args!("Syntax error: unknown output mode '{m}'"))),
                None => return Err(refuse(args, format_args!("Missing mandatory argument to option -o{HELP}"))),
            },
            w => out.push(w),
        }
    }
    Ok((out, given))
}

fn options(words: &[&str], create: bool) -> Result<IpsetOptions, String> {
    let mut out = IpsetOptions::new();
    let mut at = words.iter();
    while let Some(w) = at.next() {
        let value = if FLAGS.contains(w) && (create || *w != "comment") {
            None
        } else {
            let v = at.next().ok_or_else(|| format!("Missing mandatory argument of option `{w}'{HELP}"))?;
            Some(Arc::from(*v))
        };
        out.push((Arc::from(*w), value));
    }
    Ok(out)
}

/// A change, from its words; none for a question or an unknown word.
fn change(words: &[&str], exist: bool) -> Option<Result<IpsetOp, String>> {
    let verb = *words.first()?;
    let arg = |i: usize| words.get(i).map(|w| Arc::from(*w));
    let missing = |n: usize, verb: &str| {
        let which = if n == 1 { "" } else { "second " };
        format!("Missing {which}mandatory argument to command {verb}{HELP}")
    };
    let two = |verb: &str| -> Result<(Arc<str>, Arc<str>), String> {
        let one = arg(1).ok_or_else(|| missing(1, verb))?;
        Ok((one, arg(2).ok_or_else(|| missing(2, verb))?))
    };
    let rest = || words.get(3..).unwrap_or_default();
    Some(match verb {
        "create" | "new" | "-N" | "n" => {
            two("create").and_then(|(name, kind)| Ok(IpsetOp::Create { name, kind, options: options(rest(), true)?, exist }))
        }
        "add" | "-A" | "a" => two("add").and_then(|(name, elem)| Ok(IpsetOp::Add { name, elem, options: options(rest(), false)?, exist })),
        "del" | "-D" | "d" => two("del").map(|(name, elem)| IpsetOp::Del { name, elem, exist }),
        "destroy" | "-X" | "x" => Ok(IpsetOp::Destroy(arg(1))),
        "flush" | "-F" | "f" => Ok(IpsetOp::Flush(arg(1))),
        "rename" | "-E" | "e" => two("rename").map(|(a, b)| IpsetOp::Rename(a, b)),
        "swap" | "-W" | "w" => two("swap").map(|(a, b)| IpsetOp::Swap(a, b)),
        _ => return None,
    })
}

fn parse(args: &mut Args<'_>) -> Result<Command, ShellError> {
    args.status = 1;
    let (words, given) = words(args)?;
    let Some(verb) = words.first() else { return Err(refuse(args, format_args!("No command specified.{HELP}"))) };
    if let Some(op) = change(&words, given.exist) {
        return op.map(|op| Command::op(Op::Ipset(op))).map_err(|e| refuse(args, e));
    }
    let arg = |i: usize| words.get(i).map(|w| Arc::from(*w));
    let show = match *verb {
        "list" | "-L" | "l" if given.save => Show::Save(arg(1)),
        "list" | "-L" | "l" if given.names => Show::List(arg(1), Depth::Names),
        "list" | "-L" | "l" if given.terse => Show::List(arg(1), Depth::Terse),
        "list" | "-L" | "l" => Show::List(arg(1), Depth::Members),
        "save" | "-S" | "s" => Show::Save(arg(1)),
        "version" | "-v" | "--version" | "-V" => Show::Version,
        "test" | "-T" | "t" => match (arg(1), arg(2)) {
            (Some(set), Some(elem)) => Show::Test(set, elem, words.get(3) == Some(&"nomatch")),
            (None, _) => return Err(refuse(args, format_args!("Missing mandatory argument to command test{HELP}"))),
            _ => return Err(refuse(args, format_args!("Missing second mandatory argument to command test{HELP}"))),
        },
        "restore" | "-R" | "r" => return restore(args, given.exist),
        "help" | "-h" | "--help" => return Err(args.unsupported()),
        other => return Err(refuse(args, format_args!("No command specified: unknown argument {other}{HELP}"))),
    };
    Ok(Command::query(Query::Ipset(show)))
}

fn restore(args: &Args<'_>, exist: bool) -> Result<Command, ShellError> {
    let Some(text) = &args.line().heredoc else {
        return Err(args.end("ipset restore reads its lines from a here-document: `ipset restore <<EOF`"));
    };
    let mut lines = Vec::new();
    for (n, line) in (1u32..).zip(text.lines()) {
        let words = super::iptables::split_words(line);
        let mut words: Vec<&str> = words.iter().map(String::as_str).collect();
        let own = words.iter().any(|w| matches!(*w, "-exist" | "-!"));
        words.retain(|w| !matches!(*w, "-exist" | "-!"));
        match words.first() {
            None | Some(&"COMMIT") => continue,
            Some(w) if w.starts_with('#') => continue,
            Some(_) => {}
        }
        match change(&words, own) {
            Some(Ok(op)) => lines.push((n, op)),
            Some(Err(e)) => return Err(refuse(args, format_args!("Error in line {n}: {e}"))),
            None => return Err(refuse(args, format_args!("No command specified: unknown argument {}{HELP}", words[0]))),
        }
    }
    Ok(Command::op(Op::Ipset(IpsetOp::Restore { exist, lines: Arc::new(lines) })))
}

fn line(op: &IpsetOp) -> String {
    let options = |o: &IpsetOptions| {
        let mut out = String::new();
        for (name, value) in o {
            let _ = write!(out, " {}", shell_word(name));
            if let Some(v) = value {
                let _ = write!(out, " {}", shell_word(v));
            }
        }
        out
    };
    let some = |n: &Option<Arc<str>>| n.as_ref().map(|n| format!(" {}", shell_word(n))).unwrap_or_default();
    let end = |exist: bool| if exist { " -exist" } else { "" };
    match op {
        IpsetOp::Create { name, kind, options: o, exist } => {
            format!("create {} {}{}{}", shell_word(name), shell_word(kind), options(o), end(*exist))
        }
        IpsetOp::Destroy(n) => format!("destroy{}", some(n)),
        IpsetOp::Flush(n) => format!("flush{}", some(n)),
        IpsetOp::Rename(a, b) => format!("rename {} {}", shell_word(a), shell_word(b)),
        IpsetOp::Swap(a, b) => format!("swap {} {}", shell_word(a), shell_word(b)),
        IpsetOp::Add { name, elem, options: o, exist } => {
            format!("add {} {}{}{}", shell_word(name), shell_word(elem), options(o), end(*exist))
        }
        IpsetOp::Del { name, elem, exist } => format!("del {} {}{}", shell_word(name), shell_word(elem), end(*exist)),
        IpsetOp::Restore { .. } => String::new(),
    }
}

/// The command that makes the change.
pub(super) fn print(op: &IpsetOp) -> Vec<String> {
    match op {
        IpsetOp::Restore { exist, lines } => {
            let mut out = vec![format!("ipset restore{} <<'EOF'", if *exist { " -exist" } else { "" })];
            out.extend(lines.iter().map(|(_, op)| line(op)));
            out.push("EOF".to_owned());
            out
        }
        op => vec![format!("ipset {}", line(op))],
    }
}

fn header(name: &str, set: &Set) -> String {
    let o = &set.options;
    let mut out = String::new();
    let hash = set.kind.name.starts_with("hash:");
    if hash {
        if set.kind.family {
            out.push_str(if o.family == Family::Inet6 { "family inet6 " } else { "family inet " });
        }
        let _ = write!(out, "hashsize {} maxelem {}", o.hashsize, o.maxelem);
    } else if set.is_list() {
        let _ = write!(out, "size {}", o.size);
    } else if set.kind.dims == [Dim::Port] {
        let _ = write!(out, "range {}-{}", o.range.0, o.range.1);
    } else {
        let ip = |n: u32| crate::packet::Ipv4Addr::from(n);
        let _ = write!(out, "range {}-{}", ip(o.range.0), ip(o.range.1));
    }
    if let Some(n) = o.netmask {
        let _ = write!(out, " netmask {n}");
    }
    if set.kind.dims.contains(&Dim::Mark) {
        let _ = write!(out, " markmask {:#010x}", o.markmask);
    }
    if let Some(t) = o.timeout {
        let _ = write!(out, " timeout {t}");
    }
    for (is, word) in [(o.counters, "counters"), (o.comment, "comment"), (o.forceadd, "forceadd")] {
        if is {
            let _ = write!(out, " {word}");
        }
    }
    if hash {
        let seed = name.bytes().fold(0x811c_9dc5u32, |h, b| (h ^ u32::from(b)).wrapping_mul(0x0100_0193));
        let _ = write!(out, " bucketsize {} initval {seed:#010x}", o.bucketsize);
    }
    out
}

fn member(set: &Set, elem: &str, entry: &Entry, counters: (u64, u64), now: Time) -> String {
    let mut out = elem.to_owned();
    if set.options.timeout.is_some() {
        let left = entry.expires.map_or(0, |t| t.since(now).as_millis().div_ceil(1000));
        let _ = write!(out, " timeout {left}");
    }
    if entry.nomatch {
        out.push_str(" nomatch");
    }
    if set.options.counters {
        let _ = write!(out, " packets {} bytes {}", entry.counters.0 + counters.0, entry.counters.1 + counters.1);
    }
    if let Some(c) = &entry.comment {
        let _ = write!(out, " comment \"{c}\"");
    }
    out
}

fn members(ns: &Netns, name: &Arc<str>, set: &Set, now: Time) -> Vec<String> {
    if set.is_list() {
        let alive = set.list.iter().filter(|(_, e)| e.expires.is_none_or(|t| t > now));
        return alive.map(|(n, e)| member(set, n, e, (0, 0), now)).collect();
    }
    let counted = |key: &crate::linux::ipset::Key| {
        let c = ns.xt_state.sets.get(&(name.clone(), key.clone())).copied().unwrap_or_default();
        (c.packets, c.bytes)
    };
    set.members(now).into_iter().map(|(k, e)| member(set, &elem::text(set, k), e, counted(k), now)).collect()
}

/// Bytes that a set takes, about.
fn memory(set: &Set) -> usize {
    match set.kind.name {
        "bitmap:port" | "bitmap:ip" => 72 + (set.options.range.1 - set.options.range.0) as usize / 64 * 8 + 8,
        "list:set" => 80 + set.len() * 48,
        _ => 216 + set.len() * 40 * set.kind.dims.len(),
    }
}

/// Answers a question about sets.
pub(super) fn answer(ns: &Netns, show: &Show, around: &dyn Surroundings) -> Answer {
    let now = around.now();
    let sets = &ns.config.ipsets;
    let no_set = || Answer::failed(format!("{NAME} The set with the given name does not exist"), 1);
    let wanted = |only: &Option<Arc<str>>| -> Option<Vec<(&Arc<str>, &Set)>> {
        let all = sets.listed();
        match only {
            None => Some(all),
            Some(n) => all.into_iter().find(|(m, _)| *m == n).map(|one| vec![one]),
        }
    };
    match show {
        Show::Version => Answer::printed("ipset v7.17, protocol version: 7\n".to_owned()),
        Show::Test(name, elem, nomatch) => match sets.contains(name, elem, *nomatch, now) {
            Ok(true) => Answer { stderr: format!("Warning: {elem} is in set {name}.\n"), ..Answer::default() },
            Ok(false) => Answer { stderr: format!("{elem} is NOT in set {name}.\n"), status: 1, ..Answer::default() },
            Err(e) => Answer::failed(format!("{NAME} {e}"), 1),
        },
        Show::Save(only) => {
            let Some(all) = wanted(only) else { return no_set() };
            let mut out = String::new();
            for (name, set) in all {
                let _ = writeln!(out, "create {name} {} {}", set.kind.name, header(name, set));
                for m in members(ns, name, set, now) {
                    let _ = writeln!(out, "add {name} {m}");
                }
            }
            Answer::printed(out)
        }
        Show::List(only, depth) => {
            let Some(all) = wanted(only) else { return no_set() };
            let mut out = String::new();
            for (i, (name, set)) in all.into_iter().enumerate() {
                if *depth == Depth::Names {
                    let _ = writeln!(out, "{name}");
                    continue;
                }
                if i > 0 {
                    out.push('\n');
                }
                let rows = members(ns, name, set, now);
                let _ = writeln!(out, "Name: {name}\nType: {}\nRevision: {}", set.kind.name, set.kind.revision);
                let _ = writeln!(out, "Header: {}\nSize in memory: {}", header(name, set), memory(set));
                let _ = writeln!(out, "References: {}\nNumber of entries: {}", references(&ns.config, name), rows.len());
                if *depth == Depth::Members {
                    out.push_str("Members:\n");
                    for m in rows {
                        let _ = writeln!(out, "{m}");
                    }
                }
            }
            Answer::printed(out)
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]

    use super::*;
    use crate::linux::NetnsId;

    fn run(ns: &mut Netns, text: &str) -> Answer {
        let mut last = Answer::default();
        for s in super::super::parse_script(text) {
            match s.command {
                Ok(Command::Ops(ops)) => {
                    for o in ops {
                        let Op::Ipset(op) = &o.op else { panic!("{o:?}") };
                        if let Err((e, line)) = crate::linux::ipset::apply::apply(ns.config_mut(), op, Time(0)) {
                            last = Answer::failed(crate::linux::ipset::apply::said(&e, line), 1);
                        }
                        // what is printed is the same change
                        let again = super::super::parse_script(&print(op).join("\n")).remove(0).command.unwrap();
                        let Command::Ops(again) = again else { panic!() };
                        assert_eq!(print(op), super::super::print(&again[0]));
                    }
                }
                Ok(Command::Query(q)) => {
                    let Query::Ipset(show) = q.query else { panic!() };
                    last = answer(ns, &show, &());
                }
                Ok(_) => {}
                Err(e) => last = Answer::failed(e.message, 1),
            }
        }
        last
    }

    #[test]
    fn saved_and_listed_as_the_tool_does() {
        let mut ns = Netns::empty(NetnsId(0));
        let made = run(
            &mut ns,
            "ipset create a hash:ip hashsize 64 maxelem 10 netmask 24
ipset create b hash:net timeout 5 counters comment
ipset create l list:set
ipset create d bitmap:port range 0-65535
ipset restore <<EOF
add a 10.0.1.5
add b 10.0.0.0/8 comment \"hello world\" timeout 10
add b 10.1.0.0/16 nomatch
add l a
add d 443-445
EOF",
        );
        assert_eq!(made, Answer::default());
        let strip = |t: String| -> String { t.lines().map(|l| format!("{}\n", l.split(" initval").next().unwrap())).collect() };
        let expect = "create a hash:ip family inet hashsize 64 maxelem 10 netmask 24 bucketsize 12
add a 10.0.1.0
create b hash:net family inet hashsize 1024 maxelem 65536 timeout 5 counters comment bucketsize 12
add b 10.0.0.0/8 timeout 10 packets 0 bytes 0 comment \"hello world\"
add b 10.1.0.0/16 timeout 5 nomatch packets 0 bytes 0
create d bitmap:port range 0-65535
add d 443
add d 444
add d 445
create l list:set size 8
add l a
";
        assert_eq!(strip(run(&mut ns, "ipset save").stdout), expect);
        assert_eq!(run(&mut ns, "ipset list -n").stdout, "a\nb\nd\nl\n");
        let listed = run(&mut ns, "ipset list a").stdout;
        assert!(
            listed.starts_with("Name: a\nType: hash:ip\nRevision: 6\nHeader: family inet hashsize 64 maxelem 10 netmask 24"),
            "{listed}"
        );
        assert!(listed.ends_with("References: 1\nNumber of entries: 1\nMembers:\n10.0.1.0\n"), "{listed}");
        assert_eq!(run(&mut ns, "ipset test a 10.0.1.9").stderr, "Warning: 10.0.1.9 is in set a.\n");
        assert_eq!(run(&mut ns, "ipset destroy a").stderr, "ipset v7.17: Set cannot be destroyed: it is in use by a kernel component\n");
        assert_eq!(
            run(&mut ns, "ipset restore <<EOF\nadd a 9.9.9.9\nadd a 9.9.9.9\nEOF").stderr,
            "ipset v7.17: Error in line 2: Element cannot be added to the set: it's already added\n"
        );
        assert_eq!(run(&mut ns, "ipset foo").stderr.lines().next(), Some("ipset v7.17: No command specified: unknown argument foo"));
    }
}
