//! Expressions, as they stand at the left of a value.
//!
//! Models: nft 1.0.6 src/parser_bison.y (primary_expr, concat_expr, …), src/evaluate.c (conflicting protocols, bit operations).

use super::super::datatype::Data;
use super::super::expr::{CtKey, Expr, FibExpr, FibResult, HashExpr, MetaKey, Numgen};
use super::super::{Field, NftFamily, Proto};
use super::error::{Refused, Span};
use super::lex::Kind;
use super::{Parsed, Session};
use crate::linux::conntrack::Dir;

/// What is known of the packet from what the rule asked so far.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Known {
    /// Network layer: 4 or 6.
    pub l3: Option<Proto>,
    /// Transport.
    pub l4: Option<Proto>,
    /// Transport protocol by number, of which no header is known.
    pub l4_number: Option<u8>,
    /// Whether the transport is one of several.
    pub l4_some: bool,
}

impl Known {
    /// What the family says.
    pub(super) fn of(family: NftFamily) -> Known {
        let l3 = match family {
            NftFamily::Ip => Some(Proto::Ip),
            NftFamily::Ip6 => Some(Proto::Ip6),
            NftFamily::Arp => Some(Proto::Arp),
            _ => None,
        };
        Known { l3, ..Known::default() }
    }
}

/// Bits of a number, one value for each.
type Bits = (Data, Data);

impl Session<'_> {
    /// Whether an expression begins here.
    pub(super) fn at_expr(&self) -> bool {
        let t = self.peek();
        if t.kind != Kind::Word {
            return false;
        }
        let ahead = self.peek_at(1);
        match t.text {
            "meta" | "ct" | "fib" | "numgen" | "jhash" | "symhash" => true,
            "ip" | "ip6" | "tcp" | "udp" | "icmp" | "icmpv6" | "ether" | "arp" | "th" | "sctp" | "dccp" | "udplite" => {
                ahead.kind == Kind::Word
            }
            "rt" | "socket" | "osf" | "vlan" | "ah" | "esp" | "comp" | "exthdr" | "hbh" | "frag" | "ipsec" | "dst" | "mh" | "srh" => true,
            word => MetaKey::ALL.into_iter().any(|k| k.may_be_bare() && k.name() == word),
        }
    }

    /// An expression with all that is joined to it.
    pub(super) fn expr(&mut self, family: NftFamily, known: &mut Known) -> Parsed<Expr> {
        let from = self.peek().at;
        let first = self.operand(family, known)?;
        if !self.is(".") {
            return Ok(first);
        }
        let mut parts = vec![first];
        while self.eat(".") {
            parts.push(self.operand(family, known)?);
        }
        if parts.iter().any(|p| matches!(p, Expr::Value(..))) {
            return Err(Refused::new(from.to(self.last_at()), "syntax error, unexpected ."));
        }
        Ok(Expr::Concat(parts))
    }

    /// An expression and the bit operations behind it.
    fn operand(&mut self, family: NftFamily, known: &mut Known) -> Parsed<Expr> {
        let e = self.primary(family, known)?;
        self.bit_operations(e)
    }

    /// `& …`, `| …`, `^ …`, `<< …` behind an expression.
    pub(super) fn bit_operations(&mut self, mut e: Expr) -> Parsed<Expr> {
        let t = e.data_type();
        loop {
            let sign = self.peek();
            let word = sign.text;
            if !matches!(word, "&" | "and" | "|" | "or" | "^" | "xor" | "<<" | ">>" | "lshift" | "rshift") {
                return Ok(e);
            }
            if matches!(word, "<<" | ">>" | "lshift" | "rshift") {
                return Err(Refused::not_simulated(sign.at, format!("nft `{word}`")));
            }
            self.next();
            let v = self.value(t)?;
            let n = v.len();
            let (mask, xor): Bits = match word {
                "&" | "and" => (v, Data::from_elem(0, n)),
                "|" | "or" => (v.iter().map(|b| !b).collect(), v),
                _ => (Data::from_elem(0xff, n), v),
            };
            e = joined(e, &mask, &xor);
        }
    }

    fn primary(&mut self, family: NftFamily, known: &mut Known) -> Parsed<Expr> {
        let t = self.peek();
        match t.text {
            "meta" => {
                self.next();
                self.meta_key(t.at, family, known)
            }
            "ct" => {
                self.next();
                self.ct_expr(family, known)
            }
            "fib" => {
                self.next();
                self.fib_expr()
            }
            "numgen" => {
                self.next();
                let random = self.eat("random");
                if !random && !self.eat("inc") {
                    return self.unexpected("inc or random");
                }
                let (modulus, _, offset) = self.modulus(t.at)?;
                Ok(Expr::Numgen(Numgen { random, modulus, offset }))
            }
            "jhash" | "symhash" => {
                self.next();
                let of = if t.text == "jhash" { Some(self.expr(family, known)?) } else { None };
                let (modulus, seed, offset) = self.modulus(t.at)?;
                Ok(Expr::Hash(Box::new(HashExpr { of, modulus, seed, offset })))
            }
            "rt" | "socket" | "osf" | "vlan" | "ah" | "esp" | "comp" | "exthdr" | "hbh" | "frag" | "ipsec" | "dst" | "mh" | "srh" => {
                Err(Refused::not_simulated(t.at, format!("nft expression `{}`", t.text)))
            }
            _ => {
                if let Some(proto) = Proto::ALL.into_iter().find(|p| p.name() == t.text).filter(|_| self.peek_at(1).kind == Kind::Word) {
                    self.next();
                    return self.field(proto, t.at, family, known);
                }
                match MetaKey::ALL.into_iter().find(|k| k.may_be_bare() && k.name() == t.text) {
                    Some(k) => {
                        self.next();
                        Ok(Expr::Meta(k))
                    }
                    None => self.unexpected(""),
                }
            }
        }
    }

    /// `mod N [seed S] [offset O]`.
    fn modulus(&mut self, from: Span) -> Parsed<(u32, Option<u32>, u32)> {
        if !self.eat("mod") {
            return self.unexpected("mod");
        }
        let modulus = self.number32()?;
        let seed = if self.eat("seed") { Some(self.number32()?) } else { None };
        let offset = if self.eat("offset") { self.number32()? } else { 0 };
        if modulus == 0 {
            return Err(Refused::kernel(from.to(self.last_at()), "Numerical result out of range"));
        }
        Ok((modulus, seed, offset))
    }

    pub(super) fn meta_key(&mut self, from: Span, family: NftFamily, known: &mut Known) -> Parsed<Expr> {
        let t = self.next();
        let key = MetaKey::ALL.into_iter().find(|k| k.name() == t.text);
        let at = from.to(t.at);
        const OTHERS: &[&str] = &[
            "rtclassid",
            "secmark",
            "ibrname",
            "obrname",
            "iifgroup",
            "oifgroup",
            "ipsec",
            "iifkind",
            "oifkind",
            "ibrpvid",
            "ibrvproto",
            "time",
            "day",
            "hour",
            "sdif",
            "sdifname",
            "ibriport",
            "obriport",
            "bri_iifname",
            "bri_oifname",
        ];
        match key {
            Some(MetaKey::Nfproto) if !matches!(family, NftFamily::Inet | NftFamily::Bridge) => {
                Err(Refused::new(at, "meta nfproto is only useful in the inet family"))
            }
            Some(k) => {
                if k == MetaKey::L4proto {
                    known.l4_some = true;
                }
                Ok(Expr::Meta(k))
            }
            None if OTHERS.contains(&t.text) => Err(Refused::not_simulated(at, format!("nft `meta {}`", t.text))),
            None => Err(Refused::new(
                at,
                format!(
                    "syntax error, unexpected {}, known keys are length, protocol, priority, mark, iif, oif, iifname, oifname, iiftype, oiftype, skuid, skgid, nftrace, rtclassid, secmark, nfproto, l4proto, ibrname, obrname, pkttype, cpu, iifgroup, oifgroup, cgroup, random, ipsec, iifkind, oifkind, ibrpvid, ibrvproto, time, day, hour, sdif, sdifname",
                    t.text
                ),
            )),
        }
    }

    fn ct_expr(&mut self, family: NftFamily, known: &mut Known) -> Parsed<Expr> {
        let from = self.peek().at;
        let dir = match self.peek().text {
            "original" => Some(Dir::Original),
            "reply" => Some(Dir::Reply),
            _ => None,
        };
        if dir.is_some() {
            self.next();
        }
        let t = self.next();
        let word = match t.text {
            "ip" | "ip6" => {
                let side = self.next();
                format!("{} {}", t.text, side.text)
            }
            "saddr" | "daddr" => match known.l3.or(match family {
                NftFamily::Ip => Some(Proto::Ip),
                NftFamily::Ip6 => Some(Proto::Ip6),
                _ => None,
            }) {
                Some(Proto::Ip) => format!("ip {}", t.text),
                Some(Proto::Ip6) => format!("ip6 {}", t.text),
                _ => {
                    let message = "cannot determine ip protocol version, use \"ip saddr\" or \"ip6 saddr\" instead";
                    return Err(Refused::new(from.to(t.at), message));
                }
            },
            other => other.to_owned(),
        };
        let key = CtKey::ALL.into_iter().find(|k| k.name() == word);
        let key = match key {
            Some(k) if k.wants_dir() && dir.is_none() => {
                return Err(Refused::new(t.at, format!("syntax error, unexpected {}", t.described())));
            }
            Some(k @ (CtKey::ProtoSrc | CtKey::ProtoDst)) if known.l4.is_none() && !known.l4_some => {
                let at = self.peek().at;
                return Err(Refused::new(at, format!("Can't parse symbolic invalid expressions{}", if k.wants_dir() { "" } else { "." })));
            }
            Some(k) => k,
            None if matches!(
                word.as_str(),
                "helper" | "label" | "event" | "id" | "bytes" | "packets" | "avgpkt" | "count" | "secmark" | "timeout" | "expectation"
            ) =>
            {
                return Err(Refused::not_simulated(from.to(t.at), format!("nft `ct {word}`")));
            }
            None => {
                return Err(Refused::new(from.to(t.at), format!("syntax error, unexpected {}, known keys are", t.described())));
            }
        };
        let dir = dir.filter(|_| key.wants_dir());
        Ok(Expr::Ct(key, dir))
    }

    fn fib_expr(&mut self) -> Parsed<Expr> {
        let mut f = FibExpr { saddr: false, mark: false, iif: false, oif: false, result: FibResult::Type, present: false };
        let mut any = false;
        loop {
            match self.peek().text {
                "saddr" => f.saddr = true,
                "daddr" => f.saddr = false,
                "mark" => f.mark = true,
                "iif" => f.iif = true,
                "oif" => f.oif = true,
                _ => return self.unexpected("saddr or daddr or mark or iif or oif"),
            }
            any |= matches!(self.peek().text, "saddr" | "daddr");
            self.next();
            if !self.eat(".") {
                break;
            }
        }
        let t = self.peek();
        f.result = match t.text {
            "type" => FibResult::Type,
            "oif" => FibResult::Oif,
            "oifname" => FibResult::Oifname,
            _ => return self.unexpected("type or oif or oifname"),
        };
        self.next();
        if !any {
            return Err(Refused::new(t.at, "fib: need either saddr or daddr"));
        }
        Ok(Expr::Fib(f))
    }

    fn field(&mut self, proto: Proto, from: Span, family: NftFamily, known: &mut Known) -> Parsed<Expr> {
        let t = self.next();
        // ARP's addresses are two words
        let name = match (proto, t.text) {
            (Proto::Arp, "saddr" | "daddr") => format!("{} {}", t.text, self.next().text),
            (_, other) => other.to_owned(),
        };
        let at = from.to(self.last_at());
        if (proto, t.text) == (Proto::Tcp, "option") || (proto, t.text) == (Proto::Ip, "option") {
            return Err(Refused::not_simulated(at, format!("nft `{} option`", proto.name())));
        }
        let Some(field) = Field::find(proto, &name) else {
            let hidden: &[&str] =
                &["checksum", "csumcov", "vtag", "parameter-problem", "gateway", "max-delay", "packet-too-big", "param-problem"];
            if hidden.contains(&name.as_str()) {
                return Err(Refused::not_simulated(at, format!("nft `{} {name}`", proto.name())));
            }
            return Err(Refused::new(t.at, format!("syntax error, unexpected {}", t.described())));
        };
        self.conflicts(proto, at, family, known)?;
        Ok(Expr::Field(field))
    }

    /// What a header says of the layers below it; two that cannot be in one packet are refused.
    fn conflicts(&self, proto: Proto, at: Span, family: NftFamily, known: &mut Known) -> Parsed<()> {
        let clash = |a: &str, b: &str| Err(Refused::new(at, format!("conflicting protocols specified: {a} vs. {b}")));
        match proto {
            Proto::Ip | Proto::Ip6 => match known.l3 {
                Some(p) if p != proto => return clash(p.name(), proto.name()),
                _ => known.l3 = Some(proto),
            },
            Proto::Arp => match known.l3 {
                Some(p) if p != proto => return clash(p.name(), proto.name()),
                _ if family == NftFamily::Inet => return clash("inet", "arp"),
                _ => known.l3 = Some(proto),
            },
            Proto::Ether | Proto::Th => {}
            transport => match (known.l4, known.l4_number) {
                (Some(p), _) if p != transport => return clash(p.name(), transport.name()),
                _ => known.l4 = Some(transport),
            },
        }
        Ok(())
    }
}

/// Another bit operation on an expression, folded into the one that is there.
pub(super) fn joined(e: Expr, mask: &Data, xor: &Data) -> Expr {
    match e {
        Expr::Bitwise(of, m, x) => {
            let new_mask = m.iter().zip(mask).map(|(a, b)| a & b).collect();
            let new_xor = x.iter().zip(mask).zip(xor).map(|((x, m), y)| x & m ^ y).collect();
            Expr::Bitwise(of, new_mask, new_xor)
        }
        other => Expr::Bitwise(Box::new(other), mask.clone(), xor.clone()),
    }
}
