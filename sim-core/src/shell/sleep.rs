//! `sleep`: time passes.

use super::args::Args;
use super::{Command, ShellError, Spec};
use std::time::Duration;

/// The command.
pub static SPEC: Spec = Spec { name: "sleep", about: "lets time pass", usage: "sleep SECONDS[s|m|h]", parse };

/// The longest that a command may sleep.
const LONGEST: u64 = 24 * 3_600;

fn parse(args: &mut Args<'_>) -> Result<Command, ShellError> {
    args.status = 1;
    let mut whole = Duration::ZERO;
    let mut seen = false;
    while let Some(w) = args.next() {
        let bad = || args.error(format!("sleep: invalid time interval ‘{w}’\nTry 'sleep --help' for more information."));
        let (number, unit) = match w.chars().last() {
            Some('s') => (&w[..w.len() - 1], 1),
            Some('m') => (&w[..w.len() - 1], 60),
            Some('h') => (&w[..w.len() - 1], 3_600),
            Some('d') => (&w[..w.len() - 1], 86_400),
            _ => (w, 1),
        };
        let (secs, part) = number.split_once('.').unwrap_or((number, ""));
        let digits = |s: &str| s.bytes().all(|b| b.is_ascii_digit());
        if !digits(secs) || !digits(part) || (secs.is_empty() && part.is_empty()) {
            return Err(bad());
        }
        let secs: u64 = if secs.is_empty() { 0 } else { secs.parse().map_err(|_| bad())? };
        let nanos = part.bytes().chain(std::iter::repeat(b'0')).take(9).fold(0u64, |n, b| n * 10 + u64::from(b - b'0'));
        whole = whole.saturating_add(Duration::from_secs(secs.saturating_mul(unit))).saturating_add(Duration::from_nanos(nanos * unit));
        seen = true;
    }
    if !seen {
        return Err(args.end("sleep: missing operand\nTry 'sleep --help' for more information."));
    }
    if whole > Duration::from_secs(LONGEST) {
        return Err(args.not_simulated("a sleep of more than a day"));
    }
    Ok(Command::Sleep(whole))
}

#[cfg(test)]
mod tests {
    use super::super::{Command, parse};
    use std::time::Duration;

    #[test]
    fn times_are_read() {
        for (line, ms) in [("sleep 1", 1_000), ("sleep 0.25", 250), ("sleep 1m 1s", 61_000), ("sleep .5", 500)] {
            assert_eq!(parse(line), Ok(Command::Sleep(Duration::from_millis(ms))), "{line}");
        }
        for line in ["sleep", "sleep x", "sleep -1", "sleep 1e9", "sleep 99h"] {
            assert!(parse(line).is_err(), "{line}");
        }
    }
}
