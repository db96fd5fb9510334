//! Commands that make traffic, as data for the engine to run.

use super::{curl::Curl, nc::Nc, ping::Ping, tracepath::Tracepath, traceroute::Traceroute};
use std::sync::Arc;
use std::time::Duration;

/// Traffic, and the namespace that it starts in.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FlowIn {
    /// Name of the namespace; none for the one that the shell is in.
    pub netns: Option<Arc<str>>,
    /// The traffic.
    pub flow: FlowCommand,
}

/// A command that makes traffic.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum FlowCommand {
    /// `ping`.
    Ping(Ping),
    /// `curl`.
    Curl(Curl),
    /// `nc`.
    Nc(Nc),
    /// `traceroute`.
    Traceroute(Traceroute),
    /// `tracepath`.
    Tracepath(Tracepath),
}

impl FlowCommand {
    /// The host that it is sent to, as typed: an address or a name.
    pub fn host(&self) -> &str {
        match self {
            FlowCommand::Ping(p) => &p.host,
            FlowCommand::Curl(c) => &c.host,
            FlowCommand::Nc(n) => &n.host,
            FlowCommand::Traceroute(t) => &t.host,
            FlowCommand::Tracepath(t) => &t.host,
        }
    }
}

/// Seconds with decimals, such as `0.2`.
pub(super) fn seconds(w: &str) -> Option<Duration> {
    let (whole, part) = w.split_once('.').unwrap_or((w, ""));
    let digits = |s: &str| s.bytes().all(|b| b.is_ascii_digit());
    if (whole.is_empty() && part.is_empty()) || !digits(whole) || !digits(part) {
        return None;
    }
    let secs: u64 = if whole.is_empty() { 0 } else { whole.parse().ok().filter(|s| *s <= 1_000_000_000)? };
    let nanos: u32 = format!("{part:0<9}").get(..9)?.parse().ok()?;
    Some(Duration::new(secs, nanos))
}

/// Letters of one word such as `-zv`, with the words behind them that belong to the last.
#[derive(Debug)]
pub(super) struct Letters<'l> {
    rest: std::str::Chars<'l>,
}

impl<'l> Letters<'l> {
    /// The letters of a word that begins with one dash.
    pub(super) fn of(word: &'l str) -> Option<Self> {
        let rest = word.strip_prefix('-').filter(|r| !r.is_empty() && !r.starts_with('-'))?;
        Some(Letters { rest: rest.chars() })
    }

    /// The next letter.
    pub(super) fn next(&mut self) -> Option<char> {
        self.rest.next()
    }

    /// What belongs to the letter before: the rest of the word, if there is any.
    pub(super) fn value(&mut self) -> Option<&'l str> {
        let rest = self.rest.as_str();
        self.rest = "".chars();
        (!rest.is_empty()).then_some(rest)
    }
}
