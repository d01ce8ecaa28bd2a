//! The documented command line, taken literally: it builds, pushes, prints what it did, and leaves the pull request to the caller.

use super::{
    bridge::{Bridge, Relay},
    docker,
};
use hydra_sim::{
    github::{Access, RepoSeed, Role, Sim, SimConfig, Token},
    model::{ModelConfig, ModelSim, demo_repo, scenario},
};
use std::{path::Path, process::Command};

/// As in the documents, flag for flag.
const LINE: &str = r#"docker run --rm --read-only --tmpfs /tmp:size=512M --tmpfs /workspace:size=2G --security-opt no-new-privileges --cap-drop ALL --cap-add NET_ADMIN --cpus 4 --memory 8g --network hydra-net --env-file secrets/.env -e REPO_URL="${REPO_URL}" -e ISSUE_URL="${ISSUE_URL}" -e SPEC_PATH="/spec" -v "$(pwd)/openspec/changes/${CHANGE_NAME}:/spec:ro" -e GIT_TOKEN="${HYDRA_BUILDER_TOKEN}" ghcr.io/conductionnl/hydra-builder:latest"#;
const TOKEN: &str = "github_pat_literal_00000000000000000000";
const KEY: &str = "sk-ant-literal-key-of-the-team";
const CHANGE: &str = "add-word-limit";

/// With the only substitution that is allowed: no more CPUs than the engine has.
pub(crate) fn line() -> String {
    let cpus = docker(&["info", "--format", "{{.NCPU}}"]);
    let few = cpus.parse::<u32>().expect("a number").min(4);
    LINE.replace("--cpus 4", &format!("--cpus {few}"))
}

fn write_files(root: &Path) {
    for (path, bytes) in demo_repo() {
        let path = root.join(path);
        std::fs::create_dir_all(path.parent().expect("a folder")).expect("a folder");
        std::fs::write(path, bytes).expect("a file");
    }
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs docker, images"]
async fn the_documented_line_builds_and_pushes_and_leaves_the_pull_request_to_the_caller() {
    let bridge = Bridge::documented();
    let github = Sim::start(SimConfig::default()).await.expect("GitHub");
    github.org("acme");
    github
        .repo(RepoSeed::new("acme/words").files(demo_repo()).role("al-gorithm-bot", Role::Write))
        .expect("a repository");
    github.token(
        Token::fine_grained(TOKEN, "al-gorithm-bot").allow("metadata", Access::Read).allow("contents", Access::Write),
    );
    let script = scenario("happy").expect("a script").expect("a scenario").script;
    let model = ModelSim::start(ModelConfig { script, ..ModelConfig::default() }).await.expect("a model");
    let forge = github.base_url().trim_start_matches("http://").parse().expect("an address");
    let (forge, voice) =
        tokio::join!(Relay::start(bridge.gateway(), forge), Relay::start(bridge.gateway(), model.address()));

    // The folder of a team: its change, and its secrets, of which the builder's container gets all.
    let team = tempfile::tempdir().expect("a folder");
    write_files(team.path());
    std::fs::create_dir(team.path().join("secrets")).expect("a folder");
    let secrets = format!(
        "HYDRA_ANTHROPIC_KEY={KEY}\nANTHROPIC_BASE_URL=http://{}\nHYDRA_BUILDER_TOKEN={TOKEN}\n",
        voice.address
    );
    std::fs::write(team.path().join("secrets/.env"), secrets).expect("a file");
    let run = || {
        Command::new("sh")
            .args(["-c", &line()])
            .current_dir(team.path())
            .env("REPO_URL", format!("http://{}/acme/words.git", forge.address))
            .env("ISSUE_URL", "https://github.com/acme/words/issues/1")
            .env("CHANGE_NAME", CHANGE)
            .env("HYDRA_BUILDER_TOKEN", TOKEN)
            .output()
            .expect("sh is there")
    };
    let output = tokio::task::block_in_place(run);
    let (said, told) = (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    assert!(output.status.success(), "{}\n{said}\n{told}", output.status);

    // Fenced, before anything else; the results are shown, as nobody can collect them.
    for part in ["drop: no capability is left", "was pushed to", "the pull request is left to you", "result.json: {"] {
        assert!(said.contains(part), "{part:?} is not in:\n{said}");
    }
    for secret in [TOKEN, KEY] {
        assert!(!said.contains(secret) && !told.contains(secret), "a secret is shown");
    }
    // The branch is there, on the base, by the builder; no pull request is.
    let log = github
        .git("acme/words", &["log", "--format=%an <%ae> %s", &format!("main..hydra/{CHANGE}")])
        .expect("a branch");
    assert!(log.starts_with("Al Gorithm <al-gorithm@hydra.invalid> "), "{log}");
    let test = github.file("acme/words", &format!("hydra/{CHANGE}"), "tests/test_words.sh").expect("the new test");
    assert!(String::from_utf8_lossy(&test).contains("a longer title is cut"));
    assert_eq!(github.pulls("acme/words").len(), 0);
    let credentials: Vec<_> = model.usage().credentials.into_keys().collect();
    assert_eq!(credentials, [ModelSim::credential_tag(KEY)]);
    assert!(model.usage().sessions.contains_key("hydra-literal-1"), "{:?}", model.usage().sessions.keys());

    // Once more: what is there is never overwritten, and that is said.
    let again = tokio::task::block_in_place(run);
    assert_eq!(again.status.code(), Some(hydra_core::contract_files::exit::OUTPUTS));
    let told = String::from_utf8_lossy(&again.stderr);
    assert!(told.contains("hydra-agent: ") && !told.contains(TOKEN), "{told}");
}

#[test]
#[ignore = "needs docker, images"]
fn without_its_variables_it_names_every_one_of_them() {
    let output = super::docker_output(&[
        "run",
        "--rm",
        "--read-only",
        "--tmpfs",
        "/tmp",
        "--tmpfs",
        "/workspace",
        "--network",
        "none",
        "ghcr.io/conductionnl/hydra-builder:latest",
    ]);
    let told = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(hydra_core::contract_files::exit::CONTRACT), "{told}");
    for name in ["REPO_URL", "ISSUE_URL", "GIT_TOKEN", "SPEC_PATH", "ANTHROPIC_API_KEY"] {
        assert!(told.contains(name), "{name} is not in {told}");
    }
}
