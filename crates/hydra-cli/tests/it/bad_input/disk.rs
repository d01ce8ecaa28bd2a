//! A state folder that cannot be written, and a disk that is full: real file systems of that kind, mounted for one command alone.

use super::{Writes, refusal, refused_at};
use crate::stage::{REPO, Stage, TRIGGER};

const DEV_RUN: &[&str] = &["dev-run", "build", "--repo", REPO, "--change", "add-word-limit"];

/// A stage whose state folder is a file system of its own, mounted with these options.
fn on(options: &str) -> Stage {
    let mut stage = Stage::happy();
    std::fs::create_dir_all(stage.sandbox.work("state")).unwrap();
    let mount = format!("mount -t tmpfs -o {options} tmpfs '{}' && exec \"$@\"", stage.sandbox.work("state").display());
    stage.sandbox.under(&["unshare", "--mount", "sh", "-c", &mount, "sh"]);
    stage
}

#[test]
#[ignore = "needs namespaces"]
fn a_read_only_state_folder() {
    for args in [&["poll"], &["supervise"], DEV_RUN] {
        let said = refused_at(&on("ro"), Writes::Nothing, args);
        assert!(said.starts_with("exit 7") && said.contains("[work]/state"), "{args:?}: {said}");
        assert!(said.to_lowercase().contains("read-only"), "{args:?}: {said}");
    }
}

#[test]
#[ignore = "needs namespaces"]
fn a_full_disk() {
    // The folder can be opened, and the repository finds no room in it: with each size another write is the first.
    for size in ["size=20k", "size=32k", "size=48k"] {
        let said = refused_at(&on(size), Writes::Nothing, DEV_RUN);
        assert!(said.starts_with("exit 7") && said.contains("No space left on device"), "{size}: {said}");
    }

    let stage = on("size=32k");
    let said = refusal(&stage.sandbox, Writes::Nothing, &["poll"]);
    // The audit log or the repository finds no room first: it ends alike, and the last line says why.
    let last = said.lines().find(|line| line.starts_with("error: ")).unwrap();
    assert!(said.starts_with("exit 7") && last.contains("No space left on device"), "{said}");
    assert!(said.contains("help: make room"), "{said}");
    // The issue may have been leased, and let go again; there is nothing else to see of it.
    let lease = |write: &String| ["POST /graphql", "POST /repos/acme/words/git/commits"].contains(&write.as_str());
    assert!(stage.writes().iter().all(lease), "{:?}", stage.writes());
    let issue = stage.github.issue(REPO, stage.issue).unwrap();
    assert!(issue.comments.is_empty() && stage.github.pulls(REPO).is_empty());
    assert_eq!(stage.labels().into_iter().collect::<Vec<_>>(), [TRIGGER]);
}
