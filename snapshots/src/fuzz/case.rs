//! A case: a network and traffic, in pieces that can be left out one by one, and written as a scenario file.

use std::collections::BTreeSet;
use std::fmt::Write as _;

/// A host.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct HostCase {
    /// Name.
    pub name: String,
    /// Servers in its own namespace, as `listen` writes them.
    pub listen: Vec<String>,
    /// Further namespaces: name, servers.
    pub namespaces: Vec<(String, Vec<String>)>,
    /// Commands.
    pub run: Vec<String>,
}

/// A case.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Case {
    /// Its seed.
    pub seed: u64,
    /// Hosts, in order.
    pub hosts: Vec<HostCase>,
    /// Cables, as entries of `links`.
    pub links: Vec<String>,
    /// Flows, as entries of `flows`.
    pub flows: Vec<String>,
    /// What is in it: `match tcp`, `device bridge`, …
    pub features: BTreeSet<String>,
}

/// A piece that may be left out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Piece {
    /// A flow.
    Flow(usize),
    /// A command of a host.
    Run(usize, usize),
    /// A server of a host.
    Listen(usize, usize),
    /// A namespace of a host.
    Netns(usize, usize),
    /// A cable.
    Link(usize),
    /// A host.
    Host(usize),
}

impl Case {
    /// All its pieces: those that matter least first.
    pub fn pieces(&self) -> Vec<Piece> {
        let mut out: Vec<Piece> = (0..self.flows.len()).map(Piece::Flow).collect();
        out.extend((0..self.hosts.len()).map(Piece::Host));
        for (i, h) in self.hosts.iter().enumerate() {
            out.extend((0..h.namespaces.len()).map(|n| Piece::Netns(i, n)));
            out.extend((0..h.run.len()).rev().map(|n| Piece::Run(i, n)));
            out.extend((0..h.listen.len()).map(|n| Piece::Listen(i, n)));
        }
        out.extend((0..self.links.len()).map(Piece::Link));
        out
    }

    /// The case without some pieces.
    #[must_use]
    pub fn without(&self, gone: &[Piece]) -> Case {
        let mut out = self.clone();
        let keep = |p: Piece| !gone.contains(&p);
        let each = |n: usize, f: &dyn Fn(usize) -> Piece| -> Vec<bool> { (0..n).map(|i| keep(f(i))).collect() };
        retain(&mut out.flows, &each(self.flows.len(), &Piece::Flow));
        for (i, h) in out.hosts.iter_mut().enumerate() {
            let old = &self.hosts[i];
            retain(&mut h.run, &each(old.run.len(), &|n| Piece::Run(i, n)));
            retain(&mut h.listen, &each(old.listen.len(), &|n| Piece::Listen(i, n)));
            retain(&mut h.namespaces, &each(old.namespaces.len(), &|n| Piece::Netns(i, n)));
        }
        retain(&mut out.links, &each(self.links.len(), &Piece::Link));
        retain(&mut out.hosts, &each(self.hosts.len(), &Piece::Host));
        out
    }

    /// The scenario file.
    pub fn text(&self) -> String {
        let mut s =
            format!("// Made by fuzz-kernel from seed {}.\nScenario(\n    format: 1,\n    title: \"fuzz {}\",\n", self.seed, self.seed);
        s.push_str("    hosts: [\n");
        for h in &self.hosts {
            let _ = write!(s, "        (\n            name: {:?},\n", h.name);
            if !h.listen.is_empty() {
                let _ = writeln!(s, "            listen: [{}],", h.listen.join(", "));
            }
            if !h.namespaces.is_empty() {
                let list: Vec<String> = h
                    .namespaces
                    .iter()
                    .map(|(name, listen)| match listen.is_empty() {
                        true => format!("(name: {name:?})"),
                        false => format!("(name: {name:?}, listen: [{}])", listen.join(", ")),
                    })
                    .collect();
                let _ = writeln!(s, "            namespaces: [{}],", list.join(", "));
            }
            if !h.run.is_empty() {
                s.push_str("            run: r#\"\n");
                for line in &h.run {
                    let _ = writeln!(s, "                {line}");
                }
                s.push_str("            \"#,\n");
            }
            s.push_str("        ),\n");
        }
        s.push_str("    ],\n");
        for (name, list) in [("links", &self.links), ("flows", &self.flows)] {
            let _ = writeln!(s, "    {name}: [");
            for entry in list {
                let _ = writeln!(s, "        {entry},");
            }
            s.push_str("    ],\n");
        }
        s.push_str(")\n");
        s
    }
}

fn retain<T>(list: &mut Vec<T>, keep: &[bool]) {
    let mut i = 0;
    list.retain(|_| {
        i += 1;
        keep.get(i - 1).copied().unwrap_or(true)
    });
}
