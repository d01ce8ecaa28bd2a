//! Change folders: missing, empty, over-long, not UTF-8, with broken deltas; `hydra.json` malformed or naming another repository.

use crate::{harness::Sandbox, stage::Stage};

/// A folder that is as it should be, with this file in it.
fn with(file: &str, bytes: &[u8]) -> Sandbox {
    let sandbox = Sandbox::new();
    sandbox.write("c/a/proposal.md", "# Add a greeting\n\n## Why\nPeople like it.\n\n## What Changes\n- greet\n");
    sandbox.write("c/a/tasks.md", "## 1. Work\n- [ ] 1.1 greet\n");
    sandbox.write(
        "c/a/specs/greet/spec.md",
        "## ADDED Requirements\n### Requirement: Greet\nIt SHALL greet.\n#### Scenario: Hello\n- **WHEN** asked\n- **THEN** it greets\n",
    );
    sandbox.write(&format!("c/a/{file}"), bytes);
    sandbox
}

#[test]
fn each_fault_is_named_with_its_file_and_what_to_do() {
    let long = "x".repeat(2 << 20);
    let deep = "#### Scenario: alone\n";
    for (file, bytes, place, words) in [
        ("proposal.md", &b""[..], "c/a/proposal.md: ", "it is empty"),
        ("tasks.md", b"", "c/a/tasks.md: ", "it is empty"),
        ("proposal.md", long.as_bytes(), "c/a/proposal.md: ", "bytes"),
        ("proposal.md", b"# \xff\xfe\n", "c/a/proposal.md:1: ", "UTF-8"),
        ("specs/greet/spec.md", deep.as_bytes(), "c/a/specs/greet/spec.md", "Requirement"),
        (
            "specs/greet/spec.md",
            b"## ADDED Requirements\n### Requirement: x\n",
            "c/a/specs/greet/spec.md:2: ",
            "no scenario",
        ),
        ("hydra.json", b"{", "c/a/hydra.json:1: ", "it is not JSON"),
        ("hydra.json", b"[]", "c/a/hydra.json:1: ", "it must be an object"),
        ("hydra.json", b"{\"repo\": 7}", "c/a/hydra.json:1: ", "repo"),
        ("hydra.json", b"{\"depends_on\": \"b\"}", "c/a/hydra.json:1: ", "depends_on"),
        ("hydra.json", b"{\"spec_slug\": \"b\"}", "c/a/hydra.json", "spec_slug"),
        ("hydra.json", b"{\"title\": \"\xff\"}", "c/a/hydra.json: ", "it is not UTF-8"),
    ] {
        let sandbox = with(file, bytes);
        let ran = sandbox.run(&["change", "check", "c"]);
        let line = ran.out.lines().find(|line| line.trim_start().starts_with(place));
        assert!(ran.code == 1 && line.is_some_and(|line| line.contains(words)), "{file}: {}", ran.all());
        assert!(ran.out.len() < 4_000, "a message is read by people: {}", ran.out.len());
    }
}

#[test]
fn a_folder_that_is_not_there_or_holds_nothing() {
    let sandbox = Sandbox::new();
    std::fs::create_dir_all(sandbox.work("c/empty")).unwrap();
    let missing = sandbox.run(&["change", "check", "c/nowhere"]);
    assert!(
        missing.code == 7 && missing.err.contains("c/nowhere") && missing.err.contains("help: "),
        "{}",
        missing.all()
    );
    let empty = sandbox.run(&["change", "check", "c/empty"]);
    assert!(empty.code == 1 && empty.out.contains("the change folder is missing or empty"), "{}", empty.all());
}

#[test]
fn a_hydra_json_that_names_another_repository_stops_the_issue_and_says_so() {
    let stage = Stage::happy();
    let path = "openspec/changes/add-word-limit/hydra.json";
    let named = [(path, Some("{\"repo\": \"acme/other\"}\n"))];
    stage.github.push(crate::stage::REPO, "main", crate::stage::PERSON, "name another", &named).unwrap();
    let explained = stage.sandbox.run(&["explain", &stage.issue.to_string()]);
    assert!(explained.out.contains("acme/other"), "{}", explained.all());
    let ran = stage.sandbox.run(&["poll"]);
    assert_eq!(ran.code, 1, "{}", ran.all());
    assert!(stage.github.pulls(crate::stage::REPO).is_empty());
    assert!(stage.model.requests().is_empty(), "no model was asked");
}
