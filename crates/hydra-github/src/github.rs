//! The adapter itself: which role speaks through which client, and the ports' entrances.

use crate::{
    client::Client,
    config::GitHubConfig,
    error::{error, hinted},
};
use async_trait::async_trait;
use hydra_core::{
    IssueKey, Login, RepoName, TokenRole,
    ports::{Applied, Forge, ForgeError, ForgeErrorKind, ForgeWrite, ForgeWriter, PullQuery},
    view::{IdentityView, IssueView, Listing, Permission, PullView, RepoView},
};
use secrecy::ExposeSecret as _;
use std::{
    collections::{BTreeMap, HashMap},
    sync::{Arc, Mutex},
};
use url::Url;

/// GitHub as Hydra's forge, board and lease keeper. Cheap to clone; clones share caches and the order of writes.
#[derive(Debug, Clone)]
pub struct GitHub {
    pub(crate) config: Arc<GitHubConfig>,
    clients: Arc<BTreeMap<TokenRole, Arc<Client>>>,
    /// Repository ids and trees for lease commits.
    pub(crate) lease_bases: Arc<Mutex<HashMap<RepoName, crate::leases::LeaseBase>>>,
}

impl GitHub {
    /// Makes the clients. Roles with one token share one, so that its writes stay in order.
    ///
    /// # Errors
    /// `Auth` for a token that cannot be one, `Malformed` for an address that would carry tokens unprotected
    /// (plain HTTP is for loopback alone), or outside a tokio runtime.
    pub fn new(config: GitHubConfig) -> Result<Self, ForgeError> {
        for url in [&config.api_base, &config.graphql(), &config.git()] {
            protected(url)?;
        }
        // The shared settings hold no token: each client has its own.
        let tokens = config.tokens.clone();
        let config = Arc::new(GitHubConfig { tokens: BTreeMap::new(), ..config });
        let mut clients: BTreeMap<TokenRole, Arc<Client>> = BTreeMap::new();
        for (role, token) in &tokens {
            let twin = tokens
                .iter()
                .find(|(other, same)| same.expose_secret() == token.expose_secret() && clients.contains_key(other))
                .and_then(|(other, _)| clients.get(other).cloned());
            let client = match twin {
                Some(client) => client,
                None => Arc::new(Client::new(Arc::clone(&config), *role, token)?),
            };
            clients.insert(*role, client);
        }
        Ok(Self { config, clients: Arc::new(clients), lease_bases: Arc::default() })
    }

    /// The configuration in force, without its tokens.
    #[must_use]
    pub fn config(&self) -> &GitHubConfig {
        &self.config
    }

    /// The roles that have a token, the applier's loan from the reviewer included.
    #[must_use]
    pub fn roles(&self) -> Vec<TokenRole> {
        TokenRole::ALL.iter().copied().filter(|role| self.client(*role).is_ok()).collect()
    }

    /// The role's client; the applier borrows the reviewer's.
    pub(crate) fn client(&self, role: TokenRole) -> Result<&Arc<Client>, ForgeError> {
        let found = self.clients.get(&role).or_else(|| match role {
            TokenRole::Applier => self.clients.get(&TokenRole::Reviewer),
            TokenRole::Builder | TokenRole::Reviewer | TokenRole::Security | TokenRole::Orchestrator => None,
        });
        found.ok_or_else(|| {
            hinted(
                ForgeErrorKind::Missing,
                format!("the role {role} has no GitHub token"),
                format!("set {} in the secrets file, or git_tokens.{role} in the credentials", role.variable()),
            )
        })
    }

    /// The client that reads.
    pub(crate) fn reader(&self) -> Result<&Arc<Client>, ForgeError> {
        self.client(self.config.read_role)
    }
}

fn protected(url: &Url) -> Result<(), ForgeError> {
    let loopback = match url.host() {
        Some(url::Host::Domain(name)) => name == "localhost",
        Some(url::Host::Ipv4(ip)) => ip.is_loopback(),
        Some(url::Host::Ipv6(ip)) => ip.is_loopback(),
        None => false,
    };
    let bare = url.username().is_empty() && url.password().is_none();
    match url.scheme() {
        "https" if bare => Ok(()),
        "http" if bare && loopback => Ok(()),
        _ => Err(hinted(
            ForgeErrorKind::Malformed,
            format!("{} cannot be GitHub's address", url.origin().ascii_serialization()),
            "use https:// without user or password; http:// is for loopback alone",
        )),
    }
}

/// A write whose look-up went well and which is then not found may not be made by this token.
pub(crate) fn refused(mut seen: ForgeError) -> ForgeError {
    if seen.kind == ForgeErrorKind::Missing {
        seen.kind = ForgeErrorKind::Permission;
        seen.hint = Some("it can be read but not written: the token needs write permission".to_owned());
    }
    seen
}

/// The state does not allow it.
pub(crate) fn conflict(message: impl Into<String>) -> ForgeError {
    error(ForgeErrorKind::Conflict, message)
}

#[async_trait]
impl Forge for GitHub {
    async fn identity(&self, role: TokenRole) -> Result<IdentityView, ForgeError> {
        self.client(role)?.who().await
    }
    async fn repository(&self, repo: &RepoName) -> Result<RepoView, ForgeError> {
        self.reader()?.repository(repo).await
    }
    async fn listing(&self, repo: &RepoName, label: &str) -> Result<Listing, ForgeError> {
        self.reader()?.listing(repo, label).await
    }
    async fn issue(&self, issue: &IssueKey) -> Result<IssueView, ForgeError> {
        self.reader()?.issue(issue).await
    }
    async fn pulls(&self, repo: &RepoName, which: &PullQuery) -> Result<Vec<PullView>, ForgeError> {
        self.reader()?.pulls(repo, which).await
    }
    async fn permission(&self, repo: &RepoName, login: &Login) -> Result<Permission, ForgeError> {
        self.reader()?.permission(repo, login).await
    }
}

#[async_trait]
impl ForgeWriter for GitHub {
    async fn apply(&self, role: TokenRole, write: &ForgeWrite) -> Result<Applied, ForgeError> {
        let client = self.client(role)?;
        let _turn = client.applying.lock().await;
        client.apply(write).await
    }
    async fn may_push(&self, role: TokenRole, repo: &RepoName) -> Result<bool, ForgeError> {
        self.client(role)?.may_push(repo).await
    }
}
