//! The evidence of IPVS: services and real servers by their rows, connections by their states.

use super::evidence::Told;
use super::value::{Fields, Value};
use super::view::Report;
use crate::linux::ipvs::proto::state_name;
use crate::linux::ipvs::{ConnId, Forward, VsKey};
use crate::linux::{NetnsId, RowId};
use crate::packet::{Family, Frame};
use std::net::IpAddr;

fn end(addr: IpAddr, port: u16) -> String {
    match addr {
        IpAddr::V4(a) => format!("{a}:{port}"),
        IpAddr::V6(a) => format!("[{a}]:{port}"),
    }
}

/// A service as `ipvsadm -L` names it: `TCP 10.96.0.10:80`, `FWM 7`.
pub(super) fn service(key: &VsKey) -> String {
    match key {
        VsKey::Addr(p, addr, port) => format!("{} {}", p.name().unwrap_or("ip").to_uppercase(), end(*addr, *port)),
        VsKey::Fwmark(Family::Inet, mark) => format!("FWM {mark}"),
        VsKey::Fwmark(Family::Inet6, mark) => format!("FWM {mark} IPv6"),
    }
}

/// A forwarding method as `ipvsadm -L` names it.
pub(super) fn method(forward: Forward) -> &'static str {
    match forward {
        Forward::Masq => "masq",
        Forward::Tunnel => "tunnel",
        Forward::Route => "route",
    }
}

impl<'r> Report<'r> {
    /// A real server as `ipvsadm -L` names it, at the step at place `n`.
    fn ipvs_dest(&self, netns: NetnsId, n: u32, row: RowId) -> Option<String> {
        let (_, d) = self.config(netns, n)?.ipvs.dest_by_row(row)?;
        Some(end(d.addr, d.port))
    }

    pub(super) fn ipvs_schedule(
        &self,
        netns: NetnsId,
        n: u32,
        (asked, chosen): (RowId, RowId),
        weight: i32,
        (active, inactive): (u32, u32),
        usable: u16,
    ) -> Told {
        let service_row = self.config(netns, n).and_then(|c| c.ipvs.by_row(asked));
        let dest = if chosen.is_some() { self.ipvs_dest(netns, n, chosen) } else { None };
        let made = self.config(netns, n).and_then(|c| {
            let (_, d) = c.ipvs.dest_by_row(chosen)?;
            Some(self.provenance(c, d.source))
        });
        let mut fields: Fields = vec![
            ("service", service_row.map(|s| service(&s.key)).into()),
            ("scheduler", service_row.map(|s| s.spec.scheduler.name().to_owned()).into()),
            ("dest", dest.clone().into()),
            ("weight", weight.unsigned_abs().into()),
            ("active", active.into()),
            ("inactive", inactive.into()),
            ("usable", usable.into()),
            ("row", dest.clone().into()),
        ];
        fields.extend(made.as_ref().map(|m| ("made_by", m.text.as_str().into())));
        let verdict = dest.clone().unwrap_or_else(|| "no destination".to_owned());
        Told::new(fields).verdict(verdict).row(dest, made)
    }

    #[allow(clippy::too_many_arguments, reason = "the fields of one step")]
    pub(super) fn ipvs_conn(
        &self,
        netns: NetnsId,
        n: u32,
        id: ConnId,
        dest: RowId,
        (created, reply): (bool, bool),
        (from, to): (u8, u8),
        frame: Option<&Frame>,
    ) -> Told {
        let protocol = frame.and_then(Frame::ipv4).map(|p| p.body.protocol());
        let state = |s| protocol.map(|p| state_name(p, s).to_owned()).filter(|s| s != "ERR!");
        let config = self.config(netns, n);
        let at = config.and_then(|c| c.ipvs.dest_by_row(dest)).map(|(s, _)| service(&s.key));
        let real = self.ipvs_dest(netns, n, dest);
        let fields: Fields = vec![
            ("conn", id.0.into()),
            ("created", created.into()),
            ("reply", reply.into()),
            ("from", state(from).into()),
            ("to", state(to).into()),
            ("service", at.into()),
            ("dest", real.clone().map(Value::from).unwrap_or(Value::Null)),
        ];
        Told::new(fields).row(real, None)
    }
}
