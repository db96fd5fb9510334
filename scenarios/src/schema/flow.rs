//! `flows`: the traffic.

use super::value::{AnyAddr, At, Dur, Proto, Target};
use indexmap::IndexMap;
use serde::Deserialize;

/// How traffic is expected to end.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[allow(non_camel_case_types, reason = "spelled as the file spells it")]
pub enum Expected {
    /// The TCP connection is made.
    connected,
    /// An answer comes.
    replied,
    /// It is sent.
    sent,
    /// Silence (UDP, ping).
    no_reply,
    /// Connection refused.
    refused,
    /// Connection reset by peer.
    reset,
    /// Connection timed out.
    timed_out,
    /// No route to host.
    host_unreachable,
    /// Network is unreachable.
    network_unreachable,
    /// Operation not permitted.
    permission_denied,
    /// Message too long.
    message_too_long,
    /// Invalid argument.
    invalid_argument,
    /// Address already in use.
    address_in_use,
    /// The name is not known.
    name_not_found,
    /// An HTTP answer.
    status(u16),
    /// A command ends with this exit status.
    exited(i32),
}

/// A piece of traffic.
#[derive(Clone, Debug, PartialEq, Deserialize)]
pub enum Flow {
    /// ICMP echo.
    Ping(PingFlow),
    /// A TCP connection.
    Tcp(TcpFlow),
    /// A UDP datagram.
    Udp(UdpFlow),
    /// An HTTP request.
    Http(HttpFlow),
    /// A DNS query.
    Dns(DnsFlow),
    /// A command, as typed.
    Run(RunFlow),
    /// More data on a held connection.
    Send(SendFlow),
    /// The end of a held connection.
    Close(CloseFlow),
    /// A packet as it is.
    Raw(RawFlow),
}

/// What all kinds of traffic have.
#[derive(Clone, Copy, Debug)]
pub struct FlowCommon<'a> {
    /// The kind as it is written.
    pub kind: &'static str,
    /// Name.
    pub name: Option<&'a At<String>>,
    /// When.
    pub at: Option<&'a At<Dur>>,
    /// How long after the one before.
    pub wait: Option<&'a At<Dur>>,
    /// How it is expected to end.
    pub expect: Option<&'a At<Expected>>,
    /// The endpoint to be drawn.
    pub backend: Option<&'a At<String>>,
    /// Where it starts.
    pub from: Option<&'a At<String>>,
    /// Where it goes.
    pub to: Option<&'a At<Target>>,
}

macro_rules! flow_struct {
    ($(#[$doc:meta])* $name:ident { $($(#[$fdoc:meta])* $field:ident : $type:ty $(= $default:tt)?),* $(,)? }) => {
        $(#[$doc])*
        #[derive(Clone, Debug, PartialEq, Deserialize)]
        #[serde(deny_unknown_fields)]
        pub struct $name {
            /// Name; the kind in lower case.
            #[serde(default)]
            pub name: Option<At<String>>,
            /// When it starts, on the clock of the scenario.
            #[serde(default)]
            pub at: Option<At<Dur>>,
            /// How long after the end of the one before it starts.
            #[serde(default)]
            pub wait: Option<At<Dur>>,
            $($(#[$fdoc])* pub $field: $type,)*
            /// How it is expected to end.
            #[serde(default)]
            pub expect: Option<At<Expected>>,
            /// The endpoint to be drawn, where a Service draws one.
            #[serde(default)]
            pub backend: Option<At<String>>,
        }
    };
}

flow_struct!(
    /// ICMP echo.
    PingFlow {
        /// Where it starts.
        from: At<String>,
        /// Destination.
        to: At<Target>,
        /// How many; 1.
        #[serde(default)]
        count: Option<At<u32>>,
        /// Time between two; 1s.
        #[serde(default)]
        interval: Option<At<Dur>>,
        /// Bytes of data; 56.
        #[serde(default)]
        size: Option<At<u32>>,
        /// Time to live; 64.
        #[serde(default)]
        ttl: Option<At<u8>>,
        /// Whether it may be cut on the way.
        #[serde(default)]
        pmtu: Option<At<Pmtu>>,
        /// Source address.
        #[serde(default)]
        bind: Option<At<AnyAddr>>,
        /// How long an answer is waited for; 1s.
        #[serde(default)]
        timeout: Option<At<Dur>>,
    }
);

flow_struct!(
    /// A TCP connection: connects, sends, reads the answer, closes.
    TcpFlow {
        /// Where it starts.
        from: At<String>,
        /// Destination.
        to: At<Target>,
        /// Port.
        port: At<u16>,
        /// Bytes to send once connected; 5.
        #[serde(default)]
        size: Option<At<u32>>,
        /// What to send once connected.
        #[serde(default)]
        data: Option<At<String>>,
        /// Whether it stays open, for `Send` and `Close`; false.
        #[serde(default)]
        hold: Option<At<bool>>,
        /// Time to live; 64.
        #[serde(default)]
        ttl: Option<At<u8>>,
        /// Whether it may be cut on the way.
        #[serde(default)]
        pmtu: Option<At<Pmtu>>,
        /// Source address.
        #[serde(default)]
        bind: Option<At<AnyAddr>>,
        /// Source port.
        #[serde(default)]
        sport: Option<At<u16>>,
        /// How long it is tried; as long as the kernel tries.
        #[serde(default)]
        timeout: Option<At<Dur>>,
    }
);

flow_struct!(
    /// A UDP datagram and the wait for an answer.
    UdpFlow {
        /// Where it starts.
        from: At<String>,
        /// Destination.
        to: At<Target>,
        /// Port.
        port: At<u16>,
        /// Bytes; 5.
        #[serde(default)]
        size: Option<At<u32>>,
        /// Whether the socket stays open; false.
        #[serde(default)]
        hold: Option<At<bool>>,
        /// The flow whose socket is used.
        #[serde(default)]
        reuse: Option<At<String>>,
        /// Time to live; 64.
        #[serde(default)]
        ttl: Option<At<u8>>,
        /// Whether it may be cut on the way.
        #[serde(default)]
        pmtu: Option<At<Pmtu>>,
        /// Source address.
        #[serde(default)]
        bind: Option<At<AnyAddr>>,
        /// Source port.
        #[serde(default)]
        sport: Option<At<u16>>,
        /// How long an answer is waited for; 1s.
        #[serde(default)]
        timeout: Option<At<Dur>>,
    }
);

flow_struct!(
    /// An HTTP request.
    HttpFlow {
        /// Where it starts.
        from: At<String>,
        /// The address, `http://host[:port]/path`.
        url: At<String>,
        /// Method; GET.
        #[serde(default)]
        method: Option<At<String>>,
        /// Further headers.
        #[serde(default)]
        headers: IndexMap<String, String>,
        /// Source address.
        #[serde(default)]
        bind: Option<At<AnyAddr>>,
        /// Source port.
        #[serde(default)]
        sport: Option<At<u16>>,
        /// How long an answer is waited for; 5s.
        #[serde(default)]
        timeout: Option<At<Dur>>,
    }
);

flow_struct!(
    /// A DNS query.
    DnsFlow {
        /// Where it starts.
        from: At<String>,
        /// The name that is looked up.
        query: At<String>,
        /// The server; that of resolv.conf.
        #[serde(default)]
        server: Option<At<Target>>,
        /// Over UDP or TCP.
        #[serde(default)]
        protocol: Option<At<Proto>>,
    }
);

flow_struct!(
    /// A command, as typed.
    RunFlow {
        /// Where.
        on: At<String>,
        /// The command.
        run: At<String>,
    }
);

flow_struct!(
    /// More data on a held connection.
    SendFlow {
        /// The flow that opened it.
        on: At<String>,
        /// Bytes; 5.
        #[serde(default)]
        size: Option<At<u32>>,
        /// What to send.
        #[serde(default)]
        data: Option<At<String>>,
    }
);

flow_struct!(
    /// The end of a held connection or socket.
    CloseFlow {
        /// The flow that opened it.
        on: At<String>,
    }
);

flow_struct!(
    /// A packet as it is.
    RawFlow {
        /// Where it starts.
        from: At<String>,
        /// The bytes of the IP packet, in hexadecimal digits.
        bytes: At<String>,
    }
);

/// IP_MTU_DISCOVER.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[allow(non_camel_case_types, reason = "spelled as the file spells it")]
pub enum Pmtu {
    /// Never sets DF.
    dont,
    /// Sets DF as the route's MTU asks for.
    want,
    /// Always sets DF.
    r#do,
    /// Sets DF and does not heed the path MTU.
    probe,
}

macro_rules! common {
    ($f:expr, $kind:literal, $from:expr, $to:expr) => {
        FlowCommon {
            kind: $kind,
            name: $f.name.as_ref(),
            at: $f.at.as_ref(),
            wait: $f.wait.as_ref(),
            expect: $f.expect.as_ref(),
            backend: $f.backend.as_ref(),
            from: $from,
            to: $to,
        }
    };
}

impl Flow {
    /// What all kinds have.
    pub fn common(&self) -> FlowCommon<'_> {
        match self {
            Flow::Ping(f) => common!(f, "Ping", Some(&f.from), Some(&f.to)),
            Flow::Tcp(f) => common!(f, "Tcp", Some(&f.from), Some(&f.to)),
            Flow::Udp(f) => common!(f, "Udp", Some(&f.from), Some(&f.to)),
            Flow::Http(f) => common!(f, "Http", Some(&f.from), None),
            Flow::Dns(f) => common!(f, "Dns", Some(&f.from), f.server.as_ref()),
            Flow::Run(f) => common!(f, "Run", Some(&f.on), None),
            Flow::Send(f) => common!(f, "Send", None, None),
            Flow::Close(f) => common!(f, "Close", None, None),
            Flow::Raw(f) => common!(f, "Raw", Some(&f.from), None),
        }
    }

    /// Its name: as written, or the kind in lower case.
    pub fn name(&self) -> String {
        let c = self.common();
        c.name.map_or_else(|| c.kind.to_lowercase(), |n| n.value.clone())
    }
}
