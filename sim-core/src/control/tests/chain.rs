//! The protocol between runtime and plugins.

#![allow(clippy::unwrap_used, reason = "tests")]

use super::lab::Kernels;
use crate::control::Hosts;
use crate::control::cni::chain::{CapabilityArgs, check, del};
use crate::control::cni::ipam_host_local::IpamState;
use crate::control::cni::{self, Chain, CmdArgs, CniResult, ConfList, Exec, NodeEnv, PLUGINS, Step};
use crate::control::node_files::Files;
use crate::linux::Op;
use serde_json::json;
use std::sync::Arc;

#[derive(Default)]
struct Runtime {
    kernels: Kernels,
    files: Files,
    ipam: IpamState,
}

fn list(text: &str) -> Arc<ConfList> {
    Arc::new(ConfList::parse(text).unwrap())
}

fn bridge_list(version: &str) -> Arc<ConfList> {
    list(&format!(
        r#"{{"cniVersion": "{version}", "name": "net", "plugins": [
            {{"type": "bridge", "bridge": "br0", "isDefaultGateway": true,
              "ipam": {{"type": "host-local", "ranges": [[{{"subnet": "10.1.0.0/24"}}]]}}}},
            {{"type": "loopback"}},
            {{"type": "portmap", "capabilities": {{"portMappings": true}}}}]}}"#
    ))
}

fn args() -> CmdArgs {
    CmdArgs { container_id: "abc".into(), netns: Some("pod".into()), if_name: "eth0".into(), args: "".into() }
}

impl Runtime {
    fn new() -> Runtime {
        let mut r = Runtime::default();
        r.kernels.add("n", "");
        r.kernels.apply("n", "", &Op::NetnsAdd("pod".into())).unwrap();
        r
    }

    fn env(&mut self) -> NodeEnv<'_> {
        NodeEnv { host: "n", hosts: &self.kernels, files: &mut self.files, ipam: &mut self.ipam }
    }

    fn exec(&mut self, exec: &[Exec]) {
        for e in exec {
            self.kernels.apply("n", e.netns.as_deref().unwrap_or(""), &e.op).unwrap();
        }
    }

    fn add(&mut self, list: &Arc<ConfList>, args: CmdArgs, offered: CapabilityArgs) -> (Vec<String>, Result<CniResult, String>) {
        let mut chain = Chain::new(list.clone(), args, Arc::new(offered));
        let mut order = Vec::new();
        loop {
            match chain.step(&mut self.env()) {
                Ok(Step::Run { plugin, exec }) => {
                    order.push(plugin.to_string());
                    self.exec(&exec);
                }
                Ok(Step::Done(added)) => return (order, Ok(added.result)),
                Err(e) => return (order, Err(format!("{} {e}", e.code))),
            }
        }
    }
}

#[test]
fn add_goes_forward_with_the_result_del_backward() {
    let mut r = Runtime::new();
    let list = bridge_list("1.0.0");
    let (order, result) = r.add(&list, args(), CapabilityArgs::new());
    assert_eq!(order, ["bridge", "bridge", "loopback"], "bridge asks twice: for the bridge, then for the rest");
    let result = result.unwrap();
    // loopback and portmap handed on what bridge had found.
    let json = result.to_json("1.0.0");
    let host = r.kernels.netns("n", None).unwrap();
    let veth = host.config.devices.iter().find(|d| d.name.starts_with("veth")).unwrap();
    let pod = r.kernels.netns("n", Some("pod")).unwrap().config.devices.by_name("eth0").unwrap();
    assert_eq!(
        json,
        json!({
            "cniVersion": "1.0.0",
            "interfaces": [
                { "name": "br0", "mac": host.config.devices.by_name("br0").unwrap().mac.to_string() },
                { "name": &*veth.name, "mac": veth.mac.to_string() },
                { "name": "eth0", "mac": pod.mac.to_string(), "sandbox": "/var/run/netns/pod" },
            ],
            "ips": [{ "interface": 2, "address": "10.1.0.2/24", "gateway": "10.1.0.1" }],
            "routes": [{ "dst": "0.0.0.0/0", "gw": "10.1.0.1" }],
            "dns": {},
        })
    );

    assert_eq!(check(&list, &args(), &CapabilityArgs::new(), &result, &mut r.env()), Ok(()));

    let done = del(&list, &args(), &CapabilityArgs::new(), Some(&result), &mut r.env());
    assert_eq!(done.error, None);
    let order: Vec<(&str, usize)> = done.exec.iter().map(|(p, e)| (&**p, e.len())).collect();
    assert_eq!(order, [("portmap", 0), ("loopback", 1), ("bridge", 1)]);
    for (_, exec) in &done.exec {
        r.exec(exec);
    }
    assert!(r.kernels.netns("n", None).unwrap().config.devices.iter().all(|d| !d.name.starts_with("veth")));
    // Once more: what is gone is no error, and nothing is left to do.
    let done = del(&list, &args(), &CapabilityArgs::new(), None, &mut r.env());
    assert_eq!(done.error, None);
    assert!(done.exec.iter().all(|(_, e)| e.is_empty()));
}

#[test]
fn check_finds_what_differs() {
    let mut r = Runtime::new();
    let list = bridge_list("1.0.0");
    let result = r.add(&list, args(), CapabilityArgs::new()).1.unwrap();
    let said =
        |r: &mut Runtime, list: &ConfList| check(list, &args(), &CapabilityArgs::new(), &result, &mut r.env()).unwrap_err().to_string();

    let route = Op::Route(crate::linux::op::RouteOp::Flush { table: None, dev: Some("eth0".into()), prefix: None });
    r.kernels.apply("n", "pod", &route).unwrap();
    assert_eq!(said(&mut r, &list), "Expected Route {Dst:0.0.0.0/0 GW:10.1.0.1} not found in routing table");
    let addr = Op::Addr(crate::linux::op::AddrOp::Flush { dev: "eth0".into() });
    r.kernels.apply("n", "pod", &addr).unwrap();
    assert_eq!(said(&mut r, &list), "Failed to match addr 10.1.0.2/24 on interface eth0");
    r.kernels.apply("n", "", &Op::Link(crate::linux::op::LinkOp::Del { dev: "br0".into() })).unwrap();
    assert_eq!(said(&mut r, &list), "Interface name br0 not found");
    let old = bridge_list("0.3.1");
    assert_eq!(said(&mut r, &old), "configuration version \"0.3.1\" does not support CHECK");
}

#[test]
fn errors_have_the_codes_of_the_specification() {
    let mut r = Runtime::new();
    let failed = |r: &mut Runtime, list: &Arc<ConfList>, args: CmdArgs| r.add(list, args, CapabilityArgs::new()).1.unwrap_err();
    let with = |f: fn(&mut CmdArgs)| {
        let mut a = args();
        f(&mut a);
        a
    };
    let list = bridge_list("1.0.0");
    let bridge = "plugin type=\"bridge\" failed (add): ";
    assert_eq!(
        failed(&mut r, &bridge_list("9.0.0"), args()),
        format!(
            "1 {bridge}incompatible CNI versions; config is \"9.0.0\", plugin supports [\"0.1.0\" \"0.2.0\" \"0.3.0\" \"0.3.1\" \"0.4.0\" \"1.0.0\" \"1.1.0\"]"
        )
    );
    assert_eq!(failed(&mut r, &list, with(|a| a.netns = None)), format!("4 {bridge}required env variables [CNI_NETNS] missing"));
    assert_eq!(failed(&mut r, &list, with(|a| a.container_id = "a/b".into())), format!("4 {bridge}invalid characters in containerID; a/b"));
    assert_eq!(
        failed(&mut r, &list, with(|a| a.if_name = "a-name-that-is-too-long".into())),
        format!("4 {bridge}interface name is too long; interface name should be less than 16 characters")
    );
    let other = self::list(r#"{"cniVersion": "1.0.0", "name": "x", "plugins": [{"type": "weave-net"}]}"#);
    assert_eq!(
        failed(&mut r, &other, args()),
        "999 plugin type=\"weave-net\" failed (add): failed to find plugin \"weave-net\" in path [/opt/cni/bin]"
    );
    let alone = self::list(r#"{"cniVersion": "1.0.0", "name": "x", "plugins": [{"type": "portmap"}]}"#);
    assert_eq!(failed(&mut r, &alone, args()), "999 plugin type=\"portmap\" failed (add): must be called as chained plugin");

    let error = cni::CniError::new(cni::code::CONFIG, "no name").with("at all");
    assert_eq!(error.to_json("1.0.0"), json!({ "cniVersion": "1.0.0", "code": 7, "msg": "no name", "details": "at all" }));
}

/// Only what a plugin asks for reaches it; a host port is refused openly.
#[test]
fn capabilities() {
    let mut r = Runtime::new();
    let ports = json!([{ "hostPort": 8080, "containerPort": 80, "protocol": "tcp" }]);
    let offered = CapabilityArgs::from_iter([("portMappings".to_owned(), ports)]);
    let (_, result) = r.add(&bridge_list("1.0.0"), args(), offered.clone());
    assert_eq!(result.unwrap_err(), "2 plugin type=\"portmap\" failed (add): host ports are not simulated");
    let mut r = Runtime::new();
    let deaf = list(
        r#"{"cniVersion": "1.0.0", "name": "net", "plugins": [
            {"type": "bridge", "ipam": {"type": "host-local", "ranges": [[{"subnet": "10.1.0.0/24"}]]}}, {"type": "portmap"}]}"#,
    );
    assert!(r.add(&deaf, args(), offered).1.is_ok());
}

#[test]
fn version_and_registry() {
    assert_eq!(
        cni::version("1.1.0"),
        json!({ "cniVersion": "1.1.0", "supportedVersions": ["0.1.0", "0.2.0", "0.3.0", "0.3.1", "0.4.0", "1.0.0", "1.1.0"] })
    );
    let names: Vec<&str> = PLUGINS.iter().map(|p| p.kind()).collect();
    assert_eq!(names, ["bridge", "flannel", "host-local", "loopback", "portmap"]);
    assert!(names.iter().all(|n| cni::find(n).is_some_and(|p| p.kind() == *n)));
}

#[test]
fn lists_that_cannot_be_read() {
    let said = |text: &str| ConfList::parse(text).unwrap_err();
    for (text, code, msg) in [
        ("[]", 6, "error parsing configuration list: not an object"),
        (r#"{"plugins": [{"type": "a"}]}"#, 7, "error parsing configuration list: no name"),
        (r#"{"name": "a b", "plugins": [{"type": "a"}]}"#, 7, "invalid characters found in network name"),
        (r#"{"name": "a"}"#, 7, "error parsing configuration list: no 'plugins' key"),
        (r#"{"name": "a", "plugins": []}"#, 7, "error parsing configuration list: no plugins in list"),
        (r#"{"name": "a", "plugins": [{}]}"#, 7, "failed to parse plugin config 0: missing 'type'"),
        (r#"{"name": 1, "plugins": [{"type": "a"}]}"#, 6, "error parsing configuration list: invalid name type 1"),
    ] {
        assert_eq!((said(text).code, said(text).msg.as_str()), (code, msg), "{text}");
    }
    assert_eq!(said("{").code, 6);
}

/// The plugin gives its bridge's address back to a bridge that was left with another one only if told to.
#[test]
fn a_stale_bridge() {
    let mut r = Runtime::new();
    r.add(&bridge_list("1.0.0"), args(), CapabilityArgs::new()).1.unwrap();
    r.kernels.apply("n", "", &Op::NetnsAdd("two".into())).unwrap();
    let two = CmdArgs { container_id: "def".into(), netns: Some("two".into()), ..args() };
    let moved = |force: bool| {
        list(&format!(
            r#"{{"cniVersion": "1.0.0", "name": "net", "plugins": [{{"type": "bridge", "bridge": "br0", "isGateway": true,
                "forceAddress": {force}, "ipam": {{"type": "host-local", "ranges": [[{{"subnet": "10.2.0.0/24"}}]]}}}}]}}"#
        ))
    };
    assert_eq!(
        r.add(&moved(false), two.clone(), CapabilityArgs::new()).1.unwrap_err(),
        "999 plugin type=\"bridge\" failed (add): failed to set bridge addr: \"br0\" already has an IP address different from 10.2.0.1/24"
    );
    // The failed call has reserved an address; the runtime answers a failed ADD with DEL.
    assert_eq!(del(&moved(false), &two, &CapabilityArgs::new(), None, &mut r.env()).error, None);
    r.add(&moved(true), two, CapabilityArgs::new()).1.unwrap();
    let br = r.kernels.netns("n", None).unwrap().config.devices.by_name("br0").unwrap();
    let addrs: Vec<String> = br.addrs.iter().map(|a| a.local.to_string()).collect();
    assert_eq!(addrs, ["10.2.0.1"]);
}
