//! The steps of a fenced start, from what the engine tells.

use crate::events::since;
use std::time::Duration;

/// The five steps, each as the time from one to the next.
pub(crate) fn parts(instance: &str, job: &str, begun: Duration) -> [Duration; 5] {
    let events = since(instance, begun);
    let at = |what: &str, role: &str| {
        let found = events.iter().find(|event| {
            let its = event.role.as_deref().unwrap_or("agent");
            event.action == what && its == role && (role != "agent" || event.name == job)
        });
        found.unwrap_or_else(|| panic!("{role} has no {what}")).at
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
