//! One issue, looked at closely.

use super::{People, Unseen, World, change, pin, pulls, record};
use crate::{
    order,
    outcome::{self, Order},
    watch::Shared,
};
use hydra_core::{
    BranchName, ChangeName, CommitSha, IssueKey, IssueNumber, Login,
    job::Observed,
    pin::Pinned,
    plan::{ChangeRead, Given, IssueSnapshot, JobSeen, LeaseRead, RecordRead},
    ports::PullQuery,
    record::RunRecord,
    view::{IssueView, RepoView},
};
use std::collections::{BTreeMap, BTreeSet};

/// What a look needs.
pub(crate) struct Look<'a> {
    pub(crate) shared: &'a Shared,
    pub(crate) world: &'a World,
    pub(crate) people: &'a People,
    /// Branches of other issues that are known: how a change's issue is found.
    pub(crate) branches: &'a BTreeMap<(hydra_core::RepoName, BranchName), BTreeSet<IssueNumber>>,
}

/// What a look found.
pub(crate) struct Looked {
    pub(crate) snapshot: IssueSnapshot,
    /// The work branch, as far as it can be named.
    pub(crate) branch: Option<BranchName>,
}

impl Look<'_> {
    /// Looks at one issue.
    pub(crate) async fn at(&self, key: &IssueKey) -> Result<Looked, Unseen> {
        let shared = self.shared;
        let forge = &shared.ports.forge;
        let issue = forge.issue(key).await.map_err(|error| Unseen::forge(format!("the issue {key}"), &error))?;
        let repo = self.world.repo(shared, &key.repo).await?;
        let lease = self.lease(key).await?;
        let own: BTreeSet<Login> = shared.config.logins.values().cloned().collect();

        // The record's signature says which branch is meant; without one, the issue's own words do.
        let written = written_record(shared, &issue);
        let branch = branch(written.as_ref(), &issue);
        let pulls = match &branch {
            None => Vec::new(),
            Some(branch) => {
                let query = PullQuery::Head(branch.clone());
                let read = forge.pulls(&key.repo, &query).await;
                read.map_err(|error| Unseen::forge(format!("pull requests of {branch} in {}", key.repo), &error))?
            }
        };
        let (base_tip, head_tip) = self.tips(&repo, branch.as_ref()).await?;
        let record = record::read(shared, &issue, &lease, &pulls);
        let people = self.people.of(shared, &issue, &pulls).await?;
        let (pin, pinned) = pin::read(shared, &issue, &people, &record)?;
        let known = match &record {
            RecordRead::Valid(record) => Some(&**record),
            RecordRead::Absent | RecordRead::Bad { .. } => None,
        };
        let base = known.and_then(|record| record.base.clone()).unwrap_or_else(|| base_tip.clone());
        let change = self.change(&issue, &base, pinned.as_ref()).await?;
        let target = change::read_target(shared, &key.repo, &base).await?;
        let commands =
            target.and_then(|target| order::fits(&shared.config, &target).map(|()| target.checks_anything()));
        let (head_descends, conflicts) = self.relation(&repo, known, &base_tip, head_tip.as_ref()).await?;
        let generation = known.map_or(hydra_core::Generation(1), |record| record.generation);
        let verdicts = pulls::verdicts(shared, key, generation, &pulls);
        let mut jobs = Vec::new();
        for observed in self.world.jobs_of(key) {
            jobs.extend(self.job(observed, known, &lease).await?);
        }
        if let Some(record) = known {
            shared.ledger.settled(key, record, self.world.now);
        }
        let column = self.world.columns.as_ref().and_then(|columns| columns.get(key).cloned().flatten());
        let hold = self.world.holds.of_issue(key, self.world.now);
        let snapshot = IssueSnapshot {
            key: key.clone(),
            issue,
            repo,
            people,
            record,
            pin,
            lease,
            change,
            rivals: Vec::new(),
            pulls,
            base_tip,
            head_tip,
            head_descends,
            conflicts,
            commands,
            verdicts,
            jobs,
            column,
            hold,
            own,
        };
        Ok(Looked { snapshot, branch })
    }

    async fn lease(&self, key: &IssueKey) -> Result<LeaseRead, Unseen> {
        let read = self.shared.ports.leases.read(key).await;
        let held = match read {
            Ok(Some(held)) => held,
            Ok(None) => return Ok(LeaseRead::Free),
            Err(error) => return Err(Unseen::forge(format!("the lease of {key}"), &error)),
        };
        let owner = &held.record.owner;
        let lapsed = held.record.expires_at <= self.world.now;
        // Its own name comes first: whatever the table of processes says, who asks is not gone.
        Ok(if lapsed {
            LeaseRead::Stale(held)
        } else if *owner == self.shared.config.owner {
            LeaseRead::Mine(held)
        } else if (self.shared.config.owner_gone)(owner) {
            LeaseRead::Stale(held)
        } else {
            LeaseRead::Other(held)
        })
    }

    async fn tips(
        &self,
        repo: &RepoView,
        branch: Option<&BranchName>,
    ) -> Result<(CommitSha, Option<CommitSha>), Unseen> {
        let base = &repo.default_branch;
        let read = self.shared.ports.workspace.tips(&repo.name, base, branch.unwrap_or(base)).await;
        let tips = read.map_err(|error| Unseen::new(format!("the branches of {}", repo.name), error))?;
        Ok((tips.base, branch.and(tips.head)))
    }

    async fn change(&self, issue: &IssueView, base: &CommitSha, pinned: Option<&Pinned>) -> Result<ChangeRead, Unseen> {
        let repo = &issue.key.repo;
        let own = issue.key.number;
        let open_issue_of = move |name: &ChangeName| {
            let branch: BranchName = format!("hydra/{name}").parse().ok()?;
            self.branches.get(&(repo.clone(), branch))?.iter().copied().find(|number| *number != own)
        };
        // What is built is what was pinned; only an issue that is not pinned is read as it is now, to say what is wrong with it.
        let body = pinned.map_or(issue.body.as_str(), |pinned| pinned.body.as_str());
        change::read(self.shared, repo, base, body, &open_issue_of).await
    }

    /// Whether the branch's tip descends from the head that Hydra knows, and whether it conflicts with the base branch.
    async fn relation(
        &self,
        repo: &RepoView,
        record: Option<&RunRecord>,
        base_tip: &CommitSha,
        head_tip: Option<&CommitSha>,
    ) -> Result<(bool, bool), Unseen> {
        let Some(tip) = head_tip else { return Ok((true, false)) };
        let what = || format!("the work branch in {}", repo.name);
        let workspace = &self.shared.ports.workspace;
        let descends = match record.and_then(|record| record.head.as_ref()) {
            None => true,
            Some(head) if head == tip => true,
            // What the known head has beyond the point where both part: nothing, when the tip was built on it.
            Some(head) => {
                let (beyond, _) =
                    workspace.diff(&repo.name, tip, head).await.map_err(|error| Unseen::new(what(), error))?;
                beyond.files.is_empty()
            }
        };
        let moved = record.and_then(|record| record.base.as_ref()).is_none_or(|base| base != base_tip);
        let conflicts = match (moved, record) {
            (true, Some(_)) => {
                workspace.diff(&repo.name, base_tip, tip).await.map_err(|error| Unseen::new(what(), error))?.1
            }
            _ => false,
        };
        Ok((descends, conflicts))
    }

    async fn job(
        &self,
        observed: &Observed,
        record: Option<&RunRecord>,
        lease: &LeaseRead,
    ) -> Result<Option<JobSeen>, Unseen> {
        let Some(key) = observed.key.clone() else { return Ok(None) };
        let shared = self.shared;
        let stop =
            crate::stops::read(&shared.state, &observed.id).map_err(|error| Unseen::new("a stop's reason", error))?;
        let mut progress = shared.progress(&observed.id);
        progress.account = progress.account.or_else(|| outcome::account_of(observed));
        let record = record.filter(|record| record.generation == key.generation);
        let order = outcome::order_of(shared, observed, record).await?;
        let given = match &order {
            Some(Order::Kept(note)) => Some(Given { base: note.base.clone(), head: note.head.clone() }),
            Some(Order::Guessed(_) | Order::Lost) | None => None,
        };
        let outcome = match order {
            // What a job of another orchestrator left is that one's to judge: only it knows what it asked for and what it stopped.
            Some(order) if !matches!(lease, LeaseRead::Other(_)) => {
                outcome::judged(shared, observed, stop.as_ref(), order).await?
            }
            Some(_) | None => None,
        };
        let stop = stop.and_then(|note| note.why.reason());
        Ok(Some(JobSeen { key, observed: observed.clone(), progress, outcome, stop, given }))
    }
}

/// Fills in the rivals: other open issues of the repository with the trigger that name the same change.
pub(crate) fn rivals(
    snapshot: &IssueSnapshot,
    branches: &BTreeMap<(hydra_core::RepoName, BranchName), BTreeSet<IssueNumber>>,
) -> Vec<IssueNumber> {
    let name = match &snapshot.change {
        ChangeRead::Found { name, .. } | ChangeRead::Broken { name: Some(name), .. } => name,
        ChangeRead::Unnamed | ChangeRead::Broken { name: None, .. } => return Vec::new(),
    };
    let Ok(branch) = format!("hydra/{name}").parse::<BranchName>() else { return Vec::new() };
    let all = branches.get(&(snapshot.key.repo.clone(), branch));
    all.into_iter().flatten().copied().filter(|number| *number != snapshot.key.number).collect()
}

/// The record without regard to what else is seen: only to find the branch.
fn written_record(shared: &Shared, issue: &IssueView) -> Option<RunRecord> {
    match record::read(shared, issue, &LeaseRead::Free, &[]) {
        RecordRead::Valid(record) => Some(*record),
        RecordRead::Absent | RecordRead::Bad { .. } => None,
    }
}

/// The work branch of an issue that was read, as far as it can be named.
pub(crate) fn branch_of(shared: &Shared, issue: &IssueView) -> Option<BranchName> {
    branch(written_record(shared, issue).as_ref(), issue)
}

fn branch(record: Option<&RunRecord>, issue: &IssueView) -> Option<BranchName> {
    if let Some(branch) = record.and_then(|record| record.branch.clone()) {
        return Some(branch);
    }
    let named = hydra_core::openspec::change_named_by(&issue.body).ok().flatten();
    let change = record.and_then(|record| record.change.clone()).or(named)?;
    format!("hydra/{change}").parse().ok()
}
