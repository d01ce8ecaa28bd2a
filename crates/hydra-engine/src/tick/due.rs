//! Which issues are looked at closely now: those whose cheap signs changed, whose time has come, or that never were.

use super::Branches;
use crate::{
    engine::Engine,
    known::{self, Memory, Waits},
    observe::{Unseen, World},
    report::CycleReport,
};
use hydra_core::{BranchName, IssueKey, RepoName, Timestamp};
use std::{
    collections::BTreeSet,
    hash::{DefaultHasher, Hash as _, Hasher as _},
    sync::Arc,
};

/// One issue that is due.
pub(super) struct Due {
    pub(super) key: IssueKey,
    /// What its cheap signs were.
    pub(super) print: u64,
}

impl Engine {
    /// In the order of repositories and numbers, so that of rivals the first is seen first.
    pub(super) fn due(&self, world: &World) -> Vec<Due> {
        let mut keys: BTreeSet<IssueKey> = BTreeSet::new();
        for (repo, listed) in &world.listings {
            keys.extend(listed.issues.values().map(|issue| issue.key.clone()));
            // An issue that left the listing lost its label or was closed.
            keys.extend(self.known.of_repo(repo).map(|(number, _)| IssueKey { repo: repo.clone(), number }));
        }
        let configured = |key: &IssueKey| self.shared.config.repos.contains(&key.repo);
        // Jobs of a repository whose listing failed wait; those of one that is not looked at any more must still be ended well.
        keys.extend(
            world.jobs.keys().filter(|key| world.listings.contains_key(&key.repo) || !configured(key)).cloned(),
        );
        let mut slots = self.slots_free(world);
        keys.into_iter().filter_map(|key| self.is_due(world, key, &mut slots)).collect()
    }

    fn is_due(&self, world: &World, key: IssueKey, slots: &mut u32) -> Option<Due> {
        let print = self.print(world, &key);
        let Some(memory) = self.known.get(&key) else { return Some(Due { key, print }) };
        if is_due(memory, print, world.now) {
            return Some(Due { key, print });
        }
        if memory.waits.any(Waits::SLOT) && *slots > 0 {
            *slots -= 1;
            return Some(Due { key, print });
        }
        None
    }

    /// How many of those that wait for a slot are looked at: twice as many as there are free slots, as some will not use theirs.
    fn slots_free(&self, world: &World) -> u32 {
        let used = world.slots(&self.shared, |_| true);
        self.shared.config.policy.slots.saturating_sub(used).saturating_mul(2)
    }

    /// The fingerprint of an issue, as far as its branch is known.
    fn print(&self, world: &World, key: &IssueKey) -> u64 {
        self.print_with(world, key, self.known.get(key).and_then(|memory| memory.branch.as_ref()))
    }

    /// The fingerprint of an issue whose work branch is this one.
    pub(super) fn print_with(&self, world: &World, key: &IssueKey, branch: Option<&BranchName>) -> u64 {
        let listed = world.listings.get(&key.repo);
        let pull = branch.and_then(|branch| listed?.pulls.iter().find(|pull| pull.head_ref == *branch));
        let jobs = world.jobs_of(key).iter().map(|job| (job.id.as_str(), &job.status));
        let base = listed.and_then(|listed| listed.base_tip.as_deref());
        known::print(world.listed(key), pull, base, jobs)
    }

    /// A process that knows nothing yet asks once which leases stand: an issue that left the listing while nobody looked is brought to rest too.
    pub(super) async fn find_leases(&mut self, world: &World, report: &mut CycleReport) {
        let shared = Arc::clone(&self.shared);
        let repos: Vec<&RepoName> = world.listings.keys().filter(|repo| !self.asked.contains(*repo)).collect();
        for repo in repos {
            match shared.ports.leases.standing(repo).await {
                Ok(numbers) => {
                    for number in numbers {
                        let key = IssueKey { repo: repo.clone(), number };
                        if self.known.get(&key).is_none() {
                            self.known.put(&key, Memory { dirty: true, ..Memory::default() });
                        }
                    }
                    self.asked.insert(repo.clone());
                }
                Err(error) => self.unseen(None, &Unseen::forge(format!("the leases of {repo}"), &error), report),
            }
        }
    }

    /// Wakes what waits for holds, accounts or the day when these changed.
    pub(super) fn notice_waits(&mut self, world: &World) {
        let mut hash = DefaultHasher::new();
        format!(
            "{:?}",
            (&world.accounts, &world.holds, world.holds.of_all(world.now), world.holds.of_repos(world.now))
        )
        .hash(&mut hash);
        format!("{:?}", self.breaker.hold(world.now)).hash(&mut hash);
        world.now.as_second().div_euclid(86_400).hash(&mut hash);
        let now = hash.finish();
        if now != self.last_waits {
            self.last_waits = now;
            self.known.wake_all(|memory| memory.waits.any(Waits::HOLD.and(Waits::ACCOUNT)));
            // A cancel must reach an issue that runs.
            let held: Vec<IssueKey> = world.holds.issues.keys().filter_map(|key| key.parse().ok()).collect();
            for key in held {
                self.known.edit(&key, |memory| memory.dirty = true);
            }
        }
    }

    /// Which issues name which work branch, by what is remembered.
    pub(super) fn branches(&self) -> Branches {
        let mut branches = Branches::new();
        for (key, memory) in self.known.all() {
            if let Some(branch) = &memory.branch {
                branches.entry((key.repo, branch.clone())).or_default().insert(key.number);
            }
        }
        branches
    }

    /// What left the listing and rests is remembered no more.
    pub(super) fn forget_gone(&mut self, world: &World) {
        let gone: Vec<IssueKey> = self
            .known
            .all()
            .filter(|(key, memory)| {
                let listed = world.listings.get(&key.repo);
                let away = listed.is_some_and(|listed| !listed.issues.contains_key(&key.number));
                away && memory.rests && !memory.dirty && world.jobs_of(key).is_empty()
            })
            .map(|(key, _)| key)
            .collect();
        for key in gone {
            self.known.forget(&key);
        }
    }
}

fn is_due(memory: &Memory, print: u64, now: Timestamp) -> bool {
    let in_trouble = memory.failed > 0 && memory.wake.is_some_and(|wake| wake > now) && !memory.dirty;
    let changed = memory.print != print && !in_trouble;
    memory.dirty || changed || memory.wake.is_some_and(|wake| wake <= now)
}
