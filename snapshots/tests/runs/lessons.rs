//! Every lesson of the library, as `packetwalk run` prints it.

use super::ran;
use scenarios::assemble::run;
use scenarios::{library, load};
use sim_core::report::{Detail, PlainStyle, Report, print, text};

/// Columns of the snapshots.
const WIDTH: usize = 120;

fn page(id: &str, detail: Detail) -> String {
    let l = load::by_name(id).expect("a lesson");
    let ran = ran(&l, None);
    let report = Report::new(&ran.run);
    print(&text::document(&report, &ran.info, detail, None), WIDTH, &PlainStyle)
}

fn hold(name: &str, page: &str) {
    insta::with_settings!({ prepend_module_to_snapshot => false, omit_expression => true }, {
        insta::assert_snapshot!(name.to_owned(), page);
    });
}

#[test]
fn every_lesson_at_hops() {
    let lessons = library::lessons();
    assert!(!lessons.is_empty());
    for lesson in lessons {
        hold(&format!("{}__hops", lesson.id), &page(&lesson.id, Detail::Hops));
    }
}

#[test]
fn pod_to_pod_host_gw_at_steps() {
    hold("pod-to-pod-host-gw__steps", &page("pod-to-pod-host-gw", Detail::Steps));
}

#[test]
fn every_lesson_is_as_it_expects() {
    for lesson in library::lessons() {
        let l = load::by_name(&lesson.id).expect("a lesson");
        let ran = ran(&l, None);
        let findings = run::findings(&l, &ran);
        assert!(!findings.is_empty(), "{} expects nothing", lesson.id);
        for f in findings {
            assert!(f.ok, "{}:{}: expected {}, but {}", lesson.path, l.line(f.span), f.wanted, f.found);
        }
        assert!(run::silent(&l, &ran).is_empty(), "{}: a pattern that no step fits", lesson.id);
    }
}
