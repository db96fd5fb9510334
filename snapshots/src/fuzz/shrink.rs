//! Shrinking: pieces of a case are left out as long as both kernels still disagree about it in the same way.
//!
//! Models: Zeller and Hildebrandt, "Simplifying and isolating failure-inducing input" (ddmin).

use super::case::Case;
use super::run::{self, End};

/// The most runs that one shrinking takes.
const RUNS: usize = 80;

/// What a disagreement is about: the kind of row and the key, without places and numbers.
pub fn kind(what: &str) -> String {
    let first = what.lines().next().unwrap_or("");
    let first = first.split_once(": different: ").map_or(first, |(_, r)| r);
    let what = first.split(' ').next().unwrap_or("").to_owned();
    let key = first.rsplit('`').nth(1).unwrap_or("");
    if first.starts_with('`') { "command".to_owned() } else { format!("{what} {key}") }
}

/// A smaller case that both kernels still disagree about, and what they disagree about.
pub fn shrink(case: &Case, what: &str) -> (Case, String) {
    let wanted = kind(what);
    let (mut best, mut said) = (case.clone(), what.to_owned());
    let mut runs = 0;
    let mut chunk = best.pieces().len() / 2;
    while chunk >= 1 && runs < RUNS {
        let mut at = 0;
        let mut smaller = false;
        loop {
            let pieces = best.pieces();
            if at >= pieces.len() || runs >= RUNS {
                break;
            }
            let gone = &pieces[at..(at + chunk).min(pieces.len())];
            let candidate = best.without(gone);
            runs += 1;
            match run::case(&candidate, 1) {
                End::Different(w) if kind(&w) == wanted => {
                    best = candidate;
                    said = w;
                    smaller = true;
                }
                _ => at += chunk,
            }
        }
        if !smaller || chunk == 1 {
            if chunk == 1 && !smaller {
                break;
            }
            chunk = if chunk == 1 { 1 } else { chunk / 2 };
        }
    }
    (best, said)
}
