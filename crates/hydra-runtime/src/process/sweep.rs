//! Folders of jobs that were half made or half removed by a process that died: their names begin with a dot, and nobody comes back for them.

use crate::error::io_error;
use hydra_core::ports::RuntimeError;
use std::{
    fs,
    io::{self, ErrorKind},
    path::{Path, PathBuf},
    time::Duration,
};

/// Removes those that nobody touched for so long; with `dry_run` only names them.
///
/// # Errors
/// When the folder of jobs cannot be read, or one of them stays.
pub fn sweep(state: &Path, untouched: Duration, dry_run: bool) -> Result<Vec<PathBuf>, RuntimeError> {
    let jobs = state.join("jobs");
    let broken = |cause: io::Error| io_error("cannot list", &jobs, &cause);
    let read = match fs::read_dir(&jobs) {
        Err(cause) if cause.kind() == ErrorKind::NotFound => return Ok(Vec::new()),
        other => other.map_err(broken)?,
    };
    let mut swept = Vec::new();
    for entry in read {
        let path = entry.map_err(broken)?.path();
        let ours = path.file_name().and_then(|name| name.to_str());
        let ours = ours.is_some_and(|name| name.starts_with(".new-") || name.starts_with(".gone-"));
        let age = fs::metadata(&path).and_then(|meta| meta.modified()).ok().and_then(|at| at.elapsed().ok());
        if !ours || age.is_none_or(|age| age < untouched) {
            continue;
        }
        if !dry_run {
            fs::remove_dir_all(&path).map_err(|cause| io_error("cannot remove", &path, &cause))?;
        }
        swept.push(path);
    }
    swept.sort();
    Ok(swept)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_half_folders_go_and_only_when_they_are_old() {
        let state = tempfile::tempdir().unwrap();
        for name in [".new-hydra-a-1-0", ".gone-hydra-b-1-0", "hydra-c", ".other"] {
            fs::create_dir_all(state.path().join("jobs").join(name).join("in")).unwrap();
        }
        assert!(sweep(state.path(), Duration::from_secs(60), false).unwrap().is_empty(), "they are young");
        assert_eq!(sweep(state.path(), Duration::ZERO, true).unwrap().len(), 2);
        assert_eq!(sweep(state.path(), Duration::ZERO, false).unwrap().len(), 2);
        assert!(state.path().join("jobs/hydra-c").exists() && state.path().join("jobs/.other").exists());
        assert!(!state.path().join("jobs/.new-hydra-a-1-0").exists());
    }
}
