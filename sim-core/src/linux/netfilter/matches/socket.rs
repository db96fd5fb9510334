//! `-m socket`: whether a socket of this host waits for the packet.
//!
//! Models: net/netfilter/xt_socket.c socket_match, net/ipv4/netfilter/nf_socket_ipv4.c, iptables extensions/libxt_socket.c.
//! Simplifies: `--transparent` finds nothing: no program here makes transparent sockets. `--restore-skmark` is refused.

use super::Field;
use crate::linux::netfilter::eval::MatchCx;
use crate::linux::netfilter::option::{Opt, OptError};
use crate::linux::netfilter::spec::RuleSpec;
use crate::packet::Family;

/// Which sockets count.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub struct Socket {
    /// `--transparent`.
    pub transparent: bool,
    /// `--nowildcard`: those bound to any address count too.
    pub nowildcard: bool,
}

impl Socket {
    pub(super) const OPTS: &'static [Opt] = &[Opt::flag(&["transparent"]), Opt::flag(&["nowildcard"]), Opt::flag(&["restore-skmark"])];

    pub(super) fn set(&mut self, opt: usize, _: bool, _: &[&str], _: Family) -> Result<(), OptError> {
        match opt {
            0 => self.transparent = true,
            1 => self.nowildcard = true,
            _ => return Err(OptError::not_simulated("`--restore-skmark`")),
        }
        Ok(())
    }

    pub(super) fn check(&self, _: u32, _: &RuleSpec) -> Result<(), OptError> {
        Ok(())
    }

    pub(super) fn save(&self, out: &mut String) {
        if self.transparent {
            out.push_str(" --transparent");
        }
        if self.nowildcard {
            out.push_str(" --nowildcard");
        }
    }

    pub(super) fn list(&self, _: bool, out: &mut String) {
        out.push_str(" socket");
        self.save(out);
    }

    pub(super) fn explain(&self, _: Field, _: &MatchCx<'_>) -> (String, String) {
        ("a socket of this host".to_owned(), "none".to_owned())
    }
}

#[cfg(test)]
mod tests {
    use crate::linux::netfilter::testing::check;

    #[test]
    fn both_ways() {
        check("socket", "socket", &[]);
        check("socket --nowildcard --transparent", "socket --transparent --nowildcard", &[]);
    }
}
