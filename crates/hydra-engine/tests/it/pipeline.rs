//! Whole pipelines: happy, with a fix round, handed over.

use crate::world::{World, builds, judges, key, prompt, well, works};
use hydra_core::{Stage, view::StatusState};
use std::collections::BTreeSet;

#[tokio::test(start_paused = true)]
async fn a_labelled_issue_becomes_a_reviewed_pull_request_and_then_nothing_is_written_any_more() {
    let world = World::new(well);
    let mut engine = world.engine("1");
    let ended = world.run(&mut engine).await;
    assert!(ended.last.failures.is_empty(), "{:?}", ended.last.failures);
    assert_eq!(
        world.labels(1),
        ["build:pass", "code-review:pass", "done", "quality:pass", "ready-to-build", "security-review:pass",]
    );
    let [pull] = world.pulls().try_into().unwrap();
    assert!(!pull.draft, "a person is asked");
    assert_eq!(pull.author.as_str(), "hydra-builder");
    let reviewers: Vec<&str> = pull.reviews.iter().map(|review| review.author.as_str()).collect();
    assert_eq!(BTreeSet::from_iter(reviewers), BTreeSet::from(["hydra-reviewer", "hydra-security"]));
    assert!(pull.statuses.iter().all(|status| status.state == StatusState::Success), "{:?}", pull.statuses);
    assert_eq!(world.state.lock().unwrap().leases.len(), 0, "the lease is given back");
    assert_eq!(world.runtime.started().len(), 4);
    assert!(world.status(1).contains("| code-review | 0 | pass"), "{}", world.status(1));

    // The second cycle on an unchanged board.
    let before = world.writes().len();
    let report = engine.cycle().await;
    assert_eq!((report.actions.len(), report.looked_at), (0, 0), "{report:?}");
    let reads = world.state.lock().unwrap().reads;
    let report = engine.cycle().await;
    assert_eq!(report.looked_at, 0);
    assert_eq!(world.state.lock().unwrap().reads - reads, 1, "one listing");
    // Nor does a process that knows nothing yet write anything.
    let mut other = world.engine("2");
    let ended = world.run(&mut other).await;
    assert_eq!((ended.writes, world.writes().len()), (0, before), "{:?}", ended.last);
}

#[tokio::test(start_paused = true)]
async fn a_blocking_finding_is_mended_in_a_fix_round_and_the_applier_has_the_last_word() {
    let world = World::new(|spec| match (spec.key.stage, spec.key.round) {
        (Stage::CodeReview, 0) => judges(spec, false, &["the tax is never added"]),
        (Stage::Fix, _) => {
            assert!(prompt(spec).contains("the tax is never added"), "the finding goes back as data");
            builds(spec)
        }
        _ => well(spec),
    });
    let mut engine = world.engine("1");
    let ended = world.run(&mut engine).await;
    assert!(ended.last.failures.is_empty(), "{:?}", ended.last);
    assert!(world.labels(1).contains(&"done".to_owned()), "{:?}\n{}", world.labels(1), world.status(1));
    let [pull] = world.pulls().try_into().unwrap();
    assert_eq!(pull.reviews.len(), 5, "two rounds of two, and the applier");
    assert_eq!(pull.reviews.last().unwrap().author.as_str(), "hydra-applier");
}

#[tokio::test(start_paused = true)]
async fn rounds_that_never_end_are_handed_over_with_the_open_findings() {
    let world = World::new(|spec| match spec.key.stage {
        Stage::SecurityReview => judges(spec, false, &["the secret is in the log"]),
        _ => well(spec),
    });
    let mut engine = world.engine("1");
    world.run(&mut engine).await;
    assert!(world.labels(1).contains(&"needs-input".to_owned()), "{:?}", world.labels(1));
    assert!(world.status(1).contains("the secret is in the log"), "{}", world.status(1));
    let fixes = world.runtime.started().iter().filter(|job| job.as_str().contains("-fix-")).count();
    assert_eq!(fixes, 2);
}

#[tokio::test(start_paused = true)]
async fn a_review_that_did_nothing_is_void_runs_once_more_and_is_handed_over() {
    let world = World::new(|spec| match spec.key.stage {
        Stage::CodeReview => {
            let mut play = judges(spec, true, &[]);
            play.lines.clear();
            play.out.insert("events.jsonl".into(), Vec::new());
            play
        }
        _ => well(spec),
    });
    let mut engine = world.engine("1");
    world.run(&mut engine).await;
    assert!(world.labels(1).contains(&"needs-input".to_owned()), "{:?}\n{}", world.labels(1), world.status(1));
    let reviews = world.runtime.started().iter().filter(|job| job.as_str().contains("code-review")).count();
    assert_eq!(reviews, 2);
}

#[tokio::test(start_paused = true)]
async fn an_agent_that_did_nothing_is_no_success() {
    let world = World::new(|spec| works(spec, &[], None));
    let mut engine = world.engine("1");
    world.run(&mut engine).await;
    assert!(world.labels(1).contains(&"needs-input".to_owned()), "{:?}", world.labels(1));
    assert!(world.status(1).contains("without a change"), "{}", world.status(1));
    assert!(world.pulls().is_empty());
}

#[tokio::test(start_paused = true)]
async fn a_question_is_asked_on_the_issue_and_answered_by_setting_the_label_again() {
    let world = World::new(|spec| {
        let rfi = serde_json::to_vec(&serde_json::json!({ "questions": ["Which rate?"] })).unwrap();
        if prompt_or_empty(spec).contains("It is 21") || spec.key.stage != Stage::Build {
            well(spec)
        } else {
            works(spec, &[("rfi.json", rfi)], None)
        }
    });
    let mut engine = world.engine("1");
    world.run(&mut engine).await;
    assert!(world.labels(1).contains(&"needs-input".to_owned()));
    let asked =
        world.state.lock().unwrap().issues[&key(1).number].comments.iter().any(|c| c.body.contains("Which rate?"));
    assert!(asked);
    world.state.lock().unwrap().issues.get_mut(&key(1).number).unwrap().body = "Change: add-tax\n\nIt is 21 %.".into();
    world.label(1, "ready-to-build", false);
    world.label(1, "ready-to-build", true);
    world.run(&mut engine).await;
    assert!(world.labels(1).contains(&"done".to_owned()), "{:?}\n{}", world.labels(1), world.status(1));
}

fn prompt_or_empty(spec: &hydra_core::job::JobSpec) -> String {
    if spec.key.stage == Stage::Quality { String::new() } else { prompt(spec) }
}
