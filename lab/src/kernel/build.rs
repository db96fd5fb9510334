//! Building a plan: namespaces, wires, and the commands in their order.

use super::LabError;
use super::hooks::{Handles, observer_ruleset};
use super::netns::Namespace;
use super::tools::{self, Said};
use super::{clock, probe};
use crate::plan::checked::{Deed, Places, Refusal, deeds, shown};
use crate::plan::{Card, Plan};
use indexmap::IndexMap;
use serde_json::Value;
use sim_core::linux::{NetnsId, Op};
use sim_core::packet::Mac;
use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::time::Duration;

/// A plan that was built.
#[derive(Debug)]
pub struct Built {
    /// The namespaces of the plan, by number.
    pub places: Vec<Namespace>,
    /// Namespaces of switches.
    pub switches: Vec<Namespace>,
    /// Names of devices by index, and whose port they are, as known so far.
    pub devices: Vec<Devices>,
    /// Numbers of rules, one list a namespace.
    pub handles: Vec<Handles>,
    /// Namespaces with a bridge.
    pub bridges: Vec<bool>,
}

/// Devices of a namespace.
#[derive(Clone, Debug, Default)]
pub struct Devices {
    /// Names by index.
    pub names: BTreeMap<u32, String>,
    /// Hardware addresses in order of index.
    pub macs: IndexMap<Mac, String>,
    /// The bridge of a port, by name.
    pub masters: BTreeMap<String, String>,
}

/// Namespaces by the names of the plan.
#[derive(Debug)]
pub struct Known<'a> {
    /// The plan.
    pub plan: &'a Plan,
    /// Its namespaces.
    pub places: &'a [Namespace],
}

impl Places for Known<'_> {
    fn handle(&self, from: NetnsId, name: &str) -> Option<String> {
        let id = self.netns(from, name)?;
        self.places.get(id.0 as usize).map(Namespace::path)
    }
    fn mac(&self, netns: NetnsId, dev: &str) -> Option<Mac> {
        self.plan.macs.get(&(netns, dev.into())).copied()
    }
    fn netns(&self, from: NetnsId, name: &str) -> Option<NetnsId> {
        let host = *self.plan.hosts.get(from.0 as usize)?;
        self.plan.names.get(&(host, name.into())).copied()
    }
}

fn bad(e: &impl ToString) -> LabError {
    LabError::NotAllowed(e.to_string())
}

/// Builds a plan.
///
/// # Errors
/// When the kernel lacks something, or a command has another end than in the simulated world.
pub fn build(plan: &Plan) -> Result<Built, LabError> {
    can(plan)?;
    let mut places = Vec::new();
    for _ in &plan.places {
        let ns = Namespace::new()?;
        defaults(&ns, plan)?;
        places.push(ns);
    }
    let mut built = Built {
        devices: vec![Devices::default(); places.len()],
        handles: vec![Handles::new(); places.len()],
        bridges: vec![false; places.len()],
        places,
        switches: Vec::new(),
    };
    wires(plan, &mut built)?;
    commands(plan, &built)?;
    whole_segments(&built)?;
    wait_for_carrier(&built)?;
    for i in 0..built.places.len() {
        built.look(i)?;
        if !plan.places[i].hidden {
            let rules = observer_ruleset(built.bridges[i], false);
            tool(&built.places[i], &["nft", "-f", "-"], Some(&rules))?;
        }
        built.number(i)?;
    }
    Ok(built)
}

/// Whether the kernel here can build a plan: what it lacks is known before anything is built.
///
/// # Errors
/// What it lacks.
pub fn can(plan: &Plan) -> Result<(), LabError> {
    let lacks = probe::lacks()?;
    let nowhere = Nowhere(plan);
    for s in &plan.steps {
        for d in deeds(&s.op, s.netns, &nowhere).unwrap_or_default() {
            let missing = match &d {
                Deed::Tool { words, .. } => lacks.of(words),
                // it stands for all namespaces in the machine's own
                Deed::Sysctl { path, .. } => path.contains("/neigh/default/").then(|| format!("/proc/sys/{path} in a namespace")),
            };
            if let Some(what) = missing {
                return Err(LabError::Lacks(format!("the kernel here has no {what}")));
            }
        }
    }
    Ok(())
}

/// A plan whose namespaces are not there yet.
struct Nowhere<'a>(&'a Plan);

impl Places for Nowhere<'_> {
    fn handle(&self, _: NetnsId, _: &str) -> Option<String> {
        Some("/proc/self/ns/net".to_owned())
    }
    fn mac(&self, _: NetnsId, _: &str) -> Option<Mac> {
        None
    }
    fn netns(&self, from: NetnsId, name: &str) -> Option<NetnsId> {
        let host = *self.0.hosts.get(from.0 as usize)?;
        self.0.names.get(&(host, name.into())).copied()
    }
}

/// Runs one of our own tools; it must succeed.
pub(super) fn tool(ns: &Namespace, words: &[&str], input: Option<&str>) -> Result<Said, LabError> {
    let list: Vec<String> = words.iter().map(|w| (*w).to_owned()).collect();
    let said = tools::run(ns, &list, input)?;
    if said.status == 0 { Ok(said) } else { Err(LabError::Lacks(format!("`{}`: {}", words.join(" "), said.err.trim()))) }
}

/// Writes sysctls in a namespace; which of them could not be written.
pub(super) fn write_sysctls(ns: &Namespace, list: &[(String, String)]) -> Result<Vec<String>, LabError> {
    ns.inside(|| {
        let mut failed = Vec::new();
        for (path, value) in list {
            let file = std::path::Path::new("/proc/sys").join(path);
            let old = std::fs::read_to_string(&file).unwrap_or_default();
            if old.split_whitespace().eq(value.split_whitespace()) {
                continue;
            }
            if let Err(e) = std::fs::write(&file, value) {
                failed.push(format!("{path}: {e}"));
            }
        }
        failed
    })
    .map_err(|e| bad(&e))
}

/// IPv6 off, and the switches that a machine's owner may have set otherwise as they are in an untouched kernel.
fn defaults(ns: &Namespace, plan: &Plan) -> Result<(), LabError> {
    let mut list: Vec<(String, String)> =
        ["all", "default", "lo"].iter().map(|d| (format!("net/ipv6/conf/{d}/disable_ipv6"), "1".to_owned())).collect();
    for (key, value) in &plan.defaults {
        list.push((sim_core::linux::apply::sysctl::path_of(key), value.clone()));
    }
    // a kernel without bridges or IPv6 lacks some of them
    write_sysctls(ns, &list)?;
    Ok(())
}

/// Cables are veth pairs; a segment is a bridge in a namespace of its own with a pair to each card.
fn wires(plan: &Plan, built: &mut Built) -> Result<(), LabError> {
    let add = |card: &Card, peer: &str, at: &Namespace| -> String {
        let far = built.places.get(card.netns.0 as usize).map(Namespace::path).unwrap_or_default();
        let _ = at;
        format!("link add {peer} mtu {} type veth peer name {} mtu {} address {} netns {far}\n", card.mtu, card.name, card.mtu, card.mac)
    };
    let mut switches = Vec::new();
    for w in &plan.wires {
        for c in &w.cards {
            if !is_plain(&c.name) {
                return Err(LabError::Unsafe(format!("refused: the device name `{}`", c.name)));
            }
        }
        match (&w.cards[..], w.switch) {
            ([a, b], false) => {
                let (Some(near), Some(far)) = (built.places.get(a.netns.0 as usize), built.places.get(b.netns.0 as usize)) else {
                    continue;
                };
                let line = format!(
                    "link add {} mtu {} address {} type veth peer name {} mtu {} address {} netns {}\n",
                    a.name,
                    a.mtu,
                    a.mac,
                    b.name,
                    b.mtu,
                    b.mac,
                    far.path()
                );
                tool(near, &["ip", "-batch", "-"], Some(&line))?;
            }
            (cards, _) => {
                let ns = Namespace::new()?;
                write_sysctls(
                    &ns,
                    &[
                        ("net/ipv6/conf/all/disable_ipv6".to_owned(), "1".to_owned()),
                        ("net/ipv6/conf/default/disable_ipv6".to_owned(), "1".to_owned()),
                        ("net/bridge/bridge-nf-call-iptables".to_owned(), "0".to_owned()),
                    ],
                )?;
                let mtu = cards.iter().map(|c| c.mtu).max().unwrap_or(1500);
                let mut text = "link add segment type bridge mcast_snooping 0\n".to_owned();
                for (i, c) in cards.iter().enumerate() {
                    text.push_str(&add(c, &format!("port{i}"), &ns));
                    let _ = write!(text, "link set port{i} master segment\nlink set port{i} up\n");
                }
                let _ = write!(text, "link set segment mtu {mtu}\nlink set segment up\n");
                tool(&ns, &["ip", "-batch", "-"], Some(&text))?;
                switches.push(ns);
            }
        }
    }
    built.switches = switches;
    Ok(())
}

/// A name that no tool takes for anything else.
fn is_plain(name: &str) -> bool {
    let first = name.chars().next().is_some_and(|c| c.is_ascii_alphanumeric());
    first && name.len() < 16 && name.chars().all(|c| c.is_ascii_alphanumeric() || matches!(c, '_' | '-' | '.' | '@'))
}

/// A word that `ip -batch` reads as it is.
fn is_batchable(word: &str) -> bool {
    !word.is_empty() && word.chars().all(|c| c.is_ascii_alphanumeric() || "_-./:@+=,".contains(c))
}

/// Lines of one tool that are carried out together.
#[derive(Default)]
struct Batch {
    netns: NetnsId,
    lines: Vec<String>,
}

impl Batch {
    fn flush(&mut self, plan: &Plan, built: &Built) -> Result<(), LabError> {
        if self.lines.is_empty() {
            return Ok(());
        }
        let lines = std::mem::take(&mut self.lines);
        let Some(ns) = built.places.get(self.netns.0 as usize) else { return Ok(()) };
        let text = lines.iter().fold(String::new(), |s, l| s + l + "\n");
        let said = tools::run(ns, &tools::words("ip -batch -"), Some(&text))?;
        if said.status == 0 {
            return Ok(());
        }
        if said.err.contains("Operation not supported") || said.err.contains("Unknown device type") {
            return Err(LabError::Lacks(format!(
                "the kernel here does not support what was asked for: {}",
                said.err.trim().replace('\n', "; ")
            )));
        }
        // "Command failed -:3"
        let at = said.err.rsplit(':').find_map(|w| w.trim().parse::<usize>().ok()).and_then(|n| n.checked_sub(1)).unwrap_or(0);
        Err(LabError::Command {
            command: format!("ip {}", lines.get(at).map_or("", String::as_str)),
            place: plan.places[self.netns.0 as usize].label.clone(),
            simulated: "done".to_owned(),
            real: said.err.trim().replace('\n', "; "),
        })
    }
}

/// The commands of the plan, in order; lines of `ip` for one namespace go together.
fn commands(plan: &Plan, built: &Built) -> Result<(), LabError> {
    let known = Known { plan, places: &built.places };
    let mut batch = Batch::default();
    for s in &plan.steps {
        if s.netns != batch.netns {
            batch.flush(plan, built)?;
            batch.netns = s.netns;
        }
        let list = match deeds(&s.op, s.netns, &known) {
            Ok(list) => list,
            Err(Refusal::Nothing) => continue,
            Err(e) => return Err(LabError::Unsafe(e.to_string())),
        };
        if s.refused.is_none() && list.iter().all(|d| matches!(d, Deed::Tool { words, input: None } if words.first().is_some_and(|w| w == "ip") && words.iter().all(|w| is_batchable(w)))) {
            for d in list {
                if let Deed::Tool { words, .. } = d {
                    batch.lines.push(words[1..].join(" "));
                }
            }
            continue;
        }
        batch.flush(plan, built)?;
        carry_out(plan, built, s.netns, list, s.refused.as_deref())?;
    }
    batch.flush(plan, built)
}

/// Carries out what an `Op` asks for, and holds its end against that of the simulated kernel.
fn carry_out(plan: &Plan, built: &Built, netns: NetnsId, list: Vec<Deed>, refused: Option<&str>) -> Result<Vec<Said>, LabError> {
    let Some(ns) = built.places.get(netns.0 as usize) else { return Ok(Vec::new()) };
    let mut failed: Option<(String, String)> = None;
    let mut all = Vec::new();
    let mut first = String::new();
    for d in list {
        match d {
            Deed::Sysctl { path, value } => {
                first = format!("sysctl -w {path}={value}");
                if let Some(why) = write_sysctls(ns, &[(path, value)])?.pop() {
                    failed = Some((first.clone(), why));
                }
            }
            Deed::Tool { words, input } => {
                first = shown(&words);
                let said = tools::run(ns, &words, input.as_deref())?;
                if said.status != 0 {
                    failed = Some((first.clone(), said.err.trim().replace('\n', "; ")));
                }
                all.push(said);
            }
        }
        if failed.is_some() {
            break;
        }
    }
    let place = plan.places[netns.0 as usize].label.clone();
    match (failed, refused) {
        (None, None) | (Some(_), Some(_)) => Ok(all),
        (Some((command, real)), None) => Err(LabError::Command { command, place, simulated: "done".to_owned(), real }),
        (None, Some(why)) => Err(LabError::Command { command: first, place, simulated: why.to_owned(), real: "done".to_owned() }),
    }
}

/// What is typed while the traffic runs.
///
/// # Errors
/// When the command has another end than in the simulated world, or is refused.
pub(super) fn change(plan: &Plan, built: &Built, netns: NetnsId, op: &Op) -> Result<bool, LabError> {
    let known = Known { plan, places: &built.places };
    let list = match deeds(op, netns, &known) {
        Ok(list) => list,
        Err(Refusal::Nothing) => return Ok(true),
        Err(e) => return Err(LabError::Unsafe(e.to_string())),
    };
    match carry_out(plan, built, netns, list, None) {
        Ok(_) => Ok(true),
        Err(LabError::Command { .. }) => Ok(false),
        Err(e) => Err(e),
    }
}

/// A segment of one piece: TCP hands down one packet at a time, as the simulated kernel does.
fn whole_segments(built: &Built) -> Result<(), LabError> {
    for ns in &built.places {
        let mut text = String::new();
        for (_, name) in list_devices(ns)?.names {
            let _ = writeln!(text, "link set dev {name} gso_max_segs 1");
        }
        // some kinds of devices do not know it, and do not cut
        tools::run(ns, &tools::words("ip -force -batch -"), Some(&text))?;
    }
    Ok(())
}

/// Waits until no device that is up is without carrier that will get it.
fn wait_for_carrier(built: &Built) -> Result<(), LabError> {
    let mut last = None;
    for _ in 0..40 {
        let mut waiting = 0;
        for ns in built.places.iter().chain(&built.switches) {
            let said = tool(ns, &["ip", "-j", "link"], None)?;
            let Ok(Value::Array(list)) = serde_json::from_str(&said.out) else { continue };
            for l in &list {
                let up = l.get("flags").and_then(Value::as_array).is_some_and(|f| f.iter().any(|f| f == "UP"));
                let state = l.get("operstate").and_then(Value::as_str).unwrap_or("");
                waiting += usize::from(up && matches!(state, "DOWN" | "LOWERLAYERDOWN" | "DORMANT"));
            }
        }
        // a cable whose other end is down stays without carrier: what does not change is settled
        if waiting == 0 || last == Some((waiting, 6)) {
            break;
        }
        last = Some((waiting, last.filter(|(n, _)| *n == waiting).map_or(0, |(_, k)| k + 1)));
        clock::pause(Duration::from_millis(30));
    }
    Ok(())
}

fn list_devices(ns: &Namespace) -> Result<Devices, LabError> {
    let said = tool(ns, &["ip", "-j", "link"], None)?;
    let mut out = Devices::default();
    let Ok(Value::Array(list)) = serde_json::from_str(&said.out) else { return Ok(out) };
    for l in &list {
        let (Some(index), Some(name)) = (l.get("ifindex").and_then(Value::as_u64), l.get("ifname").and_then(Value::as_str)) else {
            continue;
        };
        out.names.insert(index as u32, name.to_owned());
        if let Some(mac) = l.get("address").and_then(Value::as_str).and_then(|m| m.parse::<Mac>().ok()) {
            out.macs.entry(mac).or_insert_with(|| name.to_owned());
        }
        if let Some(master) = l.get("master").and_then(Value::as_str) {
            out.masters.insert(name.to_owned(), master.to_owned());
        }
    }
    Ok(out)
}

impl Built {
    /// Looks at the devices of a namespace again; what is gone is not forgotten.
    pub(super) fn look(&mut self, i: usize) -> Result<(), LabError> {
        let Some(ns) = self.places.get(i) else { return Ok(()) };
        let found = list_devices(ns)?;
        let known = &mut self.devices[i];
        known.names.extend(found.names);
        for (mac, name) in found.macs {
            known.macs.entry(mac).or_insert(name);
        }
        self.bridges[i] |= !found.masters.is_empty() || has_bridge(ns)?;
        known.masters.extend(found.masters);
        Ok(())
    }

    /// Numbers the rules of a namespace as they are now.
    pub(super) fn number(&mut self, i: usize) -> Result<(), LabError> {
        let Some(ns) = self.places.get(i) else { return Ok(()) };
        let said = tool(ns, &["nft", "-j", "-a", "list", "ruleset"], None)?;
        let mut map = BTreeMap::new();
        let mut counts: BTreeMap<(String, String, String), usize> = BTreeMap::new();
        let parsed: Value = serde_json::from_str(&said.out).unwrap_or(Value::Null);
        for item in parsed.get("nftables").and_then(Value::as_array).into_iter().flatten() {
            let Some(rule) = item.get("rule") else { continue };
            let word = |k: &str| rule.get(k).and_then(Value::as_str).unwrap_or("").to_owned();
            let key = (word("family"), word("table"), word("chain"));
            let n = counts.entry(key.clone()).or_insert(0);
            *n += 1;
            let handle = rule.get("handle").and_then(Value::as_u64).unwrap_or(0);
            map.insert((key.0, key.1, key.2, handle), *n);
        }
        self.handles[i].push(map);
        Ok(())
    }
}

fn has_bridge(ns: &Namespace) -> Result<bool, LabError> {
    let said = tool(ns, &["ip", "-o", "link", "show", "type", "bridge"], None)?;
    Ok(!said.out.trim().is_empty())
}
