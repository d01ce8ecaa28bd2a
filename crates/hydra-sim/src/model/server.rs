//! The HTTP side: routes, credentials, streams, and a second listener with TLS where one is asked for.

use super::{
    answer::tag,
    authority::Certificate,
    conversation::Conversation,
    counts::{RequestLog, UsageTotals},
    fault::{Fault, error_body},
    script::Script,
    sse,
    turn::{Memory, Reply},
};
use axum::{
    Router,
    body::{Body, Bytes},
    extract::State,
    http::{HeaderMap, Method, Response, StatusCode, Uri},
    routing::any,
};
use futures_util::{StreamExt as _, stream};
use jiff::Timestamp;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, pem::PemObject as _};
use serde_json::{Value, json};
use std::{
    io,
    net::SocketAddr,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};
use tokio::{net::TcpListener, task::JoinSet};

/// What the model endpoint needs to start.
#[derive(Clone, Default)]
pub struct ModelConfig {
    /// What the model says.
    pub script: Script,
    /// Where plain HTTP listens; `127.0.0.1`, any port, by default.
    pub listen: Option<SocketAddr>,
    /// Where TLS listens besides, and with which certificate.
    pub tls: Option<(SocketAddr, Certificate)>,
    /// Credentials that are taken; any that is not empty, where this is.
    pub credentials: Vec<String>,
    /// Every answer waits so long, so that a person can follow.
    pub pace: Duration,
}

/// A running model endpoint. It ends when this is dropped.
pub struct ModelSim {
    shared: Arc<Shared>,
    address: SocketAddr,
    tls_address: Option<SocketAddr>,
    /// Ends its tasks with itself.
    _serving: JoinSet<()>,
}

struct Shared {
    config: ModelConfig,
    memory: Mutex<Memory>,
    totals: Mutex<UsageTotals>,
    log: Mutex<Vec<RequestLog>>,
}

impl ModelSim {
    /// Starts serving.
    ///
    /// # Errors
    /// When an address is taken, or the certificate cannot be used.
    pub async fn start(config: ModelConfig) -> io::Result<Self> {
        let plain = TcpListener::bind(config.listen.unwrap_or_else(|| ([127, 0, 0, 1], 0).into())).await?;
        let address = plain.local_addr()?;
        let tls = match &config.tls {
            Some((at, certificate)) => Some(TlsListener::bind(*at, certificate).await?),
            None => None,
        };
        let shared =
            Arc::new(Shared { config, memory: Mutex::default(), totals: Mutex::default(), log: Mutex::default() });
        let router = Router::new().fallback(any(serve)).with_state(shared.clone());
        let mut serving = JoinSet::new();
        let tls_address = tls.as_ref().map(|l| l.tcp.local_addr()).transpose()?;
        let plain_router = router.clone();
        serving.spawn(async move { drop(axum::serve(plain, plain_router).await) });
        if let Some(tls) = tls {
            serving.spawn(async move { drop(axum::serve(tls, router).await) });
        }
        Ok(Self { shared, address, tls_address, _serving: serving })
    }

    /// `http://127.0.0.1:PORT`: what `ANTHROPIC_BASE_URL` is set to.
    #[must_use]
    pub fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// Where plain HTTP listens.
    #[must_use]
    pub const fn address(&self) -> SocketAddr {
        self.address
    }

    /// Where TLS listens, if it does.
    #[must_use]
    pub const fn tls_address(&self) -> Option<SocketAddr> {
        self.tls_address
    }

    /// What was handed out so far.
    #[must_use]
    pub fn usage(&self) -> UsageTotals {
        lock(&self.shared.totals).clone()
    }

    /// Every request so far, in order.
    #[must_use]
    pub fn requests(&self) -> Vec<RequestLog> {
        lock(&self.shared.log).clone()
    }

    /// The tag under which a credential is counted.
    #[must_use]
    pub fn credential_tag(credential: &str) -> String {
        tag(credential)
    }
}

/// A poisoned lock holds whole values: every change is one assignment.
fn lock<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

async fn serve(
    State(shared): State<Arc<Shared>>,
    method: Method,
    uri: Uri,
    headers: HeaderMap,
    body: Bytes,
) -> Response<Body> {
    let credential = credential(&headers);
    let mut seen = RequestLog {
        line: format!("{method} {}", uri.path()),
        job: None,
        model: String::new(),
        credential: credential.as_deref().map(tag).unwrap_or_default(),
        status: 200,
    };
    let response = match (method.as_str(), uri.path()) {
        ("HEAD" | "GET", "/") => answer(200, Body::empty()),
        ("POST", "/v1/messages" | "/v1/messages/count_tokens") => {
            messages(&shared, uri.path(), credential.as_deref(), &body, &mut seen).await
        }
        _ => error(404, "not_found_error", "Not found"),
    };
    seen.status = response.status().as_u16();
    lock(&shared.log).push(seen);
    response
}

async fn messages(
    shared: &Arc<Shared>,
    path: &str,
    credential: Option<&str>,
    body: &[u8],
    seen: &mut RequestLog,
) -> Response<Body> {
    let known = &shared.config.credentials;
    match credential {
        None | Some("") => return error(401, "authentication_error", "x-api-key header is required"),
        Some(given) if !known.is_empty() && !known.iter().any(|k| k == given) => {
            return error(401, "authentication_error", "invalid x-api-key");
        }
        Some(_) => {}
    }
    let Ok(request) = serde_json::from_slice::<Value>(body) else {
        return error(400, "invalid_request_error", "the body is not JSON");
    };
    if !request["messages"].is_array() || !request["model"].is_string() {
        return error(400, "invalid_request_error", "messages and model are required");
    }
    let conversation = Conversation::read(&request);
    seen.model.clone_from(&conversation.model);
    if path.ends_with("/count_tokens") {
        return json_answer(200, &json!({"input_tokens": conversation.characters.div_ceil(4)}));
    }
    seen.job = conversation.header.as_ref().filter(|_| !conversation.side).map(|h| h.job.clone());
    let now = Timestamp::now();
    let reply = lock(&shared.memory).reply(&shared.config.script, &conversation, &seen.credential, now);
    let wait = reply.delay + shared.config.pace;
    if !wait.is_zero() {
        tokio::time::sleep(wait).await;
    }
    let tokens = reply.fault.is_none().then_some(reply.answer.tokens);
    lock(&shared.totals).add(seen.job.as_deref(), &seen.credential, &conversation.model, tokens);
    respond(&reply, conversation.stream, now)
}

fn respond(reply: &Reply, stream: bool, now: Timestamp) -> Response<Body> {
    let Some(played) = reply.fault else {
        return if stream {
            sse_answer(sse::whole(&reply.answer), Tail::End)
        } else {
            json_answer(200, &reply.answer.json())
        };
    };
    if let Some(bad) = played.fault.answer(played.until, now, played.retry_after) {
        let mut response = json_answer(bad.status, &bad.body);
        for (name, value) in bad.headers {
            if let Ok(value) = value.parse() {
                response.headers_mut().insert(name, value);
            }
        }
        return response;
    }
    let tail = match played.fault {
        Fault::Stall => Tail::Never,
        Fault::Reset => Tail::Broken,
        _ => Tail::End,
    };
    sse_answer(sse::half(&reply.answer, played.fault), tail)
}

/// How a stream ends.
#[derive(Clone, Copy)]
enum Tail {
    End,
    Never,
    Broken,
}

fn sse_answer(events: Vec<Bytes>, tail: Tail) -> Response<Body> {
    let events = stream::iter(events).map(Ok::<_, io::Error>);
    let body = match tail {
        Tail::End => Body::from_stream(events),
        Tail::Never => Body::from_stream(events.chain(stream::pending())),
        Tail::Broken => Body::from_stream(events.chain(stream::once(async {
            // What was written before gets out first: half an answer, not none.
            tokio::time::sleep(Duration::from_millis(50)).await;
            Err(io::Error::from(io::ErrorKind::ConnectionReset))
        }))),
    };
    let mut response = answer(200, body);
    response.headers_mut().insert("content-type", axum::http::HeaderValue::from_static("text/event-stream"));
    response
}

fn json_answer(status: u16, value: &Value) -> Response<Body> {
    let mut response = answer(status, Body::from(value.to_string()));
    response.headers_mut().insert("content-type", axum::http::HeaderValue::from_static("application/json"));
    response
}

fn answer(status: u16, body: Body) -> Response<Body> {
    let mut response = Response::new(body);
    *response.status_mut() = StatusCode::from_u16(status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    response.headers_mut().insert("request-id", axum::http::HeaderValue::from_static("req_scripted"));
    response
}

fn error(status: u16, kind: &str, message: &str) -> Response<Body> {
    json_answer(status, &error_body(kind, message))
}

/// The credential of a request, from whichever header carries it.
fn credential(headers: &HeaderMap) -> Option<String> {
    let text = |name: &str| headers.get(name).and_then(|v| v.to_str().ok());
    let bearer = text("authorization").and_then(|v| v.strip_prefix("Bearer ")).map(str::to_owned);
    text("x-api-key").map(str::to_owned).or(bearer)
}

/// Accepts connections and speaks TLS on them.
struct TlsListener {
    tcp: TcpListener,
    acceptor: tokio_rustls::TlsAcceptor,
}

impl TlsListener {
    async fn bind(at: SocketAddr, certificate: &Certificate) -> io::Result<Self> {
        let chain: Vec<_> = CertificateDer::pem_slice_iter(certificate.certificate.as_bytes())
            .collect::<Result<_, _>>()
            .map_err(io::Error::other)?;
        let key = PrivateKeyDer::from_pem_slice(certificate.key.as_bytes()).map_err(io::Error::other)?;
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let config = rustls::ServerConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .map_err(io::Error::other)?
            .with_no_client_auth()
            .with_single_cert(chain, key)
            .map_err(io::Error::other)?;
        Ok(Self { tcp: TcpListener::bind(at).await?, acceptor: Arc::new(config).into() })
    }
}

impl axum::serve::Listener for TlsListener {
    type Io = tokio_rustls::server::TlsStream<tokio::net::TcpStream>;
    type Addr = SocketAddr;

    async fn accept(&mut self) -> (Self::Io, Self::Addr) {
        loop {
            let (stream, peer) = axum::serve::Listener::accept(&mut self.tcp).await;
            // One that does not finish its hello in time must not keep the others waiting for long.
            match tokio::time::timeout(Duration::from_secs(3), self.acceptor.accept(stream)).await {
                Ok(Ok(stream)) => return (stream, peer),
                Ok(Err(error)) => tracing::debug!(%error, "a TLS hello failed"),
                Err(_) => tracing::debug!("a TLS hello took too long"),
            }
        }
    }

    fn local_addr(&self) -> io::Result<Self::Addr> {
        self.tcp.local_addr()
    }
}
