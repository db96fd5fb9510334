//! Elements as text, both ways.
//!
//! Models: ipset 7.17 lib/parse.c, lib/print.c, lib/icmp.c.
//! Simplifies: host names are not resolved; of ICMP types the names that iptables has.

use super::{Dim, Key, Set, cut};
use crate::linux::netfilter::matches::{icmp, icmp6};
use crate::linux::netfilter::option::{number, port};
use crate::linux::netfilter::spec::{bits_of, ip_of, parse_protocol, protocol_text};
use crate::packet::{Family, Ipv4Addr, Ipv6Addr, Mac};
use std::fmt::Write as _;

/// The most elements that one text may stand for.
const MOST: u128 = 1 << 16;

fn syntax(text: impl std::fmt::Display) -> String {
    format!("Syntax error: {text}")
}

fn address(s: &str, family: Family) -> Result<u128, String> {
    let (found, version) = match family {
        Family::Inet => (s.parse::<Ipv4Addr>().ok().map(|a| bits_of(a.into())), 4),
        Family::Inet6 => (s.parse::<Ipv6Addr>().ok().map(|a| bits_of(a.into())), 6),
    };
    found.ok_or_else(|| syntax(format_args!("cannot parse {s}: resolving to IPv{version} address failed")))
}

/// First and last address and the length of the prefix, if it was given.
fn addresses(s: &str, family: Family, bits: u8) -> Result<(u128, u128, Option<u8>), String> {
    if let Some((a, len)) = s.split_once('/') {
        let a = address(a, family)?;
        let len = number(len, u64::MAX).ok_or_else(|| syntax(format_args!("'{len}' is invalid as number")))?;
        if len > u64::from(bits) {
            return Err(syntax(format_args!("'{len}' is out of range 0-{bits}")));
        }
        let len = len as u8;
        let first = cut(a, len, bits);
        let host = u128::MAX.checked_shr(128 - u32::from(bits) + u32::from(len)).unwrap_or(0);
        return Ok((first, first | host, Some(len)));
    }
    match s.split_once('-').filter(|_| family == Family::Inet) {
        Some((a, b)) => {
            let (a, b) = (address(a, family)?, address(b, family)?);
            Ok((a.min(b), a.max(b), None))
        }
        None => {
            let a = address(s, family)?;
            Ok((a, a, Some(bits)))
        }
    }
}

/// The prefixes that make up a range of addresses.
fn prefixes(mut first: u128, last: u128, bits: u8) -> Vec<(u128, u8)> {
    let mut out = Vec::new();
    while first <= last && out.len() < MOST as usize {
        let mut size = first.trailing_zeros().min(u32::from(bits));
        while size > 0 && (size >= 127 || first + ((1u128 << size) - 1) > last) {
            size -= 1;
        }
        out.push((first, bits - size as u8));
        first += 1u128 << size;
    }
    out
}

/// `[proto:]port[-port]`: protocol, first, last.
fn ports(s: &str, bitmap: bool) -> Result<(u8, u16, u16), String> {
    let (proto, rest) = match s.split_once(':') {
        Some((p, r)) => (p, r),
        None => ("tcp", s),
    };
    let proto = parse_protocol(&proto.to_ascii_lowercase()).map_err(|_| syntax(format_args!("cannot parse '{proto}' as a protocol")))?.0;
    let one = |p: &str| {
        port(p).ok_or_else(|| syntax(format_args!("cannot parse '{p}' as a {} port", protocol_text(crate::packet::Protocol(proto)))))
    };
    match proto {
        6 | 17 | 132 | 136 => {
            let (a, b) = rest.split_once('-').unwrap_or((rest, rest));
            let (a, b) = (one(a)?, one(b)?);
            Ok((if bitmap { 0 } else { proto }, a.min(b), a.max(b)))
        }
        1 | 58 => {
            let (what, names) = if proto == 1 { ("ICMP", icmp::NAMES) } else { ("ICMPv6", icmp6::NAMES) };
            let (kind, (code, _)) =
                icmp::parse(rest, what, names).map_err(|_| syntax(format_args!("cannot parse {rest} as an {what} type")))?;
            let n = u16::from(kind) << 8 | u16::from(code);
            Ok((proto, n, n))
        }
        _ if rest == "0" => Ok((proto, 0, 0)),
        p => {
            let name = protocol_text(crate::packet::Protocol(p));
            Err(syntax(format_args!("Protocol {name} can be used with pseudo port value 0 only.")))
        }
    }
}

fn mac(s: &str) -> Result<u64, String> {
    let m: Mac = s.parse().map_err(|_| syntax(format_args!("cannot parse '{s}' as MAC address")))?;
    Ok(m.0.iter().fold(0, |n, b| n << 8 | u64::from(*b)))
}

/// The elements that a text stands for.
///
/// # Errors
/// In the words of ipset, without its name before them.
pub fn parse(set: &Set, text: &str) -> Result<Vec<Key>, String> {
    let dims = set.kind.dims;
    let parts: Vec<&str> = text.split(',').collect();
    if dims.len() == 1 && parts.len() > 1 {
        return Err(syntax(format_args!("Elem separator in {text}, but settype {} supports none.", set.kind.name)));
    }
    if parts.len() < dims.len() {
        let which = ["First", "Second", "Third"][parts.len().min(2)];
        return Err(syntax(format_args!("{which} element is missing from {text}.")));
    }
    if parts.len() > dims.len() {
        return Err(syntax(format_args!("too many elements in {text}.")));
    }
    let (bits, family) = (set.bits(), set.options.family);
    let mut keys = vec![Key::default()];
    let mut first = true;
    for (dim, part) in dims.iter().zip(parts) {
        let mut next: Vec<Key> = Vec::new();
        let mut grow = |change: &dyn Fn(&mut Key)| {
            next.extend(keys.iter().cloned().map(|mut k| {
                change(&mut k);
                k
            }));
        };
        match dim {
            Dim::Ip | Dim::Net => {
                let (a, b, len) = addresses(part, family, bits)?;
                let one = first;
                let values: Vec<(u128, u8)> = if *dim == Dim::Net {
                    if len == Some(0) {
                        return Err("The value of the CIDR parameter of the IP address is invalid".to_owned());
                    }
                    len.map_or_else(|| prefixes(a, b, bits), |len| vec![(a, len)])
                } else {
                    if len == Some(0) || b - a >= MOST {
                        return Err("The value of the CIDR parameter of the IP address is invalid".to_owned());
                    }
                    let mask = set.options.netmask.filter(|_| one).unwrap_or(bits);
                    let mut all: Vec<(u128, u8)> = (a..=b).map(|n| (cut(n, mask, bits), bits)).collect();
                    all.dedup();
                    all
                };
                for (addr, len) in values {
                    grow(&|k| if one { (k.ip, k.len) = (addr, len) } else { (k.ip2, k.len2) = (addr, len) });
                }
                first = false;
            }
            Dim::Port => {
                let (proto, a, b) = ports(part, set.is_bitmap())?;
                for p in a..=b {
                    grow(&|k| (k.proto, k.port) = (proto, p));
                }
            }
            Dim::Mac => {
                let n = mac(part)?;
                grow(&|k| k.number = n);
            }
            Dim::Mark => {
                let n = number(part, u32::MAX.into()).ok_or_else(|| syntax(format_args!("'{part}' is invalid as number")))?;
                grow(&|k| k.number = n & u64::from(set.options.markmask));
            }
            Dim::Iface => {
                let (phys, name) = part.strip_prefix("physdev:").map_or((false, part), |n| (true, n));
                if name.len() > 15 {
                    return Err(syntax(format_args!("interface name '{name}' is longer than 15 characters")));
                }
                grow(&|k| (k.iface, k.physdev) = (name.into(), phys));
            }
            Dim::Set => grow(&|k| k.iface = part.into()),
        }
        keys = next;
        if keys.len() as u128 > MOST {
            return Err("The range you specified exceeds the size limit of the set type".to_owned());
        }
    }
    if set.is_bitmap() {
        let value = |k: &Key| if dims == [Dim::Port] { u32::from(k.port) } else { k.ip as u32 };
        if keys.iter().any(|k| value(k) < set.options.range.0 || value(k) > set.options.range.1) {
            return Err("Element is out of the range of the set".to_owned());
        }
    } else if dims.first() == Some(&Dim::Ip) && keys.iter().any(|k| k.ip == 0) {
        return Err("Null-valued element, cannot be stored in a hash type of set".to_owned());
    }
    Ok(keys)
}

/// An element as it is listed.
pub fn text(set: &Set, key: &Key) -> String {
    let (bits, family) = (set.bits(), set.options.family);
    let mut out = String::new();
    let mut first = true;
    for (i, dim) in set.kind.dims.iter().enumerate() {
        if i > 0 {
            out.push(',');
        }
        match dim {
            Dim::Ip | Dim::Net => {
                let (addr, len) = if first { (key.ip, key.len) } else { (key.ip2, key.len2) };
                first = false;
                let _ = write!(out, "{}", ip_of(addr, family));
                if len != bits && *dim == Dim::Net {
                    let _ = write!(out, "/{len}");
                }
            }
            Dim::Port if set.is_bitmap() => {
                let _ = write!(out, "{}", key.port);
            }
            Dim::Port => {
                let _ = write!(out, "{}:", protocol_text(crate::packet::Protocol(key.proto)));
                let names = match key.proto {
                    1 => icmp::NAMES,
                    58 => icmp6::NAMES,
                    _ => &[],
                };
                let (kind, code) = ((key.port >> 8) as u8, key.port as u8);
                let known = |n: &&icmp::Name| n.0 != "any" && n.1 == kind && (n.2, n.3) == (code, code);
                let general = |n: &&icmp::Name| n.0 != "any" && n.1 == kind && (n.2, n.3) == (0, 255) && code == 0;
                let _ = match (key.proto, names.iter().find(known).or_else(|| names.iter().find(general))) {
                    (1 | 58, Some((name, ..))) => write!(out, "{name}"),
                    (1 | 58, None) => write!(out, "{kind}/{code}"),
                    _ => write!(out, "{}", key.port),
                };
            }
            Dim::Mac => {
                let b = key.number.to_be_bytes();
                let _ = write!(out, "{:02X}:{:02X}:{:02X}:{:02X}:{:02X}:{:02X}", b[2], b[3], b[4], b[5], b[6], b[7]);
            }
            Dim::Mark => {
                let _ = write!(out, "{:#010x}", key.number);
            }
            Dim::Iface => {
                let _ = write!(out, "{}{}", if key.physdev { "physdev:" } else { "" }, key.iface);
            }
            Dim::Set => out.push_str(&key.iface),
        }
    }
    out
}
