//! Values as people write them, read by the type that is wanted.
//!
//! Models: nft 1.0.6 src/datatype.c (the parse functions and their words).
//! Simplifies: of `/etc/services` a short list; host, user and group names but `root` are not resolved.

use super::super::datatype::{self, Data, DataType};
use super::error::{Refused, Span};
use super::lex::{Kind, Tok};
use super::{Parsed, Session};
use crate::linux::netfilter::option;
use crate::packet::Mac;
use std::net::{Ipv4Addr, Ipv6Addr};
use std::time::Duration;

/// A number: decimal, or with `0x`.
pub fn parse_number(s: &str) -> Option<u64> {
    match s.strip_prefix("0x").or_else(|| s.strip_prefix("0X")) {
        Some(hex) if !hex.starts_with('+') => u64::from_str_radix(hex, 16).ok(),
        Some(_) => None,
        None if s.bytes().all(|b| b.is_ascii_digit()) => s.parse().ok(),
        None => None,
    }
}

/// A time: `1h30m`, `90s`, `500ms`, `60`.
pub fn parse_duration(s: &str) -> Option<Duration> {
    if let Some(n) = parse_number(s) {
        return Some(Duration::from_secs(n.min(u64::from(u32::MAX))));
    }
    let mut ms = 0u64;
    let mut rest = s;
    while !rest.is_empty() {
        let digits = rest.bytes().take_while(u8::is_ascii_digit).count();
        let n: u64 = rest.get(..digits)?.parse().ok()?;
        rest = rest.get(digits..)?;
        let letters = rest.bytes().take_while(u8::is_ascii_alphabetic).count();
        let scale = match rest.get(..letters)? {
            "d" => 86_400_000,
            "h" => 3_600_000,
            "m" => 60_000,
            "s" => 1000,
            "ms" => 1,
            _ => return None,
        };
        ms = ms.checked_add(n.checked_mul(scale)?)?;
        rest = rest.get(letters..)?;
    }
    Some(Duration::from_millis(ms))
}

impl Session<'_> {
    /// One value of a type.
    pub(super) fn value(&mut self, t: DataType) -> Parsed<Data> {
        let tok = self.peek();
        match tok.kind {
            Kind::Word | Kind::Quoted => {
                // a priority is two numbers
                if t == DataType::ClassId && self.peek_at(1).text == ":" && self.peek_at(1).kind == Kind::Sign {
                    let high = self.class_part()?;
                    self.expect(":")?;
                    let low = self.class_part()?;
                    return Ok(Data::from_slice(&(high << 16 | low).to_be_bytes()));
                }
                self.next();
                self.parse_value(t, tok)
            }
            Kind::Sign if tok.text == "(" => {
                self.next();
                let v = self.flag_sum(t)?;
                self.expect(")")?;
                Ok(v)
            }
            Kind::Sign if tok.text == "[" => {
                self.next();
                let v = self.value(t)?;
                self.expect("]")?;
                Ok(v)
            }
            _ => self.unexpected(""),
        }
    }

    fn class_part(&mut self) -> Parsed<u32> {
        let t = self.next();
        u32::from_str_radix(t.text, 16).ok().filter(|n| *n <= 0xffff).ok_or_else(|| Refused::new(t.at, "Could not parse packet priority"))
    }

    /// Bits that are joined with `|`.
    pub(super) fn flag_sum(&mut self, t: DataType) -> Parsed<Data> {
        let mut v = self.value(t)?;
        while self.eat("|") || self.eat("or") {
            let more = self.value(t)?;
            v.iter_mut().zip(more).for_each(|(a, b)| *a |= b);
        }
        Ok(v)
    }

    fn parse_value(&self, t: DataType, tok: Tok<'_>) -> Parsed<Data> {
        let s = tok.text;
        let refuse = |m: String| Err(Refused::new(tok.at, m));
        match t {
            DataType::Ipv4Addr => match s.parse::<Ipv4Addr>() {
                Ok(a) => Ok(Data::from_slice(&a.octets())),
                Err(_) if s.parse::<Ipv6Addr>().is_ok() => {
                    refuse("Could not resolve hostname: Address family for hostname not supported".to_owned())
                }
                Err(_) => match parse_number(s).filter(|n| *n <= u64::from(u32::MAX)) {
                    Some(n) => Ok(Data::from_slice(&(n as u32).to_be_bytes())),
                    None if s.bytes().all(|b| b.is_ascii_digit() || b == b'.') => {
                        refuse("Could not resolve hostname: Name or service not known".to_owned())
                    }
                    None => refuse("Could not resolve hostname: Temporary failure in name resolution".to_owned()),
                },
            },
            DataType::Ipv6Addr => match s.parse::<Ipv6Addr>() {
                Ok(a) => Ok(Data::from_slice(&a.octets())),
                Err(_) if s.parse::<Ipv4Addr>().is_ok() => {
                    refuse("Could not resolve hostname: Address family for hostname not supported".to_owned())
                }
                Err(_) => refuse("Could not resolve hostname: Temporary failure in name resolution".to_owned()),
            },
            DataType::EtherAddr => match s.parse::<Mac>() {
                Ok(m) => Ok(Data::from_slice(&m.0)),
                Err(_) => refuse("Could not parse Ethernet address".to_owned()),
            },
            DataType::IfName => {
                let name = s.strip_suffix('*').unwrap_or(s);
                if name.len() > 15 { refuse("interface name is too long".to_owned()) } else { Ok(datatype::ifname(name)) }
            }
            DataType::IfIndex => match (self.env.device)(s).or_else(|| parse_number(s).and_then(|n| u32::try_from(n).ok())) {
                Some(i) => Ok(Data::from_slice(&i.to_be_bytes())),
                None => Err(Refused::missing(tok.at, "Interface does not exist")),
            },
            DataType::InetService => match parse_number(s) {
                Some(n) => t.data(n).ok_or_else(|| Refused::new(tok.at, "Service out of range")),
                None => match option::port(s) {
                    Some(p) => Ok(Data::from_slice(&p.to_be_bytes())),
                    None => refuse("Could not resolve service: Servname not supported for ai_socktype".to_owned()),
                },
            },
            DataType::InetProto => match parse_number(s).or_else(|| t.symbol(s).map(u64::from)) {
                Some(n) => t.data(n).ok_or_else(|| Refused::new(tok.at, "Protocol out of range")),
                None => refuse("Could not resolve protocol name".to_owned()),
            },
            DataType::Uid if parse_number(s).is_none() && s != "root" => refuse("User does not exist".to_owned()),
            DataType::Gid if parse_number(s).is_none() && s != "root" => refuse("Group does not exist".to_owned()),
            _ => {
                let n = parse_number(s).or_else(|| t.symbol(s).map(u64::from)).or_else(|| self.time_value(t, s));
                match n {
                    Some(n) => {
                        t.data(n).ok_or_else(|| Refused::new(tok.at, format!("Value {n} exceeds valid range 0-{}", (1u64 << t.bits()) - 1)))
                    }
                    None if matches!(t, DataType::Integer(_) | DataType::Mark) && t.symbols().is_empty() => {
                        refuse(format!("Could not parse {}", t.description()))
                    }
                    None => refuse(format!("Could not parse {}", t.description())),
                }
            }
        }
    }

    /// Times are numbers of milliseconds.
    fn time_value(&self, t: DataType, s: &str) -> Option<u64> {
        (t == DataType::Integer(32)).then(|| parse_duration(s)).flatten().map(|d| u64::try_from(d.as_millis()).unwrap_or(u64::MAX))
    }

    /// A part of a key: a value, a prefix, a range, a name with `*`. First and last.
    pub(super) fn span(&mut self, t: DataType) -> Parsed<(Data, Data)> {
        let tok = self.peek();
        let wildcard = t == DataType::IfName && tok.text.ends_with('*') && tok.text.len() > 1;
        let lo = self.value(t)?;
        if wildcard {
            let mut hi = lo.clone();
            let n = tok.text.len() - 1;
            hi.iter_mut().skip(n).for_each(|b| *b = 0xff);
            return Ok((lo, hi));
        }
        if self.is("/") && !t.is_bitmask() {
            self.next();
            let n = self.number()?;
            return prefix(t, &lo, n, tok.at.to(self.last_at()));
        }
        if self.eat("-") {
            let hi = self.value(t)?;
            if hi < lo {
                return Err(Refused::new(tok.at.to(self.last_at()), "Range negative size"));
            }
            return Ok((lo, hi));
        }
        Ok((lo.clone(), lo))
    }
}

/// First and last value of a prefix that is no longer than its type.
pub fn prefix_range(t: DataType, v: &Data, len: u32) -> Option<(Data, Data)> {
    prefix(t, v, u64::from(len), Span::default()).ok()
}

/// First and last value of a prefix.
pub(super) fn prefix(t: DataType, v: &Data, len: u64, at: Span) -> Parsed<(Data, Data)> {
    let bits = t.bits();
    if len > u64::from(bits) {
        return Err(Refused::new(at, format!("Prefix length {len} is invalid for type of {bits} bits width")));
    }
    let (mut lo, mut hi) = (v.clone(), v.clone());
    for (i, (a, b)) in lo.iter_mut().zip(hi.iter_mut()).enumerate() {
        let kept = (len as i64 - i as i64 * 8).clamp(0, 8) as u32;
        let host = (0xffu32 >> kept) as u8;
        *a &= !host;
        *b |= host;
    }
    Ok((lo, hi))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]

    use super::*;

    #[test]
    fn times_and_numbers() {
        let check = |s: &str, ms: Option<u128>| assert_eq!(parse_duration(s).map(|d| d.as_millis()), ms, "{s}");
        check("1h30m", Some(5_400_000));
        check("60", Some(60_000));
        check("500ms", Some(500));
        check("1d2h3m4s", Some(93_784_000));
        check("x", None);
        check("5y", None);
        assert_eq!(parse_number("0x4000"), Some(0x4000));
        assert_eq!(parse_number("12a"), None);
    }

    #[test]
    fn prefixes() {
        let v = Data::from_slice(&[10, 1, 2, 3]);
        let check = |len, lo: [u8; 4], hi: [u8; 4]| {
            let (a, b) = prefix(DataType::Ipv4Addr, &v, len, Span::default()).unwrap();
            assert_eq!((&a[..], &b[..]), (&lo[..], &hi[..]));
        };
        check(8, [10, 0, 0, 0], [10, 255, 255, 255]);
        check(0, [0, 0, 0, 0], [255, 255, 255, 255]);
        check(30, [10, 1, 2, 0], [10, 1, 2, 3]);
        check(32, [10, 1, 2, 3], [10, 1, 2, 3]);
        assert!(prefix(DataType::Ipv4Addr, &v, 33, Span::default()).is_err());
    }
}
