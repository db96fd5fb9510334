//! Sets, maps and their elements.
//!
//! Models: nft 1.0.6 src/parser_bison.y (set_expr, set_elem_expr, map_stmt), src/evaluate.c expr_evaluate_set, src/intervals.c
//! (overlaps, merging), src/segtree.c.

use super::super::datatype::{Data, DataType};
use super::super::expr::Expr;
use super::super::stmt::{DynOp, Stmt};
use super::super::{ElemData, Element, Set, SetData, SetLink, SetRef, SetType};
use super::error::{Refused, Span};
use super::exprs::Known;
use super::rule::At;
use super::value::parse_duration;
use super::{Parsed, Session};
use std::sync::Arc;
use std::time::Duration;

/// An element and where it was written.
pub(super) type Placed = (Element, Span);

impl Session<'_> {
    /// A key of several parts: firsts and lasts.
    pub(super) fn key(&mut self, types: &[DataType]) -> Parsed<(Data, Data)> {
        let (mut lo, mut hi) = (Data::new(), Data::new());
        for (i, t) in types.iter().enumerate() {
            if i > 0 {
                self.expect(".")?;
            }
            let (a, b) = self.span(*t)?;
            lo.extend_from_slice(&a);
            hi.extend_from_slice(&b);
        }
        Ok((lo, hi))
    }

    /// `@name` or `{ … }` that a value is looked up in.
    pub(super) fn set_link(&mut self, types: &[DataType], at: At) -> Parsed<SetLink> {
        if self.is("@") {
            return self.named(types, at);
        }
        let of = SetType { key: types.to_vec(), data: SetData::None };
        let elems = self.elements(&of, at)?;
        self.anonymous(of, elems)
    }

    /// `@name` or `{ … : … }` that leads somewhere.
    pub(super) fn map_link(&mut self, types: &[DataType], data: &SetData, at: At) -> Parsed<SetLink> {
        if self.is("@") {
            return self.named(types, at);
        }
        if !self.is("{") {
            return self.unexpected("@ or '{'");
        }
        let of = SetType { key: types.to_vec(), data: data.clone() };
        let elems = self.elements(&of, at)?;
        self.anonymous(of, elems)
    }

    fn named(&mut self, types: &[DataType], at: At) -> Parsed<SetLink> {
        let left = self.left_of();
        let sign = self.next().at;
        let name = self.name()?;
        let here = sign.to(name.at);
        match self.find_set(at.table, name.text) {
            Some((slot, set)) => {
                let wanted: usize = types.iter().map(|t| t.len()).sum();
                if set.key_len() != wanted {
                    let message =
                        format!("datatype mismatch, expected {}, expression has type {}", described(types), described(&set.of.key));
                    return Err(Refused::new(here, message).with(left));
                }
                Ok(SetLink::Named(SetRef { name: name.text.into(), slot }, Arc::new(set.of.clone())))
            }
            None => Err(Refused::missing(here, "No such file or directory")),
        }
    }

    /// What stands at the left of a set's name: from the beginning of the expression.
    fn left_of(&self) -> Span {
        let mut from = self.i;
        while from > 0 && matches!(self.toks[from - 1].text, "." | "!=" | "==" | "vmap" | "map")
            || from > 0 && self.toks[from - 1].kind == super::lex::Kind::Word && self.i - from < 2
        {
            from -= 1;
        }
        self.toks[from].at.to(self.last_at())
    }

    fn anonymous(&mut self, of: SetType, elems: Vec<Placed>) -> Parsed<SetLink> {
        let ranges = elems.iter().any(|(e, _)| e.is_range());
        let mut set = Set::new("__set%d".into(), of);
        set.flags.constant = true;
        set.flags.interval = ranges;
        // neighbours and what overlaps become one, but in a map
        set.auto_merge = set.of.data == SetData::None && set.of.key.len() == 1;
        // a prefix of one that is written as such stays one when it is alone
        for (e, at) in elems {
            if is_catchall(&e) {
                set.catchall = Some(Element { lo: Data::new(), hi: Data::new(), ..e });
            } else {
                insert(&mut set, e, at, false)?;
            }
        }
        merge(&mut set);
        set.reindex();
        Ok(SetLink::Anonymous(Arc::new(set)))
    }

    /// `{ element, … }`.
    pub(super) fn elements(&mut self, of: &SetType, at: At) -> Parsed<Vec<Placed>> {
        self.expect("{")?;
        let mut out = Vec::new();
        loop {
            self.skip_lines();
            if self.eat("}") {
                return Ok(out);
            }
            let from = self.peek().at;
            let e = self.element(of, at)?;
            let here = from.to(self.last_at());
            out.push((e.0, from.to(e.1)));
            let _ = here;
            self.skip_lines();
            if !self.eat(",") {
                self.skip_lines();
                if !self.is("}") {
                    return self.unexpected("comma or '}'");
                }
            }
        }
    }

    /// An element; also where its key ended.
    fn element(&mut self, of: &SetType, at: At) -> Parsed<(Element, Span)> {
        let (lo, hi) = if self.eat("*") {
            // nothing else has a first value above its last
            (Data::from_slice(&[1]), Data::from_slice(&[0]))
        } else {
            self.key(&of.key)?
        };
        let key_end = self.last_at();
        let mut e = Element { hi, ..Element::of(lo) };
        loop {
            if self.eat("timeout") {
                e.timeout = Some(self.duration()?);
            } else if self.eat("expires") {
                e.left = Some(self.duration()?);
            } else if self.eat("comment") {
                e.comment = Some(self.string()?);
            } else if self.is("counter") {
                self.next();
                while self.is("packets") || self.is("bytes") {
                    self.next();
                    self.number()?;
                }
            } else {
                break;
            }
        }
        match &of.data {
            SetData::None => {}
            SetData::Verdict if self.eat(":") => e.data = ElemData::Verdict(self.verdict(at)?),
            SetData::Values(types) if self.eat(":") => {
                let types = types.clone();
                e.data = ElemData::Value(self.key(&types)?.0);
            }
            _ => return Err(Refused::kernel(key_end, "Invalid argument")),
        }
        Ok((e, key_end))
    }

    pub(super) fn duration(&mut self) -> Parsed<Duration> {
        let t = self.next();
        parse_duration(t.text).ok_or_else(|| Refused::new(t.at, format!("syntax error, unexpected {}", t.described())))
    }

    /// `update @set { key timeout … }`, and the older `set update key @set`.
    pub(super) fn dynset(&mut self, word: &str, at: At, known: &mut Known) -> Parsed<Stmt> {
        let (op, old) = match word {
            "set" => (self.next().text, true),
            other => (other, false),
        };
        let op = match op {
            "add" => DynOp::Add,
            "update" => DynOp::Update,
            "delete" => DynOp::Delete,
            _ => {
                self.i -= 1;
                return self.unexpected("add or update or delete");
            }
        };
        if old {
            let key = self.expr(at.family, known)?;
            let timeout = if self.eat("timeout") { Some(self.duration()?) } else { None };
            let set = self.dyn_set(at, &key)?;
            return Ok(Stmt::Dyn { op, set, key, timeout, data: None, stmts: Vec::new() });
        }
        if !self.is("@") {
            return self.unexpected("@");
        }
        let sign = self.i;
        self.next();
        self.name()?;
        self.expect("{")?;
        let key_from = self.peek().at;
        let key = self.expr(at.family, known)?;
        let key_at = key_from.to(self.last_at());
        let timeout = if self.eat("timeout") { Some(self.duration()?) } else { None };
        let mut stmts = Vec::new();
        while !self.is("}") && !self.is(":") {
            match self.peek().text {
                "counter" => {
                    self.next();
                    stmts.push(Stmt::Counter(0, 0));
                }
                "limit" => {
                    self.next();
                    stmts.push(Stmt::Limit(self.limit()?));
                }
                "quota" => {
                    self.next();
                    let (over, n) = self.quota()?;
                    stmts.push(Stmt::Quota(over, n));
                }
                "timeout" | "ct" => {
                    let t = self.peek();
                    return Err(Refused::not_simulated(t.at, format!("nft `{}` in an element", t.text)));
                }
                _ => return self.unexpected("'}'"),
            }
        }
        let behind = self.i;
        self.i = sign;
        let set = self.dyn_set(at, &key).map_err(|e| if e.by_kernel { e } else { Refused { at: key_at, ..e } })?;
        self.i = behind;
        let data = if self.eat(":") {
            let types = self.find_set(at.table, &set.name).map(|(_, s)| s.of.data.clone());
            match types {
                Some(SetData::Values(t)) if t.len() == 1 => Some(self.set_value(t[0], at, known)?),
                _ => return Err(Refused::not_simulated(self.peek().at, "this kind of element added by packets")),
            }
        } else {
            None
        };
        self.expect("}")?;
        Ok(Stmt::Dyn { op, set, key, timeout, data, stmts })
    }

    fn dyn_set(&mut self, at: At, key: &Expr) -> Parsed<SetRef> {
        match self.named(&key.types(), at)? {
            SetLink::Named(r, _) => Ok(r),
            SetLink::Anonymous(_) => self.unexpected("@"),
        }
    }
}

/// A type in words.
fn described(types: &[DataType]) -> String {
    match types {
        [t] => t.description().to_owned(),
        many => format!("concatenation of ({})", many.iter().map(|t| t.description()).collect::<Vec<_>>().join(", ")),
    }
}

/// Whether an element is `*`.
pub(in super::super) fn is_catchall(e: &Element) -> bool {
    e.lo > e.hi
}

/// Puts an element into a set: one that is there stays, unless it leads elsewhere; ranges may not overlap.
pub(in super::super) fn insert(set: &mut Set, e: Element, at: Span, exclusive: bool) -> Parsed<bool> {
    if let Some(i) = set.position(&e.lo, &e.hi) {
        if exclusive || set.elems[i].data != e.data {
            return Err(Refused::kernel(at, "File exists"));
        }
        return Ok(false);
    }
    if set.flags.interval && set.of.key.len() == 1 && !set.auto_merge {
        let overlap = set.elems.iter().find(|x| x.lo <= e.hi && e.lo <= x.hi);
        if overlap.is_some() {
            return Err(Refused::new(at, "conflicting intervals specified"));
        }
    }
    set.push(e);
    Ok(true)
}

/// Makes one of ranges that touch or overlap, where the set is to do so.
pub(in super::super) fn merge(set: &mut Set) {
    if !set.flags.interval || !set.auto_merge || set.of.key.len() != 1 || set.is_map() {
        return;
    }
    set.elems.sort_by(|a, b| a.lo.cmp(&b.lo));
    let mut out: Vec<Element> = Vec::with_capacity(set.elems.len());
    for e in set.elems.drain(..) {
        match out.last_mut() {
            Some(last) if e.lo <= last.hi || follows(&last.hi, &e.lo) => {
                if e.hi > last.hi {
                    last.hi = e.hi;
                }
            }
            _ => out.push(e),
        }
    }
    set.elems = out;
}

/// Whether `b` is one more than `a`.
fn follows(a: &Data, b: &Data) -> bool {
    let mut next = a.clone();
    for byte in next.iter_mut().rev() {
        let (sum, carry) = byte.overflowing_add(1);
        *byte = sum;
        if !carry {
            return next == *b;
        }
    }
    false
}
