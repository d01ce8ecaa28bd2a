//! Reading objects in one go: sizes and contents by id, through one `git cat-file` each.

use crate::{error::failed, git::Git};
use hydra_core::ports::WorkspaceError;
use std::path::Path;

/// The sizes of objects, in the order asked; `None` for one that is absent (a submodule's commit, say).
pub(crate) async fn sizes(git: &Git, repository: &Path, ids: &[&str]) -> Result<Vec<Option<u64>>, WorkspaceError> {
    if ids.is_empty() {
        return Ok(Vec::new());
    }
    let asked = ids.join("\n") + "\n";
    let text = git
        .at(repository, &["cat-file", "--batch-check=%(objectname) %(objectsize)"])
        .input(asked.as_bytes())
        .text()
        .await?;
    let sizes: Vec<_> = text.lines().map(|l| l.rsplit(' ').next().and_then(|n| n.parse().ok())).collect();
    if sizes.len() == ids.len() { Ok(sizes) } else { Err(failed("git cat-file left objects out")) }
}

/// The contents of objects that exist, in the order asked.
pub(crate) async fn contents(git: &Git, repository: &Path, ids: &[&str]) -> Result<Vec<Vec<u8>>, WorkspaceError> {
    if ids.is_empty() {
        return Ok(Vec::new());
    }
    let asked = ids.join("\n") + "\n";
    let bytes = git.at(repository, &["cat-file", "--batch"]).input(asked.as_bytes()).run().await?;
    let mut found = Vec::with_capacity(ids.len());
    let mut rest = bytes.as_slice();
    for id in ids {
        let broken = || failed(format!("git cat-file did not give object {id}"));
        let end = rest.iter().position(|b| *b == b'\n').ok_or_else(broken)?;
        let header = std::str::from_utf8(&rest[..end]).map_err(|_| broken())?;
        let size: usize = header.rsplit(' ').next().and_then(|n| n.parse().ok()).ok_or_else(broken)?;
        let body = rest.get(end + 1..end + 1 + size).ok_or_else(broken)?;
        found.push(body.to_vec());
        rest = rest.get(end + 1 + size + 1..).ok_or_else(broken)?;
    }
    Ok(found)
}
