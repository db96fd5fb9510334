//! Floor 3: programs that run on hosts and in pods.
//!
//! A program is a state machine without I/O: it is woken, it makes system calls through [`Syscalls`], and it returns.
//! It knows neither Linux tables nor wires.
//!
//! ```text
//!          wake(event)                       Syscalls
//! engine ──────────────► Program ─────────────────────────► sockets of its namespace
//! ```

pub mod outcome;
pub mod syscalls;

pub use syscalls::{Event, Program, Syscalls};
