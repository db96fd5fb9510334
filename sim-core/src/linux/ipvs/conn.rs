//! The table of connections.
//!
//! Models: net/netfilter/ipvs/ip_vs_conn.c __ip_vs_conn_in_get, ip_vs_ct_in_get, ip_vs_conn_out_get, ip_vs_conn_put,
//! ip_vs_conn_expire, ip_vs_check_template.
//! Simplifies: no random dropping of entries when memory runs short; entries are listed in the order in which they were made.

use super::service::Forward;
use crate::linux::hot::HotMap;
use crate::linux::id::RowId;
use crate::linux::time::Time;
use crate::packet::Protocol;
use smallvec::SmallVec;
use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::net::IpAddr;
use std::time::Duration;

/// A connection, by its number in the namespace; 0 is none.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct ConnId(pub u32);

/// Seconds that an entry waits for those that it controls.
const CONTROLS: u32 = 60;
/// Seconds that an entry lasts before its protocol has said anything.
const FRESH: u32 = 3;

/// One end and the other of a packet, as it goes in (client, virtual) or comes back (client, real).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ConnKey {
    /// Protocol; 0 for templates of marks.
    pub protocol: Protocol,
    /// The client.
    pub client: IpAddr,
    /// Its port; 0 for templates.
    pub cport: u16,
    /// The virtual address, or the real server's.
    pub server: IpAddr,
    /// The port there.
    pub port: u16,
}

/// A connection (struct ip_vs_conn).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Conn {
    /// Its number.
    pub id: ConnId,
    /// Client and virtual address.
    pub key: ConnKey,
    /// `daddr`: the real server, or where the packet was sent to.
    pub daddr: IpAddr,
    /// `dport`.
    pub dport: u16,
    /// How packets get there.
    pub forward: Forward,
    /// IP_VS_CONN_F_BYPASS: there is no real server, packets go where they were sent to.
    pub bypass: bool,
    /// IP_VS_CONN_F_TEMPLATE: it is a memory of persistence.
    pub template: bool,
    /// IP_VS_CONN_F_ONE_PACKET: it is not kept.
    pub one_packet: bool,
    /// IP_VS_CONN_F_INACTIVE: it counts as inactive.
    pub inactive: bool,
    /// IP_VS_CONN_F_NOOUTPUT: no reply was seen here.
    pub no_output: bool,
    /// IP_VS_CONN_F_NFCT: netfilter tracks it too.
    pub nfct: bool,
    /// State, of its protocol; of a template 1 once a connection of it was answered.
    pub state: u8,
    /// Seconds from the last packet to its end.
    pub timeout: u32,
    /// When it ends.
    pub expires: Time,
    /// The real server; none for a bypass.
    pub dest: RowId,
    /// The template that made it.
    pub control: Option<ConnId>,
    /// `n_control`: how many it made.
    pub controls: u32,
    /// Packets towards the real server.
    pub in_pkts: u32,
    /// When its end is on the list for.
    queued: Time,
}

impl Conn {
    /// What packets that come back are found by: from the real server if addresses were rewritten, else from the virtual one.
    pub fn out_key(&self) -> ConnKey {
        match self.forward {
            Forward::Masq => ConnKey { server: self.daddr, port: self.dport, ..self.key },
            Forward::Tunnel | Forward::Route => self.key,
        }
    }

    /// The state's name, as `ipvsadm -Lc` prints it.
    pub fn state_name(&self) -> &'static str {
        match (self.template, self.state) {
            (true, 0) => "NONE",
            (true, _) => "ASSURED",
            (false, s) => super::proto::state_name(self.key.protocol, s),
        }
    }

    /// The timer starts anew (ip_vs_conn_put).
    fn restart(&mut self, now: Time) {
        self.expires = now + Duration::from_secs(u64::from(if self.one_packet { 0 } else { self.timeout }));
    }
}

/// What is known of a connection when it is made.
#[derive(Clone, Copy, Debug)]
pub struct NewConn {
    /// Client and virtual address.
    pub key: ConnKey,
    /// Where it goes.
    pub daddr: IpAddr,
    /// The port there.
    pub dport: u16,
    /// How.
    pub forward: Forward,
    /// The real server; none for a bypass.
    pub dest: RowId,
    /// Whether it is a template.
    pub template: bool,
    /// Whether it is for one packet.
    pub one_packet: bool,
    /// Whether netfilter tracks it too.
    pub nfct: bool,
}

type Ids = SmallVec<[ConnId; 1]>;

/// The connections of a namespace.
#[derive(Clone, Debug, Default)]
pub struct Conns {
    all: HotMap<ConnId, Conn>,
    last: u32,
    by_in: HotMap<ConnKey, Ids>,
    by_out: HotMap<ConnKey, Ids>,
    templates: HotMap<ConnKey, Ids>,
    timers: BinaryHeap<Reverse<(Time, ConnId)>>,
}

fn hash(map: &mut HotMap<ConnKey, Ids>, key: ConnKey, id: ConnId) {
    match map.get_mut(&key) {
        Some(ids) => ids.push(id),
        None => {
            map.insert(key, SmallVec::from_slice(&[id]));
        }
    }
}

fn unhash(map: &mut HotMap<ConnKey, Ids>, key: &ConnKey, id: ConnId) {
    let Some(ids) = map.get_mut(key) else { return };
    ids.retain(|i| *i != id);
    if ids.is_empty() {
        map.remove(key);
    }
}

fn newest(map: &HotMap<ConnKey, Ids>, key: &ConnKey) -> Option<ConnId> {
    map.get(key).and_then(|ids| ids.last().copied())
}

impl Conns {
    /// The connection of that number.
    #[inline]
    pub fn get(&self, id: ConnId) -> Option<&Conn> {
        self.all.get(&id)
    }

    /// The connection of that number, to be changed.
    #[inline]
    pub fn get_mut(&mut self, id: ConnId) -> Option<&mut Conn> {
        self.all.get_mut(&id)
    }

    /// The connection of a packet to a virtual address (ip_vs_conn_in_get).
    #[inline]
    pub fn find_in(&self, key: &ConnKey) -> Option<ConnId> {
        newest(&self.by_in, key)
    }

    /// The connection of a packet from a server to a client (ip_vs_conn_out_get).
    #[inline]
    pub fn find_out(&self, key: &ConnKey) -> Option<ConnId> {
        newest(&self.by_out, key)
    }

    /// The template of a client (ip_vs_ct_in_get).
    pub fn find_template(&self, key: &ConnKey) -> Option<ConnId> {
        newest(&self.templates, key)
    }

    /// How many there are, templates included.
    pub fn len(&self) -> usize {
        self.all.len()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.all.is_empty()
    }

    /// All of them, the oldest first.
    pub fn list(&self) -> Vec<&Conn> {
        self.all.sorted().into_iter().map(|(_, c)| c).collect()
    }

    /// Makes a connection and puts it into the table, except for one of a single packet.
    pub(super) fn add(&mut self, new: &NewConn, inactive: bool, no_output: bool, now: Time) -> ConnId {
        self.last += 1;
        let id = ConnId(self.last);
        let conn = Conn {
            id,
            key: new.key,
            daddr: new.daddr,
            dport: new.dport,
            forward: new.forward,
            bypass: !new.dest.is_some(),
            template: new.template,
            one_packet: new.one_packet,
            inactive,
            no_output,
            nfct: new.nfct,
            state: 0,
            timeout: FRESH,
            expires: now + Duration::from_secs(u64::from(FRESH)),
            dest: new.dest,
            control: None,
            controls: 0,
            in_pkts: 0,
            queued: Time::NEVER,
        };
        if new.template {
            hash(&mut self.templates, conn.key, id);
        } else if !new.one_packet {
            hash(&mut self.by_in, conn.key, id);
            hash(&mut self.by_out, conn.out_key(), id);
        }
        self.all.insert(id, conn);
        id
    }

    /// A template whose real server is not to be used any more is found no longer; it lasts until its timer ends.
    pub(super) fn invalidate(&mut self, id: ConnId) {
        let Some(c) = self.all.get_mut(&id) else { return };
        unhash(&mut self.templates, &c.key, id);
        (c.dport, c.key.port, c.key.cport) = (0xffff, 0xffff, 0);
    }

    /// Ties a connection to the template that made it.
    pub(super) fn set_control(&mut self, id: ConnId, template: ConnId) {
        if let Some(c) = self.all.get_mut(&id) {
            c.control = Some(template);
        }
        if let Some(t) = self.all.get_mut(&template) {
            t.controls += 1;
        }
    }

    /// Its timer starts anew.
    pub fn put(&mut self, id: ConnId, now: Time) {
        if let Some(c) = self.all.get_mut(&id) {
            c.restart(now);
            let at = c.expires;
            self.queue(id, at);
        }
    }

    /// Its timer ends now.
    pub fn expire_now(&mut self, id: ConnId, now: Time) {
        if let Some(c) = self.all.get_mut(&id) {
            c.expires = c.expires.min(now);
            let at = c.expires;
            self.queue(id, at);
        }
    }

    fn queue(&mut self, id: ConnId, at: Time) {
        if let Some(c) = self.all.get_mut(&id)
            && at < c.queued
        {
            c.queued = at;
            self.timers.push(Reverse((at, id)));
        }
    }

    /// When the next timer may end: never later than it does.
    pub fn next_end(&self) -> Option<Time> {
        self.timers.peek().map(|Reverse((t, _))| *t)
    }

    /// Takes the next connection whose timer has ended by `now` out of the table, with the instant of its end.
    pub(super) fn pop_expired(&mut self, now: Time) -> Option<(Time, Conn)> {
        loop {
            let Reverse((at, id)) = *self.timers.peek()?;
            if at > now {
                return None;
            }
            self.timers.pop();
            let Some(c) = self.all.get_mut(&id).filter(|c| c.queued == at) else { continue };
            c.queued = Time::NEVER;
            if c.expires > at {
                let later = c.expires;
                self.queue(id, later);
                continue;
            }
            if c.controls > 0 {
                c.timeout = CONTROLS;
                c.restart(at);
                let later = c.expires;
                self.queue(id, later);
                continue;
            }
            return self.remove(id).map(|c| (at, c));
        }
    }

    fn remove(&mut self, id: ConnId) -> Option<Conn> {
        let c = self.all.remove(&id)?;
        if c.template {
            unhash(&mut self.templates, &c.key, id);
        } else if !c.one_packet {
            unhash(&mut self.by_in, &c.key, id);
            unhash(&mut self.by_out, &c.out_key(), id);
        }
        if let Some(t) = c.control.and_then(|t| self.all.get_mut(&t)) {
            t.controls = t.controls.saturating_sub(1);
        }
        Some(c)
    }
}
