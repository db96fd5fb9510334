//! Floor 2: the one language of evidence.
//!
//! The walk tells a [`Tracer`] what it decides: a [`Step`] of codes and row numbers. With [`NoTrace`] all of that
//! compiles to nothing; a [`Recorder`] keeps everything, and is made a [`Recording`] when the run is over:
//!
//! ```text
//! Recording ─┬─ steps      48 bytes each, in order
//!            ├─ versions   what the headers of each packet were: a birth and small changes
//!            ├─ packets    who caused whom, and for which flow
//!            ├─ deltas     each write to conntrack, FDB, neighbours
//!            ├─ configs    each version of a namespace's configuration, from which step on
//!            └─ events     commands, controller runs, timers
//! ```
//!
//! Rows that lost are not kept: they are derived from the version of the configuration, the version of the headers,
//! the view of conntrack and the mark that a step names.

pub mod delta;
pub mod drop;
pub mod evidence;
pub mod recorder;
pub mod recording;
pub mod step;
pub mod tracer;
pub mod version;

pub use delta::StateDelta;
pub use drop::DropReason;
pub use evidence::Evidence;
pub use recorder::Recorder;
pub use recording::{EventKind, EventRecord, Keep, PacketRecord, Recording};
pub use step::{Step, StepId};
pub use tracer::{NoTrace, Tracer};
pub use version::Change;
