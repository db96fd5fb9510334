//! Changes and tables as text: commands, restore files, iptables-save.
//!
//! Models: iptables 1.8.9 iptables/xtables-save.c, iptables/nft-ipv4.c nft_ipv4_save_rule.

use super::restore::split_words;
use super::{program, restore_program};
use crate::linux::netfilter::option::plain_word;
use crate::linux::netfilter::{Policy, RuleSpec, Table, TableKind, XtState, Xtables};
use crate::linux::op::{Restore, RestoreLine, XtCommand, XtOp};
use crate::packet::Family;
use std::fmt::Write as _;

/// The order of tables in iptables-save.
pub(super) const ORDER: [TableKind; 5] = [TableKind::Mangle, TableKind::Security, TableKind::Raw, TableKind::Filter, TableKind::Nat];

/// The command that does the same on a real host; a restore file follows as a here-document.
pub fn print(family: Family, op: &XtOp) -> String {
    match op {
        XtOp::Command { .. } => print_words(family, op).iter().map(|w| shell_word(w)).collect::<Vec<_>>().join(" "),
        XtOp::Restore(r) => {
            let mut out = print_words(family, op).join(" ");
            let _ = write!(out, " <<'EOF'\n{}EOF", restore_text(r));
            out
        }
    }
}

/// The words of the command; a restore file is its standard input.
pub fn print_words(family: Family, op: &XtOp) -> Vec<String> {
    let mut words = Vec::new();
    match op {
        XtOp::Command { table, command } => {
            words.push(program(family).to_owned());
            if *table != TableKind::Filter {
                words.extend(["-t".to_owned(), table.name().to_owned()]);
            }
            words.extend(split_words(&command_text(command)));
        }
        XtOp::Restore(r) => {
            words.push(restore_program(family).to_owned());
            words.extend(r.noflush.then(|| "--noflush".to_owned()));
            words.extend(r.counters.then(|| "--counters".to_owned()));
        }
    }
    words
}

/// A word in the shell's quotes, if it needs them.
pub fn shell_word(word: &str) -> String {
    let plain = |c: char| c.is_ascii_alphanumeric() || "_-+=:,./@%^".contains(c);
    if word == "!" || (!word.is_empty() && word.chars().all(plain)) {
        return word.to_owned();
    }
    let mut out = String::from("\"");
    for c in word.chars() {
        if matches!(c, '"' | '\\' | '$' | '`') {
            out.push('\\');
        }
        out.push(c);
    }
    out.push('"');
    out
}

/// The text of a restore file.
pub fn restore_text(r: &Restore) -> String {
    let mut out = String::new();
    for t in &r.tables {
        let _ = writeln!(out, "*{}", t.table.name());
        for (_, line) in &t.lines {
            match line {
                RestoreLine::Chain(name, policy, counter) => {
                    let c = counter.unwrap_or_default();
                    let _ = writeln!(out, ":{name} {} [{}:{}]", policy.map_or("-", Policy::name), c.packets, c.bytes);
                }
                RestoreLine::Command(XtCommand::Counted(n, c)) if r.counters => {
                    let _ = writeln!(out, "[{}:{}] {}", n.packets, n.bytes, command_text(c));
                }
                RestoreLine::Command(c) => {
                    let _ = writeln!(out, "{}", command_text(c));
                }
            }
        }
        out.push_str("COMMIT\n");
    }
    out
}

/// A command in the quoting of restore files.
fn command_text(c: &XtCommand) -> String {
    let mut out = String::new();
    let rule = |spec: &RuleSpec, out: &mut String| spec.save(out);
    let chain = |letter: char, name: &Option<std::sync::Arc<str>>| match name {
        Some(n) => format!("-{letter} {}", plain_word(n)),
        None => format!("-{letter}"),
    };
    let w = |n: &str| plain_word(n).into_owned();
    match c {
        XtCommand::Counted(n, c) => {
            let _ = write!(out, "{} -c {} {}", command_text(c), n.packets, n.bytes);
        }
        XtCommand::NewChain(n) => {
            let _ = write!(out, "-N {}", w(n));
        }
        XtCommand::DeleteChain(n) => out = chain('X', n),
        XtCommand::RenameChain(from, to) => {
            let _ = write!(out, "-E {} {}", w(from), w(to));
        }
        XtCommand::Policy(n, p) => {
            let _ = write!(out, "-P {} {}", w(n), p.name());
        }
        XtCommand::Flush(n) => out = chain('F', n),
        XtCommand::Zero(n, number) => {
            out = chain('Z', n);
            if let Some(number) = number {
                let _ = write!(out, " {number}");
            }
        }
        XtCommand::Append(n, spec) => {
            let _ = write!(out, "-A {}", w(n));
            rule(spec, &mut out);
        }
        XtCommand::Insert(n, at, spec) => {
            let _ = if *at <= 1 { write!(out, "-I {}", w(n)) } else { write!(out, "-I {} {at}", w(n)) };
            rule(spec, &mut out);
        }
        XtCommand::Replace(n, at, spec) => {
            let _ = write!(out, "-R {} {at}", w(n));
            rule(spec, &mut out);
        }
        XtCommand::Delete(n, spec) => {
            let _ = write!(out, "-D {}", w(n));
            rule(spec, &mut out);
        }
        XtCommand::DeleteNumber(n, at) => {
            let _ = write!(out, "-D {} {at}", w(n));
        }
        XtCommand::Check(n, spec) => {
            let _ = write!(out, "-C {}", w(n));
            rule(spec, &mut out);
        }
    }
    out
}

/// What `iptables-save` writes, without its comments (they carry the date): one table, or all.
pub fn save(family: Family, xt: &Xtables, state: &XtState, only: Option<TableKind>, counters: bool) -> String {
    let mut out = String::new();
    for kind in ORDER.into_iter().filter(|k| only.is_none_or(|o| o == *k)) {
        if let Some(table) = xt.table(kind) {
            save_table(family, table, state, counters, &mut out);
        }
    }
    out
}

fn save_table(family: Family, table: &Table, state: &XtState, counters: bool, out: &mut String) {
    let _ = writeln!(out, "*{}", table.kind.name());
    for hook in table.kind.hooks() {
        let policy = table.base(*hook).and_then(|c| c.base).map_or(Policy::Accept, |(_, p)| p);
        let c = state.policy((family, table.kind, *hook));
        let _ = writeln!(out, ":{} {} [{}:{}]", hook.chain(), policy.name(), c.packets, c.bytes);
    }
    for (_, chain) in table.chains().filter(|(_, c)| c.base.is_none()) {
        let _ = writeln!(out, ":{} - [0:0]", chain.name);
    }
    for (_, chain) in table.chains() {
        for rule in &chain.rules {
            if counters {
                let c = state.counter(rule.row);
                let _ = write!(out, "[{}:{}] ", c.packets, c.bytes);
            }
            let _ = write!(out, "-A {}", chain.name);
            rule.spec.save(out);
            out.push('\n');
        }
    }
    out.push_str("COMMIT\n");
}
