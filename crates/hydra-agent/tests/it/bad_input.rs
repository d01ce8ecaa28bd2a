//! Input that is not as agreed, and outputs that cannot be written.

use crate::stage::Stage;
use hydra_core::agent_event::{AgentEnd, EventKind};
use serde_json::json;

fn refused(ended: &crate::stage::Ended, step: &str) -> String {
    match ended.events.last() {
        Some(EventKind::Ended { end: AgentEnd::Refused { step: found, detail }, .. }) => {
            assert_eq!(found, step);
            detail.clone()
        }
        other => panic!("not refused: {other:?}"),
    }
}

#[test]
fn missing_variables_are_all_named_and_nothing_is_started() {
    let mut stage = Stage::new("build", "touch $HYDRA_OUT/started");
    stage.env.retain(|(name, _)| !["ISSUE_URL", "GITHUB_ORG"].contains(&name.as_str()));
    let ended = stage.run();
    assert_eq!(ended.code, 20);
    let detail = refused(&ended, "contract");
    assert!(detail.contains("ISSUE_URL") && detail.contains("GITHUB_ORG"), "{detail}");
    assert!(ended.stderr.contains("ISSUE_URL is not set: set it to the issue's address"), "{}", ended.stderr);
    assert!(!stage.path("out/started").exists());
}

#[test]
fn a_driver_without_its_credential_is_refused_by_name() {
    let mut stage = Stage::new("build", "");
    stage.job["driver"] = json!("claude");
    let ended = stage.run();
    assert_eq!(ended.code, 20);
    assert!(ended.stderr.contains("none of CLAUDE_CODE_OAUTH_TOKEN, ANTHROPIC_API_KEY is set"), "{}", ended.stderr);
}

#[test]
fn mode_and_job_must_be_the_ones_of_the_file() {
    let mut stage = Stage::new("build", "");
    stage.env.push(("HYDRA_MODE".into(), "biuld".into()));
    let ended = stage.run();
    assert_eq!(ended.code, 20);
    assert!(ended.stderr.contains("HYDRA_MODE is \"biuld\""), "{}", ended.stderr);
    assert!(ended.stderr.contains("there is no stage \"biuld\""), "{}", ended.stderr);
}

#[test]
fn a_damaged_bundle_and_one_of_other_commits_are_refused() {
    let stage = Stage::new("build", "");
    stage.run();
    std::fs::write(stage.path("in/repo.bundle"), "no bundle").unwrap();
    let ended = stage.again();
    assert_eq!(ended.code, 22);
    assert!(ended.stderr.contains("the workspace could not be made: git fetch"), "{}", ended.stderr);

    let stage = Stage::new("build", "");
    stage.run();
    let other = "0123456789012345678901234567890123456789";
    let mut job = stage.job.clone();
    job["head"] = json!(other);
    std::fs::write(stage.path("in/job.json"), job.to_string()).unwrap();
    let ended = stage.again();
    assert_eq!(ended.code, 22);
    assert!(ended.stderr.contains(&format!("job.json names {other}")), "{}", ended.stderr);
}

#[test]
fn an_agent_that_cannot_be_started_is_told_by_name() {
    let mut stage = Stage::new("build", "");
    stage.env.push(("HYDRA_DEMO_AGENT".into(), "[\"/no/such/agent\"]".into()));
    let ended = stage.run();
    assert_eq!(ended.code, 10);
    assert!(refused(&ended, "driver").contains("/no/such/agent cannot be started"));
}

#[test]
fn a_full_disk_ends_the_job_with_its_own_code() {
    if !std::path::Path::new("/dev/full").exists() {
        panic!("this test needs /dev/full");
    }
    let stage = Stage::new("build", "");
    std::os::unix::fs::symlink("/dev/full", stage.path("out/events.jsonl")).unwrap();
    let output = stage.start().wait_with_output().unwrap();
    assert_eq!(output.status.code(), Some(23));
    let said = String::from_utf8(output.stderr).unwrap();
    assert!(said.contains("free space"), "{said}");
}
