//! `-m rpfilter`: whether the way back to the source leads out of the device that the packet came in by.
//!
//! Models: net/ipv4/netfilter/ipt_rpfilter.c rpfilter_mt, net/ipv6/netfilter/ip6t_rpfilter.c, iptables extensions/libxt_rpfilter.c.

use super::Field;
use crate::linux::netfilter::eval::MatchCx;
use crate::linux::netfilter::option::{Opt, OptError};
use crate::linux::netfilter::spec::RuleSpec;
use crate::packet::Family;

/// How the way back is looked up.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub struct Rpfilter {
    /// `--loose`: any device will do.
    pub loose: bool,
    /// `--validmark`: with the packet's mark.
    pub validmark: bool,
    /// `--accept-local`: a source of this host will do.
    pub accept_local: bool,
    /// `--invert`.
    pub invert: bool,
}

impl Rpfilter {
    pub(super) const OPTS: &'static [Opt] =
        &[Opt::flag(&["loose"]), Opt::flag(&["validmark"]), Opt::flag(&["accept-local"]), Opt::flag(&["invert"])];

    pub(super) fn set(&mut self, opt: usize, _: bool, _: &[&str], _: Family) -> Result<(), OptError> {
        match opt {
            0 => self.loose = true,
            1 => self.validmark = true,
            2 => self.accept_local = true,
            _ => self.invert = true,
        }
        Ok(())
    }

    pub(super) fn check(&self, _: u32, _: &RuleSpec) -> Result<(), OptError> {
        Ok(())
    }

    fn words(&self, dash: &str, out: &mut String) {
        let all = [(self.loose, "loose"), (self.validmark, "validmark"), (self.accept_local, "accept-local"), (self.invert, "invert")];
        for (_, name) in all.iter().filter(|(set, _)| *set) {
            out.push(' ');
            out.push_str(dash);
            out.push_str(name);
        }
    }

    pub(super) fn save(&self, out: &mut String) {
        self.words("--", out);
    }

    pub(super) fn list(&self, _: bool, out: &mut String) {
        out.push_str(" rpfilter");
        self.words("", out);
    }

    pub(super) fn explain(&self, _: Field, cx: &MatchCx<'_>) -> (String, String) {
        let wanted = match (self.invert, self.loose) {
            (false, false) => format!("the way back to {} by {}", cx.src_ip(), cx.iif),
            (false, true) => format!("a way back to {}", cx.src_ip()),
            (true, false) => format!("no way back to {} by {}", cx.src_ip(), cx.iif),
            (true, true) => format!("no way back to {}", cx.src_ip()),
        };
        (wanted, if self.invert { "there is" } else { "there is none" }.to_owned())
    }
}

#[cfg(test)]
mod tests {
    use crate::linux::netfilter::testing::check;

    #[test]
    fn both_ways() {
        check("rpfilter --invert --loose", "rpfilter --loose --invert", &[]);
        check("rpfilter --validmark --accept-local", "rpfilter --validmark --accept-local", &[]);
    }
}
