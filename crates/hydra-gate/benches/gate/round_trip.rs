//! The time that is added to a round trip while 100 flows are open: one of them is used at a time, each in its turn, so that what is seen is
//! the way and no queue. The limit is what the kernel takes to wake a thread on another processor, twice, measured in the same turns.

use crate::{
    contender::Contender,
    server::{Ask, ECHO},
    stage::{Stage, quantile, us},
};
use hydra_figures::{Aim, Figure};
use nix::{
    sched::{CpuSet, sched_getaffinity, sched_setaffinity},
    unistd::Pid,
};
use std::{
    io::{Read as _, Write as _, pipe},
    net::TcpStream,
    thread::scope,
    time::{Duration, Instant},
};

const FLOWS: usize = 100;
/// Many short turns, each by a thread of its own: where the kernel puts it, it stays for the whole of the turn.
const ROUNDS: usize = 60;
/// Round trips of every flow in a turn, after one that warms up.
const TRIPS: usize = 2;

pub(crate) fn measure(stage: &Stage) {
    let all = stage.all();
    let mut times = vec![Vec::new(); all.len()];
    let (mut wake_ups, mut anywhere) = (Vec::new(), Vec::new());
    let flows =
        |contender: &&Contender| contender.from.inside(|| (0..FLOWS).map(|_| contender.ask(Ask::Echo)).collect());
    let mut flows: Vec<Vec<TcpStream>> = all.iter().map(flows).collect();
    for _ in 0..ROUNDS {
        for (flows, times) in flows.iter_mut().zip(&mut times) {
            times.extend(scope(|scope| scope.spawn(|| turn(flows)).join()).unwrap());
        }
        wake_ups.extend(two_wake_ups(true));
        anywhere.extend(two_wake_ups(false));
    }
    for (name, part) in [("p50", 0.5), ("p99", 0.99)] {
        let times: Vec<f64> = times.iter_mut().map(|times| us(quantile(times, part))).collect();
        let [two, left] = [&mut wake_ups, &mut anywhere].map(|times| us(quantile(times, part)));
        let [direct, gate, connect, peers @ ..] = times.as_slice() else { unreachable!() };
        let what = format!("gate, round trip, {name} at {FLOWS} flows");
        let added = gate - direct;
        Figure::new(&format!("{what}: what it adds"), &format!("two wake-ups, {name}"), added / two, "")
            .aim(Aim::AtMost(1.5))
            .detail(format!(
                "{added:.1} us ({gate:.1} against {direct:.1} directly; by CONNECT {connect:.1}); two threads on two processors that wake \
                 each other through pipes take {two:.1} us, {left:.1} wherever the kernel puts them; {ECHO} bytes, {} round trips",
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

fn turn(flows: &mut [TcpStream]) -> Vec<Duration> {
    let mut times = Vec::with_capacity(FLOWS * TRIPS);
    let mut piece = [7; ECHO];
    for trip in 0..=TRIPS {
        for flow in &mut *flows {
            let begun = Instant::now();
            flow.write_all(&piece).unwrap();
            flow.read_exact(&mut piece).unwrap();
            if trip > 0 {
                times.push(begun.elapsed());
            }
        }
    }
    times
}

/// A thread wakes another one and is woken by it: each on a processor of its own, or where the kernel puts them.
fn two_wake_ups(apart: bool) -> Vec<Duration> {
    let (mut heard, mut there) = pipe().unwrap();
    let (mut here, mut answer) = pipe().unwrap();
    scope(|scope| {
        scope.spawn(move || {
            if apart {
                stay_on(1);
            }
            let mut byte = [0];
            while heard.read_exact(&mut byte).is_ok() {
                answer.write_all(&byte).unwrap();
            }
        });
        let asking = scope.spawn(move || {
            if apart {
                stay_on(0);
            }
            let mut times = Vec::with_capacity(FLOWS * TRIPS);
            for trip in 0..FLOWS * (TRIPS + 1) {
                let begun = Instant::now();
                there.write_all(&[1]).unwrap();
                here.read_exact(&mut [0]).unwrap();
                if trip >= FLOWS {
                    times.push(begun.elapsed());
                }
            }
            times
        });
        asking.join().unwrap()
    })
}

/// This thread on the n-th of the processors that this process may use; anywhere where there are not so many.
fn stay_on(n: usize) {
    let may = sched_getaffinity(Pid::from_raw(0)).unwrap();
    if let Some(processor) = (0..CpuSet::count()).filter(|at| may.is_set(*at) == Ok(true)).nth(n) {
        let mut one = CpuSet::new();
        one.set(processor).unwrap();
        sched_setaffinity(Pid::from_raw(0), &one).unwrap();
    }
}
