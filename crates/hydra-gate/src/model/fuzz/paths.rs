//! Methods and paths of the model API: what is let through is read by every server as what it says.

use crate::model::route::{plain_query, route};

/// One of each route.
#[must_use]
pub fn seeds() -> Vec<Vec<u8>> {
    let texts = [
        "POST /v1/messages?beta=true",
        "POST /v1/messages/count_tokens",
        "GET /v1/models/claude-sonnet-4-6?",
        "POST /v1beta/models/gemini-3-pro:streamGenerateContent?alt=sse",
        "POST /v1/responses",
        "GET /v1/organizations/me?key=a",
    ];
    texts.map(|text| text.as_bytes().to_vec()).into()
}

/// The kind of its answer.
///
/// # Panics
/// When what was read does not hold.
#[must_use]
pub fn check(bytes: &[u8]) -> String {
    let text = String::from_utf8_lossy(bytes);
    let (method, target) = text.split_once(' ').unwrap_or(("", &text));
    let (path, query) = target.split_once('?').unwrap_or((target, ""));
    let Ok(method) = method.parse() else { return "no method".to_owned() };
    let Some(shape) = route(&method, path).filter(|_| plain_query(query)) else { return "refused".to_owned() };
    // Nothing that a server could read as another path.
    assert!(path.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"/-._:".contains(&byte)), "{path:?}");
    assert!(path.starts_with("/v1/") || path.starts_with("/v1beta/models/"), "{path:?}");
    assert!(!path.contains("//") && !path.split('/').any(|part| matches!(part, "." | "..")), "{path:?}");
    assert!(query.len() < 12 && !query.contains(['&', '%']), "{query:?}");
    format!("{shape:?}")
}

#[cfg(test)]
mod tests {
    use super::{check, seeds};

    #[test]
    fn paths() {
        let report = hydra_fuzz::fuzz("model-path", &seeds(), check);
        for kind in ["Messages", "CountTokens", "Models", "Gemini", "Responses", "refused", "no method"] {
            assert!(report.saw(kind), "{kind}: {report:?}");
        }
    }
}
