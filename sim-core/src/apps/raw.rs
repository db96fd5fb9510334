//! Sends one IPv4 packet as it is, header included.

use super::outcome::{Ending, Outcome};
use super::syscalls::{Event, Program, Syscalls};
use crate::linux::FlowId;
use crate::packet::Bytes;

/// Sends one packet.
#[derive(Clone, Debug)]
pub struct Raw {
    packet: Bytes,
    flow: FlowId,
    outcome: Option<Outcome>,
}

impl Raw {
    /// A program that sends the bytes of `packet`.
    pub fn new(packet: Bytes, flow: FlowId) -> Self {
        Raw { packet, flow, outcome: None }
    }
}

impl Program for Raw {
    fn wake(&mut self, sys: &mut dyn Syscalls, event: Event) {
        if event != Event::Start {
            return;
        }
        let outcome = match sys.send_raw(&self.packet) {
            Ok(sent) => Outcome { sent, ..Outcome::of(Ending::Sent) },
            Err(errno) => Outcome { immediate: true, ..Outcome::error(errno) },
        };
        self.outcome = Some(Outcome { flow: self.flow, ..outcome });
    }

    fn outcome(&self) -> Option<&Outcome> {
        self.outcome.as_ref()
    }

    super::program!();
}
