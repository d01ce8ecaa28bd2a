//! A repository for one task: empty, sees the mirror's objects, gone afterwards.

use crate::{error::disk, git::Git};
use hydra_core::ports::WorkspaceError;
use std::{
    path::{Path, PathBuf},
    sync::atomic::{AtomicU64, Ordering},
};

static COUNT: AtomicU64 = AtomicU64::new(0);

/// A bare repository whose folder is removed when this is dropped.
pub(crate) struct Scratch {
    pub(crate) path: PathBuf,
}

impl Scratch {
    /// A repository in `<state>/quarantine` that borrows the objects of `mirror`.
    pub(crate) async fn new(git: &Git, state: &Path, mirror: &Path) -> Result<Self, WorkspaceError> {
        let folder = state.join("quarantine");
        tokio::fs::create_dir_all(&folder).await.map_err(|e| disk(&folder, &e))?;
        // Process numbers repeat (each container has a 1): whoever makes the folder has it, a left-over is never used.
        let scratch = loop {
            let name = format!("{}-{}.git", std::process::id(), COUNT.fetch_add(1, Ordering::Relaxed));
            let path = folder.join(name);
            match tokio::fs::create_dir(&path).await {
                Ok(()) => break Self { path },
                Err(e) if e.kind() == std::io::ErrorKind::AlreadyExists => {}
                Err(e) => return Err(disk(&path, &e)),
            }
        };
        git.at(&scratch.path, &["init", "--bare", "--quiet", "--template="]).run().await?;
        let shared = scratch.path.join("objects/info");
        tokio::fs::create_dir_all(&shared).await.map_err(|e| disk(&shared, &e))?;
        let objects = mirror.join("objects");
        let objects = tokio::fs::canonicalize(&objects).await.map_err(|e| disk(&objects, &e))?;
        let file = shared.join("alternates");
        let line = format!("{}\n", objects.display());
        tokio::fs::write(&file, line).await.map_err(|e| disk(&file, &e))?;
        Ok(scratch)
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        if let Err(error) = std::fs::remove_dir_all(&self.path)
            && error.kind() != std::io::ErrorKind::NotFound
        {
            tracing::warn!(path = %self.path.display(), %error, "a quarantine folder could not be removed");
        }
    }
}
