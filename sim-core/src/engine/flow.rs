//! Flows: the traffic of a scenario, and what became of it.

use crate::apps::outcome::Outcome;
use crate::linux::{FlowId, NetnsId, Time};
use crate::packet::{Bytes, Endpoint, IpAddr};
use std::sync::Arc;
use std::time::Duration;

/// When a flow starts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Start {
    /// At that time on the scenario's clock (which starts when the world has settled).
    At(Duration),
    /// That long after the one before has ended.
    After(Duration),
}

/// Options that all kinds of traffic share.
#[derive(Clone, Debug, PartialEq, Eq, Default)]
pub struct SendOptions {
    /// Source port.
    pub sport: Option<u16>,
    /// Source address.
    pub bind: Option<IpAddr>,
    /// TTL.
    pub ttl: Option<u8>,
    /// IP_MTU_DISCOVER, 0 to 3.
    pub pmtudisc: Option<u8>,
    /// Bytes of data.
    pub size: Option<usize>,
    /// How long to wait for an answer or a connection.
    pub timeout: Option<Duration>,
}

/// What a flow does.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum FlowKind {
    /// ICMP echo.
    Ping {
        /// Destination.
        to: IpAddr,
        /// How many.
        count: u32,
        /// Time between two.
        interval: Duration,
        /// Identifier; chosen if not given.
        ident: Option<u16>,
        /// First sequence number.
        seq: u16,
    },
    /// A TCP connection: connects, sends, reads the answer, closes.
    Tcp {
        /// Destination.
        to: IpAddr,
        /// Port.
        port: u16,
        /// What to send once connected; nothing if empty.
        data: Bytes,
        /// Whether it stays open after the answer, for `Send` and `Close`.
        hold: bool,
    },
    /// A UDP datagram and the wait for an answer.
    Udp {
        /// Destination.
        to: IpAddr,
        /// Port.
        port: u16,
        /// Whether the socket stays open, to be used again by a later flow of that name.
        hold: bool,
        /// The flow whose socket is used.
        reuse: Option<Arc<str>>,
    },
    /// An HTTP request.
    Http {
        /// Destination.
        to: IpAddr,
        /// Port.
        port: u16,
        /// `Host:` header.
        host: Arc<str>,
        /// Path.
        path: Arc<str>,
        /// Method.
        method: Arc<str>,
        /// Further headers.
        headers: Vec<(Arc<str>, Arc<str>)>,
    },
    /// More data on a held TCP connection.
    Send {
        /// The flow that opened it.
        on: Arc<str>,
        /// The data.
        data: Bytes,
    },
    /// The end of a held TCP connection or UDP socket.
    Close {
        /// The flow that opened it.
        on: Arc<str>,
    },
    /// A packet as it is, header included.
    Raw {
        /// The packet's bytes.
        packet: Bytes,
    },
    /// A command, as typed, in the namespace's shell.
    Run {
        /// The command line.
        line: Arc<str>,
    },
    /// A further server starts.
    Serve {
        /// 6 for TCP, 17 for UDP.
        proto: u8,
        /// Where it listens.
        at: Endpoint<IpAddr>,
    },
    /// Nothing, for a while.
    Sleep(Duration),
}

/// A flow to be run.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FlowSpec {
    /// Name, unique in the scenario.
    pub name: Arc<str>,
    /// Where it starts.
    pub from: NetnsId,
    /// When.
    pub start: Start,
    /// What it does.
    pub kind: FlowKind,
    /// Options.
    pub options: SendOptions,
}

/// A change of the world between the flows: a command line.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Change {
    /// When, on the scenario's clock.
    pub at: Duration,
    /// Where.
    pub netns: NetnsId,
    /// The command line.
    pub line: Arc<str>,
}

/// A flow that was run.
#[derive(Clone, Debug)]
pub struct FlowRecord {
    /// Its number; packets name it.
    pub id: FlowId,
    /// What was asked.
    pub spec: FlowSpec,
    /// When it began.
    pub began: Time,
    /// When it ended.
    pub ended: Time,
    /// What the program saw.
    pub outcome: Outcome,
}
