//! A golden file: a network, what was done in it, and what a real kernel did.

use indexmap::IndexMap;
use serde::Deserialize;
use serde_json::{Map, Value};

/// One golden.
#[derive(Clone, Debug, Deserialize)]
pub struct Golden {
    /// Name of the case.
    pub name: String,
    /// What it shows.
    #[serde(default)]
    pub description: String,
    /// The network.
    pub topology: Topology,
    /// The kernel's version: `6.18`.
    #[serde(default)]
    pub kernel: String,
    /// Ports that keep their numbers.
    #[serde(default)]
    pub ports: Vec<u16>,
    /// Whether whole seconds are compared.
    #[serde(default)]
    pub timing: bool,
    /// Seconds to wait after the last action.
    #[serde(default)]
    pub linger: Option<serde_json::Number>,
    /// Servers.
    #[serde(default)]
    pub serve: Vec<Server>,
    /// Per action: the action itself under `action`, and its outcome.
    pub outcome: Vec<Map<String, Value>>,
    /// Frames, in order.
    pub steps: Vec<Map<String, Value>>,
    /// Packets at the hooks.
    pub hooks: Vec<Map<String, Value>>,
    /// Conntrack entries at the end.
    #[serde(default)]
    pub conntrack: IndexMap<String, Vec<String>>,
}

/// A network of namespaces.
#[derive(Clone, Debug, Deserialize)]
pub struct Topology {
    /// Namespaces by name.
    pub netns: IndexMap<String, Namespace>,
    /// veth pairs.
    #[serde(default)]
    pub links: Vec<Link>,
}

/// One namespace. Fields that the simulator cannot build yet are kept, so that they can be named.
#[derive(Clone, Debug, Default, Deserialize)]
pub struct Namespace {
    /// Addresses by device.
    #[serde(default)]
    pub addr: IndexMap<String, Vec<String>>,
    /// `ip route add …`.
    #[serde(default)]
    pub routes: Vec<String>,
    /// `ip rule add …`.
    #[serde(default)]
    pub rules: Vec<String>,
    /// `ip neigh replace …`.
    #[serde(default)]
    pub neigh: Vec<String>,
    /// `bridge fdb …`.
    #[serde(default)]
    pub fdb: Vec<String>,
    /// Sysctls.
    #[serde(default)]
    pub sysctl: IndexMap<String, Value>,
    /// Bridges by name.
    #[serde(default)]
    pub bridges: IndexMap<String, Bridge>,
    /// VXLAN devices by name.
    #[serde(default)]
    pub vxlan: IndexMap<String, Vxlan>,
    /// Dummy devices, left down.
    #[serde(default)]
    pub dummy: Vec<String>,
    /// IPIP devices by name.
    #[serde(default)]
    pub ipip: IndexMap<String, Value>,
    /// `iptables-restore` text.
    #[serde(default)]
    pub iptables: Option<String>,
    /// nft text.
    #[serde(default)]
    pub nft: Option<String>,
    /// ipset text.
    #[serde(default)]
    pub ipset: Option<String>,
    /// `ipvsadm -R` text.
    #[serde(default)]
    pub ipvs: Option<String>,
    /// A plain switch, not recorded.
    #[serde(default)]
    pub switch: bool,
    /// The namespace that it stands beside on one machine: devices can be moved between the two. A machine of its own if not said.
    #[serde(default)]
    pub host: Option<String>,
    /// `delay_first_probe_time` in seconds, if the case cares.
    #[serde(default)]
    pub arp_probe_delay: Option<u32>,
}

/// A bridge.
#[derive(Clone, Debug, Default, Deserialize)]
pub struct Bridge {
    /// Its ports.
    #[serde(default)]
    pub ports: Vec<String>,
    /// Ports with hairpin on.
    #[serde(default)]
    pub hairpin: Vec<String>,
    /// MTU.
    #[serde(default)]
    pub mtu: Option<u32>,
}

/// A VXLAN device.
#[derive(Clone, Debug, Deserialize)]
pub struct Vxlan {
    /// `id`.
    pub vni: u32,
    /// `dev`.
    pub dev: String,
    /// `local`.
    pub local: String,
    /// `dstport`.
    pub port: u16,
    /// MTU.
    #[serde(default)]
    pub mtu: Option<u32>,
    /// Whether it learns.
    #[serde(default)]
    pub learning: bool,
}

/// A veth pair.
#[derive(Clone, Debug, Deserialize)]
pub struct Link {
    /// `netns/device`.
    pub a: String,
    /// `netns/device`.
    pub b: String,
    /// MTU of both ends.
    #[serde(default)]
    pub mtu: Option<u32>,
}

/// A server.
#[derive(Clone, Debug, Deserialize)]
pub struct Server {
    /// Where.
    pub netns: String,
    /// `tcp` or `udp`.
    pub proto: String,
    /// Port.
    pub port: u16,
    /// Address; any if not given.
    #[serde(default)]
    pub addr: Option<String>,
}
