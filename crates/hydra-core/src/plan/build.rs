//! The phases in which the builder works: build, fix of red quality, fix of findings.

use super::{
    Action, Draft, Event, OutcomeKind, StartOrder, Task, Want, advance, advance::Run, door, draft, gates, judge, show,
};
use crate::{
    BranchName, CommitSha, Stage, TokenRole,
    contract_files::Rfi,
    job::JobKey,
    ports::{Delivery, ForgeWrite, Marker},
    record::{Need, StageResult},
};

/// One step of a phase in which the builder works.
pub(super) fn work(draft: &mut Draft<'_>, stage: Stage) {
    match advance::run(draft, stage) {
        Run::Waiting => {}
        Run::Dealt | Run::None => {
            if draft.record.as_ref().is_some_and(|record| draft::is_active(&record.phase)) {
                ask(draft, stage);
            }
        }
        Run::Ended(job, outcome) => {
            match &outcome.kind {
                OutcomeKind::Delivered { delivery, findings, .. } => {
                    deliver(draft, stage, delivery, job);
                    if let Some(note) = (!findings.is_empty()).then(|| {
                        findings.iter().map(|f| format!("{}: {}", f.severity, f.message)).collect::<Vec<_>>().join("; ")
                    }) {
                        let result = draft::result_of(draft, job.id());
                        draft.settle(job.id(), result, &note);
                    }
                }
                OutcomeKind::Refused { refusals } => {
                    let detail = format!("what the builder delivered is refused: {}", refusals.join("; "));
                    advance::close_entry(draft, job, StageResult::Fail, &detail);
                    draft.event(Event::DeliveryRefused, &detail);
                }
                OutcomeKind::NoChange { summary } => {
                    let said = if summary.is_empty() { "nothing" } else { summary };
                    let detail = format!("{stage} ended without a change. It said: {}", draft::cut(said, 600));
                    advance::close_entry(draft, job, StageResult::Fail, &detail);
                    draft.event(Event::NothingDelivered, &detail);
                }
                OutcomeKind::Rfi(rfi) => asked(draft, job, rfi),
                OutcomeKind::Quality { .. } | OutcomeKind::Judged(_) => {
                    advance::broken(draft, job, "it left results of another stage");
                }
                OutcomeKind::Broken { .. }
                | OutcomeKind::Outage { .. }
                | OutcomeKind::AccountUnusable { .. }
                | OutcomeKind::WrapperRefused { .. }
                | OutcomeKind::Stopped(_) => {}
            }
            draft.remove.push(job.id().clone());
        }
    }
}

/// Pushes what was delivered, unless somebody else pushed first; opens the pull request after the first build.
fn deliver(draft: &mut Draft<'_>, stage: Stage, delivery: &Delivery, job: &super::JobSeen) {
    let Some(branch) = branch(draft) else { return };
    let known = draft.record.as_ref().and_then(|record| record.head.clone());
    let tip = draft.seen.head_tip.clone();
    let arrived = tip.as_ref() == Some(&delivery.head);
    if !arrived && tip != known {
        let stands = tip.map_or("was deleted".to_owned(), |tip| format!("stands at {tip}"));
        let detail = format!(
            "the branch {branch} {stands}, which is not where {stage} began; a person's commits are never overwritten. Look at the branch, then set the trigger label again to go on from what is there"
        );
        advance::close_entry(draft, job, StageResult::Stopped, &detail);
        draft.event(Event::Diverged, &detail);
        return;
    }
    if !arrived {
        let to = Some(delivery.head.clone());
        draft.effects.push(Action::Push { branch: branch.clone(), expected: known, to, role: TokenRole::Builder });
    }
    let note = format!("{} commits, {} files", delivery.commits.len(), delivery.diff.files.len());
    advance::close_entry(draft, job, StageResult::Pass, &note);
    if let Some(record) = draft.record.as_mut() {
        record.head = Some(delivery.head.clone());
        record.branch = Some(branch);
        match stage {
            Stage::Fix => record.round += 1,
            Stage::FixQuality => record.quality_fixes += 1,
            Stage::Build | Stage::Quality | Stage::CodeReview | Stage::SecurityReview | Stage::Apply => {}
        }
    }
    draft.event(Event::Delivered, "");
    if draft.open_pull().is_none() {
        draft.effects.extend(show::open_pull(draft));
    }
}

/// The builder asks: on the pull request where there is one, else on the issue.
fn asked(draft: &mut Draft<'_>, job: &super::JobSeen, rfi: &Rfi) {
    let Some(record) = &draft.record else { return };
    let persona = draft.world.policy.personas.get(&job.key.stage).map_or("The builder", |p| p.name.as_str()).to_owned();
    let trigger = super::requests::trigger(draft);
    let mut body = format!("**{persona} needs to know:**\n\n");
    for question in &rfi.questions {
        body.push_str(&format!("- {}\n", crate::publish::harmless(question, &draft.world.policy.allow_hosts)));
    }
    if !rfi.context.is_empty() {
        body.push_str(&format!("\n{}\n", crate::publish::harmless(&rfi.context, &draft.world.policy.allow_hosts)));
    }
    body.push_str(&format!(
        "\nAnswer in a comment on the issue or edit it, then take `{trigger}` off and set it again.\n"
    ));
    let marker = Marker { purpose: "rfi".to_owned(), generation: record.generation, key: job.id().to_string() };
    let repo = draft.seen.key.repo.clone();
    let (role, number) = match draft.open_pull() {
        Some(pull) => (TokenRole::Builder, pull.into()),
        None => (TokenRole::Orchestrator, draft.seen.key.number.into()),
    };
    draft.effects.push(Action::Write { role, write: ForgeWrite::Comment { repo, number, marker, body } });
    let detail = format!("{persona} asks: {}", rfi.questions.join(" / "));
    advance::close_entry(draft, job, StageResult::Rfi, &detail);
    draft.event(Event::Asked, &detail);
}

/// Asks for the start of a stage in which the builder works.
pub(super) fn ask(draft: &mut Draft<'_>, stage: Stage) {
    let Some(branch) = branch(draft) else { return };
    let mut task = Task::default();
    match stage {
        Stage::FixQuality => match judge::red_commands(draft) {
            Some(red) => task.red = red,
            None => {
                // The red run's output is gone (the disk was lost): quality runs again and says it anew.
                if let Some(record) = draft.record.as_mut() {
                    record.phase = crate::record::Phase::Quality;
                }
                return;
            }
        },
        Stage::Fix => task.findings = judge::open_findings(draft),
        Stage::Build | Stage::Quality | Stage::CodeReview | Stage::SecurityReview | Stage::Apply => {}
    }
    if stage == Stage::Build {
        // The branch may be the work of what it waits for: another issue that names the same change.
        if gates::waits(draft, stage) {
            return;
        }
        let deleting = draft.effects.iter().any(|action| matches!(action, Action::Push { to: None, .. }));
        if let Some(tip) = draft.seen.head_tip.as_ref().filter(|_| !deleting) {
            let detail = format!(
                "the branch {branch} exists already (at {tip}) and is not Hydra's of this run; delete or rename it, then set the trigger label again"
            );
            return door::needs_input(draft, Need::Diverged, detail);
        }
        let base = draft.seen.base_tip.clone();
        if let Some(record) = draft.record.as_mut() {
            record.base = Some(base);
            record.branch = Some(branch);
        }
    }
    want(draft, stage, task);
}

/// Asks for a start, unless something keeps it from happening.
pub(super) fn want(draft: &mut Draft<'_>, stage: Stage, task: Task) {
    if stage.has_agent()
        && let Some(detail) = gates::issue_budget(draft)
    {
        draft.event(Event::BudgetSpent, &detail);
        return;
    }
    if gates::waits(draft, stage) {
        return;
    }
    let account = if stage.has_agent() {
        match gates::account(draft) {
            Some(account) => Some(account),
            None => return,
        }
    } else {
        None
    };
    let Some(record) = &draft.record else { return };
    let (Some(base), Some(branch)) = (record.base.clone(), record.branch.clone()) else { return };
    let key = JobKey {
        issue: draft.seen.key.clone(),
        generation: record.generation,
        stage,
        round: record.round,
        attempt: draft::ended(record, stage),
    };
    let head: CommitSha = record.head.clone().unwrap_or_else(|| base.clone());
    let model = draft.world.policy.personas.get(&stage).filter(|_| stage.has_agent()).map(|p| p.model.clone());
    let weight = draft.world.policy.weights.get(&stage).copied().unwrap_or(1);
    if draft.wants.iter().any(|want| want.order.key == key) {
        return;
    }
    draft.wants.push(Want { order: StartOrder { key, base, head, branch, account, model, task }, weight });
}

/// The work branch: `hydra/<change>`.
pub(super) fn branch(draft: &Draft<'_>) -> Option<BranchName> {
    let record = draft.record.as_ref()?;
    record.branch.clone().or_else(|| format!("hydra/{}", record.change.as_ref()?).parse().ok())
}
