//! The suite passes over the fake and catches every wrong runtime.

use super::{
    fake::{End, FakeRuntime, Play},
    runtime::{Behaviour, Fixture, checks, suite},
    wrong::{Fault, WrongRuntime},
};
use crate::{
    ContainerType, Timestamp, TokenRole,
    job::{CredentialName, EnvValue, ImageRef, JobKey, JobSpec, Network},
    persona::Limits,
    ports::{Clock, LogLine, Runtime},
};
use async_trait::async_trait;
use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
    time::Duration,
};

struct RealClock;

#[async_trait]
impl Clock for RealClock {
    fn now(&self) -> Timestamp {
        Timestamp::now()
    }
    async fn sleep(&self, duration: Duration) {
        tokio::time::sleep(duration).await;
    }
}

struct InMemory {
    first: Box<dyn Runtime>,
    second: Box<dyn Runtime>,
    stranger: Box<dyn Runtime>,
    patience: Duration,
}

/// The behaviour travels in a variable, as it would to a real job.
fn play(spec: &JobSpec) -> Play {
    let Some(EnvValue::Plain(does)) = spec.env.get("DOES") else { return Play::exits(0) };
    let (what, rest) = does.split_once(' ').unwrap_or((does, ""));
    let line = |stderr, text: &str| LogLine { stderr, text: text.to_owned() };
    match what {
        "exit" => Play::exits(rest.parse().unwrap()),
        "print" => {
            let (out, err): (Vec<String>, Vec<String>) = serde_json::from_str(rest).unwrap();
            let out = out.iter().map(|text| line(false, text));
            let lines = out.chain(err.iter().map(|text| line(true, text))).collect();
            Play { lines, after: Duration::from_millis(30), ..Play::exits(0) }
        }
        "write" => Play { out: serde_json::from_str(rest).unwrap(), ..Play::exits(0) },
        "link" => Play { links: BTreeSet::from(["link".to_owned()]), ..Play::exits(0) },
        "big" => {
            Play { out: BTreeMap::from([("big.bin".to_owned(), vec![0; rest.parse().unwrap()])]), ..Play::exits(0) }
        }
        "run" => Play { lines: vec![line(false, "ready")], end: End::Runs, ..Play::exits(0) },
        "deaf" => Play { lines: vec![line(false, "ready")], end: End::RunsDeaf, ..Play::exits(0) },
        other => panic!("{other}"),
    }
}

#[async_trait]
impl Fixture for InMemory {
    fn runtime(&self) -> &dyn Runtime {
        &*self.first
    }
    fn second(&self) -> &dyn Runtime {
        &*self.second
    }
    fn stranger(&self) -> &dyn Runtime {
        &*self.stranger
    }
    fn spec(&self, key: JobKey, does: &Behaviour) -> JobSpec {
        let does = match does {
            Behaviour::Exits(code) => format!("exit {code}"),
            Behaviour::Prints { stdout, stderr } => format!("print {}", serde_json::json!([stdout, stderr])),
            Behaviour::Writes(files) => format!("write {}", serde_json::to_string(files).unwrap()),
            Behaviour::WritesLink => "link".to_owned(),
            Behaviour::WritesBig(size) => format!("big {size}"),
            Behaviour::Runs => "run".to_owned(),
            Behaviour::IgnoresInterrupt => "deaf".to_owned(),
        };
        JobSpec {
            key,
            container: ContainerType::Builder,
            image: ImageRef { name: "fake".to_owned(), pin: String::new() },
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
        self.patience
    }
}

fn right() -> FakeRuntime {
    FakeRuntime::new("mine", Arc::new(RealClock), play)
}

fn run<T>(work: impl Future<Output = T>) -> T {
    tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap().block_on(work)
}

#[test]
fn the_fake_keeps_every_promise() {
    let fake = right();
    let fixture = InMemory {
        first: Box::new(fake.clone()),
        second: Box::new(fake.clone()),
        stranger: Box::new(fake.instance("theirs")),
        patience: Duration::from_secs(10),
    };
    assert_eq!(run(suite(&fixture)), Ok(()));
}

#[test]
fn every_wrong_runtime_is_caught_and_every_check_catches_one() {
    let caught = run(futures_util::future::join_all(Fault::ALL.iter().map(|fault| async move {
        let fake = right();
        let wrong = |fake: FakeRuntime| Box::new(WrongRuntime::new(fake, *fault));
        let fixture = InMemory {
            first: wrong(fake.clone()),
            second: wrong(fake.clone()),
            stranger: wrong(fake.instance("theirs")),
            patience: Duration::from_secs(2),
        };
        let violations = suite(&fixture).await.err().unwrap_or_default();
        assert!(!violations.is_empty(), "{fault:?} passes the suite");
        violations
    })));
    let caught: BTreeSet<&str> = caught.iter().flatten().map(|violation| violation.check).collect();
    let idle: Vec<&str> = checks().filter(|check| !caught.contains(check)).collect();
    assert!(idle.is_empty(), "nothing wrong is caught by: {idle:?}");
}

#[test]
fn two_places_that_do_not_know_each_other_are_caught() {
    let fixture = InMemory {
        first: Box::new(right()),
        second: Box::new(right()),
        stranger: Box::new(right().instance("theirs")),
        patience: Duration::from_secs(2),
    };
    let violations = run(suite(&fixture)).unwrap_err();
    let checks: Vec<&str> = violations.iter().map(|violation| violation.check).collect();
    assert!(checks.contains(&"another orchestrator adopts what runs"), "{violations:?}");
    assert!(checks.contains(&"starts at the same time make one job"), "{violations:?}");
}

#[test]
fn an_outage_is_an_error_and_never_an_empty_list() {
    let fake = right();
    let down = crate::ports::RuntimeError {
        kind: crate::ports::RuntimeErrorKind::Unavailable,
        message: "gone".to_owned(),
        hint: None,
    };
    fake.outage(Some(down.clone()));
    assert_eq!(run(fake.list(&crate::ports::Selector::Mine)), Err(down));
    fake.outage(None);
    assert_eq!(run(fake.list(&crate::ports::Selector::Mine)), Ok(Vec::new()));
}
