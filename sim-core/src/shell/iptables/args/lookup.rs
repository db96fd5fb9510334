//! Which option a word is, and what a match or target makes of it.
//!
//! Models: iptables 1.8.9 libxtables/xtables.c xtables_merge_options, libxtables/xtoptions.c xtables_option_parse,
//! iptables/xshared.c load_proto.

use super::{Ext, Failed, Line, Words, said};
use crate::linux::netfilter::Match;
use crate::linux::netfilter::matches::dccp::DCCP;
use crate::linux::netfilter::matches::sctp::SCTP;
use crate::linux::netfilter::option::Opt;
use crate::packet::{Family, Protocol};

/// Options of iptables itself: letter, long names, words that follow.
pub(super) const GLOBALS: &[(char, &[&str], u8)] = &[
    ('A', &["append"], 1),
    ('D', &["delete"], 1),
    ('C', &["check"], 1),
    ('I', &["insert"], 1),
    ('R', &["replace"], 1),
    ('L', &["list"], 0),
    ('S', &["list-rules"], 0),
    ('F', &["flush"], 0),
    ('Z', &["zero"], 0),
    ('N', &["new-chain", "new"], 1),
    ('X', &["delete-chain"], 0),
    ('E', &["rename-chain"], 1),
    ('P', &["policy"], 1),
    ('s', &["source", "src"], 1),
    ('d', &["destination", "dst"], 1),
    ('p', &["protocol", "proto"], 1),
    ('i', &["in-interface"], 1),
    ('o', &["out-interface"], 1),
    ('j', &["jump"], 1),
    ('g', &["goto"], 1),
    ('t', &["table"], 1),
    ('m', &["match"], 1),
    ('n', &["numeric"], 0),
    ('f', &["fragments", "fragment"], 0),
    ('v', &["verbose"], 0),
    ('w', &["wait"], 0),
    ('W', &["wait-interval"], 1),
    ('x', &["exact"], 0),
    ('V', &["version"], 0),
    ('h', &["help"], 0),
    ('0', &["line-numbers"], 0),
    ('M', &["modprobe"], 1),
    ('c', &["set-counters"], 1),
    ('4', &["ipv4"], 0),
    ('6', &["ipv6"], 0),
];

pub(super) const COMMANDS: &str = "ADCIRLSFZNXEP";

/// Commands of a kind and the options that they take, by letter.
pub(super) fn allowed(command: char) -> &'static str {
    match command {
        'A' | 'D' | 'C' | 'I' | 'R' => "sdpijogmfvc",
        'L' => "nvx0",
        'Z' | 'F' | 'X' | 'N' | 'E' | 'S' => "v",
        _ => "vc",
    }
}

/// Where an option was found.
pub(super) enum Found {
    /// An option of iptables itself, by its letter.
    Global(char),
    /// An option of what was loaded: which, and its place in the list.
    Ext(usize, usize),
}

impl Line {
    /// The option of that long name, or of a beginning of it that fits one alone: the extension loaded last is asked first.
    pub(super) fn find(&mut self, name: &str) -> Option<Found> {
        if let Some(found) = self.lookup(name) {
            return Some(found);
        }
        // Only now is the protocol's own match loaded.
        let p = self.spec.protocol?;
        let own = match p.protocol {
            Protocol::TCP => "tcp",
            SCTP => "sctp",
            DCCP => "dccp",
            Protocol::UDP => "udp",
            Protocol::ICMP if self.spec.family == Family::Inet => "icmp",
            Protocol::ICMPV6 if self.spec.family == Family::Inet6 => "icmp6",
            _ => return None,
        };
        if self.exts.iter().any(|e| matches!(e, Ext::Match(m, _) if m.name() == own)) {
            return None;
        }
        self.exts.push(Ext::Match(Match::new(own, self.spec.family)?, 0));
        let found = self.lookup(name);
        if found.is_none() {
            self.exts.pop();
        }
        found
    }

    fn opts(&self, ext: usize) -> &'static [Opt] {
        match &self.exts[ext] {
            Ext::Match(m, _) => m.opts(),
            Ext::Target(_) => self.spec.target.opts(),
        }
    }

    fn lookup(&self, name: &str) -> Option<Found> {
        let exts = (0..self.exts.len()).rev();
        for ext in exts.clone() {
            if let Some(opt) = self.opts(ext).iter().position(|o| o.names.contains(&name)) {
                return Some(Found::Ext(ext, opt));
            }
        }
        if let Some((c, ..)) = GLOBALS.iter().find(|(_, names, _)| names.contains(&name)) {
            return Some(Found::Global(*c));
        }
        let mut found = None;
        let mut full = None;
        for ext in exts {
            for (opt, o) in self.opts(ext).iter().enumerate() {
                if o.names.iter().any(|n| n.starts_with(name)) {
                    if full.is_some_and(|f| f != (ext, opt)) {
                        return None;
                    }
                    full = Some((ext, opt));
                    found = Some(Found::Ext(ext, opt));
                }
            }
        }
        for (c, names, _) in GLOBALS {
            if names.iter().any(|n| n.starts_with(name)) {
                if found.is_some() {
                    return None;
                }
                found = Some(Found::Global(*c));
            }
        }
        found
    }

    pub(super) fn extension(
        &mut self,
        ext: usize,
        opt: usize,
        typed: &str,
        value: Option<&str>,
        words: &mut Words<'_>,
        invert: bool,
    ) -> Result<(), Failed> {
        let o = &self.opts(ext)[opt];
        let name = o.names[0];
        let (who, seen) = match &self.exts[ext] {
            Ext::Match(m, seen) => (m.shown_name().to_owned(), *seen),
            Ext::Target(seen) => (self.spec.target.name().to_owned(), *seen),
        };
        let mut args: Vec<&str> = Vec::new();
        if o.args > 0 {
            match value.or_else(|| words.next()) {
                Some(v) => args.push(v),
                None => return said(format!("option \"--{typed}\" requires an argument")),
            }
        }
        if o.args > 1 {
            match words.value() {
                Some(v) => args.push(v),
                None => return said(format!("--{name} requires two args.")),
            }
        }
        let old = matches!(who.as_str(), "tcp" | "sctp" | "dccp");
        if seen >> opt & 1 == 1 && !o.multi {
            return if old && o.args == 1 {
                said(format!("Only one `--{name}' allowed"))
            } else if old {
                said("Only one of `--syn' or `--tcp-flags'  allowed")
            } else {
                said(format!("{who}: option \"--{name}\" can only be used once.\n"))
            };
        }
        if invert && !o.invert {
            return said(format!("{who}: option \"--{name}\" cannot be inverted.\n"));
        }
        // The excluded option that stands first in the list is named.
        if let Some(other) = (0..32).find(|n| (seen & o.excl) >> n & 1 == 1) {
            let other = self.opts(ext)[other].names[0];
            let (a, b) =
                if opt < self.opts(ext).iter().position(|o| o.names[0] == other).unwrap_or(0) { (name, other) } else { (other, name) };
            return said(format!("{who}: option \"--{a}\" cannot be used together with \"--{b}\".\n"));
        }
        match &mut self.exts[ext] {
            Ext::Match(m, seen) => {
                *seen |= 1 << opt;
                m.set(opt, invert, &args, self.spec.family)?;
            }
            Ext::Target(seen) => {
                *seen |= 1 << opt;
                self.spec.target.set(opt, &args, self.spec.family)?;
            }
        }
        Ok(())
    }
}
