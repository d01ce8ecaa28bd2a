//! Timing: how long one call takes, and the median or the best of many.

use std::time::{Duration, Instant};

/// How long one call took.
pub fn timed(call: impl FnOnce()) -> Duration {
    let before = Instant::now();
    call();
    before.elapsed()
}

/// The median of `runs` calls, after one that warms up: for what has outliers by nature, such as processes and containers.
pub fn median(runs: usize, mut call: impl FnMut()) -> Duration {
    call();
    let all: Vec<Duration> = (0..runs.max(1)).map(|_| timed(&mut call)).collect();
    middle(all)
}

/// The median of what was measured elsewhere; zero of nothing.
#[must_use]
pub fn middle(mut all: Vec<Duration>) -> Duration {
    all.sort_unstable();
    all.get(all.len() / 2).copied().unwrap_or_default()
}

/// The best of `runs` calls, after one that warms up: for pure computation, where whatever is slower is the machine's noise.
pub fn best(runs: usize, mut call: impl FnMut()) -> Duration {
    call();
    (0..runs.max(1)).map(|_| timed(&mut call)).min().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_run_is_made_and_the_first_one_does_not_count() {
        let mut calls = 0;
        let took = median(3, || {
            calls += 1;
            std::thread::sleep(Duration::from_millis(if calls == 1 { 30 } else { 1 }));
        });
        assert_eq!(calls, 4);
        assert!(took < Duration::from_millis(25), "{took:?}");
        assert!(best(2, || std::thread::sleep(Duration::from_millis(1))) >= Duration::from_millis(1));
    }
}
