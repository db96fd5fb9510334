//! `networks`, `links`: what joins hosts.

use super::rate::{Rate, Share};
use super::value::{Addr, At, Cidr, Dur};
use serde::Deserialize;

/// An L2 segment: one switch.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Network {
    /// Name.
    pub name: At<String>,
    /// Its addresses; 10.168.0.0/24 for the first, then 10.168.1.0/24, …
    #[serde(default)]
    pub subnet: Option<At<Cidr>>,
    /// The router that hosts on it send to by default, if it is one of the hosts.
    #[serde(default)]
    pub gateway: Option<At<Addr>>,
    /// Address of a gateway to the internet that stands on it.
    #[serde(default)]
    pub internet_gateway: Option<At<Addr>>,
    /// Time that a frame takes from one host to another; 100us.
    #[serde(default)]
    pub latency: Option<At<Dur>>,
    /// What a frame may take longer, by chance; nothing.
    #[serde(default)]
    pub jitter: Option<At<Dur>>,
    /// Whether jitter lets a frame overtake another; no.
    #[serde(default)]
    pub reorder: Option<At<bool>>,
    /// Bits a second that each card puts on the wire; no limit.
    #[serde(default)]
    pub rate: Option<At<Rate>>,
    /// Frames that may wait for the wire where there is a rate; 1000.
    #[serde(default)]
    pub queue: Option<At<u32>>,
    /// Largest packet; 1500.
    #[serde(default)]
    pub mtu: Option<At<u32>>,
    /// Share of frames that are lost; none.
    #[serde(default)]
    pub loss: Option<At<Share>>,
}

/// A cable or a veth pair between two namespaces.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(deny_unknown_fields, rename = "LinkDef")]
pub struct LinkDef {
    /// One end: `host/dev` or `host/netns/dev`.
    pub a: At<String>,
    /// The other end.
    pub b: At<String>,
    /// Time that a frame takes; none.
    #[serde(default)]
    pub latency: Option<At<Dur>>,
    /// What a frame may take longer, by chance; nothing.
    #[serde(default)]
    pub jitter: Option<At<Dur>>,
    /// Whether jitter lets a frame overtake another; no.
    #[serde(default)]
    pub reorder: Option<At<bool>>,
    /// Bits a second that each card puts on the wire; no limit.
    #[serde(default)]
    pub rate: Option<At<Rate>>,
    /// Frames that may wait for the wire where there is a rate; 1000.
    #[serde(default)]
    pub queue: Option<At<u32>>,
    /// Largest packet of both devices; 1500.
    #[serde(default)]
    pub mtu: Option<At<u32>>,
    /// Share of frames that are lost; none.
    #[serde(default)]
    pub loss: Option<At<Share>>,
}
