//! Policy rules: which route table is asked for which packet.
//!
//! Models: net/core/fib_rules.c fib_rule_match, fib_rules_lookup, fib_default_rule_pref, rule_exists, rule_find; net/ipv4/fib_rules.c
//! fib4_rule_match, fib4_rule_action, fib4_rule_suppress.
//! Simplifies: no tunnel identifiers, no VRF (`l3mdev`), no flow labels.
//! Seen in: 140-ipv6-router, 140-policy-rules, 141-rp-filter-marks.
//!
//! ```text
//!  rules by preference ──► fits the packet? ──► table ──► a route, unless it is `throw` or suppressed: the next rule
//!                                          └──► unreachable | prohibit | blackhole     └──► goto: on from a later rule
//! ```

use super::errno::Errno;
use super::fib::{Fib, Route, RouteProto, RouteType, TableId};
use super::id::{RowId, Source};
use crate::packet::{Address, Prefix, Protocol};
use std::sync::Arc;

/// What a rule may see of a packet (struct flowi).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FlowKey<'n, A> {
    /// Source address; unspecified if it is not chosen yet.
    pub src: A,
    /// Destination address.
    pub dst: A,
    /// Name of the device that it came in by; `lo` for packets made here.
    pub iif: &'n str,
    /// Name of the device that it must leave by; empty if any will do.
    pub oif: &'n str,
    /// Mark.
    pub mark: u32,
    /// TOS.
    pub tos: u8,
    /// Protocol; 0 if it is not known.
    pub protocol: Protocol,
    /// Ports; 0 if there are none.
    pub ports: (u16, u16),
    /// User that sends it.
    pub uid: u32,
}

impl<A: Address> FlowKey<'_, A> {
    /// A packet of which nothing but the destination is known, made on this host.
    pub fn to(dst: A) -> Self {
        FlowKey { src: A::UNSPECIFIED, dst, iif: "lo", oif: "", mark: 0, tos: 0, protocol: Protocol(0), ports: (0, 0), uid: 0 }
    }
}

/// What a rule does with a packet that fits.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Action {
    /// `lookup TABLE`.
    Lookup(TableId),
    /// `goto PREF`: on from that rule, which must come later; a rule that is not there is passed over.
    Goto(u32),
    /// `nop`.
    Nop,
    /// `blackhole`: EINVAL, and silence.
    Blackhole,
    /// `unreachable`: ENETUNREACH.
    Unreachable,
    /// `prohibit`: EACCES.
    Prohibit,
}

impl Action {
    /// What the packet meets, if the rule refuses it.
    fn refusal(self) -> Option<Errno> {
        match self {
            Action::Blackhole => Some(Errno::EINVAL),
            Action::Unreachable => Some(Errno::ENETUNREACH),
            Action::Prohibit => Some(Errno::EACCES),
            Action::Lookup(_) | Action::Goto(_) | Action::Nop => None,
        }
    }
}

impl Action {
    /// The word that `ip rule` has for it.
    pub fn word(self) -> &'static str {
        match self {
            Action::Lookup(_) => "lookup",
            Action::Goto(_) => "goto",
            Action::Nop => "nop",
            Action::Blackhole => "blackhole",
            Action::Unreachable => "unreachable",
            Action::Prohibit => "prohibit",
        }
    }
}

/// A range of ports or users, both ends included.
pub type Range<N> = (N, N);

/// What a rule says, and what a command names of one: what is none was not given.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RuleSpec<A> {
    /// `pref`, `priority`, `order`.
    pub pref: Option<u32>,
    /// `not`.
    pub not: bool,
    /// `from`: the address as written, and the length of the range.
    pub from: Option<(A, u8)>,
    /// `to`.
    pub to: Option<(A, u8)>,
    /// `tos`, `dsfield`.
    pub tos: u8,
    /// `fwmark`: value and mask.
    pub mark: Option<(u32, u32)>,
    /// `iif`, `dev`.
    pub iif: Option<Arc<str>>,
    /// `oif`.
    pub oif: Option<Arc<str>>,
    /// `uidrange`.
    pub uids: Option<Range<u32>>,
    /// `ipproto`.
    pub protocol: Option<Protocol>,
    /// `sport`.
    pub sport: Option<Range<u16>>,
    /// `dport`.
    pub dport: Option<Range<u16>>,
    /// What it does; `lookup main` if it is not given.
    pub action: Option<Action>,
    /// `suppress_prefixlength`: routes of at most that length do not count.
    pub suppress_prefixlength: Option<u8>,
    /// `suppress_ifgroup`: routes by devices of that group do not count. All devices are of group 0 here.
    pub suppress_ifgroup: Option<u32>,
    /// `protocol`.
    pub proto: Option<RouteProto>,
}

impl<A> Default for RuleSpec<A> {
    fn default() -> Self {
        RuleSpec {
            pref: None,
            not: false,
            from: None,
            to: None,
            tos: 0,
            mark: None,
            iif: None,
            oif: None,
            uids: None,
            protocol: None,
            sport: None,
            dport: None,
            action: None,
            suppress_prefixlength: None,
            suppress_ifgroup: None,
            proto: None,
        }
    }
}

fn holds<A: Address>(range: Option<(A, u8)>, addr: A) -> bool {
    range.is_none_or(|(a, len)| Prefix::new(a, len).contains(addr))
}

impl<A: Address> RuleSpec<A> {
    /// The first part in which a packet does not fit, by the word that `ip rule` has for it. `not` is not looked at.
    pub fn differs(&self, key: &FlowKey<'_, A>) -> Option<&'static str> {
        let within = |range: Option<Range<u16>>, port: u16| range.is_none_or(|(a, b)| (a..=b).contains(&port));
        if self.iif.as_deref().is_some_and(|n| n != key.iif) {
            return Some("iif");
        }
        if self.oif.as_deref().is_some_and(|n| n != key.oif) {
            return Some("oif");
        }
        if self.mark.is_some_and(|(value, mask)| (value ^ key.mark) & mask != 0) {
            return Some("fwmark");
        }
        if self.uids.is_some_and(|(a, b)| !(a..=b).contains(&key.uid)) {
            return Some("uidrange");
        }
        if !holds(self.from, key.src) {
            return Some("from");
        }
        if !holds(self.to, key.dst) {
            return Some("to");
        }
        if self.tos != 0 && self.tos != key.tos {
            return Some("tos");
        }
        if self.protocol.is_some_and(|p| p != key.protocol) {
            return Some("ipproto");
        }
        if !within(self.sport, key.ports.0) {
            return Some("sport");
        }
        if !within(self.dport, key.ports.1) {
            return Some("dport");
        }
        None
    }

    /// Whether a packet fits (fib_rule_match).
    pub fn fits(&self, key: &FlowKey<'_, A>) -> bool {
        self.differs(key).is_none() != self.not
    }

    /// What it does.
    pub fn does(&self) -> Action {
        self.action.unwrap_or(Action::Lookup(TableId::MAIN))
    }

    /// Whether a rule is what a `del` asks for: the same in all that is given (rule_find).
    fn asked_for(&self, have: &Rule<A>) -> bool {
        let r = &have.spec;
        let range = |want: Option<(A, u8)>, have: Option<(A, u8)>| want.is_none_or(|w| w.1 == 0 || have == Some(w));
        self.action.is_none_or(|a| a == r.does())
            && self.pref.is_none_or(|p| p == have.pref)
            && (self.iif.is_none() || self.iif == r.iif)
            && (self.oif.is_none() || self.oif == r.oif)
            && self.mark.is_none_or(|(v, m)| (v == 0 || r.mark.is_some_and(|h| h.0 == v)) && (m == 0 || r.mark.is_some_and(|h| h.1 == m)))
            && (self.suppress_prefixlength.is_none() || self.suppress_prefixlength == r.suppress_prefixlength)
            && (self.suppress_ifgroup.is_none() || self.suppress_ifgroup == r.suppress_ifgroup)
            && (self.uids.is_none() || self.uids == r.uids)
            && (self.protocol.is_none() || self.protocol == r.protocol)
            && (self.sport.is_none() || self.sport == r.sport)
            && (self.dport.is_none() || self.dport == r.dport)
            && (self.tos == 0 || self.tos == r.tos)
            && range(self.from, r.from)
            && range(self.to, r.to)
    }
}

/// A rule.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Rule<A> {
    /// Row number.
    pub row: RowId,
    /// Preference: the lowest is asked first.
    pub pref: u32,
    /// What it says.
    pub spec: RuleSpec<A>,
    /// What made it.
    pub source: Source,
}

/// The rules of a namespace for one family, in the order in which they are asked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Rules<A> {
    list: Vec<Rule<A>>,
    /// Whether they are the three of the kernel, as it makes them.
    plain: bool,
}

impl<A: Address> Default for Rules<A> {
    fn default() -> Self {
        let rule = |pref, table| Rule {
            row: RowId::NONE,
            pref,
            spec: RuleSpec {
                pref: Some(pref),
                action: Some(Action::Lookup(table)),
                proto: Some(RouteProto::KERNEL),
                ..RuleSpec::default()
            },
            source: Source::Kernel,
        };
        let list = vec![rule(0, TableId::LOCAL), rule(32_766, TableId::MAIN), rule(32_767, TableId::DEFAULT)];
        Rules { list, plain: true }
    }
}

impl<A: Address> Rules<A> {
    /// The rules, in the order in which they are asked.
    pub fn list(&self) -> &[Rule<A>] {
        &self.list
    }

    /// Whether nobody has changed them.
    #[inline]
    pub fn is_plain(&self) -> bool {
        self.plain
    }

    fn changed(&mut self) {
        self.plain = *self == Rules { plain: self.plain, ..Rules::default() };
    }

    /// The preference of a rule for which none is given: one before the second rule (fib_default_rule_pref).
    fn next_pref(&self) -> u32 {
        self.list.get(1).map_or(0, |second| second.pref.saturating_sub(1))
    }

    /// Adds a rule behind those of the same preference.
    ///
    /// # Errors
    /// EEXIST if there is one that says the same; EINVAL for a `goto` that does not lead onwards.
    pub fn add(&mut self, spec: RuleSpec<A>, row: RowId, source: Source) -> Result<(), RuleError> {
        let pref = spec.pref.unwrap_or_else(|| self.next_pref());
        if let Some(Action::Goto(to)) = spec.action
            && to <= pref
        {
            return Err(RuleError::BackwardGoto);
        }
        let says = |s: &RuleSpec<A>| RuleSpec { pref: None, action: Some(s.does()), proto: None, ..s.clone() };
        let same = |r: &Rule<A>| spec.pref.is_none_or(|p| p == r.pref) && says(&r.spec) == says(&spec);
        if self.list.iter().any(same) {
            return Err(RuleError::Exists);
        }
        let at = self.list.partition_point(|r| r.pref <= pref);
        self.list.insert(at, Rule { row, pref, spec, source });
        self.changed();
        Ok(())
    }

    /// Takes the first rule away that is what `spec` asks for.
    ///
    /// # Errors
    /// ENOENT if there is none.
    pub fn remove(&mut self, spec: &RuleSpec<A>) -> Result<(), RuleError> {
        let at = self.list.iter().position(|r| spec.asked_for(r)).ok_or(RuleError::NotFound)?;
        self.list.remove(at);
        self.changed();
        Ok(())
    }

    /// Takes all rules away but those of preference 0 (`ip rule flush`).
    pub fn flush(&mut self) {
        self.list.retain(|r| r.pref == 0);
        self.changed();
    }

    /// Visits the rules that a packet fits, in order, `goto` followed. `visit` says whether to go on.
    pub fn walk<'r>(&'r self, key: &FlowKey<'_, A>, mut visit: impl FnMut(&'r Rule<A>) -> bool) {
        let mut from = 0;
        for (i, rule) in self.list.iter().enumerate() {
            if i < from || !rule.spec.fits(key) {
                continue;
            }
            match rule.spec.does() {
                Action::Goto(to) => {
                    // the target is the first rule of that preference; none: the goto does nothing
                    if let Some(target) = self.list.iter().position(|r| r.pref == to) {
                        from = target;
                    }
                }
                Action::Nop => {}
                _ => {
                    if !visit(rule) {
                        return;
                    }
                }
            }
        }
    }
}

/// Why a rule is not added or taken away.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RuleError {
    /// There is one that says the same.
    Exists,
    /// There is none.
    NotFound,
    /// A `goto` to a rule that does not come later.
    BackwardGoto,
}

/// What a lookup over the rules came to.
#[derive(Clone, Copy, Debug)]
pub enum Looked<'f, A> {
    /// A route, the rule that led to it, and the table that it is in.
    Route(&'f Rule<A>, TableId, &'f Route<A>),
    /// A rule refuses the packet.
    Refused(&'f Rule<A>, Errno),
    /// No rule led to a route.
    Nothing,
}

impl<A: Address> Fib<A> {
    /// Asks the tables that the rules name, in order; only routes that `usable` accepts count (fib_lookup).
    #[inline]
    pub fn look_up(&self, key: &FlowKey<'_, A>, mut usable: impl FnMut(&Route<A>) -> bool) -> Looked<'_, A> {
        let mut looked = Looked::Nothing;
        self.rules.walk(key, |rule| {
            let action = rule.spec.does();
            if let Some(errno) = action.refusal() {
                looked = Looked::Refused(rule, errno);
                return false;
            }
            let Action::Lookup(id) = action else { return true };
            let Some(route) = self.table(id).and_then(|t| t.lookup(key.dst, |r| usable(r))) else { return true };
            if route.kind == RouteType::Throw || suppressed(&rule.spec, route) {
                return true;
            }
            looked = Looked::Route(rule, id, route);
            false
        });
        looked
    }
}

/// Whether a rule does not want the route that it led to (fib4_rule_suppress).
fn suppressed<A: Address>(spec: &RuleSpec<A>, route: &Route<A>) -> bool {
    let short = spec.suppress_prefixlength.is_some_and(|len| route.prefix.len() <= len);
    short || spec.suppress_ifgroup == Some(0) && !route.nexthops.is_empty()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]

    use super::*;
    use crate::packet::Ipv4Addr;

    fn spec(pref: Option<u32>, action: Action) -> RuleSpec<Ipv4Addr> {
        RuleSpec { pref, action: Some(action), ..RuleSpec::default() }
    }

    fn prefs(rules: &Rules<Ipv4Addr>) -> Vec<u32> {
        rules.list().iter().map(|r| r.pref).collect()
    }

    #[test]
    fn a_rule_without_preference_comes_before_the_second() {
        let mut rules = Rules::default();
        for table in 1..=3 {
            rules.add(spec(None, Action::Lookup(TableId(table))), RowId::NONE, Source::Kernel).unwrap();
        }
        assert_eq!(prefs(&rules), [0, 32_763, 32_764, 32_765, 32_766, 32_767]);
        assert!(!rules.is_plain());
        for table in 1..=3 {
            rules.remove(&spec(None, Action::Lookup(TableId(table)))).unwrap();
        }
        assert!(rules.is_plain(), "what was added is gone again");
    }

    #[test]
    fn the_same_twice_is_refused_and_what_is_not_there_too() {
        let mut rules = Rules::default();
        let one = RuleSpec { mark: Some((1, u32::MAX)), ..spec(Some(100), Action::Lookup(TableId(7))) };
        rules.add(one.clone(), RowId::NONE, Source::Kernel).unwrap();
        assert_eq!(rules.add(one.clone(), RowId::NONE, Source::Kernel), Err(RuleError::Exists));
        assert_eq!(rules.add(RuleSpec { pref: None, ..one.clone() }, RowId::NONE, Source::Kernel), Err(RuleError::Exists));
        rules.add(RuleSpec { pref: Some(101), ..one.clone() }, RowId::NONE, Source::Kernel).unwrap();
        assert_eq!(rules.remove(&RuleSpec { mark: Some((2, 0)), ..RuleSpec::default() }), Err(RuleError::NotFound));
        rules.remove(&RuleSpec { mark: Some((1, 0)), ..RuleSpec::default() }).unwrap();
        assert_eq!(prefs(&rules), [0, 101, 32_766, 32_767], "the first that fits");
        assert_eq!(rules.add(spec(Some(5), Action::Goto(5)), RowId::NONE, Source::Kernel), Err(RuleError::BackwardGoto));
    }

    #[test]
    fn each_part_is_looked_at() {
        let key = FlowKey {
            src: Ipv4Addr::new(10, 0, 0, 1),
            dst: Ipv4Addr::new(10, 1, 0, 1),
            iif: "eth0",
            oif: "",
            mark: 0x15,
            tos: 0x10,
            protocol: Protocol::TCP,
            ports: (4000, 80),
            uid: 5,
        };
        let differs = |f: &dyn Fn(&mut RuleSpec<Ipv4Addr>)| {
            let mut s = spec(None, Action::Nop);
            f(&mut s);
            let (bare, not) = (s.fits(&key), RuleSpec { not: true, ..s.clone() }.fits(&key));
            assert_ne!(bare, not, "`not` turns it round");
            s.differs(&key)
        };
        assert_eq!(differs(&|_| {}), None);
        assert_eq!(differs(&|s| s.from = Some((Ipv4Addr::new(10, 0, 0, 0), 24))), None);
        assert_eq!(differs(&|s| s.from = Some((Ipv4Addr::new(10, 0, 1, 0), 24))), Some("from"));
        assert_eq!(differs(&|s| s.to = Some((Ipv4Addr::new(10, 0, 0, 0), 24))), Some("to"));
        assert_eq!(differs(&|s| s.mark = Some((0x10, 0xf0))), None);
        assert_eq!(differs(&|s| s.mark = Some((0x10, u32::MAX))), Some("fwmark"));
        assert_eq!(differs(&|s| s.iif = Some("eth1".into())), Some("iif"));
        assert_eq!(differs(&|s| s.oif = Some("eth1".into())), Some("oif"));
        assert_eq!(differs(&|s| s.tos = 8), Some("tos"));
        assert_eq!(differs(&|s| s.protocol = Some(Protocol::UDP)), Some("ipproto"));
        assert_eq!(differs(&|s| s.sport = Some((1, 3999))), Some("sport"));
        assert_eq!(differs(&|s| s.dport = Some((80, 80))), None);
        assert_eq!(differs(&|s| s.uids = Some((0, 4))), Some("uidrange"));
    }

    #[test]
    fn goto_goes_on_from_a_later_rule() {
        let mut rules = Rules::default();
        for (pref, action) in
            [(10, Action::Goto(30)), (20, Action::Prohibit), (30, Action::Nop), (40, Action::Goto(999)), (50, Action::Unreachable)]
        {
            rules.add(spec(Some(pref), action), RowId::NONE, Source::Kernel).unwrap();
        }
        let mut seen = Vec::new();
        rules.walk(&FlowKey::to(Ipv4Addr::new(10, 0, 0, 1)), |r| {
            seen.push(r.pref);
            r.spec.does().refusal().is_none()
        });
        assert_eq!(seen, [0, 50]);
    }
}
