//! What one rule says: the packet's addresses, devices and protocol, then matches, then a target.
//!
//! Models: include/uapi/linux/netfilter_ipv4/ip_tables.h struct ipt_ip, struct ipt_entry.

use super::matches::Match;
use super::option::{OptError, plain_word};
use super::targets::Target;
use crate::packet::{Address, Family, Ipv4Addr, Ipv6Addr, Prefix, Protocol};
use std::fmt;
use std::net::IpAddr;
use std::sync::Arc;

/// `-s`, `-d`: an address under a mask.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Default)]
pub struct AddrMatch {
    /// The address as a number (an IPv4 address in the low 32 bits), bits outside of the mask cleared.
    pub addr: u128,
    /// The mask; need not be a prefix.
    pub mask: u128,
    /// Whose addresses; no matter for the one that every address fits.
    pub family: Family,
    /// `!`.
    pub invert: bool,
}

impl AddrMatch {
    /// That address alone.
    pub fn host<A: Address>(addr: A) -> Self {
        AddrMatch::prefix(Prefix::host(addr))
    }

    /// The addresses of a prefix.
    pub fn prefix<A: Address>(p: Prefix<A>) -> Self {
        AddrMatch { addr: p.addr().to_bits(), mask: Prefix::<A>::mask_bits(p.len()), family: A::FAMILY, invert: false }
    }

    /// The others.
    #[must_use]
    #[allow(clippy::should_implement_trait, reason = "read in a row with the other parts of a rule")]
    pub fn not(mut self) -> Self {
        self.invert = !self.invert;
        self
    }

    /// Whether every address fits.
    #[inline]
    pub fn any(&self) -> bool {
        self.mask == 0 && !self.invert
    }

    /// Whether `addr` fits, as a number.
    #[inline]
    pub fn holds(&self, addr: u128) -> bool {
        (addr & self.mask == self.addr) != self.invert
    }

    /// The mask of one address alone.
    fn full_mask(&self) -> u128 {
        match self.family {
            Family::Inet => u128::from(u32::MAX),
            Family::Inet6 => u128::MAX,
        }
    }

    /// Whether it is one single address, inverted or not.
    pub fn is_host(&self) -> bool {
        self.mask == self.full_mask()
    }

    /// The address if it is one single address, not inverted.
    #[inline]
    pub fn single(&self) -> Option<u128> {
        (!self.invert && self.is_host()).then_some(self.addr)
    }

    /// The address without its mask.
    pub fn address(&self) -> IpAddr {
        ip_of(self.addr, self.family)
    }

    /// Length of the prefix, if the mask is one.
    pub fn prefix_len(&self) -> Option<u32> {
        let mask = if self.family == Family::Inet { self.mask << 96 } else { self.mask };
        let len = mask.leading_ones();
        (mask.checked_shl(len).unwrap_or(0) == 0).then_some(len)
    }

    /// The same for rules of `family`, if every address fits it.
    #[must_use]
    pub fn of_family(self, family: Family) -> Self {
        if self.mask == 0 { AddrMatch { family, ..self } } else { self }
    }
}

/// The address that a number stands for.
pub fn ip_of(bits: u128, family: Family) -> IpAddr {
    match family {
        Family::Inet => Ipv4Addr::from_bits(bits as u32).into(),
        Family::Inet6 => Ipv6Addr::from_bits(bits).into(),
    }
}

/// An address as a number.
pub fn bits_of(ip: IpAddr) -> u128 {
    match ip {
        IpAddr::V4(a) => Address::to_bits(a),
        IpAddr::V6(a) => Address::to_bits(a),
    }
}

impl fmt::Display for AddrMatch {
    /// `10.0.0.0/8`, or with the mask in full if it is no prefix.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.prefix_len() {
            Some(len) => write!(f, "{}/{len}", self.address()),
            None => write!(f, "{}/{}", self.address(), ip_of(self.mask, self.family)),
        }
    }
}

/// `-i`, `-o`: the name of a device, or its beginning followed by `+`.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct IfMatch {
    /// The name as written, `+` included.
    pub name: Arc<str>,
    /// `!`.
    pub invert: bool,
}

impl IfMatch {
    /// The device of that name.
    pub fn named(name: &str) -> Self {
        IfMatch { name: name.into(), invert: false }
    }

    /// Whether `dev` fits; the empty name is no device at all.
    #[inline]
    pub fn holds(&self, dev: &str) -> bool {
        if_name_holds(&self.name, dev) != self.invert
    }
}

/// Whether `dev` is `pattern`, or begins as it does where it ends with `+`.
#[inline]
pub fn if_name_holds(pattern: &str, dev: &str) -> bool {
    match pattern.strip_suffix('+') {
        Some(begin) => dev.starts_with(begin),
        None => dev == pattern,
    }
}

/// `-p`: a protocol.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct ProtoMatch {
    /// The protocol, not 0.
    pub protocol: Protocol,
    /// `!`.
    pub invert: bool,
}

/// What a rule says.
#[derive(Clone, Debug, PartialEq, Eq, Default)]
pub struct RuleSpec {
    /// Whose packets it is for.
    pub family: Family,
    /// `-s`.
    pub src: AddrMatch,
    /// `-d`.
    pub dst: AddrMatch,
    /// `-i`.
    pub iif: Option<IfMatch>,
    /// `-o`.
    pub oif: Option<IfMatch>,
    /// `-p`.
    pub protocol: Option<ProtoMatch>,
    /// `-f`: second and further fragments; `! -f` (`Some(false)`): the others.
    pub fragment: Option<bool>,
    /// `-m …`, in the order written.
    pub matches: Vec<Match>,
    /// `-j …`, `-g …`.
    pub target: Target,
}

impl RuleSpec {
    /// A rule that fits every packet.
    pub fn to(target: Target) -> Self {
        RuleSpec { target, ..RuleSpec::default() }
    }

    /// The same for IPv6.
    #[must_use]
    pub fn ipv6(mut self) -> Self {
        self.family = Family::Inet6;
        self
    }

    /// The same for a protocol.
    #[must_use]
    pub fn protocol(mut self, protocol: Protocol) -> Self {
        self.protocol = Some(ProtoMatch { protocol, invert: false });
        self
    }

    /// The same with one more match.
    #[must_use]
    pub fn matching(mut self, m: impl Into<Match>) -> Self {
        self.matches.push(m.into());
        self
    }

    /// The same for a source.
    #[must_use]
    pub fn src(mut self, src: AddrMatch) -> Self {
        self.src = src;
        self
    }

    /// The same for a destination.
    #[must_use]
    pub fn dst(mut self, dst: AddrMatch) -> Self {
        self.dst = dst;
        self
    }

    /// The same for an input device.
    #[must_use]
    pub fn iif(mut self, name: &str) -> Self {
        self.iif = Some(IfMatch::named(name));
        self
    }

    /// The same for an output device.
    #[must_use]
    pub fn oif(mut self, name: &str) -> Self {
        self.oif = Some(IfMatch::named(name));
        self
    }

    /// The same with a comment.
    #[must_use]
    pub fn comment(self, text: &str) -> Self {
        self.matching(super::matches::Comment { text: text.into() })
    }

    /// Writes what stands behind `-A CHAIN` in iptables-save, with a space before it.
    pub fn save(&self, out: &mut String) {
        self.save_matches(out);
        self.target.save_with_jump(out);
    }

    /// The same without the target.
    pub fn save_matches(&self, out: &mut String) {
        use std::fmt::Write as _;
        let addr = |a: &AddrMatch, opt: &str, out: &mut String| {
            if !a.any() {
                let _ = write!(out, "{} {opt} {a}", if a.invert { " !" } else { "" });
            }
        };
        addr(&self.src, "-s", out);
        addr(&self.dst, "-d", out);
        for (m, opt) in [(&self.iif, "-i"), (&self.oif, "-o")] {
            if let Some(m) = m {
                let _ = write!(out, "{} {opt} {}", if m.invert { " !" } else { "" }, plain_word(&m.name));
            }
        }
        if let Some(p) = self.protocol {
            let _ = write!(out, "{} -p {}", if p.invert { " !" } else { "" }, protocol_text(p.protocol));
        }
        match self.fragment {
            Some(true) => out.push_str(" -f"),
            Some(false) => out.push_str(" ! -f"),
            None => {}
        }
        for m in &self.matches {
            out.push_str(" -m ");
            out.push_str(m.shown_name());
            m.save(out);
        }
    }

    /// The same as a string without the space.
    pub fn text(&self) -> String {
        let mut out = String::new();
        self.save(&mut out);
        out.split_off(usize::from(out.starts_with(' ')))
    }

    /// The sets that the rule names.
    pub fn sets(&self) -> impl Iterator<Item = &Arc<str>> {
        let target = match &self.target {
            Target::Set(t) => [t.add.as_ref(), t.del.as_ref()],
            _ => [None, None],
        };
        let matches = self.matches.iter().filter_map(|m| match m {
            Match::Set(m) => Some(&m.name),
            _ => None,
        });
        matches.chain(target.into_iter().flatten().map(|w| &w.name))
    }

    /// Whether the kernel takes the rule in that table, wherever it stands.
    pub(crate) fn fits_table(&self, table: super::TableKind) -> bool {
        let proto = |p: Protocol| self.protocol.is_some_and(|m| m.protocol == p && !m.invert);
        let nothing = |a: &AddrMatch| a.mask == 0 && a.invert;
        self.target.fits_table(table)
            && !nothing(&self.src)
            && !nothing(&self.dst)
            && self.matches.iter().all(|m| match m {
                Match::Tcp(_) => proto(Protocol::TCP),
                Match::Udp(_) => proto(Protocol::UDP),
                Match::Icmp(_) => proto(Protocol::ICMP),
                Match::Icmp6(_) => proto(Protocol::ICMPV6),
                Match::Sctp(_) => proto(super::matches::sctp::SCTP),
                Match::Dccp(_) => proto(super::matches::dccp::DCCP),
                Match::Tcpmss(_) => proto(Protocol::TCP),
                Match::Ecn(m) => m.fits_rule(self),
                Match::Recent(m) => m.fits_kernel(),
                _ => true,
            })
            && match &self.target {
                Target::Reject(r) => r.fits_rule(self),
                Target::Tcpmss(t) => t.fits_rule(self),
                Target::Tproxy(t) => t.fits_rule(self),
                Target::Ecn(_) => proto(Protocol::TCP),
                _ => true,
            }
    }

    /// Whether the kernel takes the rule in a chain that this hook reaches.
    pub(crate) fn fits_hook(&self, hook: super::Hook) -> bool {
        self.target.fits_hook(hook) && self.matches.iter().all(|m| m.fits_hook(hook))
    }
}

/// Protocols by number as `/etc/protocols` has them; of two names the first is printed.
const PROTOCOLS: &[(u8, &str)] = &[
    (1, "icmp"),
    (2, "igmp"),
    (3, "ggp"),
    (4, "ipencap"),
    (5, "st"),
    (6, "tcp"),
    (8, "egp"),
    (9, "igp"),
    (12, "pup"),
    (17, "udp"),
    (20, "hmp"),
    (22, "xns-idp"),
    (27, "rdp"),
    (29, "iso-tp4"),
    (33, "dccp"),
    (36, "xtp"),
    (37, "ddp"),
    (38, "idpr-cmtp"),
    (41, "ipv6"),
    (43, "ipv6-route"),
    (44, "ipv6-frag"),
    (45, "idrp"),
    (46, "rsvp"),
    (47, "gre"),
    (50, "esp"),
    (51, "ah"),
    (57, "skip"),
    (58, "ipv6-icmp"),
    (58, "icmpv6"),
    (59, "ipv6-nonxt"),
    (60, "ipv6-opts"),
    (73, "rspf"),
    (81, "vmtp"),
    (88, "eigrp"),
    (89, "ospf"),
    (93, "ax.25"),
    (94, "ipip"),
    (97, "etherip"),
    (98, "encap"),
    (103, "pim"),
    (108, "ipcomp"),
    (112, "vrrp"),
    (115, "l2tp"),
    (124, "isis"),
    (132, "sctp"),
    (133, "fc"),
    (135, "mobility-header"),
    (135, "ipv6-mh"),
    (135, "mh"),
    (136, "udplite"),
    (137, "mpls-in-ip"),
    (138, "manet"),
    (139, "hip"),
    (140, "shim6"),
    (141, "wesp"),
    (142, "rohc"),
    (143, "ethernet"),
];

/// The protocol's name as iptables prints it, or its number.
pub fn protocol_text(p: Protocol) -> String {
    PROTOCOLS.iter().find(|(n, _)| *n == p.0).map_or_else(|| p.0.to_string(), |(_, s)| (*s).to_owned())
}

/// Reads a protocol by name or number; `all` is 0.
///
/// # Errors
/// In the words of iptables.
pub fn parse_protocol(s: &str) -> Result<Protocol, OptError> {
    if let Some(n) = super::option::number(s, 255) {
        return Ok(Protocol(n as u8));
    }
    let lower = s.to_ascii_lowercase();
    if lower == "all" {
        return Ok(Protocol(0));
    }
    match PROTOCOLS.iter().find(|(_, n)| *n == lower) {
        Some((n, _)) => Ok(Protocol(*n)),
        None => Err(OptError::parameter(format!("unknown protocol \"{lower}\" specified"))),
    }
}

/// Reads one IPv4 address; missing parts are zeros (`10.1` is 10.1.0.0), parts may be octal or hexadecimal.
fn parse_address4(s: &str) -> Option<Ipv4Addr> {
    if s == "localhost" {
        return Some(Ipv4Addr::LOCALHOST);
    }
    let mut octets = [0u8; 4];
    let parts: Vec<_> = s.split('.').collect();
    if let [one] = parts[..]
        && one.starts_with("0x")
    {
        return super::option::number(one, u64::from(u32::MAX)).map(|n| Ipv4Addr::from(n as u32));
    }
    if parts.len() > 4 {
        return None;
    }
    for (octet, part) in octets.iter_mut().zip(parts) {
        *octet = super::option::number(part, 255).filter(|_| !part.is_empty())? as u8;
    }
    Some(Ipv4Addr::from(octets))
}

fn parse_address(s: &str, family: Family) -> Option<u128> {
    match family {
        Family::Inet => parse_address4(s).map(Address::to_bits),
        Family::Inet6 if s == "localhost" => Some(1),
        Family::Inet6 => s.parse::<Ipv6Addr>().ok().map(Address::to_bits),
    }
}

/// Reads a list of addresses with masks: `10.0.0.0/8,192.168.0.1`.
///
/// # Errors
/// In the words of iptables.
pub fn parse_addresses(s: &str, family: Family) -> Result<Vec<AddrMatch>, OptError> {
    let (bits, full) = match family {
        Family::Inet => (32u64, u128::from(u32::MAX)),
        Family::Inet6 => (128, u128::MAX),
    };
    s.split(',')
        .map(|one| {
            let (addr, mask) = match one.split_once('/') {
                Some((a, m)) => (a, Some(m)),
                None => (one, None),
            };
            let mask = match mask {
                None => full,
                Some(m) => match super::option::number(m, bits) {
                    Some(0) => 0,
                    Some(n) => full & (full << (bits - n)),
                    None => {
                        let whole = Some(m).filter(|m| m.contains(['.', ':'])).and_then(|m| parse_address(m, family));
                        whole.ok_or_else(|| OptError::parameter(format!("invalid mask `{m}' specified")))?
                    }
                },
            };
            let addr = parse_address(addr, family).ok_or_else(|| OptError::parameter(format!("host/network `{addr}' not found")))?;
            Ok(AddrMatch { addr: addr & mask, mask, family, invert: false })
        })
        .collect()
}

/// Reads the name of a device; a bare `+` is any and so nothing.
///
/// # Errors
/// In the words of iptables.
pub fn parse_interface(s: &str, invert: bool) -> Result<Option<IfMatch>, OptError> {
    if s.is_empty() {
        return Err(OptError::parameter("Empty interface is likely to be undesired"));
    }
    if s.len() > 15 {
        return Err(OptError::parameter(format!("interface name `{s}' must be shorter than IFNAMSIZ (15)")));
    }
    Ok((s != "+" || invert).then(|| IfMatch { name: s.into(), invert }))
}
