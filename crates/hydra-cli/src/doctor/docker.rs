//! Checks of the Docker engine: what it is, the images, the network of jobs, whether the fence holds on it, what is left over.

use super::{Check, fence, rows};
use crate::{config::Settings, failure::Failure, images};
use hydra_core::{
    ContainerType,
    job::{ImageRef, RuntimeStatus},
    ports::{Runtime, RuntimeError, RuntimeErrorKind, Selector},
};
use hydra_runtime::{
    DockerRuntime,
    docker::{NEWEST, OLDEST},
};
use std::collections::BTreeMap;

const ENGINE: &str = "docker engine";

/// All of them. Without an engine there is nothing more to look at.
pub async fn all(settings: &Settings, runtime: &DockerRuntime) -> Vec<Check> {
    let mut checks = match runtime.facts().await {
        Err(error) => return vec![refused(ENGINE, &error)],
        Ok(facts) => {
            let detail = format!(
                "{}, API {} (supported: {OLDEST} to {NEWEST}), {} CPUs, {} MiB",
                facts.version, facts.api, facts.cpus, facts.memory_mib
            );
            let mut checks = vec![Check::ok(ENGINE, detail)];
            if !facts.limits_swap {
                let detail = "it cannot keep containers from swapping, so a job may use twice its memory";
                checks.push(Check::warn(ENGINE, detail, "boot the kernel with swapaccount=1, or turn swap off"));
            }
            checks
        }
    };
    let (found, builder) = pinned_images(settings, runtime).await;
    checks.extend(found);
    checks.push(network(settings, runtime).await);
    match builder {
        Some(image) => checks.extend(fence::checks(settings, runtime, image).await),
        None => {
            let why = "without the builder's image it cannot be proved";
            checks.push(Check::fail(fence::name_of(settings), why, "mend the images first"));
        }
    }
    checks.push(rows::check(settings.values.egress.mode));
    checks.push(leftovers(runtime).await);
    checks
}

pub(super) fn refused(name: &str, error: &RuntimeError) -> Check {
    let mend = match (&error.hint, error.kind) {
        (Some(hint), _) => hint.clone(),
        (None, RuntimeErrorKind::Unavailable) => "is the engine running, and may you use its socket?".to_owned(),
        (None, RuntimeErrorKind::Exhausted) => "make room: `hydra prune`, `docker system df`".to_owned(),
        (None, _) => "the engine's own log says more".to_owned(),
    };
    Check::fail(name, error.message.clone(), mend)
}

/// One line for all that are there, one for each that is not; and the builder's, when it is there.
async fn pinned_images(settings: &Settings, runtime: &DockerRuntime) -> (Vec<Check>, Option<ImageRef>) {
    let pinned = match images::pinned(settings) {
        Ok(pinned) => pinned,
        Err(Failure::Other(trouble)) => {
            let mend = trouble.help.unwrap_or_else(|| "build them with `cargo xtask images`".to_owned());
            return (vec![Check::fail("images", trouble.message, mend)], None);
        }
        Err(Failure::Configuration(problems)) => return (super::machine::problems(&problems), None),
        Err(Failure::BrokenPipe) => return (Vec::new(), None),
    };
    let mut by_name: BTreeMap<String, (ImageRef, Vec<ContainerType>)> = BTreeMap::new();
    for (container, image) in pinned {
        by_name.entry(image.name.clone()).or_insert_with(|| (image, Vec::new())).1.push(container);
    }
    let (mut checks, mut there, mut builder) = (Vec::new(), Vec::new(), None);
    for (name, (image, containers)) in by_name {
        match runtime.image(&image).await {
            Err(error) => checks.push(refused(&format!("image {name}"), &error)),
            Ok(_) => {
                there.push(name);
                if containers.contains(&ContainerType::Builder) {
                    builder = Some(image);
                }
            }
        }
    }
    if !there.is_empty() {
        checks.push(Check::ok("images", format!("as pinned: {}", there.join(", "))));
    }
    for (name, pin) in &settings.values.runtime.toolchains {
        let image = ImageRef { name: name.clone(), pin: pin.clone() };
        checks.push(match runtime.image(&image).await {
            Ok(_) => Check::ok("toolchain", format!("{name} is as pinned")),
            Err(error) => refused("toolchain", &error),
        });
    }
    for (name, service) in &settings.values.runtime.services {
        let image = ImageRef { name: service.image.clone(), pin: service.pin.clone() };
        checks.push(match runtime.image(&image).await {
            Ok(_) => Check::ok("side service", format!("{name} is as pinned")),
            Err(error) => refused("side service", &error),
        });
    }
    (checks, builder)
}

async fn network(settings: &Settings, runtime: &DockerRuntime) -> Check {
    let wanted = &settings.values.runtime.network;
    let name = format!("network {wanted}");
    match runtime.network(wanted).await {
        Err(error) => refused(&name, &error),
        Ok(None) => Check::ok(name, "it is not there yet; the first job makes it"),
        Ok(Some(facts)) if facts.driver == "bridge" && facts.internal => Check::warn(
            name,
            "it is internal: nothing but what stands on it is reached through it, no model API and no registry of the internet",
            format!("if that is not meant: docker network rm {wanted}, and the next job makes it anew"),
        ),
        Ok(Some(facts)) if facts.driver == "bridge" => Check::ok(name, "it is there, a bridge"),
        Ok(Some(facts)) => {
            let another = "name another with runtime.network";
            let mend = match wanted.as_str() {
                // Every engine has these, and keeps them.
                "host" | "none" => another.to_owned(),
                _ => format!("docker network rm {wanted}: the next job makes it anew; or {another}"),
            };
            Check::fail(name, format!("its driver is {}, and jobs need a bridge of this machine", facts.driver), mend)
        }
    }
}

/// Containers of this installation that have ended, and those of others.
async fn leftovers(runtime: &DockerRuntime) -> Check {
    let name = "containers";
    let (mine, any) = match (runtime.list(&Selector::Mine).await, runtime.list(&Selector::Any).await) {
        (Ok(mine), Ok(any)) => (mine, any),
        (Err(error), _) | (_, Err(error)) => return refused(name, &error),
    };
    let ended: Vec<&str> =
        mine.iter().filter(|job| !matches!(job.status, RuntimeStatus::Running)).map(|job| job.id.as_str()).collect();
    let running = mine.len() - ended.len();
    let others = any.len().saturating_sub(mine.len());
    let mut detail = format!("{running} running");
    if others > 0 {
        detail.push_str(&format!(", {others} of other installations on this engine"));
    }
    if ended.is_empty() {
        return Check::ok(name, detail);
    }
    Check::warn(
        name,
        format!("{detail}, {} ended and not yet judged or removed: {}", ended.len(), ended.join(", ")),
        "`hydra poll` judges what belongs to an issue; `hydra prune` removes what nobody owns",
    )
}
