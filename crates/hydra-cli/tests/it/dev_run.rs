//! One stage by hand: on a folder without any GitHub, and on a repository at GitHub.

use crate::stage::{REPO, Stage};
use hydra_sim::model::demo_repo;
use serde_json::Value;
use std::{path::PathBuf, process::Command};

const CHANGE: &str = "add-word-limit";

fn git(folder: &PathBuf, args: &[&str]) -> String {
    let output = Command::new("git").arg("-C").arg(folder).args(args).output().unwrap();
    assert!(output.status.success(), "{args:?}: {}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap().trim().to_owned()
}

/// The demo's repository in a folder, and a configuration without any GitHub.
fn local(script: &str) -> (Stage, PathBuf) {
    let stage = Stage::new(script);
    let model = stage.model.url();
    let personas = ["al-gorithm", "juan-claude-van-damme", "clyde-barcode", "axel-plier"]
        .map(|persona| format!("[personas.{persona}]\ndriver = \"demo\"\n"))
        .concat();
    let toml = format!(
        "[models]\nbase_url = \"{model}\"\n[runtime]\nkind = \"process\"\n[state]\ndir = \"state\"\n{personas}"
    );
    stage.sandbox.write("hydra.toml", toml);
    std::fs::remove_file(stage.sandbox.work("secrets/.env")).unwrap();
    let accounts =
        r#"{ "claude_accounts": [{ "name": "main", "token": "sk-ant-oat01-main-0000000000", "priority": 1 }] }"#;
    stage.sandbox.secret("secrets/credentials.json", accounts);
    let folder = stage.sandbox.work("words");
    for (path, bytes) in demo_repo() {
        stage.sandbox.write(&format!("words/{path}"), bytes);
    }
    git(&folder, &["init", "--quiet", "--initial-branch=main"]);
    git(&folder, &["add", "-A"]);
    git(&folder, &["-c", "user.name=Ada", "-c", "user.email=ada@example.test", "commit", "--quiet", "-m", "Start"]);
    stage.github.reset_log();
    (stage, folder)
}

fn report(stage: &Stage, folder: &str) -> Value {
    serde_json::from_str(&stage.sandbox.read(&format!("{folder}/report.json"))).unwrap()
}

#[test]
fn a_folder_is_built_checked_and_reviewed_by_hand_without_any_github() {
    let (stage, folder) = local("extends = \"happy\"\n");
    let run = |args: &[&str]| {
        let all: Vec<&str> =
            ["dev-run"].iter().chain(args).chain(&["--repo", "words", "--change", CHANGE]).copied().collect();
        stage.sandbox.run(&all)
    };
    let built = run(&["build", "--out", "built"]);
    assert_eq!(built.code, 0, "{}", built.all());
    let base = git(&folder, &["rev-parse", "HEAD"]);
    let head = report(&stage, "built")["delivered"].as_str().unwrap().to_owned();
    assert!(
        built.out.contains("delivered  build") && built.out.contains(&format!("--base {base} --head {head}")),
        "{}",
        built.all()
    );
    for name in ["result.json", "events.jsonl", "changes.bundle", "changes.patch", "given/prompt.md", "given/job.json"]
    {
        assert!(stage.sandbox.work("built").join(name).exists(), "{name}");
    }
    let quality = run(&["quality", "--base", &base, "--head", &head, "--json"]);
    let json = quality.json();
    assert_eq!(
        (json["schema"].as_u64(), json["kind"].as_str(), json["outcome"].as_str()),
        (Some(1), Some("dev-run"), Some("green"))
    );
    for review in ["code-review", "security-review", "apply"] {
        let ran = run(&[review, "--base", &base, "--head", &head, "--out", review]);
        assert_eq!(ran.code, 0, "{}", ran.all());
        assert_eq!(report(&stage, review)["outcome"], "pass");
        assert!(stage.sandbox.work(review).join("envelope.json").exists());
    }
    // The line that was printed takes the work over.
    let bundle = stage.sandbox.work("built/changes.bundle");
    git(&folder, &["fetch", "--quiet", &bundle.to_string_lossy(), "refs/heads/hydra-result:hydra/mine"]);
    assert_eq!(git(&folder, &["rev-parse", "hydra/mine"]), head);
    assert!(stage.github.log().is_empty(), "nobody asked GitHub for anything");
    assert!(!stage.sandbox.work("state/jobs").read_dir().unwrap().any(|_| true), "no job is left behind");
    let audit = stage.sandbox.read("state/audit.jsonl");
    assert_eq!(audit.lines().filter(|line| line.contains("\"command\":\"dev-run\"")).count(), 5, "{audit}");
}

#[test]
fn a_quality_run_needs_no_account_no_key_and_no_configuration_but_the_runtime() {
    let (stage, _) = local("extends = \"happy\"\n");
    std::fs::remove_file(stage.sandbox.work("secrets/credentials.json")).unwrap();
    stage.sandbox.write("hydra.toml", "[runtime]\nkind = \"process\"\n");
    let ran = stage.sandbox.run(&["dev-run", "quality", "--repo", "words", "--change", CHANGE]);
    assert!(ran.code == 0 && ran.out.contains("green  quality"), "{}", ran.all());
    assert!(!ran.out.contains("next "), "a review of the base against itself would judge nothing: {}", ran.all());
    // A red one says what is red, and how to mend it.
    stage.sandbox.write("words/tests/run.sh", "echo three of four words >&2\nexit 3\n");
    git(
        &stage.sandbox.work("words"),
        &["-c", "user.name=A", "-c", "user.email=a@b.test", "commit", "-qam", "Break it"],
    );
    let ran = stage.sandbox.run(&["dev-run", "quality", "--repo", "words", "--change", CHANGE, "--out", "red"]);
    assert_eq!(ran.code, 1, "{}", ran.all());
    assert!(ran.out.contains("test: exit 3") && ran.out.contains("three of four words"), "{}", ran.all());
    assert!(ran.out.contains("mend it   hydra dev-run fix-quality"), "{}", ran.all());
    let missing = stage.sandbox.run(&["dev-run", "build", "--repo", "words", "--change", CHANGE]);
    assert!(missing.code == 4 && missing.err.contains("there is no model account"), "{}", missing.all());
}

#[test]
fn what_blocks_and_what_is_red_goes_into_the_task_of_the_fix() {
    let (stage, folder) = local("extends = \"fix-round\"\n");
    let base = git(&folder, &["rev-parse", "HEAD"]);
    let on = ["--repo", "words", "--change", CHANGE];
    let run = |args: &[&str]| stage.sandbox.run(&[&["dev-run"], args, &on].concat());
    assert_eq!(run(&["build", "--out", "built"]).code, 0);
    let head = report(&stage, "built")["delivered"].as_str().unwrap().to_owned();
    let review = run(&["code-review", "--base", &base, "--head", &head, "--out", "review"]);
    assert_eq!(review.code, 1, "{}", review.all());
    assert!(review.out.contains("blocks: "), "{}", review.all());
    let fix = run(&["fix", "--base", &base, "--head", &head, "--after", "review", "--out", "fixed"]);
    assert_eq!(fix.code, 0, "{}", fix.all());
    let blocking = report(&stage, "review");
    let prompt = stage.sandbox.read("fixed/given/prompt.md");
    let said = blocking["detail"].as_str().unwrap().trim_start_matches("blocks: ").split("; ").next().unwrap();
    assert!(prompt.contains(said), "{said}\n{prompt}");
    // One problem, said as a finding and as a sentence in other words, is one entry of the task.
    assert_eq!(prompt.matches("CRITICAL").count(), 1, "{prompt}");
    assert!(prompt.contains("also expands it as a pattern"), "{prompt}");
    let nothing = run(&["fix", "--head", &head, "--after", "built"]);
    assert!(nothing.code == 2 && nothing.err.contains("nothing in it blocks or is red"), "{}", nothing.all());
}

#[test]
fn a_change_that_is_not_committed_is_taken_from_its_folder() {
    let (stage, folder) = local("extends = \"happy\"\n");
    let change = |name: &str| format!("openspec/changes/{name}");
    std::fs::rename(folder.join(change(CHANGE)), folder.join(change("a-draft"))).unwrap();
    let ran = stage.sandbox.run(&["dev-run", "quality", "--repo", "words", "--change", "a-draft"]);
    assert_eq!(ran.code, 0, "{}", ran.all());
    // The files of the change that went away are not seen; those of the new one are, and a state folder is nobody's work.
    let gone = demo_repo().keys().filter(|path| path.starts_with(&change(CHANGE))).count();
    assert!(
        ran.err.contains("a-draft is not committed") && ran.err.contains(&format!("{gone} uncommitted files are not")),
        "{}",
        ran.all()
    );
    let path = format!("./words/{}", change("a-draft"));
    let ran = stage.sandbox.run(&["dev-run", "build", "--repo", "words", "--change", &path, "--out", "built"]);
    assert!(stage.sandbox.read("built/given/prompt.md").contains("a-draft"), "{}", ran.all());
}

#[test]
fn work_that_is_not_committed_is_counted_whichever_base_was_named() {
    let (stage, folder) = local("extends = \"happy\"\n");
    let run = |more: &[&str]| {
        let on = ["dev-run", "quality", "--repo", "words", "--change", CHANGE, "--state-dir", "words/.hydra"];
        let ran = stage.sandbox.run(&[&on, more].concat());
        assert_eq!(ran.code, 0, "{}", ran.all());
        ran.err
    };
    assert!(!run(&[]).contains("uncommitted"), "the state folder is no work");
    stage.sandbox.write("words/new/file", "x");
    assert!(run(&["--base", "main"]).contains("1 uncommitted file is not seen"));
    stage.sandbox.write("words/new/other", "x");
    std::fs::remove_file(folder.join("README.md")).unwrap();
    assert!(run(&[]).contains("3 uncommitted files are not seen"));
}

#[test]
fn what_cannot_be_run_by_hand_is_said_before_anything_is_spent() {
    let (stage, folder) = local("extends = \"happy\"\n");
    stage.sandbox.write("full/file", "x");
    std::fs::create_dir(stage.sandbox.work("plain")).unwrap();
    std::fs::create_dir(stage.sandbox.work("empty")).unwrap();
    git(&stage.sandbox.work("empty"), &["init", "--quiet"]);
    stage.sandbox.write("words/openspec/changes/broken/proposal.md", "");
    let _ = folder;
    for (args, code, word) in [
        (vec!["build", "--repo", "words", "--change", "no-such-change"], 1, "is not in local/words-"),
        (vec!["build", "--repo", "words", "--change", "broken"], 1, "the change broken cannot be used"),
        (vec!["build", "--repo", "words", "--change", "./nowhere"], 2, "there is no such folder"),
        (vec!["build", "--repo", "nowhere", "--change", CHANGE], 2, "it is not OWNER/NAME"),
        (vec!["build", "--repo", "plain", "--change", CHANGE], 2, "is no git repository"),
        (vec!["build", "--repo", "empty", "--change", CHANGE], 2, "has no commit or branch \"HEAD\""),
        (
            vec!["build", "--repo", "words", "--change", CHANGE, "--base", "nobranch"],
            2,
            "no commit or branch \"nobranch\"",
        ),
        (vec!["code-review", "--repo", "words", "--change", CHANGE], 2, "--head is missing"),
        (
            vec!["code-review", "--repo", "words", "--change", CHANGE, "--base", "main", "--head", "main"],
            2,
            "--head main: nothing in it differs",
        ),
        (vec!["apply", "--repo", "words", "--change", CHANGE, "--head", "HEAD"], 2, "--head HEAD: nothing in it"),
        (vec!["build", "--repo", "words", "--change", CHANGE, "--out", "full"], 2, "nothing is overwritten"),
        (vec!["build", "--repo", "words", "--change", CHANGE, "--issue", "acme/words#1"], 2, "--repo names a folder"),
        (vec!["biuld", "--repo", "words", "--change", CHANGE], 2, "there is no stage \"biuld\""),
    ] {
        let ran = stage.sandbox.run(&[&["dev-run"], args.as_slice()].concat());
        assert!(ran.code == code && ran.err.contains(word), "{args:?}: {}", ran.all());
    }
    assert!(stage.model.requests().is_empty(), "no model was asked");
}

#[test]
fn what_is_refused_before_it_begins_leaves_no_folder_of_results() {
    let (stage, folder) = local("extends = \"happy\"\n");
    let run =
        |args: &[&str]| stage.sandbox.run(&[&["dev-run"], args, &["--repo", "words", "--change", CHANGE]].concat());
    let commit = |what: &str| {
        git(&folder, &["add", "-A"]);
        git(&folder, &["-c", "user.name=A", "-c", "user.email=a@b.test", "commit", "-qm", what]);
    };
    stage.sandbox.write("words/.hydra.toml", "[commands]\nlnit = \"true\"\n");
    commit("Misspell");
    let ran = run(&["quality"]);
    assert!(ran.code == 1 && ran.err.contains("lnit") && ran.err.contains("docs/repository.md"), "{}", ran.all());
    for (text, said) in
        [(Some("scope = [\"src/\"]\n"), ".hydra.toml names no command"), (None, "there is no .hydra.toml")]
    {
        match text {
            Some(text) => stage.sandbox.write("words/.hydra.toml", text),
            None => std::fs::remove_file(folder.join(".hydra.toml")).unwrap(),
        }
        commit("Nothing to run");
        let ran = run(&["quality"]);
        assert!(ran.code == 1 && ran.err.contains(said), "{}", ran.all());
        assert!(ran.err.contains("[commands]") && !ran.err.contains("contract"), "{}", ran.all());
    }
    stage.edit("kind = \"process\"", "kind = \"docker\"\nimage_lock = \"lock.json\"");
    let ran = run(&["build", "--out", "new"]);
    assert!(ran.code == 7 && ran.err.contains("lock.json"), "{}", ran.all());
    assert!(!stage.sandbox.work("new").exists() && !stage.sandbox.work("state/dev-run").exists());
}

#[test]
fn on_github_nothing_is_written_unless_it_is_to_be_published() {
    let stage = Stage::happy();
    let key = stage.key();
    let ran = stage.sandbox.run(&["dev-run", "build", "--repo", REPO, "--change", CHANGE, "--issue", &key]);
    assert_eq!((ran.code, stage.writes()), (0, Vec::new()), "{}", ran.all());

    let publish = ["--issue", key.as_str(), "--publish"];
    let on = ["--repo", REPO, "--change", CHANGE];
    let run = |args: &[&str]| stage.sandbox.run(&[&["dev-run"], args, &on, &publish].concat());
    let built = run(&["build", "--out", "built"]);
    assert_eq!(built.code, 0, "{}", built.all());
    let head = report(&stage, "built")["delivered"].as_str().unwrap().to_owned();
    assert_eq!(stage.github.branch(REPO, "hydra/add-word-limit").as_ref(), Some(&head));
    let [pull] = stage.github.pulls(REPO).try_into().unwrap();
    assert_eq!(pull.author, "hydra-builder");
    let base = stage.github.branch(REPO, "main").unwrap();
    let quality = run(&["quality", "--base", &base, "--head", "hydra/add-word-limit"]);
    assert!(quality.code == 0 && quality.out.contains("published"), "{}", quality.all());
    let review = run(&["code-review", "--base", &base, "--head", &head]);
    assert_eq!(review.code, 0, "{}", review.all());
    let statuses = stage.github.statuses(REPO, &head);
    let contexts: Vec<&str> = statuses.iter().map(|status| status.context.as_str()).collect();
    assert_eq!(contexts, ["hydra/quality", "hydra/code-review"]);
    let [pull] = stage.github.pulls(REPO).try_into().unwrap();
    assert_eq!(pull.pull.unwrap().reviews.len(), 1);
    assert!(
        stage.github.refs(REPO).keys().all(|name| !name.starts_with("refs/hydra/lease")),
        "the lease was given back"
    );
    // A second build would begin somewhere else than the branch stands, and a review would have no pull request to judge: both are said
    // before a model is asked.
    let asked = stage.model.requests().len();
    let again = run(&["build", "--out", "again"]);
    assert!(again.code == 1 && again.err.contains("which is not where build begins"), "{}", again.all());
    assert!(again.err.contains("--head hydra/add-word-limit") && !again.err.contains("file"), "{}", again.all());
    stage.github.push(REPO, "elsewhere", "ada", "Else", &[("else", Some("else\n"))]).unwrap();
    let elsewhere = run(&["code-review", "--base", &base, "--head", "elsewhere"]);
    assert!(elsewhere.code == 1 && elsewhere.err.contains("there is no open pull request"), "{}", elsewhere.all());
    assert_eq!(stage.model.requests().len(), asked);
    // Without an issue there is nothing to publish for.
    let none = stage.sandbox.run(&["dev-run", "build", "--repo", REPO, "--change", CHANGE, "--publish"]);
    assert!(none.code == 2 && none.err.contains("--publish needs --issue"), "{}", none.all());
}

#[test]
fn nothing_is_published_while_a_pipeline_holds_the_issue() {
    let stage = Stage::new("extends = \"happy\"\n[[adjust]]\nstage = \"build\"\nstep = 1\ndelay_ms = 20000\n");
    let poll = stage.spawn(&["poll"]);
    stage.until_running("build");
    let writes = stage.writes().len();
    let ran = stage.sandbox.run(&[
        "dev-run",
        "quality",
        "--repo",
        REPO,
        "--change",
        CHANGE,
        "--issue",
        &stage.key(),
        "--publish",
    ]);
    assert!(ran.err.contains("nothing was published") && ran.err.contains("works on acme/words#1"), "{}", ran.all());
    assert_eq!((ran.code, stage.writes().len()), (1, writes));
    drop(poll);
}

/// Waits until a job's program runs.
fn until_started(stage: &Stage) {
    let begun = std::time::Instant::now();
    let jobs = stage.sandbox.work("state/jobs");
    while !jobs.read_dir().is_ok_and(|mut jobs| jobs.any(|job| job.unwrap().path().join("started").exists())) {
        assert!(begun.elapsed() < std::time::Duration::from_secs(30), "no job was started");
        std::thread::sleep(std::time::Duration::from_millis(20));
    }
}

#[test]
fn a_stage_by_hand_that_is_interrupted_is_stopped_and_leaves_nothing_running() {
    let (stage, _) = local("extends = \"happy\"\n[[adjust]]\nstage = \"build\"\nstep = 1\ndelay_ms = 60000\n");
    let running = stage.spawn(&["dev-run", "build", "--repo", "words", "--change", CHANGE, "--out", "out"]);
    until_started(&stage);
    // Another look at this machine does not take it for the pipeline's, and a credential that leaks reaches it all the same.
    running.signal(nix::sys::signal::Signal::SIGINT);
    let (code, out, err) = running.end();
    assert_eq!(code, Some(8), "{out}{err}");
    assert!(out.contains("stopped  build"), "{out}{err}");
    assert!(!stage.sandbox.work("state/jobs").read_dir().unwrap().any(|_| true), "no job is left behind");
    assert_eq!(report(&stage, "out")["outcome"], "stopped");
}

#[test]
fn a_credential_that_leaks_is_taken_from_a_stage_by_hand_too() {
    let (stage, _) = local("extends = \"happy\"\n[[adjust]]\nstage = \"build\"\nstep = 1\ndelay_ms = 60000\n");
    let running = stage.spawn(&["dev-run", "build", "--repo", "words", "--change", CHANGE]);
    // A leak that is reported before the stage took the account would leave it none to begin with.
    until_started(&stage);
    let stopped = stage.sandbox.run(&["stop", "--credential", "main", "--json"]).json();
    let jobs = stopped["jobs"].as_array().unwrap();
    assert!(jobs.iter().any(|job| job["stopped"] == true && job["stage"] == "build"), "{stopped:#}");
    let (code, out, err) = running.end();
    assert!(code == Some(1) && out.contains("stopped: credential"), "{out}{err}");
}
