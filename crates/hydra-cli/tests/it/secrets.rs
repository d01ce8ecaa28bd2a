//! Bad secrets: each a clear error that names the cause and the next step, a non-zero exit, nothing written.

use crate::harness::{CREDENTIALS, Sandbox};
use insta::assert_snapshot;

fn check(sandbox: &Sandbox) -> String {
    let ran = sandbox.run(&["config", "check"]);
    assert!(ran.out.is_empty() || ran.code == 0, "{}", ran.all());
    assert!(!sandbox.work(".hydra").exists(), "nothing may be written");
    format!("exit {}\n{}{}", ran.code, ran.out, ran.err)
}

#[test]
fn complete_secrets_are_accepted() {
    assert_snapshot!(check(&Sandbox::complete()), @r##"
exit 0
ok: [work]/hydra.toml and the secrets are complete
next: `hydra doctor` asks GitHub and Docker whether they agree
"##);
}

#[test]
fn missing_secrets_are_named_with_what_to_add() {
    let sandbox = Sandbox::new();
    sandbox.write("hydra.toml", "[github]\nrepos = [\"acme/widgets\"]\n");
    assert_snapshot!(check(&sandbox), @r##"
exit 4
error: there is no GitHub token for the role builder
  help: add HYDRA_BUILDER_TOKEN to secrets/.env, or git_tokens.builder to secrets/credentials.json
error: there is no GitHub token for the role reviewer
  help: add HYDRA_REVIEWER_TOKEN to secrets/.env, or git_tokens.reviewer to secrets/credentials.json
error: there is no GitHub token for the role security
  help: add HYDRA_SECURITY_TOKEN to secrets/.env, or git_tokens.security to secrets/credentials.json
error: there is no GitHub token for the role applier
  help: add HYDRA_APPLIER_TOKEN to secrets/.env, or git_tokens.applier to secrets/credentials.json
error: there is no GitHub token for the role orchestrator
  help: add HYDRA_ORCHESTRATOR_TOKEN to secrets/.env, or git_tokens.orchestrator to secrets/credentials.json
error: there is no model account
  help: add one to claude_accounts in secrets/credentials.json, or CLAUDE_CODE_OAUTH_TOKEN or ANTHROPIC_API_KEY to secrets/.env
error: there is no key to sign verdicts with
  help: add HYDRA_SIGNING_KEY to secrets/.env (`hydra init` makes one in a new folder; 64 random hexadecimal digits serve)
7 problems
"##);
}

#[test]
fn secrets_that_were_not_filled_in_are_named_with_their_place() {
    let sandbox = Sandbox::new();
    assert_eq!(sandbox.run(&["init"]).code, 0);
    sandbox.write("hydra.toml", "[github]\nrepos = [\"acme/widgets\"]\n");
    sandbox
        .secret("secrets/credentials.json", CREDENTIALS.replace("TOKENsecurity", "").replace("TOKEN", "github_pat_"));
    assert_snapshot!(check(&sandbox), @r##"
exit 4
error: there is no GitHub token for the role security: what is there is empty
  help: fill it in: secrets/.env:29 (HYDRA_SECURITY_TOKEN) or secrets/credentials.json (git_tokens.security)
"##);
}

#[test]
fn a_missing_applier_token_falls_back_to_the_reviewers() {
    let sandbox = Sandbox::complete();
    let text = CREDENTIALS.replace("\"applier\": \"TOKENapplier\", ", "").replace("TOKEN", "github_pat_");
    sandbox.secret("secrets/credentials.json", text);
    assert_eq!(sandbox.run(&["config", "check"]).code, 0);
}

#[test]
fn secrets_that_others_can_read_are_refused() {
    let sandbox = Sandbox::complete();
    sandbox.mode("secrets/.env", 0o644);
    sandbox.mode("secrets/credentials.json", 0o660);
    assert_snapshot!(check(&sandbox), @r##"
exit 4
error: [work]/secrets/.env: other users of this machine can get at the secrets in this file (its mode is 0644)
  help: chmod 600 [work]/secrets/.env; then replace the tokens in it, for they may have been read
error: [work]/secrets/credentials.json: other users of this machine can get at the secrets in this file (its mode is 0660)
  help: chmod 600 [work]/secrets/credentials.json; then replace the tokens in it, for they may have been read
2 problems
"##);
}

#[test]
fn an_empty_and_an_unreadable_file_are_refused() {
    let sandbox = Sandbox::complete();
    sandbox.secret("secrets/.env", " \n");
    std::fs::remove_file(sandbox.work("secrets/credentials.json")).unwrap();
    std::fs::create_dir(sandbox.work("secrets/credentials.json")).unwrap();
    assert_snapshot!(check(&sandbox), @r##"
exit 4
error: [work]/secrets/.env: this file is empty
  help: fill it in after its example beside it, or remove it
error: [work]/secrets/credentials.json: this is not a file
  help: put a file there, after its example beside it, or remove it
2 problems
"##);
    sandbox.secret("secrets/.env", b"HYDRA_MODEL=\xff\xfe\n");
    std::fs::remove_dir(sandbox.work("secrets/credentials.json")).unwrap();
    assert_snapshot!(check(&sandbox), @r##"
exit 4
error: [work]/secrets/.env: this file is not UTF-8 text
  help: write it again with a plain text editor
"##);
}

#[test]
fn lines_that_docker_and_a_shell_read_differently_are_refused_all_at_once() {
    let sandbox = Sandbox::complete();
    sandbox.secret(
        "secrets/.env",
        "export GITHUB_ORG=acme\nHYDRA_MODEL=\"claude-opus-4-8\"\nHYDRA_TRIGGER_LABEL=go # the label\nHYDRA_BULDER_TOKEN=x\nGITHUB_ORG=a\nGITHUB_ORG=b\n",
    );
    assert_snapshot!(check(&sandbox), @r##"
exit 4
error: [work]/secrets/.env:1: `export` means something to a shell only: Docker makes it a part of the name
  help: write NAME=value without `export`
error: [work]/secrets/.env:2: the value of HYDRA_MODEL holds quotes: a shell removes them, Docker keeps them as a part of the value
  help: write the value without quotes
error: [work]/secrets/.env:3: the value of HYDRA_TRIGGER_LABEL is followed by a comment: a shell drops it, Docker keeps it as a part of the value
  help: put the comment on a line of its own
error: [work]/secrets/.env:4: Hydra reads no variable HYDRA_BULDER_TOKEN
  help: did you mean HYDRA_BUILDER_TOKEN?
error: [work]/secrets/.env:6: GITHUB_ORG is set a second time (the first is on line 5)
  help: remove one of the two lines
5 problems
"##);
}

#[test]
fn one_token_for_two_personas_is_refused_unless_one_person_tries_it_alone() {
    let sandbox = Sandbox::complete();
    sandbox.secret(
        "secrets/credentials.json",
        CREDENTIALS.replace("TOKENreviewer", "TOKENbuilder").replace("TOKEN", "github_pat_"),
    );
    assert_snapshot!(check(&sandbox), @r##"
exit 4
error: secrets/credentials.json (git_tokens.builder) and secrets/credentials.json (git_tokens.reviewer) hold the same token
  help: each persona needs an identity of its own, or a review is worth nothing; to try Hydra alone, set identities = "single"
"##);
    sandbox.write("hydra.toml", "identities = \"single\"\n[github]\nrepos = [\"acme/widgets\"]\n");
    assert_eq!(sandbox.run(&["config", "check"]).code, 0);
}

#[test]
fn a_classic_token_needs_to_be_let_in_and_is_reported_then() {
    let sandbox = Sandbox::complete();
    let text = CREDENTIALS.replace("TOKENbuilder", "ghp_0123456789abcdefghij").replace("TOKEN", "github_pat_");
    sandbox.secret("secrets/credentials.json", text);
    assert_snapshot!(check(&sandbox), @r##"
exit 4
error: the token in secrets/credentials.json (git_tokens.builder) is a classic one (ghp_), which can always do more than a persona may
  help: make a fine-grained token (github_pat_) with the permissions that docs/operations/secrets.md lists, or set github.allow_classic_pat = true
"##);
    sandbox.write("hydra.toml", "[github]\nallow_classic_pat = true\nrepos = [\"acme/widgets\"]\n");
    assert_snapshot!(check(&sandbox), @r##"
exit 0
warning: the token in secrets/credentials.json (git_tokens.builder) is a classic one (ghp_): it can do more than its persona may, and is let in by github.allow_classic_pat
ok: [work]/hydra.toml and the secrets are complete
next: `hydra doctor` asks GitHub and Docker whether they agree
"##);
}

#[test]
fn a_broken_signing_key_and_two_different_api_keys_are_refused() {
    let sandbox = Sandbox::complete()
        .env("HYDRA_SIGNING_KEY", "abc")
        .env("ANTHROPIC_API_KEY", "sk-ant-api03-a")
        .env("HYDRA_ANTHROPIC_KEY", "sk-ant-api03-b");
    assert_snapshot!(check(&sandbox), @r##"
exit 4
error: environment (ANTHROPIC_API_KEY) and environment (HYDRA_ANTHROPIC_KEY) hold two different keys
  help: HYDRA_ANTHROPIC_KEY is the same as ANTHROPIC_API_KEY: set one of them
error: environment (HYDRA_SIGNING_KEY): the key to sign verdicts with must be 32 bytes
  help: write 64 hexadecimal digits (`openssl rand -hex 32` makes them), or 32 bytes as base64
2 problems
"##);
}

#[test]
fn broken_credentials_are_named_by_path() {
    let sandbox = Sandbox::complete();
    sandbox.secret(
        "secrets/credentials.json",
        "{\"git_tokens\": {\"bilder\": \"x\", \"reviewer\": 5}, \"claude_acounts\": []}",
    );
    assert_snapshot!(check(&sandbox), @r##"
exit 4
error: [work]/secrets/credentials.json: the file has no key "claude_acounts"
  help: did you mean "claude_accounts"?
error: [work]/secrets/credentials.json: git_tokens has no key "bilder"
  help: did you mean "builder"?
error: [work]/secrets/credentials.json: git_tokens.reviewer must be a text in quotes
  help: put the token in double quotes, or "" where there is none yet
3 problems
"##);
    sandbox.secret("secrets/credentials.json", "{\n  \"git_tokens\": {},\n}");
    assert_snapshot!(check(&sandbox), @r##"
exit 4
error: [work]/secrets/credentials.json:3: this is not valid JSON (at column 1)
  help: compare it with secrets/credentials.example.json; a comma after the last entry is a common mistake
"##);
}

#[test]
fn an_address_that_holds_a_password_is_refused_and_shown_nowhere() {
    for line in [
        "[github]\nrepos = [\"acme/widgets\"]\napi_url = \"https://ada:correct-horse@ghe.example/api/v3\"\n",
        "[github]\nrepos = [\"acme/widgets\"]\nweb_url = \"https://correct-horse@ghe.example\"\n",
        "[github]\nrepos = [\"acme/widgets\"]\n[models]\nbase_url = \"https://ada:correct-horse@models.example\"\n",
    ] {
        let sandbox = Sandbox::complete();
        sandbox.write("hydra.toml", line);
        for args in
            [&["config", "check", "-vvv"][..], &["config", "show", "--json"], &["doctor", "--offline"], &["poll"]]
        {
            let ran = sandbox.run(args);
            assert!(ran.code != 0 && ran.all().contains("it may hold no user and no password"), "{}", ran.all());
            assert!(!ran.all().contains("horse"), "{args:?}: {}", ran.all());
        }
    }
}
