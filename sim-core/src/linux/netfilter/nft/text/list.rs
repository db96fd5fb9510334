//! Tables, chains and sets as `nft list` prints them.
//!
//! Models: nft 1.0.6 src/rule.c table_print, chain_print, set_print, obj_print; src/expression.c calculate_delim; prio2str.

use super::super::datatype::DataType;
use super::super::stmt::Stmt;
use super::super::{Element, NftChain, NftFamily, NftTable, Object, Set, SetData};
use super::block::priorities;
use super::print::{Style, duration, limit_rate};
use crate::linux::netfilter::hook::Hook;
use crate::linux::netfilter::xtables::Policy;
use std::fmt::Write as _;

/// A priority by name where one is at most ten away.
pub fn priority_text(family: NftFamily, hook: Hook, priority: i32) -> String {
    for (name, p) in priorities(family, hook) {
        match priority.checked_sub(*p) {
            Some(0) => return (*name).to_owned(),
            Some(d @ 1..=10) => return format!("{name} + {d}"),
            Some(d @ -10..=-1) => return format!("{name} - {}", -d),
            _ => {}
        }
    }
    priority.to_string()
}

/// How many elements of a type stand on one line.
fn per_line(t: DataType) -> usize {
    match t {
        DataType::NfProto
        | DataType::Integer(_)
        | DataType::ArpOp
        | DataType::InetProto
        | DataType::InetService
        | DataType::TcpFlag
        | DataType::Mark
        | DataType::IfIndex
        | DataType::ClassId
        | DataType::Uid
        | DataType::CtDir
        | DataType::CtStatus
        | DataType::PktType => 5,
        DataType::EtherType | DataType::CtState => 3,
        DataType::Ipv4Addr | DataType::Ipv6Addr => 2,
        _ => 1,
    }
}

impl Style<'_> {
    fn handle(&self, handle: u32, out: &mut String) {
        if self.handles {
            let _ = write!(out, " # handle {handle}");
        }
    }

    /// A table with all that is in it. `more` gives elements of a set that packets wrote.
    pub fn table(&self, t: &NftTable, more: &dyn Fn(u32) -> Vec<Element>, out: &mut String) {
        let _ = write!(out, "table {} {} {{", t.family.name(), t.name);
        self.handle(t.handle, out);
        out.push('\n');
        if let Some(c) = &t.comment {
            let _ = writeln!(out, "\tcomment \"{c}\"");
        }
        if t.dormant {
            out.push_str("\tflags dormant\n\n");
        }
        let mut first = true;
        let mut gap = |out: &mut String| {
            if !std::mem::take(&mut first) {
                out.push('\n');
            }
        };
        for o in &t.objects {
            gap(out);
            self.object(o, out);
        }
        for (slot, s) in t.sets.iter() {
            gap(out);
            self.set(s, &more(slot), out);
        }
        for (_, c) in t.chains.iter() {
            gap(out);
            self.chain(c, t.family, out);
        }
        out.push_str("}\n");
    }

    /// The head and the end of a table around a part of it.
    pub fn around(&self, t: &NftTable, part: &str) -> String {
        format!("table {} {} {{\n{part}}}\n", t.family.name(), t.name)
    }

    /// A named object.
    pub fn object(&self, o: &Object, out: &mut String) {
        let _ = write!(out, "\t{} {} {{", o.kind().name(), o.name);
        self.handle(o.handle, out);
        out.push('\n');
        if let Some(c) = &o.comment {
            let _ = writeln!(out, "\t\tcomment \"{c}\"");
        }
        match &o.body {
            Stmt::Quota(over, bytes) => {
                let mut s = String::new();
                self.stmt(&Stmt::Quota(*over, *bytes), NftFamily::Ip, &mut s);
                let _ = writeln!(out, "\t\t{}", s.strip_prefix("quota ").unwrap_or(&s));
            }
            Stmt::Limit(l) => {
                out.push_str("\t\t");
                limit_rate(l, out);
                out.push('\n');
            }
            _ if self.stateless => {}
            _ => out.push_str("\t\tpackets 0 bytes 0\n"),
        }
        out.push_str("\t}\n");
    }

    /// A set or a map, with further elements that packets wrote.
    pub fn set(&self, s: &Set, more: &[Element], out: &mut String) {
        let _ = write!(out, "\t{} {} {{", if s.is_map() { "map" } else { "set" }, s.name);
        self.handle(s.handle, out);
        out.push('\n');
        match &s.type_of {
            Some(of) => {
                out.push_str("\t\ttypeof ");
                self.expr(&of.0, out);
                match (&of.1, &s.of.data) {
                    (Some(d), _) => {
                        out.push_str(" : ");
                        self.expr(d, out);
                    }
                    (None, SetData::Verdict) => out.push_str(" : verdict"),
                    _ => {}
                }
            }
            None => {
                let join = |types: &[DataType]| types.iter().map(|t| t.name()).collect::<Vec<_>>().join(" . ");
                let _ = write!(out, "\t\ttype {}", join(&s.of.key));
                match &s.of.data {
                    SetData::None => {}
                    SetData::Verdict => out.push_str(" : verdict"),
                    SetData::Values(types) => {
                        let _ = write!(out, " : {}", join(types));
                    }
                }
            }
        }
        out.push('\n');
        if !s.flags.constant {
            if s.memory {
                out.push_str("\t\tpolicy memory\n");
            }
            if let Some(n) = s.size {
                let _ = writeln!(out, "\t\tsize {n}");
            }
        }
        let f = s.flags;
        let timeout = f.timeout && (s.timeout.is_none() || f.dynamic || f.interval || f.constant);
        let words: Vec<&str> = [(f.constant, "constant"), (f.dynamic, "dynamic"), (f.interval, "interval"), (timeout, "timeout")]
            .into_iter()
            .filter(|x| x.0)
            .map(|x| x.1)
            .collect();
        if !words.is_empty() {
            let _ = writeln!(out, "\t\tflags {}", words.join(","));
        }
        for stmt in &s.stmts {
            match stmt {
                Stmt::Counter(..) => out.push_str("\t\tcounter\n"),
                other => {
                    out.push_str("\t\t");
                    self.stmt(other, NftFamily::Ip, out);
                    out.push('\n');
                }
            }
        }
        if let Some(t) = s.timeout {
            out.push_str("\t\ttimeout ");
            duration(t, out);
            out.push('\n');
        }
        if let Some(t) = s.gc_interval {
            out.push_str("\t\tgc-interval ");
            duration(t, out);
            out.push('\n');
        }
        if s.auto_merge {
            out.push_str("\t\tauto-merge\n");
        }
        if let Some(c) = &s.comment {
            let _ = writeln!(out, "\t\tcomment \"{c}\"");
        }
        self.elements_of(s, more, out);
        out.push_str("\t}\n");
    }

    fn elements_of(&self, s: &Set, more: &[Element], out: &mut String) {
        let mut whole = s.clone();
        whole.elems.extend_from_slice(more);
        let listed = whole.listed();
        if listed.is_empty() && s.catchall.is_none() {
            return;
        }
        out.push_str("\t\telements = { ");
        let width = if s.of.key.len() == 1 { per_line(s.of.key[0]) } else { 1 };
        // in a map the count of a line's elements is taken at the key too
        let mut on_line = 0;
        let all = listed.into_iter().map(|e| (e, false)).chain(s.catchall.iter().map(|e| (e, true)));
        for (i, (e, wildcard)) in all.enumerate() {
            if i > 0 {
                on_line += 1;
                if on_line < width {
                    out.push_str(", ");
                } else {
                    on_line = 0;
                    out.push_str(",\n\t\t\t     ");
                }
            }
            self.element(s, e, wildcard, out);
        }
        out.push_str(" }\n");
    }

    /// A chain.
    pub fn chain(&self, c: &NftChain, family: NftFamily, out: &mut String) {
        let _ = write!(out, "\tchain {} {{", c.name);
        self.handle(c.handle, out);
        out.push('\n');
        if let Some(text) = &c.comment {
            let _ = writeln!(out, "\t\tcomment \"{text}\"");
        }
        if let Some(b) = &c.base {
            let policy = if b.policy == Policy::Drop { "drop" } else { "accept" };
            let priority = priority_text(family, b.hook, b.priority);
            let _ = writeln!(out, "\t\ttype {} hook {} priority {priority}; policy {policy};", b.kind.name(), b.hook.name());
        }
        for r in &c.rules {
            let _ = write!(out, "\t\t{}", self.rule(r, family));
            self.handle(r.handle, out);
            out.push('\n');
        }
        out.push_str("\t}\n");
    }
}
