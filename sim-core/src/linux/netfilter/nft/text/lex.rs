//! Words of the language of nft.
//!
//! Models: nft 1.0.6 src/scanner.l.

use super::error::{Refused, Span};
use std::net::Ipv6Addr;

/// What kind of word.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// A name, a number or an address.
    Word,
    /// In quotes; the text is what is between them.
    Quoted,
    /// A sign.
    Sign,
    /// The end of a line.
    Newline,
    /// The end of the text.
    End,
}

/// A word and where it stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Tok<'a> {
    /// What kind.
    pub kind: Kind,
    /// The text.
    pub text: &'a str,
    /// Where.
    pub at: Span,
}

impl Tok<'_> {
    /// What a syntax error calls it.
    pub fn described(&self) -> String {
        match self.kind {
            Kind::Newline => "newline".to_owned(),
            Kind::End => "end of file".to_owned(),
            Kind::Quoted => "quoted string".to_owned(),
            Kind::Sign => match self.text {
                ";" => "semicolon".to_owned(),
                "," => "comma".to_owned(),
                ":" => "colon".to_owned(),
                "==" | "!=" | "<" | ">" | "<=" | ">=" => self.text.to_owned(),
                "{" | "}" | "(" | ")" | "[" | "]" => format!("'{}'", self.text),
                other => other.to_owned(),
            },
            Kind::Word if self.text.bytes().all(|b| b.is_ascii_digit()) => "number".to_owned(),
            Kind::Word if KEYWORDS.contains(&self.text) || WORDS.contains(&self.text) => self.text.to_owned(),
            Kind::Word => "string".to_owned(),
        }
    }
}

/// Words of the language everywhere: no name may be one of them, and a syntax error calls them by themselves.
pub(super) const KEYWORDS: &[&str] = &[
    "accept",
    "add",
    "ah",
    "all",
    "and",
    "arp",
    "auto-merge",
    "bridge",
    "cgroup",
    "chain",
    "comment",
    "comp",
    "constant",
    "continue",
    "counter",
    "cpu",
    "create",
    "ct",
    "day",
    "dccp",
    "define",
    "delete",
    "describe",
    "device",
    "devices",
    "dnat",
    "drop",
    "dst",
    "dup",
    "dynamic",
    "ecn",
    "element",
    "elements",
    "eq",
    "esp",
    "ether",
    "exists",
    "expires",
    "export",
    "fib",
    "flags",
    "flow",
    "flowtable",
    "flush",
    "fwd",
    "gc-interval",
    "ge",
    "get",
    "goto",
    "gt",
    "handle",
    "hook",
    "hour",
    "icmp",
    "icmpv6",
    "iif",
    "iifname",
    "import",
    "include",
    "index",
    "inet",
    "insert",
    "interval",
    "ip",
    "ip6",
    "jhash",
    "jump",
    "le",
    "limit",
    "list",
    "log",
    "lshift",
    "lt",
    "map",
    "mark",
    "masquerade",
    "meta",
    "meter",
    "missing",
    "monitor",
    "ne",
    "netdev",
    "nftrace",
    "not",
    "notrack",
    "numgen",
    "offload",
    "oif",
    "oifname",
    "or",
    "osf",
    "policy",
    "position",
    "priority",
    "queue",
    "quota",
    "random",
    "redefine",
    "redirect",
    "reject",
    "rename",
    "replace",
    "reset",
    "return",
    "rshift",
    "rt",
    "rtclassid",
    "rule",
    "ruleset",
    "sctp",
    "secmark",
    "set",
    "size",
    "skgid",
    "skuid",
    "snat",
    "socket",
    "symhash",
    "synproxy",
    "table",
    "tcp",
    "th",
    "time",
    "timeout",
    "tproxy",
    "type",
    "typeof",
    "udp",
    "udplite",
    "undefine",
    "update",
    "vlan",
    "vmap",
    "xor",
];

/// Words of the language in their place alone.
const WORDS: &[&str] = &["saddr", "daddr", "sport", "dport", "with", "to", "last"];

const SIGNS: &[&str] = &[
    "==", "!=", "<=", ">=", "<<", ">>", "<", ">", "{", "}", "(", ")", "[", "]", ",", ";", ":", "/", "-", "+", "|", "&", "^", "!", "=", ".",
    "@", "$", "*", "~",
];

/// Cuts a text into words.
///
/// # Errors
/// A quote that is not closed, or a sign that the language does not have.
pub fn lex(text: &str) -> Result<Vec<Tok<'_>>, Refused> {
    let bytes = text.as_bytes();
    let mut out = Vec::new();
    let mut i = 0;
    while let Some(&c) = bytes.get(i) {
        match c {
            b' ' | b'\t' | b'\r' => i += 1,
            b'\\' if bytes.get(i + 1) == Some(&b'\n') => i += 2,
            b'#' => {
                while bytes.get(i).is_some_and(|b| *b != b'\n') {
                    i += 1;
                }
            }
            b'\n' => {
                out.push(Tok { kind: Kind::Newline, text: "\n", at: Span { from: i, to: i + 1 } });
                i += 1;
            }
            b'"' => {
                let from = i + 1;
                let Some(len) = text.get(from..).and_then(|t| t.find('"')) else {
                    return Err(Refused::new(Span { from: i, to: i + 1 }, "syntax error, unexpected junk"));
                };
                out.push(Tok { kind: Kind::Quoted, text: &text[from..from + len], at: Span { from: i, to: from + len + 1 } });
                i = from + len + 1;
            }
            _ => {
                let len = word_len(&text[i..]);
                let (kind, len) = if len > 0 {
                    (Kind::Word, len)
                } else {
                    match SIGNS.iter().find(|s| text[i..].starts_with(**s)) {
                        Some(s) => (Kind::Sign, s.len()),
                        None => {
                            let len = text[i..].chars().next().map_or(1, char::len_utf8);
                            return Err(Refused::new(Span { from: i, to: i + len }, "syntax error, unexpected junk"));
                        }
                    }
                };
                out.push(Tok { kind, text: &text[i..i + len], at: Span { from: i, to: i + len } });
                i += len;
            }
        }
    }
    out.push(Tok { kind: Kind::End, text: "", at: Span { from: text.len(), to: text.len() } });
    Ok(out)
}

fn run(s: &str, fits: impl Fn(u8) -> bool) -> usize {
    s.bytes().take_while(|b| fits(*b)).count()
}

/// How long the word at the beginning is; 0 if there is none.
fn word_len(s: &str) -> usize {
    let b = s.as_bytes();
    let first = b.first().copied().unwrap_or(0);
    // a hardware address, or one of IPv6
    let hex = run(s, |b| b.is_ascii_hexdigit() || b == b':');
    if s[..hex].matches(':').count() == 5 && s[..hex].split(':').all(|p| (1..=2).contains(&p.len())) {
        return hex;
    }
    if s[..hex].matches(':').count() >= 2 {
        let long = run(s, |b| b.is_ascii_hexdigit() || b == b':' || b == b'.');
        let mut end = long;
        while end > 1 {
            if s[..end].parse::<Ipv6Addr>().is_ok() {
                return end;
            }
            end -= 1;
            if !matches!(b.get(end), Some(b':' | b'.')) {
                break;
            }
        }
    }
    if first.is_ascii_digit() {
        // a dotted address stands alone; any other number may have a unit
        let dotted = run(s, |b| b.is_ascii_digit() || b == b'.');
        let address = s[..dotted].trim_end_matches('.');
        if address.split('.').count() == 4 && address.split('.').all(|p| !p.is_empty()) {
            return address.len();
        }
        return run(s, |b| b.is_ascii_alphanumeric());
    }
    if first.is_ascii_alphabetic() || (first == b'_') || (first == b'.' && b.get(1).is_some_and(u8::is_ascii_alphabetic)) {
        let len = run(s, |b| b.is_ascii_alphanumeric() || matches!(b, b'/' | b'\\' | b'_' | b'.' | b'-'));
        return if b.get(len) == Some(&b'*') { len + 1 } else { len };
    }
    0
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]

    use super::*;

    #[test]
    fn words() {
        let check = |text: &str, expect: &[&str]| {
            let toks = lex(text).unwrap();
            assert_eq!(toks[..toks.len() - 1].iter().map(|t| t.text).collect::<Vec<_>>(), expect, "{text}");
        };
        check("ip saddr 10.0.0.1-10.0.0.5", &["ip", "saddr", "10.0.0.1", "-", "10.0.0.5"]);
        check("10.0.0.0/8 . 80-90", &["10.0.0.0", "/", "8", ".", "80", "-", "90"]);
        check("goto service-FY5PMXPG-kube-system/kube-dns/udp/dns,", &["goto", "service-FY5PMXPG-kube-system/kube-dns/udp/dns", ","]);
        check("iifname \"eth*\" # no\n", &["iifname", "eth*", "\n"]);
        check("iifname eth* accept", &["iifname", "eth*", "accept"]);
        check("{ 80 : 10.0.0.1 . 8080 }", &["{", "80", ":", "10.0.0.1", ".", "8080", "}"]);
        check("[::1]:80 fe80::/10 02:00:00:00:00:01", &["[", "::1", "]", ":", "80", "fe80::", "/", "10", "02:00:00:00:00:01"]);
        check("tcp flags & (syn|ack) == syn", &["tcp", "flags", "&", "(", "syn", "|", "ack", ")", "==", "syn"]);
        check("priority dstnat - 10; policy accept;", &["priority", "dstnat", "-", "10", ";", "policy", "accept", ";"]);
        check(
            "limit rate 10/second timeout 1h30m 1:10 -1",
            &["limit", "rate", "10", "/", "second", "timeout", "1h30m", "1", ":", "10", "-", "1"],
        );
        check("@s1 $x", &["@", "s1", "$", "x"]);
        check("10.0.0.1:8080", &["10.0.0.1", ":", "8080"]);
        assert!(lex("\"open").is_err());
    }
}
