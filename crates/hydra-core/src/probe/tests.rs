//! The judgement of every probe in every mode, against fences that hold and fences that do not.

use super::*;

/// What a fence of this mode that holds shows.
fn good(probe: Probe, fence: FenceMode) -> Seen {
    match (probe, fence) {
        (Probe::Loopback, _) => Seen::Worked,
        (Probe::Interfaces | Probe::Sockets | Probe::Capabilities, _) => Seen::Nothing,
        (Probe::AllowedName, _) => Seen::Address(IpAddr::V4(Ipv4Addr::new(198, 18, 0, 3))),
        (Probe::OtherRecord, _) => Seen::NoRecord,
        (Probe::OtherName, FenceMode::Isolated) => Seen::NoSuchName { told: true },
        (Probe::NoName | Probe::NoNameV6 | Probe::OtherSni, FenceMode::Isolated) => Seen::Alert(49),
        (Probe::ModelPort, _) | (Probe::Tunnel, FenceMode::Isolated) => Seen::Status(403),
        _ => Seen::Refused,
    }
}

const MODES: [FenceMode; 3] = [FenceMode::None, FenceMode::InContainer, FenceMode::Isolated];

#[test]
fn a_fence_that_holds_fails_no_probe_and_the_gates_own_are_held_by_a_gate_alone() {
    for fence in MODES {
        for probe in Probe::ALL {
            let verdict = probe.judge(fence, &good(*probe, fence));
            assert_ne!(verdict, Verdict::Failed, "{probe} {fence:?}");
            assert_eq!(verdict == Verdict::CannotHold, fence == FenceMode::InContainer && !holds_by_itself(*probe));
        }
    }
    let all_ok = Probe::ALL
        .iter()
        .all(|probe| probe.judge(FenceMode::Isolated, &good(*probe, FenceMode::Isolated)) == Verdict::Ok);
    assert!(all_ok);
}

fn holds_by_itself(probe: Probe) -> bool {
    use Probe::*;
    !matches!(probe, Interfaces | AllowedName | OtherRecord | OtherSni | Tunnel | ModelPort)
}

#[test]
fn what_gets_through_fails_and_so_does_what_nobody_refuses() {
    for seen in [Seen::Open("it answered".into()), Seen::Silence, Seen::Status(200), Seen::Alert(40), Seen::NoRecord] {
        for probe in Probe::ALL {
            if *probe == Probe::OtherRecord && seen == Seen::NoRecord {
                continue;
            }
            assert_eq!(probe.judge(FenceMode::Isolated, &seen), Verdict::Failed, "{probe} {seen:?}");
        }
    }
    // An answer with a real address came from elsewhere than the gate.
    let real = Seen::Address(IpAddr::V4(Ipv4Addr::new(93, 184, 216, 34)));
    assert_eq!(Probe::AllowedName.judge(FenceMode::Isolated, &real), Verdict::Failed);
    assert_eq!(Probe::OtherName.judge(FenceMode::Isolated, &Seen::NoSuchName { told: false }), Verdict::Failed);
    assert_eq!(Probe::Rules.judge(FenceMode::Isolated, &Seen::NoWay), Verdict::Failed);
    for probe in [Probe::Tunnel, Probe::OtherSni, Probe::OtherName, Probe::NoName] {
        assert_eq!(probe.judge(FenceMode::None, &Seen::Status(403)), Verdict::Failed, "{probe}: somebody is there");
        assert_eq!(probe.judge(FenceMode::None, &Seen::NoWay), Verdict::Ok, "{probe}");
    }
}

#[test]
fn what_could_not_be_tried_is_no_success_but_for_a_ping_that_has_no_socket() {
    let untried = Seen::Untried("no".into());
    for probe in Probe::ALL {
        let verdict = probe.judge(FenceMode::Isolated, &untried);
        assert_eq!(verdict == Verdict::Ok, *probe == Probe::Icmp, "{probe}");
    }
    assert_eq!(Probe::Udp.judge(FenceMode::Isolated, &untried), Verdict::Failed);
    assert_eq!(Probe::Icmp.reason(&untried), None);
}

#[test]
fn orders_and_results_read_back() {
    let order = ProbeOrder { fence: FenceMode::Isolated, allowed: "pypi.org".parse().ok(), model_port: Some(8088) };
    let text = serde_json::to_string(&order).unwrap();
    assert_eq!(serde_json::from_str::<ProbeOrder>(&text).unwrap(), order);
    let tried = vec![Tried { probe: Probe::OtherName, seen: Seen::NoSuchName { told: true } }];
    let text = serde_json::to_string(&tried).unwrap();
    assert_eq!(text, r#"[{"probe":"other-name","seen":{"no_such_name":{"told":true}}}]"#);
    assert_eq!(serde_json::from_str::<Vec<Tried>>(&text).unwrap(), tried);
}
