//! Side services of a job: chosen by `.hydra.toml` from the organisation's list.

use crate::config::EngineConfig;
use hydra_core::{
    Stage,
    contract_files::ServicePort,
    job::{EnvValue, Service},
    target::Target,
};
use std::collections::BTreeSet;

/// Those of a stage that runs what the repository says. Reviews and apply run nothing of it.
pub(crate) fn chosen(config: &EngineConfig, stage: Stage, target: &Target) -> Result<Vec<Service>, String> {
    if stage.judges() || target.services.is_empty() {
        return Ok(Vec::new());
    }
    if config.gate.is_none() {
        return Err(".hydra.toml names side services; they stand behind a gate, and there is one with runtime.kind = \"docker\" \
                    and egress.mode = \"isolated\" alone"
            .to_owned());
    }
    let mut chosen: Vec<Service> = Vec::new();
    for name in &target.services {
        let service = config.services.get(name).ok_or_else(|| {
            let known: Vec<&str> = config.services.keys().map(String::as_str).collect();
            format!(
                ".hydra.toml names the side service {name:?}, which is not among runtime.services of hydra.toml ({})",
                if known.is_empty() { "it has none".to_owned() } else { known.join(", ") }
            )
        })?;
        chosen.push(service.clone());
    }
    let ports: BTreeSet<u16> = chosen.iter().map(|service| service.port).collect();
    if ports.len() < chosen.len() {
        return Err(format!(".hydra.toml names side services that share a port: {}", target.services.join(", ")));
    }
    Ok(chosen)
}

/// As the job's input names them.
pub(crate) fn ports(services: &[Service]) -> Vec<ServicePort> {
    services.iter().map(|service| ServicePort { name: service.name.clone(), port: service.port }).collect()
}

/// Where they are, as variables: `HYDRA_SERVICE_DB=127.0.0.1:5432`.
pub(crate) fn variables(services: &[Service]) -> Vec<(String, EnvValue)> {
    let variable = |service: &Service| {
        let name = service.name.to_ascii_uppercase().replace(['-', '.'], "_");
        (format!("HYDRA_SERVICE_{name}"), EnvValue::Plain(format!("127.0.0.1:{}", service.port)))
    };
    services.iter().map(variable).collect()
}
