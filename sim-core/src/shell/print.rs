//! Changes as the commands that make them.

use super::lex::quote;
use super::{OpIn, bridge, conntrack, ip, sysctl, systemctl};
use crate::linux::Op;

/// The command lines that make a change, in canonical form: read back, they are the same change. A batch or a restore file is one
/// command with its here-document, line by line.
pub fn print(op: &OpIn) -> Vec<String> {
    let mut lines = print_op(&op.op);
    if let Some(netns) = &op.netns {
        let name = quote(netns);
        let heredoc = lines.first().is_some_and(|l| l.contains("<<"));
        let commands = if heredoc { 1 } else { lines.len() };
        for line in lines.iter_mut().take(commands) {
            *line = match line.split_once(' ') {
                Some((tool @ ("ip" | "bridge"), rest)) => format!("{tool} -n {name} {rest}"),
                _ => format!("ip netns exec {name} {line}"),
            };
        }
    }
    lines
}

fn print_op(op: &Op) -> Vec<String> {
    match op {
        Op::Link(o) => ip::link::print(o),
        Op::Addr(o) => vec![ip::addr::print(o)],
        Op::Route(o) => ip::route::print(o),
        Op::Rule(o) => vec![ip::rule::print(o)],
        Op::Addr6(o) => vec![ip::inet6::print_addr(o)],
        Op::Route6(o) => vec![ip::inet6::print_route(o)],
        Op::Neigh(o) => vec![ip::neigh::print(o)],
        Op::Fdb(o) => vec![bridge::fdb::print(o)],
        Op::Sysctl { key, value } => vec![sysctl::print(key, value)],
        Op::Ipset(o) => super::ipset::print(o),
        Op::Xtables(family, o) => super::iptables::print(*family, o).split('\n').map(str::to_owned).collect(),
        Op::Ipvs(o) => super::ipvsadm::print(o),
        Op::Nft(o) => super::nft::print(o),
        Op::ConntrackFlush => vec!["conntrack -F".to_owned()],
        Op::ConntrackDelete(f) => vec![conntrack::print(f)],
        Op::NetnsAdd(name) => vec![ip::netns::print("add", name)],
        Op::NetnsDel(name) => vec![ip::netns::print("del", name)],
        Op::Agent { verb, unit } => vec![systemctl::print(*verb, unit)],
    }
}
