//! Floor 5: time, wires, and the world.
//!
//! ```text
//!  Engine<T> ─┬─ World ─┬─ hosts ── namespaces (Netns)
//!             │         ├─ wires and segments
//!             │         ├─ programs
//!             │         ├─ queue: (time, sequence) ─► event
//!             │         └─ the log of Ops and their origins
//!             └─ trace: T
//! ```
//!
//! The engine alone owns time, randomness and wires. It hands one event to one namespace, takes the effects, and
//! turns them into further events. It does not know how rules match.

pub mod apply;
pub mod blueprint;
pub mod build;
pub mod cluster;
pub mod drive;
pub mod flow;
pub mod flows;
pub mod guard;
pub mod network_model;
pub mod program;
pub mod queue;
pub mod run;
pub mod stacked;
pub mod wire;
pub mod world;

pub use cluster::Cluster;
pub use drive::Engine;
pub use flow::{Change, FlowKind, FlowRecord, FlowSpec, SendOptions, Start};
pub use flows::{Agenda, Commands};
pub use guard::Storm;
pub use run::Run;
pub use wire::{LinkProps, SegmentId};
pub use world::{Host, HostId, NetnsInfo, OpRecord, World};
