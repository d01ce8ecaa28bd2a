//! The running gate against the same way without it, and against squid, tinyproxy and haproxy: what it costs in bytes a second, in time and
//! in memory. Client, proxy and server share one machine; every hop of every contender is one loopback.
#![expect(clippy::unwrap_used, reason = "a bench that cannot run ends with its cause")]

#[path = "gate/bulk.rs"]
mod bulk;
#[path = "gate/contender.rs"]
mod contender;
#[path = "gate/fence.rs"]
mod fence;
#[path = "gate/first_byte.rs"]
mod first_byte;
#[path = "gate/memory.rs"]
mod memory;
#[path = "gate/model.rs"]
mod model;
#[path = "gate/model_api.rs"]
mod model_api;
#[path = "gate/peers.rs"]
mod peers;
#[path = "gate/place.rs"]
mod place;
#[path = "gate/round_trip.rs"]
mod round_trip;
#[path = "gate/server.rs"]
mod server;
#[path = "gate/stage.rs"]
mod stage;

type Measure = fn(&stage::Stage);

/// What is measured of the gate and its peers in turns.
const COMPARED: [(&str, Measure); 3] =
    [("bulk", bulk::measure), ("round_trip", round_trip::measure), ("first_byte", first_byte::measure)];

fn main() {
    if !place::may_be_made() {
        return hydra_figures::left_out("the gate", "the right to make network namespaces");
    }
    let word = std::env::args().skip(1).find(|arg| !arg.starts_with('-'));
    let wanted = |name: &str| word.as_ref().is_none_or(|word| name.contains(word.as_str()));
    if wanted("memory") {
        memory::measure();
    }
    let compared: Vec<_> = COMPARED.into_iter().filter(|(name, _)| wanted(name)).collect();
    if !compared.is_empty() {
        let stage = stage::Stage::new();
        compared.into_iter().for_each(|(_, measure)| measure(&stage));
    }
    if wanted("model") {
        model::measure();
    }
}
