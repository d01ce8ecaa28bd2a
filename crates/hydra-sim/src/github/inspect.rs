//! What a test sees of the state, without HTTP and without a trace in the log.

use super::{Board, CheckRun, Issue, Label, Sim, Status, git::GitError};
use std::collections::BTreeMap;

impl Sim {
    /// An issue or pull request.
    #[must_use]
    pub fn issue(&self, repo: &str, number: u64) -> Option<Issue> {
        self.inner.world().thread(repo, number).ok().cloned()
    }

    /// All issues (without pull requests), by number.
    #[must_use]
    pub fn issues(&self, repo: &str) -> Vec<Issue> {
        self.threads(repo, |i| i.pull.is_none())
    }

    /// All pull requests, by number; [`Issue::pull`] is set.
    #[must_use]
    pub fn pulls(&self, repo: &str) -> Vec<Issue> {
        self.threads(repo, |i| i.pull.is_some())
    }

    fn threads(&self, repo: &str, keep: impl Fn(&Issue) -> bool) -> Vec<Issue> {
        let world = self.inner.world();
        world.repo(repo).map(|r| r.issues.values().filter(|i| keep(i)).cloned().collect()).unwrap_or_default()
    }

    /// The labels that the repository defines.
    #[must_use]
    pub fn labels(&self, repo: &str) -> Vec<Label> {
        self.inner.world().repo(repo).map(|r| r.labels.clone()).unwrap_or_default()
    }

    /// Every status ever set on a commit, oldest first.
    #[must_use]
    pub fn statuses(&self, repo: &str, sha: &str) -> Vec<Status> {
        let world = self.inner.world();
        let of = |r: &super::records::Repo| r.statuses.iter().filter(|s| s.sha == sha).cloned().collect();
        world.repo(repo).map(of).unwrap_or_default()
    }

    /// The check runs of a commit.
    #[must_use]
    pub fn check_runs(&self, repo: &str, sha: &str) -> Vec<CheckRun> {
        let world = self.inner.world();
        let of = |r: &super::records::Repo| r.checks.iter().filter(|s| s.sha == sha).cloned().collect();
        world.repo(repo).map(of).unwrap_or_default()
    }

    /// All refs.
    #[must_use]
    pub fn refs(&self, repo: &str) -> BTreeMap<String, String> {
        self.inner.world().repo(repo).map(|r| r.refs.clone()).unwrap_or_default()
    }

    /// Where a branch stands.
    #[must_use]
    pub fn branch(&self, repo: &str, branch: &str) -> Option<String> {
        self.refs(repo).remove(&format!("refs/heads/{branch}"))
    }

    /// A board with its cards.
    #[must_use]
    pub fn board_state(&self, org: &str, number: u64) -> Option<Board> {
        let world = self.inner.world();
        world.boards.iter().find(|b| b.owner.eq_ignore_ascii_case(org) && b.number == number).cloned()
    }

    /// The bytes of a file at a commit or branch.
    #[must_use]
    pub fn file(&self, repo: &str, at: &str, path: &str) -> Option<Vec<u8>> {
        let world = self.inner.world();
        world.repo(repo).ok()?.git.blob(at, path).map(|(_, bytes)| bytes)
    }

    /// Runs a git command on the bare repository and returns its output.
    ///
    /// # Errors
    /// When git fails, or there is no such repository.
    pub fn git(&self, repo: &str, args: &[&str]) -> Result<String, GitError> {
        let world = self.inner.world();
        let missing = |_| GitError { command: "-".into(), message: format!("no repository {repo}") };
        let output = world.repo(repo).map_err(missing)?.git.run(args, b"")?;
        Ok(String::from_utf8_lossy(&output).into_owned())
    }

    /// The bare repository's folder.
    #[must_use]
    pub fn git_dir(&self, repo: &str) -> Option<std::path::PathBuf> {
        self.inner.world().repo(repo).ok().map(|r| r.git.path().to_owned())
    }
}
