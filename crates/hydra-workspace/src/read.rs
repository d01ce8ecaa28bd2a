//! The files of a folder at a commit, straight from the objects: no checkout, no links, no limits exceeded.

use crate::{
    error::{failed, refused},
    mirror::Mirror,
    objects,
};
use hydra_core::{CommitSha, ports::WorkspaceError};
use std::collections::BTreeMap;

/// Files that one read gives, at most.
const MAX_FILES: usize = 1_000;
/// Bytes that one read gives, at most.
const MAX_BYTES: u64 = 20 * 1024 * 1024;

/// The files below `path`, by their path relative to it; where `path` is a file itself, that file by its own name.
pub(crate) async fn read(
    mirror: &Mirror<'_>,
    at: &CommitSha,
    path: &str,
) -> Result<BTreeMap<String, Vec<u8>>, WorkspaceError> {
    let path = path.trim_end_matches('/');
    if path.starts_with('/') || path.contains('\0') || path.split('/').any(|part| part == "..") {
        return Err(refused(format!("{path:?} does not lie in the repository")));
    }
    mirror.need(at).await?;
    let mut args = vec!["ls-tree", "-r", "-z", "-l", "--full-tree", at.as_str()];
    if !path.is_empty() {
        args.extend(["--", path]);
    }
    let listing = mirror.git.at(&mirror.path, &args).run().await?;
    let mut names = Vec::new();
    let mut ids = Vec::new();
    let mut total = 0_u64;
    for entry in listing.split(|b| *b == 0).filter(|e| !e.is_empty()) {
        let text = std::str::from_utf8(entry)
            .map_err(|_| refused(format!("a file below {path:?} at {at} has a name that is not UTF-8")))?;
        let (meta, full) = text.split_once('\t').ok_or_else(|| failed("git ls-tree wrote a line that is no entry"))?;
        let fields: Vec<&str> = meta.split_ascii_whitespace().collect();
        let [mode, "blob", id, size] = fields[..] else { continue };
        if mode == "120000" {
            continue;
        }
        let name = match full.strip_prefix(path).and_then(|r| r.strip_prefix('/')) {
            Some(below) => below,
            None if path.is_empty() => full,
            None if full == path => full.rsplit('/').next().unwrap_or(full),
            None => continue,
        };
        total = total.saturating_add(size.parse().map_err(|_| failed("git ls-tree gave no size"))?);
        names.push(name.to_owned());
        ids.push(id.to_owned());
        if names.len() > MAX_FILES {
            return Err(refused(format!("{path:?} at {at} holds more than {MAX_FILES} files")));
        }
        if total > MAX_BYTES {
            return Err(refused(format!("{path:?} at {at} holds more than {} MB", MAX_BYTES / 1024 / 1024)));
        }
    }
    let ids: Vec<&str> = ids.iter().map(String::as_str).collect();
    let contents = objects::contents(mirror.git, &mirror.path, &ids).await?;
    Ok(names.into_iter().zip(contents).collect())
}
