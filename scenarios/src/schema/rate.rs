//! What a wire is like: how many bits it carries, and which share of the frames it loses.

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

/// A share, in millionths: `"0.5%"`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub struct Share(pub u32);

impl FromText for Share {
    const WHAT: &'static str = "a share such as \"0.5%\"";
    fn from_text(s: &str) -> Result<Self, Complaint> {
        let bad = |label: &str| Complaint::new(format!("`{s}` is no share"), label, "shares are written \"0.5%\", from 0% to 100%");
        let Some(number) = s.strip_suffix('%') else { return Err(bad("the sign % is missing")) };
        let (whole, fraction) = number.split_once('.').unwrap_or((number, "0"));
        let digits = |t: &str| !t.is_empty() && t.len() <= 9 && t.bytes().all(|b| b.is_ascii_digit());
        if !digits(whole) || !digits(fraction) {
            return Err(bad("no number before the %"));
        }
        if fraction.len() > 4 {
            return Err(bad("finer than a millionth"));
        }
        let ppm = whole.parse::<u64>().unwrap_or(u64::MAX).saturating_mul(10_000) + format!("{fraction:0<4}").parse::<u64>().unwrap_or(0);
        if ppm > 1_000_000 { Err(bad("more than all")) } else { Ok(Share(ppm as u32)) }
    }
}
from_string!(Share);

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]
    use super::*;

    #[test]
    fn rates_have_units() {
        for (text, bits) in [("1bit", 1), ("64kbit", 64_000), ("100mbit", 100_000_000), ("10gbit", 10_000_000_000)] {
            assert_eq!(Rate::from_text(text).unwrap(), Rate(bits), "{text}");
        }
        for text in ["", "100", "mbit", "0mbit", "1.5mbit", "100MB", "99999999999gbit"] {
            assert!(Rate::from_text(text).is_err(), "{text}");
        }
    }
}
