//! Which transport of leases serves in a repository: both are tried once, on a ref that no issue has.

use super::LeaseRef;
use crate::{
    client::Client,
    config::LeaseTransport,
    error::{error, hinted},
    github::GitHub,
};
use hydra_core::{
    RepoName, Timestamp,
    ports::{ForgeError, ForgeErrorKind, Swap},
};

/// What a probe of both transports found.
#[derive(Debug, Clone)]
pub struct LeaseProbe {
    /// GraphQL `updateRefs`.
    pub api: Result<(), ForgeError>,
    /// `git push --force-with-lease`.
    pub git: Result<(), ForgeError>,
}

impl LeaseProbe {
    /// The transport to use: the API where it serves.
    #[must_use]
    pub fn serves(&self) -> Option<LeaseTransport> {
        match (&self.api, &self.git) {
            (Ok(()), _) => Some(LeaseTransport::Api),
            (Err(_), Ok(())) => Some(LeaseTransport::Git),
            (Err(_), Err(_)) => None,
        }
    }
}

impl GitHub {
    /// Takes, contends for and removes a ref beside the leases, by each transport.
    ///
    /// # Errors
    /// `Missing` when no token may be used for it; what each transport answers is in the result.
    pub async fn probe_leases(&self, repo: &RepoName) -> Result<LeaseProbe, ForgeError> {
        let client = self.reader()?;
        Ok(LeaseProbe {
            api: self.probe_transport(client, repo, LeaseTransport::Api).await,
            git: self.probe_transport(client, repo, LeaseTransport::Git).await,
        })
    }

    async fn probe_transport(
        &self,
        client: &Client,
        repo: &RepoName,
        transport: LeaseTransport,
    ) -> Result<(), ForgeError> {
        let stamp = Timestamp::now().as_nanosecond();
        let name = format!("{}-probe/{stamp}-{}", self.config.lease_prefix, std::process::id());
        let place = LeaseRef { repo, name };
        let first = format!("{{\"probe\":\"{stamp}\"}}");
        let taken = match self.swap_at(client, transport, &place, None, Some(&first)).await? {
            Swap::Won(Some(oid)) => oid,
            Swap::Won(None) | Swap::Lost => return Err(unsound("a ref that nobody has could not be taken")),
        };
        let second = format!("{{\"probe\":\"{stamp} again\"}}");
        let contended = self.swap_at(client, transport, &place, None, Some(&second)).await;
        let seen = self.stands(client, transport, &place).await;
        let removed = self.swap_at(client, transport, &place, Some(&taken), None).await;
        if contended? != Swap::Lost {
            return Err(hinted(
                ForgeErrorKind::Conflict,
                "two could hold one lease: the swap does not look at what stood before",
                "leases do not work with this server",
            ));
        }
        if seen?.map(|s| s.oid) != Some(taken) {
            return Err(unsound("the ref does not stand where it was put"));
        }
        match removed? {
            Swap::Won(None) => Ok(()),
            Swap::Won(Some(_)) | Swap::Lost => Err(unsound("the ref could not be removed again")),
        }
    }
}

fn unsound(why: &str) -> ForgeError {
    error(ForgeErrorKind::Conflict, format!("leases: {why}"))
}
