//! Tokens that GitHub refuses, that are somebody else's, or that may do too much or too little: said before anything is written, with
//! the place where the token stands.

use super::{Writes, refused_at};
use crate::stage::{REPO, Stage, login, secret, token};
use hydra_sim::github::{Access, Role, Token};
use insta::assert_snapshot;

/// What `hydra poll` says; its dry run and the daemon say the same.
fn poll(stage: &Stage) -> String {
    let said = refused_at(stage, Writes::Nothing, &["poll"]);
    for args in [&["poll", "--dry-run"][..], &["supervise"]] {
        assert_eq!(refused_at(stage, Writes::Nothing, args), said, "{args:?}");
    }
    said
}

/// The line of `hydra doctor` that fails on this, with what it says to do.
fn doctor(stage: &Stage, check: &str) -> String {
    let ran = stage.sandbox.run(&["doctor"]);
    assert_eq!(ran.code, 1, "{}", ran.all());
    let words = |line: &str| line.split_whitespace().collect::<Vec<_>>().join(" ");
    let lines: Vec<String> = ran.out.lines().map(words).collect();
    let at = lines.iter().position(|line| line.starts_with(&format!("FAIL {check}")));
    let at = at.unwrap_or_else(|| panic!("{check} does not fail: {}", ran.all()));
    format!("{}\n{}", lines[at], lines[at + 1])
}

#[test]
fn a_token_that_is_invalid() {
    let stage = Stage::happy();
    stage.github.revoke(&secret("builder"));
    assert_snapshot!(poll(&stage), @r##"
exit 4
error: the token of builder in secrets/credentials.json (git_tokens.builder) is refused: GET /user: 401 Bad credentials
  help: it is invalid, revoked or expired: make a new one and put it there
"##);
    assert_snapshot!(doctor(&stage, "token builder"), @r##"
FAIL token builder GET /user: 401 Bad credentials
-> the token of builder is invalid, revoked or expired: put a new one in the secrets file
"##);
    assert_snapshot!(refused_at(&stage, Writes::State, &["explain", "1"]), @r##"
exit 4
error: GET /user: 401 Bad credentials
  help: the token of builder is invalid, revoked or expired: put a new one in the secrets file
"##);
    for args in [&["status"][..], &["prune"], &["dev-run", "build", "--repo", REPO, "--change", "add-word-limit"]] {
        let said = refused_at(&stage, Writes::State, args);
        assert!(said.contains("exit 4") && said.contains("the token of builder is invalid"), "{args:?}: {said}");
    }
}

#[test]
fn a_token_that_has_expired() {
    let stage = Stage::happy();
    let old = token("reviewer", &login("reviewer")).expires("2026-01-01T00:00:00Z".parse().unwrap());
    stage.github.token(old);
    assert_snapshot!(poll(&stage), @r##"
exit 4
error: the token of reviewer in secrets/credentials.json (git_tokens.reviewer) is refused: GET /user: 401 Bad credentials
  help: it is invalid, revoked or expired: make a new one and put it there
"##);
    assert_snapshot!(doctor(&stage, "token reviewer"), @r##"
FAIL token reviewer GET /user: 401 Bad credentials
-> the token of reviewer is invalid, revoked or expired: put a new one in the secrets file
"##);
}

#[test]
fn the_token_that_reads_everything() {
    let stage = Stage::happy();
    stage.github.revoke(&secret("orchestrator"));
    assert_snapshot!(poll(&stage), @r##"
exit 4
error: the token of orchestrator in secrets/credentials.json (git_tokens.orchestrator) is refused: GET /user: 401 Bad credentials
  help: it is invalid, revoked or expired: make a new one and put it there
"##);
    assert_snapshot!(refused_at(&stage, Writes::Nothing, &["labels", "sync"]), @r##"
exit 4
error: GET /repos/acme/words: 401 Bad credentials
  help: the token of orchestrator is invalid, revoked or expired: put a new one in the secrets file
"##);
}

#[test]
fn a_token_of_somebody_else() {
    let stage = Stage::happy();
    stage.edit("[models]", "[github.logins]\nsecurity = \"mallory\"\n[models]");
    assert_snapshot!(poll(&stage), @r##"
exit 4
error: the token of security in secrets/credentials.json (git_tokens.security): it belongs to hydra-security, not to mallory
  help: use a token of mallory, or change github.logins.security
"##);
    assert_snapshot!(doctor(&stage, "token security"), @r##"
FAIL token security it belongs to hydra-security, not to mallory
-> use a token of mallory, or change github.logins.security
"##);
}

#[test]
fn another_token_of_the_same_identity() {
    let stage = Stage::happy();
    stage.github.token(token("reviewer", &login("builder")));
    assert_snapshot!(poll(&stage), @r##"
exit 4
error: the token of reviewer in secrets/credentials.json (git_tokens.reviewer): it belongs to hydra-builder, as the token of builder does
  help: each persona needs an identity of its own: a review by the author is worth nothing
"##);
    assert_snapshot!(doctor(&stage, "token reviewer"), @r##"
FAIL token reviewer it belongs to hydra-builder, as the token of builder does
-> each persona needs an identity of its own: a review by the author is worth nothing
"##);
}

#[test]
fn one_token_for_two_personas() {
    let stage = Stage::happy();
    stage.credentials(|role| secret(if role == "reviewer" { "builder" } else { role }));
    assert_snapshot!(poll(&stage), @r##"
exit 4
error: secrets/credentials.json (git_tokens.builder) and secrets/credentials.json (git_tokens.reviewer) hold the same token
  help: each persona needs an identity of its own, or a review is worth nothing; to try Hydra alone, set identities = "single"
"##);
    assert!(stage.github.log().is_empty(), "nobody needs to ask GitHub");
}

#[test]
fn a_token_that_may_do_more_than_its_persona() {
    let stage = Stage::happy();
    stage.github.set_role(REPO, &login("reviewer"), Role::Write).unwrap();
    stage.github.token(token("reviewer", &login("reviewer")).allow("contents", Access::Write));
    assert_snapshot!(poll(&stage), @r##"
exit 4
error: the token of reviewer in secrets/credentials.json (git_tokens.reviewer): it may push to acme/words, which is more than its persona may
  help: take contents: write from the token, or write access from the identity
"##);
    assert_snapshot!(doctor(&stage, "push reviewer"), @r##"
FAIL push reviewer acme/words it may push to acme/words, which is more than its persona may
-> take contents: write from the token, or write access from the identity
"##);
}

#[test]
fn a_classic_token_is_reported_by_every_run_that_lets_it_in() {
    let stage = Stage::happy();
    let classic = format!("ghp_{:0<36}", "builder");
    stage.github.token(Token::classic(&classic, &login("builder"), &["repo"]));
    stage.credentials(|role| if role == "builder" { classic.clone() } else { secret(role) });
    assert_snapshot!(poll(&stage), @r##"
exit 4
error: the token in secrets/credentials.json (git_tokens.builder) is a classic one (ghp_), which can always do more than a persona may
  help: make a fine-grained token (github_pat_) with the permissions that docs/operations/secrets.md lists, or set github.allow_classic_pat = true
"##);
    stage.edit("project = 1", "project = 1\nallow_classic_pat = true");
    let ran = stage.sandbox.run(&["poll", "--dry-run"]);
    assert_eq!(ran.code, 0, "{}", ran.all());
    assert_snapshot!(ran.err, @r##"
warning: the token in secrets/credentials.json (git_tokens.builder) is a classic one (ghp_): it can do more than its persona may, and is let in by github.allow_classic_pat
warning: the token of builder in secrets/credentials.json (git_tokens.builder): a classic token can do everything its owner can
warning: runtime.kind is "process": agents are processes of this machine, nothing isolates them
"##);
}

#[test]
fn a_token_that_may_do_less_than_its_persona_must() {
    let stage = Stage::happy();
    stage.github.set_role(REPO, &login("builder"), Role::Read).unwrap();
    assert_snapshot!(poll(&stage), @r##"
exit 4
error: the token of builder in secrets/credentials.json (git_tokens.builder): it may not push to acme/words, and must
  help: give the token contents: write, and the identity write access to the repository
"##);
    assert_snapshot!(doctor(&stage, "push builder"), @r##"
FAIL push builder acme/words it may not push to acme/words, and must
-> give the token contents: write, and the identity write access to the repository
"##);
}

#[test]
fn everything_that_is_wrong_with_tokens_is_said_at_once() {
    let stage = Stage::happy();
    stage.github.revoke(&secret("builder"));
    stage.github.token(token("applier", &login("security")));
    let said = poll(&stage);
    assert!(said.contains("the token of builder") && said.contains("the token of applier"), "{said}");
    assert!(said.ends_with("2 problems\n"), "{said}");
}
