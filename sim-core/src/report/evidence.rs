//! Evidence as named values: each code looked up in the tables that were in force.

use super::names::{action_name, brief, ct_words, icmp_name, pkttype, remote_hit, tcp_state, timer, tunnel, verdict_word};
use super::policy::{find_policy, rule_words};
use super::provenance::Provenance;
use super::rows;
use super::value::{Fields, Value};
use super::view::Report;
use crate::linux::config::Config;
use crate::linux::conntrack::CtId;
use crate::linux::fib::RouteType;
use crate::linux::neighbour::NudState;
use crate::linux::netfilter::{ChainId, NfFamily, TableKind};
use crate::linux::skb::PktType;
use crate::linux::{IfIndex, NetnsId, RowId, Source};
use crate::packet::{Family, Frame, IpAddr, Mac};
use crate::trace::evidence::{CtCode, FdbVerdict, NeighAction, RemoteHit, RuleAt, Verdict};
use crate::trace::{Evidence, StateDelta, Step, StepId};

/// What an evidence tells.
#[derive(Clone, Debug, Default)]
pub(super) struct Told {
    /// By name.
    pub(super) fields: Fields,
    /// What was decided.
    pub(super) verdict: Option<String>,
    /// The winning row.
    pub(super) row: Option<String>,
    /// Where it came from.
    pub(super) made_by: Option<Provenance>,
}

impl Told {
    pub(super) fn new(fields: Fields) -> Self {
        Told { fields, ..Told::default() }
    }

    pub(super) fn verdict(mut self, verdict: impl Into<String>) -> Self {
        self.verdict = Some(verdict.into());
        self
    }

    pub(super) fn row(mut self, row: Option<String>, made_by: Option<Provenance>) -> Self {
        self.row = row;
        self.made_by = made_by;
        self
    }
}

fn ct_value(code: CtCode) -> Value {
    let (state, dir) = ct_words(code);
    let status = rows::ct_status(code.status).into_iter().map(Value::from).collect();
    Value::Map(vec![("state", state.into()), ("dir", dir.into()), ("status", Value::List(status))])
}

/// Whether conntrack had anything to say: a namespace that does not track says nothing.
fn ct_known(code: CtCode) -> bool {
    code.info != 0
}

impl<'r> Report<'r> {
    /// The evidence of the step at place `n`.
    pub(super) fn evidence(&self, step: &Step, n: u32, frame: Option<&Frame>) -> Told {
        let ns = step.netns;
        match step.evidence {
            Evidence::Receive { pkttype: p, len, .. } => {
                let copy = self.copy_of(n);
                let mut fields: Fields = vec![("dir", "in".into()), ("pkttype", pkttype(p).into())];
                fields.extend(copy.map(|c| ("copy_of", c.into())));
                fields.push(("payload", len.into()));
                Told::new(fields)
            }
            Evidence::Transmit { len } => {
                let mut fields: Fields = vec![("dir", "out".into()), ("pkttype", pkttype(PktType::Outgoing).into())];
                fields.extend(self.copy_of(n).map(|c| ("copy_of", c.into())));
                fields.push(("payload", len.into()));
                Told::new(fields)
            }
            Evidence::SocketSend { socket, len } => Told::new(vec![("socket", socket.0.into()), ("bytes", len.into())]),
            Evidence::Deliver { socket, len } => {
                let to = if socket.is_some() { "socket" } else { "kernel" };
                let socket = socket.is_some().then_some(socket.0);
                Told::new(vec![("socket", socket.into()), ("to", to.into()), ("bytes", len.into())]).verdict("deliver")
            }
            Evidence::SocketError { socket, errno } => {
                Told::new(vec![("socket", socket.0.into()), ("errno", errno.name().into()), ("message", errno.message().into())])
                    .verdict(errno.name())
            }
            Evidence::TcpState { socket, from, to } => {
                Told::new(vec![("socket", socket.0.into()), ("from", tcp_state(from).into()), ("to", tcp_state(to).into())])
            }
            Evidence::PolicyRule { pref, row, mark } => {
                let found = self.config(ns, n).and_then(|c| find_policy(c, pref, row).map(|r| (c, r)));
                let mut fields = vec![("pref", pref.into())];
                if let Some((c, r)) = found {
                    fields.push(("row", rule_words(c, r).into()));
                    fields.push(("action", r.spec.does().word().into()));
                }
                fields.push(("mark", mark.into()));
                let made = found.map(|(c, r)| self.provenance(c, r.source));
                fields.extend(made.as_ref().map(|m| ("made_by", m.text.as_str().into())));
                Told::new(fields)
                    .verdict(found.map_or("lookup", |(_, r)| r.spec.does().word()))
                    .row(found.map(|(c, r)| format!("{pref}: {}", rule_words(c, r))), made)
            }
            Evidence::RouteLookup { input, dst, row, kind, oif, next_hop, src } => {
                let src = (src.0 != 0).then(|| self.addr(src)).filter(|a| !a.is_unspecified());
                self.route_evidence(
                    ns,
                    n,
                    RouteAsked { input, dst: self.addr(dst), row, kind, oif: IfIndex(u32::from(oif)), next_hop: self.addr(next_hop), src },
                )
            }
            Evidence::NeighbourLookup { addr, state, after, action, mac } => {
                self.neighbour_evidence(ns, step.dev, n, self.addr(addr), state, after, action, mac)
            }
            Evidence::NeighbourUpdate { addr, from, to, mac } => Told::new(vec![
                ("addr", self.addr(addr).to_string().into()),
                ("from", from.name().into()),
                ("to", to.name().into()),
                ("mac", known(mac, to).into()),
            ])
            .row(self.config(ns, n).map(|c| rows::neighbour(c, step.dev, self.addr(addr), mac, to)), None),
            Evidence::Hook { family, hook, iif, oif, after, ct, mark } => {
                let iif = self.dev(ns, IfIndex(u32::from(iif)), n);
                let oif = self.dev(ns, IfIndex(u32::from(oif)), n);
                let mut fields: Fields = vec![("family", family.name().into()), ("hook", hook.name().into())];
                fields.extend((!iif.is_empty()).then(|| ("iif", iif.into())));
                fields.extend((!oif.is_empty()).then(|| ("oif", oif.into())));
                fields.push(("before", frame.map(brief).unwrap_or(Value::Null)));
                let out = after.is_some().then(|| self.frame(after)).flatten();
                fields.push(("after", out.as_ref().map(brief).unwrap_or(Value::Null)));
                fields.extend(ct_known(ct).then(|| ("ct", ct_value(ct))));
                fields.extend((mark != 0).then(|| ("mark", mark.into())));
                Told::new(fields).verdict(if after.is_some() { "ACCEPT" } else { self.how_lost(n) })
            }
            Evidence::NftRule { ct, .. } => self.nft_evidence(step, n, ct),
            Evidence::Rule { table, chain, at, verdict, row, mark, ct } => {
                self.rule_evidence(ns, n, &RuleHit { table, chain, at, verdict, row, mark, ct })
            }
            Evidence::StatefulMatch { row, matched, value, .. } => {
                let text = self.config(ns, n).and_then(|c| rule_by_row(c, row));
                Told::new(vec![("text", text.clone().into()), ("matched", matched.into()), ("value", value.into())])
                    .verdict(if matched { "match" } else { "no-match" })
                    .row(text, None)
            }
            Evidence::ConntrackLookup { id, created, ct } => {
                let (state, dir) = ct_words(ct);
                let status = rows::ct_status(ct.status).into_iter().map(Value::from).collect();
                let mut fields: Fields = vec![
                    ("entry", id.map(|i| i.0).into()),
                    ("created", created.into()),
                    ("state", state.into()),
                    ("dir", dir.into()),
                    ("status", Value::List(status)),
                ];
                let row = id.and_then(|id| self.add_tuples(ns, id, n, &mut fields));
                Told::new(fields).verdict(state.to_uppercase()).row(row, None)
            }
            Evidence::ConntrackConfirm { id } => {
                let mut fields: Fields = vec![("entry", id.0.into())];
                let row = self.add_tuples(ns, id, n, &mut fields);
                Told::new(fields).row(row, None)
            }
            Evidence::NatBind { id, row, source, addr, port } => {
                let config = self.config(ns, n);
                let rule = config.filter(|_| row.is_some()).and_then(|c| rule_by_row(c, row));
                let made = config.filter(|_| row.is_some()).and_then(|c| rule_source(c, row).map(|s| self.provenance(c, s)));
                let mut fields: Fields = vec![
                    ("entry", id.0.into()),
                    ("manip", manip(source).into()),
                    ("addr", self.addr(addr).to_string().into()),
                    ("port", port.into()),
                    ("row", rule.clone().into()),
                ];
                fields.extend(made.as_ref().map(|m| ("made_by", m.text.as_str().into())));
                self.add_tuples(ns, id, n, &mut fields);
                Told::new(fields).row(rule, made)
            }
            Evidence::IpvsSchedule { service, dest, weight, active, inactive, usable } => {
                self.ipvs_schedule(ns, n, (service, dest), weight, (active, inactive), usable)
            }
            Evidence::IpvsConn { id, dest, created, reply, from, to } => {
                self.ipvs_conn(ns, n, id, dest, (created, reply), (from, to), frame)
            }
            Evidence::IpvsForward { id, forward, local, addr, port } => Told::new(vec![
                ("conn", id.0.into()),
                ("method", super::ipvs::method(forward).into()),
                ("local", local.into()),
                ("addr", addr.ipv4().to_string().into()),
                ("port", port.into()),
            ]),
            Evidence::NatRewrite { id, source } => {
                let mut fields: Fields = vec![("entry", id.0.into()), ("manip", manip(source).into())];
                let row = self.add_tuples(ns, id, n, &mut fields);
                Told::new(fields).row(row, None)
            }
            Evidence::FdbLearn { mac, port, new } => {
                let port = IfIndex(u32::from(port));
                let row = self.config(ns, n).map(|c| rows::fdb(c, bridge_of(c, port), port, mac, false));
                Told::new(vec![("mac", mac.to_string().into()), ("port", self.dev(ns, port, n).into()), ("new", new.into())])
                    .verdict(if new { "learned" } else { "known" })
                    .row(row, None)
            }
            Evidence::VlanFilter { ingress, vid, verdict } => Told::new(vec![
                ("at", if ingress { "ingress" } else { "egress" }.into()),
                ("port", self.dev(ns, step.dev, n).into()),
                ("vlan", u32::from(vid).into()),
                ("action", verdict.name().into()),
            ])
            .verdict(verdict.name()),
            Evidence::FdbLookup { mac, verdict } => self.fdb_evidence(step, n, mac, verdict),
            Evidence::RemoteLookup { mac, hit, remote, count } => {
                let remote = (count > 0).then(|| remote.ipv4().to_string());
                let row = remote.as_ref().map(|r| {
                    let mac = if hit == RemoteHit::Entry { mac } else { Mac::ZERO };
                    format!("{mac} dev {} dst {r} self", self.dev(ns, step.dev, n))
                });
                Told::new(vec![
                    ("mac", mac.to_string().into()),
                    ("found", remote_hit(hit).into()),
                    ("remote", remote.into()),
                    ("endpoints", count.into()),
                    ("row", row.clone().into()),
                ])
                .verdict(remote_hit(hit))
                .row(row, None)
            }
            Evidence::RemoteLearn { mac, remote, new } => {
                Told::new(vec![("mac", mac.to_string().into()), ("remote", remote.ipv4().to_string().into()), ("new", new.into())])
                    .verdict(if new { "learned" } else { "known" })
            }
            Evidence::Encap { tunnel: t, id, src, dst, sport, dport } => {
                let mut fields: Fields = vec![
                    ("tunnel", tunnel(t).into()),
                    ("id", id.into()),
                    ("src", src.ipv4().to_string().into()),
                    ("dst", dst.ipv4().to_string().into()),
                ];
                if dport != 0 {
                    fields.extend([("sport", sport.into()), ("dport", dport.into())]);
                }
                Told::new(fields)
            }
            Evidence::Decap { tunnel: t, id, src, device } => Told::new(vec![
                ("tunnel", tunnel(t).into()),
                ("id", id.into()),
                ("src", src.ipv4().to_string().into()),
                ("device", self.dev(ns, IfIndex(u32::from(device)), n).into()),
            ]),
            Evidence::TtlDecrement { from, to } => Told::new(vec![("from", from.into()), ("to", to.into())]),
            Evidence::Defrag { offset, parts } => Told::new(vec![("offset", offset.into()), ("parts", parts.into())]),
            Evidence::Fragment { mtu, parts } => Told::new(vec![("mtu", mtu.into()), ("parts", parts.into())]),
            Evidence::IcmpError { kind, code, packet } => {
                let packet = packet.is_some().then_some(packet.0);
                Told::new(vec![
                    ("type", kind.into()),
                    ("code", code.into()),
                    ("name", icmp_name(kind, code).into()),
                    ("packet", packet.into()),
                ])
            }
            Evidence::ArpInput { verdict, target } => Told::new(vec![
                ("op", if verdict.is_request() { "request" } else { "reply" }.into()),
                ("target", target.ipv4().to_string().into()),
                ("answered", verdict.answers().into()),
                ("why", verdict.name().into()),
            ]),
            Evidence::Timer { timer: t } => Told::new(vec![("timer", timer(t).into())]),
            Evidence::Drop { reason } => {
                Told::new(vec![("reason", reason.name().into()), ("meaning", reason.meaning().into())]).verdict("drop")
            }
        }
    }

    /// The packet that the one of the step at place `n` is a copy of.
    fn copy_of(&self, n: u32) -> Option<u32> {
        let packet = self.index.packets.get(self.index.packet_of(n)?)?;
        packet.copy_of.is_some().then_some(packet.copy_of.0)
    }

    /// What became of a packet that did not come out of the hook at step `n`.
    fn how_lost(&self, n: u32) -> &'static str {
        let Some(place) = self.index.packet_of(n) else { return "STOLEN" };
        let steps = self.index.steps_at(place);
        let at = steps.partition_point(|s| *s <= n);
        for s in &steps[at..] {
            match self.run.recording.steps.get(*s as usize).map(|s| &s.evidence) {
                Some(Evidence::Drop { .. }) => return "DROP",
                Some(Evidence::Rule { verdict: Verdict::Stolen, .. }) => return "STOLEN",
                Some(_) if self.index.hook_of(*s) == Some(n) => {}
                Some(_) | None => break,
            }
        }
        "STOLEN"
    }

    fn route_evidence(&self, ns: NetnsId, n: u32, asked: RouteAsked) -> Told {
        let config = self.config(ns, n);
        let found = config.and_then(|c| super::route_row::of(c, asked.row, asked.dst, asked.oif).map(|r| (c, r)));
        let row = found.as_ref().map(|(_, r)| r.text.clone());
        let made = found.as_ref().map(|(c, r)| self.provenance(c, r.source));
        let via = found.as_ref().and_then(|(_, r)| r.via);
        let oif = self.dev(ns, asked.oif, n);
        let mut fields: Fields = vec![
            ("direction", if asked.input { "input" } else { "output" }.into()),
            ("dst", asked.dst.to_string().into()),
            ("table", found.as_ref().map(|(_, r)| r.table.to_string()).into()),
            ("row", row.clone().into()),
            ("type", asked.kind.name().into()),
        ];
        if !oif.is_empty() {
            fields.push(("oif", oif.into()));
        }
        if matches!(asked.kind, RouteType::Unicast) && asked.row.is_some() {
            fields.push(("next_hop", asked.next_hop.to_string().into()));
        }
        fields.extend(via.map(|v| ("via", v.to_string().into())));
        if let Some(src) = asked.src {
            fields.push(("src", src.to_string().into()));
            if let Some(why) = config.and_then(|c| super::losers::source_reason(c, &asked)) {
                fields.push(("src_why", why.into()));
            }
        }
        fields.extend(made.as_ref().map(|m| ("made_by", m.text.as_str().into())));
        let verdict = match (asked.row.is_some(), asked.kind) {
            (false, RouteType::Broadcast) | (true, RouteType::Local | RouteType::Broadcast | RouteType::Multicast | RouteType::Anycast) => {
                "local"
            }
            (false, _) => "no-route",
            (true, RouteType::Unicast) if asked.input => "forward",
            (true, RouteType::Unicast) => "send",
            (true, k @ (RouteType::Blackhole | RouteType::Unreachable | RouteType::Prohibit | RouteType::Throw)) => k.name(),
        };
        Told::new(fields).verdict(verdict).row(row, made)
    }

    #[allow(clippy::too_many_arguments, reason = "the fields of one evidence")]
    fn neighbour_evidence(
        &self,
        ns: NetnsId,
        dev: IfIndex,
        n: u32,
        addr: IpAddr,
        state: NudState,
        after: NudState,
        action: NeighAction,
        mac: Mac,
    ) -> Told {
        let row = self.config(ns, n).map(|c| rows::neighbour(c, dev, addr, mac, state)).filter(|_| state != NudState::None);
        let made = self.neighbour_source(ns, dev, addr, n).and_then(|s| self.config(ns, n).map(|c| self.provenance(c, s)));
        let mut fields: Fields = vec![
            ("addr", addr.to_string().into()),
            ("row", row.clone().into()),
            ("state", state.name().into()),
            ("after", after.name().into()),
            ("action", action_name(action).into()),
            ("mac", known(mac, after).into()),
        ];
        let made = made.filter(|_| state != NudState::None);
        fields.extend(made.as_ref().map(|m| ("made_by", m.text.as_str().into())));
        Told::new(fields).verdict(action_name(action)).row(row, made)
    }

    /// What made a neighbour entry that stood in the cache at step `n`.
    fn neighbour_source(&self, ns: NetnsId, dev: IfIndex, addr: IpAddr, n: u32) -> Option<Source> {
        match self.index.neigh_at(&self.run.recording, (ns, dev, addr), n) {
            Some((step, StateDelta::Neighbour { .. })) => Some(Source::Step(self.learned_at(
                step,
                ns,
                |e| matches!(e, Evidence::NeighbourUpdate { addr: a, .. } if self.addr(*a) == addr),
            ))),
            _ => match addr {
                IpAddr::V4(a) => self.run.start.ns(ns)?.neigh.get(dev, a).map(|e| e.source),
                IpAddr::V6(a) => self.run.start.ns(ns)?.neigh6.get(dev, a).map(|e| e.source),
            },
        }
    }

    /// The step that a write came from: the one of that kind next to the place where the write was told.
    fn learned_at(&self, step: u32, ns: NetnsId, fits: impl Fn(&Evidence) -> bool) -> u32 {
        let steps = &self.run.recording.steps;
        let hit = |n: u32| steps.get(n as usize).is_some_and(|s| s.netns == ns && fits(&s.evidence));
        [step.wrapping_sub(1), step, step.wrapping_sub(2)].into_iter().find(|n| hit(*n)).unwrap_or(step.saturating_sub(1))
    }

    fn fdb_evidence(&self, step: &Step, n: u32, mac: Mac, verdict: FdbVerdict) -> Told {
        let ns = step.netns;
        let config = self.config(ns, n);
        let (action, port) = match verdict {
            FdbVerdict::Local => ("local", None),
            FdbVerdict::Port(p) => ("port", Some(p)),
            FdbVerdict::Flood => ("flood", None),
            FdbVerdict::Nowhere => ("nowhere", None),
        };
        let bridge = config.map_or(IfIndex::NONE, |c| bridge_of(c, step.dev));
        let source = match self.index.fdb_at(&self.run.recording, (ns, bridge, mac), n) {
            Some((at, StateDelta::Fdb { .. })) => {
                Some(Source::Step(self.learned_at(at, ns, |e| matches!(e, Evidence::FdbLearn { mac: m, .. } if *m == mac))))
            }
            _ => self.run.start.ns(ns).and_then(|w| w.fdb.get(&bridge)).and_then(|f| f.get(mac)).map(|e| e.source),
        };
        let made = source.and_then(|s| config.map(|c| self.provenance(c, s))).filter(|_| port.is_some());
        let row = match verdict {
            FdbVerdict::Port(p) => config.map(|c| rows::fdb(c, bridge, p, mac, false)),
            FdbVerdict::Local => config.map(|c| rows::fdb(c, bridge, bridge, mac, true)),
            FdbVerdict::Flood | FdbVerdict::Nowhere => None,
        };
        let mut fields: Fields = vec![("mac", mac.to_string().into()), ("action", action.into())];
        fields.extend(port.map(|p| ("port", self.dev(ns, p, n).into())));
        fields.extend(row.as_ref().map(|r| ("row", r.as_str().into())));
        fields.extend(made.as_ref().map(|m| ("made_by", m.text.as_str().into())));
        Told::new(fields).verdict(action).row(row, made)
    }

    /// Whose rules step `n` is about: those of the hook that the packet is in.
    fn family_of_rule(&self, n: u32) -> Family {
        let hook = self.index.hook_of(n).and_then(|h| self.raw(StepId(h))).map(|s| s.evidence);
        match hook {
            Some(Evidence::Hook { family: NfFamily::Ip6, .. }) => Family::Inet6,
            _ => Family::Inet,
        }
    }

    fn nft_evidence(&self, step: &Step, n: u32, ct: CtCode) -> Told {
        let config = self.config(step.netns, n);
        let Some(said) = super::nft::said(config, step) else { return Told::new(Fields::new()) };
        let made = config.zip(said.source).map(|(c, s)| self.provenance(c, s));
        let mut fields = said.fields;
        fields.extend(ct_known(ct).then(|| ("ct", ct_value(ct))));
        fields.extend(made.as_ref().map(|m| ("made_by", m.text.as_str().into())));
        Told::new(fields).verdict(said.verdict).row(said.text, made)
    }

    fn rule_evidence(&self, ns: NetnsId, n: u32, hit: &RuleHit) -> Told {
        let config = self.config(ns, n);
        let table = config.and_then(|c| c.xtables(self.family_of_rule(n)).table(hit.table));
        let name = |i: ChainId| table.and_then(|t| t.chain(i)).map(|c| c.name.to_string()).unwrap_or_default();
        let chain = table.and_then(|t| t.chain(hit.chain));
        let (number, text) = match hit.at {
            RuleAt::Rule(i) => {
                let text = match (config, table, chain) {
                    (Some(c), Some(t), Some(ch)) => ch.rules.get(i as usize).map(|r| rows::rule(c, t, ch, r)),
                    _ => None,
                };
                (Value::from(i + 1), text)
            }
            RuleAt::Policy => ("policy".into(), Some(format!("-P {} {}", name(hit.chain), verdict_word(hit.verdict)))),
            RuleAt::End => ("end".into(), None),
        };
        let rule = match hit.at {
            RuleAt::Rule(i) => chain.and_then(|c| c.rules.get(i as usize)),
            RuleAt::Policy | RuleAt::End => None,
        };
        let target = rule.and_then(|r| r.spec.target.chain()).map(ToString::to_string);
        let verdict = match (hit.verdict, &target) {
            (Verdict::Jump, Some(t)) => format!("jump {t}"),
            (Verdict::Goto, Some(t)) => format!("goto {t}"),
            (v, _) => verdict_word(v).to_owned(),
        };
        let made = config.filter(|_| hit.row.is_some()).and_then(|c| rule_source(c, hit.row).map(|s| self.provenance(c, s)));
        let mut fields: Fields =
            vec![("table", hit.table.name().into()), ("chain", name(hit.chain).into()), ("rule", number), ("text", text.clone().into())];
        fields.extend(self.scanned(StepId(n)).map(|s| ("scanned", s.into())));
        fields.extend((hit.mark != 0).then(|| ("mark", hit.mark.into())));
        fields.extend(target.map(|t| ("target", t.into())));
        fields.extend(ct_known(hit.ct).then(|| ("ct", ct_value(hit.ct))));
        fields.extend(made.as_ref().map(|m| ("made_by", m.text.as_str().into())));
        Told::new(fields).verdict(verdict).row(text, made)
    }

    fn add_tuples(&self, ns: NetnsId, id: CtId, n: u32, fields: &mut Fields) -> Option<String> {
        let entry = self.ct_entry(ns, id, n)?;
        fields.push(("original", rows::tuple(&entry.original).into()));
        fields.push(("reply", rows::tuple(&entry.reply).into()));
        Some(rows::conntrack(entry))
    }
}

/// What a route lookup was asked, and what it said.
#[derive(Clone, Copy, Debug)]
pub(super) struct RouteAsked {
    pub(super) input: bool,
    pub(super) dst: IpAddr,
    pub(super) row: RowId,
    pub(super) kind: RouteType,
    pub(super) oif: IfIndex,
    pub(super) next_hop: IpAddr,
    pub(super) src: Option<IpAddr>,
}

struct RuleHit {
    table: TableKind,
    chain: ChainId,
    at: RuleAt,
    verdict: Verdict,
    row: RowId,
    mark: u32,
    ct: CtCode,
}

fn manip(source: bool) -> &'static str {
    if source { "source" } else { "destination" }
}

fn known(mac: Mac, state: NudState) -> Option<String> {
    (state.is_valid() && mac != Mac::ZERO).then(|| mac.to_string())
}

/// The bridge that `dev` is a port of, or `dev` itself.
pub(super) fn bridge_of(config: &Config, dev: IfIndex) -> IfIndex {
    config.devices.get(dev).map(|d| d.master).filter(|m| m.is_some()).unwrap_or(dev)
}

/// The rule of that row number, printed.
fn rule_by_row(config: &Config, row: RowId) -> Option<String> {
    let Some((table, chain, rule)) = find_rule(config, row) else { return super::nft::by_row(config, row).map(|(text, _)| text) };
    Some(rows::rule(config, table, chain, rule))
}

fn rule_source(config: &Config, row: RowId) -> Option<Source> {
    find_rule(config, row).map(|(_, _, r)| r.source).or_else(|| super::nft::by_row(config, row).map(|(_, source)| source))
}

type FoundRule<'c> = (&'c crate::linux::netfilter::Table, &'c crate::linux::netfilter::Chain, &'c crate::linux::netfilter::Rule);

/// The rule of that row number and where it stands.
pub(super) fn find_rule(config: &Config, row: RowId) -> Option<FoundRule<'_>> {
    TableKind::ALL
        .into_iter()
        .flat_map(|k| [config.xt.table(k), config.xt6.table(k)])
        .flatten()
        .find_map(|t| t.chains().find_map(|(_, c)| c.rules.iter().find(|r| r.row == row).map(|r| (&**t, c, r))))
}
