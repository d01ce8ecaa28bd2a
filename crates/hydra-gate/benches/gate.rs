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

fn main() {
    if !place::may_be_made() {
        return hydra_figures::left_out("the gate", "the right to make network namespaces");
    }
    memory::measure();
    let stage = stage::Stage::new();
    bulk::measure(&stage);
    round_trip::measure(&stage);
    first_byte::measure(&stage);
    drop(stage);
    model::measure();
}
