//! `--after DIR`: what an earlier stage by hand found becomes the task of this one: blocking findings, and red checks.

use crate::{exit::Exit, failure::Failure};
use hydra_core::{
    contract_files::JobResult,
    plan::Task,
    verdict::{RequirementState, judge::open_of, parse::parse},
};
use std::{
    io::ErrorKind,
    path::{Path, PathBuf},
};

/// Reads the results that were kept in a folder.
pub(super) fn task(folder: &Path) -> Result<Task, Failure> {
    let mut task = Task::default();
    let verdict = folder.join("verdict.json");
    if let Some(bytes) = read(&verdict)? {
        let verdict = parse(&bytes).map_err(|error| unusable(&verdict, &error.to_string()))?;
        if !verdict.pass || verdict.requirements.iter().any(|judged| judged.state == RequirementState::Unmet) {
            task.findings = open_of(&verdict);
        }
    }
    let result = folder.join("result.json");
    if let Some(bytes) = read(&result)? {
        let result: JobResult =
            serde_json::from_slice(&bytes).map_err(|error| unusable(&result, &error.to_string()))?;
        task.red.extend(result.commands.into_iter().filter(|command| command.exit != 0));
    }
    if task.findings.is_empty() && task.red.is_empty() {
        return Err(Failure::new(Exit::Usage, format!("--after {}: nothing in it blocks or is red", folder.display()))
            .help("name the folder that a review or a quality run by hand kept its results in"));
    }
    Ok(task)
}

fn read(path: &PathBuf) -> Result<Option<Vec<u8>>, Failure> {
    match std::fs::read(path) {
        Ok(bytes) => Ok(Some(bytes)),
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(None),
        Err(error) => Err(Failure::local(format_args!("{} cannot be read", path.display()), &error)),
    }
}

fn unusable(path: &Path, why: &str) -> Failure {
    Failure::new(Exit::Usage, format!("{} cannot be used: {why}", path.display()))
}
