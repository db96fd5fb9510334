//! `hosts`: bare Linux machines.

use super::value::{Addr, AnyAddr, At, Listen, MacText};
use indexmap::IndexMap;
use serde::Deserialize;

/// A Linux machine.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Host {
    /// Name.
    pub name: At<String>,
    /// Network of its `eth0`; the first. A host that stands in `links` alone has none.
    #[serde(default)]
    pub network: Option<At<String>>,
    /// Address of its `eth0`; the next that is free.
    #[serde(default)]
    pub ip: Option<At<Addr>>,
    /// Where its default route leads; the gateway of its network.
    #[serde(default)]
    pub gateway: Option<At<Addr>>,
    /// Devices on further networks.
    #[serde(default)]
    pub interfaces: Vec<At<Interface>>,
    /// Network namespaces, such as those of containers.
    #[serde(default)]
    pub namespaces: Vec<At<HostNetns>>,
    /// Servers in its own namespace.
    #[serde(default)]
    pub listen: Vec<At<Listen>>,
    /// Names that it knows.
    #[serde(default)]
    pub etc_hosts: IndexMap<String, At<AnyAddr>>,
    /// Whether IPv6 is switched on, before the commands of `run`; off if not given.
    #[serde(default)]
    pub ipv6: Option<At<bool>>,
    /// Commands, one a line.
    #[serde(default)]
    pub run: Option<At<String>>,
}

/// A device on a further network.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Interface {
    /// Name, such as `eth1`.
    pub name: At<String>,
    /// The network it is on.
    pub network: At<String>,
    /// Its address; none if left out.
    #[serde(default)]
    pub ip: Option<At<Addr>>,
    /// Its hardware address.
    #[serde(default)]
    pub mac: Option<At<MacText>>,
}

/// A network namespace of a host.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct HostNetns {
    /// Name.
    pub name: At<String>,
    /// Servers in it.
    #[serde(default)]
    pub listen: Vec<At<Listen>>,
}
