//! What each image holds, and how it begins.

use super::{AGENTS, docker, in_image, pins};
use hydra_core::{ContainerType, Stage};
use serde_json::Value;

#[test]
#[ignore = "needs docker, images"]
fn hydra_finds_an_image_for_every_container_type_by_the_id_of_the_engine() {
    let pins = pins();
    for kind in ContainerType::ALL {
        let name = hydra_cli::images::image_name(*kind);
        let pin = pins.get(name).unwrap_or_else(|| panic!("{name} is not pinned: {pins:?}"));
        assert_eq!(&docker(&["image", "inspect", "--format", "{{.Id}}", name]), pin);
        let documented = format!("ghcr.io/conductionnl/{name}:latest");
        assert_eq!(&docker(&["image", "inspect", "--format", "{{.Id}}", &documented]), pin, "the documented name");
    }
    assert_eq!(pins.len(), AGENTS.len() + 2, "the gate and the orchestrator besides: {pins:?}");
    assert!(pins.contains_key("hydra-gate"), "{pins:?}");
}

#[test]
#[ignore = "needs docker, images"]
fn each_image_begins_with_its_program_as_root_in_its_own_mode() {
    for (name, mode) in [
        ("hydra-base", None),
        ("hydra-builder", Some(Stage::Build)),
        ("hydra-reviewer", Some(Stage::CodeReview)),
        ("hydra-security", Some(Stage::SecurityReview)),
        ("hydra-applier", Some(Stage::Apply)),
        ("hydra", None),
    ] {
        let config: Value = serde_json::from_str(&docker(&["image", "inspect", "--format", "{{json .Config}}", name]))
            .expect("a configuration");
        let program = if name == "hydra" { "/usr/local/bin/hydra" } else { "/usr/local/bin/hydra-agent" };
        assert_eq!(config["Entrypoint"], serde_json::json!([program]), "{name}");
        assert_eq!(
            config["User"].as_str().unwrap_or_default(),
            "",
            "{name} keeps USER root: the documented line needs it"
        );
        let env: Vec<&str> = config["Env"].as_array().into_iter().flatten().filter_map(Value::as_str).collect();
        let said = env.iter().find_map(|pair| pair.strip_prefix("HYDRA_MODE="));
        assert_eq!(said, mode.map(Stage::as_str), "{name}: {env:?}");
    }
}

#[test]
#[ignore = "needs docker, images"]
fn an_agent_finds_its_tools_and_a_place_to_work() {
    for name in AGENTS {
        let said = in_image(
            name,
            &["--user", "1000:1000"],
            "for tool in git rg jq python3 node npm make patch iptables-restore ip6tables-restore hydra-agent; do \
               command -v $tool >/dev/null || PATH=$PATH:/usr/sbin command -v $tool >/dev/null || echo \"no $tool\"; done; \
             claude --version; hydra --version; python3 -m pytest --version; id -un; stat -c '%n %a' /tmp /workspace; \
             node -e 'console.log(typeof require(\"node:test\").snapshot)'; ls /etc/ssl/certs/ca-certificates.crt",
        );
        let lines: Vec<&str> = said.lines().collect();
        let claude = lines.first().copied().unwrap_or_default();
        assert!(claude.ends_with("(Claude Code)"), "{name}: {said}");
        assert!(lines.get(1).is_some_and(|line| line.starts_with("hydra ")), "{name}: {said}");
        assert!(lines.get(2).is_some_and(|line| line.starts_with("pytest ")), "{name}: {said}");
        // A tmpfs takes the modes of the folders that it covers.
        assert_eq!(
            lines[3..],
            ["agent", "/tmp 1777", "/workspace 1777", "object", "/etc/ssl/certs/ca-certificates.crt"]
        );
    }
}

#[test]
#[ignore = "needs docker, images"]
fn the_orchestrator_is_an_image_too_and_holds_no_coding_agent() {
    assert!(docker(&["run", "--rm", "--network", "none", "--read-only", "hydra", "--version"]).starts_with("hydra "));
    let said =
        in_image("hydra", &[], "git --version; for tool in claude node python3 iptables; do ! command -v $tool; done");
    assert!(said.starts_with("git version ") && said.lines().count() == 1, "{said}");
}
