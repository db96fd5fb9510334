//! Values with names, in the order in which they are told: what evidence and headers become before they are text or JSON.

use serde_json::{Map, Value as Json};
use std::fmt;

/// A value without floats.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Value {
    /// Nothing: the field is known and empty.
    Null,
    /// Yes or no.
    Bool(bool),
    /// A number.
    Num(u64),
    /// A word, an address, a row.
    Text(String),
    /// Several.
    List(Vec<Value>),
    /// Several with names.
    Map(Fields),
}

/// Named values in order.
pub type Fields = Vec<(&'static str, Value)>;

impl Value {
    /// The value as JSON.
    pub fn json(&self) -> Json {
        match self {
            Value::Null => Json::Null,
            Value::Bool(b) => Json::Bool(*b),
            Value::Num(n) => Json::from(*n),
            Value::Text(s) => Json::from(s.as_str()),
            Value::List(l) => Json::Array(l.iter().map(Value::json).collect()),
            Value::Map(m) => fields_json(m),
        }
    }
}

/// Named values as a JSON object, in their order.
pub fn fields_json(fields: &[(&'static str, Value)]) -> Json {
    Json::Object(fields.iter().map(|(k, v)| ((*k).to_owned(), v.json())).collect::<Map<_, _>>())
}

/// The value called `name`.
pub fn find<'f>(fields: &'f [(&'static str, Value)], name: &str) -> Option<&'f Value> {
    fields.iter().find(|(k, _)| *k == name).map(|(_, v)| v)
}

impl fmt::Display for Value {
    /// As a reader writes it: text without quotes, lists with commas, nothing for null.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Value::Null => Ok(()),
            Value::Bool(b) => write!(f, "{b}"),
            Value::Num(n) => write!(f, "{n}"),
            Value::Text(s) => f.write_str(s),
            Value::List(l) => {
                for (i, v) in l.iter().enumerate() {
                    if i > 0 {
                        f.write_str(", ")?;
                    }
                    write!(f, "{v}")?;
                }
                Ok(())
            }
            Value::Map(m) => {
                for (i, (k, v)) in m.iter().enumerate() {
                    if i > 0 {
                        f.write_str(", ")?;
                    }
                    write!(f, "{k} {v}")?;
                }
                Ok(())
            }
        }
    }
}

macro_rules! from_number {
    ($($t:ty),*) => {$(
        impl From<$t> for Value {
            fn from(n: $t) -> Self {
                Value::Num(u64::from(n))
            }
        }
    )*};
}
from_number!(u8, u16, u32, u64);

impl From<usize> for Value {
    fn from(n: usize) -> Self {
        Value::Num(n as u64)
    }
}

impl From<bool> for Value {
    fn from(b: bool) -> Self {
        Value::Bool(b)
    }
}

impl From<&str> for Value {
    fn from(s: &str) -> Self {
        Value::Text(s.to_owned())
    }
}

impl From<String> for Value {
    fn from(s: String) -> Self {
        Value::Text(s)
    }
}

impl<T: Into<Value>> From<Option<T>> for Value {
    fn from(o: Option<T>) -> Self {
        o.map_or(Value::Null, Into::into)
    }
}
