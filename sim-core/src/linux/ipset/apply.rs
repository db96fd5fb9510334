//! What `ipset` does to the sets.
//!
//! Models: net/netfilter/ipset/ip_set_core.c ip_set_create, ip_set_destroy, ip_set_rename, ip_set_swap, ip_set_uadd; ipset 7.17
//! lib/errcode.c (words), lib/session.c.

use super::kadt::until;
use super::{Dim, Entry, IpSets, Key, NOT_SIMULATED, Set, SetOptions, SetType, TYPES, elem};
use crate::linux::config::Config;
use crate::linux::netfilter::option::number;
use crate::linux::netfilter::{Match, TableKind, Target};
use crate::linux::op::ipset::{IpsetOp, IpsetOptions};
use crate::linux::time::Time;
use crate::packet::Family;
use std::sync::Arc;

/// What the tool says before its own words.
pub const NAME: &str = "ipset v7.17:";
const NO_SET: &str = "The set with the given name does not exist";
const IN_USE: &str = "it is in use by a kernel component";
/// The longest time in seconds (IPSET_MAX_TIMEOUT).
const MAX_TIMEOUT: u64 = 2_147_483;

/// How many rules and lists name a set.
pub fn references(config: &Config, name: &str) -> usize {
    let tables = [&config.xt, &config.xt6];
    let rules = tables
        .iter()
        .flat_map(|xt| TableKind::ALL.into_iter().filter_map(|k| xt.table(k)))
        .flat_map(|t| t.chains())
        .flat_map(|(_, c)| &c.rules);
    let named = rules
        .map(|r| {
            let matches = r.spec.matches.iter().filter(|m| matches!(m, Match::Set(m) if *m.name == *name)).count();
            let targets = match &r.spec.target {
                Target::Set(t) => t.add.iter().chain(&t.del).filter(|a| *a.name == *name).count(),
                _ => 0,
            };
            matches + targets
        })
        .sum::<usize>();
    named + config.ipsets.list_references(name)
}

/// Carries out a change of sets at the instant `now`.
///
/// # Errors
/// In the words of ipset, without its name before them, and the line of the restore file.
pub fn apply(config: &mut Config, op: &IpsetOp, now: Time) -> Result<(), (String, Option<u32>)> {
    match op {
        IpsetOp::Restore { exist, lines } => {
            lines.iter().try_for_each(|(n, op)| one(config, op, *exist, now).map_err(|text| (text, Some(*n))))
        }
        op => one(config, op, false, now).map_err(|text| (text, None)),
    }
}

fn one(config: &mut Config, op: &IpsetOp, all_exist: bool, now: Time) -> Result<(), String> {
    match op {
        IpsetOp::Create { name, kind, options, exist } => {
            let (kind, options) = read_create(kind, options)?;
            if name.len() > 31 {
                return Err(format!("Syntax error: setname '{name}' is longer than 31 characters"));
            }
            if let Some(old) = config.ipsets.get(name) {
                let same = std::ptr::eq(old.kind, kind) && old.options == options;
                return if same && (*exist || all_exist) {
                    Ok(())
                } else {
                    Err("Set cannot be created: set with the same name already exists".to_owned())
                };
            }
            sets(config).sets.insert(name.clone(), Arc::new(Set::new(kind, options)));
            Ok(())
        }
        IpsetOp::Destroy(Some(name)) => {
            config.ipsets.get(name).ok_or(NO_SET)?;
            if references(config, name) > 0 {
                return Err(format!("Set cannot be destroyed: {IN_USE}"));
            }
            sets(config).sets.shift_remove(name);
            Ok(())
        }
        IpsetOp::Destroy(None) => {
            let in_rules = |n: &str| references(config, n) > config.ipsets.list_references(n);
            if config.ipsets.sets.keys().any(|n| in_rules(n)) {
                return Err(format!("Set cannot be destroyed: {IN_USE}"));
            }
            config.ipsets = Arc::default();
            Ok(())
        }
        IpsetOp::Flush(Some(name)) => sets(config).get_mut(name).map(Set::flush).ok_or_else(|| NO_SET.to_owned()),
        IpsetOp::Flush(None) => {
            sets(config).sets.values_mut().for_each(|s| Arc::make_mut(s).flush());
            Ok(())
        }
        IpsetOp::Rename(from, to) => {
            config.ipsets.get(from).ok_or(NO_SET)?;
            if references(config, from) > 0 {
                return Err("Set cannot be renamed: it is in use by another system".to_owned());
            }
            if config.ipsets.get(to).is_some() {
                return Err("Set cannot be renamed: a set with the new name already exists".to_owned());
            }
            let all = sets(config);
            if let Some((at, _, set)) = all.sets.shift_remove_full(from) {
                all.sets.shift_insert(at, to.clone(), set);
            }
            Ok(())
        }
        IpsetOp::Swap(a, b) => {
            let (Some(one), other) = (config.ipsets.get(a), config.ipsets.get(b)) else { return Err(NO_SET.to_owned()) };
            let other = other.ok_or("Sets cannot be swapped: the second set does not exist")?;
            if !std::ptr::eq(one.kind, other.kind) || one.options.family != other.options.family {
                return Err("The sets cannot be swapped: their type does not match".to_owned());
            }
            let all = sets(config);
            if let (Some(i), Some(j)) = (all.sets.get_index_of(a), all.sets.get_index_of(b)) {
                let (one, other) = (all.sets[i].clone(), all.sets[j].clone());
                (all.sets[i], all.sets[j]) = (other, one);
            }
            Ok(())
        }
        IpsetOp::Add { name, elem, options, exist } => add(config, name, elem, options, *exist || all_exist, now),
        IpsetOp::Del { name, elem, exist } => del(config, name, elem, *exist || all_exist, now),
        IpsetOp::Restore { .. } => Ok(()),
    }
}

fn sets(config: &mut Config) -> &mut IpSets {
    Arc::make_mut(&mut config.ipsets)
}

/// The text of an element and what may stand beside it: `A` of a list with where it goes.
enum Place {
    End,
    Before(Arc<str>),
    After(Arc<str>),
}

fn seconds(s: &str) -> Result<u32, String> {
    let n = number(s, u64::MAX).ok_or_else(|| format!("Syntax error: '{s}' is invalid as number"))?;
    if n > MAX_TIMEOUT { Err(format!("Syntax error: '{s}' is out of range 0-{MAX_TIMEOUT}")) } else { Ok(n as u32) }
}

fn read_entry(set: &Set, options: &IpsetOptions, now: Time) -> Result<(Entry, Place), String> {
    let mut entry = Entry { expires: set.options.timeout.and_then(|t| until(t, now)), ..Entry::default() };
    let mut place = Place::End;
    let net = set.kind.dims.contains(&Dim::Net);
    let without = |what: &str, support: &str| format!("{what} cannot be used: set was created without {support} support");
    for (name, value) in options {
        let value = value.as_deref().unwrap_or_default();
        match &**name {
            "timeout" if set.options.timeout.is_none() => return Err(without("Timeout", "timeout")),
            "timeout" => entry.expires = until(seconds(value)?, now),
            "comment" if !set.options.comment => return Err(without("Comment", "comment")),
            "comment" => entry.comment = Some(value.into()),
            "packets" | "bytes" if !set.options.counters => return Err(without("Packet/byte counters", "counter")),
            "packets" | "bytes" => {
                let n = number(value, u64::MAX).ok_or_else(|| format!("Syntax error: '{value}' is invalid as number"))?;
                if &**name == "packets" { entry.counters.0 = n } else { entry.counters.1 = n }
            }
            "nomatch" if net => entry.nomatch = true,
            "before" if set.is_list() => place = Place::Before(value.into()),
            "after" if set.is_list() => place = Place::After(value.into()),
            other => return Err(format!("Unknown argument: `{other}'\nTry `ipset help' for more information.")),
        }
    }
    Ok((entry, place))
}

const ADDED: &str = "Element cannot be added to the set: it's already added";
const NOT_ADDED: &str = "Element cannot be deleted from the set: it's not added";

fn add(config: &mut Config, name: &Arc<str>, text: &str, options: &IpsetOptions, exist: bool, now: Time) -> Result<(), String> {
    let set = config.ipsets.get(name).ok_or(NO_SET)?;
    let (entry, place) = read_entry(set, options, now)?;
    if set.is_list() {
        return add_member(config, name, text, entry, &place, exist);
    }
    let keys = elem::parse(set, text)?;
    let whole = keys.len() > 1;
    let set = sets(config).get_mut(name).ok_or(NO_SET)?;
    set.expire(now);
    for key in keys {
        if set.get(&key, now).is_some() {
            // a range may overlap what is there
            if !exist && !whole {
                return Err(ADDED.to_owned());
            }
            if !exist {
                return Err(ADDED.to_owned());
            }
        } else if !set.is_bitmap() && set.len() >= set.options.maxelem as usize {
            return Err("Hash is full, cannot add more elements".to_owned());
        }
        set.insert(key, entry.clone());
    }
    Ok(())
}

fn add_member(config: &mut Config, name: &Arc<str>, member: &str, entry: Entry, place: &Place, exist: bool) -> Result<(), String> {
    let Some((member, kind)) = config.ipsets.sets.get_key_value(member).map(|(n, s)| (n.clone(), s.is_list())) else {
        return Err("Set to be added/deleted/tested as element does not exist.".to_owned());
    };
    if kind {
        return Err("Sets with list:set type cannot be added to the set.".to_owned());
    }
    let set = sets(config).get_mut(name).ok_or(NO_SET)?;
    if let Some(old) = set.list.iter_mut().find(|(n, _)| *n == member) {
        if !exist {
            return Err(ADDED.to_owned());
        }
        old.1 = entry;
        return Ok(());
    }
    let find = |n: &Arc<str>| set.list.iter().position(|(m, _)| m == n);
    let no_place = || "The set given as reference to the set member does not exist in the list".to_owned();
    let at = match place {
        Place::End => set.list.len(),
        Place::Before(n) => find(n).ok_or_else(no_place)?,
        Place::After(n) => find(n).ok_or_else(no_place)? + 1,
    };
    set.list.insert(at, (member, entry));
    Ok(())
}

fn del(config: &mut Config, name: &Arc<str>, text: &str, exist: bool, now: Time) -> Result<(), String> {
    let set = config.ipsets.get(name).ok_or(NO_SET)?;
    if set.is_list() {
        if config.ipsets.get(text).is_none() {
            return Err("Set to be added/deleted/tested as element does not exist.".to_owned());
        }
        let set = sets(config).get_mut(name).ok_or(NO_SET)?;
        let before = set.list.len();
        set.list.retain(|(n, _)| **n != *text);
        return if set.list.len() < before || exist { Ok(()) } else { Err(NOT_ADDED.to_owned()) };
    }
    let keys = elem::parse(set, text)?;
    let set = sets(config).get_mut(name).ok_or(NO_SET)?;
    set.expire(now);
    for key in keys {
        if set.remove(&key).is_none() && !exist {
            return Err(NOT_ADDED.to_owned());
        }
    }
    Ok(())
}

impl IpSets {
    /// Whether an element is in a set (`ipset test`).
    ///
    /// # Errors
    /// In the words of ipset.
    pub fn contains(&self, name: &str, text: &str, nomatch: bool, now: Time) -> Result<bool, String> {
        let set = self.get(name).ok_or(NO_SET)?;
        if set.is_list() {
            if self.get(text).is_none() {
                return Err("Set to be added/deleted/tested as element does not exist.".to_owned());
            }
            return Ok(set.list.iter().any(|(n, _)| **n == *text));
        }
        let key: Key = elem::parse(set, text)?.into_iter().next().unwrap_or_default();
        let whole = key.len == set.bits();
        let found = match set.get(&key, now) {
            Some(e) => Some(e.nomatch),
            None if whole => set.find(&key, now).map(|(_, e)| e.nomatch),
            None => None,
        };
        Ok(found == Some(nomatch))
    }
}

fn read_create(kind: &str, given: &IpsetOptions) -> Result<(&'static SetType, SetOptions), String> {
    if NOT_SIMULATED.contains(&kind) {
        return Err(format!("not simulated: sets of type `{kind}`"));
    }
    let kind = TYPES.iter().find(|t| t.name == kind).ok_or_else(|| format!("Syntax error: typename '{kind}' is unknown"))?;
    let hash = kind.name.starts_with("hash:");
    let list = kind.name == "list:set";
    let mut o = SetOptions {
        family: Family::Inet,
        hashsize: 1024,
        maxelem: 65_536,
        timeout: None,
        counters: false,
        comment: false,
        forceadd: false,
        netmask: None,
        markmask: u32::MAX,
        bucketsize: 12,
        range: (0, 0),
        size: 8,
    };
    let (mut range, mut family) = (None, None);
    let int = |s: &str, max: u64| {
        let n = number(s, u64::MAX).ok_or_else(|| format!("Syntax error: '{s}' is invalid as number"))?;
        if n > max { Err(format!("Syntax error: '{s}' is out of range 0-{max}")) } else { Ok(n as u32) }
    };
    for (name, value) in given {
        let value = value.as_deref().unwrap_or_default();
        match &**name {
            "family" if kind.family => {
                family = Some(match value {
                    "inet" | "ipv4" | "-4" => Family::Inet,
                    "inet6" | "ipv6" | "-6" => Family::Inet6,
                    other => return Err(format!("Syntax error: unknown inet family {other}")),
                });
            }
            "hashsize" if hash => o.hashsize = int(value, u32::MAX.into())?.clamp(64, 1 << 31).next_power_of_two(),
            "maxelem" if hash => o.maxelem = int(value, u32::MAX.into())?,
            "bucketsize" if hash => o.bucketsize = int(value, 12)?.clamp(2, 12) as u8 & !1,
            "initval" if hash => {
                int(value, u32::MAX.into())?;
            }
            "timeout" => o.timeout = Some(seconds(value)?),
            "counters" => o.counters = true,
            "comment" => o.comment = true,
            "forceadd" if hash => o.forceadd = true,
            "netmask" if matches!(kind.name, "hash:ip" | "bitmap:ip") => {
                let max = if family == Some(Family::Inet6) { 128 } else { 32 };
                let n = number(value, u64::MAX).ok_or_else(|| format!("Syntax error: '{value}' is invalid as number"))?;
                if n == 0 || n > max {
                    return Err(format!(
                        "Syntax error: '{value}' is out of range 1-{max}\nSyntax error: netmask is out of the inclusive range of 1-{max}"
                    ));
                }
                o.netmask = Some(n as u8).filter(|n| u64::from(*n) != max);
            }
            "markmask" if kind.name == "hash:ip,mark" => o.markmask = int(value, u32::MAX.into())?,
            "range" if kind.name.starts_with("bitmap:") => range = Some(value.to_owned()),
            "size" if list => o.size = int(value, u32::MAX.into())?,
            "skbinfo" => return Err("not simulated: `skbinfo` of sets".to_owned()),
            other => return Err(format!("Unknown argument: `{other}'\nTry `ipset help' for more information.")),
        }
    }
    o.family = family.unwrap_or(Family::Inet);
    if kind.name.starts_with("bitmap:") {
        let range = range.ok_or("Mandatory option `range' is missing\nTry `ipset help' for more information.")?;
        o.range = read_range(kind, &range)?;
    }
    Ok((kind, o))
}

fn read_range(kind: &'static SetType, range: &str) -> Result<(u32, u32), String> {
    let wide = SetOptions {
        family: Family::Inet,
        hashsize: 0,
        maxelem: 0,
        timeout: None,
        counters: false,
        comment: false,
        forceadd: false,
        netmask: None,
        markmask: 0,
        bucketsize: 0,
        range: (0, u32::MAX),
        size: 0,
    };
    let too_big = || "The range you specified exceeds the size limit of the set type".to_owned();
    if kind.name == "bitmap:port" {
        let (a, b) = range.split_once('-').ok_or("Mandatory option `to' is missing\nTry `ipset help' for more information.")?;
        let one = |s: &str| number(s, 65_535).map(|n| n as u32).ok_or_else(|| format!("Syntax error: '{s}' is invalid as number"));
        return Ok((one(a)?, one(b)?));
    }
    let size = range.split_once('/').and_then(|(_, len)| number(len, 32));
    if size.is_some_and(|len| len < 16) {
        return Err(too_big());
    }
    let keys = elem::parse(&Set::new(kind, wide), range).map_err(|e| if e.contains("CIDR") { too_big() } else { e })?;
    match (keys.first(), keys.last()) {
        (Some(a), Some(b)) => Ok((a.ip as u32, b.ip as u32)),
        _ => Err(too_big()),
    }
}

/// How the tool says an error.
pub fn said(text: &str, line: Option<u32>) -> String {
    match line {
        Some(n) => format!("{NAME} Error in line {n}: {text}"),
        None if text.starts_with("not simulated") => text.to_owned(),
        None => format!("{NAME} {text}"),
    }
}
