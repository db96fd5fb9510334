//! A lesson of the library, run.

use scenarios::assemble::run::{Options, run, story};

/// The lesson called `name`.
pub(crate) fn lesson(name: &str) -> tui::LessonInput {
    let loaded = scenarios::load::by_name(name).expect("a lesson of that name");
    let ran = run(&loaded, &Options::default()).unwrap_or_else(|_| panic!("{name} does not run"));
    let story = story(&loaded, &ran);
    let all = scenarios::library::lessons();
    let number = all.iter().position(|l| l.id == loaded.id).map(|i| (i + 1, all.len()));
    tui::LessonInput { id: loaded.id.clone(), title: loaded.title().to_owned(), number, run: ran.run, story }
}
