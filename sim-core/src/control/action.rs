//! What controllers ask of the engine.
//!
//! Actions come in tasks. The engine carries out a list in order; when an action of a task fails, it reports that once
//! and leaves out the rest of that task, as a program stops at its first error. Tasks do not depend on each other.

use crate::kube::{Listen, ObjectKey};
use crate::linux::apply::{ErrorKind, OpError};
use crate::linux::{Errno, Op};
use std::fmt;
use std::sync::Arc;

/// A run of actions that stops at its first failure.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct TaskId(pub u32);

/// Who did something, and on behalf of which object, as text codes: `kubelet: pod default/web`. Every row that it makes
/// knows that.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Origin(Arc<str>);

impl Origin {
    /// `controller` (without a colon) on behalf of `object`.
    pub fn new(controller: &str, object: impl fmt::Display) -> Self {
        Origin(format!("{controller}: {object}").into())
    }

    /// `kubelet`, `flanneld`, `cni/bridge`, `boot`.
    pub fn controller(&self) -> &str {
        self.0.split_once(": ").map_or("", |(c, _)| c)
    }

    /// `pod default/web`, `node node-b`.
    pub fn object(&self) -> &str {
        self.0.split_once(": ").map_or("", |(_, o)| o)
    }

    /// Both, as the log of commands keeps it.
    pub fn text(&self) -> &Arc<str> {
        &self.0
    }
}

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
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
        op: Arc<Op>,
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
    pub origin: Origin,
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

impl From<&OpError> for Failure {
    fn from(e: &OpError) -> Self {
        let kernel = matches!(e.kind, ErrorKind::Netlink | ErrorKind::NoDevice(_) | ErrorKind::Sysctl(_));
        Failure { errno: kernel.then_some(e.errno), text: e.to_string().into() }
    }
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
