//! Which credentials containers hold: none of git's as a rule, and in mode `env` each stage its own and no other.

use crate::world::{World, well};
use hydra_core::{
    Stage, TokenRole,
    job::{EnvValue, JobSpec},
};
use hydra_engine::GitCredentials;
use secrecy::ExposeSecret as _;
use std::sync::{Arc, Mutex};

/// `VARIABLE=VALUE` of a job's secrets, and the names under which `hydra stop --credential` finds it.
fn held(spec: &JobSpec) -> (Stage, Vec<String>, Vec<String>) {
    let secrets = spec.env.iter().filter_map(|(name, value)| match value {
        EnvValue::Plain(_) => None,
        EnvValue::Secret { value, .. } => Some(format!("{name}={}", value.expose_secret())),
    });
    (spec.key.stage, secrets.collect(), spec.credentials.iter().map(ToString::to_string).collect())
}

/// Runs a pipeline to its end, and returns what each of its jobs held.
async fn held_by_all(mode: GitCredentials) -> Vec<(Stage, Vec<String>, Vec<String>)> {
    let seen: Arc<Mutex<Vec<_>>> = Arc::default();
    let keep = Arc::clone(&seen);
    let world = World::new(move |spec: &JobSpec| {
        keep.lock().unwrap().push(held(spec));
        well(spec)
    });
    let mut engine = world.engine_with(hydra_engine::EngineConfig { git_credentials: mode, ..world.config("1") });
    world.run(&mut engine).await;
    world.lawful();
    let mut all = seen.lock().unwrap().clone();
    all.sort();
    all
}

#[tokio::test(start_paused = true)]
async fn each_stage_holds_its_own_token_in_mode_env_and_none_otherwise() {
    let model = "CLAUDE_CODE_OAUTH_TOKEN=sk-ant-oat01-not-a-real-one".to_owned();
    let tokens = TokenRole::ALL.iter().map(|role| (*role, format!("token-of-{role}").into())).collect();
    let with = |stage, role: &str| {
        let variables = vec![model.clone(), format!("GIT_TOKEN=token-of-{role}")];
        (stage, variables, vec!["account:main".to_owned(), format!("git:{role}")])
    };
    let none = (Stage::Quality, Vec::new(), Vec::new());
    assert_eq!(
        held_by_all(GitCredentials::Env(tokens)).await,
        [
            with(Stage::Build, "builder"),
            none.clone(),
            with(Stage::CodeReview, "reviewer"),
            with(Stage::SecurityReview, "security"),
        ]
    );
    let without = |stage| (stage, vec![model.clone()], vec!["account:main".to_owned()]);
    assert_eq!(
        held_by_all(GitCredentials::Withheld).await,
        [without(Stage::Build), none, without(Stage::CodeReview), without(Stage::SecurityReview)]
    );
}
