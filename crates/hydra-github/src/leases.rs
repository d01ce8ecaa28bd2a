//! Leases: compare-and-swap on `refs/hydra/lease/<issue>`, over the API or over git.

mod api;
mod git;
mod probe;

use crate::{client::Client, config::LeaseTransport, error::hinted, github::GitHub};
use async_trait::async_trait;
use hydra_core::{
    CommitSha, IssueKey, IssueNumber, RepoName,
    ports::{ForgeError, ForgeErrorKind, Held, LeaseRecord, Leases, Swap},
};

pub use probe::LeaseProbe;

/// What lease commits of a repository are made with; neither changes while the repository exists.
#[derive(Debug, Clone)]
pub(crate) struct LeaseBase {
    /// The repository's node id.
    pub(crate) repository: String,
    /// A tree that exists there.
    pub(crate) tree: String,
}

/// A lease's place.
#[derive(Debug, Clone)]
pub(crate) struct LeaseRef<'a> {
    pub(crate) repo: &'a RepoName,
    /// The full name, `refs/…`.
    pub(crate) name: String,
}

/// What stands at a lease's place: the object and its commit's message.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Standing {
    pub(crate) oid: CommitSha,
    pub(crate) message: Option<String>,
}

/// How one attempt ended, before it is confirmed by reading.
pub(crate) enum Attempt {
    /// The server says that the ref moved.
    Done(Option<CommitSha>),
    /// The server refused, or its answer was lost: `after` is what would stand there now.
    Unsure { after: Option<CommitSha>, seen: ForgeError },
}

impl GitHub {
    pub(crate) async fn stands(
        &self,
        client: &Client,
        transport: LeaseTransport,
        place: &LeaseRef<'_>,
    ) -> Result<Option<Standing>, ForgeError> {
        match transport {
            LeaseTransport::Api => api::standing(client, place).await,
            LeaseTransport::Git => git::standing(client, place).await,
        }
    }

    pub(crate) async fn swap_at(
        &self,
        client: &Client,
        transport: LeaseTransport,
        place: &LeaseRef<'_>,
        before: Option<&CommitSha>,
        message: Option<&str>,
    ) -> Result<Swap, ForgeError> {
        if before.is_none() && message.is_none() {
            // Nothing is to become nothing: there is nothing to send, only to look.
            let now = self.stands(client, transport, place).await?;
            return Ok(if now.is_none() { Swap::Won(None) } else { Swap::Lost });
        }
        let attempt = match transport {
            LeaseTransport::Api => self.api_attempt(client, place, before, message).await?,
            LeaseTransport::Git => git::attempt(client, place, before, message).await?,
        };
        let (after, seen) = match attempt {
            Attempt::Done(after) => return Ok(Swap::Won(after)),
            Attempt::Unsure { after, seen } => (after, seen),
        };
        let decided = match seen.kind {
            // These say why the request itself was refused, not how the ref stands.
            ForgeErrorKind::Auth | ForgeErrorKind::Permission | ForgeErrorKind::LimitedUntil(_) => return Err(seen),
            ForgeErrorKind::Missing
            | ForgeErrorKind::Conflict
            | ForgeErrorKind::Transient
            | ForgeErrorKind::Malformed => self.stands(client, transport, place).await?,
        };
        let now = decided.map(|s| s.oid);
        if now == after {
            // Ours took effect and only the answer was lost; or the ref was to be absent and is.
            return Ok(Swap::Won(after));
        }
        if now.as_ref() != before {
            return Ok(Swap::Lost);
        }
        // It stands as before: nothing was decided, so this is no loss.
        Err(seen)
    }

    fn place<'a>(&self, issue: &'a IssueKey) -> LeaseRef<'a> {
        LeaseRef { repo: &issue.repo, name: format!("{}/{}", self.config.lease_prefix, issue.number) }
    }
}

#[async_trait]
impl Leases for GitHub {
    async fn read(&self, issue: &IssueKey) -> Result<Option<Held>, ForgeError> {
        let client = self.reader()?;
        let place = self.place(issue);
        let Some(standing) = self.stands(client, self.config.lease_transport, &place).await? else {
            return Ok(None);
        };
        let record = standing.message.as_deref().and_then(|m| serde_json::from_str::<LeaseRecord>(m.trim()).ok());
        match record {
            Some(record) if record.schema == 1 => Ok(Some(Held { oid: standing.oid, record })),
            _ => Err(hinted(
                ForgeErrorKind::Conflict,
                format!(
                    "{} of {} points at {}, which is no lease record of this version",
                    place.name, place.repo, standing.oid
                ),
                "look who wrote it; delete the ref to free the issue",
            )),
        }
    }

    async fn standing(&self, repo: &RepoName) -> Result<Vec<IssueNumber>, ForgeError> {
        let client = self.reader()?;
        let names = match self.config.lease_transport {
            LeaseTransport::Api => api::names(client, repo, &self.config.lease_prefix).await?,
            LeaseTransport::Git => git::names(client, repo, &self.config.lease_prefix).await?,
        };
        let below = format!("{}/", self.config.lease_prefix);
        let number = |name: &String| name.strip_prefix(&below)?.parse().ok().map(IssueNumber);
        Ok(names.iter().filter_map(number).collect())
    }

    async fn swap(
        &self,
        issue: &IssueKey,
        before: Option<&CommitSha>,
        record: Option<&LeaseRecord>,
    ) -> Result<Swap, ForgeError> {
        let client = self.reader()?;
        let message = record.map(serde_json::to_string).transpose();
        let message = message.map_err(|e| crate::error::malformed("a lease record", e))?;
        self.swap_at(client, self.config.lease_transport, &self.place(issue), before, message.as_deref()).await
    }
}
