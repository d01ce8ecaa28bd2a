//! What a gate told, in one line for the report: hosts that were reached with bytes, hosts that were refused with reasons.

use crate::{tally::Tally, watch::Shared};
use hydra_core::{
    egress::{Told, gate::Reached},
    ports::Collected,
};

/// Bytes of either list of hosts; the rest is counted. The report has room for both and for what stands before them.
const NAMED: usize = 170;

/// What the gate says of a job's traffic; without a gate, what the job itself saw refused. `None`: nobody saw anything.
pub(super) fn of(shared: &Shared, out: &Collected, tally: &Tally) -> Option<String> {
    let text = match Told::of(&out.gate) {
        Some(told) => summary(&told),
        None if tally.denied.is_empty() => return None,
        None => {
            let refused = tally.denied.iter().take(20).map(|(host, reason)| format!("{host} ({reason})"));
            format!("refused: {}", refused.collect::<Vec<_>>().join(", "))
        }
    };
    Some(shared.config.scrub(&text))
}

/// One line.
fn summary(told: &Told) -> String {
    let hosts = told.reached.iter().map(|host| {
        let Reached { host, connections, up, down } = host;
        format!("{host} ({connections} connections, {} up, {} down)", bytes(*up), bytes(*down))
    });
    let refusals =
        told.denied.iter().map(|denial| format!("{} ({}, {} times)", denial.about(), denial.reason, denial.count));
    let proof = told.proof.as_ref().map(|proof| {
        let rules = proof.rules.get(..12).unwrap_or(&proof.rules);
        format!("proved before the start: {}, rules {rules}; ", proof.tried.len())
    });
    let policy = told.policy.get(..12).map(|policy| format!("policy {policy}; "));
    let back = match told.restarts {
        0 => String::new(),
        1 => "its gate broke down once and came back; ".to_owned(),
        times => format!("its gate broke down and came back {times} times; "),
    };
    let gone = if told.gone { "its gate broke down for good; " } else { "" };
    let (reached, refused) = (listed(hosts.collect()), listed(refusals.collect()));
    // What is short and always the same stands first: a report that is cut keeps it.
    let (proof, policy) = (proof.unwrap_or_default(), policy.unwrap_or_default());
    format!("{proof}{policy}{back}{gone}reached: {reached}; refused: {refused}")
}

fn listed(all: Vec<String>) -> String {
    if all.is_empty() {
        return "nothing".to_owned();
    }
    let mut text = String::new();
    let mut named = 0;
    for one in &all {
        if named > 0 && text.len() + one.len() > NAMED {
            break;
        }
        text.push_str(if named > 0 { ", " } else { "" });
        text.push_str(one);
        named += 1;
    }
    let more = all.len() - named;
    if more == 0 { text } else { format!("{text} and {more} more") }
}

fn bytes(count: u64) -> String {
    match count {
        0..10_000 => format!("{count} B"),
        10_000..10_000_000 => format!("{} kB", count / 1_000),
        _ => format!("{} MB", count / 1_000_000),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use hydra_core::{
        ContainerType, Timestamp,
        egress::{
            DenyReason,
            gate::{Denial, Proof},
        },
    };

    #[test]
    fn it_says_what_was_reached_and_what_was_not() {
        let reached = vec![Reached { host: "pypi.org".into(), connections: 3, up: 2_000, down: 12_345_678 }];
        let denied = DenyReason::PacketTcp;
        let denied = vec![Denial {
            ts: Timestamp::UNIX_EPOCH,
            job: "hydra-x".into(),
            container_type: ContainerType::Builder,
            layer: denied.layer(),
            reason: denied,
            host: None,
            sni: None,
            dst: Some("192.0.2.7".parse().unwrap()),
            dport: Some(80),
            proto: Some("tcp".into()),
            uid: Some(1000),
            count: 4,
            bytes: 0,
            hint: String::new(),
        }];
        assert_eq!(
            summary(&Told { reached, denied, ..Told::default() }),
            "reached: pypi.org (3 connections, 2000 B up, 12 MB down); refused: 192.0.2.7 port 80 (packet.tcp, 4 times)"
        );
        assert_eq!(summary(&Told::default()), "reached: nothing; refused: nothing");
        let proof = Some(Proof { rules: "ab".repeat(32), tried: vec!["one".into(), "two".into()] });
        assert_eq!(
            summary(&Told { proof, policy: "cd".repeat(32), ..Told::default() }),
            "proved before the start: 2, rules abababababab; policy cdcdcdcdcdcd; reached: nothing; refused: nothing"
        );
        assert_eq!(
            summary(&Told { restarts: 2, ..Told::default() }),
            "its gate broke down and came back 2 times; reached: nothing; refused: nothing"
        );
        let many = (0..50).map(|n| Reached { host: format!("host-{n}.example.org"), connections: 1, up: 1, down: 1 });
        let text = summary(&Told { reached: many.collect(), ..Told::default() });
        assert!(text.len() < 400 && text.contains(" and 47 more; refused: nothing"), "{} {text}", text.len());
    }
}
