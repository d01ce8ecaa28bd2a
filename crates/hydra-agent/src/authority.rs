//! Inspected hosts speak under an authority of this job: the tools that are started are told to believe in it, besides those of the image.

use crate::environment::Environment;
use std::{fs, io, path::Path};

/// The job's authority, among the inputs.
const OWN: &str = "egress-ca.pem";
/// Where images keep the authorities of the web.
const WEB: [&str; 3] = ["/etc/ssl/certs/ca-certificates.crt", "/etc/pki/tls/certs/ca-bundle.crt", "/etc/ssl/cert.pem"];
/// Variables that name a file with every authority: OpenSSL, curl, Python's requests and pip, git, cargo.
const ALL: [&str; 6] =
    ["SSL_CERT_FILE", "CURL_CA_BUNDLE", "REQUESTS_CA_BUNDLE", "PIP_CERT", "GIT_SSL_CAINFO", "CARGO_HTTP_CAINFO"];
/// The variable that names further ones: Node.
const FURTHER: &str = "NODE_EXTRA_CA_CERTS";

/// The environment with what tools need to believe, where the job has an authority of its own.
pub(crate) fn believed(env: Environment, input: &Path, temporary: &Path) -> io::Result<Environment> {
    let own = input.join(OWN);
    let text = match fs::read(&own) {
        Ok(text) => text,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(env),
        Err(error) => return Err(error),
    };
    let named = env.get("SSL_CERT_FILE").map(str::to_owned);
    let web = named.iter().map(String::as_str).chain(WEB).find_map(|path| fs::read(path).ok()).unwrap_or_default();
    let bundle = temporary.join("hydra-authorities.pem");
    fs::write(&bundle, [web.as_slice(), b"\n", &text].concat())?;
    let env = ALL.iter().fold(env, |env, name| env.with(name, &bundle.to_string_lossy()));
    Ok(env.with(FURTHER, &own.to_string_lossy()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tools_believe_in_the_web_and_in_the_jobs_own_authority() {
        let folder = tempfile::tempdir().unwrap();
        let web = folder.path().join("web.pem");
        fs::write(&web, "WEB").unwrap();
        let env: Environment = [("SSL_CERT_FILE", web.to_str().unwrap()), ("PATH", "/bin")].into_iter().collect();
        let before = believed(env.clone(), folder.path(), folder.path()).unwrap();
        assert_eq!(before.get("SSL_CERT_FILE"), web.to_str());
        assert_eq!(before.get(FURTHER), None);
        fs::write(folder.path().join(OWN), "OWN").unwrap();
        let after = believed(env, folder.path(), folder.path()).unwrap();
        for name in ALL {
            assert_eq!(fs::read_to_string(after.get(name).unwrap()).unwrap(), "WEB\nOWN");
        }
        assert_eq!(fs::read_to_string(after.get(FURTHER).unwrap()).unwrap(), "OWN");
        assert_eq!(after.get("PATH"), Some("/bin"));
    }
}
