//! Bad input: each an error that names the cause and the next step, with a documented exit code, and nothing written.

mod changes;
mod disk;
mod engine;
mod forge;
mod inspect;
mod next_steps;
mod permissions;
mod policies;
mod tokens;
mod upstream;

use crate::{harness::Sandbox, stage::Stage};
use hydra_cli::exit::Exit;
use std::{collections::BTreeMap, os::unix::fs::MetadataExt, path::Path};

/// What a refusal may write: nothing, or its own state folder (a cache, an empty audit log) and no more.
#[derive(Clone, Copy, PartialEq)]
pub(crate) enum Writes {
    Nothing,
    State,
}

/// Runs what must be refused and returns exit code and standard error. Holds what every refusal must hold.
pub(crate) fn refusal(sandbox: &Sandbox, writes: Writes, args: &[&str]) -> String {
    let before = files(&sandbox.work(""), writes);
    let ran = sandbox.run(args);
    let after = files(&sandbox.work(""), writes);
    assert!(before == after, "{args:?} wrote something:\n{before:#?}\n{after:#?}\n{}", ran.all());
    let documented = Exit::ALL.iter().any(|exit| i32::from(exit.code()) == ran.code);
    assert!(documented && ran.code != 0 && ran.code != 70, "{args:?}: {}", ran.all());
    // Standard output may hold a report of what was seen all the same; the error is never there alone.
    let said = format!("exit {}\n{}", ran.code, ran.err);
    assert!(ran.err.lines().any(|line| line.starts_with("error: ")), "{args:?}: {}", ran.all());
    assert!(ran.err.contains("  help: ") || ran.err.contains("For more information"), "no next step: {}", ran.all());
    assert!(ran.err.lines().all(|line| line.len() < 400), "too long to read: {}", ran.all());
    assert!(!ran.all().contains("panicked") && !ran.all().contains("RUST_BACKTRACE"), "{}", ran.all());
    said
}

/// The same where a simulated GitHub must not have been written to either; its address is shown as `[github]`.
pub(crate) fn refused_at(stage: &Stage, writes: Writes, args: &[&str]) -> String {
    let before = stage.writes();
    let said = refusal(&stage.sandbox, writes, args);
    assert_eq!(stage.writes(), before, "{args:?} wrote to GitHub: {said}");
    said.replace(stage.github.base_url(), "[github]")
}

/// Every file below a folder with its content's length and time of change.
fn files(folder: &Path, writes: Writes) -> BTreeMap<String, (u64, i64, i64)> {
    let mut found = BTreeMap::new();
    let mut todo = vec![folder.to_owned()];
    while let Some(at) = todo.pop() {
        let Ok(entries) = std::fs::read_dir(&at) else { continue };
        for entry in entries {
            let path = entry.unwrap().path();
            let name = path.strip_prefix(folder).unwrap().display().to_string();
            if writes == Writes::State && (name == "state" || name == ".hydra") {
                continue;
            }
            let meta = path.symlink_metadata().unwrap();
            found.insert(name, (if meta.is_dir() { 0 } else { meta.len() }, meta.mtime(), meta.mtime_nsec()));
            if meta.is_dir() {
                todo.push(path);
            }
        }
    }
    found
}
