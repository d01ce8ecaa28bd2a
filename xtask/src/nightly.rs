//! `cargo xtask nightly`: what does not fit into CI.

use std::path::Path;

/// The tests with everything required, many seeds and every kill point, the threat table row by row, ten minutes of every fuzz target, then the
/// benches.
pub(crate) fn run(root: &Path) -> Result<(), String> {
    // Tests read it: more seeds, every effect with the real binary, every target with a hunk left out.
    let all = crate::available::Need::ALL.map(crate::available::Need::name).join(",");
    let status = std::process::Command::new(env!("CARGO"))
        .args(["xtask", "test", "--require", &all])
        .env("HYDRA_NIGHTLY", "1")
        .current_dir(root)
        .status()
        .map_err(|error| error.to_string())?;
    if !status.success() {
        return Err("the nightly tests failed".to_owned());
    }
    crate::threats::run(root, &[])?;
    crate::fuzz::run(root, &["--seconds".to_owned(), crate::fuzz::MANY_SECONDS.to_string()])?;
    crate::bench::run(root, &[])
}
