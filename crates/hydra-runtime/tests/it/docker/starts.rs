//! Many jobs one after another and several at a time, ended in every way there is: nothing of them may be left. A leak of one in a hundred
//! shows in a thousand: so many at night, a few in CI.

use super::{Yard, docker, exit, output, ready, status};
use futures_util::{StreamExt, stream};
use hydra_core::{
    job::{JobSpec, Network, RuntimeStatus},
    ports::{Runtime, Started},
};
use std::time::Duration;

const AT_ONCE: usize = 4;

/// How a job comes to its end.
#[derive(Debug, Clone, Copy)]
enum Way {
    Well,
    Badly,
    Stopped,
    Killed,
    /// Removed while it runs.
    TakenAway,
}

const WAYS: [Way; 5] = [Way::Well, Way::Badly, Way::Stopped, Way::Killed, Way::TakenAway];

fn script(way: Way) -> &'static str {
    match way {
        Way::Well => "echo fine; echo x > \"$1/x\"",
        Way::Badly => "echo bad >&2; exit 3",
        Way::Stopped => "trap 'exit 5' INT; echo ready; while :; do sleep 0.05; done",
        Way::Killed => "trap '' INT; echo ready; while :; do sleep 0.05; done",
        Way::TakenAway => "echo ready; exec sleep 600",
    }
}

async fn live(runtime: &dyn Runtime, spec: &JobSpec, way: Way) {
    let id = spec.key.id();
    assert_eq!(runtime.start(spec).await, Ok(Started::New), "{way:?}");
    match way {
        Way::Well => {
            assert_eq!(exit(runtime, spec).await, (0, false));
            assert_eq!(output(runtime, spec).await, ["fine"]);
            assert_eq!(runtime.collect(&id, 10).await.unwrap().files["x"], b"x\n");
        }
        Way::Badly => assert_eq!(exit(runtime, spec).await, (3, false)),
        Way::Stopped => {
            ready(runtime, spec).await;
            runtime.stop(&id, Duration::from_secs(60)).await.unwrap();
            assert_eq!(exit(runtime, spec).await, (5, false));
        }
        Way::Killed => {
            ready(runtime, spec).await;
            runtime.stop(&id, Duration::ZERO).await.unwrap();
            assert_eq!(exit(runtime, spec).await, (137, false));
        }
        Way::TakenAway => {
            ready(runtime, spec).await;
            assert_eq!(status(runtime, spec).await, Some(RuntimeStatus::Running));
        }
    }
    runtime.remove(&id).await.unwrap();
    assert_eq!(status(runtime, spec).await, None, "{way:?}");
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs docker"]
async fn of_many_jobs_no_container_no_volume_and_no_network_is_left() {
    let starts = if std::env::var_os("HYDRA_NIGHTLY").is_some() { 1_000 } else { 30 };
    let mut yard = Yard::new();
    let network = format!("{}-net", yard.instance);
    let jobs: Vec<(JobSpec, Way)> = (0..starts)
        .zip(WAYS.into_iter().cycle())
        .map(|(_, way)| {
            let mut spec = yard.job(script(way));
            spec.network = Network::Named(network.clone());
            (spec, way)
        })
        .collect();
    let lives = jobs.iter().map(|(spec, way)| live(&yard.runtime, spec, *way));
    stream::iter(lives).buffer_unordered(AT_ONCE).collect::<Vec<()>>().await;
    assert_eq!(yard.left(), "", "after {starts} starts");
    // Nothing stands on the network, and there is one of it.
    let found = docker(&["network", "ls", "--no-trunc", "-q", "--filter", &format!("name=^{network}$")]);
    assert_eq!(found.lines().count(), 1, "{found}");
    assert_eq!(docker(&["network", "inspect", "-f", "{{len .Containers}}", &network]), "0");
    docker(&["network", "rm", &network]);
    // What bears no label of ours would still bear the name of a job.
    let (containers, volumes) = (docker(&["ps", "-a", "--format", "{{.Names}}"]), docker(&["volume", "ls", "-q"]));
    for (spec, way) in &jobs {
        let id = spec.key.id();
        assert!(!containers.contains(id.as_str()) && !volumes.contains(id.as_str()), "{way:?} left something: {id}");
    }
    println!("{starts} jobs started, ended in {} ways, removed: nothing is left", WAYS.len());
    yard.clear().await;
}
