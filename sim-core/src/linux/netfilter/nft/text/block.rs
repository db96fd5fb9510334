//! The bodies of tables, chains and sets.
//!
//! Models: nft 1.0.6 src/parser_bison.y (table_block, chain_block, set_block, map_block, hook_spec), src/rule.c nft_cmd_expand
//! (chains come first, then objects, sets, and rules last), std_prio_lookup.

use super::super::apply::Place;
use super::super::datatype::DataType;
use super::super::stmt::Stmt;
use super::super::{Base, ChainType, NftFamily, ObjKind, Set, SetData, SetFlags, SetType};
use super::error::{Refused, Span};
use super::exprs::Known;
use super::lex::Kind;
use super::rule::At;
use super::{Parsed, Session};
use crate::linux::netfilter::hook::Hook;
use crate::linux::netfilter::xtables::Policy;
use std::sync::Arc;

/// What stands at the head of a chain's body.
#[derive(Default)]
pub(super) struct ChainHead {
    pub base: Option<Base>,
    pub policy: Option<(Policy, Span)>,
    pub comment: Option<Arc<str>>,
    /// Where its rules begin.
    pub rules: Vec<usize>,
}

/// The names of priorities that may stand at a hook of a family (std_prios, std_prios_bridge).
pub(super) fn priorities(family: NftFamily, hook: Hook) -> &'static [(&'static str, i32)] {
    match (family, hook) {
        (NftFamily::Bridge, Hook::Prerouting) => &[("dstnat", -300), ("filter", -200)],
        (NftFamily::Bridge, Hook::Output) => &[("filter", -200), ("out", 100)],
        (NftFamily::Bridge, Hook::Postrouting) => &[("filter", -200), ("srcnat", 300)],
        (NftFamily::Bridge, _) => &[("filter", -200)],
        (NftFamily::Arp, _) => &[("filter", 0)],
        (_, Hook::Prerouting) => &[("raw", -300), ("mangle", -150), ("dstnat", -100), ("filter", 0), ("security", 50)],
        (_, Hook::Postrouting) => &[("raw", -300), ("mangle", -150), ("filter", 0), ("security", 50), ("srcnat", 100)],
        _ => &[("raw", -300), ("mangle", -150), ("filter", 0), ("security", 50)],
    }
}

impl Session<'_> {
    /// `{ … }` of a table: chains first, then objects, sets, and the rules.
    pub(super) fn table_body(&mut self, family: NftFamily, table: u32) -> Parsed<()> {
        let at = At { family, table };
        let mut chains: Vec<(u32, Vec<usize>)> = Vec::new();
        let mut sets: Vec<usize> = Vec::new();
        let mut objects: Vec<usize> = Vec::new();
        loop {
            self.skip_ends();
            let t = self.peek();
            if t.kind == Kind::End {
                return self.unexpected("");
            }
            if self.eat("}") {
                break;
            }
            match t.text {
                "chain" => {
                    self.next();
                    let name = self.identifier()?;
                    self.expect("{")?;
                    let head = self.chain_body(family)?;
                    let whole = t.at.to(self.last_at());
                    let slot = self.tx.add_chain(table, name.text, head.base, head.policy, head.comment, false, (name.at, whole))?;
                    chains.push((slot, head.rules));
                }
                "set" | "map" => {
                    sets.push(self.i);
                    self.skip_block()?;
                }
                "counter" | "quota" | "limit" => {
                    objects.push(self.i);
                    self.skip_block()?;
                }
                "define" | "undefine" | "redefine" => {
                    self.next();
                    self.define(t.text == "redefine")?;
                    continue;
                }
                "comment" | "flags" => {
                    while !self.at_end() {
                        self.next();
                    }
                }
                "ct" | "flowtable" | "secmark" | "synproxy" => {
                    return Err(Refused::not_simulated(t.at, format!("nft object `{}`", t.text)));
                }
                _ => return self.unexpected("'}'"),
            }
            if !self.at_end() || self.is("}") {
                return self.unexpected("newline or semicolon");
            }
        }
        let behind = self.i;
        for i in objects {
            self.i = i;
            let word = self.next();
            self.object_body(table, word.text, false)?;
        }
        let mut filled = Vec::new();
        for i in sets {
            self.i = i;
            let map = self.next().text == "map";
            let name = self.identifier()?;
            self.expect("{")?;
            filled.push(self.set_body(at, name.text, name.at, map, false)?);
        }
        for (slot, elements, place) in filled {
            self.i = elements;
            if elements != 0 {
                self.fill(at, slot, place, false)?;
            }
        }
        for (slot, rules) in chains {
            for i in rules {
                self.i = i;
                let from = self.peek().at;
                let rule = self.rule(at)?;
                let whole = from.to(self.last_at());
                self.tx.add_rule(table, slot, Place::End, rule, whole)?;
            }
        }
        self.i = behind;
        Ok(())
    }

    /// Past a block of which only the beginning was looked at.
    fn skip_block(&mut self) -> Parsed<()> {
        let mut depth = 0;
        loop {
            let t = self.next();
            match t.text {
                _ if t.kind == Kind::End => return self.unexpected(""),
                "{" if t.kind == Kind::Sign => depth += 1,
                "}" if t.kind == Kind::Sign => {
                    depth -= 1;
                    if depth <= 0 {
                        return Ok(());
                    }
                }
                _ => {}
            }
        }
    }

    /// Behind the `{` of a chain; rules are passed over, and where they begin is kept.
    pub(super) fn chain_body(&mut self, family: NftFamily) -> Parsed<ChainHead> {
        let mut head = ChainHead::default();
        loop {
            self.skip_ends();
            let t = self.peek();
            if t.kind == Kind::End {
                return self.unexpected("");
            }
            if self.eat("}") {
                return Ok(head);
            }
            match t.text {
                "type" => head.base = Some(self.hook_spec(family)?),
                "policy" => head.policy = Some(self.policy()?),
                "comment" => {
                    self.next();
                    head.comment = Some(self.string()?);
                }
                "devices" | "flags" => return Err(Refused::not_simulated(t.at, format!("`{}` of a chain", t.text))),
                _ => {
                    head.rules.push(self.i);
                    let mut depth = 0;
                    loop {
                        let t = self.peek();
                        if t.kind == Kind::End || depth == 0 && self.at_end() {
                            break;
                        }
                        match t.text {
                            "{" if t.kind == Kind::Sign => depth += 1,
                            "}" if t.kind == Kind::Sign => depth -= 1,
                            _ => {}
                        }
                        self.next();
                    }
                }
            }
            if self.is("}") {
                let t = self.peek();
                // a statement ends with a line or a semicolon, also before the brace
                return Err(Refused::new(t.at, "syntax error, unexpected '}', expecting newline or semicolon"));
            }
        }
    }

    /// `type T hook H priority P`.
    fn hook_spec(&mut self, family: NftFamily) -> Parsed<Base> {
        self.next();
        let t = self.name()?;
        let kind = match t.text {
            "filter" => ChainType::Filter,
            "nat" => ChainType::Nat,
            "route" => ChainType::Route,
            _ => return Err(Refused::new(t.at, "unknown chain type")),
        };
        if !self.eat("hook") {
            return self.unexpected("hook");
        }
        let t = self.name()?;
        let hook = match Hook::ALL.into_iter().find(|h| h.name() == t.text) {
            Some(h) => h,
            None if matches!(t.text, "ingress" | "egress") && family == NftFamily::Inet => {
                return Err(Refused::not_simulated(t.at, format!("nft hook `{}`", t.text)));
            }
            None if matches!(t.text, "ingress" | "egress") => {
                return Err(Refused::new(t.at, format!("The {} family does not support this hook", family.name())));
            }
            None => return Err(Refused::new(t.at, "unknown chain hook")),
        };
        if self.is("device") || self.is("devices") {
            return Err(Refused::not_simulated(self.peek().at, "nft `device` of a chain"));
        }
        if !self.is("priority") {
            return self.unexpected("priority");
        }
        let from = self.next().at;
        let priority = self.priority(family, hook, from)?;
        Ok(Base { kind, hook, priority, policy: Policy::Accept })
    }

    fn priority(&mut self, family: NftFamily, hook: Hook, from: Span) -> Parsed<i32> {
        let negative = self.eat("-");
        let t = self.peek();
        let bad = |at: Span| Refused::new(from.to(at), "invalid priority expression value in this context.");
        let start = match t.text.parse::<i64>() {
            Ok(n) => {
                if negative {
                    -n
                } else {
                    n
                }
            }
            Err(_) if t.kind == Kind::Word && !negative => {
                // filter+5 is one word when it is written without spaces: no such name
                match priorities(family, hook).iter().find(|(n, _)| *n == t.text) {
                    Some((_, p)) => i64::from(*p),
                    None => return Err(bad(t.at)),
                }
            }
            Err(_) => return self.unexpected("number"),
        };
        self.next();
        let sign = if self.eat("+") {
            1
        } else if self.eat("-") {
            -1
        } else {
            0
        };
        let more = if sign == 0 { 0 } else { i64::try_from(self.number()?).unwrap_or(i64::MAX) };
        start.checked_add(sign * more).and_then(|n| i32::try_from(n).ok()).ok_or_else(|| bad(self.last_at()))
    }

    fn policy(&mut self) -> Parsed<(Policy, Span)> {
        let from = self.next().at;
        let t = self.next();
        let at = from.to(t.at);
        match t.text {
            "accept" => Ok((Policy::Accept, at)),
            "drop" => Ok((Policy::Drop, at)),
            _ => {
                self.i -= 1;
                self.unexpected("accept or drop")
            }
        }
    }

    /// The types behind `type`.
    fn types(&mut self) -> Parsed<Vec<DataType>> {
        let mut out = Vec::new();
        loop {
            let t = self.name()?;
            out.push(DataType::by_name(t.text).ok_or_else(|| Refused::new(t.at, format!("unknown datatype {}", t.text)))?);
            if !self.eat(".") {
                return Ok(out);
            }
        }
    }

    /// Behind the `{` of a set: declares it; says where its elements begin, 0 if it has none.
    pub(super) fn set_body(&mut self, at: At, name: &str, name_at: Span, map: bool, create: bool) -> Parsed<(u32, usize, Span)> {
        let mut set = Set::new(name.into(), SetType::default());
        let mut elements = 0;
        let brace = self.last_at();
        loop {
            self.skip_ends();
            let t = self.peek();
            if t.kind == Kind::End {
                return self.unexpected("");
            }
            if self.eat("}") {
                break;
            }
            self.next();
            match t.text {
                "type" => {
                    set.of.key = self.types()?;
                    if map {
                        self.expect(":")?;
                        set.of.data = if self.eat("verdict") { SetData::Verdict } else { SetData::Values(self.map_data_types()?) };
                    }
                }
                "typeof" => {
                    let mut known = Known { l4_some: true, ..Known::of(at.family) };
                    let key = self.expr(at.family, &mut known)?;
                    set.of.key = key.types();
                    let mut data = None;
                    if map {
                        self.expect(":")?;
                        if self.eat("verdict") {
                            set.of.data = SetData::Verdict;
                        } else {
                            let e = self.expr(at.family, &mut known)?;
                            set.of.data = SetData::Values(e.types());
                            data = Some(e);
                        }
                    }
                    set.type_of = Some(Arc::new((key, data)));
                }
                "flags" => set.flags = self.set_flags()?,
                "timeout" => {
                    set.timeout = Some(self.duration()?);
                    set.flags.timeout = true;
                }
                "gc-interval" => set.gc_interval = Some(self.duration()?),
                "size" => set.size = Some(self.number32()?),
                "policy" => match self.name()?.text {
                    "memory" => set.memory = true,
                    "performance" => set.memory = false,
                    _ => {
                        self.i -= 1;
                        return self.unexpected("performance or memory");
                    }
                },
                "auto-merge" => set.auto_merge = true,
                "comment" => set.comment = Some(self.string()?),
                "counter" => set.stmts.push(Stmt::Counter(0, 0)),
                "limit" => {
                    let l = self.limit()?;
                    set.stmts.push(Stmt::Limit(l));
                }
                "elements" => {
                    self.expect("=")?;
                    elements = self.i;
                    self.skip_block()?;
                }
                _ => {
                    self.i -= 1;
                    return self.unexpected("'}'");
                }
            }
            if !self.at_end() || self.is("}") {
                return self.unexpected("newline or semicolon");
            }
        }
        if set.of.key.is_empty() {
            return Err(Refused::new(name_at.to(brace), format!("{} definition does not specify key", if map { "map" } else { "set" })));
        }
        let behind = self.i;
        let slot = self.tx.add_set(at.table, set, create, name_at)?;
        self.i = behind;
        Ok((slot, elements, name_at))
    }

    fn map_data_types(&mut self) -> Parsed<Vec<DataType>> {
        let t = self.peek();
        if matches!(t.text, "counter" | "quota" | "limit" | "interval") {
            return Err(Refused::not_simulated(t.at, format!("maps of type `{}`", t.text)));
        }
        self.types()
    }

    fn set_flags(&mut self) -> Parsed<SetFlags> {
        let mut f = SetFlags::default();
        loop {
            let t = self.next();
            match t.text {
                "constant" => f.constant = true,
                "dynamic" => f.dynamic = true,
                "interval" => f.interval = true,
                "timeout" => f.timeout = true,
                _ => {
                    self.i -= 1;
                    return self.unexpected("interval or timeout or constant or dynamic");
                }
            }
            if !self.eat(",") {
                return Ok(f);
            }
        }
    }

    /// `{ element, … }` into a set.
    pub(super) fn fill(&mut self, at: At, slot: u32, place: Span, create: bool) -> Parsed<()> {
        let of = self.tx.nft.table(at.table).and_then(|t| t.sets.get(slot)).map(|s| s.of.clone()).unwrap_or_default();
        let elems = self.elements(&of, at)?;
        self.tx.add_elements(at.table, slot, elems, create, place)
    }

    /// `NAME { … }` of a counter, quota or limit.
    pub(super) fn object_body(&mut self, table: u32, word: &str, create: bool) -> Parsed<()> {
        let name = self.name()?;
        let kind = match word {
            "counter" => ObjKind::Counter,
            "quota" => ObjKind::Quota,
            _ => ObjKind::Limit,
        };
        let mut body = None;
        let mut comment = None;
        let block = self.eat("{");
        loop {
            if block {
                self.skip_ends();
                if self.eat("}") {
                    break;
                }
            } else if self.at_end() {
                break;
            }
            let t = self.peek();
            match (t.text, kind) {
                ("comment", _) => {
                    self.next();
                    comment = Some(self.string()?);
                }
                ("packets" | "bytes", ObjKind::Counter) => {
                    self.next();
                    self.number()?;
                }
                (_, ObjKind::Quota) => {
                    let (over, n) = self.quota()?;
                    body = Some(Stmt::Quota(over, n));
                }
                ("rate", ObjKind::Limit) => body = Some(Stmt::Limit(self.limit()?)),
                _ => return self.unexpected(""),
            }
        }
        let body = match (body, kind) {
            (Some(b), _) => b,
            (None, ObjKind::Counter) => Stmt::Counter(0, 0),
            (None, _) => return self.unexpected(""),
        };
        self.tx.add_object(table, name.text, body, comment, create, name.at)
    }
}
