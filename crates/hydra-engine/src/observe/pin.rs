//! The issue as it was when the label was set: title, body and the comments of people with write access up to that moment.
//! Kept in `<state>/pins/<hash>.json`; computed again from the issue when the file is gone.

use super::{People, Unseen};
use crate::{
    store::{self, StateDir},
    watch::Shared,
};
use hydra_core::{
    Login, Timestamp, digest, hidden, label,
    plan::{PinRead, RecordRead},
    view::{IssueView, LabelEvent, Permission},
};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// What is pinned. Hidden text is stripped from it before it is hashed: an agent reads exactly what was hashed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct PinnedIssue {
    pub(crate) title: String,
    pub(crate) body: String,
    pub(crate) comments: Vec<PinnedComment>,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct PinnedComment {
    pub(crate) author: Login,
    pub(crate) at: Timestamp,
    pub(crate) body: String,
}

impl PinnedIssue {
    /// SHA-256 over everything, hexadecimal.
    pub(crate) fn hash(&self) -> String {
        let mut parts: Vec<String> = vec!["pin-1".into(), self.title.clone(), self.body.clone()];
        for comment in &self.comments {
            parts.extend([comment.author.to_string(), comment.at.to_string(), comment.body.clone()]);
        }
        let parts: Vec<&[u8]> = parts.iter().map(String::as_bytes).collect();
        digest::sha256_parts(&parts)
    }
}

/// Loads a pinned issue. `None` when the file is gone or is not what its name says.
pub(crate) fn load(state: &StateDir, hash: &str) -> Option<PinnedIssue> {
    // A damaged cache is as good as none: it is computed again and checked by its hash.
    let pinned: PinnedIssue = store::read_json(&state.pin(hash)).ok().flatten()?;
    (pinned.hash() == hash).then_some(pinned)
}

/// Reads the pin that the planner asks for, with its content where it can be had.
pub(super) fn read(
    shared: &Shared,
    issue: &IssueView,
    people: &BTreeMap<Login, Permission>,
    record: &RecordRead,
) -> Result<(PinRead, Option<PinnedIssue>), Unseen> {
    let recorded = match record {
        RecordRead::Valid(record) => Some(record),
        RecordRead::Absent | RecordRead::Bad { .. } => None,
    };
    let newest = newest_request(shared, issue).filter(|event| recorded.is_none_or(|record| event.id > record.answered));
    let Some(event) = newest else {
        let Some(record) = recorded.filter(|record| !record.snapshot.is_empty()) else {
            return Ok((PinRead::NoTrigger, None));
        };
        if let Some(pinned) = load(&shared.state, &record.snapshot) {
            return Ok((PinRead::Pinned { hash: record.snapshot.clone() }, Some(pinned)));
        }
        let again = pin(shared, issue, people, record.request.at);
        if again.hash() != record.snapshot {
            return Ok((PinRead::Lost, None));
        }
        return keep(shared, again);
    };
    if let Some(at) = issue.edited_at.filter(|at| *at > event.at) {
        return Ok((PinRead::Edited { at }, None));
    }
    keep(shared, pin(shared, issue, people, event.at))
}

fn keep(shared: &Shared, pinned: PinnedIssue) -> Result<(PinRead, Option<PinnedIssue>), Unseen> {
    let hash = pinned.hash();
    let path = shared.state.pin(&hash);
    if !path.exists() {
        store::write_json(&path, &pinned).map_err(|error| Unseen::new("the pinned issue", error))?;
    }
    Ok((PinRead::Pinned { hash }, Some(pinned)))
}

fn newest_request<'i>(shared: &Shared, issue: &'i IssueView) -> Option<&'i LabelEvent> {
    let policy = &shared.config.policy;
    let names = [policy.trigger_label.as_str(), label::REBUILD].map(|name| format!("{}{name}", policy.label_prefix));
    let is_set = |name: &str| issue.labels.iter().any(|label| label.eq_ignore_ascii_case(name));
    let events = issue
        .label_events
        .iter()
        .filter(|event| event.added && names.iter().any(|name| event.label.eq_ignore_ascii_case(name) && is_set(name)));
    events.max_by_key(|event| event.id)
}

/// The issue as it is now: for a stage that is run by hand.
pub(crate) async fn pin_now(shared: &Shared, issue: &IssueView, now: Timestamp) -> Result<PinnedIssue, Unseen> {
    let people = People::default().of(shared, issue, &[]).await?;
    Ok(pin(shared, issue, &people, now))
}

fn pin(shared: &Shared, issue: &IssueView, people: &BTreeMap<Login, Permission>, at: Timestamp) -> PinnedIssue {
    let own = |login: &Login| shared.config.logins.values().any(|own| own == login);
    let comments = issue.comments.iter().filter(|comment| {
        // A comment that was changed after the label is not what was there when it was set.
        comment.created_at <= at
            && comment.updated_at <= at
            && people.get(&comment.author).is_some_and(|permission| *permission >= Permission::Write)
            && !(own(&comment.author) && comment.body.trim_start().starts_with("<!-- hydra:"))
    });
    PinnedIssue {
        title: hidden::strip(&issue.title),
        body: hidden::strip(&issue.body),
        comments: comments
            .map(|comment| PinnedComment {
                author: comment.author.clone(),
                at: comment.created_at,
                body: hidden::strip(&comment.body),
            })
            .collect(),
    }
}
