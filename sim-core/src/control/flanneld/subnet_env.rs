//! `/run/flannel/subnet.env`: what flanneld tells the CNI plugin.
//!
//! Models: flannel pkg/subnet/subnet.go WriteSubnetFile (0.28.9); flannel-io/cni-plugin flannel.go loadFlannelSubnetEnv.

use crate::packet::{Ipv4Addr, Prefix};
use std::fmt;

/// The contents of the file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SubnetEnv {
    /// `FLANNEL_NETWORK`: the ranges of all pods.
    pub networks: Vec<Prefix<Ipv4Addr>>,
    /// `FLANNEL_SUBNET`: the first usable address of this node's range, and the range.
    pub subnet: (Ipv4Addr, Prefix<Ipv4Addr>),
    /// `FLANNEL_MTU`, bytes.
    pub mtu: u32,
    /// `FLANNEL_IPMASQ`: whether flanneld masquerades.
    pub ip_masq: bool,
}

impl fmt::Display for SubnetEnv {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let networks: Vec<String> = self.networks.iter().map(ToString::to_string).collect();
        writeln!(f, "FLANNEL_NETWORK={}", networks.join(","))?;
        writeln!(f, "FLANNEL_SUBNET={}/{}", self.subnet.0, self.subnet.1.len())?;
        writeln!(f, "FLANNEL_MTU={}", self.mtu)?;
        writeln!(f, "FLANNEL_IPMASQ={}", self.ip_masq)
    }
}

impl SubnetEnv {
    /// This node's range.
    pub fn subnet_range(&self) -> Prefix<Ipv4Addr> {
        self.subnet.1
    }

    /// Reads the text of the file `path`; lines of other keys are passed over.
    ///
    /// # Errors
    /// In the words of the CNI plugin.
    pub fn parse(path: &str, text: &str) -> Result<SubnetEnv, String> {
        let range = |s: &str| match s.contains('/').then(|| Prefix::parse_interface(s)) {
            Some(Ok(read)) => Ok(read),
            _ => Err(format!("invalid CIDR address: {s}")),
        };
        let (mut networks, mut subnet, mut mtu, mut ip_masq) = (Vec::new(), None, None, None);
        for (key, value) in text.lines().filter_map(|l| l.split_once('=')) {
            match key {
                "FLANNEL_NETWORK" => {
                    networks.clear();
                    for one in value.split(',') {
                        let network = range(one)?.1;
                        if !networks.contains(&network) {
                            networks.push(network);
                        }
                    }
                }
                "FLANNEL_SUBNET" => subnet = Some(range(value)?),
                "FLANNEL_MTU" => {
                    mtu = Some(value.parse().map_err(|_| format!("strconv.ParseUint: parsing {value:?}: invalid syntax"))?);
                }
                "FLANNEL_IPMASQ" => ip_masq = Some(value == "true"),
                _ => {}
            }
        }
        match (networks.is_empty(), subnet, mtu, ip_masq) {
            (false, Some(subnet), Some(mtu), Some(ip_masq)) => Ok(SubnetEnv { networks, subnet, mtu, ip_masq }),
            (no_network, subnet, mtu, ip_masq) => {
                let missing: Vec<&str> = [
                    (no_network, "FLANNEL_NETWORK, FLANNEL_IPV6_NETWORK"),
                    (subnet.is_none(), "FLANNEL_SUBNET, FLANNEL_IPV6_SUBNET"),
                    (mtu.is_none(), "FLANNEL_MTU"),
                    (ip_masq.is_none(), "FLANNEL_IPMASQ"),
                ]
                .into_iter()
                .filter_map(|(missing, key)| missing.then_some(key))
                .collect();
                Err(format!("{path} is missing {}", missing.join(", ")))
            }
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]
    use super::*;

    #[test]
    fn the_file_as_flanneld_writes_it() {
        let range: Prefix<Ipv4Addr> = "10.244.1.0/24".parse().unwrap();
        let env = SubnetEnv {
            networks: vec!["10.244.0.0/16".parse().unwrap()],
            subnet: (range.nth(1).unwrap(), range),
            mtu: 1500,
            ip_masq: true,
        };
        let text = "FLANNEL_NETWORK=10.244.0.0/16\nFLANNEL_SUBNET=10.244.1.1/24\nFLANNEL_MTU=1500\nFLANNEL_IPMASQ=true\n";
        assert_eq!(env.to_string(), text);
        assert_eq!(SubnetEnv::parse("f", text).unwrap(), env);
    }

    #[test]
    fn what_is_missing_is_named() {
        let cases = [
            ("", "f is missing FLANNEL_NETWORK, FLANNEL_IPV6_NETWORK, FLANNEL_SUBNET, FLANNEL_IPV6_SUBNET, FLANNEL_MTU, FLANNEL_IPMASQ"),
            ("FLANNEL_NETWORK=10.244.0.0/16\nFLANNEL_SUBNET=10.244.1.1/24\nFLANNEL_IPMASQ=true\n", "f is missing FLANNEL_MTU"),
            ("FLANNEL_SUBNET=10.244.1.1\n", "invalid CIDR address: 10.244.1.1"),
            ("FLANNEL_MTU=-1\n", "strconv.ParseUint: parsing \"-1\": invalid syntax"),
        ];
        for (text, error) in cases {
            assert_eq!(SubnetEnv::parse("f", text).unwrap_err(), error);
        }
    }
}
