//! The format of a scenario file: one struct per section, one file per section.
//!
//! Names are Kubernetes' and the kernel's, in snake case. Unknown fields are errors. What is left out is absent, or has
//! the default that is written here. Values know their places ([`At`]), so that a check can point at them.

pub mod challenge;
pub mod cluster;
pub mod expect;
pub mod flow;
pub mod host;
pub mod network;
pub mod objects;
pub mod pattern;
pub mod question;
pub mod rate;
pub mod story;
pub mod timeline;
pub mod value;

pub use challenge::{Challenge, Check, Command};
pub use cluster::{Cluster, Cni, Node};
pub use expect::Expect;
pub use flow::{Expected, Flow, FlowCommon};
pub use host::{Host, HostNetns, Interface};
pub use network::{LinkDef, Network};
pub use objects::{Deployment, Pod, Service};
pub use pattern::StepPattern;
pub use question::Question;
pub use rate::{Rate, Share};
pub use story::StoryEntry;
pub use timeline::TimelineEntry;
pub use value::{Addr, At, Cidr, Dur, Listen, PortRef, Prose, Proto, Ref, Target, Word};

use serde::Deserialize;

/// A scenario.
#[derive(Clone, Debug, Default, PartialEq, Deserialize)]
#[serde(deny_unknown_fields, rename = "Scenario")]
pub struct Scenario {
    /// Version of the format; 1.
    #[serde(default)]
    pub format: Option<At<u32>>,
    /// Title.
    #[serde(default)]
    pub title: Option<At<String>>,
    /// Identifier; the file's or folder's name if not given.
    #[serde(default)]
    pub id: Option<At<String>>,
    /// Difficulty, 1 to 5.
    #[serde(default)]
    pub level: Option<At<u8>>,
    /// How long it takes.
    #[serde(default)]
    pub minutes: Option<At<u32>>,
    /// What is learned.
    #[serde(default)]
    pub objectives: Vec<Prose>,
    /// Identifiers of lessons that come before.
    #[serde(default)]
    pub prerequisites: Vec<At<String>>,
    /// Words to find it by.
    #[serde(default)]
    pub tags: Vec<String>,
    /// Who wrote it.
    #[serde(default)]
    pub authors: Vec<String>,
    /// Under which licence.
    #[serde(default)]
    pub license: Option<String>,
    /// Seed of all that is random.
    #[serde(default)]
    pub seed: Option<At<u64>>,
    /// The file whose world this one takes.
    #[serde(default)]
    pub based_on: Option<At<String>>,
    /// L2 segments.
    #[serde(default)]
    pub networks: Vec<At<Network>>,
    /// Cables and veth pairs.
    #[serde(default)]
    pub links: Vec<At<LinkDef>>,
    /// Bare Linux hosts.
    #[serde(default)]
    pub hosts: Vec<At<Host>>,
    /// A Kubernetes cluster.
    #[serde(default)]
    pub cluster: Option<At<Cluster>>,
    /// What happens when.
    #[serde(default)]
    pub timeline: Vec<At<TimelineEntry>>,
    /// The traffic.
    #[serde(default)]
    pub flows: Vec<At<Flow>>,
    /// What is told, bound to steps.
    #[serde(default)]
    pub story: Vec<At<StoryEntry>>,
    /// What is asked.
    #[serde(default)]
    pub questions: Vec<At<Question>>,
    /// What must hold.
    #[serde(default)]
    pub expect: Vec<At<Expect>>,
    /// A fault to be repaired.
    #[serde(default)]
    pub challenge: Option<At<Challenge>>,
    /// What to remember.
    #[serde(default)]
    pub summary: Option<Prose>,
    /// Where to read on.
    #[serde(default)]
    pub reading: Vec<String>,
}
