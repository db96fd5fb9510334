//! How long it takes to find the longest prefix, for tables of 10 to 100,000 routes.
//!
//! Two mixes of prefix lengths: as in the Internet's tables (most are /24, few are short), and every length from 8 to 32 alike. Two ways
//! of asking: 256 destinations again and again, as hosts do, and destinations all over the table, each of which the processor has to
//! fetch from memory. A table of its own, and one that lies over a shared base.
//!
//! `cargo bench --bench fib` prints nanoseconds and the ratio of the slowest table to the one of 10 routes; with `--gate` it ends with 1 if
//! a ratio for the 256 destinations is above 2.
#![allow(
    missing_docs,
    clippy::unwrap_used,
    clippy::float_arithmetic,
    clippy::print_stdout,
    clippy::disallowed_methods,
    reason = "a benchmark measures and prints"
)]

use rand::rngs::ChaCha8Rng;
use rand::{RngExt, SeedableRng};
use sim_core::linux::device::Scope;
use sim_core::linux::fib::{FibBase, FibTable, NextHop, Route, RouteProto, RouteType};
use sim_core::linux::{IfIndex, RowId, Source};
use sim_core::packet::{Ipv4Addr, Prefix};
use std::hint::black_box;
use std::sync::Arc;
use std::time::Instant;

const SIZES: [u32; 5] = [10, 100, 1_000, 10_000, 100_000];
const LOOKUPS: usize = 400_000;

fn route(row: u32, prefix: Prefix<Ipv4Addr>) -> Route<Ipv4Addr> {
    Route {
        row: RowId(row),
        prefix,
        tos: 0,
        metric: 0,
        kind: RouteType::Unicast,
        scope: Scope::Universe,
        proto: RouteProto::BOOT,
        nexthops: [NextHop { via: Some(Ipv4Addr::new(192, 0, 2, 1)), dev: IfIndex(2), weight: 1, onlink: false }].into_iter().collect(),
        src: None,
        mtu: None,
        source: Source::Kernel,
    }
}

/// Lengths as they occur, in hundredths.
const INTERNET: [(u8, u32); 12] =
    [(24, 60), (23, 9), (22, 12), (21, 5), (20, 4), (19, 3), (18, 2), (17, 1), (16, 1), (14, 1), (12, 1), (32, 1)];

fn len(rng: &mut ChaCha8Rng, every: bool) -> u8 {
    if every {
        return rng.random_range(8..=32);
    }
    let mut at = rng.random_range(0..100);
    for (len, share) in INTERNET {
        if at < share {
            return len;
        }
        at -= share;
    }
    24
}

/// A table of `n` routes, one of them the default route, and addresses of its prefixes in random order.
fn table(n: u32, every: bool, shared: bool) -> (FibTable<Ipv4Addr>, Vec<Ipv4Addr>) {
    let mut rng = ChaCha8Rng::seed_from_u64(u64::from(n));
    let mut seen = std::collections::BTreeSet::new();
    while seen.len() + 1 < n as usize {
        seen.insert(Prefix::new(Ipv4Addr::from(rng.random_range(0x0100_0000..0xdfff_ffffu32)), len(&mut rng, every)));
    }
    let routes: Vec<Route<Ipv4Addr>> =
        std::iter::once(Prefix::ALL).chain(seen.iter().copied()).zip(1..).map(|(p, row)| route(row, p)).collect();
    let mut addrs: Vec<Ipv4Addr> = (0..LOOKUPS)
        .map(|_| {
            let p = routes[rng.random_range(0..routes.len())].prefix;
            Ipv4Addr::from(u32::from(p.addr()) | rng.random::<u32>() & (u64::from(u32::MAX) >> p.len()) as u32)
        })
        .collect();
    addrs.rotate_left(1);
    let mut table = FibTable::default();
    if shared {
        let own: Vec<_> = routes.iter().take(3).cloned().collect();
        table.set_base(Arc::new(FibBase::new(routes.into_iter().skip(3))), Vec::new());
        own.into_iter().for_each(|r| table.append(r));
    } else {
        routes.into_iter().for_each(|r| table.append(r));
    }
    (table, addrs)
}

/// Nanoseconds per lookup: the best of some rounds.
fn measure(table: &FibTable<Ipv4Addr>, addrs: &[Ipv4Addr], distinct: usize) -> f64 {
    let addrs: Vec<Ipv4Addr> = addrs[..distinct].iter().copied().cycle().take(LOOKUPS).collect();
    let round = || {
        let from = Instant::now();
        let mut rows = 0u64;
        for a in &addrs {
            rows += table.lookup(black_box(*a), |_| true).map_or(0, |r| u64::from(r.row.0));
        }
        black_box(rows);
        from.elapsed().as_nanos() as f64 / LOOKUPS as f64
    };
    (0..7).map(|_| round()).fold(f64::MAX, f64::min)
}

fn main() {
    let gate = std::env::args().any(|a| a == "--gate");
    let mut worst: f64 = 0.0;
    println!("ns per lookup, by number of routes {SIZES:?}");
    for (every, mix) in [(false, "as in the Internet"), (true, "every length")] {
        for shared in [false, true] {
            let tables: Vec<_> = SIZES.iter().map(|n| table(*n, every, shared)).collect();
            for (distinct, asked) in [(256, "256 destinations"), (LOOKUPS, "all over the table")] {
                let ns: Vec<f64> = tables.iter().map(|(t, a)| measure(t, a, distinct)).collect();
                let ratio = ns.iter().copied().fold(0.0, f64::max) / ns[0];
                if distinct == 256 {
                    worst = worst.max(ratio);
                }
                let words: Vec<String> = ns.iter().map(|n| format!("{n:6.1}")).collect();
                let base = if shared { "over a base" } else { "own" };
                println!("{mix:18} | {base:11} | {asked:18} | {} | ratio {ratio:.2}", words.join(" "));
            }
        }
    }
    if gate && worst > 2.0 {
        println!("not flat: {worst:.2}");
        std::process::exit(1);
    }
}
