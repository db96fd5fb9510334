//! What the simulator did, in the words of an account: frames, hooks, outcomes, conntrack entries.

use super::words::{DeviceOf, Words};
use indexmap::IndexMap;
use serde_json::{Map, Value, json};
use sim_core::engine::{FlowRecord, Run};
use sim_core::linux::conntrack::{CtInfo, CtStatus, CtView};
use sim_core::linux::netfilter::NfFamily;
use sim_core::linux::netfilter::nft::NftFamily;
use sim_core::linux::socket::tcp::TcpState;
use sim_core::linux::{IfIndex, NetnsId, PacketId, PktType, Time, VersionId};
use sim_core::packet::Mac;
use sim_core::trace::evidence::{RuleAt, Verdict};
use sim_core::trace::{Evidence, Step};
use std::collections::BTreeMap;

/// What the simulator did.
#[derive(Clone, Debug, Default)]
pub struct Observed {
    /// Frames, in order.
    pub steps: Vec<Map<String, Value>>,
    /// Packets at the hooks.
    pub hooks: Vec<Map<String, Value>>,
    /// One per action.
    pub outcome: Vec<Map<String, Value>>,
    /// Entries per namespace.
    pub conntrack: IndexMap<String, Vec<String>>,
}

/// How a run is put into a golden's words.
#[derive(Debug)]
pub struct Observer<'a> {
    /// The run.
    pub run: &'a Run,
    /// Ports that keep their numbers.
    pub ports: &'a [u16],
    /// Whether whole seconds are told.
    pub timing: bool,
    /// When each action began; none if frames are not told by actions.
    pub began: Option<Vec<Time>>,
    /// Devices that are called by name, by hardware address, as the lab made them; none for all those that there are.
    pub devices: Option<BTreeMap<Mac, String>>,
}

impl DeviceOf for Observer<'_> {
    fn device_of(&self, mac: Mac) -> Option<String> {
        if let Some(devices) = &self.devices {
            return devices.get(&mac).cloned();
        }
        self.run.end.netns.iter().enumerate().find_map(|(i, ns)| {
            let d = ns.config.devices.iter().find(|d| d.mac == mac)?;
            Some(format!("{}/{}", self.ns(NetnsId(i as u32)), d.name))
        })
    }
}

impl Observer<'_> {
    fn ns(&self, id: NetnsId) -> &str {
        self.run.end.info(id).map_or("", |i| &i.label)
    }

    fn hidden(&self, id: NetnsId) -> bool {
        self.run.end.info(id).is_none_or(|i| i.hidden)
    }

    fn dev(&self, ns: NetnsId, dev: IfIndex) -> &str {
        self.run.end.ns(ns).map_or("", |n| n.config.devices.name(dev))
    }

    /// The words for packets: devices are called by their names.
    fn words(&self) -> Words<'_> {
        Words { ports: self.ports, symbol: "#", device: self }
    }

    fn port_text(&self, p: u16) -> String {
        self.words().port_text(p)
    }

    /// All of it.
    pub fn observe(&self, outcome: Vec<Map<String, Value>>) -> Observed {
        let steps = self.run.recording.steps.iter().filter(|s| !self.hidden(s.netns)).filter_map(|s| self.frame_step(s)).collect();
        Observed { steps, hooks: self.hooks(), outcome, conntrack: self.conntrack() }
    }

    fn frame_step(&self, s: &Step) -> Option<Map<String, Value>> {
        let (dir, pkttype) = match s.evidence {
            Evidence::Receive { pkttype, .. } => (
                "in",
                match pkttype {
                    PktType::Broadcast => Some("broadcast"),
                    PktType::Multicast => Some("multicast"),
                    PktType::OtherHost => Some("otherhost"),
                    PktType::Host | PktType::Outgoing => None,
                },
            ),
            Evidence::Transmit { .. } => ("out", None),
            _ => return None,
        };
        let frame = self.run.recording.frame(s.version)?;
        let mut m = Map::new();
        m.insert("netns".into(), json!(self.ns(s.netns)));
        m.insert("dev".into(), json!(self.dev(s.netns, s.dev)));
        m.insert("dir".into(), json!(dir));
        if let Some(p) = pkttype {
            m.insert("pkttype".into(), json!(p));
        }
        if let Some(began) = &self.began {
            let action = began.iter().filter(|b| **b <= s.at).count().saturating_sub(1);
            m.insert("a".into(), json!(action));
            if self.timing {
                let since = s.at.since(began.get(action).copied().unwrap_or_default());
                m.insert("t".into(), json!((since.as_millis() + 500) / 1000));
            }
        }
        self.words().frame(&frame, &mut m);
        let device = self.run.end.ns(s.netns).and_then(|n| n.config.devices.get(s.dev));
        if device.is_some_and(|d| !d.kind.has_link_header()) {
            // a capture on such a device begins with the IP header
            m.shift_remove("eth");
        }
        Some(m)
    }

    /// One line about an IP packet, as the hooks' lists have it.
    fn line(&self, version: VersionId) -> Value {
        let Some(frame) = self.run.recording.frame(version) else { return Value::Null };
        let Some(p) = frame.ipv4() else { return Value::Null };
        json!(self.words().line(p))
    }

    /// The packet of which this one is a copy, a copy of a copy, ….
    fn root(&self, mut id: PacketId) -> PacketId {
        while let Some(p) = self.run.recording.packet_at(id) {
            if !p.copy_of.is_some() {
                break;
            }
            id = p.copy_of;
        }
        id
    }

    fn hooks(&self) -> Vec<Map<String, Value>> {
        struct Group {
            netns: NetnsId,
            packet: PacketId,
            first: usize,
            outgoing: bool,
            hooks: Vec<Map<String, Value>>,
        }
        let steps = &self.run.recording.steps;
        let mut groups: Vec<Group> = Vec::new();
        for (n, s) in steps.iter().enumerate() {
            if self.hidden(s.netns) {
                continue;
            }
            match s.evidence {
                Evidence::Hook { family, hook, iif, oif, after, ct, .. } => {
                    let before = self.line(s.version);
                    if before.is_null() {
                        continue;
                    }
                    let name = format!("{}/{}", family.name(), hook.name());
                    let packet = self.root(s.packet);
                    let known = groups.iter().rposition(|g| g.netns == s.netns && g.packet == packet);
                    let last = known
                        .and_then(|i| groups[i].hooks.last())
                        .and_then(|h| h.get("hook"))
                        .and_then(Value::as_str)
                        .unwrap_or("")
                        .to_owned();
                    let goes_on = match name.as_str() {
                        "bridge/prerouting" | "ip/output" => false,
                        "ip/prerouting" => last == "bridge/prerouting" || last == "bridge/input",
                        _ => true,
                    };
                    let at = match known.filter(|_| goes_on) {
                        Some(i) => i,
                        None => {
                            groups.push(Group { netns: s.netns, packet, first: n, outgoing: name == "ip/output", hooks: Vec::new() });
                            groups.len() - 1
                        }
                    };
                    let mut m = Map::new();
                    m.insert("hook".into(), json!(name));
                    if iif != 0 {
                        m.insert("iif".into(), json!(self.dev(s.netns, IfIndex(u32::from(iif)))));
                    }
                    if oif != 0 {
                        m.insert("oif".into(), json!(self.dev(s.netns, IfIndex(u32::from(oif)))));
                    }
                    m.insert("before".into(), before.clone());
                    if family != NfFamily::Bridge {
                        let after = if after.is_some() { self.line(after) } else { Value::Null };
                        let left = !after.is_null();
                        m.insert("after".into(), if after == before { json!("=") } else { after });
                        // what the trace tells of conntrack it tells at a rule, and when the packet leaves the hook
                        if let Some(text) = ct_text(ct.into()).filter(|_| left) {
                            m.insert("ct".into(), json!(text));
                        }
                    }
                    m.insert("rules".into(), json!([]));
                    groups[at].hooks.push(m);
                }
                Evidence::Rule { .. } | Evidence::NftRule { .. } => {
                    let packet = self.root(s.packet);
                    if let Some(g) = groups.iter_mut().rev().find(|g| g.netns == s.netns && g.packet == packet)
                        && let Some(Value::Array(rules)) = g.hooks.last_mut().and_then(|h| h.get_mut("rules"))
                    {
                        rules.push(self.rule(n, s));
                        // a packet that does not come out was last seen by its last rule; the policy of a chain that has rules
                        // is told without conntrack, for the end of its rules was told before
                        if let (Some(h), Evidence::Rule { ct, .. } | Evidence::NftRule { ct, .. }) =
                            (g.hooks.last_mut().filter(|h| h.get("after").is_some_and(Value::is_null)), s.evidence)
                            && !self.is_policy_behind_rules(n, s)
                        {
                            match ct_text(ct.into()) {
                                Some(text) => h.insert("ct".into(), json!(text)),
                                None => h.shift_remove("ct"),
                            };
                        }
                    }
                }
                _ => {}
            }
        }
        // a packet that went out belongs to the first frame that looks as it did when it left; one that did not leave, since it
        // was sent on as another, to a frame that is left
        let mut sent: IndexMap<usize, usize> = IndexMap::new();
        let mut taken = vec![false; steps.len()];
        for exact in [true, false] {
            for (i, g) in groups.iter().enumerate().filter(|(_, g)| g.outgoing) {
                let looks = g.hooks.last().and_then(|h| match h.get("after") {
                    None | Some(Value::Null) => h.get("before"),
                    Some(v) if v == "=" => h.get("before"),
                    after => after,
                });
                // without an identification nothing but its looks tells a packet: those that no socket sends have none
                let ends = steps[..g.first].iter().rev().filter(|s| s.netns == g.netns).take(4);
                let mut ends = ends.take_while(|s| s.at == steps[g.first].at);
                let waits = ends.any(|s| matches!(s.evidence, Evidence::TcpState { to: TcpState::TimeWait, .. }));
                let bare = g.hooks.first().and_then(|h| h.get("before")).and_then(Value::as_str).is_some_and(|l| {
                    let flags = l.split(" tcp ").nth(1).and_then(|f| f.split(' ').next()).unwrap_or("");
                    flags == "SA" || flags.contains('R') || flags == "A" && waits
                });
                if sent.contains_key(&i) || (!exact && bare) {
                    continue;
                }
                let frame = steps.iter().enumerate().skip(g.first).find(|(n, s)| {
                    matches!(s.evidence, Evidence::Transmit { .. })
                        && s.netns == g.netns
                        && self.root(s.packet) == g.packet
                        && !taken[*n]
                        && (!exact || Some(&self.line(s.version)) == looks)
                });
                if let Some((n, _)) = frame {
                    sent.insert(i, n);
                    taken[n] = true;
                }
            }
        }
        // a packet stands where its frame stands: that which came in, or the first that went out
        let mut reached: IndexMap<NetnsId, usize> = IndexMap::new();
        let mut keyed: Vec<(usize, usize, Group)> = Vec::new();
        for (i, g) in groups.into_iter().enumerate() {
            let own = |s: &Step| s.netns == g.netns && self.root(s.packet) == g.packet;
            let frame = if g.outgoing {
                sent.get(&i).copied()
            } else {
                // the port's frame, which comes before the bridge's own
                let mut found = None;
                for (n, s) in steps[..g.first].iter().enumerate().rev() {
                    if own(s) {
                        match s.evidence {
                            Evidence::Receive { .. } => found = Some(n),
                            // a tunnel ends here: what it carried came in by the tunnel's device
                            Evidence::Transmit { .. } | Evidence::Decap { .. } => break,
                            _ => {}
                        }
                    }
                }
                found
            };
            let s = frame.unwrap_or_else(|| reached.get(&g.netns).copied().unwrap_or(0));
            reached.insert(g.netns, s);
            keyed.push((s, i, g));
        }
        keyed.sort_by_key(|(s, i, _)| (*s, *i));
        keyed
            .into_iter()
            .map(|(_, _, g)| {
                let mut m = Map::new();
                m.insert("netns".into(), json!(self.ns(g.netns)));
                m.insert("hooks".into(), Value::Array(g.hooks.into_iter().map(Value::Object).collect()));
                m
            })
            .collect()
    }

    /// Whether the step is the policy of a chain that has rules.
    fn is_policy_behind_rules(&self, n: usize, s: &Step) -> bool {
        let Evidence::Rule { table, chain, at: RuleAt::Policy, .. } = s.evidence else { return false };
        let config = self.run.recording.config(s.netns, sim_core::trace::StepId(n as u32));
        config.and_then(|c| c.xt.table(table)).is_some_and(|t| t.rule(chain, 0).is_some())
    }

    /// A rule of nftables; one of both families of IP is known by its handle alone.
    fn nft_rule(&self, n: usize, s: &Step) -> Value {
        let Evidence::NftRule { table, chain, at, verdict, row, mark, to, .. } = s.evidence else { return Value::Null };
        let config = self.run.recording.config(s.netns, sim_core::trace::StepId(n as u32));
        let t = config.and_then(|c| c.nft.table(u32::from(table)));
        let name = |slot: u32| t.and_then(|t| t.chains.get(slot)).map_or("?", |c| &*c.name);
        let number = match at {
            RuleAt::Rule(i) => match t.and_then(|t| t.rule(chain, i as usize)).filter(|r| r.row == row) {
                Some(r) if t.is_some_and(|t| t.family == NftFamily::Inet) => json!(format!("h{}", r.handle)),
                _ => json!(i + 1),
            },
            RuleAt::Policy => json!("policy"),
            RuleAt::End => json!("end"),
        };
        let mut row = vec![
            json!(t.map_or("?", |t| &*t.name)),
            json!(name(chain)),
            number,
            json!(verdict_text(verdict, if to == u32::MAX { "?" } else { name(to) })),
        ];
        if mark != 0 {
            row.push(json!(format!("mark={mark:#x}")));
        }
        Value::Array(row)
    }

    fn rule(&self, n: usize, s: &Step) -> Value {
        if matches!(s.evidence, Evidence::NftRule { .. }) {
            return self.nft_rule(n, s);
        }
        let Evidence::Rule { table, chain, at, verdict, mark, .. } = s.evidence else { return Value::Null };
        let config = self.run.recording.config(s.netns, sim_core::trace::StepId(n as u32));
        let t = config.and_then(|c| c.xt.table(table));
        let name = t.and_then(|t| t.chain(chain)).map_or("?", |c| &*c.name);
        let number = match at {
            RuleAt::Rule(i) => json!(i + 1),
            RuleAt::Policy => json!("policy"),
            RuleAt::End => json!("end"),
        };
        let target = match at {
            RuleAt::Rule(i) => t.and_then(|t| t.rule(chain, i as usize)).and_then(|r| r.spec.target.chain()).map_or("?", |c| &**c),
            RuleAt::Policy | RuleAt::End => "?",
        };
        let verdict = verdict_text(verdict, target);
        let mut row = vec![json!(table.name()), json!(name), number, json!(verdict)];
        if mark != 0 {
            row.push(json!(format!("mark={mark:#x}")));
        }
        Value::Array(row)
    }

    fn conntrack(&self) -> IndexMap<String, Vec<String>> {
        let mut out = IndexMap::new();
        for (i, ns) in self.run.end.netns.iter().enumerate() {
            let id = NetnsId(i as u32);
            if self.hidden(id) {
                continue;
            }
            let mut lines: Vec<String> = ns.conntrack.list(self.run.end.now).iter().map(|l| self.entry(l)).collect();
            lines.sort();
            if !lines.is_empty() {
                out.insert(self.ns(id).to_owned(), lines);
            }
        }
        out
    }

    /// An entry without its timeout, its use count, and a mark of zero.
    fn entry(&self, line: &str) -> String {
        let words: Vec<&str> = line.split_whitespace().collect();
        let mut out: Vec<String> = words.first().map(|w| (*w).to_owned()).into_iter().collect();
        let mut at = 2;
        if words.get(2).is_some_and(|w| w.bytes().all(|b| b.is_ascii_digit())) {
            at = 3;
        }
        for w in words.iter().skip(at) {
            if w.starts_with("use=") || w.starts_with("secctx=") || w.starts_with("mark=0") {
                continue;
            }
            match w.split_once('=') {
                Some((k @ ("sport" | "dport"), v)) => {
                    out.push(format!("{k}={}", v.parse().map_or_else(|_| v.to_owned(), |p| self.port_text(p))))
                }
                _ => out.push((*w).to_owned()),
            }
        }
        out.join(" ")
    }

    /// What a client saw, in a golden's words.
    pub fn outcome(&self, f: &FlowRecord) -> Map<String, Value> {
        super::outcome::of(&self.words(), &|id| self.ns(id).to_owned(), f)
    }
}

fn ct_text(view: CtView) -> Option<String> {
    let info = view.info?;
    let state = match info {
        CtInfo::Established | CtInfo::EstablishedReply => "established",
        CtInfo::Related | CtInfo::RelatedReply => "related",
        CtInfo::New => "new",
    };
    let mut s = format!("{state}/{}", if info.is_reply() { "reply" } else { "orig" });
    for (bit, word) in
        [(CtStatus::ASSURED, " assured"), (CtStatus::CONFIRMED, " confirmed"), (CtStatus::SRC_NAT, " snat"), (CtStatus::DST_NAT, " dnat")]
    {
        if view.status.has(bit) {
            s.push_str(word);
        }
    }
    Some(s)
}

fn verdict_text(v: Verdict, target: &str) -> String {
    match v {
        Verdict::Accept => "ACCEPT".to_owned(),
        Verdict::Drop => "DROP".to_owned(),
        Verdict::Jump => format!("jump {target}"),
        Verdict::Goto => format!("goto {target}"),
        Verdict::Return => "return".to_owned(),
        Verdict::Continue => "continue".to_owned(),
        Verdict::Stolen => "STOLEN".to_owned(),
    }
}
