//! Floor 4: the controllers, which compile objects into commands.
//!
//! ```text
//!             objects                    what the kernels look like
//!  Store ───────────────► Controllers ◄─────────────────────────── Hosts (read only)
//!    ▲  status               │   ▲
//!    └───────────────────────┘   │ what failed, the time
//!                   Actions      │
//!                      └──► engine
//! ```
//!
//! Controllers do no I/O and keep no time. The engine drives them:
//!
//! 1. [`Controllers::run`] with the store, the hosts and the time returns a list of [`Action`]s.
//! 2. The engine carries them out in order. When one fails it calls [`Controllers::on_result`] and leaves out the other
//!    actions of the same task ([`TaskId`]); an action of which nothing is reported has succeeded.
//! 3. It calls `run` again, until the list is empty. Only then does time go on.
//! 4. After that it calls `run` whenever the store has changed, [`Controllers::systemctl`] was called, or
//!    [`Controllers::next_timer`] has come.
//!
//! At the start of the world the engine calls [`Controllers::settle`] instead of `run`: it does the same, and pods do not
//! wait for their readiness probe, because the world has settled before the clock starts.

pub mod action;
pub mod view;

pub use action::{Action, ActionKind, Failure, Origin, TaskId};
pub use view::Hosts;

use crate::kube::Store;
use crate::linux::Time;
use crate::linux::op::AgentVerb;

/// All controllers of a cluster, and what they know. A clone is cheap.
#[derive(Clone, Debug, Default)]
pub struct Controllers {}

impl Controllers {
    /// What is to be done now; empty when there is nothing left.
    pub fn run(&mut self, _store: &mut Store, _hosts: &dyn Hosts, _now: Time) -> Vec<Action> {
        Vec::new()
    }

    /// As [`Controllers::run`], before the clock starts.
    pub fn settle(&mut self, store: &mut Store, hosts: &dyn Hosts) -> Vec<Action> {
        self.run(store, hosts, Time::ZERO)
    }

    /// An action failed.
    pub fn on_result(&mut self, _action: &Action, _failure: &Failure) {}

    /// When `run` is to be called next even if nothing changes.
    pub fn next_timer(&self) -> Option<Time> {
        None
    }

    /// `systemctl VERB UNIT` on a node.
    ///
    /// # Errors
    /// In systemctl's words, for a unit that the host does not have.
    pub fn systemctl(&mut self, host: &str, verb: AgentVerb, unit: &str) -> Result<(), String> {
        let word = match verb {
            AgentVerb::Start => "start",
            AgentVerb::Stop => "stop",
            AgentVerb::Restart => "restart",
        };
        let _ = host;
        Err(format!("Failed to {word} {unit}.service: Unit {unit}.service not found."))
    }
}
