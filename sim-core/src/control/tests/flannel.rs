//! flanneld and the flannel plugin.

#![allow(clippy::unwrap_used, reason = "tests")]

use super::lab::{Lab, machine};
use crate::control::Provider;
use crate::control::flanneld::SUBNET_FILE;
use crate::control::providers::FlannelCni;
use crate::kube::{Node, ObjectKey, PodPhase};
use crate::linux::Op;
use crate::linux::netfilter::TableKind;
use crate::linux::op::route::HopSpec;
use crate::linux::op::xtables::XtCommand;
use crate::linux::op::{AgentVerb, RouteOp, RouteSpec, RouteVerb, XtOp};
use std::time::Duration;

/// The article's cluster: two nodes, a pod on each.
fn article() -> Lab {
    let mut lab = Lab::two_nodes("Flannel");
    for (name, node, ip) in [("client", "node-a", "10.244.0.2"), ("web", "node-b", "10.244.1.3")] {
        lab.pod(name, |p| {
            p.spec_mut().node_name = Some(node.into());
            p.spec_mut().requested_ip = Some(ip.parse().unwrap());
        });
    }
    lab.settle();
    lab
}

fn route(verb: RouteVerb, dst: &str, via: Option<&str>) -> Op {
    let mut route = RouteSpec::to(dst.parse().unwrap());
    if let Some(via) = via {
        route.hops = vec![HopSpec { via: Some(via.parse().unwrap()), ..HopSpec::default() }];
    }
    Op::Route(RouteOp::One { verb, route: Box::new(route) })
}

const NODE_A: [&str; 4] =
    ["default via 10.168.0.1 dev eth0", "10.168.0.0/24 dev eth0", "10.244.0.0/24 dev cni0", "10.244.1.0/24 via 10.168.0.3 dev eth0"];

#[test]
fn the_routes_of_the_article() {
    let lab = article();
    assert_eq!(lab.routes("node-a"), NODE_A);
    assert_eq!(
        lab.routes("node-b"),
        ["default via 10.168.0.1 dev eth0", "10.168.0.0/24 dev eth0", "10.244.0.0/24 via 10.168.0.2 dev eth0", "10.244.1.0/24 dev cni0"]
    );
    for (pod, node, netns, ip, gw, own) in [
        ("client", "node-a", "default_client", "10.244.0.2", "10.244.0.1", "10.244.0.0/24"),
        ("web", "node-b", "default_web", "10.244.1.3", "10.244.1.1", "10.244.1.0/24"),
    ] {
        assert_eq!(lab.get(pod).status.pod_ip.unwrap().to_string(), ip);
        let mut want = [format!("default via {gw} dev eth0"), format!("10.244.0.0/16 via {gw} dev eth0"), format!("{own} dev eth0")];
        let mut have = lab.routes_in(node, Some(netns));
        want.sort();
        have.sort();
        assert_eq!(have, want);
    }
}

#[test]
fn what_flanneld_leaves_on_a_node() {
    let lab = article();
    let node = lab.control.node("node-b").unwrap();
    assert_eq!(
        &**node.files.read(SUBNET_FILE).unwrap(),
        "FLANNEL_NETWORK=10.244.0.0/16\nFLANNEL_SUBNET=10.244.1.1/24\nFLANNEL_MTU=1500\nFLANNEL_IPMASQ=true\n"
    );
    let notes = &lab.store.node("node-b").unwrap().meta.annotations;
    let notes: Vec<String> = notes.iter().map(|(k, v)| format!("{}={v}", k.rsplit_once('/').unwrap().1)).collect();
    assert_eq!(notes, ["backend-data=null", "backend-type=host-gw", "kube-subnet-manager=true", "public-ip=10.168.0.3"]);
    assert_eq!(
        lab.events,
        [
            "node-a: flanneld: Wrote subnet file to /run/flannel/subnet.env",
            "node-b: flanneld: Wrote subnet file to /run/flannel/subnet.env",
            "node-a: flanneld: Subnet added: 10.244.1.0/24 via 10.168.0.3",
            "node-b: flanneld: Subnet added: 10.244.0.0/24 via 10.168.0.2",
        ]
    );
    assert_eq!(lab.rules("node-b", TableKind::Nat, "POSTROUTING"), ["-m comment --comment \"flanneld masq\" -j FLANNEL-POSTRTG"]);
    assert_eq!(lab.rules("node-b", TableKind::Nat, "FLANNEL-POSTRTG").len(), 6);
    assert_eq!(lab.rules("node-b", TableKind::Filter, "FLANNEL-FWD").len(), 2);
}

/// The flannel plugin hands bridge its own configuration: the MTU of the card, the network's route, no masquerading.
#[test]
fn the_delegate_s_configuration() {
    let lab = article();
    let dir = "/var/lib/cni/flannel";
    let texts: Vec<&str> = lab.control.node("node-a").unwrap().files.under(dir).map(|(_, t)| &**t).collect();
    assert_eq!(
        texts,
        [
            r#"{"hairpinMode":true,"isDefaultGateway":true,"name":"cbr0","type":"bridge","ipMasq":false,"mtu":1500,"isGateway":true,"cniVersion":"0.3.1","ipam":{"type":"host-local","ranges":[[{"subnet":"10.244.0.0/24"}]],"routes":[{"dst":"10.244.0.0/16"}]}}"#
        ]
    );
    let mut lab = lab;
    lab.delete("client");
    lab.run();
    assert_eq!(lab.control.node("node-a").unwrap().files.under(dir).count(), 0);
}

#[test]
fn a_route_that_is_taken_away_is_back_within_ten_seconds_unless_flanneld_is_stopped() {
    let mut lab = article();
    lab.events.clear();
    lab.wait(Duration::from_secs(3));
    lab.type_in("node-a", route(RouteVerb::Del, "10.244.1.0/24", None));
    lab.wait(Duration::from_millis(6_999));
    assert_eq!(lab.routes("node-a"), NODE_A[..3]);
    lab.wait(Duration::from_millis(1));
    assert_eq!(lab.routes("node-a"), NODE_A);
    assert_eq!(lab.events, ["node-a: flanneld: Route recovered 10.244.1.0/24 : 10.168.0.3"]);

    lab.systemctl("node-a", AgentVerb::Stop, "flanneld");
    assert_eq!(lab.routes("node-a"), NODE_A, "what it has set up stays");
    lab.type_in("node-a", route(RouteVerb::Del, "10.244.1.0/24", None));
    lab.wait(Duration::from_secs(60));
    assert_eq!(lab.routes("node-a"), NODE_A[..3]);
    lab.systemctl("node-a", AgentVerb::Start, "flanneld");
    assert_eq!(lab.routes("node-a"), NODE_A);
}

#[test]
fn a_wrong_route_is_replaced_when_flanneld_starts() {
    let mut lab = article();
    lab.type_in("node-a", route(RouteVerb::Replace, "10.244.1.0/24", Some("10.168.0.77")));
    lab.wait(Duration::from_secs(30));
    assert!(!lab.routes("node-a").contains(&NODE_A[3].to_owned()), "the check puts in what is missing and cannot: the range is taken");
    lab.events.clear();
    lab.systemctl("node-a", AgentVerb::Restart, "flanneld");
    assert_eq!(lab.routes("node-a"), NODE_A);
    assert!(lab.events.iter().any(|e| e.contains("Replacing existing route to {Ifindex: 2 Dst: 10.244.1.0/24 Src: <nil> Gw: 10.168.0.77")));
}

#[test]
fn rules_come_back_within_five_seconds_in_their_order() {
    let mut lab = article();
    let before = lab.rules("node-a", TableKind::Nat, "FLANNEL-POSTRTG");
    let flush = XtOp::Command { table: TableKind::Nat, command: XtCommand::Flush(Some("FLANNEL-POSTRTG".into())) };
    lab.type_in("node-a", Op::Xtables(crate::packet::Family::Inet, flush));
    lab.wait(Duration::from_millis(4_999));
    assert_eq!(lab.rules("node-a", TableKind::Nat, "FLANNEL-POSTRTG").len(), 0);
    lab.wait(Duration::from_millis(1));
    assert_eq!(lab.rules("node-a", TableKind::Nat, "FLANNEL-POSTRTG"), before);
    assert_eq!(lab.rules("node-a", TableKind::Nat, "POSTROUTING").len(), 1);
}

/// Behind a router: the kernel refuses a gateway that is no neighbour, flanneld says so, and tries on in silence.
#[test]
fn nodes_on_different_segments() {
    let machines = vec![machine("node-a", "10.168.0.2"), machine("node-b", "10.169.0.3")];
    let mut lab = Lab::new(Provider::named("Flannel").unwrap(), machines);
    lab.pod_on("web", "node-b");
    lab.settle();
    assert_eq!(lab.routes("node-b"), ["default via 10.169.0.1 dev eth0", "10.169.0.0/24 dev eth0", "10.244.1.0/24 dev cni0"]);
    assert_eq!(
        lab.events[2..],
        [
            "node-a: flanneld: Subnet added: 10.244.1.0/24 via 10.169.0.3",
            "node-b: flanneld: Subnet added: 10.244.0.0/24 via 10.168.0.2",
            "node-a: flanneld: Error adding route to {Ifindex: 2 Dst: 10.244.1.0/24 Src: <nil> Gw: 10.169.0.3 Flags: [] Table: 0 Realm: 0}: network is unreachable",
            "node-b: flanneld: Error adding route to {Ifindex: 2 Dst: 10.244.0.0/24 Src: <nil> Gw: 10.168.0.2 Flags: [] Table: 0 Realm: 0}: network is unreachable",
        ]
    );
    assert_eq!(lab.get("web").status.phase, PodPhase::Running, "pods of one node are none the worse");
    let told = lab.events.len();
    lab.wait(Duration::from_secs(30));
    assert_eq!(lab.events.len(), told);
    let tries = lab.log.iter().filter(|l| *l == "node-a: ip route add 10.244.1.0/24 via 10.169.0.3 dev eth0").count();
    assert_eq!(tries, 4, "once at the start and at each check");
}

#[test]
fn pods_wait_for_flanneld() {
    let mut lab = Lab::two_nodes("Flannel");
    lab.control.systemctl("node-a", AgentVerb::Stop, "flanneld").unwrap();
    lab.pod_on("a", "node-a");
    lab.pod_on("b", "node-b");
    lab.settle();
    let said = lab.get("a").status.message.clone().unwrap();
    assert!(
        said.ends_with(
            "plugin type=\"flannel\" failed (add): failed to load flannel 'subnet.env' file: open /run/flannel/subnet.env: no such file or directory. Check the flannel pod log for this node."
        ),
        "{said}"
    );
    assert_eq!(lab.get("b").status.phase, PodPhase::Running);
    assert_eq!(lab.routes("node-b").len(), 3, "node-b knows nothing of node-a");
    lab.systemctl("node-a", AgentVerb::Start, "flanneld");
    assert!(lab.routes("node-b").contains(&"10.244.0.0/24 via 10.168.0.2 dev eth0".to_owned()));
    lab.wait(Duration::from_secs(10));
    assert_eq!(lab.get("a").status.phase, PodPhase::Running);
}

#[test]
fn a_node_without_a_range() {
    let mut lab = Lab::two_nodes("Flannel");
    lab.store.modify::<Node>(&ObjectKey::cluster("node-a"), |n| n.pod_cidr = Some("10.0.0.0/8".parse().unwrap())).unwrap();
    lab.settle();
    assert!(
        lab.events.contains(
            &"node-b: flanneld: Error registering network: failed to acquire lease: node \"node-b\" pod cidr not assigned".to_owned()
        ),
        "{:?}",
        lab.events
    );
    assert!(lab.events.contains(&"-: node-ipam: Node node-b status is now: CIDRNotAvailable".to_owned()));
}

#[test]
fn a_node_that_goes_takes_its_routes_along() {
    let mut lab = article();
    lab.store.delete::<Node>(&ObjectKey::cluster("node-b")).unwrap();
    lab.run();
    assert_eq!(lab.routes("node-a"), NODE_A[..3]);
    assert!(lab.events.contains(&"node-a: flanneld: Subnet removed: 10.244.1.0/24".to_owned()));
    lab.wait(Duration::from_secs(20));
    assert_eq!(lab.routes("node-a"), NODE_A[..3]);
}

fn mesh(n: u32) -> Lab {
    let machines = (0..n).map(|i| machine(&format!("n{i}"), &format!("10.168.0.{}", i + 2))).collect();
    let mut lab = Lab::new(Provider::Flannel(FlannelCni::default()), machines);
    lab.settle();
    lab
}

/// On many nodes the first routes are one batch that all share; what it leads to is the same.
#[test]
fn a_mesh_is_one_batch() {
    let lab = mesh(40);
    let batches: Vec<&String> = lab.log.iter().filter(|l| l.contains("-batch")).collect();
    assert_eq!((batches.len(), batches[7].as_str()), (40, "n7: ip -batch: 40 routes without 10.244.7.0/24"));
    assert_eq!(lab.log.iter().filter(|l| l.contains("ip route add 10.244")).count(), 0);
    for i in [0u8, 7, 39] {
        let mut want: Vec<String> =
            (0..40).filter(|j| *j != i).map(|j| format!("10.244.{j}.0/24 via 10.168.0.{} dev eth0", j + 2)).collect();
        let mut have = lab.routes(&format!("n{i}"));
        have.retain(|r| r.starts_with("10.244"));
        want.sort();
        have.sort();
        assert_eq!(have, want);
    }
}

#[test]
fn the_mesh_is_looked_after_route_by_route() {
    let mut lab = mesh(40);
    lab.type_in("n3", route(RouteVerb::Del, "10.244.9.0/24", None));
    let gone = "10.244.9.0/24 via 10.168.0.11 dev eth0".to_owned();
    assert!(!lab.routes("n3").contains(&gone));
    lab.wait(Duration::from_secs(10));
    assert!(lab.routes("n3").contains(&gone));
    // A node that leaves is forgotten by all, and not put back.
    lab.store.delete::<Node>(&ObjectKey::cluster("n9")).unwrap();
    lab.run();
    lab.wait(Duration::from_secs(20));
    for n in ["n0", "n3", "n39"] {
        assert!(!lab.routes(n).contains(&gone), "{n}");
        assert_eq!(lab.routes(n).iter().filter(|r| r.starts_with("10.244")).count(), 38);
    }
}

/// One node behind a router: no batch, and all others get their routes.
#[test]
fn a_mesh_with_a_node_elsewhere() {
    let mut machines: Vec<_> = (0..20).map(|i| machine(&format!("n{i}"), &format!("10.168.0.{}", i + 2))).collect();
    machines.push(machine("far", "10.169.0.2"));
    let mut lab = Lab::new(Provider::Flannel(FlannelCni::default()), machines);
    lab.settle();
    assert!(!lab.log.iter().any(|l| l.contains("-batch")));
    assert_eq!(lab.routes("n0").iter().filter(|r| r.starts_with("10.244")).count(), 19);
    assert_eq!(lab.routes("far").iter().filter(|r| r.starts_with("10.244")).count(), 0);
}
