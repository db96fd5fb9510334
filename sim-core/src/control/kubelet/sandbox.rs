//! What a pod's sandbox is called, and what the runtime tells the plugins of it.
//!
//! Models: containerd internal/cri/server/sandbox_run.go cniNamespaceOpts, toCNIPortMappings (2.x).

use super::Worker;
use crate::control::cni::chain::CapabilityArgs;
use crate::control::cni::{CmdArgs, ConfList, PluginConf};
use crate::control::hash;
use crate::kube::{ObjectKey, PodSpec};
use serde_json::json;
use std::sync::{Arc, OnceLock};

/// The name of a pod's network namespace on its node.
pub fn pod_netns(pod: &ObjectKey) -> Arc<str> {
    format!("{}_{}", pod.namespace, pod.name).into()
}

/// The id of a pod's sandbox, which is that of its pause container: 64 hexadecimal digits, another one for each attempt.
pub fn sandbox_id(pod: &ObjectKey, uid: u64, attempt: u32) -> String {
    hash::hex(&format!("sandbox {pod} {uid} {attempt}"), 64)
}

fn pod_uid(pod: &ObjectKey, uid: u64) -> String {
    let h = hash::hex(&format!("pod {pod} {uid}"), 32);
    format!("{}-{}-{}-{}-{}", &h[..8], &h[8..12], &h[12..16], &h[16..20], &h[20..])
}

/// The environment of the plugins, with the arguments that containerd sends.
pub(super) fn cmd_args(key: &ObjectKey, w: &Worker, if_name: &str) -> CmdArgs {
    let id = sandbox_id(key, w.uid, w.attempt);
    let mut args = format!(
        "IgnoreUnknown=1;K8S_POD_NAMESPACE={};K8S_POD_NAME={};K8S_POD_INFRA_CONTAINER_ID={id};K8S_POD_UID={}",
        key.namespace,
        key.name,
        pod_uid(key, w.uid)
    );
    if let Some(ip) = w.spec.requested_ip {
        args.push_str(&format!(";IP={ip}"));
    }
    CmdArgs { container_id: id.into(), netns: Some(pod_netns(key)), if_name: if_name.into(), args: args.into() }
}

/// What the runtime offers to plugins: the host ports.
pub(super) fn capabilities(spec: &PodSpec) -> CapabilityArgs {
    let mut out = CapabilityArgs::new();
    let ports = spec.containers.iter().flat_map(|c| &c.ports);
    let mappings: Vec<_> = ports
        .filter_map(|p| {
            let protocol = p.protocol.name().to_ascii_lowercase();
            Some(json!({ "hostPort": p.host_port?, "containerPort": p.container_port, "protocol": protocol }))
        })
        .collect();
    if !mappings.is_empty() {
        out.insert("portMappings".into(), mappings.into());
    }
    out
}

/// go-cni's own network of the loopback plugin.
pub(super) fn loopback_list() -> Arc<ConfList> {
    static LIST: OnceLock<Arc<ConfList>> = OnceLock::new();
    LIST.get_or_init(|| {
        let conf = json!({ "type": "loopback", "name": "cni-loopback", "cniVersion": "0.3.1" });
        let plugins = vec![PluginConf { kind: "loopback".into(), capabilities: Vec::new(), conf }];
        Arc::new(ConfList { cni_version: "0.3.1".into(), name: "cni-loopback".into(), disable_check: false, plugins })
    })
    .clone()
}
