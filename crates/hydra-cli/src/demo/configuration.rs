//! The folder of the demo's team: what `hydra init` would have been filled in with.

use super::{
    containers::Containers,
    stage_set::{IDENTITIES, ORG, REPO},
};
use crate::{commands::init::write_new, failure::Failure};
use hydra_sim::{github::Sim, model::ModelSim};
use std::{fs, path::Path};

const PERSONAS: [&str; 4] = ["al-gorithm", "juan-claude-van-damme", "clyde-barcode", "axel-plier"];

/// Writes `hydra.toml`, `secrets/credentials.json` and `secrets/.env`.
///
/// # Errors
/// When the folder cannot be written.
pub fn write(
    folder: &Path,
    github: &Sim,
    model: &ModelSim,
    scenario: &str,
    containers: Option<&Containers>,
) -> Result<(), Failure> {
    let budget = if scenario == "over-budget" { "2.00" } else { "10.00" };
    let mut toml = format!(
        r#"# Written by `hydra demo`.
instance = "{instance}"

[github]
api_url = "{api}"
web_url = "{api}"
org = "{ORG}"
project = 1
repos = ["{REPO}"]

[pipeline]
poll_interval = "5s"

[pipeline.retry]
base = "1s"
cap = "5s"

[budget]
issue_usd = {budget}

[models]
base_url = "{model}"

[state]
dir = "state"
"#,
        instance = super::jobs::instance(),
        api = github.base_url().trim_end_matches('/'),
        model = model.url().trim_end_matches('/'),
    );
    toml.push_str(&match containers {
        None => "\n[runtime]\nkind = \"process\"\n".to_owned(),
        Some(containers) => format!(
            r#"
[runtime]
kind = "docker"
image_lock = {lock}

# The scripted model is all that an agent of the demo reaches.
[egress]
base = []
name_servers = []
model_endpoint = "{endpoint}"

[egress.extra]
builder = []
reviewer = []
security = []
applier = []
"#,
            lock = toml_string(&containers.lock.display().to_string()),
            endpoint = model.address(),
        ),
    });
    for persona in PERSONAS {
        toml.push_str(&format!("\n[personas.{persona}]\ndriver = \"demo\"\n"));
    }
    let secrets = folder.join("secrets");
    let refused = |path: &Path| {
        let path = path.display().to_string();
        move |error: std::io::Error| Failure::local(format_args!("{path} cannot be written"), &error)
    };
    fs::create_dir_all(&secrets).map_err(refused(&secrets))?;
    let file = folder.join("hydra.toml");
    fs::write(&file, toml).map_err(refused(&file))?;
    let tokens: serde_json::Map<String, serde_json::Value> =
        IDENTITIES.iter().map(|(role, _, secret)| ((*role).to_owned(), (*secret).into())).collect();
    let credentials = serde_json::json!({
        "claude_accounts": [
            { "name": "first", "token": "sk-ant-demo-first", "priority": 1 },
            { "name": "second", "token": "sk-ant-demo-second", "priority": 2 },
        ],
        "git_tokens": tokens,
    });
    // A key of the demo's own, as public as everything else in it.
    let dotenv = format!("HYDRA_SIGNING_KEY={}\n", "de30".repeat(16));
    for (name, text) in [("credentials.json", format!("{credentials:#}\n")), (".env", dotenv)] {
        write_new(&secrets.join(name), &text, 0o600)?;
    }
    Ok(())
}

fn toml_string(text: &str) -> String {
    toml::Value::String(text.to_owned()).to_string()
}
