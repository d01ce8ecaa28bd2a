//! `.hydra.toml` of a target repository: its commands, and the hosts that it asks for.

use super::{all, texts};
use crate::{ContainerType, target::Target};

const WHOLE: &str = "protected = [\"infra/\", \"**/*.lock\"]\nfocus = \"money\"\n[commands]\nlint = \"make lint\"\ntest = \"make test\"\n[toolchain]\nimage = \"node-22\"\nsetup = \"npm ci\"\n[egress]\nbuilder = [\"registry.example.org\"]\n";

/// One with everything, and one with nothing.
#[must_use]
pub fn seeds() -> Vec<Vec<u8>> {
    texts(&[WHOLE, ""])
}

/// The kind of its answer.
///
/// # Panics
/// When what was read does not hold.
#[must_use]
pub fn check(bytes: &[u8]) -> String {
    match Target::parse(bytes) {
        Err(faults) => all(&faults),
        Ok(target) => {
            let quality = target.quality();
            assert!(quality.iter().all(|command| !command.command.trim().is_empty()));
            format!("ok {} {}", quality.len(), target.hosts(ContainerType::Builder).len().min(2))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{check, seeds};

    #[test]
    fn target_files() {
        let report = hydra_fuzz::fuzz(".hydra.toml", &seeds(), check);
        assert!(report.saw("ok") && report.answers.len() > 10, "{report:?}");
    }
}
