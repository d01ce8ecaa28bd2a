//! An engine that does something else than it is asked for: before the real one stands a proxy that changes requests for containers.

use hydra_runtime::{DockerConfig, DockerRuntime};
use serde_json::Value;
use std::{path::PathBuf, sync::Arc};
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::{UnixListener, UnixStream},
    task::JoinSet,
};

/// Changes what is asked for of a container: the part that it is in a fence (empty for others), and the request's body.
pub(super) type Change = dyn Fn(&str, &mut Value) + Send + Sync;

pub(super) struct EngineProxy {
    socket: PathBuf,
    _dir: tempfile::TempDir,
    _tasks: JoinSet<()>,
}

impl EngineProxy {
    pub(super) fn new(change: impl Fn(&str, &mut Value) + Send + Sync + 'static) -> Self {
        let dir = tempfile::tempdir().unwrap();
        let socket = dir.path().join("engine.sock");
        let listener = UnixListener::bind(&socket).unwrap();
        let change: Arc<Change> = Arc::new(change);
        let mut tasks = JoinSet::new();
        tasks.spawn(async move {
            let mut open = JoinSet::new();
            while let Ok((stream, _)) = listener.accept().await {
                open.spawn(pass(stream, Arc::clone(&change)));
            }
        });
        Self { socket, _dir: dir, _tasks: tasks }
    }

    /// What an orchestrator of this installation sees.
    pub(super) fn runtime(&self, instance: &str) -> DockerRuntime {
        DockerRuntime::new(DockerConfig { socket: self.socket.clone(), instance: instance.to_owned() })
    }
}

/// One connection is one request: the runtime keeps none open.
async fn pass(mut client: UnixStream, change: Arc<Change>) {
    let (mut read, mut piece) = (Vec::new(), [0; 4096]);
    let end = loop {
        if let Some(end) = read.windows(4).position(|four| four == b"\r\n\r\n") {
            break end + 4;
        }
        match client.read(&mut piece).await {
            Ok(length) if length > 0 => read.extend_from_slice(&piece[..length]),
            _ => return,
        }
    };
    let head = String::from_utf8(read[..end].to_vec()).unwrap();
    if head.starts_with("POST ") && head.lines().next().is_some_and(|line| line.contains("/containers/create")) {
        let header = head.lines().find(|line| line.to_ascii_lowercase().starts_with("content-length:")).unwrap();
        let length: usize = header.split(':').nth(1).unwrap().trim().parse().unwrap();
        let mut body = read.split_off(end);
        while body.len() < length {
            let got = client.read(&mut piece).await.unwrap();
            assert!(got > 0, "a request that breaks off");
            body.extend_from_slice(&piece[..got]);
        }
        let mut asked: Value = serde_json::from_slice(&body).unwrap();
        let role = asked["Labels"]["hydra.role"].as_str().unwrap_or_default().to_owned();
        change(&role, &mut asked);
        let body = asked.to_string();
        read = format!("{}{body}", head.replace(header, &format!("content-length: {}", body.len()))).into_bytes();
    }
    let Ok(mut engine) = UnixStream::connect(super::SOCKET).await else { return };
    if engine.write_all(&read).await.is_ok() {
        _ = tokio::io::copy_bidirectional(&mut client, &mut engine).await;
    }
}
