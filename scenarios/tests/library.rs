//! Every folder of the library is a lesson that loads.
#![allow(clippy::unwrap_used, reason = "tests")]

use scenarios::diag::draw;
use scenarios::{library, load};
use std::path::Path;

#[test]
fn every_folder_is_a_lesson_without_complaints() {
    let dir = Path::new(env!("CARGO_MANIFEST_DIR")).join("library");
    let folders: Vec<String> = std::fs::read_dir(dir)
        .unwrap()
        .map(|e| e.unwrap())
        .filter(|e| e.path().is_dir())
        .map(|e| e.file_name().into_string().unwrap())
        .collect();
    assert_eq!(folders.len(), library::lessons().len(), "a folder without lesson.ron, or without a number");
    for folder in folders {
        let lesson = library::find(&folder).unwrap_or_else(|| panic!("{folder} is not found"));
        let l = load::by_name(&lesson.id).unwrap();
        assert!(l.can_run() && l.report.list.is_empty(), "{folder}\n{}", draw::all(&l.report, draw::Style::default()));
        assert_eq!(l.id, lesson.id);
    }
}

#[test]
fn ids_and_numbers_are_given_once_and_the_first_is_host_gw() {
    let all = library::lessons();
    for (i, l) in all.iter().enumerate() {
        assert!(all[..i].iter().all(|m| m.id != l.id && m.number != l.number), "{}", l.id);
    }
    assert_eq!(all[0].id, "pod-to-pod-host-gw");
    for id in ["pod-to-pod-host-gw", "pod-to-pod-same-node"] {
        assert!(library::find(id).is_some(), "{id}");
    }
}

#[test]
fn the_host_gw_lesson_has_the_articles_numbers() {
    let l = load::by_name("pod-to-pod-host-gw").unwrap();
    let plan = scenarios::assemble::assemble(l.world(), 0);
    let cluster = plan.cluster.unwrap();
    let nodes: Vec<String> =
        cluster.nodes.iter().map(|n| format!("{} {} {}", n.name(), n.status.internal_ip.unwrap(), n.pod_cidr.unwrap())).collect();
    assert_eq!(nodes, ["node-a 10.168.0.2 10.244.0.0/24", "node-b 10.168.0.3 10.244.1.0/24"]);
    let pods: Vec<String> = cluster
        .pods
        .iter()
        .map(|p| format!("{} {} {}", p.meta.key, p.spec.node_name.clone().unwrap(), p.spec.requested_ip.unwrap()))
        .collect();
    assert_eq!(pods, ["default/client node-a 10.244.0.2", "default/web node-b 10.244.1.3"]);
}
