//! The kubelet: sandboxes, containers, and what goes wrong with them.

#![allow(clippy::unwrap_used, reason = "tests")]

use super::lab::{Lab, machine};
use crate::control::Provider;
use crate::control::kubelet::sandbox_id;
use crate::control::providers::BridgeCni;
use crate::kube::{Container, ContainerState, Listen, ObjectKey, Pod, PodPhase, PortProtocol};
use crate::linux::netfilter::TableKind;
use crate::linux::op::AgentVerb;
use std::time::Duration;

fn one_node() -> Lab {
    Lab::new(Provider::named("Bridge").unwrap(), vec![machine("node-a", "10.168.0.2")])
}

/// The names of the hosts' ends differ from pod to pod; the text has `vethN`.
fn without_names(log: &[String]) -> Vec<String> {
    let mut seen: Vec<String> = Vec::new();
    let word = |w: &str, seen: &mut Vec<String>| {
        if w.len() != 12 || !w.starts_with("veth") {
            return w.to_owned();
        }
        let at = seen.iter().position(|s| s == w).unwrap_or_else(|| {
            seen.push(w.to_owned());
            seen.len() - 1
        });
        format!("veth{at}")
    };
    log.iter().map(|l| l.split(' ').map(|w| word(w, &mut seen)).collect::<Vec<_>>().join(" ")).collect()
}

#[test]
fn the_commands_for_a_node_and_its_first_two_pods() {
    let mut lab = one_node();
    lab.pod("client", |_| ());
    lab.pod("web", |_| ());
    lab.settle();
    assert_eq!(
        without_names(&lab.log),
        [
            "node-a: ip link set lo up",
            "node-a: ip link set eth0 up",
            "node-a: ip addr add 10.168.0.2/24 brd + dev eth0",
            "node-a: ip route add default via 10.168.0.1 dev eth0",
            "node-a: sysctl -w net.bridge.bridge-nf-call-iptables=1",
            "node-a: sysctl -w net.bridge.bridge-nf-call-ip6tables=1",
            "node-a: sysctl -w net.ipv4.ip_forward=1",
            "node-a: ip netns add default_client",
            "node-a/default_client: ip link set lo up",
            "node-a: ip link add cni0 type bridge",
            "node-a: ip link set cni0 up",
            "node-a: ip link add veth0 type veth peer name eth0 netns default_client",
            "node-a: ip link set veth0 up",
            "node-a: ip link set veth0 master cni0",
            "node-a: ip link set veth0 type bridge_slave hairpin on",
            "node-a/default_client: sysctl -w net.ipv4.conf.eth0.arp_notify=1",
            "node-a/default_client: ip addr add 10.244.0.2/24 brd + dev eth0",
            "node-a/default_client: ip link set eth0 up",
            "node-a/default_client: ip route add default via 10.244.0.1 dev eth0",
            "node-a: ip addr add 10.244.0.1/24 brd + dev cni0",
            "node-a: ip link set cni0 address MAC",
            "node-a/default_client: start client",
            // The second pod finds the bridge and its address.
            "node-a: ip netns add default_web",
            "node-a/default_web: ip link set lo up",
            "node-a: ip link add veth1 type veth peer name eth0 netns default_web",
            "node-a: ip link set veth1 up",
            "node-a: ip link set veth1 master cni0",
            "node-a: ip link set veth1 type bridge_slave hairpin on",
            "node-a/default_web: sysctl -w net.ipv4.conf.eth0.arp_notify=1",
            "node-a/default_web: ip addr add 10.244.0.3/24 brd + dev eth0",
            "node-a/default_web: ip link set eth0 up",
            "node-a/default_web: ip route add default via 10.244.0.1 dev eth0",
            "node-a/default_web: start web",
        ]
    );
    assert_eq!(lab.events, Vec::<String>::new());
    let web = lab.get("web");
    assert_eq!((web.status.phase, web.is_ready()), (PodPhase::Running, true));
    assert_eq!(web.status.pod_ip.map(|ip| ip.to_string()).as_deref(), Some("10.244.0.3"));
    assert!(lab.store.node("node-a").unwrap().is_ready());
    assert_eq!(lab.routes_in("node-a", Some("default_web")), ["default via 10.244.0.1 dev eth0", "10.244.0.0/24 dev eth0"]);
}

/// The bridge keeps the address it was born with, whatever ports come.
#[test]
fn the_bridge_keeps_its_hardware_address() {
    let mut lab = one_node();
    lab.pod("a", |_| ());
    lab.settle();
    let mac = |lab: &Lab| {
        use crate::control::Hosts;
        lab.kernels.netns("node-a", None).unwrap().config.devices.by_name("cni0").unwrap().mac
    };
    let first = mac(&lab);
    for name in ["b", "c", "d", "e"] {
        lab.pod(name, |_| ());
    }
    lab.run();
    assert_eq!(mac(&lab), first);
    let result = lab.control.cni_result("node-a", &ObjectKey::new("default", "e")).unwrap();
    assert_eq!(result.interfaces[0].mac, Some(first));
}

#[test]
fn a_pod_goes_and_its_address_comes_back_last() {
    let mut lab = one_node();
    lab.pod("a", |_| ());
    lab.pod("b", |_| ());
    lab.settle();
    lab.log.clear();
    lab.delete("a");
    lab.run();
    assert_eq!(without_names(&lab.log), ["node-a: kill a", "node-a/default_a: ip link del eth0", "node-a: ip netns del default_a"]);
    assert!(lab.store.pod("default", "a").is_none());
    lab.pod("a", |_| ());
    lab.run();
    assert_eq!(lab.get("a").status.pod_ip.map(|ip| ip.to_string()).as_deref(), Some("10.244.0.4"));
}

/// Deleted and made again before the kubelet looks: it is another pod.
#[test]
fn a_pod_made_again_under_its_name() {
    let mut lab = one_node();
    lab.pod("a", |_| ());
    lab.settle();
    lab.store.delete::<Pod>(&ObjectKey::new("default", "a")).unwrap();
    lab.pod("a", |_| ());
    lab.run();
    assert_eq!(lab.get("a").status.pod_ip.map(|ip| ip.to_string()).as_deref(), Some("10.244.0.3"));
    assert_eq!(lab.log.iter().filter(|l| l.contains("ip netns add default_a")).count(), 2);
    assert_eq!(lab.log.iter().filter(|l| l.contains("ip netns del default_a")).count(), 1);
}

/// Deleted and made again at any moment of its start, whether that start would have succeeded or not.
#[test]
fn a_pod_that_goes_while_it_comes() {
    for asked in [None, Some("10.9.9.9".parse().unwrap())] {
        for rounds in 0..5 {
            let mut lab = one_node();
            lab.settle();
            lab.log.clear();
            lab.pod("a", |p| p.spec_mut().requested_ip = asked);
            for _ in 0..rounds {
                lab.step();
            }
            lab.store.delete::<Pod>(&ObjectKey::new("default", "a")).unwrap();
            lab.pod("a", |_| ());
            lab.run();
            let all = |what: &str| lab.log.iter().filter(|l| l.contains(what)).count();
            assert_eq!(all("netns add") - all("netns del"), 1, "{rounds}: {:?}", lab.log);
            assert_eq!(lab.get("a").status.phase, PodPhase::Running);
            assert_eq!(lab.log.last().map(String::as_str), Some("node-a/default_a: start a"), "{rounds}: {:?}", lab.log);
            assert!(all("kill a") <= 1, "{rounds}: {:?}", lab.log);
            // It is the second pod's sandbox that is there.
            let key = ObjectKey::new("default", "a");
            let own = sandbox_id(&key, lab.get("a").meta.uid, 0);
            let files: Vec<_> = lab.control.node("node-a").unwrap().ipam.files().collect();
            assert_eq!((files.len(), files[0].1.starts_with(&own)), (2, true), "{rounds}: {files:?}");
            // Deleted in the same way, nothing is left.
            lab.delete("a");
            lab.run();
            use crate::control::Hosts;
            assert!(lab.kernels.netns("node-a", Some("default_a")).is_none());
            assert_eq!(lab.control.node("node-a").unwrap().ipam.files().count(), 1, "only last_reserved_ip");
        }
    }
}

#[test]
fn containers_share_the_namespace_and_its_ports() {
    let mut lab = one_node();
    let container =
        |name: &str, port| Container { name: name.into(), ports: Vec::new(), listen: vec![Listen::on(port, PortProtocol::Tcp)] };
    lab.pod("web", |p| p.spec_mut().containers = vec![container("one", 80), container("two", 81), container("three", 80)]);
    lab.settle();
    let web = lab.get("web");
    let states: Vec<&ContainerState> = web.status.containers.iter().map(|c| &c.state).collect();
    let message = "listen tcp :80: bind: address already in use".into();
    assert_eq!(states, [&ContainerState::Running, &ContainerState::Running, &ContainerState::CrashLoopBackOff { message }]);
    assert!(!web.is_ready());
    assert_eq!(
        lab.events,
        ["node-a: kubelet: Back-off restarting failed container three in pod default/web: listen tcp :80: bind: address already in use"]
    );
    // 10 s, then 20 s, then 40 s.
    let starts = |lab: &Lab| lab.log.iter().filter(|l| l.ends_with("start three")).count();
    for (wait, count) in [(9, 1), (1, 2), (19, 2), (1, 3), (39, 3), (1, 4)] {
        lab.wait(Duration::from_secs(wait));
        assert_eq!(starts(&lab), count);
    }
    assert_eq!(lab.get("web").status.containers[2].restart_count, 3);
}

#[test]
fn host_network_has_no_sandbox() {
    let mut lab = one_node();
    lab.pod("agent", |p| p.spec_mut().host_network = true);
    lab.settle();
    assert_eq!(lab.log.last().map(String::as_str), Some("node-a/: start agent"));
    assert!(!lab.log.iter().any(|l| l.contains("netns")));
    assert_eq!(lab.get("agent").status.pod_ip.map(|ip| ip.to_string()).as_deref(), Some("10.168.0.2"));
    lab.delete("agent");
    lab.run();
    assert!(lab.store.pod("default", "agent").is_none());
}

#[test]
fn a_probe_takes_its_time_once_the_clock_runs() {
    let mut lab = one_node();
    lab.settle();
    lab.pod("web", |p| p.spec_mut().ready_after = Duration::from_secs(3));
    lab.run();
    assert_eq!((lab.get("web").status.phase, lab.get("web").is_ready()), (PodPhase::Running, false));
    lab.wait(Duration::from_millis(2_999));
    assert!(!lab.get("web").is_ready());
    lab.wait(Duration::from_millis(1));
    assert!(lab.get("web").is_ready());
    assert_eq!(
        lab.events,
        [
            "-: scheduler: Successfully assigned default/web to node-a",
            "node-a: kubelet: Started 1 containers of pod default/web with address 10.244.0.2"
        ]
    );
}

#[test]
fn a_stopped_kubelet_does_nothing_until_it_is_started() {
    let mut lab = one_node();
    lab.pod("a", |_| ());
    lab.settle();
    lab.systemctl("node-a", AgentVerb::Stop, "kubelet");
    lab.log.clear();
    lab.pod("b", |_| ());
    lab.delete("a");
    lab.run();
    lab.wait(Duration::from_secs(60));
    assert_eq!(lab.log, Vec::<String>::new());
    assert_eq!(lab.get("b").status.phase, PodPhase::Pending);
    lab.systemctl("node-a", AgentVerb::Start, "kubelet");
    assert_eq!(lab.get("b").status.phase, PodPhase::Running);
    assert!(lab.store.pod("default", "a").is_none());
}

/// Whoever asks for an address gets it, even if it stands behind one who takes what comes.
#[test]
fn pinned_addresses_come_first_while_the_world_settles() {
    let mut lab = one_node();
    lab.pod("any", |_| ());
    lab.pod("pinned", |p| p.spec_mut().requested_ip = Some("10.244.0.2".parse().unwrap()));
    lab.settle();
    let ip = |name| lab.get(name).status.pod_ip.unwrap().to_string();
    assert_eq!((ip("any"), ip("pinned")), ("10.244.0.3".to_owned(), "10.244.0.2".to_owned()));
}

#[test]
fn an_address_that_is_taken_fails_leaves_nothing_and_is_tried_again() {
    let mut lab = one_node();
    lab.pod("first", |p| p.spec_mut().requested_ip = Some("10.244.0.9".parse().unwrap()));
    lab.settle();
    lab.pod("second", |p| p.spec_mut().requested_ip = Some("10.244.0.9".parse().unwrap()));
    lab.run();
    let said = lab.get("second").status.message.clone().unwrap();
    assert!(
        said.starts_with("Failed to create pod sandbox: rpc error: code = Unknown desc = failed to setup network for sandbox \"")
            && said.ends_with(
                "\": plugin type=\"bridge\" failed (add): failed to allocate for range 0: requested IP address 10.244.0.9 is not available in range set 10.244.0.1-10.244.0.254"
            ),
        "{said}"
    );
    assert_eq!(lab.get("second").status.reason.as_deref(), Some("FailedCreatePodSandBox"));
    {
        use crate::control::Hosts;
        assert!(lab.kernels.netns("node-a", Some("default_second")).is_none());
    }
    lab.delete("first");
    lab.run();
    assert_eq!(lab.get("second").status.phase, PodPhase::Pending);
    lab.wait(Duration::from_secs(10));
    assert_eq!(lab.get("second").status.phase, PodPhase::Running);
    assert_eq!(lab.get("second").status.message, None);
}

/// A command of the plugin that the kernel refuses is an error of the plugin, in its words.
#[test]
fn a_refused_command_is_the_plugin_s_error() {
    let cni = BridgeCni { mtu: 40, ..BridgeCni::default() };
    let mut lab = Lab::new(Provider::Bridge(cni), vec![machine("node-a", "10.168.0.2")]);
    lab.pod("a", |_| ());
    lab.settle();
    let said = lab.get("a").status.message.clone().unwrap();
    assert!(
        said.ends_with("plugin type=\"bridge\" failed (add): failed to create bridge \"cni0\": could not add \"cni0\": invalid argument"),
        "{said}"
    );
}

#[test]
fn masquerading_by_the_plugin() {
    let cni = BridgeCni { ip_masq: true, ..BridgeCni::default() };
    let mut lab = Lab::new(Provider::Bridge(cni), vec![machine("node-a", "10.168.0.2")]);
    lab.pod("a", |_| ());
    lab.settle();
    let rules = lab.rules("node-a", TableKind::Nat, "POSTROUTING");
    assert_eq!(rules.len(), 1);
    assert!(rules[0].starts_with("-s 10.244.0.2/32 -m comment --comment \"name: \\\"bridge\\\" id: "), "{rules:?}");
    let chain = rules[0].rsplit_once(' ').unwrap().1.to_owned();
    assert_eq!((chain.len(), chain.starts_with("CNI-")), (28, true));
    assert_eq!(lab.rules("node-a", TableKind::Nat, &chain).len(), 2);
    lab.delete("a");
    lab.run();
    assert_eq!(lab.rules("node-a", TableKind::Nat, "POSTROUTING"), Vec::<String>::new());
    assert_eq!(lab.rules("node-a", TableKind::Nat, &chain), Vec::<String>::new());
}

#[test]
fn the_same_world_twice() {
    let world = || {
        let mut lab = Lab::two_nodes("Flannel");
        for i in 0..6 {
            lab.pod(&format!("p{i}"), |_| ());
        }
        lab.settle();
        lab.delete("p3");
        lab.run();
        lab.wait(Duration::from_secs(30));
        (lab.log, lab.events)
    };
    assert_eq!(world(), world());
}
