//! A policy of 10,000 names: how long a gate takes to have it, and how long one name takes, against a look at every line.
#![expect(clippy::unwrap_used, reason = "a bench that cannot run ends with its cause")]

use hydra_core::{
    ContainerType,
    egress::{
        AllowedNames, EgressPolicy, HostName, HostPattern,
        gate::{GateConfig, GateLimits},
    },
};
use hydra_figures::{Aim, Figure, best, number, ratio};
use std::{collections::BTreeSet, hint::black_box, time::Duration};

const NAMES: usize = 10_000;
/// Of so many lines one stands for every name below it.
const WILD: usize = 10;

fn main() {
    let allow: BTreeSet<HostPattern> = (0..NAMES).map(line).collect();
    assert_eq!(allow.len(), NAMES);
    let mut config = GateConfig::of(&EgressPolicy::default(), ContainerType::Builder, "bench");
    config.allow.clone_from(&allow);
    config.limits = GateLimits::default();
    let text = serde_json::to_vec(&config).unwrap();
    let loaded = best(50, || {
        let config: GateConfig = serde_json::from_slice(black_box(&text)).unwrap();
        black_box(config.allow.into_iter().collect::<AllowedNames>());
    });
    Figure::new(
        &format!("policy of {} names, load", number(NAMES as f64)),
        "the limit that the issue sets",
        loaded.as_secs_f64() * 1e3,
        "ms",
    )
    .aim(Aim::AtMost(20.0))
    .detail(format!("the gate's configuration ({} bytes of JSON) parsed, every line checked, and indexed", text.len()))
    .say();
    decide(&allow);
}

fn line(n: usize) -> HostPattern {
    let wild = if n.is_multiple_of(WILD) { "*." } else { "" };
    format!("{wild}h{n}.z{}.example.org", n % 97).parse().unwrap()
}

/// Names that a line names, that one stands over, and that none does; spread over the whole.
fn asked() -> Vec<HostName> {
    let name = |n: usize| match n % 3 {
        0 => format!("h{n}.z{}.example.org", n % 97),
        1 => format!("below.h{n}.z{}.example.org", n % 97),
        _ => format!("h{n}.elsewhere.example.net"),
    };
    (0..NAMES).step_by(7).map(|n| name(n).parse().unwrap()).collect()
}

fn decide(allow: &BTreeSet<HostPattern>) {
    let index: AllowedNames = allow.iter().cloned().collect();
    let plain: Vec<&HostPattern> = allow.iter().collect();
    let scan = |name: &HostName| plain.iter().any(|pattern| pattern.matches(name));
    let asked = asked();
    let allowed = asked.iter().filter(|name| index.allows(name)).count();
    assert!(asked.iter().all(|name| index.allows(name) == scan(name)) && allowed > 100 && allowed < asked.len());
    let each = |took: Duration| took / u32::try_from(asked.len()).unwrap();
    let ours = each(best(50, || {
        for name in &asked {
            black_box(index.allows(black_box(name)));
        }
    }));
    let theirs = each(best(5, || {
        for name in &asked {
            black_box(scan(black_box(name)));
        }
    }));
    let what = format!("policy of {} names, decide", number(NAMES as f64));
    let shown = format!("{} names, {allowed} of them allowed", asked.len());
    Figure::new(&what, "the limit that the issue sets", ours.as_secs_f64() * 1e6, "us")
        .aim(Aim::AtMost(1.0))
        .detail(shown)
        .say();
    Figure::new(&what, "a look at every line", ratio(theirs, ours), "times as fast")
        .detail(format!("{:.3} us against {:.1} us", ours.as_secs_f64() * 1e6, theirs.as_secs_f64() * 1e6))
        .say();
}
