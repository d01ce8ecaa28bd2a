//! Memory: of the gate as it has just started, and for each of 8,000 flows over which nothing goes.

use crate::{
    contender::Contender,
    place::{Process, until},
    server::Ask,
    stage::Stage,
};
use hydra_figures::{Aim, Figure, left_out, number};
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use std::thread::scope;

const FLOWS: usize = 8_000;
/// Threads that open them.
const HANDS: usize = 8;
/// Descriptors: two of every flow, and some besides.
const DESCRIPTORS: u64 = 2 * FLOWS as u64 + 500;

/// What a process has.
struct Seen {
    name: String,
    /// In KiB, at its start.
    idle: f64,
    /// In KiB, more for each flow.
    flow: Option<f64>,
}

pub(crate) fn measure() {
    let may = descriptors();
    // A stage of its own: memory that was used once is not given back by everybody.
    let stage = Stage::new();
    let holder = stage.fence.holder.memory();
    let gate = look(&stage, &stage.gate, &stage.fence.gate, may);
    let peers: Vec<Seen> = stage
        .peers
        .iter()
        .filter_map(|peer| peer.process.as_ref().map(|process| look(&stage, peer, process, may)))
        .collect();
    let what = "gate, memory when it has started (VmRSS)";
    Figure::new(what, "the limit that the issue sets", gate.idle * 1024.0 / 1e6, "MB")
        .aim(Aim::AtMost(12.0))
        .detail(format!("{} KiB; the holder, another process, has {} KiB", number(gate.idle), number(holder)))
        .say();
    for peer in &peers {
        Figure::new(what, &peer.name, gate.idle / peer.idle, "")
            .detail(format!("{} KiB against {}", number(gate.idle), number(peer.idle)))
            .say();
    }
    let what = format!("gate, memory for each of {} idle flows (VmRSS)", number(FLOWS as f64));
    let Some(own) = gate.flow else { return left_out(&what, &format!("a limit of {DESCRIPTORS} descriptors")) };
    Figure::new(&what, "the limit that the issue sets", own * 1024.0 / 1e3, "kB")
        .aim(Aim::AtMost(40.0))
        .detail("its sockets' memory is the kernel's")
        .say();
    for peer in &peers {
        let Some(theirs) = peer.flow else { continue };
        Figure::new(&what, &peer.name, own / theirs, "").detail(format!("{own:.1} KiB against {theirs:.1}")).say();
    }
}

/// Whether there are descriptors enough, with the limit raised as far as it goes.
fn descriptors() -> bool {
    let limit = getrlimit(Resource::Nofile);
    let most = limit.maximum.unwrap_or(u64::MAX).max(limit.current.unwrap_or(u64::MAX));
    let wanted = limit.current.unwrap_or(u64::MAX).max(DESCRIPTORS.min(most));
    setrlimit(Resource::Nofile, Rlimit { current: Some(wanted), maximum: limit.maximum }).unwrap();
    most >= DESCRIPTORS
}

fn look(stage: &Stage, contender: &Contender, process: &Process, flows: bool) -> Seen {
    let idle = process.memory();
    let flow = flows.then(|| {
        let open = || {
            contender.from.enter();
            (0..FLOWS / HANDS).map(|_| contender.ask(Ask::Hold)).collect::<Vec<_>>()
        };
        let held: Vec<_> = scope(|scope| {
            let hands: Vec<_> = (0..HANDS).map(|_| scope.spawn(open)).collect();
            hands.into_iter().map(|hand| hand.join().unwrap()).collect()
        });
        until("every flow", || stage.server.held() == FLOWS);
        let with = process.memory();
        stage.server.let_go();
        drop(held);
        (with - idle) / FLOWS as f64
    });
    Seen { name: contender.name.clone(), idle, flow }
}
