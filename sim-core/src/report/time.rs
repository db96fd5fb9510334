//! Times as a reader wants them.

use std::time::Duration;

/// A span in the unit that suits it: `200 us`, `1.4 ms`, `3 s`, with at most three decimals and no needless zeros.
pub fn span(d: Duration) -> String {
    let ns = d.as_nanos();
    let (unit, name) = match ns {
        0 => return "0 s".to_owned(),
        1..=999 => return format!("{ns} ns"),
        1_000..=999_999 => (1_000, "us"),
        1_000_000..=999_999_999 => (1_000_000, "ms"),
        _ => (1_000_000_000, "s"),
    };
    let thousandths = (ns % unit) * 1_000 / unit;
    if thousandths == 0 {
        return format!("{} {name}", ns / unit);
    }
    let digits = format!("{thousandths:03}");
    format!("{}.{} {name}", ns / unit, digits.trim_end_matches('0'))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn spans_read_well() {
        for (ns, text) in
            [(0, "0 s"), (7, "7 ns"), (200_000, "200 us"), (1_400_000, "1.4 ms"), (3_000_000_000, "3 s"), (1_000_050_000, "1 s")]
        {
            assert_eq!(span(Duration::from_nanos(ns)), text);
        }
    }
}
