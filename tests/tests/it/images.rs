//! The images that `cargo xtask images` builds: what is in them, what may not be, and that the documented command line works on them.

mod base;
pub(crate) mod bridge;
mod contents;
pub(crate) mod literal;
mod rights;
mod scanner;

use std::{
    collections::BTreeMap,
    path::{Path, PathBuf},
    process::{Command, Output},
};

/// Images with an agent in them.
pub(crate) const AGENTS: [&str; 5] =
    ["hydra-base", "hydra-builder", "hydra-reviewer", "hydra-security", "hydra-applier"];

/// The top of the checkout.
pub(crate) fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..")
}

/// What the lock file pins, read as Hydra reads it.
pub(crate) fn pins() -> BTreeMap<String, String> {
    hydra_cli::images::pins(&root().join("target/images.lock.json")).expect("a lock file")
}

/// Runs docker; its output as text.
#[track_caller]
pub(crate) fn docker(args: &[&str]) -> String {
    let output = docker_output(args);
    assert!(output.status.success(), "docker {args:?}: {}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8_lossy(&output.stdout).trim().to_owned()
}

pub(crate) fn docker_output(args: &[&str]) -> Output {
    Command::new("docker").args(args).output().expect("docker is there")
}

/// Runs a script in an image as an agent would: without network, capabilities or a root that can be written to.
#[track_caller]
pub(crate) fn in_image(image: &str, extra: &[&str], script: &str) -> String {
    let mut args = vec!["run", "--rm", "--network", "none", "--read-only", "--tmpfs", "/tmp", "--cap-drop", "ALL"];
    args.extend(["--security-opt", "no-new-privileges", "--entrypoint", "sh"]);
    args.extend_from_slice(extra);
    args.extend([image, "-ec", script]);
    docker(&args)
}
