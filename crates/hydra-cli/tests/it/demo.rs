//! `hydra demo` as a person or a program meets it: every story, on a pipe, in well under fifteen seconds.

use crate::harness::{Sandbox, root};
use hydra_core::Stage;
use hydra_sim::model::{SCENARIOS, Script};
use serde_json::Value;
use std::{
    io::{BufRead, BufReader, Read},
    os::unix::fs::PermissionsExt,
    process::{Command, Stdio},
    time::{Duration, Instant},
};

fn told(story: &str) -> Value {
    let sandbox = Sandbox::new();
    let ran = sandbox.run(&["demo", "--json", "--scenario", story]);
    assert_eq!((ran.code, ran.err.as_str()), (0, ""), "{}", ran.all());
    let document = ran.json();
    assert_eq!((&document["schema"], &document["kind"]), (&2.into(), &"demo".into()));
    assert_eq!(document["scenario"], story);
    assert_eq!(document["end"], document["expected"]);
    // What Hydra counted from the agents' events is what the model says that it handed out.
    let total = &document["total"];
    assert_eq!(total["tokens"], total["model_tokens"], "{total}");
    assert_eq!(total["turns"], total["model_answers"], "{total}");
    let stages = document["stages"].as_array().unwrap();
    let cost = |spent: &Value| spent["usd_micros"].as_u64().unwrap();
    assert_eq!(stages.iter().map(cost).sum::<u64>(), cost(total), "{total}");
    document
}

fn stages(document: &Value) -> Vec<String> {
    let stages = document["stages"].as_array().unwrap();
    let mut names: Vec<String> =
        stages.iter().map(|stage| format!("{} {}", stage["round"], stage["stage"].as_str().unwrap())).collect();
    // Reviews run side by side and may end in either order.
    names.sort();
    names
}

#[test]
fn the_default_story_shows_a_fix_round_and_ends_with_green_tests_on_a_fresh_clone() {
    let sandbox = Sandbox::new();
    let begun = Instant::now();
    let ran = sandbox.run(&["demo"]);
    assert!(begun.elapsed() < Duration::from_secs(15), "it took {:?}", begun.elapsed());
    assert_eq!((ran.code, ran.err.as_str()), (0, ""), "{}", ran.all());
    assert!(ran.out.contains("nothing isolates them"), "{}", ran.out);
    for line in [
        "Pull request #2: Limit a slug to a number of words",
        "  state   ready for a person",
        "  tests   green",
        "CRITICAL lib/slug.sh:12",
        "apply (round 2)",
        "Next",
    ] {
        assert!(ran.out.contains(line), "{line:?} is not in:\n{}", ran.out);
    }
    assert!(!ran.out.contains('\u{1b}'), "no colours on a pipe");
    assert!(!ran.out.contains("github_pat_"), "no credential is shown");
}

#[test]
fn the_fix_round_for_programs() {
    let document = told("fix-round");
    assert_eq!(
        stages(&document),
        [
            "0 build",
            "0 code-review",
            "0 fix",
            "0 quality",
            "0 security-review",
            "1 apply",
            "1 code-review",
            "1 quality",
            "1 security-review"
        ]
    );
    let pull = &document["pull"];
    assert_eq!((&pull["state"], &pull["tests"]["green"]), (&"ready for a person".into(), &true.into()));
    let outcomes: Vec<&str> =
        document["verdicts"].as_array().unwrap().iter().map(|v| v["outcome"].as_str().unwrap()).collect();
    assert_eq!(outcomes.iter().filter(|outcome| **outcome == "fail").count(), 1, "{outcomes:?}");
}

#[test]
fn a_happy_story_needs_one_round() {
    assert_eq!(stages(&told("happy")), ["0 build", "0 code-review", "0 quality", "0 security-review"]);
}

#[test]
fn a_builder_that_asks_opens_no_pull_request() {
    let document = told("needs-input");
    assert_eq!(document["pull"], Value::Null);
    assert!(document["reasons"][0].as_str().unwrap().contains("state-of-the-art"), "{document}");
}

#[test]
fn an_account_at_its_limit_is_followed_by_the_next() {
    let document = told("rate-limited");
    assert_eq!(stages(&document).iter().filter(|stage| stage.ends_with(" build")).count(), 2);
    assert_eq!(document["pull"]["state"], "ready for a person");
}

#[test]
fn a_budget_is_passed_by_one_response_at_most() {
    let document = told("over-budget");
    assert_eq!(document["total"]["turns"], 1, "{document}");
}

#[test]
fn a_review_without_any_reading_runs_twice_and_is_handed_over() {
    let document = told("void-review");
    let void = document["verdicts"].as_array().unwrap().iter().filter(|v| v["outcome"] == "void").count();
    assert_eq!((void, &document["pull"]["state"]), (2, &"draft".into()));
}

#[test]
fn a_base_that_moves_is_a_conflict_with_a_way_out() {
    let document = told("conflict");
    assert!(document["reasons"][0].as_str().unwrap().contains("rebuild:queued"), "{document}");
}

#[test]
fn another_script_has_another_outcome_and_a_broken_one_says_where() {
    let sandbox = Sandbox::new();
    sandbox.write(
        "asks.toml",
        "[[session]]\nstage = \"build\"\n[[session.steps]]\nsay = \"I must ask.\"\n[[session.steps.tools]]\nname = \"Write\"\n\
         [session.steps.tools.input]\nfile_path = \"{{out}}/rfi.json\"\ncontent = '{\"questions\":[\"How long is long?\"]}'\n\
         [[session.steps]]\nsay = \"I asked.\"\n",
    );
    let ran = sandbox.run(&["demo", "--json", "--script", "asks.toml"]);
    assert_eq!(ran.code, 0, "{}", ran.all());
    let document = ran.json();
    assert_eq!((&document["end"], &document["expected"]), (&"needs-input".into(), &Value::Null));
    assert!(document["reasons"][0].as_str().unwrap().contains("How long is long?"), "{document}");
    assert_eq!((&document["scenario"], &document["script"]), (&Value::Null, &"asks.toml".into()));
    let ran = sandbox.run(&["demo", "--script", "asks.toml"]);
    let banner = ran.out.lines().next().unwrap_or_default();
    assert_eq!(banner, "asks.toml: the model answers as this script says");
    for text in ["", "# nothing\n"] {
        sandbox.write("empty.toml", text);
        let ran = sandbox.run(&["demo", "--script", "empty.toml"]);
        assert_eq!((ran.code, ran.out.as_str()), (2, ""), "{}", ran.all());
        assert!(ran.err.contains("empty.toml: there is no [[session]]"), "{}", ran.err);
        assert!(ran.err.contains("docs/operations/demo.md") && !ran.err.contains("crates/"), "{}", ran.err);
    }

    sandbox.write("broken.toml", "[[session]]\nstage = \"biuld\"\n");
    let ran = sandbox.run(&["demo", "--script", "broken.toml"]);
    assert_eq!((ran.code, ran.out.as_str()), (2, ""), "{}", ran.all());
    assert!(ran.err.contains("broken.toml") && ran.err.contains("biuld"), "{}", ran.err);
    let ran = sandbox.run(&["demo", "--script", "absent.toml"]);
    assert_eq!(ran.code, 7, "{}", ran.all());
    assert!(ran.err.contains("absent.toml"), "{}", ran.err);
}

#[test]
fn the_manual_s_script_is_one_and_every_fault_and_story_is_in_the_manual() {
    let manual = std::fs::read_to_string(root().join("docs/operations/demo.md")).unwrap();
    let (_, rest) = manual.split_once("```toml\n").unwrap();
    let (example, _) = rest.split_once("```").unwrap();
    let script: Script = example.parse().unwrap();
    assert!(script.sessions.iter().filter(|session| session.stage == Stage::CodeReview).all(|one| one.nth == Some(1)));
    for name in SCENARIOS {
        assert!(manual.contains(&format!("`{name}`")), "{name}");
    }
    // The compiler of TOML names every fault that there is.
    let error = "[[session]]\nstage = \"build\"\n[[session.steps]]\nfault = \"fire\"\n".parse::<Script>().unwrap_err();
    let error = error.to_string();
    let (_, known) = error.split_once("expected one of ").unwrap();
    let known: Vec<&str> = known.split('`').skip(1).step_by(2).collect();
    assert!(known.len() > 5, "{known:?}");
    for fault in known {
        assert!(manual.contains(&format!("`{fault}`")), "{fault}");
    }
}

#[test]
fn a_kept_stage_can_be_looked_at_with_every_other_tool_until_ctrl_c() {
    let sandbox = Sandbox::new();
    let mut child =
        sandbox.command(&["demo", "--json", "--keep", "--scenario", "happy"]).stdout(Stdio::piped()).spawn().unwrap();
    let mut out = BufReader::new(child.stdout.take().unwrap());
    let mut text = String::new();
    while !text.ends_with("}\n") || text.lines().last().is_none_or(|line| line != "}") {
        assert!(out.read_line(&mut text).unwrap() > 0, "it ended early: {text}");
    }
    let serving = serde_json::from_str::<Value>(&text).unwrap()["serving"].clone();
    let clone = Command::new("git")
        .args(["clone", "--quiet", serving["clone_url"].as_str().unwrap(), "there"])
        .current_dir(sandbox.path("work"))
        .status()
        .unwrap();
    assert!(clone.success() && sandbox.work("there/bin/slug").is_file());
    let config = serving["config"].as_str().unwrap().to_owned();
    let show = sandbox.run(&["--config", &config, "config", "check"]);
    assert_eq!(show.code, 0, "{}", show.all());
    nix::sys::signal::kill(
        nix::unistd::Pid::from_raw(child.id().try_into().unwrap()),
        nix::sys::signal::Signal::SIGINT,
    )
    .unwrap();
    assert!(child.wait().unwrap().success());
    let mut rest = String::new();
    out.read_to_string(&mut rest).unwrap();
    assert_eq!(rest, "", "one document, nothing else");
    assert!(!std::path::Path::new(&config).exists(), "nothing is left behind");
}

#[test]
fn every_command_that_a_kept_demo_prints_works_while_it_serves() {
    let sandbox = Sandbox::new();
    let mut demo = sandbox.command(&["demo", "--keep", "--scenario", "happy"]);
    let mut demo = demo.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    let mut out = BufReader::new(demo.stdout.take().unwrap());
    let mut text = String::new();
    while !text.lines().last().is_some_and(|line| line.starts_with("  git clone ")) {
        assert!(out.read_line(&mut text).unwrap() > 0, "it ended early: {text}");
    }
    let (_, serving) = text.split_once("Serving until Ctrl-C\n").unwrap();
    let lines: Vec<&str> = serving.lines().map(str::trim).collect();
    let [github, model, status, explain, curl, clone] = lines.as_slice() else { panic!("{serving}") };
    assert!(
        github.starts_with("GitHub   http://127.0.0.1:") && model.starts_with("model    http://127.0.0.1:"),
        "{serving}"
    );

    // As a person types them, with hydra on the PATH.
    let programs = std::path::Path::new(env!("CARGO_BIN_EXE_hydra")).parent().unwrap();
    let run = |line: &str| {
        let mut shell = Command::new("/bin/sh");
        shell.args(["-c", line]).current_dir(sandbox.path("work")).env_clear();
        shell.env("HOME", sandbox.path("home")).env("PATH", format!("{}:/usr/bin:/bin", programs.display()));
        let output = shell.output().unwrap();
        let said = String::from_utf8(output.stderr).unwrap();
        assert!(output.status.success(), "{line}: {}: {said}", output.status);
        String::from_utf8(output.stdout).unwrap()
    };
    let said = run(status);
    assert!(said.contains("\nacme/words#1  ready  #2  "), "{said}");
    let said = run(explain);
    assert!(said.contains("\nWhy it does nothing\n  pull request #2 is ready and waits for a person\n"), "{said}");
    // What it says of the log, under the demo's own configuration.
    let (_, logs) = said.split_once("  `hydra logs ").unwrap();
    let (job, _) = logs.split_once('`').unwrap();
    let log = run(&status.replace(" status", &format!(" logs {job}")));
    assert!(log.contains("  turn 1: ") && log.ends_with("ended: done\n"), "{log}");
    let pulls: Value = serde_json::from_str(&run(curl)).unwrap();
    let [pull] = pulls.as_array().unwrap().as_slice() else { panic!("{pulls}") };
    assert_eq!((&pull["number"], &pull["head"]["ref"]), (&2.into(), &"hydra/add-word-limit".into()));
    run(clone);
    assert!(sandbox.work("words/openspec/changes/add-word-limit/proposal.md").is_file());
    run(
        "cd words && git fetch --quiet origin hydra/add-word-limit && git checkout --quiet FETCH_HEAD && sh tests/run.sh",
    );

    let folder = std::path::Path::new(status.split(' ').nth(2).unwrap()).parent().unwrap();
    assert!(folder.is_dir(), "{}", folder.display());
    let pid = nix::unistd::Pid::from_raw(demo.id().try_into().unwrap());
    nix::sys::signal::kill(pid, nix::sys::signal::Signal::SIGINT).unwrap();
    let ended = demo.wait_with_output().unwrap();
    assert_eq!((ended.status.code(), String::from_utf8(ended.stderr).unwrap().as_str()), (Some(0), ""));
    assert!(!folder.exists(), "nothing is left behind");
}

#[test]
fn what_the_demo_lacks_on_this_machine_is_named() {
    let sandbox = Sandbox::new();
    let run = |name: &str, value: &str| {
        let output = sandbox.command(&["demo"]).env(name, value).output().unwrap();
        assert_eq!((output.status.code(), output.stdout.as_slice()), (Some(7), &b""[..]), "{name}={value}");
        String::from_utf8(output.stderr).unwrap()
    };
    let said = run("PATH", "/nonexistent");
    assert!(said.contains("git cannot be started: it is not there") && said.contains("install git"), "{said}");
    let said = run("TMPDIR", "/nonexistent");
    assert!(said.contains("no folder can be made in /nonexistent") && said.contains("TMPDIR"), "{said}");
    assert!(!said.contains("report"), "{said}");
    // A git without its server.
    std::fs::create_dir_all(sandbox.path("bin")).unwrap();
    std::fs::write(sandbox.path("bin/git"), "#!/bin/sh\necho /nonexistent\n").unwrap();
    std::fs::set_permissions(sandbox.path("bin/git"), std::fs::Permissions::from_mode(0o755)).unwrap();
    let said = run("PATH", &format!("{}:/usr/bin:/bin", sandbox.path("bin").display()));
    assert!(said.contains("/nonexistent/git-http-backend: it is not there"), "{said}");
}
