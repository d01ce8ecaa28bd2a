//! What a gate told, in one line for the report: hosts that were reached with bytes, hosts that were refused with reasons.

use hydra_core::egress::gate::{Denial, GateLine, Reached};

/// Hosts of either kind that are named; the rest is counted.
const NAMED: usize = 20;

/// Everything that the gates of a job have told: one that broke down was followed by another, and each counts from its own beginning.
pub(super) fn report(lines: &[GateLine]) -> Option<(Vec<Reached>, Vec<Denial>)> {
    let mut last: Vec<Option<(&[Reached], &[Denial])>> = Vec::new();
    for line in lines {
        match line {
            GateLine::Ready { .. } => last.push(None),
            GateLine::Report { reached, denied, .. } => {
                last.pop();
                last.push(Some((reached, denied)));
            }
            GateLine::Denied(_) | GateLine::Aside { .. } => {}
        }
    }
    let told: Vec<_> = last.into_iter().flatten().collect();
    let (mut reached, mut denied): (Vec<Reached>, Vec<Denial>) = (Vec::new(), Vec::new());
    for (its_reached, its_denied) in &told {
        for one in *its_reached {
            match reached.iter_mut().find(|known| known.host == one.host) {
                Some(known) => {
                    known.connections += one.connections;
                    known.up += one.up;
                    known.down += one.down;
                }
                None => reached.push(one.clone()),
            }
        }
        for one in *its_denied {
            let same = |known: &&mut Denial| {
                (known.reason, &known.host, &known.sni, known.dst, known.dport)
                    == (one.reason, &one.host, &one.sni, one.dst, one.dport)
            };
            match denied.iter_mut().find(same) {
                Some(known) => known.count += one.count,
                None => denied.push(one.clone()),
            }
        }
    }
    (!told.is_empty()).then_some((reached, denied))
}

/// One line.
pub(super) fn summary((reached, denied): (Vec<Reached>, Vec<Denial>)) -> String {
    let hosts = reached.iter().map(|host| {
        let Reached { host, connections, up, down } = host;
        format!("{host} ({connections} connections, {} up, {} down)", bytes(*up), bytes(*down))
    });
    let refusals = denied.iter().map(|denial| {
        let at = denial.dst.map(|dst| match denial.dport {
            Some(port) => format!("{dst} port {port}"),
            None => dst.to_string(),
        });
        let what = denial.sni.clone().or_else(|| denial.host.clone()).or(at).unwrap_or_else(|| "something".to_owned());
        format!("{what} ({}, {} times)", denial.reason, denial.count)
    });
    format!("reached: {}; refused: {}", listed(hosts.collect()), listed(refusals.collect()))
}

fn listed(mut all: Vec<String>) -> String {
    if all.is_empty() {
        return "nothing".to_owned();
    }
    let more = all.len().saturating_sub(NAMED);
    all.truncate(NAMED);
    let text = all.join(", ");
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
    use hydra_core::{ContainerType, Timestamp, egress::DenyReason};

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
        let report_of = || GateLine::Report {
            v: 1,
            policy: String::new(),
            reached: reached.clone(),
            denied: denied.clone(),
            tokens: Default::default(),
        };
        let ready = || GateLine::Ready { v: 1, policy: String::new() };
        assert_eq!(
            summary(report(&[ready(), report_of(), report_of()]).unwrap()),
            "reached: pypi.org (3 connections, 2000 B up, 12 MB down); refused: 192.0.2.7 port 80 (packet.tcp, 4 times)"
        );
        // The second gate of the job counts from its own beginning.
        assert_eq!(
            summary(report(&[ready(), report_of(), ready(), report_of()]).unwrap()),
            "reached: pypi.org (6 connections, 4000 B up, 24 MB down); refused: 192.0.2.7 port 80 (packet.tcp, 8 times)"
        );
        assert_eq!(summary((Vec::new(), Vec::new())), "reached: nothing; refused: nothing");
        assert!(report(&[]).is_none());
    }
}
