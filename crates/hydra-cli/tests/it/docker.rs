//! Against the real engine with the real images: every story of the demo, what doctor proves, what render prints.

use crate::{
    harness::{Sandbox, root},
    stage::Stage,
};
use std::{
    process::Command,
    sync::{Mutex, MutexGuard, PoisonError},
};

/// The command line that the documents promise, as `hydra render docker-run --documented` folds it.
const DOCUMENTED: &str = "docker run --rm --read-only --tmpfs /tmp:size=512M --tmpfs /workspace:size=2G --security-opt no-new-privileges --cap-drop ALL --cap-add NET_ADMIN --cpus 4 --memory 8g --network hydra-net --env-file secrets/.env -e REPO_URL=\"${REPO_URL}\" -e ISSUE_URL=\"${ISSUE_URL}\" -e SPEC_PATH=\"/spec\" -v \"$(pwd)/openspec/changes/${CHANGE_NAME}:/spec:ro\" -e GIT_TOKEN=\"${HYDRA_BUILDER_TOKEN}\" ghcr.io/conductionnl/hydra-builder:latest";

pub(crate) fn docker(args: &[&str]) -> String {
    let output = Command::new("docker").args(args).output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap()
}

/// Jobs are named by the issue, and that is the same in every demo: they take turns on one engine.
pub(crate) fn one_demo_at_a_time() -> MutexGuard<'static, ()> {
    static ONE: Mutex<()> = Mutex::new(());
    ONE.lock().unwrap_or_else(PoisonError::into_inner)
}

/// A lock file that pins what the engine has under the images' names now.
pub(crate) fn images_that_are_here(sandbox: &Sandbox) {
    let names = ["builder", "reviewer", "security", "applier", "gate"].map(|name| format!("hydra-{name}"));
    let id = |name: &String| docker(&["image", "inspect", "--format", "{{.Id}}", name]).trim().to_owned();
    let images: serde_json::Map<String, serde_json::Value> =
        names.iter().map(|name| (name.clone(), serde_json::json!({ "id": id(name) }))).collect();
    sandbox.write("target/images.lock.json", serde_json::json!({ "images": images }).to_string());
}

/// Containers and volumes of an instance.
pub(crate) fn left(instance: &str) -> String {
    let label = format!("label=hydra.instance={instance}");
    docker(&["ps", "-aq", "--filter", &label]) + &docker(&["volume", "ls", "-q", "--filter", &label])
}

fn with_images(sandbox: &Sandbox) {
    sandbox.write("target/images.lock.json", std::fs::read(root().join("target/images.lock.json")).unwrap());
}

#[test]
#[ignore = "needs docker, images"]
fn every_story_of_the_demo_is_the_same_in_containers() {
    let _alone = one_demo_at_a_time();
    let sandbox = Sandbox::new();
    with_images(&sandbox);
    for story in ["happy", "fix-round", "needs-input", "rate-limited", "over-budget", "void-review", "conflict"] {
        let ran = sandbox.run(&["demo", "--json", "--runtime", "docker", "--scenario", story]);
        assert_eq!((ran.code, ran.err.as_str()), (0, ""), "{story}: {}", ran.all());
        let document = ran.json();
        assert_eq!(document["end"], document["expected"], "{story}");
        assert_eq!(document["runtime"], "docker", "{story}");
        let total = &document["total"];
        assert_eq!(total["tokens"], total["model_tokens"], "{story}: {total}");
        assert_eq!(total["turns"], total["model_answers"], "{story}: {total}");
        let labels = docker(&["ps", "-a", "--format", "{{.Labels}}"]);
        let labels = labels + &docker(&["volume", "ls", "--format", "{{.Labels}}"]);
        assert!(!labels.contains("hydra.instance=demo"), "{story}: {labels}");
    }
}

#[test]
#[ignore = "needs docker, images"]
fn a_demo_with_another_image_than_the_pinned_one_is_refused_before_it_begins() {
    let _alone = one_demo_at_a_time();
    for name in ["hydra-reviewer", "hydra-gate"] {
        let sandbox = Sandbox::new();
        images_that_are_here(&sandbox);
        let mut lock: serde_json::Value = serde_json::from_str(&sandbox.read("target/images.lock.json")).unwrap();
        lock["images"][name]["id"] = format!("sha256:{}", "0".repeat(64)).into();
        sandbox.write("target/images.lock.json", lock.to_string());
        let ran = sandbox.run(&["demo", "--runtime", "docker"]);
        assert_eq!((ran.code, ran.out.as_str()), (6, ""), "{}", ran.all());
        assert!(ran.err.contains(name) && ran.err.contains("is pinned"), "{}", ran.err);
        assert!(ran.err.contains("cargo xtask images"), "{}", ran.err);
    }
}

#[test]
#[ignore = "needs docker, images"]
fn doctor_proves_the_fence_on_this_engine_and_leaves_nothing() {
    let stage = Stage::happy();
    let lock = root().join("target/images.lock.json");
    stage.edit("kind = \"process\"", &format!("kind = \"docker\"\nimage_lock = {lock:?}"));
    let ran = stage.sandbox.run(&["doctor", "--json"]);
    let document = ran.json();
    let checks = document["checks"].as_array().unwrap();
    for name in ["docker engine", "images", "network hydra-net", "egress isolated"] {
        let check = checks.iter().find(|check| check["name"] == name && check["state"] == "ok");
        assert!(check.is_some(), "{name}: {}", ran.all());
    }
    // Each step by itself, in the order in which it was proved; then the sum.
    let of = |name: &str| checks.iter().position(|check| check["name"] == name).unwrap_or_else(|| panic!("{name}"));
    let order = ["egress: rules", "egress: tried", "egress: gate", "egress: made from outside", "egress isolated"];
    assert!(order.map(of).is_sorted(), "{}", ran.all());
    let detail = checks[of("egress: gate")]["detail"].as_str().unwrap();
    assert!(detail.contains("its gate is confined by seccomp"), "{detail}");
    let open = checks[of("egress: not held")]["detail"].as_str().unwrap();
    assert!(open.contains("10: ") && open.contains("11: ") && !open.contains("37: "), "{open}");
    assert_eq!(left("test"), "");
}

#[test]
fn the_documented_command_line_is_printed_flag_for_flag() {
    let sandbox = Sandbox::complete();
    let ran = sandbox.run(&["render", "docker-run", "--documented"]);
    assert_eq!(ran.code, 0, "{}", ran.all());
    let folded: Vec<&str> = ran.out.split_whitespace().filter(|word| *word != "\\").collect();
    assert_eq!(folded.join(" "), DOCUMENTED);
}

#[test]
#[ignore = "needs docker, images"]
fn every_probe_of_the_fence_holds_in_real_containers_and_the_gate_tells_of_each() {
    let stage = Stage::happy();
    let lock = root().join("target/images.lock.json");
    stage.edit("kind = \"process\"", &format!("kind = \"docker\"\nimage_lock = {lock:?}"));
    let ran = stage.sandbox.run(&["egress", "probe", "--type", "builder", "--type", "quality", "--json"]);
    let document = ran.json();
    assert_eq!((ran.code, document["kind"].as_str()), (0, Some("egress-probe")), "{}", ran.all());
    let [builder, quality] = document["containers"].as_array().unwrap().as_slice() else { panic!("{}", ran.all()) };
    assert_eq!((builder["fence"].as_str(), quality["fence"].as_str()), (Some("isolated"), Some("none")));
    for row in builder["probes"].as_array().unwrap() {
        assert_eq!(row["verdict"], "ok", "{row:#}");
    }
    let told = builder["probes"].as_array().unwrap().iter().filter(|row| !row["gate"].is_null()).count();
    // A kernel may give no socket for a ping: then there is none to tell of.
    assert!(told >= 13, "every refusal is told by the gate: {document:#}");
    assert_eq!(left("test"), "");
}
