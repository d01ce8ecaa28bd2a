//! A container engine that is not there or too old, images that are not there or of another ID, a lock file that is none.

use super::{Writes, refused_at};
use crate::stage::Stage;
use std::{
    io::{BufRead, BufReader, Write},
    os::unix::net::UnixListener,
};

/// A team whose agents run in containers of the engine behind this socket.
fn team(socket: &str) -> Stage {
    let stage = Stage::happy();
    let socket = stage.sandbox.work(socket).display().to_string();
    stage.edit("kind = \"process\"", &format!("kind = \"docker\"\nsocket = {socket:?}\nimage_lock = \"lock.json\""));
    let pin = format!("sha256:{}", "0".repeat(64));
    lock(&stage, &["builder", "reviewer", "security", "applier"].map(|name| (name, pin.as_str())));
    stage
}

fn lock(stage: &Stage, images: &[(&str, &str)]) {
    let images: serde_json::Map<String, serde_json::Value> =
        images.iter().map(|(name, pin)| (format!("hydra-{name}"), serde_json::json!({ "id": pin }))).collect();
    stage.sandbox.write("lock.json", serde_json::json!({ "schema": 1, "images": images }).to_string());
}

/// What poll, supervise and dev-run say alike, and what doctor says of it.
fn refused(stage: &Stage, check: &str) -> String {
    let dev = ["dev-run", "build", "--repo", crate::stage::REPO, "--change", "add-word-limit"];
    let commands: [&[&str]; 3] = [&["poll"], &["supervise"], &dev];
    let said = commands.map(|args| {
        refused_at(stage, Writes::State, args).replace(&*stage.sandbox.work("").to_string_lossy(), "[work]/")
    });
    for other in &said[1..] {
        assert_eq!(other, &said[0]);
    }
    let doctor = stage.sandbox.run(&["doctor"]);
    let failed = doctor.out.lines().any(|line| line.trim_start().starts_with("FAIL") && line.contains(check));
    assert!(doctor.code == 1 && failed, "{}", doctor.all());
    said[0].clone()
}

#[test]
fn an_engine_that_is_not_there() {
    let stage = team("gone.sock");
    insta::assert_snapshot!(refused(&stage, "docker engine"), @r##"
exit 6
error: cannot ask the engine at [work]/gone.sock: there is no Docker socket
  help: start Docker (`systemctl start docker`), or name its socket with runtime.socket or DOCKER_HOST
"##);
}

#[test]
fn an_engine_that_is_too_old() {
    let stage = team("old.sock");
    let listener = UnixListener::bind(stage.sandbox.work("old.sock")).unwrap();
    // It ends with the test's process; nobody waits for it.
    std::thread::spawn(move || {
        for mut stream in listener.incoming().flatten() {
            let mut lines = BufReader::new(stream.try_clone().unwrap()).lines();
            while lines.next().is_some_and(|line| line.is_ok_and(|line| !line.is_empty())) {}
            let body = r#"{"Version":"19.03.1","ApiVersion":"1.40","MinAPIVersion":"1.12"}"#;
            let head = format!("HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: {}", body.len());
            // The one who asked may have gone away.
            let _ = write!(stream, "{head}\r\nConnection: close\r\n\r\n{body}");
        }
    });
    insta::assert_snapshot!(refused(&stage, "docker engine"), @r##"
exit 6
error: Docker Engine 19.03.1 speaks API 1.12 to 1.40, and Hydra 1.41 to 1.53: they have none in common
  help: install Docker Engine 20.10 or newer
"##);
}

#[test]
fn a_lock_file_that_is_none() {
    let stage = team("gone.sock");
    std::fs::remove_file(stage.sandbox.work("lock.json")).unwrap();
    insta::assert_snapshot!(refused_at(&stage, Writes::State, &["poll"]).replace(&*stage.sandbox.work("").to_string_lossy(), "[work]/"), @r##"
exit 7
error: [work]/lock.json cannot be read: it is not there
  help: `cargo xtask images` in Hydra's checkout builds the images and writes it there; where this installation lies elsewhere, name that file with runtime.image_lock
"##);
    for (text, part) in [
        ("", "is not a lock file of images"),
        ("[]", "is not a lock file of images"),
        ("{\"images\": 3}", "is not a lock file of images"),
        ("{\"images\": {\"hydra-builder\": \"latest\"}}", "does not pin the image hydra-builder"),
    ] {
        stage.sandbox.write("lock.json", text);
        let said = refused_at(&stage, Writes::State, &["poll"]);
        assert!(said.contains(part) && said.contains("cargo xtask images"), "{text}: {said}");
    }
}

#[test]
#[ignore = "needs docker"]
fn an_image_that_is_not_there() {
    let stage = team("/var/run/docker.sock");
    stage.edit("image_lock", "image_tag = \"of-another-year\"\nimage_lock");
    let said = refused(&stage, "image ");
    assert!(
        said.contains("hydra-builder:of-another-year (sha256:")
            && said.contains("is not there")
            && said.contains("cargo xtask images"),
        "{said}"
    );
}

#[test]
#[ignore = "needs docker, images"]
fn an_image_of_another_id() {
    let stage = team("/var/run/docker.sock");
    let said = refused(&stage, "image ");
    assert!(said.contains("is pinned"), "{said}");
}
