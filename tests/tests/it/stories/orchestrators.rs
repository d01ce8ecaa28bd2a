//! More than one orchestrator, one after the other or at the same time: nothing twice, nothing lost.

use crate::stories::{
    hands::{holds, hydra, reasons_of},
    plays::{runs_on, turn, well},
    stage::{Story, login, played},
};
use hydra_core::{Stage, TokenRole, job::JobSpec, record::StageResult};
use std::{collections::BTreeSet, time::Duration};

impl Story {
    /// Every job that was started, and each of them once.
    #[track_caller]
    fn starts(&self) -> usize {
        let started = self.fake.as_ref().expect("a played story").started();
        let once: BTreeSet<_> = started.iter().collect();
        assert_eq!(once.len(), started.len(), "{started:#?}");
        started.len()
    }
}

#[tokio::test]
async fn two_orchestrators_at_once_make_everything_once() {
    let story = played(well).change("change-2").change("change-3").begin().await;
    let others: Vec<u64> = (2..=3).map(|n| story.another_issue(&format!("Change: change-{n}\n"))).collect();
    let (here, there) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let (mut one, mut two) = (story.engine_in("one", here.path()), story.engine_in("two", there.path()));
    // They share the machine's runtime and GitHub, and nothing else.
    let (first, second) = tokio::join!(story.run(&mut one), story.run(&mut two));
    let numbers: Vec<u64> = others.into_iter().chain([story.issue]).collect();
    for number in &numbers {
        let text = story.status_of(*number);
        assert!(story.labels_of(*number).contains(&"done".to_owned()), "#{number}: {text}");
        assert_eq!(story.github.issue(crate::stories::stage::REPO, *number).unwrap().comments.len(), 1);
        assert_eq!(story.record_of(*number).attempts, 0, "neither took the other's work for a failure");
    }
    assert_eq!(story.starts(), 4 * numbers.len());
    let pulls = story.pulls();
    assert_eq!(pulls.len(), numbers.len(), "{pulls:#?}");
    for pull in pulls {
        let pull = pull.pull.unwrap();
        let by: BTreeSet<_> = pull.reviews.iter().map(|review| review.author.as_str()).collect();
        assert_eq!((pull.reviews.len(), by.len(), pull.draft), (2, 2, false), "{:#?}", pull.reviews);
    }
    let counts = story.write_counts();
    let made = |what: &str| counts.get(what).copied().unwrap_or_default();
    assert_eq!(made(&format!("{} POST /pulls", login(TokenRole::Builder))), numbers.len(), "{counts:#?}");
    assert_eq!(made(&format!("{} POST /issues/N/comments", hydra())), numbers.len());
    assert_eq!(made(&format!("{} POST /pulls/N/reviews", login(TokenRole::Reviewer))), numbers.len());
    assert_eq!(story.leases(), [""; 0]);
    let (first, second) = (first.writes, second.writes);
    assert!(first + second > 0, "{first} {second}");
    story.nothing_more_is_written(&mut one).await;
}

#[tokio::test]
async fn a_poll_that_overlaps_another_leaves_alone_what_that_one_holds_and_says_who() {
    let story = played(|spec| if spec.key.issue.number.0 == 1 { runs_on(vec![turn(1, 900, 90)]) } else { well(spec) })
        .change("change-2")
        .begin()
        .await;
    let mut one = story.engine("one");
    story.until(&mut one, "the build", |s| s.has("build:running")).await;
    let second = story.another_issue("Change: change-2\n");
    let mut two = story.engine("two");
    let ended = story.run(&mut two).await;
    holds(&reasons_of(&ended, story.issue), &["another orchestrator (story/here/one) holds the lease until"]);
    assert!(story.labels_of(second).contains(&"done".to_owned()), "it takes what nobody holds");
    assert_eq!(story.stages(), ["build/0: running"], "the other's is as it was");
}

/// A build that takes a while, and then does its work.
fn takes_a_while(spec: &JobSpec) -> hydra_core::contract::fake::Play {
    let mut play = well(spec);
    if spec.key.stage == Stage::Build {
        play.after = Duration::from_millis(600);
    }
    play
}

#[tokio::test]
async fn the_next_process_of_the_machine_goes_on_at_once_with_the_job_that_runs() {
    let story = played(takes_a_while).begin().await;
    let mut dead = story.engine("gone");
    story.until(&mut dead, "the build", |s| s.has("build:running")).await;
    drop(dead);
    let ended = story.run(&mut story.engine("next")).await;
    assert!(story.has("done"), "{}\n{:#?}", story.headline(), ended.last);
    assert_eq!((story.starts(), story.count(Stage::Build, StageResult::Pass)), (4, 1), "{:?}", story.stages());
}

#[tokio::test]
async fn another_machine_waits_until_the_dead_ones_lease_lapses_and_takes_over_without_its_disk() {
    let story = played(takes_a_while).begin().await;
    let mut dead = story.engine("one");
    story.until(&mut dead, "the build", |s| s.has("build:running")).await;
    drop(dead);
    let elsewhere = tempfile::tempdir().unwrap();
    let mut heir = story.engine_in("two", elsewhere.path());
    let ended = story.run(&mut heir).await;
    holds(&story.reasons(&ended), &["another orchestrator (story/here/one) holds the lease until"]);
    assert_eq!(ended.writes, 0);
    assert_eq!(story.pulls().len(), 0);
    tokio::time::sleep(Duration::from_millis(600)).await;
    story.skip(Duration::from_secs(601));
    story.run(&mut heir).await;
    assert!(story.has("done"), "{}", story.headline());
    assert_eq!(
        (story.starts(), story.count(Stage::Build, StageResult::Pass)),
        (4, 1),
        "what was built is not built anew"
    );
    story.nothing_more_is_written(&mut heir).await;
}

#[tokio::test]
async fn who_comes_back_after_its_lease_was_taken_over_changes_nothing_any_more() {
    let story = played(takes_a_while).begin().await;
    let mut slow = story.engine("one");
    story.until(&mut slow, "the build", |s| s.has("build:running")).await;
    // It sleeps for longer than its lease lasts; another takes over and finishes.
    story.skip(Duration::from_secs(601));
    let mut heir = story.engine("two");
    story.until(&mut heir, "the pull request", |s| s.has("quality:running") || s.has("quality:pass")).await;
    let pulls = story.pulls().len();
    for _ in 0..3 {
        slow.cycle().await;
    }
    assert_eq!((story.pulls().len(), pulls), (1, 1));
    story.run(&mut heir).await;
    assert!(story.has("done"), "{}", story.headline());
    assert_eq!(story.starts(), 4);
    story.nothing_more_is_written(&mut slow).await;
}

#[tokio::test]
async fn a_machine_that_lost_its_disk_at_rest_writes_nothing_when_it_comes_back() {
    let story = played(well).begin().await;
    story.run(&mut story.engine("one")).await;
    assert!(story.has("done"));
    let before = story.github.writes();
    let empty = tempfile::tempdir().unwrap();
    let ended = story.run(&mut story.engine_in("two", empty.path())).await;
    assert_eq!((ended.writes, story.github.writes()), (0, before));
    assert_eq!(story.starts(), 4);
}
