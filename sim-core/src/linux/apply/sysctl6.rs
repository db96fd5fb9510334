//! `sysctl net.ipv6.*`.
//!
//! Models: net/ipv6/addrconf.c addrconf_sysctl_forward, addrconf_fixup_forwarding, addrconf_sysctl_disable, addrconf_disable_ipv6,
//! dev_forward_change; net/ipv6/sysctl_net_ipv6.c; net/core/neighbour.c neigh_proc_*.
//! Simplifies: keys that nothing here reads are not there; a range is not checked, as the kernel does not check most of these.

use super::sysctl::{NEIGH, neigh_key};
use super::{Request, addr6};
use crate::linux::errno::Errno;
use crate::linux::id::IfIndex;
use crate::linux::netns::Netns;
use crate::linux::sysctl::{DevConf6, NeighParams};
use std::sync::Arc;

type Field = fn(&mut DevConf6) -> &mut u32;

/// `net.ipv6.conf.DEV.*`.
pub(super) const CONF6: &[(&str, Field)] = &[
    ("accept_dad", |c| &mut c.accept_dad),
    ("accept_ra", |c| &mut c.accept_ra),
    ("accept_redirects", |c| &mut c.accept_redirects),
    ("addr_gen_mode", |c| &mut c.addr_gen_mode),
    ("autoconf", |c| &mut c.autoconf),
    ("dad_transmits", |c| &mut c.dad_transmits),
    ("disable_ipv6", |c| &mut c.disable_ipv6),
    ("forwarding", |c| &mut c.forwarding),
    ("hop_limit", |c| &mut c.hop_limit),
    ("keep_addr_on_down", |c| &mut c.keep_addr_on_down),
    ("ndisc_notify", |c| &mut c.ndisc_notify),
    ("proxy_ndp", |c| &mut c.proxy_ndp),
    ("router_solicitations", |c| &mut c.router_solicitations),
];

fn field(name: &str) -> Option<Field> {
    CONF6.iter().find(|(n, _)| *n == name).map(|(_, f)| *f)
}

fn conf_of<'n>(ns: &'n Netns, dev: &str) -> Option<&'n Arc<DevConf6>> {
    match dev {
        "all" => Some(&ns.config.sysctl.conf6_all),
        "default" => Some(&ns.config.sysctl.conf6_default),
        dev => ns.config.devices.by_name(dev).map(|d| &d.inet6.conf),
    }
}

fn neigh_of<'n>(ns: &'n Netns, dev: &str) -> Option<&'n Arc<NeighParams>> {
    match dev {
        "default" => Some(&ns.config.sysctl.neigh6_default),
        dev => ns.config.devices.by_name(dev).map(|d| &d.inet6.neigh),
    }
}

/// The value of a key below `net/ipv6`.
pub(super) fn get(ns: &Netns, path: &[&str]) -> Option<i64> {
    match path {
        ["bindv6only"] => Some(i64::from(ns.config.sysctl.bindv6only)),
        ["icmp", "ratelimit"] => Some(i64::from(ns.config.sysctl.icmp6_ratelimit)),
        ["conf", dev, name] => {
            let mut conf = (**conf_of(ns, dev)?).clone();
            Some(i64::from(*field(name)?(&mut conf) as i32))
        }
        ["neigh", dev, name] => Some(neigh_key(name)?.value(neigh_of(ns, dev)?)),
        _ => None,
    }
}

/// Sets a key below `net/ipv6`.
pub(super) fn set(ns: &mut Netns, path: &[&str], v: &[i64], requests: &mut Vec<Request>) -> Result<(), Errno> {
    let [n] = v else { return Err(Errno::EINVAL) };
    let value = *n as i32 as u32;
    match path {
        ["bindv6only"] => Arc::make_mut(&mut ns.config_mut().sysctl).bindv6only = value != 0,
        ["icmp", "ratelimit"] => Arc::make_mut(&mut ns.config_mut().sysctl).icmp6_ratelimit = value,
        ["conf", "all", name @ ("disable_ipv6" | "forwarding")] => {
            // these two pass to `default` and to every device
            let f = field(name).ok_or(Errno::ENOENT)?;
            let config = ns.config_mut();
            let sysctl = Arc::make_mut(&mut config.sysctl);
            *f(Arc::make_mut(&mut sysctl.conf6_all)) = value;
            *f(Arc::make_mut(&mut sysctl.conf6_default)) = value;
            let mut devs = Vec::new();
            for d in config.devices.iter_mut() {
                *f(Arc::make_mut(&mut d.inet6.conf)) = value;
                devs.push(d.index);
            }
            for dev in devs {
                follow(ns, dev, name, requests);
            }
        }
        ["conf", "all", name] => {
            *field(name).ok_or(Errno::ENOENT)?(Arc::make_mut(&mut Arc::make_mut(&mut ns.config_mut().sysctl).conf6_all)) = value;
        }
        ["conf", "default", name] => {
            *field(name).ok_or(Errno::ENOENT)?(Arc::make_mut(&mut Arc::make_mut(&mut ns.config_mut().sysctl).conf6_default)) = value;
        }
        ["conf", dev, name] => {
            let f = field(name).ok_or(Errno::ENOENT)?;
            let index = ns.config.devices.by_name(dev).map(|d| d.index).ok_or(Errno::ENOENT)?;
            if let Some(d) = ns.config_mut().devices.get_mut(index) {
                *f(Arc::make_mut(&mut d.inet6.conf)) = value;
            }
            follow(ns, index, name, requests);
        }
        ["neigh", dev, name] => {
            let mut params = (**neigh_of(ns, dev).ok_or(Errno::ENOENT)?).clone();
            neigh_key(name).ok_or(Errno::ENOENT)?.put_value(&mut params, v)?;
            if *dev == "default" {
                Arc::make_mut(&mut ns.config_mut().sysctl).neigh6_default = Arc::new(params);
            } else if let Some(d) = ns.config_mut().devices.iter_mut().find(|d| &*d.name == *dev) {
                d.inet6.neigh = Arc::new(params);
            }
        }
        _ => return Err(Errno::ENOENT),
    }
    Ok(())
}

fn follow(ns: &mut Netns, dev: IfIndex, name: &str, requests: &mut Vec<Request>) {
    match name {
        "disable_ipv6" => addr6::changed(ns, dev, requests),
        "forwarding" => addr6::forwarding_changed(ns, dev),
        _ => {}
    }
}

/// The paths of all keys below `net/ipv6`, without those of devices.
pub(super) fn paths(dev: &str) -> Vec<String> {
    let mut out: Vec<String> = CONF6.iter().map(|(n, _)| format!("net/ipv6/conf/{dev}/{n}")).collect();
    if dev != "all" {
        out.extend(NEIGH.iter().map(|k| format!("net/ipv6/neigh/{dev}/{}", k.name())));
    }
    out
}
