//! One issue's plan in the making: the working copy of its record, the effects collected so far, the starts it asks for.

use super::{Action, Event, IssueSnapshot, Reason, Snapshot, StartOrder, phase};
use crate::{
    JobId, PullNumber, Stage, Timestamp, TokenRole,
    ports::Marker,
    record::{EGRESS, Phase, RunRecord, StageEntry, StageResult},
    view::{PullState, PullView},
};

/// A start that an issue asks for; slots decide.
pub(super) struct Want {
    pub(super) order: StartOrder,
    pub(super) weight: u32,
}

/// One issue's plan in the making.
pub(super) struct Draft<'a> {
    pub(super) world: &'a Snapshot,
    pub(super) seen: &'a IssueSnapshot,
    /// The working copy; `None` until the door was passed.
    pub(super) record: Option<RunRecord>,
    /// Whether the record is new: then nothing is written unless a job is started or a person must act.
    pub(super) fresh: bool,
    /// Effects before any start.
    pub(super) effects: Vec<Action>,
    pub(super) wants: Vec<Want>,
    pub(super) reasons: Vec<Reason>,
    pub(super) wake: Option<Timestamp>,
    /// Jobs whose outputs were made good, or that mean nothing any more.
    pub(super) remove: Vec<JobId>,
    /// Its jobs are being stopped, so that it can start over: nothing else happens meanwhile.
    pub(super) ending: bool,
}

impl<'a> Draft<'a> {
    pub(super) fn new(world: &'a Snapshot, seen: &'a IssueSnapshot) -> Self {
        Self {
            world,
            seen,
            record: None,
            fresh: false,
            effects: Vec::new(),
            wants: Vec::new(),
            reasons: Vec::new(),
            wake: None,
            remove: Vec::new(),
            ending: false,
        }
    }

    pub(super) fn because(&mut self, reason: Reason) {
        if !self.reasons.contains(&reason) {
            self.reasons.push(reason);
        }
    }

    /// Asks to be looked at again at `when` at the latest.
    pub(super) fn wake_at(&mut self, when: Timestamp) {
        self.wake = Some(self.wake.map_or(when, |already| already.min(when)));
    }

    /// Moves the phase by the state machine; an event that means nothing in the phase changes nothing.
    pub(super) fn event(&mut self, event: Event, detail: &str) {
        let Some(record) = self.record.as_mut() else { return };
        let Some(next) = phase::apply(&record.phase, event, detail) else { return };
        if !detail.is_empty() {
            record.last_error = Some(detail.to_owned());
        }
        let restarts = next.kind() != record.phase.kind();
        record.phase = next;
        if restarts {
            record.attempts = 0;
            record.due = None;
            record.errors.clear();
        }
    }

    /// The pull request of the record's generation that Hydra opened, if there is one.
    pub(super) fn own_pull(&self) -> Option<&'a PullView> {
        let record = self.record.as_ref()?;
        own_pull(self.seen, record)
    }

    /// The number of the open pull request that verdicts go to.
    pub(super) fn open_pull(&self) -> Option<PullNumber> {
        self.own_pull().filter(|pull| pull.state == PullState::Open).map(|pull| pull.number)
    }

    /// Closes a stage's entry.
    pub(super) fn settle(&mut self, job: &JobId, result: StageResult, note: &str) {
        let Some(record) = self.record.as_mut() else { return };
        if let Some(entry) = record.stages.iter_mut().rev().find(|entry| entry.job == *job) {
            entry.result = result;
            entry.note = cut(note, 300);
        }
    }
}

/// What left a container, as the record keeps it: made harmless once, since every look at the issue shows it again.
pub(super) fn egress(told: &str, hosts: &[String]) -> String {
    if told.is_empty() { String::new() } else { crate::publish::harmless_line(told, hosts, EGRESS) }
}

/// The marker in a pull request's body.
pub(super) fn pull_marker(generation: crate::Generation) -> Marker {
    Marker { purpose: "pull".to_owned(), generation, key: String::new() }
}

/// The pull request of a record's generation: opened by one of Hydra's identities, from the repository itself, with the marker.
pub(super) fn own_pull<'a>(seen: &'a IssueSnapshot, record: &RunRecord) -> Option<&'a PullView> {
    let marker = pull_marker(record.generation).to_string();
    seen.pulls.iter().find(|pull| {
        pull.head_repo.as_ref() == Some(&seen.repo.name)
            && seen.own.contains(&pull.author)
            && pull.body.contains(&marker)
    })
}

/// The newest entry of a stage in the present round.
pub(super) fn newest(record: &RunRecord, stage: Stage) -> Option<&StageEntry> {
    record.stages.iter().rev().find(|entry| entry.stage == stage && entry.round == record.round)
}

/// How many runs of a stage in the present round have ended: the attempt number of the next one.
pub(super) fn ended(record: &RunRecord, stage: Stage) -> u32 {
    let runs = record
        .stages
        .iter()
        .filter(|entry| entry.stage == stage && entry.round == record.round && entry.result != StageResult::Running)
        .map(|entry| entry.attempt + 1)
        .max();
    runs.unwrap_or(0)
}

/// At most `max` characters, with an ellipsis where it was cut.
pub(super) fn cut(text: &str, max: usize) -> String {
    if text.chars().count() <= max {
        return text.to_owned();
    }
    let mut short: String = text.chars().take(max.saturating_sub(1)).collect();
    short.push('…');
    short
}

/// Whether a phase still has something to do by itself.
pub(super) fn is_active(phase: &Phase) -> bool {
    phase.kind().is_active()
}

/// Whose identity writes a stage's results.
pub(super) const fn role(stage: Stage) -> TokenRole {
    stage.token()
}

/// A job that runs or ran without an entry in the record: the start was made, and the record was not saved.
pub(super) struct Adopted<'j> {
    pub(super) job: &'j super::JobSeen,
    pub(super) now: Timestamp,
}

impl Adopted<'_> {
    /// Makes the entry if it is not there.
    pub(super) fn into_record(self, record: &mut RunRecord) {
        if !record.stages.iter().any(|entry| entry.job == *self.job.id()) {
            record.stages.push(self.entry());
        }
    }
    /// The entry, as of a job that runs.
    pub(super) fn entry(&self) -> StageEntry {
        let key = &self.job.key;
        StageEntry {
            stage: key.stage,
            round: key.round,
            attempt: key.attempt,
            job: self.job.id().clone(),
            started_at: self.job.observed.created_at.min(self.now),
            ended_at: None,
            result: StageResult::Running,
            spend: crate::money::Spend::default(),
            account: self.job.progress.account.clone(),
            note: String::new(),
            egress: String::new(),
        }
    }
}

/// The result that an entry has now.
pub(super) fn result_of(draft: &Draft<'_>, job: &JobId) -> StageResult {
    let stages = draft.record.as_ref().map(|record| record.stages.as_slice()).unwrap_or_default();
    stages.iter().rev().find(|entry| entry.job == *job).map_or(StageResult::Stopped, |entry| entry.result)
}
