//! `hydra demo --runtime docker`, looked at while its agents run: each stands behind a gate of its own, and no container of it shows a credential.

use crate::{
    images::{docker, docker_output, root},
    stories::stage::program,
};
use serde_json::Value;
use std::{
    collections::{BTreeMap, BTreeSet},
    process::{Command, Output, Stdio},
    thread,
    time::{Duration, Instant},
};

/// What each secret of the demo begins with: its accounts, its tokens, its signing key.
const SECRETS: [&str; 3] = ["sk-ant-demo-", "github_pat_demo_", "de30de30de30"];

/// What was seen of one job: the engine's own words on each of its containers, by what the container is.
#[derive(Default)]
struct Seen {
    parts: BTreeMap<String, Value>,
}

/// Containers of this process' demo that are there now. Some may be gone before they are looked at.
fn look(process: u32, into: &mut BTreeMap<String, Seen>) {
    let ids = docker(&["ps", "--all", "--quiet", "--no-trunc", "--filter", "label=hydra.instance"]);
    for id in ids.lines() {
        let told = docker_output(&["inspect", id]);
        let Ok(found) = serde_json::from_slice::<Value>(&told.stdout) else { continue };
        let Some(label) = found[0]["Config"]["Labels"].as_object() else { continue };
        let text = |name: &str| label.get(name).and_then(Value::as_str).unwrap_or_default();
        let instance = text("hydra.instance");
        if !instance.starts_with("demo-") || !instance.contains(&format!("-{process}-")) {
            continue;
        }
        let name = found[0]["Name"].as_str().unwrap_or_default().trim_start_matches('/');
        let (job, part) = match (label.contains_key("hydra.key"), text("hydra.role")) {
            (true, _) => (name, "agent"),
            (false, "") => (text("hydra.job"), "filler"),
            (false, role) => (text("hydra.job"), role),
        };
        // The first look at one that runs is the one that counts.
        let parts = &mut into.entry(job.to_owned()).or_default().parts;
        if parts.get(part).is_none_or(|before| before["State"]["Running"] == false) {
            parts.insert(part.to_owned(), found[0].clone());
        }
    }
}

/// A demo to its end, and what was seen of it meanwhile. Jobs of all demos are named alike: another one on this engine is waited for.
fn demo(folder: &std::path::Path) -> (u32, Output, BTreeMap<String, Seen>) {
    let begun = Instant::now();
    loop {
        let mut child = Command::new(program())
            .args(["demo", "--json", "--runtime", "docker", "--scenario", "happy"])
            .current_dir(root())
            .env_clear()
            .env("PATH", std::env::var_os("PATH").expect("a path"))
            .envs(["HOME", "TMPDIR"].map(|name| (name, folder)))
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .expect("a program");
        let (process, mut seen) = (child.id(), BTreeMap::new());
        while child.try_wait().expect("a child").is_none() {
            look(process, &mut seen);
            thread::sleep(Duration::from_millis(20));
        }
        let output = child.wait_with_output().expect("an output");
        if !String::from_utf8_lossy(&output.stderr).contains("another demo has a job") {
            return (process, output, seen);
        }
        assert!(begun.elapsed() < Duration::from_secs(300), "another demo does not end");
        thread::sleep(Duration::from_secs(2));
    }
}

#[test]
#[ignore = "needs docker, images"]
fn each_agent_of_a_demo_in_docker_stands_behind_its_gate_and_no_container_shows_a_credential() {
    let folder = tempfile::tempdir().unwrap();
    let (process, output, seen) = demo(folder.path());
    let said = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success(), "{said}{}", String::from_utf8_lossy(&output.stderr));
    let document: Value = serde_json::from_str(&said).unwrap();
    assert_eq!((&document["runtime"], &document["end"]), (&"docker".into(), &document["expected"]));

    let mut behind = BTreeSet::new();
    for (job, Seen { parts }) in &seen {
        for (part, told) in parts {
            let text = told.to_string();
            let shown = SECRETS.iter().find(|secret| text.contains(**secret));
            assert_eq!(shown, None, "{part} of {job}");
        }
        let Some(agent) = parts.get("agent").filter(|agent| agent["State"]["Running"] == true) else { continue };
        // What the engine shows of a container is all that it was told: the environment is there too.
        assert!(agent["Config"]["Env"].to_string().contains(&format!("HYDRA_JOB={job}")), "{agent:#}");
        let network = agent["HostConfig"]["NetworkMode"].as_str().unwrap();
        if job.contains("-quality-") {
            assert_eq!((network, parts.contains_key("gate")), ("none", false), "{job}");
            continue;
        }
        let (space, _) = network.split_once(':').unwrap_or_default();
        assert_eq!(space, "container", "{job}");
        // A job may have ended between the look at it and that at its gate.
        let runs = |role: &&str| parts.get(*role).is_some_and(|part| part["State"]["Running"] == true);
        if !["holder", "way", "gate"].iter().all(runs) {
            continue;
        }
        let of =
            |role: &str, what: &str| parts.get(role).unwrap_or_else(|| panic!("{job} has no {role}"))[what].clone();
        let holder = of("holder", "Id");
        assert_eq!(network.strip_prefix("container:"), holder.as_str(), "{job}");
        assert_eq!(of("holder", "HostConfig")["NetworkMode"], "none", "{job}");
        let way = of("way", "Id");
        let gate = of("gate", "HostConfig")["NetworkMode"].clone();
        assert_eq!(gate.as_str().and_then(|mode| mode.strip_prefix("container:")), way.as_str(), "{job}");
        assert_eq!(agent["HostConfig"]["CapAdd"], Value::Null, "{job}");
        behind.extend(
            ["build", "code-review", "security-review"].into_iter().filter(|stage| job.contains(&format!("-{stage}-"))),
        );
    }
    assert_eq!(behind.len(), 3, "each agent's stage was seen at work: {behind:?}");
    let mut left = BTreeMap::new();
    look(process, &mut left);
    assert_eq!(left.keys().collect::<Vec<_>>(), [""; 0], "something is left");
}
