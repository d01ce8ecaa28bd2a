//! What the simulator keeps: plain records, cloned out to tests as they are.

use jiff::Timestamp;
use std::collections::BTreeMap;

/// Kinds of accounts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum AccountKind {
    /// A person or a machine account.
    User,
    /// An organisation.
    Organization,
    /// An App's bot, `name[bot]`.
    Bot,
}

/// An account.
#[derive(Debug, Clone)]
pub struct Account {
    /// Number.
    pub id: u64,
    /// Login.
    pub login: String,
    /// Kind.
    pub kind: AccountKind,
    /// Since when.
    pub created_at: Timestamp,
}

/// A label that a repository defines.
#[derive(Debug, Clone)]
pub struct Label {
    /// Number.
    pub id: u64,
    /// Name, compared without regard to case.
    pub name: String,
    /// Six hexadecimal digits.
    pub color: String,
    /// At most 100 characters.
    pub description: Option<String>,
}

/// A comment of a conversation.
#[derive(Debug, Clone)]
pub struct Comment {
    /// Number.
    pub id: u64,
    /// Login of the author.
    pub author: String,
    /// Text.
    pub body: String,
    /// When written.
    pub created_at: Timestamp,
    /// When last changed.
    pub updated_at: Timestamp,
    /// Its edits, oldest first.
    pub edits: Vec<Edit>,
}

/// One edit of a body or title.
#[derive(Debug, Clone)]
pub struct Edit {
    /// Number.
    pub id: u64,
    /// Who.
    pub editor: String,
    /// When.
    pub at: Timestamp,
    /// The text after it.
    pub text: String,
}

/// Something that happened to an issue or pull request.
#[derive(Debug, Clone)]
pub struct Event {
    /// Number; grows with time.
    pub id: u64,
    /// GitHub's name: `labeled`, `unlabeled`, `closed`, `reopened`, `renamed`, `merged`, `ready_for_review`, `converted_to_draft`.
    pub event: String,
    /// Login.
    pub actor: String,
    /// When.
    pub at: Timestamp,
    /// Label name and colour, for the two label events.
    pub label: Option<(String, String)>,
    /// Old and new title, for `renamed`.
    pub rename: Option<(String, String)>,
    /// Commit, for `merged`.
    pub commit: Option<String>,
}

/// An issue, or the issue half of a pull request.
#[derive(Debug, Clone)]
pub struct Issue {
    /// Number within GitHub.
    pub id: u64,
    /// Number within the repository.
    pub number: u64,
    /// Title.
    pub title: String,
    /// Body.
    pub body: Option<String>,
    /// Login.
    pub author: String,
    /// Open or not.
    pub open: bool,
    /// `completed`, `not_planned`, `reopened`.
    pub state_reason: Option<String>,
    /// Names of its labels, in order of setting.
    pub labels: Vec<String>,
    /// Comments, oldest first.
    pub comments: Vec<Comment>,
    /// Events, oldest first.
    pub events: Vec<Event>,
    /// Edits of the body, oldest first.
    pub edits: Vec<Edit>,
    /// When opened.
    pub created_at: Timestamp,
    /// When anything last changed.
    pub updated_at: Timestamp,
    /// When closed.
    pub closed_at: Option<Timestamp>,
    /// Who closed it.
    pub closed_by: Option<String>,
    /// A deleted issue answers 410.
    pub deleted: bool,
    /// The pull-request half.
    pub pull: Option<Pull>,
}

/// The pull-request half.
#[derive(Debug, Clone)]
pub struct Pull {
    /// Number within GitHub.
    pub id: u64,
    /// Head branch, in the same repository.
    pub head_ref: String,
    /// Head commit as last seen.
    pub head: String,
    /// Base branch.
    pub base_ref: String,
    /// Base commit as last seen.
    pub base: String,
    /// Draft or not.
    pub draft: bool,
    /// When merged.
    pub merged_at: Option<Timestamp>,
    /// By whom.
    pub merged_by: Option<String>,
    /// The commit that merged it.
    pub merge_commit: Option<String>,
    /// Reviews, oldest first.
    pub reviews: Vec<Review>,
    /// Threads, oldest first.
    pub threads: Vec<Thread>,
    /// Whether `mergeable` was asked for since head or base moved.
    pub(crate) mergeable_asked: Option<(String, String)>,
}

/// A review.
#[derive(Debug, Clone)]
pub struct Review {
    /// Number.
    pub id: u64,
    /// Login.
    pub author: String,
    /// Text.
    pub body: String,
    /// `PENDING`, `COMMENTED`, `APPROVED`, `CHANGES_REQUESTED`, `DISMISSED`.
    pub state: String,
    /// Commit it was written for.
    pub commit: String,
    /// When it was submitted; absent while pending.
    pub submitted_at: Option<Timestamp>,
}

/// A thread on a line.
#[derive(Debug, Clone)]
pub struct Thread {
    /// Number.
    pub id: u64,
    /// Who resolved it.
    pub resolved_by: Option<String>,
    /// File.
    pub path: String,
    /// Line in the new file; absent for a thread on the whole file.
    pub line: Option<u64>,
    /// First line, for a range.
    pub start_line: Option<u64>,
    /// Its comments; the first made the thread.
    pub comments: Vec<ReviewComment>,
}

/// An inline comment.
#[derive(Debug, Clone)]
pub struct ReviewComment {
    /// Number.
    pub id: u64,
    /// The review it came with.
    pub review: u64,
    /// Login.
    pub author: String,
    /// Text.
    pub body: String,
    /// Commit.
    pub commit: String,
    /// The hunk it hangs on.
    pub diff_hunk: String,
    /// When written.
    pub created_at: Timestamp,
    /// When last changed.
    pub updated_at: Timestamp,
}

/// A commit status.
#[derive(Debug, Clone)]
pub struct Status {
    /// Number.
    pub id: u64,
    /// Commit.
    pub sha: String,
    /// `pending`, `success`, `failure`, `error`.
    pub state: String,
    /// Name.
    pub context: String,
    /// One line.
    pub description: Option<String>,
    /// Page.
    pub target_url: Option<String>,
    /// Login.
    pub creator: String,
    /// When.
    pub created_at: Timestamp,
}

/// A check run.
#[derive(Debug, Clone)]
pub struct CheckRun {
    /// Number.
    pub id: u64,
    /// Commit.
    pub sha: String,
    /// Name.
    pub name: String,
    /// `queued`, `in_progress`, `completed`.
    pub status: String,
    /// Result, once completed.
    pub conclusion: Option<String>,
    /// The integrator's own id.
    pub external_id: Option<String>,
    /// Page.
    pub details_url: Option<String>,
    /// Title of the output.
    pub title: Option<String>,
    /// Summary of the output.
    pub summary: Option<String>,
    /// Text of the output.
    pub text: Option<String>,
    /// The App's bot that made it.
    pub app: String,
    /// When it began.
    pub started_at: Option<Timestamp>,
    /// When it ended.
    pub completed_at: Option<Timestamp>,
}

/// A Projects v2 board with one single-select field, `Status`.
#[derive(Debug, Clone)]
pub struct Board {
    /// Number within GitHub.
    pub id: u64,
    /// Number within its owner.
    pub number: u64,
    /// Login of its organisation.
    pub owner: String,
    /// Title.
    pub title: String,
    /// Id of the status field.
    pub field: u64,
    /// Option id (eight hexadecimal digits) and name, in order.
    pub options: Vec<(String, String)>,
    /// Items, oldest first.
    pub cards: Vec<Card>,
    /// When made.
    pub created_at: Timestamp,
}

/// An item of a board.
#[derive(Debug, Clone)]
pub struct Card {
    /// Number.
    pub id: u64,
    /// `owner/name`.
    pub repo: String,
    /// Issue or pull request.
    pub number: u64,
    /// Name of the status, if set.
    pub status: Option<String>,
    /// When put on the board.
    pub created_at: Timestamp,
    /// When last moved.
    pub updated_at: Timestamp,
    /// Shown as REDACTED to everybody, as an item is that the viewer may not see.
    pub redacted: bool,
}

/// A repository.
#[derive(Debug)]
pub(crate) struct Repo {
    pub id: u64,
    pub owner: String,
    pub name: String,
    pub private: bool,
    pub archived: bool,
    pub default_branch: String,
    pub drafts: bool,
    pub git: super::git::GitDir,
    /// Refs as last read from the bare repository.
    pub refs: BTreeMap<String, String>,
    pub labels: Vec<Label>,
    pub issues: BTreeMap<u64, Issue>,
    pub statuses: Vec<Status>,
    pub checks: Vec<CheckRun>,
    pub roles: BTreeMap<String, hydra_core::view::Permission>,
    /// Branch to required contexts.
    pub protected: BTreeMap<String, Vec<String>>,
    pub created_at: Timestamp,
    pub pushed_at: Timestamp,
    pub updated_at: Timestamp,
    pub next_number: u64,
}

impl Repo {
    pub(crate) fn full_name(&self) -> String {
        format!("{}/{}", self.owner, self.name)
    }
}
