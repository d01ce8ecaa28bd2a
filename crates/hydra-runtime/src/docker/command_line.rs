//! A job's container as the docker CLI would be told to start it: for people who want to see exactly what is run.

use super::blueprint::{Blueprint, size};
use crate::naming;
use hydra_core::{
    job::{EnvValue, JobSpec},
    ports::RuntimeError,
};

/// What this specification becomes on an engine with so many CPUs: `docker`, `run`, flags, image. A secret is named and never shown: the CLI
/// would take it from its own environment.
///
/// # Errors
/// When the specification cannot be read whole.
pub fn command_line(instance: &str, spec: &JobSpec, cpus: u32) -> Result<Vec<String>, RuntimeError> {
    let labels = naming::labels(instance, spec)?;
    let made = Blueprint::new(spec, labels, cpus, "");
    let mut line: Vec<String> = ["docker", "run", "--detach", "--init", "--read-only"].map(str::to_owned).to_vec();
    let mut flag = |name: &str, value: String| line.extend([name.to_owned(), value]);
    flag("--name", made.name.clone());
    for (name, value) in &made.labels {
        flag("--label", format!("{name}={value}"));
    }
    for (place, options) in &made.tmpfs {
        flag("--tmpfs", format!("{place}:{options}"));
    }
    flag("--security-opt", "no-new-privileges".to_owned());
    flag("--cap-drop", "ALL".to_owned());
    if made.net_admin {
        flag("--cap-add", "NET_ADMIN".to_owned());
    }
    if let Some(user) = &made.user {
        flag("--user", user.clone());
    }
    flag("--cpus", cpu(made.nano_cpus));
    let memory = u32::try_from(made.memory / (1024 * 1024)).unwrap_or(u32::MAX);
    flag("--memory", size(memory).to_lowercase());
    flag("--memory-swap", size(memory).to_lowercase());
    flag("--pids-limit", made.pids.to_string());
    flag("--network", made.network.clone());
    for (name, address) in &made.hosts {
        flag("--add-host", format!("{name}:{address}"));
    }
    flag("--log-driver", "json-file".to_owned());
    for option in super::convert::LOG_OPTIONS {
        flag("--log-opt", format!("{}={}", option.0, option.1));
    }
    for (name, value) in &made.env {
        flag(
            "--env",
            match value {
                EnvValue::Plain(text) => format!("{name}={text}"),
                EnvValue::Secret { .. } => name.clone(),
            },
        );
    }
    for bind in made.binds() {
        flag("--volume", bind);
    }
    line.push(made.image);
    Ok(line)
}

/// Billionths of a CPU as `--cpus` takes them.
fn cpu(nano: i64) -> String {
    let millis = nano / 1_000_000;
    match millis % 1000 {
        0 => (millis / 1000).to_string(),
        part => format!("{}.{}", millis / 1000, format!("{part:03}").trim_end_matches('0')),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::naming::tests::spec;

    #[test]
    fn a_secret_is_named_and_never_shown() {
        let mut spec = spec();
        let value = "s3cret".to_owned().into();
        spec.env.insert("TOKEN".to_owned(), EnvValue::Secret { credential: "git:builder".to_owned(), value });
        let line = command_line("main", &spec, 2).unwrap().join(" ");
        assert!(line.contains("--env TOKEN ") && !line.contains("s3cret"), "{line}");
    }

    #[test]
    fn parts_of_cpus_are_written_as_the_cli_takes_them() {
        assert_eq!([4_000_000_000, 1_500_000_000, 10_000_000].map(cpu), ["4", "1.5", "0.01"]);
    }
}
