//! Bytes a second, one stream and 64: the gate against the same way without it, and against the peers.

use crate::{contender::Contender, server::Ask, stage::Stage};
use hydra_figures::{Aim, Figure};
use std::{
    io::Read as _,
    sync::{
        Barrier,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
    thread::{scope, sleep},
    time::{Duration, Instant},
};

const ROUNDS: usize = 5;
const WARM_UP: Duration = Duration::from_millis(150);
const MEASURED: Duration = Duration::from_millis(600);
/// Bytes that the client reads at a time.
const PIECE: usize = 256 * 1024;

pub(crate) fn measure(stage: &Stage) {
    for streams in [1, 64] {
        let all = stage.all();
        let mut rates = vec![Vec::new(); all.len()];
        for _ in 0..ROUNDS {
            for (contender, rates) in all.iter().zip(&mut rates) {
                rates.push(rate(contender, streams));
            }
        }
        let rates: Vec<f64> = rates.into_iter().map(middle).collect();
        let [direct, gate, connect, peers @ ..] = rates.as_slice() else { unreachable!() };
        let name = if streams == 1 { "one stream".to_owned() } else { format!("{streams} streams") };
        let what = format!("gate, bytes through it, {name}");
        let how = format!("medians of {ROUNDS} turns, down, plain bytes after a real ClientHello");
        Figure::new(&what, &stage.direct.name, gate / direct, "")
            .aim(Aim::AtLeast(0.55))
            .detail(format!("{how}: {gate:.2} GB/s against {direct:.2}; by CONNECT {connect:.2}"))
            .say();
        for (peer, rate) in stage.peers.iter().zip(peers) {
            Figure::new(&what, &peer.name, gate / rate, "")
                .aim(Aim::AtLeast(1.0))
                .detail(format!("{how}: {gate:.2} GB/s against {rate:.2}"))
                .say();
        }
    }
}

/// GB/s over so many streams.
fn rate(contender: &Contender, streams: usize) -> f64 {
    let (count, over, open) = (AtomicU64::new(0), AtomicBool::new(false), Barrier::new(streams + 1));
    let read = || {
        contender.from.enter();
        let mut stream = contender.ask(Ask::Send);
        let mut room = vec![0; PIECE];
        open.wait();
        while !over.load(Ordering::Relaxed) {
            count.fetch_add(stream.read(&mut room).unwrap() as u64, Ordering::Relaxed);
        }
    };
    scope(|scope| {
        for _ in 0..streams {
            scope.spawn(read);
        }
        open.wait();
        sleep(WARM_UP);
        let (before, begun) = (count.load(Ordering::Relaxed), Instant::now());
        sleep(MEASURED);
        let carried = count.load(Ordering::Relaxed) - before;
        let rate = carried as f64 / begun.elapsed().as_secs_f64() / 1e9;
        over.store(true, Ordering::Relaxed);
        rate
    })
}

fn middle(mut all: Vec<f64>) -> f64 {
    all.sort_by(f64::total_cmp);
    all[all.len() / 2]
}
