//! What the forge shows: plain values that the adapters fill and the planner reads.

use crate::{BranchName, CommitSha, IssueKey, IssueNumber, Login, PullNumber, RepoName, Timestamp};
use serde::{Deserialize, Serialize};

/// What an account may do in a repository, from GitHub's `role_name`, ordered.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Permission {
    /// None at all.
    None,
    /// May read.
    Read,
    /// May label.
    Triage,
    /// May push.
    Write,
    /// May change most settings.
    Maintain,
    /// May do everything.
    Admin,
}

/// Open or not.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum IssueState {
    /// Open.
    Open,
    /// Closed.
    Closed,
}

/// A label was set or removed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct LabelEvent {
    /// GitHub's id of the event: grows with time within a repository, and names the request.
    pub id: u64,
    /// The label's name as it was then.
    pub label: String,
    /// Set (true) or removed.
    pub added: bool,
    /// Who did it.
    pub actor: Login,
    /// When.
    pub at: Timestamp,
}

/// A comment of an issue or of a pull request's conversation.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct CommentView {
    /// GitHub's id.
    pub id: u64,
    /// Who wrote it.
    pub author: Login,
    /// The text as stored.
    pub body: String,
    /// When it was written.
    pub created_at: Timestamp,
    /// When it was last changed; equal to `created_at` if never.
    pub updated_at: Timestamp,
}

/// One issue, whole.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct IssueView {
    /// Which.
    pub key: IssueKey,
    /// Open or closed.
    pub state: IssueState,
    /// Title.
    pub title: String,
    /// Body; empty when there is none.
    pub body: String,
    /// Who opened it.
    pub author: Login,
    /// Labels now.
    pub labels: Vec<String>,
    /// Every label event, oldest first.
    pub label_events: Vec<LabelEvent>,
    /// Every comment, oldest first.
    pub comments: Vec<CommentView>,
    /// When title or body were last edited, if ever.
    pub edited_at: Option<Timestamp>,
    /// When anything about it last changed.
    pub updated_at: Timestamp,
    /// Its page.
    pub url: String,
}

/// An issue or pull request as a listing shows it: enough to decide whether a closer look is due.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ListedIssue {
    /// Which.
    pub key: IssueKey,
    /// Open or closed.
    pub state: IssueState,
    /// Title.
    pub title: String,
    /// Labels now.
    pub labels: Vec<String>,
    /// When anything about it last changed.
    pub updated_at: Timestamp,
}

/// An open pull request as a listing shows it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ListedPull {
    /// Number.
    pub number: PullNumber,
    /// Head branch.
    pub head_ref: BranchName,
    /// Head commit.
    pub head: CommitSha,
    /// The repository the head lies in; absent when it was deleted.
    pub head_repo: Option<RepoName>,
    /// Base branch.
    pub base_ref: BranchName,
    /// Draft or not.
    pub draft: bool,
    /// Labels now.
    pub labels: Vec<String>,
    /// When anything about it last changed.
    pub updated_at: Timestamp,
}

/// One listing of a repository: every candidate and every open pull request.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Listing {
    /// Open issues (no pull requests) that carry the asked label.
    pub issues: Vec<ListedIssue>,
    /// Open pull requests.
    pub pulls: Vec<ListedPull>,
}

/// A repository.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct RepoView {
    /// Its name now (a renamed one answers under its new name).
    pub name: RepoName,
    /// The default branch.
    pub default_branch: BranchName,
    /// Private or not.
    pub private: bool,
    /// Archived repositories refuse writes.
    pub archived: bool,
    /// Where git clones it from.
    pub clone_url: String,
    /// The names of all labels.
    pub labels: Vec<RepoLabel>,
}

/// A label of a repository.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct RepoLabel {
    /// Name.
    pub name: String,
    /// Six hexadecimal digits.
    pub color: String,
    /// At most 100 characters.
    pub description: String,
}

/// State of a pull request.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum PullState {
    /// Open.
    Open,
    /// Closed without a merge.
    Closed,
    /// Merged.
    Merged,
}

/// Whether it could be merged.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Mergeable {
    /// Without conflict.
    Clean,
    /// It conflicts with its base.
    Conflicting,
    /// GitHub has not computed it yet: ask again.
    Unknown,
}

/// A submitted review.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ReviewView {
    /// GitHub's id.
    pub id: u64,
    /// Who.
    pub author: Login,
    /// The text.
    pub body: String,
    /// `COMMENTED`, `APPROVED`, `CHANGES_REQUESTED`, `DISMISSED`, `PENDING`.
    pub state: String,
    /// The commit it was written for.
    pub commit: Option<CommitSha>,
    /// When.
    pub submitted_at: Option<Timestamp>,
}

/// State of a commit status (or of a check run, mapped onto it).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum StatusState {
    /// Running.
    Pending,
    /// Good.
    Success,
    /// Bad.
    Failure,
    /// Broken.
    Error,
}

/// The newest status of one context on the head.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct StatusView {
    /// Name.
    pub context: String,
    /// State.
    pub state: StatusState,
    /// One line.
    pub description: String,
    /// Who set it, where the API says so.
    pub creator: Option<Login>,
}

/// A review thread.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ThreadView {
    /// GraphQL node id.
    pub id: String,
    /// Resolved or not.
    pub resolved: bool,
    /// Author of its first comment.
    pub author: Option<Login>,
    /// The file.
    pub path: String,
    /// Body of its first comment.
    pub body: String,
}

/// One pull request, whole.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PullView {
    /// Number.
    pub number: PullNumber,
    /// State.
    pub state: PullState,
    /// Draft or not.
    pub draft: bool,
    /// Title.
    pub title: String,
    /// Body.
    pub body: String,
    /// Who opened it.
    pub author: Login,
    /// Who closed it, where known.
    pub closed_by: Option<Login>,
    /// Head branch.
    pub head_ref: BranchName,
    /// Head commit.
    pub head: CommitSha,
    /// The repository the head lies in.
    pub head_repo: Option<RepoName>,
    /// Base branch.
    pub base_ref: BranchName,
    /// Tip of the base branch as the pull request shows it.
    pub base: CommitSha,
    /// Mergeable or not.
    pub mergeable: Mergeable,
    /// Labels now.
    pub labels: Vec<String>,
    /// Label events, oldest first.
    pub label_events: Vec<LabelEvent>,
    /// Reviews, oldest first.
    pub reviews: Vec<ReviewView>,
    /// Review threads.
    pub threads: Vec<ThreadView>,
    /// Conversation comments, oldest first.
    pub comments: Vec<CommentView>,
    /// Newest status per context on the head, check runs included.
    pub statuses: Vec<StatusView>,
    /// Its page.
    pub url: String,
}

/// A board item.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Card {
    /// The item's node id.
    pub id: String,
    /// The issue on it.
    pub issue: IssueKey,
    /// The value of the status field, if set.
    pub column: Option<String>,
}

/// Who a token belongs to.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct IdentityView {
    /// The login.
    pub login: Login,
    /// The kind of token.
    pub kind: TokenKind,
    /// When it expires, where GitHub says it.
    pub expires_at: Option<Timestamp>,
    /// Scopes of a classic token; empty otherwise.
    pub scopes: Vec<String>,
}

/// Kinds of GitHub tokens, told by their prefix.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum TokenKind {
    /// `github_pat_`.
    FineGrained,
    /// `ghp_`.
    Classic,
    /// `ghs_`: of an App's installation or of Actions.
    Installation,
    /// Anything else.
    Other,
}

/// Points at an issue or pull request in writes that do not care which.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub struct ThreadNumber(pub u64);
impl From<IssueNumber> for ThreadNumber {
    fn from(n: IssueNumber) -> Self {
        Self(n.0)
    }
}
impl From<PullNumber> for ThreadNumber {
    fn from(n: PullNumber) -> Self {
        Self(n.0)
    }
}
