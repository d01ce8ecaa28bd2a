//! Every scenario of the demo, played by the simulator's own agent on a real checkout whose tests really run.

use crate::desk::*;
use hydra_core::{Stage, Tokens};
use hydra_sim::{
    agent::Credential,
    model::{ModelSim, SCENARIOS, demo_repo, scenario},
};

async fn desk(name: &str) -> Desk {
    Desk::new(scenario(name).unwrap().unwrap().script).await
}

#[tokio::test]
async fn the_fix_round_ends_green_and_every_token_is_accounted_for() {
    let desk = desk("fix-round").await;
    let mut sum = Tokens::default();
    for (stage, job, pass) in [
        (Stage::Build, "hydra-build-1", None),
        (Stage::CodeReview, "hydra-review-1", Some(false)),
        (Stage::SecurityReview, "hydra-security-1", Some(true)),
        (Stage::Fix, "hydra-fix-1", None),
        (Stage::CodeReview, "hydra-review-2", Some(true)),
        (Stage::SecurityReview, "hydra-security-2", Some(true)),
        (Stage::Apply, "hydra-apply-1", Some(true)),
    ] {
        let before = sh(&desk.repo(), "cat $(git ls-files -co --exclude-standard)").1;
        let ended = desk.play(stage, job).await;
        assert_eq!(ended.code, 0, "{job}: {}", ended.result());
        assert_eq!(ended.failed_tools(), Vec::<String>::new(), "{job}");
        assert_eq!(ended.verdict.as_ref().map(|v| v["pass"] == true), pass, "{job}");
        let counted = desk.model.usage().sessions[job];
        assert_eq!(ended.tokens(), counted.tokens, "{job}");
        assert_eq!(ended.result()["num_turns"], counted.answers);
        sum += counted.tokens;
        if stage.writes_code() {
            assert!(desk.quality(), "{job} leaves lint, tests and build green");
        } else {
            let after = sh(&desk.repo(), "cat $(git ls-files -co --exclude-standard)").1;
            assert_eq!(before, after, "{job} changes nothing");
        }
    }
    let usage = desk.model.usage();
    assert_eq!(usage.all.tokens, sum);
    assert_eq!(usage.credentials[&ModelSim::credential_tag("key-one")], usage.all);
    assert_eq!(usage.models[&"claude-opus-4-8".parse().unwrap()], usage.all);
    let tasks = std::fs::read_to_string(desk.repo().join("openspec/changes/add-word-limit/tasks.md")).unwrap();
    assert!(tasks.contains("- [x]") && !tasks.contains("- [ ]"));
}

#[tokio::test]
async fn the_blocking_finding_is_real_and_names_the_line() {
    let desk = desk("fix-round").await;
    desk.play(Stage::Build, "hydra-build-1").await;
    let (_, flawed) = sh(&desk.repo(), "sh bin/slug --words 3 '* and more'");
    assert_ne!(flawed.trim(), "and-more", "the first version expands the star");
    let verdict = desk.play(Stage::CodeReview, "hydra-review-1").await.verdict.unwrap();
    let finding = &verdict["findings"][0];
    let file = std::fs::read_to_string(desk.repo().join(finding["file"].as_str().unwrap())).unwrap();
    let line = usize::try_from(finding["line"].as_u64().unwrap()).unwrap();
    assert_eq!(file.lines().nth(line - 1).unwrap().trim(), "for word in $2; do");
    desk.play(Stage::Fix, "hydra-fix-1").await;
    assert_eq!(sh(&desk.repo(), "sh bin/slug --words 3 '* and more'").1.trim(), "and-more");
}

#[tokio::test]
async fn a_hunk_that_is_left_out_turns_the_tests_red() {
    for hunk in ["lib/slug.sh", "bin/slug"] {
        let desk = desk("happy").await;
        desk.play(Stage::Build, "hydra-build-1").await;
        assert!(desk.quality());
        std::fs::write(desk.repo().join(hunk), &demo_repo()[hunk]).unwrap();
        let (ok, text) = sh(&desk.repo(), "sh tests/run.sh");
        assert!(!ok && text.contains("FAIL tests/test_words.sh"), "without {hunk}: {text}");
    }
    // The fix by itself, too.
    let desk = desk("fix-round").await;
    desk.play(Stage::Build, "hydra-build-1").await;
    let flawed = std::fs::read(desk.repo().join("lib/slug.sh")).unwrap();
    desk.play(Stage::Fix, "hydra-fix-1").await;
    assert!(desk.quality());
    std::fs::write(desk.repo().join("lib/slug.sh"), flawed).unwrap();
    assert!(!sh(&desk.repo(), "sh tests/run.sh").0);
}

#[tokio::test]
async fn the_happy_story_passes_at_once() {
    let desk = desk("happy").await;
    assert_eq!(desk.play(Stage::Build, "hydra-b").await.code, 0);
    assert!(desk.quality());
    for (stage, job) in [(Stage::CodeReview, "hydra-c"), (Stage::SecurityReview, "hydra-s"), (Stage::Apply, "hydra-a")]
    {
        let ended = desk.play(stage, job).await;
        assert_eq!(ended.verdict.unwrap()["pass"], true, "{job}");
        let read = ended.events.iter().filter(|e| e["message"]["content"][0]["name"] == "Read").count();
        assert_eq!(read, 5, "every file of the diff is read");
    }
}

#[tokio::test]
async fn a_builder_that_lacks_an_answer_asks() {
    let desk = desk("needs-input").await;
    let ended = desk.play(Stage::Build, "hydra-b").await;
    assert_eq!(ended.code, 0);
    let text = std::fs::read(desk.dir.path().join("out/hydra-b/rfi.json")).unwrap();
    let rfi: hydra_core::contract_files::Rfi = serde_json::from_slice(&text).unwrap();
    assert_eq!(rfi.questions.len(), 2);
    assert_eq!(sh(&desk.repo(), "git status --short").1, "");
}

#[tokio::test]
async fn a_limited_account_stays_limited_and_the_next_one_carries_on() {
    let mut desk = desk("rate-limited").await;
    let before = jiff::Timestamp::now().as_second();
    let ended = desk.play(Stage::Build, "hydra-b-1").await;
    assert_eq!(ended.code, 1);
    assert_eq!(ended.result()["api_error_status"], 429);
    assert_eq!(ended.result()["subtype"], "success", "as the real CLI has it");
    assert_eq!(ended.result()["is_error"], true);
    assert_eq!(ended.result()["num_turns"], 3);
    let limit = ended.events.iter().find(|e| e["type"] == "rate_limit_event").unwrap();
    let resets = limit["rate_limit_info"]["resetsAt"].as_i64().unwrap();
    assert!((before + 3_590..=before + 3_660).contains(&resets), "{resets}");
    // The same account at any other stage: nothing.
    assert_eq!(desk.play(Stage::CodeReview, "hydra-c").await.code, 1);
    desk.options.credential = Credential::OAuth("token-two".into());
    sh(&desk.repo(), "git checkout -q . && git clean -qfd");
    let ended = desk.play(Stage::Build, "hydra-b-2").await;
    assert_eq!(ended.code, 0, "{}", ended.result());
    assert!(desk.quality());
    let usage = desk.model.usage();
    assert_eq!(usage.credentials[&ModelSim::credential_tag("token-two")].tokens, ended.tokens());
    assert_eq!(usage.sessions["hydra-b-1"].faults, 1);
}

#[tokio::test]
async fn an_expensive_build_says_what_it_costs() {
    let desk = desk("over-budget").await;
    let ended = desk.play(Stage::Build, "hydra-b").await;
    assert_eq!(ended.tokens().input, 8 * 2_000_000);
    assert_eq!(ended.tokens().output, 8 * 400_000);
}

#[tokio::test]
async fn a_void_review_reads_nothing_both_times() {
    let desk = desk("void-review").await;
    desk.play(Stage::Build, "hydra-b").await;
    for job in ["hydra-c-1", "hydra-c-2"] {
        let ended = desk.play(Stage::CodeReview, job).await;
        assert_eq!(ended.verdict.unwrap()["pass"], true);
        assert!(!ended.events.iter().any(|e| e["message"]["content"][0]["name"] == "Read"));
    }
}

#[tokio::test]
async fn the_second_commit_is_sound_by_itself_and_conflicts_with_the_change() {
    let desk = desk("conflict").await;
    let second = scenario("conflict").unwrap().unwrap().second_commit.unwrap();
    let git = "git -c user.name=a -c user.email=a@b";
    sh(&desk.repo(), "git branch -M main && git checkout -q -b work");
    desk.play(Stage::Build, "hydra-b").await;
    assert!(sh(&desk.repo(), &format!("git add -A && {git} commit -qm work && git checkout -q main")).0);
    write_files(&desk.repo(), &second.files);
    assert!(desk.quality(), "the base stays green");
    assert!(sh(&desk.repo(), &format!("git add -A && {git} commit -qm second")).0);
    let (clean, text) = sh(&desk.repo(), "git merge-tree --write-tree main work");
    assert!(!clean && text.contains("CONFLICT"), "{text}");
}

#[test]
fn only_the_conflict_has_a_second_commit() {
    for name in SCENARIOS {
        let scenario = scenario(name).unwrap().unwrap();
        assert_eq!(scenario.second_commit.is_some(), *name == "conflict", "{name}");
        assert!(!scenario.shows.is_empty());
    }
}

#[test]
fn hydra_itself_reads_the_change_folder_and_every_verdict() {
    let below = "openspec/changes/add-word-limit/";
    let folder = demo_repo().into_iter().filter_map(|(p, b)| Some((p.strip_prefix(below)?.to_owned(), b))).collect();
    let change = hydra_core::openspec::ChangeFolder::parse(&folder).unwrap();
    let (_, body) = hydra_sim::model::demo_issue();
    let name = hydra_core::openspec::change_named_by(&body).unwrap().unwrap();
    assert_eq!(change.check_place(&name, &"any/slug".parse().unwrap()), []);
    let required: Vec<_> = change.requirements().iter().map(|r| format!("{r:?}")).collect();
    for scenario in SCENARIOS.iter().map(|name| scenario(name).unwrap().unwrap()) {
        let steps = scenario.script.sessions.iter().flat_map(|s| &s.steps);
        for call in steps.flat_map(|step| step.tool.iter().chain(&step.tools)) {
            if call.input.get("file_path").and_then(|p| p.as_str()) != Some("{{out}}/verdict.json") {
                continue;
            }
            let verdict =
                hydra_core::verdict::parse::parse(call.input["content"].as_str().unwrap().as_bytes()).unwrap();
            for judged in verdict.requirements {
                assert!(required.iter().any(|r| r.contains(&judged.requirement)), "{judged:?}");
            }
        }
    }
}
