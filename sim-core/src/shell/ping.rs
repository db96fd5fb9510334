//! `ping`: ICMP echo.
//!
//! Models: iputils 20221126 ping/ping.c, ping/ping_common.c, its wording included.
//! Simplifies: without `-c` there is nobody to stop it; it ends after [`DEFAULT_COUNT`] requests. Names of hosts are left to the engine.

use super::answer::Answer;
use super::args::Args;
use super::flow::{FlowCommand, Letters, seconds};
use super::{Command, ShellError, Spec};
use crate::linux::Errno;
use crate::linux::socket::PmtuDisc;
use crate::packet::{IpAddr, Ipv4Addr};
use std::fmt::Write as _;
use std::sync::Arc;
use std::time::Duration;

/// The command.
pub static SPEC: Spec = Spec {
    name: "ping",
    about: "ICMP echo",
    usage: "ping [-c COUNT] [-i SECONDS] [-W SECONDS] [-w SECONDS] [-s SIZE] [-t TTL] [-M do|dont|want] [-I ADDRESS|DEVICE] [-q] [-n] DESTINATION",
    parse,
};

/// How many requests are sent if nobody says how many.
pub const DEFAULT_COUNT: u32 = 4;

/// A `ping`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Ping {
    /// Destination, an address or a name.
    pub host: Arc<str>,
    /// `-c`.
    pub count: Option<u32>,
    /// `-i`; a second if not given.
    pub interval: Option<Duration>,
    /// `-W`: how long to wait for the last answer; 10 seconds if not given, or twice the longest time seen.
    pub timeout: Option<Duration>,
    /// `-w`: when to end whatever happens.
    pub deadline: Option<Duration>,
    /// `-s`, bytes of data.
    pub size: u32,
    /// `-t`.
    pub ttl: Option<u8>,
    /// `-M`.
    pub pmtudisc: Option<PmtuDisc>,
    /// `-I` with an address.
    pub source: Option<IpAddr>,
    /// `-I` with a device.
    pub device: Option<Arc<str>>,
    /// `-q`.
    pub quiet: bool,
}

impl Ping {
    /// How many requests are sent.
    pub fn count(&self) -> u32 {
        self.count.unwrap_or(DEFAULT_COUNT)
    }
}

fn number(args: &Args<'_>, w: &str, min: u64, max: u64) -> Result<u64, ShellError> {
    let n: i128 = w.parse().map_err(|_| args.error_status(format!("ping: invalid argument: '{w}'"), 1))?;
    if n < i128::from(min) || n > i128::from(max) {
        return Err(args.error_status(format!("ping: invalid argument: '{w}': out of range: {min} <= value <= {max}"), 1));
    }
    Ok(n as u64)
}

fn parse(args: &mut Args<'_>) -> Result<Command, ShellError> {
    args.status = 2;
    let mut ping = Ping {
        host: "".into(),
        count: None,
        interval: None,
        timeout: None,
        deadline: None,
        size: 56,
        ttl: None,
        pmtudisc: None,
        source: None,
        device: None,
        quiet: false,
    };
    let mut host: Option<Arc<str>> = None;
    while let Some(word) = args.next() {
        let Some(mut letters) = Letters::of(word) else {
            if word.starts_with("--") {
                return Err(args.error("ping: invalid option -- '-'").help(SPEC.usage));
            }
            if host.is_some() {
                return Err(args.not_simulated("a route through several hosts"));
            }
            host = Some(word.into());
            continue;
        };
        while let Some(c) = letters.next() {
            match c {
                'q' => ping.quiet = true,
                'n' | '4' | 'v' => {}
                'c' | 'i' | 'W' | 'w' | 's' | 't' | 'M' | 'I' => {
                    let w = match letters.value() {
                        Some(w) => w,
                        None => match args.next() {
                            Some(w) => w,
                            None => return Err(args.end(format!("ping: option requires an argument -- '{c}'")).help(SPEC.usage)),
                        },
                    };
                    option(args, &mut ping, c, w)?;
                }
                'a' | 'A' | 'B' | 'C' | 'D' | 'd' | 'e' | 'f' | 'h' | 'L' | 'l' | 'm' | 'O' | 'p' | 'Q' | 'S' | 'U' | 'V' | 'b' | 'R'
                | 'T' | '6' | 'F' | 'N' | 'r' => return Err(args.not_simulated(format_args!("`-{c}`"))),
                c => return Err(args.error(format!("ping: invalid option -- '{c}'")).help(SPEC.usage)),
            }
        }
    }
    let Some(host) = host else {
        let mut e = args.end("ping: usage error: Destination address required");
        e.status = 1;
        return Err(e);
    };
    if host.contains(':') {
        return Err(args.not_simulated("IPv6"));
    }
    ping.host = host;
    Ok(Command::flow(FlowCommand::Ping(ping)))
}

fn option(args: &Args<'_>, ping: &mut Ping, c: char, w: &str) -> Result<(), ShellError> {
    let time = |w: &str| {
        seconds(w).ok_or_else(|| args.error(format!("ping: option argument contains garbage: {w}")).help("give seconds, such as 0.2"))
    };
    match c {
        'c' => ping.count = Some(number(args, w, 1, i64::MAX as u64)?.min(u64::from(u32::MAX)) as u32),
        'i' => ping.interval = Some(time(w)?),
        'W' => ping.timeout = Some(time(w)?),
        'w' => ping.deadline = Some(Duration::from_secs(number(args, w, 0, i32::MAX as u64)?)),
        's' => ping.size = number(args, w, 0, 65_507)? as u32,
        't' => ping.ttl = Some(number(args, w, 0, 255)? as u8).filter(|t| *t > 0),
        'M' => {
            ping.pmtudisc = Some(match w {
                "do" => PmtuDisc::Do,
                "dont" => PmtuDisc::Dont,
                "want" => PmtuDisc::Want,
                w => return Err(args.error(format!("ping: invalid -M argument: {w}"))),
            });
        }
        _ => match w.parse() {
            Ok(a) => ping.source = Some(a),
            Err(_) => ping.device = Some(w.into()),
        },
    }
    Ok(())
}

/// What a ping met, in order.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum PingEvent {
    /// An answer.
    Reply {
        /// Its sequence number.
        seq: u16,
        /// Who answered.
        from: IpAddr,
        /// TTL on arrival.
        ttl: u8,
        /// Bytes of the ICMP message.
        bytes: u32,
        /// How long it took.
        time: Duration,
        /// Requests sent until then.
        sent: u32,
    },
    /// An ICMP error.
    Icmp {
        /// Sequence number of the request.
        seq: u16,
        /// Who sent it.
        from: IpAddr,
        /// Type and code.
        icmp: (u8, u8),
        /// The MTU of "frag needed", the new gateway of a redirect as a number.
        info: u32,
        /// Requests sent until then.
        sent: u32,
    },
    /// A request was not sent, or its failure was reported by this host.
    Local {
        /// Why.
        errno: Errno,
        /// The MTU, with EMSGSIZE.
        mtu: u32,
    },
}

/// What became of a ping.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PingResult {
    /// The address that the name stood for.
    pub target: Option<IpAddr>,
    /// The source address that was chosen (for the headline of `-I`).
    pub source: Option<IpAddr>,
    /// A call that failed before anything was sent: `connect`, `bind`.
    pub failed: Option<(&'static str, Errno)>,
    /// What happened.
    pub events: Vec<PingEvent>,
    /// Requests sent.
    pub sent: u32,
    /// From the first request to the end.
    pub elapsed: Duration,
}

/// What ping says of an ICMP error (pr_icmph).
fn icmp_words((kind, code): (u8, u8), info: u32) -> String {
    let words = match (kind, code) {
        (3, 0) => "Destination Net Unreachable",
        (3, 1) => "Destination Host Unreachable",
        (3, 2) => "Destination Protocol Unreachable",
        (3, 3) => "Destination Port Unreachable",
        (3, 4) => return format!("Frag needed and DF set (mtu = {info})"),
        (3, 5) => "Source Route Failed",
        (3, 6) => "Destination Net Unknown",
        (3, 7) => "Destination Host Unknown",
        (3, 8) => "Source Host Isolated",
        (3, 9) => "Destination Net Prohibited",
        (3, 10) => "Destination Host Prohibited",
        (3, 11) => "Destination Net Unreachable for Type of Service",
        (3, 12) => "Destination Host Unreachable for Type of Service",
        (3, 13) => "Packet filtered",
        (3, 14) => "Precedence Violation",
        (3, 15) => "Precedence Cutoff",
        (3, c) => return format!("Dest Unreachable, Bad Code: {c}"),
        (4, _) => "Source Quench",
        (5, c) => {
            let what = match c {
                0 => "Redirect Network",
                1 => "Redirect Host",
                2 => "Redirect Type of Service and Network",
                3 => "Redirect Type of Service and Host",
                c => return format!("Redirect, Bad Code: {c}"),
            };
            return format!("{what}(New nexthop: {})", Ipv4Addr::from(info));
        }
        (11, 0) => "Time to live exceeded",
        (11, 1) => "Frag reassembly time exceeded",
        (11, c) => return format!("Time exceeded, Bad Code: {c}"),
        (12, _) => return format!("Parameter problem: pointer = {info}"),
        (t, _) => return format!("Bad ICMP type: {t}"),
    };
    words.to_owned()
}

/// A time in milliseconds with three significant digits or so, as ping rounds it.
fn time_words(us: u128) -> String {
    if us >= 100_000 - 50 {
        format!("{} ms", (us + 500) / 1_000)
    } else if us >= 10_000 - 5 {
        format!("{}.{:01} ms", (us + 50) / 1_000, (us + 50) % 1_000 / 100)
    } else if us >= 1_000 {
        format!("{}.{:02} ms", (us + 5) / 1_000, (us + 5) % 1_000 / 10)
    } else {
        format!("{}.{:03} ms", us / 1_000, us % 1_000)
    }
}

fn ms(us: u128) -> String {
    format!("{}.{:03}", us / 1_000, us % 1_000)
}

/// A share in percent, as `%g` prints it.
fn percent(part: u32, whole: u32) -> String {
    if whole == 0 {
        return "0".to_owned();
    }
    let (part, whole) = (u64::from(part) * 100, u64::from(whole));
    let decimals = match part / whole {
        100.. => 3,
        10.. => 4,
        1.. => 5,
        0 => 6,
    };
    let scale = 10u64.pow(decimals);
    let n = (part * scale + whole / 2) / whole;
    let text = format!("{}.{:0width$}", n / scale, n % scale, width = decimals as usize);
    text.trim_end_matches('0').trim_end_matches('.').to_owned()
}

/// What `ping` prints, and its exit status.
pub fn render(ping: &Ping, result: &PingResult) -> Answer {
    let Some(target) = result.target else {
        return Answer::failed(format!("ping: {}: Temporary failure in name resolution", ping.host), 2);
    };
    match result.failed {
        Some((_, Errno::EACCES)) => {
            return Answer::failed("ping: Do you want to ping broadcast? Then -b. If not, check your local firewall rules", 2);
        }
        Some((call, errno)) => return Answer::failed(format!("ping: {call}: {errno}"), 2),
        None => {}
    }
    let mut a = Answer::default();
    let from = match (&ping.device, ping.source.or(result.source)) {
        (Some(d), Some(s)) => format!("from {s} {d}: "),
        (None, Some(s)) if ping.source.is_some() => format!("from {s} : "),
        _ => String::new(),
    };
    let _ = writeln!(a.stdout, "PING {} ({target}) {from}{}({}) bytes of data.", ping.host, ping.size, ping.size + 28);
    let timed = ping.size >= 16;
    let mut times: Vec<u128> = Vec::new();
    let mut seen: Vec<u16> = Vec::new();
    let (mut received, mut duplicates, mut errors, mut pipe) = (0u32, 0u32, 0u32, 0u32);
    for e in &result.events {
        match e {
            PingEvent::Reply { seq, from, ttl, bytes, time, sent } => {
                pipe = pipe.max(sent.saturating_sub(u32::from(*seq)).saturating_add(1));
                let twice = seen.contains(seq);
                if twice {
                    duplicates += 1;
                } else {
                    received += 1;
                    seen.push(*seq);
                }
                if timed {
                    times.push(time.as_micros());
                }
                if !ping.quiet {
                    let _ = write!(a.stdout, "{bytes} bytes from {from}: icmp_seq={seq} ttl={ttl}");
                    if timed {
                        let _ = write!(a.stdout, " time={}", time_words(time.as_micros()));
                    }
                    a.stdout.push_str(if twice { " (DUP!)\n" } else { "\n" });
                }
            }
            PingEvent::Icmp { seq, from, icmp, info, sent } => {
                let redirect = icmp.0 == 5;
                if !redirect {
                    errors += 1;
                    pipe = pipe.max(sent.saturating_sub(u32::from(*seq)).saturating_add(1));
                }
                if !ping.quiet {
                    let colon = if redirect { ":" } else { "" };
                    let _ = writeln!(a.stdout, "From {from}{colon} icmp_seq={seq} {}", icmp_words(*icmp, *info));
                }
            }
            PingEvent::Local { errno: Errno::EMSGSIZE, mtu } if *mtu > 0 => {
                errors += 1;
                let _ = writeln!(a.stderr, "ping: local error: message too long, mtu={mtu}");
            }
            PingEvent::Local { errno, .. } => {
                if *errno != Errno::EPERM {
                    errors += 1;
                }
                let _ = writeln!(a.stderr, "ping: sendmsg: {errno}");
            }
        }
    }
    let _ = write!(a.stdout, "\n--- {} ping statistics ---\n{} packets transmitted, {received} received", ping.host, result.sent);
    if duplicates > 0 {
        let _ = write!(a.stdout, ", +{duplicates} duplicates");
    }
    if errors > 0 {
        let _ = write!(a.stdout, ", +{errors} errors");
    }
    let lost = percent(result.sent.saturating_sub(received), result.sent);
    let _ = writeln!(a.stdout, ", {lost}% packet loss, time {}ms", result.elapsed.as_millis());
    let mut comma = "";
    if let (Some(min), Some(max)) = (times.iter().min(), times.iter().max()) {
        let n = times.len() as u128;
        let sum: u128 = times.iter().sum();
        let squares: u128 = times.iter().map(|t| t * t).sum();
        let var = squares.saturating_sub(sum * sum / n) / n;
        let _ = write!(a.stdout, "rtt min/avg/max/mdev = {}/{}/{}/{} ms", ms(*min), ms(sum / n), ms(*max), ms(var.isqrt()));
        comma = ", ";
    }
    if pipe > 1 {
        let _ = write!(a.stdout, "{comma}pipe {pipe}");
    }
    a.stdout.push('\n');
    a.status = u8::from(received == 0);
    a
}
