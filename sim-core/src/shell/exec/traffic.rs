//! Commands that make traffic: the program is started, the world runs until it has ended, and what it saw is printed.

use super::super::answer::Answer;
use super::super::flow::FlowCommand;
use super::super::{curl, nc, ping};
use crate::apps::{self, Ending, HttpClient, Options, Outcome, Program, Request, TcpClient, UdpClient};
use crate::engine::{Engine, Storm};
use crate::linux::{Errno, FlowId, NetnsId, Time};
use crate::packet::{Bytes, Endpoint, IpAddr, Ipv4Addr};
use crate::trace::Tracer;
use std::time::Duration;

/// What a name stands for here: an address, `localhost`, or a name of /etc/hosts.
pub(super) fn resolve<T: Tracer>(engine: &Engine<T>, at: NetnsId, name: &str) -> Option<IpAddr> {
    if let Ok(a) = name.parse() {
        return Some(a);
    }
    if name == "localhost" {
        return Some(Ipv4Addr::LOCALHOST.into());
    }
    engine.world.info(at)?.etc_hosts.iter().find(|(n, _)| &**n == name).map(|(_, a)| *a)
}

/// Starts a program and runs the world until it has ended, or until `limit`.
pub(super) fn drive<T: Tracer>(
    engine: &mut Engine<T>,
    at: NetnsId,
    name: &str,
    flow: FlowId,
    program: Box<dyn Program>,
    limit: Time,
) -> Result<u32, Storm> {
    let id = engine.world.spawn(at, name, flow, program);
    while engine.outcome_of(id, 0).is_none() && engine.step_event(limit)? {}
    if limit != Time::NEVER && engine.outcome_of(id, 0).is_none() {
        engine.world.now = engine.world.now.max(limit);
    }
    Ok(id)
}

pub(super) fn program<T: Tracer, P: 'static>(engine: &Engine<T>, id: u32) -> Option<&P> {
    engine.world.program(id)?.program.as_ref()?.as_any().downcast_ref()
}

/// Runs a command that makes traffic from `at`, as part of `flow`.
///
/// # Errors
/// When frames go round in a loop.
pub fn run<T: Tracer>(engine: &mut Engine<T>, at: NetnsId, command: &FlowCommand, flow: FlowId) -> Result<(Answer, Outcome), Storm> {
    let target = resolve(engine, at, command.host());
    let began = engine.world.now;
    match command {
        FlowCommand::Ping(p) => ping_(engine, at, p, target, flow, began),
        FlowCommand::Curl(c) => curl_(engine, at, c, target, flow, began),
        FlowCommand::Nc(n) => nc_(engine, at, n, target, flow),
        FlowCommand::Traceroute(t) => super::route_probe::traceroute(engine, at, t, target, flow),
        FlowCommand::Tracepath(t) => super::route_probe::tracepath(engine, at, t, target, flow),
    }
}

fn unknown(answer: Answer) -> (Answer, Outcome) {
    (answer, Outcome::of(Ending::NameNotFound))
}

fn ping_<T: Tracer>(
    engine: &mut Engine<T>,
    at: NetnsId,
    p: &ping::Ping,
    target: Option<IpAddr>,
    flow: FlowId,
    began: Time,
) -> Result<(Answer, Outcome), Storm> {
    let mut result = ping::PingResult { target, source: p.source, failed: None, events: Vec::new(), sent: 0, elapsed: Duration::ZERO };
    let Some(to) = target else { return Ok(unknown(ping::render(p, &result))) };
    let options = Options { bind: p.source, ttl: p.ttl, pmtudisc: p.pmtudisc, timeout: p.timeout, flow, ..Options::default() };
    let interval = p.interval.unwrap_or(Duration::from_secs(1));
    let client = apps::Ping::new(to, p.count(), interval, None, 1, p.size as usize, options);
    let limit = p.deadline.map_or(Time::NEVER, |d| began + d);
    let id = drive(engine, at, "ping", flow, Box::new(client), limit)?;
    let outcome = engine.outcome_of(id, 0).unwrap_or_else(|| Outcome::of(Ending::NoReply));
    let mtu = engine.world.ns(at).map_or(1500, |ns| {
        let dev = match to {
            IpAddr::V4(to) => ns.config.fib.lookup(to, |_| true).and_then(|(_, r)| r.nexthops.first().map(|h| h.dev)),
            IpAddr::V6(to) => ns.config.fib6.lookup(to, |_| true).and_then(|(_, r)| r.nexthops.first().map(|h| h.dev)),
        };
        dev.and_then(|d| ns.config.devices.get(d)).map_or(1500, |d| d.mtu)
    });
    let echoes = program::<T, apps::Ping>(engine, id).map(|p| p.echoes().to_vec()).unwrap_or_default();
    if echoes.is_empty() && outcome.immediate {
        let errno = outcome.errno.unwrap_or(Errno::EINVAL);
        result.failed = Some((if errno == Errno::EADDRNOTAVAIL { "bind" } else { "connect" }, errno));
        return Ok((ping::render(p, &result), outcome));
    }
    let mut events: Vec<(Time, ping::PingEvent)> = Vec::new();
    let sent_until = |t: Time| echoes.iter().filter(|e| e.at <= t && !matches!(e.answer, apps::ping::Answer::NotSent(_))).count() as u32;
    for e in &echoes {
        match &e.answer {
            apps::ping::Answer::Silence => {}
            apps::ping::Answer::Reply { from, ttl, bytes, after } => {
                let when = e.at + *after;
                let reply = ping::PingEvent::Reply {
                    seq: e.seq,
                    from: *from,
                    ttl: *ttl,
                    bytes: *bytes as u32,
                    time: *after,
                    sent: sent_until(when),
                };
                events.push((when, reply));
            }
            apps::ping::Answer::Error { report, after } => {
                let when = e.at + *after;
                events.push(match (report.icmp, report.offender) {
                    (Some(icmp), Some(from)) => {
                        (when, ping::PingEvent::Icmp { seq: e.seq, from, icmp, info: report.info, sent: sent_until(when) })
                    }
                    _ => (when, ping::PingEvent::Local { errno: report.errno, mtu: report.info }),
                });
            }
            apps::ping::Answer::NotSent(errno) => {
                events.push((e.at, ping::PingEvent::Local { errno: *errno, mtu: if *errno == Errno::EMSGSIZE { mtu } else { 0 } }));
            }
        }
    }
    events.sort_by_key(|(t, _)| *t);
    result.sent = sent_until(Time::NEVER);
    result.elapsed = engine.world.now.since(began);
    result.events = events.into_iter().map(|(_, e)| e).collect();
    Ok((ping::render(p, &result), outcome))
}

fn curl_<T: Tracer>(
    engine: &mut Engine<T>,
    at: NetnsId,
    c: &curl::Curl,
    target: Option<IpAddr>,
    flow: FlowId,
    began: Time,
) -> Result<(Answer, Outcome), Storm> {
    let mut result = curl::CurlResult { target, end: curl::CurlEnd::NotResolved, elapsed: Duration::ZERO };
    let Some(to) = target else { return Ok(unknown(curl::render(c, &result))) };
    let request = Request {
        to: Endpoint::new(to, c.port),
        method: c.method.clone(),
        path: c.path.clone(),
        host: c.host_header.clone(),
        headers: c.headers.clone(),
        agent: "curl/7.88.1".into(),
    };
    let connect = c.connect_timeout.map(|d| began + d);
    let options = Options { bind: c.source, sport: c.local_port, timeout: c.max_time, flow, ..Options::default() };
    let id = engine.world.spawn(at, "curl", flow, Box::new(HttpClient::new(request, options)));
    let connected = |e: &Engine<T>| {
        e.world
            .ns(at)
            .is_some_and(|n| n.sockets.sorted().iter().any(|s| s.app == id && s.tcp.as_ref().is_some_and(|t| t.state.is_synchronized())))
    };
    let mut gave_up = false;
    while engine.outcome_of(id, 0).is_none() {
        let limit = connect.filter(|_| !connected(engine)).unwrap_or(Time::NEVER);
        if !engine.step_event(limit)? {
            gave_up = true;
            if limit != Time::NEVER {
                engine.world.now = engine.world.now.max(limit);
            }
            break;
        }
    }
    let outcome = engine.outcome_of(id, 0).unwrap_or_else(|| Outcome::of(Ending::TimedOut));
    let made = outcome.client_saw.is_some();
    result.elapsed = engine.world.now.since(began);
    result.end = match (gave_up, outcome.ending, outcome.errno) {
        (true, _, _) => curl::CurlEnd::ConnectTimeout,
        (false, Ending::Status(status), _) => answered::<T>(engine, id, status),
        (false, Ending::TimedOut, None) => curl::CurlEnd::TimedOut { connected: made, received: outcome.received },
        (false, _, Some(errno)) if made => curl::CurlEnd::Broken(errno),
        (false, _, Some(errno)) => curl::CurlEnd::NotConnected(errno),
        (false, _, None) => curl::CurlEnd::Empty,
    };
    Ok((curl::render(c, &result), outcome))
}

fn answered<T: Tracer>(engine: &Engine<T>, id: u32, status: u16) -> curl::CurlEnd {
    let Some(r) = program::<T, HttpClient>(engine, id).and_then(HttpClient::response) else { return curl::CurlEnd::Empty };
    let mut lines = r.head.lines();
    let first = lines.next().unwrap_or("");
    let (version, status_line) = first.split_once(' ').unwrap_or((first, ""));
    let headers = lines.filter_map(|l| l.split_once(':')).map(|(k, v)| (k.trim().into(), v.trim().into())).collect();
    curl::CurlEnd::Answer {
        status_line: status_line.into(),
        status,
        version: if version.ends_with("1.0") { "1.0" } else { "1.1" },
        headers,
        body: String::from_utf8_lossy(&r.body).into_owned(),
    }
}

fn nc_<T: Tracer>(
    engine: &mut Engine<T>,
    at: NetnsId,
    n: &nc::Nc,
    target: Option<IpAddr>,
    flow: FlowId,
) -> Result<(Answer, Outcome), Storm> {
    let Some(to) = target else { return Ok(unknown(nc::render(n, &nc::NcEnd::NotResolved))) };
    let options = Options { bind: n.source, sport: n.source_port, timeout: n.timeout, flow, ..Options::default() };
    let to = Endpoint::new(to, n.port);
    let client: Box<dyn Program> = if n.udp {
        // what the tool sends to find out whether a UDP port is closed
        let options = Options { timeout: options.timeout.or(Some(Duration::from_secs(1))), ..options };
        Box::new(UdpClient::new(to, Bytes::from("X"), false, options))
    } else {
        // standard input is empty: nothing is sent
        Box::new(TcpClient::new(to, Bytes::EMPTY, false, options))
    };
    let id = drive(engine, at, "nc", flow, client, Time::NEVER)?;
    let outcome = engine.outcome_of(id, 0).unwrap_or_else(|| Outcome::of(Ending::TimedOut));
    let received = program::<T, TcpClient>(engine, id).map(|t| String::from_utf8_lossy(t.received()).into_owned()).unwrap_or_default();
    let end = match (outcome.ending, outcome.errno) {
        (Ending::Connected | Ending::Replied | Ending::Sent | Ending::NoReply, _) => nc::NcEnd::Done(received),
        (Ending::TimedOut, None) => nc::NcEnd::TimedOut,
        (_, Some(errno)) => nc::NcEnd::Failed(errno),
        (_, None) => nc::NcEnd::TimedOut,
    };
    Ok((nc::render(n, &end), outcome))
}
