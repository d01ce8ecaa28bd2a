//! The files of a gate: its configuration, and what it holds and no agent does. Only the gate's user can read them.

use hydra_core::job::Gated;
use secrecy::{ExposeSecret as _, SecretString};
use std::collections::BTreeMap;

/// Nobody: the user of holder and gate.
pub(super) const NOBODY: u64 = 65_534;

/// As an archive for the gate's folder.
pub(super) fn archive(gated: &Gated) -> Result<Vec<u8>, String> {
    let held = &gated.withheld;
    let mut files = vec![
        ("gate.json", json(&gated.config)?),
        ("accounts.json", json(&exposed(&held.accounts))?),
        ("registries.json", json(&exposed(&held.registries))?),
    ];
    if let Some(certificate) = &held.certificate {
        files.push(("inspect.pem", certificate.expose_secret().as_bytes().to_vec()));
    }
    let mut archive = tar::Builder::new(Vec::new());
    for (name, text) in files {
        let mut header = tar::Header::new_gnu();
        header.set_mode(0o400);
        header.set_size(text.len() as u64);
        header.set_uid(NOBODY);
        header.set_gid(NOBODY);
        header.set_mtime(0);
        archive.append_data(&mut header, name, text.as_slice()).map_err(|cause| cause.to_string())?;
    }
    archive.into_inner().map_err(|cause| cause.to_string())
}

fn json(value: &impl serde::Serialize) -> Result<Vec<u8>, String> {
    serde_json::to_vec(value).map_err(|cause| cause.to_string())
}

fn exposed<K: ToString>(secrets: &BTreeMap<K, SecretString>) -> BTreeMap<String, &str> {
    secrets.iter().map(|(name, value)| (name.to_string(), value.expose_secret())).collect()
}
