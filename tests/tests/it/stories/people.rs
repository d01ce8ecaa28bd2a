//! What people do to Hydra's work while it is under way: close it, merge it, push to it, let it merge itself, stop it.

use crate::stories::{
    hands::holds,
    plays::{first, runs_on, turn, well},
    stage::{ADA, BRANCH, REPO, Story, played},
};
use hydra_core::{Stage, TokenRole, record::StageResult};

impl Story {
    /// The labels that only a person or a merge takes away stay: nothing is written on what is over.
    async fn is_over(&self, engine: &mut hydra_engine::Engine, why: &str) {
        let ended = self.run(engine).await;
        holds(&self.reasons(&ended), &[why]);
        assert_eq!(self.leases(), [""; 0]);
        self.nothing_more_is_written(engine).await;
    }
}

#[tokio::test]
async fn a_branch_of_that_name_that_is_not_hydras_is_never_touched() {
    let story = played(well).begin().await;
    let tip = story.github.push(REPO, BRANCH, ADA, "Mine", &[("mine.txt", Some("mine\n"))]).unwrap();
    let mut engine = story.engine("1");
    let ended = story.run(&mut engine).await;
    for text in [story.reasons(&ended), story.headline()] {
        holds(&text, &["the branch hydra/add-word-limit exists already", &tip, "delete or rename it"]);
    }
    assert!(story.has("needs-input"), "{:?}", story.labels());
    assert_eq!((story.branch(), story.pulls().len()), (Some(tip), 0));
    story.nothing_more_is_written(&mut engine).await;

    story.github.set_ref(REPO, &format!("refs/heads/{BRANCH}"), None, ADA).unwrap();
    story.ask_again();
    story.run(&mut engine).await;
    assert!(story.has("done"), "{}", story.headline());
}

#[tokio::test]
async fn a_pull_request_that_a_person_closed_stays_closed() {
    let slow = first(Stage::CodeReview, |_| runs_on(vec![turn(1, 900, 90)]));
    let story = played(slow).begin().await;
    let mut engine = story.engine("1");
    story.until(&mut engine, "the review", |s| s.has("code-review:running")).await;
    let (pull, _) = story.pull();
    story.github.close(REPO, pull.number, ADA).unwrap();
    let why = format!("finished: pull request #{} was closed by ada; `rebuild:queued` starts over", pull.number);
    story.is_over(&mut engine, &why).await;
    assert_eq!(engine.running_jobs().await.unwrap(), []);
    assert_eq!(story.count(Stage::CodeReview, StageResult::Stopped), 1, "{:?}", story.stages());
    let (pull, _) = story.pull();
    assert!(!pull.open, "it is not opened again, and no other one is");
    assert!(!story.labels().iter().any(|label| label.ends_with(":running") || label == "done"), "{:?}", story.labels());
}

#[tokio::test]
async fn a_merge_by_a_person_ends_the_run_and_moves_the_card() {
    let story = played(well).begin().await;
    let mut engine = story.engine("1");
    story.run(&mut engine).await;
    let (pull, _) = story.pull();
    story.github.merge(REPO, pull.number, ADA).unwrap();
    story.is_over(&mut engine, &format!("finished: pull request #{} was merged", pull.number)).await;
    assert_eq!(story.column().as_deref(), Some("Done"));
}

#[tokio::test]
async fn work_that_conflicts_with_its_base_is_handed_over_before_it_is_judged_further() {
    let slow = first(Stage::CodeReview, |_| runs_on(vec![turn(1, 900, 90)]));
    let story = played(slow).begin().await;
    let mut engine = story.engine("1");
    story.until(&mut engine, "the review", |s| s.has("code-review:running")).await;
    let tip = story.branch();
    story.github.push(REPO, "main", ADA, "Meanwhile", &[("README.md", Some("# Otherwise\n"))]).unwrap();
    let ended = story.run(&mut engine).await;
    for text in [story.reasons(&ended), story.headline()] {
        holds(&text, &["conflicts with main", "Merge main into the branch", "rebuild:queued"]);
    }
    let (_, pull) = story.pull();
    assert!(pull.draft && story.has("needs-input"), "{:?}", story.labels());
    assert_eq!(engine.running_jobs().await.unwrap(), []);
    assert_eq!(story.branch(), tip, "nobody rebases a person's view of it");
    assert!(!story.states(&pull.head).iter().any(|(_, state)| state == "pending"), "{:?}", story.checks(&pull.head));
    story.nothing_more_is_written(&mut engine).await;

    // Ada merges main into it by hand, and sets the label again.
    let files = story.github.file(REPO, "main", "README.md").unwrap();
    merge_main(&story, std::str::from_utf8(&files).unwrap());
    story.ask_again();
    story.run(&mut engine).await;
    assert!(story.has("done"), "{}", story.headline());
    assert_eq!(story.reviews_by(TokenRole::Security).last().unwrap().commit, story.branch().unwrap());
    assert_eq!(story.count(Stage::Build, StageResult::Pass), 1, "it was not built anew");
}

/// A merge of main into the work branch, with this README, made by a person on a machine of their own.
fn merge_main(story: &Story, readme: &str) {
    let dir = tempfile::tempdir().unwrap();
    let git = |args: &[&str]| {
        let mut command = std::process::Command::new("git");
        command.current_dir(dir.path()).args(["-c", "user.name=Ada", "-c", "user.email=ada@example.org"]).args(args);
        command.env("GIT_CONFIG_GLOBAL", "/dev/null").output().unwrap()
    };
    let bare = story.github.git_dir(REPO).unwrap();
    assert!(git(&["clone", "-q", "-b", BRANCH, bare.to_str().unwrap(), "."]).status.success());
    git(&["merge", "-q", "origin/main"]);
    std::fs::write(dir.path().join("README.md"), readme).unwrap();
    git(&["add", "-A"]);
    assert!(git(&["commit", "-q", "-m", "Merge main"]).status.success());
    let head = String::from_utf8(git(&["rev-parse", "HEAD"]).stdout).unwrap();
    assert!(git(&["push", "-q", "origin", "HEAD:refs/heads/ada"]).status.success());
    story.github.set_ref(REPO, &format!("refs/heads/{BRANCH}"), Some(head.trim()), ADA).unwrap();
}

#[tokio::test]
async fn a_person_pushes_while_the_fixer_works_and_nothing_of_theirs_is_overwritten() {
    let story = played(|spec| match spec.key.stage {
        Stage::CodeReview if spec.key.round == 0 => {
            crate::stories::plays::judges(spec, &crate::stories::script::blocks("The limit is off by one."))
        }
        Stage::Fix => {
            let mut play = well(spec);
            play.after = std::time::Duration::from_millis(1500);
            play
        }
        _ => well(spec),
    })
    .begin()
    .await;
    let mut engine = story.engine("1");
    story.until(&mut engine, "the fix", |s| s.has("fix:running")).await;
    let tip = story.github.push(REPO, BRANCH, ADA, "By hand", &[("by-hand.md", Some("Mine.\n"))]).unwrap();
    let ended = story.run(&mut engine).await;
    for text in [story.reasons(&ended), story.headline()] {
        holds(&text, &["a person's commits are never overwritten", &tip, "set the trigger label again"]);
    }
    assert_eq!(story.branch(), Some(tip));
    story.nothing_more_is_written(&mut engine).await;
    story.ask_again();
    story.run(&mut engine).await;
    assert!(story.has("done"), "it goes on from what is there: {}", story.headline());
    assert!(story.github.file(REPO, BRANCH, "by-hand.md").is_some());
}

mod yolo {
    use super::*;
    use crate::stories::stage::{MALLORY, Setup};
    use hydra_core::ports::ForgeWriter as _;
    use std::time::Duration;

    /// Ada may let Hydra merge.
    fn allowed() -> Setup {
        played(well).with(|config| config.policy.yolo_allowed = vec![ADA.parse().unwrap()])
    }

    #[tokio::test]
    async fn set_by_a_named_person_it_merges_the_very_head_that_was_judged() {
        let story = allowed().begin().await;
        story.label("yolo");
        let mut engine = story.engine("1");
        let ended = story.run(&mut engine).await;
        let (issue, pull) = story.pull();
        assert!(pull.merged_at.is_some() && !issue.open, "{}\n{}", story.reasons(&ended), story.headline());
        assert_eq!(pull.reviews.len(), 2);
        assert!(pull.reviews.iter().all(|review| review.commit == pull.head && review.state == "COMMENTED"));
        let parents = story.github.git(REPO, &["log", "-1", "--format=%P", "main"]).unwrap();
        assert!(parents.contains(&pull.head), "{parents}");
        let merge = story.github.log().into_iter().find(|entry| entry.path.ends_with("/merge")).unwrap();
        assert_eq!(merge.identity.as_deref(), Some(crate::stories::hands::hydra()));
        holds(&story.headline(), &["was merged"]);
        story.nothing_more_is_written(&mut engine).await;
    }

    #[tokio::test]
    async fn set_by_anyone_else_it_waits_for_a_person_and_says_why() {
        for who in [MALLORY, ADA] {
            let list = if who == ADA { "grace" } else { ADA };
            let setup = played(well).with(move |config| config.policy.yolo_allowed = vec![list.parse().unwrap()]);
            let story = setup.begin().await;
            story.github.add_label(REPO, story.issue, "yolo", who).unwrap();
            let mut engine = story.engine("1");
            let ended = story.run(&mut engine).await;
            let why = format!("`yolo` does not merge: {who} set it, who is not in pipeline.yolo_allowed");
            holds(&story.reasons(&ended), &[&why, "is ready and waits for a person"]);
            let (issue, pull) = story.pull();
            assert!(issue.open && pull.merged_at.is_none());
            story.nothing_more_is_written(&mut engine).await;
        }
    }

    #[tokio::test]
    async fn one_person_with_one_token_is_told_on_the_pull_request_and_yolo_stays_off() {
        let story = allowed().single_identity().begin().await;
        story.label("yolo");
        let mut engine = story.engine("1");
        let ended = story.run(&mut engine).await;
        let off = "`yolo` does not merge: it is off with `identities = \"single\"`";
        holds(&story.reasons(&ended), &[off, "is ready and waits for a person"]);
        let (issue, pull) = story.pull();
        assert!(issue.open && pull.merged_at.is_none() && !pull.draft);
        let body = issue.body.unwrap_or_default();
        holds(&body, &["One identity wrote, reviewed and opened this", "are not independent of each other"]);
        assert_eq!((issue.author.as_str(), story.reviews_by(TokenRole::Security).len()), (ADA, 2));
        assert!(pull.reviews.iter().all(|review| review.state == "COMMENTED"));
        story.nothing_more_is_written(&mut engine).await;
    }

    #[tokio::test]
    async fn a_head_that_moved_is_judged_anew_before_anything_is_merged() {
        let story = allowed().begin().await;
        let mut engine = story.engine("1");
        story.run(&mut engine).await;
        let judged = story.branch().unwrap();
        let moved = story.github.push(REPO, BRANCH, MALLORY, "Slip in", &[("slip.sh", Some("true\n"))]).unwrap();
        story.label("yolo");
        // At the first look the new head has no verdict: nothing is merged.
        engine.cycle().await;
        assert!(story.pull().1.merged_at.is_none());
        story.run(&mut engine).await;
        let (_, pull) = story.pull();
        assert!(pull.merged_at.is_some() && pull.head == moved, "{}", story.headline());
        for role in [TokenRole::Reviewer, TokenRole::Security] {
            let commits: Vec<_> = story.reviews_by(role).into_iter().map(|review| review.commit).collect();
            assert_eq!(commits, [judged.clone(), moved.clone()], "each judged what was merged");
        }
    }

    #[tokio::test]
    async fn a_head_that_moves_between_the_look_and_the_merge_is_not_merged() {
        let story = allowed().begin().await;
        let mut engine = story.engine("1");
        story.run(&mut engine).await;
        let (pull, old) = story.pull();
        story.github.push(REPO, BRANCH, ADA, "Late", &[("late.md", Some("Late.\n"))]).unwrap();
        // What Hydra would ask for is pinned to the head that was judged; GitHub refuses it.
        let github = hydra_github::GitHub::new(story.github_config()).unwrap();
        let write = hydra_core::ports::ForgeWrite::Merge {
            repo: REPO.parse().unwrap(),
            number: hydra_core::PullNumber(pull.number),
            head: old.head.parse().unwrap(),
        };
        let refused = github.apply(TokenRole::Orchestrator, &write).await.unwrap_err();
        assert_eq!(refused.kind, hydra_core::ports::ForgeErrorKind::Conflict, "{refused}");
        assert!(story.pull().1.merged_at.is_none());
    }

    #[tokio::test]
    async fn what_conflicts_with_its_base_is_not_merged() {
        let story = allowed().begin().await;
        let mut engine = story.engine("1");
        story.run(&mut engine).await;
        story.github.push(REPO, "main", ADA, "Meanwhile", &[("README.md", Some("# Otherwise\n"))]).unwrap();
        story.label("yolo");
        story.skip(Duration::from_secs(10));
        let ended = story.run(&mut engine).await;
        holds(&story.reasons(&ended), &["`yolo` does not merge: the pull request conflicts with its base"]);
        assert!(story.pull().1.merged_at.is_none());
    }

    #[tokio::test]
    async fn what_is_red_by_somebody_elses_check_is_not_merged_before_it_is_green() {
        use hydra_core::view::StatusState;
        let story = allowed().begin().await;
        let mut engine = story.engine("1");
        story.run(&mut engine).await;
        let github = hydra_github::GitHub::new(story.github_config()).unwrap();
        let head = story.branch().unwrap();
        let says = |state, description: &str| hydra_core::ports::ForgeWrite::Status {
            repo: REPO.parse().unwrap(),
            commit: head.parse().unwrap(),
            context: "ci/windows".into(),
            state,
            description: description.into(),
            url: None,
        };
        github.apply(TokenRole::Orchestrator, &says(StatusState::Failure, "3 failed")).await.unwrap();
        story.label("yolo");
        let ended = story.run(&mut engine).await;
        let why = "`yolo` does not merge: the check ci/windows on the head is not green: 3 failed";
        holds(&story.reasons(&ended), &[why]);
        assert!(story.pull().1.merged_at.is_none());
        github.apply(TokenRole::Orchestrator, &says(StatusState::Success, "all well")).await.unwrap();
        story.skip(Duration::from_secs(600));
        story.run(&mut engine).await;
        assert!(story.pull().1.merged_at.is_some(), "{}", story.headline());
    }

    /// A pull request that is ready but for somebody else's check, which is still under way; green ends the wait.
    async fn waits_for_a_check(story: &Story, engine: &mut hydra_engine::Engine) -> impl AsyncFn() + use<> {
        use hydra_core::view::StatusState;
        story.run(engine).await;
        let github = hydra_github::GitHub::new(story.github_config()).unwrap();
        let head: hydra_core::CommitSha = story.branch().unwrap().parse().unwrap();
        let says = move |state| hydra_core::ports::ForgeWrite::Status {
            repo: REPO.parse().unwrap(),
            commit: head.clone(),
            context: "ci/windows".into(),
            state,
            description: String::new(),
            url: None,
        };
        github.apply(TokenRole::Orchestrator, &says(StatusState::Pending)).await.unwrap();
        story.label("yolo");
        story.run_for_a_while(engine).await;
        assert!(story.pull().1.merged_at.is_none());
        async move || {
            github.apply(TokenRole::Orchestrator, &says(StatusState::Success)).await.unwrap();
        }
    }

    #[tokio::test]
    async fn cancelled_or_paused_or_without_the_label_it_is_not_merged_when_the_last_check_becomes_green() {
        use hydra_engine::holds::{HoldEntry, Scope};
        for stop in ["cancel", "pause", "label"] {
            let story = allowed().begin().await;
            let mut engine = story.engine("1");
            let green = waits_for_a_check(&story, &mut engine).await;
            story.skip(Duration::from_secs(2));
            let entry = |cancel| HoldEntry {
                reason: "not today".into(),
                until: None,
                set_at: hydra_core::ports::Clock::now(&*story.clock),
                cancel,
            };
            match stop {
                "cancel" => assert_eq!(story.operator().hold(&Scope::Issue(story.key()), entry(true)).unwrap(), None),
                "pause" => {
                    let held = story.operator().hold(&Scope::Repo(REPO.parse().unwrap()), entry(false)).unwrap();
                    assert_eq!(held, None);
                }
                _ => story.github.remove_label(REPO, story.issue, crate::stories::stage::TRIGGER, ADA).unwrap(),
            }
            green().await;
            story.skip(Duration::from_secs(600));
            let ended = story.run_for_a_while(&mut engine).await;
            assert!(story.pull().1.merged_at.is_none(), "{stop}: {}", story.reasons(&ended));
            story.skip(Duration::from_secs(600));
            story.run_for_a_while(&mut story.engine("2")).await;
            assert!(story.pull().1.merged_at.is_none(), "{stop}, after a restart");
            if stop != "label" {
                holds(&story.explain().await, &["`yolo` does not merge: it is on hold", "not today"]);
            }
        }
    }

    #[tokio::test]
    async fn a_pull_request_that_was_pointed_elsewhere_is_not_merged_there() {
        let story = allowed().begin().await;
        let mut engine = story.engine("1");
        story.run(&mut engine).await;
        story.github.push(REPO, "release", ADA, "A branch", &[("release.md", Some("1.0\n"))]).unwrap();
        let (issue, _) = story.pull();
        story.github.retarget(REPO, issue.number, "release").unwrap();
        story.label("yolo");
        let ended = story.run(&mut engine).await;
        assert!(story.pull().1.merged_at.is_none(), "{}", story.reasons(&ended));
        holds(&story.reasons(&ended), &["the pull request goes to release, and what was judged goes to main"]);
    }

    #[tokio::test]
    async fn without_an_audit_log_nothing_is_merged() {
        let story = allowed().begin().await;
        let mut engine = story.engine("1");
        let green = waits_for_a_check(&story, &mut engine).await;
        let log = story.dir.path().join("audit.jsonl");
        let kept = story.dir.path().join("audit.kept");
        std::fs::rename(&log, &kept).unwrap();
        std::os::unix::fs::symlink("/dev/full", &log).unwrap();
        green().await;
        story.skip(Duration::from_secs(600));
        let ended = story.run_for_a_while(&mut engine).await;
        assert!(story.pull().1.merged_at.is_none());
        assert!(ended.last.failures.iter().any(|failure| failure.what == "the audit log"), "{:#?}", ended.last);
        std::fs::rename(&kept, &log).unwrap();
        story.skip(Duration::from_secs(600));
        story.run(&mut engine).await;
        assert!(story.pull().1.merged_at.is_some(), "{}", story.headline());
    }
}
