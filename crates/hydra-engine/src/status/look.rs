//! A look at everything, or at one issue, that plans as a cycle does and carries nothing out: no lease, no write at the forge.

use super::{
    AccountFacts, HoldFacts, IssueFacts, JobFacts, LocalFacts,
    local::{in_force, recalled},
};
use crate::{
    engine::{Engine, EngineError},
    observe::{Look, Looked, People, Unseen, World, rivals},
    report::{Failure, Side},
    tick::Branches,
    watch::Shared,
};
use futures_util::{StreamExt as _, stream};
use hydra_core::{
    IssueKey, Timestamp,
    job::RuntimeStatus,
    plan::{Budget, IssuePlan, IssueSnapshot, PlanPolicy},
    ports::AccountView,
};
use serde::Serialize;
use std::{collections::BTreeSet, sync::Arc};

/// Issues that are looked at at the same time.
const AT_ONCE: usize = 8;
/// Other issues of the repository that are read to find one that names the same change.
const MOST_RIVALS: usize = 300;

/// Everything, at one moment.
#[derive(Debug, Clone, Serialize)]
pub struct Overview {
    /// When it was looked.
    pub now: Timestamp,
    /// The installation.
    pub instance: String,
    /// Repositories whose listing could be read.
    pub repos: Vec<String>,
    /// Issues that carry the trigger label or have jobs, by repository and number.
    pub issues: Vec<IssueFacts>,
    /// Jobs that belong to none of these issues.
    pub other_jobs: Vec<JobFacts>,
    /// Slots.
    pub slots: SlotFacts,
    /// The day's budget; absent when it is not known.
    pub day: Option<DayFacts>,
    /// Model accounts.
    pub accounts: Vec<AccountFacts>,
    /// Holds that are in force.
    pub holds: Vec<HoldFacts>,
    /// Why nothing starts, when too much failed alike.
    pub breaker: Option<String>,
    /// What could not be seen. What is missing above because of it is unknown, not absent.
    pub unseen: Vec<UnseenFacts>,
}

/// Slots.
#[derive(Debug, Clone, Copy, Serialize)]
pub struct SlotFacts {
    /// In use by running jobs.
    pub used: u32,
    /// In all.
    pub total: u32,
}

/// The day's budget, over the issues that were seen.
#[derive(Debug, Clone, Copy, Serialize)]
pub struct DayFacts {
    /// Spent since 00:00 UTC, in millionths of a US dollar.
    pub usd_micros: u64,
    /// The limit.
    pub limit_usd_micros: Option<u64>,
    /// Tokens since 00:00 UTC.
    pub tokens: u64,
    /// The limit.
    pub limit_tokens: Option<u64>,
}

/// What could not be seen.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct UnseenFacts {
    /// The issue, where it is one issue's.
    pub issue: Option<String>,
    /// What.
    pub what: String,
    /// Why.
    pub why: String,
    /// Who refused or did not answer.
    pub side: Side,
}

impl Overview {
    /// What this machine alone knows, where the forge cannot be asked.
    #[must_use]
    pub fn of_this_machine(
        instance: &str,
        policy: &PlanPolicy,
        accounts: &[AccountView],
        local: LocalFacts,
        unseen: UnseenFacts,
    ) -> Self {
        let weight = |job: &JobFacts| job.stage.and_then(|stage| policy.weights.get(&stage).copied()).unwrap_or(1);
        let used = local.jobs.iter().filter(|job| job.state == "running").map(weight).sum();
        Self {
            now: local.now,
            instance: instance.to_owned(),
            repos: Vec::new(),
            issues: Vec::new(),
            other_jobs: local.jobs,
            slots: SlotFacts { used, total: policy.slots },
            day: None,
            accounts: accounts.iter().map(AccountFacts::from).collect(),
            holds: local.holds,
            breaker: local.breaker,
            unseen: vec![unseen],
        }
    }

    /// Takes over what became of jobs since it was looked.
    pub fn refresh(&mut self, local: LocalFacts) {
        self.now = local.now;
        self.holds = local.holds;
        self.breaker = local.breaker;
        let mut fresh: Vec<JobFacts> = local.jobs;
        for issue in &mut self.issues {
            let of_issue = |job: &JobFacts| job.issue.as_ref() == Some(&issue.issue);
            let (mine, rest) = fresh.into_iter().partition(of_issue);
            (issue.jobs, fresh) = (mine, rest);
        }
        self.other_jobs = fresh;
    }
}

impl From<&Failure> for UnseenFacts {
    fn from(failure: &Failure) -> Self {
        Self {
            issue: failure.issue.as_ref().map(ToString::to_string),
            what: failure.what.clone(),
            why: failure.why.clone(),
            side: failure.side,
        }
    }
}

impl Engine {
    /// Looks at everything that a cycle would look at, and plans; carries nothing out.
    ///
    /// # Errors
    /// When the runtime, the accounts or the holds cannot be read. What the forge refuses stands in [`Overview::unseen`].
    pub async fn overview(&mut self) -> Result<Overview, EngineError> {
        let shared = Arc::clone(&self.shared);
        let world = World::read(&shared).await.map_err(error)?;
        recall(&shared, &world);
        let mut keys: BTreeSet<IssueKey> = world.jobs.keys().cloned().collect();
        keys.extend(world.listings.values().flat_map(|listed| listed.issues.values().map(|issue| issue.key.clone())));
        let people = People::default();
        let none = Branches::new();
        let mut unseen: Vec<UnseenFacts> = world.unseen.iter().map(|error| self.fact(None, error)).collect();
        let mut seen: Vec<Looked> = Vec::new();
        let mut branches = Branches::new();
        {
            let look = Look { shared: &shared, world: &world, people: &people, branches: &none };
            let mut looks =
                stream::iter(keys.iter()).map(|key| look.at(key)).buffered(AT_ONCE).zip(stream::iter(&keys));
            while let Some((looked, key)) = looks.next().await {
                match looked {
                    Ok(looked) => {
                        if let Some(branch) = &looked.branch {
                            let entry = branches.entry((key.repo.clone(), branch.clone())).or_default();
                            entry.insert(key.number);
                        }
                        seen.push(looked);
                    }
                    Err(error) => unseen.push(self.fact(Some(key), &error)),
                }
            }
        }
        let snapshots: Vec<IssueSnapshot> = seen
            .into_iter()
            .map(|looked| {
                let mut snapshot = looked.snapshot;
                snapshot.rivals = rivals(&snapshot, &branches);
                snapshot
            })
            .collect();
        let shown: BTreeSet<IssueKey> = snapshots.iter().map(|snapshot| snapshot.key.clone()).collect();
        let issues = self.facts(&world, snapshots);
        let other = world.jobs.iter().filter(|(key, _)| !shown.contains(key)).flat_map(|(_, jobs)| jobs);
        let day = shared.ledger.day_spend(world.now);
        let Budget { usd, tokens } = shared.config.policy.day_budget;
        Ok(Overview {
            now: world.now,
            instance: shared.config.instance.clone(),
            repos: world.listings.keys().map(ToString::to_string).collect(),
            other_jobs: other.map(|job| JobFacts::of(job, &shared.progress(&job.id)).heard(&shared.state)).collect(),
            slots: SlotFacts { used: world.slots(&shared, |_| true), total: shared.config.policy.slots },
            day: Some(DayFacts {
                usd_micros: day.cost.0,
                limit_usd_micros: usd.map(|usd| usd.0),
                tokens: day.tokens.total(),
                limit_tokens: tokens,
            }),
            accounts: world.accounts.iter().map(AccountFacts::from).collect(),
            holds: in_force(&world.holds, world.now),
            breaker: self.breaker.hold(world.now).map(|hold| hold.reason),
            issues,
            unseen,
        })
    }

    /// Looks at one issue, whether it carries the trigger label or not, and plans; carries nothing out.
    ///
    /// # Errors
    /// When anything that the answer depends on cannot be read.
    pub async fn explain(&mut self, key: &IssueKey) -> Result<IssueFacts, EngineError> {
        let (world, snapshot) = self.look_at(key).await?;
        self.facts(&world, vec![snapshot])
            .pop()
            .ok_or_else(|| EngineError::Failed { what: "the plan".into(), why: "it says nothing of the issue".into() })
    }

    /// One issue as a cycle would see it.
    pub(crate) async fn look_at(&self, key: &IssueKey) -> Result<(World, IssueSnapshot), EngineError> {
        let shared = Arc::clone(&self.shared);
        let world = World::read(&shared).await.map_err(error)?;
        recall(&shared, &world);
        // Without the listing of its repository nobody knows which issue goes first.
        let watched = shared.config.repos_from_board || shared.config.repos.contains(&key.repo);
        if watched
            && !world.listings.contains_key(&key.repo)
            && let Some(missing) = world.unseen.first()
        {
            return Err(error(missing.clone()));
        }
        let people = People::default();
        let branches = self.others(&shared, &world, key).await?;
        let look = Look { shared: &shared, world: &world, people: &people, branches: &branches };
        let mut looked = look.at(key).await.map_err(error)?;
        looked.snapshot.rivals = rivals(&looked.snapshot, &branches);
        Ok((world, looked.snapshot))
    }

    /// Which other issues with the trigger label name which work branch.
    async fn others(&self, shared: &Shared, world: &World, key: &IssueKey) -> Result<Branches, EngineError> {
        let mut branches = Branches::new();
        let listed = world.listings.get(&key.repo);
        let keys = listed.into_iter().flat_map(|listed| listed.issues.values().map(|issue| issue.key.clone()));
        let keys: Vec<IssueKey> = keys.filter(|other| other != key).take(MOST_RIVALS).collect();
        let mut read = stream::iter(&keys).map(|key| shared.ports.forge.issue(key)).buffered(AT_ONCE);
        while let Some(issue) = read.next().await {
            let issue = issue.map_err(|error| EngineError::Forge(error.to_string()))?;
            if let Some(branch) = crate::observe::branch_of(shared, &issue) {
                branches.entry((key.repo.clone(), branch)).or_default().insert(issue.key.number);
            }
        }
        Ok(branches)
    }

    fn facts(&self, world: &World, issues: Vec<IssueSnapshot>) -> Vec<IssueFacts> {
        let together = self.snapshot(world, issues);
        let plans: Vec<IssuePlan> = (self.planner)(&together).issues;
        let policy = &self.shared.config.policy;
        let trigger = format!("{}{}", policy.label_prefix, policy.trigger_label);
        let state = &self.shared.state;
        let facts = together.issues.iter().zip(&plans).map(|(seen, plan)| IssueFacts::of(seen, plan, &trigger));
        let heard = |facts: IssueFacts| {
            let jobs = facts.jobs.into_iter().map(|job| job.heard(state)).collect();
            IssueFacts { jobs, ..facts }
        };
        facts.map(heard).collect()
    }

    fn fact(&self, issue: Option<&IssueKey>, error: &Unseen) -> UnseenFacts {
        UnseenFacts {
            issue: issue.map(ToString::to_string),
            what: error.what.clone(),
            why: self.shared.config.scrub(&error.why),
            side: error.side,
        }
    }
}

/// Running jobs are most likely followed by another process: what it wrote down of them is taken over.
fn recall(shared: &Shared, world: &World) {
    let running = world.jobs.values().flatten().filter(|job| matches!(job.status, RuntimeStatus::Running));
    for job in running {
        let tally = recalled(&shared.state, &job.id, &shared.config.prices);
        if let Some(key) = &job.key {
            shared.ledger.live(&job.id, &key.issue, tally.progress.spend, world.now);
        }
        shared.put(&job.id, &tally);
    }
}

fn error(unseen: Unseen) -> EngineError {
    let text = unseen.to_string();
    match unseen.side {
        Side::Forge | Side::Git => EngineError::Forge(text),
        Side::Runtime => EngineError::Runtime(text),
        Side::Machine | Side::Hydra => EngineError::Failed { what: unseen.what, why: unseen.why },
    }
}
