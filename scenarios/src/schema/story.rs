//! `story`: what is told, each text bound to the first step that fits.

use super::pattern::StepPattern;
use super::value::{At, Prose};
use serde::Deserialize;

/// A text and the step that it waits for.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct StoryEntry {
    /// The step.
    pub when: At<StepPattern>,
    /// The text.
    #[serde(default)]
    pub text: Option<At<Prose>>,
    /// Or a heading of `lesson.md`.
    #[serde(default)]
    pub section: Option<At<String>>,
}
