//! `-m conntrack`, and its older name `-m state`: the packet's flow.
//!
//! Models: net/netfilter/xt_conntrack.c conntrack_mt, iptables extensions/libxt_conntrack.c.
//! Simplifies: `--ctexpire` is not there.

use super::Field;
use crate::linux::conntrack::{CtInfo, CtStatus};
use crate::linux::netfilter::eval::{CtTuples, MatchCx};
use crate::linux::netfilter::option::{Opt, OptError, Ports};
use crate::linux::netfilter::spec::{AddrMatch, ProtoMatch, RuleSpec, ip_of};
use crate::packet::{Address, Family, L4, Protocol, Tuple};
use std::fmt::Write as _;

/// A set of states or status bits.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub struct Bits {
    /// The bits.
    pub mask: u16,
    /// `!`.
    pub invert: bool,
}

/// What is asked of the flow.
#[derive(Clone, Debug, PartialEq, Eq, Default)]
pub struct Conntrack {
    /// `--ctstate`, `--state`: bits of [`INVALID`] to [`DNAT`].
    pub state: Option<Bits>,
    /// `--ctproto`.
    pub proto: Option<ProtoMatch>,
    /// `--ctorigsrc`, `--ctorigdst`, `--ctreplsrc`, `--ctrepldst`.
    pub addrs: [Option<AddrMatch>; 4],
    /// `--ctorigsrcport`, `--ctorigdstport`, `--ctreplsrcport`, `--ctrepldstport`.
    pub ports: [Option<Ports>; 4],
    /// `--ctstatus`: bits of the kernel's own numbers; 0 for NONE.
    pub status: Option<Bits>,
    /// `--ctdir`: whether the reply direction.
    pub reply: Option<bool>,
    /// Written as `-m state`.
    pub alias: bool,
}

/// State bits in the order in which they are printed.
const STATES: [&str; 7] = ["INVALID", "NEW", "RELATED", "ESTABLISHED", "UNTRACKED", "SNAT", "DNAT"];
/// Bit of INVALID.
pub const INVALID: u16 = 1 << 0;
/// Bit of NEW.
pub const NEW: u16 = 1 << 1;
/// Bit of RELATED.
pub const RELATED: u16 = 1 << 2;
/// Bit of ESTABLISHED.
pub const ESTABLISHED: u16 = 1 << 3;
/// Bit of UNTRACKED.
pub const UNTRACKED: u16 = 1 << 4;
/// Bit of SNAT.
pub const SNAT: u16 = 1 << 5;
/// Bit of DNAT.
pub const DNAT: u16 = 1 << 6;

const STATUSES: [(&str, CtStatus); 4] = [
    ("EXPECTED", CtStatus::EXPECTED),
    ("SEEN_REPLY", CtStatus::SEEN_REPLY),
    ("ASSURED", CtStatus::ASSURED),
    ("CONFIRMED", CtStatus::CONFIRMED),
];

const ADDR_FIELDS: [Field; 4] = ["ctorigsrc", "ctorigdst", "ctreplsrc", "ctrepldst"];
const PORT_FIELDS: [Field; 4] = ["ctorigsrcport", "ctorigdstport", "ctreplsrcport", "ctrepldstport"];

/// The option of `-m state`.
pub(super) const STATE_OPTS: &[Opt] = &[Opt::one(&["state"]).inv().must()];

fn names(mask: u16, list: &[&str]) -> String {
    let found: Vec<_> = list.iter().enumerate().filter(|(n, _)| mask >> n & 1 == 1).map(|(_, s)| *s).collect();
    found.join(",")
}

fn status_names(mask: u16) -> String {
    let found: Vec<_> = STATUSES.iter().filter(|(_, s)| mask & s.0 != 0).map(|(n, _)| *n).collect();
    if found.is_empty() { "NONE".to_owned() } else { found.join(",") }
}

impl Conntrack {
    pub(super) const OPTS: &'static [Opt] = &[
        Opt::one(&["ctstate"]).inv(),
        Opt::one(&["ctproto"]).inv(),
        Opt::one(&["ctorigsrc"]).inv(),
        Opt::one(&["ctorigdst"]).inv(),
        Opt::one(&["ctreplsrc"]).inv(),
        Opt::one(&["ctrepldst"]).inv(),
        Opt::one(&["ctorigsrcport"]).inv(),
        Opt::one(&["ctorigdstport"]).inv(),
        Opt::one(&["ctreplsrcport"]).inv(),
        Opt::one(&["ctrepldstport"]).inv(),
        Opt::one(&["ctstatus"]).inv(),
        Opt::one(&["ctdir"]),
    ];

    /// `--ctstate` with those bits.
    pub fn ctstate(mask: u16) -> Conntrack {
        Conntrack { state: Some(Bits { mask, invert: false }), ..Conntrack::default() }
    }

    /// `! --ctstate` with those bits.
    pub fn not_ctstate(mask: u16) -> Conntrack {
        Conntrack { state: Some(Bits { mask, invert: true }), ..Conntrack::default() }
    }

    pub(super) fn set(&mut self, opt: usize, invert: bool, args: &[&str], family: Family) -> Result<(), OptError> {
        let arg = args[0];
        match opt {
            0 => self.state = Some(Bits { mask: parse_states(arg, self.alias)?, invert }),
            1 => {
                let protocol = super::super::spec::parse_protocol(arg)?;
                self.proto = Some(ProtoMatch { protocol, invert });
            }
            2..=5 => {
                let list = super::super::spec::parse_addresses(arg, family)?;
                let [one] = list[..] else {
                    return Err(OptError::parameter("conntrack: more than one address is not allowed"));
                };
                self.addrs[opt - 2] = Some(AddrMatch { invert, ..one });
            }
            6..=9 => self.ports[opt - 6] = Some(Ports::parse_lax("conntrack", PORT_FIELDS[opt - 6], arg, invert)?),
            10 => {
                let mut mask = 0;
                for s in arg.split(',') {
                    mask |= match STATUSES.iter().find(|(n, _)| n.eq_ignore_ascii_case(s)) {
                        Some((_, bit)) => bit.0,
                        None if s.eq_ignore_ascii_case("NONE") => 0,
                        None => return Err(OptError::parameter(format!("Bad ctstatus \"{arg}\""))),
                    };
                }
                self.status = Some(Bits { mask, invert });
            }
            _ => {
                self.reply = Some(match arg.to_ascii_uppercase().as_str() {
                    "ORIGINAL" => false,
                    "REPLY" => true,
                    _ => return Err(OptError::bad_value("conntrack", "ctdir", arg)),
                });
            }
        }
        Ok(())
    }

    pub(super) fn check(&self, _: u32, _: &RuleSpec) -> Result<(), OptError> {
        if (Conntrack { alias: false, ..self.clone() }) == Conntrack::default() {
            return Err(OptError::parameter("conntrack: At least one option is required"));
        }
        Ok(())
    }

    /// The state bits that the packet has.
    #[inline]
    fn state_bits(cx: &MatchCx<'_>) -> u16 {
        if cx.untracked {
            return UNTRACKED;
        }
        let Some(info) = cx.ct.info else { return INVALID };
        let mut bits = match info {
            CtInfo::New => NEW,
            CtInfo::Related | CtInfo::RelatedReply => RELATED,
            CtInfo::Established | CtInfo::EstablishedReply => ESTABLISHED,
        };
        if cx.ct.status.has(CtStatus::SRC_NAT) {
            bits |= SNAT;
        }
        if cx.ct.status.has(CtStatus::DST_NAT) {
            bits |= DNAT;
        }
        bits
    }

    #[inline]
    pub(super) fn eval(&self, cx: &MatchCx<'_>) -> Result<(), Field> {
        let state = if self.alias { "state" } else { "ctstate" };
        if let Some(b) = self.state
            && (b.mask & Self::state_bits(cx) != 0) == b.invert
        {
            return Err(state);
        }
        let Some(info) = cx.ct.info else {
            // Without a flow only the state can be asked; the kernel then looks no further.
            return if self.state.is_some() { Ok(()) } else { Err("ct") };
        };
        if let Some(reply) = self.reply
            && info.is_reply() != reply
        {
            return Err("ctdir");
        }
        if self.proto.is_some() || self.addrs.iter().any(Option::is_some) || self.ports.iter().any(Option::is_some) {
            let Some(tuples) = &cx.ct_tuples else { return Err("ct") };
            self.eval_tuples(tuples)?;
        }
        if let Some(b) = self.status
            && (cx.ct.status.0 & b.mask != 0) == b.invert
        {
            return Err("ctstatus");
        }
        Ok(())
    }

    fn eval_tuples(&self, tuples: &CtTuples) -> Result<(), Field> {
        let (addrs, ports, protocol) = both(tuples);
        for i in 0..4 {
            if let Some(m) = &self.addrs[i]
                && !m.holds(addrs[i])
            {
                return Err(ADDR_FIELDS[i]);
            }
        }
        if let Some(p) = self.proto
            && (p.protocol == protocol) == p.invert
        {
            return Err("ctproto");
        }
        for i in 0..4 {
            if let Some(m) = self.ports[i]
                && !m.holds(ports[i])
            {
                return Err(PORT_FIELDS[i]);
            }
        }
        Ok(())
    }

    pub(super) fn save(&self, out: &mut String) {
        let dash = |invert: bool, opt: &str, value: &str, out: &mut String| {
            let _ = write!(out, "{} --{opt} {value}", if invert { " !" } else { "" });
        };
        if let Some(b) = self.state {
            dash(b.invert, if self.alias { "state" } else { "ctstate" }, &names(b.mask, &STATES), out);
        }
        if let Some(p) = self.proto {
            dash(p.invert, "ctproto", &p.protocol.0.to_string(), out);
        }
        for (m, opt) in self.addrs.iter().zip(ADDR_FIELDS) {
            if let Some(m) = m {
                let text = if m.is_host() { m.address().to_string() } else { m.to_string() };
                dash(m.invert, opt, &text, out);
            }
        }
        for (m, opt) in self.ports.iter().zip(PORT_FIELDS) {
            if let Some(m) = m {
                dash(m.invert, opt, &m.to_string(), out);
            }
        }
        if let Some(b) = self.status {
            dash(b.invert, "ctstatus", &status_names(b.mask), out);
        }
        if let Some(reply) = self.reply {
            dash(false, "ctdir", if reply { "REPLY" } else { "ORIGINAL" }, out);
        }
    }

    pub(super) fn list(&self, _: bool, out: &mut String) {
        // The same order and words as for saving, without dashes.
        let mut text = String::new();
        self.save(&mut text);
        out.push_str(&text.replace(" --", " "));
    }

    pub(super) fn explain(&self, field: Field, cx: &MatchCx<'_>) -> (String, String) {
        let not = |invert: bool| if invert { "not " } else { "" };
        let known = |v: Option<String>| v.unwrap_or_else(|| "not known".to_owned());
        if let Some(i) = ADDR_FIELDS.iter().position(|f| *f == field) {
            let wanted = self.addrs[i].map(|m| format!("{}{m}", not(m.invert))).unwrap_or_default();
            return (wanted, known(cx.ct_tuples.map(|t| ip_of(both(&t).0[i], cx.family).to_string())));
        }
        if let Some(i) = PORT_FIELDS.iter().position(|f| *f == field) {
            let wanted = self.ports[i].map(|m| format!("{}{m}", not(m.invert))).unwrap_or_default();
            return (wanted, known(cx.ct_tuples.map(|t| both(&t).1[i].to_string())));
        }
        match field {
            "ctstate" | "state" => {
                let wanted = self.state.map(|b| format!("{}{}", not(b.invert), names(b.mask, &STATES))).unwrap_or_default();
                (wanted, names(Self::state_bits(cx), &STATES))
            }
            "ctstatus" => {
                let wanted = self.status.map(|b| format!("{}{}", not(b.invert), status_names(b.mask))).unwrap_or_default();
                (wanted, status_names(cx.ct.status.0))
            }
            "ctdir" => {
                let word = |reply: bool| if reply { "REPLY" } else { "ORIGINAL" }.to_owned();
                (word(self.reply == Some(true)), word(self.reply == Some(false)))
            }
            "ctproto" => (
                self.proto.map(|p| format!("{}{}", not(p.invert), p.protocol)).unwrap_or_default(),
                cx.protocol.to_string(),
            ),
            _ => ("a tracked flow".to_owned(), "none".to_owned()),
        }
    }
}

/// The four addresses, the four ports and the protocol of a flow.
type Parts = ([u128; 4], [u16; 4], Protocol);

fn both(tuples: &CtTuples) -> Parts {
    match tuples {
        CtTuples::V4(o, r) => parts(o, r),
        CtTuples::V6(o, r) => parts(o, r),
    }
}

fn parts<A: Address>(orig: &Tuple<A>, reply: &Tuple<A>) -> Parts {
    let of = |t: &Tuple<A>| match t.l4 {
        L4::Ports { src, dst } => (src, dst),
        L4::Icmp { id, .. } => (id, 0),
        L4::None => (0, 0),
    };
    let ((a, b), (c, d)) = (of(orig), of(reply));
    let addrs = [orig.src.to_bits(), orig.dst.to_bits(), reply.src.to_bits(), reply.dst.to_bits()];
    (addrs, [a, b, c, d], orig.protocol)
}

fn parse_states(arg: &str, alias: bool) -> Result<u16, OptError> {
    let mut mask = 0;
    for s in arg.split(',') {
        let n = STATES.iter().position(|n| n.eq_ignore_ascii_case(s)).filter(|n| !alias || *n < 5);
        mask |= 1 << n.ok_or_else(|| OptError::parameter(format!("Bad {} \"{s}\"", if alias { "state" } else { "ctstate" })))?;
    }
    Ok(mask)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]

    use super::*;
    use crate::packet::Ipv4Addr;
    use crate::linux::netfilter::testing::{cx, check, try_read, udp};

    fn with(p: &crate::packet::Ipv4Packet, info: Option<CtInfo>, status: CtStatus) -> MatchCx<'_> {
        let tuple = |src: u16, dst: u16| Tuple {
            src: Ipv4Addr::new(10, 0, 0, 1),
            dst: Ipv4Addr::new(10, 0, 0, 2),
            protocol: crate::packet::Protocol::UDP,
            l4: L4::Ports { src, dst },
        };
        let ct_tuples = info.map(|_| CtTuples::V4(tuple(40_000, 53), tuple(53, 40_000)));
        MatchCx { ct: crate::linux::conntrack::CtView { info, status, tracked: true }, ct_tuples, ..cx(p) }
    }

    #[test]
    fn states() {
        let p = udp();
        let new = with(&p, Some(CtInfo::New), CtStatus::default());
        let dnat = with(&p, Some(CtInfo::New), CtStatus::DST_NAT);
        let reply = with(&p, Some(CtInfo::EstablishedReply), CtStatus::SEEN_REPLY);
        let related = with(&p, Some(CtInfo::Related), CtStatus::default());
        let invalid = with(&p, None, CtStatus::default());
        let no = "ctstate";
        check("conntrack --ctstate related,ESTABLISHED", "conntrack --ctstate RELATED,ESTABLISHED", &[(new, no), (reply, ""), (related, ""), (invalid, no)]);
        check("conntrack --ctstate INVALID", "conntrack --ctstate INVALID", &[(new, no), (invalid, "")]);
        let firewall = "conntrack ! --ctstate RELATED,ESTABLISHED,DNAT";
        check(firewall, firewall, &[(new, ""), (dnat, no), (reply, no), (invalid, "")]);
        check("state --state NEW", "state --state NEW", &[(new, ""), (dnat, ""), (reply, "state")]);
        assert_eq!(try_read("conntrack --ctstate FOO"), Err("Bad ctstate \"FOO\"".to_owned()));
        assert_eq!(try_read("state --state DNAT"), Err("Bad state \"DNAT\"".to_owned()));
    }

    #[test]
    fn tuples_status_and_direction() {
        let p = udp();
        let new = with(&p, Some(CtInfo::New), CtStatus::ASSURED);
        let reply = with(&p, Some(CtInfo::EstablishedReply), CtStatus::SEEN_REPLY);
        let none = with(&p, None, CtStatus::default());
        check("conntrack --ctorigdst 10.0.0.2", "conntrack --ctorigdst 10.0.0.2", &[(new, ""), (none, "ct")]);
        check("conntrack ! --ctorigsrc 10.0.0.0/8", "conntrack ! --ctorigsrc 10.0.0.0/8", &[(new, "ctorigsrc")]);
        check("conntrack --ctrepldstport 40000:40001", "conntrack --ctrepldstport 40000:40001", &[(new, "")]);
        check("conntrack --ctorigdstport 54", "conntrack --ctorigdstport 54", &[(new, "ctorigdstport")]);
        check("conntrack --ctproto udp", "conntrack --ctproto 17", &[(new, "")]);
        check("conntrack --ctdir reply", "conntrack --ctdir REPLY", &[(new, "ctdir"), (reply, "")]);
        check("conntrack --ctstatus assured", "conntrack --ctstatus ASSURED", &[(new, ""), (reply, "ctstatus")]);
        // The kernel looks no further than the state where there is no flow.
        check("conntrack --ctstate INVALID --ctorigdst 10.9.9.9", "conntrack --ctstate INVALID --ctorigdst 10.9.9.9", &[(none, "")]);
    }
}
