//! A CONNECT proxy on loopback, for containers whose `/etc/hosts` cannot be written: it knows the addresses that were resolved
//! before the fence. It guards nothing: the kernel's rules do; it only stands in for the look-up that the fence has closed.

use crate::fence::Relayed;
use std::{io, net::SocketAddr, sync::Arc, time::Duration};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpStream},
    runtime::{Builder, Runtime},
    task::JoinSet,
    time::timeout,
};

/// Connections at a time.
const MAX_CONNECTIONS: usize = 256;
/// Longest request head, in bytes.
const MAX_HEAD: usize = 8 * 1024;
/// How long a client may take for its request, and a server for its answer to the connection.
const PATIENCE: Duration = Duration::from_secs(30);

/// A relay that serves, on a thread of its own, until it is dropped.
pub(crate) struct Relay {
    address: SocketAddr,
    // Dropped with the relay: its one task, and with it every connection, ends then.
    _runtime: Runtime,
    _serving: JoinSet<()>,
}

impl Relay {
    /// Listens on a free port of loopback.
    pub(crate) fn start(names: Relayed) -> io::Result<Self> {
        let runtime = Builder::new_multi_thread().worker_threads(1).thread_name("relay").enable_all().build()?;
        let listener = runtime.block_on(TcpListener::bind(("127.0.0.1", 0)))?;
        let address = listener.local_addr()?;
        let mut serving = JoinSet::new();
        serving.spawn_on(serve(listener, Arc::new(names)), runtime.handle());
        Ok(Self { address, _runtime: runtime, _serving: serving })
    }
    /// What tells programs to use it.
    pub(crate) fn variables(&self) -> impl Iterator<Item = (String, String)> {
        let address = format!("http://{}", self.address);
        let proxies = ["HTTPS_PROXY", "https_proxy", "HTTP_PROXY", "http_proxy"];
        let direct = ["NO_PROXY", "no_proxy"].map(|name| (name.to_owned(), "localhost,127.0.0.1,::1".to_owned()));
        proxies.into_iter().map(move |name| (name.to_owned(), address.clone())).chain(direct)
    }
}

async fn serve(listener: TcpListener, names: Arc<Relayed>) {
    let mut open = JoinSet::new();
    loop {
        while open.len() >= MAX_CONNECTIONS {
            open.join_next().await;
        }
        tokio::select! {
            accepted = listener.accept() => {
                if let Ok((client, _)) = accepted {
                    open.spawn(carry(client, Arc::clone(&names)));
                }
            }
            Some(_) = open.join_next() => {}
        }
    }
}

async fn carry(mut client: TcpStream, names: Arc<Relayed>) {
    let Ok(Some(Request { target, first })) = timeout(PATIENCE, request(&mut client)).await else { return };
    let Some(addresses) = names.get(&target) else {
        let body = format!("{{\"reason\":\"dns.not_allowed\",\"host\":{target:?}}}\n");
        let head = format!(
            "HTTP/1.1 403 Forbidden\r\ncontent-type: application/json\r\ncontent-length: {}\r\n\r\n",
            body.len()
        );
        // The client may be gone already.
        let _ = client.write_all(format!("{head}{body}").as_bytes()).await;
        return;
    };
    match timeout(PATIENCE, TcpStream::connect(addresses.as_slice())).await {
        Ok(Ok(mut server)) => {
            let begun = match &first {
                Some(head) => server.write_all(head).await,
                None => client.write_all(b"HTTP/1.1 200 Connection established\r\n\r\n").await,
            };
            if begun.is_ok() {
                // Either side may end it at any time.
                let _ = tokio::io::copy_bidirectional(&mut client, &mut server).await;
            }
        }
        Ok(Err(_)) | Err(_) => {
            let _ = client.write_all(b"HTTP/1.1 502 Bad Gateway\r\ncontent-length: 0\r\n\r\n").await;
        }
    }
}

/// What a client asks for.
struct Request {
    /// `host:port`.
    target: String,
    /// The head of a plain request, as the server is to see it: one request a connection. None for CONNECT.
    first: Option<Vec<u8>>,
}

/// Reads a request's head, byte by byte so that nothing of what follows is swallowed.
async fn request(client: &mut TcpStream) -> Option<Request> {
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        if head.len() >= MAX_HEAD {
            return None;
        }
        head.push(client.read_u8().await.ok()?);
    }
    let text = std::str::from_utf8(&head).ok()?;
    let mut words = text.lines().next()?.split(' ');
    let (method, target) = (words.next()?, words.next()?);
    if method == "CONNECT" {
        return Some(Request { target: target.to_ascii_lowercase(), first: None });
    }
    let rest = target.strip_prefix("http://")?;
    let (authority, path) = rest.split_at(rest.find('/').unwrap_or(rest.len()));
    let path = if path.is_empty() { "/" } else { path };
    let mut first = format!("{method} {path} HTTP/1.1\r\nconnection: close\r\n");
    for line in text.lines().skip(1).filter(|line| !line.is_empty()) {
        let name = line.split(':').next().unwrap_or_default().to_ascii_lowercase();
        if !matches!(name.as_str(), "connection" | "proxy-connection" | "keep-alive" | "proxy-authorization") {
            first.push_str(line);
            first.push_str("\r\n");
        }
    }
    first.push_str("\r\n");
    let authority = authority.to_ascii_lowercase();
    let target = if authority.contains(':') { authority } else { format!("{authority}:80") };
    Some(Request { target, first: Some(first.into_bytes()) })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_known_name_is_carried_and_another_is_refused() {
        let server = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let at = server.local_addr().unwrap();
        let relay_at = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = relay_at.local_addr().unwrap();
        let mut tasks = JoinSet::new();
        tasks.spawn(serve(relay_at, Arc::new([("model.test:443".to_owned(), vec![at])].into())));
        let ask = async |host: &str| {
            let mut client = TcpStream::connect(address).await.unwrap();
            client.write_all(format!("CONNECT {host} HTTP/1.1\r\n\r\nhello").as_bytes()).await.unwrap();
            let mut answer = [0; 12];
            client.read_exact(&mut answer).await.unwrap();
            String::from_utf8(answer.to_vec()).unwrap()
        };
        assert_eq!(ask("evil.test:443").await, "HTTP/1.1 403");
        assert_eq!(ask("model.test:443").await, "HTTP/1.1 200");
        let (mut carried, _) = server.accept().await.unwrap();
        let mut hello = [0; 5];
        carried.read_exact(&mut hello).await.unwrap();
        assert_eq!(&hello, b"hello");
        let mut client = TcpStream::connect(address).await.unwrap();
        let plain =
            "GET http://model.test:443/x?y HTTP/1.1\r\nHost: model.test\r\nProxy-Connection: keep-alive\r\n\r\n";
        client.write_all(plain.as_bytes()).await.unwrap();
        let (mut carried, _) = server.accept().await.unwrap();
        let expected = "GET /x?y HTTP/1.1\r\nconnection: close\r\nHost: model.test\r\n\r\n";
        let mut seen = vec![0; expected.len()];
        carried.read_exact(&mut seen).await.unwrap();
        assert_eq!(String::from_utf8(seen).unwrap(), expected);
    }
}
