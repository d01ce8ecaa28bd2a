//! The forge: what is read of it, and the closed list of what is written to it.

use crate::{
    BranchName, CommitSha, Generation, IssueKey, Login, PullNumber, RepoName, Timestamp, TokenRole,
    view::{IdentityView, IssueView, Listing, Permission, PullView, RepoLabel, RepoView, StatusState, ThreadNumber},
};
use async_trait::async_trait;
use serde::{Deserialize, Serialize};

/// What went wrong at the forge. A failure never looks like an absence.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{message}{}", hint.as_ref().map(|h| format!(" ({h})")).unwrap_or_default())]
pub struct ForgeError {
    /// The kind.
    pub kind: ForgeErrorKind,
    /// What happened: method, path, status, GitHub's message. Never a token.
    pub message: String,
    /// What to do about it.
    pub hint: Option<String>,
}

/// Kinds of forge errors.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum ForgeErrorKind {
    /// 401: the token is invalid or expired.
    Auth,
    /// 403 or a 404 that means it: the token may not.
    Permission,
    /// 404, 410: it is not there.
    Missing,
    /// 409, 422, 405: the state does not allow it.
    Conflict,
    /// Primary or secondary rate limit: wait until then.
    LimitedUntil(Timestamp),
    /// 5xx, time-outs, broken connections, HTML instead of JSON: an outage.
    Transient,
    /// The answer does not have the promised shape.
    Malformed,
}

/// What a forge is read for. Reads are complete (all pages) or an error.
#[async_trait]
pub trait Forge: Send + Sync {
    /// Who the role's token belongs to. `Missing` when the role has no token.
    async fn identity(&self, role: TokenRole) -> Result<IdentityView, ForgeError>;
    /// The repository with its labels.
    async fn repository(&self, repo: &RepoName) -> Result<RepoView, ForgeError>;
    /// Open issues with `label` and all open pull requests.
    async fn listing(&self, repo: &RepoName, label: &str) -> Result<Listing, ForgeError>;
    /// One issue, whole. `Missing` when it is not there or is a pull request.
    async fn issue(&self, issue: &IssueKey) -> Result<IssueView, ForgeError>;
    /// Pull requests of the repository itself: by head branch (every state, newest first) or by number.
    async fn pulls(&self, repo: &RepoName, which: &PullQuery) -> Result<Vec<PullView>, ForgeError>;
    /// What an account may do in the repository now.
    async fn permission(&self, repo: &RepoName, login: &Login) -> Result<Permission, ForgeError>;
}

/// Which pull requests.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum PullQuery {
    /// Those whose head is this branch.
    Head(BranchName),
    /// This one.
    Number(PullNumber),
}

/// Writes to the forge. Each is looked up by its natural key first, and is safe to repeat.
#[async_trait]
pub trait ForgeWriter: Send + Sync {
    /// Makes the write unless it is there already.
    async fn apply(&self, role: TokenRole, write: &ForgeWrite) -> Result<Applied, ForgeError>;
    /// Whether the role's token may push to the repository (git receive-pack advertisement), read only.
    async fn may_push(&self, role: TokenRole, repo: &RepoName) -> Result<bool, ForgeError>;
}

/// What a write did.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Applied {
    /// It was made; the number or id that the forge gave it, where it gives one.
    Made(Option<u64>),
    /// It was there already, as asked: nothing was sent.
    AlreadyThere(Option<u64>),
}

/// The purpose and generation that make a comment, review or pull request findable: written as a hidden HTML comment,
/// `<!-- hydra:<purpose> g<generation> <key> -->`.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Marker {
    /// `status`, `rfi`, `verdict`, `pull`, `note`, `single-identity` …
    pub purpose: String,
    /// The generation.
    pub generation: Generation,
    /// What tells two of one purpose and generation apart (a head's first 12 digits and a stage, say); may be empty.
    pub key: String,
}
impl std::fmt::Display for Marker {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(
            f,
            "<!-- hydra:{} g{}{}{} -->",
            self.purpose,
            self.generation,
            if self.key.is_empty() { "" } else { " " },
            self.key
        )
    }
}

/// An inline comment of a review.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct InlineComment {
    /// File of the diff.
    pub path: String,
    /// Line in the new file.
    pub line: u32,
    /// Text.
    pub body: String,
}

/// Everything that Hydra ever writes to a forge. The doc comment of each names its natural key.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "write", rename_all = "snake_case")]
pub enum ForgeWrite {
    /// Key: each label by itself. Only effective changes are sent.
    Labels {
        /// The repository.
        repo: RepoName,
        /// Issue or pull request.
        number: ThreadNumber,
        /// To set.
        add: Vec<String>,
        /// To remove.
        remove: Vec<String>,
    },
    /// Key: the marker, among comments written by this very identity. Edited in place when the text differs.
    Comment {
        /// The repository.
        repo: RepoName,
        /// Issue or pull request.
        number: ThreadNumber,
        /// The key.
        marker: Marker,
        /// The text, without the marker (the adapter puts it first).
        body: String,
    },
    /// Key: (head, base) and the marker in the body, among pull requests in any state. A closed one with the marker is `AlreadyThere`. Opened as draft; where drafts are not to be had (422), opened as ready and said so in the title's prefix `[draft] `.
    OpenPull {
        /// The repository.
        repo: RepoName,
        /// Head branch.
        head: BranchName,
        /// Base branch.
        base: BranchName,
        /// Title.
        title: String,
        /// The key.
        marker: Marker,
        /// The text, without the marker.
        body: String,
    },
    /// Key: the number; nothing is sent when title and body are as asked.
    EditPull {
        /// The repository.
        repo: RepoName,
        /// Which.
        number: PullNumber,
        /// Title.
        title: String,
        /// The marker in its body.
        marker: Marker,
        /// The text, without the marker.
        body: String,
    },
    /// Key: the number and its state.
    ClosePull {
        /// The repository.
        repo: RepoName,
        /// Which.
        number: PullNumber,
    },
    /// Key: the marker, among reviews by this very identity. Event COMMENT always. An inline comment off the diff goes into the body.
    Review {
        /// The repository.
        repo: RepoName,
        /// Which.
        number: PullNumber,
        /// The commit it is for.
        commit: CommitSha,
        /// The key.
        marker: Marker,
        /// The text.
        body: String,
        /// Inline comments.
        comments: Vec<InlineComment>,
    },
    /// Key: (commit, context); nothing is sent when the newest has the same state and description. A check run of the same name where the identity is an App.
    Status {
        /// The repository.
        repo: RepoName,
        /// The commit.
        commit: CommitSha,
        /// Its name.
        context: String,
        /// State.
        state: StatusState,
        /// One line, at most 140 characters.
        description: String,
        /// A page.
        url: Option<String>,
    },
    /// Key: the number and whether it is a draft.
    MarkReady {
        /// The repository.
        repo: RepoName,
        /// Which.
        number: PullNumber,
    },
    /// Key: the thread and whether it is resolved.
    ResolveThread {
        /// The repository.
        repo: RepoName,
        /// Which pull request.
        number: PullNumber,
        /// GraphQL id.
        thread: String,
    },
    /// Key: the number; pinned to the head, `Conflict` when it moved or may not be merged.
    Merge {
        /// The repository.
        repo: RepoName,
        /// Which.
        number: PullNumber,
        /// The head that was judged.
        head: CommitSha,
    },
    /// Key: the name, without regard to case; colour and description are brought in line.
    DefineLabel {
        /// The repository.
        repo: RepoName,
        /// The label.
        label: RepoLabel,
    },
}
