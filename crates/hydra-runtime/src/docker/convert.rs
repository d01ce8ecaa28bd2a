//! bollard's types end here: blueprints become requests, answers become what the port reports.

use super::blueprint::{Blueprint, Volumes};
use crate::naming;
use bollard::models::{
    ContainerCreateBody, ContainerInspectResponse, ContainerState, ContainerStateStatusEnum, HostConfig,
    HostConfigLogConfig, Mount, MountType, MountVolumeOptions, RestartPolicy, RestartPolicyNameEnum,
};
use hydra_core::{
    Timestamp,
    job::{EnvValue, Observed, RuntimeStatus},
};
use secrecy::ExposeSecret;
use std::collections::{BTreeMap, HashMap};

/// What was proved before a job behind a gate was made: JSON.
pub(super) const LABEL_PROOF: &str = "hydra.proof";
/// The job that a volume, or a container that fills it, belongs to.
pub(super) const LABEL_JOB: &str = "hydra.job";
/// A container's output is kept up to this size; what is more is an attack on this machine's disk.
pub(super) const LOG_OPTIONS: [(&str, &str); 2] = [("max-size", "1g"), ("max-file", "1")];

/// The request that makes a job's container.
pub(super) fn container(made: &Blueprint) -> ContainerCreateBody {
    let env = made.env.iter().map(|(name, value)| match value {
        EnvValue::Plain(text) => format!("{name}={text}"),
        EnvValue::Secret { value, .. } => format!("{name}={}", value.expose_secret()),
    });
    ContainerCreateBody {
        image: Some(made.image.clone()),
        user: made.user.clone(),
        env: Some(env.collect()),
        labels: Some(made.labels.clone().into_iter().collect()),
        attach_stdout: Some(true),
        attach_stderr: Some(true),
        host_config: Some(HostConfig {
            init: Some(true),
            readonly_rootfs: Some(true),
            tmpfs: Some(made.tmpfs.clone().into_iter().collect()),
            binds: Some(made.binds().to_vec()),
            security_opt: Some(vec!["no-new-privileges".to_owned()]),
            cap_drop: Some(vec!["ALL".to_owned()]),
            cap_add: made.net_admin.then(|| vec!["CAP_NET_ADMIN".to_owned()]),
            nano_cpus: Some(made.nano_cpus),
            memory: Some(made.memory),
            memory_swap: Some(made.memory),
            pids_limit: Some(made.pids),
            network_mode: Some(made.network.clone()),
            restart_policy: Some(RestartPolicy { name: Some(RestartPolicyNameEnum::NO), maximum_retry_count: None }),
            extra_hosts: (!made.hosts.is_empty())
                .then(|| made.hosts.iter().map(|(name, address)| format!("{name}:{address}")).collect()),
            // The engine's own default may be one that cannot be read back, or that throws the first lines away.
            log_config: Some(HostConfigLogConfig {
                typ: Some("json-file".to_owned()),
                config: Some(LOG_OPTIONS.map(|(name, value)| (name.to_owned(), value.to_owned())).into()),
            }),
            ..HostConfig::default()
        }),
        ..ContainerCreateBody::default()
    }
}

/// The request for the container that is never started: the volumes come to be with it, and the archive goes in through it.
pub(super) fn filler(image: &str, volumes: &Volumes, labels: &BTreeMap<String, String>) -> ContainerCreateBody {
    let labels: HashMap<String, String> = labels.clone().into_iter().collect();
    let mount = |volume: &String, target: &str| Mount {
        typ: Some(MountType::VOLUME),
        source: Some(volume.clone()),
        target: Some(target.to_owned()),
        volume_options: Some(MountVolumeOptions {
            no_copy: Some(true),
            labels: Some(labels.clone()),
            ..MountVolumeOptions::default()
        }),
        ..Mount::default()
    };
    ContainerCreateBody {
        image: Some(image.to_owned()),
        entrypoint: Some(vec!["never-started".to_owned()]),
        labels: Some(labels.clone()),
        network_disabled: Some(true),
        host_config: Some(HostConfig {
            network_mode: Some("none".to_owned()),
            mounts: Some(vec![
                mount(&volumes.input, "/in"),
                mount(&volumes.spec, "/spec"),
                mount(&volumes.out, "/out"),
            ]),
            ..HostConfig::default()
        }),
        ..ContainerCreateBody::default()
    }
}

/// What the engine says of a container, as the port reports it. `None` for a container whose name is no job's.
pub(super) fn observed(found: &ContainerInspectResponse) -> Option<Observed> {
    let id = found.name.as_deref()?.trim_start_matches('/').parse().ok()?;
    let named = naming::read(&labels(found));
    let status = found
        .state
        .as_ref()
        .map_or_else(|| RuntimeStatus::Lost { why: "the engine says nothing of its state".to_owned() }, status);
    Some(Observed {
        id,
        key: named.key,
        instance: named.instance,
        credentials: named.credentials,
        created_at: time(found.created.as_deref()).unwrap_or(Timestamp::UNIX_EPOCH),
        status,
    })
}

/// A container's labels.
pub(super) fn labels(found: &ContainerInspectResponse) -> BTreeMap<String, String> {
    let labels = found.config.as_ref().and_then(|config| config.labels.clone()).unwrap_or_default();
    labels.into_iter().collect()
}

/// Whether a container runs, or will run again without anybody's doing.
pub(super) fn stays(found: &ContainerInspectResponse) -> bool {
    runs(found) || found.state.as_ref().and_then(|state| state.restarting) == Some(true)
}

/// When a container ended; `None` while it runs, or where the engine does not say.
pub(super) fn ended_at(found: &ContainerInspectResponse) -> Option<Timestamp> {
    match status(found.state.as_ref()?) {
        RuntimeStatus::Exited { at, .. } => Some(at),
        RuntimeStatus::Created | RuntimeStatus::Running | RuntimeStatus::Lost { .. } => None,
    }
}

/// Whether a container runs, asleep or not.
pub(super) fn runs(found: &ContainerInspectResponse) -> bool {
    found.state.as_ref().is_some_and(|state| status(state) == RuntimeStatus::Running)
}

/// The truth table of a container's state.
pub(super) fn status(state: &ContainerState) -> RuntimeStatus {
    use ContainerStateStatusEnum as State;
    let lost = |why: &str| RuntimeStatus::Lost { why: why.to_owned() };
    match state.status {
        Some(State::CREATED) => RuntimeStatus::Created,
        Some(State::RUNNING | State::PAUSED | State::RESTARTING | State::STOPPING) => RuntimeStatus::Running,
        Some(State::EXITED) => match (state.exit_code, time(state.finished_at.as_deref())) {
            (Some(code), Some(at)) => {
                // The engine raises the flag when anything in the container ran out of memory. A job that ended well got over it.
                RuntimeStatus::Exited { code, oom: state.oom_killed == Some(true) && code != 0, at }
            }
            (None, _) => lost("the engine has no exit code for it"),
            (_, None) => lost("the engine does not say when it ended"),
        },
        Some(State::REMOVING) => lost("it is being removed"),
        Some(State::DEAD) => lost("the engine could not remove it whole (state dead)"),
        Some(State::EMPTY) | None => lost("the engine says nothing of its state"),
    }
}

fn time(text: Option<&str>) -> Option<Timestamp> {
    text?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn state(status: ContainerStateStatusEnum, code: i64, oom: bool) -> RuntimeStatus {
        super::status(&ContainerState {
            status: Some(status),
            exit_code: Some(code),
            oom_killed: Some(oom),
            finished_at: Some("2026-11-23T10:00:00.123456789Z".to_owned()),
            ..ContainerState::default()
        })
    }

    #[test]
    fn each_state_of_the_engine_has_one_of_ours() {
        use ContainerStateStatusEnum as State;
        assert_eq!(state(State::CREATED, 0, false), RuntimeStatus::Created);
        for running in [State::RUNNING, State::PAUSED, State::RESTARTING, State::STOPPING] {
            assert_eq!(state(running, 0, false), RuntimeStatus::Running);
        }
        for lost in [State::DEAD, State::REMOVING, State::EMPTY] {
            assert!(matches!(state(lost, 0, false), RuntimeStatus::Lost { .. }));
        }
        assert!(matches!(state(State::EXITED, 137, true), RuntimeStatus::Exited { code: 137, oom: true, .. }));
        assert!(matches!(state(State::EXITED, 0, true), RuntimeStatus::Exited { code: 0, oom: false, .. }));
    }

    #[test]
    fn an_end_without_code_or_time_is_not_made_up() {
        let exited = ContainerState { status: Some(ContainerStateStatusEnum::EXITED), ..ContainerState::default() };
        assert!(matches!(super::status(&exited), RuntimeStatus::Lost { .. }));
        let timeless = ContainerState { exit_code: Some(0), ..exited };
        assert!(matches!(super::status(&timeless), RuntimeStatus::Lost { .. }));
    }
}
