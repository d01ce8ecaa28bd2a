//! Statuses and check runs of a commit, the newest of each name.

use crate::{
    client::{Client, call},
    convert, wire,
};
use http::Method;
use hydra_core::{
    CommitSha, RepoName,
    ports::{ForgeError, ForgeErrorKind},
    view::{StatusState, StatusView},
};
use std::collections::BTreeMap;

/// Stands for check runs that the token may not read: only Apps and classic tokens may, in a private repository.
pub(crate) const UNREADABLE_CHECKS: &str = "github/check-runs";

impl Client {
    /// Statuses and check runs, by name. Where check runs may not be read, a pending status says so: they are not absent.
    pub(crate) async fn statuses(&self, repo: &RepoName, commit: &CommitSha) -> Result<Vec<StatusView>, ForgeError> {
        let (call, statuses) = self.commit_statuses(repo, commit).await?;
        let mut views = BTreeMap::new();
        for status in statuses {
            let view = StatusView {
                state: convert::status_state(&call, &status.state)?,
                description: status.description.unwrap_or_default(),
                creator: status.creator.as_ref().map(|c| convert::user(&call, Some(c))).transpose()?,
                context: status.context,
            };
            // Newest first, as GitHub lists them.
            views.entry((view.context.clone(), false)).or_insert(view);
        }
        match self.check_runs(repo, commit, None).await {
            Ok(runs) => {
                for run in runs {
                    let view = check_view(run)?;
                    views.insert((view.context.clone(), true), view);
                }
            }
            Err(e) if e.kind == ForgeErrorKind::Permission => {
                let view = StatusView {
                    context: UNREADABLE_CHECKS.to_owned(),
                    state: StatusState::Pending,
                    description: "check runs cannot be read with this token".to_owned(),
                    creator: None,
                };
                views.insert((view.context.clone(), true), view);
            }
            Err(e) => return Err(e),
        }
        Ok(views.into_values().collect())
    }

    /// Every status of a commit, newest first.
    pub(crate) async fn commit_statuses(
        &self,
        repo: &RepoName,
        commit: &CommitSha,
    ) -> Result<(String, Vec<wire::Status>), ForgeError> {
        let path = ["repos", repo.owner(), repo.name(), "commits", commit.as_str(), "statuses"];
        let url = self.url_with(&path, &[("per_page", "100")]);
        Ok((call(&Method::GET, &url), self.list(&url).await?))
    }

    /// The newest check run of each suite and name, in the order of their ids.
    pub(crate) async fn check_runs(
        &self,
        repo: &RepoName,
        commit: &CommitSha,
        name: Option<&str>,
    ) -> Result<Vec<wire::CheckRun>, ForgeError> {
        let path = ["repos", repo.owner(), repo.name(), "commits", commit.as_str(), "check-runs"];
        let mut query = vec![("filter", "latest"), ("per_page", "100")];
        query.extend(name.map(|n| ("check_name", n)));
        let url = self.url_with(&path, &query);
        let mut runs = self.pages(&url, |page: wire::CheckRuns| page.check_runs).await?;
        runs.sort_by_key(|r| r.id);
        Ok(runs)
    }
}

fn check_view(run: wire::CheckRun) -> Result<StatusView, ForgeError> {
    let state = convert::check_state(&run);
    let slug = run.app.and_then(|a| a.slug);
    let creator = slug.map(|s| convert::id("check run", &format!("{s}[bot]"))).transpose()?;
    Ok(StatusView { context: run.name, state, description: run.output.title.unwrap_or_default(), creator })
}
