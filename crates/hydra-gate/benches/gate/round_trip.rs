//! The time that is added to a round trip while 100 flows are open: one of them is used at a time, each in its turn, so that what is seen is
//! the way and no queue. The limit is what the kernel takes to wake a thread twice, measured in the same turns.

use crate::{
    contender::Contender,
    server::{Ask, ECHO},
    stage::{Stage, quantile, us},
};
use hydra_figures::{Aim, Figure};
use std::{
    io::{PipeReader, PipeWriter, Read as _, Write as _, pipe},
    thread::scope,
    time::{Duration, Instant},
};

const FLOWS: usize = 100;
const ROUNDS: usize = 6;
/// Round trips of every flow in a turn, after one that warms up.
const TRIPS: usize = 12;

pub(crate) fn measure(stage: &Stage) {
    let all = stage.all();
    let mut times = vec![Vec::new(); all.len()];
    let mut wake_ups = Vec::new();
    for _ in 0..ROUNDS {
        for (contender, times) in all.iter().zip(&mut times) {
            times.extend(turn(contender));
        }
        wake_ups.extend(two_wake_ups());
    }
    for (name, part) in [("p50", 0.5), ("p99", 0.99)] {
        let times: Vec<f64> = times.iter_mut().map(|times| us(quantile(times, part))).collect();
        let two = us(quantile(&mut wake_ups, part));
        let [direct, gate, connect, peers @ ..] = times.as_slice() else { unreachable!() };
        let what = format!("gate, round trip, {name} at {FLOWS} flows");
        let added = gate - direct;
        Figure::new(&format!("{what}: what it adds"), &format!("two wake-ups, {name}"), added / two, "")
            .aim(Aim::AtMost(1.5))
            .detail(format!(
                "{added:.1} us ({gate:.1} against {direct:.1} directly; by CONNECT {connect:.1}); two threads that wake each other through \
                 pipes take {two:.1} us; {ECHO} bytes, {} round trips",
                ROUNDS * TRIPS * FLOWS
            ))
            .say();
        for (peer, time) in stage.peers.iter().zip(peers) {
            Figure::new(&what, &peer.name, gate / time, "")
                .aim(Aim::AtMost(1.0))
                .detail(format!("the whole round trip: {gate:.1} us against {time:.1} ({direct:.1} directly)"))
                .say();
        }
    }
}

fn turn(contender: &Contender) -> Vec<Duration> {
    contender.from.inside(|| {
        let mut flows: Vec<_> = (0..FLOWS).map(|_| contender.ask(Ask::Echo)).collect();
        let mut times = Vec::with_capacity(FLOWS * TRIPS);
        let mut piece = [7; ECHO];
        for trip in 0..=TRIPS {
            for flow in &mut flows {
                let begun = Instant::now();
                flow.write_all(&piece).unwrap();
                flow.read_exact(&mut piece).unwrap();
                if trip > 0 {
                    times.push(begun.elapsed());
                }
            }
        }
        times
    })
}

/// A thread wakes another one and is woken by it.
fn two_wake_ups() -> Vec<Duration> {
    let ((mut heard, mut there), (mut here, mut answer)): ((PipeReader, PipeWriter), (PipeReader, PipeWriter)) =
        (pipe().unwrap(), pipe().unwrap());
    scope(|scope| {
        scope.spawn(move || {
            let mut byte = [0];
            while heard.read_exact(&mut byte).is_ok() {
                answer.write_all(&byte).unwrap();
            }
        });
        let mut times = Vec::with_capacity(FLOWS * TRIPS);
        for trip in 0..FLOWS * (TRIPS + 1) {
            let begun = Instant::now();
            there.write_all(&[1]).unwrap();
            here.read_exact(&mut [0]).unwrap();
            if trip >= FLOWS {
                times.push(begun.elapsed());
            }
        }
        drop(there);
        times
    })
}
