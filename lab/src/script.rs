//! A plan as a shell script that a student can run: the same namespaces, wires and commands, with names that can be read.
//!
//! The script makes namespaces of its own (`pw<pid>-…`), runs the traffic with the usual tools, and deletes the namespaces when it ends,
//! however it ends.

use crate::plan::checked::{Deed, Places, Refusal, deeds, ops_of};
use crate::plan::{Card, Plan};
use sim_core::engine::{FlowKind, FlowSpec, Start};
use sim_core::linux::socket::SocketKind;
use sim_core::linux::{NetnsId, Op};
use sim_core::packet::{Ipv4Packet, Mac};
use sim_core::shell::lex::quote;
use std::fmt::Write as _;

/// Ends the text of a here-document; no rule is called so.
const END: &str = "END_OF_INPUT";

/// Servers and clients: what a client says comes back; who speaks HTTP is answered in HTTP.
const TALK: &str = r#"serve() {
    in_ns "$1" python3 -c '
import socketserver, sys
def answer(d):
    http = d[:4] in (b"GET ", b"HEAD", b"POST")
    return b"HTTP/1.1 200 OK\r\nContent-Length: 6\r\n\r\nhello\n" if http else d
class Tcp(socketserver.BaseRequestHandler):
    def handle(self): self.request.sendall(answer(self.request.recv(4096)))
class Udp(socketserver.BaseRequestHandler):
    def handle(self): self.request[1].sendto(self.request[0], self.client_address)
socketserver.TCPServer.allow_reuse_address = True
kind, at = sys.argv[1], ("", int(sys.argv[2]))
(socketserver.TCPServer(at, Tcp) if kind == "tcp" else socketserver.UDPServer(at, Udp)).serve_forever()
' "$2" "$3"
}
listens() {
    local n
    for n in {1..50}; do
        [ -z "$(in_ns "$1" ss -Hln --"$2" "sport = :$3")" ] || return 0
        sleep 0.1
    done
    echo "nobody listens on $2 port $3 of $1" >&2
}
talk() { in_ns "$1" timeout 4 bash -c 'exec 3<>"/dev/$0/$1/$2" && echo hello >&3 && timeout 1 head -n 1 <&3' "$2" "$3" "$4"; }"#;

/// Namespaces by placeholders that the script's own names take the place of.
struct Named<'a> {
    plan: &'a Plan,
}

impl Places for Named<'_> {
    fn handle(&self, from: NetnsId, name: &str) -> Option<String> {
        self.netns(from, name).map(|id| format!("@netns-{}@", id.0))
    }
    fn mac(&self, netns: NetnsId, dev: &str) -> Option<Mac> {
        self.plan.macs.get(&(netns, dev.into())).copied()
    }
    fn netns(&self, from: NetnsId, name: &str) -> Option<NetnsId> {
        let host = *self.plan.hosts.get(from.0 as usize)?;
        self.plan.names.get(&(host, name.into())).copied()
    }
}

/// The names that namespaces have in the script, behind its prefix.
fn names(plan: &Plan) -> Vec<String> {
    let mut out: Vec<String> = Vec::new();
    for (i, p) in plan.places.iter().enumerate() {
        let plain: String = p.label.chars().map(|c| if c.is_ascii_alphanumeric() || c == '-' { c } else { '_' }).take(40).collect();
        out.push(if plain.is_empty() || out.contains(&plain) { format!("{plain}_{i}") } else { plain });
    }
    out
}

struct Script<'a> {
    plan: &'a Plan,
    names: Vec<String>,
    text: String,
}

impl Script<'_> {
    fn line(&mut self, text: impl AsRef<str>) {
        self.text.push_str(text.as_ref());
        self.text.push('\n');
    }

    fn name(&self, id: NetnsId) -> &str {
        self.names.get(id.0 as usize).map_or("nowhere", String::as_str)
    }

    /// A word of a command, quoted; a placeholder becomes the name of its namespace.
    fn word(&self, w: &str) -> String {
        match w.strip_prefix("@netns-").and_then(|w| w.strip_suffix('@')).and_then(|n| n.parse().ok()) {
            Some(n) => format!("\"${{p}}{}\"", self.name(NetnsId(n))),
            None => quote(w),
        }
    }

    fn deed(&mut self, netns: NetnsId, d: &Deed) {
        let name = self.name(netns).to_owned();
        match d {
            Deed::Sysctl { path, value } => self.line(format!("in_ns {name} sysctl -qw {}", quote(&format!("{path}={value}")))),
            Deed::Tool { words, input } => {
                let words: Vec<String> = words.iter().map(|w| self.word(w)).collect();
                match input {
                    None => self.line(format!("in_ns {name} {}", words.join(" "))),
                    Some(text) => {
                        self.line(format!("in_ns {name} {} <<'{END}'", words.join(" ")));
                        self.line(text.trim_end());
                        self.line(END);
                    }
                }
            }
        }
    }

    fn op(&mut self, netns: NetnsId, op: &Op, refused: Option<&str>) -> Result<(), Refusal> {
        let list = match deeds(op, netns, &Named { plan: self.plan }) {
            Ok(list) => list,
            Err(Refusal::Nothing) => return Ok(()),
            Err(e) => return Err(e),
        };
        if let Some(why) = refused {
            self.line(format!("# fails, as it should: {}", why.replace(['\n', '\r'], " ")));
        }
        for d in &list {
            self.deed(netns, d);
            if refused.is_some() {
                self.text.pop();
                self.line(" || true");
            }
        }
        Ok(())
    }

    fn card(&self, c: &Card) -> String {
        format!("name {} mtu {} address {}", quote(&c.name), c.mtu, c.mac)
    }

    fn wires(&mut self) {
        for (i, w) in self.plan.wires.iter().enumerate() {
            if let ([a, b], false) = (&w.cards[..], w.switch) {
                let (near, far) = (self.name(a.netns).to_owned(), self.name(b.netns).to_owned());
                let line = format!("in_ns {near} ip link add {} type veth peer {} netns \"${{p}}{far}\"", self.card(a), self.card(b));
                self.line(line);
                continue;
            }
            let switch = format!("switch{i}");
            self.line(format!("ip netns add \"${{p}}{switch}\""));
            self.line(format!("in_ns {switch} ip link add segment type bridge mcast_snooping 0"));
            self.line(format!("in_ns {switch} ip link set segment up"));
            for (n, c) in w.cards.iter().enumerate() {
                let host = self.name(c.netns).to_owned();
                let line =
                    format!("in_ns {switch} ip link add port{n} mtu {} type veth peer {} netns \"${{p}}{host}\"", c.mtu, self.card(c));
                self.line(line);
                self.line(format!("in_ns {switch} ip link set port{n} master segment up"));
            }
        }
    }

    fn servers(&mut self) {
        if self.plan.servers.is_empty() {
            return;
        }
        self.line("\n# servers: what comes in goes back");
        for (netns, l) in &self.plan.servers {
            let kind = if l.kind == SocketKind::Udp { "udp" } else { "tcp" };
            let name = self.name(*netns).to_owned();
            self.line(format!("serve {name} {kind} {} &", l.at.port));
            self.line(format!("listens {name} {kind} {}", l.at.port));
        }
    }

    fn flow(&mut self, f: &FlowSpec) -> Result<(), Refusal> {
        let name = self.name(f.from).to_owned();
        if let Start::At(at) = f.start {
            self.line(format!("# in the scenario at {} ms", at.as_millis()));
        }
        let shown: String = f.name.chars().filter(|c| !c.is_control()).collect();
        self.line(format!("echo '--' {}", quote(&shown)));
        let o = &f.options;
        match &f.kind {
            FlowKind::Ping { to, count, .. } => {
                let mut s = format!("in_ns {name} ping -n -c {count} -W 1 -s {}", o.size.unwrap_or(56));
                if let Some(t) = o.ttl {
                    let _ = write!(s, " -t {t}");
                }
                if let Some(a) = o.bind {
                    let _ = write!(s, " -I {a}");
                }
                self.line(format!("{s} {to} || true"));
            }
            FlowKind::Tcp { to, port, .. } => self.line(format!("talk {name} tcp {to} {port} || true")),
            FlowKind::Udp { to, port, .. } => self.line(format!("talk {name} udp {to} {port} || true")),
            FlowKind::Http { to, port, host, path, method, .. } => {
                let url = quote(&format!("http://{to}:{port}{path}"));
                let (method, host) = (quote(method), quote(&format!("Host: {host}")));
                self.line(format!("in_ns {name} curl -sS -m 5 -X {method} -H {host} {url} || true"));
            }
            FlowKind::Run { line } => {
                let ops = ops_of(line).unwrap_or_default();
                if ops.is_empty() {
                    let first: String = line.lines().next().unwrap_or("").chars().filter(|c| !c.is_control()).collect();
                    self.line(format!("# typed there: {first}"));
                }
                for o in ops {
                    let at = match &o.netns {
                        Some(n) => Named { plan: self.plan }.netns(f.from, n).unwrap_or(f.from),
                        None => f.from,
                    };
                    self.op(at, &o.op, None)?;
                }
            }
            FlowKind::Raw { packet } => {
                let what =
                    Ipv4Packet::decode(packet).map_or_else(|_| "no packet".to_owned(), |p| format!("{} > {}", p.header.src, p.header.dst));
                self.line(format!("# a packet as it is, which no usual tool sends: {what}"));
            }
            FlowKind::Sleep(d) => self.line(format!("sleep {}.{:03}", d.as_secs(), d.subsec_millis())),
            FlowKind::Send { .. } | FlowKind::Close { .. } | FlowKind::Serve { .. } => {
                self.line("# goes on with a socket that is held open: no usual tool does that in a script");
            }
        }
        Ok(())
    }
}

/// The script of a plan.
///
/// # Errors
/// When a command is not one that may be carried out.
pub fn sh(plan: &Plan, title: &str) -> Result<String, Refusal> {
    let mut s = Script { plan, names: names(plan), text: String::new() };
    let title: String = title.chars().filter(|c| !c.is_control()).collect();
    s.line("#!/usr/bin/env bash");
    s.line(format!("# {title}"));
    s.line("# Written by `packetwalk export`. Needs Linux, root, iproute2; iptables, python3 (servers) and curl where they are used.");
    s.line("# Builds network namespaces of its own, runs the traffic, and takes everything away when it ends.");
    s.line("set -eu\np=\"pw$$-\"");
    s.line("in_ns() { local n=\"${p}$1\"; shift; ip netns exec \"$n\" \"$@\"; }");
    s.line(TALK);
    s.line("cleanup() {");
    s.line("    trap - EXIT INT TERM");
    s.line("    local n pids\n    for n in $(ip netns list | cut -d' ' -f1 | grep \"^$p\" || true); do");
    s.line("        pids=$(ip netns pids \"$n\" || true)\n        [ -z \"$pids\" ] || kill $pids 2>/dev/null || true\n        ip netns del \"$n\"\n    done\n}");
    s.line("trap cleanup EXIT\ntrap 'exit 130' INT TERM\n");
    for i in 0..plan.places.len() {
        let name = s.names[i].clone();
        s.line(format!("ip netns add \"${{p}}{name}\""));
        s.line(format!("in_ns {name} sysctl -qw net.ipv6.conf.all.disable_ipv6=1 net.ipv6.conf.default.disable_ipv6=1"));
    }
    s.line("\n# cables and switches");
    s.wires();
    s.line("\n# the machines' commands");
    for step in &plan.steps {
        s.op(step.netns, &step.op, step.refused.as_deref())?;
    }
    s.servers();
    s.line("\n# traffic");
    for f in &plan.agenda.flows {
        s.flow(f)?;
    }
    for c in &plan.agenda.changes {
        s.line(format!("# in the scenario {} ms after the beginning:", c.at.as_millis()));
        for o in ops_of(&c.line).unwrap_or_default() {
            s.op(c.netns, &o.op, None)?;
        }
    }
    Ok(s.text)
}
