//! `net.ipv4.vs.*`, as typed values.
//!
//! Models: net/netfilter/ipvs/ip_vs_ctl.c vs_vars, ip_vs_lblc.c, ip_vs_lblcr.c, with their defaults.
//! Simplifies: the switches of the defence against floods, of synchronisation and of the estimators' threads are not there.

/// The sysctls of IPVS.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct VsSysctls {
    /// `conntrack`: connections are tracked by netfilter too; without it their packets are made UNTRACKED.
    pub conntrack: bool,
    /// `snat_reroute`: replies are routed again after their source was rewritten.
    pub snat_reroute: bool,
    /// `cache_bypass`: without a real server, packets of a fwmark service go where they were sent to.
    pub cache_bypass: bool,
    /// `expire_nodest_conn`: a connection whose real server is gone ends with its next packet.
    pub expire_nodest_conn: bool,
    /// `expire_quiescent_template`: persistence does not hold to a real server of weight 0.
    pub expire_quiescent_template: bool,
    /// `sloppy_tcp`: any segment but a reset makes a connection.
    pub sloppy_tcp: bool,
    /// `sloppy_sctp`: any chunk makes a connection.
    pub sloppy_sctp: bool,
    /// `nat_icmp_send`: a real server that answers without a connection is told so.
    pub nat_icmp_send: bool,
    /// `pmtu_disc`: the outer packet of a tunnel takes DF from the inner one.
    pub pmtu_disc: bool,
    /// `backup_only`.
    pub backup_only: bool,
    /// `conn_reuse_mode`: bit 0, a SYN on a connection that is over makes a new one; bit 1, also if it is half closed.
    pub conn_reuse_mode: u8,
    /// `schedule_icmp`: ICMP errors make connections.
    pub schedule_icmp: bool,
    /// `ignore_tunneled`.
    pub ignore_tunneled: bool,
    /// `run_estimation`: rates are computed.
    pub run_estimation: bool,
    /// `lblc_expiration` in seconds.
    pub lblc_expiration: u32,
    /// `lblcr_expiration` in seconds.
    pub lblcr_expiration: u32,
}

impl Default for VsSysctls {
    fn default() -> Self {
        VsSysctls {
            conntrack: false,
            snat_reroute: true,
            cache_bypass: false,
            expire_nodest_conn: false,
            expire_quiescent_template: false,
            sloppy_tcp: false,
            sloppy_sctp: false,
            nat_icmp_send: false,
            pmtu_disc: true,
            backup_only: false,
            conn_reuse_mode: 1,
            schedule_icmp: false,
            ignore_tunneled: false,
            run_estimation: true,
            lblc_expiration: 86_400,
            lblcr_expiration: 86_400,
        }
    }
}
