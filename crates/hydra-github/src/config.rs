//! What the adapter must be told: addresses, tokens, time-outs, the board, how leases travel.

use hydra_core::TokenRole;
use secrecy::SecretString;
use std::{collections::BTreeMap, fmt, time::Duration};
use url::Url;

/// How a lease ref is swapped.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum LeaseTransport {
    /// GraphQL `updateRefs` with `beforeOid`.
    #[default]
    Api,
    /// `git push --force-with-lease`, by the `git` command: certain for refs outside `refs/heads`.
    Git,
}

/// The adapter's configuration. `Debug` shows no token.
#[derive(Clone)]
pub struct GitHubConfig {
    /// REST address: `https://api.github.com`, or `https://HOST/api/v3` on GitHub Enterprise Server.
    pub api_base: Url,
    /// GraphQL address; derived from `api_base` when absent (`/graphql`, or `/api/graphql` beside `/api/v3`).
    pub graphql_url: Option<Url>,
    /// Where git clones from; derived when absent (`https://github.com` for `https://api.github.com`, else `api_base`'s origin).
    pub git_base: Option<Url>,
    /// Tokens by role. A missing applier uses the reviewer's. One token may serve several roles.
    pub tokens: BTreeMap<TokenRole, SecretString>,
    /// The role that reads and that owns board and leases.
    pub read_role: TokenRole,
    /// `User-Agent`.
    pub user_agent: String,
    /// For connecting.
    pub connect_timeout: Duration,
    /// For one whole request, its body included.
    pub request_timeout: Duration,
    /// How often a read is tried in all when GitHub is out of order.
    pub read_attempts: u32,
    /// Wait before the second attempt of a read; doubles with each.
    pub retry_delay: Duration,
    /// A `Retry-After` up to this is waited for by reads; a longer one is handed to the caller.
    pub max_wait: Duration,
    /// Least time between two writes of one token. GitHub asks for a second.
    pub write_gap: Duration,
    /// Pages of one listing, at most; more is an error, never a cut list.
    pub max_pages: u32,
    /// Size of one answer in bytes, at most.
    pub max_body: usize,
    /// Memory for conditional requests in bytes, per token.
    pub cache_bytes: usize,
    /// How often an unknown mergeability is asked for again, and how long to wait before each time.
    pub mergeable_retries: u32,
    /// See `mergeable_retries`.
    pub mergeable_delay: Duration,
    /// The board: owner (organisation or user) and number.
    pub project: Option<(String, u64)>,
    /// The single-select field whose options are the board's columns.
    pub status_field: String,
    /// How leases are swapped.
    pub lease_transport: LeaseTransport,
    /// Namespace of lease refs, without the closing slash.
    pub lease_prefix: String,
}

impl GitHubConfig {
    /// Defaults for `api_base`, without tokens.
    #[must_use]
    pub fn new(api_base: Url) -> Self {
        let real = api_base.host_str() == Some("api.github.com");
        Self {
            api_base,
            graphql_url: None,
            git_base: None,
            tokens: BTreeMap::new(),
            read_role: TokenRole::Orchestrator,
            user_agent: concat!("hydra/", env!("CARGO_PKG_VERSION")).to_owned(),
            connect_timeout: Duration::from_secs(10),
            request_timeout: Duration::from_secs(30),
            read_attempts: 3,
            retry_delay: Duration::from_millis(if real { 1_000 } else { 50 }),
            max_wait: Duration::from_secs(5),
            write_gap: Duration::from_millis(if real { 1_000 } else { 0 }),
            max_pages: 500,
            max_body: 64 << 20,
            cache_bytes: 4 << 20,
            mergeable_retries: 5,
            mergeable_delay: Duration::from_millis(if real { 1_500 } else { 50 }),
            project: None,
            status_field: "Status".to_owned(),
            lease_transport: LeaseTransport::Api,
            lease_prefix: "refs/hydra/lease".to_owned(),
        }
    }

    /// The GraphQL address in force.
    #[must_use]
    pub fn graphql(&self) -> Url {
        self.graphql_url.clone().unwrap_or_else(|| {
            let mut url = self.api_base.clone();
            let path = url.path().trim_end_matches('/');
            let path = path.strip_suffix("/v3").unwrap_or(path).to_owned();
            url.set_path(&format!("{path}/graphql"));
            url
        })
    }

    /// The git address in force.
    #[must_use]
    pub fn git(&self) -> Url {
        self.git_base.clone().unwrap_or_else(|| {
            let mut url = self.api_base.clone();
            url.set_path("");
            if url.host_str() == Some("api.github.com") {
                // The host is a constant: setting it cannot fail.
                let _ = url.set_host(Some("github.com"));
            }
            url
        })
    }
}

impl fmt::Debug for GitHubConfig {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("GitHubConfig")
            .field("api_base", &self.api_base.as_str())
            .field("tokens", &self.tokens.keys().collect::<Vec<_>>())
            .field("project", &self.project)
            .field("lease_transport", &self.lease_transport)
            .finish_non_exhaustive()
    }
}
