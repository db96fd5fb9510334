//! What must hold of any input: the targets of the fuzzer call these, and a plain test holds the kept inputs against them.

use sim_core::engine::build::NewNic;
use sim_core::engine::{Engine, LinkProps, World};
use sim_core::linux::{FlowId, NetnsId};
use sim_core::packet::Frame;
use sim_core::shell::{self, Command};
use sim_core::trace::NoTrace;
use std::cell::RefCell;

/// Frames: what is read comes back as the same bytes, and can be told in a line.
pub(crate) fn packet_decode(data: &[u8]) {
    let Ok(frame) = Frame::decode(data) else { return };
    let bytes = frame.encode();
    assert_eq!(bytes, data[..frame.len()], "{frame:?}");
    let _ = frame.summary();
    assert_eq!(Frame::decode(&bytes).as_ref(), Ok(&frame));
}

/// A host with a network card, a bridge and a namespace.
struct Host {
    engine: Engine<NoTrace>,
    root: NetnsId,
}

impl Host {
    fn new() -> Host {
        let mut world = World::new(1);
        let roots = ["host", "other"].map(|n| {
            let h = world.add_host(n);
            world.hosts[h.0 as usize].root
        });
        let nic = |name: &str| NewNic { name: name.into(), mac: None, mtu: None };
        world.add_cable((roots[0], &nic("eth0")), (roots[1], &nic("eth0")), LinkProps::default()).expect("a cable between two new hosts");
        let mut host = Host { engine: Engine::new(world, NoTrace), root: roots[0] };
        for line in [
            "ip link set lo up",
            "ip addr add 10.0.0.1/24 dev eth0",
            "ip link set eth0 up",
            "ip link add br0 type bridge",
            "ip netns add web",
            "ip link add v0 type veth peer name eth0 netns web",
            "ip link set v0 master br0 up",
        ] {
            let (status, out) = host.run(line);
            assert_eq!(status, 0, "{line}: {out}");
        }
        host
    }

    fn run(&mut self, line: &str) -> (u8, String) {
        match shell::exec::run(&mut self.engine, self.root, line, &"fuzz".into(), FlowId::NONE) {
            Ok((a, _)) => (a.status, a.stdout + &a.stderr),
            Err(_) => (1, "a loop".to_owned()),
        }
    }
}

/// Lends a fresh copy of the host.
fn with_host(f: impl FnOnce(&mut Host)) {
    thread_local! {
        static HOST: RefCell<Option<Engine<NoTrace>>> = const { RefCell::new(None) };
        static ROOT: RefCell<NetnsId> = const { RefCell::new(NetnsId(0)) };
    }
    let engine = HOST.with_borrow_mut(|slot| {
        slot.get_or_insert_with(|| {
            let h = Host::new();
            ROOT.set(h.root);
            h.engine
        })
        .clone()
    });
    f(&mut Host { engine, root: ROOT.with_borrow(|r| *r) });
}

/// A here-document whose end is no line of the text.
fn heredoc(command: &str, text: &str) -> Option<String> {
    (!text.contains("END-OF-INPUT")).then(|| format!("{command} <<'END-OF-INPUT'\n{text}\nEND-OF-INPUT"))
}

/// Feeds `text` to `load`, saves, feeds what was saved to a second host, and saves again: the same.
fn saved_again(load: &str, save: &str, text: &str) {
    let Some(line) = heredoc(load, text) else { return };
    with_host(|first| {
        if first.run(&line).0 != 0 {
            return;
        }
        let (status, saved) = first.run(save);
        assert_eq!(status, 0, "{saved}");
        let Some(line) = heredoc(load, &saved) else { return };
        with_host(|second| {
            let (status, said) = second.run(&line);
            assert_eq!(status, 0, "{said}\nof what was saved:\n{saved}");
            let (_, again) = second.run(save);
            assert_eq!(saved, again);
        });
    });
}

/// `iptables-restore`.
pub(crate) fn iptables_restore(data: &[u8]) {
    saved_again("iptables-restore", "iptables-save", &String::from_utf8_lossy(data));
}

/// `nft -f -`.
pub(crate) fn nft(data: &[u8]) {
    saved_again("nft -f -", "nft list ruleset", &String::from_utf8_lossy(data));
}

/// A script of a host: what changes prints as commands that are the same changes; questions have answers.
pub(crate) fn command_line(data: &[u8]) {
    let text = String::from_utf8_lossy(data);
    with_host(|host| {
        for scripted in shell::parse_script(&text) {
            let Ok(command) = scripted.command else { continue };
            match command {
                Command::Ops(ops) => {
                    for op in &ops {
                        let printed = shell::print(op).join("\n");
                        let back: Vec<_> = shell::parse_script(&printed)
                            .into_iter()
                            .flat_map(|s| match s.command {
                                Ok(Command::Ops(ops)) => ops,
                                other => panic!("{printed}\nis not read back: {other:?}"),
                            })
                            .collect();
                        let again: Vec<String> = back.iter().flat_map(shell::print).collect();
                        assert_eq!(printed, again.join("\n"));
                    }
                    if !scripted.text.contains('\n') {
                        host.run(&scripted.text);
                    }
                }
                Command::Query(_) => {
                    host.run(&scripted.text);
                }
                // traffic takes its time; it has tests of its own
                _ => {}
            }
        }
    });
}
