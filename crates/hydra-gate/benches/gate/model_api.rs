//! A model API on a host of the internet, over TLS: it answers every request with a stream of events, each of which says when it was written.

use crate::{place::Place, server::HOST};
use hydra_core::Tokens;
use rcgen::{CertifiedKey, generate_simple_self_signed};
use rustls::{ClientConfig, RootCertStore, ServerConfig, pki_types::PrivatePkcs8KeyDer};
use std::{
    net::TcpListener,
    sync::Arc,
    time::{Duration, Instant},
};
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::TcpStream,
    runtime::Runtime,
    task::JoinSet,
    time::{Instant as At, sleep_until},
};
use tokio_rustls::{TlsAcceptor, TlsConnector};

pub(crate) const PORT: u16 = 8443;
/// What one stream says that it used.
pub(crate) const USED: Tokens = Tokens { input: 1_000, output: 50, cache_read: 20_000, cache_write: 300 };
/// In the request, among the headers that the gate passes on: how many events are wanted, and how many milliseconds there are between them.
pub(crate) const WANTED: &str = "x-stainless-events";
/// Before the microseconds at which an event was written.
pub(crate) const WRITTEN: &str = "\"written\":";

/// The API. It ends with its runtime.
pub(crate) struct Api {
    pub(crate) certificate: String,
    /// What a client needs that asks it directly.
    pub(crate) client: TlsConnector,
    /// When time began.
    pub(crate) begun: Instant,
    _runtime: Runtime,
}

impl Api {
    pub(crate) fn new(place: &Place) -> Self {
        let CertifiedKey { cert, signing_key } = generate_simple_self_signed([HOST.to_string()]).unwrap();
        let key = PrivatePkcs8KeyDer::from(signing_key.serialize_der());
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let server = ServerConfig::builder_with_provider(Arc::clone(&provider)).with_safe_default_protocol_versions();
        let server = server.unwrap().with_no_client_auth().with_single_cert(vec![cert.der().clone()], key.into());
        let mut roots = RootCertStore::empty();
        roots.add(cert.der().clone()).unwrap();
        let client = ClientConfig::builder_with_provider(provider).with_safe_default_protocol_versions().unwrap();
        let client = client.with_root_certificates(roots).with_no_client_auth();
        let listener = place.inside(|| TcpListener::bind((HOST, PORT)).unwrap());
        let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
        let begun = Instant::now();
        let acceptor = TlsAcceptor::from(Arc::new(server.unwrap()));
        let serving = async move {
            listener.set_nonblocking(true).unwrap();
            let listener = tokio::net::TcpListener::from_std(listener).unwrap();
            let mut streams = JoinSet::new();
            while let Ok((stream, _)) = listener.accept().await {
                streams.spawn(answer(stream, acceptor.clone(), begun));
            }
        };
        runtime.handle().spawn(serving);
        Self { certificate: cert.pem(), client: TlsConnector::from(Arc::new(client)), begun, _runtime: runtime }
    }
}

/// Nothing when the other side has gone.
async fn answer(stream: TcpStream, acceptor: TlsAcceptor, begun: Instant) -> Option<()> {
    stream.set_nodelay(true).ok()?;
    let mut stream = acceptor.accept(stream).await.ok()?;
    loop {
        let mut asked = Vec::new();
        let (head, length) = loop {
            let mut room = [0; 4096];
            let read = stream.read(&mut room).await.ok().filter(|read| *read > 0)?;
            asked.extend_from_slice(&room[..read]);
            let text = String::from_utf8_lossy(&asked).to_lowercase();
            if let Some((head, _)) = text.split_once("\r\n\r\n") {
                let length: usize = header(head, "content-length")?.parse().ok()?;
                break (head.to_owned(), head.len() + 4 + length);
            }
        };
        let mut rest = vec![0; length - asked.len()];
        stream.read_exact(&mut rest).await.ok()?;
        let (events, gap) = header(&head, WANTED)?.split_once(' ')?;
        let (events, gap): (u32, u64) = (events.parse().ok()?, gap.parse().ok()?);
        let head = b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n";
        stream.write_all(head).await.ok()?;
        let Tokens { input, output, cache_read, cache_write } = USED;
        let used = format!(
            "event: message_start\ndata: {{\"type\":\"message_start\",\"message\":{{\"usage\":{{\"input_tokens\":{input},\
             \"cache_read_input_tokens\":{cache_read},\"cache_creation_input_tokens\":{cache_write},\"output_tokens\":1}}}}}}\n\n"
        );
        stream.write_all(&chunk(&used)).await.ok()?;
        let first = At::now() + Duration::from_millis(gap);
        for event in 0..events {
            sleep_until(first + Duration::from_millis(gap) * event).await;
            let now = begun.elapsed().as_micros();
            let text = format!(
                "event: content_block_delta\ndata: {{\"type\":\"content_block_delta\",\"index\":0,{WRITTEN}{now},\
                 \"delta\":{{\"type\":\"text_delta\",\"text\":\" and so on\"}}}}\n\n"
            );
            stream.write_all(&chunk(&text)).await.ok()?;
        }
        let used = format!(
            "event: message_delta\ndata: {{\"type\":\"message_delta\",\"usage\":{{\"output_tokens\":{output}}}}}\n\n\
             event: message_stop\ndata: {{\"type\":\"message_stop\"}}\n\n"
        );
        stream.write_all(&chunk(&used)).await.ok()?;
        stream.write_all(b"0\r\n\r\n").await.ok()?;
    }
}

fn header<'h>(head: &'h str, name: &str) -> Option<&'h str> {
    head.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(": "))
}

fn chunk(text: &str) -> Vec<u8> {
    format!("{:x}\r\n{text}\r\n", text.len()).into_bytes()
}
