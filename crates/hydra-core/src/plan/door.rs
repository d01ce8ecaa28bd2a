//! The door: whether an issue without a record may start, and if not, why.

use super::{Action, ChangeRead, Draft, Event, PinRead, Reason, StopReason, gates, requests};
use crate::{
    Generation, SignedDuration, Timestamp,
    job::RuntimeStatus,
    money::Spend,
    record::{Need, Phase, Request, RunRecord, SCHEMA},
    view::{IssueState, LabelEvent, Permission},
};

/// The bad record, if there is one: why it is bad, when its comment was last changed, the highest generation that work shows.
pub(super) type Bad<'b> = (&'b String, Option<Timestamp>, Generation);

/// Looks at an issue that has no (good) record.
pub(super) fn admit(draft: &mut Draft<'_>, bad: Option<Bad<'_>>) {
    let policy = &draft.world.policy;
    let label = format!("{}{}", policy.label_prefix, policy.trigger_label);
    if !has_label(draft, &label) {
        draft.because(Reason::NoTrigger { label });
        return;
    }
    let Some(event) = newest_set(&draft.seen.issue.label_events, &label) else {
        draft.because(Reason::NoEvent { label, needs: policy.trigger_permission });
        draft.wake_at(soon(draft.world.now));
        return;
    };
    let mut record = fresh(event, bad.map_or(Generation(1), |(_, _, generation)| Generation(generation.0 + 1)));
    if let Some((why, changed_at, _)) = bad {
        // A person who may set the trigger resets the record by setting the label anew, after it went bad.
        if changed_at.is_none_or(|changed| event.at <= changed) {
            let detail = format!(
                "the spend record of this issue is not usable: {why}. Nothing starts until someone with {:?} permission removes and sets `{label}` again, which begins a new record",
                policy.trigger_permission
            );
            record.phase = Phase::NeedsInput { need: Need::Record, detail: detail.clone() };
            // Shown, not written: writing would replace the evidence.
            draft.because(Reason::NeedsInput { detail });
            return;
        }
    }
    let permission = draft.seen.people.get(&event.actor).copied().unwrap_or(Permission::None);
    let who = event.actor.clone();
    draft.record = Some(record);
    draft.fresh = true;
    if permission < policy.trigger_permission {
        let needs = policy.trigger_permission;
        needs_input(
            draft,
            Need::Permission,
            format!(
                "`{label}` was set by {who}, who has {permission:?}; it takes {needs:?}. Someone who has it must set the label again"
            ),
        );
        return;
    }
    check(draft);
}

/// Whether jobs exist of an issue that has no record and is not to be built any more: the orchestrator died between their start and the
/// first record, and then a person changed their mind.
pub(super) fn is_left_over(draft: &Draft<'_>) -> bool {
    let closed = draft.seen.issue.state == IssueState::Closed;
    !draft.seen.jobs.is_empty() && (closed || !has_label(draft, &requests::trigger(draft)))
}

/// Begins the record after all, so that they are stopped and what they cost is written down.
pub(super) fn left_over(draft: &mut Draft<'_>) {
    let label = requests::trigger(draft);
    let Some(set) = newest_set(&draft.seen.issue.label_events, &label) else {
        // Nobody ever asked for them.
        for job in &draft.seen.jobs {
            match job.observed.status {
                RuntimeStatus::Running => {
                    draft.effects.push(Action::StopJob { job: job.id().clone(), why: StopReason::Stale });
                }
                RuntimeStatus::Created | RuntimeStatus::Exited { .. } | RuntimeStatus::Lost { .. } => {
                    draft.remove.push(job.id().clone());
                }
            }
        }
        draft.because(Reason::NoTrigger { label });
        return;
    };
    draft.record = Some(fresh(set, Generation(1)));
    draft.fresh = true;
    if draft.seen.issue.state == IssueState::Closed {
        draft.event(Event::Closed, "the issue was closed");
    } else {
        draft.event(Event::LabelRemoved, &format!("somebody took the label `{label}` off"));
    }
}

/// What must hold before a build of this generation starts: pin, change, dependencies, configuration. Used at the door and when a label is set again.
pub(super) fn check(draft: &mut Draft<'_>) {
    let label = format!("{}{}", draft.world.policy.label_prefix, draft.world.policy.trigger_label);
    match &draft.seen.pin {
        PinRead::Pinned { hash } => {
            if let Some(record) = draft.record.as_mut() {
                record.snapshot.clone_from(hash);
            }
        }
        PinRead::Edited { at } => {
            let detail =
                format!("the issue was edited at {at}, after `{label}` was set; read it again and set the label again");
            return needs_input(draft, Need::Relabel, detail);
        }
        PinRead::Lost | PinRead::NoTrigger => {
            let detail =
                format!("the text that was pinned when `{label}` was set cannot be had any more; set the label again");
            return needs_input(draft, Need::Relabel, detail);
        }
    }
    match &draft.seen.change {
        ChangeRead::Unnamed => needs_input(
            draft,
            Need::Change,
            format!(
                "the issue names no change: add a line `Change: <folder below openspec/changes>` and set `{label}` again"
            ),
        ),
        ChangeRead::Broken { name, faults } => {
            let name = name.as_ref().map_or("?", |name| name.as_str());
            let faults = faults.join("; ");
            let detail = format!(
                "the change folder openspec/changes/{name} cannot be used: {faults}. Mend it on the base branch and set `{label}` again; `hydra change check` shows the same"
            );
            needs_input(draft, Need::Change, detail);
        }
        ChangeRead::Found { cycle: Some(cycle), .. } => {
            let detail = format!(
                "the changes depend on each other in a circle: {cycle}. Take one `depends_on` away and set `{label}` again"
            );
            needs_input(draft, Need::Change, detail);
        }
        ChangeRead::Found { name, open_dependencies, cycle: None, .. } => {
            if let Some(record) = draft.record.as_mut() {
                record.change = Some(name.clone());
            }
            for what in open_dependencies {
                draft.because(Reason::Dependency { what: what.clone() });
            }
            if let Some(rival) = draft.seen.rivals.iter().find(|rival| **rival < draft.seen.key.number) {
                draft.because(Reason::Rival { change: name.to_string(), issue: *rival });
            }
            if let Some(fault) = gates::configuration(draft) {
                needs_input(draft, Need::Configuration, fault);
            }
        }
    }
}

/// Hands over to a person.
pub(super) fn needs_input(draft: &mut Draft<'_>, need: Need, detail: String) {
    if let Some(record) = draft.record.as_mut() {
        record.last_error = Some(detail.clone());
        record.phase = Phase::NeedsInput { need, detail: detail.clone() };
    }
    draft.because(Reason::NeedsInput { detail });
}

/// A record that answers a label event.
pub(super) fn fresh(event: &LabelEvent, generation: Generation) -> RunRecord {
    RunRecord {
        schema: SCHEMA,
        generation,
        request: Request { event: event.id, by: event.actor.clone(), at: event.at },
        answered: event.id,
        snapshot: String::new(),
        change: None,
        base: None,
        branch: None,
        head: None,
        pull: None,
        phase: Phase::Build,
        round: 0,
        quality_fixes: 0,
        attempts: 0,
        due: None,
        last_error: None,
        errors: Vec::new(),
        stages: Vec::new(),
        spend_before: Spend::default(),
        hold: None,
    }
}

/// Whether the issue carries a label now.
pub(super) fn has_label(draft: &Draft<'_>, label: &str) -> bool {
    draft.seen.issue.labels.iter().any(|have| have.eq_ignore_ascii_case(label))
}

/// The newest event that set a label.
pub(super) fn newest_set<'e>(events: &'e [LabelEvent], label: &str) -> Option<&'e LabelEvent> {
    events.iter().filter(|event| event.added && event.label.eq_ignore_ascii_case(label)).max_by_key(|event| event.id)
}

/// A short while from now: for what the forge computes in the background.
pub(super) fn soon(now: Timestamp) -> Timestamp {
    now.checked_add(SignedDuration::from_secs(5)).unwrap_or(now)
}
