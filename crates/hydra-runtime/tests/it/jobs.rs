//! Jobs as small shell scripts: the same for every runtime, in the tests and in the bench.

use hydra_core::{
    ContainerType, Generation, IssueKey, IssueNumber, Stage, TokenRole,
    job::{CredentialName, EnvValue, ImageRef, InputFile, JobKey, JobSpec, Network},
    persona::Limits,
};
use std::collections::BTreeMap;

pub(crate) fn key(issue: u64) -> JobKey {
    JobKey {
        issue: IssueKey { repo: "contract/own".parse().unwrap(), number: IssueNumber(issue) },
        generation: Generation(1),
        stage: Stage::Build,
        round: 0,
        attempt: 0,
    }
}

/// A job that runs `/in/script.sh` with the folder for results as its first argument.
pub(crate) fn scripted(key: JobKey, image: &ImageRef, script: &str) -> JobSpec {
    JobSpec {
        key,
        container: ContainerType::Builder,
        image: image.clone(),
        env: BTreeMap::from([("HYDRA_MODE".to_owned(), EnvValue::Plain("build".to_owned()))]),
        inputs: BTreeMap::from([("script.sh".to_owned(), InputFile::Bytes(script.as_bytes().to_vec()))]),
        spec: BTreeMap::from([("specs/a/spec.md".to_owned(), InputFile::Bytes(b"## ADDED\n".to_vec()))]),
        limits: Limits { cpu_millis: 1000, memory_mib: 128, pids: 64, minutes: 1, turns: 10 },
        tmp_mib: 16,
        workspace_mib: 32,
        network: Network::None,
        net_admin: false,
        hosts: BTreeMap::new(),
        credentials: vec![CredentialName::Account("main".parse().unwrap()), CredentialName::Git(TokenRole::Builder)],
    }
}
