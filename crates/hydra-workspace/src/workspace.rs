//! The port, wired to one file per task.

use crate::{bundle, diff, git::Git, inspect, mirror::Mirror, push, read, remote::Remotes, tips};
use async_trait::async_trait;
use hydra_core::{
    BranchName, CommitSha, RepoName, TokenRole,
    ports::{Delivery, Diff, Pushed, Tips, Workspace, WorkspaceError},
};
use std::{collections::BTreeMap, ffi::OsString, path::PathBuf, sync::Arc};

/// Where git is looked for unless the caller says otherwise.
const PATH: &str = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin:/opt/homebrew/bin";

/// Hydra's workspace on the `git` command (2.38 or newer).
///
/// Below the state folder it keeps `repos/` (bare mirrors), `bundles/` (what jobs are given), `quarantine/` (while a
/// delivery is taken apart) and `git-home/` (an empty home folder). All of it can be deleted while Hydra is not running.
pub struct GitWorkspace {
    state: PathBuf,
    git: Git,
    remotes: Arc<dyn Remotes>,
}

impl GitWorkspace {
    /// A workspace below `state`, which is made when it is first needed.
    pub fn new(state: impl Into<PathBuf>, remotes: Arc<dyn Remotes>) -> Self {
        let state: PathBuf = state.into();
        // git runs in a folder of its own: a relative path would mean another place there.
        let state = std::path::absolute(&state).unwrap_or(state);
        let git = Git::new("git".into(), state.join("git-home"), vec![("PATH".into(), PATH.into())]);
        Self { state, git, remotes }
    }

    /// The whole environment that git starts with (`PATH`, proxies, certificate files): nothing else is inherited.
    #[must_use]
    pub fn with_environment(mut self, variables: Vec<(OsString, OsString)>) -> Self {
        self.git = Git::new("git".into(), self.state.join("git-home"), variables);
        self
    }

    /// Removes bundles and left-over quarantines that nobody touched for so long; how many. A bundle that is needed again is
    /// written again.
    ///
    /// # Errors
    /// When the state folder cannot be read or written.
    pub fn sweep(&self, untouched: std::time::Duration) -> Result<usize, WorkspaceError> {
        crate::sweep::sweep(&self.state, untouched)
    }

    /// What [`GitWorkspace::sweep`] would remove.
    ///
    /// # Errors
    /// When the state folder cannot be read.
    pub fn stale(&self, untouched: std::time::Duration) -> Result<Vec<PathBuf>, WorkspaceError> {
        crate::sweep::stale(&self.state, untouched)
    }

    async fn mirror<'a>(&'a self, repo: &'a RepoName) -> Result<Mirror<'a>, WorkspaceError> {
        Mirror::open(&self.git, self.remotes.as_ref(), &self.state, repo).await
    }
}

#[async_trait]
impl Workspace for GitWorkspace {
    async fn tips(&self, repo: &RepoName, base: &BranchName, head: &BranchName) -> Result<Tips, WorkspaceError> {
        tips::tips(&self.mirror(repo).await?, base, head).await
    }
    async fn read(
        &self,
        repo: &RepoName,
        at: &CommitSha,
        path: &str,
    ) -> Result<BTreeMap<String, Vec<u8>>, WorkspaceError> {
        read::read(&self.mirror(repo).await?, at, path).await
    }
    async fn bundle(&self, repo: &RepoName, base: &CommitSha, head: &CommitSha) -> Result<PathBuf, WorkspaceError> {
        bundle::bundle(&self.mirror(repo).await?, &self.state, base, head).await
    }
    async fn inspect(&self, repo: &RepoName, parent: &CommitSha, bundle: &[u8]) -> Result<Delivery, WorkspaceError> {
        inspect::inspect(&self.mirror(repo).await?, &self.state, parent, bundle).await
    }
    async fn push(
        &self,
        repo: &RepoName,
        branch: &BranchName,
        expected: Option<&CommitSha>,
        to: Option<&CommitSha>,
        role: TokenRole,
    ) -> Result<Pushed, WorkspaceError> {
        push::push(&self.mirror(repo).await?, branch, expected, to, role).await
    }
    async fn diff(&self, repo: &RepoName, from: &CommitSha, to: &CommitSha) -> Result<(Diff, bool), WorkspaceError> {
        diff::since_fork(&self.mirror(repo).await?, &self.state, from, to).await
    }
}
