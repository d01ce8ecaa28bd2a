//! The phases in which the work is judged: quality, both reviews, apply, ready.

use super::{
    Action, Draft, Event, JobSeen, OutcomeKind, Reason, Task, VerdictSeen, advance, advance::Run, build, draft, show,
    yolo,
};
use crate::{
    Stage,
    contract_files::CommandResult,
    job::{JobKey, RuntimeStatus},
    record::{StageEntry, StageResult},
    verdict::{Envelope, Finding, Outcome, judge::open_findings as blocking_findings},
};

const REVIEWS: [Stage; 2] = [Stage::CodeReview, Stage::SecurityReview];

/// A person pushed while the work was being judged: what was judged before does not count. True when the phase moved.
fn head_moved(draft: &mut Draft<'_>) -> bool {
    let Some(record) = draft.record.as_mut() else { return false };
    let Some(tip) = draft.seen.head_tip.clone() else { return false };
    // What this very plan is about to push is not a person's.
    let pushing = draft.effects.iter().any(|action| matches!(action, Action::Push { .. }));
    if pushing || record.head.as_ref() == Some(&tip) {
        return false;
    }
    record.head = Some(tip.clone());
    let judged = [Stage::Quality, Stage::CodeReview, Stage::SecurityReview, Stage::Apply];
    let running: Vec<_> = draft
        .seen
        .jobs
        .iter()
        .filter(|job| {
            judged.contains(&job.key.stage)
                && record.stages.iter().any(|e| e.job == *job.id() && e.result == StageResult::Running)
        })
        .cloned()
        .collect();
    for job in running {
        if matches!(job.observed.status, crate::job::RuntimeStatus::Running) {
            draft.effects.push(Action::StopJob { job: job.id().clone(), why: super::StopReason::Superseded });
        } else {
            draft.remove.push(job.id().clone());
        }
        advance::close_entry(draft, &job, StageResult::Stopped, "a person pushed; it judged an older head");
    }
    draft.event(Event::HeadMoved, &format!("a person pushed {tip}; everything is judged again on it"));
    true
}

/// Whether the work conflicts with its base now; moves the phase if so.
fn conflict(draft: &mut Draft<'_>) -> bool {
    let base = draft.seen.repo.default_branch.clone();
    if let Some(other) = draft.own_pull().map(|pull| pull.base_ref.clone()).filter(|other| *other != base) {
        let detail = format!(
            "the pull request goes to {other}, and what is judged goes to {base}. Point it to {base} again and set the trigger label, or go on with it by hand"
        );
        draft.event(Event::Conflict, &detail);
        return true;
    }
    if !draft.seen.conflicts {
        return false;
    }
    let detail = format!(
        "the work conflicts with {base} as it is now. Merge {base} into the branch (or rebase it) and set the trigger label again, or set `rebuild:queued` to start over on the new base"
    );
    draft.event(Event::Conflict, &detail);
    true
}

/// The target repository's own commands.
pub(super) fn quality(draft: &mut Draft<'_>) {
    if head_moved(draft) {
        return;
    }
    if draft.seen.commands == Ok(false) {
        draft.event(Event::Green, "");
        return;
    }
    match advance::run(draft, Stage::Quality) {
        Run::Waiting => {}
        Run::Dealt | Run::None => build::want(draft, Stage::Quality, Task::default()),
        Run::Ended(job, _) if ran_elsewhere(draft, job) => {
            advance::close_entry(draft, job, StageResult::Stopped, "it ran on an older head");
            draft.remove.push(job.id().clone());
            build::want(draft, Stage::Quality, Task::default());
        }
        Run::Ended(job, outcome) => match &outcome.kind {
            OutcomeKind::Quality { commands } => {
                let red: Vec<_> = commands.iter().filter(|command| command.exit != 0).collect();
                if red.is_empty() {
                    let ran: Vec<_> = commands.iter().map(|command| command.name.as_str()).collect();
                    advance::close_entry(draft, job, StageResult::Pass, &format!("green: {}", ran.join(", ")));
                    draft.remove.push(job.id().clone());
                    draft.event(Event::Green, "");
                    return;
                }
                let words: Vec<_> =
                    red.iter().map(|c| format!("{} (`{}`) exited with {}", c.name, c.command, c.exit)).collect();
                let detail = format!("quality is red: {}", words.join("; "));
                advance::close_entry(draft, job, StageResult::Fail, &detail);
                let used = draft.record.as_ref().map_or(0, |record| record.quality_fixes);
                if used < draft.world.policy.max_quality_fixes {
                    // The job stays until the fixer was told what it says.
                    draft.event(Event::RedFixable, "");
                } else {
                    let tail = red.first().map_or("", |command| command.tail.as_str());
                    let end: String = tail.chars().rev().take(400).collect::<Vec<_>>().into_iter().rev().collect();
                    draft.remove.push(job.id().clone());
                    draft.event(
                        Event::RedFinal,
                        &format!("{detail}, after {used} attempts to mend it. The end of its output: {end}"),
                    );
                }
            }
            _ => {
                advance::broken(draft, job, "it left results of another stage");
                draft.remove.push(job.id().clone());
            }
        },
    }
}

/// Whether a job was given another head than the present one.
fn ran_elsewhere(draft: &Draft<'_>, job: &JobSeen) -> bool {
    let head = draft.record.as_ref().and_then(|record| record.head.as_ref());
    job.given.as_ref().is_some_and(|given| head.is_some_and(|head| *head != given.head))
}

/// The red commands that a fixer is to mend, from the last quality run; none when it is gone.
pub(super) fn red_commands(draft: &Draft<'_>) -> Option<Vec<CommandResult>> {
    let id = advance::last_quality(draft)?;
    let job = draft.seen.jobs.iter().find(|job| *job.id() == id)?;
    match &job.outcome.as_ref()?.kind {
        OutcomeKind::Quality { commands } => Some(commands.iter().filter(|c| c.exit != 0).cloned().collect()),
        _ => None,
    }
}

/// Both reviews, in parallel, on the same head.
pub(super) fn reviews(draft: &mut Draft<'_>) {
    if head_moved(draft) || conflict(draft) {
        return;
    }
    let mut decided = Vec::new();
    for stage in REVIEWS {
        match verdict(draft, stage) {
            Decision::Pending => {}
            Decision::Void(why) => {
                draft.event(Event::VoidTwice, &format!("the {stage} was void twice: {why}. Look at the pull request yourself, or set `retry:queued` to have it reviewed again"));
                return;
            }
            Decision::Made(envelope) => decided.push(envelope),
        }
    }
    if decided.len() < REVIEWS.len() {
        return;
    }
    let blocking: Vec<&Envelope> =
        decided.iter().map(|envelope| &**envelope).filter(|envelope| envelope.outcome != Outcome::Pass).collect();
    let round = draft.record.as_ref().map_or(0, |record| record.round);
    if blocking.is_empty() {
        draft.event(if round > 0 { Event::PassedAfterFix } else { Event::PassedAtOnce }, "");
    } else if round < draft.world.policy.max_fix_rounds {
        draft.event(Event::BlockedFixable, "");
    } else {
        let open: Vec<String> =
            blocking.iter().flat_map(|envelope| blocking_findings(envelope)).map(|f| in_words(&f)).collect();
        let rounds = if round == 1 { "1 fix round".to_owned() } else { format!("{round} fix rounds") };
        draft.event(
            Event::BlockedFinal,
            &format!(
                "findings are open after {rounds}: {}. Mend them on the branch, or set `retry:queued` for one more run",
                open.join("; ")
            ),
        );
    }
}

/// The applier's go or no-go.
pub(super) fn apply(draft: &mut Draft<'_>) {
    if head_moved(draft) || conflict(draft) {
        return;
    }
    match verdict(draft, Stage::Apply) {
        Decision::Pending => {}
        Decision::Void(why) => draft.event(Event::VoidTwice, &format!("the applier's verdict was void twice: {why}")),
        Decision::Made(envelope) if envelope.outcome == Outcome::Pass => draft.event(Event::Go, ""),
        Decision::Made(envelope) => {
            let words: Vec<_> = blocking_findings(&envelope).iter().map(in_words).collect();
            draft.event(Event::NoGo, &format!("the applier says no-go: {}", words.join("; ")));
        }
    }
}

/// Ready: shown as such, and merged if `yolo` allows it.
pub(super) fn ready(draft: &mut Draft<'_>) {
    if head_moved(draft) {
        return;
    }
    let effects = show::ready(draft);
    draft.effects.extend(effects);
    yolo::merge(draft);
    if let Some(pull) = draft.open_pull() {
        draft.because(Reason::Ready { pull: pull.0 });
    }
}

enum Decision {
    /// A run is under way, asked for, or its verdict is not on the forge yet.
    Pending,
    /// Void twice.
    Void(String),
    /// The signed verdict on the pull request, for the present head and round.
    Made(Box<Envelope>),
}

/// One judging stage: settles its run, posts its verdict, and decides only by what is signed on the pull request.
fn verdict(draft: &mut Draft<'_>, stage: Stage) -> Decision {
    adopt_posted(draft, stage);
    let Some(record) = &draft.record else { return Decision::Pending };
    let entry = draft::newest(record, stage).map(|entry| (entry.result, entry.attempt, entry.note.clone()));
    let judged = matches!(entry, Some((StageResult::Pass | StageResult::Fail | StageResult::Void, _, _)));
    if let (true, Some((result, attempt, note))) = (judged, entry) {
        let posted =
            posted(draft, stage).filter(|seen| seen.envelope.attempt == attempt).map(|seen| seen.envelope.clone());
        match (posted, result) {
            (Some(envelope), _) if envelope.outcome != Outcome::Void => return Decision::Made(Box::new(envelope)),
            (Some(_), _) => {
                if voids(draft, stage) >= 2 {
                    return Decision::Void(note);
                }
            }
            // The record says that there was a verdict for this head, and the pull request does not show it: it judges again.
            (None, _) => {}
        }
    }
    match advance::run(draft, stage) {
        Run::Waiting => {}
        Run::Dealt | Run::None => {
            if draft.record.as_ref().is_some_and(|record| draft::is_active(&record.phase)) {
                build::want(draft, stage, task(draft, stage));
            }
        }
        Run::Ended(job, outcome) => match &outcome.kind {
            OutcomeKind::Judged(envelope) => {
                let head = draft.record.as_ref().and_then(|record| record.head.clone());
                if head.as_ref() != Some(&envelope.head) {
                    advance::close_entry(draft, job, StageResult::Stopped, "it judged an older head");
                    draft.remove.push(job.id().clone());
                    build::want(draft, stage, task(draft, stage));
                    return Decision::Pending;
                }
                let Some(number) = draft.open_pull() else {
                    // The pull request was just opened, or is not shown yet: the verdict waits in the job.
                    draft.effects.extend(show::open_pull(draft));
                    draft.wake_at(super::door::soon(draft.world.now));
                    return Decision::Pending;
                };
                let (result, note) = in_short(envelope);
                draft.effects.push(Action::PostVerdict {
                    number,
                    role: draft::role(stage),
                    envelope: envelope.clone(),
                });
                advance::close_entry(draft, job, result, &note);
                if let Some(record) = draft.record.as_mut() {
                    record.attempts = 0;
                }
                draft.remove.push(job.id().clone());
                draft.because(Reason::Working);
            }
            _ => {
                advance::broken(draft, job, "it left results of another stage");
                draft.remove.push(job.id().clone());
            }
        },
    }
    Decision::Pending
}

/// A signed verdict of the run that is due stands on the pull request, and the record does not know it: the orchestrator died in between
/// and what its job left can not be read any more. The verdict counts; it is not made twice.
fn adopt_posted(draft: &mut Draft<'_>, stage: Stage) {
    let Some(record) = &draft.record else { return };
    let attempt = draft::ended(record, stage);
    let Some(seen) = posted(draft, stage).filter(|seen| seen.envelope.attempt == attempt) else { return };
    let envelope = seen.envelope.clone();
    let key =
        JobKey { issue: draft.seen.key.clone(), generation: record.generation, stage, round: record.round, attempt };
    let job = draft.seen.jobs.iter().find(|job| job.key == key);
    let is_read = job.and_then(|job| job.outcome.as_ref()).is_some_and(|o| matches!(o.kind, OutcomeKind::Judged(_)));
    if is_read || job.is_some_and(|job| matches!(job.observed.status, RuntimeStatus::Running)) {
        return;
    }
    let now = draft.world.now;
    let (result, note) = in_short(&envelope);
    let id = key.id();
    let egress = draft::egress(&envelope.egress, &draft.world.policy.allow_hosts);
    if let Some(record) = draft.record.as_mut() {
        if !record.stages.iter().any(|entry| entry.job == id) {
            record.stages.push(StageEntry {
                stage,
                round: key.round,
                attempt,
                job: id.clone(),
                started_at: job.map_or(now, |job| job.observed.created_at.min(now)),
                ended_at: None,
                result: StageResult::Running,
                spend: envelope.spend,
                account: job.and_then(|job| job.progress.account.clone()),
                note: String::new(),
                egress: String::new(),
            });
        }
        if let Some(entry) = record.stages.iter_mut().find(|entry| entry.job == id) {
            (entry.ended_at, entry.spend) = (Some(now), envelope.spend);
            entry.egress = egress;
        }
    }
    draft.settle(&id, result, &note);
    if job.is_some() {
        draft.remove.push(id);
    }
}

/// A verdict as a stage's result, with its note.
fn in_short(envelope: &Envelope) -> (StageResult, String) {
    match envelope.outcome {
        Outcome::Pass => (StageResult::Pass, "pass".to_owned()),
        Outcome::Fail => (StageResult::Fail, format!("{} blocking", blocking_findings(envelope).len())),
        Outcome::Void => (StageResult::Void, envelope.void_reason.clone().unwrap_or_default()),
    }
}

/// The newest signed verdict of a stage for the present head, generation and round.
pub(super) fn posted<'a>(draft: &Draft<'a>, stage: Stage) -> Option<&'a VerdictSeen> {
    let record = draft.record.as_ref()?;
    draft.seen.verdicts.iter().rev().find(|seen| {
        let envelope = &seen.envelope;
        envelope.stage == stage
            && envelope.generation == record.generation
            && envelope.round == record.round
            && record.head.as_ref() == Some(&envelope.head)
    })
}

fn voids(draft: &Draft<'_>, stage: Stage) -> usize {
    draft.record.as_ref().map_or(0, |record| {
        let since = record.request.at;
        let entries = record.stages.iter();
        entries
            .filter(|e| {
                e.stage == stage && e.round == record.round && e.result == StageResult::Void && e.started_at >= since
            })
            .count()
    })
}

fn task(draft: &Draft<'_>, stage: Stage) -> Task {
    let Some(record) = draft.record.as_ref().filter(|_| stage == Stage::Apply) else { return Task::default() };
    let history =
        record.stages.iter().map(|e| format!("round {}, {}: {} ({})", e.round, e.stage, e.result, e.note)).collect();
    Task { history, ..Task::default() }
}

/// What the newest verdicts of the last round say against the work.
pub(super) fn open_findings(draft: &Draft<'_>) -> Vec<Finding> {
    let stages = [Stage::CodeReview, Stage::SecurityReview, Stage::Apply];
    stages
        .into_iter()
        .filter_map(|stage| posted(draft, stage))
        .flat_map(|seen| blocking_findings(&seen.envelope))
        .collect()
}

fn in_words(finding: &Finding) -> String {
    match (&finding.file, finding.line) {
        (Some(file), Some(line)) => format!("{} ({file}:{line})", finding.message),
        (Some(file), None) => format!("{} ({file})", finding.message),
        (None, _) => finding.message.clone(),
    }
}
