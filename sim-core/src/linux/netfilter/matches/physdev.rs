//! `-m physdev`: the bridge ports of a bridged packet.
//!
//! Models: net/netfilter/xt_physdev.c physdev_mt, iptables extensions/libxt_physdev.c.

use super::Field;
use crate::linux::netfilter::eval::MatchCx;
use crate::linux::netfilter::option::{Opt, OptError, plain_word};
use crate::linux::netfilter::spec::{IfMatch, RuleSpec, if_name_holds};
use crate::packet::Family;
use std::fmt::Write as _;

/// What is asked of the ports.
#[derive(Clone, Debug, PartialEq, Eq, Default)]
pub struct Physdev {
    /// `--physdev-in`.
    pub input: Option<IfMatch>,
    /// `--physdev-out`.
    pub output: Option<IfMatch>,
    /// `--physdev-is-in`: whether it came in by a port (`Some(false)` with `!`).
    pub is_in: Option<bool>,
    /// `--physdev-is-out`: whether it will leave by a port.
    pub is_out: Option<bool>,
    /// `--physdev-is-bridged`: whether it is bridged and not routed.
    pub is_bridged: Option<bool>,
}

impl Physdev {
    pub(super) const OPTS: &'static [Opt] = &[
        Opt::one(&["physdev-in"]).inv(),
        Opt::one(&["physdev-out"]).inv(),
        Opt::flag(&["physdev-is-in"]).inv(),
        Opt::flag(&["physdev-is-out"]).inv(),
        Opt::flag(&["physdev-is-bridged"]).inv(),
    ];

    pub(super) fn set(&mut self, opt: usize, invert: bool, args: &[&str], _: Family) -> Result<(), OptError> {
        match opt {
            0 | 1 => {
                let name = args[0];
                if name.len() > 15 {
                    return Err(OptError::parameter(format!("interface name `{name}' must be shorter than IFNAMSIZ (15)")));
                }
                let m = Some(IfMatch { name: name.into(), invert });
                if opt == 0 { self.input = m } else { self.output = m }
            }
            2 => self.is_in = Some(!invert),
            3 => self.is_out = Some(!invert),
            _ => self.is_bridged = Some(!invert),
        }
        Ok(())
    }

    pub(super) fn check(&self, _: u32, _: &RuleSpec) -> Result<(), OptError> {
        if *self == Physdev::default() {
            return Err(OptError::parameter("PHYSDEV: no physdev option specified"));
        }
        Ok(())
    }

    #[inline]
    pub(super) fn eval(&self, cx: &MatchCx<'_>) -> Result<(), Field> {
        // Without bridge information only inverted options fit.
        let (input, output) = cx.phys.unwrap_or(("", ""));
        let bridged = cx.phys.is_some();
        if self.is_bridged.is_some_and(|want| (bridged && !output.is_empty()) != want) {
            return Err("physdev-is-bridged");
        }
        if self.is_in.is_some_and(|want| input.is_empty() == want) {
            return Err("physdev-is-in");
        }
        if self.is_out.is_some_and(|want| output.is_empty() == want) {
            return Err("physdev-is-out");
        }
        let holds = |m: &IfMatch, dev: &str, missing: bool| {
            if dev.is_empty() { missing } else { if_name_holds(&m.name, dev) != m.invert }
        };
        if let Some(m) = &self.input
            && !holds(m, input, bridged || m.invert)
        {
            return Err("physdev-in");
        }
        if let Some(m) = &self.output
            && !holds(m, output, !bridged && m.invert)
        {
            return Err("physdev-out");
        }
        Ok(())
    }

    pub(super) fn save(&self, out: &mut String) {
        self.write(out, "--physdev-", " !");
    }

    pub(super) fn list(&self, _: bool, out: &mut String) {
        out.push_str(" PHYSDEV match");
        self.write(out, "--physdev-", " !");
    }

    fn write(&self, out: &mut String, prefix: &str, not: &str) {
        let flag = |f: Option<bool>, name: &str, out: &mut String| {
            if let Some(want) = f {
                let _ = write!(out, "{} {prefix}{name}", if want { "" } else { not });
            }
        };
        let dev = |m: &Option<IfMatch>, name: &str, out: &mut String| {
            if let Some(m) = m {
                let _ = write!(out, "{} {prefix}{name} {}", if m.invert { not } else { "" }, plain_word(&m.name));
            }
        };
        flag(self.is_in, "is-in", out);
        dev(&self.input, "in", out);
        flag(self.is_out, "is-out", out);
        dev(&self.output, "out", out);
        flag(self.is_bridged, "is-bridged", out);
    }

    pub(super) fn explain(&self, field: Field, cx: &MatchCx<'_>) -> (String, String) {
        let (input, output) = cx.phys.unwrap_or(("", ""));
        let dev = |d: &str| if d.is_empty() { "no bridge port".to_owned() } else { d.to_owned() };
        let wanted = |m: &Option<IfMatch>| m.as_ref().map(|m| format!("{}{}", if m.invert { "not " } else { "" }, m.name)).unwrap_or_default();
        let flag = |f: Option<bool>| if f == Some(false) { "no" } else { "yes" }.to_owned();
        let yes = |b: bool| if b { "yes" } else { "no" }.to_owned();
        match field {
            "physdev-in" => (wanted(&self.input), dev(input)),
            "physdev-out" => (wanted(&self.output), dev(output)),
            "physdev-is-in" => (flag(self.is_in), yes(!input.is_empty())),
            "physdev-is-out" => (flag(self.is_out), yes(!output.is_empty())),
            _ => (flag(self.is_bridged), yes(cx.phys.is_some() && !output.is_empty())),
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]

    use super::*;
    use crate::linux::netfilter::testing::{check, cx, udp};

    #[test]
    fn ports() {
        let p = udp();
        let bridged = MatchCx { phys: Some(("veth1", "veth2")), ..cx(&p) };
        let routed = MatchCx { phys: Some(("veth1", "")), ..cx(&p) };
        let none = cx(&p);
        let is = "physdev-is-bridged";
        check("physdev --physdev-is-bridged", "physdev --physdev-is-bridged", &[(bridged, ""), (routed, is), (none, is)]);
        check("physdev ! --physdev-is-bridged", "physdev ! --physdev-is-bridged", &[(bridged, is), (routed, ""), (none, "")]);
        check("physdev --physdev-in veth+", "physdev --physdev-in veth+", &[(bridged, ""), (none, "physdev-in")]);
        check("physdev ! --physdev-in veth1", "physdev ! --physdev-in veth1", &[(bridged, "physdev-in"), (none, "")]);
        check("physdev ! --physdev-out veth1", "physdev ! --physdev-out veth1", &[(bridged, ""), (routed, "physdev-out"), (none, "")]);
        check("physdev --physdev-is-in ! --physdev-is-out", "physdev --physdev-is-in ! --physdev-is-out", &[(bridged, "physdev-is-out"), (routed, "")]);
    }
}
