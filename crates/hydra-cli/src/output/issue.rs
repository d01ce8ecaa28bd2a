//! An issue's facts for people: what Hydra sees, what it would do, or why it does nothing and what would change that.

use super::{
    clean::Clean,
    screen::{Screen, Tint},
    table::aligned,
};
use crate::failure::Failure;
use hydra_core::{Timestamp, Usd, record::StageResult, view::PullState};
use hydra_engine::status::{IssueFacts, JobFacts, SpendFacts, StageFacts};

/// `$0.1234, 8 turns, 18539 tokens`; nothing for what cost nothing.
#[must_use]
pub fn cost(spend: &SpendFacts) -> String {
    if spend.turns == 0 && spend.usd_micros == 0 {
        return String::new();
    }
    format!("{}, {} turns, {} tokens", Usd(spend.usd_micros), spend.turns, spend.tokens)
}

/// A time as people of operations read it: UTC, to the second.
#[must_use]
pub fn time(at: Timestamp) -> String {
    at.strftime("%Y-%m-%d %H:%M:%S UTC").to_string()
}

/// `12 s`, `3 min 4 s`, `2 h 5 min`.
#[must_use]
pub fn length(from: Timestamp, to: Timestamp) -> String {
    let seconds = to.duration_since(from).as_secs().max(0);
    match seconds {
        0..60 => format!("{seconds} s"),
        60..3600 => format!("{} min {} s", seconds / 60, seconds % 60),
        _ => format!("{} h {} min", seconds / 3600, seconds % 3600 / 60),
    }
}

/// The whole explanation.
///
/// # Errors
/// When the output cannot be written.
pub fn explain(screen: &Screen, clean: &Clean, facts: &IssueFacts, now: Timestamp) -> Result<(), Failure> {
    screen.line(format!("{}  {}", screen.tint(Tint::Bold, &facts.issue), clean.line(&facts.title)))?;
    screen.line(screen.tint(Tint::Dim, &clean.line(&facts.url)))?;
    screen.line("")?;
    screen.line(screen.tint(Tint::Bold, "What Hydra sees"))?;
    for line in aligned(&seen(facts, clean, now)) {
        screen.line(line)?;
    }
    if !facts.stages.is_empty() {
        screen.line("")?;
        screen.line(screen.tint(Tint::Bold, "What was done"))?;
        for line in aligned(&facts.stages.iter().map(|stage| stage_row(stage, clean, now)).collect::<Vec<_>>()) {
            screen.line(line)?;
        }
        if let Some(last) = facts.stages.last() {
            screen.line(
                screen.tint(Tint::Dim, &format!("  `hydra logs {}` shows the last one; --json names all", last.job)),
            )?;
        }
    }
    if !facts.next.is_empty() {
        screen.line("")?;
        screen.line(screen.tint(Tint::Bold, "What it would do next"))?;
        for action in &facts.next {
            screen.line(format!("  {}", clean.line(&action.text)))?;
        }
    }
    if !facts.reasons.is_empty() {
        let still = facts.next.is_empty() && !facts.jobs.iter().any(|job| job.state == "running");
        let title = if still { "Why it does nothing" } else { "Why not more" };
        screen.line("")?;
        screen.line(screen.tint(Tint::Bold, title))?;
    }
    reasons(screen, clean, facts)?;
    if let Some(wake) = facts.wake {
        screen.line(format!("  It looks again by itself at {}.", time(wake)))?;
    } else if facts.rests {
        screen.line("  It rests until somebody does something on GitHub.")?;
    }
    Ok(())
}

/// The reasons, each with its way out.
///
/// # Errors
/// When the output cannot be written.
pub fn reasons(screen: &Screen, clean: &Clean, facts: &IssueFacts) -> Result<(), Failure> {
    for reason in &facts.reasons {
        screen.line(format!("  {}", clean.line(&reason.text)))?;
        screen.line(screen.tint(Tint::Dim, &format!("    -> {}", clean.line(&reason.remedy))))?;
    }
    Ok(())
}

fn seen(facts: &IssueFacts, clean: &Clean, now: Timestamp) -> Vec<Vec<String>> {
    let mut rows: Vec<Vec<String>> = Vec::new();
    let mut row = |name: &str, text: String| rows.push(vec![format!("  {name}"), clean.line(&text)]);
    row("issue", format!("{}, labels: {}", word(facts.state), words(&facts.labels)));
    row("asked for by", asked(facts));
    row(
        "text",
        match (facts.pin.state, &facts.pin.hash, facts.pin.edited_at) {
            ("pinned", Some(hash), _) => format!("as it was then, {}", hash.get(..12).unwrap_or(hash)),
            ("edited", _, Some(at)) => format!("edited at {} after the label was set", time(at)),
            ("lost", ..) => "what was pinned cannot be had any more".to_owned(),
            _ => "not pinned: there is no request".to_owned(),
        },
    );
    row("change", change(facts));
    row(
        "run",
        match (&facts.record.why, facts.phase) {
            (Some(why), _) => format!("its record cannot be used: {why}"),
            (None, None) => "none yet".to_owned(),
            (None, Some(phase)) => {
                let detail = facts.detail.as_ref().map(|detail| format!(": {detail}")).unwrap_or_default();
                format!("{phase}, generation {}, fix round {}{detail}", facts.generation.unwrap_or(1), facts.round)
            }
        },
    );
    if facts.failed_attempts > 0 || facts.due.is_some() {
        let due = facts.due.map(|due| format!(", due at {}", time(due))).unwrap_or_default();
        row("attempt", format!("{} ({} failed){due}", facts.attempt, facts.failed_attempts));
    }
    if let Some(error) = &facts.last_error {
        row("last error", error.clone());
    }
    row("branch", branch(facts));
    if let Some(pull) = &facts.pull {
        let draft = if pull.draft && pull.state == PullState::Open { ", a draft" } else { "" };
        row("pull request", format!("#{} {}{draft}", pull.number, word(pull.state)));
        for status in &pull.statuses {
            row("", format!("{}: {}, {}", status.context, word(status.state), status.description));
        }
    }
    for verdict in &facts.verdicts {
        let counts = if verdict.counts { "" } else { " (of an older head: does not count)" };
        let why = verdict.void_reason.clone().unwrap_or_else(|| verdict.blocking.join("; "));
        let why = if why.is_empty() { String::new() } else { format!(": {why}") };
        row("verdict", format!("{} {}{counts}{why}", verdict.stage, word(verdict.outcome)));
    }
    for job in &facts.jobs {
        row("job", self::job(job, now));
    }
    row("lease", lease(facts));
    if let Some(hold) = &facts.hold {
        let until = hold.until.map(|until| format!(" until {}", time(until))).unwrap_or_default();
        row("hold", format!("{}{until}, since {}: {}", hold.kind, time(hold.since), hold.reason));
    }
    if let Some(column) = &facts.column {
        row("card", column.clone());
    }
    let cost = cost(&facts.spend);
    let so_far = if facts.jobs.iter().any(|job| job.spend.turns > 0) { "nothing in ended stages" } else { "nothing" };
    row("spent", if cost.is_empty() { so_far.to_owned() } else { cost });
    rows
}

/// A closed list's value as a word.
fn word(value: impl std::fmt::Debug) -> String {
    format!("{value:?}").to_lowercase()
}

fn words(all: &[String]) -> String {
    if all.is_empty() { "none".to_owned() } else { all.join(", ") }
}

fn asked(facts: &IssueFacts) -> String {
    match &facts.trigger {
        None => "nobody: the trigger label is not set".to_owned(),
        Some(trigger) => {
            let may = trigger.permission.map(|may| format!(", who has {}", word(may))).unwrap_or_default();
            format!("{}{may}; `{}` set at {}", trigger.by, trigger.label, time(trigger.at))
        }
    }
}

fn change(facts: &IssueFacts) -> String {
    let change = &facts.change;
    let name = change.name.as_deref().unwrap_or("none is named by the issue");
    let mut text = match &change.title {
        Some(title) if title != name => format!("{name}: {title}"),
        Some(_) | None => name.to_owned(),
    };
    if !change.faults.is_empty() {
        text.push_str(&format!("; cannot be used: {}", change.faults.join("; ")));
    }
    if !change.open_dependencies.is_empty() {
        text.push_str(&format!("; waits for {}", change.open_dependencies.join(", ")));
    }
    if let Some(cycle) = &change.cycle {
        text.push_str(&format!("; depends on itself: {cycle}"));
    }
    text
}

fn branch(facts: &IssueFacts) -> String {
    let short = |sha: &String| sha.get(..12).unwrap_or(sha).to_owned();
    let Some(branch) = &facts.branch else { return "none".to_owned() };
    let mut text = match &facts.branch_tip {
        None => format!("{branch}, not there yet; the base stands at {}", short(&facts.base_tip)),
        Some(tip) => {
            format!("{branch} at {}, base {}", short(tip), short(facts.base.as_ref().unwrap_or(&facts.base_tip)))
        }
    };
    if facts.head.is_some() && facts.head != facts.branch_tip {
        text.push_str("; it is not where Hydra left it");
    }
    if facts.conflicts {
        text.push_str("; it conflicts with the base branch");
    }
    text
}

fn lease(facts: &IssueFacts) -> String {
    match (&facts.lease.owner, facts.lease.expires_at) {
        (Some(owner), Some(until)) if facts.lease.state == "stale" => {
            format!("stale: {owner} is gone, or did not renew it by {}", time(until))
        }
        (Some(owner), Some(until)) => format!("held by {owner} until {}", time(until)),
        _ => "free".to_owned(),
    }
}

/// One job in a line, without its name's issue.
#[must_use]
pub fn job(job: &JobFacts, now: Timestamp) -> String {
    let mut text = format!("{} {}", job.job, job.state);
    if let Some(exit) = job.exit {
        text.push_str(&format!(" with {exit}"));
    }
    text.push_str(&format!(", made {} ago", length(job.created_at, now)));
    let cost = cost(&job.spend);
    if !cost.is_empty() {
        text.push_str(&format!(", {cost}"));
    }
    if let Some(last) = job.last_event {
        text.push_str(&format!(", last event {} ago", length(last, now)));
    }
    if let Some(refused) = &job.refused {
        text.push_str(&format!(", {refused}"));
    }
    if !job.doing.is_empty() {
        text.push_str(&format!(": {}", job.doing));
    }
    text
}

fn stage_row(stage: &StageFacts, clean: &Clean, now: Timestamp) -> Vec<String> {
    let took = match (stage.ended_at, stage.result) {
        (Some(end), _) => length(stage.started_at, end),
        (None, StageResult::Running) => format!("{} so far", length(stage.started_at, now)),
        (None, _) => String::new(),
    };
    let round = if stage.round > 0 { format!("round {}", stage.round + 1) } else { String::new() };
    vec![
        format!("  {}", stage.stage),
        round,
        stage.result.to_string(),
        took,
        cost(&stage.spend),
        clean.line(&stage.note),
    ]
}
