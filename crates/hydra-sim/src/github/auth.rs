//! Tokens, what they may do, and how GitHub says no.

use super::{
    Role,
    notice::Refusal,
    records::{AccountKind, Repo},
    world::World,
};
use jiff::Timestamp;
use std::collections::BTreeMap;

/// How far a permission of a token goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Access {
    /// May look.
    Read,
    /// May change.
    Write,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    Classic,
    FineGrained,
    Installation,
}

/// A token: whose it is and what it may do.
#[derive(Clone)]
pub struct Token {
    pub(crate) secret: String,
    pub(crate) login: String,
    pub(crate) kind: Kind,
    pub(crate) scopes: Vec<String>,
    pub(crate) permissions: BTreeMap<String, Access>,
    pub(crate) repos: Option<Vec<String>>,
    pub(crate) expires: Option<Timestamp>,
}

impl std::fmt::Debug for Token {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Token").field("login", &self.login).field("kind", &self.kind).finish_non_exhaustive()
    }
}

impl Token {
    fn new(kind: Kind, secret: &str, login: &str) -> Self {
        Self {
            secret: secret.to_owned(),
            login: login.to_owned(),
            kind,
            scopes: Vec::new(),
            permissions: BTreeMap::new(),
            repos: None,
            expires: None,
        }
    }

    /// A classic personal access token (`ghp_…`) with scopes such as `repo`, `project`, `workflow`.
    #[must_use]
    pub fn classic(secret: &str, login: &str, scopes: &[&str]) -> Self {
        let mut token = Self::new(Kind::Classic, secret, login);
        token.scopes = scopes.iter().map(|s| (*s).to_owned()).collect();
        token
    }

    /// A fine-grained personal access token (`github_pat_…`): nothing but `metadata: read` until permissions are added.
    #[must_use]
    pub fn fine_grained(secret: &str, login: &str) -> Self {
        Self::new(Kind::FineGrained, secret, login)
    }

    /// An installation token (`ghs_…`) of the App whose bot is `login` (`name[bot]`).
    #[must_use]
    pub fn installation(secret: &str, login: &str) -> Self {
        Self::new(Kind::Installation, secret, login)
    }

    /// Adds a permission by GitHub's name: `contents`, `issues`, `pull_requests`, `statuses`, `checks`, `workflows`,
    /// `organization_projects`, `administration` …
    #[must_use]
    pub fn allow(mut self, permission: &str, access: Access) -> Self {
        self.permissions.insert(permission.to_owned(), access);
        self
    }

    /// Every permission that a machine account of Hydra needs, to write.
    #[must_use]
    pub fn allow_work(self) -> Self {
        ["contents", "issues", "pull_requests", "statuses", "organization_projects"]
            .iter()
            .fold(self, |t, p| t.allow(p, Access::Write))
    }

    /// Restricts it to these repositories, `owner/name` each.
    #[must_use]
    pub fn only(mut self, repos: &[&str]) -> Self {
        self.repos = Some(repos.iter().map(|r| r.to_lowercase()).collect());
        self
    }

    /// When it expires.
    #[must_use]
    pub fn expires(mut self, at: Timestamp) -> Self {
        self.expires = Some(at);
        self
    }

    fn covers(&self, repo: &Repo) -> bool {
        self.repos.as_ref().is_none_or(|repos| repos.contains(&repo.full_name().to_lowercase()))
    }

    pub(crate) fn refusal(&self) -> Refusal {
        let message = match self.kind {
            Kind::Installation => "Resource not accessible by integration",
            Kind::Classic | Kind::FineGrained => "Resource not accessible by personal access token",
        };
        Refusal::new(403, message)
    }
}

/// Who asks: nobody, or the owner of a token.
#[derive(Debug, Clone, Default)]
pub(crate) struct Who {
    pub token: Option<Token>,
}

impl Who {
    /// Reads `Authorization`: `Bearer`, `token`, or `Basic` with the token as the password (or as the user name).
    pub(crate) fn from_header(world: &World, header: Option<&str>) -> Result<Self, Refusal> {
        let Some(header) = header else { return Ok(Self::default()) };
        let (scheme, rest) = header.split_once(' ').unwrap_or(("", header));
        let candidates = match scheme.to_ascii_lowercase().as_str() {
            "bearer" | "token" => vec![rest.trim().to_owned()],
            "basic" => basic(rest.trim()),
            _ => Vec::new(),
        };
        let now = world.clock.now();
        let known = |secret: &String| world.tokens.get(secret).filter(|t| t.expires.is_none_or(|at| at > now));
        match candidates.iter().find_map(known) {
            Some(token) => Ok(Self { token: Some(token.clone()) }),
            None => Err(Refusal::new(401, "Bad credentials")),
        }
    }

    pub(crate) fn login(&self) -> Option<&str> {
        self.token.as_ref().map(|t| t.login.as_str())
    }

    /// The account's role in the repository, whatever the token narrows.
    pub(crate) fn role(&self, world: &World, repo: &Repo) -> Role {
        let Some(token) = &self.token else { return if repo.private { Role::None } else { Role::Read } };
        if token.kind == Kind::Installation {
            return if token.covers(repo) { Role::Write } else { Role::None };
        }
        world.role(repo, &token.login)
    }

    /// Whether the repository exists as far as this one can tell.
    pub(crate) fn sees(&self, world: &World, repo: &Repo) -> bool {
        if !repo.private {
            return true;
        }
        let Some(token) = &self.token else { return false };
        let scoped = match token.kind {
            Kind::Classic => token.scopes.iter().any(|s| s == "repo"),
            Kind::FineGrained | Kind::Installation => token.covers(repo),
        };
        scoped && self.role(world, repo) >= Role::Read
    }

    /// Whether the token holds one of the wanted permissions (`issues=write;pull_requests=write`), as far as the token goes.
    pub(crate) fn allowed(&self, repo: Option<&Repo>, needs: &str) -> Result<(), Refusal> {
        if needs.is_empty() {
            return Ok(());
        }
        let wants = || needs.split(';').filter_map(|n| n.split_once('='));
        let reading = wants().any(|(_, level)| level == "read");
        let public = repo.is_some_and(|r| !r.private);
        let Some(token) = &self.token else {
            return if reading && public { Ok(()) } else { Err(Refusal::new(401, "Requires authentication")) };
        };
        let holds = |name: &str, level: &str| {
            let wanted = if level == "read" { Access::Read } else { Access::Write };
            match token.kind {
                // Only Apps write checks.
                _ if name == "checks" && wanted == Access::Write => {
                    token.kind == Kind::Installation && token.permissions.get(name) >= Some(&wanted)
                }
                Kind::Classic => match name {
                    "organization_projects" => {
                        let scope = |s: &String| s == "project" || (wanted == Access::Read && s == "read:project");
                        token.scopes.iter().any(scope)
                    }
                    "workflows" => token.scopes.iter().any(|s| s == "workflow"),
                    _ => token.scopes.iter().any(|s| s == "repo" || (public && s == "public_repo")),
                },
                Kind::FineGrained | Kind::Installation => {
                    repo.is_none_or(|r| token.covers(r))
                        && (name == "metadata" || token.permissions.get(name) >= Some(&wanted))
                }
            }
        };
        if (reading && public) || wants().any(|(name, level)| holds(name, level)) {
            return Ok(());
        }
        Err(token.refusal())
    }
}

fn basic(text: &str) -> Vec<String> {
    use base64::Engine;
    let Ok(bytes) = base64::engine::general_purpose::STANDARD.decode(text) else { return Vec::new() };
    let text = String::from_utf8_lossy(&bytes).into_owned();
    let (user, password) = text.split_once(':').unwrap_or((&text, ""));
    vec![password.to_owned(), user.to_owned()]
}

impl World {
    /// What an account may do in a repository.
    pub(crate) fn role(&self, repo: &Repo, login: &str) -> Role {
        if repo.owner.eq_ignore_ascii_case(login) {
            return Role::Admin;
        }
        let floor = if repo.private { Role::None } else { Role::Read };
        let known = self.account(login).is_some_and(|a| a.kind == AccountKind::Bot);
        let floor = if known { floor.max(Role::Read) } else { floor };
        repo.roles.get(&login.to_lowercase()).copied().unwrap_or(Role::None).max(floor)
    }
}
