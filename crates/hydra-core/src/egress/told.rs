//! Everything that the gates of one job have told, added up: exact where a report closes it, at least so much while it runs.

use super::gate::{Denial, GateLine, Layer, Proof, Reached};

/// What was reached and what was refused.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Told {
    /// SHA-256 of the policy.
    pub policy: String,
    /// What was proved before the start.
    pub proof: Option<Proof>,
    /// Hosts that were reached.
    pub reached: Vec<Reached>,
    /// What was refused; what is alike is counted together.
    pub denied: Vec<Denial>,
    /// Every count comes from a report, and no gate broke down. One that runs reports now and then; what it refused since is told once, and
    /// counts once.
    pub exact: bool,
    /// How often a gate that broke down was followed by another; while there was none, nothing was reached.
    pub restarts: u32,
    /// The last one broke down, and none came back.
    pub gone: bool,
}

/// One gate, from its beginning.
#[derive(Default)]
struct Gate<'a> {
    report: Option<(&'a [Reached], &'a [Denial])>,
    since: Vec<&'a Denial>,
}

impl Told {
    /// Reads the lines in their order. `None`: no gate has told anything yet.
    ///
    /// A gate that broke down was followed by another, and each counts from its own beginning.
    #[must_use]
    pub fn of(lines: &[GateLine]) -> Option<Self> {
        let mut gates: Vec<Gate<'_>> = Vec::new();
        let mut all = Self { exact: true, ..Self::default() };
        for line in lines {
            match line {
                GateLine::Ready { policy, .. } => {
                    all.restarts += u32::from(!gates.is_empty());
                    all.policy.clone_from(policy);
                    gates.push(Gate::default());
                }
                GateLine::Report { policy, reached, denied, .. } => {
                    all.policy.clone_from(policy);
                    let gate = Gate { report: Some((reached, denied)), since: Vec::new() };
                    match gates.last_mut() {
                        Some(last) => *last = gate,
                        None => gates.push(gate),
                    }
                }
                GateLine::Denied(denial) => match gates.last_mut() {
                    Some(last) => last.since.push(denial),
                    None => gates.push(Gate { report: None, since: vec![denial] }),
                },
                GateLine::Proved(proof) => all.proof = Some(proof.clone()),
                GateLine::Gone { .. } => all.gone = true,
                GateLine::Aside { .. } => {}
            }
        }
        for gate in &gates {
            all.exact &= gate.report.is_some() && gate.since.is_empty();
            let (reached, denied) = gate.report.unwrap_or_default();
            reached.iter().for_each(|one| all.reach(one));
            denied.iter().chain(gate.since.iter().copied()).for_each(|one| all.deny(one));
        }
        // What it carried after its last report, one that broke down could not say any more.
        all.exact &= all.restarts == 0 && !all.gone;
        (!gates.is_empty() || all.gone).then_some(all)
    }

    /// Refusals, counted.
    #[must_use]
    pub fn refusals(&self) -> u64 {
        self.denied.iter().fold(0, |sum, denial| sum.saturating_add(denial.count))
    }

    fn reach(&mut self, one: &Reached) {
        match self.reached.iter_mut().find(|known| known.host == one.host) {
            Some(known) => {
                known.connections = known.connections.saturating_add(one.connections);
                known.up = known.up.saturating_add(one.up);
                known.down = known.down.saturating_add(one.down);
            }
            None => self.reached.push(one.clone()),
        }
    }

    fn deny(&mut self, one: &Denial) {
        match self.denied.iter_mut().find(|known| known.is_like(one)) {
            Some(known) => {
                known.count = known.count.saturating_add(one.count);
                known.ts = known.ts.min(one.ts);
            }
            None => self.denied.push(one.clone()),
        }
    }
}

impl Denial {
    /// What it was about, for people: the request, or else the name, or else the address with its port.
    #[must_use]
    pub fn about(&self) -> String {
        let named = match self.layer {
            Layer::Inspect => self.host.as_ref().or(self.sni.as_ref()),
            _ => self.sni.as_ref().or(self.host.as_ref()),
        };
        match (named, self.dst, self.dport) {
            (Some(name), _, _) => name.clone(),
            (None, Some(dst), Some(port)) => format!("{dst} port {port}"),
            (None, Some(dst), None) => dst.to_string(),
            (None, None, _) => "something".to_owned(),
        }
    }

    fn is_like(&self, other: &Self) -> bool {
        (self.reason, &self.host, &self.sni, self.dst, self.dport, &self.proto)
            == (other.reason, &other.host, &other.sni, other.dst, other.dport, &other.proto)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{ContainerType, Timestamp, egress::DenyReason};

    fn denial(host: &str, count: u64, second: i64) -> Denial {
        let reason = DenyReason::DnsNotAllowed;
        Denial {
            ts: Timestamp::from_second(second).unwrap(),
            job: "hydra-x".into(),
            container_type: ContainerType::Builder,
            layer: reason.layer(),
            reason,
            host: Some(host.into()),
            sni: None,
            dst: None,
            dport: None,
            proto: Some("udp".into()),
            uid: None,
            count,
            bytes: 0,
            hint: String::new(),
        }
    }
    fn ready() -> GateLine {
        GateLine::Ready { v: 1, policy: "p".into(), confined: Default::default() }
    }
    fn report(denied: Vec<Denial>) -> GateLine {
        let reached = vec![Reached { host: "pypi.org".into(), connections: 3, up: 2, down: 1 }];
        GateLine::Report { v: 1, policy: "p".into(), reached, denied, tokens: Default::default() }
    }
    fn counts(told: &Told) -> Vec<(&str, u64)> {
        told.denied.iter().map(|denial| (denial.host.as_deref().unwrap(), denial.count)).collect()
    }

    #[test]
    fn the_last_report_of_each_gate_counts_and_gates_are_added() {
        let lines = [
            ready(),
            GateLine::Denied(denial("a.test", 1, 5)),
            report(vec![denial("a.test", 2, 5)]),
            report(vec![denial("a.test", 7, 5)]),
            ready(),
            report(vec![denial("a.test", 1, 9), denial("b.test", 1, 9)]),
        ];
        let told = Told::of(&lines).unwrap();
        assert_eq!(counts(&told), [("a.test", 8), ("b.test", 1)]);
        assert_eq!((told.refusals(), told.exact, told.policy.as_str()), (9, false, "p"), "the first broke down");
        assert!(Told::of(&lines[..4]).unwrap().exact);
        assert_eq!(told.denied[0].ts, Timestamp::from_second(5).unwrap(), "when it was seen first");
        assert_eq!((told.reached[0].connections, told.reached[0].up, told.reached[0].down), (6, 4, 2));
    }

    #[test]
    fn what_a_running_gate_refused_since_its_report_counts_once_and_is_no_exact_count() {
        let lines = [ready(), GateLine::Denied(denial("a.test", 1, 5))];
        let told = Told::of(&lines).unwrap();
        assert_eq!((counts(&told), told.exact), (vec![("a.test", 1)], false));
        let lines = [ready(), report(vec![denial("a.test", 4, 5)]), GateLine::Gone { exit: Some(1) }];
        let told = Told::of(&lines).unwrap();
        assert!(told.gone && !told.exact, "{told:?}");
        let lines = [ready(), report(vec![denial("a.test", 4, 5)]), GateLine::Denied(denial("b.test", 1, 6))];
        let told = Told::of(&lines).unwrap();
        assert_eq!((counts(&told), told.exact), (vec![("a.test", 4), ("b.test", 1)], false));
        let told = Told::of(&[ready()]).unwrap();
        assert_eq!((told.refusals(), told.exact), (0, false), "it has not reported yet");
        assert_eq!(Told::of(&[]), None);
    }

    #[test]
    fn a_refusal_is_about_its_name_or_its_address() {
        let mut one = denial("a.test", 1, 0);
        one.sni = Some("b.test".into());
        assert_eq!(one.about(), "b.test");
        (one.sni, one.host, one.dst, one.dport) = (None, None, "192.0.2.7".parse().ok(), Some(80));
        assert_eq!(one.about(), "192.0.2.7 port 80");
        one.dst = None;
        assert_eq!(one.about(), "something");
    }
}
