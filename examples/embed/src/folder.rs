//! Reads what a job left. Links are refused: they would read files of the embedding program for it.

use crate::error;
use hydra_core::ports::{Collected, RuntimeError, RuntimeErrorKind};
use std::{fs, path::Path};

pub(crate) fn collect(out: &Path, max_bytes: u64) -> Result<Collected, RuntimeError> {
    let mut collected = Collected::default();
    walk(out, "", max_bytes, &mut collected)?;
    Ok(collected)
}

fn walk(folder: &Path, prefix: &str, max_bytes: u64, collected: &mut Collected) -> Result<(), RuntimeError> {
    let failed = |why: std::io::Error| error(RuntimeErrorKind::Failed, format!("{}: {why}", folder.display()));
    for entry in fs::read_dir(folder).map_err(failed)? {
        let entry = entry.map_err(failed)?;
        let name = format!("{prefix}{}", entry.file_name().to_string_lossy());
        let facts = entry.path().symlink_metadata().map_err(failed)?;
        if facts.is_dir() {
            walk(&entry.path(), &format!("{name}/"), max_bytes, collected)?;
        } else if !facts.is_file() {
            return Err(error(RuntimeErrorKind::Refused, format!("/out/{name} is no file")));
        } else if facts.len() > max_bytes {
            collected.too_large.insert(name, facts.len());
        } else {
            collected.files.insert(name, fs::read(entry.path()).map_err(failed)?);
        }
    }
    Ok(())
}
