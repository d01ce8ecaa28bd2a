//! An OpenSpec change: what is sound is written back byte for byte.

use super::{all, texts};
use crate::{ChangeName, openspec::ChangeFolder};
use std::collections::BTreeMap;

/// One file after another, each behind a line with its path.
const FOLDER: &str = "=== proposal.md\n## Why\nBecause.\n=== design.md\n# D\n=== tasks.md\n## 1. First\n- [x] 1.1 Do this\n- [ ] 1.2 Do that\n=== specs/auth/spec.md\n# T\n\n## Purpose\nx\n\n## ADDED Requirements\n\n### Requirement: Log in\nA user SHALL log in.\n\n#### Scenario: Right password\n- **GIVEN** a user\n- **WHEN** they log in\n- **THEN** they are in\n\n## MODIFIED Requirements\n### Requirement: Other\nIt SHALL.\n#### Scenario: S\n- **WHEN** a\n- **THEN** b\n\n## REMOVED Requirements\n### Requirement: Gone\n**Reason**: r\n**Migration**: m\n\n## RENAMED Requirements\n- FROM: `### Requirement: Old`\n- TO: `### Requirement: New`\n=== hydra.json\n{\"repo\":\"acme/widgets\"}\n=== .openspec.yaml\nschema: x\n";

fn files(bytes: &[u8]) -> BTreeMap<String, Vec<u8>> {
    let mut files: BTreeMap<String, Vec<u8>> = BTreeMap::new();
    let mut name = None;
    for line in bytes.split_inclusive(|byte| *byte == b'\n') {
        match line.strip_prefix(b"=== ") {
            Some(path) => {
                let path = String::from_utf8_lossy(path).trim().to_owned();
                files.entry(path.clone()).or_default();
                name = Some(path);
            }
            None => {
                if let Some(file) = name.as_ref().and_then(|name| files.get_mut(name)) {
                    file.extend_from_slice(line);
                }
            }
        }
    }
    files
}

/// One folder with every kind of file and of change.
#[must_use]
pub fn seeds() -> Vec<Vec<u8>> {
    texts(&[FOLDER])
}

/// The kind of its answer.
///
/// # Panics
/// When what was read does not hold.
#[must_use]
pub fn check(bytes: &[u8]) -> String {
    let name: ChangeName = "limit-words".parse().unwrap();
    let repo = "acme/widgets".parse().unwrap();
    let files = files(bytes);
    match ChangeFolder::parse(&files) {
        Err(faults) => all(&faults),
        Ok(change) => {
            assert!(change.render() == files, "it is not written back as it was read");
            assert!(!change.title(&name).is_empty());
            let misplaced = change.check_place(&name, &repo).len();
            format!("ok {} {misplaced}", change.requirements().len().min(4))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{check, seeds};

    #[test]
    fn change_folders() {
        let report = hydra_fuzz::fuzz("change-folder", &seeds(), check);
        assert!(report.saw("ok") && report.answers.len() > 15, "{report:?}");
    }
}
