//! `docs/stories.md` names every story, and every test that it names is there.

use std::{collections::BTreeSet, fs, path::Path};

/// The top of the checkout.
fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap()
}

fn stories() -> String {
    fs::read_to_string(root().join("docs/stories.md")).unwrap()
}

/// The tests that a text tells to run, one by one; a group (`stories::`) is none.
fn named(text: &str) -> BTreeSet<&str> {
    let commands = text.split("cargo xtask test ").skip(1);
    let names = commands.filter_map(|rest| {
        let name = rest.split(|c: char| !c.is_ascii_alphanumeric() && c != '_').next()?;
        (!rest.starts_with(&format!("{name}::"))).then_some(name)
    });
    names.filter(|name| name.contains('_')).collect()
}

/// The names of the functions of a source that are tests.
fn tests(source: &str) -> impl Iterator<Item = &str> {
    let is_test = |line: &str| line.starts_with("#[test]") || line.starts_with("#[tokio::test");
    let mut due = false;
    source.lines().map(str::trim).filter_map(move |line| {
        due |= is_test(line);
        let name = line.split("fn ").nth(1)?.split('(').next()?;
        std::mem::take(&mut due).then_some(name)
    })
}

/// Every test below a folder.
fn all(folder: &Path, found: &mut BTreeSet<String>) {
    for entry in fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()) {
        if entry.is_dir() {
            all(&entry, found);
        } else if entry.extension().is_some_and(|ending| ending == "rs") {
            found.extend(tests(&fs::read_to_string(&entry).unwrap()).map(str::to_owned));
        }
    }
}

fn below(folders: &[&str]) -> BTreeSet<String> {
    let mut found = BTreeSet::new();
    for folder in folders {
        all(&root().join(folder), &mut found);
    }
    found
}

/// Named, and not there.
fn missing<'t>(text: &'t str, there: &BTreeSet<String>) -> Vec<&'t str> {
    named(text).into_iter().filter(|name| !there.contains(*name)).collect()
}

#[test]
fn every_test_that_the_table_of_stories_names_is_there() {
    let (text, there) = (stories(), below(&["crates", "tests/tests", "xtask"]));
    assert!(named(&text).len() > 90 && there.len() > 500, "{} named, {} there", named(&text).len(), there.len());
    assert_eq!(missing(&text, &there), [""; 0]);
    // A name that is misspelt, or that no test bears, is found.
    let wrong = "`cargo xtask test tokens_in_log`, `cargo xtask test tokens_in_logs`, `cargo xtask test named_of`";
    assert_eq!(missing(wrong, &there), ["named_of", "tokens_in_log"]);
}

#[test]
fn every_story_stands_in_the_table() {
    let text = stories();
    let told = named(&text);
    let untold: Vec<String> =
        below(&["tests/tests/it/stories"]).into_iter().filter(|name| !told.contains(name.as_str())).collect();
    assert_eq!(untold, [""; 0]);
}

#[test]
fn a_test_is_known_by_its_attribute() {
    let source = "#[test]\n#[ignore = \"needs docker\"]\nfn one() {}\nfn two() {}\n    #[tokio::test(start_paused = true)]\n    async fn three() {}";
    assert_eq!(tests(source).collect::<Vec<_>>(), ["one", "three"]);
}
