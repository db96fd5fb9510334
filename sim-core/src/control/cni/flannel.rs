//! `flannel`: turns what flanneld wrote down into a configuration for `bridge`, and calls that.
//!
//! Models: flannel-io/cni-plugin flannel.go, flannel_linux.go (1.9.1-flannel1) cmdAdd, doCmdAdd, getDelegateIPAM, cmdDel.
//! Simplifies: IPv4 alone. CHECK does nothing, as there.

use super::{Call, CniError, CniResult, Command, Exec, NodeEnv, Plugin, Progress, find, prepare};
use crate::control::flanneld::subnet_env::SubnetEnv;
use crate::linux::{Errno, Op};
use serde_json::{Map, Value, json};
use std::sync::Arc;

/// The plugin.
#[derive(Debug)]
pub struct Flannel;

/// Where the configuration of each delegate is kept for DEL.
pub const DATA_DIR: &str = "/var/lib/cni/flannel";

fn text<'a>(conf: &'a Value, key: &str, default: &'a str) -> &'a str {
    conf.get(key).and_then(Value::as_str).filter(|s| !s.is_empty()).unwrap_or(default)
}

fn scratch(call: &Call<'_>) -> String {
    format!("{}/{}", text(call.conf, "dataDir", DATA_DIR), call.args.container_id)
}

/// The delegate's configuration.
fn render(call: &Call<'_>, env: &NodeEnv<'_>) -> Result<Value, CniError> {
    let file = text(call.conf, "subnetFile", crate::control::flanneld::SUBNET_FILE);
    let failed = |what: String| {
        CniError::internal(format!("failed to load flannel 'subnet.env' file: {what}. Check the flannel pod log for this node."))
    };
    let read = env.files.read(file).ok_or_else(|| failed(format!("open {file}: no such file or directory")))?;
    let subnet = SubnetEnv::parse(file, read).map_err(failed)?;

    let mut delegate = match call.conf.get("delegate") {
        None | Some(Value::Null) => Map::new(),
        Some(Value::Object(d)) => d.clone(),
        Some(_) => {
            return Err(CniError::internal("failed to load flannel netconf file: failed to load netconf: delegate is not an object"));
        }
    };
    if delegate.get("type").is_some_and(|t| !t.is_string()) {
        return Err(CniError::internal("'delegate' dictionary, if present, must have (string) 'type' field"));
    }
    for key in ["name", "ipam"] {
        if delegate.contains_key(key) {
            return Err(CniError::internal(format!("'delegate' dictionary must not have '{key}' field, it'll be set by flannel")));
        }
    }
    if let Some(rt) = call.conf.get("runtimeConfig") {
        delegate.insert("runtimeConfig".into(), rt.clone());
    }
    delegate.insert("name".into(), call.network().into());
    delegate.entry("type").or_insert_with(|| "bridge".into());
    // If flanneld does not masquerade, the delegate must.
    delegate.entry("ipMasq").or_insert_with(|| (!subnet.ip_masq).into());
    delegate.entry("mtu").or_insert_with(|| subnet.mtu.into());
    if delegate.get("type").and_then(Value::as_str) == Some("bridge") {
        delegate.entry("isGateway").or_insert_with(|| true.into());
    }
    if !call.cni_version().is_empty() {
        delegate.insert("cniVersion".into(), call.cni_version().into());
    }
    let mut ipam = match call.conf.get("ipam") {
        Some(Value::Object(i)) => i.clone(),
        _ => Map::new(),
    };
    ipam.entry("type").or_insert_with(|| "host-local".into());
    ipam.insert("ranges".into(), json!([[{ "subnet": subnet.subnet_range().to_string() }]]));
    let mut routes = ipam.get("routes").and_then(Value::as_array).cloned().unwrap_or_default();
    routes.extend(subnet.networks.iter().map(|n| json!({ "dst": n.to_string() })));
    ipam.insert("routes".into(), Value::Array(routes));
    delegate.insert("ipam".into(), Value::Object(ipam));
    Ok(Value::Object(delegate))
}

fn delegate_call<'a>(call: Call<'a>, conf: &'a Value) -> (Call<'a>, &'a str) {
    (Call { conf, ..call }, conf.get("type").and_then(Value::as_str).unwrap_or(""))
}

impl Plugin for Flannel {
    fn kind(&self) -> &'static str {
        "flannel"
    }

    fn add(&self, call: Call<'_>, env: &mut NodeEnv<'_>, phase: u8, partial: CniResult) -> Result<Progress, CniError> {
        let path = scratch(&call);
        let conf = if phase == 0 {
            let conf = render(&call, env)?;
            save(env, &path, &conf.to_string());
            conf
        } else {
            let saved = env.files.read(&path).ok_or_else(|| CniError::internal(format!("open {path}: no such file or directory")))?;
            serde_json::from_str(saved).map_err(|e| CniError::internal(format!("failed to parse netconf: {e}")))?
        };
        let (inner, kind) = delegate_call(call, &conf);
        prepare(kind, Command::Add, &inner).and_then(|p| p.add(inner, env, phase, partial)).map_err(|e| e.wrap("failed to delegate add"))
    }

    fn del(&self, call: Call<'_>, env: &mut NodeEnv<'_>) -> Result<Vec<Exec>, CniError> {
        let path = scratch(&call);
        let Some(saved) = env.files.read(&path).cloned() else { return Ok(Vec::new()) };
        let Ok(conf) = serde_json::from_str::<Value>(&saved) else { return Ok(Vec::new()) };
        let (inner, kind) = delegate_call(call, &conf);
        let exec = prepare(kind, Command::Del, &inner)?.del(inner, env)?;
        env.files.remove(&path);
        Ok(exec)
    }

    fn check(&self, _: Call<'_>, _: &mut NodeEnv<'_>) -> Result<(), CniError> {
        Ok(())
    }

    fn explain(&self, exec: &Op, netns: Option<&str>, error: &str, errno: Option<Errno>) -> String {
        let inner = find("bridge").map(|p| p.explain(exec, netns, error, errno));
        format!("failed to delegate add: {}", inner.as_deref().unwrap_or(error))
    }
}

/// Saves a rendered configuration; those of a node's containers are alike, and equal ones are kept once.
fn save(env: &mut NodeEnv<'_>, path: &str, conf: &str) {
    let dir = path.rsplit_once('/').map_or("", |(dir, _)| dir);
    let same: Option<Arc<str>> = env.files.under(dir).map(|(_, t)| t).find(|t| ***t == *conf).cloned();
    env.files.write(path, same.unwrap_or_else(|| conf.into()));
}
