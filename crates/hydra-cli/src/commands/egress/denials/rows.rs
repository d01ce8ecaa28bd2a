//! Refusals of many jobs as rows: what is alike in type, host and reason is one row.

use super::words;
use crate::config::{
    Settings,
    runtime::{EgressMode, ModelCredential},
};
use hydra_core::{
    ContainerType, JobId, RepoName, Timestamp,
    egress::{Decision, DenyReason, HostName, decide, gate::Denial},
};
use hydra_engine::egress_note::EgressNote;
use serde::Serialize;
use std::collections::{BTreeMap, BTreeSet};

/// The host of the model API that the gate signs for.
const PROVIDER: &str = "api.anthropic.com";

/// One row.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub(super) struct Row {
    /// The type of the container.
    pub(super) container: ContainerType,
    /// The name, or the address with its port.
    pub(super) host: String,
    /// Why.
    pub(super) reason: DenyReason,
    /// The same in words.
    pub(super) why: &'static str,
    /// How often.
    pub(super) times: u64,
    /// The count is exact; otherwise at least so many: a job still runs.
    pub(super) exact: bool,
    /// When it was seen first.
    pub(super) first_seen: Timestamp,
    /// The jobs, newest first.
    pub(super) jobs: Vec<JobId>,
    /// Their repositories.
    pub(super) repos: BTreeSet<RepoName>,
    /// The name that a line would open; absent where none would.
    pub(super) opens: Option<HostName>,
    /// What helps in the place of a line.
    pub(super) instead: Option<&'static str>,
}

/// The rows of notes that are given newest first: by type of container, those of the newest job first.
pub(super) fn rows(notes: &[EgressNote], settings: &Settings) -> Vec<Row> {
    let (mut rows, mut places) = (Vec::new(), BTreeMap::new());
    for note in notes {
        for denial in &note.denied {
            let container = note.container_type.unwrap_or(denial.container_type);
            let place = *places.entry((container, denial.reason, denial.about())).or_insert_with(|| {
                rows.push(begun(container, denial, settings));
                rows.len() - 1
            });
            let Some(row) = rows.get_mut(place) else { continue };
            row.times = row.times.saturating_add(denial.count);
            row.exact &= note.exact;
            row.first_seen = row.first_seen.min(denial.ts);
            if row.jobs.last() != Some(&note.job) {
                row.jobs.push(note.job.clone());
            }
            row.repos.extend(note.issue.as_ref().map(|issue| issue.repo.clone()));
        }
    }
    rows.sort_by_key(|row| row.container);
    rows
}

fn begun(container: ContainerType, denial: &Denial, settings: &Settings) -> Row {
    let (opens, instead) = judged(container, denial, settings);
    Row {
        container,
        host: denial.about(),
        reason: denial.reason,
        why: words::why(denial.reason),
        times: 0,
        exact: true,
        first_seen: denial.ts,
        jobs: Vec::new(),
        repos: BTreeSet::new(),
        opens,
        instead,
    }
}

/// The name that a line would open, or what helps instead.
fn judged(container: ContainerType, denial: &Denial, settings: &Settings) -> (Option<HostName>, Option<&'static str>) {
    if let Some(instead) = words::instead(denial.reason) {
        return (None, Some(instead));
    }
    let Ok(host) = denial.about().parse::<HostName>() else {
        return (None, Some("it is no host name that a policy could hold"));
    };
    match decide(&settings.egress, container, &host) {
        Decision::Denied { .. } => (Some(host), None),
        Decision::Allowed(_) if withheld(settings) && host.as_str() == PROVIDER => {
            (None, Some("the model API is asked at the gate alone (ANTHROPIC_BASE_URL), which signs"))
        }
        Decision::Allowed(_) => (None, Some("the policy allows it by now: jobs that begin from here on reach it")),
    }
}

fn withheld(settings: &Settings) -> bool {
    let values = &settings.values;
    values.egress.mode == EgressMode::Isolated && values.credentials.model == ModelCredential::Withheld
}

/// What helps in the place of a line: by reason, and by host where it is the host's own affair.
pub(super) fn instead(rows: &[Row]) -> Vec<[String; 2]> {
    let helps = rows.iter().filter_map(|row| {
        let instead = row.instead?;
        let what = if words::instead(row.reason).is_some() { row.why } else { row.host.as_str() };
        Some([what.to_owned(), instead.to_owned()])
    });
    let mut seen = BTreeSet::new();
    helps.filter(|help| seen.insert(help.clone())).collect()
}
