//! `challenge`: a fault, and checks on behaviour.

use super::expect::Expect;
use super::flow::Flow;
use super::pattern::StepPattern;
use super::value::{At, Prose};
use serde::Deserialize;

/// A fault to be found and repaired.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Challenge {
    /// What is to be done.
    pub goal: Prose,
    /// Commands that break the world.
    #[serde(default)]
    pub fault: Vec<At<Command>>,
    /// The step where it goes wrong.
    #[serde(default)]
    pub diagnosis: Option<At<StepPattern>>,
    /// Hints, each a little more.
    #[serde(default)]
    pub hints: Vec<Prose>,
    /// What holds when it is repaired.
    #[serde(default)]
    pub checks: Vec<At<Check>>,
    /// Commands that repair it.
    #[serde(default)]
    pub solution: Vec<At<Command>>,
    /// What to remember.
    #[serde(default)]
    pub debrief: Option<Prose>,
}

/// A command at a place.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Command {
    /// The place; kubectl needs none.
    #[serde(default)]
    pub on: Option<At<String>>,
    /// The commands, one a line.
    pub run: At<String>,
}

/// A check on behaviour: a flow with what is expected of it, or an expectation.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Check {
    /// What the learner reads.
    pub text: Prose,
    /// The flow.
    #[serde(default)]
    pub flow: Option<At<Flow>>,
    /// The expectation.
    #[serde(default)]
    pub expect: Option<At<Expect>>,
}
