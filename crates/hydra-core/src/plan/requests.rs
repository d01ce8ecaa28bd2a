//! What people ask for while a run exists: the trigger again, retry, rebuild, cancel, taking the label off, closing things.

use super::{Action, Draft, Event, PinRead, Reason, StopReason, door, draft, gates};
use crate::{
    Generation, Stage, TokenRole,
    job::RuntimeStatus,
    label::{REBUILD, RETRY},
    ports::ForgeWrite,
    record::{Need, Phase, Request, StageResult},
    view::{IssueState, LabelEvent, Permission, PullState},
};

/// Applies everything that people did since the last look.
pub(super) fn answer(draft: &mut Draft<'_>) {
    if let Some(record) = draft.record.as_mut() {
        record.pull = draft::own_pull(draft.seen, record).map(|pull| pull.number).or(record.pull);
    }
    closed(draft);
    label_removed(draft);
    if let Some(request) = newest_request(draft) {
        grant_or_refuse(draft, &request);
    }
    if let Some(why) = gates::cancelled(draft).map(|hold| hold.reason.clone()) {
        draft.event(Event::Cancel, &why);
    }
}

fn closed(draft: &mut Draft<'_>) {
    if let Some(pull) = draft.own_pull() {
        let number = pull.number;
        match pull.state {
            PullState::Open => {}
            PullState::Merged => draft.event(Event::Merged, &format!("pull request #{number} was merged")),
            PullState::Closed => {
                let by = pull.closed_by.as_ref().map_or("a person", |login| login.as_str());
                let detail = format!("pull request #{number} was closed by {by}; `{REBUILD}` starts over");
                draft.event(Event::Closed, &detail);
            }
        }
    }
    if draft.seen.issue.state == IssueState::Closed {
        draft.event(Event::Closed, "the issue was closed");
    }
}

fn label_removed(draft: &mut Draft<'_>) {
    let label = trigger(draft);
    let Some(record) = &draft.record else { return };
    let events = draft.seen.issue.label_events.iter();
    let newest = events.filter(|event| event.label.eq_ignore_ascii_case(&label)).max_by_key(|event| event.id);
    let Some(event) = newest.filter(|event| !event.added && event.id > record.answered) else { return };
    let detail = format!("{} took the label `{label}` off", event.actor);
    draft.event(Event::LabelRemoved, &detail);
}

/// What was asked for.
struct Asked {
    event: LabelEvent,
    what: What,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum What {
    Trigger,
    Retry,
    Rebuild,
}

fn newest_request(draft: &Draft<'_>) -> Option<Asked> {
    let record = draft.record.as_ref()?;
    let prefix = &draft.world.policy.label_prefix;
    let names = [
        (trigger(draft), What::Trigger),
        (format!("{prefix}{RETRY}"), What::Retry),
        (format!("{prefix}{REBUILD}"), What::Rebuild),
    ];
    let asked = names.into_iter().filter(|(name, _)| door::has_label(draft, name)).filter_map(|(name, what)| {
        let event = door::newest_set(&draft.seen.issue.label_events, &name)?;
        (event.id > record.answered).then(|| Asked { event: event.clone(), what })
    });
    asked.max_by_key(|asked| asked.event.id)
}

fn grant_or_refuse(draft: &mut Draft<'_>, asked: &Asked) {
    let needs = draft.world.policy.trigger_permission;
    let has = draft.seen.people.get(&asked.event.actor).copied().unwrap_or(Permission::None);
    let finished = draft.record.as_ref().is_some_and(|record| matches!(record.phase, Phase::Finished { .. }));
    let issue_closed = draft.seen.issue.state == IssueState::Closed;
    let starts_over = asked.what == What::Rebuild || finished;
    if starts_over && has >= needs && !issue_closed && stop_first(draft) {
        return;
    }
    // The label itself is taken off once the record says that it was answered: in between it is still a request.
    if let Some(record) = draft.record.as_mut() {
        record.answered = asked.event.id;
    }
    if has < needs {
        let (label, by) = (asked.event.label.clone(), asked.event.actor.clone());
        // One person who is everything is in the list of people.
        let own = draft.seen.own.contains(&by) && !draft.seen.people.contains_key(&by);
        let reason = Reason::NoRight { label, by, needs: (!own).then_some(needs) };
        if let Some(record) = draft.record.as_mut() {
            record.last_error = Some(reason.to_string());
        }
        draft.because(reason);
        return;
    }
    if issue_closed {
        draft.because(Reason::Closed);
        return;
    }
    if let Some(record) = draft.record.as_mut() {
        record.request = Request { event: asked.event.id, by: asked.event.actor.clone(), at: asked.event.at };
        record.hold = None;
    }
    match asked.what {
        What::Rebuild => start_over(draft),
        What::Trigger | What::Retry if finished => start_over(draft),
        What::Trigger => go_on(draft, true),
        What::Retry => go_on(draft, false),
    }
}

/// Stops what runs before everything starts over: what it cost belongs to the generation that ends. True when something runs.
fn stop_first(draft: &mut Draft<'_>) -> bool {
    let generation = draft.record.as_ref().map(|record| record.generation);
    let runs = |job: &&super::JobSeen| {
        matches!(job.observed.status, RuntimeStatus::Running) && Some(job.key.generation) == generation
    };
    let running: Vec<_> = draft.seen.jobs.iter().filter(runs).map(|job| job.id().clone()).collect();
    draft.ending = !running.is_empty();
    for job in running {
        draft.effects.push(Action::StopJob { job, why: StopReason::Superseded });
        draft.because(Reason::Working);
    }
    draft.ending
}

/// Closes the pull request, deletes the branch and begins the next generation. A person's commits are never thrown away.
fn start_over(draft: &mut Draft<'_>) {
    let Some(record) = draft.record.as_ref() else { return };
    let (branch, known, generation) = (record.branch.clone(), record.head.clone(), record.generation);
    if let (Some(branch), Some(tip)) = (branch.clone(), draft.seen.head_tip.clone()) {
        if known.as_ref() != Some(&tip) {
            let detail = format!(
                "the branch {branch} holds commits that are not Hydra's ({tip}); it is not deleted. Keep them elsewhere, delete the branch yourself, and set `{REBUILD}` again"
            );
            return door::needs_input(draft, Need::Diverged, detail);
        }
        if let Some(pull) = draft.own_pull().filter(|pull| pull.state == PullState::Open) {
            draft.effects.push(Action::Write {
                role: TokenRole::Orchestrator,
                write: ForgeWrite::ClosePull { repo: draft.seen.key.repo.clone(), number: pull.number },
            });
        }
        draft.effects.push(Action::Push { branch, expected: Some(tip), to: None, role: TokenRole::Builder });
    }
    super::advance::settle_ended(draft);
    let Some(record) = draft.record.as_mut() else { return };
    let spent = record.spend();
    record.generation = Generation(generation.0 + 1);
    (record.base, record.branch, record.head, record.pull) = (None, None, None, None);
    (record.round, record.quality_fixes, record.attempts) = (0, 0, 0);
    (record.due, record.last_error) = (None, None);
    record.errors.clear();
    record.stages.clear();
    record.spend_before = spent;
    record.phase = Phase::Build;
    door::check(draft);
}

/// Goes on where the run stopped; with `repin`, on the issue as it is now.
fn go_on(draft: &mut Draft<'_>, repin: bool) {
    let Some(record) = draft.record.as_mut() else { return };
    if !draft::is_active(&record.phase) {
        record.phase = resume(record, draft.seen.head_tip.is_some());
        record.attempts = 0;
        record.due = None;
        record.last_error = None;
        record.errors.clear();
    }
    if repin && !matches!(draft.seen.pin, PinRead::Lost) {
        door::check(draft);
    }
}

/// Where a run that rests takes up its work.
fn resume(record: &mut crate::record::RunRecord, branch_exists: bool) -> Phase {
    let last = record.stages.iter().rev().find(|entry| entry.result != StageResult::Running).map(|entry| entry.stage);
    if record.head.is_none() {
        return Phase::Build;
    }
    match &record.phase {
        Phase::NeedsInput { need: Need::Rounds | Need::NoGo, .. } => Phase::Fix,
        Phase::NeedsInput { need: Need::Quality, .. } => {
            record.quality_fixes = 0;
            Phase::FixQuality
        }
        Phase::NeedsInput { need: Need::Conflict | Need::Diverged, .. } | Phase::Ready => Phase::Quality,
        Phase::NeedsInput { need: Need::VoidReview, .. } => Phase::Review,
        Phase::NeedsInput { .. }
        | Phase::Maxed { .. }
        | Phase::Cancelled { .. }
        | Phase::Finished { .. }
        | Phase::Build
        | Phase::Quality
        | Phase::FixQuality
        | Phase::Review
        | Phase::Fix
        | Phase::Apply => match last {
            Some(Stage::Build) if !branch_exists => Phase::Build,
            Some(Stage::Fix) => Phase::Fix,
            Some(Stage::FixQuality) => Phase::FixQuality,
            Some(Stage::CodeReview | Stage::SecurityReview) => Phase::Review,
            Some(Stage::Apply) => Phase::Apply,
            Some(Stage::Quality | Stage::Build) | None => Phase::Quality,
        },
    }
}

pub(super) fn trigger(draft: &Draft<'_>) -> String {
    format!("{}{}", draft.world.policy.label_prefix, draft.world.policy.trigger_label)
}
