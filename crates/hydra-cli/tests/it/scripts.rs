//! `scripts/poll-board.sh` and `scripts/dev-run.sh` under cron's own PATH and working folder.

use crate::{
    harness::{Sandbox, root},
    stage::{REPO, Stage},
};
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

#[test]
fn the_cron_line_brings_an_issue_to_ready() {
    let stage = Stage::happy();
    checkout(&stage.sandbox);
    // The program itself, where the script finds what was built here.
    std::fs::remove_file(stage.sandbox.work("target/debug/hydra")).unwrap();
    std::os::unix::fs::symlink(env!("CARGO_BIN_EXE_hydra"), stage.sandbox.work("target/debug/hydra")).unwrap();
    let (code, out, err) = as_cron(&stage.sandbox, "scripts/poll-board.sh", &["--dry-run"]);
    assert_eq!(code, Some(0), "{out}{err}");
    assert!(out.starts_with("acme/words#1  Limit a slug to a number of words\n"), "{out}");
    assert!(out.ends_with("1 issue, 1 with something to do; nothing was done (dry run)\n"), "{out}");
    assert_eq!(stage.writes(), Vec::<String>::new());

    // As the line of the crontab has it, with what it prints at the end of a log.
    let poll = || {
        let (script, log) = (stage.sandbox.work("scripts/poll-board.sh"), stage.sandbox.path("home/poll.log"));
        let line = format!("{} >> {} 2>&1", script.display(), log.display());
        let mut cron = Command::new("/bin/sh");
        cron.arg("-c").arg(line).current_dir("/").env_clear().env("PATH", "/usr/bin:/bin");
        cron.env("HOME", stage.sandbox.path("home")).env("SHELL", "/bin/sh").env("LOGNAME", "ada");
        let output = cron.output().unwrap();
        assert_eq!((output.stdout.len(), output.stderr.len()), (0, 0), "cron would send it by mail");
        (output.status.code(), std::fs::read_to_string(log).unwrap())
    };
    let (code, log) = poll();
    assert_eq!(code, Some(0), "{log}");
    assert!(log.contains("now      acme/words#1  pull request #2 is ready and waits for a person\n"), "{log}");
    assert!(stage.labels().contains("done"), "{log}");
    assert_eq!(stage.github.pulls(REPO).len(), 1);
    assert!(stage.sandbox.work("state/audit.jsonl").is_file(), "the state folder is the checkout's, not the caller's");
    // A quarter of an hour later.
    let (code, log) = poll();
    assert!(code == Some(0) && log.ends_with("1 issue, 1 cycle, 0 actions\n"), "{log}");
}
