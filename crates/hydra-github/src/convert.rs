//! GitHub's shapes into the domain's: identifiers are parsed here, once.

use crate::{error::malformed, wire};
use hydra_core::{
    Login, Timestamp,
    ports::ForgeError,
    view::{CommentView, IssueState, LabelEvent, RepoLabel, StatusState},
};
use std::{fmt::Display, str::FromStr};

/// Who stands for an account that was deleted.
const GHOST: &str = "ghost";
/// Says in the title of a pull request that it is a draft, where GitHub has no drafts.
pub(crate) const DRAFT_PREFIX: &str = "[draft] ";

/// An identifier, or an error that names the call.
pub(crate) fn id<T: FromStr<Err: Display>>(call: &str, text: &str) -> Result<T, ForgeError> {
    text.parse().map_err(|e| malformed(call, e))
}

/// An account as REST names it.
pub(crate) fn user(call: &str, user: Option<&wire::User>) -> Result<Login, ForgeError> {
    id(call, user.map_or(GHOST, |u| u.login.as_str()))
}

/// An account as GraphQL names it, with the suffix that REST gives to bots.
pub(crate) fn actor(call: &str, actor: Option<&wire::Actor>) -> Result<Login, ForgeError> {
    match actor {
        None => id(call, GHOST),
        Some(a) if a.typename == "Bot" && !a.login.ends_with("[bot]") => id(call, &format!("{}[bot]", a.login)),
        Some(a) => id(call, &a.login),
    }
}

pub(crate) fn issue_state(call: &str, text: &str) -> Result<IssueState, ForgeError> {
    match text {
        "open" | "OPEN" => Ok(IssueState::Open),
        "closed" | "CLOSED" => Ok(IssueState::Closed),
        other => Err(malformed(call, format!("unknown state {other:?}"))),
    }
}

pub(crate) fn label(label: wire::Label) -> RepoLabel {
    RepoLabel { name: label.name, color: label.color, description: label.description.unwrap_or_default() }
}

pub(crate) fn names(labels: Option<wire::Connection<wire::Named>>) -> Vec<String> {
    // An issue has a hundred labels at most: one page holds them all.
    labels.into_iter().flat_map(|l| l.nodes).map(|l| l.name).collect()
}

pub(crate) fn comments(call: &str, comments: Vec<wire::GraphComment>) -> Result<Vec<CommentView>, ForgeError> {
    let mut views = Vec::with_capacity(comments.len());
    for comment in comments {
        views.push(CommentView {
            id: comment.full_database_id,
            author: actor(call, comment.author.as_ref())?,
            body: comment.body,
            created_at: comment.created_at,
            updated_at: comment.updated_at,
        });
    }
    views.sort_by_key(|c| (c.created_at, c.id));
    Ok(views)
}

/// Label events, oldest first.
pub(crate) fn label_events(call: &str, events: &[wire::IssueEvent]) -> Result<Vec<LabelEvent>, ForgeError> {
    let mut views = Vec::new();
    for event in events {
        let added = match event.event.as_str() {
            "labeled" => true,
            "unlabeled" => false,
            _ => continue,
        };
        let name = event.label.as_ref().and_then(|l| l.name.clone());
        views.push(LabelEvent {
            id: event.id,
            label: name.ok_or_else(|| malformed(call, "a label event without a label"))?,
            added,
            actor: user(call, event.actor.as_ref())?,
            at: event.created_at,
        });
    }
    views.sort_by_key(|e| (e.at, e.id));
    Ok(views)
}

/// The newest event of a kind.
pub(crate) fn newest<'a>(events: &'a [wire::IssueEvent], kind: &str) -> Option<&'a wire::IssueEvent> {
    events.iter().filter(|e| e.event == kind).max_by_key(|e| (e.created_at, e.id))
}

pub(crate) fn status_state(call: &str, text: &str) -> Result<StatusState, ForgeError> {
    match text {
        "pending" => Ok(StatusState::Pending),
        "success" => Ok(StatusState::Success),
        "failure" => Ok(StatusState::Failure),
        "error" => Ok(StatusState::Error),
        other => Err(malformed(call, format!("unknown status {other:?}"))),
    }
}

/// A check run as a status. `neutral` and `skipped` are no success: they passed nothing.
pub(crate) fn check_state(run: &wire::CheckRun) -> StatusState {
    if run.status != "completed" {
        return StatusState::Pending;
    }
    match run.conclusion.as_deref() {
        Some("success") => StatusState::Success,
        Some("failure" | "action_required" | "neutral" | "skipped") => StatusState::Failure,
        _ => StatusState::Error,
    }
}

/// The title without the mark of a draft, and whether it bore one.
pub(crate) fn undraft(title: &str) -> (&str, bool) {
    title.strip_prefix(DRAFT_PREFIX).map_or((title, false), |rest| (rest, true))
}

/// `2026-12-01 10:00:00 UTC` or with an offset, as the expiry header has it.
pub(crate) fn expiry(text: &str) -> Option<Timestamp> {
    let (date, rest) = text.trim().split_once(' ')?;
    let (time, zone) = rest.split_once(' ').unwrap_or((rest, "UTC"));
    let zone = if zone == "UTC" { "Z" } else { zone };
    format!("{date}T{time}{zone}").parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_expiry_is_read_in_both_spellings() {
        let at: Timestamp = "2026-12-01T10:00:00Z".parse().unwrap();
        assert_eq!(expiry("2026-12-01 10:00:00 UTC"), Some(at));
        assert_eq!(expiry("2026-12-01 12:00:00 +0200"), Some(at));
        assert_eq!(expiry("soon"), None);
    }

    #[test]
    fn a_bot_has_one_name_in_both_interfaces() {
        let bot = wire::Actor { typename: "Bot".into(), login: "github-actions".into() };
        assert_eq!(actor("x", Some(&bot)).unwrap().as_str(), "github-actions[bot]");
        assert_eq!(actor("x", None).unwrap().as_str(), "ghost");
    }

    #[test]
    fn a_check_that_was_skipped_is_not_green() {
        let run = |status: &str, conclusion: Option<&str>| {
            check_state(&wire::CheckRun {
                id: 1,
                name: "n".into(),
                status: status.into(),
                conclusion: conclusion.map(Into::into),
                output: wire::CheckOutput::default(),
                app: None,
            })
        };
        assert_eq!(run("completed", Some("success")), StatusState::Success);
        assert_eq!(run("completed", Some("skipped")), StatusState::Failure);
        assert_eq!(run("completed", Some("timed_out")), StatusState::Error);
        assert_eq!(run("in_progress", None), StatusState::Pending);
    }
}
