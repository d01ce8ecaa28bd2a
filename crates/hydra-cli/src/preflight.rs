//! What is looked at before a pipeline may do anything at GitHub: whose each token is, that none may do more than its persona, board and
//! labels. Everything that is wrong is said at once, and nothing was written by then.

use crate::{
    config::{
        Settings,
        problem::{Place, Problem, Problems},
    },
    doctor::{Check, State, forge},
    exit::Exit,
    failure::Failure,
};
use hydra_core::{
    Login, RepoName, TokenRole,
    ports::{Board, Forge, ForgeError, ForgeErrorKind, ForgeWriter},
};
use hydra_github::GitHub;
use std::collections::{BTreeMap, BTreeSet};

/// Looks; returns what is not wrong, and should be known.
///
/// # Errors
/// All that is wrong with tokens, board and labels, or the first answer that could not be had.
pub async fn check(settings: &Settings, github: &GitHub) -> Result<Vec<String>, Failure> {
    let mut found = Found { warnings: settings.warnings.clone(), problems: Vec::new() };
    tokens(settings, github, &mut found).await?;
    // With a token that is refused, everything else would only be refused for the same reason.
    if found.problems.is_empty() {
        let repos = repos(settings, github, &mut found).await?;
        for repo in &repos {
            labels(settings, github, repo, &mut found).await?;
            pushing(settings, github, repo, &mut found).await?;
        }
    }
    if found.problems.is_empty() { Ok(found.warnings) } else { Err(Problems(found.problems).into()) }
}

struct Found {
    warnings: Vec<String>,
    problems: Vec<Problem>,
}

impl Found {
    /// What was found of a role's token, said with where the token stands.
    fn take(&mut self, settings: &Settings, role: TokenRole, check: Check) {
        let source = settings.token(role).map(|held| format!(" in {}", held.source)).unwrap_or_default();
        let sentence = format!("the token of {role}{source}: {}", check.detail);
        match check.state {
            State::Ok => {}
            State::Warn => self.warnings.push(sentence),
            State::Fail => {
                let mend = check.mend.unwrap_or_else(|| Exit::Credentials.next_step().to_owned());
                self.problems.push(Problem::credential(sentence, mend));
            }
        }
    }
}

async fn tokens(settings: &Settings, github: &GitHub, found: &mut Found) -> Result<(), Failure> {
    let mut logins: BTreeMap<Login, TokenRole> = BTreeMap::new();
    for (role, held) in &settings.secrets.tokens {
        match github.describe(*role).await {
            Ok(report) => {
                for check in forge::token(settings, *role, &report, &mut logins) {
                    // What GitHub does not let one see is `doctor`'s to say, not every run's.
                    if check.state == State::Fail || report.classic {
                        found.take(settings, *role, check);
                    }
                }
            }
            Err(error) if error.kind == ForgeErrorKind::Auth => {
                let why = format!("the token of {role} in {} is refused: {}", held.source, error.message);
                found.problems.push(Problem::credential(
                    why,
                    "it is invalid, revoked or expired: make a new one and put it there",
                ));
            }
            Err(error) => return Err(error.into()),
        }
        if settings.single_identity() {
            break;
        }
    }
    Ok(())
}

/// The repositories to look at: those of the configuration, or those on the board. The board itself must be as configured.
async fn repos(settings: &Settings, github: &GitHub, found: &mut Found) -> Result<BTreeSet<RepoName>, Failure> {
    let mut repos: BTreeSet<RepoName> = settings.repos.iter().cloned().collect();
    let github_settings = &settings.values.github;
    let Some(number) = github_settings.project else { return Ok(repos) };
    let org = github_settings.org.as_deref().unwrap_or("?");
    let columns = match github.columns().await {
        Ok(columns) => columns,
        Err(error) => return Err(no_board(error, org, number)),
    };
    let missing = forge::missing_columns(settings, &columns);
    if !missing.is_empty() {
        let why =
            format!("the board {org}/{number} has no column {} (it has: {})", missing.join(", "), columns.join(", "));
        let help = "add them to the board, or name the ones it has in [github.columns]; \"\" leaves a card where it is";
        found.problems.push(at_file(settings, Problem::config(why, help)));
    }
    if repos.is_empty() {
        let cards = github.cards().await.map_err(|error| no_board(error, org, number))?;
        repos.extend(cards.into_iter().map(|card| card.issue.repo));
    }
    Ok(repos)
}

fn no_board(error: ForgeError, org: &str, number: u64) -> Failure {
    match error.kind {
        ForgeErrorKind::Missing | ForgeErrorKind::Permission => {
            Failure::new(Exit::Forge, format!("the board {org}/{number} cannot be seen: {}", error.message)).help(
                "check github.org and github.project (GITHUB_ORG, HYDRA_PROJECT_NUMBER); the orchestrator's token needs organization projects: write",
            )
        }
        ForgeErrorKind::Auth
        | ForgeErrorKind::Conflict
        | ForgeErrorKind::LimitedUntil(_)
        | ForgeErrorKind::Transient
        | ForgeErrorKind::Malformed => error.into(),
    }
}

async fn labels(settings: &Settings, github: &GitHub, repo: &RepoName, found: &mut Found) -> Result<(), Failure> {
    let view = github.repository(repo).await.map_err(|error| no_repository(error, repo))?;
    let pipeline = &settings.values.pipeline;
    let has = |name: &str| view.labels.iter().any(|label| label.name.eq_ignore_ascii_case(name));
    let trigger = format!("{}{}", pipeline.label_prefix, pipeline.trigger_label);
    if !has(&trigger) {
        let why = format!("{repo} has no label `{trigger}`, so nobody can ask for anything there");
        let help = "`hydra labels sync` creates it with all others; pipeline.trigger_label names another";
        found.problems.push(at_file(settings, Problem::config(why, help)));
        return Ok(());
    }
    let all = hydra_core::label::definitions(&pipeline.label_prefix, &pipeline.trigger_label);
    let missing = all.iter().filter(|label| !has(&label.name)).count();
    if missing > 0 {
        found.warnings.push(format!("{repo} lacks {missing} of Hydra's labels: `hydra labels sync` creates them"));
    }
    Ok(())
}

fn no_repository(error: ForgeError, repo: &RepoName) -> Failure {
    if error.kind == ForgeErrorKind::Missing {
        return Failure::new(Exit::Forge, format!("{repo} cannot be seen: {}", error.message))
            .help("check github.repos, and that the orchestrator's token may see it");
    }
    error.into()
}

async fn pushing(settings: &Settings, github: &GitHub, repo: &RepoName, found: &mut Found) -> Result<(), Failure> {
    for role in settings.secrets.tokens.keys() {
        let may = github.may_push(*role, repo).await?;
        if let Some(check) = forge::pushed(settings, *role, repo, may) {
            found.take(settings, *role, check);
        }
        if settings.single_identity() {
            break;
        }
    }
    Ok(())
}

fn at_file(settings: &Settings, problem: Problem) -> Problem {
    problem.maybe_at(settings.config_file.as_deref().map(Place::file))
}
