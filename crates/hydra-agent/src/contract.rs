//! The input contract: what a job is told by its environment and by `/in`. Everything that is missing is said at once.

use crate::{args::AgentArgs, drivers::Driver, environment::Environment};
use hydra_core::{
    Stage,
    contract_files::{JobInput, SCHEMA},
};
use std::{
    io::Read,
    path::{Path, PathBuf},
};

/// Largest `job.json`, in bytes.
const MAX_JOB: u64 = 1 << 20;
/// Largest `prompt.md` or `system.md`, in bytes.
const MAX_PROMPT: u64 = 8 << 20;

/// A job that may begin.
#[derive(Debug, Clone)]
pub struct Contract {
    /// `/in/job.json`.
    pub job: JobInput,
    /// The coding agent; none for quality.
    pub driver: Option<Driver>,
    /// `/in/prompt.md`.
    pub prompt: String,
    /// `/in/system.md`.
    pub system: String,
    /// `/in/repo.bundle`.
    pub bundle: PathBuf,
}

/// The contract is not met.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{}", .problems.join("; "))]
pub struct ContractError {
    /// Each problem, by name, with the next step.
    pub problems: Vec<String>,
}

/// Whether the job was started by the documented command line, without `/in/job.json`.
#[must_use]
pub fn is_literal(args: &AgentArgs) -> bool {
    !args.input.join("job.json").exists()
}

/// Reads and checks it.
///
/// # Errors
/// Every problem at once.
pub fn read(env: &Environment, args: &AgentArgs) -> Result<Contract, ContractError> {
    let mut problems = Vec::new();
    for (name, step) in [
        ("REPO_URL", "set it to the target repository's address"),
        ("ISSUE_URL", "set it to the issue's address"),
        ("SPEC_PATH", "set it to the folder of the change, /spec in a container"),
        ("HYDRA_MODE", "set it to the stage, such as build"),
        ("HYDRA_JOB", "set it to the job's name, as in job.json"),
        ("GITHUB_ORG", "set it to the organisation"),
    ] {
        if env.get(name).is_none() {
            problems.push(format!("{name} is not set: {step}"));
        }
    }
    let job = read_job(&args.input.join("job.json")).map_err(|problem| problems.push(problem)).ok();
    let mut contract = None;
    if let Some(job) = job {
        if let Some(mode) = env.get("HYDRA_MODE").filter(|mode| *mode != job.stage.as_str()) {
            let known = mode.parse::<Stage>().err().map(|error| format!(" ({error})")).unwrap_or_default();
            problems.push(format!(
                "HYDRA_MODE is {mode:?}, job.json says {:?}: make them equal{known}",
                job.stage.as_str()
            ));
        }
        if let Some(name) = env.get("HYDRA_JOB").filter(|name| *name != job.job.as_str()) {
            problems.push(format!("HYDRA_JOB is {name:?}, job.json says {:?}: make them equal", job.job.as_str()));
        }
        contract = check_job(job, env, args, &mut problems);
    }
    match contract {
        Some(contract) if problems.is_empty() => Ok(contract),
        Some(_) | None => Err(ContractError { problems }),
    }
}

fn read_job(path: &Path) -> Result<JobInput, String> {
    let text = read_text(path, MAX_JOB, "it is the job's description, written by the orchestrator")?;
    let job: JobInput = serde_json::from_str(&text)
        .map_err(|error| format!("{}: {error}: hydra and the image must be of one version", path.display()))?;
    if job.schema != SCHEMA {
        return Err(format!(
            "{} has schema {}, this image reads {SCHEMA}: hydra and the image must be of one version",
            path.display(),
            job.schema
        ));
    }
    Ok(job)
}

fn check_job(job: JobInput, env: &Environment, args: &AgentArgs, problems: &mut Vec<String>) -> Option<Contract> {
    let bundle = args.input.join("repo.bundle");
    if !bundle.is_file() {
        problems.push(format!("{} is not there: it brings the repository", bundle.display()));
    }
    let (mut driver, mut prompt, mut system) = (None, String::new(), String::new());
    if job.stage.has_agent() {
        match job.driver.as_deref().map(str::parse::<Driver>) {
            Some(Ok(known)) => driver = Some(known),
            Some(Err(error)) => problems.push(error.to_string()),
            None => problems.push("job.json names no driver: set the persona's driver".into()),
        }
        if job.model.is_none() {
            problems.push("job.json names no model: set the persona's model".into());
        }
        let mut read = |name: &str, what: &str| {
            read_text(&args.input.join(name), MAX_PROMPT, what)
                .map_err(|problem| problems.push(problem))
                .unwrap_or_default()
        };
        prompt = read("prompt.md", "it is the task");
        system = read("system.md", "it is the persona's prompt");
        if let Some(driver) = driver {
            problems.extend(missing_credential(driver, env));
        }
    } else if job.commands.is_empty() {
        problems.push("job.json holds no command for the quality stage: set them in .hydra.toml".into());
    }
    Some(Contract { job, driver, prompt, system, bundle })
}

/// What to say when none of the driver's credentials is there.
pub(crate) fn missing_credential(driver: Driver, env: &Environment) -> Option<String> {
    let wanted = driver.credentials();
    let there = wanted.is_empty() || wanted.iter().any(|name| env.get(name).is_some());
    (!there).then(|| format!("none of {} is set: the driver {} needs one", wanted.join(", "), driver.name()))
}

fn read_text(path: &Path, max: u64, what: &str) -> Result<String, String> {
    let file =
        std::fs::File::open(path).map_err(|error| format!("{} cannot be read ({error}): {what}", path.display()))?;
    let mut text = String::new();
    file.take(max + 1).read_to_string(&mut text).map_err(|error| format!("{}: {error}", path.display()))?;
    if text.len() as u64 > max {
        return Err(format!("{} is larger than {max} bytes: make it shorter", path.display()));
    }
    Ok(text)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn everything_that_is_missing_is_said_at_once() {
        let folder = tempfile::tempdir().unwrap();
        let args = AgentArgs { input: folder.path().into(), ..AgentArgs::default() };
        std::fs::write(folder.path().join("job.json"), "{}").unwrap();
        let error = read(&[("REPO_URL", "x"), ("GITHUB_ORG", "")].into_iter().collect(), &args).unwrap_err();
        let text = error.to_string();
        for name in ["ISSUE_URL", "SPEC_PATH", "HYDRA_MODE", "HYDRA_JOB", "GITHUB_ORG", "job.json"] {
            assert!(text.contains(name), "{name} in {text}");
        }
        assert!(!text.contains("REPO_URL"), "{text}");
    }
}
