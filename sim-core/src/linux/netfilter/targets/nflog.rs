//! `-j NFLOG`: a copy of the packet to a logging program; the packet goes on.
//!
//! Models: net/netfilter/xt_NFLOG.c, iptables extensions/libxt_NFLOG.c.
//! Simplifies: no program listens; that the rule fitted is in the trace.

use crate::linux::netfilter::option::{Opt, OptError, ranged, save_string};
use crate::linux::netfilter::spec::RuleSpec;
use crate::packet::Family;
use std::fmt::Write as _;
use std::sync::Arc;

/// What is told.
#[derive(Clone, Debug, PartialEq, Eq, Default)]
pub struct Nflog {
    /// `--nflog-group`.
    pub group: u16,
    /// `--nflog-prefix`.
    pub prefix: Arc<str>,
    /// `--nflog-size`.
    pub size: Option<u32>,
    /// `--nflog-threshold`.
    pub threshold: u16,
}

impl Nflog {
    pub(super) const OPTS: &'static [Opt] =
        &[Opt::one(&["nflog-group"]), Opt::one(&["nflog-prefix"]), Opt::one(&["nflog-size"]), Opt::one(&["nflog-threshold"]), Opt::one(&["nflog-range"])];

    pub(super) fn set(&mut self, opt: usize, args: &[&str], _: Family) -> Result<(), OptError> {
        match opt {
            0 => self.group = ranged("NFLOG", "nflog-group", args[0], 0, 65_535)? as u16,
            1 => {
                if args[0].contains('\n') {
                    return Err(OptError::parameter("Newlines not allowed in --log-prefix"));
                }
                self.prefix = args[0].chars().take(63).collect::<String>().into();
            }
            2 => self.size = Some(ranged("NFLOG", "nflog-size", args[0], 0, u32::MAX.into())? as u32),
            3 => self.threshold = ranged("NFLOG", "nflog-threshold", args[0], 0, 65_535)? as u16,
            // has never worked
            _ => {
                ranged("NFLOG", "nflog-range", args[0], 0, u32::MAX.into())?;
            }
        }
        Ok(())
    }

    pub(super) fn check(&self, _: u32, _: &RuleSpec) -> Result<(), OptError> {
        Ok(())
    }

    fn write(&self, dash: &str, listed: bool, out: &mut String) {
        if !self.prefix.is_empty() {
            let _ = write!(out, " {dash}nflog-prefix");
            if listed {
                let _ = write!(out, " \"{}\"", self.prefix);
            } else {
                save_string(&self.prefix, out);
            }
        }
        if self.group != 0 {
            let _ = write!(out, " {dash}nflog-group {}", self.group);
        }
        if let Some(n) = self.size {
            let _ = write!(out, " {dash}nflog-size {n}");
        }
        if self.threshold > 1 {
            let _ = write!(out, " {dash}nflog-threshold {}", self.threshold);
        }
    }

    pub(super) fn save(&self, out: &mut String) {
        self.write("--", false, out);
    }

    pub(super) fn list(&self, _: bool, out: &mut String) {
        self.write("", true, out);
    }
}
