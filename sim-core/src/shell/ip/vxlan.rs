//! `ip link … type vxlan`.
//!
//! Models: iproute2 6.1 ip/iplink_vxlan.c vxlan_parse_opt, vxlan_print_opt.
//! Simplifies: a port that is not given is Linux's own, without the three lines that `ip` says about it.

use crate::linux::config::Config;
use crate::linux::device::VxlanConfig;
use crate::linux::device::vxlan::{OuterDf, OuterTtl};
use crate::linux::op::VxlanSet;
use crate::shell::ShellError;
use crate::shell::args::Args;
use crate::shell::lex::quote;
use std::fmt::Write as _;

/// Words that real hosts know and nothing here listens to.
const UNSUPPORTED: &[&str] = &[
    "flowlabel",
    "proxy",
    "noproxy",
    "rsc",
    "norsc",
    "l2miss",
    "nol2miss",
    "l3miss",
    "nol3miss",
    "udp6zerocsumtx",
    "noudp6zerocsumtx",
    "udp6zerocsumrx",
    "noudp6zerocsumrx",
    "remcsumtx",
    "noremcsumtx",
    "remcsumrx",
    "noremcsumrx",
    "external",
    "noexternal",
    "gbp",
    "gpe",
    "vnifilter",
    "novnifilter",
];

/// The words of `type vxlan`. A new device must have a network.
pub(super) fn parse(args: &mut Args<'_>, new: bool) -> Result<VxlanSet, ShellError> {
    let mut set = VxlanSet::default();
    while let Some(word) = args.next() {
        match word {
            "id" | "vni" => set.vni = Some(args.number(0x00ff_ffff, "invalid id")? as u32),
            "group" => {
                let addr = args.addr()?;
                if !addr.is_multicast() {
                    return Err(args.invalid("invalid group address"));
                }
                set.remote = Some(addr);
            }
            "remote" => {
                let addr = args.addr()?;
                if addr.is_multicast() {
                    return Err(args.invalid("invalid remote address"));
                }
                set.remote = Some(addr);
            }
            "local" => {
                let addr = args.addr()?;
                if addr.is_multicast() {
                    return Err(args.invalid("invalid local address"));
                }
                set.local = Some(addr);
            }
            "dev" => set.dev = Some(args.need()?.into()),
            "ttl" | "hoplimit" => {
                set.ttl = Some(match args.need()? {
                    "inherit" => OuterTtl::Inherit,
                    "auto" => OuterTtl::Auto,
                    _ => {
                        args.back();
                        match args.number(u64::from(u32::MAX), "invalid TTL")? {
                            0 => OuterTtl::Auto,
                            n => OuterTtl::Fixed(u8::try_from(n).map_err(|_| args.invalid("TTL must be <= 255"))?),
                        }
                    }
                });
            }
            "tos" | "dsfield" => {
                set.tos = Some(match args.need()? {
                    "inherit" => 1,
                    w => {
                        let hex = w.strip_prefix("0x").unwrap_or(w);
                        u8::from_str_radix(hex, 16).map_err(|_| args.invalid("bad TOS value"))?
                    }
                });
            }
            "df" => {
                set.df = Some(match args.need()? {
                    "unset" => OuterDf::Unset,
                    "set" => OuterDf::Set,
                    "inherit" => OuterDf::Inherit,
                    _ => return Err(args.invalid("DF must be 'unset', 'set' or 'inherit'")),
                });
            }
            "dstport" => set.dst_port = Some(args.number(65_535, "dst port")? as u16),
            "srcport" | "port" => {
                let min = args.number(65_535, "min port")? as u16;
                set.src_ports = Some((min, args.number(65_535, "max port")? as u16));
            }
            "learning" => set.learning = Some(true),
            "nolearning" => set.learning = Some(false),
            "ageing" => {
                set.ageing = Some(match args.need()? {
                    "none" => 0,
                    _ => {
                        args.back();
                        args.number(u64::from(u32::MAX), "ageing timer")? as u32
                    }
                });
            }
            "maxaddress" => {
                set.max_addresses = Some(match args.need()? {
                    "unlimited" => 0,
                    _ => {
                        args.back();
                        args.number(u64::from(u32::MAX), "max addresses")? as u32
                    }
                });
            }
            "udpcsum" => set.udp_csum = Some(true),
            "noudpcsum" => set.udp_csum = Some(false),
            w if UNSUPPORTED.contains(&w) => return Err(args.unsupported()),
            w => return Err(args.error_status(format!("vxlan: unknown command \"{w}\"?"), 1)),
        }
    }
    if new && set.vni.is_none() {
        return Err(args.error_status("vxlan: missing virtual network identifier", 1));
    }
    if set.remote.is_some_and(|r| r.is_multicast()) && set.dev.is_none() {
        return Err(args.error_status("vxlan: 'group' requires 'dev' to be specified", 1));
    }
    Ok(set)
}

/// The words behind `type vxlan`.
pub(super) fn words(set: &VxlanSet) -> String {
    let mut out = String::new();
    let mut put = |key: &str, value: String| {
        let _ = write!(out, " {key} {value}");
    };
    if let Some(v) = set.vni {
        put("id", v.to_string());
    }
    if let Some(v) = set.remote {
        put(if v.is_multicast() { "group" } else { "remote" }, v.to_string());
    }
    if let Some(v) = set.local {
        put("local", v.to_string());
    }
    if let Some(v) = &set.dev {
        put("dev", quote(v));
    }
    if let Some((min, max)) = set.src_ports {
        put("srcport", format!("{min} {max}"));
    }
    if let Some(v) = set.dst_port {
        put("dstport", v.to_string());
    }
    if let Some(v) = set.tos {
        put("tos", if v == 1 { "inherit".to_owned() } else { format!("0x{v:x}") });
    }
    if let Some(v) = set.ttl {
        put("ttl", ttl_word(v));
    }
    if let Some(v) = set.df {
        put("df", v.name().to_owned());
    }
    if let Some(v) = set.ageing {
        put("ageing", if v == 0 { "none".to_owned() } else { v.to_string() });
    }
    if let Some(v) = set.max_addresses {
        put("maxaddress", if v == 0 { "unlimited".to_owned() } else { v.to_string() });
    }
    for (word, v) in [("learning", set.learning), ("udpcsum", set.udp_csum)] {
        if let Some(v) = v {
            out.push_str(if v { " " } else { " no" });
            out.push_str(word);
        }
    }
    out
}

fn ttl_word(ttl: OuterTtl) -> String {
    match ttl {
        OuterTtl::Auto => "auto".to_owned(),
        OuterTtl::Inherit => "inherit".to_owned(),
        OuterTtl::Fixed(n) => n.to_string(),
    }
}

/// What `ip -d link` says of a device.
pub(super) fn details(config: &Config, v: &VxlanConfig) -> String {
    let mut out = format!("vxlan id {} ", v.vni);
    if let Some(a) = v.remote {
        let _ = write!(out, "{} {a} ", if a.is_multicast() { "group" } else { "remote" });
    }
    if let Some(a) = v.local {
        let _ = write!(out, "local {a} ");
    }
    if v.link.is_some() {
        let _ = write!(out, "dev {} ", config.devices.name(v.link));
    }
    let _ = write!(out, "srcport {} {} dstport {} ", v.src_ports.0, v.src_ports.1, v.dst_port);
    if !v.learning {
        out.push_str("nolearning ");
    }
    match v.tos {
        0 => {}
        1 => out.push_str("tos inherit "),
        n => {
            let _ = write!(out, "tos 0x{n:x} ");
        }
    }
    let _ = write!(out, "ttl {} ", ttl_word(v.ttl));
    if v.df != OuterDf::Unset {
        let _ = write!(out, "df {} ", v.df.name());
    }
    if v.ageing.is_zero() {
        out.push_str("ageing none ");
    } else {
        let _ = write!(out, "ageing {} ", v.ageing.as_secs());
    }
    if v.max_addresses != 0 {
        let _ = write!(out, "maxaddr {} ", v.max_addresses);
    }
    let _ = write!(out, "{}udpcsum noudp6zerocsumtx noudp6zerocsumrx ", if v.udp_csum { "" } else { "no" });
    out
}
