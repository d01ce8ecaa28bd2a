//! Where a repository lies and with which token it is reached: asked for at the moment of use, never kept.

use crate::error::failed;
use async_trait::async_trait;
use base64::Engine as _;
use hydra_core::{
    RepoName, TokenRole,
    ports::{WorkspaceError, WorkspaceErrorKind},
};
use secrecy::{ExposeSecret, SecretString};

/// Where repositories lie and whose token reaches them.
#[async_trait]
pub trait Remotes: Send + Sync {
    /// The address that git is given: `https://…`, `http://` on loopback, or a path of this machine. Never with a credential in it.
    fn url(&self, repo: &RepoName) -> String;
    /// The role's token, now; `None` where the remote needs none (a path, an open simulator).
    ///
    /// # Errors
    /// When the role should have a token and has none, or it cannot be minted.
    async fn token(&self, repo: &RepoName, role: TokenRole) -> Result<Option<SecretString>, WorkspaceError>;
}

type TokenSource = dyn Fn(TokenRole) -> Result<Option<SecretString>, WorkspaceError> + Send + Sync;

/// Remotes by a template such as `https://github.com/{repo}.git`; `{owner}` and `{name}` are replaced as well.
pub struct RemoteTemplate {
    template: String,
    tokens: Box<TokenSource>,
}

impl RemoteTemplate {
    /// A template and where the tokens come from.
    pub fn new(
        template: impl Into<String>,
        tokens: impl Fn(TokenRole) -> Result<Option<SecretString>, WorkspaceError> + Send + Sync + 'static,
    ) -> Self {
        Self { template: template.into(), tokens: Box::new(tokens) }
    }
    /// A template whose remotes need no token.
    pub fn open(template: impl Into<String>) -> Self {
        Self::new(template, |_| Ok(None))
    }
}

#[async_trait]
impl Remotes for RemoteTemplate {
    fn url(&self, repo: &RepoName) -> String {
        self.template
            .replace("{repo}", &repo.to_string())
            .replace("{owner}", repo.owner())
            .replace("{name}", repo.name())
    }
    async fn token(&self, _repo: &RepoName, role: TokenRole) -> Result<Option<SecretString>, WorkspaceError> {
        (self.tokens)(role)
    }
}

/// A remote, ready for one command: its address, and the header that opens it.
pub(crate) struct Remote {
    /// What git is given.
    pub(crate) url: String,
    /// Protocols that this command may speak: one.
    pub(crate) protocol: &'static str,
    /// The credential, where there is one.
    pub(crate) credential: Option<Credential>,
}

/// A credential as git is handed it: a header that is bound to one origin, in the environment of the child.
pub(crate) struct Credential {
    /// `http.<origin>.extraHeader`.
    pub(crate) key: String,
    /// `Authorization: Basic …`.
    pub(crate) header: SecretString,
    /// What must never be seen in a text: the token and its base64 form.
    pub(crate) secrets: Vec<SecretString>,
}

impl Remote {
    /// Resolves the remote of a repository for a role.
    pub(crate) async fn resolve(
        remotes: &dyn Remotes,
        repo: &RepoName,
        role: TokenRole,
    ) -> Result<Self, WorkspaceError> {
        let url = remotes.url(repo);
        if url.starts_with('-') {
            return Err(failed(format!("the remote of {repo} is not an address: it begins with '-'")));
        }
        let Ok(parsed) = url::Url::parse(&url) else {
            return Ok(Self { url, protocol: "file", credential: None });
        };
        if !parsed.username().is_empty() || parsed.password().is_some() {
            return Err(failed(format!(
                "the remote of {repo} holds a credential; put it into secrets/credentials.json instead"
            )));
        }
        let protocol = match parsed.scheme() {
            "https" => "https",
            "http" => "http",
            "file" => return Ok(Self { url, protocol: "file", credential: None }),
            other => {
                return Err(failed(format!("the remote of {repo} speaks {other:?}; only https, and files, are taken")));
            }
        };
        let loopback = match parsed.host() {
            Some(url::Host::Domain(name)) => name == "localhost",
            Some(url::Host::Ipv4(ip)) => ip.is_loopback(),
            Some(url::Host::Ipv6(ip)) => ip.is_loopback(),
            None => false,
        };
        if protocol == "http" && !loopback {
            return Err(failed(format!("the remote of {repo} is plain http outside this machine; use https")));
        }
        let credential = remotes.token(repo, role).await?.map(|token| Credential::new(&parsed, &token)).transpose()?;
        Ok(Self { url, protocol, credential })
    }
}

impl Credential {
    fn new(url: &url::Url, token: &SecretString) -> Result<Self, WorkspaceError> {
        let text = token.expose_secret();
        if text.is_empty() || text.chars().any(|c| c.is_control() || c.is_whitespace()) {
            return Err(WorkspaceError {
                kind: WorkspaceErrorKind::Auth,
                message: "the token is empty or holds white space: it would break the request's header".into(),
            });
        }
        let basic = base64::engine::general_purpose::STANDARD.encode(format!("x-access-token:{text}"));
        Ok(Self {
            key: format!("http.{}/.extraHeader", url.origin().ascii_serialization()),
            header: format!("Authorization: Basic {basic}").into(),
            secrets: vec![token.clone(), basic.into()],
        })
    }
}
