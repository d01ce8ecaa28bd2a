//! What a new installation still lacks, by the file where it belongs.

use crate::config::Settings;
use hydra_core::{TokenRole, verdict::envelope::Signer};
use serde::Serialize;

/// One thing that is empty.
#[derive(Debug, PartialEq, Eq, Serialize)]
pub(super) struct FillIn {
    pub(super) file: &'static str,
    pub(super) what: String,
}

/// All that is still empty.
pub(super) fn over(settings: &Settings) -> Vec<FillIn> {
    let mut left = Vec::new();
    let github = &settings.values.github;
    let org = (github.org.is_none() && settings.repos.is_empty()).then_some("GITHUB_ORG");
    let tokens = tokens(settings);
    let parts: Vec<&str> = org.into_iter().chain(tokens.as_deref()).collect();
    if !parts.is_empty() {
        left.push(FillIn { file: "secrets/.env", what: parts.join(", and ") });
    }
    if settings.secrets.signing_key.is_none() {
        let what = "HYDRA_SIGNING_KEY, 64 random hexadecimal digits (`openssl rand -hex 32` makes them)".to_owned();
        left.push(FillIn { file: "secrets/.env", what });
    }
    if settings.secrets.accounts.is_empty() {
        let what = "at least one model account (or ANTHROPIC_API_KEY in secrets/.env)".to_owned();
        left.push(FillIn { file: "secrets/credentials.json", what });
    }
    if settings.repos.is_empty() && github.project.is_none() {
        left.push(FillIn { file: "hydra.toml", what: "github.repos".to_owned() });
    }
    left
}

fn tokens(settings: &Settings) -> Option<String> {
    let missing = settings.missing_roles();
    if missing.is_empty() {
        return None;
    }
    if settings.single_identity() {
        return Some("your GitHub token, as HYDRA_ORCHESTRATOR_TOKEN".to_owned());
    }
    if missing.len() == TokenRole::ALL.len() {
        return Some("a GitHub token for each role".to_owned());
    }
    let names: Vec<&str> = missing.iter().map(|role| role.variable()).collect();
    Some(format!("the GitHub token{}: {}", if names.len() == 1 { "" } else { "s" }, names.join(", ")))
}

/// The public half of the signing key.
pub(super) fn public_key(settings: &Settings) -> Option<String> {
    let held = settings.secrets.signing_key.as_ref()?;
    Some(Signer::from_seed(&held.value).ok()?.public().to_string())
}
