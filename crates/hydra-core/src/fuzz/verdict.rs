//! A reviewer's verdict: what is taken is taken again, and as it is.

use super::{said, texts};
use crate::verdict::parse::parse;

const VERDICTS: [&str; 3] = [
    r#"{"pass":false,"blocking":["src/a.rs:12 loses a line"],"findings":[{"severity":"CRITICAL","file":"src/a.rs","line":12,"rule":"loss","message":"It loses a line.","remediation":"Keep it."},{"severity":"SUGGESTION","file":null,"line":null,"rule":"r","message":"m","remediation":""}],"summary":"No.","requirements":[{"requirement":"Log in","scenario":"Right password","state":"unmet"}]}"#,
    r#"{"pass":true,"blocking":[],"findings":[],"summary":"Fine.\rOver."}"#,
    "```json\n{\"pass\":true}\n```",
];

/// Verdicts as they come.
#[must_use]
pub fn seeds() -> Vec<Vec<u8>> {
    texts(&VERDICTS)
}

/// The kind of its answer.
///
/// # Panics
/// When what was read does not hold.
#[must_use]
pub fn check(bytes: &[u8]) -> String {
    match parse(bytes) {
        Err(error) => said(error.to_string()),
        Ok(verdict) => {
            // What was taken is taken again, and as it is.
            let again = serde_json::to_vec(&verdict).unwrap();
            assert_eq!(parse(&again).as_ref(), Ok(&verdict));
            assert!(!verdict.summary.chars().any(|one| one.is_control() && one != '\n' && one != '\t'));
            format!("ok {} {}", verdict.pass, verdict.findings.len().min(3))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{check, seeds};

    #[test]
    fn verdicts() {
        let report = hydra_fuzz::fuzz("verdict", &seeds(), check);
        assert!(
            report.saw("ok true") && report.saw("ok false") && report.saw("verdict.json is not JSON"),
            "{report:?}"
        );
        assert!(report.saw("verdict.json: findings[0]"), "{report:?}");
    }
}
