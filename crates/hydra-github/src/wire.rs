//! GitHub's answers as they come over the wire: only the fields that are read.

use hydra_core::Timestamp;
use serde::{Deserialize, Deserializer, Serialize, de::IgnoredAny};

/// An error in a GraphQL answer.
#[derive(Debug, Clone, Deserialize)]
pub(crate) struct GraphError {
    #[serde(rename = "type")]
    pub(crate) kind: Option<String>,
    #[serde(default)]
    pub(crate) message: String,
}

/// A GraphQL list with its place in the whole.
#[derive(Debug, Clone, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Connection<T> {
    pub(crate) nodes: Vec<T>,
    pub(crate) page_info: PageInfo,
}

#[derive(Debug, Clone, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct PageInfo {
    pub(crate) has_next_page: bool,
    pub(crate) end_cursor: Option<String>,
}

/// A GraphQL actor: bots lack the suffix that REST gives them.
#[derive(Debug, Clone, Deserialize)]
pub(crate) struct Actor {
    #[serde(rename = "__typename")]
    pub(crate) typename: String,
    pub(crate) login: String,
}

#[derive(Debug, Clone, Deserialize)]
pub(crate) struct Named {
    pub(crate) name: String,
}

#[derive(Debug, Clone, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct GraphComment {
    #[serde(deserialize_with = "big")]
    pub(crate) full_database_id: u64,
    pub(crate) body: String,
    pub(crate) created_at: Timestamp,
    pub(crate) updated_at: Timestamp,
    pub(crate) author: Option<Actor>,
}

#[derive(Debug, Clone, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct GraphIssue {
    pub(crate) title: String,
    pub(crate) body: String,
    pub(crate) state: String,
    pub(crate) url: String,
    pub(crate) updated_at: Timestamp,
    pub(crate) last_edited_at: Option<Timestamp>,
    pub(crate) author: Option<Actor>,
    pub(crate) labels: Option<Connection<Named>>,
    pub(crate) comments: Connection<GraphComment>,
}

#[derive(Debug, Clone, Deserialize)]
pub(crate) struct Oid {
    pub(crate) oid: String,
}

#[derive(Debug, Clone, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct FullName {
    pub(crate) name_with_owner: String,
}

#[derive(Debug, Clone, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct GraphReview {
    #[serde(deserialize_with = "big")]
    pub(crate) full_database_id: u64,
    pub(crate) body: String,
    pub(crate) state: String,
    pub(crate) submitted_at: Option<Timestamp>,
    pub(crate) commit: Option<Oid>,
    pub(crate) author: Option<Actor>,
}

#[derive(Debug, Clone, Deserialize)]
pub(crate) struct ThreadComment {
    pub(crate) body: String,
    pub(crate) author: Option<Actor>,
}

#[derive(Debug, Clone, Deserialize)]
pub(crate) struct Nodes<T> {
    pub(crate) nodes: Vec<T>,
}

#[derive(Debug, Clone, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct GraphThread {
    pub(crate) id: String,
    pub(crate) is_resolved: bool,
    pub(crate) path: String,
    pub(crate) comments: Nodes<ThreadComment>,
}

#[derive(Debug, Clone, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct GraphPull {
    pub(crate) number: u64,
    pub(crate) title: String,
    pub(crate) body: String,
    pub(crate) state: String,
    pub(crate) is_draft: bool,
    pub(crate) url: String,
    pub(crate) mergeable: String,
    pub(crate) head_ref_name: String,
    pub(crate) head_ref_oid: String,
    pub(crate) base_ref_name: String,
    pub(crate) base_ref_oid: String,
    pub(crate) head_repository: Option<FullName>,
    pub(crate) author: Option<Actor>,
    pub(crate) labels: Option<Connection<Named>>,
    pub(crate) comments: Connection<GraphComment>,
    pub(crate) reviews: Option<Connection<GraphReview>>,
    pub(crate) review_threads: Connection<GraphThread>,
}

#[derive(Debug, Clone, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct PullNumberNode {
    pub(crate) number: u64,
    pub(crate) head_repository: Option<FullName>,
}

#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct User {
    pub(crate) login: String,
}

#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct Label {
    pub(crate) name: String,
    #[serde(default)]
    pub(crate) color: String,
    pub(crate) description: Option<String>,
}

#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct Repository {
    pub(crate) full_name: String,
    pub(crate) default_branch: String,
    pub(crate) private: bool,
    #[serde(default)]
    pub(crate) archived: bool,
    pub(crate) clone_url: String,
}

#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct Issue {
    pub(crate) number: u64,
    pub(crate) state: String,
    pub(crate) title: String,
    #[serde(default)]
    pub(crate) labels: Vec<IssueLabel>,
    pub(crate) updated_at: Timestamp,
    pub(crate) pull_request: Option<Something>,
}

/// Something is there, whatever it is.
#[derive(Debug, Clone, Copy, Serialize)]
pub(crate) struct Something {}

impl<'de> Deserialize<'de> for Something {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        IgnoredAny::deserialize(from).map(|_| Self {})
    }
}

/// GitHub's description allows a label of an issue to be a bare name.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(untagged)]
pub(crate) enum IssueLabel {
    Name(String),
    Object { name: String },
}
impl IssueLabel {
    pub(crate) fn into_name(self) -> String {
        match self {
            Self::Name(name) | Self::Object { name } => name,
        }
    }
}

#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct PullEnd {
    #[serde(rename = "ref")]
    pub(crate) name: String,
    pub(crate) sha: String,
    pub(crate) repo: Option<PullRepo>,
}

#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct PullRepo {
    pub(crate) full_name: String,
}

#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct Pull {
    pub(crate) number: u64,
    pub(crate) node_id: String,
    pub(crate) state: String,
    pub(crate) title: String,
    pub(crate) body: Option<String>,
    #[serde(default)]
    pub(crate) draft: bool,
    /// Only where a single one is asked for.
    #[serde(default)]
    pub(crate) merged: bool,
    pub(crate) merged_at: Option<Timestamp>,
    pub(crate) head: PullEnd,
    pub(crate) base: PullEnd,
    #[serde(default)]
    pub(crate) labels: Vec<Label>,
    pub(crate) updated_at: Timestamp,
}

#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct IssueEvent {
    pub(crate) id: u64,
    pub(crate) event: String,
    pub(crate) actor: Option<User>,
    pub(crate) created_at: Timestamp,
    pub(crate) label: Option<EventLabel>,
}

#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct EventLabel {
    pub(crate) name: Option<String>,
}

#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct Comment {
    pub(crate) id: u64,
    pub(crate) body: Option<String>,
    pub(crate) user: Option<User>,
}

#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct Review {
    pub(crate) id: u64,
    pub(crate) body: Option<String>,
    pub(crate) user: Option<User>,
    pub(crate) state: String,
}

#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct Status {
    pub(crate) id: u64,
    pub(crate) context: String,
    pub(crate) state: String,
    pub(crate) description: Option<String>,
    pub(crate) creator: Option<User>,
}

#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct CheckRuns {
    pub(crate) check_runs: Vec<CheckRun>,
}

#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct CheckRun {
    pub(crate) id: u64,
    pub(crate) name: String,
    pub(crate) status: String,
    pub(crate) conclusion: Option<String>,
    #[serde(default)]
    pub(crate) output: CheckOutput,
    pub(crate) app: Option<App>,
}

#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub(crate) struct CheckOutput {
    pub(crate) title: Option<String>,
}

#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct App {
    pub(crate) slug: Option<String>,
}

#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct PullFile {
    pub(crate) filename: String,
    pub(crate) patch: Option<String>,
}

#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct Collaborator {
    pub(crate) permission: String,
    pub(crate) role_name: Option<String>,
}

#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct GitRef {
    #[serde(rename = "ref")]
    pub(crate) name: String,
}

#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct GitCommit {
    pub(crate) sha: String,
    #[serde(default)]
    pub(crate) message: String,
}

/// GraphQL's `BigInt` is a text; a plain number is taken too.
fn big<'de, D: Deserializer<'de>>(from: D) -> Result<u64, D::Error> {
    #[derive(Deserialize)]
    #[serde(untagged)]
    enum Big {
        Number(u64),
        Text(String),
    }
    match Big::deserialize(from)? {
        Big::Number(n) => Ok(n),
        Big::Text(t) => t.parse().map_err(serde::de::Error::custom),
    }
}
