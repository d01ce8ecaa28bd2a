//! A CONNECT proxy on loopback, for containers whose `/etc/hosts` cannot be written: it knows the addresses that were resolved
//! before the fence. It guards nothing: the kernel's rules do; it only stands in for the look-up that the fence has closed.

use crate::fence::Relayed;
use std::{io, net::SocketAddr, sync::Arc, time::Duration};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpStream},
    task::JoinSet,
    time::timeout,
};

/// Connections at a time.
const MAX_CONNECTIONS: usize = 256;
/// Longest request head, in bytes.
const MAX_HEAD: usize = 8 * 1024;
/// How long a client may take for its request, and a server for its answer to the connection.
const PATIENCE: Duration = Duration::from_secs(30);

/// A relay that listens.
pub(crate) struct Relay {
    listener: TcpListener,
    names: Arc<Relayed>,
}

impl Relay {
    /// Listens on a free port of loopback.
    pub(crate) async fn listen(names: Relayed) -> io::Result<Self> {
        Ok(Self { listener: TcpListener::bind(("127.0.0.1", 0)).await?, names: Arc::new(names) })
    }
    /// Its address, for `HTTPS_PROXY`.
    pub(crate) fn address(&self) -> io::Result<SocketAddr> {
        self.listener.local_addr()
    }
    /// Serves until it is dropped; connections end with it.
    pub(crate) async fn serve(self) {
        let mut open = JoinSet::new();
        loop {
            while open.len() >= MAX_CONNECTIONS {
                open.join_next().await;
            }
            tokio::select! {
                accepted = self.listener.accept() => {
                    if let Ok((client, _)) = accepted {
                        open.spawn(carry(client, Arc::clone(&self.names)));
                    }
                }
                Some(_) = open.join_next() => {}
            }
        }
    }
}

async fn carry(mut client: TcpStream, names: Arc<Relayed>) {
    let Ok(Some(target)) = timeout(PATIENCE, request(&mut client)).await else { return };
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
            if client.write_all(b"HTTP/1.1 200 Connection established\r\n\r\n").await.is_ok() {
                // Either side may end it at any time.
                let _ = tokio::io::copy_bidirectional(&mut client, &mut server).await;
            }
        }
        Ok(Err(_)) | Err(_) => {
            let _ = client.write_all(b"HTTP/1.1 502 Bad Gateway\r\ncontent-length: 0\r\n\r\n").await;
        }
    }
}

/// The `host:port` of a CONNECT request, byte by byte so that nothing of what follows is swallowed. Anything else is none.
async fn request(client: &mut TcpStream) -> Option<String> {
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        if head.len() >= MAX_HEAD {
            return None;
        }
        head.push(client.read_u8().await.ok()?);
    }
    let head = String::from_utf8(head).ok()?;
    let mut words = head.lines().next()?.split(' ');
    (words.next()? == "CONNECT").then_some(())?;
    Some(words.next()?.to_ascii_lowercase())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_known_name_is_carried_and_another_is_refused() {
        let server = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let at = server.local_addr().unwrap();
        let relay = Relay::listen([("model.test:443".to_owned(), vec![at])].into()).await.unwrap();
        let address = relay.address().unwrap();
        let mut tasks = JoinSet::new();
        tasks.spawn(relay.serve());
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
    }
}
