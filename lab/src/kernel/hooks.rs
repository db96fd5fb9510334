//! From the messages of the rule trace to packets at hooks.
//!
//! Observer tables stand at priority -450 and 1000 of every hook: what they tell is the packet before and after, and between
//! the two come the rules. Messages of one packet carry one number; a packet that goes on in another function gets a new one, and
//! is known again by its identification.

use super::capture::TraceMessage;
use crate::account::words::{Words, line_of};
use indexmap::IndexMap;
use serde_json::{Map, Value, json};
use std::collections::BTreeMap;

/// Name of the observer tables.
pub const OBSERVER: &str = "packetwalk_observer";

/// What tells packets apart: identification, protocol, TCP sequence number, fragment offset.
pub type Key = (u32, u8, Option<u32>, u16);

/// Numbers of rules by family, table, chain and handle, one map for each state of the ruleset.
pub type Handles = Vec<BTreeMap<(String, String, String, u64), usize>>;

/// A packet at the hooks of a namespace.
#[derive(Clone, Debug)]
pub struct Group {
    /// Its key.
    pub key: Option<Key>,
    /// Its source address, as it was first seen.
    pub source: String,
    /// The device it came in by, at the first hook.
    pub iif: Option<u32>,
    /// Whether it was made here.
    pub outgoing: bool,
    /// The hooks.
    pub hooks: Vec<Map<String, Value>>,
}

impl Group {
    /// The packet at its first hook, or as it left the last.
    pub fn seen(&self) -> &str {
        if !self.outgoing {
            return text_of(self.hooks.first(), "before").unwrap_or("");
        }
        let last = self.hooks.last();
        match text_of(last, "after") {
            Some("=") | None => text_of(last, "before").unwrap_or(""),
            Some(after) => after,
        }
    }
}

fn text_of<'a>(m: Option<&'a Map<String, Value>>, key: &str) -> Option<&'a str> {
    m?.get(key)?.as_str()
}

/// The rules of the observers.
pub fn observer_ruleset(bridge: bool, ipv6: bool) -> String {
    let mut s = String::new();
    let mut families = vec!["ip"];
    if ipv6 {
        families.push("ip6");
    }
    for family in families {
        s.push_str(&format!("table {family} {OBSERVER} {{\n"));
        for hook in ["prerouting", "input", "forward", "output", "postrouting"] {
            let mark = if matches!(hook, "prerouting" | "output") { " meta nftrace set 1;" } else { "" };
            s.push_str(&format!(" chain {hook} {{ type filter hook {hook} priority -450;{mark} }}\n"));
            s.push_str(&format!(" chain late_{hook} {{ type filter hook {hook} priority 1000; }}\n"));
        }
        s.push_str("}\n");
    }
    if bridge {
        s.push_str(&format!("table bridge {OBSERVER} {{\n"));
        for hook in ["prerouting", "input", "forward", "output", "postrouting"] {
            let mark = if hook == "prerouting" { " meta protocol ip meta nftrace set 1;" } else { "" };
            s.push_str(&format!(" chain {hook} {{ type filter hook {hook} priority -450;{mark} }}\n"));
        }
        s.push_str("}\n");
    }
    s
}

/// Netlink attributes, by number.
fn attributes(mut b: &[u8]) -> BTreeMap<u16, &[u8]> {
    let mut out = BTreeMap::new();
    while b.len() >= 4 {
        let len = usize::from(u16::from_ne_bytes([b[0], b[1]]));
        let kind = u16::from_ne_bytes([b[2], b[3]]) & 0x3fff;
        if len < 4 || len > b.len() {
            break;
        }
        out.insert(kind, &b[4..len]);
        b = b.get(len.next_multiple_of(4)..).unwrap_or(&[]);
    }
    out
}

fn be32(b: Option<&&[u8]>) -> Option<u32> {
    b?.get(..4).map(|b| u32::from_be_bytes([b[0], b[1], b[2], b[3]]))
}

fn text(b: Option<&&[u8]>) -> String {
    b.map_or_else(String::new, |b| String::from_utf8_lossy(b).trim_end_matches('\0').to_owned())
}

// net/netfilter/nf_tables_trace.c, include/uapi/linux/netfilter/nf_tables.h: enum nft_trace_attributes
const TABLE: u16 = 1;
const CHAIN: u16 = 2;
const RULE_HANDLE: u16 = 3;
const TYPE: u16 = 4;
const VERDICT: u16 = 5;
const ID: u16 = 6;
const NETWORK_HEADER: u16 = 8;
const TRANSPORT_HEADER: u16 = 9;
const IIF: u16 = 10;
const OIF: u16 = 12;
const MARK: u16 = 14;
const NFPROTO: u16 = 15;
const POLICY: u16 = 16;
const CT_DIRECTION: u16 = 19;
const CT_STATUS: u16 = 20;
const CT_STATE: u16 = 21;
/// NF_CT_STATE_UNTRACKED_BIT.
const UNTRACKED: u32 = 64;

/// A packet of the trace: its words, and its key.
fn packet(words: &Words<'_>, at: &BTreeMap<u16, &[u8]>) -> Option<(Map<String, Value>, Key)> {
    let network = at.get(&NETWORK_HEADER)?;
    let transport = at.get(&TRANSPORT_HEADER).copied().unwrap_or(&[]);
    if network.first()? >> 4 != 4 {
        return None;
    }
    let header = usize::from(network[0] & 15) * 4;
    let mut bytes = network.get(..header.min(network.len()))?.to_vec();
    bytes.resize(header, 0);
    bytes.extend_from_slice(transport);
    let map = words.quoted(&bytes)?;
    Some((map, key(&bytes)?))
}

/// The key of an IPv4 packet, of which only the beginning need be there.
pub fn key(b: &[u8]) -> Option<Key> {
    let header = usize::from(b.first()? & 15) * 4;
    let id = u32::from(u16::from_be_bytes([*b.get(4)?, *b.get(5)?]));
    let offset = (u16::from_be_bytes([*b.get(6)?, *b.get(7)?]) & 0x1fff) * 8;
    let protocol = *b.get(9)?;
    let seq = if protocol == 6 && offset == 0 {
        b.get(header + 4..header + 8).map(|s| u32::from_be_bytes([s[0], s[1], s[2], s[3]]))
    } else {
        None
    };
    Some((id, protocol, seq, offset))
}

fn conntrack(at: &BTreeMap<u16, &[u8]>) -> Option<String> {
    // what is not tracked is told as what has no entry: the simulated trace knows no difference
    let state = be32(at.get(&CT_STATE)).filter(|s| *s != UNTRACKED)?;
    let names = [(1, "invalid"), (2, "established"), (4, "related"), (8, "new"), (64, "untracked")];
    let mut s = names.iter().filter(|(b, _)| state & b != 0).map(|(_, n)| *n).collect::<Vec<_>>().join("+");
    if let Some(d) = at.get(&CT_DIRECTION) {
        s.push_str(if d.first().is_some_and(|b| *b != 0) { "/reply" } else { "/orig" });
    }
    if let Some(status) = be32(at.get(&CT_STATUS)) {
        for (bit, word) in [(4, " assured"), (8, " confirmed"), (16, " snat"), (32, " dnat")] {
            if status & bit != 0 {
                s.push_str(word);
            }
        }
    }
    Some(s)
}

fn set_ct(group: &mut Group, hook: Option<&str>, at: &BTreeMap<u16, &[u8]>) {
    let Some(ct) = conntrack(at) else { return };
    let found = match hook {
        Some(name) => group.hooks.iter_mut().rev().find(|h| h.get("hook").and_then(Value::as_str) == Some(name)),
        None => group.hooks.last_mut(),
    };
    if let Some(h) = found {
        h.insert("ct".into(), json!(ct));
    }
}

/// Groups the messages of one namespace into packets at hooks.
pub fn group(messages: &[TraceMessage], words: &Words<'_>, device: &dyn Fn(u32) -> Option<String>, handles: &Handles) -> Vec<Group> {
    let mut groups: Vec<Group> = Vec::new();
    let mut by_id: IndexMap<u32, usize> = IndexMap::new();
    let mut previous: Option<usize> = None;
    for m in messages {
        let at = attributes(&m.attributes);
        let id = be32(at.get(&ID)).unwrap_or(0);
        let number = be32(at.get(&NFPROTO)).unwrap_or(u32::from(m.family));
        let family = match number {
            2 => "ip",
            7 => "bridge",
            3 => "arp",
            10 => "ip6",
            1 => "inet",
            5 => "netdev",
            _ => "?",
        };
        let (table, chain) = (text(at.get(&TABLE)), text(at.get(&CHAIN)));
        let seen = packet(words, &at);
        if table == OBSERVER {
            // a second message of the same observer says nothing new
            let Some((map, key)) = seen else { continue };
            let line = line_of(&map);
            let (late, name) = match chain.strip_prefix("late_") {
                Some(n) => (true, n),
                None => (false, chain.as_str()),
            };
            let hook = format!("{family}/{name}");
            if late {
                if let Some(g) = by_id.get(&id).and_then(|i| groups.get_mut(*i)) {
                    if let Some(h) = g.hooks.iter_mut().rev().find(|h| h.get("hook").and_then(Value::as_str) == Some(&hook)) {
                        let same = h.get("before").and_then(Value::as_str) == Some(&line);
                        h.insert("after".into(), if same { json!("=") } else { json!(line) });
                    }
                    set_ct(g, Some(&hook), &at);
                }
                continue;
            }
            let last = |i: Option<usize>| -> String {
                i.and_then(|i| groups.get(i)?.hooks.last()?.get("hook")?.as_str().map(str::to_owned)).unwrap_or_default()
            };
            let is = |i: usize| groups.get(i).is_some_and(|g| g.key == Some(key));
            let known = by_id.get(&id).copied();
            let into = |s: &str| s == "bridge/prerouting" || s == "bridge/input";
            let same_packet = |i: usize| groups.get(i).and_then(|g| g.key).is_some_and(|k| k == key || (k.0, k.1) == (key.0, key.1));
            let goes_on = if hook == "bridge/prerouting" || hook == "ip/output" {
                None
            } else if hook == "ip/prerouting" {
                known.filter(|i| into(&last(Some(*i))) && is(*i)).or_else(|| previous.filter(|i| into(&last(Some(*i))) && is(*i)))
            } else {
                known.filter(|i| is(*i)).or_else(|| previous.filter(|i| same_packet(*i)))
            };
            let i = goes_on.unwrap_or_else(|| {
                groups.push(Group {
                    key: Some(key),
                    source: map.get("src").and_then(Value::as_str).unwrap_or("").to_owned(),
                    iif: be32(at.get(&IIF)),
                    outgoing: hook == "ip/output",
                    hooks: Vec::new(),
                });
                groups.len() - 1
            });
            by_id.insert(id, i);
            previous = Some(i);
            let mut h = Map::new();
            h.insert("hook".into(), json!(hook));
            for (attribute, name) in [(IIF, "iif"), (OIF, "oif")] {
                if let Some(dev) = be32(at.get(&attribute)).and_then(device) {
                    h.insert(name.into(), json!(dev));
                }
            }
            h.insert("before".into(), json!(line));
            if family != "bridge" {
                h.insert("after".into(), Value::Null);
            }
            h.insert("rules".into(), json!([]));
            if let Some(g) = groups.get_mut(i) {
                g.hooks.push(h);
            }
            continue;
        }
        let Some(i) = by_id.get(&id).copied().or(previous) else { continue };
        let Some(g) = groups.get_mut(i).filter(|g| !g.hooks.is_empty()) else { continue };
        let kind = be32(at.get(&TYPE)).unwrap_or(0);
        let mut verdict = at.get(&VERDICT).map(|v| verdict(v));
        let at_end = json!("end");
        let number = match kind {
            // NFT_TRACETYPE_RULE
            3 => match at.get(&RULE_HANDLE).and_then(|b| b.get(..8)) {
                None => {
                    // it fell off the end of a chain; of a built-in one that is no news
                    if matches!(&*chain, "PREROUTING" | "INPUT" | "FORWARD" | "OUTPUT" | "POSTROUTING") {
                        continue;
                    }
                    verdict = Some("return".to_owned());
                    at_end
                }
                Some(h) => {
                    let handle = h.iter().fold(0u64, |n, b| n << 8 | u64::from(*b));
                    let map = handles.get(m.epoch).or_else(|| handles.last());
                    match map.and_then(|m| m.get(&(family.to_owned(), table.clone(), chain.clone(), handle))) {
                        Some(n) => json!(n),
                        None => json!(format!("h{handle}")),
                    }
                }
            },
            // NFT_TRACETYPE_POLICY
            1 => {
                if let Some(p) = be32(at.get(&POLICY)) {
                    verdict = Some(if p == 0 { "DROP".to_owned() } else { "ACCEPT".to_owned() });
                }
                json!("policy")
            }
            _ => {
                verdict = Some("return".to_owned());
                at_end
            }
        };
        let mut row = vec![json!(table), json!(chain), number, json!(verdict)];
        if let Some(mark) = be32(at.get(&MARK)).filter(|m| *m != 0) {
            row.push(json!(format!("mark={mark:#x}")));
        }
        if let Some(Value::Array(rules)) = g.hooks.last_mut().and_then(|h| h.get_mut("rules")) {
            rules.push(Value::Array(row));
        }
        set_ct(g, None, &at);
    }
    groups
}

fn verdict(v: &[u8]) -> String {
    let inner = attributes(v);
    let code = be32(inner.get(&1)).unwrap_or(0) as i32;
    let word = match code {
        0 => "DROP",
        1 => "ACCEPT",
        2 => "STOLEN",
        -1 => "continue",
        -2 => "break",
        -3 => "jump",
        -4 => "goto",
        -5 => "return",
        n => return n.to_string(),
    };
    match inner.get(&2) {
        Some(chain) => format!("{word} {}", text(Some(chain))),
        None => word.to_owned(),
    }
}
