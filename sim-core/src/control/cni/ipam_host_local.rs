//! `host-local`: gives the addresses of a node's range, round robin.
//!
//! Models: containernetworking/plugins plugins/ipam/host-local (1.9.1): main.go, backend/allocator/{allocator,range,
//! range_set,config}.go, backend/disk/backend.go.
//! Simplifies: IPv4 alone; no lock file (one call at a time); `resolvConf` is refused.
//!
//! The search begins behind the address that was given last and goes round, so that an address which was set free comes
//! back only after all others of the range.

use super::{Call, CniError, CniIp, CniResult, CniRoute, Exec, NodeEnv, Plugin, Progress, code};
use crate::packet::{Ipv4Addr, Prefix};
use serde::Deserialize;
use std::collections::BTreeMap;
use std::sync::Arc;

/// The plugin.
#[derive(Debug)]
pub struct HostLocal;

/// Where reservations are kept unless the configuration says otherwise.
pub const DATA_DIR: &str = "/var/lib/cni/networks";

/// The reservations of a node: by directory, which is one per network.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct IpamState(BTreeMap<Arc<str>, IpamDir>);

/// One directory: a file per address that is taken, and one per range set with the last address given.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct IpamDir {
    /// By address: container and interface.
    pub reserved: BTreeMap<Ipv4Addr, (Arc<str>, Arc<str>)>,
    /// `last_reserved_ip.N`, by N.
    pub last_reserved: Vec<Option<Ipv4Addr>>,
}

impl IpamState {
    /// The directory of a network.
    pub fn dir(&self, data_dir: &str, network: &str) -> Option<&IpamDir> {
        self.0.get(format!("{data_dir}/{network}").as_str())
    }

    /// The files as `ls` and `cat` would show them: path and text.
    pub fn files(&self) -> impl Iterator<Item = (String, String)> {
        self.0.iter().flat_map(|(dir, d)| {
            let taken = d.reserved.iter().map(move |(ip, (id, ifname))| (format!("{dir}/{ip}"), format!("{id}\r\n{ifname}")));
            let last = d.last_reserved.iter().enumerate();
            taken.chain(last.filter_map(move |(n, ip)| Some((format!("{dir}/last_reserved_ip.{n}"), (*ip)?.to_string()))))
        })
    }

    fn dir_mut(&mut self, path: &str) -> &mut IpamDir {
        if !self.0.contains_key(path) {
            self.0.insert(path.into(), IpamDir::default());
        }
        #[allow(clippy::expect_used, reason = "inserted just above")]
        self.0.get_mut(path).expect("inserted just above")
    }
}

impl IpamDir {
    fn reserve(&mut self, id: &Arc<str>, ifname: &Arc<str>, ip: Ipv4Addr, range_id: usize) -> bool {
        if self.reserved.contains_key(&ip) {
            return false;
        }
        self.reserved.insert(ip, (id.clone(), ifname.clone()));
        if self.last_reserved.len() <= range_id {
            self.last_reserved.resize(range_id + 1, None);
        }
        self.last_reserved[range_id] = Some(ip);
        true
    }

    fn of<'a>(&'a self, id: &'a str, ifname: &'a str) -> impl Iterator<Item = Ipv4Addr> + 'a {
        self.reserved.iter().filter(move |(_, (i, n))| **i == *id && **n == *ifname).map(|(ip, _)| *ip)
    }

    fn release(&mut self, id: &str, ifname: &str) {
        self.reserved.retain(|_, (i, n)| **i != *id || **n != *ifname);
    }
}

/// One range, complete.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Range {
    subnet: Prefix<Ipv4Addr>,
    start: Ipv4Addr,
    end: Ipv4Addr,
    gateway: Ipv4Addr,
}

impl Range {
    fn contains(&self, ip: Ipv4Addr) -> bool {
        self.subnet.contains(ip) && ip >= self.start && ip <= self.end
    }

    fn overlaps(&self, other: &Range) -> bool {
        self.contains(other.start) || self.contains(other.end) || other.contains(self.start) || other.contains(self.end)
    }
}

/// Ranges of which one address is given.
#[derive(Clone, Debug, PartialEq, Eq)]
struct RangeSet(Vec<Range>);

impl RangeSet {
    fn range_for(&self, ip: Ipv4Addr) -> Option<&Range> {
        self.0.iter().find(|r| r.contains(ip))
    }
}

impl std::fmt::Display for RangeSet {
    /// `10.244.0.1-10.244.0.254`.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        for (i, r) in self.0.iter().enumerate() {
            write!(f, "{}{}-{}", if i == 0 { "" } else { "," }, r.start, r.end)?;
        }
        Ok(())
    }
}

fn next_ip(ip: Ipv4Addr) -> Ipv4Addr {
    Ipv4Addr::from(u32::from(ip).wrapping_add(1))
}

/// Goes round a range set, from behind the last address that was given.
struct RangeIter<'a> {
    set: &'a RangeSet,
    at: usize,
    cur: Option<Ipv4Addr>,
    start: Option<Ipv4Addr>,
}

impl<'a> RangeIter<'a> {
    fn new(set: &'a RangeSet, last: Option<Ipv4Addr>) -> Self {
        let at = last.and_then(|ip| set.0.iter().position(|r| r.contains(ip)));
        match at {
            Some(at) => RangeIter { set, at, cur: last, start: None },
            None => RangeIter { set, at: 0, cur: None, start: None },
        }
    }

    fn next(&mut self) -> Option<(Ipv4Addr, Range)> {
        loop {
            let mut range = *self.set.0.get(self.at)?;
            let Some(cur) = self.cur else {
                self.cur = Some(range.start);
                self.start = self.cur;
                if range.start == range.gateway {
                    continue;
                }
                return Some((range.start, range));
            };
            let next = if cur == range.end {
                self.at = (self.at + 1) % self.set.0.len();
                range = *self.set.0.get(self.at)?;
                range.start
            } else {
                next_ip(cur)
            };
            self.cur = Some(next);
            match self.start {
                None => self.start = Some(next),
                Some(s) if s == next => return None,
                Some(_) => {}
            }
            if next != range.gateway {
                return Some((next, range));
            }
        }
    }
}

#[derive(Deserialize, Default)]
#[serde(default, rename_all = "camelCase")]
struct RawRange {
    subnet: String,
    range_start: Option<Ipv4Addr>,
    range_end: Option<Ipv4Addr>,
    gateway: Option<Ipv4Addr>,
}

#[derive(Deserialize)]
struct RawRoute {
    dst: String,
    gw: Option<Ipv4Addr>,
}

#[derive(Deserialize, Default)]
#[serde(default, rename_all = "camelCase")]
struct RawIpam {
    #[serde(flatten)]
    single: RawRange,
    ranges: Vec<Vec<RawRange>>,
    routes: Vec<RawRoute>,
    data_dir: String,
    resolv_conf: String,
}

#[derive(Deserialize, Default)]
#[serde(default, rename_all = "camelCase")]
struct RuntimeConfig {
    ip_ranges: Vec<Vec<RawRange>>,
    ips: Vec<String>,
}

#[derive(Deserialize, Default)]
#[serde(default, rename_all = "camelCase")]
struct RawNet {
    ipam: Option<RawIpam>,
    runtime_config: RuntimeConfig,
}

/// A configuration that can be worked with.
struct Config {
    dir: String,
    sets: Vec<RangeSet>,
    routes: Vec<CniRoute>,
    requested: Vec<Ipv4Addr>,
}

fn internal(text: impl Into<String>) -> CniError {
    CniError::internal(text)
}

fn complete(raw: &RawRange) -> Result<Range, CniError> {
    if raw.subnet.contains(':') {
        return Err(CniError::new(code::UNSUPPORTED_FIELD, "IPv6 ranges are not simulated").with(&*raw.subnet));
    }
    let (addr, subnet) = match raw.subnet.contains('/').then(|| Prefix::parse_interface(&raw.subnet)) {
        Some(Ok(read)) => read,
        _ => return Err(internal(format!("invalid CIDR address: {}", raw.subnet))),
    };
    if subnet.len() > 30 {
        return Err(internal(format!("Network {addr}/{} too small to allocate from", subnet.len())));
    }
    if addr != subnet.addr() {
        let len = subnet.len();
        let network = subnet.addr();
        return Err(internal(format!("Network has host bits set. For a subnet mask of length {len} the network address is {network}")));
    }
    let first = next_ip(subnet.addr());
    let last = Ipv4Addr::from(u32::from(subnet.last()).wrapping_sub(1));
    let start = raw.range_start.unwrap_or(first);
    if !subnet.contains(start) || raw.range_end.is_some_and(|end| start > end) {
        return Err(internal(format!("RangeStart {start} not in network {subnet}")));
    }
    let end = raw.range_end.unwrap_or(last);
    if !subnet.contains(end) {
        return Err(internal(format!("RangeEnd {end} not in network {subnet}")));
    }
    Ok(Range { subnet, start, end, gateway: raw.gateway.unwrap_or(first) })
}

fn complete_set(raw: &[RawRange]) -> Result<RangeSet, CniError> {
    if raw.is_empty() {
        return Err(internal("empty range set"));
    }
    let ranges = raw.iter().map(complete).collect::<Result<Vec<_>, _>>()?;
    for (i, a) in ranges.iter().enumerate() {
        for b in &ranges[i + 1..] {
            if a.overlaps(b) {
                return Err(internal(format!("subnets {}-{} and {}-{} overlap", a.start, a.end, b.start, b.end)));
            }
        }
    }
    Ok(RangeSet(ranges))
}

/// An address with or without a length.
fn requested(text: &str) -> Result<Ipv4Addr, CniError> {
    Prefix::parse_interface(text).map(|(ip, _)| ip).map_err(|_| internal(format!("cannot understand ip: {text}")))
}

fn load(call: &Call<'_>) -> Result<Config, CniError> {
    let net = RawNet::deserialize(call.conf).map_err(|e| internal(e.to_string()))?;
    let Some(ipam) = net.ipam else { return Err(internal("IPAM config missing 'ipam' key")) };
    if !ipam.resolv_conf.is_empty() {
        return Err(CniError::new(code::UNSUPPORTED_FIELD, "resolvConf is not simulated").with(ipam.resolv_conf));
    }
    let mut raw_sets = net.runtime_config.ip_ranges;
    if !ipam.single.subnet.is_empty() {
        raw_sets.push(vec![ipam.single]);
    }
    raw_sets.extend(ipam.ranges);
    if raw_sets.is_empty() {
        return Err(internal("no IP ranges specified"));
    }
    let mut sets: Vec<RangeSet> = Vec::with_capacity(raw_sets.len());
    for (i, raw) in raw_sets.iter().enumerate() {
        sets.push(complete_set(raw).map_err(|e| e.wrap(&format!("invalid range set {i}")))?);
    }
    for (i, a) in sets.iter().enumerate() {
        for (j, b) in sets.iter().enumerate().skip(i + 1) {
            if a.0.iter().any(|r| b.0.iter().any(|s| r.overlaps(s))) {
                return Err(internal(format!("range set {i} overlaps with {j}")));
            }
        }
    }
    let mut wanted = Vec::new();
    if let Some(ip) = call.args.arg("IP") {
        wanted.push(requested(ip)?);
    }
    for ip in &net.runtime_config.ips {
        wanted.push(requested(ip)?);
    }
    let routes = ipam
        .routes
        .iter()
        .map(|r| match r.dst.contains('/').then(|| Prefix::parse_interface(&r.dst)) {
            Some(Ok((_, dst))) => Ok(CniRoute { dst, gw: r.gw }),
            _ => Err(internal(format!("invalid CIDR address: {}", r.dst))),
        })
        .collect::<Result<_, _>>()?;
    let data_dir = if ipam.data_dir.is_empty() { DATA_DIR } else { &ipam.data_dir };
    Ok(Config { dir: format!("{data_dir}/{}", call.network()), sets, routes, requested: wanted })
}

/// Gives one address of a set.
fn get(set: &RangeSet, n: usize, wanted: Option<Ipv4Addr>, call: &Call<'_>, dir: &mut IpamDir) -> Result<CniIp, CniError> {
    let (id, ifname) = (&call.args.container_id, &call.args.if_name);
    let done = |ip, range: &Range| CniIp { address: ip, range: range.subnet, gateway: Some(range.gateway), interface: None };
    if let Some(ip) = wanted {
        let range = set.range_for(ip).ok_or_else(|| internal(format!("{ip} not in range set {set}")))?;
        if ip == range.gateway {
            return Err(internal(format!("requested ip {ip} is subnet's gateway")));
        }
        if !dir.reserve(id, ifname, ip, n) {
            return Err(internal(format!("requested IP address {ip} is not available in range set {set}")));
        }
        return Ok(done(ip, range));
    }
    if let Some(ip) = dir.of(id, ifname).find(|ip| set.range_for(*ip).is_some()) {
        return Err(internal(format!("{ip} has been allocated to {id}, duplicate allocation is not allowed")));
    }
    let mut iter = RangeIter::new(set, dir.last_reserved.get(n).copied().flatten());
    while let Some((ip, range)) = iter.next() {
        if dir.reserve(id, ifname, ip, n) {
            return Ok(done(ip, &range));
        }
    }
    Err(internal(format!("no IP addresses available in range set: {set}")))
}

impl Plugin for HostLocal {
    fn kind(&self) -> &'static str {
        "host-local"
    }

    fn add(&self, call: Call<'_>, env: &mut NodeEnv<'_>, _: u8, _: CniResult) -> Result<Progress, CniError> {
        let conf = load(&call)?;
        let dir = env.ipam.dir_mut(&conf.dir);
        let mut wanted = conf.requested;
        let mut ips = Vec::with_capacity(conf.sets.len());
        let mut failed = None;
        for (n, set) in conf.sets.iter().enumerate() {
            let asked = wanted.iter().position(|ip| set.range_for(*ip).is_some()).map(|at| wanted.remove(at));
            match get(set, n, asked, &call, dir) {
                Ok(ip) => ips.push(ip),
                Err(e) => {
                    failed = Some((!ips.is_empty(), e.wrap(&format!("failed to allocate for range {n}"))));
                    break;
                }
            }
        }
        if failed.is_none() && !wanted.is_empty() {
            let left: Vec<String> = wanted.iter().map(|ip| format!(" {ip}")).collect();
            failed = Some((true, internal(format!("failed to allocate all requested IPs:{}", left.concat()))));
        }
        if let Some((release, e)) = failed {
            if release {
                dir.release(&call.args.container_id, &call.args.if_name);
            }
            return Err(e);
        }
        Ok(Progress::Done(CniResult { ips, routes: conf.routes, ..CniResult::default() }))
    }

    fn del(&self, call: Call<'_>, env: &mut NodeEnv<'_>) -> Result<Vec<Exec>, CniError> {
        let conf = load(&call)?;
        env.ipam.dir_mut(&conf.dir).release(&call.args.container_id, &call.args.if_name);
        Ok(Vec::new())
    }

    fn check(&self, call: Call<'_>, env: &mut NodeEnv<'_>) -> Result<(), CniError> {
        let conf = load(&call)?;
        let dir = env.ipam.dir_mut(&conf.dir);
        if dir.of(&call.args.container_id, &call.args.if_name).next().is_none() {
            return Err(internal(format!("host-local: Failed to find address added by container {}", call.args.container_id)));
        }
        Ok(())
    }
}
