//! What a gate is told: read or refused, written back as the same, and decided as each of its lines says.

use crate::{
    ContainerType,
    egress::{AllowedNames, EgressPolicy, HostName, HostPattern, InspectRule, gate::GateConfig},
};

/// One configuration, written in two ways.
///
/// # Panics
/// When it cannot be made.
#[must_use]
pub fn seeds() -> Vec<Vec<u8>> {
    let mut policy = EgressPolicy { model_endpoint: "models.internal:8443".parse().ok(), ..EgressPolicy::default() };
    policy.base.extend(["*.example.com", "a.example.com", "xn--bcher-kva.example"].map(|line| line.parse().unwrap()));
    policy.inspect.insert("pypi.org".parse().unwrap(), InspectRule::default());
    let mut config = GateConfig::of(&policy, ContainerType::Builder, "hydra-widgets-7-builder-1");
    config.resolvers.insert("10.0.0.53:53".parse().unwrap());
    [serde_json::to_vec(&config).unwrap(), serde_json::to_vec_pretty(&config).unwrap()].into()
}

/// The kind of its answer.
///
/// # Panics
/// When what was read does not hold.
#[must_use]
pub fn check(bytes: &[u8]) -> String {
    let names =
        ["a.example.com", "b.example.com", "example.com", "a.b.example.com", "com", "pypi.org", "models.internal"]
            .map(|name| name.parse::<HostName>().unwrap());
    match serde_json::from_slice::<GateConfig>(bytes) {
        Err(error) => error.to_string().chars().take(40).collect(),
        Ok(config) => {
            let again: GateConfig = serde_json::from_slice(&serde_json::to_vec(&config).unwrap()).unwrap();
            assert_eq!(again, config);
            let index: AllowedNames = config.allow.iter().cloned().collect();
            for name in &names {
                let lines: Vec<_> = config.allow.iter().filter(|line| line.matches(name)).collect();
                assert_eq!(index.allows(name), !lines.is_empty(), "{name}");
                let named = index.line(name).map(|line| line.parse::<HostPattern>().unwrap());
                assert!(named.is_none_or(|named| lines.contains(&&named)), "{name}");
            }
            for line in &config.allow {
                let text = line.to_string();
                assert!(
                    text.is_ascii() && !text.trim_start_matches("*.").contains(['*', '/', ':', '@', ' ']),
                    "{text}"
                );
            }
            format!("ok {}", config.allow.len().min(3))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{check, seeds};

    #[test]
    fn gate_configurations() {
        let report = hydra_fuzz::fuzz("gate-config", &seeds(), check);
        assert!(report.saw("ok") && report.answers.len() > 10, "{report:?}");
    }
}
