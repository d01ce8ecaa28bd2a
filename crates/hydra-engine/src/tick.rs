//! One cycle: what changed is looked at closely, planned over all of it together, and carried out.

mod due;

use crate::{
    engine::{Died, Engine},
    frame,
    known::{Memory, Waits},
    observe::{Look, Looked, People, Unseen, World, rivals},
    observer::Happening,
    order,
    report::{CycleReport, Failure, Side},
    watch::Watched,
};
use due::Due;
use futures_util::{StreamExt as _, stream};
use hydra_core::{
    BranchName, IssueKey, IssueNumber, RepoName, Timestamp,
    job::RuntimeStatus,
    plan::{Action, IssuePlan, IssueSnapshot, LeaseRead, OutcomeKind, Reason, Snapshot},
    record::{Hold, HoldKind},
};
use std::{
    collections::{BTreeMap, BTreeSet},
    hash::{DefaultHasher, Hash as _, Hasher as _},
    sync::Arc,
    time::Duration,
};

/// Issues that are looked at at the same time.
const AT_ONCE: usize = 8;
/// Issues whose actions are planned together in one cycle; more wait for the next one.
const TOGETHER: usize = 64;
/// Failed looks or actions in a row after which an issue does not keep `poll` waiting any more.
pub(crate) const GIVE_UP: u32 = 4;

/// Which issues name which work branch.
pub(crate) type Branches = BTreeMap<(RepoName, BranchName), BTreeSet<IssueNumber>>;

/// An issue that was looked at and has something to do.
struct Kept {
    looked: Looked,
    print: u64,
}

impl Engine {
    /// Observes, plans, executes, once. Never fails as a whole: what could not be seen or done is in the report.
    pub async fn cycle(&mut self) -> CycleReport {
        let mut report = CycleReport::default();
        if self.is_dead() {
            report.died = true;
            return report;
        }
        if let Err(Died) = self.try_cycle(&mut report).await {
            report.died = true;
            // What is dead follows nothing any more.
            self.watches.stop().await;
        }
        report
    }

    async fn try_cycle(&mut self, report: &mut CycleReport) -> Result<(), Died> {
        self.watches.reap();
        self.renew_leases().await?;
        let shared = Arc::clone(&self.shared);
        let world = match World::read(&shared).await {
            Ok(world) => world,
            Err(error) => {
                self.unseen(None, &error, report);
                report.next_wake = Some(self.soon(error.until));
                return Ok(());
            }
        };
        for error in &world.unseen {
            self.unseen(None, error, report);
        }
        self.recover_audit(world.now);
        self.follow(&world);
        self.notice_waits(&world);
        self.find_leases(&world, report).await;
        report.listed = world.listings.values().map(|listed| listed.issues.len()).sum();

        let kept = self.look(&world, report).await;
        self.plan_and_execute(&world, kept, report).await?;
        if let Some((_, why)) = &self.audit_broken {
            let why = format!("nothing starts without it: {why}");
            report.failures.push(Failure { issue: None, what: "the audit log".into(), why, side: Side::Machine });
        }
        self.forget_gone(&world);
        self.sum_up(&world, report);
        Ok(())
    }

    /// Looks at everything that is due; keeps what has something to do.
    async fn look(&mut self, world: &World, report: &mut CycleReport) -> Vec<Kept> {
        let shared = Arc::clone(&self.shared);
        let due: Vec<Due> = self.due(world);
        let mut branches = self.branches();
        let before = branches.clone();
        let people = People::default();
        let look = Look { shared: &shared, world, people: &people, branches: &before };
        let mut looks = stream::iter(due.iter()).map(|due| look.at(&due.key)).buffered(AT_ONCE).zip(stream::iter(&due));
        let mut kept: Vec<Kept> = Vec::new();
        while let Some((looked, due)) = looks.next().await {
            report.looked_at += 1;
            let mut looked = match looked {
                Ok(looked) => looked,
                Err(error) => {
                    self.unseen(Some(&due.key), &error, report);
                    self.look_failed(due, &error, report);
                    continue;
                }
            };
            if let Some(branch) = &looked.branch {
                branches.entry((due.key.repo.clone(), branch.clone())).or_default().insert(due.key.number);
            }
            looked.snapshot.rivals = rivals(&looked.snapshot, &branches);
            self.remember_lease(&looked.snapshot);
            self.take_outcomes(world.now);
            // Planned by itself first: what rests is forgotten again at once, so that ten thousand of them cost no memory.
            let mut alone = self.snapshot(world, vec![looked.snapshot]);
            let plan = (self.planner)(&alone).issues.pop();
            let (Some(snapshot), Some(plan)) = (alone.issues.pop(), plan) else { continue };
            looked.snapshot = snapshot;
            let acts = !plan.actions.is_empty();
            let held = plan.reasons.iter().any(|reason| matches!(reason, Reason::Held { scope: "everything", .. }));
            if (acts || held) && kept.len() < TOGETHER {
                kept.push(Kept { looked, print: due.print });
            } else {
                self.remember(world, &looked, &plan, due.print, None, report);
                if acts {
                    self.known.edit(&due.key, |memory| memory.waits = memory.waits.and(Waits::SLOT));
                }
            }
        }
        kept
    }

    async fn plan_and_execute(&mut self, world: &World, kept: Vec<Kept>, report: &mut CycleReport) -> Result<(), Died> {
        if kept.is_empty() {
            return Ok(());
        }
        let (seen, rest): (Vec<IssueSnapshot>, Vec<(Option<BranchName>, u64)>) =
            kept.into_iter().map(|kept| (kept.looked.snapshot, (kept.looked.branch, kept.print))).unzip();
        let mut together = self.snapshot(world, seen);
        if together.hold.is_some() && self.audit_broken.is_none() && world.holds.of_all(world.now).is_none() {
            self.let_one_try(world, &mut together);
        }
        let plans = (self.planner)(&together).issues;
        for ((plan, snapshot), (branch, print)) in plans.into_iter().zip(together.issues).zip(rest) {
            let carried = self.carry_out(&plan, &snapshot, world, report).await?;
            let looked = Looked { snapshot, branch };
            self.remember(world, &looked, &plan, print, Some(carried), report);
        }
        Ok(())
    }

    /// Only the breaker holds: one issue may try, once its pause is over. It is one that would start now, and it has its say for as long as it
    /// has a job: one that was stopped, or could not begin, decides nothing.
    fn let_one_try(&mut self, world: &World, together: &mut Snapshot) {
        let before = self.breaker.clone();
        if self.breaker.current_trial(world.now).is_some_and(|issue| !world.jobs.contains_key(&issue)) {
            self.breaker.release_trial();
        }
        if self.breaker.wants_trial(world.now) {
            let keys: Vec<IssueKey> = together.issues.iter().map(|issue| issue.key.clone()).collect();
            let mut starts = |key: &IssueKey| {
                together.trial = Some(key.clone());
                let plans = (self.planner)(together).issues;
                let mut own = plans.iter().filter(|plan| plan.key == *key).flat_map(|plan| &plan.actions);
                own.any(|action| matches!(action, Action::StartJob(_)))
            };
            if let Some(key) = keys.into_iter().find(|key| starts(key)) {
                self.breaker.choose_trial(key);
            }
        }
        together.trial = self.breaker.current_trial(world.now);
        if before != self.breaker {
            self.keep_breaker();
        }
    }

    pub(crate) fn snapshot(&self, world: &World, issues: Vec<IssueSnapshot>) -> Snapshot {
        let now = world.now;
        let here: BTreeSet<IssueKey> = issues.iter().map(|issue| issue.key.clone()).collect();
        let audit = self.audit_broken.as_ref().map(|(since, why)| Hold {
            kind: HoldKind::Fault,
            reason: format!("the audit log cannot be written: {why}"),
            since: *since,
            until: None,
        });
        let breaker = self.breaker.hold(now);
        Snapshot {
            now,
            policy: self.shared.config.policy.clone(),
            slots_elsewhere: world.slots(&self.shared, |issue| !here.contains(issue)),
            issues,
            accounts: world.accounts.clone(),
            day_spend: self.shared.ledger.day_spend(now),
            hold: world.holds.of_all(now).or(audit).or(breaker),
            repo_holds: world.holds.of_repos(now),
            trial: self.breaker.current_trial(now),
        }
    }

    /// A lease of this very process that it does not remember (its answer was lost) is its own all the same.
    pub(crate) fn remember_lease(&mut self, seen: &IssueSnapshot) {
        match &seen.lease {
            LeaseRead::Mine(held) => {
                let generation = held.record.generation;
                let held = held.clone();
                let mine = self.leases.entry(seen.key.clone());
                mine.and_modify(|mine| mine.held = held.clone()).or_insert(crate::engine::Mine { held, generation });
            }
            LeaseRead::Free | LeaseRead::Stale(_) | LeaseRead::Other(_) => _ = self.leases.remove(&seen.key),
        }
    }

    /// New outcomes: told to the observer and to the breaker.
    fn take_outcomes(&mut self, now: Timestamp) {
        for (job, outcome) in self.shared.outcomes.fresh() {
            let Some(key) = job.key.clone() else { continue };
            match &outcome.kind {
                OutcomeKind::Outage { class, why } | OutcomeKind::Broken { class, why } => {
                    self.breaker_failed(class, &key.issue, why);
                }
                OutcomeKind::Delivered { .. }
                | OutcomeKind::Refused { .. }
                | OutcomeKind::NoChange { .. }
                | OutcomeKind::Rfi(_)
                | OutcomeKind::Quality { .. }
                | OutcomeKind::Judged(_) => self.breaker_worked(&key.issue),
                OutcomeKind::AccountUnusable { .. } | OutcomeKind::WrapperRefused { .. } | OutcomeKind::Stopped(_) => {}
            }
            let at = match &job.status {
                RuntimeStatus::Exited { at, .. } => *at,
                RuntimeStatus::Created | RuntimeStatus::Running | RuntimeStatus::Lost { .. } => now,
            };
            self.shared.ledger.live(&job.id, &key.issue, outcome.spend, now);
            let started_at = job.created_at;
            self.shared.observer.saw(&Happening::StageEnded { key, started_at, at, outcome: Box::new(outcome) });
        }
    }

    fn remember(
        &mut self,
        world: &World,
        looked: &Looked,
        plan: &IssuePlan,
        print: u64,
        carried: Option<crate::execute::CarriedOut>,
        report: &mut CycleReport,
    ) {
        let key = &plan.key;
        let old = self.known.get(key).cloned().unwrap_or_default();
        let texts: Vec<String> =
            plan.reasons.iter().map(|reason| self.shared.config.scrub(&reason.to_string())).collect();
        let mut hash = DefaultHasher::new();
        texts.hash(&mut hash);
        let reasons = hash.finish();
        if reasons != old.reasons {
            let kinds = plan.reasons.iter().map(Reason::name).collect();
            self.shared.observer.saw(&Happening::ReasonChanged { issue: key.clone(), reasons: texts.clone(), kinds });
        }
        if !self.terse {
            report.reasons.insert(key.clone(), texts);
        }
        if !self.terse
            && plan.reasons.iter().any(|reason| matches!(reason, Reason::NeedsInput { .. } | Reason::Maxed { .. }))
        {
            report.handed_over.insert(key.clone());
        }
        let waits = Waits::of(&plan.reasons);
        // Whose branch was not known before the look: its pull request belongs to the print too.
        let print =
            if looked.branch == old.branch { print } else { self.print_with(world, key, looked.branch.as_ref()) };
        let mut memory = Memory {
            print,
            wake: plan.wake,
            waits,
            rests: plan.rests,
            dirty: false,
            failed: 0,
            branch: looked.branch.clone(),
            reasons,
            // What another orchestrator holds is its to wait for.
            busy: plan.reasons.iter().any(goes_on) && !matches!(looked.snapshot.lease, LeaseRead::Other(_)),
        };
        if waits.any(Waits::OTHERS.and(Waits::LEASE)) && memory.wake.is_none() {
            memory.wake = world.now.checked_add(self.shared.config.poll_interval).ok();
        }
        if let Some(carried) = carried {
            memory.dirty = carried.done > 0 || carried.again;
            memory.busy |= memory.dirty;
            if carried.failed.is_some() {
                memory.failed = if carried.done > 1 { 1 } else { old.failed.saturating_add(1) };
                memory.busy = memory.failed < GIVE_UP;
                let again = carried.until.unwrap_or_else(|| later(world.now, backoff(memory.failed)));
                // What was done in part is looked at again soon, not at once: a cause that stays would spin.
                memory.dirty = carried.again && memory.failed < GIVE_UP;
                memory.wake = Some(memory.wake.map_or(again, |wake| wake.min(again)));
            }
        }
        self.known.put(key, memory);
    }

    fn look_failed(&mut self, due: &Due, error: &Unseen, report: &mut CycleReport) {
        let mut memory = self.known.get(&due.key).cloned().unwrap_or_default();
        memory.failed = memory.failed.saturating_add(1);
        memory.wake = Some(error.until.unwrap_or_else(|| later(self.now(), backoff(memory.failed))));
        memory.dirty = false;
        memory.rests = false;
        memory.busy = memory.failed < GIVE_UP;
        report.reasons.insert(
            due.key.clone(),
            vec![format!("it cannot be seen: {}", self.shared.config.scrub(&error.to_string()))],
        );
        self.known.put(&due.key, memory);
    }

    fn unseen(&self, issue: Option<&IssueKey>, error: &Unseen, report: &mut CycleReport) {
        let what = self.shared.config.scrub(&error.to_string());
        tracing::warn!(what, "not seen");
        self.shared.observer.saw(&Happening::Trouble { what: what.clone() });
        report.failures.push(Failure {
            issue: issue.cloned(),
            what: error.what.clone(),
            why: self.shared.config.scrub(&error.why),
            side: error.side,
        });
    }

    /// Every running job of this installation is followed, whoever started it.
    fn follow(&mut self, world: &World) {
        let shared = Arc::clone(&self.shared);
        for job in world.jobs.values().flatten().filter(|job| matches!(job.status, RuntimeStatus::Running)) {
            if self.watches.follows(&job.id) {
                continue;
            }
            let Some(key) = job.key.clone() else { continue };
            let note = order::read_note(&shared.state, &job.id).ok().flatten();
            let persona = shared.config.policy.personas.get(&key.stage);
            let limits = note.as_ref().map_or_else(|| frame::limits(&shared.config, key.stage), |note| note.limits);
            let watched = Watched {
                bounds: order::bounds(&shared.config, key.stage, limits, job.created_at),
                key,
                model: note.and_then(|note| note.model).or_else(|| persona.map(|persona| persona.model.clone())),
                account: crate::outcome::account_of(job),
            };
            self.watches.follow(&shared, &job.id, watched);
        }
    }

    fn recover_audit(&mut self, now: Timestamp) {
        if self.audit_broken.is_none() {
            return;
        }
        let facts = serde_json::json!({ "recovered": true });
        let entry = hydra_core::ports::AuditEntry { ts: now, kind: "cycle".into(), issue: None, job: None, facts };
        if self.shared.ports.audit.append(&entry).is_ok() {
            self.audit_broken = None;
            self.known.wake_all(|memory| memory.waits.any(Waits::HOLD));
        }
    }

    fn sum_up(&mut self, world: &World, report: &mut CycleReport) {
        let mut next = self.next_renewal();
        let mut earlier = |at: Option<Timestamp>| {
            if let Some(at) = at {
                next = Some(next.map_or(at, |already: Timestamp| already.min(at)));
            }
        };
        for (key, memory) in self.known.all() {
            if memory.dirty {
                earlier(Some(world.now));
            }
            earlier(memory.wake);
            if memory.busy {
                report.busy.push(key);
            }
        }
        report.next_wake = next;
        if !report.failures.is_empty() {
            let again = self.soon(None);
            report.next_wake = Some(report.next_wake.map_or(again, |wake| wake.min(again)));
        }
    }

    fn soon(&self, until: Option<Timestamp>) -> Timestamp {
        until.unwrap_or_else(|| later(self.now(), self.shared.config.poll_interval.min(Duration::from_secs(30))))
    }
}

/// Whether a reason says that something goes on by itself soon.
fn goes_on(reason: &Reason) -> bool {
    matches!(
        reason,
        Reason::Running { .. }
            | Reason::BackOff { .. }
            | Reason::MergeUnknown
            | Reason::NoEvent { .. }
            | Reason::Working
    )
}

fn backoff(failed: u32) -> Duration {
    Duration::from_secs(5).saturating_mul(1 << failed.saturating_sub(1).min(6))
}

fn later(now: Timestamp, by: Duration) -> Timestamp {
    now.checked_add(by).unwrap_or(Timestamp::MAX)
}
