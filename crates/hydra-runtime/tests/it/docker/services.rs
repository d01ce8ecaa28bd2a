//! Side services: beside one job, reached by it alone, behind the same fence, and gone with it.

use super::{
    Yard, docker, exit,
    gated::{closed_network, gated},
    output,
};
use hydra_core::{
    job::{ImageRef, Network, Service},
    ports::Runtime as _,
};
use std::collections::BTreeMap;

/// An image that answers each line with what its environment says, or with what it can reach itself.
fn image(yard: &Yard) -> ImageRef {
    let name = format!("{}-made", yard.instance);
    let script = "read what; echo $ANSWER; id -u; grep CapEff /proc/self/status; nc -w 1 1.1.1.1 8080 </dev/null || echo refused";
    let serve = format!(r#"ENTRYPOINT ["/bin/sh", "-c", "nc -ll -p 5432 -e /bin/sh -c '{script}'"]"#);
    docker(&["create", "--name", &name, "hydra-test-busybox:1"]);
    let pin = docker(&["commit", "--change", &serve, &name]);
    docker(&["rm", &name]);
    ImageRef { name: "service".to_owned(), pin }
}

fn service(image: &ImageRef) -> Service {
    Service {
        name: "db".into(),
        image: image.clone(),
        port: 5432,
        user: Some("65533".into()),
        env: BTreeMap::from([("ANSWER".to_owned(), "forty-two".to_owned())]),
        memory_mib: 32,
    }
}

/// One that answers nobody and only stands there.
pub(super) fn sleeper() -> Service {
    Service { name: "idle".into(), user: None, ..service(&super::image()) }
}

#[tokio::test]
#[ignore = "needs images"]
async fn a_service_stands_beside_its_job_behind_the_same_fence_and_goes_with_it() {
    let mut yard = Yard::new();
    let image = image(&yard);
    let ask = "until nc 127.0.0.1 5432 </dev/null >/dev/null; do sleep 0.1; done; echo hello | nc -w 5 127.0.0.1 5432; \
               nslookup -type=a db 1.1.1.1 | grep -c NXDOMAIN";
    let mut spec = yard.job(ask);
    let network = gated(&yard, &mut spec);
    closed_network(&network);
    let Network::Gated(gate) = &mut spec.network else { unreachable!() };
    gate.services = vec![service(&image)];
    yard.runtime.start(&spec).await.unwrap();
    assert_eq!(exit(&yard.runtime, &spec).await, (0, false));
    let said = output(&yard.runtime, &spec).await;
    assert_eq!(said, ["forty-two", "65533", "CapEff:\t0000000000000000", "refused", "1"]);
    // Whatever stands beside a job is bounded as the job is.
    let label = format!("label=hydra.instance={}", yard.instance);
    let ids = docker(&["ps", "--all", "--quiet", "--filter", &label]);
    let bounds = "{{.HostConfig.NanoCpus}} {{.HostConfig.Memory}} {{.HostConfig.PidsLimit}}";
    let all = docker(&[&["inspect", "-f", bounds], ids.split_whitespace().collect::<Vec<_>>().as_slice()].concat());
    assert!(all.lines().count() >= 5, "holder, way, gate, service and job: {all}");
    assert!(all.split_whitespace().all(|bound| bound.parse::<u64>().is_ok_and(|bound| bound > 0)), "{all}");
    // Another job on the same machine does not see it.
    let mut other = yard.job("nc -w 2 127.0.0.1 5432 </dev/null && echo reached || echo alone");
    gated(&yard, &mut other);
    yard.runtime.start(&other).await.unwrap();
    exit(&yard.runtime, &other).await;
    assert_eq!(output(&yard.runtime, &other).await, ["alone"]);
    let id = spec.key.id();
    let label = format!("label=hydra.job={id}");
    assert_eq!(docker(&["ps", "-q", "--filter", &label, "--filter", "label=hydra.role=service"]).lines().count(), 1);
    yard.runtime.remove(&id).await.unwrap();
    assert_eq!(docker(&["ps", "-aq", "--filter", &label]), "");
    yard.clear().await;
    docker(&["network", "rm", &network]);
    docker(&["image", "rm", "-f", &image.pin]);
}

#[tokio::test]
#[ignore = "needs images"]
async fn a_service_whose_image_is_not_there_refuses_the_job_and_leaves_nothing() {
    let mut yard = Yard::new();
    let mut spec = yard.job("echo never");
    let network = gated(&yard, &mut spec);
    closed_network(&network);
    let Network::Gated(gate) = &mut spec.network else { unreachable!() };
    let missing = ImageRef { name: "postgres".into(), pin: format!("sha256:{}", "0".repeat(64)) };
    gate.services = vec![service(&missing)];
    let error = yard.runtime.start(&spec).await.unwrap_err();
    assert!(error.message.contains("postgres"), "{error}");
    assert_eq!(yard.left(), "");
    yard.clear().await;
    docker(&["network", "rm", &network]);
}
