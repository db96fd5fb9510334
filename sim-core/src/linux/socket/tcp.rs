//! The state of a TCP connection.
//!
//! Models: include/linux/tcp.h struct tcp_sock, include/net/tcp_states.h.
//! Spec: RFC 9293.

use crate::packet::Address;

/// State of a connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub enum TcpState {
    /// No connection.
    #[default]
    Close,
    /// Waiting for connections.
    Listen,
    /// SYN sent.
    SynSent,
    /// SYN received and answered.
    SynRecv,
    /// Open both ways.
    Established,
    /// Closed here; the FIN is not acknowledged yet.
    FinWait1,
    /// Closed here; waiting for the other side.
    FinWait2,
    /// The other side has closed.
    CloseWait,
    /// Both have closed at once.
    Closing,
    /// Closed after the other side; the FIN is not acknowledged yet.
    LastAck,
    /// Waiting for stray segments to die.
    TimeWait,
}

/// Transmission control block.
#[derive(Clone, Debug)]
pub struct Tcb<A> {
    /// State.
    pub state: TcpState,
    family: std::marker::PhantomData<A>,
}

impl<A: Address> Tcb<A> {
    /// Whether it waits for connections.
    #[inline]
    pub fn is_listening(&self) -> bool {
        self.state == TcpState::Listen
    }
}
