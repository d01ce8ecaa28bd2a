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
    // So much that the folder can be opened, and nothing of the repository finds room in it.
    let said = refused_at(&on("size=32k"), Writes::Nothing, DEV_RUN);
    // Which write finds no room first differs; git does not say why it could not write its own file.
    let named = said.contains("No space left on device") || said.contains("[work]/state/");
    assert!(said.starts_with("exit 7") && named, "{said}");

    let stage = on("size=32k");
    let said = refusal(&stage.sandbox, Writes::Nothing, &["poll"]);
    assert!(said.contains("error: the audit log: nothing starts without it: No space left on device"), "{said}");
    // The issue was leased, and let go again; there is nothing else to see of it.
    let lease = |write: &String| ["POST /graphql", "POST /repos/acme/words/git/commits"].contains(&write.as_str());
    assert!(stage.writes().iter().all(lease), "{:?}", stage.writes());
    let issue = stage.github.issue(REPO, stage.issue).unwrap();
    assert!(issue.comments.is_empty() && stage.github.pulls(REPO).is_empty());
    assert_eq!(stage.labels().into_iter().collect::<Vec<_>>(), [TRIGGER]);
}
