//! Statements of a rule.
//!
//! Models: nft 1.0.6 src/parser_bison.y (stmt), src/evaluate.c (stmt_evaluate_…), src/netlink_linearize.c.

use super::super::datatype::{Data, DataType};
use super::super::expr::{CtKey, Expr, MetaKey};
use super::super::stmt::{ChainTo, Limit, Log, NftVerdict, RejectKind, RelOp, Rhs, Stmt};
use super::super::{Field, NftFamily, ObjKind, ObjRef, Proto, SetData, SetLink};
use super::error::{Refused, Span};
use super::exprs::Known;
use super::lex::Kind;
use super::meaning::{asks_icmp_type, folded, is_terminal, learn};
use super::print::{self, ICMPX};
use super::{Parsed, Session};
use std::sync::Arc;

/// What is read of a rule: statements and comment.
pub(super) type RuleText = (Vec<Stmt>, Option<Arc<str>>);

/// Where a rule stands.
#[derive(Clone, Copy)]
pub(super) struct At {
    pub family: NftFamily,
    pub table: u32,
}

impl Session<'_> {
    /// The statements up to the end of the line.
    pub(super) fn rule(&mut self, at: At) -> Parsed<RuleText> {
        let mut known = Known::of(at.family);
        let mut stmts: Vec<Stmt> = Vec::new();
        let mut places: Vec<(bool, Span)> = Vec::new();
        let mut comment = None;
        if self.at_end() {
            return self.unexpected("");
        }
        while !self.at_end() {
            if self.eat("comment") {
                let t = self.name()?;
                if t.text.len() > 128 {
                    return Err(Refused::new(t.at, "comment too long, 128 characters maximum allowed"));
                }
                comment = Some(t.text.into());
                if !self.at_end() {
                    return self.unexpected("end of file or newline or semicolon");
                }
                break;
            }
            let from = self.peek().at;
            self.stmt(at, &mut known, &mut stmts)?;
            let here = from.to(self.last_at());
            if let Some((_, before)) = places.last().filter(|(terminal, _)| *terminal) {
                return Err(Refused::new(here, "Statement after terminal statement has no effect").with(*before));
            }
            places.push((stmts.last().is_some_and(is_terminal), here));
        }
        Ok((super::normal::normalise(stmts, at.family), comment))
    }

    fn stmt(&mut self, at: At, known: &mut Known, out: &mut Vec<Stmt>) -> Parsed<()> {
        let t = self.peek();
        if self.at_expr() && !(t.text == "ct" && matches!(self.peek_at(1).text, "helper" | "timeout") && self.peek_at(2).text == "set") {
            return self.expr_stmt(at, known, out);
        }
        if t.kind != Kind::Word {
            return self.unexpected("");
        }
        self.next();
        let s = match t.text {
            "accept" | "drop" | "continue" | "return" | "jump" | "goto" => {
                self.i -= 1;
                Stmt::Verdict(self.verdict(at)?)
            }
            "counter" => self.counter(at)?,
            "limit" if self.is("name") => self.object(ObjKind::Limit, at)?,
            "limit" => Stmt::Limit(self.limit()?),
            "quota" if self.is("name") => self.object(ObjKind::Quota, at)?,
            "quota" => {
                let (over, n) = self.quota()?;
                Stmt::Quota(over, n)
            }
            "log" => self.log()?,
            "reject" => {
                let kind = self.reject(at, known)?;
                if kind == RejectKind::TcpReset && known.l4 != Some(Proto::Tcp) && known.l4_number != Some(6) {
                    out.push(l4proto(6));
                }
                Stmt::Reject(kind)
            }
            "snat" | "dnat" | "masquerade" | "redirect" => self.nat(t, at, known)?,
            "notrack" => Stmt::Notrack,
            "tproxy" => {
                self.tproxy(at, known, t.at)?;
                return Err(Refused::not_simulated(t.at, "nft statement `tproxy`"));
            }
            "queue" => self.queue()?,
            "add" | "update" | "delete" | "set" => self.dynset(t.text, at, known)?,
            "dup" | "fwd" | "flow" | "synproxy" | "ct" | "xt" | "meter" | "secmark" | "chain" => {
                return Err(Refused::not_simulated(t.at, format!("nft statement `{}`", t.text)));
            }
            _ => {
                // a word that begins no statement is the name of something
                let ahead = self.peek();
                let _ = ahead;
                return self.unexpected("");
            }
        };
        out.push(s);
        Ok(())
    }

    /// A verdict; the chain is looked for when the rule is put into its own.
    pub(super) fn verdict(&mut self, at: At) -> Parsed<NftVerdict> {
        let t = self.next();
        Ok(match t.text {
            "accept" => NftVerdict::Accept,
            "drop" => NftVerdict::Drop,
            "continue" => NftVerdict::Continue,
            "return" => NftVerdict::Return,
            "jump" | "goto" => {
                let name = self.name()?;
                let slot = self.tx.nft.table(at.table).and_then(|x| x.chains.slot(name.text));
                let Some(slot) = slot else { return Err(Refused::kernel(name.at, "No such file or directory")) };
                let to = ChainTo { name: name.text.into(), slot };
                if t.text == "jump" { NftVerdict::Jump(to) } else { NftVerdict::Goto(to) }
            }
            _ => {
                self.i -= 1;
                return self.unexpected("");
            }
        })
    }

    fn expr_stmt(&mut self, at: At, known: &mut Known, out: &mut Vec<Stmt>) -> Parsed<()> {
        let from = self.peek().at;
        let mut left = self.expr(at.family, known)?;
        if self.eat("vmap") {
            let link = self.map_link(&left.types(), &SetData::Verdict, at)?;
            out.push(Stmt::Vmap(left, link));
            return Ok(());
        }
        if self.is("set") {
            self.next();
            let s = match left {
                Expr::Meta(k @ (MetaKey::Mark | MetaKey::Priority | MetaKey::Pkttype | MetaKey::Nftrace)) => {
                    let t = k.data_type();
                    Stmt::MetaSet(k, self.set_value(t, at, known)?)
                }
                Expr::Ct(k @ CtKey::Mark, None) => Stmt::CtSet(k, self.set_value(k.data_type(), at, known)?),
                Expr::Field(f) if f.is_settable() => Stmt::FieldSet(f, self.set_value(f.data_type(), at, known)?),
                Expr::Field(f) => {
                    let what = format!("nft `{} {} set`", f.proto().name(), f.name());
                    return Err(Refused::not_simulated(from.to(self.last_at()), what));
                }
                _ => return Err(Refused::not_simulated(from.to(self.last_at()), "this kind of nft `set`")),
            };
            out.push(s);
            return Ok(());
        }
        let op = self.rel_op();
        if self.at_end() {
            return self.unexpected("");
        }
        if matches!(self.peek().text, "missing" | "exists")
            && let Expr::Fib(f) = &mut left
        {
            f.present = true;
        }
        let right = self.rhs(&left, at)?;
        let (left, op, right) = folded(left, op, right);
        learn(&left, op, &right, at.family, known, from.to(self.last_at()))?;
        if matches!(left, Expr::Field(Field::IcmpId | Field::IcmpSequence)) && !asks_icmp_type(out) {
            out.push(self.icmp_echo());
        }
        out.push(Stmt::Match { left, op, right });
        Ok(())
    }

    /// `icmp type { echo-reply, echo-request }`, which a question for the identifier needs.
    fn icmp_echo(&self) -> Stmt {
        let of = super::super::SetType { key: vec![DataType::IcmpType], data: SetData::None };
        let mut set = super::super::Set::new("__set%d".into(), of);
        set.elems = [0u8, 8].into_iter().map(|b| super::super::Element::of(Data::from_slice(&[b]))).collect();
        set.reindex();
        Stmt::Match { left: Expr::Field(Field::IcmpType), op: RelOp::Implicit, right: Rhs::Set(SetLink::Anonymous(Arc::new(set))) }
    }

    fn rel_op(&mut self) -> RelOp {
        let op = match self.peek().text {
            "==" | "eq" => RelOp::Eq,
            "!=" | "ne" => RelOp::Ne,
            "<" | "lt" => RelOp::Lt,
            ">" | "gt" => RelOp::Gt,
            "<=" | "le" => RelOp::Le,
            ">=" | "ge" => RelOp::Ge,
            "!" => RelOp::Neg,
            _ => return RelOp::Implicit,
        };
        self.next();
        op
    }

    /// What an expression is held against.
    pub(super) fn rhs(&mut self, left: &Expr, at: At) -> Parsed<Rhs> {
        let types = left.types();
        let t = types.first().copied().unwrap_or(DataType::Integer(32));
        if self.is("{") && types.len() == 1 && self.one_element() {
            // a set of one value is that value
            self.next();
            self.skip_lines();
            let v = self.one_value(t)?;
            self.skip_lines();
            self.expect("}")?;
            return Ok(v);
        }
        if self.is("{") || self.is("@") {
            return self.set_link(&types, at).map(Rhs::Set);
        }
        if types.len() > 1 {
            let (lo, hi) = self.key(&types)?;
            return Ok(if lo == hi { Rhs::Value(lo) } else { Rhs::Range(lo, hi) });
        }
        if t.is_bitmask() {
            let mut v = self.flag_sum(t)?;
            while self.eat(",") {
                let more = self.value(t)?;
                v.iter_mut().zip(more).for_each(|(a, b)| *a |= b);
            }
            if self.eat("/") {
                let mut mask = self.flag_sum(t)?;
                while self.eat(",") {
                    let more = self.value(t)?;
                    mask.iter_mut().zip(more).for_each(|(a, b)| *a |= b);
                }
                return Ok(Rhs::Flags(v, mask));
            }
            return Ok(Rhs::Value(v));
        }
        self.one_value(t)
    }

    /// Whether the set that is next has one element, and that a plain one.
    fn one_element(&self) -> bool {
        let inside = || self.toks[self.i + 1..].iter().take_while(|t| !(t.kind == Kind::Sign && t.text == "}"));
        inside().count() > 0
            && !inside().any(|t| t.kind == Kind::Sign && matches!(t.text, "," | "*") || matches!(t.text, "timeout" | "comment" | "expires"))
    }

    /// A value, a range or a prefix.
    fn one_value(&mut self, t: DataType) -> Parsed<Rhs> {
        let start = self.peek();
        let from = self.i;
        if t.is_bitmask() {
            return Ok(Rhs::Value(self.flag_sum(t)?));
        }
        let (lo, hi) = self.span(t)?;
        if t == DataType::IfName && lo != hi {
            return Ok(Rhs::Prefix(lo, (start.text.len() as u32 - 1) * 8));
        }
        // `80-80` stays a range, and `10.0.0.1/32` is a value
        let ranged = self.toks[from..self.i].iter().any(|x| x.kind == Kind::Sign && x.text == "-");
        Ok(match print::prefix_len(&lo, &hi) {
            _ if ranged => Rhs::Range(lo, hi),
            _ if lo == hi => Rhs::Value(lo),
            Some(len) => Rhs::Prefix(lo, len),
            None => Rhs::Range(lo, hi),
        })
    }

    /// What something is set to: a value, an expression, a map.
    pub(super) fn set_value(&mut self, t: DataType, at: At, known: &mut Known) -> Parsed<Expr> {
        let from = self.peek().at;
        // `meta mark set`
        let stmt = self.toks[self.i.saturating_sub(3)].at.to(self.last_at());
        let stmt = Span { to: from.from, ..stmt };
        if !self.at_expr() || DataType::symbol(t, self.peek().text).is_some() {
            return Ok(Expr::Value(t, self.flag_sum(t)?));
        }
        let e = self.expr(at.family, known)?;
        let e = if self.eat("map") {
            let link = self.map_link(&e.types(), &SetData::Values(vec![t]), at)?;
            let e = Expr::Map(Box::new(e), link);
            self.bit_operations(e)?
        } else {
            e
        };
        let (own, wanted) = (e.data_type(), t);
        let fits = own == wanted
            || matches!(own, DataType::Integer(_))
            || matches!(wanted, DataType::Integer(_))
            || own.len() == wanted.len() && own.name() == wanted.name();
        if !fits {
            let message = format!("datatype mismatch: expected {}, expression has type {}", wanted.description(), own.description());
            return Err(Refused::new(from.to(self.last_at()), message).with(stmt));
        }
        Ok(e)
    }

    fn counter(&mut self, at: At) -> Parsed<Stmt> {
        if self.is("name") {
            return self.object(ObjKind::Counter, at);
        }
        let (mut packets, mut bytes) = (0, 0);
        while self.is("packets") || self.is("bytes") {
            let word = self.next();
            let n = self.number()?;
            if word.text == "packets" { packets = n } else { bytes = n }
        }
        Ok(Stmt::Counter(packets, bytes))
    }

    fn object(&mut self, kind: ObjKind, at: At) -> Parsed<Stmt> {
        self.next();
        let name = self.name()?;
        let t = self.tx.nft.table(at.table);
        if !t.is_some_and(|t| t.objects.iter().any(|x| *x.name == *name.text && x.kind() == kind)) {
            return Err(Refused::kernel(name.at, "No such file or directory"));
        }
        Ok(Stmt::Object(ObjRef { kind, name: name.text.into() }))
    }

    /// `rate [over] N/UNIT [burst N packets]`.
    pub(super) fn limit(&mut self) -> Parsed<Limit> {
        if !self.eat("rate") {
            return self.unexpected("rate");
        }
        let over = self.eat("over");
        self.eat("until");
        let n = self.number()?;
        // `kbytes/second` is one word
        let unit = self.peek();
        let (rate, bytes, word) = match unit.text.split_once('/') {
            Some((b, u)) if unit.kind == Kind::Word => match b {
                "bytes" => (n, true, u),
                "kbytes" => (n.saturating_mul(1024), true, u),
                "mbytes" => (n.saturating_mul(1_048_576), true, u),
                _ => return self.unexpected("/ or string or bytes"),
            },
            _ if self.eat("/") => (n, false, self.peek().text),
            _ => return self.unexpected("/ or string or bytes"),
        };
        self.next();
        let seconds = match word {
            "second" => 1,
            "minute" => 60,
            "hour" => 3600,
            "day" => 86_400,
            "week" => 604_800,
            _ => return Err(Refused::new(unit.at, "syntax error, unexpected string, expecting second or minute or hour or day or week")),
        };
        let mut burst = if bytes { 0 } else { 5 };
        if self.eat("burst") {
            let n = self.number32()?;
            burst = match self.bytes_unit() {
                Some(scale) => n.saturating_mul(scale as u32),
                None => {
                    self.eat("packets");
                    n
                }
            };
        }
        Ok(Limit { rate, unit: seconds, burst, over, bytes })
    }

    fn bytes_unit(&mut self) -> Option<u64> {
        let scale = match self.peek().text {
            "bytes" => 1,
            "kbytes" => 1024,
            "mbytes" => 1_048_576,
            _ => return None,
        };
        self.next();
        Some(scale)
    }

    /// `[over|until] N BYTES [used N BYTES]`.
    pub(super) fn quota(&mut self) -> Parsed<(bool, u64)> {
        let over = self.eat("over");
        self.eat("until");
        let n = self.number()?;
        let Some(scale) = self.bytes_unit() else { return self.unexpected("bytes or string") };
        if self.eat("used") {
            self.number()?;
            self.bytes_unit();
        }
        Ok((over, n.saturating_mul(scale)))
    }

    fn log(&mut self) -> Parsed<Stmt> {
        let mut l = Log::default();
        loop {
            let t = self.peek();
            match t.text {
                "prefix" => {
                    self.next();
                    l.prefix = Some(self.string()?);
                }
                "level" => {
                    self.next();
                    let word = self.name()?;
                    if !["emerg", "alert", "crit", "err", "warn", "notice", "info", "debug", "audit"].contains(&word.text) {
                        return Err(Refused::new(word.at, "invalid log level"));
                    }
                    l.level = Some(word.text.into()).filter(|w: &Arc<str>| &**w != "warn");
                }
                "group" => {
                    self.next();
                    l.group = u16::try_from(self.number()?).ok();
                }
                "snaplen" => {
                    self.next();
                    l.snaplen = Some(self.number32()?);
                }
                "queue-threshold" => {
                    self.next();
                    l.qthreshold = u16::try_from(self.number()?).ok();
                }
                "flags" => {
                    self.next();
                    let mut words = vec![self.name()?.text.to_owned()];
                    while matches!(self.peek().text, "options" | "sequence") || self.is(",") {
                        if self.eat(",") {
                            let last = words.pop().unwrap_or_default();
                            words.push(format!("{last},{}", self.name()?.text));
                        } else {
                            words.push(self.next().text.to_owned());
                        }
                    }
                    l.flags = Some(words.join(" ").into());
                }
                _ => return Ok(Stmt::Log(l)),
            }
        }
    }

    fn reject(&mut self, at: At, known: &mut Known) -> Parsed<RejectKind> {
        let word = self.last_at();
        let by_family = match (at.family, known.l3) {
            (NftFamily::Ip, _) | (_, Some(Proto::Ip)) => RejectKind::Icmp(3),
            (NftFamily::Ip6, _) | (_, Some(Proto::Ip6)) => RejectKind::Icmpv6(4),
            _ => RejectKind::Icmpx(1),
        };
        if !self.eat("with") {
            return Ok(by_family);
        }
        let kind = self.next();
        if kind.text == "tcp" {
            return if self.eat("reset") { Ok(RejectKind::TcpReset) } else { self.unexpected("reset") };
        }
        if !matches!(kind.text, "icmp" | "icmpv6" | "icmpx") {
            self.i -= 1;
            return self.unexpected("icmp or icmpv6 or tcp or icmpx");
        }
        self.eat("type");
        self.eat("code");
        let t = self.peek();
        let number = super::value::parse_number(t.text).and_then(|n| u8::try_from(n).ok());
        let by_name = |ty: DataType| ty.symbol(t.text).and_then(|n| u8::try_from(n).ok()).or(number);
        let found = match kind.text {
            "icmp" => by_name(DataType::IcmpCode).map(RejectKind::Icmp),
            "icmpv6" => by_name(DataType::Icmpv6Code).map(RejectKind::Icmpv6),
            _ => ICMPX.iter().find(|(n, _)| *n == t.text).map(|(_, c)| *c).or(number).map(RejectKind::Icmpx),
        };
        self.next();
        let Some(found) = found else { return Err(Refused::new(t.at, format!("Could not parse {} code", kind.text))) };
        match (found, at.family) {
            (RejectKind::Icmpx(_), NftFamily::Ip | NftFamily::Ip6) => {
                Err(Refused::new(t.at, "abstracted ICMP unreachable not supported").with(word))
            }
            (RejectKind::Icmp(_), NftFamily::Ip6) => Err(Refused::new(kind.at.to(t.at), "conflicting protocols specified: ip6 vs ip")),
            (RejectKind::Icmpv6(_), NftFamily::Ip) => Err(Refused::new(kind.at.to(t.at), "conflicting protocols specified: ip vs ip6")),
            (found, _) => Ok(found),
        }
    }

    fn tproxy(&mut self, at: At, known: &Known, from: Span) -> Parsed<Stmt> {
        let family = match self.peek().text {
            "ip" => Some(false),
            "ip6" => Some(true),
            _ => None,
        };
        if family.is_some() {
            self.next();
        }
        if !self.eat("to") {
            return self.unexpected("to");
        }
        let v6 = family.unwrap_or(at.family == NftFamily::Ip6);
        let addr = if self.is(":") { None } else { Some(self.value(if v6 { DataType::Ipv6Addr } else { DataType::Ipv4Addr })?) };
        let port = if self.eat(":") { Some(super::print::small(&self.value(DataType::InetService)?) as u16) } else { None };
        if known.l4.is_none() && known.l4_number.is_none() {
            let message = "Transparent proxy support requires transport protocol match";
            return Err(Refused::new(from.to(self.last_at()), message));
        }
        Ok(Stmt::Tproxy(family.filter(|_| at.family == NftFamily::Inet), addr, port))
    }

    fn queue(&mut self) -> Parsed<Stmt> {
        let (mut from, mut to, mut bypass, mut fanout) = (0, 0, false, false);
        loop {
            match self.peek().text {
                "num" | "to" => {
                    self.next();
                    from = self.number32()? as u16;
                    to = if self.eat("-") { self.number32()? as u16 } else { from };
                }
                "flags" | "," => {
                    self.next();
                }
                "bypass" => {
                    self.next();
                    bypass = true;
                }
                "fanout" => {
                    let t = self.next();
                    if from == to {
                        return Err(Refused::new(t.at, "fanout requires a range to be specified"));
                    }
                    fanout = true;
                }
                _ => return Ok(Stmt::Queue(from, to, bypass, fanout)),
            }
        }
    }
}

/// `meta l4proto N`.
pub(super) fn l4proto(n: u8) -> Stmt {
    Stmt::Match { left: Expr::Meta(MetaKey::L4proto), op: RelOp::Implicit, right: Rhs::Value(Data::from_slice(&[n])) }
}
