//! What `hydra doctor` asks: whose a token is, what is left of its limits, how far the clocks are apart, whether it may push.

use crate::{
    client::{Client, below, call},
    error::{date, malformed},
    github::GitHub,
};
use http::Method;
use hydra_core::{
    RepoName, SignedDuration, Timestamp, TokenRole,
    ports::{ForgeError, ForgeErrorKind},
    view::{IdentityView, TokenKind},
};
use serde::Deserialize;

/// What is left of a limit.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Quota {
    /// Requests or points an hour.
    pub limit: u64,
    /// Of these, left.
    pub remaining: u64,
    /// When it is full again.
    pub resets_at: Timestamp,
}

/// One token, as far as GitHub lets one see.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TokenReport {
    /// Whose it is.
    pub identity: IdentityView,
    /// Whether it is a classic token, which can do everything that its owner can.
    pub classic: bool,
    /// The REST limit.
    pub rest: Quota,
    /// The GraphQL limit.
    pub graphql: Quota,
    /// This machine's clock less GitHub's, within a second; absent when GitHub names no time.
    pub clock_skew: Option<SignedDuration>,
}

#[derive(Deserialize)]
struct Limits {
    resources: Resources,
}
#[derive(Deserialize)]
struct Resources {
    core: Limit,
    graphql: Option<Limit>,
}
#[derive(Deserialize)]
struct Limit {
    limit: u64,
    remaining: u64,
    reset: i64,
}

impl GitHub {
    /// Asks GitHub about the role's token now, without the cache.
    ///
    /// # Errors
    /// Those of the two reads that it takes; `Missing` when the role has no token.
    pub async fn describe(&self, role: TokenRole) -> Result<TokenReport, ForgeError> {
        let client = self.client(role)?;
        let identity = client.ask_who().await?;
        let url = client.url(&["rate_limit"]);
        let call = call(&Method::GET, &url);
        let reply = client.fetch(&url).await?;
        let now = Timestamp::now();
        let limits: Limits = reply.json(&call)?;
        let rest = quota(&call, &limits.resources.core)?;
        let graphql = limits.resources.graphql.as_ref().map(|l| quota(&call, l)).transpose()?.unwrap_or(rest);
        let date = date(&reply.headers);
        Ok(TokenReport {
            classic: identity.kind == TokenKind::Classic,
            identity,
            rest,
            graphql,
            clock_skew: date.map(|date| now.duration_since(date)),
        })
    }
}

impl Client {
    /// git's own advertisement: what is pushed to is asked, nothing is pushed.
    pub(crate) async fn may_push(&self, repo: &RepoName) -> Result<bool, ForgeError> {
        let name = format!("{}.git", repo.name());
        let mut url = below(&self.config.git(), &[repo.owner(), &name, "info", "refs"]);
        url.set_query(Some("service=git-receive-pack"));
        match self.fetch_git(&url).await {
            Ok(_) => Ok(true),
            Err(e) => match e.kind {
                ForgeErrorKind::Permission | ForgeErrorKind::Missing => Ok(false),
                ForgeErrorKind::Auth
                | ForgeErrorKind::Conflict
                | ForgeErrorKind::LimitedUntil(_)
                | ForgeErrorKind::Transient
                | ForgeErrorKind::Malformed => Err(e),
            },
        }
    }
}

fn quota(call: &str, limit: &Limit) -> Result<Quota, ForgeError> {
    let resets_at = Timestamp::from_second(limit.reset).map_err(|e| malformed(call, e))?;
    Ok(Quota { limit: limit.limit, remaining: limit.remaining, resets_at })
}
