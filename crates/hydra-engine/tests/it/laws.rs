//! What must hold at every write and at every moment, whoever is at work and whatever went wrong before.

use crate::{end, forge::State};
use hydra_core::{
    Generation, IssueNumber, JobId, PullNumber,
    job::{Observed, RuntimeStatus},
    ports::{ForgeWrite, Marker},
    record::{RunRecord, StageResult},
    view::{IssueView, PullState},
};
use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex},
};

/// Breaches, in the order in which they were seen.
#[derive(Clone, Default)]
pub(crate) struct Laws(Arc<Mutex<Vec<String>>>);

impl Laws {
    pub(crate) fn broken(&self, what: impl IntoIterator<Item = String>) {
        self.0.lock().unwrap().extend(what);
    }
    pub(crate) fn all(&self) -> Vec<String> {
        self.0.lock().unwrap().clone()
    }
}

/// Which issue a write is about.
pub(crate) fn issue_of(state: &State, write: &ForgeWrite) -> Option<IssueNumber> {
    let number = match write {
        ForgeWrite::Labels { number, .. } | ForgeWrite::Comment { number, .. } => number.0,
        ForgeWrite::EditPull { number, .. }
        | ForgeWrite::Review { number, .. }
        | ForgeWrite::MarkReady { number, .. }
        | ForgeWrite::ClosePull { number, .. }
        | ForgeWrite::ResolveThread { number, .. }
        | ForgeWrite::Merge { number, .. } => number.0,
        ForgeWrite::OpenPull { body, .. } => return closes(body),
        ForgeWrite::Status { commit, .. } => {
            // A person may have pushed since it was looked at: then it is the head that the record knows.
            let known =
                |issue: &&IssueView| end::recorded(issue).is_some_and(|record| record.head.as_ref() == Some(commit));
            let pull = state.pulls.values().find(|pull| state.shown(pull).head == *commit);
            let known = || state.issues.values().find(known).map(|issue| issue.key.number);
            return pull.and_then(|pull| closes(&pull.body)).or_else(known);
        }
        ForgeWrite::DefineLabel { .. } => return None,
    };
    match state.pulls.get(&PullNumber(number)) {
        Some(pull) => closes(&pull.body),
        None => Some(IssueNumber(number)),
    }
}

fn closes(body: &str) -> Option<IssueNumber> {
    let (_, rest) = body.split_once("Closes #")?;
    let digits: String = rest.chars().take_while(char::is_ascii_digit).collect();
    digits.parse().ok().map(IssueNumber)
}

fn marker(write: &ForgeWrite) -> Option<&Marker> {
    match write {
        ForgeWrite::Comment { marker, .. }
        | ForgeWrite::OpenPull { marker, .. }
        | ForgeWrite::EditPull { marker, .. }
        | ForgeWrite::Review { marker, .. } => Some(marker),
        _ => None,
    }
}

/// What is wrong with a write that is about to change something.
pub(crate) fn of_write(state: &State, owner: &str, write: &ForgeWrite) -> Vec<String> {
    let mut wrong = Vec::new();
    let what = || serde_json::to_value(write).unwrap()["write"].as_str().unwrap().to_owned();
    let Some(number) = issue_of(state, write) else {
        return vec![format!("{owner}: {} belongs to no issue", what())];
    };
    let holder = state.leases.iter().find(|(key, _)| key.number == number).map(|(_, held)| held.record.owner.as_str());
    if holder != Some(owner) {
        wrong.push(format!("{owner} made {} on #{number}, whose lease is held by {holder:?}", what()));
    }
    let shown = state.issues.get(&number).and_then(end::recorded);
    let generation = shown.as_ref().map_or(Generation(0), |record| record.generation);
    if let Some(marker) = marker(write).filter(|marker| marker.generation.0 > 0 && marker.generation < generation) {
        wrong.push(format!("{} of generation {} on #{number}, which is at {generation}", what(), marker.generation));
    }
    if let (ForgeWrite::Comment { marker, body, .. }, Some(old)) = (write, &shown)
        && marker.purpose == "status"
        && let Some(new) = end::record_in(body)
    {
        wrong.extend(lost(old, &new).into_iter().map(|what| format!("#{number}: {what}")));
    }
    wrong
}

/// What a new record has forgotten of the old one.
fn lost(old: &RunRecord, new: &RunRecord) -> Vec<String> {
    if new.generation < old.generation {
        return vec![format!("a record of generation {} replaces one of {}", new.generation, old.generation)];
    }
    let mut wrong = Vec::new();
    if new.answered < old.answered {
        wrong.push(format!("request {} was answered, and only {} is recorded", old.answered, new.answered));
    }
    if new.spend().turns < old.spend().turns {
        wrong.push(format!("{} turns were recorded, and only {} are", old.spend().turns, new.spend().turns));
    }
    if new.generation > old.generation {
        return wrong;
    }
    for entry in old.stages.iter().filter(|entry| entry.result != StageResult::Running) {
        match new.stages.iter().find(|new| new.job == entry.job) {
            Some(new) if new.result == entry.result => {}
            Some(new) => wrong.push(format!("{} went {}, and now {}", entry.job, entry.result, new.result)),
            None => wrong.push(format!("{} ({}) is not recorded any more", entry.job, entry.result)),
        }
    }
    wrong
}

/// At most one open pull request for each change.
pub(crate) fn of_pulls(state: &State) -> Vec<String> {
    let mut open: BTreeMap<&str, usize> = BTreeMap::new();
    for pull in state.pulls.values().filter(|pull| pull.state == PullState::Open) {
        *open.entry(pull.head_ref.as_str()).or_default() += 1;
    }
    let many = open.into_iter().filter(|(_, count)| *count > 1);
    many.map(|(branch, count)| format!("{count} open pull requests of {branch}")).collect()
}

/// At most one live job for each stage and generation of an issue.
pub(crate) fn of_jobs(jobs: &[Observed]) -> Vec<String> {
    let mut live: BTreeMap<String, Vec<&JobId>> = BTreeMap::new();
    for job in jobs.iter().filter(|job| matches!(job.status, RuntimeStatus::Running)) {
        let Some(key) = &job.key else { continue };
        live.entry(format!("{} {} g{}", key.issue, key.stage, key.generation)).or_default().push(&job.id);
    }
    let many = live.into_iter().filter(|(_, jobs)| jobs.len() > 1);
    many.map(|(what, jobs)| format!("{what}: {} live jobs: {jobs:?}", jobs.len())).collect()
}
