//! What runtimes and plugins tell each other: network configuration, results, errors.
//!
//! Models: containernetworking/cni SPEC.md (1.1.0) sections 1, 5; pkg/types/types.go, pkg/types/100/types.go,
//! pkg/utils/utils.go, pkg/version/version.go.
//! Simplifies: IPv4 alone; of a result's optional fields those that no plugin here sets are left out (mtu, socketPath, pciID).

use crate::packet::{Ipv4Addr, Mac, Prefix};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};
use std::fmt;
use std::sync::Arc;

/// The versions of the specification that the plugins here speak.
pub const SUPPORTED_VERSIONS: [&str; 7] = ["0.1.0", "0.2.0", "0.3.0", "0.3.1", "0.4.0", "1.0.0", "1.1.0"];

/// The version that results are made in.
pub const RESULT_VERSION: &str = "1.0.0";

/// What a plugin is asked to do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Command {
    /// Attach the container.
    Add,
    /// Detach it.
    Del,
    /// Is it still attached as it was?
    Check,
    /// Which versions are spoken?
    Version,
}

impl Command {
    /// `CNI_COMMAND`.
    pub fn name(self) -> &'static str {
        match self {
            Command::Add => "ADD",
            Command::Del => "DEL",
            Command::Check => "CHECK",
            Command::Version => "VERSION",
        }
    }
}

/// The environment variables of a call.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CmdArgs {
    /// `CNI_CONTAINERID`.
    pub container_id: Arc<str>,
    /// `CNI_NETNS`: the name of the namespace under /var/run/netns; may be missing in DEL.
    pub netns: Option<Arc<str>>,
    /// `CNI_IFNAME`.
    pub if_name: Arc<str>,
    /// `CNI_ARGS`: `K=V;K=V`.
    pub args: Arc<str>,
}

impl CmdArgs {
    /// The value of `key` in `CNI_ARGS`.
    pub fn arg(&self, key: &str) -> Option<&str> {
        self.args.split(';').filter_map(|kv| kv.split_once('=')).find(|(k, _)| *k == key).map(|(_, v)| v)
    }

    /// Checks what every plugin checks before it does anything.
    ///
    /// # Errors
    /// Codes 3 and 4.
    pub fn validate(&self, command: Command) -> Result<(), CniError> {
        if command == Command::Version {
            return Ok(());
        }
        let missing: Vec<&str> = [
            ("CNI_CONTAINERID", self.container_id.is_empty()),
            ("CNI_NETNS", self.netns.is_none() && command != Command::Del),
            ("CNI_IFNAME", self.if_name.is_empty()),
        ]
        .into_iter()
        .filter_map(|(name, missing)| missing.then_some(name))
        .collect();
        if !valid_name(&self.container_id) && !self.container_id.is_empty() {
            return Err(CniError::new(code::ENVIRONMENT, "invalid characters in containerID").with(&*self.container_id));
        }
        if self.if_name.len() > 15 {
            return Err(
                CniError::new(code::ENVIRONMENT, "interface name is too long").with("interface name should be less than 16 characters")
            );
        }
        if matches!(&*self.if_name, "." | "..") {
            return Err(CniError::new(code::ENVIRONMENT, "interface name is . or .."));
        }
        if self.if_name.contains(|c: char| c == '/' || c == ':' || c.is_whitespace()) {
            return Err(CniError::new(code::ENVIRONMENT, "interface name contains / or : or whitespace characters"));
        }
        if missing.is_empty() {
            return Ok(());
        }
        Err(CniError::new(code::ENVIRONMENT, format!("required env variables [{}] missing", missing.join(","))))
    }
}

/// Letters and digits first, then also `_`, `.` and `-`.
fn valid_name(s: &str) -> bool {
    let mut bytes = s.bytes();
    bytes.next().is_some_and(|b| b.is_ascii_alphanumeric()) && bytes.all(|b| b.is_ascii_alphanumeric() || matches!(b, b'_' | b'.' | b'-'))
}

/// The error codes of the specification.
pub mod code {
    /// Incompatible CNI version.
    pub const VERSION: u32 = 1;
    /// Unsupported field in the network configuration.
    pub const UNSUPPORTED_FIELD: u32 = 2;
    /// Container unknown or does not exist.
    pub const UNKNOWN_CONTAINER: u32 = 3;
    /// Invalid necessary environment variables.
    pub const ENVIRONMENT: u32 = 4;
    /// I/O failure.
    pub const IO: u32 = 5;
    /// Failed to decode content.
    pub const DECODE: u32 = 6;
    /// Invalid network config.
    pub const CONFIG: u32 = 7;
    /// Try again later.
    pub const TRY_AGAIN: u32 = 11;
    /// What a plugin of the Go library answers for an error of no other code.
    pub const INTERNAL: u32 = 999;
}

/// An error result.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub struct CniError {
    /// One of [`code`].
    pub code: u32,
    /// In short.
    pub msg: String,
    /// At length; may be empty.
    pub details: String,
}

impl CniError {
    /// An error without details.
    pub fn new(code: u32, msg: impl Into<String>) -> Self {
        CniError { code, msg: msg.into(), details: String::new() }
    }

    /// An error of no particular code.
    pub fn internal(msg: impl Into<String>) -> Self {
        CniError::new(code::INTERNAL, msg)
    }

    /// The same with details.
    #[must_use]
    pub fn with(mut self, details: impl Into<String>) -> Self {
        self.details = details.into();
        self
    }

    /// The same with words before the message, as Go programs wrap errors.
    #[must_use]
    pub fn wrap(mut self, words: &str) -> Self {
        self.msg = format!("{words}: {}", self.msg);
        self
    }

    /// What the plugin prints.
    pub fn to_json(&self, cni_version: &str) -> Value {
        let mut v = json!({ "cniVersion": cni_version, "code": self.code, "msg": self.msg });
        if !self.details.is_empty() {
            v["details"] = Value::from(self.details.as_str());
        }
        v
    }
}

impl fmt::Display for CniError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.msg)?;
        if self.details.is_empty() { Ok(()) } else { write!(f, "; {}", self.details) }
    }
}

/// An interface of a result.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CniInterface {
    /// Name.
    pub name: Arc<str>,
    /// Hardware address, once known.
    pub mac: Option<Mac>,
    /// The container's namespace, or nothing for one of the host.
    pub sandbox: Option<Arc<str>>,
}

/// An address of a result.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CniIp {
    /// The address.
    pub address: Ipv4Addr,
    /// The range on its link.
    pub range: Prefix<Ipv4Addr>,
    /// The gateway of that range.
    pub gateway: Option<Ipv4Addr>,
    /// Place in the list of interfaces.
    pub interface: Option<usize>,
}

/// A route of a result or of a configuration.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CniRoute {
    /// Destinations.
    pub dst: Prefix<Ipv4Addr>,
    /// Gateway; the address's own if none is given.
    pub gw: Option<Ipv4Addr>,
}

/// Name servers of a result.
#[derive(Clone, Debug, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct CniDns {
    /// `nameservers`.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub nameservers: Vec<String>,
    /// `domain`.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub domain: String,
    /// `search`.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub search: Vec<String>,
    /// `options`.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub options: Vec<String>,
}

/// What a successful ADD says.
#[derive(Clone, Debug, PartialEq, Eq, Default)]
pub struct CniResult {
    /// Interfaces made or used.
    pub interfaces: Vec<CniInterface>,
    /// Addresses given.
    pub ips: Vec<CniIp>,
    /// Routes made.
    pub routes: Vec<CniRoute>,
    /// Name servers.
    pub dns: Option<Box<CniDns>>,
}

impl CniResult {
    /// What the plugin prints.
    pub fn to_json(&self, cni_version: &str) -> Value {
        let mut v = Map::new();
        v.insert("cniVersion".into(), cni_version.into());
        if !self.interfaces.is_empty() {
            let all = self.interfaces.iter().map(|i| {
                let mut o = Map::new();
                o.insert("name".into(), (*i.name).into());
                if let Some(mac) = i.mac {
                    o.insert("mac".into(), mac.to_string().into());
                }
                if let Some(s) = &i.sandbox {
                    o.insert("sandbox".into(), format!("/var/run/netns/{s}").into());
                }
                Value::Object(o)
            });
            v.insert("interfaces".into(), all.collect());
        }
        if !self.ips.is_empty() {
            let all = self.ips.iter().map(|i| {
                let mut o = Map::new();
                if let Some(n) = i.interface {
                    o.insert("interface".into(), n.into());
                }
                o.insert("address".into(), format!("{}/{}", i.address, i.range.len()).into());
                if let Some(gw) = i.gateway {
                    o.insert("gateway".into(), gw.to_string().into());
                }
                Value::Object(o)
            });
            v.insert("ips".into(), all.collect());
        }
        if !self.routes.is_empty() {
            let all = self.routes.iter().map(|r| match r.gw {
                Some(gw) => json!({ "dst": r.dst.to_string(), "gw": gw.to_string() }),
                None => json!({ "dst": r.dst.to_string() }),
            });
            v.insert("routes".into(), all.collect());
        }
        v.insert("dns".into(), self.dns.as_ref().and_then(|d| serde_json::to_value(d).ok()).unwrap_or_else(|| json!({})));
        Value::Object(v)
    }
}

/// A list of plugins as a file in /etc/cni/net.d says it.
#[derive(Clone, Debug, PartialEq)]
pub struct ConfList {
    /// Version of the specification that it is written in.
    pub cni_version: Arc<str>,
    /// Name of the network.
    pub name: Arc<str>,
    /// Whether CHECK is left out.
    pub disable_check: bool,
    /// The plugins' configurations, in order.
    pub plugins: Vec<PluginConf>,
}

/// The configuration of one plugin, passed through as written.
#[derive(Clone, Debug, PartialEq)]
pub struct PluginConf {
    /// `type`: which plugin.
    pub kind: Arc<str>,
    /// Capabilities it asks the runtime for.
    pub capabilities: Vec<Arc<str>>,
    /// The object that the plugin gets, with `name` and `cniVersion` of the list.
    pub conf: Value,
}

impl ConfList {
    /// Reads a conflist file, or a conf file of one plugin.
    ///
    /// # Errors
    /// Codes 6 and 7, in the words of libcni.
    pub fn parse(text: &str) -> Result<ConfList, CniError> {
        let raw: Value =
            serde_json::from_str(text).map_err(|e| CniError::new(code::DECODE, format!("error parsing configuration list: {e}")))?;
        let Some(top) = raw.as_object() else {
            return Err(CniError::new(code::DECODE, "error parsing configuration list: not an object"));
        };
        let text_of = |key: &str| match top.get(key) {
            None => Ok(""),
            Some(Value::String(s)) => Ok(s.as_str()),
            Some(v) => Err(CniError::new(code::DECODE, format!("error parsing configuration list: invalid {key} type {v}"))),
        };
        let name = text_of("name")?;
        if name.is_empty() {
            return Err(CniError::new(code::CONFIG, "error parsing configuration list: no name"));
        }
        if !valid_name(name) {
            return Err(CniError::new(code::CONFIG, "invalid characters found in network name").with(name));
        }
        let cni_version = text_of("cniVersion")?;
        let Some(list) = top.get("plugins").and_then(Value::as_array) else {
            return Err(CniError::new(code::CONFIG, "error parsing configuration list: no 'plugins' key"));
        };
        if list.is_empty() {
            return Err(CniError::new(code::CONFIG, "error parsing configuration list: no plugins in list"));
        }
        let plugins = list.iter().enumerate().map(|(i, p)| PluginConf::read(i, p, name, cni_version)).collect::<Result<_, _>>()?;
        let disable_check = top.get("disableCheck").and_then(Value::as_bool).unwrap_or(false);
        Ok(ConfList { cni_version: cni_version.into(), name: name.into(), disable_check, plugins })
    }
}

impl PluginConf {
    fn read(place: usize, raw: &Value, name: &str, cni_version: &str) -> Result<PluginConf, CniError> {
        let bad = |what: &str| CniError::new(code::CONFIG, format!("failed to parse plugin config {place}: {what}"));
        let mut conf = raw.as_object().ok_or_else(|| bad("not an object"))?.clone();
        let kind: Arc<str> = match conf.get("type").and_then(Value::as_str) {
            Some(k) if !k.is_empty() => k.into(),
            _ => return Err(bad("missing 'type'")),
        };
        let capabilities = match conf.shift_remove("capabilities") {
            Some(Value::Object(c)) => c.iter().filter(|(_, on)| on.as_bool() == Some(true)).map(|(k, _)| k.as_str().into()).collect(),
            _ => Vec::new(),
        };
        conf.insert("name".into(), name.into());
        conf.insert("cniVersion".into(), cni_version.into());
        Ok(PluginConf { kind, capabilities, conf: Value::Object(conf) })
    }
}

/// Whether version `a` is `b` or later; a version that cannot be read is earlier than all.
pub fn version_at_least(a: &str, b: &str) -> bool {
    fn numbers(v: &str) -> Option<[u32; 3]> {
        if v.is_empty() {
            return Some([0, 1, 0]);
        }
        let mut out = [0; 3];
        for (i, part) in v.split('.').enumerate() {
            *out.get_mut(i)? = part.parse().ok()?;
        }
        Some(out)
    }
    numbers(a).is_some_and(|a| numbers(b).is_some_and(|b| a >= b))
}
