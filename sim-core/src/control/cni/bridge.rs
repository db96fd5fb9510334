//! `bridge`: joins containers by a Linux bridge.
//!
//! Models: containernetworking/plugins plugins/main/bridge/bridge.go (1.9.1) cmdAdd, cmdDel, cmdCheck; pkg/ip/link_linux.go
//! SetupVeth; pkg/ipam/ipam_linux.go ConfigureIface; pkg/ip/ipmasq_iptables_linux.go.
//! Simplifies: IPv4 alone; no VLANs, promiscuous mode, MAC spoof check or container without interface (code 2). The pair is
//! made from the host's side, which is how one would type it. The host's end is named after the container instead of by
//! chance. Settings that are already as they should be are not written again. A port that is not up after the last command
//! is an error at once, instead of after 2.55 s.

use super::{Call, CniError, CniInterface, CniIp, CniResult, CniRoute, Command, Exec, NodeEnv, Plugin, Progress, code, prepare};
use crate::control::{hash, iptables};
use crate::linux::device::{Device, DeviceKind, Scope};
use crate::linux::op::addr::Broadcast;
use crate::linux::op::route::HopSpec;
use crate::linux::op::{AddrOp, BridgeSet, LinkKind, LinkOp, LinkSet, NewLink, RouteOp, RouteSpec, RouteVerb};
use crate::linux::{Errno, Netns, Op};
use crate::packet::{Ipv4Addr, Mac, Prefix};
use serde::Deserialize;
use std::sync::Arc;

/// The plugin.
#[derive(Debug)]
pub struct Bridge;

#[derive(Deserialize, Default)]
#[serde(default)]
struct RawIpam {
    r#type: String,
}

#[derive(Deserialize, Default)]
#[serde(default)]
struct RawRuntime {
    mac: String,
}

#[derive(Deserialize, Default)]
#[serde(default, rename_all = "camelCase")]
struct NetConf {
    bridge: String,
    is_gateway: bool,
    is_default_gateway: bool,
    force_address: bool,
    ip_masq: bool,
    mtu: u32,
    hairpin_mode: bool,
    promisc_mode: bool,
    vlan: i64,
    macspoofchk: bool,
    port_isolation: bool,
    disable_container_interface: bool,
    ipam: RawIpam,
    runtime_config: RawRuntime,
}

impl NetConf {
    fn load(call: &Call<'_>) -> Result<NetConf, CniError> {
        let mut n = NetConf::deserialize(call.conf).map_err(|e| CniError::internal(format!("failed to load netconf: {e}")))?;
        if n.bridge.is_empty() {
            n.bridge = "cni0".to_owned();
        }
        if !(0..=4094).contains(&n.vlan) {
            return Err(CniError::internal(format!("invalid VLAN ID {} (must be between 0 and 4094)", n.vlan)));
        }
        for (set, name) in [
            (n.vlan != 0, "vlan"),
            (n.promisc_mode && !n.hairpin_mode, "promiscMode"),
            (n.macspoofchk, "macspoofchk"),
            (n.disable_container_interface, "disableContainerInterface"),
        ] {
            if set {
                return Err(CniError::new(code::UNSUPPORTED_FIELD, format!("{name} is not simulated")));
            }
        }
        n.is_gateway |= n.is_default_gateway;
        Ok(n)
    }

    fn mac(&self, call: &Call<'_>) -> Result<Option<Mac>, CniError> {
        let text = if self.runtime_config.mac.is_empty() { call.args.arg("MAC").unwrap_or("") } else { &self.runtime_config.mac };
        if text.is_empty() {
            return Ok(None);
        }
        text.parse().map(Some).map_err(|_| CniError::internal(format!("failed to make veth pair: address {text}: invalid MAC address")))
    }
}

fn link(dev: &str, set: LinkSet) -> Op {
    Op::Link(LinkOp::Set { dev: dev.into(), set })
}

fn up(dev: &str) -> Op {
    link(dev, LinkSet { up: Some(true), ..LinkSet::default() })
}

fn addr_add(dev: &str, ip: Ipv4Addr, range: Prefix<Ipv4Addr>) -> Op {
    // The netlink library fills in the broadcast address where the range has one.
    let broadcast = (range.len() < 31).then_some(Broadcast::Computed);
    let (dev, local) = (dev.into(), ip);
    Op::Addr(AddrOp::Add { dev, local, prefix: range, peer: None, broadcast, scope: None, noprefixroute: false, replace: false })
}

/// `/var/run/netns/NAME`.
fn netns_path(name: Option<&Arc<str>>) -> String {
    name.map(|n| format!("/var/run/netns/{n}")).unwrap_or_default()
}

fn no_netns(name: Option<&Arc<str>>) -> CniError {
    let path = netns_path(name);
    CniError::internal(format!("failed to open netns {path:?}: failed to Statfs {path:?}: no such file or directory"))
}

/// The name of the host's end: `veth` and eight hexadecimal digits, another one while it is taken.
fn host_end(call: &Call<'_>, host: &Netns) -> Result<Arc<str>, CniError> {
    for attempt in 0..10 {
        let seed = format!("{} {} {attempt}", call.args.container_id, call.args.if_name);
        let name = format!("veth{}", hash::hex(&seed, 8));
        if host.config.devices.by_name(&name).is_none() {
            return Ok(name.into());
        }
    }
    Err(CniError::internal("failed to find a unique veth name"))
}

/// What IPAM said, completed by the bridge's own settings; and the gateways that the bridge is to have.
fn gateways(n: &NetConf, result: &mut CniResult) -> Vec<(Ipv4Addr, Prefix<Ipv4Addr>)> {
    let mut gateways = Vec::new();
    for ip in &mut result.ips {
        ip.interface = Some(2);
        if ip.gateway.is_none() && n.is_gateway {
            ip.gateway = ip.range.nth(1);
        }
        if n.is_default_gateway && !result.routes.iter().any(|r| r.gw.is_some() && r.dst == Prefix::ALL) {
            result.routes.push(CniRoute { dst: Prefix::ALL, gw: ip.gateway });
        }
        if let (true, Some(gw)) = (n.is_gateway, ip.gateway) {
            gateways.push((gw, ip.range));
        }
    }
    gateways
}

impl Bridge {
    /// Phase 0: the bridge itself.
    fn ensure_bridge(n: &NetConf, host: &Netns) -> Result<Vec<Op>, CniError> {
        let mut ops = Vec::new();
        match host.config.devices.by_name(&n.bridge) {
            None => {
                let mtu = (n.mtu != 0).then_some(n.mtu);
                let kind = LinkKind::Bridge(BridgeSet::default());
                ops.push(Op::Link(LinkOp::Add(NewLink { name: n.bridge.as_str().into(), mac: None, mtu, kind })));
                ops.push(up(&n.bridge));
            }
            Some(d) if !matches!(d.kind, DeviceKind::Bridge(_)) => {
                let br = &n.bridge;
                return Err(CniError::internal(format!("failed to create bridge {br:?}: {br:?} already exists but is not a bridge")));
            }
            Some(d) if !d.up => ops.push(up(&n.bridge)),
            Some(_) => {}
        }
        Ok(ops)
    }

    /// Phase 1: the pair, the addresses, the routes.
    fn attach(n: &NetConf, call: &Call<'_>, env: &mut NodeEnv<'_>) -> Result<Progress, CniError> {
        let pod = call.args.netns.clone();
        let ifname = &call.args.if_name;
        let Some(pod_ns) = env.netns(pod.as_deref()) else { return Err(no_netns(pod.as_ref())) };
        let host = env.netns(None).ok_or_else(|| CniError::internal("no such host"))?;
        let br = host.config.devices.by_name(&n.bridge);
        let br = br
            .ok_or_else(|| CniError::internal(format!("failed to create bridge {:?}: could not lookup {0:?}: Link not found", n.bridge)))?;
        let (br_mac, br_addrs): (Mac, Vec<_>) = (br.mac, br.addrs.iter().map(|a| (a.local, a.prefix)).collect());
        let forwards = host.config.sysctl.ip_forward;
        let veth = host_end(call, host)?;
        if pod_ns.config.devices.by_name(ifname).is_some() {
            return Err(CniError::internal(format!("container veth name ({ifname:?}) peer provided ({veth:?}) already exists")));
        }

        let mut host_ops = Vec::new();
        let mut exec = Vec::new();
        let mtu = (n.mtu != 0).then_some(n.mtu);
        let peer = LinkKind::Veth { peer: ifname.clone(), peer_mtu: mtu, peer_mac: n.mac(call)?, peer_netns: pod.clone() };
        host_ops.push(Op::Link(LinkOp::Add(NewLink { name: veth.clone(), mac: None, mtu, kind: peer })));
        host_ops.push(up(&veth));
        host_ops.push(link(&veth, LinkSet { master: Some(Some(n.bridge.as_str().into())), ..LinkSet::default() }));
        if n.hairpin_mode {
            host_ops.push(link(&veth, LinkSet { hairpin: Some(true), ..LinkSet::default() }));
        }
        if n.port_isolation {
            host_ops.push(link(&veth, LinkSet { isolated: Some(true), ..LinkSet::default() }));
        }
        exec.extend(host_ops.into_iter().map(|op| Exec { netns: None, op }));

        let on_host = |name: &str| CniInterface { name: name.into(), mac: None, sandbox: None };
        let interfaces = vec![on_host(&n.bridge), on_host(&veth), CniInterface { name: ifname.clone(), mac: None, sandbox: pod.clone() }];
        let mut result = CniResult { interfaces, ..CniResult::default() };
        if n.ipam.r#type.is_empty() {
            exec.push(Exec { netns: pod, op: up(ifname) });
            return Ok(Progress::Run { exec, next: 2, partial: result });
        }

        let given = delegate_ipam(&n.ipam.r#type, *call, env)?;
        (result.ips, result.routes, result.dns) = (given.ips, given.routes, given.dns);
        let gws = gateways(n, &mut result);
        for &(gw, range) in &gws {
            // The first address decides: equal is fine, another one is in the way.
            if let Some(first) = br_addrs.first()
                && *first != (gw, range)
                && !n.force_address
            {
                let (br, len) = (&n.bridge, range.len());
                return Err(CniError::internal(format!(
                    "failed to set bridge addr: {br:?} already has an IP address different from {gw}/{len}"
                )));
            }
        }
        exec.extend(configure(ifname, &result).into_iter().map(|op| Exec { netns: pod.clone(), op }));
        for (gw, range) in gws {
            exec.extend(ensure_addr(n, (gw, range), &br_addrs, br_mac).into_iter().map(|op| Exec { netns: None, op }));
        }
        if n.is_gateway && !forwards {
            let op = Op::Sysctl { key: "net.ipv4.ip_forward".into(), value: "1".into() };
            exec.push(Exec { netns: None, op });
        }
        if n.ip_masq {
            for ip in &result.ips {
                exec.extend(iptables::cni_masq(call.network(), &call.args.container_id, ip).into_iter().map(|op| Exec { netns: None, op }));
            }
        }
        Ok(Progress::Run { exec, next: 2, partial: result })
    }

    /// Phase 2: what came of it.
    fn finish(call: &Call<'_>, env: &NodeEnv<'_>, mut result: CniResult) -> Result<Progress, CniError> {
        let host = env.netns(None);
        let pod = env.netns(call.args.netns.as_deref());
        for i in &mut result.interfaces {
            let ns = if i.sandbox.is_some() { pod } else { host };
            let dev = ns.and_then(|ns| ns.config.devices.by_name(&i.name));
            let dev = dev.ok_or_else(|| CniError::internal(format!("failed to lookup {:?}: Link not found", &*i.name)))?;
            i.mac = Some(dev.mac);
            if i.sandbox.is_none() && matches!(dev.kind, DeviceKind::Veth) && !dev.is_running() {
                let state = if dev.up { "lowerlayerdown" } else { "down" };
                return Err(CniError::internal(format!("bridge port in error state: {state}")));
            }
        }
        Ok(Progress::Done(result))
    }
}

/// Calls the IPAM plugin with the same environment and the whole configuration.
fn delegate_ipam(kind: &str, call: Call<'_>, env: &mut NodeEnv<'_>) -> Result<CniResult, CniError> {
    let plugin = prepare(kind, Command::Add, &call)?;
    match plugin.add(call, env, 0, CniResult::default())? {
        Progress::Done(r) if r.ips.is_empty() => Err(CniError::internal("IPAM plugin returned missing IP config")),
        Progress::Done(r) => Ok(r),
        Progress::Run { .. } => Err(CniError::internal(format!("{kind} is no IPAM plugin"))),
    }
}

/// In the container: addresses, up, routes.
fn configure(ifname: &str, result: &CniResult) -> Vec<Op> {
    let mut ops = vec![Op::Sysctl { key: format!("net.ipv4.conf.{ifname}.arp_notify").into(), value: "1".into() }];
    ops.extend(result.ips.iter().map(|ip| addr_add(ifname, ip.address, ip.range)));
    ops.push(up(ifname));
    let own_gw = result.ips.iter().find_map(|ip| ip.gateway);
    for r in &result.routes {
        let via = r.gw.or(own_gw);
        let mut route = RouteSpec::to(r.dst);
        route.hops = vec![HopSpec { via, dev: Some(ifname.into()), ..HopSpec::default() }];
        if via.is_none() {
            route.scope = Some(Scope::Universe);
        }
        ops.push(Op::Route(RouteOp::One { verb: RouteVerb::Add, route: Box::new(route) }));
    }
    ops
}

/// On the host: the gateway's address on the bridge. The bridge then keeps the hardware address it was born with, instead
/// of taking the lowest of its ports.
fn ensure_addr(n: &NetConf, gw: (Ipv4Addr, Prefix<Ipv4Addr>), have: &[(Ipv4Addr, Prefix<Ipv4Addr>)], mac: Mac) -> Vec<Op> {
    let br: Arc<str> = n.bridge.as_str().into();
    let mut ops = Vec::new();
    for a in have {
        if *a == gw {
            return ops;
        }
        ops.push(Op::Addr(AddrOp::Del { dev: br.clone(), local: a.0, prefix: Some(a.1) }));
    }
    ops.push(addr_add(&br, gw.0, gw.1));
    ops.push(link(&br, LinkSet { mac: Some(mac), ..LinkSet::default() }));
    ops
}

impl Plugin for Bridge {
    fn kind(&self) -> &'static str {
        "bridge"
    }

    fn add(&self, call: Call<'_>, env: &mut NodeEnv<'_>, phase: u8, partial: CniResult) -> Result<Progress, CniError> {
        let n = NetConf::load(&call)?;
        if n.hairpin_mode && n.promisc_mode {
            return Err(CniError::internal("cannot set hairpin mode and promiscuous mode at the same time"));
        }
        match phase {
            0 => {
                let host = env.netns(None).ok_or_else(|| CniError::internal("no such host"))?;
                let ops = Bridge::ensure_bridge(&n, host)?;
                if ops.is_empty() {
                    return Bridge::attach(&n, &call, env);
                }
                let exec = ops.into_iter().map(|op| Exec { netns: None, op }).collect();
                Ok(Progress::Run { exec, next: 1, partial: CniResult::default() })
            }
            1 => Bridge::attach(&n, &call, env),
            _ => Bridge::finish(&call, env, partial),
        }
    }

    fn del(&self, call: Call<'_>, env: &mut NodeEnv<'_>) -> Result<Vec<Exec>, CniError> {
        let n = NetConf::load(&call)?;
        let mut exec = Vec::new();
        let pod = call.args.netns.clone();
        let dev: Option<&Device> =
            pod.as_deref().and_then(|p| env.netns(Some(p))).and_then(|ns| ns.config.devices.by_name(&call.args.if_name));
        let mut gone: Vec<CniIp> = Vec::new();
        if let Some(d) = dev {
            gone.extend(d.addrs.iter().map(|a| CniIp { address: a.local, range: a.prefix, gateway: None, interface: None }));
            exec.push(Exec { netns: pod, op: Op::Link(LinkOp::Del { dev: call.args.if_name.clone() }) });
        }
        if !n.ipam.r#type.is_empty() {
            exec.extend(prepare(&n.ipam.r#type, Command::Del, &call)?.del(call, env)?);
        }
        if n.ip_masq {
            for ip in &gone {
                let ops = iptables::cni_masq_del(call.network(), &call.args.container_id, ip);
                exec.extend(ops.into_iter().map(|op| Exec { netns: None, op }));
            }
        }
        Ok(exec)
    }

    fn check(&self, call: Call<'_>, env: &mut NodeEnv<'_>) -> Result<(), CniError> {
        let n = NetConf::load(&call)?;
        let internal = |text: String| Err(CniError::internal(text));
        if env.netns(call.args.netns.as_deref()).is_none() {
            return Err(no_netns(call.args.netns.as_ref()));
        }
        if !n.ipam.r#type.is_empty() {
            prepare(&n.ipam.r#type, Command::Check, &call)?.check(call, env)?;
        }
        let Some(prev) = call.prev_result else { return internal("Required prevResult missing".to_owned()) };
        let (Some(host), Some(pod)) = (env.netns(None), env.netns(call.args.netns.as_deref())) else {
            return internal("no such host".to_owned());
        };
        let (br_name, ifname) = (&n.bridge, &call.args.if_name);
        let Some(br) = host.config.devices.by_name(br_name) else { return internal(format!("Interface name {br_name} not found")) };
        if !matches!(br.kind, DeviceKind::Bridge(_)) {
            return internal(format!("Interface {br_name} does not have link type of bridge"));
        }
        let said = |name: &str, inside: bool| prev.interfaces.iter().find(|i| *i.name == *name && i.sandbox.is_some() == inside);
        if let Some(mac) = said(br_name, false).and_then(|i| i.mac).filter(|m| *m != br.mac) {
            return internal(format!("Bridge interface {br_name} Mac doesn't match: {mac}"));
        }
        let Some(eth) = pod.config.devices.by_name(ifname) else { return internal(format!("Interface name {ifname} not found")) };
        if let Some(mac) = said(ifname, true).and_then(|i| i.mac).filter(|m| *m != eth.mac) {
            return internal(format!("Interface {ifname} Mac {mac} doesn't match container Mac: {}", eth.mac));
        }
        let port = prev.interfaces.iter().filter(|i| i.sandbox.is_none() && *i.name != **br_name);
        let mut ports = port.filter_map(|i| host.config.devices.by_name(&i.name));
        if !ports.any(|d| d.master == br.index && matches!(d.kind, DeviceKind::Veth)) {
            return internal(format!("CNI veth created for bridge {br_name} was not found"));
        }
        for ip in &prev.ips {
            if !eth.addrs.iter().any(|a| a.local == ip.address && a.prefix == ip.range) {
                return internal(format!("Failed to match addr {}/{} on interface {ifname}", ip.address, ip.range.len()));
            }
        }
        for r in &prev.routes {
            let found = pod.config.fib.main.at(r.dst);
            if !found.iter().any(|f| r.gw.is_none() || f.nexthops.iter().any(|h| h.via == r.gw)) {
                let gw = r.gw.map_or_else(|| "<nil>".to_owned(), |g| g.to_string());
                return internal(format!("Expected Route {{Dst:{} GW:{gw}}} not found in routing table", r.dst));
            }
        }
        Ok(())
    }

    fn explain(&self, exec: &Op, _: Option<&str>, error: &str, _: Option<Errno>) -> String {
        match exec {
            Op::Link(LinkOp::Add(l)) => match &l.kind {
                LinkKind::Bridge(_) => format!("failed to create bridge {:?}: could not add {0:?}: {error}", &*l.name),
                _ => format!("failed to make veth pair: {error}"),
            },
            Op::Link(LinkOp::Set { dev, set }) => match set {
                LinkSet { master: Some(Some(br)), .. } => format!("failed to connect {:?} to bridge {br}: {error}", &**dev),
                LinkSet { hairpin: Some(_), .. } => format!("failed to setup hairpin mode for {dev}: {error}"),
                LinkSet { isolated: Some(_), .. } => format!("failed to set isolated on for {dev}: {error}"),
                LinkSet { mac: Some(_), .. } => format!("failed to set bridge addr: could not set bridge's mac: {error}"),
                _ => format!("failed to set {:?} up: {error}", &**dev),
            },
            Op::Addr(AddrOp::Add { dev, local, prefix, .. }) => {
                format!("failed to add IP addr {local}/{} to {:?}: {error}", prefix.len(), &**dev)
            }
            Op::Route(RouteOp::One { route, .. }) => {
                let hop = route.hops.first();
                let via = hop.and_then(|h| h.via).map_or_else(|| "<nil>".to_owned(), |g| g.to_string());
                let dev = hop.and_then(|h| h.dev.as_deref()).unwrap_or("");
                format!("failed to add route '{} via {via} dev {dev} metric 0 (Scope: 0, Table: 0)': {error}", route.prefix)
            }
            Op::Sysctl { .. } => format!("failed to enable forwarding: {error}"),
            _ => error.to_owned(),
        }
    }
}
