//! Lines of an egress list: what a pattern matches, and what it never does.

use super::{said, texts};
use crate::egress::{HostName, HostPattern};

/// Names and patterns, some of which are refused.
#[must_use]
pub fn seeds() -> Vec<Vec<u8>> {
    texts(&[
        "api.anthropic.com",
        "*.example.com",
        "xn--bcher-kva.example",
        "bücher.example",
        "*.co.uk",
        "a.b.c.d.example.org.",
    ])
}

/// The kind of its answer.
///
/// # Panics
/// When what was read does not hold.
#[must_use]
pub fn check(bytes: &[u8]) -> String {
    let text = String::from_utf8_lossy(bytes);
    let pattern = match text.parse::<HostPattern>() {
        Err(error) => {
            said(error.to_string());
            return error.why.to_owned();
        }
        Ok(pattern) => pattern,
    };
    assert_eq!(pattern.to_string().parse::<HostPattern>().as_ref(), Ok(&pattern));
    assert!(pattern.to_string().is_ascii() && pattern.covers(&pattern));
    match &pattern {
        HostPattern::Exact(name) => {
            assert!(pattern.matches(name) && !name.as_str().contains(['*', '/', ':', '@', ' ']));
            "exact".to_owned()
        }
        HostPattern::Below(parent) => {
            assert!(!pattern.matches(parent), "a star stands for one label more");
            // Nothing has a name so long.
            let Ok(further) = format!("b.a.{parent}").parse::<HostName>() else { return "below, long".to_owned() };
            let below: HostName = format!("a.{parent}").parse().unwrap();
            assert!(pattern.matches(&below) && !pattern.matches(&further));
            "below".to_owned()
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{check, seeds};

    #[test]
    fn egress_names() {
        let report = hydra_fuzz::fuzz("egress-name", &seeds(), check);
        assert!(report.saw("exact") && report.saw("below") && report.answers.len() > 6, "{report:?}");
    }
}
