//! What documents point at is there: files that they link to, and tests that they name.

use super::Source;
use regex::Regex;
use std::{
    collections::BTreeSet,
    path::{Component, Path, PathBuf},
};

/// Every finding in the Markdown files.
pub(super) fn check(root: &Path, sources: &[Source]) -> Vec<String> {
    let (Ok(link), Ok(test), Ok(function)) = (
        Regex::new(r"\]\(([^)\s]+)\)"),
        Regex::new(r"cargo xtask test ([a-z_][a-z0-9_:]*)"),
        Regex::new(r"\b(?:fn|mod) ([a-z_][a-z0-9_]*)"),
    ) else {
        return vec!["xtask/src/tidy/documents.rs: a pattern is wrong".to_owned()];
    };
    let is = |source: &&Source, ending: &str| source.path.extension().is_some_and(|found| found == ending);
    let mut names = BTreeSet::new();
    for source in sources.iter().filter(|source| is(source, "rs")) {
        names.extend(function.captures_iter(&source.text).filter_map(|found| found.get(1)).map(|name| name.as_str()));
        names.extend(source.path.file_stem().and_then(|stem| stem.to_str()));
    }
    let mut findings = Vec::new();
    for source in sources.iter().filter(|source| is(source, "md")) {
        for (number, line) in source.text.lines().enumerate() {
            let at = format!("{}:{}", source.path.display(), number + 1);
            for target in link.captures_iter(line).filter_map(|found| found.get(1)) {
                if let Some(missing) = missing(root, &source.path, target.as_str()) {
                    findings.push(format!("{at}: links to {missing}, which is not there"));
                }
            }
            for word in test.captures_iter(line).filter_map(|found| found.get(1)) {
                // The runner takes any part of a test's path.
                let parts = word.as_str().split("::").filter(|part| !part.is_empty());
                for part in parts.filter(|part| !names.iter().any(|name| name.contains(part))) {
                    findings.push(format!(
                        "{at}: names the test {:?}, and no test has {part:?} in its name",
                        word.as_str()
                    ));
                }
            }
        }
    }
    findings
}

/// The path that a link points at, when nothing is there.
fn missing(root: &Path, document: &Path, target: &str) -> Option<String> {
    let file = target.split('#').next().unwrap_or_default();
    if file.is_empty() || file.contains("://") || file.starts_with("mailto:") {
        return None;
    }
    let mut path = PathBuf::new();
    for part in document.parent().unwrap_or(Path::new("")).join(file).components() {
        match part {
            Component::ParentDir => {
                path.pop();
            }
            Component::Normal(name) => path.push(name),
            Component::CurDir | Component::RootDir | Component::Prefix(_) => {}
        }
    }
    (!root.join(&path).exists()).then(|| path.display().to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dead_links_and_tests_that_do_not_exist_are_found() {
        let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
        let source = |path: &str, text: &str| Source { path: path.into(), text: text.to_owned() };
        let sources = [
            source(
                "docs/a.md",
                "[x](../README.md#two) [y](gone.md) [z](https://example.org/q)\n`cargo xtask test row_01`, `cargo xtask test row_99`",
            ),
            source("a/fence.rs", "fn row_01_rules() {}"),
        ];
        assert_eq!(
            check(&root, &sources),
            [
                "docs/a.md:1: links to docs/gone.md, which is not there",
                "docs/a.md:2: names the test \"row_99\", and no test has \"row_99\" in its name"
            ]
        );
    }
}
