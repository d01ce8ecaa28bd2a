//! One connection after the other: faults, dispatch, log. A dropped connection is a service error, which hyper answers by closing.

use super::{
    auth::Who,
    fault::FaultKind,
    graphql,
    log::{Logged, Record},
    rest,
    sim::Inner,
    smart_http,
};
use bytes::Bytes;
use http::{Request, Response};
use http_body_util::{BodyExt, Full};
use hyper::{body::Incoming, service::service_fn};
use hyper_util::rt::TokioIo;
use serde_json::{Value, json};
use std::{sync::Arc, time::Duration};
use tokio::{net::TcpListener, task::JoinSet};

/// A request, read whole.
#[derive(Debug, Clone)]
pub(crate) struct Call {
    pub method: String,
    pub path: String,
    pub query: Option<String>,
    pub headers: http::HeaderMap,
    pub body: Bytes,
}

impl Call {
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name).and_then(|v| v.to_str().ok())
    }
}

/// An answer.
#[derive(Debug, Clone)]
pub(crate) struct Answer {
    pub status: u16,
    pub headers: Vec<(String, String)>,
    pub body: Vec<u8>,
}

impl Answer {
    pub(crate) fn json(status: u16, body: &Value) -> Self {
        let headers = vec![("content-type".to_owned(), "application/json; charset=utf-8".to_owned())];
        Self { status, headers, body: body.to_string().into_bytes() }
    }

    pub(crate) fn text(status: u16, body: &str) -> Self {
        let headers = vec![("content-type".to_owned(), "text/plain; charset=utf-8".to_owned())];
        Self { status, headers, body: body.as_bytes().to_vec() }
    }

    pub(crate) fn with(mut self, name: &str, value: impl Into<String>) -> Self {
        self.headers.push((name.to_owned(), value.into()));
        self
    }
}

#[derive(Debug, thiserror::Error)]
#[error("the connection is dropped on purpose")]
struct Dropped;

pub(crate) async fn serve(listener: TcpListener, inner: Arc<Inner>) {
    let mut connections = JoinSet::new();
    loop {
        tokio::select! {
            accepted = listener.accept() => {
                let Ok((stream, _)) = accepted else { continue };
                // Small answers, many round trips: waiting for more to send would cost 40 ms each.
                drop(stream.set_nodelay(true));
                let inner = Arc::clone(&inner);
                connections.spawn(async move {
                    let service = service_fn(move |request| handle(Arc::clone(&inner), request));
                    // A client that hangs up, or a fault that drops the line, ends one connection only.
                    drop(hyper::server::conn::http1::Builder::new().serve_connection(TokioIo::new(stream), service).await);
                });
            }
            Some(_) = connections.join_next() => {}
        }
    }
}

async fn handle(inner: Arc<Inner>, request: Request<Incoming>) -> Result<Response<Full<Bytes>>, Dropped> {
    let (parts, body) = request.into_parts();
    let body = body.collect().await.map_err(|_| Dropped)?.to_bytes();
    let call = Call {
        method: parts.method.to_string(),
        path: parts.uri.path().to_owned(),
        query: parts.uri.query().map(str::to_owned),
        headers: parts.headers,
        body,
    };
    let operation = (call.path == "/graphql").then(|| graphql::peek(&call.body));
    let write = match &operation {
        Some((_, write)) => *write,
        None => smart_http::service(&call).map_or(call.method != "GET" && call.method != "HEAD", |s| {
            call.method == "POST" && s == "git-receive-pack"
        }),
    };
    let name = operation.map(|(name, _)| name);
    let subject = name.as_ref().map_or_else(|| call.path.clone(), |n| format!("/graphql/{n}"));
    let fault = inner.faults().strike(&call.method, &subject);
    if let Some(FaultKind::Slow(delay)) = fault {
        tokio::time::sleep(delay).await;
    }
    let shared = Arc::clone(&inner);
    let asked = call.clone();
    let before = fault.as_ref().and_then(|f| before(&inner, f));
    let answer = match before {
        Some(answer) => answer,
        None => tokio::task::spawn_blocking(move || Some(dispatch(&shared, &asked))).await.map_err(|_| Dropped)?,
    };
    let answer = match &fault {
        Some(FaultKind::ErrorAfter(status)) => Some(broken(*status)),
        Some(FaultKind::ResetAfter) => None,
        _ => answer,
    };
    note(&inner, &call, answer.as_ref(), write, name, fault.as_ref());
    let answer = answer.ok_or(Dropped)?;
    let mut response = Response::builder().status(answer.status);
    for (name, value) in answer.headers {
        response = response.header(name, value);
    }
    response.body(Full::new(Bytes::from(answer.body))).map_err(|_| Dropped)
}

fn dispatch(inner: &Inner, call: &Call) -> Answer {
    if smart_http::service(call).is_some() {
        return smart_http::answer(inner, call);
    }
    if call.path == "/graphql" {
        return graphql::answer(&mut inner.world(), call);
    }
    rest::answer(&mut inner.world(), call)
}

fn broken(status: u16) -> Answer {
    Answer::json(status, &json!({ "message": "Server Error", "documentation_url": "https://docs.github.com/rest" }))
}

/// The answer of a fault that keeps the request from having an effect; the inner `None` drops the connection.
fn before(inner: &Inner, fault: &FaultKind) -> Option<Option<Answer>> {
    let limited = |status, message: &str| {
        Answer::json(
            status,
            &json!({ "message": message, "documentation_url": "https://docs.github.com/rest/using-the-rest-api/rate-limits-for-the-rest-api" }),
        )
    };
    match fault {
        FaultKind::ErrorBefore(status) => Some(Some(broken(*status))),
        FaultKind::Secondary(seconds) => {
            let message = "You have exceeded a secondary rate limit. Please wait a few minutes before you try again.";
            Some(Some(limited(403, message).with("retry-after", seconds.to_string())))
        }
        FaultKind::TooMany(seconds) => {
            let message = "You have exceeded a secondary rate limit. Please wait a few minutes before you try again.";
            Some(Some(limited(429, message).with("retry-after", seconds.to_string())))
        }
        FaultKind::Exhausted(seconds) => {
            let world = inner.world();
            let reset = world.clock.now().as_second().saturating_add_unsigned(*seconds);
            let answer = limited(403, "API rate limit exceeded for user ID 1.");
            let answer = answer.with("x-ratelimit-limit", world.limit.to_string()).with("x-ratelimit-remaining", "0");
            Some(Some(answer.with("x-ratelimit-reset", reset.to_string()).with("x-ratelimit-resource", "core")))
        }
        FaultKind::Html(status) => {
            let page = "<!DOCTYPE html><html><head><title>Unicorn!</title></head><body>We had issues.</body></html>";
            let mut answer = Answer::text(*status, page);
            answer.headers = vec![("content-type".to_owned(), "text/html; charset=utf-8".to_owned())];
            Some(Some(answer))
        }
        FaultKind::GraphqlLimited => {
            let error = json!({ "type": "RATE_LIMITED", "message": "API rate limit exceeded for user ID 1." });
            Some(Some(Answer::json(200, &json!({ "errors": [error] })).with("x-ratelimit-remaining", "0")))
        }
        FaultKind::ResetBefore => Some(None),
        FaultKind::ErrorAfter(_) | FaultKind::ResetAfter | FaultKind::Slow(Duration { .. }) => None,
    }
}

fn note(
    inner: &Inner,
    call: &Call,
    answer: Option<&Answer>,
    write: bool,
    operation: Option<String>,
    fault: Option<&FaultKind>,
) {
    let identity =
        Who::from_header(&inner.world(), call.header("authorization")).ok().and_then(|w| w.login().map(str::to_owned));
    let path = call.query.as_ref().map_or_else(|| call.path.clone(), |q| format!("{}?{q}", call.path));
    let status = answer.map(|a| a.status);
    let wanted = inner.record || inner.traffic.is_some();
    let record = answer.filter(|_| wanted && smart_http::service(call).is_none()).map(|answer| Record {
        method: call.method.clone(),
        path: call.path.clone(),
        query: call.query.iter().flat_map(|q| url::form_urlencoded::parse(q.as_bytes()).into_owned()).collect(),
        request: serde_json::from_slice(&call.body).ok(),
        status: answer.status,
        response: serde_json::from_slice(&answer.body).ok(),
        // A limit is told in GitHub's own words; an answer that only comes late is the simulator's own.
        faulty: matches!(fault, Some(FaultKind::ErrorBefore(_) | FaultKind::ErrorAfter(_) | FaultKind::Html(_))),
    });
    if let (Some(traffic), Some(record)) = (&inner.traffic, &record)
        && let Err(error) = traffic.keep(record)
    {
        tracing::error!(%error, "the simulator's traffic could not be kept");
    }
    let mut log = inner.log();
    log.entries.push(Logged {
        method: call.method.clone(),
        path,
        identity,
        status,
        write,
        operation,
        fault: fault.map(|f| format!("{f:?}")),
    });
    log.records.extend(record.filter(|_| inner.record));
}
