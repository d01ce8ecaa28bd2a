//! What a job carries on the outside: its labels, from which any orchestrator tells whose it is and whether it is the same job.

use crate::error::{error, io_error};
use hydra_core::{
    job::{EnvValue, InputFile, JobKey, JobSpec},
    ports::{RuntimeError, RuntimeErrorKind},
};
use sha2::{Digest, Sha256};
use std::{collections::BTreeMap, fs::File, io::Read};

/// Which Hydra installation started it.
pub const LABEL_INSTANCE: &str = "hydra.instance";
/// The job's key as JSON.
pub const LABEL_KEY: &str = "hydra.key";
/// The names of the credentials that it holds or uses, joined by commas.
pub const LABEL_CREDENTIALS: &str = "hydra.credentials";
/// SHA-256 of the specification without secrets, hexadecimal.
pub const LABEL_SPEC: &str = "hydra.spec";

/// The labels of a job.
pub(crate) fn labels(instance: &str, spec: &JobSpec) -> Result<BTreeMap<String, String>, RuntimeError> {
    let key = serde_json::to_string(&spec.key)
        .map_err(|cause| error(RuntimeErrorKind::Failed, format!("cannot write the job's key: {cause}")))?;
    let credentials: Vec<String> = spec.credentials.iter().map(ToString::to_string).collect();
    Ok(BTreeMap::from([
        (LABEL_INSTANCE.to_owned(), instance.to_owned()),
        (LABEL_KEY.to_owned(), key),
        (LABEL_CREDENTIALS.to_owned(), credentials.join(",")),
        (LABEL_SPEC.to_owned(), spec_hash(spec)?),
    ]))
}

/// What the labels say.
pub(crate) struct Named {
    pub(crate) instance: String,
    pub(crate) key: Option<JobKey>,
    pub(crate) credentials: Vec<String>,
}

/// Reads labels back. An unreadable key is absent (nobody owns such a job); it is never an error that hides the others.
pub(crate) fn read(labels: &BTreeMap<String, String>) -> Named {
    let get = |label: &str| labels.get(label).map(String::as_str);
    Named {
        instance: get(LABEL_INSTANCE).unwrap_or_default().to_owned(),
        key: get(LABEL_KEY).and_then(|text| serde_json::from_str(text).ok()),
        credentials: get(LABEL_CREDENTIALS)
            .unwrap_or_default()
            .split(',')
            .filter(|name| !name.is_empty())
            .map(str::to_owned)
            .collect(),
    }
}

/// Holds an existing job's labels against those that this specification would get.
pub(crate) fn same(
    id: &str,
    wanted: &BTreeMap<String, String>,
    found: &BTreeMap<String, String>,
) -> Result<(), RuntimeError> {
    let get = |label: &str| found.get(label).map(String::as_str);
    let conflict = |message: String, hint: &str| {
        Err(RuntimeError { kind: RuntimeErrorKind::Conflict, message, hint: Some(hint.to_owned()) })
    };
    let want = |label: &str| wanted.get(label).map(String::as_str);
    if get(LABEL_INSTANCE) != want(LABEL_INSTANCE) {
        let owner = get(LABEL_INSTANCE).unwrap_or("nobody");
        return conflict(
            format!("{id} exists already and belongs to the installation {owner:?}"),
            "give each installation an `instance` of its own",
        );
    }
    if get(LABEL_SPEC) != want(LABEL_SPEC) {
        return conflict(
            format!("{id} exists already with another specification"),
            "a job is never changed: it is removed, or tried again under the next attempt",
        );
    }
    Ok(())
}

/// SHA-256 over everything of a specification but the secrets' values, hexadecimal. Inputs count by their content.
///
/// # Errors
/// When an input file cannot be read.
pub fn spec_hash(spec: &JobSpec) -> Result<String, RuntimeError> {
    let mut hash = Sha256::new();
    // Each part goes in with its length before it, so that no two specifications read the same.
    let mut part = |bytes: &[u8]| {
        hash.update((bytes.len() as u64).to_be_bytes());
        hash.update(bytes);
    };
    part(b"hydra-spec-1");
    part(spec.key.id().as_str().as_bytes());
    part(spec.container.as_str().as_bytes());
    part(spec.image.name.as_bytes());
    part(spec.image.pin.as_bytes());
    for (name, value) in &spec.env {
        part(name.as_bytes());
        match value {
            EnvValue::Plain(text) => part(format!("={text}").as_bytes()),
            EnvValue::Secret { credential, .. } => part(format!("@{credential}").as_bytes()),
        }
    }
    for (root, files) in [("/in", &spec.inputs), ("/spec", &spec.spec)] {
        for (name, file) in files {
            part(root.as_bytes());
            part(name.as_bytes());
            part(&content_hash(file)?);
        }
    }
    let limits = spec.limits;
    let numbers = [
        limits.cpu_millis,
        limits.memory_mib,
        limits.pids,
        limits.minutes,
        limits.turns,
        spec.tmp_mib,
        spec.workspace_mib,
        u32::from(spec.net_admin),
    ];
    for number in numbers {
        part(&number.to_be_bytes());
    }
    part(format!("{:?}", spec.network).as_bytes());
    for (name, address) in &spec.hosts {
        part(name.as_bytes());
        part(address.as_bytes());
    }
    for credential in &spec.credentials {
        part(credential.to_string().as_bytes());
    }
    Ok(hex(&hash.finalize()))
}

fn content_hash(file: &InputFile) -> Result<Vec<u8>, RuntimeError> {
    let mut hash = Sha256::new();
    match file {
        InputFile::Bytes(bytes) => hash.update(bytes),
        InputFile::Path(path) => {
            let broken = |cause: std::io::Error| io_error("cannot read the input", path, &cause);
            let mut reader = File::open(path).map_err(broken)?;
            let mut buffer = vec![0; 64 * 1024];
            loop {
                let read = reader.read(&mut buffer).map_err(broken)?;
                if read == 0 {
                    break;
                }
                hash.update(buffer.get(..read).unwrap_or_default());
            }
        }
    }
    Ok(hash.finalize().to_vec())
}

pub(crate) fn hex(bytes: &[u8]) -> String {
    use std::fmt::Write;
    bytes.iter().fold(String::with_capacity(bytes.len() * 2), |mut text, byte| {
        // Writing into a String cannot fail.
        let _ = write!(text, "{byte:02x}");
        text
    })
}

#[cfg(test)]
pub(crate) mod tests;
