//! `Snapshot -> Plan`: every issue is settled on its own, then slots are granted over all of them, reviews before builds.

use super::{
    Action, Draft, IssuePlan, IssueSnapshot, LeaseRead, Plan, Reason, RecordRead, Snapshot, advance, door, draft, fold,
    requests, show,
};
use crate::{
    Stage, Timestamp,
    job::RuntimeStatus,
    record::{Phase, RunRecord, StageEntry, StageResult},
    view::IssueState,
};

/// Plans. Total: every snapshot has a plan, and every issue in it has actions or a reason.
#[must_use]
pub fn plan(world: &Snapshot) -> Plan {
    // An issue that asks for no start waits for nobody: it is finished while all of it is at hand.
    let mut plans: Vec<Option<IssuePlan>> = Vec::with_capacity(world.issues.len());
    let (mut asking, mut places) = (Vec::new(), Vec::new());
    for seen in &world.issues {
        let draft = settle(world, seen);
        if draft.wants.is_empty() {
            plans.push(Some(finish(draft)));
        } else {
            places.push(plans.len());
            asking.push(draft);
            plans.push(None);
        }
    }
    grant(world, &mut asking);
    for (place, draft) in places.into_iter().zip(asking) {
        plans[place] = Some(finish(draft));
    }
    Plan { issues: plans.into_iter().flatten().collect() }
}

/// What one issue needs by itself.
fn settle<'a>(world: &'a Snapshot, seen: &'a IssueSnapshot) -> Draft<'a> {
    let mut draft = Draft::new(world, seen);
    if seen.repo.archived {
        draft.because(Reason::Archived);
        return draft;
    }
    match &seen.record {
        RecordRead::Valid(record) => {
            draft.record = Some((**record).clone());
            requests::answer(&mut draft);
            if !draft.ending {
                advance::advance(&mut draft);
            }
        }
        RecordRead::Absent if door::is_left_over(&draft) => door::left_over(&mut draft),
        RecordRead::Absent | RecordRead::Bad { .. } if seen.issue.state == IssueState::Closed => {
            draft.because(Reason::Closed);
        }
        RecordRead::Absent => door::admit(&mut draft, None),
        RecordRead::Bad { why, changed_at, generation } => {
            door::admit(&mut draft, Some((why, *changed_at, *generation)))
        }
    }
    if draft.fresh {
        advance::advance(&mut draft);
    }
    draft
}

/// Grants starts: by kind (what is nearest to its end first), then by age of the request, then by name.
fn grant(world: &Snapshot, drafts: &mut [Draft<'_>]) {
    let weight = |stage: Stage| world.policy.weights.get(&stage).copied().unwrap_or(1);
    let mut used: u32 = world.slots_elsewhere
        + world
            .issues
            .iter()
            .flat_map(|seen| &seen.jobs)
            .filter(|job| matches!(job.observed.status, RuntimeStatus::Running))
            .map(|job| weight(job.key.stage))
            .sum::<u32>();
    let mut queue: Vec<(u8, Timestamp, usize, usize)> = Vec::new();
    for (d, draft) in drafts.iter().enumerate() {
        for (w, want) in draft.wants.iter().enumerate() {
            let at = draft.record.as_ref().map_or(world.now, |record| record.request.at);
            queue.push((rank(want.order.key.stage), at, d, w));
        }
    }
    queue.sort_by(|a, b| (a.0, a.1, &drafts[a.2].seen.key, a.3).cmp(&(b.0, b.1, &drafts[b.2].seen.key, b.3)));
    let total = world.policy.slots;
    let mut granted = vec![Vec::new(); drafts.len()];
    for (_, _, d, w) in queue {
        let want = &drafts[d].wants[w];
        let stage = want.order.key.stage;
        // A job heavier than all slots together still runs, alone: else it would wait for ever.
        if used + want.weight <= total || used == 0 {
            used += want.weight;
            granted[d].push(w);
        } else {
            drafts[d].because(Reason::NoSlot { stage, used, total });
        }
    }
    for (draft, mut indices) in drafts.iter_mut().zip(granted) {
        indices.sort_unstable();
        let mut wants: Vec<_> = std::mem::take(&mut draft.wants).into_iter().map(Some).collect();
        draft.wants = indices.into_iter().filter_map(|index| wants.get_mut(index).and_then(Option::take)).collect();
    }
}

const fn rank(stage: Stage) -> u8 {
    match stage {
        Stage::Apply => 0,
        Stage::CodeReview | Stage::SecurityReview => 1,
        Stage::Quality => 2,
        Stage::FixQuality | Stage::Fix => 3,
        Stage::Build => 4,
    }
}

/// Puts the effects in their order: lease, results, starts, record, display, removals, release.
fn finish(mut draft: Draft<'_>) -> IssuePlan {
    let seen = draft.seen;
    let now = draft.world.now;
    let key = seen.key.clone();
    let starts: Vec<_> = std::mem::take(&mut draft.wants).into_iter().map(|want| want.order).collect();
    let must_show = draft.record.as_ref().is_some_and(|record| !draft::is_active(&record.phase));
    // A job that was started before the record could be written belongs to it: it is written now.
    let adopts = draft.record.as_ref().is_some_and(|record| !record.stages.is_empty());
    if draft.fresh && starts.is_empty() && !must_show && !adopts {
        draft.record = None;
        draft.effects.clear();
    }
    for order in &starts {
        if let Some(record) = draft.record.as_mut() {
            open_entry(record, order, now);
        }
        let (stage, doing) = (order.key.stage, String::new());
        draft.because(Reason::Running { stage, since: now, doing });
    }
    let mut actions = std::mem::take(&mut draft.effects);
    actions.extend(starts.into_iter().map(|order| Action::StartJob(Box::new(order))));
    if let Some(record) = draft.record.as_mut() {
        fold::fold(record);
    }
    let resting = draft.record.as_ref().is_none_or(|record| !draft::is_active(&record.phase));
    if let Some(record) = &draft.record {
        let known = match &seen.record {
            RecordRead::Valid(known) => Some(&**known),
            RecordRead::Absent | RecordRead::Bad { .. } => None,
        };
        let shown = show::display(&draft, record);
        if known != Some(record) {
            let reason = show::reason_line(record, &draft.reasons, &draft.world.policy.allow_hosts);
            actions.extend(draft.record.take().map(|record| Action::SaveRecord { record: Box::new(record), reason }));
        }
        actions.extend(shown);
    }
    for label in show::by_hand(&draft, &actions) {
        draft.because(Reason::ForeignLabel { label });
    }
    actions.extend(draft.remove.iter().map(|job| Action::RemoveJob { job: job.clone() }));
    lease(&mut draft, &mut actions, resting);
    let rests = actions.is_empty() && resting && draft.wake.is_none();
    if draft.reasons.is_empty() {
        draft.because(Reason::Working);
    }
    IssuePlan { key, actions, reasons: draft.reasons, wake: draft.wake, rests }
}

/// Nothing is done without the lease; a run at rest gives it back.
fn lease(draft: &mut Draft<'_>, actions: &mut Vec<Action>, resting: bool) {
    // Of the generation that the forge shows: a new one is named once its record is written, else a record that was never
    // written would look as if an old one had been put back.
    let generation = match &draft.seen.record {
        RecordRead::Valid(record) => record.generation,
        RecordRead::Absent => crate::Generation(1),
        RecordRead::Bad { generation, .. } => *generation,
    };
    let runs = draft.seen.jobs.iter().any(|job| matches!(job.observed.status, RuntimeStatus::Running));
    match &draft.seen.lease {
        LeaseRead::Mine(held) => {
            if actions.is_empty() && resting && !runs {
                actions.push(Action::ReleaseLease { before: held.oid.clone() });
            }
        }
        LeaseRead::Free if !actions.is_empty() => actions.insert(0, Action::TakeLease { before: None, generation }),
        LeaseRead::Stale(held) if !actions.is_empty() => {
            actions.insert(0, Action::TakeLease { before: Some(held.oid.clone()), generation });
        }
        LeaseRead::Stale(held) if resting && !runs => {
            actions.push(Action::ReleaseLease { before: held.oid.clone() });
        }
        LeaseRead::Free | LeaseRead::Stale(_) => {}
        LeaseRead::Other(held) => {
            if actions.is_empty() && resting && !runs {
                // Its holder gives it back at once, unless it died: then it is taken away when it lapses.
                draft.wake_at(held.record.expires_at);
                return;
            }
            if !actions.is_empty() {
                actions.clear();
                draft.reasons.clear();
            }
            draft.because(Reason::Leased { owner: held.record.owner.clone(), until: held.record.expires_at });
            draft.wake_at(held.record.expires_at);
        }
    }
}

fn open_entry(record: &mut RunRecord, order: &super::StartOrder, now: Timestamp) {
    let job = order.key.id();
    if record.stages.iter().any(|entry| entry.job == job) {
        return;
    }
    record.stages.push(StageEntry {
        stage: order.key.stage,
        round: order.key.round,
        attempt: order.key.attempt,
        job,
        started_at: now,
        ended_at: None,
        result: StageResult::Running,
        spend: crate::money::Spend::default(),
        account: order.account.clone(),
        note: String::new(),
        egress: String::new(),
    });
}

/// Whether a record's phase waits for a person or for nothing.
pub(super) fn rest_reason(record: &RunRecord) -> Option<Reason> {
    match &record.phase {
        Phase::Build | Phase::Quality | Phase::FixQuality | Phase::Review | Phase::Fix | Phase::Apply => None,
        Phase::Ready => Some(Reason::Ready { pull: record.pull.map_or(0, |pull| pull.0) }),
        Phase::NeedsInput { detail, .. } => Some(Reason::NeedsInput { detail: detail.clone() }),
        Phase::Maxed { detail } => Some(Reason::Maxed { detail: detail.clone() }),
        Phase::Cancelled { detail } => Some(Reason::Cancelled { detail: detail.clone() }),
        Phase::Finished { detail } => Some(Reason::Finished { detail: detail.clone() }),
    }
}
