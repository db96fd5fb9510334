//! Same scenario and same seed: same bytes, whoever runs beside it. Another seed: other bytes.

use super::ran;
use rayon::prelude::*;
use scenarios::load;
use sim_core::report::{Detail, Report, json};

/// A lesson in which a backend is drawn and source ports are random.
const CHANCE: &str = "random-backends";

fn document(id: &str, seed: Option<u64>) -> String {
    let l = load::by_name(id).expect("a lesson");
    let ran = ran(&l, seed);
    json::text(&Report::new(&ran.run), &ran.info, Detail::All, None)
}

/// The documents of some seeds, made side by side by so many threads.
fn by_threads(threads: usize, seeds: &[u64]) -> Vec<String> {
    let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().expect("threads");
    pool.install(|| seeds.par_iter().map(|s| document(CHANCE, Some(*s))).collect())
}

#[test]
fn the_same_seed_gives_the_same_bytes_for_any_number_of_threads() {
    let seeds = [1, 1, 2, 3, 5, 8, 13, 1];
    let one = by_threads(1, &seeds);
    let eight = by_threads(8, &seeds);
    assert!(one == eight, "the number of threads shows in the bytes");
    assert!(one[0] == one[1] && one[0] == one[7], "the same seed gave other bytes");
}

#[test]
fn another_seed_draws_others() {
    let all = by_threads(2, &[1, 2, 3, 4]);
    let drawn = |text: &str| -> Vec<String> {
        let value: serde_json::Value = serde_json::from_str(text).expect("the document is JSON");
        let flows = value["flows"].as_array().expect("flows").clone();
        flows.iter().map(|f| f["outcome"]["server_saw"].to_string() + &f["outcome"]["client_saw"].to_string()).collect()
    };
    let draws: Vec<Vec<String>> = all.iter().map(|t| drawn(t)).collect();
    assert!(draws[0].len() >= 3 && draws[0].iter().all(|d| d.len() > 10), "nothing was seen: {:?}", draws[0]);
    for other in &draws[1..] {
        assert_ne!(&draws[0], other, "another seed drew the same backends and ports");
    }
}

#[test]
fn a_seed_on_the_command_line_is_that_of_the_file() {
    assert!(document(CHANCE, None) == document(CHANCE, Some(1)), "the file's own seed is 1");
}
