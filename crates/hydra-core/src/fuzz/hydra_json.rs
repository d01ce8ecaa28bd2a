//! `hydra.json` of a change: what is written is read again as the same.

use super::{all, texts};
use crate::openspec::Manifest;

const MANIFESTS: [&str; 2] = [
    r##"{"repo":"acme/widgets","title":"Limit words","depends_on":["acme/other#7","#12"]}"##,
    r#"{"$schema":"x","repo":"acme/widgets","issue":12,"depends_on":[]}"#,
];

/// Manifests as they come.
#[must_use]
pub fn seeds() -> Vec<Vec<u8>> {
    texts(&MANIFESTS)
}

/// The kind of its answer.
///
/// # Panics
/// When what was read does not hold.
#[must_use]
pub fn check(bytes: &[u8]) -> String {
    match Manifest::parse(bytes) {
        Err(faults) => all(&faults),
        Ok(manifest) => {
            assert_eq!(Manifest::parse(manifest.render().as_bytes()).as_ref(), Ok(&manifest));
            "ok".to_owned()
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{check, seeds};

    #[test]
    fn manifests() {
        let report = hydra_fuzz::fuzz("hydra.json", &seeds(), check);
        assert!(report.saw("ok") && report.answers.len() > 5, "{report:?}");
    }
}
