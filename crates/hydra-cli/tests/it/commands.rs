//! What the commands print and how they end.

use crate::harness::{CREDENTIALS, Sandbox};
use insta::assert_snapshot;
use std::{io::Read, os::unix::fs::PermissionsExt, process::Stdio};

#[test]
fn help_names_every_command_and_hides_the_inner_ones() {
    let ran = Sandbox::new().run(&["--help"]);
    assert_eq!(ran.code, 0);
    assert_snapshot!(ran.out, @r##"
A labelled issue becomes a reviewed pull request, built by AI coding agents in sealed containers

Usage: hydra [OPTIONS] <COMMAND>

Commands:
  demo         Show the whole pipeline at work here: no Docker, no GitHub, no key
  init         Write hydra.toml and the files for secrets, with comments; overwrites nothing
  doctor       Check configuration, tokens, Docker, images, board and disk; say how to mend what is
               wrong
  poll         One cycle: look at board and labels, run what is due, wait until it rests (for cron)
  supervise    The same as a daemon; SIGTERM lets it end in good order
  dev-run      Run one stage by hand and keep its results in a folder
  change       Check change folders, or write a change's hydra.json
  status       What Hydra works on, and what it costs
  explain      What Hydra sees of an issue, what it would do next, or why it does nothing
  logs         The output of a job
  cancel       Stop work on an issue and hold it until a person asks again
  pause        Start nothing new: everywhere, in a repository, or on an issue
  resume       Lift a pause
  stop         Stop every job that holds or uses a credential
  prune        Remove containers and volumes that nobody owns
  labels       The labels that Hydra uses
  render       Print exactly what would be run
  egress       What containers may reach
  config       Show, check or describe the configuration
  completions  Print completions for a shell
  man          Print the manual page
  help         Print this message or the help of the given subcommand(s)

Options:
  -h, --help
          Print help (see a summary with '-h')

  -V, --version
          Print version

Options of every command:
      --config <FILE>
          The configuration file; otherwise HYDRA_CONFIG, or hydra.toml here or in a folder above

      --state-dir <DIR>
          The state folder, instead of the configuration's

      --json
          Print one JSON document instead of text for people

  -v, --verbose...
          Say more on standard error; twice for even more. RUST_LOG goes before it

      --color <WHEN>
          Colours

          Possible values:
          - auto:   On a terminal, unless NO_COLOR is set
          - always: Always
          - never:  Never
          
          [default: auto]

Try it: hydra demo     Set it up: hydra init, then hydra doctor     Exit codes:
docs/operations/exit-codes.md
"##);
}

#[test]
fn every_command_has_help_of_its_own() {
    let sandbox = Sandbox::new();
    for command in [
        "demo",
        "init",
        "doctor",
        "poll",
        "supervise",
        "dev-run",
        "change",
        "status",
        "explain",
        "logs",
        "cancel",
        "pause",
        "resume",
        "stop",
        "prune",
        "labels",
        "egress",
        "render",
        "config",
        "completions",
        "man",
    ] {
        let ran = sandbox.run(&[command, "--help"]);
        assert!(ran.code == 0 && ran.out.contains(&format!("Usage: hydra {command}")), "{}", ran.all());
    }
}

#[test]
fn a_wrong_command_line_ends_with_two_and_says_what_is_near() {
    let sandbox = Sandbox::new();
    assert_snapshot!(sandbox.run(&["pol"]).all(), @r##"
exit 2
--- out
--- err
error: unrecognized subcommand 'pol'

  tip: a similar subcommand exists: 'poll'

Usage: hydra [OPTIONS] <COMMAND>

For more information, try '--help'.
"##);
    assert_snapshot!(sandbox.run(&["dev-run", "biuld", "--repo", ".", "--change", "x"]).all(), @r##"
exit 2
--- out
--- err
error: invalid value 'biuld' for '<STAGE>': there is no stage "biuld": it is one of build, quality, fix-quality, code-review, security-review, fix, apply

For more information, try '--help'.
"##);
    assert_eq!(sandbox.run(&["demo", "--scenario", "nope"]).code, 2);
    assert_eq!(sandbox.run(&[]).code, 2);
}

#[test]
fn init_writes_what_is_needed_once_and_overwrites_nothing() {
    let sandbox = Sandbox::new();
    sandbox.write("new/.gitignore", "/node_modules\n/secrets/.env");
    let first = sandbox.run(&["init", "new"]);
    let public = first.out.lines().find_map(|line| line.split_once("replaced: ")).unwrap().1.to_owned();
    assert_snapshot!(first.all().replace(&public, "PUBLIC"), @r##"
exit 0
--- out
wrote  hydra.toml
wrote  secrets/.env
wrote  secrets/credentials.json
wrote  .gitignore

Public key of HYDRA_SIGNING_KEY, for [keys] when it is replaced: PUBLIC
Fill in:
  secrets/.env              GITHUB_ORG, and a GitHub token for each role
  secrets/credentials.json  at least one model account (or ANTHROPIC_API_KEY in secrets/.env)
  hydra.toml                github.repos
Then: hydra config check, hydra doctor, hydra labels sync
--- err
"##);
    assert_eq!(sandbox.read("new/.gitignore"), "/node_modules\n/secrets/.env\n/.hydra/\n/secrets/credentials.json\n");
    for name in ["new/secrets/.env", "new/secrets/credentials.json"] {
        let mode = std::fs::metadata(sandbox.work(name)).unwrap().permissions().mode() & 0o777;
        assert_eq!(mode, 0o600, "{name}");
    }
    let before = sandbox.read("new/secrets/.env");
    let key = before.lines().find_map(|line| line.strip_prefix("HYDRA_SIGNING_KEY=")).unwrap();
    assert!(key.len() == 64 && key.bytes().all(|b| b.is_ascii_hexdigit()));
    let again = sandbox.run(&["init", "new"]);
    assert!(again.code == 0 && !again.out.contains("wrote"), "{}", again.all());
    assert_eq!(sandbox.read("new/secrets/.env"), before);
    assert_ne!(sandbox.run(&["init", "other"]).code, 1);
    assert!(!sandbox.read("other/secrets/.env").contains(key), "every installation has a key of its own");
}

#[test]
fn init_names_what_is_still_empty_and_what_is_wrong_with_what_it_keeps() {
    let sandbox = Sandbox::complete();
    let secrets = CREDENTIALS.replace("TOKENsecurity", "").replace("TOKEN", "github_pat_11AAAAAAA0");
    sandbox.secret("secrets/credentials.json", secrets);
    sandbox.secret("secrets/.env", "GITHUB_ORG=acme\n");
    assert_snapshot!(sandbox.run(&["init"]).all(), @r##"
exit 0
--- out
wrote  .gitignore
kept   hydra.toml
kept   secrets/.env
kept   secrets/credentials.json

Fill in:
  secrets/.env              the GitHub token: HYDRA_SECURITY_TOKEN
  secrets/.env              HYDRA_SIGNING_KEY, 64 random hexadecimal digits (`openssl rand -hex 32` makes them)
Then: hydra config check, hydra doctor, hydra labels sync
--- err
"##);
    sandbox.mode("secrets/.env", 0o644);
    let ran = sandbox.run(&["init"]);
    assert!(ran.code == 4 && ran.out.contains("kept   secrets/.env\n"), "{}", ran.all());
    assert!(ran.err.contains("secrets/.env: other users") && ran.err.contains("help: chmod 600"), "{}", ran.all());
    assert!(!ran.out.contains("Fill in"), "{}", ran.all());
    let whole = Sandbox::complete().run(&["init"]);
    assert!(whole.code == 0 && whole.out.contains("Nothing is left to fill in."), "{}", whole.all());
}

#[test]
fn the_public_half_of_the_signing_key_is_printed_where_one_looks_for_it() {
    let sandbox = Sandbox::complete();
    let json = sandbox.run(&["init", "--json"]).json();
    let key = json["public_key"].as_str().unwrap();
    let shown = sandbox.run(&["config", "show"]).out;
    let line = shown.lines().find(|line| line.starts_with("signing_key.public ")).unwrap();
    assert!(line.contains(key) && line.ends_with("secrets/.env:2 (HYDRA_SIGNING_KEY)"), "{line}");
    // It is what [keys] takes, and is shown there too.
    sandbox.write("hydra.toml", format!("[github]\nrepos = [\"acme/widgets\"]\n[keys]\npublic = [\"{key}\"]\n"));
    let shown = sandbox.run(&["config", "show"]).out;
    assert!(shown.lines().any(|line| line.starts_with("keys.public ") && line.contains(key)), "{shown}");
}

#[test]
fn what_is_wrong_with_hydra_toml_is_said_with_line_and_nearest_key_all_at_once() {
    let sandbox = Sandbox::new();
    sandbox.write(
        "hydra.toml",
        r#"instnce = "x"
[github]
org = 3
builder_token = "ghp_TAIL"
[pipeline]
trigger_permission = "wirte"
stall_timeout = 10
max_fix_rounds = 99
[prices."my-model"]
input = 1.0
"#
        .replace("TAIL", &"0123456789abcdef".repeat(3)[..36]),
    );
    assert_snapshot!(sandbox.run(&["config", "check"]).all(), @r##"
exit 3
--- out
--- err
error: [work]/hydra.toml:1: there is no key `instnce`
   ,-[[work]/hydra.toml:1:1]
 1 | instnce = "x"
   : ^^^^^^^
 2 | [github]
   `----
  help: did you mean `instance`?
error: [work]/hydra.toml:3: `github.org` must be a text in quotes, and is a whole number
   ,-[[work]/hydra.toml:3:7]
 2 | [github]
 3 | org = 3
   :       ^
 4 | builder_token = "****************************************"
   `----
  help: write org = "…"
error: [work]/hydra.toml:4: there is no key `github.builder_token`
   ,-[[work]/hydra.toml:4:1]
 3 | org = 3
 4 | builder_token = "****************************************"
   : ^^^^^^^^^^^^^
 5 | [pipeline]
   `----
  help: secrets do not stand in this file: they belong in secrets/.env or secrets/credentials.json
error: [work]/hydra.toml:6: `pipeline.trigger_permission` must be one of "triage", "write", "maintain", "admin"
   ,-[[work]/hydra.toml:6:22]
 5 | [pipeline]
 6 | trigger_permission = "wirte"
   :                      ^^^^^^^
 7 | stall_timeout = 10
   `----
  help: did you mean "write"?
error: [work]/hydra.toml:7: `pipeline.stall_timeout` must be a length of time such as "35m", and is a whole number
   ,-[[work]/hydra.toml:7:17]
 6 | trigger_permission = "wirte"
 7 | stall_timeout = 10
   :                 ^^
 8 | max_fix_rounds = 99
   `----
  help: write stall_timeout = "35m": units are s, m, h and d
error: [work]/hydra.toml:8: `pipeline.max_fix_rounds` must be from 0 to 20
   ,-[[work]/hydra.toml:8:18]
 7 | stall_timeout = 10
 8 | max_fix_rounds = 99
   :                  ^^
 9 | [prices."my-model"]
   `----
  help: write a number within these bounds, or leave the key out for its default
error: [work]/hydra.toml:9: `prices.my-model` lacks `output`
    ,-[[work]/hydra.toml:9:1]
  8 | max_fix_rounds = 99
  9 | [prices."my-model"]
    : ^^^^^^^^^^^^^^^^^^^
 10 | input = 1.0
    `----
  help: add `output`
error: [work]/hydra.toml:9: `prices.my-model` lacks `cache_read`
    ,-[[work]/hydra.toml:9:1]
  8 | max_fix_rounds = 99
  9 | [prices."my-model"]
    : ^^^^^^^^^^^^^^^^^^^
 10 | input = 1.0
    `----
  help: add `cache_read`
error: [work]/hydra.toml:9: `prices.my-model` lacks `cache_write`
    ,-[[work]/hydra.toml:9:1]
  8 | max_fix_rounds = 99
  9 | [prices."my-model"]
    : ^^^^^^^^^^^^^^^^^^^
 10 | input = 1.0
    `----
  help: add `cache_write`
9 problems
"##);
    let ran = sandbox.run(&["--json", "config", "check"]);
    let json: serde_json::Value = serde_json::from_str(&ran.err).unwrap();
    assert_eq!(
        (json["schema"].as_u64(), json["kind"].as_str(), json["exit"].as_u64()),
        (Some(1), Some("error"), Some(3))
    );
    assert_eq!(
        (json["problems"][0]["line"].as_u64(), json["problems"][0]["help"].as_str()),
        (Some(1), Some("did you mean `instance`?"))
    );
}

#[test]
fn values_that_are_well_formed_and_cannot_be_are_refused_too() {
    let sandbox = Sandbox::new();
    sandbox.write(
        "hydra.toml",
        r#"
[github]
repos = ["widgets", "acme/wid gets"]
api_url = "http://github.example.com"
[github.logins]
bilder = "x"
[slots]
total = 1
[models]
all = "claude-opus-9"
[egress]
base = ["*.com"]
[personas.al-gorithn]
turns = 3
[personas.clyde-barcode]
stages = ["security-reveiw"]
"#,
    );
    assert_snapshot!(sandbox.run(&["config", "check"]).err, @r##"
error: [work]/hydra.toml:4: `github.api_url`: it must begin with https:// (http:// on this machine only)
   ,-[[work]/hydra.toml:4:11]
 3 | repos = ["widgets", "acme/wid gets"]
 4 | api_url = "http://github.example.com"
   :           ^^^^^^^^^^^^^^^^^^^^^^^^^^^
 5 | [github.logins]
   `----
  help: write https://api.github.com, https://HOST/api/v3 of a GitHub Enterprise Server, or leave it out
error: [work]/hydra.toml:7: `slots.weights.builder`: such a job needs 2 slots and would never start, for slots.total is 1
   ,-[[work]/hydra.toml:7:1]
 6 | bilder = "x"
 7 | [slots]
   : ^^^^^^^
 8 | total = 1
   `----
  help: raise slots.total, or lower the weight
error: [work]/hydra.toml:3: `github.repos`: "widgets" has no owner
   ,-[[work]/hydra.toml:3:9]
 2 | [github]
 3 | repos = ["widgets", "acme/wid gets"]
   :         ^^^^^^^^^^^^^^^^^^^^^^^^^^^^
 4 | api_url = "http://github.example.com"
   `----
  help: write OWNER/NAME, or set github.org
error: [work]/hydra.toml:3: `github.repos`: "acme/wid gets" is not a repository name: only letters, digits, '-', '_' and '.' are allowed
   ,-[[work]/hydra.toml:3:9]
 2 | [github]
 3 | repos = ["widgets", "acme/wid gets"]
   :         ^^^^^^^^^^^^^^^^^^^^^^^^^^^^
 4 | api_url = "http://github.example.com"
   `----
  help: write OWNER/NAME, as in the repository's address
error: [work]/hydra.toml:6: `github.logins.bilder`: there is no token role "bilder": it is one of builder, reviewer, security, applier, orchestrator
   ,-[[work]/hydra.toml:6:10]
 5 | [github.logins]
 6 | bilder = "x"
   :          ^^^
 7 | [slots]
   `----
  help: did you mean `builder`?
error: [work]/hydra.toml:13: `personas.al-gorithn`: there is no persona "al-gorithn"
    ,-[[work]/hydra.toml:13:1]
 12 | base = ["*.com"]
 13 | [personas.al-gorithn]
    : ^^^^^^^^^^^^^^^^^^^^^
 14 | turns = 3
    `----
  help: did you mean [personas.al-gorithm]? A new persona needs `name` and `stages`
error: [work]/hydra.toml:16: `personas.clyde-barcode.stages`: there is no stage "security-reveiw": it is one of build, quality, fix-quality, code-review, security-review, fix, apply
    ,-[[work]/hydra.toml:16:10]
 15 | [personas.clyde-barcode]
 16 | stages = ["security-reveiw"]
    :          ^^^^^^^^^^^^^^^^^^^
    `----
  help: did you mean `security-review`?
error: [work]/hydra.toml:12: `egress.base`: "*.com" is not a host pattern: it stands over a public suffix, under which anybody can have a name
    ,-[[work]/hydra.toml:12:9]
 11 | [egress]
 12 | base = ["*.com"]
    :         ^^^^^^^
 13 | [personas.al-gorithn]
    `----
  help: write one name, such as api.example.com, or *.example.com for all of one label more
error: [work]/hydra.toml:10: `models.all`: the model "claude-opus-9" has no price in the table of 2026-11-23: add [prices."claude-opus-9"] with input, output, cache_read and cache_write (USD per million tokens) to hydra.toml, or use "claude-opus-4"
    ,-[[work]/hydra.toml:10:7]
  9 | [models]
 10 | all = "claude-opus-9"
    :       ^^^^^^^^^^^^^^^
 11 | [egress]
    `----
  help: check its spelling, or say what it costs in [prices."claude-opus-9"]
9 problems
"##);
}

#[test]
fn a_file_that_is_no_toml_or_not_there_is_said_so() {
    let sandbox = Sandbox::new();
    sandbox.write("hydra.toml", "[github\norg = \"a\"\n");
    assert_snapshot!(sandbox.run(&["config", "show"]).all(), @r##"
exit 3
--- out
--- err
error: [work]/hydra.toml:1: this is not valid TOML: unclosed table, expected `]`
   ,-[[work]/hydra.toml:1:8]
 1 | [github
   :        ^
 2 | org = "a"
   `----
  help: look at the marked place: texts stand in quotes, lists in [], each key once; `hydra init` in an empty folder writes a whole example
"##);
    assert_snapshot!(sandbox.run(&["--config", "elsewhere.toml", "config", "show"]).all(), @r##"
exit 3
--- out
--- err
error: [work]/elsewhere.toml: this file cannot be read: it is not there
  help: look at how it is spelled; `hydra init DIR` writes DIR/hydra.toml
"##);
}

#[test]
fn a_variable_of_the_wrong_type_is_named() {
    let sandbox = Sandbox::new().env("HYDRA_PROJECT_NUMBER", "twelve");
    assert_snapshot!(sandbox.run(&["config", "show"]).all(), @r##"
exit 3
--- out
--- err
error: HYDRA_PROJECT_NUMBER in environment must be a whole number
  help: write it in digits alone: it stands for the number of the Projects v2 board
"##);
}

#[test]
fn config_show_prints_every_value_with_its_source_and_masks_secrets() {
    let sandbox = Sandbox::complete().env("HYDRA_MODEL", "claude-haiku-4-5");
    let ran = sandbox.run(&["config", "show"]);
    let lines: Vec<&str> = ran
        .out
        .lines()
        .filter(|line| {
            [
                "github.org",
                "github.repos",
                "models.all",
                "git_tokens.builder",
                "signing_key",
                "claude_acc",
                "slots.total",
            ]
            .iter()
            .any(|key| line.starts_with(key))
        })
        .collect();
    assert_snapshot!(lines.join("\n"), @r##"
github.org                                  "acme"                                 secrets/.env (GITHUB_ORG)
github.repos                                ["acme/widgets"]                       hydra.toml:2
models.all                                  "claude-haiku-4-5"                     environment (HYDRA_MODEL)
slots.total                                 5                                      default
git_tokens.builder                          ********                               secrets/credentials.json (git_tokens.builder)
claude_accounts.main                        ********                               secrets/credentials.json (account main)
signing_key                                 ********                               secrets/.env:2 (HYDRA_SIGNING_KEY)
signing_key.public                          "yFOtDwzSthmuqSzuxP1Wok1kmdWEznklfkXP2BObYKc="  secrets/.env:2 (HYDRA_SIGNING_KEY)
"##);
    let json = sandbox.run(&["config", "show", "--json"]).json();
    assert_eq!((json["schema"].as_u64(), json["kind"].as_str()), (Some(1), Some("config")));
}

#[test]
fn the_configuration_is_found_from_a_folder_below() {
    let sandbox = Sandbox::complete();
    std::fs::create_dir_all(sandbox.work("a/b")).unwrap();
    let output = sandbox.command(&["config", "check"]).current_dir(sandbox.work("a/b")).output().unwrap();
    assert!(output.status.success());
}

#[test]
fn change_folders_are_checked_with_file_and_line() {
    let sandbox = Sandbox::new();
    sandbox.write("c/good/proposal.md", "# Add a greeting\n\n## Why\nPeople like it.\n\n## What Changes\n- greet\n");
    sandbox.write("c/good/tasks.md", "## 1. Work\n- [ ] 1.1 greet\n- [x] 1.2 test\n");
    sandbox.write("c/good/specs/greet/spec.md", "## ADDED Requirements\n### Requirement: Greet\nIt SHALL greet.\n#### Scenario: Hello\n- **WHEN** asked\n- **THEN** it greets\n");
    assert_snapshot!(sandbox.run(&["change", "check", "c"]).all(), @r##"
exit 0
--- out
ok  c/good: 1 requirement, 1 scenario, 1 of 2 tasks done, no hydra.json (optional)
--- err
"##);
    assert_eq!(sandbox.run(&["change", "init", "c/good"]).code, 0);
    assert_snapshot!(sandbox.read("c/good/hydra.json"), @r##"
{
  "spec_slug": "good",
  "title": "Add a greeting"
}
"##);
    let again = sandbox.run(&["change", "init", "c/good"]);
    assert!(again.code == 1 && again.err.contains("is there already"), "{}", again.all());
    sandbox.write("c/bad/proposal.md", "");
    sandbox.write("c/bad/specs/x/spec.md", "## ADDED Requirements\n### Requirement:\n");
    sandbox.write("c/good/hydra.json", "{\"depends_on\": [\"other\"], \"isue\": 3}");
    assert_snapshot!(sandbox.run(&["change", "check", "c"]).all(), @r##"
exit 1
--- out
fail  c/bad: 3 problems, no hydra.json (optional)
  c/bad/proposal.md: it is empty (say why the change is made and what changes)
  c/bad/tasks.md: it is missing (list the tasks as `- [ ] 1.1 …`)
  c/bad/specs/x/spec.md:2: the requirement has no name (write `### Requirement: <name>`)
fail  c/good: 1 problem
  c/good/hydra.json:1: the key `isue` is unknown (did you mean `issue`?)
--- err
"##);
    sandbox.write("c/good/hydra.json", "{\"depends_on\": [\"good\"]}");
    assert_snapshot!(sandbox.run(&["change", "check", "c/good"]).all(), @r##"
exit 1
--- out
ok  c/good: 1 requirement, 1 scenario, 1 of 2 tasks done
fail  the changes wait for each other: good -> good
--- err
"##);
    let json = sandbox.run(&["--json", "change", "check", "c/good"]).json();
    assert_eq!(json["ok"], false);
    assert_eq!(sandbox.run(&["change", "check", "nowhere"]).code, 7);
}

#[test]
fn the_fence_is_rendered_for_the_addresses_that_are_given() {
    let sandbox = Sandbox::new();
    sandbox.write("hydra.toml", "[egress]\nbase = [\"model.test\"]\nmodel_endpoint = \"gate.test:8443\"\n");
    let resolve = ["--resolve", "model.test=192.0.2.1", "--resolve", "gate.test=192.0.2.2", "--type", "reviewer"];
    let args: Vec<&str> = ["render", "iptables"].into_iter().chain(resolve).collect();
    assert_snapshot!(sandbox.run(&args).all(), @r##"
exit 0
--- out
*filter
:INPUT DROP [0:0]
:FORWARD DROP [0:0]
:OUTPUT DROP [0:0]
-A INPUT -i lo -j ACCEPT
-A INPUT -m conntrack --ctstate RELATED,ESTABLISHED -j ACCEPT
-A OUTPUT -d 127.0.0.11/32 -j DROP
-A OUTPUT -o lo -j ACCEPT
-A OUTPUT -m conntrack --ctstate RELATED,ESTABLISHED -j ACCEPT
-A OUTPUT -d 192.0.2.1/32 -p tcp -m tcp --dport 443 -j ACCEPT
-A OUTPUT -d 192.0.2.2/32 -p tcp -m tcp --dport 8443 -j ACCEPT
-A OUTPUT -p tcp -j REJECT --reject-with tcp-reset
-A OUTPUT -j REJECT --reject-with icmp-admin-prohibited
COMMIT
--- err
"##);
    assert_eq!(sandbox.run(&["render", "iptables", "--resolve", "x"]).code, 2);
}

/// A configuration under which jobs run in containers behind a gate, as far as that is to be seen without an engine.
fn behind_a_gate(more: &str) -> Sandbox {
    let sandbox = Sandbox::complete();
    sandbox.write("hydra.toml", format!("[github]\nrepos = [\"acme/widgets\"]\n{more}"));
    let names = ["hydra-builder", "hydra-reviewer", "hydra-security", "hydra-applier", "hydra-gate"];
    let image = |name: &str| (name.to_owned(), serde_json::json!({ "id": format!("sha256:{}", "1".repeat(64)) }));
    let images: serde_json::Map<_, _> = names.map(image).into_iter().collect();
    sandbox.write("target/images.lock.json", serde_json::json!({ "images": images }).to_string());
    sandbox
}

#[test]
fn every_form_of_the_policy_is_printed_without_a_secret_and_without_an_image() {
    let sandbox = Sandbox::new();
    sandbox.write("hydra.toml", "[github]\nrepos = [\"acme/widgets\"]\n[egress]\nbase = [\"*.hosts.test\"]\n");
    let api = "api.anthropic.com=192.0.2.7";
    for (form, resolved, holds) in [
        ("nft", false, "8088"),
        ("gate", false, "\"*.hosts.test\""),
        ("networkpolicy", true, "kind: NetworkPolicy"),
        ("cilium", true, "matchPattern: \"*.hosts.test\""),
        ("iptables", true, "COMMIT"),
        ("ip6tables", true, "COMMIT"),
    ] {
        let more = if resolved { vec!["--resolve", api] } else { Vec::new() };
        let ran = sandbox.run(&[vec!["render", form, "--type", "reviewer"], more].concat());
        assert!(ran.code == 0 && ran.out.contains(holds), "{form}: {}", ran.all());
    }
}

#[test]
fn the_fence_of_a_cluster_is_rendered_from_the_same_policy() {
    let sandbox =
        behind_a_gate("[egress]\nbase = [\"*.hosts.test\"]\n[models]\nbase_url = \"https://model.test:8443\"\n");
    let render = |form: &str, more: &[&str]| {
        let given = ["render", form, "--resolve", "model.test=10.0.0.2", "--type", "reviewer", "--namespace", "job-1"];
        sandbox.run(&given.into_iter().chain(more.iter().copied()).collect::<Vec<_>>())
    };
    let (plain, cilium) = (render("networkpolicy", &[]), render("cilium", &[]));
    for ran in [&plain, &cilium] {
        assert!(ran.code == 0 && ran.err.is_empty(), "{}", ran.all());
        assert_eq!(ran.out.matches("  namespace: job-1\n").count(), 3, "{}", ran.out);
        // The port at which the gate signs for the model, and the place where it does so.
        assert!(ran.out.contains("port: 8088\n") && ran.out.contains("10.0.0.2/32\n"), "{}", ran.out);
    }
    assert!(plain.out.contains("\n#   *.hosts.test\n") && plain.out.contains("cidr: 0.0.0.0/0\n"), "{}", plain.out);
    assert!(cilium.out.contains("toFQDNs:\n    - matchPattern: \"*.hosts.test\"\n"), "{}", cilium.out);
    assert!(!cilium.out.contains("cidr: 0.0.0.0/0\n"), "names alone open something to the gate: {}", cilium.out);
    assert_eq!(render("cilium", &["--json"]).json()["documents"], cilium.out);
    // Without a name for quality its pod gets no network.
    let quality = sandbox.run(&["render", "networkpolicy", "--type", "quality"]);
    assert_eq!(quality.out.matches("kind: NetworkPolicy").count(), 1, "{}", quality.all());
    assert_eq!(sandbox.run(&["render", "cilium", "--namespace", "Job_1"]).code, 2);
    assert_eq!(sandbox.run(&["render", "cilium", "--resolve", "x"]).code, 2);
}

#[test]
fn doctor_says_how_to_mend_a_broken_configuration() {
    let sandbox = Sandbox::new();
    sandbox.write("hydra.toml", "[github]\nrepo = [\"a/b\"]\n");
    let ran = sandbox.run(&["doctor", "--offline"]);
    assert_eq!(ran.code, 1, "{}", ran.all());
    assert!(ran.out.contains("FAIL  configuration  [work]/hydra.toml:2: there is no key `github.repo`"), "{}", ran.out);
    assert!(ran.out.contains("-> did you mean `github.repos`?"), "{}", ran.out);
}

#[test]
fn doctor_is_content_with_a_complete_installation() {
    let sandbox = Sandbox::complete();
    sandbox.write("hydra.toml", "[github]\nrepos = [\"acme/widgets\"]\n[runtime]\nkind = \"process\"\n");
    let ran = sandbox.run(&["doctor", "--offline"]);
    assert_eq!(ran.code, 0, "{}", ran.all());
    let json = sandbox.run(&["doctor", "--offline", "--json"]).json();
    assert_eq!((json["ok"].as_bool(), json["kind"].as_str()), (Some(true), Some("doctor")));
}

#[test]
fn a_github_that_cannot_be_reached_fails_the_check_of_each_token_and_shows_none() {
    let sandbox = Sandbox::complete();
    sandbox.write("hydra.toml", "[github]\napi_url = \"http://127.0.0.1:1\"\nrepos = [\"acme/widgets\"]\n");
    let ran = sandbox.run(&["doctor"]);
    assert_eq!(ran.code, 1, "{}", ran.all());
    assert!(ran.out.contains("FAIL  token builder"), "{}", ran.out);
    assert!(!ran.all().contains("github_pat_11"), "{}", ran.all());
    let labels = sandbox.run(&["labels", "sync", "--dry-run"]);
    assert_eq!(labels.code, 5, "{}", labels.all());
}

#[test]
fn a_read_only_state_folder_is_found() {
    let sandbox = Sandbox::complete();
    sandbox.write(".hydra", "a file where the folder should be");
    let ran = sandbox.run(&["doctor", "--offline"]);
    assert!(ran.code == 1 && ran.out.contains("FAIL  state"), "{}", ran.all());
}

#[test]
fn completions_and_the_manual_are_made_of_the_help() {
    let sandbox = Sandbox::new();
    for shell in ["bash", "zsh", "fish"] {
        let ran = sandbox.run(&["completions", shell]);
        assert!(ran.code == 0 && ran.out.contains("dev-run"), "{shell}");
    }
    let man = sandbox.run(&["man"]);
    assert!(man.code == 0 && man.out.contains(".TH") && man.out.contains("scenario"), "{}", man.err);
}

#[test]
fn a_reader_that_goes_away_is_no_error() {
    let sandbox = Sandbox::new();
    let mut child =
        sandbox.command(&["completions", "bash"]).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    drop(child.stdout.take());
    let mut err = String::new();
    child.stderr.take().unwrap().read_to_string(&mut err).unwrap();
    assert_eq!((child.wait().unwrap().code(), err.as_str()), (Some(0), ""));
}

#[test]
fn colours_are_for_terminals_or_on_request() {
    let sandbox = Sandbox::complete();
    assert!(!sandbox.run(&["doctor", "--offline"]).all().contains('\u{1b}'));
    assert!(sandbox.run(&["doctor", "--offline", "--color", "always"]).out.contains('\u{1b}'));
}

#[test]
fn egress_check_names_the_line_and_the_file_or_the_line_that_would_open_it() {
    let sandbox = Sandbox::complete();
    let toml = sandbox.read("hydra.toml");
    sandbox.write("hydra.toml", format!("{toml}[egress]\nbase = [\"api.anthropic.com\", \"*.models.example.org\"]\n"));
    let own = sandbox.run(&["egress", "check", "eu.models.example.org", "--type", "reviewer"]);
    assert_eq!(own.code, 0, "{}", own.all());
    let line = toml.lines().count() + 2;
    let wanted = format!(
        "allowed for reviewer, port 443, by \"*.models.example.org\" of egress base ([work]/hydra.toml:{line})"
    );
    assert!(own.out.contains(&wanted), "{}", own.all());
    let default = sandbox.run(&["egress", "check", "PyPI.org"]);
    assert!(default.code == 0 && default.out.contains("of egress builder (compiled in)"), "{}", default.all());

    let refused = sandbox.run(&["egress", "check", "pypi.org.evil.test"]);
    assert_eq!(refused.code, 1, "{}", refused.all());
    assert!(refused.out.contains("refused for builder: dns.not_allowed"), "{}", refused.all());
    let pasted: toml::Table = refused.out.split_once("hydra.toml:\n").unwrap().1.parse().unwrap();
    let builder = pasted["egress"]["extra"]["builder"].as_array().unwrap();
    let names: Vec<&str> = builder.iter().map(|name| name.as_str().unwrap()).collect();
    assert!(names.contains(&"pypi.org.evil.test") && names.contains(&"index.crates.io"), "{}", refused.all());
    let api = sandbox.run(&["egress", "check", "api.anthropic.com"]);
    assert!(api.code == 0 && api.out.contains("through the model port alone for builder"), "{}", api.all());
    let api = sandbox.run(&["egress", "check", "api.anthropic.com", "--type", "quality"]);
    assert!(api.code == 1 && api.out.contains("refused for quality"), "{}", api.all());
    let json = sandbox.run(&["egress", "check", "pypi.org.evil.test", "--json"]).json();
    assert_eq!((json["allowed"].as_bool(), json["reason"].as_str()), (Some(false), Some("dns.not_allowed")));

    for wrong in ["https://pypi.org", "10.0.0.1", "pypi.org:443"] {
        let ran = sandbox.run(&["egress", "check", wrong]);
        assert!(ran.code == 2 && ran.err.contains("  help: "), "{}", ran.all());
    }
}

#[test]
fn the_next_step_fits_what_went_wrong() {
    let sandbox = Sandbox::new();
    for (args, help) in [
        (&["demo", "--script", "nope.json"][..], "look at its spelling"),
        (&["change", "check", "nope"], "look at its spelling"),
        (&["change", "init", "No!"], "`hydra help change init`"),
    ] {
        let ran = sandbox.run(args);
        let step = ran.err.lines().find(|line| line.starts_with("  help: ")).unwrap_or_default();
        assert!(step.contains(help) && !ran.err.contains("COMMAND") && !ran.err.contains("make room"), "{}", ran.all());
    }
    let none = Sandbox::complete();
    none.write("hydra.toml", "[github]\norg = \"acme\"\nproject = 1\n");
    let ran = none.run(&["cancel", "7"]);
    assert!(ran.err.contains("7 says no repository, and none is configured: write OWNER/NAME#7"), "{}", ran.all());
    // What is pointed at must be there: `init` makes no secrets/README.md.
    none.write("hydra.toml", "[github]\nbuilder_token = \"x\"\n");
    none.secret("secrets/.env", "HYDRA_ZZZ=1\n");
    let toml = none.run(&["config", "check"]);
    none.write("hydra.toml", "");
    let dotenv = none.run(&["config", "check"]);
    for ran in [toml, dotenv] {
        assert!(ran.code != 0 && ran.err.contains("help: ") && !ran.err.contains("README"), "{}", ran.all());
    }
}
