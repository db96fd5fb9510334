//! Hops: a packet's steps grouped by the device or namespace that it crosses.
//!
//! A hop begins where the packet is born, where a device receives it, and after it was handed to a device:
//!
//! ```text
//!   client            node-a                                node-b …
//!   [… eth0] ──────► [vethA1 …] ─► [cni0 … eth0] ────────► [eth0 …
//! ```

use super::view::{Report, StepView};
use super::words;
use crate::linux::{NetnsId, PacketId};
use crate::report::doc::Line;
use crate::trace::{Evidence, StepId};

/// One device or namespace crossed.
#[derive(Clone, Debug)]
pub struct Hop {
    /// The namespace.
    pub netns: NetnsId,
    /// The device that it came in by; empty where the packet was born.
    pub iif: String,
    /// The device that it went out by; empty where it ended or stayed.
    pub oif: String,
    /// Its steps by their places in the recording.
    pub steps: Vec<u32>,
}

impl Hop {
    /// The devices: `eth0 > cni0`.
    pub fn devices(&self) -> String {
        match (self.iif.is_empty(), self.oif.is_empty()) {
            (true, true) => String::new(),
            (true, false) => format!("> {}", self.oif),
            (false, true) => self.iif.clone(),
            (false, false) => format!("{} > {}", self.iif, self.oif),
        }
    }
}

impl Report<'_> {
    /// The hops of a packet, in order.
    pub fn hops(&self, packet: PacketId) -> Vec<Hop> {
        let mut out: Vec<Hop> = Vec::new();
        let mut left = false;
        for n in self.steps_of(packet) {
            let Some(step) = self.raw(StepId(*n)) else { continue };
            let dev = self.dev(step.netns, step.dev, *n);
            let receives = matches!(step.evidence, Evidence::Receive { .. });
            let transmits = matches!(step.evidence, Evidence::Transmit { .. });
            let fresh = match out.last() {
                None => true,
                Some(h) => receives || left || h.netns != step.netns,
            };
            if fresh {
                // a frame that a bridge device was handed comes out of one of its ports
                let through = out.last().filter(|h| left && !receives && h.netns == step.netns).map(|h| h.oif.clone());
                let iif = if receives { dev.to_owned() } else { through.unwrap_or_default() };
                out.push(Hop { netns: step.netns, iif, oif: String::new(), steps: Vec::new() });
            }
            let Some(hop) = out.last_mut() else { continue };
            hop.steps.push(*n);
            if transmits {
                hop.oif = dev.to_owned();
            }
            left = transmits;
        }
        out
    }

    /// What happened in a hop, one phrase per decision that counts.
    pub fn facts(&self, hop: &Hop) -> Vec<Line> {
        let views: Vec<StepView<'_>> = hop.steps.iter().filter_map(|n| self.step(StepId(*n))).collect();
        let mut out: Vec<Line> = Vec::new();
        for v in &views {
            let short = words::of(self, v).short;
            if !short.is_empty() && !out.contains(&short) {
                out.push(short);
            }
        }
        out
    }

    /// The way of a packet in a line: `node-a eth0 > node-b eth0`.
    pub fn way(&self, packet: PacketId) -> String {
        let mut out = String::new();
        let mut place = None;
        for h in self.hops(packet) {
            let devices: Vec<&str> = [h.iif.as_str(), h.oif.as_str()].into_iter().filter(|d| !d.is_empty()).collect();
            for (i, dev) in devices.into_iter().enumerate() {
                if place == Some(h.netns) {
                    if out.ends_with(dev) && i == 0 {
                        continue;
                    }
                    out.push_str(", ");
                    out.push_str(dev);
                } else {
                    if !out.is_empty() {
                        out.push_str(" > ");
                    }
                    out.push_str(self.label(h.netns));
                    out.push(' ');
                    out.push_str(dev);
                    place = Some(h.netns);
                }
            }
        }
        out
    }
}
