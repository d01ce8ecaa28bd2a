//! The lease of an issue: compare-and-swap on a git ref.

use super::ForgeError;
use crate::{CommitSha, Generation, IssueKey, IssueNumber, RepoName, Timestamp};
use async_trait::async_trait;
use serde::{Deserialize, Serialize};

/// Who holds an issue.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct LeaseRecord {
    /// Version of the record: 1.
    pub schema: u32,
    /// The holder: `instance/host/process`, unique per process start.
    pub owner: String,
    /// The generation that it works on.
    pub generation: Generation,
    /// When it lapses unless renewed.
    pub expires_at: Timestamp,
}

/// A lease as it stands.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Held {
    /// The object the ref points at: what the next swap must name.
    pub oid: CommitSha,
    /// The record in that commit's message.
    pub record: LeaseRecord,
}

/// How a swap ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Swap {
    /// The ref points at this object now (absent: it was deleted).
    Won(Option<CommitSha>),
    /// Somebody else was faster; nothing was changed.
    Lost,
}

/// Leases. Of any number of swaps that name the same `before`, exactly one wins.
/// After a time-out the caller reads before it tries again.
#[async_trait]
pub trait Leases: Send + Sync {
    /// The lease now; `None` only when the ref is certainly absent. An unreadable record is an error of kind `Conflict`.
    async fn read(&self, issue: &IssueKey) -> Result<Option<Held>, ForgeError>;
    /// Issues of a repository whose lease stands, lapsed or not: what somebody has not brought to rest, also when no listing shows it any more.
    async fn standing(&self, repo: &RepoName) -> Result<Vec<IssueNumber>, ForgeError>;
    /// Puts `record` (or removes the ref, when `None`) where `before` stands (or nothing, when `None`).
    async fn swap(
        &self,
        issue: &IssueKey,
        before: Option<&CommitSha>,
        record: Option<&LeaseRecord>,
    ) -> Result<Swap, ForgeError>;
}
