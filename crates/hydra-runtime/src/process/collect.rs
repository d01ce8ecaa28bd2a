//! Takes a process job's results out of its `out/` folder, following no link.

use crate::{error::io_error, outputs::Gatherer, process::folder::JobFolder};
use hydra_core::ports::{Collected, RuntimeError};
use nix::fcntl::OFlag;
use std::{
    fs::{self, OpenOptions},
    os::unix::fs::{MetadataExt, OpenOptionsExt},
    path::Path,
};

/// Folders within folders, at most.
const MAX_DEPTH: usize = 32;

/// Everything below `out/`.
pub(super) fn collect(folder: &JobFolder, max_bytes: u64) -> Result<Collected, RuntimeError> {
    let mut gatherer = Gatherer::new(max_bytes);
    walk(&folder.path("out"), "", 0, &mut gatherer)?;
    Ok(gatherer.finish())
}

fn walk(at: &Path, prefix: &str, depth: usize, gatherer: &mut Gatherer) -> Result<(), RuntimeError> {
    let broken = |cause: std::io::Error| io_error("cannot read", at, &cause);
    for entry in fs::read_dir(at).map_err(broken)? {
        let entry = entry.map_err(broken)?;
        let Ok(name) = entry.file_name().into_string() else {
            return Err(Gatherer::refused(&entry.file_name().to_string_lossy(), "its name is not UTF-8"));
        };
        let relative = if prefix.is_empty() { name } else { format!("{prefix}/{name}") };
        let kind = entry.file_type().map_err(broken)?;
        if kind.is_dir() {
            if depth >= MAX_DEPTH {
                return Err(Gatherer::refused(&relative, "it lies too deep"));
            }
            walk(&entry.path(), &relative, depth + 1, gatherer)?;
        } else if kind.is_file() {
            let path = entry.path();
            // Never through a link that was put there since the look.
            let mut file = OpenOptions::new()
                .read(true)
                .custom_flags((OFlag::O_NOFOLLOW | OFlag::O_NONBLOCK).bits())
                .open(&path)
                .map_err(|cause| io_error("cannot read", &path, &cause))?;
            let meta = file.metadata().map_err(|cause| io_error("cannot read", &path, &cause))?;
            if !meta.is_file() || meta.nlink() > 1 {
                return Err(Gatherer::refused(&relative, "it is a link"));
            }
            gatherer.file(&relative, meta.len(), &mut file)?;
        } else if kind.is_symlink() {
            return Err(Gatherer::refused(&relative, "it is a link"));
        } else {
            return Err(Gatherer::refused(&relative, "it is no plain file"));
        }
    }
    Ok(())
}
