//! What was spent: settled in the records, and live by running jobs; per issue and per day. Shared by everything that may have to stop a job.

use hydra_core::{
    IssueKey, JobId, Timestamp,
    money::Spend,
    plan::{Budget, PlanPolicy},
    record::RunRecord,
};
use std::{
    collections::BTreeMap,
    sync::{Mutex, PoisonError},
};

/// Seconds of a day; days are counted in UTC.
const DAY: i64 = 86_400;

/// The ledger. Cheap to ask, never wrong by more than one response of each running job.
#[derive(Debug, Default)]
pub struct Ledger {
    inner: Mutex<Inner>,
}

#[derive(Debug, Default)]
struct Inner {
    /// Settled spend of issues that have running jobs.
    issues: BTreeMap<IssueKey, Spend>,
    /// Jobs whose spend is not in a record yet.
    live: BTreeMap<JobId, (IssueKey, Spend)>,
    /// Settled stages of today, by job: the day's sum is rebuilt from the records.
    today: BTreeMap<JobId, Spend>,
    day: i64,
}

/// Which budget is spent.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Spent {
    /// The issue's.
    Issue,
    /// The day's.
    Day,
}

impl Ledger {
    /// Takes over what a record says. Jobs that are settled in it are live no more.
    pub fn settled(&self, issue: &IssueKey, record: &RunRecord, now: Timestamp) {
        let mut inner = self.lock(now);
        inner.issues.insert(issue.clone(), record.spend());
        for entry in &record.stages {
            let Some(ended) = entry.ended_at else { continue };
            inner.live.remove(&entry.job);
            if day(ended) == inner.day {
                inner.today.insert(entry.job.clone(), entry.spend);
            }
        }
    }
    /// What a job that is not settled has spent so far.
    pub fn live(&self, job: &JobId, issue: &IssueKey, spend: Spend, now: Timestamp) {
        let mut inner = self.lock(now);
        if !inner.today.contains_key(job) {
            inner.live.insert(job.clone(), (issue.clone(), spend));
        }
    }
    /// A job is gone without having been settled: what it spent still counts for the day.
    pub fn gone(&self, job: &JobId, now: Timestamp) {
        let mut inner = self.lock(now);
        if let Some((_, spend)) = inner.live.remove(job) {
            inner.today.insert(job.clone(), spend);
        }
    }
    /// Spent today over all issues, live jobs included.
    #[must_use]
    pub fn day_spend(&self, now: Timestamp) -> Spend {
        let inner = self.lock(now);
        inner.today.values().copied().sum::<Spend>() + inner.live.values().map(|(_, spend)| *spend).sum()
    }
    /// Spent on an issue, live jobs included.
    #[must_use]
    pub fn issue_spend(&self, issue: &IssueKey, now: Timestamp) -> Spend {
        let inner = self.lock(now);
        let live: Spend = inner.live.values().filter(|(of, _)| of == issue).map(|(_, spend)| *spend).sum();
        inner.issues.get(issue).copied().unwrap_or_default() + live
    }
    /// Whether a budget that binds a running job of `issue` is spent.
    #[must_use]
    pub fn over(&self, issue: &IssueKey, policy: &PlanPolicy, now: Timestamp) -> Option<Spent> {
        let is = |budget: Budget, spend: Spend| budget.is_spent(spend.cost, spend.tokens);
        if is(policy.issue_budget, self.issue_spend(issue, now)) {
            return Some(Spent::Issue);
        }
        is(policy.day_budget, self.day_spend(now)).then_some(Spent::Day)
    }

    fn lock(&self, now: Timestamp) -> std::sync::MutexGuard<'_, Inner> {
        let mut inner = self.inner.lock().unwrap_or_else(PoisonError::into_inner);
        if inner.day != day(now) {
            inner.day = day(now);
            inner.today.clear();
        }
        inner
    }
}

fn day(at: Timestamp) -> i64 {
    at.as_second().div_euclid(DAY)
}

#[cfg(test)]
mod tests {
    use super::*;
    use hydra_core::Usd;

    #[test]
    fn live_jobs_of_one_issue_share_its_budget_and_a_new_day_begins_at_zero() {
        let ledger = Ledger::default();
        let (a, b): (IssueKey, IssueKey) = ("acme/shop#1".parse().unwrap(), "acme/shop#2".parse().unwrap());
        let (one, two): (JobId, JobId) = ("hydra-one".parse().unwrap(), "hydra-two".parse().unwrap());
        let spend = |dollars| Spend { cost: Usd::dollars(dollars), ..Spend::default() };
        let now = Timestamp::UNIX_EPOCH;
        ledger.live(&one, &a, spend(2), now);
        ledger.live(&two, &a, spend(3), now);
        assert_eq!(ledger.issue_spend(&a, now).cost, Usd::dollars(5));
        assert_eq!(ledger.issue_spend(&b, now).cost, Usd::dollars(0));
        ledger.gone(&one, now);
        assert_eq!(ledger.day_spend(now).cost, Usd::dollars(5));
        let tomorrow = Timestamp::from_second(DAY).unwrap();
        assert_eq!(ledger.day_spend(tomorrow).cost, Usd::dollars(3), "only what still runs");
    }
}
