//! The words of a command, taken one by one, with the complaints that iproute2 makes about them.
//!
//! Models: iproute2 lib/utils.c (invarg, duparg2, incomplete_command, get_addr_1, get_prefix_1), lib/ll_addr.c.

use super::error::ShellError;
use super::lex::{Line, Word};
use crate::packet::{Ipv4Addr, Mac, Prefix};
use std::sync::Arc;

/// The words of one command, and how far they are read.
#[derive(Clone, Debug)]
pub struct Args<'l> {
    line: &'l Line,
    at: usize,
    /// Exit status of the tool for lines that it cannot read.
    pub status: u8,
}

impl<'l> Args<'l> {
    /// All words of a line.
    pub fn new(line: &'l Line) -> Self {
        Args { line, at: 0, status: 255 }
    }

    /// The next word, not taken.
    pub fn peek(&self) -> Option<&'l str> {
        self.line.words.get(self.at).map(|w| w.text.as_str())
    }

    /// Takes the next word.
    #[allow(clippy::should_implement_trait, reason = "reads as the cursor it is")]
    pub fn next(&mut self) -> Option<&'l str> {
        let w = self.peek();
        self.at += usize::from(w.is_some());
        w
    }

    /// Takes the next word if it is `word`.
    pub fn take(&mut self, word: &str) -> bool {
        let yes = self.peek() == Some(word);
        self.at += usize::from(yes);
        yes
    }

    /// Goes one word back.
    pub fn back(&mut self) {
        self.at = self.at.saturating_sub(1);
    }

    /// Takes the next word, which must be there (NEXT_ARG).
    ///
    /// # Errors
    /// If the line ends.
    pub fn need(&mut self) -> Result<&'l str, ShellError> {
        match self.next() {
            Some(w) => Ok(w),
            None => Err(self.end("Command line is not complete. Try option \"help\"")),
        }
    }

    /// The words not taken yet.
    pub fn rest(&self) -> &'l [Word] {
        self.line.words.get(self.at..).unwrap_or(&[])
    }

    /// Whether all words are taken.
    pub fn is_done(&self) -> bool {
        self.at >= self.line.words.len()
    }

    /// The whole line.
    pub fn line(&self) -> &'l Line {
        self.line
    }

    fn last_word(&self) -> Word {
        let at = self.at.saturating_sub(1).min(self.line.words.len().saturating_sub(1));
        let none = Word { text: String::new(), line: self.line.number, col: 1, len: 1 };
        self.line.words.get(at).cloned().unwrap_or(none)
    }

    /// An error at the word that was taken last.
    pub fn error(&self, message: impl Into<String>) -> ShellError {
        ShellError::at(message, self.status, &self.last_word())
    }

    /// An error at the word that was taken last, with an exit status.
    pub fn error_status(&self, message: impl Into<String>, status: u8) -> ShellError {
        ShellError::at(message, status, &self.last_word())
    }

    /// An error behind the last word: something is missing.
    pub fn end(&self, message: impl Into<String>) -> ShellError {
        let mut w = self.line.words.last().cloned().unwrap_or_else(|| self.last_word());
        w.col += w.len;
        w.len = 1;
        ShellError::at(message, self.status, &w)
    }

    /// invarg: the word taken last is no good.
    pub fn invalid(&self, why: impl std::fmt::Display) -> ShellError {
        self.error(format!("Error: argument \"{}\" is wrong: {why}", self.last_word().text))
    }

    /// duparg2: nobody knows what the word taken last means.
    pub fn garbage(&self, key: &str) -> ShellError {
        self.error(format!("Error: either \"{key}\" is duplicate, or \"{}\" is a garbage.", self.last_word().text))
    }

    /// duparg: given twice.
    pub fn duplicate(&self, key: &str) -> ShellError {
        self.error(format!("Error: duplicate \"{key}\": \"{}\" is the second value.", self.last_word().text))
    }

    /// A real host can do this and the simulation cannot.
    pub fn not_simulated(&self, what: impl std::fmt::Display) -> ShellError {
        let mut e = self.error_status(format!("not simulated: {what}"), 1);
        e.not_simulated = true;
        e
    }

    /// The word taken last is known and does nothing here.
    pub fn unsupported(&self) -> ShellError {
        self.not_simulated(format!("`{}`", self.last_word().text))
    }

    /// A number (decimal, 0x, 0 octal) of at most `max`.
    ///
    /// # Errors
    /// `why`, if it is none.
    pub fn number(&mut self, max: u64, why: &str) -> Result<u64, ShellError> {
        let w = self.need()?;
        number(w).filter(|n| *n <= max).ok_or_else(|| self.invalid(why))
    }

    /// A device's name, as `ip` checks it.
    ///
    /// # Errors
    /// If no device can be called so.
    pub fn ifname(&mut self, key: &str) -> Result<Arc<str>, ShellError> {
        let w = self.need()?;
        // A new name must fit; a device may also be named by a longer alternative name.
        let longest = if key == "name" { 15 } else { 127 };
        if w.is_empty() || w.len() > longest || w.chars().any(|c| c == '/' || c.is_ascii_whitespace() || c == '\x0b') {
            return Err(self.invalid(format_args!("\"{key}\" not a valid ifname")));
        }
        Ok(w.into())
    }

    /// An address.
    ///
    /// # Errors
    /// If it is none; IPv6 is not simulated.
    pub fn addr(&mut self) -> Result<Ipv4Addr, ShellError> {
        let w = self.need()?;
        self.v4(w)?;
        let any = matches!(w, "default" | "any" | "all");
        if any {
            return Ok(Ipv4Addr::UNSPECIFIED);
        }
        dotted(w).ok_or_else(|| self.error_status(format!("Error: inet address is expected rather than \"{w}\"."), 1))
    }

    fn v4(&self, w: &str) -> Result<(), ShellError> {
        if w.contains(':') && w.split('/').next().is_some_and(|a| a.parse::<std::net::Ipv6Addr>().is_ok()) {
            return Err(self.not_simulated("IPv6"));
        }
        Ok(())
    }

    /// An address with a prefix length (or mask); without one the length is none.
    ///
    /// # Errors
    /// If it is none; IPv6 is not simulated.
    pub fn prefix(&mut self) -> Result<(Ipv4Addr, Option<u8>), ShellError> {
        let w = self.need()?;
        self.v4(w)?;
        if matches!(w, "default" | "any" | "all") {
            return Ok((Ipv4Addr::UNSPECIFIED, Some(0)));
        }
        let (a, len) = match w.split_once('/') {
            Some((a, l)) => (a, Some(l)),
            None => (w, None),
        };
        let bad = || self.error_status(format!("Error: any valid prefix is expected rather than \"{w}\"."), 1);
        let addr = dotted(a).ok_or_else(bad)?;
        let len = match len {
            None => None,
            Some(l) => Some(length(l).ok_or_else(bad)?),
        };
        Ok((addr, len))
    }

    /// A range of destinations; bits behind the length are refused as the kernel does.
    ///
    /// # Errors
    /// If it is none.
    pub fn range(&mut self) -> Result<Prefix<Ipv4Addr>, ShellError> {
        let (addr, len) = self.prefix()?;
        let prefix = Prefix::new(addr, len.unwrap_or(32));
        if prefix.addr() != addr {
            let help = format!("the range is {prefix}");
            return Err(self.error_status("Error: Invalid prefix for given prefix length.", 2).help(help));
        }
        Ok(prefix)
    }

    /// A hardware address.
    ///
    /// # Errors
    /// If it is none of six bytes.
    pub fn lladdr(&mut self) -> Result<Mac, ShellError> {
        let w = self.need()?;
        let Some(bytes) = ll_addr(w) else {
            return Err(self.error_status(format!("\"{w}\" is invalid lladdr."), 1));
        };
        let n = bytes.len();
        let mac: Result<[u8; 6], _> = bytes.try_into();
        mac.map(Mac).map_err(|_| self.error_status(format!("Invalid address length {n} - must be 6 bytes"), 1))
    }

    /// `on` or `off`.
    ///
    /// # Errors
    /// If it is neither.
    pub fn on_off(&mut self, key: &str) -> Result<bool, ShellError> {
        match self.need()? {
            "on" => Ok(true),
            "off" => Ok(false),
            w => Err(self.error_status(format!("Error: argument of \"{key}\" must be one of \"off\", \"on\", not \"{w}\""), 1)),
        }
    }

    /// Nothing may follow.
    ///
    /// # Errors
    /// If something does.
    pub fn done(&mut self, key: &str) -> Result<(), ShellError> {
        match self.next() {
            Some(_) => Err(self.garbage(key)),
            None => Ok(()),
        }
    }
}

/// Whether `word` is `name` or the beginning of it (iproute2's matches()).
pub fn begins(word: &str, name: &str) -> bool {
    !word.is_empty() && name.starts_with(word)
}

/// A number as strtoul reads it with base 0.
pub fn number(w: &str) -> Option<u64> {
    match w.strip_prefix("0x").or_else(|| w.strip_prefix("0X")) {
        Some(hex) if hex.bytes().all(|b| b.is_ascii_hexdigit()) => u64::from_str_radix(hex, 16).ok(),
        None if w.len() > 1 && w.starts_with('0') && w.bytes().all(|b| b.is_ascii_digit()) => u64::from_str_radix(w, 8).ok(),
        None if !w.is_empty() && w.bytes().all(|b| b.is_ascii_digit()) => w.parse().ok(),
        _ => None,
    }
}

/// An address of one to four parts; parts left out are 0.
pub fn dotted(w: &str) -> Option<Ipv4Addr> {
    let mut out = [0u8; 4];
    let mut parts = w.split('.');
    for slot in &mut out {
        match parts.next() {
            Some(p) if !p.is_empty() && p.len() <= 3 && p.bytes().all(|b| b.is_ascii_digit()) => *slot = p.parse().ok()?,
            Some(_) => return None,
            None => break,
        }
    }
    parts.next().is_none().then(|| out.into())
}

fn length(w: &str) -> Option<u8> {
    if let Some(mask) = w.contains('.').then(|| dotted(w)).flatten() {
        let bits = u32::from(mask);
        let len = bits.leading_ones();
        return (bits.count_ones() == len).then_some(len as u8);
    }
    number(w).and_then(|n| u8::try_from(n).ok()).filter(|n| *n <= 32)
}

/// ll_addr_a2n: hexadecimal bytes between colons, each read as far as it is one.
fn ll_addr(w: &str) -> Option<Vec<u8>> {
    let mut out = Vec::new();
    for part in w.split(':') {
        let digits: String = part.chars().take_while(char::is_ascii_hexdigit).collect();
        if digits.is_empty() || out.len() >= 32 {
            return None;
        }
        out.push(u8::from_str_radix(&digits, 16).ok()?);
    }
    Some(out)
}
