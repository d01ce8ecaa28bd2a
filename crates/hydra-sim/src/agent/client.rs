//! One request to the Messages endpoint, over a connection of its own.

use super::{
    message::{Assembly, Failure, Message, failure_of},
    options::{Credential, Options},
    tls,
};
use bytes::Bytes;
use http_body_util::{BodyExt as _, Full};
use hyper::{Request, Response, body::Incoming, client::conn::http1};
use hyper_util::rt::TokioIo;
use serde_json::Value;
use tokio::{
    io::{AsyncRead, AsyncWrite},
    net::TcpStream,
};

/// Sends a conversation and puts the streamed answer together.
pub(crate) async fn send(options: &Options, body: &Value) -> Result<Message, Failure> {
    let url = &options.base_url;
    let host = url.host_str().unwrap_or_default().trim_matches(['[', ']']).to_owned();
    let port = url.port_or_known_default().unwrap_or(80);
    let stream = TcpStream::connect((host.as_str(), port)).await.map_err(Failure::connection)?;
    if url.scheme() == "https" {
        let stream = tls::connect(options, &host, stream).await.map_err(Failure::connection)?;
        exchange(options, body, stream).await
    } else {
        exchange(options, body, stream).await
    }
}

async fn exchange(
    options: &Options,
    body: &Value,
    stream: impl AsyncRead + AsyncWrite + Unpin + Send,
) -> Result<Message, Failure> {
    let (mut sender, connection) = http1::handshake(TokioIo::new(stream)).await.map_err(Failure::connection)?;
    let request = request(options, body)?;
    let talk = async {
        let response = sender.send_request(request).await.map_err(Failure::connection)?;
        let answer = read(response).await;
        drop(sender);
        answer
    };
    // The connection is driven here and dropped with the answer: nothing is left behind.
    tokio::pin!(connection, talk);
    tokio::select! {
        answer = &mut talk => answer,
        ended = &mut connection => match ended {
            Ok(()) => talk.await,
            Err(error) => Err(Failure::connection(error)),
        },
    }
}

fn request(options: &Options, body: &Value) -> Result<Request<Full<Bytes>>, Failure> {
    let url = &options.base_url;
    let path = format!("{}/v1/messages?beta=true", url.path().trim_end_matches('/'));
    let host = match (url.host_str(), url.port()) {
        (Some(host), Some(port)) => format!("{host}:{port}"),
        (host, _) => host.unwrap_or_default().to_owned(),
    };
    let (name, value) = match &options.credential {
        Credential::OAuth(token) => ("authorization", format!("Bearer {token}")),
        Credential::Key(key) => ("x-api-key", key.clone()),
    };
    Request::post(path)
        .header("host", host)
        .header("content-type", "application/json")
        .header("anthropic-version", "2023-06-01")
        .header("user-agent", concat!("hydra-sim-agent/", env!("CARGO_PKG_VERSION")))
        .header(name, value)
        .body(Full::from(body.to_string()))
        .map_err(|_| Failure::connection("the request cannot be built: the credential is no header value"))
}

async fn read(response: Response<Incoming>) -> Result<Message, Failure> {
    let (parts, mut body) = response.into_parts();
    if !parts.status.is_success() {
        let bytes = body.collect().await.map_err(Failure::connection)?.to_bytes();
        let value = serde_json::from_slice(&bytes).unwrap_or_default();
        let header = |name: &str| parts.headers.get(name).and_then(|v| v.to_str().ok());
        let mut failure = failure_of(Some(parts.status.as_u16()), &value);
        failure.resets_at = header("anthropic-ratelimit-unified-reset").and_then(|v| v.parse().ok());
        failure.retry_after = header("retry-after").and_then(|v| v.parse().ok());
        failure.final_word = header("x-should-retry") == Some("false");
        return Err(failure);
    }
    let mut assembly = Assembly::default();
    while let Some(frame) = body.frame().await {
        if let Some(bytes) = frame.map_err(Failure::connection)?.data_ref() {
            assembly.feed(bytes)?;
        }
    }
    assembly.finish()
}
