//! Git work on the orchestrator's side: mirrors, bundles, inspection of what a job delivers, guarded pushes.

use crate::{BranchName, CommitSha, Login, RepoName, TokenRole};
use async_trait::async_trait;
use serde::{Deserialize, Serialize};
use std::{collections::BTreeMap, path::PathBuf};

/// What went wrong in git.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{message}")]
pub struct WorkspaceError {
    /// The kind.
    pub kind: WorkspaceErrorKind,
    /// What happened, credentials scrubbed.
    pub message: String,
}

/// Kinds of git errors.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum WorkspaceErrorKind {
    /// The credential was refused.
    Auth,
    /// No such repository, branch or commit.
    Missing,
    /// Network or server trouble: an outage.
    Transient,
    /// No room on the disk, or the state folder cannot be written.
    Disk,
    /// What a job delivered is not acceptable as git data (no bundle, wrong base, corrupt objects).
    Refused,
    /// Anything else.
    Failed,
}

/// One changed file between two commits.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct FileChange {
    /// Path now (for a removal: the path it had).
    pub path: String,
    /// Path before, when it was renamed.
    pub from: Option<String>,
    /// `A`, `M`, `D`, `R`, `T`.
    pub status: char,
    /// Git's mode now: `100644`, `100755`, `120000` (link), `160000` (submodule), `000000` (removed).
    pub mode: String,
    /// Link target, for a link.
    pub link: Option<String>,
    /// Size now, in bytes.
    pub bytes: u64,
    /// Lines added and removed; absent for binary files.
    pub lines: Option<(u32, u32)>,
    /// Binary or not.
    pub binary: bool,
}

/// What lies between two commits.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Diff {
    /// Changed files, by path.
    pub files: Vec<FileChange>,
    /// The unified diff, cut to 2 MB; `truncated` says so.
    pub patch: String,
    /// Whether `patch` was cut.
    pub truncated: bool,
}

/// A commit that a job delivered.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct DeliveredCommit {
    /// Id.
    pub sha: CommitSha,
    /// Parents.
    pub parents: Vec<CommitSha>,
    /// `Name <email>` of the author.
    pub author: String,
    /// The message.
    pub message: String,
    /// What it changes, against its first parent: whoever fetches the branch gets this commit too, also where a later one takes it back.
    pub diff: Diff,
}

/// A bundle, taken apart in a quarantine where nothing of it can run or be reached.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Delivery {
    /// The commit that it brings as the branch's head.
    pub head: CommitSha,
    /// Refs that the bundle names.
    pub refs: BTreeMap<String, CommitSha>,
    /// Commits from the expected parent (excluded) to `head`, oldest first.
    pub commits: Vec<DeliveredCommit>,
    /// Whether `head` descends from the expected parent.
    pub descends: bool,
    /// From the expected parent to `head`.
    pub diff: Diff,
    /// Size of the bundle in bytes.
    pub bytes: u64,
}

/// Tips of the branches that matter.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Tips {
    /// Tip of the base branch.
    pub base: CommitSha,
    /// Tip of the work branch, if it exists.
    pub head: Option<CommitSha>,
}

/// How a push ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Pushed {
    /// The branch points at the commit now.
    Done,
    /// It did already.
    AlreadyThere,
    /// The branch stands elsewhere than expected: nothing was changed.
    Moved(Option<CommitSha>),
}

/// Git work. Every call takes what it needs by id, never by what a working copy happens to hold.
#[async_trait]
pub trait Workspace: Send + Sync {
    /// Fetches both branches into the mirror and returns their tips. A failed fetch is an error, never an absent branch.
    async fn tips(&self, repo: &RepoName, base: &BranchName, head: &BranchName) -> Result<Tips, WorkspaceError>;
    /// The files below `path` (a folder or one file) at a commit, by path relative to it; empty when it is not there. Links are left out. At most 1,000 files and 20 MB, else `Refused`.
    async fn read(
        &self,
        repo: &RepoName,
        at: &CommitSha,
        path: &str,
    ) -> Result<BTreeMap<String, Vec<u8>>, WorkspaceError>;
    /// Writes a bundle with `base` and `head` (refs `refs/heads/hydra-base` and `refs/heads/hydra-head`) and returns its path; the same ids give the same file.
    async fn bundle(&self, repo: &RepoName, base: &CommitSha, head: &CommitSha) -> Result<PathBuf, WorkspaceError>;
    /// Takes a delivered bundle apart. `parent` is the head that the job was given.
    async fn inspect(&self, repo: &RepoName, parent: &CommitSha, bundle: &[u8]) -> Result<Delivery, WorkspaceError>;
    /// Moves `branch` from `expected` (`None`: absent) to `to` (`None`: deletes it), with the role's token, by compare-and-swap.
    async fn push(
        &self,
        repo: &RepoName,
        branch: &BranchName,
        expected: Option<&CommitSha>,
        to: Option<&CommitSha>,
        role: TokenRole,
    ) -> Result<Pushed, WorkspaceError>;
    /// What lies between two commits that the mirror holds (fetched by id where it does not), with the merge base of the two as the start; and whether merging `to` into `from` conflicts.
    async fn diff(&self, repo: &RepoName, from: &CommitSha, to: &CommitSha) -> Result<(Diff, bool), WorkspaceError>;
}

/// Who a commit is written as.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Author {
    /// Display name.
    pub name: String,
    /// E-mail.
    pub email: String,
    /// The forge account, where known.
    pub login: Option<Login>,
}
