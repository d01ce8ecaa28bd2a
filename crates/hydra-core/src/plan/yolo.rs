//! `yolo`: a merge without a person, for those who asked for exactly that.

use super::{Action, Draft, Reason, judge};
use crate::{
    SignedDuration, Stage, TokenRole,
    label::YOLO,
    ports::ForgeWrite,
    verdict::Outcome,
    view::{Mergeable, PullState, StatusState},
};

/// Merges when everything that it takes is there; says what is missing when the label is set and it is not.
pub(super) fn merge(draft: &mut Draft<'_>) {
    let label = format!("{}{YOLO}", draft.world.policy.label_prefix);
    if !super::door::has_label(draft, &label) {
        return;
    }
    let held = super::gates::tell_holds(draft);
    match may(draft, &label, held) {
        Err(No { why, look_again }) => {
            draft.because(Reason::NoYolo { why });
            if look_again {
                draft.wake_at(draft.world.now.saturating_add(RERUN).unwrap_or(draft.world.now));
            }
        }
        Ok(None) => {
            draft.because(Reason::MergeUnknown);
            draft.wake_at(super::door::soon(draft.world.now));
        }
        Ok(Some(write)) => draft.effects.push(Action::Write { role: TokenRole::Orchestrator, write }),
    }
}

/// How long after a red check of somebody else it is looked at again: no listing shows that one became green.
const RERUN: SignedDuration = SignedDuration::from_mins(5);

/// Why nothing is merged.
struct No {
    why: String,
    /// It may end by what no listing shows.
    look_again: bool,
}

impl<S: Into<String>> From<S> for No {
    fn from(why: S) -> Self {
        Self { why: why.into(), look_again: false }
    }
}

fn may(draft: &Draft<'_>, label: &str, held: bool) -> Result<Option<ForgeWrite>, No> {
    let policy = &draft.world.policy;
    if policy.single_identity {
        return Err("it is off with `identities = \"single\"`".into());
    }
    let event =
        super::door::newest_set(&draft.seen.issue.label_events, label).ok_or("GitHub does not show who set it")?;
    if !policy.yolo_allowed.contains(&event.actor) {
        return Err(format!("{} set it, who is not in pipeline.yolo_allowed", event.actor).into());
    }
    let trigger = format!("{}{}", policy.label_prefix, policy.trigger_label);
    if !super::door::has_label(draft, &trigger) {
        return Err(format!("the label `{trigger}` was taken off").into());
    }
    if held {
        return Err("it is on hold".into());
    }
    let record = draft.record.as_ref().ok_or("there is no record")?;
    let head = record.head.as_ref().ok_or("there is no head")?;
    let pull = draft.own_pull().filter(|pull| pull.state == PullState::Open).ok_or("there is no open pull request")?;
    let base = &draft.seen.repo.default_branch;
    if pull.base_ref != *base {
        return Err(format!("the pull request goes to {}, and what was judged goes to {base}", pull.base_ref).into());
    }
    if pull.head != *head {
        return Err(format!("the pull request's head is {}, and {head} was judged", pull.head).into());
    }
    let mut stages = vec![Stage::CodeReview, Stage::SecurityReview];
    if record.round > 0 {
        stages.push(Stage::Apply);
    }
    for stage in stages {
        let passed = judge::posted(draft, stage).is_some_and(|seen| seen.envelope.outcome == Outcome::Pass);
        if !passed {
            return Err(format!("there is no signed {stage} for the head {head}").into());
        }
    }
    if pull.draft {
        // It is being taken out of draft in this very plan: the next look merges.
        return Ok(None);
    }
    if let Some(status) = pull.statuses.iter().find(|status| status.state != StatusState::Success) {
        return match status.state {
            StatusState::Pending => Ok(None),
            StatusState::Success | StatusState::Failure | StatusState::Error => {
                let why = format!("the check {} on the head is not green: {}", status.context, status.description);
                Err(No { why, look_again: true })
            }
        };
    }
    match pull.mergeable {
        Mergeable::Unknown => Ok(None),
        Mergeable::Conflicting => Err("the pull request conflicts with its base".into()),
        Mergeable::Clean => {
            Ok(Some(ForgeWrite::Merge { repo: draft.seen.key.repo.clone(), number: pull.number, head: head.clone() }))
        }
    }
}
