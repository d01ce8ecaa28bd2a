//! The Docker runtime on a real engine: under the suite, and what is its alone.

mod broken;
mod engine_proxy;
mod faults;
mod gated;
pub(crate) mod image;
mod lives;
mod netinit;
mod parts;
mod range;
mod registry;
mod rows;
mod rows_gate;
mod rows_near;
mod services;
mod starts;
mod tools;

use crate::jobs::{key, scripted};
use futures_util::StreamExt;
use hydra_core::{
    job::{ImageRef, JobSpec, RuntimeStatus},
    ports::{Runtime, Selector},
};
use hydra_runtime::{DockerConfig, DockerRuntime};
use image::docker;
use std::{
    sync::atomic::{AtomicU64, Ordering},
    time::Duration,
};

const SOCKET: &str = "/var/run/docker.sock";

/// An installation of a test's own: its jobs are named like no other's, and at its end nothing of them may be left.
pub(crate) struct Yard {
    pub(crate) instance: String,
    pub(crate) runtime: DockerRuntime,
    jobs: Vec<JobSpec>,
}

static COUNT: AtomicU64 = AtomicU64::new(0);

/// What an orchestrator of this installation sees.
pub(crate) fn runtime(instance: &str) -> DockerRuntime {
    DockerRuntime::new(DockerConfig { socket: SOCKET.into(), instance: instance.to_owned() })
}

pub(crate) fn image() -> ImageRef {
    ImageRef { name: "hydra-test-busybox".to_owned(), pin: image::busybox().to_owned() }
}

impl Yard {
    pub(crate) fn new() -> Self {
        let number = COUNT.fetch_add(1, Ordering::SeqCst);
        let instance = format!("yard-{}-{number}", std::process::id());
        Self { runtime: runtime(&instance), instance, jobs: Vec::new() }
    }

    /// A job that runs this script in the tiny image.
    pub(crate) fn job(&mut self, script: &str) -> JobSpec {
        // Numbers that no other test and no other run of the tests uses.
        let number = u64::from(std::process::id()) * 1000 + COUNT.fetch_add(1, Ordering::SeqCst);
        let spec = scripted(key(number), &image(), script);
        self.jobs.push(spec.clone());
        spec
    }

    /// Removes the jobs, and holds that nothing of them stays.
    pub(crate) async fn clear(self) {
        for spec in &self.jobs {
            self.runtime.remove(&spec.key.id()).await.unwrap();
        }
        assert_eq!(self.left(), "", "something of this test is left");
    }

    /// Every container and volume that bears this installation's name.
    pub(crate) fn left(&self) -> String {
        let label = format!("label=hydra.instance={}", self.instance);
        let containers = docker(&["ps", "-a", "--filter", &label, "--format", "container {{.Names}}"]);
        let volumes = docker(&["volume", "ls", "--filter", &label, "--format", "volume {{.Name}}"]);
        format!("{containers}\n{volumes}").trim().to_owned()
    }
}

pub(crate) async fn status(runtime: &dyn Runtime, spec: &JobSpec) -> Option<RuntimeStatus> {
    runtime.list(&Selector::Job(spec.key.id())).await.unwrap().pop().map(|seen| seen.status)
}

/// Waits for the end of a job.
pub(crate) async fn ended(runtime: &dyn Runtime, spec: &JobSpec) -> RuntimeStatus {
    for _ in 0..600 {
        match status(runtime, spec).await.unwrap() {
            RuntimeStatus::Created | RuntimeStatus::Running => tokio::time::sleep(Duration::from_millis(50)).await,
            status => return status,
        }
    }
    panic!("{} does not end", spec.key.id());
}

/// Its exit code and whether it ran out of memory.
pub(crate) async fn exit(runtime: &dyn Runtime, spec: &JobSpec) -> (i64, bool) {
    match ended(runtime, spec).await {
        RuntimeStatus::Exited { code, oom, .. } => (code, oom),
        status => panic!("{status:?}"),
    }
}

/// Its standard output.
pub(crate) async fn output(runtime: &dyn Runtime, spec: &JobSpec) -> Vec<String> {
    let lines = runtime.follow(&spec.key.id()).await.unwrap();
    lines.filter_map(|line| async { line.ok().filter(|line| !line.stderr).map(|line| line.text) }).collect().await
}

/// Waits until it says that it is ready.
pub(crate) async fn ready(runtime: &dyn Runtime, spec: &JobSpec) {
    let mut lines = runtime.follow(&spec.key.id()).await.unwrap();
    while let Some(line) = lines.next().await {
        if line.unwrap().text == "ready" {
            return;
        }
    }
    panic!("{} ended before it was ready", spec.key.id());
}
