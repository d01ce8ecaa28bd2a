//! `hydra egress denials [JOB]`: what jobs were refused, how often, why, and the lines that would open it.

mod gather;
pub(super) mod paste;
mod rows;
mod words;

use super::super::operator::{clean, operator};
use crate::{
    args::EgressDenialsArgs,
    config::{
        Settings,
        runtime::{EgressMode, RuntimeKind},
    },
    context::Context,
    exit::Exit,
    failure::Failure,
    output::{
        clean::Clean,
        issue::time,
        screen::{Screen, Tint},
        table::aligned,
    },
};
use gather::Gathered;
use hydra_core::JobId;
use paste::{Paste, pastes};
use rows::{Row, rows};
use serde::Serialize;

/// Lines of a table that people are shown.
const SHOWN: usize = 100;

#[derive(Serialize)]
struct Report {
    /// How many jobs were looked at.
    jobs: usize,
    /// What was refused, newest first within a type of container.
    denials: Vec<Row>,
    /// Further kinds of refusals, which the bound of what is kept left out.
    more: usize,
    /// What would open it.
    paste: Vec<Paste>,
}

pub(super) fn run(context: &Context, args: &EgressDenialsArgs) -> Result<Exit, Failure> {
    let settings = context.load()?.settings;
    let job = args.job.as_deref().map(str::parse::<JobId>).transpose();
    let job = job.map_err(|error| Failure::new(Exit::Usage, error.to_string()))?;
    let operator = operator(&settings)?;
    let Gathered { notes, unseen } = gather::all(context, &settings, &operator, job.as_ref())?;
    for note in &unseen.unread {
        context.screen.warn(&format!("{note}; it is left out"));
    }
    let denials = rows(&notes, &settings);
    let more = notes.iter().map(|note| note.more_denied).sum();
    let report = Report { jobs: notes.len(), paste: pastes(&denials, &settings), denials, more };
    let clean = clean(&settings);
    if context.screen.json {
        clean.json(&context.screen, "egress-denials", &report)?;
    } else {
        show(&context.screen, &clean, &report, &settings)?;
    }
    match unseen.runtime {
        Some(failure) => Err(failure),
        None => Ok(Exit::Ok),
    }
}

fn show(screen: &Screen, clean: &Clean, report: &Report, settings: &Settings) -> Result<(), Failure> {
    if report.denials.is_empty() {
        let jobs = if report.jobs == 1 { "job" } else { "jobs" };
        screen.line(format!("nothing was refused, by the word of the gates of {} {jobs}", report.jobs))?;
        if let Some(why) = untold(settings) {
            screen.line(screen.tint(Tint::Dim, &format!("  {why}")))?;
        }
        return Ok(());
    }
    let mut table = vec![["  host", "why", "times", "seen first", "job"].map(str::to_owned).to_vec()];
    table.extend(report.denials.iter().take(SHOWN).map(|row| cells(row, clean)));
    let mut lines = aligned(&table).into_iter();
    screen.line(screen.tint(Tint::Dim, &lines.next().unwrap_or_default()))?;
    let mut container = None;
    for (line, row) in lines.zip(&report.denials) {
        if container != Some(row.container) {
            screen.line(screen.tint(Tint::Bold, row.container.as_str()))?;
            container = Some(row.container);
        }
        screen.line(line)?;
    }
    if report.denials.len() > SHOWN {
        screen.line(format!("  and {} more lines: --json has them all", report.denials.len() - SHOWN))?;
    }
    if report.more > 0 {
        screen.line(format!("  and {} further kinds, of which only the number is kept", report.more))?;
    }
    for paste in &report.paste {
        screen.line("")?;
        screen.line(screen.tint(Tint::Bold, &paste.heading()))?;
        screen.line(screen.tint(Tint::Dim, "The names are what an agent asked for: take those that you know."))?;
        screen.line("")?;
        for line in paste.lines.lines() {
            screen.line(clean.line(line))?;
        }
        if paste.more > 0 {
            screen.line(format!("# and {} more names", paste.more))?;
        }
    }
    let instead = rows::instead(&report.denials);
    if !instead.is_empty() {
        screen.line("")?;
        screen.line(screen.tint(Tint::Bold, "What no line opens"))?;
        let rows = instead.iter().take(SHOWN).map(|[what, help]| vec![format!("  {}", clean.line(what)), help.clone()]);
        for line in aligned(&rows.collect::<Vec<_>>()) {
            screen.line(line)?;
        }
    }
    Ok(())
}

fn cells(row: &Row, clean: &Clean) -> Vec<String> {
    let more = row.jobs.len().saturating_sub(1);
    let job = row.jobs.first().map(ToString::to_string).unwrap_or_default();
    vec![
        format!("  {}", clean.line(&row.host)),
        row.why.to_owned(),
        format!("{}{}", row.times, if row.exact { "" } else { "+" }),
        time(row.first_seen),
        if more == 0 { job } else { format!("{job} and {more} more") },
    ]
}

/// Why nothing could have been told.
fn untold(settings: &Settings) -> Option<&'static str> {
    match (settings.values.runtime.kind, settings.values.egress.mode) {
        (RuntimeKind::Process, _) => {
            Some("runtime.kind is \"process\": nothing stands before agents, so nothing is refused")
        }
        (RuntimeKind::Docker, EgressMode::InContainer) => {
            Some("egress.mode is \"in-container\": its rules refuse and keep no account; `isolated` does")
        }
        (RuntimeKind::Docker, EgressMode::Isolated) => None,
    }
}
