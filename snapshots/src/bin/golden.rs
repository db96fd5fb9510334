//! `golden kernel DIR`: holds every golden of a folder against the simulator, one line a case.
#![allow(clippy::print_stdout, reason = "a command prints")]

use clap::{Parser, Subcommand};
use rayon::prelude::*;
use snapshots::golden::{self, Verdict};
use std::path::{Path, PathBuf};
use std::process::ExitCode;

/// Holds recorded truth against the simulator.
#[derive(Debug, Parser)]
struct Arguments {
    #[command(subcommand)]
    what: What,
}

#[derive(Debug, Subcommand)]
enum What {
    /// What a real Linux kernel did with packets: a folder of JSON files, or one file.
    Kernel {
        /// The folder, or the file.
        dir: PathBuf,
        /// Cases whose file name begins so; all if none is given.
        only: Option<String>,
    },
}

fn files(dir: &Path, only: Option<&str>) -> std::io::Result<Vec<PathBuf>> {
    if dir.is_file() {
        return Ok(vec![dir.to_owned()]);
    }
    let mut found: Vec<PathBuf> = std::fs::read_dir(dir)?
        .filter_map(|e| e.ok().map(|e| e.path()))
        .filter(|p| p.extension().is_some_and(|e| e == "json"))
        .filter(|p| only.is_none_or(|o| p.file_name().is_some_and(|n| n.to_string_lossy().starts_with(o))))
        .collect();
    found.sort();
    Ok(found)
}

fn main() -> ExitCode {
    let What::Kernel { dir, only } = Arguments::parse().what;
    let paths = match files(&dir, only.as_deref()) {
        Ok(p) if p.is_empty() => {
            println!("{}: no golden there (files that end in .json)", dir.display());
            return ExitCode::from(2);
        }
        Ok(p) => p,
        Err(e) => {
            println!("{}: {e}", dir.display());
            return ExitCode::from(2);
        }
    };
    // whole cases side by side; told in the order of their names
    let results: Vec<(String, Result<Verdict, String>)> = paths
        .par_iter()
        .map(|p| {
            let name = p.file_stem().map_or_else(String::new, |s| s.to_string_lossy().into_owned());
            (name, golden::read(p).map(|g| golden::check(&g)))
        })
        .collect();
    let mut failed = 0;
    for (name, result) in &results {
        match result {
            Ok(Verdict::Equal) => println!("{name}: equal"),
            Ok(Verdict::Different(d)) => {
                failed += 1;
                println!("{name}: {d}");
            }
            Ok(Verdict::CannotRun(why)) | Err(why) => {
                failed += 1;
                println!("{name}: cannot be run: {why}");
            }
        }
    }
    println!("{} passed, {failed} failed", results.len() - failed);
    if failed == 0 { ExitCode::SUCCESS } else { ExitCode::from(1) }
}
