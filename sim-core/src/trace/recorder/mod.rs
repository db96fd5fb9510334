//! Keeps everything while a run goes on, in little memory and time; afterwards it is made a [`Recording`].
//!
//! ```text
//!  calls ─► Recorder ─┬─ tape     words: one record per step, small change or correction
//!                     ├─ wide     steps of kinds that are rare or do not fit, as they are
//!                     ├─ births   whole packets, and changes that no record tells
//!                     └─ rest     packets, deltas, configurations, events: kept as the readers want them
//!                          │
//!                          └─ finish ─► the same calls again ─► Recording
//! ```
//!
//! A record is one to three words of 8 bytes. Its lowest byte says what it is; most say the device in bytes 2 and 3.
//! Time, namespace, packet and version stay what they are until a record changes them; a change of headers makes its
//! own version the one in force.

mod code;
mod read;
mod tape;
#[cfg(test)]
mod tests;

use super::evidence::{Addr32, CtCode, Evidence, Verdict};
use super::step::{Step, StepId};
use super::tracer::Tracer;
use super::version::{Change, VersionRecord};
use super::{EventKind, Recording, StateDelta};
use crate::linux::config::Config;
use crate::linux::{FlowId, NetnsId, PacketId, Time, VersionId};
use crate::packet::{Frame, Ipv6Addr};
use code::{Code, of_ct, of_fdb, of_mac, of_rule_at};
use std::collections::VecDeque;
use std::sync::Arc;
use tape::Tape;

/// What a record is.
mod tag {
    pub(super) const MOMENT: u8 = 1;
    pub(super) const ABOUT: u8 = 2;
    pub(super) const WIDE: u8 = 3;
    pub(super) const BIRTH: u8 = 4;
    pub(super) const TTL_CHANGE: u8 = 5;
    pub(super) const ETHERNET_CHANGE: u8 = 6;
    pub(super) const SOURCE_CHANGE: u8 = 7;
    pub(super) const DESTINATION_CHANGE: u8 = 8;
    pub(super) const RULE_VERDICT: u8 = 9;
    pub(super) const HOOK_LEFT: u8 = 10;
    pub(super) const HOOK_ENDED: u8 = 11;
    pub(super) const RECEIVE: u8 = 12;
    pub(super) const TRANSMIT: u8 = 13;
    pub(super) const SOCKET_SEND: u8 = 14;
    pub(super) const DELIVER: u8 = 15;
    pub(super) const ROUTE: u8 = 16;
    pub(super) const NEIGHBOUR: u8 = 17;
    pub(super) const HOOK: u8 = 18;
    pub(super) const FULL_HOOK: u8 = 19;
    pub(super) const RULE: u8 = 20;
    pub(super) const CT_LOOKUP: u8 = 21;
    pub(super) const CT_INVALID: u8 = 22;
    pub(super) const CT_CONFIRM: u8 = 23;
    pub(super) const NAT_REWRITE: u8 = 24;
    pub(super) const FDB_LEARN: u8 = 25;
    pub(super) const FDB_LOOKUP: u8 = 26;
    pub(super) const TTL: u8 = 27;
    pub(super) const DROP: u8 = 28;
}

/// Keeps everything while a run goes on.
#[derive(Debug, Default)]
pub struct Recorder {
    tape: Tape,
    wide: VecDeque<Step>,
    births: VecDeque<VersionRecord>,
    rest: Recording,
    steps: u32,
    versions: u32,
    // in force
    at: Time,
    netns: NetnsId,
    packet: PacketId,
    version: VersionId,
}

impl Recorder {
    /// How many steps are kept.
    pub fn steps(&self) -> u32 {
        self.steps
    }

    /// Bytes kept per step: steps and versions of headers together, divided by the number of steps.
    pub fn bytes_per_step(&self) -> usize {
        let wholes = self.births.iter().filter(|v| matches!(v.change, Change::Whole(_))).count() * size_of::<Frame>();
        let aside = self.wide.len() * size_of::<Step>() + self.births.len() * size_of::<VersionRecord>();
        (self.tape.len() + wholes + aside) / (self.steps as usize).max(1)
    }

    /// Bytes of memory that the tape holds, written or not.
    pub fn held(&self) -> usize {
        self.tape.held()
    }

    #[inline(always)]
    fn in_force(&mut self, step: &Step) {
        if step.at != self.at || step.netns != self.netns {
            self.moment(step.at, step.netns, step.packet, step.version);
        } else if step.packet != self.packet || step.version != self.version {
            self.about(step.packet, step.version);
        }
    }

    #[inline(never)]
    fn moment(&mut self, at: Time, netns: NetnsId, packet: PacketId, version: VersionId) {
        self.at = at;
        self.netns = netns;
        self.packet = packet;
        self.version = version;
        self.tape.put([head(tag::MOMENT, 0, 0, netns.0), at.0, pair(packet.0, version.0)]);
    }

    #[inline(never)]
    fn about(&mut self, packet: PacketId, version: VersionId) {
        self.packet = packet;
        self.version = version;
        self.tape.put([head(tag::ABOUT, 0, 0, 0), pair(packet.0, version.0)]);
    }

    #[inline(never)]
    fn wide(&mut self, step: Step) {
        self.tape.put([head(tag::WIDE, 0, 0, 0)]);
        self.wide.push_back(step);
    }

    #[inline(never)]
    fn birth(&mut self, before: VersionId, change: Change) {
        self.tape.put([head(tag::BIRTH, 0, 0, 0)]);
        self.births.push_back(VersionRecord { before, change });
    }
}

/// A record's first word: what it is, a byte, the device, and four bytes more.
#[inline(always)]
fn head(tag: u8, small: u64, dev: u16, half: u32) -> u64 {
    u64::from(tag) | small << 8 | u64::from(dev) << 16 | u64::from(half) << 32
}

#[inline(always)]
fn pair(low: u32, high: u32) -> u64 {
    u64::from(low) | u64::from(high) << 32
}

impl Tracer for Recorder {
    const ON: bool = true;

    // inlined where the kind of evidence is known, so that one arm remains
    #[inline(always)]
    fn step(&mut self, step: Step) -> StepId {
        let id = StepId(self.steps);
        self.steps += 1;
        self.in_force(&step);
        let Ok(dev) = u16::try_from(step.dev.0) else {
            self.wide(step);
            return id;
        };
        let tape = &mut self.tape;
        match step.evidence {
            Evidence::Receive { pkttype, copy_of: PacketId::NONE, len } => tape.put([head(tag::RECEIVE, pkttype.code(), dev, len)]),
            Evidence::Transmit { len } => tape.put([head(tag::TRANSMIT, 0, dev, len)]),
            Evidence::SocketSend { socket, len } => tape.put([head(tag::SOCKET_SEND, 0, dev, len), u64::from(socket.0)]),
            Evidence::Deliver { socket, len } => tape.put([head(tag::DELIVER, 0, dev, len), u64::from(socket.0)]),
            Evidence::RouteLookup { input, dst, row, kind, oif, next_hop, src } => {
                let small = kind.code() | u64::from(input) << 7;
                tape.put([head(tag::ROUTE, small, dev, u32::from(oif)), pair(dst.0, row.0), pair(next_hop.0, src.0)]);
            }
            Evidence::NeighbourLookup { addr, state, after, action, mac } => {
                let mac = of_mac(mac);
                let first = head(tag::NEIGHBOUR, state.code() | after.code() << 4, dev, (mac >> 32) as u32);
                tape.put([first | action.code() << 48, pair(addr.0, mac as u32)]);
            }
            Evidence::Hook { family, hook, iif, oif, after, ct, mark } => {
                let small = hook.code() | family.code() << 3 | u64::from(ct.tracked) << 6;
                let devices = u32::from(iif) | u32::from(oif) << 16;
                let plain = mark == 0 && ct.info == 0 && ct.status.0 == 0;
                if plain && after == step.version {
                    tape.put([head(tag::HOOK, small | 1 << 5, dev, devices)]);
                } else if plain && after == VersionId::NONE {
                    tape.put([head(tag::HOOK, small, dev, devices)]);
                } else {
                    tape.put([head(tag::FULL_HOOK, small, dev, devices), pair(after.0, of_ct(ct)), u64::from(mark)]);
                }
            }
            Evidence::Rule { table, chain, at, verdict, row, mark, ct } => {
                let (kind, n) = of_rule_at(at);
                let small = table.code() | verdict.code() << 3 | kind << 6;
                tape.put([head(tag::RULE, small, dev, n), pair(chain, row.0), pair(mark, of_ct(ct))]);
            }
            Evidence::ConntrackLookup { id: Some(id), created, ct } => {
                tape.put([head(tag::CT_LOOKUP, u64::from(created), dev, id.0), u64::from(of_ct(ct))]);
            }
            Evidence::ConntrackLookup { id: None, created, ct } => {
                tape.put([head(tag::CT_INVALID, u64::from(created), dev, of_ct(ct))]);
            }
            Evidence::ConntrackConfirm { id } => tape.put([head(tag::CT_CONFIRM, 0, dev, id.0)]),
            Evidence::NatRewrite { id, source } => tape.put([head(tag::NAT_REWRITE, u64::from(source), dev, id.0)]),
            Evidence::FdbLearn { mac, port, new } => {
                tape.put([head(tag::FDB_LEARN, u64::from(new), dev, u32::from(port)), of_mac(mac)]);
            }
            Evidence::FdbLookup { mac, verdict } => {
                let (kind, port) = of_fdb(verdict);
                tape.put([head(tag::FDB_LOOKUP, kind, dev, port), of_mac(mac)]);
            }
            Evidence::TtlDecrement { from, to } => tape.put([head(tag::TTL, u64::from(from), dev, u32::from(to))]),
            Evidence::Drop { reason } => tape.put([head(tag::DROP, reason.code(), dev, 0)]),
            _ => self.wide(step),
        }
        id
    }

    fn packet(&mut self, id: PacketId, caused_by: PacketId, copy_of: PacketId, flow: FlowId) {
        self.rest.packet(id, caused_by, copy_of, flow);
    }

    #[inline(always)]
    fn change(&mut self, before: VersionId, change: Change) -> VersionId {
        self.versions += 1;
        let tape = &mut self.tape;
        match change {
            Change::Ttl(ttl) if before == self.version => tape.put([head(tag::TTL_CHANGE, u64::from(ttl), 0, 0)]),
            Change::Ethernet { dst, src } if before == self.version => {
                tape.put([u64::from(tag::ETHERNET_CHANGE) | of_mac(dst) << 8, of_mac(src)]);
            }
            Change::Source(addr, port) if before == self.version => {
                tape.put([head(tag::SOURCE_CHANGE, 0, port, u32::from(addr))]);
            }
            Change::Destination(addr, port) if before == self.version => {
                tape.put([head(tag::DESTINATION_CHANGE, 0, port, u32::from(addr))]);
            }
            other => self.birth(before, other),
        }
        self.version = VersionId(self.versions);
        self.version
    }

    fn rule_verdict(&mut self, rule: StepId, verdict: Verdict) {
        self.tape.put([head(tag::RULE_VERDICT, verdict.code(), 0, rule.0)]);
    }

    #[inline]
    fn hook_left(&mut self, hook: StepId, after: VersionId, ct: CtCode) {
        self.tape.put([head(tag::HOOK_LEFT, 0, 0, hook.0), pair(after.0, of_ct(ct))]);
    }

    #[inline]
    fn hook_ended(&mut self, hook: StepId, ct: CtCode) {
        self.tape.put([head(tag::HOOK_ENDED, 0, 0, hook.0), u64::from(of_ct(ct))]);
    }

    fn delta(&mut self, netns: NetnsId, delta: StateDelta) {
        self.rest.deltas.push(super::delta::DeltaRecord { step: self.steps, netns, delta });
    }

    fn config(&mut self, netns: NetnsId, config: &Arc<Config>) {
        self.rest.configs.push((self.steps, netns, config.clone()));
    }

    fn addr6(&mut self, addr: Ipv6Addr) -> Addr32 {
        self.rest.addr6(addr)
    }

    fn event(&mut self, at: Time, kind: EventKind) {
        self.rest.events.push(super::EventRecord { at, step: self.steps, kind });
    }
}
