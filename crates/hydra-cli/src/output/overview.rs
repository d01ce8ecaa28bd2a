//! Everything at one moment, for people.

use super::{
    clean::Clean,
    issue::{cost, job, time},
    screen::{Screen, Tint},
    table::aligned,
};
use crate::failure::Failure;
use hydra_core::Usd;
use hydra_engine::status::{AccountFacts, IssueFacts, Overview};

/// Prints it.
///
/// # Errors
/// When the output cannot be written.
pub fn show(screen: &Screen, clean: &Clean, all: &Overview) -> Result<(), Failure> {
    let repos = if all.repos.is_empty() {
        "no repository could be seen: what follows is not known to be all".to_owned()
    } else {
        all.repos.join(", ")
    };
    screen.line(format!("{}  {}  {}", screen.tint(Tint::Bold, &all.instance), clean.line(&repos), time(all.now)))?;
    screen.line(format!("slots {} of {} in use; {}", all.slots.used, all.slots.total, money(all)))?;
    let accounts: Vec<String> = all.accounts.iter().map(account).collect();
    screen.line(format!("accounts: {}", clean.line(&accounts.join("; "))))?;
    for hold in &all.holds {
        let until = hold.until.map(|until| format!(" until {}", time(until))).unwrap_or_default();
        let line = format!("{} of {}{until}: {}", hold.kind, hold.scope, clean.line(&hold.reason));
        screen.line(screen.tint(Tint::Warn, &line))?;
    }
    if let Some(breaker) = &all.breaker {
        screen.line(screen.tint(Tint::Warn, &format!("nothing starts: {}", clean.line(breaker))))?;
    }
    for unseen in &all.unseen {
        let of = unseen.issue.as_ref().map(|issue| format!("{issue}: ")).unwrap_or_default();
        let line = format!("not seen: {of}{}: {}", unseen.what, unseen.why);
        screen.line(screen.tint(Tint::Bad, &clean.line(&line)))?;
    }
    if !all.issues.is_empty() {
        screen.line("")?;
    }
    let lines = aligned(&all.issues.iter().map(|issue| row(issue, clean)).collect::<Vec<_>>());
    for (line, issue) in lines.into_iter().zip(&all.issues) {
        screen.line(line)?;
        for reason in &issue.reasons {
            screen.line(screen.tint(Tint::Dim, &format!("  {}", clean.line(&reason.text))))?;
        }
        if let Some(due) = issue.due {
            screen.line(screen.tint(Tint::Dim, &format!("  attempt {} is due at {}", issue.attempt, time(due))))?;
        }
        for running in &issue.jobs {
            screen.line(format!("  {}", clean.line(&job(running, all.now))))?;
        }
    }
    if !all.other_jobs.is_empty() {
        screen.line("")?;
        screen.line("jobs of other issues, or of nobody (`hydra prune` removes what nobody owns):")?;
        for other in &all.other_jobs {
            screen.line(format!("  {}", clean.line(&job(other, all.now))))?;
        }
    }
    if all.issues.is_empty() && all.unseen.is_empty() {
        screen.line("no issue carries the trigger label")?;
    }
    Ok(())
}

fn row(issue: &IssueFacts, clean: &Clean) -> Vec<String> {
    let pull = issue.pull.as_ref().map(|pull| format!("#{}", pull.number)).unwrap_or_default();
    vec![
        issue.issue.clone(),
        issue.phase.unwrap_or("new").to_owned(),
        pull,
        cost(&issue.spend),
        clean.line(&issue.title),
    ]
}

fn money(all: &Overview) -> String {
    let Some(day) = &all.day else { return "what was spent today is not known".to_owned() };
    let limit = day.limit_usd_micros.map(|limit| format!(" of {}", Usd(limit))).unwrap_or_default();
    format!("today {}{limit}, {} tokens", Usd(day.usd_micros), day.tokens)
}

fn account(account: &AccountFacts) -> String {
    match (account.aside_until, &account.why) {
        (Some(until), why) => {
            format!(
                "{} set aside until {}: {}",
                account.name,
                time(until),
                why.as_deref().unwrap_or("no reason is kept")
            )
        }
        (None, _) => account.name.clone(),
    }
}
