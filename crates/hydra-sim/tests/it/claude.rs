//! The real coding agent against the scripted model: what the script says is what it does, and every token agrees.

use crate::desk::*;
use hydra_core::{Stage, Tokens};
use hydra_sim::model::{ModelSim, Script, scenario};
use serde_json::Value;
use std::process::{Command, Stdio};

/// Runs the CLI (`HYDRA_CLAUDE`, or `claude` on PATH) as Hydra does; its events.
fn claude(desk: &Desk, stage: Stage, job: &str, key: &str) -> (i32, Vec<Value>) {
    use std::io::Write as _;
    let program = std::env::var("HYDRA_CLAUDE").unwrap_or_else(|_| "claude".into());
    let (prompt, out) = desk.prompt(stage, job);
    let home = desk.dir.path().join("home");
    std::fs::create_dir_all(&home).unwrap();
    let mut child = Command::new(program)
        .args(["-p", "--output-format", "stream-json", "--verbose", "--include-partial-messages"])
        .args(["--dangerously-skip-permissions", "--model", "claude-opus-4-8", "--add-dir"])
        .arg(&out)
        .current_dir(desk.repo())
        .env_remove("CLAUDECODE")
        .env("HOME", &home)
        .env("ANTHROPIC_BASE_URL", desk.model.url())
        .env(key, "key-one")
        .envs([("DISABLE_TELEMETRY", "1"), ("DISABLE_AUTOUPDATER", "1"), ("DISABLE_ERROR_REPORTING", "1")])
        .envs([
            ("CLAUDE_CODE_DISABLE_NONESSENTIAL_TRAFFIC", "1"),
            ("CLAUDE_CODE_MAX_RETRIES", "2"),
            ("IS_SANDBOX", "1"),
        ])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    child.stdin.take().unwrap().write_all(prompt.as_bytes()).unwrap();
    let output = child.wait_with_output().unwrap();
    let text = String::from_utf8(output.stdout).unwrap();
    (output.status.code().unwrap_or(-1), text.lines().map(|l| serde_json::from_str(l).unwrap()).collect())
}

/// The total that the CLI states over all models.
fn stated(events: &[Value]) -> Tokens {
    let result = events.iter().rev().find(|e| e["type"] == "result").unwrap();
    let models = result["modelUsage"].as_object().unwrap().values();
    let count = |v: &Value, name: &str| v[name].as_u64().unwrap();
    models
        .map(|v| Tokens {
            input: count(v, "inputTokens"),
            output: count(v, "outputTokens"),
            cache_read: count(v, "cacheReadInputTokens"),
            cache_write: count(v, "cacheCreationInputTokens"),
        })
        .sum()
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs claude-code"]
async fn the_real_cli_plays_the_fix_round() {
    let desk = Desk::new(scenario("fix-round").unwrap().unwrap().script).await;
    for (stage, job) in [
        (Stage::Build, "hydra-build-1"),
        (Stage::CodeReview, "hydra-review-1"),
        (Stage::Fix, "hydra-fix-1"),
        (Stage::CodeReview, "hydra-review-2"),
    ] {
        let (code, events) = claude(&desk, stage, job, "ANTHROPIC_API_KEY");
        assert_eq!(code, 0, "{job}: {:?}", events.last());
        let failed: Vec<_> = events
            .iter()
            .filter(|e| e["type"] == "user")
            .flat_map(|e| e["message"]["content"].as_array().cloned().unwrap_or_default())
            .filter(|b| b["is_error"] == true)
            .collect();
        assert!(failed.is_empty(), "{job}: {failed:?}");
        let usage = desk.model.usage();
        assert_eq!(stated(&events), usage.sessions[job].tokens, "{job}; besides: {:?}", usage.side);
    }
    assert!(desk.quality());
    let (_, text) = sh(&desk.repo(), "sh bin/slug --words 3 '* and more'");
    assert_eq!(text.trim(), "and-more");
    assert_eq!(desk.model.usage().credentials.keys().collect::<Vec<_>>(), [&ModelSim::credential_tag("key-one")]);
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs claude-code"]
async fn the_real_cli_says_what_went_wrong() {
    for (fault, status, key) in [
        ("limit", 429, "ANTHROPIC_API_KEY"),
        ("limit", 429, "CLAUDE_CODE_OAUTH_TOKEN"),
        ("usage-limit", 429, "CLAUDE_CODE_OAUTH_TOKEN"),
        ("unauthorized", 401, "ANTHROPIC_API_KEY"),
        ("overloaded", 529, "ANTHROPIC_API_KEY"),
        ("refused", 400, "ANTHROPIC_API_KEY"),
    ] {
        let text = format!(
            "[[session]]\nstage = \"build\"\n[[session.steps]]\nfault = \"{fault}\"\ntimes = 0\n[[session.steps]]\nsay = \"x\"\n"
        );
        let desk = Desk::new(text.parse::<Script>().unwrap()).await;
        let (code, events) = claude(&desk, Stage::Build, &format!("hydra-{fault}-{}", key.to_lowercase()), key);
        let result = events.last().unwrap();
        assert_eq!((code, &result["is_error"]), (1, &Value::Bool(true)), "{fault}: {result}");
        assert_eq!(result["api_error_status"], status, "{fault}: {result}");
    }
}
