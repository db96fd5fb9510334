//! host-local, against the answers of the real plugin (plugins/ipam/host-local/backend/allocator/allocator_test.go,
//! host_local_test.go).

#![allow(clippy::unwrap_used, reason = "tests")]

use super::lab::Kernels;
use crate::control::cni::ipam_host_local::IpamState;
use crate::control::cni::{Call, CmdArgs, CniError, Command, NodeEnv, Progress, prepare};
use crate::control::node_files::Files;
use serde_json::{Value, json};

struct Node {
    conf: Value,
    ipam: IpamState,
}

impl Node {
    fn new(ipam: &Value) -> Node {
        let conf = json!({ "cniVersion": "1.0.0", "name": "net", "type": "bridge", "ipam": ipam });
        Node { conf, ipam: IpamState::default() }
    }

    fn range(range: &Value) -> Node {
        Node::new(&json!({ "type": "host-local", "ranges": [[range]] }))
    }

    fn call<R>(&mut self, id: &str, args: &str, f: impl FnOnce(Call<'_>, &mut NodeEnv<'_>) -> R) -> R {
        let args = CmdArgs { container_id: id.into(), netns: Some("ns".into()), if_name: "eth0".into(), args: args.into() };
        let (kernels, mut files) = (Kernels::default(), Files::default());
        let mut env = NodeEnv { host: "n", hosts: &kernels, files: &mut files, ipam: &mut self.ipam };
        f(Call { args: &args, conf: &self.conf, prev_result: None }, &mut env)
    }

    fn add_with(&mut self, id: &str, args: &str) -> Result<String, String> {
        let done = self.call(id, args, |call, env| prepare("host-local", Command::Add, &call)?.add(call, env, 0, Default::default()));
        match done.map_err(|e: CniError| e.to_string())? {
            Progress::Done(r) => {
                let ips: Vec<String> = r.ips.iter().map(|i| format!("{}/{} gw {}", i.address, i.range.len(), i.gateway.unwrap())).collect();
                Ok(ips.join(" "))
            }
            Progress::Run { .. } => panic!("host-local has no commands"),
        }
    }

    fn add(&mut self, id: &str) -> String {
        self.add_with(id, "").unwrap_or_else(|e| e)
    }

    fn del(&mut self, id: &str) {
        let exec = self.call(id, "", |call, env| prepare("host-local", Command::Del, &call)?.del(call, env)).unwrap();
        assert!(exec.is_empty());
    }

    fn check(&mut self, id: &str) -> Result<(), String> {
        self.call(id, "", |call, env| prepare("host-local", Command::Check, &call)?.check(call, env)).map_err(|e| e.to_string())
    }
}

#[test]
fn from_the_second_address_on_and_what_is_free_comes_back_last() {
    let mut n = Node::range(&json!({ "subnet": "10.244.0.0/29" }));
    assert_eq!(n.add("a"), "10.244.0.2/29 gw 10.244.0.1");
    assert_eq!(n.add("b"), "10.244.0.3/29 gw 10.244.0.1");
    n.del("a");
    // Not .2, though it is free: the search goes on behind the last one.
    assert_eq!(n.add("c"), "10.244.0.4/29 gw 10.244.0.1");
    assert_eq!(n.add("d"), "10.244.0.5/29 gw 10.244.0.1");
    assert_eq!(n.add("e"), "10.244.0.6/29 gw 10.244.0.1");
    assert_eq!(n.add("f"), "10.244.0.2/29 gw 10.244.0.1");
    assert_eq!(n.add("g"), "failed to allocate for range 0: no IP addresses available in range set: 10.244.0.1-10.244.0.6");
    n.del("d");
    assert_eq!(n.add("g"), "10.244.0.5/29 gw 10.244.0.1");
}

#[test]
fn a_node_s_range_holds_253_pods() {
    let mut n = Node::range(&json!({ "subnet": "10.244.0.0/24" }));
    for i in 2..=254 {
        assert_eq!(n.add(&format!("c{i}")), format!("10.244.0.{i}/24 gw 10.244.0.1"));
    }
    assert_eq!(n.add("one-more"), "failed to allocate for range 0: no IP addresses available in range set: 10.244.0.1-10.244.0.254");
}

#[test]
fn bounds_and_gateways() {
    let mut n =
        Node::range(&json!({ "subnet": "10.0.0.0/24", "rangeStart": "10.0.0.50", "rangeEnd": "10.0.0.52", "gateway": "10.0.0.51" }));
    assert_eq!(n.add("a"), "10.0.0.50/24 gw 10.0.0.51");
    assert_eq!(n.add("b"), "10.0.0.52/24 gw 10.0.0.51");
    assert_eq!(n.add("c"), "failed to allocate for range 0: no IP addresses available in range set: 10.0.0.50-10.0.0.52");
}

/// A set of two ranges is walked through as one.
#[test]
fn two_ranges_in_a_set() {
    let mut n = Node::new(&json!({ "type": "host-local", "ranges": [[{ "subnet": "10.0.0.0/30" }, { "subnet": "10.0.1.0/30" }]] }));
    assert_eq!(n.add("a"), "10.0.0.2/30 gw 10.0.0.1");
    assert_eq!(n.add("b"), "10.0.1.2/30 gw 10.0.1.1");
    n.del("a");
    assert_eq!(n.add("c"), "10.0.0.2/30 gw 10.0.0.1");
    assert_eq!(n.add("d"), "failed to allocate for range 0: no IP addresses available in range set: 10.0.0.1-10.0.0.2,10.0.1.1-10.0.1.2");
}

#[test]
fn two_sets_give_two_addresses_or_none() {
    let mut n = Node::new(&json!({ "type": "host-local", "ranges": [[{ "subnet": "10.0.0.0/24" }], [{ "subnet": "10.1.0.0/30" }]] }));
    assert_eq!(n.add("a"), "10.0.0.2/24 gw 10.0.0.1 10.1.0.2/30 gw 10.1.0.1");
    assert_eq!(n.add("b"), "failed to allocate for range 1: no IP addresses available in range set: 10.1.0.1-10.1.0.2");
    n.del("a");
    // What the failed call took of the first set is free again, but the search goes on behind it.
    assert_eq!(n.add("c"), "10.0.0.4/24 gw 10.0.0.1 10.1.0.2/30 gw 10.1.0.1");
}

#[test]
fn asking_for_an_address() {
    let mut n = Node::range(&json!({ "subnet": "10.244.1.0/24" }));
    assert_eq!(n.add_with("web", "IgnoreUnknown=1;IP=10.244.1.3"), Ok("10.244.1.3/24 gw 10.244.1.1".to_owned()));
    assert_eq!(n.add("next"), "10.244.1.4/24 gw 10.244.1.1");
    let set = "10.244.1.1-10.244.1.254";
    assert_eq!(
        n.add_with("x", "IP=10.244.1.3"),
        Err(format!("failed to allocate for range 0: requested IP address 10.244.1.3 is not available in range set {set}"))
    );
    assert_eq!(
        n.add_with("x", "IP=10.244.1.1"),
        Err("failed to allocate for range 0: requested ip 10.244.1.1 is subnet's gateway".to_owned())
    );
    assert_eq!(n.add_with("x", "IP=10.9.9.9"), Err("failed to allocate all requested IPs: 10.9.9.9".to_owned()));
    assert_eq!(n.add_with("x", "IP=nonsense"), Err("cannot understand ip: nonsense".to_owned()));
    assert_eq!(n.check("x"), Err("host-local: Failed to find address added by container x".to_owned()), "nothing is left behind");
    assert_eq!(n.check("web"), Ok(()));
}

#[test]
fn one_container_gets_one_address() {
    let mut n = Node::range(&json!({ "subnet": "10.0.0.0/24" }));
    n.add("a");
    assert_eq!(n.add("a"), "failed to allocate for range 0: 10.0.0.2 has been allocated to a, duplicate allocation is not allowed");
    n.del("a");
    n.del("a");
    assert_eq!(n.add("a"), "10.0.0.3/24 gw 10.0.0.1");
}

#[test]
fn files() {
    let mut n = Node::range(&json!({ "subnet": "10.0.0.0/24" }));
    n.add("abc");
    let files: Vec<_> = n.ipam.files().collect();
    let dir = "/var/lib/cni/networks/net";
    assert_eq!(
        files,
        [(format!("{dir}/10.0.0.2"), "abc\r\neth0".to_owned()), (format!("{dir}/last_reserved_ip.0"), "10.0.0.2".to_owned())]
    );
}

#[test]
fn ranges_that_cannot_be() {
    let cases = [
        (json!({ "subnet": "10.0.0.0/31" }), "invalid range set 0: Network 10.0.0.0/31 too small to allocate from"),
        (
            json!({ "subnet": "10.0.0.7/24" }),
            "invalid range set 0: Network has host bits set. For a subnet mask of length 24 the network address is 10.0.0.0",
        ),
        (json!({ "subnet": "10.0.0.0" }), "invalid range set 0: invalid CIDR address: 10.0.0.0"),
        (
            json!({ "subnet": "10.0.0.0/24", "rangeStart": "10.0.1.1" }),
            "invalid range set 0: RangeStart 10.0.1.1 not in network 10.0.0.0/24",
        ),
        (json!({ "subnet": "10.0.0.0/24", "rangeEnd": "10.0.1.1" }), "invalid range set 0: RangeEnd 10.0.1.1 not in network 10.0.0.0/24"),
        (json!({ "subnet": "fd00::/64" }), "invalid range set 0: IPv6 ranges are not simulated; fd00::/64"),
    ];
    for (range, error) in cases {
        assert_eq!(Node::range(&range).add("a"), error);
    }
    assert_eq!(Node::new(&json!({ "type": "host-local" })).add("a"), "no IP ranges specified");
    let twice = json!({ "type": "host-local", "ranges": [[{ "subnet": "10.0.0.0/24" }], [{ "subnet": "10.0.0.0/25" }]] });
    assert_eq!(Node::new(&twice).add("a"), "range set 0 overlaps with 1");
}
