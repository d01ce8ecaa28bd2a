//! Hydra's own programs, linked statically: the images' C library may be another than this machine's.

use super::{Build, docker};
use std::{fs, os::unix::fs::PermissionsExt, path::PathBuf, process::Command};

/// Builds one program; where it lies.
pub(crate) fn build(build: &Build<'_>, package: &str, program: &str) -> Result<PathBuf, String> {
    build.say(program, "is compiled");
    let folder = build.work.join("programs");
    fs::create_dir_all(&folder).map_err(|error| format!("{}: {error}", folder.display()))?;
    for _ in 0..3 {
        compile(build, package, program)?;
        // Cargo puts ordinary builds of the same program in the same place: what was built just now is taken aside, and looked at.
        let profile = if build.options.release { "release" } else { "debug" };
        let built = target(build).join(profile).join(program);
        let bytes = fs::read(&built).map_err(|error| format!("{}: {error}", built.display()))?;
        if !is_static(&bytes) {
            continue;
        }
        // A rename, for a context of an earlier build may be linked to the old one.
        let (kept, fresh) = (folder.join(program), folder.join(format!("{program}.new")));
        fs::write(&fresh, &bytes)
            .and_then(|()| fs::set_permissions(&fresh, fs::Permissions::from_mode(0o755)))
            .and_then(|()| fs::rename(&fresh, &kept))
            .map_err(|error| format!("{}: {error}", kept.display()))?;
        build.say(program, "is compiled: done");
        return Ok(kept);
    }
    Err(format!("{program} is not linked statically, or another build keeps taking its place: try again"))
}

fn compile(build: &Build<'_>, package: &str, program: &str) -> Result<(), String> {
    let mut command = Command::new(env!("CARGO"));
    // Only the last step differs from an ordinary build, so its dependencies are shared with the tests.
    command.args(["rustc", "--quiet", "--locked", "--package", package, "--bin", program]);
    if build.options.release {
        command.arg("--release");
    }
    command.args(["--", "-C", "target-feature=+crt-static", "-C", "strip=symbols"]);
    docker::succeed(command.current_dir(build.root))
}

/// Whether a program names no loader; the name stands near its beginning.
fn is_static(program: &[u8]) -> bool {
    let beginning = program.get(..4096).unwrap_or(program);
    beginning.starts_with(b"\x7fELF") && !beginning.windows(7).any(|bytes| bytes == b"/ld-lin")
}

/// Where cargo builds to.
fn target(build: &Build<'_>) -> PathBuf {
    std::env::var_os("CARGO_TARGET_DIR").map_or_else(|| build.root.join("target"), PathBuf::from)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn this_very_test_is_linked_dynamically() {
        let test = fs::read(std::env::current_exe().unwrap()).unwrap();
        assert!(!is_static(&test));
        assert!(is_static(b"\x7fELF and no loader"));
        assert!(!is_static(b"#!/bin/sh"));
    }
}
