//! What is read once a cycle: jobs, accounts, holds, the board, one listing of each repository. O(pages), whatever the number of issues.

use super::Unseen;
use crate::{holds::Holds, watch::Shared};
use hydra_core::{
    IssueKey, IssueNumber, RepoName, Timestamp,
    job::{Observed, RuntimeStatus},
    ports::{AccountView, Selector},
    view::{ListedIssue, ListedPull, Listing, RepoView},
};
use std::collections::{BTreeMap, BTreeSet};
use tokio::sync::Mutex;

/// The world at the begin of a cycle.
pub(crate) struct World {
    pub(crate) now: Timestamp,
    /// Jobs of this installation, by issue.
    pub(crate) jobs: BTreeMap<IssueKey, Vec<Observed>>,
    pub(crate) accounts: Vec<AccountView>,
    pub(crate) holds: Holds,
    /// Column by issue; `None` when there is no board or it could not be read: then no card is moved.
    pub(crate) columns: Option<BTreeMap<IssueKey, Option<String>>>,
    /// Listings that could be read.
    pub(crate) listings: BTreeMap<RepoName, Listed>,
    /// Everything that could not.
    pub(crate) unseen: Vec<Unseen>,
    /// Repositories, read at the first look into each.
    pub(crate) repos: Mutex<BTreeMap<RepoName, RepoView>>,
}

/// One repository's listing.
pub(crate) struct Listed {
    pub(crate) issues: BTreeMap<IssueNumber, ListedIssue>,
    pub(crate) pulls: Vec<ListedPull>,
    /// Tip of the branch that open pull requests of Hydra go to; read only where there are any.
    pub(crate) base_tip: Option<String>,
}

impl World {
    /// Reads it. Without the runtime, the accounts or the holds nothing can be decided: then it is an error.
    pub(crate) async fn read(shared: &Shared) -> Result<Self, Unseen> {
        let (config, ports) = (&shared.config, &shared.ports);
        let now = ports.clock.now();
        let observed = ports.runtime.list(&Selector::Mine).await.map_err(|error| Unseen::new("the runtime", error))?;
        let mut jobs: BTreeMap<IssueKey, Vec<Observed>> = BTreeMap::new();
        for job in observed {
            if let Some(key) = &job.key {
                jobs.entry(key.issue.clone()).or_default().push(job);
            }
        }
        let accounts = ports.accounts.list(now).await.map_err(|error| Unseen::new("the model accounts", error))?;
        let holds = Holds::read(&shared.state).map_err(|error| Unseen::new("the holds", error))?;
        let mut unseen = Vec::new();
        let mut names: BTreeSet<RepoName> = config.repos.iter().cloned().collect();
        let mut columns = None;
        if let Some(board) = &ports.board {
            match board.cards().await {
                Ok(cards) => {
                    if config.repos_from_board {
                        names.extend(cards.iter().map(|card| card.issue.repo.clone()));
                    }
                    columns = Some(cards.into_iter().map(|card| (card.issue, card.column)).collect());
                }
                Err(error) => unseen.push(Unseen::forge("the board", &error)),
            }
        }
        let trigger = format!("{}{}", config.policy.label_prefix, config.policy.trigger_label);
        let mut listings = BTreeMap::new();
        for repo in names {
            match list(shared, &repo, &trigger).await {
                Ok(listed) => _ = listings.insert(repo, listed),
                Err(error) => unseen.push(error),
            }
        }
        Ok(Self { now, jobs, accounts, holds, columns, listings, unseen, repos: Mutex::default() })
    }

    /// Slots that running jobs take, of issues that `counts` says yes to.
    pub(crate) fn slots(&self, shared: &Shared, counts: impl Fn(&IssueKey) -> bool) -> u32 {
        let weight = |stage| shared.config.policy.weights.get(&stage).copied().unwrap_or(1);
        let running = |job: &&Observed| matches!(job.status, RuntimeStatus::Running);
        let jobs =
            self.jobs.iter().filter(|(issue, _)| counts(issue)).flat_map(|(_, jobs)| jobs.iter().filter(running));
        jobs.filter_map(|job| job.key.as_ref()).map(|key| weight(key.stage)).sum()
    }
    pub(crate) fn listed(&self, key: &IssueKey) -> Option<&ListedIssue> {
        self.listings.get(&key.repo)?.issues.get(&key.number)
    }
    pub(crate) fn jobs_of(&self, key: &IssueKey) -> &[Observed] {
        self.jobs.get(key).map_or(&[], Vec::as_slice)
    }
    /// The repository, read once a cycle.
    pub(crate) async fn repo(&self, shared: &Shared, name: &RepoName) -> Result<RepoView, Unseen> {
        let mut repos = self.repos.lock().await;
        if let Some(repo) = repos.get(name) {
            return Ok(repo.clone());
        }
        let read = shared.ports.forge.repository(name).await;
        let repo = read.map_err(|error| Unseen::forge(format!("the repository {name}"), &error))?;
        repos.insert(name.clone(), repo.clone());
        Ok(repo)
    }
}

async fn list(shared: &Shared, repo: &RepoName, trigger: &str) -> Result<Listed, Unseen> {
    let read = shared.ports.forge.listing(repo, trigger).await;
    let Listing { issues, pulls } = read.map_err(|error| Unseen::forge(format!("the listing of {repo}"), &error))?;
    // GitHub does not touch a pull request when its base moves, and a conflict is to be seen all the same.
    let ours = pulls.iter().find(|pull| pull.head_ref.as_str().starts_with("hydra/"));
    let mut base_tip = None;
    if let Some(pull) = ours {
        let tips = shared.ports.workspace.tips(repo, &pull.base_ref, &pull.base_ref).await;
        let tips = tips.map_err(|error| Unseen::new(format!("the branch {} of {repo}", pull.base_ref), error))?;
        base_tip = Some(tips.base.to_string());
    }
    Ok(Listed { issues: issues.into_iter().map(|issue| (issue.key.number, issue)).collect(), pulls, base_tip })
}
