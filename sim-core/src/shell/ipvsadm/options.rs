//! The options of `ipvsadm`: their names, and which of them a command takes.
//!
//! Models: ipvsadm 1.31 ipvsadm.c options_table, commands_v_options; popt.

use super::{Fail, fail};

/// What is to be done.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Cmd {
    Add,
    Edit,
    Delete,
    Flush,
    List,
    AddServer,
    DeleteServer,
    EditServer,
    Set,
    StartDaemon,
    StopDaemon,
    Restore,
    Save,
    Zero,
}

/// Letter, long names, what it is.
const COMMANDS: &[(char, &str, Cmd)] = &[
    ('A', "add-service", Cmd::Add),
    ('E', "edit-service", Cmd::Edit),
    ('D', "delete-service", Cmd::Delete),
    ('C', "clear", Cmd::Flush),
    ('L', "list", Cmd::List),
    ('l', "list", Cmd::List),
    ('Z', "zero", Cmd::Zero),
    ('a', "add-server", Cmd::AddServer),
    ('e', "edit-server", Cmd::EditServer),
    ('d', "delete-server", Cmd::DeleteServer),
    ('\0', "set", Cmd::Set),
    ('R', "restore", Cmd::Restore),
    ('S', "save", Cmd::Save),
    ('\0', "start-daemon", Cmd::StartDaemon),
    ('\0', "stop-daemon", Cmd::StopDaemon),
];

impl Cmd {
    /// As complaints name it.
    pub(super) fn name(self) -> &'static str {
        match self {
            Cmd::Flush => "flush",
            _ => COMMANDS.iter().find(|c| c.2 == self).map_or("", |c| c.1),
        }
    }
}

/// An option.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Opt {
    Tcp,
    Udp,
    Sctp,
    Fwmark,
    Ipv6,
    Scheduler,
    Persistent,
    Netmask,
    Server,
    Masq,
    Ipip,
    Gate,
    Weight,
    Upper,
    Lower,
    Numeric,
    Connection,
    Timeout,
    Daemon,
    Stats,
    Rate,
    Thresholds,
    PersistentConn,
    TunInfo,
    NoSort,
    Sort,
    Exact,
    Ops,
    Engine,
    SchedFlags,
    TunType,
    /// Known to the tool and not simulated.
    Daemonic(&'static str),
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Takes {
    Nothing,
    Value,
    /// A word that is no option, if one follows.
    Perhaps,
}

const OPTIONS: &[(char, &str, Takes, Opt)] = &[
    ('t', "tcp-service", Takes::Value, Opt::Tcp),
    ('u', "udp-service", Takes::Value, Opt::Udp),
    ('\0', "sctp-service", Takes::Value, Opt::Sctp),
    ('f', "fwmark-service", Takes::Value, Opt::Fwmark),
    ('6', "ipv6", Takes::Nothing, Opt::Ipv6),
    ('s', "scheduler", Takes::Value, Opt::Scheduler),
    ('p', "persistent", Takes::Perhaps, Opt::Persistent),
    ('M', "netmask", Takes::Value, Opt::Netmask),
    ('r', "real-server", Takes::Value, Opt::Server),
    ('m', "masquerading", Takes::Nothing, Opt::Masq),
    ('i', "ipip", Takes::Nothing, Opt::Ipip),
    ('g', "gatewaying", Takes::Nothing, Opt::Gate),
    ('w', "weight", Takes::Value, Opt::Weight),
    ('x', "u-threshold", Takes::Value, Opt::Upper),
    ('y', "l-threshold", Takes::Value, Opt::Lower),
    ('n', "numeric", Takes::Nothing, Opt::Numeric),
    ('c', "connection", Takes::Nothing, Opt::Connection),
    ('\0', "timeout", Takes::Nothing, Opt::Timeout),
    ('\0', "daemon", Takes::Nothing, Opt::Daemon),
    ('\0', "stats", Takes::Nothing, Opt::Stats),
    ('\0', "rate", Takes::Nothing, Opt::Rate),
    ('\0', "thresholds", Takes::Nothing, Opt::Thresholds),
    ('\0', "persistent-conn", Takes::Nothing, Opt::PersistentConn),
    ('\0', "tun-info", Takes::Nothing, Opt::TunInfo),
    ('\0', "nosort", Takes::Nothing, Opt::NoSort),
    ('\0', "sort", Takes::Nothing, Opt::Sort),
    ('X', "exact", Takes::Nothing, Opt::Exact),
    ('o', "ops", Takes::Nothing, Opt::Ops),
    ('\0', "pe", Takes::Value, Opt::Engine),
    ('b', "sched-flags", Takes::Value, Opt::SchedFlags),
    ('\0', "tun-type", Takes::Value, Opt::TunType),
    ('\0', "tun-port", Takes::Value, Opt::Daemonic("--tun-port")),
    ('\0', "tun-nocsum", Takes::Nothing, Opt::Daemonic("--tun-nocsum")),
    ('\0', "tun-csum", Takes::Nothing, Opt::Daemonic("--tun-csum")),
    ('\0', "tun-remcsum", Takes::Nothing, Opt::Daemonic("--tun-remcsum")),
    ('\0', "mcast-interface", Takes::Value, Opt::Daemonic("--mcast-interface")),
    ('\0', "mcast-group", Takes::Value, Opt::Daemonic("--mcast-group")),
    ('\0', "mcast-port", Takes::Value, Opt::Daemonic("--mcast-port")),
    ('\0', "mcast-ttl", Takes::Value, Opt::Daemonic("--mcast-ttl")),
    ('\0', "sync-maxlen", Takes::Value, Opt::Daemonic("--sync-maxlen")),
    ('\0', "syncid", Takes::Value, Opt::Daemonic("--syncid")),
];

/// Options as the table of legal combinations names them, in its order.
const NAMES: [&str; 22] = [
    "numeric",
    "connection",
    "service-address",
    "scheduler",
    "persistent",
    "netmask",
    "real-server",
    "forwarding-method",
    "weight",
    "u-threshold",
    "l-threshold",
    "timeout",
    "daemon",
    "stats",
    "rate",
    "thresholds",
    "persistent-conn",
    "nosort",
    "exact",
    "ops",
    "sched-flags",
    "tun-type",
];
/// Of `-L` too, and only there; it stands behind all others.
const TUN_INFO: usize = 22;

/// What a command makes of each option: `+` needs it, `x` refuses it, `1` takes one of those, blank leaves it free.
fn legal(cmd: Cmd) -> &'static str {
    match cmd {
        //                        n c S s p M r f w x y t d s r t p n e o b t i
        Cmd::Add | Cmd::Edit => "xx+   xxxxxxxxxxxxx  xx",
        Cmd::Delete => "xx+xxxxxxxxxxxxxxxxxxxx",
        Cmd::Flush | Cmd::Set | Cmd::Restore | Cmd::StartDaemon | Cmd::StopDaemon => "xxxxxxxxxxxxxxxxxxxxxxx",
        Cmd::List => " 11xxxxxxxx11      xxx ",
        Cmd::AddServer | Cmd::EditServer => "xx+xxx+    xxxxxxxxxx x",
        Cmd::DeleteServer => "xx+xxx+xxxxxxxxxxxxxxxx",
        Cmd::Save => " xxxxxxxxxxxxxxxxxxxxxx",
        Cmd::Zero => "xx xxxxxxxxxxxxxxxxxxxx",
    }
}

/// The options that were given.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Options(u32);

impl Options {
    fn place(opt: Opt) -> Option<usize> {
        Some(match opt {
            Opt::Numeric => 0,
            Opt::Connection => 1,
            Opt::Tcp | Opt::Udp | Opt::Sctp | Opt::Fwmark => 2,
            Opt::Scheduler => 3,
            Opt::Persistent => 4,
            Opt::Netmask => 5,
            Opt::Server => 6,
            Opt::Masq | Opt::Ipip | Opt::Gate => 7,
            Opt::Weight => 8,
            Opt::Upper => 9,
            Opt::Lower => 10,
            Opt::Timeout => 11,
            Opt::Daemon => 12,
            Opt::Stats => 13,
            Opt::Rate => 14,
            Opt::Thresholds => 15,
            Opt::PersistentConn => 16,
            Opt::NoSort => 17,
            Opt::Exact => 18,
            Opt::Ops => 19,
            Opt::SchedFlags => 20,
            Opt::TunType => 21,
            Opt::TunInfo => TUN_INFO,
            Opt::Sort | Opt::Ipv6 | Opt::Engine | Opt::Daemonic(_) => return None,
        })
    }

    fn name(place: usize) -> &'static str {
        NAMES.get(place).copied().unwrap_or("tun-info")
    }

    /// Whether the option, or one of its kind, was given.
    pub(super) fn has(self, opt: Opt) -> bool {
        Self::place(opt).is_some_and(|p| self.0 >> p & 1 == 1)
    }

    /// Notes an option (set_option).
    pub(super) fn add(&mut self, opt: Opt) -> Result<(), Fail> {
        let Some(place) = Self::place(opt) else { return Ok(()) };
        if self.0 >> place & 1 == 1 {
            return Err(fail(format!("multiple '{}' options specified", Self::name(place))));
        }
        self.0 |= 1 << place;
        Ok(())
    }

    /// Whether the command takes them (generic_opt_check).
    pub(super) fn check(self, cmd: Cmd) -> Result<(), Fail> {
        let mut last = None;
        for (place, rule) in legal(cmd).chars().enumerate() {
            let (name, given) = (Self::name(place), self.0 >> place & 1 == 1);
            match rule {
                '+' if !given => return Err(fail(format!("You need to supply the '{name}' option for the '{}' command", cmd.name()))),
                'x' if given => return Err(fail(format!("Illegal '{name}' option with the '{}' command", cmd.name()))),
                '1' if given => match last.replace(name) {
                    None => {}
                    Some(other) => {
                        return Err(fail(format!(
                            "The option '{name}' conflicts with the '{other}' option in the '{}' command",
                            cmd.name()
                        )));
                    }
                },
                _ => {}
            }
        }
        Ok(())
    }
}

/// The tool's last word where no command comes first.
pub(super) fn try_help() -> Fail {
    Fail { text: "Try `ipvsadm -h' or 'ipvsadm --help' for more information.".to_owned(), status: 255, not_simulated: false }
}

/// The command, and the words behind it; letters bundled with it stand first among them.
pub(super) fn command(words: &[&str]) -> Result<(Cmd, Vec<String>), Fail> {
    let first = words.iter().position(|w| w.starts_with('-') && w.len() > 1).ok_or_else(try_help)?;
    let word = words[first];
    let mut rest: Vec<String> = Vec::new();
    let cmd = match word.strip_prefix("--") {
        Some("help") => return Err(super::unsupported("--help")),
        Some("version") => return Err(super::unsupported("--version")),
        Some(name) => COMMANDS.iter().find(|c| c.1 == name.split('=').next().unwrap_or(name)).map(|c| c.2),
        None => {
            let mut letters = word.chars().skip(1);
            let letter = letters.next().unwrap_or(' ');
            if matches!(letter, 'h' | 'v') {
                return Err(super::unsupported(if letter == 'h' { "-h" } else { "-v" }));
            }
            let bundled: String = letters.collect();
            if !bundled.is_empty() {
                rest.push(format!("-{bundled}"));
            }
            COMMANDS.iter().find(|c| c.0 == letter).map(|c| c.2)
        }
    };
    let cmd = cmd.ok_or_else(try_help)?;
    if matches!(cmd, Cmd::StartDaemon | Cmd::StopDaemon) {
        return Err(super::unsupported(word));
    }
    rest.extend(words[..first].iter().chain(&words[first + 1..]).map(|w| (*w).to_owned()));
    Ok((cmd, rest))
}

fn refused(word: &str, why: &str) -> Fail {
    Fail { text: format!("{word}: {why}"), status: 255, not_simulated: false }
}

/// Walks through options as popt does and calls `each` for every one; returns the words that belong to none.
pub(super) fn popt(words: &[String], mut each: impl FnMut(Opt, Option<&str>) -> Result<(), Fail>) -> Result<Vec<&str>, Fail> {
    let mut left = Vec::new();
    let mut i = 0;
    while let Some(word) = words.get(i).map(String::as_str) {
        i += 1;
        if word == "--" {
            left.extend(words[i..].iter().map(String::as_str));
            break;
        }
        if !word.starts_with('-') || word.len() == 1 {
            left.push(word);
            continue;
        }
        // the words that the option may take as its value
        let mut value = |takes: Takes, own: Option<&'_ str>, own_word: &str| -> Result<Option<String>, Fail> {
            match (takes, own) {
                (Takes::Nothing, None) => Ok(None),
                (Takes::Nothing, Some(_)) => Err(refused(own_word, "option does not take an argument")),
                (_, Some(own)) => Ok(Some(own.to_owned())),
                (takes, None) => match words.get(i) {
                    Some(next) if takes == Takes::Value || !next.starts_with('-') => {
                        i += 1;
                        Ok(Some(next.clone()))
                    }
                    _ if takes == Takes::Value => Err(refused(own_word, "missing argument")),
                    _ => Ok(None),
                },
            }
        };
        if let Some(long) = word.strip_prefix("--") {
            let (name, own) = long.split_once('=').map_or((long, None), |(n, v)| (n, Some(v)));
            if COMMANDS.iter().any(|c| c.1 == name) {
                return Err(fail(format!("invalid option `{word}'")));
            }
            let (.., takes, opt) = OPTIONS.iter().find(|o| o.1 == name).ok_or_else(|| refused(word, "unknown option"))?;
            let arg = value(*takes, own, word)?;
            each(*opt, arg.as_deref())?;
            continue;
        }
        for (at, letter) in word[1..].char_indices() {
            if COMMANDS.iter().any(|c| c.0 == letter) {
                return Err(fail(format!("invalid option `{word}'")));
            }
            let (.., takes, opt) = OPTIONS.iter().find(|o| o.0 == letter).ok_or_else(|| refused(word, "unknown option"))?;
            let behind = &word[1 + at + letter.len_utf8()..];
            if *takes == Takes::Nothing || behind.is_empty() {
                let arg = value(*takes, None, word)?;
                each(*opt, arg.as_deref())?;
            } else {
                // the rest of the word is the value
                each(*opt, Some(behind.strip_prefix('=').unwrap_or(behind)))?;
                break;
            }
        }
    }
    Ok(left)
}
