//! Values that stand in strings: durations, shares, addresses, ranges, places, references, listeners.

use crate::text::Span;
use crate::text::de::{AT, PART};
use serde::de::{self, Deserialize, Deserializer, MapAccess, SeqAccess, Visitor};
use sim_core::packet::{IpAddr, Ipv4Addr, Prefix};
use std::fmt;
use std::marker::PhantomData;
use std::ops::Deref;
use std::time::Duration;

/// A value with its place in the file. Two are equal if the values are.
#[derive(Clone, Debug, Default)]
pub struct At<T> {
    /// The value.
    pub value: T,
    /// Where it stands.
    pub span: Span,
}

impl<T> At<T> {
    /// A value that stands nowhere.
    pub fn nowhere(value: T) -> Self {
        At { value, span: Span::default() }
    }
}

impl<T> Deref for At<T> {
    type Target = T;
    fn deref(&self) -> &T {
        &self.value
    }
}

impl<T: PartialEq> PartialEq for At<T> {
    fn eq(&self, other: &Self) -> bool {
        self.value == other.value
    }
}

impl<'de, T: Deserialize<'de>> Deserialize<'de> for At<T> {
    fn deserialize<D: Deserializer<'de>>(d: D) -> Result<Self, D::Error> {
        struct V<T>(PhantomData<T>);
        impl<'de, T: Deserialize<'de>> Visitor<'de> for V<T> {
            type Value = At<T>;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a value")
            }
            fn visit_newtype_struct<D: Deserializer<'de>>(self, d: D) -> Result<At<T>, D::Error> {
                Ok(At::nowhere(T::deserialize(d)?))
            }
            fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<At<T>, A::Error> {
                let start: u64 = seq.next_element()?.unwrap_or_default();
                let end: u64 = seq.next_element()?.unwrap_or_default();
                let value = seq.next_element()?.ok_or_else(|| de::Error::custom("no value"))?;
                Ok(At { value, span: Span::new(start as usize, end as usize) })
            }
        }
        d.deserialize_newtype_struct(AT, V(PhantomData))
    }
}

/// What is wrong with a value, and how it is written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Complaint {
    /// What is wrong.
    pub what: String,
    /// Words at the place.
    pub label: String,
    /// How to repair it.
    pub help: String,
}

impl Complaint {
    /// A complaint.
    pub fn new(what: impl Into<String>, label: impl Into<String>, help: impl Into<String>) -> Self {
        Complaint { what: what.into(), label: label.into(), help: help.into() }
    }
}

impl fmt::Display for Complaint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}{PART}{}{PART}{}", self.what, self.label, self.help)
    }
}

/// A value that is read from a string.
pub(super) trait FromText: Sized {
    const WHAT: &'static str;
    fn from_text(s: &str) -> Result<Self, Complaint>;
}

macro_rules! from_string {
    ($t:ty) => {
        impl<'de> Deserialize<'de> for $t {
            fn deserialize<D: Deserializer<'de>>(d: D) -> Result<Self, D::Error> {
                struct V;
                impl Visitor<'_> for V {
                    type Value = $t;
                    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                        f.write_str(<$t as FromText>::WHAT)
                    }
                    fn visit_str<E: de::Error>(self, s: &str) -> Result<$t, E> {
                        <$t as FromText>::from_text(s).map_err(E::custom)
                    }
                }
                d.deserialize_str(V)
            }
        }
    };
}
pub(super) use from_string;

/// A length of time in Go's form: `"200us"`, `"1m30s"`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Default)]
pub struct Dur(pub Duration);

impl FromText for Dur {
    const WHAT: &'static str = "a duration such as \"5ms\"";
    fn from_text(s: &str) -> Result<Self, Complaint> {
        parse_duration(s).map(Dur)
    }
}
from_string!(Dur);

/// Reads Go's form of a duration: numbers with units `h m s ms us ns`, in a row; `0` alone. Not negative, at most 1,000 hours.
///
/// # Errors
/// If it is none.
pub fn parse_duration(s: &str) -> Result<Duration, Complaint> {
    const HELP: &str = "durations are written as in Go: \"200us\", \"5ms\", \"1.5s\", \"1m30s\"";
    let bad = |label: &str| Complaint::new(format!("`{s}` is no duration"), label, HELP);
    if s == "0" {
        return Ok(Duration::ZERO);
    }
    let mut rest = s;
    let mut total: u128 = 0;
    if rest.is_empty() {
        return Err(bad("nothing stands in the quotes"));
    }
    while !rest.is_empty() {
        let number = rest.find(|c: char| !(c.is_ascii_digit() || c == '.')).unwrap_or(rest.len());
        let (digits, after) = rest.split_at(number);
        let unit_len = after.find(|c: char| c.is_ascii_digit() || c == '.').unwrap_or(after.len());
        let (unit, next) = after.split_at(unit_len);
        let scale: u128 = match unit {
            "h" => 3_600_000_000_000,
            "m" => 60_000_000_000,
            "s" => 1_000_000_000,
            "ms" => 1_000_000,
            "us" | "µs" | "μs" => 1_000,
            "ns" => 1,
            "" => return Err(bad("a unit is missing")),
            _ if digits.is_empty() => return Err(bad("it begins with no number")),
            _ => return Err(bad("the units are h, m, s, ms, us, ns")),
        };
        let (whole, fraction) = digits.split_once('.').unwrap_or((digits, ""));
        if (whole.is_empty() && fraction.is_empty()) || fraction.contains('.') || whole.len() > 18 || fraction.len() > 18 {
            return Err(bad("no number before the unit"));
        }
        let value = |t: &str| if t.is_empty() { Some(0u128) } else { t.parse::<u128>().ok() };
        let (Some(w), Some(f)) = (value(whole), value(fraction)) else { return Err(bad("no number before the unit")) };
        total += w * scale + f * scale / 10u128.pow(fraction.len() as u32);
        rest = next;
    }
    if total > 3_600_000_000_000 * 1000 {
        return Err(bad("longer than 1000h"));
    }
    Ok(Duration::from_nanos(u64::try_from(total).unwrap_or(u64::MAX)))
}

/// A duration in Go's form.
pub fn print_duration(d: Duration) -> String {
    let ns = d.as_nanos();
    let with = |unit: u128, name: &str| {
        let (whole, rest) = (ns / unit, ns % unit);
        if rest == 0 {
            return format!("{whole}{name}");
        }
        let width = unit.to_string().len() - 1;
        let fraction = format!("{rest:0width$}");
        format!("{whole}.{}{name}", fraction.trim_end_matches('0'))
    };
    match ns {
        0 => "0".to_owned(),
        n if n < 1_000 => with(1, "ns"),
        n if n < 1_000_000 => with(1_000, "us"),
        n if n < 1_000_000_000 => with(1_000_000, "ms"),
        n if n < 60_000_000_000 => with(1_000_000_000, "s"),
        n => {
            let minutes = n / 60_000_000_000;
            let rest = n % 60_000_000_000;
            let tail = if rest == 0 { String::new() } else { print_duration(Duration::from_nanos(rest as u64)) };
            if minutes < 60 { format!("{minutes}m{tail}") } else { format!("{}h{}m{tail}", minutes / 60, minutes % 60) }
        }
    }
}

/// An IPv4 address.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Addr(pub Ipv4Addr);

impl FromText for Addr {
    const WHAT: &'static str = "an address such as \"10.244.0.2\"";
    fn from_text(s: &str) -> Result<Self, Complaint> {
        s.parse().map(Addr).map_err(|_| address_complaint(s))
    }
}
from_string!(Addr);

/// An address of either family.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct AnyAddr(pub IpAddr);

impl FromText for AnyAddr {
    const WHAT: &'static str = "an address such as \"10.244.0.2\" or \"fd00::2\"";
    fn from_text(s: &str) -> Result<Self, Complaint> {
        s.parse().map(AnyAddr).map_err(|_| address_complaint(s))
    }
}
from_string!(AnyAddr);

fn address_complaint(s: &str) -> Complaint {
    let label = if s.parse::<std::net::Ipv6Addr>().is_ok() {
        "an IPv4 address is needed here"
    } else if s.contains('/') {
        "an address alone, without /length"
    } else if s.split('.').count() == 4 && s.split('.').all(|p| p.parse::<u32>().is_ok()) {
        "each part is 0 to 255, without leading zeros"
    } else {
        "four numbers with dots between them"
    };
    Complaint::new(format!("`{s}` is no address"), label, "addresses are written \"10.244.0.2\"")
}

/// An IPv4 address range.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Cidr(pub Prefix<Ipv4Addr>);

impl FromText for Cidr {
    const WHAT: &'static str = "an address range such as \"10.244.0.0/24\"";
    fn from_text(s: &str) -> Result<Self, Complaint> {
        const HELP: &str = "ranges are written \"10.244.0.0/24\"";
        if !s.contains('/') {
            return Err(Complaint::new(format!("`{s}` is no address range"), "the /length is missing", HELP));
        }
        s.parse::<Prefix<Ipv4Addr>>().map(Cidr).map_err(|e| match e {
            sim_core::packet::prefix::ParsePrefixError::HostBits(_, len, range) => Complaint::new(
                format!("`{s}` is no address range"),
                format!("bits are set behind /{len}"),
                format!("the range is \"{range}\""),
            ),
            other => Complaint::new(format!("`{s}` is no address range"), other.to_string(), HELP),
        })
    }
}
from_string!(Cidr);

/// A hardware address.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct MacText(pub sim_core::packet::Mac);

impl FromText for MacText {
    const WHAT: &'static str = "a hardware address such as \"02:42:ac:11:00:02\"";
    fn from_text(s: &str) -> Result<Self, Complaint> {
        s.parse().map(MacText).map_err(|_| {
            Complaint::new(format!("`{s}` is no hardware address"), "six pairs of hexadecimal digits", "written \"02:42:ac:11:00:02\"")
        })
    }
}
from_string!(MacText);

/// A protocol of the transport layer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default, serde::Deserialize)]
pub enum Proto {
    /// TCP.
    #[default]
    TCP,
    /// UDP.
    UDP,
    /// SCTP.
    SCTP,
}

/// A port number or the name of a container's port.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum PortRef {
    /// A number.
    Number(u16),
    /// A name.
    Name(String),
}

impl<'de> Deserialize<'de> for PortRef {
    fn deserialize<D: Deserializer<'de>>(d: D) -> Result<Self, D::Error> {
        struct V;
        impl Visitor<'_> for V {
            type Value = PortRef;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a port number, or a port's name in quotes")
            }
            fn visit_u64<E: de::Error>(self, n: u64) -> Result<PortRef, E> {
                port(n).map(PortRef::Number).map_err(E::custom)
            }
            fn visit_str<E: de::Error>(self, s: &str) -> Result<PortRef, E> {
                Ok(PortRef::Name(s.to_owned()))
            }
        }
        d.deserialize_any(V)
    }
}

fn port(n: u64) -> Result<u16, Complaint> {
    match u16::try_from(n) {
        Ok(p) if p > 0 => Ok(p),
        _ => Err(Complaint::new(format!("{n} is no port"), "ports are 1 to 65535", "choose a port from 1 to 65535")),
    }
}

/// Where a server listens, and how it answers.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Listen {
    /// TCP or UDP.
    pub protocol: Proto,
    /// The port.
    pub port: u16,
    /// HTTP status of its answers.
    pub status: Option<u16>,
    /// How long it thinks before it answers.
    pub delay: Duration,
}

#[derive(serde::Deserialize)]
#[serde(deny_unknown_fields, rename = "ListenSpec")]
struct ListenSpec {
    port: u16,
    #[serde(default)]
    protocol: Proto,
    #[serde(default)]
    status: Option<u16>,
    #[serde(default)]
    delay: Dur,
}

impl<'de> Deserialize<'de> for Listen {
    fn deserialize<D: Deserializer<'de>>(d: D) -> Result<Self, D::Error> {
        struct V;
        impl<'de> Visitor<'de> for V {
            type Value = Listen;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a port: 80, \"53/udp\" or (port: 80, …)")
            }
            fn visit_u64<E: de::Error>(self, n: u64) -> Result<Listen, E> {
                Ok(Listen { protocol: Proto::TCP, port: port(n).map_err(E::custom)?, status: None, delay: Duration::ZERO })
            }
            fn visit_str<E: de::Error>(self, s: &str) -> Result<Listen, E> {
                let bad = || {
                    E::custom(Complaint::new(
                        format!("`{s}` is no listener"),
                        "port/tcp or port/udp",
                        "write 80, \"53/udp\" or (port: 80, status: 504)",
                    ))
                };
                let (number, proto) = s.split_once('/').unwrap_or((s, "tcp"));
                let protocol = match proto {
                    "tcp" => Proto::TCP,
                    "udp" => Proto::UDP,
                    _ => return Err(bad()),
                };
                let number: u64 = number.parse().map_err(|_| bad())?;
                Ok(Listen { protocol, port: port(number).map_err(E::custom)?, status: None, delay: Duration::ZERO })
            }
            fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<Listen, A::Error> {
                let spec = ListenSpec::deserialize(de::value::MapAccessDeserializer::new(map))?;
                let port = port(u64::from(spec.port)).map_err(de::Error::custom)?;
                Ok(Listen { protocol: spec.protocol, port, status: spec.status, delay: spec.delay.0 })
            }
        }
        d.deserialize_any(V)
    }
}

/// Prose: line breaks and indentation fold into one space, an empty line is a paragraph.
#[derive(Clone, Debug, PartialEq, Eq, Default)]
pub struct Prose(pub String);

impl Prose {
    /// The paragraphs.
    pub fn paragraphs(&self) -> Vec<String> {
        let mut out = vec![String::new()];
        for line in self.0.lines() {
            let line = line.trim();
            match out.last_mut() {
                Some(last) if line.is_empty() && last.is_empty() => {}
                Some(_) if line.is_empty() => out.push(String::new()),
                Some(last) => {
                    if !last.is_empty() {
                        last.push(' ');
                    }
                    last.push_str(line);
                }
                None => {}
            }
        }
        out.retain(|p| !p.is_empty());
        out
    }

    /// The text, paragraphs with an empty line between them.
    pub fn text(&self) -> String {
        self.paragraphs().join("\n\n")
    }
}

impl<'de> Deserialize<'de> for Prose {
    fn deserialize<D: Deserializer<'de>>(d: D) -> Result<Self, D::Error> {
        String::deserialize(d).map(Prose)
    }
}

/// A reference, where an address may stand: `"pod/web"`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Ref {
    /// A pod: namespace, name.
    Pod(String, String),
    /// A Service: namespace, name.
    Service(String, String),
    /// A node.
    Node(String),
    /// A host.
    Host(String),
}

/// Where traffic goes, or an address that is compared.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Target {
    /// An address.
    Addr(IpAddr),
    /// What is named.
    Ref(Ref),
    /// A host name that the client resolves.
    Name(String),
}

impl Target {
    /// Reads an address, a reference, or else a host name.
    ///
    /// # Errors
    /// If it looks like one of them and is none.
    pub fn parse(s: &str) -> Result<Target, Complaint> {
        const HELP: &str = "an address, \"pod/NAME\", \"svc/NAME\", \"node/NAME\", \"host/NAME\" or a host name";
        let bad = |label: &str| Complaint::new(format!("`{s}` is no destination"), label, HELP);
        if let Ok(a) = s.parse() {
            return Ok(Target::Addr(a));
        }
        if s.is_empty() {
            return Err(bad("nothing stands in the quotes"));
        }
        if s.contains(':') {
            return Err(bad("a port stands in its own field: `port: 80`"));
        }
        if let Some((kind, rest)) = s.split_once('/') {
            let parts: Vec<&str> = rest.split('/').collect();
            if parts.iter().any(|p| p.is_empty()) {
                return Err(bad("a name is missing"));
            }
            let named = |parts: &[&str]| match parts {
                [name] => Some(("default".to_owned(), (*name).to_owned())),
                [ns, name] => Some(((*ns).to_owned(), (*name).to_owned())),
                _ => None,
            };
            return match (kind, &parts[..]) {
                ("pod" | "pods", p) => named(p).map(|(n, x)| Target::Ref(Ref::Pod(n, x))).ok_or_else(|| bad("pod/NAMESPACE/NAME at most")),
                ("svc" | "service", p) => {
                    named(p).map(|(n, x)| Target::Ref(Ref::Service(n, x))).ok_or_else(|| bad("svc/NAMESPACE/NAME at most"))
                }
                ("node", [n]) => Ok(Target::Ref(Ref::Node((*n).to_owned()))),
                ("host", [n]) => Ok(Target::Ref(Ref::Host((*n).to_owned()))),
                (k, _) if k.parse::<Ipv4Addr>().is_ok() => Err(bad("an address alone, without /length")),
                _ => Err(bad("a reference begins with pod/, svc/, node/ or host/")),
            };
        }
        if s.split('.').count() == 4 && s.split('.').all(|p| p.parse::<u64>().is_ok()) {
            return Err(address_complaint(s));
        }
        let host_name = s.split('.').all(|l| l.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-' || b == b'_') && l.len() <= 63);
        if host_name { Ok(Target::Name(s.to_owned())) } else { Err(bad("not a host name either")) }
    }
}

impl FromText for Target {
    const WHAT: &'static str = "an address, a reference such as \"pod/web\", or a host name";
    fn from_text(s: &str) -> Result<Self, Complaint> {
        Target::parse(s)
    }
}
from_string!(Target);

/// A bare word of a list that only the checks know.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Word(pub String);

impl<'de> Deserialize<'de> for Word {
    fn deserialize<D: Deserializer<'de>>(d: D) -> Result<Self, D::Error> {
        struct V;
        struct Name;
        impl<'de> de::DeserializeSeed<'de> for Name {
            type Value = String;
            fn deserialize<D: Deserializer<'de>>(self, d: D) -> Result<String, D::Error> {
                struct S;
                impl Visitor<'_> for S {
                    type Value = String;
                    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                        f.write_str("a bare word")
                    }
                    fn visit_str<E: de::Error>(self, s: &str) -> Result<String, E> {
                        Ok(s.to_owned())
                    }
                }
                d.deserialize_identifier(S)
            }
        }
        impl<'de> Visitor<'de> for V {
            type Value = Word;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a bare word")
            }
            fn visit_enum<A: de::EnumAccess<'de>>(self, a: A) -> Result<Word, A::Error> {
                let (word, rest) = a.variant_seed(Name)?;
                de::VariantAccess::unit_variant(rest)?;
                Ok(Word(word))
            }
        }
        d.deserialize_enum("Word", &[], V)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations() {
        let ok = |s: &str, ns: u64| {
            assert_eq!(parse_duration(s).map(|d| d.as_nanos() as u64), Ok(ns), "{s}");
            let printed = print_duration(Duration::from_nanos(ns));
            assert_eq!(parse_duration(&printed).map(|d| d.as_nanos() as u64), Ok(ns), "{printed}");
        };
        ok("200us", 200_000);
        ok("5ms", 5_000_000);
        ok("1m30s", 90_000_000_000);
        ok("1.5s", 1_500_000_000);
        ok("0", 0);
        ok("2h0m0.5s", 7_200_500_000_000);
        for bad in ["", "5", "s", "5 s", "-1s", "5d", "1..5s", "99999999999999999999s", "2000h", "1e3s", "."] {
            assert!(parse_duration(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn shares() {
        let read = |s: &str| super::super::rate::Share::from_text(s).map(|s| s.0).ok();
        assert_eq!(read("0.5%"), Some(5_000));
        assert_eq!(read("100%"), Some(1_000_000));
        assert_eq!(read("0.0001%"), Some(1));
        assert_eq!(read("101%"), None);
        assert_eq!(read("5"), None);
    }

    #[test]
    fn targets() {
        assert_eq!(Target::parse("pod/web"), Ok(Target::Ref(Ref::Pod("default".into(), "web".into()))));
        assert_eq!(Target::parse("svc/shop/web"), Ok(Target::Ref(Ref::Service("shop".into(), "web".into()))));
        assert_eq!(Target::parse("10.0.0.1"), Ok(Target::Addr(Ipv4Addr::new(10, 0, 0, 1).into())));
        assert_eq!(Target::parse("fd00::2"), Ok(Target::Addr("fd00::2".parse().expect("an address"))));
        assert_eq!(Target::parse("shop.example.com"), Ok(Target::Name("shop.example.com".into())));
        for bad in ["", "10.0.0.256", "10.0.0.1:80", "pdo/web", "pod/", "node/a/b", "10.0.0.0/24", "a b", "fd00::2::1"] {
            assert!(Target::parse(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn prose_folds() {
        let p = Prose("One\n      line.\n\n   Two.\r\n".to_owned());
        assert_eq!(p.paragraphs(), ["One line.", "Two."]);
    }
}
