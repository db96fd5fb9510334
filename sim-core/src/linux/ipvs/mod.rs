//! IPVS: virtual services, the real servers behind them, and the connections between clients and real servers.
//!
//! Models: include/net/ip_vs.h, include/uapi/linux/ip_vs.h.
//! Simplifies: no connection synchronisation, no application helpers (FTP), no persistence engines; GUE and GRE tunnels are refused.
//! Seen in: 51-ipvs-clusterip-same-node.
//!
//! ```text
//!   service    virtual services and real servers, as commands set them      ctl     the commands
//!   dest       what packets have written of a real server                  stats   counters and rates
//!   conn       the connections, found by either end                        proto   their states and timeouts
//!   sched/     which real server a new connection goes to                  sysctl  net.ipv4.vs.*
//! ```

pub mod conn;
pub mod ctl;
pub mod dest;
pub mod proto;
pub mod sched;
pub mod service;
pub mod stats;
pub mod sysctl;
#[cfg(test)]
mod tests;

pub use conn::{Conn, ConnId, ConnKey, NewConn};
pub use dest::{DestState, Ipvs, SvcState};
pub use proto::{Direction, Segment, Timeouts};
pub use service::{Dest, DestSpec, Forward, IpvsConfig, Service, ServiceSpec, SvcFlags, VsKey};
pub use stats::{Rates, Stats};
pub use sysctl::VsSysctls;
