//! `expect`: what must hold, today and after every change.

use super::flow::Expected;
use super::pattern::StepPattern;
use super::value::{At, Dur, Target, Word};
use serde::Deserialize;

/// An expectation.
#[derive(Clone, Debug, PartialEq, Deserialize)]
pub enum Expect {
    /// A step fits.
    Passes(StepPattern),
    /// No step fits.
    Avoids(StepPattern),
    /// So many steps fit.
    Counts(Counts),
    /// Steps come in this order.
    InOrder(InOrder),
    /// Which pods served a flow.
    ServedBy(ServedBy),
    /// What conntrack holds.
    Conntrack(ConntrackExpect),
    /// What rules there are.
    Rules(RulesExpect),
    /// What a command prints.
    Output(OutputExpect),
    /// Whether one reaches another.
    Reach(Reach),
    /// Pods reach pods without NAT, a node its own pods, and each is seen by the address it has.
    NetworkModel,
}

/// So many steps fit.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Counts {
    /// The step.
    pub step: At<StepPattern>,
    /// How many.
    pub is: At<u32>,
}

/// Steps come in this order.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct InOrder {
    /// The flow that they all belong to.
    #[serde(default)]
    pub flow: Option<At<String>>,
    /// The steps.
    pub steps: Vec<At<StepPattern>>,
}

/// Which pods served a flow.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ServedBy {
    /// The flow.
    pub flow: At<String>,
    /// One of these.
    pub pods: Vec<At<String>>,
}

/// What conntrack holds.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ConntrackExpect {
    /// Where.
    pub on: At<String>,
    /// When; at the end.
    #[serde(default)]
    pub at: Option<At<Dur>>,
    /// The flow that made the entry.
    #[serde(default)]
    pub flow: Option<At<String>>,
    /// Protocol.
    #[serde(default)]
    pub protocol: Option<At<Word>>,
    /// Original source.
    #[serde(default)]
    pub src: Option<At<Target>>,
    /// Original destination.
    #[serde(default)]
    pub dst: Option<At<Target>>,
    /// Original source port.
    #[serde(default)]
    pub sport: Option<At<u16>>,
    /// Original destination port.
    #[serde(default)]
    pub dport: Option<At<u16>>,
    /// Source of replies.
    #[serde(default)]
    pub reply_src: Option<At<Target>>,
    /// Destination of replies.
    #[serde(default)]
    pub reply_dst: Option<At<Target>>,
    /// Source port of replies.
    #[serde(default)]
    pub reply_sport: Option<At<u16>>,
    /// Destination port of replies.
    #[serde(default)]
    pub reply_dport: Option<At<u16>>,
    /// State of a TCP connection.
    #[serde(default)]
    pub state: Option<At<Word>>,
    /// How many; at least one.
    #[serde(default)]
    pub count: Option<At<u32>>,
}

/// What rules there are.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RulesExpect {
    /// Where.
    pub on: At<String>,
    /// When; at the end.
    #[serde(default)]
    pub at: Option<At<Dur>>,
    /// In which table.
    pub table: At<String>,
    /// In which chain.
    #[serde(default)]
    pub chain: Option<At<String>>,
    /// What the rule says, as `iptables -S` prints it.
    #[serde(default)]
    pub row: Option<At<String>>,
    /// The object behind it.
    #[serde(default)]
    pub made_by: Option<At<String>>,
    /// How many; at least one.
    #[serde(default)]
    pub count: Option<At<u32>>,
}

/// What a command prints.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct OutputExpect {
    /// Where.
    pub on: At<String>,
    /// When; at the end.
    #[serde(default)]
    pub at: Option<At<Dur>>,
    /// The command.
    pub run: At<String>,
    /// Its output has this text.
    #[serde(default)]
    pub contains: Option<At<String>>,
    /// Its output does not have this text.
    #[serde(default)]
    pub lacks: Option<At<String>>,
    /// Its output has so many lines.
    #[serde(default)]
    pub lines: Option<At<u32>>,
}

/// Whether one reaches another.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Reach {
    /// From.
    pub from: At<String>,
    /// To.
    pub to: At<Target>,
    /// A TCP port; a ping if none.
    #[serde(default)]
    pub port: Option<At<u16>>,
    /// How it ends.
    pub expect: At<Expected>,
}
