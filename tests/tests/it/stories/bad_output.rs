//! What a job leaves that cannot be used: each has a reason that a person can read on the issue, and nothing of it is published.

use crate::stories::{
    hands::{envelope, holds},
    plays::{Bench, delivers, first, judges, speaks, well},
    script::passes,
    stage::{Story, played, token},
};
use hydra_core::{
    Stage, TokenRole, contract::fake::Play, delivery::RESULT_REF, job::JobSpec, ports::LogLine, record::StageResult,
    verdict::Outcome,
};
use serde_json::{Value, json};
use std::os::unix::fs::symlink;

/// The first build delivers this: it is refused for this reason, a person is asked, and GitHub has nothing of it.
async fn refused(work: fn(&Bench), reason: &str) {
    let story = played(first(Stage::Build, move |spec| delivers(spec, work))).begin().await;
    let mut engine = story.engine("1");
    let ended = story.run(&mut engine).await;
    for text in [story.headline(), story.reasons(&ended)] {
        holds(&text, &[reason]);
    }
    assert_eq!(story.stages(), ["build/0: fail"]);
    assert!(story.has("needs-input") && story.has("build:fail"), "{:?}", story.labels());
    assert_eq!((story.branch(), story.pulls().len()), (None, 0), "{reason}");
    story.nothing_more_is_written(&mut engine).await;
}

#[tokio::test]
async fn a_bundle_that_rewrites_history_is_refused() {
    let rewrites = |bench: &Bench| {
        bench.git(&["checkout", "-q", "--orphan", "anew"]);
        bench.write("README.md", "Everything is new.\n");
        bench.commit();
        bench.git(&["update-ref", RESULT_REF, "HEAD"]);
        bench.git(&["bundle", "create", "-q", "changes.bundle", RESULT_REF]);
    };
    refused(rewrites, "does not descend from the commit that the job was given").await;
}

#[tokio::test]
async fn a_bundle_that_holds_another_branch_is_refused() {
    let two = |bench: &Bench| {
        bench.write("README.md", "# Words\n");
        bench.commit();
        bench.bundle(&[RESULT_REF, "refs/heads/main"]);
    };
    let more = "the bundle holds another ref than refs/heads/hydra-result: \"refs/heads/main\"";
    refused(two, more).await;
    let other = |bench: &Bench| {
        bench.write("README.md", "# Words\n");
        bench.commit();
        bench.bundle(&["refs/heads/main"]);
    };
    refused(other, "the bundle does not hold refs/heads/hydra-result").await;
}

#[tokio::test]
async fn a_link_out_of_the_tree_is_refused() {
    let links = |bench: &Bench| symlink("../../../etc/shadow", bench.path("notes")).unwrap();
    refused(links, "notes: it is a link to ../../../etc/shadow, outside the repository").await;
    let hooks = |bench: &Bench| symlink(".git/hooks", bench.path("hooks")).unwrap();
    refused(hooks, "hooks: it is a link to .git/hooks").await;
}

#[tokio::test]
async fn a_hook_of_git_in_the_tree_is_refused() {
    let hook = |bench: &Bench| {
        bench.write("post-checkout", "#!/bin/sh\nid\n");
        let blob = bench.git(&["hash-object", "-w", "post-checkout"]);
        std::fs::remove_file(bench.path("post-checkout")).unwrap();
        let tree = |name: &str, mode: &str, id: &str| {
            let mut raw = format!("{mode} {name}\0").into_bytes();
            raw.extend((0..20).map(|i| u8::from_str_radix(&id[i * 2..i * 2 + 2], 16).unwrap()));
            std::fs::write(bench.path(".git/raw"), raw).unwrap();
            bench.git(&["hash-object", "-t", "tree", "-w", "--literally", ".git/raw"])
        };
        let hooks = tree("post-checkout", "100755", &blob);
        let root = tree(".git", "40000", &tree("hooks", "40000", &hooks));
        let commit = bench.git(&["commit-tree", &root, "-p", bench.job.head.as_str(), "-m", "Work"]);
        bench.git(&["update-ref", "--no-deref", "HEAD", &commit]);
        bench.bundle(&[RESULT_REF]);
    };
    refused(hook, "not sound").await;
}

#[tokio::test]
async fn a_workflow_file_is_refused() {
    let workflow = |bench: &Bench| bench.write(".github/workflows/ci.yml", "on: push\n");
    refused(workflow, ".github/workflows/ci.yml: it is protected by `.github/workflows/`").await;
}

#[tokio::test]
async fn a_secret_in_a_delivery_is_refused_and_shown_nowhere() {
    let held = token(TokenRole::Orchestrator);
    let secret = |bench: &Bench| bench.write("lib/key.sh", &format!("KEY={}\n", token(TokenRole::Orchestrator)));
    let story = played(first(Stage::Build, move |spec| delivers(spec, secret))).begin().await;
    let ended = story.run(&mut story.engine("1")).await;
    holds(&story.headline(), &["lib/key.sh", "git:orchestrator"]);
    assert_eq!((story.branch(), story.pulls().len()), (None, 0));
    let said = [story.status(), story.reasons(&ended), story.other_comments().join("\n")];
    let audit = std::fs::read_to_string(story.dir.path().join("audit.jsonl")).unwrap();
    assert!(said.iter().chain([&audit]).all(|text| !text.contains(&held)), "{said:?}");
    refused(|bench| bench.write("id", "-----BEGIN OPENSSH PRIVATE KEY-----\nb3BlbnNzaC1rZXk\n"), "id: ").await;
}

/// Two commits: the first holds something that the second takes away again.
fn taken_back(bench: &Bench, path: &str, text: &str) {
    bench.write(path, text);
    bench.commit();
    std::fs::remove_file(bench.path(path)).unwrap();
    bench.write("README.md", "# Words\n");
    bench.commit();
}

#[tokio::test]
async fn what_a_later_commit_takes_back_is_refused_all_the_same() {
    let secret = |bench: &Bench| taken_back(bench, "key.txt", &token(TokenRole::Orchestrator));
    refused(secret, "key.txt: line 1 adds what looks like a secret (git:orchestrator) (in the commit").await;
    let workflow = |bench: &Bench| taken_back(bench, ".github/workflows/ci.yml", "on: push\n");
    refused(workflow, "it is protected by `.github/workflows/` and may not be changed by an agent (in the commit")
        .await;
}

#[tokio::test]
async fn a_commit_message_that_github_acts_on_is_refused() {
    let closes = |bench: &Bench| {
        bench.write("README.md", "# Words\n");
        bench.git(&["add", "-A"]);
        bench.git(&["commit", "-q", "-m", "Work\n\nFixes #7, thanks @ada [skip ci]"]);
    };
    refused(closes, "its message closes issues, calls people or skips checks").await;
}

#[tokio::test]
async fn what_lies_outside_the_scope_of_the_repository_is_refused() {
    let outside = |bench: &Bench| bench.write("bin/other", "true\n");
    let setup = played(first(Stage::Build, move |spec| delivers(spec, outside)));
    let story = setup.file(".hydra.toml", "scope = [\"lib/\"]\n").begin().await;
    story.run(&mut story.engine("1")).await;
    holds(&story.headline(), &["bin/other: it lies outside the scope (lib/)", "widen `scope` in .hydra.toml"]);
    assert_eq!((story.branch(), story.pulls().len()), (None, 0));
}

#[tokio::test]
async fn a_bundle_that_is_none_and_one_that_is_too_large_are_refused() {
    refused(|bench| std::fs::write(bench.path("changes.bundle"), "PK\u{3}\u{4}").unwrap(), "bundle").await;
    let large = |bench: &Bench| std::fs::write(bench.path("changes.bundle"), vec![b'x'; 9 << 20]).unwrap();
    refused(large, "changes.bundle has 9437184 bytes, 8388608 are allowed").await;
}

/// A code review that leaves this in place of its verdict.
fn leaves(spec: &JobSpec, verdict: Option<&[u8]>) -> Play {
    let mut play = judges(spec, &passes());
    match verdict {
        Some(bytes) => play.out.insert("verdict.json".into(), bytes.to_vec()),
        None => play.out.remove("verdict.json"),
    };
    play
}

/// Both code reviews leave this: each is void for this reason, and then a person is asked.
async fn void(verdict: Option<Vec<u8>>, reason: &str) {
    let story = played(move |spec| match spec.key.stage {
        Stage::CodeReview => leaves(spec, verdict.as_deref()),
        _ => well(spec),
    });
    let story = story.begin().await;
    let mut engine = story.engine("1");
    let ended = story.run(&mut engine).await;
    assert_eq!(story.count(Stage::CodeReview, StageResult::Void), 2, "{reason}: {:?}", story.stages());
    holds(&story.reasons(&ended), &["the code-review was void twice", reason]);
    for review in story.reviews_by(TokenRole::Reviewer) {
        holds(&review.body, &["code-review: void", reason]);
        assert_eq!((envelope(&review).outcome, envelope(&review).verdict), (Outcome::Void, None));
    }
    let (_, pull) = story.pull();
    assert!(pull.draft && story.has("needs-input") && !story.has("done"), "{:?}", story.labels());
    assert!(story.checks(&pull.head)["hydra/code-review"].starts_with("failure"));
    story.nothing_more_is_written(&mut engine).await;
}

fn bytes(value: &Value) -> Option<Vec<u8>> {
    Some(value.to_string().into_bytes())
}

#[tokio::test]
async fn a_verdict_that_is_not_there_not_json_or_not_text_is_void() {
    void(None, "the agent wrote no verdict.json").await;
    void(Some(b"I let it pass.".to_vec()), "verdict.json is not JSON").await;
    void(Some(b"{\"pass\": tr\xff\xfe".to_vec()), "verdict.json is not UTF-8").await;
}

#[tokio::test]
async fn a_verdict_of_another_shape_is_void_and_names_the_place() {
    void(bytes(&json!({ "approved": true })), "the key `approved` is unknown").await;
    void(bytes(&json!({ "pass": "yes", "blocking": [] })), "pass: it must be true or false").await;
}

#[tokio::test]
async fn a_verdict_of_10_mb_is_void() {
    let mut verdict = passes();
    verdict["summary"] = "x".repeat(10_000_000).into();
    void(bytes(&verdict), "at most 1048576 are read").await;
}

#[tokio::test]
async fn control_characters_in_a_verdict_reach_nobody() {
    // As they are they are no JSON; escaped they are taken out.
    void(Some(b"{\"pass\": true, \"blocking\": [], \"summary\": \"\x1b[2J\"}".to_vec()), "verdict.json is not JSON")
        .await;
    let story = played(|spec| match spec.key.stage {
        Stage::CodeReview => {
            let mut verdict = passes();
            verdict["summary"] = "\u{1b}]0;owned\u{7}All \u{202e}well\u{0}.".into();
            judges(spec, &verdict)
        }
        _ => well(spec),
    });
    let story = story.begin().await;
    story.run(&mut story.engine("1")).await;
    assert!(story.has("done"), "{}", story.headline());
    let [review] = story.reviews_by(TokenRole::Reviewer).try_into().unwrap();
    let odd = |c: char| (c.is_control() && c != '\n') || c == '\u{202e}';
    assert!(!review.body.contains(odd) && !story.status().contains(odd), "{:?}", review.body);
    holds(&review.body, &["owned"]);
}

#[tokio::test]
async fn a_finding_in_a_file_outside_the_diff_is_said_and_bound_to_no_line() {
    let story = played(|spec| match spec.key.stage {
        Stage::CodeReview => {
            let mut verdict = passes();
            let finding = json!({
                "severity": "WARNING", "file": "../../etc/passwd", "line": 7, "rule": "far", "message": "Look there.",
            });
            verdict["findings"] = json!([finding]);
            judges(spec, &verdict)
        }
        _ => well(spec),
    });
    let story = story.begin().await;
    story.run(&mut story.engine("1")).await;
    let [review] = story.reviews_by(TokenRole::Reviewer).try_into().unwrap();
    holds(&review.body, &["Look there.", "../../etc/passwd"]);
    let (_, pull) = story.pull();
    assert!(pull.threads.is_empty(), "GitHub refuses a comment outside the diff, so none is made: {:#?}", pull.threads);
    assert!(story.has("done"), "{}", story.headline());
}

/// The build's events are these; the rest of it is as it should be.
async fn says(change: impl Fn(&mut Vec<String>) + Send + Sync + 'static) -> Story {
    let story = played(first(Stage::Build, move |spec| {
        let well = well(spec);
        let mut lines: Vec<String> = well.lines.into_iter().map(|line: LogLine| line.text).collect();
        change(&mut lines);
        let mut play = speaks(lines, 0);
        play.out = well.out.into_iter().chain(play.out).collect();
        play
    }));
    let story = story.begin().await;
    story.run(&mut story.engine("1")).await;
    story
}

#[tokio::test]
async fn evidence_that_was_written_into_the_file_and_never_said_does_not_count() {
    let story = played(|spec| match spec.key.stage {
        Stage::CodeReview => {
            // It has read nothing, and leaves a file that says otherwise.
            let honest = judges(spec, &passes());
            let is_read = |line: &LogLine| line.text.contains("\"Read\"") || line.text.contains("tool_result");
            let mut lines = honest.lines.clone();
            lines.retain(|line| !is_read(line));
            assert!(lines.len() < honest.lines.len());
            Play { lines, ..honest }
        }
        _ => well(spec),
    });
    let story = story.begin().await;
    let ended = story.run(&mut story.engine("1")).await;
    holds(&story.reasons(&ended), &["the code-review was void twice", "no evidence of work"]);
}

#[tokio::test]
async fn an_event_stream_that_is_cut_in_mid_line_loses_that_line_alone() {
    let whole = says(|_| {}).await.record().stages[0].clone();
    let story = says(|lines| {
        let last = lines.last_mut().unwrap();
        last.truncate(last.len() / 2);
    })
    .await;
    let cut = story.record().stages[0].clone();
    assert_eq!((cut.result, cut.spend), (StageResult::Pass, whole.spend), "what was spent is counted");
    assert!(story.has("done"), "{}", story.headline());
}

#[tokio::test]
async fn lines_of_100_mb_in_an_event_stream_cost_neither_the_spend_nor_the_work() {
    let whole = says(|_| {}).await.record().stages[0].clone();
    let story = says(|lines| lines.insert(1, format!("{{\"v\":1,\"text\":\"{}", "x".repeat(100_000_000)))).await;
    let long = story.record().stages[0].clone();
    assert_eq!((long.result, long.spend), (StageResult::Pass, whole.spend));
    assert!(story.has("done"), "{}", story.headline());
}
