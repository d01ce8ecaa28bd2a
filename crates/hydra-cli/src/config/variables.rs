//! Every variable that Hydra reads, in one table: the environment, `secrets/.env`, the generated documentation and the tests go by it.

use hydra_core::TokenRole;

/// What a variable sets.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Sets {
    /// A text at a key of `hydra.toml`.
    Text(&'static str),
    /// A whole number at a key of `hydra.toml`.
    Number(&'static str),
    /// A role's GitHub token.
    Token(TokenRole),
    /// The key that verdicts and records are signed with.
    SigningKey,
    /// A model account of last resort: an OAuth token.
    OAuth,
    /// A model account of last resort: an API key.
    ApiKey,
}

/// One variable.
#[derive(Debug, Clone, Copy)]
pub struct Variable {
    /// Its name.
    pub name: &'static str,
    /// What it sets.
    pub sets: Sets,
    /// What it is for, in one line.
    pub doc: &'static str,
}

impl Variable {
    /// The key of `hydra.toml` that it sets.
    #[must_use]
    pub const fn key(self) -> Option<&'static str> {
        match self.sets {
            Sets::Text(key) | Sets::Number(key) => Some(key),
            Sets::Token(_) | Sets::SigningKey | Sets::OAuth | Sets::ApiKey => None,
        }
    }
}

const fn row(name: &'static str, sets: Sets, doc: &'static str) -> Variable {
    Variable { name, sets, doc }
}

const fn token(role: TokenRole, doc: &'static str) -> Variable {
    row(role.variable(), Sets::Token(role), doc)
}

/// All of them. Of two that set the same key in the same place, the later one wins.
pub const ALL: &[Variable] = &[
    row("GITHUB_ORG", Sets::Text("github.org"), "the organisation; containers get it under this name"),
    row("HYDRA_ORG", Sets::Text("github.org"), "the organisation, where GitHub refuses names that begin with GITHUB_"),
    row("HYDRA_PROJECT_NUMBER", Sets::Number("github.project"), "number of the Projects v2 board"),
    row("HYDRA_TRIGGER_LABEL", Sets::Text("pipeline.trigger_label"), "the label that starts Hydra"),
    row("HYDRA_LABEL_PREFIX", Sets::Text("pipeline.label_prefix"), "put before every label that Hydra sets"),
    row("HYDRA_MODEL", Sets::Text("models.all"), "one model for every persona"),
    row("HYDRA_IMAGE_PREFIX", Sets::Text("runtime.image_prefix"), "what stands before the images' names"),
    row("HYDRA_IMAGE_TAG", Sets::Text("runtime.image_tag"), "the images' tag"),
    row("HYDRA_STATE_DIR", Sets::Text("state.dir"), "the state folder"),
    row("HYDRA_SIGNING_KEY", Sets::SigningKey, "signs verdicts and records (Ed25519)"),
    token(TokenRole::Builder, "pushes branches, opens draft pull requests"),
    token(TokenRole::Reviewer, "posts the code review"),
    token(TokenRole::Security, "posts the security review"),
    token(TokenRole::Applier, "posts the go or no-go; the reviewer's is used without it"),
    token(TokenRole::Orchestrator, "labels, board, leases, statuses, the status comment"),
    row("CLAUDE_CODE_OAUTH_TOKEN", Sets::OAuth, "model account, used after those of credentials.json"),
    row("ANTHROPIC_API_KEY", Sets::ApiKey, "model account, used after those of credentials.json"),
    row("HYDRA_ANTHROPIC_KEY", Sets::ApiKey, "the same as ANTHROPIC_API_KEY"),
];

/// Names that begin with `HYDRA_` and are no settings: what Hydra tells its containers, and where the configuration lies.
pub const OTHERS: &[&str] =
    &["HYDRA_CONFIG", "HYDRA_DEMO_AGENT", "HYDRA_JOB", "HYDRA_MODE", "HYDRA_OUT", "HYDRA_SPEC", "HYDRA_WORKSPACE"];

/// The variable of that name.
#[must_use]
pub fn find(name: &str) -> Option<&'static Variable> {
    ALL.iter().find(|variable| variable.name == name)
}
