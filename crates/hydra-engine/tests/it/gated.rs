//! What the engine gives a job behind a gate, and what it keeps from it: no credential is in any specification, and each gate holds what its
//! own job needs.

use crate::world::{World, input, well};
use hydra_core::{
    Stage,
    egress::{EgressPolicy, gate::Upstream},
    job::{EnvValue, Gated, ImageRef, InputFile, JobSpec, Network, Service},
    plan::Budget,
};
use hydra_engine::EngineConfig;
use secrecy::ExposeSecret as _;
use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex},
};

/// What [`crate::world::FakeAccounts`] gives for every account.
const MODEL: &str = "sk-ant-oat01-not-a-real-one";
const REGISTRY: &str = "Bearer a-registry-credential";
const DATABASE: u16 = 5432;

fn policy() -> EgressPolicy {
    serde_json::from_value(serde_json::json!({
        "base": ["api.anthropic.com", "models.acme.example"],
        "extra": { "builder": ["npm.acme.example"] },
        "floor": ["api.acme.example", "fixtures.acme.example"],
        "inspect": { "npm.acme.example": { "credential": "npm" } },
    }))
    .unwrap()
}

/// An organisation whose jobs stand behind gates.
fn fenced(config: EngineConfig) -> EngineConfig {
    let image = ImageRef { name: "acme-database".into(), pin: "sha256:01".into() };
    let database = Service {
        name: "db".into(),
        image,
        port: DATABASE,
        user: None,
        env: BTreeMap::from([("MODE".to_owned(), "trust".to_owned())]),
        memory_mib: 256,
    };
    EngineConfig {
        gate: Some(ImageRef { name: "hydra-gate".into(), pin: "sha256:02".into() }),
        api: Some(Upstream {
            endpoint: "models.acme.example:443".parse().unwrap(),
            tls: true,
            private: false,
            authority: None,
        }),
        egress: policy(),
        registries: BTreeMap::from([("npm".to_owned(), REGISTRY.into()), ("other".to_owned(), "Basic unused".into())]),
        services: BTreeMap::from([("db".to_owned(), database)]),
        ..config
    }
}

/// Runs a pipeline to its end over a repository that says this of itself; its specifications by stage.
async fn specified(hydra_toml: &str, prepare: impl Fn(&World)) -> BTreeMap<Stage, JobSpec> {
    let seen: Arc<Mutex<BTreeMap<_, _>>> = Arc::default();
    let keep = Arc::clone(&seen);
    let mut world = World::new(move |spec: &JobSpec| {
        keep.lock().unwrap().insert(spec.key.stage, spec.clone());
        well(spec)
    });
    world.policy.issue_budget = Budget { tokens: Some(1_000_000), usd: None };
    world.git.files.lock().unwrap().insert(".hydra.toml".to_owned(), hydra_toml.as_bytes().to_vec());
    prepare(&world);
    let mut engine = world.engine_with(fenced(world.config("1")));
    world.run(&mut engine).await;
    world.lawful();
    let seen = seen.lock().unwrap().clone();
    let stages: Vec<Stage> = seen.keys().copied().collect();
    assert_eq!(
        stages,
        [Stage::Build, Stage::Quality, Stage::CodeReview, Stage::SecurityReview],
        "the issue says: {}",
        world.status(1)
    );
    seen
}

fn gate(spec: &JobSpec) -> &Gated {
    match &spec.network {
        Network::Gated(gated) => gated,
        other => panic!("{} stands behind no gate: {other:?}", spec.key.stage),
    }
}

/// Everything of a specification that reaches the job's own container, as text.
fn within_reach(spec: &JobSpec) -> String {
    let mut text = String::new();
    for (name, value) in &spec.env {
        let value = match value {
            EnvValue::Plain(value) => value.as_str(),
            EnvValue::Secret { value, .. } => value.expose_secret(),
        };
        text += &format!("{name}={value}\n");
    }
    for (path, file) in spec.inputs.iter().chain(&spec.spec) {
        let bytes = match file {
            InputFile::Bytes(bytes) => bytes.clone(),
            InputFile::Path(path) => std::fs::read(path).unwrap_or_default(),
        };
        text += &format!("{path}: {}\n", String::from_utf8_lossy(&bytes));
    }
    text
}

const PLAIN: &str = "[commands]\ntest = \"true\"\n";

#[tokio::test(start_paused = true)]
async fn no_job_behind_a_gate_is_given_a_credential_and_its_gate_is() {
    let seen = specified(PLAIN, |_| ()).await;
    for (stage, spec) in &seen {
        let secret: Vec<&String> = spec
            .env
            .iter()
            .filter(|(_, value)| matches!(value, EnvValue::Secret { .. }))
            .map(|(name, _)| name)
            .collect();
        assert!(secret.is_empty(), "{stage} is given {secret:?}");
        let reach = within_reach(spec);
        for credential in [MODEL, REGISTRY, "PRIVATE KEY"] {
            assert!(!reach.contains(credential), "{stage} can read {credential:?}");
        }
        if *stage == Stage::Quality {
            continue;
        }
        let EnvValue::Plain(placeholder) = &spec.env["CLAUDE_CODE_OAUTH_TOKEN"] else { panic!("no placeholder") };
        assert_eq!(placeholder, "withheld-by-hydra");
        let EnvValue::Plain(base) = &spec.env["ANTHROPIC_BASE_URL"] else { panic!("no address") };
        assert_eq!(base, "http://127.0.0.1:8088");
        let gated = gate(spec);
        let held: Vec<(&str, &str)> =
            gated.withheld.accounts.iter().map(|(name, value)| (name.as_str(), value.expose_secret())).collect();
        assert_eq!(held, [("main", MODEL), ("spare", MODEL)], "{stage}'s gate holds every account that is free");
        let route = gated.config.api.as_ref().unwrap();
        let order: Vec<&str> = route.accounts.iter().map(|account| account.name.as_str()).collect();
        assert_eq!(order, ["main", "spare"]);
        assert_eq!(route.allowance, input(spec).allowance);
        assert!(route.allowance.is_some(), "{stage}'s gate counts against what is left of the budget");
        // What the gate signs for is not to be had with a key of the agent's own.
        for host in ["api.anthropic.com", "models.acme.example"] {
            assert!(!gated.config.allow.iter().any(|line| line.to_string() == host), "{stage} may dial {host} itself");
        }
        assert!(!serde_json::to_string(&spec.network).unwrap().contains(MODEL), "nor does its configuration tell it");
    }
}

#[tokio::test(start_paused = true)]
async fn a_registrys_credential_is_in_the_gates_of_those_who_may_reach_it() {
    let seen = specified(PLAIN, |_| ()).await;
    let registries = |stage: Stage| -> Vec<(String, String)> {
        let held = &gate(&seen[&stage]).withheld.registries;
        held.iter().map(|(name, value)| (name.clone(), value.expose_secret().to_owned())).collect()
    };
    assert_eq!(registries(Stage::Build), [("npm".to_owned(), REGISTRY.to_owned())], "not what nobody asked for");
    assert_eq!(registries(Stage::CodeReview), [], "a reviewer installs nothing");
    let build = &seen[&Stage::Build];
    let names: Vec<String> = build.credentials.iter().map(ToString::to_string).collect();
    assert_eq!(names, ["account:main", "account:spare", "registry:npm"], "hydra stop --credential finds it by these");
    assert!(build.inputs.contains_key("egress-ca.pem"), "what its tools may believe");
    assert!(gate(build).withheld.certificate.is_some());
    assert!(!seen[&Stage::CodeReview].inputs.contains_key("egress-ca.pem"));
}

#[tokio::test(start_paused = true)]
async fn quality_stands_behind_a_gate_only_where_its_policy_names_a_host_and_never_has_a_model() {
    let seen = specified(PLAIN, |_| ()).await;
    assert_eq!(seen[&Stage::Quality].network, Network::None, "nothing to reach, so no network at all");
    let seen = specified(&format!("{PLAIN}[egress]\nquality = [\"fixtures.acme.example\"]\n"), |_| ()).await;
    let spec = &seen[&Stage::Quality];
    let gated = gate(spec);
    let allowed: Vec<String> = gated.config.allow.iter().map(ToString::to_string).collect();
    assert_eq!(allowed, ["fixtures.acme.example"]);
    assert_eq!((&gated.config.api, &gated.config.model, gated.config.model_port()), (&None, &None, None));
    assert!(gated.withheld.accounts.is_empty() && gated.withheld.registries.is_empty());
    assert!(spec.credentials.is_empty() && !spec.env.contains_key("ANTHROPIC_BASE_URL"), "{:?}", spec.env.keys());
}

#[tokio::test(start_paused = true)]
async fn side_services_stand_beside_those_jobs_that_run_what_the_repository_says() {
    let seen = specified(&format!("services = [\"db\"]\n{PLAIN}"), |_| ()).await;
    for stage in [Stage::Build, Stage::Quality] {
        let spec = &seen[&stage];
        let names: Vec<(&str, u16)> =
            gate(spec).services.iter().map(|service| (service.name.as_str(), service.port)).collect();
        assert_eq!(names, [("db", DATABASE)], "{stage}");
        let EnvValue::Plain(place) = &spec.env["HYDRA_SERVICE_DB"] else { panic!("{stage} is not told where it is") };
        assert_eq!(place, "127.0.0.1:5432");
        let told: Vec<(String, u16)> =
            input(spec).services.into_iter().map(|service| (service.name, service.port)).collect();
        assert_eq!(told, [("db".to_owned(), DATABASE)], "the wrapper waits for it");
    }
    for stage in [Stage::CodeReview, Stage::SecurityReview] {
        assert!(gate(&seen[&stage]).services.is_empty(), "{stage} runs nothing");
    }
}

#[tokio::test(start_paused = true)]
async fn an_account_that_rests_is_in_no_gate() {
    let rests = |world: &World| {
        let until = "2027-01-01T00:00:00Z".parse().unwrap();
        world.accounts.aside.lock().unwrap().insert("main".parse().unwrap(), (until, "limit".into()));
    };
    let seen = specified(PLAIN, rests).await;
    for stage in [Stage::Build, Stage::CodeReview, Stage::SecurityReview] {
        let held: Vec<&str> = gate(&seen[&stage]).withheld.accounts.keys().map(|name| name.as_str()).collect();
        assert_eq!(held, ["spare"], "{stage}");
    }
}
