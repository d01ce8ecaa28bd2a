//! `[runtime.toolchains]` and `[runtime.services]`: images of the organisation's own, each pinned.

use super::Pass;

/// Where the gate answers inside a job's namespace.
const GATE_PORTS: [u16; 3] = [53, 443, hydra_engine::frame::MODEL_PORT];

pub(super) fn check(pass: &mut Pass<'_>) {
    for (name, pin) in &pass.values.runtime.toolchains {
        if !is_pin(pin) {
            pass.report(&format!("runtime.toolchains.{name:?}"), NO_PIN, how(pin));
        }
    }
    for (name, service) in &pass.values.runtime.services {
        let key = format!("runtime.services.{name:?}");
        let good = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-';
        if name.is_empty() || name.len() > 20 || !name.bytes().all(good) {
            let help = "call it by what it is, such as [runtime.services.db]";
            pass.report(&key, "its name must have 1 to 20 small letters, digits or '-'", help);
        }
        if GATE_PORTS.contains(&service.port) || service.port == 0 {
            let help =
                format!("take another: the gate answers at {}", GATE_PORTS.map(|port| port.to_string()).join(", "));
            pass.report(&format!("{key}.port"), format!("{} cannot be a service's", service.port), help);
        }
        if !is_pin(&service.pin) {
            pass.report(&format!("{key}.pin"), NO_PIN, how(&service.image));
        }
        if service.memory_mib < 16 {
            let help = "write a larger number of MiB, or leave it out for 512";
            pass.report(&format!("{key}.memory_mib"), "it must be at least 16", help);
        }
        let numbers = |text: &String| text.split(':').all(|part| part.parse::<u32>().is_ok());
        if service.user.as_ref().is_some_and(|user| !numbers(user) || user.matches(':').count() > 1) {
            let help = "write \"999\" or \"999:999\", or leave it out for the image's own";
            pass.report(&format!("{key}.user"), "it must be UID or UID:GID, in numbers", help);
        }
    }
}

const NO_PIN: &str =
    "it must name the image by ID or digest (sha256: and 64 digits), for a tag may be another image tomorrow";

fn how(pin: &str) -> String {
    let name = pin.split('@').next().unwrap_or(pin);
    format!("write sha256:… or NAME@sha256:…, as `docker image inspect {name}` shows them (Id, RepoDigests)")
}

/// `sha256:` and 64 hexadecimal digits, alone or behind `NAME@`.
fn is_pin(text: &str) -> bool {
    let digest = text.split_once('@').map_or(Some(text), |(name, digest)| (!name.is_empty()).then_some(digest));
    let digits = digest.and_then(|digest| digest.strip_prefix("sha256:"));
    digits.is_some_and(|digits| digits.len() == 64 && digits.bytes().all(|b| matches!(b, b'0'..=b'9' | b'a'..=b'f')))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_tag_is_no_pin() {
        let id = format!("sha256:{}", "0a".repeat(32));
        assert!(is_pin(&id) && is_pin(&format!("ghcr.io/acme/rust@{id}")));
        for text in
            ["rust:1.90", "ghcr.io/acme/rust:latest", "sha256:abc", "", "@", &format!("@{id}"), &format!("a:{id}")]
        {
            assert!(!is_pin(text), "{text}");
        }
    }
}
