//! The issue as it was when the label was set: title, body and the comments of people with write access up to that moment.
//! Kept in `<state>/pins/<hash>.json`; computed again from the issue when the file is gone.

use super::{People, Unseen};
use crate::{
    store::{self, StateDir},
    watch::Shared,
};
use hydra_core::{
    Login, Timestamp, label,
    pin::{self, Pinned},
    plan::{PinRead, RecordRead},
    view::{IssueView, LabelEvent, Permission},
};
use std::collections::BTreeMap;

/// Loads a pinned issue. `None` when the file is gone or is not what its name says.
pub(crate) fn load(state: &StateDir, hash: &str) -> Option<Pinned> {
    // A damaged cache is as good as none: it is computed again and checked by its hash.
    let pinned: Pinned = store::read_json(&state.pin(hash)).ok().flatten()?;
    (pinned.hash() == hash).then_some(pinned)
}

/// Reads the pin that the planner asks for, with its content where it can be had.
pub(super) fn read(
    shared: &Shared,
    issue: &IssueView,
    people: &BTreeMap<Login, Permission>,
    record: &RecordRead,
) -> Result<(PinRead, Option<Pinned>), Unseen> {
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
    if let Some(at) = pin::edited_after(issue, event.at) {
        return Ok((PinRead::Edited { at }, None));
    }
    keep(shared, pin(shared, issue, people, event.at))
}

fn keep(shared: &Shared, pinned: Pinned) -> Result<(PinRead, Option<Pinned>), Unseen> {
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
pub(crate) async fn pin_now(shared: &Shared, issue: &IssueView, now: Timestamp) -> Result<Pinned, Unseen> {
    let people = People::default().of(shared, issue, &[]).await?;
    Ok(pin(shared, issue, &people, now))
}

fn pin(shared: &Shared, issue: &IssueView, people: &BTreeMap<Login, Permission>, at: Timestamp) -> Pinned {
    let own = shared.config.logins.values().cloned().collect();
    Pinned::at(issue, people, &own, at)
}
