//! From a golden's topology to a world: hosts, cables, and the command lines that configure them.
//!
//! Nothing is used that a scenario could not say: namespaces, wires, `run:` lines, servers, actions in order.

use super::format::{Golden, Namespace};
use serde_json::{Map, Value};
use sim_core::apps::{Echo, Listen};
use sim_core::engine::build::NewNic;
use sim_core::engine::{Agenda, Engine, FlowKind, FlowSpec, LinkProps, SendOptions, Start, World};
use sim_core::linux::{FlowId, NetnsId};
use sim_core::packet::{Body, Bytes, Endpoint, Icmp, IcmpKind, Ipv4Addr, Ipv4Header, Ipv4Packet, Mac, Tcp, TcpFlags, TcpOptions, Udp};
use sim_core::shell;
use sim_core::trace::Recording;
use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

/// Why a golden cannot be run.
#[derive(Debug, thiserror::Error)]
pub enum BuildError {
    /// The simulator cannot do this yet, or refuses it.
    #[error("{namespace}: `{line}`: {why}")]
    Refused {
        /// Where.
        namespace: String,
        /// The command.
        line: String,
        /// What it said.
        why: String,
    },
    /// The file says something that makes no sense.
    #[error("{0}")]
    Bad(String),
}

/// The lab waits this long between two actions.
const SETTLE: Duration = Duration::from_millis(60);

/// A world ready to run, and what is to be done in it.
#[derive(Debug)]
pub struct Built {
    /// The world.
    pub engine: Engine<Recording>,
    /// The flows of all actions.
    pub agenda: Agenda,
    /// The first flow of each action; a `tcp` action is three: it opens, sends, and closes.
    pub first: Vec<usize>,
    /// What the lab calls the devices that it made, by hardware address.
    pub devices: BTreeMap<Mac, String>,
}

struct Builder {
    engine: Engine<Recording>,
    names: BTreeMap<String, NetnsId>,
    macs: BTreeMap<String, Mac>,
}

impl Builder {
    fn ns(&self, name: &str) -> Result<NetnsId, BuildError> {
        self.names.get(name).copied().ok_or_else(|| BuildError::Bad(format!("there is no namespace `{name}`")))
    }

    fn new_mac(&mut self, ns: &str, dev: &str) -> Mac {
        let n = self.macs.len() as u16 + 1;
        let [hi, lo] = n.to_be_bytes();
        let mac = Mac([2, 0, 0, 0, hi, lo]);
        self.macs.insert(format!("{ns}/{dev}"), mac);
        mac
    }

    /// `@ns/dev` stands for that device's hardware address.
    fn symbols(&self, line: &str) -> Result<String, BuildError> {
        let words: Result<Vec<String>, BuildError> = line
            .split_whitespace()
            .map(|w| match w.strip_prefix('@') {
                Some(place) => {
                    self.macs.get(place).map(ToString::to_string).ok_or_else(|| BuildError::Bad(format!("there is no device `{place}`")))
                }
                None => Ok(w.to_owned()),
            })
            .collect();
        Ok(words?.join(" "))
    }

    fn run(&mut self, name: &str, line: &str) -> Result<(), BuildError> {
        let at = self.ns(name)?;
        let refused =
            |why: String| BuildError::Refused { namespace: name.to_owned(), line: line.lines().next().unwrap_or("").to_owned(), why };
        let out = shell::exec::configure(&mut self.engine, at, line, &"golden".into());
        if out.status == 0 { Ok(()) } else { Err(refused(out.stderr.trim().to_owned())) }
    }
}

fn place(text: &str) -> Result<(&str, &str), BuildError> {
    text.split_once('/').ok_or_else(|| BuildError::Bad(format!("`{text}` is no namespace/device")))
}

fn value_text(v: &Value) -> String {
    match v {
        Value::String(s) => s.clone(),
        other => other.to_string(),
    }
}

/// Builds the world of a golden.
///
/// # Errors
/// When the golden asks for something that the simulator cannot do, or that makes no sense.
pub fn build(golden: &Golden) -> Result<Built, BuildError> {
    let mut b = Builder { engine: Engine::new(World::new(1), Recording::default()), names: BTreeMap::new(), macs: BTreeMap::new() };
    let t = &golden.topology;
    // a namespace beside another comes behind it, whatever the order of the names
    let (own, beside): (Vec<_>, Vec<_>) = t.netns.iter().partition(|(_, ns)| ns.host.is_none());
    for (name, ns) in own.into_iter().chain(beside) {
        let root = match &ns.host {
            None => {
                let host = b.engine.world.add_host(name);
                b.engine.world.hosts[host.0 as usize].root
            }
            Some(host) => {
                let id = b.engine.world.host_by_name(host).ok_or_else(|| BuildError::Bad(format!("there is no machine `{host}`")))?;
                b.engine.world.add_netns(id, name).ok_or_else(|| BuildError::Bad(format!("there are two namespaces `{name}`")))?
            }
        };
        let info = &mut b.engine.world.info[root.0 as usize];
        info.hidden = ns.switch;
        info.label = name.as_str().into();
        b.names.insert(name.clone(), root);
    }
    for (name, ns) in &t.netns {
        b.run(name, "ip link set lo up")?;
        for key in ["iptables", "ip6tables", "arptables"] {
            b.run(name, &format!("sysctl -w net.bridge.bridge-nf-call-{key}=0"))?;
        }
        for bridge in ns.bridges.keys() {
            let mac = b.new_mac(name, bridge);
            b.run(name, &format!("ip link add {bridge} address {mac} type bridge mcast_snooping 0"))?;
        }
    }
    for l in &t.links {
        let ((a, ad), (c, cd)) = (place(&l.a)?, place(&l.b)?);
        let nics = [(a, ad), (c, cd)].map(|(ns, dev)| NewNic { name: dev.into(), mac: Some(b.new_mac(ns, dev)), mtu: l.mtu });
        let (from, to) = (b.ns(a)?, b.ns(c)?);
        b.engine.world.add_cable((from, &nics[0]), (to, &nics[1]), LinkProps::default()).map_err(|e| BuildError::Bad(e.to_string()))?;
    }
    for (name, ns) in &t.netns {
        for line in device_lines(&mut b, name, ns) {
            b.run(name, &line)?;
        }
    }
    for l in &t.links {
        for end in [&l.a, &l.b] {
            let (ns, dev) = place(end)?;
            b.run(ns, &format!("ip link set {dev} up"))?;
        }
    }
    for (name, ns) in &t.netns {
        for dev in ns.bridges.keys().chain(ns.vxlan.keys()) {
            b.run(name, &format!("ip link set {dev} up"))?;
        }
        for line in address_lines(ns) {
            let line = b.symbols(&line)?;
            b.run(name, &line)?;
        }
        let restores =
            [(&ns.ipset, "ipset restore"), (&ns.ipvs, "ipvsadm -R"), (&ns.iptables, "iptables-restore -n"), (&ns.nft, "nft -f -")];
        for (text, command) in restores {
            if let Some(text) = text {
                b.run(name, &format!("{command} <<EOF\n{}\nEOF", text.trim_end()))?;
            }
        }
    }
    for (name, ns) in &t.netns {
        let devices: Vec<String> =
            b.engine.world.ns(b.ns(name)?).map(|n| n.config.devices.iter().map(|d| d.name.to_string()).collect()).unwrap_or_default();
        for dev in devices.iter().filter(|d| *d != "lo") {
            let delay = ns.arp_probe_delay.unwrap_or(600);
            b.run(name, &format!("sysctl -w net/ipv4/neigh/{dev}/delay_first_probe_time={delay}"))?;
        }
    }
    for s in &golden.serve {
        let mut listen = if s.proto == "udp" { Listen::udp(s.netns.as_str(), s.port) } else { Listen::tcp(s.netns.as_str(), s.port) };
        if let Some(addr) = &s.addr {
            listen.at.addr = addr.parse().map_err(|_| BuildError::Bad(format!("`{addr}` is no address")))?;
        }
        let ns = b.ns(&s.netns)?;
        b.engine.world.spawn(ns, &s.netns, FlowId::NONE, Box::new(Echo::new(listen)));
    }
    let (agenda, first) = agenda(golden, &b)?;
    let now = b.engine.world.now;
    b.engine.run_until(now).map_err(|_| BuildError::Bad("the network is a loop".to_owned()))?;
    // what was told while the network was built is of no interest
    b.engine.trace = Recording::default();
    let devices = b.macs.iter().map(|(name, mac)| (*mac, name.clone())).collect();
    Ok(Built { engine: b.engine, agenda, first, devices })
}

fn device_lines(b: &mut Builder, name: &str, ns: &Namespace) -> Vec<String> {
    let mut lines = Vec::new();
    for (dev, v) in &ns.vxlan {
        let mac = b.new_mac(name, dev);
        let learning = if v.learning { "" } else { " nolearning" };
        let mtu = v.mtu.unwrap_or(1450);
        lines.push(format!(
            "ip link add {dev} address {mac} mtu {mtu} type vxlan id {} dev {} local {} dstport {}{learning}",
            v.vni, v.dev, v.local, v.port
        ));
    }
    for dev in &ns.dummy {
        let mac = b.new_mac(name, dev);
        lines.push(format!("ip link add {dev} address {mac} type dummy"));
    }
    for (dev, v) in &ns.ipip {
        let text = |k: &str, default: &str| v.get(k).map_or(default.to_owned(), value_text);
        lines.push(
            format!("ip link add {dev} type ipip local {} ttl {} {}", text("local", "0.0.0.0"), text("ttl", "inherit"), text("opts", ""))
                .trim_end()
                .to_owned(),
        );
        lines.push(format!("ip link set {dev} mtu {} up", text("mtu", "1480")));
    }
    for (bridge, br) in &ns.bridges {
        lines.extend(br.ports.iter().map(|p| format!("ip link set {p} master {bridge}")));
        lines.extend(br.hairpin.iter().map(|p| format!("ip link set {p} type bridge_slave hairpin on")));
        lines.push(format!("ip link set {bridge} mtu {}", br.mtu.unwrap_or(1500)));
    }
    lines
}

fn address_lines(ns: &Namespace) -> Vec<String> {
    let mut lines: Vec<String> = ns.sysctl.iter().map(|(k, v)| format!("sysctl -w {k}={}", value_text(v))).collect();
    for (dev, addrs) in &ns.addr {
        lines.extend(addrs.iter().map(|a| format!("ip addr add {a} dev {dev}")));
    }
    lines.extend(ns.routes.iter().map(|r| format!("ip route add {r}")));
    lines.extend(ns.rules.iter().map(|r| format!("ip rule add {r}")));
    lines.extend(ns.neigh.iter().map(|r| format!("ip neigh replace {r}")));
    lines.extend(ns.fdb.iter().map(|r| format!("bridge fdb {r}")));
    lines
}

fn agenda(golden: &Golden, b: &Builder) -> Result<(Agenda, Vec<usize>), BuildError> {
    let mut flows: Vec<FlowSpec> = Vec::new();
    let mut first = Vec::new();
    for (i, o) in golden.outcome.iter().enumerate() {
        let Some(Value::Object(action)) = o.get("action") else {
            return Err(BuildError::Bad(format!("outcome {i} has no action")));
        };
        let start = Start::After(if i == 0 { Duration::ZERO } else { SETTLE });
        first.push(flows.len());
        let flow = action_flow(i, action, start, b, &flows)?;
        let whole = action.get("do").and_then(Value::as_str) == Some("tcp");
        let then = |what: &str, wait: u32, kind: FlowKind| FlowSpec {
            name: format!("{}#{what}", flow.name).into(),
            from: flow.from,
            start: Start::After(SETTLE * wait),
            kind,
            options: flow.options.clone(),
        };
        // the lab waits after each call of its own, and the server's answer takes one more
        let send = then("send", 1, FlowKind::Send { on: flow.name.clone(), data: "hello".into() });
        let close = then("close", 2, FlowKind::Close { on: flow.name.clone() });
        flows.push(flow);
        if whole {
            flows.extend([send, close]);
        }
    }
    let linger = golden.linger.as_ref().and_then(|n| seconds(&Value::Number(n.clone()))).unwrap_or(Duration::from_millis(150));
    Ok((Agenda { flows, changes: Vec::new(), linger: SETTLE + linger }, first))
}

/// A JSON number of seconds, read from its digits.
fn seconds(v: &Value) -> Option<Duration> {
    let text = v.to_string();
    let (whole, part) = text.split_once('.').unwrap_or((&text, ""));
    let nanos: String = part.chars().chain("000000000".chars()).take(9).collect();
    Some(Duration::new(whole.parse().ok()?, nanos.parse().ok()?))
}

fn action_flow(i: usize, a: &Map<String, Value>, start: Start, b: &Builder, before: &[FlowSpec]) -> Result<FlowSpec, BuildError> {
    let text = |k: &str| a.get(k).and_then(Value::as_str);
    let number = |k: &str| a.get(k).and_then(Value::as_u64);
    let bad = |what: &str| BuildError::Bad(format!("action {i}: {what}"));
    let what = text("do").ok_or_else(|| bad("no `do`"))?;
    let place = text("from").or_else(|| text("netns"));
    let from = match place {
        Some(p) => b.ns(p)?,
        None => NetnsId(0),
    };
    let addr = |k: &str| -> Result<std::net::IpAddr, BuildError> {
        text(k).and_then(|t| t.parse().ok()).ok_or_else(|| bad(&format!("no address `{k}`")))
    };
    let port = |k: &str| number(k).and_then(|n| u16::try_from(n).ok());
    let name: Arc<str> = text("id").map_or_else(|| format!("{what}-{i}"), ToOwned::to_owned).into();
    let known = before.iter().any(|f| f.name == name);
    let bind = text("bind").map(|t| t.parse().map_err(|_| bad("bind"))).transpose()?;
    let mut options = SendOptions {
        sport: port("sport"),
        bind,
        ttl: number("ttl").map(|n| n as u8),
        pmtudisc: number("pmtudisc").map(|n| n as u8),
        size: number("size").map(|n| n as usize),
        timeout: Some(a.get("timeout").and_then(seconds).unwrap_or(Duration::from_millis(800))),
    };
    let kind = match what {
        "ping" => {
            options.size = Some(options.size.unwrap_or(8));
            FlowKind::Ping {
                to: addr("to")?,
                count: 1,
                interval: Duration::from_secs(1),
                ident: Some(port("ident").unwrap_or(0x101)),
                seq: port("seq").unwrap_or(1),
            }
        }
        "tcp" | "tcp_open" => FlowKind::Tcp { to: addr("to")?, port: port("port").unwrap_or(0), data: Bytes::EMPTY, hold: true },
        "tcp_send" => FlowKind::Send { on: name.clone(), data: "hello".into() },
        "tcp_close" => FlowKind::Close { on: name.clone() },
        "udp" => {
            options.size = Some(options.size.unwrap_or(5));
            FlowKind::Udp {
                to: addr("to")?,
                port: port("port").unwrap_or(0),
                hold: text("id").is_some(),
                reuse: known.then(|| name.clone()),
            }
        }
        "raw" => FlowKind::Raw { packet: raw_packet(a).ok_or_else(|| bad("a raw packet that cannot be"))?.into() },
        "exec" => {
            let cmd = text("cmd").ok_or_else(|| bad("no `cmd`"))?;
            let cmd = if cmd.contains('@') { b.symbols(cmd)? } else { cmd.to_owned() };
            let line = match text("stdin") {
                Some(s) => format!("{cmd} <<EOF\n{}\nEOF", s.trim_end()),
                None => cmd,
            };
            FlowKind::Run { line: line.into() }
        }
        "serve" => FlowKind::Serve {
            proto: if text("proto") == Some("udp") { 17 } else { 6 },
            at: Endpoint::new(text("addr").and_then(|t| t.parse().ok()).unwrap_or(Ipv4Addr::UNSPECIFIED.into()), port("port").unwrap_or(0)),
        },
        "sleep" => FlowKind::Sleep(a.get("s").and_then(seconds).ok_or_else(|| bad("no `s`"))?),
        other => return Err(bad(&format!("unknown action `{other}`"))),
    };
    // a socket's later datagrams, and what is done with a connection, are flows of their own
    let own: Arc<str> = if known { format!("{name}#{i}").into() } else { name };
    Ok(FlowSpec { name: own, from, start, kind, options })
}

/// A crafted packet, as the lab's `raw` action makes it.
fn raw_packet(a: &Map<String, Value>) -> Option<Vec<u8>> {
    let addr = |k: &str| a.get(k)?.as_str()?.parse::<Ipv4Addr>().ok();
    let number = |k: &str, default: u64| a.get(k).and_then(Value::as_u64).unwrap_or(default);
    let flag = |k: &str| a.get(k).is_some_and(|v| v.as_bool().unwrap_or(v.as_u64().is_some_and(|n| n != 0)));
    let payload = Bytes::filled(b'r', number("size", 0) as usize);
    let (src_port, dst_port) = (number("sport", 0) as u16, number("dport", 0) as u16);
    let body = match a.get("proto")?.as_str()? {
        "udp" => Body::Udp(Udp { src_port, dst_port, no_checksum: true, checksum_error: 0, payload }),
        "icmp" => Body::Icmp(Icmp::new(IcmpKind::EchoRequest { id: src_port, seq: dst_port, payload })),
        _ => {
            let flags = a.get("flags")?.as_str()?.chars().fold(TcpFlags::default(), |f, c| {
                f.with(match c {
                    'S' => TcpFlags::SYN,
                    'A' => TcpFlags::ACK,
                    'R' => TcpFlags::RST,
                    'F' => TcpFlags::FIN,
                    _ => TcpFlags::PSH,
                })
            });
            let acks = flags.has(TcpFlags::ACK);
            Body::Tcp(Tcp {
                src_port,
                dst_port,
                seq: number("seqno", 1000) as u32,
                ack: number("ackno", if acks { 2000 } else { 0 }) as u32,
                flags,
                window: 1024,
                urgent: 0,
                checksum_error: number("corrupt", 0) as u16,
                options: TcpOptions::default(),
                payload,
            })
        }
    };
    let header = Ipv4Header {
        tos: 0,
        id: number("ipid", 777) as u16,
        dont_fragment: flag("df"),
        more_fragments: false,
        fragment_offset: 0,
        ttl: number("ttl", 64) as u8,
        src: addr("src")?,
        dst: addr("dst")?,
        checksum_error: 0,
    };
    Some(Ipv4Packet { header, body }.encode())
}
