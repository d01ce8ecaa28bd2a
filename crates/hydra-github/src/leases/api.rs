//! The swap by GraphQL `updateRefs`, which alone of GitHub's calls names what a ref must point at before.

use super::{Attempt, LeaseBase, LeaseRef, Standing};
use crate::{
    client::Client,
    convert,
    error::malformed,
    github::{GitHub, refused},
    graphql::{at, label},
    queries, wire,
    write::lost,
};
use http::Method;
use hydra_core::{CommitSha, RepoName, ports::ForgeError};
use serde_json::{Value, json};
use std::sync::PoisonError;

/// Stands for "absent" in `beforeOid` and for "delete" in `afterOid`.
const ZEROS: &str = "0000000000000000000000000000000000000000";
/// The tree without entries: there in every repository, also in an empty one.
const EMPTY_TREE: &str = "4b825dc642cb6eb9a060e54bf8d69288fbee4904";

/// The ref now, with its commit's message.
pub(super) async fn standing(client: &Client, place: &LeaseRef<'_>) -> Result<Option<Standing>, ForgeError> {
    let call = label(queries::LEASE);
    let variables = json!({ "owner": place.repo.owner(), "name": place.repo.name(), "ref": place.name });
    let data = client.query(queries::LEASE, variables).await?;
    // The repository must be there, or the ref's absence would mean nothing.
    let _: String = at(&call, &data, "/repository/id")?;
    let Some(found) = data.get("repository").and_then(|r| r.get("ref")) else {
        return Err(malformed(&call, "it says nothing of the ref"));
    };
    if found.is_null() {
        return Ok(None);
    }
    let oid: String = at(&call, &data, "/repository/ref/target/oid")?;
    let message = found.pointer("/target/message").and_then(Value::as_str).map(str::to_owned);
    Ok(Some(Standing { oid: convert::id(&call, &oid)?, message }))
}

/// Full names of the refs below a prefix.
pub(super) async fn names(client: &Client, repo: &RepoName, prefix: &str) -> Result<Vec<String>, ForgeError> {
    let mut segments = vec!["repos", repo.owner(), repo.name(), "git", "matching-refs"];
    segments.extend(prefix.trim_start_matches("refs/").split('/'));
    let found = client.list::<wire::GitRef>(&client.url(&segments)).await?;
    Ok(found.into_iter().map(|found| found.name).collect())
}

impl GitHub {
    pub(super) async fn api_attempt(
        &self,
        client: &Client,
        place: &LeaseRef<'_>,
        before: Option<&CommitSha>,
        message: Option<&str>,
    ) -> Result<Attempt, ForgeError> {
        let base = self.lease_base(client, place).await?;
        let after = match message {
            None => None,
            Some(message) => Some(commit(client, place, &base.tree, message).await?),
        };
        let update = json!({
            "name": place.name,
            "beforeOid": before.map_or(ZEROS, CommitSha::as_str),
            "afterOid": after.as_ref().map_or(ZEROS, CommitSha::as_str),
            "force": true,
        });
        let variables = json!({ "repository": base.repository, "updates": [update] });
        let seen = match client.mutate(queries::SWAP_REF, variables).await {
            Ok(reply) => match reply.failed {
                None => return Ok(Attempt::Done(after)),
                Some(seen) => seen,
            },
            Err(seen) => seen,
        };
        Ok(Attempt::Unsure { after, seen })
    }

    async fn lease_base(&self, client: &Client, place: &LeaseRef<'_>) -> Result<LeaseBase, ForgeError> {
        let known = self.lease_bases.lock().unwrap_or_else(PoisonError::into_inner).get(place.repo).cloned();
        if let Some(known) = known {
            return Ok(known);
        }
        let call = label(queries::LEASE_BASE);
        let variables = json!({ "owner": place.repo.owner(), "name": place.repo.name() });
        let data = client.query(queries::LEASE_BASE, variables).await?;
        let tree = data.pointer("/repository/defaultBranchRef/target/tree/oid").and_then(Value::as_str);
        let base =
            LeaseBase { repository: at(&call, &data, "/repository/id")?, tree: tree.unwrap_or(EMPTY_TREE).to_owned() };
        self.lease_bases.lock().unwrap_or_else(PoisonError::into_inner).insert(place.repo.clone(), base.clone());
        Ok(base)
    }
}

/// A commit that nothing points at yet. Making it twice makes no difference to anybody, so a lost answer is asked again.
async fn commit(client: &Client, place: &LeaseRef<'_>, tree: &str, message: &str) -> Result<CommitSha, ForgeError> {
    let url = client.url(&["repos", place.repo.owner(), place.repo.name(), "git", "commits"]);
    let body = json!({ "message": message, "tree": tree, "parents": [] });
    let mut sent = client.write(Method::POST, &url, &body).await;
    if sent.as_ref().is_err_and(lost) {
        sent = client.write(Method::POST, &url, &body).await;
    }
    let call = crate::client::call(&Method::POST, &url);
    let made: wire::GitCommit = sent.map_err(refused)?.json(&call)?;
    convert::id(&call, &made.sha)
}
