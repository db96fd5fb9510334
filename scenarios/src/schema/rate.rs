//! How many bits a wire carries.

use super::value::{Complaint, FromText, from_string};
use serde::Deserialize;
use serde::de::{self, Deserializer, Visitor};
use std::fmt;

/// Bits a second.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Rate(pub u64);

impl FromText for Rate {
    const WHAT: &'static str = "a rate such as \"100mbit\"";
    fn from_text(s: &str) -> Result<Self, Complaint> {
        let at = s.find(|c: char| !c.is_ascii_digit()).unwrap_or(s.len());
        let (number, unit) = s.split_at(at);
        let factor = match unit {
            "bit" => 1,
            "kbit" => 1_000,
            "mbit" => 1_000_000,
            "gbit" => 1_000_000_000,
            _ => return Err(Complaint::new(format!("`{s}` is no rate"), "bit, kbit, mbit or gbit", "rates are written \"100mbit\"")),
        };
        match number.parse::<u64>().ok().and_then(|n| n.checked_mul(factor)).filter(|n| *n > 0) {
            Some(n) => Ok(Rate(n)),
            None => Err(Complaint::new(format!("`{s}` is no rate"), "a number above 0", "rates are written \"100mbit\"")),
        }
    }
}
from_string!(Rate);
