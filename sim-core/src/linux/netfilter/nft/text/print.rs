//! Rules as nft prints them.
//!
//! Models: nft 1.0.6 src/statement.c, src/expression.c, src/netlink_delinearize.c (what is left out because it follows).

use super::super::datatype::{Data, DataType, number};
use super::super::expr::{Expr, FibResult};
use super::super::stmt::{DynOp, Limit, Log, Nat, NatKind, NatTo, NftVerdict, RejectKind, RelOp, Rhs, Stmt};
use super::super::{ElemData, Element, Field, MetaKey, NftFamily, NftRule, Set, SetData, SetLink};
use crate::linux::conntrack::Dir;
use std::fmt::Write as _;
use std::time::Duration;

/// How something is printed.
#[derive(Clone, Copy)]
#[expect(missing_debug_implementations, reason = "it holds functions")]
pub struct Style<'a> {
    /// `-s`: without counters and what changes by itself.
    pub stateless: bool,
    /// `-a`: with handles.
    pub handles: bool,
    /// The name of a device by its index.
    pub device: &'a dyn Fn(u32) -> Option<String>,
}

/// A time as nft prints it.
pub fn duration(d: Duration, out: &mut String) {
    let ms = d.as_millis();
    let (days, hours, minutes, seconds) = (ms / 86_400_000, ms / 3_600_000 % 24, ms / 60_000 % 60, ms / 1000 % 60);
    for (n, unit) in [(days, "d"), (hours, "h"), (minutes, "m"), (seconds, "s"), (ms % 1000, "ms")] {
        if n > 0 {
            let _ = write!(out, "{n}{unit}");
        }
    }
    if ms == 0 {
        out.push_str("0s");
    }
}

/// A number of bytes in the largest unit that it is a multiple of.
fn byte_rate(n: u64) -> (u64, &'static str) {
    match n {
        0 => (0, "bytes"),
        n if n % 1_048_576 == 0 => (n / 1_048_576, "mbytes"),
        n if n % 1024 == 0 => (n / 1024, "kbytes"),
        n => (n, "bytes"),
    }
}

fn unit(seconds: u64) -> &'static str {
    match seconds {
        1 => "second",
        60 => "minute",
        3600 => "hour",
        86_400 => "day",
        _ => "week",
    }
}

impl Style<'_> {
    fn value(&self, t: DataType, v: &[u8], out: &mut String) {
        t.print(v, self.device, out);
    }

    /// A value of several types.
    pub fn values(&self, types: &[DataType], v: &[u8], out: &mut String) {
        let mut at = 0;
        for (i, t) in types.iter().enumerate() {
            if i > 0 {
                out.push_str(" . ");
            }
            self.value(*t, v.get(at..at + t.len()).unwrap_or_default(), out);
            at += t.len();
        }
    }

    /// A range of one type: a value, a prefix, a name with `*`, or first and last.
    fn span(&self, t: DataType, lo: &[u8], hi: &[u8], out: &mut String) {
        if lo == hi {
            return self.value(t, lo, out);
        }
        if t == DataType::IfName {
            let _ = write!(out, "\"{}*\"", super::super::datatype::ifname_text(lo));
            return;
        }
        if t.has_prefix()
            && let Some(len) = prefix_len(lo, hi)
        {
            self.value(t, lo, out);
            let _ = write!(out, "/{len}");
            return;
        }
        self.range(t, lo, hi, out);
    }

    fn range(&self, t: DataType, lo: &[u8], hi: &[u8], out: &mut String) {
        t.print_end(lo, self.device, out);
        out.push('-');
        t.print_end(hi, self.device, out);
    }

    /// The key of an element.
    fn key(&self, types: &[DataType], e: &Element, out: &mut String) {
        let mut at = 0;
        for (i, t) in types.iter().enumerate() {
            if i > 0 {
                out.push_str(" . ");
            }
            let part = at..at + t.len();
            self.span(*t, e.lo.get(part.clone()).unwrap_or_default(), e.hi.get(part).unwrap_or_default(), out);
            at += t.len();
        }
    }

    /// An element: key, time, comment, and what it leads to.
    pub fn element(&self, set: &Set, e: &Element, wildcard: bool, out: &mut String) {
        if wildcard {
            out.push('*');
        } else {
            self.key(&set.of.key, e, out);
        }
        if let Some(t) = e.timeout {
            out.push_str(" timeout ");
            duration(t, out);
        }
        if let Some(left) = e.left.filter(|_| !self.stateless) {
            out.push_str(" expires ");
            duration(left, out);
        }
        if let Some(c) = &e.comment {
            let _ = write!(out, " comment \"{c}\"");
        }
        match (&e.data, &set.of.data) {
            (ElemData::Verdict(v), _) => {
                out.push_str(" : ");
                verdict(v, out);
            }
            (ElemData::Value(v), SetData::Values(types)) => {
                out.push_str(" : ");
                self.values(types, v, out);
            }
            _ => {}
        }
    }

    fn link(&self, link: &SetLink, out: &mut String) {
        match link {
            SetLink::Named(r, _) => {
                let _ = write!(out, "@{}", r.name);
            }
            SetLink::Anonymous(set) => {
                out.push_str("{ ");
                for (i, e) in set.listed().into_iter().enumerate() {
                    if i > 0 {
                        out.push_str(", ");
                    }
                    self.element(set, e, false, out);
                }
                if let Some(e) = &set.catchall {
                    if !set.elems.is_empty() {
                        out.push_str(", ");
                    }
                    self.element(set, e, true, out);
                }
                out.push_str(" }");
            }
        }
    }

    /// An expression.
    pub fn expr(&self, e: &Expr, out: &mut String) {
        match e {
            Expr::Field(f) => {
                let _ = write!(out, "{} {}", f.proto().name(), f.name());
            }
            Expr::Meta(k) => {
                let _ = write!(out, "{}{}", if k.is_bare() { "" } else { "meta " }, k.name());
            }
            Expr::Ct(k, dir) => {
                let dir = match dir {
                    Some(Dir::Original) => "original ",
                    Some(Dir::Reply) => "reply ",
                    None => "",
                };
                let _ = write!(out, "ct {dir}{}", k.name());
            }
            Expr::Fib(f) => {
                let _ = write!(out, "fib {}", if f.saddr { "saddr" } else { "daddr" });
                for (on, word) in [(f.mark, " . mark"), (f.iif, " . iif"), (f.oif, " . oif")] {
                    if on {
                        out.push_str(word);
                    }
                }
                out.push_str(match f.result {
                    FibResult::Type => " type",
                    FibResult::Oif => " oif",
                    FibResult::Oifname => " oifname",
                });
            }
            Expr::Numgen(n) => {
                let _ = write!(out, "numgen {} mod {}", if n.random { "random" } else { "inc" }, n.modulus);
                if n.offset != 0 {
                    let _ = write!(out, " offset {}", n.offset);
                }
            }
            Expr::Hash(h) => {
                match &h.of {
                    Some(of) => {
                        out.push_str("jhash ");
                        self.expr(of, out);
                    }
                    None => out.push_str("symhash"),
                }
                let _ = write!(out, " mod {}", h.modulus);
                if let Some(seed) = h.seed {
                    let _ = write!(out, " seed {seed:#x}");
                }
                if h.offset != 0 {
                    let _ = write!(out, " offset {}", h.offset);
                }
            }
            Expr::Concat(parts) => {
                for (i, p) in parts.iter().enumerate() {
                    if i > 0 {
                        out.push_str(" . ");
                    }
                    self.expr(p, out);
                }
            }
            Expr::Bitwise(of, mask, xor) => self.bitwise(of, mask, xor, out),
            Expr::Map(key, link) => {
                self.expr(key, out);
                out.push_str(" map ");
                self.link(link, out);
            }
            Expr::Value(t, v) => self.value(*t, v, out),
        }
    }

    /// `& and ^ xor | or`, found again from the mask and the bits that the kernel keeps.
    fn bitwise(&self, of: &Expr, mask: &[u8], xor: &[u8], out: &mut String) {
        self.expr(of, out);
        let t = of.data_type();
        let mut part = |sign: &str, bits: Data, skip: u8| {
            if bits.iter().any(|b| *b != skip) {
                let _ = write!(out, " {sign} ");
                if t.is_bitmask() {
                    let mut s = String::new();
                    self.value(t, &bits, &mut s);
                    let many = s.contains(',');
                    let s = s.replace(',', " | ");
                    let _ = if many { write!(out, "({s})") } else { write!(out, "{s}") };
                } else {
                    self.value(t, &bits, out);
                }
            }
        };
        let zip = |f: fn(u8, u8) -> u8| -> Data { mask.iter().zip(xor).map(|(m, x)| f(*m, *x)).collect() };
        let ones: u8 = if t.bits() < 8 { (1 << t.bits()) - 1 } else { 0xff };
        part("&", zip(|m, x| m | x), ones);
        part("^", zip(|m, x| x & m), 0);
        part("|", zip(|m, x| x & !m), 0);
    }

    fn rhs(&self, left: &Expr, right: &Rhs, out: &mut String) {
        let types = left.types();
        let t = types.first().copied().unwrap_or(DataType::Integer(32));
        match right {
            Rhs::Value(v) if types.len() > 1 => self.values(&types, v, out),
            Rhs::Value(v) => self.value(t, v, out),
            Rhs::Range(a, b) if types.len() > 1 => {
                let e = Element { hi: b.clone(), ..Element::of(a.clone()) };
                self.key(&types, &e, out);
            }
            Rhs::Range(a, b) => self.range(t, a, b, out),
            Rhs::Prefix(v, len) if t == DataType::IfName => {
                let _ = write!(out, "\"{}*\"", super::super::datatype::ifname_text(&v[..(*len / 8) as usize]));
            }
            Rhs::Prefix(v, len) => {
                self.value(t, v, out);
                let _ = write!(out, "/{len}");
            }
            Rhs::Flags(v, mask) => {
                self.value(t, v, out);
                out.push_str(" / ");
                self.value(t, mask, out);
            }
            Rhs::Set(link) => self.link(link, out),
        }
    }

    fn to(&self, to: &NatTo, t: DataType, out: &mut String) {
        match to {
            NatTo::Expr(Expr::Value(_, v)) => self.value(t, v, out),
            NatTo::Expr(e) => self.expr(e, out),
            NatTo::Range(a, b) => {
                self.value(t, a, out);
                out.push('-');
                self.value(t, b, out);
            }
            NatTo::Prefix(v, len) => {
                self.value(t, v, out);
                let _ = write!(out, "/{len}");
            }
        }
    }

    fn nat(&self, n: &Nat, out: &mut String) {
        out.push_str(match n.kind {
            NatKind::Snat => "snat",
            NatKind::Dnat => "dnat",
            NatKind::Masquerade => "masquerade",
            NatKind::Redirect => "redirect",
        });
        if n.shows_family {
            out.push_str(if n.ip6 { " ip6" } else { " ip" });
        }
        if n.netmap {
            out.push_str(" prefix");
        }
        if n.addr.is_some() || n.port.is_some() {
            out.push_str(" to ");
        }
        let t = if n.ip6 { DataType::Ipv6Addr } else { DataType::Ipv4Addr };
        if let Some(addr) = &n.addr {
            let brackets = n.ip6 && n.port.is_some();
            if brackets {
                out.push('[');
            }
            match addr {
                NatTo::Range(a, b) if brackets => {
                    self.value(t, a, out);
                    out.push_str("]-[");
                    self.value(t, b, out);
                }
                other => self.to(other, t, out),
            }
            if brackets {
                out.push(']');
            }
        }
        if let Some(port) = &n.port {
            out.push(':');
            self.to(port, DataType::InetService, out);
        }
        let mut first = true;
        for (on, word) in [(n.random, "random"), (n.fully_random, "fully-random"), (n.persistent, "persistent")] {
            if on {
                let _ = write!(out, "{}{word}", if first { " " } else { "," });
                first = false;
            }
        }
    }

    /// A statement.
    pub fn stmt(&self, s: &Stmt, family: NftFamily, out: &mut String) {
        match s {
            Stmt::Match { left, op, right } => {
                self.expr(left, out);
                let _ = write!(out, " {}", op.text());
                self.rhs(left, right, out);
            }
            Stmt::Vmap(key, link) => {
                self.expr(key, out);
                out.push_str(" vmap ");
                self.link(link, out);
            }
            Stmt::Verdict(v) => verdict(v, out),
            Stmt::Counter(packets, bytes) => {
                out.push_str("counter");
                if !self.stateless {
                    let _ = write!(out, " packets {packets} bytes {bytes}");
                }
            }
            Stmt::Object(o) => {
                let _ = write!(out, "{} name \"{}\"", o.kind.name(), o.name);
            }
            Stmt::Limit(l) => limit(l, out),
            Stmt::Quota(over, bytes) => {
                let (n, u) = byte_rate(*bytes);
                let _ = write!(out, "quota {}{n} {u}", if *over { "over " } else { "" });
            }
            Stmt::Log(l) => log(l, out),
            Stmt::Reject(kind) => reject(*kind, family, out),
            Stmt::Nat(n) => self.nat(n, out),
            Stmt::Notrack => out.push_str("notrack"),
            Stmt::MetaSet(k, e) => {
                let _ = write!(out, "meta {} set ", k.name());
                self.expr(e, out);
            }
            Stmt::CtSet(k, e) => {
                let _ = write!(out, "ct {} set ", k.name());
                self.expr(e, out);
            }
            Stmt::FieldSet(f, e) => {
                self.expr(&Expr::Field(*f), out);
                out.push_str(" set ");
                self.expr(e, out);
            }
            Stmt::Dyn { op, set, key, timeout, data, stmts } => {
                let word = match op {
                    DynOp::Add => "add",
                    DynOp::Update => "update",
                    DynOp::Delete => "delete",
                };
                let _ = write!(out, "{word} @{} {{ ", set.name);
                self.expr(key, out);
                if let Some(t) = timeout {
                    out.push_str(" timeout ");
                    duration(*t, out);
                }
                for s in stmts {
                    out.push(' ');
                    match s {
                        Stmt::Counter(..) => out.push_str("counter"),
                        s => self.stmt(s, family, out),
                    }
                }
                if let Some(d) = data {
                    out.push_str(" : ");
                    self.expr(d, out);
                }
                out.push_str(" }");
            }
            Stmt::Tproxy(ip6, addr, port) => {
                out.push_str("tproxy");
                if let Some(v6) = ip6 {
                    out.push_str(if *v6 { " ip6" } else { " ip" });
                }
                out.push_str(" to ");
                if let Some(a) = addr {
                    let v6 = a.len() == 16;
                    let t = if v6 { DataType::Ipv6Addr } else { DataType::Ipv4Addr };
                    out.push_str(if v6 { "[" } else { "" });
                    self.value(t, a, out);
                    out.push_str(if v6 { "]" } else { "" });
                }
                if let Some(p) = port {
                    let _ = write!(out, ":{p}");
                }
            }
            Stmt::Queue(from, to, bypass, fanout) => {
                out.push_str("queue");
                let flags: Vec<&str> = [(*bypass, "bypass"), (*fanout, "fanout")].into_iter().filter(|f| f.0).map(|f| f.1).collect();
                if !flags.is_empty() {
                    let _ = write!(out, " flags {}", flags.join(","));
                }
                let _ = if from == to { write!(out, " to {from}") } else { write!(out, " to {from}-{to}") };
            }
        }
    }

    /// A rule on one line, without its handle.
    pub fn rule(&self, r: &NftRule, family: NftFamily) -> String {
        let mut out = self.stmts(&r.stmts, family);
        if let Some(c) = &r.comment {
            let _ = write!(out, " comment \"{c}\"");
        }
        out
    }

    /// Statements on one line.
    pub fn stmts(&self, stmts: &[Stmt], family: NftFamily) -> String {
        let mut out = String::new();
        for (i, s) in stmts.iter().enumerate() {
            // what a reset needs anyhow is not said where the family says the rest
            if matches!(stmts.get(i + 1), Some(Stmt::Reject(RejectKind::TcpReset)))
                && matches!(family, NftFamily::Ip | NftFamily::Ip6)
                && is_l4(s, 6)
            {
                continue;
            }
            if !out.is_empty() {
                out.push(' ');
            }
            self.stmt(s, family, &mut out);
        }
        out
    }
}

/// Whether a statement asks for that transport protocol and nothing else.
pub fn is_l4(s: &Stmt, protocol: u8) -> bool {
    matches!(s, Stmt::Match { left: Expr::Meta(MetaKey::L4proto) | Expr::Field(Field::IpProtocol), op: RelOp::Implicit | RelOp::Eq, right: Rhs::Value(v) }
        if v[..] == [protocol])
}

/// The length of the prefix that is exactly this range.
pub fn prefix_len(lo: &[u8], hi: &[u8]) -> Option<u32> {
    let mut len = 0;
    let mut open = false;
    for (a, b) in lo.iter().zip(hi) {
        for bit in (0..8).rev() {
            let (x, y) = (a >> bit & 1, b >> bit & 1);
            match (x, y, open) {
                (x, y, false) if x == y => len += 1,
                (0, 1, _) => open = true,
                _ => return None,
            }
        }
    }
    Some(len)
}

fn verdict(v: &NftVerdict, out: &mut String) {
    let _ = match v {
        NftVerdict::Accept => write!(out, "accept"),
        NftVerdict::Drop => write!(out, "drop"),
        NftVerdict::Continue => write!(out, "continue"),
        NftVerdict::Return => write!(out, "return"),
        NftVerdict::Jump(c) => write!(out, "jump {}", c.name),
        NftVerdict::Goto(c) => write!(out, "goto {}", c.name),
    };
}

/// `limit rate …`, also the body of a named one with `rate …`.
fn limit(l: &Limit, out: &mut String) {
    out.push_str("limit ");
    limit_rate(l, out);
}

/// What stands behind `limit`.
pub fn limit_rate(l: &Limit, out: &mut String) {
    out.push_str(if l.over { "rate over " } else { "rate " });
    if l.bytes {
        let (n, u) = byte_rate(l.rate);
        let _ = write!(out, "{n} {u}/{}", unit(l.unit));
        if l.burst > 0 {
            let (n, u) = byte_rate(u64::from(l.burst));
            let _ = write!(out, " burst {n} {u}");
        }
        return;
    }
    let _ = write!(out, "{}/{}", l.rate, unit(l.unit));
    if l.burst > 0 && l.burst != 5 {
        let _ = write!(out, " burst {} packets", l.burst);
    }
}

fn log(l: &Log, out: &mut String) {
    out.push_str("log");
    if let Some(p) = &l.prefix {
        let _ = write!(out, " prefix \"{p}\"");
    }
    if let Some(n) = l.group {
        let _ = write!(out, " group {n}");
    }
    if let Some(n) = l.snaplen {
        let _ = write!(out, " snaplen {n}");
    }
    if let Some(n) = l.qthreshold {
        let _ = write!(out, " queue-threshold {n}");
    }
    if let Some(level) = &l.level {
        let _ = write!(out, " level {level}");
    }
    if let Some(f) = &l.flags {
        let _ = write!(out, " flags {f}");
    }
}

/// Names of the codes behind `icmpx`.
pub const ICMPX: &[(&str, u8)] = &[("port-unreachable", 1), ("admin-prohibited", 3), ("no-route", 0), ("host-unreachable", 2)];

fn reject(kind: RejectKind, family: NftFamily, out: &mut String) {
    out.push_str("reject");
    let code =
        |t: DataType, c: u8| t.symbols().iter().find(|(_, v)| *v == u32::from(c)).map_or_else(|| c.to_string(), |(n, _)| (*n).to_owned());
    let _ = match kind {
        RejectKind::Icmp(3) if family == NftFamily::Ip => Ok(()),
        RejectKind::Icmpv6(4) if family == NftFamily::Ip6 => Ok(()),
        RejectKind::Icmpx(1) => Ok(()),
        RejectKind::Icmp(c) => write!(out, " with icmp {}", code(DataType::IcmpCode, c)),
        RejectKind::Icmpv6(c) => write!(out, " with icmpv6 {}", code(DataType::Icmpv6Code, c)),
        RejectKind::Icmpx(c) => write!(out, " with icmpx {}", ICMPX.iter().find(|(_, v)| *v == c).map_or("?", |(n, _)| n)),
        RejectKind::TcpReset => write!(out, " with tcp reset"),
    };
}

/// The number that a small value stands for.
pub fn small(v: &[u8]) -> u32 {
    number(v) as u32
}
