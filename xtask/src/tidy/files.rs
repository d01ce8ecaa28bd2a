//! Small files, each with a line that says why it exists; short binaries; the documents that must be there.

use super::Source;
use std::path::Path;

/// Lines of production code above which a file must be listed in `LARGE`.
const MOST: usize = 500;
/// Files that may be larger, each with its reason.
const LARGE: &[(&str, &str)] = &[];
/// Lines of a binary's `main.rs`.
const MAIN: usize = 20;
/// Documents that must be there.
const DOCUMENTS: &[&str] = &[
    "README.md",
    "CONTRIBUTING.md",
    "SECURITY.md",
    "CHANGELOG.md",
    "LICENSE-MIT",
    "LICENSE-APACHE",
    "docs/architecture.md",
    "docs/configuration.md",
    "docs/security.md",
    "docs/operations/docker.md",
    "docs/operations/secrets.md",
    "docs/operations/cron.md",
];

pub(crate) fn check(root: &Path, sources: &[Source]) -> Vec<String> {
    let mut findings = Vec::new();
    for source in sources.iter().filter(|source| source.path.extension().is_some_and(|e| e == "rs")) {
        let path = source.path.display();
        if !source.text.starts_with("//! ") {
            findings.push(format!("{path}:1: begins without a `//!` line that says why the file exists"));
        }
        let lines = production_lines(&source.text);
        let is_test =
            source.path.components().any(|part| part.as_os_str() == "tests") || source.path.ends_with("tests.rs");
        let listed = LARGE.iter().any(|(name, _)| source.path == Path::new(name));
        if lines > MOST && !is_test && !listed {
            findings.push(format!("{path}:{MOST}: {lines} lines of production code, {MOST} at most"));
        }
        if source.path.ends_with("src/main.rs") && source.text.lines().count() > MAIN {
            findings.push(format!("{path}:{MAIN}: a binary has {MAIN} lines at most; the library does the work"));
        }
    }
    for document in DOCUMENTS {
        if !root.join(document).is_file() {
            findings.push(format!("{document}: is missing"));
        }
    }
    let changelog = std::fs::read_to_string(root.join("CHANGELOG.md")).unwrap_or_default();
    if !changelog.contains("## [Unreleased]") {
        findings.push("CHANGELOG.md: has no `## [Unreleased]`".to_owned());
    }
    let readme = std::fs::read_to_string(root.join("README.md")).unwrap_or_default();
    for command in ["cargo run -p hydra-cli -- demo", "cargo xtask test"] {
        if !readme.contains(command) {
            findings.push(format!("README.md: does not name `{command}`"));
        }
    }
    findings
}

/// Lines up to the tests module.
fn production_lines(text: &str) -> usize {
    text.lines().take_while(|line| line.trim() != "#[cfg(test)]").count()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tests_do_not_count() {
        assert_eq!(production_lines("//! x\nfn a() {}\n#[cfg(test)]\nmod tests {\n}\n"), 2);
    }

    #[test]
    fn a_file_without_a_reason_is_found() {
        let source = Source { path: "crates/x/src/a.rs".into(), text: "fn a() {}\n".to_owned() };
        assert!(
            check(Path::new("/nowhere"), &[source]).iter().any(|finding| finding.starts_with("crates/x/src/a.rs:1:"))
        );
    }
}
