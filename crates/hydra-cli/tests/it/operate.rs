//! The operator's commands on a pipeline: what they print, what they do, and what they leave alone.

use crate::{
    harness::Sandbox,
    stage::{REPO, ROLES, Stage, TRIGGER, login, secret},
};
use insta::assert_snapshot;
use nix::sys::signal::Signal;
use serde_json::Value;

/// Commit ids, times, lengths of time, ports, tokens and costs are of the day.
fn steady(text: &str) -> String {
    let hex = |word: &str| word.bytes().all(|b| b.is_ascii_digit() || (b'a'..=b'f').contains(&b));
    let mut out = String::new();
    let mut rest = text;
    while let Some(start) = rest.find(|c: char| c.is_ascii_alphanumeric()) {
        let (before, tail) = rest.split_at(start);
        out.push_str(before);
        let end = tail.find(|c: char| !c.is_ascii_alphanumeric()).unwrap_or(tail.len());
        let (word, tail) = tail.split_at(end);
        let number = word.bytes().all(|b| b.is_ascii_digit());
        let shown = match word.len() {
            8 | 12 | 40 | 64 if hex(word) && !number => "ID",
            _ if number && (tail.starts_with(" tokens") || tail.starts_with(" s ")) => "N",
            _ if number && (out.ends_with("$0.") || out.ends_with("127.0.0.1:")) => "N",
            _ => word,
        };
        out.push_str(shown);
        rest = tail;
    }
    out.push_str(rest);
    let lines = out.lines().map(|line| match line.find("2026-").or_else(|| line.find("2027-")) {
        Some(at) => format!("{}TIME", &line[..at]),
        None => line.to_owned(),
    });
    lines.collect::<Vec<_>>().join("\n")
}

fn only_issue(status: &Value) -> &Value {
    let issues = status["issues"].as_array().unwrap();
    assert_eq!(issues.len(), 1, "{status:#}");
    &issues[0]
}

fn reasons(issue: &Value) -> Vec<&str> {
    issue["reasons"].as_array().unwrap().iter().map(|reason| reason["reason"].as_str().unwrap()).collect()
}

#[test]
fn a_dry_run_prints_the_plan_and_does_nothing() {
    let stage = Stage::happy();
    let ran = stage.sandbox.run(&["poll", "--dry-run"]);
    assert_snapshot!(steady(&ran.all()), @r##"
exit 0
--- out
acme/words#1  Limit a slug to a number of words
  would take the issue's lease, generation 1
  would start build, attempt 1, on ID, model claude-opus-4-8, account main
  would write the status comment: build
  would change the labels of #1: +build:running as orchestrator
  would move the card to "In Progress"
1 issue, 1 with something to do; nothing was done (dry run)
--- err
warning: runtime.kind is "process": agents are processes of this machine, nothing isolates them
"##);
    assert_eq!(stage.writes(), Vec::<String>::new());
    let json = stage.sandbox.run(&["poll", "--dry-run", "--json"]).json();
    assert_eq!((json["schema"].as_u64(), json["kind"].as_str()), (Some(1), Some("plan")));
    let next = only_issue(&json)["next"].as_array().unwrap();
    let next: Vec<&str> = next.iter().map(|action| action["action"].as_str().unwrap()).collect();
    assert_eq!(next, ["take-lease", "start-job", "save-record", "write", "place-card"]);
    assert!(stage.github.refs(REPO).keys().all(|name| !name.starts_with("refs/hydra")), "no lease was taken");
    assert!(!stage.sandbox.work("state/jobs").read_dir().unwrap().any(|_| true), "no job was started");
}

#[test]
fn a_poll_brings_an_issue_to_ready_and_the_next_one_writes_nothing() {
    let stage = Stage::happy();
    let ran = stage.sandbox.run(&["poll", "--json"]);
    assert_eq!((ran.code, ran.err.lines().count()), (0, 1), "{}", ran.all());
    let json = ran.json();
    assert_eq!((json["schema"].as_u64(), json["kind"].as_str()), (Some(1), Some("poll")));
    let issue = only_issue(&json);
    assert_eq!((issue["issue"].as_str(), issue["handed_over"].as_bool()), (Some("acme/words#1"), Some(false)));
    assert_eq!(issue["reasons"][0], "pull request #2 is ready and waits for a person");
    assert!(stage.labels().contains("done"));

    stage.github.reset_log();
    let again = stage.sandbox.run(&["poll"]);
    assert_snapshot!(again.all(), @r##"
exit 0
--- out
now      acme/words#1  pull request #2 is ready and waits for a person
1 issue, 1 cycle, 0 actions
--- err
warning: runtime.kind is "process": agents are processes of this machine, nothing isolates them
"##);
    assert_eq!(stage.writes(), Vec::<String>::new(), "nothing changed, so nothing is written");

    let explained = stage.sandbox.run(&["explain", "1"]);
    assert_snapshot!(steady(&explained.all()), @r##"
exit 0
--- out
acme/words#1  Limit a slug to a number of words
http://127.0.0.1:N/acme/words/issues/1

What Hydra sees
  issue         open, labels: ready-to-build, build:pass, quality:pass, code-review:pass, security-review:pass, done
  asked for by  ada, who has write; `ready-to-build` set at TIME
  text          as it was then, ID
  change        add-word-limit: Limit a slug to a number of words
  run           ready, generation 1, fix round 0
  branch        hydra/add-word-limit at ID, base ID
  pull request  #2 open
                hydra/code-review: success, passed
                hydra/quality: success, passed
                hydra/security-review: success, passed
  verdict       code-review pass
  verdict       security-review pass
  lease         free
  card          Review
  spent         $0.N, 16 turns, N tokens

What was done
  build              pass  N s  $0.N, 8 turns, N tokens  1 commits, 5 files
  quality            pass  N s                                  green: lint, test, build
  code-review        pass  N s  $0.N, 4 turns, N tokens   pass
  security-review    pass  N s  $0.N, 4 turns, N tokens   pass
  `hydra logs hydra-words-1-g1-security-review-r0-a0-ID` shows the last one; --json names all

Why it does nothing
  pull request #2 is ready and waits for a person
    -> review pull request #2 and merge it, or close it
  It rests until somebody does something on GitHub.
--- err
"##);
    let json = stage.sandbox.run(&["explain", &stage.key(), "--json"]).json();
    assert_eq!((json["kind"].as_str(), json["phase"].as_str()), (Some("explain"), Some("ready")));
    assert_eq!(reasons(&json), ["ready"]);
    assert_eq!((json["attempt"].as_u64(), json["due"].is_null()), (Some(1), true));
    assert!(json["reasons"][0]["remedy"].as_str().unwrap().contains("merge"));

    let status = stage.sandbox.run(&["status"]);
    assert_snapshot!(steady(&status.all()), @r##"
exit 0
--- out
test  acme/words  TIME
slots 0 of 5 in use; today $0.N of $200.0000, N tokens
accounts: main; spare

acme/words#1  ready  #2  $0.N, 16 turns, N tokens  Limit a slug to a number of words
  pull request #2 is ready and waits for a person
--- err
"##);

    // The jobs are gone; what was written down while they were followed is there.
    let job =
        stage.sandbox.run(&["status", "--json"]).json()["issues"][0]["stages"][0]["job"].as_str().unwrap().to_owned();
    let log = stage.sandbox.run(&["logs", &job]);
    assert!(log.code == 0 && log.out.contains("turn 1: "), "{}", log.all());
    let events = stage.sandbox.run(&["logs", &job, "--json"]);
    assert!(events.out.lines().all(|line| serde_json::from_str::<Value>(line).unwrap()["v"] == 1), "{}", events.all());
    assert_snapshot!(stage.sandbox.run(&["logs", "hydra-words-9-g1-build-r0-a0-00000000"]).all(), @r##"
exit 1
--- out
--- err
error: there is no job hydra-words-9-g1-build-r0-a0-00000000, and nothing is written down of it
  help: `hydra status` lists those that are there, `hydra explain ISSUE` those of an issue
"##);
}

#[test]
fn explain_says_what_would_change_it() {
    let stage = Stage::happy();
    stage.github.remove_label(REPO, stage.issue, TRIGGER, "ada").unwrap();
    let json = stage.sandbox.run(&["explain", "1", "--json"]).json();
    assert_eq!(reasons(&json), ["no-trigger"]);
    assert_eq!(json["reasons"][0]["remedy"], "set the label `ready-to-build` on the issue");
    stage.github.add_label(REPO, stage.issue, TRIGGER, "ada").unwrap();
    let other = stage.open("The same change again");
    let json = stage.sandbox.run(&["explain", &other.to_string(), "--json"]).json();
    assert_eq!(reasons(&json), ["rival"], "{json:#}");
    // Explaining writes nothing and takes no lease.
    assert_eq!(stage.writes(), Vec::<String>::new());
    let ran = stage.sandbox.run(&["explain", "99"]);
    assert_eq!(ran.code, 5, "{}", ran.all());
    assert!(ran.err.contains("acme/words#99"), "{}", ran.all());
    assert_eq!(stage.sandbox.run(&["explain", "words#x"]).code, 2);
}

#[test]
fn a_pause_holds_starts_everywhere_in_a_repository_or_on_an_issue() {
    let stage = Stage::happy();
    for target in [None, Some("ACME/words"), Some("acme/words#1")] {
        let args = |command: &'static str| [Some(command), target].into_iter().flatten().collect::<Vec<_>>();
        let mut pause = args("pause");
        pause.extend(["--reason", "release week", "--until", "2h"]);
        let ran = stage.sandbox.run(&pause);
        assert_eq!(ran.code, 0, "{}", ran.all());
        let json = stage.sandbox.run(&["explain", "1", "--json"]).json();
        assert_eq!(reasons(&json), ["held"], "{json:#}");
        assert!(json["reasons"][0]["text"].as_str().unwrap().contains("release week"));
        let poll = stage.sandbox.run(&["poll"]);
        assert_eq!((poll.code, stage.writes()), (0, Vec::new()), "{}", poll.all());
        let status = stage.sandbox.run(&["status", "--json"]).json();
        assert_eq!(status["holds"][0]["kind"], "pause");
        let ran = stage.sandbox.run(&args("resume"));
        assert!(ran.code == 0 && ran.out.contains("release week"), "{}", ran.all());
    }
    assert_snapshot!(stage.sandbox.run(&["resume"]).all(), @r##"
exit 1
--- out
--- err
error: there is no pause of everything here
  help: `hydra status` lists the holds of this installation
"##);
    let json = stage.sandbox.run(&["pause", "--reason", "x", "--json"]).json();
    assert_eq!(
        (json["schema"].as_u64(), json["kind"].as_str(), json["scope"].as_str()),
        (Some(1), Some("pause"), Some("everything"))
    );
    let json = stage.sandbox.run(&["resume", "--json"]).json();
    assert_eq!((json["kind"].as_str(), json["reason"].as_str()), (Some("resume"), Some("x")));
    assert_eq!(stage.sandbox.run(&["pause", "--reason", "x", "--until", "soon"]).code, 2);
    assert_eq!(stage.sandbox.run(&["pause", "not/a/thing", "--reason", "x"]).code, 2);
    assert_eq!(stage.sandbox.run(&["poll"]).code, 0);
    assert!(stage.labels().contains("done"));
}

#[test]
fn two_polls_at_once_never_collide() {
    let stage = Stage::new("extends = \"happy\"\n[[adjust]]\nstage = \"build\"\nstep = 1\ndelay_ms = 3000\n");
    let first = stage.spawn(&["poll", "--json"]);
    stage.until_running("build");
    let second = stage.sandbox.run(&["poll"]);
    assert_eq!(second.code, 0, "{}", second.all());
    assert!(second.out.ends_with("1 issue, 1 cycle, 0 actions\n"), "{}", second.all());
    let (code, out, err) = first.end();
    assert_eq!(code, Some(0), "{out}{err}");
    assert_eq!(stage.github.pulls(REPO).len(), 1, "one pull request");
    let builds = stage
        .model
        .requests()
        .iter()
        .filter_map(|request| request.job.clone())
        .collect::<std::collections::BTreeSet<_>>();
    assert_eq!(builds.len(), 3, "one job for each stage with an agent: {builds:?}");

    // And when both start at the same moment.
    let stage = Stage::happy();
    let both = [stage.spawn(&["poll"]), stage.spawn(&["poll"])];
    for one in both {
        let (code, out, err) = one.end();
        assert_eq!(code, Some(0), "{out}{err}");
    }
    assert!(stage.labels().contains("done"));
    assert_eq!(stage.github.pulls(REPO).len(), 1);
    let jobs: Vec<String> = stage.model.requests().iter().filter_map(|request| request.job.clone()).collect();
    let distinct: std::collections::BTreeSet<_> = jobs.iter().collect();
    assert_eq!(distinct.len(), 3, "{distinct:?}");
    let comments = stage.github.issue(REPO, stage.issue).unwrap().comments;
    assert_eq!(comments.len(), 1, "one status comment, edited in place");
}

#[test]
fn sigterm_drains_the_supervisor_and_the_next_one_adopts_the_job() {
    let stage = Stage::new("extends = \"happy\"\n[[adjust]]\nstage = \"build\"\nstep = 1\ndelay_ms = 8000\n");
    let first = stage.spawn(&["supervise"]);
    let job = stage.until_running("build");
    first.signal(Signal::SIGTERM);
    let (code, out, err) = first.end();
    assert_eq!(code, Some(0), "{out}{err}");
    assert!(out.contains("1 job left to run on; the next start adopts"), "{out}");
    let status = stage.sandbox.run(&["status", "--json"]).json();
    assert_eq!(crate::stage::running(&status, "build"), Some(job.clone()), "the job runs on");
    assert_eq!(only_issue(&status)["lease"]["state"], "stale", "its holder is gone");

    let second = stage.spawn(&["supervise", "--json"]);
    stage.until("the end", |status| only_issue(status)["phase"] == "ready");
    second.signal(Signal::SIGINT);
    let (code, out, err) = second.end();
    assert_eq!(code, Some(0), "{out}{err}");
    let lines: Vec<Value> = out.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert!(lines.iter().all(|line| line["schema"] == 1));
    let ended = lines.iter().find(|line| line["event"] == "stage-ended" && line["of"]["stage"] == "build").unwrap();
    assert_eq!(ended["of"]["job"], job.as_str(), "the very job that the first one started");
    assert_eq!(lines.last().unwrap()["kind"], "supervise");
    let builds = lines.iter().filter(|line| line["event"] == "stage-started" && line["of"]["stage"] == "build").count();
    assert_eq!(builds, 0, "it was adopted, not started anew");
}

#[test]
fn a_second_signal_stops_the_jobs() {
    let stage = Stage::slow();
    let daemon = stage.spawn(&["supervise"]);
    let job = stage.until_running("build");
    daemon.signal(Signal::SIGTERM);
    std::thread::sleep(std::time::Duration::from_millis(500));
    daemon.signal(Signal::SIGTERM);
    let (code, out, err) = daemon.end();
    assert_eq!(code, Some(8), "{out}{err}");
    assert!(out.contains("stopping 1 job"), "{out}");
    let status = stage.sandbox.run(&["status", "--json"]).json();
    assert_eq!(crate::stage::running(&status, "build"), None);
    // It costs no attempt: the next start begins it anew.
    let issue = only_issue(&status);
    assert_eq!(issue["failed_attempts"], 0, "{issue:#}");
    assert!(issue["jobs"].as_array().unwrap().iter().any(|seen| seen["job"] == job.as_str()), "{issue:#}");
}

#[test]
fn an_interrupted_poll_leaves_its_job_to_the_next_one() {
    let stage = Stage::new("extends = \"happy\"\n[[adjust]]\nstage = \"build\"\nstep = 1\ndelay_ms = 6000\n");
    let poll = stage.spawn(&["poll", "--json"]);
    let job = stage.until_running("build");
    poll.signal(Signal::SIGINT);
    let (code, out, err) = poll.end();
    assert_eq!(code, Some(8), "{out}{err}");
    let json: Value = serde_json::from_str(&out).unwrap();
    assert_eq!(
        (json["interrupted"].as_bool(), json["jobs"]["adopted_by_next"][0].as_str()),
        (Some(true), Some(job.as_str()))
    );
    let ran = stage.sandbox.run(&["poll"]);
    assert!(ran.code == 0 && ran.out.contains("goes on  acme/words#1  build"), "{}", ran.all());
    assert!(stage.labels().contains("done"));
}

#[test]
fn a_cancelled_issue_is_stopped_and_held_over_restarts_until_it_is_asked_for_again() {
    let stage = Stage::slow();
    let daemon = stage.spawn(&["supervise"]);
    stage.until_running("build");
    // Every write at GitHub fails from now on; reads go on.
    use hydra_sim::github::{Fault, FaultKind, Faults, When};
    for method in ["POST", "PATCH", "DELETE", "PUT"] {
        stage.github.add_fault(Fault::new(method, "/repos/*", When::Always, FaultKind::ErrorBefore(502)));
    }
    let ran = stage.sandbox.run(&["cancel", "1", "--reason", "wrong plan"]);
    assert!(
        ran.out
            .starts_with("acme/words#1: on hold here, over restarts too (wrong plan)\nstopped hydra-words-1-g1-build"),
        "{}",
        ran.all()
    );
    stage.until("no running job", |status| crate::stage::running(status, "build").is_none());
    daemon.signal(Signal::SIGTERM);
    daemon.end();
    // A new start, with the trigger label still set: nothing is started.
    let poll = stage.sandbox.run(&["poll"]);
    assert!(!poll.out.contains("started"), "{}", poll.all());
    assert_eq!(poll.code, 5, "GitHub still refuses: {}", poll.all());
    stage.github.set_faults(Faults::default());
    let poll = stage.sandbox.run(&["poll"]);
    assert!(!poll.out.contains("started") && poll.out.contains("cancelled: wrong plan"), "{}", poll.all());
    assert!(stage.labels().contains(TRIGGER), "the label is a person's");
    let json = stage.sandbox.run(&["explain", "1", "--json"]).json();
    assert_eq!((json["phase"].as_str(), reasons(&json)), (Some("cancelled"), vec!["cancelled"]));
    // Asked for again, it goes on.
    std::thread::sleep(std::time::Duration::from_millis(1100));
    stage.github.remove_label(REPO, 1, TRIGGER, "ada").unwrap();
    stage.github.add_label(REPO, 1, TRIGGER, "ada").unwrap();
    let json = stage.sandbox.run(&["poll", "--dry-run", "--json"]).json();
    let next = only_issue(&json)["next"].as_array().unwrap();
    assert!(next.iter().any(|action| action["action"] == "start-job"), "{json:#}");
}

#[test]
fn a_cancel_without_anybody_at_work_is_shown_at_github_at_once() {
    let stage = Stage::slow();
    let poll = stage.spawn(&["poll"]);
    stage.until_running("build");
    poll.signal(Signal::SIGTERM);
    poll.end();
    let json = stage.sandbox.run(&["cancel", "1", "--json"]).json();
    assert_eq!((json["schema"].as_u64(), json["kind"].as_str()), (Some(1), Some("cancel")));
    assert_eq!(json["jobs"][0]["stopped"], true, "{json:#}");
    assert!(json["writes"].as_u64() > Some(0) && json["forge_failure"].is_null(), "{json:#}");
    let explained = stage.sandbox.run(&["explain", "1", "--json"]).json();
    assert_eq!(
        (explained["phase"].as_str(), explained["lease"]["state"].as_str()),
        (Some("cancelled"), Some("free")),
        "{explained:#}"
    );
    let issue = stage.github.issue(REPO, 1).unwrap();
    assert!(issue.comments[0].body.contains("cancelled by an operator"), "{}", issue.comments[0].body);
    assert!(!stage.labels().contains("build:running"), "{:?}", stage.labels());
}

#[test]
fn a_cancel_holds_though_github_cannot_be_reached() {
    let stage = Stage::happy();
    let api = stage.github.base_url().to_owned();
    stage.edit(&api, "http://127.0.0.1:9");
    let ran = stage.sandbox.run(&["cancel", "1"]);
    assert_eq!(ran.code, 5, "{}", ran.all());
    assert!(ran.out.contains("The hold stands all the same"), "{}", ran.all());
    stage.edit("http://127.0.0.1:9", &api);
    let poll = stage.sandbox.run(&["poll"]);
    assert!(!poll.out.contains("started"), "{}", poll.all());
    let lifted = stage.sandbox.run(&["resume", "1"]);
    assert_eq!(lifted.code, 0, "{}", lifted.all());
    assert_eq!(stage.sandbox.run(&["poll"]).code, 0);
    assert!(stage.labels().contains("done"));
}

#[test]
fn stop_ends_every_job_that_holds_a_credential_and_says_which() {
    let stage = Stage::slow();
    let daemon = stage.spawn(&["supervise"]);
    let job = stage.until_running("build");
    let none = stage.sandbox.run(&["stop", "--credential", "spare"]);
    assert!(none.code == 0 && none.out.starts_with("no job holds account:spare\n"), "{}", none.all());
    // Nothing but the account's own state changes: `spare` is set aside too now, so nothing starts with either.
    let json = stage.sandbox.run(&["stop", "--credential", "account:main", "--json"]).json();
    assert_eq!((json["schema"].as_u64(), json["kind"].as_str()), (Some(1), Some("stop")));
    assert_eq!(
        (json["jobs"][0]["job"].as_str(), json["jobs"][0]["stopped"].as_bool()),
        (Some(job.as_str()), Some(true))
    );
    assert_eq!(json["jobs"][0]["credentials"][0], "account:main");
    let status = stage.until("nothing to run with", |status| reasons(only_issue(status)).contains(&"no-account"));
    assert!(crate::stage::running(&status, "build").is_none(), "{status:#}");
    daemon.signal(Signal::SIGTERM);
    daemon.end();
    assert_snapshot!(stage.sandbox.run(&["stop", "--credential", "nobody"]).all(), @r##"
exit 2
--- out
--- err
error: there is no credential "nobody"
  help: it is one of account:main, account:spare, git:applier, git:builder, git:orchestrator, git:reviewer, git:security
"##);
    let audit = stage.sandbox.read("state/audit.jsonl");
    assert!(audit.contains("\"command\":\"stop\"") && !audit.contains("sk-ant-oat01-main"), "{audit}");
    // A replaced token starts clean.
    let text = stage.sandbox.read("secrets/credentials.json").replace("main-0000000000", "main-1111111111");
    stage.sandbox.secret("secrets/credentials.json", text);
    let json = stage.sandbox.run(&["poll", "--dry-run", "--json"]).json();
    assert!(
        only_issue(&json)["next"].as_array().unwrap().iter().any(|action| action["action"] == "start-job"),
        "{json:#}"
    );
}

#[test]
fn prune_removes_what_nobody_owns_and_keeps_the_rest() {
    let stage = Stage::slow();
    let poll = stage.spawn(&["poll"]);
    let job = stage.until_running("build");
    let kept = stage.sandbox.run(&["prune", "--json"]).json();
    assert_eq!((kept["schema"].as_u64(), kept["kind"].as_str()), (Some(1), Some("prune")));
    assert_eq!((kept["jobs"].as_array().unwrap().len(), kept["kept"][0]["job"].as_str()), (0, Some(job.as_str())));
    poll.signal(Signal::SIGTERM);
    poll.end();
    // Its orchestrator is gone, and still the next poll would adopt it.
    let kept = stage.sandbox.run(&["prune", "--json"]).json();
    assert_eq!(kept["jobs"].as_array().unwrap().len(), 0, "{kept:#}");
    // The issue is deleted: now nobody ever comes for it.
    stage.github.delete_issue(REPO, stage.issue).unwrap();
    let dry = stage.sandbox.run(&["prune", "--dry-run"]);
    assert_eq!(dry.code, 0, "{}", dry.all());
    assert!(dry.out.contains(&format!("would remove  {job}  its issue is not there any more")), "{}", dry.all());
    assert!(stage.sandbox.work(&format!("state/jobs/{job}")).exists());
    let ran = stage.sandbox.run(&["prune"]);
    assert!(ran.code == 0 && ran.out.contains(&format!("removed  {job}")), "{}", ran.all());
    assert!(!stage.sandbox.work(&format!("state/jobs/{job}")).exists());
    assert!(!stage.sandbox.work(&format!("state/orders/{job}.json")).exists());
}

#[test]
fn in_an_outage_status_says_what_this_machine_knows_and_prune_keeps_everything() {
    let stage = Stage::slow();
    let poll = stage.spawn(&["poll"]);
    let job = stage.until_running("build");
    poll.signal(Signal::SIGTERM);
    poll.end();
    let api = stage.github.base_url().to_owned();
    stage.edit(&api, "http://127.0.0.1:9");
    let ran = stage.sandbox.run(&["status"]);
    assert_eq!(ran.code, 5, "{}", ran.all());
    assert!(ran.out.contains(&job) && ran.out.contains("not seen: GitHub"), "{}", ran.all());
    let json = stage.sandbox.run(&["status", "--json"]);
    assert_eq!(json.json()["other_jobs"][0]["job"], job.as_str());
    let prune = stage.sandbox.run(&["prune"]);
    assert_eq!(prune.code, 5, "{}", prune.all());
    assert!(stage.sandbox.work(&format!("state/jobs/{job}")).exists());
    // Credentials can be taken out of use all the same.
    let stop = stage.sandbox.run(&["stop", "--credential", "main"]);
    assert!(stop.code == 0 && stop.out.contains(&format!("stopped  {job}")), "{}", stop.all());
}

#[test]
fn a_hold_on_nothing_is_refused_and_a_pause_does_not_take_a_cancel_away() {
    let nowhere = Sandbox::new();
    for args in [&["pause", "--reason", "x"][..], &["resume"], &["stop", "--credential", "git:builder"]] {
        let ran = nowhere.run(args);
        assert_eq!(ran.code, 3, "{}", ran.all());
        assert!(ran.err.contains("there is no installation of Hydra here"), "{}", ran.all());
    }
    assert!(!nowhere.work(".hydra").exists());
    // Nor does a folder that a look has left make one.
    let looked = nowhere.run(&["doctor", "--offline"]);
    assert!(nowhere.work(".hydra").exists(), "{}", looked.all());
    let ran = nowhere.run(&["pause", "--reason", "x"]);
    assert!(ran.code == 3 && ran.err.contains("there is no installation of Hydra here"), "{}", ran.all());
    assert!(!nowhere.work(".hydra/holds.json").exists());
    let sandbox = Sandbox::complete();
    for target in ["acme/wrods", "acme/wrods#1"] {
        let ran = sandbox.run(&["pause", target, "--reason", "x"]);
        assert_eq!(ran.code, 2, "{}", ran.all());
        assert!(ran.err.contains("acme/wrods is not among the repositories"), "{}", ran.all());
        assert!(ran.err.contains("they are acme/widgets"), "{}", ran.all());
    }
    let holds = r#"{"schema":1,"issues":{"acme/widgets#1":{"reason":"dangerous","until":null,"set_at":"2026-11-24T10:00:00Z","cancel":true}}}"#;
    sandbox.write(".hydra/holds.json", holds);
    let ran = sandbox.run(&["pause", "1", "--reason", "lunch", "--until", "2s"]);
    assert_eq!(ran.code, 1, "{}", ran.all());
    assert!(ran.err.contains("acme/widgets#1 is cancelled already (dangerous), and stays so"), "{}", ran.all());
    assert_eq!(sandbox.read(".hydra/holds.json"), holds);
}

/// Every credential is taken out but this one, as after a leak.
fn only(stage: &Stage, dotenv: &str) {
    stage.sandbox.secret("secrets/.env", dotenv);
    std::fs::remove_file(stage.sandbox.work("secrets/credentials.json")).unwrap_or_default();
}

#[test]
fn what_only_looks_needs_the_token_that_reads_and_no_other_credential() {
    let stage = Stage::happy();
    assert_eq!(stage.sandbox.run(&["poll"]).code, 0);
    let shown = stage.sandbox.run(&["config", "show", "--json"]).json();
    let rows = shown["values"].as_array().unwrap();
    let public = rows.iter().find(|row| row["key"] == "signing_key.public").unwrap()["value"].as_str().unwrap();
    let reads = format!("HYDRA_ORCHESTRATOR_TOKEN={}\n", secret("orchestrator"));
    only(&stage, &reads);
    stage.github.reset_log();
    let looks = [&["status"][..], &["explain", "1"], &["poll", "--dry-run"], &["prune", "--dry-run"], &["prune"]];
    // What it cannot know for want of the others is said, and what it can know is shown.
    for args in looks {
        let ran = stage.sandbox.run(args);
        assert_eq!(ran.code, 0, "{args:?}: {}", ran.all());
        for words in ["says who builder, reviewer, security, applier is", "there is no HYDRA_SIGNING_KEY"] {
            assert!(ran.err.lines().any(|line| line.starts_with("warning: ") && line.contains(words)), "{}", ran.all());
        }
    }
    let explained = stage.sandbox.run(&["explain", "1"]);
    assert!(!explained.out.contains("is ready"), "nobody vouches for the record: {}", explained.all());
    // With the public half and the names it knows everything.
    let names: String = ROLES.iter().map(|role| format!("{role} = \"{}\"\n", login(role))).collect();
    stage.configure(&format!("[keys]\npublic = [{public}]\n[github.logins]\n{names}"));
    let explained = stage.sandbox.run(&["explain", "1"]);
    assert!(explained.code == 0 && explained.out.contains("pull request #2 is ready"), "{}", explained.all());
    assert!(!explained.err.contains("says who"), "{}", explained.all());
    assert_eq!(stage.writes(), Vec::<String>::new(), "a look writes nothing");
    // What acts still needs everything.
    for args in [&["poll"][..], &["supervise"]] {
        let ran = stage.sandbox.run(args);
        assert!(ran.code == 4 && ran.err.contains("there is no key to sign verdicts with"), "{}", ran.all());
    }
    assert_eq!(stage.writes(), Vec::<String>::new());
}

#[test]
fn without_any_token_status_shows_what_this_machine_knows() {
    let stage = Stage::happy();
    assert_eq!(stage.sandbox.run(&["pause", "--reason", "a token leaked"]).code, 0);
    only(&stage, "GITHUB_ORG=acme\n");
    let ran = stage.sandbox.run(&["status"]);
    assert!(ran.code == 4 && ran.out.contains("a token leaked"), "{}", ran.all());
    assert!(ran.err.contains("no GitHub token for the role orchestrator, which reads everything"), "{}", ran.all());
    assert_eq!(ran.err.matches("error: ").count(), 1, "{}", ran.all());
    for args in [&["explain", "1"][..], &["prune"], &["poll", "--dry-run"]] {
        let ran = stage.sandbox.run(args);
        assert!(ran.code == 4 && ran.err.matches("error: ").count() == 1, "{args:?}: {}", ran.all());
    }
}
