//! What each pane says, before anybody draws it: the panes and the plain mode both print these.

pub mod headers;
pub mod table;
pub mod why;

use crate::lesson::Lesson;
use sim_core::linux::NetnsId;
use sim_core::packet::{Ipv4Addr, Mac};

/// Who has a hardware address: `client eth0`.
pub fn owner_of_mac(lesson: &Lesson<'_>, text: &str) -> Option<String> {
    let mac: Mac = text.parse().ok()?;
    if mac.is_broadcast() {
        return Some("everyone".to_owned());
    }
    if mac == Mac::ZERO {
        return None;
    }
    find(lesson, |d| d.mac == mac)
}

/// Who has an IPv4 address: `client eth0`.
pub fn owner_of_addr(lesson: &Lesson<'_>, text: &str) -> Option<String> {
    let addr: Ipv4Addr = text.parse().ok()?;
    find(lesson, |d| d.addrs.iter().any(|a| a.local == addr))
}

fn find(lesson: &Lesson<'_>, fits: impl Fn(&sim_core::linux::device::Device) -> bool) -> Option<String> {
    let world = &lesson.report.run.end;
    lesson.visited.iter().find_map(|id: &NetnsId| {
        let ns = world.ns(*id)?;
        // a bridge often has the address of a port: the bridge is meant
        let found = ns.config.devices.iter().filter(|d| fits(d));
        let device = found.max_by_key(|d| u8::from(!d.addrs.is_empty()))?;
        Some(format!("{} {}", lesson.report.label(*id), device.name))
    })
}
