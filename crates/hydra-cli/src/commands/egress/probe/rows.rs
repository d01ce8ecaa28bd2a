//! What the container saw is held against what must be seen, and against what the gate told.

use super::run::Found;
use hydra_core::{
    ContainerType,
    contract_files::FenceMode,
    probe::{Probe, ProbeOrder, Seen, Verdict},
};
use serde::Serialize;

/// One container.
#[derive(Debug, Serialize)]
pub(super) struct Probed {
    pub(super) container: ContainerType,
    pub(super) fence: FenceMode,
    pub(super) probes: Vec<Row>,
}

/// One probe.
#[derive(Debug, PartialEq, Eq, Serialize)]
pub(super) struct Row {
    pub(super) probe: Probe,
    /// The same in words.
    pub(super) what: &'static str,
    pub(super) expected: &'static str,
    pub(super) seen: String,
    /// The reason that the gate told; absent where there was none to tell.
    pub(super) gate: Option<String>,
    pub(super) verdict: Verdict,
}

/// Every probe, also one that the container says nothing of.
pub(super) fn rows(order: &ProbeOrder, found: &Found) -> Vec<Row> {
    Probe::ALL.iter().map(|probe| row(*probe, order.fence, found)).collect()
}

fn row(probe: Probe, fence: FenceMode, found: &Found) -> Row {
    let seen = found.tried.iter().find(|tried| tried.probe == probe).map(|tried| tried.seen.clone());
    let silent = seen.is_none();
    let seen = seen.unwrap_or_else(|| Seen::Untried("the container says nothing of it".to_owned()));
    let mut verdict = if silent { Verdict::Failed } else { probe.judge(fence, &seen) };
    let reason = probe.reason(&seen).filter(|_| fence == FenceMode::Isolated && verdict == Verdict::Ok);
    let gate = reason.map(|reason| {
        let denied = found.told.iter().flat_map(|told| &told.denied);
        let told = denied.into_iter().any(|denial| denial.reason == reason && probe.is_of(denial));
        if told {
            return reason.to_string();
        }
        // What is refused and not told of is refused by somebody else.
        verdict = Verdict::Failed;
        "told of nothing".to_owned()
    });
    Row { probe, what: probe.words(), expected: probe.expected(fence), seen: seen.to_string(), gate, verdict }
}

/// The fence's name for people.
pub(super) const fn fence(mode: FenceMode) -> &'static str {
    match mode {
        FenceMode::None => "none needed: no network",
        FenceMode::InContainer => "in-container",
        FenceMode::Isolated => "isolated",
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use hydra_core::{
        Timestamp,
        egress::{DenyReason, Told, gate::Denial},
        probe::Tried,
    };

    fn denial(reason: DenyReason, at: std::net::SocketAddr) -> Denial {
        Denial {
            ts: Timestamp::UNIX_EPOCH,
            job: "hydra-x".into(),
            container_type: ContainerType::Builder,
            layer: reason.layer(),
            reason,
            host: None,
            sni: None,
            dst: Some(at.ip()),
            dport: Some(at.port()),
            proto: Some("tcp".into()),
            uid: None,
            count: 1,
            bytes: 0,
            hint: String::new(),
        }
    }
    fn found(seen: Seen, denied: Vec<Denial>) -> Found {
        let tried = vec![Tried { probe: Probe::PlainHttp, seen }];
        Found { tried, told: Some(Told { denied, ..Told::default() }) }
    }
    fn verdict(fence: FenceMode, found: &Found) -> (Option<String>, Verdict) {
        let order = ProbeOrder { fence, allowed: None, model_port: None };
        let row = rows(&order, found).into_iter().find(|row| row.probe == Probe::PlainHttp).unwrap();
        (row.gate, row.verdict)
    }

    #[test]
    fn a_refusal_counts_when_the_gate_tells_of_that_very_one() {
        let place = Probe::PlainHttp.place().unwrap();
        let told = denial(DenyReason::PacketTcp, place);
        let good = found(Seen::Refused, vec![told.clone()]);
        assert_eq!(verdict(FenceMode::Isolated, &good), (Some("packet.tcp".into()), Verdict::Ok));
        let elsewhere = Probe::Metadata.place().unwrap();
        for denied in
            [vec![], vec![denial(DenyReason::PacketTcp, elsewhere)], vec![denial(DenyReason::TlsNoSni, place)]]
        {
            let silent = found(Seen::Refused, denied);
            assert_eq!(verdict(FenceMode::Isolated, &silent), (Some("told of nothing".into()), Verdict::Failed));
        }
        let open = found(Seen::Open("connected".into()), vec![told]);
        assert_eq!(verdict(FenceMode::Isolated, &open), (None, Verdict::Failed));
        let no_gate = Found { told: None, ..found(Seen::Refused, Vec::new()) };
        assert_eq!(verdict(FenceMode::InContainer, &no_gate), (None, Verdict::Ok), "no gate, nobody to tell");
    }

    #[test]
    fn a_probe_that_the_container_leaves_out_has_failed() {
        let order = ProbeOrder { fence: FenceMode::Isolated, allowed: None, model_port: None };
        let rows = rows(&order, &Found { tried: Vec::new(), told: None });
        assert_eq!(rows.len(), Probe::ALL.len());
        assert!(rows.iter().all(|row| row.verdict == Verdict::Failed));
    }
}
