//! Words for frames that come in and go out.

use super::Words;
use crate::linux::PacketId;
use crate::linux::device::{Attach, DeviceKind};
use crate::linux::skb::PktType;
use crate::report::doc::{Line, Role};
use crate::report::value::find;
use crate::report::view::{Report, StepView};

fn mac(v: &StepView<'_>, field: &str) -> String {
    // the link header that this device sees, not that of a frame in a tunnel
    v.headers.first().and_then(|h| find(&h.fields, field)).map(|m| m.to_string()).unwrap_or_default()
}

pub(super) fn receive(report: &Report<'_>, v: &StepView<'_>, pkttype: PktType, copy_of: PacketId) -> Words {
    let place = v.n - 1;
    let config = report.config(v.step.netns, place);
    let device = config.and_then(|c| c.devices.get(v.step.dev));
    let master = config.zip(device).map(|(c, d)| c.devices.name(d.master).to_owned()).filter(|m| !m.is_empty());
    let mut what = Line::plain("in by ").and(Role::Device, v.dev);
    let dst = mac(v, "dst");
    let whom = match pkttype {
        PktType::Host => ", for this host".to_owned(),
        PktType::Broadcast => ", for everyone on the segment".to_owned(),
        PktType::Multicast => format!(", for the group {dst}"),
        PktType::OtherHost => format!(", for {dst}, which is not the address of {}", v.dev),
        PktType::Outgoing => String::new(),
    };
    what.push(Role::Plain, whom);
    if copy_of.is_some() {
        what.push(Role::Muted, format!(" (a copy of packet {})", copy_of.0));
    }
    let mut words = Words::new(what);
    if let Some(bridge) = master {
        words = words.why(format!("{} is a port of the bridge {bridge}: the frame is the bridge's, whoever it is for.", v.dev));
    }
    words
}

pub(super) fn transmit(report: &Report<'_>, v: &StepView<'_>) -> Words {
    let place = v.n - 1;
    let device = report.config(v.step.netns, place).and_then(|c| c.devices.get(v.step.dev));
    let mut what = Line::plain("out by ").and(Role::Device, v.dev);
    let Some(device) = device else { return Words::new(what) };
    match (&device.kind, device.attach) {
        (DeviceKind::Bridge(_), _) => what.push(Role::Plain, ": the bridge looks for the port"),
        (DeviceKind::Loopback, _) => what.push(Role::Plain, ", back into this host"),
        (DeviceKind::Tun(_), _) => what.push(Role::Plain, ", where a program reads it"),
        (DeviceKind::IpTunnel(_), _) => what.push(Role::Plain, ", which puts it into an IP packet"),
        (DeviceKind::Vxlan(_), _) => what.push(Role::Plain, ", which puts it into a UDP packet"),
        (DeviceKind::Dummy, _) => what.push(Role::Plain, ", which swallows it"),
        (_, Attach::Veth { netns, index }) => {
            what.push(Role::Plain, " to ");
            what.push(Role::Device, report.dev(netns, index, place));
            what.push(Role::Plain, " of ");
            what.push(Role::Place, report.label(netns));
            what.push(Role::Plain, ", the other end of the veth pair");
        }
        (_, Attach::Lower { netns, index }) => {
            what.push(Role::Plain, " to ");
            what.push(Role::Device, report.dev(netns, index, place));
            if netns != v.step.netns {
                what.push(Role::Plain, " of ");
                what.push(Role::Place, report.label(netns));
            }
            what.push(Role::Plain, ", the device that it stands on");
        }
        (_, Attach::Loopback) => what.push(Role::Plain, ", back into this host"),
        (_, Attach::Wire(_)) => what.push(Role::Plain, " onto the wire"),
        (_, Attach::None) => what.push(Role::Plain, ", which leads nowhere"),
    }
    let (src, dst) = (mac(v, "src"), mac(v, "dst"));
    if !matches!(device.kind, DeviceKind::Loopback) {
        what.push(Role::Muted, format!(" ({src} > {dst})"));
    }
    Words::new(what)
}
