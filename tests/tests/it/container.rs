//! The container that Hydra starts, held against the documented command line: `docker inspect` of the two differs in what
//! `docs/operations/docker.md` lists with its reasons, and in nothing else.

#![expect(clippy::unwrap_used, reason = "a test that cannot be set up has failed")]

use crate::images::{bridge::Bridge, docker, docker_output, literal, root};
use hydra_cli::{args::Color, compose, config::environment::Environment, context::Context, output::screen::Screen};
use hydra_core::{Stage, job::JobSpec, ports::Runtime as _};
use serde_json::Value;
use std::{
    collections::{BTreeMap, BTreeSet},
    net::TcpListener,
    os::unix::fs::PermissionsExt as _,
    path::Path,
    process::{Child, Command, Stdio},
    thread,
    time::Duration,
};

/// What tells any two containers apart, whatever started them.
const EACH_ITS_OWN: [&str; 2] = ["Config.Hostname", "HostConfig.ContainerIDFile"];

/// A team's folder as `hydra init` leaves it, filled in.
fn team(repo: &str, mode: &str) -> tempfile::TempDir {
    let team = tempfile::tempdir().unwrap();
    let at = |name: &str| team.path().join(name);
    std::fs::create_dir_all(at("secrets")).unwrap();
    std::fs::create_dir_all(at("openspec/changes/a-change")).unwrap();
    let lock = root().canonicalize().unwrap().join("target/images.lock.json");
    std::fs::write(
        at("hydra.toml"),
        format!(
            "instance = \"line\"\n[github]\norg = \"acme\"\nrepos = [{repo:?}]\n[runtime]\nimage_lock = {lock:?}\n[egress]\nmode = {mode:?}\n"
        ),
    )
    .unwrap();
    let key = "de30".repeat(16);
    let env = format!("ANTHROPIC_API_KEY=sk-ant-line-000000000000\nHYDRA_SIGNING_KEY={key}\n");
    std::fs::write(at("secrets/.env"), env).unwrap();
    std::fs::set_permissions(at("secrets/.env"), std::fs::Permissions::from_mode(0o600)).unwrap();
    team
}

fn context(team: &Path) -> Context {
    let path = [("PATH".into(), std::env::var_os("PATH").unwrap())];
    Context {
        cwd: team.to_owned(),
        environment: path.into_iter().collect::<Environment>(),
        config: None,
        state_dir: None,
        screen: Screen::new(false, Color::Never, false),
    }
}

fn inspect(container: &str) -> Value {
    let all: Value = serde_json::from_str(&docker(&["inspect", container])).unwrap();
    all[0].clone()
}

/// `Config` and `HostConfig` key by key, and the mounts; what is empty and what is absent are the same.
fn facts(container: &Value) -> BTreeMap<String, Value> {
    let mut facts = BTreeMap::new();
    for part in ["Config", "HostConfig"] {
        for (key, value) in container[part].as_object().unwrap() {
            facts.insert(format!("{part}.{key}"), plain(value));
        }
    }
    facts.insert("Mounts".to_owned(), plain(&container["Mounts"]));
    facts.retain(|key, value| !value.is_null() && !EACH_ITS_OWN.contains(&key.as_str()));
    facts
}

fn plain(value: &Value) -> Value {
    match value {
        Value::Array(items) if items.is_empty() => Value::Null,
        Value::Object(items) if items.is_empty() => Value::Null,
        Value::String(text) if text.is_empty() => Value::Null,
        Value::Bool(false) => Value::Null,
        Value::Number(number) if number.as_i64() == Some(0) => Value::Null,
        Value::Array(items) => {
            let mut texts: Vec<String> = items.iter().map(ToString::to_string).collect();
            texts.sort();
            texts.into()
        }
        other => other.clone(),
    }
}

fn differences(one: &Value, other: &Value) -> BTreeSet<String> {
    let (one, other) = (facts(one), facts(other));
    let keys: BTreeSet<&String> = one.keys().chain(other.keys()).collect();
    let differs = keys.into_iter().filter(|key| one.get(*key) != other.get(*key));
    differs.cloned().collect()
}

/// The first column of the table under the heading that tells of them.
fn documented(heading: &str) -> BTreeSet<String> {
    let text = std::fs::read_to_string(root().join("docs/operations/docker.md")).unwrap();
    let (_, after) = text.split_once(heading).expect("the heading");
    let table = after.split("\n##").next().unwrap();
    let first = |line: &str| line.strip_prefix("| `")?.split_once('`').map(|(name, _)| name.to_owned());
    table.lines().filter_map(first).collect()
}

/// The documented line, started as it stands; its repository never answers, so it stays as long as the test looks at it.
struct Literal {
    line: Child,
    name: String,
    _silent: TcpListener,
}

impl Literal {
    fn start(team: &Path, bridge: &Bridge) -> Self {
        let silent = TcpListener::bind((bridge.gateway(), 0)).unwrap();
        let image = "ghcr.io/conductionnl/hydra-builder:latest";
        let running = || -> BTreeSet<String> {
            docker(&["ps", "--no-trunc", "--filter", &format!("ancestor={image}"), "--format", "{{.ID}}"])
                .lines()
                .map(str::to_owned)
                .collect()
        };
        let before = running();
        let mut line = Command::new("sh")
            .args(["-c", &literal::line()])
            .current_dir(team)
            .env("REPO_URL", format!("http://{}/acme/line.git", silent.local_addr().unwrap()))
            .env("ISSUE_URL", "https://github.com/acme/line/issues/1")
            .env("CHANGE_NAME", "a-change")
            .env("HYDRA_BUILDER_TOKEN", "github_pat_line_0000000000000000")
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        for _ in 0..200 {
            if let Some(name) = running().difference(&before).next() {
                return Self { line, name: name.clone(), _silent: silent };
            }
            thread::sleep(Duration::from_millis(50));
        }
        drop(line.kill());
        drop(line.wait());
        panic!("the documented line started no container");
    }
}

impl Drop for Literal {
    fn drop(&mut self) {
        docker_output(&["kill", &self.name]);
        self.line.wait().unwrap();
    }
}

fn sample(team: &Path) -> (JobSpec, hydra_runtime::DockerRuntime) {
    let context = context(team);
    let settings = context.load().unwrap().settings;
    let spec = compose::engine::sample(&settings, Stage::Build, compose::engine::Purpose::Act).unwrap();
    let runtime = compose::docker::runtime(&context, &settings).unwrap();
    (spec, runtime)
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs docker, images"]
async fn it_differs_from_the_documented_line_in_what_the_documents_list_and_in_nothing_else() {
    let mut wanted = documented("## What differs from the documented command line");
    for mode in ["in-container", "isolated"] {
        if mode == "isolated" {
            wanted.extend(documented("### And in mode `isolated`"));
        }
        differs(mode, &wanted).await;
    }
}

async fn differs(mode: &str, wanted: &BTreeSet<String>) {
    let (team, bridge) = (team("acme/line", mode), Bridge::documented());
    let (spec, runtime) = sample(team.path());
    let literal = tokio::task::block_in_place(|| Literal::start(team.path(), &bridge));
    let theirs = inspect(&literal.name);
    drop(literal);
    let job = spec.key.id();
    runtime.start(&spec).await.unwrap();
    let ours = inspect(job.as_str());
    runtime.remove(&job).await.unwrap();
    let seen = differences(&theirs, &ours);
    let (theirs, ours) = (facts(&theirs), facts(&ours));
    let told: Vec<String> =
        seen.iter().map(|key| format!("{key}: {:?} -> {:?}", theirs.get(key), ours.get(key))).collect();
    assert_eq!(seen, *wanted, "mode {mode}: docs/operations/docker.md must list:\n{}", told.join("\n"));
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs docker, images"]
async fn it_is_the_one_that_render_docker_run_prints() {
    let team = team("acme/printed", "in-container");
    Bridge::documented();
    let (spec, runtime) = sample(team.path());
    let cpus = runtime.facts().await.unwrap().cpus;
    let words = hydra_runtime::docker::command_line("line", &spec, cpus).unwrap();
    let mut args: Vec<&str> = words.iter().map(String::as_str).filter(|word| *word != "--detach").collect();
    assert_eq!(args.drain(..2).collect::<Vec<_>>(), ["docker", "run"]);
    args.insert(0, "create");
    let made = Command::new("docker").args(&args).env("ANTHROPIC_API_KEY", "").output().unwrap();
    assert!(made.status.success(), "{}", String::from_utf8_lossy(&made.stderr));
    let printed = inspect(spec.key.id().as_str());
    runtime.remove(&spec.key.id()).await.unwrap();
    runtime.start(&spec).await.unwrap();
    let started = inspect(spec.key.id().as_str());
    runtime.remove(&spec.key.id()).await.unwrap();
    for volume in ["in", "spec", "out"] {
        docker_output(&["volume", "rm", &format!("{}-{volume}", spec.key.id())]);
    }
    // Hydra gives the names of volumes a mark, so that two orchestrators at once do not fill the same ones.
    let marks = BTreeSet::from(["HostConfig.Binds", "Mounts"].map(str::to_owned));
    let seen: BTreeSet<String> = differences(&printed, &started).difference(&marks).cloned().collect();
    let (one, other) = (facts(&printed), facts(&started));
    let told: Vec<String> =
        seen.iter().map(|key| format!("{key}: {:?} -> {:?}", one.get(key), other.get(key))).collect();
    assert!(seen.is_empty(), "{}", told.join("\n"));
}
