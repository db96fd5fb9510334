//! `-j CLASSIFY`: sets the packet's priority, a class of a queueing discipline.
//!
//! Models: net/netfilter/xt_CLASSIFY.c, iptables extensions/libxt_CLASSIFY.c.
//! Simplifies: there are no queueing disciplines that look at it, so that it changes nothing.

use crate::linux::netfilter::option::{Opt, OptError};
use crate::linux::netfilter::spec::RuleSpec;
use crate::packet::Family;
use std::fmt::Write as _;

/// The class.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub struct Classify {
    /// Major and minor number.
    pub class: (u16, u16),
}

impl Classify {
    pub(super) const OPTS: &'static [Opt] = &[Opt::one(&["set-class"]).must()];

    pub(super) fn set(&mut self, _: usize, args: &[&str], _: Family) -> Result<(), OptError> {
        let hex = |s: &str| u16::from_str_radix(s, 16).ok();
        let found = args[0].split_once(':').and_then(|(a, b)| hex(a).zip(hex(b)));
        self.class = found.ok_or_else(|| OptError::parameter(format!("Bad class value \"{}\"", args[0])))?;
        Ok(())
    }

    pub(super) fn check(&self, _: u32, _: &RuleSpec) -> Result<(), OptError> {
        Ok(())
    }

    pub(super) fn save(&self, out: &mut String) {
        let _ = write!(out, " --set-class {:04x}:{:04x}", self.class.0, self.class.1);
    }

    pub(super) fn list(&self, _: bool, out: &mut String) {
        let _ = write!(out, " CLASSIFY set {:x}:{:x}", self.class.0, self.class.1);
    }
}
