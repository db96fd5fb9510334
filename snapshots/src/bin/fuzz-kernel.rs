//! `fuzz-kernel`: random networks, rules and traffic in both kernels; what they disagree about is made small and kept.
#![allow(clippy::print_stdout, clippy::disallowed_methods, reason = "a command prints, and says how long it took")]

use clap::Parser;
use rayon::prelude::*;
use snapshots::fuzz::coverage::Coverage;
use snapshots::fuzz::run::{self, End};
use snapshots::fuzz::{generate, shrink};
use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::Mutex;
use std::time::Instant;

/// Holds random cases of the simulated kernel against the real one.
#[derive(Debug, Parser)]
struct Arguments {
    /// How many cases
    #[arg(long, default_value_t = 200)]
    cases: u64,
    /// The first case's seed; the others follow
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// Cases at a time: they wait more than they work
    #[arg(long, default_value_t = 8)]
    jobs: usize,
    /// Only cases with a feature that holds this text
    #[arg(long)]
    only: Option<String>,
    /// No cases with a feature that holds this text
    #[arg(long)]
    without: Vec<String>,
    /// Print the case of the first seed and run nothing
    #[arg(long)]
    print: bool,
    /// Where cases are kept that the kernels disagree about
    #[arg(long, default_value = "fuzz-found")]
    save: PathBuf,
    /// Do not make them smaller
    #[arg(long)]
    no_shrink: bool,
}

fn main() -> ExitCode {
    let a = Arguments::parse();
    if a.print {
        println!("{}", generate(a.seed).text());
        return ExitCode::SUCCESS;
    }
    let began = Instant::now();
    let holds = |c: &snapshots::fuzz::Case, text: &str| c.features.iter().any(|f| f.contains(text));
    let wanted =
        |c: &snapshots::fuzz::Case| -> bool { a.only.as_ref().is_none_or(|o| holds(c, o)) && !a.without.iter().any(|w| holds(c, w)) };
    let mut left_out: std::collections::BTreeMap<String, usize> = std::collections::BTreeMap::new();
    let mut cases = Vec::new();
    let mut next = a.seed;
    while (cases.len() as u64) < a.cases {
        let tried: Vec<_> = (next..next + 64).into_par_iter().map(generate).filter(|c| wanted(c)).map(|c| (run::fits(&c), c)).collect();
        next += 64;
        for (fits, c) in tried {
            match fits {
                _ if cases.len() as u64 >= a.cases => break,
                Ok(()) => cases.push(c),
                Err(why) => *left_out.entry(why).or_insert(0) += 1,
            }
        }
    }
    for (why, n) in &left_out {
        println!("left out {n} of the seeds: {why}");
    }
    let Ok(pool) = rayon::ThreadPoolBuilder::new().num_threads(a.jobs.max(1)).build() else { return ExitCode::from(70) };
    let done = Mutex::new(0usize);
    let results: Vec<End> = pool.install(|| {
        cases
            .par_iter()
            .with_max_len(1)
            .map(|c| {
                let end = run::case(c, 3);
                if let End::Different(what) = &end {
                    println!("\nseed {}: {what}", c.seed);
                }
                if let Ok(mut n) = done.lock() {
                    *n += 1;
                    if *n % 100 == 0 {
                        println!("{n} cases, {} s", began.elapsed().as_secs());
                    }
                }
                end
            })
            .collect()
    });
    let mut coverage = Coverage::default();
    let (mut equal, mut different, mut unfit, mut frames, mut hooks) = (0, 0, 0, 0, 0);
    // of each kind of disagreement one is made small
    let mut kinds = std::collections::BTreeMap::new();
    for (c, end) in cases.iter().zip(&results) {
        match end {
            End::Equal(f, h) => {
                equal += 1;
                frames += f;
                hooks += h;
                coverage.add(&c.features);
            }
            End::Different(what) => {
                different += 1;
                coverage.add(&c.features);
                kinds.entry(shrink::kind(what)).or_insert((c, what.clone()));
            }
            End::Unfit(why) => {
                unfit += 1;
                println!("seed {}: not run: {why}", c.seed);
            }
        }
    }
    let found: Vec<_> = kinds.into_values().collect();
    let small: Vec<(snapshots::fuzz::Case, String)> = pool.install(|| {
        found.par_iter().map(|(c, what)| if a.no_shrink { ((*c).clone(), what.clone()) } else { shrink::shrink(c, what) }).collect()
    });
    for (case, what) in small {
        let file = a.save.join(format!("seed-{}.ron", case.seed));
        let written = std::fs::create_dir_all(&a.save).and_then(|()| std::fs::write(&file, case.text()));
        println!("\n{}: {what}", written.map_or_else(|e| e.to_string(), |()| format!("kept as {}", file.display())));
    }
    println!(
        "\nseeds {} to {}: {} s, {frames} frames, {hooks} packets at hooks",
        cases.first().map_or(0, |c| c.seed),
        cases.last().map_or(0, |c| c.seed),
        began.elapsed().as_secs()
    );
    print!("{}", coverage.text());
    println!("{equal} passed, {different} failed, {unfit} skipped");
    if different == 0 { ExitCode::SUCCESS } else { ExitCode::from(1) }
}
