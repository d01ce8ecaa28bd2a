//! What the model says: the real way from one release to the next, and two reviews that look at every file of it.

use super::{
    hunks::hunks,
    moves::{call, calls, reads, shell, steps},
    package::{Package, Tree},
};
use crate::stories::script::{always, out, say};
use hydra_core::Stage;
use hydra_sim::model::{Adjust, Script, Session, Step, ToolCall};
use serde_json::json;

/// A run: the builder goes to `built`; where that is not the release itself, mending goes the rest of the way.
pub(crate) fn script(package: &Package, built: &Tree, adjustments: Vec<Adjust>) -> Script {
    let mut sessions = vec![
        always(Stage::Build, builds(package, built)),
        always(Stage::CodeReview, code_review(package)),
        always(Stage::SecurityReview, security_review(package)),
    ];
    if *built != package.to {
        sessions.push(mends(package, built));
    }
    Script { extends: None, sessions, adjustments }.resolve().expect("a script")
}

fn builds(package: &Package, built: &Tree) -> Vec<Step> {
    let folder = package.folder.keys().filter(|path| path.ends_with(".md"));
    let folder = folder.map(|path| call("Read", &json!({ "file_path": format!("{{{{spec}}}}/{path}") }))).collect();
    let mut all = vec![calls("I read the change first.", folder)];
    all.extend(steps(&package.from, built));
    all.push(calls("The tests.", vec![shell(&package.test, "Run the tests")]));
    all.push(say(&format!("{} is at {} now.", package.name, package.versions.1)));
    all
}

fn mends(package: &Package, built: &Tree) -> Session {
    let mut all = steps(built, &package.to);
    all.push(calls("The tests again.", vec![shell(&package.test, "Run the tests")]));
    all.push(say("What was missing is there."));
    always(Stage::FixQuality, all)
}

/// Files of the change that are still there to be read.
fn changed(package: &Package) -> impl Iterator<Item = (&String, &Vec<u8>)> {
    package.to.iter().filter(|(path, bytes)| package.from.get(*path) != Some(bytes))
}

/// One looks at the diff of each file.
fn code_review(package: &Package) -> Vec<Step> {
    let diff = |path: &String| shell(&format!("git diff hydra-base HEAD -- '{path}'"), "Look at the change");
    let met = package.requirements();
    let met: Vec<_> = met.iter().map(|one| json!({ "requirement": one.name, "state": "met" })).collect();
    vec![
        calls("I look at the change, file by file.", changed(package).map(|(path, _)| diff(path)).collect()),
        out(
            "verdict.json",
            &json!({
                "pass": true, "blocking": [], "findings": [], "summary": "It does what it should.", "requirements": met,
            }),
        ),
        say("It passes."),
    ]
}

/// The other one reads the files as they are now.
fn security_review(package: &Package) -> Vec<Step> {
    let read = |(path, new): (&String, &Vec<u8>)| -> Vec<ToolCall> {
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        let (new, old) = (text(new), package.from.get(path).map(|old| text(old)).unwrap_or_default());
        reads(path, &new, &hunks(&new, &old))
    };
    vec![
        calls("I read every file that was changed.", changed(package).flat_map(read).collect()),
        out(
            "verdict.json",
            &json!({ "pass": true, "blocking": [], "findings": [], "summary": "Nothing that is known." }),
        ),
        say("It passes."),
    ]
}
