//! Change folders of this machine: which there are, and the files of one. Links are not followed.

use crate::{exit::Exit, failure::Failure};
use hydra_core::{
    diagnostic::Diagnostic,
    openspec::{change, manifest},
};
use std::{
    collections::BTreeMap,
    path::{Path, PathBuf},
};

/// What lies in a folder.
#[derive(Default)]
pub(super) struct Folder {
    /// Files by relative path; each, and all of them, cut just above core's limits, so that core says so.
    pub(super) files: BTreeMap<String, Vec<u8>>,
    /// Links and the like that stand where a change has a file.
    pub(super) problems: Vec<Diagnostic>,
    /// Links and the like that nobody reads.
    pub(super) notes: Vec<Diagnostic>,
}

/// The folder itself where it is a change, else the changes right below it.
pub(super) fn changes_below(folder: &Path, shown: &Path) -> Result<Vec<(PathBuf, PathBuf)>, Failure> {
    let unreadable = |error: &std::io::Error| Failure::local(format_args!("{} cannot be read", shown.display()), error);
    let meta = std::fs::metadata(folder).map_err(|error| unreadable(&error))?;
    if !meta.is_dir() {
        return Err(Failure::new(Exit::Usage, format!("{} is not a folder", shown.display())));
    }
    let is_change =
        |path: &Path| ["proposal.md", "tasks.md", "specs", manifest::FILE].iter().any(|name| path.join(name).exists());
    if is_change(folder) {
        return Ok(vec![(folder.to_owned(), shown.to_owned())]);
    }
    let mut found = Vec::new();
    for entry in std::fs::read_dir(folder).map_err(|error| unreadable(&error))? {
        let entry = entry.map_err(|error| unreadable(&error))?;
        if entry.path().is_dir() && is_change(&entry.path()) {
            found.push((entry.path(), shown.join(entry.file_name())));
        }
    }
    found.sort();
    // An empty folder is checked as the change that it was meant to be.
    if found.is_empty() {
        found.push((folder.to_owned(), shown.to_owned()));
    }
    Ok(found)
}

/// The folder's files by relative path.
///
/// # Errors
/// When it cannot be read, or something stands in it that is not followed.
pub(crate) fn files_below(at: &Path) -> Result<BTreeMap<String, Vec<u8>>, Failure> {
    let read = folder(at)?;
    match read.problems.first() {
        None => Ok(read.files),
        Some(problem) => Err(Failure::new(Exit::Failed, format!("{}/{problem}", at.display()))),
    }
}

pub(super) fn folder(folder: &Path) -> Result<Folder, Failure> {
    let mut read = Folder::default();
    let mut todo = vec![folder.to_owned()];
    while let Some(at) = todo.pop() {
        let unreadable =
            |error: &std::io::Error| Failure::local(format_args!("{} cannot be read", at.display()), error);
        for entry in std::fs::read_dir(&at).map_err(|error| unreadable(&error))? {
            let entry = entry.map_err(|error| unreadable(&error))?;
            let kind = entry.file_type().map_err(|error| unreadable(&error))?;
            let path = entry.path();
            if kind.is_dir() {
                todo.push(path);
                continue;
            }
            let Ok(relative) = path.strip_prefix(folder) else { continue };
            let relative = relative.to_string_lossy().into_owned();
            if !kind.is_file() {
                let what = if kind.is_symlink() { "it is a link, which is not followed" } else { "it is not a file" };
                let diagnostic = Diagnostic::file(&relative, what).hint("put the file itself there");
                let list = if has_meaning(&relative) { &mut read.problems } else { &mut read.notes };
                list.push(diagnostic);
                continue;
            }
            if read.files.len() > change::MAX_FILES {
                continue;
            }
            let bytes = read_limited(&path, change::MAX_FILE + 1)
                .map_err(|error| Failure::local(format_args!("{} cannot be read", path.display()), &error))?;
            read.files.insert(relative, bytes);
        }
    }
    Ok(read)
}

/// Whether a change has something of this name.
fn has_meaning(path: &str) -> bool {
    ["proposal.md", "design.md", "tasks.md", "specs", manifest::FILE].contains(&path) || path.starts_with("specs/")
}

fn read_limited(path: &Path, limit: usize) -> std::io::Result<Vec<u8>> {
    use std::io::Read;
    let mut bytes = Vec::new();
    std::fs::File::open(path)?.take(limit as u64).read_to_end(&mut bytes)?;
    Ok(bytes)
}
