//! `host-gw`: the other node itself is the gateway to its pods.
//!
//! Models: flannel pkg/backend/hostgw/hostgw.go RegisterNetwork (0.28.9).
//!
//! Nothing checks that the other node is on the same segment: the kernel does, because a gateway must be a neighbour.

use super::Backend;
use crate::control::flanneld::{ExtIface, Lease};
use crate::linux::op::RouteSpec;
use crate::linux::op::route::HopSpec;

/// The backend.
#[derive(Debug)]
pub struct HostGw;

impl Backend for HostGw {
    fn name(&self) -> &'static str {
        "host-gw"
    }

    fn mtu(&self, ext: u32) -> u32 {
        ext
    }

    fn route(&self, ext: &ExtIface, peer: &Lease) -> RouteSpec {
        let mut route = RouteSpec::to(peer.subnet);
        route.hops = vec![HopSpec { via: Some(peer.public_ip), dev: Some(ext.dev.clone()), ..HopSpec::default() }];
        route
    }
}
