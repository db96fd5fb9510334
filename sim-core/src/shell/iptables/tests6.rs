//! Tests of `ip6tables`: the normal form of rules, refusals, listings, as iptables 1.8.9 (nf_tables) writes them.
#![allow(clippy::unwrap_used, reason = "tests")]

use super::*;
use crate::linux::Source;
use crate::linux::config::Config;
use crate::linux::netfilter::XtState;
use crate::linux::netfilter::apply::Touched;
use crate::packet::Family;

fn parse(line: &str) -> Result<Parsed, CmdError> {
    let words = split_words(line);
    parse_command(Family::Inet6, &words.iter().map(String::as_str).collect::<Vec<_>>())
}

#[test]
fn the_normal_form_of_rules() {
    for (line, saved) in [
        ("-A INPUT -s 2001:db8::5 -j REJECT", "-A INPUT -s 2001:db8::5/128 -j REJECT --reject-with icmp6-port-unreachable"),
        (
            "-A INPUT -s 2001:db8::5/64 -d ::/0 -p icmpv6 --icmpv6-type echo-request",
            "-A INPUT -s 2001:db8::/64 -p ipv6-icmp -m icmp6 --icmpv6-type 128",
        ),
        ("-A FORWARD -s 2001:db8::/ffff:0:ffff::", "-A FORWARD -s 2001::/ffff:0:ffff::"),
        ("-A INPUT -j REJECT --reject-with no-route", "-A INPUT -j REJECT --reject-with icmp6-no-route"),
        ("-A INPUT -p icmpv6 -m icmpv6 --icmpv6-type 1/4", "-A INPUT -p ipv6-icmp -m icmp6 --icmpv6-type 1/4"),
        ("-A X -p tcp -j DNAT --to [2001::1]:80", "-A X -p tcp -j DNAT --to-destination [2001::1]:80"),
        ("-A X -p tcp -j SNAT --to [2001::1]:5-10", "-A X -p tcp -j SNAT --to-source [2001::1]:5-10"),
        ("-A X -m hl --hl-lt 5", "-A X -m hl --hl-lt 5"),
        ("-A X -m conntrack --ctorigsrc 2001:db8::/32", "-A X -m conntrack --ctorigsrc 2001:db8::/32"),
    ] {
        let Ok(Parsed::Change(op)) = parse(line) else { panic!("{line}: {:?}", parse(line)) };
        assert_eq!(print_words(Family::Inet6, &op).join(" "), format!("ip6tables {saved}"), "{line}");
    }
}

#[test]
fn refusals_in_the_real_words() {
    for (line, text) in [
        ("-A INPUT -s 2001:db8::/129", "invalid mask `129' specified"),
        ("-A INPUT -s 1.2.3.4", "host/network `1.2.3.4' not found"),
        ("-A INPUT -j REJECT --reject-with icmp-port-unreachable", "unknown reject type \"icmp-port-unreachable\""),
        ("-A INPUT -f", "`-f' is not supported in IPv6, use -m frag instead"),
        ("-A INPUT -m ttl --ttl-eq 1", "Couldn't load match `ttl':No such file or directory\n"),
        ("-t nat -A X -p tcp -j DNAT --to [2001::1", "Invalid address format"),
        ("-A INPUT -p icmpv6 --icmpv6-type neigh", "Ambiguous ICMPv6 type `neigh': `neighbour-solicitation' or `neighbor-solicitation'?"),
    ] {
        let said = parse(line).unwrap_err().text;
        assert_eq!(
            said,
            format!("ip6tables v1.8.9 (nf_tables): {text}\nTry `ip6tables -h' or 'ip6tables --help' for more information."),
            "{line}"
        );
    }
}

#[test]
fn listings_and_hooks() {
    let mut c = Config::default();
    for line in ["-A INPUT -s 2001:db8::5 -j REJECT", "-A INPUT -p icmpv6 --icmpv6-type ping -m conntrack --ctstate NEW -j ACCEPT"] {
        let Ok(Parsed::Change(op)) = parse(line) else { panic!("{line}") };
        c.apply_xtables(Family::Inet6, &op, Source::Kernel, &mut Touched::default()).unwrap();
    }
    let Ok(Parsed::Show(query)) = parse("-L INPUT -n") else { panic!() };
    let expect = "Chain INPUT (policy ACCEPT)
target     prot opt source               destination         
REJECT     0    --  2001:db8::5          ::/0                 reject-with icmp6-port-unreachable
ACCEPT     58   --  ::/0                 ::/0                 ipv6-icmptype 128 ctstate NEW
";
    assert_eq!(show(&c.xt6, &XtState::default(), &query).unwrap(), expect);
    assert!(c.xt6.needs_conntrack() && !c.xt.needs_conntrack() && c.xt.is_empty());
}
