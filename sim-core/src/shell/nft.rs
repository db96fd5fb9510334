//! `nft`.
//!
//! Models: nft 1.0.6 src/main.c (options), src/rule.c do_command_list.
//! What it reads and prints is in [`crate::linux::netfilter::nft::text`].

use super::answer::{Answer, Surroundings};
use super::args::Args;
use super::lex::quote;
use super::{Command, Query, ShellError, Spec};
use crate::linux::netfilter::nft::text::{NftError, Style, check};
use crate::linux::netfilter::nft::{Element, NftFamily, NftTable, ObjKind, Set};
use crate::linux::op::NftOp;
use crate::linux::{IfIndex, Netns, Op, Time};
use std::fmt::Write as _;
use std::sync::Arc;

/// `nft`.
pub static SPEC: Spec = Spec {
    name: "nft",
    about: "rules for packets, in tables of one's own",
    usage: "nft [-a] [-s] { COMMAND | -f - <<EOF … EOF | list { ruleset | tables | table | chain | set | map | … } }",
    parse,
};

/// What is listed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum What {
    /// `ruleset [FAMILY]`.
    Ruleset,
    /// `tables [FAMILY]`.
    Tables,
    /// `table [FAMILY] NAME`.
    Table(Arc<str>),
    /// `chains`, `sets`, `maps`, `counters`, … of all tables.
    All(Part),
    /// `chain|set|map|counter|… [FAMILY] TABLE NAME`.
    One(Part, Arc<str>, Arc<str>),
}

/// What a table is made of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Part {
    /// Chains.
    Chain,
    /// Sets.
    Set,
    /// Maps.
    Map,
    /// Named objects.
    Object(ObjKind),
}

/// `nft list …`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Show {
    /// What.
    pub what: What,
    /// Only that family; for a table by name `ip` if none is said.
    pub family: Option<NftFamily>,
    /// `-a`.
    pub handles: bool,
    /// `-s`.
    pub stateless: bool,
    /// The command, as errors quote it.
    pub text: Arc<str>,
}

/// The command line that makes a change.
pub fn print(op: &NftOp) -> Vec<String> {
    match &op.file {
        None => vec![format!("nft {}", quote(&op.text))],
        Some(_) => {
            let mut lines = vec!["nft -f - <<EOF".to_owned()];
            lines.extend(op.text.strip_suffix('\n').unwrap_or(&op.text).split('\n').map(str::to_owned));
            lines.push("EOF".to_owned());
            lines
        }
    }
}

fn parse(args: &mut Args<'_>) -> Result<Command, ShellError> {
    args.status = 1;
    let (mut handles, mut stateless, mut file, mut checks) = (false, false, None, false);
    while let Some(word) = args.peek().filter(|w| w.starts_with('-') && w.len() > 1) {
        args.next();
        match word {
            "--handle" => handles = true,
            "--stateless" => stateless = true,
            "--check" => checks = true,
            "--numeric" | "--numeric-priority" | "--numeric-protocol" | "--echo" => return Err(args.unsupported()),
            "--file" => file = Some(args.need()?.to_owned()),
            w if w.starts_with("--") => return Err(args.unsupported()),
            w => {
                let letters = w.trim_start_matches('-');
                for (i, c) in letters.char_indices() {
                    match c {
                        'a' => handles = true,
                        's' => stateless = true,
                        'c' => checks = true,
                        'f' => {
                            let rest = &letters[i + 1..];
                            file = Some(if rest.is_empty() { args.need()?.to_owned() } else { rest.to_owned() });
                            break;
                        }
                        'n' | 'N' | 'S' | 'p' | 'y' | 'u' | 'T' | 'j' | 'e' | 'i' | 'd' | 'o' | 'I' | 'D' | 't' | 'v' | 'V' | 'h' => {
                            return Err(args.unsupported());
                        }
                        _ => return Err(args.error(format!("nft: invalid option -- '{c}'"))),
                    }
                }
            }
        }
    }
    if checks {
        return Err(args.not_simulated("nft -c"));
    }
    let op = match file {
        Some(name) => {
            if !matches!(name.as_str(), "-" | "/dev/stdin") {
                return Err(args.not_simulated("files: write `nft -f - <<EOF`"));
            }
            let Some(text) = args.line().heredoc.clone() else {
                return Err(args.end("nft reads its rules from a here-document: `nft -f - <<EOF`"));
            };
            NftOp::file(text)
        }
        None => {
            let words: Vec<&str> = args.rest().iter().map(|w| w.text.as_str()).collect();
            let text = words.join(" ");
            if text.trim().is_empty() {
                return Err(args.end("nft: no command specified"));
            }
            let first = text.split_whitespace().next().unwrap_or("");
            if first == "list" {
                return list(args, &text, handles, stateless);
            }
            NftOp::command(text)
        }
    };
    let text = op.read();
    if let Err(refused) = check(&text) {
        let not_simulated = refused.not_simulated;
        let error = NftError::new(op.file.clone(), &text, refused);
        return Err(if not_simulated { args.not_simulated(error.refused.message) } else { args.error(error.to_string()) });
    }
    while args.next().is_some() {}
    Ok(Command::op(Op::Nft(op)))
}

fn list(args: &mut Args<'_>, text: &str, handles: bool, stateless: bool) -> Result<Command, ShellError> {
    let text: Arc<str> = text.trim().trim_end_matches(';').into();
    let words: Vec<&str> = text.split_whitespace().skip(1).collect();
    while args.next().is_some() {}
    let syntax = |args: &Args<'_>, at: usize, what: &str| {
        let from = words.get(at).map_or(text.len(), |w| w.as_ptr() as usize - text.as_ptr() as usize);
        let to = words.get(at).map_or(text.len() + 1, |w| from + w.len());
        let refused = crate::linux::netfilter::nft::text::Refused::new(crate::linux::netfilter::nft::text::Span { from, to }, what);
        args.error(NftError::new(None, &format!("{text}\n"), refused).to_string())
    };
    let Some(first) = words.first() else { return Err(syntax(args, 0, "syntax error, unexpected newline")) };
    let mut rest = words[1..].to_vec();
    let family = rest
        .first()
        .and_then(|w| NftFamily::by_name(w))
        .filter(|_| rest.len() > usize::from(!matches!(*first, "ruleset" | "tables" | "chains" | "sets" | "maps")));
    if family.is_some() {
        rest.remove(0);
    }
    let part = |word: &str| match word {
        "chain" | "chains" => Some(Part::Chain),
        "set" | "sets" => Some(Part::Set),
        "map" | "maps" => Some(Part::Map),
        "counter" | "counters" => Some(Part::Object(ObjKind::Counter)),
        "quota" | "quotas" => Some(Part::Object(ObjKind::Quota)),
        "limit" | "limits" => Some(Part::Object(ObjKind::Limit)),
        _ => None,
    };
    let (what, used) = match (*first, part(first)) {
        ("ruleset", _) => (What::Ruleset, 0),
        ("tables", _) => (What::Tables, 0),
        ("table", _) => match rest.first() {
            Some(name) => (What::Table((*name).into()), 1),
            None => return Err(syntax(args, words.len(), "syntax error, unexpected newline, expecting string")),
        },
        (w, Some(p)) if w.ends_with('s') => (What::All(p), 0),
        (_, Some(p)) => match rest[..] {
            [table, name, ..] => (What::One(p, table.into(), name.into()), 2),
            _ => return Err(syntax(args, words.len(), "syntax error, unexpected newline, expecting string")),
        },
        ("hooks" | "flowtable" | "flowtables" | "ct" | "meter" | "meters" | "secmark" | "synproxy" | "rules", _) => {
            return Err(args.not_simulated(format_args!("nft list {first}")));
        }
        _ => return Err(syntax(args, 0, "syntax error, unexpected string")),
    };
    if rest.len() > used {
        let at = words.len() - rest.len() + used;
        return Err(syntax(args, at, "syntax error, unexpected string, expecting end of file or newline or semicolon"));
    }
    Ok(Command::query(Query::Nft(Show { what, family, handles, stateless, text })))
}

/// Answers `nft list …`.
pub(super) fn show(ns: &Netns, q: &Show, around: &dyn Surroundings) -> Answer {
    let name = |i: u32| Some(ns.config.devices.name(IfIndex(i)).to_owned()).filter(|n| !n.is_empty());
    let style = Style { stateless: q.stateless, handles: q.handles, device: &name };
    let now = around.now();
    let tables: Vec<NftTable> = ns.config.nft.tables.iter().map(|t| alive(t, now)).collect();
    let chosen = || tables.iter().filter(|t| q.family.is_none_or(|f| t.family == f));
    let mut out = String::new();
    let missing = |word: &str| {
        let from = q.text.rfind(word).unwrap_or(0);
        let at = crate::linux::netfilter::nft::text::Span { from, to: from + word.len() };
        let refused = crate::linux::netfilter::nft::text::Refused::missing(at, "No such file or directory");
        Answer::failed(NftError::new(None, &q.text, refused).to_string(), 1)
    };
    let find = |table: &str| tables.iter().find(|t| *t.name == *table && t.family == q.family.unwrap_or(NftFamily::Ip));
    match &q.what {
        What::Ruleset => chosen().for_each(|t| style.table(t, &|s| written(ns, t, s, now), &mut out)),
        What::Tables => chosen().for_each(|t| {
            let _ = write!(out, "table {} {}", t.family.name(), t.name);
            if q.handles {
                let _ = write!(out, " # handle {}", t.handle);
            }
            out.push('\n');
        }),
        What::Table(name) => match find(name) {
            Some(t) => style.table(t, &|s| written(ns, t, s, now), &mut out),
            None => return missing(name),
        },
        What::All(part) => chosen().for_each(|t| {
            let inner = parts(ns, t, *part, None, &style, now).unwrap_or_default();
            out.push_str(&style.around(t, &inner));
        }),
        What::One(part, table, name) => {
            let Some(t) = find(table) else { return missing(table) };
            let Some(inner) = parts(ns, t, *part, Some(name), &style, now) else { return missing(name) };
            out.push_str(&style.around(t, &inner));
        }
    }
    Answer::printed(out)
}

/// A table without the elements whose time is over; of the others, what is left of their time.
fn alive(t: &Arc<NftTable>, now: Time) -> NftTable {
    let mut t = (**t).clone();
    let timed: Vec<u32> = t.sets.iter().filter(|(_, s)| s.elems.iter().any(|e| e.expires.is_some())).map(|(i, _)| i).collect();
    for slot in timed {
        if let Some(s) = t.sets.get_mut(slot) {
            s.elems.retain(|e| !e.is_expired(now));
            s.elems.iter_mut().for_each(|e| e.left = e.expires.map(|x| x.since(now)));
            s.reindex();
        }
    }
    t
}

/// The elements that packets wrote to a set.
pub fn written(ns: &Netns, t: &NftTable, slot: u32, now: Time) -> Vec<Element> {
    let Some(set) = t.sets.get(slot) else { return Vec::new() };
    let hidden = |key: &[u8]| set.position(key, key).is_some();
    ns.nft
        .of(t.handle, slot, now)
        .into_iter()
        .filter(|(key, _)| !hidden(key))
        .map(|(key, w)| Element {
            timeout: w.timeout.filter(|t| Some(*t) != set.timeout),
            left: w.expires.map(|x| x.since(now)),
            data: w.data.clone().map_or_else(Default::default, crate::linux::netfilter::nft::ElemData::Value),
            ..Element::of(key.clone())
        })
        .collect()
}

fn parts(ns: &Netns, t: &NftTable, part: Part, name: Option<&str>, style: &Style<'_>, now: Time) -> Option<String> {
    let mut out = String::new();
    let mut any = name.is_none();
    let mut gap = |out: &mut String| {
        if !out.is_empty() {
            out.push('\n');
        }
        any = true;
    };
    let wanted = |own: &str| name.is_none_or(|n| n == own);
    match part {
        Part::Chain => t.chains.iter().filter(|(_, c)| wanted(&c.name)).for_each(|(_, c)| {
            gap(&mut out);
            style.chain(c, t.family, &mut out);
        }),
        Part::Set | Part::Map => {
            t.sets.iter().filter(|(_, s)| wanted(&s.name) && Set::is_map(s) == (part == Part::Map)).for_each(|(i, s)| {
                gap(&mut out);
                style.set(s, &written(ns, t, i, now), &mut out);
            })
        }
        Part::Object(kind) => t.objects.iter().filter(|o| wanted(&o.name) && o.kind() == kind).for_each(|o| {
            gap(&mut out);
            style.object(o, &mut out);
        }),
    }
    any.then_some(out)
}
