//! What a record looks like to people: labels, commit statuses, the card, the pull request's text, the status comment's text.

use super::{Action, Draft, Reason, door, draft, planner};
use crate::{
    Stage, TokenRole, label,
    ports::ForgeWrite,
    record::{Phase, RunRecord, StageResult},
    view::{PullState, StatusState},
};
use std::fmt::Write;

/// Labels, statuses, pull request text and card, as far as they differ from what is there.
pub(super) fn display(draft: &Draft<'_>, record: &RunRecord) -> Vec<Action> {
    let policy = &draft.world.policy;
    let repo = &draft.seen.key.repo;
    let mut actions = Vec::new();
    let orchestrator = |write| Action::Write { role: TokenRole::Orchestrator, write };
    let want = label::display(record);
    let (add, mut remove) =
        label::changes(&policy.label_prefix, &policy.trigger_label, &draft.seen.issue.labels, &want);
    remove.extend(answered(draft, record));
    if !add.is_empty() || !remove.is_empty() {
        actions.push(orchestrator(ForgeWrite::Labels {
            repo: repo.clone(),
            number: draft.seen.key.number.into(),
            add,
            remove,
        }));
    }
    let pull = draft.own_pull().filter(|pull| pull.state == PullState::Open);
    if let (Some(pull), Some(head)) = (pull, &record.head)
        && pull.head == *head
    {
        for (stage, state, description) in statuses(record) {
            let Some(context) = stage.status_context() else { continue };
            let shown =
                pull.statuses.iter().any(|s| s.context == context && s.state == state && s.description == description);
            if !shown {
                actions.push(orchestrator(ForgeWrite::Status {
                    repo: repo.clone(),
                    commit: head.clone(),
                    context: context.to_owned(),
                    state,
                    description,
                    url: None,
                }));
            }
        }
        let (title, body) = pull_text(draft, record);
        let marker = draft::pull_marker(record.generation);
        if !pull.body.trim_end().ends_with(body.trim_end()) || pull.title != title {
            actions.push(Action::Write {
                role: TokenRole::Builder,
                write: ForgeWrite::EditPull { repo: repo.clone(), number: pull.number, title, marker, body },
            });
        }
    }
    let column = match &record.phase {
        Phase::Build | Phase::Quality | Phase::FixQuality | Phase::Review | Phase::Fix | Phase::Apply => {
            &policy.columns.progress
        }
        Phase::Ready => &policy.columns.review,
        Phase::NeedsInput { .. } | Phase::Maxed { .. } | Phase::Cancelled { .. } => &policy.columns.blocked,
        Phase::Finished { detail } if detail.ends_with("was merged") => &policy.columns.done,
        Phase::Finished { .. } => &None,
    };
    if let (Some(column), Some(now)) = (column, &draft.seen.column)
        && column != now
    {
        actions.push(Action::PlaceCard { column: column.clone() });
    }
    actions
}

/// Labels that only Hydra sets, that someone else has set, and that these actions take off again.
pub(super) fn by_hand(draft: &Draft<'_>, actions: &[Action]) -> Vec<String> {
    let taken = actions.iter().filter_map(|action| match action {
        Action::Write { write: ForgeWrite::Labels { remove, .. }, .. } => Some(remove),
        _ => None,
    });
    let foreign = |label: &&String| {
        let is_request = [label::RETRY, label::REBUILD].iter().any(|request| label.ends_with(request));
        let newest = door::newest_set(&draft.seen.issue.label_events, label);
        !is_request && newest.is_some_and(|event| !draft.seen.own.contains(&event.actor))
    };
    taken.flatten().filter(foreign).cloned().collect()
}

/// Request labels that the record says were answered.
fn answered(draft: &Draft<'_>, record: &RunRecord) -> Vec<String> {
    let issue = &draft.seen.issue;
    let names = [label::RETRY, label::REBUILD].map(|name| format!("{}{name}", draft.world.policy.label_prefix));
    let is_answered = |label: &&String| {
        let newest = door::newest_set(&issue.label_events, label);
        names.iter().any(|name| name.eq_ignore_ascii_case(label)) && newest.is_some_and(|e| e.id <= record.answered)
    };
    issue.labels.iter().filter(is_answered).cloned().collect()
}

/// The status of each stage on the head: pending until it is known, never left pending by a run that rests.
fn statuses(record: &RunRecord) -> Vec<(Stage, StatusState, String)> {
    let mut stages = vec![Stage::Quality, Stage::CodeReview, Stage::SecurityReview];
    if record.round > 0 {
        stages.push(Stage::Apply);
    }
    let resting = planner::rest_reason(record);
    let row = |stage: Stage| {
        let (state, description) = match (label::group_state(record, stage.label_group()), &resting) {
            (Some("pass"), _) => (StatusState::Success, "passed".to_owned()),
            (Some("fail"), _) => (StatusState::Failure, format!("did not pass: {}", note(record, stage))),
            (_, Some(Reason::Ready { .. })) => (StatusState::Success, "nothing to check".to_owned()),
            (_, Some(reason)) => (StatusState::Failure, format!("not judged: {reason}")),
            (Some("running"), None) => (StatusState::Pending, "is running".to_owned()),
            (_, None) => (StatusState::Pending, "waits for its turn".to_owned()),
        };
        (stage, state, draft::cut(&description.replace(['\n', '\r'], " "), 140))
    };
    stages.into_iter().map(row).collect()
}

fn note(record: &RunRecord, stage: Stage) -> String {
    record.stages.iter().rev().find(|entry| entry.stage == stage).map_or(String::new(), |entry| entry.note.clone())
}

/// Opens the pull request of the record's branch.
pub(super) fn open_pull(draft: &Draft<'_>) -> Option<Action> {
    let record = draft.record.as_ref()?;
    let (title, body) = pull_text(draft, record);
    Some(Action::Write {
        role: TokenRole::Builder,
        write: ForgeWrite::OpenPull {
            repo: draft.seen.key.repo.clone(),
            head: record.branch.clone()?,
            base: draft.seen.repo.default_branch.clone(),
            title,
            marker: draft::pull_marker(record.generation),
            body,
        },
    })
}

/// Title and text of the pull request: what it is, what was judged, what it cost.
fn pull_text(draft: &Draft<'_>, record: &RunRecord) -> (String, String) {
    let change = record.change.as_ref().map_or("?", |change| change.as_str());
    let title = match &draft.seen.change {
        super::ChangeRead::Found { title, .. } if !title.is_empty() => title.clone(),
        _ => change.to_owned(),
    };
    let title = draft::cut(&crate::publish::harmless(&title, &draft.world.policy.allow_hosts), 200);
    let mut body =
        format!("Implements the change `openspec/changes/{change}`.\n\nCloses #{}\n\n", draft.seen.key.number);
    if draft.world.policy.single_identity {
        body.push_str("> One identity wrote, reviewed and opened this (`identities = \"single\"`): the reviews are not independent of each other.\n\n");
    }
    body.push_str(&stage_table(record));
    body.push_str(&egress_table(record));
    if draft.seen.commands == Ok(false) {
        body.push_str("\nThe repository names no commands in `.hydra.toml`: nothing was run to check the work.\n");
    }
    (title, body)
}

/// Takes the pull request out of draft and resolves the threads that Hydra itself opened.
pub(super) fn ready(draft: &Draft<'_>) -> Vec<Action> {
    let Some(pull) = draft.own_pull().filter(|pull| pull.state == PullState::Open) else { return Vec::new() };
    let repo = draft.seen.key.repo.clone();
    let orchestrator = |write| Action::Write { role: TokenRole::Orchestrator, write };
    let mut actions: Vec<Action> = pull
        .threads
        .iter()
        .filter(|thread| {
            !thread.resolved && thread.author.as_ref().is_some_and(|author| draft.seen.own.contains(author))
        })
        .map(|thread| {
            orchestrator(ForgeWrite::ResolveThread {
                repo: repo.clone(),
                number: pull.number,
                thread: thread.id.clone(),
            })
        })
        .collect();
    if pull.draft {
        actions.push(orchestrator(ForgeWrite::MarkReady { repo, number: pull.number }));
    }
    actions
}

/// A table of what ran.
fn stage_table(record: &RunRecord) -> String {
    let mut table =
        String::from("| stage | round | result | took | turns | tokens | cost |\n|---|---|---|---|---|---|---|\n");
    for entry in &record.stages {
        let took = entry.ended_at.map_or("…".to_owned(), |end| {
            let seconds = end.duration_since(entry.started_at).as_secs().max(0);
            if seconds < 60 { format!("{seconds} s") } else { format!("{} min {} s", seconds / 60, seconds % 60) }
        });
        // A note may repeat what an agent said.
        let note = crate::publish::harmless_line(&entry.note, &[], 160);
        let colon = if note.is_empty() { "" } else { ": " };
        let _ = writeln!(
            table,
            "| {} | {} | {}{colon}{note} | {took} | {} | {} | {} |",
            entry.stage,
            entry.round,
            entry.result,
            entry.spend.turns,
            entry.spend.tokens.total(),
            entry.spend.cost
        );
    }
    let spend = record.spend();
    let _ = writeln!(table, "\nIn all: {}, {} tokens, {} turns.", spend.cost, spend.tokens.total(), spend.turns);
    table
}

/// What left the containers of each stage's newest run, as their gates counted it; nothing where no gate stood.
fn egress_table(record: &RunRecord) -> String {
    let rows: String = record
        .stages
        .iter()
        .filter(|entry| !entry.egress.is_empty())
        .map(|entry| format!("| {} | {} | {} |\n", entry.stage, entry.round, entry.egress))
        .collect();
    if rows.is_empty() { rows } else { format!("\n| stage | round | egress |\n|---|---|---|\n{rows}") }
}

/// The text of the status comment, without marker and signed block. The same record gives the same text.
#[must_use]
pub fn status_text(record: &RunRecord, reason: &str) -> String {
    let change = record.change.as_ref().map_or(String::new(), |change| format!(" on the change `{change}`"));
    let mut text =
        format!("**Hydra**{change}, generation {}: **{}**\n\n{reason}\n\n", record.generation, record.phase.kind());
    if !record.stages.is_empty() {
        text.push_str(&stage_table(record));
    }
    if let Some(pull) = record.pull {
        let _ = writeln!(text, "\nPull request: #{pull}");
    }
    if let Some(due) = record.due {
        let _ = writeln!(text, "\nNext attempt: {due} ({} failed so far)", record.attempts);
    }
    text
}

/// One line for the status comment: stable as long as the record is. What an agent or a person said in it is made harmless.
pub(super) fn reason_line(record: &RunRecord, reasons: &[Reason], hosts: &[String]) -> String {
    let shown = |reason: &Reason| {
        let text = reason.to_string();
        if reason.is_own_words() { text } else { crate::publish::harmless(&text, hosts) }
    };
    if let Some(rest) = planner::rest_reason(record) {
        // Who asks in vain looks here why nothing happens.
        let in_vain = reasons.iter().find(|reason| matches!(reason, Reason::NoRight { .. }));
        return match in_vain {
            Some(in_vain) => format!("{}; {}", shown(&rest), shown(in_vain)),
            None => shown(&rest),
        };
    }
    let running = record.stages.iter().filter(|entry| entry.result == StageResult::Running);
    let running: Vec<_> = running.map(|entry| entry.stage.as_str()).collect();
    if !running.is_empty() {
        return format!("{} at work", running.join(" and ") + if running.len() == 1 { " is" } else { " are" });
    }
    let stable = reasons.iter().find(|r| !matches!(r, Reason::Running { .. } | Reason::Working));
    stable.map_or_else(|| "going on".to_owned(), shown)
}
