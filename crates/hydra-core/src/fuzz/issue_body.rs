//! The body of an issue, and the change that it names.

use super::{said, texts};
use crate::openspec::change_named_by;

/// Every way to name one.
#[must_use]
pub fn seeds() -> Vec<Vec<u8>> {
    texts(&[
        "Do it.\n\nopenspec/changes/limit-words\n",
        "change: limit-words",
        "`openspec/changes/a`, openspec/changes/b/",
    ])
}

/// The kind of its answer.
///
/// # Panics
/// When what was read does not hold.
#[must_use]
pub fn check(bytes: &[u8]) -> String {
    match change_named_by(&String::from_utf8_lossy(bytes)) {
        Err(fault) => said(fault.to_string()),
        Ok(Some(_)) => "ok".to_owned(),
        Ok(None) => "none".to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::{check, seeds};

    #[test]
    fn issue_bodies() {
        let report = hydra_fuzz::fuzz("issue-body", &seeds(), check);
        assert!(report.saw("ok") && report.saw("none"), "{report:?}");
    }
}
