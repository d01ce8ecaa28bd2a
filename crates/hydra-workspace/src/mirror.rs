//! The bare mirror of one repository, and the lock under which it is written: of any number of processes, one at a time.

use crate::{
    error::{disk, failed, missing},
    git::Git,
    remote::{Remote, Remotes},
};
use hydra_core::{
    CommitSha, RepoName, TokenRole,
    ports::{WorkspaceError, WorkspaceErrorKind},
};
use nix::fcntl::{Flock, FlockArg};
use sha2::{Digest as _, Sha256};
use std::{
    path::{Path, PathBuf},
    time::Duration,
};

/// Whose token the mirror is read with.
pub(crate) const READER: TokenRole = TokenRole::Orchestrator;
/// How long a writer waits for another.
const LOCK_PATIENCE: Duration = Duration::from_secs(900);

/// A mirror that exists.
pub(crate) struct Mirror<'a> {
    pub(crate) git: &'a Git,
    pub(crate) remotes: &'a dyn Remotes,
    pub(crate) repo: &'a RepoName,
    pub(crate) path: PathBuf,
}

/// The right to write; given back when it is dropped, also by the kernel when the process dies.
pub(crate) struct Writing {
    _lock: Flock<std::fs::File>,
}

impl<'a> Mirror<'a> {
    /// The mirror at `<state>/repos/<owner>/<name>.git`, made if it is not there.
    pub(crate) async fn open(
        git: &'a Git,
        remotes: &'a dyn Remotes,
        state: &Path,
        repo: &'a RepoName,
    ) -> Result<Self, WorkspaceError> {
        let path = state.join("repos").join(repo.owner()).join(format!("{}.git", repo.name()));
        let mirror = Self { git, remotes, repo, path };
        // Written last: a mirror whose initialisation was cut short is initialised again.
        if !mirror.path.join("hydra-ready").exists() {
            tokio::fs::create_dir_all(&mirror.path).await.map_err(|e| disk(&mirror.path, &e))?;
            let _writing = mirror.lock().await?;
            mirror.git.at(&mirror.path, &["init", "--bare", "--quiet", "--template="]).run().await?;
            let mark = mirror.path.join("hydra-ready");
            tokio::fs::write(&mark, b"1\n").await.map_err(|e| disk(&mark, &e))?;
        }
        Ok(mirror)
    }

    /// Waits for the right to write.
    pub(crate) async fn lock(&self) -> Result<Writing, WorkspaceError> {
        let path = self.path.join("hydra.lock");
        let until = tokio::time::Instant::now() + LOCK_PATIENCE;
        loop {
            let file = std::fs::File::options().create(true).append(true).open(&path).map_err(|e| disk(&path, &e))?;
            match Flock::lock(file, FlockArg::LockExclusiveNonblock) {
                Ok(lock) => return Ok(Writing { _lock: lock }),
                Err((_, nix::errno::Errno::EWOULDBLOCK | nix::errno::Errno::EINTR)) => {}
                Err((_, errno)) => return Err(disk(&path, &errno.into())),
            }
            if tokio::time::Instant::now() > until {
                return Err(WorkspaceError {
                    kind: WorkspaceErrorKind::Transient,
                    message: format!("the mirror of {} is being written by another process for too long", self.repo),
                });
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }

    /// The remote, for a role, with its token as of now.
    pub(crate) async fn remote(&self, role: TokenRole) -> Result<Remote, WorkspaceError> {
        Remote::resolve(self.remotes, self.repo, role).await
    }

    /// Whether the mirror holds this commit. A mirror that cannot be read is an error.
    pub(crate) async fn holds(&self, commit: &CommitSha) -> Result<bool, WorkspaceError> {
        // `cat-file -e` ends alike for "absent" and "unreadable"; `--batch-check` tells them apart.
        let line =
            self.git.at(&self.path, &["cat-file", "--batch-check"]).input(commit.as_str().as_bytes()).text().await?;
        match line.split(' ').nth(1) {
            Some("commit") => Ok(true),
            Some("missing") => Ok(false),
            _ => Err(missing(format!("{commit} is not a commit of {}", self.repo))),
        }
    }

    /// Makes sure that the mirror holds a commit, fetching it by its id where it does not.
    pub(crate) async fn need(&self, commit: &CommitSha) -> Result<(), WorkspaceError> {
        if self.holds(commit).await? {
            return Ok(());
        }
        let _writing = self.lock().await?;
        let remote = self.remote(READER).await?;
        self.fetch(&remote, &[format!("+{commit}:refs/hydra/commit/{commit}")]).await.map_err(|e| WorkspaceError {
            message: format!("commit {commit} of {} cannot be fetched: {}", self.repo, e.message),
            kind: e.kind,
        })?;
        if self.holds(commit).await? { Ok(()) } else { Err(missing(format!("{} has no commit {commit}", self.repo))) }
    }

    /// Fetches; the caller holds the lock.
    pub(crate) async fn fetch(&self, remote: &Remote, refspecs: &[String]) -> Result<(), WorkspaceError> {
        let mut args =
            vec!["fetch", "--quiet", "--no-tags", "--no-write-fetch-head", "--no-auto-maintenance", "--", &remote.url];
        args.extend(refspecs.iter().map(String::as_str));
        self.git.at(&self.path, &args).remote(remote).run().await.map(drop)
    }

    /// Where these refs stand at the remote now; absent ones are left out.
    pub(crate) async fn advertised(
        &self,
        remote: &Remote,
        refs: &[&str],
    ) -> Result<std::collections::BTreeMap<String, CommitSha>, WorkspaceError> {
        // A server that answers 200 with something else than git's protocol makes git see a repository without any ref.
        // So that this never passes for an absent branch, one ref that every repository has must be seen as well.
        let mut text = self.list_remote(remote, &[&["HEAD"], refs].concat()).await?;
        if text.is_empty() {
            text = self.list_remote(remote, &[]).await?;
        }
        if text.is_empty() {
            return Err(WorkspaceError {
                kind: WorkspaceErrorKind::Transient,
                message: format!(
                    "the remote of {} shows no ref at all: it is empty, or no git server answered",
                    self.repo
                ),
            });
        }
        let mut found = std::collections::BTreeMap::new();
        for line in text.lines() {
            let Some((id, name)) = line.split_once('\t') else {
                return Err(failed(format!("the remote of {} answered with a line that is no ref", self.repo)));
            };
            // git takes the names as patterns for the end of a ref: `refs/heads/x` also finds `refs/heads/refs/heads/x`.
            if refs.contains(&name) {
                found.insert(name.to_owned(), id.parse().map_err(|e| failed(format!("{}: {e}", self.repo)))?);
            }
        }
        Ok(found)
    }

    async fn list_remote(&self, remote: &Remote, patterns: &[&str]) -> Result<String, WorkspaceError> {
        let args = [&["ls-remote", "--quiet", "--", &remote.url], patterns].concat();
        self.git.at(&self.path, &args).remote(remote).text().await
    }

    /// The mirror's own ref for a branch: flat, so that branches `a` and `a/b` of different days never collide.
    pub(crate) fn tracking(reference: &str) -> String {
        let digest = Sha256::digest(reference.as_bytes());
        let hex: String = digest.iter().take(16).map(|b| format!("{b:02x}")).collect();
        format!("refs/hydra/tip/{hex}")
    }
}
