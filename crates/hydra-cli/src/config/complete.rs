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
        let mut problems = Vec::new();
        if self.config_file.is_none() && self.repos.is_empty() && self.values.github.project.is_none() {
            problems.push(
                Problem::config("there is no hydra.toml here or in a folder above").help("`hydra init` writes one"),
            );
        } else if self.repos.is_empty() && self.values.github.project.is_none() {
            let mut problem = Problem::config("nothing says where to look for issues")
                .help("set github.repos, or github.project (HYDRA_PROJECT_NUMBER) and github.org (GITHUB_ORG)");
            if let Some(path) = &self.config_file {
                problem = problem.at(Place::file(path));
            }
            problems.push(problem);
        }
        problems.extend(self.missing_credentials());
        if problems.is_empty() { Ok(()) } else { Err(Problems(problems)) }
    }

    /// Credentials that are missing, each with what to add.
    #[must_use]
    pub fn missing_credentials(&self) -> Vec<Problem> {
        let mut problems = Vec::new();
        for role in self.missing_roles() {
            let (variable, place) = (role.variable(), format!("git_tokens.{role}"));
            problems.push(self.missing(
                &format!("there is no GitHub token for the role {role}"),
                &format!("{variable} to secrets/.env, or {place} to secrets/credentials.json"),
                &[variable, &place],
            ));
        }
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
        Problem::credential(what).help(help)
    }
}
