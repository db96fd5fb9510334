//! What the kernel here can do: tried once, in a namespace of its own.

use super::LabError;
use super::netns::Namespace;
use super::tools::{self, is_there, run, words};
use std::sync::OnceLock;

/// What is missing, by the word that a command uses for it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Lacks {
    /// Kinds of devices.
    pub devices: Vec<&'static str>,
    /// Tools that are not installed.
    pub tools: Vec<&'static str>,
    /// Whether there are no IPVS tables.
    pub ipvs: bool,
    /// Whether bridges cannot filter VLANs.
    pub vlan_filtering: bool,
}

/// Kinds of devices, each with what a command needs to make one.
const DEVICES: &[(&str, &str)] = &[
    ("bridge", "type bridge"),
    ("dummy", "type dummy"),
    ("gre", "type gre remote 192.0.2.1 local 192.0.2.2"),
    ("gretap", "type gretap remote 192.0.2.1 local 192.0.2.2"),
    ("ip6gre", "type ip6gre remote 2001:db8::1 local 2001:db8::2"),
    ("ip6tnl", "type ip6tnl remote 2001:db8::1 local 2001:db8::2"),
    ("ipip", "type ipip remote 192.0.2.1 local 192.0.2.2"),
    ("ipvlan", "link v0 type ipvlan"),
    ("macvlan", "link v0 type macvlan"),
    ("sit", "type sit remote 192.0.2.1 local 192.0.2.2"),
    ("veth", "type veth peer name probe1"),
    ("vlan", "link v0 type vlan id 7"),
    ("vrf", "type vrf table 10"),
    ("vxlan", "type vxlan id 7 dstport 8472"),
    ("wireguard", "type wireguard"),
];

/// Tools that verification uses.
const TOOLS: &[&str] = &["ip", "bridge", "nft", "iptables", "iptables-restore", "ipset", "conntrack", "ipvsadm", "tc"];

static FOUND: OnceLock<Result<Lacks, LabError>> = OnceLock::new();

/// What is missing here.
///
/// # Errors
/// When no namespace can be made at all.
pub fn lacks() -> Result<Lacks, LabError> {
    FOUND.get_or_init(probe).clone()
}

fn probe() -> Result<Lacks, LabError> {
    let mut lacks = Lacks { tools: TOOLS.iter().copied().filter(|t| !is_there(t)).collect(), ..Lacks::default() };
    if lacks.tools.contains(&"ip") {
        return Err(LabError::Lacks("there is no `ip` (iproute2)".to_owned()));
    }
    let ns = Namespace::new()?;
    run(&ns, &words("ip link add v0 type veth peer name v1"), None)?;
    for (kind, how) in DEVICES {
        if run(&ns, &words(&format!("ip link add probe0 {how}")), None)?.status != 0 {
            lacks.devices.push(kind);
        }
        run(&ns, &words("ip link del probe0"), None)?;
    }
    lacks.vlan_filtering = run(&ns, &words("ip link add probe0 type bridge vlan_filtering 1"), None)?.status != 0;
    lacks.ipvs = !is_there("ipvsadm") || run(&ns, &words("ipvsadm -Ln"), None)?.status != 0;
    Ok(lacks)
}

impl Lacks {
    /// What of a command is missing here, in words; none if nothing is.
    pub fn of(&self, words: &[String]) -> Option<String> {
        let tool = words.first()?.as_str();
        if tool == "ipvsadm" && self.ipvs {
            return Some("ipvs".to_owned());
        }
        if self.vlan_filtering && tool == "ip" && words.windows(2).any(|w| w[0] == "vlan_filtering" && w[1] != "0") {
            return Some("VLAN filtering on bridges".to_owned());
        }
        if !tools::is_there(tool) {
            return Some(format!("the tool `{tool}`"));
        }
        if tool == "ip" && words.get(1).is_some_and(|w| w == "link") && words.get(2).is_some_and(|w| w == "add") {
            let kind = words.iter().position(|w| w == "type").and_then(|i| words.get(i + 1))?;
            return self.devices.iter().find(|d| *d == kind).map(|d| (*d).to_owned());
        }
        None
    }
}
