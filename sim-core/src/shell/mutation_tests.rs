//! Text to change to text is a fixed point, and no line makes the shell panic.

#![allow(clippy::unwrap_used, clippy::print_stdout, reason = "tests")]

use super::{Command, OpIn, parse, parse_script, print};

/// Commands of every kind, whole and right.
const LINES: &[&str] = &[
    "ip link add docker0 type bridge",
    "ip link add name br0 mtu 1450 address 02:00:00:00:00:01 type bridge ageing_time 30000 vlan_filtering 0 mcast_snooping 0 stp_state 0",
    "ip link add veth0 type veth peer name eth0 netns web",
    "ip link add name v0 mtu 1400 address 02:00:00:00:00:01 type veth peer name p0 mtu 1400 address 02:00:00:00:00:02",
    "ip -n web link add d0 type dummy",
    "ip link set veth0 master docker0 up",
    "ip link set dev br0 address 02:00:00:00:00:01 mtu 1500 up",
    "ip link set eth0 netns web name eth1",
    "ip link set v0 nomaster down",
    "ip link set v0 type bridge_slave hairpin on isolated off learning on flood on",
    "ip link set br0 type bridge ageing_time 100",
    "ip netns exec web ip link set eth0 up",
    "ip link del dev v0",
    "ip addr add 172.17.0.1/16 dev docker0",
    "ip addr add 10.0.0.1/24 brd + dev eth0 scope global noprefixroute",
    "ip addr add 10.0.0.1 peer 10.0.0.2/32 dev eth0",
    "ip addr replace 10.0.0.1/24 brd 10.0.0.255 dev eth0",
    "ip addr del 10.0.0.1/24 dev eth0",
    "ip a flush dev eth0",
    "ip -n web route add default via 172.17.0.1",
    "ip route add 10.244.1.0/24 via 10.168.0.3 dev eth0 onlink",
    "ip route replace 10.0.0.0/8 via 10.168.0.3 dev eth0 table 100 proto static scope link src 10.168.0.2 metric 100 mtu 1400",
    "ip route add unreachable 10.244.0.0/16 metric 5",
    "ip route append default nexthop via 10.0.0.1 dev eth0 weight 2 nexthop via 10.0.0.2 dev eth1 weight 1",
    "ip route del 10.244.0.0/24 via 10.168.0.2",
    "ip route change 10.1.0.0/16 dev eth0 tos 0x10",
    "ip route flush table 100",
    "ip route flush 10.1.0.0/16 dev eth0",
    "ip neigh add 10.0.0.5 lladdr 02:00:00:00:00:05 dev eth0 nud permanent",
    "ip neigh replace 10.0.0.5 lladdr 02:00:00:00:00:05 dev eth0",
    "ip neigh del 10.0.0.5 dev eth0",
    "ip neigh flush all",
    "bridge fdb add 02:00:00:00:00:05 dev v0 master static",
    "bridge -n web fdb replace 02:00:00:00:00:05 dev br0 self permanent",
    "bridge fdb del 02:00:00:00:00:05 dev v0 master",
    "bridge link set dev v0 hairpin on isolated off",
    "sysctl -w net.ipv4.ip_forward=1",
    "sysctl -w 'net.ipv4.ip_local_port_range=32768 60999' net.ipv4.conf.eth0/100.rp_filter=2",
    "conntrack -D -p tcp -s 10.0.0.1 -d 10.0.0.2 --sport 1024 --dport 80",
    "conntrack -F",
    "ipvsadm -A -t 10.96.0.10:80 -s rr -p 300 -M 255.255.255.0",
    "ipvsadm -a -t 10.96.0.10:80 -r 10.244.0.3:8080 -m -w 1 -x 10 -y 5",
    "ipvsadm -E -f 7 -s sh -b sh-fallback,sh-port",
    "ipvsadm -d -u 10.96.0.10:53 -r 10.244.0.3:53",
    "ipvsadm --set 900 120 300",
    "ipvsadm -Ln --stats --exact",
    "ipvsadm -Lnc",
    "ip netns add web",
    "ip netns del web",
    "systemctl stop flanneld kubelet",
    "iptables -t nat -A POSTROUTING -s 172.17.0.0/16 ! -o docker0 -j MASQUERADE",
    "iptables -A FORWARD -o docker0 -m conntrack --ctstate RELATED,ESTABLISHED -j ACCEPT",
    "iptables -t nat -A DOCKER ! -i docker0 -p tcp --dport 8080 -j DNAT --to-destination 172.17.0.2:80",
    "iptables -P FORWARD DROP",
    "ip rule add not from 10.0.0.0/8 to 10.1.0.0/16 tos 0x10 fwmark 0x1/0xff iif eth0 ipproto tcp dport 80-90 lookup 100 pref 7",
    "ip rule add pref 8 goto 32766",
    "ip rule del fwmark 1 table 5",
    "ip rule flush",
    "iptables -t mangle -A PREROUTING -m recent --rcheck --seconds 60 --hitcount 4 --name A -j TTL --ttl-dec 1",
    "iptables -A INPUT -m hashlimit --hashlimit-name h --hashlimit-upto 5/min --hashlimit-mode srcip -j LOG --log-prefix \"a b: \"",
    "iptables -t raw -A PREROUTING -m iprange --src-range 10.0.0.1-10.0.0.9 -m set --match-set S src,dst -j CT --notrack",
    "iptables -A FORWARD -p tcp --syn -c 5 60 -j TCPMSS --clamp-mss-to-pmtu",
    "iptables -A FORWARD -m u32 --u32 \"6&0xFF=1\" -m string --string foo --algo bm -j SET --add-set S src --exist --timeout 5",
    "ip6tables -A INPUT -s 2001:db8::/32 -p icmpv6 --icmpv6-type 128 -m hl --hl-gt 5 -j REJECT --reject-with no-route",
    "ipset create S hash:ip,port family inet hashsize 64 maxelem 10 timeout 5 counters comment",
    "ipset add S 10.0.0.1,tcp:80 timeout 3 comment \"a b\" -exist",
    "ipset del S 10.0.0.1,tcp:80",
    "ipset swap A B",
    "ipset list -t S",
    "ip -br addr show dev eth0",
    "ip route get 10.0.0.1 from 10.0.0.2 iif eth0",
    "ip -d link show type bridge",
    "sysctl -n net.ipv4.ip_forward",
    "conntrack -L -p udp --dport 53",
    "ping -c 3 -i 0.2 -W 2 -s 1400 -t 5 -M do -I 10.0.0.1 10.244.1.3",
    "curl -sv -m 5 --connect-timeout 2 -H 'Host: shop.example.com' http://10.168.0.2:8080/cart?x=1",
    "nc -zv -w 2 -p 4000 10.0.0.1 80",
];

fn ops(text: &str) -> Option<Vec<OpIn>> {
    match parse(text).ok()? {
        Command::Ops(ops) => Some(ops),
        _ => None,
    }
}

/// Printed and read back, changes are the same changes; printed again, the same text.
fn check_fixed_point(ops: &[OpIn], from: &str) {
    for op in ops {
        let text = print(op).join("\n");
        let mut back = Vec::new();
        for s in parse_script(&text) {
            match s.command {
                Ok(Command::Ops(more)) => back.extend(more),
                other => panic!("{from:?} printed as {text:?}, which reads as {other:?}"),
            }
        }
        let again: Vec<String> = back.iter().flat_map(print).collect();
        assert_eq!(again.join("\n"), text, "{from:?}");
        // A device's settings as a bridge and as a port take two commands.
        if back.len() == 1 {
            assert_eq!(&back[0], op, "{from:?} printed as {text:?}");
        }
    }
}

#[test]
fn every_command_reads_and_its_text_is_a_fixed_point() {
    for line in LINES {
        let command = parse(line).unwrap_or_else(|e| panic!("{line}: {e}"));
        if let Command::Ops(ops) = command {
            assert!(!ops.is_empty(), "{line}");
            check_fixed_point(&ops, line);
        }
    }
    let restore =
        "iptables-restore --noflush <<'EOF'\n*nat\n:KUBE-SERVICES - [0:0]\n-A KUBE-SERVICES -d 10.96.0.1/32 -j ACCEPT\nCOMMIT\nEOF";
    check_fixed_point(&ops(restore).unwrap(), restore);
    let batch = "ip -n web -batch - <<EOF\nroute add default via 10.0.0.1\nlink set lo up\nEOF";
    assert_eq!(
        ops(batch).unwrap().iter().flat_map(print).collect::<Vec<_>>(),
        ["ip -n web route add default via 10.0.0.1", "ip -n web link set dev lo up"]
    );
}

/// A small generator with a fixed seed (splitmix64).
struct Dice(u64);

impl Dice {
    fn below(&mut self, n: usize) -> usize {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        ((z ^ (z >> 31)) % n.max(1) as u64) as usize
    }
}

/// One change of a line: of a word, of a number, of a character.
fn mutate(line: &str, dice: &mut Dice) -> String {
    let mut words: Vec<String> = line.split(' ').map(str::to_owned).collect();
    let at = dice.below(words.len());
    match dice.below(12) {
        0 => {
            words.remove(at);
        }
        1 => words.insert(at, words[at].clone()),
        2 => {
            let other = dice.below(words.len());
            words.swap(at, other);
        }
        3 => {
            let other: Vec<&str> = LINES[dice.below(LINES.len())].split(' ').collect();
            words[at] = other[dice.below(other.len())].to_owned();
        }
        // A digit for a digit: most of these are as good as before.
        4..=7 => {
            let mut text: Vec<char> = line.chars().collect();
            let digits: Vec<usize> = (0..text.len()).filter(|i| text[*i].is_ascii_digit()).collect();
            if let Some(i) = digits.get(dice.below(digits.len())) {
                text[*i] = char::from(b'0' + dice.below(10) as u8);
            }
            return text.into_iter().collect();
        }
        // Another name for a device or a namespace.
        8 | 9 => {
            let names = ["eth0", "eth1", "br0", "docker0", "veth-x", "v.100", "web", "lo", "cni0", "a_b"];
            for w in &mut words {
                if names.contains(&w.as_str()) || w.starts_with("veth") {
                    *w = names[dice.below(names.len())].to_owned();
                }
            }
        }
        10 => {
            let mut text: Vec<char> = words[at].chars().collect();
            let odd = ['\'', '"', '\\', '/', ':', '.', '-', '=', '!', '#', '$', '|', '<', 'ü', '\u{0}', ' ', '%', '0', 'x'];
            let i = dice.below(text.len() + 1);
            text.insert(i, odd[dice.below(odd.len())]);
            words[at] = text.into_iter().collect();
        }
        _ => {
            let mut text: Vec<char> = words[at].chars().collect();
            if !text.is_empty() {
                text.remove(dice.below(text.len()));
            }
            words[at] = text.into_iter().collect();
        }
    }
    words.join(" ")
}

#[test]
fn ten_thousand_mutations_neither_panic_nor_change_by_printing() {
    let mut dice = Dice(7);
    let (mut good, mut changed) = (0u32, 0u32);
    const N: u32 = 10_000;
    for _ in 0..N {
        let mut line = LINES[dice.below(LINES.len())].to_owned();
        for _ in 0..=dice.below(2) {
            line = mutate(&line, &mut dice);
        }
        match parse(&line) {
            Ok(Command::Ops(ops)) => {
                good += 1;
                changed += u32::from(!LINES.contains(&line.as_str()));
                check_fixed_point(&ops, &line);
            }
            Ok(_) => {
                good += 1;
                changed += u32::from(!LINES.contains(&line.as_str()));
            }
            Err(e) => {
                let width = line.chars().count() as u32;
                assert!(e.line == 1 && (1..=width + 1).contains(&e.col), "{line:?}: {e:?}");
                assert!(!e.message.is_empty() && e.status != 0, "{line:?}: {e:?}");
            }
        }
    }
    println!("{good} of {N} mutations are commands still, {changed} of them other than they were");
    assert!(good * 100 >= N * 30, "only {good} of {N} still parse");
    assert!(changed * 100 >= N * 20, "only {changed} of {N} are other commands");
}

#[test]
fn bytes_of_any_kind_do_not_panic() {
    let mut dice = Dice(11);
    for _ in 0..3_000 {
        let text: String = (0..dice.below(60)).map(|_| char::from_u32(dice.below(0x250) as u32).unwrap_or('\n')).collect();
        let prefix = ["", "ip ", "ip route add ", "iptables ", "ip -batch - <<E\n", "sysctl -w ", "curl "][dice.below(7)];
        for s in parse_script(&format!("{prefix}{text}")) {
            if let Ok(Command::Ops(ops)) = s.command {
                ops.iter().for_each(|o| drop(print(o)));
            }
        }
    }
}
