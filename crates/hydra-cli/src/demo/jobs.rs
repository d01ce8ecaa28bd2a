//! The demo's own jobs: the name that they run under, so that two demos on one engine never touch each other's, and how they are taken away.

use crate::{exit::Exit, failure::Failure};
use hydra_core::{
    JobId,
    digest::sha256_hex,
    ports::{Runtime, RuntimeError, Selector},
};
use hydra_engine::lease_owner;

/// What the name of every demo's installation begins with.
const PREFIX: &str = "demo-";

/// The name of this demo's installation: which machine, which process.
#[must_use]
pub fn instance() -> String {
    let (machine, process) = this_process();
    format!("{PREFIX}{}-{process}", digits(&machine))
}

/// The two parts of a lease owner's name: machine, and process with its start.
fn this_process() -> (String, String) {
    let whole = lease_owner::this_process("demo");
    whole.rsplit_once('/').map_or_else(|| (whole.clone(), "0-0".to_owned()), |(a, b)| (a.to_owned(), b.to_owned()))
}

fn digits(machine: &str) -> String {
    sha256_hex(machine.as_bytes()).chars().take(8).collect()
}

/// Whether that is a demo of this machine whose process does not run any more.
fn is_gone(instance: &str) -> bool {
    let (machine, _) = this_process();
    let process =
        instance.strip_prefix(PREFIX).and_then(|rest| rest.strip_prefix(&digits(&machine))?.strip_prefix('-'));
    process.is_some_and(|process| lease_owner::is_gone(&format!("{machine}/{process}")))
}

/// Takes away what demos that were killed have left on an engine. Jobs are named by the issue, and that is every demo's: two cannot run at once.
///
/// # Errors
/// When another demo has jobs there, or the engine refuses.
pub async fn make_room(runtime: &dyn Runtime) -> Result<(), Failure> {
    let mut jobs = runtime.list(&Selector::Any).await?;
    jobs.retain(|job| job.instance == "demo" || job.instance.starts_with(PREFIX));
    if let Some(other) = jobs.iter().find(|job| !is_gone(&job.instance)) {
        return Err(Failure::new(Exit::Runtime, format!("another demo has a job on this engine: {}", other.id))
            .help(format!("wait until it ends; when none runs, `docker rm -f {}`", other.id)));
    }
    for job in jobs {
        tracing::info!(job = %job.id, instance = job.instance, "a demo that was killed has left it");
        runtime.remove(&job.id).await?;
    }
    Ok(())
}

/// Takes every job of this demo away, with its fence and volumes; says which stay, and why.
///
/// # Errors
/// When the runtime does not say which there are.
pub async fn take_away(runtime: &dyn Runtime) -> Result<Vec<(JobId, RuntimeError)>, RuntimeError> {
    let mut left = Vec::new();
    for job in runtime.list(&Selector::Mine).await? {
        if let Err(error) = runtime.remove(&job.id).await {
            left.push((job.id, error));
        }
    }
    Ok(left)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_demo_that_runs_is_not_gone_and_one_that_was_killed_is() {
        let own = instance();
        assert!(own.len() <= 40, "{own}");
        assert!(!is_gone(&own));
        let (front, _) = own.rsplit_once('-').unwrap();
        assert!(is_gone(&format!("{front}-1")), "the number was given to another process");
        for elsewhere in ["demo", "demo-00000000-4194999-1", "local", ""] {
            assert!(!is_gone(elsewhere), "{elsewhere}");
        }
    }
}
