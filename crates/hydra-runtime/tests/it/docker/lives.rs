//! Jobs from their start to their removal: the contract, adoption, stops, several at once.

use super::{Yard, docker, ended, exit, image, output, ready, runtime, status};
use crate::bench::Bench;
use futures_util::future::join_all;
use hydra_core::{
    contract::runtime::suite,
    job::{InputFile, Network, RuntimeStatus},
    ports::{Runtime, RuntimeErrorKind, Selector, Started},
};
use std::time::Duration;

/// The suite's jobs bear the same names whoever runs it: one at a time.
static SUITE: tokio::sync::Mutex<()> = tokio::sync::Mutex::const_new(());

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs docker"]
async fn it_keeps_the_contract() {
    let _alone = SUITE.lock().await;
    let bench =
        Bench { first: runtime("suite"), second: runtime("suite"), stranger: runtime("stranger"), image: image() };
    assert_eq!(suite(&bench).await, Ok(()));
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs docker"]
async fn the_suite_sees_when_orchestrators_do_not_know_each_other() {
    let _alone = SUITE.lock().await;
    let bench = Bench { first: runtime("one"), second: runtime("another"), stranger: runtime("one"), image: image() };
    let broken: Vec<&str> = suite(&bench).await.unwrap_err().iter().map(|violation| violation.check).collect();
    for check in [
        "starts at the same time make one job",
        "another orchestrator adopts what runs",
        "another installation's job is left alone and told apart",
    ] {
        assert!(broken.contains(&check), "{check:?} in {broken:?}");
    }
}

#[tokio::test]
#[ignore = "needs docker"]
async fn a_job_outlives_its_orchestrator_and_the_next_one_adopts_it() {
    let mut yard = Yard::new();
    let spec = yard.job("echo ready; while [ ! -f /workspace/go ]; do sleep 0.1; done; echo done > \"$1/result.json\"");
    let first = runtime(&yard.instance);
    assert_eq!(first.start(&spec).await, Ok(Started::New));
    ready(&first, &spec).await;
    drop(first);
    let next = runtime(&yard.instance);
    assert_eq!(next.start(&spec).await, Ok(Started::Adopted));
    let seen = next.list(&Selector::Mine).await.unwrap().pop().unwrap();
    assert_eq!((seen.key.as_ref(), &seen.status), (Some(&spec.key), &RuntimeStatus::Running));
    // Under the same name another specification is another job: it is left as it is.
    let mut other = spec.clone();
    other.inputs.insert("prompt.md".to_owned(), InputFile::Bytes(b"something else".to_vec()));
    let conflict = next.start(&other).await.unwrap_err();
    assert_eq!(conflict.kind, RuntimeErrorKind::Conflict);
    assert!(conflict.message.contains("another specification"), "{conflict}");
    assert_eq!(runtime("stranger").start(&spec).await.unwrap_err().kind, RuntimeErrorKind::Conflict);
    assert_eq!(status(&next, &spec).await, Some(RuntimeStatus::Running));
    docker(&["exec", spec.key.id().as_str(), "touch", "/workspace/go"]);
    assert_eq!(exit(&next, &spec).await, (0, false));
    assert_eq!(output(&next, &spec).await, ["ready"]);
    let collected = next.collect(&spec.key.id(), 100).await.unwrap();
    assert_eq!(collected.files["result.json"], b"done\n");
    yard.clear().await;
}

#[tokio::test]
#[ignore = "needs docker"]
async fn a_stop_asks_and_a_sleeper_is_woken_up_to_hear_it() {
    let mut yard = Yard::new();
    let spec = yard.job("trap 'echo asked > \"$1/why\"; exit 5' INT; echo ready; while :; do sleep 0.1; done");
    yard.runtime.start(&spec).await.unwrap();
    ready(&yard.runtime, &spec).await;
    docker(&["pause", spec.key.id().as_str()]);
    assert_eq!(status(&yard.runtime, &spec).await, Some(RuntimeStatus::Running));
    yard.runtime.stop(&spec.key.id(), Duration::from_secs(60)).await.unwrap();
    assert_eq!(exit(&yard.runtime, &spec).await, (5, false));
    assert_eq!(yard.runtime.collect(&spec.key.id(), 100).await.unwrap().files["why"], b"asked\n");
    yard.clear().await;
}

#[tokio::test]
#[ignore = "needs docker"]
async fn a_stop_kills_what_does_not_end_when_asked() {
    let mut yard = Yard::new();
    let spec = yard.job("trap '' INT; echo ready; while :; do sleep 0.1; done");
    yard.runtime.start(&spec).await.unwrap();
    ready(&yard.runtime, &spec).await;
    let begun = std::time::Instant::now();
    yard.runtime.stop(&spec.key.id(), Duration::from_secs(1)).await.unwrap();
    assert!(begun.elapsed() >= Duration::from_secs(1), "it is given its grace");
    assert_eq!(exit(&yard.runtime, &spec).await, (137, false));
    yard.clear().await;
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs docker"]
async fn five_at_once_find_one_network_between_them() {
    let mut yard = Yard::new();
    let network = format!("{}-net", yard.instance);
    let mut specs = Vec::new();
    for number in 0..5 {
        let mut spec = yard.job(&format!("echo {number}"));
        spec.network = Network::Named(network.clone());
        specs.push(spec);
    }
    // Each with an orchestrator of its own, as after a crowd of cron lines.
    let started = join_all(specs.iter().map(|spec| {
        let own = runtime(&yard.instance);
        async move { own.start(spec).await }
    }))
    .await;
    assert_eq!(started, vec![Ok(Started::New); 5]);
    for (number, spec) in specs.iter().enumerate() {
        assert_eq!(exit(&yard.runtime, spec).await, (0, false));
        assert_eq!(output(&yard.runtime, spec).await, [number.to_string()]);
    }
    let networks =
        docker(&["network", "ls", "--filter", &format!("name=^{network}$"), "--format", "{{.Name}} {{.Driver}}"]);
    assert_eq!(networks, format!("{network} bridge"), "exactly one");
    yard.clear().await;
    docker(&["network", "rm", &network]);
}

#[tokio::test]
#[ignore = "needs docker"]
async fn a_job_that_ends_at_once_is_not_missed() {
    let mut yard = Yard::new();
    for code in 0..3 {
        let spec = yard.job(&format!("exit {code}"));
        yard.runtime.start(&spec).await.unwrap();
        assert!(matches!(ended(&yard.runtime, &spec).await, RuntimeStatus::Exited { code: seen, .. } if seen == code));
    }
    yard.clear().await;
}
