//! One way from the client to the host: directly, through the gate, or through a peer.

use crate::{
    place::{Place, Process},
    server::{Ask, HOST, NAME},
};
use std::{
    io::{self, Read as _, Write as _},
    net::{SocketAddr, TcpStream},
    sync::{Arc, OnceLock},
    time::Duration,
};

const PATIENCE: Duration = Duration::from_secs(20);

/// How a name is told.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Way {
    /// By the ClientHello.
    Hello(SocketAddr),
    /// By CONNECT.
    Connect(SocketAddr),
}

/// A way that can be gone.
pub(crate) struct Contender {
    /// As the table names it.
    pub(crate) name: String,
    /// Where the client is.
    pub(crate) from: Place,
    pub(crate) way: Way,
    /// What stands in the way.
    pub(crate) process: Option<Process>,
}

impl Contender {
    /// Nothing in the way.
    pub(crate) fn direct(from: &Place) -> Self {
        let way = Way::Hello((HOST, 443).into());
        Self { name: "direct loopback".to_owned(), from: from.clone(), way, process: None }
    }
    /// Whether it takes a connection and lets it through.
    pub(crate) fn serves(&self) -> bool {
        self.from.inside(|| self.way.open().is_ok())
    }
    /// Opens a connection from where this thread is.
    pub(crate) fn ask(&self, what: Ask) -> TcpStream {
        let mut stream = self.way.open().unwrap_or_else(|error| panic!("{}: {error}", self.name));
        stream.write_all(&[what as u8]).unwrap();
        stream
    }
}

impl Way {
    /// Connects, says hello, and has the first byte.
    pub(crate) fn open(self) -> io::Result<TcpStream> {
        let (Self::Hello(at) | Self::Connect(at)) = self;
        let mut stream = TcpStream::connect(at)?;
        stream.set_nodelay(true)?;
        stream.set_read_timeout(Some(PATIENCE))?;
        if let Self::Connect(_) = self {
            stream.write_all(format!("CONNECT {NAME}:443 HTTP/1.1\r\nHost: {NAME}:443\r\n\r\n").as_bytes())?;
            let mut head = Vec::new();
            let mut room = [0; 1024];
            while !head.ends_with(b"\r\n\r\n") {
                let length = stream.read(&mut room)?;
                head.extend_from_slice(&room[..length]);
                if length == 0 || head.len() > room.len() {
                    return Err(io::Error::other("no answer to CONNECT"));
                }
            }
            if !head.starts_with(b"HTTP/1.1 200") && !head.starts_with(b"HTTP/1.0 200") {
                return Err(io::Error::other(String::from_utf8_lossy(&head).into_owned()));
            }
        }
        stream.write_all(hello())?;
        stream.read_exact(&mut [0])?;
        Ok(stream)
    }
}

/// What a TLS client begins with.
fn hello() -> &'static [u8] {
    static HELLO: OnceLock<Vec<u8>> = OnceLock::new();
    HELLO.get_or_init(|| {
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let config = rustls::ClientConfig::builder_with_provider(provider).with_safe_default_protocol_versions();
        let config = config.unwrap().with_root_certificates(rustls::RootCertStore::empty()).with_no_client_auth();
        let mut client = rustls::ClientConnection::new(Arc::new(config), NAME.try_into().unwrap()).unwrap();
        let mut bytes = Vec::new();
        client.write_tls(&mut bytes).unwrap();
        bytes
    })
}
