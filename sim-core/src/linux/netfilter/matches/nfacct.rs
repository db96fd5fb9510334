//! `-m nfacct`: counts packets under a name; fits every packet.
//!
//! Models: net/netfilter/xt_nfacct.c, iptables extensions/libxt_nfacct.c.
//! Simplifies: the counters themselves are not kept, and are taken to exist.

use super::Field;
use crate::linux::netfilter::eval::MatchCx;
use crate::linux::netfilter::option::{Opt, OptError, plain_word};
use crate::linux::netfilter::spec::RuleSpec;
use crate::packet::Family;
use std::sync::Arc;

/// The name of a counter.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Nfacct {
    /// The name, up to 31 bytes.
    pub name: Arc<str>,
}

impl Default for Nfacct {
    fn default() -> Self {
        Nfacct { name: "".into() }
    }
}

impl Nfacct {
    pub(super) const OPTS: &'static [Opt] = &[Opt::one(&["nfacct-name"]).must()];

    pub(super) fn set(&mut self, _: usize, _: bool, args: &[&str], _: Family) -> Result<(), OptError> {
        if args[0].len() > 31 {
            return Err(OptError::parameter(format!(
                "nfacct: option \"--nfacct-name\" has length {} which exceeds the maximum length of 31",
                args[0].len()
            )));
        }
        self.name = args[0].into();
        Ok(())
    }

    pub(super) fn check(&self, _: u32, _: &RuleSpec) -> Result<(), OptError> {
        Ok(())
    }

    pub(super) fn save(&self, out: &mut String) {
        // Two spaces, as the extension prints them.
        out.push_str(" --nfacct-name  ");
        out.push_str(&plain_word(&self.name));
    }

    pub(super) fn list(&self, _: bool, out: &mut String) {
        out.push_str(" nfacct-name  ");
        out.push_str(&self.name);
    }

    pub(super) fn explain(&self, _: Field, _: &MatchCx<'_>) -> (String, String) {
        (String::new(), String::new())
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]


    use crate::linux::netfilter::testing::{check, cx, udp};

    #[test]
    fn fits_all() {
        let p = udp();
        check("nfacct --nfacct-name n", "nfacct --nfacct-name  n", &[(cx(&p), "")]);
    }
}
