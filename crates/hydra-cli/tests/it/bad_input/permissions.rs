//! Files and folders that the user who runs hydra may not read or write: who that must be is said, and nothing is done.

use super::{Writes, refusal, refused_at};
use crate::{
    harness::Sandbox,
    stage::{REPO, Stage},
};
use insta::assert_snapshot;

const DEV_RUN: &[&str] = &["dev-run", "build", "--repo", REPO, "--change", "add-word-limit"];

fn check(sandbox: &Sandbox) -> String {
    let said = refusal(sandbox, Writes::Nothing, &["config", "check"]);
    for args in [&["poll"][..], &["supervise"], &["status"], &["pause", "--reason", "x"]] {
        assert_eq!(refusal(sandbox, Writes::Nothing, args), said, "{args:?}");
    }
    said
}

/// Whoever runs the tests: a sandbox that is complete, of a user to whom file modes apply.
fn somebody() -> Sandbox {
    let mut sandbox = Sandbox::complete();
    sandbox.as_somebody();
    assert_eq!(sandbox.run(&["config", "check"]).code, 0, "{}", sandbox.run(&["config", "check"]).all());
    sandbox
}

/// What each command says where neither file of secrets can be read.
fn both_are_closed(sandbox: &Sandbox) {
    // One assertion, in two tests.
    insta::allow_duplicates! { assert_snapshot!(check(sandbox), @r##"
exit 4
error: [work]/secrets/.env: this file cannot be read: this user may not
  help: hydra must run as the owner of the file, and every folder above it must be open to that user
error: [work]/secrets/credentials.json: this file cannot be read: this user may not
  help: hydra must run as the owner of the file, and every folder above it must be open to that user
2 problems
"##) }
}

#[test]
fn secrets_that_cannot_be_read() {
    let sandbox = somebody();
    sandbox.mode("secrets/.env", 0o000);
    sandbox.mode("secrets/credentials.json", 0o000);
    both_are_closed(&sandbox);
    let ran = sandbox.run(&["doctor", "--offline"]);
    assert_eq!(ran.code, 1, "{}", ran.all());
    assert_snapshot!(crate::doctor::said(&ran, "FAIL", "configuration"), @r##"
FAIL configuration [work]/secrets/.env: this file cannot be read: this user may not
-> hydra must run as the owner of the file, and every folder above it must be open to that user
FAIL configuration [work]/secrets/credentials.json: this file cannot be read: this user may not
-> hydra must run as the owner of the file, and every folder above it must be open to that user
"##);
}

#[test]
fn a_folder_of_secrets_that_is_closed() {
    let sandbox = somebody();
    sandbox.mode("secrets", 0o600);
    both_are_closed(&sandbox);
    sandbox.mode("secrets", 0o700);
}

#[test]
fn a_configuration_that_cannot_be_read() {
    let sandbox = somebody();
    sandbox.mode("hydra.toml", 0o000);
    assert_snapshot!(check(&sandbox), @r##"
exit 3
error: [work]/hydra.toml: this file cannot be read: this user may not
  help: give it to the user who runs hydra, or name another with --config
"##);
}

#[test]
fn a_state_folder_that_cannot_be_written() {
    let mut stage = Stage::happy();
    std::fs::create_dir_all(stage.sandbox.work("state")).unwrap();
    stage.sandbox.as_somebody();
    stage.sandbox.mode("state", 0o500);
    assert_snapshot!(refused_at(&stage, Writes::Nothing, &["poll"]), @r##"
exit 7
warning: runtime.kind is "process": agents are processes of this machine, nothing isolates them
error: the state folder cannot be used: [work]/state/pins: Permission denied (os error 13)
  help: the message names the path: make room there, let this user read and write it, or name another
"##);
    for args in
        [&["supervise"][..], DEV_RUN, &["pause", "--reason", "x"], &["cancel", "1"], &["stop", "--credential", "main"]]
    {
        let said = refused_at(&stage, Writes::Nothing, args);
        assert!(said.starts_with("exit 7") && said.contains("[work]/state"), "{args:?}: {said}");
    }
    stage.sandbox.mode("state", 0o700);
    // What only looks can do without, once it is there.
    assert_eq!(stage.sandbox.run(&["status"]).code, 0);
    stage.sandbox.mode("state", 0o500);
    let ran = stage.sandbox.run(&["explain", "1"]);
    assert_eq!(ran.code, 0, "{}", ran.all());
    stage.sandbox.mode("state", 0o700);
}
