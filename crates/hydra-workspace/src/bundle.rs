//! What a job is given: one file with the base and the head, named by their ids.

use crate::{error::disk, mirror::Mirror, scratch::Scratch};
use hydra_core::{CommitSha, ports::WorkspaceError};
use std::path::{Path, PathBuf};

/// The bundle of `base` and `head` at `<state>/bundles/<owner>/<name>/<base>-<head>.bundle`, written if it is not there.
pub(crate) async fn bundle(
    mirror: &Mirror<'_>,
    state: &Path,
    base: &CommitSha,
    head: &CommitSha,
) -> Result<PathBuf, WorkspaceError> {
    let folder = state.join("bundles").join(mirror.repo.owner()).join(mirror.repo.name());
    let path = folder.join(format!("{base}-{head}.bundle"));
    if path.exists() {
        return Ok(path);
    }
    mirror.need(base).await?;
    mirror.need(head).await?;
    tokio::fs::create_dir_all(&folder).await.map_err(|e| disk(&folder, &e))?;
    // The refs are made in a repository of this call's own: two jobs on one mirror never see each other's.
    let scratch = Scratch::new(mirror.git, state, &mirror.path).await?;
    let refs = format!("create refs/heads/hydra-base {base}\ncreate refs/heads/hydra-head {head}\n");
    mirror.git.at(&scratch.path, &["update-ref", "--stdin"]).input(refs.as_bytes()).run().await?;
    let draft = scratch.path.join("draft.bundle");
    let draft_name = draft.display().to_string();
    let args =
        ["bundle", "create", "--quiet", "--version=2", &draft_name, "refs/heads/hydra-base", "refs/heads/hydra-head"];
    mirror.git.at(&scratch.path, &args).run().await?;
    // A reader sees the whole file or none.
    tokio::fs::rename(&draft, &path).await.map_err(|e| disk(&path, &e))?;
    Ok(path)
}
