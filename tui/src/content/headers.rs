//! The header stack at a step: each field, and what it became.

use super::{owner_of_addr, owner_of_mac};
use crate::lesson::Lesson;
use sim_core::report::value::find;
use sim_core::report::{StepView, Value};

/// A field.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Field {
    /// Its name: `ttl`.
    pub name: &'static str,
    /// Its value before the step.
    pub value: String,
    /// Its value after, if the step changed it.
    pub becomes: Option<String>,
    /// Whose address that is.
    pub note: Option<String>,
}

/// A header.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Header {
    /// Its layer: `L3`.
    pub level: &'static str,
    /// Its name: `ipv4`.
    pub name: &'static str,
    /// Its name as people write it: `IPv4`.
    pub title: &'static str,
    /// Its fields in order.
    pub fields: Vec<Field>,
    /// Whether it stands in the packet that an ICMP error quotes.
    pub quoted: bool,
}

impl Header {
    /// How many fields the step changed.
    pub fn changed(&self) -> usize {
        self.fields.iter().filter(|f| f.becomes.is_some()).count()
    }

    /// The field called `name`.
    pub fn field(&self, name: &str) -> Option<&Field> {
        self.fields.iter().find(|f| f.name == name)
    }
}

fn titles(name: &str) -> (&'static str, &'static str) {
    match name {
        "eth" => ("L2", "Ethernet"),
        "arp" => ("L2", "ARP"),
        "ipv4" => ("L3", "IPv4"),
        "ipv6" => ("L3", "IPv6"),
        "icmp" => ("L3", "ICMP"),
        "icmpv6" => ("L3", "ICMPv6"),
        "tcp" => ("L4", "TCP"),
        "udp" => ("L4", "UDP"),
        "data" => ("L4", "data"),
        _ => ("", ""),
    }
}

/// The headers at a step, outermost first; empty if there is no packet yet.
pub fn headers(lesson: &Lesson<'_>, view: &StepView<'_>) -> Vec<Header> {
    let mut out = Vec::new();
    for layer in &view.headers {
        out.push(header(lesson, view, layer.name, &layer.fields, "", false));
        for q in layer.quoted.iter().flatten() {
            out.push(header(lesson, view, q.name, &q.fields, "quoted.", true));
        }
    }
    out
}

fn header(
    lesson: &Lesson<'_>,
    view: &StepView<'_>,
    name: &'static str,
    fields: &[(&'static str, Value)],
    path: &str,
    quoted: bool,
) -> Header {
    let (level, title) = titles(name);
    let set = |v: &Value| matches!(v, Value::Bool(true));
    let fields = fields
        .iter()
        .filter_map(|(field, value)| {
            let full = format!("{path}{name}.{field}");
            let change = view.changed.iter().find(|c| c.field == full);
            if name == "ipv4" && change.is_none() {
                // the flags as tcpdump has them, and nothing of a fragment where there is none
                match *field {
                    "df" | "mf" if set(value) => {
                        return Some(Field { name: "flags", value: field.to_uppercase(), becomes: None, note: None });
                    }
                    "df" | "mf" => return None,
                    "offset" if *value == Value::Num(0) => return None,
                    _ => {}
                }
            }
            // a header that is not written yet has no addresses
            let shown = |v: &Value| match v.to_string() {
                zero if name == "eth" && zero == "00:00:00:00:00:00" => "-".to_owned(),
                other => other,
            };
            let value = shown(change.map_or(value, |c| &c.from));
            let becomes = change.map(|c| shown(&c.to));
            let last = becomes.as_deref().unwrap_or(&value);
            let note = match (name, *field) {
                ("eth", "src" | "dst") | ("arp", "sender_mac" | "target_mac") => owner_of_mac(lesson, last),
                ("ipv4", "src" | "dst") | ("arp", "sender" | "target") => owner_of_addr(lesson, last),
                ("eth", "type") => ether_type(last).map(str::to_owned),
                ("icmp", "type") => icmp_words(fields),
                _ => None,
            };
            Some(Field { name: field, value, becomes, note })
        })
        .collect();
    Header { level, name, title: if title.is_empty() { name } else { title }, fields, quoted }
}

fn ether_type(number: &str) -> Option<&'static str> {
    match number {
        "0x0800" => Some("IPv4"),
        "0x0806" => Some("ARP"),
        "0x86dd" => Some("IPv6"),
        _ => None,
    }
}

fn icmp_words(fields: &[(&'static str, Value)]) -> Option<String> {
    let number = |name| match find(fields, name) {
        Some(Value::Num(n)) => u8::try_from(*n).ok(),
        _ => None,
    };
    Some(sim_core::report::names::icmp_name(number("type")?, number("code")?))
}

/// How many header fields a step changed.
pub fn changes(view: &StepView<'_>) -> usize {
    view.changed.len()
}

/// The packet's length on the wire in bytes, as far as the headers tell it.
pub fn length(view: &StepView<'_>) -> Option<u64> {
    let ip = view.headers.iter().find(|l| l.name == "ipv4")?;
    match find(&ip.fields, "len") {
        Some(Value::Num(n)) => Some(n + 14),
        _ => None,
    }
}
