//! Images by digest: a registry of the test's own on loopback, from which the engine pulls, and jobs that are started by what it pulled.

use super::{Yard, docker, exit, output};
use hydra_core::{
    digest::sha256_hex,
    job::ImageRef,
    ports::{Runtime as _, RuntimeErrorKind},
};
use serde_json::{Value, json};
use std::{
    collections::BTreeMap,
    io::{BufRead as _, BufReader, Read as _, Write as _},
    net::{SocketAddr, TcpListener, TcpStream},
    process::{Command, Stdio},
    sync::{Arc, Mutex},
    thread,
};

const MANIFEST: &str = "application/vnd.docker.distribution.manifest.v2+json";
const CONFIG: &str = "application/vnd.docker.container.image.v1+json";
const LAYER: &str = "application/vnd.docker.image.rootfs.diff.tar.gzip";

/// What is below `/v2/`, by path: the kind, the digest, and the bytes.
type Held = Arc<Mutex<BTreeMap<String, (&'static str, String, Arc<Vec<u8>>)>>>;

/// As much of the distribution API as a pull asks for. It ends with the test's process.
struct Registry {
    address: SocketAddr,
    held: Held,
}

impl Registry {
    fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let (address, held) = (listener.local_addr().unwrap(), Held::default());
        let served = Arc::clone(&held);
        thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                let held = Arc::clone(&served);
                thread::spawn(move || answer(&stream, &held));
            }
        });
        Self { address, held }
    }

    /// Lays an image of the engine down under a tag; `name@sha256:…` of it.
    fn hold(&self, image: &str, repository: &str, tag: &str) -> String {
        let mut files = saved(image);
        let list: Value = serde_json::from_slice(&files["manifest.json"]).unwrap();
        let mut blob = |path: &Value, kind: &'static str| {
            let bytes = files.remove(path.as_str().unwrap()).unwrap();
            let digest = format!("sha256:{}", sha256_hex(&bytes));
            let described = json!({ "mediaType": kind, "size": bytes.len(), "digest": digest });
            let at = format!("{repository}/blobs/{digest}");
            self.held.lock().unwrap().insert(at, ("application/octet-stream", digest, Arc::new(bytes)));
            described
        };
        let config = blob(&list[0]["Config"], CONFIG);
        let layers: Vec<Value> = list[0]["Layers"].as_array().unwrap().iter().map(|path| blob(path, LAYER)).collect();
        let manifest = json!({ "schemaVersion": 2, "mediaType": MANIFEST, "config": config, "layers": layers });
        let bytes = Arc::new(manifest.to_string().into_bytes());
        let digest = format!("sha256:{}", sha256_hex(&bytes));
        for reference in [tag, &digest] {
            let at = format!("{repository}/manifests/{reference}");
            self.held.lock().unwrap().insert(at, (MANIFEST, digest.clone(), Arc::clone(&bytes)));
        }
        format!("{}/{repository}@{digest}", self.address)
    }
}

/// The files of `docker save`.
fn saved(image: &str) -> BTreeMap<String, Vec<u8>> {
    let mut child = Command::new("docker").args(["save", image]).stdout(Stdio::piped()).spawn().unwrap();
    let mut archive = tar::Archive::new(child.stdout.take().unwrap());
    let mut files = BTreeMap::new();
    for entry in archive.entries().unwrap() {
        let mut entry = entry.unwrap();
        let (path, mut bytes) = (entry.path().unwrap().display().to_string(), Vec::new());
        entry.read_to_end(&mut bytes).unwrap();
        files.insert(path, bytes);
    }
    assert!(child.wait().unwrap().success());
    files
}

/// One request; whoever speaks TLS is hung up on, and comes again without.
fn answer(mut stream: &TcpStream, held: &Held) {
    let mut lines = BufReader::new(stream).lines();
    let Some(Ok(first)) = lines.next() else { return };
    while lines.next().is_some_and(|line| line.is_ok_and(|line| !line.is_empty())) {}
    let mut words = first.split(' ');
    let (method, path) = (words.next().unwrap_or_default(), words.next().unwrap_or_default());
    let found = held.lock().unwrap().get(path.trim_start_matches("/v2/")).cloned();
    let (status, kind, digest, body) = match found {
        Some((kind, digest, body)) => ("200 OK", kind, digest, body),
        None if path == "/v2/" => ("200 OK", "application/json", String::new(), Arc::new(b"{}".to_vec())),
        None => ("404 Not Found", "application/json", String::new(), Arc::new(b"{\"errors\":[]}".to_vec())),
    };
    let head = format!(
        "HTTP/1.1 {status}\r\nContent-Type: {kind}\r\nContent-Length: {}\r\nDocker-Content-Digest: {digest}\r\n\
         Docker-Distribution-Api-Version: registry/2.0\r\nConnection: close\r\n\r\n",
        body.len()
    );
    // Who hangs up in between asks again.
    _ = stream.write_all(head.as_bytes());
    if method == "GET" {
        _ = stream.write_all(&body);
    }
}

/// The tiny image, saying something of its own.
fn saying(yard: &Yard, word: &str) -> String {
    let name = format!("{}-{word}", yard.instance);
    docker(&["create", "--name", &name, super::image::busybox()]);
    let id = docker(&["commit", "--change", &format!("ENV WORD={word}"), &name]);
    docker(&["rm", &name]);
    id
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs docker"]
async fn an_image_by_digest_is_that_very_one_and_one_that_was_not_pulled_is_refused() {
    let mut yard = Yard::new();
    let registry = Registry::start();
    let (first, second) = (saying(&yard, "first"), saying(&yard, "second"));
    let tag = format!("{}/team/agent:1", registry.address);
    let of_first = registry.hold(&first, "team/agent", "1");
    docker(&["pull", "--quiet", &tag]);
    // The tag moves on in the registry, not here: what it leads to now was never pulled.
    let of_second = registry.hold(&second, "team/agent", "1");
    assert_ne!(of_first, of_second);
    let by = |yard: &mut Yard, name: &str, pin: &str| {
        let mut spec = yard.job("echo $WORD");
        spec.image = ImageRef { name: name.to_owned(), pin: pin.to_owned() };
        spec
    };
    let told = format!("the image {tag} is {first} here, and {of_second} is pinned");
    for (name, told) in [(tag.as_str(), told), ("agent", format!("the image agent ({of_second}) is not there"))] {
        let spec = by(&mut yard, name, &of_second);
        let error = yard.runtime.start(&spec).await.unwrap_err();
        assert_eq!((error.kind, error.message), (RuntimeErrorKind::Image, told));
        assert!(error.hint.as_deref().is_some_and(|hint| hint.contains("pull the one that the lock file pins")));
    }
    assert_eq!(yard.left(), "");

    // Pulled, each is started by its own digest, whatever the tag leads to by now.
    docker(&["pull", "--quiet", &tag]);
    for (word, pin, id) in [("first", &of_first, &first), ("second", &of_second, &second)] {
        let spec = by(&mut yard, &tag, pin);
        yard.runtime.start(&spec).await.unwrap();
        assert_eq!(exit(&yard.runtime, &spec).await, (0, false));
        assert_eq!(output(&yard.runtime, &spec).await, [word]);
        assert_eq!(docker(&["inspect", "-f", "{{.Image}}", spec.key.id().as_str()]), *id);
    }
    yard.clear().await;
    docker(&["rmi", "-f", &first, &second]);
}
