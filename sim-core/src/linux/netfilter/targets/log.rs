//! `-j LOG`: a line in the kernel's log; the packet goes on.
//!
//! Models: net/netfilter/xt_LOG.c, iptables extensions/libxt_LOG.c, libxt_LOG.h.
//! Simplifies: nobody reads the log; that the rule fitted is in the trace.

use crate::linux::netfilter::option::{Opt, OptError, number, save_string};
use crate::linux::netfilter::spec::RuleSpec;
use crate::packet::Family;
use std::fmt::Write as _;
use std::sync::Arc;

/// What is written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Log {
    /// `--log-level`.
    pub level: u8,
    /// `--log-prefix`.
    pub prefix: Arc<str>,
    /// Bits of `FLAGS`.
    pub flags: u8,
}

impl Default for Log {
    fn default() -> Self {
        Log { level: 4, prefix: "".into(), flags: 0 }
    }
}

const LEVELS: [(&str, u8); 10] = [
    ("alert", 1),
    ("crit", 2),
    ("debug", 7),
    ("emerg", 0),
    ("error", 3),
    ("info", 6),
    ("notice", 5),
    ("panic", 0),
    ("warn", 4),
    ("warning", 4),
];

/// Options, words of the listing, bits.
const FLAGS: [(&str, &str, u8); 5] = [
    ("log-tcp-sequence", "tcp-sequence", 1),
    ("log-tcp-options", "tcp-options", 2),
    ("log-ip-options", "ip-options", 4),
    ("log-uid", "uid", 8),
    ("log-macdecode", "macdecode", 32),
];

impl Log {
    pub(super) const OPTS: &'static [Opt] = &[
        Opt::one(&["log-level"]),
        Opt::one(&["log-prefix"]),
        Opt::flag(&["log-tcp-sequence"]),
        Opt::flag(&["log-tcp-options"]),
        Opt::flag(&["log-ip-options"]),
        Opt::flag(&["log-uid"]),
        Opt::flag(&["log-macdecode"]),
    ];

    pub(super) fn set(&mut self, opt: usize, args: &[&str], _: Family) -> Result<(), OptError> {
        match opt {
            0 => {
                let unknown = || OptError::parameter(format!("log level \"{}\" unknown", args[0]));
                self.level = match number(args[0], 7) {
                    Some(n) => n as u8,
                    None => {
                        let lower = args[0].to_ascii_lowercase();
                        let mut found = LEVELS.iter().filter(|(n, _)| n.starts_with(&lower) && !lower.is_empty());
                        found.next().ok_or_else(unknown)?.1
                    }
                };
            }
            1 => {
                if args[0].contains('\n') {
                    return Err(OptError::parameter("Newlines not allowed in --log-prefix"));
                }
                self.prefix = args[0].chars().take(29).collect::<String>().into();
            }
            n => self.flags |= FLAGS[n - 2].2,
        }
        Ok(())
    }

    pub(super) fn check(&self, _: u32, _: &RuleSpec) -> Result<(), OptError> {
        Ok(())
    }

    pub(super) fn save(&self, out: &mut String) {
        if !self.prefix.is_empty() {
            out.push_str(" --log-prefix");
            save_string(&self.prefix, out);
        }
        if self.level != 4 {
            let _ = write!(out, " --log-level {}", self.level);
        }
        for (name, _, bit) in FLAGS {
            if self.flags & bit != 0 {
                let _ = write!(out, " --{name}");
            }
        }
    }

    pub(super) fn list(&self, numeric: bool, out: &mut String) {
        if numeric {
            let _ = write!(out, " LOG flags {} level {}", self.flags, self.level);
        } else {
            let name = LEVELS.iter().find(|(n, l)| *l == self.level && *n != "panic").map_or("warn", |(n, _)| n);
            let _ = write!(out, " LOG level {name}");
            for (_, word, bit) in FLAGS {
                if self.flags & bit != 0 {
                    let _ = write!(out, " {word}");
                }
            }
        }
        if !self.prefix.is_empty() {
            let _ = write!(out, " prefix \"{}\"", self.prefix);
        }
    }
}
