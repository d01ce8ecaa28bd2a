//! Certificate authorities of one's own: of an inspected host, and of a model API.

use super::Pass;
use crate::config::runtime::{EgressMode, ModelCredential};
use std::path::Path;

/// Bytes of an authority's file, at most.
const MOST: u64 = 256 * 1024;

/// What is to be done about an authority that cannot be used.
pub(super) const NEXT: &str = "name a file of certificates in PEM, or leave it out for the authorities of the web";

/// A file of certificates, and of nothing else.
pub(super) fn authority(path: &Path) -> Result<String, String> {
    let wrong = |why: &str| format!("{}: {why}", path.display());
    let length = std::fs::metadata(path).map_err(|error| wrong(&crate::failure::in_words(&error)))?.len();
    if length > MOST {
        return Err(wrong("it is larger than 256 KiB"));
    }
    let pem = std::fs::read_to_string(path).map_err(|error| wrong(&crate::failure::in_words(&error)))?;
    if pem.contains("PRIVATE KEY") {
        return Err(wrong("it holds a private key; only certificates belong into it"));
    }
    if !pem.contains("-----BEGIN CERTIFICATE-----") {
        return Err(wrong("it holds no certificate in PEM"));
    }
    Ok(pem)
}

/// Whom the gate believes in the place of the web's authorities when it asks the model API.
pub(super) fn of_the_model(pass: &mut Pass<'_>, root: &Path) -> Option<String> {
    let file = pass.values.models.authority_file.as_ref()?;
    let key = "models.authority_file";
    let (mode, credential) = (pass.values.egress.mode, pass.values.credentials.model);
    if mode != EgressMode::Isolated || credential != ModelCredential::Withheld {
        let help =
            "set egress.mode = \"isolated\" and credentials.model = \"withheld\", or leave the file out".to_owned();
        pass.report(key, "only a gate that signs for the agent can be told whom to believe", help);
    } else if !pass.values.models.base_url.as_ref().is_some_and(|url| url.starts_with("https://")) {
        let help = "set `models.base_url` to the API that the authority stands for, or leave the file out".to_owned();
        pass.report(key, "there is no `models.base_url` that begins with https://", help);
    }
    authority(&root.join(file)).map_err(|why| pass.report(key, why, NEXT)).ok()
}
