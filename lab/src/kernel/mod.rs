//! The real kernel: a plan is built in network namespaces, its traffic runs, and what happened is told.
//!
//! ```text
//!  Plan ──► Namespace × n ──► wires (veth pairs) ──► Ops as tools ──► servers ──► capture ──► traffic ──► Observed
//! ```
//!
//! Everything happens inside namespaces that this process made and that have no names; they end with the process.

pub mod build;
pub mod capture;
pub mod clock;
pub mod drive;
pub mod hooks;
pub mod netns;
pub mod probe;
mod ring;
pub mod sockets;
pub mod tell;
pub mod tools;

use crate::account::Observed;
use crate::plan::Plan;
use nix::sched::{CpuSet, sched_getaffinity, sched_setaffinity};
use nix::unistd::Pid;
use std::sync::atomic::{AtomicUsize, Ordering};

/// Why the real kernel could not be asked.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum LabError {
    /// This process may not.
    #[error("{0}")]
    NotAllowed(String),
    /// The kernel or its tools here lack something.
    #[error("{0}")]
    Lacks(String),
    /// A command was refused as unsafe.
    #[error("{0}")]
    Unsafe(String),
    /// A command had another end than in the simulated world.
    #[error("`{command}` on {place}: simulated: {simulated}; real kernel: {real}")]
    Command {
        /// The command.
        command: String,
        /// Where.
        place: String,
        /// What the simulated kernel said.
        simulated: String,
        /// What the real kernel said.
        real: String,
    },
    /// The capture lost something, so nothing can be said.
    #[error("the capture lost frames")]
    Lost,
}

/// Builds a plan in the real kernel, runs its traffic, and tells what happened.
///
/// # Errors
/// When the real kernel cannot be asked, or refuses a command that the simulated one takes.
pub fn observe(plan: &Plan) -> Result<Observed, LabError> {
    let before = pin();
    let observed = build::build(plan).and_then(|built| drive::run(built, plan));
    if let Some(cpus) = before {
        // a thread that may not go back stays where it is
        let _ = sched_setaffinity(Pid::from_raw(0), &cpus);
    }
    observed
}

/// Keeps this thread, and all that it starts, on one CPU: softirqs of two would race. The CPUs that it had before.
fn pin() -> Option<CpuSet> {
    static NEXT: AtomicUsize = AtomicUsize::new(0);
    let before = sched_getaffinity(Pid::from_raw(0)).ok()?;
    let allowed: Vec<usize> = (0..CpuSet::count()).filter(|c| before.is_set(*c).unwrap_or(false)).collect();
    let one = *allowed.get(NEXT.fetch_add(1, Ordering::Relaxed) % allowed.len().max(1))?;
    let mut set = CpuSet::new();
    set.set(one).ok()?;
    sched_setaffinity(Pid::from_raw(0), &set).ok()?;
    Some(before)
}
