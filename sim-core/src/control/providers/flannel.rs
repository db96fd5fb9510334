//! `Flannel(backend: host_gw)`: flanneld on every node tells the others of its range.
//!
//! Models: flannel Documentation/kube-flannel.yml (0.28.9): the ConfigMap's cni-conf.json and net-conf.json, and the flags
//! `--ip-masq --kube-subnet-mgr`.

use super::{CniProvider, Param};
use crate::control::agents::FLANNELD;
use crate::control::flanneld::backends::BackendKind;
use crate::kube::Node;
use crate::packet::{Ipv4Addr, Prefix};
use serde_json::json;

/// Parameters of the choice.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FlannelCni {
    /// How packets get to other nodes.
    pub backend: BackendKind,
    /// `--ip-masq`: flanneld masquerades what leaves the pod network.
    pub ip_masq: bool,
    /// `--iptables-forward-rules`: flanneld lets pod traffic pass the FORWARD chain.
    pub forward_rules: bool,
}

impl Default for FlannelCni {
    fn default() -> Self {
        FlannelCni { backend: BackendKind::default(), ip_masq: true, forward_rules: true }
    }
}

impl CniProvider for FlannelCni {
    const NAME: &'static str = "Flannel";
    const SUMMARY: &'static str = "flanneld and the flannel plugin, which calls bridge";
    const PARAMS: &'static [Param] = &[
        Param { name: "backend", default: "host_gw", words: BackendKind::WORDS, help: "how packets get to other nodes" },
        Param { name: "ip_masq", default: "true", words: &[], help: "masquerade what leaves the pod network" },
        Param { name: "forward_rules", default: "true", words: &[], help: "accept pod traffic in the FORWARD chain" },
    ];
    const AGENTS: &'static [&'static str] = &[FLANNELD];

    fn conflist(&self, _: &Node, _: Prefix<Ipv4Addr>) -> Option<(&'static str, String)> {
        let list = json!({
            "name": "cbr0",
            "cniVersion": "0.3.1",
            "plugins": [
                { "type": "flannel", "delegate": { "hairpinMode": true, "isDefaultGateway": true } },
                { "type": "portmap", "capabilities": { "portMappings": true } },
            ],
        });
        Some(("/etc/cni/net.d/10-flannel.conflist", format!("{list:#}\n")))
    }
}
