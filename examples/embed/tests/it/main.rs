//! The runtime of the example passes the core's contract suite, one that forgets does not, and the program says what it judged.
#![expect(clippy::unwrap_used, reason = "a test that cannot be set up has failed")]

use async_trait::async_trait;
use futures_util::{FutureExt, stream::BoxStream};
use hydra_core::{
    ContainerType, JobId, TokenRole,
    contract::runtime::{Behaviour, Fixture, suite},
    job::{CredentialName, EnvValue, ImageRef, JobKey, JobSpec, Network, Observed},
    persona::Limits,
    ports::{Collected, LogLine, Runtime, RuntimeError, Selector, Started},
};
use hydra_example_embed::{Desk, TaskRuntime};
use std::{collections::BTreeMap, process::Command, time::Duration};

struct Place<R> {
    first: R,
    second: R,
    stranger: R,
}

/// The behaviour travels in a variable, as it would to a real job.
async fn work(mut desk: Desk) -> i64 {
    let Some(EnvValue::Plain(does)) = desk.spec().env.get("DOES").cloned() else { return 99 };
    let (what, rest) = does.split_once(' ').unwrap_or((&does, ""));
    match what {
        "exits" => return rest.parse().unwrap(),
        "prints" => {
            let (out, err): (Vec<String>, Vec<String>) = serde_json::from_str(rest).unwrap();
            out.into_iter().for_each(|text| desk.say(false, text));
            err.into_iter().for_each(|text| desk.say(true, text));
        }
        "writes" => {
            let files: BTreeMap<String, Vec<u8>> = serde_json::from_str(rest).unwrap();
            files.iter().for_each(|(path, bytes)| desk.leave(path, bytes).unwrap());
        }
        "links" => std::os::unix::fs::symlink("/etc/hostname", desk.out().join("link")).unwrap(),
        "fills" => desk.leave("big.bin", &vec![0; rest.parse().unwrap()]).unwrap(),
        "runs" => {
            desk.say(false, "ready");
            desk.interrupted().await;
            return 130;
        }
        "deaf" => {
            desk.say(false, "ready");
            tokio::time::sleep(Duration::from_secs(600)).await;
        }
        other => panic!("{other}"),
    }
    0
}

#[async_trait]
impl<R: Runtime> Fixture for Place<R> {
    fn runtime(&self) -> &dyn Runtime {
        &self.first
    }
    fn second(&self) -> &dyn Runtime {
        &self.second
    }
    fn stranger(&self) -> &dyn Runtime {
        &self.stranger
    }
    fn spec(&self, key: JobKey, does: &Behaviour) -> JobSpec {
        let does = match does {
            Behaviour::Exits(code) => format!("exits {code}"),
            Behaviour::Prints { stdout, stderr } => format!("prints {}", serde_json::json!([stdout, stderr])),
            Behaviour::Writes(files) => format!("writes {}", serde_json::to_string(files).unwrap()),
            Behaviour::WritesLink => "links".to_owned(),
            Behaviour::WritesBig(size) => format!("fills {size}"),
            Behaviour::Runs => "runs".to_owned(),
            Behaviour::IgnoresInterrupt => "deaf".to_owned(),
        };
        JobSpec {
            key,
            container: ContainerType::Builder,
            image: ImageRef { name: "none".to_owned(), pin: String::new() },
            env: BTreeMap::from([("DOES".to_owned(), EnvValue::Plain(does))]),
            inputs: BTreeMap::new(),
            spec: BTreeMap::new(),
            limits: Limits { cpu_millis: 1000, memory_mib: 64, pids: 16, minutes: 1, turns: 1 },
            tmp_mib: 1,
            workspace_mib: 1,
            network: Network::None,
            net_admin: false,
            hosts: BTreeMap::new(),
            credentials: vec![CredentialName::Git(TokenRole::Builder)],
        }
    }
    async fn sleep(&self, duration: Duration) {
        tokio::time::sleep(duration).await;
    }
    fn patience(&self) -> Duration {
        Duration::from_secs(10)
    }
}

fn runtime() -> TaskRuntime {
    TaskRuntime::new("mine", |desk| work(desk).boxed())
}

#[tokio::test]
async fn the_runtime_keeps_every_promise() {
    let first = runtime();
    let place = Place { second: first.clone(), stranger: first.instance("theirs"), first };
    assert_eq!(suite(&place).await, Ok(()));
}

/// It does not look whether a job is there already.
struct Forgetful(TaskRuntime);

#[async_trait]
impl Runtime for Forgetful {
    async fn start(&self, spec: &JobSpec) -> Result<Started, RuntimeError> {
        self.0.remove(&spec.key.id()).await?;
        self.0.start(spec).await
    }
    async fn list(&self, which: &Selector) -> Result<Vec<Observed>, RuntimeError> {
        self.0.list(which).await
    }
    async fn follow(&self, job: &JobId) -> Result<BoxStream<'static, Result<LogLine, RuntimeError>>, RuntimeError> {
        self.0.follow(job).await
    }
    async fn collect(&self, job: &JobId, max_bytes: u64) -> Result<Collected, RuntimeError> {
        self.0.collect(job, max_bytes).await
    }
    async fn stop(&self, job: &JobId, grace: Duration) -> Result<(), RuntimeError> {
        self.0.stop(job, grace).await
    }
    async fn remove(&self, job: &JobId) -> Result<(), RuntimeError> {
        self.0.remove(job).await
    }
    async fn remains(&self) -> Result<Vec<JobId>, RuntimeError> {
        self.0.remains().await
    }
}

#[tokio::test]
async fn one_that_forgets_what_it_started_is_caught() {
    let first = runtime();
    let place = Place {
        second: Forgetful(first.clone()),
        stranger: Forgetful(first.instance("theirs")),
        first: Forgetful(first),
    };
    let caught: Vec<&str> = suite(&place).await.unwrap_err().iter().map(|violation| violation.check).collect();
    for check in ["a start is idempotent", "another orchestrator adopts what runs"] {
        assert!(caught.contains(&check), "{caught:?}");
    }
}

#[test]
fn the_program_says_what_it_judged() {
    let ran = Command::new(env!("CARGO_BIN_EXE_hydra-example-embed")).output().unwrap();
    let said = String::from_utf8(ran.stdout).unwrap();
    assert!(ran.status.success(), "{}", String::from_utf8_lossy(&ran.stderr));
    assert!(said.starts_with("CRITICAL run.sh: the first argument is run as a command\n"), "{said}");
    assert!(said.trim_end().ends_with(": fail"), "{said}");
}
