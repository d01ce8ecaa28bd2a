//! `cargo xtask tidy`: the house rules, each of which can fail.

use std::path::{Path, PathBuf};

mod documents;
mod edges;
mod files;
mod licences;
mod orphans;
mod words;

/// One file of the checkout.
pub(crate) struct Source {
    /// Path relative to the root.
    pub(crate) path: PathBuf,
    /// Its text; files that are not UTF-8 are left out.
    pub(crate) text: String,
}

/// Prints the findings; an error when there are any.
pub(crate) fn run(root: &Path) -> Result<(), String> {
    let findings = findings(root);
    for finding in &findings {
        println!("{finding}");
    }
    if findings.is_empty() {
        println!("tidy: nothing to mend");
        return Ok(());
    }
    Err(format!("{} things to mend", findings.len()))
}

/// Every finding, `path:line: what`.
pub(crate) fn findings(root: &Path) -> Vec<String> {
    let sources = sources(root);
    let mut findings = edges::check(root);
    findings.extend(files::check(root, &sources));
    findings.extend(orphans::check(&sources));
    findings.extend(words::check(&sources));
    findings.extend(documents::check(root, &sources));
    findings.extend(licences::check(root));
    findings
}

/// The files that git tracks or would track.
fn sources(root: &Path) -> Vec<Source> {
    let listed = std::process::Command::new("git")
        .args(["ls-files", "-z", "--cached", "--others", "--exclude-standard"])
        .current_dir(root)
        .output();
    let Ok(listed) = listed else { return Vec::new() };
    String::from_utf8_lossy(&listed.stdout)
        .split('\0')
        .filter(|path| !path.is_empty())
        .filter_map(|path| {
            let text = std::fs::read_to_string(root.join(path)).ok()?;
            Some(Source { path: PathBuf::from(path), text })
        })
        .collect()
}
