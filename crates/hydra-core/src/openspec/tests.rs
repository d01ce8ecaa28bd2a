//! Change folders: real ones, small ones, broken ones.
use super::*;
use crate::openspec::{Operation, manifest::IssueRef};
use proptest::prelude::*;
use std::path::{Path, PathBuf};

const SPEC: &str = "# Title\n\n## Purpose\nx\n\n## ADDED Requirements\n\n### Requirement: Log in\nA user SHALL log in.\n\n#### Scenario: Right password\n- **GIVEN** a user\n* WHEN they log in\n- **THEN** they are in\n```\n## REMOVED Requirements\n```\n\n## RENAMED Requirements\n- FROM: `### Requirement: Old`\n- TO: `### Requirement: New`\n";

fn folder(change: &[(&str, &str)]) -> BTreeMap<String, Vec<u8>> {
    let mut files: BTreeMap<String, Vec<u8>> = [
        ("proposal.md", "## Why\nBecause.\n"),
        ("tasks.md", "## 1. First\r\n- [x] 1.1 Do this\n- [ ] 1.2 Do that\n"),
        ("specs/auth/spec.md", SPEC),
    ]
    .into_iter()
    .map(|(path, text)| (path.to_owned(), text.as_bytes().to_vec()))
    .collect();
    for (path, text) in change {
        if text.is_empty() {
            files.remove(*path);
        } else {
            files.insert((*path).to_owned(), text.as_bytes().to_vec());
        }
    }
    files
}

fn faults(change: &[(&str, &str)]) -> Vec<String> {
    ChangeFolder::parse(&folder(change)).unwrap_err().iter().map(ToString::to_string).collect()
}

#[test]
fn a_folder_is_read_and_written_back() {
    let files = folder(&[("design.md", "# D\n"), (".openspec.yaml", "schema: x\n")]);
    let change = ChangeFolder::parse(&files).unwrap();
    assert_eq!(change.render(), files);
    let names = change.requirements();
    assert_eq!((names[0].name.as_str(), names[0].scenarios.as_slice()), ("Log in", &["Right password".to_owned()][..]));
    assert_eq!((names[1].name.as_str(), names[1].operation), ("New", Operation::Renamed));
    let scenario = &change.specs[0].sections[1].requirements[0].scenarios[0];
    let steps: Vec<_> = scenario.steps().into_iter().map(|s| format!("{} {}", s.keyword, s.text)).collect();
    assert_eq!(steps, ["GIVEN a user", "WHEN they log in", "THEN they are in"]);
    let tasks: Vec<_> = change.tasks.all().iter().map(|t| (t.number.clone().unwrap(), t.done)).collect();
    assert_eq!(tasks, [("1.1".to_owned(), true), ("1.2".to_owned(), false)]);
}

#[test]
fn a_box_is_ticked_without_touching_anything_else() {
    let mut change = ChangeFolder::parse(&folder(&[])).unwrap();
    assert!(change.tasks.set_done(3, true) && !change.tasks.set_done(1, true));
    assert_eq!(change.tasks.render(), "## 1. First\r\n- [x] 1.1 Do this\n- [x] 1.2 Do that\n");
}

#[test]
fn what_is_missing_is_named() {
    assert!(ChangeFolder::parse(&BTreeMap::new()).unwrap_err()[0].to_string().contains("missing or empty"));
    assert!(faults(&[("proposal.md", "")])[0].starts_with("proposal.md: it is missing"));
    assert!(faults(&[("proposal.md", " \n")])[0].starts_with("proposal.md: it is empty"));
    assert!(faults(&[("tasks.md", "# none\n")])[0].starts_with("tasks.md: it holds no task"));
    assert!(faults(&[("specs/auth/spec.md", "")])[0].starts_with("specs: there is no spec delta"));
}

#[test]
fn broken_deltas_are_named_with_their_lines() {
    let spec = |text| faults(&[("specs/auth/spec.md", text)]);
    assert_eq!(
        spec("# T\n## ADED Requirements\n### Requirement: A\n"),
        [
            "specs/auth/spec.md:2: `ADED` is no operation of a delta (did you mean `ADDED`?)",
            "specs/auth/spec.md: it holds no delta (begin a section with `## ADDED Requirements`, `## MODIFIED Requirements`, `## REMOVED Requirements` or `## RENAMED Requirements`)"
        ]
    );
    assert!(
        spec("## ADDED Requirements\n\nnothing\n")[0]
            .starts_with("specs/auth/spec.md:1: the section ADDED Requirements holds no requirement")
    );
    assert!(
        spec("## ADDED Requirements\n### Requirement: A\nx\n")[0].contains(":2: the requirement \"A\" has no scenario")
    );
    assert!(
        spec("## ADDED Requirements\n#### Scenario: S\n")[0]
            .contains(":2: the scenario \"S\" belongs to no requirement")
    );
    assert!(spec("### Requirement: A\n")[0].contains(":1: the requirement \"Requirement: A\" stands in no section"));
    assert!(spec("## RENAMED Requirements\n- FROM: a\n")[0].contains(":2: FROM has no TO"));
    let twice = "## ADDED Requirements\n### Requirement: A\n#### Scenario: s\n### Requirement: A\n#### Scenario: s\n";
    assert!(spec(twice)[0].contains(":4: the requirement \"A\" stands in ADDED twice"));
    assert!(faults(&[("tasks.md", "- [] 1 x\n- [-] y\n")]).len() == 2);
    let again = "## ADDED Requirements\n### Requirement: A\n#### Scenario: s\n## ADDED Requirements\n### Requirement: A\n#### Scenario: s\n";
    assert!(spec(again)[0].contains(":5: the requirement \"A\" stands in ADDED twice"));
    let both =
        "## ADDED Requirements\n### Requirement: A\n#### Scenario: s\n## REMOVED Requirements\n### Requirement: A\n";
    assert!(spec(both)[0].contains(":5: the requirement \"A\" stands in ADDED and in REMOVED"));
    let renamed = "## ADDED Requirements\n### Requirement: New\n#### Scenario: s\n## RENAMED Requirements\n- FROM: Old\n- TO: New\n";
    assert!(spec(renamed)[0].contains(":4: the requirement \"New\" stands in ADDED and in RENAMED"));
    let fine = "## MODIFIED Requirements\n### Requirement: New\n#### Scenario: s\n## RENAMED Requirements\n- FROM: Old\n- TO: New\n";
    assert!(ChangeFolder::parse(&folder(&[("specs/auth/spec.md", fine)])).is_ok());
}

#[test]
fn over_long_and_not_utf8() {
    let mut files = folder(&[]);
    files.insert("design.md".into(), vec![b'x'; MAX_FILE + 1]);
    assert!(ChangeFolder::parse(&files).unwrap_err()[0].to_string().contains("more than 524288 bytes"));
    let mut files = folder(&[]);
    files.insert("specs/auth/spec.md".into(), b"a\nb\xff".to_vec());
    assert_eq!(
        ChangeFolder::parse(&files).unwrap_err()[0].to_string(),
        "specs/auth/spec.md:2: it is not UTF-8 (save the file as UTF-8)"
    );
}

#[test]
fn the_manifest_is_strict_and_knows_its_place() {
    let good = "{\n  \"spec_slug\": \"add-login\", \"depends_on\": [\"base\"], \"issue\": 7,\n \"repo\": \"acme/app\", \"pipeline\": {\"turns\": 3}\n}";
    let change = ChangeFolder::parse(&folder(&[("hydra.json", good)])).unwrap();
    assert_eq!(change.render(), folder(&[("hydra.json", good)]));
    let (name, repo) = ("add-login".parse().unwrap(), "acme/app".parse().unwrap());
    assert_eq!(change.check_place(&name, &repo), []);
    let elsewhere = change.check_place(&"other".parse().unwrap(), &"acme/web".parse().unwrap());
    assert_eq!(elsewhere.len(), 2);
    assert!(elsewhere[0].to_string().contains("names acme/app, but the issue is in acme/web"));
    assert_eq!(
        faults(&[("hydra.json", "{\n \"title\": 3,\n \"dependson\": []\n}")]),
        [
            "hydra.json:3: the key `dependson` is unknown (did you mean `depends_on`?)",
            "hydra.json:2: title: invalid type: integer `3`, expected a string",
        ]
    );
    assert!(faults(&[("hydra.json", "{\n")])[0].starts_with("hydra.json:2: it is not JSON"));
    assert!(faults(&[("hydra.json", "{\"issue\": \"seven\"}")])[0].contains("issue: it must be a number"));
}

#[test]
fn an_issue_is_written_in_four_ways() {
    let repo: RepoName = "a/b".parse().unwrap();
    let key = |text: &str| IssueRef::Key(text.into()).key(&repo).map(|k| k.to_string());
    assert_eq!(key("#7").as_deref(), Some("a/b#7"));
    assert_eq!(key("c/d#8").as_deref(), Some("c/d#8"));
    assert_eq!(key("https://github.com/c/d/issues/9").as_deref(), Some("c/d#9"));
    assert_eq!(key("https://github.com/c/d/pull/9"), None);
}

#[test]
fn an_issue_names_its_change() {
    let named = |body: &str| change_named_by(body).map(|name| name.map(|n| n.to_string()));
    assert_eq!(named("Hello\n\nChange: add-login\r\n"), Ok(Some("add-login".into())));
    assert_eq!(named("- **Change:** `openspec/changes/add-login/`"), Ok(Some("add-login".into())));
    assert_eq!(named("nothing\nExchange: x\n```\nChange: code\n```\n<!-- Change: hidden -->"), Ok(None));
    assert!(named("Change: ../../etc/..").unwrap_err().to_string().contains("issue:1"));
    assert!(named("Change: a\nChange: b").unwrap_err().to_string().contains("the changes a and b"));
    assert!(named("Change:").is_err());
}

#[test]
fn a_title_is_found() {
    let name: ChangeName = "2026-01-07-add-nix-flake".parse().unwrap();
    assert_eq!(ChangeFolder::parse(&folder(&[])).unwrap().title(&name), "Add nix flake");
    assert_eq!(ChangeFolder::parse(&folder(&[("proposal.md", "# Proposal: Unify\nx")])).unwrap().title(&name), "Unify");
}

fn shared_data() -> PathBuf {
    std::env::var_os("HYDRA_SHARED_DATA")
        .map_or_else(|| Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../shared/data"), PathBuf::from)
        .join("openspec")
}

fn read_all(root: &Path, at: &Path, files: &mut BTreeMap<String, Vec<u8>>) {
    for entry in std::fs::read_dir(at).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            read_all(root, &path, files);
        } else {
            let name = path.strip_prefix(root).unwrap().to_str().unwrap().to_owned();
            files.insert(name, std::fs::read(&path).unwrap());
        }
    }
}

#[test]
#[ignore = "needs shared data"]
fn every_real_change_folder_parses_and_is_written_back_byte_for_byte() {
    let mut count = 0;
    for entry in std::fs::read_dir(shared_data()).unwrap() {
        let path = entry.unwrap().path();
        if !path.is_dir() {
            continue;
        }
        let mut files = BTreeMap::new();
        read_all(&path, &path, &mut files);
        let change = ChangeFolder::parse(&files).unwrap_or_else(|faults| {
            panic!("{}: {}", path.display(), faults.iter().map(|f| format!("\n  {f}")).collect::<String>())
        });
        assert_eq!(change.render(), files, "{}", path.display());
        assert_eq!(change.notes(), [], "{}", path.display());
        assert!(change.manifest.is_none() && !change.requirements().is_empty() && !change.tasks.all().is_empty());
        count += 1;
    }
    assert!(count >= 12, "{count} folders");
}

proptest! {
    #[test]
    fn no_spec_panics_and_what_parses_renders_back(text in "(## |### |#### |ADDED|REMOVED|RENAMED| Requirements|Requirement:|Scenario:|- FROM: |- TO: |```|~~~|\r\n|\n|\n|\\PC){0,40}") {
        if let Ok(delta) = SpecDelta::parse("specs/a/spec.md", &text) {
            prop_assert_eq!(delta.render(), text);
        }
    }

    #[test]
    fn a_generated_delta_renders_back(names in proptest::collection::vec("[A-Za-z ]{1,12}[a-z]", 1..5), body in "[^#`~]{0,40}", crlf in any::<bool>()) {
        let mut text = String::from("# T\n\n## ADDED Requirements\n");
        for (index, name) in names.iter().enumerate() {
            text.push_str(&format!("### Requirement: {name} {index}\n{body}\n#### Scenario: S\n- **WHEN** x\n"));
        }
        if crlf { text = text.replace('\n', "\r\n"); }
        let delta = SpecDelta::parse("specs/a/spec.md", &text).unwrap();
        prop_assert_eq!(delta.names().len(), names.len());
        prop_assert_eq!(delta.render(), text);
    }

    #[test]
    fn no_task_list_panics_and_what_parses_renders_back(text in "(- \\[|\\* \\[|x\\]|X\\]| \\]|\\]|\\[|1\\.2 |\n|\r\n| |\\PC){0,30}") {
        if let Ok(tasks) = Tasks::parse("tasks.md", &text) {
            prop_assert_eq!(tasks.render(), text);
        }
    }

    #[test]
    fn no_manifest_and_no_issue_panics(text in "\\PC{0,60}|[{}\":,a-z0-9\\[\\] ]{0,60}") {
        let _ = Manifest::parse(text.as_bytes());
        let _ = change_named_by(&format!("Change:{text}"));
        let _ = IssueRef::Key(text).key(&"a/b".parse().unwrap());
    }
}
