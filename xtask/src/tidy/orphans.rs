//! Every Rust file belongs to something that is built: one that no `mod` names compiles for nobody, and its tests pass for ever.

use super::Source;
use std::{
    collections::BTreeSet,
    path::{Component, Path, PathBuf},
};

/// Folders whose own files are programs or tests by themselves.
const ROOTS: [&str; 4] = ["benches", "bin", "examples", "targets"];

pub(crate) fn check(sources: &[Source]) -> Vec<String> {
    let rust: Vec<&Source> =
        sources.iter().filter(|source| source.path.extension().is_some_and(|extension| extension == "rs")).collect();
    let named: BTreeSet<PathBuf> = rust.iter().flat_map(|source| names(source)).collect();
    let lost = rust.iter().filter(|source| !is_root(&source.path) && !named.contains(&source.path));
    lost.map(|source| format!("{}:1: no `mod` names this file, so nobody compiles it", source.path.display())).collect()
}

fn is_root(path: &Path) -> bool {
    let name = path.file_name().unwrap_or_default();
    let folder = path.parent().and_then(Path::file_name).unwrap_or_default();
    // A folder of tests beside `src`, and not one within it.
    let is_test = folder == "tests" && !path.components().any(|part| part.as_os_str() == "src");
    is_test
        || ["main.rs", "lib.rs", "build.rs"].iter().any(|root| name == *root)
        || ROOTS.iter().any(|root| folder == *root)
}

/// The files that a file's `mod` lines may stand for.
fn names(source: &Source) -> Vec<PathBuf> {
    let folder = source.path.parent().unwrap_or(Path::new(""));
    let own = folder.join(source.path.file_stem().unwrap_or_default());
    let mut found = Vec::new();
    for line in source.text.lines().map(str::trim) {
        if let Some(path) = line.strip_prefix("#[path = \"").and_then(|rest| rest.strip_suffix("\"]")) {
            found.push(plain(&folder.join(path)));
        }
        let Some(name) = line.strip_suffix(';').and_then(|line| line.rsplit_once("mod ")).map(|(_, name)| name) else {
            continue;
        };
        found.extend([folder, own.as_path()].map(|folder| folder.join(format!("{name}.rs"))));
    }
    found
}

/// Without `..`.
fn plain(path: &Path) -> PathBuf {
    let mut plain = PathBuf::new();
    for part in path.components() {
        if part == Component::ParentDir {
            plain.pop();
        } else {
            plain.push(part);
        }
    }
    plain
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_that_nothing_names_is_found() {
        let source = |path: &str, text: &str| Source { path: path.into(), text: text.to_owned() };
        let mut all = vec![
            source("crates/x/src/lib.rs", "//! x\npub(crate) mod a;\n"),
            source("crates/x/src/a.rs", "#[cfg(test)]\nmod tests;\n"),
            source("crates/x/src/a/tests.rs", ""),
            source("crates/x/benches/b.rs", "#[path = \"../tests/it/world.rs\"]\nmod world;\n"),
            source("crates/x/tests/it/world.rs", ""),
            source("crates/x/tests/alone.rs", ""),
        ];
        assert_eq!(check(&all), [""; 0]);
        all.push(source("crates/x/tests/it/fuzz.rs", "#[test]\nfn never_run() {}\n"));
        assert_eq!(check(&all), ["crates/x/tests/it/fuzz.rs:1: no `mod` names this file, so nobody compiles it"]);
    }
}
