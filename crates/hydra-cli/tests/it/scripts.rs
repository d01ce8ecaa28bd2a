//! `scripts/poll-board.sh` and `scripts/dev-run.sh` under cron's own PATH and working folder.

use crate::harness::{Sandbox, root};
use std::process::Command;

/// A checkout with the scripts, and a stand-in for the program that prints how it was called.
fn checkout(sandbox: &Sandbox) {
    for name in ["poll-board.sh", "dev-run.sh", "find-hydra.sh"] {
        let from = root().join("scripts").join(name);
        std::fs::create_dir_all(sandbox.work("scripts")).unwrap();
        std::fs::copy(from, sandbox.work("scripts").join(name)).unwrap();
    }
    sandbox.write("target/debug/hydra", "#!/bin/sh\necho \"$(pwd)|$*\"\nexit 5\n");
    sandbox.mode("target/debug/hydra", 0o755);
}

fn as_cron(sandbox: &Sandbox, script: &str, args: &[&str]) -> (Option<i32>, String, String) {
    let mut command = Command::new("/bin/sh");
    command.arg("-c").arg("\"$0\" \"$@\"").arg(sandbox.work(script)).args(args);
    let output = command
        .current_dir("/")
        .env_clear()
        .env("PATH", "/usr/bin:/bin")
        .env("HOME", sandbox.path("home"))
        .output()
        .unwrap();
    let text = |bytes: Vec<u8>| String::from_utf8(bytes).unwrap();
    (output.status.code(), text(output.stdout), text(output.stderr))
}

#[test]
fn the_cron_line_starts_a_poll_in_the_checkout_and_hands_its_exit_code_on() {
    let sandbox = Sandbox::new();
    checkout(&sandbox);
    let (code, out, _) = as_cron(&sandbox, "scripts/poll-board.sh", &["--dry-run"]);
    let work = sandbox.work("").canonicalize().unwrap();
    assert_eq!((code, out.trim()), (Some(5), format!("{}|poll --dry-run", work.display()).as_str()));
}

#[test]
fn a_stage_by_hand_stays_in_the_callers_folder() {
    let sandbox = Sandbox::new();
    checkout(&sandbox);
    let (code, out, _) = as_cron(&sandbox, "scripts/dev-run.sh", &["build", "--repo", "."]);
    assert_eq!((code, out.trim()), (Some(5), "/|dev-run build --repo ."));
}

#[test]
fn without_a_program_the_script_says_how_to_build_one() {
    let sandbox = Sandbox::new();
    checkout(&sandbox);
    std::fs::remove_file(sandbox.work("target/debug/hydra")).unwrap();
    let (code, out, err) = as_cron(&sandbox, "scripts/poll-board.sh", &[]);
    assert_eq!((code, out.as_str()), (Some(7), ""), "{err}");
    assert!(err.contains("cargo build"), "{err}");
}
