//! A new connection until the host's first byte: connect, what the proxy wants to hear, hello, one byte back.

use crate::stage::{Stage, quantile, us};
use hydra_figures::{Aim, Figure};
use std::time::{Duration, Instant};

const ROUNDS: usize = 15;
/// Connections of a turn, one after the other, after some that warm up.
const EACH: usize = 40;
const WARM_UP: usize = 5;

pub(crate) fn measure(stage: &Stage) {
    let all = stage.all();
    let mut times = vec![Vec::new(); all.len()];
    for _ in 0..ROUNDS {
        for (contender, times) in all.iter().zip(&mut times) {
            times.extend(contender.from.inside(|| {
                let open = |_| {
                    let begun = Instant::now();
                    contender.way.open().unwrap();
                    begun.elapsed()
                };
                (0..WARM_UP + EACH).map(open).collect::<Vec<Duration>>().split_off(WARM_UP)
            }));
        }
    }
    let times: Vec<f64> = times.iter_mut().map(|times| us(quantile(times, 0.5))).collect();
    let [direct, gate, connect, peers @ ..] = times.as_slice() else { unreachable!() };
    let what = "gate, connect, hello and first byte, p50";
    let how = format!("{} connections, one after the other", ROUNDS * EACH);
    Figure::new(what, &stage.direct.name, gate / direct, "")
        .detail(format!("{how}: {gate:.0} us against {direct:.0}; by CONNECT {connect:.0}"))
        .say();
    for (peer, time) in stage.peers.iter().zip(peers) {
        Figure::new(what, &peer.name, gate / time, "")
            .aim(Aim::AtMost(1.0))
            .detail(format!("{how}: {gate:.0} us against {time:.0}"))
            .say();
    }
}
