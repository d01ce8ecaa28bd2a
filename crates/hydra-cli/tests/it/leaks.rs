//! No secret appears in any output, error or `Debug`, wherever it stands and whatever is wrong around it.

use crate::{
    harness::Sandbox,
    stage::{REPO, ROLES, Stage, secret as token},
};
use hydra_cli::{
    config::{self, Sources, environment::Environment},
    failure::Failure,
    output::errors,
};
use proptest::prelude::*;
use std::ffi::OsString;

/// A secret of one of the shapes that Hydra holds.
fn secret() -> impl Strategy<Value = String> {
    prop_oneof![
        "github_pat_[A-Za-z0-9]{22}_[A-Za-z0-9]{30}",
        "ghp_[A-Za-z0-9]{36}",
        "ghs_[A-Za-z0-9]{36}",
        "sk-ant-(oat|api)[0-9]{2}-[A-Za-z0-9_-]{40}",
    ]
}

/// A file with the secret in it, right or wrong in many ways.
fn placed() -> impl Strategy<Value = (&'static str, &'static str)> {
    prop_oneof![
        Just(("secrets/.env", "HYDRA_BUILDER_TOKEN=@\n")),
        Just(("secrets/.env", "HYDRA_BUILDER_TOKEN=\"@\"\n")),
        Just(("secrets/.env", "HYDRA_BUILDER_TOKEN=@ # mine\n")),
        Just(("secrets/.env", "export HYDRA_BUILDER_TOKEN=@\n")),
        Just(("secrets/.env", "HYDRA_BULDER_TOKEN=@\n")),
        Just(("secrets/.env", "HYDRA_@=x\n")),
        Just(("secrets/.env", "@\n")),
        Just(("secrets/.env", "HYDRA_SIGNING_KEY=@\n")),
        Just(("secrets/.env", "HYDRA_PROJECT_NUMBER=@\n")),
        Just(("secrets/.env", "GITHUB_ORG=@\n")),
        Just(("secrets/.env", "HYDRA_MODEL=@\n")),
        Just(("secrets/.env", "HYDRA_BUILDER_TOKEN=@\nHYDRA_REVIEWER_TOKEN=@\n")),
        Just(("secrets/.env", "ANTHROPIC_API_KEY=@\nHYDRA_ANTHROPIC_KEY=@x\n")),
        Just(("secrets/credentials.json", r#"{"git_tokens":{"builder":"@"}}"#)),
        Just(("secrets/credentials.json", r#"{"git_tokens":{"builder":"@",}}"#)),
        Just(("secrets/credentials.json", r#"{"git_tokens":{"@":"x"}}"#)),
        Just(("secrets/credentials.json", r#"{"git_tokens":["@"]}"#)),
        Just(("secrets/credentials.json", r#""@""#)),
        Just(("secrets/credentials.json", r#"{"claude_accounts":[{"name":"a","token":"@","priority":"@"}]}"#)),
        Just((
            "secrets/credentials.json",
            r#"{"claude_accounts":[{"name":"@","token":"@"},{"name":"@","token":"@"}]}"#
        )),
        Just(("secrets/credentials.json", r#"{"claude_accounts":[{"name":"a","token":"@","kind":"@"}]}"#)),
        Just(("hydra.toml", "token = \"@\"\n")),
        Just(("hydra.toml", "builder_token = \"@\n")),
        Just(("hydra.toml", "\"@\" = 1\n")),
        Just(("hydra.toml", "instance = \"@\"\n")),
        Just(("hydra.toml", "identities = \"@\"\n")),
        Just(("hydra.toml", "instance = \"@\n")),
        Just(("hydra.toml", "x = @\n")),
        Just(("hydra.toml", "[github]\nproject = \"@\"\n")),
        Just(("hydra.toml", "[github]\norg = \"@\"\nrepos = [\"a/b/@\"]\n")),
        Just(("hydra.toml", "[github.logins]\nbuilder = \"@ @\"\n[personas.\"@\"]\nmodel = \"@\"\n")),
        Just(("hydra.toml", "[models]\nall = \"@\"\n[keys]\npublic = [\"@\"]\n")),
        Just(("hydra.toml", "[pipeline]\nstall_timeout = \"@\"\ntrigger_permission = \"@\"\n")),
        Just(("hydra.toml", "[egress]\nbase = [\"@\"]\nmodel_endpoint = \"@\"\n")),
        Just(("env", "HYDRA_BUILDER_TOKEN")),
        Just(("env", "HYDRA_PROJECT_NUMBER")),
        Just(("env", "HYDRA_SIGNING_KEY")),
        Just(("env", "GITHUB_ORG")),
        Just(("env", "HYDRA_MODEL")),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 300, failure_persistence: None, ..ProptestConfig::default() })]
    #[test]
    fn no_secret_is_shown((place, text) in placed(), secret in secret(), mode in prop_oneof![Just(0o600u32), Just(0o644)]) {
        let sandbox = Sandbox::new();
        let mut environment = Environment::default();
        if place == "env" {
            environment = [(OsString::from(text), OsString::from(&secret))].into_iter().collect();
        } else {
            sandbox.write(place, text.replace('@', &secret));
            sandbox.mode(place, mode);
        }
        let cwd = sandbox.work("");
        let loaded = config::load(&Sources { cwd: &cwd, file: None, flags: Vec::new(), environment: &environment });
        let mut seen = format!("{environment:?}");
        match loaded {
            Ok(loaded) => {
                for shown in &loaded.shown {
                    seen.push_str(&format!("{shown:?}\n"));
                }
                seen.push_str(&format!("{:?}", loaded.settings.secrets));
                if let Err(problems) = loaded.settings.check_complete() {
                    seen.push_str(&errors::text(&Failure::from(problems), false));
                }
            }
            Err(problems) => {
                let failure = Failure::from(problems);
                seen.push_str(&errors::text(&failure, true));
                seen.push_str(&errors::json(&failure));
            }
        }
        // A part of it is a leak too.
        let part = &secret[secret.len() - 16..];
        prop_assert!(!seen.contains(part), "{place}: {text}\n{seen}");
    }
}

#[test]
fn a_numeric_token_in_the_environment_is_no_number_and_is_not_printed() {
    let sandbox = Sandbox::complete().env("HYDRA_BUILDER_TOKEN", "123454321");
    let ran = sandbox.run(&["config", "check"]);
    assert_eq!(ran.code, 4, "{}", ran.all());
    assert!(ran.err.contains("environment (HYDRA_BUILDER_TOKEN) is a bare number"), "{}", ran.all());
    assert!(!ran.all().contains("123454321"));
}

/// Every file below a folder, as text.
fn texts(folder: &std::path::Path, found: &mut Vec<(String, String)>) {
    for entry in std::fs::read_dir(folder).into_iter().flatten().flatten() {
        let path = entry.path();
        if path.is_dir() {
            texts(&path, found);
        } else {
            let bytes = std::fs::read(&path).unwrap_or_default();
            found.push((path.display().to_string(), String::from_utf8_lossy(&bytes).into_owned()));
        }
    }
}

#[test]
fn no_command_shows_a_secret_nor_leaves_one_in_a_file_or_at_github() {
    let stage = Stage::new("extends = \"fix-round\"\n");
    let issue = stage.issue.to_string();
    let mut seen = Vec::new();
    let mut run = |args: &[&str]| {
        let ran = stage.sandbox.run(&[&["-vv"], args].concat());
        seen.push((format!("hydra {args:?}"), ran.all()));
        ran
    };
    run(&["poll", "--dry-run"]);
    assert_eq!(run(&["poll"]).code, 0);
    let job = run(&["status", "--json"]).json()["issues"][0]["jobs"][0]["job"].as_str().unwrap_or("none").to_owned();
    let dev_run = ["dev-run", "build", "--repo", REPO, "--change", "add-word-limit"];
    let commands: [&[&str]; 34] = [
        &["status"],
        &["explain", &issue],
        &["explain", &issue, "--json"],
        &["logs", &job],
        &["doctor"],
        &["doctor", "--json"],
        &["labels", "sync"],
        &["pause", "--reason", "a look"],
        &["resume"],
        &["cancel", &issue],
        &["stop", "--credential", "main"],
        &["stop", "--credential", "git:builder", "--json"],
        &["prune"],
        &["config", "show"],
        &["config", "show", "--json"],
        &["config", "check"],
        &["render", "docker-run", "--documented"],
        &["render", "docker-run", "--stage", "build"],
        &["render", "iptables"],
        &["render", "ip6tables"],
        &["render", "nft"],
        &["render", "networkpolicy"],
        &["render", "cilium"],
        &["render", "gate"],
        &["egress", "check", "github.com"],
        &["egress", "denials"],
        &["egress", "denials", "--json"],
        &["egress", "probe"],
        &["demo", "--scenario", "happy"],
        &["change", "check", "nowhere"],
        &["init"],
        &dev_run,
        &["supervise", "--nonsense"],
        &["poll", "--json"],
    ];
    for args in commands {
        let ran = run(args);
        // A command line that clap refuses runs nothing, so nothing would have been searched.
        assert!(args.contains(&"--nonsense") || !ran.err.contains("Usage: hydra"), "hydra {args:?}: {}", ran.all());
    }
    texts(&stage.sandbox.work("state"), &mut seen);
    seen.push(("the issue".to_owned(), format!("{:?}", stage.github.issue(REPO, stage.issue))));
    seen.push(("the pull requests".to_owned(), format!("{:?}", stage.github.pulls(REPO))));
    assert!(seen.iter().any(|(what, _)| what.ends_with("audit.jsonl")), "the log was looked at");
    assert!(seen.iter().any(|(_, text)| text.contains("hydra-record")), "what is at GitHub was looked at");
    let secrets: Vec<String> = ROLES
        .iter()
        .map(|role| token(role))
        .chain(["sk-ant-oat01-main-0000000000", "sk-ant-oat01-spare-000000000"].map(str::to_owned))
        .chain(["7".repeat(64)])
        .collect();
    for (what, text) in &seen {
        for secret in &secrets {
            // The shapes are told apart by their ends.
            assert!(!text.contains(&secret[..secret.len() - 4]), "{what} shows {secret}:\n{text}");
        }
    }
}
