//! The forge of a repository that lies in a folder: there is none, and whoever asks is told so.

use async_trait::async_trait;
use hydra_core::{
    CommitSha, IssueKey, IssueNumber, Login, RepoName, TokenRole,
    ports::{
        Applied, Forge, ForgeError, ForgeErrorKind, ForgeWrite, ForgeWriter, Held, LeaseRecord, Leases, PullQuery, Swap,
    },
    view::{IdentityView, IssueView, Listing, Permission, PullView, RepoView},
};

/// No forge.
#[derive(Debug, Clone, Copy)]
pub(super) struct NoForge;

fn none<T>() -> Result<T, ForgeError> {
    let message = "the repository is a folder of this machine: there is no GitHub to ask".to_owned();
    Err(ForgeError { kind: ForgeErrorKind::Missing, message, hint: None })
}

#[async_trait]
impl Forge for NoForge {
    async fn identity(&self, _: TokenRole) -> Result<IdentityView, ForgeError> {
        none()
    }
    async fn repository(&self, _: &RepoName) -> Result<RepoView, ForgeError> {
        none()
    }
    async fn listing(&self, _: &RepoName, _: &str) -> Result<Listing, ForgeError> {
        none()
    }
    async fn issue(&self, _: &IssueKey) -> Result<IssueView, ForgeError> {
        none()
    }
    async fn pulls(&self, _: &RepoName, _: &PullQuery) -> Result<Vec<PullView>, ForgeError> {
        none()
    }
    async fn permission(&self, _: &RepoName, _: &Login) -> Result<Permission, ForgeError> {
        none()
    }
}

#[async_trait]
impl ForgeWriter for NoForge {
    async fn apply(&self, _: TokenRole, _: &ForgeWrite) -> Result<Applied, ForgeError> {
        none()
    }
    async fn may_push(&self, _: TokenRole, _: &RepoName) -> Result<bool, ForgeError> {
        none()
    }
}

#[async_trait]
impl Leases for NoForge {
    async fn read(&self, _: &IssueKey) -> Result<Option<Held>, ForgeError> {
        none()
    }
    async fn standing(&self, _: &RepoName) -> Result<Vec<IssueNumber>, ForgeError> {
        none()
    }
    async fn swap(&self, _: &IssueKey, _: Option<&CommitSha>, _: Option<&LeaseRecord>) -> Result<Swap, ForgeError> {
        none()
    }
}
