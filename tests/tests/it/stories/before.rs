//! What went wrong in the system that came before, and must not here: one test for each line of its own audit, named after the line.

use crate::stories::{
    hands::{envelope, holds, hydra},
    plays::{event, first, gives_up, input, judges, runs_on, speaks, turn, well},
    script::{always, bash, blocks, demo, happy_but, out, passes, say, write},
    stage::{ADA, BRANCH, MALLORY, REPO, login, played, program, told},
};
use hydra_core::{
    Stage, TokenRole,
    agent_event::EventKind,
    contract_files::{FenceMode, exit},
    job::{ImageRef, InputFile, JobSpec, Network},
    plan::StopReason,
    record::StageResult,
    verdict::Outcome,
};
use hydra_engine::audit_log;
use hydra_sim::github::{Fault, FaultKind, When};
use serde_json::json;
use std::{
    collections::BTreeSet,
    os::unix::fs::PermissionsExt as _,
    path::Path,
    process::Command,
    sync::{Arc, Mutex},
    time::Duration,
};

/// Every file below a folder.
fn files(dir: &Path, all: &mut Vec<(String, Vec<u8>)>) {
    for entry in std::fs::read_dir(dir).unwrap().map(Result::unwrap) {
        if entry.file_type().unwrap().is_dir() {
            files(&entry.path(), all);
        } else if entry.file_type().unwrap().is_file() {
            all.push((entry.path().display().to_string(), std::fs::read(entry.path()).unwrap()));
        }
    }
}

fn contains(bytes: &[u8], what: &str) -> bool {
    bytes.windows(what.len()).any(|window| window == what.as_bytes())
}

#[tokio::test]
async fn tokens_in_logs() {
    // The agents say aloud what is in their environment, everywhere that they can.
    let key = "sk-ant-story-first-account";
    let mut builder = demo("happy").sessions.into_iter().find(|s| s.stage == Stage::Build).unwrap().steps;
    builder.insert(0, bash(&format!("test \"$ANTHROPIC_API_KEY\" = {key} && echo the key is {key} | tee /dev/stderr")));
    builder.pop();
    builder.push(say(&format!("I used {key}.")));
    let mut verdict = blocks(&format!("It works only with {key}."));
    verdict["summary"] = format!("My key is {key}.").into();
    verdict["findings"] = json!([{
        "severity": "WARNING", "file": "bin/slug", "line": 1, "rule": key, "message": key, "remediation": key,
    }]);
    let fix = vec![out("rfi.json", &json!({ "questions": [format!("Is {key} right?")] })), say(key)];
    let story = told(happy_but(vec![
        always(Stage::Build, builder),
        always(Stage::CodeReview, crate::stories::script::judges(&verdict)),
        always(Stage::Fix, fix),
    ]))
    .begin()
    .await;
    let mut engine = story.engine("1");
    let ended = story.run(&mut engine).await;
    assert_eq!(story.count(Stage::Fix, StageResult::Rfi), 1, "{:?}\n{}", story.stages(), story.headline());
    let mut secrets: Vec<String> = story.accounts.iter().map(|(_, value)| (*value).to_owned()).collect();
    secrets.extend(TokenRole::ALL.iter().map(|role| crate::stories::stage::token(*role)));

    let mut kept = Vec::new();
    files(story.dir.path(), &mut kept);
    assert!(
        kept.iter().any(|(path, _)| path.ends_with("audit.jsonl")),
        "{:?}",
        kept.iter().map(|k| &k.0).collect::<Vec<_>>()
    );
    assert!(kept.iter().any(|(path, _)| path.contains("/logs/")), "what jobs said is kept, redacted");
    let shown =
        format!("{:#?}{:#?}{:#?}", story.github.issues(REPO), story.pulls(), story.checks(&story.pull().1.head));
    let facts = story.engine("asks").explain(&story.key()).await.unwrap();
    kept.push(("GitHub".to_owned(), shown.clone().into_bytes()));
    kept.push(("explain".to_owned(), serde_json::to_vec(&facts).unwrap()));
    kept.push(("the report".to_owned(), format!("{ended:#?}").into_bytes()));
    for (place, bytes) in &kept {
        for secret in &secrets {
            assert!(!contains(bytes, secret), "{secret} stands in {place}");
        }
    }
    // It was said, and what was said around it can be read.
    holds(&shown, &["It works only with", "My key is"]);
}

#[test]
fn documented_env_never_read() {
    let dir = tempfile::tempdir().unwrap();
    let write = |name: &str, text: &str| {
        let path = dir.path().join(name);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(&path, text).unwrap();
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o600)).unwrap();
    };
    let shown = || {
        let mut command = Command::new(program());
        command.current_dir(dir.path()).env_clear().env("HOME", dir.path()).args(["config", "show"]);
        String::from_utf8(command.output().unwrap().stdout).unwrap()
    };
    let line = |text: &str, key: &str| text.lines().find(|line| line.starts_with(key)).unwrap_or(key).to_owned();
    write("hydra.toml", "[github]\nrepos = [\"acme/words\"]\n");
    write("secrets/.env", "GITHUB_ORG=acme\n");
    let before = shown();
    holds(&line(&before, "pipeline.trigger_label"), &["\"ready-to-build\"", "default"]);
    let documented = "GITHUB_ORG=acme\nHYDRA_TRIGGER_LABEL=please-build\nHYDRA_LABEL_PREFIX=h-\nHYDRA_MODEL=claude-haiku-4-5\n\
                      HYDRA_PROJECT_NUMBER=7\n";
    write("secrets/.env", documented);
    let after = shown();
    for (key, value, variable) in [
        ("pipeline.trigger_label", "\"please-build\"", "HYDRA_TRIGGER_LABEL"),
        ("pipeline.label_prefix", "\"h-\"", "HYDRA_LABEL_PREFIX"),
        ("models.all", "\"claude-haiku-4-5\"", "HYDRA_MODEL"),
        ("github.project", "7", "HYDRA_PROJECT_NUMBER"),
        ("github.org", "\"acme\"", "GITHUB_ORG"),
    ] {
        holds(&line(&after, key), &[value, &format!("secrets/.env ({variable})")]);
    }
}

#[tokio::test]
async fn read_only_and_the_egress_rules_silently_absent_in_one_of_three_modes() {
    let seen = Arc::new(Mutex::new(Vec::<(Stage, bool, FenceMode, String)>::new()));
    let noted = Arc::clone(&seen);
    let setup = played(move |spec| {
        let line = hydra_runtime::docker::command_line("story", spec, 4).unwrap().join(" ");
        noted.lock().unwrap().push((spec.key.stage, spec.net_admin, input(spec).fence, line));
        match (spec.key.stage, spec.key.round) {
            (Stage::CodeReview, 0) => judges(spec, &blocks("It is off by one.")),
            _ => well(spec),
        }
    });
    let in_container = |config: &mut hydra_engine::EngineConfig| {
        (config.fence, config.network) = (FenceMode::InContainer, Network::Named("hydra-net".into()));
    };
    let story = setup.with(in_container).begin().await;
    story.run(&mut story.engine("1")).await;
    assert!(story.has("done"), "{}", story.headline());
    let seen = seen.lock().unwrap().clone();
    let stages: BTreeSet<Stage> = seen.iter().map(|(stage, ..)| *stage).collect();
    assert_eq!(stages.len(), 6, "build, quality, both reviews, fix and apply: {stages:?}");
    for (stage, net_admin, fence, line) in seen {
        holds(&line, &["--read-only", "--cap-drop ALL", "no-new-privileges"]);
        let fenced = fence == FenceMode::InContainer && net_admin;
        assert_eq!(fenced, stage.has_agent(), "{stage}: every agent fences itself; quality has no network at all");
    }

    // And where the fence cannot be made, nothing goes on with a warning.
    let story =
        played(|_| gives_up("fence", "iptables: Permission denied", exit::FENCE)).with(in_container).begin().await;
    let mut engine = story.engine("1");
    let ended = story.run(&mut engine).await;
    for text in [story.reasons(&ended), story.headline()] {
        holds(&text, &["needs input", "the fence could not be made or proved: fence: iptables: Permission denied"]);
    }
    assert_eq!(story.stages(), ["build/0: broken"]);
    assert_eq!((story.branch(), story.pulls().len()), (None, 0));
}

#[tokio::test]
async fn a_comment_posted_every_40_seconds_on_an_issue_that_was_already_finished() {
    let story = played(well).begin().await;
    let mut engine = story.engine("1");
    story.run(&mut engine).await;
    story.github.merge(REPO, story.pull().0.number, ADA).unwrap();
    story.run(&mut engine).await;
    holds(&story.headline(), &["finished"]);
    let (writes, comments) = (story.github.writes(), story.github.issue(REPO, story.issue).unwrap().comments.len());
    for n in 0..134 {
        story.skip(Duration::from_secs(40));
        // A process that goes on, and now and then one that knows nothing.
        let report = if n % 20 == 0 { story.engine("new").cycle().await } else { engine.cycle().await };
        assert_eq!((report.actions, report.writes), (vec![], 0), "cycle {n}");
    }
    assert_eq!(story.github.writes(), writes);
    assert_eq!(story.github.issue(REPO, story.issue).unwrap().comments.len(), comments);
}

#[tokio::test]
async fn a_label_that_anyone_could_set_counted_as_a_passed_review() {
    let story = played(first(Stage::Build, |_| runs_on(vec![turn(1, 900, 90)]))).begin().await;
    let mut engine = story.engine("1");
    story.until(&mut engine, "the build", |s| s.has("build:running")).await;
    for who in [MALLORY, ADA] {
        for label in ["code-review:pass", "security-review:pass", "quality:pass", "done"] {
            if !story.has(label) {
                story.github.add_label(REPO, story.issue, label, who).unwrap();
            }
        }
        story.skip(Duration::from_secs(2));
        engine.cycle().await;
        engine.cycle().await;
        assert_eq!((story.pulls().len(), story.stages()), (0, vec!["build/0: running".to_owned()]));
    }
    let labels = story.labels();
    assert!(!labels.iter().any(|label| label.ends_with(":pass") || label == "done"), "taken off again: {labels:?}");
    // The same on a head that has one verdict and lacks the other.
    let story = played(|spec| match spec.key.stage {
        Stage::SecurityReview => runs_on(vec![turn(1, 900, 90)]),
        _ => well(spec),
    })
    .with(|config| config.policy.yolo_allowed = vec![ADA.parse().unwrap()])
    .begin()
    .await;
    story.label("yolo");
    let mut engine = story.engine("1");
    story.until(&mut engine, "one verdict", |s| s.has("code-review:pass")).await;
    story.github.add_label(REPO, story.issue, "security-review:pass", ADA).unwrap();
    for _ in 0..4 {
        story.skip(Duration::from_secs(2));
        engine.cycle().await;
    }
    let (_, pull) = story.pull();
    assert!(pull.draft && pull.merged_at.is_none() && !story.has("done"), "{:?}", story.labels());
    assert_ne!(story.checks(&pull.head).get("hydra/security-review").map(String::as_str), Some("success: passed"));
}

#[tokio::test]
async fn check_then_merge_races() {
    let story = played(well).with(|config| config.policy.yolo_allowed = vec![ADA.parse().unwrap()]).begin().await;
    story.label("yolo");
    // The call to merge is on its way for a while, and somebody pushes meanwhile.
    let slow = FaultKind::Slow(Duration::from_millis(400));
    story.github.add_fault(Fault::new("PUT", "*/merge", When::Nth(1), slow));
    let slip_in = async {
        while story.github.injected().is_empty() {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        story.github.push(REPO, BRANCH, MALLORY, "Slip in", &[("slip.sh", Some("true\n"))]).unwrap();
    };
    let mut engine = story.engine("1");
    tokio::join!(story.run(&mut engine), slip_in);
    let (_, pull) = story.pull();
    let merges: Vec<_> = story.github.log().into_iter().filter(|entry| entry.path.ends_with("/merge")).collect();
    assert_eq!(merges.iter().filter_map(|entry| entry.status).collect::<Vec<_>>(), [409, 200], "{merges:#?}");
    // What was merged in the end was judged as it is.
    assert!(pull.merged_at.is_some());
    let slipped = pull.head.clone();
    assert!(story.github.file(REPO, &slipped, "slip.sh").is_some());
    for role in [TokenRole::Reviewer, TokenRole::Security] {
        assert!(story.reviews_by(role).iter().any(|r| r.commit == slipped && envelope(r).outcome == Outcome::Pass));
    }
}

#[tokio::test]
async fn agents_that_built_an_empty_stub_to_satisfy_a_check_by_form() {
    // Tasks ticked off, a test that tests nothing, all commands green.
    let stub = vec![
        bash("sed -i 's/- \\[ \\]/- [x]/' openspec/changes/add-word-limit/tasks.md"),
        write("tests/test_words.sh", ". tests/check.sh\nfinish\n"),
        say("Everything is built."),
    ];
    let mut verdict = passes();
    verdict["requirements"] = json!([
        { "requirement": "Word limit", "state": "unmet" },
        { "requirement": "Refused counts", "state": "unmet" },
    ]);
    let look = |verdict: &serde_json::Value| {
        vec![
            bash("cat tests/test_words.sh openspec/changes/add-word-limit/tasks.md"),
            out("verdict.json", verdict),
            say("Fine."),
        ]
    };
    let setup = told(happy_but(vec![
        always(Stage::Build, stub),
        // It lets it pass, and says itself that nothing is met.
        always(Stage::CodeReview, look(&verdict)),
        always(Stage::SecurityReview, look(&passes())),
    ]));
    let story = setup.with(|config| config.policy.max_fix_rounds = 0).begin().await;
    let mut engine = story.engine("1");
    let ended = story.run(&mut engine).await;
    assert_eq!(story.count(Stage::Quality, StageResult::Pass), 1, "by form all is well: {:?}", story.stages());
    assert!(!story.has("done") && story.has("code-review:fail") && story.pull().1.draft, "{:?}", story.labels());
    for text in [story.reasons(&ended), story.headline()] {
        holds(&text, &["Requirement \"Word limit\" is not met", "Requirement \"Refused counts\" is not met"]);
    }
}

#[tokio::test]
async fn a_container_that_ran_zero_turns_and_was_recorded_as_a_failed_review() {
    let story = played(|spec| match (spec.key.stage, spec.key.attempt) {
        (Stage::CodeReview, 0) => speaks(Vec::new(), 1),
        _ => well(spec),
    })
    .begin()
    .await;
    let mut engine = story.engine("1");
    story.run(&mut engine).await;
    assert!(story.has("done"), "{}", story.headline());
    assert_eq!(story.count(Stage::CodeReview, StageResult::Fail), 0, "{:?}", story.stages());
    assert_eq!(story.count(Stage::CodeReview, StageResult::Broken), 1, "it is a failed run, not a failed review");
    assert_eq!(story.count(Stage::Fix, StageResult::Pass), 0, "nobody mends what nobody found");
    let [review] = story.reviews_by(TokenRole::Reviewer).try_into().unwrap();
    assert_eq!(envelope(&review).outcome, Outcome::Pass);
}

#[tokio::test]
async fn a_review_that_did_nothing_counted_as_a_pass() {
    // It says pass at once, having read nothing.
    let lazy = always(Stage::SecurityReview, vec![out("verdict.json", &passes()), say("All good.")]);
    let story = told(happy_but(vec![lazy])).begin().await;
    let mut engine = story.engine("1");
    let ended = story.run(&mut engine).await;
    assert_eq!(story.count(Stage::SecurityReview, StageResult::Pass), 0, "{:?}", story.stages());
    holds(&story.reasons(&ended), &["the security-review was void twice", "no evidence of work"]);
    let (_, pull) = story.pull();
    assert!(pull.draft && !story.has("done"), "{:?}", story.labels());
    assert!(story.checks(&pull.head)["hydra/security-review"].starts_with("failure"));
}

#[tokio::test]
async fn an_uncaught_rate_limit_in_mid_session() {
    let story = told(demo("rate-limited")).begin().await;
    let mut engine = story.engine("1");
    story.run(&mut engine).await;
    assert!(story.has("done"), "{}", story.headline());
    let record = story.record();
    assert_eq!((record.stages[0].result, record.attempts), (StageResult::Limited, 0), "{:?}", story.stages());
    let by: Vec<_> = record.stages[..2].iter().map(|entry| entry.account.as_ref().unwrap().to_string()).collect();
    assert_eq!(by, ["first", "second"], "the next account goes on with the stage");
    let rest = record.stages[1..].iter().filter_map(|entry| entry.account.as_ref());
    assert!(rest.into_iter().all(|account| account.as_str() == "second"), "the first one rests until its reset");
}

#[tokio::test]
async fn when_no_account_is_left_the_job_waits_where_everyone_can_see_it() {
    let story = told(demo("rate-limited")).accounts(&[("only", "sk-ant-story-only-account")]).begin().await;
    let mut engine = story.engine("1");
    let ended = story.run(&mut engine).await;
    for text in [story.reasons(&ended), story.explain().await] {
        holds(&text, &["every model account is set aside", "its usage limit is reached", "the first is back at"]);
    }
    assert_eq!(story.record().attempts, 0);
    assert!(!story.has("needs-input") && !story.has("done"), "{:?}", story.labels());
}

#[tokio::test]
async fn stale_rate_limit_state_after_a_token_was_rotated() {
    let mut story = told(demo("rate-limited")).accounts(&[("only", "sk-ant-story-only-account")]).begin().await;
    let ended = story.run(&mut story.engine("gone")).await;
    holds(&story.reasons(&ended), &["every model account is set aside"]);
    // The same account with another token: what is known of the old one is not held against it.
    story.accounts = vec![("only", "sk-ant-story-only-rotated")];
    let mut engine = story.engine("2");
    let ended = story.run(&mut engine).await;
    assert!(story.has("done"), "{}\n{}", story.reasons(&ended), story.headline());
}

#[tokio::test]
async fn no_way_to_stop_every_job_that_holds_a_leaked_token() {
    let story = played(|spec| match (spec.key.stage, spec.key.attempt) {
        (Stage::Build, 0) => runs_on(vec![turn(1, 900, 90)]),
        _ => well(spec),
    })
    .change("change-2")
    .begin()
    .await;
    let other = story.another_issue("Change: change-2\n");
    let mut engine = story.engine("1");
    story
        .until(&mut engine, "both", |s| {
            s.has("build:running") && s.labels_of(other).contains(&"build:running".to_owned())
        })
        .await;
    let operator = story.operator();
    let runtime = story.runtime();
    let leaked = |job: &hydra_core::job::Observed| job.credentials.iter().any(|name| name == "account:first");
    let none = operator.stop(&runtime, StopReason::Credential, "no such", |job| {
        job.credentials.iter().any(|name| name == "account:second")
    });
    assert_eq!(none.await.unwrap(), [], "nobody holds that one");
    let stopped = operator.stop(&runtime, StopReason::Credential, "it leaked", leaked).await.unwrap();
    assert_eq!(stopped.len(), 2, "{stopped:#?}");
    assert!(stopped.iter().all(|job| job.stopped && job.credentials == ["account:first"]), "{stopped:#?}");
    assert_eq!(engine.running_jobs().await.unwrap(), []);
    engine.cycle().await;
    engine.cycle().await;
    assert_eq!(story.record().attempts, 0, "being stopped is no failure");
    let log = std::fs::read_to_string(story.dir.path().join("audit.jsonl")).unwrap();
    holds(&log, &["\"command\":\"stop\"", "it leaked", "account:first"]);
}

#[tokio::test]
async fn images_by_tag_not_digest() {
    let started: Arc<Mutex<Vec<(ImageRef, String)>>> = Arc::default();
    let noted = Arc::clone(&started);
    let pin = |kind: &dyn std::fmt::Display| format!("sha256:{:0>64}", kind.to_string().len());
    let setup = played(move |spec| {
        noted.lock().unwrap().push((spec.image.clone(), spec.container.to_string()));
        well(spec)
    });
    let setup = setup.with(move |config| {
        for (kind, image) in &mut config.images {
            (image.name, image.pin) = (format!("ghcr.io/acme/hydra-{kind}:latest"), pin(kind));
        }
    });
    let story = setup.begin().await;
    story.run(&mut story.engine("1")).await;
    let started = started.lock().unwrap().clone();
    assert_eq!(started.len(), 4);
    for (image, kind) in started {
        assert_eq!(image.pin, pin(&kind), "{kind}: what is started is named by its content, whatever its tag says");
    }
    for role in [TokenRole::Reviewer, TokenRole::Security] {
        let [review] = story.reviews_by(role).try_into().unwrap();
        assert!(envelope(&review).image.starts_with("sha256:"), "the verdict says what it was judged with");
    }
}

#[tokio::test]
async fn logs_that_the_supervised_could_rewrite() {
    let inputs: Arc<Mutex<Vec<String>>> = Arc::default();
    let noted = Arc::clone(&inputs);
    let story = played(move |spec: &JobSpec| {
        let paths = spec.inputs.values().chain(spec.spec.values()).filter_map(|file| match file {
            InputFile::Path(path) => Some(path.display().to_string()),
            InputFile::Bytes(_) => None,
        });
        noted.lock().unwrap().extend(paths);
        // It claims another end than the one that it came to, and another price.
        let mut play = well(spec);
        play.out.insert("audit.jsonl".into(), b"{}".to_vec());
        play.lines.insert(
            0,
            hydra_core::ports::LogLine {
                stderr: false,
                text: event(EventKind::Text { text: "{\"kind\":\"operator\"}".into() }),
            },
        );
        play
    })
    .begin()
    .await;
    story.run(&mut story.engine("1")).await;
    let path = story.dir.path().join("audit.jsonl");
    let audit = audit_log::verify(&path).unwrap();
    assert!(audit.entries > 20, "{audit:?}");
    // Nothing that a job is given leads to the log: copies of single files, never a folder of the orchestrator's.
    for given in inputs.lock().unwrap().iter() {
        assert!(Path::new(given).is_file() && !given.contains("audit"), "{given}");
    }
    assert_eq!(std::fs::metadata(&path).unwrap().permissions().mode() & 0o077, 0, "nobody else may write it");
    // And who rewrites it all the same is found out, by line.
    let text = std::fs::read_to_string(&path).unwrap();
    let lines: Vec<&str> = text.lines().collect();
    let without_one = [&lines[..9], &lines[10..]].concat().join("\n");
    std::fs::write(&path, without_one).unwrap();
    holds(
        &audit_log::verify(&path).unwrap_err().to_string(),
        &["audit.jsonl:10:", "a line before it was removed or changed"],
    );
    let altered = text.replacen("\"ok\":true", "\"ok\":false", 1).replacen(hydra(), login(TokenRole::Builder), 1);
    let altered = if altered == text { text.replacen("build", "apply", 1) } else { altered };
    std::fs::write(&path, altered).unwrap();
    holds(&audit_log::verify(&path).unwrap_err().to_string(), &["it was changed"]);
}

#[tokio::test]
async fn a_limited_review_is_no_verdict_either() {
    let mut session = crate::stories::script::judges(&passes());
    session[1].fault = Some(hydra_sim::model::Fault::Limit);
    let story = told(happy_but(vec![always(Stage::CodeReview, session)])).begin().await;
    story.run(&mut story.engine("1")).await;
    assert!(story.has("done"), "{}", story.headline());
    assert_eq!(story.count(Stage::CodeReview, StageResult::Limited), 1, "{:?}", story.stages());
    assert_eq!(story.reviews_by(TokenRole::Reviewer).len(), 1, "{:#?}", story.reviews_by(TokenRole::Reviewer));
}
