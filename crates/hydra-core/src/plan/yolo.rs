//! `yolo`: a merge without a person, for those who asked for exactly that.

use super::{Action, Draft, Reason, judge};
use crate::{
    Stage, TokenRole,
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
    match may(draft, &label) {
        Err(why) => draft.because(Reason::NoYolo { why }),
        Ok(None) => {
            draft.because(Reason::MergeUnknown);
            draft.wake_at(super::door::soon(draft.world.now));
        }
        Ok(Some(write)) => draft.effects.push(Action::Write { role: TokenRole::Orchestrator, write }),
    }
}

fn may(draft: &Draft<'_>, label: &str) -> Result<Option<ForgeWrite>, String> {
    let policy = &draft.world.policy;
    if policy.single_identity {
        return Err("it is off with `identities = \"single\"`".to_owned());
    }
    let event =
        super::door::newest_set(&draft.seen.issue.label_events, label).ok_or("GitHub does not show who set it")?;
    if !policy.yolo_allowed.contains(&event.actor) {
        return Err(format!("{} set it, who is not in pipeline.yolo_allowed", event.actor));
    }
    let record = draft.record.as_ref().ok_or("there is no record")?;
    let head = record.head.as_ref().ok_or("there is no head")?;
    let pull = draft.own_pull().filter(|pull| pull.state == PullState::Open).ok_or("there is no open pull request")?;
    if pull.head != *head {
        return Err(format!("the pull request's head is {}, and {head} was judged", pull.head));
    }
    let mut stages = vec![Stage::CodeReview, Stage::SecurityReview];
    if record.round > 0 {
        stages.push(Stage::Apply);
    }
    for stage in stages {
        let passed = judge::posted(draft, stage).is_some_and(|seen| seen.envelope.outcome == Outcome::Pass);
        if !passed {
            return Err(format!("there is no signed {stage} for the head {head}"));
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
                Err(format!("the check {} on the head is not green: {}", status.context, status.description))
            }
        };
    }
    match pull.mergeable {
        Mergeable::Unknown => Ok(None),
        Mergeable::Conflicting => Err("the pull request conflicts with its base".to_owned()),
        Mergeable::Clean => {
            Ok(Some(ForgeWrite::Merge { repo: draft.seen.key.repo.clone(), number: pull.number, head: head.clone() }))
        }
    }
}
