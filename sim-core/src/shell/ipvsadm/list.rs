//! `ipvsadm -L` and `-S`.
//!
//! Models: ipvsadm 1.31 ipvsadm.c print_service_entry, print_title, print_conn, print_largenum; libipvs ipvs_cmp_services.

use super::options::{Cmd, Opt, Options};
use super::print::{dest_options, endpoint, flags, mask, service_options, switch};
use super::{Columns, Fail, Format, Show, fail};
use crate::linux::ipvs::stats::Counters;
use crate::linux::ipvs::{Conn, Dest, Forward, Ipvs, Rates, Service, VsKey};
use crate::linux::netfilter::option::service_name;
use crate::linux::{Netns, Time};
use crate::packet::{Family, Protocol};
use crate::shell::answer::Answer;
use std::fmt::Write as _;
use std::net::IpAddr;
use std::sync::Arc;

/// What `-L` or `-S` with those options shows.
pub(super) fn show(cmd: Cmd, key: Option<VsKey>, seen: &Options) -> Result<Show, Fail> {
    let numeric = seen.has(Opt::Numeric);
    if cmd == Cmd::Save {
        return Ok(Show::Services { key: None, format: Format { columns: Columns::Rule, numeric, ..Format::default() } });
    }
    let special = seen.has(Opt::Connection) || seen.has(Opt::Timeout) || seen.has(Opt::Daemon);
    let counted = seen.has(Opt::Stats) || seen.has(Opt::Rate) || seen.has(Opt::Thresholds);
    let other = seen.has(Opt::Timeout) || seen.has(Opt::Daemon);
    if special && counted || other && seen.has(Opt::PersistentConn) {
        return Err(fail("options conflicts in the list command"));
    }
    if seen.has(Opt::Connection) {
        return Ok(Show::Connections { numeric, engine: seen.has(Opt::PersistentConn) });
    }
    if key.is_none() && seen.has(Opt::Timeout) {
        return Ok(Show::Timeout);
    }
    if key.is_none() && seen.has(Opt::Daemon) {
        return Ok(Show::Daemon);
    }
    let columns = [
        (Opt::Stats, Columns::Stats),
        (Opt::Rate, Columns::Rate),
        (Opt::Thresholds, Columns::Thresholds),
        (Opt::PersistentConn, Columns::Persistent),
        (Opt::TunInfo, Columns::Tunnel),
    ];
    let columns = columns.iter().find(|(o, _)| seen.has(*o)).map_or(Columns::Plain, |(_, c)| *c);
    Ok(Show::Services { key, format: Format { columns, numeric, exact: seen.has(Opt::Exact), nosort: seen.has(Opt::NoSort) } })
}

/// Ports that have their name with UDP too.
const WITH_UDP: [u16; 12] = [7, 53, 67, 68, 69, 111, 123, 161, 389, 443, 514, 2049];

fn end(addr: IpAddr, port: u16, protocol: Protocol, numeric: bool) -> String {
    let known = match protocol {
        Protocol::TCP => ![67, 68, 69, 123, 514].contains(&port),
        Protocol::UDP => WITH_UDP.contains(&port),
        _ => false,
    };
    let name = if numeric || !known { None } else { service_name(port) };
    match (addr, name) {
        (IpAddr::V4(a), Some(name)) => format!("{a}:{name}"),
        (IpAddr::V6(a), Some(name)) => format!("[{a}]:{name}"),
        (_, None) => endpoint(addr, port),
    }
}

/// Numbers in nine columns, in thousands where they are too long (print_largenum).
pub(super) fn large(n: u64, exact: bool) -> String {
    if exact {
        let digits = n.to_string();
        let width = if digits.len() <= 8 { 9 } else { digits.len() + 1 };
        return format!("{digits:>width$}");
    }
    match n {
        0..100_000_000 => format!("{n:>9}"),
        100_000_000..1_000_000_000 => format!("{:>8}K", n / 1_000),
        1_000_000_000..100_000_000_000 => format!("{:>8}M", n / 1_000_000),
        100_000_000_000..100_000_000_000_000 => format!("{:>8}G", n / 1_000_000_000),
        _ => format!("{:>8}T", n / 1_000_000_000_000),
    }
}

fn counters(c: &Counters, exact: bool) -> String {
    [c.conns, c.inpkts, c.outpkts, c.inbytes, c.outbytes].iter().map(|n| large(*n, exact)).collect()
}

fn title(columns: Columns) -> &'static str {
    match columns {
        Columns::Rule => "",
        Columns::Stats => "Prot LocalAddress:Port               Conns   InPkts  OutPkts  InBytes OutBytes\n  -> RemoteAddress:Port\n",
        Columns::Rate => "Prot LocalAddress:Port                 CPS    InPPS   OutPPS    InBPS   OutBPS\n  -> RemoteAddress:Port\n",
        Columns::Thresholds => "Prot LocalAddress:Port            Uthreshold Lthreshold ActiveConn InActConn \n  -> RemoteAddress:Port\n",
        Columns::Persistent => "Prot LocalAddress:Port            Weight    PersistConn ActiveConn InActConn \n  -> RemoteAddress:Port\n",
        Columns::Tunnel => {
            "Prot LocalAddress:Port Scheduler Flags\n  -> RemoteAddress:Port           Forward TunnelInfo    Weight ActiveConn InActConn\n"
        }
        Columns::Plain => "Prot LocalAddress:Port Scheduler Flags\n  -> RemoteAddress:Port           Forward Weight ActiveConn InActConn\n",
    }
}

fn cut(text: &str, len: usize) -> &str {
    text.get(..len).unwrap_or(text)
}

fn service_line(out: &mut String, s: &Service, ipvs: &Ipvs, format: Format, now: Time) {
    let family = s.key.family();
    let name = match s.key {
        VsKey::Addr(protocol, addr, port) => {
            let name = end(addr, port, protocol, format.numeric);
            let kind = match protocol {
                Protocol::TCP => "TCP",
                Protocol::UDP => "UDP",
                _ => "SCTP",
            };
            match format.columns {
                Columns::Rule => format!("{} {name}", switch(protocol)),
                _ if family == Family::Inet => cut(&format!("{kind:<4} {name}"), 33).to_owned(),
                _ => format!("{kind:<4} {name}"),
            }
        }
        VsKey::Fwmark(_, mark) => {
            let v6 = family == Family::Inet6;
            match format.columns {
                Columns::Rule => format!("-f {mark}{}", if v6 { " -6" } else { "" }),
                _ => format!("FWM  {mark}{}", if v6 { " IPv6" } else { "" }),
            }
        }
    };
    let stats = ipvs.services.get(&s.row).map(|x| &x.stats);
    let _ = match format.columns {
        Columns::Rule => writeln!(out, "-A {name} {}", service_options(family, &s.spec)),
        Columns::Stats => {
            let c = stats.map(|x| x.counters()).unwrap_or_default();
            writeln!(out, "{name:<33}{}", counters(&c, format.exact))
        }
        Columns::Rate => {
            let r = stats.map(|x| x.rates(now)).unwrap_or_default();
            let all: String = [r.cps, r.inpps, r.outpps, r.inbps, r.outbps].iter().map(|n| large(*n, format.exact)).collect();
            writeln!(out, "{name:<33}{all}")
        }
        _ => {
            let mut line = format!("{name} {}", s.spec.scheduler.name());
            if s.spec.flags.sched != 0 {
                let _ = write!(line, " ({})", flags(&s.spec));
            }
            if s.spec.flags.persistent {
                let _ = write!(line, " persistent {}", s.spec.timeout);
                if let Some(mask) = mask(family, &s.spec) {
                    let _ = write!(line, " mask {mask}");
                }
            }
            if s.spec.flags.one_packet {
                line.push_str(" ops");
            }
            writeln!(out, "{line}")
        }
    };
    for d in sorted(&s.dests, format.nosort, |a, b| order(a.addr, b.addr).then(i64::from(a.port) - i64::from(b.port))) {
        dest_line(out, s, d, &name, ipvs, format, now);
    }
}

fn dest_line(out: &mut String, s: &Service, d: &Dest, service: &str, ipvs: &Ipvs, format: Format, now: Time) {
    let protocol = match s.key {
        VsKey::Addr(p, ..) => p,
        VsKey::Fwmark(..) => Protocol(0),
    };
    let full = end(d.addr, d.port, protocol, format.numeric);
    let name = if s.key.family() == Family::Inet && format.columns != Columns::Rule { cut(&full, 28) } else { &full };
    let Some(state) = ipvs.dests.get(&d.row) else { return };
    let forward = match d.spec.forward {
        Forward::Masq => "Masq",
        Forward::Tunnel => "Tunnel",
        Forward::Route => "Route",
    };
    let (weight, active, inactive) = (d.spec.weight, state.active, state.inactive);
    let _ = match format.columns {
        Columns::Rule => writeln!(out, "-a {service} -r {name} {}", dest_options(&d.spec)),
        Columns::Stats => writeln!(out, "  -> {name:<28}{}", counters(&state.stats.counters(), format.exact)),
        Columns::Rate => {
            let Rates { cps, inpps, outpps, inbps, outbps } = state.stats.rates(now);
            let bytes = large(inbps, format.exact) + &large(outbps, format.exact);
            writeln!(out, "  -> {name:<28} {cps:>8} {inpps:>8} {outpps:>8}{bytes}")
        }
        Columns::Thresholds => {
            writeln!(out, "  -> {name:<28} {:<10} {:<10} {active:<10} {inactive:<10}", d.spec.upper, d.spec.lower)
        }
        Columns::Persistent => {
            writeln!(out, "  -> {name:<28} {weight:<9} {:<11} {active:<10} {inactive:<10}", state.persistent)
        }
        Columns::Tunnel => {
            let info = if d.spec.forward == Forward::Tunnel { "ipip" } else { "n/a" };
            writeln!(out, "  -> {name:<28} {forward:<7} {info:<13} {weight:<6} {active:<10} {inactive:<10}")
        }
        Columns::Plain => writeln!(out, "  -> {name:<28} {forward:<7} {weight:<6} {active:<10} {inactive:<10}"),
    };
}

/// The difference that the tool sorts by: it is cut to 32 bits with a sign, so that addresses far apart come the other way round.
#[derive(Clone, Copy, PartialEq, Eq)]
struct Order(i64);

impl Order {
    fn then(self, next: i64) -> i64 {
        if self.0 == 0 { next } else { self.0 }
    }
}

fn order(a: IpAddr, b: IpAddr) -> Order {
    let words = |addr: IpAddr| match addr {
        IpAddr::V4(a) => vec![u32::from(a)],
        IpAddr::V6(a) => a.octets().chunks_exact(4).map(|c| u32::from_be_bytes([c[0], c[1], c[2], c[3]])).collect(),
    };
    let different = words(a).into_iter().zip(words(b)).map(|(x, y)| x.wrapping_sub(y) as i32).find(|d| *d != 0);
    Order(i64::from(different.unwrap_or(0)))
}

fn service_order(a: &Service, b: &Service) -> i64 {
    let mark = i64::from(a.key.fwmark().wrapping_sub(b.key.fwmark()) as i32);
    let family = i64::from(a.key.family() as i32) - i64::from(b.key.family() as i32);
    let rest = match (&a.key, &b.key) {
        (VsKey::Addr(p, addr, port), VsKey::Addr(q, other, at)) => {
            let protocol = i64::from(p.0) - i64::from(q.0);
            if protocol != 0 { protocol } else { order(*addr, *other).then(i64::from(*port) - i64::from(*at)) }
        }
        _ => 0,
    };
    [mark, family, rest].into_iter().find(|d| *d != 0).unwrap_or(0)
}

/// The C library's merge sort: the order is not always one, so the way of sorting shows.
fn sorted<T>(list: &[T], nosort: bool, by: impl Fn(&T, &T) -> i64 + Copy) -> Vec<&T> {
    let all: Vec<&T> = list.iter().collect();
    if nosort { all } else { merge(&all, by) }
}

fn merge<'a, T>(list: &[&'a T], by: impl Fn(&T, &T) -> i64 + Copy) -> Vec<&'a T> {
    if list.len() < 2 {
        return list.to_vec();
    }
    let (a, b) = list.split_at(list.len() / 2);
    let (a, b) = (merge(a, by), merge(b, by));
    let (mut a, mut b) = (a.into_iter().peekable(), b.into_iter().peekable());
    let mut out = Vec::with_capacity(list.len());
    while let (Some(x), Some(y)) = (a.peek(), b.peek()) {
        let next = if by(x, y) <= 0 { a.next() } else { b.next() };
        out.extend(next);
    }
    out.extend(a.chain(b));
    out
}

fn connection(out: &mut String, c: &Conn, numeric: bool, now: Time) {
    let (kind, protocol) = match c.key.protocol {
        Protocol::TCP => ("TCP", Protocol::TCP),
        Protocol::UDP => ("UDP", Protocol::UDP),
        Protocol(0) => ("IP", Protocol(0)),
        // the tool knows no names of its ports
        _ => ("SCTP", Protocol(0)),
    };
    let left = c.expires.since(now).as_secs();
    let time = format!("{:02}:{:02}", left / 60, left % 60);
    let name = |addr, port| end(addr, port, protocol, numeric);
    let (source, at, to) = (name(c.key.client, c.key.cport), name(c.key.server, c.key.port), name(c.daddr, c.dport));
    let _ = writeln!(out, "{kind:<3} {time:<6} {:<11} {source:<18} {at:<18} {to}", c.state_name());
}

/// Answers a question about IPVS.
pub(in crate::shell) fn answer(ns: &Netns, show: &Show, now: Time) -> Answer {
    // connections whose time is over are not listed, nor counted
    let ipvs = ns.ipvs.at(now);
    let config = &ns.config.ipvs;
    let mut out = String::new();
    match show {
        Show::Timeout => {
            let t = &config.timeouts;
            let _ = writeln!(out, "Timeout (tcp tcpfin udp): {} {} {}", t.tcp, t.tcp_fin, t.udp);
        }
        Show::Daemon => {}
        Show::Connections { numeric, engine } => {
            out.push_str("IPVS connection entries\npro expire state       source             virtual            destination");
            out.push_str(if *engine { "        pe name          pe_data\n" } else { "\n" });
            for c in ipvs.conns.list() {
                connection(&mut out, c, *numeric, now);
            }
        }
        Show::Services { key: Some(key), format } => {
            let Some(s) = config.services.get(key) else { return Answer::failed("No such service", 1) };
            out.push_str(title(format.columns));
            service_line(&mut out, s, &ipvs, *format, now);
        }
        Show::Services { key: None, format } => {
            if format.columns != Columns::Rule {
                out.push_str("IP Virtual Server version 1.2.1 (size=4096)\n");
            }
            out.push_str(title(format.columns));
            let all: Vec<Arc<Service>> = config.services.values().cloned().collect();
            for s in sorted(&all, format.nosort, |a, b| service_order(a, b)) {
                service_line(&mut out, s, &ipvs, *format, now);
            }
        }
    }
    Answer::printed(out)
}
