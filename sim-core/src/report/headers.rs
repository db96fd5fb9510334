//! The headers of a frame as layers of named values, and the fields that a change touched.

use super::value::{Fields, Value, find};
use crate::packet::field::{self, FieldValue, HeaderView};
use crate::packet::{Frame, Quoted};

/// One header.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Layer {
    /// `eth`, `arp`, `ipv4`, `icmp`, `tcp`, `udp`, …
    pub name: &'static str,
    /// Its fields in the order in which they are shown. `payload` is a length in bytes.
    pub fields: Fields,
    /// The headers of the packet that an ICMP error is about.
    pub quoted: Option<Vec<Layer>>,
}

/// A field that differs between two sets of headers.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FieldChange {
    /// `ipv4.ttl`, `quoted.tcp.dport`.
    pub field: String,
    /// The value before; null if there was no such field.
    pub from: Value,
    /// The value after; null if there is no such field.
    pub to: Value,
}

impl FieldChange {
    /// Whether the field follows from others, as checksums do.
    pub fn follows(&self) -> bool {
        self.field.ends_with(".checksum")
    }
}

fn value(v: &FieldValue) -> Value {
    match v {
        FieldValue::Number(n) => Value::Num(*n),
        FieldValue::Flag(b) => Value::Bool(*b),
        FieldValue::Bytes(b) => Value::Num(b.len() as u64),
        FieldValue::Absent => Value::Null,
        FieldValue::Hex(_) | FieldValue::Addr(_) | FieldValue::Mac(_) | FieldValue::Text(_) => Value::Text(v.to_string()),
    }
}

fn layer(view: &HeaderView) -> Layer {
    Layer { name: view.name, fields: view.fields.iter().map(|(n, v)| (*n, value(v))).collect(), quoted: None }
}

/// The headers of `frame`, outermost first.
pub fn layers(frame: &Frame) -> Vec<Layer> {
    let mut out: Vec<Layer> = frame.fields().iter().map(layer).collect();
    if let (Some(q), Some(last)) = (frame.innermost().quoted(), out.last_mut()) {
        last.quoted = Some(Quoted::headers(q).iter().map(layer).collect());
    }
    out
}

/// Every field that differs.
pub fn diff(before: &Frame, after: &Frame) -> Vec<FieldChange> {
    let change = |c: field::FieldChange| FieldChange { from: value(&c.from), to: value(&c.to), field: c.field };
    Frame::diff(before, after).into_iter().map(change).collect()
}

/// The value of `path`: `ipv4.ttl`, `quoted.tcp.dport`; of several headers of that name, the innermost.
pub fn lookup<'l>(layers: &'l [Layer], path: &str) -> Option<&'l Value> {
    let (name, rest) = path.split_once('.')?;
    if name == "quoted" {
        return layers.iter().rev().find_map(|l| lookup(l.quoted.as_deref()?, rest));
    }
    layers.iter().rev().filter(|l| l.name == name).find_map(|l| find(&l.fields, rest))
}

/// The value of the field called `name` in the innermost header that has one.
pub fn innermost<'l>(layers: &'l [Layer], name: &str) -> Option<&'l Value> {
    layers.iter().rev().find_map(|l| find(&l.fields, name))
}
