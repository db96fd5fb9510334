//! Where controllers put their actions, in order, task by task.

use super::action::{Action, ActionKind, Origin, TaskId};
use crate::linux::Op;
use std::sync::Arc;

/// Actions on their way to the engine.
#[derive(Clone, Debug, Default)]
pub struct Outbox {
    actions: Vec<Action>,
    last_task: u32,
}

impl Outbox {
    /// A task of its own.
    pub fn task(&mut self) -> TaskId {
        self.last_task = self.last_task.wrapping_add(1);
        TaskId(self.last_task)
    }

    /// Adds an action.
    pub fn push(&mut self, task: TaskId, origin: &Origin, kind: ActionKind) {
        self.actions.push(Action { task, origin: origin.clone(), kind });
    }

    /// Adds a command.
    pub fn op(&mut self, task: TaskId, origin: &Origin, host: &Arc<str>, netns: Option<Arc<str>>, op: Op) {
        self.push(task, origin, ActionKind::Op { host: host.clone(), netns, op: Arc::new(op) });
    }

    /// Adds an event; it is told if the actions of the task before it have succeeded.
    pub fn tell(&mut self, task: TaskId, origin: &Origin, host: &Arc<str>, text: impl Into<Arc<str>>) {
        self.push(task, origin, ActionKind::Event { host: Some(host.clone()), text: text.into() });
    }

    /// Adds an event that depends on nothing.
    pub fn event(&mut self, origin: &Origin, host: Option<&Arc<str>>, text: impl Into<Arc<str>>) {
        let task = self.task();
        self.push(task, origin, ActionKind::Event { host: host.cloned(), text: text.into() });
    }

    /// Takes all actions out.
    pub fn take(&mut self) -> Vec<Action> {
        std::mem::take(&mut self.actions)
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.actions.is_empty()
    }
}
