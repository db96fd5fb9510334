//! What a program saw in the end.

use crate::linux::socket::SockError;
use crate::linux::{Errno, FlowId, NetnsId};
use crate::packet::{Endpoint, IpAddr};
use std::sync::Arc;

/// How traffic ended, as its program sees it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Ending {
    /// The TCP connection was made (and what was sent was answered, if anything was).
    Connected,
    /// An answer came.
    Replied,
    /// Sent; no answer was asked for.
    Sent,
    /// Silence (UDP, ping).
    NoReply,
    /// Connection refused.
    Refused,
    /// Connection reset by peer.
    Reset,
    /// Connection timed out.
    TimedOut,
    /// No route to host.
    HostUnreachable,
    /// Network is unreachable.
    NetworkUnreachable,
    /// Operation not permitted, or permission denied.
    PermissionDenied,
    /// Message too long.
    MessageTooLong,
    /// Invalid argument.
    InvalidArgument,
    /// Address already in use.
    AddressInUse,
    /// The name is not known.
    NameNotFound,
    /// An HTTP answer.
    Status(u16),
    /// A command ended with this exit status.
    Exited(i32),
    /// Any other error.
    Failed(Errno),
}

impl Ending {
    /// How traffic ended that ended with this error.
    pub fn of_errno(errno: Errno) -> Self {
        match errno {
            Errno::ECONNREFUSED => Ending::Refused,
            Errno::ECONNRESET | Errno::EPIPE => Ending::Reset,
            Errno::ETIMEDOUT => Ending::TimedOut,
            Errno::EHOSTUNREACH => Ending::HostUnreachable,
            Errno::ENETUNREACH => Ending::NetworkUnreachable,
            Errno::EPERM | Errno::EACCES => Ending::PermissionDenied,
            Errno::EMSGSIZE => Ending::MessageTooLong,
            Errno::EINVAL => Ending::InvalidArgument,
            Errno::EADDRINUSE => Ending::AddressInUse,
            other => Ending::Failed(other),
        }
    }
}

/// Who reported an error (`ee_origin`).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Origin {
    /// This host.
    Local,
    /// An ICMP error that came in.
    Icmp,
}

/// What a program saw.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Outcome {
    /// How it ended.
    pub ending: Ending,
    /// The error number, if there was one.
    pub errno: Option<Errno>,
    /// Whether the system call itself failed, at once.
    pub immediate: bool,
    /// Who reported the error to the socket's error queue; none if it is known from a system call alone.
    pub origin: Option<Origin>,
    /// Type and code of the ICMP error that was the reason.
    pub icmp: Option<(u8, u8)>,
    /// Who sent that ICMP error, or who reported the error (the host itself).
    pub offender: Option<IpAddr>,
    /// `ee_info` of the error: the MTU.
    pub info: u32,
    /// The client's socket as the client saw it: own end, other end.
    pub client_saw: Option<(Endpoint<IpAddr>, Endpoint<IpAddr>)>,
    /// Bytes sent.
    pub sent: usize,
    /// Bytes received.
    pub received: usize,
    /// The first answer: who sent it, and its TTL (ping).
    pub answer: Option<(IpAddr, u8)>,
    /// What was printed by a command: standard output and standard error.
    pub output: Option<(Arc<str>, Arc<str>)>,
    /// The flow, once the engine has given it a number.
    pub flow: FlowId,
    /// Where the server was that took it, and whom that saw: its namespace, client's end, own end, bytes.
    pub server: Option<ServerSaw>,
}

/// What a server saw of a flow.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ServerSaw {
    /// Where it runs.
    pub netns: NetnsId,
    /// The client's end as the server saw it.
    pub client: Endpoint<IpAddr>,
    /// The server's own end.
    pub local: Endpoint<IpAddr>,
    /// Bytes of the first datagram or chunk.
    pub bytes: usize,
}

impl Outcome {
    /// An outcome of which nothing else is known.
    pub fn of(ending: Ending) -> Self {
        Outcome {
            ending,
            errno: None,
            immediate: false,
            origin: None,
            icmp: None,
            offender: None,
            info: 0,
            client_saw: None,
            sent: 0,
            received: 0,
            answer: None,
            output: None,
            flow: FlowId::NONE,
            server: None,
        }
    }

    /// An outcome that is an error.
    pub fn error(errno: Errno) -> Self {
        Outcome { errno: Some(errno), ..Outcome::of(Ending::of_errno(errno)) }
    }

    /// An outcome that is an error reported to the socket.
    pub fn reported(e: &SockError) -> Self {
        Outcome::error(e.errno).with_report(e)
    }

    /// The same, with what the error queue says about its reason.
    #[must_use]
    pub fn with_report(self, e: &SockError) -> Self {
        let origin = Some(if e.icmp.is_some() { Origin::Icmp } else { Origin::Local });
        Outcome { origin, icmp: e.icmp, offender: e.offender, info: e.info, ..self }
    }
}
