//! What every libFuzzer target of this package is made of: the seeds and the check of one `fuzz` module of a crate.

pub use libfuzzer_sys;

use std::{fs, path::Path};

/// One target: `target!("name", seeds, check)`.
#[macro_export]
macro_rules! target {
    ($name:literal, $seeds:path, $check:path) => {
        $crate::libfuzzer_sys::fuzz_target!(init: $crate::seed($name, &$seeds()), |bytes: &[u8]| {
            let _kind = $check(bytes);
        });
    };
}

/// Writes the seeds into the target's corpus, where cargo-fuzz and `cargo xtask fuzz` look for inputs: libFuzzer reads it after this.
///
/// # Panics
/// When they cannot be written.
pub fn seed(name: &str, seeds: &[Vec<u8>]) {
    let corpus = Path::new(env!("CARGO_MANIFEST_DIR")).join("corpus").join(name);
    let written = fs::create_dir_all(&corpus).and_then(|()| {
        let mut numbered = seeds.iter().enumerate();
        numbered.try_for_each(|(number, seed)| fs::write(corpus.join(format!("seed-{number}")), seed))
    });
    if let Err(error) = written {
        panic!("{}: {error}", corpus.display());
    }
}
