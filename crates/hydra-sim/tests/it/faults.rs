//! A provider's bad days, as the agent lives through them.

use crate::desk::*;
use hydra_core::Stage;
use hydra_sim::{
    agent::{Credential, run_session},
    model::{Authority, ModelConfig, ModelSim, Script},
};
use std::time::{Duration, Instant};

fn script(step: &str) -> Script {
    let text = format!(
        "[[session]]\nstage = \"build\"\n[[session.steps]]\ntool = {{ name = \"Bash\", input = {{ command = \"echo one\" }} }}\n[[session.steps]]\n{step}\n[[session.steps]]\nsay = \"the end\"\n"
    );
    text.parse().unwrap()
}

#[tokio::test]
async fn what_passes_is_sent_again_and_gets_the_same_answer() {
    for fault in ["overloaded", "overloaded-mid-stream", "reset", "broken", "rate-limit", "unauthorized"] {
        let desk = Desk::new(script(&format!("fault = \"{fault}\"\ntimes = 2"))).await;
        let ended = desk.play(Stage::Build, "hydra-b").await;
        assert_eq!(ended.code, 0, "{fault}: {}", ended.result());
        assert_eq!(ended.result()["result"], "the end");
        let retries: Vec<_> = ended.events.iter().filter(|e| e["subtype"] == "api_retry").collect();
        assert_eq!(retries.len(), 2, "{fault}");
        let counted = desk.model.usage().sessions["hydra-b"];
        assert_eq!((counted.answers, counted.faults), (2, 2));
        assert_eq!(counted.tokens, ended.tokens(), "{fault}: failed requests cost nothing");
    }
}

#[tokio::test]
async fn what_does_not_pass_ends_the_session_with_its_status() {
    for (fault, status, word, tries) in [
        ("unauthorized", 401, "invalid x-api-key", 3),
        ("forbidden", 403, "permission", 1),
        ("refused", 400, "invalid_request_error", 1),
        ("unknown-model", 404, "not_found_error", 1),
        ("overloaded", 529, "Overloaded", 3),
        ("limit", 429, "rate limit", 1),
        ("usage-limit", 429, "Claude AI usage limit reached|", 1),
    ] {
        let desk = Desk::new(script(&format!("fault = \"{fault}\"\ntimes = 0"))).await;
        let ended = desk.play(Stage::Build, "hydra-b").await;
        assert_eq!(ended.code, 1, "{fault}");
        assert_eq!(ended.result()["is_error"], true);
        assert_eq!(ended.result()["api_error_status"], status, "{fault}");
        assert!(ended.result()["result"].as_str().unwrap().contains(word), "{fault}: {}", ended.result());
        assert_eq!(desk.model.usage().sessions["hydra-b"].faults, tries, "{fault}");
    }
}

#[tokio::test]
async fn a_stall_lasts_until_somebody_interrupts() {
    let desk = Desk::new(script("fault = \"stall\"")).await;
    let (prompt, _) = desk.prompt(Stage::Build, "hydra-b");
    let mut printed = Vec::new();
    let begun = Instant::now();
    let interrupt = tokio::time::sleep(Duration::from_millis(400));
    let code = run_session(&desk.options, &prompt, &mut printed, interrupt).await.unwrap();
    assert_eq!(code, 1);
    assert!(begun.elapsed() >= Duration::from_millis(400));
    let text = String::from_utf8(printed).unwrap();
    let last: serde_json::Value = serde_json::from_str(text.lines().last().unwrap()).unwrap();
    assert_eq!(last["subtype"], "error_during_execution");
    assert_eq!(last["num_turns"], 1, "what was done before is told");
}

#[tokio::test]
async fn the_turn_limit_ends_a_session() {
    let mut desk = Desk::new(script("say = \"not reached\"")).await;
    desk.options.max_turns = 1;
    let ended = desk.play(Stage::Build, "hydra-b").await;
    assert_eq!((ended.code, &ended.result()["subtype"]), (1, &"error_max_turns".into()));
}

#[tokio::test]
async fn nobody_listening_is_a_connection_error() {
    let mut desk = Desk::new(script("say = \"x\"")).await;
    desk.options.base_url = "http://127.0.0.1:1".parse().unwrap();
    let ended = desk.play(Stage::Build, "hydra-b").await;
    assert_eq!(ended.code, 1);
    assert!(ended.result()["api_error_status"].is_null());
    assert!(ended.result()["result"].as_str().unwrap().contains("Connection error"));
}

#[tokio::test]
async fn only_known_credentials_are_served() {
    let config = ModelConfig { script: script("say = \"x\""), credentials: vec!["good".into()], ..Default::default() };
    let mut desk = Desk::with(config).await;
    desk.options.retries = 0;
    assert_eq!(desk.play(Stage::Build, "hydra-b").await.result()["api_error_status"], 401);
    desk.options.credential = Credential::OAuth("good".into());
    assert_eq!(desk.play(Stage::Build, "hydra-b").await.code, 0);
    let log = desk.model.requests();
    assert_eq!(log[0].status, 401);
    assert_eq!(log[1].credential, ModelSim::credential_tag("good"));
    assert_eq!(log[1].line, "POST /v1/messages");
}

#[tokio::test]
async fn over_tls_the_named_authority_is_trusted_and_no_other() {
    let authority = Authority::new().unwrap();
    let certificate = authority.issue(&["localhost", "127.0.0.1"]).unwrap();
    let at = "127.0.0.1:0".parse().unwrap();
    let config = ModelConfig { script: script("say = \"x\""), tls: Some((at, certificate)), ..Default::default() };
    let mut desk = Desk::with(config).await;
    let port = desk.model.tls_address().unwrap().port();
    desk.options.base_url = format!("https://127.0.0.1:{port}").parse().unwrap();
    desk.options.retries = 0;
    let stranger = Authority::new().unwrap();
    let file = desk.dir.path().join("authority.pem");
    for (pem, code) in [(stranger.pem(), 1), (authority.pem(), 0)] {
        std::fs::write(&file, pem).unwrap();
        desk.options.authorities = vec![file.clone()];
        assert_eq!(desk.play(Stage::Build, "hydra-b").await.code, code);
    }
}

#[tokio::test]
async fn a_reviewer_writes_into_its_output_folder_only() {
    let text = r#"
        [[session]]
        stage = "apply"
        [[session.steps]]
        tools = [
          { name = "Write", input = { file_path = "{{workspace}}/x", content = "x" } },
          { name = "Write", input = { file_path = "{{out}}/../x", content = "x" } },
          { name = "Edit", input = { file_path = "{{workspace}}/README.md", old_string = "slug", new_string = "x" } },
          { name = "Write", input = { file_path = "{{out}}/verdict.json", content = "{}" } },
          { name = "Teleport", input = {} },
        ]
        [[session.steps]]
        say = "done"
    "#;
    let desk = Desk::new(text.parse().unwrap()).await;
    let ended = desk.play(Stage::Apply, "hydra-a").await;
    assert_eq!(ended.failed_tools().len(), 4);
    assert!(ended.verdict.is_some());
    assert_eq!(sh(&desk.repo(), "git status --short").1, "");
}
