//! Which crate may know which: the arrows of docs/architecture.md, and what the core may never depend on.

use std::{collections::BTreeMap, path::Path, process::Command};

/// Allowed arrows between Hydra's own crates (not counting dev-dependencies).
const ARROWS: &[(&str, &[&str])] = &[
    ("hydra-core", &[]),
    ("hydra-engine", &["hydra-core"]),
    ("hydra-github", &["hydra-core"]),
    ("hydra-runtime", &["hydra-core"]),
    ("hydra-workspace", &["hydra-core"]),
    ("hydra-egress", &["hydra-core"]),
    ("hydra-agent", &["hydra-core", "hydra-egress"]),
    ("hydra-gate", &["hydra-core", "hydra-egress"]),
    ("hydra-sim", &["hydra-core"]),
    (
        "hydra-cli",
        &[
            "hydra-core",
            "hydra-engine",
            "hydra-github",
            "hydra-runtime",
            "hydra-workspace",
            "hydra-egress",
            "hydra-agent",
            "hydra-sim",
        ],
    ),
    ("hydra-example-embed", &["hydra-core"]),
    ("xtask", &[]),
];

/// What hydra-core may never bring in.
const NOT_IN_CORE: &[&str] = &["tokio", "hyper", "reqwest", "octocrab", "bollard", "kube", "rand"];

/// An SDK and the only crate that may name it.
const SDKS: &[(&str, &str)] = &[("octocrab", "hydra-github"), ("bollard", "hydra-runtime"), ("axum", "hydra-sim")];

pub(crate) fn check(root: &Path) -> Vec<String> {
    let mut findings = Vec::new();
    for (package, dependencies) in manifests(root) {
        let allowed = ARROWS.iter().find(|(name, _)| *name == package).map(|(_, allowed)| *allowed);
        for dependency in &dependencies {
            if dependency.starts_with("hydra-")
                && package != "hydra-e2e"
                && !allowed.is_some_and(|a| a.contains(&dependency.as_str()))
            {
                findings.push(format!("{package}: may not depend on {dependency} (docs/architecture.md)"));
            }
            for (sdk, owner) in SDKS {
                if dependency == sdk && package != *owner {
                    findings.push(format!("{package}: only {owner} may depend on {sdk}"));
                }
            }
        }
    }
    for name in NOT_IN_CORE {
        let tree = Command::new(env!("CARGO"))
            .args(["tree", "--offline", "-p", "hydra-core", "-e", "normal", "-i", name])
            .current_dir(root)
            .output();
        let found = tree.is_ok_and(|tree| tree.status.success() && !tree.stdout.is_empty());
        if found {
            findings.push(format!("hydra-core: brings in {name}; the core does no I/O (docs/architecture.md)"));
        }
    }
    findings
}

/// Each package's normal dependencies, by its manifest.
fn manifests(root: &Path) -> BTreeMap<String, Vec<String>> {
    let mut folders: Vec<_> =
        std::fs::read_dir(root.join("crates")).into_iter().flatten().flatten().map(|e| e.path()).collect();
    folders.extend([root.join("xtask"), root.join("tests")]);
    let mut all = BTreeMap::new();
    for folder in folders {
        let Ok(text) = std::fs::read_to_string(folder.join("Cargo.toml")) else { continue };
        let Ok(manifest) = text.parse::<toml::Table>() else { continue };
        let name =
            manifest.get("package").and_then(|p| p.get("name")).and_then(toml::Value::as_str).unwrap_or("?").to_owned();
        let names = manifest.get("dependencies").and_then(toml::Value::as_table);
        all.insert(name, names.map(|table| table.keys().cloned().collect()).unwrap_or_default());
    }
    all
}
