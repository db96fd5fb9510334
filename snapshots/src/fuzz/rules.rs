//! Random iptables rules: for every match and target of the registries a way to write it.

use super::draw::Draw;
use super::topology::Network;
use sim_core::linux::netfilter::{matches, targets};
use std::net::Ipv4Addr;

/// A rule while it is drawn.
struct Cx<'a> {
    d: &'a mut Draw,
    table: &'static str,
    chain: &'static str,
    /// Addresses that traffic has.
    addrs: &'a [Ipv4Addr],
    devices: &'a [String],
}

impl Cx<'_> {
    fn addr(&mut self) -> Ipv4Addr {
        *self.d.one(self.addrs)
    }
    fn comes_in(&self) -> bool {
        matches!(self.chain, "PREROUTING" | "INPUT" | "FORWARD")
    }
    fn goes_out(&self) -> bool {
        matches!(self.chain, "OUTPUT" | "POSTROUTING" | "FORWARD")
    }
}

/// How a match is written; nothing where it cannot stand. The protocol that it needs comes with it.
fn words_of(name: &str, c: &mut Cx<'_>) -> Option<String> {
    let no = |d: &mut Draw| if d.percent(20) { "! " } else { "" };
    Some(match name {
        "tcp" => {
            let flags = *c.d.one(&[
                "--dport 80",
                "--dport 8080",
                "--sport 80",
                "--dport 1:1024",
                "! --dport 80",
                "--syn",
                "! --syn",
                "--tcp-flags SYN,ACK SYN,ACK",
                "--tcp-flags RST RST",
                "--tcp-flags FIN,ACK FIN,ACK",
            ]);
            format!("-p tcp -m tcp {flags}")
        }
        "udp" => format!("-p udp -m udp {}", c.d.one(&["--dport 53", "--sport 53", "! --dport 53", "--dport 50:60"])),
        "icmp" => {
            let kinds = [
                "echo-request",
                "echo-reply",
                "destination-unreachable",
                "3/3",
                "port-unreachable",
                "8",
                "time-exceeded",
                "fragmentation-needed",
                "any",
            ];
            format!("-p icmp -m icmp {}--icmp-type {}", no(c.d), c.d.one(&kinds))
        }
        "addrtype" => {
            let kind = *c.d.one(&["LOCAL", "UNICAST", "BROADCAST", "LOCAL", "UNREACHABLE", "PROHIBIT", "BLACKHOLE"]);
            let side = *c.d.one(&["--dst-type", "--src-type", "! --dst-type"]);
            format!("-m addrtype {side} {kind}")
        }
        "comment" => format!("-m comment --comment note{}", c.d.below(9)),
        "conntrack" => {
            let a = c.addr();
            match c.d.below(9) {
                0 => "-m conntrack --ctstate NEW".to_owned(),
                1 => "-m conntrack --ctstate ESTABLISHED".to_owned(),
                2 => "-m conntrack --ctstate RELATED,ESTABLISHED".to_owned(),
                3 => "-m conntrack --ctstate INVALID".to_owned(),
                4 => format!("-m conntrack --ctdir {}", c.d.one(&["ORIGINAL", "REPLY"])),
                5 => format!("-m conntrack --ctorigdst {a}"),
                6 => format!("-m conntrack --ctstate {}", c.d.one(&["DNAT", "SNAT", "UNTRACKED"])),
                7 => format!("-m conntrack --ctstatus {}", c.d.one(&["CONFIRMED", "ASSURED", "SEEN_REPLY", "NONE"])),
                _ => format!("-m conntrack --ctreplsrc {a}"),
            }
        }
        "mac" if c.comes_in() => "-m mac --mac-source 02:00:00:00:00:99".to_owned(),
        "mark" => format!("-m mark {}--mark {}", no(c.d), c.d.one(&["0x1", "0x2/0x2", "0x0", "0x3/0x1"])),
        "connmark" => format!("-m connmark {}--mark {}", no(c.d), c.d.one(&["0x1", "0x2/0x2", "0x0"])),
        "multiport" => {
            let how = *c.d.one(&["--dports 80,8080", "--sports 80,53", "--ports 53,80:90", "! --dports 22,80"]);
            format!("-p {} -m multiport {how}", c.d.one(&["tcp", "udp"]))
        }
        // a routed packet keeps the port that it came in by, which is not simulated: left out
        "physdev" => return None,
        "statistic" => {
            let every = c.d.between(1, 3);
            format!("-m statistic --mode nth --every {every} --packet {}", c.d.below(every))
        }
        "ttl" => format!("-m ttl {}", c.d.one(&["--ttl-eq 64", "--ttl-lt 64", "--ttl-gt 62", "--ttl-gt 63", "! --ttl-eq 63"])),
        "length" => format!("-m length {}--length {}", no(c.d), c.d.one(&["0:60", "84", "61:", "1000:1500"])),
        "iprange" => {
            let a = c.addr();
            let [x, y, z, _] = a.octets();
            format!("-m iprange {}{} {x}.{y}.{z}.1-{x}.{y}.{z}.12", no(c.d), c.d.one(&["--src-range", "--dst-range"]))
        }
        "limit" => format!("-m limit --limit 1/hour --limit-burst {}", c.d.between(1, 4)),
        "hashlimit" => {
            let mode = *c.d.one(&["srcip", "dstip", "srcip,dstip"]);
            format!(
                "-m hashlimit --hashlimit-upto 1/hour --hashlimit-burst {} --hashlimit-mode {mode} --hashlimit-name h{}",
                c.d.between(1, 4),
                c.d.below(4)
            )
        }
        "quota" => format!("-m quota {}--quota {}", no(c.d), c.d.one(&["100", "200", "1000"])),
        "recent" => {
            let how =
                *c.d.one(&["--set", "--rcheck --seconds 600", "--update --seconds 600", "--rcheck --seconds 600 --hitcount 2", "--remove"]);
            format!("-m recent --name seen {how} {}", c.d.one(&["--rsource", "--rdest"]))
        }
        "connlimit" => format!("-p tcp -m connlimit --connlimit-{} {} --connlimit-mask 32", c.d.one(&["above", "upto"]), c.d.below(3)),
        "dscp" => format!("-m dscp {}--dscp {}", no(c.d), c.d.one(&["0x00", "0x0a", "0x2e"])),
        "tos" => format!("-m tos {}--tos {}", no(c.d), c.d.one(&["0x00/0xff", "0x10/0x3f", "0x08/0xff"])),
        "ecn" => "-m ecn --ecn-ip-ect 0".to_owned(),
        "pkttype" => format!("-m pkttype {}--pkt-type {}", no(c.d), c.d.one(&["unicast", "broadcast", "multicast"])),
        "rpfilter" if c.chain == "PREROUTING" && c.table != "nat" => {
            format!("-m rpfilter {}", c.d.one(&["", "--invert", "--loose", "--validmark"])).trim_end().to_owned()
        }
        "socket" if matches!(c.chain, "PREROUTING" | "INPUT") && c.table == "mangle" => "-m socket --nowildcard".to_owned(),
        "string" => format!("-m string --algo {} --string {}", c.d.one(&["bm", "kmp"]), c.d.one(&["hello", "xxx", "zzz", "re:"])),
        "tcpmss" => format!("-p tcp -m tcp --tcp-flags SYN,RST SYN -m tcpmss --mss {}", c.d.one(&["1460", "1:1500", "1300:1400"])),
        "u32" => format!("-m u32 --u32 {}", c.d.one(&["'6&0xFF=1'", "'6&0xFF=6'", "'4&0x1FFF=0'", "'0>>22&0x3C@2&0xFFFF=80'"])),
        "owner" if matches!(c.chain, "OUTPUT" | "POSTROUTING") && c.table != "nat" => format!("-m owner {}--uid-owner 0", no(c.d)),
        "realm" => "-m realm --realm 0".to_owned(),
        "helper" => "-m helper --helper ftp".to_owned(),
        _ => return None,
    })
}

/// How a target is written; nothing where it cannot stand.
fn target_of(name: &str, c: &mut Cx<'_>) -> Option<String> {
    let a = c.addr();
    Some(match (name, c.table, c.chain) {
        // the reset about a frame that came in by a bridge goes straight back by its port, which is not simulated
        ("REJECT", "filter", _) => match c.d.below(6).max(usize::from(c.devices.iter().any(|n| n == "br0"))) {
            0 => "-p tcp -j REJECT --reject-with tcp-reset".to_owned(),
            n => format!(
                "-j REJECT --reject-with {}",
                ["icmp-port-unreachable", "icmp-host-unreachable", "icmp-net-unreachable", "icmp-admin-prohibited", "icmp-host-prohibited"]
                    [n - 1]
            ),
        },
        ("MARK", "mangle", _) => {
            format!("-j MARK {}", c.d.one(&["--set-mark 0x1", "--set-xmark 0x2/0x2", "--or-mark 0x1", "--and-mark 0x2", "--xor-mark 0x3"]))
        }
        ("CONNMARK", "mangle", _) => {
            format!("-j CONNMARK {}", c.d.one(&["--set-mark 0x1", "--save-mark", "--restore-mark", "--set-xmark 0x2/0x2"]))
        }
        ("DNAT", "nat", "PREROUTING" | "OUTPUT") => match c.d.below(3) {
            0 => format!("-p tcp -j DNAT --to-destination {a}:80"),
            1 => format!("-j DNAT --to-destination {a}"),
            _ => format!("-p udp -j DNAT --to-destination {a}:53"),
        },
        ("REDIRECT", "nat", "PREROUTING" | "OUTPUT") => format!("-p tcp -j REDIRECT --to-ports {}", c.d.one(&["80", "8080", "81"])),
        ("MASQUERADE", "nat", "POSTROUTING") => "-j MASQUERADE".to_owned(),
        ("SNAT", "nat", "POSTROUTING" | "INPUT") => format!("-j SNAT --to-source 10.250.0.{}", c.d.between(1, 3)),
        ("NETMAP", "nat", "PREROUTING" | "OUTPUT" | "POSTROUTING" | "INPUT") => "-j NETMAP --to 10.251.0.0/24".to_owned(),
        ("CT", "raw", _) => "-j CT --notrack".to_owned(),
        ("NOTRACK", "raw", _) => "-j NOTRACK".to_owned(),
        ("DSCP", "mangle", _) => format!("-j DSCP --set-dscp {}", c.d.one(&["0x0a", "0x2e"])),
        ("TOS", "mangle", _) => format!("-j TOS --set-tos {}", c.d.one(&["0x10", "0x08/0x3f"])),
        ("TTL", "mangle", _) => {
            format!("-j TTL {}", c.d.one(&["--ttl-set 5", "--ttl-set 1", "--ttl-dec 1", "--ttl-inc 3", "--ttl-dec 63"]))
        }
        ("TCPMSS", "mangle", "FORWARD" | "OUTPUT" | "POSTROUTING") => {
            format!("-p tcp -m tcp --tcp-flags SYN,RST SYN -j TCPMSS {}", c.d.one(&["--set-mss 1000", "--clamp-mss-to-pmtu"]))
        }
        ("CLASSIFY", "mangle", "FORWARD" | "OUTPUT" | "POSTROUTING") => "-j CLASSIFY --set-class 0001:0002".to_owned(),
        ("LOG", ..) => "-j LOG --log-prefix seen".to_owned(),
        ("NFLOG", ..) => "-j NFLOG --nflog-group 5".to_owned(),
        ("CHECKSUM", "mangle", _) => "-p udp -j CHECKSUM --checksum-fill".to_owned(),
        ("ECN", "mangle", _) => "-p tcp -j ECN --ecn-tcp-remove".to_owned(),
        ("TRACE", "raw", _) => "-j TRACE".to_owned(),
        ("CONNSECMARK" | "SECMARK" | "AUDIT", ..) => return None,
        _ => return None,
    })
}

/// The tables, with the chains that rules are put into.
const PLACES: &[(&str, &[&str])] = &[
    ("filter", &["INPUT", "FORWARD", "OUTPUT"]),
    ("filter", &["FORWARD", "INPUT", "OUTPUT"]),
    ("nat", &["PREROUTING", "POSTROUTING", "OUTPUT", "INPUT"]),
    ("mangle", &["PREROUTING", "INPUT", "FORWARD", "OUTPUT", "POSTROUTING"]),
    ("raw", &["PREROUTING", "OUTPUT"]),
];

/// Puts rules on hosts.
pub fn on(net: &mut Network, d: &mut Draw) {
    let addrs: Vec<Ipv4Addr> = net.ends.iter().map(|e| e.addr).collect();
    for host in 0..net.case.hosts.len() {
        if !d.percent(if net.forwards.contains(&host) { 85 } else { 35 }) {
            continue;
        }
        if d.percent(35) {
            masquerade(net, d, host);
        }
        if d.percent(40) {
            service(net, d, host, &addrs);
        }
        for _ in 0..d.between(1, 6) {
            rule(net, d, host, &addrs);
        }
        if d.percent(15) {
            let chain = *d.one(&["FORWARD", "INPUT", "OUTPUT"]);
            net.run(host, format!("iptables -A {chain} -m conntrack --ctstate RELATED,ESTABLISHED -j ACCEPT"));
            if d.percent(60) {
                net.run(host, format!("iptables -A {chain} -p {} -j ACCEPT", d.one(&["tcp", "icmp", "udp"])));
            }
            net.run(host, format!("iptables -P {chain} DROP"));
            net.has("policy DROP");
        }
    }
}

/// What every container host does.
fn masquerade(net: &mut Network, d: &mut Draw, host: usize) {
    let dev = d.one(&net.devices[host]).clone();
    net.run(host, format!("iptables -t nat -A POSTROUTING -o {dev} -j MASQUERADE"));
    net.has("target MASQUERADE");
}

/// A Service, as kube-proxy writes it, with endpoints in turn.
fn service(net: &mut Network, d: &mut Draw, host: usize, addrs: &[Ipv4Addr]) {
    let ip = Ipv4Addr::new(10, 96, 0, 10);
    net.virtual_ip = Some(ip);
    let (a, b) = (*d.one(addrs), *d.one(addrs));
    for chain in ["SVC", "SEP-1", "SEP-2", "MARK-MASQ"] {
        net.run(host, format!("iptables -t nat -N {chain}"));
    }
    net.run(host, format!("iptables -t nat -A PREROUTING -d {ip} -p tcp -m tcp --dport 80 -j SVC"));
    net.run(host, format!("iptables -t nat -A OUTPUT -d {ip} -p tcp -m tcp --dport 80 -j SVC"));
    net.run(host, "iptables -t nat -A MARK-MASQ -j MARK --set-xmark 0x4000/0x4000");
    if d.percent(50) {
        net.run(host, format!("iptables -t nat -A SVC ! -s 172.16.0.0/12 -d {ip} -j MARK-MASQ"));
    }
    net.run(host, "iptables -t nat -A SVC -m statistic --mode nth --every 2 --packet 0 -j SEP-1");
    net.run(host, "iptables -t nat -A SVC -j SEP-2");
    for (chain, to) in [("SEP-1", a), ("SEP-2", b)] {
        net.run(host, format!("iptables -t nat -A {chain} -s {to} -j MARK-MASQ"));
        net.run(host, format!("iptables -t nat -A {chain} -p tcp -m tcp -j DNAT --to-destination {to}:80"));
    }
    net.run(host, "iptables -t nat -A POSTROUTING -m mark ! --mark 0x4000/0x4000 -j RETURN");
    net.run(host, "iptables -t nat -A POSTROUTING -j MARK --set-xmark 0x4000/0x0");
    net.run(host, "iptables -t nat -A POSTROUTING -j MASQUERADE");
    net.has("a Service in turn");
    for f in ["match tcp", "match statistic", "match mark", "target DNAT", "target MARK", "target MASQUERADE"] {
        net.has(f);
    }
}

/// One rule.
fn rule(net: &mut Network, d: &mut Draw, host: usize, addrs: &[Ipv4Addr]) {
    let (table, chains) = *d.one(PLACES);
    let chain = *d.one(chains);
    let devices = net.devices[host].clone();
    let mut c = Cx { d, table, chain, addrs, devices: &devices };
    let mut words: Vec<String> = Vec::new();
    let mut features: Vec<String> = Vec::new();
    if c.d.percent(25) {
        let (side, a, len) = (*c.d.one(&["-s", "-d"]), c.addr(), *c.d.one(&[32, 24, 16]));
        words.push(format!("{}{side} {a}/{len}", if c.d.percent(15) { "! " } else { "" }));
        features.push("match address".to_owned());
    }
    if c.d.percent(20) && !devices.is_empty() {
        let dev = c.d.one(&devices).clone();
        let not = if c.d.percent(30) { "! " } else { "" };
        if c.comes_in() {
            words.push(format!("{not}-i {dev}"));
        } else if c.goes_out() {
            words.push(format!("{not}-o {dev}"));
        }
        features.push("match device".to_owned());
    }
    if c.d.percent(4) {
        words.push("-f".to_owned());
        features.push("match fragment".to_owned());
    }
    for _ in 0..*c.d.one(&[1, 1, 1, 2, 2, 0]) {
        let name = *c.d.one(matches::NAMES);
        if let Some(w) = words_of(name, &mut c) {
            // two protocols cannot both hold, and iptables refuses them
            if words.iter().any(|x| x.starts_with("-p ")) && w.starts_with("-p ") {
                continue;
            }
            words.push(w);
            features.push(format!("match {name}"));
        }
    }
    let verdicts: &[&str] = match table {
        "filter" => &["-j ACCEPT", "-j DROP", "-j RETURN"],
        _ => &["-j ACCEPT", "-j RETURN"],
    };
    let target = if c.d.percent(if table == "filter" { 55 } else { 12 }) {
        let v = *c.d.one(verdicts);
        features.push(format!("target {}", &v[3..]));
        v.to_owned()
    } else {
        let mut found = None;
        for _ in 0..12 {
            let name = *c.d.one(targets::NAMES);
            if let Some(t) = target_of(name, &mut c)
                && !(t.starts_with("-p ") && words.iter().any(|x| x.starts_with("-p ")))
            {
                features.push(format!("target {name}"));
                found = Some(t);
                break;
            }
        }
        match found {
            Some(t) => t,
            None => "-j ACCEPT".to_owned(),
        }
    };
    let user = c.d.percent(15);
    let verb = *c.d.one(&["-A", "-A", "-A", "-I"]);
    let body = words.join(" ");
    let t = if table == "filter" { String::new() } else { format!("-t {table} ") };
    if user {
        let name = format!("U{}", net.case.hosts[host].run.len());
        let jump = *d.one(&["-j", "-j", "-g"]);
        net.run(host, format!("iptables {t}-N {name}"));
        net.run(host, format!("iptables {t}-A {name} {body} {target}").replace("  ", " "));
        net.run(host, format!("iptables {t}{verb} {chain} {jump} {name}"));
        features.push(if jump == "-g" { "goto".to_owned() } else { "jump".to_owned() });
        // a match that looks at the hook stands in the user chain, which is judged by who jumps there
    } else {
        net.run(host, format!("iptables {t}{verb} {chain} {body} {target}").replace("  ", " "));
    }
    for f in features {
        net.has(f);
    }
    net.has(format!("table {table}"));
}
