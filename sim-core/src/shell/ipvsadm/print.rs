//! Changes of IPVS as the commands that make them.

use crate::linux::ipvs::service::SCTP;
use crate::linux::ipvs::{DestSpec, Forward, ServiceSpec, SvcFlags, VsKey};
use crate::linux::op::IpvsOp;
use crate::packet::{Family, Protocol};
use std::fmt::Write as _;
use std::net::{IpAddr, Ipv4Addr};

/// An end as it is typed: `10.0.0.1:80`, `[fd00::1]:80`.
pub(super) fn endpoint(addr: IpAddr, port: u16) -> String {
    match addr {
        IpAddr::V4(a) => format!("{a}:{port}"),
        IpAddr::V6(a) => format!("[{a}]:{port}"),
    }
}

/// The option for a protocol.
pub(super) fn switch(protocol: Protocol) -> &'static str {
    match protocol {
        Protocol::TCP => "-t",
        SCTP => "--sctp-service",
        _ => "-u",
    }
}

/// `-t 10.0.0.1:80`, `-f 7`, `-f 7 -6`.
fn service(key: &VsKey) -> String {
    match key {
        VsKey::Addr(protocol, addr, port) => format!("{} {}", switch(*protocol), endpoint(*addr, *port)),
        VsKey::Fwmark(Family::Inet, mark) => format!("-f {mark}"),
        VsKey::Fwmark(Family::Inet6, mark) => format!("-f {mark} -6"),
    }
}

/// The names of a scheduler's flags, between commas.
pub(super) fn flags(spec: &ServiceSpec) -> String {
    let own = match spec.scheduler.name() {
        "sh" => ["sh-fallback", "sh-port", "flag-3"],
        "mh" => ["mh-fallback", "mh-port", "flag-3"],
        _ => ["flag-1", "flag-2", "flag-3"],
    };
    let set: Vec<&str> = own.iter().enumerate().filter(|(bit, _)| spec.flags.sched >> bit & 1 == 1).map(|(_, n)| *n).collect();
    set.join(",")
}

/// The granularity of persistence, if it is not each address for itself.
pub(super) fn mask(family: Family, spec: &ServiceSpec) -> Option<String> {
    (spec.netmask != ServiceSpec::whole_mask(family)).then(|| match family {
        Family::Inet => Ipv4Addr::from(spec.netmask).to_string(),
        Family::Inet6 => spec.netmask.to_string(),
    })
}

/// What follows the service in `-A`, as `ipvsadm -S` prints it.
pub(super) fn service_options(family: Family, spec: &ServiceSpec) -> String {
    let mut out = format!("-s {}", spec.scheduler.name());
    let SvcFlags { persistent, one_packet, sched } = spec.flags;
    if persistent {
        let _ = write!(out, " -p {}", spec.timeout);
        if let Some(mask) = mask(family, spec) {
            let _ = write!(out, " -M {mask}");
        }
    }
    if one_packet {
        out.push_str(" -o");
    }
    if sched != 0 {
        let _ = write!(out, " -b {}", flags(spec));
    }
    out
}

/// What follows the real server in `-a`, as `ipvsadm -S` prints it.
pub(super) fn dest_options(spec: &DestSpec) -> String {
    match spec.forward {
        Forward::Masq => format!("-m -w {}", spec.weight),
        Forward::Route => format!("-g -w {}", spec.weight),
        Forward::Tunnel => format!("-i -w {} --tun-type ipip", spec.weight),
    }
}

fn dest(key: &VsKey, addr: IpAddr, port: u16, spec: &DestSpec) -> String {
    let mut out = format!("{} -r {} {}", service(key), endpoint(addr, port), dest_options(spec));
    if spec.upper != 0 || spec.lower != 0 {
        let _ = write!(out, " -x {} -y {}", spec.upper, spec.lower);
    }
    out
}

/// The options of a change.
fn words(op: &IpvsOp) -> String {
    match op {
        IpvsOp::AddService { key, spec } => format!("-A {} {}", service(key), service_options(key.family(), spec)),
        IpvsOp::EditService { key, spec } => format!("-E {} {}", service(key), service_options(key.family(), spec)),
        IpvsOp::DeleteService(key) => format!("-D {}", service(key)),
        IpvsOp::Flush => "-C".to_owned(),
        IpvsOp::AddDest { key, addr, port, spec } => format!("-a {}", dest(key, *addr, *port, spec)),
        IpvsOp::EditDest { key, addr, port, spec } => format!("-e {}", dest(key, *addr, *port, spec)),
        IpvsOp::DeleteDest { key, addr, port } => format!("-d {} -r {}", service(key), endpoint(*addr, *port)),
        IpvsOp::Zero(None) => "-Z".to_owned(),
        IpvsOp::Zero(Some(key)) => format!("-Z {}", service(key)),
        IpvsOp::Timeouts(t) => format!("--set {} {} {}", t.tcp, t.tcp_fin, t.udp),
        IpvsOp::Restore(_) => "-R".to_owned(),
    }
}

/// The command lines of a change.
pub(in crate::shell) fn print(op: &IpvsOp) -> Vec<String> {
    match op {
        IpvsOp::Restore(lines) => {
            let body = lines.iter().map(words);
            std::iter::once("ipvsadm -R <<EOF".to_owned()).chain(body).chain(std::iter::once("EOF".to_owned())).collect()
        }
        op => vec![format!("ipvsadm {}", words(op))],
    }
}
