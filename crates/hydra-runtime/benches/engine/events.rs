//! When the engine did what, as it tells itself.

use crate::image::docker;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

/// Since the epoch, as the engine counts.
#[expect(clippy::disallowed_methods, reason = "the engine's own events carry the wall clock")]
pub(crate) fn now() -> Duration {
    SystemTime::now().duration_since(UNIX_EPOCH).unwrap()
}

/// What it did with a container, when, and its name and role.
pub(crate) struct Event {
    pub(crate) action: String,
    pub(crate) at: Duration,
    pub(crate) name: String,
    pub(crate) role: Option<String>,
}

/// Everything since then that it did with containers of this installation.
pub(crate) fn since(instance: &str, begun: Duration) -> Vec<Event> {
    let moment = |at: Duration| format!("{}.{:09}", at.as_secs(), at.subsec_nanos());
    let label = format!("label=hydra.instance={instance}");
    let (since, until) = (moment(begun), moment(now()));
    let filters = ["--filter", &label, "--filter", "type=container", "--format", "{{json .}}"];
    let told = docker(&[&["events", "--since", &since, "--until", &until][..], &filters].concat());
    let event = |line: &str| {
        let event: serde_json::Value = serde_json::from_str(line).unwrap();
        let attributes = &event["Actor"]["Attributes"];
        Event {
            action: event["Action"].as_str().unwrap_or_default().to_owned(),
            at: Duration::from_nanos(event["timeNano"].as_u64().unwrap()),
            name: attributes["name"].as_str().unwrap_or_default().to_owned(),
            role: attributes["hydra.role"].as_str().map(str::to_owned),
        }
    };
    told.lines().map(event).collect()
}
