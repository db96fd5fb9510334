//! Translations.
//!
//! Models: nft 1.0.6 src/parser_bison.y (nat_stmt, masq_stmt, redir_stmt), src/evaluate.c stmt_evaluate_nat, stmt_evaluate_nat_map.

use super::super::datatype::DataType;
use super::super::expr::Expr;
use super::super::stmt::{Nat, NatKind, NatTo, Stmt};
use super::super::{NftFamily, Proto, SetData};
use super::error::{Refused, Span};
use super::exprs::Known;
use super::lex::Tok;
use super::print;
use super::rule::At;
use super::{Parsed, Session};

impl Session<'_> {
    pub(super) fn nat(&mut self, word: Tok<'_>, at: At, known: &mut Known) -> Parsed<Stmt> {
        let kind = match word.text {
            "snat" => NatKind::Snat,
            "dnat" => NatKind::Dnat,
            "masquerade" => NatKind::Masquerade,
            _ => NatKind::Redirect,
        };
        let mut n = Nat {
            kind,
            ip6: at.family == NftFamily::Ip6,
            shows_family: false,
            addr: None,
            port: None,
            addr_port: false,
            netmap: false,
            random: false,
            fully_random: false,
            persistent: false,
        };
        let named = match self.peek().text {
            "ip" => Some(false),
            "ip6" => Some(true),
            _ => None,
        };
        let named = named.filter(|_| {
            matches!(kind, NatKind::Snat | NatKind::Dnat) && matches!(self.peek_at(1).text, "to" | "prefix" | "addr" | "interval")
        });
        if let Some(v6) = named {
            self.next();
            if at.family == NftFamily::Ip && v6 || at.family == NftFamily::Ip6 && !v6 {
                let (a, b) = if v6 { ("ip", "ip6") } else { ("ip6", "ip") };
                return Err(Refused::new(
                    word.at,
                    format!("conflicting protocols specified: {a} vs. {b}. You must specify ip or ip6 family in NAT statement"),
                ));
            }
            n.ip6 = v6;
        }
        if self.eat("prefix") {
            n.netmap = true;
        }
        if self.eat("interval") {
            return Err(Refused::not_simulated(word.at, "nft `interval` in a NAT statement"));
        }
        let mut asks_both = false;
        if self.eat("addr") {
            self.expect(".")?;
            if !self.eat("port") {
                return self.unexpected("port");
            }
            asks_both = true;
        }
        if self.eat("to") {
            match kind {
                NatKind::Snat | NatKind::Dnat => self.nat_to(&mut n, named, at, known, word.at, asks_both)?,
                NatKind::Masquerade | NatKind::Redirect => {
                    self.eat(":");
                    n.port = Some(self.nat_port(at, known)?);
                }
            }
            let mapped = matches!(n.port, Some(NatTo::Expr(Expr::Map(..))));
            if n.port.is_some() && !mapped && known.l4.is_none() && known.l4_number.is_none() && !known.l4_some {
                let message = "transport protocol mapping is only valid after transport protocol match";
                return Err(Refused::new(self.last_at(), message).with(word.at));
            }
        } else if matches!(kind, NatKind::Snat | NatKind::Dnat) {
            return self.unexpected("to");
        }
        while matches!(self.peek().text, "random" | "fully-random" | "persistent") {
            match self.next().text {
                "random" => n.random = true,
                "fully-random" => n.fully_random = true,
                _ => n.persistent = true,
            }
            self.eat(",");
        }
        let both = n.addr_port || n.netmap;
        n.shows_family = matches!(kind, NatKind::Snat | NatKind::Dnat) && n.addr.is_some() && (at.family == NftFamily::Inet || both);
        Ok(Stmt::Nat(Box::new(n)))
    }

    fn nat_to(&mut self, n: &mut Nat, named: Option<bool>, at: At, known: &mut Known, word: Span, asks_both: bool) -> Parsed<()> {
        if self.eat(":") {
            n.port = Some(self.nat_port(at, known)?);
            return Ok(());
        }
        if named.is_none() && at.family == NftFamily::Inet {
            match known.l3 {
                Some(Proto::Ip6) => n.ip6 = true,
                Some(Proto::Ip) => {}
                _ => return Err(Refused::new(word, "ip or ip6 must be specified with address for inet tables.")),
            }
        }
        let t = if n.ip6 { DataType::Ipv6Addr } else { DataType::Ipv4Addr };
        if self.at_expr() {
            let e = self.expr(at.family, known)?;
            if !self.eat("map") {
                if e.data_type() != t {
                    return Err(Refused::new(
                        word,
                        format!("datatype mismatch: expected {}, expression has type {}", t.description(), e.data_type().description()),
                    ));
                }
                n.addr = Some(NatTo::Expr(e));
                return Ok(());
            }
            // an address, or an address and a port: the map says which
            let port = vec![t, DataType::InetService];
            let both = asks_both || self.map_has_ports();
            let link = self.map_link(&e.types(), &SetData::Values(if both { port } else { vec![t] }), at)?;
            n.addr_port = link.data_types().len() == 2;
            if n.netmap {
                return Err(Refused::not_simulated(word, "nft `prefix` with a map"));
            }
            n.addr = Some(NatTo::Expr(Expr::Map(Box::new(e), link)));
            return Ok(());
        }
        let (lo, hi) = if self.eat("[") {
            let lo = self.value(t)?;
            self.expect("]")?;
            if self.eat("-") {
                self.expect("[")?;
                let hi = self.value(t)?;
                self.expect("]")?;
                (lo, hi)
            } else {
                (lo.clone(), lo)
            }
        } else {
            self.span(t)?
        };
        n.addr = Some(match print::prefix_len(&lo, &hi) {
            _ if lo == hi => NatTo::Expr(Expr::Value(t, lo)),
            Some(len) => NatTo::Prefix(lo, len),
            None => NatTo::Range(lo, hi),
        });
        if self.eat(":") {
            n.port = Some(self.nat_port(at, known)?);
        }
        Ok(())
    }

    fn nat_port(&mut self, at: At, known: &mut Known) -> Parsed<NatTo> {
        let t = DataType::InetService;
        if self.at_expr() {
            let e = self.expr(at.family, known)?;
            let e = if self.eat("map") {
                let link = self.map_link(&e.types(), &SetData::Values(vec![t]), at)?;
                Expr::Map(Box::new(e), link)
            } else {
                e
            };
            return Ok(NatTo::Expr(e));
        }
        let (lo, hi) = self.span(t)?;
        Ok(if lo == hi { NatTo::Expr(Expr::Value(t, lo)) } else { NatTo::Range(lo, hi) })
    }

    /// Whether the anonymous map that is next leads to addresses with ports.
    fn map_has_ports(&self) -> bool {
        if !self.is("{") {
            return false;
        }
        let mut i = self.i;
        let mut behind = false;
        while let Some(t) = self.toks.get(i) {
            match t.text {
                "}" | "," if behind || t.text == "}" => return false,
                ":" => behind = true,
                "." if behind => return true,
                _ => {}
            }
            i += 1;
        }
        false
    }
}
