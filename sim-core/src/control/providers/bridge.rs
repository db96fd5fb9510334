//! `Bridge()`: the bridge plugin alone, with the node's pod range. Nothing tells nodes of each other's ranges.
//!
//! Models: the conflist that containerd's documentation installs (script/setup/install-cni), with the range of the node.

use super::{CniProvider, Param};
use crate::kube::Node;
use crate::packet::{Ipv4Addr, Prefix};
use serde_json::json;

/// Parameters of the choice.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BridgeCni {
    /// Name of the bridge.
    pub bridge: String,
    /// Whether what leaves the range is masqueraded as the node.
    pub ip_masq: bool,
    /// Whether a frame may go back where it came from.
    pub hairpin_mode: bool,
    /// MTU of bridge and pods, bytes; 0 for the kernel's default.
    pub mtu: u32,
}

impl Default for BridgeCni {
    fn default() -> Self {
        BridgeCni { bridge: "cni0".to_owned(), ip_masq: false, hairpin_mode: true, mtu: 0 }
    }
}

impl CniProvider for BridgeCni {
    const NAME: &'static str = "Bridge";
    const SUMMARY: &'static str = "the bridge plugin with host-local addresses; no routes between nodes";
    const PARAMS: &'static [Param] = &[
        Param { name: "bridge", default: "\"cni0\"", words: &[], help: "name of the bridge" },
        Param { name: "ip_masq", default: "false", words: &[], help: "masquerade what leaves the node's pod range" },
        Param { name: "hairpin_mode", default: "true", words: &[], help: "let a frame go back where it came from" },
        Param { name: "mtu", default: "0", words: &[], help: "MTU of bridge and pods; 0 for the kernel's default" },
    ];
    const AGENTS: &'static [&'static str] = &[];

    fn conflist(&self, node: &Node, _: Prefix<Ipv4Addr>) -> Option<(&'static str, String)> {
        let range = node.pod_cidr?;
        let list = json!({
            "cniVersion": "1.0.0",
            "name": "bridge",
            "plugins": [
                {
                    "type": "bridge",
                    "bridge": self.bridge,
                    "isDefaultGateway": true,
                    "ipMasq": self.ip_masq,
                    "hairpinMode": self.hairpin_mode,
                    "mtu": self.mtu,
                    "ipam": { "type": "host-local", "ranges": [[{ "subnet": range.to_string() }]] },
                },
                { "type": "portmap", "capabilities": { "portMappings": true } },
            ],
        });
        Some(("/etc/cni/net.d/10-bridge.conflist", format!("{list:#}\n")))
    }
}
