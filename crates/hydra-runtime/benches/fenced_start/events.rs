//! When the engine did what, as it tells itself.

use crate::image::docker;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

/// Since the epoch, as the engine counts.
#[expect(clippy::disallowed_methods, reason = "the engine's own events carry the wall clock")]
pub(crate) fn now() -> Duration {
    SystemTime::now().duration_since(UNIX_EPOCH).unwrap()
}

/// The five steps of a fenced start, each as the time from one to the next.
pub(crate) fn parts(instance: &str, job: &str, begun: Duration) -> [Duration; 5] {
    let moment = |at: Duration| format!("{}.{:09}", at.as_secs(), at.subsec_nanos());
    let label = format!("label=hydra.instance={instance}");
    let (since, until) = (moment(begun), moment(now()));
    let told = docker(&[
        "events",
        "--since",
        &since,
        "--until",
        &until,
        "--filter",
        &label,
        "--filter",
        "type=container",
        "--format",
        "{{json .}}",
    ]);
    let events: Vec<serde_json::Value> = told.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let at = |what: &str, role: &str| {
        let found = events.iter().find(|event| {
            let its = event["Actor"]["Attributes"]["hydra.role"].as_str().unwrap_or("agent");
            let name = event["Actor"]["Attributes"]["name"].as_str().unwrap_or_default();
            event["Action"] == what && its == role && (role != "agent" || name == job)
        });
        let event = found.unwrap_or_else(|| panic!("{role} has no {what}: {told}"));
        Duration::from_nanos(event["timeNano"].as_u64().unwrap())
    };
    let steps = [
        begun,
        at("start", "holder").max(at("start", "way")),
        at("start", "gate"),
        at("die", "net-init"),
        at("create", "agent"),
        at("start", "agent"),
    ];
    std::array::from_fn(|step| steps[step + 1].saturating_sub(steps[step]))
}
