//! The Container Network Interface: what a runtime and its plugins owe each other, and the plugins.
//!
//! ```text
//!  kubelet ── chain ──ADD──► plugin 1 ──result──► plugin 2 ──result──► …      in the order of the list
//!                   ◄─DEL──  plugin 1 ◄────────── plugin 2 ◄────────── …      in the reverse order
//!                              │  delegates
//!                              └────► ipam plugin, or another main plugin
//! ```
//!
//! Models: containernetworking/cni SPEC.md 1.1.0; pkg/skel/skel.go.
//! Simplifies: a plugin is a function, not a process. It reads the kernel through [`Hosts`] and hands back the commands it
//! would carry out. Where it must see what its commands did (the hardware address of a new bridge), it is called again with
//! the next phase. A plugin checks what it can before its first command, so that an error which the real plugin meets half
//! way leaves nothing behind that DEL would have to remove.
//!
//! A plugin is one file and one line in [`PLUGINS`].

pub mod bridge;
pub mod chain;
pub mod flannel;
pub mod ipam_host_local;
pub mod loopback;
pub mod portmap;
pub mod types;

pub use chain::{Added, Chain, Step};
pub use types::{CmdArgs, CniError, CniInterface, CniIp, CniResult, CniRoute, Command, ConfList, PluginConf, code};

use super::node_files::Files;
use super::view::Hosts;
use crate::linux::{Errno, Netns, Op};
use ipam_host_local::IpamState;
use serde_json::Value;
use std::sync::Arc;
use types::SUPPORTED_VERSIONS;

/// All plugins.
pub static PLUGINS: &[&dyn Plugin] =
    &[&bridge::Bridge, &flannel::Flannel, &ipam_host_local::HostLocal, &loopback::Loopback, &portmap::Portmap];

/// The plugin of that type.
pub fn find(kind: &str) -> Option<&'static dyn Plugin> {
    PLUGINS.iter().find(|p| p.kind() == kind).copied()
}

/// A command that a plugin carries out.
#[derive(Clone, Debug, PartialEq)]
pub struct Exec {
    /// Where: the host's own namespace (`None`) or the container's.
    pub netns: Option<Arc<str>>,
    /// The command.
    pub op: Op,
}

/// How far an ADD has come.
#[derive(Clone, Debug, PartialEq)]
pub enum Progress {
    /// These commands; then call again with the next phase and what is known of the result.
    Run {
        /// The commands, in order.
        exec: Vec<Exec>,
        /// The next phase.
        next: u8,
        /// The result so far.
        partial: CniResult,
    },
    /// It is done.
    Done(CniResult),
}

/// The stdin of a call.
#[derive(Clone, Copy, Debug)]
pub struct Call<'a> {
    /// Environment variables.
    pub args: &'a CmdArgs,
    /// The plugin's configuration.
    pub conf: &'a Value,
    /// `prevResult`.
    pub prev_result: Option<&'a CniResult>,
}

impl Call<'_> {
    /// `cniVersion`.
    pub fn cni_version(&self) -> &str {
        self.conf.get("cniVersion").and_then(Value::as_str).unwrap_or("")
    }

    /// `name`: the network's.
    pub fn network(&self) -> &str {
        self.conf.get("name").and_then(Value::as_str).unwrap_or("")
    }
}

/// The node that a plugin runs on.
pub struct NodeEnv<'a> {
    /// Its name.
    pub host: &'a str,
    /// The kernel, to be read.
    pub hosts: &'a dyn Hosts,
    /// Its files.
    pub files: &'a mut Files,
    /// What lies under /var/lib/cni/networks.
    pub ipam: &'a mut IpamState,
}

impl std::fmt::Debug for NodeEnv<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("NodeEnv").field("host", &self.host).finish_non_exhaustive()
    }
}

impl NodeEnv<'_> {
    /// A namespace of the node.
    pub fn netns(&self, name: Option<&str>) -> Option<&Netns> {
        self.hosts.netns(self.host, name)
    }
}

/// A plugin.
pub trait Plugin: Sync {
    /// `type` in a configuration.
    fn kind(&self) -> &'static str;

    /// ADD, from phase 0 on.
    ///
    /// # Errors
    /// An error result; the runtime then calls DEL.
    fn add(&self, call: Call<'_>, env: &mut NodeEnv<'_>, phase: u8, partial: CniResult) -> Result<Progress, CniError>;

    /// DEL: what is already gone is no error.
    ///
    /// # Errors
    /// An error result.
    fn del(&self, call: Call<'_>, env: &mut NodeEnv<'_>) -> Result<Vec<Exec>, CniError>;

    /// CHECK: whether the container is still attached as `prevResult` says.
    ///
    /// # Errors
    /// What differs.
    fn check(&self, call: Call<'_>, env: &mut NodeEnv<'_>) -> Result<(), CniError>;

    /// What the plugin says when one of its commands failed, if it says more than the kernel.
    fn explain(&self, _exec: &Op, _netns: Option<&str>, error: &str, _errno: Option<Errno>) -> String {
        error.to_owned()
    }
}

impl std::fmt::Debug for dyn Plugin {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.kind())
    }
}

/// VERSION: what a plugin prints.
pub fn version(call_version: &str) -> Value {
    serde_json::json!({ "cniVersion": call_version, "supportedVersions": SUPPORTED_VERSIONS })
}

/// Finds a plugin and checks what every plugin checks first: the environment and the version.
///
/// # Errors
/// Codes 1 and 4, and the runtime's own for a plugin that is not installed.
pub fn prepare(kind: &str, command: Command, call: &Call<'_>) -> Result<&'static dyn Plugin, CniError> {
    let plugin = find(kind).ok_or_else(|| CniError::internal(format!("failed to find plugin {kind:?} in path [/opt/cni/bin]")))?;
    call.args.validate(command)?;
    let version = match call.cni_version() {
        "" => "0.1.0",
        v => v,
    };
    if !SUPPORTED_VERSIONS.contains(&version) {
        let known = SUPPORTED_VERSIONS.map(|v| format!("{v:?}")).join(" ");
        return Err(
            CniError::new(code::VERSION, "incompatible CNI versions").with(format!("config is {version:?}, plugin supports [{known}]"))
        );
    }
    if command == Command::Check && !types::version_at_least(version, "0.4.0") {
        return Err(CniError::new(code::VERSION, "config version does not allow CHECK"));
    }
    Ok(plugin)
}
