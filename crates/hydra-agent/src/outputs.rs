//! `/out/result.json`, written whole or not at all.

use crate::{failure::Failure, scrub::Scrub};
use hydra_core::contract_files::JobResult;
use std::{fs, path::Path};

/// Writes it beside its place and moves it there.
pub(crate) fn write_result(out: &Path, mut result: JobResult, scrub: &Scrub) -> Result<(), Failure> {
    scrub.text(&mut result.summary);
    if let Some(end) = &mut result.end {
        scrub.end(end);
    }
    let target = out.join("result.json");
    let partial = out.join("result.json.tmp");
    let fail = |error: std::io::Error| Failure::Outputs(format!("{}: {error}", target.display()));
    let bytes = serde_json::to_vec_pretty(&result).map_err(|error| fail(error.into()))?;
    fs::write(&partial, bytes).map_err(fail)?;
    fs::rename(&partial, &target).map_err(fail)
}
