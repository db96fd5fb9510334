//! Words for bridges.

use super::Words;
use crate::packet::Mac;
use crate::report::doc::{Line, Role};
use crate::report::evidence::bridge_of;
use crate::report::view::{Report, StepView};
use crate::trace::evidence::{FdbVerdict, VlanVerdict};

pub(super) fn learn(v: &StepView<'_>, mac: Mac, new: bool) -> Words {
    let port = v.evidence("port").map(|p| p.to_string()).unwrap_or_default();
    let what = if new {
        Line::plain("learned: ").and(Role::Won, mac.to_string()).and(Role::Plain, " is behind ").and(Role::Device, port)
    } else {
        Line::plain(format!("{mac} is still behind ")).and(Role::Device, port)
    };
    let words = Words::new(what);
    if new { words.why("A bridge learns from the source address of every frame which port leads back to it.") } else { words }
}

pub(super) fn lookup(report: &Report<'_>, v: &StepView<'_>, mac: Mac, verdict: FdbVerdict) -> Words {
    let n = v.n - 1;
    let config = report.config(v.step.netns, n);
    let bridge = config.map(|c| c.devices.name(bridge_of(c, v.step.dev)).to_owned()).unwrap_or_default();
    match verdict {
        FdbVerdict::Local => {
            let what =
                Line::plain(format!("{mac} is the address of ")).and(Role::Device, &bridge).and(Role::Plain, " itself: up to this host");
            Words::new(what)
                .short(Line::plain("bridge ").and(Role::Device, &bridge).and(Role::Plain, ": the frame is for the bridge itself"))
        }
        FdbVerdict::Port(port) => {
            let port = report.dev(v.step.netns, port, n);
            let what = Line::plain(format!("{mac} is behind port ")).and(Role::Won, port);
            Words::new(what).short(
                Line::plain("bridge ").and(Role::Device, &bridge).and(Role::Plain, format!(": {mac} is behind ")).and(Role::Won, port),
            )
        }
        FdbVerdict::Flood => {
            let (what, short) = if mac.is_multicast() {
                ("for everyone: to every other port".to_owned(), "for everyone: to every other port")
            } else {
                (
                    format!("{mac} is not known: to every other port, and whoever owns it will answer"),
                    "address not known: to every other port",
                )
            };
            Words::new(Line::plain(what)).short(Line::plain("bridge ").and(Role::Device, &bridge).and(Role::Plain, format!(": {short}")))
        }
        FdbVerdict::Nowhere => {
            let what = Line::of(Role::Bad, "nowhere")
                .and(Role::Plain, format!(": {mac} is behind the port that the frame came in by, or its port may not be used"));
            Words::new(what.clone()).short(what)
        }
    }
}

pub(super) fn vlan(v: &StepView<'_>, ingress: bool, vid: u16, verdict: VlanVerdict) -> Words {
    let dev = &v.dev;
    let (what, why) = match (ingress, verdict) {
        (true, VlanVerdict::Dropped) if vid == 0 => (
            format!("no tag, and {dev} has no VLAN of its own for such frames (pvid): refused"),
            "Untagged frames belong to the PVID of the port.",
        ),
        (true, VlanVerdict::Dropped) => (format!("tagged for VLAN {vid}, which {dev} does not belong to: refused"), ""),
        (true, VlanVerdict::Pvid) => {
            (format!("no VLAN told: it belongs to VLAN {vid}, the PVID of {dev}"), "Inside the bridge every frame has a VLAN.")
        }
        (true, _) => (format!("tagged for VLAN {vid}, which {dev} belongs to"), ""),
        (false, VlanVerdict::Untagged) => (format!("VLAN {vid} leaves by {dev} untagged: the tag is taken away"), ""),
        (false, VlanVerdict::Dropped) => (format!("{dev} does not belong to VLAN {vid}: not let out"), ""),
        (false, _) => (format!("VLAN {vid} leaves by {dev} tagged"), ""),
    };
    Words::new(Line::plain(what)).why(why)
}
