//! Where values come from, and which one wins.

use crate::harness::Sandbox;
use hydra_cli::config::{self, Loaded, Sources, environment::Environment, layers::Flag, variables};
use hydra_core::{Stage, TokenRole};
use secrecy::ExposeSecret;
use std::ffi::OsString;

fn load(sandbox: &Sandbox, variables: &[(&str, &str)], flags: Vec<Flag>) -> Loaded {
    let environment: Environment =
        variables.iter().map(|(name, value)| (OsString::from(name), OsString::from(value))).collect();
    let cwd = sandbox.work("");
    config::load(&Sources { cwd: &cwd, file: None, flags, environment: &environment }).unwrap()
}

fn source(loaded: &Loaded, key: &str) -> String {
    loaded.shown.iter().find(|shown| shown.key == key).unwrap().source.clone()
}

/// What a variable is set to here, and what must be seen of it in the resolved settings.
fn expectation(name: &str) -> (&'static str, fn(&Loaded) -> String) {
    match name {
        "GITHUB_ORG" | "HYDRA_ORG" => ("octo", |l| l.settings.values.github.org.clone().unwrap_or_default()),
        "HYDRA_PROJECT_NUMBER" => {
            ("12", |l| l.settings.values.github.project.map(|n| n.to_string()).unwrap_or_default())
        }
        "HYDRA_TRIGGER_LABEL" => ("go", |l| hydra_cli::compose::plan_policy(&l.settings).trigger_label),
        "HYDRA_LABEL_PREFIX" => ("bot/", |l| hydra_cli::compose::plan_policy(&l.settings).label_prefix),
        "HYDRA_MODEL" => ("claude-haiku-4-5", |l| {
            let policy = hydra_cli::compose::plan_policy(&l.settings);
            let models: std::collections::BTreeSet<String> =
                policy.personas.values().map(|persona| persona.model.to_string()).collect();
            models.into_iter().collect::<Vec<_>>().join(",")
        }),
        "HYDRA_IMAGE_PREFIX" => ("registry.test/acme", |l| {
            let name = hydra_cli::images::full_name(&l.settings, hydra_core::ContainerType::Builder);
            name.strip_suffix("/hydra-builder:latest").unwrap_or(&name).to_owned()
        }),
        "HYDRA_IMAGE_TAG" => ("v9", |l| {
            let name = hydra_cli::images::full_name(&l.settings, hydra_core::ContainerType::Security);
            name.strip_prefix("ghcr.io/conductionnl/hydra-security:").unwrap_or(&name).to_owned()
        }),
        "HYDRA_STATE_DIR" => ("/var/lib/hydra", |l| l.settings.state_dir.display().to_string()),
        "HYDRA_SIGNING_KEY" => ("5555555555555555555555555555555555555555555555555555555555555555", |l| {
            l.settings
                .secrets
                .signing_key
                .as_ref()
                .map(|held| held.value.expose_secret().to_owned())
                .unwrap_or_default()
        }),
        "HYDRA_BUILDER_TOKEN" => ("github_pat_b", |l| token(l, TokenRole::Builder)),
        "HYDRA_REVIEWER_TOKEN" => ("github_pat_r", |l| token(l, TokenRole::Reviewer)),
        "HYDRA_SECURITY_TOKEN" => ("github_pat_s", |l| token(l, TokenRole::Security)),
        "HYDRA_APPLIER_TOKEN" => ("github_pat_a", |l| token(l, TokenRole::Applier)),
        "HYDRA_ORCHESTRATOR_TOKEN" => ("github_pat_o", |l| token(l, TokenRole::Orchestrator)),
        "CLAUDE_CODE_OAUTH_TOKEN" => ("sk-ant-oat01-x", |l| account(l, "variable-oauth")),
        "ANTHROPIC_API_KEY" | "HYDRA_ANTHROPIC_KEY" => ("sk-ant-api03-x", |l| account(l, "variable-key")),
        other => panic!("{other} has no test: say what setting it changes"),
    }
}

fn token(loaded: &Loaded, role: TokenRole) -> String {
    loaded.settings.token(role).map(|held| held.value.expose_secret().to_owned()).unwrap_or_default()
}

fn account(loaded: &Loaded, name: &str) -> String {
    let accounts = &loaded.settings.secrets.accounts;
    let found = accounts.iter().find(|account| account.name.as_str() == name);
    found.map(|account| account.held.value.expose_secret().to_owned()).unwrap_or_default()
}

#[test]
fn every_documented_variable_changes_what_hydra_does_from_the_environment_and_from_the_file() {
    for variable in variables::ALL {
        let (value, seen) = expectation(variable.name);
        let sandbox = Sandbox::new();
        sandbox.write("hydra.toml", "[github]\norg = \"acme\"\n");
        let before = seen(&load(&sandbox, &[], Vec::new()));
        assert_ne!(before, value, "{}", variable.name);
        assert_eq!(
            seen(&load(&sandbox, &[(variable.name, value)], Vec::new())),
            value,
            "{} in the environment",
            variable.name
        );
        sandbox.secret("secrets/.env", format!("{}={value}\n", variable.name));
        assert_eq!(seen(&load(&sandbox, &[], Vec::new())), value, "{} in secrets/.env", variable.name);
        // An empty variable counts as not set.
        assert_eq!(seen(&load(&sandbox, &[(variable.name, "")], Vec::new())), value, "{} empty", variable.name);
    }
}

#[test]
fn a_flag_goes_before_the_environment_before_the_env_file_before_hydra_toml_before_the_default() {
    let sandbox = Sandbox::new();
    let dir = |loaded: &Loaded| (loaded.settings.state_dir.clone(), source(loaded, "state.dir"));
    let work = |name: &str| sandbox.work(name);
    sandbox.write("hydra.toml", "");
    assert_eq!(dir(&load(&sandbox, &[], Vec::new())), (work(".hydra"), "default".to_owned()));
    sandbox.write("hydra.toml", "\n[state]\ndir = \"a\"\n");
    assert_eq!(dir(&load(&sandbox, &[], Vec::new())), (work("a"), "hydra.toml:3".to_owned()));
    sandbox.secret("secrets/.env", "HYDRA_STATE_DIR=b\n");
    assert_eq!(dir(&load(&sandbox, &[], Vec::new())), (work("b"), "secrets/.env (HYDRA_STATE_DIR)".to_owned()));
    let environment = [("HYDRA_STATE_DIR", "c")];
    assert_eq!(dir(&load(&sandbox, &environment, Vec::new())), (work("c"), "environment (HYDRA_STATE_DIR)".to_owned()));
    let flag = Flag { name: "--state-dir", key: "state.dir", value: "d".to_owned() };
    assert_eq!(dir(&load(&sandbox, &environment, vec![flag])), (work("d"), "flag --state-dir".to_owned()));
}

#[test]
fn the_environment_goes_before_the_env_file_before_credentials_json_and_a_difference_is_told() {
    let sandbox = Sandbox::complete();
    let loaded = load(&sandbox, &[], Vec::new());
    assert_eq!(token(&loaded, TokenRole::Builder), "github_pat_11AAAAAAA0builder");
    assert!(loaded.settings.warnings.is_empty(), "{:?}", loaded.settings.warnings);
    sandbox.secret("secrets/.env", "HYDRA_BUILDER_TOKEN=github_pat_env\n");
    let loaded = load(&sandbox, &[], Vec::new());
    assert_eq!(token(&loaded, TokenRole::Builder), "github_pat_env");
    assert!(
        loaded.settings.warnings[0].starts_with("builder has two different tokens"),
        "{:?}",
        loaded.settings.warnings
    );
    let loaded = load(&sandbox, &[("HYDRA_BUILDER_TOKEN", "github_pat_proc")], Vec::new());
    assert_eq!(token(&loaded, TokenRole::Builder), "github_pat_proc");
}

#[test]
fn accounts_stand_in_priority_order_and_those_of_variables_come_last() {
    let sandbox = Sandbox::new();
    let file = r#"{"claude_accounts":[{"name":"b","token":"sk-ant-api03-b","priority":2},{"name":"a","token":"t-a","priority":1},{"name":"later","token":"","priority":0}]}"#;
    sandbox.secret("secrets/credentials.json", file);
    let loaded = load(&sandbox, &[("CLAUDE_CODE_OAUTH_TOKEN", "t-c"), ("HYDRA_ANTHROPIC_KEY", "t-d")], Vec::new());
    let names: Vec<&str> = loaded.settings.secrets.accounts.iter().map(|account| account.name.as_str()).collect();
    assert_eq!(names, ["a", "b", "variable-key", "variable-oauth"]);
}

#[test]
fn a_single_identity_has_one_token_for_every_role_and_no_yolo() {
    let sandbox = Sandbox::new();
    sandbox.write(
        "hydra.toml",
        "identities = \"single\"\n[github]\nrepos = [\"me/mine\"]\n[pipeline]\nyolo_allowed = [\"me\"]\n",
    );
    let loaded = load(&sandbox, &[("HYDRA_ORCHESTRATOR_TOKEN", "github_pat_me")], Vec::new());
    for role in TokenRole::ALL {
        assert_eq!(token(&loaded, *role), "github_pat_me");
    }
    let policy = hydra_cli::compose::plan_policy(&loaded.settings);
    assert!(policy.single_identity && policy.yolo_allowed.is_empty());
}

#[test]
fn a_team_renames_re_limits_and_adds_personas_without_touching_code() {
    let sandbox = Sandbox::new();
    sandbox.write("prompts/sec.md", "Look for secrets.");
    sandbox.write(
        "hydra.toml",
        r#"
[personas.al-gorithm]
name = "Ada"
turns = 50
cpus = 1.5
[personas.own-guard]
name = "Own Guard"
stages = ["security-review"]
model = "claude-opus-4-8"
prompt_file = "prompts/sec.md"
"#,
    );
    let settings = load(&sandbox, &[], Vec::new()).settings;
    let builder = settings.persona(Stage::Build).unwrap();
    assert_eq!((builder.name.as_str(), builder.limits.turns, builder.limits.cpu_millis), ("Ada", 50, 1_500));
    assert_eq!(builder.limits.minutes, 35, "what is not said stays");
    let guard = settings.persona(Stage::SecurityReview).unwrap();
    assert_eq!((guard.id.as_str(), guard.prompt.as_str(), guard.limits.turns), ("own-guard", "Look for secrets.", 20));
    assert!(
        !settings.personas.iter().any(|persona| persona.id.as_str() == "clyde-barcode"),
        "nothing is left for Clyde"
    );
}

#[test]
fn the_documented_defaults_hold_without_any_file() {
    let sandbox = Sandbox::new();
    let settings = load(&sandbox, &[], Vec::new()).settings;
    let policy = hydra_cli::compose::plan_policy(&settings);
    assert_eq!((policy.trigger_label.as_str(), policy.label_prefix.as_str()), ("ready-to-build", ""));
    assert_eq!((policy.max_fix_rounds, policy.max_quality_fixes, policy.slots), (2, 2, 5));
    assert_eq!(policy.backoff_base.as_secs(), 10);
    let minutes: Vec<u32> = policy.personas.values().map(|persona| persona.limits.minutes).collect();
    assert_eq!(minutes, [35, 35, 20, 20, 35, 10]);
    assert_eq!(
        hydra_cli::images::full_name(&settings, hydra_core::ContainerType::Builder),
        "ghcr.io/conductionnl/hydra-builder:latest"
    );
    assert_eq!(settings.egress, hydra_core::egress::EgressPolicy::default());
}

#[test]
fn what_init_writes_lets_hydra_toml_have_its_say() {
    let sandbox = Sandbox::new();
    assert_eq!(sandbox.run(&["init"]).code, 0);
    sandbox.write("hydra.toml", sandbox.read("hydra.toml").replace("\"ready-to-build\"", "\"go\""));
    let loaded = load(&sandbox, &[], Vec::new());
    assert_eq!(hydra_cli::compose::plan_policy(&loaded.settings).trigger_label, "go");
    assert!(loaded.settings.notes.is_empty(), "{:?}", loaded.settings.notes);
}

#[test]
fn a_variable_that_goes_before_hydra_toml_is_named_wherever_one_asks() {
    let sandbox = Sandbox::complete();
    sandbox.write("hydra.toml", "[github]\nrepos = [\"acme/widgets\"]\n[pipeline]\ntrigger_label = \"build-it\"\n");
    let env = format!("HYDRA_SIGNING_KEY={}\nHYDRA_TRIGGER_LABEL=go\n", "7".repeat(64));
    sandbox.secret("secrets/.env", env);
    let note = "secrets/.env (HYDRA_TRIGGER_LABEL) goes before hydra.toml:4: `pipeline.trigger_label` is \"go\", not \"build-it\"";
    for command in [&["config", "check"][..], &["config", "show"], &["doctor", "--offline"]] {
        let ran = sandbox.run(command);
        assert!(ran.out.contains(note), "{command:?}: {}", ran.all());
    }
    assert_eq!(sandbox.run(&["config", "check", "--json"]).json()["notes"][0], note);
    // The same value in both places is worth no word.
    sandbox.write("hydra.toml", sandbox.read("hydra.toml").replace("build-it", "go"));
    assert!(!sandbox.run(&["config", "check"]).out.contains("goes before"));
}

#[test]
fn a_wrong_value_is_told_at_the_place_where_it_stands_whichever_place_goes_first() {
    let sandbox = Sandbox::complete();
    sandbox.write("hydra.toml", "[pipeline]\ntrigger_label = \"a,b\"\n");
    let ran = sandbox.env("HYDRA_TRIGGER_LABEL", "go").run(&["config", "check"]);
    assert!(
        ran.code == 3 && ran.err.contains("hydra.toml:2: `pipeline.trigger_label`: it may not hold"),
        "{}",
        ran.all()
    );
    for pipeline in ["[pipeline]\ntrigger_label = \"good\"\n", "[pipeline]\nmax_fix_rounds = 1\n"] {
        let sandbox = Sandbox::complete();
        sandbox.write("hydra.toml", pipeline);
        let ran = sandbox.env("HYDRA_TRIGGER_LABEL", "a,b").run(&["config", "check"]);
        let place = "environment (HYDRA_TRIGGER_LABEL): `pipeline.trigger_label`: it may not hold";
        assert!(ran.code == 3 && ran.err.contains(place) && !ran.err.contains("hydra.toml:"), "{}", ran.all());
    }
}

#[test]
fn the_personas_and_prices_in_force_are_shown_with_their_sources() {
    let sandbox = Sandbox::complete();
    let shown = |key: &str| {
        let loaded = load(&sandbox, &[], Vec::new());
        let row = loaded.shown.iter().find(|row| row.key == key).unwrap_or_else(|| panic!("{key} is not shown"));
        (row.value.clone(), row.source.clone())
    };
    let pair = |value: &str, source: &str| (value.to_owned(), source.to_owned());
    sandbox.write("hydra.toml", "");
    for persona in hydra_core::persona::defaults() {
        let limits = persona.limits;
        for (field, value) in [
            ("model", format!("{:?}", persona.model.as_str())),
            ("turns", limits.turns.to_string()),
            ("minutes", limits.minutes.to_string()),
            ("cpus", (f64::from(limits.cpu_millis) / 1000.0).to_string()),
            ("memory_mib", limits.memory_mib.to_string()),
        ] {
            assert_eq!(shown(&format!("personas.{}.{field}", persona.id)), pair(&value, "default"));
        }
    }
    let opus = "{cache_read = 0.5, cache_write = 6.25, input = 5, output = 25}";
    let table = format!("default (as of {})", hydra_core::prices::AS_OF);
    assert_eq!(shown("prices.claude-opus-4-8"), pair(opus, &table));
    sandbox.write(
        "hydra.toml",
        "[personas.al-gorithm]\nturns = 50\n[personas.own]\nname = \"Own\"\nstages = [\"fix-quality\"]\n[models]\nall = \"mine\"\n[prices.mine]\ninput = 1\noutput = 2\ncache_read = 0\ncache_write = 0.5\n",
    );
    assert_eq!(shown("personas.al-gorithm.turns"), pair("50", "hydra.toml:2"));
    assert_eq!(shown("personas.al-gorithm.minutes"), pair("35", "default"));
    assert_eq!(shown("personas.al-gorithm.model"), pair("\"mine\"", "hydra.toml:7"));
    assert_eq!(shown("personas.al-gorithm.stages"), pair("[\"build\", \"fix\"]", "default, without those of others"));
    assert_eq!(shown("personas.own.stages"), pair("[\"fix-quality\"]", "hydra.toml:5"));
    assert_eq!(
        shown("prices.mine"),
        pair("{cache_read = 0, cache_write = 0.5, input = 1, output = 2}", "hydra.toml:11")
    );
    assert_eq!(shown("prices.claude-opus-4-8"), pair(opus, &table));
}

#[test]
fn a_trigger_label_of_hydras_own_and_a_pin_that_is_a_tag_are_refused_with_their_place() {
    for (toml, words) in [
        (
            "[pipeline]\ntrigger_label = \"build:queued\"\n",
            "`pipeline.trigger_label`: `build:queued` means something else",
        ),
        ("[pipeline]\ntrigger_label = \"Done\"\n", "`pipeline.trigger_label`: `done` means something else"),
        (
            "[runtime.toolchains]\nrust = \"rust:1.90\"\n",
            "`runtime.toolchains.\"rust\"`: it must name the image by ID or digest",
        ),
        (
            "[runtime]\nservices.db = { image = \"postgres\", pin = \"postgres:16\", port = 5432 }\n",
            "`runtime.services.\"db\".pin`: it must name",
        ),
    ] {
        let sandbox = Sandbox::complete();
        sandbox.write("hydra.toml", toml);
        let ran = sandbox.run(&["config", "check"]);
        assert!(ran.code == 3 && ran.err.contains(&format!("hydra.toml:2: {words}")), "{}", ran.all());
        assert!(ran.err.contains("help: "), "{}", ran.all());
    }
}

#[test]
fn a_pause_and_a_cancel_say_why() {
    let sandbox = Sandbox::complete();
    for args in
        [&["pause", "--reason", ""][..], &["pause", "--reason", " \t"], &["cancel", "acme/widgets#1", "--reason", ""]]
    {
        let ran = sandbox.run(args);
        assert!(ran.code == 2 && ran.err.contains("say why in a few words"), "{}", ran.all());
    }
}
