//! How the options of matches and targets are declared and read.
//!
//! Models: iptables 1.8.9 libxtables/xtoptions.c (xtables_option_parse, xtables_option_metavalidate), its wording included.
//! Simplifies: service names are those of a short built-in list, host names are not resolved.

use std::fmt::Write as _;

/// One option of a match or a target.
#[derive(Clone, Copy, Debug)]
pub struct Opt {
    /// Its names without dashes; the first is the one that errors name.
    pub names: &'static [&'static str],
    /// How many words follow it.
    pub args: u8,
    /// Whether `!` may stand before it.
    pub invert: bool,
    /// Whether it must be given.
    pub must: bool,
    /// Whether it may be given more than once.
    pub multi: bool,
    /// Options (by place in the list) that may not stand beside it.
    pub excl: u32,
}

impl Opt {
    /// An option with one word behind it, given at most once, not to be inverted.
    pub const fn one(names: &'static [&'static str]) -> Opt {
        Opt { names, args: 1, invert: false, must: false, multi: false, excl: 0 }
    }

    /// An option without words behind it.
    pub const fn flag(names: &'static [&'static str]) -> Opt {
        Opt { args: 0, ..Opt::one(names) }
    }

    /// The same, and `!` may stand before it.
    pub const fn inv(mut self) -> Opt {
        self.invert = true;
        self
    }

    /// The same, and it must be given.
    pub const fn must(mut self) -> Opt {
        self.must = true;
        self
    }

    /// The same, and it may not stand beside the options of that bit mask.
    pub const fn excl(mut self, mask: u32) -> Opt {
        self.excl = mask;
        self
    }
}

const NOT_SIMULATED: &str = "not simulated: ";

/// What is wrong with an option: the sentence that iptables prints, and its exit status.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{text}")]
pub struct OptError {
    /// The sentence, without the program's name before it.
    pub text: String,
    /// Exit status: 2 for a parameter problem, 1 for others.
    pub status: u8,
}

impl OptError {
    /// PARAMETER_PROBLEM.
    pub fn parameter(text: impl Into<String>) -> OptError {
        OptError { text: text.into(), status: 2 }
    }

    /// OTHER_PROBLEM.
    pub fn other(text: impl Into<String>) -> OptError {
        OptError { text: text.into(), status: 1 }
    }

    /// What real hosts can do and the simulation cannot.
    pub fn not_simulated(what: impl std::fmt::Display) -> OptError {
        OptError { text: format!("{NOT_SIMULATED}{what}"), status: 1 }
    }

    /// Whether it is such a refusal.
    pub fn is_not_simulated(&self) -> bool {
        self.text.starts_with(NOT_SIMULATED)
    }

    /// A value that an option does not take.
    pub fn bad_value(ext: &str, opt: &str, value: &str) -> OptError {
        OptError::parameter(format!("{ext}: Bad value for \"--{opt}\" option: \"{value}\""))
    }
}

/// Services with a name, as `/etc/services` has them.
pub const SERVICES: &[(&str, u16)] = &[
    ("bgp", 179),
    ("bootpc", 68),
    ("bootps", 67),
    ("domain", 53),
    ("echo", 7),
    ("ftp", 21),
    ("ftp-data", 20),
    ("http", 80),
    ("http-alt", 8080),
    ("https", 443),
    ("imap2", 143),
    ("ldap", 389),
    ("mysql", 3306),
    ("nfs", 2049),
    ("ntp", 123),
    ("pop3", 110),
    ("postgresql", 5432),
    ("redis", 6379),
    ("smtp", 25),
    ("snmp", 161),
    ("ssh", 22),
    ("sunrpc", 111),
    ("syslog", 514),
    ("telnet", 23),
    ("tftp", 69),
];

/// The name of a port, as `iptables -L` without `-n` prints it.
pub fn service_name(port: u16) -> Option<&'static str> {
    SERVICES.iter().find(|(_, p)| *p == port).map(|(n, _)| *n)
}

/// Reads a number as strtoul does with base 0 (decimal, 0x, 0), up to `max`.
pub fn number(s: &str, max: u64) -> Option<u64> {
    let value = if let Some(hex) = s.strip_prefix("0x").or_else(|| s.strip_prefix("0X")) {
        u64::from_str_radix(hex, 16).ok().filter(|_| !hex.starts_with('+'))
    } else if s.len() > 1 && s.starts_with('0') {
        u64::from_str_radix(s, 8).ok()
    } else {
        s.bytes().all(|b| b.is_ascii_digit()).then(|| s.parse().ok()).flatten()
    };
    value.filter(|v| *v <= max)
}

/// Reads a number between `min` and `max` as the newer option parser does (XTTYPE_UINT*).
///
/// # Errors
/// In the words of iptables.
pub fn ranged(ext: &str, opt: &str, s: &str, min: u64, max: u64) -> Result<u64, OptError> {
    number(s, max)
        .filter(|n| *n >= min)
        .ok_or_else(|| OptError::parameter(format!("{ext}: bad value for option \"--{opt}\", or out of range ({min}-{max}).\n")))
}

/// Reads a range of numbers up to `max` (XTTYPE_UINT*RC): `5`, `5:10`, `:10`, `5:`; the order of the ends is not looked at.
///
/// # Errors
/// In the words of iptables.
pub fn range(ext: &str, opt: &str, s: &str, max: u64) -> Result<(u64, u64), OptError> {
    let one = |p: &str, empty: u64| {
        if p.is_empty() {
            return Ok(empty);
        }
        number(p, max).ok_or_else(|| {
            OptError::parameter(format!("{ext}: bad value for option \"--{opt}\" near \"{p}\", or out of range (0-{max}).\n"))
        })
    };
    match s.split_once(':') {
        None => {
            let n = one(s, 0)?;
            Ok((n, n))
        }
        Some((_, b)) if b.contains(':') => {
            Err(OptError::parameter(format!("{ext}: Too many components for option \"--{opt}\" (max: 2)\n")))
        }
        Some((a, b)) => Ok((one(a, 0)?, one(b, max)?)),
    }
}

/// Reads a port by number or by name.
pub fn port(s: &str) -> Option<u16> {
    match number(s, 65_535) {
        Some(n) => u16::try_from(n).ok(),
        None => SERVICES.iter().find(|(n, _)| *n == s).map(|(_, p)| *p),
    }
}

/// A range of ports, both ends included.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Ports {
    /// First.
    pub min: u16,
    /// Last.
    pub max: u16,
    /// Whether all others are meant.
    pub invert: bool,
}

impl Default for Ports {
    fn default() -> Self {
        Ports { min: 0, max: u16::MAX, invert: false }
    }
}

impl Ports {
    /// Whether every port fits.
    #[inline]
    pub fn any(self) -> bool {
        self.min == 0 && self.max == u16::MAX && !self.invert
    }

    /// Whether `port` fits.
    #[inline]
    pub fn holds(self, port: u16) -> bool {
        (port >= self.min && port <= self.max) != self.invert
    }

    /// Reads `80`, `80:90`, `:90`, `80:`.
    ///
    /// # Errors
    /// In the words of iptables.
    pub fn parse(s: &str, invert: bool) -> Result<Ports, OptError> {
        let one = |p: &str, empty: Option<u16>| match empty {
            Some(n) if p.is_empty() => Ok(n),
            _ => parse_port(p),
        };
        let (min, max) = match s.split_once(':') {
            None => {
                let p = one(s, None)?;
                (p, p)
            }
            Some((a, b)) => (one(a, Some(0))?, one(b, Some(u16::MAX))?),
        };
        if min > max {
            return Err(OptError::parameter("invalid portrange (min > max)"));
        }
        // "Not any port" is dropped by iptables-nft, and so fits every port.
        Ok(Ports { min, max, invert: invert && (min, max) != (0, u16::MAX) })
    }

    /// The same as the newer option parser reads it: the order of the ends is not looked at, numbers are cut to 16 bits.
    ///
    /// # Errors
    /// In the words of iptables.
    pub fn parse_lax(ext: &str, opt: &str, s: &str, invert: bool) -> Result<Ports, OptError> {
        let one = |p: &str, empty: u16| match number(p, u64::from(u32::MAX)) {
            _ if p.is_empty() => Ok(empty),
            Some(n) => Ok(n as u16),
            None => port(p).ok_or_else(|| OptError::parameter(format!("Port \"{p}\" does not resolve to anything.\n"))),
        };
        let (min, max) = match s.split_once(':') {
            None => (one(s, 0)?, one(s, 0)?),
            Some((_, b)) if b.contains(':') => {
                return Err(OptError::parameter(format!("{ext}: Too many components for option \"--{opt}\" (max: 2)\n")));
            }
            Some((a, b)) => (one(a, 0)?, one(b, u16::MAX)?),
        };
        Ok(Ports { min, max, invert: invert && (min, max) != (0, u16::MAX) })
    }

    /// Prints ` --dport 80:90`, or nothing if every port fits.
    pub fn save(self, opt: &str, out: &mut String) {
        if self.any() {
            return;
        }
        let not = if self.invert { " !" } else { "" };
        let _ = write!(out, "{not} --{opt} {self}");
    }
}

impl std::fmt::Display for Ports {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        if self.min == self.max { write!(f, "{}", self.min) } else { write!(f, "{}:{}", self.min, self.max) }
    }
}

/// Reads a port by number or by name.
///
/// # Errors
/// In the words of iptables.
pub fn parse_port(s: &str) -> Result<u16, OptError> {
    port(s).ok_or_else(|| OptError::parameter(format!("invalid port/service `{s}' specified")))
}

/// A value under a mask, as `--mark 0x4000/0x4000`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Masked {
    /// Value.
    pub value: u32,
    /// Mask.
    pub mask: u32,
}

impl Masked {
    /// Reads `value[/mask]`; the mask is all ones if not given.
    ///
    /// # Errors
    /// In the words of iptables.
    pub fn parse(ext: &str, opt: &str, s: &str) -> Result<Masked, OptError> {
        let (v, m) = match s.split_once('/') {
            Some((v, m)) => (v, Some(m)),
            None => (s, None),
        };
        let bad = || OptError::parameter(format!("{ext}: bad integer value for option \"--{opt}\", or out of range.\n"));
        let value = number(v, u64::from(u32::MAX)).ok_or_else(bad)? as u32;
        if m.is_some_and(|m| m.split_once('/').is_some_and(|(m, _)| number(m, u64::from(u32::MAX)).is_some())) {
            return Err(OptError::parameter(format!("{ext}: trailing garbage after value for option \"--{opt}\".\n")));
        }
        let mask = match m {
            None => u32::MAX,
            Some(m) => number(m, u64::from(u32::MAX)).ok_or_else(bad)? as u32,
        };
        Ok(Masked { value, mask })
    }
}

impl std::fmt::Display for Masked {
    /// `0x4000/0x4000`, and the value alone under a full mask.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        if self.mask == u32::MAX { write!(f, "{:#x}", self.value) } else { write!(f, "{:#x}/{:#x}", self.value, self.mask) }
    }
}

/// Writes a word as iptables-save does: in quotes if it has other signs than letters, digits, `_` and `-`.
pub fn save_string(value: &str, out: &mut String) {
    out.push(' ');
    if !value.is_empty() && value.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_' || b == b'-') {
        out.push_str(value);
        return;
    }
    out.push('"');
    for c in value.chars() {
        if matches!(c, '"' | '\\' | '\'') {
            out.push('\\');
        }
        out.push(c);
    }
    out.push('"');
}

/// A word as it can stand in a restore file: in quotes if it has blanks or quotes, or is empty.
pub fn plain_word(word: &str) -> std::borrow::Cow<'_, str> {
    if !word.is_empty() && !word.contains([' ', '\t', '\n', '"']) {
        return word.into();
    }
    let mut out = String::from("\"");
    for c in word.chars() {
        if matches!(c, '"' | '\\') {
            out.push('\\');
        }
        out.push(c);
    }
    out.push('"');
    out.into()
}
