//! One step of an active run: settle what ended, decide the phase, ask for what is due.

use super::{
    Action, Budget, Draft, Event, JobOutcome, JobSeen, OutcomeKind, Reason, StopReason, build, door, draft, gates,
    judge, planner,
};
use crate::{
    Stage,
    job::RuntimeStatus,
    record::{Phase, StageResult},
};

/// Takes an issue with a record as far as it goes now.
pub(super) fn advance(draft: &mut Draft<'_>) {
    sweep(draft);
    // Each turn settles or moves the phase at most once; the bound only guards against a table that runs in circles.
    for _ in 0..8 {
        let before = draft.record.as_ref().map(|record| record.phase.clone());
        match before.clone() {
            None => return,
            Some(Phase::Build) => build::work(draft, Stage::Build),
            Some(Phase::FixQuality) => build::work(draft, Stage::FixQuality),
            Some(Phase::Fix) => build::work(draft, Stage::Fix),
            Some(Phase::Quality) => judge::quality(draft),
            Some(Phase::Review) => judge::reviews(draft),
            Some(Phase::Apply) => judge::apply(draft),
            Some(Phase::Ready) => judge::ready(draft),
            Some(Phase::NeedsInput { .. } | Phase::Maxed { .. } | Phase::Cancelled { .. } | Phase::Finished { .. }) => {
            }
        }
        let after = draft.record.as_ref().map(|record| record.phase.clone());
        if after == before {
            break;
        }
        draft.wants.clear();
    }
    if draft.record.as_ref().is_some_and(|record| !draft::is_active(&record.phase)) {
        draft.wants.clear();
        stop_all(draft);
        if let Some(reason) = draft.record.as_ref().and_then(planner::rest_reason) {
            draft.because(reason);
        }
    }
    orphans(draft);
}

/// Jobs of this generation that no entry speaks of and nothing waits for: started by an orchestrator that died, after which things went
/// another way. They are stopped, counted and removed like any other.
fn orphans(draft: &mut Draft<'_>) {
    let Some(record) = &draft.record else { return };
    let is_orphan = |job: &&JobSeen| {
        job.key.generation == record.generation
            && !record.stages.iter().any(|entry| entry.job == *job.id())
            && !draft.wants.iter().any(|want| want.order.key == job.key)
    };
    let orphans: Vec<JobSeen> = draft.seen.jobs.iter().filter(is_orphan).cloned().collect();
    for job in orphans {
        match job.observed.status {
            RuntimeStatus::Created => {
                draft.remove.push(job.id().clone());
                continue;
            }
            RuntimeStatus::Running => {
                draft.effects.push(Action::StopJob { job: job.id().clone(), why: StopReason::Superseded });
            }
            // It is removed at the next look, once its cost is known.
            RuntimeStatus::Exited { .. } | RuntimeStatus::Lost { .. } => {}
        }
        close_entry(draft, &job, StageResult::Stopped, "nothing waited for it any more");
    }
}

/// Jobs of other generations, and ended jobs that the record has settled already, are in nobody's way for long.
fn sweep(draft: &mut Draft<'_>) {
    let Some(record) = &draft.record else { return };
    let kept = matches!(record.phase, Phase::FixQuality).then(|| last_quality(draft)).flatten();
    let mut effects = Vec::new();
    let mut remove = Vec::new();
    let mut paid = Vec::new();
    let mut uncounted = Vec::new();
    for job in &draft.seen.jobs {
        let stale = job.key.generation != record.generation;
        let entry = record.stages.iter().find(|entry| entry.job == *job.id() && entry.result != StageResult::Running);
        let settled = entry.is_some();
        if matches!(job.observed.status, RuntimeStatus::Running) {
            if stale || settled {
                effects.push(Action::StopJob { job: job.id().clone(), why: StopReason::Stale });
            }
        } else if stale || (settled && kept.as_ref() != Some(job.id())) {
            remove.push(job.id().clone());
        }
        // A job that was stopped was settled by what it had said until then: its events say what it really cost.
        if let (Some(entry), Some(outcome)) = (entry, &job.outcome)
            && entry.spend != outcome.spend
        {
            paid.push((job.id().clone(), outcome.spend));
        }
        // Started for a generation that was never written down, because something else was asked for meanwhile.
        if job.key.generation > record.generation && entry.is_none() {
            uncounted.push(job.clone());
        }
    }
    for job in uncounted {
        let ended = !matches!(job.observed.status, RuntimeStatus::Running);
        if let (true, Some(outcome), Some(record)) = (ended, &job.outcome, draft.record.as_mut()) {
            // First in the row, so that it is not taken for the newest run of its stage.
            let mut entry = draft::Adopted { job: &job, now: draft.world.now }.entry();
            (entry.result, entry.spend, entry.ended_at) = (StageResult::Stopped, outcome.spend, Some(draft.world.now));
            StopReason::Stale.as_str().clone_into(&mut entry.note);
            record.stages.insert(0, entry);
        }
    }
    for (id, spend) in paid {
        if let Some(entry) = draft.record.as_mut().and_then(|r| r.stages.iter_mut().find(|entry| entry.job == id)) {
            entry.spend = spend;
        }
    }
    draft.effects.extend(effects);
    draft.remove.extend(remove);
}

/// The newest quality run of the present round: its output is what the fixer mends.
pub(super) fn last_quality(draft: &Draft<'_>) -> Option<crate::JobId> {
    let record = draft.record.as_ref()?;
    draft::newest(record, Stage::Quality).map(|entry| entry.job.clone())
}

/// Stops every running job of the issue; settles their entries.
fn stop_all(draft: &mut Draft<'_>) {
    let Some(record) = draft.record.as_ref() else { return };
    let why = match &record.phase {
        Phase::Cancelled { detail } if detail.contains("took the label") => StopReason::LabelRemoved,
        Phase::Cancelled { .. } => StopReason::Cancelled,
        Phase::NeedsInput { need: crate::record::Need::Budget, .. } => StopReason::Budget,
        Phase::Finished { .. } => StopReason::Closed,
        Phase::NeedsInput { .. }
        | Phase::Maxed { .. }
        | Phase::Ready
        | Phase::Build
        | Phase::Quality
        | Phase::FixQuality
        | Phase::Review
        | Phase::Fix
        | Phase::Apply => StopReason::Superseded,
    };
    let running: Vec<_> = draft
        .seen
        .jobs
        .iter()
        .filter(|job| matches!(job.observed.status, RuntimeStatus::Running))
        .filter(|job| {
            !draft.effects.iter().any(|action| matches!(action, Action::StopJob { job: id, .. } if id == job.id()))
        })
        .cloned()
        .collect();
    for job in running {
        draft.effects.push(Action::StopJob { job: job.id().clone(), why });
        close_entry(draft, &job, StageResult::Stopped, why.as_str());
    }
    // An entry whose job ended or vanished in the meantime is closed too, with what it cost where that is known.
    let open: Vec<_> = draft.record.as_ref().map_or(Vec::new(), |record| {
        record
            .stages
            .iter()
            .filter(|entry| entry.result == StageResult::Running)
            .map(|entry| entry.job.clone())
            .collect()
    });
    for id in open {
        if let Some(job) = draft.seen.jobs.iter().find(|job| *job.id() == id).cloned() {
            close_entry(draft, &job, StageResult::Stopped, why.as_str());
            draft.remove.push(id);
        } else {
            let now = draft.world.now;
            if let Some(entry) = draft.record.as_mut().and_then(|r| r.stages.iter_mut().find(|entry| entry.job == id)) {
                entry.ended_at = Some(now);
            }
            draft.settle(&id, StageResult::Stopped, why.as_str());
        }
    }
}

/// Settles what a generation that ends has left: what it cost is counted.
pub(super) fn settle_ended(draft: &mut Draft<'_>) {
    let Some(record) = &draft.record else { return };
    let generation = record.generation;
    let open = |job: &&JobSeen| {
        let entry = record.stages.iter().find(|entry| entry.job == *job.id());
        job.key.generation == generation && entry.is_none_or(|entry| entry.result == StageResult::Running)
    };
    let jobs: Vec<JobSeen> = draft.seen.jobs.iter().filter(open).cloned().collect();
    for job in jobs {
        close_entry(draft, &job, StageResult::Stopped, StopReason::Superseded.as_str());
    }
}

/// Closes a job's entry with its result, its end and its cost.
pub(super) fn close_entry(draft: &mut Draft<'_>, job: &JobSeen, result: StageResult, note: &str) {
    let ended_at = match &job.observed.status {
        RuntimeStatus::Exited { at, .. } => *at,
        RuntimeStatus::Created | RuntimeStatus::Running | RuntimeStatus::Lost { .. } => draft.world.now,
    };
    let (spend, account) = match &job.outcome {
        Some(outcome) => (outcome.spend, outcome.account.clone()),
        None => (job.progress.spend, job.progress.account.clone()),
    };
    let told = job.outcome.as_ref().map_or("", |outcome| &outcome.egress);
    let egress = draft::egress(told, &draft.world.policy.allow_hosts);
    let adopt = draft::Adopted { job, now: draft.world.now };
    if let Some(record) = draft.record.as_mut() {
        adopt.into_record(record);
        if let Some(entry) = record.stages.iter_mut().rev().find(|entry| entry.job == *job.id()) {
            entry.ended_at = Some(ended_at);
            entry.spend = spend;
            entry.account = account.or(entry.account.take());
            entry.egress = egress;
        }
    }
    draft.settle(job.id(), result, note);
}

/// What became of the run of a stage that is due.
pub(super) enum Run<'a> {
    /// There is none: a start may be asked for.
    None,
    /// It runs, or its outputs are not read yet: nothing to do.
    Waiting,
    /// It ended by itself, and its outcome is the caller's to judge.
    Ended(&'a JobSeen, &'a JobOutcome),
    /// It broke in a way that is the same for every stage; that was dealt with.
    Dealt,
}

/// Looks at the run of a stage that is due, and deals with whatever is not the stage's own result.
pub(super) fn run<'a>(draft: &mut Draft<'a>, stage: Stage) -> Run<'a> {
    let Some(record) = &draft.record else { return Run::None };
    let (generation, round, attempt) = (record.generation, record.round, draft::ended(record, stage));
    let seen = draft.seen;
    let job = seen.jobs.iter().find(|job| {
        job.key.stage == stage
            && job.key.generation == generation
            && job.key.round == round
            && job.key.attempt == attempt
    });
    let Some(job) = job else {
        let open = draft::newest(record, stage).filter(|entry| entry.result == StageResult::Running);
        let Some(id) = open.map(|entry| entry.job.clone()) else { return Run::None };
        vanished(draft, &id);
        return Run::Dealt;
    };
    match &job.observed.status {
        RuntimeStatus::Created => Run::None,
        RuntimeStatus::Running => {
            let since = job.observed.created_at;
            draft.because(Reason::Running { stage, since, doing: job.progress.doing.clone() });
            adopt(draft, job);
            Run::Waiting
        }
        // Its record comes before anything that is made of its results: what a killed orchestrator left is then never mistaken for somebody else's.
        RuntimeStatus::Exited { .. } | RuntimeStatus::Lost { .. } if !is_recorded(draft, job) => {
            adopt(draft, job);
            draft.because(Reason::Working);
            draft.wake_at(door::soon(draft.world.now));
            Run::Waiting
        }
        RuntimeStatus::Exited { .. } | RuntimeStatus::Lost { .. } => match &job.outcome {
            None => {
                draft.because(Reason::Working);
                draft.wake_at(door::soon(draft.world.now));
                Run::Waiting
            }
            Some(outcome) => common(draft, job, outcome),
        },
    }
}

/// Takes a job that was started before its record could be written into the record.
fn adopt(draft: &mut Draft<'_>, job: &JobSeen) {
    let base = job.given.as_ref().map_or_else(|| draft.seen.base_tip.clone(), |given| given.base.clone());
    let branch = build::branch(draft);
    let adopt = draft::Adopted { job, now: draft.world.now };
    if let Some(record) = draft.record.as_mut() {
        record.base.get_or_insert(base);
        record.branch = record.branch.take().or(branch);
        adopt.into_record(record);
    }
}

/// Whether the record that the forge shows knows a job.
fn is_recorded(draft: &Draft<'_>, job: &JobSeen) -> bool {
    match &draft.seen.record {
        super::RecordRead::Valid(record) => record.stages.iter().any(|entry| entry.job == *job.id()),
        super::RecordRead::Absent | super::RecordRead::Bad { .. } => false,
    }
}

/// Ends that mean the same for every stage.
fn common<'a>(draft: &mut Draft<'a>, job: &'a JobSeen, outcome: &'a JobOutcome) -> Run<'a> {
    match &outcome.kind {
        OutcomeKind::Delivered { .. }
        | OutcomeKind::Refused { .. }
        | OutcomeKind::NoChange { .. }
        | OutcomeKind::Rfi(_)
        | OutcomeKind::Quality { .. }
        | OutcomeKind::Judged(_) => return Run::Ended(job, outcome),
        OutcomeKind::Broken { why, .. } => broken(draft, job, why),
        OutcomeKind::Outage { why, .. } => outage(draft, job, why),
        OutcomeKind::AccountUnusable { until, why } => {
            if let Some(account) = &outcome.account {
                let (account, until, why) = (account.clone(), *until, why.clone());
                draft.effects.push(Action::SetAside { account, until, why });
            }
            close_entry(draft, job, StageResult::Limited, why);
        }
        OutcomeKind::WrapperRefused { why } => {
            close_entry(draft, job, StageResult::Broken, why);
            draft.event(Event::WrapperRefused, why);
        }
        OutcomeKind::Stopped(why) => stopped(draft, job, *why),
    }
    draft.remove.push(job.id().clone());
    Run::Dealt
}

/// A failed attempt: again later, or no more.
pub(super) fn broken(draft: &mut Draft<'_>, job: &JobSeen, why: &str) {
    close_entry(draft, job, StageResult::Broken, why);
    let failed = draft.record.as_ref().map_or(0, |record| record.attempts) + 1;
    let due = gates::backoff(draft, failed);
    let most = draft.world.policy.max_attempts;
    let stage = job.key.stage;
    let Some(record) = draft.record.as_mut() else { return };
    record.attempts = failed;
    record.due = Some(due);
    record.last_error = Some(why.to_owned());
    record.errors.push(format!("{stage}, attempt {failed}: {}", draft::cut(why, 300)));
    if record.errors.len() > 20 {
        record.errors.remove(0);
    }
    if failed >= most {
        let all = record.errors.join("; ");
        draft.event(Event::AttemptsSpent, &all);
    }
}

/// An outage costs neither an attempt nor a round; the wait grows all the same.
fn outage(draft: &mut Draft<'_>, job: &JobSeen, why: &str) {
    close_entry(draft, job, StageResult::Outage, why);
    wait_out(draft, job.key.stage, why);
}

fn vanished(draft: &mut Draft<'_>, id: &crate::JobId) {
    let now = draft.world.now;
    let why = "the container vanished before its results could be read";
    let mut stage = Stage::Build;
    if let Some(entry) = draft.record.as_mut().and_then(|r| r.stages.iter_mut().rev().find(|entry| entry.job == *id)) {
        entry.ended_at = Some(now);
        stage = entry.stage;
    }
    draft.settle(id, StageResult::Outage, why);
    wait_out(draft, stage, why);
}

fn wait_out(draft: &mut Draft<'_>, stage: Stage, why: &str) {
    let Some(record) = draft.record.as_ref() else { return };
    let row = record.stages.iter().rev().filter(|entry| entry.stage == stage);
    let row = row.take_while(|entry| entry.result == StageResult::Outage).count();
    let due = gates::backoff(draft, u32::try_from(row).unwrap_or(u32::MAX));
    if let Some(record) = draft.record.as_mut() {
        record.due = Some(due);
        record.last_error = Some(why.to_owned());
    }
}

/// So often the day's budget may end the same work before a person is asked.
const DAYS: usize = 3;

/// How often the budget has ended this stage of this round since a person last asked: a day's budget that is never enough for it must not
/// be spent on it day after day.
fn cut_short(draft: &Draft<'_>, job: &JobSeen) -> usize {
    let Some(record) = &draft.record else { return 0 };
    let same = record.stages.iter().filter(|entry| {
        (entry.stage, entry.round) == (job.key.stage, job.key.round) && entry.started_at >= record.request.at
    });
    same.filter(|entry| entry.result == StageResult::Stopped && entry.note == StopReason::Budget.as_str()).count()
}

fn stopped(draft: &mut Draft<'_>, job: &JobSeen, why: StopReason) {
    match why {
        StopReason::TimeOut => broken(draft, job, "its time ran out"),
        StopReason::Stall => broken(draft, job, "it gave no sign of life for too long (stall)"),
        StopReason::NoSignOfLife => broken(draft, job, "it never gave a sign of life"),
        StopReason::Budget => {
            close_entry(draft, job, StageResult::Stopped, why.as_str());
            let of_issue = gates::issue_budget(draft);
            if of_issue.is_none() && draft.world.policy.day_budget != Budget::default() && cut_short(draft, job) < DAYS
            {
                // The day's: it goes on by itself when a new day begins.
                return;
            }
            let detail = of_issue.unwrap_or_else(|| {
                "the run was stopped at the budget while it went on; raise [budget] in hydra.toml and set the trigger label again".to_owned()
            });
            draft.event(Event::BudgetSpent, &detail);
        }
        StopReason::LabelRemoved
        | StopReason::Cancelled
        | StopReason::Closed
        | StopReason::Superseded
        | StopReason::Credential
        | StopReason::Shutdown
        | StopReason::Stale => close_entry(draft, job, StageResult::Stopped, why.as_str()),
    }
}
