//! What the loop remembers of each issue between cycles: as little as decides whether a closer look is due.

use hydra_core::{
    BranchName, IssueKey, IssueNumber, RepoName, Timestamp,
    job::RuntimeStatus,
    plan::Reason,
    view::{ListedIssue, ListedPull},
};
use std::{
    collections::BTreeMap,
    hash::{DefaultHasher, Hash as _, Hasher as _},
};

/// Kinds of reasons that end by something else than the issue itself.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Waits(u8);
impl Waits {
    pub(crate) const SLOT: Self = Self(1);
    pub(crate) const ACCOUNT: Self = Self(2);
    pub(crate) const HOLD: Self = Self(4);
    pub(crate) const OTHERS: Self = Self(8);
    pub(crate) const LEASE: Self = Self(16);

    pub(crate) fn of(reasons: &[Reason]) -> Self {
        Self(reasons.iter().fold(0, |bits, reason| {
            bits | match reason {
                Reason::NoSlot { .. } => Self::SLOT.0,
                Reason::NoAccount { .. } | Reason::DayBudget { .. } => Self::ACCOUNT.0,
                Reason::Held { .. } => Self::HOLD.0,
                Reason::Dependency { .. } | Reason::Rival { .. } => Self::OTHERS.0,
                Reason::Leased { .. } => Self::LEASE.0,
                Reason::NoTrigger { .. }
                | Reason::Closed
                | Reason::Archived
                | Reason::Running { .. }
                | Reason::BackOff { .. }
                | Reason::MergeUnknown
                | Reason::NeedsInput { .. }
                | Reason::Maxed { .. }
                | Reason::Ready { .. }
                | Reason::NoYolo { .. }
                | Reason::Cancelled { .. }
                | Reason::Finished { .. }
                | Reason::Working
                | Reason::ForeignLabel { .. }
                | Reason::NoRight { .. }
                | Reason::NoEvent { .. } => 0,
            }
        }))
    }
    pub(crate) const fn and(self, also: Self) -> Self {
        Self(self.0 | also.0)
    }
    pub(crate) const fn any(self, of: Self) -> bool {
        self.0 & of.0 != 0
    }
}

/// One issue between cycles.
#[derive(Debug, Clone, Default)]
pub(crate) struct Memory {
    /// Hash of what the listings and the runtime showed when it was last looked at.
    pub(crate) print: u64,
    /// Look again then.
    pub(crate) wake: Option<Timestamp>,
    /// What it waits for besides.
    pub(crate) waits: Waits,
    /// Nothing happens until the forge changes.
    pub(crate) rests: bool,
    /// Looked at again at once: something was done.
    pub(crate) dirty: bool,
    /// How often in a row its look or its actions failed.
    pub(crate) failed: u32,
    /// The work branch, to find its pull request in the listing.
    pub(crate) branch: Option<BranchName>,
    /// Hash of the reasons, to tell an observer when they change.
    pub(crate) reasons: u64,
    /// Something goes on by itself: `poll` waits for it.
    pub(crate) busy: bool,
}

/// All issues, by repository.
#[derive(Debug, Default)]
pub(crate) struct Known {
    repos: BTreeMap<RepoName, BTreeMap<IssueNumber, Memory>>,
}

impl Known {
    pub(crate) fn get(&self, key: &IssueKey) -> Option<&Memory> {
        self.repos.get(&key.repo)?.get(&key.number)
    }
    pub(crate) fn put(&mut self, key: &IssueKey, memory: Memory) {
        if !self.repos.contains_key(&key.repo) {
            self.repos.insert(key.repo.clone(), BTreeMap::new());
        }
        if let Some(issues) = self.repos.get_mut(&key.repo) {
            issues.insert(key.number, memory);
        }
    }
    pub(crate) fn edit(&mut self, key: &IssueKey, change: impl FnOnce(&mut Memory)) {
        if let Some(memory) = self.repos.get_mut(&key.repo).and_then(|issues| issues.get_mut(&key.number)) {
            change(memory);
        }
    }
    pub(crate) fn forget(&mut self, key: &IssueKey) {
        if let Some(issues) = self.repos.get_mut(&key.repo) {
            issues.remove(&key.number);
        }
    }
    pub(crate) fn of_repo<'k>(&'k self, repo: &'k RepoName) -> impl Iterator<Item = (IssueNumber, &'k Memory)> {
        self.repos.get(repo).into_iter().flatten().map(|(number, memory)| (*number, memory))
    }
    pub(crate) fn all(&self) -> impl Iterator<Item = (IssueKey, &Memory)> {
        self.repos.iter().flat_map(|(repo, issues)| {
            issues.iter().map(|(number, memory)| (IssueKey { repo: repo.clone(), number: *number }, memory))
        })
    }
    pub(crate) fn wake_all(&mut self, which: impl Fn(&Memory) -> bool) {
        for memory in self.repos.values_mut().flat_map(BTreeMap::values_mut).filter(|memory| which(memory)) {
            memory.dirty = true;
        }
    }
}

/// The fingerprint of what is cheap to see.
pub(crate) fn print<'j>(
    issue: Option<&ListedIssue>,
    pull: Option<&ListedPull>,
    base_tip: Option<&str>,
    jobs: impl Iterator<Item = (&'j str, &'j RuntimeStatus)>,
) -> u64 {
    let mut hash = DefaultHasher::new();
    if let Some(issue) = issue {
        (issue.updated_at, &issue.labels, &issue.title).hash(&mut hash);
    }
    if let Some(pull) = pull {
        (pull.number, &pull.head, pull.draft, &pull.labels, pull.updated_at, base_tip).hash(&mut hash);
    }
    for (id, status) in jobs {
        let kind = match status {
            RuntimeStatus::Created => 0u8,
            RuntimeStatus::Running => 1,
            RuntimeStatus::Exited { .. } => 2,
            RuntimeStatus::Lost { .. } => 3,
        };
        (id, kind).hash(&mut hash);
    }
    hash.finish()
}
