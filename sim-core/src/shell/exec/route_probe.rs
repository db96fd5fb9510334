//! `traceroute` and `tracepath`, run.

use super::super::answer::Answer;
use super::super::{tracepath, traceroute};
use super::traffic::{drive, program};
use crate::apps::{Ending, Options, Outcome, RouteProbe};
use crate::engine::{Engine, Storm};
use crate::linux::{FlowId, NetnsId, Time};
use crate::packet::IpAddr;
use crate::trace::Tracer;

/// Runs a `traceroute` from `at`.
///
/// # Errors
/// When frames go round in a loop.
pub(super) fn traceroute<T: Tracer>(
    engine: &mut Engine<T>,
    at: NetnsId,
    t: &traceroute::Traceroute,
    target: Option<IpAddr>,
    flow: FlowId,
) -> Result<(Answer, Outcome), Storm> {
    let Some(to) = target else { return Ok((traceroute::render(t, None, &[]), Outcome::of(Ending::NameNotFound))) };
    let options = Options { bind: t.source, flow, ..Options::default() };
    let probes = RouteProbe::new(to, t.first, t.last, t.style.clone(), options);
    let id = drive(engine, at, "traceroute", flow, Box::new(probes), Time::NEVER)?;
    let seen = program::<T, RouteProbe>(engine, id).map(|p| p.probes().to_vec()).unwrap_or_default();
    let outcome = engine.outcome_of(id, 0).unwrap_or_else(|| Outcome::of(Ending::NoReply));
    Ok((traceroute::render(t, target, &seen), outcome))
}

/// Runs a `tracepath` from `at`.
///
/// # Errors
/// When frames go round in a loop.
pub(super) fn tracepath<T: Tracer>(
    engine: &mut Engine<T>,
    at: NetnsId,
    t: &tracepath::Tracepath,
    target: Option<IpAddr>,
    flow: FlowId,
) -> Result<(Answer, Outcome), Storm> {
    let Some(to) = target else { return Ok((tracepath::render(t, None, &[], 0), Outcome::of(Ending::NameNotFound))) };
    let probes = RouteProbe::new(to, 1, t.last, t.style.clone(), Options { flow, ..Options::default() });
    let id = drive(engine, at, "tracepath", flow, Box::new(probes), Time::NEVER)?;
    let (seen, mtu) = program::<T, RouteProbe>(engine, id).map(|p| (p.probes().to_vec(), p.mtu())).unwrap_or_default();
    let outcome = engine.outcome_of(id, 0).unwrap_or_else(|| Outcome::of(Ending::NoReply));
    Ok((tracepath::render(t, target, &seen, mtu), outcome))
}
