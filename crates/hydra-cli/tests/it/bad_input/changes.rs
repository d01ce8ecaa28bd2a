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
fn what_could_not_be_read_is_not_counted_and_a_cut_file_is_not_measured() {
    let ran = with("hydra.json", b"{").run(&["change", "check", "c"]);
    assert!(ran.out.starts_with("fail  c/a: 1 problem\n"), "{}", ran.all());
    let json = with("hydra.json", b"{").run(&["change", "check", "c", "--json"]).json();
    assert_eq!(
        (&json["changes"][0]["requirements"], &json["changes"][0]["has_manifest"]),
        (&serde_json::Value::Null, &true.into())
    );
    let ran = with("design.md", &vec![b'x'; 3_000_000]).run(&["change", "check", "c"]);
    assert!(ran.out.contains("c/a/design.md: it has more than 524288 bytes"), "{}", ran.all());
}

#[test]
fn a_link_is_named_and_not_followed() {
    for (name, code) in [("design.md", 1), ("notes.txt", 0), ("specs/other", 1)] {
        let sandbox = with("tasks.md", b"- [ ] 1.1 greet\n");
        std::os::unix::fs::symlink("/etc/passwd", sandbox.work(&format!("c/a/{name}"))).unwrap();
        let ran = sandbox.run(&["change", "check", "c"]);
        let line = format!("c/a/{name}: it is a link, which is not followed (put the file itself there)");
        assert!(ran.code == code && ran.out.contains(&line), "{}", ran.all());
    }
    let sandbox = with("tasks.md", b"- [ ] 1.1 greet\n");
    std::fs::remove_file(sandbox.work("c/a/proposal.md")).unwrap();
    std::os::unix::fs::symlink("/etc/passwd", sandbox.work("c/a/proposal.md")).unwrap();
    let ran = sandbox.run(&["change", "check", "c"]);
    assert!(ran.out.contains("proposal.md: it is a link") && !ran.out.contains("is missing"), "{}", ran.all());
    assert_eq!(sandbox.run(&["change", "init", "c/a"]).code, 1);
}

#[test]
fn what_openspec_allows_and_a_reviewer_stumbles_over_is_noted() {
    let spec =
        "## ADDED Requirements\n### Requirement: Greet\n#### Scenario: Hello\n- **WEHN** asked\n- **THEN** it greets\n";
    let ran = with("specs/greet/spec.md", spec.as_bytes()).run(&["change", "check", "c"]);
    let note = "  note: c/a/specs/greet/spec.md:4: `WEHN` is no step of a scenario (did you mean WHEN?)\n";
    assert!(ran.code == 0 && ran.out.contains(note), "{}", ran.all());
    let twice = format!("{spec}{spec}");
    let ran = with("specs/greet/spec.md", twice.as_bytes()).run(&["change", "check", "c"]);
    assert!(
        ran.code == 1 && ran.out.contains("spec.md:7: the requirement \"Greet\" stands in ADDED twice"),
        "{}",
        ran.all()
    );
}

#[test]
fn every_cycle_is_named_and_a_dependency_that_is_nowhere_is_noted() {
    let sandbox = with("hydra.json", b"{\"depends_on\": [\"b\"]}");
    for (name, needs) in
        [("b", "a"), ("x", "y"), ("y", "x"), ("add-login", "add-lgoin"), ("z", "old"), ("broken", "broken")]
    {
        for file in ["proposal.md", "tasks.md", "specs/greet/spec.md"] {
            sandbox.write(&format!("c/{name}/{file}"), sandbox.read(&format!("c/a/{file}")));
        }
        sandbox.write(&format!("c/{name}/hydra.json"), format!("{{\"depends_on\": [\"{needs}\"]}}"));
    }
    sandbox.write("c/broken/tasks.md", "");
    std::fs::create_dir_all(sandbox.work("c/archive/2026-01-01-old")).unwrap();
    let ran = sandbox.run(&["change", "check", "c"]);
    for cycle in ["a -> b -> a", "x -> y -> x", "broken -> broken"] {
        assert!(ran.out.contains(&format!("fail  the changes wait for each other: {cycle}\n")), "{}", ran.all());
    }
    let note = "note: c/add-login/hydra.json: depends_on: add-lgoin is neither among the folders checked nor beside this one (did you mean add-login?)";
    assert!(ran.out.contains(note) && !ran.out.contains("old is neither"), "{}", ran.all());
    // What lies beside the folder is there.
    assert!(!sandbox.run(&["change", "check", "c/a"]).out.contains("neither"));
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
