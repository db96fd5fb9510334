//! Floor 3: programs that run on hosts and in pods.
//!
//! A program is a state machine without I/O: it is woken, it makes system calls through [`Syscalls`], and it returns.
//! It knows neither Linux tables nor wires.
//!
//! ```text
//!          wake(event)                       Syscalls
//! engine ──────────────► Program ─────────────────────────► sockets of its namespace
//! ```
//!
//! | program | does |
//! |---|---|
//! | [`Echo`] | a server of `listen`: echo over TCP and UDP, HTTP to whom speaks it |
//! | [`Ping`] | ICMP echo requests |
//! | [`TcpClient`] | connects, sends, reads the answer, closes; or stays open for further commands |
//! | [`UdpClient`] | sends a datagram and waits for the answer |
//! | [`HttpClient`] | one HTTP request |
//! | [`Raw`] | sends a packet as it is |
//! | [`RouteProbe`] | UDP probes with growing TTL |

pub mod echo;
pub mod http_client;
pub mod options;
pub mod outcome;
pub mod ping;
pub mod raw;
pub mod route_probe;
pub mod syscalls;
pub mod tcp_client;
pub mod udp_client;
pub mod udp_tunnel;

pub use echo::{Echo, Listen, Seen};
pub use http_client::{HttpClient, Request};
pub use options::{Command, Options};
pub use outcome::{Ending, Origin, Outcome, ServerSaw};
pub use ping::Ping;
pub use raw::Raw;
pub use route_probe::RouteProbe;
pub use syscalls::{Event, Program, Syscalls};
pub use tcp_client::TcpClient;
pub use udp_client::UdpClient;
pub use udp_tunnel::{UdpTunnel, UdpTunnelOptions};

/// Says of a program what every program says of itself.
macro_rules! program {
    () => {
        fn boxed_clone(&self) -> Box<dyn $crate::apps::Program> {
            Box::new(self.clone())
        }
        fn as_any(&self) -> &dyn std::any::Any {
            self
        }
        fn as_any_mut(&mut self) -> &mut dyn std::any::Any {
            self
        }
    };
}
pub(crate) use program;
