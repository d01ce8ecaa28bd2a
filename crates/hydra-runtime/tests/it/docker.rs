//! The Docker runtime: under the suite, on a real engine.

pub(crate) mod image;

use crate::bench::Bench;
use hydra_core::{contract::runtime::suite, job::ImageRef};
use hydra_runtime::{DockerConfig, DockerRuntime};

/// What an orchestrator of this installation sees. Each test has an installation of its own.
fn runtime(instance: &str) -> DockerRuntime {
    DockerRuntime::new(DockerConfig { socket: "/var/run/docker.sock".into(), instance: instance.to_owned() })
}

fn image() -> ImageRef {
    ImageRef { name: "hydra-test-busybox".to_owned(), pin: image::busybox().to_owned() }
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs docker"]
async fn it_keeps_the_contract() {
    let bench =
        Bench { first: runtime("suite"), second: runtime("suite"), stranger: runtime("stranger"), image: image() };
    assert_eq!(suite(&bench).await, Ok(()));
}
