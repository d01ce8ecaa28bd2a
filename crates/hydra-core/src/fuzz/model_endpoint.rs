//! The address of a model of one's own.

use super::{said, texts};
use crate::egress::Endpoint;

/// By name, by address of each family, and one that is none.
#[must_use]
pub fn seeds() -> Vec<Vec<u8>> {
    texts(&["models.internal:8443", "10.0.0.7:443", "[fd00::7]:8080", "host:65536"])
}

/// The kind of its answer.
///
/// # Panics
/// When what was read does not hold.
#[must_use]
pub fn check(bytes: &[u8]) -> String {
    match String::from_utf8_lossy(bytes).parse::<Endpoint>() {
        Err(error) => {
            said(error.to_string());
            error.why.to_owned()
        }
        Ok(endpoint) => {
            assert_eq!(endpoint.to_string().parse::<Endpoint>().as_ref(), Ok(&endpoint));
            "ok".to_owned()
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{check, seeds};

    #[test]
    fn model_endpoints() {
        let report = hydra_fuzz::fuzz("model-endpoint", &seeds(), check);
        assert!(report.saw("ok") && report.answers.len() > 3, "{report:?}");
    }
}
