//! A list of plugins as the runtime calls it.
//!
//! Models: containernetworking/cni libcni/api.go AddNetworkList, DelNetworkList, CheckNetworkList, buildOneConfig.

use super::types::version_at_least;
use super::{Call, CmdArgs, CniError, CniResult, Command, ConfList, Exec, NodeEnv, PluginConf, Progress, prepare};
use serde_json::{Map, Value};
use std::sync::Arc;

/// What the runtime offers to plugins that ask for it (`runtimeConfig`), by capability.
pub type CapabilityArgs = Map<String, Value>;

/// What comes next of an ADD.
#[derive(Clone, Debug, PartialEq)]
pub enum Step {
    /// These commands of a plugin; then call again.
    Run {
        /// The plugin.
        plugin: Arc<str>,
        /// Its commands, in order.
        exec: Vec<Exec>,
    },
    /// All plugins are done; the last one's result, to be kept for CHECK and DEL.
    Done(Added),
}

/// An attachment that was made: what the runtime keeps in its cache.
#[derive(Clone, Debug, PartialEq)]
pub struct Added {
    /// The result of the last plugin.
    pub result: CniResult,
}

/// An ADD on its way through a list.
#[derive(Clone, Debug)]
pub struct Chain {
    list: Arc<ConfList>,
    args: CmdArgs,
    capabilities: Arc<CapabilityArgs>,
    /// The plugin whose turn it is, and its phase.
    at: (usize, u8),
    partial: CniResult,
    prev: Option<CniResult>,
}

impl Chain {
    /// An ADD that has not begun.
    pub fn new(list: Arc<ConfList>, args: CmdArgs, capabilities: Arc<CapabilityArgs>) -> Self {
        Chain { list, args, capabilities, at: (0, 0), partial: CniResult::default(), prev: None }
    }

    /// The environment of the calls.
    pub fn args(&self) -> &CmdArgs {
        &self.args
    }

    /// The plugin whose commands were handed out last.
    pub fn plugin(&self) -> Option<&PluginConf> {
        self.list.plugins.get(self.at.0)
    }

    /// Goes on until there are commands to carry out, or the end.
    ///
    /// # Errors
    /// `plugin type="…" failed (add): …`.
    pub fn step(&mut self, env: &mut NodeEnv<'_>) -> Result<Step, CniError> {
        while let Some(plugin) = self.list.plugins.get(self.at.0) {
            let conf = one_config(plugin, &self.capabilities);
            let call = Call { args: &self.args, conf: &conf, prev_result: self.prev.as_ref() };
            let answer = prepare(&plugin.kind, Command::Add, &call)
                .and_then(|p| p.add(call, env, self.at.1, std::mem::take(&mut self.partial)))
                .map_err(|e| failed(plugin, "add", e))?;
            match answer {
                Progress::Run { exec, next, partial } => {
                    self.at.1 = next;
                    self.partial = partial;
                    if !exec.is_empty() {
                        return Ok(Step::Run { plugin: plugin.kind.clone(), exec });
                    }
                }
                Progress::Done(result) => {
                    self.prev = Some(result);
                    self.at = (self.at.0 + 1, 0);
                }
            }
        }
        Ok(Step::Done(Added { result: self.prev.take().unwrap_or_default() }))
    }
}

/// How far a DEL came.
#[derive(Clone, Debug, PartialEq)]
pub struct Deleted {
    /// The commands of each plugin, in order.
    pub exec: Vec<(Arc<str>, Vec<Exec>)>,
    /// The error at which it stopped: `plugin type="…" failed (delete): …`.
    pub error: Option<CniError>,
}

/// DEL through the list, last plugin first, each with the final result of ADD. Stops at the first error.
pub fn del(list: &ConfList, args: &CmdArgs, capabilities: &CapabilityArgs, cached: Option<&CniResult>, env: &mut NodeEnv<'_>) -> Deleted {
    let cached = cached.filter(|_| version_at_least(&list.cni_version, "0.4.0"));
    let mut done = Deleted { exec: Vec::new(), error: None };
    for plugin in list.plugins.iter().rev() {
        let conf = one_config(plugin, capabilities);
        let call = Call { args, conf: &conf, prev_result: cached };
        match prepare(&plugin.kind, Command::Del, &call).and_then(|p| p.del(call, env)) {
            Ok(exec) => done.exec.push((plugin.kind.clone(), exec)),
            Err(e) => {
                done.error = Some(failed(plugin, "delete", e));
                break;
            }
        }
    }
    done
}

/// CHECK through the list, in order, each with the final result of ADD.
///
/// # Errors
/// The first plugin's that finds a difference; a list of a version before 0.4.0 cannot be checked.
pub fn check(
    list: &ConfList,
    args: &CmdArgs,
    capabilities: &CapabilityArgs,
    cached: &CniResult,
    env: &mut NodeEnv<'_>,
) -> Result<(), CniError> {
    if !version_at_least(&list.cni_version, "0.4.0") {
        return Err(CniError::internal(format!("configuration version {:?} does not support CHECK", &*list.cni_version)));
    }
    if list.disable_check {
        return Ok(());
    }
    for plugin in &list.plugins {
        let conf = one_config(plugin, capabilities);
        let call = Call { args, conf: &conf, prev_result: Some(cached) };
        prepare(&plugin.kind, Command::Check, &call)?.check(call, env)?;
    }
    Ok(())
}

/// The plugin's configuration with what the runtime offers of what it asked for.
fn one_config<'a>(plugin: &'a PluginConf, offered: &CapabilityArgs) -> std::borrow::Cow<'a, Value> {
    let wanted: Map<String, Value> = plugin.capabilities.iter().filter_map(|c| Some((c.to_string(), offered.get(&**c)?.clone()))).collect();
    if wanted.is_empty() {
        return std::borrow::Cow::Borrowed(&plugin.conf);
    }
    let mut conf = plugin.conf.clone();
    conf["runtimeConfig"] = Value::Object(wanted);
    std::borrow::Cow::Owned(conf)
}

/// An error as libcni names it; the plugin's `name` is that of its own entry, which lists leave out.
pub(super) fn failed(plugin: &PluginConf, verb: &str, e: CniError) -> CniError {
    e.wrap(&format!("plugin type={:?} failed ({verb})", &*plugin.kind))
}
