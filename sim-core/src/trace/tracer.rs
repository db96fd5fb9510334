//! Who listens to the walk.

use super::delta::StateDelta;
use super::evidence::{Addr32, CtCode, Verdict};
use super::recording::EventKind;
use super::step::{Step, StepId};
use super::version::Change;
use crate::linux::config::Config;
use crate::linux::{FlowId, NetnsId, PacketId, Time, VersionId};
use crate::packet::Ipv6Addr;
use std::sync::Arc;

/// A listener. The walk is generic over it and asks [`Tracer::ON`] first, so that a deaf one costs nothing.
pub trait Tracer {
    /// Whether it listens at all.
    const ON: bool;

    /// Keeps a step.
    fn step(&mut self, step: Step) -> StepId;

    /// A packet was born: who caused it, for which flow, and as what.
    fn packet(&mut self, id: PacketId, caused_by: PacketId, copy_of: PacketId, flow: FlowId);

    /// The headers of a packet changed, or were set for the first time (`before` is none).
    fn change(&mut self, before: VersionId, change: Change) -> VersionId;

    /// The target of a rule that was recorded already ended in another verdict than foreseen.
    fn rule_verdict(&mut self, rule: StepId, verdict: Verdict);

    /// The packet came out of a hook.
    fn hook_left(&mut self, hook: StepId, after: VersionId, ct: CtCode);

    /// The packet did not come out of a hook; what conntrack knew of it at the end.
    fn hook_ended(&mut self, hook: StepId, ct: CtCode);

    /// A packet wrote to a table that is not versioned.
    fn delta(&mut self, netns: NetnsId, delta: StateDelta);

    /// A namespace has a new version of its configuration.
    fn config(&mut self, netns: NetnsId, config: &Arc<Config>);

    /// The number that stands for an IPv6 address in steps.
    fn addr6(&mut self, addr: Ipv6Addr) -> Addr32;

    /// Something happened beside the packets.
    fn event(&mut self, at: Time, event: EventKind);
}

/// Hears nothing and costs nothing.
#[derive(Clone, Copy, Debug, Default)]
pub struct NoTrace;

impl Tracer for NoTrace {
    const ON: bool = false;

    #[inline]
    fn step(&mut self, _: Step) -> StepId {
        StepId(0)
    }
    #[inline]
    fn packet(&mut self, _: PacketId, _: PacketId, _: PacketId, _: FlowId) {}
    #[inline]
    fn change(&mut self, _: VersionId, _: Change) -> VersionId {
        VersionId::NONE
    }
    #[inline]
    fn rule_verdict(&mut self, _: StepId, _: Verdict) {}
    #[inline]
    fn hook_left(&mut self, _: StepId, _: VersionId, _: CtCode) {}
    #[inline]
    fn hook_ended(&mut self, _: StepId, _: CtCode) {}
    #[inline]
    fn delta(&mut self, _: NetnsId, _: StateDelta) {}
    #[inline]
    fn config(&mut self, _: NetnsId, _: &Arc<Config>) {}
    #[inline]
    fn addr6(&mut self, _: Ipv6Addr) -> Addr32 {
        Addr32(0)
    }
    #[inline]
    fn event(&mut self, _: Time, _: EventKind) {}
}
