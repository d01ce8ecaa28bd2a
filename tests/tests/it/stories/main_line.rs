//! The pipeline as it should go: built, checked, reviewed, mended, ready; asked and answered; retried and rebuilt.

use crate::stories::{
    hands::{envelope, holds, hydra},
    script::{always, bash, blocks, but, demo, happy_but, judges, nth, out, passes, say, write, writes},
    stage::{ADA, BRANCH, REPO, Story, TRIGGER, login, told},
};
use hydra_core::{Stage, TokenRole, Usd, prices::PriceTable, record::StageResult, verdict::Outcome};
use serde_json::json;

/// What Hydra says it spent is what the model itself counted: by job, in all, and in money.
fn the_bill_is_right(story: &Story) {
    let (usage, record) = (story.model.usage(), story.record());
    for entry in record.stages.iter().filter(|entry| entry.stage.has_agent()) {
        let counted = &usage.sessions[entry.job.as_str()];
        assert_eq!(entry.spend.tokens, counted.tokens, "{}", entry.job);
        assert_eq!(u64::from(entry.spend.turns), counted.answers, "{}", entry.job);
    }
    let (spend, prices) = (record.spend(), PriceTable::default());
    let cost: Usd = usage.models.iter().map(|(model, counted)| prices.cost(model, counted.tokens).unwrap()).sum();
    assert_eq!((spend.tokens, spend.cost), (usage.all.tokens, cost));
    assert!(spend.cost > Usd(0));
    let bill = format!("In all: {cost}, {} tokens, {} turns.", usage.all.tokens.total(), usage.all.answers);
    holds(&story.status(), &[&bill]);
}

#[tokio::test]
async fn a_labelled_issue_becomes_a_reviewed_pull_request_that_waits_for_a_person() {
    let story = told(demo("happy")).begin().await;
    let base = story.github.branch(REPO, "main").unwrap();
    let mut engine = story.engine("1");
    let ended = story.run(&mut engine).await;
    assert_eq!(ended.last.failures, []);

    let (issue, pull) = story.pull();
    assert_eq!((issue.author.as_str(), issue.open, pull.draft), (login(TokenRole::Builder), true, false));
    assert_eq!((pull.head_ref.as_str(), pull.base_ref.as_str()), (BRANCH, "main"));
    assert_eq!(issue.title, "Limit a slug to a number of words", "the change's own title");
    holds(issue.body.as_deref().unwrap(), &["openspec/changes/add-word-limit", "Closes #1\n", "| build | 0 | pass"]);
    assert_eq!(story.reasons(&ended), format!("pull request #{} is ready and waits for a person", issue.number));
    holds(&story.headline(), &["generation 1: **ready**", &format!("pull request #{} is ready", issue.number)]);
    assert_eq!(
        story.labels(),
        ["build:pass", "code-review:pass", "done", "quality:pass", TRIGGER, "security-review:pass"]
    );
    assert_eq!(story.column().as_deref(), Some("Review"));

    // Two people who are not the builder have looked at this very head, and nobody has approved anything.
    for (role, stage) in [(TokenRole::Reviewer, Stage::CodeReview), (TokenRole::Security, Stage::SecurityReview)] {
        let [review] = story.reviews_by(role).try_into().unwrap();
        assert_eq!((review.state.as_str(), &review.commit), ("COMMENTED", &pull.head));
        let envelope = envelope(&review);
        assert_eq!((envelope.stage, envelope.outcome, envelope.head.as_str()), (stage, Outcome::Pass, &*pull.head));
        assert_eq!(envelope.evidence.files_unread, [""; 0], "every file of the diff was read");
    }
    assert_eq!(pull.reviews.len(), 2);
    let green = |context: &str| (context.to_owned(), "success".to_owned());
    let contexts = ["hydra/code-review", "hydra/quality", "hydra/security-review"];
    assert_eq!(story.states(&pull.head), contexts.map(green));

    // One commit by the builder on the pinned base; main stands where it stood.
    let log = story.github.git(REPO, &["log", "--format=%an <%ae>", &format!("main..{BRANCH}")]).unwrap();
    assert_eq!(log.trim(), "Al Gorithm <al-gorithm@hydra.invalid>");
    assert_eq!(story.github.branch(REPO, "main"), Some(base));
    let test = story.github.file(REPO, BRANCH, "tests/test_words.sh").unwrap();
    assert!(String::from_utf8(test).unwrap().contains("a longer title is cut"));
    the_bill_is_right(&story);

    // Everything that was written, and nothing else. How often display is edited hangs on which review ends first.
    let counts = story.write_counts();
    let displays = |write: &str| write.contains("labels") || write.contains("PATCH") || write.contains("statuses");
    let made: Vec<String> =
        counts.iter().filter(|(write, _)| !displays(write)).map(|(write, n)| format!("{n} {write}")).collect();
    assert_eq!(
        made,
        [
            "1 al-gorithm-bot POST /acme/words.git/git-receive-pack",
            "1 al-gorithm-bot POST /pulls",
            "1 clyde-barcode-bot POST /pulls/N/reviews",
            "1 hydra-bot POST /issues/N/comments",
            "1 hydra-bot POST MarkReady",
            "2 hydra-bot POST MoveCard",
            "1 hydra-bot POST ResolveThread",
            "1 juan-claude-bot POST /pulls/N/reviews",
        ]
    );
    for (write, _) in counts.iter().filter(|(write, _)| displays(write)) {
        let by = if write.contains("PATCH /pulls") { login(TokenRole::Builder) } else { hydra() };
        assert!(write.starts_with(by), "{write}");
    }
    assert_eq!(story.leases(), [""; 0]);
    story.nothing_more_is_written(&mut engine).await;
}

#[tokio::test]
async fn a_blocking_finding_is_mended_in_a_fix_round_and_the_applier_has_the_last_word() {
    let story = told(demo("fix-round")).begin().await;
    let mut engine = story.engine("1");
    let ended = story.run(&mut engine).await;
    assert_eq!(ended.last.failures, []);
    let stages = story.stages();
    let expected = [
        "build/0: pass",
        "quality/0: pass",
        "code-review/0: fail",
        "security-review/0: pass",
        "fix/0: pass",
        "quality/1: pass",
        "code-review/1: pass",
        "security-review/1: pass",
        "apply/1: pass",
    ];
    assert_eq!(stages, expected);
    let (_, pull) = story.pull();
    assert!(!pull.draft);
    let reviews = story.reviews_by(TokenRole::Reviewer);
    let outcomes: Vec<Outcome> = reviews.iter().map(|review| envelope(review).outcome).collect();
    assert_eq!(outcomes, [Outcome::Fail, Outcome::Pass]);
    assert_ne!(reviews[0].commit, pull.head, "the first judged the head before the fix");
    assert_eq!(reviews[1].commit, pull.head);
    assert_eq!(story.reviews_by(TokenRole::Applier).len(), 1);

    // The finding stands on its line, and its thread is resolved now that it is mended.
    let finding = pull.threads.iter().find(|thread| thread.path == "lib/slug.sh").unwrap();
    holds(&finding.comments[0].body, &["CRITICAL", "unquoted-expansion"]);
    assert!(pull.threads.iter().all(|thread| thread.resolved_by.as_deref() == Some(hydra())), "{:#?}", pull.threads);
    assert_eq!(
        story.labels(),
        [
            "applier:pass",
            "build:pass",
            "code-review:pass",
            "done",
            "fix:pass",
            "quality:pass",
            TRIGGER,
            "security-review:pass"
        ]
    );
    assert!(story.states(&pull.head).iter().all(|(_, state)| state == "success"), "{:?}", story.checks(&pull.head));
    assert_eq!(story.states(&pull.head).len(), 4, "the applier's status as well");
    the_bill_is_right(&story);
    story.nothing_more_is_written(&mut engine).await;
}

#[tokio::test]
async fn rounds_that_are_used_up_are_handed_over_with_every_open_finding() {
    let review = always(Stage::CodeReview, judges(&blocks("A title with a star is expanded.")));
    let security = always(Stage::SecurityReview, judges(&blocks("A count is not checked.")));
    let mend = |n| nth(n, Stage::Fix, writes(&format!("docs/{n}.md"), "I could not.\n"));
    let story = told(happy_but(vec![review, security, mend(1), mend(2)])).begin().await;
    let mut engine = story.engine("1");
    let ended = story.run(&mut engine).await;
    assert_eq!(story.count(Stage::Fix, StageResult::Pass), 2, "two rounds by default: {:?}", story.stages());
    assert_eq!(story.count(Stage::CodeReview, StageResult::Fail), 3);
    for text in [story.headline(), story.reasons(&ended)] {
        let open = ["2 fix rounds", "A title with a star is expanded.", "A count is not checked.", "retry:queued"];
        holds(&text, &open);
    }
    assert!(story.has("needs-input") && story.has("code-review:fail") && !story.has("done"), "{:?}", story.labels());
    let (_, pull) = story.pull();
    assert!(pull.draft, "nobody is asked to merge it");
    assert_eq!(story.checks(&pull.head)["hydra/code-review"], "failure: did not pass: 1 blocking");
    assert_eq!(story.column().as_deref(), Some("Needs Input"));
    story.nothing_more_is_written(&mut engine).await;
}

#[tokio::test]
async fn single_shot_means_no_fix_round_at_all() {
    let review = always(Stage::CodeReview, judges(&blocks("A title with a star is expanded.")));
    let setup = told(happy_but(vec![review])).with(|config| config.policy.max_fix_rounds = 0);
    let story = setup.begin().await;
    let mut engine = story.engine("1");
    story.run(&mut engine).await;
    assert_eq!(story.count(Stage::Fix, StageResult::Pass), 0);
    holds(&story.headline(), &["needs-input", "A title with a star is expanded."]);
}

#[tokio::test]
async fn a_builder_that_lacks_an_answer_asks_on_the_issue_and_goes_on_when_it_is_answered() {
    let script = but("needs-input", vec![]);
    let asks = script.sessions.iter().find(|s| s.stage == Stage::Build).unwrap().clone();
    let builds = demo("happy").sessions.into_iter().find(|s| s.stage == Stage::Build).unwrap();
    let asks = hydra_sim::model::Session { nth: Some(1), ..asks };
    let builds = hydra_sim::model::Session { when: Some("one word of the limit".to_owned()), ..builds };
    // The second session of the build is the one whose prompt holds the answer.
    let story =
        told(happy_but(vec![asks, hydra_sim::model::Session { when: None, nth: Some(2), ..builds }])).begin().await;
    let mut engine = story.engine("1");
    let ended = story.run(&mut engine).await;
    assert_eq!(story.pulls().len(), 0);
    assert_eq!(story.branch(), None, "nothing was pushed");
    let [asked] = story.other_comments().try_into().unwrap();
    holds(&asked, &["**Al Gorithm needs to know:**", "Is `state-of-the-art` one word of the limit or four?", TRIGGER]);
    assert_eq!(story.labels(), ["needs-input", TRIGGER]);
    holds(&story.reasons(&ended), &["needs input: Al Gorithm asks:", "state-of-the-art"]);
    story.nothing_more_is_written(&mut engine).await;

    story.github.comment(REPO, story.issue, ADA, "It is one word of the limit.").unwrap();
    let quiet = story.run(&mut engine).await;
    assert_eq!(quiet.writes, 0, "a comment alone starts nothing");
    story.ask_again();
    story.run(&mut engine).await;
    assert!(story.has("done"), "{}", story.headline());
    assert_eq!(story.stages()[..2], ["build/0: rfi", "build/0: pass"]);
    assert_eq!(story.other_comments().len(), 2, "the question and Ada's answer");
    let prompts = story.model.requests();
    assert!(prompts.iter().any(|request| request.job.as_deref().is_some_and(|job| job.contains("build-r0-a1"))));
}

#[tokio::test]
async fn a_builder_that_lacks_an_answer_in_a_fix_round_asks_on_the_pull_request() {
    let rfi = json!({ "questions": ["May @acme/owners be asked? It closes #1, and https://evil.example knows."] });
    let asks = always(Stage::Fix, vec![out("rfi.json", &rfi), say("I have a question.")]);
    let first = nth(1, Stage::CodeReview, judges(&blocks("The limit is off by one.")));
    let story = told(happy_but(vec![first, asks])).begin().await;
    let mut engine = story.engine("1");
    story.run(&mut engine).await;
    let (issue, pull) = story.pull();
    let asked: Vec<_> = issue.comments.iter().map(|c| (c.author.as_str(), c.body.as_str())).collect();
    assert_eq!(asked.len(), 1, "{asked:#?}");
    assert_eq!(asked[0].0, login(TokenRole::Builder), "the builder's own token may comment there");
    holds(asked[0].1, &["**Al Gorithm needs to know:**", "May @ acme/owners be asked?"]);
    assert!(pull.draft && story.has("needs-input"));
    assert_eq!(story.other_comments(), [""; 0], "nothing on the issue but the status");
    // Nobody is called, nothing is closed and no stranger is linked to, wherever the question is repeated.
    for text in
        [asked[0].1.to_owned(), story.status().split("<details>").next().unwrap().to_owned(), issue.body.unwrap()]
    {
        let text = text.replace("Closes #1\n", "");
        assert!(!text.contains("@acme") && !text.contains("closes #1") && !text.contains("https://evil"), "{text}");
    }
}

#[tokio::test]
async fn red_quality_is_mended_by_one_bounded_run_that_sees_what_was_red() {
    let breaks = always(
        Stage::Build,
        vec![write("tests/test_words.sh", ". tests/check.sh\ncheck 'two words' two one\nfinish\n"), say("Done.")],
    );
    let mends = always(
        Stage::FixQuality,
        vec![write("tests/test_words.sh", ". tests/check.sh\ncheck 'two words' two two\nfinish\n"), say("Mended.")],
    );
    let story = told(happy_but(vec![
        breaks,
        mends,
        always(Stage::CodeReview, reviews()),
        always(Stage::SecurityReview, reviews()),
    ]))
    .begin()
    .await;
    let mut engine = story.engine("1");
    story.run(&mut engine).await;
    assert_eq!(
        story.stages()[..4],
        ["build/0: pass", "quality/0: fail", "fix-quality/0: pass", "quality/0: pass"],
        "{}",
        story.headline()
    );
    assert!(story.has("done") && story.has("quality:pass"), "{:?}", story.labels());
    let red = story.record().stages[1].note.clone();
    holds(&red, &["quality is red: test (`sh tests/run.sh`) exited with 1"]);
    let (_, pull) = story.pull();
    let log = story.github.git(REPO, &["rev-list", "--count", &format!("main..{BRANCH}")]).unwrap();
    assert_eq!(log.trim(), "2", "the fix is a commit of its own");
    assert_eq!(story.reviews_by(TokenRole::Reviewer)[0].commit, pull.head, "only what is green is reviewed");
}

/// A review of the one file that the short builders write.
fn reviews() -> Vec<hydra_sim::model::Step> {
    vec![bash("cat tests/test_words.sh"), out("verdict.json", &passes()), say("I have judged.")]
}

#[tokio::test]
async fn red_quality_that_stays_red_is_handed_over_with_the_end_of_its_output() {
    let breaks =
        always(Stage::Build, writes("tests/test_words.sh", ". tests/check.sh\ncheck 'two words' two one\nfinish\n"));
    let tries = |n| nth(n, Stage::FixQuality, writes(&format!("docs/{n}.md"), "I tried.\n"));
    let story = told(happy_but(vec![breaks, tries(1), tries(2)])).begin().await;
    let mut engine = story.engine("1");
    let ended = story.run(&mut engine).await;
    assert_eq!(story.count(Stage::FixQuality, StageResult::Pass), 2, "{:?}", story.stages());
    assert_eq!(story.count(Stage::Quality, StageResult::Fail), 3);
    for text in [story.headline(), story.reasons(&ended)] {
        holds(&text, &["quality is red", "after 2 attempts to mend it", "two words: expected 'two', got 'one'"]);
    }
    let (_, pull) = story.pull();
    assert_eq!(pull.reviews.len(), 0, "what is red is not reviewed");
    assert!(pull.draft);
    assert!(story.checks(&pull.head)["hydra/quality"].starts_with("failure: did not pass: quality is red"));
    assert!(story.checks(&pull.head)["hydra/code-review"].starts_with("failure: not judged: "), "never left pending");
    story.nothing_more_is_written(&mut engine).await;
}

#[tokio::test]
async fn retry_runs_the_fixer_once_more_on_the_open_findings() {
    let first = nth(1, Stage::CodeReview, judges(&blocks("The limit is off by one.")));
    let then = nth(2, Stage::CodeReview, judges(&passes()));
    let mend = always(Stage::Fix, writes("docs/limit.md", "Counts from one.\n"));
    let setup = told(happy_but(vec![first, then, mend])).with(|config| config.policy.max_fix_rounds = 0);
    let story = setup.begin().await;
    let mut engine = story.engine("1");
    story.run(&mut engine).await;
    assert!(story.has("needs-input"), "{:?}", story.labels());
    story.label("retry:queued");
    story.run(&mut engine).await;
    assert!(story.has("done") && !story.has("retry:queued"), "{:?}\n{}", story.labels(), story.headline());
    assert_eq!(story.count(Stage::Fix, StageResult::Pass), 1);
    assert_eq!(story.count(Stage::Build, StageResult::Pass), 1, "it is not built anew");
    assert_eq!(story.record().generation.0, 1);
    story.nothing_more_is_written(&mut engine).await;
}

#[tokio::test]
async fn rebuild_closes_the_pull_request_resets_the_branch_and_starts_over_with_the_next_generation() {
    let story = told(demo("happy")).begin().await;
    let mut engine = story.engine("1");
    story.run(&mut engine).await;
    let (first, head) = story.pull();
    let spent = story.record().spend();
    story.label("rebuild:queued");
    story.run(&mut engine).await;
    assert!(story.has("done") && !story.has("rebuild:queued"), "{:?}\n{}", story.labels(), story.headline());
    let pulls = story.pulls();
    assert_eq!(pulls.len(), 2);
    let old = pulls.iter().find(|pull| pull.number == first.number).unwrap();
    assert_eq!((old.open, old.closed_by.as_deref()), (false, Some(hydra())));
    let new = pulls.iter().find(|pull| pull.number != first.number).unwrap();
    assert!(new.open && new.body.as_deref().unwrap().contains("<!-- hydra:pull g2 -->"));
    let record = story.record();
    assert_eq!((record.generation.0, record.pull.map(|p| p.0)), (2, Some(new.number)));
    assert_eq!(record.spend_before, spent, "what the first generation cost is not forgotten");
    assert_eq!(new.pull.as_ref().unwrap().reviews.len(), 2, "nothing of the first generation counts for the second");
    assert_ne!(story.branch().unwrap(), head.head);
    story.nothing_more_is_written(&mut engine).await;
}
