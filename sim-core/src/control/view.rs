//! What controllers may see of the hosts.

use crate::linux::Netns;
use crate::linux::fib::{Route, RouteType};
use crate::packet::Ipv4Addr;

/// A look at the namespaces as they are now. The engine implements it; controllers never keep what they saw.
pub trait Hosts {
    /// A namespace of a host: its own (`None`), or the one of that name.
    fn netns(&self, host: &str, netns: Option<&str>) -> Option<&Netns>;
}

/// The device that a host's default route leaves by, in the main table.
pub fn default_device(ns: &Netns) -> Option<&str> {
    let all = crate::packet::Prefix::ALL;
    let route: &Route<Ipv4Addr> = ns.config.fib.main.at(all).into_iter().find(|r| r.kind == RouteType::Unicast)?;
    let name = ns.config.devices.name(route.nexthops.first()?.dev);
    (!name.is_empty()).then_some(name)
}

/// The device that has the address `addr`.
pub fn device_of_address(ns: &Netns, addr: Ipv4Addr) -> Option<&str> {
    ns.config.devices.iter().find(|d| d.addrs.iter().any(|a| a.local == addr)).map(|d| &*d.name)
}
