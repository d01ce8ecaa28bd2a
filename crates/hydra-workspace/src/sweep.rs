//! Old bundles, and quarantines of processes that were killed: nobody else would ever remove them.

use crate::error::disk;
use hydra_core::ports::WorkspaceError;
use std::{
    io,
    path::{Path, PathBuf},
    time::Duration,
};

/// Removes what nobody touched for `untouched`; how many files and folders that were.
pub(crate) fn sweep(state: &Path, untouched: Duration) -> Result<usize, WorkspaceError> {
    let stale = stale(state, untouched)?;
    for path in &stale {
        let removed = if path.is_dir() { std::fs::remove_dir_all(path) } else { std::fs::remove_file(path) };
        removed.map_err(|error| disk(path, &error))?;
    }
    Ok(stale.len())
}

/// What [`sweep`] would remove.
pub(crate) fn stale(state: &Path, untouched: Duration) -> Result<Vec<PathBuf>, WorkspaceError> {
    let at = |path: &Path| {
        let path = path.to_owned();
        move |error: io::Error| disk(&path, &error)
    };
    let quarantine = state.join("quarantine");
    let mut stale = Vec::new();
    for path in entries(&quarantine).map_err(at(&quarantine))? {
        if old(&path, untouched).map_err(at(&path))? {
            stale.push(path);
        }
    }
    let bundles = state.join("bundles");
    for owner in entries(&bundles).map_err(at(&bundles))? {
        for repo in entries(&owner).map_err(at(&owner))? {
            for file in entries(&repo).map_err(at(&repo))? {
                if old(&file, untouched).map_err(at(&file))? {
                    stale.push(file);
                }
            }
        }
    }
    Ok(stale)
}

/// What lies in a folder; nothing, where the folder is not there.
fn entries(folder: &Path) -> io::Result<Vec<std::path::PathBuf>> {
    match std::fs::read_dir(folder) {
        Ok(entries) => entries.map(|entry| entry.map(|e| e.path())).collect(),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(Vec::new()),
        Err(error) => Err(error),
    }
}

/// By the file system's own times; a time in the future is young.
fn old(path: &Path, untouched: Duration) -> io::Result<bool> {
    Ok(std::fs::metadata(path)?.modified()?.elapsed().is_ok_and(|age| age >= untouched))
}
