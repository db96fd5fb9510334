//! `questions`: what is asked; the answers come from the steps themselves.

use super::pattern::StepPattern;
use super::value::{At, Prose};
use serde::Deserialize;

/// A question.
#[derive(Clone, Debug, PartialEq, Deserialize)]
pub enum Question {
    /// Which row wins.
    Row(RowQuestion),
    /// The value of a header field.
    Value(ValueQuestion),
    /// How a flow ends.
    Outcome(OutcomeQuestion),
    /// The order of steps.
    Order(OrderQuestion),
    /// Options written by hand.
    Choice(ChoiceQuestion),
}

/// Which row wins; the wrong answers are the losing rows.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RowQuestion {
    /// The lookup.
    pub when: At<StepPattern>,
    /// The question.
    pub ask: Prose,
}

/// The value of a header field; the wrong answers are its other values on the path.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ValueQuestion {
    /// The step.
    pub when: At<StepPattern>,
    /// The question.
    pub ask: Prose,
    /// The field: `ipv4.src`.
    pub field: At<String>,
}

/// How a flow ends.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct OutcomeQuestion {
    /// The flow.
    pub flow: At<String>,
    /// The question.
    pub ask: Prose,
}

/// The order of steps.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct OrderQuestion {
    /// The question.
    pub ask: Prose,
    /// The steps in the right order.
    pub steps: Vec<At<StepPattern>>,
}

/// Options written by hand.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ChoiceQuestion {
    /// The question.
    pub ask: Prose,
    /// The options.
    pub options: Vec<At<ChoiceOption>>,
}

/// An option.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ChoiceOption {
    /// What it says.
    pub text: Prose,
    /// Whether it is right.
    #[serde(default)]
    pub right: bool,
    /// Why, or why not.
    pub why: Prose,
}
