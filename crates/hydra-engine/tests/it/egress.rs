//! What the gate of a job refuses: told while the job runs, kept and audited once at its end.

use crate::world::{World, key, well};
use hydra_core::{
    ContainerType, Timestamp,
    egress::{
        DenyReason,
        gate::{Denial, GateLine},
    },
};
use hydra_engine::{Happening, Observer, egress_note, status::RefusedFacts, store::StateDir};
use std::sync::{Arc, Mutex};

fn denial(host: &str, second: i64) -> Denial {
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
        proto: None,
        uid: None,
        count: 1,
        bytes: 0,
        hint: String::new(),
    }
}

/// Hears refusals, and looks at what is kept at that very moment; and gates that came back.
struct Ear {
    state: StateDir,
    back: Mutex<Vec<u32>>,
    heard: Mutex<Vec<(String, bool)>>,
}

impl Observer for Ear {
    fn saw(&self, happening: &Happening) {
        if let Happening::GateBack { times, .. } = happening {
            self.back.lock().unwrap().push(*times);
        }
        if let Happening::Refused { key, refused } = happening {
            let note = egress_note::read(&self.state, &key.id()).unwrap().unwrap();
            assert_eq!(note.refused().as_ref(), Some(refused));
            self.heard.lock().unwrap().push((refused.to_string(), note.ended_at.is_none()));
        }
    }
}

#[tokio::test(start_paused = true)]
async fn refusals_and_a_gate_that_came_back_are_told_while_a_job_runs_and_audited_at_its_end() {
    let world = World::new(well);
    let ready = GateLine::Ready { v: 1, policy: "p".into(), confined: Default::default() };
    let denied = |host: &str, second| GateLine::Denied(denial(host, second));
    // The first gate breaks down between the two.
    world.runtime.tell(vec![ready.clone(), denied("b.evil.test", 7), ready, denied("a.evil.test", 9)]);
    let config = world.config("1");
    let state = StateDir::open(&config.state_dir).unwrap();
    let ear = Arc::new(Ear { state: state.clone(), heard: Mutex::default(), back: Mutex::default() });
    let mut engine = world.engine_with(config).observed_by(ear.clone()).unwrap();
    world.run(&mut engine).await;

    let heard = ear.heard.lock().unwrap().clone();
    let told = "egress: 2 refused, last a.evil.test (dns.not_allowed)".to_owned();
    assert_eq!(heard, vec![(told, true); 4], "once for each job, as long as nothing changes, while it runs");

    assert_eq!(*ear.back.lock().unwrap(), [1; 4], "once for each job");

    let (notes, unread) = egress_note::read_all(&state).unwrap();
    assert_eq!((notes.len(), unread), (4, Vec::new()));
    let last = Some(RefusedFacts { times: 2, last: "a.evil.test".into(), reason: DenyReason::DnsNotAllowed });
    assert!(notes.iter().all(|note| note.refused() == last && note.ended_at.is_some()), "{notes:#?}");
    assert!(notes.iter().all(|note| note.issue == Some(key(1))));
    let audited: Vec<_> = {
        let entries = world.audit.entries.lock().unwrap();
        entries.iter().filter(|entry| !entry.facts["egress"].is_null()).cloned().collect()
    };
    assert_eq!(audited.len(), 4, "one entry for each job");
    assert_eq!(audited[0].facts["egress"]["policy"], "p");
    assert_eq!(audited[0].facts["egress"]["gate_restarts"], 1);
    assert_eq!(audited[0].facts["egress"]["denied"].as_array().unwrap().len(), 2);
}

#[tokio::test(start_paused = true)]
async fn a_job_without_a_gate_leaves_no_account() {
    let world = World::new(well);
    let config = world.config("1");
    let state = StateDir::open(&config.state_dir).unwrap();
    let mut engine = world.engine_with(config);
    world.run(&mut engine).await;
    assert_eq!(egress_note::read_all(&state).unwrap(), (Vec::new(), Vec::new()));
}
