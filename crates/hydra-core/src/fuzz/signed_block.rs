//! A comment that may hold a signed block.

use super::{said, texts};
use crate::{
    record::RunRecord,
    verdict::{
        Envelope,
        block::{Tag, extract},
    },
};

/// One block, and two.
#[must_use]
pub fn seeds() -> Vec<Vec<u8>> {
    texts(&[
        "<!-- hydra:verdict -->\n<details><summary>x</summary>\n\n```json hydra-verdict\n{\"payload\":{\"v\":1},\"key\":\"k\",\"signature\":\"s\"}\n```\n\n</details>",
        "```json hydra-record\n{}\n```\n```json hydra-record\n{\"payload\":null}\n```",
    ])
}

/// The kind of its answer.
///
/// # Panics
/// When what was read does not hold.
#[must_use]
pub fn check(bytes: &[u8]) -> String {
    let body = String::from_utf8_lossy(bytes);
    let answers = [
        extract::<Envelope>(Tag::Verdict, &body).map(|found| found.is_some()).map_err(|error| error.to_string()),
        extract::<RunRecord>(Tag::Record, &body).map(|found| found.is_some()).map_err(|error| error.to_string()),
    ];
    answers.map(|answer| answer.map_or_else(said, |found| found.to_string())).join(", ")
}

#[cfg(test)]
mod tests {
    use super::{check, seeds};

    #[test]
    fn signed_blocks() {
        let report = hydra_fuzz::fuzz("signed-block", &seeds(), check);
        assert!(report.saw("false, false") && report.saw("the signed block"), "{report:?}");
    }
}
