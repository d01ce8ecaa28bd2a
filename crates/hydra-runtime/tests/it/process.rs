//! The process runtime: under the suite, and outliving its orchestrator.

use crate::{
    bench::Bench,
    jobs::{key, scripted},
};
use futures_util::StreamExt;
use hydra_core::{
    contract::runtime::suite,
    job::{EnvValue, ImageRef, JobSpec, RuntimeStatus},
    ports::{Runtime, RuntimeErrorKind, Selector, Started},
};
use hydra_runtime::{ProcessConfig, ProcessRuntime};
use std::{collections::BTreeMap, fs, path::Path, time::Duration};

fn runtime(state: &Path, instance: &str) -> ProcessRuntime {
    // Called as `sh -c … agent --in IN --out OUT --workspace W --spec S`.
    let args = ["-c", r#"exec /bin/sh "$2/script.sh" "$4" "$6" "$8""#, "agent"];
    ProcessRuntime::new(ProcessConfig {
        state_dir: state.to_owned(),
        program: "/bin/sh".into(),
        args: args.map(str::to_owned).to_vec(),
        instance: instance.to_owned(),
        extra_env: BTreeMap::from([("EXTRA".to_owned(), "given".to_owned())]),
    })
    .unwrap()
}

fn job(issue: u64, script: &str) -> JobSpec {
    scripted(key(issue), &ImageRef { name: "process".to_owned(), pin: String::new() }, script)
}

async fn ended(runtime: &dyn Runtime, spec: &JobSpec) -> RuntimeStatus {
    loop {
        let seen = runtime.list(&Selector::Job(spec.key.id())).await.unwrap();
        match &seen.first().unwrap().status {
            RuntimeStatus::Created | RuntimeStatus::Running => tokio::time::sleep(Duration::from_millis(10)).await,
            status => return status.clone(),
        }
    }
}

async fn output(runtime: &dyn Runtime, spec: &JobSpec) -> Vec<String> {
    let lines = runtime.follow(&spec.key.id()).await.unwrap();
    lines.map(|line| line.unwrap().text).collect().await
}

#[tokio::test(flavor = "multi_thread")]
async fn it_keeps_the_contract() {
    let state = tempfile::tempdir().unwrap();
    let bench = Bench {
        first: runtime(state.path(), "mine"),
        second: runtime(state.path(), "mine"),
        stranger: runtime(state.path(), "theirs"),
        image: ImageRef { name: "process".to_owned(), pin: String::new() },
    };
    assert_eq!(suite(&bench).await, Ok(()));
}

#[tokio::test]
async fn the_environment_is_what_was_given_and_the_secret_is_on_no_disk() {
    let state = tempfile::tempdir().unwrap();
    let runtime = runtime(state.path(), "mine");
    let mut spec = job(
        1,
        "env | cut -d= -f1 | sort | tr '\\n' ' '\necho\necho ${#TOKEN}\necho $HOME $PWD\ncat \"$3/specs/a/spec.md\"",
    );
    let value = "tok3n-0f-a-kind".to_owned().into();
    spec.env.insert("TOKEN".to_owned(), EnvValue::Secret { credential: "git:builder".to_owned(), value });
    runtime.start(&spec).await.unwrap();
    let lines = output(&runtime, &spec).await;
    let root = state.path().join("jobs").join(spec.key.id().as_str());
    assert_eq!(lines[0].trim(), "EXTRA HOME HYDRA_MODE LANG PATH PWD TMPDIR TOKEN");
    assert_eq!(lines[1], "15");
    assert_eq!(lines[2], format!("{0}/home {0}/workspace", root.display()));
    assert_eq!(lines[3], "## ADDED");
    let mut folders = vec![root];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
            } else {
                let content = fs::read(&path).unwrap();
                assert!(!String::from_utf8_lossy(&content).contains("tok3n"), "{}", path.display());
            }
        }
    }
}

#[tokio::test]
async fn a_stop_ends_the_whole_group_and_the_end_leaves_nothing_running() {
    let state = tempfile::tempdir().unwrap();
    let runtime = runtime(state.path(), "mine");
    // One that leaves a child behind at its end, one that is stopped with a child that takes no notice.
    let leaves = job(1, "sleep 601 &\necho $!");
    let stopped = job(2, "(trap '' INT; exec sleep 602) &\necho $!\ntrap 'exit 5' INT\nwhile :; do sleep 0.05; done");
    for spec in [&leaves, &stopped] {
        runtime.start(spec).await.unwrap();
    }
    let first = output(&runtime, &leaves).await;
    assert!(matches!(ended(&runtime, &leaves).await, RuntimeStatus::Exited { code: 0, .. }));
    let mut lines = runtime.follow(&stopped.key.id()).await.unwrap();
    let second = lines.next().await.unwrap().unwrap().text;
    runtime.stop(&stopped.key.id(), Duration::from_secs(10)).await.unwrap();
    assert!(matches!(ended(&runtime, &stopped).await, RuntimeStatus::Exited { code: 5, .. }));
    for pid in [&first[0], &second] {
        let gone = || fs::read_to_string(format!("/proc/{pid}/stat")).map_or(true, |stat| stat.contains(") Z "));
        for _ in 0..200 {
            if gone() {
                break;
            }
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        assert!(gone(), "process {pid} outlives its job");
    }
}

#[tokio::test]
async fn a_killed_process_is_lost_and_not_taken_for_another() {
    let state = tempfile::tempdir().unwrap();
    let runtime = runtime(state.path(), "mine");
    let spec = job(1, "echo ready\nexec sleep 600");
    runtime.start(&spec).await.unwrap();
    runtime.follow(&spec.key.id()).await.unwrap().next().await.unwrap().unwrap();
    let file = state.path().join("jobs").join(spec.key.id().as_str()).join("process.json");
    let process: serde_json::Value = serde_json::from_slice(&fs::read(&file).unwrap()).unwrap();
    let group = i32::try_from(process["pid"].as_i64().unwrap()).unwrap();
    nix::sys::signal::killpg(nix::unistd::Pid::from_raw(group), nix::sys::signal::Signal::SIGKILL).unwrap();
    let RuntimeStatus::Lost { why } = ended(&runtime, &spec).await else { panic!("it must be lost") };
    assert!(why.contains("left no exit code"), "{why}");
    assert_eq!(runtime.start(&spec).await, Ok(Started::Adopted), "a lost job is never started again under its name");
}

#[tokio::test]
async fn a_start_that_was_cut_short_is_finished_by_the_next_one() {
    let state = tempfile::tempdir().unwrap();
    let runtime = runtime(state.path(), "mine");
    let spec = job(1, "echo once");
    runtime.start(&spec).await.unwrap();
    ended(&runtime, &spec).await;
    // What a crash between the claim and the program leaves: the folder, and perhaps the number of a shell that was never let go.
    let root = state.path().join("jobs").join(spec.key.id().as_str());
    for name in ["exit", "started", "stdout.log", "stderr.log"] {
        fs::remove_file(root.join(name)).unwrap();
    }
    let seen = runtime.list(&Selector::Mine).await.unwrap();
    assert_eq!(seen[0].status, RuntimeStatus::Created);
    assert_eq!(runtime.start(&spec).await, Ok(Started::New));
    assert_eq!(output(&runtime, &spec).await, ["once"]);
}

#[tokio::test]
async fn the_errors_name_the_cause_and_the_next_step() {
    let state = tempfile::tempdir().unwrap();
    let missing = ProcessRuntime::new(ProcessConfig {
        state_dir: state.path().to_owned(),
        program: "/nowhere/hydra".into(),
        args: Vec::new(),
        instance: "mine".to_owned(),
        extra_env: BTreeMap::new(),
    });
    let error = missing.unwrap_err();
    assert_eq!(error.kind, RuntimeErrorKind::Refused);
    assert_eq!(
        error.to_string(),
        "the program for jobs is not there: /nowhere/hydra (it is the hydra executable itself)"
    );
}
