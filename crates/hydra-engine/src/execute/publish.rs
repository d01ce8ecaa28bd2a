//! Writes to the forge, and the status comment with the signed record.

use super::{Effect, Fault};
use crate::{observe, watch::Shared};
use hydra_core::{
    IssueKey, TokenRole,
    ports::{Applied, ForgeWrite},
    record::{Phase, RunRecord},
};

/// Makes a write as it was planned; its texts are redacted once more at this edge.
pub(super) async fn write(shared: &Shared, role: TokenRole, write: &ForgeWrite) -> Result<Effect, Fault> {
    let write = redacted(shared, write.clone());
    let detail = describe(&write);
    Ok(match shared.ports.writer.apply(role, &write).await? {
        Applied::Made(_) => Effect::made(detail),
        Applied::AlreadyThere(_) => Effect::there(detail),
    })
}

/// Keeps the record in the status comment.
pub(super) async fn save(shared: &Shared, key: &IssueKey, record: &RunRecord, reason: &str) -> Result<Effect, Fault> {
    let record = redacted_record(shared, record);
    // The planner has made it harmless, as far as it is not its own words.
    let body = observe::render_record(key, &record, &shared.config.scrub(reason), &shared.config.signer)
        .map_err(Fault::failed)?;
    let comment = ForgeWrite::Comment {
        repo: key.repo.clone(),
        number: key.number.into(),
        marker: observe::status_marker(),
        body,
    };
    // Not redacted again: a change would break the signature.
    Ok(match shared.ports.writer.apply(TokenRole::Orchestrator, &comment).await? {
        Applied::Made(_) => Effect::made(record.phase.kind().as_str()),
        Applied::AlreadyThere(_) => Effect::there(record.phase.kind().as_str()),
    })
}

/// The record's free texts come from outcomes and are redacted already; once more costs nothing and is certain.
fn redacted_record(shared: &Shared, record: &RunRecord) -> RunRecord {
    let mut record = record.clone();
    let scrub = |text: &mut String| *text = shared.config.scrub(text);
    record.last_error.iter_mut().for_each(scrub);
    record.errors.iter_mut().for_each(scrub);
    match &mut record.phase {
        Phase::NeedsInput { detail, .. }
        | Phase::Maxed { detail }
        | Phase::Cancelled { detail }
        | Phase::Finished { detail } => scrub(detail),
        Phase::Build
        | Phase::Quality
        | Phase::FixQuality
        | Phase::Review
        | Phase::Fix
        | Phase::Apply
        | Phase::Ready => {}
    }
    for entry in &mut record.stages {
        scrub(&mut entry.note);
    }
    record
}

fn redacted(shared: &Shared, write: ForgeWrite) -> ForgeWrite {
    let scrub = |text: String| shared.config.scrub(&text);
    match write {
        ForgeWrite::Comment { repo, number, marker, body } => {
            ForgeWrite::Comment { repo, number, marker, body: scrub(body) }
        }
        ForgeWrite::OpenPull { repo, head, base, title, marker, body } => {
            ForgeWrite::OpenPull { repo, head, base, title: scrub(title), marker, body: scrub(body) }
        }
        ForgeWrite::EditPull { repo, number, title, marker, body } => {
            ForgeWrite::EditPull { repo, number, title: scrub(title), marker, body: scrub(body) }
        }
        ForgeWrite::Review { repo, number, commit, marker, body, comments } => {
            ForgeWrite::Review { repo, number, commit, marker, body: scrub(body), comments }
        }
        ForgeWrite::Status { repo, commit, context, state, description, url } => {
            ForgeWrite::Status { repo, commit, context, state, description: scrub(description), url }
        }
        other @ (ForgeWrite::Labels { .. }
        | ForgeWrite::ClosePull { .. }
        | ForgeWrite::MarkReady { .. }
        | ForgeWrite::ResolveThread { .. }
        | ForgeWrite::Merge { .. }
        | ForgeWrite::DefineLabel { .. }) => other,
    }
}

fn describe(write: &ForgeWrite) -> String {
    match write {
        ForgeWrite::Labels { add, remove, .. } => {
            let set = add.iter().map(|label| format!("+{label}"));
            set.chain(remove.iter().map(|label| format!("-{label}"))).collect::<Vec<_>>().join(" ")
        }
        ForgeWrite::Comment { number, marker, .. } => format!("comment `{}` on #{}", marker.purpose, number.0),
        ForgeWrite::OpenPull { head, base, .. } => format!("draft pull request {head} -> {base}"),
        ForgeWrite::EditPull { number, .. } => format!("text of #{number}"),
        ForgeWrite::ClosePull { number, .. } => format!("close #{number}"),
        ForgeWrite::Review { number, marker, .. } => format!("review on #{number}: {}", marker.key),
        ForgeWrite::Status { context, state, description, .. } => format!("{context}: {state:?}, {description}"),
        ForgeWrite::MarkReady { number, .. } => format!("#{number} is ready for a person"),
        ForgeWrite::ResolveThread { number, .. } => format!("a thread of #{number} is resolved"),
        ForgeWrite::Merge { number, head, .. } => format!("merge #{number} at {head}"),
        ForgeWrite::DefineLabel { label, .. } => format!("label {}", label.name),
    }
}
