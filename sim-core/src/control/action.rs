//! What controllers ask of the engine.
//!
//! Actions come in tasks. The engine carries out a list in order; when an action of a task fails, it reports that once
//! and leaves out the rest of that task, as a program stops at its first error. Tasks do not depend on each other.

use crate::kube::{Listen, ObjectKey};
use crate::linux::{Errno, Op};
use std::fmt;
use std::sync::Arc;

/// A run of actions that stops at its first failure.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct TaskId(pub u32);

/// Who did something, and on behalf of which object: every row that it makes knows that.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Origin {
    /// `kubelet`, `flanneld`, `cni/bridge`, `boot`.
    pub controller: Arc<str>,
    /// `pod default/web`, `node node-b`.
    pub object: Arc<str>,
}

impl Origin {
    /// `controller` on behalf of `object`.
    pub fn new(controller: &str, object: impl Into<Arc<str>>) -> Arc<Self> {
        Arc::new(Origin { controller: controller.into(), object: object.into() })
    }
}

impl fmt::Display for Origin {
    /// `kubelet: pod default/web`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.controller, self.object)
    }
}

/// What is to be done.
#[derive(Clone, Debug, PartialEq)]
pub enum ActionKind {
    /// A command.
    Op {
        /// Host, by name.
        host: Arc<str>,
        /// Namespace on that host; the host's own if none is given.
        netns: Option<Arc<str>>,
        /// The command.
        op: Op,
    },
    /// The process of a container starts.
    Spawn {
        /// Host, by name.
        host: Arc<str>,
        /// Its network namespace; the host's own if none is given.
        netns: Option<Arc<str>>,
        /// The pod.
        pod: ObjectKey,
        /// The container.
        container: Arc<str>,
        /// What it listens on. A port that is taken (EADDRINUSE) is a failure of this action: the process ends.
        listen: Vec<Listen>,
    },
    /// The process of a container ends; its sockets close.
    Kill {
        /// Host, by name.
        host: Arc<str>,
        /// The pod.
        pod: ObjectKey,
        /// The container.
        container: Arc<str>,
    },
    /// Something worth telling, in the controller's own words.
    Event {
        /// The host it happened on, if on one.
        host: Option<Arc<str>>,
        /// What happened.
        text: Arc<str>,
    },
}

/// One thing to be done.
#[derive(Clone, Debug, PartialEq)]
pub struct Action {
    /// The task it is part of.
    pub task: TaskId,
    /// Who asks, for which object.
    pub origin: Arc<Origin>,
    /// What.
    pub kind: ActionKind,
}

/// How an action failed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Failure {
    /// The kernel's error number, if the kernel refused.
    pub errno: Option<Errno>,
    /// In the words of the tool.
    pub text: Arc<str>,
}

impl Failure {
    /// The error as a Go program prints it: `network is unreachable`.
    pub fn go_error(&self) -> String {
        match self.errno {
            Some(e) => {
                let mut words = e.message().to_owned();
                if let Some(first) = words.get_mut(..1) {
                    first.make_ascii_lowercase();
                }
                words
            }
            None => self.text.to_string(),
        }
    }
}
