//! The agents that run on a node, as systemd units.
//!
//! Simplifies: in a cluster set up by kubeadm flanneld runs in a pod of a DaemonSet; here it is a unit like the kubelet, so
//! that it can be stopped and started in the same way. A stopped agent does nothing; what it has set up stays.

use crate::linux::op::AgentVerb;
use smallvec::SmallVec;

/// The node agent that starts pods.
pub const KUBELET: &str = "kubelet";
/// Flannel's agent.
pub const FLANNELD: &str = "flanneld";

/// The agents of one node, and which of them run.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Agents(SmallVec<[(&'static str, bool); 3]>);

impl Agents {
    /// These agents, all running.
    pub fn running(units: impl IntoIterator<Item = &'static str>) -> Self {
        Agents(units.into_iter().map(|u| (u, true)).collect())
    }

    /// Whether the agent is there and runs.
    pub fn runs(&self, unit: &str) -> bool {
        self.0.iter().any(|(u, on)| *u == unit && *on)
    }

    /// All units, and whether they run.
    pub fn iter(&self) -> impl Iterator<Item = (&'static str, bool)> + '_ {
        self.0.iter().copied()
    }

    /// `systemctl VERB UNIT`: says which unit it was and whether it ran before.
    ///
    /// # Errors
    /// In systemctl's words.
    pub fn systemctl(&mut self, verb: AgentVerb, unit: &str) -> Result<(&'static str, bool), String> {
        let name = unit.strip_suffix(".service").unwrap_or(unit);
        match self.0.iter_mut().find(|(u, _)| *u == name) {
            Some((unit, on)) => {
                let ran = std::mem::replace(on, verb != AgentVerb::Stop);
                Ok((unit, ran))
            }
            None => Err(match verb {
                AgentVerb::Start => format!("Failed to start {name}.service: Unit {name}.service not found."),
                AgentVerb::Stop => format!("Failed to stop {name}.service: Unit {name}.service not loaded."),
                AgentVerb::Restart => format!("Failed to restart {name}.service: Unit {name}.service not found."),
            }),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn stop_and_start() {
        let mut a = Agents::running([KUBELET, FLANNELD]);
        assert_eq!(a.systemctl(AgentVerb::Stop, "flanneld"), Ok((FLANNELD, true)));
        assert!(!a.runs(FLANNELD) && a.runs(KUBELET));
        assert_eq!(a.systemctl(AgentVerb::Restart, "flanneld.service"), Ok((FLANNELD, false)));
        assert!(a.runs(FLANNELD));
        assert_eq!(
            a.systemctl(AgentVerb::Stop, "dockerd"),
            Err("Failed to stop dockerd.service: Unit dockerd.service not loaded.".to_owned())
        );
        assert_eq!(
            a.systemctl(AgentVerb::Start, "dockerd"),
            Err("Failed to start dockerd.service: Unit dockerd.service not found.".to_owned())
        );
    }
}
