//! What IPVS decided.

use super::{Line, Role, Words};
use crate::linux::ipvs::Forward;
use crate::packet::Ipv4Addr;
use crate::report::value::Value;
use crate::report::view::StepView;

fn told(v: &StepView<'_>, name: &str) -> String {
    v.evidence(name).filter(|x| **x != Value::Null).map(|x| x.to_string()).unwrap_or_default()
}

pub(super) fn schedule(v: &StepView<'_>, found: bool, usable: u16) -> Words {
    let (service, scheduler) = (told(v, "service"), told(v, "scheduler"));
    if !found {
        let line = Line::of(Role::Bad, "no real server").and(Role::Plain, format!(" of {service} takes the connection"));
        return Words::new(line).why("None has a weight above 0 and room: the client is told that the port is unreachable.");
    }
    let line = Line::plain(format!("{scheduler} chooses ")).and(Role::Won, told(v, "dest"));
    let load = format!("weight {}, {} active and {} inactive connections", told(v, "weight"), told(v, "active"), told(v, "inactive"));
    Words::new(line).why(format!("One of {usable} that could take a connection of {service}; {load}."))
}

pub(super) fn conn(v: &StepView<'_>, created: bool, reply: bool) -> Words {
    let (id, from, to) = (told(v, "conn"), told(v, "from"), told(v, "to"));
    let state = if from == to { to } else { format!("{from} -> {to}") };
    let what = match (created, reply) {
        (true, _) => format!("IPVS connection {id} is made"),
        (false, true) => format!("a reply of IPVS connection {id}"),
        (false, false) => format!("belongs to IPVS connection {id}"),
    };
    let line = if state.is_empty() { Line::plain(what) } else { Line::plain(what).and(Role::Plain, format!(", {state}")) };
    let why = if reply {
        "The client knows the virtual address alone: it becomes the source of the reply."
    } else {
        "All packets of a connection go to the real server that its first one was given to."
    };
    Words::new(line).why(why)
}

pub(super) fn forward(forward: Forward, local: bool, addr: Ipv4Addr, port: u16) -> Words {
    let line = match forward {
        Forward::Masq => Line::plain("destination becomes the real server ").and(Role::Changed, format!("{addr}:{port}")),
        Forward::Route => Line::plain("sent as it is to the real server ").and(Role::Won, addr.to_string()),
        Forward::Tunnel => Line::plain("sent inside another packet to the real server ").and(Role::Won, addr.to_string()),
    };
    let why = match forward {
        _ if local => "The real server is this host: the packet goes on to a socket here.",
        Forward::Masq => "It leaves by OUTPUT and POSTROUTING, never by FORWARD; the reply has to come back through here.",
        Forward::Route => {
            "Only the hardware address says who it is for: the real server must hold the virtual address, and answers by itself."
        }
        Forward::Tunnel => "The real server takes it out, must hold the virtual address, and answers by itself.",
    };
    Words::new(line).why(why)
}
