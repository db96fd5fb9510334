//! Filter expressions, read.
//!
//! Models: pcap-filter(7), libpcap 1.10 grammar.y, scanner.l.

use super::{Arith, Compare, Dir, Filter, Operator, Proto};
use crate::linux::netfilter::option::{SERVICES, number};
use crate::packet::{Ipv4Addr, Ipv6Addr, Mac, Prefix};

impl Filter {
    /// Reads an expression.
    ///
    /// # Errors
    /// What tcpdump says behind `tcpdump: `.
    pub fn parse(text: &str) -> Result<Filter, String> {
        let tokens = lex(text);
        if tokens.is_empty() {
            return Ok(Filter::All);
        }
        let mut p = Parser { tokens, at: 0, quals: Quals::default() };
        let f = p.expression()?;
        if p.at < p.tokens.len() { Err(syntax()) } else { Ok(f) }
    }
}

impl Proto {
    fn by_name(word: &str) -> Option<Proto> {
        Some(match word {
            "ether" | "link" => Proto::Ether,
            "ip" => Proto::Ip,
            "ip6" => Proto::Ip6,
            "arp" => Proto::Arp,
            word => Proto::Above(above(word)?),
        })
    }
}

/// Number of a protocol above IP that is a keyword.
fn above(word: &str) -> Option<u8> {
    Some(match word {
        "icmp" => 1,
        "igmp" => 2,
        "tcp" => 6,
        "udp" => 17,
        "esp" => 50,
        "ah" => 51,
        "icmp6" => 58,
        "pim" => 103,
        "sctp" => 132,
        _ => return None,
    })
}

/// What an identifier names.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
enum Kind {
    #[default]
    Host,
    Net,
    Port,
    Range,
    Proto,
}

/// Qualifiers before an identifier; those of the one before hold for an identifier that has none.
#[derive(Clone, Copy, Debug, Default)]
struct Quals {
    proto: Option<Proto>,
    dir: Dir,
    kind: Kind,
}

fn syntax() -> String {
    "can't parse filter expression: syntax error".to_owned()
}

/// Words and signs. Between brackets a colon is a sign.
fn lex(text: &str) -> Vec<String> {
    let mut out: Vec<String> = Vec::new();
    let chars: Vec<char> = text.chars().collect();
    let mut i = 0;
    let mut depth = 0u32;
    while let Some(&c) = chars.get(i) {
        let two: String = chars[i..].iter().take(2).collect();
        if c.is_whitespace() {
            i += 1;
        } else if matches!(two.as_str(), "&&" | "||" | "==" | "!=" | "<=" | ">=" | "<<" | ">>") {
            out.push(two);
            i += 2;
        } else if "()[]!&|=<>+*^%".contains(c) || (depth > 0 && ":-/".contains(c)) {
            depth = match c {
                '[' => depth + 1,
                ']' => depth.saturating_sub(1),
                _ => depth,
            };
            out.push(c.to_string());
            i += 1;
        } else {
            let word: String = chars[i..]
                .iter()
                .take_while(|c| c.is_alphanumeric() || "._\\".contains(**c) || depth == 0 && "-:/".contains(**c))
                .collect();
            // a sign that is none of the grammar's stands alone and fails later
            let word = if word.is_empty() { c.to_string() } else { word };
            i += word.chars().count();
            out.push(word);
        }
    }
    out
}

struct Parser {
    tokens: Vec<String>,
    at: usize,
    quals: Quals,
}

/// How deep an expression may be nested.
const DEEPEST: usize = 64;

impl Parser {
    fn peek(&self) -> Option<&str> {
        self.tokens.get(self.at).map(String::as_str)
    }

    fn ahead(&self, n: usize) -> Option<&str> {
        self.tokens.get(self.at + n).map(String::as_str)
    }

    fn take(&mut self, words: &[&str]) -> bool {
        let yes = self.peek().is_some_and(|w| words.contains(&w));
        self.at += usize::from(yes);
        yes
    }

    fn next(&mut self) -> Result<String, String> {
        let w = self.peek().map(str::to_owned).ok_or_else(syntax)?;
        self.at += 1;
        Ok(w)
    }

    fn expression(&mut self) -> Result<Filter, String> {
        self.nested(0)
    }

    fn nested(&mut self, depth: usize) -> Result<Filter, String> {
        let mut left = self.term(depth)?;
        loop {
            if self.take(&["and", "&&"]) {
                left = Filter::And(Box::new(left), Box::new(self.term(depth)?));
            } else if self.take(&["or", "||"]) {
                left = Filter::Or(Box::new(left), Box::new(self.term(depth)?));
            } else {
                return Ok(left);
            }
        }
    }

    fn term(&mut self, depth: usize) -> Result<Filter, String> {
        if depth > DEEPEST {
            return Err("expression is too deeply nested".to_owned());
        }
        if self.take(&["not", "!"]) {
            return Ok(Filter::Not(Box::new(self.term(depth + 1)?)));
        }
        if self.take(&["("]) {
            let inner = self.nested(depth + 1)?;
            return if self.take(&[")"]) { Ok(inner) } else { Err(syntax()) };
        }
        let first = self.peek().ok_or_else(syntax)?;
        let numeric = first.starts_with(|c: char| c.is_ascii_digit()) && number(first, u64::from(u32::MAX)).is_some();
        let compared =
            matches!(self.ahead(1), Some("=" | "==" | "!=" | "<" | ">" | "<=" | ">=" | "&" | "|" | "+" | "*" | "^" | "%" | "<<" | ">>"));
        if self.ahead(1) == Some("[") || first == "len" || numeric && compared {
            return self.relation(depth);
        }
        self.primitive()
    }

    fn relation(&mut self, depth: usize) -> Result<Filter, String> {
        let left = self.arith(0, depth)?;
        let op = match self.next()?.as_str() {
            "=" | "==" => Compare::Equal,
            "!=" => Compare::Unequal,
            "<" => Compare::Less,
            "<=" => Compare::AtMost,
            ">" => Compare::More,
            ">=" => Compare::AtLeast,
            _ => return Err(syntax()),
        };
        Ok(Filter::Relation(left, op, self.arith(0, depth)?))
    }

    /// Numbers with operators of at least that rank.
    fn arith(&mut self, rank: u8, depth: usize) -> Result<Arith, String> {
        if depth > DEEPEST {
            return Err("expression is too deeply nested".to_owned());
        }
        let mut left = self.factor(depth)?;
        while let Some((op, r)) = self.peek().and_then(operator).filter(|(_, r)| *r >= rank) {
            self.at += 1;
            left = Arith::Pair(Box::new(left), op, Box::new(self.arith(r + 1, depth + 1)?));
        }
        Ok(left)
    }

    fn factor(&mut self, depth: usize) -> Result<Arith, String> {
        if self.take(&["("]) {
            let inner = self.arith(0, depth + 1)?;
            return if self.take(&[")"]) { Ok(inner) } else { Err(syntax()) };
        }
        let word = self.next()?;
        if word == "len" {
            return Ok(Arith::Len);
        }
        if self.take(&["["]) {
            let proto = Proto::by_name(&word).ok_or_else(syntax)?;
            let offset = self.arith(0, depth + 1)?;
            let size = if self.take(&[":"]) { number(&self.next()?, 4).ok_or_else(syntax)? as u8 } else { 1 };
            if !matches!(size, 1 | 2 | 4) {
                return Err("data size must be 1, 2, or 4".to_owned());
            }
            return if self.take(&["]"]) { Ok(Arith::Byte(proto, Box::new(offset), size)) } else { Err(syntax()) };
        }
        if let Some(n) = number(&word, u64::from(u32::MAX)) {
            return Ok(Arith::Number(n as u32));
        }
        // names of offsets and values; inside brackets a dash is a sign of its own
        let mut name = word;
        while self.peek() == Some("-") && !self.ahead(1).is_some_and(|w| w.starts_with(|c: char| c.is_ascii_digit())) {
            self.at += 1;
            name = format!("{name}-{}", self.next()?);
        }
        constant(&name).map(Arith::Number).ok_or_else(syntax)
    }

    fn primitive(&mut self) -> Result<Filter, String> {
        let mut q = Quals::default();
        let (mut any, mut typed) = (false, false);
        while let Some(word) = self.peek() {
            if let Some(p) = Proto::by_name(word).filter(|_| q.proto.is_none()) {
                q.proto = Some(p);
            } else if matches!(word, "src" | "dst") {
                let (first, second) = if word == "src" { (Dir::Src, "dst") } else { (Dir::Dst, "src") };
                q.dir = first;
                if self.ahead(2) == Some(second) {
                    match self.ahead(1) {
                        Some("or" | "||") => (q.dir, self.at) = (Dir::Either, self.at + 2),
                        Some("and" | "&&") => (q.dir, self.at) = (Dir::Both, self.at + 2),
                        _ => {}
                    }
                }
            } else if let Some(kind) = kind(word) {
                q.kind = kind;
                typed = true;
            } else {
                break;
            }
            any = true;
            self.at += 1;
        }
        match self.peek() {
            Some("broadcast") => {
                self.at += 1;
                return Ok(Filter::Broadcast);
            }
            Some("multicast") => {
                self.at += 1;
                return Ok(Filter::Multicast(q.proto));
            }
            Some("vlan") if !any => {
                self.at += 1;
                let id = self.peek().and_then(|w| number(w, 4095)).map(|n| n as u16);
                self.at += usize::from(id.is_some());
                return Ok(Filter::Vlan(id));
            }
            Some(w @ ("less" | "greater")) if !any => {
                let shorter = w == "less";
                self.at += 1;
                let n = number(&self.next()?, u64::from(u32::MAX)).ok_or_else(syntax)? as u32;
                return Ok(if shorter { Filter::Shorter(n) } else { Filter::Longer(n) });
            }
            _ => {}
        }
        // a protocol alone
        let ends = matches!(self.peek(), None | Some("and" | "&&" | "or" | "||" | ")"));
        if ends && any {
            return match q.proto {
                Some(p) if !typed && q.dir == Dir::Either => Ok(Filter::Proto(p)),
                _ => Err(syntax()),
            };
        }
        if !any {
            // "port 80 or 443": as the one before
            q = self.quals;
        }
        self.quals = q;
        let word = self.next()?;
        let mask = self.take(&["mask"]).then(|| self.next()).transpose()?;
        identifier(&word, q, mask.as_deref())
    }
}

fn kind(word: &str) -> Option<Kind> {
    Some(match word {
        "host" => Kind::Host,
        "net" => Kind::Net,
        "port" => Kind::Port,
        "portrange" => Kind::Range,
        "proto" => Kind::Proto,
        _ => return None,
    })
}

fn operator(word: &str) -> Option<(Operator, u8)> {
    Some(match word {
        "|" => (Operator::Or, 0),
        "^" => (Operator::Xor, 0),
        "&" => (Operator::And, 1),
        "<<" => (Operator::Left, 2),
        ">>" => (Operator::Right, 2),
        "+" => (Operator::Add, 3),
        "-" => (Operator::Sub, 3),
        "*" => (Operator::Mul, 4),
        "/" => (Operator::Div, 4),
        "%" => (Operator::Mod, 4),
        _ => return None,
    })
}

fn constant(name: &str) -> Option<u32> {
    Some(match name {
        "tcpflags" => 13,
        "icmptype" | "icmp6type" | "icmp-echoreply" => 0,
        "icmpcode" | "icmp6code" | "tcp-fin" => 1,
        "tcp-syn" => 2,
        "icmp-unreach" => 3,
        "tcp-rst" | "icmp-sourcequench" => 4,
        "icmp-redirect" => 5,
        "tcp-push" | "icmp-echo" => 8,
        "icmp-routeradvert" => 9,
        "icmp-routersolicit" => 10,
        "icmp-timxceed" => 11,
        "icmp-paramprob" => 12,
        "tcp-ack" => 16,
        "tcp-urg" => 32,
        "tcp-ece" => 64,
        "tcp-cwr" | "icmp6-echo" => 128,
        "icmp6-echoreply" => 129,
        _ => return None,
    })
}

fn port(word: &str) -> Result<u16, String> {
    if let Some(n) = number(word, u64::MAX) {
        return u16::try_from(n).map_err(|_| format!("illegal port number {n} > 65535"));
    }
    SERVICES.iter().find(|(n, _)| *n == word).map(|(_, p)| *p).ok_or_else(|| format!("unknown port '{word}'"))
}

fn identifier(word: &str, q: Quals, mask: Option<&str>) -> Result<Filter, String> {
    let limited = match q.proto {
        Some(Proto::Above(n)) => Some(n),
        None => None,
        Some(_) => return addressed(word, q, mask),
    };
    match q.kind {
        Kind::Port => port(word).map(|p| Filter::Port(q.dir, limited, p, p)),
        Kind::Range => {
            let (low, high) = word.split_once('-').ok_or_else(syntax)?;
            let (a, b) = (port(low)?, port(high)?);
            Ok(Filter::Port(q.dir, limited, a.min(b), a.max(b)))
        }
        _ => addressed(word, q, mask),
    }
}

fn addressed(word: &str, q: Quals, mask: Option<&str>) -> Result<Filter, String> {
    if matches!(q.kind, Kind::Port | Kind::Range) {
        // `ip port 80`: of both transports, over that family
        let family = q.proto.map_or(Filter::All, Filter::Proto);
        return Ok(Filter::And(Box::new(family), Box::new(identifier(word, Quals { proto: None, ..q }, mask)?)));
    }
    if q.kind == Kind::Proto {
        let n = number(word, 0xffff).or_else(|| above(word.trim_start_matches('\\')).map(u64::from));
        return match (q.proto, n) {
            (Some(Proto::Ether), _) => match (word.trim_start_matches('\\'), n) {
                ("ip", _) => Ok(Filter::EtherType(0x0800)),
                ("ip6", _) => Ok(Filter::EtherType(0x86dd)),
                ("arp", _) => Ok(Filter::EtherType(0x0806)),
                (_, Some(n)) => Ok(Filter::EtherType(n as u16)),
                _ => Err(format!("unknown ether proto '{word}'")),
            },
            (family, Some(n)) => u8::try_from(n).map(|n| Filter::IpProto(family, n)).map_err(|_| syntax()),
            (_, None) => Err(format!("unknown ip proto '{word}'")),
        };
    }
    if let Some(mac) = mac(word) {
        return match q.proto {
            Some(Proto::Ether) => Ok(Filter::Mac(q.dir, mac)),
            _ => Err("ethernet addresses are only supported with 'ether'".to_owned()),
        };
    }
    let (addr, len) = match word.split_once('/') {
        Some((a, l)) => (a, Some(number(l, 128).ok_or_else(syntax)? as u8)),
        None => (word, None),
    };
    if let Ok(v6) = addr.parse::<Ipv6Addr>() {
        return Ok(Filter::V6(q.dir, Prefix::new(v6, len.unwrap_or(128).min(128))));
    }
    // 10.1 is the net 10.1.0.0/16
    let parts: Vec<u8> = addr.split('.').map(str::parse).collect::<Result<_, _>>().map_err(|_| format!("unknown host '{word}'"))?;
    let mut octets = [0u8; 4];
    if parts.is_empty() || parts.len() > 4 {
        return Err(syntax());
    }
    octets[..parts.len()].copy_from_slice(&parts);
    let whole = match (len, mask) {
        (Some(l), _) if l <= 32 => l,
        (Some(_), _) => return Err("mask length must be <= 32".to_owned()),
        (None, Some(m)) => m.parse::<Ipv4Addr>().map_err(|_| syntax())?.to_bits().leading_ones() as u8,
        (None, None) => parts.len() as u8 * 8,
    };
    let net = Ipv4Addr::from(octets);
    let prefix = Prefix::new(net, whole);
    if prefix.addr() != net {
        return Err(format!("non-network bits set in \"{word}\""));
    }
    Ok(Filter::V4(q.dir, q.proto, prefix))
}

fn mac(word: &str) -> Option<Mac> {
    let bytes: Vec<u8> = word.split([':', '-']).map(|p| u8::from_str_radix(p, 16)).collect::<Result<_, _>>().ok()?;
    Some(Mac(bytes.try_into().ok()?))
}
