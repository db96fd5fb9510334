//! `ipvsadm`.
//!
//! Models: include/uapi/linux/ip_vs.h struct ip_vs_service_user, struct ip_vs_dest_user, struct ip_vs_timeout_user.

use crate::linux::ipvs::{DestSpec, ServiceSpec, Timeouts, VsKey};
use std::net::IpAddr;
use std::sync::Arc;

/// A change of IPVS.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum IpvsOp {
    /// `-A`.
    AddService {
        /// What it is found by.
        key: VsKey,
        /// What is set.
        spec: ServiceSpec,
    },
    /// `-E`: sets everything anew.
    EditService {
        /// Which.
        key: VsKey,
        /// What is set.
        spec: ServiceSpec,
    },
    /// `-D`.
    DeleteService(VsKey),
    /// `-C`: all services.
    Flush,
    /// `-a`.
    AddDest {
        /// The service.
        key: VsKey,
        /// The real server's address.
        addr: IpAddr,
        /// Its port.
        port: u16,
        /// What is set.
        spec: DestSpec,
    },
    /// `-e`.
    EditDest {
        /// The service.
        key: VsKey,
        /// The real server's address.
        addr: IpAddr,
        /// Its port.
        port: u16,
        /// What is set.
        spec: DestSpec,
    },
    /// `-d`.
    DeleteDest {
        /// The service.
        key: VsKey,
        /// The real server's address.
        addr: IpAddr,
        /// Its port.
        port: u16,
    },
    /// `-Z`: counters of one service, or of all.
    Zero(Option<VsKey>),
    /// `--set`: those that are not 0.
    Timeouts(Timeouts),
    /// `-R`: one line after the other, whatever comes of each.
    Restore(Arc<[IpvsOp]>),
}
