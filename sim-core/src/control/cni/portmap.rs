//! `portmap`: host ports.
//!
//! Models: containernetworking/plugins plugins/meta/portmap/main.go (1.9.1) cmdAdd, cmdDel, as far as pods without a
//! host port go: they pass through.
//! Simplifies: a pod with a host port is refused with code 2, instead of being given rules that are not there.

use super::{Call, CniError, CniResult, Exec, NodeEnv, Plugin, Progress, code};
use serde_json::Value;

/// The plugin.
#[derive(Debug)]
pub struct Portmap;

fn has_ports(call: &Call<'_>) -> bool {
    call.conf.pointer("/runtimeConfig/portMappings").and_then(Value::as_array).is_some_and(|p| !p.is_empty())
}

impl Plugin for Portmap {
    fn kind(&self) -> &'static str {
        "portmap"
    }

    fn add(&self, call: Call<'_>, _: &mut NodeEnv<'_>, _: u8, _: CniResult) -> Result<Progress, CniError> {
        let Some(prev) = call.prev_result else { return Err(CniError::internal("must be called as chained plugin")) };
        if has_ports(&call) {
            return Err(CniError::new(code::UNSUPPORTED_FIELD, "host ports are not simulated"));
        }
        Ok(Progress::Done(prev.clone()))
    }

    fn del(&self, _: Call<'_>, _: &mut NodeEnv<'_>) -> Result<Vec<Exec>, CniError> {
        Ok(Vec::new())
    }

    fn check(&self, call: Call<'_>, _: &mut NodeEnv<'_>) -> Result<(), CniError> {
        if call.prev_result.is_none() {
            return Err(CniError::internal("Required prevResult missing"));
        }
        Ok(())
    }
}
