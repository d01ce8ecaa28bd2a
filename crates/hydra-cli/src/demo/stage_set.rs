//! The stage that the demo plays on: a simulated GitHub with an organisation, a board, a small repository and a labelled issue; the scripted
//! model; and a folder with `hydra.toml` and secrets, so that every other command can look at the same things.

use super::{configuration, containers, needs};
use crate::{args::RuntimeChoice, context::Context, exit::Exit, failure::Failure};
use hydra_core::{RepoName, label};
use hydra_sim::{
    github::{Access, RepoSeed, Role, Sim, SimConfig, Token},
    model::{Commit, ModelConfig, ModelSim, Scenario, Script, demo_issue, demo_repo},
};
use std::{fmt, time::Duration};
use tempfile::TempDir;

/// The demo's organisation.
pub const ORG: &str = "acme";
/// The demo's repository.
pub const REPO: &str = "acme/words";
/// The person who opens the issue and sets the label.
pub const PERSON: &str = "ada";
/// No story of the demo takes longer.
pub const PATIENCE: Duration = Duration::from_secs(600);
/// Every answer of the model waits so long, so that a person can follow.
const PACE: Duration = Duration::from_millis(40);
const TRIGGER: &str = "ready-to-build";
const COLUMNS: [&str; 5] = ["Todo", "In Progress", "Needs Input", "Review", "Done"];
/// Role, login, token: five identities, none of them real.
pub(super) const IDENTITIES: [(&str, &str, &str); 5] = [
    ("builder", "al-gorithm-bot", "github_pat_demo_builder_0000000000000000"),
    ("reviewer", "juan-claude-bot", "github_pat_demo_reviewer_000000000000000"),
    ("security", "clyde-barcode-bot", "github_pat_demo_security_000000000000000"),
    ("applier", "axel-plier-bot", "github_pat_demo_applier_0000000000000000"),
    ("orchestrator", "hydra-bot", "github_pat_demo_orchestrator_00000000000"),
];

/// Everything that must live as long as the demo.
pub struct StageSet {
    /// GitHub.
    pub github: Sim,
    /// The model.
    pub model: ModelSim,
    /// Configuration, secrets and state.
    pub folder: TempDir,
    /// The issue's number.
    pub issue: u64,
    /// The repository.
    pub repo: RepoName,
}

fn failed(what: &str) -> impl Fn(&dyn fmt::Display) -> Failure + '_ {
    move |error| Failure::new(Exit::Internal, format!("the demo's {what}: {error}"))
}

/// Builds the stage.
///
/// # Errors
/// When loopback, git or the temporary folder refuses.
pub async fn build(
    context: &Context,
    scenario: &Scenario,
    script: Option<Script>,
    runtime: RuntimeChoice,
) -> Result<StageSet, Failure> {
    let script = script.unwrap_or_else(|| scenario.script.clone());
    let folder = needs::folder()?;
    needs::git().await?;
    let github = Sim::start(SimConfig::default()).await.map_err(|e| failed("GitHub")(&e))?;
    let containers = match runtime {
        RuntimeChoice::Process => None,
        RuntimeChoice::Docker => Some(containers::ready(context).await?),
    };
    // Containers reach this machine by its address on their network, processes on loopback.
    let listen = containers.as_ref().map(|containers| containers.gateway);
    let model = ModelSim::start(ModelConfig { script, pace: PACE, listen, ..ModelConfig::default() })
        .await
        .map_err(|e| failed("model")(&e))?;
    let issue = seed(&github).map_err(|e| failed("GitHub")(&e))?;
    configuration::write(folder.path(), &github, &model, scenario.name, containers.as_ref())?;
    let repo = REPO.parse().map_err(|e| failed("repository")(&e))?;
    Ok(StageSet { github, model, folder, issue, repo })
}

impl StageSet {
    /// Whether the builder's branch is there.
    #[must_use]
    pub fn has_work_branch(&self) -> bool {
        self.github.refs(REPO).keys().any(|name| name.starts_with("refs/heads/hydra/"))
    }
    /// A person commits to the base branch.
    ///
    /// # Errors
    /// When git refuses.
    pub fn push_to_base(&self, commit: &Commit) -> Result<(), Failure> {
        let files: Vec<(&str, Option<&str>)> =
            commit.files.iter().map(|(path, text)| (path.as_str(), std::str::from_utf8(text).ok())).collect();
        self.github.push(REPO, "main", PERSON, commit.message, &files).map_err(|e| failed("GitHub")(&e))?;
        Ok(())
    }
}

/// A role's token, as public as everything else in the demo.
#[must_use]
pub fn token_of(role: &str) -> &'static str {
    IDENTITIES.iter().find(|(name, _, _)| *name == role).map_or("", |(_, _, token)| token)
}

fn seed(github: &Sim) -> Result<u64, hydra_sim::github::SimError> {
    github.org(ORG);
    github.user(PERSON);
    let mut repo = RepoSeed::new(REPO).public().files(demo_repo()).role(PERSON, Role::Write);
    for row in label::definitions("", TRIGGER) {
        repo = repo.label(&row.name, &row.color, &row.description);
    }
    for (role, login, _) in IDENTITIES {
        let may = if matches!(role, "builder" | "orchestrator") { Role::Write } else { Role::Read };
        repo = repo.role(login, may);
    }
    github.repo(repo)?;
    for (role, login, secret) in IDENTITIES {
        let token = Token::fine_grained(secret, login).allow("metadata", Access::Read).allow("contents", Access::Read);
        let token =
            token.allow("pull_requests", Access::Write).allow("issues", Access::Read).allow("statuses", Access::Read);
        github.token(match role {
            "builder" => token.allow("contents", Access::Write),
            "orchestrator" => token
                .allow("contents", Access::Write)
                .allow("issues", Access::Write)
                .allow("statuses", Access::Write)
                .allow("checks", Access::Read)
                .allow("administration", Access::Read)
                .allow("organization_projects", Access::Write),
            _ => token,
        });
    }
    let board = github.board(ORG, "Roadmap", &COLUMNS);
    let (title, body) = demo_issue();
    let number = github.open_issue(REPO, PERSON, &title, &body)?;
    github.card(ORG, board, REPO, number, Some("Todo"))?;
    github.add_label(REPO, number, TRIGGER, PERSON)?;
    Ok(number)
}
