//! `hydra doctor` on the real engine: what it says of leftovers, networks, images and fences that are not as they should be.

use crate::{
    docker::{docker, images_that_are_here, left},
    doctor::{said, steady},
    harness::Ran,
    stage::Stage,
};
use insta::assert_snapshot;
use std::{
    io::{Read, Write},
    os::unix::net::{UnixListener, UnixStream},
    thread::spawn,
};

const SOCKET: &str = "/var/run/docker.sock";

/// A team of this name whose jobs are containers of the images that are here, and what else `[runtime]` says.
fn team(instance: &str, more: &str) -> Stage {
    let stage = Stage::happy();
    images_that_are_here(&stage.sandbox);
    stage.edit("instance = \"test\"", &format!("instance = {:?}", own(instance)));
    stage.edit("kind = \"process\"", &format!("kind = \"docker\"\n{more}"));
    stage
}

/// A name that no other process on this engine uses.
fn own(instance: &str) -> String {
    format!("{instance}-{}", std::process::id())
}

fn doctor(stage: &Stage) -> Ran {
    stage.sandbox.run(&["doctor", "--offline"])
}

/// Changes a pin of the lock file.
fn pin(stage: &Stage, image: &str, pin: Option<&str>) {
    let mut lock: serde_json::Value = serde_json::from_str(&stage.sandbox.read("target/images.lock.json")).unwrap();
    let images = lock["images"].as_object_mut().unwrap();
    match pin {
        Some(pin) => _ = images.insert(image.to_owned(), serde_json::json!({ "id": pin })),
        None => _ = images.remove(image),
    }
    stage.sandbox.write("target/images.lock.json", lock.to_string());
}

#[test]
#[ignore = "needs docker, images"]
fn containers_that_nobody_owns_are_named_and_pruned() {
    let stage = team("leftovers", "");
    let issue = serde_json::json!({ "repo": crate::stage::REPO, "number": std::process::id() });
    let key = serde_json::json!({ "issue": issue, "generation": 1, "stage": "build", "round": 0, "attempt": 0 });
    let key: hydra_core::job::JobKey = serde_json::from_value(key).unwrap();
    let (name, labels) = (key.id().to_string(), format!("hydra.key={}", serde_json::to_string(&key).unwrap()));
    let instance = format!("hydra.instance={}", own("leftovers"));
    docker(&["create", "--name", &name, "--label", &instance, "--label", &labels, "hydra-builder"]);
    let ran = doctor(&stage);
    let told = said(&ran, "warn", "containers").replace(&name, "[job]");
    let pruned = stage.sandbox.run(&["prune"]);
    // Whatever was said, nothing is left of it.
    let gone = left(&own("leftovers"));
    if !gone.is_empty() {
        docker(&["rm", "--force", &name]);
    }
    assert_eq!((gone.as_str(), pruned.code), ("", 0), "{}", pruned.all());
    assert_snapshot!(steady(&told), @r##"
warn containers N running, N ended and not yet judged or removed: [job]
-> `hydra poll` judges what belongs to an issue; `hydra prune` removes what nobody owns
"##);
    assert!(pruned.out.contains(&format!("removed  {name}  its issue is not there any more")), "{}", pruned.all());
    assert!(said(&doctor(&stage), "ok", "containers").contains(" 0 running"));
}

#[test]
#[ignore = "needs docker, images"]
fn a_network_that_jobs_cannot_use() {
    // One that is there already, as an engine tells of it whose kernel has such a driver, and those that every engine has.
    let name = format!("hydra-wrong-{}", std::process::id());
    docker(&["network", "create", &name]);
    let stage = team("networks", &format!("network = {name:?}\nsocket = \"SOCKET\""));
    behind(&stage, b"\"Driver\":\"bridge\"", b"\"Driver\":\"ipvlan\"");
    let ran = doctor(&stage);
    docker(&["network", "rm", &name]);
    assert_snapshot!(said(&ran, "FAIL", &format!("network {name}")).replace(&name, "[network]"), @r##"
FAIL network [network] its driver is ipvlan, and jobs need a bridge of this machine
-> docker network rm [network]: the next job makes it anew; or name another with runtime.network
"##);
    for predefined in ["host", "none"] {
        let ran = doctor(&team("networks", &format!("network = {predefined:?}")));
        let told = said(&ran, "FAIL", &format!("network {predefined}"));
        assert!(told.contains("-> name another with runtime.network"), "{told}");
    }
    docker(&["network", "create", "--internal", &name]);
    let ran = doctor(&team("networks", &format!("network = {name:?}")));
    docker(&["network", "rm", &name]);
    assert_snapshot!(said(&ran, "warn", &format!("network {name}")).replace(&name, "[network]"), @r##"
warn network [network] it is internal: nothing but what stands on it is reached through it, no model API and no registry of the internet
-> if that is not meant: docker network rm [network], and the next job makes it anew
"##);
    // Made by the first job.
    let stage = team("networks", &format!("network = {name:?}"));
    let ran = doctor(&stage);
    assert_snapshot!(said(&ran, "ok", &format!("network {name}")).replace(&name, "[network]"), @r##"
ok network [network] it is not there yet; the first job makes it
"##);
    // The proof of the fence was a job.
    docker(&["network", "rm", &name]);
    assert_eq!(left(&own("networks")), "");
}

#[test]
#[ignore = "needs docker, images"]
fn an_image_without_a_fence_is_found_out() {
    let stage = team("unfenced", "");
    let gate = docker(&["image", "inspect", "--format", "{{.Id}}", "hydra-gate"]);
    pin(&stage, "hydra-builder", Some(gate.trim()));
    stage.edit("kind = \"docker\"", "kind = \"docker\"\nimage_tag = \"latest\"\nimage_prefix = \"\"");
    let ran = doctor(&stage);
    assert_snapshot!(steady(&said(&ran, "FAIL", "egress isolated")), @r##"
FAIL egress isolated after step gate: the wrapper ended with N: -V, --version Print version
-> each job would be refused: the kernel needs nf_tables and nfnetlink_log, and the engine NET_ADMIN
"##);
    assert_eq!(left(&own("unfenced")), "");
}

#[test]
#[ignore = "needs docker, images"]
fn images_that_are_not_pinned_or_not_there() {
    let stage = team("pins", "");
    pin(&stage, "hydra-gate", None);
    let lock = stage.sandbox.work("target/images.lock.json").display().to_string();
    assert_snapshot!(said(&doctor(&stage), "FAIL", "egress isolated").replace(&lock, "[lock]"), @r##"
FAIL egress isolated [work]/target/images.lock.json does not pin the image hydra-gate (build the images with `cargo xtask images`, or set egress.mode = "in-container")
-> mend the images first: `cargo xtask images`
"##);
    pin(&stage, "hydra-builder", None);
    let ran = doctor(&stage);
    assert_snapshot!(said(&ran, "FAIL", "images").replace(&lock, "[lock]"), @r##"
FAIL images [work]/target/images.lock.json does not pin the image hydra-builder
-> build the images with `cargo xtask images`, or add the digest of the one you pull
"##);
    assert_snapshot!(said(&ran, "FAIL", "egress isolated"), @r##"
FAIL egress isolated without the builder's image it cannot be proved
-> mend the images first
"##);
    let nothing = format!("sha256:{}", "0".repeat(64));
    let more = format!(
        "toolchains = {{ rust = {nothing:?} }}\nservices = {{ db = {{ image = \"postgres\", pin = {nothing:?}, port = 5432 }} }}"
    );
    let ran = doctor(&team("pins", &more));
    assert_snapshot!(steady(&said(&ran, "FAIL", "toolchain")), @r##"
FAIL toolchain the image rust (shaN:N) is not there
-> build the images with `cargo xtask images`, or pull the one that the lock file pins
"##);
    assert_snapshot!(steady(&said(&ran, "FAIL", "side service")), @r##"
FAIL side service the image postgres (shaN:N) is not there
-> build the images with `cargo xtask images`, or pull the one that the lock file pins
"##);
    assert_eq!(left(&own("pins")), "");
}

#[test]
#[ignore = "needs docker, images"]
fn the_fence_of_the_agents_own_container_is_proved_and_what_it_does_not_hold_is_said() {
    let stage = team("inside", "");
    stage.edit("[pipeline]\n", "[egress]\nmode = \"in-container\"\n[credentials]\nmodel = \"env\"\n[pipeline]\n");
    let ran = doctor(&stage);
    assert!(said(&ran, "ok", "egress in-container").contains("proved in "), "{}", ran.all());
    let told = said(&ran, "warn", "egress: not held");
    assert!(told.contains("37: a credential") && told.contains("-> egress.mode = \"isolated\" holds them"), "{told}");
    assert_eq!((ran.code, left(&own("inside")).as_str()), (0, ""), "{}", ran.all());
}

/// What the engine says of itself, and what one says whose kernel does not count swap. The two are of one length.
const MAY_NOT_SWAP: &[u8; 36] = b"\"MemoryLimit\":true,\"SwapLimit\":true,";
const MAY_SWAP: &[u8; 36] = b"\"Memory\":true,    \"SwapLimit\":false,";

/// Hands on what it reads; one text becomes another of the same length.
fn retell(mut from: UnixStream, mut to: UnixStream, old: &[u8], new: &[u8]) {
    let mut bytes = [0; 65_536];
    while let Ok(count @ 1..) = from.read(&mut bytes) {
        for at in 0..count.saturating_sub(old.len()) {
            if bytes[at..].starts_with(old) {
                bytes[at..][..new.len()].copy_from_slice(new);
            }
        }
        if to.write_all(&bytes[..count]).is_err() {
            break;
        }
    }
}

/// Puts a socket before the engine's, at which the engine tells one thing as another.
fn behind<const N: usize>(stage: &Stage, old: &'static [u8; N], new: &'static [u8; N]) {
    let socket = stage.sandbox.work("engine.sock");
    stage.edit("SOCKET", &socket.display().to_string());
    let listener = UnixListener::bind(&socket).unwrap();
    // They end with the test's process; nobody waits for them.
    spawn(move || {
        for client in listener.incoming().flatten() {
            let server = UnixStream::connect(SOCKET).unwrap();
            let (mut asking, mut asked) = (client.try_clone().unwrap(), server.try_clone().unwrap());
            spawn(move || std::io::copy(&mut asking, &mut asked));
            spawn(move || retell(server, client, old, new));
        }
    });
}

#[test]
#[ignore = "needs docker, images"]
fn an_engine_that_lets_jobs_swap() {
    let stage = team("swaps", "socket = \"SOCKET\"");
    behind(&stage, MAY_NOT_SWAP, MAY_SWAP);
    let ran = doctor(&stage);
    assert_snapshot!(steady(&said(&ran, "warn", "docker engine")), @r##"
warn docker engine it cannot keep containers from swapping, so a job may use twice its memory
-> boot the kernel with swapaccount=N, or turn swap off
"##);
    assert_eq!(left(&own("swaps")), "");
}
