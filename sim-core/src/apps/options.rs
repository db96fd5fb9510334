//! What all client programs can be told: options of their socket, and further commands.

use super::syscalls::Syscalls;
use crate::linux::socket::{PmtuDisc, SocketKind};
use crate::linux::{Errno, FlowId, SocketId};
use crate::packet::{Bytes, Endpoint, IpAddr, Ipv4Addr};
use std::time::Duration;

/// Options of a client's socket.
#[derive(Clone, Debug, PartialEq, Eq, Default)]
pub struct Options {
    /// Source address.
    pub bind: Option<IpAddr>,
    /// Source port.
    pub sport: Option<u16>,
    /// IP_TTL.
    pub ttl: Option<u8>,
    /// IP_MTU_DISCOVER.
    pub pmtudisc: Option<PmtuDisc>,
    /// SO_MARK.
    pub mark: Option<u32>,
    /// How long to wait for a connection or an answer; each program has its own default.
    pub timeout: Option<Duration>,
    /// The flow that its packets belong to; none for the flow of its program.
    pub flow: FlowId,
}

impl Options {
    /// A socket with these options, that hears of ICMP errors (IP_RECVERR).
    ///
    /// # Errors
    /// Those of bind(2).
    pub(super) fn open(&self, sys: &mut dyn Syscalls, kind: SocketKind) -> Result<SocketId, Errno> {
        let id = sys.socket(kind);
        if self.flow.is_some() {
            sys.set_flow(id, self.flow);
        }
        sys.set_recverr(id, true);
        if let Some(ttl) = self.ttl {
            sys.set_ttl(id, ttl);
        }
        if let Some(mode) = self.pmtudisc {
            sys.set_pmtudisc(id, mode);
        }
        if let Some(mark) = self.mark {
            sys.set_mark(id, mark);
        }
        if self.bind.is_some() || self.sport.is_some() {
            let local = Endpoint::new(self.bind.unwrap_or(Ipv4Addr::UNSPECIFIED.into()), self.sport.unwrap_or(0));
            if let Err(errno) = sys.bind(id, local) {
                sys.close(id);
                return Err(errno);
            }
        }
        Ok(id)
    }
}

/// What a client that stays open is told to do next.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Command {
    /// Sends more data and waits for the answer.
    Send {
        /// The data.
        data: Bytes,
        /// The flow that the packets belong to from now on.
        flow: FlowId,
        /// How long to wait for the answer.
        timeout: Option<Duration>,
    },
    /// Closes.
    Close {
        /// The flow that the packets belong to from now on.
        flow: FlowId,
    },
}

impl Command {
    /// The flow that it is part of.
    pub fn flow(&self) -> FlowId {
        match self {
            Command::Send { flow, .. } | Command::Close { flow } => *flow,
        }
    }
}
