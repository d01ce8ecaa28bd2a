//! The files that people write for Hydra, fuzzed: each is read or refused with a message that names a place and shows no secret.

use crate::harness::{CREDENTIALS, Sandbox};
use hydra_cli::{
    config::{self, Sources, environment::Environment},
    failure::Failure,
    output::errors,
};
use hydra_core::egress::EgressPolicy;
use hydra_fuzz::fuzz;

/// In every token of the corpus. What is cut down to a word like any other is none any more.
const SECRET: &str = "Zq7vXw3LmK9pRt5sYb1n";
const TOKENS: [&str; 3] =
    ["github_pat_11Zq7vXw3LmK9pRt5sYb1n", "ghp_Zq7vXw3LmK9pRt5sYb1n", "sk-ant-api03-Zq7vXw3LmK9pRt5sYb1n"];

fn shows_a_token(text: &str) -> bool {
    TOKENS.iter().any(|token| text.contains(token))
}

/// Loads everything with this file as it is; the kind of the answer.
fn loaded(sandbox: &Sandbox, name: &str, bytes: &[u8]) -> String {
    sandbox.secret(name, bytes);
    let work = sandbox.work("");
    let environment = Environment::default();
    let sources = Sources { cwd: &work, file: None, flags: Vec::new(), environment: &environment };
    match config::load(&sources) {
        Ok(loaded) => {
            let shown = format!("{:?} {:?}", loaded.settings, loaded.shown);
            assert!(!shows_a_token(&shown), "a secret is shown");
            // A policy that is taken is the same one wherever it is handed on.
            let policy = &loaded.settings.egress;
            let again: EgressPolicy = serde_json::from_str(&serde_json::to_string(policy).unwrap()).unwrap();
            assert_eq!((&again, again.hash()), (policy, policy.hash()));
            match loaded.settings.check_complete() {
                Ok(()) => "ok".to_owned(),
                Err(problems) => format!("ok, {} missing", problems.0.len().min(5)),
            }
        }
        Err(problems) => {
            let kind = problems.0.first().map(|problem| problem.message.clone()).unwrap_or_default();
            assert!(!kind.is_empty(), "refused without a word");
            let failure = Failure::from(problems);
            for text in [errors::text(&failure, true), errors::text(&failure, false)] {
                assert!(!shows_a_token(&text), "a secret is shown");
                assert!(
                    !text.replace("\u{1b}[", "").contains('\u{1b}') && !text.contains('\0'),
                    "a control character is shown"
                );
            }
            kind
        }
    }
}

fn files(name: &'static str, corpus: &[Vec<u8>]) -> hydra_fuzz::Report {
    let sandbox = Sandbox::complete();
    fuzz(name.rsplit('/').next().unwrap_or(name), corpus, |bytes| loaded(&sandbox, name, bytes))
}

#[test]
fn hydra_toml() {
    let template = include_bytes!("../../templates/hydra.toml").to_vec();
    let long = br#"instance = "a"
identities = "per-persona"
[github]
org = "acme"
repos = ["acme/widgets", "other"]
project = 3
[github.logins]
builder = "acme-builder"
[pipeline]
poll_interval = "5s"
max_fix_rounds = 2
[pipeline.retry]
base = "1s"
[slots]
total = 5
[budget]
issue_usd = 20.5
[runtime]
kind = "docker"
[egress]
base = ["api.anthropic.com"]
extra.builder = ["*.example.org"]
[models]
all = "claude-sonnet-4-6"
[personas.al-gorithm]
driver = "demo"
"#;
    let report = files("hydra.toml", &[template, long.to_vec()]);
    assert!(report.saw("ok") && report.saw("this is not valid TOML") && report.answers.len() > 20, "{report:?}");
}

#[test]
fn dotenv() {
    let text = format!(
        "# comment\nGITHUB_ORG=acme\nHYDRA_PROJECT_NUMBER=3\nHYDRA_BUILDER_TOKEN=github_pat_11{SECRET}AAAA_{SECRET}\n\
         HYDRA_REVIEWER_TOKEN=ghp_{SECRET}0123456789abcdef\nANTHROPIC_API_KEY=sk-ant-api03-{SECRET}\nHYDRA_SIGNING_KEY={}\n\n",
        "7".repeat(64)
    );
    let report = files("secrets/.env", &[text.into_bytes()]);
    assert!(report.saw("ok") && report.answers.len() > 8, "{report:?}");
}

#[test]
fn credentials_json() {
    let text = CREDENTIALS.replace("TOKEN", &format!("github_pat_11{SECRET}AAAA_{SECRET}"));
    let report = files("secrets/credentials.json", &[text.into_bytes()]);
    assert!(report.saw("ok") && report.saw("this is not valid JSON") && report.answers.len() > 10, "{report:?}");
}
