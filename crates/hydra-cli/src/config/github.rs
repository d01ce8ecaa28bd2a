//! `[github]`: which forge, which repositories, which board.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// The forge, its repositories and its board.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Github {
    /// Address of the REST API. GitHub Enterprise Server: `https://HOST/api/v3`.
    pub api_url: String,
    /// Address that git clones from. Left out: `https://github.com`, or the host of `api_url`.
    pub web_url: Option<String>,
    /// The organisation (or user) that owns the repositories and the board. Variables `HYDRA_ORG`, `GITHUB_ORG`.
    pub org: Option<String>,
    /// Number of the Projects v2 board, as its address shows it. Without one, labels alone drive Hydra. Variable `HYDRA_PROJECT_NUMBER`.
    #[schemars(range(min = 1))]
    pub project: Option<u64>,
    /// The repositories to look at, `OWNER/NAME` or a name of `org`.
    pub repos: Vec<String>,
    /// The board's field that holds the column.
    pub status_field: String,
    /// The board's columns by what they stand for.
    pub columns: Columns,
    /// Classic tokens (`ghp_`) can always do more than a persona may. `true` lets them in, and every run reports it.
    pub allow_classic_pat: bool,
    /// The login that each role's token must belong to, by role: `builder`, `reviewer`, `security`, `applier`, `orchestrator`. A token of somebody else is refused.
    pub logins: BTreeMap<String, String>,
}

/// Columns of the board. An empty name leaves the card where it is.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Columns {
    /// Hydra works on it.
    pub in_progress: String,
    /// A person must answer.
    pub needs_input: String,
    /// Ready for a person's review.
    pub review: String,
    /// Merged or closed.
    pub done: String,
}

impl Default for Github {
    fn default() -> Self {
        Self {
            api_url: "https://api.github.com".to_owned(),
            web_url: None,
            org: None,
            project: None,
            repos: Vec::new(),
            status_field: "Status".to_owned(),
            columns: Columns::default(),
            allow_classic_pat: false,
            logins: BTreeMap::new(),
        }
    }
}

impl Default for Columns {
    fn default() -> Self {
        Self {
            in_progress: "In Progress".to_owned(),
            needs_input: "Needs Input".to_owned(),
            review: "Review".to_owned(),
            done: "Done".to_owned(),
        }
    }
}
