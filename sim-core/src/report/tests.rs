//! What this floor says of real runs.
#![allow(clippy::unwrap_used, reason = "tests")]

use super::tests_world::{Lab, info};
use super::*;

fn text(run: &crate::engine::Run, detail: Detail) -> String {
    let report = Report::new(run);
    print(&text::document(&report, &info(), detail, None), 80, &PlainStyle)
}

#[test]
fn show() {
    let mut lab = Lab::host_gw();
    let c = lab.client;
    lab.ping("ping", c, "10.244.1.3");
    lab.tcp("tcp", c, "10.244.1.3", 80);
    lab.ping("nowhere", c, "10.168.0.77");
    let run = lab.run();
    let detail = std::env::var("D").unwrap_or_default().parse().unwrap_or(Detail::Hops);
    println!("{}", text(&run, detail));
}
