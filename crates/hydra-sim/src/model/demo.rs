//! The demo's own material: a small target repository whose tests need nothing but `sh`, its issue, and the named scenarios.

use super::script::{Script, ScriptError};
use std::collections::BTreeMap;

/// Names of all scenarios; the first is the demo's default.
pub const SCENARIOS: &[&str] =
    &["fix-round", "happy", "needs-input", "rate-limited", "over-budget", "void-review", "conflict"];

/// One scenario of the demo.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Scenario {
    /// Its name.
    pub name: &'static str,
    /// What it shows, in one line.
    pub shows: &'static str,
    /// What the model says.
    pub script: Script,
    /// A commit that somebody pushes to the base branch once the work branch exists.
    pub second_commit: Option<Commit>,
}

/// A commit to push.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Commit {
    /// Its message.
    pub message: &'static str,
    /// Files as they are afterwards, by path; the others stay.
    pub files: BTreeMap<String, Vec<u8>>,
}

macro_rules! repo_files {
    ($($path:literal),+ $(,)?) => {
        &[$(($path, include_str!(concat!("../../demo/repo/", $path)))),+]
    };
}

const REPO: &[(&str, &str)] = repo_files![
    ".gitignore",
    ".hydra.toml",
    "CLAUDE.md",
    "README.md",
    "bin/slug",
    "build.sh",
    "lib/slug.sh",
    "openspec/changes/add-word-limit/design.md",
    "openspec/changes/add-word-limit/hydra.json",
    "openspec/changes/add-word-limit/proposal.md",
    "openspec/changes/add-word-limit/specs/slug/spec.md",
    "openspec/changes/add-word-limit/tasks.md",
    "openspec/specs/slug/spec.md",
    "tests/check.sh",
    "tests/run.sh",
    "tests/test_slug.sh",
];

/// The target repository's files, by path. None needs to be executable.
#[must_use]
pub fn demo_repo() -> BTreeMap<String, Vec<u8>> {
    REPO.iter().map(|(path, text)| ((*path).to_owned(), text.as_bytes().to_vec())).collect()
}

/// Title and body of the issue.
#[must_use]
pub fn demo_issue() -> (String, String) {
    let body = "Our addresses are too long: `slug` should be able to stop after a few words.\n\n\
                Everything that it should do stands in the change folder.\n\n\
                Change: add-word-limit\n";
    ("Limit a slug to a number of words".to_owned(), body.to_owned())
}

/// A scenario by its name; `None` where there is none of that name.
///
/// # Errors
/// Never, as a test holds: the scripts are compiled in.
pub fn scenario(name: &str) -> Result<Option<Scenario>, ScriptError> {
    let Some(name) = SCENARIOS.iter().find(|n| **n == name) else { return Ok(None) };
    let (_, shows) = source(name).unwrap_or_default();
    let second_commit = (*name == "conflict").then(|| Commit {
        message: "Leave articles out of slugs",
        files: BTreeMap::from([
            ("lib/slug.sh".to_owned(), include_bytes!("../../demo/conflict/slug.sh").to_vec()),
            ("bin/slug".to_owned(), include_bytes!("../../demo/conflict/slug").to_vec()),
        ]),
    });
    Ok(Some(Scenario { name, shows, script: script(name)?, second_commit }))
}

/// The script of a scenario, resolved.
pub(crate) fn script(name: &str) -> Result<Script, ScriptError> {
    match source(name) {
        Some((text, _)) => text.parse(),
        None => Err(ScriptError::Extends { name: name.chars().take(100).collect(), known: SCENARIOS.join(", ") }),
    }
}

fn source(name: &str) -> Option<(&'static str, &'static str)> {
    Some(match name {
        "fix-round" => (
            include_str!("../../demo/scripts/fix-round.toml"),
            "one blocking finding, a fix round, a second pair of reviews, the applier",
        ),
        "happy" => (include_str!("../../demo/scripts/happy.toml"), "built right at once, reviewed, ready"),
        "needs-input" => (include_str!("../../demo/scripts/needs-input.toml"), "the builder asks instead of guessing"),
        "rate-limited" => (
            include_str!("../../demo/scripts/rate-limited.toml"),
            "an account reaches its limit in mid-build; the next one carries on",
        ),
        "over-budget" => (include_str!("../../demo/scripts/over-budget.toml"), "the budget ends an expensive build"),
        "void-review" => {
            (include_str!("../../demo/scripts/void-review.toml"), "a review without any reading does not count")
        }
        "conflict" => (
            include_str!("../../demo/scripts/conflict.toml"),
            "the base branch changes the same lines while the pull request is open",
        ),
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_scenario_can_be_played() {
        for name in SCENARIOS {
            let scenario = scenario(name).unwrap().unwrap();
            assert!(scenario.script.sessions.len() >= 5, "{name}");
        }
        assert_eq!(scenario("nothing").unwrap(), None);
        assert_eq!(Script::default_demo().unwrap(), script("fix-round").unwrap());
    }

    #[test]
    fn the_issue_names_a_change_of_the_repository() {
        let (_, body) = demo_issue();
        let change = body.lines().find_map(|l| l.strip_prefix("Change: ")).unwrap();
        assert!(demo_repo().contains_key(&format!("openspec/changes/{change}/proposal.md")));
    }

    #[test]
    fn every_file_of_the_repository_is_compiled_in() {
        fn walk(folder: &std::path::Path, found: &mut Vec<String>, root: &std::path::Path) {
            for entry in std::fs::read_dir(folder).unwrap() {
                let path = entry.unwrap().path();
                if path.is_dir() {
                    walk(&path, found, root);
                } else {
                    found.push(path.strip_prefix(root).unwrap().display().to_string());
                }
            }
        }
        let root = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("demo/repo");
        let mut found = Vec::new();
        walk(&root, &mut found, &root);
        found.sort();
        assert_eq!(found, demo_repo().into_keys().collect::<Vec<_>>());
    }
}
