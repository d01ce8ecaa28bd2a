//! What must be there before a pipeline can run: repositories, tokens, a model account, a signing key. Each that is missing is named with what to add.

use super::{
    problem::{Place, Problem, Problems},
    settings::Settings,
};
use hydra_core::TokenRole;

impl Settings {
    /// Everything that a pipeline needs.
    ///
    /// # Errors
    /// All that is missing.
    pub fn check_complete(&self) -> Result<(), Problems> {
        let problems: Vec<Problem> = self.nowhere().into_iter().chain(self.missing_credentials()).collect();
        if problems.is_empty() { Ok(()) } else { Err(Problems(problems)) }
    }

    /// What a look needs, which changes nothing at GitHub: where to look, and the token that reads. Returns what it cannot know without the
    /// others.
    ///
    /// # Errors
    /// When either is missing.
    pub fn check_readable(&self) -> Result<Vec<String>, Problems> {
        let reader = TokenRole::Orchestrator;
        let missing = self.token(reader).is_none().then(|| self.missing_token(reader, ", which reads everything"));
        let problems: Vec<Problem> = self.nowhere().into_iter().chain(missing).collect();
        if !problems.is_empty() {
            return Err(Problems(problems));
        }
        let mut blanks = Vec::new();
        let unknown = self.missing_roles().into_iter().filter(|role| !self.logins.contains_key(role));
        let unknown: Vec<&str> = unknown.map(|role| role.as_str()).collect();
        if !unknown.is_empty() {
            blanks.push(format!(
                "neither a token nor [github.logins] says who {} is: what they wrote at GitHub counts as somebody else's here",
                unknown.join(", ")
            ));
        }
        if self.secrets.signing_key.is_none() {
            blanks.push(
                "there is no HYDRA_SIGNING_KEY: what it signed counts here only if its public half stands in [keys]"
                    .to_owned(),
            );
        }
        Ok(blanks)
    }

    /// Whether anything says where to look for issues.
    #[must_use]
    pub fn looks_somewhere(&self) -> bool {
        !self.repos.is_empty() || self.values.github.project.is_some()
    }

    fn nowhere(&self) -> Option<Problem> {
        if self.looks_somewhere() {
            return None;
        }
        Some(match &self.config_file {
            None => Problem::config("there is no hydra.toml here or in a folder above", "`hydra init` writes one"),
            Some(path) => Problem::config(
                "nothing says where to look for issues",
                "set github.repos, or github.project (HYDRA_PROJECT_NUMBER) and github.org (GITHUB_ORG)",
            )
            .at(Place::file(path)),
        })
    }

    /// Credentials that are missing, each with what to add.
    #[must_use]
    pub fn missing_credentials(&self) -> Vec<Problem> {
        let mut problems = Vec::new();
        problems.extend(self.missing_roles().into_iter().map(|role| self.missing_token(role, "")));
        if self.secrets.accounts.is_empty() {
            problems.push(self.missing(
                "there is no model account",
                "one to claude_accounts in secrets/credentials.json, or CLAUDE_CODE_OAUTH_TOKEN or ANTHROPIC_API_KEY to secrets/.env",
                &["account ", "CLAUDE_CODE_OAUTH_TOKEN", "ANTHROPIC_API_KEY", "HYDRA_ANTHROPIC_KEY"],
            ));
        }
        for (host, rule) in &self.egress.inspect {
            let Some(name) = rule.credential.as_ref().filter(|name| !self.secrets.registries.contains_key(*name))
            else {
                continue;
            };
            problems.push(self.missing(
                &format!("there is no credential {name:?} for the registry {host}"),
                &format!("registries.{name} to secrets/credentials.json"),
                &[&format!("registries.{name})")],
            ));
        }
        if self.secrets.signing_key.is_none() {
            problems.push(self.missing(
                "there is no key to sign verdicts with",
                "HYDRA_SIGNING_KEY to secrets/.env (`hydra init` makes one in a new folder; 64 random hexadecimal digits serve)",
                &["HYDRA_SIGNING_KEY"],
            ));
        }
        problems
    }

    fn missing_token(&self, role: TokenRole, what_for: &str) -> Problem {
        let (variable, place) = (role.variable(), format!("git_tokens.{role}"));
        self.missing(
            &format!("there is no GitHub token for the role {role}{what_for}"),
            &format!("{variable} to secrets/.env, or {place} to secrets/credentials.json"),
            &[variable, &place],
        )
    }

    /// Roles without a token. The applier may use the reviewer's.
    #[must_use]
    pub fn missing_roles(&self) -> Vec<TokenRole> {
        TokenRole::ALL.iter().copied().filter(|role| self.token(*role).is_none()).collect()
    }

    fn missing(&self, what: &str, add: &str, names: &[&str]) -> Problem {
        let empty: Vec<&str> = self
            .secrets
            .empty
            .iter()
            .filter(|source| names.iter().any(|name| source.contains(name)))
            .map(String::as_str)
            .collect();
        let help = if empty.is_empty() { format!("add {add}") } else { format!("fill it in: {}", empty.join(" or ")) };
        let what = if empty.is_empty() { what.to_owned() } else { format!("{what}: what is there is empty") };
        Problem::credential(what, help)
    }
}
