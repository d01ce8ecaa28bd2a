//! Checks at GitHub: whose each token is, what it may do as far as one can see, clocks, repositories, labels, board, leases.

use super::Check;
use crate::config::Settings;
use hydra_core::{
    Login, RepoName, SignedDuration, Timestamp, TokenRole, label,
    ports::{Board, Forge, ForgeError, ForgeErrorKind, ForgeWriter},
    view::TokenKind,
};
use hydra_github::{GitHub, LeaseTransport, TokenReport};
use std::collections::BTreeMap;

/// Clocks further apart than this break leases and App tokens.
const SKEW: SignedDuration = SignedDuration::from_secs(30);
/// A token that ends within this time is told.
const SOON: SignedDuration = SignedDuration::from_hours(14 * 24);

/// All of them. Independent of each other: one that fails stops no other.
pub async fn all(settings: &Settings, github: &GitHub) -> Vec<Check> {
    let mut checks = Vec::new();
    let mut logins: BTreeMap<Login, TokenRole> = BTreeMap::new();
    let mut skew = None;
    for role in TokenRole::ALL {
        if settings.secrets.tokens.contains_key(role) {
            match github.describe(*role).await {
                Ok(report) => {
                    checks.extend(token(settings, *role, &report, &mut logins));
                    skew = skew.or(report.clock_skew);
                }
                Err(error) => checks.push(refused(&format!("token {role}"), &error)),
            }
            if settings.single_identity() {
                break;
            }
        }
    }
    checks.extend(skew.map(clock));
    for repo in &settings.repos {
        checks.extend(repository(settings, github, repo).await);
    }
    if settings.values.github.project.is_some() {
        checks.push(board(settings, github).await);
    }
    checks
}

fn refused(name: &str, error: &ForgeError) -> Check {
    let mend = match (&error.hint, error.kind) {
        (Some(hint), _) => hint.clone(),
        (None, ForgeErrorKind::Auth) => "make a new token and put it in place of this one".to_owned(),
        (None, ForgeErrorKind::Permission) => {
            "give the token what docs/operations/secrets.md lists for its role".to_owned()
        }
        (None, ForgeErrorKind::Missing) => "check the name, and that the token may see it".to_owned(),
        (None, ForgeErrorKind::LimitedUntil(until)) => format!("wait until {until}"),
        (None, ForgeErrorKind::Transient) => "check the network, and github.api_url; then try again".to_owned(),
        (None, ForgeErrorKind::Conflict | ForgeErrorKind::Malformed) => "check github.api_url".to_owned(),
    };
    Check::fail(name, error.message.clone(), mend)
}

/// Whose a token is and what is known of it.
pub(crate) fn token(
    settings: &Settings,
    role: TokenRole,
    report: &TokenReport,
    logins: &mut BTreeMap<Login, TokenRole>,
) -> Vec<Check> {
    let name = format!("token {role}");
    let login = report.identity.login.clone();
    let mut checks = Vec::new();
    if let Some(expected) = settings.logins.get(&role).filter(|expected| **expected != login) {
        checks.push(Check::fail(
            &name,
            format!("it belongs to {login}, not to {expected}"),
            format!("use a token of {expected}, or change github.logins.{role}"),
        ));
    } else if let Some(other) = logins.get(&login) {
        checks.push(Check::fail(
            &name,
            format!("it belongs to {login}, as the token of {other} does"),
            "each persona needs an identity of its own: a review by the author is worth nothing",
        ));
    } else {
        let kind = match report.identity.kind {
            TokenKind::FineGrained => "fine-grained token",
            TokenKind::Classic => "classic token",
            TokenKind::Installation => "App installation token",
            TokenKind::Other => "token",
        };
        let left = format!("{kind} of {login}, {} of {} requests left", report.rest.remaining, report.rest.limit);
        checks.push(Check::ok(&name, left));
    }
    logins.entry(login).or_insert(role);
    if report.classic {
        checks.push(Check::warn(&name, "a classic token can do everything its owner can", "make a fine-grained one"));
    } else if report.identity.kind == TokenKind::FineGrained {
        checks.push(Check::warn(
            &name,
            "GitHub does not say what a fine-grained token may do: only pushing can be probed",
            "compare it with the list in docs/operations/secrets.md once",
        ));
    }
    if let Some(at) = report.identity.expires_at {
        let rest = at.duration_since(Timestamp::now());
        if rest < SOON {
            checks.push(Check::warn(&name, format!("it ends at {at}"), "make the next one in time"));
        }
    }
    checks
}

fn clock(skew: SignedDuration) -> Check {
    let seconds = skew.as_secs();
    let detail =
        format!("this machine is {} s {} GitHub", seconds.abs(), if seconds < 0 { "behind" } else { "ahead of" });
    if skew.abs() > SKEW {
        Check::fail("clock", detail, "set the clock, by NTP for example: leases are kept by time")
    } else {
        Check::ok("clock", detail)
    }
}

async fn repository(settings: &Settings, github: &GitHub, repo: &RepoName) -> Vec<Check> {
    let name = format!("repository {repo}");
    let view = match github.repository(repo).await {
        Ok(view) => view,
        Err(error) => return vec![refused(&name, &error)],
    };
    let mut checks = Vec::new();
    if view.archived {
        checks.push(Check::fail(
            &name,
            "it is archived: nothing can be written to it",
            "unarchive it, or take it out of github.repos",
        ));
    } else if view.name != *repo {
        checks.push(Check::warn(&name, format!("it is called {} now", view.name), "correct github.repos"));
    } else {
        checks.push(Check::ok(&name, format!("default branch {}", view.default_branch)));
    }
    let pipeline = &settings.values.pipeline;
    let missing: Vec<String> = label::definitions(&pipeline.label_prefix, &pipeline.trigger_label)
        .into_iter()
        .filter(|wanted| !view.labels.iter().any(|have| have.name.eq_ignore_ascii_case(&wanted.name)))
        .map(|wanted| wanted.name)
        .collect();
    checks.push(match missing.as_slice() {
        [] => Check::ok(format!("labels {repo}"), "all are there"),
        [first, ..] => Check::fail(
            format!("labels {repo}"),
            format!("{} are missing, {first} among them", missing.len()),
            "hydra labels sync",
        ),
    });
    for role in TokenRole::ALL.iter().filter(|role| settings.secrets.tokens.contains_key(role)) {
        checks.extend(pushing(settings, github, *role, repo).await);
    }
    match github.probe_leases(repo).await {
        Ok(probe) => checks.push(match probe.serves() {
            Some(LeaseTransport::Api) => Check::ok(format!("leases {repo}"), "compare-and-swap over the API"),
            Some(LeaseTransport::Git) => Check::ok(format!("leases {repo}"), "compare-and-swap by git push"),
            None => {
                let why = probe.api.err().map(|error| error.message).unwrap_or_default();
                Check::fail(format!("leases {repo}"), why, "give the orchestrator's token contents: write")
            }
        }),
        Err(error) => checks.push(refused(&format!("leases {repo}"), &error)),
    }
    checks
}

/// Who must be able to push, and who must not.
async fn pushing(settings: &Settings, github: &GitHub, role: TokenRole, repo: &RepoName) -> Option<Check> {
    match github.may_push(role, repo).await {
        Ok(may) => pushed(settings, role, repo, may),
        Err(error) => Some(refused(&format!("push {role} {repo}"), &error)),
    }
}

/// Whether that is as it must be: reviewers that can write code could mend what they judge.
pub(crate) fn pushed(settings: &Settings, role: TokenRole, repo: &RepoName, may: bool) -> Option<Check> {
    let name = format!("push {role} {repo}");
    let must = matches!(role, TokenRole::Builder | TokenRole::Orchestrator);
    match (must, may) {
        (true, true) => Some(Check::ok(name, "it may, as it must")),
        (true, false) => Some(Check::fail(
            name,
            format!("it may not push to {repo}, and must"),
            "give the token contents: write, and the identity write access to the repository",
        )),
        (false, false) => Some(Check::ok(name, "it may not, as it should be")),
        (false, true) if settings.single_identity() => None,
        (false, true) => {
            let detail = format!("it may push to {repo}, which is more than its persona may");
            let mend = "take contents: write from the token, or write access from the identity";
            let known = settings.values.github.allow_classic_pat;
            Some(if known { Check::warn(name, detail, mend) } else { Check::fail(name, detail, mend) })
        }
    }
}

async fn board(settings: &Settings, github: &GitHub) -> Check {
    let columns = match github.columns().await {
        Ok(columns) => columns,
        Err(error) => return refused("board", &error),
    };
    let missing = missing_columns(settings, &columns);
    if missing.is_empty() {
        return Check::ok("board", format!("columns: {}", columns.join(", ")));
    }
    Check::fail(
        "board",
        format!("it has no column {} (it has: {})", missing.join(", "), columns.join(", ")),
        "add them to the board, or name the ones it has in [github.columns]; \"\" leaves a card where it is",
    )
}

/// The columns that the configuration names and the board lacks.
pub(crate) fn missing_columns<'s>(settings: &'s Settings, columns: &[String]) -> Vec<&'s str> {
    let wanted = &settings.values.github.columns;
    [&wanted.in_progress, &wanted.needs_input, &wanted.review, &wanted.done]
        .into_iter()
        .filter(|name| !name.is_empty() && !columns.contains(name))
        .map(String::as_str)
        .collect()
}
